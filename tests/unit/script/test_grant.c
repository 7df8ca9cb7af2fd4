/* Grants as texts: read, written, and what is not accepted. */
#include "tests.h"

#include "script/grant.h"

#include <string.h>

static void is(const char *list, const char *canonical)
{
    struct mt_grant grant;
    struct mt_fault fault;
    struct mt_buf text;
    struct mt_buf again;

    mt_buf_init(&text, 65536);
    mt_buf_init(&again, 65536);
    assert_int_equal(mt_grant_parse(list, &grant, &fault), MT_OK);
    assert_int_equal(mt_grant_write(&grant, &text), MT_OK);
    assert_string_equal(text.data, canonical);
    assert_int_equal(mt_grant_parse(text.data, &grant, &fault), MT_OK);
    assert_int_equal(mt_grant_write(&grant, &again), MT_OK);
    assert_string_equal(again.data, canonical); /* what is written reads back as itself */
    mt_buf_deinit(&text);
    mt_buf_deinit(&again);
}

static void is_not(const char *list, const char *code)
{
    struct mt_grant grant;
    struct mt_fault fault;

    assert_int_equal(mt_grant_parse(list, &grant, &fault), MT_ERR_INVALID);
    assert_string_equal(fault.code, code);
}

static void grants_are_read_and_written(void **state)
{
    (void)state;
    is("send,read", "read,send");
    is("read,mark_read,send,organise,delete,http,files",
       "read,mark_read,send,organise,delete,http,files");
    is("delete:1000", "delete:1000");
    is("delete:archived,delete:0", "delete:0,delete:archived");
    is("send:to=group:*,send:200/h,send:to=single:bob,send:1/s",
       "send,send:200/h,send:1/s,send:to=group:*,send:to=single:bob");
    is("http:Hooks.Example.COM,http:[::1]", "http,http:hooks.example.com,http:[::1]");
    is("files:out/,files:/srv/in", "files,files:out/,files:/srv/in");
}

static void what_is_none_is_refused(void **state)
{
    (void)state;
    is_not("reed", "grant.unknown");
    is_not("read:3", "grant.limit");
    is_not("organise:all", "grant.limit");
    is_not("delete:-1", "grant.limit");
    is_not("delete:1e3", "grant.limit");
    is_not("delete:all", "grant.limit");
    is_not("send:", "grant.limit");
    is_not("send:200", "grant.limit");
    is_not("send:200/w", "grant.limit");
    is_not("send:200/hour", "grant.limit");
    is_not("send:/h", "grant.limit");
    is_not("send:-1/h", "grant.limit");
    is_not("send:100001/h", "grant.limit");
    is_not("send:1/h,send:2/h,send:3/h,send:4/h,send:5/h,send:6/h,send:7/h,send:8/h,send:9/h",
           "grant.limit");
    is_not("send:to=bob", "grant.limit"); /* a kind stands in front */
    is_not("send:to=", "grant.limit");
    is_not("files:", "grant.limit");
    is_not("http:", "grant.host");
    is_not("http:https://example.com", "grant.host");
    is_not("http:user@example.com", "grant.host");
}

static void what_is_a_risk_is_said(void **state)
{
    struct mt_grant grant;
    struct mt_fault fault;

    (void)state;
    assert_int_equal(mt_grant_parse("read,send,files", &grant, &fault), MT_OK);
    assert_null(mt_grant_remark(&grant, 0));
    assert_int_equal(mt_grant_parse("read,http:example.com", &grant, &fault), MT_OK);
    assert_non_null(strstr(mt_grant_remark(&grant, 0), "read and http"));
    assert_null(mt_grant_remark(&grant, 1));
    assert_int_equal(mt_grant_parse("read,http,send,delete", &grant, &fault), MT_OK);
    assert_non_null(strstr(mt_grant_remark(&grant, 1), "send and delete"));
    assert_null(mt_grant_remark(&grant, 2));
}

int test_grant(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(grants_are_read_and_written),
                                       cmocka_unit_test(what_is_none_is_refused),
                                       cmocka_unit_test(what_is_a_risk_is_said)};

    return cmocka_run_group_tests_name("grant", tests, NULL, NULL);
}

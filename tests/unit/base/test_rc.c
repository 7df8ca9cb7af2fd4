/* Faults. */
#include "base/rc.h"
#include "base/secret.h"
#include "base/str.h"
#include "tests.h"

#include <stdio.h>
#include <string.h>

static void fills_and_returns_the_kind(void **state)
{
    (void)state;
    struct mt_fault f = {.http_status = 500, .provider_code = 3, .retry_after_ms = 9};
    assert_int_equal(mt_fault_set(&f, MT_ERR_RATE, "http.rate", "wait %d s", 5), MT_ERR_RATE);
    assert_int_equal(f.kind, MT_ERR_RATE);
    assert_string_equal(f.code, "http.rate");
    assert_string_equal(f.message, "wait 5 s");
    assert_true(f.retryable);
    assert_int_equal(f.http_status, 0);
    assert_int_equal(f.provider_code, 0);
    assert_int_equal(f.retry_after_ms, 0);
    assert_int_equal(mt_fault_set(NULL, MT_ERR_IO, "x", "y"), MT_ERR_IO);
    mt_fault_prefix(NULL, "x");
}

static void only_the_passing_kinds_are_retryable(void **state)
{
    (void)state;
    for (int kind = MT_OK; kind <= MT_ERR_CANCELLED; kind++) {
        struct mt_fault f;
        mt_fault_set(&f, (enum mt_rc)kind, "c", "m");
        bool expected = kind == MT_ERR_NETWORK || kind == MT_ERR_TIMEOUT || kind == MT_ERR_RATE ||
                        kind == MT_ERR_REMOTE;
        assert_int_equal(f.retryable, expected);
    }
}

static void may_be_filled_from_itself(void **state)
{
    (void)state;
    struct mt_fault f;
    mt_fault_set(&f, MT_ERR_IO, "a.b", "first");
    mt_fault_set(&f, MT_ERR_IO, f.code, "second, was %s", f.message);
    assert_string_equal(f.code, "a.b");
    assert_string_equal(f.message, "second, was first");
    mt_fault_prefix(&f, "%s", f.code);
    assert_string_equal(f.message, "a.b: second, was first");
}

static void cuts_between_characters(void **state)
{
    (void)state;
    struct mt_fault f;
    char text[1000] = "";
    for (size_t shift = 0; shift < 3; shift++) {
        memset(text, 'x', shift);
        text[shift] = '\0';
        for (int i = 0; i < 200; i++) {
            strcat(text, "你");
        }
        mt_fault_set(&f, MT_ERR_IO, "c", "%s", text);
        assert_true(strlen(f.message) >= MT_FAULT_MESSAGE_MAX - 4);
        assert_true(mt_str_utf8_valid(f.message, strlen(f.message)));
        mt_fault_prefix(&f, "conversation");
        assert_true(mt_str_starts(f.message, "conversation: x") || shift == 0);
        assert_true(mt_str_utf8_valid(f.message, strlen(f.message)));
    }
    char code[100];
    memset(code, 'c', 99);
    code[99] = '\0';
    mt_fault_set(&f, MT_ERR_IO, code, "x");
    assert_int_equal(strlen(f.code), MT_FAULT_CODE_MAX - 1);
}

static void is_one_line(void **state)
{
    (void)state;
    struct mt_fault f;
    mt_fault_set(&f, MT_ERR_REMOTE, "c", "a\nb\tc\x1b[31m\x7f");
    assert_string_equal(f.message, "a b c [31m ");
}

static void holds_no_secret(void **state)
{
    (void)state;
    struct mt_fault f;
    struct mt_secret *secret = mt_secret_new("YWMt-token-1234", 15);
    mt_fault_set(&f, MT_ERR_AUTH, "c", "the cloud says: bad YWMt-token-1234 !");
    assert_string_equal(f.message, "the cloud says: bad *************** !");
    mt_fault_prefix(&f, "with YWMt-token-1234");
    assert_null(strstr(f.message, "token"));
    /* a secret that crosses the cut leaves no beginning behind */
    char text[300];
    memset(text, '.', 250);
    snprintf(text + 250, sizeof text - 250, "YWMt-token-1234");
    mt_fault_set(&f, MT_ERR_AUTH, "c", "%s", text);
    assert_null(strstr(f.message, "YWM"));
    mt_secret_free(secret);
}

static void has_a_name_for_each(void **state)
{
    (void)state;
    for (int kind = MT_OK; kind <= MT_ERR_CANCELLED; kind++) {
        assert_string_not_equal(mt_rc_name((enum mt_rc)kind), "unknown");
        for (int other = MT_OK; other < kind; other++) {
            assert_string_not_equal(mt_rc_name((enum mt_rc)kind), mt_rc_name((enum mt_rc)other));
        }
    }
    assert_string_equal(mt_rc_name(MT_ERR_NETWORK), "network");
    assert_string_equal(mt_rc_name((enum mt_rc)1000), "unknown");
}

int test_rc(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fills_and_returns_the_kind),
        cmocka_unit_test(only_the_passing_kinds_are_retryable),
        cmocka_unit_test(may_be_filled_from_itself),
        cmocka_unit_test(cuts_between_characters),
        cmocka_unit_test(is_one_line),
        cmocka_unit_test(holds_no_secret),
        cmocka_unit_test(has_a_name_for_each),
    };
    return cmocka_run_group_tests_name("base/rc", tests, NULL, NULL);
}

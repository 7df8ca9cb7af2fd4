/* The page of a state, whatever is in it: nothing that is not ours becomes markup. */
#include "app/service_int.h"
#include "base/mem.h"
#include "codec/json.h"
#include "tests.h"

#include <stdio.h>
#include <string.h>

#define EVIL "</td></style><script>alert(1)</script><img src=x onerror='a'>\\\"&\\u0000\\u0007"

static char *render(const char *text, size_t *len)
{
    struct mt_json *state = NULL;
    struct mt_buf out;

    assert_int_equal(mt_json_parse(text, strlen(text), 1 << 20, &state, NULL), MT_OK);
    mt_buf_init(&out, 1 << 24);
    mt_service_page(state, 10, &out);
    assert_int_equal(out.failed, MT_OK);
    mt_json_free(state);
    return mt_buf_steal(&out, len);
}

static size_t count(const char *text, const char *word)
{
    size_t n = 0;

    for (const char *at = strstr(text, word); at; at = strstr(at + 1, word))
        n++;
    return n;
}

/* Everything that the state has is hostile, also where words of our own are expected. */
static void hostile(void **state)
{
    static const char text[] =
        "{\"version\":\"" EVIL "\",\"now\":\"" EVIL
        "\",\"ready\":false,\"reasons\":[{\"what\":\"" EVIL "\",\"name\":\"" EVIL
        "\",\"why\":\"" EVIL "\"}],\"accounts_by_state\":{},\"accounts\":[{\"name\":\"" EVIL
        "\",\"state\":\"" EVIL "\",\"since\":\"" EVIL "\",\"last_fault\":{\"at\":\"" EVIL
        "\",\"code\":\"" EVIL "\",\"message\":\"" EVIL "\"}}],\"jobs\":[{\"name\":\"" EVIL
        "\",\"state\":\"" EVIL "\",\"schedule\":\"" EVIL "\",\"why\":\"" EVIL
        "\",\"changed\":\"" EVIL "\",\"resume\":\"" EVIL "\",\"progress\":{\"label\":\"" EVIL
        "\",\"done\":\"" EVIL "\",\"total\":3,\"unit\":\"" EVIL "\",\"extra\":\"" EVIL
        "\"},\"next\":[\"" EVIL "\"],\"runs\":[{\"status\":\"" EVIL "\",\"started\":\"" EVIL
        "\",\"seconds\":\"" EVIL "\",\"code\":\"" EVIL "\",\"message\":\"" EVIL
        "\"}]}],\"faults\":[{\"of\":\"" EVIL "\",\"name\":\"" EVIL "\",\"at\":\"" EVIL
        "\",\"code\":\"" EVIL "\",\"message\":\"" EVIL "\"}]}";
    size_t len = 0;
    char *page = render(text, &len);

    (void)state;
    assert_int_equal(strlen(page), len);
    assert_int_equal(count(page, "<script"), 0);
    assert_int_equal(count(page, "<img"), 0);
    assert_int_equal(count(page, "</style>"), 1);
    assert_int_equal(count(page, "onerror='"), 0);
    assert_true(count(page, "&lt;script&gt;alert(1)&lt;/script&gt;") > 15);
    mt_mem_free(page);
}

/* What is not as it should be is left out, and ends in no crash. */
static void incomplete(void **state)
{
    static const char *const texts[] = {
        "{}",
        "[]",
        "null",
        "{\"accounts\":7,\"jobs\":{},\"faults\":\"x\",\"reasons\":3}",
        "{\"accounts\":[null,1,[]],\"jobs\":[null,{\"runs\":1,\"next\":{},\"progress\":[]}],"
        "\"faults\":[[]]}",
        "{\"uptime_seconds\":99999999999999999999,\"accounts_left_out\":-5,\"reasons_left_out\":-"
        "9}"};
    size_t len = 0;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char *page = render(texts[i], &len);
        assert_int_equal(count(page, "</html>"), 1);
        mt_mem_free(page);
    }
}

/* Ten thousand rows are not for people. */
static void rows_are_bounded(void **state)
{
    struct mt_buf text;
    size_t len = 0;

    (void)state;
    mt_buf_init(&text, 1 << 20);
    mt_buf_append_str(&text, "{\"accounts\":[");
    for (int i = 0; i < 1000; i++)
        mt_buf_appendf(&text, "%s{\"name\":\"n%d\"}", i ? "," : "", i);
    mt_buf_append_str(&text, "],\"accounts_left_out\":9000}");
    char *page = render(text.data, &len);
    assert_int_equal(count(page, "rowheader"), MT_SERVICE_ROWS);
    assert_non_null(strstr(page, "9800 more are not shown"));
    mt_mem_free(page);
    mt_buf_deinit(&text);
}

static void text_is_escaped(void **state)
{
    struct mt_buf out;

    (void)state;
    mt_buf_init(&out, 1000);
    mt_service_text(&out, "a<b>&\"'\x01\x7f\xff\xc3\xa4\xf0\x9f\n");
    assert_string_equal(out.data,
                        "a&lt;b&gt;&amp;&quot;&#39;\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xc3\xa4\xEF"
                        "\xBF\xBD\xEF\xBF\xBD\n");
    mt_buf_deinit(&out);
}

int test_page(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile),
        cmocka_unit_test(incomplete),
        cmocka_unit_test(rows_are_bounded),
        cmocka_unit_test(text_is_escaped),
    };
    return cmocka_run_group_tests_name("app/page", tests, NULL, NULL);
}

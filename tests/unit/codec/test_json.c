/* Reading JSON: what is accepted, what is refused and how, and that no integer is rounded. */
#include "base/mem.h"
#include "codec/json.h"
#include "tests.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BYTES ((size_t)1 << 24)

/* From a block without a byte to spare, so that the address sanitizer sees reading beyond the end.
 */
static enum mt_rc parse_n(const char *text, size_t len, struct mt_json **out,
                          struct mt_fault *fault)
{
    char *exact = malloc(len > 0 ? len : 1);
    memcpy(exact, text, len);
    enum mt_rc rc = mt_json_parse(exact, len, MAX_BYTES, out, fault);
    free(exact);
    return rc;
}

static struct mt_json *parse(const char *text)
{
    struct mt_json *root = NULL;
    struct mt_fault fault = {.message = ""};
    enum mt_rc rc = parse_n(text, strlen(text), &root, &fault);
    if (rc != MT_OK) {
        fail_msg("%s: %s", text, fault.message);
    }
    return root;
}

static void assert_prints(const char *text, const char *expected)
{
    struct mt_json *root = parse(text);
    struct mt_buf b;
    mt_buf_init(&b, MAX_BYTES);
    assert_int_equal(mt_json_print(root, &b), MT_OK);
    assert_string_equal(b.data, expected);
    mt_buf_deinit(&b);
    mt_json_free(root);
}

static void assert_refused(const char *text, size_t len, enum mt_rc rc, const char *code)
{
    struct mt_json *root = (struct mt_json *)&root;
    struct mt_fault fault = {.code = ""};
    if (parse_n(text, len, &root, &fault) != rc) {
        fail_msg("not refused as it should be: %.*s", (int)len, text);
    }
    assert_null(root);
    assert_string_equal(fault.code, code);
    assert_int_equal(fault.kind, rc);
}

static void accepts_what_is_json(void **state)
{
    (void)state;
    static const char *const same[] = {
        "null",
        "true",
        "false",
        "0",
        "-1",
        "1.5",
        "\"\"",
        "\"a\"",
        "[]",
        "{}",
        "[1,2,[3,[]]]",
        "{\"\":{}}",
        "{\"a\":[{\"b\":null}],\"c\":\"d\"}",
        "\"你好 😀\"",
        "1e+300",
        "\"/\"",
        "[\"\\u0001\",\"\\u0001\\u0001\"]",
    };
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        assert_prints(same[i], same[i]);
    }
    assert_prints(" \t\r\n[ 1 , 2 ] \n", "[1,2]");
    assert_prints("{ \"a\" : 1 , \"b\" : 2 }", "{\"a\":1,\"b\":2}");
    assert_prints("[1E2,1e-2,-0,1.0,0.10]", "[100,0.01,-0,1,0.1]");
    assert_prints("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u4f60\\uD83D\\uDE00\"",
                  "\"\\\"\\\\/\\b\\f\\n\\r\\tA你😀\"");
}

static void refuses_what_is_not(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        " ",
        "nul",
        "nulL",
        "True",
        "tru",
        "falsey",
        "NaN",
        "Infinity",
        "-",
        "+1",
        "01",
        "-01",
        "00",
        "1.",
        ".5",
        "1.e1",
        "1e",
        "1e+",
        "0x10",
        "1 2",
        "1,",
        "[",
        "]",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{",
        "}",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,",
        "{\"a\":1,}",
        "{,}",
        "{a:1}",
        "{1:1}",
        "{\"a\" 1}",
        "{\"a\":1 \"b\":2}",
        "{null:1}",
        "\"",
        "\"a",
        "\"a\\\"",
        "\"\\x\"",
        "\"\\\"",
        "\"\\u\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\uD83D\\u12\"",
        "'a'",
        "[1]x",
        "[1]]",
        "{}{}",
        "/**/1",
        "[1}",
        "{\"a\":1]",
        "\"a\nb\"",
        "\"a\tb\"",
        "\"\x01\"",
        "\"\x1f\"",
        "\xEF\xBB\xBF"
        "1",
        "\x0b"
        "1",
        "1\x0c",
        "\xA0",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_refused(bad[i], strlen(bad[i]), MT_ERR_PROTOCOL, "json.syntax");
    }
    assert_refused("1\0", 2, MT_ERR_PROTOCOL, "json.syntax");
    assert_refused("\"a\0b\"", 5, MT_ERR_PROTOCOL, "json.syntax");
    assert_refused("\0", 1, MT_ERR_PROTOCOL, "json.syntax");
    struct mt_json *root = NULL;
    struct mt_fault fault;
    assert_int_equal(parse_n("[1,x]", 5, &root, &fault), MT_ERR_PROTOCOL);
    assert_non_null(strstr(fault.message, "byte 3"));
    assert_int_equal(parse_n("[1,x]", 5, &root, NULL), MT_ERR_PROTOCOL);
}

static void every_cut_of_a_text_is_refused(void **state)
{
    (void)state;
    const char *text =
        "{\"a\":[1,-2.5e3,\"x\\u4f60\\\"\",true,false,null,{\"b\":12345678901234567890}]}";
    for (size_t len = 0; len < strlen(text); len++) {
        assert_refused(text, len, MT_ERR_PROTOCOL, "json.syntax");
    }
    mt_json_free(parse(text));
}

static void caps_hold(void **state)
{
    (void)state;
    struct mt_json *root = NULL;
    struct mt_fault fault;
    assert_int_equal(mt_json_parse("[1,2]", 5, 5, &root, &fault), MT_OK);
    mt_json_free(root);
    assert_int_equal(mt_json_parse("[1,2]", 5, 4, &root, &fault), MT_ERR_LIMIT);
    assert_string_equal(fault.code, "json.too_large");
    assert_null(root);
    char deep[20000];
    for (size_t depth = 63; depth <= 66; depth++) {
        memset(deep, '[', depth);
        memset(deep + depth, ']', depth);
        if (depth <= MT_JSON_MAX_DEPTH) {
            assert_int_equal(parse_n(deep, 2 * depth, &root, &fault), MT_OK);
            mt_json_free(root);
        } else {
            assert_refused(deep, 2 * depth, MT_ERR_LIMIT, "json.too_deep");
        }
    }
    memset(deep, '[', sizeof deep);
    assert_refused(deep, sizeof deep, MT_ERR_LIMIT, "json.too_deep");
    for (size_t i = 0; i + 5 <= sizeof deep; i += 5) {
        memcpy(deep + i, "{\"a\":", 5);
    }
    assert_refused(deep, sizeof deep, MT_ERR_LIMIT, "json.too_deep");
    size_t n = 600000;
    char *wide = malloc(2 * n + 1);
    for (size_t i = 0; i < n; i++) {
        memcpy(wide + 1 + 2 * i, "1,", 2);
    }
    wide[0] = '[';
    wide[2 * n] = ']';
    assert_refused(wide, 2 * n + 1, MT_ERR_LIMIT, "json.too_deep");
    wide[2 * 400000] = ']';
    assert_int_equal(parse_n(wide, 2 * 400000 + 1, &root, &fault), MT_OK);
    assert_int_equal(mt_json_count(root), 400000);
    mt_json_free(root);
    free(wide);
    char number[200];
    memset(number, '9', sizeof number);
    number[1] = '.';
    assert_refused(number, sizeof number, MT_ERR_LIMIT, "json.too_deep");
}

static void long_integers_are_exact(void **state)
{
    (void)state;
    struct mt_json *root = parse(
        "{\"id\":1146784321123456789,\"neg\":-9223372036854775808,\"max\":18446744073709551615,"
        "\"short\":123456789012345,\"sixteen\":9007199254740993,\"str\":\"1146784321123456789\","
        "\"huge\":123456789012345678901234567890123456789012345678901234567890123456789,"
        "\"frac\":1234567890123456.5,\"exp\":1234567890123456e2,\"list\":[1146784321123456789]}");
    uint64_t u = 0;
    assert_true(mt_json_is_long(mt_json_get(root, "id")));
    assert_int_equal(mt_json_type(mt_json_get(root, "id")), MT_JSON_NUMBER);
    assert_int_equal(mt_json_i64(mt_json_get(root, "id"), 0), INT64_C(1146784321123456789));
    assert_string_equal(mt_json_str(mt_json_get(root, "id")), "1146784321123456789");
    assert_true(mt_json_u64(mt_json_get(root, "id"), &u) && u == UINT64_C(1146784321123456789));
    assert_int_equal(mt_json_i64(mt_json_get(root, "neg"), 0), INT64_MIN);
    assert_false(mt_json_u64(mt_json_get(root, "neg"), &u));
    assert_true(mt_json_u64(mt_json_get(root, "max"), &u) && u == UINT64_MAX);
    assert_int_equal(mt_json_i64(mt_json_get(root, "max"), -7), -7);
    assert_false(mt_json_is_long(mt_json_get(root, "short")));
    assert_int_equal(mt_json_i64(mt_json_get(root, "short"), 0), INT64_C(123456789012345));
    assert_true(mt_json_is_long(mt_json_get(root, "sixteen")));
    assert_int_equal(mt_json_i64(mt_json_get(root, "sixteen"), 0), INT64_C(9007199254740993));
    /* a string is never taken for a number literal, but reads as one */
    assert_false(mt_json_is_long(mt_json_get(root, "str")));
    assert_int_equal(mt_json_type(mt_json_get(root, "str")), MT_JSON_STRING);
    assert_int_equal(mt_json_i64(mt_json_get(root, "str"), 0), INT64_C(1146784321123456789));
    assert_true(mt_json_is_long(mt_json_get(root, "huge")));
    assert_int_equal(mt_json_i64(mt_json_get(root, "huge"), -1), -1);
    assert_false(mt_json_u64(mt_json_get(root, "huge"), &u));
    assert_true(fabs(mt_json_double(mt_json_get(root, "huge"), 0) / 1.2345678901234568e68 - 1) <
                1e-9);
    assert_int_equal(mt_json_i64(mt_json_get(root, "frac"), -1), -1);
    assert_true(mt_json_is_long(mt_json_child(mt_json_get(root, "list"))));
    mt_json_free(root);
    assert_prints("[1146784321123456789,-1146784321123456789,\"1146784321123456789\"]",
                  "[1146784321123456789,-1146784321123456789,\"1146784321123456789\"]");
    assert_prints("12345678901234567890", "12345678901234567890");
    assert_refused("012345678901234567890", 21, MT_ERR_PROTOCOL, "json.syntax");
}

/* Text that tries to look like what the scan puts in for a long integer. */
static void the_mark_cannot_be_forged(void **state)
{
    (void)state;
    struct mt_json *root = parse(
        "{\"a\":\"\\u00011146784321123456789\",\"b\":1146784321123456789,"
        "\"\\u0001c\":\"\\u0001\\u0001\",\"d\":\"\\u0001\",\"e\":\"x\\u00011146784321123456789\"}");
    assert_false(mt_json_is_long(mt_json_get(root, "a")));
    assert_string_equal(mt_json_str(mt_json_get(root, "a")), "\x01"
                                                             "1146784321123456789");
    assert_true(mt_json_is_long(mt_json_get(root, "b")));
    assert_string_equal(mt_json_str(mt_json_get(root, "\x01"
                                                      "c")),
                        "\x01\x01");
    assert_string_equal(mt_json_str(mt_json_get(root, "d")), "\x01");
    assert_string_equal(mt_json_str(mt_json_get(root, "e")), "x\x01"
                                                             "1146784321123456789");
    mt_json_free(root);
    root = parse("\"\\u00011\""); /* without any long integer */
    assert_int_equal(mt_json_type(root), MT_JSON_STRING);
    assert_string_equal(mt_json_str(root), "\x01"
                                           "1");
    mt_json_free(root);
}

static void what_no_c_string_holds_is_replaced(void **state)
{
    (void)state;
    assert_prints("\"a\\ud83d\"", "\"a\xEF\xBF\xBD\"");
    assert_prints("\"\\ude00b\"", "\"\xEF\xBF\xBD"
                                  "b\"");
    assert_prints("\"\\ud83d\\ud83d\\ude00\"", "\"\xEF\xBF\xBD😀\"");
    assert_prints("\"\\ud83d\\n\"", "\"\xEF\xBF\xBD\\n\"");
    assert_prints("\"\\ud83d\\u0041\"", "\"\xEF\xBF\xBD"
                                        "A\"");
    assert_prints("\"a\\u0000b\"", "\"a\xEF\xBF\xBD"
                                   "b\"");
    assert_prints("{\"a\\u0000\":1}", "{\"a\xEF\xBF\xBD\":1}");
    assert_prints("\"\\\\ud83d\"", "\"\\\\ud83d\""); /* no escape at all */
    assert_prints(
        "\"\xFF\xE4\xBD\"",
        "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""); /* bytes are kept, and never written */
}

static void accessors_take_absence(void **state)
{
    (void)state;
    uint64_t u = 5;
    assert_int_equal(mt_json_type(NULL), MT_JSON_NULL);
    assert_null(mt_json_get(NULL, "a"));
    assert_null(mt_json_child(NULL));
    assert_null(mt_json_next(NULL));
    assert_null(mt_json_key(NULL));
    assert_int_equal(mt_json_count(NULL), 0);
    assert_null(mt_json_str(NULL));
    assert_true(mt_json_bool(NULL, true));
    assert_true(mt_json_double(NULL, 2.5) == 2.5);
    assert_int_equal(mt_json_i64(NULL, -3), -3);
    assert_false(mt_json_u64(NULL, &u));
    assert_false(mt_json_is_long(NULL));
    mt_json_free(NULL);
    struct mt_json *root = parse(
        "[{\"a\":1,\"A\":2,\"a\":3},true,\"x\",1.5,\"12\",null,-1,9007199254740994.0,\" 1\",1e30]");
    const struct mt_json *n = mt_json_child(root);
    assert_null(mt_json_key(n));
    assert_null(mt_json_get(root, "a"));                      /* an array has no members */
    assert_int_equal(mt_json_i64(mt_json_get(n, "a"), 0), 3); /* the last of two */
    assert_int_equal(mt_json_i64(mt_json_get(n, "A"), 0), 2);
    assert_null(mt_json_get(n, "b"));
    assert_string_equal(mt_json_key(mt_json_child(n)), "a");
    assert_int_equal(mt_json_count(n), 3);
    n = mt_json_next(n);
    assert_true(mt_json_bool(n, false));
    assert_int_equal(mt_json_i64(n, 9), 9);
    n = mt_json_next(n);
    assert_int_equal(mt_json_i64(n, 9), 9);
    assert_true(mt_json_double(n, 1) == 1);
    assert_false(mt_json_bool(n, false));
    n = mt_json_next(n);
    assert_int_equal(mt_json_i64(n, 9), 9);
    assert_true(mt_json_double(n, 1) == 1.5);
    n = mt_json_next(n);
    assert_true(mt_json_u64(n, &u) && u == 12);
    n = mt_json_next(n);
    assert_int_equal(mt_json_type(n), MT_JSON_NULL);
    n = mt_json_next(n);
    assert_int_equal(mt_json_i64(n, 9), -1);
    assert_false(mt_json_u64(n, &u));
    n = mt_json_next(n);
    assert_int_equal(mt_json_i64(n, 9), 9); /* beyond what a double holds exactly */
    n = mt_json_next(n);
    assert_int_equal(mt_json_i64(n, 9), 9);
    n = mt_json_next(n);
    assert_int_equal(mt_json_i64(n, 9), 9);
    assert_false(mt_json_u64(n, &u));
    assert_null(mt_json_next(n));
    mt_json_free(root);
}

static void survives_want_of_memory(void **state)
{
    (void)state;
    const char *text =
        "{\"id\":1146784321123456789,\"a\":[1,2,{\"b\":\"text \\ud83d\"}],\"\\u0001\":true}";
    int64_t live = mt_mem_seam_live();
    for (uint64_t n = 1;; n++) {
        struct mt_json *root = NULL;
        struct mt_fault fault;
        struct mt_buf b;
        mt_buf_init(&b, 1000);
        mt_mem_seam_fail_at(n, 0);
        enum mt_rc rc = mt_json_parse(text, strlen(text), MAX_BYTES, &root, &fault);
        bool reached = mt_mem_seam_count() >= n;
        if (rc == MT_OK) {
            rc = mt_json_print(root, &b);
            reached = mt_mem_seam_count() >= n;
        } else {
            assert_string_equal(fault.code, "json.nomem");
        }
        mt_mem_seam_fail_at(0, 0);
        assert_int_equal(rc, reached ? MT_ERR_NOMEM : MT_OK);
        mt_json_free(root);
        mt_buf_deinit(&b);
        assert_int_equal(mt_mem_seam_live(), live);
        if (!reached) {
            assert_true(n > 10);
            break;
        }
    }
}

int test_json(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_what_is_json),
        cmocka_unit_test(refuses_what_is_not),
        cmocka_unit_test(every_cut_of_a_text_is_refused),
        cmocka_unit_test(caps_hold),
        cmocka_unit_test(long_integers_are_exact),
        cmocka_unit_test(the_mark_cannot_be_forged),
        cmocka_unit_test(what_no_c_string_holds_is_replaced),
        cmocka_unit_test(accessors_take_absence),
        cmocka_unit_test(survives_want_of_memory),
    };
    return cmocka_run_group_tests_name("codec/json", tests, NULL, NULL);
}

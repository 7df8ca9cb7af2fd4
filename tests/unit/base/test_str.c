/* Text helpers. */
#include "base/rand.h"
#include "base/str.h"
#include "tests.h"

#include <stdio.h>
#include <string.h>

static void ends_and_starts(void **state)
{
    (void)state;
    assert_true(mt_str_starts("single:bob", "single:"));
    assert_true(mt_str_starts("a", ""));
    assert_false(mt_str_starts("sing", "single:"));
    assert_true(mt_str_ends("a.jsonl", ".jsonl"));
    assert_true(mt_str_ends("a", ""));
    assert_false(mt_str_ends("sonl", ".jsonl"));
}

static void reads_integers(void **state)
{
    (void)state;
    uint64_t u = 7;
    int64_t i = 7;
    assert_true(mt_str_u64("18446744073709551615", &u) && u == UINT64_MAX);
    assert_true(mt_str_u64("0", &u) && u == 0);
    assert_true(mt_str_i64("9223372036854775807", &i) && i == INT64_MAX);
    assert_true(mt_str_i64("-9223372036854775808", &i) && i == INT64_MIN);
    assert_true(mt_str_i64("-0", &i) && i == 0);
    static const char *const bad_u[] = {"",
                                        "-1",
                                        "+1",
                                        " 1",
                                        "1 ",
                                        "1x",
                                        "0x1",
                                        "18446744073709551616",
                                        "99999999999999999999",
                                        "184467440737095516150"};
    for (size_t k = 0; k < sizeof bad_u / sizeof bad_u[0]; k++) {
        u = 7;
        assert_false(mt_str_u64(bad_u[k], &u));
        assert_int_equal(u, 7);
    }
    static const char *const bad_i[] = {"", "-", "--1", "9223372036854775808",
                                        "-9223372036854775809"};
    for (size_t k = 0; k < sizeof bad_i / sizeof bad_i[0]; k++) {
        assert_false(mt_str_i64(bad_i[k], &i));
    }
}

static void folds(void **state)
{
    (void)state;
    char s[] = "AbZ9-\xC3\x84"; /* only ASCII */
    assert_true(mt_str_fold(s));
    assert_string_equal(s, "abz9-\xC3\x84");
    assert_false(mt_str_fold(s));
}

/* UTF-8 by definition: encodes every code point and takes back only what that gave. */
static size_t encode(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xC0 | c >> 6);
        out[1] = (char)(0x80 | (c & 63));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xE0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 63));
        out[2] = (char)(0x80 | (c & 63));
        return 3;
    }
    out[0] = (char)(0xF0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 63));
    out[2] = (char)(0x80 | (c >> 6 & 63));
    out[3] = (char)(0x80 | (c & 63));
    return 4;
}

static void knows_utf8(void **state)
{
    (void)state;
    char s[4];
    for (uint32_t c = 0; c < 0x110000; c++) {
        size_t n = encode(c, s);
        bool surrogate = c >= 0xD800 && c < 0xE000;
        assert_int_equal(mt_str_utf8_step(s, n), surrogate ? 0 : n);
        for (size_t k = 0; n > 1 && k < n; k++) { /* cut off: none */
            assert_int_equal(mt_str_utf8_step(s, k), 0);
        }
    }
    static const char *const bad[] = {"\x80",
                                      "\xBF",
                                      "\xC0\x80",
                                      "\xC1\xBF",
                                      "\xE0\x80\x80",
                                      "\xE0\x9F\xBF",
                                      "\xF0\x80\x80\x80",
                                      "\xF0\x8F\xBF\xBF",
                                      "\xF4\x90\x80\x80",
                                      "\xF5\x80\x80\x80",
                                      "\xFF",
                                      "\xC3(",
                                      "\xE4\xB8(",
                                      "\xF0\x9F\x98("};
    for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
        assert_int_equal(mt_str_utf8_step(bad[k], strlen(bad[k])), 0);
        assert_false(mt_str_utf8_valid(bad[k], strlen(bad[k])));
    }
    assert_true(mt_str_utf8_valid("a你😀", strlen("a你😀")));
    assert_true(mt_str_utf8_valid("", 0));
}

static void cuts_between_characters(void **state)
{
    (void)state;
    const char *s = "a你😀b"; /* 1, 3, 4, 1 bytes */
    const size_t expected[] = {0, 1, 1, 1, 4, 4, 4, 4, 8, 9, 9};
    for (size_t max = 0; max < sizeof expected / sizeof expected[0]; max++) {
        assert_int_equal(mt_str_utf8_cut(s, strlen(s), max), expected[max]);
    }
    assert_int_equal(mt_str_utf8_cut("ab\xFF"
                                     "cd",
                                     5, 5),
                     2);
}

static void suggests(void **state)
{
    (void)state;
    static const char *const words[] = {"limit", "since", "until", "order", "cursor"};
    assert_string_equal(mt_str_nearest("limt", words, 5), "limit");
    assert_string_equal(mt_str_nearest("sicne", words, 5), "since");
    assert_string_equal(mt_str_nearest("cursors", words, 5), "cursor");
    assert_string_equal(mt_str_nearest("until", words, 5), "until");
    assert_null(mt_str_nearest("banana", words, 5));
    assert_null(mt_str_nearest("x", words, 5));
    assert_null(mt_str_nearest("", words, 5));
    assert_null(mt_str_nearest("limit", words, 0));
    char longer[200];
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    const char *const one[] = {longer};
    assert_null(mt_str_nearest(longer, one, 1)); /* no such option name exists */
}

static bool is_safe_component(const char *s)
{
    size_t len = strlen(s);
    return len > 0 && len < MT_STR_SAFE_MAX && s[0] != '.' &&
           strspn(s, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz._-%~") == len;
}

static void names_stay_in_their_directory(void **state)
{
    (void)state;
    char out[MT_STR_SAFE_MAX];
    mt_str_safe_name("bob_1.x-Y", out);
    assert_string_equal(out, "bob_1.x-Y");
    mt_str_safe_name("../etc", out);
    assert_string_equal(out, "%2E.%2Fetc");
    mt_str_safe_name(".", out);
    assert_string_equal(out, "%2E");
    mt_str_safe_name("", out);
    assert_true(is_safe_component(out));
    mt_str_safe_name("a%b~\xE4\xBD\xA0", out);
    assert_string_equal(out, "a%25b%7E%E4%BD%A0");
    /* two long names that differ only beyond the cut */
    char a[301], b[301], out_b[MT_STR_SAFE_MAX];
    memset(a, 'n', 300);
    a[300] = '\0';
    memcpy(b, a, sizeof b);
    b[299] = 'm';
    mt_str_safe_name(a, out);
    mt_str_safe_name(b, out_b);
    assert_true(is_safe_component(out) && is_safe_component(out_b));
    assert_string_not_equal(out, out_b);
    a[201] = '\0';
    mt_str_safe_name(a, out);
    assert_int_equal(strlen(out), 200 + 17);
    assert_int_equal(out[200], '~');
    a[200] = '\0';
    mt_str_safe_name(a, out);
    assert_string_equal(out, a); /* 200 bytes are kept whole */
}

static void random_names_are_safe(void **state)
{
    (void)state;
    mt_rand_seed(tests_seed("safe names"));
    for (int round = 0; round < 5000; round++) {
        char in[400], out[MT_STR_SAFE_MAX];
        size_t len = (size_t)mt_rand_below(sizeof in);
        for (size_t i = 0; i < len; i++) {
            in[i] = (char)(1 + mt_rand_below(255));
        }
        in[len] = '\0';
        memset(out, 'x', sizeof out);
        mt_str_safe_name(in, out);
        assert_true(is_safe_component(out));
    }
    mt_rand_seed(0);
}

static bool globs(const char *pattern, const char *text)
{
    return mt_str_glob(pattern, text, strlen(text), true);
}

static void matches_patterns(void **state)
{
    (void)state;
    assert_true(globs("single:bob", "single:bob") && globs("", "") && globs("*", ""));
    assert_false(globs("single:bob", "single:bobo") || globs("single:bob", "single:bo"));
    assert_true(globs("group:*", "group:") && globs("*:*", "a:b:c") && globs("**", "ab"));
    assert_false(globs("group:*", "groups:1") || globs("a*", "ba"));
    assert_true(globs("*ab*ab", "abxab") && globs("*aab", "aaab"));
    assert_false(globs("*ab*ab", "xab") || globs("ab*ba", "aba"));
    assert_true(globs("a?c", "abc") &&
                globs("a?c", "a\xC3\xA9"
                             "c") &&
                globs("*?*", "\xFF"));
    assert_false(globs("a?c", "ac") || globs("?", "") || globs("??", "\xC3\xA9"));
    assert_true(globs("*?b?*", "aabcc") && globs("*a?", "aaxab") && !globs("*a?", "aaabb"));
    assert_true(mt_str_glob("a?*", "a?b", 3, false) && !mt_str_glob("a?*", "abb", 3, false));
    assert_true(mt_str_glob("*b", "ab\0b", 4, false) && !mt_str_glob("ab", "ab\0", 3, false));
}

/* The plainest matcher there is. */
static bool slow_glob(const char *p, const char *t, size_t n)
{
    if (!*p)
        return !n;
    if (*p == '*')
        return slow_glob(p + 1, t, n) || (n && slow_glob(p, t + 1, n - 1));
    return n && (*p == '?' || *p == *t) && slow_glob(p + 1, t + 1, n - 1);
}

static void random_patterns_match_alike(void **state)
{
    unsigned met = 0;

    (void)state;
    mt_rand_seed(tests_seed("globs"));
    for (int round = 0; round < 50000; round++) {
        char pattern[9] = "", text[13] = "";
        size_t n = (size_t)mt_rand_below(sizeof pattern), len = (size_t)mt_rand_below(sizeof text);
        for (size_t i = 0; i < n; i++)
            pattern[i] = "ab*?"[mt_rand_below(4)];
        for (size_t i = 0; i < len; i++)
            text[i] = "ab"[mt_rand_below(2)];
        bool want = slow_glob(pattern, text, len);
        met += want;
        if (mt_str_glob(pattern, text, len, true) != want)
            fail_msg("'%s' and '%s'", pattern, text);
    }
    assert_true(met > 1000);
    mt_rand_seed(0);
}

int test_str(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_and_starts),
        cmocka_unit_test(reads_integers),
        cmocka_unit_test(folds),
        cmocka_unit_test(knows_utf8),
        cmocka_unit_test(cuts_between_characters),
        cmocka_unit_test(suggests),
        cmocka_unit_test(names_stay_in_their_directory),
        cmocka_unit_test(random_names_are_safe),
        cmocka_unit_test(matches_patterns),
        cmocka_unit_test(random_patterns_match_alike),
    };
    return cmocka_run_group_tests_name("base/str", tests, NULL, NULL);
}

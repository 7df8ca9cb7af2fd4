/* Dates and durations; the calendar against the C library's. */
#include "base/rand.h"
#include "base/str.h"
#include "codec/time.h"
#include "tests.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define FIRST_MS INT64_C(-62135596800000) /* 0001-01-01 */
#define LAST_MS  INT64_C(253402300799999) /* the end of 9999-12-31 */

static void formats(void **state)
{
    (void)state;
    char out[MT_TIME_RFC3339_LEN];
    mt_time_format(1700000000000, out);
    assert_string_equal(out, "2023-11-14T22:13:20.000Z");
    mt_time_format(0, out);
    assert_string_equal(out, "1970-01-01T00:00:00.000Z");
    mt_time_format(-1, out);
    assert_string_equal(out, "1969-12-31T23:59:59.999Z");
    mt_time_format(FIRST_MS, out);
    assert_string_equal(out, "0001-01-01T00:00:00.000Z");
    mt_time_format(LAST_MS, out);
    assert_string_equal(out, "9999-12-31T23:59:59.999Z");
    mt_time_format(FIRST_MS - 1, out);
    assert_string_equal(out, "");
    mt_time_format(LAST_MS + 1, out);
    assert_string_equal(out, "");
    mt_time_format(INT64_MIN, out);
    assert_string_equal(out, "");
    mt_time_format(INT64_MAX, out);
    assert_string_equal(out, "");
}

static void agrees_with_the_c_library(void **state)
{
    (void)state;
    mt_rand_seed(tests_seed("time"));
    for (int i = 0; i < 50000; i++) {
        int64_t ms = FIRST_MS + (int64_t)mt_rand_below((uint64_t)(LAST_MS - FIRST_MS));
        int64_t fraction = (ms % 1000 + 1000) % 1000;
        time_t seconds = (time_t)((ms - fraction) / 1000);
        struct tm tm;
        char expected[64], out[MT_TIME_RFC3339_LEN];
        gmtime_r(&seconds, &tm);
        snprintf(expected, sizeof expected, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
                 tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
                 (int)fraction);
        mt_time_format(ms, out);
        assert_string_equal(out, expected);
        int64_t back = 0;
        assert_int_equal(mt_time_parse(out, &back), MT_OK);
        assert_int_equal(back, ms);
    }
    mt_rand_seed(0);
}

static void parses(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {
        {"2026-01-01", 1767225600000},
        {"2026-01-01T00:00:00Z", 1767225600000},
        {"2026-01-01t00:00:00z", 1767225600000},
        {"2026-01-01 00:00:00Z", 1767225600000},
        {"2026-01-01T08:00:00+08:00", 1767225600000},
        {"2025-12-31T18:30:00-05:30", 1767225600000},
        {"2026-01-01T00:00:00.5Z", 1767225600500},
        {"2026-01-01T00:00:00.123456789Z", 1767225600123},
        {"2026-01-01T00:00:00.0009Z", 1767225600000},
        {"2016-12-31T23:59:60Z", 1483228800000},
        {"2024-02-29", 1709164800000},
        {"2000-02-29", 951782400000},
        {"1969-12-31T23:59:59.999Z", -1},
        {"0001-01-01", FIRST_MS},
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        int64_t ms = 0;
        assert_int_equal(mt_time_parse(good[i].text, &ms), MT_OK);
        assert_int_equal(ms, good[i].ms);
    }
    static const char *const bad[] = {
        "",
        "2026",
        "2026-01",
        "2026-1-1",
        "2026-13-01",
        "2026-00-01",
        "2026-01-00",
        "2026-01-32",
        "2026-02-29",
        "1900-02-29",
        "0000-01-01",
        "2026-01-01T",
        "2026-01-01T00:00",
        "2026-01-01T00:00:00",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:61Z",
        "2026-01-01T00:00:00.Z",
        "2026-01-01T00:00:00+0800",
        "2026-01-01T00:00:00+24:00",
        "2026-01-01T00:00:00+08:60",
        "2026-01-01T00:00:00Zx",
        "2026-01-01x",
        " 2026-01-01",
        "2026-01-01 ",
        "-026-01-01",
        "2026-01-01T00:00:00.5",
        "20260101",
        "90d",
        "2026/01/01",
        "2026-01-01T00:00:00+08:0",
        "２０２６-01-01",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t ms = 77;
        if (mt_time_parse(bad[i], &ms) != MT_ERR_INVALID) {
            fail_msg("accepted: %s", bad[i]);
        }
        assert_int_equal(ms, 77);
    }
}

static void parses_durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {{"500ms", 500},       {"5s", 5000},
                {"90m", 5400000},     {"12h", 43200000},
                {"90d", 7776000000},  {"2w", 1209600000},
                {"1d12h", 129600000}, {"0s", 0},
                {"1m1ms", 60001},     {"1h30m15s250ms", 5415250},
                {"007s", 7000},       {"9223372036854775807ms", INT64_MAX}};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        int64_t ms = -1;
        assert_int_equal(mt_duration_parse(good[i].text, &ms, NULL), MT_OK);
        assert_int_equal(ms, good[i].ms);
    }
    static const char *const bad[] = {"",
                                      "5",
                                      "s",
                                      "5x",
                                      "-5s",
                                      "+5s",
                                      "1.5h",
                                      "5 s",
                                      "5s ",
                                      " 5s",
                                      "1d12",
                                      "5S",
                                      "5min",
                                      "9223372036854775808ms",
                                      "9223372036854775807s",
                                      "99999999999999999999d",
                                      "9223372036854775807ms1ms",
                                      "1d,2h"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t ms = 77;
        struct mt_fault f;
        if (mt_duration_parse(bad[i], &ms, &f) != MT_ERR_INVALID) {
            fail_msg("accepted: %s", bad[i]);
        }
        assert_int_equal(ms, 77);
        assert_string_equal(f.code, "duration.invalid");
        assert_non_null(strstr(f.message, "ms, s, m, h, d or w"));
    }
}

static void parses_points(void **state)
{
    (void)state;
    int64_t ms = 0;
    struct mt_fault f;
    assert_int_equal(mt_time_parse_point("2026-01-01", 5, &ms, &f), MT_OK);
    assert_int_equal(ms, 1767225600000);
    assert_int_equal(mt_time_parse_point("1d", 1767225600000, &ms, &f), MT_OK);
    assert_int_equal(ms, 1767139200000);
    assert_int_equal(mt_time_parse_point("yesterday", 0, &ms, &f), MT_ERR_INVALID);
    assert_string_equal(f.code, "time.invalid");
    assert_true(mt_str_starts(f.message, "'yesterday' is no point in time: write RFC 3339"));
    assert_int_equal(mt_time_parse_point("9223372036854775807ms", -2, &ms, &f), MT_ERR_INVALID);
    assert_int_equal(mt_time_parse_point("", 0, &ms, NULL), MT_ERR_INVALID);
}

static void formats_durations(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {{0, "0 ms"},
                 {420, "420 ms"},
                 {999, "999 ms"},
                 {1000, "1.0 s"},
                 {12540, "12.5 s"},
                 {59999, "59.9 s"},
                 {60000, "1m 0s"},
                 {330000, "5m 30s"},
                 {12000000, "3h 20m"},
                 {86400000, "1d 0h"},
                 {273600000, "3d 4h"},
                 {-1500, "-1.5 s"},
                 {INT64_MIN, "-106751991167d 7h"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char out[MT_TIME_RFC3339_LEN];
        mt_duration_format(cases[i].ms, out);
        assert_string_equal(out, cases[i].text);
    }
}

int test_time(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats),       cmocka_unit_test(agrees_with_the_c_library),
        cmocka_unit_test(parses),        cmocka_unit_test(parses_durations),
        cmocka_unit_test(parses_points), cmocka_unit_test(formats_durations),
    };
    return cmocka_run_group_tests_name("codec/time", tests, NULL, NULL);
}

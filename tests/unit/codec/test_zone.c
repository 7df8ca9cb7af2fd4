/* Time zones, against the C library's; and files that are none. */
#include "base/fs.h"
#include "base/mem.h"
#include "base/rand.h"
#include "codec/zone.h"
#include "codec/zone_int.h"
#include "tests.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ZONES_DIR "/usr/share/zoneinfo/"

static const char *const places[] = {
    "Europe/Berlin",
    "America/New_York",
    "Asia/Shanghai",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "Africa/Monrovia",
    "America/St_Johns",
    "America/Sao_Paulo",
    "America/Scoresbysund",
    "Antarctica/Troll",
    "Asia/Kathmandu",
    "Asia/Tehran",
    "Asia/Gaza",
    "Asia/Pyongyang",
    "Europe/Dublin",
    "Europe/Amsterdam",
    "Pacific/Apia",
    "Pacific/Chatham",
    "Pacific/Kiritimati",
    "America/Godthab",
    "Etc/GMT+12",
    "Etc/UTC",
    "EST5EDT",
    "Asia/Kolkata",
};
#define PLACES_N (sizeof places / sizeof *places)

static struct mt_zone *load(const char *name)
{
    struct mt_zone *zone = NULL;
    struct mt_fault fault = {0};

    if (mt_zone_load(name, &zone, &fault))
        fail_msg("%s: %s", name, fault.message);
    return zone;
}

static void agrees_with_the_c_library(void **state)
{
    (void)state;
    mt_rand_seed(tests_seed("zone"));
    for (size_t i = 0; i < PLACES_N; i++) {
        struct mt_zone *zone = load(places[i]);
        struct mt_zone_span span;
        struct tm tm;
        setenv("TZ", places[i], 1);
        tzset();
        for (int n = 0; n < 4000; n++) {
            int64_t at = -INT64_C(2500000000) + (int64_t)mt_rand_below(INT64_C(7500000000));
            time_t asked[3] = {(time_t)at};
            mt_zone_span(zone, at, &span);
            assert_true(span.start_s <= at && at < span.end_s);
            /* and on both sides of where it begins */
            asked[1] = span.start_s == INT64_MIN ? (time_t)at : (time_t)span.start_s;
            asked[2] = span.start_s == INT64_MIN ? (time_t)at : (time_t)span.start_s - 1;
            assert_true(span.start_s == INT64_MIN || span.before_s != span.ahead_s);
            for (int k = 0; k < 3; k++) {
                assert_non_null(localtime_r(&asked[k], &tm));
                if (tm.tm_gmtoff !=
                    (k == 2 && asked[2] < span.start_s ? span.before_s : span.ahead_s))
                    fail_msg("%s at %lld: %ld", places[i], (long long)asked[k], tm.tm_gmtoff);
            }
        }
        mt_zone_free(zone);
    }
    unsetenv("TZ");
    tzset();
    mt_rand_seed(0);
}

static void utc_needs_no_file(void **state)
{
    (void)state;
    struct mt_zone *zone = load("UTC");
    struct mt_zone_span span;

    mt_zone_span(zone, INT64_MAX, &span);
    assert_true(span.start_s == INT64_MIN && span.end_s == INT64_MAX && !span.ahead_s);
    mt_zone_free(zone);
}

static void refuses_names(void **state)
{
    (void)state;
    static const char *const names[] = {"",
                                        "Europe/Berlinn",
                                        "../zoneinfo/Europe/Berlin",
                                        "/etc/passwd",
                                        "Europe",
                                        "Europe//Berlin",
                                        "Europe/",
                                        "tzdata.zi",
                                        "zone.tab",
                                        "Berlin ",
                                        "posix/./UTC"};
    struct mt_zone *zone = NULL;
    struct mt_fault fault;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_int_equal(mt_zone_load(names[i], &zone, &fault), MT_ERR_INVALID);
        assert_string_equal(fault.code, "zone.unknown");
        assert_null(zone);
    }
}

/* Every file that is cut short, and every one with a wrong byte, is refused or harmless. */
static void survives_damage(void **state)
{
    (void)state;
    char *data = NULL;
    size_t len = 0;
    struct mt_zone *zone = NULL;
    struct mt_fault fault;
    struct mt_zone_span span;

    assert_int_equal(mt_fs_read_all(ZONES_DIR "America/New_York", 1 << 20, &data, &len), 0);
    for (size_t i = 0; i < len; i++) {
        assert_int_equal(mt_zone_parse("cut", data, i, &zone, &fault), MT_ERR_DAMAGED);
        assert_string_equal(fault.code, "zone.damaged");
    }
    for (size_t i = 0; i < len; i++) {
        char kept = data[i];
        data[i] = (char)(kept ^ (1 << i % 8));
        if (!mt_zone_parse("bent", data, len, &zone, &fault)) {
            mt_zone_span(zone, 1700000000, &span);
            assert_true(span.start_s <= 1700000000 && span.end_s > 1700000000);
            mt_zone_free(zone);
        }
        data[i] = kept;
    }
    mt_mem_free(data);
}

static void reads_rules(void **state)
{
    (void)state;
    static const char *const good[] = {"UTC0",
                                       "<+0530>-5:30",
                                       "CET-1CEST,M3.5.0,M10.5.0/3",
                                       "<-03>3<-02>,M3.5.0/-2,M10.5.0/-1",
                                       "XXX3EDT4,0/0,J365/23",
                                       "IST-2IDT,M3.4.4/26,M10.5.0",
                                       "AAA12:30:15"};
    static const char *const bad[] = {"",
                                      "U0",
                                      "UTC",
                                      "UTC25",
                                      "CET-1CEST",
                                      "CET-1CEST,M3.5.0",
                                      "CET-1CEST,M13.5.0,M10.5.0",
                                      "CET-1CEST,M3.6.0,M10.5.0",
                                      "CET-1CEST,J0,J365",
                                      "CET-1CEST,366,1",
                                      "CET-1CEST,M3.5.0,M10.5.0x",
                                      "<+05-5",
                                      "CET-1CEST,M3.5.0/168,M10.5.0"};
    struct mt_zone_rule rule;
    struct mt_zone_span span;

    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(mt_zone_rule_parse(good[i], &rule));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(mt_zone_rule_parse(bad[i], &rule));
    /* summer time all year */
    assert_true(mt_zone_rule_parse("XXX3EDT4,0/0,J365/23", &rule));
    mt_zone_rule_span(&rule, 1700000000, &span);
    assert_true(span.ahead_s == -4 * 3600 && span.end_s == INT64_MAX);
}

int test_zone(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_c_library),
        cmocka_unit_test(utc_needs_no_file),
        cmocka_unit_test(refuses_names),
        cmocka_unit_test(survives_damage),
        cmocka_unit_test(reads_rules),
    };
    return cmocka_run_group_tests_name("zone", tests, NULL, NULL);
}

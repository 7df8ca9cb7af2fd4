/* Cron: what is read and what is refused, and the next time against a walk through every minute of
 * 10,000 days by the clocks of the C library. */
#include "ground.h"

#include "base/rand.h"
#include "codec/zone.h"
#include "jobs/cron.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int test_cron(void);

#define DAYS      10000
#define DAY_MIN   1440
#define STEP      15 /* minutes: between two moments with the same offset lies no change */
#define DENSE     50000
#define NEAR_DAYS 2

/* ---------------------------------------------------------------- reading */

static void reads(void **state)
{
    (void)state;
    struct mt_cron c;
    struct mt_fault fault;

    assert_int_equal(mt_cron_parse("0 3 * * *", &c, &fault), MT_OK);
    assert_true(c.minutes == 1 && c.hours == 1 << 3 && c.any_day && c.any_weekday && !c.any_hour);
    assert_int_equal(mt_cron_parse(" */20  1-5/2,23 1,15 JAN-mar,12 mon-Fri ", &c, &fault), MT_OK);
    assert_true(c.minutes == (1ull | 1ull << 20 | 1ull << 40));
    assert_true(c.hours == (1u << 1 | 1u << 3 | 1u << 5 | 1u << 23));
    assert_true(c.days == (1u << 1 | 1u << 15) && c.months == (14u | 1u << 12));
    assert_int_equal(c.weekdays, 0x3e);
    assert_false(c.any_day || c.any_weekday);
    static const struct {
        const char *text, *means;
    } same[] = {{"@daily", "0 0 * * *"},           {"@midnight", "0 0 * * *"},
                {"@hourly", "0 * * * *"},          {"@weekly", "0 0 * * sun"},
                {"@monthly", "0 0 1 * *"},         {"@yearly", "0 0 1 jan *"},
                {"0 0 * * 7", "0 0 * * 0"},        {"0 0 * * 5-7", "0 0 * * fri,sat,sun"},
                {"0 0 * * sat-sun", "0 0 * * 6,0"}};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        struct mt_cron other;
        assert_int_equal(mt_cron_parse(same[i].text, &c, &fault), MT_OK);
        assert_int_equal(mt_cron_parse(same[i].means, &other, &fault), MT_OK);
        other.weekdays |= 0; /* compared bit by bit, but for what only one of them calls 7 */
        assert_true(c.minutes == other.minutes && c.hours == other.hours && c.days == other.days &&
                    c.months == other.months && c.weekdays == other.weekdays);
    }
}

static void refuses(void **state)
{
    (void)state;
    static const struct {
        const char *text, *code, *says;
    } bad[] = {
        {"", "cron.syntax", "0 fields"},
        {"0 3 * *", "cron.syntax", "4 fields"},
        {"0 3 * * * *", "cron.syntax", "6 fields"},
        {"60 3 * * *", "cron.range", "minute '60' holds 60: it goes from 0 to 59"},
        {"0 24 * * *", "cron.range", "the hour '24'"},
        {"0 0 0 * *", "cron.range", "the day of the month '0' holds 0: it goes from 1 to 31"},
        {"0 0 1 13 *", "cron.range", "the month '13'"},
        {"0 0 * * 8", "cron.range", "the day of the week '8'"},
        {"x 0 * * *", "cron.syntax", "the minute 'x' has no names"},
        {"0 0 * jam *", "cron.syntax", "the month 'jam' holds no month"},
        {"0 0 * * monday", "cron.syntax", "the day of the week 'monday' holds no day"},
        {"0 22-5 * * *", "cron.syntax", "the hour '22-5' has a range that goes backwards"},
        {"5/10 * * * *", "cron.syntax", "has a step without a range"},
        {"*/0 * * * *", "cron.syntax", "a step that is 0"},
        {"*/60 * * * *", "cron.syntax", "beyond the field"},
        {"1,,2 * * * *", "cron.syntax", "the minute '1,,2'"},
        {"1, * * * *", "cron.syntax", "the minute '1,'"},
        {"* *x * * *", "cron.syntax", "the hour '*x'"},
        {"-1 * * * *", "cron.syntax", "the minute '-1'"},
        {"99999 * * * *", "cron.range", "minute"},
        {"@often", "cron.syntax", "there is no '@often'"},
        {"0 0 30 2 *", "cron.never", "never comes"},
        {"0 0 31 4,6,9,11 *", "cron.never", "never comes"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct mt_cron c;
        struct mt_fault fault;
        assert_int_equal(mt_cron_parse(bad[i].text, &c, &fault), MT_ERR_INVALID);
        assert_string_equal(fault.code, bad[i].code);
        if (!strstr(fault.message, bad[i].says))
            fail_msg("'%s' is refused with: %s", bad[i].text, fault.message);
    }
}

/* ---------------------------------------------------------------- known answers */

static int64_t utc(const char *text)
{
    struct tm tm = {0};

    assert_non_null(strptime(text, "%Y-%m-%d %H:%M:%S", &tm));
    return (int64_t)timegm(&tm) * 1000;
}

static void expect(const char *expression, const char *zone_name, const char *after,
                   const char *const *times)
{
    struct mt_cron c;
    struct mt_zone *zone = NULL;
    struct mt_fault fault;
    int64_t at = utc(after);

    assert_int_equal(mt_cron_parse(expression, &c, &fault), MT_OK);
    assert_int_equal(mt_zone_load(zone_name, &zone, &fault), MT_OK);
    for (; *times; times++) {
        at = mt_cron_next(&c, zone, at);
        if (at != utc(*times))
            fail_msg("%s in %s: %" PRId64 " instead of %s", expression, zone_name, at, *times);
    }
    mt_zone_free(zone);
}

#define TIMES(...) ((const char *const[]){__VA_ARGS__, NULL})

static void knows_the_clocks(void **state)
{
    (void)state;
    expect("0 3 * * *", "Asia/Shanghai", "2026-01-01 00:00:00",
           TIMES("2026-01-01 19:00:00", "2026-01-02 19:00:00"));
    /* 2026-03-29 02:00 becomes 03:00 in Berlin: 02:30 is run at once, once */
    expect("30 2 * * *", "Europe/Berlin", "2026-03-28 00:00:00",
           TIMES("2026-03-28 01:30:00", "2026-03-29 01:00:00", "2026-03-30 00:30:00"));
    expect("*/10 2 * * *", "Europe/Berlin", "2026-03-28 01:50:00",
           TIMES("2026-03-29 01:00:00", "2026-03-30 00:00:00"));
    expect("0 2,3 * * *", "Europe/Berlin", "2026-03-28 02:00:00",
           TIMES("2026-03-29 01:00:00", "2026-03-30 00:00:00"));
    /* 2026-10-25 03:00 becomes 02:00: 02:30 is run the first time only, a rhythm goes on */
    expect("30 2 * * *", "Europe/Berlin", "2026-10-24 12:00:00",
           TIMES("2026-10-25 00:30:00", "2026-10-26 01:30:00"));
    expect("30 * * * *", "Europe/Berlin", "2026-10-24 23:40:00",
           TIMES("2026-10-25 00:30:00", "2026-10-25 01:30:00", "2026-10-25 02:30:00"));
    /* half an hour, in the south */
    expect("15 2 * * *", "Australia/Lord_Howe", "2026-10-02 20:00:00",
           TIMES("2026-10-03 15:30:00", "2026-10-04 15:15:00"));
    /* Samoa left 30 December 2011 out as a whole */
    expect("0 12 30 12 *", "Pacific/Apia", "2011-01-01 00:00:00",
           TIMES("2011-12-30 10:00:00", "2012-12-29 22:00:00"));
    /* Liberia was 44 minutes and 30 seconds behind until 1972 */
    expect("0 12 * * *", "Africa/Monrovia", "1972-01-05 00:00:00",
           TIMES("1972-01-05 12:44:30", "1972-01-06 12:44:30", "1972-01-07 12:00:00"));
    expect("0 0 29 2 *", "UTC", "2097-01-01 00:00:00", TIMES("2104-02-29 00:00:00"));
    expect("0 0 13 * fri", "UTC", "2026-02-12 12:00:00", /* either field chooses */
           TIMES("2026-02-13 00:00:00", "2026-02-20 00:00:00", "2026-02-27 00:00:00",
                 "2026-03-06 00:00:00", "2026-03-13 00:00:00"));
    expect("0 0 29 2 */6", "UTC", "2026-01-01 00:00:00", /* a step chooses beside the other */
           TIMES("2032-02-29 00:00:00", "2048-02-29 00:00:00"));
    expect("* * * * *", "UTC", "2026-01-01 00:00:59", TIMES("2026-01-01 00:01:00"));
    expect("* * * * *", "UTC", "2026-01-01 00:01:00", TIMES("2026-01-01 00:02:00"));
}

static void has_an_end(void **state)
{
    (void)state;
    struct mt_cron c;
    struct mt_zone *zone = NULL;
    struct mt_fault fault;

    assert_int_equal(mt_cron_parse("@yearly", &c, &fault), MT_OK);
    assert_int_equal(mt_zone_load("Europe/Berlin", &zone, &fault), MT_OK);
    assert_true(mt_cron_next(&c, zone, INT64_MAX) == INT64_MAX);
    assert_true(mt_cron_next(&c, zone, INT64_MAX - 1) == INT64_MAX);
    assert_true(mt_cron_next(&c, zone, INT64_C(253402300799000)) == INT64_MAX);
    assert_true(mt_cron_next(&c, zone, INT64_MIN) < 0);
    mt_zone_free(zone);
}

/* ---------------------------------------------------------------- every minute of 10,000 days */

/* What the clocks of a place show, minute by minute, as the C library says. */
struct clocks {
    int64_t start_s;
    int32_t n;
    int32_t *wall; /* minutes since 1970-01-01 */
    int64_t first_day;
    int32_t days_n;
    struct tm *days;
    int32_t changes[200];
    int changes_n;
};

static int32_t shown(int64_t s)
{
    time_t t = (time_t)s;
    struct tm tm;

    assert_non_null(localtime_r(&t, &tm));
    return (int32_t)(timegm(&tm) / 60);
}

static void clocks_init(struct clocks *k, const char *zone, int64_t start_s, int days)
{
    setenv("TZ", zone, 1);
    tzset();
    k->start_s = start_s;
    k->n = days * DAY_MIN;
    k->wall = malloc(((size_t)k->n + STEP) * sizeof *k->wall);
    assert_non_null(k->wall);
    k->changes_n = 0;
    for (int32_t i = 0; i < k->n; i += STEP) {
        int32_t from = shown(start_s + (int64_t)i * 60);
        bool straight = shown(start_s + (int64_t)(i + STEP) * 60) == from + STEP;
        for (int32_t j = 0; j < STEP; j++)
            k->wall[i + j] = straight ? from + j : shown(start_s + (int64_t)(i + j) * 60);
        if (!straight && k->changes_n < 200)
            k->changes[k->changes_n++] = i;
    }
    k->first_day = start_s / 86400 - 3;
    k->days_n = days + 6;
    k->days = malloc((size_t)k->days_n * sizeof *k->days);
    assert_non_null(k->days);
    for (int32_t i = 0; i < k->days_n; i++) {
        time_t t = (time_t)((k->first_day + i) * 86400);
        assert_non_null(gmtime_r(&t, &k->days[i]));
    }
    unsetenv("TZ");
    tzset();
}

static void clocks_deinit(struct clocks *k)
{
    free(k->wall);
    free(k->days);
}

/* An expression, as sets. */
struct sets {
    char text[400];
    bool in[5][61];
    bool star[5];
    bool plain_star[5];
};

static const int least[5] = {0, 0, 1, 1, 0};
static const int most[5] = {59, 23, 31, 12, 6};

static void add_part(struct sets *s, int f, char *text, size_t cap)
{
    static const char *const months[] = {"jan", "feb", "mar", "apr", "may", "jun",
                                         "jul", "aug", "sep", "oct", "nov", "dec"};
    int span = most[f] - least[f] + 1;
    int from = least[f] + (int)mt_rand_below((uint64_t)span);
    int to = from + (int)mt_rand_below((uint64_t)(most[f] - from + 1));
    int step = 1;

    if (f == 1 && mt_rand_below(2)) /* most changes are at night */
        from = to = (int)mt_rand_below(4);
    if (mt_rand_below(2) || (f == 1 && from == to)) {
        to = from;
        if (f == 3 && mt_rand_below(2))
            snprintf(text, cap, "%s", months[from - 1]);
        else
            snprintf(text, cap, "%d", f == 4 && !from && mt_rand_below(2) ? 7 : from);
    } else if (mt_rand_below(2)) {
        snprintf(text, cap, "%d-%d", from, to);
    } else {
        step = 1 + (int)mt_rand_below((uint64_t)(f == 3 ? 5 : 6));
        snprintf(text, cap, "%d-%d/%d", from, to, step);
    }
    for (int i = from; i <= to; i += step)
        s->in[f][i] = true;
}

static void add_field(struct sets *s, int f, char *text, size_t cap)
{
    uint64_t dice = mt_rand_below(f < 2 ? 12 : 4);

    text[0] = '\0';
    if (dice == 0 || (f >= 2 && dice < 3)) {
        s->star[f] = s->plain_star[f] = true;
        snprintf(text, cap, "*");
        for (int i = least[f]; i <= most[f]; i++)
            s->in[f][i] = true;
    } else if (dice == 1) {
        int step = 2 + (int)mt_rand_below((uint64_t)(most[f] / 2));
        s->star[f] = true;
        snprintf(text, cap, "*/%d", step);
        for (int i = least[f]; i <= most[f]; i += step)
            s->in[f][i] = true;
    } else {
        for (uint64_t parts = 1 + mt_rand_below(3); parts; parts--) {
            size_t at = strlen(text);
            add_part(s, f, text + at, cap - at);
            if (parts > 1)
                strncat(text, ",", cap - strlen(text) - 1);
        }
    }
}

static void sets_init(struct sets *s)
{
    memset(s, 0, sizeof *s);
    for (int f = 0; f < 5; f++) {
        char text[64];
        add_field(s, f, text, sizeof text);
        size_t at = strlen(s->text);
        snprintf(s->text + at, sizeof s->text - at, "%s%s", f ? " " : "", text);
    }
}

static bool day_in(const struct sets *s, const struct tm *tm)
{
    bool day = s->in[2][tm->tm_mday];
    bool weekday = s->in[4][tm->tm_wday];

    return s->in[3][tm->tm_mon + 1] && (s->star[2] || s->star[4] ? day && weekday : day || weekday);
}

static bool fits(const struct sets *s, const struct clocks *k, const bool *days, int32_t wall)
{
    return days[wall / DAY_MIN - k->first_day] && s->in[1][wall / 60 % 24] && s->in[0][wall % 60];
}

/* Every minute of the real time, one after the other: the minutes at which it is due. */
static int32_t *walk(const struct sets *s, const struct clocks *k, int32_t *n)
{
    bool *days = malloc((size_t)k->days_n);
    int32_t *due = malloc((size_t)k->n * sizeof *due);
    int32_t highest = k->wall[0];

    assert_true(days && due);
    for (int32_t i = 0; i < k->days_n; i++)
        days[i] = day_in(s, &k->days[i]);
    *n = 0;
    for (int32_t i = 1; i < k->n; i++) {
        bool now = false;
        for (int32_t left_out = k->wall[i - 1] + 1; left_out < k->wall[i]; left_out++)
            now = now || fits(s, k, days, left_out);
        now = now || (fits(s, k, days, k->wall[i]) && (s->plain_star[1] || k->wall[i] > highest));
        if (k->wall[i] > highest)
            highest = k->wall[i];
        if (now)
            due[(*n)++] = i;
    }
    free(days);
    return due;
}

static bool near_a_change(const struct clocks *k, int32_t i)
{
    for (int c = 0; c < k->changes_n; c++) {
        if (abs(k->changes[c] - i) < NEAR_DAYS * DAY_MIN)
            return true;
    }
    return false;
}

static void compare_one(const char *zone_name, const struct mt_zone *zone, const struct clocks *k,
                        const struct sets *s, uint64_t *compared)
{
    struct mt_cron c;
    struct mt_fault fault;
    int32_t n = 0;

    if (mt_cron_parse(s->text, &c, &fault)) {
        assert_string_equal(fault.code, "cron.never");
        free(walk(s, k, &n));
        assert_int_equal(n, 0);
        return;
    }
    int32_t *due = walk(s, k, &n);
    for (int32_t i = 0; i < n; i++) {
        if (n > DENSE && !near_a_change(k, due[i]))
            continue;
        int64_t after_ms = (k->start_s + (i ? (int64_t)due[i - 1] * 60 : 0)) * 1000;
        int64_t want_ms = (k->start_s + (int64_t)due[i] * 60) * 1000;
        int64_t got_ms = mt_cron_next(&c, zone, after_ms);
        if (got_ms != want_ms)
            fail_msg("'%s' in %s after %" PRId64 ": %" PRId64 " instead of %" PRId64, s->text,
                     zone_name, after_ms, got_ms, want_ms);
        int64_t between_ms = after_ms + (int64_t)mt_rand_below((uint64_t)(want_ms - after_ms));
        assert_true(mt_cron_next(&c, zone, between_ms) == want_ms);
        ++*compared;
    }
    int64_t last_ms = (k->start_s + (n ? (int64_t)due[n - 1] * 60 : 0)) * 1000;
    assert_true(mt_cron_next(&c, zone, last_ms) >= (k->start_s + (int64_t)k->n * 60) * 1000);
    free(due);
}

static void agrees_with_a_walk(void **state)
{
    (void)state;
    static const char *const names[] = {"Europe/Berlin", "America/New_York", "Asia/Shanghai",
                                        "Australia/Lord_Howe", "Pacific/Auckland"};
    const char *given = getenv("MT_TEST_SEED");
    const char *many = getenv("MT_CRON_N");
    uint64_t seed = given ? strtoull(given, NULL, 10) : 1 + mt_rand_below(UINT64_MAX - 1);
    long expressions = many ? strtol(many, NULL, 10) : 25;

    mt_rand_seed(seed);
    for (size_t z = 0; z < sizeof names / sizeof *names; z++) {
        struct clocks k;
        struct mt_zone *zone = NULL;
        struct mt_fault fault;
        uint64_t compared = 0;
        /* 2012 to 2039: over the end of what the files list */
        clocks_init(&k, names[z], INT64_C(1325376000), DAYS);
        assert_int_equal(mt_zone_load(names[z], &zone, &fault), MT_OK);
        /* the C library knows the zone; the third has no changes */
        assert_true(k.changes_n >= (z == 2 ? 0 : 50));
        for (long i = 0; i < expressions; i++) {
            struct sets s;
            sets_init(&s);
            compare_one(names[z], zone, &k, &s, &compared);
        }
        printf("# %s: %d days, %ld expressions, %" PRIu64
               " times, %d changes; MT_TEST_SEED=%" PRIu64 "\n",
               names[z], DAYS, expressions, compared, k.changes_n, seed);
        assert_true(compared > 0);
        mt_zone_free(zone);
        clocks_deinit(&k);
    }
    mt_rand_seed(0);
}

/* A place and a time that the files describe otherwise: other rules, half hours. From 1973 on: no
 * zone has seconds since then, and the walk goes by whole minutes of UTC. */
static void agrees_elsewhere(void **state)
{
    (void)state;
    static const char *const names[] = {
        "Africa/Casablanca", "America/St_Johns",   "Asia/Kathmandu",   "Pacific/Apia",
        "America/Sao_Paulo", "Africa/Monrovia",    "Antarctica/Troll", "Asia/Tehran",
        "Europe/Dublin",     "America/Los_Angeles"};
    uint64_t compared = 0;

    for (size_t z = 0; z < sizeof names / sizeof *names; z++) {
        struct clocks k;
        struct mt_zone *zone = NULL;
        struct mt_fault fault;
        int64_t start_s = (int64_t)(3 * 366 + mt_rand_below(77 * 365)) * 86400;
        clocks_init(&k, names[z], start_s, 2000);
        assert_int_equal(mt_zone_load(names[z], &zone, &fault), MT_OK);
        for (int i = 0; i < 10; i++) {
            struct sets s;
            sets_init(&s);
            compare_one(names[z], zone, &k, &s, &compared);
        }
        mt_zone_free(zone);
        clocks_deinit(&k);
    }
    assert_true(compared > 0);
}

int test_cron(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads),
        cmocka_unit_test(refuses),
        cmocka_unit_test(knows_the_clocks),
        cmocka_unit_test(has_an_end),
        cmocka_unit_test(agrees_with_a_walk),
        cmocka_unit_test(agrees_elsewhere),
    };
    return cmocka_run_group_tests_name("cron", tests, NULL, NULL);
}

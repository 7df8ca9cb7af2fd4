/* The rule at the end of a zone's file: text as in POSIX's TZ, with the extension of RFC 8536 that
 * a change may be up to a week away from its day. */
#include "codec/zone_int.h"

#include "codec/time.h"

#include <string.h>

#define DAY_S  86400
#define HOUR_S 3600

/* ---------------------------------------------------------------- reading */

struct reader {
    const char *at;
    bool failed;
};

static bool take(struct reader *r, char c)
{
    if (*r->at != c)
        return false;
    r->at++;
    return true;
}

static int take_number(struct reader *r, int least, int most)
{
    int value = 0;
    int digits = 0;

    for (; *r->at >= '0' && *r->at <= '9' && digits < 4; digits++)
        value = value * 10 + (*r->at++ - '0');
    r->failed = r->failed || !digits || value < least || value > most;
    return value;
}

/* hh[:mm[:ss]] with a sign. */
static int32_t take_time(struct reader *r, int hours_max)
{
    int sign = take(r, '-') ? -1 : 1;

    if (sign > 0)
        (void)take(r, '+');
    int32_t s = take_number(r, 0, hours_max) * HOUR_S;
    if (take(r, ':')) {
        s += take_number(r, 0, 59) * 60;
        if (take(r, ':'))
            s += take_number(r, 0, 59);
    }
    return sign * s;
}

static bool letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* What people call it: three letters or more, or anything plain between < and >. */
static void take_name(struct reader *r)
{
    size_t n = 0;
    bool quoted = take(r, '<');

    while (letter(*r->at) ||
           (quoted && ((*r->at >= '0' && *r->at <= '9') || *r->at == '+' || *r->at == '-'))) {
        r->at++;
        n++;
    }
    r->failed = r->failed || n < 3 || (quoted && !take(r, '>'));
}

static void take_day(struct reader *r, struct mt_zone_day *out)
{
    memset(out, 0, sizeof *out);
    out->at_s = 2 * HOUR_S;
    if (take(r, 'M')) {
        out->kind = MT_ZONE_WEEKDAY;
        out->month = take_number(r, 1, 12);
        r->failed = r->failed || !take(r, '.');
        out->week = take_number(r, 1, 5);
        r->failed = r->failed || !take(r, '.');
        out->day = take_number(r, 0, 6);
    } else if (take(r, 'J')) {
        out->kind = MT_ZONE_JULIAN;
        out->day = take_number(r, 1, 365);
    } else {
        out->kind = MT_ZONE_NTH;
        out->day = take_number(r, 0, 365);
    }
    if (take(r, '/'))
        out->at_s = take_time(r, 167);
}

bool mt_zone_rule_parse(const char *text, struct mt_zone_rule *out)
{
    struct reader r = {text, false};

    memset(out, 0, sizeof *out);
    take_name(&r);
    out->standard_s = -take_time(&r, 24);
    if (!r.failed && *r.at) {
        out->changes = true;
        take_name(&r);
        out->summer_s = out->standard_s + HOUR_S;
        if (*r.at && *r.at != ',')
            out->summer_s = -take_time(&r, 24);
        r.failed = r.failed || !take(&r, ',');
        take_day(&r, &out->to_summer);
        r.failed = r.failed || !take(&r, ',');
        take_day(&r, &out->to_standard);
    }
    return !r.failed && !*r.at;
}

/* ---------------------------------------------------------------- computing */

static bool leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int64_t weekday_of(const struct mt_zone_day *day, int64_t year)
{
    int64_t first = mt_days_of_date(year, day->month, 1);
    int64_t next = day->month == 12 ? mt_days_of_date(year + 1, 1, 1)
                                    : mt_days_of_date(year, day->month + 1, 1);
    int64_t weekday = ((first + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday */
    int64_t at = first + (day->day - weekday + 7) % 7 + INT64_C(7) * (day->week - 1);

    while (at >= next)
        at -= 7;
    return at;
}

/* When it is, on clocks that are ahead_s ahead. */
static int64_t change_s(const struct mt_zone_day *day, int64_t year, int32_t ahead_s)
{
    int64_t days = 0;

    if (day->kind == MT_ZONE_WEEKDAY)
        days = weekday_of(day, year);
    else
        days = mt_days_of_date(year, 1, 1) + day->day;
    if (day->kind == MT_ZONE_JULIAN && !(leap(year) && day->day >= 60))
        days--;
    return days * DAY_S + day->at_s - ahead_s;
}

struct change {
    int64_t at_s;
    int32_t to_s;
};

void mt_zone_rule_span(const struct mt_zone_rule *rule, int64_t time_s, struct mt_zone_span *out)
{
    struct change changes[10];
    size_t n = 0;
    int year = 0;
    int month = 0;
    int day = 0;

    *out = (struct mt_zone_span){INT64_MIN, INT64_MAX, rule->standard_s, rule->standard_s};
    if (!rule->changes || rule->standard_s == rule->summer_s)
        return;
    mt_date_of_days(time_s >= 0 ? time_s / DAY_S : -((-time_s + DAY_S - 1) / DAY_S), &year, &month,
                    &day);
    for (int64_t y = year - 2; y <= year + 2; y++) {
        changes[n++] =
            (struct change){change_s(&rule->to_summer, y, rule->standard_s), rule->summer_s};
        changes[n++] =
            (struct change){change_s(&rule->to_standard, y, rule->summer_s), rule->standard_s};
    }
    for (size_t i = 1; i < n; i++) { /* in the south the year begins with summer */
        struct change moved = changes[i];
        size_t at = i;
        for (; at && changes[at - 1].at_s > moved.at_s; at--)
            changes[at] = changes[at - 1];
        changes[at] = moved;
    }
    /* What changes nothing (summer time all year) is no change. The last of them is only there to
     * be looked at by the one in front. */
    for (size_t i = 0; i + 1 < n; i++) {
        if (changes[i + 1].at_s == changes[i].at_s || changes[i].to_s == out->ahead_s)
            continue;
        if (changes[i].at_s > time_s) {
            out->end_s = changes[i].at_s;
            break;
        }
        out->before_s = out->ahead_s;
        out->start_s = changes[i].at_s;
        out->ahead_s = changes[i].to_s;
    }
}

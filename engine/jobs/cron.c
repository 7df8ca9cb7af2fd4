/* Cron: reading five fields, and the next time in a zone. */
#include "jobs/cron.h"

#include "codec/time.h"
#include "codec/zone.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define TEXT_MAX   256
#define DAY_MIN    1440
#define LAST_MIN   INT64_C(4223371680) /* the end of 9999 */
#define FIRST_MS   INT64_C(-62135596800000)
#define YEARS_MOST 50 /* 29 February on a given day of the week: 40 years, over a century */

/* ---------------------------------------------------------------- reading */

struct field {
    const char *name;
    unsigned least, most;
    const char *const *names; /* of least and what follows */
    size_t names_n;
};

static const char *const month_names[] = {"jan", "feb", "mar", "apr", "may", "jun",
                                          "jul", "aug", "sep", "oct", "nov", "dec"};
static const char *const weekday_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};
static const struct field fields[5] = {
    {"minute", 0, 59, NULL, 0},
    {"hour", 0, 23, NULL, 0},
    {"day of the month", 1, 31, NULL, 0},
    {"month", 1, 12, month_names, 12},
    {"day of the week", 0, 7, weekday_names, 7},
};
static const struct {
    const char *name;
    const char *means;
} shorts[] = {
    {"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"},
    {"@weekly", "0 0 * * 0"}, {"@daily", "0 0 * * *"},    {"@midnight", "0 0 * * *"},
    {"@hourly", "0 * * * *"},
};

/* One field while it is read. */
struct reader {
    const struct field *field;
    const char *at;
    char whole[TEXT_MAX];
    uint64_t bits;
    struct mt_fault *fault;
};

static enum mt_rc wrong(const struct reader *r, const char *why)
{
    return mt_fault_set(r->fault, MT_ERR_INVALID, "cron.syntax", "cron: the %s '%.60s' %s",
                        r->field->name, r->whole, why);
}

static bool letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static enum mt_rc take_name(struct reader *r, unsigned *out)
{
    size_t len = 0;

    while (letter(r->at[len]))
        len++;
    for (size_t i = 0; i < r->field->names_n; i++) {
        if (len == 3 && !strncasecmp(r->at, r->field->names[i], 3)) {
            r->at += 3;
            *out = r->field->least + (unsigned)i;
            return MT_OK;
        }
    }
    return wrong(r, !r->field->names_n         ? "has no names: write a number"
                    : r->field->names_n == 12u ? "holds no month: they are jan to dec"
                                               : "holds no day: they are sun to sat");
}

static enum mt_rc take_number(struct reader *r, unsigned *out)
{
    size_t digits = 0;

    *out = 0;
    for (; *r->at >= '0' && *r->at <= '9' && digits < 4; digits++)
        *out = *out * 10 + (unsigned)(*r->at++ - '0');
    return digits ? MT_OK : wrong(r, "is not written as in 5, 1-5, 1,3,5, * or */10");
}

static enum mt_rc take_value(struct reader *r, unsigned *out)
{
    enum mt_rc rc = letter(*r->at) ? take_name(r, out) : take_number(r, out);

    if (!rc && (*out < r->field->least || *out > r->field->most))
        return mt_fault_set(r->fault, MT_ERR_INVALID, "cron.range",
                            "cron: the %s '%.60s' holds %u: it goes from %u to %u", r->field->name,
                            r->whole, *out, r->field->least, r->field->most);
    return rc;
}

/* One part of a list: a value, a range, *, each of the last two with a step. */
static enum mt_rc take_part(struct reader *r)
{
    unsigned from = r->field->least;
    unsigned to = r->field->most;
    unsigned step = 1;
    bool one = false;
    enum mt_rc rc = MT_OK;

    if (*r->at == '*') {
        r->at++;
        to = r->field->most == 7 ? 6 : to;
    } else {
        rc = take_value(r, &from);
        one = !rc && *r->at != '-';
        to = from;
        if (!rc && !one) {
            r->at++;
            rc = take_value(r, &to);
            if (!rc && from && to == 0 && r->field->most == 7)
                to = 7; /* mon-sun */
        }
    }
    if (!rc && to < from)
        return wrong(r, "has a range that goes backwards: write two, as in 22-23,0-5");
    if (!rc && *r->at == '/') {
        if (one)
            return wrong(r, "has a step without a range: write 5-59/10, or */10");
        r->at++;
        rc = take_number(r, &step);
        if (!rc && (!step || step > r->field->most))
            return wrong(r, "has a step that is 0 or beyond the field");
    }
    for (unsigned i = from; !rc && i <= to; i += step)
        r->bits |= UINT64_C(1) << i;
    return rc;
}

static enum mt_rc take_field(const struct field *field, const char *text, uint64_t *bits,
                             struct mt_fault *fault)
{
    struct reader r = {field, text, "", 0, fault};
    enum mt_rc rc = MT_OK;

    snprintf(r.whole, sizeof r.whole, "%s", text);
    do {
        r.at += r.at != text; /* the comma */
        rc = take_part(&r);
    } while (!rc && *r.at == ',');
    if (!rc && *r.at)
        rc = wrong(&r, "is not written as in 5, 1-5, 1,3,5, * or */10");
    *bits = r.bits;
    return rc;
}

/* Fields between white space, into words; how many there are. */
static size_t split(char *text, char *words[5])
{
    size_t n = 0;

    for (char *at = text; *at;) {
        while (*at == ' ' || *at == '\t')
            *at++ = '\0';
        if (*at && n < 5)
            words[n] = at;
        n += *at != '\0';
        while (*at && *at != ' ' && *at != '\t')
            at++;
    }
    return n;
}

/* Whether some year has such a day. */
static bool happens(const struct mt_cron *cron)
{
    static const unsigned char most[] = {0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    if (!cron->any_weekday)
        return !cron->any_day || cron->weekdays;
    for (unsigned month = 1; month <= 12; month++) {
        uint32_t there = (uint32_t)((UINT64_C(2) << most[month]) - 2);
        if ((cron->months >> month & 1) && (cron->days & there))
            return true;
    }
    return false;
}

enum mt_rc mt_cron_parse(const char *text, struct mt_cron *out, struct mt_fault *fault)
{
    char copy[TEXT_MAX];
    char *words[5] = {NULL};
    uint64_t bits[5] = {0};
    enum mt_rc rc = MT_OK;

    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < sizeof shorts / sizeof *shorts; i++) {
        if (!strcmp(text, shorts[i].name))
            text = shorts[i].means;
    }
    if (text[0] == '@')
        return mt_fault_set(fault, MT_ERR_INVALID, "cron.syntax",
                            "cron: there is no '%.40s': there are @yearly, @monthly, @weekly, "
                            "@daily and @hourly",
                            text);
    if (strlen(text) >= sizeof copy)
        return mt_fault_set(fault, MT_ERR_INVALID, "cron.syntax", "cron: longer than %d bytes",
                            TEXT_MAX - 1);
    snprintf(copy, sizeof copy, "%s", text);
    size_t n = split(copy, words);
    if (n != 5)
        return mt_fault_set(fault, MT_ERR_INVALID, "cron.syntax",
                            "cron: '%.60s' has %zu fields, not five: minute, hour, day of the "
                            "month, month, day of the week",
                            text, n);
    for (size_t i = 0; !rc && i < 5; i++)
        rc = take_field(&fields[i], words[i], &bits[i], fault);
    if (rc)
        return rc;
    out->minutes = bits[0];
    out->hours = (uint32_t)bits[1];
    out->days = (uint32_t)bits[2];
    out->months = (uint32_t)bits[3];
    out->weekdays = (uint32_t)((bits[4] | bits[4] >> 7) & 0x7f);
    out->any_hour = !strcmp(words[1], "*");
    out->any_day = words[2][0] == '*';
    out->any_weekday = words[4][0] == '*';
    if (!happens(out))
        return mt_fault_set(fault, MT_ERR_INVALID, "cron.never",
                            "cron: '%.60s' never comes: no year has such a day", text);
    return MT_OK;
}

/* ---------------------------------------------------------------- what clocks show */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static bool day_fits(const struct mt_cron *cron, int64_t days, int day)
{
    bool by_day = cron->days >> day & 1;
    bool by_weekday = cron->weekdays >> (((days + 4) % 7 + 7) % 7) & 1; /* day 0: a Thursday */

    return cron->any_day || cron->any_weekday ? by_day && by_weekday : by_day || by_weekday;
}

/* The first minute of a day, from the given one on, that fits; -1: none. */
static int minute_of_day(const struct mt_cron *cron, int from)
{
    for (int hour = from / 60; hour < 24; hour++) {
        if (!(cron->hours >> hour & 1))
            continue;
        for (int minute = hour == from / 60 ? from % 60 : 0; minute < 60; minute++) {
            if (cron->minutes >> minute & 1)
                return hour * 60 + minute;
        }
    }
    return -1;
}

/* The first minute that fits, of those that a clock shows from `from` to below `end`, both counted
 * since 1970-01-01; INT64_MAX: none. */
static int64_t wall_next(const struct mt_cron *cron, int64_t from, int64_t end)
{
    int64_t days = floor_div(from, DAY_MIN);
    int64_t last = floor_div(end - 1, DAY_MIN);
    int first = (int)(from - days * DAY_MIN);
    int year = 0;
    int month = 0;
    int day = 0;

    for (; days <= last; days++, first = 0) {
        mt_date_of_days(days, &year, &month, &day);
        if (!(cron->months >> month & 1)) { /* to the day in front of the next month */
            days = (month == 12 ? mt_days_of_date(year + 1, 1, 1)
                                : mt_days_of_date(year, month + 1, 1)) -
                   1;
            continue;
        }
        int minute = day_fits(cron, days, day) ? minute_of_day(cron, first) : -1;
        if (minute >= 0)
            return days * DAY_MIN + minute < end ? days * DAY_MIN + minute : INT64_MAX;
    }
    return INT64_MAX;
}

/* ---------------------------------------------------------------- the next time */

static int64_t up(int64_t s)
{
    return -floor_div(-s, 60);
}

/* Within a span, not before from_s; INT64_MAX: nothing up to its end or to limit_s. */
static int64_t next_in(const struct mt_cron *cron, const struct mt_zone_span *span, int64_t from_s,
                       int64_t limit_s)
{
    int64_t end_s = span->end_s < limit_s ? span->end_s : limit_s;
    int64_t from = up(from_s + span->ahead_s);

    if (span->start_s != INT64_MIN) {
        int64_t shown = up(span->start_s + span->before_s); /* up to here, by the clocks before */
        int64_t begin = up(span->start_s + span->ahead_s);
        if (begin > shown && from_s <= span->start_s && wall_next(cron, shown, begin) != INT64_MAX)
            return span->start_s; /* what was left out */
        if (begin < shown && from < shown && !cron->any_hour)
            from = shown; /* it was there before */
    }
    int64_t end = up(end_s + span->ahead_s);
    int64_t wall = from < end ? wall_next(cron, from, end) : INT64_MAX;
    return wall == INT64_MAX ? INT64_MAX : wall * 60 - span->ahead_s;
}

int64_t mt_cron_next(const struct mt_cron *cron, const struct mt_zone *zone, int64_t after_ms)
{
    struct mt_zone_span span;

    if (after_ms < FIRST_MS)
        after_ms = FIRST_MS;
    int64_t from_s = floor_div(after_ms, 1000) + 1;
    int64_t limit_s = from_s + (int64_t)YEARS_MOST * 366 * 86400;
    if (limit_s > LAST_MIN * 60)
        limit_s = LAST_MIN * 60;
    while (from_s < limit_s) {
        mt_zone_span(zone, from_s, &span);
        int64_t found_s = next_in(cron, &span, from_s, limit_s);
        if (found_s != INT64_MAX)
            return found_s * 1000;
        if (span.end_s == INT64_MAX)
            break;
        from_s = span.end_s;
    }
    return INT64_MAX;
}

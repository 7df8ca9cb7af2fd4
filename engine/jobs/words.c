/* A schedule in words. Of cron only what people write most becomes a sentence; the rest is told as
 * it was written, which is never wrong. */
#include "jobs/words.h"

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define LIST_MAX 6
#define PART_MAX 160

struct fields {
    char minute[40], hour[40], day[40], month[40], weekday[40];
};

static bool split(const char *cron, struct fields *f)
{
    static const char *const names[][2] = {{"@hourly", "0 * * * *"},   {"@daily", "0 0 * * *"},
                                           {"@midnight", "0 0 * * *"}, {"@weekly", "0 0 * * 0"},
                                           {"@monthly", "0 0 1 * *"},  {"@yearly", "0 0 1 1 *"},
                                           {"@annually", "0 0 1 1 *"}};
    char *const out[] = {f->minute, f->hour, f->day, f->month, f->weekday};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!strcmp(cron, names[i][0]))
            cron = names[i][1];
    }
    for (int i = 0; i < 5; i++) {
        cron += strspn(cron, " \t");
        size_t len = strcspn(cron, " \t");
        if (!len || len >= sizeof f->minute)
            return false;
        memcpy(out[i], cron, len);
        out[i][len] = '\0';
        cron += len;
    }
    return !cron[strspn(cron, " \t")];
}

static bool is_any(const char *field)
{
    return !strcmp(field, "*");
}

/* A number, or "*" followed by "/n" (as -n); false: it is neither. */
static bool number(const char *field, int *out)
{
    uint64_t value = 0;
    bool step = mt_str_starts(field, "*/");

    if (strlen(field) > 4 || !mt_str_u64(step ? field + 2 : field, &value) || value > 99)
        return false;
    *out = step ? -(int)value : (int)value;
    return true;
}

/* "1,15" or "3" into numbers; 0: it is no such list. */
static size_t list(const char *field, int out[LIST_MAX])
{
    char part[8];
    size_t n = 0;

    for (;;) {
        size_t len = strcspn(field, ",");
        if (n == LIST_MAX || !len || len >= sizeof part)
            return 0;
        memcpy(part, field, len);
        part[len] = '\0';
        if (!number(part, &out[n]) || out[n] < 0)
            return 0;
        n++;
        if (!field[len])
            return n;
        field += len + 1;
    }
}

static void add(char *out, size_t cap, size_t i, size_t n, const char *what)
{
    size_t len = strlen(out);
    snprintf(out + len, cap - len, "%s%s", !i ? "" : i + 1 == n ? " and " : ", ", what);
}

static bool range(const char *field, int *from, int *to)
{
    char first[8];
    const char *dash = strchr(field, '-');
    size_t len = dash ? (size_t)(dash - field) : 0;

    if (!len || len >= sizeof first)
        return false;
    memcpy(first, field, len);
    first[len] = '\0';
    return number(first, from) && number(dash + 1, to) && *from >= 0 && *to >= 0;
}

/* "at 03:00", "every 10 minutes"; *daily: it wants to be told on which days. */
static bool time_words(const struct fields *f, char *out, size_t cap, bool *daily)
{
    int minute = 0;
    int hour = 0;
    int from = 0;
    int to = 0;
    int hours[LIST_MAX];
    char word[16];

    *daily = false;
    if (is_any(f->minute) && is_any(f->hour))
        return snprintf(out, cap, "every minute") > 0;
    if (!number(f->minute, &minute))
        return false;
    if (minute < 0 && is_any(f->hour))
        return snprintf(out, cap, "every %d minutes", -minute) > 0;
    if (minute < 0 && range(f->hour, &from, &to))
        return snprintf(out, cap, "every %d minutes from %02d:00 to %02d:59", -minute, from, to) >
               0;
    if (minute < 0)
        return false;
    if (is_any(f->hour))
        return snprintf(out, cap, minute ? "every hour, %d minutes past" : "every hour", minute) >
               0;
    if (range(f->hour, &from, &to))
        return snprintf(out, cap, "every hour from %02d:%02d to %02d:%02d", from, minute, to,
                        minute) > 0;
    if (number(f->hour, &hour) && hour < 0)
        return snprintf(out, cap, "every %d hours, %d minutes past", -hour, minute) > 0;
    size_t n = list(f->hour, hours);
    snprintf(out, cap, "at ");
    for (size_t i = 0; i < n; i++) {
        snprintf(word, sizeof word, "%02d:%02d", hours[i], minute);
        add(out, cap, i, n, word);
    }
    *daily = n > 0;
    return n > 0;
}

static const char *name_of(const char *word, size_t len, const char *const *names, int first,
                           int names_n)
{
    char text[8];
    int value = 0;

    if (len >= sizeof text)
        return NULL;
    memcpy(text, word, len);
    text[len] = '\0';
    if (number(text, &value) && value >= first && value < first + names_n)
        return names[value - first];
    for (int i = 0; i < names_n; i++) {
        if (len == 3 && !strncasecmp(text, names[i], 3))
            return names[i];
    }
    return NULL;
}

/* "mon-fri", "1,3,5", "jan" */
static bool names_words(const char *field, const char *const *names, int first, int names_n,
                        char *out, size_t cap)
{
    size_t n = 1;
    size_t i = 0;

    for (const char *p = field; *p; p++)
        n += *p == ',';
    out[0] = '\0';
    for (const char *at = field; i < n; i++) {
        size_t len = strcspn(at, ",");
        size_t half = strcspn(at, ",-");
        char word[40];
        const char *from = name_of(at, half, names, first, names_n);
        const char *to =
            half < len ? name_of(at + half + 1, len - half - 1, names, first, names_n) : from;
        if (!from || !to)
            return false;
        snprintf(word, sizeof word, half < len ? "%s to %s" : "%s", from, to);
        add(out, cap, i, n, word);
        at += len + (at[len] == ',');
    }
    return true;
}

static bool day_words(const struct fields *f, bool daily, char *out, size_t cap)
{
    static const char *const weekdays[] = {"Sunday",   "Monday", "Tuesday",  "Wednesday",
                                           "Thursday", "Friday", "Saturday", "Sunday"};
    static const char *const months[] = {"January",   "February", "March",    "April",
                                         "May",       "June",     "July",     "August",
                                         "September", "October",  "November", "December"};
    char part[PART_MAX];
    int days[LIST_MAX];
    size_t days_n = list(f->day, days);

    out[0] = '\0';
    if (is_any(f->day) && is_any(f->weekday)) {
        if (daily)
            snprintf(out, cap, "every day ");
    } else if (is_any(f->day)) {
        if (!names_words(f->weekday, weekdays, 0, 8, part, sizeof part))
            return false;
        snprintf(out, cap, "on %s ", part);
    } else if (is_any(f->weekday) && days_n) {
        part[0] = '\0';
        for (size_t i = 0; i < days_n; i++) {
            char word[8];
            snprintf(word, sizeof word, "%d", days[i]);
            add(part, sizeof part, i, days_n, word);
        }
        snprintf(out, cap, "on day %s of the month ", part);
    } else {
        return false; /* either of both: nobody reads that right */
    }
    if (is_any(f->month))
        return true;
    if (!names_words(f->month, months, 1, 12, part, sizeof part))
        return false;
    size_t len = strlen(out);
    snprintf(out + len, cap - len, "in %s ", part);
    return true;
}

void mt_schedule_words(const char *cron, const char *every, const char *timezone, char *out,
                       size_t cap)
{
    struct fields fields;
    char days[2 * PART_MAX];
    char times[PART_MAX];
    bool daily = false;

    if (!cron)
        snprintf(out, cap, "every %s", every ? every : "");
    else if (split(cron, &fields) && time_words(&fields, times, sizeof times, &daily) &&
             day_words(&fields, daily, days, sizeof days))
        snprintf(out, cap, "%s%s, %s", days, times, timezone ? timezone : "UTC");
    else
        snprintf(out, cap, "cron %s, %s", cron, timezone ? timezone : "UTC");
}

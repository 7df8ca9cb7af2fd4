/* Dates and durations. The calendar is computed here (proleptic Gregorian, UTC): an export formats
 * millions of times, and no environment (TZ, locale) may change what is written. */
#include "codec/time.h"

#include "base/str.h"

#include <stdio.h>
#include <string.h>

#define DAY_MS     ((int64_t)86400000)
#define FIRST_DAY  (-719162) /* 0001-01-01 */
#define LAST_DAY   2932896   /* 9999-12-31 */
#define POINT_HELP "RFC 3339 (2026-01-31T08:00:00Z), a date (2026-01-31) or an age (90d, 12h)"

/* Days since 1970-01-01 of a date, and back: years are counted from March, so that the leap day is
 * the last. */
int64_t mt_days_of_date(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

void mt_date_of_days(int64_t days, int *year, int *month, int *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t of_era = days - era * 146097;
    int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * y + y / 4 - y / 100);
    int64_t m = (5 * of_year + 2) / 153;
    *day = (int)(of_year - (153 * m + 2) / 5 + 1);
    *month = (int)(m < 10 ? m + 3 : m - 9);
    *year = (int)(y + era * 400 + (*month <= 2));
}

static char *put_digits(char *at, int value, int width)
{
    for (int i = width - 1; i >= 0; i--) {
        at[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return at + width;
}

void mt_time_format(int64_t ms, char out[MT_TIME_RFC3339_LEN])
{
    int64_t days = ms / DAY_MS;
    int64_t of_day = ms % DAY_MS;
    if (of_day < 0) {
        of_day += DAY_MS;
        days--;
    }
    if (days < FIRST_DAY || days > LAST_DAY) {
        out[0] = '\0';
        return;
    }
    int year = 0, month = 0, day = 0;
    mt_date_of_days(days, &year, &month, &day);
    int second = (int)(of_day / 1000);
    char *at = put_digits(out, year, 4);
    *at++ = '-';
    at = put_digits(at, month, 2);
    *at++ = '-';
    at = put_digits(at, day, 2);
    *at++ = 'T';
    at = put_digits(at, second / 3600, 2);
    *at++ = ':';
    at = put_digits(at, second / 60 % 60, 2);
    *at++ = ':';
    at = put_digits(at, second % 60, 2);
    *at++ = '.';
    at = put_digits(at, (int)(of_day % 1000), 3);
    *at++ = 'Z';
    *at = '\0';
}

/* Reads exactly width digits; moves *at past them. */
static bool take_digits(const char **at, int width, int *out)
{
    int value = 0;
    for (int i = 0; i < width; i++) {
        unsigned digit = (unsigned)(unsigned char)(*at)[i] - '0';
        if (digit > 9) {
            return false;
        }
        value = value * 10 + (int)digit;
    }
    *at += width;
    *out = value;
    return true;
}

static bool take_char(const char **at, char c)
{
    bool there = **at == c;
    *at += there;
    return there;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

static bool take_date(const char **at, int64_t *days)
{
    int year = 0, month = 0, day = 0;
    if (!take_digits(at, 4, &year) || !take_char(at, '-') || !take_digits(at, 2, &month) ||
        !take_char(at, '-') || !take_digits(at, 2, &day)) {
        return false;
    }
    if (year < 1 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month)) {
        return false;
    }
    *days = mt_days_of_date(year, month, day);
    return true;
}

static bool take_clock(const char **at, int64_t *ms)
{
    int hour = 0, minute = 0, second = 0;
    if (!take_digits(at, 2, &hour) || !take_char(at, ':') || !take_digits(at, 2, &minute) ||
        !take_char(at, ':') || !take_digits(at, 2, &second)) {
        return false;
    }
    if (hour > 23 || minute > 59 || second > 60) { /* 60: a leap second, read as the next second */
        return false;
    }
    *ms = (int64_t)(hour * 3600 + minute * 60 + second) * 1000;
    if (take_char(at, '.')) {
        int weight = 100;
        int digit = 0;
        if (!take_digits(at, 1, &digit)) {
            return false;
        }
        do {
            *ms += (int64_t)digit * weight;
            weight /= 10; /* beyond milliseconds digits are read and count for nothing */
        } while (take_digits(at, 1, &digit));
    }
    return true;
}

static bool take_offset(const char **at, int64_t *ms)
{
    *ms = 0;
    if (take_char(at, 'Z') || take_char(at, 'z')) {
        return true;
    }
    bool negative = **at == '-';
    if (!take_char(at, '+') && !take_char(at, '-')) {
        return false;
    }
    int hour = 0, minute = 0;
    if (!take_digits(at, 2, &hour) || !take_char(at, ':') || !take_digits(at, 2, &minute) ||
        hour > 23 || minute > 59) {
        return false;
    }
    *ms = (int64_t)(hour * 60 + minute) * 60000 * (negative ? -1 : 1);
    return true;
}

enum mt_rc mt_time_parse(const char *text, int64_t *ms)
{
    const char *at = text;
    int64_t days = 0, of_day = 0, offset = 0;
    if (!take_date(&at, &days)) {
        return MT_ERR_INVALID;
    }
    if (*at != '\0') {
        if (!take_char(&at, 'T') && !take_char(&at, 't') && !take_char(&at, ' ')) {
            return MT_ERR_INVALID;
        }
        if (!take_clock(&at, &of_day) || !take_offset(&at, &offset) || *at != '\0') {
            return MT_ERR_INVALID;
        }
    }
    *ms = days * DAY_MS + of_day - offset;
    return MT_OK;
}

struct unit {
    const char *name;
    int64_t ms;
};

/* The longer name first where one begins another. */
static const struct unit units[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", DAY_MS}, {"w", 7 * DAY_MS},
};

/* One "12h" at *at. */
static bool take_duration(const char **at, int64_t *ms)
{
    const char *p = *at;
    int64_t n = 0;
    int digit = 0;
    if (!take_digits(&p, 1, &digit)) {
        return false;
    }
    do {
        if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, digit, &n)) {
            return false;
        }
    } while (take_digits(&p, 1, &digit));
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (mt_str_starts(p, units[i].name)) {
            *at = p + strlen(units[i].name);
            return !__builtin_mul_overflow(n, units[i].ms, &n) &&
                   !__builtin_add_overflow(*ms, n, ms);
        }
    }
    return false;
}

enum mt_rc mt_duration_parse(const char *text, int64_t *ms, struct mt_fault *fault)
{
    const char *at = text;
    int64_t sum = 0;
    bool good = true;
    do {
        good = take_duration(&at, &sum);
    } while (good && *at != '\0');
    if (!good) {
        return mt_fault_set(fault, MT_ERR_INVALID, "duration.invalid",
                            "'%.60s' is no duration: write a whole number with its unit, ms, s, m, "
                            "h, d or w, such as 500ms, 90m or 1d12h",
                            text);
    }
    *ms = sum;
    return MT_OK;
}

enum mt_rc mt_time_parse_point(const char *text, int64_t now_ms, int64_t *ms,
                               struct mt_fault *fault)
{
    int64_t age = 0;
    if (mt_time_parse(text, ms) == MT_OK) {
        return MT_OK;
    }
    if (mt_duration_parse(text, &age, NULL) == MT_OK && !__builtin_sub_overflow(now_ms, age, ms)) {
        return MT_OK;
    }
    return mt_fault_set(fault, MT_ERR_INVALID, "time.invalid",
                        "'%.60s' is no point in time: write " POINT_HELP, text);
}

void mt_duration_format(int64_t ms, char out[MT_TIME_RFC3339_LEN])
{
    const char *sign = ms < 0 ? "-" : "";
    uint64_t n = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;
    unsigned long long s = n / 1000;
    if (n < 1000) {
        snprintf(out, MT_TIME_RFC3339_LEN, "%s%llu ms", sign, (unsigned long long)n);
    } else if (s < 60) {
        snprintf(out, MT_TIME_RFC3339_LEN, "%s%llu.%llu s", sign, s,
                 (unsigned long long)(n % 1000 / 100));
    } else if (s < 3600) {
        snprintf(out, MT_TIME_RFC3339_LEN, "%s%llum %llus", sign, s / 60, s % 60);
    } else if (s < 86400) {
        snprintf(out, MT_TIME_RFC3339_LEN, "%s%lluh %llum", sign, s / 3600, s / 60 % 60);
    } else {
        snprintf(out, MT_TIME_RFC3339_LEN, "%s%llud %lluh", sign, s / 86400, s / 3600 % 24);
    }
}

/* What the headers of an answer say about time, and how long to wait when they say nothing. */
#include "base/rand.h"
#include "http/http_int.h"

#include <ctype.h>
#include <string.h>

int64_t backoff_ms(unsigned n)
{
    int64_t top = n < 6 ? INT64_C(1000) << n : HTTP_BACKOFF_CAP_MS;
    return (int64_t)mt_rand_below((uint64_t)top + 1);
}

static int two_digits(const char *s)
{
    return (s[0] - '0') * 10 + (s[1] - '0');
}

struct date {
    int year;
    int month; /* 1 … 12 */
    int day;
    int hour;
    int minute;
    int second;
};

/* Days since 1970 by the proleptic calendar, counted in years that begin in March. */
static int64_t date_s(const struct date *d)
{
    int64_t year = d->year - (d->month <= 2 ? 1 : 0);
    int64_t day_of_year = (153 * (d->month + (d->month > 2 ? -3 : 9)) + 2) / 5 + d->day - 1;
    int64_t days = year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719468;
    return ((days * 24 + d->hour) * 60 + d->minute) * 60 + d->second;
}

static bool within(int n, int low, int high)
{
    return n >= low && n <= high;
}

/* "Tue, 14 Nov 2023 22:13:20 GMT", as nearly every server writes it; -1 if it is not that.
 * curl_getdate reads the rest, but takes longer than all else that is done with a small answer. */
static int64_t fixed_date_s(const char *s)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    static const char form[] = "ddd, 00 mmm 0000 00:00:00 GMT";
    if (strlen(s) != sizeof form - 1) {
        return -1;
    }
    for (size_t i = 3; i < sizeof form - 1; i++) {
        if (form[i] == '0' ? !isdigit((unsigned char)s[i]) : form[i] != 'm' && s[i] != form[i]) {
            return -1;
        }
    }
    char name[4] = {s[8], s[9], s[10], '\0'};
    const char *found = strstr(months, name);
    struct date d = {
        .year = two_digits(s + 12) * 100 + two_digits(s + 14),
        .month = found && (found - months) % 3 == 0 ? (int)(found - months) / 3 + 1 : 0,
        .day = two_digits(s + 5),
        .hour = two_digits(s + 17),
        .minute = two_digits(s + 20),
        .second = two_digits(s + 23),
    };
    bool valid = d.year >= 1970 && d.month > 0 && within(d.day, 1, 31) && d.hour < 24 &&
                 d.minute < 60 && d.second <= 60;
    return valid ? date_s(&d) : -1;
}

int64_t http_date_ms(const char *value)
{
    int64_t t = value ? fixed_date_s(value) : -1;
    if (value && t < 0) {
        t = curl_getdate(value, NULL);
    }
    return t > 0 ? t * 1000 : 0;
}

static int64_t clamp(int64_t ms)
{
    if (ms < HTTP_RETRY_AFTER_MIN_MS) {
        return HTTP_RETRY_AFTER_MIN_MS;
    }
    return ms > HTTP_RETRY_AFTER_MAX_MS ? HTTP_RETRY_AFTER_MAX_MS : ms;
}

/* "12" or "12.5"; -1 if it is neither. Ends at the cap instead of overflowing. */
static int64_t seconds_ms(const char *s)
{
    int64_t ms = 0;
    if (!isdigit((unsigned char)*s)) {
        return -1;
    }
    for (; isdigit((unsigned char)*s); s++) {
        ms = ms > HTTP_RETRY_AFTER_MAX_MS ? ms : ms * 10 + (*s - '0') * INT64_C(1000);
    }
    if (*s == '.') {
        int64_t unit = 100;
        for (s++; isdigit((unsigned char)*s); s++) {
            ms += (*s - '0') * unit;
            unit /= 10;
        }
    }
    while (*s == ' ' || *s == '\t') {
        s++;
    }
    return *s == '\0' ? ms : -1;
}

int64_t retry_after_ms(const char *value, int64_t now_ms)
{
    while (*value == ' ' || *value == '\t') {
        value++;
    }
    int64_t ms = seconds_ms(value);
    if (ms < 0 && isalpha((unsigned char)*value) && strchr(value, ':')) {
        int64_t date_ms = http_date_ms(value); /* "Fri, 20 Nov 2026 08:00:00 GMT" */
        ms = date_ms > 0 ? date_ms - now_ms : -1;
    }
    return clamp(ms);
}

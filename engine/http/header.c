/* What the headers of an answer say about time, and how long to wait when they say nothing. */
#include "base/rand.h"
#include "base/str.h"
#include "http/http_int.h"

#include <ctype.h>
#include <string.h>

int64_t backoff_ms(unsigned n)
{
    int64_t top = n < 6 ? INT64_C(1000) << n : HTTP_BACKOFF_CAP_MS;
    return (int64_t)mt_rand_below((uint64_t)top + 1);
}

int64_t http_date_ms(const char *value)
{
    time_t t = value ? curl_getdate(value, NULL) : -1;
    return t > 0 ? (int64_t)t * 1000 : 0;
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

/* Small readers without state: addresses, and the headers that speak about time. */
#ifndef MT_HTTP_PARSE_INT_H
#define MT_HTTP_PARSE_INT_H

#include "base/rc.h"

#include <stddef.h>
#include <stdint.h>

/* header.c */
/* Full jitter: 0 … min(60 s, 1 s · 2^n). */
int64_t backoff_ms(unsigned n);
/* Retry-After as milliseconds from now, clamped to 1…300 s. now_ms is the server's own Date if it
 * sent one. */
int64_t retry_after_ms(const char *value, int64_t now_ms);
int64_t http_date_ms(const char *value); /* 0 if it is none */

/* url.c */
struct url_parts {
    bool tls;
    bool loopback;
    const char *authority; /* inside the url */
    size_t authority_len;
};
enum mt_rc url_split(const char *url, struct url_parts *parts, struct mt_fault *fault) MT_CHECKED;
bool url_same_place(const char *from, const char *to);

#endif

/* Private to the RongCloud side. key=value&key=value, percent-encoded, as in queries and forms. */
#ifndef MT_SANDBOX_RONGCLOUD_QUERY_INT_H
#define MT_SANDBOX_RONGCLOUD_QUERY_INT_H

#include <stdbool.h>
#include <stddef.h>

/* Percent-decodes len bytes. False: they do not fit, or are broken. */
bool mt_sr_query_decode(const char *p, size_t len, char *out, size_t cap);
/* The first value of that key, decoded. False: it is not there, does not fit, or is broken. */
bool mt_sr_query_get(const char *query, const char *key, char *out, size_t cap);
/* The n-th (from 0). */
bool mt_sr_query_get_nth(const char *query, const char *key, size_t nth, char *out, size_t cap);

#endif

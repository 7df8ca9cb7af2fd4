#include "sandbox/rongcloud/query_int.h"

#include <string.h>

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool mt_sr_query_decode(const char *p, size_t len, char *out, size_t cap)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        char c = p[i] == '+' ? ' ' : p[i];
        if (c == '%') {
            int high = i + 2 < len ? digit(p[i + 1]) : -1;
            int low = high < 0 ? -1 : digit(p[i + 2]);
            if (low < 0)
                return false;
            c = (char)(high << 4 | low);
            i += 2;
        }
        if (c == '\0' || n + 1 >= cap)
            return false;
        out[n++] = c;
    }
    out[n] = '\0';
    return true;
}

bool mt_sr_query_get_nth(const char *query, const char *key, size_t nth, char *out, size_t cap)
{
    size_t key_len = strlen(key);
    for (const char *at = query; at != NULL && *at != '\0';) {
        size_t len = strcspn(at, "&");
        if (len > key_len && strncmp(at, key, key_len) == 0 && at[key_len] == '=' && nth-- == 0)
            return mt_sr_query_decode(at + key_len + 1, len - key_len - 1, out, cap);
        at += len + (at[len] == '&' ? 1 : 0);
    }
    return false;
}

bool mt_sr_query_get(const char *query, const char *key, char *out, size_t cap)
{
    return mt_sr_query_get_nth(query, key, 0, out, cap);
}

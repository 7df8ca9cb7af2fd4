/* The growing buffer. Growth doubles, so appending is linear in all; the cap is checked before
 * memory is asked. */
#include "base/buf.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define FIRST_CAP 128

void mt_buf_init(struct mt_buf *buf, size_t max_bytes)
{
    *buf = (struct mt_buf){.max_bytes = max_bytes};
}

void mt_buf_deinit(struct mt_buf *buf)
{
    mt_mem_free(buf->data);
    *buf = (struct mt_buf){.max_bytes = buf->max_bytes};
}

void mt_buf_reset(struct mt_buf *buf)
{
    buf->len = 0;
    buf->failed = MT_OK;
    if (buf->data) {
        buf->data[0] = '\0';
    }
}

static enum mt_rc fail(struct mt_buf *buf, enum mt_rc rc)
{
    mt_buf_deinit(buf);
    buf->failed = rc;
    return rc;
}

static enum mt_rc grow(struct mt_buf *buf, size_t extra)
{
    if (buf->failed != MT_OK) {
        return buf->failed;
    }
    if (extra > buf->max_bytes || buf->len > buf->max_bytes - extra) {
        return fail(buf, MT_ERR_LIMIT);
    }
    size_t need = buf->len + extra;
    if (need == SIZE_MAX) { /* no room for the NUL */
        return fail(buf, MT_ERR_LIMIT);
    }
    need++;
    size_t cap = buf->cap > 0 ? buf->cap : FIRST_CAP;
    while (cap < need) {
        cap = cap > SIZE_MAX / 2 ? need : cap * 2;
    }
    if (buf->max_bytes < SIZE_MAX && cap > buf->max_bytes + 1) {
        cap = buf->max_bytes + 1; /* >= need, as was checked above */
    }
    char *data = mt_mem_realloc(buf->data, cap);
    if (!data) {
        return fail(buf, MT_ERR_NOMEM);
    }
    buf->data = data;
    buf->cap = cap;
    buf->data[buf->len] = '\0';
    return MT_OK;
}

enum mt_rc mt_buf_reserve(struct mt_buf *buf, size_t extra)
{
    if (buf->cap > buf->len && extra < buf->cap - buf->len) {
        return MT_OK; /* cap never exceeds max_bytes + 1, and a failed buffer has cap 0 */
    }
    return grow(buf, extra);
}

enum mt_rc mt_buf_append(struct mt_buf *buf, const void *p, size_t len)
{
    enum mt_rc rc = mt_buf_reserve(buf, len);
    if (rc == MT_OK && len > 0) {
        memcpy(buf->data + buf->len, p, len);
        buf->len += len;
        buf->data[buf->len] = '\0';
    }
    return rc;
}

enum mt_rc mt_buf_append_str(struct mt_buf *buf, const char *s)
{
    return mt_buf_append(buf, s, strlen(s));
}

enum mt_rc mt_buf_append_char(struct mt_buf *buf, char c)
{
    enum mt_rc rc = mt_buf_reserve(buf, 1);
    if (rc == MT_OK) {
        buf->data[buf->len++] = c;
        buf->data[buf->len] = '\0';
    }
    return rc;
}

enum mt_rc mt_buf_append_u64(struct mt_buf *buf, uint64_t n)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    return mt_buf_append(buf, digits + at, sizeof digits - at);
}

enum mt_rc mt_buf_append_i64(struct mt_buf *buf, int64_t n)
{
    if (n >= 0) {
        return mt_buf_append_u64(buf, (uint64_t)n);
    }
    enum mt_rc rc = mt_buf_append_char(buf, '-');
    return rc == MT_OK ? mt_buf_append_u64(buf, 0 - (uint64_t)n) : rc;
}

enum mt_rc mt_buf_appendf(struct mt_buf *buf, const char *fmt, ...)
{
    enum mt_rc rc = mt_buf_reserve(buf, 0);
    if (rc != MT_OK) {
        return rc;
    }
    va_list args;
    va_start(args, fmt);
    va_list again;
    va_copy(again, args);
    size_t room = buf->cap - buf->len;
    int n = vsnprintf(buf->data + buf->len, room, fmt, args);
    if (n < 0) {
        rc = fail(buf, MT_ERR_INVALID);
    } else if ((size_t)n >= room) {
        buf->data[buf->len] = '\0';
        rc = mt_buf_reserve(buf, (size_t)n);
        if (rc == MT_OK) {
            vsnprintf(buf->data + buf->len, (size_t)n + 1, fmt, again);
        }
    }
    if (rc == MT_OK) {
        buf->len += (size_t)n;
    }
    va_end(again);
    va_end(args);
    return rc;
}

void mt_buf_consume(struct mt_buf *buf, size_t n)
{
    if (n >= buf->len) {
        n = buf->len;
    }
    if (n > 0) {
        buf->len -= n;
        memmove(buf->data, buf->data + n, buf->len + 1);
    }
}

char *mt_buf_steal(struct mt_buf *buf, size_t *len)
{
    char *data = NULL;
    if (mt_buf_reserve(buf, 0) == MT_OK) {
        data = buf->data;
        if (len) {
            *len = buf->len;
        }
        *buf = (struct mt_buf){.max_bytes = buf->max_bytes};
    } else if (len) {
        *len = 0;
    }
    return data;
}

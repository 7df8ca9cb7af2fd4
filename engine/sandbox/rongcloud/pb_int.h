/* Private to the RongCloud side. Protobuf written by hand into a growing buffer: messages are given
 * out by the thousand, and their common part is kept packed. Field numbers come from
 * rongcloud.proto; what clients send is read by the generated code. */
#ifndef MT_SANDBOX_RONGCLOUD_PB_INT_H
#define MT_SANDBOX_RONGCLOUD_PB_INT_H

#include "base/buf.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline void mt_sr_pb_number(struct mt_buf *out, uint64_t v)
{
    uint8_t bytes[10];
    size_t n = 0;
    while (v >= 0x80) {
        bytes[n++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    bytes[n++] = (uint8_t)v;
    (void)mt_buf_append(out, bytes, n);
}

static inline void mt_sr_pb_u64(struct mt_buf *out, uint32_t field, uint64_t v)
{
    mt_sr_pb_number(out, (uint64_t)field << 3);
    mt_sr_pb_number(out, v);
}

static inline void mt_sr_pb_i64(struct mt_buf *out, uint32_t field, int64_t v)
{
    mt_sr_pb_u64(out, field, (uint64_t)v);
}

static inline void mt_sr_pb_bytes(struct mt_buf *out, uint32_t field, const void *p, size_t len)
{
    mt_sr_pb_number(out, (uint64_t)field << 3 | 2);
    mt_sr_pb_number(out, len);
    (void)mt_buf_append(out, p, len);
}

static inline void mt_sr_pb_str(struct mt_buf *out, uint32_t field, const char *s)
{
    mt_sr_pb_bytes(out, field, s, strlen(s));
}

/* A message inside: begin gives the place that end needs, which puts the length there. */
static inline size_t mt_sr_pb_begin(struct mt_buf *out, uint32_t field)
{
    mt_sr_pb_number(out, (uint64_t)field << 3 | 2);
    (void)mt_buf_append_char(out, 0);
    return out->len;
}

static inline void mt_sr_pb_end(struct mt_buf *out, size_t begin)
{
    if (out->failed != MT_OK || begin == 0 || begin > out->len)
        return;
    uint8_t bytes[10];
    size_t len = out->len - begin;
    size_t n = 0;
    for (size_t v = len; n == 0 || v != 0; v >>= 7)
        bytes[n++] = (uint8_t)((v & 0x7f) | (v >= 0x80 ? 0x80 : 0));
    for (size_t i = 1; i < n; i++)
        (void)mt_buf_append_char(out, 0);
    if (out->failed != MT_OK)
        return;
    memmove(out->data + begin - 1 + n, out->data + begin, len);
    memcpy(out->data + begin - 1, bytes, n);
}

#endif

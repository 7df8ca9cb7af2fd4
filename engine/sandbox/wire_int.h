/* Private to the sandbox. Writes protobuf by hand into memory of a fixed size: messages are made by
 * the million when data is loaded or generated, and the generated packer, which walks descriptors
 * twice, is too slow for that. Field numbers come from msync.proto; reading is left to the
 * generated code. */
#ifndef MT_SANDBOX_WIRE_INT_H
#define MT_SANDBOX_WIRE_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct mt_sb_wire {
    uint8_t *p;
    size_t len;
    size_t cap;
    bool full; /* something did not fit; len is then meaningless */
};

static inline void mt_sb_wire_raw(struct mt_sb_wire *w, const void *p, size_t len)
{
    if (w->full || w->cap - w->len < len) {
        w->full = true;
        return;
    }
    if (len != 0)
        memcpy(w->p + w->len, p, len);
    w->len += len;
}

static inline void mt_sb_wire_number(struct mt_sb_wire *w, uint64_t v)
{
    uint8_t out[10];
    size_t n = 0;
    while (v >= 0x80) {
        out[n++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    out[n++] = (uint8_t)v;
    mt_sb_wire_raw(w, out, n);
}

static inline void mt_sb_wire_varint(struct mt_sb_wire *w, uint32_t field, uint64_t v)
{
    mt_sb_wire_number(w, (uint64_t)field << 3);
    mt_sb_wire_number(w, v);
}

static inline void mt_sb_wire_bytes(struct mt_sb_wire *w, uint32_t field, const void *p, size_t len)
{
    mt_sb_wire_number(w, (uint64_t)field << 3 | 2);
    mt_sb_wire_number(w, len);
    mt_sb_wire_raw(w, p, len);
}

static inline void mt_sb_wire_str(struct mt_sb_wire *w, uint32_t field, const char *s)
{
    mt_sb_wire_bytes(w, field, s, strlen(s));
}

/* Doubles and floats go little-endian on the wire, which is what this machine has. */
static inline void mt_sb_wire_double(struct mt_sb_wire *w, uint32_t field, double v)
{
    mt_sb_wire_number(w, (uint64_t)field << 3 | 1);
    mt_sb_wire_raw(w, &v, sizeof v);
}

static inline void mt_sb_wire_float(struct mt_sb_wire *w, uint32_t field, float v)
{
    mt_sb_wire_number(w, (uint64_t)field << 3 | 5);
    mt_sb_wire_raw(w, &v, sizeof v);
}

/* JID {appKey=1, name=2, domain=3, clientResource=4} as field `field`; NULL members are left out.
 */
static inline void mt_sb_wire_jid(struct mt_sb_wire *w, uint32_t field, const char *appkey,
                                  const char *name, const char *domain, const char *resource)
{
    uint8_t room[1024];
    struct mt_sb_wire jid = {.p = room, .cap = sizeof room};
    if (appkey != NULL)
        mt_sb_wire_str(&jid, 1, appkey);
    mt_sb_wire_str(&jid, 2, name);
    if (domain != NULL)
        mt_sb_wire_str(&jid, 3, domain);
    if (resource != NULL && resource[0] != '\0')
        mt_sb_wire_str(&jid, 4, resource);
    if (jid.full) {
        w->full = true;
        return;
    }
    mt_sb_wire_bytes(w, field, jid.p, jid.len);
}

#endif

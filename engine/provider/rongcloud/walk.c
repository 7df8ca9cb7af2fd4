/* The walk over protobuf fields: see walk_int.h. */
#include "provider/rongcloud/walk_int.h"

#include "base/buf.h"
#include "codec/gzip.h"
#include "provider/rongcloud/page_int.h"

#include <stdio.h>

enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

void mt_rong_walk_init(struct mt_rong_walk *walk, const void *p, size_t len)
{
    walk->at = p;
    walk->end = len > 0 ? walk->at + len : walk->at;
    walk->broken = false;
}

static bool varint(struct mt_rong_walk *walk, uint64_t *out)
{
    unsigned shift = 0;

    for (*out = 0; walk->at < walk->end && shift < 64; shift += 7) {
        uint8_t byte = *walk->at++;

        *out |= (uint64_t)(byte & 0x7F) << shift;
        if ((byte & 0x80) == 0)
            return true;
    }
    return false;
}

static bool fixed(struct mt_rong_walk *walk, size_t size, uint64_t *out)
{
    if ((size_t)(walk->end - walk->at) < size)
        return false;
    *out = 0;
    for (size_t i = 0; i < size; i++)
        *out |= (uint64_t)*walk->at++ << (8 * i);
    return true;
}

static bool bytes(struct mt_rong_walk *walk, struct mt_rong_field *out)
{
    uint64_t len = 0;

    if (!varint(walk, &len) || len > (uint64_t)(walk->end - walk->at))
        return false;
    out->is_bytes = true;
    out->bytes = walk->at;
    out->len = (size_t)len;
    walk->at += len;
    return true;
}

static bool value(struct mt_rong_walk *walk, unsigned wire, struct mt_rong_field *out)
{
    switch (wire) {
    case VARINT:
        return varint(walk, &out->value);
    case FIXED64:
        return fixed(walk, 8, &out->value);
    case BYTES:
        return bytes(walk, out);
    case FIXED32:
        return fixed(walk, 4, &out->value);
    default:
        return false;
    }
}

bool mt_rong_walk_next(struct mt_rong_walk *walk, struct mt_rong_field *out)
{
    uint64_t key = 0;

    *out = (struct mt_rong_field){.number = 0};
    if (walk->broken || walk->at == walk->end)
        return false;
    if (!varint(walk, &key) || key >> 3 == 0 || key >> 3 > 0x1FFFFFFF ||
        !value(walk, (unsigned)(key & 7), out)) {
        walk->broken = true;
        return false;
    }
    out->number = (uint32_t)(key >> 3);
    return true;
}

/* ---------------------------------------------------------------- answers */

enum mt_rc mt_rong_walk_fault(const char *name, enum mt_rc rc, const char *why,
                              struct mt_fault *fault)
{
    char code[MT_FAULT_CODE_MAX];

    if (rc == MT_ERR_NOMEM)
        return mt_fault_set(fault, rc, "memory", "out of memory");
    if (rc != MT_ERR_LIMIT)
        rc = MT_ERR_PROTOCOL;
    snprintf(code, sizeof code, "%s.%s", name, rc == MT_ERR_LIMIT ? "too_large" : "damaged");
    return mt_fault_set(fault, rc, code, "the cloud's answer %s", why);
}

/* The last of several counts, as everywhere in protobuf. */
static bool look(const struct mt_rong_shape *shape, const void *p, size_t len, bool *compressed,
                 struct mt_rong_field *data)
{
    struct mt_rong_walk walk;
    struct mt_rong_field f;

    *compressed = false;
    *data = (struct mt_rong_field){.number = 0};
    mt_rong_walk_init(&walk, p, len);
    while (mt_rong_walk_next(&walk, &f)) {
        if (f.number == shape->flag && !f.is_bytes)
            *compressed = f.value != 0;
        else if (f.number == shape->data && f.is_bytes)
            *data = f;
    }
    return !walk.broken;
}

static enum mt_rc plain(const void *p, size_t len,
                        enum mt_rc (*each)(void *ud, const struct mt_rong_field *field), void *ud)
{
    struct mt_rong_walk walk;
    struct mt_rong_field f;
    enum mt_rc rc = MT_OK;

    mt_rong_walk_init(&walk, p, len);
    while (rc == MT_OK && mt_rong_walk_next(&walk, &f))
        rc = each(ud, &f);
    return rc;
}

enum mt_rc mt_rong_walk_answer(const struct mt_rong_shape *shape, const void *p, size_t len,
                               enum mt_rc (*each)(void *ud, const struct mt_rong_field *field),
                               void *ud, struct mt_fault *fault)
{
    struct mt_buf levels[MT_RONG_INFLATE_DEPTH];
    size_t left = MT_RONG_INFLATED_MAX;
    unsigned depth = 0;
    bool compressed = false;
    struct mt_rong_field data;
    enum mt_rc rc = MT_OK;

    for (;;) {
        if (!look(shape, p, len, &compressed, &data)) {
            rc = mt_rong_walk_fault(shape->name, MT_ERR_PROTOCOL, "cannot be read", fault);
            break;
        }
        if (!compressed || data.number == 0) {
            rc = plain(p, len, each, ud);
            break;
        }
        if (depth == MT_RONG_INFLATE_DEPTH) {
            rc =
                mt_rong_walk_fault(shape->name, MT_ERR_LIMIT, "is compressed over and over", fault);
            break;
        }
        mt_buf_init(&levels[depth], MT_RONG_INFLATED_MAX + 1);
        rc = mt_gzip_inflate(data.bytes, data.len, left, &levels[depth], NULL);
        depth++;
        if (rc != MT_OK) {
            rc = mt_rong_walk_fault(shape->name, rc,
                                    rc == MT_ERR_LIMIT
                                        ? "holds more than anybody needs"
                                        : "is compressed in a way that cannot be read",
                                    fault);
            break;
        }
        p = levels[depth - 1].data;
        len = levels[depth - 1].len;
        left -= len;
    }
    while (depth > 0)
        mt_buf_deinit(&levels[--depth]);
    return rc;
}

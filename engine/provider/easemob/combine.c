/* The file of a combined message (easemob.md §4.9): "cm", each message as its length (32 bits, the
 * highest byte first) and its Meta, and one byte that is the exclusive or of all bytes at odd
 * places from the third on. */
#include "provider/easemob/files_int.h"

#include "base/buf.h"
#include "base/mem.h"

#include "msync.pb-c.h"

static void *meta_alloc(void *ud, size_t size)
{
    (void)ud;
    return mt_mem_alloc(size);
}

static void meta_free(void *ud, void *p)
{
    (void)ud;
    mt_mem_free(p);
}

/* A Meta is taken as the cloud wrote it; it must be one, and say when. */
static bool is_meta(const struct mt_message *m)
{
    ProtobufCAllocator allocator = {meta_alloc, meta_free, NULL};
    Easemob__Pb__Meta *meta =
        m->raw_len > 0 ? easemob__pb__meta__unpack(&allocator, m->raw_len, m->raw) : NULL;
    bool good = meta != NULL && meta->has_timestamp && meta->has_payload;

    if (meta != NULL)
        easemob__pb__meta__free_unpacked(meta, &allocator);
    return good;
}

static int level_of(const struct mt_message *m)
{
    const struct mt_value *level = m->kind == MT_MESSAGE_COMBINE && m->body.type == MT_VALUE_MAP
                                       ? mt_value_get(&m->body, "level")
                                       : NULL;

    if (m->kind != MT_MESSAGE_COMBINE)
        return 0;
    return level != NULL && level->type == MT_VALUE_INT && level->i > 0 &&
                   level->i < MT_EM_COMBINE_DEEP
               ? (int)level->i
           : level != NULL && level->type == MT_VALUE_INT && level->i >= MT_EM_COMBINE_DEEP
               ? MT_EM_COMBINE_DEEP
               : 1;
}

enum mt_rc mt_em_combine(struct mt_provider_account *account,
                         const struct mt_message *const *messages, size_t n, struct mt_buf *out,
                         int *level, struct mt_fault *fault)
{
    char sum = 0;

    (void)account;
    *level = 1;
    if (n == 0 || n > MT_EM_COMBINE_N)
        return mt_fault_set(fault, MT_ERR_LIMIT, "combine.too_many",
                            "a combined message holds 1 to %d messages, not %zu", MT_EM_COMBINE_N,
                            n);
    (void)mt_buf_append(out, "cm", 2);
    for (size_t i = 0; i < n; i++) {
        size_t len = messages[i]->raw_len;
        unsigned char head[4] = {(unsigned char)(len >> 24), (unsigned char)(len >> 16),
                                 (unsigned char)(len >> 8), (unsigned char)len};
        int deep = level_of(messages[i]) + 1;

        if (!is_meta(messages[i]))
            return mt_fault_set(fault, MT_ERR_INVALID, "combine.raw",
                                "message %zu is not one that the cloud has sent", i + 1);
        if (deep > MT_EM_COMBINE_DEEP)
            return mt_fault_set(fault, MT_ERR_LIMIT, "combine.too_deep",
                                "combined messages stand in each other %d deep at most",
                                MT_EM_COMBINE_DEEP);
        *level = deep > *level ? deep : *level;
        (void)mt_buf_append(out, head, sizeof head);
        (void)mt_buf_append(out, messages[i]->raw, len);
    }
    for (size_t i = 3; out->failed == MT_OK && i < out->len; i += 2)
        sum ^= out->data[i];
    (void)mt_buf_append_char(out, sum);
    return out->failed == MT_OK
               ? MT_OK
               : mt_fault_set(fault, out->failed, "send.too_long", "the messages are too long");
}

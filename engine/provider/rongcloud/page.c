/* Pages of messages: see page_int.h. */
#include "provider/rongcloud/page_int.h"

#include "base/arena.h"
#include "provider/rongcloud/walk_int.h"

#include <string.h>

struct reading {
    const struct mt_rong_shape *shape;
    const struct mt_rong_decoder *decoder;
    struct mt_arena *arena;
    struct mt_rong_messages *messages;
    void *out;
    struct mt_fault *fault;
};

static enum mt_rc too_large(const struct reading *r)
{
    return mt_rong_walk_fault(r->shape->name, MT_ERR_LIMIT, "holds more than anybody needs",
                              r->fault);
}

static struct mt_message *message_slot(struct reading *r)
{
    struct mt_rong_messages *m = r->messages;

    if (m->n == m->cap) {
        size_t cap = m->cap == 0 ? 32 : m->cap * 4;
        struct mt_message *items =
            m->n < MT_RONG_ITEMS_MAX ? mt_arena_alloc(r->arena, cap * sizeof *items) : NULL;

        if (items == NULL)
            return NULL;
        if (m->n > 0)
            memcpy(items, m->items, m->n * sizeof *items);
        m->items = items;
        m->cap = cap;
    }
    return &m->items[m->n];
}

static enum mt_rc add_message(struct reading *r, const struct mt_rong_field *f)
{
    struct mt_message *m = message_slot(r);
    uint8_t *raw = m ? mt_arena_alloc(r->arena, f->len + 1) : NULL;
    enum mt_rc rc = MT_OK;

    if (raw == NULL)
        return too_large(r);
    if (f->len > 0)
        memcpy(raw, f->bytes, f->len);
    rc = mt_rong_decode(r->decoder, raw, f->len, r->arena, m);
    if (rc == MT_ERR_PROTOCOL) { /* kept as it is */
        mt_rong_decode_none(raw, f->len, m);
        if (r->decoder->conversation != NULL)
            m->conversation = *r->decoder->conversation;
        rc = MT_OK;
    }
    if (rc != MT_OK)
        return too_large(r);
    r->messages->n++;
    return MT_OK;
}

static enum mt_rc run(struct reading *r, const void *p, size_t len,
                      enum mt_rc (*each)(void *ud, const struct mt_rong_field *field))
{
    enum mt_rc rc = mt_rong_walk_answer(r->shape, p, len, each, r, r->fault);

    if (rc != MT_OK)
        r->messages->n = 0;
    return rc;
}

/* ---------------------------------------------------------------- history */

static enum mt_rc history_field(void *ud, const struct mt_rong_field *f)
{
    struct reading *r = ud;
    struct mt_rong_history_out *out = r->out;

    if (f->number == 1 && f->is_bytes)
        return add_message(r, f);
    if (f->number == 2 && !f->is_bytes)
        out->sync_ms = (int64_t)f->value;
    if (f->number == 3 && !f->is_bytes)
        out->more = f->value != 0;
    return MT_OK;
}

enum mt_rc mt_rong_history_parse(const struct mt_rong_decoder *decoder, const void *p, size_t len,
                                 struct mt_arena *arena, struct mt_rong_history_out *out,
                                 struct mt_fault *fault)
{
    static const struct mt_rong_shape shape = {"history", 6, 7};
    struct reading r = {&shape, decoder, arena, &out->messages, out, fault};

    *out = (struct mt_rong_history_out){.sync_ms = 0};
    return run(&r, p, len, history_field);
}

/* ---------------------------------------------------------------- a pull */

static enum mt_rc pull_field(void *ud, const struct mt_rong_field *f)
{
    struct reading *r = ud;
    struct mt_rong_pull_out *out = r->out;

    if (f->number == 1 && f->is_bytes)
        return add_message(r, f);
    if (f->number == 2 && !f->is_bytes)
        out->sync_ms = (int64_t)f->value;
    if (f->number == 3 && !f->is_bytes)
        out->finished = f->value != 0;
    if (f->number == 4 && !f->is_bytes)
        out->broadcast_ms = (int64_t)f->value;
    return MT_OK;
}

enum mt_rc mt_rong_pull_parse(const struct mt_rong_decoder *decoder, const void *p, size_t len,
                              struct mt_arena *arena, struct mt_rong_pull_out *out,
                              struct mt_fault *fault)
{
    static const struct mt_rong_shape shape = {"sync", 8, 9};
    struct reading r = {&shape, decoder, arena, &out->messages, out, fault};

    *out = (struct mt_rong_pull_out){.sync_ms = 0};
    return run(&r, p, len, pull_field);
}

enum mt_rc mt_rong_room_parse(const struct mt_rong_decoder *decoder, const void *p, size_t len,
                              struct mt_arena *arena, struct mt_rong_pull_out *out,
                              struct mt_fault *fault)
{
    static const struct mt_rong_shape shape = {"room", 3, 4};
    struct reading r = {&shape, decoder, arena, &out->messages, out, fault};

    *out = (struct mt_rong_pull_out){.sync_ms = 0};
    return run(&r, p, len, pull_field);
}

/* ---------------------------------------------------------------- messages by their ids */

static enum mt_rc query_field(void *ud, const struct mt_rong_field *f)
{
    struct reading *r = ud;
    struct mt_rong_query_out *out = r->out;
    const char **missing = NULL;

    if (f->number == 1 && f->is_bytes)
        return add_message(r, f);
    if (f->number != 2 || !f->is_bytes)
        return MT_OK;
    if (out->missing_n % 64 == 0) {
        missing = out->missing_n < MT_RONG_ITEMS_MAX
                      ? mt_arena_alloc(r->arena, (out->missing_n + 64) * sizeof *missing)
                      : NULL;
        if (missing == NULL)
            return too_large(r);
        if (out->missing_n > 0)
            memcpy(missing, out->missing, out->missing_n * sizeof *missing);
        out->missing = missing;
    }
    out->missing[out->missing_n] = mt_arena_strndup(r->arena, (const char *)f->bytes, f->len);
    if (out->missing[out->missing_n] == NULL)
        return too_large(r);
    out->missing_n++;
    return MT_OK;
}

enum mt_rc mt_rong_query_parse(const struct mt_rong_decoder *decoder, const void *p, size_t len,
                               struct mt_arena *arena, struct mt_rong_query_out *out,
                               struct mt_fault *fault)
{
    static const struct mt_rong_shape shape = {"messages", 0, 0};
    struct reading r = {&shape, decoder, arena, &out->messages, out, fault};

    *out = (struct mt_rong_query_out){.missing = NULL};
    return run(&r, p, len, query_field);
}

/* ---------------------------------------------------------------- edits */

static enum mt_rc edit_entry(struct reading *r, const struct mt_rong_field *entry)
{
    struct mt_rong_walk walk;
    struct mt_rong_field f, message = {.number = 0};

    mt_rong_walk_init(&walk, entry->bytes, entry->len);
    while (mt_rong_walk_next(&walk, &f))
        if (f.number == 2 && f.is_bytes)
            message = f;
    return message.number == 2 ? add_message(r, &message) : MT_OK;
}

static enum mt_rc edits_field(void *ud, const struct mt_rong_field *f)
{
    struct reading *r = ud;
    struct mt_rong_edits_out *out = r->out;

    if (f->number == 1 && f->is_bytes)
        return edit_entry(r, f);
    if (f->number == 2 && !f->is_bytes)
        out->next_ms = (int64_t)f->value;
    if (f->number == 3 && !f->is_bytes)
        out->finished = f->value != 0;
    return MT_OK;
}

enum mt_rc mt_rong_edits_parse(const struct mt_rong_decoder *decoder, const void *p, size_t len,
                               struct mt_arena *arena, struct mt_rong_edits_out *out,
                               struct mt_fault *fault)
{
    static const struct mt_rong_shape shape = {"edits", 4, 5};
    struct reading r = {&shape, decoder, arena, &out->messages, out, fault};
    enum mt_rc rc = MT_OK;

    *out = (struct mt_rong_edits_out){.next_ms = 0};
    rc = run(&r, p, len, edits_field);
    for (size_t i = 0; i < out->messages.n; i++) {
        struct mt_message *m = &out->messages.items[i];

        if (m->type != MT_TYPE_MESSAGE || !mt_id_is(m->id))
            continue;
        m->type = MT_TYPE_EDIT;
        m->target_id = m->id;
    }
    return rc;
}

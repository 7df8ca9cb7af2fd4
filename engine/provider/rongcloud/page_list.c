/* Lists of conversations, unread counts, settings and readers: see page_int.h. */
#include "provider/rongcloud/page_int.h"

#include "base/arena.h"
#include "base/str.h"
#include "provider/rongcloud/walk_int.h"

#include <string.h>

struct listing {
    const struct mt_rong_shape *shape;
    const struct mt_rong_decoder *decoder;
    struct mt_arena *arena;
    const char *id;
    void *out;
    struct mt_fault *fault;
};

static enum mt_rc too_large(const struct listing *l)
{
    return mt_rong_walk_fault(l->shape->name, MT_ERR_LIMIT, "holds more than anybody needs",
                              l->fault);
}

/* A list in the arena with room for one more, whose bytes are zero; NULL: too many, or no memory.
 */
static void *room(struct mt_arena *arena, void *items, size_t n, size_t *cap, size_t size)
{
    if (n == *cap) {
        size_t more = *cap == 0 ? 32 : *cap * 4;
        void *list = n < MT_RONG_ITEMS_MAX ? mt_arena_calloc(arena, more, size) : NULL;

        if (list == NULL)
            return NULL;
        if (n > 0)
            memcpy(list, items, n * size);
        items = list;
        *cap = more;
    }
    memset((char *)items + n * size, 0, size);
    return items;
}

static bool text_of(struct mt_arena *arena, const struct mt_rong_field *f, const char **out)
{
    if (!f->is_bytes)
        return true;
    *out = mt_arena_strndup(arena, (const char *)f->bytes, f->len);
    return *out != NULL;
}

/* ---------------------------------------------------------------- conversations */

struct relation {
    int type;
    const char *target, *channel;
    struct mt_rong_field message, first;
};

static void relation_number(struct mt_rong_relation *out, const struct mt_rong_field *f)
{
    int64_t value = (int64_t)f->value;

    switch (f->number) {
    case 4:
        out->read_ms = value;
        break;
    case 5:
        out->unread = value;
        break;
    case 7:
        out->version_ms = value;
        break;
    case 8:
        out->mentions = value;
        break;
    case 11:
        out->mentions_me = (int32_t)value;
        break;
    default:
        break;
    }
}

static bool relation_fields(struct listing *l, const struct mt_rong_field *entry,
                            struct relation *r, struct mt_rong_relation *out)
{
    struct mt_rong_walk walk;
    struct mt_rong_field f;
    bool ok = true;

    *out =
        (struct mt_rong_relation){.read_ms = -1, .unread = -1, .mentions = -1, .mentions_me = -1};
    mt_rong_walk_init(&walk, entry->bytes, entry->len);
    while (ok && mt_rong_walk_next(&walk, &f)) {
        if (f.number == 1 && !f.is_bytes)
            r->type = (int)f.value;
        else if (f.number == 2)
            ok = text_of(l->arena, &f, &r->target);
        else if (f.number == 3 && f.is_bytes)
            r->message = f;
        else if (f.number == 6)
            ok = text_of(l->arena, &f, &r->channel);
        else if (f.number == 10 && f.is_bytes)
            r->first = f;
        else if (!f.is_bytes)
            relation_number(out, &f);
    }
    return ok;
}

static bool first_unread(struct listing *l, const struct mt_rong_field *entry,
                         struct mt_rong_relation *out)
{
    struct mt_rong_walk walk;
    struct mt_rong_field f;
    bool ok = true;

    mt_rong_walk_init(&walk, entry->bytes, entry->len);
    while (ok && mt_rong_walk_next(&walk, &f)) {
        if (f.number == 1)
            ok = text_of(l->arena, &f, &out->first_unread);
        else if (f.number == 2 && !f.is_bytes)
            out->first_unread_ms = (int64_t)f.value;
    }
    return ok;
}

static enum mt_rc last_message(struct listing *l, const struct mt_rong_field *f,
                               struct mt_rong_relation *out)
{
    struct mt_rong_decoder decoder = *l->decoder;
    uint8_t *raw = mt_arena_alloc(l->arena, f->len + 1);
    enum mt_rc rc = MT_OK;

    if (raw == NULL)
        return too_large(l);
    if (f->len > 0)
        memcpy(raw, f->bytes, f->len);
    decoder.conversation = &out->ref;
    rc = mt_rong_decode(&decoder, raw, f->len, l->arena, &out->last);
    if (rc == MT_ERR_PROTOCOL) {
        mt_rong_decode_none(raw, f->len, &out->last);
        out->last.conversation = out->ref;
        out->last.time_ms = out->version_ms;
        rc = MT_OK;
    }
    out->has_last = rc == MT_OK;
    return rc == MT_OK ? MT_OK : too_large(l);
}

static enum mt_rc relation(struct listing *l, const struct mt_rong_field *entry)
{
    struct mt_rong_relations_out *out = l->out;
    struct mt_rong_relation *items = room(l->arena, out->items, out->n, &out->cap, sizeof *items);
    struct mt_rong_relation *item = items ? &items[out->n] : NULL;
    struct relation r = {.type = 0};
    enum mt_rc rc = MT_OK;

    if (item == NULL)
        return too_large(l);
    out->items = items;
    if (!relation_fields(l, entry, &r, item) ||
        (r.first.number != 0 && !first_unread(l, &r.first, item)))
        return too_large(l);
    out->seen++;
    if (r.type == 0 || !mt_rong_ref_set(&item->ref, r.type, r.target, r.channel)) {
        out->skipped++;
        return MT_OK;
    }
    if (r.message.number != 0)
        rc = last_message(l, &r.message, item);
    if (item->version_ms <= 0 && item->has_last)
        item->version_ms = item->last.time_ms;
    out->n += rc == MT_OK;
    return rc;
}

static enum mt_rc relations_field(void *ud, const struct mt_rong_field *f)
{
    struct listing *l = ud;
    struct mt_rong_relations_out *out = l->out;

    if (f->number == 1 && f->is_bytes)
        return relation(l, f);
    if (f->number == 2 && !f->is_bytes) {
        out->finished = f->value != 0;
        out->has_finished = true;
    }
    if (f->number == 3 && !f->is_bytes)
        out->pull_ms = (int64_t)f->value;
    if (f->number == 6 && !text_of(l->arena, f, &out->page_token))
        return too_large(l);
    return MT_OK;
}

enum mt_rc mt_rong_relations_parse(const struct mt_rong_decoder *decoder, const void *p, size_t len,
                                   struct mt_arena *arena, struct mt_rong_relations_out *out,
                                   struct mt_fault *fault)
{
    static const struct mt_rong_shape shape = {"conversations", 4, 5};
    struct listing l = {&shape, decoder, arena, NULL, out, fault};
    enum mt_rc rc = MT_OK;

    *out = (struct mt_rong_relations_out){.items = NULL};
    rc = mt_rong_walk_answer(&shape, p, len, relations_field, &l, fault);
    if (rc != MT_OK)
        out->n = 0;
    return rc;
}

/* ---------------------------------------------------------------- unread counts */

static enum mt_rc unread(struct listing *l, const struct mt_rong_field *entry)
{
    ProtobufCAllocator allocator = mt_rong_allocator(l->arena);
    struct mt_rong_unreads_out *out = l->out;
    struct mt_rong_unread *items = room(l->arena, out->items, out->n, &out->cap, sizeof *items);
    struct mt_rong_unread *item = items ? &items[out->n] : NULL;
    Rongcloud__SessionOutput *s = NULL;

    if (item == NULL)
        return too_large(l);
    out->items = items;
    s = rongcloud__session_output__unpack(&allocator, entry->len, entry->bytes);
    if (s == NULL || !s->has_type ||
        !mt_rong_ref_set(&item->ref, (int)s->type, s->targetid, s->buschannel)) {
        out->skipped++;
        return MT_OK;
    }
    item->version = s->has_version ? s->version : 0;
    if (s->unread != NULL) {
        const Rongcloud__UnreadInfo *u = s->unread;

        item->count = u->has_cnt ? u->cnt : 0;
        item->mentions = u->has_mentioncnt ? u->mentioncnt : 0;
        item->mentions_me = u->has_mentionmecnt ? u->mentionmecnt : 0;
        item->clear_ms = u->has_cleartime ? u->cleartime : 0;
        item->cut_off_ms = u->has_cutofftime ? u->cutofftime : 0;
        if (u->firstunreadmsg != NULL) {
            item->first_unread = u->firstunreadmsg->msgid;
            item->first_unread_ms = u->firstunreadmsg->msgtime;
        }
    }
    out->n++;
    return MT_OK;
}

static enum mt_rc unreads_field(void *ud, const struct mt_rong_field *f)
{
    struct listing *l = ud;
    struct mt_rong_unreads_out *out = l->out;

    if (f->number == 1 && f->is_bytes)
        return unread(l, f);
    if (f->number == 2 && !text_of(l->arena, f, &out->page_token))
        return too_large(l);
    return MT_OK;
}

enum mt_rc mt_rong_unreads_parse(const void *p, size_t len, struct mt_arena *arena,
                                 struct mt_rong_unreads_out *out, struct mt_fault *fault)
{
    static const struct mt_rong_shape shape = {"unread", 3, 4};
    struct listing l = {&shape, NULL, arena, NULL, out, fault};
    enum mt_rc rc = MT_OK;

    *out = (struct mt_rong_unreads_out){.items = NULL};
    rc = mt_rong_walk_answer(&shape, p, len, unreads_field, &l, fault);
    if (rc != MT_OK)
        out->n = 0;
    return rc;
}

/* ---------------------------------------------------------------- settings */

static void state_item(const Rongcloud__SessionStateItem *from, struct mt_rong_state *out)
{
    if (from->sessionstatetype == RONGCLOUD__SESSION_STATE_TYPE__SST_IsTop) {
        out->has_top = true;
        out->top = strcmp(from->value, "1") == 0;
        out->top_ms = from->has_time ? from->time : 0;
    } else if (from->sessionstatetype == RONGCLOUD__SESSION_STATE_TYPE__SST_IsSilent) {
        out->has_level = mt_str_i64(from->value, &out->level);
        out->level_ms = from->has_time ? from->time : 0;
    }
}

static enum mt_rc state(struct listing *l, const struct mt_rong_field *entry)
{
    ProtobufCAllocator allocator = mt_rong_allocator(l->arena);
    struct mt_rong_states_out *out = l->out;
    struct mt_rong_state *items = room(l->arena, out->items, out->n, &out->cap, sizeof *items);
    struct mt_rong_state *item = items ? &items[out->n] : NULL;
    Rongcloud__SessionState *s = NULL;

    if (item == NULL)
        return too_large(l);
    out->items = items;
    s = rongcloud__session_state__unpack(&allocator, entry->len, entry->bytes);
    if (s == NULL || (!mt_rong_ref_set(&item->ref, (int)s->type, s->channelid, s->buschannel) &&
                      *s->channelid != '\0')) {
        out->skipped++;
        return MT_OK;
    }
    item->type = (int)s->type;
    item->time_ms = s->has_time ? s->time : 0;
    for (size_t i = 0; i < s->n_stateitem; i++)
        state_item(s->stateitem[i], item);
    out->n++;
    return MT_OK;
}

static enum mt_rc states_field(void *ud, const struct mt_rong_field *f)
{
    struct listing *l = ud;
    struct mt_rong_states_out *out = l->out;

    if (f->number == 2 && f->is_bytes)
        return state(l, f);
    if (f->number == 1 && !f->is_bytes)
        out->version = (int64_t)f->value;
    return MT_OK;
}

enum mt_rc mt_rong_states_parse(const void *p, size_t len, struct mt_arena *arena,
                                struct mt_rong_states_out *out, struct mt_fault *fault)
{
    static const struct mt_rong_shape shape = {"settings", 0, 0};
    struct listing l = {&shape, NULL, arena, NULL, out, fault};
    enum mt_rc rc = MT_OK;

    *out = (struct mt_rong_states_out){.items = NULL};
    rc = mt_rong_walk_answer(&shape, p, len, states_field, &l, fault);
    if (rc != MT_OK)
        out->n = 0;
    return rc;
}

/* ---------------------------------------------------------------- readers */

static enum mt_rc reader(struct listing *l, const char *user, int64_t time_ms)
{
    struct mt_rong_readers_out *out = l->out;
    struct mt_rong_reader *items = room(l->arena, out->items, out->n, &out->cap, sizeof *items);
    struct mt_rong_reader *item = items ? &items[out->n] : NULL;

    if (item == NULL)
        return too_large(l);
    out->items = items;
    if (user == NULL || *user == '\0')
        return MT_OK;
    *item = (struct mt_rong_reader){.user = user, .time_ms = time_ms > 0 ? time_ms : 0};
    out->n++;
    return MT_OK;
}

static enum mt_rc damaged(const struct listing *l)
{
    return mt_rong_walk_fault(l->shape->name, MT_ERR_PROTOCOL, "cannot be read", l->fault);
}

enum mt_rc mt_rong_readers_v2_parse(const void *p, size_t len, struct mt_arena *arena,
                                    struct mt_rong_readers_out *out, struct mt_fault *fault)
{
    static const struct mt_rong_shape shape = {"readers", 0, 0};
    ProtobufCAllocator allocator = mt_rong_allocator(arena);
    struct listing l = {&shape, NULL, arena, NULL, out, fault};
    const Rongcloud__GrpReadReceiptQryResp *m =
        rongcloud__grp_read_receipt_qry_resp__unpack(&allocator, len, p);
    enum mt_rc rc = MT_OK;

    *out = (struct mt_rong_readers_out){.total = -1, .read = -1};
    if (m == NULL)
        return damaged(&l);
    out->total = m->totalmembernum;
    for (size_t i = 0; rc == MT_OK && i < m->n_list; i++)
        rc = reader(&l, m->list[i]->userid, m->list[i]->readtime);
    out->read = (int64_t)out->n;
    return rc;
}

static enum mt_rc users(struct listing *l, Rongcloud__ReceiptUser *const *list, size_t n)
{
    enum mt_rc rc = MT_OK;

    for (size_t i = 0; rc == MT_OK && i < n; i++)
        rc = reader(l, list[i]->userid, list[i]->has_receipttime ? list[i]->receipttime : 0);
    return rc;
}

enum mt_rc mt_rong_readers_v4_parse(const void *p, size_t len, struct mt_arena *arena,
                                    struct mt_rong_readers_out *out, struct mt_fault *fault)
{
    static const struct mt_rong_shape shape = {"readers", 0, 0};
    ProtobufCAllocator allocator = mt_rong_allocator(arena);
    struct listing l = {&shape, NULL, arena, NULL, out, fault};
    const Rongcloud__QueryReceiptResp *m =
        rongcloud__query_receipt_resp__unpack(&allocator, len, p);

    *out = (struct mt_rong_readers_out){.total = -1, .read = -1};
    if (m == NULL)
        return damaged(&l);
    out->total = m->has_num ? m->num : -1;
    out->read = m->has_readcnt ? m->readcnt : -1;
    return users(&l, m->list, m->n_list);
}

static enum mt_rc readers_field(void *ud, const struct mt_rong_field *f)
{
    struct listing *l = ud;
    struct mt_rong_readers_out *out = l->out;
    ProtobufCAllocator allocator = mt_rong_allocator(l->arena);
    const Rongcloud__QueryReceiptRespItem *m = NULL;

    if (f->number == 4)
        return text_of(l->arena, f, &out->page_token) ? MT_OK : too_large(l);
    if (f->number != 1 || !f->is_bytes)
        return MT_OK;
    m = rongcloud__query_receipt_resp_item__unpack(&allocator, f->len, f->bytes);
    if (m == NULL)
        return damaged(l);
    if (m->msgid != NULL && l->id != NULL && strcmp(m->msgid, l->id) != 0)
        return MT_OK;
    out->total = m->has_totalcnt ? m->totalcnt : -1;
    out->read = m->has_readcnt ? m->readcnt : -1;
    return users(l, m->readuser, m->n_readuser);
}

enum mt_rc mt_rong_readers_v5_parse(const void *p, size_t len, const char *id,
                                    struct mt_arena *arena, struct mt_rong_readers_out *out,
                                    struct mt_fault *fault)
{
    static const struct mt_rong_shape shape = {"readers", 2, 3};
    struct listing l = {&shape, NULL, arena, id, out, fault};

    *out = (struct mt_rong_readers_out){.total = -1, .read = -1};
    return mt_rong_walk_answer(&shape, p, len, readers_field, &l, fault);
}

/* The verb conversations. A page takes several requests, one after the other: what is pinned
 * (pullSeAtts), what is unread where the cloud counts it (pullSe), then the list itself. Where the
 * app has ultra groups in the list (5.2, memory mode) the whole of it is read at once, their
 * default channels with it (5.4). */
#include "provider/rongcloud/listing_int.h"

#include "base/arena.h"
#include "base/map.h"
#include "base/mem.h"
#include "provider/rongcloud/list_int.h"

#include <stdlib.h>
#include <string.h>

#define PAGES_MAX 10000 /* of one list, before it is taken for a circle */

enum stage { SETTINGS, UNREAD, LIST, PINNED, ULTRA, DONE };

struct list_call {
    struct mt_rong_call base; /* first */
    enum stage stage;
    struct mt_rong_list_ask ask;
    size_t limit;
    bool pinned_only, whole, more_at_once;
    struct mt_rong_marks *marks;
    struct mt_arena *arena;
    const char *page_token; /* of pullSe */
    const struct mt_rong_mark **pins;
    size_t pins_n, pins_at;
    int64_t ultra_ms;
    unsigned pages_n;
    struct mt_conversation *items;
    size_t n, cap;
    struct mt_conversations_page page;
    mt_rong_list_fn *done;
    void *ud;
};

static char *unconst(const char *s)
{
    return (char *)(uintptr_t)s;
}

/* ---------------------------------------------------------------- requests */

static enum mt_rc pack_settings(struct mt_rong_packet *out, struct mt_fault *fault)
{
    Rongcloud__SessionReq m = RONGCLOUD__SESSION_REQ__INIT;

    mt_rong_packet_begin(out, "pullSeAtts", NULL);
    return mt_rong_packet_end(out, &m.base, fault);
}

static enum mt_rc pack_unread(const struct list_call *call, struct mt_rong_packet *out,
                              struct mt_fault *fault)
{
    Rongcloud__SessionQryInput m = RONGCLOUD__SESSION_QRY_INPUT__INIT;

    mt_rong_packet_begin(out, "pullSe", NULL);
    m.has_version = true;
    m.has_compress = true;
    m.compress = true;
    m.pagetoken = unconst(call->page_token);
    return mt_rong_packet_end(out, &m.base, fault);
}

static enum mt_rc pack_pinned(const struct list_call *call, const struct mt_rong_navi *navi,
                              struct mt_rong_packet *out, struct mt_fault *fault)
{
    Rongcloud__RelationDelBatchReq m = RONGCLOUD__RELATION_DEL_BATCH_REQ__INIT;
    size_t n = call->pins_n - call->pins_at;
    Rongcloud__RelationOpInput *list = NULL;
    Rongcloud__RelationOpInput **of = NULL;

    if (n > MT_RONG_BATCH_MAX)
        n = MT_RONG_BATCH_MAX;
    list = mt_arena_calloc(call->arena, n + 1, sizeof *list);
    of = mt_arena_calloc(call->arena, n + 1, sizeof(Rongcloud__RelationOpInput *));
    if (list == NULL || of == NULL)
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    for (size_t i = 0; i < n; i++) {
        const struct mt_conversation_ref *ref = &call->pins[call->pins_at + i]->ref;
        const char *channel = mt_rong_channel(navi, ref);
        const char *target = NULL;

        rongcloud__relation_op_input__init(&list[i]);
        list[i].conversationtype = (Rongcloud__ChannelType)mt_rong_ref_type(ref, &target);
        list[i].conversationid = unconst(target);
        list[i].buschannel = unconst(channel ? channel : "");
        of[i] = &list[i];
    }
    mt_rong_packet_begin(out, "qryRLBatch", NULL);
    m.relation = of;
    m.n_relation = n;
    return mt_rong_packet_end(out, &m.base, fault);
}

static enum mt_rc pack_ultra(const struct list_call *call, struct mt_rong_packet *out,
                             struct mt_fault *fault)
{
    Rongcloud__UltraGrpPullSes m = RONGCLOUD__ULTRA_GRP_PULL_SES__INIT;

    mt_rong_packet_begin(out, "pullUgSes", NULL);
    m.synctime = call->ultra_ms;
    m.has_iserasemsgcontent = true;
    return mt_rong_packet_end(out, &m.base, fault);
}

static enum mt_rc pack(struct list_call *call, const struct mt_rong_navi *navi,
                       struct mt_rong_packet *out, struct mt_fault *fault)
{
    if (call->stage == LIST) {
        call->ask.count = call->more_at_once ? MT_RONG_LIST_MAX : (int)call->limit;
        return mt_rong_list_pack(&call->ask, out, fault);
    }
    memset(out, 0, sizeof *out);
    mt_buf_init(&out->payload, (size_t)256 * 1024);
    out->request.reads = true;
    switch (call->stage) {
    case SETTINGS:
        return pack_settings(out, fault);
    case UNREAD:
        return pack_unread(call, out, fault);
    case PINNED:
        return pack_pinned(call, navi, out, fault);
    default:
        return pack_ultra(call, out, fault);
    }
}

/* ---------------------------------------------------------------- what is listed */

static enum mt_rc add(struct list_call *call, const struct mt_rong_relation *relation,
                      struct mt_fault *fault)
{
    if (call->n == call->cap) {
        size_t cap = call->cap == 0 ? 64 : call->cap * 4;
        struct mt_conversation *items = mt_arena_alloc(call->arena, cap * sizeof *items);

        if (items == NULL)
            return mt_fault_set(fault, MT_ERR_LIMIT, "conversations.too_large",
                                "the conversation list is larger than any list can be");
        if (call->n > 0)
            memcpy(items, call->items, call->n * sizeof *items);
        call->items = items;
        call->cap = cap;
    }
    mt_rong_list_item(relation, call->marks, &call->items[call->n++]);
    return MT_OK;
}

static bool listed(const struct list_call *call, const struct mt_conversation_ref *ref)
{
    for (size_t i = 0; i < call->n; i++)
        if (call->items[i].ref.kind == ref->kind &&
            strcmp(call->items[i].ref.target, ref->target) == 0 &&
            strcmp(call->items[i].ref.channel, ref->channel) == 0)
            return true;
    return false;
}

static bool note_pin(void *ud, const char *key, void *value)
{
    struct list_call *call = ud;
    const struct mt_rong_mark *mark = value;

    (void)key;
    if (mark->top && mark->ref.target[0] != '\0')
        call->pins[call->pins_n++] = mark;
    return true;
}

static int by_time(const void *a, const void *b)
{
    const struct mt_rong_mark *one = *(const struct mt_rong_mark *const *)a;
    const struct mt_rong_mark *two = *(const struct mt_rong_mark *const *)b;

    return one->top_ms == two->top_ms ? 0 : one->top_ms > two->top_ms ? -1 : 1;
}

/* After the marks are there: what is asked for next. */
static enum mt_rc begin_list(struct list_call *call, const struct mt_rong_navi *navi,
                             struct mt_fault *fault)
{
    call->whole = navi->ultra && navi->ultra_in_list && !call->pinned_only;
    call->stage = call->pinned_only ? PINNED : LIST;
    if (call->whole)
        call->limit = MT_RONG_LIST_MAX;
    if (!call->pinned_only)
        return MT_OK;
    call->pins = mt_arena_calloc(call->arena, mt_map_count(call->marks->by) + 1,
                                 sizeof(const struct mt_rong_mark *));
    if (call->pins == NULL)
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    mt_map_each(call->marks->by, note_pin, call);
    qsort(call->pins, call->pins_n, sizeof *call->pins, by_time);
    if (call->pins_n == 0)
        call->stage = DONE;
    return MT_OK;
}

static int newest_first(const void *a, const void *b)
{
    const struct mt_conversation *one = a, *two = b;
    int64_t t1 = one->last ? one->last->time_ms : 0, t2 = two->last ? two->last->time_ms : 0;

    return t1 == t2 ? 0 : t1 > t2 ? -1 : 1;
}

static int oldest_first(const void *a, const void *b)
{
    return newest_first(b, a);
}

static void end_list(struct list_call *call)
{
    struct mt_conversations_page *page = &call->page;

    if (call->whole && call->n > 0)
        qsort(call->items, call->n, sizeof *call->items,
              call->ask.oldest_first ? oldest_first : newest_first);
    page->items = call->items;
    page->n = call->n;
    page->form = call->ask.oldest_first ? "oldest" : "newest";
    call->stage = DONE;
    if (page->cursor == NULL && !call->pinned_only &&
        call->ask.given + call->n >= MT_RONG_LIST_MAX) {
        page->truncated = true;
        page->warning = "the cloud keeps 1000 conversations for a user and drops the least active: "
                        "there may have been others. Name them yourself";
    }
}

/* ---------------------------------------------------------------- answers */

static enum mt_rc take_settings(struct list_call *call, const struct mt_rong_answer *answer,
                                const struct mt_rong_navi *navi, struct mt_fault *fault)
{
    struct mt_rong_states_out states;
    enum mt_rc rc = mt_rong_states_parse(answer->payload, answer->len, call->arena, &states, fault);

    if (rc == MT_OK && mt_rong_marks_states(call->marks, &states) != MT_OK)
        rc = mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    if (rc != MT_OK)
        return rc;
    call->stage = UNREAD;
    return navi->server_unread ? MT_OK : begin_list(call, navi, fault);
}

static enum mt_rc take_unread(struct list_call *call, const struct mt_rong_answer *answer,
                              const struct mt_rong_navi *navi, struct mt_fault *fault)
{
    struct mt_rong_unreads_out unreads;
    const char *before = call->page_token;
    enum mt_rc rc =
        mt_rong_unreads_parse(answer->payload, answer->len, call->arena, &unreads, fault);

    if (rc == MT_OK && mt_rong_marks_unreads(call->marks, &unreads) != MT_OK)
        rc = mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    if (rc != MT_OK)
        return rc;
    call->page_token = unreads.page_token;
    if (call->page_token != NULL && *call->page_token != '\0') {
        if ((before != NULL && strcmp(before, call->page_token) == 0) ||
            ++call->pages_n > PAGES_MAX)
            return mt_fault_set(fault, MT_ERR_PROTOCOL, "conversations.stuck",
                                "the pages of the unread counts do not move on");
        return MT_OK;
    }
    call->marks->unread = true;
    return begin_list(call, navi, fault);
}

static enum mt_rc take_list(struct list_call *call, struct mt_rong_relations_out *out,
                            struct mt_fault *fault)
{
    const char *cursor = NULL;
    bool again = false;
    enum mt_rc rc =
        mt_rong_list_page(&call->ask, call->limit, out, call->arena, &cursor, &again, fault);

    for (size_t i = 0; rc == MT_OK && i < out->n; i++)
        if (!listed(call, &out->items[i].ref))
            rc = add(call, &out->items[i], fault);
    call->more_at_once = again;
    if (rc != MT_OK || again)
        return rc;
    if (!call->whole) {
        call->page.cursor = cursor;
        end_list(call);
        return MT_OK;
    }
    if (cursor == NULL) {
        call->stage = ULTRA;
        return MT_OK;
    }
    if (++call->pages_n > PAGES_MAX)
        return mt_fault_set(fault, MT_ERR_PROTOCOL, "conversations.stuck",
                            "the conversation list does not come to an end");
    call->ask = (struct mt_rong_list_ask){.oldest_first = call->ask.oldest_first};
    return mt_rong_list_read_cursor(cursor, call->arena, &call->ask, fault);
}

/* In the order in which they were pinned; one that the cloud has no message of is listed, too. */
static enum mt_rc take_pinned(struct list_call *call, const struct mt_rong_relations_out *out,
                              struct mt_fault *fault)
{
    size_t n = call->pins_n - call->pins_at;
    enum mt_rc rc = MT_OK;

    if (n > MT_RONG_BATCH_MAX)
        n = MT_RONG_BATCH_MAX;
    for (size_t i = 0; rc == MT_OK && i < n; i++) {
        const struct mt_conversation_ref *ref = &call->pins[call->pins_at + i]->ref;
        struct mt_rong_relation bare = {.ref = *ref, .unread = -1};
        const struct mt_rong_relation *found = &bare;

        for (size_t k = 0; k < out->n; k++)
            if (out->items[k].ref.kind == ref->kind &&
                strcmp(out->items[k].ref.target, ref->target) == 0 &&
                strcmp(out->items[k].ref.channel, ref->channel) == 0)
                found = &out->items[k];
        rc = add(call, found, fault);
    }
    call->pins_at += n;
    if (rc == MT_OK && call->pins_at == call->pins_n)
        end_list(call);
    return rc;
}

/* Sub-channels have histories of their own, but no place in this list (5.4, seed 003). */
static enum mt_rc take_ultra(struct list_call *call, const struct mt_rong_relations_out *out,
                             struct mt_fault *fault)
{
    int64_t last_ms = call->ultra_ms;
    enum mt_rc rc = MT_OK;

    for (size_t i = 0; rc == MT_OK && i < out->n; i++) {
        const struct mt_rong_relation *item = &out->items[i];

        if (item->version_ms > last_ms)
            last_ms = item->version_ms;
        if (item->ref.kind == MT_CONVERSATION_ULTRA &&
            strcmp(item->ref.channel, MT_RONG_DEFAULT_CHANNEL) == 0 && !listed(call, &item->ref))
            rc = add(call, item, fault);
    }
    if (rc != MT_OK)
        return rc;
    if (!out->has_finished || out->finished || out->seen == 0) {
        end_list(call);
        return MT_OK;
    }
    if (last_ms == call->ultra_ms || ++call->pages_n > PAGES_MAX)
        return mt_fault_set(fault, MT_ERR_PROTOCOL, "conversations.stuck",
                            "the list of ultra groups does not come to an end");
    call->ultra_ms = last_ms;
    return MT_OK;
}

static enum mt_rc take_relations(struct list_call *call, const struct mt_rong_answer *answer,
                                 struct mt_fault *fault)
{
    struct mt_rong_decoder decoder = {.user = call->base.life.account->user,
                                      .scratch = mt_arena_new(MT_RONG_SCRATCH_MAX)};
    struct mt_rong_relations_out *out = mt_arena_calloc(call->arena, 1, sizeof *out);
    enum mt_rc rc = MT_ERR_NOMEM;

    if (decoder.scratch != NULL && out != NULL)
        rc = mt_rong_relations_parse(&decoder, answer->payload, answer->len, call->arena, out,
                                     fault);
    else
        (void)mt_fault_set(fault, rc, "memory", "out of memory");
    mt_arena_free(decoder.scratch);
    if (rc != MT_OK)
        return rc;
    if (call->stage == LIST)
        return take_list(call, out, fault);
    return call->stage == PINNED ? take_pinned(call, out, fault) : take_ultra(call, out, fault);
}

/* ---------------------------------------------------------------- the call */

static void list_step(struct mt_provider_call *life)
{
    struct list_call *call = (struct list_call *)life;
    struct mt_rong_packet packet;
    struct mt_fault fault = {.kind = MT_OK};
    enum mt_rc rc = pack(call, &life->account->navi, &packet, &fault);

    if (rc == MT_OK)
        mt_rong_ask(life, &packet.request);
    else
        mt_call_end_soon(life, rc, &fault);
    mt_rong_packet_deinit(&packet);
}

static void list_answer(struct mt_provider_call *life, const struct mt_rong_answer *answer,
                        const struct mt_fault *cause)
{
    struct list_call *call = (struct list_call *)life;
    const struct mt_rong_navi *navi = &life->account->navi;
    struct mt_fault fault = {.kind = MT_OK};
    enum mt_rc rc = MT_OK;

    if (cause != NULL) {
        mt_call_end(life, cause->kind, cause);
        return;
    }
    if (call->stage == SETTINGS)
        rc = take_settings(call, answer, navi, &fault);
    else if (call->stage == UNREAD)
        rc = take_unread(call, answer, navi, &fault);
    else
        rc = take_relations(call, answer, &fault);
    if (rc == MT_OK && call->stage == DONE && call->page.form == NULL)
        end_list(call);
    if (rc != MT_OK || call->stage == DONE)
        mt_call_end(life, rc, rc != MT_OK ? &fault : NULL);
    else
        mt_rong_again(life);
}

static void list_finish(struct mt_provider_call *life, enum mt_rc rc, const struct mt_fault *fault)
{
    struct list_call *call = (struct list_call *)life;

    call->done(call->ud, rc, rc == MT_OK ? &call->page : NULL, rc == MT_OK ? NULL : fault);
}

static void list_release(struct mt_provider_call *life)
{
    struct list_call *call = (struct list_call *)life;

    mt_rong_marks_free(call->marks);
    mt_arena_free(call->arena);
}

static enum mt_rc check(struct list_call *call, const struct mt_conversations_query *query,
                        struct mt_fault *fault)
{
    if (query->form != NULL && strcmp(query->form, "newest") != 0 &&
        strcmp(query->form, "oldest") != 0)
        return mt_fault_set(fault, MT_ERR_INVALID, "conversations.form",
                            "'%s' is no form of the conversation list; known are newest, oldest",
                            query->form);
    if (query->limit < 0 || query->limit > MT_RONG_LIST_MAX)
        return mt_fault_set(fault, MT_ERR_INVALID, "conversations.limit",
                            "a page of the conversation list holds 1 to %d conversations",
                            MT_RONG_LIST_MAX);
    if (query->mark >= 0)
        return mt_fault_set(fault, MT_ERR_UNSUPPORTED, "conversations.mark",
                            "RongCloud has no marks of conversations");
    call->ask.oldest_first = query->form != NULL && strcmp(query->form, "oldest") == 0;
    call->limit = query->limit > 0 ? (size_t)query->limit : MT_RONG_LIST_MAX;
    call->pinned_only = query->pinned_only;
    return mt_rong_list_read_cursor(query->cursor, call->arena, &call->ask, fault);
}

enum mt_rc mt_rong_conversations(struct mt_provider_account *account,
                                 const struct mt_conversations_query *query, mt_rong_list_fn *done,
                                 void *ud, struct mt_provider_call **out)
{
    struct list_call *call = mt_mem_calloc(1, sizeof *call);
    struct mt_fault fault = {.kind = MT_OK};
    enum mt_rc rc = MT_OK;

    if (out != NULL)
        *out = NULL;
    if (call == NULL)
        return MT_ERR_NOMEM;
    call->base.life.step = list_step;
    call->base.life.finish = list_finish;
    call->base.life.release = list_release;
    call->base.answer = list_answer;
    call->base.verb = "conversations";
    call->done = done;
    call->ud = ud;
    call->arena = mt_arena_new(MT_RONG_PAGE_ARENA_MAX);
    call->marks = mt_rong_marks_new();
    if (call->arena == NULL || call->marks == NULL) {
        list_release(&call->base.life);
        mt_mem_free(call);
        return MT_ERR_NOMEM;
    }
    rc = check(call, query, &fault);
    rc = rc == MT_OK ? mt_call_start(&account->calls, &call->base.life)
                     : mt_call_fail(&account->calls, &call->base.life, rc, &fault);
    if (rc == MT_OK && out != NULL)
        *out = &call->base.life;
    return rc;
}

/* Who has read a group's message, asked as the version of receipts wants it (rongcloud.md 3, 4.7):
 * all at once, or by pages. */
#include "provider/rongcloud/send_int.h"

#include "base/arena.h"
#include "base/mem.h"
#include "provider/rongcloud/map_int.h"
#include "provider/rongcloud/page_int.h"

#include <string.h>

#define ARENA_MAX   ((size_t)16 * 1024 * 1024)
#define PAYLOAD_MAX ((size_t)16 * 1024)
#define PAGE_MAX_N  100
#define CURSOR_MAX  512

/* What grpRRVer announces (1.2). */
enum { RECEIPTS_V1 = 0, RECEIPTS_V2 = 1, RECEIPTS_V4 = 3, RECEIPTS_V5 = 4 };

struct readers_call {
    struct mt_rong_call base; /* first */
    struct mt_conversation_ref group;
    char id[MT_ID_MAX];
    char cursor[CURSOR_MAX];
    int limit;
    int version; /* that the request was of */
    struct mt_arena *arena;
    struct mt_readers_page page;
    mt_readers_fn *done;
    void *ud;
};

static char *unconst(const char *s)
{
    return (char *)(uintptr_t)s;
}

/* ---------------------------------------------------------------- the request */

static enum mt_rc v2(const struct mt_conversation_ref *group, const char *id,
                     struct mt_rong_packet *out, struct mt_fault *fault)
{
    Rongcloud__GrpReadReceiptQryReq m = RONGCLOUD__GRP_READ_RECEIPT_QRY_REQ__INIT;
    char *ids[] = {unconst(id)};

    mt_rong_packet_begin(out, "rrList", group->target);
    m.msgid = ids;
    m.n_msgid = 1;
    m.channelid = unconst("");
    return mt_rong_packet_end(out, &m.base, fault);
}

static enum mt_rc v4(const struct mt_conversation_ref *group, const char *id, const char *channel,
                     struct mt_rong_packet *out, struct mt_fault *fault)
{
    Rongcloud__ReceiptQryReq m = RONGCLOUD__RECEIPT_QRY_REQ__INIT;

    mt_rong_packet_begin(out, "qryMsgRead", group->target);
    m.msgid = unconst(id);
    m.buschannel = unconst(channel ? channel : "");
    m.targetid = unconst(group->target);
    return mt_rong_packet_end(out, &m.base, fault);
}

static enum mt_rc v5(const struct mt_conversation_ref *group, const char *id, const char *channel,
                     const char *cursor, int limit, struct mt_rong_packet *out,
                     struct mt_fault *fault)
{
    Rongcloud__QueryReceiptReq m = RONGCLOUD__QUERY_RECEIPT_REQ__INIT;
    char *ids[] = {unconst(id)};
    const char *target = NULL;

    mt_rong_packet_begin(out, "qryReceipt", id);
    m.has_type = true;
    m.type = mt_rong_ref_type(group, &target);
    m.targetid = unconst(target);
    m.buschannel = unconst(channel);
    m.msgids = ids;
    m.n_msgids = 1;
    m.has_qrytype = true; /* users, who have read it, by pages, the first reader first */
    m.qrytype = 1;
    m.has_order = true;
    m.order = 1;
    m.has_compress = true;
    m.compress = true;
    m.has_readtype = true;
    m.readtype = 1;
    m.has_pagetype = true;
    m.pagetype = 1;
    m.has_pagesize = true;
    m.pagesize = limit > 0 && limit < PAGE_MAX_N ? limit : PAGE_MAX_N;
    m.pagetoken = unconst(cursor ? cursor : "");
    return mt_rong_packet_end(out, &m.base, fault);
}

enum mt_rc mt_rong_readers_pack(const struct mt_rong_navi *navi,
                                const struct mt_conversation_ref *group, const char *id,
                                const char *cursor, int limit, struct mt_rong_packet *out,
                                struct mt_fault *fault)
{
    const char *channel = mt_rong_channel(navi, group);

    memset(out, 0, sizeof *out);
    mt_buf_init(&out->payload, PAYLOAD_MAX);
    out->request.reads = true;
    if (group->kind != MT_CONVERSATION_GROUP && navi->receipts != RECEIPTS_V5)
        return mt_fault_set(fault, MT_ERR_UNSUPPORTED, "unsupported",
                            "the cloud tells who has read a message in groups only");
    switch (navi->receipts) {
    case RECEIPTS_V2:
        return v2(group, id, out, fault);
    case RECEIPTS_V4:
        return v4(group, id, channel, out, fault);
    case RECEIPTS_V5:
        return v5(group, id, channel, cursor, limit, out, fault);
    default:
        return mt_fault_set(fault, MT_ERR_UNSUPPORTED, "unsupported",
                            "the app has the first version of read receipts, which the cloud "
                            "keeps no list of: they come one by one, as the event read");
    }
}

/* ---------------------------------------------------------------- the call */

static void step(struct mt_provider_call *life)
{
    struct readers_call *call = (struct readers_call *)life;
    const struct mt_rong_navi *navi = &life->account->navi;
    struct mt_rong_packet packet;
    struct mt_fault fault = {.kind = MT_OK};
    enum mt_rc rc = mt_rong_readers_pack(navi, &call->group, call->id, call->cursor, call->limit,
                                         &packet, &fault);

    call->version = navi->receipts;
    if (rc == MT_OK)
        mt_rong_ask(life, &packet.request);
    else
        mt_call_end_soon(life, rc, &fault);
    mt_rong_packet_deinit(&packet);
}

static enum mt_rc parse(struct readers_call *call, const struct mt_rong_answer *answer,
                        struct mt_rong_readers_out *out, struct mt_fault *fault)
{
    if (call->version == RECEIPTS_V2)
        return mt_rong_readers_v2_parse(answer->payload, answer->len, call->arena, out, fault);
    if (call->version == RECEIPTS_V4)
        return mt_rong_readers_v4_parse(answer->payload, answer->len, call->arena, out, fault);
    return mt_rong_readers_v5_parse(answer->payload, answer->len, call->id, call->arena, out,
                                    fault);
}

static enum mt_rc take(struct readers_call *call, const struct mt_rong_readers_out *out,
                       struct mt_fault *fault)
{
    struct mt_reader_of *items = mt_arena_calloc(call->arena, out->n + 1, sizeof *items);

    if (items == NULL)
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    for (size_t i = 0; i < out->n; i++)
        items[i] = (struct mt_reader_of){out->items[i].user, out->items[i].time_ms};
    call->page.items = items;
    call->page.n = out->n;
    call->page.total = out->read;
    if (out->page_token == NULL || *out->page_token == '\0')
        return MT_OK;
    /* A token that does not move would be asked for without end. */
    if (strlen(out->page_token) >= CURSOR_MAX || strcmp(out->page_token, call->cursor) == 0)
        return mt_fault_set(fault, MT_ERR_PROTOCOL, "readers.malformed",
                            "the cloud's list of readers does not go on: its page token is the "
                            "one that was asked for, or too long");
    call->page.cursor = out->page_token;
    return MT_OK;
}

static void answered(struct mt_provider_call *life, const struct mt_rong_answer *answer,
                     const struct mt_fault *fault)
{
    struct readers_call *call = (struct readers_call *)life;
    struct mt_rong_readers_out out;
    struct mt_fault own = {.kind = MT_OK};
    enum mt_rc rc = MT_OK;

    if (fault != NULL) {
        mt_call_end(life, fault->kind, fault);
        return;
    }
    rc = parse(call, answer, &out, &own);
    if (rc == MT_OK)
        rc = take(call, &out, &own);
    mt_call_end(life, rc, rc != MT_OK ? &own : NULL);
}

static void finish(struct mt_provider_call *life, enum mt_rc rc, const struct mt_fault *fault)
{
    struct readers_call *call = (struct readers_call *)life;

    call->done(call->ud, rc, rc != MT_OK ? NULL : &call->page, rc != MT_OK ? fault : NULL);
}

static void release(struct mt_provider_call *life)
{
    mt_arena_free(((struct readers_call *)life)->arena);
}

static enum mt_rc take_request(struct readers_call *call, const struct mt_message_key *message,
                               const char *cursor, struct mt_fault *fault)
{
    if (!mt_id_is(message->id) || strlen(message->id) >= sizeof call->id)
        return mt_fault_set(fault, MT_ERR_INVALID, "message.id", "the message has no id");
    if (cursor != NULL && strlen(cursor) >= sizeof call->cursor)
        return mt_fault_set(fault, MT_ERR_INVALID, "readers.cursor",
                            "the cursor is none of this cloud's");
    memcpy(call->id, message->id, strlen(message->id) + 1);
    if (cursor != NULL)
        memcpy(call->cursor, cursor, strlen(cursor) + 1);
    return MT_OK;
}

enum mt_rc mt_rong_readers(struct mt_provider_account *account,
                           const struct mt_conversation_ref *group,
                           const struct mt_message_key *message, const char *cursor, int limit,
                           mt_readers_fn *done, void *ud, struct mt_provider_call **out)
{
    struct readers_call *call = mt_mem_calloc(1, sizeof *call);
    struct mt_fault fault = {.kind = MT_OK};
    enum mt_rc rc = MT_OK;

    if (call == NULL)
        return MT_ERR_NOMEM;
    call->base.life.step = step;
    call->base.life.finish = finish;
    call->base.life.release = release;
    call->base.answer = answered;
    call->base.verb = "readers";
    call->group = *group;
    call->limit = limit;
    call->done = done;
    call->ud = ud;
    rc = take_request(call, message, cursor, &fault);
    call->arena = mt_arena_new(ARENA_MAX);
    if (call->arena == NULL)
        rc = mt_fault_set(&fault, MT_ERR_NOMEM, "memory", "out of memory");
    rc = rc != MT_OK ? mt_call_fail(&account->calls, &call->base.life, rc, &fault)
                     : mt_call_start(&account->calls, &call->base.life);
    if (out != NULL)
        *out = rc != MT_OK ? NULL : &call->base.life;
    return rc;
}

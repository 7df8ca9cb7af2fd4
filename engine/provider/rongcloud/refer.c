/* References to messages and conversations: receipts, read times, recalls and edits
 * (rongcloud.md 4.6, 4.7). */
#include "provider/rongcloud/outgoing_int.h"

#include "base/arena.h"
#include "codec/json.h"
#include "provider/rongcloud/content_int.h"
#include "provider/rongcloud/map_int.h"

#include <string.h>

#define JSON_MAX ((size_t)64 * 1024)

/* What grpRRVer announces (1.2). */
enum { RECEIPTS_V1 = 0, RECEIPTS_V2 = 1, RECEIPTS_V4 = 3, RECEIPTS_V5 = 4 };

static char *unconst(const char *s)
{
    return (char *)(uintptr_t)s;
}

static enum mt_rc bad(struct mt_rong_packet *out, struct mt_fault *fault, const char *code,
                      const char *why)
{
    memset(out, 0, sizeof *out);
    return mt_fault_set(fault, MT_ERR_INVALID, code, "%s", why);
}

static void key_str(struct mt_jsonw *w, const char *key, const char *s)
{
    mt_jsonw_key(w, key);
    mt_jsonw_str(w, s);
}

static void key_int(struct mt_jsonw *w, const char *key, int64_t i)
{
    mt_jsonw_key(w, key);
    mt_jsonw_i64(w, i);
}

static void key_bool(struct mt_jsonw *w, const char *key, bool b)
{
    mt_jsonw_key(w, key);
    mt_jsonw_bool(w, b);
}

static void query(struct mt_rong_packet *out, const char *topic, const char *target)
{
    memset(out, 0, sizeof *out);
    mt_buf_init(&out->payload, JSON_MAX * 4);
    mt_rong_packet_begin(out, topic, target);
}

/* ---------------------------------------------------------------- a message was read */

/* To a single chat's sender: all until then was read. */
static enum mt_rc read_single(const struct mt_rong_sender *sender, const struct mt_reference *r,
                              struct mt_rong_packet *out, struct mt_fault *fault)
{
    struct mt_buf content;
    struct mt_jsonw w;
    enum mt_rc rc = MT_OK;

    if (r->message.time_ms <= 0)
        return bad(out, fault, "read.time",
                   "RongCloud wants to know the time of the message that was read");
    mt_buf_init(&content, JSON_MAX);
    mt_jsonw_init(&w, &content);
    mt_jsonw_object(&w);
    key_str(&w, "messageUId", r->message.id);
    key_int(&w, "lastMessageSendTime", r->message.time_ms);
    key_int(&w, "type", 1);
    mt_jsonw_object_end(&w);
    rc = mt_rong_instruct(sender, &r->conversation, "RC:ReadNtf", &content, NULL, out, fault);
    mt_buf_deinit(&content);
    return rc;
}

static enum mt_rc read_v1(const struct mt_rong_sender *sender, const struct mt_reference *r,
                          struct mt_rong_packet *out, struct mt_fault *fault)
{
    struct mt_buf content;
    struct mt_jsonw w;
    enum mt_rc rc = MT_OK;

    if (r->message.from == NULL || *r->message.from == '\0')
        return bad(out, fault, "read.from",
                   "RongCloud wants to know who sent the message that was read");
    mt_buf_init(&content, JSON_MAX);
    mt_jsonw_init(&w, &content);
    mt_jsonw_object(&w);
    mt_jsonw_key(&w, "receiptMessageDic");
    mt_jsonw_object(&w);
    mt_jsonw_key(&w, r->message.from);
    mt_jsonw_array(&w);
    mt_jsonw_str(&w, r->message.id);
    mt_jsonw_array_end(&w);
    mt_jsonw_object_end(&w);
    mt_jsonw_object_end(&w);
    rc = mt_rong_instruct(sender, &r->conversation, "RC:RRRspMsg", &content, r->message.from, out,
                          fault);
    mt_buf_deinit(&content);
    return rc;
}

static enum mt_rc read_v2(const struct mt_reference *r, const char *channel,
                          struct mt_rong_packet *out, struct mt_fault *fault)
{
    Rongcloud__GrpReadReceiptMsg m = RONGCLOUD__GRP_READ_RECEIPT_MSG__INIT;
    char *ids[] = {unconst(r->message.id)};

    query(out, "rrMsg", r->conversation.target);
    m.msgid = ids;
    m.n_msgid = 1;
    m.channelid = unconst(channel);
    return mt_rong_packet_end(out, &m.base, fault);
}

static enum mt_rc read_v4(const struct mt_reference *r, const char *channel,
                          struct mt_rong_packet *out, struct mt_fault *fault)
{
    Rongcloud__ReadReceiptMsg m = RONGCLOUD__READ_RECEIPT_MSG__INIT;
    const char *target = NULL;

    m.type = (Rongcloud__ChannelType)mt_rong_ref_type(&r->conversation, &target);
    query(out, "sendMsgRead", target);
    out->request.publish = true;
    out->request.qos0 = true;
    m.targetid = unconst(target);
    m.buschannel = unconst(channel);
    m.startmsgid = unconst("");
    m.endmsgid = unconst(r->message.id);
    return mt_rong_packet_end(out, &m.base, fault);
}

static enum mt_rc read_v5(const struct mt_reference *r, const char *channel,
                          struct mt_rong_packet *out, struct mt_fault *fault)
{
    Rongcloud__ReadReceipt m = RONGCLOUD__READ_RECEIPT__INIT;
    char *ids[] = {unconst(r->message.id)};
    const char *target = NULL;

    query(out, "readReceipt", r->message.id);
    m.has_type = true;
    m.type = mt_rong_ref_type(&r->conversation, &target);
    m.targetid = unconst(target);
    m.channelid = unconst(channel);
    m.has_readtype = true;
    m.msgids = ids;
    m.n_msgids = 1;
    return mt_rong_packet_end(out, &m.base, fault);
}

static enum mt_rc was_read(const struct mt_rong_sender *sender, const struct mt_reference *r,
                           struct mt_rong_packet *out, struct mt_fault *fault)
{
    const char *channel = mt_rong_channel(sender->navi, &r->conversation);

    if (!mt_id_is(r->message.id))
        return bad(out, fault, "message.id", "which message was read is not said");
    if (sender->unasked && r->conversation.kind == MT_CONVERSATION_SINGLE)
        return read_single(sender, r, out, fault);
    if (sender->navi->receipts == RECEIPTS_V5)
        return read_v5(r, channel, out, fault);
    if (sender->navi->receipts == RECEIPTS_V4)
        return read_v4(r, channel, out, fault);
    if (r->conversation.kind != MT_CONVERSATION_GROUP)
        return read_single(sender, r, out, fault);
    return sender->navi->receipts == RECEIPTS_V2 ? read_v2(r, channel, out, fault)
                                                 : read_v1(sender, r, out, fault);
}

enum mt_rc mt_rong_receipt_request_pack(const struct mt_rong_sender *sender,
                                        const struct mt_conversation_ref *to, const char *id,
                                        struct mt_rong_packet *out, struct mt_fault *fault)
{
    struct mt_buf content;
    struct mt_jsonw w;
    enum mt_rc rc = MT_OK;

    mt_buf_init(&content, JSON_MAX);
    mt_jsonw_init(&w, &content);
    mt_jsonw_object(&w);
    key_str(&w, "messageUId", id);
    mt_jsonw_object_end(&w);
    rc = mt_rong_instruct(sender, to, "RC:RRReqMsg", &content, NULL, out, fault);
    mt_buf_deinit(&content);
    return rc;
}

/* ---------------------------------------------------------------- a conversation was read */

static enum mt_rc read_time(const struct mt_rong_sender *sender, const struct mt_reference *r,
                            int64_t until_ms, struct mt_rong_packet *out, struct mt_fault *fault)
{
    Rongcloud__SessionMsgReadInput m = RONGCLOUD__SESSION_MSG_READ_INPUT__INIT;
    const char *channel = mt_rong_channel(sender->navi, &r->conversation);
    const char *target = NULL;
    bool ultra = r->conversation.kind == MT_CONVERSATION_ULTRA;

    query(out, ultra ? "updUgRTime" : "updRTime", NULL);
    out->request.publish = true;
    out->request.qos0 = !ultra;
    m.type = (Rongcloud__ChannelType)mt_rong_ref_type(&r->conversation, &target);
    m.msgtime = ultra ? sender->now_ms : until_ms; /* 5.1 */
    m.channelid = unconst(target);
    m.buschannel = unconst(channel ? channel : "");
    return mt_rong_packet_end(out, &m.base, fault);
}

/* The other devices of the user hear of it; the server, where it counts what is unread. */
static enum mt_rc all_read(const struct mt_rong_sender *sender, const struct mt_reference *r,
                           struct mt_rong_packet *out, struct mt_fault *fault)
{
    int64_t until_ms = r->message.time_ms > 0 ? r->message.time_ms : sender->now_ms;
    struct mt_buf content;
    struct mt_jsonw w;
    enum mt_rc rc = MT_OK;

    if (r->conversation.kind == MT_CONVERSATION_ULTRA ||
        (sender->navi->session_driven && !sender->navi->server_unread))
        return read_time(sender, r, until_ms, out, fault);
    if (sender->navi->server_unread)
        until_ms = sender->now_ms;
    mt_buf_init(&content, JSON_MAX);
    mt_jsonw_init(&w, &content);
    mt_jsonw_object(&w);
    key_int(&w, "lastMessageSendTime", until_ms);
    mt_jsonw_object_end(&w);
    rc =
        mt_rong_instruct(sender, &r->conversation, "RC:SRSMsg", &content, sender->user, out, fault);
    mt_buf_deinit(&content);
    return rc;
}

/* ---------------------------------------------------------------- a message is changed */

static enum mt_rc recall(const struct mt_rong_sender *sender, const struct mt_reference *r,
                         struct mt_rong_packet *out, struct mt_fault *fault)
{
    const char *channel = mt_rong_channel(sender->navi, &r->conversation);
    const char *target = NULL;
    int type = mt_rong_ref_type(&r->conversation, &target);
    struct mt_buf content;
    struct mt_jsonw w;
    enum mt_rc rc = MT_OK;

    if (!mt_id_is(r->message.id))
        return bad(out, fault, "message.id", "which message is recalled is not said");
    if (r->message.time_ms <= 0)
        return bad(out, fault, "recall.time",
                   "RongCloud wants to know the time of the message that is recalled");
    mt_buf_init(&content, JSON_MAX);
    mt_jsonw_init(&w, &content);
    mt_jsonw_object(&w);
    key_int(&w, "conversationType", type);
    key_str(&w, "targetId", target);
    key_str(&w, "messageUId", r->message.id);
    key_int(&w, "sentTime", r->message.time_ms);
    key_str(&w, "channelId", channel ? channel : "");
    key_bool(&w, "isDelete", false);
    key_bool(&w, "isAdmin", false);
    if (r->content != NULL && *r->content != '\0')
        key_str(&w, "extra", r->content);
    mt_jsonw_object_end(&w);
    rc = mt_rong_instruct(sender, &r->conversation, "RC:RcCmd", &content, NULL, out, fault);
    mt_buf_deinit(&content);
    return rc;
}

static enum mt_rc edit(const struct mt_rong_sender *sender, const struct mt_reference *r,
                       struct mt_rong_packet *out, struct mt_fault *fault)
{
    Rongcloud__MsgChangeReq m = RONGCLOUD__MSG_CHANGE_REQ__INIT;
    struct mt_buf content;
    const char *target = NULL;
    const char *name = NULL;
    enum mt_rc rc = MT_OK;

    if (!mt_id_is(r->message.id) || r->edit == NULL)
        return bad(out, fault, "message.id", "which message is edited, and how, is not said");
    query(out, "modifyMsg", NULL);
    mt_buf_init(&content, MT_RONG_CONTENT_MAX);
    rc = mt_rong_content_write(r->edit, &content, &name, fault);
    if (rc == MT_OK) {
        m.fromuserid = unconst(""); /* as the SDK does: the id is enough */
        m.type = (Rongcloud__ChannelType)mt_rong_ref_type(&r->conversation, &target);
        m.targetid = unconst(target);
        m.msguid = unconst(r->message.id);
        m.buschannel = unconst(mt_rong_channel(sender->navi, &r->conversation));
        m.has_content = true;
        m.content.data = (uint8_t *)content.data;
        m.content.len = content.len;
        rc = mt_rong_packet_end(out, &m.base, fault);
    }
    mt_buf_deinit(&content);
    return rc;
}

/* ---------------------------------------------------------------- chat rooms */

/* As the SDK enters and leaves a room; one that is not there is made, as its joinChatRoom does. */
static enum mt_rc room(const struct mt_reference *r, const char *topic, struct mt_rong_packet *out,
                       struct mt_fault *fault)
{
    Rongcloud__ChrmInput m = RONGCLOUD__CHRM_INPUT__INIT;

    if (r->conversation.kind != MT_CONVERSATION_ROOM) {
        memset(out, 0, sizeof *out);
        return mt_fault_set(fault, MT_ERR_UNSUPPORTED, "unsupported",
                            "only chat rooms are entered and left");
    }
    query(out, topic, r->conversation.target);
    m.nothing = 1;
    return mt_rong_packet_end(out, &m.base, fault);
}

enum mt_rc mt_rong_reference_pack(const struct mt_rong_sender *sender,
                                  const struct mt_reference *reference, struct mt_rong_packet *out,
                                  struct mt_fault *fault)
{
    switch (reference->type) {
    case MT_REFER_READ:
        return was_read(sender, reference, out, fault);
    case MT_REFER_CONVERSATION:
        return all_read(sender, reference, out, fault);
    case MT_REFER_RECALL:
        return recall(sender, reference, out, fault);
    case MT_REFER_EDIT:
        return edit(sender, reference, out, fault);
    case MT_REFER_DELIVERED:
        memset(out, 0, sizeof *out);
        return mt_fault_set(fault, MT_ERR_UNSUPPORTED, "unsupported",
                            "RongCloud's web protocol has no receipts of delivery");
    case MT_REFER_JOIN:
        return room(reference, "joinChrm", out, fault);
    case MT_REFER_LEAVE:
        return room(reference, "exitChrm", out, fault);
    }
    return bad(out, fault, "reference.kind", "there is no such reference");
}

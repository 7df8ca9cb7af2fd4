/* Messages and references as the bytes that go out: see outgoing_int.h. */
#include "provider/easemob/outgoing_int.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"
#include "provider/easemob/pack_int.h"

#include <string.h>

#define ARENA_MAX ((size_t)8 * 1024 * 1024)
#define EPOCH_MS  1264982400000 /* 2010-02-01, from which the SDK counts */

/* A meta under construction; what is not in here lies in the arena or is the caller's. */
struct packing {
    const struct mt_provider_account *account;
    struct mt_arena *arena;
    Easemob__Pb__Meta meta;
    Easemob__Pb__JID to, body_from, body_to;
    Easemob__Pb__MessageBody body;
    Easemob__Pb__MessageBody__MessageConfig config;
    Easemob__Pb__MessageBody__Content content;
    Easemob__Pb__MessageBody__Content *contents[1];
    Easemob__Pb__KeyValue pair;
    Easemob__Pb__KeyValue *pairs[1];
};

static char *unconst(const char *s)
{
    return (char *)(uintptr_t)s;
}

static void begin(struct packing *p, const struct mt_provider_account *account,
                  struct mt_arena *arena, const struct mt_conversation_ref *to, uint64_t meta_id)
{
    static const char users[] = "easemob.com", groups[] = "conference.easemob.com";

    memset(p, 0, sizeof *p);
    p->account = account;
    p->arena = arena;
    easemob__pb__meta__init(&p->meta);
    easemob__pb__jid__init(&p->to);
    easemob__pb__jid__init(&p->body_from);
    easemob__pb__jid__init(&p->body_to);
    easemob__pb__message_body__init(&p->body);
    easemob__pb__message_body__message_config__init(&p->config);
    easemob__pb__message_body__content__init(&p->content);
    easemob__pb__key_value__init(&p->pair);
    p->to.appkey = account->appkey;
    p->to.name = unconst(to->target);
    p->to.domain = unconst(to->kind == MT_CONVERSATION_SINGLE ? users : groups);
    p->body_from.name = account->user;
    p->body_to.name = unconst(to->target);
    p->meta.has_id = true;
    p->meta.id = meta_id;
    p->meta.to = &p->to;
    p->meta.has_ns = true;
    p->meta.ns = EASEMOB__PB__META__NAME_SPACE__CHAT;
    p->meta.has_routetype = true;
    p->body.has_type = true;
    p->body.from = &p->body_from;
    p->body.to = &p->body_to;
    p->contents[0] = &p->content;
    p->body.contents = p->contents;
    p->body.n_contents = 1;
}

static enum mt_rc finish(struct packing *p, struct mt_buf *out)
{
    Easemob__Pb__CommSyncUL ul = EASEMOB__PB__COMM_SYNC_UL__INIT;
    size_t len = easemob__pb__message_body__get_packed_size(&p->body);
    uint8_t *body = mt_arena_alloc(p->arena, len + 1);
    enum mt_rc rc = MT_OK;

    if (!body)
        return MT_ERR_NOMEM;
    p->meta.has_payload = true;
    p->meta.payload.data = body;
    p->meta.payload.len = easemob__pb__message_body__pack(&p->body, body);
    ul.meta = &p->meta;
    len = easemob__pb__comm_sync_ul__get_packed_size(&ul);
    rc = mt_buf_reserve(out, len);
    if (!rc)
        out->len += easemob__pb__comm_sync_ul__pack(&ul, (uint8_t *)out->data + out->len);
    return rc;
}

static void add_pair(struct packing *p, const char *key, const struct mt_value *value)
{
    p->pair.key = unconst(key);
    p->pair.has_type = true;
    if (value->type == MT_VALUE_INT) {
        p->pair.type = EASEMOB__PB__KEY_VALUE__VALUE_TYPE__INT;
        p->pair.value_case = EASEMOB__PB__KEY_VALUE__VALUE_VARINT_VALUE;
        p->pair.varintvalue = value->i;
    } else {
        p->pair.type = EASEMOB__PB__KEY_VALUE__VALUE_TYPE__STRING;
        p->pair.value_case = EASEMOB__PB__KEY_VALUE__VALUE_STRING_VALUE;
        p->pair.stringvalue.data = (uint8_t *)(uintptr_t)value->s;
        p->pair.stringvalue.len = value->len;
    }
    p->pairs[0] = &p->pair;
    p->meta.ext = p->pairs;
    p->meta.n_ext = 1;
}

/* ---------------------------------------------------------------- messages */

static enum mt_rc route(struct packing *p, const struct mt_outgoing *m, struct mt_fault *fault)
{
    bool single = m->to.kind == MT_CONVERSATION_SINGLE;
    size_t n = 0;

    p->meta.routetype = m->online_only ? EASEMOB__PB__META__ROUTE_TYPE__ROUTE_ONLINE
                                       : EASEMOB__PB__META__ROUTE_TYPE__ROUTE_ALL;
    if (m->device && !single)
        return mt_fault_set(fault, MT_ERR_INVALID, "send.device",
                            "only a single chat can be sent to one device");
    p->to.clientresource = unconst(m->device);
    while (m->only && m->only[n])
        n++;
    if (n && single)
        return mt_fault_set(fault, MT_ERR_INVALID, "send.only",
                            "only a group or a room can be sent to some of its members");
    if (n) {
        p->meta.routetype = EASEMOB__PB__META__ROUTE_TYPE__ROUTE_DIRECT;
        p->meta.directedusers = (char **)(uintptr_t)m->only;
        p->meta.n_directedusers = n;
    }
    if (m->to.kind == MT_CONVERSATION_ROOM)
        add_pair(p, "chatroom_msg_tag", &(struct mt_value){.type = MT_VALUE_INT, .i = m->priority});
    return MT_OK;
}

static enum mt_rc fill(struct packing *p, const struct mt_outgoing *m, struct mt_fault *fault)
{
    static const int types[] = {
        [MT_CONVERSATION_SINGLE] = EASEMOB__PB__MESSAGE_BODY__TYPE__CHAT,
        [MT_CONVERSATION_GROUP] = EASEMOB__PB__MESSAGE_BODY__TYPE__GROUPCHAT,
        [MT_CONVERSATION_ROOM] = EASEMOB__PB__MESSAGE_BODY__TYPE__CHATROOM,
    };
    enum mt_rc rc = mt_em_pack_content(m, p->arena, &p->content, fault);

    if (rc)
        return rc;
    p->body.type = (Easemob__Pb__MessageBody__Type)types[m->to.kind];
    if (m->ext.type == MT_VALUE_MAP)
        rc = mt_em_pack_pairs(&m->ext, p->arena, &p->body.ext, &p->body.n_ext);
    if (!rc && m->wants_receipts && m->to.kind == MT_CONVERSATION_GROUP) {
        p->config.has_allowgroupack = true;
        p->config.allowgroupack = true;
        p->body.msgconfig = &p->config;
    }
    return rc ? rc : route(p, m, fault);
}

static enum mt_rc check_target(const struct mt_conversation_ref *to, struct mt_fault *fault)
{
    if (to->kind == MT_CONVERSATION_SINGLE || to->kind == MT_CONVERSATION_GROUP ||
        to->kind == MT_CONVERSATION_ROOM)
        return MT_OK;
    return mt_fault_set(fault, MT_ERR_UNSUPPORTED, "conversation.kind",
                        "Easemob has no %s conversations", mt_conversation_kind_name(to->kind));
}

enum mt_rc mt_em_outgoing_pack(const struct mt_provider_account *account,
                               const struct mt_outgoing *message, uint64_t meta_id,
                               struct mt_buf *out, struct mt_fault *fault)
{
    struct packing p;
    struct mt_arena *arena = NULL;
    enum mt_rc rc = check_target(&message->to, fault);

    if (rc)
        return rc;
    arena = mt_arena_new(ARENA_MAX);
    rc = MT_ERR_NOMEM;
    if (arena) {
        begin(&p, account, arena, &message->to, meta_id);
        rc = fill(&p, message, fault);
        if (!rc)
            rc = finish(&p, out);
    }
    mt_arena_free(arena);
    if (rc == MT_ERR_NOMEM || rc == MT_ERR_LIMIT)
        return mt_fault_set(fault, rc, "send.too_long", "the message is too long");
    return rc;
}

/* ---------------------------------------------------------------- references */

static void refer(struct packing *p, const struct mt_reference *r)
{
    static const int types[] = {
        [MT_REFER_READ] = EASEMOB__PB__MESSAGE_BODY__TYPE__READ_ACK,
        [MT_REFER_DELIVERED] = EASEMOB__PB__MESSAGE_BODY__TYPE__DELIVER_ACK,
        [MT_REFER_CONVERSATION] = EASEMOB__PB__MESSAGE_BODY__TYPE__CHANNEL_ACK,
        [MT_REFER_RECALL] = EASEMOB__PB__MESSAGE_BODY__TYPE__RECALL,
        [MT_REFER_EDIT] = EASEMOB__PB__MESSAGE_BODY__TYPE__EDIT,
    };
    bool group = r->conversation.kind != MT_CONVERSATION_SINGLE;

    p->body.type = (Easemob__Pb__MessageBody__Type)types[r->type];
    if (r->type == MT_REFER_EDIT) {
        p->body.has_editmessageid = true;
        (void)mt_str_u64(r->message.id, &p->body.editmessageid);
    } else if (r->type != MT_REFER_CONVERSATION) {
        p->body.has_ackmessageid = true;
        (void)mt_str_u64(r->message.id, &p->body.ackmessageid);
    }
    if (r->type == MT_REFER_READ && group) {
        p->config.has_allowgroupack = true;
        p->config.allowgroupack = true;
        p->body.msgconfig = &p->config;
        p->body.ackcontent = unconst(r->content ? r->content : "");
    }
    if (r->conversation.kind == MT_CONVERSATION_ROOM) /* whatever it is (§3.4) */
        add_pair(p, "chatroom_msg_tag",
                 &(struct mt_value){.type = MT_VALUE_INT, .i = r->edit ? r->edit->priority : 1});
    if (r->type == MT_REFER_RECALL && r->content) /* instead of it, as the SDK does */
        add_pair(
            p, "recallMessageExtensionInfo",
            &(struct mt_value){.type = MT_VALUE_STR, .s = r->content, .len = strlen(r->content)});
}

static enum mt_rc edit(struct packing *p, const struct mt_outgoing *m, struct mt_fault *fault)
{
    enum mt_rc rc = mt_em_pack_content(m, p->arena, &p->content, fault);

    p->body.has_editscope = true;
    p->body.editscope = EASEMOB__PB__MESSAGE_BODY__EDIT_SCOPE__BODY;
    if (!rc && m->ext.type == MT_VALUE_MAP) {
        p->body.editscope = EASEMOB__PB__MESSAGE_BODY__EDIT_SCOPE__BODY_AND_EXT;
        rc = mt_em_pack_pairs(&m->ext, p->arena, &p->body.ext, &p->body.n_ext);
    }
    return rc;
}

enum mt_rc mt_em_reference_pack(const struct mt_provider_account *account,
                                const struct mt_reference *reference, uint64_t meta_id,
                                struct mt_buf *out, struct mt_fault *fault)
{
    struct packing p;
    struct mt_arena *arena = NULL;
    enum mt_rc rc = check_target(&reference->conversation, fault);

    if (rc)
        return rc;
    arena = mt_arena_new(ARENA_MAX);
    rc = MT_ERR_NOMEM;
    if (arena) {
        begin(&p, account, arena, &reference->conversation, meta_id);
        refer(&p, reference);
        rc = reference->type == MT_REFER_EDIT && reference->edit ? edit(&p, reference->edit, fault)
                                                                 : MT_OK;
        if (!rc)
            rc = finish(&p, out);
    }
    mt_arena_free(arena);
    if (rc == MT_ERR_NOMEM || rc == MT_ERR_LIMIT)
        return mt_fault_set(fault, rc, "send.too_long", "the message is too long");
    return rc;
}

uint64_t mt_em_meta_id(int64_t now_ms, uint64_t counter)
{
    int64_t since = now_ms - EPOCH_MS;
    return (since > 0 ? (uint64_t)since : 1) + counter;
}

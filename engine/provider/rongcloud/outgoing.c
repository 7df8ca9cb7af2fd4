/* Messages as the bytes that go out: see outgoing_int.h. */
#include "provider/rongcloud/outgoing_int.h"

#include "base/arena.h"
#include "base/rand.h"
#include "codec/json.h"
#include "provider/rongcloud/content_int.h"
#include "provider/rongcloud/map_int.h"

#include <stdio.h>
#include <string.h>

#define PAYLOAD_MAX ((size_t)1024 * 1024)
#define ARENA_MAX   ((size_t)1024 * 1024)
#define ONLY_MAX    300 /* receivers of one directed message (4.4) */

/* Bits of sessionId, configFlag and optionBits (4.3, 4.4). */
#define SESSION_KEPT      1
#define SESSION_COUNTED   2
#define SESSION_MENTIONS  4
#define SESSION_SILENT    32
#define SESSION_EXPANSION 64
#define CONFIG_DEFAULT    2
#define OPTION_NO_UPDATE  1
#define OPTION_RECEIPT    2

typedef Rongcloud__UpStreamMessage up_pb;

static char *unconst(const char *s)
{
    return (char *)(uintptr_t)s;
}

uint64_t mt_rong_unique_id(int64_t now_ms, uint64_t counter)
{
    return ((uint64_t)now_ms & 0xFFFFFFFFu) << 19 | (counter & 0x7FF) << 8 | mt_rand_below(256);
}

const char *mt_rong_channel(const struct mt_rong_navi *navi, const struct mt_conversation_ref *ref)
{
    if (ref->kind != MT_CONVERSATION_ULTRA)
        return NULL;
    return !navi->default_channel && strcmp(ref->channel, MT_RONG_DEFAULT_CHANNEL) == 0
               ? ""
               : ref->channel;
}

/* ---------------------------------------------------------------- packets */

void mt_rong_packet_begin(struct mt_rong_packet *packet, const char *topic, const char *target)
{
    packet->request.topic = topic;
    packet->request.target = NULL;
    if (target != NULL) {
        snprintf(packet->target, sizeof packet->target, "%s", target);
        packet->request.target = packet->target;
    }
}

static void packet_init(struct mt_rong_packet *packet)
{
    memset(packet, 0, sizeof *packet);
    mt_buf_init(&packet->payload, PAYLOAD_MAX);
}

void mt_rong_packet_deinit(struct mt_rong_packet *packet)
{
    mt_buf_deinit(&packet->payload);
}

enum mt_rc mt_rong_packet_end(struct mt_rong_packet *packet, const ProtobufCMessage *message,
                              struct mt_fault *fault)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    struct mt_buf *out = &packet->payload;
    enum mt_rc rc = mt_buf_reserve(out, len + 1);

    if (rc == MT_ERR_LIMIT)
        return mt_fault_set(fault, rc, "send.too_large", "the message is larger than %zu bytes",
                            PAYLOAD_MAX);
    if (rc != MT_OK)
        return mt_fault_set(fault, rc, "memory", "out of memory");
    out->len += protobuf_c_message_pack(message, (uint8_t *)out->data + out->len);
    packet->request.payload = out->data;
    packet->request.len = out->len;
    return MT_OK;
}

/* ---------------------------------------------------------------- where to */

static const struct {
    int type;
    const char *kept, *passed; /* topics; passed: of messages of the moment, NULL: none */
} topics[] = {{RONGCLOUD__CHANNEL_TYPE__CT_PERSON, "ppMsgP", "ppMsgS"},
              {RONGCLOUD__CHANNEL_TYPE__CT_GROUP, "pgMsgP", "pgMsgS"},
              {RONGCLOUD__CHANNEL_TYPE__CT_TEMPGROUP, "chatMsg", "chatMsgS"},
              {RONGCLOUD__CHANNEL_TYPE__CT_ULTRAGROUP, "ugMsg", NULL},
              {RONGCLOUD__CHANNEL_TYPE__CT_CUSTOMERSERVICE, "pcMsgP", NULL},
              {RONGCLOUD__CHANNEL_TYPE__CT_NOTIFY, "pbMsgP", NULL}};

static enum mt_rc no_kind(const struct mt_conversation_ref *to, struct mt_fault *fault)
{
    return mt_fault_set(fault, MT_ERR_UNSUPPORTED, "conversation.kind",
                        "RongCloud lets nobody send to '%s:%s'",
                        mt_conversation_kind_name(to->kind), to->target);
}

/* The topic of a conversation; only instructions of the cloud's own go to a system conversation
 * (3). */
static enum mt_rc address(const struct mt_conversation_ref *to, bool passed, bool instruction,
                          up_pb *up, struct mt_rong_packet *out, struct mt_fault *fault)
{
    const char *target = NULL;
    int type = mt_rong_ref_type(to, &target);
    const char *topic = NULL;

    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++)
        if (topics[i].type == type)
            topic = passed ? topics[i].passed : topics[i].kept;
    if (topic == NULL && passed)
        return mt_fault_set(fault, MT_ERR_UNSUPPORTED, "send.online_only",
                            "RongCloud has no messages of the moment in %s conversations",
                            mt_conversation_kind_name(to->kind));
    if (topic == NULL || (type == RONGCLOUD__CHANNEL_TYPE__CT_NOTIFY && !instruction))
        return no_kind(to, fault);
    out->request.publish = true;
    out->request.silent = passed;
    mt_rong_packet_begin(out, topic, type == RONGCLOUD__CHANNEL_TYPE__CT_NOTIFY ? NULL : target);
    if (type == RONGCLOUD__CHANNEL_TYPE__CT_NOTIFY)
        up->systemid = unconst(target);
    return MT_OK;
}

/* ---------------------------------------------------------------- parts of a message */

static const struct mt_value *field(const struct mt_outgoing *m, const char *key,
                                    enum mt_value_type type)
{
    const struct mt_value *v = mt_value_get(&m->body, key);

    return v != NULL && v->type == type ? v : NULL;
}

static char *str(const struct mt_value *map, const char *key)
{
    const struct mt_value *v = mt_value_get(map, key);

    return v != NULL && v->type == MT_VALUE_STR ? unconst(v->s) : NULL;
}

static bool flag(const struct mt_outgoing *m, const char *key, bool otherwise)
{
    const struct mt_value *v = field(m, key, MT_VALUE_BOOL);

    return v != NULL ? v->b : otherwise;
}

/* An app's own object is kept and counted unless the script says otherwise: here nobody registers
 * names. */
static int32_t session_of(const struct mt_outgoing *m, const char *name)
{
    const struct mt_rong_object *object = mt_rong_object_find(name);
    bool passed = m->online_only || (object != NULL && object->role == MT_RONG_ROLE_STATUS);
    int32_t session = 0;

    if (!passed && flag(m, "persisted", object ? object->persisted : true))
        session |= SESSION_KEPT;
    if (!passed && flag(m, "counted", object ? object->counted : true))
        session |= SESSION_COUNTED;
    if (field(m, "mentions", MT_VALUE_MAP) != NULL)
        session |= SESSION_MENTIONS;
    if (flag(m, "silent", false))
        session |= SESSION_SILENT;
    if (field(m, "expansion", MT_VALUE_MAP) != NULL)
        session |= SESSION_EXPANSION;
    return session;
}

static enum mt_rc set_only(const struct mt_outgoing *m, up_pb *up, struct mt_fault *fault)
{
    size_t n = 0;

    while (m->only != NULL && m->only[n] != NULL)
        n++;
    if (n == 0)
        return MT_OK;
    if (m->to.kind != MT_CONVERSATION_GROUP && m->to.kind != MT_CONVERSATION_ULTRA)
        return mt_fault_set(fault, MT_ERR_INVALID, "send.only",
                            "only a group or an ultra group can be sent to some of its members");
    if (n > ONLY_MAX)
        return mt_fault_set(fault, MT_ERR_LIMIT, "send.too_many_receivers",
                            "a directed message has at most %d receivers", ONLY_MAX);
    up->touserids = (char **)(uintptr_t)m->only;
    up->n_touserids = n;
    return MT_OK;
}

/* {"k":"v"} becomes {"k":{"v":"v"}} (4.3); without a field it is only allowed later. */
static enum mt_rc set_expansion(const struct mt_outgoing *m, struct mt_buf *text, up_pb *up,
                                struct mt_fault *fault)
{
    const struct mt_value *map = field(m, "expansion", MT_VALUE_MAP);
    struct mt_jsonw w;

    if (map == NULL || map->fields_n == 0)
        return MT_OK;
    mt_jsonw_init(&w, text);
    mt_jsonw_object(&w);
    for (size_t i = 0; i < map->fields_n; i++) {
        const struct mt_field *f = &map->fields[i];

        if (f->value.type != MT_VALUE_STR)
            return mt_fault_set(fault, MT_ERR_INVALID, "send.field",
                                "the values of expansion are strings; '%.60s' is none", f->key);
        mt_jsonw_key(&w, f->key);
        mt_jsonw_object(&w);
        mt_jsonw_key(&w, "v");
        mt_jsonw_strn(&w, f->value.s, f->value.len);
        mt_jsonw_object_end(&w);
    }
    mt_jsonw_object_end(&w);
    if (text->failed != MT_OK)
        return mt_fault_set(fault, text->failed, "send.too_large", "the expansion is too large");
    up->has_extracontent = true;
    up->extracontent.data = (uint8_t *)text->data;
    up->extracontent.len = text->len;
    return MT_OK;
}

static void set_push(const struct mt_outgoing *m, Rongcloud__PushExtra *ext, up_pb *up)
{
    const struct mt_value *push = field(m, "push", MT_VALUE_MAP);

    up->pushtext = str(push, "text");
    up->appdata = str(push, "data");
    ext->title = str(push, "title");
    ext->pushid = str(push, "id");
    ext->pushconfigs = str(push, "configs");
    ext->templateid = str(push, "template");
    if (ext->title || ext->pushid || ext->pushconfigs || ext->templateid)
        up->pushext = ext;
}

/* A quote of another kind than text stands beside the content. */
static void set_quote(const struct mt_outgoing *m, Rongcloud__ReferenceData *data, up_pb *up)
{
    const struct mt_value *quote = field(m, "quote", MT_VALUE_MAP);

    if (quote == NULL || m->kind == MT_MESSAGE_TEXT)
        return;
    data->msgid = str(quote, "id");
    data->fromuserid = str(quote, "from");
    data->classname = str(quote, "name");
    up->refdata = data;
}

static void set_flags(const struct mt_rong_sender *sender, up_pb *up)
{
    up->has_configflag = true;
    up->configflag = CONFIG_DEFAULT;
    up->has_clientuniqueid = true;
    up->clientuniqueid = (int64_t)sender->unique;
    up->has_optionbits = true;
}

static enum mt_rc pack(const struct mt_rong_sender *sender, const struct mt_outgoing *m,
                       struct mt_buf *content, struct mt_buf *expansion, struct mt_rong_packet *out,
                       struct mt_fault *fault)
{
    up_pb up = RONGCLOUD__UP_STREAM_MESSAGE__INIT;
    Rongcloud__PushExtra push = RONGCLOUD__PUSH_EXTRA__INIT;
    Rongcloud__ReferenceData quote = RONGCLOUD__REFERENCE_DATA__INIT;
    const char *name = NULL;
    enum mt_rc rc = mt_rong_content_write(m, content, &name, fault);

    if (rc == MT_OK && m->device != NULL)
        rc = mt_fault_set(fault, MT_ERR_UNSUPPORTED, "send.device",
                          "RongCloud sends to all devices of a user");
    if (rc == MT_OK)
        rc = set_only(m, &up, fault);
    if (rc == MT_OK)
        rc = set_expansion(m, expansion, &up, fault);
    if (rc == MT_OK)
        rc = address(&m->to, m->online_only, strcmp(name, "RC:SRSMsg") == 0, &up, out, fault);
    if (rc != MT_OK)
        return rc;
    up.classname = unconst(name);
    up.content.data = (uint8_t *)content->data;
    up.content.len = content->len;
    up.sessionid = session_of(m, name);
    up.buschannel = unconst(mt_rong_channel(sender->navi, &m->to));
    set_flags(sender, &up);
    set_push(m, &push, &up);
    set_quote(m, &quote, &up);
    if (flag(m, "no_update_last", false) && (up.sessionid & SESSION_KEPT))
        up.optionbits |= OPTION_NO_UPDATE;
    if (m->wants_receipts)
        up.optionbits |= OPTION_RECEIPT;
    return mt_rong_packet_end(out, &up.base, fault);
}

enum mt_rc mt_rong_outgoing_pack(const struct mt_rong_sender *sender,
                                 const struct mt_outgoing *message, struct mt_rong_packet *out,
                                 struct mt_fault *fault)
{
    struct mt_buf content, expansion;
    enum mt_rc rc = MT_OK;

    packet_init(out);
    mt_buf_init(&content, MT_RONG_CONTENT_MAX);
    mt_buf_init(&expansion, MT_RONG_CONTENT_MAX);
    rc = pack(sender, message, &content, &expansion, out, fault);
    mt_buf_deinit(&expansion);
    mt_buf_deinit(&content);
    return rc;
}

/* ---------------------------------------------------------------- instructions */

enum mt_rc mt_rong_instruct(const struct mt_rong_sender *sender,
                            const struct mt_conversation_ref *to, const char *name,
                            const struct mt_buf *content, const char *only,
                            struct mt_rong_packet *out, struct mt_fault *fault)
{
    up_pb up = RONGCLOUD__UP_STREAM_MESSAGE__INIT;
    char *users[] = {unconst(only)};
    bool recall = strcmp(name, "RC:RcCmd") == 0;
    enum mt_rc rc = MT_OK;

    packet_init(out);
    if (content->failed != MT_OK)
        return mt_fault_set(fault, content->failed, "memory", "out of memory");
    if (recall) { /* to the user; its content says where (4.6) */
        out->request.publish = true;
        mt_rong_packet_begin(out, "recallMsg", NULL);
    } else {
        rc = address(to, false, true, &up, out, fault);
    }
    if (rc != MT_OK)
        return rc;
    up.classname = unconst(name);
    up.content.data = (uint8_t *)content->data;
    up.content.len = content->len;
    up.sessionid = recall ? SESSION_KEPT : 0;
    up.buschannel = unconst(mt_rong_channel(sender->navi, to));
    if (only != NULL && (to->kind == MT_CONVERSATION_GROUP || to->kind == MT_CONVERSATION_ULTRA)) {
        up.touserids = users;
        up.n_touserids = 1;
    }
    set_flags(sender, &up);
    up.has_clientuniqueid = !recall;
    return mt_rong_packet_end(out, &up.base, fault);
}

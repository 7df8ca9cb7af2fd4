/* Meta → message: easemob.md §3.3. The protobuf structs live in a scratch arena that every message
 * uses again; only what the message says is copied into the caller's arena, so that a page stays
 * small and the scratch stays in cache. */
#include "provider/easemob/decode_int.h"

#include "base/arena.h"
#include "base/str.h"
#include "provider/easemob/content_pb_int.h"
#include "provider/easemob/ext_int.h"
#include "provider/easemob/extra_int.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

typedef Easemob__Pb__Meta meta_pb;
typedef Easemob__Pb__MessageBody body_pb;

static void *scratch_alloc(void *ud, size_t size)
{
    struct mt_arena *arena = ud;

    return mt_arena_alloc(arena, size == 0 ? 1 : size);
}

static void scratch_free(void *ud, void *p)
{
    (void)ud;
    (void)p;
}

static const char *jid_name(const Easemob__Pb__JID *first, const Easemob__Pb__JID *second)
{
    if (first != NULL && first->name != NULL && first->name[0] != '\0')
        return first->name;
    if (second != NULL && second->name != NULL)
        return second->name;
    return "";
}

bool mt_em_ref_set(struct mt_conversation_ref *ref, enum mt_conversation_kind kind,
                   const char *target)
{
    size_t len = strlen(target);

    ref->kind = kind;
    ref->channel[0] = '\0';
    if (len == 0 || len >= sizeof ref->target) {
        ref->target[0] = '\0';
        return false;
    }
    memcpy(ref->target, target, len + 1);
    if (kind == MT_CONVERSATION_SINGLE)
        mt_str_fold(ref->target);
    return true;
}

static bool in_conference(const Easemob__Pb__JID *jid)
{
    return jid != NULL && jid->domain != NULL && mt_str_starts(jid->domain, "conference.");
}

/* Acknowledgements, recalls and edits name no chat type of their own: the domain of Meta.to says
 * group or user, an edit's chat_type tells rooms from groups. */
static enum mt_conversation_kind conversation_kind(const meta_pb *meta, const body_pb *body,
                                                   const struct mt_value *extra)
{
    const struct mt_value *edit = NULL;
    const struct mt_value *chat = NULL;

    switch (body->type) {
    case EASEMOB__PB__MESSAGE_BODY__TYPE__CHAT:
        return MT_CONVERSATION_SINGLE;
    case EASEMOB__PB__MESSAGE_BODY__TYPE__GROUPCHAT:
        return MT_CONVERSATION_GROUP;
    case EASEMOB__PB__MESSAGE_BODY__TYPE__CHATROOM:
        return MT_CONVERSATION_ROOM;
    default:
        break;
    }
    edit = mt_value_get(extra, "edit");
    chat = edit != NULL && edit->type == MT_VALUE_MAP ? mt_value_get(edit, "chat_type") : NULL;
    if (chat != NULL && chat->type == MT_VALUE_STR) {
        if (strcmp(chat->s, "chat:room") == 0)
            return MT_CONVERSATION_ROOM;
        if (strcmp(chat->s, "chat:group") == 0)
            return MT_CONVERSATION_GROUP;
        if (strcmp(chat->s, "chat:user") == 0)
            return MT_CONVERSATION_SINGLE;
    }
    return in_conference(meta->to) ? MT_CONVERSATION_GROUP : MT_CONVERSATION_SINGLE;
}

static enum mt_rc set_people(const struct mt_em_decoder *decoder, const meta_pb *meta,
                             const body_pb *body, struct mt_arena *arena, struct mt_message *out)
{
    const char *from = jid_name(body->from, meta->from);
    const char *to = jid_name(body->to, meta->to);
    const char *resource = meta->to != NULL ? meta->to->clientresource : NULL;
    enum mt_conversation_kind kind = conversation_kind(meta, body, &out->extra);

    if (from[0] == '\0' && body->type == EASEMOB__PB__MESSAGE_BODY__TYPE__RECALL)
        from = "admin";
    out->sent = strcasecmp(from, decoder->user) == 0;
    (void)mt_em_ref_set(&out->conversation, kind,
                        kind == MT_CONVERSATION_SINGLE && !out->sent ? from : to);
    out->from = mt_arena_strdup(arena, from);
    if (resource != NULL && resource[0] != '\0') { /* addressed to one device: "name/resource" */
        size_t to_len = strlen(to);
        size_t resource_len = strlen(resource);
        char *full = mt_arena_alloc(arena, to_len + resource_len + 2);

        out->to = full;
        if (full == NULL)
            return MT_ERR_NOMEM;
        snprintf(full, to_len + resource_len + 2, "%s/%s", to, resource);
    } else {
        out->to = mt_arena_strdup(arena, to);
    }
    return out->from == NULL || out->to == NULL ? MT_ERR_NOMEM : MT_OK;
}

static enum mt_rc set_extra(const meta_pb *meta, const body_pb *body, struct mt_arena *arena,
                            struct mt_message *out)
{
    struct mt_fields extra;
    enum mt_rc rc = MT_OK;

    mt_fields_init(&extra, arena);
    rc = mt_em_extra_body_text(&extra, body->meta);
    if (rc == MT_OK)
        rc = mt_em_extra_meta(&extra, meta);
    if (rc != MT_OK)
        return rc;
    if (body->msgconfig != NULL && body->msgconfig->has_allowgroupack)
        mt_fields_bool(&extra, "group_ack", body->msgconfig->allowgroupack);
    if (body->has_editscope && body->type == EASEMOB__PB__MESSAGE_BODY__TYPE__EDIT)
        mt_fields_str(&extra, "edit_scope",
                      body->editscope == EASEMOB__PB__MESSAGE_BODY__EDIT_SCOPE__BODY_AND_EXT
                          ? "body_and_ext"
                          : "body");
    out->extra = mt_fields_end(&extra);
    return extra.failed;
}

/* An acknowledgement or a recall has no content of its own. The counters of a group read receipt
 * are JSON text in the first ext, whatever its key (§3.3). */
static enum mt_rc set_notice(const body_pb *body, const char *name, struct mt_arena *arena,
                             struct mt_message *out)
{
    struct mt_fields map;
    struct mt_value counts = {.type = MT_VALUE_NULL};
    ProtobufCBinaryData text = {0, NULL};

    out->kind = MT_MESSAGE_OTHER;
    out->kind_name = name;
    out->target_id = mt_id_of_u64(arena, body->has_ackmessageid ? body->ackmessageid : 0);
    if (!out->target_id)
        return MT_ERR_LIMIT;
    mt_fields_init(&map, arena);
    mt_fields_str(&map, "ack_content", body->ackcontent);
    if (body->type == EASEMOB__PB__MESSAGE_BODY__TYPE__READ_ACK && body->n_ext > 0 &&
        body->ext[0]->value_case == EASEMOB__PB__KEY_VALUE__VALUE_STRING_VALUE)
        text = body->ext[0]->stringvalue;
    if (text.len) {
        enum mt_rc rc = mt_em_ext_json((const char *)text.data, text.len, arena, &counts);

        if (rc != MT_OK)
            return rc;
        mt_fields_value(&map, "group_read_count", counts);
    }
    out->body = mt_fields_end(&map);
    return map.failed;
}

static enum mt_rc set_message(const struct mt_em_decoder *decoder, const body_pb *body,
                              struct mt_arena *arena, struct mt_message *out)
{
    struct mt_em_content content;
    struct mt_em_stream stream;
    enum mt_rc rc = mt_em_content_from_pb(body, arena, &stream, &content);

    return rc == MT_OK ? mt_em_content_write(&content, decoder->api, arena, out) : rc;
}

static enum mt_rc set_by_type(const struct mt_em_decoder *decoder, const body_pb *body,
                              struct mt_arena *arena, struct mt_message *out)
{
    switch (body->type) {
    case EASEMOB__PB__MESSAGE_BODY__TYPE__CHAT:
    case EASEMOB__PB__MESSAGE_BODY__TYPE__GROUPCHAT:
    case EASEMOB__PB__MESSAGE_BODY__TYPE__CHATROOM:
        return set_message(decoder, body, arena, out);
    case EASEMOB__PB__MESSAGE_BODY__TYPE__EDIT:
        out->type = MT_TYPE_EDIT;
        out->target_id = mt_id_of_u64(arena, body->has_editmessageid ? body->editmessageid : 0);
        if (!out->target_id)
            return MT_ERR_LIMIT;
        return set_message(decoder, body, arena, out);
    case EASEMOB__PB__MESSAGE_BODY__TYPE__RECALL:
        out->type = MT_TYPE_RECALL;
        return set_notice(body, "recall", arena, out);
    case EASEMOB__PB__MESSAGE_BODY__TYPE__READ_ACK:
        out->type = MT_TYPE_RECEIPT;
        return set_notice(body, "read", arena, out);
    case EASEMOB__PB__MESSAGE_BODY__TYPE__DELIVER_ACK:
        out->type = MT_TYPE_RECEIPT;
        return set_notice(body, "delivered", arena, out);
    case EASEMOB__PB__MESSAGE_BODY__TYPE__CHANNEL_ACK:
        out->type = MT_TYPE_RECEIPT;
        return set_notice(body, "conversation_read", arena, out);
    default: /* NORMAL and unknown types: kept whole */
        out->kind_name = "unknown";
        return MT_OK;
    }
}

void mt_em_decode_none(const char *id, const void *raw, size_t len, struct mt_message *out)
{
    static const struct mt_value empty = {.type = MT_VALUE_MAP};

    *out = (struct mt_message){.type = MT_TYPE_MESSAGE,
                               .id = id,
                               .from = "",
                               .to = "",
                               .kind = MT_MESSAGE_OTHER,
                               .kind_name = "undecodable",
                               .body = empty,
                               .ext = empty,
                               .extra = empty,
                               .raw = raw,
                               .raw_len = len};
}

/* The page's arena is full, or the message alone is beyond every cap: the first stops the page, the
 * second is kept undecoded. */
static enum mt_rc decode_body(const struct mt_em_decoder *decoder, const meta_pb *meta,
                              ProtobufCAllocator *allocator, struct mt_arena *arena,
                              struct mt_message *out)
{
    const body_pb *body = easemob__pb__message_body__unpack(
        allocator, meta->has_payload ? meta->payload.len : 0, meta->payload.data);
    struct mt_message undecoded = *out;
    enum mt_rc rc = MT_OK;

    if (body == NULL)
        return MT_OK;
    rc = mt_em_ext_decode(body->ext, body->n_ext, arena, &out->ext);
    if (rc == MT_OK)
        rc = set_extra(meta, body, arena, out);
    if (rc == MT_OK)
        rc = set_people(decoder, meta, body, arena, out);
    if (rc == MT_OK)
        rc = set_by_type(decoder, body, arena, out);
    if (rc == MT_ERR_LIMIT) {
        *out = undecoded;
        rc = MT_OK;
    }
    return rc;
}

enum mt_rc mt_em_decode_meta(const struct mt_em_decoder *decoder, const void *raw, size_t len,
                             struct mt_arena *arena, struct mt_message *out)
{
    ProtobufCAllocator allocator = {scratch_alloc, scratch_free, decoder->scratch};
    const meta_pb *meta = NULL;
    const char *from = NULL;
    const char *to = NULL;
    bool group = false;

    mt_arena_reset(decoder->scratch);
    meta = easemob__pb__meta__unpack(&allocator, len, raw);
    if (meta == NULL)
        return MT_ERR_PROTOCOL;
    if (!meta->has_ns || meta->ns != EASEMOB__PB__META__NAME_SPACE__CHAT)
        return MT_ERR_UNSUPPORTED;
    mt_em_decode_none(mt_id_of_u64(arena, meta->has_id ? meta->id : 0), raw, len, out);
    out->time_ms =
        meta->has_timestamp && meta->timestamp <= INT64_MAX ? (int64_t)meta->timestamp : 0;
    from = jid_name(meta->from, NULL);
    to = jid_name(meta->to, NULL);
    group = in_conference(meta->to);
    out->sent = strcasecmp(from, decoder->user) == 0;
    (void)mt_em_ref_set(&out->conversation, group ? MT_CONVERSATION_GROUP : MT_CONVERSATION_SINGLE,
                        group || out->sent ? to : from);
    out->from = mt_arena_strdup(arena, from);
    out->to = mt_arena_strdup(arena, to);
    if (out->id == NULL || out->from == NULL || out->to == NULL)
        return MT_ERR_NOMEM;
    return decode_body(decoder, meta, &allocator, arena, out);
}

/* A batch of metas into events (easemob.md §1.9, §3.1, §3.3, §3.6). */
#include "provider/easemob/live_int.h"

#include "base/arena.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"
#include "codec/json.h"
#include "model/fields.h"
#include "provider/easemob/ext_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOTICE_MAX ((size_t)1024 * 1024)

typedef Easemob__Pb__Meta meta_pb;

/* ---------------------------------------------------------------- messages and receipts */

static enum mt_event_type type_of(const struct mt_message *m)
{
    switch (m->type) {
    case MT_TYPE_EDIT:
        return MT_EVENT_EDITED;
    case MT_TYPE_RECALL:
        return MT_EVENT_RECALLED;
    case MT_TYPE_RECEIPT:
        if (!strcmp(m->kind_name, "read"))
            return MT_EVENT_READ;
        return !strcmp(m->kind_name, "delivered") ? MT_EVENT_DELIVERED : MT_EVENT_CONVERSATION_READ;
    default:
        return MT_EVENT_MESSAGE;
    }
}

/* What this device sent to a room comes back to it (§3.3). */
static bool is_echo(const struct mt_em_live *live, const meta_pb *meta, const struct mt_message *m)
{
    return m->sent && m->conversation.kind == MT_CONVERSATION_ROOM && meta->from &&
           meta->from->clientresource && !strcmp(meta->from->clientresource, live->device);
}

static enum mt_rc chat(struct mt_em_live *live, const meta_pb *meta, struct mt_arena *arena,
                       struct mt_event *out, bool *told)
{
    size_t len = easemob__pb__meta__get_packed_size(meta);
    uint8_t *raw = mt_arena_alloc(arena, len);
    enum mt_rc rc = MT_OK;

    if (!raw)
        return MT_ERR_NOMEM;
    easemob__pb__meta__pack(meta, raw);
    rc = mt_em_decode_meta(&live->account->decoder, raw, len, arena, &out->message);
    if (rc == MT_ERR_NOMEM || rc == MT_ERR_LIMIT)
        return rc;
    if (!rc)
        mt_em_live_room_note(live, &out->message.conversation);
    if (rc || is_echo(live, meta, &out->message))
        return MT_OK;
    if (out->message.type == MT_TYPE_RECALL || out->message.type == MT_TYPE_RECEIPT)
        mt_em_live_room_tell(live, &out->message.conversation);
    out->type = type_of(&out->message);
    out->conversation = out->message.conversation;
    out->has_conversation = true;
    *told = true;
    return MT_OK;
}

/* ---------------------------------------------------------------- the server about the session */

static enum mt_rc statistic(struct mt_em_live *live, const meta_pb *meta, struct mt_arena *arena,
                            struct mt_event *out, bool *told)
{
    static const struct {
        const char *code;
        int provider_code;
        const char *text;
    } ends[] = {{"kicked.removed", 207, "the user was deleted"},
                {"kicked.other_device", 206, "the user has logged in on another device"},
                {"kicked.password", 216, "the user's password was changed"},
                {"kicked.by_device", 217, "another device of the user has ended this session"}};
    Easemob__Pb__StatisticsBody *body =
        easemob__pb__statistics_body__unpack(NULL, meta->payload.len, meta->payload.data);
    unsigned operation = body && body->has_operation ? (unsigned)body->operation : 0;
    struct mt_fault fault;
    enum mt_rc rc = MT_OK;

    if (!body)
        return MT_OK;
    if (operation >= 1 && operation <= 4) {
        bool info = body->reason && *body->reason;
        char shown[101];
        (void)mt_fault_set(&fault, MT_ERR_DENIED, ends[operation - 1].code, "%s: %s%s%s",
                           live->account->name, ends[operation - 1].text, info ? ": " : "",
                           mt_secret_shown(info ? body->reason : "", shown, sizeof shown));
        fault.provider_code = ends[operation - 1].provider_code;
        easemob__pb__statistics_body__free_unpacked(body, NULL);
        mt_em_live_end(live, MT_EVENT_KICKED, &fault);
        return MT_ERR_STATE;
    }
    if (body->location && *body->location) {
        rc = mt_em_ext_json(body->location, strlen(body->location), arena, &out->data);
        out->type = MT_EVENT_STATISTIC;
        *told = rc == MT_OK;
    }
    easemob__pb__statistics_body__free_unpacked(body, NULL);
    return rc;
}

/* ---------------------------------------------------------------- notices in JSON (§3.6) */

static const char *text_of(const struct mt_json *object, const char *key)
{
    const char *s = mt_json_str(mt_json_get(object, key));
    return s ? s : "";
}

static void set_conversation(struct mt_event *out, const char *chat_type, const char *id)
{
    enum mt_conversation_kind kind = !strcmp(chat_type, "chat")        ? MT_CONVERSATION_SINGLE
                                     : !strcmp(chat_type, "chatroom")  ? MT_CONVERSATION_ROOM
                                     : !strcmp(chat_type, "chat:room") ? MT_CONVERSATION_ROOM
                                                                       : MT_CONVERSATION_GROUP;
    out->has_conversation = mt_em_ref_set(&out->conversation, kind, id);
}

/* Beside the cloud's own fields those that every cloud's event has: ids, or before (§4.5:
 * deleteTime is deleted too). */
static enum mt_rc name_deleted(struct mt_arena *arena, struct mt_value *data)
{
    const struct mt_value *ids = mt_value_get(data, "msgIdList");
    const struct mt_value *until = mt_value_get(data, "deleteTime");
    struct mt_field *fields = mt_arena_calloc(arena, data->fields_n + 2, sizeof *fields);

    if (!fields)
        return MT_ERR_NOMEM;
    for (size_t i = 0; i < data->fields_n; i++)
        fields[i] = data->fields[i];
    data->fields = fields;
    if (ids && ids->type == MT_VALUE_LIST)
        fields[data->fields_n++] = (struct mt_field){.key = "ids", .value = *ids};
    if (until && until->type == MT_VALUE_INT && until->i < INT64_MAX)
        fields[data->fields_n++] =
            (struct mt_field){.key = "before", .value = {.type = MT_VALUE_INT, .i = until->i + 1}};
    return MT_OK;
}

static enum mt_rc roaming_deleted(struct mt_em_live *live, const struct mt_json *data,
                                  struct mt_arena *arena, struct mt_event *out, bool *told)
{
    if (!strcmp(text_of(data, "resource"), live->device))
        return MT_OK; /* this device did it */
    out->type = MT_EVENT_MESSAGES_DELETED;
    set_conversation(out, text_of(data, "chatType"), text_of(data, "to"));
    *told = true;
    enum mt_rc rc = mt_value_from_json(data, arena, &out->data);
    return rc || out->data.type != MT_VALUE_MAP ? rc : name_deleted(arena, &out->data);
}

static enum mt_rc conversation_changed(struct mt_em_live *live, const struct mt_json *data,
                                       struct mt_arena *arena, struct mt_event *out, bool *told)
{
    static const struct {
        const char *op, *change;
        enum mt_event_type type;
    } changes[] = {{"del", NULL, MT_EVENT_CONVERSATION_DELETED},
                   {"top", "pinned", MT_EVENT_CONVERSATION},
                   {"not_top", "unpinned", MT_EVENT_CONVERSATION},
                   {"mark", "marked", MT_EVENT_CONVERSATION},
                   {"mark_delete", "unmarked", MT_EVENT_CONVERSATION},
                   {"pin", "pinned", MT_EVENT_MESSAGE_PINNED},
                   {"pin_delete", "unpinned", MT_EVENT_MESSAGE_PINNED}};
    const char *op = text_of(data, "op");
    bool single = !strcmp(text_of(data, "type"), "chat");
    struct mt_fields map;

    if (!strcmp(text_of(data, "res"), live->device) &&
        !strcmp(text_of(data, "from"), live->account->user))
        return MT_OK;
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        if (strcmp(changes[i].op, op) != 0)
            continue;
        bool message = changes[i].type == MT_EVENT_MESSAGE_PINNED;
        out->type = changes[i].type;
        set_conversation(out, text_of(data, "type"),
                         text_of(data, message && single ? "from" : "id"));
        mt_fields_init(&map, arena);
        mt_fields_str(&map, "change", changes[i].change);
        mt_fields_str(&map, message ? "id" : "mark", text_of(data, "ext"));
        if (message)
            mt_fields_str(&map, "by", text_of(data, "from"));
        mt_fields_int(&map, "time", mt_json_i64(mt_json_get(data, "ts"), 0));
        out->data = mt_fields_end(&map);
        *told = true;
        return map.failed;
    }
    return MT_OK;
}

static enum mt_rc notify(struct mt_em_live *live, const meta_pb *meta, struct mt_arena *arena,
                         struct mt_event *out, bool *told)
{
    struct mt_json *root = NULL;
    const struct mt_json *data = NULL;
    enum mt_rc rc =
        mt_json_parse((const char *)meta->payload.data, meta->payload.len, NOTICE_MAX, &root, NULL);

    if (rc)
        return rc == MT_ERR_NOMEM ? rc : MT_OK;
    data = mt_json_get(root, "data");
    if (!strcmp(text_of(root, "type"), "roaming_delete")) {
        rc = roaming_deleted(live, data, arena, out, told);
    } else if (!strcmp(text_of(root, "type"), "conv")) {
        rc = conversation_changed(live, data, arena, out, told);
    } else {
        out->type = MT_EVENT_NOTICE;
        rc = mt_value_from_json(root, arena, &out->data);
        *told = rc == MT_OK && out->data.type == MT_VALUE_MAP;
    }
    mt_json_free(root);
    return rc;
}

/* ---------------------------------------------------------------- groups and contacts */

static enum mt_rc group(const meta_pb *meta, struct mt_arena *arena, struct mt_event *out,
                        bool *told)
{
    Easemob__Pb__MUCBody *body =
        easemob__pb__mucbody__unpack(NULL, meta->payload.len, meta->payload.data);
    struct mt_fields map;

    if (!body)
        return MT_OK;
    const ProtobufCEnumValue *name = protobuf_c_enum_descriptor_get_value(
        &easemob__pb__mucbody__operation__descriptor, (int)body->operation);
    mt_fields_init(&map, arena);
    mt_fields_str(&map, "type", "group");
    mt_fields_str(&map, "operation", name ? name->name : "UNKNOWN");
    mt_fields_int(&map, "number", (int64_t)body->operation);
    mt_fields_str(&map, "from", body->from ? body->from->name : NULL);
    mt_fields_str(&map, "reason", body->reason);
    if (body->mucid && body->mucid->name) {
        bool room = body->has_ischatroom && body->ischatroom;
        out->has_conversation =
            mt_em_ref_set(&out->conversation, room ? MT_CONVERSATION_ROOM : MT_CONVERSATION_GROUP,
                          body->mucid->name);
    }
    out->type = MT_EVENT_NOTICE;
    out->data = mt_fields_end(&map);
    *told = true;
    easemob__pb__mucbody__free_unpacked(body, NULL);
    return map.failed;
}

static enum mt_rc contact(const meta_pb *meta, struct mt_arena *arena, struct mt_event *out,
                          bool *told)
{
    Easemob__Pb__RosterBody *body =
        easemob__pb__roster_body__unpack(NULL, meta->payload.len, meta->payload.data);
    struct mt_fields map;

    if (!body)
        return MT_OK;
    mt_fields_init(&map, arena);
    mt_fields_str(&map, "type", "contact");
    mt_fields_int(&map, "number", (int64_t)body->operation);
    mt_fields_str(&map, "from", body->from ? body->from->name : NULL);
    mt_fields_str(&map, "reason", body->reason);
    out->type = MT_EVENT_NOTICE;
    out->data = mt_fields_end(&map);
    *told = true;
    easemob__pb__roster_body__free_unpacked(body, NULL);
    return map.failed;
}

/* ---------------------------------------------------------------- all of them */

static enum mt_rc event_of(struct mt_em_live *live, const meta_pb *meta, struct mt_arena *arena,
                           struct mt_event *out, bool *told)
{
    memset(out, 0, sizeof *out);
    out->data = (struct mt_value){.type = MT_VALUE_MAP};
    switch (meta->has_ns ? (int)meta->ns : 0) {
    case EASEMOB__PB__META__NAME_SPACE__STATISTIC:
        return statistic(live, meta, arena, out, told);
    case EASEMOB__PB__META__NAME_SPACE__CHAT:
        return chat(live, meta, arena, out, told);
    case EASEMOB__PB__META__NAME_SPACE__MUC:
        return group(meta, arena, out, told);
    case EASEMOB__PB__META__NAME_SPACE__ROSTER:
        return contact(meta, arena, out, told);
    case EASEMOB__PB__META__NAME_SPACE__NOTIFY:
        return notify(live, meta, arena, out, told);
    default:
        return MT_OK;
    }
}

enum mt_rc mt_em_live_events(struct mt_em_live *live, Easemob__Pb__Meta *const *metas, size_t n,
                             struct mt_arena *arena, struct mt_event_batch *out)
{
    struct mt_event *events = mt_arena_calloc(arena, n, sizeof *events);
    size_t kept = 0;
    enum mt_rc rc = events ? MT_OK : MT_ERR_NOMEM;

    for (size_t i = 0; !rc && i < n; i++) {
        bool told = false;
        rc = event_of(live, metas[i], arena, &events[kept], &told);
        kept += told;
    }
    out->events = events;
    out->n = kept;
    /* thousands of sessions would keep thousands of these */
    mt_arena_release(live->account->decoder.scratch);
    return rc;
}

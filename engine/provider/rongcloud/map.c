/* DownStreamMessage → message: rongcloud.md 4.3. The protobuf structs live in a scratch arena that
 * every message uses again; only what the message says is copied into the caller's arena. */
#include "provider/rongcloud/map_int.h"

#include "base/arena.h"
#include "codec/json.h"
#include "provider/rongcloud/content_int.h"

#include <stdio.h>
#include <string.h>

#define DIRECTION_SENT 1
#define RECALL_MAX     ((size_t)1024 * 1024)

typedef Rongcloud__DownStreamMessage down_pb;
typedef Rongcloud__UpStreamMessage up_pb;

static void *scratch_alloc(void *ud, size_t size)
{
    return mt_arena_alloc(ud, size == 0 ? 1 : size);
}

static void scratch_free(void *ud, void *p)
{
    (void)ud;
    (void)p;
}

ProtobufCAllocator mt_rong_allocator(struct mt_arena *arena)
{
    return (ProtobufCAllocator){scratch_alloc, scratch_free, arena};
}

void mt_rong_decode_none(const void *raw, size_t len, struct mt_message *out)
{
    static const struct mt_value empty = {.type = MT_VALUE_MAP};

    *out = (struct mt_message){.type = MT_TYPE_MESSAGE,
                               .id = "",
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

/* "" for an id that no message of ours can have. */
static const char *copy_id(const char *id, struct mt_arena *arena)
{
    return id == NULL || strlen(id) >= MT_ID_MAX ? "" : mt_arena_strdup(arena, id);
}

/* ---------------------------------------------------------------- who and where */

static const char *target_of(const struct mt_rong_decoder *decoder, const down_pb *m, bool sent)
{
    bool named = m->groupid != NULL && *m->groupid != '\0';

    if (mt_rong_type_is_group((int)m->type))
        return m->groupid;
    /* an older form of the send box: the sender is named, and groupId is the peer */
    if (sent && named && strcmp(m->fromuserid, decoder->user) == 0)
        return m->groupid;
    return m->fromuserid;
}

static enum mt_rc set_people(const struct mt_rong_decoder *decoder, const down_pb *m,
                             struct mt_arena *arena, struct mt_message *out)
{
    const char *target = NULL;

    out->sent = m->has_direction && m->direction == DIRECTION_SENT;
    target = target_of(decoder, m, out->sent);
    if (decoder->conversation != NULL)
        out->conversation = *decoder->conversation;
    else
        (void)mt_rong_ref_set(&out->conversation, (int)m->type, target, m->buschannel);
    if (decoder->conversation != NULL)
        (void)mt_rong_ref_type(decoder->conversation, &target);
    out->from = mt_arena_strdup(arena, out->sent ? decoder->user : m->fromuserid);
    out->to = mt_arena_strdup(arena, !out->sent && !mt_rong_type_is_group((int)m->type)
                                         ? decoder->user
                                         : (target ? target : ""));
    return out->from == NULL || out->to == NULL ? MT_ERR_NOMEM : MT_OK;
}

/* ---------------------------------------------------------------- what is no message */

static const struct mt_value *take(struct mt_value *map, const char *key)
{
    const struct mt_value *v = mt_value_get(map, key);

    return v != NULL && v->type == MT_VALUE_STR ? v : NULL;
}

/* The instruction names the conversation as its sender sees it: a peer's private one is ours by who
 * sent it (rongcloud.md 4.6). */
static void recall_place(const struct mt_rong_decoder *decoder, struct mt_message *out)
{
    const struct mt_value *type = mt_value_get(&out->body, "conversation_type");
    const struct mt_value *id = take(&out->body, "conversation_id");
    const struct mt_value *channel = take(&out->body, "channel");
    struct mt_conversation_ref ref;

    if (decoder->conversation != NULL || type == NULL || type->type != MT_VALUE_INT || id == NULL ||
        type->i < 1 || type->i > 12)
        return;
    if (!out->sent && !mt_rong_type_is_group((int)type->i))
        return;
    if (mt_rong_ref_set(&ref, (int)type->i, id->s, channel ? channel->s : NULL))
        out->conversation = ref;
}

static enum mt_rc set_recall(const struct mt_rong_decoder *decoder, const down_pb *m,
                             struct mt_arena *arena, struct mt_fields *extra,
                             struct mt_message *out)
{
    const struct mt_value *said = take(&out->body, "recall_info");
    const struct mt_value *by = take(&out->body, "operator");

    if (strcmp(m->classname, "RC:RcNtf") == 0 && mt_id_is(out->id)) {
        char *id = mt_arena_alloc(arena, MT_ID_MAX);

        if (id == NULL)
            return MT_ERR_NOMEM;
        /* It stands in the place of the message, under its id; the SDK calls the recall so. */
        snprintf(id, MT_ID_MAX, "Cmd:%.*s", MT_ID_MAX - 5, out->id);
        out->target_id = out->id;
        out->id = id;
        if (by != NULL)
            out->from = by->s;
    } else {
        recall_place(decoder, out);
    }
    if (said != NULL)
        mt_fields_value(extra, "recall_info", *said);
    if (mt_id_is(out->target_id))
        out->type = MT_TYPE_RECALL;
    return MT_OK;
}

/* What a message answers to, of any kind. */
static enum mt_rc add_quote(const Rongcloud__ReferenceData *quoted, struct mt_arena *arena,
                            struct mt_message *out)
{
    struct mt_fields body, quote;

    if (quoted == NULL || mt_value_get(&out->body, "quote") != NULL)
        return MT_OK;
    mt_fields_init(&quote, arena);
    mt_fields_str(&quote, "id", quoted->msgid);
    mt_fields_str(&quote, "from", quoted->fromuserid);
    mt_fields_str(&quote, "name", quoted->classname);
    if (quote.n == 0)
        return quote.failed;
    mt_fields_init(&body, arena);
    for (size_t i = 0; i < out->body.fields_n; i++)
        mt_fields_value(&body, out->body.fields[i].key, out->body.fields[i].value);
    mt_fields_value(&body, "quote", mt_fields_end(&quote));
    out->body = mt_fields_end(&body);
    return quote.failed != MT_OK ? quote.failed : body.failed;
}

static enum mt_rc set_content(const struct mt_rong_decoder *decoder, const down_pb *m,
                              struct mt_arena *arena, struct mt_message *out)
{
    const struct mt_rong_object *object = mt_rong_object_find(m->classname);
    struct mt_fields extra;
    enum mt_rc rc = mt_rong_content_read(m->classname, m->content.data, m->content.len, arena, out);

    if (rc == MT_OK)
        rc = add_quote(m->refdata, arena, out);
    if (rc != MT_OK)
        return rc;
    mt_fields_init(&extra, arena);
    if (object != NULL && object->role == MT_RONG_ROLE_RECALL)
        rc = set_recall(decoder, m, arena, &extra, out);
    if (rc != MT_OK)
        return rc;
    if (object != NULL &&
        (object->role == MT_RONG_ROLE_RECEIPT || object->role == MT_RONG_ROLE_STATUS))
        out->type = MT_TYPE_RECEIPT;
    if (out->type != MT_TYPE_MESSAGE && object != NULL && object->called != NULL)
        out->kind_name = object->called;
    mt_rong_extra(&extra, m);
    out->extra = mt_fields_end(&extra);
    return extra.failed;
}

enum mt_rc mt_rong_decode(const struct mt_rong_decoder *decoder, const void *raw, size_t len,
                          struct mt_arena *arena, struct mt_message *out)
{
    ProtobufCAllocator allocator = mt_rong_allocator(decoder->scratch);
    const down_pb *m = NULL;
    struct mt_message undecoded;
    enum mt_rc rc = MT_OK;

    mt_arena_reset(decoder->scratch);
    m = rongcloud__down_stream_message__unpack(&allocator, len, raw);
    if (m == NULL)
        return MT_ERR_PROTOCOL;
    mt_rong_decode_none(raw, len, out);
    out->time_ms = m->datatime > 0 ? m->datatime : 0;
    out->id = copy_id(m->msgid, arena);
    if (out->id == NULL)
        return MT_ERR_NOMEM;
    rc = set_people(decoder, m, arena, out);
    undecoded = *out;
    if (rc == MT_OK)
        rc = set_content(decoder, m, arena, out);
    if (rc == MT_ERR_LIMIT) { /* more members than any message has */
        *out = undecoded;
        rc = MT_OK;
    }
    return rc;
}

/* ---------------------------------------------------------------- what another device sent */

struct place {
    int type;
    const char *target;
};

static struct place place_of(const char *topic, const char *target, const up_pb *up,
                             struct mt_json **json)
{
    static const struct {
        const char *topic;
        int type;
    } types[] = {{"ppMsg", RONGCLOUD__CHANNEL_TYPE__CT_PERSON},
                 {"pgMsg", RONGCLOUD__CHANNEL_TYPE__CT_GROUP},
                 {"chatMsg", RONGCLOUD__CHANNEL_TYPE__CT_TEMPGROUP},
                 {"ugMsg", RONGCLOUD__CHANNEL_TYPE__CT_ULTRAGROUP},
                 {"pcMsg", RONGCLOUD__CHANNEL_TYPE__CT_CUSTOMERSERVICE},
                 {"pbMsg", RONGCLOUD__CHANNEL_TYPE__CT_NOTIFY}};
    struct place place = {RONGCLOUD__CHANNEL_TYPE__CT_PERSON, target};

    if (strcmp(topic, "recallMsg") == 0) { /* its target is the user; the content says where */
        const char *id = NULL;

        if (mt_json_parse((const char *)up->content.data, up->content.len, RECALL_MAX, json,
                          NULL) != MT_OK)
            return place;
        id = mt_json_str(mt_json_get(*json, "targetId"));
        place.type = (int)mt_json_i64(mt_json_get(*json, "conversationType"), place.type);
        if (protobuf_c_enum_descriptor_get_value(&rongcloud__channel_type__descriptor,
                                                 place.type) == NULL)
            place.type = RONGCLOUD__CHANNEL_TYPE__CT_PERSON;
        place.target = id ? id : target;
        return place;
    }
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strncmp(topic, types[i].topic, strlen(types[i].topic)) == 0)
            place.type = types[i].type;
    return place;
}

/* Flags of what goes up as those of what comes down (4.3, 4.4). */
static int64_t status_of(int32_t flags)
{
    static const struct {
        int32_t up;
        int64_t down;
    } bits[] = {{1, 16}, {2, 32}, {4, 64}, {32, 512}, {64, 1024}};
    int64_t status = 0;

    for (size_t i = 0; i < sizeof bits / sizeof *bits; i++)
        if (flags & bits[i].up)
            status |= bits[i].down;
    return status;
}

static char *unconst(const char *s)
{
    return (char *)(uintptr_t)s;
}

static void turn(down_pb *down, const up_pb *up, const struct place *place, const char *user)
{
    bool group = mt_rong_type_is_group(place->type);

    down->fromuserid = unconst(group ? user : place->target);
    down->type = (Rongcloud__ChannelType)place->type;
    down->groupid = unconst(group ? place->target : "");
    down->classname = up->classname;
    down->content = up->content;
    down->status = status_of(up->sessionid);
    down->has_direction = true;
    down->direction = DIRECTION_SENT;
    down->has_clientuniqueid = up->has_clientuniqueid;
    down->clientuniqueid = up->clientuniqueid;
    down->has_extracontent = up->has_extracontent;
    down->extracontent = up->extracontent;
    down->pushcontent = up->pushtext;
    down->has_configflag = up->has_configflag;
    down->configflag = up->configflag;
    down->pushext = up->pushext;
    down->buschannel = up->buschannel;
    down->touserids = up->touserids;
    down->n_touserids = up->n_touserids;
    down->has_optionbits = up->has_optionbits;
    down->optionbits = up->optionbits;
    down->refdata = up->refdata;
}

enum mt_rc mt_rong_echo_raw(const struct mt_rong_decoder *decoder, const char *topic,
                            const char *target, const void *payload, size_t payload_len,
                            const char *id, int64_t time_ms, struct mt_arena *arena,
                            const uint8_t **raw, size_t *len)
{
    ProtobufCAllocator allocator = mt_rong_allocator(decoder->scratch);
    down_pb down = RONGCLOUD__DOWN_STREAM_MESSAGE__INIT;
    struct mt_json *json = NULL;
    struct place place;
    up_pb *up = NULL;
    uint8_t *bytes = NULL;
    enum mt_rc rc = MT_ERR_NOMEM;

    mt_arena_reset(decoder->scratch);
    up = rongcloud__up_stream_message__unpack(&allocator, payload_len, payload);
    if (up == NULL)
        return MT_ERR_PROTOCOL;
    place = place_of(topic, target, up, &json);
    turn(&down, up, &place, decoder->user);
    down.datatime = time_ms;
    down.msgid = unconst(id);
    *len = rongcloud__down_stream_message__get_packed_size(&down);
    bytes = mt_arena_alloc(arena, *len + 1);
    if (bytes != NULL) {
        (void)rongcloud__down_stream_message__pack(&down, bytes);
        rc = MT_OK;
    }
    *raw = bytes;
    mt_json_free(json);
    return rc;
}

/* The loaded and generated messages as the other cloud has them: its object names and JSON contents
 * for the same kinds (rongcloud.md 4.5), extension values as text in `extra`. */
#include "sandbox/fill_int.h"

#include "base/buf.h"
#include "codec/json.h"
#include "msync.pb-c.h"
#include "sandbox/rongcloud/rongcloud.h"

#include <string.h>

#define CONTENT_MAX ((size_t)128 * 1024)

typedef Easemob__Pb__MessageBody__Content content_t;

static void text_bytes(struct mt_jsonw *json, const char *key, ProtobufCBinaryData bytes)
{
    mt_jsonw_key(json, key);
    mt_jsonw_strn(json, (const char *)bytes.data, bytes.len);
}

static void text(struct mt_jsonw *json, const char *key, const char *value)
{
    mt_jsonw_key(json, key);
    mt_jsonw_str(json, value == NULL ? "" : value);
}

static void number(struct mt_jsonw *json, const char *key, int64_t value)
{
    mt_jsonw_key(json, key);
    mt_jsonw_i64(json, value);
}

static void ext_value(struct mt_jsonw *json, const Easemob__Pb__KeyValue *kv)
{
    switch (kv->type) {
    case EASEMOB__PB__KEY_VALUE__VALUE_TYPE__BOOL:
        mt_jsonw_bool(json, kv->varintvalue != 0);
        break;
    case EASEMOB__PB__KEY_VALUE__VALUE_TYPE__FLOAT:
        mt_jsonw_double(json, (double)kv->floatvalue);
        break;
    case EASEMOB__PB__KEY_VALUE__VALUE_TYPE__DOUBLE:
        mt_jsonw_double(json, kv->doublevalue);
        break;
    case EASEMOB__PB__KEY_VALUE__VALUE_TYPE__STRING:
    case EASEMOB__PB__KEY_VALUE__VALUE_TYPE__JSON_STRING:
        mt_jsonw_strn(json, (const char *)kv->stringvalue.data, kv->stringvalue.len);
        break;
    default:
        mt_jsonw_i64(json, kv->varintvalue);
    }
}

/* `extra` is one text, by custom a JSON object. */
static void extra(struct mt_jsonw *json, const struct mt_sb_past *past)
{
    struct mt_jsonw inner;
    struct mt_buf room;
    Easemob__Pb__MessageBody *body =
        past->ext_len == 0 ? NULL
                           : easemob__pb__message_body__unpack(NULL, past->ext_len, past->ext);
    if (body == NULL)
        return;
    mt_buf_init(&room, CONTENT_MAX);
    mt_jsonw_init(&inner, &room);
    mt_jsonw_object(&inner);
    for (size_t i = 0; i < body->n_ext; i++) {
        mt_jsonw_key(&inner, body->ext[i]->key == NULL ? "" : body->ext[i]->key);
        ext_value(&inner, body->ext[i]);
    }
    mt_jsonw_object_end(&inner);
    if (room.failed == MT_OK) {
        mt_jsonw_key(json, "extra");
        mt_jsonw_strn(json, room.data, room.len);
    }
    mt_buf_deinit(&room);
    easemob__pb__message_body__free_unpacked(body, NULL);
}

static const char *custom(const content_t *content, struct mt_jsonw *json)
{
    for (size_t i = 0; i < content->n_customexts; i++) {
        mt_jsonw_key(json, content->customexts[i]->key == NULL ? "" : content->customexts[i]->key);
        ext_value(json, content->customexts[i]);
    }
    return "demo:order_card";
}

/* A picture's thumbnail, as small as one can be. */
static const char *media(const content_t *content, struct mt_jsonw *json)
{
    switch (content->type) {
    case EASEMOB__PB__MESSAGE_BODY__CONTENT__TYPE__IMAGE:
        if (content->subtype == EASEMOB__PB__MESSAGE_BODY__CONTENT__SUB_TYPE__SUB_GIF &&
            content->has_subtype) {
            number(json, "gifDataSize", content->filelength);
            text(json, "remoteUrl", content->remotepath);
            number(json, "width", content->size == NULL ? 0 : (int64_t)content->size->width);
            number(json, "height", content->size == NULL ? 0 : (int64_t)content->size->height);
            return "RC:GIFMsg";
        }
        text(json, "content", "/9j/2Q==");
        text(json, "imageUri", content->remotepath);
        return "RC:ImgMsg";
    case EASEMOB__PB__MESSAGE_BODY__CONTENT__TYPE__VIDEO:
        text(json, "sightUrl", content->remotepath);
        text(json, "content", "/9j/2Q==");
        number(json, "duration", content->duration);
        number(json, "size", content->filelength);
        text_bytes(json, "name", content->displayname);
        return "RC:SightMsg";
    case EASEMOB__PB__MESSAGE_BODY__CONTENT__TYPE__VOICE:
        text(json, "remoteUrl", content->remotepath);
        number(json, "duration", content->duration);
        return "RC:HQVCMsg";
    default:
        text_bytes(json, "name", content->displayname);
        number(json, "size", content->filelength);
        text(json, "type", "pdf");
        text(json, "fileUrl", content->remotepath);
        return "RC:FileMsg";
    }
}

static const char *combine(const content_t *content, bool group, struct mt_jsonw *json)
{
    text(json, "remoteUrl", content->remotepath);
    mt_jsonw_key(json, "nameList");
    mt_jsonw_array(json);
    mt_jsonw_str(json, "mia");
    mt_jsonw_str(json, "li");
    mt_jsonw_array_end(json);
    mt_jsonw_key(json, "summaryList");
    mt_jsonw_array(json);
    mt_jsonw_str(json, "mia: hi");
    mt_jsonw_str(json, "li: 你好");
    mt_jsonw_array_end(json);
    number(json, "conversationType", group ? 3 : 1);
    return "RC:CombineMsg";
}

static const char *write_content(const struct mt_sb_past *past, const content_t *content,
                                 struct mt_jsonw *json)
{
    switch (past->kind) {
    case MT_SB_TEXT:
        text_bytes(json, "content", content->text);
        return "RC:TxtMsg";
    case MT_SB_LOCATION:
        mt_jsonw_key(json, "longitude");
        mt_jsonw_double(json, content->longitude);
        mt_jsonw_key(json, "latitude");
        mt_jsonw_double(json, content->latitude);
        text_bytes(json, "poi", content->address);
        text(json, "content", "");
        return "RC:LBSMsg";
    case MT_SB_COMMAND:
        text_bytes(json, "name", content->action);
        text(json, "data", "");
        return "RC:CmdMsg";
    case MT_SB_CUSTOM:
        return custom(content, json);
    case MT_SB_COMBINE:
        return combine(content, past->thread->chat == MT_SB_GROUP, json);
    default:
        return media(content, json);
    }
}

static const char *peer_of(const struct mt_sb_past *past)
{
    for (size_t i = 0; i < past->thread->view_n; i++) {
        if (past->thread->views[i]->user == past->from)
            return past->thread->views[i]->id;
    }
    return NULL;
}

enum mt_rc mt_sb_fill_mirror(const struct mt_sb_fill *fill, const struct mt_sb_past *past)
{
    struct mt_buf room;
    struct mt_jsonw json;
    bool group = past->thread->chat == MT_SB_GROUP;
    ProtobufCMessage *unpacked = protobuf_c_message_unpack(
        &easemob__pb__message_body__content__descriptor, NULL, past->content_len, past->content);
    const content_t *content = (const content_t *)(const void *)unpacked;
    if (content == NULL)
        return MT_ERR_NOMEM;
    mt_buf_init(&room, CONTENT_MAX);
    mt_jsonw_init(&json, &room);
    mt_jsonw_object(&json);
    const char *name = write_content(past, content, &json);
    extra(&json, past);
    mt_jsonw_object_end(&json);
    struct mt_sr_past own = {
        .group = group,
        .target = group ? past->thread->name : peer_of(past),
        .from = past->from->name,
        .ts_ms = past->ts_ms,
        .name = name,
        .content = room.data,
        .content_len = room.len,
        .persist = past->kind != MT_SB_COMMAND,
        .count = past->kind != MT_SB_COMMAND,
        .receipt = past->wants_ack,
        .id = past->id,
    };
    enum mt_rc rc = room.failed;
    if (rc == MT_OK)
        rc = own.target == NULL ? MT_ERR_NOMEM : mt_sr_fill(fill->rongcloud, &own);
    mt_buf_deinit(&room);
    protobuf_c_message_free_unpacked(unpacked, NULL);
    return rc;
}

enum mt_rc mt_sb_fill_mirror_groups(const struct mt_sb_fill *fill)
{
    for (size_t i = 0; i < fill->store->thread_n; i++) {
        const struct mt_sb_thread *thread = fill->store->thread_list[i];
        for (size_t k = 0; thread->chat == MT_SB_GROUP && k < thread->view_n; k++) {
            enum mt_rc rc =
                mt_sr_fill_member(fill->rongcloud, thread->name, thread->views[k]->user->name);
            if (rc != MT_OK)
                return rc;
        }
    }
    return MT_OK;
}

/* The last message as the conversation lists carry it: ids and JIDs as text, the body as JSON
 * inside a string (easemob.md §4.1). Member names differ from the protobuf ones. */
#include "sandbox/rest_int.h"

#include "base/mem.h"
#include "msync.pb-c.h"

#include <stdio.h>
#include <string.h>

#define PAYLOAD_MAX ((size_t)256 * 1024)

static const char *const KIND_NAMES[MT_SB_KINDS] = {"txt",  "img", "video",  "loc",    "audio",
                                                    "file", "cmd", "custom", "combine"};

const char *mt_sb_kind_name(enum mt_sb_kind kind)
{
    return KIND_NAMES[kind];
}

uint32_t mt_sb_kinds_parse(const char *names)
{
    uint32_t bits = 0;
    while (*names != '\0') {
        size_t len = strcspn(names, ",");
        for (unsigned i = 0; i < MT_SB_KINDS; i++) {
            if (strlen(KIND_NAMES[i]) == len && strncmp(KIND_NAMES[i], names, len) == 0)
                bits |= 1U << i;
        }
        names += len;
        if (*names == ',')
            names++;
    }
    return bits;
}

static void text_member(struct mt_jsonw *json, const char *key, const char *value)
{
    if (value == NULL)
        return;
    mt_jsonw_key(json, key);
    mt_jsonw_str(json, value);
}

static void bytes_member(struct mt_jsonw *json, const char *key, bool has,
                         const ProtobufCBinaryData *value)
{
    if (!has)
        return;
    mt_jsonw_key(json, key);
    mt_jsonw_strn(json, value->len ? (const char *)value->data : "", value->len);
}

static void key_value(struct mt_jsonw *json, const Easemob__Pb__KeyValue *kv)
{
    if (kv->key == NULL)
        return;
    mt_jsonw_key(json, kv->key);
    switch (kv->type) {
    case EASEMOB__PB__KEY_VALUE__VALUE_TYPE__BOOL:
        mt_jsonw_bool(json, kv->varintvalue != 0);
        break;
    case EASEMOB__PB__KEY_VALUE__VALUE_TYPE__INT:
    case EASEMOB__PB__KEY_VALUE__VALUE_TYPE__UINT:
    case EASEMOB__PB__KEY_VALUE__VALUE_TYPE__LLINT:
        mt_jsonw_i64(json, kv->varintvalue);
        break;
    case EASEMOB__PB__KEY_VALUE__VALUE_TYPE__FLOAT:
        mt_jsonw_double(json, (double)kv->floatvalue);
        break;
    case EASEMOB__PB__KEY_VALUE__VALUE_TYPE__DOUBLE:
        mt_jsonw_double(json, kv->doublevalue);
        break;
    default: { /* STRING and JSON_STRING; JSON text is put in as what it says when it says something
                */
        bool there =
            kv->value_case == EASEMOB__PB__KEY_VALUE__VALUE_STRING_VALUE && kv->stringvalue.len > 0;
        const char *text = there ? (const char *)kv->stringvalue.data : "";
        size_t len = there ? kv->stringvalue.len : 0;
        struct mt_json *parsed = NULL;
        if (kv->type == EASEMOB__PB__KEY_VALUE__VALUE_TYPE__JSON_STRING &&
            mt_json_parse(text, len, PAYLOAD_MAX, &parsed, NULL) == MT_OK)
            mt_jsonw_raw(json, text, len);
        else
            mt_jsonw_strn(json, text, len);
        mt_json_free(parsed);
    }
    }
}

/* protobuf-c cannot tell which oneof member a wrong type names: a value of another case reads as 0.
 */
/* apart: a list of maps with one key each, as the SDK expects of customExts (easemob.md §4.1). */
static void key_values(struct mt_jsonw *json, const char *name, Easemob__Pb__KeyValue **list,
                       size_t n, bool apart)
{
    mt_jsonw_key(json, name);
    if (apart)
        mt_jsonw_array(json);
    else
        mt_jsonw_object(json);
    for (size_t i = 0; i < n; i++) {
        if (apart)
            mt_jsonw_object(json);
        Easemob__Pb__KeyValue kv = *list[i];
        bool text = kv.type >= EASEMOB__PB__KEY_VALUE__VALUE_TYPE__STRING;
        bool real = kv.type == EASEMOB__PB__KEY_VALUE__VALUE_TYPE__FLOAT
                        ? kv.value_case == EASEMOB__PB__KEY_VALUE__VALUE_FLOAT_VALUE
                    : kv.type == EASEMOB__PB__KEY_VALUE__VALUE_TYPE__DOUBLE
                        ? kv.value_case == EASEMOB__PB__KEY_VALUE__VALUE_DOUBLE_VALUE
                        : kv.value_case == EASEMOB__PB__KEY_VALUE__VALUE_VARINT_VALUE;
        if (!text && !real) {
            kv.type = EASEMOB__PB__KEY_VALUE__VALUE_TYPE__INT;
            kv.varintvalue = 0;
        }
        key_value(json, &kv);
        if (apart)
            mt_jsonw_object_end(json);
    }
    if (apart)
        mt_jsonw_array_end(json);
    else
        mt_jsonw_object_end(json);
}

static void file_members(struct mt_jsonw *json, const Easemob__Pb__MessageBody__Content *c)
{
    text_member(json, "url", c->remotepath);
    text_member(json, "secret", c->secretkey);
    bytes_member(json, "filename", c->has_displayname, &c->displayname);
    mt_jsonw_key(json, "file_length");
    mt_jsonw_i64(json, c->filelength);
    if (c->has_duration) {
        mt_jsonw_key(json, "length");
        mt_jsonw_i64(json, c->duration);
    }
    const Easemob__Pb__MessageBody__Content__Size *size =
        c->size != NULL ? c->size : c->thumbnailsize;
    if (size != NULL) {
        mt_jsonw_key(json, "size");
        mt_jsonw_object(json);
        mt_jsonw_key(json, "width");
        mt_jsonw_double(json, size->width);
        mt_jsonw_key(json, "height");
        mt_jsonw_double(json, size->height);
        mt_jsonw_object_end(json);
    }
    text_member(json, "thumb", c->thumbnailremotepath);
    text_member(json, "thumb_secret", c->thumbnailsecretkey);
}

static void content_members(struct mt_jsonw *json, enum mt_sb_kind kind,
                            const Easemob__Pb__MessageBody__Content *c)
{
    /* a combined message is text with a sub-type here */
    text_member(json, "type", kind == MT_SB_COMBINE ? "txt" : KIND_NAMES[kind]);
    switch (kind) {
    case MT_SB_TEXT:
        bytes_member(json, "msg", true, &c->text);
        break;
    case MT_SB_COMBINE:
        bytes_member(json, "msg", true, &c->text);
        text_member(json, "subType", "sub_combine");
        bytes_member(json, "title", c->has_title, &c->title);
        bytes_member(json, "summary", c->has_summary, &c->summary);
        mt_jsonw_key(json, "combineLevel");
        mt_jsonw_i64(json, c->combinelevel);
        file_members(json, c);
        break;
    case MT_SB_LOCATION:
        bytes_member(json, "addr", c->has_address, &c->address);
        mt_jsonw_key(json, "lat");
        mt_jsonw_double(json, c->latitude);
        mt_jsonw_key(json, "lng");
        mt_jsonw_double(json, c->longitude);
        bytes_member(json, "buildingName", c->has_buildingname, &c->buildingname);
        break;
    case MT_SB_COMMAND:
        bytes_member(json, "action", true, &c->action);
        break;
    case MT_SB_CUSTOM:
        bytes_member(json, "customEvent", true, &c->customevent);
        key_values(json, "customExts", c->customexts, c->n_customexts, true);
        break;
    default:
        file_members(json, c);
        if (kind == MT_SB_IMAGE && c->has_subtype)
            text_member(json, "subType", "sub_gif");
    }
}

static void body_members(struct mt_jsonw *json, enum mt_sb_kind kind,
                         const Easemob__Pb__MessageBody *body)
{
    static const char *const TYPES[] = {"normal", "chat", "groupchat", "chatroom"};
    mt_jsonw_object(json);
    mt_jsonw_key(json, "bodies");
    mt_jsonw_array(json);
    if (body->n_contents > 0) {
        mt_jsonw_object(json);
        content_members(json, kind, body->contents[0]);
        mt_jsonw_object_end(json);
    }
    mt_jsonw_array_end(json);
    key_values(json, "ext", body->ext, body->n_ext, false);
    text_member(json, "from", body->from == NULL ? NULL : body->from->name);
    text_member(json, "to", body->to == NULL ? NULL : body->to->name);
    if (body->type >= 0 && (size_t)body->type < sizeof TYPES / sizeof TYPES[0])
        text_member(json, "type", TYPES[body->type]);
    struct mt_json *meta = NULL;
    if (body->meta != NULL &&
        mt_json_parse(body->meta, strlen(body->meta), PAYLOAD_MAX, &meta, NULL) == MT_OK) {
        mt_jsonw_key(json, "meta");
        mt_jsonw_raw(json, body->meta, strlen(body->meta));
    }
    mt_json_free(meta);
    mt_jsonw_object_end(json);
}

static void jid_member(struct mt_jsonw *json, const char *key, const Easemob__Pb__JID *jid)
{
    char text[1024];
    if (jid == NULL || jid->name == NULL)
        return;
    bool resource = jid->clientresource != NULL && jid->clientresource[0] != '\0';
    (void)snprintf(text, sizeof text, "%s_%s@%s%s%s", jid->appkey == NULL ? "" : jid->appkey,
                   jid->name, jid->domain == NULL ? "" : jid->domain, resource ? "/" : "",
                   resource ? jid->clientresource : "");
    text_member(json, key, text);
}

enum mt_rc mt_sb_payload_write(const struct mt_sb_message *message, struct mt_jsonw *json)
{
    enum mt_rc rc = MT_OK;
    uint8_t *bytes = NULL;
    size_t len = 0;
    Easemob__Pb__Meta *meta = NULL;
    Easemob__Pb__MessageBody *body = NULL;
    struct mt_buf text;
    struct mt_jsonw inner;
    mt_buf_init(&text, PAYLOAD_MAX);
    mt_jsonw_object(json);
    if (message == NULL)
        goto out;
    bytes = mt_sb_message_meta(message, &len);
    if (bytes != NULL)
        meta = easemob__pb__meta__unpack(NULL, len, bytes);
    if (meta != NULL)
        body = easemob__pb__message_body__unpack(NULL, meta->payload.len, meta->payload.data);
    if (body == NULL) {
        rc = MT_ERR_NOMEM;
        goto out;
    }
    jid_member(json, "from", meta->from);
    jid_member(json, "to", meta->to);
    mt_jsonw_key(json, "id");
    mt_jsonw_u64_str(json, message->id);
    mt_jsonw_key(json, "timestamp");
    mt_jsonw_i64(json, message->ts_ms);
    mt_jsonw_init(&inner, &text);
    body_members(&inner, (enum mt_sb_kind)message->kind, body);
    rc = text.failed;
    mt_jsonw_key(json, "payload");
    mt_jsonw_strn(json, text.data == NULL ? "" : text.data, text.len);
out:
    mt_jsonw_object_end(json);
    if (body != NULL)
        easemob__pb__message_body__free_unpacked(body, NULL);
    if (meta != NULL)
        easemob__pb__meta__free_unpacked(meta, NULL);
    mt_mem_free(bytes);
    mt_buf_deinit(&text);
    return rc;
}

/* Contents and pairs as the official SDK writes them (easemob.md §2, §3.4): see pack_int.h. */
#include "provider/easemob/pack_int.h"

#include "base/arena.h"
#include "base/buf.h"

#include <string.h>

#define TEXT_MAX ((size_t)1024 * 1024)

typedef Easemob__Pb__KeyValue pair_pb;
typedef Easemob__Pb__MessageBody__Content content_pb;

/* ---------------------------------------------------------------- pairs */

static enum mt_rc as_json(const struct mt_value *value, struct mt_arena *arena, pair_pb *pair)
{
    struct mt_buf text;
    enum mt_rc rc = MT_OK;

    mt_buf_init(&text, TEXT_MAX);
    rc = mt_value_write(value, &text);
    if (!rc) {
        pair->stringvalue.data = (uint8_t *)mt_arena_strndup(arena, text.data, text.len);
        pair->stringvalue.len = text.len;
        rc = pair->stringvalue.data ? MT_OK : MT_ERR_NOMEM;
    }
    mt_buf_deinit(&text);
    pair->type = EASEMOB__PB__KEY_VALUE__VALUE_TYPE__JSON_STRING;
    pair->value_case = EASEMOB__PB__KEY_VALUE__VALUE_STRING_VALUE;
    return rc;
}

static enum mt_rc pair_of(const struct mt_value *value, struct mt_arena *arena, pair_pb *pair)
{
    pair->has_type = true;
    pair->value_case = EASEMOB__PB__KEY_VALUE__VALUE_VARINT_VALUE;
    switch (value->type) {
    case MT_VALUE_BOOL:
        pair->type = EASEMOB__PB__KEY_VALUE__VALUE_TYPE__BOOL;
        pair->varintvalue = value->b;
        return MT_OK;
    case MT_VALUE_INT:
        pair->type = EASEMOB__PB__KEY_VALUE__VALUE_TYPE__INT;
        pair->varintvalue = value->i;
        return MT_OK;
    case MT_VALUE_UINT:
        pair->type = EASEMOB__PB__KEY_VALUE__VALUE_TYPE__UINT;
        pair->varintvalue = (int64_t)value->u;
        return MT_OK;
    case MT_VALUE_DOUBLE:
        pair->type = EASEMOB__PB__KEY_VALUE__VALUE_TYPE__DOUBLE;
        pair->value_case = EASEMOB__PB__KEY_VALUE__VALUE_DOUBLE_VALUE;
        pair->doublevalue = value->d;
        return MT_OK;
    case MT_VALUE_STR:
        pair->type = EASEMOB__PB__KEY_VALUE__VALUE_TYPE__STRING;
        pair->value_case = EASEMOB__PB__KEY_VALUE__VALUE_STRING_VALUE;
        pair->stringvalue.data = (uint8_t *)(uintptr_t)value->s;
        pair->stringvalue.len = value->len;
        return MT_OK;
    default: /* null, lists and maps */
        return as_json(value, arena, pair);
    }
}

enum mt_rc mt_em_pack_pairs(const struct mt_value *map, struct mt_arena *arena, pair_pb ***out,
                            size_t *n)
{
    size_t count = map->type == MT_VALUE_MAP ? map->fields_n : 0;
    pair_pb **list = mt_arena_calloc(arena, count + 1, sizeof(pair_pb *));
    pair_pb *pairs = mt_arena_calloc(arena, count + 1, sizeof *pairs);

    if (!list || !pairs)
        return MT_ERR_NOMEM;
    for (size_t i = 0; i < count; i++) {
        easemob__pb__key_value__init(&pairs[i]);
        pairs[i].key = (char *)(uintptr_t)map->fields[i].key;
        enum mt_rc rc = pair_of(&map->fields[i].value, arena, &pairs[i]);
        if (rc)
            return rc;
        list[i] = &pairs[i];
    }
    *out = list;
    *n = count;
    return MT_OK;
}

/* ---------------------------------------------------------------- fields of a body */

static const struct mt_value *field(const struct mt_outgoing *m, const char *key)
{
    return m->body.type == MT_VALUE_MAP ? mt_value_get(&m->body, key) : NULL;
}

static char *str(const struct mt_outgoing *m, const char *key)
{
    const struct mt_value *v = field(m, key);
    return v && v->type == MT_VALUE_STR ? (char *)(uintptr_t)v->s : NULL;
}

static bool bytes(const struct mt_outgoing *m, const char *key, ProtobufCBinaryData *out)
{
    const struct mt_value *v = field(m, key);

    if (!v || v->type != MT_VALUE_STR)
        return false;
    out->data = (uint8_t *)(uintptr_t)v->s;
    out->len = v->len;
    return true;
}

static bool number(const struct mt_outgoing *m, const char *key, double *out)
{
    const struct mt_value *v = field(m, key);

    if (v && v->type == MT_VALUE_INT)
        *out = (double)v->i;
    else if (v && v->type == MT_VALUE_DOUBLE)
        *out = v->d;
    else
        return false;
    return true;
}

static bool integer(const struct mt_outgoing *m, const char *key, int32_t *out)
{
    double d = 0;

    if (!number(m, key, &d) || d < 0 || d > INT32_MAX)
        return false;
    *out = (int32_t)d;
    return true;
}

static bool yes(const struct mt_outgoing *m, const char *key)
{
    const struct mt_value *v = field(m, key);
    return v && v->type == MT_VALUE_BOOL && v->b;
}

static enum mt_rc missing(const struct mt_outgoing *m, const char *key, struct mt_fault *fault)
{
    return mt_fault_set(fault, MT_ERR_INVALID, "send.field", "a %s message needs %s",
                        mt_message_kind_name(m->kind), key);
}

/* ---------------------------------------------------------------- contents */

static void set_text(const struct mt_outgoing *m, content_pb *out)
{
    out->has_text = true;
    out->text.data = (uint8_t *)(uintptr_t)(m->text ? m->text : "");
    out->text.len = m->text ? m->text_len : 0;
}

/* The fields of every attachment, §3.4; the thumbnail's name is the file's. */
static enum mt_rc set_file(const struct mt_outgoing *m, content_pb *out, struct mt_fault *fault)
{
    out->remotepath = str(m, "remote_path");
    if (!out->remotepath) /* an address of the sender's own, sent as it is (seed 004) */
        out->remotepath = str(m, "url");
    if (!out->remotepath)
        return missing(m, "remote_path, the address of the file", fault);
    out->secretkey = str(m, "secret");
    out->has_displayname = bytes(m, "filename", &out->displayname);
    out->has_filelength = integer(m, "size_bytes", &out->filelength);
    if (m->kind != MT_MESSAGE_COMBINE && out->has_displayname)
        out->thumbnaildisplayname = str(m, "filename");
    return MT_OK;
}

static enum mt_rc set_image(const struct mt_outgoing *m, struct mt_arena *arena, content_pb *out,
                            struct mt_fault *fault)
{
    Easemob__Pb__MessageBody__Content__Size *size = mt_arena_alloc(arena, sizeof *size);

    if (!size)
        return MT_ERR_NOMEM;
    easemob__pb__message_body__content__size__init(size);
    size->has_width = number(m, "width", &size->width);
    size->has_height = number(m, "height", &size->height);
    if (size->has_width || size->has_height)
        out->size = size;
    if (yes(m, "gif")) {
        out->has_subtype = true;
        out->subtype = EASEMOB__PB__MESSAGE_BODY__CONTENT__SUB_TYPE__SUB_GIF;
    }
    return set_file(m, out, fault);
}

static enum mt_rc set_video(const struct mt_outgoing *m, struct mt_arena *arena, content_pb *out,
                            struct mt_fault *fault)
{
    static const char frame[] = "?vframe=true"; /* the service makes a still of it */
    const char *path = str(m, "remote_path") ? str(m, "remote_path") : str(m, "url");
    size_t len = path ? strlen(path) : 0;

    out->has_duration = integer(m, "duration_s", &out->duration);
    out->thumbnailremotepath = str(m, "thumbnail_remote_path");
    out->thumbnailsecretkey = str(m, "thumbnail_secret");
    if (path && !out->thumbnailremotepath) {
        char *still = mt_arena_alloc(arena, len + sizeof frame);
        if (!still)
            return MT_ERR_NOMEM;
        memcpy(still, path, len);
        memcpy(still + len, frame, sizeof frame);
        out->thumbnailremotepath = still;
        out->thumbnailsecretkey = str(m, "secret");
    }
    return set_file(m, out, fault);
}

static enum mt_rc set_location(const struct mt_outgoing *m, content_pb *out, struct mt_fault *fault)
{
    out->has_latitude = number(m, "latitude", &out->latitude);
    out->has_longitude = number(m, "longitude", &out->longitude);
    if (!out->has_latitude || !out->has_longitude)
        return missing(m, "latitude and longitude", fault);
    out->has_address = bytes(m, "address", &out->address);
    out->has_buildingname = bytes(m, "building", &out->buildingname);
    return MT_OK;
}

static enum mt_rc set_custom(const struct mt_outgoing *m, struct mt_arena *arena, content_pb *out,
                             struct mt_fault *fault)
{
    const struct mt_value *fields = field(m, "fields");

    out->has_customevent = bytes(m, "event", &out->customevent);
    if (!out->has_customevent)
        return missing(m, "event, the name of your event", fault);
    return fields ? mt_em_pack_pairs(fields, arena, &out->customexts, &out->n_customexts) : MT_OK;
}

static enum mt_rc set_combine(const struct mt_outgoing *m, content_pb *out, struct mt_fault *fault)
{
    set_text(m, out);
    out->has_subtype = true; /* present and 0: a combined message (§2) */
    out->subtype = EASEMOB__PB__MESSAGE_BODY__CONTENT__SUB_TYPE__SUB_COMBINE;
    out->has_title = bytes(m, "title", &out->title);
    out->has_summary = bytes(m, "summary", &out->summary);
    out->has_combinelevel = integer(m, "level", &out->combinelevel);
    return set_file(m, out, fault);
}

enum mt_rc mt_em_pack_content(const struct mt_outgoing *m, struct mt_arena *arena, content_pb *out,
                              struct mt_fault *fault)
{
    static const int types[] = {
        [MT_MESSAGE_TEXT] = EASEMOB__PB__MESSAGE_BODY__CONTENT__TYPE__TEXT,
        [MT_MESSAGE_IMAGE] = EASEMOB__PB__MESSAGE_BODY__CONTENT__TYPE__IMAGE,
        [MT_MESSAGE_VOICE] = EASEMOB__PB__MESSAGE_BODY__CONTENT__TYPE__VOICE,
        [MT_MESSAGE_VIDEO] = EASEMOB__PB__MESSAGE_BODY__CONTENT__TYPE__VIDEO,
        [MT_MESSAGE_FILE] = EASEMOB__PB__MESSAGE_BODY__CONTENT__TYPE__FILE,
        [MT_MESSAGE_LOCATION] = EASEMOB__PB__MESSAGE_BODY__CONTENT__TYPE__LOCATION,
        [MT_MESSAGE_COMMAND] = EASEMOB__PB__MESSAGE_BODY__CONTENT__TYPE__COMMAND,
        [MT_MESSAGE_CUSTOM] = EASEMOB__PB__MESSAGE_BODY__CONTENT__TYPE__CUSTOM,
        [MT_MESSAGE_COMBINE] = EASEMOB__PB__MESSAGE_BODY__CONTENT__TYPE__TEXT,
    };

    easemob__pb__message_body__content__init(out);
    if ((size_t)m->kind >= sizeof types / sizeof *types)
        return mt_fault_set(fault, MT_ERR_INVALID, "send.kind",
                            "messages of this kind cannot be sent");
    out->has_type = true;
    out->type = (Easemob__Pb__MessageBody__Content__Type)types[m->kind];
    switch (m->kind) {
    case MT_MESSAGE_TEXT:
        set_text(m, out);
        return MT_OK;
    case MT_MESSAGE_IMAGE:
        return set_image(m, arena, out, fault);
    case MT_MESSAGE_VOICE:
        out->has_duration = integer(m, "duration_s", &out->duration);
        return set_file(m, out, fault);
    case MT_MESSAGE_VIDEO:
        return set_video(m, arena, out, fault);
    case MT_MESSAGE_FILE:
        return set_file(m, out, fault);
    case MT_MESSAGE_LOCATION:
        return set_location(m, out, fault);
    case MT_MESSAGE_COMMAND:
        out->has_action = bytes(m, "action", &out->action);
        return out->has_action ? MT_OK : missing(m, "action, a word of your choice", fault);
    case MT_MESSAGE_CUSTOM:
        return set_custom(m, arena, out, fault);
    default:
        return set_combine(m, out, fault);
    }
}

/* Reads one body of the JSON form of a message (easemob.md §4.1): other member names than the
 * protobuf form, the same message. */
#include "provider/easemob/content_int.h"

#include "base/arena.h"
#include "codec/json.h"
#include "model/fields.h"
#include "provider/easemob/ext_int.h"

#include <string.h>

static enum mt_message_kind kind_of(const char *type, const char *sub)
{
    static const struct {
        const char *type;
        enum mt_message_kind kind;
    } kinds[] = {
        {"txt", MT_MESSAGE_TEXT},    {"img", MT_MESSAGE_IMAGE},     {"audio", MT_MESSAGE_VOICE},
        {"video", MT_MESSAGE_VIDEO}, {"file", MT_MESSAGE_FILE},     {"loc", MT_MESSAGE_LOCATION},
        {"cmd", MT_MESSAGE_COMMAND}, {"custom", MT_MESSAGE_CUSTOM}, {"combine", MT_MESSAGE_COMBINE},
    };

    if (strcmp(type, "txt") == 0 && strcmp(sub, "sub_combine") == 0)
        return MT_MESSAGE_COMBINE;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].type, type) == 0)
            return kinds[i].kind;
    return MT_MESSAGE_OTHER;
}

static const char *str(const struct mt_json *object, const char *key)
{
    return mt_json_str(mt_json_get(object, key));
}

static bool integer(const struct mt_json *object, const char *key, int64_t *out)
{
    const struct mt_json *node = mt_json_get(object, key);
    enum mt_json_type type = mt_json_type(node);

    if (node == NULL || (type != MT_JSON_NUMBER && type != MT_JSON_STRING))
        return false;
    *out = mt_json_i64(node, (int64_t)mt_json_double(node, 0) /* 3.0 and the like */);
    return true;
}

static void set_numbers(const struct mt_json *body, struct mt_em_content *out)
{
    const struct mt_json *size = mt_json_get(body, "size");

    (void)integer(body, "file_length", &out->size_bytes);
    out->has_duration = integer(body, "length", &out->duration_s);
    out->has_level = integer(body, "combineLevel", &out->level);
    if (mt_json_type(size) == MT_JSON_OBJECT) {
        out->has_dimensions = true;
        out->width = mt_json_double(mt_json_get(size, "width"), 0);
        out->height = mt_json_double(mt_json_get(size, "height"), 0);
    }
    out->has_position = mt_json_get(body, "lat") != NULL || mt_json_get(body, "lng") != NULL;
    out->latitude = mt_json_double(mt_json_get(body, "lat"), 0);
    out->longitude = mt_json_double(mt_json_get(body, "lng"), 0);
}

/* customExts and params: a map, or a list of single-key maps that are one map together (§4.1). */
static enum mt_rc read_pairs(const struct mt_json *node, struct mt_arena *arena,
                             struct mt_value *out)
{
    bool list = mt_json_type(node) == MT_JSON_ARRAY;
    const struct mt_json *object = list ? mt_json_child(node) : node;
    struct mt_fields map;

    mt_fields_init(&map, arena);
    for (; object != NULL; object = list ? mt_json_next(object) : NULL) {
        if (mt_json_type(object) != MT_JSON_OBJECT)
            continue;
        for (const struct mt_json *m = mt_json_child(object); m != NULL; m = mt_json_next(m)) {
            const char *key = mt_arena_strdup(arena, mt_json_key(m));
            struct mt_value value = {.type = MT_VALUE_NULL};
            struct mt_value *slot = NULL;
            enum mt_rc rc = key == NULL ? MT_ERR_NOMEM : mt_value_from_json(m, arena, &value);

            if (rc != MT_OK)
                return rc;
            slot = mt_fields_slot(&map, key);
            if (slot == NULL)
                return map.failed;
            *slot = value;
        }
    }
    *out = mt_fields_end(&map);
    return MT_OK;
}

static enum mt_rc set_maps(const struct mt_json *body, struct mt_arena *arena,
                           struct mt_em_content *out)
{
    const struct mt_json *fields = mt_json_get(body, "customExts");
    const struct mt_json *params = mt_json_get(body, "params");
    enum mt_rc rc = MT_OK;

    if (mt_json_get(body, "v2:customExts") != NULL)
        fields = mt_json_get(body, "v2:customExts");
    if (fields != NULL || out->kind == MT_MESSAGE_CUSTOM)
        rc = read_pairs(fields, arena, &out->fields);
    if (rc == MT_OK && params != NULL)
        rc = read_pairs(params, arena, &out->params);
    return rc;
}

static void set_stream(const struct mt_json *json, struct mt_em_stream *stream,
                       struct mt_em_content *out)
{
    const struct mt_json *type = mt_json_get(json, "streamType");

    if (mt_json_type(json) != MT_JSON_OBJECT)
        return;
    *stream = (struct mt_em_stream){.type = mt_json_str(type)};
    (void)mt_json_u64(mt_json_get(json, "streamSeq"), &stream->seq);
    stream->status = mt_json_i64(mt_json_get(json, "streamStatus"), 0);
    stream->error = mt_json_i64(mt_json_get(json, "streamError"), 0);
    stream->finish_reason = mt_json_i64(mt_json_get(json, "streamFinishReason"), 0);
    out->stream = stream;
}

enum mt_rc mt_em_content_from_json(const struct mt_json *body, const struct mt_json *stream,
                                   struct mt_em_stream *stream_out, struct mt_arena *arena,
                                   struct mt_em_content *out)
{
    const char *type = str(body, "type");
    const char *sub = str(body, "subType");

    *out = (struct mt_em_content){.kind = MT_MESSAGE_OTHER, .other = "empty"};
    if (type == NULL)
        return MT_OK;
    out->kind = kind_of(type, sub == NULL ? "" : sub);
    out->other = type;
    out->gif = out->kind == MT_MESSAGE_IMAGE && sub != NULL && strcmp(sub, "sub_gif") == 0;
    out->text = str(body, "msg");
    out->text_len = out->text ? strlen(out->text) : 0;
    out->filename = str(body, "filename");
    out->remote_path = str(body, "url");
    out->secret = str(body, "secret");
    out->thumbnail_path = str(body, "thumb");
    out->thumbnail_secret = str(body, "thumb_secret");
    out->address = str(body, "addr");
    out->building = str(body, "buildingName");
    out->action = str(body, "action");
    out->event = str(body, "customEvent");
    out->title = str(body, "title");
    out->summary = str(body, "summary");
    set_numbers(body, out);
    set_stream(stream, stream_out, out);
    return set_maps(body, arena, out);
}

/* Writes a message's content into the model: one function for both forms in which the cloud hands
 * it out. */
#include "provider/easemob/content_int.h"

#include "base/arena.h"
#include "model/fields.h"

#include <string.h>

/* The host of a stored attachment's URL is not to be trusted: the SDK takes everything from the
 * first '/' after index 9 and puts it on the configured REST host (easemob.md §3.3, §6.16). The
 * query is left away: em-redirect and the secret are the downloader's business. */
static const char *rebase(const char *path, const char *api, struct mt_arena *arena)
{
    size_t len = strcspn(path, "?#");
    size_t api_len = strlen(api);
    const char *tail = len > 9 ? memchr(path + 9, '/', len - 9) : NULL;
    char *out = NULL;

    if (tail == NULL || api_len == 0)
        return mt_arena_strndup(arena, path, len);
    len -= (size_t)(tail - path);
    out = mt_arena_alloc(arena, api_len + len + 1);
    if (out == NULL)
        return NULL;
    memcpy(out, api, api_len);
    memcpy(out + api_len, tail, len);
    out[api_len + len] = '\0';
    return out;
}

static void add_url(struct mt_fields *map, const char *key, const char *path, const char *api)
{
    const char *url = NULL;

    if (path == NULL || path[0] == '\0')
        return;
    url = rebase(path, api, map->arena);
    if (url == NULL)
        map->failed = MT_ERR_NOMEM;
    else
        mt_fields_value(map, key, mt_value_of_str(url));
}

static void add_stream(struct mt_fields *body, const struct mt_em_stream *stream)
{
    struct mt_fields map;

    mt_fields_init(&map, body->arena);
    mt_fields_str(&map, "type", stream->type);
    if (stream->seq > INT64_MAX)
        mt_fields_value(&map, "seq", (struct mt_value){.type = MT_VALUE_UINT, .u = stream->seq});
    else
        mt_fields_int(&map, "seq", (int64_t)stream->seq);
    mt_fields_int(&map, "status", stream->status);
    if (stream->error != 0)
        mt_fields_int(&map, "error", stream->error);
    if (stream->finish_reason != 0)
        mt_fields_int(&map, "finish_reason", stream->finish_reason);
    if (map.failed != MT_OK)
        body->failed = map.failed;
    mt_fields_value(body, "stream", mt_fields_end(&map));
}

static void add_file(struct mt_fields *body, const struct mt_em_content *c, const char *api)
{
    add_url(body, "url", c->remote_path, api);
    mt_fields_str(body, "remote_path", c->remote_path);
    mt_fields_str(body, "secret", c->secret);
    mt_fields_str(body, "filename", c->filename);
    if (c->size_bytes > 0) /* the JSON form writes 0 for a size that nobody gave */
        mt_fields_int(body, "size_bytes", c->size_bytes);
    if (c->has_dimensions && (c->kind == MT_MESSAGE_IMAGE || c->kind == MT_MESSAGE_VIDEO)) {
        mt_fields_number(body, "width", c->width);
        mt_fields_number(body, "height", c->height);
    }
    if (c->has_duration && (c->kind == MT_MESSAGE_VOICE || c->kind == MT_MESSAGE_VIDEO))
        mt_fields_int(body, "duration_s", c->duration_s);
    if (c->gif)
        mt_fields_bool(body, "gif", true);
    add_url(body, "thumbnail_url", c->thumbnail_path, api);
    mt_fields_str(body, "thumbnail_remote_path", c->thumbnail_path);
    mt_fields_str(body, "thumbnail_secret", c->thumbnail_secret);
}

static void add_body(struct mt_fields *body, const struct mt_em_content *c, const char *api)
{
    switch (c->kind) {
    case MT_MESSAGE_TEXT:
        if (c->stream != NULL)
            add_stream(body, c->stream);
        break;
    case MT_MESSAGE_IMAGE:
    case MT_MESSAGE_VOICE:
    case MT_MESSAGE_VIDEO:
    case MT_MESSAGE_FILE:
        add_file(body, c, api);
        break;
    case MT_MESSAGE_LOCATION:
        if (c->has_position) {
            mt_fields_number(body, "latitude", c->latitude);
            mt_fields_number(body, "longitude", c->longitude);
        }
        mt_fields_str(body, "address", c->address);
        mt_fields_str(body, "building", c->building);
        break;
    case MT_MESSAGE_COMMAND:
        mt_fields_str(body, "action", c->action);
        break;
    case MT_MESSAGE_CUSTOM:
        mt_fields_str(body, "event", c->event);
        if (c->fields.type == MT_VALUE_MAP)
            mt_fields_value(body, "fields", c->fields);
        break;
    case MT_MESSAGE_COMBINE:
        mt_fields_str(body, "title", c->title);
        mt_fields_str(body, "summary", c->summary);
        if (c->has_level)
            mt_fields_int(body, "level", c->level);
        add_file(body, c, api);
        break;
    case MT_MESSAGE_OTHER:
        add_file(body, c, api);
        break;
    }
    if (c->params.type == MT_VALUE_MAP && c->params.fields_n > 0)
        mt_fields_value(body, "params", c->params);
}

static bool has_text(const struct mt_em_content *c)
{
    switch (c->kind) {
    case MT_MESSAGE_TEXT:
        return true;
    case MT_MESSAGE_COMBINE:
    case MT_MESSAGE_OTHER:
        return c->text_len > 0;
    default:
        return false;
    }
}

enum mt_rc mt_em_content_write(const struct mt_em_content *content, const char *api,
                               struct mt_arena *arena, struct mt_message *out)
{
    struct mt_fields body;

    out->kind = content->kind;
    out->kind_name = content->kind == MT_MESSAGE_OTHER ? mt_arena_strdup(arena, content->other)
                                                       : mt_message_kind_name(content->kind);
    if (out->kind_name == NULL)
        return MT_ERR_NOMEM;
    out->text = NULL;
    out->text_len = 0;
    if (has_text(content)) {
        out->text =
            mt_arena_strndup(arena, content->text_len ? content->text : "", content->text_len);
        if (out->text == NULL)
            return MT_ERR_NOMEM;
        out->text_len = content->text_len;
    }
    mt_fields_init(&body, arena);
    add_body(&body, content, api);
    out->body = mt_fields_end(&body);
    return body.failed;
}

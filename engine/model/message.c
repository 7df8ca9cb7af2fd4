/* A message as the archive's line. This is the hot path of an export: everything is appended in
 * place, and nothing is looked up twice. */
#include "model/message.h"

#include "base/arena.h"
#include "base/str.h"
#include "codec/base64.h"
#include "codec/hash.h"
#include "codec/json.h"
#include "codec/time.h"

#include <string.h>

struct mt_message_key mt_message_key_of(const struct mt_message *m)
{
    return (struct mt_message_key){
        .id = m->id, .time_ms = m->time_ms, .sent = m->sent, .from = m->from};
}

bool mt_id_same(const char *a, const char *b)
{
    return mt_id_is(a) && mt_id_is(b) && !strcmp(a, b);
}

bool mt_id_may_follow(const char *a, const char *b)
{
    uint64_t x = 0;
    uint64_t y = 0;

    if (!mt_id_is(a) || !mt_id_is(b))
        return true;
    if (mt_str_u64(a, &x) && mt_str_u64(b, &y))
        return y > x;
    return strcmp(a, b) != 0;
}

const char *mt_id_of_u64(struct mt_arena *arena, uint64_t id)
{
    char digits[24];
    size_t at = sizeof digits;

    if (!id)
        return "";
    do {
        digits[--at] = (char)('0' + id % 10);
        id /= 10;
    } while (id);
    return mt_arena_strndup(arena, digits + at, sizeof digits - at);
}

const char *mt_message_kind_name(enum mt_message_kind kind)
{
    static const char *const names[] = {
        [MT_MESSAGE_TEXT] = "text",       [MT_MESSAGE_IMAGE] = "image",
        [MT_MESSAGE_VOICE] = "voice",     [MT_MESSAGE_VIDEO] = "video",
        [MT_MESSAGE_FILE] = "file",       [MT_MESSAGE_LOCATION] = "location",
        [MT_MESSAGE_COMMAND] = "command", [MT_MESSAGE_CUSTOM] = "custom",
        [MT_MESSAGE_COMBINE] = "combine", [MT_MESSAGE_OTHER] = "other",
    };
    return (size_t)kind < sizeof names / sizeof names[0] ? names[kind] : "other";
}

bool mt_message_kind_is_usual(const char *name)
{
    for (int i = MT_MESSAGE_TEXT; i < MT_MESSAGE_OTHER; i++)
        if (!strcmp(name, mt_message_kind_name((enum mt_message_kind)i)))
            return true;
    return false;
}

static const char *type_name(enum mt_message_type type)
{
    switch (type) {
    case MT_TYPE_MESSAGE:
        break;
    case MT_TYPE_EDIT:
        return "edit";
    case MT_TYPE_RECALL:
        return "recall";
    case MT_TYPE_RECEIPT:
        return "receipt";
    case MT_TYPE_GAP:
        return "gap";
    }
    return NULL;
}

/* A piece of the line that is known when it is compiled. */
#define PUT(out, literal) mt_buf_append((out), literal, sizeof(literal) - 1)

static void put_str(struct mt_buf *out, const char *s)
{
    if (s) {
        mt_json_write_str(out, s, strlen(s));
    } else {
        PUT(out, "null");
    }
}

static void put_map(struct mt_buf *out, const struct mt_value *map)
{
    if (map->type == MT_VALUE_MAP && map->fields_n > 0) {
        mt_value_write(map, out);
    } else {
        PUT(out, "{}");
    }
}

static void put_head(struct mt_buf *out, const struct mt_message *m)
{
    const char *type = type_name(m->type);
    PUT(out, "{\"v\":1,");
    if (type) {
        PUT(out, "\"type\":\"");
        mt_buf_append_str(out, type);
        PUT(out, "\",");
        if (mt_id_is(m->target_id)) {
            PUT(out, "\"target\":");
            put_str(out, m->target_id);
            PUT(out, ",");
        }
    }
    PUT(out, "\"id\":");
    put_str(out, mt_id_is(m->id) ? m->id : "0");
    PUT(out, ",\"conversation\":");
    char conversation[MT_CONVERSATION_ID_MAX];
    mt_conversation_ref_format(&m->conversation, conversation);
    put_str(out, conversation);
}

static void put_time(struct mt_buf *out, int64_t time_ms)
{
    char at[MT_TIME_RFC3339_LEN];
    mt_time_format(time_ms, at);
    PUT(out, ",\"time\":");
    mt_buf_append_i64(out, time_ms);
    PUT(out, ",\"at\":\"");
    mt_buf_append_str(out, at);
    PUT(out, "\"");
}

enum mt_rc mt_message_write(const struct mt_message *m, bool with_raw, struct mt_buf *out)
{
    size_t guess = 512 + (with_raw ? MT_BASE64_ENCODED_LEN(m->raw_len) : 0);
    if (guess <= out->max_bytes && out->len <= out->max_bytes - guess) {
        mt_buf_reserve(out, guess); /* one growth in place of several */
    }
    put_head(out, m);
    PUT(out, ",\"from\":");
    put_str(out, m->from);
    PUT(out, ",\"to\":");
    put_str(out, m->to);
    PUT(out, ",\"direction\":\"");
    mt_buf_append_str(out, m->sent ? "sent" : "received");
    PUT(out, "\"");
    put_time(out, m->time_ms);
    PUT(out, ",\"kind\":");
    put_str(out, m->kind_name ? m->kind_name : mt_message_kind_name(m->kind));
    if (m->text) {
        PUT(out, ",\"text\":");
        mt_json_write_str(out, m->text, m->text_len);
    }
    PUT(out, ",\"body\":");
    put_map(out, &m->body);
    PUT(out, ",\"ext\":");
    put_map(out, &m->ext);
    if (m->extra.type == MT_VALUE_MAP && m->extra.fields_n > 0) {
        PUT(out, ",\"extra\":");
        put_map(out, &m->extra);
    }
    if (with_raw && m->raw) {
        PUT(out, ",\"raw\":\"");
        mt_base64_encode(out, m->raw, m->raw_len);
        PUT(out, "\"");
    }
    PUT(out, "}");
    return out->failed;
}

static bool is_volatile(const char *key)
{
    return !strcmp(key, "read") || !strcmp(key, "delivered") || !strcmp(key, "online");
}

/* Every part with its length or its quotes, so that no two contents are written alike. */
enum mt_rc mt_message_digest(const struct mt_message *m, struct mt_buf *scratch,
                             uint8_t out[MT_MESSAGE_DIGEST_LEN])
{
    bool has_body = m->body.type == MT_VALUE_MAP && m->body.fields_n > 0;

    mt_buf_reset(scratch);
    put_str(scratch, m->kind_name);
    mt_buf_append_char(scratch, m->text ? 't' : '-');
    mt_buf_append_u64(scratch, m->text ? m->text_len : 0);
    mt_buf_append_char(scratch, '\n');
    if (m->text)
        mt_buf_append(scratch, m->text, m->text_len);
    put_map(scratch, &m->body);
    put_map(scratch, &m->ext);
    for (size_t i = 0; m->extra.type == MT_VALUE_MAP && i < m->extra.fields_n; i++) {
        const struct mt_field *field = &m->extra.fields[i];
        if (is_volatile(field->key))
            continue;
        put_str(scratch, field->key);
        mt_value_write(&field->value, scratch);
    }
    if (m->kind == MT_MESSAGE_OTHER && !m->text && !has_body && m->raw) {
        PUT(scratch, "\n"); /* nothing of it could be read: only its bytes say what it is */
        mt_buf_append(scratch, m->raw, m->raw_len);
    }
    memset(out, 0, MT_MESSAGE_DIGEST_LEN);
    if (scratch->failed)
        return scratch->failed;
    mt_sha256_of(scratch->data, scratch->len, out);
    return MT_OK;
}

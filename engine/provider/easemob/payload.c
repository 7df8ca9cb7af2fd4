/* The last message of a conversation list: meta {id, from, to, timestamp, payload} with the payload
 * as JSON text (easemob.md §4.1). */
#include "provider/easemob/decode_int.h"

#include "base/arena.h"
#include "base/str.h"
#include "codec/json.h"
#include "provider/easemob/content_int.h"
#include "provider/easemob/extra_int.h"

#include <string.h>
#include <strings.h>

#define PAYLOAD_MAX ((size_t)1024 * 1024)

bool mt_em_jid_parse(const char *jid, const char *appkey, char *out, size_t out_size,
                     bool *conference)
{
    size_t prefix = strlen(appkey);
    size_t len = 0;

    *conference = false;
    if (jid == NULL)
        return false;
    if (mt_str_starts(jid, appkey) && jid[prefix] == '_')
        jid += prefix + 1;
    len = strcspn(jid, "@");
    if (jid[len] == '@')
        *conference = mt_str_starts(jid + len + 1, "conference.");
    else
        len = strcspn(jid, "/"); /* a bare name, with a resource perhaps */
    if (len == 0 || len >= out_size)
        return false;
    memcpy(out, jid, len);
    out[len] = '\0';
    return true;
}

static enum mt_conversation_kind chat_kind(const char *type, bool conference)
{
    if (type == NULL)
        return conference ? MT_CONVERSATION_GROUP : MT_CONVERSATION_SINGLE;
    if (strcasecmp(type, "groupchat") == 0)
        return MT_CONVERSATION_GROUP;
    if (strcasecmp(type, "chatroom") == 0)
        return MT_CONVERSATION_ROOM;
    return MT_CONVERSATION_SINGLE;
}

static enum mt_rc set_people(const struct mt_em_decoder *decoder, const struct mt_json *meta,
                             const struct mt_json *payload, struct mt_arena *arena,
                             struct mt_message *out)
{
    char from_jid[256] = "";
    char to_jid[256] = "";
    bool conference = false;
    bool ignored = false;
    const char *from = mt_json_str(mt_json_get(payload, "from"));
    const char *to = mt_json_str(mt_json_get(payload, "to"));
    enum mt_conversation_kind kind = MT_CONVERSATION_SINGLE;

    (void)mt_em_jid_parse(mt_json_str(mt_json_get(meta, "from")), decoder->appkey, from_jid,
                          sizeof from_jid, &ignored);
    (void)mt_em_jid_parse(mt_json_str(mt_json_get(meta, "to")), decoder->appkey, to_jid,
                          sizeof to_jid, &conference);
    if (from == NULL || from[0] == '\0')
        from = from_jid;
    if (to == NULL || to[0] == '\0')
        to = to_jid;
    kind = chat_kind(mt_json_str(mt_json_get(payload, "type")), conference);
    out->sent = strcasecmp(from, decoder->user) == 0;
    (void)mt_em_ref_set(&out->conversation, kind,
                        kind == MT_CONVERSATION_SINGLE && !out->sent ? from : to);
    out->from = mt_arena_strdup(arena, from);
    out->to = mt_arena_strdup(arena, to);
    return out->from == NULL || out->to == NULL ? MT_ERR_NOMEM : MT_OK;
}

static enum mt_rc set_extra(const struct mt_json *payload, struct mt_arena *arena,
                            struct mt_message *out)
{
    const struct mt_json *meta = mt_json_get(payload, "meta");
    struct mt_fields extra;
    enum mt_rc rc = MT_OK;

    mt_fields_init(&extra, arena);
    if (mt_json_type(meta) == MT_JSON_STRING)
        rc = mt_em_extra_body_text(&extra, mt_json_str(meta));
    else
        rc = mt_em_extra_body(&extra, meta);
    out->extra = mt_fields_end(&extra);
    return rc;
}

static enum mt_rc set_payload(const struct mt_em_decoder *decoder, const struct mt_json *meta,
                              const struct mt_json *payload, struct mt_arena *arena,
                              struct mt_message *out)
{
    const struct mt_json *ext = mt_json_get(payload, "ext");
    const struct mt_json *body = mt_json_child(mt_json_get(payload, "bodies"));
    struct mt_em_content content;
    struct mt_em_stream stream;
    enum mt_rc rc = set_people(decoder, meta, payload, arena, out);

    if (rc == MT_OK && mt_json_type(ext) == MT_JSON_OBJECT)
        rc = mt_value_from_json(ext, arena, &out->ext);
    if (rc == MT_OK)
        rc = set_extra(payload, arena, out);
    if (rc == MT_OK)
        rc =
            mt_em_content_from_json(body, mt_json_get(payload, "stream"), &stream, arena, &content);
    if (rc == MT_OK)
        rc = mt_em_content_write(&content, decoder->api, arena, out);
    return rc;
}

enum mt_rc mt_em_decode_payload(const struct mt_em_decoder *decoder, const struct mt_json *meta,
                                struct mt_arena *arena, struct mt_message *out)
{
    const struct mt_json *text = mt_json_get(meta, "payload");
    const struct mt_json *payload = text;
    struct mt_json *parsed = NULL;
    uint64_t id = 0;
    enum mt_rc rc = MT_OK;

    if (mt_json_type(meta) != MT_JSON_OBJECT || text == NULL)
        return MT_ERR_NOT_FOUND;
    if (mt_json_str(text) != NULL) {
        const char *s = mt_json_str(text);

        rc = mt_json_parse(s, strlen(s), PAYLOAD_MAX, &parsed, NULL);
        if (rc == MT_ERR_NOMEM)
            return rc;
        payload = parsed;
    }
    (void)mt_json_u64(mt_json_get(meta, "id"), &id);
    mt_em_decode_none(mt_id_of_u64(arena, id), NULL, 0, out);
    out->time_ms = mt_json_i64(mt_json_get(meta, "timestamp"), 0);
    rc = set_payload(decoder, meta, payload, arena, out);
    mt_json_free(parsed);
    return rc;
}

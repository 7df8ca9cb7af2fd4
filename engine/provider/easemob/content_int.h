/* What one message carries, read either from the protobuf form (history, live) or from the JSON
 * form (last message of a conversation list), and written into the model by the same function, so
 * that both give the same message. */
#ifndef MT_EASEMOB_CONTENT_INT_H
#define MT_EASEMOB_CONTENT_INT_H

#include "model/message.h"

struct mt_arena;
struct mt_json;

struct mt_em_stream {
    const char *type;
    uint64_t seq;
    int64_t status;
    int64_t error;
    int64_t finish_reason;
};

/* Strings need live only until mt_em_content_write; params and fields lie in the arena already. */
struct mt_em_content {
    enum mt_message_kind kind;
    const char *other; /* the cloud's name of a kind that is none of ours */
    const char *text;  /* not ended by a NUL, and may hold some */
    size_t text_len;
    const char *filename;
    const char *remote_path;
    const char *secret;
    const char *thumbnail_path;
    const char *thumbnail_secret;
    const char *address;
    const char *building;
    const char *action;
    const char *event;
    const char *title;
    const char *summary;
    double width, height;
    double latitude, longitude;
    int64_t size_bytes, duration_s, level;
    bool has_dimensions, has_position, has_duration, has_level;
    bool gif;
    const struct mt_em_stream *stream;
    struct mt_value params; /* MAP or NULL */
    struct mt_value fields; /* MAP or NULL */
};

/* Sets kind, kind_name, text and body of the message. api is the REST host
 * ("https://a1.easemob.com"), "" if not known yet: attachment URLs are put on it (easemob.md §3.3).
 * The keys are listed in docs/messages.md. */
enum mt_rc mt_em_content_write(const struct mt_em_content *content, const char *api,
                               struct mt_arena *arena, struct mt_message *out) MT_CHECKED;

/* One body of the JSON form (§4.1): {"type":"txt","msg":…}. stream is the payload's member, or
 * NULL. */
enum mt_rc mt_em_content_from_json(const struct mt_json *body, const struct mt_json *stream,
                                   struct mt_em_stream *stream_out, struct mt_arena *arena,
                                   struct mt_em_content *out) MT_CHECKED;

#endif

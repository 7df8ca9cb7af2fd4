/* The noun message. Plain data in an arena. Ids are the cloud's own texts: decimal numbers of 64
 * bits with one cloud, opaque with another. */
#ifndef MT_MODEL_MESSAGE_H
#define MT_MODEL_MESSAGE_H

#include "model/conversation.h"
#include "model/value.h"

struct mt_arena;

enum mt_message_kind {
    MT_MESSAGE_TEXT,
    MT_MESSAGE_IMAGE, /* a gif is an image whose body has gif = true */
    MT_MESSAGE_VOICE,
    MT_MESSAGE_VIDEO,
    MT_MESSAGE_FILE,
    MT_MESSAGE_LOCATION,
    MT_MESSAGE_COMMAND,
    MT_MESSAGE_CUSTOM,
    MT_MESSAGE_COMBINE,
    MT_MESSAGE_OTHER, /* kind_name is the cloud's own name; raw is kept whole */
};

/* What a line of history is. A cloud's history may hold more than messages. */
enum mt_message_type {
    MT_TYPE_MESSAGE,
    MT_TYPE_EDIT,    /* new content for target_id */
    MT_TYPE_RECALL,  /* target_id was recalled */
    MT_TYPE_RECEIPT, /* an acknowledgement: never exported as a message */
    MT_TYPE_GAP,     /* archive only: a range that is known to be missing */
};

#define MT_ID_MAX 64 /* the longest id of a message, with NUL; a longer one is not taken */

struct mt_message {
    enum mt_message_type type;
    const char *id;        /* NULL or "": none */
    const char *target_id; /* EDIT and RECALL: the message concerned */
    int64_t time_ms;       /* the cloud's receive time */
    struct mt_conversation_ref conversation;
    const char *from;
    const char *to;
    bool sent; /* direction: by this account's user */
    enum mt_message_kind kind;
    const char *kind_name; /* "text", …; for OTHER the cloud's name */
    const char *text;      /* NULL unless the kind has a text; ends with a NUL, and may hold some */
    size_t text_len;
    struct mt_value body; /* MAP: the kind's other fields (keys in docs/archive.md); url, secret,
                             size_bytes, … */
    struct mt_value ext;  /* MAP, may be empty */
    struct mt_value
        extra; /* MAP: reactions, edit, thread, translations, read, delivered, … ; may be empty */
    const uint8_t *raw; /* the cloud's bytes */
    size_t raw_len;
};

/* What names a message to its cloud. Some go by the id alone, some want to know more of it. */
struct mt_message_key {
    const char *id;
    int64_t time_ms;  /* 0: not known */
    bool sent;        /* by this account's user */
    const char *from; /* NULL: not known */
};

static inline bool mt_id_is(const char *id)
{
    return id && *id;
}
/* What names m; lives as long as m does. */
struct mt_message_key mt_message_key_of(const struct mt_message *m);
/* Both are there, and are the same. */
bool mt_id_same(const char *a, const char *b);
/* Whether b may follow a in the cloud's order: numbers grow; of other ids nothing is known but that
 * they differ. Without an id, anything may follow. */
bool mt_id_may_follow(const char *a, const char *b);
/* An id that is a number, as text in the arena; "" for 0, NULL when memory is short. */
const char *mt_id_of_u64(struct mt_arena *arena, uint64_t id);

#define MT_MESSAGE_DIGEST_LEN 32
/* SHA-256 over what a person would call the message: kind, text, body, ext and extras, without the
 * marks that change by themselves (read, delivered, online); of a message that could not be read,
 * over its bytes. scratch is emptied and used. */
enum mt_rc mt_message_digest(const struct mt_message *m, struct mt_buf *scratch,
                             uint8_t out[MT_MESSAGE_DIGEST_LEN]) MT_CHECKED;

const char *mt_message_kind_name(enum mt_message_kind kind);
/* Whether it is the name of a kind that all clouds have, and not a cloud's or an app's own. */
bool mt_message_kind_is_usual(const char *name);
/* One JSON object in the archive's form, without newline:
 * {"v":1,["type":"edit"|"recall","target":"…",]"id":"…","conversation":"group:1","from":…,"to":…,
 *  "direction":"sent"|"received","time":ms,"at":"RFC
 * 3339","kind":"text","text":…,"body":{…},"ext":{…}[,"extra":{…}]
 *  [,"raw":"base64"]} */
enum mt_rc mt_message_write(const struct mt_message *m, bool with_raw, struct mt_buf *out);

#endif

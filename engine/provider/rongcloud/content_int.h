/* What one message carries: the cloud's object name and its JSON on one side, kind, text, body and
 * ext of the model on the other (rongcloud.md 4.5). One table serves both directions. The keys are
 * listed in docs/messages.md. */
#ifndef MT_RONGCLOUD_CONTENT_INT_H
#define MT_RONGCLOUD_CONTENT_INT_H

#include "provider/live.h"

struct mt_arena;
struct mt_buf;

#define MT_RONG_CONTENT_MAX ((size_t)131072) /* bytes of JSON that the cloud takes (4.4) */

/* How a member of the cloud's JSON and a key of body stand for each other. */
enum mt_rong_how {
    MT_RONG_TEXT,     /* the text of the message */
    MT_RONG_STR,      /* a string */
    MT_RONG_NUMBER,   /* a number */
    MT_RONG_WHOLE,    /* a whole number; the cloud's clients also write it as a string */
    MT_RONG_URL,      /* the address of an attachment: body.url and body.remote_path */
    MT_RONG_ANY,      /* whatever it is */
    MT_RONG_REQUIRED, /* a string that is written even when it is empty: clients count on it */
    MT_RONG_TARGET,   /* the id of the message concerned */
};

struct mt_rong_member {
    const char *theirs;
    const char *ours; /* NULL for TEXT, URL and TARGET */
    enum mt_rong_how how;
};

/* What a name means to the model. */
enum mt_rong_role {
    MT_RONG_ROLE_MESSAGE,
    MT_RONG_ROLE_RECALL,  /* an instruction to take a message back, or what stands in its place */
    MT_RONG_ROLE_RECEIPT, /* says something about other messages */
    MT_RONG_ROLE_STATUS,  /* of the moment: typing */
};

struct mt_rong_object {
    const char *name;
    enum mt_message_kind kind;
    enum mt_rong_role role;
    bool persisted, counted;
    const struct mt_rong_member *members; /* ended by a NULL theirs; NULL: none has a meaning */
    const char *called;                   /* kind_name of what is no message; NULL: name */
};

/* NULL for a name that is not the cloud's own, or that this version does not know. */
const struct mt_rong_object *mt_rong_object_find(const char *name);
/* Names of the cloud itself begin with "RC:"; all others are an app's. */
bool mt_rong_object_foreign(const char *name);

/* Sets kind, kind_name, text, body and ext. Content that is no JSON object stays whole: kind OTHER
 * and the content as text. MT_ERR_NOMEM, MT_ERR_LIMIT: the arena is full, or it holds more members
 * than any message. */
enum mt_rc mt_rong_content_read(const char *name, const void *content, size_t len,
                                struct mt_arena *arena, struct mt_message *out) MT_CHECKED;

/* Appends the JSON of a message that goes out; *name is its object name, which lives as long as
 * the message. INVALID "send.kind", "send.field" with what is missing, LIMIT "send.too_large". */
enum mt_rc mt_rong_content_write(const struct mt_outgoing *message, struct mt_buf *out,
                                 const char **name, struct mt_fault *fault) MT_CHECKED;

#endif

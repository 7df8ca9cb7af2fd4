/* The noun conversation: its address and what a list says of it. */
#ifndef MT_MODEL_CONVERSATION_H
#define MT_MODEL_CONVERSATION_H

#include "base/rc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mt_message;
struct mt_buf;

enum mt_conversation_kind {
    MT_CONVERSATION_SINGLE,
    MT_CONVERSATION_GROUP,
    MT_CONVERSATION_ROOM,
    MT_CONVERSATION_SYSTEM,
    MT_CONVERSATION_ULTRA,
};

#define MT_CONVERSATION_ID_MAX 256 /* "ultra:ID/CHANNEL" with NUL */

/* An address, "group:93734273351681". target is the peer's user id, or the group's or room's id. */
struct mt_conversation_ref {
    enum mt_conversation_kind kind;
    char target[160];
    char channel[64]; /* ultra groups; otherwise "" */
};

const char *mt_conversation_kind_name(enum mt_conversation_kind kind); /* "single", … */
/* Reads "single:bob", "group:…", "room:…", "system:…", "ultra:ID/CHANNEL"; a bare id means single.
 * Refuses control characters, empty and over-long ids. Does not fold case: that is the provider's
 * rule. */
enum mt_rc mt_conversation_ref_parse(const char *text, struct mt_conversation_ref *out,
                                     struct mt_fault *fault) MT_CHECKED;
void mt_conversation_ref_format(const struct mt_conversation_ref *ref,
                                char out[MT_CONVERSATION_ID_MAX]);

/* Of what in a conversation the user is told. */
enum mt_notification {
    MT_NOTIFY_UNKNOWN, /* the list does not say */
    MT_NOTIFY_DEFAULT, /* as the kind of conversation, the group or the app has it */
    MT_NOTIFY_ALL,
    MT_NOTIFY_MENTIONS,     /* of messages that mention the user, by name or with all */
    MT_NOTIFY_MENTIONS_ME,  /* by name */
    MT_NOTIFY_MENTIONS_ALL, /* with all */
    MT_NOTIFY_NONE,
    MT_NOTIFICATIONS_N
};
const char *mt_notification_name(enum mt_notification level); /* "default", …; NULL of UNKNOWN */
/* MT_NOTIFY_UNKNOWN when there is none of that name. */
enum mt_notification mt_notification_find(const char *name);

/* What of the unread messages mentions somebody. */
struct mt_mentions {
    bool known;    /* the list says; otherwise the rest is zero */
    int64_t n, me; /* unread messages that mention the user, by name or with all; by name */
    bool any;      /* an unread message mentions somebody, the user or others */
    bool all;      /* the first that does says all */
    const char *const *users; /* NULL-terminated: whom the first names; NULL: nobody */
};

struct mt_conversation {
    struct mt_conversation_ref ref;
    int64_t unread; /* -1 if the list does not say */
    bool pinned;
    int64_t pinned_ms; /* 0 if not pinned or unknown */
    const int *marks;  /* mark numbers */
    size_t marks_n;
    const struct mt_message *last; /* NULL if the list does not say */
    struct mt_mentions mentions;
    enum mt_notification notification;
    int64_t last_unread_ms; /* when the newest unread message came; 0: none, or not known */
    bool hidden;            /* removed from the list, and nothing new has come since */
};

/* {"id":"single:user1","kind":"single","unread":3|null,"pinned":false[,"pinned_time":ms],"marks":[1],
 *  "last":{message}|null[,"mentions":2,"mentions_me":1[,"mentioned":{"all":false,"users":["a"]}]]
 *  [,"notification":"none"][,"last_unread_time":ms][,"hidden":true]} */
enum mt_rc mt_conversation_write(const struct mt_conversation *c, bool with_raw,
                                 struct mt_buf *out);

#endif

/* The noun conversation: its address and what a list says of it. */
#ifndef MT_MODEL_CONVERSATION_H
#define MT_MODEL_CONVERSATION_H

#include "base/rc.h"

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

struct mt_conversation {
    struct mt_conversation_ref ref;
    int64_t unread; /* -1 if the list does not say */
    bool pinned;
    int64_t pinned_ms; /* 0 if not pinned or unknown */
    const int *marks;  /* mark numbers */
    size_t marks_n;
    const struct mt_message *last; /* NULL if the list does not say */
};

/* {"id":"single:user1","kind":"single","unread":3|null,"pinned":false[,"pinned_time":ms],"marks":[1],
 *  "last":{message}|null} */
enum mt_rc mt_conversation_write(const struct mt_conversation *c, bool with_raw,
                                 struct mt_buf *out);

#endif

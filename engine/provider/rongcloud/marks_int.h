/* What the cloud keeps of conversations beside their messages: pins and notification levels
 * (pullSeAtts), and unread counts where the cloud counts them (pullSe; rongcloud.md 5.1). */
#ifndef MT_RONGCLOUD_MARKS_INT_H
#define MT_RONGCLOUD_MARKS_INT_H

#include "model/message.h"
#include "provider/rongcloud/page_int.h"

struct mt_map;

struct mt_rong_mark {
    struct mt_conversation_ref ref;
    bool top;
    int64_t top_ms;
    bool has_level;
    int64_t level;
    bool has_unread;
    int64_t unread, mentions, mentions_me;
    char first_unread[MT_ID_MAX];
    int64_t first_unread_ms;
};

struct mt_rong_marks {
    struct mt_map *by; /* "single:bob" → struct mt_rong_mark; "3:" → what is set for a whole type */
    int64_t version; /* of the settings; what is asked for next time */
    bool settings;   /* they were pulled */
    bool unread;     /* the counts were pulled */
};

struct mt_rong_marks *mt_rong_marks_new(void);
void mt_rong_marks_free(struct mt_rong_marks *marks);
enum mt_rc mt_rong_marks_states(struct mt_rong_marks *marks,
                                const struct mt_rong_states_out *states) MT_CHECKED;
enum mt_rc mt_rong_marks_unreads(struct mt_rong_marks *marks,
                                 const struct mt_rong_unreads_out *unreads) MT_CHECKED;
/* NULL: nothing is known of it. */
const struct mt_rong_mark *mt_rong_marks_get(const struct mt_rong_marks *marks,
                                             const struct mt_conversation_ref *ref);
/* The level of a conversation, its own or that of its type; false: none is set. */
bool mt_rong_marks_level(const struct mt_rong_marks *marks, const struct mt_conversation_ref *ref,
                         int64_t *out);

#endif

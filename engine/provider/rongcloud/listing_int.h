/* Pages of the conversation list by time (rongcloud.md 5.2). As a history, it knows no place but a
 * time, which conversations may share: a page is asked for from one millisecond before the place
 * that was reached, and what was given already is taken out of it.
 *
 * A cursor is "TIME.COUNT.HASH.HASH…": the time that was reached, how many were given so far, and
 * which of that time; "o" in front: the oldest comes first. */
#ifndef MT_RONGCLOUD_LISTING_INT_H
#define MT_RONGCLOUD_LISTING_INT_H

#include "provider/rongcloud/marks_int.h"
#include "provider/rongcloud/outgoing_int.h"

#define MT_RONG_LIST_MAX  1000 /* conversations that the cloud keeps, and of one answer (5.2) */
#define MT_RONG_BATCH_MAX 100  /* that can be asked for by name at once */

/* What one page of the list is asked from. */
struct mt_rong_list_ask {
    bool oldest_first;
    int64_t reached_ms; /* 0: from the end */
    uint64_t given;     /* conversations on the pages before */
    const uint64_t *hashes;
    size_t hashes_n; /* of those of that time */
    int count;
};

/* INVALID "conversations.cursor". hashes lie in the arena. */
enum mt_rc mt_rong_list_read_cursor(const char *cursor, struct mt_arena *arena,
                                    struct mt_rong_list_ask *out,
                                    struct mt_fault *fault) MT_CHECKED;
/* Initialises out, which is deinited whether it succeeds or not. */
enum mt_rc mt_rong_list_pack(const struct mt_rong_list_ask *ask, struct mt_rong_packet *out,
                             struct mt_fault *fault) MT_CHECKED;
/* Takes out what was given before and cuts to limit. *cursor: for the next page, in the arena; NULL
 * at the end. *again: nothing new was in it because too many share the time; ask for more at once.
 * PROTOCOL "conversations.stuck". */
enum mt_rc mt_rong_list_page(const struct mt_rong_list_ask *ask, size_t limit,
                             struct mt_rong_relations_out *out, struct mt_arena *arena,
                             const char **cursor, bool *again, struct mt_fault *fault) MT_CHECKED;

/* The conversation as the model has it; its message stays where it is. */
void mt_rong_list_item(const struct mt_rong_relation *relation, const struct mt_rong_marks *marks,
                       struct mt_conversation *out);

#endif

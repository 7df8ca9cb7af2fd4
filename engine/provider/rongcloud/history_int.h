/* Pages of history by time (rongcloud.md 5.3). The cloud knows no other place in a history than a
 * time, and messages may share one. So a page is asked for from one millisecond before the place
 * that was reached, and what was given already is taken out of it.
 *
 * A cursor is "TIME:ID", the last message that was given, or "TIME:", all of that time was. */
#ifndef MT_RONGCLOUD_HISTORY_INT_H
#define MT_RONGCLOUD_HISTORY_INT_H

#include "provider/rongcloud/outgoing_int.h"
#include "provider/rongcloud/page_int.h"

#define MT_RONG_PAGE_MAX 100 /* messages of one answer (5.3) */

/* What one request asks for. */
struct mt_rong_history_ask {
    int64_t reached_ms;   /* of the cursor; 0: none */
    char last[MT_ID_MAX]; /* of the cursor; "": none */
    int64_t time_ms;      /* as it goes out */
    int count;
};

/* INVALID "history.limit", "history.bounds", "history.cursor". */
enum mt_rc mt_rong_history_check(const struct mt_history_query *query,
                                 struct mt_fault *fault) MT_CHECKED;
/* The query must have passed the check. now_ms: the cloud's. */
void mt_rong_history_ask(const struct mt_history_query *query, int64_t now_ms,
                         struct mt_rong_history_ask *out);
/* Initialises out, which is deinited whether it succeeds or not. */
enum mt_rc mt_rong_history_pack(const struct mt_rong_navi *navi,
                                const struct mt_history_query *query,
                                const struct mt_rong_history_ask *ask, struct mt_rong_packet *out,
                                struct mt_fault *fault) MT_CHECKED;
/* What the answer means. Sorts and filters in place; everything of page lies in the arena. *again:
 * nothing new was in it because too many messages share the time; to be asked again as ask says
 * now. PROTOCOL "history.crowded": more share it than the cloud can list; "history.stuck". */
enum mt_rc mt_rong_history_page(const struct mt_history_query *query,
                                struct mt_rong_history_ask *ask, struct mt_rong_history_out *out,
                                struct mt_arena *arena, struct mt_history_page *page, bool *again,
                                struct mt_fault *fault) MT_CHECKED;
/* The cursor that reads on after a message; false if it has none. */
bool mt_rong_cursor_of(const struct mt_message *m, char out[MT_CURSOR_MAX]);

#endif

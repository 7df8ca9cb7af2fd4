/* The history call: what POST users/U/messageroaming takes and gives (easemob.md §4.3). */
#ifndef MT_EASEMOB_ROAMING_INT_H
#define MT_EASEMOB_ROAMING_INT_H

#include "provider/easemob/decode_int.h"
#include "provider/provider.h"

struct mt_buf;

#define MT_EM_PAGE_MAX       50   /* pull_number */
#define MT_EM_ENTRIES_MAX    4096 /* entries of one page that are looked at; more is no page */
#define MT_EM_PAGE_ARENA_MAX ((size_t)48 * 1024 * 1024)

/* Whether the cloud counts a message at startTime itself in is not documented. The query is asked
 * one millisecond wider and cut exactly here; once a message proved the bound inclusive it is asked
 * as it is, so that a millisecond with thousands of messages is not read again by the slice after
 * it. */
struct mt_em_bounds {
    bool start_inclusive;
};

/* Faults: INVALID "history.limit", "history.kind", "history.bounds", "history.cursor". */
enum mt_rc mt_em_roaming_check(const struct mt_history_query *query,
                               struct mt_fault *fault) MT_CHECKED;
/* The body with the SDK's members in the SDK's order. query must have passed the check. */
void mt_em_roaming_body(const struct mt_history_query *query, const struct mt_em_bounds *bounds,
                        struct mt_buf *out);
/* One page. sent_start is the startTime of the request (0: none); bounds learns from it. Everything
 * in page lies in the arena. Faults: PROTOCOL "history.not_json", "history.null_page",
 * "history.stuck", LIMIT "history.page_too_large", NOMEM. */
enum mt_rc mt_em_roaming_parse(const struct mt_em_decoder *decoder,
                               const struct mt_history_query *query, const char *text, size_t len,
                               struct mt_em_bounds *bounds, int64_t sent_start,
                               struct mt_arena *arena, struct mt_history_page *page,
                               struct mt_fault *fault) MT_CHECKED;
/* What mt_em_roaming_body writes as startTime; 0 for none. */
int64_t mt_em_roaming_start(const struct mt_history_query *query,
                            const struct mt_em_bounds *bounds);

#endif

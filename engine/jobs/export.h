/* Exports one conversation into an archive: reads what is new, reads the window again for edits and
 * recalls, and commits page by page. The bulk path: no Lua value is made per message. */
#ifndef MT_JOBS_EXPORT_H
#define MT_JOBS_EXPORT_H

#include "provider/provider.h"

struct mt_reader_budget;
struct mt_writer;
struct mt_export;

struct mt_export_options {
    struct mt_conversation_ref conversation;
    int64_t since_ms, until_ms; /* 0: no bound */
    int64_t
        window_ms; /* read this far back again for edits and recalls; < 0: the default, 2 days */
    unsigned parallel;                      /* time slices at once; 0: 16 */
    struct mt_reader_budget *budget;        /* shared with other reads; NULL: one of its own */
    const char *from;                       /* filter: NULL or a sender */
    const char *const *kinds;               /* filter: NULL or mt kinds, NULL-terminated */
    int64_t min_size_bytes, max_size_bytes; /* filter on attachment size; 0: none */
};

struct mt_export_result {
    uint64_t added_n, known_n, edits_n, recalls_n, gaps_n, filtered_n;
    uint64_t pages_n;
    uint64_t bytes; /* of lines written */
    bool complete;  /* the cloud said "last" and nothing is missing */
};

/* progress: after each committed page, with the figures so far. done: exactly once, after
 * everything given to the writer is durable or has failed. */
enum mt_rc mt_export_start(struct mt_loop *loop, const struct mt_provider *provider,
                           struct mt_provider_account *account, struct mt_writer *writer,
                           const struct mt_export_options *options,
                           void (*progress)(void *ud, const struct mt_export_result *so_far),
                           void (*done)(void *ud, enum mt_rc rc,
                                        const struct mt_export_result *result,
                                        const struct mt_fault *fault),
                           void *ud, struct mt_export **out, struct mt_fault *fault) MT_CHECKED;
/* Stops reading; what was given to the writer is still committed; done follows with
 * MT_ERR_CANCELLED. */
void mt_export_cancel(struct mt_export *run);

#endif

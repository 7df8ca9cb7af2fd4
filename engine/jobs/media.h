/* Fetches the attachments of an archive's messages that it does not have yet. What the cloud does
 * not give is written down, never passed over. */
#ifndef MT_JOBS_MEDIA_H
#define MT_JOBS_MEDIA_H

#include "provider/provider.h"

struct mt_loop;
struct mt_writer;
struct mt_media_job;

struct mt_media_options {
    unsigned parallel;                /* downloads at once; 0: 4 */
    const char *const *conversations; /* only these, NULL-terminated; NULL: all */
    int64_t max_bytes;                /* a larger attachment is missing; 0: 4 GiB */
};

struct mt_media_result {
    uint64_t found_n;   /* messages with an attachment */
    uint64_t known_n;   /* of these, there before */
    uint64_t fetched_n; /* and there now */
    uint64_t missing_n; /* and not to be had: expired, forbidden, …; of all that was looked at */
    uint64_t failed_n;  /* and not answered for: the next run asks again */
    int64_t bytes;      /* fetched */
    struct mt_fault failure; /* of the last one that failed; kind MT_OK: none */
};

/* progress: after each attachment. done: exactly once, after all is durable or has failed. Ends
 * early with the fault when nothing can be written any more, when the account is refused, or after
 * five failures in a row. The writer must not be closed before. */
enum mt_rc mt_media_start(struct mt_loop *loop, const struct mt_provider *provider,
                          struct mt_provider_account *account, struct mt_writer *writer,
                          const struct mt_media_options *options,
                          void (*progress)(void *ud, const struct mt_media_result *so_far),
                          void (*done)(void *ud, enum mt_rc rc,
                                       const struct mt_media_result *result,
                                       const struct mt_fault *fault),
                          void *ud, struct mt_media_job **out, struct mt_fault *fault) MT_CHECKED;
/* What is on its way is dropped; done follows with MT_ERR_CANCELLED. */
void mt_media_cancel(struct mt_media_job *job);

#endif

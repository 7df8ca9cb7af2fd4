/* Reads the history of one conversation in one order, whatever the page size, as several time
 * slices at once where the cloud can bound a query in time; what comes out is identical to one
 * sequential read.
 *
 * Watches the cloud: a cursor that does not advance, a page that repeats, a null page or a message
 * out of order ends the read with a fault within three pages, never with a shorter result. */
#ifndef MT_PROVIDER_READER_H
#define MT_PROVIDER_READER_H

#include "provider/provider.h"

struct mt_reader;

/* What readers may hold between them of pages that wait for their turn, so that the memory does not
 * grow with the number of conversations read at once. A reader's next page is always asked for,
 * whatever the others hold. Used on the loop thread only; readers keep it alive. */
struct mt_reader_budget;
struct mt_reader_budget *mt_reader_budget_new(size_t max_bytes); /* 0: 10 MiB; NULL: no memory */
struct mt_reader_budget *mt_reader_budget_retain(struct mt_reader_budget *budget);
void mt_reader_budget_release(struct mt_reader_budget *budget); /* NULL is fine */

struct mt_reader_options {
    struct mt_history_query query;   /* cursor: resume after this id; limit: page size. Copied */
    unsigned parallel;               /* slices at once; 0 or 1: sequential. Only for oldest_first */
    struct mt_reader_budget *budget; /* retained; NULL: one of its own of the usual size */
};

/* page: the next page in order, called on the loop thread, never before start returned. The items
 * live until mt_reader_continue is called; no further page is delivered before that (the reader
 * reads ahead meanwhile). done: after the last page (rc MT_OK: proven complete, the cloud said
 * is_last) or the failure. The reader may be freed in done. */
enum mt_rc mt_reader_start(struct mt_loop *loop, const struct mt_provider *provider,
                           struct mt_provider_account *account,
                           const struct mt_reader_options *options,
                           void (*page)(void *ud, const struct mt_message *items, size_t n),
                           void (*done)(void *ud, enum mt_rc rc, const struct mt_fault *fault),
                           void *ud, struct mt_reader **out, struct mt_fault *fault) MT_CHECKED;
void mt_reader_continue(struct mt_reader *reader);
void mt_reader_free(struct mt_reader *reader);            /* cancels; done is not called any more */
uint64_t mt_reader_pages(const struct mt_reader *reader); /* requests made */

#endif

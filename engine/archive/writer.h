/* Group commit: lines from many conversations are gathered while one commit is on the work pool,
 * and go into the next. What is acknowledged is durable. */
#ifndef MT_ARCHIVE_WRITER_H
#define MT_ARCHIVE_WRITER_H

#include "archive/archive.h"

struct mt_loop;
struct mt_writer;

/* What writers have committed: counted on the loop thread, by all that are given the same. */
struct mt_writer_figures {
    uint64_t commits_n;  /* each an fsync, or several */
    uint64_t failures_n; /* commits that failed */
    uint64_t lines_bytes;
};
/* From now on; must outlive the writer and its loop. NULL is fine. */
void mt_writer_count(struct mt_writer *writer, struct mt_writer_figures *figures);

/* Opens on the work pool; done(ud, rc, writer, fault) on the loop thread. */
enum mt_rc mt_writer_open(struct mt_loop *loop, const char *dir,
                          const struct mt_archive_identity *identity,
                          const struct mt_archive_options *options,
                          void (*done)(void *ud, enum mt_rc rc, struct mt_writer *writer,
                                       const struct mt_fault *fault),
                          void *ud) MT_CHECKED;
/* Copies the batch; done(ud, rc, fault) when it is durable (or never will be). */
enum mt_rc mt_writer_append(struct mt_writer *writer, const struct mt_archive_batch *batch,
                            void (*done)(void *ud, enum mt_rc rc, const struct mt_fault *fault),
                            void *ud) MT_CHECKED;
/* Bytes given and not yet durable: a source pauses when this is high. */
size_t mt_writer_pending_bytes(const struct mt_writer *writer);
/* Committed state as of the last finished commit (loop thread); NULL if none. */
const struct mt_archive_state *mt_writer_state(const struct mt_writer *writer,
                                               const char *conversation);
void mt_writer_each(const struct mt_writer *writer,
                    bool (*each)(void *ud, const struct mt_archive_state *state), void *ud);
/* Runs fn(ud, archive) on the work pool between two commits, then done on the loop thread: reading
 * back, seals. */
enum mt_rc mt_writer_run(struct mt_writer *writer, void (*fn)(void *ud, struct mt_archive *archive),
                         void (*done)(void *ud), void *ud) MT_CHECKED;
/* See mt_archive_set_unseen; before mt_writer_close. */
void mt_writer_set_unseen(struct mt_writer *writer, const char *why);
/* Commits what is pending, seals what is due when clean, closes; done(ud, rc, fault); the writer is
 * gone after. */
void mt_writer_close(struct mt_writer *writer, bool clean,
                     void (*done)(void *ud, enum mt_rc rc, const struct mt_fault *fault), void *ud);

#endif

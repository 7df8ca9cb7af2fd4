/* The archive of one account: append-only JSONL segments, a hash-chained manifest of sealed
 * segments, a checkpoint that says how much of each open segment is committed. Synchronous file
 * work: call it from the work pool (writer.h) or from a tool. One thread at a time.
 *
 * Write order (docs/archive.md proves each step): segment created → directory fsynced → lines
 * appended → segment fdatasynced → checkpoint record appended → checkpoint fdatasynced → only then
 * is the page "committed". */
#ifndef MT_ARCHIVE_ARCHIVE_H
#define MT_ARCHIVE_ARCHIVE_H

#include "model/message.h"

#include <stddef.h>
#include <stdint.h>

struct mt_archive;

struct mt_archive_identity {
    const char *provider; /* "easemob" */
    const char *appkey;
    const char *user;
};

struct mt_archive_options {
    int64_t segment_bytes;  /* a segment is sealed beyond this; 0: 64 MiB */
    int64_t segment_age_ms; /* … or when it is older than this at the start of a run; 0: 24 h */
    int zstd_level;         /* 0: 3 */
};

/* Opens or creates dir for writing, takes its lock, recovers what an interrupted run left. Faults:
 * BUSY "archive.locked" (names pid, host and since when), INVALID "archive.other_account", INVALID
 * "archive.format", INVALID "archive.not_empty" (dir holds foreign files), DAMAGED
 * "archive.damaged" (names the file and the remedy). */
enum mt_rc mt_archive_open(const char *dir, const struct mt_archive_identity *identity,
                           const struct mt_archive_options *options, struct mt_archive **out,
                           struct mt_fault *fault) MT_CHECKED;
/* Why conversations of the account may be missing altogether ("the cloud's list stops at 10"), ""
 * when all were seen. Stands in the closing record until a later run says otherwise; verify then
 * never says complete. Longer texts are cut. */
#define MT_ARCHIVE_UNSEEN_MAX 200
void mt_archive_set_unseen(struct mt_archive *archive, const char *why);
/* clean: everything is committed and the run ended as it should; writes the closing record. Always
 * releases all. */
enum mt_rc mt_archive_close(struct mt_archive *archive, bool clean, struct mt_fault *fault);

#define MT_ARCHIVE_CURSOR_MAX 128 /* with NUL */

/* What is committed of one conversation. */
struct mt_archive_state {
    char conversation[256];                       /* "group:1" */
    uint64_t messages_n;                          /* message lines */
    uint64_t lines_n;                             /* with edits, recalls and gaps */
    char first_id[MT_ID_MAX], last_id[MT_ID_MAX]; /* "": none */
    int64_t first_ms, last_ms;
    char cursor[MT_ARCHIVE_CURSOR_MAX]; /* the cloud's, to read on after what is there; "": none */
    bool complete;     /* the cloud said "last" at synced_ms, and there is no gap */
    int64_t synced_ms; /* when the cloud last said so; 0: never */
    uint64_t gaps_n;
};

/* NULL if the archive has none of it. Valid until the next commit. */
const struct mt_archive_state *mt_archive_state(const struct mt_archive *archive,
                                                const char *conversation);
/* In order of first commit; each returns false to stop. */
void mt_archive_each(const struct mt_archive *archive,
                     bool (*each)(void *ud, const struct mt_archive_state *state), void *ud);

/* Lines of one conversation to be committed together. */
struct mt_archive_batch {
    const char *conversation;
    const char *lines; /* complete lines, each ending in '\n' */
    size_t lines_len;
    uint64_t messages_n, lines_n, gaps_n;
    char first_id[MT_ID_MAX], last_id[MT_ID_MAX]; /* of the message lines; "": none */
    int64_t first_ms, last_ms;
    char cursor[MT_ARCHIVE_CURSOR_MAX]; /* "": unchanged */
    bool complete;                      /* the history is proven complete up to here at synced_ms */
    int64_t synced_ms;
};

/* Makes all batches durable, or fails. After a failure the archive refuses further commits
 * (MT_ERR_STATE): a failed fsync leaves a segment in doubt, so it is abandoned and fetched again by
 * the next run. */
enum mt_rc mt_archive_commit(struct mt_archive *archive, const struct mt_archive_batch *batches,
                             size_t n, struct mt_fault *fault) MT_CHECKED;
/* Seals segments that are due. */
enum mt_rc mt_archive_seal_due(struct mt_archive *archive, struct mt_fault *fault) MT_CHECKED;

/* Reading back: every committed line of one conversation in order, without its newline. line is
 * valid in the call. since_ms > 0 skips whole segments that end before it, until_ms > 0
 * those that begin at it or later, where they hold messages alone: edits, recalls and gaps are
 * about other times than theirs. The lines are proven only when MT_OK is returned: DAMAGED when a
 * segment is not what was committed. */
enum mt_rc mt_archive_lines(struct mt_archive *archive, const char *conversation, int64_t since_ms,
                            int64_t until_ms,
                            enum mt_rc (*each)(void *ud, const char *line, size_t len), void *ud,
                            struct mt_fault *fault) MT_CHECKED;

#endif

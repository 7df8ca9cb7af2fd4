/* What the files of the export share: export.c is its course, export_lines.c the lines that are not
 * messages. Private to the room. */
#ifndef MT_JOBS_EXPORT_INT_H
#define MT_JOBS_EXPORT_INT_H

#include "archive/archive.h"
#include "base/buf.h"
#include "jobs/export.h"
#include "jobs/known_int.h"

#define MT_EXPORT_KINDS_MAX 16

struct mt_export {
    struct mt_loop *loop;
    const struct mt_provider *provider;
    struct mt_provider_account *account;
    struct mt_writer *writer;
    struct mt_export_options options;
    char conversation[MT_CONVERSATION_ID_MAX];
    char *from;
    char *kinds[MT_EXPORT_KINDS_MAX + 1];
    void (*progress)(void *ud, const struct mt_export_result *so_far);
    void (*done)(void *ud, enum mt_rc rc, const struct mt_export_result *result,
                 const struct mt_fault *fault);
    void *ud;

    /* What the archive had when the run began. */
    bool known_before; /* the conversation has a record */
    bool resumes;      /* it has messages: reading goes on after the cursor */
    bool was_complete;
    bool had_gaps;
    char cursor[MT_CURSOR_MAX]; /* to read on after what was read; "": from the start */
    int64_t cursor_ms;          /* the time that it lies at, or before */
    char behind_id[MT_ID_MAX];  /* what comes first must lie behind this message; "": it may not */

    struct mt_reader *reader;
    struct mt_known *known;  /* NULL: neither gaps nor a window */
    bool windowed;           /* the window reaches back behind the cursor */
    bool compares;           /* what is read is compared with known, from known_since_ms on */
    int64_t known_since_ms;  /* read from here on, instead of from the cursor */
    int64_t window_start_ms; /* what is known from here on and not seen again is gone */

    bool since_gap;  /* the line about what lies before options.since_ms is written, or was there */
    bool filter_gap; /* the line about what the filter takes out, likewise */

    unsigned appends; /* given to the writer, not yet durable */
    bool paused;      /* the reader waits for the writer */
    bool reading_done;
    bool load_running;
    bool cancelled;
    bool finishing;
    bool writer_failed;
    enum mt_rc rc;
    struct mt_fault fault;
    struct mt_buf lines;
    struct mt_export_result result;
    struct mt_export_result pending; /* counted, not yet durable */
};

bool mt_export_filtered(const struct mt_export *run);
/* Of the gaps that the archive has, those that this run can fill: *since_ms is where to read from.
 * False: none. */
bool mt_export_fillable(const struct mt_export *run, int64_t *since_ms);
/* at_ms, or the end of the gap that it lies in: the window is for what was read once, not for what
 * was left out. */
int64_t mt_export_behind_gaps(const struct mt_export *run, int64_t at_ms);
/* Appends to run->lines, and counts in the batch, the gaps that this run leaves; each once. They go
 * with the first lines that lie behind them: were they written at the end, a run that breaks off
 * would leave a cursor behind what nobody has read, and the next run would call it complete. */
enum mt_rc mt_export_leave_gaps(struct mt_export *run, struct mt_archive_batch *batch) MT_CHECKED;
/* Appends the lines that take back the gaps that were filled, or shorten them. *open_n: those that
 * stay. */
enum mt_rc mt_export_close_gaps(struct mt_export *run, struct mt_archive_batch *batch,
                                size_t *open_n) MT_CHECKED;
/* For mt_known_gone: ud is the run. */
enum mt_rc mt_export_recall(void *ud, const char *id) MT_CHECKED;

#endif

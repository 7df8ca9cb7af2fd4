/* The export of one conversation: decides where to read from (after the last archived message, or
 * the window again), turns pages into archive lines and hands them to the group commit. Everything
 * that is only reported is reported after it is durable. */
#include "jobs/export.h"

#include "archive/writer.h"
#include "base/clock.h"
#include "base/mem.h"
#include "jobs/export_int.h"
#include "loop/loop.h"
#include "provider/reader.h"

#include <stdio.h>
#include <string.h>

#define DEFAULT_WINDOW_MS  (2ll * 24 * 3600 * 1000)
#define DEFAULT_PARALLEL   16
#define PENDING_HIGH_BYTES (8u << 20)
#define LINES_MAX_BYTES    (64u << 20)

static void advance(struct mt_export *run);

static void fail(struct mt_export *run, enum mt_rc rc, const struct mt_fault *fault)
{
    if (run->rc)
        return; /* the first failure is the one to tell */
    run->rc = rc;
    if (fault)
        run->fault = *fault;
    else
        mt_fault_set(&run->fault, rc, "export.failed", "the export of %s failed: %s",
                     run->conversation, mt_rc_name(rc));
}

static void export_free(struct mt_export *run)
{
    mt_reader_free(run->reader);
    mt_known_free(run->known);
    mt_buf_deinit(&run->lines);
    mt_mem_free(run->from);
    for (size_t i = 0; run->kinds[i]; i++)
        mt_mem_free(run->kinds[i]);
    mt_mem_free(run);
}

/* ---------------------------------------------------------------- giving lines to the writer */

struct append {
    struct mt_export *run;
    struct mt_export_result counted; /* joins the result when durable */
};

static void add(struct mt_export_result *to, const struct mt_export_result *from)
{
    to->added_n += from->added_n;
    to->known_n += from->known_n;
    to->edits_n += from->edits_n;
    to->recalls_n += from->recalls_n;
    to->gaps_n += from->gaps_n;
    to->filtered_n += from->filtered_n;
    to->bytes += from->bytes;
}

static void appended(void *ud, enum mt_rc rc, const struct mt_fault *fault)
{
    struct append *append = ud;
    struct mt_export *run = append->run;

    run->appends--;
    if (rc) {
        run->writer_failed = true;
        fail(run, rc, fault);
    } else {
        add(&run->result, &append->counted);
    }
    mt_mem_free(append);
    if (!rc && run->progress && !run->finishing)
        run->progress(run->ud, &run->result);
    advance(run);
}

static enum mt_rc append_batch(struct mt_export *run, struct mt_archive_batch *batch)
{
    struct append *append = mt_mem_calloc(1, sizeof *append);
    enum mt_rc rc = MT_OK;

    if (!append)
        return MT_ERR_NOMEM;
    append->run = run;
    append->counted = run->pending;
    append->counted.bytes = batch->lines_len;
    memset(&run->pending, 0, sizeof run->pending);
    batch->conversation = run->conversation;
    rc = mt_writer_append(run->writer, batch, appended, append);
    if (rc) {
        mt_mem_free(append);
        return rc;
    }
    run->appends++;
    return MT_OK;
}

/* ---------------------------------------------------------------- a page */

static bool kind_wanted(const struct mt_export *run, const struct mt_message *m)
{
    if (!run->kinds[0])
        return true;
    for (size_t i = 0; run->kinds[i]; i++) {
        if (!strcmp(run->kinds[i], m->kind_name))
            return true;
    }
    return false;
}

static bool wanted(const struct mt_export *run, const struct mt_message *m)
{
    if (run->from && (!m->from || strcmp(run->from, m->from) != 0))
        return false;
    if (!kind_wanted(run, m))
        return false;
    if (run->options.min_size_bytes || run->options.max_size_bytes) {
        const struct mt_value *size = mt_value_get(&m->body, "size_bytes");
        int64_t bytes = size && size->type == MT_VALUE_INT ? size->i : 0;
        if (bytes < run->options.min_size_bytes)
            return false;
        if (run->options.max_size_bytes && bytes > run->options.max_size_bytes)
            return false;
    }
    return true;
}

static enum mt_rc put_line(struct mt_export *run, const struct mt_message *m)
{
    enum mt_rc rc = mt_message_write(m, true, &run->lines);
    return rc ? rc : mt_buf_append_char(&run->lines, '\n');
}

static void copy_id(char out[MT_ID_MAX], const char *id)
{
    snprintf(out, MT_ID_MAX, "%s", id ? id : "");
}

static void count_message(struct mt_export *run, struct mt_archive_batch *batch,
                          const struct mt_message *m)
{
    if (!batch->messages_n) {
        copy_id(batch->first_id, m->id);
        batch->first_ms = m->time_ms;
    }
    batch->messages_n++;
    copy_id(batch->last_id, m->id);
    batch->last_ms = m->time_ms;
    run->pending.added_n++;
}

static enum mt_rc take_message(struct mt_export *run, struct mt_archive_batch *batch,
                               const struct mt_message *m)
{
    enum mt_known_verdict verdict = MT_KNOWN_NEW;
    enum mt_rc rc = MT_OK;

    if (m->type == MT_TYPE_RECEIPT || m->type == MT_TYPE_GAP)
        return MT_OK;
    if (!wanted(run, m)) {
        run->pending.filtered_n++;
        return MT_OK;
    }
    if (run->compares) {
        rc = mt_known_see(run->known, m, &verdict);
        if (rc)
            return rc;
        if (verdict == MT_KNOWN_SAME) {
            run->pending.known_n++;
            return MT_OK;
        }
    }
    if (m->type != MT_TYPE_MESSAGE) {
        if (verdict == MT_KNOWN_CHANGED)
            return MT_OK;
        if (m->type == MT_TYPE_EDIT)
            run->pending.edits_n++;
        else
            run->pending.recalls_n++;
    } else if (verdict == MT_KNOWN_CHANGED) {
        struct mt_message edit = *m;
        edit.type = MT_TYPE_EDIT;
        edit.target_id = m->id;
        run->pending.edits_n++;
        batch->lines_n++;
        return put_line(run, &edit);
    } else {
        count_message(run, batch, m);
    }
    batch->lines_n++;
    return put_line(run, m);
}

/* What the cloud gives first when it is asked to go on behind the archive's last message. The
 * reader knows no page before it to compare with; the archive would have the message twice. */
static bool comes_again(struct mt_export *run, const struct mt_message *m, struct mt_fault *fault)
{
    bool again =
        run->behind_id[0] && (m->time_ms < run->cursor_ms || mt_id_same(m->id, run->behind_id));

    run->behind_id[0] = '\0';
    if (again)
        (void)mt_fault_set(fault, MT_ERR_PROTOCOL, "history.repeats",
                           "the cloud gives message %s again, which lies before what was asked for",
                           mt_id_is(m->id) ? m->id : "without an id");
    return again;
}

static void page(void *ud, const struct mt_message *items, size_t n)
{
    struct mt_export *run = ud;
    struct mt_archive_batch batch;
    struct mt_fault fault;
    bool again = n && comes_again(run, &items[0], &fault);
    enum mt_rc rc = again ? MT_ERR_PROTOCOL : MT_OK;

    memset(&batch, 0, sizeof batch);
    mt_buf_reset(&run->lines);
    for (size_t i = 0; i < n && !rc; i++) {
        rc = take_message(run, &batch, &items[i]);
        /* A window begins behind the cursor: that does not move it back. */
        if (items[i].time_ms >= run->cursor_ms &&
            run->provider->cursor_after(run->account, &items[i], run->cursor))
            run->cursor_ms = items[i].time_ms;
    }
    if (!rc && batch.lines_n)
        rc = mt_export_leave_gaps(run, &batch);
    if (!rc && batch.lines_n) {
        batch.lines = run->lines.data;
        batch.lines_len = run->lines.len;
        memcpy(batch.cursor, run->cursor, sizeof batch.cursor);
        rc = append_batch(run, &batch);
    }
    if (rc) {
        fail(run, rc, again ? &fault : NULL);
        mt_reader_free(run->reader);
        run->reader = NULL;
        run->reading_done = true;
        advance(run);
        return;
    }
    run->result.pages_n = mt_reader_pages(run->reader);
    if (mt_writer_pending_bytes(run->writer) > PENDING_HIGH_BYTES && run->appends) {
        run->paused = true;
        return;
    }
    mt_reader_continue(run->reader);
}

static void read_done(void *ud, enum mt_rc rc, const struct mt_fault *fault)
{
    struct mt_export *run = ud;

    run->result.pages_n = mt_reader_pages(run->reader);
    mt_reader_free(run->reader);
    run->reader = NULL;
    run->reading_done = true;
    if (rc)
        fail(run, rc, fault);
    advance(run);
}

/* ---------------------------------------------------------------- the end of a conversation */

/* What was read to its end: recalls, gaps, and the mark that the history is complete. */
static enum mt_rc write_end(struct mt_export *run)
{
    struct mt_archive_batch batch;
    uint64_t recalls_before = run->pending.recalls_n;
    size_t open_n = 0;
    enum mt_rc rc = MT_OK;

    memset(&batch, 0, sizeof batch);
    mt_buf_reset(&run->lines);
    if (run->windowed && !run->options.until_ms && !mt_export_filtered(run))
        rc = mt_known_gone(run->known, run->window_start_ms, mt_export_recall, run);
    batch.lines_n = run->pending.recalls_n - recalls_before;
    if (!rc)
        rc = mt_export_leave_gaps(run, &batch);
    if (!rc)
        rc = mt_export_close_gaps(run, &batch, &open_n);
    if (rc)
        return rc;
    batch.lines = run->lines.data;
    batch.lines_len = run->lines.len;
    memcpy(batch.cursor, run->cursor, sizeof batch.cursor);
    batch.complete = !open_n && !run->since_gap && !run->filter_gap;
    /* An end that was asked for leaves the rest unread, but takes nothing from what was read to
     * its own end before. */
    if (run->options.until_ms && (!run->was_complete || run->result.added_n || run->appends))
        batch.complete = false;
    batch.synced_ms = run->options.until_ms ? 0 : mt_clock_wall_ms();
    run->result.complete = batch.complete;
    /* Nothing new and already known to be complete: one more run changes nothing. */
    if (!batch.lines_n && !run->result.added_n && !run->appends &&
        run->was_complete == batch.complete && run->known_before) {
        add(&run->result, &run->pending);
        return MT_OK;
    }
    return append_batch(run, &batch);
}

/* A conversation that could not be read must not look complete, nor as if the account did not have
 * it: the archive says that it is there and not complete. */
static enum mt_rc write_failure(struct mt_export *run)
{
    const struct mt_archive_state *state = mt_writer_state(run->writer, run->conversation);
    struct mt_archive_batch batch;

    if (run->cancelled || run->writer_failed || run->appends || (state && !state->complete))
        return MT_OK; /* said already, or by what is on its way, or the archive will not end well */
    memset(&batch, 0, sizeof batch);
    memset(&run->pending, 0, sizeof run->pending);
    batch.lines = "";
    return append_batch(run, &batch);
}

static void advance(struct mt_export *run)
{
    /* With nothing of its own in the writer nobody would call again, however full others keep it.
     */
    if (run->paused && run->reader && !run->rc &&
        (!run->appends || mt_writer_pending_bytes(run->writer) <= PENDING_HIGH_BYTES)) {
        run->paused = false;
        mt_reader_continue(run->reader);
        return;
    }
    if (run->rc && run->reader) {
        mt_reader_free(run->reader);
        run->reader = NULL;
        run->reading_done = true;
    }
    if (!run->reading_done || run->load_running)
        return;
    if (!run->finishing) {
        run->finishing = true;
        enum mt_rc rc = run->rc ? write_failure(run) : write_end(run);
        if (rc)
            fail(run, rc, NULL);
    }
    if (run->appends)
        return;
    if (run->rc)
        run->result.complete = false;
    run->done(run->ud, run->rc, &run->result, run->rc ? &run->fault : NULL);
    export_free(run);
}

/* ---------------------------------------------------------------- the start */

/* The cursor may lie elsewhere than at the archive's last message: behind what a filter left out,
 * or before a message that has none. */
static void expect_behind(struct mt_export *run)
{
    const struct mt_archive_state *state = mt_writer_state(run->writer, run->conversation);
    struct mt_message last = {0};
    char cursor[MT_CURSOR_MAX];

    if (!state)
        return;
    last.id = state->last_id;
    last.time_ms = state->last_ms;
    if (run->provider->cursor_after(run->account, &last, cursor) && !strcmp(cursor, run->cursor))
        copy_id(run->behind_id, state->last_id);
}

/* A conversation of which the archive has messages is read on where it ends, whatever start was
 * asked for: a hole between the two would be the archive's first. */
static void start_reading(struct mt_export *run)
{
    struct mt_reader_options options;
    enum mt_rc rc = MT_OK;

    memset(&options, 0, sizeof options);
    options.query.conversation = run->options.conversation;
    options.query.oldest_first = true;
    options.query.until_ms = run->options.until_ms;
    options.parallel = run->options.parallel ? run->options.parallel : DEFAULT_PARALLEL;
    options.budget = run->options.budget;
    if (run->compares) {
        options.query.since_ms = run->known_since_ms;
    } else if (run->cursor[0]) {
        options.query.cursor = run->cursor;
        expect_behind(run);
    } else {
        options.query.since_ms = run->options.since_ms;
    }
    if (options.query.until_ms && options.query.since_ms >= options.query.until_ms) {
        run->reading_done = true; /* all of it lies behind the end that was asked for */
        advance(run);
        return;
    }
    rc = mt_reader_start(run->loop, run->provider, run->account, &options, page, read_done, run,
                         &run->reader, &run->fault);
    if (rc) {
        run->rc = rc;
        run->reading_done = true;
        advance(run);
    }
}

/* Where to begin: after the last archived message, unless the window or a gap that can be filled
 * reaches further back. */
static enum mt_rc look_back(struct mt_export *run, struct mt_archive *archive)
{
    int64_t fill_ms = 0;
    enum mt_rc rc = MT_OK;

    if (run->had_gaps)
        rc = mt_known_load_gaps(run->known, archive, run->conversation, &run->fault);
    if (!rc)
        run->window_start_ms = mt_export_behind_gaps(run, run->window_start_ms);
    run->known_since_ms = run->window_start_ms;
    run->compares = run->windowed;
    if (!rc && run->resumes && mt_export_fillable(run, &fill_ms)) {
        if (!run->compares || fill_ms < run->known_since_ms)
            run->known_since_ms = fill_ms;
        run->compares = true;
    }
    if (!rc && run->compares)
        rc =
            mt_known_load(run->known, archive, run->conversation, run->known_since_ms, &run->fault);
    return rc;
}

static void load_known(void *ud, struct mt_archive *archive)
{
    struct mt_export *run = ud;
    run->rc = look_back(run, archive);
}

static void known_loaded(void *ud)
{
    struct mt_export *run = ud;

    run->load_running = false;
    if (run->rc || run->cancelled) {
        if (!run->rc)
            run->rc = mt_fault_set(&run->fault, MT_ERR_CANCELLED, "export.cancelled",
                                   "the export was stopped");
        run->reading_done = true;
        advance(run);
        return;
    }
    start_reading(run);
}

/* What the archive has, and whether that is enough to know. */
static bool needs_known(struct mt_export *run, const struct mt_archive_state *state)
{
    int64_t window_ms = run->options.window_ms < 0 ? DEFAULT_WINDOW_MS : run->options.window_ms;

    run->window_start_ms = mt_clock_wall_ms() - window_ms;
    if (!state)
        return false;
    run->known_before = true;
    run->was_complete = state->complete;
    run->had_gaps = state->gaps_n > 0;
    run->resumes = state->messages_n > 0;
    if (run->resumes) {
        memcpy(run->cursor, state->cursor, sizeof run->cursor);
        run->cursor_ms = state->last_ms;
        run->windowed = window_ms > 0 && state->last_ms >= run->window_start_ms;
    }
    return run->had_gaps || run->windowed;
}

static void begin(void *ud)
{
    struct mt_export *run = ud;
    const struct mt_archive_state *state = mt_writer_state(run->writer, run->conversation);
    enum mt_rc rc = MT_OK;

    if (run->cancelled) {
        known_loaded(run);
        return;
    }
    if (!needs_known(run, state)) {
        run->load_running = false;
        start_reading(run);
        return;
    }
    run->known = mt_known_new(run->provider, run->account);
    rc = run->known ? mt_writer_run(run->writer, load_known, known_loaded, run) : MT_ERR_NOMEM;
    if (rc) {
        fail(run, rc, NULL);
        known_loaded(run);
    }
}

static enum mt_rc copy_filters(struct mt_export *run, const struct mt_export_options *options)
{
    if (options->from) {
        run->from = mt_mem_strdup(options->from);
        if (!run->from)
            return MT_ERR_NOMEM;
    }
    for (size_t i = 0; options->kinds && options->kinds[i]; i++) {
        if (i >= MT_EXPORT_KINDS_MAX)
            return MT_ERR_LIMIT;
        run->kinds[i] = mt_mem_strdup(options->kinds[i]);
        if (!run->kinds[i])
            return MT_ERR_NOMEM;
    }
    return MT_OK;
}

enum mt_rc mt_export_start(struct mt_loop *loop, const struct mt_provider *provider,
                           struct mt_provider_account *account, struct mt_writer *writer,
                           const struct mt_export_options *options,
                           void (*progress)(void *ud, const struct mt_export_result *so_far),
                           void (*done)(void *ud, enum mt_rc rc,
                                        const struct mt_export_result *result,
                                        const struct mt_fault *fault),
                           void *ud, struct mt_export **out, struct mt_fault *fault)
{
    struct mt_export *run = mt_mem_calloc(1, sizeof *run);
    enum mt_rc rc = MT_OK;
    bool changed = false;

    *out = NULL;
    if (!run)
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    run->loop = loop;
    run->provider = provider;
    run->account = account;
    run->writer = writer;
    run->options = *options;
    run->progress = progress;
    run->done = done;
    run->ud = ud;
    mt_buf_init(&run->lines, LINES_MAX_BYTES);
    rc = copy_filters(run, options);
    if (rc) {
        mt_fault_set(fault, rc, "export.filter", "a filter names too many kinds");
        goto out;
    }
    rc = provider->normalise(account, &run->options.conversation, &changed, fault);
    if (rc)
        goto out;
    mt_conversation_ref_format(&run->options.conversation, run->conversation);
    run->load_running = true;
    rc = mt_loop_post(loop, begin, run);
    if (rc)
        mt_fault_set(fault, rc, "memory", "out of memory");
out:
    if (rc) {
        export_free(run);
        return rc;
    }
    *out = run;
    return MT_OK;
}

static void finish_cancelled(void *ud)
{
    advance(ud);
}

void mt_export_cancel(struct mt_export *run)
{
    if (run->cancelled || run->finishing)
        return;
    run->cancelled = true;
    if (run->load_running)
        return; /* begin or known_loaded sees the mark */
    if (!run->rc)
        run->rc = mt_fault_set(&run->fault, MT_ERR_CANCELLED, "export.cancelled",
                               "the export was stopped");
    mt_reader_free(run->reader);
    run->reader = NULL;
    run->reading_done = true;
    /* What is with the writer brings the end when it is durable; otherwise the end comes at the
     * next turn, because done is never called from inside this function. */
    if (!run->appends && mt_loop_post(run->loop, finish_cancelled, run))
        advance(run);
}

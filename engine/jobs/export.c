/* The export of one conversation: decides where to read from (after the last archived message, or
 * the window again), turns pages into archive lines and hands them to the group commit. Everything
 * that is only reported is reported after it is durable. */
#include "jobs/export.h"

#include "archive/writer.h"
#include "base/clock.h"
#include "base/mem.h"
#include "codec/json.h"
#include "codec/time.h"
#include "jobs/known_int.h"
#include "loop/loop.h"
#include "provider/reader.h"

#include <stdio.h>
#include <string.h>

#define DEFAULT_WINDOW_MS  (2ll * 24 * 3600 * 1000)
#define DEFAULT_PARALLEL   16
#define PENDING_HIGH_BYTES (8u << 20)
#define LINES_MAX_BYTES    (64u << 20)
#define KINDS_MAX          16

struct mt_export {
    struct mt_loop *loop;
    const struct mt_provider *provider;
    struct mt_provider_account *account;
    struct mt_writer *writer;
    struct mt_export_options options;
    char conversation[MT_CONVERSATION_ID_MAX];
    char *from;
    char *kinds[KINDS_MAX + 1];
    void (*progress)(void *ud, const struct mt_export_result *so_far);
    void (*done)(void *ud, enum mt_rc rc, const struct mt_export_result *result,
                 const struct mt_fault *fault);
    void *ud;

    struct mt_reader *reader;
    struct mt_known *known; /* NULL: reading on after the cursor, nothing to compare with */
    int64_t known_since_ms;
    int64_t window_start_ms;
    int64_t until_ms;
    uint64_t cursor_id;
    bool was_complete;
    unsigned appends; /* given to the writer, not yet durable */
    bool paused;      /* the reader waits for the writer */
    bool reading_done;
    bool load_running;
    bool cancelled;
    bool finishing;
    enum mt_rc rc;
    struct mt_fault fault;
    struct mt_buf lines;
    struct mt_export_result result;
    struct mt_export_result pending; /* counted, not yet durable */
};

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
    if (rc)
        fail(run, rc, fault);
    else
        add(&run->result, &append->counted);
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

static void count_message(struct mt_export *run, struct mt_archive_batch *batch,
                          const struct mt_message *m)
{
    if (!batch->messages_n) {
        batch->first_id = m->id;
        batch->first_ms = m->time_ms;
    }
    batch->messages_n++;
    batch->last_id = m->id;
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
    if (run->known) {
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

static void page(void *ud, const struct mt_message *items, size_t n)
{
    struct mt_export *run = ud;
    struct mt_archive_batch batch;
    enum mt_rc rc = MT_OK;

    memset(&batch, 0, sizeof batch);
    mt_buf_reset(&run->lines);
    for (size_t i = 0; i < n && !rc; i++) {
        rc = take_message(run, &batch, &items[i]);
        if (items[i].id > run->cursor_id)
            run->cursor_id = items[i].id;
    }
    if (!rc && batch.lines_n) {
        batch.lines = run->lines.data;
        batch.lines_len = run->lines.len;
        batch.cursor_id = run->cursor_id;
        rc = append_batch(run, &batch);
    }
    if (rc) {
        fail(run, rc, NULL);
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

static enum mt_rc write_recall(void *ud, uint64_t id)
{
    struct mt_export *run = ud;
    struct mt_jsonw w;
    char at[MT_TIME_RFC3339_LEN];
    int64_t now_ms = mt_clock_wall_ms();

    mt_time_format(now_ms, at);
    mt_jsonw_init(&w, &run->lines);
    mt_jsonw_object(&w);
    mt_jsonw_key(&w, "v");
    mt_jsonw_i64(&w, 1);
    mt_jsonw_key(&w, "type");
    mt_jsonw_str(&w, "recall");
    mt_jsonw_key(&w, "target");
    mt_jsonw_u64_str(&w, id);
    mt_jsonw_key(&w, "id");
    mt_jsonw_u64_str(&w, id);
    mt_jsonw_key(&w, "conversation");
    mt_jsonw_str(&w, run->conversation);
    mt_jsonw_key(&w, "time");
    mt_jsonw_i64(&w, now_ms);
    mt_jsonw_key(&w, "at");
    mt_jsonw_str(&w, at);
    mt_jsonw_key(&w, "reason");
    mt_jsonw_str(&w, "gone from the cloud: recalled or deleted there");
    mt_jsonw_object_end(&w);
    run->pending.recalls_n++;
    return mt_buf_append_char(&run->lines, '\n');
}

static enum mt_rc write_gap(struct mt_export *run, int64_t since_ms, int64_t until_ms,
                            const char *reason, bool closed)
{
    struct mt_jsonw w;

    mt_jsonw_init(&w, &run->lines);
    mt_jsonw_object(&w);
    mt_jsonw_key(&w, "v");
    mt_jsonw_i64(&w, 1);
    mt_jsonw_key(&w, "type");
    mt_jsonw_str(&w, "gap");
    mt_jsonw_key(&w, "conversation");
    mt_jsonw_str(&w, run->conversation);
    mt_jsonw_key(&w, "since");
    mt_jsonw_i64(&w, since_ms);
    mt_jsonw_key(&w, "until");
    mt_jsonw_i64(&w, until_ms);
    mt_jsonw_key(&w, "reason");
    mt_jsonw_str(&w, reason);
    if (closed) {
        mt_jsonw_key(&w, "closed");
        mt_jsonw_bool(&w, true);
    }
    mt_jsonw_object_end(&w);
    return mt_buf_append_char(&run->lines, '\n');
}

static bool filtered(const struct mt_export *run)
{
    return run->from || run->kinds[0] || run->options.min_size_bytes || run->options.max_size_bytes;
}

/* Lines that say what this run leaves out or fills in. */
static enum mt_rc end_gaps(struct mt_export *run, uint64_t *lines_n, bool *whole)
{
    bool fresh = !mt_writer_state(run->writer, run->conversation);
    int64_t read_since_ms = run->known ? run->known_since_ms : 0;
    size_t n = 0;
    const struct mt_known_gap *gaps = run->known ? mt_known_gaps(run->known, &n) : NULL;
    enum mt_rc rc = MT_OK;

    *whole = true;
    for (size_t i = 0; i < n && !rc; i++) {
        bool read = !filtered(run) && gaps[i].since_ms >= read_since_ms &&
                    (!run->until_ms || (gaps[i].until_ms && gaps[i].until_ms <= run->until_ms));
        if (!read) {
            *whole = false;
            continue;
        }
        rc = write_gap(run, gaps[i].since_ms, gaps[i].until_ms, "read by a later run", true);
        (*lines_n)++;
    }
    if (!rc && filtered(run) && run->result.filtered_n + run->pending.filtered_n) {
        rc = write_gap(run, run->options.since_ms, run->until_ms, "left out by a filter", false);
        (*lines_n)++;
        run->pending.gaps_n++;
        *whole = false;
    } else if (!rc && fresh && run->options.since_ms > 0 && !run->known) {
        rc = write_gap(run, 0, run->options.since_ms, "before the start that was asked for", false);
        (*lines_n)++;
        run->pending.gaps_n++;
        *whole = false;
    }
    return rc;
}

/* What was read to its end: recalls, gaps, and the mark that the history is complete. */
static enum mt_rc write_end(struct mt_export *run)
{
    struct mt_archive_batch batch;
    bool whole = true;
    uint64_t gap_lines_n = 0;
    uint64_t recalls_before = run->pending.recalls_n;
    enum mt_rc rc = MT_OK;

    memset(&batch, 0, sizeof batch);
    mt_buf_reset(&run->lines);
    if (run->known && !run->until_ms && !filtered(run))
        rc = mt_known_gone(run->known, run->window_start_ms, write_recall, run);
    if (!rc)
        rc = end_gaps(run, &gap_lines_n, &whole);
    if (rc)
        return rc;
    batch.lines_n = run->pending.recalls_n - recalls_before + gap_lines_n;
    batch.gaps_n = run->pending.gaps_n;
    batch.lines = run->lines.data;
    batch.lines_len = run->lines.len;
    batch.cursor_id = run->cursor_id;
    batch.complete = whole && !run->until_ms;
    batch.synced_ms = mt_clock_wall_ms();
    run->result.complete = batch.complete;
    /* Nothing new and already known to be complete: one more run changes nothing. */
    if (!batch.lines_n && !run->result.added_n && !run->appends &&
        (run->was_complete == batch.complete) && mt_writer_state(run->writer, run->conversation)) {
        add(&run->result, &run->pending);
        return MT_OK;
    }
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
    if (!run->rc && !run->finishing) {
        run->finishing = true;
        enum mt_rc rc = write_end(run);
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

static void start_reading(struct mt_export *run)
{
    struct mt_reader_options options;
    char cursor[24];
    enum mt_rc rc = MT_OK;

    memset(&options, 0, sizeof options);
    options.query.conversation = run->options.conversation;
    options.query.oldest_first = true;
    options.query.until_ms = run->until_ms;
    options.query.since_ms = run->options.since_ms;
    options.parallel = run->options.parallel ? run->options.parallel : DEFAULT_PARALLEL;
    if (run->known) {
        if (run->known_since_ms > options.query.since_ms)
            options.query.since_ms = run->known_since_ms;
    } else if (run->cursor_id) {
        snprintf(cursor, sizeof cursor, "%llu", (unsigned long long)run->cursor_id);
        options.query.cursor = cursor;
    }
    rc = mt_reader_start(run->loop, run->provider, run->account, &options, page, read_done, run,
                         &run->reader, &run->fault);
    if (rc) {
        run->rc = rc;
        run->reading_done = true;
        advance(run);
    }
}

static void load_known(void *ud, struct mt_archive *archive)
{
    struct mt_export *run = ud;
    enum mt_rc rc =
        mt_known_load(run->known, archive, run->conversation, run->known_since_ms, &run->fault);
    if (rc)
        run->rc = rc;
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

/* Where to begin: after the last archived message, unless the window (or an open gap) reaches
 * further back. */
static bool needs_known(struct mt_export *run, const struct mt_archive_state *state)
{
    int64_t window_ms = run->options.window_ms < 0 ? DEFAULT_WINDOW_MS : run->options.window_ms;

    run->window_start_ms = mt_clock_wall_ms() - window_ms;
    if (!state || !state->messages_n)
        return false;
    run->cursor_id = state->cursor_id;
    run->was_complete = state->complete;
    if (state->gaps_n && !filtered(run)) {
        run->known_since_ms =
            run->options.since_ms; /* a gap may lie anywhere: compare all that was asked for */
        return true;
    }
    if (window_ms > 0 && state->last_ms >= run->window_start_ms) {
        run->known_since_ms = run->window_start_ms;
        return true;
    }
    return false;
}

static void begin(void *ud)
{
    struct mt_export *run = ud;
    const struct mt_archive_state *state = mt_writer_state(run->writer, run->conversation);
    enum mt_rc rc = MT_OK;

    if (run->cancelled) {
        run->load_running = false;
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
        if (i >= KINDS_MAX)
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
    run->until_ms = options->until_ms;
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

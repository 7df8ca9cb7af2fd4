/* Group commit. On the loop thread: two lists, what gathers and what is being committed. On the
 * pool: the archive, touched by one job at a time. States are copied back after each commit, so
 * that the loop thread never looks at what a pool thread writes. */
#include "archive/writer.h"

#include "base/map.h"
#include "base/mem.h"
#include "loop/loop.h"

#include <stdio.h>
#include <string.h>

struct item {
    struct item *next;
    struct mt_archive_batch batch;
    char *conversation;
    char *lines;
    void (*done)(void *ud, enum mt_rc rc, const struct mt_fault *fault);
    void *ud;
};

struct visit {
    struct visit *next;
    void (*fn)(void *ud, struct mt_archive *archive);
    void (*done)(void *ud);
    void *ud;
};

struct mt_writer {
    struct mt_loop *loop;
    struct mt_archive *archive;
    struct mt_map *states; /* conversation → struct mt_archive_state */
    struct item *gather, *gather_last;
    struct item *flight; /* in the commit on the pool */
    struct mt_writer_figures *figures;
    size_t pending_bytes;
    char unseen[MT_ARCHIVE_UNSEEN_MAX]; /* for the pool thread that closes */
    bool says_unseen;
    struct visit *visits, *visits_last;
    bool busy;
    bool broken;
    struct mt_fault broken_fault;
    bool closing;
    bool clean;
    void (*closed)(void *ud, enum mt_rc rc, const struct mt_fault *fault);
    void *closed_ud;
    enum mt_rc rc; /* of the job on the pool */
    struct mt_fault fault;
};

static void turn(struct mt_writer *writer);

static void item_free(struct item *item)
{
    mt_mem_free(item->conversation);
    mt_mem_free(item->lines);
    mt_mem_free(item);
}

static void writer_free(struct mt_writer *writer)
{
    mt_map_free(writer->states, mt_mem_free);
    mt_mem_free(writer);
}

static bool copy_state(void *ud, const struct mt_archive_state *state)
{
    struct mt_writer *writer = ud;
    struct mt_archive_state *mine = mt_map_get(writer->states, state->conversation);

    if (!mine) {
        mine = mt_mem_alloc(sizeof *mine);
        if (!mine || mt_map_put(writer->states, state->conversation, mine)) {
            mt_mem_free(mine);
            return false;
        }
    }
    *mine = *state;
    return true;
}

/* ---------------------------------------------------------------- opening */

struct opening {
    struct mt_loop *loop;
    char *dir, *provider, *appkey, *user;
    struct mt_archive_options options;
    void (*done)(void *ud, enum mt_rc rc, struct mt_writer *writer, const struct mt_fault *fault);
    void *ud;
    struct mt_archive *archive;
    enum mt_rc rc;
    struct mt_fault fault;
};

static void opening_free(struct opening *o)
{
    mt_mem_free(o->dir);
    mt_mem_free(o->provider);
    mt_mem_free(o->appkey);
    mt_mem_free(o->user);
    mt_mem_free(o);
}

static void open_archive(void *ud)
{
    struct opening *o = ud;
    struct mt_archive_identity identity = {o->provider, o->appkey, o->user};

    o->rc = mt_archive_open(o->dir, &identity, &o->options, &o->archive, &o->fault);
    if (!o->rc) {
        /* what has grown old since the last run is sealed before new lines come */
        o->rc = mt_archive_seal_due(o->archive, &o->fault);
        if (o->rc) {
            struct mt_fault ignored;
            if (mt_archive_close(o->archive, false, &ignored))
                o->archive = NULL;
            o->archive = NULL;
        }
    }
}

static void opened(void *ud, bool cancelled)
{
    struct opening *o = ud;
    struct mt_writer *writer = NULL;

    if (cancelled)
        o->rc = mt_fault_set(&o->fault, MT_ERR_CANCELLED, "archive.cancelled",
                             "the opening was cancelled");
    if (!o->rc) {
        writer = mt_mem_calloc(1, sizeof *writer);
        if (writer)
            writer->states = mt_map_new();
        if (!writer || !writer->states) {
            struct mt_fault ignored;
            o->rc = mt_fault_set(&o->fault, MT_ERR_NOMEM, "memory", "out of memory");
            (void)mt_archive_close(o->archive, false, &ignored);
            mt_mem_free(writer);
            writer = NULL;
        }
    }
    if (writer) {
        writer->loop = o->loop;
        writer->archive = o->archive;
        mt_archive_each(writer->archive, copy_state, writer);
    }
    o->done(o->ud, o->rc, writer, o->rc ? &o->fault : NULL);
    opening_free(o);
}

enum mt_rc mt_writer_open(struct mt_loop *loop, const char *dir,
                          const struct mt_archive_identity *identity,
                          const struct mt_archive_options *options,
                          void (*done)(void *ud, enum mt_rc rc, struct mt_writer *writer,
                                       const struct mt_fault *fault),
                          void *ud)
{
    struct opening *o = mt_mem_calloc(1, sizeof *o);
    enum mt_rc rc = MT_OK;

    if (!o)
        return MT_ERR_NOMEM;
    o->loop = loop;
    o->dir = mt_mem_strdup(dir);
    o->provider = mt_mem_strdup(identity->provider);
    o->appkey = mt_mem_strdup(identity->appkey);
    o->user = mt_mem_strdup(identity->user);
    if (options)
        o->options = *options;
    o->done = done;
    o->ud = ud;
    rc = o->dir && o->provider && o->appkey && o->user
             ? mt_work_start(loop, open_archive, opened, o, NULL)
             : MT_ERR_NOMEM;
    if (rc)
        opening_free(o);
    return rc;
}

/* ---------------------------------------------------------------- commits */

static void commit_flight(void *ud)
{
    struct mt_writer *writer = ud;
    struct mt_archive_batch *batches = NULL;
    size_t n = 0;

    for (struct item *item = writer->flight; item; item = item->next)
        n++;
    batches = mt_mem_calloc(n, sizeof *batches);
    if (!batches) {
        writer->rc = mt_fault_set(&writer->fault, MT_ERR_NOMEM, "memory", "out of memory");
        return;
    }
    n = 0;
    for (struct item *item = writer->flight; item; item = item->next)
        batches[n++] = item->batch;
    writer->rc = mt_archive_commit(writer->archive, batches, n, &writer->fault);
    mt_mem_free(batches);
}

void mt_writer_count(struct mt_writer *writer, struct mt_writer_figures *figures)
{
    writer->figures = figures;
}

static void count(struct mt_writer_figures *figures, enum mt_rc rc, const struct item *list)
{
    if (!figures)
        return;
    figures->commits_n += rc == MT_OK;
    figures->failures_n += rc != MT_OK;
    for (const struct item *item = list; item && !rc; item = item->next)
        figures->lines_bytes += item->batch.lines_len;
}

static void committed(void *ud, bool cancelled)
{
    struct mt_writer *writer = ud;
    struct item *list = writer->flight;
    enum mt_rc rc = writer->rc;

    writer->flight = NULL;
    if (cancelled)
        rc = mt_fault_set(&writer->fault, MT_ERR_CANCELLED, "archive.cancelled",
                          "the commit was cancelled");
    count(writer->figures, rc, list);
    if (rc && !writer->broken) {
        writer->broken = true;
        writer->broken_fault = writer->fault;
    }
    for (struct item *item = list; item && !rc; item = item->next) {
        const struct mt_archive_state *state =
            mt_archive_state(writer->archive, item->conversation);
        if (state && !copy_state(writer, state))
            rc = mt_fault_set(&writer->fault, MT_ERR_NOMEM, "memory", "out of memory");
    }
    while (list) { /* still busy: what the callbacks append gathers for the next commit */
        struct item *next = list->next;
        writer->pending_bytes -= list->batch.lines_len;
        list->done(list->ud, rc, rc ? &writer->fault : NULL);
        item_free(list);
        list = next;
    }
    writer->busy = false;
    turn(writer);
}

enum mt_rc mt_writer_append(struct mt_writer *writer, const struct mt_archive_batch *batch,
                            void (*done)(void *ud, enum mt_rc rc, const struct mt_fault *fault),
                            void *ud)
{
    struct item *item = mt_mem_calloc(1, sizeof *item);

    if (!item)
        return MT_ERR_NOMEM;
    if (writer->closing) {
        mt_mem_free(item);
        return MT_ERR_STATE;
    }
    item->batch = *batch;
    item->conversation = mt_mem_strdup(batch->conversation);
    item->lines = mt_mem_alloc(batch->lines_len + 1);
    if (!item->conversation || !item->lines) {
        item_free(item);
        return MT_ERR_NOMEM;
    }
    if (batch->lines_len)
        memcpy(item->lines, batch->lines, batch->lines_len);
    item->batch.conversation = item->conversation;
    item->batch.lines = item->lines;
    item->done = done;
    item->ud = ud;
    if (writer->gather_last)
        writer->gather_last->next = item;
    else
        writer->gather = item;
    writer->gather_last = item;
    writer->pending_bytes += batch->lines_len;
    turn(writer);
    return MT_OK;
}

size_t mt_writer_pending_bytes(const struct mt_writer *writer)
{
    return writer->pending_bytes;
}

const struct mt_archive_state *mt_writer_state(const struct mt_writer *writer,
                                               const char *conversation)
{
    return mt_map_get(writer->states, conversation);
}

struct each_state {
    bool (*each)(void *ud, const struct mt_archive_state *state);
    void *ud;
};

static bool each_one(void *ud, const char *key, void *value)
{
    struct each_state *e = ud;
    (void)key;
    return e->each(e->ud, value);
}

void mt_writer_each(const struct mt_writer *writer,
                    bool (*each)(void *ud, const struct mt_archive_state *state), void *ud)
{
    struct each_state e = {each, ud};
    mt_map_each(writer->states, each_one, &e);
}

/* ---------------------------------------------------------------- visits */

static void run_visit(void *ud)
{
    struct mt_writer *writer = ud;
    writer->visits->fn(writer->visits->ud, writer->archive);
}

static void visited(void *ud, bool cancelled)
{
    struct mt_writer *writer = ud;
    struct visit *visit = writer->visits;

    (void)cancelled;
    writer->visits = visit->next;
    if (!writer->visits)
        writer->visits_last = NULL;
    visit->done(visit->ud);
    mt_mem_free(visit);
    writer->busy = false;
    turn(writer);
}

enum mt_rc mt_writer_run(struct mt_writer *writer, void (*fn)(void *ud, struct mt_archive *archive),
                         void (*done)(void *ud), void *ud)
{
    struct visit *visit = mt_mem_calloc(1, sizeof *visit);

    if (!visit)
        return MT_ERR_NOMEM;
    if (writer->closing) {
        mt_mem_free(visit);
        return MT_ERR_STATE;
    }
    visit->fn = fn;
    visit->done = done;
    visit->ud = ud;
    if (writer->visits_last)
        writer->visits_last->next = visit;
    else
        writer->visits = visit;
    writer->visits_last = visit;
    turn(writer);
    return MT_OK;
}

/* ---------------------------------------------------------------- closing, and what comes next */

static void close_archive(void *ud)
{
    struct mt_writer *writer = ud;

    writer->rc = MT_OK;
    if (writer->says_unseen)
        mt_archive_set_unseen(writer->archive, writer->unseen);
    if (writer->clean && !writer->broken)
        writer->rc = mt_archive_seal_due(writer->archive, &writer->fault);
    enum mt_rc rc = mt_archive_close(
        writer->archive, writer->clean && !writer->broken && !writer->rc, &writer->fault);
    if (!writer->rc)
        writer->rc = rc;
    writer->archive = NULL;
    mt_mem_trim(); /* an export had pages of many conversations in hand */
}

static void closed(void *ud, bool cancelled)
{
    struct mt_writer *writer = ud;

    (void)cancelled;
    if (writer->broken) {
        writer->rc = writer->broken_fault.kind;
        writer->fault = writer->broken_fault;
    }
    writer->closed(writer->closed_ud, writer->rc, writer->rc ? &writer->fault : NULL);
    writer_free(writer);
}

static void fail_gathered(struct mt_writer *writer)
{
    while (writer->gather) {
        struct item *item = writer->gather;
        writer->gather = item->next;
        if (!writer->gather)
            writer->gather_last = NULL;
        writer->pending_bytes -= item->batch.lines_len;
        item->done(item->ud, writer->broken_fault.kind, &writer->broken_fault);
        item_free(item);
    }
}

static void start_job(struct mt_writer *writer, void (*fn)(void *ud),
                      void (*done)(void *ud, bool cancelled))
{
    writer->busy = true;
    writer->rc = MT_OK;
    if (!mt_work_start(writer->loop, fn, done, writer, NULL))
        return;
    /* No job can be made: do it here. It blocks the loop, which is better than losing it. */
    fn(writer);
    done(writer, false);
}

static void broken_turn(void *ud)
{
    struct mt_writer *writer = ud;
    writer->busy = false;
    fail_gathered(writer);
    turn(writer);
}

static void turn(struct mt_writer *writer)
{
    if (writer->busy)
        return;
    if (writer->gather && writer->broken) {
        writer->busy = true; /* callbacks come from the loop, never from inside append */
        if (mt_loop_post(writer->loop, broken_turn, writer))
            broken_turn(writer);
        return;
    }
    if (writer->gather) {
        writer->flight = writer->gather;
        writer->gather = writer->gather_last = NULL;
        start_job(writer, commit_flight, committed);
        return;
    }
    if (writer->visits) {
        start_job(writer, run_visit, visited);
        return;
    }
    if (writer->closing)
        start_job(writer, close_archive, closed);
}

void mt_writer_set_unseen(struct mt_writer *writer, const char *why)
{
    snprintf(writer->unseen, sizeof writer->unseen, "%s", why);
    writer->says_unseen = true;
}

void mt_writer_close(struct mt_writer *writer, bool clean,
                     void (*done)(void *ud, enum mt_rc rc, const struct mt_fault *fault), void *ud)
{
    writer->closing = true;
    writer->clean = clean;
    writer->closed = done;
    writer->closed_ud = ud;
    turn(writer);
}

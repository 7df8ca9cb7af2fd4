/* The group commit on a real loop and its work pool. */
#include "tests.h"

#include "archive/writer.h"
#include "base/fs.h"
#include "loop/loop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct world {
    struct mt_loop *loop;
    struct mt_writer *writer;
    enum mt_rc open_rc, close_rc;
    struct mt_fault fault;
    unsigned done_n, failed_n, visits_n;
    unsigned order[64]; /* in which batches were called durable */
    bool closed;
    unsigned again; /* batches to append from inside a callback */
};

struct append {
    struct world *world;
    unsigned number;
};

static void opened(void *ud, enum mt_rc rc, struct mt_writer *writer, const struct mt_fault *fault)
{
    struct world *w = ud;
    w->open_rc = rc;
    w->writer = writer;
    if (fault)
        w->fault = *fault;
    mt_loop_stop(w->loop);
}

static void begin(struct world *w, const char *dir)
{
    memset(w, 0, sizeof *w);
    assert_int_equal(mt_loop_new(&w->loop), MT_OK);
    assert_int_equal(mt_writer_open(w->loop, dir, &tests_identity, NULL, opened, w), MT_OK);
    mt_loop_run(w->loop);
}

static void closed(void *ud, enum mt_rc rc, const struct mt_fault *fault)
{
    struct world *w = ud;
    w->close_rc = rc;
    w->closed = true;
    if (fault)
        w->fault = *fault;
}

static void end(struct world *w, bool clean)
{
    mt_writer_close(w->writer, clean, closed, w);
    assert_false(w->closed); /* never from inside */
    mt_loop_run(w->loop);
    assert_true(w->closed);
    assert_int_equal(mt_loop_free(w->loop), MT_OK);
}

static void append(struct world *w, const char *conversation, unsigned number, unsigned n);

static void durable(void *ud, enum mt_rc rc, const struct mt_fault *fault)
{
    struct append *a = ud;
    struct world *w = a->world;

    if (rc) {
        w->failed_n++;
        w->fault = *fault;
    } else {
        w->order[w->done_n % 64] = a->number;
        w->done_n++;
    }
    free(a);
    if (w->again) {
        w->again--;
        append(w, "group:1", 100 + w->again, 1);
    }
}

static void append(struct world *w, const char *conversation, unsigned number, unsigned n)
{
    struct append *a = malloc(sizeof *a);
    struct mt_buf lines;
    struct mt_archive_batch batch = tests_batch(&lines, conversation, number, n, true);
    size_t before = mt_writer_pending_bytes(w->writer);

    *a = (struct append){w, number};
    assert_int_equal(mt_writer_append(w->writer, &batch, durable, a), MT_OK);
    assert_int_equal(mt_writer_pending_bytes(w->writer), before + lines.len);
    memset(lines.data, '#', lines.len); /* it has its copy */
    mt_buf_deinit(&lines);
}

static void visit(void *ud, struct mt_archive *archive)
{
    struct world *w = ud;
    size_t n = 0;
    free(tests_ids(archive, "group:1", &n));
    w->visits_n = (unsigned)n;
}

static void visited(void *ud)
{
    struct world *w = ud;
    assert_int_equal(mt_writer_state(w->writer, "group:1")->messages_n, w->visits_n);
    mt_loop_stop(w->loop);
}

static void acknowledges_in_order(void **state)
{
    struct world w;

    begin(&w, *state);
    assert_int_equal(w.open_rc, MT_OK);
    assert_null(mt_writer_state(w.writer, "group:1"));
    w.again = 10; /* and some are given from inside a callback */
    for (unsigned i = 1; i <= 40; i++)
        append(&w, i % 2 ? "group:1" : "group:2", i, 1);
    assert_int_equal(w.done_n, 0);
    assert_int_equal(mt_writer_run(w.writer, visit, visited, &w), MT_OK);
    mt_loop_run(w.loop);
    assert_int_equal(w.done_n, 50);
    end(&w, true);
    assert_int_equal(w.close_rc, MT_OK);
    for (unsigned i = 0; i < 40; i++)
        assert_int_equal(w.order[i], i + 1);
    assert_int_equal(tests_verdict(*state, MT_VERIFY_READ_ALL), MT_VERIFY_COMPLETE);
}

static int count_checkpoint(void *ud, const struct mt_fs_event *event)
{
    if (!strcmp(event->name, "fdatasync") && strstr(event->path, "/CHECKPOINT"))
        __atomic_add_fetch((unsigned *)ud, 1, __ATOMIC_RELAXED);
    return 0;
}

/* What gathers while one commit is written goes into the next one together. */
static void many_batches_share_a_commit(void **state)
{
    struct world w;
    unsigned syncs = 0;

    mt_fs_seam_set(count_checkpoint, &syncs);
    begin(&w, *state);
    for (unsigned i = 1; i <= 60; i++)
        append(&w, "group:1", i, 1);
    assert_int_equal(mt_writer_run(w.writer, visit, visited, &w), MT_OK);
    mt_loop_run(w.loop);
    assert_int_equal(w.visits_n, 60);
    assert_int_equal(mt_writer_pending_bytes(w.writer), 0);
    end(&w, true);
    mt_fs_seam_set(NULL, NULL);
    assert_int_equal(w.done_n, 60);
    assert_in_range(syncs, 1, 5); /* a begin, one or two commits, an end */
}

static int fail_second_sync(void *ud, const struct mt_fs_event *event)
{
    unsigned *n = ud;
    if (strcmp(event->name, "fdatasync") != 0 || !strstr(event->path, ".jsonl"))
        return 0;
    return __atomic_add_fetch(n, 1, __ATOMIC_RELAXED) >= 2 ? EIO : 0;
}

static void stop(void *ud)
{
    mt_loop_stop(((struct world *)ud)->loop);
}

static void look(void *ud, struct mt_archive *archive)
{
    (void)ud;
    (void)archive;
}

static void after_a_failure_all_fail_alike(void **state)
{
    struct world w;
    unsigned n = 0;

    begin(&w, *state);
    mt_fs_seam_set(fail_second_sync, &n);
    append(&w, "group:1", 1, 3);
    assert_int_equal(mt_writer_run(w.writer, look, stop, &w), MT_OK);
    mt_loop_run(w.loop);
    assert_int_equal(w.done_n, 1);
    append(&w, "group:1", 4, 3);
    assert_int_equal(mt_writer_run(w.writer, look, stop, &w), MT_OK);
    mt_loop_run(w.loop);
    assert_int_equal(w.failed_n, 1);
    assert_string_equal(w.fault.code, "fs.eio");
    mt_fs_seam_set(NULL, NULL); /* the disk is well again: too late */
    w.fault.code[0] = '\0';
    append(&w, "group:1", 7, 3);
    append(&w, "group:2", 1, 1);
    end(&w, true);
    assert_int_equal(w.failed_n, 3);
    assert_int_equal(w.close_rc, MT_ERR_IO);
    assert_string_equal(w.fault.code, "fs.eio");
    assert_int_equal(tests_verdict(*state, MT_VERIFY_READ_ALL), MT_VERIFY_UNFINISHED);
    begin(&w, *state);
    assert_int_equal(mt_writer_state(w.writer, "group:1")->messages_n, 3);
    end(&w, true);
}

static void refuses_what_comes_after_close(void **state)
{
    struct world w;
    struct mt_buf lines;
    struct mt_archive_batch batch = tests_batch(&lines, "group:1", 1, 1, true);

    begin(&w, *state);
    append(&w, "group:1", 1, 1);
    mt_writer_close(w.writer, true, closed, &w);
    assert_int_equal(mt_writer_append(w.writer, &batch, durable, NULL), MT_ERR_STATE);
    assert_int_equal(mt_writer_run(w.writer, look, stop, &w), MT_ERR_STATE);
    mt_loop_run(w.loop);
    assert_true(w.closed);
    assert_int_equal(w.done_n, 1);
    assert_int_equal(mt_loop_free(w.loop), MT_OK);
    mt_buf_deinit(&lines);
}

static void an_unclean_close_says_so(void **state)
{
    struct world w;

    begin(&w, *state);
    append(&w, "group:1", 1, 1);
    end(&w, false);
    assert_int_equal(w.close_rc, MT_OK);
    assert_int_equal(w.done_n, 1);
    assert_int_equal(tests_verdict(*state, MT_VERIFY_READ_ALL), MT_VERIFY_UNFINISHED);
}

static void tells_why_it_cannot_open(void **state)
{
    struct world w;
    struct mt_archive *archive = tests_open(*state, NULL);

    begin(&w, *state);
    assert_int_equal(w.open_rc, MT_ERR_BUSY);
    assert_null(w.writer);
    assert_string_equal(w.fault.code, "archive.locked");
    assert_int_equal(mt_loop_free(w.loop), MT_OK);
    tests_close(archive, true);
}

int test_writer(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(acknowledges_in_order, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(many_batches_share_a_commit, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(after_a_failure_all_fail_alike, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(refuses_what_comes_after_close, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(an_unclean_close_says_so, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(tells_why_it_cannot_open, tests_begin, tests_end),
    };
    return cmocka_run_group_tests_name("writer", tests, NULL, NULL);
}

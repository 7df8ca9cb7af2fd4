/* Cancelling, clouds and disks that fail, and waiting for the writer. */
#include "ground.h"

#include "base/fs.h"
#include "base/mem.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

int test_trouble(void);

static void stop_it(void *ud)
{
    struct ground_run *run = ud;
    mt_export_cancel(run->export);
}

static void stop_at_the_fifth(struct ground *g)
{
    if (g->convs[0].requests == 5)
        assert_int_equal(mt_loop_post(g->loop, stop_it, g->ud), MT_OK);
}

static void cancelled_in_the_middle(void **state)
{
    struct ground *g = *state;
    struct mt_export_options options = ground_options(0);
    struct ground_run run = {0};

    ground_fill(&g->convs[0], 1000);
    g->asked = stop_at_the_fifth;
    g->ud = &run;
    ground_run(g, &options, &run);
    g->asked = NULL;
    assert_int_equal(run.rc, MT_ERR_CANCELLED);
    assert_true(run.result.added_n > 0 && run.result.added_n < 500);
    assert_int_equal(run.result.added_n % 50, 0);
    assert_false(run.result.complete);
    assert_false(ground_complete(g, 0));
    uint64_t had = run.result.added_n; /* what was given to the writer is kept, and known */
    ground_run(g, &options, &run);
    assert_int_equal(run.rc, MT_OK);
    assert_int_equal(run.result.added_n, 1000 - had);
    ground_same(g, 0);
    assert_true(ground_complete(g, 0));
}

static void cancelled_before_it_begins(void **state)
{
    struct ground *g = *state;
    struct mt_export_options options = ground_options(0);
    struct ground_run run = {0};

    ground_fill(&g->convs[0], 10);
    ground_start(g, &options, &run);
    mt_export_cancel(run.export);
    mt_export_cancel(run.export); /* once more is once */
    assert_int_equal(run.done_n, 0);
    mt_loop_run(g->loop);
    assert_int_equal(run.done_n, 1);
    assert_int_equal(run.rc, MT_ERR_CANCELLED);
    assert_int_equal(g->convs[0].requests, 0);
}

static void cancelled_while_the_archive_is_read(void **state)
{
    struct ground *g = *state;
    struct mt_export_options options = ground_options(0);
    struct ground_run run = {0};

    options.window_ms = -1;
    ground_fill(&g->convs[0], 100);
    ground_run(g, &options, &run);
    g->convs[0].requests = 0;
    ground_start(g, &options, &run); /* begin is posted: it asks the pool for what is known */
    assert_int_equal(mt_loop_post(g->loop, stop_it, &run), MT_OK);
    mt_loop_run(g->loop);
    assert_int_equal(run.done_n, 1);
    assert_int_equal(run.rc, MT_ERR_CANCELLED);
    assert_int_equal(g->convs[0].requests, 0);
    assert_true(ground_complete(g, 0)); /* it was, and nothing says otherwise */
}

static void one_that_fails_does_not_stop_the_others(void **state)
{
    struct ground *g = *state;
    struct ground_run runs[GROUND_CONVS] = {{0}};

    for (unsigned i = 0; i < GROUND_CONVS; i++)
        ground_fill(&g->convs[i], 200);
    g->convs[0].fail_at = 1; /* not a single page of it */
    g->convs[1].fail_at = 3;
    g->convs[0].fail_rc = g->convs[1].fail_rc = MT_ERR_PROTOCOL;
    for (unsigned again = 0; again < 2; again++) {
        for (unsigned i = 0; i < GROUND_CONVS; i++) {
            struct mt_export_options options = ground_options(i);
            ground_start(g, &options, &runs[i]);
        }
        mt_loop_run(g->loop);
        for (unsigned i = 0; i < GROUND_CONVS; i++) {
            assert_int_equal(runs[i].done_n, 1);
            assert_int_equal(runs[i].rc, again || i == 2 ? MT_OK : MT_ERR_PROTOCOL);
            assert_int_equal(runs[i].result.complete, again || i == 2);
            assert_int_equal(ground_complete(g, i), again || i == 2);
            g->convs[i].fail_at = 0;
        }
        if (!again) {
            assert_string_equal(runs[0].fault.code, "test.trouble");
            assert_int_equal(runs[1].result.added_n, 100);
        }
        ground_close(g, true);
        assert_int_equal(ground_verdict(g), again ? MT_VERIFY_COMPLETE : MT_VERIFY_GAPS);
        ground_open(g, NULL);
    }
    for (unsigned i = 0; i < GROUND_CONVS; i++)
        ground_same(g, i);
}

static void complete_is_taken_back_by_a_failure(void **state)
{
    struct ground *g = *state;
    struct mt_export_options options = ground_options(0);
    struct ground_run run = {0};

    ground_fill(&g->convs[0], 20);
    ground_run(g, &options, &run);
    assert_true(ground_complete(g, 0));
    g->convs[0].fail_at = 1;
    g->convs[0].fail_rc = MT_ERR_NETWORK;
    ground_run(g, &options, &run);
    assert_int_equal(run.rc, MT_ERR_NETWORK);
    assert_false(ground_complete(g, 0));
    g->convs[0].fail_at = 0;
    ground_run(g, &options, &run);
    assert_true(ground_complete(g, 0));
    ground_same(g, 0);
}

/* ---------------------------------------------------------------- the disk */

static int disk_full(void *ud, const struct mt_fs_event *event)
{
    unsigned *left = ud;
    bool segment = !strcmp(event->name, "write") && strstr(event->path, ".jsonl");

    if (!segment || (*left && --*left))
        return 0;
    return ENOSPC;
}

static void a_full_disk_ends_every_run(void **state)
{
    struct ground *g = *state;
    struct ground_run runs[2] = {{0}};
    unsigned left = 4;

    mt_fs_seam_set(disk_full, &left);
    for (unsigned i = 0; i < 2; i++) {
        struct mt_export_options options = ground_options(i);
        ground_fill(&g->convs[i], 2000);
        ground_start(g, &options, &runs[i]);
    }
    mt_loop_run(g->loop);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(runs[i].done_n, 1);
        assert_int_equal(runs[i].rc, MT_ERR_IO);
        assert_string_equal(runs[i].fault.code, "fs.enospc");
        assert_false(runs[i].result.complete);
    }
    ground_close(g, true);
    assert_int_equal(g->rc, MT_ERR_IO); /* asked to end well, it does not */
    mt_fs_seam_set(NULL, NULL);
    assert_int_equal(ground_verdict(g), MT_VERIFY_UNFINISHED);
    ground_open(g, NULL);
    for (unsigned i = 0; i < 2; i++) {
        struct mt_export_options options = ground_options(i);
        ground_run(g, &options, &runs[i]);
        assert_int_equal(runs[i].rc, MT_OK);
        ground_same(g, i);
    }
    ground_close(g, true);
    assert_int_equal(ground_verdict(g), MT_VERIFY_COMPLETE);
}

/* ---------------------------------------------------------------- a writer that others keep full
 */

#define FULL_BYTES ((size_t)9 << 20) /* an export pauses beyond 8 MiB */

struct hold {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool held;
    unsigned stage;
    unsigned foreign_done;
    unsigned turns;
    size_t pending_bytes; /* with the writer when the first page had been taken */
    bool grew;            /* more came while the disk stood */
    bool ended_early;     /* the export was done before the disk went on */
    struct ground_run *run;
};

/* The disk takes its time: until it is let go. */
static int slow_sync(void *ud, const struct mt_fs_event *event)
{
    struct hold *hold = ud;

    if (strcmp(event->name, "fdatasync") != 0)
        return 0;
    pthread_mutex_lock(&hold->lock);
    while (hold->held)
        pthread_cond_wait(&hold->changed, &hold->lock);
    pthread_mutex_unlock(&hold->lock);
    return 0;
}

static void let_go(struct hold *hold)
{
    pthread_mutex_lock(&hold->lock);
    hold->held = false;
    pthread_cond_broadcast(&hold->changed);
    pthread_mutex_unlock(&hold->lock);
}

static void foreign_durable(void *ud, enum mt_rc rc, const struct mt_fault *fault)
{
    struct hold *hold = ud;

    (void)fault;
    assert_int_equal(rc, MT_OK);
    hold->foreign_done++;
}

/* What another conversation gives to the writer at once. */
static void give_foreign(struct ground *g)
{
    static const char head[] =
        "{\"v\":1,\"type\":\"gap\",\"conversation\":\"single:other\",\"x\":\"";
    char *lines = malloc(FULL_BYTES);
    struct mt_archive_batch batch = {.conversation = "single:other",
                                     .lines = lines,
                                     .lines_len = FULL_BYTES,
                                     .lines_n = 1,
                                     .gaps_n = 1};

    assert_non_null(lines);
    memset(lines, 'x', FULL_BYTES);
    memcpy(lines, head, sizeof head - 1);
    memcpy(lines + FULL_BYTES - 3, "\"}\n", 3);
    assert_int_equal(mt_writer_append(g->writer, &batch, foreign_durable, g->ud), MT_OK);
    free(lines);
}

static void hold_begin(struct ground *g, struct hold *hold, struct ground_run *run)
{
    memset(hold, 0, sizeof *hold);
    pthread_mutex_init(&hold->lock, NULL);
    pthread_cond_init(&hold->changed, NULL);
    hold->held = true;
    hold->run = run;
    g->ud = hold;
    mt_fs_seam_set(slow_sync, hold);
}

static void hold_end(struct ground *g, struct hold *hold)
{
    mt_fs_seam_set(NULL, NULL);
    g->asked = g->answered = NULL;
    pthread_cond_destroy(&hold->changed);
    pthread_mutex_destroy(&hold->lock);
}

static void fill_when_asked(struct ground *g)
{
    struct hold *hold = g->ud;

    if (hold->stage++ == 0)
        give_foreign(g);
}

/* Turns of the loop pass, then the disk goes on in any case: a test that fails shall not hang. What
 * the reader has ahead must not be given to the writer in the meantime. */
static void let_turns_pass(void *ud)
{
    struct ground *g = ud;
    struct hold *hold = g->ud;

    if (mt_writer_pending_bytes(g->writer) > hold->pending_bytes)
        hold->grew = true;
    if (++hold->turns == 50) {
        hold->ended_early = hold->run->done_n == 1;
        let_go(hold);
    } else {
        assert_int_equal(mt_loop_post(g->loop, let_turns_pass, g), MT_OK);
    }
}

static void watch_the_writer(struct ground *g)
{
    struct hold *hold = g->ud;

    if (hold->pending_bytes)
        return; /* it is being watched */
    hold->pending_bytes = mt_writer_pending_bytes(g->writer);
    assert_int_equal(mt_loop_post(g->loop, let_turns_pass, g), MT_OK);
}

/* Nothing of its own in the writer, and pages that bring nothing new: it must go on, for nobody
 * would wake it. */
static void others_writes_do_not_stop_a_run_that_writes_nothing(void **state)
{
    struct ground *g = *state;
    struct mt_export_options options = ground_options(0);
    struct ground_run run = {0};
    struct hold hold;

    options.window_ms = 1000 * GROUND_HOUR_MS;
    ground_fill(&g->convs[0], 200);
    ground_run(g, &options, &run);
    hold_begin(g, &hold, &run);
    g->asked = fill_when_asked;
    g->answered = watch_the_writer;
    ground_start(g, &options, &run);
    mt_loop_run(g->loop);
    hold_end(g, &hold);
    assert_int_equal(run.done_n, 1);
    assert_true(hold.ended_early);
    assert_int_equal(run.rc, MT_OK);
    assert_int_equal(run.result.known_n, 200);
    assert_int_equal(hold.foreign_done, 1);
}

/* Others' bytes before the page and behind it: when its own are durable the writer is still full,
 * and later nobody would wake it. */
static void fill_behind(struct ground *g)
{
    struct hold *hold = g->ud;

    if (hold->held) { /* the first page is with the writer, which is full: the run has paused */
        give_foreign(g);
        let_go(hold);
    }
}

static void a_paused_run_is_woken_by_its_own_write(void **state)
{
    struct ground *g = *state;
    struct mt_export_options options = ground_options(0);
    struct ground_run run = {0};
    struct hold hold;

    ground_fill(&g->convs[0], 200);
    hold_begin(g, &hold, &run);
    g->asked = fill_when_asked;
    g->answered = fill_behind;
    ground_start(g, &options, &run);
    mt_loop_run(g->loop);
    hold_end(g, &hold);
    assert_int_equal(run.done_n, 1);
    assert_int_equal(run.rc, MT_OK);
    assert_int_equal(run.result.added_n, 200);
    assert_int_equal(hold.foreign_done, 2);
    ground_same(g, 0);
}

static void a_run_pauses_while_the_disk_cannot_follow(void **state)
{
    struct ground *g = *state;
    struct mt_export_options options = ground_options(0);
    struct ground_run run = {0};
    struct hold hold;

    ground_fill(&g->convs[0], 200);
    hold_begin(g, &hold, &run);
    g->asked = fill_when_asked;
    g->answered = watch_the_writer; /* from the first page on, which is with the writer by then */
    ground_start(g, &options, &run);
    mt_loop_run(g->loop);
    hold_end(g, &hold);
    assert_int_equal(run.done_n, 1);
    assert_int_equal(run.result.added_n, 200);
    assert_true(hold.pending_bytes > FULL_BYTES);
    assert_false(hold.grew);
    assert_false(hold.ended_early);
    ground_same(g, 0);
}

int test_trouble(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, ground_begin, ground_end)
    const struct CMUnitTest tests[] = {
        TEST(cancelled_in_the_middle),
        TEST(cancelled_before_it_begins),
        TEST(cancelled_while_the_archive_is_read),
        TEST(one_that_fails_does_not_stop_the_others),
        TEST(complete_is_taken_back_by_a_failure),
        TEST(a_full_disk_ends_every_run),
        TEST(others_writes_do_not_stop_a_run_that_writes_nothing),
        TEST(a_paused_run_is_woken_by_its_own_write),
        TEST(a_run_pauses_while_the_disk_cannot_follow),
    };
#undef TEST
    return cmocka_run_group_tests_name("trouble", tests, NULL, NULL);
}

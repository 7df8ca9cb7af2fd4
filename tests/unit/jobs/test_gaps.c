/* Gaps: what a run leaves out is written down before anything that lies behind it, stays written
 * down until it is read, and keeps the conversation from being called complete. */
#include "ground.h"

#include "base/log.h"

#include <string.h>

int test_gaps(void);

#define GAP    "\"type\":\"gap\""
#define CLOSED "\"closed\":true"
#define AGO(h) (GROUND_NOW_MS - (h)*GROUND_HOUR_MS)

static void a_start_leaves_a_gap(void **state)
{
    struct ground *g = *state;
    struct mt_export_options options = ground_options(0);
    struct ground_run run = {0};

    ground_fill(&g->convs[0], 300);
    options.since_ms = AGO(200); /* four pages: the first are committed before the last is read */
    ground_run(g, &options, &run);
    assert_int_equal(run.result.added_n, 200);
    assert_int_equal(run.result.gaps_n, 1);
    assert_false(run.result.complete);
    assert_int_equal(ground_count(g, 0, GAP), 1);
    ground_close(g, true);
    assert_int_equal(ground_verdict(g), MT_VERIFY_GAPS);
    ground_open(g, NULL);

    ground_run(g, &options, &run); /* the same again: nothing is left out that was not before */
    assert_int_equal(run.result.gaps_n + run.result.added_n, 0);
    assert_false(ground_complete(g, 0));
    assert_int_equal(ground_count(g, 0, GAP), 1);

    options.since_ms = AGO(250); /* a part of it is filled: what is left is shorter */
    ground_run(g, &options, &run);
    assert_int_equal(run.result.added_n, 50);
    assert_int_equal(ground_count(g, 0, CLOSED), 1);
    assert_false(ground_complete(g, 0));
    g->convs[0].requests = 0;
    ground_run(g, &options, &run); /* and nothing is read again for its sake */
    assert_int_equal(g->convs[0].requests, 1);

    options.since_ms = 0;
    ground_run(g, &options, &run);
    assert_int_equal(run.result.added_n, 50);
    assert_true(ground_complete(g, 0));
    ground_same(g, 0);
    ground_close(g, true);
    assert_int_equal(ground_verdict(g), MT_VERIFY_COMPLETE);
}

static void a_run_that_breaks_off_has_told_its_gap(void **state)
{
    struct ground *g = *state;
    struct mt_export_options options = ground_options(0);
    struct ground_run run = {0};

    ground_fill(&g->convs[0], 300);
    options.since_ms = AGO(200);
    g->convs[0].fail_at = 3;
    g->convs[0].fail_rc = MT_ERR_NETWORK;
    ground_run(g, &options, &run);
    assert_int_equal(run.rc, MT_ERR_NETWORK);
    assert_int_equal(ground_count(g, 0, GAP), 1);
    g->convs[0].fail_at = 0;
    options.since_ms = 0; /* the next run reads all of it, not only on after the cursor */
    ground_run(g, &options, &run);
    ground_same(g, 0);
    assert_true(ground_complete(g, 0));
}

static void a_filter_that_breaks_off_has_told_its_gap(void **state)
{
    struct ground *g = *state;
    struct mt_export_options options = ground_options(0);
    struct ground_run run = {0};

    ground_fill(&g->convs[0], 300);
    options.from = "you";
    g->convs[0].fail_at = 4;
    g->convs[0].fail_rc = MT_ERR_NETWORK;
    ground_run(g, &options, &run);
    assert_int_equal(run.result.added_n, 75);
    assert_int_equal(ground_count(g, 0, GAP), 1);
    g->convs[0].fail_at = 0;
    ground_run(g, &options, &run);
    assert_int_equal(ground_count(g, 0, GAP), 1); /* said once */
    assert_false(ground_complete(g, 0));
    options.from = NULL;
    ground_run(g, &options, &run);
    assert_int_equal(run.result.added_n, 150);
    ground_same(g, 0);
    assert_true(ground_complete(g, 0));
}

/* A later run that has no reason to look at the old segments must not forget what they say. */
static void a_sealed_gap_stays_a_gap(void **state)
{
    struct ground *g = *state;
    struct mt_archive_options small = {.segment_bytes = 4096};
    struct mt_export_options options = ground_options(0);
    struct ground_run run = {0};

    ground_close(g, true);
    ground_open(g, &small);
    ground_fill(&g->convs[0], 300);
    options.since_ms = AGO(200);
    ground_run(g, &options, &run);
    ground_close(g, true); /* seals */
    ground_open(g, &small);
    ground_add(&g->convs[0], "new");
    options.since_ms = AGO(0); /* behind the end of every sealed segment */
    ground_run(g, &options, &run);
    assert_int_equal(run.result.added_n, 1);
    assert_false(ground_complete(g, 0));
    options.since_ms = 0;
    options.from = "you"; /* nor a filter that happens to take nothing out of what is new */
    ground_add(&g->convs[0], "new");
    ground_run(g, &options, &run);
    assert_int_equal(run.result.added_n, 1);
    assert_false(ground_complete(g, 0));
    options.from = NULL;
    ground_run(g, &options, &run);
    ground_same(g, 0);
    assert_true(ground_complete(g, 0));
}

/* What the window reads again is what was read once. */
static void the_window_stays_behind_the_gap(void **state)
{
    struct ground *g = *state;
    struct mt_export_options options = ground_options(0);
    struct ground_run run = {0};

    options.window_ms = -1; /* 48 hours */
    options.since_ms = AGO(24);
    ground_fill(&g->convs[0], 100);
    ground_run(g, &options, &run);
    g->convs[0].messages[90].text = "corrected";
    ground_run(g, &options, &run);
    assert_int_equal(run.result.added_n, 0);
    assert_int_equal(run.result.edits_n, 1);
    assert_int_equal(run.result.recalls_n, 0);
    assert_int_equal(g->since_ms, AGO(24));
    assert_int_equal(ground_count(g, 0, GAP), 1);
}

static void a_start_does_not_make_a_hole(void **state)
{
    struct ground *g = *state;
    struct mt_export_options options = ground_options(0);
    struct ground_run run = {0};

    ground_fill(&g->convs[0], 100);
    options.until_ms = AGO(50);
    ground_run(g, &options, &run);
    assert_int_equal(run.result.added_n, 50);
    assert_false(ground_complete(g, 0));
    options.until_ms = 0;
    options.since_ms = AGO(10); /* 40 messages lie between */
    ground_run(g, &options, &run);
    assert_int_equal(run.result.added_n, 50);
    ground_same(g, 0);
    assert_true(ground_complete(g, 0));
}

static void an_end_takes_nothing_from_what_is_complete(void **state)
{
    struct ground *g = *state;
    struct mt_export_options options = ground_options(0);
    struct ground_run run = {0};

    options.window_ms = -1;
    ground_fill(&g->convs[0], 100);
    ground_run(g, &options, &run);
    options.until_ms = AGO(60); /* before the window */
    ground_run(g, &options, &run);
    assert_int_equal(run.rc, MT_OK);
    options.until_ms = AGO(10); /* in the window */
    ground_run(g, &options, &run);
    assert_int_equal(run.rc, MT_OK);
    assert_true(ground_complete(g, 0));
    ground_same(g, 0);
}

static void an_empty_conversation_has_its_gap_too(void **state)
{
    struct ground *g = *state;
    struct mt_export_options options = ground_options(0);
    struct ground_run run = {0};

    ground_fill(&g->convs[0], 10);
    options.since_ms = AGO(1);
    g->convs[0].messages[9].gone = true;
    ground_run(g, &options, &run);
    assert_int_equal(run.result.added_n, 0);
    assert_false(ground_complete(g, 0));
    assert_int_equal(ground_count(g, 0, GAP), 1);
    ground_run(g, &options, &run);
    assert_int_equal(ground_count(g, 0, GAP), 1);
    g->convs[0].messages[9].gone = false;
    options.since_ms = 0;
    ground_run(g, &options, &run);
    assert_true(ground_complete(g, 0));
    ground_same(g, 0);
}

int test_gaps(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, ground_begin, ground_end)
    const struct CMUnitTest tests[] = {
        TEST(a_start_leaves_a_gap),
        TEST(a_run_that_breaks_off_has_told_its_gap),
        TEST(a_filter_that_breaks_off_has_told_its_gap),
        TEST(a_sealed_gap_stays_a_gap),
        TEST(the_window_stays_behind_the_gap),
        TEST(a_start_does_not_make_a_hole),
        TEST(an_end_takes_nothing_from_what_is_complete),
        TEST(an_empty_conversation_has_its_gap_too),
    };
#undef TEST
    return cmocka_run_group_tests_name("gaps", tests, NULL, NULL);
}

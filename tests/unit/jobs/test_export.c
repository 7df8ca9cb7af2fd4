/* Where an export begins, what it takes, and what it makes of what has changed. */
#include "ground.h"

#include "base/fs.h"

#include <stdio.h>
#include <string.h>

int test_export(void);

static void everything_once(void **state)
{
    struct ground *g = *state;
    struct mt_export_options options = ground_options(0);
    struct ground_run run = {0};

    ground_fill(&g->convs[0], 230);
    ground_run(g, &options, &run);
    assert_int_equal(run.rc, MT_OK);
    assert_int_equal(run.result.added_n, 230);
    assert_int_equal(run.result.pages_n, 5);
    assert_true(run.result.complete);
    ground_same(g, 0);
    ground_close(g, true);
    assert_int_equal(ground_verdict(g), MT_VERIFY_COMPLETE);
}

static void slices_give_the_same(void **state)
{
    struct ground *g = *state;
    struct mt_export_options options = ground_options(0);
    struct ground_run run = {0};

    options.parallel = 8;
    ground_fill(&g->convs[0], 3000);
    ground_run(g, &options, &run);
    assert_int_equal(run.result.added_n, 3000);
    ground_same(g, 0);
    assert_true(ground_complete(g, 0));
}

static void an_empty_conversation_is_complete(void **state)
{
    struct ground *g = *state;
    struct mt_export_options options = ground_options(0);
    struct ground_run run = {0};

    ground_run(g, &options, &run);
    assert_true(run.result.complete);
    assert_true(ground_complete(g, 0));
}

static void reads_on_after_the_cursor(void **state)
{
    struct ground *g = *state;
    struct mt_export_options options = ground_options(0);
    struct ground_run run = {0};

    ground_fill(&g->convs[0], 120);
    ground_run(g, &options, &run);
    for (int i = 0; i < 30; i++)
        ground_add(&g->convs[0], "new");
    ground_close(g, true);
    ground_open(g, NULL);
    g->convs[0].requests = 0;
    ground_run(g, &options, &run);
    assert_string_equal(g->cursor, "1119");
    assert_int_equal(g->convs[0].requests, 1);
    assert_int_equal(run.result.added_n, 30);
    ground_same(g, 0);
    assert_true(ground_complete(g, 0));
}

/* The first page of a run that reads on has no page before it that it could be compared with. */
static void what_comes_again_is_not_written_twice(void **state)
{
    struct ground *g = *state;
    struct mt_export_options options = ground_options(0);
    struct ground_run run = {0};

    ground_fill(&g->convs[0], 120);
    ground_run(g, &options, &run);
    ground_add(&g->convs[0], "new");
    g->convs[0].repeats = true;
    ground_run(g, &options, &run);
    assert_int_equal(run.rc, MT_ERR_PROTOCOL);
    assert_string_equal(run.fault.code, "history.repeats");
    assert_int_equal(run.result.added_n, 0);
    assert_false(ground_complete(g, 0));
    g->convs[0].repeats = false;
    ground_run(g, &options, &run);
    assert_int_equal(run.rc, MT_OK);
    assert_int_equal(run.result.added_n, 1);
    ground_same(g, 0);
    assert_true(ground_complete(g, 0));
}

static int64_t checkpoint_bytes(const struct ground *g)
{
    char path[400];
    struct mt_fs_stat st;

    snprintf(path, sizeof path, "%s/model/org%%23app/me/CHECKPOINT", g->dir);
    assert_int_equal(mt_fs_stat(path, &st), 0);
    return st.size_bytes;
}

static void one_more_run_changes_nothing(void **state)
{
    struct ground *g = *state;
    struct mt_export_options options = ground_options(0);
    struct ground_run run = {0};

    options.window_ms = -1; /* the default: what is read again is known */
    ground_fill(&g->convs[0], 120);
    ground_run(g, &options, &run);
    ground_close(g, true);
    int64_t before = checkpoint_bytes(g);
    ground_open(g, NULL);
    ground_run(g, &options, &run);
    assert_int_equal(run.result.added_n, 0);
    assert_int_equal(run.result.known_n, 48);
    assert_true(run.result.complete);
    ground_close(g, true);
    assert_int_equal(checkpoint_bytes(g), before);
    assert_int_equal(ground_verdict(g), MT_VERIFY_COMPLETE);
}

/* The last 48 hours are the default window: of 120 messages, 72…119. */
static void the_window_finds_edits_and_recalls(void **state)
{
    struct ground *g = *state;
    struct ground_message *m = NULL;
    struct mt_export_options options = ground_options(0);
    struct ground_run run = {0};

    options.window_ms = -1;
    ground_fill(&g->convs[0], 120);
    ground_run(g, &options, &run);
    m = g->convs[0].messages;
    m[80].text = "hello, corrected";
    m[90].gone = true;
    m[100].read = true;     /* changes by itself: no edit */
    m[60].text = "too old"; /* before the window */
    m[61].gone = true;
    ground_add(&g->convs[0], "new");
    for (int again = 0; again < 2; again++) {
        ground_run(g, &options, &run);
        assert_int_equal(run.result.added_n, again ? 0 : 1);
        assert_int_equal(run.result.edits_n, again ? 0 : 1);
        assert_int_equal(run.result.recalls_n, again ? 0 : 1);
        assert_int_equal(g->since_ms, GROUND_NOW_MS - 48 * GROUND_HOUR_MS);
        assert_int_equal(ground_count(g, 0, "\"type\":\"edit\",\"target\":\"1080\""), 1);
        assert_int_equal(ground_count(g, 0, "hello, corrected"), 1);
        assert_int_equal(ground_count(g, 0, "\"type\":\"recall\",\"target\":\"1090\""), 1);
        assert_int_equal(ground_count(g, 0, "\"type\":"), 2);
        ground_same(g, 0); /* the lines of what is gone stay */
    }
    g->convs[0].messages[80].text = "hello, corrected again";
    ground_run(g, &options, &run);
    assert_int_equal(run.result.edits_n, 1);
    assert_int_equal(ground_count(g, 0, "\"target\":\"1080\""), 2);
    assert_true(ground_complete(g, 0));
}

static void a_part_is_no_reason_for_recalls(void **state)
{
    struct ground *g = *state;
    struct mt_export_options options = ground_options(0);
    struct ground_run run = {0};
    static const char *const kinds[] = {"image", NULL};

    options.window_ms = -1;
    ground_fill(&g->convs[0], 120);
    ground_run(g, &options, &run);
    options.since_ms = GROUND_NOW_MS - 24 * GROUND_HOUR_MS; /* inside the window */
    ground_run(g, &options, &run);
    assert_int_equal(run.result.recalls_n, 0);
    options.since_ms = 0;
    options.until_ms = GROUND_NOW_MS - 12 * GROUND_HOUR_MS;
    ground_run(g, &options, &run);
    assert_int_equal(run.result.recalls_n, 0);
    options.until_ms = 0;
    options.kinds = kinds;
    ground_run(g, &options, &run);
    assert_int_equal(run.result.recalls_n, 0);
    options.kinds = NULL;
    g->convs[0].fail_at = g->convs[0].requests + 1; /* nothing was seen: nothing is gone */
    g->convs[0].fail_rc = MT_ERR_PROTOCOL;
    ground_run(g, &options, &run);
    assert_int_equal(run.rc, MT_ERR_PROTOCOL);
    assert_int_equal(ground_count(g, 0, "\"recall\""), 0);
}

int test_export(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, ground_begin, ground_end)
    const struct CMUnitTest tests[] = {
        TEST(everything_once),
        TEST(slices_give_the_same),
        TEST(an_empty_conversation_is_complete),
        TEST(reads_on_after_the_cursor),
        TEST(what_comes_again_is_not_written_twice),
        TEST(one_more_run_changes_nothing),
        TEST(the_window_finds_edits_and_recalls),
        TEST(a_part_is_no_reason_for_recalls),
    };
#undef TEST
    return cmocka_run_group_tests_name("export", tests, NULL, NULL);
}

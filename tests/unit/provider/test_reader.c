/* The reader against a cloud in memory: whatever the conversation, the page size and the slices,
 * what comes out is what one sequential read gives; a cloud that misbehaves ends the read with a
 * fault that names it. */
#include "cloud.h"

#include "base/log.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

int test_reader(void);

struct reading {
    struct cloud *cloud;
    struct mt_reader *reader;
    uint64_t *ids;
    size_t n, room;
    int64_t consume_ms; /* < 0: continues inside the callback */
    size_t free_after;  /* pages; 0: never */
    size_t pages;
    uint64_t most_waiting; /* pages asked for and not delivered */
    bool holding, ended;
    enum mt_rc rc;
    struct mt_fault fault;
    int64_t ended_ms;
};

static void go_on(void *ud)
{
    struct reading *r = ud;

    r->holding = false;
    if (r->reader != NULL)
        mt_reader_continue(r->reader);
}

static void on_page(void *ud, const struct mt_message *items, size_t n)
{
    struct reading *r = ud;

    assert_false(r->holding);
    assert_false(r->ended);
    assert_non_null(r->reader);
    assert_true(n > 0);
    for (size_t i = 0; i < n; i++) {
        if (r->n == r->room) {
            r->room = r->room == 0 ? 4096 : r->room * 2;
            r->ids = realloc(r->ids, r->room * sizeof *r->ids);
            assert_non_null(r->ids);
        }
        r->ids[r->n++] = cloud_id(&items[i]);
    }
    if (r->cloud->requests - r->pages > r->most_waiting)
        r->most_waiting = r->cloud->requests - r->pages;
    if (++r->pages == r->free_after) {
        mt_reader_free(r->reader);
        r->reader = NULL;
        return;
    }
    if (r->consume_ms < 0) {
        mt_reader_continue(r->reader);
        return;
    }
    r->holding = true;
    cloud_later(r->cloud, r->consume_ms, go_on, r);
}

static void on_done(void *ud, enum mt_rc rc, const struct mt_fault *fault)
{
    struct reading *r = ud;

    assert_false(r->ended);
    assert_false(r->holding);
    r->ended = true;
    r->rc = rc;
    if (fault != NULL)
        r->fault = *fault;
    r->ended_ms = r->cloud->now_ms;
    mt_reader_free(r->reader);
    r->reader = NULL;
}

static struct reading run(struct cloud *cloud, const struct mt_reader_options *options,
                          int64_t consume_ms, size_t free_after)
{
    struct reading *r = calloc(1, sizeof *r);
    struct reading out;

    assert_non_null(r);
    r->cloud = cloud;
    r->consume_ms = consume_ms;
    r->free_after = free_after;
    cloud->now_ms = 0;
    cloud->requests = 0;
    cloud->most_in_flight = 0;
    assert_int_equal(mt_reader_start(NULL, &cloud_provider, cloud_account(cloud), options, on_page,
                                     on_done, r, &r->reader, NULL),
                     MT_OK);
    cloud_run(cloud);
    assert_true(r->ended || free_after > 0);
    if (r->reader != NULL)
        mt_reader_free(r->reader);
    cloud_run(cloud);
    assert_int_equal(cloud->in_flight, 0);
    out = *r;
    free(r);
    return out;
}

/* What the query means, straight from the list. */
static void expect_exact(const struct cloud *cloud, const struct mt_history_query *q,
                         const struct reading *r)
{
    size_t at = 0;
    bool past_cursor = q->cursor == NULL;

    for (size_t k = 0; k < cloud->n; k++) {
        const struct entry *e = &cloud->entries[q->oldest_first ? k : cloud->n - 1 - k];

        if (!past_cursor) {
            past_cursor = strtoull(q->cursor, NULL, 10) == e->id;
            continue;
        }
        if ((q->since_ms > 0 && e->time_ms < q->since_ms) ||
            (q->until_ms > 0 && e->time_ms >= q->until_ms) ||
            (q->from != NULL && strcmp(q->from, e->from) != 0))
            continue;
        assert_true(at < r->n);
        assert_int_equal(r->ids[at], e->id);
        at++;
    }
    assert_int_equal(at, r->n);
}

/* A conversation of some shape: even, in bursts, with long gaps, or with very few different times.
 */
static void generate(struct cloud *cloud, size_t n)
{
    unsigned shape = (unsigned)cloud_random(cloud, 6);
    int64_t time = 1700000000000;
    uint64_t id = 1200000000000000001;

    for (size_t i = 0; i < n; i++) {
        switch (shape) {
        case 0: /* even */
            time += 1 + (int64_t)cloud_random(cloud, 2000);
            break;
        case 1: /* bursts of hundreds in a second, then hours */
            time += cloud_random(cloud, 300) == 0 ? (int64_t)cloud_random(cloud, 20000000)
                                                  : (int64_t)cloud_random(cloud, 3);
            break;
        case 2: /* rare gaps of months */
            time +=
                cloud_random(cloud, 500) == 0 ? 9000000000 : (int64_t)cloud_random(cloud, 60000);
            break;
        case 3: /* a handful of times */
            time += cloud_random(cloud, n / 3 + 1) == 0 ? 1 : 0;
            break;
        case 4: /* all at once */
            break;
        default: /* ever denser */
            time += (int64_t)cloud_random(cloud, (uint64_t)(1000000 / (i + 1) + 1));
            break;
        }
        id += 1 + cloud_random(cloud, 1000);
        cloud_add(cloud, time, id, cloud_random(cloud, 3) == 0 ? "carol" : "bob");
    }
}

static void random_query(struct cloud *cloud, struct mt_reader_options *options, char *cursor)
{
    struct mt_history_query *q = &options->query;

    q->oldest_first = cloud_random(cloud, 5) != 0;
    q->limit = (int)cloud_random(cloud, 51);
    options->parallel = (unsigned)cloud_random(cloud, 33);
    options->budget = cloud_random(cloud, 3) == 0 ? mt_reader_budget_new(100000) : NULL;
    if (cloud->n == 0)
        return;
    if (cloud_random(cloud, 4) == 0)
        q->since_ms = cloud->entries[cloud_random(cloud, cloud->n)].time_ms;
    if (cloud_random(cloud, 4) == 0)
        q->until_ms = cloud->entries[cloud_random(cloud, cloud->n)].time_ms + 1;
    if (q->until_ms > 0 && q->until_ms <= q->since_ms)
        q->until_ms = 0;
    if (cloud_random(cloud, 4) == 0)
        q->from = "carol";
    if (cloud_random(cloud, 4) == 0) {
        const struct entry *e = &cloud->entries[cloud_random(cloud, cloud->n)];

        /* resuming: from a message that the same query gave */
        if (e->time_ms >= q->since_ms && (q->until_ms == 0 || e->time_ms < q->until_ms)) {
            snprintf(cursor, 32, "%llu", (unsigned long long)e->id);
            q->cursor = cursor;
        }
    }
}

static void reads_exactly_what_there_is(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 600; seed++) {
        struct mt_reader_options options = {.query = {.limit = 50}};
        struct cloud cloud;
        struct reading r;
        char cursor[32];

        cloud_init(&cloud, seed);
        generate(&cloud, (size_t)cloud_random(&cloud, seed % 10 == 0 ? 20000 : 1500));
        cloud.jitter_ms = (int64_t)cloud_random(&cloud, 100);
        cloud.late_last = cloud_random(&cloud, 2) == 0;
        cloud.opaque = seed % 2 == 0;
        cloud.scan = cloud_random(&cloud, 2) == 0 ? 60 : 0;
        random_query(&cloud, &options, cursor);
        r = run(&cloud, &options, (int64_t)cloud_random(&cloud, 4) * 10 - 10, 0);
        if (r.rc != MT_OK)
            print_error("seed %llu: %s\n", (unsigned long long)seed, r.fault.message);
        assert_int_equal(r.rc, MT_OK);
        expect_exact(&cloud, &options.query, &r);
        free(r.ids);
        mt_reader_budget_release(options.budget);
        cloud_deinit(&cloud);
    }
}

static void includes_what_arrives_meanwhile(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct mt_reader_options options = {.query = {.oldest_first = true, .limit = 50},
                                            .parallel = 16};
        struct cloud cloud;
        struct reading r;

        cloud_init(&cloud, seed);
        generate(&cloud, 3000);
        cloud.arriving = (size_t)cloud_random(&cloud, 200) + 1;
        cloud.arrive_at = 3 + cloud_random(&cloud, 40);
        r = run(&cloud, &options, -1, 0);
        assert_int_equal(r.rc, MT_OK);
        expect_exact(&cloud, &options.query, &r);
        free(r.ids);
        cloud_deinit(&cloud);
    }
}

static void can_be_freed_at_any_page(void **state)
{
    (void)state;
    for (size_t after = 1; after < 40; after++) {
        struct mt_reader_options options = {.query = {.oldest_first = true, .limit = 20},
                                            .parallel = 8};
        struct cloud cloud;
        struct reading r;
        int64_t live = mt_mem_seam_live();

        cloud_init(&cloud, after);
        generate(&cloud, 1000);
        r = run(&cloud, &options, after % 2 == 0 ? -1 : 5, after);
        assert_null(r.reader);
        free(r.ids);
        cloud_deinit(&cloud);
        assert_int_equal(mt_mem_seam_live(), live);
    }
}

static void expect_fault(enum cloud_fault kind, unsigned after, unsigned parallel, const char *code)
{
    struct mt_reader_options options = {.query = {.oldest_first = true, .limit = 20},
                                        .parallel = parallel};
    struct cloud cloud;
    struct reading r;

    cloud_init(&cloud, after + 1);
    for (uint64_t i = 0; i < 2000; i++)
        cloud_add(&cloud, 1700000000000 + (int64_t)i * 700, 1200000000000000001 + i, "bob");
    cloud.fault = kind;
    cloud.fault_after = after;
    r = run(&cloud, &options, -1, 0);
    assert_int_equal(r.rc, MT_ERR_PROTOCOL);
    assert_string_equal(r.fault.code, code);
    assert_true(r.n <= ((size_t)after + 3) * 20); /* within three pages */
    for (size_t i = 0; i < r.n; i++) /* what came before the fault is a true beginning */
        assert_int_equal(r.ids[i], cloud.entries[i].id);
    if (parallel <= 1)
        assert_true(cloud.requests <= (uint64_t)after + 3 || kind == CLOUD_CIRCLE);
    free(r.ids);
    cloud_deinit(&cloud);
}

static void a_misbehaving_cloud_is_named(void **state)
{
    static const unsigned after[] = {0, 1, 2, 5, 11};

    (void)state;
    for (size_t i = 0; i < sizeof after / sizeof after[0]; i++)
        for (unsigned parallel = 1; parallel <= 17; parallel += 16) {
            expect_fault(CLOUD_STUCK, after[i] + 1, parallel, "history.stuck");
            if (after[i] > 0)
                expect_fault(CLOUD_REPEATS, after[i], parallel, "history.repeats");
            expect_fault(CLOUD_NULL, after[i], parallel, "history.null_page");
            expect_fault(CLOUD_DISORDER, after[i], parallel, "history.order");
        }
    expect_fault(CLOUD_ENDLESS, 3, 1, "history.stuck");
    expect_fault(CLOUD_CIRCLE, 3, 1, "history.stuck");
}

/* Filters leave pages empty: a rare sender is found however many there are, cursors that go round
 * are not followed. */
static void empty_pages_are_followed_as_long_as_they_lead_on(void **state)
{
    struct mt_reader_options options = {
        .query = {.oldest_first = true, .limit = 50, .from = "carol"}};
    struct cloud cloud;
    struct reading r;

    (void)state;
    for (options.parallel = 1; options.parallel <= 16; options.parallel += 15) {
        cloud_init(&cloud, 1);
        for (uint64_t i = 0; i < 60000; i++)
            cloud_add(&cloud, 1700000000000 + (int64_t)i * 10, 100 + i,
                      i % 29999 == 29998 ? "carol" : "bob");
        cloud.scan = 20;
        r = run(&cloud, &options, -1, 0);
        assert_int_equal(r.rc, MT_OK);
        assert_int_equal(r.n, 2);
        expect_exact(&cloud, &options.query, &r);
        free(r.ids);
        cloud.fault = CLOUD_CIRCLE;
        cloud.fault_after = 5;
        r = run(&cloud, &options, -1, 0);
        assert_int_equal(r.rc, MT_ERR_PROTOCOL);
        assert_string_equal(r.fault.code, "history.stuck");
        assert_true(cloud.requests < 100);
        free(r.ids);
        cloud_deinit(&cloud);
    }
}

static void falls_back_where_time_bounds_are_ignored(void **state)
{
    struct mt_reader_options options = {.query = {.oldest_first = true, .limit = 50},
                                        .parallel = 16};
    struct cloud cloud;
    struct reading r;

    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        cloud_init(&cloud, seed);
        generate(&cloud, 4000);
        cloud.fault = CLOUD_UNBOUNDED;
        r = run(&cloud, &options, (int64_t)cloud_random(&cloud, 2) * 20 - 1, 0);
        assert_int_equal(r.rc, MT_OK);
        expect_exact(&cloud, &options.query, &r);
        assert_true(cloud.requests <
                    4000 / 50 + 100); /* page after page, but for what was on its way */
        free(r.ids);
        cloud_deinit(&cloud);
    }
}

static int64_t time_of(struct cloud *cloud, unsigned parallel, uint64_t *requests)
{
    struct mt_reader_options options = {.query = {.oldest_first = true, .limit = 50},
                                        .parallel = parallel};
    struct reading r = run(cloud, &options, -1, 0);

    assert_int_equal(r.rc, MT_OK);
    expect_exact(cloud, &options.query, &r);
    free(r.ids);
    *requests = cloud->requests;
    return r.ended_ms;
}

/* 72,000 messages, 50 ms a request: at least eight times faster than page after page. */
static void is_faster_in_slices(void **state)
{
    static const char *const names[] = {"even", "bursts", "gaps", "thousands a second", "chat log"};

    (void)state;
    for (unsigned shape = 0; shape < 5; shape++) {
        struct cloud cloud;
        int64_t time = 1700000000000;
        uint64_t requests[2] = {0, 0};
        int64_t alone = 0;
        int64_t together = 0;

        cloud_init(&cloud, 7 + shape);
        for (uint64_t i = 0; i < 72000; i++) {
            uint64_t dice = cloud_random(&cloud, 1000);

            if (shape == 0)
                time += (int64_t)cloud_random(&cloud, 5000);
            else if (shape == 1)
                time += dice == 0 ? 30000000 : (int64_t)dice % 40;
            else if (shape == 2)
                time += dice == 0 ? 9000000000 : (int64_t)dice * 60;
            else if (shape == 3)
                time += dice < 100 ? 1 : 0;
            else
                time += dice < 700 ? 50 : dice < 990 ? 60000 : (int64_t)dice * 20000;
            cloud_add(&cloud, time, 1200000000000000001 + i * 3, "bob");
        }
        alone = time_of(&cloud, 1, &requests[0]);
        together = time_of(&cloud, 32, &requests[1]);
        print_message(
            "# %s: %lld ms with %llu requests, %lld ms with %llu in 32 slices: %.1f times\n",
            names[shape], (long long)alone, (unsigned long long)requests[0], (long long)together,
            (unsigned long long)requests[1], (double)alone / (double)together);
        assert_true(alone >= 8 * together);
        assert_true(cloud.most_in_flight <= 32);
        cloud_deinit(&cloud);
    }
}

static void holds_no_more_than_it_may(void **state)
{
    struct mt_reader_options options = {
        .query = {.oldest_first = true, .limit = 50}, .parallel = 32, .budget = NULL};
    struct cloud cloud;
    struct reading r;
    int64_t before = mt_mem_seam_live();

    (void)state;
    cloud_init(&cloud, 3);
    for (uint64_t i = 0; i < 20000; i++)
        cloud_add(&cloud, 1700000000000 + (int64_t)i * 900, 1200000000000000001 + i, "bob");
    options.budget = mt_reader_budget_new((size_t)1024 * 1024);
    r = run(&cloud, &options, 400, 0); /* a consumer slower than the cloud */
    assert_int_equal(r.rc, MT_OK);
    mt_reader_budget_release(options.budget);
    expect_exact(&cloud, &options.query, &r);
    /* 50 entries take some 25 kB here; empty and bookkeeping requests come on top */
    assert_in_range(r.most_waiting, 10, 60);
    free(r.ids);
    cloud_deinit(&cloud);
    assert_int_equal(mt_mem_seam_live(), before);
}

static void a_short_conversation_costs_one_request(void **state)
{
    struct mt_reader_options options = {.query = {.oldest_first = true, .limit = 50},
                                        .parallel = 16};
    struct cloud cloud;
    struct reading r;

    (void)state;
    cloud_init(&cloud, 1);
    for (uint64_t i = 0; i < 40; i++)
        cloud_add(&cloud, 1700000000000 + (int64_t)i, 100 + i, "bob");
    r = run(&cloud, &options, -1, 0);
    assert_int_equal(r.rc, MT_OK);
    assert_int_equal(cloud.requests, 1);
    expect_exact(&cloud, &options.query, &r);
    free(r.ids);
    cloud_deinit(&cloud);
}

static void silent(void *ud, enum mt_log_level level, const char *line)
{
    (void)ud;
    (void)level;
    (void)line;
}

static int quiet(void **state)
{
    (void)state;
    mt_log_sink_set(silent, NULL);
    return 0;
}

static int loud(void **state)
{
    (void)state;
    mt_log_sink_set(NULL, NULL);
    return 0;
}

int test_reader(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_exactly_what_there_is),
        cmocka_unit_test(includes_what_arrives_meanwhile),
        cmocka_unit_test(can_be_freed_at_any_page),
        cmocka_unit_test(a_misbehaving_cloud_is_named),
        cmocka_unit_test(empty_pages_are_followed_as_long_as_they_lead_on),
        cmocka_unit_test(falls_back_where_time_bounds_are_ignored),
        cmocka_unit_test(is_faster_in_slices),
        cmocka_unit_test(holds_no_more_than_it_may),
        cmocka_unit_test(a_short_conversation_costs_one_request),
    };

    return cmocka_run_group_tests_name("reader", tests, quiet, loud);
}

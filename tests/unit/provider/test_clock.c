/* The cloud's clock beside ours: told once, carried on by what nobody can set, and judged. */
#include "base/clock.h"
#include "provider/cloud_clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define HOUR INT64_C(3600000)
#define YEAR (INT64_C(8766) * HOUR)
#define NOW  INT64_C(1790000000000)

struct world {
    int64_t wall_ms, mono_ms;
    struct mt_cloud_clock clock;
};

static int64_t wall(void *ud)
{
    return ((struct world *)ud)->wall_ms;
}

static int64_t mono(void *ud)
{
    return ((struct world *)ud)->mono_ms * 1000;
}

static struct world *known; /* to the provider below */

static int64_t off_ms(const struct mt_provider_account *account, bool *is_known)
{
    (void)account;
    return mt_cloud_clock_off_ms(&known->clock, is_known);
}

static const char *judged(struct world *world, struct mt_fault *fault)
{
    static const struct mt_provider provider = {.name = "it", .clock_off_ms = off_ms};

    known = world;
    *fault = (struct mt_fault){.kind = MT_OK};
    return mt_clock_trusted(&provider, NULL, fault) == MT_OK ? "" : fault->code;
}

static void begin(struct world *world)
{
    *world = (struct world){.wall_ms = NOW, .mono_ms = 5000000};
    mt_clock_seam_set(&(struct mt_clock_seam){.wall_ms = wall, .mono_us = mono, .ud = world});
}

static void test_unknown(void **state)
{
    struct world world;
    struct mt_fault fault;
    struct mt_check check;
    bool is_known = true;

    (void)state;
    begin(&world);
    assert_int_equal(mt_cloud_clock_off_ms(&world.clock, &is_known), 0);
    assert_false(is_known);
    assert_string_equal(judged(&world, &fault), "clock.unknown");
    assert_int_equal(mt_cloud_clock_now_ms(&world.clock), NOW);
    mt_cloud_clock_check(&world.clock, &check);
    assert_string_equal(check.result, "skipped");
    /* what cannot be a time changes nothing */
    const int64_t odd[] = {0, -1, INT64_MIN, INT64_MAX, INT64_C(253402300800000)};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        mt_cloud_clock_heard(&world.clock, odd[i]);
        assert_string_equal(judged(&world, &fault), "clock.unknown");
    }
    mt_clock_seam_set(NULL);
}

static void test_differences(void **state)
{
    static const int64_t offs[] = {0,    59000, 60000,     60001,     -60000,    -60001,
                                   HOUR, -HOUR, 24 * HOUR, 10 * YEAR, -10 * YEAR};
    struct world world;
    struct mt_fault fault;
    struct mt_check check;
    bool is_known = false;

    (void)state;
    for (size_t i = 0; i < sizeof offs / sizeof offs[0]; i++) {
        int64_t off = offs[i] < 0 ? -offs[i] : offs[i];
        begin(&world);
        mt_cloud_clock_heard(&world.clock, NOW - offs[i]);
        assert_int_equal(mt_cloud_clock_off_ms(&world.clock, &is_known), offs[i]);
        assert_true(is_known);
        assert_string_equal(judged(&world, &fault), off > 60000 ? "clock.differs" : "");
        mt_cloud_clock_check(&world.clock, &check);
        assert_string_equal(check.result, off > 60000 ? "failed" : "ok");
    }
    mt_clock_seam_set(NULL);
}

/* The clock is set after the cloud has said its time, and nothing was heard since. */
static void test_set_meanwhile(void **state)
{
    static const int64_t jumps[] = {HOUR, -HOUR, 10 * YEAR, -10 * YEAR, 61000, -61000};
    struct world world;
    struct mt_fault fault;
    bool is_known = false;

    (void)state;
    for (size_t i = 0; i < sizeof jumps / sizeof jumps[0]; i++) {
        begin(&world);
        mt_cloud_clock_heard(&world.clock, NOW);
        world.wall_ms += 7 * HOUR; /* time goes by */
        world.mono_ms += 7 * HOUR;
        assert_string_equal(judged(&world, &fault), "");
        assert_int_equal(mt_cloud_clock_now_ms(&world.clock), NOW + 7 * HOUR);
        world.wall_ms += jumps[i];
        assert_int_equal(mt_cloud_clock_off_ms(&world.clock, &is_known), jumps[i]);
        assert_string_equal(judged(&world, &fault), "clock.differs");
        assert_int_equal(mt_cloud_clock_now_ms(&world.clock), NOW + 7 * HOUR);
        world.wall_ms -= jumps[i];
        assert_string_equal(judged(&world, &fault), "");
    }
    /* one that stands still is behind soon */
    begin(&world);
    mt_cloud_clock_heard(&world.clock, NOW);
    world.mono_ms += 60000;
    assert_string_equal(judged(&world, &fault), "");
    world.mono_ms += 1;
    assert_string_equal(judged(&world, &fault), "clock.differs");
    mt_clock_seam_set(NULL);
}

int test_clock(void);
int test_clock(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_differences),
        cmocka_unit_test(test_set_meanwhile),
    };
    return cmocka_run_group_tests_name("cloud_clock", tests, NULL, NULL);
}

/* The clock seam. */
#include "base/clock.h"
#include "tests.h"

static int64_t read_ud(void *ud)
{
    return *(int64_t *)ud;
}

static void kernel_clocks_run(void **state)
{
    (void)state;
    int64_t wall = mt_clock_wall_ms();
    assert_true(wall > INT64_C(1600000000000) && wall < INT64_C(9999999999999));
    int64_t mono = mt_clock_mono_us();
    int64_t cpu = mt_clock_cpu_us();
    for (int i = 0; i < 10000; i++) {
        int64_t now = mt_clock_mono_us();
        assert_true(now >= mono);
        mono = now;
    }
    assert_true(mt_clock_cpu_us() >= cpu && cpu > 0);
    assert_true(mt_clock_mono_ms() >= mono / 1000);
}

static void the_seam_moves_time(void **state)
{
    (void)state;
    int64_t now = 5000123;
    struct mt_clock_seam seam = {.wall_ms = read_ud, .mono_us = read_ud, .ud = &now};
    mt_clock_seam_set(&seam);
    seam = (struct mt_clock_seam){0}; /* it was copied */
    assert_int_equal(mt_clock_wall_ms(), 5000123);
    assert_int_equal(mt_clock_mono_us(), 5000123);
    assert_int_equal(mt_clock_mono_ms(), 5000);
    now += 1000;
    assert_int_equal(mt_clock_mono_ms(), 5001);
    seam = (struct mt_clock_seam){.mono_us = read_ud, .ud = &now};
    mt_clock_seam_set(&seam); /* only one of the two */
    assert_true(mt_clock_wall_ms() > INT64_C(1600000000000));
    assert_int_equal(mt_clock_mono_us(), now);
    mt_clock_seam_set(NULL);
    assert_int_not_equal(mt_clock_mono_us(), now);
}

static void time_goes_faster(void **state)
{
    (void)state;
    int64_t wall = mt_clock_wall_ms();
    mt_clock_seam_speed(1000);
    int64_t mono = mt_clock_mono_ms();
    while (mt_clock_mono_ms() - mono < 20000) { /* 20 ms of the kernel's */
    }
    int64_t passed = mt_clock_wall_ms() - wall;
    assert_true(passed >= 19000 && passed < 20000000);
    assert_int_equal(mt_clock_kernel_ms(0), 0);
    assert_int_equal(mt_clock_kernel_ms(1), 1);
    assert_int_equal(mt_clock_kernel_ms(30000), 30);
    assert_int_equal(mt_clock_kernel_ms(-1), -1);
    mt_clock_seam_speed(1);
    assert_true(mt_clock_wall_ms() - wall < 20000);
    assert_int_equal(mt_clock_kernel_ms(30000), 30000);
}

int test_clock(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kernel_clocks_run),
        cmocka_unit_test(the_seam_moves_time),
        cmocka_unit_test(time_goes_faster),
    };
    return cmocka_run_group_tests_name("base/clock", tests, NULL, NULL);
}

/* Timers: order, repetition, and what may be done to a timer from inside its own callback. */
#include "base/clock.h"
#include "tests.h"

#include <stdlib.h>

struct tick {
    struct mt_loop *loop;
    struct mt_timer *timer;
    int n;
    int most;
    int64_t at_ms;
    int *order;
    int order_n;
};

static void once(void *ud)
{
    struct tick *tick = ud;
    tick->n++;
    tick->at_ms = mt_clock_mono_ms();
}

static void not_before_its_time(void **state)
{
    (void)state;
    struct tick tick = {0};
    assert_int_equal(mt_loop_new(&tick.loop), MT_OK);
    assert_int_equal(mt_timer_new(tick.loop, once, &tick, &tick.timer), MT_OK);
    for (int after_ms = 0; after_ms < 12; after_ms += 3) {
        /* The loop's own idea of the time is old by now: a timer that counted from it would be
         * early. */
        int64_t busy_until_us = mt_clock_mono_us() + 4000;
        while (mt_clock_mono_us() < busy_until_us) {
        }
        int64_t began_ms = mt_clock_mono_ms();
        mt_timer_start(tick.timer, after_ms, 0);
        mt_loop_run(tick.loop);
        assert_true(tick.at_ms - began_ms >= after_ms);
    }
    assert_int_equal(tick.n, 4);
    mt_timer_start(tick.timer, -5, -5); /* as 0, 0 */
    mt_loop_run(tick.loop);
    assert_int_equal(tick.n, 5);
    mt_timer_free(tick.timer);
    assert_int_equal(mt_loop_free(tick.loop), MT_OK);
}

static void repeat(void *ud)
{
    struct tick *tick = ud;
    if (++tick->n == tick->most) {
        mt_timer_stop(tick->timer);
    }
}

static void repeats_until_stopped(void **state)
{
    (void)state;
    struct tick tick = {.most = 5};
    assert_int_equal(mt_loop_new(&tick.loop), MT_OK);
    assert_int_equal(mt_timer_new(tick.loop, repeat, &tick, &tick.timer), MT_OK);
    mt_timer_start(tick.timer, 0, 1);
    mt_loop_run(tick.loop);
    assert_int_equal(tick.n, 5);
    mt_timer_free(tick.timer);
    assert_int_equal(mt_loop_free(tick.loop), MT_OK);
}

static void again(void *ud)
{
    struct tick *tick = ud;
    if (++tick->n < tick->most) {
        mt_timer_start(tick->timer, 0, 0);
    } else {
        mt_timer_free(tick->timer);
    }
}

static void posted(void *ud)
{
    ++*(int *)ud;
}

/* A timer of 0 ms that starts itself again must leave room for the rest of the loop. */
static void starts_and_frees_itself(void **state)
{
    (void)state;
    struct tick tick = {.most = 100000};
    int others = 0;
    assert_int_equal(mt_loop_new(&tick.loop), MT_OK);
    assert_int_equal(mt_timer_new(tick.loop, again, &tick, &tick.timer), MT_OK);
    mt_timer_start(tick.timer, 0, 0);
    assert_int_equal(mt_loop_post(tick.loop, posted, &others), MT_OK);
    for (int turns = 0; others == 0; turns++) {
        assert_true(turns < 10);
        assert_true(mt_loop_turn(tick.loop));
    }
    assert_true(tick.n < tick.most);
    mt_loop_run(tick.loop);
    assert_int_equal(tick.n, tick.most);
    assert_int_equal(mt_loop_free(tick.loop), MT_OK);
}

static void unreferenced_does_not_hold(void **state)
{
    (void)state;
    struct tick tick = {0};
    assert_int_equal(mt_loop_new(&tick.loop), MT_OK);
    assert_int_equal(mt_timer_new(tick.loop, once, &tick, &tick.timer), MT_OK);
    mt_timer_unref(tick.timer);
    mt_timer_start(tick.timer, 3600000, 0);
    mt_loop_run(tick.loop);
    mt_timer_start(tick.timer, 3600000, 0); /* starting again does not change that */
    mt_loop_run(tick.loop);
    assert_int_equal(tick.n, 0);
    mt_timer_free(tick.timer);
    mt_timer_free(NULL);
    assert_int_equal(mt_loop_free(tick.loop), MT_OK);
}

struct ordered {
    int *next;
    int number;
    bool ok;
};

static void in_order(void *ud)
{
    struct ordered *ordered = ud;
    ordered->ok = ordered->number == (*ordered->next)++;
}

static void a_thousand_fire_in_order(void **state)
{
    (void)state;
    enum { N = 1000 };
    struct mt_loop *loop = NULL;
    struct mt_timer *timers[N];
    struct ordered ordered[N];
    int next = 0;
    assert_int_equal(mt_loop_new(&loop), MT_OK);
    for (int i = N - 1; i >= 0; i--) {
        ordered[i] = (struct ordered){.number = i, .next = &next};
        assert_int_equal(mt_timer_new(loop, in_order, &ordered[i], &timers[i]), MT_OK);
    }
    for (int i = 0; i < N; i++) {
        mt_timer_start(timers[i], 5 + i / 50, 0);
    }
    mt_loop_run(loop);
    assert_int_equal(next, N);
    for (int i = 0; i < N; i++) {
        assert_true(ordered[i].ok);
        mt_timer_free(timers[i]);
    }
    assert_int_equal(mt_loop_free(loop), MT_OK);
}

int test_timer(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(not_before_its_time),      cmocka_unit_test(repeats_until_stopped),
        cmocka_unit_test(starts_and_frees_itself),  cmocka_unit_test(unreferenced_does_not_hold),
        cmocka_unit_test(a_thousand_fire_in_order),
    };
    return cmocka_run_group_tests_name("loop timer", tests, NULL, NULL);
}

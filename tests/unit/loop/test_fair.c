/* Fairness: thousands of descriptors that are ready at once do not keep a timer waiting. */
#include "base/clock.h"
#include "base/mem.h"
#include "tests.h"

#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

enum { CROWD = 3000, WORK_US = 50 };

struct crowd {
    struct mt_loop *loop;
    struct mt_timer *timer;
    struct mt_poll *polls[CROWD];
    int fds[CROWD];
    int served_n;
    int served_at_tick;
};

struct one {
    struct crowd *crowd;
    int i;
};

static void on_ready(void *ud, int events, bool error)
{
    struct one *one = ud;
    int64_t until_us = mt_clock_mono_us() + WORK_US;

    (void)events;
    assert_false(error);
    while (mt_clock_mono_us() < until_us) {
    }
    mt_poll_set(one->crowd->polls[one->i], 0);
    if (++one->crowd->served_n == CROWD) {
        mt_loop_stop(one->crowd->loop);
    }
}

static void on_tick(void *ud)
{
    struct crowd *crowd = ud;

    crowd->served_at_tick = crowd->served_n;
}

static void a_crowd_does_not_starve_a_timer(void **state)
{
    struct crowd *crowd = mt_mem_calloc(1, sizeof *crowd);
    struct one *ones = mt_mem_calloc(CROWD, sizeof *ones);
    struct rlimit limit;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    crowd->served_at_tick = CROWD;
    assert_int_equal(mt_loop_new(&crowd->loop), MT_OK);
    assert_int_equal(mt_timer_new(crowd->loop, on_tick, crowd, &crowd->timer), MT_OK);
    for (int i = 0; i < CROWD; i++) {
        ones[i] = (struct one){crowd, i};
        crowd->fds[i] = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
        assert_true(crowd->fds[i] >= 0);
        assert_int_equal(
            mt_poll_new(crowd->loop, crowd->fds[i], on_ready, &ones[i], &crowd->polls[i]), MT_OK);
        mt_poll_set(crowd->polls[i], MT_POLL_READ);
    }
    mt_timer_start(crowd->timer, 5, 0);
    mt_loop_run(crowd->loop);
    assert_int_equal(crowd->served_n, CROWD);
    /* All of them are 150 ms of work. The timer of 5 ms came after a tenth of them and 64 more. */
    assert_in_range(crowd->served_at_tick, 1, CROWD / 4);
    for (int i = 0; i < CROWD; i++) {
        mt_poll_free(crowd->polls[i]);
        close(crowd->fds[i]);
    }
    mt_timer_free(crowd->timer);
    assert_int_equal(mt_loop_free(crowd->loop), MT_OK);
    mt_mem_free(ones);
    mt_mem_free(crowd);
}

int test_fair(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crowd_does_not_starve_a_timer),
    };
    return cmocka_run_group_tests_name("loop/fair", tests, NULL, NULL);
}

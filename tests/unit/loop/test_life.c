/* The loop's own life: running, stopping, turning, ending with something left over, sharing with a
 * stranger. */
#include "base/log.h"
#include "base/mem.h"
#include "tests.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

static void count(void *ud)
{
    ++*(int *)ud;
}

static void an_empty_loop_ends(void **state)
{
    (void)state;
    struct mt_loop *loop = NULL;
    assert_int_equal(mt_loop_new(&loop), MT_OK);
    mt_loop_run(loop);
    mt_loop_run(loop);
    assert_false(mt_loop_turn(loop));
    assert_int_equal(mt_loop_free(loop), MT_OK);
    assert_int_equal(mt_loop_free(NULL), MT_OK);
}

static void a_stop_that_stops_nothing_is_no_hindrance(void **state)
{
    (void)state;
    struct mt_loop *loop = NULL;
    assert_int_equal(mt_loop_new(&loop), MT_OK);
    mt_loop_stop(loop);
    assert_int_equal(mt_loop_free(loop), MT_OK);
}

struct stopper {
    struct mt_loop *loop;
    int fired;
};

static void stop(void *ud)
{
    struct stopper *stopper = ud;
    stopper->fired++;
    mt_loop_stop(stopper->loop);
}

static void runs_again_after_a_stop(void **state)
{
    (void)state;
    struct stopper stopper = {0};
    struct mt_timer *timer = NULL;
    assert_int_equal(mt_loop_new(&stopper.loop), MT_OK);
    assert_int_equal(mt_timer_new(stopper.loop, stop, &stopper, &timer), MT_OK);
    mt_timer_start(timer, 0, 1); /* alone it would run for ever */
    for (int i = 1; i <= 5; i++) {
        mt_loop_run(stopper.loop);
        assert_int_equal(stopper.fired, i);
    }
    mt_loop_stop(stopper.loop); /* before it runs is as good */
    mt_loop_run(stopper.loop);
    assert_int_equal(stopper.fired, 5);
    mt_timer_free(timer);
    assert_int_equal(mt_loop_post(stopper.loop, stop, &stopper), MT_OK);
    mt_loop_run(stopper.loop);
    int fired = stopper.fired;
    assert_int_equal(fired, 6);
    mt_loop_run(stopper.loop); /* a stop is used up */
    assert_int_equal(mt_loop_free(stopper.loop), MT_OK);
}

static void a_turn_does_not_wait(void **state)
{
    (void)state;
    struct mt_loop *loop = NULL;
    struct mt_timer *timer = NULL;
    int n = 0;
    assert_int_equal(mt_loop_new(&loop), MT_OK);
    assert_int_equal(mt_timer_new(loop, count, &n, &timer), MT_OK);
    mt_timer_start(timer, 3600000, 0);
    assert_true(mt_loop_turn(loop));
    assert_int_equal(n, 0);
    mt_timer_free(timer);
    while (mt_loop_turn(loop)) {
    }
    assert_int_equal(mt_loop_free(loop), MT_OK);
}

static void on_line(void *ud, enum mt_log_level level, const char *line)
{
    (void)level;
    strncat(ud, line, 200);
}

static void what_is_left_over_is_named(void **state)
{
    (void)state;
    char log[2000] = "";
    struct mt_loop *loop = NULL;
    struct mt_timer *timer = NULL;
    struct mt_poll *poll = NULL;
    struct mt_signal *sig = NULL;
    int n = 0;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(mt_loop_new(&loop), MT_OK);
    assert_int_equal(mt_timer_new(loop, count, &n, &timer), MT_OK);
    mt_timer_start(timer, 3600000, 0);
    assert_int_equal(mt_poll_new(loop, fds[0], NULL, NULL, &poll), MT_OK);
    assert_int_equal(mt_signal_new(loop, SIGUSR1, NULL, NULL, &sig), MT_OK);
    assert_int_equal(mt_loop_post(loop, count, &n), MT_OK);
    mt_log_sink_set(on_line, log);
    assert_int_equal(mt_loop_free(loop), MT_ERR_STATE);
    mt_log_sink_set(NULL, NULL);
    assert_non_null(strstr(log, "timer, active"));
    assert_non_null(strstr(log, "poll, stopped"));
    assert_non_null(strstr(log, "signal, active"));
    assert_int_equal(n, 1); /* what was posted is done, even so */
    mt_timer_free(timer);
    mt_poll_free(poll);
    mt_signal_free(sig);
    assert_int_equal(mt_loop_free(loop), MT_OK);
    close(fds[0]);
    close(fds[1]);
}

/* As libwebsockets does: handles of its own on the shared loop, closed during the last turns. */
static void on_foreign_timer(uv_timer_t *timer)
{
    uv_close((uv_handle_t *)timer, NULL);
}

static void a_stranger_shares_the_loop(void **state)
{
    (void)state;
    struct mt_loop *loop = NULL;
    uv_timer_t foreign;
    uv_idle_t idle;
    assert_int_equal(mt_loop_new(&loop), MT_OK);
    assert_int_equal(uv_timer_init(mt_loop_native(loop), &foreign), 0);
    assert_int_equal(uv_idle_init(mt_loop_native(loop), &idle), 0);
    assert_int_equal(uv_timer_start(&foreign, on_foreign_timer, 1, 0), 0);
    mt_loop_run(loop);
    assert_true(uv_is_closing((uv_handle_t *)&foreign));
    uv_close((uv_handle_t *)&idle, NULL); /* still closing when the loop is freed */
    assert_int_equal(mt_loop_free(loop), MT_OK);
}

/* R7 for the parts that this room allocates itself. */
static void memory_may_run_out(void **state)
{
    (void)state;
    int64_t live = mt_mem_seam_live();
    for (uint64_t n = 1; n < 20; n++) {
        struct mt_loop *loop = NULL;
        struct mt_timer *timer = NULL;
        struct mt_poll *poll = NULL;
        struct mt_signal *sig = NULL;
        int fired = 0;
        int worked = 0; /* on a pool thread */
        int fds[2];
        assert_int_equal(pipe(fds), 0);
        mt_mem_seam_fail_at(n, 0);
        if (mt_loop_new(&loop) == MT_OK) {
            (void)!mt_timer_new(loop, count, &fired, &timer);
            (void)!mt_poll_new(loop, fds[0], NULL, NULL, &poll);
            (void)!mt_signal_new(loop, SIGUSR1, NULL, NULL, &sig);
            (void)!mt_work_start(loop, count, NULL, &worked, NULL);
            (void)!mt_loop_post(loop, count, &fired);
        }
        mt_mem_seam_fail_at(0, 0);
        mt_timer_free(timer);
        mt_poll_free(poll);
        mt_signal_free(sig);
        assert_int_equal(mt_loop_free(loop), MT_OK);
        close(fds[0]);
        close(fds[1]);
        assert_int_equal(mt_mem_seam_live(), live);
    }
}

int test_life(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_loop_ends),
        cmocka_unit_test(runs_again_after_a_stop),
        cmocka_unit_test(a_turn_does_not_wait),
        cmocka_unit_test(what_is_left_over_is_named),
        cmocka_unit_test(a_stranger_shares_the_loop),
        cmocka_unit_test(memory_may_run_out),
        cmocka_unit_test(a_stop_that_stops_nothing_is_no_hindrance),
    };
    return cmocka_run_group_tests_name("loop life", tests, NULL, NULL);
}

/* Descriptors and signals. */
#include "tests.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct watch {
    struct mt_loop *loop;
    struct mt_poll *poll;
    int fd;
    int reads;
    int writes;
    int errors;
    int last_signal;
    struct mt_signal *sig;
};

static void on_event(void *ud, int events, bool error)
{
    struct watch *watch = ud;
    char buf[16];
    watch->errors += error ? 1 : 0;
    if (events & MT_POLL_READ) {
        watch->reads++;
        if (read(watch->fd, buf, sizeof buf) <= 0) {
            mt_poll_free(watch->poll); /* from inside its own callback */
            watch->poll = NULL;
            return;
        }
    }
    if (events & MT_POLL_WRITE) {
        watch->writes++;
        mt_poll_set(watch->poll, MT_POLL_READ);
        assert_int_equal(shutdown(watch->fd, SHUT_WR), 0);
    }
}

static void reads_writes_and_ends(void **state)
{
    (void)state;
    struct watch watch = {0};
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    watch.fd = fds[0];
    assert_int_equal(mt_loop_new(&watch.loop), MT_OK);
    assert_int_equal(mt_poll_new(watch.loop, fds[0], on_event, &watch, &watch.poll), MT_OK);
    mt_loop_run(watch.loop); /* nothing is watched yet, so nothing holds the loop */
    mt_poll_set(watch.poll, MT_POLL_READ | MT_POLL_WRITE);
    while (watch.writes == 0) {
        (void)mt_loop_turn(watch.loop);
    }
    assert_int_equal(watch.reads, 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    while (watch.reads == 0) {
        (void)mt_loop_turn(watch.loop);
    }
    close(fds[1]);
    mt_loop_run(watch.loop);
    assert_int_equal(watch.reads, 2);
    assert_int_equal(watch.writes, 1);
    assert_null(watch.poll);
    close(fds[0]);
    assert_int_equal(mt_loop_free(watch.loop), MT_OK);
}

static void stopped_it_does_not_hold(void **state)
{
    (void)state;
    struct watch watch = {0};
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    watch.fd = fds[0];
    assert_int_equal(mt_loop_new(&watch.loop), MT_OK);
    assert_int_equal(mt_poll_new(watch.loop, fds[0], on_event, &watch, &watch.poll), MT_OK);
    mt_poll_set(watch.poll, MT_POLL_READ);
    assert_true(mt_loop_turn(watch.loop));
    mt_poll_set(watch.poll, 0);
    mt_loop_run(watch.loop);
    assert_int_equal(write(fds[1], "x", 1), 1);
    (void)mt_loop_turn(watch.loop);
    assert_int_equal(watch.reads, 0);
    mt_poll_free(watch.poll);
    mt_poll_free(NULL);
    close(fds[0]);
    close(fds[1]);
    assert_int_equal(mt_loop_free(watch.loop), MT_OK);
}

/* curl's habit: a descriptor is closed, and the next socket gets the same number at once. */
static void the_number_may_come_again(void **state)
{
    (void)state;
    struct watch watch = {0};
    assert_int_equal(mt_loop_new(&watch.loop), MT_OK);
    int before = -1;
    for (int i = 0; i < 5; i++) {
        int fds[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
        assert_true(before < 0 || fds[0] == before);
        before = fds[0];
        watch.fd = fds[0];
        watch.reads = 0;
        assert_int_equal(mt_poll_new(watch.loop, fds[0], on_event, &watch, &watch.poll), MT_OK);
        mt_poll_set(watch.poll, MT_POLL_READ);
        assert_int_equal(write(fds[1], "x", 1), 1);
        while (watch.reads == 0) {
            (void)mt_loop_turn(watch.loop);
        }
        mt_poll_free(watch.poll); /* and no turn before it is closed */
        close(fds[0]);
        close(fds[1]);
    }
    assert_int_equal(mt_loop_free(watch.loop), MT_OK);
}

static void what_cannot_be_watched(void **state)
{
    (void)state;
    struct mt_loop *loop = NULL;
    struct mt_poll *poll = NULL;
    char path[] = "/tmp/mt-loop-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(mt_loop_new(&loop), MT_OK);
    assert_int_equal(mt_poll_new(loop, fd, on_event, NULL, &poll), MT_ERR_INVALID);
    assert_int_equal(mt_poll_new(loop, -1, on_event, NULL, &poll), MT_ERR_INVALID);
    assert_null(poll);
    close(fd);
    unlink(path);
    assert_int_equal(mt_loop_free(loop), MT_OK);
}

static void on_signal(void *ud, int signum)
{
    struct watch *watch = ud;
    watch->last_signal = signum;
    mt_signal_free(watch->sig); /* from inside its own callback */
    mt_loop_stop(watch->loop);
}

static void nothing(void *ud)
{
    (void)ud;
}

static void signals_arrive(void **state)
{
    (void)state;
    struct watch watch = {0};
    struct mt_timer *timer = NULL;
    assert_int_equal(mt_loop_new(&watch.loop), MT_OK);
    assert_int_equal(mt_signal_new(watch.loop, SIGUSR1, on_signal, &watch, &watch.sig), MT_OK);
    mt_loop_run(watch.loop); /* a watch does not keep the loop alive */
    assert_int_equal(mt_timer_new(watch.loop, nothing, NULL, &timer), MT_OK);
    mt_timer_start(timer, 3600000, 0);
    assert_int_equal(kill(getpid(), SIGUSR1), 0);
    mt_loop_run(watch.loop);
    assert_int_equal(watch.last_signal, SIGUSR1);
    mt_timer_free(timer);
    mt_signal_free(NULL);
    assert_int_equal(mt_signal_new(watch.loop, 0, on_signal, &watch, &watch.sig), MT_ERR_INVALID);
    assert_int_equal(mt_loop_free(watch.loop), MT_OK);
}

int test_poll(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_writes_and_ends),
        cmocka_unit_test(stopped_it_does_not_hold),
        cmocka_unit_test(the_number_may_come_again),
        cmocka_unit_test(what_cannot_be_watched),
        cmocka_unit_test(signals_arrive),
    };
    return cmocka_run_group_tests_name("loop poll", tests, NULL, NULL);
}

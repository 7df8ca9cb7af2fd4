/* Other programs: what they say, how they end, and that none outlives its bounds. */
#include "base/clock.h"
#include "base/exec.h"
#include "base/secret.h"
#include "tests.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct mt_exec_result result;
static struct mt_fault fault;
static char out[1024];

static enum mt_rc shell(const char *text, int64_t timeout_ms)
{
    const char *const argv[] = {"/bin/sh", "-c", text, NULL};
    return mt_exec(argv, timeout_ms, out, sizeof out, &result, &fault);
}

static void says_what_it_says(void **state)
{
    (void)state;
    assert_int_equal(shell("echo one; echo two >&2; printf three", 10000), MT_OK);
    assert_string_equal(out, "one\nthree");
    assert_int_equal(result.out_len, 9);
    assert_string_equal(result.errors, "two\n");
    assert_int_equal(result.status, 0);
    assert_int_equal(shell("exit 7", 10000), MT_OK);
    assert_int_equal(result.status, 7);
    assert_int_equal(shell("kill -9 $$", 10000), MT_OK);
    assert_int_equal(result.status, 128 + SIGKILL);
    /* words are no shell's */
    const char *const words[] = {"printf", "%s.", "a b", "$HOME;", NULL};
    assert_int_equal(mt_exec(words, 10000, out, sizeof out, &result, &fault), MT_OK);
    assert_string_equal(out, "a b.$HOME;.");
}

static void is_not_started(void **state)
{
    (void)state;
    const char *const none[] = {"/nonexistent/program", NULL};
    assert_int_equal(mt_exec(none, 1000, out, sizeof out, &result, &fault), MT_ERR_NOT_FOUND);
    assert_string_equal(fault.code, "exec.none");
    const char *const folder[] = {"/", NULL};
    assert_int_equal(mt_exec(folder, 1000, out, sizeof out, &result, &fault), MT_ERR_DENIED);
    assert_string_equal(fault.code, "exec.start");
}

/* A killed process stays until somebody asks for its status: init does, in its time. */
static bool lives(pid_t pid)
{
    char path[64];
    char text[256] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t got = read(fd, text, sizeof text - 1);
    close(fd);
    return got > 0 && !strstr(text, ") Z ") && !strstr(text, ") X ");
}

/* The program and what it started: gone, and nothing of what was said is left here. */
static void keeps_to_its_time(void **state)
{
    (void)state;
    int64_t before_ms = mt_clock_mono_ms();
    assert_int_equal(shell("echo secret; sleep 1000 & echo $! >&2; wait", 300), MT_ERR_TIMEOUT);
    assert_in_range(mt_clock_mono_ms() - before_ms, 300, 20000);
    assert_string_equal(fault.code, "exec.timeout");
    pid_t left = (pid_t)strtol(result.errors, NULL, 10);
    assert_true(left > 1);
    before_ms = mt_clock_mono_ms();
    while (lives(left) && mt_clock_mono_ms() - before_ms < 20000)
        (void)poll(NULL, 0, 5);
    assert_false(lives(left));
    for (size_t i = 0; i < sizeof out; i++)
        assert_int_equal(out[i], 0);
}

static void keeps_to_its_size(void **state)
{
    (void)state;
    assert_int_equal(shell("yes", 20000), MT_ERR_LIMIT);
    assert_string_equal(fault.code, "exec.size");
    assert_int_equal(shell("yes | head -c 1023", 20000), MT_OK);
    assert_int_equal(result.out_len, 1023);
    assert_int_equal(shell("yes | head -c 1024", 20000), MT_ERR_LIMIT);
    assert_int_equal(shell("yes | head -c 100000 >&2", 20000), MT_OK); /* errors are cut */
    assert_int_equal(strlen(result.errors), MT_EXEC_ERRORS_MAX - 1);
}

/* What it left running may hold its output open. */
static void does_not_wait_for_others(void **state)
{
    (void)state;
    int64_t before_ms = mt_clock_mono_ms();
    assert_int_equal(shell("sleep 20 & echo $!", 15000), MT_OK);
    assert_in_range(mt_clock_mono_ms() - before_ms, 0, 14000);
    kill((pid_t)strtol(out, NULL, 10), SIGKILL);
}

static void inherits_nothing(void **state)
{
    (void)state;
    int fd = open("/dev/null", O_RDONLY); /* NOLINT(android-cloexec-open): on purpose */
    assert_true(fd > 2);
    assert_int_equal(fcntl(fd, F_DUPFD, 50) >= 50, 1);
    assert_int_equal(shell("ls /proc/self/fd | tr '\\n' ' '; cat", 10000), MT_OK);
    assert_string_equal(out, "0 1 2 3 "); /* 3: the listing's own */
    close(fd);
}

static void a_secret_of_the_environment_is_taken_out(void **state)
{
    (void)state;
    struct mt_secret *secret = NULL;
    struct mt_secret *again = NULL;
    assert_int_equal(setenv("MT_TEST_SECRET", "canary-4711", 1), 0);
    const char *was = getenv("MT_TEST_SECRET");
    assert_int_equal(mt_secret_env("MT_TEST_SECRET", &secret), MT_OK);
    assert_string_equal(mt_secret_bytes(secret), "canary-4711");
    assert_string_equal(was, ""); /* where it stood */
    assert_null(getenv("MT_TEST_SECRET"));
    assert_int_equal(shell("env | grep -c MT_TEST_SECRET", 10000), MT_OK);
    assert_string_equal(out, "0\n");
    assert_int_equal(mt_secret_env("MT_TEST_SECRET", &again), MT_OK); /* the configuration anew */
    assert_string_equal(mt_secret_bytes(again), "canary-4711");
    mt_secret_free(again);
    assert_int_equal(setenv("MT_TEST_SECRET", "newer", 1), 0);
    assert_int_equal(mt_secret_env("MT_TEST_SECRET", &again), MT_OK);
    assert_string_equal(mt_secret_bytes(again), "newer");
    mt_secret_free(again);
    assert_int_equal(mt_secret_env("MT_TEST_NOT_SET", &again), MT_OK);
    assert_null(again);
    mt_secret_free(secret);
}

int test_exec(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_it_says),
        cmocka_unit_test(is_not_started),
        cmocka_unit_test(keeps_to_its_time),
        cmocka_unit_test(keeps_to_its_size),
        cmocka_unit_test(does_not_wait_for_others),
        cmocka_unit_test(inherits_nothing),
        cmocka_unit_test(a_secret_of_the_environment_is_taken_out),
    };
    return cmocka_run_group_tests_name("exec", tests, NULL, NULL);
}

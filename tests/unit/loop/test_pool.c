/* The work pool and name lookup. */
#include "tests.h"

#include <netdb.h>
#include <pthread.h>
#include <semaphore.h>
#include <string.h>

struct job {
    sem_t *gate;
    pthread_t worker;
    int ran;
    int done;
    bool cancelled;
};

static void work(void *ud)
{
    struct job *job = ud;
    if (job->gate) {
        sem_wait(job->gate);
    }
    job->worker = pthread_self();
    job->ran++;
}

static void done(void *ud, bool cancelled)
{
    struct job *job = ud;
    job->done++;
    job->cancelled = cancelled;
}

static void runs_elsewhere_and_ends_here(void **state)
{
    (void)state;
    struct mt_loop *loop = NULL;
    struct job jobs[20] = {{0}};
    assert_int_equal(mt_loop_new(&loop), MT_OK);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(mt_work_start(loop, work, done, &jobs[i], NULL), MT_OK);
        assert_int_equal(jobs[i].done, 0);
    }
    mt_loop_run(loop); /* pending work keeps it alive */
    for (int i = 0; i < 20; i++) {
        assert_int_equal(jobs[i].ran, 1);
        assert_int_equal(jobs[i].done, 1);
        assert_false(jobs[i].cancelled);
        assert_false(pthread_equal(jobs[i].worker, pthread_self()));
    }
    assert_int_equal(mt_loop_free(loop), MT_OK);
}

static void only_what_has_not_begun_is_cancelled(void **state)
{
    (void)state;
    enum { N = 200 }; /* more than there are threads in the pool */
    static struct job jobs[N];
    struct mt_work *works[N];
    struct mt_loop *loop = NULL;
    sem_t gate;
    sem_init(&gate, 0, 0);
    memset(jobs, 0, sizeof jobs);
    assert_int_equal(mt_loop_new(&loop), MT_OK);
    for (int i = 0; i < N; i++) {
        jobs[i].gate = &gate;
        assert_int_equal(mt_work_start(loop, work, done, &jobs[i], &works[i]), MT_OK);
    }
    for (int i = 0; i < N; i++) {
        mt_work_cancel(works[i]);
    }
    for (int i = 0; i < N; i++) {
        sem_post(&gate);
    }
    mt_loop_run(loop);
    int cancelled_n = 0;
    for (int i = 0; i < N; i++) {
        assert_int_equal(jobs[i].done, 1);
        assert_int_equal(jobs[i].ran, jobs[i].cancelled ? 0 : 1);
        cancelled_n += jobs[i].cancelled;
    }
    assert_in_range(cancelled_n, 1, N);
    sem_destroy(&gate);
    assert_int_equal(mt_loop_free(loop), MT_OK);
}

static void the_end_waits_for_it(void **state)
{
    (void)state;
    struct mt_loop *loop = NULL;
    struct job job = {0};
    assert_int_equal(mt_loop_new(&loop), MT_OK);
    assert_int_equal(mt_work_start(loop, work, done, &job, NULL), MT_OK);
    assert_int_equal(mt_loop_free(loop), MT_OK);
    assert_int_equal(job.done, 1);
}

struct answer {
    int n;
    enum mt_rc rc;
    char address[64];
};

static void found(void *ud, enum mt_rc rc, const char *address)
{
    struct answer *answer = ud;
    answer->n++;
    answer->rc = rc;
    assert_true((address != NULL) == (rc == MT_OK));
    strncpy(answer->address, address ? address : "", sizeof answer->address - 1);
}

static void names_are_looked_up(void **state)
{
    (void)state;
    struct mt_loop *loop = NULL;
    struct answer a[5] = {{0}};
    char longest[400];
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(mt_loop_new(&loop), MT_OK);
    assert_int_equal(mt_resolve_start(loop, "127.0.0.1", found, &a[0]), MT_OK);
    assert_int_equal(mt_resolve_start(loop, "::1", found, &a[1]), MT_OK);
    assert_int_equal(mt_resolve_start(loop, "localhost", found, &a[2]), MT_OK);
    assert_int_equal(mt_resolve_start(loop, "no such.name.invalid", found, &a[3]), MT_OK);
    assert_int_equal(mt_resolve_start(loop, "", found, &a[4]), MT_ERR_INVALID);
    assert_int_equal(mt_resolve_start(loop, longest, found, &a[4]), MT_ERR_INVALID);
    assert_int_equal(a[0].n, 0);
    mt_loop_run(loop);
    assert_string_equal(a[0].address, "127.0.0.1");
    assert_string_equal(a[1].address, "::1");
    /* A bare machine has no /etc/hosts: the answer is that of the system, whatever it is. */
    struct addrinfo *known = NULL;
    bool known_here = getaddrinfo("localhost", NULL, NULL, &known) == 0;
    if (known_here) {
        freeaddrinfo(known);
    }
    assert_true((a[2].rc == MT_OK) == known_here);
    if (known_here) {
        assert_true(strcmp(a[2].address, "127.0.0.1") == 0 || strcmp(a[2].address, "::1") == 0);
    }
    assert_true(a[3].rc == MT_ERR_NOT_FOUND || a[3].rc == MT_ERR_NETWORK);
    assert_int_equal(a[3].n, 1);
    assert_int_equal(a[4].n, 0);
    assert_int_equal(mt_loop_free(loop), MT_OK);
}

int test_pool(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_elsewhere_and_ends_here),
        cmocka_unit_test(only_what_has_not_begun_is_cancelled),
        cmocka_unit_test(the_end_waits_for_it),
        cmocka_unit_test(names_are_looked_up),
    };
    return cmocka_run_group_tests_name("loop pool", tests, NULL, NULL);
}

/* Posts: order, from several threads at once, and as what keeps the loop alive. */
#include "tests.h"

#include <pthread.h>
#include <stdlib.h>

struct log {
    int n;
    int seen[64];
};

struct item {
    struct mt_loop *loop;
    struct log *log;
    int number;
};

static void note(void *ud)
{
    struct item *item = ud;
    item->log->seen[item->log->n++] = item->number;
}

static void order_is_kept(void **state)
{
    (void)state;
    struct mt_loop *loop = NULL;
    struct log log = {0};
    struct item items[64];
    assert_int_equal(mt_loop_new(&loop), MT_OK);
    for (int i = 0; i < 64; i++) {
        items[i] = (struct item){loop, &log, i};
        assert_int_equal(mt_loop_post(loop, note, &items[i]), MT_OK);
    }
    assert_int_equal(log.n, 0); /* never from inside the call */
    mt_loop_run(loop);
    assert_int_equal(log.n, 64);
    for (int i = 0; i < 64; i++) {
        assert_int_equal(log.seen[i], i);
    }
    assert_int_equal(mt_loop_free(loop), MT_OK);
}

/* What a post posts comes at the next turn, so that a task that posts itself for ever starves
 * nobody. */
static void post_again(void *ud)
{
    struct item *item = ud;
    if (++item->number < 1000) {
        assert_int_equal(mt_loop_post(item->loop, post_again, item), MT_OK);
    }
}

static void a_post_may_post(void **state)
{
    (void)state;
    struct item item = {0};
    assert_int_equal(mt_loop_new(&item.loop), MT_OK);
    assert_int_equal(mt_loop_post(item.loop, post_again, &item), MT_OK);
    assert_true(mt_loop_turn(item.loop));
    assert_in_range(item.number, 1, 2);
    mt_loop_run(item.loop);
    assert_int_equal(item.number, 1000);
    assert_int_equal(mt_loop_free(item.loop), MT_OK);
}

enum { THREADS = 4, EACH = 5000 };

struct sender {
    struct mt_loop *loop;
    pthread_t thread;
    int next[THREADS];
    int number;
    int *left;
    struct sent {
        struct sender *sender;
        int number;
    } sent[EACH];
};

static void receive(void *ud)
{
    struct sent *sent = ud;
    assert_int_equal(sent->sender->next[0], sent->number);
    sent->sender->next[0]++;
    if (--*sent->sender->left == 0) {
        mt_loop_stop(sent->sender->loop);
    }
}

static void *send_all(void *ud)
{
    struct sender *sender = ud;
    for (int i = 0; i < EACH; i++) {
        sender->sent[i] = (struct sent){sender, i};
        if (mt_loop_post(sender->loop, receive, &sender->sent[i]) != MT_OK) {
            abort();
        }
    }
    return NULL;
}

static void never(void *ud)
{
    (void)ud;
}

static void from_many_threads(void **state)
{
    (void)state;
    struct mt_loop *loop = NULL;
    struct mt_timer *timer = NULL;
    struct sender *senders = calloc(THREADS, sizeof *senders);
    int left = THREADS * EACH;
    assert_int_equal(mt_loop_new(&loop), MT_OK);
    assert_int_equal(mt_timer_new(loop, never, NULL, &timer), MT_OK);
    mt_timer_start(timer, 3600000, 0); /* the loop sleeps until it is woken */
    for (int i = 0; i < THREADS; i++) {
        senders[i].loop = loop;
        senders[i].left = &left;
        assert_int_equal(pthread_create(&senders[i].thread, NULL, send_all, &senders[i]), 0);
    }
    mt_loop_run(loop);
    assert_int_equal(left, 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(senders[i].thread, NULL);
    }
    mt_timer_free(timer);
    assert_int_equal(mt_loop_free(loop), MT_OK);
    free(senders);
}

static void a_late_post_is_run_by_the_end(void **state)
{
    (void)state;
    struct mt_loop *loop = NULL;
    struct log log = {0};
    struct item item = {0};
    assert_int_equal(mt_loop_new(&loop), MT_OK);
    item = (struct item){loop, &log, 7};
    assert_int_equal(mt_loop_post(loop, note, &item), MT_OK);
    assert_int_equal(mt_loop_free(loop), MT_OK);
    assert_int_equal(log.n, 1);
}

int test_post(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_is_kept),
        cmocka_unit_test(a_post_may_post),
        cmocka_unit_test(from_many_threads),
        cmocka_unit_test(a_late_post_is_run_by_the_end),
    };
    return cmocka_run_group_tests_name("loop post", tests, NULL, NULL);
}

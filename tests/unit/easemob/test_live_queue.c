/* Queues of a live session: storms of notices, repeats, what is acknowledged and when. */
#include "cloud.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

int test_live_queue(void);

#define LONG_MS 300000
#define MANY    5000

/* What the scripted cloud still has for the user. */
struct stock {
    bool waiting[MANY];
    size_t waiting_n;
    bool hold; /* pulls are not answered for now */
    char held[MANY][16];
    size_t held_n, held_most, pulls_n;
    uint64_t acked;
};

static struct cloud *begin(struct stock *stock)
{
    struct cloud *cloud = malloc(sizeof *cloud);

    assert_non_null(cloud);
    cloud_begin(cloud, "given", NULL);
    cloud->ud = stock;
    return cloud;
}

static void end(struct cloud *cloud)
{
    cloud_end(cloud);
    free(cloud);
}

static bool is_connected(struct cloud *cloud)
{
    return cloud_count(cloud, MT_EVENT_CONNECTED) >= 1;
}

static void list_what_waits(const struct stock *stock, struct mt_ws_peer *peer)
{
    static char names[MANY][16];
    static const char *list[MANY];
    size_t n = 0;

    for (size_t i = 0; i < MANY; i++) {
        if (!stock->waiting[i])
            continue;
        snprintf(names[n], sizeof names[n], "q%zu", i);
        list[n] = names[n];
        n++;
    }
    cloud_unread(peer, list, n);
}

static void pulled(struct stock *stock, struct mt_ws_peer *peer, const char *queue)
{
    size_t i = strtoul(queue + 1, NULL, 10);

    if (queue[0] == 'q' && i < MANY && stock->waiting[i]) {
        stock->waiting[i] = false;
        stock->waiting_n--;
    }
    cloud_batch(peer, queue, NULL, 0, 0);
}

static void keep_stock(struct cloud *cloud, struct mt_ws_peer *peer,
                       const Easemob__Pb__MSync *frame)
{
    struct stock *stock = cloud->ud;
    Easemob__Pb__CommSyncUL *pull = NULL;

    if (frame->command == EASEMOB__PB__MSYNC__COMMAND__UNREAD) {
        list_what_waits(stock, peer);
        return;
    }
    if (frame->command != EASEMOB__PB__MSYNC__COMMAND__SYNC) {
        cloud_agree(cloud, peer, frame);
        return;
    }
    pull = easemob__pb__comm_sync_ul__unpack(NULL, frame->payload.len, frame->payload.data);
    assert_true(pull != NULL && pull->queue != NULL);
    stock->pulls_n++;
    if (stock->hold)
        snprintf(stock->held[stock->held_n++], sizeof stock->held[0], "%s", pull->queue->name);
    else
        pulled(stock, peer, pull->queue->name);
    if (stock->held_n > stock->held_most)
        stock->held_most = stock->held_n;
    easemob__pb__comm_sync_ul__free_unpacked(pull, NULL);
}

static bool is_pulled_again(struct cloud *cloud)
{
    return ((struct stock *)cloud->ud)->pulls_n > 1;
}

static void a_storm_for_one_queue_is_two_pulls(void **state)
{
    static struct stock stock;
    struct cloud *cloud = begin(&stock);

    (void)state;
    memset(&stock, 0, sizeof stock);
    cloud->answer = keep_stock;
    cloud_live(cloud);
    cloud_run(cloud, is_connected, LONG_MS);
    stock.hold = true;
    for (int i = 0; i < 10000; i++)
        cloud_notice(cloud->peer, "bob", NULL);
    cloud_run(cloud, NULL, 60000);
    assert_int_equal(stock.pulls_n, 1); /* on its way: the others are for what comes after it */
    stock.hold = false;
    pulled(&stock, cloud->peer, "bob");
    cloud_run(cloud, is_pulled_again, LONG_MS);
    cloud_run(cloud, NULL, 5000);
    assert_int_equal(stock.pulls_n, 2);
    end(cloud);
}

static bool is_sold_out(struct cloud *cloud)
{
    return ((struct stock *)cloud->ud)->waiting_n == 0;
}

static void thousands_of_queues_are_pulled_a_few_at_a_time(void **state)
{
    static struct stock stock;
    struct cloud *cloud = begin(&stock);

    (void)state;
    memset(&stock, 0, sizeof stock);
    memset(stock.waiting, true, sizeof stock.waiting);
    stock.waiting_n = MANY;
    stock.hold = true;
    cloud->answer = keep_stock;
    cloud_live(cloud);
    cloud_run(cloud, is_connected, LONG_MS);
    cloud_run(cloud, NULL, 5000);
    assert_in_range(stock.held_most, 8, 64);
    stock.hold = false;
    for (size_t i = 0; i < stock.held_n; i++)
        pulled(&stock, cloud->peer, stock.held[i]);
    cloud_run(cloud, is_sold_out, LONG_MS); /* none is forgotten, though more than are kept */
    assert_int_equal(stock.pulls_n, MANY);
    assert_int_equal(cloud->opens_n, 1);
    end(cloud);
}

/* Answers with the same three messages for as long as their key has not come. */
static void repeat_until_acknowledged(struct cloud *cloud, struct mt_ws_peer *peer,
                                      const Easemob__Pb__MSync *frame)
{
    static const uint64_t ids[] = {1001, 1002, 1003};
    static const char *const queue[] = {"bob"};
    struct stock *stock = cloud->ud;

    if (frame->command == EASEMOB__PB__MSYNC__COMMAND__UNREAD) {
        cloud_unread(peer, queue, stock->acked ? 0 : 1);
    } else if (frame->command == EASEMOB__PB__MSYNC__COMMAND__SYNC) {
        Easemob__Pb__CommSyncUL *pull =
            easemob__pb__comm_sync_ul__unpack(NULL, frame->payload.len, frame->payload.data);
        assert_non_null(pull);
        if (pull->has_key && pull->key && cloud->opens_n == 1)
            mt_ws_peer_cut(peer); /* the acknowledgement is lost */
        else if (pull->has_key && pull->key)
            stock->acked = pull->key;
        cloud_batch(peer, "bob", ids, stock->acked ? 0 : 3, stock->acked ? 0 : 1003);
        easemob__pb__comm_sync_ul__free_unpacked(pull, NULL);
    } else {
        cloud_agree(cloud, peer, frame);
    }
}

static bool is_acknowledged(struct cloud *cloud)
{
    return ((struct stock *)cloud->ud)->acked != 0;
}

static void what_comes_again_is_told_once(void **state)
{
    static struct stock stock;
    struct cloud *cloud = begin(&stock);

    (void)state;
    memset(&stock, 0, sizeof stock);
    cloud->answer = repeat_until_acknowledged;
    cloud_live(cloud);
    cloud_run(cloud, is_acknowledged, LONG_MS);
    assert_int_equal(stock.acked, 1003);
    assert_int_equal(cloud->opens_n, 2);
    assert_int_equal(cloud_count(cloud, MT_EVENT_MESSAGE), 3);
    end(cloud);
}

int test_live_queue(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_storm_for_one_queue_is_two_pulls),
        cmocka_unit_test(thousands_of_queues_are_pulled_a_few_at_a_time),
        cmocka_unit_test(what_comes_again_is_told_once),
    };
    return cmocka_run_group_tests_name("live/queue", tests, NULL, NULL);
}

/* Order and ends: the cap on transfers, cancelling in every state, freeing with calls under way,
 * starting from inside done, memory that runs out anywhere. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/secret.h"
#include "http/http_int.h"
#include "tests.h"

#include <curl/curl.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool good(void *ud, struct peer *peer, const struct request *request)
{
    (void)ud;
    peer_answer(peer, 200, NULL, request->target);
    return true;
}

static bool silent(void *ud, struct peer *peer, const struct request *request)
{
    (void)ud;
    (void)request;
    (void)peer_wait_closed(peer, -1);
    return false;
}

/* Holds every request until the expected number is there at once; one more would have time to show
 * up. */
static bool crowd(void *ud, struct peer *peer, const struct request *request)
{
    const unsigned *expected = ud;
    (void)request;
    if (peer_wait_peak(peer, *expected, 20000)) {
        (void)peer_wait_peak(peer, *expected + 1, 30);
    }
    peer_answer(peer, 200, NULL, "ok");
    return true;
}

static void at_most_so_many_at_once(void **state)
{
    (void)state;
    static const unsigned caps[] = {0, 3};
    for (size_t c = 0; c < 2; c++) {
        enum { MOST = 200 };
        static struct ended e[MOST];
        int n = caps[c] ? 20 : MOST;
        unsigned expected = caps[c] ? caps[c] : 64;
        struct ground g;
        ground_begin(&g, &(struct mt_http_options){.max_in_flight = caps[c]}, crowd, &expected);
        for (int i = 0; i < n; i++) {
            begin(&g, &(struct mt_http_request){.method = "GET", .url = server_url(g.server, "/")},
                  &e[i]);
        }
        assert_int_equal(mt_http_in_flight(g.http), expected);
        mt_loop_run(g.loop);
        assert_int_equal(server_peak(g.server), expected);
        assert_int_equal(server_requests(g.server), n);
        assert_true(server_accepted(g.server) <= expected);
        for (int i = 0; i < n; i++) {
            assert_int_equal(e[i].done_n, 1);
            assert_int_equal(e[i].rc, MT_OK);
            ended_clear(&e[i]);
        }
        ground_end(&g);
    }
}

struct order {
    unsigned n;
    unsigned seen[32];
};

struct numbered {
    struct order *order;
    unsigned number;
};

static void note(void *ud, enum mt_rc rc, const struct mt_http_response *response,
                 const struct mt_fault *fault)
{
    struct numbered *numbered = ud;
    (void)rc;
    (void)response;
    (void)fault;
    numbered->order->seen[numbered->order->n++] = numbered->number;
}

static void first_come_first_served(void **state)
{
    (void)state;
    struct order order = {0};
    struct numbered numbered[32];
    struct ground g;
    ground_begin(&g, &(struct mt_http_options){.max_in_flight = 1}, good, NULL);
    for (unsigned i = 0; i < 32; i++) {
        numbered[i] = (struct numbered){&order, i};
        assert_int_equal(mt_http_start(g.http,
                                       &(struct mt_http_request){.method = "GET",
                                                                 .url = server_url(g.server, "/")},
                                       note, &numbered[i], NULL, NULL),
                         MT_OK);
    }
    mt_loop_run(g.loop);
    assert_int_equal(order.n, 32);
    for (unsigned i = 0; i < 32; i++) {
        assert_int_equal(order.seen[i], i);
    }
    ground_end(&g);
}

/* Two keys share the slots by turns, however long the queue of one is. */
static void keys_take_turns(void **state)
{
    (void)state;
    struct order order = {0};
    struct numbered numbered[32];
    struct ground g;
    ground_begin(&g, &(struct mt_http_options){.max_in_flight = 1}, good, NULL);
    struct mt_http_bucket *greedy = mt_http_bucket_shared(g.http, "a", 0, 0);
    struct mt_http_bucket *modest = mt_http_bucket_shared(g.http, "b", 0, 0);
    for (unsigned i = 0; i < 32; i++) {
        struct mt_http_request request = {
            .method = "GET", .url = server_url(g.server, "/"), .bucket = i < 30 ? greedy : modest};
        numbered[i] = (struct numbered){&order, i};
        assert_int_equal(mt_http_start(g.http, &request, note, &numbered[i], NULL, NULL), MT_OK);
    }
    mt_loop_run(g.loop);
    for (unsigned i = 0; i < 32; i++) {
        assert_true(order.seen[i] < 30 || i < 6);
    }
    ground_end(&g);
}

static void a_queued_call_has_its_deadline(void **state)
{
    (void)state;
    struct ground g;
    struct ended on_wire = {0};
    struct ended queued = {0};
    ground_begin(&g, &(struct mt_http_options){.max_in_flight = 1}, silent, NULL);
    struct mt_http_request request = {.method = "GET", .url = server_url(g.server, "/")};
    begin(&g, &request, &on_wire);
    request.deadline_ms = 50;
    begin(&g, &request, &queued);
    while (queued.done_n == 0) {
        (void)mt_loop_turn(g.loop);
    }
    print_message("# %s\n", queued.fault.message);
    assert_int_equal(queued.rc, MT_ERR_TIMEOUT);
    assert_int_equal(queued.attempts, 0);
    assert_int_equal(on_wire.done_n, 0);
    mt_http_cancel(on_wire.call);
    mt_loop_run(g.loop);
    assert_int_equal(on_wire.rc, MT_ERR_CANCELLED);
    ended_clear(&on_wire);
    ended_clear(&queued);
    ground_end(&g);
}

static bool fail_500(void *ud, struct peer *peer, const struct request *request)
{
    (void)ud;
    (void)request;
    peer_answer(peer, 500, NULL, "x");
    return true;
}

static void cancel_in_every_state(void **state)
{
    (void)state;
    struct ground g;
    struct ended wire = {0};
    struct ended queued = {0};
    struct ended fresh = {0};
    ground_begin(&g, &(struct mt_http_options){.max_in_flight = 1}, silent, NULL);
    struct mt_http_request request = {.method = "GET", .url = server_url(g.server, "/")};
    begin(&g, &request, &wire);
    begin(&g, &request, &queued);
    while (server_requests(g.server) == 0) { /* until it is really out there */
        (void)mt_loop_turn(g.loop);
    }
    mt_http_cancel(queued.call);
    mt_http_cancel(queued.call); /* twice is once */
    assert_int_equal(queued.done_n, 0);
    mt_http_cancel(wire.call);
    assert_int_equal(wire.done_n, 0);
    begin(&g, &request, &fresh);
    mt_http_cancel(fresh.call);
    assert_int_equal(mt_http_in_flight(g.http), 0);
    mt_loop_run(g.loop);
    assert_int_equal(wire.rc, MT_ERR_CANCELLED);
    assert_int_equal(queued.rc, MT_ERR_CANCELLED);
    assert_int_equal(fresh.rc, MT_ERR_CANCELLED);
    assert_int_equal(wire.done_n + queued.done_n + fresh.done_n, 3);
    ended_clear(&wire);
    ended_clear(&queued);
    ended_clear(&fresh);
    ground_end(&g);
}

static void cancel_in_the_backoff(void **state)
{
    (void)state;
    struct ground g;
    struct ended e = {0};
    ground_begin(&g, NULL, fail_500, NULL);
    begin(&g, &(struct mt_http_request){.method = "GET", .url = server_url(g.server, "/")}, &e);
    while (g.http->backoff.first == NULL) {
        (void)mt_loop_turn(g.loop);
    }
    mt_http_cancel(e.call);
    mt_loop_run(g.loop);
    assert_int_equal(e.rc, MT_ERR_CANCELLED);
    assert_int_equal(e.done_n, 1);
    ended_clear(&e);
    ground_end(&g);
}

/* On the wire, queued, backing off, finished and not yet told: all of them learn of the end. */
static void freed_with_calls_under_way(void **state)
{
    (void)state;
    struct ground g;
    struct ended e[8] = {{0}};
    ground_begin(&g, &(struct mt_http_options){.max_in_flight = 3}, silent, NULL);
    struct mt_http_bucket *own = NULL;
    assert_int_equal(mt_http_bucket_new(g.http, 1, 1, &own), MT_OK);
    for (int i = 0; i < 8; i++) {
        struct mt_http_request request = {
            .method = "GET", .url = server_url(g.server, "/"), .bucket = i % 2 ? own : NULL};
        begin(&g, &request, &e[i]);
    }
    while (server_requests(g.server) < 3) {
        (void)mt_loop_turn(g.loop);
    }
    mt_http_cancel(e[7].call);
    mt_http_free(g.http);
    g.http = NULL;
    for (int i = 0; i < 8; i++) {
        assert_int_equal(e[i].done_n, 1);
        assert_int_equal(e[i].rc, MT_ERR_CANCELLED);
        ended_clear(&e[i]);
    }
    mt_http_bucket_free(own); /* its owner may be later than the client */
    ground_end(&g);
}

/* From inside done: start another, cancel another, and free the client. */
struct chain {
    struct ground *ground;
    unsigned left;
    unsigned told;
    struct mt_http_call *victim;
    bool free_client;
};

static void on_victim(void *ud, enum mt_rc rc, const struct mt_http_response *response,
                      const struct mt_fault *fault)
{
    struct chain *chain = ud;
    (void)response;
    (void)fault;
    assert_int_equal(rc, MT_ERR_CANCELLED);
    chain->told++;
}

static void on_link(void *ud, enum mt_rc rc, const struct mt_http_response *response,
                    const struct mt_fault *fault)
{
    struct chain *chain = ud;
    (void)response;
    (void)fault;
    assert_int_equal(rc, MT_OK);
    if (chain->left-- > 0) {
        assert_int_equal(
            mt_http_start(chain->ground->http,
                          &(struct mt_http_request){.method = "GET",
                                                    .url = server_url(chain->ground->server, "/")},
                          on_link, chain, NULL, NULL),
            MT_OK);
        return;
    }
    if (chain->free_client) {
        mt_http_free(chain->ground->http);
        chain->ground->http = NULL;
        assert_int_equal(chain->told, 1);
    } else {
        mt_http_cancel(chain->victim);
        assert_int_equal(chain->told, 0);
    }
}

static bool good_but_hold(void *ud, struct peer *peer, const struct request *request)
{
    return strcmp(request->target, "/hold") == 0 ? silent(ud, peer, request)
                                                 : good(ud, peer, request);
}

static void from_inside_done(void **state)
{
    (void)state;
    for (int free_client = 0; free_client < 2; free_client++) {
        struct ground g;
        struct chain chain = {.ground = &g, .left = 10, .free_client = free_client};
        ground_begin(&g, NULL, good_but_hold, NULL);
        assert_int_equal(mt_http_start(g.http,
                                       &(struct mt_http_request){
                                           .method = "GET", .url = server_url(g.server, "/hold")},
                                       on_victim, &chain, &chain.victim, NULL),
                         MT_OK);
        while (server_requests(g.server) == 0) {
            (void)mt_loop_turn(g.loop);
        }
        assert_int_equal(mt_http_start(g.http,
                                       &(struct mt_http_request){.method = "GET",
                                                                 .url = server_url(g.server, "/")},
                                       on_link, &chain, NULL, NULL),
                         MT_OK);
        mt_loop_run(g.loop);
        assert_int_equal(chain.told, 1);
        assert_int_equal(server_requests(g.server), 12);
        ground_end(&g);
    }
}

static unsigned descriptors_n(void)
{
    unsigned n = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (readdir(dir)) {
        n++;
    }
    closedir(dir);
    return n;
}

static void nothing_is_left_open(void **state)
{
    (void)state;
    unsigned before = descriptors_n();
    int64_t live = mt_mem_seam_live();
    for (int round = 0; round < 3; round++) {
        struct ground g;
        struct ended e[100] = {{0}};
        ground_begin(&g, NULL, good, NULL);
        for (int i = 0; i < 100; i++) {
            begin(&g, &(struct mt_http_request){.method = "GET", .url = server_url(g.server, "/")},
                  &e[i]);
        }
        mt_loop_run(g.loop);
        for (int i = 0; i < 100; i++) {
            assert_int_equal(e[i].rc, MT_OK);
            ended_clear(&e[i]);
        }
        ground_end(&g);
    }
    assert_int_equal(descriptors_n(), before);
    assert_int_equal(mt_mem_seam_live(), live);
}

/* R7: allocation N fails, for every N, and then all from N on: an error or an answer, never a
 * crash, a leak or silence. */
static void memory_may_run_out_anywhere(void **state)
{
    (void)state;
    uint64_t total_n = 0;
    for (int sticky = 0; sticky < 2; sticky++) {
        for (uint64_t n = 1; n < 100000; n++) {
            int64_t live = mt_mem_seam_live();
            struct ended e = {0};
            struct mt_loop *loop = NULL;
            struct mt_http *http = NULL;
            struct server *server = server_start(&(struct server_options){.answer = good});
            struct mt_secret *secret = mt_secret_new("canary-token", 12);
            struct mt_http_request request = {.method = "POST",
                                              .url = server_url(server, "/"),
                                              .bearer = secret,
                                              .body = "x",
                                              .body_len = 1};
            request.max_attempts = 1;
            mt_mem_seam_fail_at(n, sticky);
            enum mt_rc rc = mt_loop_new(&loop);
            rc = rc != MT_OK ? rc : mt_http_new(loop, NULL, &http, NULL);
            request.bucket = http ? mt_http_bucket_shared(http, "k", 0, 0) : NULL;
            rc = rc != MT_OK ? rc : mt_http_start(http, &request, ended_done, &e, NULL, NULL);
            if (rc == MT_OK) {
                mt_loop_run(loop);
                assert_int_equal(e.done_n, 1);
                rc = e.rc;
            }
            uint64_t made_n = mt_mem_seam_count();
            mt_mem_seam_fail_at(0, 0);
            if (http) { /* and when there is memory again, the client works as before */
                ended_clear(&e);
                assert_int_equal(mt_http_start(http, &request, ended_done, &e, NULL, NULL), MT_OK);
                mt_loop_run(loop);
                assert_int_equal(e.rc, MT_OK);
                rc = rc == MT_OK ? e.rc : rc;
            }
            mt_http_free(http);
            if (loop) {
                assert_int_equal(mt_loop_free(loop), MT_OK);
            }
            ended_clear(&e);
            mt_secret_free(secret);
            server_stop(server);
            assert_int_equal(mt_mem_seam_live(), live);
            if (made_n < n) {
                assert_int_equal(rc, MT_OK);
                total_n = n;
                break;
            }
        }
    }
    print_message("# %d allocations from the loop to the answer\n", (int)total_n);
    assert_in_range(total_n, 20, 5000);
}

struct hosts {
    struct mt_http_figures list[MT_HTTP_HOSTS_MAX + 2];
    size_t n;
};

static void note_host(void *ud, const struct mt_http_figures *figures)
{
    struct hosts *hosts = ud;
    hosts->list[hosts->n++] = *figures;
}

static bool flaky(void *ud, struct peer *peer, const struct request *request)
{
    (void)ud;
    if (request->number == 1)
        return false; /* hangs up */
    peer_answer(peer, request->number == 2 ? 503 : 200, "", "hello");
    return true;
}

static void what_goes_to_each_host_is_counted(void **state)
{
    struct ground ground;
    struct ended ended = {0};
    struct hosts *hosts = calloc(1, sizeof *hosts);

    (void)state;
    assert_non_null(hosts);
    ground_begin(&ground, NULL, flaky, NULL);
    quick_backoff(4);
    get(&ground, "/a", (struct mt_http_request){.retry = MT_HTTP_RETRY_SAFE}, &ended);
    assert_int_equal(ended.status, 200);
    ended_clear(&ended);
    get(&ground, "/b", (struct mt_http_request){.of_script = true}, &ended);
    ended_clear(&ended);
    mt_http_each_host(ground.http, note_host, hosts);
    assert_int_equal(hosts->n, 2);
    const struct mt_http_figures *figures = &hosts->list[0];
    assert_non_null(strstr(figures->host, "127.0.0.1:"));
    assert_int_equal(figures->answers_n[2], 1);
    assert_int_equal(figures->answers_n[5], 1);
    assert_int_equal(figures->answers_n[0], 1);
    assert_int_equal(figures->refused_n, 0);
    assert_int_equal(figures->retries_n, 2);
    assert_true(figures->received_bytes > 40 && figures->sent_bytes > 60);
    assert_string_equal(hosts->list[1].host, "(scripts)");
    assert_int_equal(hosts->list[1].answers_n[2], 1);
    assert_int_equal(mt_http_waiting(ground.http), 0);
    ground_end(&ground);
    free(hosts);
}

/* A cloud may name ever new hosts. */
static void hosts_are_bounded(void **state)
{
    struct ground ground;
    struct hosts *hosts = calloc(1, sizeof *hosts);
    char host[32];

    (void)state;
    assert_non_null(hosts);
    ground_begin(&ground, NULL, NULL, NULL);
    for (int i = 0; i < 200; i++) {
        snprintf(host, sizeof host, "h%d.acme.com:443", i);
        figures_of(ground.http, host, false)->answers_n[2]++;
        assert_ptr_equal(figures_of(ground.http, host, false),
                         figures_of(ground.http, host, false));
    }
    mt_http_each_host(ground.http, note_host, hosts);
    assert_int_equal(hosts->n, MT_HTTP_HOSTS_MAX + 1);
    assert_string_equal(hosts->list[MT_HTTP_HOSTS_MAX].host, "(other)");
    assert_int_equal(hosts->list[MT_HTTP_HOSTS_MAX].answers_n[2], 200 - MT_HTTP_HOSTS_MAX);
    ground_end(&ground);
    free(hosts);
}

int test_life(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_to_each_host_is_counted),
        cmocka_unit_test(hosts_are_bounded),
        cmocka_unit_test(at_most_so_many_at_once),
        cmocka_unit_test(first_come_first_served),
        cmocka_unit_test(keys_take_turns),
        cmocka_unit_test(a_queued_call_has_its_deadline),
        cmocka_unit_test(cancel_in_every_state),
        cmocka_unit_test(cancel_in_the_backoff),
        cmocka_unit_test(freed_with_calls_under_way),
        cmocka_unit_test(from_inside_done),
        cmocka_unit_test(nothing_is_left_open),
        cmocka_unit_test(memory_may_run_out_anywhere),
    };
    return cmocka_run_group_tests_name("http life", tests, NULL, NULL);
}

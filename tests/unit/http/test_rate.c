/* 429 and Retry-After through the whole client. The test moves the clock, so that nothing waits in
 * earnest. */
#include "base/clock.h"
#include "base/rand.h"
#include "http/http_int.h"
#include "tests.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static _Atomic int64_t ahead_us;

static int64_t kernel_us(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static int64_t fake_mono_us(void *ud)
{
    (void)ud;
    return kernel_us(CLOCK_MONOTONIC) + atomic_load(&ahead_us);
}

static int64_t fake_wall_ms(void *ud)
{
    (void)ud;
    return (kernel_us(CLOCK_REALTIME) + atomic_load(&ahead_us)) / 1000;
}

static void clock_begin(void)
{
    static const struct mt_clock_seam seam = {.wall_ms = fake_wall_ms, .mono_us = fake_mono_us};
    atomic_store(&ahead_us, 0);
    mt_clock_seam_set(&seam);
}

static void clock_end(void)
{
    mt_clock_seam_set(NULL);
}

/* Each millisecond counts as `step_ms`, and the client looks at the clock again. */
struct time_lapse {
    struct ground *ground;
    struct mt_timer *timer;
    int64_t step_ms;
    bool (*enough)(void *ud);
    void *ud;
};

static void on_tick(void *ud)
{
    struct time_lapse *lapse = ud;
    atomic_fetch_add(&ahead_us, lapse->step_ms * 1000);
    http_pump(lapse->ground->http);
    if (lapse->enough(lapse->ud)) {
        mt_timer_stop(lapse->timer);
        mt_loop_stop(lapse->ground->loop);
    }
}

static void run_lapse(struct ground *ground, int64_t step_ms, bool (*enough)(void *ud), void *ud)
{
    struct time_lapse lapse = {.ground = ground, .step_ms = step_ms, .enough = enough, .ud = ud};
    assert_int_equal(mt_timer_new(ground->loop, on_tick, &lapse, &lapse.timer), MT_OK);
    mt_timer_start(lapse.timer, 1, 1);
    mt_loop_run(ground->loop);
    mt_timer_free(lapse.timer);
}

static bool all_done(void *ud)
{
    const struct ground *ground = ud;
    return ground->http->calls_n == 0;
}

static bool first_is_refused(void *ud)
{
    const struct ground *ground = ud;
    return mt_http_sent(ground->http) == 1 && mt_http_in_flight(ground->http) == 0;
}

static bool second_is_sent(void *ud)
{
    const struct ground *ground = ud;
    return mt_http_sent(ground->http) == 2;
}

static bool bucket_is_blocked(void *ud)
{
    return mt_http_bucket_blocked_ms(ud) > 0;
}

/* The first `bad` requests get this answer, the others 200. */
struct refusal {
    unsigned bad;
    int status;
    const char *headers;
    _Atomic int64_t first_us; /* when the first refusal was given, and the first good answer */
    _Atomic int64_t good_us;
};

static bool refusing(void *ud, struct peer *peer, const struct request *request)
{
    struct refusal *how = ud;
    if (request->number > how->bad) {
        int64_t none = 0;
        atomic_compare_exchange_strong(&how->good_us, &none, fake_mono_us(NULL));
        peer_answer(peer, 200, NULL, "good");
    } else {
        int64_t none = 0;
        atomic_compare_exchange_strong(&how->first_us, &none, fake_mono_us(NULL));
        peer_answer(peer, how->status, how->headers, "slow down");
    }
    return true;
}

static void waits_as_told(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *headers;
        int64_t least_ms;
        int64_t most_ms;
    } rows[] = {
        {429, "Retry-After: 7\r\n", 7000, 9000},
        {503, "Retry-After: 7\r\n", 7000, 9000},
        {429, "Retry-After: 0\r\n", 1000, 3000},
        {429, "Retry-After: NaN\r\n", 1000, 3000},
        {429, "Retry-After: -7\r\n", 1000, 3000},
        {429,
         "Date: Tue, 14 Nov 2023 22:13:20 GMT\r\nRetry-After: Tue, 14 Nov 2023 22:13:40 GMT\r\n",
         20000, 22000},
        {429, NULL, 0, 3000},
    };
    for (int shared = 0; shared < 2; shared++) {
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            struct refusal how = {.bad = 1, .status = rows[i].status, .headers = rows[i].headers};
            struct mt_http_bucket *bucket = NULL;
            struct ground g;
            struct ended e = {0};
            clock_begin();
            mt_rand_seed(1 + i);
            ground_begin(&g, NULL, refusing, &how);
            if (shared) {
                assert_int_equal(mt_http_bucket_new(g.http, 0, 0, &bucket), MT_OK);
            }
            begin(&g,
                  &(struct mt_http_request){
                      .method = "GET", .url = server_url(g.server, "/"), .bucket = bucket},
                  &e);
            run_lapse(&g, 0, first_is_refused, &g);
            int64_t began_us = fake_mono_us(NULL);
            run_lapse(&g, 50, second_is_sent, &g);
            int64_t sent_ms = (fake_mono_us(NULL) - began_us) / 1000;
            run_lapse(&g, 0, all_done, &g);
            int64_t waited_ms = (how.good_us - how.first_us) / 1000; /* as the server sees it */
            print_message("# %d %s: %d ms\n", rows[i].status,
                          rows[i].headers ? rows[i].headers : "", (int)waited_ms);
            assert_int_equal(e.rc, MT_OK);
            assert_int_equal(e.attempts, 2);
            assert_true(waited_ms >= rows[i].least_ms);
            assert_true(sent_ms <= rows[i].most_ms);
            mt_http_bucket_free(bucket);
            ended_clear(&e);
            ground_end(&g);
            clock_end();
        }
    }
}

/* R17: a 429 stops all calls of that key, and no other's. */
static void a_refusal_stops_all_of_the_key(void **state)
{
    (void)state;
    struct refusal how = {.bad = 1, .status = 429, .headers = "Retry-After: 5\r\n"};
    struct ground g;
    struct ended e[6] = {{0}};
    struct ended other = {0};
    clock_begin();
    ground_begin(&g, NULL, refusing, &how);
    struct mt_http_bucket *bucket = mt_http_bucket_shared(g.http, "acme#desk", 0, 0);
    struct mt_http_bucket *second = mt_http_bucket_shared(g.http, "acme#shop", 0, 0);
    assert_ptr_equal(mt_http_bucket_shared(g.http, "acme#desk", 9, 9), bucket);
    assert_ptr_not_equal(bucket, second);
    struct mt_http_request request = {
        .method = "GET", .url = server_url(g.server, "/"), .bucket = bucket};
    begin(&g, &request, &e[0]);
    run_lapse(&g, 0, bucket_is_blocked, bucket);
    assert_in_range(mt_http_bucket_blocked_ms(bucket), 4000, 5000);
    for (int i = 1; i < 6; i++) {
        begin(&g, &request, &e[i]);
    }
    request.bucket = second;
    begin(&g, &request, &other);
    assert_int_equal(mt_http_in_flight(g.http), 1); /* the other key's */
    run_lapse(&g, 50, all_done, &g);
    assert_true(how.good_us > 0);
    assert_int_equal(other.rc, MT_OK);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(e[i].rc, MT_OK);
        assert_int_equal(e[i].attempts, i == 0 ? 2 : 1);
        ended_clear(&e[i]);
    }
    assert_int_equal(mt_http_sent(g.http), 8);
    assert_true(mt_http_bucket_rate(bucket) > 0); /* no longer unlimited */
    assert_true(mt_http_bucket_rate(second) == 0);
    ended_clear(&other);
    ground_end(&g);
    clock_end();
}

static void too_long_a_wait_fails_early(void **state)
{
    (void)state;
    struct refusal how = {.bad = 1000, .status = 429, .headers = "Retry-After: 200\r\n"};
    struct ground g;
    struct ended e[3] = {{0}};
    clock_begin();
    ground_begin(&g, NULL, refusing, &how);
    struct mt_http_bucket *bucket = mt_http_bucket_shared(g.http, "k", 1, 1);
    struct mt_http_request request = {
        .method = "GET", .url = server_url(g.server, "/"), .bucket = bucket};
    begin(&g, &request, &e[0]);
    begin(&g, &request, &e[1]); /* waits for a token of 1/s when the first is refused */
    mt_loop_run(g.loop);        /* and both end now, not in two minutes */
    begin(&g, &request, &e[2]);
    mt_loop_run(g.loop);
    for (int i = 0; i < 3; i++) {
        print_message("# %s\n", e[i].fault.message);
        assert_int_equal(e[i].rc, MT_ERR_RATE);
        assert_string_equal(e[i].fault.code, "http.rate");
        assert_in_range(e[i].fault.retry_after_ms, 190000, 200000);
        assert_int_equal(e[i].fault.http_status, 429);
        assert_true(e[i].fault.retryable);
        assert_int_equal(e[i].attempts, i == 0 ? 1 : 0);
        ended_clear(&e[i]);
    }
    assert_int_equal(mt_http_sent(g.http), 1);
    ended_clear(&e[0]);
    ground_end(&g);
    clock_end();
}

static void sending_waits_too(void **state)
{
    (void)state;
    struct refusal how = {.bad = 2, .status = 429, .headers = "Retry-After: 1\r\n"};
    struct ground g;
    struct ended e = {0};
    clock_begin();
    ground_begin(&g, NULL, refusing, &how);
    struct mt_http_request request = {.method = "POST",
                                      .url = server_url(g.server, "/"),
                                      .body = "x",
                                      .body_len = 1,
                                      .retry = MT_HTTP_RETRY_NEVER};
    begin(&g, &request, &e);
    run_lapse(&g, 50, all_done, &g);
    assert_int_equal(e.rc, MT_OK);
    assert_int_equal(e.attempts, 3);
    /* but a 503 may have done something already */
    ended_clear(&e);
    how.bad = 1000;
    how.status = 503;
    begin(&g, &request, &e);
    run_lapse(&g, 50, all_done, &g);
    assert_int_equal(e.rc, MT_ERR_REMOTE);
    assert_int_equal(e.attempts, 1);
    assert_int_equal(e.retry_after_ms, 1000);
    ended_clear(&e);
    ground_end(&g);
    clock_end();
}

static void gives_up_after_its_attempts(void **state)
{
    (void)state;
    struct refusal how = {.bad = 1000, .status = 429, .headers = "Retry-After: 2\r\n"};
    for (int shared = 0; shared < 2; shared++) {
        struct ground g;
        struct ended e = {0};
        clock_begin();
        ground_begin(&g, NULL, refusing, &how);
        struct mt_http_bucket *bucket = shared ? mt_http_bucket_shared(g.http, "k", 0, 0) : NULL;
        struct mt_http_request request = {
            .method = "GET", .url = server_url(g.server, "/"), .bucket = bucket, .max_attempts = 4};
        begin(&g, &request, &e);
        run_lapse(&g, 50, all_done, &g);
        print_message("# %s\n", e.fault.message);
        assert_int_equal(e.rc, MT_ERR_RATE);
        assert_int_equal(e.status, 429);
        assert_string_equal(e.body, "slow down");
        assert_int_equal(e.attempts, 4);
        assert_in_range(e.fault.retry_after_ms, 1900, 2000);
        assert_int_equal(server_requests(g.server), 4);
        ended_clear(&e);
        ground_end(&g);
        clock_end();
    }
}

/* A server that allows 20 requests a second and refuses the rest with Retry-After: 1; all 200 get
 * through in the end, and the client does not hammer. */
struct limited {
    _Atomic int64_t second;
    _Atomic unsigned in_second;
    _Atomic unsigned refused;
};

static bool limiting(void *ud, struct peer *peer, const struct request *request)
{
    struct limited *limit = ud;
    int64_t second = fake_mono_us(NULL) / 1000000;
    (void)request;
    if (atomic_exchange(&limit->second, second) != second) {
        atomic_store(&limit->in_second, 0);
    }
    if (atomic_fetch_add(&limit->in_second, 1) < 20) {
        peer_answer(peer, 200, NULL, "good");
    } else {
        atomic_fetch_add(&limit->refused, 1);
        peer_answer(peer, 429, "Retry-After: 1\r\n", "no");
    }
    return true;
}

static void finds_the_rate_of_the_cloud(void **state)
{
    (void)state;
    enum { N = 200 };
    static struct ended e[N];
    struct limited limit = {0};
    struct ground g;
    clock_begin();
    ground_begin(&g, NULL, limiting, &limit);
    struct mt_http_bucket *bucket = mt_http_bucket_shared(g.http, "k", 0, 0);
    struct mt_http_request request = {
        .method = "GET", .url = server_url(g.server, "/"), .bucket = bucket};
    int64_t began_us = fake_mono_us(NULL);
    for (int i = 0; i < N; i++) {
        begin(&g, &request, &e[i]);
    }
    run_lapse(&g, 10, all_done, &g);
    double took_s = (double)(fake_mono_us(NULL) - began_us) / 1000000;
    print_message("# %.1f s for %d at 20/s; %u refused\n", took_s, N, limit.refused);
    for (int i = 0; i < N; i++) {
        assert_int_equal(e[i].rc, MT_OK);
        ended_clear(&e[i]);
    }
    assert_true(limit.refused <= 100);
    assert_true(took_s < 60);
    ground_end(&g);
    clock_end();
}

int test_rate(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_as_told),
        cmocka_unit_test(a_refusal_stops_all_of_the_key),
        cmocka_unit_test(too_long_a_wait_fails_early),
        cmocka_unit_test(sending_waits_too),
        cmocka_unit_test(gives_up_after_its_attempts),
        cmocka_unit_test(finds_the_rate_of_the_cloud),
    };
    return cmocka_run_group_tests_name("http rate", tests, NULL, NULL);
}

/* The client against our own server: messages, closing, limits, pace, and its own end. */
#include "tests.h"

#include "base/clock.h"
#include "base/mem.h"
#include "ground.h"
#include "host.h"
#include "loop/loop.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CROWD = 300 };

static void messages_come_back(void **state)
{
    static const size_t sizes[] = {0, 1, 125, 126, 1023, 1024, 1025, 65535, 65536, 2 << 20};
    struct host *host = host_start(NULL);
    struct ground ground;
    struct seen seen = {0};
    char *text = malloc(2 << 20);
    (void)state;
    for (size_t i = 0; i < 2 << 20; i++)
        text[i] = pattern_at(i);
    ground_begin(&ground, NULL);
    seen_open(&seen, &ground,
              &(struct mt_ws_conn_options){.url = url_of(host_port(host), "/echo")});
    ground_until(&ground, is_open, &seen);
    for (size_t i = 0; i < 2 * sizeof sizes / sizeof sizes[0]; i++) {
        size_t len = sizes[i / 2];
        seen.message_n = 0;
        assert_int_equal(mt_ws_conn_send(seen.conn, i % 2, text, len), MT_OK);
        ground_until(&ground, has_message, &seen);
        assert_int_equal(seen.binary, i % 2);
        assert_int_equal(seen.len, len);
        assert_memory_equal(seen.text, text, len);
        assert_int_equal(mt_ws_conn_queued_bytes(seen.conn), 0);
    }
    mt_ws_conn_close(seen.conn, 4321);
    assert_int_equal(mt_ws_conn_send(seen.conn, false, "x", 1), MT_ERR_STATE);
    ground_until(&ground, is_closed, &seen);
    assert_int_equal(seen.code, 4321);
    assert_int_equal(mt_ws_client_count(ground.client).open_n, 0);
    host_wait(host, HOST_CLOSED, 1);
    seen_free(&seen);
    free(text);
    ground_end(&ground);
    host_stop(host);
}

static void target_subprotocol_and_headers_arrive(struct wire *wire, void *ud)
{
    char key[64];
    if (!hand_request(wire, key))
        return;
    snprintf(ud, 4096, "%s", wire->data);
    wire_text(wire, "HTTP/1.1 418 Teapot\r\nContent-Length: 0\r\n\r\n");
}

static void the_request_is_as_asked(void **state)
{
    static const char *const headers[] = {"X-One: 1", "Authorization: Bearer a b", NULL};
    char text[4096] = "";
    char host_line[64];
    struct hand *hand = hand_start(target_subprotocol_and_headers_arrive, text);
    struct ground ground;
    struct seen seen = {0};
    (void)state;
    ground_begin(&ground, NULL);
    seen_to_end(&seen, &ground,
                &(struct mt_ws_conn_options){.url = url_of(hand_port(hand), "/a;b/%2F?x=1&y=%26"),
                                             .subprotocol = "sub",
                                             .headers = headers});
    assert_int_equal(seen.fault.http_status, 418);
    ground_end(&ground);
    hand_stop(hand);
    assert_memory_equal(text, "GET /a;b/%2F?x=1&y=%26 HTTP/1.1\r\n", 33);
    snprintf(host_line, sizeof host_line, "\r\nHost: 127.0.0.1:");
    assert_non_null(strstr(text, host_line));
    assert_non_null(strstr(text, "\r\nX-One: 1\r\n"));
    assert_non_null(strstr(text, "\r\nAuthorization: Bearer a b\r\n"));
    assert_non_null(strstr(text, "\r\nSec-WebSocket-Protocol: sub\r\n"));
    assert_null(strcasestr(text, "Sec-WebSocket-Extensions")); /* no permessage-deflate */
    seen_free(&seen);
}

/* Trap 9 and 11: in order, in full, and the close after them. */
static void what_is_queued_leaves_before_the_close(void **state)
{
    enum { N = 300, SIZE = 10000 };
    struct host *host = host_start(NULL);
    struct ground ground;
    struct seen seen = {0};
    char text[SIZE] = {0};
    (void)state;
    ground_begin(&ground, NULL);
    seen_open(&seen, &ground,
              &(struct mt_ws_conn_options){.url = url_of(host_port(host), "/silent")});
    ground_until(&ground, is_open, &seen);
    for (int i = 0; i < N; i++)
        assert_int_equal(mt_ws_conn_send(seen.conn, true, text, SIZE), MT_OK);
    assert_int_equal(mt_ws_conn_queued_bytes(seen.conn), N * SIZE);
    mt_ws_conn_close(seen.conn, 1000);
    ground_until(&ground, is_closed, &seen);
    assert_int_equal(seen.code, 1000);
    host_wait(host, HOST_CLOSED, 1);
    assert_int_equal(host_count(host, HOST_MESSAGE), N);
    seen_free(&seen);
    ground_end(&ground);
    host_stop(host);
}

static void a_full_queue_takes_no_more(void **state)
{
    struct host *host = host_start(NULL);
    struct ground ground;
    struct seen seen = {0};
    static char text[60000];
    (void)state;
    ground_begin(&ground, NULL);
    seen_open(&seen, &ground,
              &(struct mt_ws_conn_options){.url = url_of(host_port(host), "/count"),
                                           .max_queue_bytes = 100000});
    assert_int_equal(mt_ws_conn_send(seen.conn, true, text, 1), MT_ERR_STATE); /* not open yet */
    ground_until(&ground, is_open, &seen);
    assert_int_equal(mt_ws_conn_send(seen.conn, true, text, 100001), MT_ERR_LIMIT);
    assert_int_equal(mt_ws_conn_send(seen.conn, true, text, 60000), MT_OK);
    assert_int_equal(mt_ws_conn_send(seen.conn, true, text, 60000), MT_ERR_LIMIT);
    ground_until(&ground, has_message, &seen); /* the first one has arrived, and there is room */
    assert_int_equal(mt_ws_conn_send(seen.conn, true, text, 60000), MT_OK);
    mt_ws_conn_cut(seen.conn);
    ground_until(&ground, is_closed, &seen);
    assert_string_equal(seen.fault.code, "ws.cut");
    assert_int_equal(seen.fault.kind, MT_ERR_CANCELLED);
    seen_free(&seen);
    ground_end(&ground);
    host_stop(host);
}

static void closes_of_the_server_tell_their_code(void **state)
{
    static const uint16_t codes[] = {1000, 1001, 4001};
    struct host *host = host_start(NULL);
    struct ground ground;
    (void)state;
    ground_begin(&ground, NULL);
    for (size_t i = 0; i < 3; i++) {
        struct seen seen = {.first = "go"};
        char target[32];
        snprintf(target, sizeof target, "/close?code=%u", codes[i]);
        seen_to_end(&seen, &ground,
                    &(struct mt_ws_conn_options){.url = url_of(host_port(host), target)});
        assert_int_equal(seen.message_n, 2);
        assert_int_equal(seen.code, codes[i]);
        seen_free(&seen);
    }
    struct seen seen = {.first = "go"};
    seen_to_end(&seen, &ground,
                &(struct mt_ws_conn_options){.url = url_of(host_port(host), "/cut")});
    assert_int_equal(seen.code, 1006);
    assert_string_equal(seen.fault.code, "ws.lost");
    assert_true(seen.fault.retryable);
    seen_free(&seen);
    ground_end(&ground);
    host_stop(host);
}

static void may_close_from_inside_a_handler(void **state)
{
    struct host *host = host_start(NULL);
    struct ground ground;
    struct seen seen = {.first = "x", .close_after = 3999};
    (void)state;
    ground_begin(&ground, NULL);
    seen_to_end(&seen, &ground,
                &(struct mt_ws_conn_options){.url = url_of(host_port(host), "/echo")});
    assert_int_equal(seen.code, 3999);
    seen_free(&seen);
    ground_end(&ground);
    host_stop(host);
}

static void a_message_over_the_cap_ends_it(void **state)
{
    struct host *host = host_start(NULL);
    struct ground ground;
    struct seen seen = {0};
    static char text[5001];
    (void)state;
    ground_begin(&ground, NULL);
    seen_open(&seen, &ground,
              &(struct mt_ws_conn_options){.url = url_of(host_port(host), "/echo"),
                                           .max_message_bytes = 5000});
    ground_until(&ground, is_open, &seen);
    assert_int_equal(mt_ws_conn_send(seen.conn, true, text, 5000), MT_OK);
    ground_until(&ground, has_message, &seen);
    assert_int_equal(seen.len, 5000);
    assert_int_equal(mt_ws_conn_send(seen.conn, true, text, 5001), MT_OK);
    ground_until(&ground, is_closed, &seen);
    assert_int_equal(seen.message_n, 1);
    assert_string_equal(seen.fault.code, "ws.message_too_long");
    assert_int_equal(seen.fault.kind, MT_ERR_LIMIT);
    seen_free(&seen);
    ground_end(&ground);
    host_stop(host);
}

/* Whatever the state it is in, a connection that is cut ends once, and not inside of the call. */
static void a_cut_ends_it_once_in_every_state(void **state)
{
    struct host *host = host_start(NULL);
    struct ground ground;
    (void)state;
    ground_begin(&ground, NULL);
    for (int i = 0; i < 40; i++) {
        struct seen seen = {0};
        seen_open(&seen, &ground,
                  &(struct mt_ws_conn_options){.url = i % 2 ? "ws://localhost:1/"
                                                            : url_of(host_port(host), "/echo")});
        for (int turn = 0; turn < i / 2 && seen.conn; turn++)
            mt_loop_turn(ground.loop);
        if (seen.conn && i % 3)
            mt_ws_conn_cut(seen.conn);
        else if (seen.conn)
            mt_ws_conn_close(seen.conn, 1000);
        if (seen.conn)
            mt_ws_conn_cut(seen.conn); /* again is nothing */
        ground_until(&ground, is_closed, &seen);
        ground_for(&ground, 1);
        seen_free(&seen);
    }
    struct seen last = {.first = "x", .close_after = 1000}; /* the server is done with all others */
    seen_to_end(&last, &ground,
                &(struct mt_ws_conn_options){.url = url_of(host_port(host), "/echo")});
    seen_free(&last);
    ground_end(&ground);
    host_stop(host);
}

static void a_client_can_be_made_and_freed_many_times(void **state)
{
    struct mt_loop *loop = NULL;
    int64_t live = 0;
    (void)state;
    assert_int_equal(mt_loop_new(&loop), MT_OK);
    for (int i = 0; i < 20; i++) {
        struct mt_ws_client *client = NULL;
        assert_int_equal(mt_ws_client_new(loop, &(struct mt_ws_client_options){0}, &client, NULL),
                         MT_OK);
        for (int turn = 0; turn < i % 5; turn++)
            mt_loop_turn(loop);
        mt_ws_client_free(client);
        if (i == 4)
            live = mt_mem_seam_live();
    }
    assert_int_equal(mt_mem_seam_live(), live);
    mt_ws_client_free(NULL);
    assert_int_equal(mt_loop_free(loop), MT_OK);
}

static bool take_peer(void *ud, struct mt_ws_peer *peer, const char *path, const char *query,
                      void **peer_ud)
{
    (void)ud;
    (void)peer;
    (void)path;
    (void)query;
    (void)peer_ud;
    return true;
}

/* At any moment, and with the server on the same loop: no other thread opens a descriptor while the
 * library closes its own twice. */
static void freeing_a_client_ends_all_once(void **state)
{
    enum { N = 12 };
    static const struct mt_ws_server_handlers handlers = {.open = take_peer};
    struct mt_ws_server_options options = {.host = "127.0.0.1"};
    (void)state;
    for (int round = 0; round < 10; round++) {
        struct ground ground;
        struct seen seen[N] = {0};
        struct mt_ws_server *server = NULL;
        ground_begin(&ground, &(struct mt_ws_client_options){.max_connecting = 3});
        assert_int_equal(mt_ws_server_new(ground.loop, &options, &handlers, NULL, &server, NULL),
                         MT_OK);
        for (int i = 0; i < N; i++)
            seen_open(&seen[i], &ground,
                      &(struct mt_ws_conn_options){.url = url_of(mt_ws_server_port(server), "/")});
        for (int turn = 0; turn < round * 3; turn++)
            mt_loop_turn(ground.loop);
        mt_ws_client_free(ground.client);
        ground.client = NULL;
        mt_ws_server_free(server);
        ground_end(&ground);
        for (int i = 0; i < N; i++)
            seen_free(&seen[i]);
    }
}

static void no_more_than_allowed_are_made_at_a_time(void **state)
{
    enum { N = 30 };
    struct host *host = host_start(NULL);
    struct ground ground;
    struct seen seen[N] = {0};
    (void)state;
    ground_begin(&ground, &(struct mt_ws_client_options){.max_connecting = 4});
    for (int i = 0; i < N; i++)
        seen_open(&seen[i], &ground,
                  &(struct mt_ws_conn_options){.url = url_of(host_port(host), "/echo")});
    assert_int_equal(mt_ws_client_count(ground.client).waiting_n, N);
    mt_ws_conn_cut(seen[N - 1].conn); /* one that waits leaves the others alone */
    while (mt_ws_client_count(ground.client).open_n < N - 1) {
        mt_loop_turn(ground.loop);
        assert_true(mt_ws_client_count(ground.client).connecting_n <= 4);
    }
    assert_int_equal(mt_ws_client_count(ground.client).waiting_n, 0);
    ground_end(&ground);
    for (int i = 0; i < N; i++)
        seen_free(&seen[i]);
    host_stop(host);
}

static void no_more_than_allowed_begin_in_a_second(void **state)
{
    enum { N = 8 };
    struct host *host = host_start(NULL);
    struct ground ground;
    struct seen seen[N] = {0};
    int64_t start_ms = mt_clock_mono_ms();
    (void)state;
    ground_begin(&ground, &(struct mt_ws_client_options){.connects_per_second = 20});
    for (int i = 0; i < N; i++)
        seen_open(&seen[i], &ground,
                  &(struct mt_ws_conn_options){.url = url_of(host_port(host), "/echo")});
    for (int i = 0; i < N; i++)
        ground_until(&ground, is_open, &seen[i]);
    int64_t took_ms = mt_clock_mono_ms() - start_ms; /* two at once, then one each 50 ms */
    assert_in_range(took_ms, 250, 5000);
    ground_end(&ground);
    for (int i = 0; i < N; i++)
        seen_free(&seen[i]);
    host_stop(host);
}

/* What owners do when they lose their connections: a millisecond each. */
struct crowd {
    struct mt_loop *loop;
    struct mt_ws_conn *conns[CROWD];
    int open_n, lost_n, lost_at_tick;
};

static void count_open(void *ud, struct mt_ws_conn *conn)
{
    struct crowd *crowd = ud;
    (void)conn;
    if (++crowd->open_n == CROWD)
        mt_loop_stop(crowd->loop);
}

static void work_on_loss(void *ud, struct mt_ws_conn *conn, uint16_t code,
                         const struct mt_fault *fault)
{
    struct crowd *crowd = ud;
    int64_t until_us = mt_clock_mono_us() + 1000;
    (void)conn;
    (void)code;
    (void)fault;
    if (++crowd->lost_n == CROWD)
        mt_loop_stop(crowd->loop);
    while (mt_clock_mono_us() < until_us) {
    }
}

static void note_losses(void *ud)
{
    struct crowd *crowd = ud;
    crowd->lost_at_tick = crowd->lost_n;
}

static bool all_open(void *ud)
{
    const struct crowd *crowd = ud;
    return crowd->open_n == CROWD;
}

static bool all_lost(void *ud)
{
    return ((struct crowd *)ud)->lost_n == CROWD;
}

static void a_crowd_that_is_cut_does_not_starve_a_timer(void **state)
{
    static const struct mt_ws_server_handlers server_handlers = {.open = take_peer};
    static const struct mt_ws_conn_handlers handlers = {.open = count_open, .closed = work_on_loss};
    struct mt_ws_server_options options = {.host = "127.0.0.1"};
    struct crowd crowd = {.lost_at_tick = CROWD};
    struct mt_ws_server *server = NULL;
    struct mt_timer *tick = NULL;
    struct ground ground;
    (void)state;
    ground_begin(&ground, &(struct mt_ws_client_options){.connects_per_second = 10000});
    assert_int_equal(
        mt_ws_server_new(ground.loop, &options, &server_handlers, &crowd, &server, NULL), MT_OK);
    assert_int_equal(mt_timer_new(ground.loop, note_losses, &crowd, &tick), MT_OK);
    for (int i = 0; i < CROWD; i++) {
        struct mt_ws_conn_options one = {.url = url_of(mt_ws_server_port(server), "/")};
        assert_int_equal(
            mt_ws_conn_open(ground.client, &one, &handlers, &crowd, &crowd.conns[i], NULL), MT_OK);
    }
    crowd.loop = ground.loop;
    ground_until(&ground, all_open, &crowd);
    for (int i = 0; i < CROWD; i++)
        mt_ws_conn_cut(crowd.conns[i]);
    mt_timer_start(tick, 50, 0);
    ground_until(&ground, all_lost, &crowd);
    assert_in_range(crowd.lost_at_tick, 1, CROWD - CROWD / 5); /* 300 ms of work in all */
    mt_timer_free(tick);
    mt_ws_server_free(server);
    ground_end(&ground);
}

static void what_cannot_be_opened_is_said_at_once(void **state)
{
    static const char *const bad_header[] = {"X: a\r\nY: b", NULL};
    static const struct {
        const char *url, *code;
    } cases[] = {
        {"", "ws.url"},
        {"http://127.0.0.1/", "ws.url"},
        {"ws://", "ws.url"},
        {"ws://127.0.0.1:0/", "ws.url"},
        {"ws://127.0.0.1:65536/", "ws.url"},
        {"ws://127.0.0.1/a b", "ws.url"},
        {"ws://127.0.0.1/#a", "ws.url"},
        {"ws://u:p@127.0.0.1/", "ws.url"},
        {"wss://a/\r\nX: y", "ws.url"},
        {"wss://[::1/", "ws.url"},
        {"wss://a_b!/", "ws.url"},
        {"ws://example.com/", "ws.insecure"},
        {"ws://10.0.0.1/", "ws.insecure"},
        {"ws://127.0.0.1.example.com/", "ws.insecure"},
        {"ws://[2001:db8::1]/", "ws.insecure"},
    };
    static const struct mt_ws_conn_handlers handlers;
    struct ground ground;
    struct mt_ws_conn *conn = NULL;
    struct mt_fault fault;
    (void)state;
    ground_begin(&ground, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct mt_ws_conn_options options = {.url = cases[i].url};
        assert_int_equal(mt_ws_conn_open(ground.client, &options, &handlers, NULL, &conn, &fault),
                         MT_ERR_INVALID);
        if (strcmp(fault.code, cases[i].code) != 0)
            print_error("%s\n", cases[i].url);
        assert_string_equal(fault.code, cases[i].code);
        assert_null(conn);
    }
    struct mt_ws_conn_options options = {.url = "ws://127.0.0.1/", .headers = bad_header};
    assert_int_equal(mt_ws_conn_open(ground.client, &options, &handlers, NULL, &conn, &fault),
                     MT_ERR_INVALID);
    assert_string_equal(fault.code, "ws.header");
    ground_end(&ground);
}

int test_client(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_come_back),
        cmocka_unit_test(the_request_is_as_asked),
        cmocka_unit_test(what_is_queued_leaves_before_the_close),
        cmocka_unit_test(a_full_queue_takes_no_more),
        cmocka_unit_test(closes_of_the_server_tell_their_code),
        cmocka_unit_test(may_close_from_inside_a_handler),
        cmocka_unit_test(a_message_over_the_cap_ends_it),
        cmocka_unit_test(a_cut_ends_it_once_in_every_state),
        cmocka_unit_test(a_client_can_be_made_and_freed_many_times),
        cmocka_unit_test(freeing_a_client_ends_all_once),
        cmocka_unit_test(no_more_than_allowed_are_made_at_a_time),
        cmocka_unit_test(no_more_than_allowed_begin_in_a_second),
        cmocka_unit_test(a_crowd_that_is_cut_does_not_starve_a_timer),
        cmocka_unit_test(what_cannot_be_opened_is_said_at_once),
    };
    return cmocka_run_group_tests_name("ws/client", tests, NULL, NULL);
}

/* The client against servers that are slow, silent, wrong or gone. */
#include "tests.h"

#include "base/clock.h"
#include "ground.h"
#include "host.h"
#include "loop/loop.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void try(const char *url, int64_t timeout_ms, struct seen *seen)
{
    struct ground ground;
    ground_begin(&ground, NULL);
    *seen = (struct seen){0};
    seen_to_end(seen, &ground,
                &(struct mt_ws_conn_options){.url = url, .connect_timeout_ms = timeout_ms});
    ground_for(&ground, 1); /* nothing more comes */
    ground_end(&ground);
    assert_int_equal(seen->open_n, 0);
    assert_int_equal(seen->message_n, 0);
    assert_int_equal(seen->code, 1006);
}

/* Trap 4: refused, silent and closed are three paths in the library and one outcome here. */
static void a_refused_connection_is_told(void **state)
{
    struct seen seen;
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0); /* bound, and not listening */
    (void)state;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    try(url_of(ntohs(address.sin_port), "/"), 5000, &seen);
    assert_string_equal(seen.fault.code, "ws.refused");
    assert_int_equal(seen.fault.kind, MT_ERR_NETWORK);
    assert_true(seen.fault.retryable);
    seen_free(&seen);
    close(fd);
}

static void wait_for_end(struct wire *wire)
{
    while (wire_more(wire))
        wire_take(wire, wire->len);
}

static void say_nothing(struct wire *wire, void *ud)
{
    (void)ud;
    wait_for_end(wire);
}

static void hang_up(struct wire *wire, void *ud)
{
    char key[64];
    (void)ud;
    (void)hand_request(wire, key);
}

static void drip(struct wire *wire, void *ud)
{
    struct pollfd gone = {.fd = wire->fd, .events = POLLRDHUP};
    char key[64];
    (void)ud;
    (void)hand_request(wire, key);
    wire_text(wire, "HTTP/1.1 101 Switching Protocols\r\nX-Slow: ");
    while (poll(&gone, 1, 20) == 0)
        wire_put(wire, "a", 1);
}

/* Trap 3: the deadline is ours, and is kept. */
static void expect_timeout(void (*fn)(struct wire *wire, void *ud))
{
    struct hand *hand = hand_start(fn, NULL);
    struct seen seen;
    int64_t start_ms = mt_clock_mono_ms();
    try(url_of(hand_port(hand), "/"), 200, &seen);
    assert_in_range(mt_clock_mono_ms() - start_ms, 199, 3000);
    assert_string_equal(seen.fault.code, "ws.connect_timeout");
    assert_int_equal(seen.fault.kind, MT_ERR_TIMEOUT);
    seen_free(&seen);
    hand_stop(hand);
}

static void a_silent_server_meets_the_deadline(void **state)
{
    (void)state;
    expect_timeout(say_nothing);
}

static void a_dripping_handshake_meets_the_deadline(void **state)
{
    (void)state;
    expect_timeout(drip);
}

/* Trap 3: as if the packets were dropped: the queue of a listening socket is full. */
static void dropped_packets_meet_the_deadline(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int fill[4];
    struct seen seen;
    (void)state;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(fd, 0), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    for (int i = 0; i < 4; i++) {
        fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(fill[i], (struct sockaddr *)&address, sizeof address);
    }
    int64_t start_ms = mt_clock_mono_ms();
    try(url_of(ntohs(address.sin_port), "/"), 200, &seen);
    assert_in_range(mt_clock_mono_ms() - start_ms, 199, 3000);
    assert_string_equal(seen.fault.code, "ws.connect_timeout");
    seen_free(&seen);
    for (int i = 0; i < 4; i++)
        close(fill[i]);
    close(fd);
}

static void a_server_that_hangs_up_is_told(void **state)
{
    struct hand *hand = hand_start(hang_up, NULL);
    struct seen seen;
    (void)state;
    try(url_of(hand_port(hand), "/"), 5000, &seen);
    assert_string_equal(seen.fault.code, "ws.refused");
    seen_free(&seen);
    hand_stop(hand);
}

static void answer_with(struct wire *wire, void *ud)
{
    char key[64];
    if (hand_request(wire, key))
        wire_text(wire, "%s", (const char *)ud);
    (void)shutdown(wire->fd, SHUT_WR);
    wire_take(wire, wire->len);
    wait_for_end(wire);
}

static void other_answers_are_refused(void **state)
{
#define UPGRADE "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    static const struct {
        const char *answer;
        enum mt_rc kind;
        int status;
    } cases[] = {
        {"HTTP/1.1 401 Unauthorized\r\nContent-Length: 6\r\n\r\nsecret", MT_ERR_AUTH, 401},
        {"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", MT_ERR_DENIED, 403},
        {"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", MT_ERR_PROTOCOL, 404},
        {"HTTP/1.1 429 Too Many\r\nContent-Length: 0\r\n\r\n", MT_ERR_RATE, 429},
        {"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", MT_ERR_REMOTE, 503},
        {"HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
         MT_ERR_PROTOCOL, 302},
        {"HTTP/1.1 307 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n", MT_ERR_PROTOCOL,
         307},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", MT_ERR_PROTOCOL, 200},
        {UPGRADE "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n", MT_ERR_PROTOCOL, 0},
        {UPGRADE "\r\n", MT_ERR_PROTOCOL, 0},
        {"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: x\r\n\r\n", MT_ERR_PROTOCOL, 0},
        {"SSH-2.0-OpenSSH_9\r\n", 0, 0},
        {"\r\n\r\n\r\n", 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char answer[512];
        struct seen seen;
        snprintf(answer, sizeof answer, "%s", cases[i].answer);
        struct hand *hand = hand_start(answer_with, answer);
        try(url_of(hand_port(hand), "/"), 5000, &seen);
        if (cases[i].kind &&
            (seen.fault.kind != cases[i].kind || seen.fault.http_status != cases[i].status))
            print_error("%s: %s %s %d\n", answer, seen.fault.code, seen.fault.message,
                        seen.fault.http_status);
        if (cases[i].kind) {
            assert_int_equal(seen.fault.kind, cases[i].kind);
            assert_int_equal(seen.fault.http_status, cases[i].status);
            assert_string_equal(seen.fault.code, "ws.upgrade");
        }
        assert_null(strstr(seen.fault.message, "secret"));
        assert_int_equal(hand_count(hand), 1); /* and not followed */
        seen_free(&seen);
        hand_stop(hand);
    }
#undef UPGRADE
}

/* ---------------------------------------------------------------- after the upgrade */

struct speech {
    const char *bytes;
    size_t len;
};

static void speak(struct wire *wire, void *ud)
{
    const struct speech *speech = ud;
    if (!hand_accept(wire))
        return;
    wire_put(wire, speech->bytes, speech->len);
    (void)shutdown(wire->fd, SHUT_WR);
    wait_for_end(wire);
}

static void forbidden_frames_end_the_connection(void **state)
{
    static const struct {
        const char *name;
        struct speech speech;
    } cases[] = {
        {"reserved opcode", {"\x83\x01x", 3}},
        {"reserved bit", {"\xc1\x01x", 3}},
        {"continuation of nothing", {"\x80\x01x", 3}},
        {"fragmented ping", {"\x09\x01x", 3}},
        {"long ping", {"\x89\x7e\0\x7e", 4}},
        {"length over 63 bits", {"\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff", 10}},
        {"unfinished message", {"\x01\x05hello", 7}},
        {"unfinished frame", {"\x81\x05hel", 5}},
        {"nothing", {"", 0}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct hand *hand = hand_start(speak, (void *)&cases[i].speech);
        struct ground ground;
        struct seen seen = {0};
        ground_begin(&ground, NULL);
        seen_to_end(&seen, &ground,
                    &(struct mt_ws_conn_options){.url = url_of(hand_port(hand), "/")});
        if (seen.message_n || seen.code != 1006)
            print_error("%s: %u messages, code %u\n", cases[i].name, seen.message_n, seen.code);
        assert_int_equal(seen.message_n, 0);
        assert_int_equal(seen.code, 1006);
        assert_string_equal(seen.fault.code, "ws.lost");
        seen_free(&seen);
        ground_end(&ground);
        hand_stop(hand);
    }
}

static void a_frame_over_the_cap_is_not_waited_for(void **state)
{
    /* announces 1 TB, and sends 100 KB of it */
    static char bytes[100010] = "\x82\x7f\0\0\1\0\0\0\0\0";
    struct speech speech = {bytes, sizeof bytes};
    struct hand *hand = hand_start(speak, &speech);
    struct ground ground;
    struct seen seen = {0};
    (void)state;
    ground_begin(&ground, NULL);
    seen_to_end(&seen, &ground,
                &(struct mt_ws_conn_options){.url = url_of(hand_port(hand), "/"),
                                             .max_message_bytes = 50000});
    assert_int_equal(seen.message_n, 0);
    assert_int_equal(seen.code, 1006);
    seen_free(&seen);
    ground_end(&ground);
    hand_stop(hand);
}

static void say_close(struct wire *wire, void *ud)
{
    const struct speech *speech = ud;
    struct frame frame;
    if (!hand_accept(wire))
        return;
    wire_put(wire, speech->bytes, speech->len);
    assert_true(wire_next(wire, &frame)); /* the answer */
    assert_int_equal(frame.opcode, 8);
    assert_true(frame.masked);
    free(frame.payload);
}

static void a_close_frame_tells_its_code(void **state)
{
    static const struct {
        struct speech speech;
        unsigned code;
    } cases[] = {
        {{"\x88\x02\x03\xe8", 4}, 1000},
        {{"\x88\x02\x0f\xa1", 4}, 4001},
        {{"\x88\x06\x0f\xa1kick", 8}, 4001},
        {{"\x88\x00", 2}, 1005},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct hand *hand = hand_start(say_close, (void *)&cases[i].speech);
        struct ground ground;
        struct seen seen = {0};
        ground_begin(&ground, NULL);
        seen_to_end(&seen, &ground,
                    &(struct mt_ws_conn_options){.url = url_of(hand_port(hand), "/")});
        assert_int_equal(seen.code, cases[i].code);
        assert_false(seen.has_fault);
        seen_free(&seen);
        ground_end(&ground);
        hand_stop(hand);
    }
}

static void flood_with_pings(struct wire *wire, void *ud)
{
    (void)ud;
    if (!hand_accept(wire))
        return;
    char *pings = malloc(6 * 100000);
    for (size_t i = 0; i < 100000; i++)
        memcpy(pings + 6 * i, "\x89\x04ping", 6);
    for (size_t at = 0; at < 600000; at += 6000) { /* and takes what comes back */
        struct pollfd in = {.fd = wire->fd, .events = POLLIN};
        wire_put(wire, pings + at, 6000);
        while (poll(&in, 1, 0) == 1 && wire_more(wire))
            wire_take(wire, wire->len);
    }
    free(pings);
    wire_put(wire,
             "\x81\x04"
             "done",
             6);
    wait_for_end(wire);
}

static void a_flood_of_pings_is_survived(void **state)
{
    struct hand *hand = hand_start(flood_with_pings, NULL);
    struct ground ground;
    struct seen seen = {0};
    (void)state;
    ground_begin(&ground, NULL);
    seen_open(&seen, &ground, &(struct mt_ws_conn_options){.url = url_of(hand_port(hand), "/")});
    ground_until(&ground, has_message, &seen);
    assert_string_equal(seen.text, "done");
    ground_end(&ground);
    seen_free(&seen);
    hand_stop(hand);
}

static void accept_only(struct wire *wire, void *ud)
{
    (void)ud;
    if (!hand_accept(wire))
        return;
    *(unsigned *)ud = 0;
    struct frame frame;
    while (wire_next(wire, &frame)) {
        *(unsigned *)ud += frame.opcode == 9;
        free(frame.payload);
    }
}

/* Trap 8: a peer that is there no more, though its socket is open. */
static void a_dead_peer_is_noticed_by_pings(void **state)
{
    unsigned pings_n = 0;
    struct hand *hand = hand_start(accept_only, &pings_n);
    struct ground ground;
    struct seen seen = {0};
    int64_t start_ms = mt_clock_mono_ms();
    (void)state;
    ground_begin(&ground, NULL);
    seen_to_end(&seen, &ground,
                &(struct mt_ws_conn_options){
                    .url = url_of(hand_port(hand), "/"), .ping_ms = 50, .dead_after_missed = 3});
    assert_in_range(mt_clock_mono_ms() - start_ms, 199, 5000);
    assert_string_equal(seen.fault.code, "ws.dead");
    assert_int_equal(seen.fault.kind, MT_ERR_TIMEOUT);
    seen_free(&seen);
    ground_end(&ground);
    hand_stop(hand);
    assert_int_equal(pings_n, 3);
}

static void pings_are_answered_by_a_living_peer(void **state)
{
    struct host *host = host_start(NULL);
    struct ground ground;
    struct seen seen = {0};
    (void)state;
    ground_begin(&ground, NULL);
    seen_open(&seen, &ground,
              &(struct mt_ws_conn_options){
                  .url = url_of(host_port(host), "/echo"), .ping_ms = 20, .dead_after_missed = 3});
    ground_until(&ground, is_open, &seen);
    ground_for(&ground, 400); /* five times as long as a dead one would live */
    assert_int_equal(seen.closed_n, 0);
    ground_end(&ground);
    seen_free(&seen);
    host_stop(host);
}

static void read_no_more(struct wire *wire, void *ud)
{
    struct pollfd gone = {.fd = wire->fd, .events = POLLRDHUP};
    (void)ud;
    if (hand_accept(wire))
        (void)poll(&gone, 1, 20000);
}

static void a_close_that_is_not_answered_has_a_deadline(void **state)
{
    struct hand *hand = hand_start(read_no_more, NULL);
    struct ground ground;
    struct seen seen = {0};
    (void)state;
    ground_begin(&ground, NULL);
    seen_open(&seen, &ground, &(struct mt_ws_conn_options){.url = url_of(hand_port(hand), "/")});
    ground_until(&ground, is_open, &seen);
    int64_t start_ms = mt_clock_mono_ms();
    mt_ws_conn_close(seen.conn, 1000);
    ground_until(&ground, is_closed, &seen);
    assert_in_range(mt_clock_mono_ms() - start_ms, 1000, 8000);
    assert_string_equal(seen.fault.code, "ws.close_timeout");
    seen_free(&seen);
    ground_end(&ground);
    hand_stop(hand);
}

/* Trap 7: the library would read http_proxy by itself. */
static void a_proxy_of_the_environment_is_not_for_loopback(void **state)
{
    struct hand *proxy = hand_start(say_nothing, NULL);
    struct host *host = host_start(NULL);
    char url[64];
    (void)state;
    snprintf(url, sizeof url, "http://127.0.0.1:%u", hand_port(proxy));
    setenv("http_proxy", url, 1);
    setenv("https_proxy", url, 1);
    struct ground ground;
    struct seen seen = {.first = "x", .close_after = 1000};
    ground_begin(&ground, NULL);
    unsetenv("http_proxy");
    unsetenv("https_proxy");
    seen_to_end(&seen, &ground,
                &(struct mt_ws_conn_options){.url = url_of(host_port(host), "/echo")});
    assert_int_equal(seen.code, 1000);
    seen_free(&seen);
    struct mt_ws_conn_options options = {.connect_timeout_ms = 3000};
    char wss[64]; /* a WebSocket server without TLS: refused, but reached directly */
    snprintf(wss, sizeof wss, "wss://localhost:%u/", host_port(host));
    options.url = wss;
    seen_to_end(&seen, &ground, &options);
    assert_int_equal(seen.open_n, 0);
    seen_free(&seen);
    ground_end(&ground);
    assert_int_equal(hand_count(proxy), 0);
    host_stop(host);
    hand_stop(proxy);
}

static void an_unknown_name_is_told(void **state)
{
    struct seen seen;
    (void)state;
    try("wss://name.invalid/", 15000, &seen); /* trap 6: on the work pool */
    assert_string_equal(seen.fault.code, "ws.lookup");
    seen_free(&seen);
}

int test_servers(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refused_connection_is_told),
        cmocka_unit_test(a_silent_server_meets_the_deadline),
        cmocka_unit_test(a_dripping_handshake_meets_the_deadline),
        cmocka_unit_test(dropped_packets_meet_the_deadline),
        cmocka_unit_test(a_server_that_hangs_up_is_told),
        cmocka_unit_test(other_answers_are_refused),
        cmocka_unit_test(forbidden_frames_end_the_connection),
        cmocka_unit_test(a_frame_over_the_cap_is_not_waited_for),
        cmocka_unit_test(a_close_frame_tells_its_code),
        cmocka_unit_test(a_flood_of_pings_is_survived),
        cmocka_unit_test(a_dead_peer_is_noticed_by_pings),
        cmocka_unit_test(pings_are_answered_by_a_living_peer),
        cmocka_unit_test(a_close_that_is_not_answered_has_a_deadline),
        cmocka_unit_test(a_proxy_of_the_environment_is_not_for_loopback),
        cmocka_unit_test(an_unknown_name_is_told),
    };
    return cmocka_run_group_tests_name("ws/servers", tests, NULL, NULL);
}

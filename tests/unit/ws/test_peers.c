/* WebSocket connections of the server, frame by frame. */
#include "tests.h"

#include "host.h"
#include "wire.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10, FIN = 0x80 };

static void sends_messages_back(void **state)
{
    static const size_t sizes[] = {0, 1, 125, 126, 127, 4095, 4096, 4097, 65535, 65536, 65537};
    struct host *host = host_start(NULL);
    struct wire *wire = wire_ws(host_port(host), "/echo");
    char *text = malloc(70000);
    (void)state;
    memset(text, 'x', 70000);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        wire_frame(wire, FIN | TEXT, text, sizes[i]);
        wire_frame(wire, FIN | BINARY, text, sizes[i]);
        wire_expect(wire, TEXT, text, sizes[i]);
        wire_expect(wire, BINARY, text, sizes[i]);
    }
    free(text);
    wire_close(wire);
    host_wait(host, HOST_CLOSED, 1);
    host_stop(host);
}

static void gives_path_and_query_as_received(void **state)
{
    static const char hello[] = "/uri?x=1;y=%26&&z=%3b../?";
    struct host *host = host_start(NULL);
    struct wire *wire = wire_ws(host_port(host), hello);
    (void)state;
    wire_expect(wire, TEXT, hello, sizeof hello - 1);
    wire_close(wire);
    host_stop(host);
}

static void may_speak_first(void **state)
{
    struct host *host = host_start(NULL);
    struct wire *wire = wire_ws(host_port(host), "/greet");
    (void)state;
    wire_expect(wire, TEXT, "hello", 5);
    wire_close(wire);
    host_stop(host);
}

/* Trap 10: a message comes in fragments, with control frames between them, and each fragment in
 * pieces; the owner sees it once and whole. */
static void pieces_are_joined(void **state)
{
    struct host *host = host_start(NULL);
    struct wire *wire = wire_ws(host_port(host), "/count");
    char *text = malloc(30000);
    char want[64];
    (void)state;
    for (size_t i = 0; i < 30000; i++)
        text[i] = pattern_at(i);
    wire_frame(wire, BINARY, text, 10000);
    wire_frame(wire, FIN | PING, "are you there", 13);
    wire_expect(wire, PONG, "are you there", 13);
    wire_frame(wire, 0, text + 10000, 0);
    wire_frame(wire, 0, text + 10000, 19999);
    assert_int_equal(host_count(host, HOST_MESSAGE), 0);
    wire_frame(wire, FIN, text + 29999, 1);
    int n = snprintf(want, sizeof want, "30000 %u", checksum(text, 30000));
    wire_expect(wire, TEXT, want, (size_t)n);
    wire_frame(wire, FIN | TEXT, "next", 4); /* nothing of the last one is left */
    n = snprintf(want, sizeof want, "4 %u", checksum("next", 4));
    wire_expect(wire, TEXT, want, (size_t)n);
    assert_int_equal(host_count(host, HOST_MESSAGE), 2);
    free(text);
    wire_close(wire);
    host_stop(host);
}

static void takes_and_sends_2_mb(void **state)
{
    enum { SIZE = 2 << 20 };
    struct host *host = host_start(NULL);
    struct wire *wire = wire_ws(host_port(host), "/echo");
    char *text = malloc(SIZE);
    (void)state;
    for (size_t i = 0; i < SIZE; i++)
        text[i] = pattern_at(i);
    wire_frame(wire, FIN | BINARY, text, SIZE);
    wire_expect(wire, BINARY, text, SIZE);
    free(text);
    wire_close(wire);
    host_stop(host);
}

/* Trap 10: the cap holds for the joined message, whatever the pieces. */
static void a_message_over_the_cap_closes_with_1009(void **state)
{
    enum { CAP = 20000 };
    struct host *host = host_start(&(struct mt_ws_server_options){.max_message_bytes = CAP});
    char text[CAP + 1] = {0};
    (void)state;
    struct wire *wire = wire_ws(host_port(host), "/count");
    char want[64];
    wire_frame(wire, FIN | BINARY, text, CAP);
    int n = snprintf(want, sizeof want, "%d %u", CAP, checksum(text, CAP));
    wire_expect(wire, TEXT, want, (size_t)n);
    wire_frame(wire, FIN | BINARY, text, CAP + 1);
    wire_expect_close(wire, 1009);
    wire_close(wire);
    wire = wire_ws(host_port(host), "/count");
    for (int i = 0; i < 3; i++)
        wire_frame(wire, i ? 0 : BINARY, text, 9000);
    wire_expect_close(wire, 1009);
    wire_close(wire);
    host_wait(host, HOST_CLOSED, 2);
    assert_int_equal(host_count(host, HOST_MESSAGE), 1);
    host_stop(host);
}

/* Trap 9: what a peer does not read is held up to the cap, and then the peer goes. */
static void a_full_queue_ends_the_peer(void **state)
{
    struct host *host = host_start(&(struct mt_ws_server_options){.max_queue_bytes = 1 << 20});
    struct wire *wire = wire_ws(host_port(host), "/flood");
    struct wire *other = wire_ws(host_port(host), "/echo");
    (void)state;
    wire_frame(wire, FIN | TEXT, "go", 2);
    host_wait(host, HOST_CLOSED, 1);
    assert_int_equal(host_last_send(host), MT_ERR_LIMIT);
    wire_frame(other, FIN | TEXT, "still here", 10);
    wire_expect(other, TEXT, "still here", 10);
    wire_close(wire);
    wire_close(other);
    host_stop(host);
}

static void back_pressure_reaches_the_sender(void **state)
{
    enum { N = 200, SIZE = 50000 };
    struct host *host = host_start(NULL);
    struct wire *wire = wire_ws(host_port(host), "/echo");
    char *text = malloc(SIZE);
    int small = 1 << 18;
    (void)state;
    (void)setsockopt(wire->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    memset(text, 'y', SIZE);
    for (int i = 0; i < N; i++) { /* 10 MB wait in the server, in order */
        text[0] = (char)i;
        wire_frame(wire, FIN | BINARY, text, SIZE);
    }
    for (int i = 0; i < N; i++) {
        text[0] = (char)i;
        wire_expect(wire, BINARY, text, SIZE);
    }
    free(text);
    wire_close(wire);
    host_stop(host);
}

/* Trap 11: the close frame leaves after what was queued before it. */
static void closing_sends_what_is_queued_first(void **state)
{
    static const unsigned codes[] = {1000, 1001, 1008, 3000, 4001, 4999};
    struct host *host = host_start(NULL);
    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        char target[32];
        snprintf(target, sizeof target, "/close?code=%u", codes[i]);
        struct wire *wire = wire_ws(host_port(host), target);
        wire_frame(wire, FIN | TEXT, "x", 1);
        wire_expect(wire, TEXT, "a", 1);
        wire_expect(wire, BINARY, "b", 1);
        wire_expect_close(wire, codes[i]);
        wire_send_close(wire, codes[i]);
        assert_true(wire_at_end(wire));
        host_wait(host, HOST_CLOSED, (unsigned)i + 1);
        wire_close(wire);
    }
    host_stop(host);
}

static void a_close_of_the_client_is_answered_with_its_code(void **state)
{
    static const unsigned codes[] = {1000, 1001, 4001};
    struct host *host = host_start(NULL);
    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        struct wire *wire = wire_ws(host_port(host), "/echo");
        wire_send_close(wire, codes[i]);
        wire_expect_close(wire, codes[i]);
        assert_true(wire_at_end(wire));
        host_wait(host, HOST_CLOSED, (unsigned)i + 1);
        wire_close(wire);
    }
    host_stop(host);
}

/* Trap 11: a cut sends nothing more, not even what was queued, and no close frame. */
static void a_cut_is_no_close(void **state)
{
    struct host *host = host_start(NULL);
    struct wire *wire = wire_ws(host_port(host), "/cut");
    (void)state;
    wire_frame(wire, FIN | TEXT, "x", 1);
    assert_true(wire_at_end(wire));
    host_wait(host, HOST_CLOSED, 1);
    wire_close(wire);
    host_stop(host);
}

static void a_client_may_just_go(void **state)
{
    struct host *host = host_start(NULL);
    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        struct wire *wire = wire_ws(host_port(host), "/echo");
        wire_frame(wire, BINARY, "unfinished", 10);
        if (i % 2)
            wire_reset(wire);
        else
            wire_close(wire);
        host_wait(host, HOST_CLOSED, i + 1);
    }
    assert_int_equal(host_count(host, HOST_MESSAGE), 0);
    host_stop(host);
}

static void peers_know_each_other(void **state)
{
    struct host *host = host_start(NULL);
    struct wire *one = wire_ws(host_port(host), "/swap");
    struct wire *two = wire_ws(host_port(host), "/swap");
    (void)state;
    host_wait(host, HOST_OPEN, 2);
    wire_frame(one, FIN | TEXT, "to two", 6);
    wire_expect(two, TEXT, "to two", 6);
    wire_frame(two, FIN | BINARY, "to one", 6);
    wire_expect(one, BINARY, "to one", 6);
    wire_close(one);
    host_wait(host, HOST_CLOSED, 1);
    wire_frame(two, FIN | TEXT, "nobody", 6);
    host_wait(host, HOST_MESSAGE, 3);
    wire_close(two);
    host_stop(host);
}

static void what_is_not_accepted_is_closed(void **state)
{
    struct host *host = host_start(NULL);
    struct wire *wire = wire_ws(host_port(host), "/no");
    (void)state;
    assert_true(wire_at_end(wire));
    wire_close(wire);
    assert_int_equal(host_count(host, HOST_OPEN), 0);
    assert_int_equal(host_count(host, HOST_CLOSED), 0);
    host_stop(host);
}

/* Frames that RFC 6455 forbids end the connection, and the owner sees nothing of them. */
static void forbidden_frames_end_the_connection(void **state)
{
    static const struct {
        const char *name;
        const char *bytes;
        size_t len;
    } cases[] = {
        {"reserved opcode", "\x83\x81\0\0\0\0x", 7},
        {"reserved bit", "\xc1\x81\0\0\0\0x", 7},
        {"continuation of nothing", "\x80\x81\0\0\0\0x", 7},
        {"fragmented ping", "\x09\x81\0\0\0\0x", 7},
        {"long ping", "\x89\xfe\0\x7e\0\0\0\0", 8},
        {"length over 63 bits", "\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", 14},
    };
    struct host *host = host_start(NULL);
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct wire *wire = wire_ws(host_port(host), "/echo");
        struct frame frame;
        wire_put(wire, cases[i].bytes, cases[i].len);
        while (wire_next(wire, &frame)) {
            if (frame.opcode != CLOSE)
                print_error("%s was taken\n", cases[i].name);
            assert_int_equal(frame.opcode, CLOSE);
            free(frame.payload);
        }
        wire_close(wire);
        host_wait(host, HOST_CLOSED, (unsigned)i + 1);
    }
    assert_int_equal(host_count(host, HOST_MESSAGE), 0);
    host_stop(host);
}

static void a_bad_upgrade_opens_nothing(void **state)
{
    static const char *const cases[] = {
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 7\r\n",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
    };
    struct host *host = host_start(NULL);
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct wire *wire = wire_dial(host_port(host));
        struct reply reply;
        wire_text(
            wire,
            "GET /echo HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n%s\r\n",
            cases[i]);
        assert_true(wire_reply(wire, true, &reply));
        assert_int_equal(reply.status, 426);
        reply_free(&reply);
        wire_close(wire);
    }
    struct wire *wire = wire_dial(host_port(host)); /* speaks before the handshake is done */
    struct reply reply;
    wire_text(wire,
              "GET /echo HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
              "\x81\x81");
    assert_true(wire_reply(wire, true, &reply));
    assert_int_equal(reply.status, 400);
    reply_free(&reply);
    wire_close(wire);
    assert_int_equal(host_count(host, HOST_OPEN), 0);
    host_stop(host);
}

int test_peers(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sends_messages_back),
        cmocka_unit_test(gives_path_and_query_as_received),
        cmocka_unit_test(may_speak_first),
        cmocka_unit_test(pieces_are_joined),
        cmocka_unit_test(takes_and_sends_2_mb),
        cmocka_unit_test(a_message_over_the_cap_closes_with_1009),
        cmocka_unit_test(a_full_queue_ends_the_peer),
        cmocka_unit_test(back_pressure_reaches_the_sender),
        cmocka_unit_test(closing_sends_what_is_queued_first),
        cmocka_unit_test(a_close_of_the_client_is_answered_with_its_code),
        cmocka_unit_test(a_cut_is_no_close),
        cmocka_unit_test(a_client_may_just_go),
        cmocka_unit_test(peers_know_each_other),
        cmocka_unit_test(what_is_not_accepted_is_closed),
        cmocka_unit_test(forbidden_frames_end_the_connection),
        cmocka_unit_test(a_bad_upgrade_opens_nothing),
    };
    return cmocka_run_group_tests_name("ws/peers", tests, NULL, NULL);
}

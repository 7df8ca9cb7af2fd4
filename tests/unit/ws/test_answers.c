/* Answers of the server: as they are asked for, to a slow reader too, late, and wrong on purpose.
 */
#include "tests.h"

#include "base/clock.h"
#include "host.h"
#include "wire.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { SIZE = 8 << 20 };

static void ask(struct wire *wire, const char *query)
{
    wire_text(wire, "GET /answer?%s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", query);
}

static void sends_status_type_and_further_headers(void **state)
{
    struct host *host = host_start(NULL);
    struct wire *wire = wire_dial(host_port(host));
    struct reply reply;
    (void)state;
    ask(wire, "status=429&head=1&size=3");
    assert_true(wire_reply(wire, true, &reply));
    assert_int_equal(reply.status, 429);
    assert_string_equal(reply.head, "HTTP/1.1 429 Too Many Requests\r\nContent-Type: text/plain\r\n"
                                    "Content-Length: 3\r\nX-Extra: one\r\nX-More: two\r\n\r\n");
    assert_string_equal(reply.body, "abc");
    reply_free(&reply);
    wire_close(wire);
    host_stop(host);
}

static void expect_pattern(const struct reply *reply, size_t len)
{
    assert_int_equal(reply->body_len, len);
    for (size_t i = 0; i < len; i++)
        if (reply->body[i] != pattern_at(i))
            fail_msg("byte %zu is wrong", i);
}

/* Trap 9, partial writes: the kernel takes only a part at a time, and nothing is lost, doubled or
 * mixed with another connection's answer. */
static void partial_writes_reach_a_slow_reader_whole(void **state)
{
    struct host *host = host_start(NULL);
    struct wire *wires[4];
    char query[32];
    int small = 1 << 18; /* much smaller, and loopback's large segments make it crawl */
    (void)state;
    snprintf(query, sizeof query, "size=%d", SIZE);
    for (int i = 0; i < 4; i++) {
        wires[i] = wire_dial(host_port(host));
        assert_int_equal(setsockopt(wires[i]->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
        ask(wires[i], query);
        ask(wires[i], "size=1"); /* and the next comes only after it */
    }
    host_wait(host, HOST_REQUEST, 4);
    struct wire *other = wire_dial(host_port(host)); /* the server is not held up by them */
    struct reply reply;
    ask(other, "size=5");
    assert_true(wire_reply(other, true, &reply));
    expect_pattern(&reply, 5);
    reply_free(&reply);
    wire_close(other);
    for (int i = 0; i < 4; i++) {
        assert_true(wire_reply(wires[i], true, &reply));
        expect_pattern(&reply, SIZE);
        reply_free(&reply);
        assert_true(wire_reply(wires[i], true, &reply));
        expect_pattern(&reply, 1);
        reply_free(&reply);
        wire_close(wires[i]);
    }
    host_stop(host);
}

static void a_reader_may_leave_in_the_middle(void **state)
{
    struct host *host = host_start(NULL);
    char query[32];
    (void)state;
    snprintf(query, sizeof query, "size=%d", SIZE);
    for (int i = 0; i < 20; i++) {
        struct wire *wire = wire_dial(host_port(host));
        ask(wire, query);
        assert_true(wire_more(wire));
        if (i % 2)
            wire_reset(wire);
        else
            wire_close(wire);
    }
    struct wire *wire = wire_dial(host_port(host));
    struct reply reply;
    ask(wire, "size=7");
    assert_true(wire_reply(wire, true, &reply));
    expect_pattern(&reply, 7);
    reply_free(&reply);
    wire_close(wire);
    host_stop(host);
}

static void waits_as_long_as_asked(void **state)
{
    struct host *host = host_start(NULL);
    struct wire *wire = wire_dial(host_port(host));
    struct reply reply;
    int64_t start_ms = mt_clock_mono_ms();
    (void)state;
    ask(wire, "size=2&delay=200");
    assert_true(wire_reply(wire, true, &reply));
    int64_t took_ms = mt_clock_mono_ms() - start_ms;
    assert_true(took_ms >= 199); /* trap 3: and not when the library's own timer comes by */
    assert_true(took_ms < 5000);
    expect_pattern(&reply, 2);
    reply_free(&reply);
    wire_close(wire);
    host_stop(host);
}

static void fault_close_answers_nothing(void **state)
{
    struct host *host = host_start(NULL);
    struct wire *wire = wire_dial(host_port(host));
    (void)state;
    ask(wire, "size=100&fault=1");
    assert_true(wire_at_end(wire));
    wire_close(wire);
    host_stop(host);
}

static void fault_truncate_sends_half(void **state)
{
    struct host *host = host_start(NULL);
    char query[64];
    (void)state;
    for (size_t len = 100; len <= SIZE; len = len == 100 ? SIZE : SIZE + 1) {
        struct wire *wire = wire_dial(host_port(host));
        struct reply reply;
        snprintf(query, sizeof query, "size=%zu&fault=2", len);
        ask(wire, query);
        assert_false(wire_reply(wire, true, &reply));
        assert_int_equal(reply.announced, len);
        expect_pattern(&reply, len / 2);
        reply_free(&reply);
        wire_close(wire);
    }
    host_stop(host);
}

static void fault_length_announces_more_than_comes(void **state)
{
    struct host *host = host_start(NULL);
    struct wire *wire = wire_dial(host_port(host));
    struct reply reply;
    (void)state;
    ask(wire, "size=100&fault=3");
    assert_false(wire_reply(wire, true, &reply));
    assert_true(reply.announced > 100);
    expect_pattern(&reply, 100);
    reply_free(&reply);
    wire_close(wire);
    host_stop(host);
}

static void fault_slow_sends_a_byte_a_second(void **state)
{
    struct host *host = host_start(NULL);
    struct wire *wire = wire_dial(host_port(host));
    (void)state;
    ask(wire, "size=1&fault=4");
    assert_true(wire_more(wire));
    assert_int_equal(wire->len, 1);
    int64_t start_ms = mt_clock_mono_ms();
    assert_true(wire_more(wire));
    assert_int_equal(wire->len, 2);
    int64_t took_ms = mt_clock_mono_ms() - start_ms;
    assert_in_range(took_ms, 500, 10000);
    assert_memory_equal(wire->data, "HT", 2);
    wire_close(wire);
    host_stop(host);
}

static void fault_half_open_never_answers_nor_closes(void **state)
{
    struct host *host = host_start(NULL);
    struct wire *wire = wire_dial(host_port(host));
    struct timeval wait = {.tv_usec = 300000};
    char byte = 0;
    (void)state;
    ask(wire, "size=100&fault=5");
    host_wait(host, HOST_REQUEST, 1);
    (void)setsockopt(wire->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    assert_int_equal(recv(wire->fd, &byte, 1, 0), -1); /* and not 0 */
    wire_close(wire);
    assert_int_equal(host_count(host, HOST_ABANDONED), 0); /* it was answered, so to speak */
    host_stop(host);
}

int test_answers(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sends_status_type_and_further_headers),
        cmocka_unit_test(partial_writes_reach_a_slow_reader_whole),
        cmocka_unit_test(a_reader_may_leave_in_the_middle),
        cmocka_unit_test(waits_as_long_as_asked),
        cmocka_unit_test(fault_close_answers_nothing),
        cmocka_unit_test(fault_truncate_sends_half),
        cmocka_unit_test(fault_length_announces_more_than_comes),
        cmocka_unit_test(fault_slow_sends_a_byte_a_second),
        cmocka_unit_test(fault_half_open_never_answers_nor_closes),
    };
    return cmocka_run_group_tests_name("ws/answers", tests, NULL, NULL);
}

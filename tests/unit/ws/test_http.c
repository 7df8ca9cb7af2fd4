/* Requests to the server over real sockets: keep-alive, pipelining, bodies, caps, and what is
 * refused. */
#include "tests.h"

#include "host.h"
#include "wire.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define HOST "Host: 127.0.0.1\r\n"

static void expect_body(struct wire *wire, int status, const char *body)
{
    struct reply reply;
    assert_true(wire_reply(wire, true, &reply));
    if (body && strcmp(reply.body, body) != 0)
        print_error("%s\n", reply.body);
    assert_int_equal(reply.status, status);
    if (body)
        assert_string_equal(reply.body, body);
    reply_free(&reply);
}

static void expect_status(struct wire *wire, int status)
{
    expect_body(wire, status, NULL);
}

static void keeps_a_connection_for_many_requests(void **state)
{
    struct host *host = host_start(NULL);
    struct wire *wire = wire_dial(host_port(host));
    (void)state;
    for (int i = 0; i < 1000; i++) {
        char want[64];
        wire_text(wire, "GET /echo?n=%d HTTP/1.1\r\n" HOST "\r\n", i);
        snprintf(want, sizeof want, "GET|/echo|n=%d|||", i);
        expect_body(wire, 200, want);
    }
    wire_text(wire, "GET /echo HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
    expect_body(wire, 200, "GET|/echo||||");
    assert_true(wire_at_end(wire));
    wire_close(wire);
    host_stop(host);
}

static void answers_pipelined_requests_in_order(void **state)
{
    struct host *host = host_start(NULL);
    struct wire *wire = wire_dial(host_port(host));
    (void)state;
    /* the slow one is first, and a body stands between two heads */
    wire_text(wire, "GET /answer?size=3&delay=50 HTTP/1.1\r\n" HOST "\r\n"
                    "PUT /echo/2 HTTP/1.1\r\n" HOST "Content-Length: 8\r\n\r\nGET / HT"
                    "GET /echo/3 HTTP/1.1\r\n" HOST "\r\n");
    expect_body(wire, 200, "abc");
    expect_body(wire, 200, "PUT|/echo/2||||GET / HT");
    expect_body(wire, 200, "GET|/echo/3||||");
    wire_close(wire);
    host_stop(host);
}

/* More than the server is willing to hold ahead: the rest waits in the kernel and is not lost. */
static void answers_thousands_of_pipelined_requests(void **state)
{
    enum { N = 5000 };
    struct host *host = host_start(NULL);
    struct wire *wire = wire_dial(host_port(host));
    (void)state;
    wire_text(wire, "GET /answer?size=1&delay=50 HTTP/1.1\r\n" HOST "\r\n");
    char *all = malloc((size_t)N * 64);
    size_t len = 0;
    for (int i = 0; i < N; i++)
        len += (size_t)sprintf(all + len, "GET /echo/%d HTTP/1.1\r\n" HOST "\r\n", i);
    wire_put(wire, all, len);
    expect_body(wire, 200, "a");
    for (int i = 0; i < N; i++) {
        char want[64];
        snprintf(want, sizeof want, "GET|/echo/%d||||", i);
        expect_body(wire, 200, want);
    }
    free(all);
    wire_close(wire);
    host_stop(host);
}

static void reads_a_request_byte_by_byte(void **state)
{
    static const char text[] = "POST /echo?a%26b HTTP/1.1\r\n" HOST "Content-Type: t\r\n"
                               "Authorization: Bearer x\r\nContent-Length: 5\r\n\r\nhello";
    struct host *host = host_start(NULL);
    struct wire *wire = wire_dial(host_port(host));
    (void)state;
    for (size_t i = 0; i < sizeof text - 1; i++)
        wire_put(wire, text + i, 1);
    expect_body(wire, 200, "POST|/echo|a%26b|Bearer x|t|hello");
    wire_close(wire);
    host_stop(host);
}

static void gives_path_and_query_as_received(void **state)
{
    struct host *host = host_start(NULL);
    struct wire *wire = wire_dial(host_port(host));
    (void)state;
    wire_text(wire, "GET /echo/../a%%2Fb;c=1//d%%00?x=1;y=%%26&&z=%%3b?# HTTP/1.1\r\n" HOST "\r\n");
    expect_status(wire, 400); /* '#' never leaves a client */
    wire_close(wire);
    wire = wire_dial(host_port(host));
    wire_text(wire, "GET /echo/../a%%2Fb;c=1//d%%00?x=1;y=%%26&&z=%%3b? HTTP/1.1\r\n" HOST "\r\n");
    expect_body(wire, 200, "GET|/echo/../a%2Fb;c=1//d%00|x=1;y=%26&&z=%3b?|||");
    wire_close(wire);
    host_stop(host);
}

static void takes_a_body_with_any_method(void **state)
{
    static const char *const methods[] = {"GET",  "DELETE",  "PUT",   "PATCH",
                                          "POST", "OPTIONS", "REPORT"};
    struct host *host = host_start(NULL);
    struct wire *wire = wire_dial(host_port(host));
    (void)state;
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        char want[64];
        wire_text(wire, "%s /echo HTTP/1.1\r\n" HOST "Content-Length: 4\r\n\r\nbody", methods[i]);
        snprintf(want, sizeof want, "%s|/echo||||body", methods[i]);
        expect_body(wire, 200, want);
        wire_text(wire, "%s /echo HTTP/1.1\r\n" HOST "\r\n", methods[i]); /* and without one */
        snprintf(want, sizeof want, "%s|/echo||||", methods[i]);
        expect_body(wire, 200, want);
    }
    wire_close(wire);
    host_stop(host);
}

static void answers_head_without_a_body(void **state)
{
    struct host *host = host_start(NULL);
    struct wire *wire = wire_dial(host_port(host));
    struct reply reply;
    (void)state;
    wire_text(wire, "HEAD /answer?size=1000 HTTP/1.1\r\n" HOST "\r\n");
    assert_true(wire_reply(wire, false, &reply));
    assert_int_equal(reply.announced, 1000);
    reply_free(&reply);
    wire_text(wire, "GET /answer?size=2 HTTP/1.1\r\n" HOST "\r\n");
    expect_body(wire, 200, "ab");
    wire_close(wire);
    host_stop(host);
}

static void takes_an_upload_of_8_mb(void **state)
{
    enum { SIZE = 8 << 20 };
    struct host *host = host_start(NULL);
    struct wire *wire = wire_dial(host_port(host));
    struct reply reply;
    char *body = malloc(SIZE);
    (void)state;
    for (size_t i = 0; i < SIZE; i++)
        body[i] = pattern_at(i);
    wire_text(wire, "PUT /echo HTTP/1.1\r\n" HOST "Content-Length: %d\r\n\r\n", SIZE);
    wire_put(wire, body, SIZE);
    assert_true(wire_reply(wire, true, &reply));
    size_t before = strlen("PUT|/echo||||");
    assert_int_equal(reply.body_len, before + SIZE);
    assert_memory_equal(reply.body + before, body, SIZE);
    reply_free(&reply);
    free(body);
    wire_close(wire);
    host_stop(host);
}

static void says_go_on_when_the_client_waits_for_it(void **state)
{
    struct host *host = host_start(NULL);
    struct wire *wire = wire_dial(host_port(host));
    struct reply reply;
    (void)state;
    wire_text(wire,
              "PUT /echo HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    assert_true(wire_reply(wire, false, &reply));
    assert_int_equal(reply.status, 100);
    reply_free(&reply);
    wire_text(wire, "ab");
    expect_body(wire, 200, "PUT|/echo||||ab");
    wire_close(wire);
    host_stop(host);
}

/* Also when the client goes on sending: the answer must not be lost to a reset. */
static void refuses_a_body_over_the_cap(void **state)
{
    enum { CAP = 1000, SIZE = 4 << 20 };
    struct host *host = host_start(&(struct mt_ws_server_options){.max_body_bytes = CAP});
    char *body = calloc(1, SIZE);
    (void)state;
    struct wire *wire = wire_dial(host_port(host));
    wire_text(wire, "PUT /answer?size=1 HTTP/1.1\r\n" HOST "Content-Length: %d\r\n\r\n", CAP);
    wire_put(wire, body, CAP);
    expect_body(wire, 200, "a");
    wire_text(wire, "PUT /answer HTTP/1.1\r\n" HOST "Content-Length: %d\r\n\r\n", CAP + 1);
    expect_status(wire, 413);
    assert_true(wire_at_end(wire));
    wire_close(wire);
    wire = wire_dial(host_port(host));
    wire_text(wire, "PUT /answer HTTP/1.1\r\n" HOST "Content-Length: %d\r\n\r\n", SIZE);
    wire_put(wire, body, SIZE);
    expect_status(wire, 413);
    wire_close(wire);
    assert_int_equal(host_count(host, HOST_REQUEST), 1);
    free(body);
    host_stop(host);
}

static void refuses_a_head_over_the_cap(void **state)
{
    struct host *host = host_start(NULL);
    char *text = malloc(1 << 20);
    (void)state;
    memset(text, 'a', 1 << 20);
    struct wire *wire = wire_dial(host_port(host));
    wire_text(wire, "GET /%.8000s HTTP/1.1\r\n" HOST "X-Long: %.7000s\r\n\r\n", text, text);
    expect_status(wire, 200);
    wire_text(wire, "GET / HTTP/1.1\r\n" HOST "X-Long: %.20000s\r\n\r\n", text);
    expect_status(wire, 431);
    assert_true(wire_at_end(wire));
    wire_close(wire);
    wire = wire_dial(host_port(host));
    wire_text(wire, "GET /%.9000s HTTP/1.1\r\n" HOST "\r\n", text);
    expect_status(wire, 414);
    wire_close(wire);
    wire = wire_dial(host_port(host)); /* no end of a line at all */
    wire_put(wire, text, 1 << 20);
    expect_status(wire, 431);
    wire_close(wire);
    free(text);
    host_stop(host);
}

/* What libwebsockets' own server would take for something else: nothing of it reaches the owner. */
static void refuses_what_could_be_misread(void **state)
{
    static const struct {
        int status;
        const char *text;
    } cases[] = {
        {411,
         "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"},
        {400, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 3\r\nContent-Length: 5\r\n\r\nabcde"},
        {400,
         "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {400, "GET /echo HTTP/1.1\r\n" HOST " folded\r\n\r\n"},
        {400, "GET /echo HTTP/1.1\r\n\r\n"},
        {400, "\x16\x03\x01\x02 a TLS hello\r\n\r\n"},
        {505, "PRI /x HTTP/2.0\r\n\r\n"},
    };
    struct host *host = host_start(NULL);
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct wire *wire = wire_dial(host_port(host));
        /* the second request would be a smuggled one, were the first understood wrongly */
        wire_text(wire, "%sGET /echo HTTP/1.1\r\n" HOST "\r\n", cases[i].text);
        expect_status(wire, cases[i].status);
        assert_true(wire_at_end(wire));
        wire_close(wire);
    }
    assert_int_equal(host_count(host, HOST_REQUEST), 0);
    host_stop(host);
}

static void closes_after_http_1_0(void **state)
{
    struct host *host = host_start(NULL);
    struct wire *wire = wire_dial(host_port(host));
    (void)state;
    wire_text(wire, "POST /echo HTTP/1.0\r\nContent-Length: 1\r\n\r\nx");
    expect_body(wire, 200, "POST|/echo||||x");
    assert_true(wire_at_end(wire));
    wire_close(wire);
    host_stop(host);
}

/* The owner is told that the client has left, and may not answer then; a request that was never
 * complete was never seen. */
static void tells_of_an_abandoned_exchange(void **state)
{
    struct host *host = host_start(NULL);
    struct wire *wire = wire_dial(host_port(host));
    (void)state;
    wire_text(wire, "GET /hold HTTP/1.1\r\n" HOST "\r\n");
    host_wait(host, HOST_REQUEST, 1);
    assert_int_equal(host_count(host, HOST_ABANDONED), 0);
    wire_close(wire);
    host_wait(host, HOST_ABANDONED, 1);
    wire = wire_dial(host_port(host));
    wire_text(wire, "GET /hold HTTP/1.1\r\n" HOST "\r\n");
    host_wait(host, HOST_REQUEST, 2);
    wire_reset(wire);
    host_wait(host, HOST_ABANDONED, 2);
    wire = wire_dial(host_port(host)); /* answered, but late: not abandoned */
    wire_text(wire, "GET /answer?size=1&delay=60000 HTTP/1.1\r\n" HOST "\r\n");
    host_wait(host, HOST_REQUEST, 3);
    struct wire *half = wire_dial(host_port(host));
    wire_text(half, "PUT /hold HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\nabc");
    wire_close(half);
    wire_close(wire);
    wire = wire_dial(host_port(host)); /* the server's end abandons it too */
    wire_text(wire, "GET /hold HTTP/1.1\r\n" HOST "\r\n");
    host_wait(host, HOST_REQUEST, 4);
    assert_int_equal(host_count(host, HOST_ABANDONED), 2);
    host_stop(host);
    wire_close(wire);
}

static const struct mt_ws_server_options bounded = {
    .host = "127.0.0.1", .max_connections = 2, .request_s = 1};

static void connections_are_bounded(void **state)
{
    struct host *host = host_start(&bounded);
    struct wire *first = wire_dial(host_port(host));
    struct reply reply;

    (void)state;
    wire_text(first, "GET /echo HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_true(wire_reply(first, true, &reply));
    reply_free(&reply);
    struct wire *second = wire_dial(host_port(host));
    wire_text(second, "GET /echo HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_true(wire_reply(second, true, &reply));
    reply_free(&reply);
    struct wire *third = wire_dial(host_port(host));
    assert_true(wire_at_end(third));
    wire_close(third);
    wire_text(first, "GET /echo HTTP/1.1\r\nHost: a\r\n\r\n"); /* those that are there go on */
    assert_true(wire_reply(first, true, &reply));
    reply_free(&reply);
    wire_close(first);
    wire_close(second);
    host_stop(host);
}

/* Silent, slow, or silent after an answer: none keeps its place. */
static void who_brings_no_request_is_closed(void **state)
{
    struct host *host = host_start(&bounded);
    struct wire *silent = wire_dial(host_port(host));
    struct wire *slow = wire_dial(host_port(host));
    struct reply reply;

    (void)state;
    wire_text(slow, "GET /echo HTTP/1.1\r\nHost: a\r\n");
    assert_true(wire_at_end(silent));
    assert_true(wire_at_end(slow));
    wire_close(silent);
    wire_close(slow);
    struct wire *idle = wire_dial(host_port(host));
    wire_text(idle, "GET /echo HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_true(wire_reply(idle, true, &reply));
    reply_free(&reply);
    assert_true(wire_at_end(idle));
    wire_close(idle);
    host_stop(host);
}

int test_http(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connections_are_bounded),
        cmocka_unit_test(who_brings_no_request_is_closed),
        cmocka_unit_test(keeps_a_connection_for_many_requests),
        cmocka_unit_test(answers_pipelined_requests_in_order),
        cmocka_unit_test(answers_thousands_of_pipelined_requests),
        cmocka_unit_test(reads_a_request_byte_by_byte),
        cmocka_unit_test(gives_path_and_query_as_received),
        cmocka_unit_test(takes_a_body_with_any_method),
        cmocka_unit_test(answers_head_without_a_body),
        cmocka_unit_test(takes_an_upload_of_8_mb),
        cmocka_unit_test(says_go_on_when_the_client_waits_for_it),
        cmocka_unit_test(refuses_a_body_over_the_cap),
        cmocka_unit_test(refuses_a_head_over_the_cap),
        cmocka_unit_test(refuses_what_could_be_misread),
        cmocka_unit_test(closes_after_http_1_0),
        cmocka_unit_test(tells_of_an_abandoned_exchange),
    };
    return cmocka_run_group_tests_name("ws/http", tests, NULL, NULL);
}

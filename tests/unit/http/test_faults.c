/* Requirement R15 of the network: what a server can do to a request, and what comes of it. */
#include "base/clock.h"
#include "base/rand.h"
#include "tests.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What the server does with its first `bad` requests; the later ones are answered well. */
struct behaviour {
    const char *text; /* sent as it is */
    unsigned bad;
    bool stay; /* and then waits for the client to go */
    bool reset;
    bool drip; /* text byte by byte, one each 50 ms */
};

static bool misbehave(void *ud, struct peer *peer, const struct request *request)
{
    const struct behaviour *how = ud;
    if (request->number > how->bad) {
        peer_answer(peer, 200, NULL, "good");
        return true;
    }
    for (const char *p = how->text; how->drip && *p && !peer_wait_closed(peer, 50); p++) {
        peer_send(peer, p, 1);
    }
    if (!how->drip) {
        peer_text(peer, how->text);
    }
    if (how->stay) {
        (void)peer_wait_closed(peer, -1);
    }
    if (how->reset) {
        peer_reset(peer);
    }
    return false;
}

struct row {
    const char *name;
    struct behaviour how;
    int64_t attempt_ms;
    enum mt_rc rc;
    const char *code;
};

static const struct row rows[] = {
    {"server error",
     {.text = "HTTP/1.1 500 X\r\nContent-Length: 2\r\n\r\nno"},
     0,
     MT_ERR_REMOTE,
     "http.server"},
    {"bad gateway",
     {.text = "HTTP/1.1 502 X\r\nContent-Length: 0\r\n\r\n"},
     0,
     MT_ERR_REMOTE,
     "http.server"},
    {"truncated",
     {.text = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"a\":"},
     0,
     MT_ERR_NETWORK,
     "http.truncated"},
    {"truncated chunk",
     {.text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n{\"a\":"},
     0,
     MT_ERR_NETWORK,
     "http.truncated"},
    {"no last chunk",
     {.text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"a\":\r\n"},
     0,
     MT_ERR_NETWORK,
     "http.truncated"},
    {"closed at once", {.text = ""}, 0, MT_ERR_NETWORK, "http.reset"},
    {"closed in the head",
     {.text = "HTTP/1.1 200 OK\r\nContent-Le"},
     0,
     MT_ERR_NETWORK,
     "http.truncated"},
    {"reset", {.text = "", .reset = true}, 0, MT_ERR_NETWORK, "http.reset"},
    {"not HTTP", {.text = "SSH-2.0-OpenSSH_9.2\r\n"}, 0, MT_ERR_PROTOCOL, "http.garbled"},
    {"bad gzip",
     {.text = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd"},
     0,
     MT_ERR_PROTOCOL,
     "http.garbled"},
    {"never answers", {.text = "", .stay = true}, 200, MT_ERR_TIMEOUT, "http.timeout"},
    {"stops midway",
     {.text = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"a\":", .stay = true},
     200,
     MT_ERR_TIMEOUT,
     "http.timeout"},
    {"slow loris",
     {.text = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"aaaaaaaaaaaaaaaaa",
      .drip = true,
      .stay = true},
     200,
     MT_ERR_TIMEOUT,
     "http.timeout"},
};

static void each_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct behaviour how = rows[i].how;
        struct ground g;
        struct ended e = {0};
        char host[32];
        how.bad = 1000;
        ground_begin(&g, NULL, misbehave, &how);
        snprintf(host, sizeof host, "127.0.0.1:%u", server_port(g.server));
        get(&g, "/", (struct mt_http_request){.attempt_ms = rows[i].attempt_ms, .max_attempts = 1},
            &e);
        print_message("# %s: %s\n", rows[i].name, e.fault.message);
        assert_int_equal(e.rc, rows[i].rc);
        assert_string_equal(e.fault.code, rows[i].code);
        assert_non_null(strstr(e.fault.message, host));
        assert_true(e.fault.retryable == (rows[i].rc != MT_ERR_PROTOCOL));
        assert_int_equal(e.attempts, 1);
        assert_int_equal(e.status,
                         rows[i].rc == MT_ERR_REMOTE ? strtol(how.text + 9, NULL, 10) : 0);
        ended_clear(&e);
        ground_end(&g);
    }
}

/* Two bad answers, then a good one. */
static void reading_is_tried_again(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct behaviour how = rows[i].how;
        struct ground g;
        struct ended e = {0};
        how.bad = 2;
        ground_begin(&g, NULL, misbehave, &how);
        quick_backoff(2);
        get(&g, "/", (struct mt_http_request){.attempt_ms = rows[i].attempt_ms}, &e);
        print_message("# %s\n", rows[i].name);
        assert_int_equal(e.rc, MT_OK);
        assert_string_equal(e.body, "good");
        assert_int_equal(e.attempts, 3);
        assert_int_equal(server_requests(g.server), 3);
        ended_clear(&e);
        ground_end(&g);
    }
}

static void sending_is_not(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct behaviour how = rows[i].how;
        struct ground g;
        struct ended e = {0};
        how.bad = 1;
        ground_begin(&g, NULL, misbehave, &how);
        struct mt_http_request request = {.method = "POST",
                                          .body = "hi",
                                          .body_len = 2,
                                          .retry = MT_HTTP_RETRY_NEVER,
                                          .attempt_ms = rows[i].attempt_ms};
        get(&g, "/", request, &e);
        print_message("# %s\n", rows[i].name);
        assert_int_equal(e.rc, rows[i].rc);
        assert_int_equal(mt_http_sent(g.http), 1);
        assert_true(server_requests(g.server) <= 1); /* 0: given up before the server looked */
        ended_clear(&e);
        ground_end(&g);
    }
}

/* Answers on a kept connection, then takes the next request and hangs up: curl alone would send
 * that again. */
static bool hang_up_on_second(void *ud, struct peer *peer, const struct request *request)
{
    (void)ud;
    if (request->number == 1) {
        peer_answer(peer, 200, NULL, "good");
    }
    return request->number == 1;
}

static void sending_is_not_repeated_by_curl_either(void **state)
{
    (void)state;
    struct ground g;
    struct ended e = {0};
    ground_begin(&g, NULL, hang_up_on_second, NULL);
    get(&g, "/", (struct mt_http_request){0}, &e);
    assert_int_equal(e.rc, MT_OK);
    get(&g, "/",
        (struct mt_http_request){
            .method = "POST", .body = "hi", .body_len = 2, .retry = MT_HTTP_RETRY_NEVER},
        &e);
    assert_int_equal(e.rc, MT_ERR_NETWORK);
    assert_int_equal(server_requests(g.server), 2);
    ended_clear(&e);
    ground_end(&g);
}

/* A server that closes idle connections: the next request notices and goes on a new one, without a
 * back-off. */
static bool close_after_each(void *ud, struct peer *peer, const struct request *request)
{
    (void)ud;
    (void)request;
    peer_answer(peer, 200, NULL, "good");
    return false; /* and never said so in a header */
}

static void dead_idle_connections_do_no_harm(void **state)
{
    (void)state;
    struct ground g;
    struct ended e = {0};
    ground_begin(&g, NULL, close_after_each, NULL);
    for (int i = 0; i < 20; i++) {
        get(&g, "/", (struct mt_http_request){0}, &e);
        assert_int_equal(e.rc, MT_OK);
        assert_int_equal(e.attempts, 1);
    }
    assert_int_equal(server_requests(g.server), 20);
    ended_clear(&e);
    ground_end(&g);
}

/* A port that nobody listens on. */
static unsigned free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static void refused(void **state)
{
    (void)state;
    struct ground g;
    struct ended e = {0};
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", free_port());
    ground_begin(&g, NULL, NULL, NULL);
    quick_backoff(2);
    /* Certainly not sent, so even what must not be repeated is tried again. */
    begin(&g,
          &(struct mt_http_request){
              .method = "POST", .url = url, .retry = MT_HTTP_RETRY_NEVER, .max_attempts = 3},
          &e);
    mt_loop_run(g.loop);
    print_message("# %s\n", e.fault.message);
    assert_int_equal(e.rc, MT_ERR_NETWORK);
    assert_string_equal(e.fault.code, "http.connect");
    assert_non_null(strstr(e.fault.message, "Connection refused"));
    assert_int_equal(e.attempts, 3);
    ended_clear(&e);
    ground_end(&g);
}

static void unknown_name(void **state)
{
    (void)state;
    struct ground g;
    struct ended e = {0};
    ground_begin(&g, NULL, NULL, NULL);
    begin(&g,
          &(struct mt_http_request){
              .method = "GET", .url = "https://no-such-host.invalid/", .max_attempts = 1},
          &e);
    mt_loop_run(g.loop);
    print_message("# %s\n", e.fault.message);
    /* Where no name server answers at all, the lookup ends by its time. */
    assert_true(strcmp(e.fault.code, "http.dns") == 0 ||
                strcmp(e.fault.code, "http.connect_timeout") == 0);
    assert_non_null(strstr(e.fault.message, "no-such-host.invalid"));
    ended_clear(&e);
    ground_end(&g);
}

/* The deadline bounds the whole call, whatever the attempts may take. */
static void the_deadline_holds(void **state)
{
    (void)state;
    struct behaviour how = {.text = "", .bad = 1000, .stay = true};
    struct ground g;
    struct ended e = {0};
    ground_begin(&g, NULL, misbehave, &how);
    mt_rand_seed(5);
    int64_t began_ms = mt_clock_mono_ms();
    get(&g, "/",
        (struct mt_http_request){.attempt_ms = 60, .deadline_ms = 600, .max_attempts = 1000}, &e);
    int64_t took_ms = mt_clock_mono_ms() - began_ms;
    print_message("# %s (%d ms)\n", e.fault.message, (int)took_ms);
    assert_int_equal(e.rc, MT_ERR_TIMEOUT);
    assert_string_equal(e.fault.code, "http.timeout");
    assert_non_null(strstr(e.fault.message, "within 0.6 s"));
    assert_true(took_ms >= 400 && took_ms < 5000);
    assert_true(e.attempts >= 2);
    ended_clear(&e);
    ground_end(&g);
}

static bool say_target(void *ud, struct peer *peer, const struct request *request)
{
    (void)ud;
    if (strcmp(request->method, "CONNECT") == 0) {
        peer_text(peer, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
        return false;
    }
    peer_answer(peer, 200, NULL, request->target);
    return true;
}

static void proxies_come_from_the_environment(void **state)
{
    (void)state;
    struct ground g;
    struct ended e = {0};
    char proxy[64];
    ground_begin(&g, &(struct mt_http_options){.allow_plain_remote = true}, say_target, NULL);
    snprintf(proxy, sizeof proxy, "http://127.0.0.1:%u", server_port(g.server));
    setenv("http_proxy", proxy, 1);
    setenv("https_proxy", proxy, 1);
    begin(&g, &(struct mt_http_request){.method = "GET", .url = "http://im.example.test/a?b"}, &e);
    mt_loop_run(g.loop);
    assert_int_equal(e.rc, MT_OK);
    assert_string_equal(e.body, "http://im.example.test/a?b");
    ended_clear(&e);
    begin(&g,
          &(struct mt_http_request){
              .method = "GET", .url = "https://im.example.test/", .max_attempts = 1},
          &e);
    mt_loop_run(g.loop);
    print_message("# %s\n", e.fault.message);
    assert_int_equal(e.rc, MT_ERR_NETWORK);
    assert_string_equal(e.fault.code, "http.proxy");
    setenv("no_proxy", "127.0.0.1", 1);
    get(&g, "/direct", (struct mt_http_request){0}, &e);
    assert_string_equal(e.body, "/direct");
    unsetenv("http_proxy");
    unsetenv("https_proxy");
    unsetenv("no_proxy");
    ended_clear(&e);
    ground_end(&g);
}

int test_faults(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_named),
        cmocka_unit_test(reading_is_tried_again),
        cmocka_unit_test(sending_is_not),
        cmocka_unit_test(sending_is_not_repeated_by_curl_either),
        cmocka_unit_test(dead_idle_connections_do_no_harm),
        cmocka_unit_test(refused),
        cmocka_unit_test(unknown_name),
        cmocka_unit_test(the_deadline_holds),
        cmocka_unit_test(proxies_come_from_the_environment),
    };
    return cmocka_run_group_tests_name("http faults", tests, NULL, NULL);
}

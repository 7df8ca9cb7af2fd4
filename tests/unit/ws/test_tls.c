/* wss://: who is trusted and who is not, and the way through a proxy. */
#include "tests.h"

#include "ground.h"
#include "tests/unit/http/certs.h"
#include "tls.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct trip {
    struct certs certs;
    char ca[128];
};

static int set_up(void **state)
{
    struct trip *trip = calloc(1, sizeof *trip);
    certs_make(&trip->certs);
    certs_ca(&trip->certs, trip->ca);
    *state = trip;
    return 0;
}

static int tear_down(void **state)
{
    struct trip *trip = *state;
    certs_remove(&trip->certs);
    free(trip);
    return 0;
}

static struct tls *serve(struct trip *trip, enum cert_kind kind, bool only_tls_1_1)
{
    char cert[128], key[128];
    return tls_start(certs_path(&trip->certs, kind, "pem", cert),
                     certs_path(&trip->certs, kind, "key", key), only_tls_1_1);
}

static void visit(const struct mt_ws_client_options *options, const char *host, uint16_t port,
                  struct seen *seen)
{
    char url[128];
    struct ground ground;
    snprintf(url, sizeof url, "wss://%s:%u/", host, port);
    *seen = (struct seen){.close_after = 1000};
    ground_begin(&ground, options);
    seen_to_end(seen, &ground, &(struct mt_ws_conn_options){.url = url});
    ground_end(&ground);
}

static void expect_hello(struct seen *seen)
{
    if (seen->has_fault)
        print_error("%s: %s\n", seen->fault.code, seen->fault.message);
    assert_int_equal(seen->message_n, 1);
    assert_string_equal(seen->text, "hello");
    seen_free(seen);
}

static void a_good_certificate_is_taken(void **state)
{
    struct trip *trip = *state;
    struct mt_ws_client_options options = {.ca_file = trip->ca, .https_proxy = ""};
    struct tls *tls = serve(trip, CERT_GOOD, false);
    struct seen seen;
    visit(&options, "localhost", tls_port(tls), &seen);
    expect_hello(&seen);
    visit(&options, "127.0.0.1", tls_port(tls), &seen); /* its address is named too */
    expect_hello(&seen);
    tls_stop(tls);
}

static void any_other_certificate_is_refused(void **state)
{
    struct trip *trip = *state;
    struct mt_ws_client_options options = {.ca_file = trip->ca, .https_proxy = ""};
    for (int kind = CERT_GOOD + 1; kind < CERT_KINDS; kind++) {
        struct tls *tls = serve(trip, (enum cert_kind)kind, false);
        struct seen seen;
        visit(&options, "localhost", tls_port(tls), &seen);
        assert_int_equal(seen.open_n, 0);
        if (seen.fault.retryable)
            print_error("%d: %s\n", kind, seen.fault.message);
        assert_string_equal(seen.fault.code, "tls.refused");
        assert_int_equal(seen.fault.kind, MT_ERR_NETWORK);
        assert_false(seen.fault.retryable);
        assert_int_equal(tls_upgraded(tls), 0); /* not even the request was sent */
        seen_free(&seen);
        tls_stop(tls);
    }
}

static void without_ca_file_only_the_systems_are_trusted(void **state)
{
    struct mt_ws_client_options options = {.https_proxy = ""};
    struct tls *tls = serve(*state, CERT_GOOD, false);
    struct seen seen;
    visit(&options, "localhost", tls_port(tls), &seen);
    assert_string_equal(seen.fault.code, "tls.refused");
    seen_free(&seen);
    tls_stop(tls);
}

static void a_ca_file_that_is_not_there_is_told(void **state)
{
    struct mt_ws_client_options options = {.ca_file = "/nonexistent/ca.pem", .https_proxy = ""};
    struct tls *tls = serve(*state, CERT_GOOD, false);
    struct seen seen;
    visit(&options, "localhost", tls_port(tls), &seen);
    assert_string_equal(seen.fault.code, "tls.ca");
    seen_free(&seen);
    tls_stop(tls);
}

static void old_tls_is_refused(void **state)
{
    struct trip *trip = *state;
    struct mt_ws_client_options options = {.ca_file = trip->ca, .https_proxy = ""};
    struct tls *tls = serve(trip, CERT_GOOD, true);
    struct seen seen;
    visit(&options, "localhost", tls_port(tls), &seen);
    assert_int_equal(seen.open_n, 0);
    assert_int_equal(seen.fault.kind, MT_ERR_NETWORK);
    seen_free(&seen);
    tls_stop(tls);
}

/* ---------------------------------------------------------------- proxies (trap 7) */

struct relay {
    uint16_t port;
    const char *refusal;
    char request[1024];
};

static void carry(int from, int to)
{
    struct pollfd set[2] = {{.fd = from, .events = POLLIN}, {.fd = to, .events = POLLIN}};
    char bytes[4096];
    while (poll(set, 2, 20000) > 0) {
        for (int i = 0; i < 2; i++) {
            if (!set[i].revents)
                continue;
            ssize_t n = read(set[i].fd, bytes, sizeof bytes);
            if (n <= 0 || write(set[1 - i].fd, bytes, (size_t)n) != n)
                return;
        }
    }
}

static void on_relay(struct wire *wire, void *ud)
{
    struct relay *relay = ud;
    while (wire->len == 0 || !strstr(wire->data, "\r\n\r\n"))
        if (!wire_more(wire))
            return;
    snprintf(relay->request, sizeof relay->request, "%s", wire->data);
    if (relay->refusal) {
        wire_text(wire, "%s", relay->refusal);
        return;
    }
    struct wire *server = wire_dial(relay->port);
    wire_text(wire, "HTTP/1.1 200 Connection established\r\n\r\n");
    carry(wire->fd, server->fd);
    wire_close(server);
}

static void a_proxy_is_asked_to_connect(void **state)
{
    struct trip *trip = *state;
    struct tls *tls = serve(trip, CERT_WRONG_HOST, false); /* it is elsewhere.example's */
    struct relay relay = {.port = tls_port(tls)};
    struct hand *hand = hand_start(on_relay, &relay);
    char proxy[128], want[128];
    struct seen seen;
    snprintf(proxy, sizeof proxy, "http://me:secret@localhost:%u", hand_port(hand));
    struct mt_ws_client_options options = {
        .ca_file = trip->ca, .https_proxy = proxy, .no_proxy = ""};
    visit(&options, "elsewhere.example", tls_port(tls), &seen);
    expect_hello(&seen);
    snprintf(want, sizeof want, "CONNECT elsewhere.example:%u HTTP/1.", tls_port(tls));
    assert_memory_equal(relay.request, want, strlen(want));
    assert_non_null(strcasestr(relay.request, "Proxy-authorization: basic bWU6c2VjcmV0"));
    /* the host is verified, and not the proxy's */
    visit(&options, "other.example", tls_port(tls), &seen);
    assert_string_equal(seen.fault.code, "tls.refused");
    seen_free(&seen);
    tls_stop(tls);
    hand_stop(hand);
}

static void the_environment_names_a_proxy(void **state)
{
    struct trip *trip = *state;
    struct tls *tls = serve(trip, CERT_WRONG_HOST, false);
    struct relay relay = {.port = tls_port(tls)};
    struct hand *hand = hand_start(on_relay, &relay);
    char proxy[128];
    struct seen seen;
    snprintf(proxy, sizeof proxy, "http://127.0.0.1:%u/", hand_port(hand));
    setenv("https_proxy", proxy, 1);
    struct mt_ws_client_options options = {.ca_file = trip->ca, .no_proxy = "other.example"};
    visit(&options, "elsewhere.example", tls_port(tls), &seen);
    expect_hello(&seen);
    setenv("no_proxy", "a.b, example", 1);
    options.no_proxy = NULL;
    visit(&options, "elsewhere.example", tls_port(tls), &seen);
    unsetenv("no_proxy");
    unsetenv("https_proxy");
    assert_string_equal(seen.fault.code, "ws.lookup"); /* directly, and there is no such name */
    assert_int_equal(hand_count(hand), 1);
    seen_free(&seen);
    tls_stop(tls);
    hand_stop(hand);
}

static void a_proxy_that_refuses_is_told(void **state)
{
    struct trip *trip = *state;
    static const char *const refusals[] = {"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
                                           "HTTP/1.1 502 Bad Gateway\r\n\r\n", ""};
    for (size_t i = 0; i < 3; i++) {
        struct relay relay = {.refusal = refusals[i]};
        struct hand *hand = hand_start(on_relay, &relay);
        char proxy[128];
        struct seen seen;
        snprintf(proxy, sizeof proxy, "http://127.0.0.1:%u/", hand_port(hand));
        struct mt_ws_client_options options = {
            .ca_file = trip->ca, .https_proxy = proxy, .no_proxy = ""};
        visit(&options, "elsewhere.example", 443, &seen);
        assert_int_equal(seen.open_n, 0);
        assert_int_equal(seen.fault.kind, MT_ERR_NETWORK);
        seen_free(&seen);
        hand_stop(hand);
    }
}

static void a_bad_proxy_is_an_error(void **state)
{
    static const char *const bad[] = {"https://p:1", "socks5://p:1",   "http://",
                                      "http://p:0",  "http://p:99999", "http://a b:1"};
    struct ground ground;
    (void)state;
    ground_begin(&ground, NULL);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct mt_ws_client *client = NULL;
        struct mt_fault fault = {0};
        struct mt_ws_client_options options = {.https_proxy = bad[i]};
        assert_int_equal(mt_ws_client_new(ground.loop, &options, &client, &fault), MT_ERR_INVALID);
        assert_string_equal(fault.code, "ws.proxy");
        assert_null(client);
    }
    ground_end(&ground);
}

int test_tls(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_certificate_is_taken),
        cmocka_unit_test(any_other_certificate_is_refused),
        cmocka_unit_test(without_ca_file_only_the_systems_are_trusted),
        cmocka_unit_test(a_ca_file_that_is_not_there_is_told),
        cmocka_unit_test(old_tls_is_refused),
        cmocka_unit_test(a_proxy_is_asked_to_connect),
        cmocka_unit_test(the_environment_names_a_proxy),
        cmocka_unit_test(a_proxy_that_refuses_is_told),
        cmocka_unit_test(a_bad_proxy_is_an_error),
    };
    return cmocka_run_group_tests_name("ws/tls", tests, set_up, tear_down);
}

/* Requirement R19: every bad certificate is refused, with words that say what is wrong; the good
 * one works. */
#include "certs.h"
#include "tests.h"

#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>

static struct certs certs;

static bool good(void *ud, struct peer *peer, const struct request *request)
{
    (void)ud;
    peer_answer(peer, 200, NULL, request->target);
    return true;
}

static struct server *serve(enum cert_kind kind, int max_version)
{
    char cert[128];
    char key[128];
    return server_start(
        &(struct server_options){.answer = good,
                                 .cert_file = certs_path(&certs, (int)kind, "pem", cert),
                                 .key_file = certs_path(&certs, (int)kind, "key", key),
                                 .max_version = max_version});
}

static void begin_tls(struct ground *g, bool with_ca, enum cert_kind kind, int max_version)
{
    char ca[128];
    ground_begin(g, &(struct mt_http_options){.ca_file = with_ca ? certs_ca(&certs, ca) : NULL},
                 NULL, NULL);
    g->server = serve(kind, max_version);
}

static void the_good_one_works(void **state)
{
    (void)state;
    struct ground g;
    struct ended e = {0};
    begin_tls(&g, true, CERT_GOOD, 0);
    for (int i = 0; i < 5; i++) {
        get(&g, "/x", (struct mt_http_request){0}, &e);
        if (e.rc != MT_OK) {
            print_error("%s\n", e.fault.message);
        }
        assert_int_equal(e.rc, MT_OK);
        assert_string_equal(e.body, "/x");
    }
    assert_int_equal(server_accepted(g.server), 1);
    ended_clear(&e);
    ground_end(&g);
}

static void each_bad_one_is_refused(void **state)
{
    (void)state;
    static const struct {
        enum cert_kind kind;
        bool with_ca;
        int max_version;
        const char *code;
        const char *says;
    } rows[] = {
        {CERT_EXPIRED, true, 0, "http.tls_expired", "has expired"},
        {CERT_FUTURE, true, 0, "http.tls_expired", "not valid yet"},
        {CERT_WRONG_HOST, true, 0, "http.tls_host", "another name"},
        {CERT_SELF_SIGNED, true, 0, "http.tls_untrusted", "self-signed"},
        {CERT_OTHER_CA, true, 0, "http.tls_untrusted", "nobody this machine trusts"},
        {CERT_FORGED_CA, true, 0, "http.tls", "localhost"},
        {CERT_GOOD, false, 0, "http.tls_untrusted", "nobody this machine trusts"},
        {CERT_GOOD, true, TLS1_1_VERSION, "http.tls", "localhost"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ground g;
        struct ended e = {0};
        begin_tls(&g, rows[i].with_ca, rows[i].kind, rows[i].max_version);
        get(&g, "/x", (struct mt_http_request){0}, &e);
        print_message("# %s\n", e.fault.message);
        assert_int_equal(e.rc, MT_ERR_NETWORK);
        assert_memory_equal(e.fault.code, rows[i].code, strlen(rows[i].code));
        assert_non_null(strstr(e.fault.message, rows[i].says));
        assert_non_null(strstr(e.fault.message, "localhost"));
        assert_false(e.fault.retryable);
        assert_int_equal(e.attempts, 1); /* not tried again */
        assert_int_equal(server_requests(g.server), 0);
        ended_clear(&e);
        ground_end(&g);
    }
}

static bool misnamed(void *ud, struct peer *peer, const struct request *request)
{
    (void)ud;
    (void)request;
    peer_answer(peer, 200, NULL, "plain");
    return true;
}

static void https_to_a_plain_port(void **state)
{
    (void)state;
    struct ground g;
    struct ended e = {0};
    char url[64];
    ground_begin(&g, NULL, misnamed, NULL);
    snprintf(url, sizeof url, "https://127.0.0.1:%u/", server_port(g.server));
    begin(&g,
          &(struct mt_http_request){
              .method = "GET", .url = url, .max_attempts = 1, .attempt_ms = 500},
          &e);
    mt_loop_run(g.loop);
    print_message("# %s: %s\n", e.fault.code, e.fault.message);
    assert_int_not_equal(e.rc, MT_OK);
    ended_clear(&e);
    ground_end(&g);
}

static void a_missing_ca_file_is_said_at_once(void **state)
{
    (void)state;
    struct mt_loop *loop = NULL;
    struct mt_http *http = NULL;
    struct mt_fault fault = {0};
    assert_int_equal(mt_loop_new(&loop), MT_OK);
    assert_int_equal(
        mt_http_new(loop, &(struct mt_http_options){.ca_file = "/no/such/ca.pem"}, &http, &fault),
        MT_ERR_NOT_FOUND);
    assert_non_null(strstr(fault.message, "/no/such/ca.pem"));
    assert_int_equal(mt_loop_free(loop), MT_OK);
}

static int make_certs(void **state)
{
    (void)state;
    certs_make(&certs);
    return 0;
}

static int remove_certs(void **state)
{
    (void)state;
    certs_remove(&certs);
    return 0;
}

int test_tls(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_good_one_works),
        cmocka_unit_test(each_bad_one_is_refused),
        cmocka_unit_test(https_to_a_plain_port),
        cmocka_unit_test(a_missing_ca_file_is_said_at_once),
    };
    return cmocka_run_group_tests_name("http TLS", tests, make_certs, remove_certs);
}

/* What comes back when the server answers: statuses, bodies, headers, methods, keep-alive,
 * redirects. */
#include "base/secret.h"
#include "tests.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool hello(void *ud, struct peer *peer, const struct request *request)
{
    (void)ud;
    (void)request;
    peer_answer(peer, 200,
                "Content-Type: application/json\r\nDate: Tue, 14 Nov 2023 22:13:20 GMT\r\n",
                "{\"a\":1}");
    return true;
}

static void an_answer_comes_back(void **state)
{
    (void)state;
    struct ground g;
    struct ended e = {0};
    ground_begin(&g, NULL, hello, NULL);
    get(&g, "/x", (struct mt_http_request){0}, &e);
    assert_int_equal(e.rc, MT_OK);
    assert_int_equal(e.status, 200);
    assert_string_equal(e.body, "{\"a\":1}");
    assert_int_equal(e.body_len, 7);
    assert_string_equal(e.content_type, "application/json");
    assert_int_equal(e.date_ms, 1700000000000);
    assert_int_equal(e.retry_after_ms, 0);
    assert_int_equal(e.attempts, 1);
    ended_clear(&e);
    ground_end(&g);
}

static void connections_are_kept(void **state)
{
    (void)state;
    struct ground g;
    struct ended e = {0};
    ground_begin(&g, NULL, hello, NULL);
    for (int i = 0; i < 50; i++) {
        get(&g, "/x", (struct mt_http_request){0}, &e);
        assert_int_equal(e.rc, MT_OK);
    }
    assert_int_equal(server_requests(g.server), 50);
    assert_int_equal(server_accepted(g.server), 1);
    assert_int_equal(mt_http_sent(g.http), 50);
    assert_int_equal(mt_http_in_flight(g.http), 0);
    ended_clear(&e);
    ground_end(&g);
}

/* What the server has seen of the last request. */
static bool mirror(void *ud, struct peer *peer, const struct request *request)
{
    char *out = malloc(sizeof request->head + request->body_len + 16);
    (void)ud;
    size_t n = (size_t)sprintf(out, "%s", request->head);
    memcpy(out + n, request->body, request->body_len + 1);
    peer_answer(peer, 200, NULL, out);
    free(out);
    return true;
}

static void methods_bodies_headers(void **state)
{
    (void)state;
    static const char *const headers[] = {"Content-Type: application/json", "X-Extra: 1", NULL};
    static const struct {
        const char *method;
        const char *body;
        const char *line;
        const char *has;
        const char *has_not;
    } rows[] = {
        {"GET", NULL, "GET /m HTTP/1.1\r\n", "\r\nX-Extra: 1\r\n", "Content-Length"},
        {"POST", "{\"x\":2}", "POST /m HTTP/1.1\r\n", "\r\n\r\n{\"x\":2}", "Expect"},
        {"DELETE", NULL, "DELETE /m HTTP/1.1\r\n", "Accept-Encoding: ", "Content-Length"},
        {"DELETE", "{\"y\":3}", "DELETE /m HTTP/1.1\r\n", "\r\n\r\n{\"y\":3}", "Expect"},
        {"PUT", "z", "PUT /m HTTP/1.1\r\n", "\r\n\r\nz", "urlencoded"},
        {"PUT", NULL, "PUT /m HTTP/1.1\r\n", "Content-Length: 0", "urlencoded"},
        {"POST", NULL, "POST /m HTTP/1.1\r\n", "Content-Length: 0", "urlencoded"},
        {"GET", NULL, "GET /m HTTP/1.1\r\n", "User-Agent: test/1\r\n", "Content-Length"},
    };
    struct ground g;
    struct ended e = {0};
    ground_begin(&g, &(struct mt_http_options){.user_agent = "test/1"}, mirror, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct mt_http_request r = {.method = rows[i].method,
                                    .headers = headers,
                                    .body = rows[i].body,
                                    .body_len = rows[i].body ? strlen(rows[i].body) : 0};
        get(&g, "/m", r, &e);
        assert_int_equal(e.rc, MT_OK);
        print_message("# %s\n", e.body);
        assert_memory_equal(e.body, rows[i].line, strlen(rows[i].line));
        assert_non_null(strstr(e.body, rows[i].has));
        assert_null(strstr(e.body, rows[i].has_not));
    }
    assert_int_equal(server_accepted(g.server),
                     1); /* one handle served all of these, one after the other */
    ended_clear(&e);
    ground_end(&g);
}

static void a_body_without_a_type_gets_none(void **state)
{
    (void)state;
    struct ground g;
    struct ended e = {0};
    ground_begin(&g, NULL, mirror, NULL);
    get(&g, "/m", (struct mt_http_request){.method = "POST", .body = "x", .body_len = 1}, &e);
    assert_null(strcasestr(e.body, "Content-Type"));
    assert_null(strstr(e.body, "Authorization"));
    ended_clear(&e);
    ground_end(&g);
}

static void a_long_body_is_sent_at_once(void **state)
{
    (void)state;
    struct ground g;
    struct ended e = {0};
    size_t len = 2 << 20;
    char *body = malloc(len);
    memset(body, 'b', len);
    ground_begin(&g, NULL, mirror, NULL);
    get(&g, "/m", (struct mt_http_request){.method = "POST", .body = body, .body_len = len}, &e);
    assert_int_equal(e.rc, MT_OK);
    assert_null(strstr(e.body, "Expect"));
    assert_true(e.body_len > len);
    assert_memory_equal(e.body + e.body_len - len, body, len);
    free(body);
    ended_clear(&e);
    ground_end(&g);
}

static void the_token_is_sent(void **state)
{
    (void)state;
    struct ground g;
    struct ended e = {0};
    struct mt_secret *secret = mt_secret_new("YWMtTOKEN-canary_42", 19);
    ground_begin(&g, NULL, mirror, NULL);
    get(&g, "/m", (struct mt_http_request){.bearer = secret}, &e);
    assert_non_null(strstr(e.body, "\r\nAuthorization: Bearer YWMtTOKEN-canary_42\r\n"));
    get(&g, "/m", (struct mt_http_request){0}, &e); /* the same handle, without one */
    assert_null(strstr(e.body, "Authorization"));
    mt_secret_free(secret);
    ended_clear(&e);
    ground_end(&g);
}

static bool by_target(void *ud, struct peer *peer, const struct request *request)
{
    (void)ud;
    peer_answer(peer, (int)strtol(request->target + 1, NULL, 10),
                "Content-Type: text/html; charset=utf-8\r\n", "<html>");
    return true;
}

static void other_statuses_come_back_as_they_are(void **state)
{
    (void)state;
    static const char *const targets[] = {"/200", "/204", "/304", "/400", "/401",
                                          "/403", "/404", "/408", "/413"};
    struct ground g;
    struct ended e = {0};
    ground_begin(&g, NULL, by_target, NULL);
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        get(&g, targets[i], (struct mt_http_request){0}, &e);
        assert_int_equal(e.rc, MT_OK);
        assert_int_equal(e.status, strtol(targets[i] + 1, NULL, 10));
        assert_int_equal(e.attempts, 1);
        assert_string_equal(e.content_type, "text/html; charset=utf-8");
    }
    assert_int_equal(mt_http_sent(g.http), sizeof targets / sizeof targets[0]);
    ended_clear(&e);
    ground_end(&g);
}

static bool sized(void *ud, struct peer *peer, const struct request *request)
{
    size_t len = strtoul(request->target + 1, NULL, 10);
    bool chunked = strstr(request->target, "chunked") != NULL;
    char head[128];
    char *body = malloc(len + 1);
    (void)ud;
    memset(body, 'x', len);
    if (chunked) {
        sprintf(head, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%zx\r\n", len);
    } else {
        sprintf(head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", len);
    }
    peer_text(peer, head);
    peer_send(peer, body, len);
    peer_text(peer, chunked ? "\r\n0\r\n\r\n" : "");
    free(body);
    return true;
}

static void the_cap_is_exact(void **state)
{
    (void)state;
    struct ground g;
    struct ended e = {0};
    ground_begin(&g, NULL, sized, NULL);
    for (int chunked = 0; chunked < 2; chunked++) {
        const char *fits = chunked ? "/100000?chunked" : "/100000";
        const char *over = chunked ? "/100001?chunked" : "/100001";
        get(&g, fits, (struct mt_http_request){.max_response_bytes = 100000}, &e);
        assert_int_equal(e.rc, MT_OK);
        assert_int_equal(e.body_len, 100000);
        get(&g, over, (struct mt_http_request){.max_response_bytes = 100000}, &e);
        assert_int_equal(e.rc, MT_ERR_LIMIT);
        assert_string_equal(e.fault.code, "http.too_large");
        assert_non_null(strstr(e.fault.message, "127.0.0.1"));
        assert_int_equal(e.attempts, 1);
    }
    get(&g, "/17000000", (struct mt_http_request){0}, &e); /* beyond the default of 16 MiB */
    assert_int_equal(e.rc, MT_ERR_LIMIT);
    get(&g, "/3000000", (struct mt_http_request){0}, &e);
    assert_int_equal(e.body_len, 3000000);
    get(&g, "/10", (struct mt_http_request){.max_response_bytes = 10}, &e);
    assert_int_equal(e.body_len, 10);
    ended_clear(&e);
    ground_end(&g);
}

/* 1 MiB of zeros in gzip, 1,057 bytes on the wire: the cap is on what comes out. */
static bool bomb(void *ud, struct peer *peer, const struct request *request)
{
    (void)request;
    const struct mt_http_request *gz = ud;
    char head[128];
    sprintf(head, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n",
            gz->body_len);
    peer_text(peer, head);
    peer_send(peer, gz->body, gz->body_len);
    return true;
}

static void the_cap_is_on_the_unpacked_body(void **state)
{
    (void)state;
    FILE *pipe = popen("head -c 1048576 /dev/zero | gzip -9n", "r");
    char gz[4096];
    assert_non_null(pipe);
    struct mt_http_request packed = {.body = gz, .body_len = fread(gz, 1, sizeof gz, pipe)};
    pclose(pipe);
    assert_in_range(packed.body_len, 500, 2000);
    struct ground g;
    struct ended e = {0};
    ground_begin(&g, NULL, bomb, &packed);
    get(&g, "/", (struct mt_http_request){0}, &e);
    assert_int_equal(e.rc, MT_OK);
    assert_int_equal(e.body_len, 1048576);
    get(&g, "/", (struct mt_http_request){.max_response_bytes = 1048575}, &e);
    assert_int_equal(e.rc, MT_ERR_LIMIT);
    ended_clear(&e);
    ground_end(&g);
}

struct other {
    char location[600];
    unsigned status;
};

static bool redirecting(void *ud, struct peer *peer, const struct request *request)
{
    struct other *other = ud;
    char headers[700];
    if (strcmp(request->target, "/end") == 0) {
        peer_answer(peer, 200, NULL, request->method);
        return true;
    }
    sprintf(headers, "Location: %s\r\n", other->location);
    peer_answer(peer, (int)other->status, headers, "moved");
    return true;
}

static void redirects_stay_at_the_place(void **state)
{
    (void)state;
    struct other other = {.location = "/end", .status = 302};
    struct ground g;
    struct ended e = {0};
    ground_begin(&g, NULL, redirecting, &other);
    get(&g, "/begin", (struct mt_http_request){0}, &e);
    assert_int_equal(e.rc, MT_OK);
    assert_string_equal(e.body, "GET");
    assert_int_equal(e.attempts, 1);
    snprintf(other.location, sizeof other.location, "/round/and/round");
    get(&g, "/begin", (struct mt_http_request){0}, &e);
    assert_int_equal(e.rc, MT_ERR_PROTOCOL);
    assert_string_equal(e.fault.code, "http.redirect");
    assert_int_equal(e.fault.http_status, 302);
    assert_int_equal(server_requests(g.server), 2 + 4);
    /* A POST may be sent on by 307, but 302 would make a GET of it. */
    snprintf(other.location, sizeof other.location, "/end");
    other.status = 307;
    get(&g, "/begin", (struct mt_http_request){.method = "POST", .body = "x", .body_len = 1}, &e);
    assert_string_equal(e.body, "POST");
    other.status = 302;
    get(&g, "/begin", (struct mt_http_request){.method = "POST", .body = "x", .body_len = 1}, &e);
    assert_int_equal(e.rc, MT_ERR_PROTOCOL);
    ended_clear(&e);
    ground_end(&g);
}

static void redirects_to_others_are_refused(void **state)
{
    (void)state;
    struct other other = {.status = 302};
    struct ground g;
    struct ended e = {0};
    ground_begin(&g, NULL, redirecting, &other);
    struct server *stranger = server_start(&(struct server_options){.answer = hello});
    const char *const places[] = {server_url(stranger, "/"),
                                  "https://elsewhere.example/?access_token=abc", "ftp://127.0.0.1/",
                                  "file:///etc/passwd", "http://u:p@127.0.0.1/"};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        snprintf(other.location, sizeof other.location, "%s", places[i]);
        get(&g, "/begin", (struct mt_http_request){0}, &e);
        print_message("# %s\n", e.fault.message);
        assert_int_equal(e.rc, MT_ERR_PROTOCOL);
        assert_string_equal(e.fault.code, "http.redirect");
        assert_null(strstr(e.fault.message, "access_token"));
    }
    assert_int_equal(server_accepted(stranger), 0);
    server_stop(stranger);
    ended_clear(&e);
    ground_end(&g);
}

static void bad_requests_do_not_start(void **state)
{
    (void)state;
    static const char *const split[] = {"X: a\r\nY: b", NULL};
    static const char *const nameless[] = {"just text", NULL};
    static const char *const forged[] = {"authorization: Bearer x", NULL};
    struct mt_secret *spaced = mt_secret_new("abc def", 7);
    struct mt_secret *broken = mt_secret_new("two\nlines", 9), *fine = mt_secret_new("fine", 4);
    const struct {
        struct mt_http_request request;
        enum mt_rc rc;
        const char *code;
    } rows[] = {
        {{.method = "BREW", .url = "http://127.0.0.1/"}, MT_ERR_INVALID, "http.method"},
        {{.url = "http://127.0.0.1/"}, MT_ERR_INVALID, "http.method"},
        {{.method = "GET"}, MT_ERR_INVALID, "http.url"},
        {{.method = "GET", .url = "gopher://x"}, MT_ERR_INVALID, "http.url"},
        {{.method = "GET", .url = "http://a1.easemob.com/"}, MT_ERR_DENIED, "http.plain"},
        {{.method = "GET", .url = "http://127.0.0.1/", .headers = split},
         MT_ERR_INVALID,
         "http.header"},
        {{.method = "GET", .url = "http://127.0.0.1/", .headers = nameless},
         MT_ERR_INVALID,
         "http.header"},
        {{.method = "GET", .url = "http://127.0.0.1/", .headers = forged},
         MT_ERR_INVALID,
         "http.header"},
        {{.method = "GET", .url = "http://127.0.0.1/", .bearer = spaced},
         MT_ERR_INVALID,
         "http.bearer"},
        {{.method = "GET", .url = "http://127.0.0.1/", .signature = broken},
         MT_ERR_INVALID,
         "http.signature"},
        {{.method = "GET", .url = "http://127.0.0.1/", .signature = fine, .bearer = fine},
         MT_ERR_INVALID,
         "http.signature"},
    };
    struct ground g;
    struct ended e = {0};
    ground_begin(&g, NULL, NULL, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct mt_fault fault = {0};
        assert_int_equal(mt_http_start(g.http, &rows[i].request, ended_done, &e, NULL, &fault),
                         rows[i].rc);
        assert_string_equal(fault.code, rows[i].code);
        print_message("# %s\n", fault.message);
    }
    mt_loop_run(g.loop);
    assert_int_equal(e.done_n, 0);
    mt_secret_free(spaced);
    mt_secret_free(broken);
    mt_secret_free(fine);
    ground_end(&g);
}

int test_answers(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_comes_back),
        cmocka_unit_test(connections_are_kept),
        cmocka_unit_test(methods_bodies_headers),
        cmocka_unit_test(a_body_without_a_type_gets_none),
        cmocka_unit_test(a_long_body_is_sent_at_once),
        cmocka_unit_test(the_token_is_sent),
        cmocka_unit_test(other_statuses_come_back_as_they_are),
        cmocka_unit_test(the_cap_is_exact),
        cmocka_unit_test(the_cap_is_on_the_unpacked_body),
        cmocka_unit_test(redirects_stay_at_the_place),
        cmocka_unit_test(redirects_to_others_are_refused),
        cmocka_unit_test(bad_requests_do_not_start),
    };
    return cmocka_run_group_tests_name("http answers", tests, NULL, NULL);
}

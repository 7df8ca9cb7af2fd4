/* The reader of request heads: what it gives out is what came, and what could be understood in two
 * ways is refused. */
#include "tests.h"

#include "ws/head_int.h"

#include <stdlib.h>
#include <string.h>

#define KEY     "dGhlIHNhbXBsZSBub25jZQ=="
#define UPGRADE "HTTP/1.1\r\nHost: h\r\nUpgrade: h2c, WebSocket\r\nConnection: x, upgrade\r\n"

static int read_head(const char *text, struct mt_ws_head *head, char **copy)
{
    size_t len = strlen(text);
    *copy = strdup(text); /* exactly as long as it is, so that a read beyond is seen */
    return mt_ws_head_read(*copy, len, head);
}

static void gives_the_target_as_received(void **state)
{
    static const char *const targets[][2] = {
        {"/a;b=1", "c;d=e&f=%26;g"}, {"/a%2Fb%00c/../d//e/./", "q=%2e%2E&&=&"},
        {"/%E4%BD%A0", "?x=?"},      {"//two", ""},
        {"/+", "a+b=%2B"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        struct mt_ws_head head;
        char text[256];
        char *copy = NULL;
        snprintf(text, sizeof text, "GET %s%s%s HTTP/1.1\r\nHost: h\r\n\r\n", targets[i][0],
                 targets[i][1][0] ? "?" : "", targets[i][1]);
        assert_int_equal(read_head(text, &head, &copy), 0);
        assert_string_equal(head.path, targets[i][0]);
        assert_string_equal(head.query, targets[i][1]);
        free(copy);
    }
}

static void reads_what_is_known(void **state)
{
    struct mt_ws_head head;
    char *copy = NULL;
    (void)state;
    assert_int_equal(
        read_head("PUT /x HTTP/1.1\r\nhOST: example:80\r\nAuthorization:  Bearer a b \t\r\n"
                  "Content-Type:text/plain\r\nX-Other: ,:\xc3\xa9\r\nContent-Length: 42\r\n"
                  "Expect: 100-Continue\r\nX-Empty:\r\n\r\n",
                  &head, &copy),
        0);
    assert_string_equal(head.method, "PUT");
    assert_string_equal(head.host, "example:80");
    assert_string_equal(head.authorization, "Bearer a b");
    assert_string_equal(head.content_type, "text/plain");
    assert_int_equal(head.content_length, 42);
    assert_true(head.expects_continue);
    assert_true(head.keep_alive);
    assert_false(head.upgrade);
    free(copy);
}

static void knows_when_the_connection_ends(void **state)
{
    static const struct {
        const char *text;
        bool keep_alive;
    } cases[] = {
        {"GET / HTTP/1.1\r\nHost: h\r\n\r\n", true},
        {"GET / HTTP/1.1\r\nHost: h\r\nConnection: x , CLOSE\r\n\r\n", false},
        {"GET / HTTP/1.1\r\nHost: h\r\nConnection: closed\r\n\r\n", true},
        {"GET / HTTP/1.0\r\n\r\n", false},
        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct mt_ws_head head;
        char *copy = NULL;
        assert_int_equal(read_head(cases[i].text, &head, &copy), 0);
        assert_int_equal(head.keep_alive, cases[i].keep_alive);
        free(copy);
    }
}

static void refuses_what_could_be_misread(void **state)
{
    static const struct {
        int status;
        const char *text;
    } cases[] = {
        {400, "\r\n"},
        {400, "\r\n\r\n"},
        {400, "GET\r\n\r\n"},
        {400, "GET /\r\n\r\n"},
        {400, "GET  / HTTP/1.1\r\nHost: h\r\n\r\n"},
        {400, "GET / HTTP/1.1 \r\nHost: h\r\n\r\n"},
        {400, " GET / HTTP/1.1\r\nHost: h\r\n\r\n"},
        {400, "G(T / HTTP/1.1\r\nHost: h\r\n\r\n"},
        {400, "GET x HTTP/1.1\r\nHost: h\r\n\r\n"},
        {400, "GET * HTTP/1.1\r\nHost: h\r\n\r\n"},
        {400, "GET http://h/ HTTP/1.1\r\nHost: h\r\n\r\n"},
        {400, "GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n"},
        {400, "GET /\xe4\xbd\xa0 HTTP/1.1\r\nHost: h\r\n\r\n"},
        {400, "GET /a\tb HTTP/1.1\r\nHost: h\r\n\r\n"},
        {400, "GET / http/1.1\r\nHost: h\r\n\r\n"},
        {505, "GET / HTTP/2.0\r\nHost: h\r\n\r\n"},
        {400, "GET / HTTP/1.11\r\nHost: h\r\n\r\n"},
        {501, "CONNECT / HTTP/1.1\r\nHost: h\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost:\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost : h\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: h\r\n folded\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\n Host: h\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: h\r\nno colon\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: h\r\n: no name\r\n\r\n"},
        {400, "GET / HTTP/1.1\nHost: h\n\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: h\nX: y\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: h\rX: y\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: h\r\nX: a\x01\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: h\r\nAuthorization: a\r\nAuthorization: b\r\n\r\n"},
        {400, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"},
        {400, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n"},
        {400, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1, 1\r\n\r\n"},
        {400, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +1\r\n\r\n"},
        {400, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n"},
        {400, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0x10\r\n\r\n"},
        {400, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length:\r\n\r\n"},
        {400, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000000000000\r\n\r\n"},
        {400, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 18446744073709551617\r\n\r\n"},
        {400,
         "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {400,
         "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n"},
        {411, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n"},
        {501, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"},
        {501, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n"},
        {400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {417, "POST / HTTP/1.1\r\nHost: h\r\nExpect: miracles\r\n\r\n"},
        {400, "POST / " UPGRADE "Sec-WebSocket-Key: " KEY "\r\nSec-WebSocket-Version: 13\r\n\r\n"},
        {400, "GET / " UPGRADE "Sec-WebSocket-Version: 13\r\n\r\n"},
        {400, "GET / " UPGRADE "Sec-WebSocket-Key: a\r\nSec-WebSocket-Version: 13\r\n\r\n"},
        {400, "GET / " UPGRADE "Sec-WebSocket-Key: " KEY "\r\nSec-WebSocket-Version: 13\r\n"
              "Content-Length: 1\r\n\r\n"},
        {426, "GET / " UPGRADE "Sec-WebSocket-Key: " KEY "\r\n\r\n"},
        {426, "GET / " UPGRADE "Sec-WebSocket-Key: " KEY "\r\nSec-WebSocket-Version: 8\r\n\r\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct mt_ws_head head;
        char *copy = NULL;
        int status = read_head(cases[i].text, &head, &copy);
        if (status != cases[i].status)
            print_error("%d for %s", status, cases[i].text);
        assert_int_equal(status, cases[i].status);
        free(copy);
    }
}

static void refuses_a_zero_byte(void **state)
{
    static const char whole[] = "GET /a?b HTTP/1.1\r\nHost: h\r\nX: yz\r\n\r\n";
    (void)state;
    for (size_t i = 0; i < sizeof whole - 5; i++) {
        struct mt_ws_head head;
        char *copy = malloc(sizeof whole);
        memcpy(copy, whole, sizeof whole);
        copy[i] = '\0';
        int status = mt_ws_head_read(copy, sizeof whole - 1, &head);
        if (status < 400)
            print_error("a zero byte at %zu passed\n", i);
        assert_true(status >= 400);
        free(copy);
    }
}

static void has_caps(void **state)
{
    struct mt_ws_head head;
    char *text = malloc(64000);
    (void)state;
    int n = sprintf(text, "GET / HTTP/1.1\r\nHost: h\r\n");
    for (int i = 1; i < MT_WS_HEADERS_N; i++)
        n += sprintf(text + n, "X-%d: y\r\n", i);
    char *at_cap = malloc(64000);
    int len = sprintf(at_cap, "%s\r\n", text);
    assert_int_equal(mt_ws_head_read(at_cap, (size_t)len, &head), 0);
    n += sprintf(text + n, "X-more: y\r\n\r\n");
    assert_int_equal(mt_ws_head_read(text, (size_t)n, &head), 431);
    n = sprintf(text, "GET /");
    memset(text + n, 'a', MT_WS_TARGET_BYTES);
    n += (int)MT_WS_TARGET_BYTES;
    n += sprintf(text + n, " HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_int_equal(mt_ws_head_read(text, (size_t)n, &head), 414);
    free(at_cap);
    free(text);
}

static void knows_an_upgrade(void **state)
{
    static const char rest[] = "Sec-WebSocket-Key: " KEY "\r\nSec-WebSocket-Version: 13\r\n"
                               "Sec-WebSocket-Protocol: a, b\r\n\r\n";
    struct mt_ws_head head;
    char text[512];
    char *copy = NULL;
    (void)state;
    snprintf(text, sizeof text, "GET / " UPGRADE "%s", rest);
    assert_int_equal(read_head(text, &head, &copy), 0);
    assert_true(head.upgrade);
    assert_string_equal(head.ws_key, KEY);
    assert_string_equal(head.ws_protocol, "a, b");
    free(copy);
    /* without "Connection: upgrade" it is a request like any other */
    snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n%s", rest);
    assert_int_equal(read_head(text, &head, &copy), 0);
    assert_false(head.upgrade);
    free(copy);
}

int test_head(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_the_target_as_received),
        cmocka_unit_test(reads_what_is_known),
        cmocka_unit_test(knows_when_the_connection_ends),
        cmocka_unit_test(refuses_what_could_be_misread),
        cmocka_unit_test(knows_an_upgrade),
        cmocka_unit_test(refuses_a_zero_byte),
        cmocka_unit_test(has_caps),
    };
    return cmocka_run_group_tests_name("ws/head", tests, NULL, NULL);
}

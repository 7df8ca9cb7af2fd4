/* The server's own beginning and end. */
#include "tests.h"

#include "base/mem.h"
#include "host.h"
#include "loop/loop.h"
#include "wire.h"

#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct mt_ws_server_handlers no_handlers;

static unsigned descriptors(void)
{
    unsigned n = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

/* Trap 12. The library ignores SIGPIPE for the whole process; it may touch nothing else. */
static void signal_handlers_are_left_alone(void **state)
{
    struct sigaction before[32], after;
    struct mt_loop *loop = NULL;
    struct mt_ws_server *server = NULL;
    struct mt_ws_server_options options = {.host = "127.0.0.1"};
    (void)state;
    for (int i = 1; i < 32; i++)
        (void)sigaction(i, NULL, &before[i]);
    assert_int_equal(mt_loop_new(&loop), MT_OK);
    assert_int_equal(mt_ws_server_new(loop, &options, &no_handlers, NULL, &server, NULL), MT_OK);
    for (int i = 1; i < 32; i++) {
        (void)sigaction(i, NULL, &after);
        if (after.sa_handler != before[i].sa_handler)
            print_message("signal %d has another handler\n", i);
        assert_true(i == SIGPIPE || after.sa_handler == before[i].sa_handler);
    }
    mt_ws_server_free(server);
    assert_int_equal(mt_loop_free(loop), MT_OK);
}

/* Trap 2: the order of destruction with a shared loop. The loop stays usable for others, and
 * nothing is left on it, in memory or among the descriptors. */
static void a_server_can_be_made_and_freed_many_times(void **state)
{
    struct mt_loop *loop = NULL;
    unsigned before = 0;
    int64_t live = 0;
    (void)state;
    assert_int_equal(mt_loop_new(&loop), MT_OK);
    for (int i = 0; i < 20; i++) {
        struct mt_ws_server_options options = {.host = i % 2 ? "127.0.0.1" : "localhost"};
        struct mt_ws_server *server = NULL;
        assert_int_equal(mt_ws_server_new(loop, &options, &no_handlers, NULL, &server, NULL),
                         MT_OK);
        assert_true(mt_ws_server_port(server) > 0);
        for (int turn = 0; turn < i; turn++)
            mt_loop_turn(loop);
        mt_ws_server_free(server);
        if (i == 4) { /* what libraries keep once is there by now */
            before = descriptors();
            live = mt_mem_seam_live();
        }
    }
    assert_int_equal(descriptors(), before);
    assert_int_equal(mt_mem_seam_live(), live);
    assert_int_equal(mt_loop_free(loop), MT_OK);
    mt_ws_server_free(NULL);
}

static void a_server_can_be_freed_in_the_middle_of_everything(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) {
        struct host *host = host_start(NULL);
        struct wire *wires[6];
        uint16_t port = host_port(host);
        for (int k = 0; k < 4; k++)
            wires[k] = wire_dial(port);
        wire_text(wires[1], "GET /half HTTP/1.1\r\nHo");
        wire_text(wires[2], "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
        wire_text(wires[3], "GET /answer?size=4000000 HTTP/1.1\r\nHost: h\r\n\r\n");
        wires[4] = wire_ws(port, "/echo");
        wires[5] = wire_ws(port, "/silent");
        host_wait(host, HOST_REQUEST, 2);
        host_stop(host);
        for (int k = 0; k < 6; k++)
            wire_close(wires[k]);
    }
}

static void two_servers_share_a_loop(void **state)
{
    struct mt_loop *loop = NULL;
    struct mt_ws_server *one = NULL;
    struct mt_ws_server *two = NULL;
    struct mt_ws_server_options options = {.host = "127.0.0.1"};
    (void)state;
    assert_int_equal(mt_loop_new(&loop), MT_OK);
    assert_int_equal(mt_ws_server_new(loop, &options, &no_handlers, NULL, &one, NULL), MT_OK);
    assert_int_equal(mt_ws_server_new(loop, &options, &no_handlers, NULL, &two, NULL), MT_OK);
    assert_int_not_equal(mt_ws_server_port(one), mt_ws_server_port(two));
    mt_ws_server_free(one);
    mt_ws_server_free(two);
    assert_int_equal(mt_loop_free(loop), MT_OK);
}

static void a_taken_port_is_an_error(void **state)
{
    struct host *host = host_start(NULL);
    struct mt_loop *loop = NULL;
    struct mt_ws_server *server = NULL;
    struct mt_fault fault = {0};
    struct mt_ws_server_options options = {.host = "127.0.0.1", .port = host_port(host)};
    (void)state;
    assert_int_equal(mt_loop_new(&loop), MT_OK);
    assert_int_equal(mt_ws_server_new(loop, &options, &no_handlers, NULL, &server, &fault),
                     MT_ERR_IO);
    assert_null(server);
    assert_string_equal(fault.code, "ws.listen");
    assert_int_equal(mt_loop_free(loop), MT_OK);
    host_stop(host);
}

static void only_loopback_is_listened_on(void **state)
{
    static const char *const hosts[] = {"0.0.0.0",
                                        "192.168.1.1",
                                        "::",
                                        "example.com",
                                        "",
                                        "127.0.0.1.example.com",
                                        "localhost.example.com",
                                        "::1"};
    struct mt_loop *loop = NULL;
    (void)state;
    assert_int_equal(mt_loop_new(&loop), MT_OK);
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        struct mt_ws_server *server = NULL;
        struct mt_fault fault = {0};
        struct mt_ws_server_options options = {.host = hosts[i]};
        assert_int_equal(mt_ws_server_new(loop, &options, &no_handlers, NULL, &server, &fault),
                         MT_ERR_INVALID);
        assert_string_equal(fault.code, "ws.not_loopback");
    }
    assert_int_equal(mt_loop_free(loop), MT_OK);
}

/* The server has no clients: what the environment says of proxies is nothing to it. */
static void a_proxy_in_the_environment_is_ignored(void **state)
{
    struct reply reply;
    (void)state;
    setenv("http_proxy", "http://127.0.0.1:9", 1);
    struct host *host = host_start(NULL);
    unsetenv("http_proxy");
    struct wire *wire = wire_dial(host_port(host));
    wire_text(wire, "GET /answer?size=1 HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_true(wire_reply(wire, true, &reply));
    assert_int_equal(reply.status, 200);
    reply_free(&reply);
    wire_close(wire);
    host_stop(host);
}

int test_life(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signal_handlers_are_left_alone),
        cmocka_unit_test(a_server_can_be_made_and_freed_many_times),
        cmocka_unit_test(a_server_can_be_freed_in_the_middle_of_everything),
        cmocka_unit_test(two_servers_share_a_loop),
        cmocka_unit_test(a_taken_port_is_an_error),
        cmocka_unit_test(only_loopback_is_listened_on),
        cmocka_unit_test(a_proxy_in_the_environment_is_ignored),
    };
    return cmocka_run_group_tests_name("ws/life", tests, NULL, NULL);
}

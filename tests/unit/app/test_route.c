/* Which page a request means, and for whom. */
#include "app/service_int.h"
#include "tests.h"

#include <string.h>

static int ask(const char *method, const char *path, const char *host, enum mt_service_page *page)
{
    int status = 0;

    *page = mt_service_route(method, path, host, "127.0.0.5", 9464, &status);
    assert_true((*page == MT_SERVICE_NOTHING) == (status != 200));
    return status;
}

static void pages(void **state)
{
    static const char *const paths[] = {"/", "/status.json", "/metrics", "/health", "/ready"};
    static const char *const others[] = {
        "", "//", "/Metrics", "/metrics/", "/metrics%00", "/../ready", "/ready ", "*", "metrics"};
    enum mt_service_page page = MT_SERVICE_NOTHING;

    (void)state;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(ask("GET", paths[i], "127.0.0.5:9464", &page), 200);
        assert_int_equal(page, i);
        assert_int_equal(ask("HEAD", paths[i], "localhost:9464", &page), 200);
        assert_int_equal(ask("POST", paths[i], "localhost:9464", &page), 405);
        assert_int_equal(ask("get", paths[i], "localhost:9464", &page), 405);
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_int_equal(ask("GET", others[i], "127.0.0.1:9464", &page), 404);
}

static void hosts(void **state)
{
    static const char *const own[] = {"127.0.0.5:9464", "127.0.0.1:9464", "LocalHost:9464"};
    static const char *const foreign[] = {"",
                                          "127.0.0.5",
                                          "127.0.0.5:",
                                          "127.0.0.5:94640",
                                          "127.0.0.5:9464.",
                                          "127.0.0.5:9464@evil.example",
                                          "127.0.0.5:9464 ",
                                          "localhost.evil.example:9464",
                                          "localhost:80",
                                          "127.0.0.2:9464",
                                          "[::1]:9464",
                                          "evil.example:9464"};
    enum mt_service_page page = MT_SERVICE_NOTHING;
    int status = 0;

    (void)state;
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        assert_int_equal(ask("GET", "/", own[i], &page), 200);
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
        assert_int_equal(ask("GET", "/", foreign[i], &page), 421);
        assert_int_equal(ask("POST", "/x", foreign[i], &page), 421); /* before all else */
    }
    mt_service_route("GET", "/", "localhost", "127.0.0.1", 80, &status);
    assert_int_equal(status, 200);
}

int test_route(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages),
        cmocka_unit_test(hosts),
    };
    return cmocka_run_group_tests_name("app/route", tests, NULL, NULL);
}

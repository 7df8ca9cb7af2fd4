/* Users' tokens by the server API: what is sent, what is refused, when the host is changed. */
#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "http/http.h"
#include "loop/loop.h"
#include "provider/rongcloud/app_int.h"
#include "ws/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

int test_app(void);

#define GUARD_MS 400000 /* of a time that goes eight times as fast */
#define SECRET   "s3cr3t/+="
#define INFO                                                                                       \
    "{\"code\":200,\"userName\":\"A & B\",\"userPortrait\":\"http://p/\",\"createTime\":\"x\"}"
#define TOKEN "{\"code\":200,\"userId\":\"ann\",\"token\":\"opaque@nav.one;nav.two\"}"

struct world;

struct host {
    struct world *world;
    struct mt_ws_server *server;
    unsigned requests;
    /* What it answers; NULL body: the usual. */
    int status;
    const char *body;
    unsigned times; /* so often; 0: always */
};

struct world {
    struct mt_loop *loop;
    struct mt_http *http;
    struct host hosts[2];
    struct mt_provider_app *app;
    struct mt_timer *guard;
    const char *info; /* of user/info.json */
    char paths[64][32], bodies[64][512];
    size_t seen_n, bad_signatures, waiting, ended;
    enum mt_rc rc;
    char token[128];
    struct mt_fault fault;
};

static void on_guard(void *ud)
{
    (void)ud;
    (void)fprintf(stderr, "# a token did not come\n");
    abort();
}

/* With the same function, but from what really came: that it is right is shown by the examples. */
static bool signed_well(const struct world *world, const struct mt_ws_request *request)
{
    char want[41];

    return mt_rong_app_sign(mt_rong_app_core(world->app), mt_ws_request_header(request, "Nonce"),
                            mt_ws_request_header(request, "Timestamp"), want) == MT_OK &&
           strcmp(want, mt_ws_request_header(request, "Signature")) == 0 &&
           strcmp(mt_ws_request_header(request, "App-Key"), "key") == 0 &&
           strlen(mt_ws_request_header(request, "Nonce")) > 0 &&
           strlen(mt_ws_request_header(request, "X-Request-Id")) == 36;
}

static void on_request(void *ud, struct mt_ws_exchange *exchange,
                       const struct mt_ws_request *request)
{
    struct host *host = ud;
    struct world *world = host->world;
    struct mt_ws_answer answer = {.status = 200};

    assert_true(world->seen_n < 64);
    snprintf(world->paths[world->seen_n], sizeof world->paths[0], "%s", request->path);
    snprintf(world->bodies[world->seen_n], sizeof world->bodies[0], "%.*s", (int)request->body_len,
             (const char *)request->body);
    world->seen_n++;
    world->bad_signatures += !signed_well(world, request);
    host->requests++;
    answer.body = strcmp(request->path, "/user/info.json") == 0 ? world->info : TOKEN;
    if (host->status != 0) {
        answer.status = host->status;
        answer.body = host->body;
        if (host->times > 0 && --host->times == 0)
            host->status = 0;
    }
    answer.body_len = strlen(answer.body);
    mt_ws_answer(exchange, &answer);
}

static void on_abandoned(void *ud, struct mt_ws_exchange *exchange)
{
    (void)ud;
    (void)exchange;
}

static void silent(void *ud, enum mt_log_level level, const char *line)
{
    (void)ud;
    (void)level;
    assert_null(strstr(line, SECRET));
}

static void begin(struct world *world, bool create_users)
{
    const struct mt_ws_server_handlers handlers = {.request = on_request,
                                                   .abandoned = on_abandoned};
    const struct mt_ws_server_options options = {.host = "127.0.0.1"};
    struct mt_secret *secret = mt_secret_new(SECRET, strlen(SECRET));
    char urls[2][64];
    const char *api[] = {urls[0], urls[1], NULL};
    struct mt_app_config config = {.name = "acme",
                                   .appkey = "key",
                                   .secret = secret,
                                   .api = api,
                                   .create_users = create_users,
                                   .rate_per_s = -1};

    memset(world, 0, sizeof *world);
    world->info = INFO;
    mt_log_sink_set(silent, NULL);
    assert_int_equal(mt_loop_new(&world->loop), MT_OK);
    assert_int_equal(mt_http_new(world->loop, NULL, &world->http, NULL), MT_OK);
    assert_int_equal(mt_timer_new(world->loop, on_guard, NULL, &world->guard), MT_OK);
    for (size_t i = 0; i < 2; i++) {
        world->hosts[i].world = world;
        assert_int_equal(mt_ws_server_new(world->loop, &options, &handlers, &world->hosts[i],
                                          &world->hosts[i].server, NULL),
                         MT_OK);
        snprintf(urls[i], sizeof urls[i], "http://127.0.0.1:%u/",
                 (unsigned)mt_ws_server_port(world->hosts[i].server));
    }
    assert_int_equal(mt_rong_app_open(world->loop, world->http, &config, &world->app, NULL), MT_OK);
    mt_secret_free(secret);
}

static void end(struct world *world)
{
    mt_rong_app_close(world->app);
    mt_timer_free(world->guard);
    mt_http_free(world->http);
    for (size_t i = 0; i < 2; i++)
        mt_ws_server_free(world->hosts[i].server);
    assert_int_equal(mt_loop_free(world->loop), MT_OK);
    mt_log_sink_set(NULL, NULL);
}

static void on_token(void *ud, enum mt_rc rc, const char *token, const struct mt_fault *fault)
{
    struct world *world = ud;

    assert_true((rc == MT_OK) == (token != NULL) && (rc == MT_OK) == (fault == NULL));
    world->rc = rc;
    snprintf(world->token, sizeof world->token, "%s", token == NULL ? "" : token);
    if (fault != NULL)
        world->fault = *fault;
    world->ended++;
    if (--world->waiting == 0)
        mt_loop_stop(world->loop);
}

static struct mt_app_ask *ask(struct world *world, const char *user)
{
    struct mt_app_ask *out = NULL;

    world->waiting++;
    assert_int_equal(mt_rong_app_token(world->app, user, on_token, world, &out), MT_OK);
    return out;
}

static void run(struct world *world)
{
    mt_timer_start(world->guard, GUARD_MS, 0);
    while (world->waiting > 0)
        mt_loop_run(world->loop);
    mt_timer_stop(world->guard);
}

static void signatures(void **state)
{
    struct world world;
    char out[41];

    (void)state;
    begin(&world, false);
    /* computed with another language's library */
    assert_int_equal(
        mt_rong_app_sign(mt_rong_app_core(world.app), "000000000000001", "1700000000", out), MT_OK);
    assert_string_equal(out, "a0bbde8585a13fefa9e4dcdd580794652ff19b2b");
    end(&world);
}

static void a_token_keeps_what_the_user_has(void **state)
{
    struct world world;

    (void)state;
    begin(&world, false);
    (void)ask(&world, "ann b");
    run(&world);
    assert_int_equal(world.rc, MT_OK);
    assert_string_equal(world.token, "opaque@nav.one;nav.two");
    assert_int_equal(world.seen_n, 2);
    assert_int_equal(world.bad_signatures, 0);
    assert_string_equal(world.paths[0], "/user/info.json");
    assert_string_equal(world.bodies[0], "userId=ann%20b");
    assert_string_equal(world.paths[1], "/user/getToken.json");
    assert_string_equal(world.bodies[1],
                        "userId=ann%20b&name=A%20%26%20B&portraitUri=http%3A%2F%2Fp%2F");
    end(&world);
}

static void a_user_that_is_not_there(void **state)
{
    static const char *const infos[] = {"{\"code\":404}", "{\"code\":200,\"userName\":\"\"}",
                                        "{\"code\":1002,\"errorMessage\":\"no user\"}"};

    (void)state;
    for (size_t i = 0; i < sizeof infos / sizeof infos[0]; i++) {
        struct world world;

        begin(&world, false);
        world.info = infos[i];
        (void)ask(&world, "ann");
        run(&world);
        assert_int_equal(world.rc, MT_ERR_NOT_FOUND);
        assert_string_equal(world.fault.code, "user.unknown");
        assert_int_equal(world.seen_n, 1);
        end(&world);
        begin(&world, true);
        world.info = infos[i];
        (void)ask(&world, "ann");
        run(&world);
        assert_int_equal(world.rc, MT_OK);
        assert_string_equal(world.bodies[1], "userId=ann&name=ann");
        end(&world);
    }
}

static void refusals(void **state)
{
    static const struct {
        int status;
        const char *body;
        enum mt_rc rc;
        const char *code;
        int provider_code;
    } cases[] = {
        {401, "{\"code\":1004,\"errorMessage\":\"Invalid signature\"}", MT_ERR_AUTH,
         "auth.app_refused", 1004},
        {403, "<html>", MT_ERR_AUTH, "auth.app_refused", 0},
        {200, "{\"code\":1009}", MT_ERR_UNSUPPORTED, "service.not_opened", 1009},
        {200, "{\"code\":2007}", MT_ERR_LIMIT, "limit.exceeded", 2007},
        {200, "{\"code\":200}", MT_ERR_PROTOCOL, "auth.no_token", 0},
        {429, "{\"code\":1008}", MT_ERR_RATE, "rate.limited", 1008},
        {200, "[", MT_ERR_REMOTE, "server.failed", 0},
        {200, "{\"code\":1000,\"token\":\"x\"}", MT_ERR_REMOTE, "server.failed", 1000},
        {503, "busy", MT_ERR_REMOTE, "http.status", 0},
    };

    (void)state;
    mt_clock_seam_speed(8);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world world;

        begin(&world, true);
        world.info = "{\"code\":1002}"; /* goes on to the token */
        for (size_t k = 0; k < 2; k++) {
            world.hosts[k].status = cases[i].status;
            world.hosts[k].body = cases[i].body;
        }
        (void)ask(&world, "ann");
        run(&world);
        if (world.rc != cases[i].rc ||
            (cases[i].status != 503 && strcmp(world.fault.code, cases[i].code) != 0))
            fail_msg("case %zu: %s, %s", i, mt_rc_name(world.rc), world.fault.code);
        assert_int_equal(world.fault.provider_code, cases[i].provider_code);
        assert_null(strstr(world.fault.message, SECRET));
        if (cases[i].rc == MT_ERR_AUTH) { /* a wrong secret is asked with once */
            size_t n = world.seen_n;

            (void)ask(&world, "bob");
            run(&world);
            assert_int_equal(world.rc, MT_ERR_AUTH);
            assert_int_equal(world.seen_n, n);
        }
        end(&world);
    }
    mt_clock_seam_speed(1);
}

static void a_failing_host_is_left_once_in_thirty_seconds(void **state)
{
    struct world world;

    (void)state;
    begin(&world, false);
    world.hosts[0].status = 502;
    world.hosts[0].body = "bad gateway";
    for (int i = 0; i < 8; i++)
        (void)ask(&world, "ann");
    run(&world);
    assert_int_equal(world.rc, MT_OK);
    assert_int_equal(world.ended, 8);
    assert_int_equal(world.hosts[0].requests, 8);  /* those that were on their way */
    assert_int_equal(world.hosts[1].requests, 16); /* and all of them there */
    /* the other one fails at once: it is not left again so soon */
    world.hosts[0].status = 0;
    world.hosts[1].status = 500;
    world.hosts[1].body = "";
    world.hosts[1].times = 1;
    (void)ask(&world, "ann");
    run(&world);
    assert_int_equal(world.rc, MT_OK);
    assert_int_equal(world.hosts[0].requests, 8);
    assert_int_equal(world.bad_signatures, 0);
    end(&world);
}

static void may_be_cancelled(void **state)
{
    struct world world;

    (void)state;
    begin(&world, false);
    mt_app_ask_cancel(ask(&world, "ann"));
    run(&world);
    assert_int_equal(world.rc, MT_ERR_CANCELLED);
    struct mt_app_ask *late = ask(&world, "ann"); /* while the answer is waited for */
    while (world.seen_n == 0)
        (void)mt_loop_turn(world.loop);
    mt_app_ask_cancel(late);
    run(&world);
    assert_int_equal(world.rc, MT_ERR_CANCELLED);
    world.hosts[0].status = world.hosts[1].status = 503;
    world.hosts[0].body = world.hosts[1].body = "";
    struct mt_app_ask *resting = ask(&world, "ann");
    while (world.hosts[1].requests == 0)
        (void)mt_loop_turn(world.loop);
    mt_app_ask_cancel(resting);
    run(&world);
    assert_int_equal(world.rc, MT_ERR_CANCELLED);
    end(&world);
}

static void wrong_configuration_is_named(void **state)
{
    struct mt_secret *secret = mt_secret_new(SECRET, strlen(SECRET));
    const char *const spaced[] = {"https://api one", NULL};
    const char *const scheme[] = {"api.rong-api.com", NULL};
    const struct mt_app_config configs[] = {
        {.name = "acme", .appkey = "key"},
        {.name = "acme", .secret = secret},
        {.name = "acme", .appkey = "k ey", .secret = secret},
        {.name = "acme", .appkey = "key", .secret = secret, .area = "mars"},
        {.name = "acme", .appkey = "key", .secret = secret, .tokens = "inherit"},
        {.name = "acme", .appkey = "key", .secret = secret, .api = spaced},
        {.name = "acme", .appkey = "key", .secret = secret, .api = scheme},
    };
    struct world world;

    (void)state;
    begin(&world, false);
    for (size_t i = 0; i < sizeof configs / sizeof configs[0]; i++) {
        struct mt_provider_app *app = NULL;
        struct mt_fault fault;

        assert_int_equal(mt_rong_app_open(world.loop, world.http, &configs[i], &app, &fault),
                         MT_ERR_INVALID);
        assert_string_equal(fault.code, "config.app");
    }
    mt_secret_free(secret);
    end(&world);
}

int test_app(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signatures),
        cmocka_unit_test(a_token_keeps_what_the_user_has),
        cmocka_unit_test(a_user_that_is_not_there),
        cmocka_unit_test(refusals),
        cmocka_unit_test(a_failing_host_is_left_once_in_thirty_seconds),
        cmocka_unit_test(may_be_cancelled),
        cmocka_unit_test(wrong_configuration_is_named),
    };

    return cmocka_run_group_tests_name("app", tests, NULL, NULL);
}

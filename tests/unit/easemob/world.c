/* See world.h. */
#include "world.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define GUARD_MS 20000

static void on_guard(void *ud)
{
    (void)ud;
    (void)fprintf(stderr, "# a verb did not end\n");
    abort();
}

static void on_request(void *ud, struct mt_ws_exchange *exchange,
                       const struct mt_ws_request *request)
{
    struct world *world = ud;
    struct mt_ws_answer answer = {.status = 200, .body = "{}", .body_len = 2};
    struct seen *seen = &world->seen[world->seen_n];

    assert_true(world->seen_n < SEEN_MAX);
    snprintf(seen->line, sizeof seen->line, "%s %s%s%s", request->method, request->path,
             request->query[0] != '\0' ? "?" : "", request->query);
    snprintf(seen->authorization, sizeof seen->authorization, "%s", request->authorization);
    snprintf(seen->body, sizeof seen->body, "%.*s", (int)request->body_len,
             (const char *)request->body);
    world->seen_n++;
    world->answer(world, request, &answer);
    mt_ws_answer(exchange, &answer);
}

static void on_abandoned(void *ud, struct mt_ws_exchange *exchange)
{
    (void)ud;
    (void)exchange;
}

void world_reply(struct mt_ws_answer *answer, int status, const char *body)
{
    answer->status = status;
    answer->body = body;
    answer->body_len = strlen(body);
}

static void silent(void *ud, enum mt_log_level level, const char *line)
{
    (void)ud;
    (void)level;
    (void)line;
}

void world_init(struct world *world,
                void (*answer)(struct world *world, const struct mt_ws_request *request,
                               struct mt_ws_answer *answer))
{
    const struct mt_ws_server_handlers handlers = {.request = on_request,
                                                   .abandoned = on_abandoned};
    const struct mt_ws_server_options options = {.host = "127.0.0.1"};

    *world = (struct world){.answer = answer};
    world->seen = calloc(SEEN_MAX, sizeof *world->seen);
    assert_non_null(world->seen);
    mt_log_sink_set(silent, NULL);
    assert_int_equal(mt_loop_new(&world->loop), MT_OK);
    assert_int_equal(mt_http_new(world->loop, NULL, &world->http, NULL), MT_OK);
    if (answer != NULL)
        assert_int_equal(
            mt_ws_server_new(world->loop, &options, &handlers, world, &world->server, NULL), MT_OK);
    assert_int_equal(mt_timer_new(world->loop, on_guard, NULL, &world->guard), MT_OK);
}

void world_deinit(struct world *world)
{
    if (world->account != NULL)
        mt_provider_easemob.close(world->account);
    mt_timer_free(world->guard);
    mt_http_free(world->http);
    if (world->server != NULL)
        mt_ws_server_free(world->server);
    assert_int_equal(mt_loop_free(world->loop), MT_OK);
    mt_log_sink_set(NULL, NULL);
    free(world->seen);
}

void world_base(const struct world *world, char *out, size_t size)
{
    snprintf(out, size, "http://127.0.0.1:%u", (unsigned)mt_ws_server_port(world->server));
}

void world_open(struct world *world, const char *user, const char *token, const char *password,
                const char *rest)
{
    char base[64];
    const char *discovery[] = {base, NULL};
    struct mt_secret *token_secret = token == NULL ? NULL : mt_secret_new(token, strlen(token));
    struct mt_secret *password_secret =
        password == NULL ? NULL : mt_secret_new(password, strlen(password));
    struct mt_account_config config = {.name = "test",
                                       .provider = "easemob",
                                       .appkey = "org#app",
                                       .user = user,
                                       .token = token_secret,
                                       .password = password_secret,
                                       .rate_per_s = -1};
    struct mt_fault fault;

    if (rest == NULL || rest[0] == '\0')
        world_base(world, base, sizeof base);
    if (rest == NULL)
        config.rest = base;
    else if (rest[0] == '\0')
        config.discovery = discovery;
    else
        config.rest = rest;
    assert_int_equal(
        mt_provider_easemob.open(world->loop, world->http, &config, &world->account, &fault),
        MT_OK);
    /* the account has its own copies: what the caller does with its secrets is its business */
    mt_secret_free(token_secret);
    mt_secret_free(password_secret);
}

void world_done(void *ud, enum mt_rc rc, const struct mt_fault *fault)
{
    struct world *world = ud;

    assert_true((rc == MT_OK) == (fault == NULL));
    world->rc = rc;
    world->ended++;
    world->fault = fault == NULL ? (struct mt_fault){.kind = MT_OK} : *fault;
    if (--world->waiting == 0)
        mt_loop_stop(world->loop);
}

void world_run(struct world *world)
{
    mt_timer_start(world->guard, GUARD_MS, 0);
    while (world->waiting > 0)
        mt_loop_run(world->loop);
    mt_timer_stop(world->guard);
}

void world_login(struct world *world)
{
    world->waiting++;
    assert_int_equal(mt_provider_easemob.login(world->account, world_done, world, NULL), MT_OK);
}

static void on_history(void *ud, enum mt_rc rc, const struct mt_history_page *page,
                       const struct mt_fault *fault)
{
    assert_true((rc == MT_OK) == (page != NULL));
    world_done(ud, rc, fault);
}

void world_history(struct world *world, const char *target)
{
    struct mt_history_query query = {.limit = 0};

    snprintf(query.conversation.target, sizeof query.conversation.target, "%s", target);
    world->waiting++;
    assert_int_equal(mt_provider_easemob.history(world->account, &query, on_history, world, NULL),
                     MT_OK);
}

size_t world_count(const struct world *world, const char *part)
{
    size_t n = 0;

    for (size_t i = 0; i < world->seen_n; i++)
        n += strstr(world->seen[i].line, part) != NULL;
    return n;
}

/* Users' tokens from the app's credentials: one app token for all, renewed once, refused once. */
#include "world.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/secret.h"
#include "provider/easemob/app_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

int test_app(void);

#define USERS   50
#define SECRET  "YXA6-secret"
#define REFUSED "{\"error\":\"invalid_grant\",\"error_description\":\"client_id does not match\"}"
#define BAD     "{\"error\":\"unauthorized\",\"error_description\":\"Unable to authenticate (OAuth)\"}"
#define BUSY    "{\"error\":\"concurrent_operation_error\",\"error_description\":\"again\"}"
#define NOBODY  "{\"error\":\"invalid_grant\",\"error_description\":\"user not found\"}"
#define NO_PAGE "{\"data\":{\"msgs\":[],\"is_last\":true}}"

/* App tokens are "app-1", "app-2", …, of which the newest is good; users' are "user-1", …. */
struct script {
    unsigned apps, users, busy_n;
    unsigned spoiled; /* app tokens up to this one are refused */
    unsigned expired; /* users' tokens up to this one are refused */
    int app_status, user_status;
    const char *app_body, *user_body;
};

struct many {
    struct world world;
    struct script script;
    struct mt_provider_app *app;
    struct mt_provider_account *accounts[USERS];
    size_t n;
};

static bool bearer(const struct mt_ws_request *request, const char *prefix, unsigned *n)
{
    size_t len = strlen(prefix);

    if (strncmp(request->authorization, "Bearer ", 7) != 0 ||
        strncmp(request->authorization + 7, prefix, len) != 0)
        return false;
    *n = (unsigned)strtoul(request->authorization + 7 + len, NULL, 10);
    return true;
}

static void on_token(struct script *script, const struct mt_ws_request *request,
                     struct mt_ws_answer *answer)
{
    static char body[256];
    unsigned n = 0;

    if (strstr(request->body, "client_credentials") != NULL) {
        script->apps++;
        snprintf(body, sizeof body, "{\"access_token\":\"app-%u\",\"expires_in\":5184000}",
                 script->apps);
        world_reply(answer, script->app_status != 0 ? script->app_status : 200,
                    script->app_status != 0 ? script->app_body : body);
    } else if (!bearer(request, "app-", &n) || n != script->apps || n <= script->spoiled) {
        world_reply(answer, 401, BAD);
    } else if (script->busy_n > 0) {
        script->busy_n--;
        world_reply(answer, 409, BUSY);
    } else {
        script->users++;
        snprintf(body, sizeof body, "{\"access_token\":\"user-%u\",\"expires_in\":5184000}",
                 script->users);
        world_reply(answer, script->user_status != 0 ? script->user_status : 200,
                    script->user_status != 0 ? script->user_body : body);
    }
}

static void cloud(struct world *world, const struct mt_ws_request *request,
                  struct mt_ws_answer *answer)
{
    struct script *script = world->ud;
    unsigned n = 0;

    if (strcmp(request->path, "/org/app/token") == 0)
        on_token(script, request, answer);
    else if (strncmp(request->authorization, "Bearer ZHQt", 11) != 0 &&
             (!bearer(request, "user-", &n) || n <= script->expired))
        world_reply(answer, 401, BAD);
    else
        world_reply(answer, 200, NO_PAGE);
}

static void open_app(struct many *many, const char *tokens, bool create_users)
{
    struct mt_secret *secret = mt_secret_new(SECRET, strlen(SECRET));
    struct mt_app_config config = {.name = "acme",
                                   .provider = "easemob",
                                   .appkey = "org#app",
                                   .client_id = "YXA6-client",
                                   .secret = secret,
                                   .tokens = tokens,
                                   .create_users = create_users,
                                   .rate_per_s = -1};

    assert_int_equal(
        mt_provider_easemob.app_open(many->world.loop, many->world.http, &config, &many->app, NULL),
        MT_OK);
    mt_secret_free(secret);
}

static void begin(struct many *many, size_t n, const char *tokens, bool create_users)
{
    char base[64];
    struct mt_fault fault;

    memset(many, 0, sizeof *many);
    world_init(&many->world, cloud);
    many->world.ud = &many->script;
    open_app(many, tokens, create_users);
    world_base(&many->world, base, sizeof base);
    for (; many->n < n; many->n++) {
        char user[16];
        struct mt_account_config config = {.name = "one",
                                           .provider = "easemob",
                                           .appkey = "org#app",
                                           .user = user,
                                           .app = many->app,
                                           .rest = base,
                                           .rate_per_s = -1};

        snprintf(user, sizeof user, "u%zu", many->n);
        assert_int_equal(mt_provider_easemob.open(many->world.loop, many->world.http, &config,
                                                  &many->accounts[many->n], &fault),
                         MT_OK);
    }
}

static void end(struct many *many)
{
    mt_provider_easemob.app_close(many->app); /* its accounts go on */
    for (size_t i = 0; i < many->n; i++)
        mt_provider_easemob.close(many->accounts[i]);
    world_deinit(&many->world);
}

static void on_history(void *ud, enum mt_rc rc, const struct mt_history_page *page,
                       const struct mt_fault *fault)
{
    (void)page;
    world_done(ud, rc, fault);
}

static void read_all(struct many *many)
{
    struct mt_history_query query = {.limit = 0};

    snprintf(query.conversation.target, sizeof query.conversation.target, "bob");
    for (size_t i = 0; i < many->n; i++) {
        many->world.waiting++;
        assert_int_equal(
            mt_provider_easemob.history(many->accounts[i], &query, on_history, &many->world, NULL),
            MT_OK);
    }
    world_run(&many->world);
}

static void the_dynamic_token_is_the_vendors(void **state)
{
    struct many many;
    struct mt_buf token;

    (void)state;
    begin(&many, 0, "dynamic", false);
    mt_buf_init(&token, 4096);
    /* computed with another language's libraries from the vendor's recipe */
    assert_int_equal(
        mt_em_dynamic_token(mt_em_app_core(many.app), "alice", 1686207557, 600, &token), MT_OK);
    assert_int_equal(token.len, 200);
    assert_memory_equal(
        token.data,
        "ZHQteyJzaWduYXR1cmUiOiI4ZTRkNzYyNTZjZTM1OWZmNzk2OTAzZWRlMDllMDdiMWI0NmJmNWJlZmQwNjM5YmY5ND"
        "MwN2QxN2I4ZDAxMWI0IiwiYXBwa2V5Ijoib3JnI2FwcCIsInVzZXJJZCI6ImFsaWNlIiwiY3VyVGltZSI6MTY4NjIw"
        "NzU1NywidHRsIjo2MDB9",
        token.len);
    mt_buf_reset(&token);
    assert_int_equal(mt_em_dynamic_token(mt_em_app_core(many.app), "\xC3\xBF\xC3\xBE~?", 1686207557,
                                         600, &token),
                     MT_OK);
    assert_memory_equal(
        token.data,
        "ZHQteyJzaWduYXR1cmUiOiIwN2NlYjQzMjM1MGI1ZjdmZWVlNWFiNTNhNWJhMGEwMWZhZmZhZDc0NjVjYTE1ZjlhNm"
        "M5NGFjMzU2NjA1NThmIiwiYXBwa2V5Ijoib3JnI2FwcCIsInVzZXJJZCI6IsO_w75-PyIsImN1clRpbWUiOjE2ODYy"
        "MDc1NTcsInR0bCI6NjAwfQ==",
        token.len);
    mt_buf_deinit(&token);
    end(&many);
}

static void one_app_token_for_all(void **state)
{
    struct many many;

    (void)state;
    begin(&many, USERS, NULL, false);
    read_all(&many);
    assert_int_equal(many.world.rc, MT_OK);
    assert_int_equal(many.script.apps, 1);
    assert_int_equal(many.script.users, USERS);
    assert_string_equal(many.world.seen[0].line, "POST /org/app/token");
    assert_string_equal(many.world.seen[0].authorization, "");
    assert_string_equal(many.world.seen[0].body,
                        "{\"grant_type\":\"client_credentials\",\"client_id\":\"YXA6-client\","
                        "\"client_secret\":\"" SECRET "\"}");
    assert_string_equal(many.world.seen[1].authorization, "Bearer app-1");
    assert_non_null(
        strstr(many.world.seen[1].body, "{\"grant_type\":\"inherit\",\"username\":\"u"));
    assert_non_null(strstr(many.world.seen[1].body, "\",\"autoCreateUser\":false}"));
    end(&many);
}

static void an_expired_app_token_is_fetched_anew_once(void **state)
{
    struct many many;

    (void)state;
    begin(&many, USERS, NULL, true);
    many.script.spoiled = 1;
    read_all(&many);
    assert_int_equal(many.world.rc, MT_OK);
    assert_int_equal(many.script.apps, 2);
    assert_int_equal(many.script.users, USERS);
    assert_non_null(strstr(many.world.seen[1].body, "\"autoCreateUser\":true}"));
    end(&many);
}

static void an_app_token_that_never_works_is_refused(void **state)
{
    struct many many;

    (void)state;
    begin(&many, 1, NULL, false);
    many.script.spoiled = 1000;
    read_all(&many);
    assert_int_equal(many.world.rc, MT_ERR_AUTH);
    assert_string_equal(many.world.fault.code, "auth.app_refused");
    assert_int_equal(many.script.apps, 2);
    end(&many);
}

static void an_expired_token_of_a_user_is_renewed_once(void **state)
{
    struct many many;

    (void)state;
    begin(&many, 1, NULL, false);
    read_all(&many);
    many.script.expired = 1;
    read_all(&many);
    assert_int_equal(many.world.rc, MT_OK);
    assert_int_equal(many.script.apps, 1);
    assert_int_equal(many.script.users, 2);
    many.script.expired = 1000;
    read_all(&many);
    assert_int_equal(many.world.rc, MT_ERR_AUTH);
    assert_int_equal(many.script.users, 3);
    end(&many);
}

static void a_wrong_secret_is_asked_with_once(void **state)
{
    struct many many;

    (void)state;
    begin(&many, USERS, NULL, false);
    many.script.app_status = 400;
    many.script.app_body = REFUSED;
    read_all(&many);
    assert_int_equal(many.world.ended, USERS);
    assert_int_equal(many.world.rc, MT_ERR_AUTH);
    assert_string_equal(many.world.fault.code, "auth.app_refused");
    assert_non_null(strstr(many.world.fault.message, "client_secret"));
    assert_null(strstr(many.world.fault.message, SECRET));
    assert_int_equal(many.script.apps, 1);
    read_all(&many); /* nor later */
    assert_int_equal(many.script.apps, 1);
    end(&many);
}

static void a_user_that_is_not_there_is_named(void **state)
{
    struct many many;

    (void)state;
    begin(&many, 1, NULL, false);
    many.script.user_status = 404;
    many.script.user_body = NOBODY;
    read_all(&many);
    assert_int_equal(many.world.rc, MT_ERR_NOT_FOUND);
    assert_string_equal(many.world.fault.code, "user.unknown");
    assert_non_null(strstr(many.world.fault.message, "create_users"));
    end(&many);
}

static void who_creates_users_at_once_asks_again(void **state)
{
    struct many many;

    (void)state;
    mt_clock_seam_speed(4);
    begin(&many, 1, NULL, true);
    many.script.busy_n = 2;
    read_all(&many);
    assert_int_equal(many.world.rc, MT_OK);
    assert_int_equal(many.script.users, 1);
    end(&many);
    mt_clock_seam_speed(1);
}

static void dynamic_tokens_are_not_asked_for(void **state)
{
    struct many many;

    (void)state;
    begin(&many, 3, "dynamic", false);
    read_all(&many);
    assert_int_equal(many.world.rc, MT_OK);
    assert_int_equal(world_count(&many.world, "/token"), 0);
    assert_int_equal(strncmp(many.world.seen[0].authorization, "Bearer ZHQteyJzaWduYXR1cmUi", 27),
                     0);
    end(&many);
}

/* At every stage of a token on its way: waiting for the app's, asking for the user's, resting. */
static void accounts_may_close_at_any_time(void **state)
{
    (void)state;
    for (unsigned stage = 0; stage < 3; stage++) {
        struct many many;
        struct mt_history_query query = {.limit = 0};

        begin(&many, 4, NULL, false);
        many.script.busy_n = stage == 2 ? 1000 : 0;
        snprintf(query.conversation.target, sizeof query.conversation.target, "bob");
        many.world.waiting += 4;
        for (size_t i = 0; i < 4; i++)
            assert_int_equal(mt_provider_easemob.history(many.accounts[i], &query, on_history,
                                                         &many.world, NULL),
                             MT_OK);
        if (stage > 0) /* the last account goes all the way, or rests; the others are closed */
            while (many.world.seen_n < stage * 2)
                (void)mt_loop_turn(many.world.loop);
        for (size_t i = 0; i < 4; i++) {
            mt_provider_easemob.close(many.accounts[i]);
            many.accounts[i] = NULL;
        }
        world_run(&many.world);
        assert_int_equal(many.world.ended, 4);
        many.n = 0;
        end(&many);
    }
}

static void wrong_credentials_are_named(void **state)
{
    struct mt_secret *secret = mt_secret_new(SECRET, strlen(SECRET));
    const char *const api[] = {"https://127.0.0.1", NULL};
    const struct mt_app_config configs[] = {
        {.name = "acme", .appkey = "org#app", .secret = secret},
        {.name = "acme", .appkey = "org#app", .client_id = "c"},
        {.name = "acme", .client_id = "c", .secret = secret},
        {.name = "acme", .appkey = "org#app", .client_id = "c", .secret = secret, .tokens = "own"},
        {.name = "acme", .appkey = "org#app", .client_id = "c", .secret = secret, .area = "sg"},
        {.name = "acme", .appkey = "org#app", .client_id = "c", .secret = secret, .api = api},
    };
    struct world world;

    (void)state;
    world_init(&world, NULL);
    for (size_t i = 0; i < sizeof configs / sizeof configs[0]; i++) {
        struct mt_provider_app *app = NULL;
        struct mt_fault fault;

        assert_int_equal(
            mt_provider_easemob.app_open(world.loop, world.http, &configs[i], &app, &fault),
            MT_ERR_INVALID);
        assert_string_equal(fault.code, "config.app");
        assert_null(app);
    }
    mt_secret_free(secret);
    world_deinit(&world);
}

int test_app(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_dynamic_token_is_the_vendors),
        cmocka_unit_test(one_app_token_for_all),
        cmocka_unit_test(an_expired_app_token_is_fetched_anew_once),
        cmocka_unit_test(an_app_token_that_never_works_is_refused),
        cmocka_unit_test(an_expired_token_of_a_user_is_renewed_once),
        cmocka_unit_test(a_wrong_secret_is_asked_with_once),
        cmocka_unit_test(a_user_that_is_not_there_is_named),
        cmocka_unit_test(who_creates_users_at_once_asks_again),
        cmocka_unit_test(dynamic_tokens_are_not_asked_for),
        cmocka_unit_test(accounts_may_close_at_any_time),
        cmocka_unit_test(wrong_credentials_are_named),
    };

    return cmocka_run_group_tests_name("app", tests, NULL, NULL);
}

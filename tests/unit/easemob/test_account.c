/* The session and the verbs over real sockets: discovery, login, renewal, what is remembered, what
 * is cancelled. */
#include "world.h"

#include "base/secret.h"
#include "provider/easemob/account_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

int test_account(void);

#define NO_PAGE "{\"data\":{\"msgs\":[],\"is_last\":true}}"
#define EXPIRED                                                                                    \
    "{\"error\":\"auth_bad_access_token\",\"error_description\":\"Unable to authenticate due to "  \
    "expired access token\"}"

struct script {
    const char *good; /* the token that is accepted */
    unsigned logins;  /* token requests so far */
    int login_status; /* 0: 200 */
    const char *login_body;
    unsigned bad_bases; /* discovery answers that fail first */
    char hosts[512];
    bool refuse_all;
};

/* Tokens are "token-1", "token-2", …; the newest is the good one unless the script names another.
 */
static void cloud(struct world *world, const struct mt_ws_request *request,
                  struct mt_ws_answer *answer)
{
    static char body[256];
    struct script *script = world->ud;

    if (strstr(request->path, "/easemob/server.json") != NULL) {
        if (script->bad_bases > 0) {
            script->bad_bases--;
            world_reply(answer, 404, "{}");
            return;
        }
        world_reply(answer, 200, script->hosts);
    } else if (strcmp(request->path, "/org/app/token") == 0) {
        script->logins++;
        snprintf(body, sizeof body, "{\"access_token\":\"token-%u\",\"expires_in\":5184000}",
                 script->logins);
        if (script->login_status != 0)
            world_reply(answer, script->login_status, script->login_body);
        else
            world_reply(answer, 200, body);
    } else {
        char newest[64];

        snprintf(newest, sizeof newest, "Bearer token-%u", script->logins);
        if (script->refuse_all ||
            (strcmp(request->authorization, newest) != 0 &&
             (script->good == NULL || strcmp(request->authorization, script->good) != 0)))
            world_reply(answer, 401, EXPIRED);
        else
            world_reply(answer, 200, NO_PAGE);
    }
}

static void begin(struct world *world, struct script *script)
{
    *script = (struct script){.good = NULL};
    world_init(world, cloud);
    world->ud = script;
}

static void one_login_for_all_verbs(void **state)
{
    struct script script;
    struct world world;

    (void)state;
    begin(&world, &script);
    world_open(&world, "Alice", NULL, "secret\"/", NULL);
    for (int i = 0; i < 20; i++)
        world_history(&world, "bob");
    world_login(&world);
    world_run(&world);
    assert_int_equal(world.rc, MT_OK);
    assert_int_equal(script.logins, 1);
    assert_int_equal(world.ended, 21);
    assert_string_equal(world.seen[0].line, "POST /org/app/token");
    assert_string_equal(world.seen[0].authorization, "");
    /* the SDK's members, in the SDK's order; the user folded */
    assert_non_null(strstr(world.seen[0].body,
                           "{\"grant_type\":\"password\",\"username\":\"alice\","
                           "\"password\":\"secret\\\"/\",\"timestamp\":1"));
    assert_int_equal(world_count(&world, "POST /org/app/users/alice/messageroaming"), 20);
    assert_string_equal(world.seen[1].authorization, "Bearer token-1");
    assert_string_equal(mt_provider_easemob.user(world.account), "alice");
    world_deinit(&world);
}

static void a_token_is_used_as_it_is(void **state)
{
    struct script script;
    struct world world;

    (void)state;
    begin(&world, &script);
    script.good = "Bearer given";
    world_open(&world, "alice", "given", NULL, NULL);
    world_login(&world);
    world_run(&world);
    assert_int_equal(world.rc, MT_OK);
    assert_int_equal(world.seen_n, 0);
    world_history(&world, "bob");
    world_run(&world);
    assert_int_equal(world.rc, MT_OK);
    assert_string_equal(world.seen[0].authorization, "Bearer given");
    world_deinit(&world);
}

static void a_refused_token_is_renewed_once(void **state)
{
    struct script script;
    struct world world;

    (void)state;
    begin(&world, &script);
    world_open(&world, "alice", "stale", "secret", NULL);
    for (int i = 0; i < 10; i++)
        world_history(&world, "bob");
    world_run(&world);
    assert_int_equal(world.rc, MT_OK);
    assert_int_equal(world.ended, 10);
    assert_int_equal(script.logins, 1);
    assert_int_equal(world_count(&world, "messageroaming"), 20); /* each again, none thrice */
    /* much later the new one expires too: renewed again, because it had worked */
    script.logins++;
    world_history(&world, "bob");
    world_run(&world);
    assert_int_equal(world.rc, MT_OK);
    assert_int_equal(script.logins, 3);
    world_deinit(&world);
}

static void a_renewed_token_that_never_works_is_not_renewed(void **state)
{
    struct script script;
    struct world world;

    (void)state;
    begin(&world, &script);
    script.refuse_all = true;
    world_open(&world, "alice", NULL, "secret", NULL);
    for (int round = 0; round < 5; round++) {
        world_history(&world, "bob");
        world_history(&world, "carol");
        world_run(&world);
        assert_int_equal(world.rc, MT_ERR_AUTH);
        assert_string_equal(world.fault.code, "auth.token_rejected");
    }
    assert_true(script.logins <= 2); /* asking for tokens without end gets an account banned */
    world_deinit(&world);
}

static void a_refused_token_without_password_says_what_to_do(void **state)
{
    struct script script;
    struct world world;

    (void)state;
    begin(&world, &script);
    world_open(&world, "alice", "stale", NULL, NULL);
    world_history(&world, "bob");
    world_run(&world);
    assert_int_equal(world.rc, MT_ERR_AUTH);
    assert_string_equal(world.fault.code, "auth.token_rejected");
    assert_non_null(strstr(world.fault.message, "password"));
    assert_int_equal(world.fault.http_status, 401);
    assert_int_equal(world.seen_n, 1);
    world_deinit(&world);
}

static void expect_refused_login(int status, const char *body, enum mt_rc kind, const char *code)
{
    struct script script;
    struct world world;

    begin(&world, &script);
    script.login_status = status;
    script.login_body = body;
    world_open(&world, "alice", NULL, "wrong", NULL);
    world_history(&world, "bob");
    world_history(&world, "bob");
    world_run(&world);
    assert_int_equal(world.rc, kind);
    assert_string_equal(world.fault.code, code);
    world_history(&world, "bob");
    world_run(&world);
    assert_int_equal(world.rc, kind);
    assert_int_equal(script.logins, 1); /* what was refused is not tried again and again */
    world_deinit(&world);
}

static void refused_logins(void **state)
{
    (void)state;
    expect_refused_login(400,
                         "{\"error\":\"invalid_grant\",\"error_description\":\"invalid password\"}",
                         MT_ERR_AUTH, "auth.password_wrong");
    expect_refused_login(404, "{\"error_description\":\"user not found\"}", MT_ERR_NOT_FOUND,
                         "user.unknown");
    expect_refused_login(404, "{\"error\":\"organization_application_not_found\"}",
                         MT_ERR_NOT_FOUND, "app.unknown");
    expect_refused_login(401, "{}", MT_ERR_AUTH, "auth.refused");
    expect_refused_login(400, "{\"error_description\":\"new words\"}", MT_ERR_AUTH, "auth.refused");
}

static void an_answer_without_token_is_named(void **state)
{
    struct script script;
    struct world world;

    (void)state;
    begin(&world, &script);
    script.login_status = 200;
    script.login_body = "{\"hello\":1}";
    world_open(&world, "alice", NULL, "secret", NULL);
    world_login(&world);
    world_run(&world);
    assert_int_equal(world.rc, MT_ERR_PROTOCOL);
    assert_string_equal(world.fault.code, "auth.no_token");
    world_deinit(&world);
}

static void discovery_finds_the_host(void **state)
{
    struct script script;
    struct world world;

    (void)state;
    begin(&world, &script);
    snprintf(script.hosts, sizeof script.hosts,
             "{\"rest\":{\"hosts\":[{\"protocol\":\"https\",\"domain\":\"a1.easemob.com\"},"
             "{\"protocol\":\"http\",\"domain\":\"127.0.0.1\",\"port\":\"%u\"}]}}",
             (unsigned)mt_ws_server_port(world.server));
    world_open(&world, "alice", NULL, "secret", "");
    for (int i = 0; i < 5; i++)
        world_history(&world, "bob");
    world_run(&world);
    assert_int_equal(world.rc, MT_OK);
    assert_int_equal(world_count(&world, "server.json"), 1);
    assert_non_null(strstr(world.seen[0].line, "GET /easemob/server.json?app_key=org"));
    assert_non_null(strstr(world.seen[0].line, "app&_v=1"));
    assert_int_equal(world_count(&world, "messageroaming"), 5);
    world_deinit(&world);
}

static void failed_discovery_names_the_remedy(void **state)
{
    struct script script;
    struct world world;

    (void)state;
    begin(&world, &script);
    snprintf(script.hosts, sizeof script.hosts, "{\"rest\":{\"hosts\":[]}}");
    world_open(&world, "alice", NULL, "secret", "");
    world_history(&world, "bob");
    world_login(&world);
    world_run(&world);
    assert_int_equal(world.rc, MT_ERR_PROTOCOL);
    assert_string_equal(world.fault.code, "discovery.failed");
    assert_int_equal(world.fault.provider_code, 304);
    assert_non_null(strstr(world.fault.message, "rest ="));
    world_deinit(&world);
}

static void discovery_goes_to_the_next_base(void **state)
{
    struct script script;
    struct world world;
    char base[64];
    char dead[64];
    struct mt_secret *token = NULL;
    struct mt_account_config config = {
        .name = "x", .appkey = "org#app", .user = "alice", .rate_per_s = -1};

    (void)state;
    begin(&world, &script);
    script.good = "Bearer given";
    script.bad_bases = 1;
    world_base(&world, base, sizeof base);
    snprintf(dead, sizeof dead, "http://127.0.0.1:1");
    snprintf(
        script.hosts, sizeof script.hosts,
        "{\"rest\":{\"hosts\":[{\"protocol\":\"http\",\"domain\":\"127.0.0.1\",\"port\":%u}]}}",
        (unsigned)mt_ws_server_port(world.server));
    config.discovery = (const char *const[]){dead, base, base, NULL};
    world_open(&world, "alice", "given", NULL,
               NULL); /* for the helper to have a secret of its own */
    mt_provider_easemob.close(world.account);
    token = mt_secret_new("given", 5);
    config.token = token;
    assert_int_equal(
        mt_provider_easemob.open(world.loop, world.http, &config, &world.account, NULL), MT_OK);
    world_history(&world, "bob");
    world_run(&world);
    assert_int_equal(world.rc, MT_OK);
    assert_int_equal(world_count(&world, "server.json"), 2);
    mt_secret_free(token);
    world_deinit(&world);
}

static void wrong_configuration_is_named(void **state)
{
    static const struct {
        const char *appkey, *user, *rest, *code;
        bool secret;
    } cases[] = {
        {"orgapp", "alice", NULL, "config.appkey", true},
        {"org#app#x", "alice", NULL, "config.appkey", true},
        {NULL, "alice", NULL, "config.appkey", true},
        {"org#app", "", NULL, "config.user", true},
        {"org#app", "al ice", NULL, "config.user", true},
        {"org#app", "alice", "a1.easemob.com", "config.rest", true},
        {"org#app", "alice", "https://x/?y", "config.rest", true},
        {"org#app", "alice", "https://a1.easemob.com/", "config.no_credentials", false},
    };
    struct mt_secret *token = mt_secret_new("given", 5);
    struct world world;

    (void)state;
    world_init(&world, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct mt_account_config config = {.name = "x",
                                           .appkey = cases[i].appkey,
                                           .user = cases[i].user,
                                           .rest = cases[i].rest,
                                           .token = cases[i].secret ? token : NULL};
        struct mt_provider_account *account = NULL;
        struct mt_fault fault;

        assert_int_equal(
            mt_provider_easemob.open(world.loop, world.http, &config, &account, &fault),
            MT_ERR_INVALID);
        assert_null(account);
        assert_string_equal(fault.code, cases[i].code);
    }
    mt_secret_free(token);
    world_deinit(&world);
}

static void accounts_of_an_app_share_the_rate(void **state)
{
    struct script script;
    struct world world;
    struct mt_provider_account *first = NULL;
    const struct mt_http_bucket *bucket = NULL;

    (void)state;
    begin(&world, &script);
    world_open(&world, "alice", "t", NULL, NULL);
    first = world.account;
    bucket = first->bucket;
    assert_non_null(bucket);
    assert_true(mt_http_bucket_rate(bucket) == 0); /* no limit of our own on loopback */
    world_open(&world, "bob", "t", NULL, NULL);
    assert_ptr_equal(world.account->bucket, bucket);
    mt_provider_easemob.close(first);
    world_deinit(&world);
}

static void a_real_host_is_shared_with_its_users(void **state)
{
    struct script script;
    struct world world;

    (void)state;
    begin(&world, &script);
    world_open(&world, "alice", "t", NULL, "https://a1.easemob.com/");
    assert_true(mt_http_bucket_rate(world.account->bucket) == 80);
    assert_string_equal(world.account->api, "https://a1.easemob.com");
    world_deinit(&world);
}

static void never(struct world *world, const struct mt_ws_request *request,
                  struct mt_ws_answer *answer)
{
    (void)world;
    (void)request;
    answer->fault = MT_WS_FAULT_HALF_OPEN;
}

static void on_page(void *ud, enum mt_rc rc, const struct mt_history_page *page,
                    const struct mt_fault *fault)
{
    assert_null(page);
    assert_int_equal(rc, MT_ERR_CANCELLED);
    world_done(ud, rc, fault);
}

static void calls_can_be_cancelled(void **state)
{
    struct mt_history_query query = {.conversation = {.target = "bob"}};
    struct mt_provider_call *waiting = NULL;
    struct mt_provider_call *sent = NULL;
    struct world world;

    (void)state;
    world_init(&world, never);
    world_open(&world, "alice", NULL, "secret", NULL);
    world.waiting =
        2; /* one waits for the login that never ends, the other begins and is cancelled at once */
    assert_int_equal(mt_provider_easemob.history(world.account, &query, on_page, &world, &waiting),
                     MT_OK);
    assert_int_equal(mt_provider_easemob.history(world.account, &query, on_page, &world, &sent),
                     MT_OK);
    mt_provider_easemob.cancel(sent);
    assert_int_equal(world.ended, 0); /* never from within */
    while (world.ended < 1)
        (void)mt_loop_turn(world.loop);
    for (int i = 0; i < 100 && world.seen_n == 0; i++)
        (void)mt_loop_turn(world.loop);
    mt_provider_easemob.cancel(waiting);
    world_run(&world);
    assert_int_equal(world.ended, 2);
    world_deinit(&world);
    /* with a token the request is on the wire */
    world_init(&world, never);
    world_open(&world, "alice", "t", NULL, NULL);
    world.waiting = 1;
    assert_int_equal(mt_provider_easemob.history(world.account, &query, on_page, &world, &sent),
                     MT_OK);
    while (world.seen_n == 0)
        (void)mt_loop_turn(world.loop);
    mt_provider_easemob.cancel(sent);
    world_run(&world);
    assert_int_equal(world.ended, 1);
    world_deinit(&world);
}

static void refuses_login(struct world *world, const struct mt_ws_request *request,
                          struct mt_ws_answer *answer)
{
    (void)world;
    (void)request;
    world_reply(answer, 400,
                "{\"error\":\"invalid_grant\",\"error_description\":\"invalid password\"}");
}

struct first_of_two {
    struct world *world;
    struct mt_provider_call *second;
};

static void first_ends(void *ud, enum mt_rc rc, const struct mt_history_page *page,
                       const struct mt_fault *fault)
{
    struct first_of_two *two = ud;

    (void)page;
    assert_int_equal(rc, MT_ERR_AUTH);
    mt_provider_easemob.cancel(two->second);
    world_done(two->world, rc, fault);
}

/* Both wait for one login; the first to be told of its end cancels the other, whose turn is next.
 */
static void a_call_is_cancelled_while_it_is_woken(void **state)
{
    struct mt_history_query query = {.conversation = {.target = "bob"}};
    struct mt_provider_call *call = NULL;
    struct first_of_two two;
    struct world world;

    (void)state;
    world_init(&world, refuses_login);
    world_open(&world, "alice", NULL, "secret", NULL);
    world.waiting = 2;
    two = (struct first_of_two){.world = &world};
    /* the newest is woken first */
    assert_int_equal(
        mt_provider_easemob.history(world.account, &query, on_page, &world, &two.second), MT_OK);
    assert_int_equal(mt_provider_easemob.history(world.account, &query, first_ends, &two, &call),
                     MT_OK);
    world_run(&world);
    while (mt_loop_turn(world.loop) && world.ended < 2) {
    }
    assert_int_equal(world.ended, 2);
    world_deinit(&world);
}

static void closing_ends_what_is_in_progress(void **state)
{
    struct mt_history_query query = {.conversation = {.target = "bob"}};
    struct world world;

    (void)state;
    for (int with_token = 0; with_token < 2; with_token++) {
        world_init(&world, never);
        world_open(&world, "alice", with_token ? "t" : NULL, "secret", NULL);
        for (int i = 0; i < 5; i++) {
            world.waiting++;
            assert_int_equal(
                mt_provider_easemob.history(world.account, &query, on_page, &world, NULL), MT_OK);
        }
        while (world.seen_n == 0)
            (void)mt_loop_turn(world.loop);
        mt_provider_easemob.close(world.account);
        assert_int_equal(world.ended, 5);
        world.account = NULL;
        world_deinit(&world);
    }
}

static void wrong_questions_end_at_once(void **state)
{
    struct script script;
    struct world world;

    (void)state;
    begin(&world, &script);
    world_open(&world, "alice", "t", NULL, NULL);
    world_history(&world, "b@b");
    assert_int_equal(world.ended, 0);
    world_run(&world);
    assert_int_equal(world.rc, MT_ERR_INVALID);
    assert_string_equal(world.fault.code, "conversation.id");
    assert_int_equal(world.seen_n, 0);
    world_deinit(&world);
}

static void addresses_are_folded(void **state)
{
    struct mt_conversation_ref ref = {.kind = MT_CONVERSATION_SINGLE, .target = "Bob"};
    struct mt_fault fault;
    struct script script;
    struct world world;
    bool changed = false;

    (void)state;
    begin(&world, &script);
    world_open(&world, "alice", "t", NULL, NULL);
    assert_int_equal(mt_provider_easemob.normalise(world.account, &ref, &changed, &fault), MT_OK);
    assert_true(changed);
    assert_string_equal(ref.target, "bob");
    assert_int_equal(mt_provider_easemob.normalise(world.account, &ref, &changed, &fault), MT_OK);
    assert_false(changed);
    ref.kind = MT_CONVERSATION_ULTRA;
    assert_int_equal(mt_provider_easemob.normalise(world.account, &ref, &changed, &fault),
                     MT_ERR_UNSUPPORTED);
    for (size_t i = 0; i < MT_CAPABILITIES_N; i++) {
        struct mt_can_answer answer = mt_provider_easemob.can(world.account, (enum mt_capability)i);

        /* what a table forgets has no reason */
        assert_true((answer.can == MT_CAN_YES) == (answer.why == NULL));
    }
    assert_int_equal(mt_provider_easemob.can(world.account, MT_CAPABILITY_HISTORY_UNTIL).can,
                     MT_CAN_YES);
    assert_int_equal(mt_provider_easemob.can(world.account, MT_CAPABILITY_DELETE_BEFORE).can,
                     MT_CAN_DEPENDS);
    assert_int_equal(mt_provider_easemob.can(world.account, MT_CAPABILITY_ULTRA).can, MT_CAN_NO);
    assert_ptr_equal(mt_provider_find("easemob"), &mt_provider_easemob);
    assert_null(mt_provider_find("other"));
    world_deinit(&world);
}

int test_account(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_login_for_all_verbs),
        cmocka_unit_test(a_token_is_used_as_it_is),
        cmocka_unit_test(a_refused_token_is_renewed_once),
        cmocka_unit_test(a_renewed_token_that_never_works_is_not_renewed),
        cmocka_unit_test(a_refused_token_without_password_says_what_to_do),
        cmocka_unit_test(refused_logins),
        cmocka_unit_test(an_answer_without_token_is_named),
        cmocka_unit_test(discovery_finds_the_host),
        cmocka_unit_test(failed_discovery_names_the_remedy),
        cmocka_unit_test(discovery_goes_to_the_next_base),
        cmocka_unit_test(wrong_configuration_is_named),
        cmocka_unit_test(accounts_of_an_app_share_the_rate),
        cmocka_unit_test(a_real_host_is_shared_with_its_users),
        cmocka_unit_test(calls_can_be_cancelled),
        cmocka_unit_test(a_call_is_cancelled_while_it_is_woken),
        cmocka_unit_test(closing_ends_what_is_in_progress),
        cmocka_unit_test(wrong_questions_end_at_once),
        cmocka_unit_test(addresses_are_folded),
    };

    return cmocka_run_group_tests_name("account", tests, NULL, NULL);
}

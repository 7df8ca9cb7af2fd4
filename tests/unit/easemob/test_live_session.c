/* The life of a live session against a cloud that says what the test wants: tokens, redirects,
 * refusals, kicks, silence. */
#include "cloud.h"

#include "base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

int test_live_session(void);

#define LONG_MS  300000
#define ATTEMPTS 14

static struct cloud *begin(const char *token, const char *password)
{
    struct cloud *cloud = malloc(sizeof *cloud);

    assert_non_null(cloud);
    cloud_begin(cloud, token, password);
    return cloud;
}

static void end(struct cloud *cloud)
{
    cloud_end(cloud);
    free(cloud);
}

static bool is_connected(struct cloud *cloud)
{
    return cloud_count(cloud, MT_EVENT_CONNECTED) >= 1;
}

static bool is_back(struct cloud *cloud)
{
    return cloud_count(cloud, MT_EVENT_CONNECTED) >= 2;
}

static bool is_ended(struct cloud *cloud)
{
    return cloud->ended_n > 0;
}

/* ---------------------------------------------------------------- tokens */

static void a_token_is_renewed_before_it_expires(void **state)
{
    struct cloud *cloud = begin(NULL, "password");

    (void)state;
    cloud->expires_in_ms = 100000;
    cloud_live(cloud);
    cloud_run(cloud, is_back, LONG_MS);
    assert_int_equal(cloud->logins_n, 2);
    const struct cloud_event *warning = cloud_last(cloud, MT_EVENT_TOKEN_EXPIRING);
    assert_non_null(warning);
    int64_t warned_ms = warning->at_ms - cloud->opens[0].at_ms;
    assert_in_range(warned_ms, 79000, 95000); /* at 80 % of its life */
    int64_t changed_ms = cloud->opens[1].at_ms - cloud->opens[0].at_ms;
    assert_in_range(changed_ms, 99000, 120000);
    assert_string_equal(cloud->opens[0].token, "token-1");
    assert_string_equal(cloud->opens[1].token, "token-2");
    assert_int_equal(cloud_count(cloud, MT_EVENT_ERROR), 0);
    end(cloud);
}

static bool is_warned(struct cloud *cloud)
{
    return cloud_count(cloud, MT_EVENT_TOKEN_EXPIRING) > 0;
}

static void a_renewal_that_failed_is_tried_again_when_it_expires(void **state)
{
    struct cloud *cloud = begin(NULL, "password");

    (void)state;
    cloud->expires_in_ms = 100000;
    cloud_live(cloud);
    cloud_run(cloud, is_connected, LONG_MS);
    cloud->token_status = 500;
    cloud_run(cloud, is_warned, LONG_MS);
    cloud_run(cloud, NULL, 10000);
    cloud->token_status = 0;
    size_t logins_n = cloud->logins_n;
    cloud_run(cloud, is_back, LONG_MS);
    assert_true(cloud->logins_n > logins_n);
    assert_string_not_equal(cloud->opens[cloud->opens_n - 1].token, "token-1");
    assert_int_equal(cloud_count(cloud, MT_EVENT_ERROR), 0);
    end(cloud);
}

static void without_a_password_the_session_ends_with_its_token(void **state)
{
    struct cloud *cloud = begin("given", NULL);

    (void)state;
    cloud->expires_in_ms = 60000;
    cloud_live(cloud);
    cloud_run(cloud, is_ended, LONG_MS);
    assert_string_equal(cloud_last(cloud, MT_EVENT_ERROR)->code, "auth.token_expired");
    assert_int_equal(cloud_count(cloud, MT_EVENT_TOKEN_EXPIRING), 1);
    cloud_run(cloud, NULL, 30000);
    assert_int_equal(cloud->opens_n, 1);
    end(cloud);
}

static void refuse_old_token(struct cloud *cloud, struct mt_ws_peer *peer,
                             const Easemob__Pb__MSync *frame)
{
    bool first = !strcmp(cloud->opens[cloud->opens_n - 1].token, "token-1");

    if (first && frame->command == EASEMOB__PB__MSYNC__COMMAND__PROVISION)
        cloud_provision(cloud, peer, 1, "Sorry, token expired", NULL, 0);
    else
        cloud_agree(cloud, peer, frame);
}

static void a_token_refused_at_the_login_is_renewed_once(void **state)
{
    struct cloud *cloud = begin(NULL, "password");

    (void)state;
    cloud->answer = refuse_old_token;
    cloud_live(cloud);
    cloud_run(cloud, is_connected, LONG_MS);
    assert_int_equal(cloud->logins_n, 2);
    assert_string_equal(cloud->opens[cloud->opens_n - 1].token, "token-2");
    end(cloud);
}

/* The first token is refused; with the second no login is answered for two minutes, and then it has
 * expired too. */
static void refuse_two_tokens(struct cloud *cloud, struct mt_ws_peer *peer,
                              const Easemob__Pb__MSync *frame)
{
    const struct cloud_open *open = &cloud->opens[cloud->opens_n - 1];
    bool second = !strcmp(open->token, "token-2");

    if (second && open->at_ms - cloud->opens[0].at_ms < 120000)
        mt_ws_peer_cut(peer);
    else if (second)
        cloud_provision(cloud, peer, 1, "Sorry, token expired", NULL, 0);
    else
        refuse_old_token(cloud, peer, frame);
}

static void a_token_that_lay_unused_is_renewed_too(void **state)
{
    struct cloud *cloud = begin(NULL, "password");

    (void)state;
    cloud->answer = refuse_two_tokens;
    cloud_live(cloud);
    cloud_run(cloud, is_connected, LONG_MS);
    assert_int_equal(cloud->logins_n, 3);
    assert_string_equal(cloud->opens[cloud->opens_n - 1].token, "token-3");
    end(cloud);
}

static void refuse_every_token(struct cloud *cloud, struct mt_ws_peer *peer,
                               const Easemob__Pb__MSync *frame)
{
    (void)frame;
    cloud_provision(cloud, peer, 1, "Sorry, token expired", NULL, 0);
}

static void a_cloud_that_refuses_every_token_is_not_asked_for_more(void **state)
{
    struct cloud *cloud = begin(NULL, "password");

    (void)state;
    cloud->answer = refuse_every_token;
    cloud_live(cloud);
    cloud_run(cloud, is_ended, LONG_MS);
    cloud_run(cloud, NULL, 20000);
    assert_int_equal(cloud->logins_n, 2);
    assert_int_equal(cloud->opens_n, 2);
    end(cloud);
}

/* ---------------------------------------------------------------- redirects */

static void send_on(struct cloud *cloud, struct mt_ws_peer *peer, const Easemob__Pb__MSync *frame)
{
    bool here = cloud->opens[cloud->opens_n - 1].server == 0;

    if (here && frame->command == EASEMOB__PB__MSYNC__COMMAND__PROVISION)
        cloud_provision(cloud, peer, 5, NULL, "localhost", cloud_port(cloud, 1));
    else
        cloud_agree(cloud, peer, frame);
}

static void a_redirect_is_followed(void **state)
{
    struct cloud *cloud = begin("given", NULL);

    (void)state;
    cloud->answer = send_on;
    cloud_live(cloud);
    cloud_run(cloud, is_connected, LONG_MS);
    assert_int_equal(cloud->opens_n, 2);
    assert_int_equal(cloud->opens[1].server, 1); /* at the same path: the server looks at it */
    assert_string_equal(cloud->opens[1].token, "given");
    mt_ws_peer_cut(cloud->peer); /* what is lost begins at the configured address */
    cloud_run(cloud, is_back, LONG_MS);
    assert_int_equal(cloud->opens_n, 4);
    assert_int_equal(cloud->opens[2].server, 0);
    assert_int_equal(cloud->opens[3].server, 1);
    end(cloud);
}

static void send_round(struct cloud *cloud, struct mt_ws_peer *peer,
                       const Easemob__Pb__MSync *frame)
{
    if (frame->command == EASEMOB__PB__MSYNC__COMMAND__PROVISION)
        cloud_provision(cloud, peer, 5, NULL, "127.0.0.1", cloud_port(cloud, 1));
}

static bool has_opened_ten(struct cloud *cloud)
{
    return cloud->opens_n >= 10;
}

static void redirects_have_an_end(void **state)
{
    struct cloud *cloud = begin("given", NULL);

    (void)state;
    cloud->answer = send_round;
    cloud_live(cloud);
    cloud_run(cloud, has_opened_ten, LONG_MS);
    for (size_t i = 0; i < 10; i++) /* after five hops it rests, and begins anew */
        assert_int_equal(cloud->opens[i].server, i % 6 == 0 ? 0 : 1);
    end(cloud);
}

static void send_nowhere(struct cloud *cloud, struct mt_ws_peer *peer,
                         const Easemob__Pb__MSync *frame)
{
    static const char *const hosts[] = {NULL, "", "host/path", "a b", "user@host"};

    if (frame->command == EASEMOB__PB__MSYNC__COMMAND__PROVISION && cloud->opens_n <= 5)
        cloud_provision(cloud, peer, 5, NULL, hosts[cloud->opens_n - 1], 80);
    else
        cloud_agree(cloud, peer, frame);
}

static void a_redirect_to_nowhere_is_a_failed_attempt(void **state)
{
    struct cloud *cloud = begin("given", NULL);

    (void)state;
    cloud->answer = send_nowhere;
    cloud_live(cloud);
    cloud_run(cloud, is_connected, LONG_MS);
    assert_int_equal(cloud->opens_n, 6);
    end(cloud);
}

/* ---------------------------------------------------------------- what the cloud names us */

static void the_resource_that_is_given_is_adopted(void **state)
{
    struct cloud *cloud = begin("given", NULL);

    (void)state;
    cloud->resource = "srv_moontide";
    cloud_live(cloud);
    cloud_run(cloud, is_connected, LONG_MS);
    assert_string_equal(cloud->opens[0].resource, "moontide");
    size_t pulls_n = cloud->pulls_n;
    cloud_notice(cloud->peer, "alice", "srv_moontide"); /* of our own doing */
    cloud_notice(cloud->peer, "alice", "other");
    cloud_run(cloud, NULL, 2000);
    assert_int_equal(cloud->pulls_n, pulls_n + 1);
    mt_ws_peer_cut(cloud->peer);
    cloud_run(cloud, is_back, LONG_MS);
    assert_string_equal(cloud->opens[1].resource, "srv_moontide");
    mt_provider_find("easemob")->live->stop(cloud->account);
    cloud_run(cloud, NULL, 2000);
    assert_int_equal(cloud->logouts_n, 1);
    assert_string_equal(cloud->logout_resource, "srv_moontide");
    end(cloud);
}

/* ---------------------------------------------------------------- ends */

static void who_is_kicked_does_not_come_back(void **state)
{
    static const struct {
        int operation, provider_code;
    } kicks[] = {{1, 207}, {2, 206}, {3, 216}, {4, 217}};

    (void)state;
    for (size_t i = 0; i < sizeof kicks / sizeof *kicks; i++) {
        struct cloud *cloud = begin(NULL, "password");

        cloud_live(cloud);
        cloud_run(cloud, is_connected, LONG_MS);
        cloud_statistic(cloud->peer, kicks[i].operation, "another device");
        mt_ws_peer_close(cloud->peer, 1000);
        cloud_run(cloud, is_ended, LONG_MS);
        const struct cloud_event *kicked = cloud_last(cloud, MT_EVENT_KICKED);
        assert_non_null(kicked);
        assert_int_equal(kicked->provider_code, kicks[i].provider_code);
        cloud_run(cloud, NULL, 20000);
        assert_int_equal(cloud->opens_n, 1);
        assert_int_equal(cloud->logins_n, 1);
        assert_int_equal(cloud->ended_n, 1);
        end(cloud);
    }
}

struct refusal {
    int code;
    const char *reason, *fault;
    int provider_code;
};

static void refuse(struct cloud *cloud, struct mt_ws_peer *peer, const Easemob__Pb__MSync *frame)
{
    const struct refusal *refusal = cloud->ud;

    if (frame->command == EASEMOB__PB__MSYNC__COMMAND__PROVISION)
        cloud_provision(cloud, peer, refusal->code, refusal->reason, NULL, 0);
}

static void who_is_refused_does_not_come_back(void **state)
{
    static const struct refusal refusals[] = {
        {1, "Sorry, token expired", "auth.token_expired", 56},
        {1, "Sorry, token or password does not match login info", "auth.token_rejected", 28},
        {1, "Sorry, user not found", "user.unknown", 204},
        {1, "Sorry, user register limit", "auth.limit", 50},
        {1, "something else", "auth.refused", 2},
        {2, NULL, "auth.refused", 2},
        {4, NULL, "live.refused", -3},
        {6, NULL, "auth.token_expired", 2},
        {7, "Sorry, the app online count limit", "auth.limit", 50},
        {7, "other", "auth.refused", 2},
        {12, NULL, "auth.forbidden", 57},
        {13, NULL, "auth.too_many_devices", 214},
        {20, NULL, "auth.device_changed", 220},
    };

    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        struct cloud *cloud = begin("given", NULL);

        cloud->answer = refuse;
        cloud->ud = (void *)(uintptr_t)&refusals[i];
        cloud_live(cloud);
        cloud_run(cloud, is_ended, LONG_MS);
        const struct cloud_event *error = cloud_last(cloud, MT_EVENT_ERROR);
        assert_non_null(error);
        assert_string_equal(error->code, refusals[i].fault);
        assert_int_equal(error->provider_code, refusals[i].provider_code);
        cloud_run(cloud, NULL, 5000);
        assert_int_equal(cloud->opens_n, 1);
        assert_int_equal(cloud_count(cloud, MT_EVENT_CONNECTED), 0);
        end(cloud);
    }
}

/* ---------------------------------------------------------------- losses */

static void cut_at_once(struct cloud *cloud, struct mt_ws_peer *peer,
                        const Easemob__Pb__MSync *frame)
{
    (void)cloud;
    (void)frame;
    mt_ws_peer_cut(peer);
}

static bool has_tried_often(struct cloud *cloud)
{
    return cloud->opens_n >= ATTEMPTS;
}

/* Between 0 and twice as long each time, a minute at most: full jitter. */
static void attempts_back_off_with_full_jitter(void **state)
{
    struct cloud *cloud = begin("given", NULL);
    double most_ms = 1000;
    unsigned low_n = 0, high_n = 0;

    (void)state;
    mt_rand_seed(20261121);
    cloud->answer = cut_at_once;
    cloud_live(cloud);
    cloud_run(cloud, has_tried_often, INT64_C(60000) * ATTEMPTS);
    for (size_t i = 0; i + 1 < ATTEMPTS; i++) {
        int64_t rest_ms = cloud->opens[i + 1].at_ms - cloud->opens[i].closed_ms;
        assert_true((double)rest_ms <= most_ms + 10000); /* 0.2 s of the machine's */
        low_n += (double)rest_ms < most_ms / 2;
        high_n += (double)rest_ms >= most_ms / 2;
        most_ms = most_ms < 60000 ? most_ms * 2 : 60000;
    }
    assert_true(low_n >= 3 && high_n >= 3);
    mt_rand_seed(0);
    end(cloud);
}

static void fall_silent(struct cloud *cloud, struct mt_ws_peer *peer,
                        const Easemob__Pb__MSync *frame)
{
    if (cloud->opens_n > 1 || cloud->unreads_n <= 1)
        cloud_agree(cloud, peer, frame);
}

/* The connection stands, and nobody is at its other end any more. */
static void a_heartbeat_without_an_answer_ends_the_connection(void **state)
{
    struct cloud *cloud = begin("given", NULL);

    (void)state;
    cloud->answer = fall_silent;
    cloud_live(cloud);
    cloud_run(cloud, is_back, LONG_MS);
    const struct cloud_event *lost = cloud_last(cloud, MT_EVENT_DISCONNECTED);
    assert_non_null(lost);
    assert_string_equal(lost->code, "live.silent");
    int64_t after_ms = lost->at_ms - cloud->opens[0].at_ms;
    assert_in_range(after_ms, 49000, 75000); /* 30 s of quiet, 20 s for the answer */
    assert_int_equal(cloud->unreads_n, 3);   /* at the login, one heartbeat, at the next login */
    end(cloud);
}

static void a_quiet_cloud_that_answers_is_kept(void **state)
{
    struct cloud *cloud = begin("given", NULL);

    (void)state;
    cloud_live(cloud);
    cloud_run(cloud, is_connected, LONG_MS);
    cloud_run(cloud, NULL, 200000);
    assert_int_equal(cloud->opens_n, 1);
    assert_in_range(cloud->unreads_n, 5, 8); /* at the login, then every 30 to 35 s */
    end(cloud);
}

static void never_answer(struct cloud *cloud, struct mt_ws_peer *peer,
                         const Easemob__Pb__MSync *frame)
{
    if (cloud->opens_n > 1)
        cloud_agree(cloud, peer, frame);
}

static void a_login_without_an_answer_is_given_up(void **state)
{
    struct cloud *cloud = begin("given", NULL);

    (void)state;
    cloud->answer = never_answer;
    cloud_live(cloud);
    cloud_run(cloud, is_connected, LONG_MS);
    assert_int_equal(cloud->opens_n, 2);
    int64_t after_ms = cloud->opens[1].at_ms - cloud->opens[0].at_ms;
    assert_in_range(after_ms, 10000, 25000);
    end(cloud);
}

int test_live_session(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_is_renewed_before_it_expires),
        cmocka_unit_test(a_renewal_that_failed_is_tried_again_when_it_expires),
        cmocka_unit_test(without_a_password_the_session_ends_with_its_token),
        cmocka_unit_test(a_token_refused_at_the_login_is_renewed_once),
        cmocka_unit_test(a_token_that_lay_unused_is_renewed_too),
        cmocka_unit_test(a_cloud_that_refuses_every_token_is_not_asked_for_more),
        cmocka_unit_test(a_redirect_is_followed),
        cmocka_unit_test(redirects_have_an_end),
        cmocka_unit_test(a_redirect_to_nowhere_is_a_failed_attempt),
        cmocka_unit_test(the_resource_that_is_given_is_adopted),
        cmocka_unit_test(who_is_kicked_does_not_come_back),
        cmocka_unit_test(who_is_refused_does_not_come_back),
        cmocka_unit_test(attempts_back_off_with_full_jitter),
        cmocka_unit_test(a_heartbeat_without_an_answer_ends_the_connection),
        cmocka_unit_test(a_quiet_cloud_that_answers_is_kept),
        cmocka_unit_test(a_login_without_an_answer_is_given_up),
    };
    return cmocka_run_group_tests_name("live/session", tests, NULL, NULL);
}

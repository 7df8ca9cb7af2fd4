/* The connection against a cloud that says what the test wants: navigation, greeting, pings,
 * requests that are answered, refused, lost, and the end of it. */
#include "cloud.h"

#include "base/clock.h"
#include "loop/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

int test_link(void);

#define LONG_MS 300000

static const struct mt_rong_request reading = {.topic = "qryPMsg", .reads = true};
static const struct mt_rong_request sending = {.publish = true, .topic = "ppMsgP", .target = "bob"};

static struct cloud *begin(const char *token)
{
    struct cloud *cloud = malloc(sizeof *cloud);

    assert_non_null(cloud);
    cloud_begin(cloud, token);
    return cloud;
}

static void end(struct cloud *cloud)
{
    cloud_end(cloud);
    free(cloud);
}

static bool is_idle(struct cloud *cloud)
{
    return cloud->waiting == 0;
}

/* The client has said what it says after an answer. */
static bool has_confirmed(struct cloud *cloud)
{
    return is_idle(cloud) &&
           cloud_frames(cloud, MT_RONG_QUERYCON) == cloud_frames(cloud, MT_RONG_QUERY);
}

static bool is_ended(struct cloud *cloud)
{
    return cloud->ended_n > 0;
}

static bool is_connected(struct cloud *cloud)
{
    return cloud_count(cloud, MT_EVENT_CONNECTED) >= 1;
}

static bool is_back(struct cloud *cloud)
{
    return cloud_count(cloud, MT_EVENT_CONNECTED) >= 2;
}

static void login(struct cloud *cloud)
{
    cloud_login(cloud);
    cloud_run(cloud, is_idle, LONG_MS);
}

/* ---------------------------------------------------------------- navigation */

static void it_asks_as_the_sdk_does(void **state)
{
    struct cloud *cloud = begin("opaque/+@");
    char query[256], device[64] = "";

    (void)state;
    for (int i = 0; i < 2; i++) {
        login(cloud);
        assert_int_equal(cloud->rc, MT_OK);
        assert_int_equal(cloud->navis_n, 1);
        assert_string_equal(cloud->navi_headers, "appkey|conn=5;rtc=4;log=2;iptype=v4,v6|"
                                                 "Application/x-www-form-urlencoded");
        assert_string_equal(cloud->navi_request, "token=opaque%2F%2B%40&v=5.38.0&platfrom=browser");
        const char *at = strstr(cloud->opens[0].query, "&deviceId=");
        assert_non_null(at);
        /* each is another device to the cloud: a session of the user goes on beside it */
        assert_int_not_equal(strncmp(device, at + 10, 22), 0);
        snprintf(device, sizeof device, "%.22s", at + 10);
        snprintf(query, sizeof query,
                 "appId=appkey&token=opaque%%2F%%2B%%40&sdkVer=5.38.0&pid=&deviceId=%s"
                 "&apiVer=browser%%7CChrome%%7C120.0.0.0&protocolVer=3",
                 device);
        assert_string_equal(cloud->opens[0].query, query);
        end(cloud);
        cloud = begin("opaque/+@");
    }
    end(cloud);
}

static void hosts_of_the_token_come_first(void **state)
{
    struct cloud *cloud = begin("opaque@http://127.0.0.1:9;http://127.0.0.1:7");

    (void)state;
    login(cloud); /* both refuse, then the configured one is asked */
    assert_int_equal(cloud->rc, MT_OK);
    assert_int_equal(cloud->navis_n, 1);
    assert_string_equal(cloud->navi_request,
                        "token=opaque%40http%3A%2F%2F127.0.0.1%3A9%3Bhttp%3A%2F%2F127.0.0.1%3A7"
                        "&v=5.38.0&platfrom=browser");
    assert_non_null(strstr(cloud->opens[0].query, "&token=opaque%40&sdkVer"));
    end(cloud);
}

static void navigation_refuses(void **state)
{
    static const struct {
        int status;
        const char *body, *code;
        int provider_code;
    } refusals[] = {{401, NULL, "auth.token_rejected", 31004},
                    {403, NULL, "auth.token_rejected", 31004},
                    {416, NULL, "auth.licence", 31030},
                    {200, "{\"code\":401}", "auth.token_rejected", 31004},
                    {500, NULL, "navigation.failed", 30007},
                    {200, "<html>", "navigation.failed", 30007},
                    {200, "{\"code\":200}", "navigation.failed", 30007}};

    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        struct cloud *cloud = begin(NULL);

        cloud->navi_status = refusals[i].status;
        cloud->navi_body = refusals[i].body;
        login(cloud);
        assert_string_equal(cloud->fault.code, refusals[i].code);
        assert_int_equal(cloud->fault.provider_code, refusals[i].provider_code);
        /* of what is refused for good nobody is asked twice */
        assert_int_equal(cloud->navis_n, refusals[i].provider_code == 30007 ? 2 : 1);
        login(cloud);
        assert_int_equal(cloud->navis_n, refusals[i].provider_code == 30007 ? 4 : 1);
        assert_string_equal(cloud->fault.code, refusals[i].code);
        end(cloud);
    }
}

static void its_answer_is_kept_for_two_hours(void **state)
{
    struct cloud *cloud = begin(NULL);

    (void)state;
    cloud_live(cloud);
    cloud_run(cloud, is_connected, LONG_MS);
    mt_ws_peer_cut(cloud->peer);
    cloud_run(cloud, is_back, LONG_MS);
    assert_int_equal(cloud->navis_n, 1);
    cloud->account->navi.fetched_ms -= 2 * 3600 * 1000;
    cloud->events_n = 0;
    mt_ws_peer_cut(cloud->peer);
    cloud_run(cloud, is_connected, LONG_MS);
    assert_int_equal(cloud->navis_n, 2);
    end(cloud);
}

static bool has_three_opens(struct cloud *cloud)
{
    return cloud->opens_n >= 3;
}

static void servers_are_tried_by_their_weight(void **state)
{
    struct cloud *cloud = begin(NULL);
    char body[512];

    (void)state;
    snprintf(
        body, sizeof body,
        "{\"code\":200,\"serverAddr\":[{\"protocol\":5,\"addr\":\"127.0.0.1:%u\",\"weight\":1},"
        "{\"protocol\":5,\"addr\":\"127.0.0.1:9\",\"weight\":7},"
        "{\"protocol\":1,\"addr\":\"127.0.0.1:8\",\"weight\":99}]}",
        (unsigned)mt_ws_server_port(cloud->server));
    cloud->navi_body = body;
    login(cloud);
    assert_int_equal(cloud->rc, MT_OK);
    assert_int_equal(cloud->account->navi.addresses_n, 2);
    assert_string_equal(cloud->account->navi.addresses[0], "ws://127.0.0.1:9");
    assert_int_equal(cloud->account->link.address_at, 1);
    end(cloud);

    cloud = begin(NULL); /* the older form of the answer */
    snprintf(body, sizeof body,
             "{\"code\":200,\"server\":\"127.0.0.1:9\",\"backupServer\":"
             "\"127.0.0.1:7,127.0.0.1:%u\"}",
             (unsigned)mt_ws_server_port(cloud->server));
    cloud->navi_body = body;
    login(cloud);
    assert_int_equal(cloud->rc, MT_OK);
    assert_int_equal(cloud->account->link.address_at, 2);
    end(cloud);
}

static void no_server_can_be_reached(void **state)
{
    struct cloud *cloud = begin(NULL);

    (void)state;
    cloud->navi_body =
        "{\"code\":200,\"serverAddr\":[{\"protocol\":5,\"addr\":\"127.0.0.1:9\",\"weight\":1}]}";
    login(cloud);
    assert_string_equal(cloud->fault.code, "live.no_server");
    assert_int_equal(cloud->fault.provider_code, 35008);
    assert_int_equal(cloud->fault.kind, MT_ERR_NETWORK);
    assert_int_equal(cloud->navis_n, 2); /* they may have moved */
    end(cloud);
}

/* ---------------------------------------------------------------- the greeting */

static void a_greeting_of_version_four_begins_the_ids(void **state)
{
    struct cloud *cloud = begin(NULL);

    (void)state;
    cloud->flags = "\"openAnti\":1";
    cloud->first_id = 7;
    cloud_ask(cloud, &reading, "history", 0);
    cloud_run(cloud, has_confirmed, LONG_MS);
    assert_int_equal(cloud->rc, MT_OK);
    assert_non_null(strstr(cloud->opens[0].query, "&protocolVer=4"));
    assert_int_equal(cloud->frames[0].type, MT_RONG_PINGREQ); /* before anything else */
    assert_int_equal(cloud->frames[1].type, MT_RONG_QUERY);
    assert_int_equal(cloud->frames[1].id, 8);
    assert_string_equal(cloud->frames[1].target, "alice");
    assert_int_equal(cloud->frames[2].type, MT_RONG_QUERYCON);
    assert_int_equal(cloud->frames[2].id, 8);
    end(cloud);
}

static void a_greeting_refuses(void **state)
{
    static const struct {
        unsigned status;
        const char *code;
        int provider_code;
    } refusals[] = {{1, "live.refused", 31001},           {2, "auth.refused", 31002},
                    {4, "auth.token_rejected", 31004},    {5, "auth.refused", 31005},
                    {7, "auth.forbidden", 31007},         {8, "auth.forbidden", 31008},
                    {9, "auth.user_banned", 31009},       {10, "auth.token_expired", 31020},
                    {11, "auth.device", 31021},           {12, "auth.forbidden", 31022},
                    {13, "auth.too_many_devices", 31023}, {14, "auth.limit", 31024},
                    {15, "auth.wrong_cluster", 31025},    {16, "auth.refused", 31026},
                    {17, "auth.token_used", 31027},       {18, "auth.forbidden", 31028},
                    {19, "user.unknown", 31029},          {20, "auth.licence", 31030}};

    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        struct cloud *cloud = begin(NULL);

        cloud->connack = refusals[i].status;
        cloud_login(cloud);
        cloud_live(cloud);
        cloud_run(cloud, is_ended, LONG_MS);
        assert_int_equal(cloud->opens_n, 1);
        const struct cloud_event *event = cloud_last(cloud, MT_EVENT_ERROR);
        assert_non_null(event);
        assert_string_equal(event->code, refusals[i].code);
        assert_int_equal(event->provider_code, refusals[i].provider_code);
        assert_true(event->ended);
        assert_int_equal(cloud->waiting, 0);
        assert_string_equal(cloud->fault.code, refusals[i].code);
        end(cloud);
    }
}

static void a_busy_server_is_asked_again(void **state)
{
    struct cloud *cloud = begin(NULL);

    (void)state;
    cloud->connack = 3;
    cloud_live(cloud);
    cloud_run(cloud, has_three_opens, LONG_MS);
    cloud->connack = 0;
    cloud_run(cloud, is_connected, LONG_MS);
    assert_int_equal(cloud_count(cloud, MT_EVENT_ERROR), 0);
    end(cloud);
}

static void no_greeting_comes(void **state)
{
    struct cloud *cloud = begin(NULL);

    (void)state;
    cloud->connack = 255;
    login(cloud);
    assert_string_equal(cloud->fault.code, "live.no_server");
    assert_int_equal(cloud->opens_n, 2);
    int64_t waited_ms = cloud->opens[0].closed_ms - cloud->opens[0].at_ms;
    assert_in_range(waited_ms, 9500, 24000);
    end(cloud);
}

static void the_token_is_of_another_user(void **state)
{
    struct cloud *cloud = begin(NULL);

    (void)state;
    cloud->user = "mallory";
    login(cloud);
    assert_string_equal(cloud->fault.code, "auth.token_rejected");
    assert_non_null(strstr(cloud->fault.message, "'mallory'"));
    end(cloud);
}

/* ---------------------------------------------------------------- pings */

static bool has_pinged(struct cloud *cloud)
{
    return cloud_frames(cloud, MT_RONG_PINGREQ) >= 5;
}

static void it_pings(void **state)
{
    struct cloud *cloud = begin(NULL);
    int64_t last = 0;
    size_t n = 0;

    (void)state;
    cloud_live(cloud);
    cloud_run(cloud, has_pinged, LONG_MS);
    for (size_t i = 0; i < cloud->frames_n; i++) {
        if (cloud->frames[i].type != MT_RONG_PINGREQ)
            continue;
        if (n++ > 0)
            assert_in_range(cloud->frames[i].at_ms - last, 14500, 22000);
        last = cloud->frames[i].at_ms;
    }
    assert_int_equal(cloud_count(cloud, MT_EVENT_DISCONNECTED), 0);
    end(cloud);
}

static bool is_lost(struct cloud *cloud)
{
    return cloud_count(cloud, MT_EVENT_DISCONNECTED) >= 1;
}

static void two_missed_pings_end_it(void **state)
{
    struct cloud *cloud = begin(NULL);

    (void)state;
    cloud->mute = true;
    cloud_live(cloud);
    cloud_run(cloud, is_lost, LONG_MS);
    assert_int_equal(cloud_frames(cloud, MT_RONG_PINGREQ), 2);
    const struct cloud_event *event = cloud_last(cloud, MT_EVENT_DISCONNECTED);
    assert_string_equal(event->code, "live.silent");
    assert_int_equal(event->provider_code, 30012);
    cloud->mute = false;
    cloud_run(cloud, is_back, LONG_MS);
    int64_t lived_ms = cloud->opens[0].closed_ms - cloud->opens[0].at_ms;
    assert_in_range(lived_ms, 29000, 44000);
    end(cloud);
}

/* ---------------------------------------------------------------- requests */

static void requests_are_answered(void **state)
{
    struct cloud *cloud = begin(NULL);

    (void)state;
    cloud->account->link.last_id = 0;
    cloud_ask(cloud, &sending, "send", 0);
    cloud_run(cloud, is_idle, LONG_MS);
    assert_int_equal(cloud->rc, MT_OK);
    assert_string_equal(cloud->answer_uid, "AAAA-BBBB-CCCC-DDDD");
    assert_int_equal(cloud->answer_ms, 1800000000191);
    assert_int_equal(cloud->frames[1].qos, 1);
    assert_int_equal(cloud->frames[1].id, 1);
    assert_string_equal(cloud->frames[1].target, "bob");
    assert_int_equal(cloud_frames(cloud, MT_RONG_PUBACK), 0);
    cloud->account->link.last_id = 65534;
    cloud_ask(cloud, &reading, "history", 0);
    cloud_ask(cloud, &reading, "history", 0);
    cloud_run(cloud, has_confirmed, LONG_MS);
    assert_int_equal(cloud->frames[2].id, 65535); /* and then from the beginning */
    assert_int_equal(cloud->frames[3].id + cloud->frames[4].id, 1 + 65535);
    end(cloud);
}

static unsigned refusal;

static bool refuse(struct cloud *cloud, struct mt_ws_peer *peer, const struct mt_rong_frame *frame)
{
    if (frame->type == MT_RONG_PUBLISH)
        cloud_puback(cloud, peer, frame->id, refusal, "");
    else
        cloud_queryack(cloud, peer, frame->id, refusal, NULL, 0);
    return true;
}

static void statuses_are_faults(void **state)
{
    static const struct {
        unsigned status;
        enum mt_rc kind;
        const char *code;
    } faults[] = {{405, MT_ERR_DENIED, "send.blocked"},
                  {20604, MT_ERR_RATE, "history.rate"},
                  {22406, MT_ERR_DENIED, "send.not_member"},
                  {22408, MT_ERR_DENIED, "send.muted_here"},
                  {33007, MT_ERR_UNSUPPORTED, "history.not_opened"},
                  {25101, MT_ERR_DENIED, "recall.too_late"},
                  {25410, MT_ERR_NOT_FOUND, "send.group_not_found"},
                  {34232, MT_ERR_INVALID, "history.refused"},
                  {23431, MT_ERR_REMOTE, "history.refused"},
                  {12345, MT_ERR_REMOTE, "history.refused"}};
    struct cloud *cloud = begin(NULL);

    (void)state;
    cloud->answer = refuse;
    for (size_t i = 0; i < 2 * sizeof faults / sizeof *faults; i++) {
        refusal = faults[i / 2].status;
        cloud_ask(cloud, i % 2 ? &sending : &reading, "history", 0);
        cloud_run(cloud, is_idle, LONG_MS);
        assert_int_equal(cloud->rc, faults[i / 2].kind);
        assert_string_equal(cloud->fault.code, faults[i / 2].code);
        assert_int_equal(cloud->fault.provider_code, faults[i / 2].status);
    }
    assert_int_equal(cloud->opens_n, 1);
    end(cloud);
}

static bool nothing(struct cloud *cloud, struct mt_ws_peer *peer, const struct mt_rong_frame *frame)
{
    (void)cloud;
    (void)peer;
    (void)frame;
    return true;
}

static void an_answer_that_does_not_come(void **state)
{
    struct cloud *cloud = begin(NULL);

    (void)state;
    cloud->answer = nothing;
    cloud_ask(cloud, &reading, "history", 3);
    cloud_run(cloud, is_idle, LONG_MS);
    assert_string_equal(cloud->fault.code, "history.timeout");
    assert_int_equal(cloud->fault.kind, MT_ERR_TIMEOUT);
    assert_int_equal(cloud_asked(cloud, "qryPMsg"), 3); /* what reads is asked again */
    assert_in_range(cloud->frames[3].at_ms - cloud->frames[1].at_ms, 29000, 90000);
    cloud_ask(cloud, &sending, "send", 3);
    cloud_run(cloud, is_idle, LONG_MS);
    assert_string_equal(cloud->fault.code, "send.unknown");
    assert_int_equal(cloud_asked(cloud, "ppMsgP"), 1); /* and nothing else is */
    assert_int_equal(cloud->opens_n, 1);
    end(cloud);
}

static bool cut_first(struct cloud *cloud, struct mt_ws_peer *peer,
                      const struct mt_rong_frame *frame)
{
    (void)frame;
    if (cloud->opens_n > 1)
        return false;
    mt_ws_peer_cut(peer);
    return true;
}

static void an_answer_that_is_lost_with_the_connection(void **state)
{
    struct cloud *cloud = begin(NULL);

    (void)state;
    cloud->answer = cut_first;
    cloud_ask(cloud, &reading, "history", 0);
    cloud_run(cloud, is_idle, LONG_MS);
    assert_int_equal(cloud->rc, MT_OK);
    assert_int_equal(cloud->opens_n, 2);
    assert_int_equal(cloud_asked(cloud, "qryPMsg"), 2);
    end(cloud);

    cloud = begin(NULL);
    cloud->answer = cut_first;
    cloud_ask(cloud, &sending, "send", 0);
    cloud_run(cloud, is_idle, LONG_MS);
    assert_string_equal(cloud->fault.code, "send.unknown");
    assert_int_equal(cloud_asked(cloud, "ppMsgP"), 1);
    end(cloud);
}

static void status_messages_wait_for_nothing(void **state)
{
    static const struct mt_rong_request typing = {
        .publish = true, .silent = true, .topic = "ppMsgS", .target = "bob"};
    struct cloud *cloud = begin(NULL);

    (void)state;
    cloud->answer = nothing;
    cloud_ask(cloud, &typing, "send", 0);
    cloud_run(cloud, is_idle, 10000);
    assert_int_equal(cloud->rc, MT_OK);
    assert_int_equal(cloud->answers_n, 1);
    end(cloud);
}

static void an_unused_connection_is_closed(void **state)
{
    struct cloud *cloud = begin(NULL);

    (void)state;
    login(cloud);
    cloud_run(cloud, NULL, 10000);
    assert_int_equal(cloud->open_now_n, 1);
    cloud_run(cloud, NULL, 20000);
    assert_int_equal(cloud->open_now_n, 0);
    cloud_ask(cloud, &reading, "history", 0); /* and made again when it is needed */
    cloud_run(cloud, is_idle, LONG_MS);
    assert_int_equal(cloud->rc, MT_OK);
    assert_int_equal(cloud->opens_n, 2);
    assert_int_equal(cloud->navis_n, 1);
    end(cloud);
}

static void without_a_connection_what_changes_fails_soon(void **state)
{
    struct cloud *cloud = begin(NULL);

    (void)state;
    cloud->navi_body =
        "{\"code\":200,\"serverAddr\":[{\"protocol\":5,\"addr\":\"127.0.0.1:9\",\"weight\":1}]}";
    cloud_live(cloud); /* which goes on trying */
    cloud_ask(cloud, &sending, "send", 1000);
    int64_t began = mt_clock_mono_ms();
    cloud_run(cloud, is_idle, LONG_MS);
    assert_string_equal(cloud->fault.code, "send.offline");
    assert_in_range(mt_clock_mono_ms() - began, 29000, 44000);
    assert_int_equal(cloud_count(cloud, MT_EVENT_ERROR), 0);
    end(cloud);
}

static void calls_are_cancelled(void **state)
{
    struct cloud *cloud = begin(NULL);

    (void)state;
    cloud->answer = nothing;
    struct mt_provider_call *waiting = cloud_ask(cloud, &reading, "history", 0);
    mt_provider_rongcloud.cancel(waiting);
    cloud_run(cloud, is_idle, LONG_MS);
    assert_int_equal(cloud->rc, MT_ERR_CANCELLED);
    struct mt_provider_call *asked = cloud_ask(cloud, &reading, "history", 0);
    cloud_run(cloud, NULL, 5000);
    assert_int_equal(cloud_asked(cloud, "qryPMsg"), 1);
    mt_provider_rongcloud.cancel(asked);
    cloud_run(cloud, is_idle, LONG_MS);
    assert_int_equal(cloud->rc, MT_ERR_CANCELLED);
    cloud_ask(cloud, &reading, "history", 0);
    cloud_run(cloud, NULL, 5000);
    mt_provider_rongcloud.close(cloud->account);
    assert_int_equal(cloud->waiting, 0);
    assert_int_equal(cloud->rc, MT_ERR_CANCELLED);
    cloud->account = NULL;
    end(cloud);
}

/* ---------------------------------------------------------------- what ends it */

static void kicked(struct cloud *cloud, struct mt_ws_peer *peer)
{
    cloud_disconnect(cloud, peer, refusal);
}

static void the_cloud_disconnects(void **state)
{
    static const struct {
        unsigned status;
        enum mt_event_type type;
        const char *code;
        int provider_code;
    } ends[] = {{1, MT_EVENT_KICKED, "kicked.other_device", 31010},
                {2, MT_EVENT_KICKED, "kicked.by_cloud", 31011},
                {5, MT_EVENT_KICKED, "kicked.by_cloud", 31011},
                {7, MT_EVENT_ERROR, "auth.token_expired", 31020},
                {8, MT_EVENT_ERROR, "live.refused", 31001},
                {9, MT_EVENT_ERROR, "user.unknown", 31029}};

    (void)state;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        struct cloud *cloud = begin(NULL);

        refusal = ends[i].status;
        cloud->greeted = kicked;
        cloud_live(cloud);
        cloud_run(cloud, is_ended, LONG_MS);
        const struct cloud_event *event = cloud_last(cloud, ends[i].type);
        assert_non_null(event);
        assert_string_equal(event->code, ends[i].code);
        assert_int_equal(event->provider_code, ends[i].provider_code);
        assert_true(event->ended);
        cloud_run(cloud, NULL, 100000);
        assert_int_equal(cloud->opens_n, 1);
        end(cloud);
    }
}

static void unknown_statuses_are_losses(void **state)
{
    struct cloud *cloud = begin(NULL);

    (void)state;
    cloud_live(cloud);
    cloud_run(cloud, is_connected, LONG_MS);
    cloud_disconnect(cloud, cloud->peer, 3);
    cloud_run(cloud, is_back, LONG_MS);
    assert_string_equal(cloud_last(cloud, MT_EVENT_DISCONNECTED)->code, "live.closed");
    end(cloud);
}

static void redirects_navigate_again(void **state)
{
    struct cloud *cloud = begin(NULL);

    (void)state;
    cloud_live(cloud);
    cloud_run(cloud, is_connected, LONG_MS);
    cloud_disconnect(cloud, cloud->peer, 6);
    cloud_run(cloud, is_back, LONG_MS);
    assert_int_equal(cloud->navis_n, 2);
    assert_int_equal(cloud_last(cloud, MT_EVENT_DISCONNECTED)->provider_code, 31006);
    end(cloud);

    cloud = begin(NULL);
    cloud->connack = 6; /* without end: it is not asked without end */
    cloud_live(cloud);
    cloud_run(cloud, NULL, 30000);
    assert_in_range(cloud->navis_n, 6, 60);
    cloud->connack = 0;
    cloud_run(cloud, is_connected, LONG_MS);
    end(cloud);
}

static size_t rounds_n;

static bool is_connected_again(struct cloud *cloud)
{
    return cloud_count(cloud, MT_EVENT_CONNECTED) >= rounds_n;
}

static bool is_lost_again(struct cloud *cloud)
{
    return cloud_count(cloud, MT_EVENT_DISCONNECTED) >= rounds_n;
}

static void garbled_frames_end_the_connection(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } frames[] = {{"\x32\x00\x00", 3},         {"\x00", 1}, {"\xf0\x01", 2}, {"", 0},
                  {"\x62\x00\x01\x00\x00", 5}, {"\xe0", 1}, {"\x40\x00", 2}};
    struct cloud *cloud = begin(NULL);

    (void)state;
    cloud_live(cloud);
    for (rounds_n = 1; rounds_n <= sizeof frames / sizeof *frames; rounds_n++) {
        cloud_run(cloud, is_connected_again, LONG_MS);
        (void)mt_ws_peer_send(cloud->peer, true, frames[rounds_n - 1].bytes,
                              frames[rounds_n - 1].len);
        cloud_run(cloud, is_lost_again, LONG_MS);
        assert_string_equal(cloud_last(cloud, MT_EVENT_DISCONNECTED)->code, "live.garbled");
    }
    end(cloud);
}

static bool has_many_opens(struct cloud *cloud)
{
    return cloud->opens_n >= 12;
}

static void rests_grow_and_differ(void **state)
{
    struct cloud *cloud = begin(NULL);
    int64_t most = 0;

    (void)state;
    cloud->connack = 3;
    cloud_live(cloud);
    cloud_run(cloud, has_many_opens, 1200000);
    for (size_t i = 1; i < cloud->opens_n; i++) {
        int64_t rest = cloud->opens[i].at_ms - cloud->opens[i - 1].closed_ms;

        assert_true(rest < 70000);
        assert_true(i > 3 || rest < 3000 << i); /* full jitter below a bound that doubles */
        most = rest > most ? rest : most;
    }
    assert_true(most > 4000);
    end(cloud);
}

int test_link(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_asks_as_the_sdk_does),
        cmocka_unit_test(hosts_of_the_token_come_first),
        cmocka_unit_test(navigation_refuses),
        cmocka_unit_test(its_answer_is_kept_for_two_hours),
        cmocka_unit_test(servers_are_tried_by_their_weight),
        cmocka_unit_test(no_server_can_be_reached),
        cmocka_unit_test(a_greeting_of_version_four_begins_the_ids),
        cmocka_unit_test(a_greeting_refuses),
        cmocka_unit_test(a_busy_server_is_asked_again),
        cmocka_unit_test(no_greeting_comes),
        cmocka_unit_test(the_token_is_of_another_user),
        cmocka_unit_test(it_pings),
        cmocka_unit_test(two_missed_pings_end_it),
        cmocka_unit_test(requests_are_answered),
        cmocka_unit_test(statuses_are_faults),
        cmocka_unit_test(an_answer_that_does_not_come),
        cmocka_unit_test(an_answer_that_is_lost_with_the_connection),
        cmocka_unit_test(status_messages_wait_for_nothing),
        cmocka_unit_test(an_unused_connection_is_closed),
        cmocka_unit_test(without_a_connection_what_changes_fails_soon),
        cmocka_unit_test(calls_are_cancelled),
        cmocka_unit_test(the_cloud_disconnects),
        cmocka_unit_test(unknown_statuses_are_losses),
        cmocka_unit_test(redirects_navigate_again),
        cmocka_unit_test(garbled_frames_end_the_connection),
        cmocka_unit_test(rests_grow_and_differ),
    };

    return cmocka_run_group_tests_name("link", tests, NULL, NULL);
}

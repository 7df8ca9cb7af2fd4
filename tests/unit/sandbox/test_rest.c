/* The REST side over real sockets. */
#include "tests.h"

#include "../bytes.h"

#include "client.h"

#include "base/mem.h"
#include "codec/base64.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define B "/sandbox/demo"

static struct server SERVER;
static int start(void **state)
{
    return server_with_data(state, &SERVER, NULL, false);
}

static int start_strict(void **state)
{
    return server_with_data(state, &SERVER, "registered=zoe|ann", true);
}

static int stop(void **state)
{
    server_stop(&SERVER);
    return remove_dir(state);
}

static void expect_error(const char *method, const char *target, const char *token,
                         const char *body, int status, const char *text)
{
    struct answer answer = ask(&SERVER, method, target, token, body);
    if (answer.status != status || strcmp(str_at(&answer, "error_description"), text) != 0)
        fail_msg("%s %s: %d %s", method, target, answer.status, answer.body);
    answer_free(&answer);
}

static void test_ready_line(void **state)
{
    (void)state;
    char expected[512];
    (void)snprintf(expected, sizeof expected,
                   "{\"ready\":true,\"easemob\":{\"appkey\":\"sandbox#demo\",\"rest\":\"http://"
                   "127.0.0.1:%u\",\"websocket\":\"ws://127.0.0.1:%u/websocket\"},"
                   "\"rongcloud\":{\"appkey\":\"sandbox\",\"navigator\":\"http://127.0.0.1:%u\"},"
                   "\"owner\":\"agent\"}",
                   SERVER.port, SERVER.port, SERVER.port);
    assert_string_equal(mt_sandbox_ready(SERVER.sandbox), expected);
}

static void test_login(void **state)
{
    (void)state;
    char *token = login_token(&SERVER, "dora");
    struct answer answer = ask(&SERVER, "GET", B "/users/dora/user_channels", token, NULL);
    assert_int_equal(answer.status, 200);
    assert_string_equal(str_at(&answer, "path"), B "/users/dora/user_channels");
    assert_string_equal(str_at(&answer, "action"), "get");
    assert_string_equal(str_at(&answer, "organization"), "sandbox");
    answer_free(&answer);
    expect_error("POST", B "/token", NULL,
                 "{\"grant_type\":\"password\",\"username\":\"dora\",\"password\":\"other\"}", 400,
                 "invalid password");
    expect_error("GET", B "/users/eve/user_channels", token, NULL, 401,
                 "Unable to authenticate (OAuth)");
    expect_error("GET", B "/users/dora/user_channels", NULL, NULL, 401,
                 "Unable to authenticate (OAuth)");
    expect_error("GET", B "/users/dora/user_channels", "YWMtwrong", NULL, 401,
                 "Unable to authenticate (OAuth)");
    expect_error("POST", B "/token", NULL, "{", 400,
                 "Request body not readable.Please check content type is correct!");
    answer = ask(&SERVER, "GET", "/other/app/users/dora/user_channels", token, NULL);
    assert_int_equal(answer.status, 404);
    assert_string_equal(str_at(&answer, "error"), "organization_application_not_found");
    answer_free(&answer);
    answer = ask(&SERVER, "GET", B "/sdk/users/dora/token/expires", token, NULL);
    assert_true(int_at(&answer, "expire_timestamp") > (int64_t)time(NULL) * 1000);
    answer_free(&answer);
    mt_mem_free(token);
}

static void test_strict_users(void **state)
{
    (void)state;
    expect_error("POST", B "/token", NULL,
                 "{\"grant_type\":\"password\",\"username\":\"nobody\",\"password\":\"x\"}", 404,
                 "user not found");
    expect_error("POST", B "/token", NULL,
                 "{\"grant_type\":\"password\",\"username\":\"peer1\",\"password\":\"x\"}", 400,
                 "invalid password");
    struct answer answer =
        ask(&SERVER, "POST", B "/token", NULL,
            "{\"grant_type\":\"password\",\"username\":\"ann\",\"password\":\"secret-ann\"}");
    assert_int_equal(answer.status, 200);
    answer_free(&answer);
    expect_error("GET", B "/users/nobody/user_channels", "sandbox-nobody", NULL, 404,
                 "user not found");
}

/* base64 of "dt-" and JSON, signed with the sandbox's documented credentials by another program. */
#define DYNAMIC_OVER                                                                               \
    "ZHQteyJzaWduYXR1cmUiOiI3MzM2MTk1MmIzNTU0MmNlNjk3Njk3ODJkOTUxMTU1ODljM2Q3MmNjNjVi"             \
    "NjBjOGE1ZDY2ZDRlZmZjNjdhZGNlIiwiYXBwa2V5Ijoic2FuZGJveCNkZW1vIiwidXNlcklkIjoiYW5u"             \
    "IiwiY3VyVGltZSI6MTY4NjIwNzU1NywidHRsIjo2MDB9"
#define DYNAMIC                                                                                    \
    "ZHQteyJzaWduYXR1cmUiOiI0ODkxMWVjMjBlODRkYjJhOWFmM2ZkZTAyZDhkMzk5ZjBhMjY0MWE2OGM0"             \
    "M2FlZGZlOTJkMGNiNDYxZWM4MzYwIiwiYXBwa2V5Ijoic2FuZGJveCNkZW1vIiwidXNlcklkIjoiYW5u"             \
    "IiwiY3VyVGltZSI6MTcwMDAwMDAwMCwidHRsIjoyMDAwMDAwMDAwfQ=="
#define FORGED                                                                                     \
    "ZHQteyJzaWduYXR1cmUiOiJjYTY3MDdjMzI5MjBlMzMxMzMzYzM2YzhmNzQ3ZmMxMjc0YmIwYzI1NGIw"             \
    "ZDc3YjQzZjg0YTM5ZTllOWMwM2MyIiwiYXBwa2V5Ijoic2FuZGJveCNkZW1vIiwidXNlcklkIjoiYW5u"             \
    "IiwiY3VyVGltZSI6MTcwMDAwMDAwMCwidHRsIjoyMDAwMDAwMDAwfQ=="

static void test_app_tokens(void **state)
{
    (void)state;
    expect_error("POST", B "/token", NULL, "{\"grant_type\":\"client_credentials\"}", 400,
                 "client_id and client_secret are needed");
    expect_error("POST", B "/token", NULL,
                 "{\"grant_type\":\"client_credentials\",\"client_id\":\"sandbox-client\","
                 "\"client_secret\":\"another\"}",
                 400, "client_id does not match");
    struct answer answer =
        ask(&SERVER, "POST", B "/token", NULL,
            "{\"grant_type\":\"client_credentials\",\"client_id\":\"sandbox-client\","
            "\"client_secret\":\"sandbox-client-secret\"}");
    assert_int_equal(answer.status, 200);
    assert_true(int_at(&answer, "expires_in") > 0);
    char *app = mt_mem_strdup(str_at(&answer, "access_token"));
    answer_free(&answer);
    expect_error("POST", B "/token", NULL, "{\"grant_type\":\"inherit\",\"username\":\"ann\"}", 401,
                 "Unable to authenticate due to corrupt access token");
    expect_error("POST", B "/token", app, "{\"grant_type\":\"inherit\",\"username\":\"nobody\"}",
                 404, "user not found");
    expect_error("GET", B "/users/ann/user_channels", app, NULL, 401,
                 "Unable to authenticate (OAuth)");
    answer = ask(&SERVER, "POST", B "/token", app,
                 "{\"grant_type\":\"inherit\",\"username\":\"newcomer\",\"autoCreateUser\":true}");
    assert_int_equal(answer.status, 200);
    assert_string_equal(str_at(&answer, "user.username"), "newcomer");
    char *token = mt_mem_strdup(str_at(&answer, "access_token"));
    answer_free(&answer);
    answer = ask(&SERVER, "GET", B "/users/newcomer/user_channels", token, NULL);
    assert_int_equal(answer.status, 200);
    answer_free(&answer);
    answer = ask(&SERVER, "GET", B "/users/ann/user_channels", DYNAMIC, NULL);
    assert_int_equal(answer.status, 200);
    answer_free(&answer);
    expect_error("GET", B "/users/ann/user_channels", DYNAMIC_OVER, NULL, 401,
                 "Unable to authenticate due to expired access token");
    expect_error("GET", B "/users/ann/user_channels", FORGED, NULL, 401,
                 "Unable to authenticate (OAuth)");
    mt_mem_free(app);
    mt_mem_free(token);
}

static void test_token_ends(void **state)
{
    (void)state;
    set_faults(&SERVER, "token_ttl=1ms");
    char *token = login_token(&SERVER, "gil");
    struct answer answer = {0};
    do { /* until its millisecond is over */
        answer_free(&answer);
        answer = ask(&SERVER, "GET", B "/users/gil/user_channels", token, NULL);
    } while (answer.status == 200);
    assert_int_equal(answer.status, 401);
    assert_string_equal(str_at(&answer, "error_description"),
                        "Unable to authenticate due to expired access token");
    answer_free(&answer);
    mt_mem_free(token);
    set_faults(&SERVER, "expire_after=2");
    token = login_token(&SERVER, "gil");
    for (int i = 0; i < 2; i++) {
        answer = ask(&SERVER, "GET", B "/users/gil/user_channels", token, NULL);
        assert_int_equal(answer.status, 200);
        answer_free(&answer);
    }
    for (int i = 0; i < 2; i++)
        expect_error("GET", B "/users/gil/user_channels", token, NULL, 401,
                     "Unable to authenticate due to expired access token");
    mt_mem_free(token);
    token = login_token(&SERVER, "gil");
    answer = ask(&SERVER, "GET", B "/users/gil/user_channels", token, NULL);
    assert_int_equal(answer.status, 200);
    answer_free(&answer);
    mt_mem_free(token);
}

static void test_discovery(void **state)
{
    (void)state;
    char port[8];
    (void)snprintf(port, sizeof port, "%u", SERVER.port);
    struct answer answer =
        ask(&SERVER, "GET", "/easemob/server.json?app_key=sandbox%23demo&_v=1", NULL, NULL);
    static const char *const KINDS[] = {"rest", "msync-wx", "msync-ws"};
    for (size_t i = 0; i < 3; i++) {
        char path[64];
        (void)snprintf(path, sizeof path, "%s.hosts.0.port", KINDS[i]);
        assert_string_equal(str_at(&answer, path), port);
        (void)snprintf(path, sizeof path, "%s.hosts.0.protocol", KINDS[i]);
        assert_string_equal(str_at(&answer, path), "http");
    }
    answer_free(&answer);
    answer = ask(&SERVER, "GET", "/easemob/server.json?app_key=other%23app", NULL, NULL);
    assert_int_equal(answer.status, 404);
    answer_free(&answer);
    answer = ask(&SERVER, "GET", "/ws/info?t=1", NULL, NULL);
    assert_true(mt_json_bool(at(&answer, "websocket"), false));
    answer_free(&answer);
}

static void test_old_list(void **state)
{
    (void)state;
    struct answer answer =
        ask(&SERVER, "GET", B "/users/agent/user_channels", "sandbox-agent", NULL);
    assert_int_equal(mt_json_count(at(&answer, "data.channel_infos")), 10); /* stops, silently */
    assert_string_equal(str_at(&answer, "data.channel_infos.0.channel_id"),
                        "sandbox#demo_peer11@easemob.com");
    assert_int_equal(int_at(&answer, "data.channel_infos.0.unread_num"), 0); /* agent wrote last */
    assert_int_equal(int_at(&answer, "data.channel_infos.1.unread_num"), 1);
    assert_string_equal(str_at(&answer, "data.channel_infos.1.meta.from"),
                        "sandbox#demo_peer10@easemob.com/android_1");
    assert_string_equal(str_at(&answer, "data.channel_infos.1.meta.to"),
                        "sandbox#demo_agent@easemob.com");
    assert_string_equal(
        str_at(&answer, "data.channel_infos.1.meta.payload"),
        "{\"bodies\":[{\"type\":\"txt\",\"msg\":\"m10\"}],\"ext\":{},\"from\":\"peer10\","
        "\"to\":\"agent\",\"type\":\"chat\"}");
    answer_free(&answer);
    set_faults(&SERVER, "old_list_limit=100,old_list_age=30d");
    answer = ask(&SERVER, "GET", B "/users/agent/user_channels", "sandbox-agent", NULL);
    assert_int_equal(mt_json_count(at(&answer, "data.channel_infos")), 13);
    assert_string_equal(str_at(&answer, "data.channel_infos.12.channel_id"),
                        "sandbox#demo_crowd@conference.easemob.com");
    answer_free(&answer);
    answer = ask(&SERVER, "GET", B "/users/AGENT/user_channels", "sandbox-agent", NULL);
    assert_int_equal(answer.status, 200);
    assert_int_equal(mt_json_count(at(&answer, "data.channel_infos")),
                     0); /* capitals: empty, no error */
    answer_free(&answer);
}

static void test_page_list(void **state)
{
    (void)state;
    size_t seen = 0;
    for (int page = 1; page <= 4; page++) {
        char target[128];
        (void)snprintf(target, sizeof target,
                       B "/users/agent/user_channels/page?pageNum=%d&pageSize=5&_v=1", page);
        struct answer answer = ask(&SERVER, "GET", target, "sandbox-agent", NULL);
        seen += mt_json_count(at(&answer, "data.channel_infos"));
        answer_free(&answer);
    }
    assert_int_equal(seen, 13);
    set_faults(&SERVER, "no_list_page_form");
    struct answer answer =
        ask(&SERVER, "GET", B "/users/agent/user_channels/page?pageNum=1&pageSize=5",
            "sandbox-agent", NULL);
    assert_int_equal(answer.status, 404);
    answer_free(&answer);
}

static void test_cursor_list(void **state)
{
    (void)state;
    char cursor[64] = "";
    size_t seen = 0;
    int rounds = 0;
    do {
        char target[256];
        (void)snprintf(target, sizeof target,
                       B "/sdk/user/agent/user_channels/list?&limit=4&cursor=%s&need_mark=true&"
                         "needEmptySession=false&_v=1",
                       cursor);
        struct answer answer = ask(&SERVER, "GET", target, "sandbox-agent", NULL);
        assert_int_equal(answer.status, 200);
        seen += mt_json_count(at(&answer, "data.channel_infos"));
        if (rounds == 0) {
            assert_string_equal(str_at(&answer, "data.channel_infos.0.session_to"), "peer11");
            assert_string_equal(str_at(&answer, "data.channel_infos.0.session_type"), "chat");
            assert_false(mt_json_bool(at(&answer, "data.channel_infos.0.is_top"), true));
        }
        if (rounds == 3) {
            assert_string_equal(str_at(&answer, "data.channel_infos.0.session_to"), "crowd");
            assert_string_equal(str_at(&answer, "data.channel_infos.0.session_type"), "groupChat");
            assert_int_equal(int_at(&answer, "data.channel_infos.0.unread_num"), 130);
        }
        (void)snprintf(cursor, sizeof cursor, "%s", str_at(&answer, "data.cursor"));
        answer_free(&answer);
    } while (cursor[0] != '\0' && ++rounds < 10);
    assert_int_equal(seen, 13);
    assert_int_equal(rounds, 3);
    expect_error("GET", B "/sdk/user/agent/user_channels/list?cursor=nonsense", "sandbox-agent",
                 NULL, 400, "invalid cursor");
    set_faults(&SERVER, "no_conversation_list");
    expect_error("GET", B "/sdk/user/agent/user_channels/list?limit=3", "sandbox-agent", NULL, 403,
                 "service not open!");
    set_faults(&SERVER, "list_cap=6");
    struct answer answer =
        ask(&SERVER, "GET", B "/sdk/user/agent/user_channels/list?limit=50", "sandbox-agent", NULL);
    assert_int_equal(mt_json_count(at(&answer, "data.channel_infos")), 6);
    answer_free(&answer);
}

static void test_pins_and_marks(void **state)
{
    (void)state;
    static const char *const PINS[] = {"{\"type\":\"chat\",\"to\":\"peer3\"}",
                                       "{\"type\":\"groupChat\",\"to\":\"crowd\"}",
                                       "{\"type\":\"chat\",\"to\":\"peer5\"}"};
    for (size_t i = 0; i < 3; i++) {
        struct answer answer = ask(&SERVER, "POST", B "/sdk/user/agent/user_channel/top?resource=r",
                                   "sandbox-agent", PINS[i]);
        assert_int_equal(answer.status, 200);
        assert_true(mt_json_bool(at(&answer, "data.is_top"), false));
        answer_free(&answer);
    }
    struct answer answer =
        ask(&SERVER, "GET", B "/sdk/user/agent/user_channels/list?&limit=2&cursor=&is_top=true",
            "sandbox-agent", NULL);
    char target[256];
    assert_string_equal(str_at(&answer, "data.channel_infos.0.session_to"), "peer5");
    assert_string_equal(str_at(&answer, "data.channel_infos.1.session_to"), "crowd");
    (void)snprintf(target, sizeof target,
                   B "/sdk/user/agent/user_channels/list?&limit=2&cursor=%s&is_top=true",
                   str_at(&answer, "data.cursor"));
    answer_free(&answer);
    answer = ask(&SERVER, "GET", target, "sandbox-agent", NULL);
    assert_int_equal(mt_json_count(at(&answer, "data.channel_infos")), 1);
    assert_string_equal(str_at(&answer, "data.channel_infos.0.session_to"), "peer3");
    assert_string_equal(str_at(&answer, "data.cursor"), "");
    answer_free(&answer);
    answer = ask(&SERVER, "DELETE",
                 B "/sdk/user/agent/user_channel/top?type=groupChat&to=crowd&resource=r",
                 "sandbox-agent", NULL);
    assert_int_equal(answer.status, 200);
    answer_free(&answer);
    answer =
        ask(&SERVER, "POST", B "/sdk/user/agent/user_channels/mark?resource=r", "sandbox-agent",
            "{\"mark\":\"mark_7\",\"targets\":[{\"to\":\"peer2\",\"type\":\"chat\"},"
            "{\"to\":\"crowd\",\"type\":\"groupchat\"}]}");
    assert_int_equal(answer.status, 200);
    answer_free(&answer);
    answer = ask(
        &SERVER, "GET",
        B "/sdk/user/agent/user_channels/mark/search?&limit=10&cursor=&need_mark=true&mark=mark_7",
        "sandbox-agent", NULL);
    assert_int_equal(mt_json_count(at(&answer, "data.channel_infos")), 2);
    assert_string_equal(str_at(&answer, "data.channel_infos.0.marks.0"), "mark_7");
    answer_free(&answer);
    expect_error("POST", B "/sdk/user/agent/user_channels/mark", "sandbox-agent",
                 "{\"mark\":\"mark_20\",\"targets\":[]}", 400, "param mark is illegal");
}

static struct answer history(const char *body)
{
    return ask(&SERVER, "POST", B "/users/agent/messageroaming", "sandbox-agent", body);
}

static void check_text(const struct answer *answer, const char *path, const char *text)
{
    const char *b64 = str_at(answer, path);
    uint8_t bytes[4096];
    size_t len = 0;
    assert_true(strlen(b64) < sizeof bytes);
    assert_int_equal(mt_base64_decode(b64, strlen(b64), bytes, &len), MT_OK);
    Easemob__Pb__Meta *meta = easemob__pb__meta__unpack(NULL, len, bytes);
    assert_non_null(meta);
    Easemob__Pb__MessageBody *body =
        easemob__pb__message_body__unpack(NULL, meta->payload.len, meta->payload.data);
    assert_non_null(body);
    assert_bytes(&body->contents[0]->text, text);
    easemob__pb__message_body__free_unpacked(body, NULL);
    easemob__pb__meta__free_unpacked(meta, NULL);
}

static void test_history(void **state)
{
    (void)state;
    /* as the official SDK 4.21.1 writes it */
    struct answer answer =
        history("{\"queue\":\"crowd@conference.easemob.com\",\"start\":-1,\"pull_number\":50,"
                "\"is_positive\":false,\"msgType\":\"\",\"end\":-1,\"startTime\":null,"
                "\"endTime\":null,\"userId\":null}");
    assert_int_equal(mt_json_count(at(&answer, "data.msgs")), 50);
    check_text(&answer, "data.msgs.0.msg", "g129");
    check_text(&answer, "data.msgs.49.msg", "g80");
    assert_string_equal(str_at(&answer, "data.next_key"), str_at(&answer, "data.msgs.49.msg_id"));
    assert_false(mt_json_bool(at(&answer, "data.is_last"), true));
    char body[256];
    (void)snprintf(
        body, sizeof body,
        "{\"queue\":\"crowd@conference.easemob.com\",\"start\":\"%s\",\"pull_number\":999}",
        str_at(&answer, "data.next_key"));
    answer_free(&answer);
    answer = history(body); /* clamped to 50 */
    assert_int_equal(mt_json_count(at(&answer, "data.msgs")), 50);
    check_text(&answer, "data.msgs.0.msg", "g79");
    (void)snprintf(body, sizeof body,
                   "{\"queue\":\"crowd@conference.easemob.com\",\"start\":%s,\"pull_number\":50}",
                   str_at(&answer, "data.next_key")); /* a number does as well */
    answer_free(&answer);
    answer = history(body);
    assert_int_equal(mt_json_count(at(&answer, "data.msgs")), 30);
    check_text(&answer, "data.msgs.29.msg", "g0");
    assert_true(mt_json_bool(at(&answer, "data.is_last"), false));
    assert_null(at(&answer, "data.next_key"));
    answer_free(&answer);
}

static void test_history_forms(void **state)
{
    (void)state;
    static const char *const STARTS[] = {"-1", "\"\"", "null", "\"-1\""};
    char body[256];
    for (size_t i = 0; i < 4; i++) {
        (void)snprintf(body, sizeof body,
                       "{\"queue\":\"peer4@easemob.com\",\"start\":%s,\"end\":-1}", STARTS[i]);
        struct answer answer = history(body);
        assert_int_equal(mt_json_count(at(&answer, "data.msgs")), 5);
        check_text(&answer, "data.msgs.0.msg", "m4");
        answer_free(&answer);
    }
    /* no pull_number: the server's own size */
    struct answer answer =
        history("{\"queue\":\"crowd@conference.easemob.com\",\"start\":-1,\"end\":-1}");
    assert_int_equal(mt_json_count(at(&answer, "data.msgs")), 20);
    answer_free(&answer);
    answer = history("{\"queue\":\"crowd@conference.easemob.com\",\"start\":-1,\"pull_number\":50,"
                     "\"is_positive\":true,\"userId\":\"u3\",\"msgType\":\"txt,img\"}");
    assert_int_equal(mt_json_count(at(&answer, "data.msgs")), 19);
    check_text(&answer, "data.msgs.0.msg", "g3");
    answer_free(&answer);
    answer =
        history("{\"queue\":\"crowd@conference.easemob.com\",\"start\":-1,\"msgType\":\"img\"}");
    assert_int_equal(mt_json_count(at(&answer, "data.msgs")), 0);
    assert_true(mt_json_bool(at(&answer, "data.is_last"), false));
    answer_free(&answer);
    static const char *const EMPTY[] = {"PEER4@easemob.com", "peer4@conference.easemob.com",
                                        "crowd@easemob.com", "stranger@easemob.com", "peer4"};
    for (size_t i = 0; i < sizeof EMPTY / sizeof EMPTY[0]; i++) {
        (void)snprintf(body, sizeof body, "{\"queue\":\"%s\",\"start\":-1}", EMPTY[i]);
        answer = history(body);
        assert_int_equal(answer.status, 200);
        assert_int_equal(mt_json_count(at(&answer, "data.msgs")), 0);
        answer_free(&answer);
    }
    expect_error("POST", B "/users/agent/messageroaming", "sandbox-agent", "{\"start\":-1}", 400,
                 "queue or start is not legal");
    set_faults(&SERVER, "no_roaming");
    expect_error("POST", B "/users/agent/messageroaming", "sandbox-agent",
                 "{\"queue\":\"peer4@easemob.com\",\"start\":-1}", 400,
                 "this appKey not open message roaming");
}

static const char PAGE_ONE[] =
    "{\"queue\":\"crowd@conference.easemob.com\",\"start\":-1,\"pull_number\":10}";

/* The second page under a fault of pages; the first is always right. */
static struct answer second_page(const char *faults, char first_last_id[32])
{
    char body[256];
    set_faults(&SERVER, "");
    struct answer answer = history(PAGE_ONE);
    (void)snprintf(first_last_id, 32, "%s", str_at(&answer, "data.next_key"));
    answer_free(&answer);
    set_faults(&SERVER, faults);
    (void)snprintf(
        body, sizeof body,
        "{\"queue\":\"crowd@conference.easemob.com\",\"start\":\"%s\",\"pull_number\":10}",
        first_last_id);
    return history(body);
}

static void test_page_faults(void **state)
{
    (void)state;
    char start_id[32];
    struct answer answer = second_page("stale_cursor=1", start_id);
    assert_string_equal(str_at(&answer, "data.next_key"), start_id);
    check_text(&answer, "data.msgs.0.msg", "g119");
    answer_free(&answer);
    answer = second_page("repeat_page=1", start_id);
    check_text(&answer, "data.msgs.0.msg", "g129"); /* the first page again */
    check_text(&answer, "data.msgs.9.msg", "g120");
    assert_string_not_equal(str_at(&answer, "data.next_key"), start_id);
    answer_free(&answer);
    answer = second_page("null_page=1", start_id);
    assert_int_equal(mt_json_type(at(&answer, "data.msgs")), MT_JSON_NULL);
    assert_non_null(at(&answer, "data.msgs"));
    answer_free(&answer);
    answer = second_page("out_of_order=1", start_id);
    check_text(&answer, "data.msgs.0.msg", "g110");
    check_text(&answer, "data.msgs.9.msg", "g119");
    answer_free(&answer);
    answer = second_page("drop_message=1", start_id);
    assert_int_equal(mt_json_count(at(&answer, "data.msgs")), 9);
    check_text(&answer, "data.msgs.5.msg", "g113");
    answer_free(&answer);
    answer = second_page("duplicate=1", start_id);
    assert_int_equal(mt_json_count(at(&answer, "data.msgs")), 11);
    check_text(&answer, "data.msgs.0.msg", "g120");
    check_text(&answer, "data.msgs.1.msg", "g119");
    answer_free(&answer);
}

static void test_transport_faults(void **state)
{
    (void)state;
    set_faults(&SERVER, "p429=1,retry_after=3");
    struct answer answer = history(PAGE_ONE);
    assert_int_equal(answer.status, 429);
    assert_non_null(strcasestr(answer.head, "\r\nretry-after: 3\r\n"));
    assert_string_equal(str_at(&answer, "error_description"), "This request has reached api limit");
    answer_free(&answer);
    set_faults(&SERVER, "p429=1,retry_after=none");
    answer = history(PAGE_ONE);
    assert_null(strcasestr(answer.head, "retry-after"));
    answer_free(&answer);
    set_faults(&SERVER, "p5xx=1");
    answer = history(PAGE_ONE);
    assert_in_range(answer.status, 500, 504);
    answer_free(&answer);
    set_faults(&SERVER, "html=1");
    answer = history(PAGE_ONE);
    assert_int_equal(answer.status, 200);
    assert_non_null(strstr(answer.body, "<html>"));
    answer_free(&answer);
    set_faults(&SERVER, "error_json=1");
    answer = history(PAGE_ONE);
    assert_int_equal(answer.status, 200);
    assert_string_equal(str_at(&answer, "error"), "service_unavailable");
    answer_free(&answer);
    set_faults(&SERVER, "redirect=1");
    answer = history(PAGE_ONE);
    assert_int_equal(answer.status, 302);
    assert_non_null(strcasestr(answer.head, "\r\nlocation: http://elsewhere.invalid/"));
    answer_free(&answer);
    set_faults(&SERVER, "cut=1");
    answer = history(PAGE_ONE);
    assert_int_equal(answer.status, 0);
    answer_free(&answer);
    set_faults(&SERVER, "truncate=1");
    answer = history(PAGE_ONE);
    assert_int_equal(answer.status, 200);
    assert_true(answer.body_len > 0);
    assert_null(answer.json);
    answer_free(&answer);
    set_faults(&SERVER, "cut=1,after=1,times=1");
    for (int i = 0; i < 4; i++) {
        answer = history(PAGE_ONE);
        assert_int_equal(answer.status, i == 1 ? 0 : 200);
        answer_free(&answer);
    }
    expect_error("POST", "/sandbox/faults", NULL, "cutt=1", 400,
                 "unknown fault \"cutt\", did you mean \"cut\"; docs/sandbox.md lists them");
}

static size_t page_count(const char *user, const char *queue)
{
    char target[128];
    char token[64];
    char body[128];
    (void)snprintf(target, sizeof target, B "/users/%s/messageroaming", user);
    (void)snprintf(token, sizeof token, "sandbox-%s", user);
    (void)snprintf(body, sizeof body, "{\"queue\":\"%s\",\"start\":-1,\"pull_number\":50}", queue);
    struct answer answer = ask(&SERVER, "POST", target, token, body);
    assert_int_equal(answer.status, 200);
    size_t n = mt_json_count(at(&answer, "data.msgs"));
    answer_free(&answer);
    return n;
}

static size_t list_count(void)
{
    struct answer answer =
        ask(&SERVER, "GET", B "/sdk/user/agent/user_channels/list?limit=50", "sandbox-agent", NULL);
    size_t n = mt_json_count(at(&answer, "data.channel_infos"));
    answer_free(&answer);
    return n;
}

static void test_delete(void **state)
{
    (void)state;
    char target[256];
    struct answer answer = history("{\"queue\":\"peer4@easemob.com\",\"start\":-1}");
    (void)snprintf(target, sizeof target,
                   B "/sdk/message/roaming/chat/user/agent?userId=peer4&msgIdList=%s,%s&resource=r",
                   str_at(&answer, "data.msgs.1.msg_id"), str_at(&answer, "data.msgs.3.msg_id"));
    answer_free(&answer);
    answer = ask(&SERVER, "DELETE", target, "sandbox-agent", NULL);
    assert_int_equal(answer.status, 200);
    answer_free(&answer);
    assert_int_equal(page_count("agent", "peer4@easemob.com"), 3);
    assert_int_equal(page_count("peer4", "agent@easemob.com"), 5); /* one-way */
    assert_int_equal(list_count(), 13);
    answer = history("{\"queue\":\"crowd@conference.easemob.com\",\"start\":-1,\"pull_number\":1}");
    int64_t now_ms = (int64_t)time(NULL) * 1000;
    answer_free(&answer);
    (void)snprintf(target, sizeof target,
                   B "/sdk/message/roaming/group/user/agent/time?groupId=crowd&delTime=%" PRId64
                     "&&resource=r",
                   now_ms);
    answer = ask(&SERVER, "DELETE", target, "sandbox-agent", NULL);
    assert_int_equal(answer.status, 200);
    answer_free(&answer);
    assert_int_equal(page_count("agent", "crowd@conference.easemob.com"), 0);
    assert_int_equal(page_count("u1", "crowd@conference.easemob.com"), 50);
    assert_int_equal(list_count(), 12); /* emptied: gone from the list */
    answer = ask(&SERVER, "DELETE", B "/user/agent/user_channel?resource=r", "sandbox-agent",
                 "{\"channel\":\"peer5\",\"type\":\"chat\",\"delete_roam\":false}");
    assert_string_equal(str_at(&answer, "data.result"), "ok");
    answer_free(&answer);
    assert_int_equal(list_count(), 11);
    assert_int_equal(page_count("agent", "peer5@easemob.com"), 6); /* the messages stayed */
    answer = ask(&SERVER, "DELETE", B "/users/agent/user_channel", "sandbox-agent",
                 "{\"channel\":\"peer6\",\"type\":\"chat\",\"delete_roam\":true}");
    assert_int_equal(answer.status, 200);
    answer_free(&answer);
    assert_int_equal(page_count("agent", "peer6@easemob.com"), 0);
    answer = ask(&SERVER, "POST", B "/sdk/message/roaming/user/agent/delete/all?resource=r",
                 "sandbox-agent", NULL);
    assert_int_equal(answer.status, 200);
    answer_free(&answer);
    assert_int_equal(list_count(), 0);
    assert_int_equal(page_count("agent", "peer9@easemob.com"), 0);
    assert_int_equal(page_count("peer9", "agent@easemob.com"), 10);
    char many[2048] = "";
    for (size_t i = 0, len = 0; i < 51; i++, len = strlen(many))
        (void)snprintf(many + len, sizeof many - len, "%s1200000000000000001", i == 0 ? "" : ",");
    char long_target[2300];
    (void)snprintf(long_target, sizeof long_target,
                   B "/sdk/message/roaming/chat/user/agent?userId=peer4&msgIdList=%s", many);
    expect_error("DELETE", long_target, "sandbox-agent", NULL, 400,
                 "param exception: delete msg list limit can not greater than 50");
}

static void test_hostile_requests(void **state)
{
    (void)state;
    static const char *const TARGETS[] = {"/",
                                          "/sandbox",
                                          "/sandbox/demo",
                                          "/sandbox/demo/",
                                          "//",
                                          "/%00/x",
                                          "/sandbox/demo/users/%zz/user_channels",
                                          "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p",
                                          "/sandbox/demo/users//user_channels"};
    static const char *const BODIES[] = {
        "[]",
        "null",
        "{\"queue\":5}",
        "{\"queue\":\"@\",\"start\":-1}",
        "{\"queue\":\"a@b\",\"start\":{}}",
        "{\"queue\":\"peer1@easemob.com\",\"start\":99999999999999999999}",
        "{\"queue\":\"peer1@easemob.com\",\"start\":-5}",
        "{\"queue\":\"peer1@easemob.com\",\"start\":0,\"pull_number\":-7}",
        "{\"queue\":\"peer1@easemob.com\",\"startTime\":-1,\"endTime\":9223372036854775807}",
        "{\"queue\":\"peer1@easemob.com\",\"start\":18446744073709551615,\"is_positive\":true}"};
    for (size_t i = 0; i < sizeof TARGETS / sizeof TARGETS[0]; i++) {
        struct answer answer = ask(&SERVER, "GET", TARGETS[i], "sandbox-agent", NULL);
        assert_in_range(answer.status, 400, 499);
        answer_free(&answer);
    }
    for (size_t i = 0; i < sizeof BODIES / sizeof BODIES[0]; i++) {
        struct answer answer = history(BODIES[i]);
        if (answer.status != 200 && answer.status != 400)
            fail_msg("%s: %d", BODIES[i], answer.status);
        answer_free(&answer);
    }
}

int test_rest(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_ready_line, start, stop),
        cmocka_unit_test_setup_teardown(test_login, start, stop),
        cmocka_unit_test_setup_teardown(test_strict_users, start_strict, stop),
        cmocka_unit_test_setup_teardown(test_app_tokens, start_strict, stop),
        cmocka_unit_test_setup_teardown(test_token_ends, start, stop),
        cmocka_unit_test_setup_teardown(test_discovery, start, stop),
        cmocka_unit_test_setup_teardown(test_old_list, start, stop),
        cmocka_unit_test_setup_teardown(test_page_list, start, stop),
        cmocka_unit_test_setup_teardown(test_cursor_list, start, stop),
        cmocka_unit_test_setup_teardown(test_pins_and_marks, start, stop),
        cmocka_unit_test_setup_teardown(test_history, start, stop),
        cmocka_unit_test_setup_teardown(test_history_forms, start, stop),
        cmocka_unit_test_setup_teardown(test_page_faults, start, stop),
        cmocka_unit_test_setup_teardown(test_transport_faults, start, stop),
        cmocka_unit_test_setup_teardown(test_delete, start, stop),
        cmocka_unit_test_setup_teardown(test_hostile_requests, start, stop),
    };
    return cmocka_run_group_tests_name("rest", tests, NULL, NULL);
}

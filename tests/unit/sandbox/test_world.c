/* What tests look at and change: everybody's view, messages at times of their own, edits, recalls,
 * orders that wait for a request; and deletions against a model that keeps a list of ids. */
#include "tests.h"

#include "client.h"
#include "rong_client.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define B       "/sandbox/demo"
#define T0      INT64_C(1700000000000)
#define MOST    160
#define ROUNDS  260
#define HISTORY B "/users/agent/messageroaming"

static struct server SERVER;

static int start(void **state)
{
    static const struct mt_sandbox_options options = {0};
    (void)state;
    server_start(&SERVER, &options);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    server_stop(&SERVER);
    return 0;
}

/* POST /sandbox/change; the ids stand in the answer. */
static struct answer change(const char *body)
{
    struct answer answer = ask(&SERVER, "POST", "/sandbox/change", NULL, body);
    assert_int_equal(answer.status, 200);
    return answer;
}

static void empty_world(void)
{
    struct answer answer = change("{\"empty\":true}");
    answer_free(&answer);
    set_faults(&SERVER, "");
}

static void put(const char *cloud, const char *chat, const char *id, const char *from,
                int64_t time_ms, const char *text, char out[32])
{
    char body[512];
    (void)snprintf(body, sizeof body,
                   "{\"cloud\":\"%s\",\"do\":[{\"op\":\"put\",\"chat\":\"%s\",\"conversation\":"
                   "\"%s\",\"from\":\"%s\",\"time\":%lld,\"text\":\"%s\"}]}",
                   cloud, chat, id, from, (long long)time_ms, text);
    struct answer answer = change(body);
    assert_non_null(str_at(&answer, "ids.0"));
    (void)snprintf(out, 32, "%s", str_at(&answer, "ids.0"));
    answer_free(&answer);
}

static bool order(const char *cloud, const char *op, const char *id, const char *text)
{
    char body[512];
    (void)snprintf(body, sizeof body,
                   "{\"cloud\":\"%s\",\"do\":[{\"op\":\"%s\",\"id\":\"%s\",\"text\":\"%s\"}]}",
                   cloud, op, id, text);
    struct answer answer = change(body);
    bool done = mt_json_str(at(&answer, "ids.0")) != NULL;
    answer_free(&answer);
    return done;
}

/* What the user sees, as it is listed; the caller frees it. */
static char *view(const char *cloud, const char *user)
{
    char target[128];
    (void)snprintf(target, sizeof target, "/sandbox/view?cloud=%s&user=%s", cloud, user);
    struct answer answer = ask(&SERVER, "GET", target, NULL, NULL);
    assert_int_equal(answer.status, 200);
    char *lines = mt_mem_strdup(answer.body);
    answer_free(&answer);
    assert_non_null(lines);
    assert_non_null(strstr(lines, "{\"end\":true}\n"));
    return lines;
}

static size_t seen(const char *cloud, const char *user)
{
    size_t n = 0;
    char *lines = view(cloud, user);
    for (const char *p = lines; (p = strstr(p, "\"id\":")) != NULL; p++)
        n++;
    mt_mem_free(lines);
    return n;
}

static int delete_easemob(const char *ids)
{
    char target[2048];
    (void)snprintf(target, sizeof target,
                   B "/sdk/message/roaming/chat/user/agent?userId=bob&msgIdList=%s", ids);
    struct answer answer = ask(&SERVER, "DELETE", target, "sandbox-agent", NULL);
    int status = answer.status;
    answer_free(&answer);
    return status;
}

static int delete_rong(struct rong *rong, const char *id)
{
    Rongcloud__DeleteMsg one = RONGCLOUD__DELETE_MSG__INIT;
    Rongcloud__DeleteMsg *msgs[] = {&one};
    Rongcloud__DeleteMsgInput in = RONGCLOUD__DELETE_MSG_INPUT__INIT;
    one.msgid = (char *)id;
    in.has_type = 1;
    in.type = 1;
    in.conversationid = "bob";
    in.msgs = msgs;
    in.n_msgs = 1;
    struct rong_reply got = rong_query(rong, "delMsg", "agent", &in.base);
    mt_mem_free(got.p);
    return got.status;
}

/* --- deletions and late messages, against a list --- */
struct model {
    char ids[MOST][32];
    int64_t times[MOST];
    bool gone[MOST];
    size_t n;
};

static void compare(const char *cloud, const struct model *model)
{
    char *own = view(cloud, "agent");
    char *peers = view(cloud, "bob");
    for (size_t i = 0; i < model->n; i++) {
        char text[48];
        (void)snprintf(text, sizeof text, "\"id\":\"%s\"", model->ids[i]);
        if ((strstr(own, text) != NULL) == model->gone[i])
            fail_msg("%s: %s is %s", cloud, model->ids[i], model->gone[i] ? "there" : "not there");
        assert_non_null(strstr(peers, text));
    }
    int64_t last_ms = 0;
    for (const char *p = own; (p = strstr(p, "\"time\":")) != NULL; p++) { /* in order */
        assert_true(strtoll(p + 7, NULL, 10) >= last_ms);
        last_ms = strtoll(p + 7, NULL, 10);
    }
    mt_mem_free(own);
    mt_mem_free(peers);
}

static size_t history_easemob(bool oldest_first)
{
    size_t n = 0;
    char start[32] = "-1";
    for (;;) {
        char body[256];
        (void)snprintf(body, sizeof body,
                       "{\"queue\":\"bob@easemob.com\",\"start\":\"%s\",\"pull_number\":7,"
                       "\"is_positive\":%s}",
                       start, oldest_first ? "true" : "false");
        struct answer answer = ask(&SERVER, "POST", HISTORY, "sandbox-agent", body);
        assert_int_equal(answer.status, 200);
        n += mt_json_count(at(&answer, "data.msgs"));
        bool last = mt_json_bool(at(&answer, "data.is_last"), true);
        if (!last)
            (void)snprintf(start, sizeof start, "%s", str_at(&answer, "data.next_key"));
        answer_free(&answer);
        if (last)
            return n;
    }
}

/* Times are distinct where pages go on from a time. */
static size_t history_rong(struct rong *rong, int way)
{
    size_t n = 0;
    int64_t time_ms = 0;
    for (bool more = true; more;) {
        Rongcloud__HistoryMsgOuput *page = rong_history(rong, "qryPMsg", "bob", time_ms, 7, way);
        n += page->n_list;
        more = page->hasmsg != 0;
        time_ms = page->synctime;
        rongcloud__history_msg_ouput__free_unpacked(page, NULL);
    }
    return n;
}

static void random_deletions(const char *cloud, uint32_t seed)
{
    static struct model model;
    bool easemob = strcmp(cloud, "easemob") == 0;
    struct rong *rong = easemob ? NULL : rong_login(&SERVER, "agent", "d");
    size_t left = 0;
    memset(&model, 0, sizeof model);
    empty_world();
    for (int round = 0; round < ROUNDS; round++) {
        seed = seed * 1664525U + 1013904223U;
        if (model.n < MOST && (model.n < 4 || (seed >> 16) % 3 == 0)) {
            size_t i = model.n++;
            /* every message has a time of its own; most come between others */
            model.times[i] = T0 + (int64_t)((seed >> 8) % 9000) * 1000 + (int64_t)i;
            put(cloud, "single", "bob", i % 2 == 0 ? "bob" : "agent", model.times[i], "hi",
                model.ids[i]);
            continue;
        }
        size_t i = (seed >> 16) % model.n;
        if (easemob)
            assert_int_equal(delete_easemob(model.ids[i]), 200);
        else
            assert_int_equal(delete_rong(rong, model.ids[i]), 0);
        model.gone[i] = true;
    }
    compare(cloud, &model);
    for (size_t i = 0; i < model.n; i++)
        left += !model.gone[i];
    assert_true(left > 0 && left < model.n);
    assert_int_equal(easemob ? history_easemob(false) : history_rong(rong, 0), left);
    assert_int_equal(easemob ? history_easemob(true) : history_rong(rong, 1), left);
    if (rong != NULL)
        rong_close(rong);
}

static void test_easemob_deletions(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed < 4; seed++)
        random_deletions("easemob", seed);
}

static void test_rong_deletions(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed < 4; seed++)
        random_deletions("rongcloud", seed);
}

/* --- edits, recalls, groups --- */
static void test_changes(void **state)
{
    static const char *const CLOUDS[] = {"easemob", "rongcloud"};
    char a[32];
    char b[32];
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const char *cloud = CLOUDS[i];
        empty_world();
        put(cloud, "group", "crew", "bob", T0 + 1000, "one", a);
        put(cloud, "group", "crew", "agent", T0, "two", b);
        char *before = view(cloud, "agent");
        assert_true(strstr(before, b) < strstr(before, a)); /* the later one came first */
        assert_true(order(cloud, "edit", a, "three"));
        char *after = view(cloud, "agent");
        assert_string_not_equal(before, after);
        mt_mem_free(before);
        mt_mem_free(after);
        assert_true(order(cloud, "recall", b, ""));
        assert_int_equal(seen(cloud, "agent"), 1);
        assert_int_equal(seen(cloud, "bob"), 1);
        assert_int_equal(seen(CLOUDS[1 - i], "agent"), 0);
        assert_false(order(cloud, "edit", "12", "nobody has it"));
        assert_false(order(cloud, "paint", a, ""));
    }
}

/* --- pins --- */
static bool pinned(const char *cloud, const char *conversation)
{
    char body[256];
    (void)snprintf(body, sizeof body,
                   "{\"cloud\":\"%s\",\"do\":[{\"op\":\"pin\",\"chat\":\"single\","
                   "\"conversation\":\"%s\"}]}",
                   cloud, conversation);
    struct answer answer = change(body);
    bool done = mt_json_str(at(&answer, "ids.0")) != NULL;
    answer_free(&answer);
    return done;
}

static void test_pins(void **state)
{
    char id[32];
    (void)state;
    empty_world();
    put("easemob", "single", "bob", "bob", T0, "hello", id);
    put("easemob", "single", "eve", "eve", T0 + 1, "hello", id);
    put("rongcloud", "single", "bob", "bob", T0, "hello", id);
    assert_true(pinned("easemob", "bob"));
    assert_true(pinned("rongcloud", "bob"));
    assert_false(pinned("easemob", "nobody"));
    struct answer list = ask(
        &SERVER, "GET", B "/sdk/user/agent/user_channels/list?limit=10&need_mark=true&is_top=true",
        "sandbox-agent", NULL);
    assert_int_equal(list.status, 200);
    assert_non_null(strstr(list.body, "bob"));
    assert_null(strstr(list.body, "eve"));
    answer_free(&list);
}

/* --- when a request comes --- */
static void test_when(void **state)
{
    (void)state;
    empty_world();
    struct answer answer = ask(
        &SERVER, "POST", "/sandbox/when", NULL,
        "{\"cloud\":\"easemob\",\"path\":\"messageroaming\",\"n\":3,\"do\":[{\"op\":\"put\","
        "\"conversation\":\"bob\",\"from\":\"bob\",\"time\":1700000000000,\"text\":\"late\"}]}");
    assert_int_equal(answer.status, 200);
    answer_free(&answer);
    assert_int_equal(history_easemob(false), 0);
    assert_int_equal(history_easemob(false), 0);
    assert_int_equal(history_easemob(false), 1);
    assert_int_equal(history_easemob(false), 1);
    answer = ask(&SERVER, "POST", "/sandbox/when", NULL, "{\"n\":0}");
    assert_int_equal(answer.status, 400);
    answer_free(&answer);
}

/* --- clouds that do not do what they say --- */
static void test_easemob_untrue(void **state)
{
    char ids[4][32];
    char list[160];
    (void)state;
    empty_world();
    for (int i = 0; i < 4; i++)
        put("easemob", "single", "bob", "bob", T0 + i, "hi", ids[i]);
    (void)snprintf(list, sizeof list, "%s,%s", ids[0], ids[1]);
    set_faults(&SERVER, "delete_lie=1");
    assert_int_equal(delete_easemob(list), 200);
    assert_int_equal(seen("easemob", "agent"), 4);
    set_faults(&SERVER, "delete_half=1");
    assert_int_equal(delete_easemob(list), 200);
    assert_int_equal(seen("easemob", "agent"), 3);
    set_faults(&SERVER, "delete_late=1,late=2");
    assert_int_equal(delete_easemob(ids[1]), 200);
    assert_int_equal(history_easemob(false), 3);
    assert_int_equal(history_easemob(false), 2);
    assert_int_equal(delete_easemob(ids[2]), 200);
    assert_int_equal(seen("easemob", "agent"), 1); /* looking is the last thing that is done */
    assert_int_equal(seen("easemob", "bob"), 4);
    set_faults(&SERVER, "");
}

static void test_rong_untrue(void **state)
{
    char ids[3][32];
    (void)state;
    empty_world();
    for (int i = 0; i < 3; i++)
        put("rongcloud", "single", "bob", "bob", T0 + i, "hi", ids[i]);
    struct rong *rong = rong_login(&SERVER, "agent", "d");
    set_faults(&SERVER, "delete_lie=1");
    assert_int_equal(delete_rong(rong, ids[0]), 0);
    assert_int_equal(history_rong(rong, 1), 3);
    set_faults(&SERVER, "delete_late=1,late=2");
    assert_int_equal(delete_rong(rong, ids[0]), 0);
    assert_int_equal(history_rong(rong, 1), 3);
    assert_int_equal(history_rong(rong, 1), 2);
    set_faults(&SERVER, "delete_lost=1");
    assert_int_equal(delete_rong(rong, ids[1]), -1);
    set_faults(&SERVER, "");
    assert_int_equal(seen("rongcloud", "agent"), 1);
    assert_int_equal(seen("rongcloud", "bob"), 3);
    rong_close(rong);
}

static void test_channel_limit(void **state)
{
    static const char BODY[] = "{\"channel\":\"bob\",\"type\":\"chat\",\"delete_roam\":false}";
    (void)state;
    empty_world();
    for (int i = 0; i < 6; i++) {
        struct answer answer =
            ask(&SERVER, "DELETE", B "/users/agent/user_channel", "sandbox-agent", BODY);
        assert_int_equal(answer.status, i < 5 ? 200 : 429);
        answer_free(&answer);
    }
    struct answer answer = /* of each user */
        ask(&SERVER, "DELETE", B "/users/bob/user_channel", "sandbox-bob", BODY);
    assert_int_equal(answer.status, 200);
    answer_free(&answer);
}

int test_world(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_easemob_deletions),
        cmocka_unit_test(test_rong_deletions),
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_when),
        cmocka_unit_test(test_pins),
        cmocka_unit_test(test_easemob_untrue),
        cmocka_unit_test(test_rong_untrue),
        cmocka_unit_test(test_channel_limit),
    };
    return cmocka_run_group_tests(tests, start, stop);
}

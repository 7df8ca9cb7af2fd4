/* The list of conversations, what is unread in it, and what a user does with it, against the
 * sandbox over real sockets: as verbs by themselves, and on a live session. */
#include "cloud.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "provider/rongcloud/model_int.h"
#include "sandbox/sandbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

int test_list(void);

#define ITEMS  1100
#define PEOPLE 4

struct item {
    char id[MT_CONVERSATION_ID_MAX];
    int64_t unread, mentions, mentions_me, last_ms;
    bool pinned, hidden;
    enum mt_notification notification;
    char last[MT_ID_MAX], text[64];
};

/* A device of somebody. */
struct device {
    struct house *house;
    struct mt_provider_account *account;
    bool online;
    size_t heard; /* events of messages, reads and settings */
};

struct house {
    struct mt_loop *loop;
    struct mt_http *http;
    struct mt_ws_client *ws;
    struct mt_sandbox *sandbox;
    struct mt_timer *guard;
    struct device devices[PEOPLE];
    size_t devices_n;
    unsigned waiting;
    enum mt_rc rc;
    struct mt_fault fault;
    struct item items[ITEMS];
    size_t n, pages_n;
    char cursor[128];
    bool truncated;
    char id[MT_ID_MAX]; /* of what was sent */
    int64_t time_ms;
    struct device *wanted; /* runs until it has heard so much */
    size_t wanted_n;
};

static const struct mt_provider *const rong = &mt_provider_rongcloud;

static void silent(void *ud, enum mt_log_level level, const char *line)
{
    (void)ud;
    (void)level;
    (void)line;
}

static void hangs(void *ud)
{
    (void)ud;
    fail_msg("it hangs");
}

static enum mt_rc websockets(void *ud, struct mt_ws_client **out, struct mt_fault *fault)
{
    (void)fault;
    *out = ((struct house *)ud)->ws;
    return MT_OK;
}

static struct house *house_new(const char *second, uint64_t generate_n)
{
    struct house *house = calloc(1, sizeof *house);
    struct mt_ws_client_options client = {.https_proxy = "", .connects_per_second = 1000};
    struct mt_sandbox_options options = {
        .second = second, .generate_n = generate_n, .clouds = "rongcloud"};
    struct mt_fault fault;

    assert_non_null(house);
    mt_log_sink_set(silent, NULL);
    assert_int_equal(mt_loop_new(&house->loop), MT_OK);
    assert_int_equal(mt_http_new(house->loop, NULL, &house->http, &fault), MT_OK);
    assert_int_equal(mt_ws_client_new(house->loop, &client, &house->ws, &fault), MT_OK);
    assert_int_equal(mt_timer_new(house->loop, hangs, NULL, &house->guard), MT_OK);
    if (mt_sandbox_new(house->loop, &options, &house->sandbox, &fault) != MT_OK)
        fail_msg("%s", fault.message);
    return house;
}

static struct device *enter(struct house *house, const char *user)
{
    struct device *device = &house->devices[house->devices_n++];
    char navigator[64], token[64], name[16];
    const char *navigators[] = {navigator, NULL};
    struct mt_fault fault;

    assert_true(house->devices_n <= PEOPLE);
    snprintf(navigator, sizeof navigator, "http://127.0.0.1:%u",
             (unsigned)mt_sandbox_port(house->sandbox));
    snprintf(token, sizeof token, "sandbox-%s", user);
    snprintf(name, sizeof name, "device%zu", house->devices_n);
    struct mt_secret *secret = mt_secret_new(token, strlen(token));
    struct mt_account_config config = {.name = name,
                                       .appkey = "sandbox",
                                       .user = user,
                                       .device = name,
                                       .token = secret,
                                       .navigators = navigators,
                                       .rate_per_s = -1,
                                       .websockets = websockets,
                                       .websockets_ud = house};
    if (rong->open(house->loop, house->http, &config, &device->account, &fault) != MT_OK)
        fail_msg("%s", fault.message);
    mt_secret_free(secret);
    device->house = house;
    return device;
}

static void house_free(struct house *house)
{
    for (size_t i = 0; i < house->devices_n; i++)
        rong->close(house->devices[i].account);
    mt_timer_free(house->guard);
    mt_ws_client_free(house->ws);
    mt_http_free(house->http);
    mt_sandbox_free(house->sandbox);
    assert_int_equal(mt_loop_free(house->loop), MT_OK);
    free(house);
    mt_log_sink_set(NULL, NULL);
}

/* Until every verb has ended, and the device has heard what is waited for. */
static void maybe_stop(struct house *house)
{
    if (house->waiting == 0 && (house->wanted == NULL ||
                                (house->wanted->online && house->wanted->heard >= house->wanted_n)))
        mt_loop_stop(house->loop);
}

static void run(struct house *house)
{
    mt_timer_start(house->guard, 30000, 0);
    mt_loop_run(house->loop);
    mt_timer_stop(house->guard);
    house->wanted = NULL;
}

static void hear(struct device *device, size_t n)
{
    if (device->online && device->heard >= n)
        return;
    device->house->wanted = device;
    device->house->wanted_n = n;
    run(device->house);
}

static void done(void *ud, enum mt_rc rc, const struct mt_fault *fault)
{
    struct house *house = ud;

    house->rc = rc;
    house->fault = rc != MT_OK ? *fault : (struct mt_fault){.kind = MT_OK};
    house->waiting--;
    maybe_stop(house);
}

static void ok(const struct house *house)
{
    if (house->rc != MT_OK)
        fail_msg("%s: %s", house->fault.code, house->fault.message);
}

/* ---------------------------------------------------------------- verbs */

static void on_sent(void *ud, enum mt_rc rc, const struct mt_sent *sent,
                    const struct mt_fault *fault)
{
    struct house *house = ud;

    if (rc == MT_OK) {
        snprintf(house->id, sizeof house->id, "%s", sent->id ? sent->id : "");
        house->time_ms = sent->time_ms;
    }
    done(house, rc, fault);
}

static struct mt_conversation_ref ref(const char *id)
{
    struct mt_conversation_ref out;

    assert_int_equal(mt_conversation_ref_parse(id, &out, NULL), MT_OK);
    return out;
}

static void send_to(struct device *from, const char *to, const char *text, struct mt_value body)
{
    struct house *house = from->house;
    struct mt_outgoing message = {.to = ref(to),
                                  .kind = MT_MESSAGE_TEXT,
                                  .text = text,
                                  .text_len = strlen(text),
                                  .body = body};

    house->waiting++;
    assert_int_equal(rong->live->send(from->account, &message, on_sent, house, NULL), MT_OK);
    run(house);
    ok(house);
}

/* What is sent next has a later time than what was sent last. */
static void tick(const struct house *house)
{
    while (mt_clock_wall_ms() <= house->time_ms)
        ;
}

static void text_to(struct device *from, const char *to, const char *text)
{
    send_to(from, to, text, (struct mt_value){.type = MT_VALUE_MAP});
}

static void on_list(void *ud, enum mt_rc rc, const struct mt_conversations_page *page,
                    const struct mt_fault *fault)
{
    struct house *house = ud;

    house->cursor[0] = '\0';
    for (size_t i = 0; rc == MT_OK && i < page->n; i++) {
        const struct mt_conversation *c = &page->items[i];
        struct item *item = &house->items[house->n++];

        assert_true(house->n <= ITEMS);
        memset(item, 0, sizeof *item);
        mt_conversation_ref_format(&c->ref, item->id);
        item->unread = c->unread;
        item->mentions = c->mentions.n;
        item->mentions_me = c->mentions.me;
        item->pinned = c->pinned;
        item->hidden = c->hidden;
        item->notification = c->notification;
        item->last_ms = c->last ? c->last->time_ms : 0;
        snprintf(item->last, sizeof item->last, "%s", c->last ? c->last->id : "");
        snprintf(item->text, sizeof item->text, "%s",
                 c->last && c->last->text ? c->last->text : "");
    }
    if (rc == MT_OK) {
        house->pages_n++;
        house->truncated = page->truncated;
        assert_true(!page->truncated == !page->warning);
        snprintf(house->cursor, sizeof house->cursor, "%s", page->cursor ? page->cursor : "");
    }
    done(house, rc, fault);
}

static void list_page(struct device *device, const struct mt_conversations_query *query)
{
    struct house *house = device->house;

    house->waiting++;
    assert_int_equal(rong->conversations(device->account, query, on_list, house, NULL), MT_OK);
    run(house);
}

/* All pages. */
static size_t list_by(struct device *device, struct mt_conversations_query query)
{
    struct house *house = device->house;
    char cursor[sizeof house->cursor];

    query.mark = -1;
    house->n = house->pages_n = 0;
    do {
        list_page(device, &query);
        ok(house);
        snprintf(cursor, sizeof cursor, "%s", house->cursor);
        query.cursor = cursor;
    } while (*cursor != '\0');
    return house->n;
}

static size_t list(struct device *device)
{
    return list_by(device, (struct mt_conversations_query){.limit = 0});
}

static const struct item *find(const struct house *house, const char *id)
{
    for (size_t i = 0; i < house->n; i++)
        if (strcmp(house->items[i].id, id) == 0)
            return &house->items[i];
    return NULL;
}

static const struct item *listed(struct device *device, const char *id)
{
    list(device);
    return find(device->house, id);
}

#define DO(device, verb, ...)                                                                      \
    do {                                                                                           \
        (device)->house->waiting++;                                                                \
        assert_int_equal(                                                                          \
            rong->live->verb((device)->account, __VA_ARGS__, done, (device)->house, NULL), MT_OK); \
        run((device)->house);                                                                      \
    } while (0)

static void read_all(struct device *device, const char *id)
{
    struct mt_reference reference = {.type = MT_REFER_CONVERSATION, .conversation = ref(id)};
    struct house *house = device->house;

    house->waiting++;
    assert_int_equal(rong->live->refer(device->account, &reference, on_sent, house, NULL), MT_OK);
    run(house);
    ok(house);
}

static size_t history_n; /* of the last history */
static struct mt_message_key history_keys[8];
static char history_ids[8][MT_ID_MAX];

static void on_history(void *ud, enum mt_rc rc, const struct mt_history_page *page,
                       const struct mt_fault *fault)
{
    history_n = rc == MT_OK ? page->n : 0;
    for (size_t i = 0; i < history_n && i < 8; i++) {
        history_keys[i] = mt_message_key_of(&page->items[i]);
        snprintf(history_ids[i], MT_ID_MAX, "%s", page->items[i].id);
        history_keys[i].id = history_ids[i];
        history_keys[i].from = NULL;
    }
    done(ud, rc, fault);
}

static size_t history(struct device *device, const char *id)
{
    struct mt_history_query query = {.conversation = ref(id)};
    struct house *house = device->house;

    house->waiting++;
    assert_int_equal(rong->history(device->account, &query, on_history, house, NULL), MT_OK);
    run(house);
    ok(house);
    return history_n;
}

/* ---------------------------------------------------------------- live */

static void on_batch(void *ud, struct mt_event_batch *batch)
{
    struct device *device = ud;

    for (size_t i = 0; i < batch->n; i++) {
        enum mt_event_type type = batch->events[i].type;

        if (type == MT_EVENT_CONNECTED)
            device->online = true;
        else if (type == MT_EVENT_MESSAGE || type == MT_EVENT_CONVERSATION_READ ||
                 type == MT_EVENT_CONVERSATION || type == MT_EVENT_RECALLED)
            device->heard++;
    }
    rong->live->done(device->account, batch);
    maybe_stop(device->house);
}

static void on_ended(void *ud, const struct mt_fault *fault)
{
    (void)ud;
    fail_msg("the session ended: %s", fault->message);
}

static void go_live(struct device *device)
{
    static const struct mt_live_handlers handlers = {on_batch, on_ended};
    struct mt_live_options options = {.ws = device->house->ws};
    struct mt_fault fault;

    if (rong->live->start(device->account, &options, &handlers, device, &fault) != MT_OK)
        fail_msg("%s", fault.message);
    hear(device, 0);
}

/* ---------------------------------------------------------------- by itself */

static struct mt_value mention(struct mt_field fields[2], struct mt_value *user)
{
    static struct mt_field outer[1];

    fields[0] = (struct mt_field){"all", {.type = MT_VALUE_BOOL, .b = false}};
    fields[1] = (struct mt_field){"users", {.type = MT_VALUE_LIST, .items = user, .items_n = 1}};
    outer[0] =
        (struct mt_field){"mentions", {.type = MT_VALUE_MAP, .fields = fields, .fields_n = 2}};
    return (struct mt_value){.type = MT_VALUE_MAP, .fields = outer, .fields_n = 1};
}

static void lists_what_is_unread(void **state)
{
    struct house *house = house_new(NULL, 0);
    struct device *bob = enter(house, "bob"), *me = enter(house, "me");
    struct mt_field fields[2];
    struct mt_value user = {.type = MT_VALUE_STR, .s = "me", .len = 2};
    const struct item *item = NULL;

    (void)state;
    assert_int_equal(list(me), 0);
    text_to(me, "group:g", "hello group"); /* now it is a member */
    text_to(bob, "single:me", "one");
    text_to(bob, "single:me", "two");
    tick(house);
    send_to(bob, "group:g", "you!", mention(fields, &user));
    char newest[MT_ID_MAX];
    snprintf(newest, sizeof newest, "%s", house->id);
    assert_int_equal(list(me), 2);
    assert_string_equal(house->items[0].id, "group:g"); /* the newest first */
    assert_string_equal(house->items[0].last, newest);
    assert_string_equal(house->items[0].text, "you!");
    assert_int_equal(house->items[0].unread, 1);
    assert_int_equal(house->items[0].mentions, 1);
    assert_int_equal(house->items[0].mentions_me, 1);
    assert_string_equal(house->items[1].id, "single:bob");
    assert_string_equal(house->items[1].text, "two");
    assert_int_equal(house->items[1].unread, 2);
    /* only what is new is pulled the next time, and nothing is counted twice */
    text_to(bob, "single:me", "three");
    item = listed(me, "single:bob");
    assert_int_equal(item->unread, 3);
    assert_string_equal(item->text, "three");
    read_all(me, "single:bob");
    assert_int_equal(listed(me, "single:bob")->unread, 0);
    assert_int_equal(find(house, "group:g")->unread, 1);
    /* another device starts with what the cloud keeps, and hears that this was read */
    struct device *tablet = enter(house, "me");
    assert_int_equal(listed(tablet, "group:g")->unread, 1);
    text_to(bob, "single:me", "four");
    assert_int_equal(listed(me, "single:bob")->unread, 1);
    house_free(house);
}

static void reads_in_pages_from_either_end(void **state)
{
    struct house *house = house_new(NULL, 0);
    struct device *me = enter(house, "me");
    char ids[12][MT_CONVERSATION_ID_MAX], to[64];
    int64_t times[12];
    struct mt_conversations_query query = {.limit = 0};

    (void)state;
    for (int i = 0; i < 12; i++) {
        snprintf(to, sizeof to, "single:peer%02d", i);
        if (i % 4 == 0) /* several share a time, not all of them */
            tick(house);
        text_to(me, to, "hi");
    }
    assert_int_equal(list(me), 12);
    for (int i = 0; i < 12; i++) {
        snprintf(ids[i], sizeof ids[i], "%s", house->items[i].id);
        times[i] = house->items[i].last_ms;
    }
    for (int limit = 1; limit <= 13; limit++) {
        query.limit = limit;
        query.oldest_first = false;
        assert_int_equal(list_by(me, query), 12);
        assert_true(house->pages_n <= 12u / (unsigned)limit + 1);
        for (int i = 0; i < 12; i++)
            assert_string_equal(house->items[i].id, ids[i]);
        query.oldest_first = true;
        assert_int_equal(list_by(me, query), 12);
        for (int i = 1; i < 12; i++) /* those of one millisecond in any order */
            assert_true(house->items[i].last_ms >= house->items[i - 1].last_ms);
    }
    /* from a time on: strictly older, strictly newer */
    query = (struct mt_conversations_query){.start_ms = times[6]};
    size_t n = list_by(me, query);
    for (size_t i = 0; i < n; i++)
        assert_true(house->items[i].last_ms < times[6]);
    query.oldest_first = true;
    size_t m = list_by(me, query);
    for (size_t i = 0; i < m; i++)
        assert_true(house->items[i].last_ms > times[6]);
    assert_true(n > 0 && m > 0 && n + m < 12);
    static const char *const cursors[] = {"x",       "1~2~3",       "1~2~3~4~5", "1~-2~3~4",
                                          "0~2~3~4", "1~2~3~99999", "1~2~~4"};
    for (size_t i = 0; i < sizeof cursors / sizeof *cursors; i++) {
        query = (struct mt_conversations_query){.mark = -1, .cursor = cursors[i]};
        list_page(me, &query);
        assert_string_equal(house->fault.code, "conversations.cursor");
        house->fault.code[0] = '\0';
    }
    house_free(house);
}

static void says_so_at_the_clouds_limit(void **state)
{
    struct house *house = house_new(NULL, 0);
    struct device *me = enter(house, "me");
    char to[64];

    (void)state;
    for (int i = 0; i < 1005; i++) {
        snprintf(to, sizeof to, "single:p%04d", i);
        text_to(me, to, "hi");
    }
    assert_int_equal(list(me), 1000);
    assert_int_equal(house->pages_n, 4);
    assert_true(house->truncated);
    house_free(house);
}

static void pins_and_notifications(void **state)
{
    struct house *house = house_new(NULL, 0);
    struct device *bob = enter(house, "bob"), *me = enter(house, "me");
    struct mt_conversation_ref of_bob = ref("single:bob"), of_eve = ref("single:eve");
    struct mt_conversation_ref room = ref("room:r");

    (void)state;
    text_to(bob, "single:me", "one");
    text_to(me, "single:eve", "two");
    DO(me, pin, &of_bob, true);
    ok(house);
    DO(me, set_notification, &of_bob, MT_NOTIFY_NONE);
    ok(house);
    assert_true(listed(me, "single:bob")->pinned);
    assert_int_equal(find(house, "single:bob")->notification, MT_NOTIFY_NONE);
    assert_int_equal(find(house, "single:eve")->notification, MT_NOTIFY_DEFAULT);
    /* another device has it from the cloud */
    struct device *tablet = enter(house, "me");
    assert_int_equal(list_by(tablet, (struct mt_conversations_query){.pinned_only = true}), 1);
    assert_string_equal(house->items[0].id, "single:bob");
    assert_string_equal(house->items[0].text, "one");
    assert_int_equal(house->items[0].unread, 1);
    assert_int_equal(house->items[0].notification, MT_NOTIFY_NONE);
    DO(tablet, pin, &of_bob, false);
    DO(tablet, set_notification, &of_bob, MT_NOTIFY_ALL);
    assert_int_equal(list_by(me, (struct mt_conversations_query){.pinned_only = true}), 0);
    assert_int_equal(listed(me, "single:bob")->notification, MT_NOTIFY_ALL);
    DO(me, mark, &of_eve, 3, true);
    assert_int_equal(house->rc, MT_ERR_UNSUPPORTED);
    DO(me, pin, &room, true);
    assert_int_equal(house->rc, MT_ERR_UNSUPPORTED);
    house_free(house);
}

static void names_conversations(void **state)
{
    struct house *house = house_new(NULL, 0);
    struct device *bob = enter(house, "bob"), *me = enter(house, "me");
    struct mt_conversation_ref only[150];

    (void)state;
    text_to(bob, "single:me", "one");
    for (int i = 0; i < 150; i++)
        only[i] = ref("single:nobody");
    only[130] = ref("single:bob");
    assert_int_equal(list_by(me, (struct mt_conversations_query){.only = only, .only_n = 150}),
                     150); /* in two requests */
    assert_string_equal(house->items[130].text, "one");
    assert_int_equal(house->items[130].unread, 1);
    assert_string_equal(house->items[0].id, "single:nobody");
    assert_string_equal(house->items[0].last, "");
    assert_int_equal(house->items[0].unread, 0);
    house_free(house);
}

static void deletes(void **state)
{
    struct house *house = house_new(NULL, 0);
    struct device *bob = enter(house, "bob"), *me = enter(house, "me");
    struct mt_conversation_ref of_bob = ref("single:bob");
    struct mt_message_key keys[3];
    int64_t times[6];

    (void)state;
    for (int i = 0; i < 6; i++) {
        text_to(i % 2 ? me : bob, i % 2 ? "single:bob" : "single:me", "text");
        times[i] = house->time_ms;
        tick(house);
    }
    assert_int_equal(history(me, "single:bob"), 6);
    /* by id, time and direction; and by the id alone, as it was seen */
    keys[0] = history_keys[0];
    keys[1] = (struct mt_message_key){.id = history_keys[1].id};
    assert_true(rong->live->locate(me->account, &keys[1]));
    assert_int_equal(keys[1].time_ms, history_keys[1].time_ms);
    assert_int_equal(keys[1].sent, history_keys[1].sent);
    keys[2] = (struct mt_message_key){.id = "AAAA-BBBB-CCCC-DDDD", .time_ms = 5};
    assert_false(rong->live->locate(me->account, &(struct mt_message_key){.id = "unseen"}));
    DO(me, delete_ids, &of_bob, keys, 3);
    ok(house);
    assert_int_equal(history(me, "single:bob"), 4);
    assert_int_equal(history(bob, "single:me"), 6); /* the peer keeps them */
    DO(me, delete_ids, &of_bob, (&(struct mt_message_key){.id = "timeless"}), 1);
    assert_string_equal(house->fault.code, "delete.needs_message");
    DO(me, delete_ids, &of_bob, keys, 0);
    assert_string_equal(house->fault.code, "delete.ids");
    DO(me, delete_before, &of_bob, times[2]);
    ok(house);
    assert_int_equal(history(me, "single:bob"), 2); /* that one is spared */
    assert_int_equal(history_keys[1].time_ms, times[2]);
    DO(me, delete_before, &of_bob, 1);
    assert_string_equal(house->fault.code, "delete.before");
    assert_int_equal(history(me, "single:bob"), 2);
    /* off the list, its messages stay; then it comes again */
    DO(me, delete_conversation, &of_bob, false);
    ok(house);
    assert_null(listed(me, "single:bob"));
    assert_int_equal(history(me, "single:bob"), 2);
    text_to(bob, "single:me", "again");
    assert_int_equal(listed(me, "single:bob")->unread, 1);
    DO(me, delete_conversation, &of_bob, true);
    assert_int_equal(history(me, "single:bob"), 0);
    assert_null(listed(me, "single:bob"));
    /* everything */
    text_to(bob, "single:me", "one more");
    text_to(me, "single:eve", "and one");
    assert_int_equal(list(me), 2);
    house->waiting++;
    assert_int_equal(rong->live->delete_all(me->account, done, house, NULL), MT_OK);
    run(house);
    ok(house);
    assert_int_equal(list(me), 0);
    assert_int_equal(history(me, "single:eve"), 0);
    house_free(house);
}

/* ---------------------------------------------------------------- on a live session */

static void events_keep_the_list(void **state)
{
    /* the list can be asked for once; whoever asks again would be refused for good */
    struct house *house = house_new(NULL, 0);
    struct device *bob = enter(house, "bob"), *me = enter(house, "me"), *tablet = NULL;
    struct mt_conversations_query fresh = {.mark = -1, .fresh = true};
    struct mt_conversation_ref of_bob = ref("single:bob");

    (void)state;
    text_to(bob, "single:me", "before");
    go_live(me);
    assert_int_equal(list(me), 1);
    assert_int_equal(house->items[0].unread, 1); /* although the session begins now */
    assert_string_equal(house->items[0].text, "before");
    int64_t asked = me->account->model->listed_ms;
    size_t heard = me->heard;
    text_to(bob, "single:me", "while live");
    text_to(bob, "single:me", "again");
    hear(me, heard + 2);
    assert_int_equal(list(me), 1);
    assert_int_equal(house->items[0].unread, 3);
    assert_string_equal(house->items[0].text, "again");
    assert_string_equal(house->items[0].last, house->id);
    /* what one sends becomes the latest, and is not unread */
    tick(house);
    text_to(me, "single:eve", "to eve");
    assert_int_equal(list(me), 2);
    assert_string_equal(house->items[0].id, "single:eve");
    assert_string_equal(house->items[0].text, "to eve");
    assert_int_equal(house->items[0].unread, 0);
    /* from either end, and from a time on, without asking */
    assert_int_equal(list_by(me, (struct mt_conversations_query){.oldest_first = true}), 2);
    assert_string_equal(house->items[0].id, "single:bob");
    assert_int_equal(
        list_by(me, (struct mt_conversations_query){.start_ms = house->items[1].last_ms}), 1);
    assert_int_equal(me->account->model->listed_ms, asked);
    list_page(me, &fresh);
    assert_int_equal(house->rc, MT_ERR_RATE);
    assert_string_equal(house->fault.code, "conversations.too_often");
    assert_true(house->fault.retryable && house->fault.retry_after_ms > 50000);
    /* read here: the other device hears of it */
    tablet = enter(house, "me");
    go_live(tablet);
    assert_int_equal(listed(tablet, "single:bob")->unread, 3);
    heard = tablet->heard;
    read_all(me, "single:bob");
    hear(tablet, heard + 1);
    assert_int_equal(listed(me, "single:bob")->unread, 0);
    assert_int_equal(listed(tablet, "single:bob")->unread, 0);
    /* settings of the other device */
    heard = me->heard;
    DO(tablet, pin, &of_bob, true);
    ok(house);
    hear(me, heard + 1);
    assert_true(listed(me, "single:bob")->pinned);
    assert_int_equal(list_by(me, (struct mt_conversations_query){.pinned_only = true}), 1);
    DO(me, delete_conversation, &of_bob, false);
    ok(house);
    assert_null(listed(me, "single:bob"));
    heard = me->heard;
    text_to(bob, "single:me", "here again");
    hear(me, heard + 1);
    assert_int_equal(listed(me, "single:bob")->unread, 1);
    assert_true(find(house, "single:bob")->pinned);
    house_free(house);
}

static void read_times_where_sessions_are_driven(void **state)
{
    struct house *house = house_new("sesDriven=1", 0);
    struct device *bob = enter(house, "bob"), *me = enter(house, "me"),
                  *tablet = enter(house, "me");

    (void)state;
    go_live(me);
    go_live(tablet);
    text_to(bob, "single:me", "one");
    hear(tablet, 1);
    hear(me, 1);
    assert_int_equal(listed(tablet, "single:bob")->unread, 1);
    read_all(me, "single:bob");
    hear(tablet, 2);
    assert_int_equal(listed(tablet, "single:bob")->unread, 0);
    assert_int_equal(listed(me, "single:bob")->unread, 0);
    house_free(house);
}

static void the_cloud_counts(void **state)
{
    struct house *house = house_new("serverSaveUnread=1", 0);
    struct device *bob = enter(house, "bob"), *me = enter(house, "me"), *tablet = NULL;

    (void)state;
    text_to(bob, "single:me", "one");
    text_to(bob, "single:me", "two");
    assert_int_equal(listed(me, "single:bob")->unread, 2);
    read_all(me, "single:bob");
    assert_int_equal(listed(me, "single:bob")->unread, 0);
    text_to(bob, "single:me", "three");
    tablet = enter(house, "me");
    assert_int_equal(listed(tablet, "single:bob")->unread, 1);
    assert_int_equal(listed(me, "single:bob")->unread, 1);
    /* what this session believes is put right by what the cloud says, once it says so */
    go_live(me);
    list(me);
    struct mt_conversation_ref of_bob = ref("single:bob");
    mt_rong_model_find(me->account->model, &of_bob)->unread = 77;
    text_to(bob, "single:me", "four");
    hear(me, me->heard + 1);
    read_all(tablet, "single:bob");
    for (int i = 0; i < 100 && listed(me, "single:bob")->unread != 0; i++)
        tick(house);
    assert_int_equal(find(house, "single:bob")->unread, 0);
    house_free(house);
}

static void ultra_groups_stand_in_the_list(void **state)
{
    struct house *house = house_new("ugMsg=1,sessionCfg=1", 0);
    struct device *bob = enter(house, "bob"), *me = enter(house, "me");
    const struct item *item = NULL;

    (void)state;
    text_to(me, "ultra:u/RCDefault", "hello");
    text_to(bob, "single:me", "one");
    text_to(bob, "ultra:u/RCDefault", "two");
    text_to(bob, "ultra:u/side", "not in the list");
    list(me);
    item = find(house, "ultra:u/RCDefault");
    assert_non_null(item);
    assert_int_equal(item->unread, 1);
    assert_string_equal(item->text, "two");
    assert_int_equal(find(house, "single:bob")->unread, 1);
    assert_null(find(house, "ultra:u/side"));
    assert_int_equal(house->n, 2);
    house_free(house);
}

int test_list(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_what_is_unread),
        cmocka_unit_test(reads_in_pages_from_either_end),
        cmocka_unit_test(says_so_at_the_clouds_limit),
        cmocka_unit_test(pins_and_notifications),
        cmocka_unit_test(names_conversations),
        cmocka_unit_test(deletes),
        cmocka_unit_test(events_keep_the_list),
        cmocka_unit_test(read_times_where_sessions_are_driven),
        cmocka_unit_test(the_cloud_counts),
        cmocka_unit_test(ultra_groups_stand_in_the_list),
    };

    return cmocka_run_group_tests_name("rongcloud list", tests, NULL, NULL);
}

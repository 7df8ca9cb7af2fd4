/* The live session: what is pulled from where, what comes in pushes, what is told once, and until
 * where all was dealt with. */
#include "cloud.h"

#include "rongcloud.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

int test_live(void);

#define LONG_MS  300000
#define PULLS    64
#define WANT_MAX 64

/* A time to come: what is older than a session without a past is none of its news. */
#define T(n) (INT64_C(4000000000000) + (n))

/* What the cloud keeps for the user, and how it was asked for. */
struct box {
    struct cloud cloud;
    struct cloud_text texts[WANT_MAX];
    size_t texts_n, page_n; /* given at a time */
    struct {
        int64_t inbox, outbox, broadcast;
        bool compress, send, polling;
    } pulls[PULLS];
    size_t pulls_n;
    size_t want; /* events of messages that are waited for */
    bool stuck;  /* says that there is more, and gives nothing */
    bool both;   /* gives everything again and again */
};

static struct box *box_of(struct cloud *cloud)
{
    return (struct box *)cloud;
}

static bool is_topic(const struct mt_rong_frame *frame, const char *topic)
{
    return frame->topic.len == strlen(topic) &&
           memcmp(frame->topic.s, topic, frame->topic.len) == 0;
}

static void note_pull(struct box *box, const struct mt_rong_frame *frame)
{
    Rongcloud__SyncRequestMsg *pull =
        rongcloud__sync_request_msg__unpack(NULL, frame->payload_len, frame->payload);

    assert_non_null(pull);
    assert_true(box->pulls_n < PULLS);
    box->pulls[box->pulls_n].inbox = pull->synctime;
    box->pulls[box->pulls_n].outbox = pull->sendboxsynctime;
    box->pulls[box->pulls_n].broadcast = pull->broadcastsynctime;
    box->pulls[box->pulls_n].compress = pull->compressioenabled;
    box->pulls[box->pulls_n].send = pull->ispullsend;
    box->pulls[box->pulls_n++].polling = pull->ispolling;
    rongcloud__sync_request_msg__free_unpacked(pull, NULL);
}

/* Received ones lie in the inbox, sent ones in the outbox; the times are those of the messages. */
static bool give(struct cloud *cloud, struct mt_ws_peer *peer, const struct mt_rong_frame *frame)
{
    struct box *box = box_of(cloud);
    struct cloud_text page[WANT_MAX];
    size_t n = 0;
    int64_t sync_ms = 0;
    bool finished = true;

    if (!is_topic(frame, "pullMsg"))
        return false;
    note_pull(box, frame);
    sync_ms = box->pulls[box->pulls_n - 1].inbox;
    for (size_t i = 0; !box->stuck && i < box->texts_n; i++) {
        const struct cloud_text *text = &box->texts[i];
        int64_t from =
            text->sent ? box->pulls[box->pulls_n - 1].outbox : box->pulls[box->pulls_n - 1].inbox;

        if (text->time_ms <= from && !box->both)
            continue;
        if (n == box->page_n) {
            finished = false;
            break;
        }
        page[n++] = *text;
        if (!text->sent && text->time_ms > sync_ms)
            sync_ms = text->time_ms;
    }
    cloud_pulled(cloud, peer, frame->id, page, n, sync_ms > 0 ? sync_ms : 1,
                 finished && !box->stuck);
    return true;
}

static struct box *begin(const char *flags)
{
    struct box *box = calloc(1, sizeof *box);

    assert_non_null(box);
    cloud_begin(&box->cloud, NULL);
    box->cloud.flags = flags;
    box->cloud.answer = give;
    box->page_n = WANT_MAX;
    return box;
}

static void end(struct box *box)
{
    cloud_end(&box->cloud);
    free(box);
}

static void put(struct box *box, const char *id, int64_t time_ms, bool sent)
{
    assert_true(box->texts_n < WANT_MAX);
    box->texts[box->texts_n++] =
        (struct cloud_text){.id = id, .text = id, .time_ms = time_ms, .sent = sent};
}

static bool are_there(struct cloud *cloud)
{
    return cloud_count(cloud, MT_EVENT_MESSAGE) >= box_of(cloud)->want;
}

static void wait_for(struct box *box, size_t n)
{
    box->want = n;
    cloud_run(&box->cloud, are_there, LONG_MS);
}

static size_t told(const struct box *box, const char *id)
{
    size_t n = 0;

    for (size_t i = 0; i < box->cloud.events_n; i++)
        n += box->cloud.events[i].type == MT_EVENT_MESSAGE &&
             strcmp(box->cloud.events[i].id, id) == 0;
    return n;
}

static const char *position(const struct box *box)
{
    static char text[MT_LIVE_POSITION_MAX];

    (void)mt_provider_rongcloud.live->position(box->cloud.account, text, sizeof text);
    return text;
}

static void assert_position(const struct box *box, const char *beginning)
{
    char start[MT_LIVE_POSITION_MAX];

    snprintf(start, sizeof start, "%.*s", (int)strlen(beginning), position(box));
    assert_string_equal(start, beginning);
}

/* ---------------------------------------------------------------- pulling */

static void all_pages_are_pulled_in_order(void **state)
{
    struct box *box = begin(NULL);

    (void)state;
    put(box, "A-0", 1700000000000, false); /* before it was asked for: history, and no news */
    put(box, "A-1", T(100), false);
    put(box, "A-2", T(200), false);
    put(box, "A-3", T(250), true);
    put(box, "A-4", T(300), false);
    put(box, "A-5", T(400), false);
    box->page_n = 2;
    cloud_live(&box->cloud);
    wait_for(box, 5);
    assert_int_equal(box->cloud.events[0].type, MT_EVENT_CONNECTED);
    for (size_t i = 1; i <= 5; i++) {
        char id[] = "A-0";

        id[2] = (char)('0' + i);
        assert_string_equal(box->cloud.events[i].id, id);
        assert_string_equal(box->cloud.events[i].text, id);
        assert_string_equal(box->cloud.events[i].conversation, "single:bob");
    }
    assert_int_equal(told(box, "A-0"), 0);
    cloud_run(&box->cloud, NULL, 5000);
    assert_int_equal(box->pulls_n, 3);
    assert_true(box->pulls[0].compress && box->pulls[0].send && !box->pulls[0].polling);
    assert_int_equal(box->pulls[0].inbox, 0);
    assert_int_equal(box->pulls[0].broadcast, 1);
    assert_int_equal(box->pulls[1].inbox, T(100));
    assert_int_equal(box->pulls[1].outbox, 0);
    assert_int_equal(box->pulls[2].inbox, T(200));
    assert_int_equal(box->pulls[2].outbox, T(250));
    assert_position(box, "1 4000000000400 4000000000250 1 ");
    end(box);
}

static void notices_are_pulled_once(void **state)
{
    struct box *box = begin(NULL);

    (void)state;
    put(box, "B-1", T(100), false);
    cloud_live(&box->cloud);
    wait_for(box, 1);
    put(box, "B-2", T(200), false);
    for (int i = 0; i < 20; i++)
        cloud_notify(&box->cloud, box->cloud.peer, i % 2 ? "s_ntf" : "s_msg", 1, T(200));
    wait_for(box, 2);
    cloud_run(&box->cloud, NULL, 5000);
    assert_in_range(box->pulls_n, 2, 3); /* what comes while one is on its way makes one more */
    assert_int_equal(cloud_frames(&box->cloud, MT_RONG_PUBACK), 20);
    size_t before = box->pulls_n;
    cloud_notify(&box->cloud, box->cloud.peer, "s_ntf", 1, T(200)); /* that was read already */
    cloud_run(&box->cloud, NULL, 5000);
    assert_int_equal(box->pulls_n, before);
    cloud_run(&box->cloud, NULL, 200000); /* nothing is said, and yet it looks */
    assert_int_equal(box->pulls_n, before + 1);
    assert_int_equal(cloud_asked(&box->cloud, "pullSeAtts"), 2);
    assert_int_equal(cloud_asked(&box->cloud, "pullModifyMsg"), 2);
    assert_int_equal(cloud_asked(&box->cloud, "pullEventChange"), 2);
    assert_int_equal(cloud_asked(&box->cloud, "pullUgMsg"), 0);
    end(box);
}

static void a_cloud_without_an_end(void **state)
{
    struct box *box = begin(NULL);

    (void)state;
    box->stuck = true;
    cloud_live(&box->cloud);
    cloud_run(&box->cloud, NULL, 20000);
    assert_in_range(box->pulls_n, 1, 3); /* more, it says, and gives nothing: asked later again */
    end(box);
}

static void nothing_is_told_twice(void **state)
{
    struct box *box = begin(NULL);

    (void)state;
    box->both = true;
    put(box, "C-1", T(100), false);
    put(box, "C-2", T(200), true);
    cloud_live(&box->cloud);
    wait_for(box, 2);
    put(box, "C-3", T(300), false);
    cloud_notify(&box->cloud, box->cloud.peer, "s_ntf", 1, T(300));
    wait_for(box, 3);
    mt_ws_peer_cut(box->cloud.peer);
    put(box, "C-4", T(400), false);
    wait_for(box, 4);
    for (size_t i = 0; i < box->texts_n; i++)
        assert_int_equal(told(box, box->texts[i].id), 1);
    end(box);
}

/* ---------------------------------------------------------------- acknowledging */

static void done(struct box *box, size_t i)
{
    struct mt_event_batch *batch = box->cloud.held[i];

    box->cloud.held[i] = NULL;
    mt_provider_rongcloud.live->done(box->cloud.account, batch);
}

/* Batches: connected, then one for each message. */
static void the_position_moves_when_all_before_was_dealt_with(void **state)
{
    struct box *box = begin(NULL);

    (void)state;
    box->cloud.hold = true;
    box->page_n = 1;
    put(box, "D-1", T(100), false);
    put(box, "D-2", T(200), false);
    put(box, "D-3", T(300), false);
    cloud_live(&box->cloud);
    wait_for(box, 3);
    assert_int_equal(box->cloud.held_n, 4);
    assert_string_equal(position(box), "");
    done(box, 0);
    assert_string_equal(position(box), "");
    done(box, 2); /* the second before the first */
    assert_string_equal(position(box), "");
    done(box, 1);
    assert_position(box, "1 4000000000200 0 1 ");
    mt_ws_peer_cut(box->cloud.peer); /* a new connection goes on from where this one was */
    cloud_run(&box->cloud, NULL, 20000);
    assert_int_equal(box->pulls[box->pulls_n - 1].inbox, T(300));
    assert_position(box, "1 4000000000200 0 1 ");
    done(box, 3);
    assert_position(box, "1 4000000000300 0 1 ");
    for (size_t i = 4; i < box->cloud.held_n; i++)
        done(box, i);
    box->cloud.held_n = 0;
    end(box);
}

static void the_next_process_goes_on_there(void **state)
{
    static const char *const wrong[] = {"",
                                        "1",
                                        "1 5",
                                        "2 1 2 3 4 5 6 7",
                                        "1 1 2 3 4 5 6 x",
                                        "1 -1 2 3 4 5 6 7",
                                        "1 1 2 3 4 5 6 7 8"};
    struct box *box = begin(NULL);

    (void)state;
    put(box, "E-1", T(100), false);
    put(box, "E-2", T(200), false);
    cloud_live_from(&box->cloud, 5, "1 4000000000100 50 7 60 70 80 90");
    wait_for(box, 1);
    assert_int_equal(told(box, "E-1"), 0);
    assert_int_equal(told(box, "E-2"), 1);
    assert_int_equal(box->pulls[0].inbox, T(100));
    assert_int_equal(box->pulls[0].outbox, 50);
    assert_int_equal(box->pulls[0].broadcast, 7);
    assert_true(cloud_last(&box->cloud, MT_EVENT_CONNECTED)->away_ms > 0);
    end(box);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) { /* of no use: from the beginning */
        box = begin(NULL);
        put(box, "E-3", T(1), false);
        cloud_live_from(&box->cloud, 0, wrong[i]);
        wait_for(box, 1);
        assert_int_equal(box->pulls[0].inbox, 0);
        assert_int_equal(box->pulls[0].broadcast, 1);
        assert_int_equal(cloud_last(&box->cloud, MT_EVENT_CONNECTED)->away_ms, 0);
        end(box);
    }
}

static bool has_pulled_enough(struct cloud *cloud)
{
    return cloud->held_n >= 30;
}

static void batches_outlive_the_session(void **state)
{
    struct box *box = begin(NULL);

    (void)state;
    box->cloud.hold = true;
    box->page_n = 1;
    for (int i = 0; i < 29; i++)
        put(box, "", T(i), false);
    cloud_live(&box->cloud);
    cloud_run(&box->cloud, has_pulled_enough, LONG_MS);
    mt_provider_rongcloud.live->stop(box->cloud.account);
    assert_string_equal(position(box), "");
    cloud_run(&box->cloud, NULL, 20000);
    assert_int_equal(box->cloud.open_now_n, 0);
    end(box); /* which deals with the batches */
}

/* ---------------------------------------------------------------- pushes */

static void push_text(struct box *box, const char *topic, const char *id, int64_t time_ms)
{
    struct cloud_text text = {.id = id, .text = id, .time_ms = time_ms};
    uint8_t bytes[512];

    cloud_push(&box->cloud, box->cloud.peer, topic, bytes,
               cloud_text_pack(&text, bytes, sizeof bytes));
}

static bool is_connected(struct cloud *cloud)
{
    return cloud_count(cloud, MT_EVENT_CONNECTED) >= 1;
}

static void a_push_is_only_a_notice(void **state)
{
    struct box *box = begin(NULL);

    (void)state;
    cloud_live(&box->cloud);
    cloud_run(&box->cloud, is_connected, LONG_MS);
    push_text(box, "s_msg", "F-1", T(100));
    push_text(box, "s_what", "F-2", T(100));
    cloud_run(&box->cloud, NULL, 5000);
    assert_int_equal(cloud_count(&box->cloud, MT_EVENT_MESSAGE), 0);
    assert_in_range(box->pulls_n, 2, 2);
    end(box);
}

static void messages_come_in_pushes_where_navigation_says_so(void **state)
{
    struct box *box = begin("\"openHistoryMsg\":0");

    (void)state;
    put(box, "G-1", T(100), false);
    cloud_live(&box->cloud);
    wait_for(box, 1);
    push_text(box, "s_msg", "G-2", T(200));
    push_text(box, "s_msg", "G-2", T(200));
    push_text(box, "s_msg", "G-1", T(100));
    push_text(box, "s_msg", "G-3", T(300));
    wait_for(box, 3);
    assert_int_equal(box->pulls_n, 1);
    assert_position(box, "1 4000000000100 "); /* where it lies in the inbox is not known yet */
    put(box, "G-2", T(200), false);
    put(box, "G-3", T(300), false);
    cloud_run(&box->cloud, NULL, 15000);
    assert_int_equal(box->pulls_n, 2);
    assert_position(box, "1 4000000000300 ");
    assert_int_equal(cloud_count(&box->cloud, MT_EVENT_MESSAGE), 3);
    end(box);
}

static void echo(struct box *box, uint16_t id, const char *topic, const char *uid)
{
    static char name[] = "RC:TxtMsg", content[] = "{\"content\":\"from there\"}";
    Rongcloud__UpStreamMessage up = RONGCLOUD__UP_STREAM_MESSAGE__INIT;
    struct mt_rong_frame frame = {.type = MT_RONG_PUBLISH,
                                  .dup = true,
                                  .qos = 1,
                                  .id = id,
                                  .topic = {.s = topic, .len = strlen(topic)},
                                  .target = {.s = "bob", .len = 3}};
    uint8_t bytes[256];

    up.sessionid = 3;
    up.classname = name;
    up.content = (ProtobufCBinaryData){strlen(content), (uint8_t *)content};
    frame.payload = bytes;
    frame.payload_len = rongcloud__up_stream_message__pack(&up, bytes);
    cloud_send(&box->cloud, box->cloud.peer, &frame);
    if (uid != NULL)
        cloud_puback(&box->cloud, box->cloud.peer, id, 0, uid);
}

static void what_another_device_sends(void **state)
{
    struct box *box = begin(NULL);

    (void)state;
    cloud_live(&box->cloud);
    cloud_run(&box->cloud, is_connected, LONG_MS);
    cloud_run(&box->cloud, NULL, 2000);
    echo(box, 500, "ppMsgP", NULL); /* whose PUBACK never comes */
    echo(box, 501, "ppMsgP", "H-1");
    echo(box, 502, "ppMsgS", "H-2"); /* a status message has none */
    wait_for(box, 1);
    cloud_run(&box->cloud, NULL, 3000);
    assert_int_equal(cloud_count(&box->cloud, MT_EVENT_MESSAGE), 1);
    assert_int_equal(told(box, "H-1"), 1);
    assert_string_equal(cloud_last(&box->cloud, MT_EVENT_MESSAGE)->text, "from there");
    assert_string_equal(cloud_last(&box->cloud, MT_EVENT_MESSAGE)->conversation, "single:bob");
    assert_int_equal(cloud_frames(&box->cloud, MT_RONG_PUBACK), 0); /* none for these (2.2) */
    put(box, "H-1", 1800000000191, true);                           /* as the PUBACK said */
    cloud_notify(&box->cloud, box->cloud.peer, "s_ntf", 1, 0);
    cloud_run(&box->cloud, NULL, 5000);
    assert_int_equal(told(box, "H-1"), 1); /* in the outbox it is no news */
    for (uint16_t i = 0; i < 200; i++)     /* more than are kept: the oldest goes */
        echo(box, (uint16_t)(600 + i), "ppMsgP", NULL);
    cloud_run(&box->cloud, NULL, 3000);
    assert_in_range(box->cloud.account->link.echoes_n, 1, 64);
    assert_int_equal(box->cloud.opens_n, 1);
    end(box);
}

static int64_t settings_ms;

static bool give_settings(struct cloud *cloud, struct mt_ws_peer *peer,
                          const struct mt_rong_frame *frame)
{
    static char bob[] = "bob", one[] = "1";
    Rongcloud__SessionStates states = RONGCLOUD__SESSION_STATES__INIT;
    Rongcloud__SessionState state = RONGCLOUD__SESSION_STATE__INIT;
    Rongcloud__SessionState *list[] = {&state};
    Rongcloud__SessionStateItem item = RONGCLOUD__SESSION_STATE_ITEM__INIT;
    Rongcloud__SessionStateItem *items[] = {&item};
    uint8_t bytes[128];

    if (!is_topic(frame, "pullSeAtts"))
        return give(cloud, peer, frame);
    item.sessionstatetype = 2;
    item.value = one;
    state.type = RONGCLOUD__CHANNEL_TYPE__CT_PERSON;
    state.channelid = bob;
    state.has_time = true;
    state.time = settings_ms;
    state.stateitem = items;
    state.n_stateitem = 1;
    states.version = settings_ms;
    states.state = list;
    states.n_state = 1;
    cloud_queryack(cloud, peer, frame->id, 0, bytes,
                   rongcloud__session_states__pack(&states, bytes));
    return true;
}

static bool is_changed(struct cloud *cloud)
{
    return cloud_count(cloud, MT_EVENT_CONVERSATION) >= 1;
}

static void settings_that_change_elsewhere(void **state)
{
    struct box *box = begin(NULL);

    (void)state;
    settings_ms = 100;
    box->cloud.answer = give_settings;
    cloud_live(&box->cloud);
    cloud_run(&box->cloud, NULL, 10000);
    assert_int_equal(cloud_count(&box->cloud, MT_EVENT_CONVERSATION),
                     0); /* that is how it stands */
    settings_ms = 200;
    cloud_notify(&box->cloud, box->cloud.peer, "s_cmd", 3, 0);
    cloud_run(&box->cloud, is_changed, LONG_MS);
    assert_string_equal(cloud_last(&box->cloud, MT_EVENT_CONVERSATION)->conversation, "single:bob");
    end(box);
}

/* ---------------------------------------------------------------- its life */

static void starts_and_stops(void **state)
{
    static const struct mt_live_handlers handlers;
    struct box *box = begin(NULL);
    struct mt_live_options options = {.ws = box->cloud.ws};
    struct mt_fault fault;

    (void)state;
    cloud_live(&box->cloud);
    assert_int_equal(
        mt_provider_rongcloud.live->start(box->cloud.account, &options, &handlers, NULL, &fault),
        MT_ERR_STATE);
    assert_string_equal(fault.code, "live.started");
    mt_provider_rongcloud.live->stop(box->cloud.account); /* before anything came of it */
    cloud_run(&box->cloud, NULL, 3000);
    assert_int_equal(box->cloud.open_now_n, 0);
    for (int i = 0; i < 3; i++) {
        box->cloud.events_n = 0;
        cloud_live(&box->cloud);
        cloud_run(&box->cloud, is_connected, LONG_MS);
        mt_provider_rongcloud.live->stop(box->cloud.account);
        cloud_run(&box->cloud, NULL, 3000);
        assert_int_equal(box->cloud.open_now_n, 0);
        assert_int_equal(cloud_count(&box->cloud, MT_EVENT_DISCONNECTED), 0);
    }
    end(box);
}

static bool answer_late(struct cloud *cloud, struct mt_ws_peer *peer,
                        const struct mt_rong_frame *frame)
{
    (void)peer;
    if (!is_topic(frame, "qryPMsg"))
        return give(cloud, peer, frame);
    cloud->step_n = frame->id;
    return true;
}

static bool is_asked(struct cloud *cloud)
{
    return cloud_asked(cloud, "qryPMsg") > 0;
}

static bool is_idle(struct cloud *cloud)
{
    return cloud->waiting == 0;
}

static void it_takes_the_connection_of_a_verb(void **state)
{
    static const struct mt_rong_request reading = {.topic = "qryPMsg", .reads = true};
    struct box *box = begin(NULL);

    (void)state;
    box->cloud.answer = answer_late;
    cloud_ask(&box->cloud, &reading, "history", 0);
    cloud_run(&box->cloud, is_asked, LONG_MS);
    uint16_t id = (uint16_t)box->cloud.step_n;
    cloud_live(&box->cloud);
    assert_int_equal(box->cloud.events_n, 0); /* nothing is called from inside of start */
    cloud_run(&box->cloud, is_connected, LONG_MS);
    cloud_queryack(&box->cloud, box->cloud.peer, id, 0, NULL, 0);
    cloud_run(&box->cloud, is_idle, 5000);
    assert_int_equal(box->cloud.rc, MT_OK);
    assert_int_equal(box->cloud.opens_n, 1);
    assert_int_equal(cloud_asked(&box->cloud, "qryPMsg"), 1);
    put(box, "I-1", T(100), false);
    cloud_notify(&box->cloud, box->cloud.peer, "s_ntf", 1, T(100));
    wait_for(box, 1);
    end(box);
}

static void a_handler_stops_it(void **state)
{
    struct box *box = begin(NULL);

    (void)state;
    box->cloud.connack = 9;
    cloud_live(&box->cloud);
    box->cloud.stop_at_end = true;
    cloud_run(&box->cloud, NULL, 20000);
    assert_int_equal(box->cloud.ended_n, 1);
    assert_null(box->cloud.account->live);
    end(box);
}

int test_live(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_pages_are_pulled_in_order),
        cmocka_unit_test(notices_are_pulled_once),
        cmocka_unit_test(a_cloud_without_an_end),
        cmocka_unit_test(nothing_is_told_twice),
        cmocka_unit_test(the_position_moves_when_all_before_was_dealt_with),
        cmocka_unit_test(the_next_process_goes_on_there),
        cmocka_unit_test(batches_outlive_the_session),
        cmocka_unit_test(a_push_is_only_a_notice),
        cmocka_unit_test(messages_come_in_pushes_where_navigation_says_so),
        cmocka_unit_test(what_another_device_sends),
        cmocka_unit_test(settings_that_change_elsewhere),
        cmocka_unit_test(starts_and_stops),
        cmocka_unit_test(it_takes_the_connection_of_a_verb),
        cmocka_unit_test(a_handler_stops_it),
    };

    return cmocka_run_group_tests_name("live", tests, NULL, NULL);
}

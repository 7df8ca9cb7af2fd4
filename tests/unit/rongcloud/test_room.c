/* Chat rooms: what is said in one is pulled when the cloud says that there is something, from
 * entering on until leaving; and what a session has sent itself is no news to it. */
#include "cloud.h"

#include "provider/rongcloud/send_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

int test_room(void);

#define LONG_MS 300000
#define JOINED  INT64_C(4000000001000)
#define PULLS   16

struct hall {
    struct cloud cloud;
    struct cloud_text texts[8]; /* in the room */
    size_t texts_n;
    int64_t pulls[PULLS]; /* from where on it was asked */
    size_t pulls_n;
    struct cloud_text box[2]; /* in the outbox */
    size_t box_n;
    size_t want;
};

static struct hall *hall_of(struct cloud *cloud)
{
    return (struct hall *)cloud;
}

static bool is_topic(const struct mt_rong_frame *frame, const char *topic)
{
    return frame->topic.len == strlen(topic) &&
           memcmp(frame->topic.s, topic, frame->topic.len) == 0;
}

/* What is newer than what the session has. */
static void give_room(struct hall *hall, struct mt_ws_peer *peer, const struct mt_rong_frame *frame)
{
    Rongcloud__ChrmPullMsg *in =
        rongcloud__chrm_pull_msg__unpack(NULL, frame->payload_len, frame->payload);
    Rongcloud__ChrmDownStreamMessages out = RONGCLOUD__CHRM_DOWN_STREAM_MESSAGES__INIT;
    ProtobufCBinaryData list[8];
    uint8_t bytes[8][256], packed[2048];

    assert_non_null(in);
    assert_true(hall->pulls_n < PULLS);
    hall->pulls[hall->pulls_n++] = in->synctime;
    out.synctime = in->synctime;
    out.list = list;
    for (size_t i = 0; i < hall->texts_n; i++) {
        if (hall->texts[i].time_ms <= in->synctime)
            continue;
        list[out.n_list].data = bytes[i];
        list[out.n_list++].len = cloud_text_pack(&hall->texts[i], bytes[i], sizeof bytes[i]);
        out.synctime = hall->texts[i].time_ms;
    }
    rongcloud__chrm_pull_msg__free_unpacked(in, NULL);
    cloud_queryack(&hall->cloud, peer, frame->id, 0, packed,
                   rongcloud__chrm_down_stream_messages__pack(&out, packed));
}

static bool answer(struct cloud *cloud, struct mt_ws_peer *peer, const struct mt_rong_frame *frame)
{
    struct hall *hall = hall_of(cloud);
    Rongcloud__ChrmOutput joined = RONGCLOUD__CHRM_OUTPUT__INIT;
    uint8_t bytes[64];

    if (is_topic(frame, "chrmPull")) {
        give_room(hall, peer, frame);
        return true;
    }
    if (is_topic(frame, "joinChrm")) {
        joined.has_jointime = true;
        joined.jointime = JOINED;
        cloud_queryack(cloud, peer, frame->id, 0, bytes,
                       rongcloud__chrm_output__pack(&joined, bytes));
        return true;
    }
    if (is_topic(frame, "pullMsg") && hall->box_n > 0) {
        cloud_pulled(cloud, peer, frame->id, hall->box, hall->box_n, JOINED + 500, true);
        return true;
    }
    return false;
}

static void done(void *ud, enum mt_rc rc, const struct mt_sent *sent, const struct mt_fault *fault)
{
    struct cloud *cloud = ud;

    (void)sent;
    (void)fault;
    cloud->waiting--;
    cloud->rc = rc;
}

static bool is_idle(struct cloud *cloud)
{
    return cloud->waiting == 0;
}

static bool heard_all(struct cloud *cloud)
{
    return cloud_count(cloud, MT_EVENT_MESSAGE) >= hall_of(cloud)->want;
}

static bool has_asked(struct cloud *cloud)
{
    return hall_of(cloud)->pulls_n >= hall_of(cloud)->want;
}

static void move(struct hall *hall, enum mt_reference_type type)
{
    struct mt_reference r = {.type = type,
                             .conversation = {.kind = MT_CONVERSATION_ROOM, .target = "hall"}};

    hall->cloud.waiting++;
    assert_int_equal(mt_rong_refer(hall->cloud.account, &r, done, hall, NULL), MT_OK);
    cloud_run(&hall->cloud, is_idle, LONG_MS);
    assert_int_equal(hall->cloud.rc, MT_OK);
}

static void say(struct hall *hall, const char *id, int64_t time_ms)
{
    Rongcloud__NotifyMsg notice = RONGCLOUD__NOTIFY_MSG__INIT;
    static char room[] = "hall";
    uint8_t bytes[64];

    hall->texts[hall->texts_n++] = (struct cloud_text){.id = id, .text = id, .time_ms = time_ms};
    notice.type = 2;
    notice.has_time = true;
    notice.time = time_ms;
    notice.chrmid = room;
    cloud_push(&hall->cloud, hall->cloud.peer, "s_ntf", bytes,
               rongcloud__notify_msg__pack(&notice, bytes));
}

static void a_room_is_heard_while_one_is_in_it(void **state)
{
    struct hall hall = {.want = 2};

    (void)state;
    cloud_begin(&hall.cloud, NULL);
    hall.cloud.answer = answer;
    cloud_live(&hall.cloud);
    hall.texts[hall.texts_n++] = (struct cloud_text){"R0", "before", JOINED - 5, false};
    move(&hall, MT_REFER_JOIN);
    say(&hall, "R1", JOINED); /* in the same millisecond */
    say(&hall, "R2", JOINED + 7);
    cloud_run(&hall.cloud, heard_all, LONG_MS);
    assert_int_equal(hall.pulls[0], JOINED - 1);
    assert_string_equal(cloud_last(&hall.cloud, MT_EVENT_MESSAGE)->id, "R2");
    assert_string_equal(cloud_last(&hall.cloud, MT_EVENT_MESSAGE)->conversation, "room:hall");
    assert_int_equal(cloud_count(&hall.cloud, MT_EVENT_MESSAGE), 2);
    hall.want = hall.pulls_n + 1;
    move(&hall, MT_REFER_JOIN); /* once more: nothing is told twice */
    cloud_run(&hall.cloud, has_asked, LONG_MS);
    assert_int_equal(hall.pulls[hall.pulls_n - 1], JOINED + 7);
    move(&hall, MT_REFER_LEAVE);
    size_t n = hall.pulls_n;
    say(&hall, "R3", JOINED + 9);
    cloud_run(&hall.cloud, NULL, 5000);
    assert_int_equal(hall.pulls_n, n);
    assert_int_equal(cloud_count(&hall.cloud, MT_EVENT_MESSAGE), 2);
    cloud_end(&hall.cloud);
}

static void what_was_sent_here_is_no_news(void **state)
{
    struct hall hall = {.want = 1};
    struct mt_outgoing m = {
        .to = {.kind = MT_CONVERSATION_SINGLE, .target = "bob"}, .text = "hello", .text_len = 5};

    (void)state;
    cloud_begin(&hall.cloud, NULL);
    hall.cloud.answer = answer;
    cloud_live(&hall.cloud);
    hall.cloud.waiting++;
    assert_int_equal(mt_rong_send(hall.cloud.account, &m, done, &hall, NULL), MT_OK);
    cloud_run(&hall.cloud, is_idle, LONG_MS);
    /* the id that this cloud gave it, and one that another device has sent */
    hall.box[0] = (struct cloud_text){"AAAA-BBBB-CCCC-DDDD", "hello", JOINED + 20, true};
    hall.box[1] = (struct cloud_text){"OTHER", "elsewhere", JOINED + 21, true};
    hall.box_n = 2;
    cloud_notify(&hall.cloud, hall.cloud.peer, "s_ntf", 1, JOINED + 21);
    cloud_run(&hall.cloud, heard_all, LONG_MS);
    assert_int_equal(cloud_count(&hall.cloud, MT_EVENT_MESSAGE), 1);
    assert_string_equal(cloud_last(&hall.cloud, MT_EVENT_MESSAGE)->text, "elsewhere");
    cloud_end(&hall.cloud);
}

int test_room(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_room_is_heard_while_one_is_in_it),
        cmocka_unit_test(what_was_sent_here_is_no_news),
    };

    return cmocka_run_group_tests_name("rongcloud/room", tests, NULL, NULL);
}

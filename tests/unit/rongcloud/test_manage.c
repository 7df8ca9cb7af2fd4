/* What deleting, pins and notifications send, byte for byte as the SDK does
 * (rongcloud-vectors.jsonl), and that a removal whose answer is lost is told, and never asked for
 * again by itself. */
#include "cloud.h"

#include "provider/rongcloud/manage_int.h"
#include "provider/rongcloud/model_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

int test_manage(void);

#define LONG_MS 300000

struct desk {
    struct cloud cloud; /* first */
    const char *topic;  /* whose requests are looked at */
    size_t asked_n;
    bool cut; /* the connection ends instead of an answer: always, or */
    bool cut_once;
    char hex[2048]; /* of the latest payload */
};

static bool take(struct cloud *cloud, struct mt_ws_peer *peer, const struct mt_rong_frame *frame)
{
    struct desk *desk = (struct desk *)cloud;

    if (frame->topic.len != strlen(desk->topic) ||
        memcmp(frame->topic.s, desk->topic, frame->topic.len) != 0)
        return false;
    desk->asked_n++;
    assert_true(frame->payload_len * 2 < sizeof desk->hex);
    desk->hex[0] = '\0';
    for (size_t i = 0; i < frame->payload_len; i++)
        snprintf(desk->hex + 2 * i, 3, "%02x", frame->payload[i]);
    if (desk->cut) {
        desk->cut = !desk->cut_once;
        mt_ws_peer_cut(peer);
    } else {
        cloud_queryack(cloud, peer, frame->id, 0, NULL, 0);
    }
    return true;
}

static void done(void *ud, enum mt_rc rc, const struct mt_fault *fault)
{
    struct cloud *cloud = ud;

    cloud->rc = rc;
    if (rc != MT_OK)
        cloud->fault = *fault;
    cloud->waiting--;
}

static bool ended(struct cloud *cloud)
{
    return cloud->waiting == 0;
}

#define DO(desk, of_topic, verb, ...)                                                              \
    do {                                                                                           \
        (desk)->topic = of_topic;                                                                  \
        (desk)->asked_n = 0;                                                                       \
        (desk)->cloud.waiting++;                                                                   \
        assert_int_equal(verb((desk)->cloud.account, __VA_ARGS__, done, &(desk)->cloud, NULL),     \
                         MT_OK);                                                                   \
        cloud_run(&(desk)->cloud, ended, LONG_MS);                                                 \
    } while (0)

static struct desk *begin(void)
{
    struct desk *desk = calloc(1, sizeof *desk);

    assert_non_null(desk);
    cloud_begin(&desk->cloud, NULL);
    desk->cloud.answer = take;
    return desk;
}

static void end(struct desk *desk)
{
    cloud_end(&desk->cloud);
    free(desk);
}

static void requests_are_the_sdks(void **state)
{
    const struct mt_conversation_ref alice = {.target = "alice"}, bob = {.target = "bob"};
    const struct mt_message_key keys[] = {
        {.id = "9VH3-PBXJ-5R00-0001", .time_ms = 1795201453824},
        {.id = "6RCX-I3O9-UF00-0002", .time_ms = 1795201454824, .sent = true},
    };
    struct desk *desk = begin();

    (void)state;
    DO(desk, "delMsg", mt_rong_delete_ids, &alice, keys, 2);
    assert_int_equal(desk->cloud.rc, MT_OK);
    assert_string_equal(desk->hex,
                        "08011205616c6963651a1e0a13395648332d5042584a2d355230302d303030311080"
                        "9ee1d29f3418021a1e0a13365243582d49334f392d554630302d3030303210e8a5e1"
                        "d29f341801");
    /* the time is one later: what is of it is spared, and the cloud deletes that, too */
    DO(desk, "cleanPMsg", mt_rong_delete_before, &alice, 1795201456825);
    assert_string_equal(desk->hex, "0a05616c69636510b8b5e1d29f341801");
    DO(desk, "delRelationBatch", mt_rong_delete_conversation, &bob, false);
    assert_string_equal(desk->hex, "0a070a03626f6210011000");
    DO(desk, "delRelationBatch", mt_rong_delete_conversation, &bob, true);
    assert_string_equal(desk->hex, "0a070a03626f6210011001");
    DO(desk, "setSeAtt", mt_rong_pin, &alice, true); /* of settings of version 0 */
    assert_string_equal(desk->hex, "08001210"
                                   "08011205616c6963652205080212013118"
                                   "01");
    DO(desk, "setSeAtt", mt_rong_set_notification, &alice, MT_NOTIFY_NONE);
    assert_string_equal(desk->hex, "08001210"
                                   "08011205616c6963652205080112013518"
                                   "01");
    end(desk);
}

static void a_lost_removal_is_unknown(void **state)
{
    const struct mt_conversation_ref bob = {.target = "bob"};
    const struct mt_message_key key = {.id = "AAAA", .time_ms = 5};
    struct desk *desk = begin();

    (void)state;
    desk->cut = true;
    DO(desk, "delRelationBatch", mt_rong_delete_conversation, &bob, true);
    assert_string_equal(desk->cloud.fault.code, "delete.unknown");
    assert_int_equal(desk->asked_n, 1);
    /* what takes no more the second time is asked for again */
    desk->cut_once = true;
    DO(desk, "delMsg", mt_rong_delete_ids, &bob, &key, 1);
    assert_int_equal(desk->cloud.rc, MT_OK);
    assert_int_equal(desk->asked_n, 2);
    desk->cut = true;
    DO(desk, "cleanPMsg", mt_rong_delete_before, &bob, 1000);
    assert_int_equal(desk->cloud.rc, MT_OK);
    assert_int_equal(desk->asked_n, 2);
    end(desk);
}

/* ---------------------------------------------------------------- what a session hears */

static size_t counts_n; /* pages of them that were asked for */

/* Two pages: bob has five, the group none. */
static bool count(struct cloud *cloud, struct mt_ws_peer *peer, const struct mt_rong_frame *frame)
{
    Rongcloud__SessionsOutput out = RONGCLOUD__SESSIONS_OUTPUT__INIT;
    Rongcloud__SessionOutput session = RONGCLOUD__SESSION_OUTPUT__INIT;
    Rongcloud__SessionOutput *list[] = {&session};
    Rongcloud__UnreadInfo info = RONGCLOUD__UNREAD_INFO__INIT;
    char bob[] = "bob", group[] = "g", token[] = "second";
    uint8_t packed[256];

    if (frame->topic.len != 6 || memcmp(frame->topic.s, "pullSe", 6) != 0)
        return false;
    counts_n++;
    info.has_cnt = info.has_cutofftime = session.has_type = true;
    info.cutofftime = 1000;
    info.cnt = counts_n % 2 ? 5 : 0;
    session.type =
        counts_n % 2 ? RONGCLOUD__CHANNEL_TYPE__CT_PERSON : RONGCLOUD__CHANNEL_TYPE__CT_GROUP;
    session.targetid = counts_n % 2 ? bob : group;
    session.unread = &info;
    out.session = list;
    out.n_session = 1;
    out.pagetoken = counts_n % 2 ? token : NULL;
    assert_true(rongcloud__sessions_output__get_packed_size(&out) <= sizeof packed);
    cloud_queryack(cloud, peer, frame->id, 0, packed,
                   rongcloud__sessions_output__pack(&out, packed));
    return true;
}

static bool counted(struct cloud *cloud)
{
    (void)cloud;
    return counts_n >= 2;
}

static bool counted_again(struct cloud *cloud)
{
    (void)cloud;
    return counts_n >= 4;
}

static void the_clouds_counts_are_heard_of(void **state)
{
    const struct mt_conversation_ref bob = {.target = "bob"};
    const struct mt_conversation_ref group = {.kind = MT_CONVERSATION_GROUP, .target = "g"};
    struct desk *desk = begin();
    struct cloud *cloud = &desk->cloud;
    struct mt_rong_model *model = NULL;

    (void)state;
    counts_n = 0;
    cloud->flags = "\"serverSaveUnread\":1";
    cloud->answer = count;
    model = mt_rong_model_of(cloud->account);
    assert_non_null(model);
    model->primed = true; /* as if the list had been asked for */
    cloud_live(cloud);
    cloud_run(cloud, counted, LONG_MS);
    cloud_run(cloud, NULL, 2000);
    assert_int_equal(mt_rong_model_find(model, &bob)->unread, 5);
    mt_rong_model_find(model, &bob)->unread = 77;
    mt_rong_model_find(model, &group)->unread = 77;
    cloud_notify(cloud, cloud->peer, "s_cmd", 13, 2000);
    cloud_run(cloud, counted_again, LONG_MS);
    cloud_run(cloud, NULL, 2000);
    assert_int_equal(mt_rong_model_find(model, &bob)->unread, 5);
    assert_int_equal(mt_rong_model_find(model, &group)->unread, 0);
    end(desk);
}

/* What comes while the counts are made anew is in both, and in neither twice. */
static void both_models_hear(void **state)
{
    const struct mt_conversation_ref bob = {.target = "bob"};
    uint8_t raw[512];
    struct cloud_text text = {.id = "A", .text = "x", .time_ms = 7};
    struct mt_message m = {.id = "A", .from = "bob", .time_ms = 7, .conversation = bob, .raw = raw};
    struct desk *desk = begin();
    struct mt_provider_account *account = desk->cloud.account;

    (void)state;
    m.raw_len = cloud_text_pack(&text, raw, sizeof raw);
    account->priming = mt_rong_model_new("alice");
    mt_rong_model_take(account, &m);
    mt_rong_model_take(account, &m);
    assert_int_equal(mt_rong_model_find(account->model, &bob)->unread, 1);
    assert_int_equal(mt_rong_model_find(account->priming, &bob)->unread, 1);
    mt_rong_model_take_read(account, &bob, 9);
    assert_int_equal(mt_rong_model_find(account->model, &bob)->unread, 0);
    assert_int_equal(mt_rong_model_find(account->priming, &bob)->unread, 0);
    end(desk);
}

int test_manage(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_the_sdks),
        cmocka_unit_test(a_lost_removal_is_unknown),
        cmocka_unit_test(the_clouds_counts_are_heard_of),
        cmocka_unit_test(both_models_hear),
    };

    return cmocka_run_group_tests_name("rongcloud manage", tests, NULL, NULL);
}

/* What a session hears, as events. */
#include "ground.h"

#include "provider/rongcloud/event_int.h"

int test_event(void);

static void assert_event(const struct mt_event *e, enum mt_event_type type, const char *ref)
{
    char id[MT_CONVERSATION_ID_MAX];

    assert_int_equal(e->type, type);
    assert_true(e->has_conversation);
    mt_conversation_ref_format(&e->conversation, id);
    assert_string_equal(id, ref);
}

static struct mt_rong_events heard(struct ground *g, const char *name, const char *content,
                                   bool mine)
{
    Rongcloud__DownStreamMessage pb = down(name, content);
    struct mt_rong_events events;
    struct mt_message m;

    pb.has_direction = true;
    pb.direction = mine ? 1 : 2;
    m = decoded(g, &pb);
    mt_rong_events_init(&events, "me", g->arena);
    assert_int_equal(mt_rong_events_message(&events, &m), MT_OK);
    return events;
}

static void messages(void **state)
{
    static const struct {
        const char *name, *content;
        bool mine;
        int n; /* events */
        enum mt_event_type type;
        const char *target, *data;
    } cases[] = {
        {"RC:TxtMsg", "{\"content\":\"x\"}", false, 1, MT_EVENT_MESSAGE, NULL, NULL},
        {"RC:TxtMsg", "{\"content\":\"x\"}", true, 1, MT_EVENT_MESSAGE, NULL, NULL},
        {"RC:RcCmd", "{\"messageUId\":\"U0\"}", false, 1, MT_EVENT_RECALLED, "U0", NULL},
        {"RC:ReadNtf", "{\"messageUId\":\"U0\"}", false, 1, MT_EVENT_READ, "U0", NULL},
        {"RC:ReadNtf", "{\"lastMessageSendTime\":5}", false, 1, MT_EVENT_CONVERSATION_READ, NULL,
         NULL},
        {"RC:ReadNtf", "{\"messageUId\":\"U0\"}", true, 1, MT_EVENT_CONVERSATION_READ, NULL, NULL},
        {"RC:SRSMsg", "{\"lastMessageSendTime\":5}", true, 1, MT_EVENT_CONVERSATION_READ, NULL,
         NULL},
        {"RC:SRSMsg", "{\"lastMessageSendTime\":5}", false, 0, MT_EVENT_TYPES_N, NULL, NULL},
        {"RC:RRRspMsg", "{\"receiptMessageDic\":{\"me\":[\"U7\",\"U8\"],\"bob\":[\"U9\"]}}", false,
         2, MT_EVENT_READ, "U7", NULL},
        {"RC:RRRspMsg", "{\"receiptMessageDic\":{\"bob\":[\"U9\"]}}", false, 0, MT_EVENT_TYPES_N,
         NULL, NULL},
        {"RC:RSMsg", "{\"tmn\":3,\"rrn\":1,\"msgId\":\"U0\"}", false, 1, MT_EVENT_STATISTIC, NULL,
         "{\"id\":\"U0\",\"read\":1,\"total\":3}"},
        {"RC:RRReqMsg", "{\"messageUId\":\"U0\"}", false, 1, MT_EVENT_NOTICE, NULL,
         "{\"type\":\"read_request\",\"from\":\"alice\",\"id\":\"U0\",\"time\":1000}"},
        {"RC:TypSts", "{\"typingContentType\":\"RC:TxtMsg\"}", false, 1, MT_EVENT_NOTICE, NULL,
         "{\"type\":\"typing\",\"from\":\"alice\",\"content_type\":\"RC:TxtMsg\",\"time\":1000}"},
        {"RC:TypSts", "{}", true, 0, MT_EVENT_TYPES_N, NULL, NULL},
        {"RC:MsgExMsg", "{\"mid\":\"U0\",\"put\":{\"a\":\"b\"}}", false, 1, MT_EVENT_NOTICE, NULL,
         "{\"type\":\"expansion\",\"from\":\"alice\",\"id\":\"U0\",\"put\":{\"a\":\"b\"},"
         "\"time\":1000}"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct mt_rong_events events =
            heard(*state, cases[i].name, cases[i].content, cases[i].mine);

        assert_int_equal(events.n, cases[i].n);
        if (events.n == 0)
            continue;
        assert_event(&events.items[0], cases[i].type, "single:alice");
        if (cases[i].target != NULL)
            assert_string_equal(events.items[0].message.target_id, cases[i].target);
        if (cases[i].data != NULL)
            assert_string_equal(json_of(&events.items[0].data), cases[i].data);
    }
}

static void settings(void **state)
{
    struct ground *g = *state;
    struct mt_rong_state list[] = {
        {.type = 3, .time_ms = 5, .has_top = true, .top = true},
        {.type = 1, .time_ms = 6, .has_level = true, .level = 5},
        {.type = 1, .time_ms = 7, .has_level = true, .level = 1},
    };
    struct mt_rong_states_out states = {.items = list, .n = 3};
    struct mt_rong_events events;

    assert_true(mt_rong_ref_set(&list[0].ref, 3, "g1", NULL));
    assert_true(mt_rong_ref_set(&list[1].ref, 1, "bob", NULL));
    mt_rong_events_init(&events, "me", g->arena);
    assert_int_equal(mt_rong_events_states(&events, &states), MT_OK);
    assert_int_equal(events.n, 3);
    assert_event(&events.items[0], MT_EVENT_CONVERSATION, "group:g1");
    assert_string_equal(json_of(&events.items[0].data), "{\"change\":\"pinned\",\"time\":5}");
    assert_event(&events.items[1], MT_EVENT_CONVERSATION, "single:bob");
    assert_false(events.items[2].has_conversation);
    assert_string_equal(json_of(&events.items[2].data),
                        "{\"change\":\"level\",\"level\":1,\"kind\":\"single\",\"time\":7}");
}

static void read_elsewhere(void **state)
{
    struct ground *g = *state;
    size_t len = 0;
    uint8_t *bytes = from_hex("080110f0a2bdd49f341a05616c6963652200", &len); /* of the vectors */
    struct mt_rong_events events;

    mt_rong_events_init(&events, "me", g->arena);
    assert_int_equal(mt_rong_events_read_time(&events, bytes, len), MT_OK);
    assert_int_equal(events.n, 1);
    assert_event(&events.items[0], MT_EVENT_CONVERSATION_READ, "single:alice");
    assert_string_equal(events.items[0].message.from, "me");
    assert_int_equal(events.items[0].message.time_ms, 1795205058928);
    assert_int_equal(mt_rong_events_read_time(&events, bytes, 3), MT_ERR_PROTOCOL);
    mt_mem_free(bytes);
}

static void receipts_of_the_fifth_version(void **state)
{
    struct ground *g = *state;
    Rongcloud__EventChangeList list = RONGCLOUD__EVENT_CHANGE_LIST__INIT;
    Rongcloud__EventChange change = RONGCLOUD__EVENT_CHANGE__INIT, *changes[] = {&change};
    Rongcloud__MsgReadEvent read = RONGCLOUD__MSG_READ_EVENT__INIT;
    Rongcloud__ReceiptUser bob = RONGCLOUD__RECEIPT_USER__INIT, *users[] = {&bob};
    struct mt_rong_changes_out out;
    struct mt_rong_events events;
    uint8_t data[128], bytes[256];

    bob.userid = (char *)(uintptr_t) "bob";
    bob.has_receipttime = true;
    bob.receipttime = 9;
    read.msgid = (char *)(uintptr_t) "U1";
    read.has_readcnt = read.has_totalcnt = true;
    read.readcnt = 1;
    read.totalcnt = 2;
    read.readlist = users;
    read.n_readlist = 1;
    change.has_channeltype = true;
    change.channeltype = RONGCLOUD__CHANNEL_TYPE__CT_GROUP;
    change.businessid = (char *)(uintptr_t) "g1";
    change.has_changetype = true;
    change.changetype = 36;
    change.has_eventdata = true;
    change.eventdata.data = data;
    change.eventdata.len = rongcloud__msg_read_event__pack(&read, data);
    list.list = changes;
    list.n_list = 1;
    list.synctime = 77;
    list.has_hasnext = list.hasnext = true;
    mt_rong_events_init(&events, "me", g->arena);
    assert_int_equal(mt_rong_events_changes(&events, bytes,
                                            rongcloud__event_change_list__pack(&list, bytes), &out,
                                            NULL),
                     MT_OK);
    assert_int_equal(out.sync_ms, 77);
    assert_true(out.more);
    assert_int_equal(events.n, 2);
    assert_event(&events.items[0], MT_EVENT_READ, "group:g1");
    assert_string_equal(events.items[0].message.from, "bob");
    assert_string_equal(events.items[0].message.target_id, "U1");
    assert_event(&events.items[1], MT_EVENT_STATISTIC, "group:g1");
    assert_string_equal(json_of(&events.items[1].data), "{\"id\":\"U1\",\"read\":1,\"total\":2}");
    change.changetype = 12; /* of something that this version does not know */
    mt_rong_events_init(&events, "me", g->arena);
    assert_int_equal(mt_rong_events_changes(&events, bytes,
                                            rongcloud__event_change_list__pack(&list, bytes), &out,
                                            NULL),
                     MT_OK);
    assert_int_equal(events.n, 1);
    assert_int_equal(events.items[0].type, MT_EVENT_NOTICE);
}

static void changes_of_ultra_groups(void **state)
{
    struct ground *g = *state;
    Rongcloud__MsgChangeList list = RONGCLOUD__MSG_CHANGE_LIST__INIT;
    Rongcloud__MsgChange change = RONGCLOUD__MSG_CHANGE__INIT, *changes[] = {&change};
    struct mt_rong_changes_out out;
    struct mt_rong_events events;
    uint8_t bytes[256];

    change.targetid = (char *)(uintptr_t) "u1";
    change.buschannel = (char *)(uintptr_t) "c1";
    change.type = RONGCLOUD__CHANNEL_TYPE__CT_ULTRAGROUP;
    change.msguid = (char *)(uintptr_t) "U1";
    change.operatorid = (char *)(uintptr_t) "bob";
    change.changetype = 3;
    list.list = changes;
    list.n_list = 1;
    mt_rong_events_init(&events, "me", g->arena);
    assert_int_equal(mt_rong_events_ultra_changes(&events, bytes,
                                                  rongcloud__msg_change_list__pack(&list, bytes),
                                                  &out, NULL),
                     MT_OK);
    assert_int_equal(events.n, 1);
    assert_event(&events.items[0], MT_EVENT_RECALLED, "ultra:u1/c1");
    assert_string_equal(events.items[0].message.target_id, "U1");
    assert_string_equal(events.items[0].message.from, "bob");
    change.changetype = 1;
    assert_int_equal(mt_rong_events_ultra_changes(&events, bytes,
                                                  rongcloud__msg_change_list__pack(&list, bytes),
                                                  &out, NULL),
                     MT_OK);
    assert_event(&events.items[1], MT_EVENT_NOTICE, "ultra:u1/c1");
}

int test_event(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(messages, ground_new, ground_free),
        cmocka_unit_test_setup_teardown(settings, ground_new, ground_free),
        cmocka_unit_test_setup_teardown(read_elsewhere, ground_new, ground_free),
        cmocka_unit_test_setup_teardown(receipts_of_the_fifth_version, ground_new, ground_free),
        cmocka_unit_test_setup_teardown(changes_of_ultra_groups, ground_new, ground_free),
    };

    return cmocka_run_group_tests_name("rongcloud/event", tests, NULL, NULL);
}

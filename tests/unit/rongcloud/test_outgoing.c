/* What goes out: topics, flags and refusals; references as each kind of receipts and of unread
 * counts wants them. The bytes themselves are compared with the SDK's in test_golden.c. */
#include "ground.h"

#include "provider/rongcloud/outgoing_int.h"

int test_outgoing(void);

static struct mt_conversation_ref ref_of(const char *text)
{
    struct mt_conversation_ref ref;

    assert_int_equal(mt_conversation_ref_parse(text, &ref, NULL), MT_OK);
    return ref;
}

struct going {
    const char *to, *topic, *target;
    bool online_only, silent;
    const char *channel, *system;
};

static void topics(void **state)
{
    static const struct going cases[] = {
        {"single:bob", "ppMsgP", "bob", false, false, NULL, NULL},
        {"group:g1", "pgMsgP", "g1", false, false, NULL, NULL},
        {"room:r1", "chatMsg", "r1", false, false, NULL, NULL},
        {"ultra:u1/c1", "ugMsg", "u1", false, false, "c1", NULL},
        {"ultra:u1/RCDefault", "ugMsg", "u1", false, false, "", NULL},
        {"system:customer/desk", "pcMsgP", "desk", false, false, NULL, NULL},
        {"single:bob", "ppMsgS", "bob", true, true, NULL, NULL},
        {"group:g1", "pgMsgS", "g1", true, true, NULL, NULL},
        {"room:r1", "chatMsgS", "r1", true, true, NULL, NULL},
    };
    struct mt_rong_navi navi = {.receipts = 0};
    struct mt_rong_sender sender = {.user = "me", .navi = &navi, .now_ms = 5, .unique = 7};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct mt_outgoing m = {.to = ref_of(cases[i].to),
                                .text = "x",
                                .text_len = 1,
                                .online_only = cases[i].online_only};
        struct mt_rong_packet packet;
        Rongcloud__UpStreamMessage *up = NULL;

        assert_int_equal(mt_rong_outgoing_pack(&sender, &m, &packet, NULL), MT_OK);
        assert_true(packet.request.publish);
        assert_int_equal(packet.request.silent, cases[i].silent);
        assert_string_equal(packet.request.topic, cases[i].topic);
        assert_string_equal(packet.request.target, cases[i].target);
        up = rongcloud__up_stream_message__unpack(NULL, packet.request.len, packet.request.payload);
        assert_non_null(up);
        assert_int_equal(up->sessionid, cases[i].online_only ? 0 : 3);
        if (cases[i].channel == NULL)
            assert_null(up->buschannel);
        else
            assert_string_equal(up->buschannel, cases[i].channel);
        rongcloud__up_stream_message__free_unpacked(up, NULL);
        mt_rong_packet_deinit(&packet);
    }
}

static int32_t session(struct ground *g, enum mt_message_kind kind, const char *body)
{
    struct mt_rong_navi navi = {.receipts = 0};
    struct mt_rong_sender sender = {.user = "me", .navi = &navi};
    struct mt_outgoing m = {.to = ref_of("group:g1"),
                            .kind = kind,
                            .text = "x",
                            .text_len = 1,
                            .body = value_of(g, body)};
    struct mt_rong_packet packet;
    Rongcloud__UpStreamMessage *up = NULL;
    int32_t flags = 0;

    assert_int_equal(mt_rong_outgoing_pack(&sender, &m, &packet, NULL), MT_OK);
    up = rongcloud__up_stream_message__unpack(NULL, packet.request.len, packet.request.payload);
    assert_non_null(up);
    flags = up->sessionid;
    assert_int_equal(up->configflag, 2);
    assert_true(up->has_optionbits);
    rongcloud__up_stream_message__free_unpacked(up, NULL);
    mt_rong_packet_deinit(&packet);
    return flags;
}

static void flags(void **state)
{
    struct ground *g = *state;

    assert_int_equal(session(g, MT_MESSAGE_TEXT, "{}"), 3);
    assert_int_equal(session(g, MT_MESSAGE_TEXT, "{\"mentions\":{\"all\":true}}"), 7);
    assert_int_equal(session(g, MT_MESSAGE_TEXT, "{\"expansion\":{}}"), 67);
    assert_int_equal(session(g, MT_MESSAGE_TEXT, "{\"silent\":true}"), 35);
    assert_int_equal(session(g, MT_MESSAGE_COMMAND, "{\"action\":\"a\"}"), 0);
    assert_int_equal(session(g, MT_MESSAGE_CUSTOM, "{\"event\":\"a\"}"), 3);
    assert_int_equal(session(g, MT_MESSAGE_CUSTOM, "{\"event\":\"a\",\"counted\":false}"), 1);
    assert_int_equal(session(g, MT_MESSAGE_CUSTOM, "{\"event\":\"a\",\"persisted\":false}"), 2);
    assert_int_equal(session(g, MT_MESSAGE_CUSTOM, "{\"event\":\"RC:InfoNtf\"}"), 1);
}

static void what_cannot_be_sent(void **state)
{
    const char *some[] = {"bob", NULL};
    const char *many[302];
    struct ground *g = *state;
    struct mt_rong_navi navi = {.receipts = 0};
    struct mt_rong_sender sender = {.user = "me", .navi = &navi};
    struct {
        struct mt_outgoing m;
        enum mt_rc rc;
        const char *code;
    } cases[] = {
        {{.to = ref_of("system:sys")}, MT_ERR_UNSUPPORTED, "conversation.kind"},
        {{.to = ref_of("system:app/x")}, MT_ERR_UNSUPPORTED, "conversation.kind"},
        {{.to = ref_of("ultra:u/c"), .online_only = true}, MT_ERR_UNSUPPORTED, "send.online_only"},
        {{.to = ref_of("bob"), .device = "phone"}, MT_ERR_UNSUPPORTED, "send.device"},
        {{.to = ref_of("bob"), .only = some}, MT_ERR_INVALID, "send.only"},
        {{.to = ref_of("group:g"), .only = many}, MT_ERR_LIMIT, "send.too_many_receivers"},
        {{.to = ref_of("group:g"), .body = value_of(g, "{\"expansion\":{\"a\":1}}")},
         MT_ERR_INVALID,
         "send.field"},
    };

    for (size_t i = 0; i < 301; i++)
        many[i] = "u";
    many[301] = NULL;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct mt_rong_packet packet;
        struct mt_fault fault;

        cases[i].m.text = "x";
        cases[i].m.text_len = 1;
        assert_int_equal(mt_rong_outgoing_pack(&sender, &cases[i].m, &packet, &fault), cases[i].rc);
        assert_string_equal(fault.code, cases[i].code);
        mt_rong_packet_deinit(&packet);
    }
}

static void packed(const struct mt_rong_navi *navi, const struct mt_reference *r,
                   struct mt_rong_packet *packet)
{
    struct mt_rong_sender sender = {.user = "me", .navi = navi, .now_ms = 99, .unique = 7};

    assert_int_equal(mt_rong_reference_pack(&sender, r, packet, NULL), MT_OK);
}

static void receipts_of_each_version(void **state)
{
    static const struct {
        const char *conversation;
        int version;
        const char *topic, *target;
        bool publish;
    } cases[] = {
        {"single:bob", 0, "ppMsgP", "bob", true},
        {"single:bob", 1, "ppMsgP", "bob", true},
        {"single:bob", 3, "sendMsgRead", "bob", true},
        {"single:bob", 4, "readReceipt", "U1", false},
        {"group:g1", 0, "pgMsgP", "g1", true},
        {"group:g1", 1, "rrMsg", "g1", false},
        {"group:g1", 3, "sendMsgRead", "g1", true},
        {"group:g1", 4, "readReceipt", "U1", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct mt_rong_navi navi = {.receipts = cases[i].version};
        struct mt_reference r = {.type = MT_REFER_READ,
                                 .conversation = ref_of(cases[i].conversation),
                                 .message = {.id = "U1", .time_ms = 5, .from = "bob"}};
        struct mt_rong_packet packet;

        packed(&navi, &r, &packet);
        assert_string_equal(packet.request.topic, cases[i].topic);
        assert_string_equal(packet.request.target, cases[i].target);
        assert_int_equal(packet.request.publish, cases[i].publish);
        assert_false(packet.request.reads);
        mt_rong_packet_deinit(&packet);
    }
}

static void same_bytes(const struct mt_rong_packet *packet, const char *hex)
{
    size_t len = 0;
    uint8_t *want = from_hex(hex, &len);

    assert_int_equal(packet->request.len, len);
    assert_memory_equal(packet->request.payload, want, len);
    mt_mem_free(want);
}

/* As rongcloud-vectors.jsonl has them. */
static void queries_as_the_sdk_sends_them(void **state)
{
    struct mt_rong_navi navi = {.receipts = 1};
    struct mt_reference r = {.type = MT_REFER_READ,
                             .conversation = ref_of("group:grp1"),
                             .message = {.id = "CNY9-KV6H-S300-0552", .time_ms = 5}};
    struct mt_rong_packet packet;

    (void)state;
    packed(&navi, &r, &packet);
    same_bytes(&packet, "0a13434e59392d4b5636482d533330302d30353532");
    mt_rong_packet_deinit(&packet);
    navi.receipts = 4;
    r.message.id = "IJKL-MNOP-QR00-0670";
    packed(&navi, &r, &packet);
    same_bytes(&packet, "0a0467727031100320002a13494a4b4c2d4d4e4f502d515230302d30363730");
    mt_rong_packet_deinit(&packet);
}

static void read_conversations(void **state)
{
    static const struct {
        const char *conversation;
        bool driven, server;
        const char *topic, *target;
        bool qos0;
    } cases[] = {
        {"single:bob", false, false, "ppMsgP", "bob", false},
        {"group:g1", false, false, "pgMsgP", "g1", false},
        {"single:bob", true, false, "updRTime", NULL, true},
        {"single:bob", true, true, "ppMsgP", "bob", false},
        {"ultra:u1/c1", false, true, "updUgRTime", NULL, false},
        {"system:sys", false, false, "pbMsgP", NULL, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct mt_rong_navi navi = {.session_driven = cases[i].driven,
                                    .server_unread = cases[i].server};
        struct mt_reference r = {.type = MT_REFER_CONVERSATION,
                                 .conversation = ref_of(cases[i].conversation)};
        struct mt_rong_packet packet;

        packed(&navi, &r, &packet);
        assert_string_equal(packet.request.topic, cases[i].topic);
        if (cases[i].target == NULL)
            assert_null(packet.request.target);
        else
            assert_string_equal(packet.request.target, cases[i].target);
        assert_int_equal(packet.request.qos0, cases[i].qos0);
        mt_rong_packet_deinit(&packet);
    }
}

static void edits(void **state)
{
    struct mt_rong_navi navi = {.receipts = 0};
    struct mt_outgoing edit = {.text = "better", .text_len = 6};
    struct mt_reference r = {.type = MT_REFER_EDIT,
                             .conversation = ref_of("group:g1"),
                             .message = {.id = "U1"},
                             .edit = &edit};
    struct mt_rong_packet packet;
    Rongcloud__MsgChangeReq *m = NULL;

    (void)state;
    packed(&navi, &r, &packet);
    assert_string_equal(packet.request.topic, "modifyMsg");
    assert_false(packet.request.publish);
    m = rongcloud__msg_change_req__unpack(NULL, packet.request.len, packet.request.payload);
    assert_non_null(m);
    assert_string_equal(m->fromuserid, "");
    assert_string_equal(m->targetid, "g1");
    assert_int_equal(m->content.len, strlen("{\"content\":\"better\"}"));
    assert_memory_equal(m->content.data, "{\"content\":\"better\"}", m->content.len);
    rongcloud__msg_change_req__free_unpacked(m, NULL);
    mt_rong_packet_deinit(&packet);
}

static void references_that_say_too_little(void **state)
{
    struct mt_rong_navi navi = {.receipts = 0};
    struct mt_rong_sender sender = {.user = "me", .navi = &navi};
    const struct {
        struct mt_reference r;
        enum mt_rc rc;
        const char *code;
    } cases[] = {
        {{.type = MT_REFER_READ, .conversation = ref_of("bob")}, MT_ERR_INVALID, "message.id"},
        {{.type = MT_REFER_READ, .conversation = ref_of("bob"), .message = {.id = "U1"}},
         MT_ERR_INVALID,
         "read.time"},
        {{.type = MT_REFER_READ, .conversation = ref_of("group:g"), .message = {.id = "U1"}},
         MT_ERR_INVALID,
         "read.from"},
        {{.type = MT_REFER_RECALL, .conversation = ref_of("bob"), .message = {.id = "U1"}},
         MT_ERR_INVALID,
         "recall.time"},
        {{.type = MT_REFER_EDIT, .conversation = ref_of("bob"), .message = {.id = "U1"}},
         MT_ERR_INVALID,
         "message.id"},
        {{.type = MT_REFER_DELIVERED, .conversation = ref_of("bob"), .message = {.id = "U1"}},
         MT_ERR_UNSUPPORTED,
         "unsupported"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct mt_rong_packet packet;
        struct mt_fault fault;

        assert_int_equal(mt_rong_reference_pack(&sender, &cases[i].r, &packet, &fault),
                         cases[i].rc);
        assert_string_equal(fault.code, cases[i].code);
        mt_rong_packet_deinit(&packet);
    }
}

/* 2203945182691564 is what the SDK made at 4203691831 (mod 2^32), counter 0, 236. */
static void unique_ids(void **state)
{
    (void)state;
    assert_int_equal(mt_rong_unique_id(1795205054263, 0) >> 8, 2203945182691564 >> 8);
    assert_int_equal((mt_rong_unique_id(5, 3) >> 8) & 0x7FF, 3);
    assert_int_equal((mt_rong_unique_id(5, 2049) >> 8) & 0x7FF, 1);
    assert_int_equal(mt_rong_unique_id(5, 3) >> 19, 5);
}

int test_outgoing(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(topics),
        cmocka_unit_test_setup_teardown(flags, ground_new, ground_free),
        cmocka_unit_test_setup_teardown(what_cannot_be_sent, ground_new, ground_free),
        cmocka_unit_test(receipts_of_each_version),
        cmocka_unit_test(queries_as_the_sdk_sends_them),
        cmocka_unit_test(read_conversations),
        cmocka_unit_test(edits),
        cmocka_unit_test(references_that_say_too_little),
        cmocka_unit_test(unique_ids),
    };

    return cmocka_run_group_tests_name("rongcloud/outgoing", tests, NULL, NULL);
}

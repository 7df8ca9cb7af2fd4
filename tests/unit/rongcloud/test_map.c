/* Who, when and where of a message, what the cloud says besides, and what is no message. */
#include "ground.h"

int test_map(void);

static char *s(const char *text)
{
    return (char *)(uintptr_t)text;
}

static void assert_ref(const struct mt_message *m, const char *want)
{
    char ref[MT_CONVERSATION_ID_MAX];

    mt_conversation_ref_format(&m->conversation, ref);
    assert_string_equal(ref, want);
}

static void people(void **state)
{
    const struct {
        int type, direction;
        const char *from, *group, *channel;
        const char *ref, *who, *to;
        bool sent;
    } cases[] = {
        {1, 2, "alice", NULL, NULL, "single:alice", "alice", "me", false},
        {1, 0, "alice", "", "", "single:alice", "alice", "me", false},
        {1, 1, "alice", NULL, NULL, "single:alice", "me", "alice", true},
        {1, 1, "me", "alice", NULL, "single:alice", "me", "alice", true}, /* older form */
        {3, 2, "bob", "g1", NULL, "group:g1", "bob", "g1", false},
        {3, 1, "me", "g1", NULL, "group:g1", "me", "g1", true},
        {4, 2, "bob", "r1", NULL, "room:r1", "bob", "r1", false},
        {10, 2, "bob", "u1", "c1", "ultra:u1/c1", "bob", "u1", false},
        {10, 2, "bob", "u1", "", "ultra:u1/RCDefault", "bob", "u1", false},
        {6, 2, "sys", NULL, NULL, "system:sys", "sys", "me", false},
        {5, 2, "desk", NULL, NULL, "system:customer/desk", "desk", "me", false},
        {7, 2, "app", NULL, NULL, "system:app/app", "app", "me", false},
        {8, 2, "pub", NULL, NULL, "system:public/pub", "pub", "me", false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Rongcloud__DownStreamMessage m = down("RC:TxtMsg", "{\"content\":\"x\"}");
        struct mt_message out;
        const char *target = NULL;

        m.fromuserid = s(cases[i].from);
        m.type = (Rongcloud__ChannelType)cases[i].type;
        m.groupid = s(cases[i].group);
        m.buschannel = s(cases[i].channel);
        m.has_direction = cases[i].direction != 0;
        m.direction = cases[i].direction;
        out = decoded(*state, &m);
        assert_ref(&out, cases[i].ref);
        assert_string_equal(out.from, cases[i].who);
        assert_string_equal(out.to, cases[i].to);
        assert_int_equal(out.sent, cases[i].sent);
        assert_string_equal(out.id, "U1");
        assert_int_equal(out.time_ms, 1000);
        assert_int_equal(mt_rong_ref_type(&out.conversation, &target), cases[i].type);
    }
}

static void the_conversation_asked_for_wins(void **state)
{
    struct ground *g = *state;
    struct mt_conversation_ref asked;
    Rongcloud__DownStreamMessage m = down("RC:TxtMsg", "{\"content\":\"x\"}");
    struct mt_message out;

    assert_true(mt_rong_ref_set(&asked, 1, "carol", NULL));
    g->decoder.conversation = &asked;
    m.has_direction = true;
    m.direction = 1;
    m.fromuserid = s("me");
    out = decoded(g, &m);
    assert_ref(&out, "single:carol");
    assert_string_equal(out.to, "carol");
}

static void ids_that_do_not_fit(void **state)
{
    char long_id[300];
    struct mt_conversation_ref ref;
    Rongcloud__DownStreamMessage m = down("RC:TxtMsg", "{\"content\":\"x\"}");
    struct mt_message out;

    memset(long_id, 'i', sizeof long_id);
    long_id[sizeof long_id - 1] = '\0';
    m.msgid = long_id;
    m.fromuserid = long_id;
    out = decoded(*state, &m);
    assert_string_equal(out.id, "");
    assert_string_equal(out.conversation.target, "");
    assert_string_equal(out.from, long_id);
    assert_false(mt_rong_ref_set(&ref, 10, "u", long_id));
    assert_false(mt_rong_ref_set(&ref, 1, "", NULL));
    assert_false(mt_rong_ref_set(&ref, 1, NULL, NULL));
}

static void what_the_cloud_says_besides(void **state)
{
    Rongcloud__DownStreamMessage m = down("RC:TxtMsg", "{\"content\":\"x\"}");
    Rongcloud__PushExtra push = RONGCLOUD__PUSH_EXTRA__INIT;
    Rongcloud__ExtMsgData seq = RONGCLOUD__EXT_MSG_DATA__INIT;
    Rongcloud__ReferenceData quote = RONGCLOUD__REFERENCE_DATA__INIT;
    char *only[] = {s("u1"), s("u2")};
    struct mt_message out;

    m.status = 16 | 32 | 512 | 1024 | 2;
    m.has_extracontent = true;
    m.extracontent.data = (uint8_t *)s("{\"k\":{\"v\":\"1\"},\"n\":7}");
    m.extracontent.len = strlen((char *)m.extracontent.data);
    m.has_extstatus = true;
    m.extstatus = 4;
    m.convertext = s("{\"modify\":{\"time\":1234}}");
    m.has_optionbits = true;
    m.optionbits = 1 | 2;
    m.pushcontent = s("push");
    push.title = s("title");
    m.pushext = &push;
    seq.has_seqid = true;
    seq.seqid = INT64_MAX;
    m.extmsgdata = &seq;
    m.touserids = only;
    m.n_touserids = 2;
    quote.msgid = s("U0");
    quote.fromuserid = s("bob");
    m.refdata = &quote;
    out = decoded(*state, &m);
    assert_string_equal(
        json_of(&out.extra),
        "{\"expansion\":{\"k\":\"1\",\"n\":7},\"edit\":{\"edit_time\":1234},\"retrieved\":true,"
        "\"silent\":true,\"no_update_last\":true,\"group_ack\":true,\"only\":[\"u1\",\"u2\"],"
        "\"push\":{\"text\":\"push\",\"title\":\"title\"},\"seq_id\":\"9223372036854775807\"}");
    assert_string_equal(json_of(&out.body), "{\"quote\":{\"id\":\"U0\",\"from\":\"bob\"}}");
}

static void besides_that_is_broken(void **state)
{
    Rongcloud__DownStreamMessage m = down("RC:TxtMsg", "{\"content\":\"x\"}");
    struct mt_message out;

    m.has_extracontent = true;
    m.extracontent.data = (uint8_t *)s("{broken");
    m.extracontent.len = 7;
    m.convertext = s("[]");
    m.has_extstatus = true;
    m.extstatus = 4;
    out = decoded(*state, &m);
    assert_string_equal(json_of(&out.extra), "{\"expansion\":\"{broken\",\"edit\":{}}");
}

static void recalls(void **state)
{
    struct ground *g = *state;
    const char *command = "{\"conversationType\":3,\"targetId\":\"g7\",\"messageUId\":\"U0\","
                          "\"sentTime\":5,\"channelId\":\"\",\"isAdmin\":true,\"extra\":\"why\"}";
    struct mt_message m = decoded_content(g, "RC:RcCmd", command);

    assert_int_equal(m.type, MT_TYPE_RECALL);
    assert_string_equal(m.target_id, "U0");
    assert_string_equal(m.id, "U1");
    assert_string_equal(m.kind_name, "recall");
    assert_ref(&m, "group:g7");
    assert_string_equal(json_of(&m.extra), "{\"recall_info\":\"why\"}");
    /* a peer names the conversation as he sees it: it is his */
    m = decoded_content(g, "RC:RcCmd",
                        "{\"conversationType\":1,\"targetId\":\"me\",\"messageUId\":\"U0\"}");
    assert_ref(&m, "single:alice");
    m = decoded_content(g, "RC:RcNtf",
                        "{\"operatorId\":\"bob\",\"recallTime\":5,\"recallActionTime\":9}");
    assert_int_equal(m.type, MT_TYPE_RECALL);
    assert_string_equal(m.target_id, "U1");
    assert_string_equal(m.id, "Cmd:U1");
    assert_string_equal(m.from, "bob");
    /* one that names nothing is kept, and recalls nothing */
    m = decoded_content(g, "RC:RcCmd", "{}");
    assert_int_equal(m.type, MT_TYPE_MESSAGE);
    assert_string_equal(m.kind_name, "RC:RcCmd");
    m = decoded_content(g, "RC:RcCmd", "no json");
    assert_int_equal(m.type, MT_TYPE_MESSAGE);
}

static void receipts(void **state)
{
    const struct {
        const char *name, *content, *kind, *target, *body;
    } cases[] = {
        {"RC:ReadNtf", "{\"messageUId\":\"U0\",\"lastMessageSendTime\":5,\"type\":1}", "read", "U0",
         "{\"until\":5,\"params\":{\"type\":1}}"},
        {"RC:SRSMsg", "{\"lastMessageSendTime\":5}", "conversation_read", NULL, "{\"until\":5}"},
        {"RC:RRReqMsg", "{\"messageUId\":\"U0\"}", "read_request", "U0", NULL},
        {"RC:RRRspMsg", "{\"receiptMessageDic\":{\"me\":[\"U0\"]}}", "read", NULL,
         "{\"read\":{\"me\":[\"U0\"]}}"},
        {"RC:RSMsg", "{\"tmn\":3,\"rrn\":1,\"msgId\":\"U0\"}", "read_state", "U0",
         "{\"total\":3,\"read\":1}"},
        {"RC:MsgExMsg", "{\"mid\":\"U0\",\"put\":{\"a\":\"b\"}}", "expansion", "U0",
         "{\"put\":{\"a\":\"b\"}}"},
        {"RC:TypSts", "{\"typingContentType\":\"RC:TxtMsg\"}", "typing", NULL,
         "{\"content_type\":\"RC:TxtMsg\"}"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct mt_message m = decoded_content(*state, cases[i].name, cases[i].content);

        assert_int_equal(m.type, MT_TYPE_RECEIPT);
        assert_string_equal(m.kind_name, cases[i].kind);
        if (cases[i].target != NULL)
            assert_string_equal(m.target_id, cases[i].target);
        else
            assert_null(m.target_id);
        if (cases[i].body != NULL)
            assert_string_equal(json_of(&m.body), cases[i].body);
    }
}

static void what_another_device_sent(void **state)
{
    struct ground *g = *state;
    Rongcloud__UpStreamMessage up = RONGCLOUD__UP_STREAM_MESSAGE__INIT;
    uint8_t bytes[256];
    size_t len = 0;
    const struct {
        const char *topic, *target, *name, *content, *ref;
    } cases[] = {
        {"ppMsgP", "bob", "RC:TxtMsg", "{\"content\":\"x\"}", "single:bob"},
        {"pgMsgS", "g1", "RC:TypSts", "{}", "group:g1"},
        {"ugMsg", "u1", "RC:TxtMsg", "{\"content\":\"x\"}", "ultra:u1/RCDefault"},
        {"recallMsg", "me", "RC:RcCmd",
         "{\"conversationType\":3,\"targetId\":\"g1\",\"messageUId\":\"U0\"}", "group:g1"},
        {"recallMsg", "me", "RC:RcCmd",
         "{\"conversationType\":1,\"targetId\":\"bob\",\"messageUId\":\"U0\"}", "single:bob"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const uint8_t *raw = NULL;
        size_t raw_len = 0;
        struct mt_message m;

        up.sessionid = 3;
        up.classname = s(cases[i].name);
        up.content.data = (uint8_t *)s(cases[i].content);
        up.content.len = strlen(cases[i].content);
        len = rongcloud__up_stream_message__get_packed_size(&up);
        assert_true(len <= sizeof bytes);
        (void)rongcloud__up_stream_message__pack(&up, bytes);
        assert_int_equal(mt_rong_echo_raw(&g->decoder, cases[i].topic, cases[i].target, bytes, len,
                                          "U5", 77, g->arena, &raw, &raw_len),
                         MT_OK);
        assert_int_equal(mt_rong_decode(&g->decoder, raw, raw_len, g->arena, &m), MT_OK);
        assert_ref(&m, cases[i].ref);
        assert_true(m.sent);
        assert_string_equal(m.from, "me");
        assert_string_equal(m.id, "U5");
        assert_int_equal(m.time_ms, 77);
    }
    assert_int_equal(mt_rong_echo_raw(&g->decoder, "ppMsgP", "bob", "\xff", 1, "U5", 1, g->arena,
                                      &(const uint8_t *){NULL}, &len),
                     MT_ERR_PROTOCOL);
}

static void hostile_ones_are_kept(void **state)
{
    struct ground *g = *state;
    struct mt_buf text;
    struct mt_message m;
    Rongcloud__DownStreamMessage pb;

    mt_buf_init(&text, (size_t)4 << 20);
    for (int i = 0; i < 200; i++)
        assert_int_equal(mt_buf_append_char(&text, '['), MT_OK);
    m = decoded_content(g, "RC:TxtMsg", text.data); /* too deep to be JSON */
    assert_int_equal(m.kind, MT_MESSAGE_OTHER);
    assert_int_equal(m.text_len, 200);
    mt_buf_reset(&text);
    assert_int_equal(mt_buf_append_char(&text, '{'), MT_OK);
    for (int i = 0; i < 600; i++)
        assert_int_equal(mt_buf_appendf(&text, "%s\"k%d\":1", i ? "," : "", i), MT_OK);
    assert_int_equal(mt_buf_append_char(&text, '}'), MT_OK);
    m = decoded_content(g, "RC:TxtMsg", text.data); /* more members than any message has */
    assert_string_equal(m.kind_name, "undecodable");
    assert_string_equal(m.id, "U1");
    assert_true(m.raw_len > text.len);
    mt_buf_deinit(&text);
    m = decoded_content(g, "RC:TxtMsg", "{\"content\":\"a\",\"content\":\"b\",\"extra\":[1]}");
    assert_string_equal(m.text, "b");
    assert_string_equal(json_of(&m.ext), "{\"extra\":[1]}");
    pb = down("RC:TxtMsg", "{\"content\":\"x\"}");
    pb.datatime = -5;
    assert_int_equal(decoded(g, &pb).time_ms, 0);
    assert_int_equal(mt_rong_decode(&g->decoder, "\x0a", 1, g->arena, &m), MT_ERR_PROTOCOL);
    assert_int_equal(mt_rong_decode(&g->decoder, "", 0, g->arena, &m), MT_ERR_PROTOCOL);
}

/* A cloud's text may hold a NUL. */
static void a_nul_in_the_content(void **state)
{
    Rongcloud__DownStreamMessage pb = down("RC:TxtMsg", "");
    struct mt_message m;

    pb.content.data = (uint8_t *)s("a\0b");
    pb.content.len = 3;
    m = decoded(*state, &pb);
    assert_int_equal(m.text_len, 3);
    assert_memory_equal(m.text, "a\0b", 4);
}

int test_map(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(people, ground_new, ground_free),
        cmocka_unit_test_setup_teardown(the_conversation_asked_for_wins, ground_new, ground_free),
        cmocka_unit_test_setup_teardown(ids_that_do_not_fit, ground_new, ground_free),
        cmocka_unit_test_setup_teardown(what_the_cloud_says_besides, ground_new, ground_free),
        cmocka_unit_test_setup_teardown(besides_that_is_broken, ground_new, ground_free),
        cmocka_unit_test_setup_teardown(recalls, ground_new, ground_free),
        cmocka_unit_test_setup_teardown(receipts, ground_new, ground_free),
        cmocka_unit_test_setup_teardown(what_another_device_sent, ground_new, ground_free),
        cmocka_unit_test_setup_teardown(hostile_ones_are_kept, ground_new, ground_free),
        cmocka_unit_test_setup_teardown(a_nul_in_the_content, ground_new, ground_free),
    };

    return cmocka_run_group_tests_name("rongcloud/map", tests, NULL, NULL);
}

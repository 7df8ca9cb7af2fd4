/* What comes from outside, alone: frames, the answers of navigation, the cloud's numbers. */
#include "base/buf.h"
#include "provider/rongcloud/account_int.h"
#include "provider/rongcloud/faults_int.h"
#include "provider/rongcloud/frame_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

int test_wire(void);

/* ---------------------------------------------------------------- frames */

static const struct mt_rong_frame samples[] = {
    {.type = MT_RONG_CONNACK, .status = 4},
    {.type = MT_RONG_CONNACK,
     .greets = true,
     .has = MT_RONG_HAS_USER | MT_RONG_HAS_SESSION | MT_RONG_HAS_TIME,
     .user = {"me", 2},
     .session = {"s-1", 3},
     .time_ms = 1795205054011},
    {.type = MT_RONG_PUBLISH,
     .qos = 1,
     .dup = true,
     .id = 7,
     .seconds = 5,
     .topic = {"ppMsgP", 6},
     .target = {"alice", 5},
     .payload = (const uint8_t *)"\x08\x03",
     .payload_len = 2},
    {.type = MT_RONG_PUBACK,
     .id = 30,
     .seconds = 9,
     .status = 405,
     .millis = 191,
     .uid = {"A-B", 3}},
    {.type = MT_RONG_QUERY, .id = 65535, .topic = {"pullMsg", 7}, .target = {"me", 2}},
    {.type = MT_RONG_QUERYACK,
     .qos = 1,
     .id = 1,
     .seconds = 4294967295,
     .status = 33007,
     .payload = (const uint8_t *)"x",
     .payload_len = 1},
    {.type = MT_RONG_QUERYCON, .id = 2},
    {.type = MT_RONG_PINGREQ},
    {.type = MT_RONG_PINGRESP},
    {.type = MT_RONG_DISCONNECT, .status = 1},
};

static bool same_text(const struct mt_rong_text *a, const struct mt_rong_text *b)
{
    return a->len == b->len && (a->len == 0 || memcmp(a->s, b->s, a->len) == 0);
}

static void assert_same(const struct mt_rong_frame *a, const struct mt_rong_frame *b)
{
    assert_int_equal(a->type, b->type);
    assert_true(a->dup == b->dup && a->retain == b->retain && a->qos == b->qos);
    assert_int_equal(a->id, b->id);
    assert_int_equal(a->status, b->status);
    assert_int_equal(a->time_ms, b->time_ms);
    assert_int_equal(a->greets, b->greets);
    assert_true(same_text(&a->topic, &b->topic) && same_text(&a->target, &b->target));
    assert_true(same_text(&a->user, &b->user) && same_text(&a->session, &b->session));
    assert_int_equal(a->payload_len, b->payload_len);
    assert_memory_equal(a->payload, b->payload, a->payload_len);
}

/* What stands in every frame of its kind, and that a shorter one is none. */
static void frames_come_back(void **state)
{
    static const size_t least_up[] = {[MT_RONG_PUBLISH] = 17, [MT_RONG_PUBACK] = 3};

    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        for (int side = MT_RONG_UP; side <= MT_RONG_DOWN; side++) {
            for (unsigned version = 3; version <= 4; version++) {
                struct mt_rong_frame back;
                struct mt_buf out;

                mt_buf_init(&out, 4096);
                assert_int_equal(mt_rong_frame_pack(&samples[i], side, version, &out), MT_OK);
                assert_int_equal(mt_rong_frame_parse(out.data, out.len, side, version, &back),
                                 MT_OK);
                assert_same(
                    &samples[i],
                    side == MT_RONG_UP && back.type == MT_RONG_PUBACK
                        ? &(struct mt_rong_frame){.type = MT_RONG_PUBACK, .id = 30, .status = 405}
                        : &back);
                size_t needed = out.len - samples[i].payload_len;
                if (side == MT_RONG_UP && samples[i].type <= MT_RONG_PUBACK &&
                    samples[i].type >= MT_RONG_PUBLISH)
                    needed = least_up[samples[i].type] + (samples[i].type == MT_RONG_PUBLISH);
                for (size_t len = 0; len < needed; len++) { /* never a crash, under ASan */
                    char *part = malloc(len + 1);

                    assert_non_null(part);
                    memcpy(part, out.data, len);
                    part = realloc(part, len > 0 ? len : 1);
                    bool short_greeting = samples[i].type == MT_RONG_CONNACK && len == 3;
                    if (!short_greeting)
                        assert_int_equal(mt_rong_frame_parse(part, len, side, version, &back),
                                         MT_ERR_PROTOCOL);
                    free(part);
                }
                mt_buf_deinit(&out);
            }
        }
    }
}

static void texts_have_an_end(void **state)
{
    static char longest[MT_RONG_TEXT_MAX + 2];
    struct mt_rong_frame frame = {.type = MT_RONG_QUERY, .topic = {longest, MT_RONG_TEXT_MAX}};
    struct mt_rong_frame back;
    struct mt_buf out;

    (void)state;
    mt_buf_init(&out, (size_t)1 << 20);
    assert_int_equal(mt_rong_frame_pack(&frame, MT_RONG_UP, 3, &out), MT_OK);
    assert_int_equal(mt_rong_frame_parse(out.data, out.len, MT_RONG_UP, 3, &back), MT_OK);
    assert_int_equal(back.topic.len, MT_RONG_TEXT_MAX);
    frame.topic.len++;
    assert_int_equal(mt_rong_frame_pack(&frame, MT_RONG_UP, 3, &out), MT_ERR_INVALID);
    mt_buf_deinit(&out);
    /* a time beyond what a signed number holds */
    assert_int_equal(mt_rong_frame_parse("\x20\0\0\x04\xff\xff\xff\xff\xff\xff\xff\xff", 12,
                                         MT_RONG_DOWN, 4, &back),
                     MT_ERR_PROTOCOL);
}

/* ---------------------------------------------------------------- navigation */

static enum mt_rc parse(const char *text, bool plain, struct mt_rong_navi *navi, int *code)
{
    return mt_rong_navi_parse(text, strlen(text), plain, navi, code);
}

static void flags_of_navigation(void **state)
{
    struct mt_rong_navi navi;
    int code = 0;

    (void)state;
    assert_int_equal(parse("{\"code\":200,\"serverAddr\":[{\"protocol\":6,\"addr\":\"a.b:1\"}]}",
                           false, &navi, &code),
                     MT_OK);
    assert_int_equal(navi.version, 3);
    assert_false(navi.direct || navi.session_driven || navi.server_unread || navi.ultra ||
                 navi.ultra_in_list || navi.default_channel || navi.realtime);
    assert_int_equal(navi.receipts, 0);
    mt_rong_navi_free(&navi);
    assert_int_equal(
        parse("{\"code\":\"200\",\"serverAddr\":[{\"protocol\":5,\"addr\":\"p.q\",\"weight\":9},"
              "{\"protocol\":6,\"addr\":\"a.b\",\"weight\":2},{\"protocol\":6,\"addr\":\"c.d\","
              "\"weight\":3},{\"protocol\":6,\"addr\":\"c.d/e\",\"weight\":8}],\"openAnti\":1,"
              "\"openHistoryMsg\":0,\"sesDriven\":true,\"serverSaveUnread\":1,\"ugMsg\":3,"
              "\"sessionCfg\":1,\"ugDriven\":2,\"sessionMode\":1,\"grpRRVer\":4,"
              "\"msgModifyMinute\":5,\"supportRecallRefactor\":1}",
              false, &navi, &code),
        MT_OK);
    assert_int_equal(navi.addresses_n, 2);
    assert_string_equal(navi.addresses[0], "wss://c.d");
    assert_string_equal(navi.addresses[1], "wss://a.b");
    assert_true(navi.direct && navi.session_driven && navi.server_unread && navi.ultra &&
                navi.ultra_in_list && navi.default_channel && navi.realtime &&
                navi.recall_refactor);
    assert_int_equal(navi.version, 4);
    assert_int_equal(navi.receipts, 4);
    assert_int_equal(navi.modify_minutes, 5);
    mt_rong_navi_free(&navi);
}

static void answers_that_are_of_no_use(void **state)
{
    static const struct {
        const char *text;
        int code;
    } answers[] = {{"", 30007},
                   {"[]", 30007},
                   {"{}", 30007},
                   {"{\"code\":401}", 401},
                   {"{\"code\":-5}", 30007},
                   {"{\"code\":99999999999999999999}", 30007},
                   {"{\"code\":200,\"serverAddr\":{}}", 200},
                   {"{\"code\":200,\"serverAddr\":[{\"protocol\":6}]}", 200},
                   {"{\"code\":200,\"serverAddr\":[{\"protocol\":5,\"addr\":\"a\"}]}", 200},
                   {"{\"code\":200,\"serverAddr\":[{\"protocol\":6,\"addr\":\"a@b\"}]}", 200},
                   {"{\"code\":200,\"serverAddr\":[],\"server\":\"a.b\"}", 200},
                   {"{\"code\":200,\"server\":\",,\"}", 200}};
    struct mt_rong_navi navi;
    int code = 0;

    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        assert_int_equal(parse(answers[i].text, false, &navi, &code), MT_ERR_PROTOCOL);
        assert_int_equal(code, answers[i].code);
        assert_null(navi.addresses);
    }
}

static void addresses_are_bounded(void **state)
{
    char text[16384] = "{\"code\":200,\"server\":\"";
    struct mt_rong_navi navi;
    int code = 0;

    (void)state;
    for (int i = 0; i < 1000; i++)
        snprintf(text + strlen(text), 16, "h%d,", i);
    snprintf(text + strlen(text), 8, "\"}");
    assert_int_equal(parse(text, false, &navi, &code), MT_OK);
    assert_int_equal(navi.addresses_n, MT_RONG_ADDRESSES_MAX);
    assert_string_equal(navi.addresses[0], "wss://h0");
    mt_rong_navi_free(&navi);
}

/* ---------------------------------------------------------------- numbers */

static void numbers_are_faults(void **state)
{
    struct mt_fault fault;
    size_t named = 0;

    (void)state;
    for (int code = -1; code < 50000; code++) {
        if (code == 0)
            continue;
        enum mt_rc rc = mt_rong_fault(&fault, code, "verb");
        assert_true(rc != MT_OK && rc == fault.kind);
        assert_int_equal(fault.provider_code, code);
        assert_true(fault.code[0] != '\0' && strchr(fault.code, '.') + (fault.code[0] == 'u'));
        assert_true(fault.message[0] != '\0');
        named += mt_rong_code_name(code) != NULL;
    }
    assert_int_equal(named, 405); /* all of the SDK's but SUCCESS */
    assert_string_equal(mt_rong_code_name(0), "SUCCESS");
    assert_string_equal(mt_rong_code_name(31004), "RC_CONN_TOKEN_INCORRECT");
    assert_null(mt_rong_code_name(31019));
    (void)mt_rong_fault(&fault, 25410, "verb");
    assert_non_null(strstr(fault.message, "RC_GROUP_ID_NOT_EXIST"));
    for (unsigned status = 0; status < 300; status++) {
        int connack = mt_rong_connack_code(status);
        int disconnect = mt_rong_disconnect_code(status);

        assert_true(status == 0 ? connack == 0 : mt_rong_code_name(connack) != NULL);
        assert_true(disconnect == 0 || mt_rong_code_name(disconnect) != NULL);
    }
}

int test_wire(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_come_back),      cmocka_unit_test(texts_have_an_end),
        cmocka_unit_test(flags_of_navigation),   cmocka_unit_test(answers_that_are_of_no_use),
        cmocka_unit_test(addresses_are_bounded), cmocka_unit_test(numbers_are_faults),
    };

    return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}

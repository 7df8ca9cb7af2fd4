/* The RongCloud side over real sockets: navigation, connection, messages, history, the list. */
#include "rong_client.h"
#include "tests.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

static struct server server;

static int setup(void **state)
{
    return server_with_data(state, &server, "", false);
}

static int teardown(void **state)
{
    server_stop(&server);
    return remove_dir(state);
}

static void test_navigation(void **state)
{
    (void)state;
    rong_set(&server, "grpRRVer=4,openHistoryMsg=0");
    struct answer answer = rong_navi(&server, "sandbox", "sandbox-agent%40127.0.0.1%3A9");
    char address[32];
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", server.port);
    assert_int_equal(answer.status, 200);
    assert_int_equal(int_at(&answer, "code"), 200);
    assert_string_equal(str_at(&answer, "userId"), "agent");
    assert_string_equal(str_at(&answer, "serverAddr.0.addr"), address);
    assert_int_equal(int_at(&answer, "serverAddr.0.protocol"), 5);
    assert_int_equal(int_at(&answer, "type"), 0);
    assert_int_equal(int_at(&answer, "grpRRVer"), 4);
    assert_int_equal(int_at(&answer, "openHistoryMsg"), 0);
    answer_free(&answer);
    rong_set(&server, "");
    answer = rong_navi(&server, "sandbox", "sandbox-agent%40");
    assert_null(at(&answer, "openHistoryMsg")); /* only the exact 0 means something */
    answer_free(&answer);
}

static void test_navigation_refuses(void **state)
{
    (void)state;
    struct answer answer = rong_navi(&server, "sandbox", "nobody");
    assert_int_equal(answer.status, 401);
    answer_free(&answer);
    answer = rong_navi(&server, "other", "sandbox-agent");
    assert_int_equal(answer.status, 403);
    answer_free(&answer);
    rong_set(&server, "navi_status=416");
    answer = rong_navi(&server, "sandbox", "sandbox-agent");
    assert_int_equal(answer.status, 416);
    answer_free(&answer);
    rong_set(&server, "navi_v1=1,navi_dead=1");
    answer = rong_navi(&server, "sandbox", "sandbox-agent");
    assert_null(at(&answer, "serverAddr"));
    assert_string_equal(str_at(&answer, "server"), "127.0.0.1:9");
    answer_free(&answer);
    rong_set(&server, "navi_dead=2");
    answer = rong_navi(&server, "sandbox", "sandbox-agent");
    assert_string_equal(str_at(&answer, "serverAddr.2.addr"), "127.0.0.1:9");
    assert_true(int_at(&answer, "serverAddr.2.weight") > int_at(&answer, "serverAddr.0.weight"));
    answer_free(&answer);
    set_faults(&server, "html");
    rong_set(&server, "");
    answer = rong_navi(&server, "sandbox", "sandbox-agent");
    assert_int_equal(answer.status, 200);
    assert_null(answer.json);
    answer_free(&answer);
    set_faults(&server, "");
}

static void test_connack(void **state)
{
    (void)state;
    uint8_t *frame = NULL;
    size_t len = 0;
    struct socket socket = rong_dial(&server, "sandbox-mia", "d1", 3, &frame, &len);
    static const uint8_t head3[] = {0x20, 0, 0, 0, 3, 'm', 'i', 'a'};
    assert_true(len > sizeof head3 + 10);
    assert_memory_equal(frame, head3, sizeof head3);
    assert_int_equal(len, 3 + 5 + 2 + (frame[8] << 8 | frame[9]) + 8);
    mt_mem_free(frame);
    socket_close(&socket);
    socket = rong_dial(&server, "sandbox-mia", "d2", 4, &frame, &len);
    static const uint8_t head4[] = {0x20, 0, 0, 15, 0, 3, 'm', 'i', 'a'};
    assert_memory_equal(frame, head4, sizeof head4);
    assert_int_equal(frame[len - 2] << 8 | frame[len - 1], 7);
    mt_mem_free(frame);
    socket_close(&socket);
    socket = rong_dial(&server, "wrong", "d3", 3, &frame, &len);
    static const uint8_t refused[] = {0x20, 0, 4};
    assert_int_equal(len, 3);
    assert_memory_equal(frame, refused, 3);
    mt_mem_free(frame);
    socket_close(&socket);
    rong_set(&server, "connack=10,connack_times=1");
    socket = rong_dial(&server, "sandbox-mia", "d4", 3, &frame, &len);
    assert_int_equal(len, 3);
    assert_int_equal(frame[2], 10);
    mt_mem_free(frame);
    socket_close(&socket);
    rong_close(rong_login(&server, "mia", "d5"));
    rong_set(&server, "");
}

static void test_frames(void **state)
{
    (void)state;
    struct rong *mia = rong_login(&server, "mia", "d1");
    size_t len = 0;
    assert_int_equal(rong_settle(mia), 0);
    struct rong_reply got = rong_query(mia, "noSuchTopic", "mia", NULL);
    assert_int_equal(got.status, 20606);
    mt_mem_free(got.p);
    got = rong_query(mia, "qAppBot", "mia", NULL);
    assert_int_equal(got.status, 0);
    assert_int_equal(got.len, 0);
    mt_mem_free(got.p);
    socket_send(&mia->socket, false, "\x50\x00\x07pull", 7); /* a topic that is cut off */
    assert_null(socket_receive(&mia->socket, &len));
    rong_close(mia);
}

/* Somebody else with the same device, and a kick on demand. */
static void test_endings(void **state)
{
    (void)state;
    size_t len = 0;
    struct rong *first = rong_login(&server, "mia", "same");
    struct rong *second = rong_login(&server, "mia", "same");
    uint8_t *frame = rong_receive(first, &len);
    static const uint8_t kicked[] = {0xe0, 0, 1};
    assert_int_equal(len, 3);
    assert_memory_equal(frame, kicked, 3);
    mt_mem_free(frame);
    assert_null(rong_receive(first, &len));
    rong_close(first);
    struct answer answer = ask(&server, "POST", "/sandbox/rongcloud-kick", NULL, "mia 6");
    assert_int_equal(int_at(&answer, "kicked"), 1);
    answer_free(&answer);
    frame = rong_receive(second, &len);
    assert_int_equal(frame[0], 0xe0);
    assert_int_equal(frame[2], 6);
    mt_mem_free(frame);
    rong_close(second);
    struct rong *third = rong_login(&server, "mia", "third");
    answer = ask(&server, "POST", "/sandbox/cut", NULL, "");
    assert_int_equal(int_at(&answer, "cut"), 1);
    answer_free(&answer);
    assert_null(rong_receive(third, &len));
    rong_close(third);
}

static void test_send(void **state)
{
    (void)state;
    struct rong *ann = rong_login(&server, "ann", "a1");
    struct rong *ann2 = rong_login(&server, "ann", "a2");
    struct rong *bob = rong_login(&server, "bob", "b1");
    uint8_t head = 0;
    size_t len = 0;
    struct rong_reply sent = rong_text(ann, "ppMsgP", "bob", "hello");
    assert_int_equal(rong_notice(bob, "s_ntf"), 1);
    Rongcloud__DownStreamMessages *page = rong_pull(bob, sent.ts_ms - 1, sent.ts_ms - 1);
    assert_int_equal(page->n_list, 1);
    assert_true(page->finished);
    assert_int_equal(page->synctime, sent.ts_ms);
    assert_string_equal(page->list[0]->fromuserid, "ann");
    assert_string_equal(page->list[0]->msgid, sent.uid);
    assert_int_equal(page->list[0]->datatime, sent.ts_ms);
    assert_int_equal(page->list[0]->status, 48);
    assert_false(page->list[0]->has_direction);
    rong_is_text(page->list[0], "hello");
    rongcloud__down_stream_messages__free_unpacked(page, NULL);
    /* the other device gets the request again, and what it was answered with, under one id */
    uint8_t *echo = rong_pushed(ann2, "ppMsgP", &head, &len);
    assert_int_equal(head, 0x3a);
    Rongcloud__UpStreamMessage *up = rongcloud__up_stream_message__unpack(NULL, len, echo);
    assert_non_null(up);
    assert_string_equal(up->classname, "RC:TxtMsg");
    rongcloud__up_stream_message__free_unpacked(up, NULL);
    mt_mem_free(echo);
    uint8_t *ack = rong_receive(ann2, &len);
    assert_int_equal(ack[0], 0x40);
    assert_memory_equal(ack + 13, sent.uid, 19);
    mt_mem_free(ack);
    /* and has it in its send box, with the peer as its author's place */
    page = rong_pull(ann2, sent.ts_ms, sent.ts_ms - 1);
    assert_int_equal(page->n_list, 1);
    assert_int_equal(page->list[0]->direction, 1);
    assert_string_equal(page->list[0]->fromuserid, "bob");
    rongcloud__down_stream_messages__free_unpacked(page, NULL);
    page = rong_pull(bob, sent.ts_ms, 0); /* what was pulled is not pulled again */
    assert_int_equal(page->n_list, 0);
    rongcloud__down_stream_messages__free_unpacked(page, NULL);
    assert_int_equal(rong_settle(ann), 0);
    rong_close(ann);
    rong_close(ann2);
    rong_close(bob);
}

/* With openHistoryMsg=0 the message itself is pushed; a typing state always is. */
static void test_pushed(void **state)
{
    (void)state;
    uint8_t head = 0;
    size_t len = 0;
    rong_set(&server, "openHistoryMsg=0,notice_twice=1");
    struct rong *ann = rong_login(&server, "ann", "a1");
    struct rong *cid = rong_login(&server, "cid", "c1");
    struct rong_reply sent = rong_text(ann, "ppMsgP", "cid", "direct");
    for (int i = 0; i < 2; i++) {
        uint8_t *p = rong_pushed(cid, "s_msg", &head, &len);
        Rongcloud__DownStreamMessage *message =
            rongcloud__down_stream_message__unpack(NULL, len, p);
        assert_non_null(message);
        assert_int_equal(head, 0x32);
        assert_string_equal(message->msgid, sent.uid);
        rongcloud__down_stream_message__free_unpacked(message, NULL);
        mt_mem_free(p);
    }
    rong_set(&server, "");
    Rongcloud__UpStreamMessage up = RONGCLOUD__UP_STREAM_MESSAGE__INIT;
    uint8_t body[128];
    up.classname = (char *)(uintptr_t) "RC:TypSts";
    up.content.data = (uint8_t *)(uintptr_t) "{\"typingContentType\":\"RC:TxtMsg\"}";
    up.content.len = strlen((const char *)up.content.data);
    rong_write(ann, 0x30, "ppMsgS", "cid", body, rongcloud__up_stream_message__pack(&up, body));
    uint8_t *p = rong_pushed(cid, "s_msg", &head, &len);
    assert_int_equal(head, 0x30);
    Rongcloud__DownStreamMessage *typing = rongcloud__down_stream_message__unpack(NULL, len, p);
    assert_non_null(typing);
    assert_int_equal(typing->extstatus, 64);
    rongcloud__down_stream_message__free_unpacked(typing, NULL);
    mt_mem_free(p);
    assert_int_equal(rong_settle(ann), 0); /* which nobody acknowledges */
    rong_close(ann);
    rong_close(cid);
}

static void test_group(void **state)
{
    (void)state;
    struct rong *ann = rong_login(&server, "ann", "a1");
    struct rong *dan = rong_login(&server, "dan", "d1");
    struct rong_reply first = rong_text(ann, "pgMsgP", "room9", "one");
    (void)rong_text(dan, "pgMsgP", "room9", "two"); /* who writes is in */
    assert_int_equal(rong_notice(ann, "s_ntf"), 1);
    Rongcloud__DownStreamMessages *page = rong_pull(ann, first.ts_ms, first.ts_ms);
    assert_int_equal(page->n_list, 1);
    assert_string_equal(page->list[0]->groupid, "room9");
    assert_string_equal(page->list[0]->fromuserid, "dan");
    rongcloud__down_stream_messages__free_unpacked(page, NULL);
    Rongcloud__HistoryMsgOuput *history = rong_history(dan, "qryGMsg", "room9", 0, 10, 0);
    assert_int_equal(history->n_list, 2);
    rong_is_text(history->list[0], "two");
    assert_int_equal(history->list[0]->direction, 1);
    assert_string_equal(history->list[0]->fromuserid, "dan");
    rongcloud__history_msg_ouput__free_unpacked(history, NULL);
    rong_close(ann);
    rong_close(dan);
}

static void test_history(void **state)
{
    (void)state;
    struct rong *agent = rong_login(&server, "agent", "h1");
    int64_t time = 0;
    size_t n = 0;
    char text[8];
    for (int page = 0;; page++) { /* older and older */
        Rongcloud__HistoryMsgOuput *got = rong_history(agent, "qryPMsg", "peer11", time, 5, 0);
        for (size_t i = 0; i < got->n_list; i++, n++) {
            (void)snprintf(text, sizeof text, "m%zu", 11 - n);
            rong_is_text(got->list[i], text);
            assert_int_equal(got->list[i]->has_direction, n % 2 == 0);
        }
        bool more = got->hasmsg != 0;
        time = got->synctime;
        assert_int_equal(got->list[got->n_list - 1]->datatime, time);
        rongcloud__history_msg_ouput__free_unpacked(got, NULL);
        if (!more)
            break;
        assert_true(page < 3);
    }
    assert_int_equal(n, 12);
    Rongcloud__HistoryMsgOuput *got = rong_history(agent, "qryPMsg", "peer11", time, 3, 1);
    assert_int_equal(got->n_list, 3); /* newer than the oldest, upwards */
    assert_int_equal(got->hasmsg, 1);
    rong_is_text(got->list[0], "m1");
    rong_is_text(got->list[2], "m3");
    rongcloud__history_msg_ouput__free_unpacked(got, NULL);
    got = rong_history(agent, "qryPMsg", "stranger", 0, 3, 0);
    assert_int_equal(got->n_list, 0);
    assert_int_equal(got->hasmsg, 0);
    rongcloud__history_msg_ouput__free_unpacked(got, NULL);
    got = rong_history(agent, "qryGMsg", "crowd", 0, 100, 0);
    assert_int_equal(got->n_list, 100);
    assert_int_equal(got->hasmsg, 1);
    rongcloud__history_msg_ouput__free_unpacked(got, NULL);
    Rongcloud__HistoryMsgInput in = RONGCLOUD__HISTORY_MSG_INPUT__INIT;
    in.targetid = (char *)(uintptr_t) "peer11";
    in.has_count = true;
    in.count = 101;
    struct rong_reply refused = rong_query(agent, "qryPMsg", "agent", &in.base);
    assert_int_equal(refused.status, 26010);
    mt_mem_free(refused.p);
    rong_set(&server, "no_roaming=1");
    in.count = 10;
    refused = rong_query(agent, "qryPMsg", "agent", &in.base);
    assert_int_equal(refused.status, 33007);
    mt_mem_free(refused.p);
    rong_set(&server, "");
    rong_close(agent);
}

static void test_list(void **state)
{
    (void)state;
    struct rong *agent = rong_login(&server, "agent", "l1");
    int64_t start = 0;
    char name[16];
    int n = 0;
    for (;;) {
        Rongcloud__RelationsOutput *page = rong_list(agent, 5, start, 0);
        for (size_t i = 0; i < page->n_info; i++, n++) {
            (void)snprintf(name, sizeof name, n < 12 ? "peer%d" : "crowd", 11 - n);
            assert_string_equal(page->info[i]->userid, name);
            assert_int_equal(page->info[i]->type, n < 12 ? 1 : 3);
            assert_int_equal(page->info[i]->versiontime, page->info[i]->msg->datatime);
            start = page->info[i]->versiontime;
        }
        assert_int_equal(page->pulltime, start);
        bool last = page->isfinished;
        rongcloud__relations_output__free_unpacked(page, NULL);
        if (last)
            break;
    }
    assert_int_equal(n, 13);
    Rongcloud__RelationsOutput *page = rong_list(agent, 2, 0, 1);
    assert_int_equal(page->n_info, 2);
    assert_string_equal(page->info[0]->userid, "crowd");
    assert_string_equal(page->info[1]->userid, "peer0");
    assert_false(page->isfinished);
    rongcloud__relations_output__free_unpacked(page, NULL);
    rong_set(&server, "list_cap=3");
    page = rong_list(agent, 100, 0, 1); /* the others are not kept */
    assert_int_equal(page->n_info, 3);
    assert_string_equal(page->info[0]->userid, "peer9");
    rongcloud__relations_output__free_unpacked(page, NULL);
    rong_set(&server, "");
    rong_close(agent);
}

/* A removed conversation is back with the next message; its history stays unless asked. */
static void test_remove(void **state)
{
    (void)state;
    struct rong *eve = rong_login(&server, "eve", "e1");
    struct rong *fay = rong_login(&server, "fay", "f1");
    (void)rong_text(fay, "ppMsgP", "eve", "one");
    Rongcloud__RelationOpInput one = RONGCLOUD__RELATION_OP_INPUT__INIT;
    Rongcloud__RelationOpInput *all[] = {&one};
    Rongcloud__RelationDelBatchReq in = RONGCLOUD__RELATION_DEL_BATCH_REQ__INIT;
    one.conversationid = (char *)(uintptr_t) "fay";
    one.conversationtype = RONGCLOUD__CHANNEL_TYPE__CT_PERSON;
    in.n_relation = 1;
    in.relation = all;
    struct rong_reply got = rong_query(eve, "qryRLBatch", "eve", &in.base);
    Rongcloud__RelationsOutput *page = rongcloud__relations_output__unpack(NULL, got.len, got.p);
    assert_int_equal(page->n_info, 1);
    rong_is_text(page->info[0]->msg, "one");
    rongcloud__relations_output__free_unpacked(page, NULL);
    mt_mem_free(got.p);
    got = rong_query(eve, "delRelationBatch", "eve", &in.base);
    assert_int_equal(got.status, 0);
    mt_mem_free(got.p);
    page = rong_list(eve, 10, 0, 0);
    assert_int_equal(page->n_info, 0);
    rongcloud__relations_output__free_unpacked(page, NULL);
    (void)rong_text(fay, "ppMsgP", "eve", "two");
    page = rong_list(eve, 10, 0, 0);
    assert_int_equal(page->n_info, 1);
    rong_is_text(page->info[0]->msg, "two");
    rongcloud__relations_output__free_unpacked(page, NULL);
    Rongcloud__HistoryMsgOuput *history = rong_history(eve, "qryPMsg", "fay", 0, 10, 0);
    assert_int_equal(history->n_list, 2);
    rongcloud__history_msg_ouput__free_unpacked(history, NULL);
    in.has_cleanmsg = in.cleanmsg = true;
    got = rong_query(eve, "delRelationBatch", "eve", &in.base);
    mt_mem_free(got.p);
    history = rong_history(eve, "qryPMsg", "fay", 0, 10, 0);
    assert_int_equal(history->n_list, 0);
    rongcloud__history_msg_ouput__free_unpacked(history, NULL);
    history = rong_history(fay, "qryPMsg", "eve", 0, 10, 0);
    assert_int_equal(history->n_list, 2);
    rongcloud__history_msg_ouput__free_unpacked(history, NULL);
    rong_close(eve);
    rong_close(fay);
}

/* Deleting touches the own view alone. */
static void test_delete(void **state)
{
    (void)state;
    struct rong *gus = rong_login(&server, "gus", "g1");
    struct rong *hal = rong_login(&server, "hal", "h1");
    struct rong_reply sent[4];
    for (int i = 0; i < 4; i++)
        sent[i] = rong_text(gus, "ppMsgP", "hal", "x");
    Rongcloud__DeleteMsg one = RONGCLOUD__DELETE_MSG__INIT;
    Rongcloud__DeleteMsg *all[] = {&one};
    Rongcloud__DeleteMsgInput in = RONGCLOUD__DELETE_MSG_INPUT__INIT;
    one.msgid = sent[3].uid;
    one.has_msgdatatime = true;
    one.msgdatatime = sent[3].ts_ms;
    in.has_type = true;
    in.type = RONGCLOUD__CHANNEL_TYPE__CT_PERSON;
    in.conversationid = (char *)(uintptr_t) "gus";
    in.n_msgs = 1;
    in.msgs = all;
    struct rong_reply got = rong_query(hal, "delMsg", "hal", &in.base);
    assert_int_equal(got.status, 0);
    mt_mem_free(got.p);
    Rongcloud__HistoryMsgOuput *page = rong_history(hal, "qryPMsg", "gus", 0, 10, 0);
    assert_int_equal(page->n_list, 3);
    assert_string_equal(page->list[0]->msgid, sent[2].uid);
    rongcloud__history_msg_ouput__free_unpacked(page, NULL);
    Rongcloud__RelationsOutput *list = rong_list(hal, 1, 0, 0);
    assert_string_equal(list->info[0]->msg->msgid, sent[2].uid);
    rongcloud__relations_output__free_unpacked(list, NULL);
    Rongcloud__CleanHisMsgInput clean = RONGCLOUD__CLEAN_HIS_MSG_INPUT__INIT;
    clean.targetid = (char *)(uintptr_t) "gus";
    clean.datatime = sent[1].ts_ms;
    got = rong_query(hal, "cleanPMsg", "hal", &clean.base);
    assert_int_equal(got.status, 0);
    mt_mem_free(got.p);
    page = rong_history(hal, "qryPMsg", "gus", 1, 10, 1);
    assert_int_equal(page->n_list, 1);
    assert_string_equal(page->list[0]->msgid, sent[2].uid);
    rongcloud__history_msg_ouput__free_unpacked(page, NULL);
    page = rong_history(gus, "qryPMsg", "hal", 0, 10, 0);
    assert_int_equal(page->n_list, 4);
    rongcloud__history_msg_ouput__free_unpacked(page, NULL);
    rong_close(gus);
    rong_close(hal);
}

int test_rong(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_navigation), cmocka_unit_test(test_navigation_refuses),
        cmocka_unit_test(test_connack),    cmocka_unit_test(test_frames),
        cmocka_unit_test(test_endings),    cmocka_unit_test(test_send),
        cmocka_unit_test(test_pushed),     cmocka_unit_test(test_group),
        cmocka_unit_test(test_history),    cmocka_unit_test(test_list),
        cmocka_unit_test(test_remove),     cmocka_unit_test(test_delete),
    };
    return cmocka_run_group_tests_name("rongcloud", tests, setup, teardown);
}

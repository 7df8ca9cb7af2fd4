/* The RongCloud side over real sockets: recalls, edits, settings, receipts, ultra groups, rooms,
 * attachments, compression, and what goes wrong on purpose. */
#include "rong_client.h"
#include "tests.h"

#include "base/mem.h"
#include "codec/gzip.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

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

#define TEXT(s) ((char *)(uintptr_t)(s))

static struct rong_reply recall(struct rong *rong, int type, const char *target, const char *uid)
{
    char content[256];
    (void)snprintf(content, sizeof content,
                   "{\"conversationType\":%d,\"targetId\":\"%s\",\"messageUId\":\"%s\","
                   "\"sentTime\":1,\"channelId\":\"\",\"isDelete\":false,\"isAdmin\":false}",
                   type, target, uid);
    return rong_send(rong, "recallMsg", rong->user, "RC:RcCmd", content, 1);
}

static void test_recall(void **state)
{
    (void)state;
    struct rong *ann = rong_login(&server, "r-ann", "1");
    struct rong *bob = rong_login(&server, "r-bob", "1");
    (void)rong_text(ann, "ppMsgP", "r-bob", "stays");
    struct rong_reply sent = rong_text(ann, "ppMsgP", "r-bob", "goes");
    assert_int_equal(recall(bob, 1, "r-ann", sent.uid).status, 25107);
    assert_int_equal(recall(ann, 1, "r-bob", "0000-0000-0000-0000").status, 25101);
    struct rong_reply done = recall(ann, 1, "r-bob", sent.uid);
    assert_int_equal(done.status, 0);
    assert_int_equal(recall(ann, 1, "r-bob", sent.uid).status, 25101);
    Rongcloud__DownStreamMessages *page = rong_pull(bob, sent.ts_ms - 1, 0);
    assert_int_equal(page->n_list, 1); /* the recalled one does not come any more */
    assert_string_equal(page->list[0]->classname, "RC:RcCmd");
    assert_non_null(memmem(page->list[0]->content.data, page->list[0]->content.len, sent.uid, 19));
    rongcloud__down_stream_messages__free_unpacked(page, NULL);
    Rongcloud__HistoryMsgOuput *history = rong_history(bob, "qryPMsg", "r-ann", 0, 10, 0);
    assert_int_equal(history->n_list, 1);
    rong_is_text(history->list[0], "stays");
    rongcloud__history_msg_ouput__free_unpacked(history, NULL);
    rong_set(&server, "supportRecallRefactor=1");
    sent = rong_text(ann, "ppMsgP", "r-bob", "goes too");
    assert_int_equal(recall(ann, 1, "r-bob", sent.uid).status, 0);
    Rongcloud__RelationsOutput *list = rong_list(bob, 10, 0, 0);
    assert_string_equal(list->info[0]->msg->classname, "RC:RcNtf");
    assert_string_equal(list->info[0]->msg->msgid, sent.uid);
    assert_int_equal(list->info[0]->msg->datatime, sent.ts_ms);
    rongcloud__relations_output__free_unpacked(list, NULL);
    sent = rong_text(ann, "ppMsgP", "r-bob", "too old");
    rong_set(&server, "recall_limit=1ms");
    while ((int64_t)time(NULL) * 1000 <= sent.ts_ms + 1)
        rong_settle(ann);
    assert_int_equal(recall(ann, 1, "r-bob", sent.uid).status, 25101);
    rong_set(&server, "");
    rong_close(ann);
    rong_close(bob);
}

static void test_edit(void **state)
{
    (void)state;
    struct rong *ann = rong_login(&server, "e-ann", "1");
    struct rong *bob = rong_login(&server, "e-bob", "1");
    struct rong_reply sent = rong_text(ann, "ppMsgP", "e-bob", "first");
    Rongcloud__MsgChangeReq in = RONGCLOUD__MSG_CHANGE_REQ__INIT;
    in.fromuserid = TEXT("e-ann");
    in.targetid = TEXT("e-bob");
    in.type = RONGCLOUD__CHANNEL_TYPE__CT_PERSON;
    in.msguid = sent.uid;
    in.msgtime = sent.ts_ms;
    in.has_content = true;
    in.content.data = (uint8_t *)TEXT("{\"content\":\"second\"}");
    in.content.len = 20;
    struct rong_reply got = rong_query(ann, "modifyMsg", "e-ann", &in.base);
    assert_int_equal(got.status, 0);
    Rongcloud__ModifyMsgResp *changed = rongcloud__modify_msg_resp__unpack(NULL, got.len, got.p);
    assert_non_null(changed);
    rong_is_text(changed->msg, "second");
    assert_int_equal(changed->msg->extstatus, 4);
    rongcloud__modify_msg_resp__free_unpacked(changed, NULL);
    mt_mem_free(got.p);
    assert_int_equal(rong_notice(bob, "s_cmd"), 12);
    Rongcloud__PullModifyMsgReq pull = RONGCLOUD__PULL_MODIFY_MSG_REQ__INIT;
    got = rong_query(bob, "pullModifyMsg", "e-bob", &pull.base);
    Rongcloud__PullModifyMsgResp *edits =
        rongcloud__pull_modify_msg_resp__unpack(NULL, got.len, got.p);
    assert_non_null(edits);
    assert_int_equal(edits->n_msg, 1);
    assert_string_equal(edits->msg[0]->msg->msgid, sent.uid);
    assert_int_equal(edits->msg[0]->msg->datatime, sent.ts_ms);
    rong_is_text(edits->msg[0]->msg, "second");
    rongcloud__pull_modify_msg_resp__free_unpacked(edits, NULL);
    mt_mem_free(got.p);
    in.targetid = TEXT("e-ann");
    got = rong_query(bob, "modifyMsg", "e-bob", &in.base);
    assert_int_equal(got.status, 25107);
    mt_mem_free(got.p);
    rong_close(ann);
    rong_close(bob);
}

static void test_expansion(void **state)
{
    (void)state;
    char content[160];
    struct rong *ann = rong_login(&server, "x-ann", "1");
    struct rong_reply plain = rong_text(ann, "ppMsgP", "x-bob", "plain");
    struct rong_reply sent =
        rong_send(ann, "ppMsgP", "x-bob", "RC:TxtMsg", "{\"content\":\"open\"}", 67);
    (void)snprintf(content, sizeof content, "{\"mid\":\"%s\",\"put\":{\"a\":\"1\",\"b\":\"2\"}}",
                   plain.uid);
    assert_int_equal(rong_send(ann, "ppMsgP", "x-bob", "RC:MsgExMsg", content, 0).status, 22202);
    (void)snprintf(content, sizeof content, "{\"mid\":\"%s\",\"put\":{\"a\":\"1\",\"b\":\"2\"}}",
                   sent.uid);
    assert_int_equal(rong_send(ann, "ppMsgP", "x-bob", "RC:MsgExMsg", content, 0).status, 0);
    (void)snprintf(content, sizeof content, "{\"mid\":\"%s\",\"del\":[\"a\"]}", sent.uid);
    assert_int_equal(rong_send(ann, "ppMsgP", "x-bob", "RC:MsgExMsg", content, 0).status, 0);
    Rongcloud__HistoryMsgOuput *page = rong_history(ann, "qryPMsg", "x-bob", 0, 10, 0);
    assert_int_equal(page->n_list, 2);
    rong_is_text(page->list[0], "open");
    static const char want[] = "{\"b\":{\"v\":\"2\"}}";
    assert_int_equal(page->list[0]->extracontent.len, strlen(want));
    assert_memory_equal(page->list[0]->extracontent.data, want, strlen(want));
    rongcloud__history_msg_ouput__free_unpacked(page, NULL);
    rong_close(ann);
}

static void test_settings(void **state)
{
    (void)state;
    struct rong *one = rong_login(&server, "s-ann", "1");
    struct rong *two = rong_login(&server, "s-ann", "2");
    Rongcloud__SessionStateItem top = RONGCLOUD__SESSION_STATE_ITEM__INIT;
    Rongcloud__SessionStateItem *items[] = {&top};
    Rongcloud__SessionState state_in = RONGCLOUD__SESSION_STATE__INIT;
    Rongcloud__SessionState *states[] = {&state_in};
    Rongcloud__SessionStateModifyReq in = RONGCLOUD__SESSION_STATE_MODIFY_REQ__INIT;
    top.sessionstatetype = RONGCLOUD__SESSION_STATE_TYPE__SST_IsTop;
    top.value = TEXT("1");
    state_in.type = RONGCLOUD__CHANNEL_TYPE__CT_PERSON;
    state_in.channelid = TEXT("s-bob");
    state_in.n_stateitem = 1;
    state_in.stateitem = items;
    in.n_state = 1;
    in.state = states;
    struct rong_reply got = rong_query(one, "setSeAtt", "s-ann", &in.base);
    assert_int_equal(got.status, 0);
    mt_mem_free(got.p);
    assert_int_equal(rong_notice(two, "s_cmd"), 3);
    Rongcloud__TypeUnpushInput level = RONGCLOUD__TYPE_UNPUSH_INPUT__INIT;
    level.type = RONGCLOUD__CHANNEL_TYPE__CT_GROUP;
    level.unpushlevel = 5;
    got = rong_query(one, "setTypeUnpush", "s-ann", &level.base);
    assert_int_equal(got.status, 0);
    mt_mem_free(got.p);
    Rongcloud__SessionReq ask_all = RONGCLOUD__SESSION_REQ__INIT;
    got = rong_query(two, "pullSeAtts", "s-ann", &ask_all.base);
    Rongcloud__SessionStates *all = rongcloud__session_states__unpack(NULL, got.len, got.p);
    assert_non_null(all);
    assert_int_equal(all->n_state, 2);
    assert_string_equal(all->state[0]->channelid, "");
    assert_string_equal(all->state[0]->stateitem[0]->value, "5");
    assert_string_equal(all->state[1]->channelid, "s-bob");
    assert_int_equal(all->state[1]->stateitem[0]->sessionstatetype, 2);
    assert_int_equal(all->version, all->state[0]->time); /* the newest of all */
    ask_all.time = all->version;
    rongcloud__session_states__free_unpacked(all, NULL);
    mt_mem_free(got.p);
    got = rong_query(two, "pullSeAtts", "s-ann", &ask_all.base);
    all = rongcloud__session_states__unpack(NULL, got.len, got.p);
    assert_int_equal(all->n_state, 0);
    assert_int_equal(all->version, ask_all.time);
    rongcloud__session_states__free_unpacked(all, NULL);
    mt_mem_free(got.p);
    rong_close(one);
    rong_close(two);
}

/* The server's own count, and what makes it smaller. */
static void test_unread(void **state)
{
    (void)state;
    rong_set(&server, "serverSaveUnread=1");
    struct rong *ann = rong_login(&server, "u-ann", "1");
    struct rong *bob = rong_login(&server, "u-bob", "1");
    struct rong_reply last = {0};
    char content[64];
    for (int i = 0; i < 3; i++)
        last = rong_text(ann, "ppMsgP", "u-bob", "x");
    Rongcloud__SessionQryInput in = RONGCLOUD__SESSION_QRY_INPUT__INIT;
    struct rong_reply got = rong_query(bob, "pullSe", "u-bob", &in.base);
    Rongcloud__SessionsOutput *all = rongcloud__sessions_output__unpack(NULL, got.len, got.p);
    assert_non_null(all);
    assert_int_equal(all->n_session, 1);
    assert_string_equal(all->session[0]->targetid, "u-ann");
    assert_int_equal(all->session[0]->unread->cnt, 3);
    assert_int_equal(all->session[0]->unread->cutofftime, last.ts_ms);
    rongcloud__sessions_output__free_unpacked(all, NULL);
    mt_mem_free(got.p);
    (void)snprintf(content, sizeof content, "{\"lastMessageSendTime\":%lld}",
                   (long long)last.ts_ms);
    assert_int_equal(rong_send(bob, "ppMsgP", "u-ann", "RC:SRSMsg", content, 0).status, 0);
    assert_int_equal(rong_notice(bob, "s_cmd"), 13);
    got = rong_query(bob, "pullSe", "u-bob", &in.base);
    assert_int_equal(got.len, 0); /* nothing is unread */
    mt_mem_free(got.p);
    Rongcloud__DownStreamMessages *page = rong_pull(ann, last.ts_ms, last.ts_ms);
    assert_int_equal(page->n_list, 0); /* the peer hears nothing of it */
    rongcloud__down_stream_messages__free_unpacked(page, NULL);
    rong_set(&server, "");
    rong_close(ann);
    rong_close(bob);
}

static Rongcloud__ReceiptResp *users_of(struct rong *rong, char *uid, int read)
{
    char *ids[] = {uid};
    Rongcloud__QueryReceiptReq in = RONGCLOUD__QUERY_RECEIPT_REQ__INIT;
    in.targetid = TEXT("v5");
    in.has_type = in.has_qrytype = in.has_readtype = true;
    in.type = 3;
    in.qrytype = 1;
    in.readtype = read;
    in.n_msgids = 1;
    in.msgids = ids;
    struct rong_reply got = rong_query(rong, "qryReceipt", uid, &in.base);
    assert_int_equal(got.status, 0);
    Rongcloud__ReceiptResp *out = rongcloud__receipt_resp__unpack(NULL, got.len, got.p);
    assert_non_null(out);
    mt_mem_free(got.p);
    return out;
}

static void test_receipts(void **state)
{
    (void)state;
    struct rong *ann = rong_login(&server, "v-ann", "1");
    struct rong *bob = rong_login(&server, "v-bob", "1");
    struct rong *cid = rong_login(&server, "v-cid", "1");
    (void)rong_text(bob, "pgMsgP", "v5", "here");
    (void)rong_text(cid, "pgMsgP", "v5", "here");
    Rongcloud__UpStreamMessage up = RONGCLOUD__UP_STREAM_MESSAGE__INIT;
    up.sessionid = 3;
    up.classname = TEXT("RC:TxtMsg");
    up.content.data = (uint8_t *)TEXT("{\"content\":\"seen?\"}");
    up.content.len = 19;
    up.has_optionbits = true;
    up.optionbits = 2;
    struct rong_reply sent = rong_publish(ann, "pgMsgP", "v5", &up.base);
    assert_int_equal(sent.status, 0);
    char *ids[] = {sent.uid};
    Rongcloud__ReadReceipt in = RONGCLOUD__READ_RECEIPT__INIT;
    in.targetid = TEXT("v5");
    in.has_type = true;
    in.type = 3;
    in.n_msgids = 1;
    in.msgids = ids;
    struct rong_reply got = rong_query(bob, "readReceipt", sent.uid, &in.base);
    assert_int_equal(got.status, 0);
    mt_mem_free(got.p);
    assert_int_equal(rong_notice(ann, "s_cmd"), 11);
    Rongcloud__QueryMsgChange events_in = RONGCLOUD__QUERY_MSG_CHANGE__INIT;
    got = rong_query(ann, "pullEventChange", "v-ann", &events_in.base);
    Rongcloud__EventChangeList *events = rongcloud__event_change_list__unpack(NULL, got.len, got.p);
    assert_non_null(events);
    assert_int_equal(events->n_list, 1);
    assert_string_equal(events->list[0]->businessid, "v5");
    assert_int_equal(events->list[0]->changetype, 36);
    Rongcloud__MsgReadEvent *read = rongcloud__msg_read_event__unpack(
        NULL, events->list[0]->eventdata.len, events->list[0]->eventdata.data);
    assert_non_null(read);
    assert_string_equal(read->msgid, sent.uid);
    assert_int_equal(read->totalcnt, 2);
    assert_int_equal(read->readcnt, 1);
    assert_string_equal(read->readlist[0]->userid, "v-bob");
    rongcloud__msg_read_event__free_unpacked(read, NULL);
    rongcloud__event_change_list__free_unpacked(events, NULL);
    mt_mem_free(got.p);
    Rongcloud__ReceiptResp *users = users_of(ann, sent.uid, 1);
    assert_int_equal(users->resp[0]->n_readuser, 1);
    assert_string_equal(users->resp[0]->readuser[0]->userid, "v-bob");
    assert_int_equal(users->resp[0]->unreadcnt, 1);
    rongcloud__receipt_resp__free_unpacked(users, NULL);
    users = users_of(ann, sent.uid, 0);
    assert_int_equal(users->resp[0]->n_unreaduser, 1);
    assert_string_equal(users->resp[0]->unreaduser[0]->userid, "v-cid");
    rongcloud__receipt_resp__free_unpacked(users, NULL);
    sent = rong_text(ann, "pgMsgP", "v5", "never mind");
    got = rong_query(bob, "readReceipt", sent.uid, &in.base);
    assert_int_equal(got.status, 26321); /* nobody asked */
    mt_mem_free(got.p);
    rong_close(ann);
    rong_close(bob);
    rong_close(cid);
}

/* Version 4: a message tells the author; version 2: nobody is told. */
static void test_older_receipts(void **state)
{
    (void)state;
    struct rong *ann = rong_login(&server, "w-ann", "1");
    struct rong *bob = rong_login(&server, "w-bob", "1");
    (void)rong_text(bob, "pgMsgP", "v4", "here");
    struct rong_reply sent = rong_text(ann, "pgMsgP", "v4", "one");
    Rongcloud__ReadReceiptMsg in = RONGCLOUD__READ_RECEIPT_MSG__INIT;
    in.targetid = TEXT("v4");
    in.type = RONGCLOUD__CHANNEL_TYPE__CT_GROUP;
    in.startmsgid = in.endmsgid = sent.uid;
    assert_int_equal(rong_publish(bob, "sendMsgRead", "v4", &in.base).status, 0);
    Rongcloud__DownStreamMessages *page = rong_pull(ann, sent.ts_ms, sent.ts_ms);
    assert_int_equal(page->n_list, 1);
    assert_string_equal(page->list[0]->classname, "RC:RSMsg");
    assert_non_null(
        memmem(page->list[0]->content.data, page->list[0]->content.len, "\"tmn\":1,\"rrn\":1", 15));
    rongcloud__down_stream_messages__free_unpacked(page, NULL);
    Rongcloud__ReceiptQryReq query = RONGCLOUD__RECEIPT_QRY_REQ__INIT;
    query.msgid = sent.uid;
    query.targetid = TEXT("v4");
    struct rong_reply got = rong_query(ann, "qryMsgRead", "v4", &query.base);
    Rongcloud__QueryReceiptResp *who = rongcloud__query_receipt_resp__unpack(NULL, got.len, got.p);
    assert_non_null(who);
    assert_int_equal(who->readcnt, 1);
    assert_string_equal(who->list[0]->userid, "w-bob");
    rongcloud__query_receipt_resp__free_unpacked(who, NULL);
    mt_mem_free(got.p);
    char *ids[] = {sent.uid};
    Rongcloud__GrpReadReceiptQryReq list = RONGCLOUD__GRP_READ_RECEIPT_QRY_REQ__INIT;
    list.n_msgid = 1;
    list.msgid = ids;
    got = rong_query(ann, "rrList", "v4", &list.base);
    Rongcloud__GrpReadReceiptQryResp *readers =
        rongcloud__grp_read_receipt_qry_resp__unpack(NULL, got.len, got.p);
    assert_non_null(readers);
    assert_int_equal(readers->totalmembernum, 2);
    assert_int_equal(readers->n_list, 1);
    rongcloud__grp_read_receipt_qry_resp__free_unpacked(readers, NULL);
    mt_mem_free(got.p);
    rong_close(ann);
    rong_close(bob);
}

static struct rong_reply to_channel(struct rong *rong, const char *text)
{
    char content[64];
    Rongcloud__UpStreamMessage up = RONGCLOUD__UP_STREAM_MESSAGE__INIT;
    (void)snprintf(content, sizeof content, "{\"content\":\"%s\"}", text);
    up.sessionid = 3;
    up.classname = TEXT("RC:TxtMsg");
    up.content.data = (uint8_t *)content;
    up.content.len = strlen(content);
    up.buschannel = TEXT("news");
    struct rong_reply sent = rong_publish(rong, "ugMsg", "ultra1", &up.base);
    assert_int_equal(sent.status, 0);
    return sent;
}

static void test_ultra(void **state)
{
    (void)state;
    struct rong *ann = rong_login(&server, "t-ann", "1");
    struct rong *bob = rong_login(&server, "t-bob", "1");
    struct rong_reply hello = rong_text(bob, "ugMsg", "ultra1", "hello");
    Rongcloud__UltraGrpPullMsg pull = RONGCLOUD__ULTRA_GRP_PULL_MSG__INIT;
    struct rong_reply got = rong_query(bob, "pullUgMsg", "t-bob", &pull.base);
    Rongcloud__DownStreamMessages *page =
        rongcloud__down_stream_messages__unpack(NULL, got.len, got.p);
    assert_int_equal(page->n_list, 0); /* from 0 only the time comes */
    pull.synctime = page->synctime;
    assert_true(pull.synctime >= hello.ts_ms);
    rongcloud__down_stream_messages__free_unpacked(page, NULL);
    mt_mem_free(got.p);
    struct rong_reply sent = to_channel(ann, "in a channel");
    assert_int_equal(rong_notice(bob, "s_cmd"), 6);
    got = rong_query(bob, "pullUgMsg", "t-bob", &pull.base);
    page = rongcloud__down_stream_messages__unpack(NULL, got.len, got.p);
    assert_int_equal(page->n_list, 1);
    assert_string_equal(page->list[0]->buschannel, "news");
    assert_string_equal(page->list[0]->groupid, "ultra1");
    rongcloud__down_stream_messages__free_unpacked(page, NULL);
    mt_mem_free(got.p);
    Rongcloud__UltraGrpPullSes list = RONGCLOUD__ULTRA_GRP_PULL_SES__INIT;
    got = rong_query(bob, "pullUgSes", "t-bob", &list.base);
    Rongcloud__RelationsOutput *all = rongcloud__relations_output__unpack(NULL, got.len, got.p);
    assert_int_equal(all->n_info, 2);
    assert_true(all->isfinished);
    assert_string_equal(all->info[1]->buschannel, "news");
    assert_int_equal(all->info[1]->unreadcount, 1);
    assert_string_equal(all->info[1]->msginfo->msgid, sent.uid);
    rongcloud__relations_output__free_unpacked(all, NULL);
    mt_mem_free(got.p);
    Rongcloud__SessionMsgReadInput read = RONGCLOUD__SESSION_MSG_READ_INPUT__INIT;
    read.type = RONGCLOUD__CHANNEL_TYPE__CT_ULTRAGROUP;
    read.msgtime = sent.ts_ms;
    read.channelid = TEXT("ultra1");
    read.buschannel = TEXT("news");
    assert_int_equal(rong_publish(bob, "updUgRTime", "t-bob", &read.base).status, 0);
    got = rong_query(bob, "pullUgSes", "t-bob", &list.base);
    all = rongcloud__relations_output__unpack(NULL, got.len, got.p);
    assert_int_equal(all->info[1]->unreadcount, 0);
    rongcloud__relations_output__free_unpacked(all, NULL);
    mt_mem_free(got.p);
    rong_close(ann);
    rong_close(bob);
}

/* A page of many messages of one millisecond is whole: from 1 in pages of 3, each comes once. */
static void test_pages(void **state)
{
    (void)state;
    rong_set(&server, "page=3,gzip=2");
    struct rong *agent = rong_login(&server, "agent", "p1");
    int64_t inbox = 0;
    int64_t before = 0;
    size_t n = 0;
    for (int pages = 0; pages < 100; pages++) {
        Rongcloud__DownStreamMessages *page = rong_pull(agent, inbox, INT64_MAX);
        for (size_t i = 0; i < page->n_list; i++, n++) {
            assert_true(page->list[i]->datatime >= before);
            before = page->list[i]->datatime;
            assert_false(page->list[i]->has_direction);
        }
        assert_true(page->synctime >= inbox);
        inbox = page->synctime;
        bool last = page->finished;
        rongcloud__down_stream_messages__free_unpacked(page, NULL);
        if (last)
            break;
    }
    assert_int_equal(n, 42); /* of 78 in the single chats; those of the group are too old */
    Rongcloud__HistoryMsgInput in = RONGCLOUD__HISTORY_MSG_INPUT__INIT;
    in.targetid = TEXT("crowd");
    in.has_count = in.has_compressioenabled = in.compressioenabled = true;
    in.count = 100;
    struct rong_reply got = rong_query(agent, "qryGMsg", "agent", &in.base);
    Rongcloud__HistoryMsgOuput *outer = rongcloud__history_msg_ouput__unpack(NULL, got.len, got.p);
    assert_non_null(outer);
    assert_true(outer->compressioenabled);
    assert_int_equal(outer->n_list, 0);
    assert_int_equal(outer->hasmsg, 1);
    struct mt_buf plain;
    mt_buf_init(&plain, (size_t)1 << 20);
    assert_int_equal(mt_gzip_inflate(outer->compresseddata.data, outer->compresseddata.len,
                                     (size_t)1 << 20, &plain, NULL),
                     MT_OK);
    Rongcloud__HistoryMsgOuput *inner =
        rongcloud__history_msg_ouput__unpack(NULL, plain.len, (const uint8_t *)plain.data);
    assert_non_null(inner);
    assert_int_equal(inner->n_list, 100);
    assert_int_equal(inner->synctime, outer->synctime);
    rongcloud__history_msg_ouput__free_unpacked(inner, NULL);
    rongcloud__history_msg_ouput__free_unpacked(outer, NULL);
    mt_buf_deinit(&plain);
    mt_mem_free(got.p);
    rong_set(&server, "offline=10");
    Rongcloud__DownStreamMessages *page = rong_pull(agent, 0, INT64_MAX);
    assert_true(page->n_list <= 10 && page->n_list > 0); /* the oldest wait no more */
    rongcloud__down_stream_messages__free_unpacked(page, NULL);
    rong_set(&server, "");
    rong_close(agent);
}

static void test_faults_of_frames(void **state)
{
    (void)state;
    struct rong *agent = rong_login(&server, "agent", "f1");
    set_faults(&server, "drop_message=1,only=qryPMsg");
    Rongcloud__HistoryMsgOuput *page = rong_history(agent, "qryPMsg", "peer11", 0, 10, 0);
    assert_int_equal(page->n_list, 9);
    rongcloud__history_msg_ouput__free_unpacked(page, NULL);
    set_faults(&server, "duplicate=1,only=qryPMsg");
    page = rong_history(agent, "qryPMsg", "peer11", 0, 10, 0);
    assert_int_equal(page->n_list, 11);
    assert_string_equal(page->list[9]->msgid, page->list[10]->msgid);
    rongcloud__history_msg_ouput__free_unpacked(page, NULL);
    set_faults(&server, "");
    page = rong_history(agent, "qryPMsg", "peer11", 0, 4, 0);
    int64_t next = page->synctime;
    rongcloud__history_msg_ouput__free_unpacked(page, NULL);
    set_faults(&server, "repeat_page=1,only=qryPMsg");
    page = rong_history(agent, "qryPMsg", "peer11", next, 4, 0);
    rong_is_text(page->list[0], "m11");
    rongcloud__history_msg_ouput__free_unpacked(page, NULL);
    set_faults(&server, "half_open=1,times=1,only=qryPMsg");
    Rongcloud__HistoryMsgInput in = RONGCLOUD__HISTORY_MSG_INPUT__INIT;
    uint8_t body[32];
    in.targetid = TEXT("peer11");
    rong_write(agent, 0x50, "qryPMsg", "agent", body,
               rongcloud__history_msg_input__pack(&in, body));
    assert_int_equal(rong_settle(agent), 0); /* no answer */
    set_faults(&server, "p429");
    struct rong_reply got = rong_query(agent, "qryPMsg", "agent", &in.base);
    assert_int_equal(got.status, 20604);
    mt_mem_free(got.p);
    set_faults(&server, "stale_cursor");
    Rongcloud__DownStreamMessages *stuck = rong_pull(agent, 1, INT64_MAX);
    assert_int_equal(stuck->synctime, 1);
    assert_true(stuck->n_list > 0);
    rongcloud__down_stream_messages__free_unpacked(stuck, NULL);
    set_faults(&server, "latency=30ms");
    page = rong_history(agent, "qryPMsg", "peer11", 0, 10, 0);
    assert_int_equal(page->n_list, 10);
    rongcloud__history_msg_ouput__free_unpacked(page, NULL);
    set_faults(&server, "truncate");
    got = rong_query(agent, "qAppBot", "agent", NULL); /* cut to half, it is no answer to us */
    assert_int_equal(got.status, -1);
    set_faults(&server, "");
    rong_close(agent);
}

static void test_refusals(void **state)
{
    (void)state;
    struct rong *ann = rong_login(&server, "n-ann", "1");
    rong_set(&server, "refuse=ppMsgP:405:1|pgMsgP:22408,max_message=40");
    assert_int_equal(rong_send(ann, "ppMsgP", "x", "RC:TxtMsg", "{}", 3).status, 405);
    assert_int_equal(rong_send(ann, "ppMsgP", "x", "RC:TxtMsg", "{}", 3).status, 0);
    assert_int_equal(rong_send(ann, "pgMsgP", "x", "RC:TxtMsg", "{}", 3).status, 22408);
    assert_int_equal(rong_send(ann, "pgMsgP", "x", "RC:TxtMsg", "{}", 3).status, 22408);
    assert_int_equal(rong_send(ann, "ppMsgP", "x", "RC:TxtMsg",
                               "{\"content\":\"more than forty bytes are too much\"}", 3)
                         .status,
                     20115);
    assert_int_equal(rong_send(ann, "pbMsgP", "x", "RC:TxtMsg", "{}", 3).status, 20109);
    rong_set(&server, "rate=1");
    int refused = 0;
    for (int i = 0; i < 4; i++)
        refused += rong_send(ann, "ppMsgP", "x", "RC:TxtMsg", "{}", 3).status == 20604;
    assert_true(refused >= 1);
    rong_set(&server, "");
    rong_close(ann);
}

static void arrange(const char *what)
{
    struct answer answer = ask(&server, "POST", "/sandbox/rongcloud-arrange", NULL, what);
    assert_int_equal(answer.status, 200);
    answer_free(&answer);
}

static void test_arranged(void **state)
{
    (void)state;
    struct rong *ann = rong_login(&server, "o-ann", "1");
    arrange("block o-bob o-ann");
    assert_int_equal(rong_send(ann, "ppMsgP", "o-bob", "RC:TxtMsg", "{}", 3).status, 405);
    arrange("unblock o-bob o-ann");
    assert_int_equal(rong_send(ann, "ppMsgP", "o-bob", "RC:TxtMsg", "{}", 3).status, 0);
    arrange("mute o-group o-ann");
    assert_int_equal(rong_send(ann, "pgMsgP", "o-group", "RC:TxtMsg", "{}", 3).status, 22408);
    arrange("unmute o-group o-ann");
    arrange("leave o-group o-ann");
    assert_int_equal(rong_send(ann, "pgMsgP", "o-group", "RC:TxtMsg", "{}", 3).status, 22406);
    arrange("join o-group o-ann");
    arrange("mute o-group *");
    assert_int_equal(rong_send(ann, "pgMsgP", "o-group", "RC:TxtMsg", "{}", 3).status, 22408);
    arrange("unmute o-group *");
    assert_int_equal(rong_send(ann, "pgMsgP", "o-group", "RC:TxtMsg", "{}", 3).status, 0);
    rong_close(ann);
}

/* What the server counts of realtime conversations, and the list by tokens. */
static void test_realtime(void **state)
{
    (void)state;
    struct rong *ann = rong_login(&server, "q-ann", "1");
    struct rong *bob = rong_login(&server, "q-bob", "1");
    for (int i = 0; i < 3; i++)
        (void)rong_text(bob, "ppMsgP", "q-ann", "x");
    struct rong_reply last = rong_text(bob, "pgMsgP", "q-group", "y");
    (void)rong_text(ann, "pgMsgP", "q-group", "z");
    Rongcloud__SessionsAttQryInput nothing = RONGCLOUD__SESSIONS_ATT_QRY_INPUT__INIT;
    struct rong_reply got = rong_query(ann, "qrySessionsAtt", "q-ann", &nothing.base);
    Rongcloud__SessionsAttOutput *total =
        rongcloud__sessions_att_output__unpack(NULL, got.len, got.p);
    assert_non_null(total);
    assert_int_equal(total->totalunreadcount, 4);
    assert_true(total->sendboxtime > last.ts_ms);
    rongcloud__sessions_att_output__free_unpacked(total, NULL);
    mt_mem_free(got.p);
    Rongcloud__RelationQryFilter filter = RONGCLOUD__RELATION_QRY_FILTER__INIT;
    filter.has_count = true;
    filter.count = 1;
    got = rong_query(ann, "qryRelationFilter", "q-ann", &filter.base);
    Rongcloud__RelationsOutput *page = rongcloud__relations_output__unpack(NULL, got.len, got.p);
    assert_non_null(page);
    assert_int_equal(page->n_info, 1);
    assert_string_equal(page->info[0]->userid, "q-group");
    filter.pagetoken = page->pagetoken;
    assert_non_null(filter.pagetoken);
    mt_mem_free(got.p);
    got = rong_query(ann, "qryRelationFilter", "q-ann", &filter.base);
    rongcloud__relations_output__free_unpacked(page, NULL);
    page = rongcloud__relations_output__unpack(NULL, got.len, got.p);
    assert_int_equal(page->n_info, 1);
    assert_string_equal(page->info[0]->userid, "q-bob");
    assert_null(page->pagetoken);
    rongcloud__relations_output__free_unpacked(page, NULL);
    mt_mem_free(got.p);
    rong_close(ann);
    rong_close(bob);
}

static void test_room(void **state)
{
    (void)state;
    struct rong *ann = rong_login(&server, "c-ann", "1");
    struct rong *bob = rong_login(&server, "c-bob", "1");
    Rongcloud__ChrmInput in = RONGCLOUD__CHRM_INPUT__INIT;
    struct rong_reply got = rong_query(ann, "joinChrmR", "hall", &in.base);
    assert_int_equal(got.status, 23410);
    mt_mem_free(got.p);
    assert_int_equal(rong_send(ann, "chatMsg", "hall", "RC:TxtMsg", "{}", 3).status, 23406);
    got = rong_query(ann, "joinChrm", "hall", &in.base);
    assert_int_equal(got.status, 0);
    mt_mem_free(got.p);
    got = rong_query(bob, "joinChrmR", "hall", &in.base);
    assert_int_equal(got.status, 0);
    mt_mem_free(got.p);
    struct rong_reply sent = rong_text(ann, "chatMsg", "hall", "hi");
    assert_int_equal(rong_notice(bob, "s_ntf"), 2);
    Rongcloud__ChrmPullMsg pull = RONGCLOUD__CHRM_PULL_MSG__INIT;
    pull.count = 10;
    got = rong_query(bob, "chrmPull", "hall", &pull.base);
    Rongcloud__ChrmDownStreamMessages *page =
        rongcloud__chrm_down_stream_messages__unpack(NULL, got.len, got.p);
    assert_non_null(page);
    assert_int_equal(page->n_list, 1);
    assert_int_equal(page->synctime, sent.ts_ms);
    Rongcloud__DownStreamMessage *message =
        rongcloud__down_stream_message__unpack(NULL, page->list[0].len, page->list[0].data);
    assert_non_null(message);
    rong_is_text(message, "hi");
    rongcloud__down_stream_message__free_unpacked(message, NULL);
    rongcloud__chrm_down_stream_messages__free_unpacked(page, NULL);
    mt_mem_free(got.p);
    got = rong_query(bob, "exitChrm", "hall", &in.base);
    assert_int_equal(got.status, 0);
    mt_mem_free(got.p);
    assert_int_equal(rong_send(bob, "chatMsg", "hall", "RC:TxtMsg", "{}", 3).status, 23406);
    rong_close(ann);
    rong_close(bob);
}

static void test_attachment(void **state)
{
    (void)state;
    struct rong *ann = rong_login(&server, "a-ann", "1");
    char body[1024];
    Rongcloud__GetQNupTokenInput in = RONGCLOUD__GET_QNUP_TOKEN_INPUT__INIT;
    in.type = RONGCLOUD__FILE_TYPE__FT_FILE;
    struct rong_reply got = rong_query(ann, "qnTkn", "a-ann", &in.base);
    Rongcloud__GetQNupTokenOutput *out =
        rongcloud__get_qnup_token_output__unpack(NULL, got.len, got.p);
    assert_non_null(out);
    (void)snprintf(body, sizeof body,
                   "--b\r\nContent-Disposition: form-data; name=\"token\"\r\n\r\n%s\r\n"
                   "--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\na b.txt\r\n"
                   "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n"
                   "Content-Type: text/plain\r\n\r\nthe bytes\r\n--b--\r\n",
                   out->token);
    rongcloud__get_qnup_token_output__free_unpacked(out, NULL);
    mt_mem_free(got.p);
    struct answer answer = ask_raw(&server, "POST", "/rongcloud/upload", NULL,
                                   "multipart/form-data; boundary=b", body, strlen(body));
    assert_int_equal(answer.status, 200);
    answer_free(&answer);
    Rongcloud__GetDownloadUrlInput url_in = RONGCLOUD__GET_DOWNLOAD_URL_INPUT__INIT;
    url_in.type = RONGCLOUD__FILE_TYPE__FT_FILE;
    url_in.key = TEXT("a b.txt");
    got = rong_query(ann, "qnUrl", "a-ann", &url_in.base);
    Rongcloud__GetDownloadUrlOutput *url =
        rongcloud__get_download_url_output__unpack(NULL, got.len, got.p);
    assert_non_null(url);
    const char *path = strchr(url->downloadurl + strlen("http://"), '/');
    answer = ask(&server, "GET", path, NULL, NULL);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.body, "the bytes");
    answer_free(&answer);
    rongcloud__get_download_url_output__free_unpacked(url, NULL);
    mt_mem_free(got.p);
    body[70] ^= 1; /* another token */
    answer = ask_raw(&server, "POST", "/rongcloud/upload", NULL, "multipart/form-data; boundary=b",
                     body, strlen(body));
    assert_int_equal(answer.status, 401);
    answer_free(&answer);
    rong_close(ann);
}

static void test_log(void **state)
{
    (void)state;
    set_faults(&server, "log=on");
    struct answer answer = ask(&server, "POST", "/sandbox/reset-log", NULL, "");
    answer_free(&answer);
    struct rong *ann = rong_login(&server, "l-ann", "1");
    (void)rong_settle(ann);
    answer = ask(&server, "GET", "/sandbox/log", NULL, NULL);
    assert_string_equal(str_at(&answer, "0.channel"), "rongcloud");
    assert_string_equal(str_at(&answer, "0.dir"), "open");
    assert_non_null(strstr(str_at(&answer, "0.query"), "deviceId=1&"));
    assert_string_equal(str_at(&answer, "2.dir"), "up");
    assert_string_equal(str_at(&answer, "2.hex"), "c0");
    assert_string_equal(str_at(&answer, "3.hex"), "d0");
    answer_free(&answer);
    set_faults(&server, "");
    rong_close(ann);
}

int test_rong_more(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recall),         cmocka_unit_test(test_edit),
        cmocka_unit_test(test_expansion),      cmocka_unit_test(test_settings),
        cmocka_unit_test(test_unread),         cmocka_unit_test(test_receipts),
        cmocka_unit_test(test_older_receipts), cmocka_unit_test(test_ultra),
        cmocka_unit_test(test_pages),          cmocka_unit_test(test_faults_of_frames),
        cmocka_unit_test(test_refusals),       cmocka_unit_test(test_room),
        cmocka_unit_test(test_attachment),     cmocka_unit_test(test_log),
        cmocka_unit_test(test_arranged),       cmocka_unit_test(test_realtime),
    };
    return cmocka_run_group_tests_name("rongcloud, more", tests, setup, teardown);
}

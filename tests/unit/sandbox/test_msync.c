/* The MSYNC side over real WebSockets, with frames made by protobuf-c. */
#include "tests.h"

#include "../bytes.h"

#include "client.h"

#include "base/mem.h"
#include "base/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define B "/sandbox/demo"

static struct server SERVER;

static int start(void **state)
{
    static struct mt_sandbox_options options;
    (void)state;
    options = (struct mt_sandbox_options){0};
    server_start(&SERVER, &options);
    return 0;
}

static int start_strict(void **state)
{
    static struct mt_sandbox_options options;
    (void)state;
    options = (struct mt_sandbox_options){.strict_users = true, .faults = "registered=ann|ben"};
    server_start(&SERVER, &options);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    server_stop(&SERVER);
    return 0;
}

static void expect_ok(Easemob__Pb__CommSyncDL *sync, uint64_t *id)
{
    assert_non_null(sync->status);
    if (sync->status->errorcode != 0)
        fail_msg("refused: %d %s", sync->status->errorcode, sync->status->reason);
    assert_true(sync->timestamp > UINT64_C(1600000000000));
    if (id != NULL)
        *id = sync->serverid;
    sync_free(sync);
}

static void expect_refusal(Easemob__Pb__CommSyncDL *sync, int code, const char *reason)
{
    assert_int_equal(sync->status->errorcode, code);
    assert_string_equal(sync->status->reason, reason);
    sync_free(sync);
}

static uint64_t send_text(struct socket *socket, const char *to, bool group, const char *text)
{
    uint64_t id = 0;
    expect_ok(msync_text(socket, to, group, text), &id);
    return id;
}

/* The body of the i-th meta of a batch. */
static Easemob__Pb__MessageBody *body_of(const Easemob__Pb__CommSyncDL *sync, size_t i)
{
    assert_true(i < sync->n_metas);
    Easemob__Pb__MessageBody *body = easemob__pb__message_body__unpack(
        NULL, sync->metas[i]->payload.len, sync->metas[i]->payload.data);
    assert_non_null(body);
    return body;
}

static void free_body(Easemob__Pb__MessageBody *body)
{
    easemob__pb__message_body__free_unpacked(body, NULL);
}

/* Waits for a NOTICE of that queue, then pulls until it is empty; returns the first batch. */
static Easemob__Pb__CommSyncDL *drain(struct socket *socket, const char *queue, bool group)
{
    Easemob__Pb__MSync *frame = msync_receive(socket, EASEMOB__PB__MSYNC__COMMAND__NOTICE);
    assert_non_null(frame);
    Easemob__Pb__CommNotice *notice =
        easemob__pb__comm_notice__unpack(NULL, frame->payload.len, frame->payload.data);
    assert_string_equal(notice->queue->name, queue);
    assert_string_equal(notice->queue->domain, group ? "conference.easemob.com" : "easemob.com");
    easemob__pb__comm_notice__free_unpacked(notice, NULL);
    easemob__pb__msync__free_unpacked(frame, NULL);
    Easemob__Pb__CommSyncDL *first = msync_pull(socket, queue, group, 0);
    uint64_t key = first->nextkey;
    if (first->islast)
        fail_msg("nothing for %s of %s", queue, socket->user);
    for (;;) {
        Easemob__Pb__CommSyncDL *more = msync_pull(socket, queue, group, key);
        bool last = more->islast;
        assert_true(last ? more->n_metas == 0 : more->nextkey > key);
        key = more->nextkey;
        sync_free(more);
        if (last)
            return first;
    }
}

static void provision_case(const char *path, const char *user, const char *token, bool new_style,
                           int code, const char *reason)
{
    struct socket socket = socket_open(&SERVER, path);
    assert_true(socket.fd >= 0);
    if (strcmp(path, "/websocket") != 0) {
        size_t len = 0;
        uint8_t *open = socket_receive(&socket, &len);
        assert_int_equal(len, 1);
        assert_int_equal(open[0], 'o');
        mt_mem_free(open);
        socket.sockjs = true;
    }
    Easemob__Pb__Provision *answer = msync_provision(&socket, user, token, "web_1", new_style);
    assert_int_equal(answer->status->errorcode, code);
    if (code == 0) {
        assert_string_equal(answer->resource, "web_1");
        assert_true(mt_str_starts(answer->authtoken, "{\"expires_in\":1"));
        assert_int_equal(strlen(answer->authtoken), strlen("{\"expires_in\":1795810921483}"));
        assert_int_equal(answer->n_protocolcompresstype, 0);
    } else {
        assert_string_equal(answer->status->reason, reason);
    }
    easemob__pb__provision__free_unpacked(answer, NULL);
    socket_close(&socket);
}

static void test_provision(void **state)
{
    (void)state;
    static const char SOCKJS[] = "/ws/503/305kuzw3/websocket";
    char *token = login_token(&SERVER, "alice");
    provision_case("/websocket", "alice", token, true, 0, NULL);
    provision_case("/websocket", "alice", token, false, 0, NULL);
    provision_case("/websocket", "ALICE", token, true, 0, NULL);
    provision_case(SOCKJS, "alice", token, false, 0, NULL);
    provision_case(SOCKJS, "alice", "sandbox-alice", true, 0, NULL);
    provision_case("/websocket", "bob", token, true, 1,
                   "Sorry, token or password does not match login info");
    provision_case("/websocket", "alice", "wrong", true, 1,
                   "Sorry, token or password does not match login info");
    set_faults(&SERVER, "expire_after=1");
    char *second = login_token(&SERVER, "alice");
    provision_case("/websocket", "alice", second, true, 0, NULL);
    provision_case("/websocket", "alice", second, true, 1, "Sorry, token expired");
    struct socket other = socket_open(&SERVER, "/elsewhere"); /* refused, or closed at once */
    size_t len = 0;
    assert_true(other.fd < 0 || socket_receive(&other, &len) == NULL);
    socket_close(&other);
    mt_mem_free(token);
    mt_mem_free(second);
}

static void test_strict(void **state)
{
    (void)state;
    provision_case("/websocket", "ann", "sandbox-ann", true, 0, NULL);
    provision_case("/websocket", "eve", "sandbox-eve", true, 1, "Sorry, user not found");
    struct socket ann = msync_login(&SERVER, "ann", "r");
    struct socket ben = msync_login(&SERVER, "ben", "r");
    expect_refusal(msync_text(&ann, "4711", true, "x"), 1, "group not found");
    struct answer answer = ask(&SERVER, "POST", B "/chatgroups", "sandbox-ann",
                               "{\"groupname\":\"g\",\"groupid\":\"4711\",\"members\":[\"eve\"]}");
    assert_int_equal(answer.status, 200);
    answer_free(&answer);
    expect_refusal(msync_text(&ben, "4711", true, "x"), 1, "not in group or chatroom");
    (void)send_text(&ann, "4711", true, "x");
    socket_close(&ann);
    socket_close(&ben);
}

static void test_single_text(void **state)
{
    (void)state;
    struct socket alice = msync_login(&SERVER, "alice", "a");
    struct socket bob = msync_login(&SERVER, "bob", "b");
    uint64_t id = send_text(&alice, "bob", false, "hello 你好");
    Easemob__Pb__CommSyncDL *batch = drain(&bob, "alice", false);
    assert_int_equal(batch->n_metas, 1);
    assert_true(batch->metas[0]->id == id);
    assert_string_equal(batch->metas[0]->from->name, "alice");
    assert_string_equal(batch->metas[0]->from->clientresource, "a");
    assert_string_equal(batch->metas[0]->to->name, "bob");
    assert_true(batch->nextkey == id);
    Easemob__Pb__MessageBody *body = body_of(batch, 0);
    assert_string_equal(body->from->name, "alice");
    assert_bytes(&body->contents[0]->text, "hello 你好");
    free_body(body);
    sync_free(batch);
    /* the author's own device gets nothing, the answer to a second pull neither */
    assert_int_equal(msync_backlog(&alice), 0);
    assert_int_equal(msync_backlog(&bob), 0);
    struct answer answer = ask(&SERVER, "GET", B "/users/bob/user_channels", "sandbox-bob", NULL);
    assert_int_equal(int_at(&answer, "data.channel_infos.0.unread_num"), 1);
    char text[24];
    (void)snprintf(text, sizeof text, "%" PRIu64, id);
    assert_string_equal(str_at(&answer, "data.channel_infos.0.meta.id"), text);
    answer_free(&answer);
    socket_close(&alice);
    socket_close(&bob);
}

/* An older client inside SockJS and a new one on the raw socket understand each other. */
static void test_sockjs_text(void **state)
{
    (void)state;
    size_t len = 0;
    struct socket old = socket_open(&SERVER, "/ws/012/abcdefgh/websocket");
    mt_mem_free(socket_receive(&old, &len));
    old.sockjs = true;
    old.user = "old";
    easemob__pb__provision__free_unpacked(
        msync_provision(&old, "old", "sandbox-old", "webim_1", false), NULL);
    struct socket new = msync_login(&SERVER, "new", "r");
    (void)send_text(&old, "new", false, "from sockjs");
    sync_free(drain(&new, "old", false));
    (void)send_text(&new, "old", false, "to sockjs");
    Easemob__Pb__CommSyncDL *batch = drain(&old, "new", false);
    Easemob__Pb__MessageBody *body = body_of(batch, 0);
    assert_bytes(&body->contents[0]->text, "to sockjs");
    free_body(body);
    sync_free(batch);
    socket_close(&old);
    socket_close(&new);
}

static void test_several_devices(void **state)
{
    (void)state;
    struct socket phone = msync_login(&SERVER, "alice", "phone");
    struct socket desk = msync_login(&SERVER, "alice", "desk");
    struct socket bob = msync_login(&SERVER, "bob", "b");
    uint64_t id = send_text(&phone, "bob", false, "one");
    Easemob__Pb__CommSyncDL *batch = drain(&desk, "bob", false); /* own message, other device */
    assert_true(batch->metas[0]->id == id);
    sync_free(batch);
    sync_free(drain(&bob, "alice", false));
    (void)send_text(&bob, "alice", false, "two");
    sync_free(drain(&phone, "bob", false));
    sync_free(drain(&desk, "bob", false));
    struct answer answer = ask(&SERVER, "GET", B "/users/alice/resources", "sandbox-alice", NULL);
    assert_int_equal(mt_json_count(at(&answer, "data")), 2);
    answer_free(&answer);
    /* the same resource again: the old connection is told and closed */
    struct socket again = msync_login(&SERVER, "alice", "phone");
    Easemob__Pb__MSync *frame = msync_receive(&phone, EASEMOB__PB__MSYNC__COMMAND__SYNC);
    Easemob__Pb__CommSyncDL *sync =
        easemob__pb__comm_sync_dl__unpack(NULL, frame->payload.len, frame->payload.data);
    assert_int_equal(sync->metas[0]->ns, EASEMOB__PB__META__NAME_SPACE__STATISTIC);
    Easemob__Pb__StatisticsBody *statistics = easemob__pb__statistics_body__unpack(
        NULL, sync->metas[0]->payload.len, sync->metas[0]->payload.data);
    assert_int_equal(statistics->operation,
                     EASEMOB__PB__STATISTICS_BODY__OPERATION__USER_LOGIN_ANOTHER_DEVICE);
    easemob__pb__statistics_body__free_unpacked(statistics, NULL);
    sync_free(sync);
    easemob__pb__msync__free_unpacked(frame, NULL);
    assert_null(msync_receive(&phone, EASEMOB__PB__MSYNC__COMMAND__SYNC));
    (void)send_text(&bob, "alice", false, "three");
    sync_free(drain(&again, "bob", false));
    socket_close(&phone);
    socket_close(&desk);
    socket_close(&bob);
    socket_close(&again);
}

static void test_offline(void **state)
{
    (void)state;
    set_faults(&SERVER, "queue_single=30,queue_group=20");
    struct socket alice = msync_login(&SERVER, "alice", "a");
    for (int i = 0; i < 80; i++) {
        char text[16];
        (void)snprintf(text, sizeof text, "m%d", i);
        (void)send_text(&alice, "bob", false, text);
    }
    struct answer answer = ask(&SERVER, "POST", B "/chatgroups", "sandbox-alice",
                               "{\"groupid\":\"77\",\"members\":[\"bob\"]}");
    answer_free(&answer);
    for (int i = 0; i < 40; i++)
        (void)send_text(&alice, "77", true, "g");
    struct socket bob = msync_login(&SERVER, "bob", "b");
    assert_int_equal(msync_backlog(&bob), 30 + 20);
    Easemob__Pb__CommSyncDL *batch = msync_pull(&bob, "alice", false, 0);
    assert_int_equal(batch->n_metas, 30);
    Easemob__Pb__MessageBody *body = body_of(batch, 0);
    assert_bytes(&body->contents[0]->text, "m50"); /* the oldest were dropped */
    free_body(body);
    uint64_t key = batch->nextkey;
    sync_free(batch);
    sync_free(msync_pull(&bob, "alice", false, key));
    assert_int_equal(msync_backlog(&bob), 20);
    socket_close(&bob);
    socket_close(&alice);
    answer = ask(&SERVER, "POST", B "/users/bob/messageroaming", "sandbox-bob",
                 "{\"queue\":\"alice@easemob.com\",\"start\":-1,\"pull_number\":50}");
    assert_int_equal(mt_json_count(at(&answer, "data.msgs")), 50); /* history has them all */
    answer_free(&answer);
}

static void test_group(void **state)
{
    (void)state;
    struct socket alice = msync_login(&SERVER, "alice", "a");
    struct socket bob = msync_login(&SERVER, "bob", "b");
    (void)send_text(&alice, "93734273351681", true, "first"); /* makes the group */
    (void)send_text(&bob, "93734273351681", true, "second");  /* joins by writing */
    Easemob__Pb__CommSyncDL *batch = drain(&alice, "93734273351681", true);
    assert_int_equal(batch->n_metas, 1);
    assert_string_equal(batch->metas[0]->to->domain, "conference.easemob.com");
    Easemob__Pb__MessageBody *body = body_of(batch, 0);
    assert_int_equal(body->type, EASEMOB__PB__MESSAGE_BODY__TYPE__GROUPCHAT);
    assert_string_equal(body->to->name, "93734273351681");
    free_body(body);
    sync_free(batch);
    struct answer answer =
        ask(&SERVER, "GET", B "/users/bob/joined_chatgroups", "sandbox-bob", NULL);
    assert_string_equal(str_at(&answer, "data.0.groupid"), "93734273351681");
    answer_free(&answer);
    socket_close(&alice);
    socket_close(&bob);
}

/* A body that only acknowledges, recalls or edits. */
static Easemob__Pb__CommSyncDL *send_ack(struct socket *socket, const char *to, bool group,
                                         Easemob__Pb__MessageBody__Type type, uint64_t id)
{
    Easemob__Pb__MessageBody__Content content = EASEMOB__PB__MESSAGE_BODY__CONTENT__INIT;
    Easemob__Pb__MessageBody__Content *contents[] = {&content};
    Easemob__Pb__MessageBody__MessageConfig config =
        EASEMOB__PB__MESSAGE_BODY__MESSAGE_CONFIG__INIT;
    Easemob__Pb__MessageBody body = EASEMOB__PB__MESSAGE_BODY__INIT;
    body.type = type;
    body.contents = contents;
    body.n_contents = 1;
    body.has_ackmessageid = id != 0;
    body.ackmessageid = id;
    if (group && type == EASEMOB__PB__MESSAGE_BODY__TYPE__READ_ACK) {
        config.has_allowgroupack = 1;
        config.allowgroupack = 1;
        body.msgconfig = &config;
    }
    return msync_uplink(socket, to, group, &body);
}

static void expect_event(struct socket *socket, const char *queue, bool group,
                         Easemob__Pb__MessageBody__Type type, uint64_t id)
{
    Easemob__Pb__CommSyncDL *batch = drain(socket, queue, group);
    assert_int_equal(batch->n_metas, 1);
    Easemob__Pb__MessageBody *body = body_of(batch, 0);
    assert_int_equal(body->type, type);
    assert_true(body->ackmessageid == id);
    free_body(body);
    sync_free(batch);
}

static int64_t unread_of(const char *user)
{
    char target[128];
    char token[64];
    (void)snprintf(target, sizeof target, B "/users/%s/user_channels", user);
    (void)snprintf(token, sizeof token, "sandbox-%s", user);
    struct answer answer = ask(&SERVER, "GET", target, token, NULL);
    int64_t n = int_at(&answer, "data.channel_infos.0.unread_num");
    answer_free(&answer);
    return n;
}

static void test_acks(void **state)
{
    (void)state;
    struct socket alice = msync_login(&SERVER, "alice", "a");
    struct socket bob = msync_login(&SERVER, "bob", "b");
    struct socket bob2 = msync_login(&SERVER, "bob", "b2");
    uint64_t id = send_text(&alice, "bob", false, "x");
    sync_free(drain(&bob, "alice", false));
    sync_free(drain(&bob2, "alice", false));
    expect_ok(send_ack(&bob, "alice", false, EASEMOB__PB__MESSAGE_BODY__TYPE__DELIVER_ACK, id),
              NULL);
    expect_event(&alice, "bob", false, EASEMOB__PB__MESSAGE_BODY__TYPE__DELIVER_ACK, id);
    expect_ok(send_ack(&bob, "alice", false, EASEMOB__PB__MESSAGE_BODY__TYPE__READ_ACK, id), NULL);
    expect_event(&alice, "bob", false, EASEMOB__PB__MESSAGE_BODY__TYPE__READ_ACK, id);
    assert_int_equal(unread_of("bob"), 1); /* a message ack leaves the conversation's count */
    expect_ok(send_ack(&bob, "alice", false, EASEMOB__PB__MESSAGE_BODY__TYPE__CHANNEL_ACK, 0),
              NULL);
    expect_event(&alice, "bob", false, EASEMOB__PB__MESSAGE_BODY__TYPE__CHANNEL_ACK, 0);
    expect_event(&bob2, "alice", false, EASEMOB__PB__MESSAGE_BODY__TYPE__CHANNEL_ACK, 0);
    assert_int_equal(unread_of("bob"), 0);
    struct answer answer = ask(&SERVER, "POST", B "/users/bob/messageroaming", "sandbox-bob",
                               "{\"queue\":\"alice@easemob.com\",\"start\":-1}");
    assert_int_equal(mt_json_count(at(&answer, "data.msgs")), 1); /* acks are no history */
    answer_free(&answer);
    socket_close(&alice);
    socket_close(&bob);
    socket_close(&bob2);
}

static uint64_t send_for_receipts(struct socket *socket, const char *group)
{
    Easemob__Pb__MessageBody__Content content = EASEMOB__PB__MESSAGE_BODY__CONTENT__INIT;
    Easemob__Pb__MessageBody__Content *contents[] = {&content};
    Easemob__Pb__MessageBody__MessageConfig config =
        EASEMOB__PB__MESSAGE_BODY__MESSAGE_CONFIG__INIT;
    Easemob__Pb__MessageBody body = EASEMOB__PB__MESSAGE_BODY__INIT;
    char text[] = "please confirm";
    uint64_t id = 0;
    body.type = EASEMOB__PB__MESSAGE_BODY__TYPE__GROUPCHAT;
    content.has_type = 1;
    SET_BYTES(&content, text, text);
    body.contents = contents;
    body.n_contents = 1;
    config.has_allowgroupack = 1;
    config.allowgroupack = 1;
    body.msgconfig = &config;
    expect_ok(msync_uplink(socket, group, true, &body), &id);
    return id;
}

/* In a group a conversation ack is heard by one's own other devices alone. */
static void test_group_channel_ack(void **state)
{
    (void)state;
    struct socket alice = msync_login(&SERVER, "alice", "a");
    struct socket bob = msync_login(&SERVER, "bob", "b");
    (void)send_text(&alice, "6", true, "one");
    (void)send_text(&bob, "6", true, "two");
    sync_free(drain(&alice, "6", true));
    struct socket bob2 = msync_login(&SERVER, "bob", "b2");
    expect_ok(send_ack(&bob, "6", true, EASEMOB__PB__MESSAGE_BODY__TYPE__CHANNEL_ACK, 0), NULL);
    expect_event(&bob2, "6", true, EASEMOB__PB__MESSAGE_BODY__TYPE__CHANNEL_ACK, 0);
    assert_int_equal(msync_backlog(&alice), 0);
    socket_close(&alice);
    socket_close(&bob);
    socket_close(&bob2);
}

static void test_group_acks(void **state)
{
    (void)state;
    struct socket alice = msync_login(&SERVER, "alice", "a");
    struct socket bob = msync_login(&SERVER, "bob", "b");
    uint64_t plain = send_text(&alice, "5", true, "no receipt wanted");
    (void)send_text(&bob, "5", true, "joined");
    sync_free(drain(&alice, "5", true));
    uint64_t id = send_for_receipts(&alice, "5");
    sync_free(drain(&bob, "5", true));
    expect_refusal(send_ack(&bob, "5", true, EASEMOB__PB__MESSAGE_BODY__TYPE__READ_ACK, plain), 1,
                   "group ack msg permission denied");
    expect_ok(send_ack(&bob, "5", true, EASEMOB__PB__MESSAGE_BODY__TYPE__READ_ACK, id), NULL);
    Easemob__Pb__CommSyncDL *batch = drain(&alice, "5", true);
    Easemob__Pb__MessageBody *body = body_of(batch, 0);
    char counts[64];
    (void)snprintf(counts, sizeof counts, "{\"%" PRIu64 "\":1}", id);
    assert_bytes(&body->ext[0]->stringvalue, counts);
    free_body(body);
    sync_free(batch);
    char target[128];
    (void)snprintf(target, sizeof target,
                   B "/chatgroups/5/acks/%" PRIu64 "?limit=500&key=undefined&_v=1", id);
    struct answer answer = ask(&SERVER, "GET", target, "sandbox-alice", NULL);
    assert_int_equal(int_at(&answer, "data.total"), 1);
    assert_string_equal(str_at(&answer, "data.userlist.0"), "bob");
    assert_true(mt_json_bool(at(&answer, "data.is_last"), false));
    answer_free(&answer);
    socket_close(&alice);
    socket_close(&bob);
}

static size_t history_n(const char *user, const char *queue)
{
    char target[128];
    char token[64];
    char body[128];
    (void)snprintf(target, sizeof target, B "/users/%s/messageroaming", user);
    (void)snprintf(token, sizeof token, "sandbox-%s", user);
    (void)snprintf(body, sizeof body, "{\"queue\":\"%s\",\"start\":-1,\"pull_number\":50}", queue);
    struct answer answer = ask(&SERVER, "POST", target, token, body);
    size_t n = mt_json_count(at(&answer, "data.msgs"));
    answer_free(&answer);
    return n;
}

static void test_recall(void **state)
{
    (void)state;
    struct socket alice = msync_login(&SERVER, "alice", "a");
    struct socket bob = msync_login(&SERVER, "bob", "b");
    uint64_t id = send_text(&alice, "bob", false, "oops");
    sync_free(drain(&bob, "alice", false));
    expect_refusal(send_ack(&bob, "alice", false, EASEMOB__PB__MESSAGE_BODY__TYPE__RECALL, id), 1,
                   "Sorry, You do not have permission");
    expect_ok(send_ack(&alice, "bob", false, EASEMOB__PB__MESSAGE_BODY__TYPE__RECALL, id), NULL);
    expect_event(&bob, "alice", false, EASEMOB__PB__MESSAGE_BODY__TYPE__RECALL, id);
    assert_int_equal(history_n("bob", "alice@easemob.com"), 0);
    assert_int_equal(history_n("alice", "bob@easemob.com"), 0);
    expect_refusal(send_ack(&alice, "bob", false, EASEMOB__PB__MESSAGE_BODY__TYPE__RECALL, id), 1,
                   "Sorry, message does not exist");
    set_faults(&SERVER, "recall_limit=1ms");
    uint64_t late = send_text(&alice, "bob", false, "too late");
    for (;;) { /* until the millisecond is over */
        Easemob__Pb__CommSyncDL *sync =
            send_ack(&alice, "bob", false, EASEMOB__PB__MESSAGE_BODY__TYPE__RECALL, late);
        if (sync->status->errorcode != 0) {
            expect_refusal(sync, 1, "exceed recall time limit");
            break;
        }
        sync_free(sync);
        late = send_text(&alice, "bob", false, "too late");
    }
    socket_close(&alice);
    socket_close(&bob);
}

static void test_edit(void **state)
{
    (void)state;
    struct socket alice = msync_login(&SERVER, "alice", "a");
    struct socket bob = msync_login(&SERVER, "bob", "b");
    uint64_t id = send_text(&alice, "bob", false, "teh");
    sync_free(drain(&bob, "alice", false));
    Easemob__Pb__MessageBody__Content content = EASEMOB__PB__MESSAGE_BODY__CONTENT__INIT;
    Easemob__Pb__MessageBody__Content *contents[] = {&content};
    Easemob__Pb__MessageBody body = EASEMOB__PB__MESSAGE_BODY__INIT;
    char text[] = "the";
    body.type = EASEMOB__PB__MESSAGE_BODY__TYPE__EDIT;
    content.has_type = 1;
    SET_BYTES(&content, text, text);
    body.contents = contents;
    body.n_contents = 1;
    body.has_editmessageid = 1;
    body.editmessageid = id;
    body.has_editscope = 1;
    body.editscope = EASEMOB__PB__MESSAGE_BODY__EDIT_SCOPE__BODY;
    Easemob__Pb__CommSyncDL *sync = msync_uplink(&alice, "bob", false, &body);
    assert_int_equal(sync->status->errorcode, 0);
    assert_int_equal(sync->metas[0]->ns, EASEMOB__PB__META__NAME_SPACE__NOTIFY);
    assert_memory_equal(sync->metas[0]->payload.data, "{\"edit_msg\":{\"count\":1,", 23);
    sync_free(sync);
    Easemob__Pb__CommSyncDL *batch = drain(&bob, "alice", false);
    Easemob__Pb__MessageBody *event = body_of(batch, 0);
    assert_int_equal(event->type, EASEMOB__PB__MESSAGE_BODY__TYPE__EDIT);
    assert_true(event->editmessageid == id);
    assert_non_null(strstr(event->meta, "\"sender\":\"alice\""));
    free_body(event);
    sync_free(batch);
    struct answer answer = ask(&SERVER, "GET", B "/users/bob/user_channels", "sandbox-bob", NULL);
    assert_non_null(
        strstr(str_at(&answer, "data.channel_infos.0.meta.payload"), "\"msg\":\"the\""));
    assert_non_null(strstr(str_at(&answer, "data.channel_infos.0.meta.payload"), "\"edit_msg\""));
    answer_free(&answer);
    for (int i = 0; i < 9; i++)
        expect_ok(msync_uplink(&alice, "bob", false, &body), NULL);
    expect_refusal(msync_uplink(&alice, "bob", false, &body), 1, "Sorry, edit limit reached");
    assert_int_equal(history_n("bob", "alice@easemob.com"), 1);
    socket_close(&alice);
    socket_close(&bob);
}

static void test_forged_names(void **state)
{
    (void)state;
    struct socket alice = msync_login(&SERVER, "alice", "a");
    struct socket bob = msync_login(&SERVER, "bob", "b");
    Easemob__Pb__JID forged = EASEMOB__PB__JID__INIT;
    Easemob__Pb__MessageBody__Content content = EASEMOB__PB__MESSAGE_BODY__CONTENT__INIT;
    Easemob__Pb__MessageBody__Content *contents[] = {&content};
    Easemob__Pb__MessageBody body = EASEMOB__PB__MESSAGE_BODY__INIT;
    char name[] = "boss";
    char text[] = "x";
    forged.name = name;
    body.type = EASEMOB__PB__MESSAGE_BODY__TYPE__CHAT;
    body.from = &forged;
    content.has_type = 1;
    SET_BYTES(&content, text, text);
    body.contents = contents;
    body.n_contents = 1;
    expect_ok(msync_uplink(&alice, "Bob", false, &body), NULL); /* capitals reach bob as well */
    Easemob__Pb__CommSyncDL *batch = drain(&bob, "alice", false);
    Easemob__Pb__MessageBody *got = body_of(batch, 0);
    assert_string_equal(got->from->name, "alice");
    assert_string_equal(got->to->name, "bob");
    free_body(got);
    sync_free(batch);
    socket_close(&alice);
    socket_close(&bob);
}

static void test_size_limit(void **state)
{
    (void)state;
    char text[6000];
    struct socket alice = msync_login(&SERVER, "alice", "a");
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    expect_refusal(msync_text(&alice, "bob", false, text), 7, "Sorry, data is too large");
    text[5000] = '\0';
    (void)send_text(&alice, "bob", false, text);
    socket_close(&alice);
}

/* A burst larger than a batch arrives whole and in order. */
static void test_burst(void **state)
{
    (void)state;
    struct socket alice = msync_login(&SERVER, "alice", "a");
    struct socket bob = msync_login(&SERVER, "bob", "b");
    enum { N = 333 };
    for (int i = 0; i < N; i++) {
        char text[16];
        (void)snprintf(text, sizeof text, "%d", i);
        (void)send_text(&alice, "bob", false, text);
    }
    uint64_t key = 0;
    int seen = 0;
    for (;;) {
        Easemob__Pb__CommSyncDL *batch = msync_pull(&bob, "alice", false, key);
        for (size_t i = 0; i < batch->n_metas; i++, seen++) {
            Easemob__Pb__MessageBody *body = body_of(batch, i);
            char want[16];
            (void)snprintf(want, sizeof want, "%d", seen);
            assert_bytes(&body->contents[0]->text, want);
            free_body(body);
        }
        key = batch->nextkey;
        bool last = batch->islast;
        sync_free(batch);
        if (last)
            break;
    }
    assert_int_equal(seen, N);
    socket_close(&alice);
    socket_close(&bob);
}

static void test_logout(void **state)
{
    (void)state;
    Easemob__Pb__Logout logout = EASEMOB__PB__LOGOUT__INIT;
    char id[] = "1795206121513:";
    uint8_t room[64];
    struct socket alice = msync_login(&SERVER, "alice", "a");
    logout.sessionid = id;
    size_t len = easemob__pb__logout__pack(&logout, room);
    msync_send(&alice, EASEMOB__PB__MSYNC__COMMAND__LOGOUT, room, len);
    Easemob__Pb__MSync *frame = msync_receive(&alice, EASEMOB__PB__MSYNC__COMMAND__LOGOUT);
    Easemob__Pb__Logout *answer =
        easemob__pb__logout__unpack(NULL, frame->payload.len, frame->payload.data);
    assert_string_equal(answer->sessionid, id);
    assert_int_equal(answer->status->errorcode, 0);
    easemob__pb__logout__free_unpacked(answer, NULL);
    easemob__pb__msync__free_unpacked(frame, NULL);
    assert_null(msync_receive(&alice, EASEMOB__PB__MSYNC__COMMAND__SYNC)); /* closed */
    socket_close(&alice);
    struct answer stats = ask(&SERVER, "GET", "/sandbox/stats", NULL, NULL);
    assert_int_equal(int_at(&stats, "online"), 0);
    answer_free(&stats);
}

static void test_notice_twice(void **state)
{
    (void)state;
    set_faults(&SERVER, "notice_twice,log=on,assign_resource");
    struct socket alice = msync_login(&SERVER, "alice", "a");
    struct socket bob = msync_login(&SERVER, "bob", "b");
    (void)send_text(&alice, "bob", false, "x");
    for (int i = 0; i < 2; i++) {
        Easemob__Pb__MSync *frame = msync_receive(&bob, EASEMOB__PB__MSYNC__COMMAND__NOTICE);
        assert_non_null(frame);
        easemob__pb__msync__free_unpacked(frame, NULL);
    }
    struct answer log = ask(&SERVER, "GET", "/sandbox/log", NULL, NULL);
    assert_string_equal(str_at(&log, "0.channel"), "ws");
    assert_string_equal(str_at(&log, "0.dir"), "up");
    assert_true(mt_str_starts(str_at(&log, "0.hex"), "0800"));
    answer_free(&log);
    socket_close(&alice);
    socket_close(&bob);
}

static void test_hostile_frames(void **state)
{
    (void)state;
    static const uint8_t JUNK[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    struct socket socket = socket_open(&SERVER, "/websocket");
    socket_send(&socket, false, JUNK, sizeof JUNK);
    size_t len = 0;
    assert_null(socket_receive(&socket, &len));
    socket_close(&socket);
    socket = socket_open(&SERVER, "/websocket"); /* speaks before it has logged in */
    msync_send(&socket, EASEMOB__PB__MSYNC__COMMAND__UNREAD, NULL, 0);
    assert_null(socket_receive(&socket, &len));
    socket_close(&socket);
    socket = socket_open(&SERVER, "/ws/1/a/websocket");
    mt_mem_free(socket_receive(&socket, &len));
    socket_send(&socket, true, "not json", 8);
    assert_null(socket_receive(&socket, &len));
    socket_close(&socket);
    struct socket alice = msync_login(&SERVER, "alice", "a");
    /* cut payloads of every length: refused or passed over, and the session lives on */
    static const uint8_t META[] = {0x0a, 0x10, 0x08, 0x05, 0x1a, 0x05, 0x12, 0x03, 'b',
                                   'o',  'b',  0x28, 0x01, 0x32, 0x03, 0x08, 0x01, 0x22};
    for (size_t i = 0; i <= sizeof META; i++)
        msync_send(&alice, EASEMOB__PB__MSYNC__COMMAND__SYNC, META, i);
    Easemob__Pb__MSync *frame = NULL;
    msync_send(&alice, EASEMOB__PB__MSYNC__COMMAND__UNREAD, NULL, 0);
    for (;;) {
        uint8_t *bytes = socket_receive(&alice, &len);
        assert_non_null(bytes);
        frame = easemob__pb__msync__unpack(NULL, len, bytes);
        mt_mem_free(bytes);
        assert_non_null(frame);
        bool done = frame->command == EASEMOB__PB__MSYNC__COMMAND__UNREAD;
        easemob__pb__msync__free_unpacked(frame, NULL);
        if (done)
            break;
    }
    socket_close(&alice);
}

int test_msync(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_provision, start, stop),
        cmocka_unit_test_setup_teardown(test_strict, start_strict, stop),
        cmocka_unit_test_setup_teardown(test_single_text, start, stop),
        cmocka_unit_test_setup_teardown(test_sockjs_text, start, stop),
        cmocka_unit_test_setup_teardown(test_several_devices, start, stop),
        cmocka_unit_test_setup_teardown(test_offline, start, stop),
        cmocka_unit_test_setup_teardown(test_group, start, stop),
        cmocka_unit_test_setup_teardown(test_acks, start, stop),
        cmocka_unit_test_setup_teardown(test_group_channel_ack, start, stop),
        cmocka_unit_test_setup_teardown(test_group_acks, start, stop),
        cmocka_unit_test_setup_teardown(test_recall, start, stop),
        cmocka_unit_test_setup_teardown(test_edit, start, stop),
        cmocka_unit_test_setup_teardown(test_forged_names, start, stop),
        cmocka_unit_test_setup_teardown(test_size_limit, start, stop),
        cmocka_unit_test_setup_teardown(test_burst, start, stop),
        cmocka_unit_test_setup_teardown(test_logout, start, stop),
        cmocka_unit_test_setup_teardown(test_notice_twice, start, stop),
        cmocka_unit_test_setup_teardown(test_hostile_frames, start, stop),
    };
    return cmocka_run_group_tests_name("msync", tests, NULL, NULL);
}

#include "rong_client.h"

#include "tests.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct answer rong_navi(const struct server *server, const char *appkey, const char *token)
{
    char type[128];
    char body[512];
    (void)snprintf(type, sizeof type, "Application/x-www-form-urlencoded\r\nRC-Appkey: %s", appkey);
    (void)snprintf(body, sizeof body, "token=%s&v=5.38.0&platfrom=browser", token);
    return ask_raw(server, "POST", "/v2/navi.json?cloud=0", NULL, type, body, strlen(body));
}

struct socket rong_dial(const struct server *server, const char *token, const char *device,
                        int version, uint8_t **frame, size_t *len)
{
    char path[512];
    (void)snprintf(path, sizeof path,
                   "/websocket?appId=sandbox&token=%s%%40&sdkVer=5.38.0&pid=&deviceId=%s&"
                   "apiVer=browser%%7CChrome%%7C120.0.0.0&protocolVer=%d",
                   token, device, version);
    struct socket socket = socket_open(server, path);
    assert_true(socket.fd >= 0);
    *frame = socket_receive(&socket, len);
    return socket;
}

struct rong *rong_login(const struct server *server, const char *user, const char *device)
{
    char token[128];
    uint8_t *frame = NULL;
    size_t len = 0;
    struct rong *rong = mt_mem_calloc(1, sizeof *rong);
    assert_non_null(rong);
    (void)snprintf(rong->user, sizeof rong->user, "%s", user);
    (void)snprintf(token, sizeof token, "sandbox-%s", user);
    rong->socket = rong_dial(server, token, device, 3, &frame, &len);
    assert_non_null(frame);
    assert_true(len > 3);
    assert_int_equal(frame[0], 0x20);
    assert_int_equal(frame[2], 0);
    mt_mem_free(frame);
    return rong;
}

void rong_close(struct rong *rong)
{
    socket_close(&rong->socket);
    for (size_t i = 0; i < rong->pending_n; i++)
        mt_mem_free(rong->pending[i].p);
    mt_mem_free(rong);
}

void rong_set(const struct server *server, const char *spec)
{
    struct answer answer = ask(server, "POST", "/sandbox/rongcloud", NULL, spec);
    assert_int_equal(answer.status, 200);
    answer_free(&answer);
}

static size_t put_text(uint8_t *at, const char *text)
{
    size_t len = strlen(text);
    at[0] = (uint8_t)(len >> 8);
    at[1] = (uint8_t)len;
    memcpy(at + 2, text, len);
    return len + 2;
}

void rong_write(struct rong *rong, uint8_t head, const char *topic, const char *target,
                const void *p, size_t len)
{
    uint8_t *frame = mt_mem_alloc(len + 512);
    size_t n = 1;
    assert_non_null(frame);
    rong->id = (uint16_t)(rong->id % 65535 + 1);
    frame[0] = head;
    n += put_text(frame + n, topic);
    n += put_text(frame + n, target);
    frame[n++] = (uint8_t)(rong->id >> 8);
    frame[n++] = (uint8_t)rong->id;
    if (len != 0)
        memcpy(frame + n, p, len);
    socket_send(&rong->socket, false, frame, n + len);
    mt_mem_free(frame);
}

static uint32_t u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void keep(struct rong *rong, uint8_t *p, size_t len)
{
    assert_true(rong->pending_n < RONG_PENDING);
    rong->pending[rong->pending_n++] = (struct rong_frame){.p = p, .len = len};
}

/* The answer with our id; what comes before it is kept. */
static struct rong_reply reply(struct rong *rong, uint8_t head)
{
    struct rong_reply out = {.status = -1};
    for (;;) {
        size_t len = 0;
        uint8_t *p = socket_receive(&rong->socket, &len);
        if (p == NULL)
            return out;
        if (p[0] != head || len < 9 || (p[1] << 8 | p[2]) != rong->id) {
            keep(rong, p, len);
            continue;
        }
        out.status = p[7] << 8 | p[8];
        if (head == 0x62) {
            out.len = len - 9;
            out.p = mt_mem_alloc(out.len + 1);
            assert_non_null(out.p);
            memcpy(out.p, p + 9, out.len);
        } else {
            size_t uid_len = (size_t)(p[11] << 8 | p[12]);
            assert_int_equal(len, 13 + uid_len);
            assert_true(uid_len < sizeof out.uid);
            memcpy(out.uid, p + 13, uid_len);
            out.ts_ms = (int64_t)u32(p + 3) * 1000 + (p[9] << 8 | p[10]);
        }
        mt_mem_free(p);
        return out;
    }
}

static struct rong_reply request(struct rong *rong, uint8_t head, uint8_t answer, const char *topic,
                                 const char *target, const ProtobufCMessage *in)
{
    size_t len = in == NULL ? 0 : protobuf_c_message_get_packed_size(in);
    uint8_t *body = mt_mem_alloc(len + 1);
    assert_non_null(body);
    if (in != NULL)
        (void)protobuf_c_message_pack(in, body);
    rong_write(rong, head, topic, target, body, len);
    mt_mem_free(body);
    return reply(rong, answer);
}

struct rong_reply rong_query(struct rong *rong, const char *topic, const char *target,
                             const ProtobufCMessage *in)
{
    return request(rong, 0x50, 0x62, topic, target, in);
}

struct rong_reply rong_publish(struct rong *rong, const char *topic, const char *target,
                               const ProtobufCMessage *in)
{
    return request(rong, 0x32, 0x40, topic, target, in);
}

struct rong_reply rong_send(struct rong *rong, const char *topic, const char *target,
                            const char *name, const char *content, int session_id)
{
    Rongcloud__UpStreamMessage up = RONGCLOUD__UP_STREAM_MESSAGE__INIT;
    char classname[64];
    (void)snprintf(classname, sizeof classname, "%s", name);
    up.sessionid = session_id;
    up.classname = classname;
    up.content.data = (uint8_t *)(uintptr_t)content;
    up.content.len = strlen(content);
    up.has_optionbits = true;
    return rong_publish(rong, topic, target, &up.base);
}

struct rong_reply rong_text(struct rong *rong, const char *topic, const char *target,
                            const char *text)
{
    char content[512];
    (void)snprintf(content, sizeof content, "{\"content\":\"%s\"}", text);
    struct rong_reply sent = rong_send(rong, topic, target, "RC:TxtMsg", content, 3);
    assert_int_equal(sent.status, 0);
    assert_int_equal(strlen(sent.uid), 19);
    return sent;
}

uint8_t *rong_receive(struct rong *rong, size_t *len)
{
    if (rong->pending_n == 0)
        return socket_receive(&rong->socket, len);
    uint8_t *p = rong->pending[0].p;
    *len = rong->pending[0].len;
    rong->pending_n--;
    memmove(rong->pending, rong->pending + 1, rong->pending_n * sizeof rong->pending[0]);
    return p;
}

uint8_t *rong_pushed(struct rong *rong, const char *topic, uint8_t *head, size_t *len)
{
    for (;;) {
        uint8_t *p = rong_receive(rong, len);
        assert_non_null(p);
        size_t topic_len = (size_t)(p[5] << 8 | p[6]);
        if (p[0] >> 4 == 3 && *len > 7 + topic_len && topic_len == strlen(topic) &&
            memcmp(p + 7, topic, topic_len) == 0) {
            size_t at = 7 + topic_len;
            at += 2 + (size_t)(p[at] << 8 | p[at + 1]) + 2;
            *head = p[0];
            *len -= at;
            memmove(p, p + at, *len);
            return p;
        }
        mt_mem_free(p);
    }
}

int rong_notice(struct rong *rong, const char *topic)
{
    uint8_t head = 0;
    size_t len = 0;
    uint8_t *p = rong_pushed(rong, topic, &head, &len);
    Rongcloud__NotifyMsg *notice = rongcloud__notify_msg__unpack(NULL, len, p);
    assert_non_null(notice);
    int type = notice->type;
    rongcloud__notify_msg__free_unpacked(notice, NULL);
    mt_mem_free(p);
    return type;
}

size_t rong_settle(struct rong *rong)
{
    static const uint8_t ping = 0xc0;
    socket_send(&rong->socket, false, &ping, 1);
    for (;;) {
        size_t len = 0;
        uint8_t *p = socket_receive(&rong->socket, &len);
        assert_non_null(p);
        if (p[0] == 0xd0) {
            mt_mem_free(p);
            return rong->pending_n;
        }
        keep(rong, p, len);
    }
}

Rongcloud__DownStreamMessages *rong_pull(struct rong *rong, int64_t inbox, int64_t sendbox)
{
    Rongcloud__SyncRequestMsg in = RONGCLOUD__SYNC_REQUEST_MSG__INIT;
    in.synctime = inbox;
    in.has_ispullsend = in.ispullsend = true;
    in.has_sendboxsynctime = true;
    in.sendboxsynctime = sendbox;
    struct rong_reply got = rong_query(rong, "pullMsg", rong->user, &in.base);
    assert_int_equal(got.status, 0);
    Rongcloud__DownStreamMessages *page =
        rongcloud__down_stream_messages__unpack(NULL, got.len, got.p);
    assert_non_null(page);
    mt_mem_free(got.p);
    return page;
}

Rongcloud__HistoryMsgOuput *rong_history(struct rong *rong, const char *topic, const char *target,
                                         int64_t time, int count, int order)
{
    Rongcloud__HistoryMsgInput in = RONGCLOUD__HISTORY_MSG_INPUT__INIT;
    char id[64];
    (void)snprintf(id, sizeof id, "%s", target);
    in.targetid = id;
    in.has_time = in.has_count = in.has_order = in.has_ignorecmd = in.ignorecmd = true;
    in.time = time;
    in.count = count;
    in.order = order;
    struct rong_reply got = rong_query(rong, topic, rong->user, &in.base);
    assert_int_equal(got.status, 0);
    Rongcloud__HistoryMsgOuput *page = rongcloud__history_msg_ouput__unpack(NULL, got.len, got.p);
    assert_non_null(page);
    mt_mem_free(got.p);
    return page;
}

Rongcloud__RelationsOutput *rong_list(struct rong *rong, int count, int64_t start, int order)
{
    Rongcloud__RelationQryInput in = RONGCLOUD__RELATION_QRY_INPUT__INIT;
    in.has_count = in.has_starttime = in.has_order = true;
    in.count = count;
    in.starttime = start;
    in.order = order;
    struct rong_reply got = rong_query(rong, "qryRelationR", rong->user, &in.base);
    assert_int_equal(got.status, 0);
    Rongcloud__RelationsOutput *page = rongcloud__relations_output__unpack(NULL, got.len, got.p);
    assert_non_null(page);
    mt_mem_free(got.p);
    return page;
}

void rong_is_text(const Rongcloud__DownStreamMessage *message, const char *text)
{
    char content[512];
    (void)snprintf(content, sizeof content, "{\"content\":\"%s\"}", text);
    assert_string_equal(message->classname, "RC:TxtMsg");
    assert_int_equal(message->content.len, strlen(content));
    assert_memory_equal(message->content.data, content, strlen(content));
}

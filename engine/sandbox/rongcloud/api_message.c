/* Messages by the server API: each call is done as the client's own request of that kind, in the
 * name of the user. */
#include "sandbox/rongcloud/api_int.h"

#include "base/mem.h"
#include "base/str.h"
#include "sandbox/rongcloud/pb_int.h"
#include "sandbox/rongcloud/query_int.h"
#include "ws/server.h"

#include <stdio.h>
#include <string.h>

#define PRIVATE_MAX 1000
#define GROUP_MAX   3
#define QUERY_MAX   100
#define QUERY_BODY  ((size_t)64 * 1024)

/* Runs a topic for the user; ask->status says how it went. */
static void run(struct mt_sr_api_call *call, struct mt_sr_ask *ask, const struct mt_buf *request)
{
    struct mt_buf out;

    mt_buf_init(&out, MT_SR_FRAME_MAX);
    ask->cloud = call->cloud;
    ask->publish = true;
    ask->p = (const uint8_t *)request->data;
    ask->len = request->len;
    ask->out = &out;
    if (request->failed != MT_OK)
        ask->status = MT_SR_SERVER;
    else
        mt_sr_topic_run(ask);
    ask->out = NULL;
    mt_buf_deinit(&out);
}

static void refuse(struct mt_sr_api_call *call, uint16_t status)
{
    char text[48];

    (void)snprintf(text, sizeof text, "refused with status %u", status);
    mt_sr_api_refuse(call, status == MT_SR_SERVER ? 500 : 400, status == MT_SR_SERVER ? 1000 : 1002,
                     text);
}

/* ---------------------------------------------------------------- publish */

static bool upstream(struct mt_sr_api_call *call, struct mt_buf *out)
{
    char name[MT_SR_NAME_MAX + 1];
    char push[1025];
    size_t cap = call->form_len + 1;
    char *content = mt_mem_alloc(cap);
    int64_t flags = 0;
    bool good = content != NULL;

    good = good && mt_sr_api_need(call, "objectName", 0, name, sizeof name) &&
           mt_sr_api_need(call, "content", 0, content, cap);
    if (good) {
        flags |= mt_sr_api_number(call, "isPersisted", 1) != 0 ? MT_SR_PERSIST : 0;
        flags |= mt_sr_api_number(call, "isCounted", 1) != 0 ? MT_SR_COUNT : 0;
        flags |= mt_sr_api_number(call, "isMentioned", 0) != 0 ? MT_SR_MENTION : 0;
        mt_sr_pb_i64(out, 1, flags);
        mt_sr_pb_str(out, 2, name);
        mt_sr_pb_bytes(out, 3, content, strlen(content));
        if (mt_sr_query_get(call->form, "pushContent", push, sizeof push))
            mt_sr_pb_str(out, 4, push);
        for (size_t i = 0; strstr(call->path, "/group/") != NULL &&
                           mt_sr_query_get_nth(call->form, "toUserId", i, push, sizeof push);
             i++)
            mt_sr_pb_str(out, 6, push);
    }
    mt_mem_free(content);
    return good;
}

void mt_sr_api_publish(struct mt_sr_api_call *call)
{
    bool group = strstr(call->path, "/group/") != NULL;
    bool system = strstr(call->path, "/system/") != NULL;
    const char *topic = group ? "pgMsgP" : system ? "pbMsgP" : "ppMsgP";
    const char *key = group ? "toGroupId" : "toUserId";
    size_t max = group ? GROUP_MAX : PRIVATE_MAX;
    struct mt_sr_user *from = mt_sr_api_user(call, "fromUserId");
    char target[MT_SR_ID_MAX];
    struct mt_buf up;
    struct mt_buf rows; /* a refusal takes the place of the answer */
    struct mt_jsonw json;
    uint16_t status = 0;

    if (from == NULL)
        return;
    mt_buf_init(&up, 2 * MT_SR_CONTENT_MAX);
    mt_buf_init(&rows, MT_SR_FRAME_MAX);
    mt_jsonw_init(&json, &rows);
    mt_jsonw_array(&json);
    if (!mt_sr_api_need(call, key, 0, target, sizeof target) || !upstream(call, &up))
        goto out;
    for (size_t i = 0;
         status == 0 && i < max && mt_sr_query_get_nth(call->form, key, i, target, sizeof target);
         i++) {
        struct mt_sr_ask ask = {.user = from,
                                .topic = topic,
                                .target = target,
                                .alone = mt_sr_api_number(call, "isIncludeSender", 0) == 0};

        run(call, &ask, &up);
        status = ask.status;
        mt_jsonw_object(&json);
        mt_jsonw_key(&json, group ? "groupId" : "userId");
        mt_jsonw_str(&json, target);
        mt_jsonw_key(&json, "messageUID");
        mt_jsonw_str(&json, ask.uid);
        mt_jsonw_object_end(&json);
    }
    mt_jsonw_array_end(&json);
    if (status != 0) {
        refuse(call, status);
        goto out;
    }
    mt_sr_api_begin(call);
    mt_jsonw_key(&call->json, "messageUIDs");
    mt_jsonw_raw(&call->json, rows.data, rows.len);
    mt_sr_api_end(call);
out:
    mt_buf_deinit(&rows);
    mt_buf_deinit(&up);
}

/* ---------------------------------------------------------------- recall, clean */

static void recall_content(const struct mt_sr_api_call *call, const char *target, const char *uid,
                           struct mt_buf *out)
{
    struct mt_jsonw json;

    mt_jsonw_init(&json, out);
    mt_jsonw_object(&json);
    mt_jsonw_key(&json, "conversationType");
    mt_jsonw_i64(&json, mt_sr_api_number(call, "conversationType", 0));
    mt_jsonw_key(&json, "targetId");
    mt_jsonw_str(&json, target);
    mt_jsonw_key(&json, "messageUId");
    mt_jsonw_str(&json, uid);
    mt_jsonw_key(&json, "sentTime");
    mt_jsonw_i64(&json, mt_sr_api_number(call, "sentTime", 0));
    mt_jsonw_key(&json, "isAdmin");
    mt_jsonw_bool(&json, mt_sr_api_number(call, "isAdmin", 0) != 0);
    mt_jsonw_key(&json, "isDelete");
    mt_jsonw_bool(&json, mt_sr_api_number(call, "isDelete", 0) != 0);
    mt_jsonw_object_end(&json);
}

void mt_sr_api_recall(struct mt_sr_api_call *call)
{
    char target[MT_SR_ID_MAX];
    char uid[MT_SR_UID_MAX];
    struct mt_sr_user *from = mt_sr_api_user(call, "fromUserId");
    struct mt_buf content;
    struct mt_buf up;

    if (from == NULL || !mt_sr_api_need(call, "targetId", 0, target, sizeof target) ||
        !mt_sr_api_need(call, "messageUID", 0, uid, sizeof uid))
        return;
    mt_buf_init(&content, 4096);
    mt_buf_init(&up, 8192);
    recall_content(call, target, uid, &content);
    mt_sr_pb_i64(&up, 1, 0);
    mt_sr_pb_str(&up, 2, "RC:RcCmd");
    mt_sr_pb_bytes(&up, 3, content.data, content.len);
    struct mt_sr_ask ask = {.user = from, .topic = "recallMsg", .target = from->name};
    run(call, &ask, &up);
    mt_buf_deinit(&content);
    mt_buf_deinit(&up);
    if (ask.status != 0) {
        refuse(call, ask.status);
        return;
    }
    mt_sr_api_begin(call);
    mt_sr_api_end(call);
}

void mt_sr_api_clean(struct mt_sr_api_call *call)
{
    char target[MT_SR_ID_MAX];
    int64_t type = mt_sr_api_number(call, "conversationType", 0);
    struct mt_sr_user *from = mt_sr_api_user(call, "fromUserId");
    struct mt_buf in;

    if (from == NULL || !mt_sr_api_need(call, "targetId", 0, target, sizeof target))
        return;
    if (type != MT_SR_PRIVATE && type != MT_SR_GROUP && type != MT_SR_SYSTEM) {
        mt_sr_api_refuse(call, 400, 1002, "conversationType is not valid");
        return;
    }
    mt_buf_init(&in, 4096);
    mt_sr_pb_str(&in, 1, target);
    mt_sr_pb_i64(&in, 2, mt_sr_api_number(call, "msgTimestamp", 0));
    mt_sr_pb_i64(&in, 3, type);
    struct mt_sr_ask ask = {.user = from,
                            .topic = type == MT_SR_GROUP    ? "cleanGMsg"
                                     : type == MT_SR_SYSTEM ? "cleanSMsg"
                                                            : "cleanPMsg",
                            .target = from->name};
    run(call, &ask, &in);
    mt_buf_deinit(&in);
    if (ask.status != 0) {
        refuse(call, ask.status);
        return;
    }
    mt_sr_api_begin(call);
    mt_sr_api_end(call);
}

/* ---------------------------------------------------------------- query */

static void write_row(struct mt_sr_api_call *call, const struct mt_sr_view *view,
                      const struct mt_sr_message *message)
{
    struct mt_buf *packed = &call->cloud->inner;
    char uid[MT_SR_UID_MAX];

    mt_buf_reset(packed);
    mt_sr_message_write(&call->cloud->store, view, message, packed);
    Rongcloud__DownStreamMessage *down =
        rongcloud__down_stream_message__unpack(NULL, packed->len, (const uint8_t *)packed->data);
    if (down == NULL)
        return;
    mt_sr_uid(message, uid);
    mt_jsonw_object(&call->json);
    mt_jsonw_key(&call->json, "targetId");
    mt_jsonw_str(&call->json, view->target);
    mt_jsonw_key(&call->json, "fromUserId");
    mt_jsonw_str(&call->json, call->cloud->store.user_list[message->from]->name);
    mt_jsonw_key(&call->json, "messageUID");
    mt_jsonw_str(&call->json, uid);
    mt_jsonw_key(&call->json, "msgTime");
    mt_jsonw_i64(&call->json, message->ts_ms);
    mt_jsonw_key(&call->json, "objectName");
    mt_jsonw_str(&call->json, down->classname);
    mt_jsonw_key(&call->json, "content");
    mt_jsonw_strn(&call->json, (const char *)down->content.data, down->content.len);
    mt_jsonw_object_end(&call->json);
    rongcloud__down_stream_message__free_unpacked(down, NULL);
}

struct query {
    int64_t start_ms, end_ms, page;
    bool include_start;
};

static void answer_query(struct mt_sr_api_call *call, const struct mt_sr_view *view,
                         const struct query *q)
{
    int64_t n = 0;

    mt_sr_api_begin(call);
    mt_jsonw_key(&call->json, "data");
    mt_jsonw_array(&call->json);
    for (size_t i = 0; view != NULL && i < view->thread->n && n < q->page; i++) {
        const struct mt_sr_message *message = view->thread->messages[i];
        bool within = message->ts_ms <= q->end_ms &&
                      message->ts_ms >= q->start_ms + (q->include_start ? 0 : 1);
        if (!within || (message->flags & MT_SR_PERSIST) == 0 ||
            !mt_sr_visible(&call->cloud->store, view, message))
            continue;
        write_row(call, view, message);
        n++;
    }
    mt_jsonw_array_end(&call->json);
    mt_sr_api_end(call);
}

/* A boolean or a number; the Go SDK sends every value as a string. */
static bool truth(const struct mt_json *value)
{
    const char *text = mt_json_str(value);

    return text != NULL ? strcmp(text, "true") == 0 : mt_json_bool(value, false);
}

void mt_sr_api_query(struct mt_sr_api_call *call)
{
    int type = strstr(call->path, "/group/") != NULL ? MT_SR_GROUP : MT_SR_PRIVATE;
    struct mt_json *body = NULL;

    if (mt_json_parse(call->form, call->form_len, QUERY_BODY, &body, NULL) != MT_OK) {
        mt_sr_api_refuse(call, 400, 1002, "the body is no JSON object");
        return;
    }
    const char *name = mt_json_str(mt_json_get(body, "userId"));
    const char *target = mt_json_str(mt_json_get(body, "targetId"));
    const struct query q = {
        .start_ms = mt_json_i64(mt_json_get(body, "startTime"), 0),
        .end_ms = mt_json_i64(mt_json_get(body, "endTime"), INT64_MAX),
        .page = mt_json_i64(mt_json_get(body, "pageSize"), 10),
        .include_start = truth(mt_json_get(body, "includeStart")),
    };
    struct mt_sr_user *user = name == NULL ? NULL : mt_sr_user_get(&call->cloud->store, name);
    if (target == NULL || q.page < 1 || q.page > QUERY_MAX || q.start_ms < 0)
        mt_sr_api_refuse(call, 400, 1002, "a parameter is not valid");
    else if (user == NULL)
        mt_sr_api_refuse(call, 404, 404, "user does not exist");
    else
        answer_query(call, mt_sr_view_find(&call->cloud->store, user, type, target, NULL), &q);
    mt_json_free(body);
}

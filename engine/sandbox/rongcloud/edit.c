/* Messages that are changed after they were sent: edits and expansions. */
#include "sandbox/rongcloud/cloud_int.h"

#include "base/clock.h"
#include "codec/json.h"
#include "sandbox/rongcloud/pb_int.h"

#include <stdio.h>
#include <string.h>

#define MINUTE_MS ((int64_t)60 * 1000)

/* The message that a change names, in the conversation that it names. */
static struct mt_sr_message *named(struct mt_sr_ask *ask, const Rongcloud__MsgChangeReq *in,
                                   struct mt_sr_view **view)
{
    struct mt_sr_message *message = mt_sr_message_find(&ask->cloud->store, in->msguid);
    *view =
        mt_sr_view_find(&ask->cloud->store, ask->user, (int)in->type, in->targetid, in->buschannel);
    return *view == NULL || message == NULL || message->thread != (*view)->thread->index ||
                   !mt_sr_visible(&ask->cloud->store, *view, message)
               ? NULL
               : message;
}

static void put_name(const struct mt_sr_message *message, char name[MT_SR_NAME_MAX + 1])
{
    const char *p = "";
    size_t len = 0;
    if (!mt_sr_message_part(message, 4, &p, &len) || len > MT_SR_NAME_MAX)
        len = 0;
    memcpy(name, p, len);
    name[len] = '\0';
}

static void modify(struct mt_sr_ask *ask, const Rongcloud__MsgChangeReq *in)
{
    struct mt_sr_view *view = NULL;
    struct mt_sr_message *message = named(ask, in, &view);
    struct mt_buf *tail = &ask->cloud->inner;
    char name[MT_SR_NAME_MAX + 1];
    char when[64];
    int64_t now_ms = mt_clock_wall_ms();
    int64_t minutes = ask->cloud->options.modify_minutes;
    if (message == NULL || !in->has_content || in->content.len == 0)
        ask->status = MT_SR_PARAMETER;
    else if (message->from != ask->user->index)
        ask->status = MT_SR_NOT_OWN;
    else if (minutes > 0 && now_ms - message->ts_ms > minutes * MINUTE_MS)
        ask->status = MT_SR_TOO_OLD_TO_EDIT;
    else if (in->content.len > (size_t)ask->cloud->options.max_message)
        ask->status = MT_SR_TOO_LARGE;
    if (ask->status != 0)
        return;
    put_name(message, name);
    (void)snprintf(when, sizeof when, "{\"modify\":{\"time\":%lld}}", (long long)now_ms);
    mt_buf_reset(tail);
    mt_sr_message_rest(message, 24, 0, tail);
    mt_sr_pb_str(tail, 24, when);
    bool ultra = view->thread->type == MT_SR_ULTRA;
    if (tail->failed != MT_OK ||
        mt_sr_message_change(&ask->cloud->store, &message, name, (const char *)in->content.data,
                             in->content.len, tail->data, tail->len) != MT_OK) {
        ask->status = MT_SR_SERVER;
        return;
    }
    message->flags |= MT_SR_MODIFIED;
    if (mt_sr_change_add(ask->cloud, message, ultra ? MT_SR_CHANGE_ULTRA_EDIT : MT_SR_CHANGE_EDIT,
                         ask->user) != MT_OK)
        ask->status = MT_SR_SERVER;
    mt_sr_pb_i64(ask->out, 1, now_ms);
    size_t at = mt_sr_pb_begin(ask->out, 2);
    mt_sr_message_write(&ask->cloud->store, view, message, ask->out);
    mt_sr_pb_end(ask->out, at);
}

void mt_sr_do_modify(struct mt_sr_ask *ask)
{
    Rongcloud__MsgChangeReq *in = rongcloud__msg_change_req__unpack(NULL, ask->len, ask->p);
    if (in == NULL) {
        ask->status = MT_SR_PARAMETER;
        return;
    }
    modify(ask, in);
    rongcloud__msg_change_req__free_unpacked(in, NULL);
}

static bool dropped(const struct mt_json *change, const char *key)
{
    const struct mt_json *one = mt_json_child(mt_json_get(change, "del"));
    for (; one != NULL; one = mt_json_next(one)) {
        const char *name = mt_json_str(one);
        if (name != NULL && strcmp(name, key) == 0)
            return true;
    }
    return mt_json_get(mt_json_get(change, "put"), key) != NULL;
}

/* {"k":{"v":"value"}}: what stays of the old, then what is put. */
static void merge_expansion(const struct mt_json *old, const struct mt_json *change,
                            struct mt_buf *out)
{
    struct mt_jsonw json;
    int64_t clear = mt_json_i64(mt_json_get(change, "clear"), 0);
    const struct mt_json *one =
        clear != 0 || mt_json_bool(mt_json_get(change, "clear"), false) ? NULL : mt_json_child(old);
    mt_jsonw_init(&json, out);
    mt_jsonw_object(&json);
    for (; one != NULL; one = mt_json_next(one)) {
        const char *value = mt_json_str(mt_json_get(one, "v"));
        if (dropped(change, mt_json_key(one)))
            continue;
        mt_jsonw_key(&json, mt_json_key(one));
        mt_jsonw_object(&json);
        mt_jsonw_key(&json, "v");
        mt_jsonw_str(&json, value);
        mt_jsonw_object_end(&json);
    }
    for (one = mt_json_child(mt_json_get(change, "put")); one != NULL; one = mt_json_next(one)) {
        mt_jsonw_key(&json, mt_json_key(one));
        mt_jsonw_object(&json);
        mt_jsonw_key(&json, "v");
        mt_jsonw_str(&json, mt_json_str(one));
        mt_jsonw_object_end(&json);
    }
    mt_jsonw_object_end(&json);
}

static bool expand(struct mt_sr_cloud *cloud, struct mt_sr_message *message,
                   const struct mt_json *change)
{
    struct mt_json *old = NULL;
    struct mt_buf *tail = &cloud->inner;
    struct mt_buf *text = &cloud->scratch;
    const char *p = NULL;
    const char *content = NULL;
    size_t len = 0;
    size_t content_len = 0;
    char name[MT_SR_NAME_MAX + 1];
    if (mt_sr_message_part(message, 15, &p, &len) &&
        mt_json_parse(p, len, MT_SR_CONTENT_MAX, &old, NULL) != MT_OK)
        old = NULL;
    mt_buf_reset(tail);
    mt_buf_reset(text);
    merge_expansion(old, change, text);
    mt_json_free(old);
    put_name(message, name);
    (void)mt_sr_message_part(message, 5, &content, &content_len);
    mt_sr_message_rest(message, 15, 0, tail);
    mt_sr_pb_bytes(tail, 15, text->data, text->len);
    if (tail->failed != MT_OK || text->failed != MT_OK)
        return false;
    return mt_sr_message_change(&cloud->store, &message, name, content, content_len, tail->data,
                                tail->len) == MT_OK;
}

void mt_sr_expand_by(struct mt_sr_ask *ask, const struct mt_sr_view *view,
                     const Rongcloud__UpStreamMessage *up)
{
    struct mt_json *change = NULL;
    if (strcmp(up->classname, "RC:MsgExMsg") != 0)
        return;
    if (mt_json_parse((const char *)up->content.data, up->content.len, MT_SR_CONTENT_MAX, &change,
                      NULL) != MT_OK) {
        ask->status = MT_SR_PARAMETER;
        return;
    }
    struct mt_sr_message *message =
        mt_sr_message_find(&ask->cloud->store, mt_json_str(mt_json_get(change, "mid")));
    if (message == NULL || message->thread != view->thread->index)
        ask->status = MT_SR_NO_EXPANSION;
    else if ((message->flags & MT_SR_EXPANSION) == 0)
        ask->status = MT_SR_NOT_EXPANDABLE;
    else if (!expand(ask->cloud, message, change))
        ask->status = MT_SR_SERVER;
    mt_json_free(change);
}

/* upMsgEx: the same in an ultra group, as a request of its own. */
void mt_sr_do_expand(struct mt_sr_ask *ask)
{
    struct mt_json *change = NULL;
    struct mt_sr_view *view = NULL;
    Rongcloud__MsgChangeReq *in = rongcloud__msg_change_req__unpack(NULL, ask->len, ask->p);
    struct mt_sr_message *message = in == NULL ? NULL : named(ask, in, &view);
    if (message == NULL || !in->has_content ||
        mt_json_parse((const char *)in->content.data, in->content.len, MT_SR_CONTENT_MAX, &change,
                      NULL) != MT_OK)
        ask->status = MT_SR_PARAMETER;
    else if ((message->flags & MT_SR_EXPANSION) == 0)
        ask->status = MT_SR_NOT_EXPANDABLE;
    else if (!expand(ask->cloud, message, change) ||
             mt_sr_change_add(ask->cloud, ask->cloud->store.log[message->seq],
                              MT_SR_CHANGE_EXPANSION, ask->user) != MT_OK)
        ask->status = MT_SR_SERVER;
    mt_json_free(change);
    if (in != NULL)
        rongcloud__msg_change_req__free_unpacked(in, NULL);
}

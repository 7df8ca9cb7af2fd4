/* Recall (rongcloud.md 4.6). */
#include "sandbox/rongcloud/cloud_int.h"

#include "base/clock.h"
#include "codec/json.h"

#include <stdio.h>

/* What a history that knows of recalls shows in the message's place. */
static enum mt_rc put_notice(struct mt_sr_ask *ask, struct mt_sr_message *message,
                             const struct mt_json *content)
{
    struct mt_sr_store *store = &ask->cloud->store;
    struct mt_buf *text = &ask->cloud->inner;
    struct mt_jsonw json;
    mt_buf_reset(text);
    mt_jsonw_init(&json, text);
    mt_jsonw_object(&json);
    mt_jsonw_key(&json, "operatorId");
    mt_jsonw_str(&json, ask->user->name);
    mt_jsonw_key(&json, "recallTime");
    mt_jsonw_i64(&json, message->ts_ms);
    mt_jsonw_key(&json, "recallActionTime");
    mt_jsonw_i64(&json, mt_clock_wall_ms());
    mt_jsonw_key(&json, "admin");
    mt_jsonw_bool(&json, mt_json_bool(mt_json_get(content, "isAdmin"), false));
    mt_jsonw_key(&json, "delete");
    mt_jsonw_bool(&json, mt_json_bool(mt_json_get(content, "isDelete"), false));
    mt_jsonw_object_end(&json);
    if (text->failed != MT_OK)
        return text->failed;
    enum mt_rc rc =
        mt_sr_message_change(store, &message, "RC:RcNtf", text->data, text->len, NULL, 0);
    if (rc == MT_OK)
        message->flags &= ~(uint32_t)(MT_SR_COUNT | MT_SR_MENTION | MT_SR_EXPANSION);
    return rc;
}

static void recall(struct mt_sr_ask *ask, const Rongcloud__UpStreamMessage *up,
                   const struct mt_json *content)
{
    struct mt_sr_cloud *cloud = ask->cloud;
    int type = (int)mt_json_i64(mt_json_get(content, "conversationType"), 0);
    struct mt_sr_message *message =
        mt_sr_message_find(&cloud->store, mt_json_str(mt_json_get(content, "messageUId")));
    struct mt_sr_view *view = mt_sr_view_find(&cloud->store, ask->user, type,
                                              mt_json_str(mt_json_get(content, "targetId")),
                                              mt_json_str(mt_json_get(content, "channelId")));
    bool admin = mt_json_bool(mt_json_get(content, "isAdmin"), false) ||
                 mt_json_i64(mt_json_get(content, "isAdmin"), 0) == 1;
    bool there = view != NULL && message != NULL && view->thread->index == message->thread &&
                 (message->flags & (MT_SR_RECALLED | MT_SR_COMMAND)) == 0;
    if (there && message->from != ask->user->index && !admin)
        ask->status = MT_SR_NOT_OWN;
    else if (!there || mt_clock_wall_ms() - message->ts_ms > cloud->options.recall_ms)
        ask->status = MT_SR_CANNOT_RECALL;
    if (ask->status != 0)
        return;
    if (type == MT_SR_ULTRA) {
        message->flags |= MT_SR_RECALLED;
        ask->ts_ms = mt_clock_wall_ms();
        (void)snprintf(ask->uid, sizeof ask->uid, "Cmd:%s",
                       mt_json_str(mt_json_get(content, "messageUId")));
        if (mt_sr_change_add(cloud, message, MT_SR_CHANGE_RECALL, ask->user) != MT_OK)
            ask->status = MT_SR_SERVER;
        mt_sr_push_echo(ask, true);
        return;
    }
    if (cloud->options.recall_refactor > 0) {
        if (put_notice(ask, message, content) != MT_OK) {
            ask->status = MT_SR_SERVER;
            return;
        }
        mt_sr_accept(ask, view, up, MT_SR_COMMAND | MT_SR_NOT_LAST);
        return;
    }
    message->flags |= MT_SR_RECALLED;
    mt_sr_accept(ask, view, up, MT_SR_COMMAND);
}

void mt_sr_do_recall(struct mt_sr_ask *ask)
{
    struct mt_json *content = NULL;
    Rongcloud__UpStreamMessage *up = rongcloud__up_stream_message__unpack(NULL, ask->len, ask->p);
    if (up == NULL || mt_json_parse((const char *)up->content.data, up->content.len,
                                    MT_SR_CONTENT_MAX, &content, NULL) != MT_OK)
        ask->status = MT_SR_PARAMETER;
    else
        recall(ask, up, content);
    mt_json_free(content);
    if (up != NULL)
        rongcloud__up_stream_message__free_unpacked(up, NULL);
}

/* What clients ask for besides messages: events, edits, read states. */
#include "sandbox/rongcloud/cloud_int.h"

#include "base/clock.h"
#include "sandbox/rongcloud/pb_int.h"

#define PAGE 100

void mt_sr_view_read(struct mt_sr_cloud *cloud, struct mt_sr_view *view, int64_t upto_ms,
                     const struct mt_sr_session *by)
{
    if (upto_ms <= view->read_ms)
        return;
    view->read_ms = upto_ms;
    view->changed_ms = mt_clock_wall_ms();
    if (cloud->options.server_save_unread > 0)
        mt_sr_push_notify(view->user, by, "s_cmd", 13, view->changed_ms);
}

void mt_sr_do_pull_events(struct mt_sr_ask *ask)
{
    Rongcloud__QueryMsgChange *in = rongcloud__query_msg_change__unpack(NULL, ask->len, ask->p);
    if (in == NULL) {
        ask->status = MT_SR_PARAMETER;
        return;
    }
    int64_t upto_ms = in->synctime;
    size_t done = 0;
    bool more = false;
    for (size_t i = 0; i < ask->user->event_n; i++) {
        const struct mt_sr_event *event = &ask->user->events[i];
        if (event->ts_ms <= in->synctime)
            continue;
        more = done >= PAGE && event->ts_ms > upto_ms;
        if (more)
            break;
        mt_sr_pb_bytes(ask->out, 1, event->packed, event->len);
        upto_ms = event->ts_ms;
        done++;
    }
    mt_sr_pb_i64(ask->out, 2, upto_ms);
    mt_sr_pb_u64(ask->out, 3, more);
    rongcloud__query_msg_change__free_unpacked(in, NULL);
}

/* Edits of messages that the user can see, by the time of the edit. */
void mt_sr_do_pull_edits(struct mt_sr_ask *ask)
{
    struct mt_sr_cloud *cloud = ask->cloud;
    Rongcloud__PullModifyMsgReq *in =
        rongcloud__pull_modify_msg_req__unpack(NULL, ask->len, ask->p);
    if (in == NULL) {
        ask->status = MT_SR_PARAMETER;
        return;
    }
    int64_t version_ms = in->has_pullversion ? in->pullversion : 0;
    int64_t upto_ms = version_ms;
    size_t done = 0;
    mt_buf_reset(&cloud->inner);
    for (size_t i = 0; i < cloud->change_n && done < PAGE; i++) {
        const struct mt_sr_change *change = &cloud->changes[i];
        const struct mt_sr_message *message = cloud->store.log[change->seq];
        const struct mt_sr_view *view =
            mt_sr_view_of(&cloud->store, ask->user, cloud->store.thread_list[message->thread]);
        if (change->type != 0 || change->ts_ms <= version_ms || view == NULL ||
            !mt_sr_visible(&cloud->store, view, message))
            continue;
        size_t one = mt_sr_pb_begin(&cloud->inner, 1);
        mt_sr_pb_u64(&cloud->inner, 1, 1);
        size_t at = mt_sr_pb_begin(&cloud->inner, 2);
        mt_sr_message_write(&cloud->store, view, message, &cloud->inner);
        mt_sr_pb_end(&cloud->inner, at);
        mt_sr_pb_end(&cloud->inner, one);
        upto_ms = change->ts_ms;
        done++;
    }
    mt_sr_pb_i64(&cloud->inner, 2, upto_ms);
    mt_sr_pb_u64(&cloud->inner, 3, done < PAGE);
    mt_sr_answer_inner(ask, in->has_compress && in->compress, 4, 5);
    rongcloud__pull_modify_msg_req__free_unpacked(in, NULL);
}

/* Chat rooms: one is in them while one stays, their messages are pulled by room. */
#include "sandbox/rongcloud/cloud_int.h"

#include "base/clock.h"
#include "sandbox/rongcloud/pb_int.h"

#define PAGE_MAX 100

static struct mt_sr_view *room_view(struct mt_sr_ask *ask)
{
    struct mt_sr_view *view =
        mt_sr_view_find(&ask->cloud->store, ask->user, MT_SR_ROOM, ask->target, NULL);
    if (view == NULL || !view->member) {
        ask->status = MT_SR_NOT_IN_ROOM;
        return NULL;
    }
    return view;
}

static size_t members(const struct mt_sr_thread *thread)
{
    size_t n = 0;
    for (size_t i = 0; i < thread->view_n; i++)
        n += thread->views[i]->member;
    return n;
}

/* joinChrmR is for rooms that are there already. */
void mt_sr_do_room_join(struct mt_sr_ask *ask)
{
    struct mt_sr_store *store = &ask->cloud->store;
    bool make = ask->topic[8] != 'R';
    struct mt_sr_thread *room = mt_sr_thread_group(store, MT_SR_ROOM, ask->target, NULL, make);
    struct mt_sr_view *view = room == NULL ? NULL : mt_sr_view_make(store, ask->user, room);
    if (view == NULL) {
        ask->status = MT_SR_NO_ROOM;
        return;
    }
    view->member = true;
    view->joined_ms = mt_clock_wall_ms();
    mt_sr_pb_u64(ask->out, 1, 0);
    mt_sr_pb_i64(ask->out, 3, view->joined_ms);
    mt_sr_pb_i64(ask->out, 4, room->views[0]->joined_ms);
    mt_sr_pb_u64(ask->out, 5, members(room));
}

void mt_sr_do_room_leave(struct mt_sr_ask *ask)
{
    struct mt_sr_view *view = room_view(ask);
    if (view != NULL)
        view->member = false;
    mt_sr_pb_u64(ask->out, 1, 0);
}

void mt_sr_do_room_send(struct mt_sr_ask *ask)
{
    Rongcloud__UpStreamMessage *up = rongcloud__up_stream_message__unpack(NULL, ask->len, ask->p);
    struct mt_sr_view *view = up == NULL ? NULL : room_view(ask);
    if (up == NULL || up->content.len > (size_t)ask->cloud->options.max_message)
        ask->status = up == NULL ? MT_SR_PARAMETER : MT_SR_TOO_LARGE;
    else if (view != NULL)
        (void)mt_sr_accept(ask, view, up, 0);
    if (up != NULL)
        rongcloud__up_stream_message__free_unpacked(up, NULL);
}

/* From 0: the newest `count`; else what is newer. */
void mt_sr_do_room_pull(struct mt_sr_ask *ask)
{
    struct mt_buf *one = &ask->cloud->scratch;
    Rongcloud__ChrmPullMsg *in = rongcloud__chrm_pull_msg__unpack(NULL, ask->len, ask->p);
    struct mt_sr_view *view = in == NULL ? NULL : room_view(ask);
    if (in == NULL)
        ask->status = MT_SR_PARAMETER;
    if (view == NULL)
        goto out;
    const struct mt_sr_thread *room = view->thread;
    size_t count = in->count > 0 && in->count <= PAGE_MAX ? (size_t)in->count : PAGE_MAX;
    size_t at = in->synctime > 0  ? mt_sr_thread_after(room, in->synctime)
                : in->count == 0  ? room->n
                : room->n > count ? room->n - count
                                  : 0;
    int64_t upto_ms = in->synctime > 0 ? in->synctime : mt_clock_wall_ms();
    for (size_t done = 0; at < room->n && (done < count || room->messages[at]->ts_ms == upto_ms);
         at++) {
        upto_ms = room->messages[at]->ts_ms;
        if (room->messages[at]->from == ask->user->index ||
            !mt_sr_visible(&ask->cloud->store, view, room->messages[at]))
            continue;
        mt_buf_reset(one);
        mt_sr_message_write(&ask->cloud->store, view, room->messages[at], one);
        mt_sr_pb_bytes(ask->out, 1, one->data, one->len);
        done++;
    }
    if (upto_ms > ask->cloud->store.told_ms)
        ask->cloud->store.told_ms = upto_ms;
    mt_sr_pb_i64(ask->out, 2, upto_ms);
out:
    if (in != NULL)
        rongcloud__chrm_pull_msg__free_unpacked(in, NULL);
}

/* Which conversation is asked for stands in the target, not in the request. */
void mt_sr_do_room_history(struct mt_sr_ask *ask)
{
    Rongcloud__HistoryMsgInput *in = rongcloud__history_msg_input__unpack(NULL, ask->len, ask->p);
    if (in == NULL)
        ask->status = MT_SR_PARAMETER;
    else if (room_view(ask) != NULL)
        mt_sr_history(ask, in, MT_SR_ROOM, ask->target);
    if (in != NULL)
        rongcloud__history_msg_input__free_unpacked(in, NULL);
}

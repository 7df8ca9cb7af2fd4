/* What the server tells its clients by itself (rongcloud.md 2.5, 2.6, 4.2). */
#include "sandbox/rongcloud/cloud_int.h"

#include "base/clock.h"
#include "sandbox/rongcloud/pb_int.h"

#include <string.h>

enum { ACKED = 0x32, UNACKED = 0x30, ECHO = 0x3a };

static void publish(struct mt_sr_session *session, const char *topic, const struct mt_buf *body)
{
    int times = session->cloud->options.notice_twice > 0 ? 2 : 1;
    for (; times > 0 && body->failed == MT_OK; times--)
        mt_sr_session_publish(session, ACKED, topic, session->user->name,
                              mt_sr_session_push_id(session), body->data, body->len);
}

static void notify(struct mt_sr_session *session, const char *topic, int type, int64_t time_ms,
                   const char *room)
{
    struct mt_buf *body = &session->cloud->scratch;
    mt_buf_reset(body);
    mt_sr_pb_u64(body, 1, (uint64_t)type);
    mt_sr_pb_i64(body, 2, time_ms);
    if (room != NULL)
        mt_sr_pb_str(body, 3, room);
    publish(session, topic, body);
}

void mt_sr_push_notify(struct mt_sr_user *user, const struct mt_sr_session *but, const char *topic,
                       int type, int64_t time_ms)
{
    for (struct mt_sr_session *s = user->sessions; s != NULL; s = s->next_of_user) {
        if (s != but && !s->leaving)
            notify(s, topic, type, time_ms, NULL);
    }
}

void mt_sr_push_command(struct mt_sr_session *session, int type, int64_t time_ms)
{
    notify(session, "s_cmd", type, time_ms, NULL);
}

static void tell(struct mt_sr_session *session, const struct mt_sr_view *view,
                 const struct mt_sr_message *message)
{
    struct mt_sr_cloud *cloud = session->cloud;
    if (view->thread->type == MT_SR_ULTRA) {
        notify(session, "s_cmd", 6, message->ts_ms, NULL);
        return;
    }
    if (view->thread->type == MT_SR_ROOM) {
        notify(session, "s_ntf", 2, message->ts_ms, view->target);
        return;
    }
    if (cloud->options.open_history_msg != 0) {
        notify(session, "s_ntf", 1, message->ts_ms, NULL);
        return;
    }
    /* only then the body is looked at (rongcloud.md 4.2) */
    mt_buf_reset(&cloud->scratch);
    mt_sr_message_write(&cloud->store, view, message, &cloud->scratch);
    publish(session, "s_msg", &cloud->scratch);
    if (message->ts_ms > cloud->store.told_ms)
        cloud->store.told_ms = message->ts_ms;
}

void mt_sr_push_message(struct mt_sr_cloud *cloud, const struct mt_sr_message *message)
{
    const struct mt_sr_thread *thread = cloud->store.thread_list[message->thread];
    for (struct mt_sr_session *s = cloud->sessions; s != NULL; s = s->next) {
        if (s->user == NULL || s->leaving || s->user->index == message->from)
            continue;
        const struct mt_sr_view *view = mt_sr_view_of(&cloud->store, s->user, thread);
        if (view != NULL && view->member && mt_sr_meant_for(&cloud->store, message, s->user))
            tell(s, view, message);
    }
}

void mt_sr_push_status(struct mt_sr_cloud *cloud, const struct mt_sr_thread *thread,
                       const struct mt_sr_user *from, const struct mt_buf *body)
{
    for (struct mt_sr_session *s = cloud->sessions; s != NULL; s = s->next) {
        if (s->user == NULL || s->leaving || s->user == from)
            continue;
        const struct mt_sr_view *view = mt_sr_view_of(&cloud->store, s->user, thread);
        if (view != NULL && view->member)
            mt_sr_session_publish(s, UNACKED, "s_msg", s->user->name, mt_sr_session_push_id(s),
                                  body->data, body->len);
    }
}

void mt_sr_push_echo(struct mt_sr_ask *ask, bool confirmed)
{
    for (struct mt_sr_session *s = ask->user->sessions; s != NULL; s = s->next_of_user) {
        if (s == ask->session || s->leaving || ask->alone)
            continue;
        uint16_t id = mt_sr_session_push_id(s);
        mt_sr_session_publish(s, ECHO, ask->topic, ask->target, id, ask->p, ask->len);
        if (confirmed)
            mt_sr_session_puback(s, id, 0, ask->ts_ms, ask->uid);
    }
}

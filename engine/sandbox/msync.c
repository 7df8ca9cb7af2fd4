/* Sessions: frames in and out, what each command means, how a session ends. */
#include "sandbox/msync_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include "sandbox/record_int.h"
#include "ws/server.h"

#include <string.h>

struct mt_sb_session *mt_sb_session_new(struct mt_sandbox *sandbox, struct mt_ws_peer *peer,
                                        bool sockjs)
{
    struct mt_sb_session *session = mt_mem_calloc(1, sizeof *session);
    if (session == NULL)
        return NULL;
    session->sandbox = sandbox;
    session->peer = peer;
    session->sockjs = sockjs;
    session->next = sandbox->sessions;
    if (session->next != NULL)
        session->next->prev = session;
    sandbox->sessions = session;
    return session;
}

void mt_sb_session_free(struct mt_sb_session *session)
{
    if (session == NULL)
        return;
    if (session->device != NULL)
        mt_sb_device_offline(&session->sandbox->store, session->device);
    if (session->prev != NULL)
        session->prev->next = session->next;
    else
        session->sandbox->sessions = session->next;
    if (session->next != NULL)
        session->next->prev = session->prev;
    mt_mem_free(session);
}

static void record(struct mt_sb_session *session, bool up, const void *p, size_t len)
{
    struct mt_sandbox *sandbox = session->sandbox;
    if (sandbox->faults.log)
        mt_sb_record_frame(sandbox->record, up, session->sockjs ? "sockjs" : "ws",
                           session->device == NULL ? "" : session->device->user->name, p, len,
                           mt_clock_wall_ms());
}

void mt_sb_session_send(struct mt_sb_session *session, uint32_t command, const void *payload,
                        size_t len)
{
    uint8_t *room = mt_mem_alloc(len + 64);
    if (room == NULL)
        return;
    struct mt_sb_wire w = {.p = room, .cap = len + 64};
    mt_sb_wire_varint(&w, 1, 0);
    mt_sb_wire_varint(&w, 8, command);
    mt_sb_wire_bytes(&w, 9, payload, len);
    mt_sb_wire_varint(&w, 11, 0);
    record(session, false, w.p, w.len);
    if (session->sockjs)
        mt_sb_sockjs_send(session, w.p, w.len);
    else
        (void)mt_ws_peer_send(session->peer, true, w.p,
                              w.len); /* a full queue closes the peer itself */
    mt_mem_free(room);
}

void mt_sb_session_kick(struct mt_sb_session *session, uint32_t operation, const char *reason)
{
    struct mt_sb_store *store = &session->sandbox->store;
    mt_sb_session_statistic(session, operation, reason, NULL);
    if (session->device != NULL)
        mt_sb_device_offline(store, session->device);
    session->device = NULL;
    session->leaving = true;
    mt_ws_peer_close(session->peer, 1000);
}

void mt_sb_queue_jid(struct mt_sb_wire *w, uint32_t field, const struct mt_sb_view *view)
{
    mt_sb_wire_jid(w, field, MT_SB_APPKEY, view->id, mt_sb_view_domain(view), NULL);
}

static void on_sync(struct mt_sb_session *session, const Easemob__Pb__MSync *frame)
{
    Easemob__Pb__CommSyncUL *sync =
        easemob__pb__comm_sync_ul__unpack(NULL, frame->payload.len, frame->payload.data);
    if (sync == NULL)
        return;
    if (sync->meta != NULL && sync->meta->id != 0)
        mt_sb_msync_uplink(session, sync->meta);
    if (sync->queue != NULL && sync->queue->name != NULL)
        mt_sb_msync_pull(session, sync);
    easemob__pb__comm_sync_ul__free_unpacked(sync, NULL);
}

static void on_unread(struct mt_sb_session *session)
{
    mt_sb_msync_unread(session);
    mt_sb_msync_readers(session);
}

void mt_sb_session_frame(struct mt_sb_session *session, const void *p, size_t len)
{
    if (session->leaving || len > MT_SB_FRAME_MAX)
        return;
    session->sandbox->frame_n++;
    Easemob__Pb__MSync *frame = easemob__pb__msync__unpack(NULL, len, p);
    if (frame == NULL) {
        mt_ws_peer_close(session->peer, 1007);
        return;
    }
    record(session, true, p, len);
    if (frame->command == EASEMOB__PB__MSYNC__COMMAND__PROVISION)
        mt_sb_msync_provision(session, frame);
    else if (session->device == NULL)
        mt_ws_peer_close(session->peer, 1008); /* nobody speaks before he has logged in */
    else if (frame->command == EASEMOB__PB__MSYNC__COMMAND__UNREAD)
        on_unread(session);
    else if (frame->command == EASEMOB__PB__MSYNC__COMMAND__LOGOUT)
        mt_sb_msync_logout(session, frame);
    else if (frame->command == EASEMOB__PB__MSYNC__COMMAND__SYNC)
        on_sync(session, frame);
    easemob__pb__msync__free_unpacked(frame, NULL);
}

/* Private to the sandbox. The MSYNC side: one session per WebSocket, raw or inside SockJS. */
#ifndef MT_SANDBOX_MSYNC_INT_H
#define MT_SANDBOX_MSYNC_INT_H

#include "msync.pb-c.h"
#include "sandbox/sandbox_int.h"
#include "sandbox/wire_int.h"

struct mt_ws_peer;

#define MT_SB_FRAME_MAX ((size_t)1024 * 1024) /* one uplink frame */
#define MT_SB_BATCH     50                    /* messages in the answer to one pull */

struct mt_sb_session {
    struct mt_sandbox *sandbox;
    struct mt_ws_peer *peer;
    bool sockjs;
    bool leaving;                /* told to go: nothing it still sends is looked at */
    struct mt_sb_device *device; /* NULL before PROVISION, and after it was replaced */
    struct mt_sb_session *prev;
    struct mt_sb_session *next;
};

/* --- sessions (msync.c) --- */
struct mt_sb_session *mt_sb_session_new(struct mt_sandbox *sandbox, struct mt_ws_peer *peer,
                                        bool sockjs);
void mt_sb_session_free(struct mt_sb_session *session); /* the connection is gone */
/* One MSync frame from the client. */
void mt_sb_session_frame(struct mt_sb_session *session, const void *p, size_t len);
/* Sends MSync{version 0, command, payload, encryptType [0]}. */
void mt_sb_session_send(struct mt_sb_session *session, uint32_t command, const void *payload,
                        size_t len);
/* Ends the session with a StatisticsBody (easemob.md §1.9), then closes. */
void mt_sb_session_kick(struct mt_sb_session *session, uint32_t operation, const char *reason);
/* A StatisticsBody (easemob.md §1.9); reason and location may be NULL. */
void mt_sb_session_statistic(struct mt_sb_session *session, uint32_t operation, const char *reason,
                             const char *location);
/* Who has read the user's group messages while the user was away. */
void mt_sb_msync_readers(struct mt_sb_session *session);
/* A JID of a conversation or user of this app, as a field. */
void mt_sb_queue_jid(struct mt_sb_wire *w, uint32_t field, const struct mt_sb_view *view);

/* --- SockJS framing (sockjs.c) --- */
void mt_sb_sockjs_message(struct mt_sb_session *session, const void *p, size_t len);
void mt_sb_sockjs_send(struct mt_sb_session *session, const void *p, size_t len);
bool mt_sb_sockjs_path(const char *path); /* "/ws/123/abcdefgh/websocket" */

/* --- commands --- */
void mt_sb_msync_provision(struct mt_sb_session *session, const Easemob__Pb__MSync *frame);
void mt_sb_msync_logout(struct mt_sb_session *session, const Easemob__Pb__MSync *frame);
void mt_sb_msync_unread(struct mt_sb_session *session);
void mt_sb_msync_pull(struct mt_sb_session *session, const Easemob__Pb__CommSyncUL *sync);
void mt_sb_msync_uplink(struct mt_sb_session *session, const Easemob__Pb__Meta *meta);

/* --- an uplink meta on its way (msync_uplink.c) --- */
struct mt_sb_uplink {
    struct mt_sb_session *session;
    const Easemob__Pb__Meta *meta;
    Easemob__Pb__MessageBody *body;
    struct mt_sb_view *view; /* the sender's, on the conversation it is for */
    int64_t now_ms;
};

struct mt_sb_refusal {
    uint32_t code; /* Status.errorCode */
    const char *reason;
};

/* Answers the meta. refusal NULL: OK with server_id. notify: JSON for a metas[0] of ns 5, or NULL.
 */
void mt_sb_uplink_answer(const struct mt_sb_uplink *uplink, const struct mt_sb_refusal *refusal,
                         uint64_t server_id, int64_t ts_ms, const char *notify);
void mt_sb_uplink_refuse(const struct mt_sb_uplink *uplink, uint32_t code, const char *reason);
/* Refuses because the sandbox was told to, or for a cause that lies in the conversation, which must
 * be known; false: it may go on (refuse.c). */
bool mt_sb_uplink_ordered(const struct mt_sb_uplink *uplink);
bool mt_sb_uplink_obstructed(const struct mt_sb_uplink *uplink);
/* Puts an entry into the queue of the conversation and tells whoever is online. */
enum mt_rc mt_sb_publish(struct mt_sandbox *sandbox, struct mt_sb_thread *thread,
                         const struct mt_sb_device *author, struct mt_sb_entry *entry) MT_CHECKED;
/* Publishes the body as an event from the sender, with a new id; the meta's ext goes along. The
 * audience and device of the entry are the caller's. */
enum mt_rc mt_sb_uplink_event(const struct mt_sb_uplink *uplink,
                              const Easemob__Pb__MessageBody *body, struct mt_sb_entry *entry,
                              int64_t *ts_ms) MT_CHECKED;
/* Encodes Meta.ext as it came, tag 8, into w. */
void mt_sb_uplink_ext(const struct mt_sb_uplink *uplink, struct mt_sb_wire *w);
/* Writes the stored message anew with the content of the edit (and its ext, where its scope says
 * so); note is the JSON that history gives out with it (msync_change.c). */
enum mt_rc mt_sb_message_rewrite(struct mt_sb_store *store, struct mt_sb_message *message,
                                 const Easemob__Pb__MessageBody *edit, char *note) MT_CHECKED;
enum mt_sb_kind mt_sb_body_kind(const Easemob__Pb__MessageBody *body);
/* The message an ack, recall or edit is about; looks through all conversations of the sender when
 * it is not in the one that the meta names. *view is set to where it was found. */
struct mt_sb_message *mt_sb_uplink_message(const struct mt_sb_uplink *uplink, uint64_t id,
                                           struct mt_sb_view **view);

void mt_sb_uplink_chat(struct mt_sb_uplink *uplink);
void mt_sb_uplink_read(struct mt_sb_uplink *uplink);
void mt_sb_uplink_delivered(struct mt_sb_uplink *uplink);
void mt_sb_uplink_channel(struct mt_sb_uplink *uplink);
void mt_sb_uplink_recall(struct mt_sb_uplink *uplink);
void mt_sb_uplink_edit(struct mt_sb_uplink *uplink);
void mt_sb_uplink_room(struct mt_sb_session *session, const Easemob__Pb__Meta *meta);

#endif

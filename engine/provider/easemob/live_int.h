/* The live session, as its files see it. One WebSocket connection that is made again whenever it is
 * lost, until it is stopped or the cloud ends it (easemob.md §1.4 to §1.10, §3.1, §3.2).
 *
 * live.c: the session's life. live_frame.c: frames out and in. live_queue.c: the queues that the
 * server keeps for this user, pulled one batch after the other. live_event.c: a batch into events.
 * live_send.c: what goes out and waits for its answer. live_redirect.c: when the cloud sends a
 * login elsewhere. */
#ifndef MT_EASEMOB_LIVE_INT_H
#define MT_EASEMOB_LIVE_INT_H

#include "provider/easemob/account_int.h"
#include "provider/live.h"

#include "msync.pb-c.h"

#define MT_EM_DEVICE_MAX 96
#define MT_EM_FRAME_MAX  ((size_t)16 * 1024 * 1024)
#define MT_EM_SEEN_MAX   1024 /* ids of messages that were dealt with, to know repeats */
#define MT_EM_ROOMS_MAX  64   /* chat rooms that a session remembers, to know their recalls */

struct mt_buf;
struct mt_timer;
struct mt_ws_conn;
struct mt_em_room;
struct mt_em_send;

enum mt_em_live_stage {
    MT_EM_LIVE_ENTERING, /* waits for discovery and token */
    MT_EM_LIVE_CONNECTING,
    MT_EM_LIVE_PROVISIONING,
    MT_EM_LIVE_ONLINE,
    MT_EM_LIVE_RESTING, /* until the next attempt */
    MT_EM_LIVE_ENDED,
};

struct mt_em_queue {
    struct mt_em_queue *next;
    size_t jid_len;
    uint64_t last_key;
    bool pulling; /* a pull is on its way, or its batch is in the caller's hands */
    bool again;   /* there is more than the pull in progress covers */
    bool blocked; /* it gave messages that the caller still has from an earlier connection */
    unsigned char jid[];
};

struct mt_em_batch {
    struct mt_event_batch pub; /* first */
    struct mt_em_live *live;   /* NULL: stopped meanwhile */
    struct mt_em_batch *next;
    struct mt_arena *arena;
    struct mt_em_queue *queue; /* NULL: nothing to acknowledge */
    uint64_t next_key;         /* 0: none */
    uint64_t *ids;             /* in the arena */
    size_t ids_n;
    bool last;
    unsigned generation; /* of the connection that it came over */
};

struct mt_em_live {
    struct mt_provider_account *account;
    struct mt_live_handlers handlers;
    void *ud;
    struct mt_ws_client *ws;
    char device[MT_EM_DEVICE_MAX]; /* then the resource that the server gave us */
    char session_id[32];
    enum mt_em_live_stage stage;
    struct mt_provider_call *entering;
    struct mt_em_token *token; /* that the connection was provisioned with */
    char *redirect; /* where the cloud wants this connection to be made; NULL: as configured */
    unsigned hops_n;
    struct mt_ws_conn *conn;
    unsigned conns_n; /* that the client has not let go of */
    bool stopped;
    unsigned generation; /* counts connections */
    unsigned attempts;   /* since the last time online */
    bool announced;      /* of this connection it was told that it is there */
    int64_t lost_ms;     /* when the last announced one was lost; 0: never */
    int64_t heard_ms, heard_wall_ms, beat_ms;
    int64_t expires_ms;     /* of the token; 0: not known */
    int64_t warn_ms;        /* when to say so; INT64_MAX: it was said */
    struct mt_timer *timer; /* deadline of the stage, or the rest before the next attempt */
    struct mt_timer *beat;  /* heartbeat, deadlines of sends, expiry of the token */
    struct mt_em_queue *queues;
    unsigned queues_n, pulls_n;
    bool queues_left;            /* more were named than are kept: to be asked for again */
    struct mt_em_batch *batches; /* in the caller's hands */
    uint64_t *seen;              /* a ring that grows to MT_EM_SEEN_MAX */
    size_t seen_at, seen_n, seen_cap;
    struct mt_conversation_ref *rooms; /* a ring; made with the first */
    size_t rooms_at, rooms_n;
    struct mt_em_send *sends;  /* oldest first */
    struct mt_em_room *joined; /* chat rooms that the user has entered */
    uint64_t counter;          /* of client ids */
};

/* live.c */
enum mt_rc mt_em_live_start(struct mt_provider_account *account,
                            const struct mt_live_options *options,
                            const struct mt_live_handlers *handlers, void *ud,
                            struct mt_fault *fault) MT_CHECKED;
void mt_em_live_stop(struct mt_provider_account *account);
void mt_em_live_done(struct mt_provider_account *account, struct mt_event_batch *batch);
/* The connection is of no use any more: made again after a rest. */
void mt_em_live_lose(struct mt_em_live *live, const struct mt_fault *fault);
/* The session has ended for good. */
void mt_em_live_end(struct mt_em_live *live, enum mt_event_type type, const struct mt_fault *fault);
/* One event that is not of a queue; data may be NULL. False when memory is short. */
bool mt_em_live_tell(struct mt_em_live *live, enum mt_event_type type, const struct mt_value *data,
                     const struct mt_fault *fault);
void mt_em_live_provisioned(struct mt_em_live *live, const Easemob__Pb__Provision *answer);
/* The first list of queues of a connection came: what waits there, and that it is online. */
void mt_em_live_announce(struct mt_em_live *live, const Easemob__Pb__CommUnreadDL *dl);

/* live_redirect.c: the answer REDIRECT to a login. MT_OK: live->redirect is where to go next;
 * MT_ERR_PROTOCOL with a fault: it names no place, or there were too many. */
enum mt_rc mt_em_live_redirected(struct mt_em_live *live, const Easemob__Pb__Status *status,
                                 struct mt_fault *fault) MT_CHECKED;
/* The address of a connection as configured or discovered. */
const char *mt_em_live_address(const struct mt_em_live *live);
/* The next connection is made as configured again. */
void mt_em_live_forget_redirect(struct mt_em_live *live);

/* live_frame.c */
void mt_em_live_send_provision(struct mt_em_live *live);
void mt_em_live_send_unread(struct mt_em_live *live);
void mt_em_live_send_logout(struct mt_em_live *live);
/* A CommSyncUL. */
enum mt_rc mt_em_live_send_sync(struct mt_em_live *live, const void *payload, size_t len);
void mt_em_live_frame(struct mt_em_live *live, const void *p, size_t len);

/* live_queue.c */
void mt_em_live_notice(struct mt_em_live *live, const Easemob__Pb__JID *jid);
/* Takes the arena over. */
void mt_em_live_batch(struct mt_em_live *live, const Easemob__Pb__CommSyncDL *dl,
                      struct mt_arena *arena);
void mt_em_live_batch_done(struct mt_em_live *live, struct mt_em_batch *batch);
void mt_em_live_batch_free(struct mt_em_batch *batch);
void mt_em_live_hand_out(struct mt_em_live *live, struct mt_em_batch *batch);
/* After a new connection: what was on its way is not any more. */
void mt_em_live_queues_reset(struct mt_em_live *live);
void mt_em_live_queues_free(struct mt_em_live *live);

/* live_event.c: events made from metas, in the arena. MT_ERR_STATE: the session was ended by one of
 * them, which was told of. */
enum mt_rc mt_em_live_events(struct mt_em_live *live, Easemob__Pb__Meta *const *metas, size_t n,
                             struct mt_arena *arena, struct mt_event_batch *out) MT_CHECKED;

/* live_rooms.c: nothing in a recall or a receipt tells a chat room from a group (§3.3); what was
 * sent there before did. */
void mt_em_live_room_note(struct mt_em_live *live, const struct mt_conversation_ref *ref);
/* Makes a group that is known to be a room one. */
void mt_em_live_room_tell(const struct mt_em_live *live, struct mt_conversation_ref *ref);

/* live_send.c */
enum mt_rc mt_em_live_send(struct mt_provider_account *account, const struct mt_outgoing *message,
                           mt_sent_fn *done, void *ud, struct mt_provider_call **out);
enum mt_rc mt_em_live_refer(struct mt_provider_account *account,
                            const struct mt_reference *reference, mt_sent_fn *done, void *ud,
                            struct mt_provider_call **out);
void mt_em_live_answer(struct mt_em_live *live, const Easemob__Pb__CommSyncDL *dl);
void mt_em_live_flush(struct mt_em_live *live);   /* online: what waits goes out */
void mt_em_live_unsure(struct mt_em_live *live);  /* the connection is lost: what was sent may have
                                                     arrived or not */
void mt_em_live_overdue(struct mt_em_live *live); /* no answer, or never online in time */

/* live_join.c */
enum mt_rc mt_em_room_pack(const struct mt_provider_account *account,
                           const struct mt_reference *reference, uint64_t meta_id,
                           struct mt_buf *out, struct mt_fault *fault) MT_CHECKED;
void mt_em_room_entered(struct mt_em_live *live, const char *id);
void mt_em_room_left(struct mt_em_live *live, const char *id);
void mt_em_rooms_again(struct mt_em_live *live); /* online again: all of them are entered */
void mt_em_rooms_free(struct mt_em_live *live);

#endif

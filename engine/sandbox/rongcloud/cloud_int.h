/* Private to the RongCloud side. The running cloud, its sessions, and what a topic's handler is
 * given. */
#ifndef MT_SANDBOX_RONGCLOUD_CLOUD_INT_H
#define MT_SANDBOX_RONGCLOUD_CLOUD_INT_H

#include "base/buf.h"
#include "rongcloud.pb-c.h"
#include "sandbox/rongcloud/options_int.h"
#include "sandbox/rongcloud/rongcloud.h"
#include "sandbox/rongcloud/store_int.h"
#include "sandbox/rongcloud/token_int.h"

#define MT_SR_ANSWER_MAX ((size_t)64 * 1024 * 1024)
#define MT_SR_FRAME_MAX  ((size_t)1024 * 1024)
#define MT_SR_TOPIC_MAX  48
#define MT_SR_DEVICE_MAX 128

/* Statuses of acks, by the names of rongcloud-errors.txt. */
enum mt_sr_status {
    MT_SR_BLACKLISTED = 405,
    MT_SR_SYSTEM_ONLY = 20109,
    MT_SR_TOO_OLD_TO_EDIT = 20114,
    MT_SR_TOO_LARGE = 20115,
    MT_SR_TOO_FREQUENT = 20604,
    MT_SR_UNSUPPORTED = 20606,
    MT_SR_NO_EXPANSION = 22201,
    MT_SR_NOT_EXPANDABLE = 22202,
    MT_SR_NOT_IN_GROUP = 22406,
    MT_SR_MUTED = 22408,
    MT_SR_NOT_IN_ROOM = 23406,
    MT_SR_NO_ROOM = 23410,
    MT_SR_NOT_IN_ULTRA = 24406,
    MT_SR_CANNOT_RECALL = 25101,
    MT_SR_SERVER = 25104,
    MT_SR_NOT_OWN = 25107,
    MT_SR_PARAMETER = 26010,
    MT_SR_RECEIPT_NOT_OWN = 26320,
    MT_SR_RECEIPT_NEEDLESS = 26321,
    MT_SR_RECEIPT_NO_MESSAGE = 26322,
    MT_SR_ROAMING_OFF = 33007,
};

struct mt_sr_late;

/* A deletion that was answered, and is not done yet. */
struct mt_sr_postponed {
    struct mt_sr_postponed *next;
    struct mt_sr_view *view;
    uint64_t left; /* requests until it is done */
    size_t n;
    uint32_t seqs[];
};

struct mt_sr_session {
    struct mt_sr_cloud *cloud;
    struct mt_ws_peer *peer;
    struct mt_sr_user *user; /* NULL: not let in */
    char device[MT_SR_DEVICE_MAX];
    uint16_t client_id; /* the newest message id of the client's */
    uint16_t push_n;
    bool leaving;            /* told to go: nothing it still sends is looked at */
    struct mt_sr_late *late; /* frames that are sent later */
    struct mt_sr_session *next_of_user;
    struct mt_sr_session *prev;
    struct mt_sr_session *next;
};

struct mt_sr_cloud {
    struct mt_loop *loop;
    struct mt_sr_hooks hooks;
    struct mt_sr_options options;
    struct mt_sr_store store;
    struct mt_sr_tokens tokens;
    char *address;
    struct mt_sr_session *sessions;
    struct mt_buf answer; /* what is being answered; over HTTP too */
    struct mt_buf frame;
    struct mt_buf scratch;
    struct mt_buf inner; /* before it is compressed */
    uint64_t frame_n;
    uint64_t session_n;
    struct mt_sr_index receipts; /* seq + 1 → struct mt_sr_receipt */
    struct mt_sr_receipt **receipt_list;
    size_t receipt_n;
    size_t receipt_cap;
    struct mt_sr_change *changes; /* edits and, for ultra groups, recalls, oldest first */
    size_t change_n;
    size_t change_cap;
    struct mt_map *files; /* what was uploaded: name → struct mt_sr_file */
    size_t file_bytes;
    struct mt_sr_postponed *postponed;
    int64_t rate_ms; /* the second that is being counted */
    uint64_t rate_n;
};

/* --- one request of a client --- */
struct mt_sr_ask {
    struct mt_sr_cloud *cloud;
    struct mt_sr_session *session; /* NULL: the server API asks for the user */
    struct mt_sr_user *user;
    const char *topic;
    const char *target;
    uint16_t id;
    bool publish; /* answered by a PUBACK, else by a QUERYACK */
    const uint8_t *p;
    size_t len;
    struct mt_sr_pick pick;
    /* the answer */
    uint16_t status;
    bool silent; /* there is none */
    bool alone;  /* the user's own sessions do not hear of it */
    struct mt_buf *out;
    int64_t ts_ms;
    char uid[4 + MT_SR_UID_MAX];
};

/* --- sessions (session.c) --- */
void mt_sr_session_puback(struct mt_sr_session *session, uint16_t id, uint16_t status,
                          int64_t ts_ms, const char *uid);
/* head: 0x32 for what is acknowledged, 0x30, 0x3a for an echo (rongcloud.md 2.2). */
void mt_sr_session_publish(struct mt_sr_session *session, uint8_t head, const char *topic,
                           const char *target, uint16_t id, const void *p, size_t len);
/* An id for something that the server begins, far from those of the client's requests. */
uint16_t mt_sr_session_push_id(struct mt_sr_session *session);
/* DISCONNECT with that status, then the connection is closed. */
void mt_sr_session_kick(struct mt_sr_session *session, int status);

/* --- what the server tells (push.c) --- */
/* A NotifyMsg on s_ntf or s_cmd to the user's sessions, but for one. */
void mt_sr_push_notify(struct mt_sr_user *user, const struct mt_sr_session *but, const char *topic,
                       int type, int64_t time_ms);
/* A NotifyMsg on s_cmd to one session. */
void mt_sr_push_command(struct mt_sr_session *session, int type, int64_t time_ms);
/* Tells everybody in the message's thread but its author. */
void mt_sr_push_message(struct mt_sr_cloud *cloud, const struct mt_sr_message *message);
/* A message that is not kept, to those who are there now: a packed DownStreamMessage. */
void mt_sr_push_status(struct mt_sr_cloud *cloud, const struct mt_sr_thread *thread,
                       const struct mt_sr_user *from, const struct mt_buf *body);
/* What was asked for here, told to the user's other sessions: the same request again, and its
 * PUBACK with ask->ts_ms and uid. */
void mt_sr_push_echo(struct mt_sr_ask *ask, bool confirmed);

/* --- topics (topics.c) --- */
/* Finds the handler and runs it; an unknown topic is status 20606. */
void mt_sr_topic_run(struct mt_sr_ask *ask);
/* The conversation type that a topic's name stands for; 0: none. */
int mt_sr_topic_type(const char *topic);
/* The answer's message stands in cloud->inner, and what must be told outside of it in ask->out.
 * When the client asked for it and the cloud does it, it goes compressed into field `bytes` and the
 * flag's field is set; otherwise it is the answer as it is. */
void mt_sr_answer_inner(struct mt_sr_ask *ask, bool asked, uint32_t flag, uint32_t bytes);

/* --- shared by handlers and the server API --- */
/* Takes a message from ask->user into the view's thread, tells others and fills ask->ts_ms and
 * ask->uid; false: ask->status says why not (send.c). */
bool mt_sr_accept(struct mt_sr_ask *ask, struct mt_sr_view *view,
                  const Rongcloud__UpStreamMessage *up, uint32_t more_flags);
/* An RC:MsgExMsg changes the expansion of the message that it names, before it is handed on
 * (edit.c). */
void mt_sr_expand_by(struct mt_sr_ask *ask, const struct mt_sr_view *view,
                     const Rongcloud__UpStreamMessage *up);
/* Something happened to a message that clients learn by asking; type 0: an edit for pullModifyMsg,
 * else a MsgChange's of an ultra group. Tells those who are there (changes.c). */
enum mt_rc mt_sr_change_add(struct mt_sr_cloud *cloud, const struct mt_sr_message *message,
                            int type, const struct mt_sr_user *by) MT_CHECKED;
/* A packed EventChange for pullEventChange (changes.c). */
enum mt_rc mt_sr_event_add(struct mt_sr_user *user, int64_t ts_ms,
                           const struct mt_buf *packed) MT_CHECKED;
/* The conversation list; tokens: a page that is not the last ends with a token (list.c). */
void mt_sr_list(struct mt_sr_ask *ask, const Rongcloud__RelationQryInput *in, bool tokens);
/* Deletions that are put off by ask->pick.late requests: one more request has come; all are done
 * now; none is (world.c). */
enum mt_rc mt_sr_postpone(const struct mt_sr_ask *ask, struct mt_sr_view *view,
                          const uint32_t *seqs, size_t n) MT_CHECKED;
void mt_sr_postponed_tick(struct mt_sr_cloud *cloud);
void mt_sr_postponed_drop(struct mt_sr_cloud *cloud);
/* A page of history (history.c). */
void mt_sr_history(struct mt_sr_ask *ask, Rongcloud__HistoryMsgInput *in, int type,
                   const char *target);
/* The user has read up to then; other sessions hear of it (changes.c). */
void mt_sr_view_read(struct mt_sr_cloud *cloud, struct mt_sr_view *view, int64_t upto_ms,
                     const struct mt_sr_session *by);
/* A RelationInfo; last may be NULL (list.c). */
void mt_sr_relation_write(const struct mt_sr_cloud *cloud, const struct mt_sr_view *view,
                          const struct mt_sr_message *last, struct mt_buf *out);
/* Settings (settings.c): the view, made if there is none yet; the value gets a new version. */
struct mt_sr_view *mt_sr_view_for_setting(struct mt_sr_store *store, struct mt_sr_user *user,
                                          int type, const char *target, const char *channel);
void mt_sr_setting_put(struct mt_sr_user *user, struct mt_sr_setting *setting, const char *value);
enum mt_rc mt_sr_level_set(struct mt_sr_user *user, int type, int level) MT_CHECKED;

/* --- HTTP (navi.c, api.c) --- */
struct mt_ws_answer;
struct mt_ws_request;
/* {"code":…} */
void mt_sr_say(struct mt_sr_cloud *cloud, struct mt_ws_answer *answer, int status, int64_t code);
/* The server API (rongcloud.md 7): whether a path belongs to it; a call. */
bool mt_sr_api_is(const char *path);
void mt_sr_api(struct mt_sr_cloud *cloud, const struct mt_ws_request *request,
               struct mt_ws_answer *answer);

#define MT_SR_HANDLERS(X)                                                                          \
    X(app_bot)                                                                                     \
    X(pull_settings)                                                                               \
    X(report)                                                                                      \
    X(pull_states)                                                                                 \
    X(set_states)                                                                                  \
    X(set_type)                                                                                    \
    X(send)                                                                                        \
    X(send_status)                                                                                 \
    X(pull)                                                                                        \
    X(history)                                                                                     \
    X(by_uid)                                                                                      \
    X(delete)                                                                                      \
    X(clean)                                                                                       \
    X(clean_batch)                                                                                 \
    X(list)                                                                                        \
    X(list_batch)                                                                                  \
    X(remove)                                                                                      \
    X(recall)                                                                                      \
    X(pull_events)                                                                                 \
    X(pull_ultra_list)                                                                             \
    X(pull_ultra)                                                                                  \
    X(pull_changes)                                                                                \
    X(read_time)                                                                                   \
    X(pull_unread)                                                                                 \
    X(modify)                                                                                      \
    X(expand)                                                                                      \
    X(group_read)                                                                                  \
    X(group_readers)                                                                               \
    X(read_state)                                                                                  \
    X(read_query)                                                                                  \
    X(read_counts)                                                                                 \
    X(receipt)                                                                                     \
    X(receipt_counts)                                                                              \
    X(receipt_users)                                                                               \
    X(upload_token)                                                                                \
    X(download_url)                                                                                \
    X(quiet)                                                                                       \
    X(sessions_total)                                                                              \
    X(sessions_unread)                                                                             \
    X(sessions_delete)                                                                             \
    X(list_filtered)                                                                               \
    X(ultra_level)                                                                                 \
    X(ultra_mentions)                                                                              \
    X(room_join)                                                                                   \
    X(room_leave)                                                                                  \
    X(room_send)                                                                                   \
    X(room_pull)                                                                                   \
    X(room_history)                                                                                \
    X(pull_edits)
#define MT_SR_DECLARE(name) void mt_sr_do_##name(struct mt_sr_ask *ask);
MT_SR_HANDLERS(MT_SR_DECLARE)

/* --- receipts, changes --- */
struct mt_sr_reader {
    uint32_t user;
    int64_t ts_ms;
};
struct mt_sr_receipt {
    uint32_t seq;
    struct mt_sr_reader *readers;
    size_t n;
    size_t cap;
};
enum {
    MT_SR_CHANGE_EDIT = 0,
    MT_SR_CHANGE_EXPANSION = 1,
    MT_SR_CHANGE_ULTRA_EDIT = 2,
    MT_SR_CHANGE_RECALL = 3
};
struct mt_sr_change {
    int64_t ts_ms;
    uint32_t seq; /* the message */
    int32_t type; /* as in MsgChange; 0: an edit for pullModifyMsg */
    uint32_t by;  /* user index */
};

#endif

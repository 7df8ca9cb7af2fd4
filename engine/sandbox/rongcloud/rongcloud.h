/* The RongCloud side of the sandbox: navigation, WebSocket and data of a RongCloud cloud in memory,
 * an independent reading of its protocol. The listener is the sandbox's, which hands over what is
 * for this cloud. */
#ifndef MT_SANDBOX_RONGCLOUD_RONGCLOUD_H
#define MT_SANDBOX_RONGCLOUD_RONGCLOUD_H

#include "base/buf.h"
#include "base/rc.h"

#include <stddef.h>
#include <stdint.h>

#define MT_SR_APPKEY "sandbox"

struct mt_loop;
struct mt_ws_answer;
struct mt_ws_peer;
struct mt_ws_request;
struct mt_sr_cloud;
struct mt_sr_session; /* one WebSocket connection */

/* What goes wrong with one request or frame; who asks passes over what has no meaning there. */
enum mt_sr_trouble {
    MT_SR_TROUBLE_NONE,
    MT_SR_TROUBLE_BUSY,      /* too many requests */
    MT_SR_TROUBLE_FAIL,      /* the server failed */
    MT_SR_TROUBLE_CUT,       /* the connection ends, nothing was carried out */
    MT_SR_TROUBLE_TRUNCATE,  /* half of the answer */
    MT_SR_TROUBLE_GARBLE,    /* an answer that cannot be read */
    MT_SR_TROUBLE_SILENT,    /* no answer, no close */
    MT_SR_TROUBLE_SLOW,      /* one byte a second; HTTP only */
    MT_SR_TROUBLE_HTML,      /* a web page; HTTP only */
    MT_SR_TROUBLE_STUCK,     /* history, list, sync: the same position again */
    MT_SR_TROUBLE_REPEAT,    /* history: the page before comes again */
    MT_SR_TROUBLE_EMPTY,     /* history, list: nothing, though there is more */
    MT_SR_TROUBLE_DISORDER,  /* history: the first and the last message change places */
    MT_SR_TROUBLE_DROP,      /* history: one message in the middle is missing */
    MT_SR_TROUBLE_DUPLICATE, /* history, sync: one message comes twice */
    MT_SR_TROUBLE_LIE,       /* deletion: said to be done, and nothing is */
    MT_SR_TROUBLE_HALF,      /* deletion: every other message is left out */
    MT_SR_TROUBLE_LATE,      /* deletion: applied when `late` further requests have come */
    MT_SR_TROUBLE_LOST,      /* deletion: done, and the connection ends instead of an answer */
};
struct mt_sr_pick {
    int64_t delay_ms;
    uint64_t late;
    enum mt_sr_trouble trouble;
};

/* What only the sandbox as a whole can say. Paths are "/rongcloud/" and a topic for frames. */
struct mt_sr_hooks {
    void *ud;
    bool strict; /* groups do not come into being by being written to */
    bool (*admit)(void *ud, const char *user);
    void (*pick)(void *ud, const char *path, struct mt_sr_pick *pick);
    void (*record)(void *ud, bool up, const char *user, const void *p, size_t len);
    void (*record_open)(void *ud, const char *path, const char *query);
    /* one binary message to a WebSocket; and its end after what was sent, or (code 0) at once */
    void (*write)(void *ud, struct mt_ws_peer *peer, const void *p, size_t len);
    void (*end)(void *ud, struct mt_ws_peer *peer, uint16_t code);
    int64_t (*clock_ms)(void *ud); /* the time that a greeting says it is; 0: none */
};

/* spec: what the navigation announces, limits and this cloud's own faults, key=value,key=value
 * (docs/sandbox.md). address: "127.0.0.1:P". All is copied. */
enum mt_rc mt_sr_cloud_new(struct mt_loop *loop, const char *spec, const struct mt_sr_hooks *hooks,
                           struct mt_sr_cloud **out, struct mt_fault *fault) MT_CHECKED;
void mt_sr_cloud_free(struct mt_sr_cloud *cloud);
enum mt_rc mt_sr_cloud_address(struct mt_sr_cloud *cloud, const char *address) MT_CHECKED;
/* Replaces the spec; on failure all stays as it was. */
enum mt_rc mt_sr_cloud_configure(struct mt_sr_cloud *cloud, const char *spec,
                                 struct mt_fault *fault) MT_CHECKED;
const char *mt_sr_cloud_spec(const struct mt_sr_cloud *cloud);

/* --- what the listener hands over --- */
/* Whether the request is for this cloud; if so the answer is filled, valid until the next call. */
bool mt_sr_request(struct mt_sr_cloud *cloud, const struct mt_ws_request *request,
                   struct mt_ws_answer *answer);
/* Whether a WebSocket to that place is for this cloud. */
bool mt_sr_is_ours(const char *path, const char *query);
/* NULL: memory is short. */
struct mt_sr_session *mt_sr_session_new(struct mt_sr_cloud *cloud, struct mt_ws_peer *peer,
                                        const char *path, const char *query);
void mt_sr_session_message(struct mt_sr_session *session, bool binary, const void *p, size_t len);
void mt_sr_session_free(struct mt_sr_session *session);

/* --- data that is there from the start, in the order of time --- */
struct mt_sr_past {
    bool group;
    const char *target; /* the group, or the one to whom it is written */
    const char *from;
    int64_t ts_ms;
    const char *name; /* "RC:TxtMsg" */
    const char *content;
    size_t content_len;
    bool persist;
    bool count;
    bool receipt; /* the sender asks who reads it */
    char *id; /* not NULL: it may come between what is there, and its id is written (20 bytes) */
};
enum mt_rc mt_sr_fill(struct mt_sr_cloud *cloud, const struct mt_sr_past *past) MT_CHECKED;
enum mt_rc mt_sr_fill_member(struct mt_sr_cloud *cloud, const char *group,
                             const char *user) MT_CHECKED;

/* --- what a test looks at and changes (world.c) --- */
/* All messages are gone, and what anybody did with them. */
void mt_sr_cloud_empty(struct mt_sr_cloud *cloud);
/* Where a listing goes on: a user, a conversation of his, a message of that. */
struct mt_sr_cursor {
    uint64_t user;
    uint64_t view;
    uint64_t message;
};
/* Appends what users (NULL: all of them) would find in their own histories, a line of JSON each,
 * until `out` holds about `max` bytes. True: that was all. Postponed deletions are done first. */
bool mt_sr_cloud_view(struct mt_sr_cloud *cloud, const char *user, struct mt_sr_cursor *cursor,
                      size_t max, struct mt_buf *out);
/* Another text for the message; false: there is none with that id. */
bool mt_sr_cloud_edit(struct mt_sr_cloud *cloud, const char *id, const char *text);
/* Takes the message from everybody. */
bool mt_sr_cloud_recall(struct mt_sr_cloud *cloud, const char *id);
/* Puts the user's conversation at the top of the list, or takes it from there. */
bool mt_sr_cloud_pin(struct mt_sr_cloud *cloud, const char *user, bool group, const char *target,
                     bool on);

/* --- control --- */
struct mt_sr_stats {
    uint64_t users;
    uint64_t conversations;
    uint64_t messages;
    uint64_t online;
    uint64_t bytes;
    uint64_t frames;
};
void mt_sr_cloud_stats(const struct mt_sr_cloud *cloud, struct mt_sr_stats *stats);
/* Ends every WebSocket at once; how many. */
size_t mt_sr_cloud_cut(struct mt_sr_cloud *cloud);
/* Sends DISCONNECT with that status to the sessions of the user (NULL: of everybody), and closes.
 */
size_t mt_sr_cloud_kick(struct mt_sr_cloud *cloud, const char *user, int status);

/* What in life the app's server arranges: "block WHO WHOM" and "unblock", "mute GROUP USER" and
 * "unmute" ("*": everybody), "join GROUP USER" and "leave". False: it is none of these, or memory
 * is short. */
bool mt_sr_cloud_arrange(struct mt_sr_cloud *cloud, const char *verb, const char *a, const char *b);

#endif

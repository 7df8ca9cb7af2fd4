/* Private to the RongCloud side. What the cloud remembers: users, threads (the message log that the
 * members of a chat share) and views (what one user sees of one thread). Plain memory, one thread,
 * no I/O. A message is packed once, whoever reads it; nothing is kept per member and message, so
 * that a message to a group of thousands costs no more than one to a friend. */
#ifndef MT_SANDBOX_RONGCLOUD_STORE_INT_H
#define MT_SANDBOX_RONGCLOUD_STORE_INT_H

#include "base/buf.h"
#include "base/map.h"
#include "base/rc.h"
#include "sandbox/rongcloud/index_int.h"

#include <stddef.h>
#include <stdint.h>

#define MT_SR_ID_MAX      129 /* longest user, group or channel id, with NUL */
#define MT_SR_UID_MAX     20  /* "XXXX-XXXX-XXXX-XXXX" with NUL */
#define MT_SR_NAME_MAX    128 /* longest object name */
#define MT_SR_CONTENT_MAX ((size_t)131072)

/* Another name of the empty channel (rongcloud.md 1.2, ugDriven). */
#define MT_SR_DEFAULT_CHANNEL "RCDefault"

/* Numbers of conversation types, which are the protocol's (rongcloud.md 3). */
enum mt_sr_type {
    MT_SR_PRIVATE = 1,
    MT_SR_GROUP = 3,
    MT_SR_ROOM = 4,
    MT_SR_SERVICE = 5,
    MT_SR_SYSTEM = 6,
    MT_SR_APP_PUBLIC = 7,
    MT_SR_PUBLIC = 8,
    MT_SR_ULTRA = 10,
};

enum mt_sr_message_flags {
    MT_SR_PERSIST = 1, /* as the sender's sessionId says it (rongcloud.md 4.4) */
    MT_SR_COUNT = 2,
    MT_SR_MENTION = 4,
    MT_SR_SILENT = 32,
    MT_SR_EXPANSION = 64,
    MT_SR_COMMAND = 0x100,   /* RC:RcCmd: not in a history that asks without commands */
    MT_SR_NOT_LAST = 0x200,  /* does not become the conversation's latest message */
    MT_SR_RECALLED = 0x400,  /* gone from everybody's history */
    MT_SR_RECEIPT = 0x800,   /* its sender wants to know who reads it */
    MT_SR_MODIFIED = 0x1000, /* was edited */
};

struct mt_sr_message {
    int64_t ts_ms;
    uint32_t seq; /* over the whole cloud */
    uint32_t thread;
    uint32_t from; /* user index */
    uint32_t to;   /* 0: everybody; else the number of the list of those it is for */
    uint32_t flags;
    uint32_t len;
    uint8_t packed[]; /* what of the DownStreamMessage is the same for everybody */
};

struct mt_sr_user {
    uint32_t index;
    char *name;
    struct mt_sr_view **views;
    size_t view_n;
    size_t view_cap;
    struct mt_sr_session *sessions; /* that are connected */
    uint32_t *blocked;              /* indices of those who cannot write to this user */
    size_t blocked_n;
    size_t blocked_cap;
    char *shown, *portrait;      /* as its pushes show it; NULL: nobody has said */
    int64_t tokens_before_ms;    /* tokens made before are over */
    int64_t settings_version_ms; /* the newest change of settings of conversations */
    struct mt_sr_level *levels;  /* notification levels of whole types */
    size_t level_n;
    size_t level_cap;
    struct mt_sr_event *events; /* for pullEventChange, oldest first */
    size_t event_n;
    size_t event_cap;
    struct mt_sr_span *quiet; /* the do-not-disturb period; NULL: none */
};

struct mt_sr_level {
    int32_t type;
    int32_t level;
    int64_t ts_ms;
};

/* Something that a client learns by pullEventChange: a packed EventChange. */
struct mt_sr_event {
    int64_t ts_ms;
    uint8_t *packed;
    size_t len;
};

struct mt_sr_span {
    char start[32];
    int32_t minutes;
    int32_t level;
    char zone[64];
};

/* What a user has set for one conversation (rongcloud.md 5.1). */
struct mt_sr_setting {
    bool set;
    char value[12];
    int64_t ts_ms;
};

/* A place in a thread's log: by time, and at one time in the order in which they came. */
struct mt_sr_place {
    int64_t ts_ms;
    uint32_t seq;
};

/* Messages from the one to the other, all of which are gone for a user: deleting a long history
 * leaves one of these, not a number for each message. */
struct mt_sr_stretch {
    struct mt_sr_place first;
    struct mt_sr_place last;
};

struct mt_sr_view {
    struct mt_sr_user *user;
    struct mt_sr_thread *thread;
    const char *target; /* the peer, or the group */
    bool member;
    bool muted;                 /* may not write in the group */
    int64_t joined_ms;          /* messages before are not in the inbox */
    int64_t cleared_ms;         /* everything up to here is gone for this user */
    int64_t hidden_ms;          /* the conversation was removed; shown again by something newer */
    struct mt_sr_stretch *gone; /* further messages that are gone, in the order of the log */
    size_t gone_n;
    size_t gone_cap;
    int64_t read_ms;    /* read up to here, as told by any device */
    int64_t changed_ms; /* the newest change of the server-kept unread count */
    struct mt_sr_setting silent;
    struct mt_sr_setting top;
    int64_t asked_ms; /* the time of the page of history before */
};

struct mt_sr_thread {
    enum mt_sr_type type;
    uint32_t index;
    char *target;  /* group or room; NULL for two users */
    char *channel; /* of an ultra group, else "" */
    struct mt_sr_user *a;
    struct mt_sr_user *b;       /* of two users; a system conversation's sender is a */
    struct mt_sr_thread *group; /* an ultra group's channel: the group, which has the members */
    struct mt_sr_message **messages; /* in the order of time */
    size_t n;
    size_t cap;
    struct mt_sr_view **views;
    size_t view_n;
    size_t view_cap;
    bool muted;    /* nobody may write */
    int32_t level; /* an ultra group's notification level for everybody */
};

struct mt_sr_list {
    uint32_t *users;
    size_t n;
};

struct mt_sr_store {
    struct mt_map *users;     /* name → user */
    struct mt_map *threads;   /* "3:ID", "10:ID:CHANNEL", "1:A:B" (indices) → thread */
    struct mt_sr_index views; /* user and thread → view */
    struct mt_sr_user **user_list;
    size_t user_n;
    size_t user_cap;
    struct mt_sr_thread **thread_list;
    size_t thread_n;
    size_t thread_cap;
    struct mt_sr_message **log; /* by seq */
    size_t log_n;
    size_t log_cap;
    struct mt_sr_list *lists; /* of directed messages */
    size_t list_n;
    size_t list_cap;
    struct mt_sr_slab *slab;
    size_t slab_bytes;
    int64_t told_ms;    /* the newest time that was given to a client */
    bool named_default; /* clients know the empty channel by its other name */
};

enum mt_rc mt_sr_store_init(struct mt_sr_store *store) MT_CHECKED;
void mt_sr_store_deinit(struct mt_sr_store *store);
/* All messages are gone, and what anybody did with them; users, groups and settings stay. */
void mt_sr_store_empty(struct mt_sr_store *store);
/* Grows an array of `size`-byte members to hold one more. */
enum mt_rc mt_sr_grow(void *array, size_t n, size_t *cap, size_t size) MT_CHECKED;

bool mt_sr_id_fits(const char *id);
struct mt_sr_user *mt_sr_user_get(const struct mt_sr_store *store, const char *name);
/* NULL: the id does not fit, or memory is short. */
struct mt_sr_user *mt_sr_user_make(struct mt_sr_store *store, const char *name);
struct mt_sr_thread *mt_sr_thread_pair(struct mt_sr_store *store, enum mt_sr_type type,
                                       struct mt_sr_user *a, struct mt_sr_user *b, bool make);
struct mt_sr_thread *mt_sr_thread_group(struct mt_sr_store *store, enum mt_sr_type type,
                                        const char *id, const char *channel, bool make);
struct mt_sr_view *mt_sr_view_of(const struct mt_sr_store *store, const struct mt_sr_user *user,
                                 const struct mt_sr_thread *thread);
struct mt_sr_view *mt_sr_view_make(struct mt_sr_store *store, struct mt_sr_user *user,
                                   struct mt_sr_thread *thread);
/* The view of a conversation as a client names it; channel may be NULL. NULL: there is none. */
struct mt_sr_view *mt_sr_view_find(struct mt_sr_store *store, struct mt_sr_user *user, int type,
                                   const char *target, const char *channel);

/* --- messages (store_message.c) --- */
void mt_sr_slabs_free(struct mt_sr_slab *slab);
struct mt_sr_draft {
    struct mt_sr_thread *thread;
    struct mt_sr_user *from;
    int64_t ts_ms; /* 0: now; else raised to the thread's newest, unless it is late */
    bool late;     /* takes the place that its time gives it, between what is there */
    uint32_t flags;
    const char *name;
    const char *content;
    size_t content_len;
    const void *tail; /* further fields, packed */
    size_t tail_len;
    const uint32_t *to; /* user indices of a directed message */
    size_t to_n;
};
enum mt_rc mt_sr_message_add(struct mt_sr_store *store, const struct mt_sr_draft *draft,
                             struct mt_sr_message **out) MT_CHECKED;
/* The same message with other packed content takes its place; *message is the new one. */
enum mt_rc mt_sr_message_change(struct mt_sr_store *store, struct mt_sr_message **message,
                                const char *name, const char *content, size_t content_len,
                                const void *tail, size_t tail_len) MT_CHECKED;
/* A field of the packed part: 4 is the object name, 5 the content, 15 the expansion. False: it is
 * not there. */
bool mt_sr_message_part(const struct mt_sr_message *message, uint32_t field, const char **p,
                        size_t *len);
/* Appends what of the packed part is neither name nor content nor one of two other fields (0:
 * none): the tail for mt_sr_message_change. */
void mt_sr_message_rest(const struct mt_sr_message *message, uint32_t but, uint32_t nor,
                        struct mt_buf *out);
void mt_sr_uid(const struct mt_sr_message *message, char uid[MT_SR_UID_MAX]);
/* NULL: no message has it. */
struct mt_sr_message *mt_sr_message_find(const struct mt_sr_store *store, const char *uid);
/* Whether the user of the view may see it at all (it is not deleted for him, nor for others). */
bool mt_sr_visible(const struct mt_sr_store *store, const struct mt_sr_view *view,
                   const struct mt_sr_message *message);
bool mt_sr_meant_for(const struct mt_sr_store *store, const struct mt_sr_message *message,
                     const struct mt_sr_user *user);
/* Appends the fields of the DownStreamMessage as the user of the view gets it. */
void mt_sr_message_write(const struct mt_sr_store *store, const struct mt_sr_view *view,
                         const struct mt_sr_message *message, struct mt_buf *out);
/* The status bits that a client is given (rongcloud.md 4.3). */
uint32_t mt_sr_status_bits(uint32_t flags);
/* The channel as clients are told it; "" if there is none. */
const char *mt_sr_thread_channel(const struct mt_sr_store *store,
                                 const struct mt_sr_thread *thread);
/* The first message of the thread with ts_ms > after_ms. */
size_t mt_sr_thread_after(const struct mt_sr_thread *thread, int64_t after_ms);
/* The newest message that the conversation list shows; NULL: none. */
const struct mt_sr_message *mt_sr_view_last(const struct mt_sr_store *store,
                                            const struct mt_sr_view *view);
/* The first index in the thread's log at that place or behind it; really behind it. */
size_t mt_sr_thread_at(const struct mt_sr_thread *thread, struct mt_sr_place place);
size_t mt_sr_thread_behind(const struct mt_sr_thread *thread, struct mt_sr_place place);
struct mt_sr_place mt_sr_place_of(const struct mt_sr_message *message);

/* --- what is gone for one user (gone.c) --- */
enum mt_rc mt_sr_view_forget(struct mt_sr_view *view,
                             const struct mt_sr_message *message) MT_CHECKED;
/* The stretch of gone messages that the message is in; NULL: none. */
const struct mt_sr_stretch *mt_sr_view_gone(const struct mt_sr_view *view,
                                            const struct mt_sr_message *message);
/* A message comes between those that are there: nobody has deleted it yet. */
enum mt_rc mt_sr_view_arrive(struct mt_sr_view *view, struct mt_sr_place place) MT_CHECKED;
/* Messages that the user has not read: those that count, in total and with a mention. */
struct mt_sr_unread {
    size_t n;
    size_t mentions;
    size_t mentions_me;
    const struct mt_sr_message *first;
};
void mt_sr_view_unread(const struct mt_sr_store *store, const struct mt_sr_view *view,
                       struct mt_sr_unread *out);

#endif

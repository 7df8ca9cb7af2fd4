/* Private to the sandbox. What the cloud remembers: users, threads (the message log that the
 * members of a chat share), views (what one user sees of one thread) and devices. Plain memory, one
 * thread, no I/O.
 *
 * Unread counts and the conversation list are computed when asked for, from counters in thread and
 * view, so that a message to a group of thousands costs no more than one to a friend. */
#ifndef MT_SANDBOX_STORE_INT_H
#define MT_SANDBOX_STORE_INT_H

#include "base/buf.h"
#include "base/map.h"
#include "base/rc.h"

#include <stddef.h>
#include <stdint.h>

#define MT_SB_ID_MAX         128 /* longest user, group or room id, with NUL */
#define MT_SB_RESOURCE_MAX   160
#define MT_SB_DOMAIN_USER    "easemob.com"
#define MT_SB_DOMAIN_GROUP   "conference.easemob.com"
#define MT_SB_FEED_MAX       16384 /* queue entries a thread remembers */
#define MT_SB_FEED_DROP      4096  /* oldest entries forgotten at once beyond that */
#define MT_SB_MARKS          20
#define MT_SB_DEVICES_MAX    16 /* remembered a user, online or not */
#define MT_SB_SLAB_MAX_BYTES ((size_t)4 << 30)

enum mt_sb_chat { MT_SB_SINGLE, MT_SB_GROUP, MT_SB_ROOM };

/* Numbers of MessageBody.Content.Type; COMBINE also stands for text with subType 0. */
enum mt_sb_kind {
    MT_SB_TEXT,
    MT_SB_IMAGE,
    MT_SB_VIDEO,
    MT_SB_LOCATION,
    MT_SB_VOICE,
    MT_SB_FILE,
    MT_SB_COMMAND,
    MT_SB_CUSTOM,
    MT_SB_COMBINE,
    MT_SB_KINDS
};

struct mt_sb_session;

struct mt_sb_message {
    uint64_t id;
    int64_t ts_ms;
    const char *b64; /* the Meta as history gives it out; slab memory */
    uint32_t b64_len;
    uint32_t from; /* user index */
    uint8_t kind;
    uint8_t edits;
    bool wants_ack; /* msgConfig.allowGroupAck */
    bool counts;    /* makes an unread one: everything but commands */
};

/* One thing to hand to devices: a message of the log (meta NULL), or an event that history does not
 * keep. */
struct mt_sb_entry {
    uint64_t id;
    uint8_t *meta; /* an event's Meta; owned */
    uint32_t meta_len;
    uint32_t device;     /* the device it came from, which does not get it back; 0: none */
    uint32_t only_user;  /* user index + 1: only that user's devices; 0: all members */
    uint32_t *directed;  /* user indices; NULL: everybody; owned */
    uint32_t directed_n; /* of directed */
    bool online_only;    /* not for devices that were away */
    bool is_message;     /* counts towards the caps of the offline queue */
};

struct mt_sb_device {
    uint32_t id; /* never 0, never used twice */
    struct mt_sb_user *user;
    char *resource;
    struct mt_sb_session *session; /* NULL: away */
    uint64_t since_id;             /* the newest id when it came online */
    uint32_t platform;             /* osType, or 256 + custom number */
};

/* How far one device has come in the queue of one view. */
struct mt_sb_slot {
    uint32_t device;
    bool noticed; /* told and not yet drained: no second NOTICE */
    uint64_t pos;
};

/* Messages from the one id to the other, all of which are gone for a user: deleting a long history
 * leaves one of these, not a number for each message. */
struct mt_sb_span {
    uint64_t first;
    uint64_t last;
};

struct mt_sb_view {
    struct mt_sb_user *user;
    struct mt_sb_thread *thread;
    const char *id;          /* the conversation id as this user sees it: the peer, or the group */
    bool member;             /* still in the group */
    uint64_t cut_id;         /* everything up to here is gone for this user */
    struct mt_sb_span *gone; /* further ids that are gone, ascending */
    size_t gone_n;
    size_t gone_cap;
    uint64_t read_seq;   /* thread->seq when it was last read */
    uint64_t own_n;      /* own messages since then */
    uint64_t read_id;    /* the newest message when it was last read */
    uint64_t hidden_seq; /* the list entry was deleted or evicted at this thread->seq */
    uint64_t acked_id;   /* furthest position of any device */
    int64_t pinned_ms;   /* 0: not pinned */
    uint32_t marks;      /* bit N: mark_N */
    int64_t muted_until_ms;
    struct mt_sb_slot *slots;
    size_t slot_n;
    size_t slot_cap;
};

struct mt_sb_thread {
    enum mt_sb_chat chat;
    uint32_t index;
    char *name;  /* group or room id; NULL for a single chat */
    char *title; /* group name; NULL: as name */
    uint32_t owner;
    bool is_public;
    struct mt_sb_message *messages;
    size_t n;
    size_t cap;
    uint64_t seq;        /* messages that ever counted */
    int64_t imported_ms; /* time of the last one that the app's server imported; 0: none */
    struct mt_sb_view **views;
    size_t view_n;
    size_t view_cap;
    struct mt_sb_entry *feed;
    size_t feed_n;
    size_t feed_cap;
};

struct mt_sb_user {
    uint32_t index;
    char *name;
    char *password; /* NULL: none yet, the first one used stays */
    bool registered;
    bool readers_untold; /* of some messages */
    struct mt_sb_view **views;
    size_t view_n;
    size_t view_cap;
    struct mt_sb_device **devices;
    size_t device_n;
    size_t device_cap;
    int64_t channel_ms; /* the minute in which deletions of conversations are counted */
    uint64_t channel_n;
    uint32_t *blocked; /* user indices */
    size_t blocked_n;
    size_t blocked_cap;
};

struct mt_sb_store {
    char *appkey;
    struct mt_map *users;   /* name → user */
    struct mt_map *threads; /* "cID" or "sA\x01B" → thread */
    struct mt_map *views;   /* "user.thread", group and room only → view */
    struct mt_map *readers; /* message id → struct mt_sb_readers */
    struct mt_sb_user **user_list;
    size_t user_n;
    size_t user_cap;
    struct mt_sb_thread **thread_list;
    size_t thread_n;
    size_t thread_cap;
    struct mt_sb_device **online; /* every device with a session */
    size_t online_n;
    size_t online_cap;
    uint64_t last_id;
    uint64_t late_n; /* messages that came late */
    uint32_t last_device;
    uint64_t message_n;
    struct mt_sb_slab *slab;
    size_t slab_bytes;
    struct mt_buf b64;
    uint8_t *scratch; /* MT_SB_SCRATCH bytes, for encoding one Meta */
};

#define MT_SB_SCRATCH ((size_t)64 * 1024)

enum mt_rc mt_sb_store_init(struct mt_sb_store *store, const char *appkey) MT_CHECKED;
void mt_sb_store_deinit(struct mt_sb_store *store);
/* All messages are gone, and what anybody did with them; users, groups and devices stay. */
void mt_sb_store_empty(struct mt_sb_store *store);
/* Bytes that stay until the store goes; NULL when memory or MT_SB_SLAB_MAX_BYTES is reached. */
char *mt_sb_store_keep(struct mt_sb_store *store, const void *p, size_t len);
/* The next message id for a time: unique, ascending over the whole app. */
uint64_t mt_sb_store_next_id(struct mt_sb_store *store, int64_t ts_ms);
/* The lowest id of a time. */
uint64_t mt_sb_store_id_at(int64_t ts_ms);

/* Names are folded to lower case, as the cloud does. NULL when memory is short or the name is too
 * long. */
struct mt_sb_user *mt_sb_user_get(struct mt_sb_store *store, const char *name); /* NULL: unknown */
struct mt_sb_user *mt_sb_user_make(struct mt_sb_store *store, const char *name);

struct mt_sb_thread *mt_sb_thread_single(struct mt_sb_store *store, struct mt_sb_user *a,
                                         struct mt_sb_user *b, bool make);
struct mt_sb_thread *mt_sb_thread_group(struct mt_sb_store *store, const char *id);
struct mt_sb_thread *mt_sb_thread_group_make(struct mt_sb_store *store, const char *id,
                                             enum mt_sb_chat chat, struct mt_sb_user *owner);
struct mt_sb_view *mt_sb_view_of(struct mt_sb_store *store, struct mt_sb_user *user,
                                 struct mt_sb_thread *thread);
struct mt_sb_view *mt_sb_view_make(struct mt_sb_store *store, struct mt_sb_user *user,
                                   struct mt_sb_thread *thread);
/* The view of `user` on the conversation with id (a peer, or a group or room); NULL: there is none.
 */
struct mt_sb_view *mt_sb_view_find(struct mt_sb_store *store, struct mt_sb_user *user,
                                   const char *id, bool group);
const char *mt_sb_view_domain(const struct mt_sb_view *view);

/* --- messages (store_message.c) --- */
struct mt_sb_draft {
    struct mt_sb_thread *thread;
    struct mt_sb_user *from;
    const char *resource; /* of the sending device; may be NULL */
    int64_t ts_ms;        /* raised to the thread's newest, unless it is late */
    bool late;            /* takes the place that its time gives it, between what is there */
    enum mt_sb_kind kind;
    bool wants_ack;
    const void *payload; /* MessageBody */
    size_t payload_len;
    const void *ext; /* further fields of the Meta, encoded; may be NULL */
    size_t ext_len;
};
/* Appends to the log and counts. *out stays valid until the thread's log changes again. */
enum mt_rc mt_sb_message_append(struct mt_sb_store *store, const struct mt_sb_draft *draft,
                                struct mt_sb_message **out) MT_CHECKED;
/* A Meta as it would be stored, with this id and time, into the store's scratch memory. */
enum mt_rc mt_sb_meta_encode(struct mt_sb_store *store, const struct mt_sb_draft *draft,
                             uint64_t id, int64_t ts_ms, size_t *len) MT_CHECKED;
struct mt_sb_message *mt_sb_message_find(struct mt_sb_thread *thread, uint64_t id);
/* The first index whose id is > id / whose time is >= ts_ms. */
size_t mt_sb_message_after(const struct mt_sb_thread *thread, uint64_t id);
size_t mt_sb_message_from(const struct mt_sb_thread *thread, int64_t ts_ms);
enum mt_rc mt_sb_message_replace(struct mt_sb_store *store, struct mt_sb_message *message,
                                 const void *meta, size_t len) MT_CHECKED;
/* Takes it out of everybody's history, and out of the unread counts where it was not read. */
void mt_sb_message_remove(struct mt_sb_store *store, struct mt_sb_thread *thread, uint64_t id);
/* Room for one more at its place in the log, which the caller fills at once. */
struct mt_sb_message *mt_sb_message_place(struct mt_sb_thread *thread, uint64_t id);
/* The stored Meta's bytes, mt_mem_free'd by the caller; NULL when memory is short. */
uint8_t *mt_sb_message_meta(const struct mt_sb_message *message, size_t *len);

/* --- what one user sees (store_view.c) --- */
bool mt_sb_view_sees(const struct mt_sb_view *view, uint64_t id);
/* The span of gone messages that holds the id; NULL: none does. */
const struct mt_sb_span *mt_sb_view_gone(const struct mt_sb_view *view, uint64_t id);
/* A message with this id comes between those that are there: nobody has deleted it yet. */
enum mt_rc mt_sb_view_arrive(struct mt_sb_view *view, uint64_t id) MT_CHECKED;
const struct mt_sb_message *mt_sb_view_last(const struct mt_sb_view *view); /* NULL: empty */
uint64_t mt_sb_view_unread(const struct mt_sb_view *view);
void mt_sb_view_read(struct mt_sb_view *view);
bool mt_sb_view_listed(const struct mt_sb_view *view);
void mt_sb_view_hide(struct mt_sb_view *view); /* the list entry goes, until the next message */
enum mt_rc mt_sb_view_forget(struct mt_sb_view *view, uint64_t id) MT_CHECKED; /* one message */
void mt_sb_view_forget_until(struct mt_sb_view *view, uint64_t id); /* this and all before */
/* The conversation list: views by newest message first, at most cap (the others lose their entry
 * and marks). Rooms are never in it. *out is one allocation, NULL if empty. */
struct mt_sb_listed {
    struct mt_sb_view *view;
    const struct mt_sb_message *last;
};
enum mt_rc mt_sb_user_list(struct mt_sb_user *user, size_t cap, bool with_empty,
                           struct mt_sb_listed **out, size_t *n) MT_CHECKED;

/* --- history (store_history.c) --- */
#define MT_SB_PAGE_MAX 50
struct mt_sb_page_query {
    uint64_t start; /* 0: from the end (or the beginning) */
    size_t limit;
    bool oldest_first;
    uint32_t kinds;   /* bit N: kind N; 0: all */
    int64_t since_ms; /* 0: unbounded; both inclusive */
    int64_t until_ms;
    bool by_sender;
    uint32_t sender; /* user index */
};
struct mt_sb_page {
    const struct mt_sb_message *items[MT_SB_PAGE_MAX];
    size_t n;
    bool last;
};
void mt_sb_page_read(const struct mt_sb_view *view, const struct mt_sb_page_query *query,
                     struct mt_sb_page *page);

/* --- queues and devices (store_feed.c) --- */
struct mt_sb_device *mt_sb_device_online(struct mt_sb_store *store, struct mt_sb_user *user,
                                         const char *resource, struct mt_sb_session *session);
void mt_sb_device_offline(struct mt_sb_store *store, struct mt_sb_device *device);
struct mt_sb_device *mt_sb_device_find(const struct mt_sb_user *user, const char *resource);
/* Takes over entry->meta and entry->directed, also on failure. The author's device (may be NULL)
 * does not get the entry back. */
enum mt_rc mt_sb_feed_push(struct mt_sb_store *store, struct mt_sb_thread *thread,
                           const struct mt_sb_device *author, struct mt_sb_entry *entry) MT_CHECKED;
/* Calls each(ud, device, view) for the online devices that must hear of the thread's newest entry
 * now. */
void mt_sb_feed_notify(struct mt_sb_store *store, struct mt_sb_thread *thread,
                       void (*each)(void *ud, struct mt_sb_device *device, struct mt_sb_view *view),
                       void *ud);
uint64_t mt_sb_feed_pos(const struct mt_sb_view *view, const struct mt_sb_device *device);
void mt_sb_feed_ack(struct mt_sb_view *view, const struct mt_sb_device *device, uint64_t key);
/* The next entries for a device, oldest first; drained: nothing is left, the notice flag is
 * cleared. */
size_t mt_sb_feed_pull(struct mt_sb_view *view, const struct mt_sb_device *device,
                       const struct mt_sb_entry **out, size_t max);
size_t mt_sb_feed_backlog(const struct mt_sb_view *view, const struct mt_sb_device *device);
/* Applies the caps of the offline queue to everything that waits for the device: the oldest are
 * dropped. */
enum mt_rc mt_sb_feed_cap(struct mt_sb_user *user, const struct mt_sb_device *device,
                          size_t single_max, size_t group_max) MT_CHECKED;

/* --- group read receipts (store_readers.c) --- */
struct mt_sb_readers {
    uint32_t *users;
    size_t n;
    size_t cap;
    int64_t last_ms;
    uint32_t author;
    bool untold; /* the author was away when somebody read it */
};
struct mt_sb_readers *mt_sb_readers_add(struct mt_sb_store *store, uint64_t id, uint32_t user,
                                        int64_t now_ms); /* NULL: memory is short */
const struct mt_sb_readers *mt_sb_readers_get(const struct mt_sb_store *store, uint64_t id);

/* Grows an array of `size`-byte members to hold one more. */
enum mt_rc mt_sb_grow(void *array, size_t n, size_t *cap, size_t size) MT_CHECKED;

#endif

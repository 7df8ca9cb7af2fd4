/* The live session, as its files see it: it keeps the account's connection, tells of what the cloud
 * pushes, and pulls what the cloud keeps for this user (rongcloud.md 4.1, 4.2).
 *
 * live.c: its life and its batches. sync.c: what is pulled, and until where all was dealt with.
 * push.c: what the cloud says by itself. */
#ifndef MT_RONGCLOUD_LIVE_INT_H
#define MT_RONGCLOUD_LIVE_INT_H

#include "provider/rongcloud/account_int.h"
#include "provider/rongcloud/event_int.h"

#define MT_RONG_SEEN_MAX    1024 /* ids of messages that were told, to know repeats */
#define MT_RONG_BATCHES_MAX 64   /* in the caller's hands; nothing is pulled while there are more */

struct mt_rong_room;
struct mt_rong_sync_call;

/* How far was read what the cloud keeps for the user: its own times, in milliseconds. */
struct mt_rong_position {
    int64_t inbox, outbox, broadcast; /* of messages (4.2) */
    int64_t edits, events;
    int64_t ultra, ultra_changes; /* of ultra groups (5.4) */
};

struct mt_rong_batch {
    struct mt_event_batch pub; /* first */
    struct mt_rong_live *live; /* NULL: stopped meanwhile */
    struct mt_rong_batch *next;
    struct mt_arena *arena;        /* NULL: it was dealt with */
    struct mt_rong_position after; /* when it and all before it were dealt with */
};

/* What is pulled, one of each at a time. */
enum mt_rong_sync {
    MT_RONG_SYNC_INBOX,
    MT_RONG_SYNC_SETTINGS,
    MT_RONG_SYNC_EDITS,
    MT_RONG_SYNC_EVENTS,
    MT_RONG_SYNC_ULTRA,         /* messages of ultra groups, where they are on */
    MT_RONG_SYNC_ULTRA_CHANGES, /* and what became of them */
    MT_RONG_SYNCS_N,
};

struct mt_rong_live {
    struct mt_provider_account *account;
    struct mt_live_handlers handlers;
    void *ud;
    bool ended, stopped;
    bool announced;                /* it was told that it is online */
    int64_t lost_ms;               /* when it was last online, by our clock; 0: never */
    int64_t began_ms;              /* by our clock */
    int64_t begin_ms;              /* by the cloud's: what is older is history, and no news */
    struct mt_rong_position dealt; /* all that lies before was dealt with */
    struct mt_rong_position read;  /* all that lies before was handed out */
    struct mt_rong_batch *batches; /* oldest first */
    unsigned batches_n;
    struct mt_rong_sync_call *syncs[MT_RONG_SYNCS_N]; /* on their way */
    bool wanted[MT_RONG_SYNCS_N];                     /* once more, when that is back */
    int64_t settings_version; /* 0: not pulled yet, and then nothing in it is news */
    struct mt_timer *timer;   /* pulls again, even if nothing was said */
    unsigned pushed_n; /* messages that came in pushes since the last pull; it comes soon then */
    uint64_t *seen;    /* of ids, hashed: a ring that grows to MT_RONG_SEEN_MAX */
    size_t seen_at, seen_n, seen_cap;
    struct mt_rong_room *rooms; /* that it is in */
};

/* live.c: called by the connection. */
bool mt_rong_live_wants(const struct mt_provider_account *account);
void mt_rong_live_online(struct mt_provider_account *account);
void mt_rong_live_offline(struct mt_provider_account *account, const struct mt_fault *fault);
void mt_rong_live_refused(struct mt_provider_account *account, enum mt_event_type type,
                          const struct mt_fault *fault);

/* push.c, too: what another device of this user has sent comes in two frames (2.5). */
struct mt_rong_echo {
    struct mt_rong_echo *next;
    uint16_t id;
    char topic[MT_RONG_TOPIC_MAX];
    char target[MT_RONG_TARGET_MAX];
    size_t len;
    uint8_t payload[]; /* an UpStreamMessage */
};
void mt_rong_live_push(struct mt_provider_account *account, const struct mt_rong_frame *frame);
void mt_rong_live_echo(struct mt_provider_account *account, const struct mt_rong_echo *echo,
                       int64_t time_ms, const char *uid);

/* live.c, of the table in provider/live.h */
enum mt_rc mt_rong_live_start(struct mt_provider_account *account,
                              const struct mt_live_options *options,
                              const struct mt_live_handlers *handlers, void *ud,
                              struct mt_fault *fault) MT_CHECKED;
void mt_rong_live_stop(struct mt_provider_account *account);
void mt_rong_live_done(struct mt_provider_account *account, struct mt_event_batch *batch);
size_t mt_rong_live_position(const struct mt_provider_account *account, char *out, size_t cap);

/* live.c, for the other files. */
/* Takes the arena over, in which the events lie; false: it could not, and frees it. after: until
 * where it reads. */
bool mt_rong_live_hand_out(struct mt_rong_live *live, const struct mt_rong_events *events,
                           const struct mt_rong_position *after);
/* One event about the session itself. */
void mt_rong_live_tell(struct mt_rong_live *live, enum mt_event_type type,
                       const struct mt_value *data, const struct mt_fault *fault);
/* A message with that id is known, as told or as sent by this client: it is not told again. NULL
 * and "" are never known. */
bool mt_rong_live_seen(const struct mt_rong_live *live, const char *id);
void mt_rong_live_see(struct mt_rong_live *live, const char *id);
/* What this client has sent stands in the outbox that is pulled later, and is no news then. A
 * recall is known by what it recalled, too (4.2, 4.6): MT_RONG_RECALLED in front of that id. */
#define MT_RONG_RECALLED "Cmd:"
/* The inbox is pulled soon: a message came without. */
void mt_rong_live_pushed(struct mt_rong_live *live);

/* rooms.c: chat rooms, from entering them on. id NULL: all; time_ms: of the newest message, or 0.
 */
void mt_rong_room_entered(struct mt_rong_live *live, const char *id, int64_t since_ms);
void mt_rong_room_left(struct mt_rong_live *live, const char *id);
void mt_rong_rooms_pull(struct mt_rong_live *live, const char *id, int64_t time_ms);
void mt_rong_rooms_stop(struct mt_rong_live *live);

/* sync.c */
void mt_rong_sync_all(struct mt_rong_live *live);
void mt_rong_sync(struct mt_rong_live *live, enum mt_rong_sync what);
void mt_rong_sync_stop(struct mt_rong_live *live);

#endif

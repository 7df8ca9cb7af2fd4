/* The noun event: what a live account hears of. Plain data; a batch owns the memory of its events.
 */
#ifndef MT_MODEL_EVENT_H
#define MT_MODEL_EVENT_H

#include "model/message.h"

enum mt_event_type {
    MT_EVENT_MESSAGE,              /* message */
    MT_EVENT_EDITED,               /* message: the new content of message.target_id */
    MT_EVENT_RECALLED,             /* message.target_id was taken back by message.from */
    MT_EVENT_READ,                 /* message.target_id was read by message.from */
    MT_EVENT_DELIVERED,            /* message.target_id reached a device of message.from */
    MT_EVENT_CONVERSATION_READ,    /* by message.from: the peer, or this user on another device */
    MT_EVENT_MESSAGES_DELETED,     /* on another device of this user; data.ids, or data.before */
    MT_EVENT_CONVERSATION_DELETED, /* on another device of this user */
    MT_EVENT_CONVERSATION,         /* pinned, unpinned, marked, unmarked elsewhere; data.change */
    MT_EVENT_MESSAGE_PINNED,       /* or unpinned; data.id, data.pinned */
    MT_EVENT_STATISTIC,            /* read counts of group messages, after being away: data */
    MT_EVENT_NOTICE,               /* any other: data.type is the cloud's own name for it */
    MT_EVENT_GAP,            /* messages may be missing: data.since, data.until; fault says why they
                                cannot be had from history; without a conversation: anywhere */
    MT_EVENT_CONNECTED,      /* the first time, and after each absence; data.away_ms; data.since:
                                the cloud's queue could not hold all that came since then */
    MT_EVENT_DISCONNECTED,   /* fault says why; the session is being made again */
    MT_EVENT_KICKED,         /* fault says by whom; the session has ended */
    MT_EVENT_TOKEN_EXPIRING, /* data.expires */
    MT_EVENT_ERROR,          /* fault; the session has ended if data.ended */
    MT_EVENT_TYPES_N
};

struct mt_event {
    enum mt_event_type type;
    bool has_conversation; /* conversation is set */
    struct mt_conversation_ref conversation;
    struct mt_message message; /* of the first six types, else zero */
    struct mt_value data;      /* MAP: what else is known; may be empty */
    struct mt_fault fault;     /* of DISCONNECTED, KICKED and ERROR, else zero */
};

/* The name under which scripts hear of it: "message", "edited", "messages_deleted", … */
const char *mt_event_name(enum mt_event_type type);
/* The type of a name; MT_EVENT_TYPES_N if there is none. */
enum mt_event_type mt_event_find(const char *name);

#endif

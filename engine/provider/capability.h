/* What a cloud can do for an account: one table that every provider fills, asked by scripts before
 * trying (account:can), printed by the doctor. Who adds a capability adds it to the list in
 * capability.c and to each provider's table, and says it in docs/capabilities.md. */
#ifndef MT_PROVIDER_CAPABILITY_H
#define MT_PROVIDER_CAPABILITY_H

#include "base/rc.h"

#include <stddef.h>

enum mt_capability {
    MT_CAPABILITY_HISTORY,
    MT_CAPABILITY_HISTORY_SINCE,
    MT_CAPABILITY_HISTORY_UNTIL,
    MT_CAPABILITY_HISTORY_SENDER,
    MT_CAPABILITY_HISTORY_KINDS,
    MT_CAPABILITY_CONVERSATIONS,
    MT_CAPABILITY_CONVERSATIONS_PINNED,
    MT_CAPABILITY_CONVERSATIONS_MARKS,
    MT_CAPABILITY_CONVERSATIONS_LAST,
    MT_CAPABILITY_CONVERSATIONS_ORDER,
    MT_CAPABILITY_SYSTEM,
    MT_CAPABILITY_ROOMS,
    MT_CAPABILITY_ULTRA,
    MT_CAPABILITY_LIVE,
    MT_CAPABILITY_SEND,
    MT_CAPABILITY_SEND_DIRECTED,
    MT_CAPABILITY_SEND_ONLINE_ONLY,
    MT_CAPABILITY_RECEIPTS,
    MT_CAPABILITY_RECEIPTS_DELIVERED,
    MT_CAPABILITY_READERS,
    MT_CAPABILITY_RECALL,
    MT_CAPABILITY_EDIT,
    MT_CAPABILITY_ATTACHMENTS,
    MT_CAPABILITY_COMBINE,
    MT_CAPABILITY_DELETE_IDS,
    MT_CAPABILITY_DELETE_BEFORE,
    MT_CAPABILITY_DELETE_CONVERSATION,
    MT_CAPABILITY_DELETE_ALL,
    MT_CAPABILITY_DELETE_TOLD,
    MT_CAPABILITY_PIN,
    MT_CAPABILITY_MARK,
    MT_CAPABILITY_NOTIFICATION,
    MT_CAPABILITIES_N /* how many there are */
};

enum mt_can {
    MT_CAN_NO,      /* what a table does not fill */
    MT_CAN_YES,     /* on every account of this cloud */
    MT_CAN_DEPENDS, /* on what the app or its plan has opened, which the cloud says only when asked
                     */
};

struct mt_can_answer {
    enum mt_can can;
    const char *why; /* of no and depends: one line for people, constant; NULL with yes */
};

/* For the tables of the clouds. */
#define MT_CAN_SAY_YES                                                                             \
    {                                                                                              \
        MT_CAN_YES, NULL                                                                           \
    }
#define MT_CAN_SAY_NO(why)                                                                         \
    {                                                                                              \
        MT_CAN_NO, why                                                                             \
    }
#define MT_CAN_SAY_DEPENDS(why)                                                                    \
    {                                                                                              \
        MT_CAN_DEPENDS, why                                                                        \
    }

/* "history.until"; NULL when there is no such capability. */
const char *mt_capability_name(enum mt_capability capability);
/* "history up to a time": one line for people. */
const char *mt_capability_meaning(enum mt_capability capability);
/* INVALID "capability.unknown", which names the nearest. */
enum mt_rc mt_capability_find(const char *name, enum mt_capability *out,
                              struct mt_fault *fault) MT_CHECKED;
/* "no", "yes", "depends" */
const char *mt_can_name(enum mt_can can);

#endif

/* What Easemob can do (docs/capabilities.md). */
#include "provider/easemob/account_int.h"

#define YES                                                                                        \
    {                                                                                              \
        MT_CAN_YES, NULL                                                                           \
    }
#define NO(why)                                                                                    \
    {                                                                                              \
        MT_CAN_NO, why                                                                             \
    }
#define DEPENDS(why)                                                                               \
    {                                                                                              \
        MT_CAN_DEPENDS, why                                                                        \
    }

static const struct mt_can_answer table[MT_CAPABILITIES_N] = {
    [MT_CAPABILITY_HISTORY] = DEPENDS("message roaming is opened in the console (paid plans)"),
    [MT_CAPABILITY_HISTORY_SINCE] = YES,
    [MT_CAPABILITY_HISTORY_UNTIL] = YES,
    [MT_CAPABILITY_HISTORY_SENDER] = YES,
    [MT_CAPABILITY_HISTORY_KINDS] = YES,
    [MT_CAPABILITY_CONVERSATIONS] = DEPENDS("the app has one of three lists, the oldest of which "
                                            "stops at 10 conversations of 7 days"),
    [MT_CAPABILITY_CONVERSATIONS_PINNED] = DEPENDS("the newest of the three lists has it"),
    [MT_CAPABILITY_CONVERSATIONS_MARKS] = DEPENDS("the newest of the three lists has it"),
    [MT_CAPABILITY_CONVERSATIONS_LAST] = YES,
    [MT_CAPABILITY_CONVERSATIONS_ORDER] = NO("Easemob gives its list from the newest end only"),
    [MT_CAPABILITY_SYSTEM] = NO("Easemob has no system conversations"),
    [MT_CAPABILITY_ROOMS] = YES,
    [MT_CAPABILITY_ULTRA] = NO("Easemob has no ultra groups"),
    [MT_CAPABILITY_LIVE] = YES,
    [MT_CAPABILITY_SEND] = YES,
    [MT_CAPABILITY_SEND_DIRECTED] = YES,
    [MT_CAPABILITY_SEND_ONLINE_ONLY] = YES,
    [MT_CAPABILITY_RECEIPTS] = YES,
    [MT_CAPABILITY_RECEIPTS_DELIVERED] = YES,
    [MT_CAPABILITY_READERS] =
        DEPENDS("read receipts of groups are opened in the console (paid plans)"),
    [MT_CAPABILITY_RECALL] = DEPENDS("recalling is opened in the console; within two minutes, "
                                     "unless the app has another time"),
    [MT_CAPABILITY_EDIT] = DEPENDS("editing is opened in the console"),
    [MT_CAPABILITY_ATTACHMENTS] = YES,
    [MT_CAPABILITY_COMBINE] = YES,
    [MT_CAPABILITY_DELETE_IDS] = DEPENDS("message roaming is opened in the console (paid plans)"),
    [MT_CAPABILITY_DELETE_BEFORE] =
        DEPENDS("message roaming is opened in the console (paid plans)"),
    [MT_CAPABILITY_DELETE_CONVERSATION] = YES,
    [MT_CAPABILITY_DELETE_ALL] = YES,
    [MT_CAPABILITY_DELETE_TOLD] = YES,
    [MT_CAPABILITY_PIN] = YES,
    [MT_CAPABILITY_MARK] = YES,
    [MT_CAPABILITY_NOTIFICATION] = NO("Easemob's push settings are not offered yet"),
};

struct mt_can_answer mt_em_can(const struct mt_provider_account *account,
                               enum mt_capability capability)
{
    (void)account; /* what depends is known only by asking, and then the verb's fault says it */
    return table[capability];
}

/* What RongCloud can do (docs/capabilities.md), and what navigation says of this app (1.2). */
#include "provider/rongcloud/account_int.h"

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

#define ROAMING "cloud storage of single and group messages is opened in the console (paid plans)"

static const struct mt_can_answer table[MT_CAPABILITIES_N] = {
    [MT_CAPABILITY_HISTORY] = DEPENDS(ROAMING),
    [MT_CAPABILITY_HISTORY_SINCE] = YES,
    [MT_CAPABILITY_HISTORY_UNTIL] = YES,
    [MT_CAPABILITY_HISTORY_SENDER] = NO("RongCloud does not pick senders: they are picked here"),
    [MT_CAPABILITY_HISTORY_KINDS] = NO("RongCloud does not pick kinds: they are picked here"),
    [MT_CAPABILITY_CONVERSATIONS] =
        DEPENDS("the list is opened with cloud storage of messages, and "
                "stops at 1,000 conversations"),
    [MT_CAPABILITY_CONVERSATIONS_PINNED] = YES,
    [MT_CAPABILITY_CONVERSATIONS_MARKS] = NO("RongCloud has no marks of conversations"),
    [MT_CAPABILITY_CONVERSATIONS_LAST] = YES,
    [MT_CAPABILITY_CONVERSATIONS_ORDER] = YES,
    [MT_CAPABILITY_SYSTEM] = YES,
    [MT_CAPABILITY_ROOMS] = YES,
    [MT_CAPABILITY_ULTRA] = DEPENDS("ultra groups are opened for the app by RongCloud"),
    [MT_CAPABILITY_LIVE] = YES,
    [MT_CAPABILITY_SEND] = YES,
    [MT_CAPABILITY_SEND_DIRECTED] = YES,
    [MT_CAPABILITY_SEND_ONLINE_ONLY] = YES,
    [MT_CAPABILITY_RECEIPTS] = YES,
    [MT_CAPABILITY_RECEIPTS_DELIVERED] = NO("RongCloud's web clients do not say what arrived"),
    [MT_CAPABILITY_READERS] =
        DEPENDS("the app has receipts of version 2, 4 or 5; with version 1 those who have read say "
                "so while the session is live"),
    [MT_CAPABILITY_RECALL] = DEPENDS("the time for it is set in the console; within two minutes, "
                                     "unless the app has another time"),
    [MT_CAPABILITY_EDIT] = DEPENDS("editing is opened for the app by RongCloud"),
    [MT_CAPABILITY_ATTACHMENTS] = YES,
    [MT_CAPABILITY_COMBINE] = YES,
    [MT_CAPABILITY_DELETE_IDS] = DEPENDS(ROAMING),
    [MT_CAPABILITY_DELETE_BEFORE] = DEPENDS(ROAMING),
    [MT_CAPABILITY_DELETE_CONVERSATION] = YES,
    [MT_CAPABILITY_DELETE_ALL] =
        DEPENDS("what stands in the list is deleted, conversation by conversation; one that was "
                "taken off it before keeps its messages"),
    [MT_CAPABILITY_DELETE_TOLD] = NO("RongCloud does not tell a user's other devices"),
    [MT_CAPABILITY_PIN] = YES,
    [MT_CAPABILITY_MARK] = NO("RongCloud has no marks of conversations"),
    [MT_CAPABILITY_NOTIFICATION] = YES,
};

struct mt_can_answer mt_rong_can(const struct mt_provider_account *account,
                                 enum mt_capability capability)
{
    const struct mt_rong_navi *navi = &account->navi;

    if (navi->fetched_ms == 0) /* not asked yet */
        return table[capability];
    if (capability == MT_CAPABILITY_ULTRA && !navi->ultra)
        return (struct mt_can_answer)NO("ultra groups are not opened for this app");
    if (capability == MT_CAPABILITY_ULTRA)
        return (struct mt_can_answer)YES;
    if (capability == MT_CAPABILITY_READERS && navi->receipts == 0)
        return (struct mt_can_answer)NO("the app has receipts of version 1, which the cloud keeps "
                                        "no list of: they come one by one, as the event read");
    if (capability == MT_CAPABILITY_READERS)
        return (struct mt_can_answer)YES;
    return table[capability];
}

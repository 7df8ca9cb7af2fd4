/* What RongCloud can do (docs/capabilities.md), and what navigation says of this app (1.2). */
#include "provider/rongcloud/account_int.h"

#define ROAMING "cloud storage of single and group messages is opened in the console (paid plans)"

static const struct mt_can_answer table[MT_CAPABILITIES_N] = {
    [MT_CAPABILITY_HISTORY] = MT_CAN_SAY_DEPENDS(ROAMING),
    [MT_CAPABILITY_HISTORY_SINCE] = MT_CAN_SAY_YES,
    [MT_CAPABILITY_HISTORY_UNTIL] = MT_CAN_SAY_YES,
    [MT_CAPABILITY_HISTORY_SENDER] =
        MT_CAN_SAY_NO("RongCloud does not pick senders: they are picked here"),
    [MT_CAPABILITY_HISTORY_KINDS] =
        MT_CAN_SAY_NO("RongCloud does not pick kinds: they are picked here"),
    [MT_CAPABILITY_CONVERSATIONS] =
        MT_CAN_SAY_DEPENDS("the list is opened with cloud storage of messages, and "
                           "stops at 1,000 conversations"),
    [MT_CAPABILITY_CONVERSATIONS_PINNED] = MT_CAN_SAY_YES,
    [MT_CAPABILITY_CONVERSATIONS_MARKS] = MT_CAN_SAY_NO("RongCloud has no marks of conversations"),
    [MT_CAPABILITY_CONVERSATIONS_LAST] = MT_CAN_SAY_YES,
    [MT_CAPABILITY_CONVERSATIONS_ORDER] = MT_CAN_SAY_YES,
    [MT_CAPABILITY_SYSTEM] = MT_CAN_SAY_YES,
    [MT_CAPABILITY_ROOMS] = MT_CAN_SAY_YES,
    [MT_CAPABILITY_ULTRA] = MT_CAN_SAY_DEPENDS("ultra groups are opened for the app by RongCloud"),
    [MT_CAPABILITY_LIVE] = MT_CAN_SAY_YES,
    [MT_CAPABILITY_SEND] = MT_CAN_SAY_YES,
    [MT_CAPABILITY_SEND_DIRECTED] = MT_CAN_SAY_YES,
    [MT_CAPABILITY_SEND_ONLINE_ONLY] = MT_CAN_SAY_YES,
    [MT_CAPABILITY_RECEIPTS] = MT_CAN_SAY_YES,
    [MT_CAPABILITY_RECEIPTS_DELIVERED] =
        MT_CAN_SAY_NO("RongCloud's web clients do not say what arrived"),
    [MT_CAPABILITY_READERS] = MT_CAN_SAY_DEPENDS(
        "the app has receipts of version 2, 4 or 5; with version 1 those who have read say "
        "so while the session is live"),
    [MT_CAPABILITY_RECALL] =
        MT_CAN_SAY_DEPENDS("the time for it is set in the console; within two minutes, "
                           "unless the app has another time"),
    [MT_CAPABILITY_EDIT] = MT_CAN_SAY_DEPENDS("editing is opened for the app by RongCloud"),
    [MT_CAPABILITY_ATTACHMENTS] = MT_CAN_SAY_YES,
    [MT_CAPABILITY_COMBINE] = MT_CAN_SAY_YES,
    [MT_CAPABILITY_DELETE_IDS] = MT_CAN_SAY_DEPENDS(ROAMING),
    [MT_CAPABILITY_DELETE_BEFORE] = MT_CAN_SAY_DEPENDS(ROAMING),
    [MT_CAPABILITY_DELETE_CONVERSATION] = MT_CAN_SAY_YES,
    [MT_CAPABILITY_DELETE_ALL] = MT_CAN_SAY_DEPENDS(
        "what stands in the list is deleted, conversation by conversation; one that was "
        "taken off it before keeps its messages"),
    [MT_CAPABILITY_DELETE_TOLD] = MT_CAN_SAY_NO("RongCloud does not tell a user's other devices"),
    [MT_CAPABILITY_PIN] = MT_CAN_SAY_YES,
    [MT_CAPABILITY_MARK] = MT_CAN_SAY_NO("RongCloud has no marks of conversations"),
    [MT_CAPABILITY_NOTIFICATION] = MT_CAN_SAY_YES,
};

struct mt_can_answer mt_rong_can(const struct mt_provider_account *account,
                                 enum mt_capability capability)
{
    const struct mt_rong_navi *navi = &account->navi;

    if (navi->fetched_ms == 0) /* not asked yet */
        return table[capability];
    if (capability == MT_CAPABILITY_ULTRA && !navi->ultra)
        return (struct mt_can_answer)MT_CAN_SAY_NO("ultra groups are not opened for this app");
    if (capability == MT_CAPABILITY_ULTRA)
        return (struct mt_can_answer)MT_CAN_SAY_YES;
    if (capability == MT_CAPABILITY_READERS && navi->receipts == 0)
        return (struct mt_can_answer)MT_CAN_SAY_NO(
            "the app has receipts of version 1, which the cloud keeps "
            "no list of: they come one by one, as the event read");
    if (capability == MT_CAPABILITY_READERS)
        return (struct mt_can_answer)MT_CAN_SAY_YES;
    return table[capability];
}

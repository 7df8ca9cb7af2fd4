/* What Easemob can do (docs/capabilities.md). */
#include "provider/easemob/account_int.h"

static const struct mt_can_answer table[MT_CAPABILITIES_N] = {
    [MT_CAPABILITY_HISTORY] =
        MT_CAN_SAY_DEPENDS("message roaming is opened in the console (paid plans)"),
    [MT_CAPABILITY_HISTORY_SINCE] = MT_CAN_SAY_YES,
    [MT_CAPABILITY_HISTORY_UNTIL] = MT_CAN_SAY_YES,
    [MT_CAPABILITY_HISTORY_SENDER] = MT_CAN_SAY_YES,
    [MT_CAPABILITY_HISTORY_KINDS] = MT_CAN_SAY_YES,
    [MT_CAPABILITY_CONVERSATIONS] =
        MT_CAN_SAY_DEPENDS("the app has one of three lists, the oldest of which "
                           "stops at 10 conversations of 7 days"),
    [MT_CAPABILITY_CONVERSATIONS_PINNED] =
        MT_CAN_SAY_DEPENDS("the newest of the three lists has it"),
    [MT_CAPABILITY_CONVERSATIONS_MARKS] =
        MT_CAN_SAY_DEPENDS("the newest of the three lists has it"),
    [MT_CAPABILITY_CONVERSATIONS_LAST] = MT_CAN_SAY_YES,
    [MT_CAPABILITY_CONVERSATIONS_ORDER] =
        MT_CAN_SAY_NO("Easemob gives its list from the newest end only"),
    [MT_CAPABILITY_SYSTEM] = MT_CAN_SAY_NO("Easemob has no system conversations"),
    [MT_CAPABILITY_ROOMS] = MT_CAN_SAY_YES,
    [MT_CAPABILITY_ULTRA] = MT_CAN_SAY_NO("Easemob has no ultra groups"),
    [MT_CAPABILITY_LIVE] = MT_CAN_SAY_YES,
    [MT_CAPABILITY_SEND] = MT_CAN_SAY_YES,
    [MT_CAPABILITY_SEND_DIRECTED] = MT_CAN_SAY_YES,
    [MT_CAPABILITY_SEND_ONLINE_ONLY] = MT_CAN_SAY_YES,
    [MT_CAPABILITY_RECEIPTS] = MT_CAN_SAY_YES,
    [MT_CAPABILITY_RECEIPTS_DELIVERED] = MT_CAN_SAY_YES,
    [MT_CAPABILITY_READERS] =
        MT_CAN_SAY_DEPENDS("read receipts of groups are opened in the console (paid plans)"),
    [MT_CAPABILITY_RECALL] =
        MT_CAN_SAY_DEPENDS("recalling is opened in the console; within two minutes, "
                           "unless the app has another time"),
    [MT_CAPABILITY_EDIT] = MT_CAN_SAY_DEPENDS("editing is opened in the console"),
    [MT_CAPABILITY_ATTACHMENTS] = MT_CAN_SAY_YES,
    [MT_CAPABILITY_COMBINE] = MT_CAN_SAY_YES,
    [MT_CAPABILITY_DELETE_IDS] =
        MT_CAN_SAY_DEPENDS("message roaming is opened in the console (paid plans)"),
    [MT_CAPABILITY_DELETE_BEFORE] =
        MT_CAN_SAY_DEPENDS("message roaming is opened in the console (paid plans)"),
    [MT_CAPABILITY_DELETE_CONVERSATION] = MT_CAN_SAY_YES,
    [MT_CAPABILITY_DELETE_ALL] = MT_CAN_SAY_YES,
    [MT_CAPABILITY_DELETE_TOLD] = MT_CAN_SAY_YES,
    [MT_CAPABILITY_PIN] = MT_CAN_SAY_YES,
    [MT_CAPABILITY_MARK] = MT_CAN_SAY_YES,
    [MT_CAPABILITY_NOTIFICATION] = MT_CAN_SAY_NO("Easemob's push settings are not offered yet"),
};

struct mt_can_answer mt_em_can(const struct mt_provider_account *account,
                               enum mt_capability capability)
{
    (void)account; /* what depends is known only by asking, and then the verb's fault says it */
    return table[capability];
}

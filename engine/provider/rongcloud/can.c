/* What RongCloud can do (docs/capabilities.md). */
#include "provider/rongcloud/account_int.h"

static const struct mt_can_answer table[MT_CAPABILITIES_N] = {
    [MT_CAPABILITY_LIVE] = {MT_CAN_YES, NULL},
};

struct mt_can_answer mt_rong_can(const struct mt_provider_account *account,
                                 enum mt_capability capability)
{
    (void)account;
    return table[capability];
}

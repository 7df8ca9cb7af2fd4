/* What a user does with its own view of the server: deleting, pins, notifications (rongcloud.md
 * 5.1 to 5.3). The verbs of provider/live.h. */
#ifndef MT_RONGCLOUD_MANAGE_INT_H
#define MT_RONGCLOUD_MANAGE_INT_H

#include "provider/rongcloud/account_int.h"

#define MT_RONG_DELETE_MAX 100 /* messages, and conversations, of one request (5.3) */

enum mt_rc mt_rong_delete_ids(struct mt_provider_account *account,
                              const struct mt_conversation_ref *conversation,
                              const struct mt_message_key *messages, size_t n, mt_done_fn *done,
                              void *ud, struct mt_provider_call **out);
enum mt_rc mt_rong_delete_before(struct mt_provider_account *account,
                                 const struct mt_conversation_ref *conversation, int64_t before_ms,
                                 mt_done_fn *done, void *ud, struct mt_provider_call **out);
enum mt_rc mt_rong_delete_conversation(struct mt_provider_account *account,
                                       const struct mt_conversation_ref *conversation, bool history,
                                       mt_done_fn *done, void *ud, struct mt_provider_call **out);
enum mt_rc mt_rong_delete_all(struct mt_provider_account *account, mt_done_fn *done, void *ud,
                              struct mt_provider_call **out);
enum mt_rc mt_rong_pin(struct mt_provider_account *account,
                       const struct mt_conversation_ref *conversation, bool pinned,
                       mt_done_fn *done, void *ud, struct mt_provider_call **out);
enum mt_rc mt_rong_mark(struct mt_provider_account *account,
                        const struct mt_conversation_ref *conversation, int mark, bool on,
                        mt_done_fn *done, void *ud, struct mt_provider_call **out);
enum mt_rc mt_rong_set_notification(struct mt_provider_account *account,
                                    const struct mt_conversation_ref *conversation,
                                    enum mt_notification level, mt_done_fn *done, void *ud,
                                    struct mt_provider_call **out);

#endif

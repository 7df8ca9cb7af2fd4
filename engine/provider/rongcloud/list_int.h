/* The reading verbs: history and conversations. */
#ifndef MT_RONGCLOUD_LIST_INT_H
#define MT_RONGCLOUD_LIST_INT_H

#include "provider/rongcloud/account_int.h"

typedef void mt_rong_history_fn(void *ud, enum mt_rc rc, const struct mt_history_page *page,
                                const struct mt_fault *fault);
typedef void mt_rong_list_fn(void *ud, enum mt_rc rc, const struct mt_conversations_page *page,
                             const struct mt_fault *fault);

enum mt_rc mt_rong_history(struct mt_provider_account *account,
                           const struct mt_history_query *query, mt_rong_history_fn *done, void *ud,
                           struct mt_provider_call **out);
bool mt_rong_cursor_after(const struct mt_provider_account *account, const struct mt_message *m,
                          char out[MT_CURSOR_MAX]);
enum mt_rc mt_rong_decode_raw(const struct mt_provider_account *account, const void *raw,
                              size_t len, struct mt_arena *arena, struct mt_message *out);
enum mt_rc mt_rong_conversations(struct mt_provider_account *account,
                                 const struct mt_conversations_query *query, mt_rong_list_fn *done,
                                 void *ud, struct mt_provider_call **out);

#endif

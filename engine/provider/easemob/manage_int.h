/* What a user does with its own view of the server: deleting, pins, marks, and who has read a
 * message (easemob.md §4.2, §4.5, §4.6, §4.7). The verbs of provider/live.h. */
#ifndef MT_EASEMOB_MANAGE_INT_H
#define MT_EASEMOB_MANAGE_INT_H

#include "provider/easemob/account_int.h"
#include "provider/live.h"

#define MT_EM_DELETE_MAX 20 /* the official SDK refuses more, whatever the manual says (§4.5) */

enum mt_rc mt_em_delete_ids(struct mt_provider_account *account,
                            const struct mt_conversation_ref *conversation,
                            const struct mt_message_key *messages, size_t n, mt_done_fn *done,
                            void *ud, struct mt_provider_call **out);
enum mt_rc mt_em_delete_before(struct mt_provider_account *account,
                               const struct mt_conversation_ref *conversation, int64_t before_ms,
                               mt_done_fn *done, void *ud, struct mt_provider_call **out);
enum mt_rc mt_em_delete_conversation(struct mt_provider_account *account,
                                     const struct mt_conversation_ref *conversation, bool history,
                                     mt_done_fn *done, void *ud, struct mt_provider_call **out);
enum mt_rc mt_em_delete_all(struct mt_provider_account *account, mt_done_fn *done, void *ud,
                            struct mt_provider_call **out);
enum mt_rc mt_em_pin(struct mt_provider_account *account,
                     const struct mt_conversation_ref *conversation, bool pinned, mt_done_fn *done,
                     void *ud, struct mt_provider_call **out);
enum mt_rc mt_em_mark(struct mt_provider_account *account,
                      const struct mt_conversation_ref *conversation, int mark, bool on,
                      mt_done_fn *done, void *ud, struct mt_provider_call **out);

/* readers.c */
enum mt_rc mt_em_readers(struct mt_provider_account *account,
                         const struct mt_conversation_ref *group,
                         const struct mt_message_key *message, const char *cursor, int limit,
                         mt_readers_fn *done, void *ud, struct mt_provider_call **out);
/* A page of readers from the cloud's answer; it lives as long as the arena. */
enum mt_rc mt_em_readers_parse(const char *text, size_t len, struct mt_arena *arena,
                               struct mt_readers_page *page, struct mt_fault *fault) MT_CHECKED;

#endif

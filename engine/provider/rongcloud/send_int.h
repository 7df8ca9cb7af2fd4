/* What goes out and is answered: messages, and what refers to them (rongcloud.md 4.4, 4.6, 4.7);
 * who has read a message. Of the table in provider/live.h. */
#ifndef MT_RONGCLOUD_SEND_INT_H
#define MT_RONGCLOUD_SEND_INT_H

#include "provider/rongcloud/account_int.h"
#include "provider/rongcloud/outgoing_int.h"

enum mt_rc mt_rong_send(struct mt_provider_account *account, const struct mt_outgoing *message,
                        mt_sent_fn *done, void *ud, struct mt_provider_call **out);
enum mt_rc mt_rong_refer(struct mt_provider_account *account, const struct mt_reference *reference,
                         mt_sent_fn *done, void *ud, struct mt_provider_call **out);
enum mt_rc mt_rong_readers(struct mt_provider_account *account,
                           const struct mt_conversation_ref *group,
                           const struct mt_message_key *message, const char *cursor, int limit,
                           mt_readers_fn *done, void *ud, struct mt_provider_call **out);

/* readers.c. The request of a page of readers, by the version of receipts that navigation
 * announced; cursor NULL: the first. UNSUPPORTED "unsupported" for the one where only the
 * receipts themselves say who they are of. Initialises out, to be deinited in any case. */
enum mt_rc mt_rong_readers_pack(const struct mt_rong_navi *navi,
                                const struct mt_conversation_ref *group, const char *id,
                                const char *cursor, int limit, struct mt_rong_packet *out,
                                struct mt_fault *fault) MT_CHECKED;

#endif

/* What goes out: a message or a reference to one as the bytes of a CommSyncUL{meta}, field by field
 * as the official SDK sends them (easemob.md §3.4), and what the cloud's refusals mean (§3.5). */
#ifndef MT_EASEMOB_OUTGOING_INT_H
#define MT_EASEMOB_OUTGOING_INT_H

#include "provider/easemob/account_int.h"
#include "provider/live.h"

/* Appends to out. INVALID "send.kind", "send.empty", "send.ext_null", "send.too_long", …: what is
 * wrong with the message. */
enum mt_rc mt_em_outgoing_pack(const struct mt_provider_account *account,
                               const struct mt_outgoing *message, uint64_t meta_id,
                               struct mt_buf *out, struct mt_fault *fault) MT_CHECKED;
enum mt_rc mt_em_reference_pack(const struct mt_provider_account *account,
                                const struct mt_reference *reference, uint64_t meta_id,
                                struct mt_buf *out, struct mt_fault *fault) MT_CHECKED;
/* The fault of a status that is not 0; provider_code is the SDK's number. Returns fault->kind. */
enum mt_rc mt_em_answer_fault(int error_code, const char *reason, struct mt_fault *fault);
/* A client id: milliseconds since 2010-02-01 and a counter, never 0. */
uint64_t mt_em_meta_id(int64_t now_ms, uint64_t counter);

#endif

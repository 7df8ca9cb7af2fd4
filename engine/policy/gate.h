/* The gate before every deletion: of the messages of a plan it lets through those that the archive
 * holds durably with the same content, that no hold keeps, that lie in no gap of the archive, and
 * that are within the cap. There is no other way to a deletion under a policy. */
#ifndef MT_POLICY_GATE_H
#define MT_POLICY_GATE_H

#include "policy/hold.h"
#include "policy/plan.h"

struct mt_archive;

enum mt_gate_verdict {
    MT_GATE_LET,
    MT_GATE_NOT_ARCHIVED, /* the archive has no committed line of it */
    MT_GATE_CHANGED,      /* the archive has other content, and no edit with this one */
    MT_GATE_IN_GAP,       /* it lies in a range that the archive says it has not read */
    MT_GATE_HELD,
    MT_GATE_CAP, /* this run has deleted what it may */
    MT_GATE_VERDICTS_N
};
const char *mt_gate_verdict_name(enum mt_gate_verdict verdict); /* "let", "not_archived", … */

/* The digest of the content (mt_message_digest) of what the cloud's bytes say, which only its
 * provider can read. Called on the work pool. A failure other than NOMEM: they cannot be read, and
 * count as other content. */
typedef enum mt_rc mt_gate_digest_fn(void *ud, const void *raw, size_t len,
                                     uint8_t out[MT_PLAN_DIGEST_LEN]);
/* Judges n messages of one conversation against the archive: reads its committed lines. The bytes
 * themselves are not compared: marks in them, such as read, change without the message being
 * another. Work-pool code, within mt_writer_run. The verdicts are LET, NOT_ARCHIVED, CHANGED or
 * IN_GAP. Memory grows with n only. IO and DAMAGED faults of the archive pass through: nothing may
 * be deleted then. */
enum mt_rc mt_gate_archive(struct mt_archive *archive, const char *conversation,
                           const struct mt_plan_item *items, size_t n, mt_gate_digest_fn *digest,
                           void *ud, enum mt_gate_verdict *verdicts,
                           struct mt_fault *fault) MT_CHECKED;
/* Turns LET into HELD where a hold says so. */
void mt_gate_hold(const struct mt_holds *holds, const struct mt_plan_head *head,
                  const char *conversation, const struct mt_plan_item *items, size_t n,
                  enum mt_gate_verdict *verdicts);
/* Turns LET into CAP beyond the first left_n. Returns how many are LET. */
size_t mt_gate_cap(uint64_t left_n, enum mt_gate_verdict *verdicts, size_t n);
/* How many messages one run may delete when nobody said: 10,000 or a twentieth of those seen,
 * whichever is smaller, but one at least. */
uint64_t mt_gate_cap_default(uint64_t seen_n);

#endif

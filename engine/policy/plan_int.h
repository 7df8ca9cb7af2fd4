/* What writing and reading of plans share. A plan is a file of lines:
 *
 *   {"v":1,"plan":"head","account":…,"provider":…,"appkey":…,"user":…,"policy":…[,"holds":…],
 *    "made":ms,"at":"RFC 3339"}
 *   {"conversation":"single:bob"}                                     when any of it is planned
 *   {"id":"…","time":ms,"sent":true[,"from":"…"],"digest":"…"}        each
 *   {"conversation":"single:bob","seen":n,"planned":n,"held":n,"oldest":ms,"newest":ms[,"holds":{…}]}
 *   {"plan":"end","conversations":n,"seen":n,…,"hash":"…","sha256":"of every byte before"}
 *
 * Private to the room. */
#ifndef MT_POLICY_PLAN_INT_H
#define MT_POLICY_PLAN_INT_H

#include "codec/hash.h"
#include "policy/plan.h"

#define MT_PLAN_FROM_MAX  1024u /* a sender's id, longer than any cloud's */
#define MT_PLAN_LINE_MAX  ((size_t)8 << 20)
#define MT_PLAN_BLOCK     ((size_t)256 << 10)
#define MT_PLAN_ARENA_MAX ((size_t)1 << 30)

/* What all items have in common, in whatever order they come. */
struct mt_plan_sum {
    uint64_t items_n, conversations_n;
    uint8_t ids[MT_SHA256_LEN]; /* sum, modulo 2^256, of SHA-256(conversation NUL id) */
    struct mt_plan_count total;
};

void mt_plan_sum_add(struct mt_plan_sum *sum, struct mt_sha256 *scratch, const char *conversation,
                     const char *id);
/* Adds one conversation's count to the whole plan's. */
void mt_plan_count_add(struct mt_plan_count *total, const struct mt_plan_count *count);
/* Counts a planned message; one without a time has no say in oldest and newest. */
void mt_plan_count_item(struct mt_plan_count *count, int64_t time_ms);
void mt_plan_hash_of(const struct mt_plan_head *head, const struct mt_plan_sum *sum,
                     struct mt_sha256 *scratch, char hash[MT_PLAN_HASH_MAX]);
/* The last line, with its newline. file: the state after every byte before it. */
void mt_plan_put_end(struct mt_buf *out, const struct mt_plan_sum *sum, const char *hash,
                     const struct mt_sha256 *file);

#endif

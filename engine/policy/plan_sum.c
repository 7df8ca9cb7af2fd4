/* The sums of a plan: the hash that names it, and its last line. */
#include "policy/plan_int.h"

#include "codec/json.h"

#include <stdio.h>
#include <string.h>

void mt_plan_sum_add(struct mt_plan_sum *sum, struct mt_sha256 *scratch, const char *conversation,
                     const char *id)
{
    uint8_t one[MT_SHA256_LEN];
    unsigned carry = 0;

    mt_sha256_reset(scratch);
    mt_sha256_update(scratch, conversation, strlen(conversation) + 1);
    mt_sha256_update(scratch, id, strlen(id));
    mt_sha256_peek(scratch, one);
    for (size_t i = MT_SHA256_LEN; i-- > 0;) {
        carry += (unsigned)sum->ids[i] + one[i];
        sum->ids[i] = (uint8_t)carry;
        carry >>= 8;
    }
    sum->items_n++;
}

static void widen(struct mt_plan_count *count, int64_t oldest_ms, int64_t newest_ms)
{
    if (oldest_ms && (!count->oldest_ms || oldest_ms < count->oldest_ms))
        count->oldest_ms = oldest_ms;
    if (newest_ms && (!count->newest_ms || newest_ms > count->newest_ms))
        count->newest_ms = newest_ms;
}

void mt_plan_count_item(struct mt_plan_count *count, int64_t time_ms)
{
    count->planned_n++;
    widen(count, time_ms, time_ms);
}

void mt_plan_count_add(struct mt_plan_count *total, const struct mt_plan_count *count)
{
    total->seen_n += count->seen_n;
    total->planned_n += count->planned_n;
    total->held_n += count->held_n;
    widen(total, count->oldest_ms, count->newest_ms);
}

void mt_plan_hash_of(const struct mt_plan_head *head, const struct mt_plan_sum *sum,
                     struct mt_sha256 *scratch, char hash[MT_PLAN_HASH_MAX])
{
    const char *const parts[] = {"moontide plan 1", head->provider, head->appkey, head->user,
                                 head->policy};
    uint8_t digest[MT_SHA256_LEN];
    char count[24];

    mt_sha256_reset(scratch);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        mt_sha256_update(scratch, parts[i], strlen(parts[i]) + 1);
    snprintf(count, sizeof count, "%llu", (unsigned long long)sum->items_n);
    mt_sha256_update(scratch, count, strlen(count) + 1);
    mt_sha256_update(scratch, sum->ids, sizeof sum->ids);
    mt_sha256_peek(scratch, digest);
    mt_hex(digest, sizeof digest, hash);
}

void mt_plan_put_end(struct mt_buf *out, const struct mt_plan_sum *sum, const char *hash,
                     const struct mt_sha256 *file)
{
    const struct mt_plan_count *t = &sum->total;
    uint8_t digest[MT_SHA256_LEN];
    char hex[MT_SHA256_HEX];

    mt_sha256_peek(file, digest);
    mt_hex(digest, sizeof digest, hex);
    mt_buf_appendf(
        out,
        "{\"plan\":\"end\",\"conversations\":%llu,\"seen\":%llu,\"planned\":%llu,"
        "\"held\":%llu,\"oldest\":%lld,\"newest\":%lld,\"hash\":\"%s\",\"sha256\":\"%s\"}\n",
        (unsigned long long)sum->conversations_n, (unsigned long long)t->seen_n,
        (unsigned long long)t->planned_n, (unsigned long long)t->held_n, (long long)t->oldest_ms,
        (long long)t->newest_ms, hash, hex);
}

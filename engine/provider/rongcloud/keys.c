/* Ids of messages and their times: see keys_int.h. A table of buckets of eight: what is new takes
 * the place of the oldest of its bucket, so nothing is ever searched or moved. Of an id two hashes
 * are kept. */
#include "provider/rongcloud/keys_int.h"

#include "base/mem.h"
#include "provider/rongcloud/account_int.h"

#include <string.h>

#define WAYS  8
#define FIRST 1 /* buckets: most accounts of a process read little */

struct slot {
    uint64_t one, two; /* 0 and 0: empty */
    int64_t time_ms;
    bool sent;
};

struct bucket {
    struct slot slots[WAYS];
    unsigned next;
};

struct mt_rong_keys {
    struct bucket *buckets;
    size_t buckets_n; /* a power of two */
    size_t max;       /* of slots */
};

static uint64_t hash(const char *s, uint64_t h)
{
    for (; *s != '\0'; s++)
        h = (h ^ (unsigned char)*s) * 1099511628211u;
    return h ^ (h >> 29);
}

static struct slot slot_of(const char *id)
{
    return (struct slot){.one = hash(id, 14695981039346656037u) | 1,
                         .two = hash(id, 1099511628211u)};
}

static struct bucket *bucket_of(const struct mt_rong_keys *keys, const struct slot *slot)
{
    return &keys->buckets[(slot->one >> 1) & (keys->buckets_n - 1)];
}

struct mt_rong_keys *mt_rong_keys_new(size_t max)
{
    struct mt_rong_keys *keys = mt_mem_calloc(1, sizeof *keys);

    if (keys == NULL)
        return NULL;
    keys->max = max;
    keys->buckets_n = FIRST;
    keys->buckets = mt_mem_calloc(keys->buckets_n, sizeof *keys->buckets);
    if (keys->buckets != NULL)
        return keys;
    mt_mem_free(keys);
    return NULL;
}

void mt_rong_keys_free(struct mt_rong_keys *keys)
{
    if (keys == NULL)
        return;
    mt_mem_free(keys->buckets);
    mt_mem_free(keys);
}

static void put(struct mt_rong_keys *keys, const struct slot *slot)
{
    struct bucket *bucket = bucket_of(keys, slot);

    for (size_t i = 0; i < WAYS; i++)
        if (bucket->slots[i].one == slot->one && bucket->slots[i].two == slot->two) {
            bucket->slots[i] = *slot;
            return;
        }
    bucket->slots[bucket->next] = *slot;
    bucket->next = (bucket->next + 1) % WAYS;
}

/* Twice as large; false: it may not be, or there is no memory, and it stays as it is. */
static bool grow(struct mt_rong_keys *keys)
{
    struct mt_rong_keys larger = {.buckets_n = keys->buckets_n * 2, .max = keys->max};

    if (larger.buckets_n * WAYS > keys->max)
        return false;
    larger.buckets = mt_mem_calloc(larger.buckets_n, sizeof *larger.buckets);
    if (larger.buckets == NULL)
        return false;
    for (size_t b = 0; b < keys->buckets_n; b++)
        for (size_t i = 0; i < WAYS; i++) { /* from the oldest on */
            const struct bucket *bucket = &keys->buckets[b];
            const struct slot *slot = &bucket->slots[(bucket->next + i) % WAYS];

            if (slot->one != 0)
                put(&larger, slot);
        }
    mt_mem_free(keys->buckets);
    *keys = larger;
    return true;
}

/* Something would have to go for it, though the table as a whole may have room. */
static bool is_crowded(const struct mt_rong_keys *keys, const struct slot *slot)
{
    const struct bucket *bucket = bucket_of(keys, slot);

    for (size_t i = 0; i < WAYS; i++)
        if (bucket->slots[i].one == 0 ||
            (bucket->slots[i].one == slot->one && bucket->slots[i].two == slot->two))
            return false;
    return true;
}

void mt_rong_keys_note(struct mt_rong_keys *keys, const struct mt_message *m)
{
    struct slot slot;

    if (!mt_id_is(m->id) || m->time_ms <= 0)
        return;
    slot = slot_of(m->id);
    slot.time_ms = m->time_ms;
    slot.sent = m->sent;
    while (is_crowded(keys, &slot) && grow(keys))
        continue;
    put(keys, &slot);
}

bool mt_rong_keys_find(const struct mt_rong_keys *keys, struct mt_message_key *key)
{
    struct slot slot;
    const struct bucket *bucket = NULL;

    if (keys == NULL || !mt_id_is(key->id))
        return false;
    slot = slot_of(key->id);
    bucket = bucket_of(keys, &slot);
    for (size_t i = 0; i < WAYS; i++)
        if (bucket->slots[i].one == slot.one && bucket->slots[i].two == slot.two) {
            key->time_ms = bucket->slots[i].time_ms;
            key->sent = bucket->slots[i].sent;
            return true;
        }
    return false;
}

/* ---------------------------------------------------------------- of an account */

void mt_rong_note_read(struct mt_provider_account *account, const struct mt_message *m)
{
    if (account->keys_read == NULL)
        account->keys_read = mt_rong_keys_new(MT_RONG_KEYS_READ_MAX);
    if (account->keys_read != NULL)
        mt_rong_keys_note(account->keys_read, m);
}

void mt_rong_note_heard(struct mt_provider_account *account, const struct mt_message *m)
{
    if (account->keys_heard == NULL)
        account->keys_heard = mt_rong_keys_new(MT_RONG_KEYS_HEARD_MAX);
    if (account->keys_heard != NULL)
        mt_rong_keys_note(account->keys_heard, m);
}

bool mt_rong_locate(const struct mt_provider_account *account, struct mt_message_key *message)
{
    return mt_rong_keys_find(account->keys_heard, message) ||
           mt_rong_keys_find(account->keys_read, message);
}

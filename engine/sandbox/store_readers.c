/* Who has read a group message that asked for receipts. */
#include "sandbox/store_int.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>

const struct mt_sb_readers *mt_sb_readers_get(const struct mt_sb_store *store, uint64_t id)
{
    char key[24];
    (void)snprintf(key, sizeof key, "%" PRIu64, id);
    return mt_map_get(store->readers, key);
}

struct mt_sb_readers *mt_sb_readers_add(struct mt_sb_store *store, uint64_t id, uint32_t user,
                                        int64_t now_ms)
{
    char key[24];
    (void)snprintf(key, sizeof key, "%" PRIu64, id);
    struct mt_sb_readers *readers = mt_map_get(store->readers, key);
    if (readers == NULL) {
        readers = mt_mem_calloc(1, sizeof *readers);
        if (readers == NULL)
            return NULL;
        if (mt_map_put(store->readers, key, readers) != MT_OK) {
            mt_mem_free(readers);
            return NULL;
        }
    }
    for (size_t i = 0; i < readers->n; i++) {
        if (readers->users[i] == user)
            return readers;
    }
    if (mt_sb_grow(&readers->users, readers->n, &readers->cap, sizeof(uint32_t)) != MT_OK)
        return NULL;
    readers->users[readers->n++] = user;
    readers->last_ms = now_ms;
    return readers;
}

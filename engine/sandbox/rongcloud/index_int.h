/* Private to the RongCloud side. Number → pointer: what is looked up for every message. */
#ifndef MT_SANDBOX_RONGCLOUD_INDEX_INT_H
#define MT_SANDBOX_RONGCLOUD_INDEX_INT_H

#include "base/rc.h"

#include <stddef.h>
#include <stdint.h>

struct mt_sr_index {
    uint64_t *keys; /* 0: free */
    void **values;
    size_t n;
    size_t cap; /* a power of two */
};

/* Keys are never 0. */
void *mt_sr_index_get(const struct mt_sr_index *index, uint64_t key); /* NULL if absent */
enum mt_rc mt_sr_index_put(struct mt_sr_index *index, uint64_t key, void *value) MT_CHECKED;
void mt_sr_index_deinit(struct mt_sr_index *index);

#endif

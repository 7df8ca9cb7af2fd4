#include "sandbox/rongcloud/index_int.h"

#include "base/mem.h"

static size_t place(const struct mt_sr_index *index, uint64_t key)
{
    uint64_t z = key * 0x9e3779b97f4a7c15U;
    size_t at = (size_t)(z >> 17) & (index->cap - 1);
    while (index->keys[at] != 0 && index->keys[at] != key)
        at = (at + 1) & (index->cap - 1);
    return at;
}

void *mt_sr_index_get(const struct mt_sr_index *index, uint64_t key)
{
    if (index->cap == 0)
        return NULL;
    size_t at = place(index, key);
    return index->keys[at] == key ? index->values[at] : NULL;
}

static enum mt_rc grow(struct mt_sr_index *index)
{
    struct mt_sr_index next = {.cap = index->cap == 0 ? 64 : index->cap * 2};
    next.keys = mt_mem_calloc(next.cap, sizeof *next.keys);
    next.values = mt_mem_calloc(next.cap, sizeof *next.values);
    if (next.keys == NULL || next.values == NULL) {
        mt_sr_index_deinit(&next);
        return MT_ERR_NOMEM;
    }
    for (size_t i = 0; i < index->cap; i++) {
        if (index->keys[i] == 0)
            continue;
        size_t at = place(&next, index->keys[i]);
        next.keys[at] = index->keys[i];
        next.values[at] = index->values[i];
    }
    next.n = index->n;
    mt_sr_index_deinit(index);
    *index = next;
    return MT_OK;
}

enum mt_rc mt_sr_index_put(struct mt_sr_index *index, uint64_t key, void *value)
{
    if (index->n * 2 >= index->cap) {
        enum mt_rc rc = grow(index);
        if (rc != MT_OK)
            return rc;
    }
    size_t at = place(index, key);
    if (index->keys[at] == 0)
        index->n++;
    index->keys[at] = key;
    index->values[at] = value;
    return MT_OK;
}

void mt_sr_index_deinit(struct mt_sr_index *index)
{
    mt_mem_free(index->keys);
    mt_mem_free((void *)index->values);
    *index = (struct mt_sr_index){0};
}

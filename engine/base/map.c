/* The one user of uthash. Its allocations go through the seam, and running out of memory is a
 * result, not an exit. */
#include "base/map.h"

#include "base/mem.h"

#include <string.h>

#define HASH_NONFATAL_OOM       1
#define uthash_malloc(n)        mt_mem_alloc(n)
#define uthash_free(p, n)       mt_mem_free(p)
#define uthash_nonfatal_oom(el) (added = false)
#include <uthash.h>

struct entry {
    UT_hash_handle hh;
    void *value;
    char key[];
};

struct mt_map {
    struct entry *head;
};

struct mt_map *mt_map_new(void)
{
    return mt_mem_calloc(1, sizeof(struct mt_map));
}

void mt_map_free(struct mt_map *map, void (*free_value)(void *value))
{
    if (!map) {
        return;
    }
    struct entry *e = map->head;
    HASH_CLEAR(hh, map->head); /* frees the table only; the entries stay linked by hh.next */
    while (e) {
        struct entry *following = e->hh.next;
        if (free_value) {
            free_value(e->value);
        }
        mt_mem_free(e);
        e = following;
    }
    mt_mem_free(map);
}

static struct entry *find(const struct mt_map *map, const char *key, size_t len)
{
    struct entry *e = NULL;
    HASH_FIND(hh, map->head, key, len, e);
    return e;
}

void *mt_map_get(const struct mt_map *map, const char *key)
{
    struct entry *e = find(map, key, strlen(key));
    return e ? e->value : NULL;
}

enum mt_rc mt_map_put(struct mt_map *map, const char *key, void *value)
{
    size_t len = strlen(key);
    struct entry *e = find(map, key, len);
    if (e) {
        e->value = value;
        return MT_OK;
    }
    e = mt_mem_alloc(sizeof *e + len + 1);
    if (!e) {
        return MT_ERR_NOMEM;
    }
    memset(&e->hh, 0, sizeof e->hh);
    e->value = value;
    memcpy(e->key, key, len + 1);
    bool added = true;
    HASH_ADD_KEYPTR(hh, map->head, e->key, len, e);
    if (!added) {
        mt_mem_free(e);
        return MT_ERR_NOMEM;
    }
    return MT_OK;
}

void *mt_map_remove(struct mt_map *map, const char *key)
{
    struct entry *e = find(map, key, strlen(key));
    if (!e) {
        return NULL;
    }
    void *value = e->value;
    HASH_DELETE(hh, map->head, e);
    mt_mem_free(e);
    return value;
}

size_t mt_map_count(const struct mt_map *map)
{
    return map->head ? map->head->hh.tbl->num_items : 0;
}

void mt_map_each(const struct mt_map *map, bool (*each)(void *ud, const char *key, void *value),
                 void *ud)
{
    for (struct entry *e = map->head; e; e = e->hh.next) {
        if (!each(ud, e->key, e->value)) {
            return;
        }
    }
}

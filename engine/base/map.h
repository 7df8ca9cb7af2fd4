/* String → pointer map (over uthash). Keys are copied; values belong to the caller. */
#ifndef MT_BASE_MAP_H
#define MT_BASE_MAP_H

#include "base/rc.h"

#include <stddef.h>

struct mt_map;

struct mt_map *mt_map_new(void);
/* free_value may be NULL. */
void mt_map_free(struct mt_map *map, void (*free_value)(void *value));
void *mt_map_get(const struct mt_map *map, const char *key); /* NULL if absent */
enum mt_rc mt_map_put(struct mt_map *map, const char *key, void *value) MT_CHECKED; /* replaces */
void *mt_map_remove(struct mt_map *map, const char *key); /* the value, or NULL */
size_t mt_map_count(const struct mt_map *map);
/* Calls each(ud, key, value) in insertion order; the map must not change meanwhile. Stops when each
 * returns false. */
void mt_map_each(const struct mt_map *map, bool (*each)(void *ud, const char *key, void *value),
                 void *ud);

#endif

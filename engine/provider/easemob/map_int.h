/* Builds a MAP value field by field in an arena. Errors stay in the builder and are asked for once
 * at the end. */
#ifndef MT_EASEMOB_MAP_INT_H
#define MT_EASEMOB_MAP_INT_H

#include "base/arena.h"
#include "model/value.h"

#define MT_EM_MAP_MAX 512 /* fields; more is no message that the service lets pass (5 kB) */

struct mt_em_map {
    struct mt_arena *arena;
    struct mt_field *fields;
    size_t n;
    size_t cap;
    enum mt_rc failed; /* MT_OK, MT_ERR_NOMEM or MT_ERR_LIMIT */
};

void mt_em_map_init(struct mt_em_map *map, struct mt_arena *arena);
/* The slot of a new field; NULL when failed. key must live as long as the arena. */
struct mt_value *mt_em_map_add(struct mt_em_map *map, const char *key);
/* As add, but a field of the same key is used again: the last one of a list of pairs wins, as in
 * the SDK. */
struct mt_value *mt_em_map_slot(struct mt_em_map *map, const char *key);
/* Copies s; NULL and "" add nothing: the cloud writes absent fields either way. */
void mt_em_map_str(struct mt_em_map *map, const char *key, const char *s);
void mt_em_map_int(struct mt_em_map *map, const char *key, int64_t i);
void mt_em_map_bool(struct mt_em_map *map, const char *key, bool b);
/* INT when it is a whole number, DOUBLE otherwise, so that 64.0 on the wire and 64 in JSON are the
 * same. */
void mt_em_map_number(struct mt_em_map *map, const char *key, double d);
void mt_em_map_value(struct mt_em_map *map, const char *key, struct mt_value value);
/* Hands the fields over as a MAP. */
struct mt_value mt_em_map_end(const struct mt_em_map *map);
struct mt_value mt_em_value_str(const char *s);

#endif

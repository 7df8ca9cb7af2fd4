/* The map builder of the decoders: see map_int.h. */
#include "provider/easemob/map_int.h"

#include <math.h>
#include <string.h>

void mt_em_map_init(struct mt_em_map *map, struct mt_arena *arena)
{
    *map = (struct mt_em_map){.arena = arena};
}

static bool grow(struct mt_em_map *map)
{
    size_t cap = map->cap == 0 ? 2 : map->cap * 4;
    struct mt_field *fields = NULL;

    if (map->n >= MT_EM_MAP_MAX) {
        map->failed = MT_ERR_LIMIT;
        return false;
    }
    fields = mt_arena_alloc(map->arena, cap * sizeof *fields);
    if (fields == NULL) {
        map->failed = MT_ERR_NOMEM;
        return false;
    }
    if (map->n > 0)
        memcpy(fields, map->fields, map->n * sizeof *fields);
    map->fields = fields;
    map->cap = cap;
    return true;
}

struct mt_value *mt_em_map_add(struct mt_em_map *map, const char *key)
{
    struct mt_field *field = NULL;

    if (map->failed != MT_OK || (map->n == map->cap && !grow(map)))
        return NULL;
    field = &map->fields[map->n++];
    *field = (struct mt_field){.key = key, .value = {.type = MT_VALUE_NULL}};
    return &field->value;
}

struct mt_value *mt_em_map_slot(struct mt_em_map *map, const char *key)
{
    for (size_t i = 0; i < map->n; i++)
        if (strcmp(map->fields[i].key, key) == 0)
            return &map->fields[i].value;
    return mt_em_map_add(map, key);
}

struct mt_value mt_em_value_str(const char *s)
{
    return (struct mt_value){.type = MT_VALUE_STR, .s = s, .len = strlen(s)};
}

void mt_em_map_value(struct mt_em_map *map, const char *key, struct mt_value value)
{
    struct mt_value *slot = mt_em_map_add(map, key);

    if (slot != NULL)
        *slot = value;
}

void mt_em_map_str(struct mt_em_map *map, const char *key, const char *s)
{
    const char *copy = NULL;

    if (s == NULL || s[0] == '\0' || map->failed != MT_OK)
        return;
    copy = mt_arena_strdup(map->arena, s);
    if (copy == NULL)
        map->failed = MT_ERR_NOMEM;
    else
        mt_em_map_value(map, key, mt_em_value_str(copy));
}

void mt_em_map_int(struct mt_em_map *map, const char *key, int64_t i)
{
    mt_em_map_value(map, key, (struct mt_value){.type = MT_VALUE_INT, .i = i});
}

void mt_em_map_bool(struct mt_em_map *map, const char *key, bool b)
{
    mt_em_map_value(map, key, (struct mt_value){.type = MT_VALUE_BOOL, .b = b});
}

void mt_em_map_number(struct mt_em_map *map, const char *key, double d)
{
    if (isfinite(d) && d == floor(d) && fabs(d) <= 9007199254740992.0)
        mt_em_map_int(map, key, (int64_t)d);
    else
        mt_em_map_value(map, key, (struct mt_value){.type = MT_VALUE_DOUBLE, .d = d});
}

struct mt_value mt_em_map_end(const struct mt_em_map *map)
{
    return (struct mt_value){.type = MT_VALUE_MAP, .fields = map->fields, .fields_n = map->n};
}

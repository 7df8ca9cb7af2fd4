/* A typed value as clouds put them into ext and bodies: what JSON can say, plus exact integers and
 * the provider's own type number where the cloud distinguishes more than JSON does. Plain data in
 * an arena. */
#ifndef MT_MODEL_VALUE_H
#define MT_MODEL_VALUE_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mt_json;
struct mt_arena;

enum mt_value_type {
    MT_VALUE_NULL,
    MT_VALUE_BOOL,
    MT_VALUE_INT,    /* i */
    MT_VALUE_UINT,   /* u; only where above INT64_MAX */
    MT_VALUE_DOUBLE, /* d */
    MT_VALUE_STR,    /* s, len */
    MT_VALUE_LIST,   /* items, n */
    MT_VALUE_MAP,    /* fields, n */
};

struct mt_field;

struct mt_value {
    enum mt_value_type type;
    union {
        bool b;
        int64_t i;
        uint64_t u;
        double d;
        struct {
            const char *s;
            size_t len;
        };
        struct {
            struct mt_value *items;
            size_t items_n;
        };
        struct {
            struct mt_field *fields;
            size_t fields_n;
        };
    };
};

struct mt_field {
    const char *key;
    struct mt_value value;
};

/* NULL or the member. */
const struct mt_value *mt_value_get(const struct mt_value *map, const char *key);
/* JSON: integers beyond ±2^53 are written as decimal strings (clients would round them); maps keep
 * their order. */
enum mt_rc mt_value_write(const struct mt_value *value, struct mt_buf *out);
/* From a parsed JSON node; long integers become INT or UINT. NOMEM or LIMIT when the arena is full.
 */
enum mt_rc mt_value_from_json(const struct mt_json *node, struct mt_arena *arena,
                              struct mt_value *out) MT_CHECKED;
/* All of it, keys included, into the arena. */
enum mt_rc mt_value_copy(const struct mt_value *value, struct mt_arena *arena,
                         struct mt_value *out) MT_CHECKED;

#endif

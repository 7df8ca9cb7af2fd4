/* Typed values: looking up, writing as JSON, and taking over from a parsed JSON node. */
#include "model/value.h"

#include "base/arena.h"
#include "base/str.h"
#include "codec/json.h"

#include <math.h>
#include <string.h>

/* Doubles, and so the numbers of most JSON readers, hold every integer up to here. */
#define EXACT_MAX ((int64_t)1 << 53)

const struct mt_value *mt_value_get(const struct mt_value *map, const char *key)
{
    if (!map || map->type != MT_VALUE_MAP) {
        return NULL;
    }
    for (size_t i = map->fields_n; i > 0; i--) { /* the last of two equal keys counts */
        if (strcmp(map->fields[i - 1].key, key) == 0) {
            return &map->fields[i - 1].value;
        }
    }
    return NULL;
}

static void write_long(struct mt_buf *out, bool quoted, int64_t i, uint64_t u)
{
    if (quoted) {
        mt_buf_append_char(out, '"');
    }
    if (i < 0) {
        mt_buf_append_i64(out, i);
    } else {
        mt_buf_append_u64(out, u);
    }
    if (quoted) {
        mt_buf_append_char(out, '"');
    }
}

static void write_value(const struct mt_value *v, unsigned depth, struct mt_buf *out)
{
    if (depth > MT_JSON_MAX_DEPTH) { /* nothing that was read is that deep */
        mt_buf_deinit(out);
        out->failed = MT_ERR_LIMIT;
        return;
    }
    switch (v->type) {
    case MT_VALUE_NULL:
        mt_buf_append(out, "null", 4);
        break;
    case MT_VALUE_BOOL:
        mt_buf_append_str(out, v->b ? "true" : "false");
        break;
    case MT_VALUE_INT:
        write_long(out, v->i > EXACT_MAX || v->i < -EXACT_MAX, v->i, (uint64_t)v->i);
        break;
    case MT_VALUE_UINT:
        write_long(out, v->u > (uint64_t)EXACT_MAX, 0, v->u);
        break;
    case MT_VALUE_DOUBLE:
        mt_json_write_double(out, v->d);
        break;
    case MT_VALUE_STR:
        mt_json_write_str(out, v->s, v->len);
        break;
    case MT_VALUE_LIST:
        mt_buf_append_char(out, '[');
        for (size_t i = 0; i < v->items_n && out->failed == MT_OK; i++) {
            if (i > 0) {
                mt_buf_append_char(out, ',');
            }
            write_value(&v->items[i], depth + 1, out);
        }
        mt_buf_append_char(out, ']');
        break;
    case MT_VALUE_MAP:
        mt_buf_append_char(out, '{');
        for (size_t i = 0; i < v->fields_n && out->failed == MT_OK; i++) {
            if (i > 0) {
                mt_buf_append_char(out, ',');
            }
            mt_json_write_str(out, v->fields[i].key, strlen(v->fields[i].key));
            mt_buf_append_char(out, ':');
            write_value(&v->fields[i].value, depth + 1, out);
        }
        mt_buf_append_char(out, '}');
        break;
    }
}

enum mt_rc mt_value_write(const struct mt_value *value, struct mt_buf *out)
{
    write_value(value, 0, out);
    return out->failed;
}

static enum mt_rc take_str(const char *s, struct mt_arena *arena, struct mt_value *out)
{
    size_t len = strlen(s);
    const char *copy = mt_arena_strndup(arena, s, len);
    if (!copy) {
        return MT_ERR_NOMEM;
    }
    *out = (struct mt_value){.type = MT_VALUE_STR, .s = copy, .len = len};
    return MT_OK;
}

static enum mt_rc take_number(const struct mt_json *node, struct mt_arena *arena,
                              struct mt_value *out)
{
    const char *digits = mt_json_is_long(node) ? mt_json_str(node) : NULL;
    double d = mt_json_double(node, 0);
    if (digits) {
        if (mt_str_i64(digits, &out->i)) {
            out->type = MT_VALUE_INT;
        } else if (mt_str_u64(digits, &out->u)) {
            out->type = MT_VALUE_UINT;
        } else {
            return take_str(digits, arena,
                            out); /* wider than 64 bits: as text, nothing is rounded */
        }
    } else if (fabs(d) <= (double)EXACT_MAX && trunc(d) == d && !(d == 0 && signbit(d))) {
        *out = (struct mt_value){.type = MT_VALUE_INT, .i = (int64_t)d};
    } else {
        *out = (struct mt_value){.type = MT_VALUE_DOUBLE, .d = d};
    }
    return MT_OK;
}

static enum mt_rc take_list(const struct mt_json *node, struct mt_arena *arena,
                            struct mt_value *out)
{
    size_t n = mt_json_count(node);
    struct mt_value *items = mt_arena_calloc(arena, n, sizeof *items);
    if (!items) {
        return MT_ERR_NOMEM;
    }
    size_t i = 0;
    for (const struct mt_json *c = mt_json_child(node); c; c = mt_json_next(c)) {
        enum mt_rc rc = mt_value_from_json(c, arena, &items[i++]);
        if (rc != MT_OK) {
            return rc;
        }
    }
    *out = (struct mt_value){.type = MT_VALUE_LIST, .items = items, .items_n = n};
    return MT_OK;
}

static enum mt_rc take_map(const struct mt_json *node, struct mt_arena *arena, struct mt_value *out)
{
    size_t n = mt_json_count(node);
    struct mt_field *fields = mt_arena_calloc(arena, n, sizeof *fields);
    if (!fields) {
        return MT_ERR_NOMEM;
    }
    size_t i = 0;
    for (const struct mt_json *c = mt_json_child(node); c; c = mt_json_next(c)) {
        fields[i].key = mt_arena_strdup(arena, mt_json_key(c));
        if (!fields[i].key) {
            return MT_ERR_NOMEM;
        }
        enum mt_rc rc = mt_value_from_json(c, arena, &fields[i++].value);
        if (rc != MT_OK) {
            return rc;
        }
    }
    *out = (struct mt_value){.type = MT_VALUE_MAP, .fields = fields, .fields_n = n};
    return MT_OK;
}

enum mt_rc mt_value_from_json(const struct mt_json *node, struct mt_arena *arena,
                              struct mt_value *out)
{
    *out = (struct mt_value){.type = MT_VALUE_NULL};
    switch (mt_json_type(node)) {
    case MT_JSON_NULL:
        return MT_OK;
    case MT_JSON_BOOL:
        *out = (struct mt_value){.type = MT_VALUE_BOOL, .b = mt_json_bool(node, false)};
        return MT_OK;
    case MT_JSON_NUMBER:
        return take_number(node, arena, out);
    case MT_JSON_STRING:
        return take_str(mt_json_str(node), arena, out);
    case MT_JSON_ARRAY:
        return take_list(node, arena, out);
    case MT_JSON_OBJECT:
        return take_map(node, arena, out);
    }
    return MT_OK;
}

static enum mt_rc copy_list(const struct mt_value *value, struct mt_arena *arena,
                            struct mt_value *out)
{
    struct mt_value *items = mt_arena_calloc(arena, value->items_n + 1, sizeof *items);
    enum mt_rc rc = items ? MT_OK : MT_ERR_NOMEM;

    for (size_t i = 0; !rc && i < value->items_n; i++)
        rc = mt_value_copy(&value->items[i], arena, &items[i]);
    out->items = items;
    return rc;
}

static enum mt_rc copy_map(const struct mt_value *value, struct mt_arena *arena,
                           struct mt_value *out)
{
    struct mt_field *fields = mt_arena_calloc(arena, value->fields_n + 1, sizeof *fields);
    enum mt_rc rc = fields ? MT_OK : MT_ERR_NOMEM;

    for (size_t i = 0; !rc && i < value->fields_n; i++) {
        fields[i].key = mt_arena_strdup(arena, value->fields[i].key);
        rc = fields[i].key ? mt_value_copy(&value->fields[i].value, arena, &fields[i].value)
                           : MT_ERR_NOMEM;
    }
    out->fields = fields;
    return rc;
}

enum mt_rc mt_value_copy(const struct mt_value *value, struct mt_arena *arena, struct mt_value *out)
{
    *out = *value;
    switch (value->type) {
    case MT_VALUE_STR:
        out->s = mt_arena_strndup(arena, value->s ? value->s : "", value->s ? value->len : 0);
        return out->s ? MT_OK : MT_ERR_NOMEM;
    case MT_VALUE_LIST:
        return copy_list(value, arena, out);
    case MT_VALUE_MAP:
        return copy_map(value, arena, out);
    default:
        return MT_OK;
    }
}

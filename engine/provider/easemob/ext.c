/* KeyValue lists into values: see ext_int.h. */
#include "provider/easemob/ext_int.h"

#include "base/arena.h"
#include "codec/json.h"
#include "model/fields.h"

#include <string.h>

#define EXT_JSON_MAX ((size_t)1024 * 1024)

enum mt_rc mt_em_ext_json(const char *text, size_t len, struct mt_arena *arena,
                          struct mt_value *out)
{
    struct mt_json *json = NULL;
    const char *copy = NULL;
    enum mt_rc rc = mt_json_parse(text, len, EXT_JSON_MAX, &json, NULL);

    if (rc == MT_OK) {
        rc = mt_value_from_json(json, arena, out);
        mt_json_free(json);
        return rc;
    }
    if (rc == MT_ERR_NOMEM)
        return rc;
    copy = mt_arena_strndup(arena, text, len);
    if (copy == NULL)
        return MT_ERR_NOMEM;
    *out = mt_value_of_str(copy);
    return MT_OK;
}

/* The member that is there decides; type says how to read it (§2). */
static enum mt_rc text_value(const Easemob__Pb__KeyValue *pair, struct mt_arena *arena,
                             struct mt_value *out)
{
    size_t len = pair->stringvalue.len;
    const char *text = len ? (const char *)pair->stringvalue.data : "";
    const char *copy = NULL;

    if (pair->has_type && pair->type == EASEMOB__PB__KEY_VALUE__VALUE_TYPE__JSON_STRING)
        return mt_em_ext_json(text, len, arena, out);
    copy = mt_arena_strndup(arena, text, len);
    if (copy == NULL)
        return MT_ERR_NOMEM;
    *out = (struct mt_value){.type = MT_VALUE_STR, .s = copy, .len = len};
    return MT_OK;
}

enum mt_rc mt_em_ext_value(const Easemob__Pb__KeyValue *pair, struct mt_arena *arena,
                           struct mt_value *out, bool *present)
{
    *present = true;
    *out = (struct mt_value){.type = MT_VALUE_NULL};
    switch (pair->value_case) {
    case EASEMOB__PB__KEY_VALUE__VALUE_VARINT_VALUE:
        if (pair->has_type && pair->type == EASEMOB__PB__KEY_VALUE__VALUE_TYPE__BOOL)
            *out = (struct mt_value){.type = MT_VALUE_BOOL, .b = pair->varintvalue != 0};
        else if (pair->has_type && pair->type == EASEMOB__PB__KEY_VALUE__VALUE_TYPE__UINT &&
                 pair->varintvalue < 0)
            *out = (struct mt_value){.type = MT_VALUE_UINT, .u = (uint64_t)pair->varintvalue};
        else
            *out = (struct mt_value){.type = MT_VALUE_INT, .i = pair->varintvalue};
        return MT_OK;
    case EASEMOB__PB__KEY_VALUE__VALUE_FLOAT_VALUE:
        *out = (struct mt_value){.type = MT_VALUE_DOUBLE, .d = (double)pair->floatvalue};
        return MT_OK;
    case EASEMOB__PB__KEY_VALUE__VALUE_DOUBLE_VALUE:
        *out = (struct mt_value){.type = MT_VALUE_DOUBLE, .d = pair->doublevalue};
        return MT_OK;
    case EASEMOB__PB__KEY_VALUE__VALUE_STRING_VALUE:
        return text_value(pair, arena, out);
    default:
        *present = false;
        return MT_OK;
    }
}

enum mt_rc mt_em_ext_decode(Easemob__Pb__KeyValue *const *pairs, size_t n, struct mt_arena *arena,
                            struct mt_value *out)
{
    struct mt_fields map;

    mt_fields_init(&map, arena);
    for (size_t i = 0; i < n; i++) {
        struct mt_value value;
        struct mt_value *slot = NULL;
        const char *key = NULL;
        bool present = false;
        enum mt_rc rc = mt_em_ext_value(pairs[i], arena, &value, &present);

        if (rc != MT_OK)
            return rc;
        if (!present)
            continue;
        key = mt_arena_strdup(arena, pairs[i]->key == NULL ? "" : pairs[i]->key);
        if (key == NULL)
            return MT_ERR_NOMEM;
        slot = mt_fields_slot(&map, key);
        if (slot == NULL)
            return map.failed;
        *slot = value;
    }
    *out = mt_fields_end(&map);
    return MT_OK;
}

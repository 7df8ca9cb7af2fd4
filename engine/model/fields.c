/* The map builder: see fields.h. */
#include "model/fields.h"

#include "base/arena.h"

#include <math.h>
#include <string.h>

void mt_fields_init(struct mt_fields *fields, struct mt_arena *arena)
{
    *fields = (struct mt_fields){.arena = arena};
}

static bool grow(struct mt_fields *fields)
{
    size_t cap = fields->cap == 0 ? 2 : fields->cap * 4;
    struct mt_field *list = NULL;

    if (fields->n >= MT_FIELDS_MAX) {
        fields->failed = MT_ERR_LIMIT;
        return false;
    }
    list = mt_arena_alloc(fields->arena, cap * sizeof *list);
    if (list == NULL) {
        fields->failed = MT_ERR_NOMEM;
        return false;
    }
    if (fields->n > 0)
        memcpy(list, fields->list, fields->n * sizeof *list);
    fields->list = list;
    fields->cap = cap;
    return true;
}

struct mt_value *mt_fields_add(struct mt_fields *fields, const char *key)
{
    struct mt_field *field = NULL;

    if (fields->failed != MT_OK || (fields->n == fields->cap && !grow(fields)))
        return NULL;
    field = &fields->list[fields->n++];
    *field = (struct mt_field){.key = key, .value = {.type = MT_VALUE_NULL}};
    return &field->value;
}

struct mt_value *mt_fields_slot(struct mt_fields *fields, const char *key)
{
    for (size_t i = 0; i < fields->n; i++)
        if (strcmp(fields->list[i].key, key) == 0)
            return &fields->list[i].value;
    return mt_fields_add(fields, key);
}

struct mt_value mt_value_of_str(const char *s)
{
    return (struct mt_value){.type = MT_VALUE_STR, .s = s, .len = strlen(s)};
}

void mt_fields_value(struct mt_fields *fields, const char *key, struct mt_value value)
{
    struct mt_value *slot = mt_fields_slot(fields, key);

    if (slot != NULL)
        *slot = value;
}

void mt_fields_strn(struct mt_fields *fields, const char *key, const char *s, size_t len)
{
    const char *copy = NULL;

    if (len == 0 || fields->failed != MT_OK)
        return;
    copy = mt_arena_strndup(fields->arena, s, len);
    if (copy == NULL)
        fields->failed = MT_ERR_NOMEM;
    else
        mt_fields_value(fields, key,
                        (struct mt_value){.type = MT_VALUE_STR, .s = copy, .len = len});
}

void mt_fields_str(struct mt_fields *fields, const char *key, const char *s)
{
    if (s != NULL)
        mt_fields_strn(fields, key, s, strlen(s));
}

void mt_fields_int(struct mt_fields *fields, const char *key, int64_t i)
{
    mt_fields_value(fields, key, (struct mt_value){.type = MT_VALUE_INT, .i = i});
}

void mt_fields_bool(struct mt_fields *fields, const char *key, bool b)
{
    mt_fields_value(fields, key, (struct mt_value){.type = MT_VALUE_BOOL, .b = b});
}

void mt_fields_number(struct mt_fields *fields, const char *key, double d)
{
    if (isfinite(d) && d == floor(d) && fabs(d) <= 9007199254740992.0)
        mt_fields_int(fields, key, (int64_t)d);
    else
        mt_fields_value(fields, key, (struct mt_value){.type = MT_VALUE_DOUBLE, .d = d});
}

struct mt_value mt_fields_end(const struct mt_fields *fields)
{
    return (struct mt_value){.type = MT_VALUE_MAP, .fields = fields->list, .fields_n = fields->n};
}

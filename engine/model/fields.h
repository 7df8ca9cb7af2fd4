/* Builds a MAP value field by field in an arena. Errors stay in the builder and are asked for once
 * at the end. */
#ifndef MT_MODEL_FIELDS_H
#define MT_MODEL_FIELDS_H

#include "model/value.h"

#define MT_FIELDS_MAX 512 /* more is no message that a cloud lets pass */

struct mt_arena;

struct mt_fields {
    struct mt_arena *arena;
    struct mt_field *list;
    size_t n;
    size_t cap;
    enum mt_rc failed; /* MT_OK, MT_ERR_NOMEM or MT_ERR_LIMIT */
};

void mt_fields_init(struct mt_fields *fields, struct mt_arena *arena);
/* The value of a new field; NULL when failed. key must live as long as the arena. */
struct mt_value *mt_fields_add(struct mt_fields *fields, const char *key);
/* As add, but a field of the same key is used again: the last one of several wins. */
struct mt_value *mt_fields_slot(struct mt_fields *fields, const char *key);
/* These replace a field of the same key. s is copied; NULL and "" add nothing: clouds write absent
 * fields either way. */
void mt_fields_str(struct mt_fields *fields, const char *key, const char *s);
void mt_fields_strn(struct mt_fields *fields, const char *key, const char *s, size_t len);
void mt_fields_int(struct mt_fields *fields, const char *key, int64_t i);
void mt_fields_bool(struct mt_fields *fields, const char *key, bool b);
/* INT when it is a whole number, DOUBLE otherwise. */
void mt_fields_number(struct mt_fields *fields, const char *key, double d);
void mt_fields_value(struct mt_fields *fields, const char *key, struct mt_value value);
/* Hands the fields over as a MAP. */
struct mt_value mt_fields_end(const struct mt_fields *fields);

/* s is not copied. */
struct mt_value mt_value_of_str(const char *s);

#endif

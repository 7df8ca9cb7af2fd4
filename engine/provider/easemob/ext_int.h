/* KeyValue lists: ext, customExts, params, Meta.ext. */
#ifndef MT_EASEMOB_EXT_INT_H
#define MT_EASEMOB_EXT_INT_H

#include "model/value.h"
#include "msync.pb-c.h"

struct mt_arena;

/* All eight value types, exact (easemob.md §2): JSON_STRING becomes the value that its text says;
 * text that is no JSON stays a string. A key that comes twice has its last value, a pair without
 * value is left away. */
enum mt_rc mt_em_ext_decode(Easemob__Pb__KeyValue *const *pairs, size_t n, struct mt_arena *arena,
                            struct mt_value *out) MT_CHECKED;
/* The value of one pair, copied into the arena; false when it has none. */
enum mt_rc mt_em_ext_value(const Easemob__Pb__KeyValue *pair, struct mt_arena *arena,
                           struct mt_value *out, bool *present) MT_CHECKED;
/* text as JSON into the arena; a string if it is not JSON. */
enum mt_rc mt_em_ext_json(const char *text, size_t len, struct mt_arena *arena,
                          struct mt_value *out) MT_CHECKED;

#endif

/* The fields of a protobuf message one after the other, without knowing its schema: lists are read
 * so that one broken entry does not cost the others, and that an entry's own bytes can be kept. */
#ifndef MT_RONGCLOUD_WALK_INT_H
#define MT_RONGCLOUD_WALK_INT_H

#include "base/rc.h"

#include <stddef.h>
#include <stdint.h>

struct mt_rong_field {
    uint32_t number;
    bool is_bytes; /* bytes, len; else value */
    uint64_t value;
    const uint8_t *bytes;
    size_t len;
};

struct mt_rong_walk {
    const uint8_t *at, *end;
    bool broken;
};

void mt_rong_walk_init(struct mt_rong_walk *walk, const void *p, size_t len);
/* False at the end, and where the bytes are no protobuf (broken). */
bool mt_rong_walk_next(struct mt_rong_walk *walk, struct mt_rong_field *out);

/* Where an answer says that it is compressed; 0: it never is. */
struct mt_rong_shape {
    const char *name; /* for faults: "history" */
    uint32_t flag, data;
};
/* Calls each(ud, field) for the fields of an answer, of the innermost one when answers are
 * compressed into answers. PROTOCOL "<name>.damaged", LIMIT "<name>.too_large". A result of each
 * that is not MT_OK ends it; the fault is then its own. */
enum mt_rc mt_rong_walk_answer(const struct mt_rong_shape *shape, const void *p, size_t len,
                               enum mt_rc (*each)(void *ud, const struct mt_rong_field *field),
                               void *ud, struct mt_fault *fault) MT_CHECKED;
/* NOMEM, LIMIT "<name>.too_large" or PROTOCOL "<name>.damaged"; "the cloud's answer <why>". */
enum mt_rc mt_rong_walk_fault(const char *name, enum mt_rc rc, const char *why,
                              struct mt_fault *fault);

#endif

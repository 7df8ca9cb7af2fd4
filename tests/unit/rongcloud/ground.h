/* Making the cloud's bytes for the tests of this room. */
#ifndef TESTS_RONGCLOUD_GROUND_H
#define TESTS_RONGCLOUD_GROUND_H

#include "../facts.h"

#include "base/arena.h"
#include "provider/rongcloud/content_int.h"
#include "provider/rongcloud/map_int.h"

struct ground {
    struct mt_arena *arena;
    struct mt_rong_decoder decoder; /* of "me" */
};

int ground_new(void **state);
int ground_free(void **state);

/* A DownStreamMessage of alice to me in a single chat, ID "U1", time 1000; what is said may be
 * NULL.
 */
Rongcloud__DownStreamMessage down(const char *name, const char *content);
/* Its bytes, in the arena. */
const uint8_t *down_bytes(struct ground *g, const Rongcloud__DownStreamMessage *m, size_t *len);
/* Decoded; asserts that it can be. */
struct mt_message decoded(struct ground *g, const Rongcloud__DownStreamMessage *m);
struct mt_message decoded_content(struct ground *g, const char *name, const char *content);
/* A MAP out of JSON. */
struct mt_value value_of(struct ground *g, const char *json);

#endif

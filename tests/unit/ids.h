/* Ids that are numbers, as the tests' clouds give them, to and from the texts that the engine
 * knows. */
#ifndef TESTS_UNIT_IDS_H
#define TESTS_UNIT_IDS_H

#include "model/message.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* "" for 0. */
static inline void id_put(char out[MT_ID_MAX], uint64_t id)
{
    snprintf(out, MT_ID_MAX, id ? "%llu" : "%.0llu", (unsigned long long)id);
}

/* 0 if there is none. */
static inline uint64_t id_number(const char *id)
{
    return id ? strtoull(id, NULL, 10) : 0;
}

#endif

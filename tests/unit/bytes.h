/* What people write is bytes in the generated C: setting and comparing it with C strings. */
#ifndef TESTS_UNIT_BYTES_H
#define TESTS_UNIT_BYTES_H

#include "msync.pb-c.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Not copied; NULL is no bytes. */
static inline ProtobufCBinaryData bytes(const char *text)
{
    return (ProtobufCBinaryData){.len = text ? strlen(text) : 0,
                                 .data = (uint8_t *)(uintptr_t)text};
}

/* NULL takes the field away. */
#define SET_BYTES(message, field, value)                                                           \
    ((message)->field = bytes(value), (message)->has_##field = (message)->field.data != NULL)

#define assert_bytes(got, want)                                                                    \
    do {                                                                                           \
        assert_int_equal((got)->len, strlen(want));                                                \
        assert_memory_equal((got)->data, want, (got)->len);                                        \
    } while (0)

#endif

/* The JSON wrapper: any text is refused, or printed so that it reads back as the same. */
#include "base/arena.h"
#include "codec/json.h"
#include "model/value.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BYTES ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int holds)
{
    if (!holds) {
        abort();
    }
}

/* The typed form of the same value is JSON too. */
static void check_value(const struct mt_json *root)
{
    struct mt_arena *arena = mt_arena_new(64 * MAX_BYTES);
    struct mt_value value;
    struct mt_buf text;
    struct mt_json *again = NULL;
    check(arena != NULL);
    mt_buf_init(&text, 8 * MAX_BYTES);
    check(mt_value_from_json(root, arena, &value) == MT_OK);
    check(mt_value_write(&value, &text) == MT_OK);
    check(mt_json_parse(text.data, text.len, text.len, &again, NULL) == MT_OK);
    mt_json_free(again);
    mt_buf_deinit(&text);
    mt_arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mt_json *root = NULL;
    struct mt_fault fault;
    if (mt_json_parse((const char *)data, size, MAX_BYTES, &root, &fault) != MT_OK) {
        check(root == NULL && fault.message[0] != '\0');
        return 0;
    }
    struct mt_buf first, second;
    struct mt_json *again = NULL;
    mt_buf_init(&first, 8 * MAX_BYTES);
    mt_buf_init(&second, 8 * MAX_BYTES);
    check(mt_json_print(root, &first) == MT_OK);
    check(mt_json_parse(first.data, first.len, first.len, &again, NULL) == MT_OK);
    check(mt_json_print(again, &second) == MT_OK);
    check(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);
    check_value(root);
    mt_json_free(again);
    mt_json_free(root);
    mt_buf_deinit(&first);
    mt_buf_deinit(&second);
    return 0;
}

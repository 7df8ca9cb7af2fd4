/* The shared facts of the protocols, as tests of the providers read them. */
#ifndef TESTS_UNIT_FACTS_H
#define TESTS_UNIT_FACTS_H

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "codec/json.h"
#include "model/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FACTS_FILE_MAX ((size_t)16 * 1024 * 1024)

/* The text of a file of the shared protocol facts (MT_SHARED, or ../shared beside the repository);
 * NULL with a TAP line that says so when they are not there. Freed with mt_mem_free. */
static inline char *shared_file(const char *name, size_t *len)
{
    const char *bases[] = {getenv("MT_SHARED"), "../shared", "../../shared", "../../../shared"};
    char *data = NULL;
    char path[1024];

    for (size_t i = 0; i < sizeof bases / sizeof bases[0]; i++) {
        if (bases[i] == NULL || bases[i][0] == '\0')
            continue;
        snprintf(path, sizeof path, "%s/protocol/%s", bases[i], name);
        if (mt_fs_read_all(path, FACTS_FILE_MAX, &data, len) == 0)
            return data;
    }
    print_message("# SKIP %s: the shared protocol facts are not here (set MT_SHARED)\n", name);
    return NULL;
}

static inline int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Bytes of a hex text; freed with mt_mem_free. */
static inline uint8_t *from_hex(const char *hex, size_t *len)
{
    uint8_t *out = mt_mem_alloc(strlen(hex) / 2 + 1);

    assert_non_null(out);
    *len = strlen(hex) / 2;
    assert_int_equal(strlen(hex) % 2, 0);
    for (size_t i = 0; i < *len; i++) {
        int high = hex_digit(hex[2 * i]);
        int low = hex_digit(hex[2 * i + 1]);

        assert_true(high >= 0 && low >= 0);
        out[i] = (uint8_t)(high * 16 + low);
    }
    return out;
}

/* Calls each(ud, node) for every line of JSON; asserts that each is. */
static inline void each_line(const char *text, size_t len,
                             void (*each)(void *ud, const struct mt_json *node), void *ud)
{
    size_t at = 0;

    while (at < len) {
        const char *end = memchr(text + at, '\n', len - at);
        size_t n = end == NULL ? len - at : (size_t)(end - (text + at));
        struct mt_json *node = NULL;

        if (n > 0) {
            assert_int_equal(mt_json_parse(text + at, n, FACTS_FILE_MAX, &node, NULL), MT_OK);
            each(ud, node);
            mt_json_free(node);
        }
        at += n + 1;
    }
}

/* What a buffer holds, in a static buffer of the file that asks, which the next call overwrites. */
static inline const char *facts_keep(struct mt_buf *buf)
{
    static char text[256 * 1024];

    assert_int_equal(buf->failed, MT_OK);
    assert_true(buf->len < sizeof text);
    memcpy(text, buf->data == NULL ? "" : buf->data, buf->len);
    text[buf->len] = '\0';
    mt_buf_deinit(buf);
    return text;
}

/* The JSON of a value, or of a message without raw, kept so. */
static inline const char *json_of(const struct mt_value *value)
{
    struct mt_buf buf;

    mt_buf_init(&buf, (size_t)256 * 1024);
    assert_int_equal(mt_value_write(value, &buf), MT_OK);
    return facts_keep(&buf);
}

static inline const char *message_json(const struct mt_message *m)
{
    struct mt_buf buf;

    mt_buf_init(&buf, (size_t)256 * 1024);
    assert_int_equal(mt_message_write(m, false, &buf), MT_OK);
    return facts_keep(&buf);
}

#endif

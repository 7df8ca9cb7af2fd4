/* JSON by random texts: a printed value reads back as itself, and damaged text is refused or
 * stable. */
#include "base/rand.h"
#include "codec/json.h"
#include "tests.h"

#include <stdlib.h>
#include <string.h>

#define MAX_BYTES ((size_t)1 << 20)

static void random_string(struct mt_buf *out)
{
    static const char *const pieces[] = {"a",
                                         "你",
                                         "😀",
                                         "\\n",
                                         "\\\"",
                                         "\\\\",
                                         "\\u0001",
                                         "\\u4f60",
                                         "\\u0000",
                                         "\\ud83d",
                                         "\\/",
                                         "\\ud83d\\ude00",
                                         "\xFF",
                                         " ",
                                         "{",
                                         "]",
                                         "1234567890123456789",
                                         "\x7f",
                                         "\\ude00"};
    mt_buf_append_char(out, '"');
    for (uint64_t n = mt_rand_below(8); n > 0; n--) {
        mt_buf_append_str(out, pieces[mt_rand_below(sizeof pieces / sizeof pieces[0])]);
    }
    mt_buf_append_char(out, '"');
}

static void random_number(struct mt_buf *out)
{
    uint64_t r = 0;
    mt_rand_bytes(&r, sizeof r);
    switch (mt_rand_below(5)) {
    case 0:
        mt_buf_append_i64(out, (int64_t)r);
        break;
    case 1:
        mt_buf_append_u64(out, mt_rand_below(1000));
        break;
    case 2:
        mt_buf_appendf(out, "%lld.%03u", (long long)(int64_t)r / 1000, (unsigned)(r % 1000));
        break;
    case 3:
        mt_buf_appendf(out, "%ue%d", (unsigned)(1 + r % 9), (int)(r >> 32 & 255) - 100);
        break;
    default:
        mt_buf_appendf(out, "%llu%llu%llu", (unsigned long long)(r | 1), (unsigned long long)r,
                       (unsigned long long)r);
    }
}

static void random_value(struct mt_buf *out, unsigned depth)
{
    static const char *const words[] = {"null", "true", "false"};
    uint64_t kind = mt_rand_below(depth < 6 ? 6 : 4);
    if (kind == 0) {
        mt_buf_append_str(out, words[mt_rand_below(3)]);
    } else if (kind == 1) {
        random_number(out);
    } else if (kind < 4) {
        random_string(out);
    } else {
        mt_buf_append_char(out, kind == 4 ? '[' : '{');
        for (uint64_t i = 0, n = mt_rand_below(6); i < n; i++) {
            mt_buf_append_str(out, i > 0 ? ", " : " ");
            if (kind == 5) {
                random_string(out);
                mt_buf_append_str(out, " :");
            }
            random_value(out, depth + 1);
        }
        mt_buf_append_char(out, kind == 4 ? ']' : '}');
    }
}

/* Parses, prints, parses and prints again; both prints are equal. False if the text is not JSON. */
static bool is_stable(const char *text, size_t len, struct mt_buf *first, struct mt_buf *second)
{
    struct mt_json *root = NULL;
    struct mt_fault fault;
    char *exact = malloc(len > 0 ? len : 1);
    memcpy(exact, text, len);
    enum mt_rc rc = mt_json_parse(exact, len, MAX_BYTES, &root, &fault);
    free(exact);
    if (rc != MT_OK) {
        assert_null(root);
        return false;
    }
    mt_buf_reset(first);
    mt_buf_reset(second);
    assert_int_equal(mt_json_print(root, first), MT_OK);
    mt_json_free(root);
    assert_int_equal(mt_json_parse(first->data, first->len, MAX_BYTES, &root, &fault), MT_OK);
    assert_int_equal(mt_json_print(root, second), MT_OK);
    mt_json_free(root);
    assert_string_equal(first->data, second->data);
    return true;
}

static void printed_values_read_back(void **state)
{
    (void)state;
    mt_rand_seed(tests_seed("json"));
    struct mt_buf text, first, second;
    mt_buf_init(&text, MAX_BYTES);
    mt_buf_init(&first, MAX_BYTES);
    mt_buf_init(&second, MAX_BYTES);
    for (int round = 0; round < 4000; round++) {
        mt_buf_reset(&text);
        random_value(&text, 0);
        if (!is_stable(text.data, text.len, &first, &second)) {
            fail_msg("refused: %s", text.data);
        }
    }
    mt_buf_deinit(&text);
    mt_buf_deinit(&first);
    mt_buf_deinit(&second);
    mt_rand_seed(0);
}

static void damaged_text_is_refused_or_stable(void **state)
{
    (void)state;
    mt_rand_seed(tests_seed("damaged json"));
    struct mt_buf text, first, second;
    mt_buf_init(&text, MAX_BYTES);
    mt_buf_init(&first, MAX_BYTES);
    mt_buf_init(&second, MAX_BYTES);
    int refused = 0;
    for (int round = 0; round < 20000; round++) {
        static const char bytes[] = "{}[]\",:\\u0019eE+-.tfn \x01\xFF";
        mt_buf_reset(&text);
        random_value(&text, 0);
        for (uint64_t n = 1 + mt_rand_below(3); n > 0; n--) {
            text.data[mt_rand_below(text.len)] = bytes[mt_rand_below(sizeof bytes)];
        }
        refused += !is_stable(text.data, text.len, &first, &second);
    }
    assert_in_range(refused, 5000, 20000); /* or this test damages nothing */
    mt_buf_deinit(&text);
    mt_buf_deinit(&first);
    mt_buf_deinit(&second);
    mt_rand_seed(0);
}

int test_json_property(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(printed_values_read_back),
        cmocka_unit_test(damaged_text_is_refused_or_stable),
    };
    return cmocka_run_group_tests_name("codec/json_property", tests, NULL, NULL);
}

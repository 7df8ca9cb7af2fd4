/* The bounded buffer. */
#include "base/buf.h"
#include "base/mem.h"
#include "tests.h"

#include <string.h>

static void appends(void **state)
{
    (void)state;
    struct mt_buf b;
    mt_buf_init(&b, 1000);
    assert_null(b.data);
    assert_int_equal(mt_buf_append(&b, "ab", 2), MT_OK);
    assert_int_equal(mt_buf_append_str(&b, "cd"), MT_OK);
    assert_int_equal(mt_buf_append_char(&b, 'e'), MT_OK);
    assert_int_equal(mt_buf_append_u64(&b, UINT64_MAX), MT_OK);
    assert_int_equal(mt_buf_append_char(&b, ' '), MT_OK);
    assert_int_equal(mt_buf_append_i64(&b, INT64_MIN), MT_OK);
    assert_int_equal(mt_buf_append_u64(&b, 0), MT_OK);
    assert_int_equal(mt_buf_appendf(&b, "[%d %s]", 7, "x"), MT_OK);
    assert_string_equal(b.data, "abcde18446744073709551615 -92233720368547758080[7 x]");
    assert_int_equal(b.len, strlen(b.data));
    mt_buf_deinit(&b);
    assert_null(b.data);
    assert_int_equal(b.max_bytes, 1000);
}

static void formats_beyond_its_room(void **state)
{
    (void)state;
    struct mt_buf b;
    char expected[1200];
    memset(expected, 'x', 1000);
    expected[1000] = '\0';
    mt_buf_init(&b, SIZE_MAX);
    mt_buf_append_str(&b, "a");
    assert_int_equal(mt_buf_appendf(&b, "%s%d", expected, 5), MT_OK);
    assert_int_equal(b.len, 1002);
    assert_int_equal(b.data[0], 'a');
    assert_memory_equal(b.data + 1, expected, 1000);
    assert_string_equal(b.data + 1001, "5");
    mt_buf_deinit(&b);
}

static void stops_at_its_maximum(void **state)
{
    (void)state;
    struct mt_buf b;
    mt_buf_init(&b, 5);
    assert_int_equal(mt_buf_append(&b, "12345", 5), MT_OK);
    assert_string_equal(b.data, "12345");
    assert_int_equal(mt_buf_append_char(&b, '6'), MT_ERR_LIMIT);
    assert_null(b.data);
    assert_int_equal(b.len, 0);
    assert_int_equal(b.failed, MT_ERR_LIMIT);
    assert_int_equal(mt_buf_append(&b, "", 0), MT_ERR_LIMIT); /* and stays failed */
    assert_int_equal(mt_buf_appendf(&b, "x"), MT_ERR_LIMIT);
    assert_null(mt_buf_steal(&b, NULL));
    mt_buf_reset(&b);
    assert_int_equal(mt_buf_append(&b, "123", 3), MT_OK);
    assert_int_equal(mt_buf_appendf(&b, "%s", "456"), MT_ERR_LIMIT);
    mt_buf_reset(&b);
    assert_int_equal(mt_buf_reserve(&b, 6), MT_ERR_LIMIT);
    mt_buf_reset(&b);
    assert_int_equal(mt_buf_reserve(&b, 5), MT_OK);
    assert_string_equal(b.data, "");
    mt_buf_deinit(&b);
    mt_buf_init(&b, SIZE_MAX);
    assert_int_equal(mt_buf_append_char(&b, 'x'), MT_OK);
    assert_int_equal(mt_buf_reserve(&b, SIZE_MAX), MT_ERR_LIMIT); /* no overflow */
    mt_buf_deinit(&b);
}

static void keeps_memory_when_reset(void **state)
{
    (void)state;
    struct mt_buf b;
    mt_buf_init(&b, 100);
    mt_buf_append_str(&b, "hello");
    const char *data = b.data;
    mt_buf_reset(&b);
    assert_int_equal(b.len, 0);
    assert_string_equal(b.data, "");
    mt_buf_append_str(&b, "bye");
    assert_ptr_equal(b.data, data);
    mt_buf_deinit(&b);
}

static void consumes(void **state)
{
    (void)state;
    struct mt_buf b;
    mt_buf_init(&b, 100);
    mt_buf_consume(&b, 3); /* nothing there */
    mt_buf_append_str(&b, "abcdef");
    mt_buf_consume(&b, 0);
    assert_string_equal(b.data, "abcdef");
    mt_buf_consume(&b, 2);
    assert_string_equal(b.data, "cdef");
    assert_int_equal(b.len, 4);
    mt_buf_consume(&b, 99);
    assert_string_equal(b.data, "");
    assert_int_equal(b.len, 0);
    mt_buf_deinit(&b);
}

static void hands_over(void **state)
{
    (void)state;
    struct mt_buf b;
    size_t len = 9;
    mt_buf_init(&b, 100);
    char *empty = mt_buf_steal(&b, &len); /* NULL would mean failure */
    assert_string_equal(empty, "");
    assert_int_equal(len, 0);
    mt_mem_free(empty);
    mt_buf_append(&b, "a\0b", 3);
    char *data = mt_buf_steal(&b, &len);
    assert_memory_equal(data, "a\0b", 4);
    assert_int_equal(len, 3);
    assert_null(b.data);
    assert_int_equal(b.len, 0);
    mt_mem_free(data);
    mt_buf_deinit(&b);
}

static void survives_want_of_memory(void **state)
{
    (void)state;
    int64_t live = mt_mem_seam_live();
    for (uint64_t n = 1;; n++) {
        struct mt_buf b;
        mt_buf_init(&b, 100000);
        mt_mem_seam_fail_at(n, 0);
        for (int i = 0; i < 2000; i++) {
            mt_buf_appendf(&b, "line %d\n", i);
        }
        bool reached = mt_mem_seam_count() >= n;
        mt_mem_seam_fail_at(0, 0);
        assert_int_equal(b.failed, reached ? MT_ERR_NOMEM : MT_OK);
        assert_true(reached ? !b.data : b.len > 10000);
        mt_buf_deinit(&b);
        assert_int_equal(mt_mem_seam_live(), live);
        if (!reached) {
            assert_true(n > 3);
            break;
        }
    }
}

int test_buf(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends),
        cmocka_unit_test(formats_beyond_its_room),
        cmocka_unit_test(stops_at_its_maximum),
        cmocka_unit_test(keeps_memory_when_reset),
        cmocka_unit_test(consumes),
        cmocka_unit_test(hands_over),
        cmocka_unit_test(survives_want_of_memory),
    };
    return cmocka_run_group_tests_name("base/buf", tests, NULL, NULL);
}

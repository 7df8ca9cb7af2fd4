/* Writing JSON. */
#include "base/mem.h"
#include "base/rand.h"
#include "codec/json.h"
#include "tests.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void assert_str(const char *s, size_t len, const char *expected)
{
    struct mt_buf b;
    char *exact = malloc(len > 0 ? len : 1);
    memcpy(exact, s, len);
    mt_buf_init(&b, 1000);
    assert_int_equal(mt_json_write_str(&b, exact, len), MT_OK);
    assert_string_equal(b.data, expected);
    mt_buf_deinit(&b);
    free(exact);
}

static void strings(void **state)
{
    (void)state;
    assert_str("", 0, "\"\"");
    assert_str("plain", 5, "\"plain\"");
    assert_str("a\"b\\c/d", 7, "\"a\\\"b\\\\c/d\"");
    assert_str("\b\f\n\r\t\x01\x1f\x7f", 8, "\"\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\"");
    assert_str("a\0b", 3, "\"a\\u0000b\"");
    assert_str("你😀é", strlen("你😀é"), "\"你😀é\"");
    assert_str("\xFF"
               "a",
               2,
               "\"\xEF\xBF\xBD"
               "a\"");
    assert_str("a\xE4\xBD", 3, "\"a\xEF\xBF\xBD\xEF\xBF\xBD\"");
    assert_str("\xED\xA0\x80", 3, "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
    assert_str("\xC0\x80", 2, "\"\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

static void assert_double(double v, const char *expected)
{
    struct mt_buf b;
    mt_buf_init(&b, 100);
    assert_int_equal(mt_json_write_double(&b, v), MT_OK);
    assert_string_equal(b.data, expected);
    mt_buf_deinit(&b);
}

static void doubles(void **state)
{
    (void)state;
    assert_double(0, "0");
    assert_double(-0.0, "-0");
    assert_double(1, "1");
    assert_double(-2.5, "-2.5");
    assert_double(0.1, "0.1");
    assert_double(0.1 + 0.2, "0.30000000000000004");
    assert_double(39.9087123, "39.9087123");
    assert_double(1e15, "1e+15");
    assert_double(999999999999999, "999999999999999");
    assert_double(1e300, "1e+300");
    assert_double(5e-324, "5e-324");
    assert_double(DBL_MAX, "1.7976931348623157e+308");
    assert_double(NAN, "null");
    assert_double(INFINITY, "null");
    assert_double(-INFINITY, "null");
}

static void doubles_read_back(void **state)
{
    (void)state;
    mt_rand_seed(tests_seed("doubles"));
    struct mt_buf b;
    mt_buf_init(&b, 100);
    for (int i = 0; i < 20000; i++) {
        double v = 0;
        mt_rand_bytes(&v, sizeof v);
        if (!isfinite(v)) {
            continue;
        }
        mt_buf_reset(&b);
        assert_int_equal(mt_json_write_double(&b, v), MT_OK);
        assert_true(strtod(b.data, NULL) == v);
    }
    mt_buf_deinit(&b);
    mt_rand_seed(0);
}

static void a_writer_places_commas(void **state)
{
    (void)state;
    struct mt_buf b;
    struct mt_jsonw w;
    mt_buf_init(&b, 1000);
    mt_jsonw_init(&w, &b);
    mt_jsonw_object(&w);
    mt_jsonw_key(&w, "a\"");
    mt_jsonw_i64(&w, INT64_MIN);
    mt_jsonw_key(&w, "b");
    mt_jsonw_array(&w);
    mt_jsonw_u64(&w, UINT64_MAX);
    mt_jsonw_u64_str(&w, UINT64_MAX);
    mt_jsonw_array(&w);
    mt_jsonw_array_end(&w);
    mt_jsonw_object(&w);
    mt_jsonw_key(&w, "c");
    mt_jsonw_str(&w, "x\n");
    mt_jsonw_object_end(&w);
    mt_jsonw_str(&w, NULL);
    mt_jsonw_strn(&w, "yz", 1);
    mt_jsonw_double(&w, 1.5);
    mt_jsonw_bool(&w, true);
    mt_jsonw_bool(&w, false);
    mt_jsonw_null(&w);
    mt_jsonw_raw(&w, "[0]", 3);
    mt_jsonw_array_end(&w);
    mt_jsonw_key(&w, "d");
    mt_jsonw_object(&w);
    mt_jsonw_object_end(&w);
    mt_jsonw_object_end(&w);
    assert_int_equal(b.failed, MT_OK);
    assert_string_equal(
        b.data,
        "{\"a\\\"\":-9223372036854775808,\"b\":[18446744073709551615,\"18446744073709551615\",[],"
        "{\"c\":\"x\\n\"},null,\"y\",1.5,true,false,null,[0]],\"d\":{}}");
    struct mt_json *root = NULL;
    assert_int_equal(mt_json_parse(b.data, b.len, 1000, &root, NULL), MT_OK);
    mt_json_free(root);
    mt_buf_deinit(&b);
}

static void a_writer_is_not_endless(void **state)
{
    (void)state;
    for (unsigned depth = 60; depth < 70; depth++) {
        struct mt_buf b;
        struct mt_jsonw w;
        mt_buf_init(&b, 1000);
        mt_jsonw_init(&w, &b);
        for (unsigned i = 0; i < depth; i++) {
            mt_jsonw_array(&w);
        }
        for (unsigned i = 0; i < depth; i++) {
            mt_jsonw_array_end(&w);
        }
        assert_int_equal(b.failed, depth < MT_JSON_MAX_DEPTH ? MT_OK : MT_ERR_LIMIT);
        mt_buf_deinit(&b);
    }
    struct mt_buf b;
    struct mt_jsonw w;
    mt_buf_init(&b, 10);
    mt_jsonw_init(&w, &b);
    mt_jsonw_array(&w);
    for (int i = 0; i < 10; i++) {
        mt_jsonw_str(&w, "abc");
    }
    assert_int_equal(b.failed, MT_ERR_LIMIT);
    assert_null(b.data);
    mt_buf_deinit(&b);
}

int test_json_write(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings),
        cmocka_unit_test(doubles),
        cmocka_unit_test(doubles_read_back),
        cmocka_unit_test(a_writer_places_commas),
        cmocka_unit_test(a_writer_is_not_endless),
    };
    return cmocka_run_group_tests_name("codec/json_write", tests, NULL, NULL);
}

/* Typed values. */
#include "base/arena.h"
#include "base/mem.h"
#include "codec/json.h"
#include "model/value.h"
#include "tests.h"

#include <string.h>

static void assert_writes(const struct mt_value *v, const char *expected)
{
    struct mt_buf b;
    mt_buf_init(&b, 10000);
    assert_int_equal(mt_value_write(v, &b), MT_OK);
    assert_string_equal(b.data, expected);
    mt_buf_deinit(&b);
}

static struct mt_value str(const char *s)
{
    return (struct mt_value){.type = MT_VALUE_STR, .s = s, .len = strlen(s)};
}

static void writes_each_type(void **state)
{
    (void)state;
    assert_writes(&(struct mt_value){.type = MT_VALUE_NULL}, "null");
    assert_writes(&(struct mt_value){.type = MT_VALUE_BOOL, .b = true}, "true");
    assert_writes(&(struct mt_value){.type = MT_VALUE_BOOL}, "false");
    assert_writes(&(struct mt_value){.type = MT_VALUE_INT, .i = -5}, "-5");
    assert_writes(&(struct mt_value){.type = MT_VALUE_UINT, .u = 5}, "5");
    assert_writes(&(struct mt_value){.type = MT_VALUE_DOUBLE, .d = 0.1}, "0.1");
    struct mt_value s = str("a\"\n你");
    assert_writes(&s, "\"a\\\"\\n你\"");
    s = (struct mt_value){.type = MT_VALUE_STR, .s = "a\0b", .len = 3};
    assert_writes(&s, "\"a\\u0000b\"");
    struct mt_value items[] = {{.type = MT_VALUE_INT, .i = 1}, str("x")};
    struct mt_value list = {.type = MT_VALUE_LIST, .items = items, .items_n = 2};
    assert_writes(&list, "[1,\"x\"]");
    struct mt_field fields[] = {{"z", list}, {"a\"", {.type = MT_VALUE_NULL}}};
    struct mt_value map = {.type = MT_VALUE_MAP, .fields = fields, .fields_n = 2};
    assert_writes(&map, "{\"z\":[1,\"x\"],\"a\\\"\":null}"); /* in the order given */
    assert_writes(&(struct mt_value){.type = MT_VALUE_MAP}, "{}");
    assert_writes(&(struct mt_value){.type = MT_VALUE_LIST}, "[]");
}

static void integers_beyond_a_double_are_text(void **state)
{
    (void)state;
    const int64_t edge = INT64_C(1) << 53;
    assert_writes(&(struct mt_value){.type = MT_VALUE_INT, .i = edge}, "9007199254740992");
    assert_writes(&(struct mt_value){.type = MT_VALUE_INT, .i = edge + 1}, "\"9007199254740993\"");
    assert_writes(&(struct mt_value){.type = MT_VALUE_INT, .i = -edge}, "-9007199254740992");
    assert_writes(&(struct mt_value){.type = MT_VALUE_INT, .i = -edge - 1},
                  "\"-9007199254740993\"");
    assert_writes(&(struct mt_value){.type = MT_VALUE_INT, .i = INT64_MIN},
                  "\"-9223372036854775808\"");
    assert_writes(&(struct mt_value){.type = MT_VALUE_UINT, .u = UINT64_MAX},
                  "\"18446744073709551615\"");
}

static void looks_up(void **state)
{
    (void)state;
    struct mt_field fields[] = {{"a", {.type = MT_VALUE_INT, .i = 1}},
                                {"b", {.type = MT_VALUE_INT, .i = 2}},
                                {"a", {.type = MT_VALUE_INT, .i = 3}}};
    struct mt_value map = {.type = MT_VALUE_MAP, .fields = fields, .fields_n = 3};
    assert_int_equal(mt_value_get(&map, "a")->i, 3);
    assert_int_equal(mt_value_get(&map, "b")->i, 2);
    assert_null(mt_value_get(&map, "c"));
    assert_null(mt_value_get(NULL, "a"));
    assert_null(mt_value_get(&(struct mt_value){.type = MT_VALUE_INT, .i = 1}, "a"));
}

static void depth_is_capped(void **state)
{
    (void)state;
    struct mt_value nest[100];
    nest[99] = (struct mt_value){.type = MT_VALUE_NULL};
    for (int i = 98; i >= 0; i--) {
        nest[i] = (struct mt_value){.type = MT_VALUE_LIST, .items = &nest[i + 1], .items_n = 1};
    }
    struct mt_buf b;
    mt_buf_init(&b, 10000);
    assert_int_equal(mt_value_write(&nest[0], &b), MT_ERR_LIMIT);
    assert_int_equal(b.failed, MT_ERR_LIMIT);
    mt_buf_reset(&b);
    assert_int_equal(mt_value_write(&nest[99 - MT_JSON_MAX_DEPTH], &b), MT_OK);
    mt_buf_deinit(&b);
}

static enum mt_rc take(const char *text, struct mt_arena *arena, struct mt_value *out)
{
    struct mt_json *root = NULL;
    assert_int_equal(mt_json_parse(text, strlen(text), 100000, &root, NULL), MT_OK);
    enum mt_rc rc = mt_value_from_json(root, arena, out);
    mt_json_free(root); /* the value must live on without it */
    return rc;
}

static void takes_over_json(void **state)
{
    (void)state;
    struct mt_arena *arena = mt_arena_new(100000);
    struct mt_value v;
    assert_int_equal(
        take("{\"z\":[null,true,1,-2.5,\"你\"],\"a\":{},\"e\":[],\"id\":1146784321123456789,"
             "\"u\":18446744073709551615,\"wide\":123456789012345678901234567890,\"f\":1e300,"
             "\"one\":1.0}",
             arena, &v),
        MT_OK);
    assert_writes(
        &v, "{\"z\":[null,true,1,-2.5,\"你\"],\"a\":{},\"e\":[],\"id\":\"1146784321123456789\","
            "\"u\":\"18446744073709551615\",\"wide\":\"123456789012345678901234567890\",\"f\":1e+"
            "300,\"one\":1}");
    assert_int_equal(mt_value_get(&v, "id")->type, MT_VALUE_INT);
    assert_int_equal(mt_value_get(&v, "id")->i, INT64_C(1146784321123456789));
    assert_int_equal(mt_value_get(&v, "u")->type, MT_VALUE_UINT);
    assert_true(mt_value_get(&v, "u")->u == UINT64_MAX);
    assert_int_equal(mt_value_get(&v, "wide")->type, MT_VALUE_STR);
    assert_int_equal(mt_value_get(&v, "one")->type, MT_VALUE_INT);
    assert_int_equal(mt_value_get(&v, "z")->items[4].len, 3);
    assert_int_equal(mt_value_from_json(NULL, arena, &v), MT_OK);
    assert_int_equal(v.type, MT_VALUE_NULL);
    assert_int_equal(take("-0.0", arena, &v), MT_OK);
    assert_int_equal(v.type, MT_VALUE_DOUBLE);
    mt_arena_free(arena);
}

static void a_full_arena_is_said(void **state)
{
    (void)state;
    const char *text = "{\"key\":[\"value\",12345678901234567890123,{\"k\":1}]}";
    size_t full = 0;
    for (size_t max = 0; full == 0; max += 16) {
        struct mt_arena *arena = mt_arena_new(max);
        struct mt_value v;
        enum mt_rc rc = take(text, arena, &v);
        assert_true(rc == MT_OK || rc == MT_ERR_NOMEM);
        full = rc == MT_OK ? max : 0;
        mt_arena_free(arena);
    }
    assert_true(full > 200);
}

int test_value(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_each_type), cmocka_unit_test(integers_beyond_a_double_are_text),
        cmocka_unit_test(looks_up),         cmocka_unit_test(depth_is_capped),
        cmocka_unit_test(takes_over_json),  cmocka_unit_test(a_full_arena_is_said),
    };
    return cmocka_run_group_tests_name("model/value", tests, NULL, NULL);
}

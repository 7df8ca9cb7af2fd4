/* A message as the archive's line. */
#include "base/mem.h"
#include "codec/json.h"
#include "model/message.h"
#include "tests.h"

#include <string.h>

static struct mt_message sample(void)
{
    return (struct mt_message){
        .id = "1200000000000000001",
        .time_ms = 1700000000000,
        .conversation = {.kind = MT_CONVERSATION_GROUP, .target = "93734273351681"},
        .from = "user1",
        .to = "93734273351681",
        .kind = MT_MESSAGE_TEXT,
        .kind_name = "text",
        .text = "你好 \"x\"\n",
        .text_len = strlen("你好 \"x\"\n"),
        .body = {.type = MT_VALUE_MAP},
        .ext = {.type = MT_VALUE_MAP},
        .extra = {.type = MT_VALUE_MAP},
        .raw = (const uint8_t *)"\x01\x02\x03\x04",
        .raw_len = 4,
    };
}

static void assert_line(const struct mt_message *m, bool with_raw, const char *expected)
{
    struct mt_buf b;
    struct mt_json *root = NULL;
    mt_buf_init(&b, 10000);
    assert_int_equal(mt_message_write(m, with_raw, &b), MT_OK);
    assert_string_equal(b.data, expected);
    assert_int_equal(mt_json_parse(b.data, b.len, b.len, &root, NULL), MT_OK);
    mt_json_free(root);
    mt_buf_deinit(&b);
}

static void a_message_has_no_type(void **state)
{
    (void)state;
    struct mt_message m = sample();
    assert_line(&m, true,
                "{\"v\":1,\"id\":\"1200000000000000001\",\"conversation\":\"group:93734273351681\","
                "\"from\":\"user1\","
                "\"to\":\"93734273351681\",\"direction\":\"received\",\"time\":1700000000000,"
                "\"at\":\"2023-11-14T22:13:20.000Z\",\"kind\":\"text\",\"text\":\"你好 "
                "\\\"x\\\"\\n\",\"body\":{},"
                "\"ext\":{},\"raw\":\"AQIDBA==\"}");
}

static void optional_parts_come_and_go(void **state)
{
    (void)state;
    struct mt_field body[] = {{"url", {.type = MT_VALUE_STR, .s = "http://x/", .len = 9}}};
    struct mt_field ext[] = {{"n", {.type = MT_VALUE_INT, .i = INT64_MAX}}};
    struct mt_field extra[] = {{"read", {.type = MT_VALUE_BOOL, .b = true}}};
    struct mt_message m = sample();
    m.sent = true;
    m.from = NULL;
    m.text = NULL;
    m.kind = MT_MESSAGE_OTHER;
    m.kind_name = "red\"packet";
    m.body.fields = body;
    m.body.fields_n = 1;
    m.ext.fields = ext;
    m.ext.fields_n = 1;
    m.extra.fields = extra;
    m.extra.fields_n = 1;
    assert_line(&m, false,
                "{\"v\":1,\"id\":\"1200000000000000001\",\"conversation\":\"group:93734273351681\","
                "\"from\":null,"
                "\"to\":\"93734273351681\",\"direction\":\"sent\",\"time\":1700000000000,"
                "\"at\":\"2023-11-14T22:13:20.000Z\",\"kind\":\"red\\\"packet\",\"body\":{\"url\":"
                "\"http://x/\"},"
                "\"ext\":{\"n\":\"9223372036854775807\"},\"extra\":{\"read\":true}}");
    m = (struct mt_message){.id = "18446744073709551615",
                            .kind = MT_MESSAGE_VOICE,
                            .time_ms = -1}; /* nothing is known */
    assert_line(&m, true,
                "{\"v\":1,\"id\":\"18446744073709551615\",\"conversation\":\"single:\",\"from\":"
                "null,\"to\":null,"
                "\"direction\":\"received\",\"time\":-1,\"at\":\"1969-12-31T23:59:59.999Z\","
                "\"kind\":\"voice\","
                "\"body\":{},\"ext\":{}}");
}

static void other_types_say_so(void **state)
{
    (void)state;
    static const struct {
        enum mt_message_type type;
        const char *target_id;
        const char *head;
    } cases[] = {
        {MT_TYPE_EDIT, "7",
         "{\"v\":1,\"type\":\"edit\",\"target\":\"7\",\"id\":\"1200000000000000001\","},
        {MT_TYPE_RECALL, "18446744073709551615",
         "{\"v\":1,\"type\":\"recall\",\"target\":\"18446744073709551615\",\"id\":"
         "\"1200000000000000001\","},
        {MT_TYPE_GAP, NULL, "{\"v\":1,\"type\":\"gap\",\"id\":\"1200000000000000001\","},
        {MT_TYPE_RECEIPT, "", "{\"v\":1,\"type\":\"receipt\",\"id\":\"1200000000000000001\","},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct mt_message m = sample();
        struct mt_buf b;
        m.type = cases[i].type;
        m.target_id = cases[i].target_id;
        mt_buf_init(&b, 10000);
        assert_int_equal(mt_message_write(&m, false, &b), MT_OK);
        assert_memory_equal(b.data, cases[i].head, strlen(cases[i].head));
        mt_buf_deinit(&b);
    }
}

static void each_kind_has_its_name(void **state)
{
    (void)state;
    static const char *const names[] = {"text",     "image",   "voice",  "video",   "file",
                                        "location", "command", "custom", "combine", "other"};
    for (int k = MT_MESSAGE_TEXT; k <= MT_MESSAGE_OTHER; k++) {
        assert_string_equal(mt_message_kind_name((enum mt_message_kind)k), names[k]);
    }
    assert_string_equal(mt_message_kind_name((enum mt_message_kind)99), "other");
}

static void limits_and_memory_are_said(void **state)
{
    (void)state;
    struct mt_message m = sample();
    struct mt_buf b;
    mt_buf_init(&b, 10000);
    assert_int_equal(mt_message_write(&m, true, &b), MT_OK);
    size_t whole = b.len;
    mt_buf_deinit(&b);
    for (size_t max = 0; max <= whole; max++) {
        mt_buf_init(&b, max);
        assert_int_equal(mt_message_write(&m, true, &b), max < whole ? MT_ERR_LIMIT : MT_OK);
        mt_buf_deinit(&b);
    }
    int64_t live = mt_mem_seam_live();
    for (uint64_t n = 1; n <= 2; n++) {
        mt_buf_init(&b, 100000);
        mt_mem_seam_fail_at(n, 0);
        enum mt_rc rc = mt_message_write(&m, true, &b);
        mt_mem_seam_fail_at(0, 0);
        assert_int_equal(rc, n == 1 ? MT_ERR_NOMEM : MT_OK); /* one growth is enough */
        mt_buf_deinit(&b);
        assert_int_equal(mt_mem_seam_live(), live);
    }
}

/* ---------------------------------------------------------------- what its content is */

static struct mt_value map_of(struct mt_field *field)
{
    return (struct mt_value){.type = MT_VALUE_MAP, .fields = field, .fields_n = 1};
}

static bool same_content(const struct mt_message *a, const struct mt_message *b)
{
    uint8_t x[MT_MESSAGE_DIGEST_LEN], y[MT_MESSAGE_DIGEST_LEN];
    struct mt_buf scratch;

    mt_buf_init(&scratch, 10000);
    assert_int_equal(mt_message_digest(a, &scratch, x), MT_OK);
    assert_int_equal(mt_message_digest(b, &scratch, y), MT_OK);
    mt_buf_deinit(&scratch);
    return !memcmp(x, y, sizeof x);
}

static void marks_are_no_content(void **state)
{
    struct mt_message a = sample(), b = sample();
    struct mt_field read = {.key = "read", .value = {.type = MT_VALUE_BOOL, .b = true}};
    struct mt_field reaction = {.key = "reactions", .value = {.type = MT_VALUE_INT, .i = 1}};
    struct mt_field k = {.key = "k", .value = {.type = MT_VALUE_INT, .i = 123}};
    struct mt_field k1 = {.key = "k1", .value = {.type = MT_VALUE_INT, .i = 23}};

    (void)state;
    b.raw = (const uint8_t *)"else";
    b.extra = map_of(&read);
    b.id = "2";
    assert_true(same_content(&a, &b));
    b.extra = map_of(&reaction);
    assert_false(same_content(&a, &b));
    a.extra = map_of(&k);
    b.extra = map_of(&k1);
    assert_false(same_content(&a, &b));
    b = a;
    b.text_len--;
    assert_false(same_content(&a, &b));
    b.text = NULL;
    assert_false(same_content(&a, &b));
    b = a;
    b.body = map_of(&k);
    assert_false(same_content(&a, &b));
    struct mt_message c = a;
    c.ext = map_of(&k);
    assert_false(same_content(&b, &c));
    b = a;
    b.kind_name = "custom";
    assert_false(same_content(&a, &b));
    a.text = "x\n{\"k\":123}";
    b = a;
    b.text = "x";
    b.body = map_of(&k);
    a.text_len = strlen(a.text);
    b.text_len = 1;
    assert_false(same_content(&a, &b));
}

static void what_could_not_be_read_is_its_bytes(void **state)
{
    struct mt_message a = sample();

    (void)state;
    a.kind = MT_MESSAGE_OTHER;
    a.kind_name = "undecodable";
    a.text = NULL;
    struct mt_message b = a;
    b.raw = (const uint8_t *)"\x01\x02\x03\x05";
    assert_false(same_content(&a, &b));
    b.raw = (const uint8_t *)"\x01\x02\x03\x04";
    assert_true(same_content(&a, &b));
}

int test_message(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_has_no_type),
        cmocka_unit_test(optional_parts_come_and_go),
        cmocka_unit_test(other_types_say_so),
        cmocka_unit_test(each_kind_has_its_name),
        cmocka_unit_test(limits_and_memory_are_said),
        cmocka_unit_test(marks_are_no_content),
        cmocka_unit_test(what_could_not_be_read_is_its_bytes),
    };
    return cmocka_run_group_tests_name("model/message", tests, NULL, NULL);
}

/* Conversation addresses and lines. */
#include "base/buf.h"
#include "model/message.h"
#include "tests.h"

#include <string.h>

static void reads_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum mt_conversation_kind kind;
        const char *target, *channel, *again;
    } good[] = {
        {"bob", MT_CONVERSATION_SINGLE, "bob", "", "single:bob"},
        {"single:bob", MT_CONVERSATION_SINGLE, "bob", "", "single:bob"},
        {"single:Bob", MT_CONVERSATION_SINGLE, "Bob", "",
         "single:Bob"}, /* case is the provider's */
        {"group:93734273351681", MT_CONVERSATION_GROUP, "93734273351681", "",
         "group:93734273351681"},
        {"room:1/2", MT_CONVERSATION_ROOM, "1/2", "", "room:1/2"},
        {"system:x:y", MT_CONVERSATION_SYSTEM, "x:y", "", "system:x:y"},
        {"ultra:g/c", MT_CONVERSATION_ULTRA, "g", "c", "ultra:g/c"},
        {"single:小明 2", MT_CONVERSATION_SINGLE, "小明 2", "", "single:小明 2"},
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct mt_conversation_ref ref;
        char again[MT_CONVERSATION_ID_MAX];
        struct mt_fault f = {.message = ""};
        assert_int_equal(mt_conversation_ref_parse(good[i].text, &ref, &f), MT_OK);
        assert_int_equal(ref.kind, good[i].kind);
        assert_string_equal(ref.target, good[i].target);
        assert_string_equal(ref.channel, good[i].channel);
        mt_conversation_ref_format(&ref, again);
        assert_string_equal(again, good[i].again);
    }
}

static void assert_refused(const char *text, const char *code, const char *says)
{
    struct mt_conversation_ref ref;
    struct mt_fault f;
    assert_int_equal(mt_conversation_ref_parse(text, &ref, &f), MT_ERR_INVALID);
    assert_string_equal(f.code, code);
    if (!strstr(f.message, says)) {
        fail_msg("'%s' does not say '%s'", f.message, says);
    }
    assert_int_equal(mt_conversation_ref_parse(text, &ref, NULL), MT_ERR_INVALID);
}

static void refuses_what_is_no_address(void **state)
{
    (void)state;
    assert_refused("", "conversation.id", "empty");
    assert_refused("single:", "conversation.id", "empty");
    assert_refused("group:a\nb", "conversation.id", "control");
    assert_refused("a\x7f", "conversation.id", "control");
    assert_refused("a\xFF", "conversation.id", "UTF-8");
    assert_refused("ultra:g", "conversation.id", "ultra:ID/CHANNEL");
    assert_refused("ultra:/c", "conversation.id", "empty");
    assert_refused("ultra:g/", "conversation.id", "empty");
    assert_refused("ultra:g/\x01", "conversation.id", "control");
    assert_refused("gruop:1", "conversation.kind", "did you mean 'group:'?");
    assert_refused("Group:1", "conversation.kind", "did you mean 'group:'?");
    assert_refused("zzz:1", "conversation.kind", "single, group, room, system and ultra");
    assert_refused(":1", "conversation.kind", "single, group");
    assert_refused("a-kind-of-no-end-that-is-longer-than-any-of-those-there-are:1",
                   "conversation.kind", "single");
    char longest[300];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_refused(longest, "conversation.id", "too long");
    longest[160] = '\0';
    assert_refused(longest, "conversation.id", "too long");
    longest[159] = '\0';
    struct mt_conversation_ref ref;
    assert_int_equal(mt_conversation_ref_parse(longest, &ref, NULL), MT_OK);
    char channel[100] = "ultra:g/";
    memset(channel + 8, 'c', 64);
    channel[8 + 64] = '\0';
    assert_refused(channel, "conversation.id", "too long");
    channel[8 + 63] = '\0';
    assert_int_equal(mt_conversation_ref_parse(channel, &ref, NULL), MT_OK);
}

static void the_longest_address_fits(void **state)
{
    (void)state;
    struct mt_conversation_ref ref = {.kind = MT_CONVERSATION_SYSTEM};
    char out[MT_CONVERSATION_ID_MAX];
    memset(ref.target, 't', sizeof ref.target - 1);
    memset(ref.channel, 'c', sizeof ref.channel - 1);
    mt_conversation_ref_format(&ref, out);
    assert_int_equal(strlen(out), 7 + 159 + 1 + 63);
}

static void writes_a_line(void **state)
{
    (void)state;
    const int marks[] = {1, 7};
    struct mt_message last = {.id = "5",
                              .from = "u",
                              .to = "bob",
                              .text = "hi",
                              .text_len = 2,
                              .conversation = {.target = "bob"},
                              .raw = (const uint8_t *)"r",
                              .raw_len = 1};
    struct mt_conversation c = {.ref = {.target = "bob"}, .unread = 3};
    struct mt_buf b;
    mt_buf_init(&b, 10000);
    assert_int_equal(mt_conversation_write(&c, false, &b), MT_OK);
    assert_string_equal(b.data, "{\"id\":\"single:bob\",\"kind\":\"single\",\"unread\":3,"
                                "\"pinned\":false,\"marks\":[],\"last\":null}");
    mt_buf_reset(&b);
    c = (struct mt_conversation){.ref = {.kind = MT_CONVERSATION_GROUP, .target = "1\""},
                                 .unread = -1,
                                 .pinned = true,
                                 .pinned_ms = 1700000000000,
                                 .marks = marks,
                                 .marks_n = 2,
                                 .last = &last};
    assert_int_equal(mt_conversation_write(&c, true, &b), MT_OK);
    assert_string_equal(
        b.data,
        "{\"id\":\"group:1\\\"\",\"kind\":\"group\",\"unread\":null,\"pinned\":true,"
        "\"pinned_time\":1700000000000,\"marks\":[1,7],\"last\":{\"v\":1,\"id\":\"5\","
        "\"conversation\":\"single:bob\",\"from\":\"u\",\"to\":\"bob\",\"direction\":\"received\","
        "\"time\":0,\"at\":\"1970-01-01T00:00:00.000Z\",\"kind\":\"text\",\"text\":\"hi\","
        "\"body\":{},\"ext\":{},\"raw\":\"cg==\"}}");
    mt_buf_reset(&b);
    const char *const users[] = {"a", "b", NULL};
    c = (struct mt_conversation){
        .ref = {.target = "bob"},
        .mentions = {.known = true, .n = 2, .me = 1, .any = true, .users = users},
        .notification = MT_NOTIFY_NONE,
        .last_unread_ms = 7,
        .hidden = true};
    assert_int_equal(mt_conversation_write(&c, false, &b), MT_OK);
    assert_string_equal(b.data, "{\"id\":\"single:bob\",\"kind\":\"single\",\"unread\":0,"
                                "\"pinned\":false,\"marks\":[],\"last\":null,\"mentions\":2,"
                                "\"mentions_me\":1,\"mentioned\":{\"all\":false,\"users\":[\"a\","
                                "\"b\"]},\"notification\":\"none\",\"last_unread_time\":7,"
                                "\"hidden\":true}");
    mt_buf_deinit(&b);
    for (int level = MT_NOTIFY_DEFAULT; level < MT_NOTIFICATIONS_N; level++)
        assert_int_equal(mt_notification_find(mt_notification_name((enum mt_notification)level)),
                         level);
    assert_null(mt_notification_name(MT_NOTIFY_UNKNOWN));
    assert_int_equal(mt_notification_find("noone"), MT_NOTIFY_UNKNOWN);
    assert_string_equal(mt_conversation_kind_name(MT_CONVERSATION_ULTRA), "ultra");
    assert_string_equal(mt_conversation_kind_name((enum mt_conversation_kind)99), "unknown");
}

int test_conversation(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_addresses),
        cmocka_unit_test(refuses_what_is_no_address),
        cmocka_unit_test(the_longest_address_fits),
        cmocka_unit_test(writes_a_line),
    };
    return cmocka_run_group_tests_name("model/conversation", tests, NULL, NULL);
}

/* Policies: conditions, joins, canonical text, limits, memory that runs out. */
#include "tests.h"

#include "base/buf.h"
#include "base/mem.h"
#include "policy/policy.h"

#include <stdio.h>
#include <string.h>

#define NOW INT64_C(1800000000000)
#define DAY INT64_C(86400000)

/* Takes a fresh policy out of a call that must succeed. */
#define MAKE(call)                                                                                 \
    ({                                                                                             \
        struct mt_policy *made = NULL, **out = &made;                                              \
        struct mt_fault *fault = NULL;                                                             \
        assert_int_equal(call, MT_OK);                                                             \
        assert_non_null(made);                                                                     \
        made;                                                                                      \
    })

/* Releases both. */
static struct mt_policy *join(struct mt_policy *a, enum mt_policy_join how, struct mt_policy *b)
{
    struct mt_policy *both = NULL;

    assert_int_equal(mt_policy_join(how, a, b, &both, NULL), MT_OK);
    mt_policy_release(a);
    mt_policy_release(b);
    return both;
}

/* Releases it. */
static void assert_text(struct mt_policy *policy, const char *want)
{
    struct mt_buf buf;

    mt_buf_init(&buf, 4096);
    assert_int_equal(mt_policy_write(policy, &buf), MT_OK);
    assert_string_equal(buf.data, want);
    mt_buf_deinit(&buf);
    mt_policy_release(policy);
}

static struct mt_message message(void)
{
    return (struct mt_message){.id = "1",
                               .time_ms = NOW - 10 * DAY,
                               .conversation = {MT_CONVERSATION_GROUP, "g1", ""},
                               .from = "user1",
                               .kind = MT_MESSAGE_TEXT,
                               .kind_name = "text",
                               .text = "the invoice of 2026",
                               .text_len = strlen("the invoice of 2026")};
}

/* Releases it. */
static bool holds(struct mt_policy *policy, struct mt_policy_facts facts)
{
    facts.now_ms = NOW;
    bool yes = mt_policy_holds(policy, &facts);
    mt_policy_release(policy);
    return yes;
}

static void each_condition_decides(void **state)
{
    struct mt_message m = message();
    struct mt_policy_facts f = {.message = &m, .newer_n = 5};

    (void)state;
    assert_true(holds(MAKE(mt_policy_older_than(10 * DAY - 1, out, fault)), f));
    assert_false(holds(MAKE(mt_policy_older_than(10 * DAY, out, fault)), f));
    assert_true(holds(MAKE(mt_policy_before(m.time_ms + 1, out, fault)), f));
    assert_false(holds(MAKE(mt_policy_before(m.time_ms, out, fault)), f));
    assert_true(holds(MAKE(mt_policy_since(m.time_ms, out, fault)), f));
    assert_false(holds(MAKE(mt_policy_since(m.time_ms + 1, out, fault)), f));
    assert_true(holds(MAKE(mt_policy_from("user1", out, fault)), f));
    assert_false(holds(MAKE(mt_policy_from("User1", out, fault)), f));
    assert_true(holds(MAKE(mt_policy_kind("text", out, fault)), f));
    assert_false(holds(MAKE(mt_policy_kind("image", out, fault)), f));
    assert_true(holds(MAKE(mt_policy_in_conversation("group:g1", out, fault)), f));
    assert_true(holds(MAKE(mt_policy_in_conversation("group:*", out, fault)), f));
    assert_true(holds(MAKE(mt_policy_in_conversation("*", out, fault)), f));
    assert_false(holds(MAKE(mt_policy_in_conversation("g1", out, fault)), f));
    assert_false(holds(MAKE(mt_policy_in_conversation("group:g", out, fault)), f));
    assert_true(holds(MAKE(mt_policy_matches("*invoice*", out, fault)), f));
    assert_true(holds(MAKE(mt_policy_matches("the*20?6", out, fault)), f));
    assert_false(holds(MAKE(mt_policy_matches("invoice", out, fault)), f));
    assert_true(holds(MAKE(mt_policy_newest(6, out, fault)), f));
    assert_false(holds(MAKE(mt_policy_newest(5, out, fault)), f));
    assert_false(holds(MAKE(mt_policy_pinned(out, fault)), f));
    f.pinned = true;
    assert_true(holds(MAKE(mt_policy_pinned(out, fault)), f));
    assert_true(holds(MAKE(mt_policy_all(out, fault)), f));
}

static void sizes_are_those_that_messages_state(void **state)
{
    struct mt_field size = {.key = "size_bytes", .value = {.type = MT_VALUE_INT, .i = 5000001}};
    struct mt_message m = message();
    struct mt_policy_facts f = {.message = &m};

    (void)state;
    assert_false(holds(MAKE(mt_policy_larger_than(0, out, fault)), f));
    m.body = (struct mt_value){.type = MT_VALUE_MAP, .fields = &size, .fields_n = 1};
    assert_true(holds(MAKE(mt_policy_larger_than(5000000, out, fault)), f));
    assert_false(holds(MAKE(mt_policy_larger_than(5000001, out, fault)), f));
    size.value = (struct mt_value){.type = MT_VALUE_UINT, .u = UINT64_MAX};
    assert_true(holds(MAKE(mt_policy_larger_than(INT64_MAX, out, fault)), f));
    size.value = (struct mt_value){.type = MT_VALUE_DOUBLE, .d = 5000000.5};
    assert_true(holds(MAKE(mt_policy_larger_than(5000000, out, fault)), f));
    size.value = (struct mt_value){.type = MT_VALUE_STR, .s = "9", .len = 1};
    assert_false(holds(MAKE(mt_policy_larger_than(1, out, fault)), f));
}

/* ? is a character of UTF-8, * any bytes; a text may hold a NUL. */
static void patterns_take_the_whole_text(void **state)
{
    static const struct {
        const char *pattern, *text;
        size_t len;
        bool match;
    } cases[] = {
        {"你?", "你好", 6, true},     {"?", "你好", 6, false}, {"a*b*c", "aXbXbc", 6, true},
        {"a*b*c", "aXbXb", 5, false}, {"a*", "a\0b", 3, true}, {"a?b", "a\0b", 3, true},
        {"ab", "ab\0", 3, false},     {"**", "x", 1, true},    {"?", "\xff", 1, true},
        {"*?", "", 0, false},         {"*", "", 0, true},      {"*aab", "aaaaab", 6, true}};
    struct mt_message m = message();
    struct mt_policy_facts f = {.message = &m};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        m.text = cases[i].text;
        m.text_len = cases[i].len;
        if (holds(MAKE(mt_policy_matches(cases[i].pattern, out, fault)), f) != cases[i].match)
            fail_msg("%s on %s", cases[i].pattern, cases[i].text);
    }
    m.text = NULL;
    assert_false(holds(MAKE(mt_policy_matches("*", out, fault)), f));
}

/* Nobody can say that it is not the boss's: then an exception for the boss is one for it. */
static void what_is_not_known_is_not_meant(void **state)
{
    struct mt_message m = message();
    struct mt_policy_facts f = {.message = &m};

    (void)state;
    m.from = NULL;
    assert_false(holds(MAKE(mt_policy_from("boss", out, fault)), f));
    assert_false(holds(join(MAKE(mt_policy_all(out, fault)), MT_POLICY_AND_NOT,
                            MAKE(mt_policy_from("boss", out, fault))),
                       f));
    assert_true(holds(join(MAKE(mt_policy_kind("text", out, fault)), MT_POLICY_OR,
                           MAKE(mt_policy_from("x", out, fault))),
                      f));
    m.time_ms = 0;
    assert_false(holds(MAKE(mt_policy_older_than(0, out, fault)), f));
    assert_false(holds(MAKE(mt_policy_before(NOW, out, fault)), f));
    assert_false(holds(join(MAKE(mt_policy_all(out, fault)), MT_POLICY_AND_NOT,
                            MAKE(mt_policy_since(1, out, fault))),
                       f));
    m.type = MT_TYPE_EDIT;
    assert_false(holds(MAKE(mt_policy_all(out, fault)), f));
}

static void joins_have_one_text(void **state)
{
    (void)state;
    assert_text(join(join(MAKE(mt_policy_older_than(90 * DAY, out, fault)), MT_POLICY_AND,
                          MAKE(mt_policy_kind("image", out, fault))),
                     MT_POLICY_AND_NOT, MAKE(mt_policy_newest(100, out, fault))),
                "(older_than(\"90d\") * kind(\"image\")) - newest(100)");
    assert_text(join(MAKE(mt_policy_from("a", out, fault)), MT_POLICY_OR,
                     join(MAKE(mt_policy_from("b", out, fault)), MT_POLICY_OR,
                          MAKE(mt_policy_pinned(out, fault)))),
                "from(\"a\") + from(\"b\") + pinned");
    assert_text(join(join(MAKE(mt_policy_all(out, fault)), MT_POLICY_AND_NOT,
                          MAKE(mt_policy_from("a", out, fault))),
                     MT_POLICY_AND_NOT, MAKE(mt_policy_from("b", out, fault))),
                "all - from(\"a\") - from(\"b\")");
    assert_text(join(MAKE(mt_policy_all(out, fault)), MT_POLICY_AND_NOT,
                     join(MAKE(mt_policy_pinned(out, fault)), MT_POLICY_AND_NOT,
                          MAKE(mt_policy_from("b", out, fault)))),
                "all - (pinned - from(\"b\"))");
}

static void arguments_have_one_text(void **state)
{
    (void)state;
    assert_text(MAKE(mt_policy_older_than(36 * 3600000 + 1, out, fault)),
                "older_than(\"1d12h1ms\")");
    assert_text(MAKE(mt_policy_older_than(0, out, fault)), "older_than(\"0s\")");
    assert_text(MAKE(mt_policy_before(1767225600000, out, fault)),
                "before(\"2026-01-01T00:00:00.000Z\")");
    assert_text(MAKE(mt_policy_larger_than(5000000, out, fault)), "larger_than(\"5MB\")");
    assert_text(MAKE(mt_policy_larger_than(5 << 20, out, fault)), "larger_than(\"5MiB\")");
    assert_text(MAKE(mt_policy_larger_than(1001, out, fault)), "larger_than(1001)");
    assert_text(MAKE(mt_policy_larger_than(0, out, fault)), "larger_than(0)");
    assert_text(MAKE(mt_policy_in_conversation("bob", out, fault)),
                "in_conversation(\"single:bob\")");
    assert_text(MAKE(mt_policy_in_conversation("*", out, fault)), "in_conversation(\"*\")");
    assert_text(MAKE(mt_policy_matches("a\"\\\n\0019\x7f你", out, fault)),
                "matches(\"a\\\"\\\\\\010\\0019\\127你\")");
}

static void assert_refused(enum mt_rc rc, const struct mt_policy *out, const struct mt_fault *fault,
                           const char *code, const char *says)
{
    assert_int_not_equal(rc, MT_OK);
    assert_null(out);
    assert_int_equal(rc, fault->kind);
    assert_string_equal(fault->code, code);
    if (!strstr(fault->message, says))
        fail_msg("'%s' does not say '%s'", fault->message, says);
}

#define REFUSED(call, code, says)                                                                  \
    do {                                                                                           \
        struct mt_policy *made = (struct mt_policy *)1, **out = &made;                             \
        struct mt_fault room = {0}, *fault = &room;                                                \
        enum mt_rc refused = call;                                                                 \
        assert_refused(refused, made, fault, code, says);                                          \
    } while (0)

static void wrong_arguments_are_refused(void **state)
{
    char longest[2000];

    (void)state;
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    REFUSED(mt_policy_older_than(-1, out, fault), "policy.older_than", "\"90d\"");
    REFUSED(mt_policy_before(0, out, fault), "policy.before", "1970");
    REFUSED(mt_policy_since(INT64_MAX, out, fault), "policy.since", "9999");
    REFUSED(mt_policy_from("", out, fault), "policy.from", "message.from");
    REFUSED(mt_policy_from("a\nb", out, fault), "policy.from", "control");
    REFUSED(mt_policy_from("\xff", out, fault), "policy.from", "UTF-8");
    REFUSED(mt_policy_from(longest, out, fault), "policy.from", "too long");
    REFUSED(mt_policy_from(NULL, out, fault), "policy.from", "empty");
    REFUSED(mt_policy_kind("imgae", out, fault), "policy.kind", "'image'");
    REFUSED(mt_policy_kind("images", out, fault), "policy.kind", "'image'");
    REFUSED(mt_policy_kind("Image", out, fault), "policy.kind", "'image'");
    REFUSED(mt_policy_kind("txt", out, fault), "policy.kind", "'text'");
    REFUSED(mt_policy_kind("", out, fault), "policy.kind", "empty");
    mt_policy_release(MAKE(mt_policy_kind("vote", out, fault)));
    mt_policy_release(MAKE(mt_policy_kind("RC:TxtMsg", out, fault)));
    REFUSED(mt_policy_in_conversation("", out, fault), "policy.in_conversation", "\"group:*\"");
    REFUSED(mt_policy_in_conversation("grop:1", out, fault), "policy.in_conversation", "no kind");
    REFUSED(mt_policy_in_conversation("x*:1", out, fault), "policy.in_conversation", "no kind");
    REFUSED(mt_policy_in_conversation("group:", out, fault), "policy.in_conversation", "nobody");
    REFUSED(mt_policy_in_conversation(longest, out, fault), "policy.in_conversation", "long");
    mt_policy_release(MAKE(mt_policy_in_conversation("*:1", out, fault)));
    mt_policy_release(MAKE(mt_policy_in_conversation("gr*", out, fault)));
    REFUSED(mt_policy_larger_than(-1, out, fault), "policy.larger_than", "\"5MB\"");
    REFUSED(mt_policy_matches("", out, fault), "policy.matches", "1023");
    REFUSED(mt_policy_matches(longest, out, fault), "policy.matches", "1023");
    REFUSED(mt_policy_matches("\xff", out, fault), "policy.matches", "UTF-8");
    REFUSED(mt_policy_newest(0, out, fault), "policy.newest", "how many");
    REFUSED(mt_policy_newest(MT_POLICY_RANK_MAX + 1, out, fault), "policy.newest", "older_than");
}

static void sizes_are_read(void **state)
{
    static const struct {
        const char *text;
        int64_t bytes; /* -1: refused */
    } cases[] = {{"0", 0},
                 {"5MB", 5000000},
                 {"5mib", 5 << 20},
                 {"1KiB", 1024},
                 {"7B", 7},
                 {"9TB", 9000000000000},
                 {"9223372036854775807", INT64_MAX},
                 {"9223372036854775807kB", -1},
                 {"", -1},
                 {"MB", -1},
                 {"5 MB", -1},
                 {"-1", -1},
                 {"5.5MB", -1},
                 {"5M", -1},
                 {"99999999999999999999999999", -1}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct mt_fault fault = {0};
        int64_t bytes = 0;
        enum mt_rc rc = mt_policy_size_parse(cases[i].text, &bytes, &fault);
        if (rc ? cases[i].bytes != -1 : cases[i].bytes != bytes)
            fail_msg("%s gives %lld", cases[i].text, (long long)bytes);
        if (rc)
            assert_string_equal(fault.code, "policy.larger_than");
    }
}

static void limits_are_kept(void **state)
{
    struct mt_policy *policy = MAKE(mt_policy_from("a", out, fault));
    struct mt_policy *other = MAKE(mt_policy_from("b", out, fault));
    struct mt_policy *more = NULL;
    struct mt_fault told;
    uint64_t ranks[MT_POLICY_RANKS_MAX];
    enum mt_rc rc = MT_OK;
    int n = 1;

    (void)state;
    for (; !(rc = mt_policy_join(MT_POLICY_OR, policy, other, &more, &told)); n++) {
        mt_policy_release(policy);
        policy = more;
    }
    assert_refused(rc, more, &told, "policy.size", "4096");
    assert_int_equal(n, MT_POLICY_NODES_MAX / 2);
    mt_policy_release(policy);
    policy = mt_policy_retain(other);
    for (n = 1;
         !(rc = mt_policy_join(n % 2 ? MT_POLICY_OR : MT_POLICY_AND, policy, other, &more, &told));
         n++) {
        mt_policy_release(policy);
        policy = more;
    }
    assert_refused(rc, more, &told, "policy.size", "nested");
    assert_int_equal(n, MT_POLICY_DEPTH_MAX);
    mt_policy_release(policy);
    mt_policy_release(other);
    policy = MAKE(mt_policy_newest(100, out, fault));
    for (uint64_t i = MT_POLICY_RANKS_MAX - 1; i > 0; i--) {
        policy = join(policy, MT_POLICY_OR, MAKE(mt_policy_newest(i, out, fault)));
        policy = join(policy, MT_POLICY_AND, MAKE(mt_policy_newest(i, out, fault)));
    }
    assert_int_equal(mt_policy_ranks(policy, ranks), MT_POLICY_RANKS_MAX);
    for (uint64_t i = 1; i < MT_POLICY_RANKS_MAX; i++)
        assert_int_equal(ranks[i - 1], i);
    assert_int_equal(ranks[MT_POLICY_RANKS_MAX - 1], 100);
    other = MAKE(mt_policy_newest(99, out, fault));
    rc = mt_policy_join(MT_POLICY_OR, other, policy, &more, &told);
    assert_refused(rc, more, &told, "policy.size", "newest");
    mt_policy_release(other);
    mt_policy_release(policy);
}

static void conversations_that_cannot_be_meant_are_known(void **state)
{
    const struct mt_conversation_ref bob = {MT_CONVERSATION_SINGLE, "bob", ""};
    const struct mt_conversation_ref group = {MT_CONVERSATION_GROUP, "1", ""};
    struct mt_policy *p = join(MAKE(mt_policy_older_than(DAY, out, fault)), MT_POLICY_AND_NOT,
                               MAKE(mt_policy_in_conversation("group:*", out, fault)));

    (void)state;
    assert_true(mt_policy_may_concern(p, &bob));
    assert_false(mt_policy_may_concern(p, &group));
    assert_false(mt_policy_needs_pinned(p));
    mt_policy_release(p);
    p = join(join(MAKE(mt_policy_in_conversation("single:bob", out, fault)), MT_POLICY_AND,
                  MAKE(mt_policy_pinned(out, fault))),
             MT_POLICY_AND_NOT, MAKE(mt_policy_kind("text", out, fault)));
    assert_true(mt_policy_may_concern(p, &bob));
    assert_false(mt_policy_may_concern(p, &group));
    assert_true(mt_policy_needs_pinned(p));
    mt_policy_release(p);
    p = join(MAKE(mt_policy_pinned(out, fault)), MT_POLICY_AND_NOT,
             MAKE(mt_policy_all(out, fault)));
    assert_false(mt_policy_may_concern(p, &bob));
    mt_policy_release(p);
}

/* Fails each allocation of making and joining in turn. */
static void memory_may_run_out(void **state)
{
    enum mt_rc rc = MT_ERR_NOMEM;
    int64_t live = mt_mem_seam_live();

    (void)state;
    for (uint64_t n = 1; rc == MT_ERR_NOMEM; n++) {
        struct mt_policy *a = NULL, *b = NULL, *both = NULL;
        struct mt_fault fault = {0};

        assert_true(n < 100);
        mt_mem_seam_fail_at(n, 1);
        rc = mt_policy_from("user1", &a, &fault);
        if (!rc)
            rc = mt_policy_kind("image", &b, &fault);
        if (!rc)
            rc = mt_policy_join(MT_POLICY_AND_NOT, a, b, &both, &fault);
        mt_mem_seam_fail_at(0, 0);
        assert_true(!rc || (rc == MT_ERR_NOMEM && fault.kind == MT_ERR_NOMEM));
        mt_policy_release(a);
        mt_policy_release(b);
        if (!rc)
            assert_text(both, "from(\"user1\") - kind(\"image\")");
        assert_int_equal(mt_mem_seam_live(), live);
    }
    assert_int_equal(rc, MT_OK);
}

int test_policy(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_condition_decides),
        cmocka_unit_test(sizes_are_those_that_messages_state),
        cmocka_unit_test(patterns_take_the_whole_text),
        cmocka_unit_test(what_is_not_known_is_not_meant),
        cmocka_unit_test(joins_have_one_text),
        cmocka_unit_test(arguments_have_one_text),
        cmocka_unit_test(wrong_arguments_are_refused),
        cmocka_unit_test(sizes_are_read),
        cmocka_unit_test(limits_are_kept),
        cmocka_unit_test(conversations_that_cannot_be_meant_are_known),
        cmocka_unit_test(memory_may_run_out),
    };
    return cmocka_run_group_tests_name("policy/policy", tests, NULL, NULL);
}

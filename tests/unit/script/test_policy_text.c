/* Texts of policies: what is written reads back as itself, and whatever else is tried ends in a
 * fault. */
#include "tests.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/rand.h"
#include "policy/policy.h"
#include "script/policy_file.h"

#include <stdio.h>
#include <string.h>

#define ROUNDS_N 3000
#define PARTS_N  40

/* Pieces of names and patterns; all UTF-8, none a NUL. */
static const char *random_text(char out[64])
{
    static const char *const pieces[] = {"a",    "B",  "\"",   "\\",       "\n",   "\r",
                                         "\x01", "9",  "'",    "]",        "--",   "*",
                                         "?",    "你", "\x7f", "\xC2\x85", " and "};
    size_t at = 0;

    out[0] = '\0';
    for (uint64_t n = 1 + mt_rand_below(8); n > 0; n--)
        at += (size_t)snprintf(out + at, 64 - at, "%s",
                               pieces[mt_rand_below(sizeof pieces / sizeof *pieces)]);
    return out;
}

static int64_t random_number(void)
{
    uint64_t r = 0;

    mt_rand_bytes(&r, sizeof r);
    return (int64_t)(r >> (1 + mt_rand_below(63)));
}

static struct mt_policy *random_condition(void)
{
    struct mt_policy *p = NULL;
    char text[64];
    enum mt_rc rc = MT_ERR_INVALID;

    while (rc) {
        switch (mt_rand_below(11)) {
        case 0:
            rc = mt_policy_older_than(random_number(), &p, NULL);
            break;
        case 1:
            rc = mt_policy_before(random_number() % INT64_C(250000000000000), &p, NULL);
            break;
        case 2:
            rc = mt_policy_since(random_number() % INT64_C(250000000000000), &p, NULL);
            break;
        case 3:
            rc = mt_policy_from(random_text(text), &p, NULL);
            break;
        case 4:
            rc = mt_policy_kind(random_text(text), &p, NULL);
            break;
        case 5:
            rc = mt_policy_in_conversation(random_text(text), &p, NULL);
            break;
        case 6:
            rc = mt_policy_larger_than(random_number(), &p, NULL);
            break;
        case 7:
            rc = mt_policy_matches(random_text(text), &p, NULL);
            break;
        case 8:
            rc = mt_policy_newest(1 + mt_rand_below(4), &p, NULL);
            break;
        case 9:
            rc = mt_policy_pinned(&p, NULL);
            break;
        default:
            rc = mt_policy_all(&p, NULL);
        }
    }
    return p;
}

/* Joins two of a handful until one is left. */
static struct mt_policy *random_policy(void)
{
    struct mt_policy *parts[PARTS_N];
    size_t n = 1 + mt_rand_below(PARTS_N);

    for (size_t i = 0; i < n; i++)
        parts[i] = random_condition();
    while (n > 1) {
        size_t a = mt_rand_below(n), b = (a + 1 + mt_rand_below(n - 1)) % n;
        struct mt_policy *both = NULL;

        assert_int_equal(
            mt_policy_join((enum mt_policy_join)mt_rand_below(3), parts[a], parts[b], &both, NULL),
            MT_OK);
        mt_policy_release(parts[a]);
        mt_policy_release(parts[b]);
        parts[a] = both;
        parts[b] = parts[--n];
    }
    return parts[0];
}

static void what_is_written_reads_back_as_itself(void **state)
{
    struct mt_buf text, again;

    (void)state;
    mt_buf_init(&text, 1 << 20);
    mt_buf_init(&again, 1 << 20);
    for (int i = 0; i < ROUNDS_N; i++) {
        struct mt_policy *policy = random_policy(), *read = NULL;
        struct mt_fault fault = {0};

        mt_buf_reset(&text);
        mt_buf_reset(&again);
        assert_int_equal(mt_policy_write(policy, &text), MT_OK);
        if (mt_policy_parse(text.data, text.len, "p", &read, &fault))
            fail_msg("%s: %s", fault.message, text.data);
        assert_int_equal(mt_policy_write(read, &again), MT_OK);
        assert_string_equal(again.data, text.data);
        mt_policy_release(policy);
        mt_policy_release(read);
    }
    mt_buf_deinit(&text);
    mt_buf_deinit(&again);
}

/* A text that lost or gained something is a policy, or a fault that says why. */
static void damaged_texts_end_in_faults(void **state)
{
    static const char *const pieces[] = {"(",  ")",    "+",       "and ", "all", "\"",
                                         "\\", "for",  "\x1b",    ",",    "=",   "[[",
                                         "--", "\xff", "return ", "end",  "{"};
    struct mt_buf text;
    unsigned refused_n = 0;

    (void)state;
    mt_buf_init(&text, 1 << 20);
    for (int i = 0; i < ROUNDS_N; i++) {
        struct mt_policy *policy = random_policy(), *read = NULL;
        struct mt_fault fault = {0};

        mt_buf_reset(&text);
        assert_int_equal(mt_policy_write(policy, &text), MT_OK);
        const char *piece = pieces[mt_rand_below(sizeof pieces / sizeof *pieces)];
        size_t at = mt_rand_below(text.len);
        size_t len = strlen(piece) < text.len - at ? strlen(piece) : text.len - at;
        memcpy(text.data + at, piece, len);
        enum mt_rc rc = mt_policy_parse(text.data, text.len, "p", &read, &fault);
        assert_true(!rc == (read != NULL));
        assert_true(!rc || (fault.kind == rc && fault.message[0] && fault.code[0]));
        refused_n += rc != MT_OK;
        mt_policy_release(policy);
        mt_policy_release(read);
    }
    assert_true(refused_n > ROUNDS_N / 4);
    mt_buf_deinit(&text);
}

static void assert_refused(const char *text, size_t len, const char *code)
{
    struct mt_policy *read = NULL;
    struct mt_fault fault = {0};
    enum mt_rc rc = mt_policy_parse(text, len, "p", &read, &fault);

    assert_int_not_equal(rc, MT_OK);
    assert_null(read);
    if (strcmp(fault.code, code) != 0)
        fail_msg("%.60s: %s, not %s (%s)", text, fault.code, code, fault.message);
}

static void hostile_texts_are_ended(void **state)
{
    static const struct {
        const char *text, *code;
    } cases[] = {
        {"while true do end", "policy.endless"},
        {"local function f() return f() end return f()", "policy.endless"},
        {"local s = 'x' while true do s = s .. s end", "policy.size"},
        {"local t = {} for i = 1, 1e9 do t[i] = all end return all", "policy.size"},
        {"local function f() return 1 + f() end return f()", "policy.size"},
        {"local p = all for i = 1, 1e9 do p = p + all end return p", "policy.size"},
        {"local p = all for i = 1, 90 do p = all - (p * all) end return p", "policy.size"},
        {"_G.x()", "policy.unknown"},
        {"ipairs = nil return ipairs", "policy.unknown"},
        {"return (function(...) return ... end)(all, all)", "policy.file"},
        {"for _, p in ipairs { all } do return p, p end", "policy.file"},
        {"goto x ::x:: return 'all'", "policy.file"},
        {"setmetatable({}, {})", "policy.unknown"},
        {"('x'):rep(10)", "policy.syntax"},
        {"all.__index", "policy.join"},
        {"all == all", "policy.file"},
        {"_ENV = {} return all", "policy.file"},
    };
    char *large = mt_mem_alloc(MT_POLICY_FILE_MAX + 1);

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_refused(cases[i].text, strlen(cases[i].text), cases[i].code);
    assert_refused("all\0", 4, "policy.syntax");
    assert_refused("\x1bLua", 4, "policy.syntax");
    assert_non_null(large);
    memset(large, ' ', MT_POLICY_FILE_MAX + 1);
    memcpy(large, "all", 3);
    assert_refused(large, MT_POLICY_FILE_MAX + 1, "policy.size");
    mt_mem_free(large);
}

/* Fails each allocation in turn; some of them Lua itself tries again after a collection. */
static void memory_may_run_out(void **state)
{
    static const char text[] = "older_than('90d') - (from 'a' + kind 'image')";
    int64_t live = mt_mem_seam_live();
    bool done = false;

    (void)state;
    for (uint64_t n = 1; !done; n++) {
        struct mt_policy *read = NULL;
        struct mt_fault fault = {0};

        assert_true(n < 2000);
        mt_mem_seam_fail_at(n, 1);
        enum mt_rc rc = mt_policy_parse(text, strlen(text), "p", &read, &fault);
        done = mt_mem_seam_count() < n;
        mt_mem_seam_fail_at(0, 0);
        assert_int_equal(rc, done ? MT_OK : MT_ERR_NOMEM);
        mt_policy_release(read);
        assert_int_equal(mt_mem_seam_live(), live);
    }
}

int test_policy_text(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_reads_back_as_itself),
        cmocka_unit_test(damaged_texts_end_in_faults),
        cmocka_unit_test(hostile_texts_are_ended),
        cmocka_unit_test(memory_may_run_out),
    };
    return cmocka_run_group_tests_name("script/policy_text", tests, NULL, NULL);
}

/* Legal holds: what is read, what is refused, what is held. */
#include "tests.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/rand.h"
#include "policy/hold.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define JAN 1767225600000ll /* 2026-01-01 */
#define DAY 86400000ll

static struct mt_holds *read_text(const char *dir, const char *text)
{
    const char *path = tests_path(dir, "holds.jsonl");
    struct mt_holds *holds = NULL;
    struct mt_fault fault;

    tests_write(path, text, strlen(text));
    if (mt_holds_read(path, &holds, &fault))
        fail_msg("%s: %s", fault.code, fault.message);
    return holds;
}

/* The fault of a list that must not be read. */
static struct mt_fault refused(const char *dir, const char *text)
{
    const char *path = tests_path(dir, "holds.jsonl");
    struct mt_holds *holds = NULL;
    struct mt_fault fault = {0};
    int64_t live = mt_mem_seam_live();

    tests_write(path, text, strlen(text));
    if (!mt_holds_read(path, &holds, &fault))
        fail_msg("it was read: %s", text);
    assert_null(holds);
    assert_int_equal(mt_mem_seam_live(), live);
    return fault;
}

/* The id of what holds it, "" for none. */
static const char *held(const struct mt_holds *holds, const char *conversation, const char *from,
                        int64_t time_ms)
{
    const struct mt_hold *hold =
        mt_holds_find(holds, "support", "agent", conversation, from, time_ms);
    return hold ? hold->id : "";
}

#define assert_held(holds, conversation, from, time_ms, want)                                      \
    assert_string_equal(held(holds, conversation, from, time_ms), want)

static void each_condition_holds(void **state)
{
    struct mt_holds *holds =
        read_text(*state, "# cases\n\n  # more\r\n"
                          "{\"id\":\"a\",\"account\":\"sales\"}\r\n"
                          "{\"id\":\"c\",\"conversation\":\"group:7\"}\n"
                          "{\"id\":\"g\",\"conversation\":\"ultra:*/x*\"}\n"
                          "{\"id\":\"p\",\"person\":\"Bob\",\"reason\":\"r\"}\n"
                          "{\"id\":\"t\",\"since\":\"2026-01-01\","
                          "\"until\":\"2026-01-02T00:00:00Z\"}\n"
                          "{\"id\":\"both\",\"person\":\"eve\",\"conversation\":"
                          "\"group:*\",\"since\":\"2026-01-03\"}\n"
                          "{\"id\":\"bare\",\"conversation\":\"carol\"}");

    assert_int_equal(mt_holds_n(holds), 7);
    assert_held(holds, "group:1", "x", 1, "");
    assert_held(holds, "group:7", "x", 1, "c");
    assert_held(holds, "group:70", "x", 1, "");
    assert_held(holds, "ultra:7/xy", "x", 1, "g");
    assert_held(holds, "ultra:7/yx", "x", 1, "");
    assert_held(holds, "group:1", "bob", 1, "p"); /* of any case */
    assert_held(holds, "group:1", "bobo", 1, "");
    assert_held(holds, "single:bob", "agent", 1, "p"); /* the peer */
    assert_held(holds, "group:bob", "agent", 1, "");
    assert_held(holds, "group:1", "x", JAN - 1, "");
    assert_held(holds, "group:1", "x", JAN, "t");
    assert_held(holds, "group:1", "x", JAN + DAY - 1, "t");
    assert_held(holds, "group:1", "x", JAN + DAY, "");
    assert_held(holds, "group:1", "eve", JAN + 3 * DAY, "both");
    assert_held(holds, "room:1", "eve", JAN + 3 * DAY, "");
    assert_held(holds, "group:1", "eve", JAN + 2 * DAY - 1, "");
    assert_held(holds, "single:CAROL", "agent", 1, "bare");
    assert_held(holds, "group:7", "bob", JAN, "c"); /* the first of the file */
    const struct mt_hold *p = mt_holds_find(holds, "support", "agent", "group:1", "bob", 1);
    assert_string_equal(p->person, "Bob");
    assert_string_equal(p->reason, "r");
    assert_non_null(mt_holds_find(holds, "Sales", "agent", "group:1", "x", 1));
    assert_non_null(mt_holds_find(holds, "support", "sales", "group:1", "x", 1));
    assert_non_null(mt_holds_find(holds, "support", "bob", "group:1", "x", 1));
    mt_holds_free(holds);
}

static void what_is_not_known_is_held(void **state)
{
    struct mt_holds *holds = read_text(*state, "{\"id\":\"p\",\"person\":\"bob\",\"conversation\":"
                                               "\"group:*\"}\n"
                                               "{\"id\":\"t\",\"account\":\"support\",\"until\":"
                                               "\"2026-01-01\",\"conversation\":\"room:1\"}\n");

    assert_held(holds, "group:1", NULL, 1, "p");
    assert_held(holds, "room:2", NULL, 1, "");
    assert_held(holds, "room:1", "x", JAN, "");
    assert_held(holds, "room:1", "x", 0, "t");
    assert_non_null(mt_holds_find(holds, NULL, NULL, "room:1", "x", 1));
    assert_non_null(mt_holds_find(holds, "support", NULL, "group:1", "x", 1));
    mt_holds_free(holds);
    assert_non_null(mt_holds_find(NULL, "support", "agent", "group:1", "x", 1));
    assert_int_equal(mt_holds_n(NULL), 0);

    holds = read_text(*state, "{\"id\":\"all\",\"everything\":true}\n");
    assert_held(holds, "room:2", "x", 1, "all");
    mt_holds_free(holds);
}

static void no_list_holds_nothing(void **state)
{
    struct mt_holds *holds = NULL;
    struct mt_fault fault;

    assert_int_equal(mt_holds_read(NULL, &holds, &fault), MT_OK);
    assert_int_equal(mt_holds_n(holds), 0);
    assert_held(holds, "group:1", NULL, 0, "");
    mt_holds_free(holds);
    holds = read_text(*state, "# nothing is held\n");
    assert_held(holds, "group:1", NULL, 0, "");
    mt_holds_free(holds);
}

static void a_list_that_is_not_there_is_a_fault(void **state)
{
    struct mt_holds *holds = NULL;
    struct mt_fault fault;

    assert_int_equal(mt_holds_read(tests_path(*state, "none"), &holds, &fault), MT_ERR_NOT_FOUND);
    assert_string_equal(fault.code, "hold.missing");
    assert_int_equal(mt_holds_read(tests_path(*state, "none/x"), &holds, &fault), MT_ERR_NOT_FOUND);
    assert_int_not_equal(mt_holds_read(*state, &holds, &fault), MT_OK); /* a folder */
    fault = refused(*state, "");
    assert_string_equal(fault.code, "hold.syntax");
    fault = refused(*state, "\xEF\xBB\xBF\r\n  \n");
    assert_string_equal(fault.code, "hold.syntax");
}

static void every_slip_is_a_fault(void **state)
{
    static const struct {
        const char *line, *says;
    } slips[] = {
        {"{\"id\":\"x\",\"presons\":\"bob\"}", "did you mean 'person'"},
        {"{\"id\":\"x\"}", "does not say what is held"},
        {"{\"id\":\"x\",\"reason\":\"r\"}", "does not say what is held"},
        {"{\"person\":\"bob\"}", "needs an 'id'"},
        {"{\"id\":7,\"person\":\"bob\"}", "'id' must be a text"},
        {"{\"id\":\"x\",\"person\":null}", "'person' must be a text"},
        {"{\"id\":\"x\",\"person\":\"\"}", "'person' is empty"},
        {"{\"id\":\"x\",\"person\":\"bo*\"}", "'person' is one name"},
        {"{\"id\":\"x\",\"account\":\"*\"}", "'account' is one name"},
        {"{\"id\":\"x\",\"person\":\"bob \"}", "blank"},
        {"{\"id\":\"x\",\"person\":\"b\\u0001\"}", "control character"},
        {"{\"id\":\"x\",\"person\":\"b\\u0000\"}", "UTF-8"},
        {"{\"id\":\"x\",\"person\":\"b\xFF\"}", ""},
        {"{\"id\":\"x\",\"person\":\"a\",\"person\":\"b\"}", "twice"},
        {"{\"id\":\"x\",\"conversation\":\"gruop:1\"}", "did you mean 'group:'"},
        {"{\"id\":\"x\",\"conversation\":\"groups:*\"}", "no conversation is like"},
        {"{\"id\":\"x\",\"conversation\":\"bob*\"}", "no conversation is like"},
        {"{\"id\":\"x\",\"conversation\":\"ultra:7\"}", "ultra:ID/CHANNEL"},
        {"{\"id\":\"x\",\"since\":\"soon\"}", "must be a date"},
        {"{\"id\":\"x\",\"since\":\"90d\"}", "must be a date"},
        {"{\"id\":\"x\",\"since\":1700000000000}", "must be a text"},
        {"{\"id\":\"x\",\"until\":\"1970-01-01\"}", "must be a date"},
        {"{\"id\":\"x\",\"since\":\"2026-01-02\",\"until\":\"2026-01-02\"}", "holds nothing"},
        {"{\"id\":\"x\",\"everything\":false}", "can only be true"},
        {"{\"id\":\"x\",\"everything\":1}", "can only be true"},
        {"{\"id\":\"x\",\"everything\":true,\"person\":\"bob\"}", "do not go together"},
        {"{\"id\":\"first\",\"person\":\"bob\"}", "already"},
        {"[]", "no JSON object"},
        {"{\"id\":\"x\",\"person\":\"bob\"", "no JSON object"},
        {"{\"id\":\"x\",\"person\":\"bob\"}}", "no JSON object"},
        {"// old", "no JSON object"},
    };
    char text[600];

    for (size_t i = 0; i < sizeof slips / sizeof slips[0]; i++) {
        snprintf(text, sizeof text, "{\"id\":\"first\",\"person\":\"ann\"}\n\n%s\n# end\n",
                 slips[i].line);
        struct mt_fault fault = refused(*state, text);
        assert_int_equal(fault.kind, MT_ERR_INVALID);
        assert_string_equal(fault.code, "hold.syntax");
        if (!strstr(fault.message, "holds.jsonl line 3: ") || !strstr(fault.message, slips[i].says))
            fail_msg("%s: %s", slips[i].line, fault.message);
    }
}

static void what_is_too_long_is_a_fault(void **state)
{
    char text[20000];
    char name[10000];

    memset(name, 'n', sizeof name);
    snprintf(text, sizeof text, "{\"id\":\"x\",\"person\":\"%.256s\"}", name);
    assert_non_null(strstr(refused(*state, text).message, "longer than 255"));
    snprintf(text, sizeof text, "{\"id\":\"x\",\"conversation\":\"single:%.249s\"}", name);
    assert_string_equal(refused(*state, text).code, "hold.syntax");
    snprintf(text, sizeof text, "{\"id\":\"%.65s\",\"person\":\"b\"}", name);
    assert_non_null(strstr(refused(*state, text).message, "longer than 64"));
    snprintf(text, sizeof text, "{\"id\":\"x\",\"person\":\"b\",\"reason\":\"%.1001s\"}", name);
    assert_non_null(strstr(refused(*state, text).message, "longer than 1000"));
    snprintf(text, sizeof text, "{\"id\":\"x\",\"person\":\"b\"%9000s}", "");
    assert_non_null(strstr(refused(*state, text).message, "longer than 8192"));

    struct mt_buf many;
    mt_buf_init(&many, (size_t)32 << 20);
    for (unsigned i = 0; i <= MT_HOLDS_MAX; i++)
        mt_buf_appendf(&many, "{\"id\":\"%u\",\"person\":\"p%u\"}\n", i, i);
    assert_string_equal(refused(*state, many.data).code, "hold.size");
    while (many.len <= MT_HOLD_FILE_MAX)
        mt_buf_append_str(&many, "# a comment is not free either\n");
    assert_string_equal(refused(*state, many.data).code, "hold.size");
    mt_buf_deinit(&many);
}

/* The example that people copy. */
static void the_manual_is_right(void **state)
{
    size_t len = 0;
    char *page = tests_read("docs/holds.md", &len);
    char *start = strstr(page, "```jsonl\n");
    char *end = start ? strstr(start + 9, "```") : NULL;

    assert_non_null(end);
    *end = '\0';
    struct mt_holds *holds = read_text(*state, start + 9);
    assert_int_equal(mt_holds_n(holds), 4);
    assert_held(holds, "single:bob", "agent", 1, "case-7");
    assert_held(holds, "group:1", "Bob", 1, "case-7");
    assert_held(holds, "single:eve", "agent", JAN, "case-9");
    assert_held(holds, "single:eve", "agent", JAN + 31 * DAY, "");
    assert_held(holds, "group:1", "eve", JAN, "");
    assert_held(holds, "group:93734273351681", "eve", JAN, "audit");
    assert_held(holds, "ultra:7/x", "eve", JAN - 93 * DAY, "quarter");
    assert_held(holds, "ultra:7/x", "eve", JAN - 91 * DAY, "");
    mt_holds_free(holds);
    mt_mem_free(page);
}

/* ---------------------------------------------------------------- against a plain reading */

struct plain {
    char id[8], account[8], conversation[16], person[8];
    int since, until; /* days from JAN; 0: none */
};

static bool plain_glob(const char *p, const char *t)
{
    if (!*p)
        return !*t;
    if (*p == '*')
        return plain_glob(p + 1, t) || (*t && plain_glob(p, t + 1));
    return *t && !strncasecmp(p, t, 1) && plain_glob(p + 1, t + 1);
}

static bool plain_holds(const struct plain *p, const char *user, const char *conversation,
                        const char *from, int64_t time_ms)
{
    const char *peer = strncmp(conversation, "single:", 7) ? "" : conversation + 7;

    if (*p->account && strcasecmp(p->account, "acc") && strcasecmp(p->account, user))
        return false;
    if (*p->conversation && !plain_glob(p->conversation, conversation))
        return false;
    if (*p->person && from && strcasecmp(p->person, from) && strcasecmp(p->person, user) &&
        strcasecmp(p->person, peer))
        return false;
    if (time_ms && p->since && time_ms < JAN + p->since * DAY)
        return false;
    return !time_ms || !p->until || time_ms < JAN + p->until * DAY;
}

static const char *any_of(const char *const *list, size_t n)
{
    return list[mt_rand_below(n)];
}

static void write_plain(struct mt_buf *text, const struct plain *p)
{
    mt_buf_appendf(text, "{\"id\":\"%s\"", p->id);
    if (*p->account)
        mt_buf_appendf(text, ",\"account\":\"%s\"", p->account);
    if (*p->conversation)
        mt_buf_appendf(text, ",\"conversation\":\"%s\"", p->conversation);
    if (*p->person)
        mt_buf_appendf(text, ",\"person\":\"%s\"", p->person);
    if (p->since)
        mt_buf_appendf(text, ",\"since\":\"2026-01-%02d\"", p->since + 1);
    if (p->until)
        mt_buf_appendf(text, ",\"until\":\"2026-01-%02dT00:00:00Z\"", p->until + 1);
    mt_buf_appendf(text, "%s}\n",
                   *p->account || *p->conversation || *p->person || p->since || p->until
                       ? ""
                       : ",\"everything\":true");
}

static void random_lists_hold_alike(void **state)
{
    static const char *const accounts[] = {"", "", "", "acc", "B", "other"};
    static const char *const users[] = {"a", "b", "c"};
    static const char *const conversations[] = {"single:a", "single:b", "group:1", "group:12",
                                                "room:1"};
    static const char *const patterns[] = {"",        "",       "single:A", "group:1",
                                           "group:*", "*",      "s*:b",     "group:1*",
                                           "*1",      "room:1", "group:2",  "*:*:*"};
    unsigned held_n = 0, free_n = 0;

    tests_seed("holds");
    for (int round = 0; round < 1500; round++) {
        struct plain list[6];
        size_t n = (size_t)mt_rand_below(7);
        struct mt_buf text;

        mt_buf_init(&text, 4096);
        mt_buf_append_str(&text, "#\n");
        for (size_t i = 0; i < n; i++) {
            struct plain *p = &list[i];
            snprintf(p->id, sizeof p->id, "h%zu", i);
            snprintf(p->account, sizeof p->account, "%s", any_of(accounts, 6));
            snprintf(p->conversation, sizeof p->conversation, "%s", any_of(patterns, 12));
            snprintf(p->person, sizeof p->person, "%s", mt_rand_below(2) ? "" : any_of(users, 3));
            p->since = (int)mt_rand_below(3);
            p->until = mt_rand_below(2) ? 0 : p->since + 1 + (int)mt_rand_below(3);
            write_plain(&text, p);
        }
        struct mt_holds *holds = read_text(*state, text.data);
        for (int k = 0; k < 40; k++) {
            const char *user = any_of(users, 3), *conversation = any_of(conversations, 5);
            const char *from = mt_rand_below(6) ? any_of(users, 3) : NULL;
            int64_t time_ms = mt_rand_below(6) ? JAN + (int64_t)mt_rand_below(5) * DAY : 0;
            const struct mt_hold *got =
                mt_holds_find(holds, "acc", user, conversation, from, time_ms);
            size_t want = 0;
            while (want < n && !plain_holds(&list[want], user, conversation, from, time_ms))
                want++;
            if (strcmp(got ? got->id : "", want < n ? list[want].id : "") != 0)
                fail_msg("%s %s %s %lld: %s instead of %s in\n%s", user, conversation,
                         from ? from : "-", (long long)time_ms, got ? got->id : "none",
                         want < n ? list[want].id : "none", text.data);
            held_n += got != NULL;
            free_n += got == NULL;
        }
        mt_holds_free(holds);
        mt_buf_deinit(&text);
    }
    print_message("# %u held, %u free\n", held_n, free_n);
    assert_true(held_n > 5000 && free_n > 5000);
    mt_rand_seed(0);
}

/* ---------------------------------------------------------------- short of time and of memory */

static void many_holds_are_found_quickly(void **state)
{
    const unsigned n = 100000;
    const char *set = getenv("MT_POLICY_LOOKUPS");
    unsigned lookups = set ? (unsigned)strtoul(set, NULL, 10) : 100000;
    struct mt_buf text;
    unsigned held_n = 0;

    mt_buf_init(&text, MT_HOLD_FILE_MAX);
    for (unsigned i = 0; i < n; i++) {
        static const char *const forms[] = {
            "{\"id\":\"h%u\",\"person\":\"user%u\",\"account\":\"support\",\"reason\":\"a "
            "case\"}\n",
            "{\"id\":\"h%u\",\"conversation\":\"group:%u\",\"since\":\"2026-01-01\"}\n",
            "{\"id\":\"h%u\",\"conversation\":\"single:c%u-*\"}\n"};
        mt_buf_appendf(&text, forms[i % 3], i, i);
    }
    int64_t start = mt_clock_mono_us();
    struct mt_holds *holds = read_text(*state, text.data);
    int64_t read_us = mt_clock_mono_us() - start;
    start = mt_clock_mono_us();
    for (unsigned i = 0; i < lookups; i++) {
        char from[32], conversation[40];
        snprintf(from, sizeof from, "user%u", i % (2 * n));
        snprintf(conversation, sizeof conversation, i & 1 ? "group:%u" : "single:c%u-7", i % n);
        held_n += mt_holds_find(holds, "support", "agent", conversation, from, JAN) != NULL;
    }
    int64_t find_us = mt_clock_mono_us() - start;
    print_message("# %u holds read in %lld ms; %u messages asked for in %lld ms, %u held\n", n,
                  (long long)read_us / 1000, lookups, (long long)find_us / 1000, held_n);
    assert_true(held_n > lookups / 4 && held_n < lookups);
    assert_true(find_us < (int64_t)lookups * 100); /* a walk over all takes more than 1 ms each */
    mt_holds_free(holds);
    mt_buf_deinit(&text);
}

static void every_allocation_may_fail(void **state)
{
    const char *path = tests_path(*state, "holds.jsonl");
    struct mt_buf text;
    unsigned failed = 0;
    bool reached = true;

    mt_buf_init(&text, 65536);
    for (unsigned i = 0; i < 100; i++)
        mt_buf_appendf(&text, "{\"id\":\"%u\",\"person\":\"p\",\"conversation\":\"c%u\"}\n", i, i);
    tests_write(path, text.data, text.len);
    mt_buf_deinit(&text);
    for (uint64_t at = 1; reached; at++) {
        struct mt_holds *holds = NULL;
        struct mt_fault fault;
        int64_t live = mt_mem_seam_live();

        mt_mem_seam_fail_at(at, 0);
        enum mt_rc rc = mt_holds_read(path, &holds, &fault);
        reached = mt_mem_seam_count() >= at;
        mt_mem_seam_fail_at(0, 0);
        assert_true(rc == MT_OK || rc == MT_ERR_NOMEM);
        assert_true((rc == MT_OK) == (holds != NULL));
        assert_true(!holds || mt_holds_n(holds) == 100);
        failed += rc != MT_OK;
        mt_holds_free(holds);
        assert_int_equal(mt_mem_seam_live(), live);
    }
    assert_true(failed > 100);
}

static const char *reach(const struct mt_holds *holds, const char *conversation, int64_t before_ms)
{
    const struct mt_hold *hold = mt_holds_reach(holds, "support", "Agent", conversation, before_ms);
    return hold ? hold->id : "";
}

#define assert_reach(holds, conversation, before_ms, want)                                         \
    assert_string_equal(reach(holds, conversation, before_ms), want)

static void what_nobody_looked_at_may_be_held(void **state)
{
    struct mt_holds *holds = read_text(*state, "{\"id\":\"p\",\"person\":\"bob\"}\n");
    assert_reach(holds, "single:BOB", 0, "p");
    assert_reach(holds, "single:ann", 0, ""); /* he can have written there no more than she here */
    assert_reach(holds, "group:1", 0, "p");   /* he may be in it */
    assert_reach(holds, NULL, JAN, "p");
    mt_holds_free(holds);

    holds = read_text(*state, "{\"id\":\"own\",\"person\":\"agent\"}\n");
    assert_reach(holds, "single:ann", 0, "own");
    assert_non_null(mt_holds_reach(holds, "support", NULL, "single:ann", 0));
    mt_holds_free(holds);

    holds =
        read_text(*state, "{\"id\":\"c\",\"conversation\":\"group:1*\",\"since\":\"2026-01-01\","
                          "\"until\":\"2026-01-02\"}\n");
    assert_reach(holds, "group:12", 0, "c");
    assert_reach(holds, "group:2", 0, "");
    assert_reach(holds, "group:12", JAN, ""); /* since is inclusive, before is not */
    assert_reach(holds, "group:12", JAN + 1, "c");
    assert_reach(holds, "group:12", JAN + 90 * DAY, "c"); /* what is older goes, too */
    assert_reach(holds, NULL, JAN, "");
    assert_reach(holds, NULL, JAN + 1, "c");
    mt_holds_free(holds);

    holds = read_text(*state,
                      "{\"id\":\"a\",\"account\":\"other\"}\n{\"id\":\"b\",\"account\":\"AGENT\","
                      "\"conversation\":\"single:*\"}\n");
    assert_reach(holds, "single:x", 0, "b");
    assert_reach(holds, "group:x", 0, "");
    assert_reach(holds, NULL, 0, "b");
    mt_holds_free(holds);

    holds = read_text(*state, "# none\n");
    assert_reach(holds, NULL, 0, "");
    mt_holds_free(holds);
    assert_reach(NULL, "single:ann", 0, "unread");
}

/* Whatever a single message of it is held by, the whole is. */
static void what_is_held_is_reached(void **state)
{
    static const char *const people[] = {"ann", "bob", "agent"};
    static const char *const places[] = {"single:ann", "single:bob", "group:1", "room:1"};
    static const char *const patterns[] = {"single:ann", "single:*", "group:*", "*:1"};
    size_t held_n = 0;

    for (int round = 0; round < 300; round++) {
        char text[300];
        size_t n = (size_t)snprintf(text, sizeof text, "{\"id\":\"x\"");
        unsigned kind = (unsigned)round % 7 + 1;
        if (kind & 1)
            n += (size_t)snprintf(text + n, sizeof text - n, ",\"person\":\"%s\"",
                                  people[mt_rand_below(3)]);
        if (kind & 2)
            n += (size_t)snprintf(text + n, sizeof text - n, ",\"conversation\":\"%s\"",
                                  patterns[mt_rand_below(3)]);
        if (kind & 4)
            n += (size_t)snprintf(text + n, sizeof text - n, ",\"since\":\"2026-01-%02u\"",
                                  1 + (unsigned)mt_rand_below(9));
        (void)snprintf(text + n, sizeof text - n, "}\n");
        struct mt_holds *holds = read_text(*state, text);
        for (int i = 0; i < 20; i++) {
            const char *where = places[mt_rand_below(4)];
            const char *from = !strcmp(where, "single:ann")   ? people[mt_rand_below(2) * 2]
                               : !strcmp(where, "single:bob") ? people[1 + mt_rand_below(2)]
                                                              : people[mt_rand_below(3)];
            int64_t ms = JAN + (int64_t)mt_rand_below(10) * DAY;
            if (!mt_holds_find(holds, "support", "agent", where, from, ms))
                continue;
            held_n++;
            assert_reach(holds, where, 0, "x");
            assert_reach(holds, where, ms + 1, "x");
            assert_reach(holds, NULL, ms + 1, "x");
        }
        mt_holds_free(holds);
    }
    assert_true(held_n > 500);
}

static void several_lists_hold_together(void **state)
{
    struct mt_hold_lists lists = {.n = 0};
    struct mt_holds *holds = NULL;
    struct mt_fault fault;
    char first[300];

    (void)snprintf(first, sizeof first, "%s", tests_path(*state, "first"));
    tests_write(first, "{\"id\":\"x\",\"person\":\"bob\"}\n", 26);
    assert_int_equal(mt_hold_lists_add(&lists, NULL), MT_OK);
    assert_int_equal(mt_hold_lists_add(&lists, first), MT_OK);
    assert_int_equal(mt_hold_lists_add(&lists, first), MT_OK);
    assert_int_equal(lists.n, 1);
    assert_int_equal(mt_holds_read_all(&lists, &holds, &fault), MT_OK);
    assert_held(holds, "group:1", "bob", JAN, "x");
    assert_held(holds, "group:1", "ann", JAN, "");
    mt_holds_free(holds);

    const char *second = tests_path(*state, "second"); /* the same id: another list may have it */
    tests_write(second, "{\"id\":\"x\",\"person\":\"ann\"}\n", 26);
    assert_int_equal(mt_hold_lists_add(&lists, second), MT_OK);
    assert_int_equal(mt_holds_read_all(&lists, &holds, &fault), MT_OK);
    assert_int_equal(mt_holds_n(holds), 2);
    assert_held(holds, "group:1", "bob", JAN, "x");
    assert_held(holds, "group:1", "ann", JAN, "x");
    mt_holds_free(holds);

    assert_int_equal(mt_hold_lists_add(&lists, tests_path(*state, "none")), MT_OK);
    assert_int_equal(mt_holds_read_all(&lists, &holds, &fault), MT_ERR_NOT_FOUND);
    assert_null(holds);
    assert_string_equal(fault.code, "hold.missing");
    for (char name[] = "a"; lists.n < MT_HOLD_LISTS_MAX; name[0]++)
        assert_int_equal(mt_hold_lists_add(&lists, name), MT_OK);
    assert_int_equal(mt_hold_lists_add(&lists, "one more"), MT_ERR_LIMIT);
    mt_hold_lists_clear(&lists);
    assert_int_equal(mt_holds_read_all(&lists, &holds, &fault), MT_OK);
    assert_int_equal(mt_holds_n(holds), 0);
    mt_holds_free(holds);
}

int test_hold(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_condition_holds, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(what_is_not_known_is_held, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(no_list_holds_nothing, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(a_list_that_is_not_there_is_a_fault, tests_begin,
                                        tests_end),
        cmocka_unit_test_setup_teardown(every_slip_is_a_fault, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(what_is_too_long_is_a_fault, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(the_manual_is_right, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(random_lists_hold_alike, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(many_holds_are_found_quickly, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(every_allocation_may_fail, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(what_nobody_looked_at_may_be_held, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(what_is_held_is_reached, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(several_lists_hold_together, tests_begin, tests_end),
    };
    return cmocka_run_group_tests_name("hold", tests, NULL, NULL);
}

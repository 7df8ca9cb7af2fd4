/* Plans: written and read back, named by what they hold, and refused after any change. */
#include "tests.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/rand.h"
#include "policy/plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>

#define NOW 1700000000000ll

static const struct mt_plan_head head = {.account = "support",
                                         .provider = "model",
                                         .appkey = "org#app",
                                         .user = "agent",
                                         .policy = "older_than(\"90d\") - newest(100)",
                                         .holds = "/etc/holds.jsonl",
                                         .made_ms = NOW};

static struct mt_plan_item item_of(const char *id, int64_t time_ms, const char *from)
{
    struct mt_plan_item item = {.key = {.id = id, .time_ms = time_ms, .from = from}};

    item.key.sent = time_ms & 1;
    for (size_t i = 0; i < sizeof item.digest; i++)
        item.digest[i] = (uint8_t)((size_t)id[0] * 31 + i);
    return item;
}

struct made {
    char path[600];
    char hash[MT_PLAN_HASH_MAX];
};

static struct mt_plan_writer *begin(const char *dir, const struct mt_plan_head *h)
{
    struct mt_plan_writer *writer = NULL;
    struct mt_fault fault;

    if (mt_plan_create(dir, h, &writer, &fault))
        fail_msg("%s: %s", fault.code, fault.message);
    return writer;
}

static void add(struct mt_plan_writer *writer, const char *conversation,
                const struct mt_plan_item *items, size_t n, uint64_t held_n, const char *held)
{
    struct mt_plan_count count = {.seen_n = n + held_n + 1, .planned_n = n, .held_n = held_n};
    struct mt_fault fault;

    if (mt_plan_conversation(writer, conversation, items, n, &fault) ||
        mt_plan_conversation_end(writer, conversation, &count, held, &fault))
        fail_msg("%s: %s", fault.code, fault.message);
}

static struct made finish(struct mt_plan_writer *writer)
{
    struct made made;
    struct mt_fault fault;

    if (mt_plan_finish(writer, made.path, sizeof made.path, made.hash, &fault))
        fail_msg("%s: %s", fault.code, fault.message);
    return made;
}

static struct mt_plan *open_plan(const char *path)
{
    struct mt_plan *plan = NULL;
    struct mt_fault fault;

    if (mt_plan_open(path, NOW, &plan, &fault))
        fail_msg("%s: %s", fault.code, fault.message);
    return plan;
}

static struct mt_fault refused(const char *path, int64_t now_ms)
{
    struct mt_plan *plan = NULL;
    struct mt_fault fault = {0};
    int64_t live = mt_mem_seam_live();

    if (!mt_plan_open(path, now_ms, &plan, &fault))
        fail_msg("%s was read", path);
    assert_null(plan);
    assert_int_equal(mt_mem_seam_live(), live);
    return fault;
}

static struct made small_plan(const char *dir)
{
    struct mt_plan_writer *writer = begin(dir, &head);
    struct mt_plan_item a[] = {item_of("1001", NOW - 5000, "bob"),
                               item_of("1002", NOW - 4001, NULL)};
    struct mt_plan_item b[] = {item_of("C-\"\\\xC3\xA9\n", 0, "e\tv\xFF"),
                               item_of("C-2", NOW - 9000, "ev\"e")};

    add(writer, "single:bob", a, 2, 0, NULL);
    add(writer, "group:none", NULL, 0, 3, "{\"case-7\":3}");
    add(writer, "group:1", b, 2, 1, "{\"case-7\":1}");
    return finish(writer);
}

static unsigned files_in(const char *dir)
{
    char **names = NULL;
    size_t n = 0;

    if (mt_fs_list(dir, &names, &n))
        return 0;
    mt_mem_free(names);
    return (unsigned)n;
}

/* ---------------------------------------------------------------- there and back */

static enum mt_rc note_each(void *ud, const char *conversation, const struct mt_plan_count *count,
                            const char *held)
{
    mt_buf_appendf(ud, "%s %d/%d/%d %d %s\n", conversation, (int)count->seen_n,
                   (int)count->planned_n, (int)count->held_n,
                   (int)(count->oldest_ms ? NOW - count->oldest_ms : 0), held ? held : "-");
    return MT_OK;
}

static void read_items(struct mt_plan *plan, size_t max, struct mt_buf *out)
{
    const struct mt_plan_item *items = NULL;
    const char *conversation = NULL;
    struct mt_fault fault;
    size_t n = 0;

    do {
        if (mt_plan_next(plan, max, &conversation, &items, &n, &fault))
            fail_msg("%s: %s", fault.code, fault.message);
        assert_true(n <= max);
        for (size_t i = 0; i < n; i++) {
            struct mt_plan_item same = item_of(items[i].key.id, items[i].key.time_ms, NULL);
            assert_memory_equal(items[i].digest, same.digest, sizeof same.digest);
            assert_int_equal(items[i].key.sent, same.key.sent);
            mt_buf_appendf(out, "%s %s %d %s\n", conversation, items[i].key.id,
                           (int)(items[i].key.time_ms ? NOW - items[i].key.time_ms : 0),
                           items[i].key.from ? items[i].key.from : "-");
        }
    } while (n);
}

static void what_is_written_is_read(void **state)
{
    const char *dir = tests_path(*state, "deep/er/plans");
    struct made made = small_plan(dir);
    struct mt_plan *plan = open_plan(made.path);
    struct mt_fault fault;
    struct mt_buf out;

    assert_int_equal(files_in(dir), 1);
    assert_string_equal(mt_plan_hash(plan), made.hash);
    assert_non_null(strstr(made.path, made.hash));
    const struct mt_plan_head *h = mt_plan_head(plan);
    assert_string_equal(h->account, head.account);
    assert_string_equal(h->provider, head.provider);
    assert_string_equal(h->appkey, head.appkey);
    assert_string_equal(h->user, head.user);
    assert_string_equal(h->policy, head.policy);
    assert_string_equal(h->holds, head.holds);
    assert_true(h->made_ms == NOW);
    const struct mt_plan_count *total = mt_plan_total(plan);
    assert_int_equal(total->seen_n, 11);
    assert_int_equal(total->planned_n, 4);
    assert_int_equal(total->held_n, 4);
    assert_true(total->oldest_ms == NOW - 9000 && total->newest_ms == NOW - 4001);

    mt_buf_init(&out, 65536);
    assert_int_equal(mt_plan_each(plan, note_each, &out, &fault), MT_OK);
    assert_string_equal(out.data, "single:bob 3/2/0 5000 -\n"
                                  "group:none 4/0/3 0 {\"case-7\":3}\n"
                                  "group:1 4/2/1 9000 {\"case-7\":1}\n");
    for (size_t max = 1; max < 4; max++) {
        mt_buf_reset(&out);
        mt_plan_rewind(plan);
        read_items(plan, max, &out);
        assert_string_equal(out.data, "single:bob 1001 5000 bob\n"
                                      "single:bob 1002 4001 -\n"
                                      "group:1 C-\"\\\xC3\xA9\n 0 -\n" /* no UTF-8: not known */
                                      "group:1 C-2 9000 ev\"e\n");
        read_items(plan, max, &out); /* the end stays the end */
    }
    mt_buf_deinit(&out);
    mt_plan_free(plan);

    struct stat st;
    assert_int_equal(stat(made.path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static enum mt_rc stop_each(void *ud, const char *conversation, const struct mt_plan_count *count,
                            const char *held)
{
    (void)conversation;
    (void)count;
    (void)held;
    ++*(int *)ud;
    return MT_ERR_CANCELLED;
}

static void who_looks_may_stop(void **state)
{
    struct made made = small_plan(*state);
    struct mt_plan *plan = open_plan(made.path);
    struct mt_fault fault;
    int n = 0;

    assert_int_equal(mt_plan_each(plan, stop_each, &n, &fault), MT_ERR_CANCELLED);
    assert_int_equal(n, 1);
    mt_plan_free(plan);
}

static void nothing_to_do_is_a_plan(void **state)
{
    struct made made = finish(begin(*state, &head));
    struct mt_plan *plan = open_plan(made.path);
    const struct mt_plan_item *items = NULL;
    const char *conversation = NULL;
    struct mt_fault fault;
    size_t n = 7;

    assert_int_equal(mt_plan_next(plan, 10, &conversation, &items, &n, &fault), MT_OK);
    assert_int_equal(n, 0);
    mt_plan_free(plan);
}

/* ---------------------------------------------------------------- its name */

static struct made two(const char *dir, const struct mt_plan_head *h, bool swapped,
                       const char *conversation, const char *id)
{
    struct mt_plan_writer *writer = begin(dir, h);
    struct mt_plan_item first[] = {item_of("1", NOW - 1, "x"), item_of("2", NOW - 2, "x")};
    struct mt_plan_item second = item_of(id, NOW - 3, "y");

    if (swapped)
        add(writer, conversation, &second, 1, 0, NULL);
    add(writer, "room:1", first, 1, 0, NULL);
    if (!swapped)
        add(writer, conversation, &second, 1, 0, NULL);
    return finish(writer);
}

static void a_plan_is_named_by_what_it_holds(void **state)
{
    struct mt_plan_head other = head;
    struct made a = two(*state, &head, false, "group:12", "3");

    other.made_ms -= 1000;
    other.account = "another name";
    other.holds = NULL;
    assert_string_equal(two(*state, &other, true, "group:12", "3").hash, a.hash);
    assert_int_equal(files_in(*state), 1);
    assert_string_not_equal(two(*state, &head, false, "group:1", "23").hash, a.hash);
    assert_string_not_equal(two(*state, &head, false, "group:12", "4").hash, a.hash);
    const char **parts[] = {&other.provider, &other.appkey, &other.user, &other.policy};
    for (size_t i = 0; i < 4; i++) {
        other = head;
        *parts[i] = "else";
        assert_string_not_equal(two(*state, &other, false, "group:12", "3").hash, a.hash);
    }
    other = head;
    other.provider = "model2";
    other.appkey = "";
    struct made b = two(*state, &other, false, "group:12", "3");
    other.provider = "model";
    other.appkey = "2";
    assert_string_not_equal(two(*state, &other, false, "group:12", "3").hash, b.hash);
}

/* ---------------------------------------------------------------- changes */

static void expect_damage(const char *path, const char *data, size_t len, const char *what,
                          size_t at)
{
    tests_write(path, data, len);
    struct mt_fault fault = refused(path, NOW);
    if (strcmp(fault.code, "plan.damaged") != 0 || fault.kind != MT_ERR_DAMAGED)
        fail_msg("%s at %zu: %s: %s", what, at, fault.code, fault.message);
}

static void every_change_is_seen(void **state)
{
    struct made made = small_plan(*state);
    const char *path = tests_path(*state, "changed");
    size_t len = 0;
    char *good = tests_read(made.path, &len);
    char *data = malloc(len + 200);
    unsigned n = 0;

    for (size_t at = 0; at < len; at++) {
        static const char with[] = {1, 2, 4, 16, 32, 64, (char)128};
        for (size_t k = 0; k < sizeof with; k++, n++) {
            memcpy(data, good, len);
            data[at] = (char)(data[at] ^ with[k]);
            expect_damage(path, data, len, "a bit", at);
        }
        memcpy(data, good, at); /* a byte more */
        data[at] = ' ';
        memcpy(data + at + 1, good + at, len - at);
        expect_damage(path, data, len + 1, "a blank", at);
        memmove(data + at, good + at + 1, len - at - 1); /* a byte less */
        expect_damage(path, data, len - 1, "a byte taken out", at);
        expect_damage(path, good, at, "a cut", at);
        n += 3;
    }
    /* behind the end */
    static const char *const tails[] = {"\n", " ", "{}", "{}\n", "{\"id\":"};
    for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++, n++) {
        memcpy(data, good, len);
        memcpy(data + len, tails[i], strlen(tails[i]));
        expect_damage(path, data, len + strlen(tails[i]), "a tail", i);
    }
    memcpy(data, good, len); /* twice */
    char *both = malloc(2 * len);
    memcpy(both, good, len);
    memcpy(both + len, good, len);
    expect_damage(path, both, 2 * len, "all of it twice", 0);
    free(both);
    /* lines taken out, doubled, swapped */
    for (char *line = good; line < good + len;) {
        size_t at = (size_t)(line - good);
        size_t line_len = (size_t)((char *)memchr(line, '\n', len - at) - line) + 1;

        memcpy(data, good, at);
        memcpy(data + at, line + line_len, len - at - line_len);
        expect_damage(path, data, len - line_len, "a line taken out", at);
        memcpy(data + at, line, line_len);
        memcpy(data + at + line_len, line, line_len < 200 ? len - at : 0);
        if (line_len < 200)
            expect_damage(path, data, len + line_len, "a line twice", at);
        if (at + line_len < len) {
            char *next = line + line_len;
            size_t next_len = (size_t)((char *)memchr(next, '\n', len) - next) + 1;
            memcpy(data, good, len);
            memcpy(data + at, next, next_len);
            memcpy(data + at + next_len, line, line_len);
            expect_damage(path, data, len, "lines swapped", at);
            n++;
        }
        n += 2;
        line += line_len;
    }
    print_message("# %u changes, each seen\n", n);
    tests_write(path, good, len);
    mt_plan_free(open_plan(path));
    free(data);
    mt_mem_free(good);
}

static void a_change_after_opening_is_seen(void **state)
{
    struct mt_plan_writer *writer = begin(*state, &head);
    struct mt_plan_item *items = calloc(20000, sizeof *items);
    char(*ids)[8] = calloc(20000, sizeof *ids);
    struct mt_fault fault;
    size_t n = 1, len = 0;

    for (int i = 0; i < 20000; i++) {
        snprintf(ids[i], sizeof ids[i], "%d", i);
        items[i] = item_of(ids[i], NOW - 30000 + i, "x");
    }
    add(writer, "group:1", items, 20000, 0, NULL);
    struct made made = finish(writer);
    struct mt_plan *plan = open_plan(made.path);
    const struct mt_plan_item *got = NULL;
    const char *conversation = NULL;
    struct stat before;
    assert_int_equal(stat(made.path, &before), 0);
    assert_int_equal(mt_plan_next(plan, 1, &conversation, &got, &n, &fault), MT_OK);

    /* in place, of the same length; once with a later time of the file, once with the same */
    char *data = tests_read(made.path, &len);
    char *digit = strstr(data + len / 2, "\"time\":") + 10;
    *digit = *digit == '5' ? '6' : '5';
    for (int hidden = 0; hidden < 2; hidden++) {
        enum mt_rc rc = MT_OK;
        struct timeval times[2] = {
            {.tv_sec = before.st_mtim.tv_sec, .tv_usec = before.st_mtim.tv_nsec / 1000},
            {.tv_sec = before.st_mtim.tv_sec + !hidden, .tv_usec = before.st_mtim.tv_nsec / 1000}};

        tests_write(made.path, data, len);
        assert_int_equal(utimes(made.path, times), 0);
        mt_plan_rewind(plan);
        for (n = 1; !rc && n;)
            rc = mt_plan_next(plan, 1000, &conversation, &got, &n, &fault);
        assert_int_equal(rc, MT_ERR_DAMAGED);
        assert_string_equal(fault.code, "plan.damaged");
        int count = 0;
        if (hidden)
            assert_int_equal(mt_plan_each(plan, stop_each, &count, &fault), MT_ERR_DAMAGED);
    }
    mt_plan_free(plan);
    mt_mem_free(data);
    free(items);
    free(ids);
}

static enum mt_rc count_each(void *ud, const char *conversation, const struct mt_plan_count *count,
                             const char *held)
{
    (void)conversation;
    (void)count;
    (void)held;
    ++*(int *)ud;
    return MT_OK;
}

/* Another good plan, of the same length and time, in the place of the one that was opened. */
static void another_plan_is_not_this_one(void **state)
{
    struct mt_plan_item one = item_of("1", NOW - 5, "x"), other = item_of("2", NOW - 5, "x");
    struct mt_plan_writer *w = begin(*state, &head);
    const struct mt_plan_item *items = NULL;
    const char *conversation = NULL;
    struct mt_fault fault;
    struct stat st;
    size_t n = 0, len = 0;
    int count = 0;

    add(w, "group:1", &other, 1, 0, NULL);
    struct made second = finish(w);
    w = begin(*state, &head);
    add(w, "group:1", &one, 1, 0, NULL);
    struct made first = finish(w);
    struct mt_plan *plan = open_plan(first.path);
    char *data = tests_read(second.path, &len);
    assert_int_equal(stat(first.path, &st), 0);
    assert_int_equal(st.st_size, len);
    struct timeval times[2] = {{.tv_sec = st.st_mtim.tv_sec, .tv_usec = st.st_mtim.tv_nsec / 1000},
                               {.tv_sec = st.st_mtim.tv_sec, .tv_usec = st.st_mtim.tv_nsec / 1000}};
    tests_write(first.path, data, len);
    assert_int_equal(utimes(first.path, times), 0);
    enum mt_rc rc = mt_plan_next(plan, 10, &conversation, &items, &n, &fault);
    if (!rc)
        rc = mt_plan_next(plan, 10, &conversation, &items, &n, &fault);
    assert_int_equal(rc, MT_ERR_DAMAGED);
    assert_int_equal(mt_plan_each(plan, count_each, &count, &fault), MT_ERR_DAMAGED);
    mt_plan_free(plan);
    mt_mem_free(data);
}

static void an_old_plan_is_stale(void **state)
{
    struct made made = small_plan(*state);
    struct mt_plan *plan = NULL;
    struct mt_fault fault;

    assert_int_equal(mt_plan_open(made.path, NOW + MT_PLAN_AGE_MAX_MS, &plan, &fault), MT_OK);
    mt_plan_free(plan);
    fault = refused(made.path, NOW + MT_PLAN_AGE_MAX_MS + 1);
    assert_int_equal(fault.kind, MT_ERR_STATE);
    assert_string_equal(fault.code, "plan.stale");
    fault = refused(made.path, NOW - 1);
    assert_string_equal(fault.code, "plan.stale");
    fault = refused(tests_path(*state, "none.jsonl"), NOW);
    assert_int_equal(fault.kind, MT_ERR_NOT_FOUND);
    assert_string_equal(fault.code, "plan.none");
}

/* ---------------------------------------------------------------- the writer's rules */

static void the_writer_keeps_its_rules(void **state)
{
    struct mt_plan_item one = item_of("1", 1, "x");
    struct mt_plan_item nameless = item_of("1", 1, "x");
    struct mt_plan_count count = {.seen_n = 1, .planned_n = 1};
    struct mt_plan_count more = {.seen_n = 2, .planned_n = 2};
    struct mt_plan_count held = {.seen_n = 1, .planned_n = 1, .held_n = 1};
    struct mt_fault fault;
    char long_id[MT_ID_MAX + 1];

    memset(long_id, '1', sizeof long_id);
    long_id[MT_ID_MAX] = '\0';
    for (int rule = 0; rule < 10; rule++) {
        struct mt_plan_writer *w = begin(*state, &head);
        enum mt_rc want = rule > 2 ? MT_ERR_INVALID : MT_ERR_STATE;
        const char *code = rule > 2 ? rule > 5 ? "plan.item" : "plan.count" : "plan.conversation";
        struct made made;
        enum mt_rc rc = mt_plan_conversation(w, "group:1", &one, 1, &fault);

        assert_int_equal(rc, MT_OK);
        if (rule == 0) { /* another one begins */
            rc = mt_plan_conversation(w, "group:2", &one, 1, &fault);
        } else if (rule == 1) { /* twice */
            assert_int_equal(mt_plan_conversation_end(w, "group:1", &count, NULL, &fault), MT_OK);
            rc = mt_plan_conversation(w, "group:1", &one, 1, &fault);
        } else if (rule == 2) { /* it has not ended */
            rc = MT_ERR_STATE;
            snprintf(fault.code, sizeof fault.code, "%s", code);
        } else if (rule == 3) {
            rc = mt_plan_conversation_end(w, "group:1", &more, NULL, &fault);
        } else if (rule == 4) {
            rc = mt_plan_conversation_end(w, "group:1", &held, NULL, &fault);
        } else if (rule == 5) {
            rc = mt_plan_conversation_end(w, "group:1", &count, "[]", &fault);
        } else {
            static const char *const ids[] = {NULL, "", "\xFF"};
            nameless.key.id = rule == 9 ? long_id : ids[rule - 6];
            rc = mt_plan_conversation(w, "group:1", &nameless, 1, &fault);
        }
        if (rc != want || strcmp(fault.code, code) != 0)
            fail_msg("rule %d: %d %s", rule, rc, fault.code);
        /* and it does not become a plan by going on */
        assert_int_equal(mt_plan_finish(w, made.path, sizeof made.path, made.hash, &fault), want);
        assert_string_equal(fault.code, code);
        assert_int_equal(files_in(*state), 0);
    }
    struct mt_plan_writer *w = begin(*state, &head);
    struct made made;
    assert_int_equal(mt_plan_finish(w, made.path, 20, made.hash, &fault), MT_ERR_INVALID);
    mt_plan_abandon(begin(*state, &head));
    assert_int_equal(files_in(*state), 0);
    struct mt_plan_head bad = head;
    bad.user = "\xFF";
    assert_int_equal(mt_plan_create(*state, &bad, &w, &fault), MT_ERR_INVALID);
}

static void what_died_is_swept(void **state)
{
    const char *old = tests_path(*state, ".plan-1.tmp");
    const char *young = tests_path(*state, ".plan-2.tmp");
    const char *foreign = tests_path(*state, "plan-3.tmp");
    struct timeval long_ago[2] = {{.tv_sec = 1000000}, {.tv_sec = 1000000}};
    struct stat st;

    tests_write(old, "", 0);
    tests_write(young, "", 0);
    tests_write(foreign, "", 0);
    assert_int_equal(utimes(old, long_ago) + utimes(foreign, long_ago), 0);
    finish(begin(*state, &head));
    assert_int_not_equal(stat(old, &st), 0);
    assert_int_equal(stat(young, &st) + stat(foreign, &st), 0);
}

/* ---------------------------------------------------------------- bad disks, little memory */

struct trouble {
    unsigned at, n;
    int err;
    struct mt_buf names;
};

static int hook(void *ud, const struct mt_fs_event *event)
{
    struct trouble *t = ud;

    mt_buf_appendf(&t->names, "%s ", event->name);
    return ++t->n == t->at ? t->err : 0;
}

static enum mt_rc write_one(const char *dir, struct made *made, struct mt_fault *fault)
{
    struct mt_plan_writer *w = NULL;
    struct mt_plan_item items[] = {item_of("1", 1, "x"), item_of("2\"", 2, "y")};
    struct mt_plan_count count = {.seen_n = 4, .planned_n = 2, .held_n = 1};
    enum mt_rc rc = mt_plan_create(dir, &head, &w, fault);

    if (rc)
        return rc;
    rc = mt_plan_conversation(w, "group:1", items, 2, fault);
    if (!rc)
        rc = mt_plan_conversation_end(w, "group:1", &count, "{\"h\":1}", fault);
    if (!rc)
        return mt_plan_finish(w, made->path, sizeof made->path, made->hash, fault);
    mt_plan_abandon(w);
    return rc;
}

static void every_operation_may_fail(void **state)
{
    static const int errors[] = {EIO, ENOSPC, EROFS};
    struct trouble t = {.at = 0};
    struct made made;
    struct mt_fault fault;
    unsigned failed = 0;

    mt_buf_init(&t.names, 65536);
    mt_fs_seam_set(hook, &t);
    assert_int_equal(write_one(*state, &made, &fault), MT_OK);
    mt_fs_seam_set(NULL, NULL);
    /* durable, then named, and the name durable */
    const char *synced = strstr(t.names.data, "fsync ");
    const char *renamed = strstr(t.names.data, "rename ");
    assert_true(synced && renamed && synced < renamed && strstr(renamed, "fsync_dir "));
    unsigned n = t.n;
    mt_fs_unlink(made.path);
    for (unsigned at = 1; at <= n; at++) {
        for (size_t k = 0; k < sizeof errors / sizeof errors[0]; k++) {
            t = (struct trouble){.at = at, .err = errors[k], .names = t.names};
            mt_buf_reset(&t.names);
            int64_t live = mt_mem_seam_live();
            mt_fs_seam_set(hook, &t);
            enum mt_rc rc = write_one(*state, &made, &fault);
            mt_fs_seam_set(NULL, NULL);
            live += t.names.cap ? 0 : 1;
            assert_int_equal(mt_mem_seam_live(), live);
            failed += rc != MT_OK;
            if (!rc) { /* an operation that is of no weight */
                mt_plan_free(open_plan(made.path));
                mt_fs_unlink(made.path);
            } else if (!strstr(t.names.data, "rename ")) {
                assert_int_equal(files_in(*state), 0);
            }
            char **names = NULL;
            size_t left = 0;
            assert_int_equal(mt_fs_list(*state, &names, &left), 0);
            for (size_t i = 0; i < left; i++)
                mt_fs_unlink(tests_path(*state, names[i]));
            mt_mem_free(names);
        }
    }
    print_message("# %u operations; %u of %u failures ended the writing\n", n, failed, n * 3);
    assert_true(failed >= 3 * 5);
    mt_buf_deinit(&t.names);
}

static enum mt_rc write_and_read(const char *dir, int *n)
{
    struct mt_plan *plan = NULL;
    struct made made;
    struct mt_fault fault = {0};
    const struct mt_plan_item *items = NULL;
    const char *conversation = NULL;
    size_t got = 1;
    enum mt_rc rc = write_one(dir, &made, &fault);

    *n = 0;
    if (!rc)
        rc = mt_plan_open(made.path, NOW, &plan, &fault);
    if (!rc)
        rc = mt_plan_each(plan, count_each, n, &fault);
    while (!rc && got) {
        rc = mt_plan_next(plan, 1, &conversation, &items, &got, &fault);
        *n += rc ? 0 : (int)got;
    }
    mt_plan_free(plan);
    assert_true(!rc || fault.message[0]);
    return rc;
}

static void every_allocation_may_fail(void **state)
{
    unsigned failed = 0;
    int n = 0;
    bool reached = true;

    for (uint64_t at = 1; reached; at++) {
        int64_t live = mt_mem_seam_live();

        mt_mem_seam_fail_at(at, 0);
        enum mt_rc rc = write_and_read(*state, &n);
        reached = mt_mem_seam_count() >= at;
        mt_mem_seam_fail_at(0, 0);
        assert_int_equal(mt_mem_seam_live(), live);
        if (rc && rc != MT_ERR_NOMEM)
            fail_msg("allocation %llu: %s", (unsigned long long)at, mt_rc_name(rc));
        assert_true(rc || n == 3);
        failed += rc != MT_OK;
    }
    print_message("# %u allocations failed the run\n", failed);
    assert_true(failed > 40);
}

/* ---------------------------------------------------------------- size */

static long peak_kb(void)
{
    struct rusage usage;

    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_maxrss;
}

static void many_items_cost_no_memory(void **state)
{
    const char *set = getenv("MT_POLICY_ITEMS");
    uint64_t n = set ? strtoull(set, NULL, 10) : 50000, read = 0;
    struct mt_plan_writer *w = begin(*state, &head);
    struct mt_plan_item items[1000];
    char ids[1000][24];
    struct mt_plan_count count = {.seen_n = n, .planned_n = n};
    struct mt_fault fault;
    struct stat st;
    size_t got = 1;
    long before_kb = peak_kb();
    int64_t start = mt_clock_mono_us();

    for (uint64_t i = 0; i < n; i += 1000) {
        for (uint64_t k = 0; k < 1000; k++) {
            snprintf(ids[k], sizeof ids[k], "12%017llu", (unsigned long long)(i + k));
            items[k] = item_of(ids[k], NOW - (int64_t)n + (int64_t)(i + k), "user1");
        }
        assert_int_equal(mt_plan_conversation(w, "group:1", items, 1000, &fault), MT_OK);
    }
    assert_int_equal(mt_plan_conversation_end(w, "group:1", &count, NULL, &fault), MT_OK);
    struct made made = finish(w);
    int64_t written = mt_clock_mono_us();
    struct mt_plan *plan = open_plan(made.path);
    int64_t opened = mt_clock_mono_us();
    while (got) {
        const struct mt_plan_item *list = NULL;
        const char *conversation = NULL;
        assert_int_equal(mt_plan_next(plan, 1000, &conversation, &list, &got, &fault), MT_OK);
        read += got;
    }
    int64_t ended = mt_clock_mono_us();
    mt_plan_free(plan);
    assert_int_equal(read, n);
    assert_int_equal(stat(made.path, &st), 0);
    print_message("# %llu items, %lld kB: written in %lld ms, opened in %lld ms, read in %lld ms, "
                  "%ld kB of memory\n",
                  (unsigned long long)n, (long long)st.st_size / 1024,
                  (long long)(written - start) / 1000, (long long)(opened - written) / 1000,
                  (long long)(ended - opened) / 1000, peak_kb() - before_kb);
}

int test_plan(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_written_is_read, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(who_looks_may_stop, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(nothing_to_do_is_a_plan, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(a_plan_is_named_by_what_it_holds, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(every_change_is_seen, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(a_change_after_opening_is_seen, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(another_plan_is_not_this_one, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(an_old_plan_is_stale, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(the_writer_keeps_its_rules, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(what_died_is_swept, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(every_operation_may_fail, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(every_allocation_may_fail, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(many_items_cost_no_memory, tests_begin, tests_end),
    };
    return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}

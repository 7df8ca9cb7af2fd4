/* The gate, in front of real archives. A message of these tests is content and marks: its bytes are
 * "content|marks", and its digest is that of the content, as a provider's would be. */
#include "tests.h"

#include "archive/archive.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/rand.h"
#include "codec/base64.h"
#include "codec/hash.h"
#include "codec/json.h"
#include "codec/zstd.h"
#include "policy/gate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define CONV "group:1"
#define USER "model/org%23app/me"

static const struct mt_archive_identity identity = {"model", "org#app", "me"};

static struct mt_archive *open_archive(const char *dir, int64_t segment_bytes)
{
    struct mt_archive_options options = {.segment_bytes = segment_bytes};
    struct mt_archive *archive = NULL;
    struct mt_fault fault;

    if (mt_archive_open(dir, &identity, &options, &archive, &fault))
        fail_msg("%s: %s", fault.code, fault.message);
    return archive;
}

static void close_archive(struct mt_archive *archive, bool clean)
{
    struct mt_fault fault;

    if (mt_archive_close(archive, clean, &fault))
        fail_msg("%s: %s", fault.code, fault.message);
}

/* ---------------------------------------------------------------- lines and items */

static void put_line(struct mt_buf *out, const char *type, const char *id, const char *target,
                     int64_t time_ms, const char *content)
{
    mt_buf_append_str(out, "{\"v\":1");
    if (type)
        mt_buf_appendf(out, ",\"type\":\"%s\",\"target\":\"%s\"", type, target);
    mt_buf_append_str(out, ",\"id\":");
    mt_json_write_str(out, id, strlen(id));
    mt_buf_appendf(out,
                   ",\"conversation\":\"" CONV "\",\"from\":\"a\",\"time\":%lld,\"kind\":\"text\","
                   "\"text\":\"a \\\"text\\\" \\\\\",\"body\":{\"id\":\"9\",\"raw\":[\"}\",{}]},"
                   "\"ext\":{}",
                   (long long)time_ms);
    if (content) {
        char raw[200];
        snprintf(raw, sizeof raw, "%s|%lld", content, (long long)time_ms * 7);
        mt_buf_append_str(out, ",\"raw\":\"");
        mt_base64_encode(out, raw, strlen(raw));
        mt_buf_append_str(out, "\"");
    }
    mt_buf_append_str(out, "}\n");
}

static void put_gap(struct mt_buf *out, int64_t since_ms, int64_t until_ms, bool closed)
{
    mt_buf_appendf(out,
                   "{\"v\":1,\"type\":\"gap\",\"conversation\":\"" CONV "\",\"since\":%lld,"
                   "\"until\":%lld,\"reason\":\"r\"%s}\n",
                   (long long)since_ms, (long long)until_ms, closed ? ",\"closed\":true" : "");
}

/* As an export does: counts of what the text holds. */
static void commit(struct mt_archive *archive, const char *text, int64_t first_ms, int64_t last_ms)
{
    struct mt_archive_batch batch;
    struct mt_fault fault;

    memset(&batch, 0, sizeof batch);
    batch.conversation = CONV;
    batch.lines = text;
    batch.lines_len = strlen(text);
    for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
        bool other = !strncmp(line, "{\"v\":1,\"type\"", 13);
        batch.lines_n++;
        batch.messages_n += !other;
        batch.gaps_n += !strncmp(line + 8, "\"type\":\"gap\"", 12);
    }
    if (batch.messages_n) {
        batch.first_ms = first_ms;
        batch.last_ms = last_ms;
        snprintf(batch.first_id, sizeof batch.first_id, "x");
        snprintf(batch.last_id, sizeof batch.last_id, "x");
    }
    if (mt_archive_commit(archive, &batch, 1, &fault))
        fail_msg("%s: %s", fault.code, fault.message);
}

static void digest_text(const char *content, uint8_t out[MT_PLAN_DIGEST_LEN])
{
    mt_sha256_of(content, strlen(content), out);
}

static struct mt_plan_item item_of(const char *id, int64_t time_ms, const char *content)
{
    struct mt_plan_item item = {.key = {.id = id, .time_ms = time_ms, .from = "a"}};

    digest_text(content, item.digest);
    return item;
}

struct provider {
    unsigned asked;
    enum mt_rc rc;
};

static enum mt_rc digest(void *ud, const void *raw, size_t len, uint8_t out[MT_PLAN_DIGEST_LEN])
{
    struct provider *p = ud;
    const char *bar = memchr(raw, '|', len);

    p->asked++;
    if (p->rc || !bar)
        return p->rc ? p->rc : MT_ERR_PROTOCOL;
    mt_sha256_of(raw, (size_t)(bar - (const char *)raw), out);
    return MT_OK;
}

static enum mt_gate_verdict judge(struct mt_archive *archive, const char *id, int64_t time_ms,
                                  const char *content)
{
    struct mt_plan_item item = item_of(id, time_ms, content);
    enum mt_gate_verdict verdict = MT_GATE_VERDICTS_N;
    struct provider p = {0};
    struct mt_fault fault;

    if (mt_gate_archive(archive, CONV, &item, 1, digest, &p, &verdict, &fault))
        fail_msg("%s: %s", fault.code, fault.message);
    return verdict;
}

#define assert_verdict(archive, id, time_ms, content, want)                                        \
    assert_string_equal(mt_gate_verdict_name(judge(archive, id, time_ms, content)), want)

/* ---------------------------------------------------------------- what is let through */

static void what_is_archived_is_let(void **state)
{
    struct mt_archive *archive = open_archive(*state, 0);
    struct mt_buf text;

    mt_buf_init(&text, 65536);
    put_line(&text, NULL, "1", NULL, 100, "hello");
    put_line(&text, NULL, "2", NULL, 200, "other");
    put_line(&text, "edit", "2", "2", 200, "other, edited");
    put_line(&text, "edit", "9", "1", 900, "hello, edited elsewhere");
    put_line(&text, "recall", "3", "3", 300, NULL);
    put_line(&text, NULL, "4", NULL, 400, NULL);
    put_line(&text, NULL, "C-\"\\\xC3\xA9", NULL, 500, "odd id");
    put_line(&text, "recall", "2", "2", 600, NULL);
    put_line(&text, "note", "7", "7", 700, "a type of the future");
    mt_buf_append_str(&text,
                      "{\"v\":2,\"id\":\"8\",\"conversation\":\"" CONV "\",\"raw\":\"eHx5\"}\n");
    mt_buf_append_str(&text, "{\"v\":1,\"id\":\"11\",\"conversation\":\"group:2\","
                             "\"raw\":\"eHx5\"}\n");
    mt_buf_append_str(&text, "{\"v\":1,\"id\":\"12\",\"conversation\":\"" CONV
                             "\",\"raw\":\"eHx\\u0035\"}\n");
    mt_buf_append_str(&text,
                      "{\"v\":1,\"id\":\"13\",\"conversation\":\"" CONV "\",\"raw\":\"!!\"}\n");
    commit(archive, text.data, 100, 500);

    assert_verdict(archive, "1", 100, "hello", "let");
    assert_verdict(archive, "1", 100, "hello!", "changed");
    assert_verdict(archive, "1", 100, "hello, edited elsewhere", "let");
    assert_verdict(archive, "9", 900, "hello, edited elsewhere", "not_archived");
    assert_verdict(archive, "2", 200, "other, edited", "let");
    assert_verdict(archive, "2", 200, "other", "let"); /* changed, and changed back */
    assert_verdict(archive, "3", 300, "hello", "not_archived");
    assert_verdict(archive, "4", 400, "hello", "changed"); /* without its bytes it proves nothing */
    assert_verdict(archive, "C-\"\\\xC3\xA9", 500, "odd id", "let");
    assert_verdict(archive, "10", 100, "hello", "not_archived");
    assert_verdict(archive, "", 100, "hello", "not_archived");
    assert_verdict(archive, "7", 700, "a type of the future", "not_archived");
    assert_verdict(archive, "8", 0, "x", "not_archived");
    assert_verdict(archive, "11", 0, "x", "not_archived");
    assert_verdict(archive, "12", 0, "x", "let");
    assert_verdict(archive, "13", 0, "x", "changed");
    mt_buf_deinit(&text);
    close_archive(archive, true);
}

static void the_same_id_may_be_asked_for_twice(void **state)
{
    struct mt_archive *archive = open_archive(*state, 0);
    struct mt_plan_item items[] = {item_of("1", 100, "new"), item_of("2", 100, "x"),
                                   item_of("1", 100, "old")};
    enum mt_gate_verdict verdicts[3];
    struct provider p = {0};
    struct mt_fault fault;
    struct mt_buf text;

    mt_buf_init(&text, 65536);
    put_line(&text, NULL, "1", NULL, 100, "old");
    commit(archive, text.data, 100, 100);
    assert_int_equal(mt_gate_archive(archive, CONV, items, 3, digest, &p, verdicts, &fault), MT_OK);
    assert_int_equal(verdicts[0], MT_GATE_CHANGED);
    assert_int_equal(verdicts[1], MT_GATE_NOT_ARCHIVED);
    assert_int_equal(verdicts[2], MT_GATE_LET);
    p.rc = MT_ERR_PROTOCOL; /* what cannot be read is other content */
    assert_int_equal(mt_gate_archive(archive, CONV, items, 3, digest, &p, verdicts, &fault), MT_OK);
    assert_int_equal(verdicts[2], MT_GATE_CHANGED);
    p.rc = MT_ERR_NOMEM;
    assert_int_equal(mt_gate_archive(archive, CONV, items, 3, digest, &p, verdicts, &fault),
                     MT_ERR_NOMEM);
    assert_int_equal(verdicts[0], MT_GATE_NOT_ARCHIVED);
    assert_int_equal(mt_gate_archive(archive, "group:none", items, 3, digest, &p, verdicts, &fault),
                     MT_OK);
    assert_int_equal(verdicts[2], MT_GATE_NOT_ARCHIVED);
    assert_int_equal(mt_gate_archive(archive, CONV, items, 0, digest, &p, verdicts, &fault), MT_OK);
    mt_buf_deinit(&text);
    close_archive(archive, true);
}

/* ---------------------------------------------------------------- gaps */

static void a_gap_blocks_its_range(void **state)
{
    struct mt_archive *archive = open_archive(*state, 0);
    struct mt_buf text;

    mt_buf_init(&text, 65536);
    put_line(&text, NULL, "1", NULL, 100, "one");
    put_line(&text, NULL, "2", NULL, 200, "two");
    put_line(&text, NULL, "3", NULL, 300, "three");
    put_gap(&text, 100, 200, false);
    commit(archive, text.data, 100, 300);
    assert_verdict(archive, "1", 99, "one", "let");
    assert_verdict(archive, "1", 100, "one", "in_gap");
    assert_verdict(archive, "1", 199, "one", "in_gap");
    assert_verdict(archive, "2", 200, "two", "let");
    assert_verdict(archive, "2", 0, "two", "in_gap"); /* nobody knows where it lies */
    assert_verdict(archive, "7", 150, "x", "in_gap");
    assert_verdict(archive, "7", 250, "x", "not_archived");

    mt_buf_reset(&text); /* an open end, and another that is taken back */
    put_gap(&text, 300, 0, false);
    put_gap(&text, 50, 120, false);
    put_gap(&text, 100, 200, true);
    put_gap(&text, 60, 60, false); /* nothing lies in it */
    put_gap(&text, 70, 10, false);
    commit(archive, text.data, 0, 0);
    assert_verdict(archive, "1", 100, "one", "in_gap");
    assert_verdict(archive, "1", 120, "one", "let");
    assert_verdict(archive, "3", 299, "three", "let");
    assert_verdict(archive, "3", 300, "three", "in_gap");
    assert_verdict(archive, "3", INT64_MAX, "three", "in_gap");

    mt_buf_reset(&text); /* taking back another range takes nothing back */
    put_gap(&text, 300, 400, true);
    put_gap(&text, 0, 120, true);
    mt_buf_append_str(&text, "{\"v\":1,\"type\":\"gap\",\"conversation\":\"" CONV
                             "\",\"since\":50,\"closed\":true}\n");
    commit(archive, text.data, 0, 0);
    assert_verdict(archive, "1", 100, "one", "in_gap");
    assert_verdict(archive, "3", 300, "three", "in_gap");

    mt_buf_reset(&text);
    put_gap(&text, 300, 0, true);
    put_gap(&text, 50, 120, true);
    commit(archive, text.data, 0, 0);
    assert_verdict(archive, "1", 100, "one", "let");
    assert_verdict(archive, "3", 300, "three", "let");

    mt_buf_reset(&text); /* what cannot be read of a gap makes it wide */
    mt_buf_append_str(&text, "{\"v\":1,\"type\":\"gap\",\"conversation\":\"" CONV
                             "\",\"since\":\"5\",\"until\":6}\n");
    commit(archive, text.data, 0, 0);
    assert_verdict(archive, "1", 100, "one", "in_gap");
    mt_buf_deinit(&text);
    close_archive(archive, true);
}

/* ---------------------------------------------------------------- segments */

/* Sealed segments, of which most end before the oldest item; one has a late message, which its
 * times do not tell. */
static void sealed_segments_count(void **state)
{
    struct mt_archive *archive = open_archive(*state, 400);
    struct mt_buf text;
    char id[24];

    mt_buf_init(&text, 65536);
    for (int i = 0; i < 30; i++) {
        mt_buf_reset(&text);
        snprintf(id, sizeof id, "%d", i);
        put_line(&text, NULL, id, NULL, i == 8 ? 2550 : i * 100 + 50, "content");
        if (i == 5)
            put_gap(&text, 2000, 2100, false);
        commit(archive, text.data, i * 100 + 50, i * 100 + 50);
    }
    close_archive(archive, true);
    archive = open_archive(*state, 400);
    assert_int_equal(access(tests_path(*state, USER "/conv/group%3A1/000005.jsonl.zst"), F_OK), 0);
    for (int i = 0; i < 30; i++) {
        snprintf(id, sizeof id, "%d", i);
        if (i == 20)
            assert_verdict(archive, id, i * 100 + 50, "content", "in_gap");
        else
            assert_verdict(archive, id, i == 8 ? 2550 : i * 100 + 50, "content", "let");
    }
    mt_buf_deinit(&text);
    close_archive(archive, true);
}

/* ---------------------------------------------------------------- what is not committed */

static void what_is_not_committed_does_not_count(void **state)
{
    const char *segment = tests_path(*state, USER "/conv/group%3A1/000001.jsonl");
    struct mt_archive *archive = open_archive(*state, 0);
    struct mt_plan_item items[] = {item_of("1", 100, "one"), item_of("2", 200, "two")};
    enum mt_gate_verdict verdicts[2];
    struct provider p = {0};
    struct mt_fault fault;
    struct mt_buf text;
    size_t len = 0;

    mt_buf_init(&text, 65536);
    put_line(&text, NULL, "1", NULL, 100, "one");
    commit(archive, text.data, 100, 100);
    put_line(&text, NULL, "2", NULL, 200, "two"); /* in the file, and not in the journal */
    tests_write(segment, text.data, text.len);
    assert_verdict(archive, "1", 100, "one", "let");
    assert_verdict(archive, "2", 200, "two", "not_archived");
    close_archive(archive, false);

    archive = open_archive(*state, 0); /* as after a power cut */
    assert_verdict(archive, "1", 100, "one", "let");
    assert_verdict(archive, "2", 200, "two", "not_archived");

    char *data = tests_read(segment, &len);
    tests_write(segment, data, len - 1); /* shorter than what was committed */
    memset(verdicts, 0, sizeof verdicts);
    assert_int_equal(mt_gate_archive(archive, CONV, items, 2, digest, &p, verdicts, &fault),
                     MT_ERR_DAMAGED);
    assert_int_equal(verdicts[0], MT_GATE_NOT_ARCHIVED);
    data[0] = '[';
    tests_write(segment, data, len);
    assert_int_equal(mt_gate_archive(archive, CONV, items, 2, digest, &p, verdicts, &fault),
                     MT_ERR_DAMAGED);
    assert_true(fault.message[0]);
    assert_int_equal(unlink(segment), 0);
    assert_int_not_equal(mt_gate_archive(archive, CONV, items, 2, digest, &p, verdicts, &fault),
                         MT_OK);
    assert_int_equal(verdicts[0], MT_GATE_NOT_ARCHIVED);
    mt_mem_free(data);
    mt_buf_deinit(&text);
    close_archive(archive, false);
}

/* Compressed, beside it, in its place. */
static void pack(const char *path)
{
    char packed[720];
    struct mt_fault fault;
    int in = -1, out = -1;

    snprintf(packed, sizeof packed, "%s.zst", path);
    assert_int_equal(mt_fs_open(path, MT_FS_READ, &in), 0);
    assert_int_equal(mt_fs_open(packed, MT_FS_WRITE | MT_FS_TRUNCATE, &out), 0);
    assert_int_equal(mt_zstd_compress_fd(in, out, 3, &fault), MT_OK);
    mt_fs_close(in);
    mt_fs_close(out);
    mt_fs_unlink(path);
}

/* A line that was put in later, well made, in the place of another one. */
static void forged_lines_let_nothing_through(void **state)
{
    struct mt_plan_item item = item_of("1", 100, "forged");
    enum mt_gate_verdict verdict = MT_GATE_LET;
    struct provider p = {0};
    struct mt_fault fault;
    struct mt_buf text;
    char path[700];

    mt_buf_init(&text, 65536);
    for (int sealed = 0; sealed < 2; sealed++) {
        snprintf(path, sizeof path, "%s/%d", (char *)*state, sealed);
        struct mt_archive *archive = open_archive(path, sealed ? 100 : 0);
        mt_buf_reset(&text);
        put_line(&text, NULL, "1", NULL, 100, "honest");
        commit(archive, text.data, 100, 100);
        if (sealed)
            assert_int_equal(mt_archive_seal_due(archive, &fault), MT_OK);
        mt_buf_reset(&text);
        put_line(&text, NULL, "1", NULL, 100, "forged");
        snprintf(path, sizeof path, "%s/%d/%s/conv/group%%3A1/000001.jsonl", (char *)*state, sealed,
                 USER);
        tests_write(path, text.data, text.len);
        if (sealed)
            pack(path);
        verdict = MT_GATE_LET;
        assert_int_equal(mt_gate_archive(archive, CONV, &item, 1, digest, &p, &verdict, &fault),
                         MT_ERR_DAMAGED);
        assert_int_equal(verdict, MT_GATE_NOT_ARCHIVED);
        close_archive(archive, false);
    }
    mt_buf_deinit(&text);
}

struct trouble {
    unsigned at, n;
};

static int hook(void *ud, const struct mt_fs_event *event)
{
    struct trouble *t = ud;

    (void)event;
    return ++t->n == t->at ? EIO : 0;
}

static struct mt_archive *two_segments(const char *dir)
{
    struct mt_archive *archive = open_archive(dir, 300);
    struct mt_buf text;

    mt_buf_init(&text, 65536);
    put_line(&text, NULL, "1", NULL, 100, "one");
    put_gap(&text, 500, 600, false);
    commit(archive, text.data, 100, 100);
    close_archive(archive, true);
    archive = open_archive(dir, 300);
    mt_buf_reset(&text);
    put_line(&text, NULL, "2\"", NULL, 200, "two");
    commit(archive, text.data, 200, 200);
    mt_buf_deinit(&text);
    return archive;
}

static void trouble_lets_nothing_through(void **state)
{
    struct mt_archive *archive = two_segments(*state);
    struct mt_plan_item items[] = {item_of("1", 100, "one"), item_of("2\"", 200, "two")};
    enum mt_gate_verdict verdicts[2];
    struct provider p = {0};
    struct mt_fault fault;
    unsigned failed = 0;

    for (unsigned at = 1;; at++) {
        struct trouble t = {.at = at};
        mt_fs_seam_set(hook, &t);
        enum mt_rc rc = mt_gate_archive(archive, CONV, items, 2, digest, &p, verdicts, &fault);
        mt_fs_seam_set(NULL, NULL);
        if (t.n < at)
            break;
        failed += rc != MT_OK;
        for (size_t i = 0; i < 2 && rc; i++)
            assert_int_equal(verdicts[i], MT_GATE_NOT_ARCHIVED);
    }
    print_message("# %u operations failed\n", failed);
    assert_true(failed >= 2); /* the opening of each segment */
    bool reached = true;
    for (uint64_t at = 1; reached; at++) {
        int64_t live = mt_mem_seam_live();
        mt_mem_seam_fail_at(at, 0);
        enum mt_rc rc = mt_gate_archive(archive, CONV, items, 2, digest, &p, verdicts, &fault);
        reached = mt_mem_seam_count() >= at;
        mt_mem_seam_fail_at(0, 0);
        assert_int_equal(mt_mem_seam_live(), live);
        failed += rc != MT_OK;
        for (size_t i = 0; i < 2; i++)
            assert_int_equal(verdicts[i], rc ? MT_GATE_NOT_ARCHIVED : MT_GATE_LET);
    }
    print_message("# %u failures\n", failed);
    assert_true(failed > 8);
    close_archive(archive, true);
}

/* ---------------------------------------------------------------- holds and the cap */

static void holds_and_the_cap(void **state)
{
    static const char list[] = "{\"id\":\"c\",\"person\":\"eve\",\"until\":\"2001-01-01\"}\n";
    struct mt_plan_head head = {.account = "support", .user = "me"};
    struct mt_plan_item items[6];
    enum mt_gate_verdict verdicts[6] = {0};
    struct mt_holds *holds = NULL;
    struct mt_fault fault;

    for (size_t i = 0; i < 6; i++)
        items[i] = item_of("1", 100, "x");
    items[1].key.from = "eve";
    items[2].key.from = NULL;
    items[3].key.from = "eve";
    verdicts[3] = MT_GATE_CHANGED;
    tests_write(tests_path(*state, "holds"), list, sizeof list - 1);
    assert_int_equal(mt_holds_read(tests_path(*state, "holds"), &holds, &fault), MT_OK);
    mt_gate_hold(holds, &head, CONV, items, 6, verdicts);
    static const enum mt_gate_verdict held[] = {MT_GATE_LET,     MT_GATE_HELD, MT_GATE_HELD,
                                                MT_GATE_CHANGED, MT_GATE_LET,  MT_GATE_LET};
    assert_memory_equal(verdicts, held, sizeof held);
    mt_holds_free(holds);

    assert_int_equal(mt_gate_cap(2, verdicts, 6), 2);
    assert_int_equal(verdicts[4], MT_GATE_LET);
    assert_int_equal(verdicts[5], MT_GATE_CAP);
    assert_int_equal(mt_gate_cap(2, verdicts, 6), 2);
    assert_int_equal(mt_gate_cap(0, verdicts, 6), 0);
    assert_int_equal(verdicts[0], MT_GATE_CAP);
    assert_int_equal(verdicts[1], MT_GATE_HELD);

    verdicts[0] = MT_GATE_LET; /* holds that were not read hold everything */
    mt_gate_hold(NULL, &head, CONV, items, 6, verdicts);
    assert_int_equal(verdicts[0], MT_GATE_HELD);

    assert_true(mt_gate_cap_default(0) == 1 && mt_gate_cap_default(39) == 1);
    assert_true(mt_gate_cap_default(40) == 2 && mt_gate_cap_default(199999) == 9999);
    assert_true(mt_gate_cap_default(200000) == 10000 && mt_gate_cap_default(UINT64_MAX) == 10000);
    assert_string_equal(mt_gate_verdict_name(MT_GATE_CAP), "cap");
    assert_string_equal(mt_gate_verdict_name(MT_GATE_VERDICTS_N), "unknown");
}

/* ---------------------------------------------------------------- size */

static void many_lines_are_quick(void **state)
{
    const char *set = getenv("MT_POLICY_ITEMS");
    unsigned n = set ? (unsigned)strtoul(set, NULL, 10) : 50000, asked_n = n / 16;
    struct mt_archive *archive = open_archive(*state, 0);
    struct mt_plan_item *items = calloc(asked_n, sizeof *items);
    enum mt_gate_verdict *verdicts = calloc(asked_n, sizeof *verdicts);
    char(*ids)[24] = calloc(asked_n, sizeof *ids);
    struct provider p = {0};
    struct mt_fault fault;
    struct mt_buf text;
    struct rusage usage;
    unsigned let = 0;

    mt_buf_init(&text, (size_t)64 << 20);
    for (unsigned i = 0; i < n; i++) {
        char id[24], content[160];
        snprintf(id, sizeof id, "12%017u", i);
        snprintf(content, sizeof content, "message %u %120s", i, "");
        put_line(&text, NULL, id, NULL, 1000 + i, content);
        if (i % 20000 == 19999 || i == n - 1) {
            commit(archive, text.data, 1000, 1000 + i);
            mt_buf_reset(&text);
        }
        if (i % 16 == 0 && i / 16 < asked_n) {
            memcpy(ids[i / 16], id, sizeof id);
            items[i / 16] = item_of(ids[i / 16], 1000 + i, content);
        }
    }
    mt_buf_deinit(&text);
    getrusage(RUSAGE_SELF, &usage);
    long before_kb = usage.ru_maxrss;
    int64_t start = mt_clock_mono_us();
    assert_int_equal(mt_gate_archive(archive, CONV, items, asked_n, digest, &p, verdicts, &fault),
                     MT_OK);
    int64_t took_us = mt_clock_mono_us() - start;
    getrusage(RUSAGE_SELF, &usage);
    for (unsigned i = 0; i < asked_n; i++)
        let += verdicts[i] == MT_GATE_LET;
    print_message("# %u lines, %u messages asked for: %lld ms, %ld kB of memory\n", n, asked_n,
                  (long long)took_us / 1000, usage.ru_maxrss - before_kb);
    assert_int_equal(let, asked_n);
    assert_int_equal(p.asked, asked_n); /* nothing else is decoded */
    free(items);
    free(verdicts);
    free(ids);
    close_archive(archive, true);
}

int test_gate(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_archived_is_let, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(the_same_id_may_be_asked_for_twice, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(a_gap_blocks_its_range, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(sealed_segments_count, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(what_is_not_committed_does_not_count, tests_begin,
                                        tests_end),
        cmocka_unit_test_setup_teardown(forged_lines_let_nothing_through, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(trouble_lets_nothing_through, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(holds_and_the_cap, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(many_lines_are_quick, tests_begin, tests_end),
    };
    return cmocka_run_group_tests_name("gate", tests, NULL, NULL);
}

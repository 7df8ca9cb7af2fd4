/* The audit over years: finished segments are compressed, old ones are removed by whoever may, and
 * what remains is proved as before. */
#include "tests.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "codec/zstd.h"
#include "policy/audit.h"
#include "policy/audit_read.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SOON (mt_clock_wall_ms() + 60000)

static struct mt_audit_options options_of(const char *dir)
{
    return (struct mt_audit_options){.dir = dir, .head_every_n = 1000, .segment_bytes = 2000};
}

static struct mt_audit *open_log(const char *dir)
{
    struct mt_audit_options options = options_of(dir);
    struct mt_audit *audit = NULL;
    struct mt_fault fault;

    if (mt_audit_open(&options, &audit, &fault))
        fail_msg("%s [%s]", fault.message, fault.code);
    return audit;
}

static uint64_t intend(struct mt_audit *audit, const char *verb, bool sign)
{
    const char *id = "1200000000000000001";
    struct mt_audit_record record = {.type = MT_AUDIT_INTENT,
                                     .user = "agent",
                                     .verb = verb,
                                     .conversation = "single:bob",
                                     .ids = &id,
                                     .ids_n = 1,
                                     .sign = sign};
    struct mt_fault fault;
    uint64_t number = 0;

    if (mt_audit_append(audit, &record, 1, &number, &fault))
        fail_msg("%s", fault.message);
    return number;
}

static void close_log(struct mt_audit *audit)
{
    struct mt_fault fault;

    if (mt_audit_close(audit, &fault))
        fail_msg("%s", fault.message);
}

/* A log of n intents. */
static void make(const char *dir, int n)
{
    struct mt_audit *audit = open_log(dir);

    for (int i = 0; i < n; i++)
        intend(audit, "delete_messages", false);
    close_log(audit);
}

static struct mt_audit_proof proved(const char *dir)
{
    struct mt_audit_proof proof;
    struct mt_fault fault;

    if (mt_audit_prove(dir, NULL, &proof, &fault))
        fail_msg("%s [%s]", fault.message, fault.code);
    return proof;
}

/* Neither proved nor opened. */
static struct mt_fault refused(const char *dir)
{
    struct mt_audit_options options = options_of(dir);
    struct mt_audit_proof proof;
    struct mt_audit *audit = NULL;
    struct mt_fault fault;

    assert_int_not_equal(mt_audit_prove(dir, NULL, &proof, &fault), MT_OK);
    assert_int_not_equal(mt_audit_open(&options, &audit, &fault), MT_OK);
    return fault;
}

static bool is_there(const char *dir, unsigned segment, const char *suffix)
{
    struct mt_fs_stat st;
    char name[40];

    snprintf(name, sizeof name, "%06u.jsonl%s", segment, suffix);
    return !mt_fs_stat(tests_path(dir, name), &st);
}

/* How many records are read, and whether their numbers follow each other up to the last. */
static uint64_t read_all(const char *dir, uint64_t last)
{
    struct mt_audit_reader *reader = NULL;
    struct mt_fault fault;
    struct mt_buf text;
    uint64_t n = 0;
    bool more = true;

    mt_buf_init(&text, (size_t)8 << 20);
    assert_int_equal(mt_audit_reader_open(dir, NULL, &reader, &fault), MT_OK);
    while (more)
        assert_int_equal(mt_audit_reader_next(reader, &text, &more, &fault), MT_OK);
    mt_audit_reader_close(reader);
    for (char *at = text.data; at && (at = strstr(at, ",\"prev\":")); at++)
        n++;
    for (uint64_t i = last - n + 1; i <= last; i++) {
        char want[40];
        snprintf(want, sizeof want, "{\"seq\":%llu,", (unsigned long long)i);
        assert_non_null(strstr(text.data, want));
    }
    mt_buf_deinit(&text);
    return n;
}

static enum mt_rc count_one(void *ud, uint64_t number, const struct mt_audit_record *record)
{
    assert_true(number > 1);
    assert_string_equal(record->conversation, "single:bob");
    ++*(uint64_t *)ud;
    return MT_OK;
}

static uint64_t unsettled(struct mt_audit *audit)
{
    struct mt_fault fault;
    uint64_t n = 0;

    if (mt_audit_unsettled(audit, NULL, count_one, &n, &fault))
        fail_msg("%s", fault.message);
    return n;
}

static void finished_segments_are_compressed(void **state)
{
    make(*state, 100);
    struct mt_audit_proof proof = proved(*state);
    assert_int_equal(proof.records_n, 101);
    assert_true(proof.segments_n > 5);
    for (unsigned i = 1; i <= proof.segments_n; i++) {
        bool is_last = i == proof.segments_n;
        assert_int_equal(is_there(*state, i, ""), is_last);
        assert_int_equal(is_there(*state, i, ".zst"), !is_last);
    }
    assert_int_equal(read_all(*state, 101), 101);
    struct mt_audit *audit = open_log(*state);
    assert_int_equal(unsettled(audit), 100);
    close_log(audit);
    mt_fs_unlink(tests_path(*state, "OPEN")); /* made anew from what is compressed */
    audit = open_log(*state);
    assert_int_equal(unsettled(audit), 100);
    close_log(audit);
}

static int refuse_packing(void *ud, const struct mt_fs_event *event)
{
    (void)ud;
    return !strcmp(event->name, "rename") && strstr(event->path, "compressing") ? EIO : 0;
}

static uint32_t compact(const char *dir)
{
    struct mt_audit *audit = open_log(dir);
    struct mt_fault fault;
    uint32_t n = 0;

    if (mt_audit_compact(audit, &n, &fault))
        fail_msg("%s", fault.message);
    close_log(audit);
    return n;
}

/* What cannot be compressed stays, and everything else goes on. */
static void compressing_may_fail(void **state)
{
    mt_fs_seam_set(refuse_packing, NULL);
    make(*state, 60);
    mt_fs_seam_set(NULL, NULL);
    uint32_t n = proved(*state).segments_n;
    assert_true(n > 3 && is_there(*state, 1, "") && !is_there(*state, 1, ".zst"));
    assert_false(is_there(*state, 1, ".tmp"));
    assert_int_equal(compact(*state), n - 1);
    assert_false(is_there(*state, 1, ""));
    assert_int_equal(compact(*state), 0);
    assert_int_equal(read_all(*state, 61), 61);
}

static char *unpacked(const char *dir, size_t *len)
{
    struct mt_zstd_reader *reader = NULL;
    struct mt_fault fault;
    char *text = mt_mem_calloc(1, 100000);
    int fd = -1;

    assert_int_equal(mt_fs_open(tests_path(dir, "000002.jsonl.zst"), MT_FS_READ, &fd), 0);
    assert_int_equal(mt_zstd_reader_new(fd, &reader, &fault), MT_OK);
    assert_int_equal(mt_zstd_reader_read(reader, text, 99999, len, &fault), MT_OK);
    mt_zstd_reader_free(reader);
    mt_fs_close(fd);
    return text;
}

/* A process died between the two: the segment itself counts. */
static void while_both_are_there_one_counts(void **state)
{
    size_t len = 0;

    make(*state, 60);
    char *text = unpacked(*state, &len);
    tests_write(tests_path(*state, "000002.jsonl"), text, len);
    tests_write(tests_path(*state, "000002.jsonl.zst"), "nothing", 7);
    assert_int_equal(proved(*state).records_n, 61);
    assert_int_equal(compact(*state), 1);
    mt_mem_free(text);
    text = unpacked(*state, &len);
    text[len / 2] ^= 1;
    tests_write(tests_path(*state, "000002.jsonl"), text, len);
    mt_mem_free(text);
    struct mt_audit_proof proof;
    struct mt_fault fault;
    assert_int_equal(mt_audit_prove(*state, NULL, &proof, &fault), MT_ERR_DAMAGED);
    assert_true(proof.bad_seq > 1 && proof.bad_seq < 20);
    mt_fs_unlink(tests_path(*state, "000002.jsonl"));
    tests_write(tests_path(*state, "000002.jsonl.zst"), "nothing", 7);
    assert_int_equal(mt_audit_prove(*state, NULL, &proof, &fault), MT_ERR_DAMAGED);
    assert_non_null(strstr(fault.message, "compressed segment cannot be read"));
}

/* ---------------------------------------------------------------- removing */

static enum mt_rc prune(const char *dir, int64_t before_ms, bool apply,
                        struct mt_audit_pruned *pruned, struct mt_fault *fault)
{
    struct mt_audit_options options = options_of(dir);
    struct mt_audit_prune what = {
        .before_ms = before_ms, .actor = "moontide audit", .why = "two years", .apply = apply};

    return mt_audit_prune(&options, &what, pruned, fault);
}

static void whoever_may_removes_the_front(void **state)
{
    struct mt_audit_pruned pruned;
    struct mt_fault fault;
    size_t len = 0;

    assert_int_equal(prune(tests_path(*state, "none"), SOON, true, &pruned, &fault),
                     MT_ERR_NOT_FOUND);
    assert_string_equal(fault.code, "audit.none");
    make(*state, 100);
    uint32_t n = proved(*state).segments_n;
    struct mt_audit *other = open_log(*state); /* its last record will be among what goes */
    assert_int_equal(unsettled(other), 100);
    make(*state, 20);
    assert_int_equal(prune(*state, 1000, true, &pruned, &fault), MT_OK); /* nothing is that old */
    assert_int_equal(pruned.records_n, 0);
    assert_int_equal(prune(*state, SOON, false, &pruned, &fault), MT_OK);
    assert_true(pruned.segments_n >= n && !pruned.statement && is_there(*state, 1, ".zst"));
    assert_int_equal(prune(*state, SOON, true, &pruned, &fault), MT_OK);
    assert_int_equal(pruned.statement, 122);
    assert_int_equal(pruned.last_seq, pruned.records_n);
    assert_int_equal(pruned.unsettled_n, pruned.records_n - 1);
    assert_false(is_there(*state, pruned.segments_n, ".zst"));
    struct mt_audit_proof proof = proved(*state);
    assert_int_equal(proof.first_seq, pruned.last_seq + 1);
    assert_int_equal(proof.pruned_by, 122);
    assert_int_equal(proof.open_n, 120 - pruned.unsettled_n);
    assert_int_equal(intend(other, "recall", false), 123);
    assert_int_equal(unsettled(other), 121 - pruned.unsettled_n);
    close_log(other);
    assert_int_equal(read_all(*state, 123), 123 - pruned.last_seq);
    char *head = tests_read(tests_path(*state, "HEAD"), &len);
    assert_non_null(strstr(head, "\"pruned\":{\"seq\":"));
    mt_mem_free(head);
    make(*state, 100); /* and once more */
    assert_int_equal(prune(*state, SOON, true, &pruned, &fault), MT_OK);
    assert_true(pruned.segments_n > 1);
    assert_int_equal(proved(*state).pruned_by, pruned.statement);
    make(*state, 1);
}

static void what_is_removed_without_a_word_is_damage(void **state)
{
    struct mt_audit_pruned pruned;
    struct mt_fault fault;
    char name[40];

    make(*state, 60);
    mt_fs_unlink(tests_path(*state, "000001.jsonl.zst"));
    fault = refused(*state);
    assert_string_equal(fault.code, "audit.damaged");
    assert_non_null(strstr(fault.message, "no signed statement"));
    assert_int_equal(prune(*state, SOON, true, &pruned, &fault), MT_ERR_DAMAGED);

    const char *dir = tests_path(*state, "more"); /* more than was said */
    make(dir, 60);
    assert_int_equal(prune(dir, SOON, true, &pruned, &fault), MT_OK);
    make(dir, 60);
    snprintf(name, sizeof name, "%06u.jsonl.zst", pruned.segments_n + 1);
    assert_int_equal(mt_fs_unlink(tests_path(dir, name)), 0);
    assert_string_equal(refused(dir).code, "audit.damaged");
}

struct failing {
    uint64_t at, n;
};

static int fail_one(void *ud, const struct mt_fs_event *event)
{
    struct failing *failing = ud;

    if (!strcmp(event->name, "close") || ++failing->n != failing->at)
        return 0;
    if (event->len)
        *event->len /= 2;
    return EIO;
}

/* Whatever ends a removal in its middle, what is left is right, and can be gone on with. */
static void removing_may_fail_anywhere(void **state)
{
    struct failing failing = {.n = 1};
    const char *dir = tests_path(*state, "io");
    unsigned begun = 0;

    for (uint64_t at = 1; failing.n >= failing.at; at++) {
        struct mt_audit_pruned pruned;
        struct mt_fault fault = {.message = ""};
        tests_remove(dir);
        make(dir, 30);
        failing = (struct failing){.at = at};
        mt_fs_seam_set(fail_one, &failing);
        enum mt_rc rc = prune(dir, SOON, true, &pruned, &fault);
        mt_fs_seam_set(NULL, NULL);
        assert_true(!rc || fault.message[0]);
        make(dir, 1);
        struct mt_audit_proof proof = proved(dir);
        begun += rc && proof.pruned_by;
        assert_true(proof.records_n >= 32);
        assert_true(!proof.pruned_by || proof.first_seq == pruned.last_seq + 1);
        assert_true(at < 1000);
    }
    if (begun <= 3 || failing.at <= 50)
        fail_msg("%u of %u", begun, (unsigned)failing.at);
}

static void memory_may_run_out(void **state)
{
    const char *dir = tests_path(*state, "oom");
    bool failed = true;

    for (uint64_t n = 1; failed; n += 1 + n / 8) {
        struct mt_audit_pruned pruned;
        struct mt_fault fault = {.message = ""};
        tests_remove(dir);
        make(dir, 30);
        mt_mem_seam_fail_at(n, 0);
        enum mt_rc rc = prune(dir, SOON, true, &pruned, &fault);
        failed = mt_mem_seam_count() >= n;
        mt_mem_seam_fail_at(0, 0);
        assert_true(!rc || fault.message[0]);
        make(dir, 1);
        assert_true(proved(dir).records_n >= 32);
        assert_true(n < 100000);
    }
}

/* ---------------------------------------------------------------- the head */

static uint64_t signed_seq(const char *dir)
{
    char sha256[65];
    uint64_t seq = 0;

    assert_true(mt_audit_head_look(dir, &seq, sha256));
    assert_int_equal(strlen(sha256), 64);
    return seq;
}

static void deletions_are_signed_sooner(void **state)
{
    struct mt_audit *audit = open_log(*state);

    for (int i = 0; i < 40; i++)
        intend(audit, "send", false);
    assert_int_equal(signed_seq(*state), 1);
    for (int i = 0; i < 15; i++)
        intend(audit, "recall", false);
    assert_int_equal(signed_seq(*state), 1);
    assert_int_equal(intend(audit, "recall", false), 57);
    assert_int_equal(signed_seq(*state), 57);
    intend(audit, "delete_messages", false);
    assert_int_equal(signed_seq(*state), 57);
    intend(audit, "delete_messages", true); /* the end of a run */
    assert_int_equal(signed_seq(*state), 59);
    close_log(audit);
}

static void what_was_noted_must_be_there(void **state)
{
    struct mt_audit_proof proof;
    struct mt_fault fault;
    char sha256[65];
    uint64_t seq = 0;

    make(*state, 40);
    assert_true(mt_audit_head_look(*state, &seq, sha256));
    make(*state, 10);
    assert_int_equal(mt_audit_prove_noted(*state, NULL, seq, sha256, &proof, &fault), MT_OK);
    assert_int_equal(mt_audit_prove_noted(*state, NULL, seq - 1, sha256, &proof, &fault),
                     MT_ERR_DAMAGED);
    assert_string_equal(fault.code, "audit.noted");
    assert_int_equal(mt_audit_prove_noted(*state, NULL, 52, sha256, &proof, &fault), MT_ERR_STATE);
    assert_string_equal(fault.code, "audit.cut");
    assert_false(mt_audit_head_look(tests_path(*state, "none"), &seq, sha256));
}

int test_audit_old(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(finished_segments_are_compressed, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(compressing_may_fail, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(while_both_are_there_one_counts, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(whoever_may_removes_the_front, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(what_is_removed_without_a_word_is_damage, tests_begin,
                                        tests_end),
        cmocka_unit_test_setup_teardown(removing_may_fail_anywhere, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(memory_may_run_out, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(deletions_are_signed_sooner, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(what_was_noted_must_be_there, tests_begin, tests_end),
    };
    return cmocka_run_group_tests_name("audit over years", tests, NULL, NULL);
}

/* The audit: what it writes, what it finds at its end, and what it makes of damage. */
#include "tests.h"

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "policy/audit.h"
#include "policy/audit_read.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static struct mt_audit *open_at(const char *dir, const char *anchor, int64_t every_n)
{
    struct mt_audit_options options = {
        .dir = dir, .anchor = anchor, .head_every_n = every_n, .segment_bytes = 4096};
    struct mt_audit *audit = NULL;
    struct mt_fault fault;

    if (mt_audit_open(&options, &audit, &fault))
        fail_msg("%s [%s]", fault.message, fault.code);
    return audit;
}

static struct mt_fault open_fails(const char *dir, const char *anchor)
{
    struct mt_audit_options options = {.dir = dir, .anchor = anchor};
    struct mt_audit *audit = NULL;
    struct mt_fault fault;

    assert_int_not_equal(mt_audit_open(&options, &audit, &fault), MT_OK);
    assert_null(audit);
    return fault;
}

static uint64_t intend(struct mt_audit *audit, const char *user, const char *id)
{
    const char *ids[] = {id, "1200000000000000002"};
    struct mt_audit_record record = {
        .type = MT_AUDIT_INTENT,
        .account = "support",
        .user = user,
        .actor = "job nightly",
        .verb = "delete_messages",
        .conversation = "single:bob",
        .why = "policy older_than(\"90d\")",
        .ids = ids,
        .ids_n = 2,
        .detail = "{\"plan\": \"3f\",\n\"n\": 1}",
    };
    struct mt_fault fault;
    uint64_t number = 0;

    if (mt_audit_append(audit, &record, 1, &number, &fault))
        fail_msg("%s", fault.message);
    return number;
}

static uint64_t settle(struct mt_audit *audit, uint64_t intent)
{
    struct mt_audit_record record = {
        .type = MT_AUDIT_RESULT, .intent = intent, .user = "agent", .outcome = "done"};
    struct mt_fault fault;
    uint64_t number = 0;

    if (mt_audit_append(audit, &record, 1, &number, &fault))
        fail_msg("%s", fault.message);
    return number;
}

static void close_fine(struct mt_audit *audit)
{
    struct mt_fault fault;

    if (mt_audit_close(audit, &fault))
        fail_msg("%s", fault.message);
}

struct seen {
    uint64_t numbers[64];
    size_t n;
    char last[512];
};

static enum mt_rc see(void *ud, uint64_t number, const struct mt_audit_record *record)
{
    struct seen *seen = ud;

    assert_true(seen->n < 64);
    seen->numbers[seen->n++] = number;
    snprintf(seen->last, sizeof seen->last, "%s %s %s %s %s %zu %s %s", record->account,
             record->user, record->actor, record->verb, record->conversation, record->ids_n,
             record->ids[0], record->detail);
    return MT_OK;
}

static struct seen unsettled(struct mt_audit *audit, const char *user)
{
    struct seen seen = {.n = 0};
    struct mt_fault fault;

    if (mt_audit_unsettled(audit, user, see, &seen, &fault))
        fail_msg("%s", fault.message);
    return seen;
}

static void intents_without_a_result(void **state)
{
    struct mt_audit *audit = open_at(*state, NULL, 0);
    uint64_t a = intend(audit, "agent", "1");
    uint64_t b = intend(audit, "other", "2");
    uint64_t c = intend(audit, "agent", "3");

    assert_int_equal(a, 2); /* the first record is the log's own */
    assert_int_equal(settle(audit, a), 5);
    close_fine(audit);
    audit = open_at(*state, NULL, 0);
    struct seen seen = unsettled(audit, "agent");
    assert_int_equal(seen.n, 1);
    assert_int_equal(seen.numbers[0], c);
    assert_string_equal(seen.last, "support agent job nightly delete_messages single:bob 2 3 "
                                   "{\"plan\":\"3f\",\"n\":1}");
    seen = unsettled(audit, NULL);
    assert_int_equal(seen.n, 2);
    assert_int_equal(seen.numbers[0], b);
    settle(audit, c);
    assert_int_equal(unsettled(audit, "agent").n, 0);
    close_fine(audit);
    char path[4096]; /* made anew from the log, over several segments */
    snprintf(path, sizeof path, "%s/OPEN", (char *)*state);
    audit = open_at(*state, NULL, 0);
    for (int i = 0; i < 40; i++)
        settle(audit, intend(audit, "agent", "4"));
    close_fine(audit);
    assert_int_equal(mt_fs_unlink(path), 0);
    audit = open_at(*state, NULL, 0);
    assert_int_equal(unsettled(audit, NULL).numbers[0], b);
    assert_int_equal(unsettled(audit, NULL).n, 1);
    close_fine(audit);
}

/* ---------------------------------------------------------------- what it is made of */

static void proof_of(const char *dir, const char *anchor, uint64_t records_n, uint64_t open_n)
{
    struct mt_audit_proof proof;
    struct mt_fault fault;

    if (mt_audit_prove(dir, anchor, &proof, &fault))
        fail_msg("%s [%s]", fault.message, fault.code);
    assert_int_equal(proof.records_n, records_n);
    assert_int_equal(proof.open_n, open_n);
    assert_int_equal(proof.torn_bytes, 0);
    assert_int_equal(proof.bad_seq, 0);
}

static struct mt_fault not_proved(const char *dir, const char *anchor)
{
    struct mt_audit_proof proof;
    struct mt_fault fault;

    assert_int_not_equal(mt_audit_prove(dir, anchor, &proof, &fault), MT_OK);
    return fault;
}

static void the_key_is_made_once(void **state)
{
    struct mt_fs_stat st;
    char *key = NULL;
    char *again = NULL;
    size_t len = 0;

    close_fine(open_at(*state, NULL, 0));
    key = tests_read(tests_path(*state, "key"), &len);
    assert_int_equal(mt_fs_stat(tests_path(*state, "key"), &st), 0);
    assert_int_equal(st.mode, 0600);
    close_fine(open_at(*state, NULL, 0));
    again = tests_read(tests_path(*state, "key"), &len);
    assert_string_equal(key, again);
    mt_mem_free(key);
    mt_mem_free(again);
    proof_of(*state, NULL, 1, 0);
    assert_int_equal(chmod(tests_path(*state, "key"), 0640), 0);
    assert_string_equal(open_fails(*state, NULL).code, "audit.key");
    assert_int_equal(mt_fs_unlink(tests_path(*state, "key")), 0);
    assert_string_equal(open_fails(*state, NULL).code, "audit.key");
}

static void an_append_that_is_not_whole_is_cut_off(void **state)
{
    struct mt_audit *audit = open_at(*state, NULL, 0);
    char path[4096];
    size_t len = 0;

    intend(audit, "agent", "1");
    close_fine(audit);
    snprintf(path, sizeof path, "%s", tests_path(*state, "000001.jsonl"));
    char *whole = tests_read(path, &len);
    char *torn = mt_mem_alloc(len + 100);
    memcpy(torn, whole, len);
    const char begun[19] = "{\"seq\":3,\"prev\":\"ab"; /* of a line */
    memcpy(torn + len, begun, sizeof begun);
    tests_write(path, torn, len + 19);
    audit = open_at(*state, NULL, 0);
    proof_of(*state, NULL, 3, 1); /* the third says it */
    assert_int_equal(unsettled(audit, NULL).n, 1);
    close_fine(audit);
    char *repaired = tests_read(path, &len);
    assert_non_null(strstr(repaired, "\"verb\":\"repair\""));
    assert_non_null(strstr(repaired, "\"bytes\":19"));
    mt_mem_free(whole);
    mt_mem_free(torn);
    mt_mem_free(repaired);
}

/* One process goes on where the other was, also when that began a new segment. */
static void two_open_at_once(void **state)
{
    const char *anchor = tests_path(*state, "anchored");
    struct mt_audit *a = open_at(*state, anchor, 3);
    struct mt_audit *b = open_at(*state, anchor, 5);
    uint64_t n = 1;

    for (int i = 0; i < 40; i++) {
        assert_int_equal(intend(i % 3 ? a : b, "agent", "1"), ++n);
        if (i % 2)
            assert_int_equal(settle(i % 5 ? b : a, n), n + 1), n++;
    }
    assert_int_equal(unsettled(a, "agent").n > 15, 1);
    close_fine(a);
    close_fine(b);
    proof_of(*state, anchor, n, 20);
    assert_string_equal(not_proved(*state, tests_path(*state, "LOCK")).code, "audit.head");
}

static void the_anchor_must_be_there(void **state)
{
    char anchor[600];
    char other[600];

    snprintf(anchor, sizeof anchor, "%s", tests_path(*state, "a"));
    snprintf(other, sizeof other, "%s", tests_path(*state, "b"));
    close_fine(open_at(*state, anchor, 0));
    assert_int_equal(mt_fs_unlink(anchor), 0);
    assert_string_equal(open_fails(*state, anchor).code, "audit.anchor");
    assert_string_equal(not_proved(*state, anchor).code, "audit.anchor");
    struct mt_audit *audit = open_at(*state, other, 0); /* another place may be named */
    intend(audit, "agent", "1");
    close_fine(audit);
    proof_of(*state, other, 2, 1);
    assert_string_equal(open_fails(*state, "/nowhere/at/all/head").code, "fs.enoent");
}

static void what_is_no_record_is_refused(void **state)
{
    struct mt_audit *audit = open_at(*state, NULL, 0);
    struct mt_audit_record record = {.type = MT_AUDIT_NOTE, .verb = "x", .detail = "[1]"};
    struct mt_fault fault;
    size_t big = (size_t)2 << 20;
    char *why = mt_mem_alloc(big);

    assert_int_equal(mt_audit_append(audit, &record, 1, NULL, &fault), MT_ERR_INVALID);
    assert_string_equal(fault.code, "audit.detail");
    record.detail = "{\"a\":1}\n{";
    assert_int_equal(mt_audit_append(audit, &record, 1, NULL, &fault), MT_ERR_INVALID);
    record.detail = NULL;
    memset(why, 'y', big);
    why[big - 1] = '\0';
    record.why = why;
    assert_int_equal(mt_audit_append(audit, &record, 1, NULL, &fault), MT_ERR_LIMIT);
    assert_string_equal(fault.code, "audit.too_long");
    record.why = "a line\nand \"another\" \xff";
    assert_int_equal(mt_audit_append(audit, &record, 1, NULL, &fault), MT_OK);
    mt_mem_free(why);
    close_fine(audit);
    proof_of(*state, NULL, 2, 0);
    assert_string_equal(not_proved("/nowhere/at/all", NULL).code, "audit.none");
}

/* ---------------------------------------------------------------- faults */

/* A run as a whole: its appends that were acknowledged. */
static enum mt_rc run(const char *dir, uint64_t *acked, struct mt_fault *fault)
{
    struct mt_audit_options options = {.dir = dir, .head_every_n = 2, .segment_bytes = 700};
    struct mt_audit *audit = NULL;
    struct seen seen = {.n = 0};
    const char *id = "5";
    struct mt_audit_record record = {.type = MT_AUDIT_INTENT,
                                     .account = "a",
                                     .user = "agent",
                                     .actor = "t",
                                     .verb = "v",
                                     .conversation = "c",
                                     .ids = &id,
                                     .ids_n = 1,
                                     .detail = "{\"k\":1}"};
    enum mt_rc rc = mt_audit_open(&options, &audit, fault);

    for (int i = 0; i < 4 && !rc; i++)
        rc = mt_audit_append(audit, &record, 1, acked, fault);
    if (!rc)
        rc = mt_audit_unsettled(audit, NULL, see, &seen, fault);
    struct mt_fault closing;
    enum mt_rc close_rc = mt_audit_close(audit, &closing);
    if (!rc && close_rc) {
        rc = close_rc;
        *fault = closing;
    }
    return rc;
}

static void after_a_failure(const char *dir, uint64_t acked)
{
    struct mt_audit_proof proof;
    struct mt_fault fault;
    uint64_t ignored = 0;

    if (run(dir, &ignored, &fault))
        fail_msg("after a failure: %s", fault.message);
    if (mt_audit_prove(dir, NULL, &proof, &fault))
        fail_msg("after a failure: %s", fault.message);
    assert_true(proof.records_n >= acked + 4);
}

static void every_allocation_may_fail(void **state)
{
    bool failed = true;

    for (uint64_t n = 1; failed; n++) {
        const char *dir = tests_path(*state, "oom");
        struct mt_fault fault = {0};
        uint64_t acked = 0;
        tests_remove(dir);
        mt_mem_seam_fail_at(n, 0);
        enum mt_rc rc = run(dir, &acked, &fault);
        failed = mt_mem_seam_count() >= n;
        mt_mem_seam_fail_at(0, 0);
        assert_true(!rc || fault.message[0]);
        if (failed && n % 3 == 0)
            after_a_failure(dir, acked);
        assert_true(n < 5000);
    }
}

struct failing {
    uint64_t at, n;
    int err;
};

static int fail_one(void *ud, const struct mt_fs_event *event)
{
    struct failing *failing = ud;

    if (!strcmp(event->name, "close") || ++failing->n != failing->at)
        return 0;
    if (event->len)
        *event->len /= 2; /* a short write */
    return failing->err;
}

static void every_operation_may_fail(void **state)
{
    static const int errors[] = {ENOSPC, EIO, EROFS};
    struct failing failing = {.at = 0, .n = 1};

    for (uint64_t at = 1; failing.n >= failing.at; at++) {
        const char *dir = tests_path(*state, "io");
        struct mt_fault fault = {0};
        uint64_t acked = 0;
        tests_remove(dir);
        failing = (struct failing){.at = at, .err = errors[at % 3]};
        mt_fs_seam_set(fail_one, &failing);
        enum mt_rc rc = run(dir, &acked, &fault);
        mt_fs_seam_set(NULL, NULL);
        assert_true(!rc || fault.message[0]);
        after_a_failure(dir, acked);
        assert_true(at < 2000);
    }
    assert_true(failing.at > 60);
}

/* After a failure nothing more is taken, whatever the disk says then. */
static void a_failure_is_final(void **state)
{
    struct mt_audit *audit = open_at(*state, NULL, 0);
    struct failing failing = {.at = 1, .err = EIO};
    struct mt_audit_record record = {.type = MT_AUDIT_NOTE, .verb = "x"};
    struct mt_fault fault;

    for (uint64_t at = 1;; at++) { /* the fdatasync */
        failing = (struct failing){.at = at, .err = EIO};
        mt_fs_seam_set(fail_one, &failing);
        enum mt_rc rc = mt_audit_append(audit, &record, 1, NULL, &fault);
        mt_fs_seam_set(NULL, NULL);
        if (rc)
            break;
    }
    assert_int_equal(mt_audit_append(audit, &record, 1, NULL, &fault), MT_ERR_STATE);
    assert_string_equal(fault.code, "audit.failed");
    assert_int_equal(mt_audit_close(audit, &fault), MT_OK);
}

int test_audit(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(intents_without_a_result, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(the_key_is_made_once, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(an_append_that_is_not_whole_is_cut_off, tests_begin,
                                        tests_end),
        cmocka_unit_test_setup_teardown(two_open_at_once, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(the_anchor_must_be_there, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(what_is_no_record_is_refused, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(every_allocation_may_fail, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(every_operation_may_fail, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(a_failure_is_final, tests_begin, tests_end),
    };
    return cmocka_run_group_tests_name("audit", tests, NULL, NULL);
}

/* The audit: what it writes, what it finds at its end, and what it makes of damage. */
#include "tests.h"

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "policy/audit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

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
    uint64_t numbers[16];
    size_t n;
    char last[512];
};

static enum mt_rc see(void *ud, uint64_t number, const struct mt_audit_record *record)
{
    struct seen *seen = ud;

    assert_true(seen->n < 16);
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

int test_audit(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(intents_without_a_result, tests_begin, tests_end),
    };
    (void)open_fails;
    return cmocka_run_group_tests_name("audit", tests, NULL, NULL);
}

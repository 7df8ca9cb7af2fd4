/* Each allocation of a run fails in turn: no crash, no leak, a fault, and an archive that the next
 * run takes up with nothing lost and nothing twice. */
#include "tests.h"

#include "../ids.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct mt_archive_options small = {.segment_bytes = 700};

static enum mt_rc commit(struct mt_archive *archive, const char *conversation, unsigned n)
{
    const struct mt_archive_state *s = mt_archive_state(archive, conversation);
    struct mt_archive_batch batch;
    struct mt_fault fault;
    char lines[4096];
    size_t len = 0;
    uint64_t first = s ? id_number(s->cursor) + 1 : 1;

    for (uint64_t id = first; id < first + n; id++)
        len += (size_t)snprintf(lines + len, sizeof lines - len,
                                "{\"v\":1,\"id\":\"%llu\",\"conversation\":\"%s\"}\n",
                                (unsigned long long)id, conversation);
    memset(&batch, 0, sizeof batch);
    batch.conversation = conversation;
    batch.lines = lines;
    batch.lines_len = len;
    batch.messages_n = batch.lines_n = n;
    id_put(batch.first_id, first);
    id_put(batch.last_id, first + n - 1);
    id_put(batch.cursor, first + n - 1);
    batch.complete = true;
    return mt_archive_commit(archive, &batch, 1, &fault);
}

static enum mt_rc run(const char *dir)
{
    struct mt_archive *archive = NULL;
    struct mt_fault fault;
    enum mt_rc rc = mt_archive_open(dir, &tests_identity, &small, &archive, &fault);

    if (!rc)
        rc = commit(archive, "group:1", 12);
    if (!rc)
        rc = commit(archive, "group:2", 3);
    if (!rc)
        rc = commit(archive, "group:1", 12);
    if (!rc)
        rc = mt_archive_seal_due(archive, &fault);
    enum mt_rc close_rc = mt_archive_close(archive, !rc, &fault);
    return rc ? rc : close_rc;
}

static void expect_sound(const char *dir)
{
    struct mt_archive *archive = tests_open(dir, &small);
    static const char *const names[] = {"group:1", "group:2"};

    for (size_t i = 0; i < 2; i++) {
        size_t n = 0;
        uint64_t *ids = tests_ids(archive, names[i], &n);
        for (size_t k = 0; k < n; k++)
            assert_int_equal(ids[k], k + 1);
        free(ids);
    }
    tests_close(archive, true);
    assert_int_not_equal(tests_verdict(dir, MT_VERIFY_READ_ALL), MT_VERIFY_DAMAGED);
}

static void every_allocation_may_fail(void **state)
{
    char dir[600];
    unsigned failed = 0;
    uint64_t n = 0;

    for (uint64_t at = 1;; at++) {
        snprintf(dir, sizeof dir, "%s/%llu", (char *)*state, (unsigned long long)at);
        assert_int_equal(run(dir), MT_OK);
        int64_t live = mt_mem_seam_live();
        mt_mem_seam_fail_at(at, 0);
        enum mt_rc rc = run(dir);
        n = mt_mem_seam_count();
        mt_mem_seam_fail_at(0, 0);
        assert_int_equal(mt_mem_seam_live(), live);
        failed += rc != MT_OK;
        expect_sound(dir);
        tests_remove(dir);
        if (n < at)
            break;
    }
    print_message("# %llu allocations, %u of them failed the run\n", (unsigned long long)n, failed);
    assert_true(failed > 20);
}

static void verify_stands_it_too(void **state)
{
    struct mt_verify_report report;
    struct mt_fault fault;
    enum mt_rc rc = MT_ERR_NOMEM;

    assert_int_equal(run(*state), MT_OK);
    int64_t live = mt_mem_seam_live();
    for (uint64_t at = 1; rc; at++) {
        mt_mem_seam_fail_at(at, 0);
        rc = mt_archive_verify(*state, MT_VERIFY_READ_ALL, NULL, NULL, NULL, &report, &fault);
        bool reached = mt_mem_seam_count() >= at;
        mt_mem_seam_fail_at(0, 0);
        assert_int_equal(mt_mem_seam_live(), live);
        /* It never calls a sound archive complete without having read it. */
        if (!rc && reached)
            assert_int_not_equal(report.verdict, MT_VERIFY_COMPLETE);
        rc = reached ? MT_ERR_NOMEM : MT_OK;
    }
    assert_int_equal(report.verdict, MT_VERIFY_COMPLETE);
}

int test_torture(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_allocation_may_fail, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(verify_stands_it_too, tests_begin, tests_end),
    };
    return cmocka_run_group_tests_name("torture", tests, NULL, NULL);
}

/* Commits: what they write, how much of it, and what they need for it. */
#include "tests.h"

#include "archive/archive_int.h"
#include "base/fs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static void reads_back_what_was_written(void **state)
{
    size_t n = 0, len = 0;
    struct mt_archive *archive = tests_open(*state, NULL);

    for (uint64_t first = 1; first < 100; first += 9)
        tests_commit(archive, "group:1", first, 9, false);
    uint64_t *ids = tests_ids(archive, "group:1", &n);
    assert_int_equal(n, 99);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(ids[i], i + 1);
    free(ids);
    tests_close(archive, true);
    struct mt_buf want;
    mt_buf_init(&want, 1 << 20);
    tests_lines(&want, "group:1", 1, 99);
    char *text = tests_read(tests_path(*state, "conv/group%3A1/000001.jsonl"), &len);
    assert_int_equal(len, want.len);
    assert_memory_equal(text, want.data, len);
    free(text);
    mt_buf_deinit(&want);
}

/* One group commit may touch more conversations than a process may have files open. */
static void needs_few_descriptors(void **state)
{
    enum { N = 300 };
    struct rlimit old, few;
    static struct mt_archive_batch batches[N * 2];
    static struct mt_buf lines[N * 2];
    static char names[N][32];
    struct mt_fault fault = {0};

    struct mt_archive *archive = tests_open(*state, NULL);
    for (size_t i = 0; i < N * 2; i++) { /* each one twice, far apart */
        snprintf(names[i % N], sizeof names[0], "group:%zu", i % N);
        batches[i] = tests_batch(&lines[i], names[i % N], 1 + i / N, 1, i >= N);
    }
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    few = old;
    few.rlim_cur = 100;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    enum mt_rc rc = mt_archive_commit(archive, batches, N * 2, &fault);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    if (rc)
        fail_msg("%s", fault.message);
    for (size_t i = 0; i < N * 2; i++)
        mt_buf_deinit(&lines[i]);
    tests_close(archive, true);
    assert_int_equal(tests_verdict(*state, MT_VERIFY_READ_ALL), MT_VERIFY_COMPLETE);
}

struct written {
    uint64_t bytes;
    uint64_t renames;
};

static int count_written(void *ud, const struct mt_fs_event *event)
{
    struct written *written = ud;
    if (!strcmp(event->name, "write"))
        written->bytes += *event->len;
    if (!strcmp(event->name, "rename"))
        written->renames++;
    return 0;
}

/* 10 new messages in 3 of 10,000 conversations cost what they are, not what the account is. */
static void costs_what_changed(void **state)
{
    enum { N = 10000, GROUP = 500 };
    static struct mt_archive_batch batches[GROUP];
    static struct mt_buf lines[GROUP];
    static char names[GROUP][32];
    struct written written = {0, 0};
    struct mt_fault fault;

    struct mt_archive *archive = tests_open(*state, NULL);
    for (size_t at = 0; at < N; at += GROUP) {
        for (size_t i = 0; i < GROUP; i++) {
            snprintf(names[i], sizeof names[0], "group:%zu", at + i);
            batches[i] = tests_batch(&lines[i], names[i], 1, 2, true);
        }
        assert_int_equal(mt_archive_commit(archive, batches, GROUP, &fault), MT_OK);
        for (size_t i = 0; i < GROUP; i++)
            mt_buf_deinit(&lines[i]);
    }
    tests_close(archive, true);
    mt_fs_seam_set(count_written, &written);
    archive = tests_open(*state, NULL);
    tests_commit(archive, "group:7", 3, 4, true);
    tests_commit(archive, "group:4000", 3, 3, true);
    tests_commit(archive, "group:9999", 3, 3, true);
    tests_close(archive, true);
    mt_fs_seam_set(NULL, NULL);
    assert_true(written.bytes < 65536);
    assert_int_equal(written.renames, 0);
}

/* The journal is rewritten when it is mostly dead, also inside a long run. */
static void the_journal_stays_small(void **state)
{
    size_t len = 0, n = 0;
    struct mt_archive *archive = tests_open(*state, NULL);

    archive->compact_bytes = 40000;
    for (uint64_t id = 1; id <= 500; id++) {
        tests_commit(archive, "group:1", id, 1, true);
        assert_true(archive->journal.good_bytes < 45000);
    }
    tests_close(archive, true);
    char *text = tests_read(tests_path(*state, "CHECKPOINT"), &len);
    assert_true(len < 45000);
    free(text);
    assert_int_equal(tests_verdict(*state, MT_VERIFY_READ_ALL), MT_VERIFY_COMPLETE);
    archive = tests_open(*state, NULL);
    free(tests_ids(archive, "group:1", &n));
    assert_int_equal(n, 500);
    tests_close(archive, true);
}

static void a_run_without_news_writes_nothing(void **state)
{
    struct mt_archive *archive = tests_open(*state, NULL);
    struct mt_fault fault;

    tests_commit(archive, "group:1", 1, 20, true);
    tests_close(archive, true);
    uint64_t before = tests_print(*state);
    archive = tests_open(*state, NULL);
    assert_int_equal(mt_archive_commit(archive, NULL, 0, &fault), MT_OK);
    assert_int_equal(mt_archive_seal_due(archive, &fault), MT_OK);
    tests_close(archive, true);
    assert_int_equal(tests_print(*state), before);
}

static int fail_segment_sync(void *ud, const struct mt_fs_event *event)
{
    (void)ud;
    return !strcmp(event->name, "fdatasync") && strstr(event->path, ".jsonl") ? EIO : 0;
}

static void a_failed_sync_is_final(void **state)
{
    struct mt_archive *archive = tests_open(*state, NULL);
    struct mt_buf lines;
    struct mt_fault fault;
    size_t n = 0;

    tests_commit(archive, "group:1", 1, 5, false);
    struct mt_archive_batch batch = tests_batch(&lines, "group:1", 6, 5, true);
    mt_fs_seam_set(fail_segment_sync, NULL);
    assert_int_equal(mt_archive_commit(archive, &batch, 1, &fault), MT_ERR_IO);
    mt_fs_seam_set(NULL, NULL);
    assert_string_equal(fault.code, "fs.eio");
    assert_int_equal(mt_archive_commit(archive, &batch, 1, &fault), MT_ERR_STATE);
    assert_string_equal(fault.code, "archive.broken");
    assert_int_equal(mt_archive_seal_due(archive, &fault), MT_ERR_STATE);
    assert_int_equal(mt_archive_close(archive, true, &fault), MT_ERR_IO);
    mt_buf_deinit(&lines);
    assert_int_equal(tests_verdict(*state, MT_VERIFY_READ_ALL), MT_VERIFY_UNFINISHED);
    archive = tests_open(*state, NULL);
    free(tests_ids(archive, "group:1", &n));
    assert_int_equal(n, 5);
    assert_string_equal(mt_archive_state(archive, "group:1")->cursor, "5");
    tests_close(archive, true);
}

/* A message that comes late does not move the newest one back. */
static void late_messages_keep_the_end(void **state)
{
    struct mt_archive *archive = tests_open(*state, NULL);

    tests_commit(archive, "group:1", 50, 10, true);
    tests_commit(archive, "group:1", 20, 2, true);
    const struct mt_archive_state *s = mt_archive_state(archive, "group:1");
    assert_string_equal(s->last_id, "59");
    assert_int_equal(s->last_ms, 59000);
    assert_int_equal(s->messages_n, 12);
    tests_close(archive, true);
    assert_int_equal(tests_verdict(*state, MT_VERIFY_READ_ALL), MT_VERIFY_COMPLETE);
}

static void refuses_impossible_names(void **state)
{
    char name[300];
    struct mt_archive *archive = tests_open(*state, NULL);
    struct mt_buf lines;
    struct mt_fault fault;

    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    struct mt_archive_batch batch = tests_batch(&lines, name, 1, 1, true);
    assert_int_equal(mt_archive_commit(archive, &batch, 1, &fault), MT_ERR_INVALID);
    assert_string_equal(fault.code, "archive.conversation");
    mt_buf_deinit(&lines);
    assert_int_equal(mt_archive_close(archive, false, &fault), MT_OK);
}

int test_commit(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_back_what_was_written, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(needs_few_descriptors, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(costs_what_changed, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(the_journal_stays_small, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(a_run_without_news_writes_nothing, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(a_failed_sync_is_final, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(late_messages_keep_the_end, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(refuses_impossible_names, tests_begin, tests_end),
    };
    return cmocka_run_group_tests_name("commit", tests, NULL, NULL);
}

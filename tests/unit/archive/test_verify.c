/* The four verdicts, and what only reading every line can find. Random damage of all files is in
 * tests/crash/damage.c. */
#include "../ids.h"
#include "tests.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void commit_text(struct mt_archive *archive, const char *lines, uint64_t lines_n,
                        uint64_t messages_n, uint64_t gaps_n, uint64_t id, bool complete)
{
    struct mt_fault fault;
    struct mt_archive_batch batch = {
        .conversation = "group:1",
        .lines = lines,
        .lines_len = strlen(lines),
        .lines_n = lines_n,
        .messages_n = messages_n,
        .gaps_n = gaps_n,
        .complete = complete,
    };
    id_put(batch.first_id, id);
    id_put(batch.last_id, id);
    assert_int_equal(mt_archive_commit(archive, &batch, 1, &fault), MT_OK);
}

static void complete_only_if_all_are(void **state)
{
    struct mt_archive *archive = tests_open(*state, NULL);

    tests_commit(archive, "group:1", 1, 5, true);
    tests_commit(archive, "group:2", 1, 5, true);
    tests_close(archive, true);
    assert_int_equal(tests_verdict(*state, MT_VERIFY_READ_ALL), MT_VERIFY_COMPLETE);
    archive = tests_open(*state, NULL);
    tests_commit(archive, "group:2", 6, 1, false);
    tests_close(archive, true);
    assert_int_equal(tests_verdict(*state, MT_VERIFY_READ_ALL), MT_VERIFY_GAPS);
    assert_int_equal(tests_verdict(*state, MT_VERIFY_STRUCTURE), MT_VERIFY_GAPS);
    assert_non_null(strstr(tests_finding(), "group:2: not complete"));
}

static void gaps_are_listed_until_they_are_filled(void **state)
{
    struct mt_archive *archive = tests_open(*state, NULL);

    tests_commit(archive, "group:1", 1, 5, false);
    commit_text(archive,
                "{\"v\":1,\"type\":\"gap\",\"conversation\":\"group:1\",\"since\":1,\"until\":2,"
                "\"reason\":\"a filter\"}\n",
                1, 0, 1, 0, false);
    tests_close(archive, true);
    assert_int_equal(tests_verdict(*state, MT_VERIFY_READ_ALL), MT_VERIFY_GAPS);
    assert_string_equal(tests_finding(), "gap in group:1: a filter");
    archive = tests_open(*state, NULL);
    commit_text(archive,
                "{\"v\":1,\"type\":\"gap\",\"conversation\":\"group:1\",\"since\":1,\"until\":2,"
                "\"reason\":\"read\",\"closed\":true}\n",
                1, 0, 0, 0, true);
    assert_int_equal(mt_archive_state(archive, "group:1")->gaps_n, 0);
    tests_close(archive, true);
    assert_int_equal(tests_verdict(*state, MT_VERIFY_READ_ALL), MT_VERIFY_COMPLETE);
}

static void finds_a_message_that_is_there_twice(void **state)
{
    struct mt_archive *archive = tests_open(*state, NULL);

    tests_commit(archive, "group:1", 1, 20, true);
    tests_commit(archive, "group:1", 20, 3, true);
    tests_close(archive, true);
    assert_int_equal(tests_verdict(*state, MT_VERIFY_STRUCTURE), MT_VERIFY_COMPLETE);
    assert_int_equal(tests_verdict(*state, MT_VERIFY_READ_ALL), MT_VERIFY_DAMAGED);
    assert_non_null(strstr(tests_finding(), "1 messages are there twice"));
}

/* A cloud that does not count: its ids and its cursors are texts like any other. */
static void ids_may_be_texts(void **state)
{
    static const char line[] =
        "{\"v\":1,\"id\":\"B7QH-%s-8S21-AP4V\",\"conversation\":\"group:1\"}\n";
    static const char *const middles[] = {"0001", "0000", "ZZZZ", "0001"};

    for (size_t n = 3; n <= 4; n++) { /* the fourth is the first again */
        struct mt_archive_batch batch = {.conversation = "group:1",
                                         .first_id = "B7QH-0001-8S21-AP4V",
                                         .cursor = "1700000000000/B7QH",
                                         .complete = true};
        struct mt_fault fault;
        char lines[512] = "";

        tests_remove(tests_path(*state, ""));
        struct mt_archive *archive = tests_open(*state, NULL);
        for (size_t i = 0; i < n; i++)
            snprintf(lines + strlen(lines), sizeof lines - strlen(lines), line, middles[i]);
        snprintf(batch.last_id, sizeof batch.last_id, "B7QH-%s-8S21-AP4V", middles[n - 1]);
        batch.lines = lines;
        batch.lines_len = strlen(lines);
        batch.lines_n = batch.messages_n = n;
        assert_int_equal(mt_archive_commit(archive, &batch, 1, &fault), MT_OK);
        tests_close(archive, true);
        archive = tests_open(*state, NULL);
        assert_string_equal(mt_archive_state(archive, "group:1")->cursor, batch.cursor);
        assert_string_equal(mt_archive_state(archive, "group:1")->last_id, batch.last_id);
        tests_close(archive, true);
        assert_int_equal(tests_verdict(*state, MT_VERIFY_READ_ALL),
                         n == 3 ? MT_VERIFY_COMPLETE : MT_VERIFY_DAMAGED);
    }
    assert_non_null(strstr(tests_finding(), "1 messages are there twice"));
}

/* An edit of a message carries the message's id, and is no second one. */
static void edits_and_recalls_are_not_twice(void **state)
{
    struct mt_archive *archive = tests_open(*state, NULL);

    tests_commit(archive, "group:1", 1, 5, true);
    commit_text(archive,
                "{\"v\":1,\"type\":\"edit\",\"target\":\"3\",\"id\":\"3\",\"conversation\":"
                "\"group:1\"}\n"
                "{\"v\":1,\"type\":\"recall\",\"target\":\"4\",\"id\":\"4\",\"conversation\":"
                "\"group:1\"}\n",
                2, 0, 0, 0, true);
    tests_close(archive, true);
    assert_int_equal(tests_verdict(*state, MT_VERIFY_READ_ALL), MT_VERIFY_COMPLETE);
}

/* Lines that nobody should have committed, each alone in its archive. */
static void finds_lines_that_make_no_sense(void **state)
{
    static const char *const lines[] = {
        "not json\n",
        "{\"v\":1,\"id\":\"1\",\"conversation\":\"group:2\"}\n",
        "{\"v\":2,\"id\":\"1\",\"conversation\":\"group:1\"}\n",
        "{\"v\":1,\"conversation\":\"group:1\"}\n",
        "{\"v\":1,\"id\":\"x\",\"conversation\":\"group:1\"}\n",
        "{\"v\":1,\"id\":\"1\",\"conversation\":\"group:1\",\"type\":\"other\"}\n",
        "{\"v\":1,\"id\":\"1\",\"conversation\":\"group:1\"}",
        "\n",
    };

    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        tests_remove(tests_path(*state, ""));
        struct mt_archive *archive = tests_open(*state, NULL);
        commit_text(archive, lines[i], 1, 1, 0, 1, true);
        tests_close(archive, true);
        assert_int_equal(tests_verdict(*state, MT_VERIFY_READ_ALL), MT_VERIFY_DAMAGED);
    }
}

static void finds_counts_that_lie(void **state)
{
    static const struct {
        uint64_t lines_n, messages_n, gaps_n, id;
    } lies[] = {{2, 1, 0, 1}, {1, 0, 0, 1}, {1, 1, 1, 1}, {1, 1, 0, 9}};

    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        tests_remove(tests_path(*state, ""));
        struct mt_archive *archive = tests_open(*state, NULL);
        commit_text(archive, "{\"v\":1,\"id\":\"1\",\"conversation\":\"group:1\"}\n",
                    lies[i].lines_n, lies[i].messages_n, lies[i].gaps_n, lies[i].id, true);
        tests_close(archive, true);
        assert_int_equal(tests_verdict(*state, MT_VERIFY_READ_ALL), MT_VERIFY_DAMAGED);
    }
}

static void says_what_is_no_archive(void **state)
{
    char path[600];
    struct mt_verify_report report;
    struct mt_fault fault;

    snprintf(path, sizeof path, "%s/none", (char *)*state);
    assert_int_equal(mt_archive_verify(path, MT_VERIFY_READ_ALL, NULL, NULL, NULL, &report, &fault),
                     MT_ERR_NOT_FOUND);
    assert_string_equal(fault.code, "archive.none");
    assert_int_equal(
        mt_archive_verify(*state, MT_VERIFY_READ_ALL, NULL, NULL, NULL, &report, &fault),
        MT_ERR_NOT_FOUND);
    assert_string_equal(fault.code, "archive.none");
}

static void says_that_it_is_being_written(void **state)
{
    struct mt_verify_report report;
    struct mt_fault fault;
    struct mt_archive *archive = tests_open(*state, NULL);

    assert_int_equal(
        mt_archive_verify(*state, MT_VERIFY_READ_ALL, NULL, NULL, NULL, &report, &fault),
        MT_ERR_BUSY);
    assert_string_equal(fault.code, "archive.locked");
    tests_close(archive, true);
}

struct seen {
    int64_t done, total;
};

static void note(void *ud, int64_t done, int64_t total)
{
    struct seen *seen = ud;
    assert_true(done > seen->done && done <= total);
    *seen = (struct seen){done, total};
}

static void reports_what_it_read(void **state)
{
    struct mt_archive_options small = {.segment_bytes = 2000};
    struct mt_verify_report report;
    struct mt_fault fault;
    struct seen seen = {0, 0};
    char head[65];

    struct mt_archive *archive = tests_open(*state, &small);
    for (uint64_t id = 1; id <= 100; id += 5)
        tests_commit(archive, "group:1", id, 5, true);
    tests_commit(archive, "group:2", 1, 2, true);
    tests_close(archive, true);
    assert_int_equal(
        mt_archive_verify(*state, MT_VERIFY_READ_ALL, NULL, note, &seen, &report, &fault), MT_OK);
    assert_int_equal(report.conversations_n, 2);
    assert_int_equal(report.messages_n, 102);
    assert_int_equal(report.lines_n, 102);
    assert_int_equal(report.problems_n, 0);
    assert_true(report.sealed_n >= 3 && report.segments_n > report.sealed_n);
    assert_string_equal(report.provider, "model");
    assert_string_equal(report.appkey, "org#app");
    assert_string_equal(report.user, "me");
    assert_int_equal(seen.done, seen.total);
    assert_int_equal(strlen(report.head), 64);
    memcpy(head, report.head, sizeof head);
    archive = tests_open(*state, &small);
    tests_commit(archive, "group:2", 3, 1, true);
    tests_close(archive, true);
    assert_int_equal(
        mt_archive_verify(*state, MT_VERIFY_STRUCTURE, NULL, NULL, NULL, &report, &fault), MT_OK);
    assert_string_not_equal(report.head, head);
}

int test_verify(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(complete_only_if_all_are, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(gaps_are_listed_until_they_are_filled, tests_begin,
                                        tests_end),
        cmocka_unit_test_setup_teardown(finds_a_message_that_is_there_twice, tests_begin,
                                        tests_end),
        cmocka_unit_test_setup_teardown(ids_may_be_texts, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(edits_and_recalls_are_not_twice, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(finds_lines_that_make_no_sense, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(finds_counts_that_lie, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(says_what_is_no_archive, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(says_that_it_is_being_written, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(reports_what_it_read, tests_begin, tests_end),
    };
    return cmocka_run_group_tests_name("verify", tests, NULL, NULL);
}

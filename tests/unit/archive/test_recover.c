/* What the next run finds after one that did not end: what it takes back, and what it must not
 * touch. */
#include "tests.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEGMENT "conv/group%3A1/000001.jsonl"

static void make(const char *dir, bool clean)
{
    struct mt_archive *archive = tests_open(dir, NULL);

    tests_commit(archive, "group:1", 1, 10, true);
    tests_commit(archive, "single:a", 1, 4, true);
    tests_close(archive, clean);
}

static void append(const char *path, const char *text)
{
    FILE *file = fopen(path, "a");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void expect_refused(const char *dir)
{
    uint64_t before = tests_print(dir);
    struct mt_fault fault = tests_open_fails(dir, &tests_identity);

    assert_int_equal(fault.kind, MT_ERR_DAMAGED);
    assert_string_equal(fault.code, "archive.damaged");
    assert_int_equal(tests_print(dir), before); /* and nothing was touched */
    assert_int_equal(tests_verdict(dir, MT_VERIFY_STRUCTURE), MT_VERIFY_DAMAGED);
    assert_int_equal(tests_verdict(dir, MT_VERIFY_READ_ALL), MT_VERIFY_DAMAGED);
}

static void takes_back_what_was_not_committed(void **state)
{
    size_t n = 0;

    make(*state, false);
    append(tests_path(*state, SEGMENT), "{\"v\":1,\"id\":\"11\",\"conv");
    append(tests_path(*state, "MANIFEST.jsonl"), "{\"seq\":1,");
    mkdir(tests_path(*state, "conv/group%3A9"), 0700);
    append(tests_path(*state, "conv/group%3A9/000001.jsonl"), "{}\n");
    append(tests_path(*state, "conv/group%3A1/000001.jsonl.zst.tmp"), "x");
    append(tests_path(*state, "CHECKPOINT"), "0badc0de {\"record\":");
    assert_int_equal(tests_verdict(*state, MT_VERIFY_READ_ALL), MT_VERIFY_UNFINISHED);
    struct mt_archive *archive = tests_open(*state, NULL);
    free(tests_ids(archive, "group:1", &n));
    assert_int_equal(n, 10);
    tests_commit(archive, "group:1", 11, 1, true);
    tests_close(archive, true);
    assert_false(tests_exists(tests_path(*state, "conv/group%3A9")));
    assert_false(tests_exists(tests_path(*state, "conv/group%3A1/000001.jsonl.zst.tmp")));
    assert_int_equal(tests_verdict(*state, MT_VERIFY_READ_ALL), MT_VERIFY_COMPLETE);
}

static void ends_what_another_run_did_not(void **state)
{
    make(*state, false);
    assert_int_equal(tests_verdict(*state, MT_VERIFY_READ_ALL), MT_VERIFY_UNFINISHED);
    tests_close(tests_open(*state, NULL), true);
    assert_int_equal(tests_verdict(*state, MT_VERIFY_READ_ALL), MT_VERIFY_COMPLETE);
    uint64_t before = tests_print(*state);
    tests_close(tests_open(*state, NULL), true);
    assert_int_equal(tests_print(*state), before);
}

/* Without its journal an archive must not look like a new one. */
static void a_lost_checkpoint_is_no_new_archive(void **state)
{
    for (int clean = 0; clean < 2; clean++) {
        tests_remove(tests_path(*state, ""));
        make(*state, clean);
        tests_write(tests_path(*state, "CHECKPOINT"), "", 0);
        expect_refused(*state);
        tests_write(tests_path(*state, "CHECKPOINT"), "12345678 {\"rec", 14);
        expect_refused(*state);
        unlink(tests_path(*state, "CHECKPOINT"));
        expect_refused(*state);
    }
}

/* The power went before the first record: then there is nothing else either. */
static void an_empty_checkpoint_alone_is_a_beginning(void **state)
{
    tests_close(tests_open(*state, NULL), true);
    tests_write(tests_path(*state, "CHECKPOINT"), "", 0);
    assert_int_equal(tests_verdict(*state, MT_VERIFY_READ_ALL), MT_VERIFY_UNFINISHED);
    struct mt_archive *archive = tests_open(*state, NULL);
    tests_commit(archive, "group:1", 1, 1, true);
    tests_close(archive, true);
    assert_int_equal(tests_verdict(*state, MT_VERIFY_READ_ALL), MT_VERIFY_COMPLETE);
}

/* A segment that no crash explains: the journal has lost its end. Removing it would destroy what is
 * archived. */
static void does_not_remove_what_it_cannot_explain(void **state)
{
    static const char *const names[] = {
        "conv/group%3A1/000002.jsonl", "conv/group%3A1/000002.jsonl.zst",
        "conv/group%3A1/000007.jsonl", "conv/group%3A9/000001.jsonl.zst",
        "conv/group%3A9/000002.jsonl"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        tests_remove(tests_path(*state, ""));
        make(*state, false);
        mkdir(tests_path(*state, "conv/group%3A9"), 0700);
        append(tests_path(*state, names[i]), "something\n");
        append(tests_path(*state, SEGMENT), "a tail");
        expect_refused(*state);
    }
}

static void leaves_foreign_files_alone(void **state)
{
    make(*state, false);
    append(tests_path(*state, "conv/group%3A1/notes.txt"), "mine");
    tests_close(tests_open(*state, NULL), true);
    assert_true(tests_exists(tests_path(*state, "conv/group%3A1/notes.txt")));
    assert_int_equal(tests_verdict(*state, MT_VERIFY_STRUCTURE), MT_VERIFY_DAMAGED);
    assert_non_null(strstr(tests_finding(), "notes.txt: does not belong"));
}

static void what_is_shorter_than_committed_is_damage(void **state)
{
    make(*state, false);
    assert_int_equal(truncate(tests_path(*state, SEGMENT), 40), 0);
    expect_refused(*state);
    unlink(tests_path(*state, SEGMENT));
    expect_refused(*state);
}

/* What is appended to must be what was committed, also after a clean end. */
static void a_changed_segment_is_not_added_to(void **state)
{
    size_t len = 0;
    struct mt_buf lines;
    struct mt_fault fault;

    make(*state, true);
    char *text = tests_read(tests_path(*state, SEGMENT), &len);
    text[30] ^= 4;
    tests_write(tests_path(*state, SEGMENT), text, len);
    free(text);
    struct mt_archive *archive = tests_open(*state, NULL);
    tests_commit(archive, "single:a", 5, 1, true); /* another one is not concerned */
    struct mt_archive_batch batch = tests_batch(&lines, "group:1", 11, 1, true);
    assert_int_equal(mt_archive_commit(archive, &batch, 1, &fault), MT_ERR_DAMAGED);
    assert_string_equal(fault.code, "archive.damaged");
    mt_buf_deinit(&lines);
    tests_close(archive, false);
}

int test_recover(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(takes_back_what_was_not_committed, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(ends_what_another_run_did_not, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(a_lost_checkpoint_is_no_new_archive, tests_begin,
                                        tests_end),
        cmocka_unit_test_setup_teardown(an_empty_checkpoint_alone_is_a_beginning, tests_begin,
                                        tests_end),
        cmocka_unit_test_setup_teardown(does_not_remove_what_it_cannot_explain, tests_begin,
                                        tests_end),
        cmocka_unit_test_setup_teardown(leaves_foreign_files_alone, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(what_is_shorter_than_committed_is_damage, tests_begin,
                                        tests_end),
        cmocka_unit_test_setup_teardown(a_changed_segment_is_not_added_to, tests_begin, tests_end),
    };
    return cmocka_run_group_tests_name("recover", tests, NULL, NULL);
}

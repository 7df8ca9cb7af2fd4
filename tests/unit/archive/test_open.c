/* Opening: the layout, whose archive it is, who holds it, and what is refused. */
#include "tests.h"

#include "base/fs.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void expect_mode(const char *path, unsigned mode)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, mode);
}

static void makes_the_layout(void **state)
{
    char path[600];
    size_t len = 0;

    struct mt_archive *archive = tests_open(*state, NULL);
    tests_commit(archive, "group:1", 1, 3, true);
    tests_close(archive, true);
    snprintf(path, sizeof path, "%s/FORMAT", (char *)*state);
    char *text = tests_read(path, &len);
    assert_string_equal(text, "imarc 1\n");
    free(text);
    expect_mode(path, 0600);
    expect_mode(tests_path(*state, ""), 0700);
    expect_mode(tests_path(*state, "conv/group%3A1"), 0700);
    expect_mode(tests_path(*state, "conv/group%3A1/000001.jsonl"), 0600);
    expect_mode(tests_path(*state, "CHECKPOINT"), 0600);
    text = tests_read(tests_path(*state, "account.json"), &len);
    assert_non_null(strstr(text, "\"v\":1,\"provider\":\"model\",\"appkey\":\"org#app\","
                                 "\"user\":\"me\",\"created_ms\":"));
    free(text);
}

/* An account without conversations, or a run that found nothing to do, ends like any other. */
static void may_stay_empty(void **state)
{
    size_t once = 0;
    size_t twice = 0;

    tests_close(tests_open(*state, NULL), false);
    assert_int_equal(tests_verdict(*state, MT_VERIFY_READ_ALL), MT_VERIFY_UNFINISHED);
    tests_close(tests_open(*state, NULL), true);
    assert_int_equal(tests_verdict(*state, MT_VERIFY_READ_ALL), MT_VERIFY_COMPLETE);
    free(tests_read(tests_path(*state, "CHECKPOINT"), &once));
    tests_close(tests_open(*state, NULL), true);
    free(tests_read(tests_path(*state, "CHECKPOINT"), &twice));
    assert_int_equal(once, twice); /* who looks only writes nothing */
}

static bool count_one(void *ud, const struct mt_archive_state *s)
{
    static const char *const want[] = {"group:2", "single:a", "group:1"};
    size_t *n = ud;
    assert_string_equal(s->conversation, want[(*n)++]);
    return true;
}

static void remembers_what_is_committed(void **state)
{
    size_t n = 0;
    struct mt_archive *archive = tests_open(*state, NULL);

    assert_null(mt_archive_state(archive, "group:1"));
    tests_commit(archive, "group:2", 5, 2, false);
    tests_commit(archive, "single:a", 1, 1, true);
    tests_commit(archive, "group:1", 100, 10, true);
    tests_close(archive, true);
    archive = tests_open(*state, NULL);
    const struct mt_archive_state *s = mt_archive_state(archive, "group:1");
    assert_non_null(s);
    assert_int_equal(s->messages_n, 10);
    assert_int_equal(s->lines_n, 10);
    assert_string_equal(s->first_id, "100");
    assert_string_equal(s->last_id, "109");
    assert_int_equal(s->first_ms, 100000);
    assert_int_equal(s->last_ms, 109000);
    assert_string_equal(s->cursor, "109");
    assert_int_equal(s->synced_ms, 5);
    assert_true(s->complete);
    assert_false(mt_archive_state(archive, "group:2")->complete);
    mt_archive_each(archive, count_one, &n);
    assert_int_equal(n, 3);
    tests_close(archive, true);
}

static void tells_who_holds_it(void **state)
{
    char pid[40];
    struct mt_archive *archive = tests_open(*state, NULL);
    struct mt_fault fault = tests_open_fails(*state, &tests_identity);

    assert_int_equal(fault.kind, MT_ERR_BUSY);
    assert_string_equal(fault.code, "archive.locked");
    snprintf(pid, sizeof pid, "process %ld on ", (long)getpid());
    assert_non_null(strstr(fault.message, pid));
    tests_close(archive, true);
    tests_close(tests_open(*state, NULL), true);
}

static void refuses_another_account(void **state)
{
    struct mt_archive_identity other = {"model", "org#app", "you"};

    tests_close(tests_open(*state, NULL), true);
    uint64_t before = tests_print(*state);
    struct mt_fault fault = tests_open_fails(*state, &other);
    assert_int_equal(fault.kind, MT_ERR_INVALID);
    assert_string_equal(fault.code, "archive.other_account");
    assert_non_null(strstr(fault.message, TESTS_USER));
    assert_int_equal(tests_print(*state), before);
}

static void refuses_another_format(void **state)
{
    static const char *const texts[] = {"imarc 2\n", "imarc 1", "", "imarc 1\n\0x"};
    static const size_t lens[] = {8, 7, 0, 10};
    char path[600];

    tests_close(tests_open(*state, NULL), true);
    snprintf(path, sizeof path, "%s/FORMAT", (char *)*state);
    for (size_t i = 0; i < 4; i++) {
        tests_write(path, texts[i], lens[i]);
        struct mt_fault fault = tests_open_fails(*state, &tests_identity);
        assert_int_equal(fault.kind, MT_ERR_INVALID);
        assert_string_equal(fault.code, "archive.format");
    }
}

static void refuses_a_folder_with_other_files(void **state)
{
    char path[600];

    snprintf(path, sizeof path, "%s/thesis.doc", (char *)*state);
    tests_write(path, "x", 1);
    struct mt_fault fault = tests_open_fails(*state, &tests_identity);
    assert_int_equal(fault.kind, MT_ERR_INVALID);
    assert_string_equal(fault.code, "archive.not_empty");
    assert_non_null(strstr(fault.message, "thesis.doc"));
}

static void refuses_a_changed_account_file(void **state)
{
    size_t len = 0;
    struct mt_archive *archive = tests_open(*state, NULL);

    tests_commit(archive, "group:1", 1, 3, true);
    tests_close(archive, true);
    char *text = tests_read(tests_path(*state, "account.json"), &len);
    text[len - 4] ^= 1;
    tests_write(tests_path(*state, "account.json"), text, len);
    free(text);
    assert_string_equal(tests_open_fails(*state, &tests_identity).code, "archive.damaged");
    unlink(tests_path(*state, "account.json"));
    assert_string_equal(tests_open_fails(*state, &tests_identity).code, "archive.damaged");
}

/* Ids come from outside: none of them may become a path of its own. */
static void ids_do_not_leave_the_folder(void **state)
{
    static const char *const ids[] = {"group:../../../../x",
                                      "group:.",
                                      "single:a/b",
                                      "..",
                                      "group:\xe4\xb8\xad\xe6\x96\x87",
                                      "/etc/x"};
    char dir[600], longest[256];
    struct mt_archive_identity hostile = {"model", "../..#..", "/../../me"};
    struct mt_archive *archive = NULL;
    struct mt_fault fault;
    char **names = NULL;
    size_t n = 0;

    snprintf(dir, sizeof dir, "%s/in", (char *)*state);
    assert_int_equal(mt_archive_open(dir, &hostile, NULL, &archive, &fault), MT_OK);
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        tests_commit(archive, ids[i], 1, 1, true);
    memset(longest, 'x', 255);
    longest[255] = '\0';
    tests_commit(archive, longest, 1, 1, true);
    tests_close(archive, true);
    assert_int_equal(mt_fs_list(*state, &names, &n), 0);
    assert_int_equal(n, 1); /* nothing beside "in" */
    mt_mem_free(names);
    assert_int_equal(tests_verdict(dir, MT_VERIFY_READ_ALL), MT_VERIFY_COMPLETE);
}

int test_open(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(makes_the_layout, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(may_stay_empty, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(remembers_what_is_committed, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(tells_who_holds_it, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(refuses_another_account, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(refuses_another_format, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(refuses_a_folder_with_other_files, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(refuses_a_changed_account_file, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(ids_do_not_leave_the_folder, tests_begin, tests_end),
    };
    return cmocka_run_group_tests_name("open", tests, NULL, NULL);
}

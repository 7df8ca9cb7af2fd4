/* The journal's reader on damaged and torn text: what belongs to an interrupted commit is left out,
 * everything else is damage. */
#include "tests.h"

#include "archive/archive_int.h"

#include <stdlib.h>
#include <string.h>

struct journal {
    char *text;
    size_t len;
    size_t lines[32]; /* where each line starts; one more for the end */
    size_t lines_n;
};

/* begin; a group of four; a group of three, all of one run. */
static void load(const char *dir, struct journal *j, bool clean)
{
    static const char *const names[] = {"group:1", "group:2", "group:3", "group:4"};
    struct mt_archive *archive = tests_open(dir, NULL);
    struct mt_fault fault;

    for (uint64_t round = 0; round < 2; round++) {
        struct mt_archive_batch batches[4];
        struct mt_buf lines[4];
        for (size_t i = 0; i < 4 - round; i++)
            batches[i] = tests_batch(&lines[i], names[i], 1 + round * 2, 2, true);
        assert_int_equal(mt_archive_commit(archive, batches, 4 - round, &fault), MT_OK);
        for (size_t i = 0; i < 4 - round; i++)
            mt_buf_deinit(&lines[i]);
    }
    tests_close(archive, clean);
    j->text = tests_read(tests_path(dir, "CHECKPOINT"), &j->len);
    j->lines_n = 0;
    for (size_t at = 0; at < j->len; at++) {
        if (!at || j->text[at - 1] == '\n')
            j->lines[j->lines_n++] = at;
    }
    j->lines[j->lines_n] = j->len;
    assert_int_equal(j->lines_n, clean ? 9 : 8);
}

/* Records that counted, or -1 for damage. */
static int parse(const char *text, size_t len)
{
    struct mt_ar_journal journal;
    struct mt_map *convs = mt_map_new();
    struct mt_fault fault = {0};

    assert_int_equal(mt_ar_journal_init(&journal), MT_OK);
    enum mt_rc rc = mt_ar_journal_parse(text, len, &journal, convs, &fault);
    int n = (int)journal.records_n;
    if (rc) {
        assert_int_equal(rc, MT_ERR_DAMAGED);
        assert_string_equal(fault.code, "archive.damaged");
        n = -1;
    }
    mt_sha256_free(journal.hash);
    mt_map_free(convs, mt_ar_conv_free);
    return n;
}

static int parse_with_hole(const struct journal *j, size_t from, size_t to)
{
    char *text = malloc(j->len);
    memcpy(text, j->text, j->len);
    memset(text + from, 0, to - from);
    int n = parse(text, j->len);
    free(text);
    return n;
}

static int parse_without(const struct journal *j, size_t line)
{
    char *text = malloc(j->len);
    size_t gone = j->lines[line + 1] - j->lines[line];
    memcpy(text, j->text, j->lines[line]);
    memcpy(text + j->lines[line], j->text + j->lines[line + 1], j->len - j->lines[line + 1]);
    int n = parse(text, j->len - gone);
    free(text);
    return n;
}

static void cut_anywhere_keeps_what_is_whole(void **state)
{
    struct journal j;

    load(*state, &j, false);
    for (size_t len = 0; len <= j.len; len++) {
        size_t whole = 0;
        while (whole < j.lines_n && j.lines[whole + 1] <= len)
            whole++;
        assert_int_equal(parse(j.text, len), whole);
    }
    free(j.text);
}

/* Only the last commit may be torn: it is the one whose sync may not have ended. */
static void torn_inside_the_last_commit_only(void **state)
{
    struct journal j;

    load(*state, &j, false);
    for (size_t line = 0; line < j.lines_n; line++) {
        int n = parse_with_hole(&j, j.lines[line] + 20, j.lines[line] + 60);
        assert_int_equal(n, line >= 5 ? (int)line : -1);
        /* the newline too, so that two records become one bad line */
        if (line + 1 < j.lines_n) {
            n = parse_with_hole(&j, j.lines[line + 1] - 10, j.lines[line + 1] + 10);
            assert_int_equal(n, line >= 5 ? (int)line : -1);
        }
    }
    free(j.text);
}

static void after_a_clean_end_nothing_is_torn(void **state)
{
    struct journal j;

    load(*state, &j, true);
    for (size_t line = 0; line + 1 < j.lines_n; line++)
        assert_int_equal(parse_with_hole(&j, j.lines[line] + 20, j.lines[line] + 60), -1);
    assert_int_equal(parse(j.text, j.len), 9);
    free(j.text);
}

static void a_missing_record_is_damage(void **state)
{
    struct journal j;

    load(*state, &j, false);
    for (size_t line = 0; line + 1 < j.lines_n; line++)
        assert_int_equal(parse_without(&j, line), -1);
    free(j.text);
}

static void changed_order_is_damage(void **state)
{
    struct journal j;

    load(*state, &j, false);
    for (size_t line = 0; line + 1 < j.lines_n; line++) {
        char *text = malloc(j.len);
        size_t a = j.lines[line], b = j.lines[line + 1], c = j.lines[line + 2];
        memcpy(text, j.text, j.len);
        memcpy(text + a, j.text + b, c - b);
        memcpy(text + a + (c - b), j.text + a, b - a);
        assert_int_equal(parse(text, j.len), -1);
        free(text);
    }
    free(j.text);
}

int test_journal(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(cut_anywhere_keeps_what_is_whole, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(torn_inside_the_last_commit_only, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(after_a_clean_end_nothing_is_torn, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(a_missing_record_is_damage, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(changed_order_is_damage, tests_begin, tests_end),
    };
    return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}

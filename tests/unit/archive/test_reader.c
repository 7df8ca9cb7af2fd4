/* Archives that are read: while they are written, over sealed and open segments, and damaged ones.
 */
#include "tests.h"

#include "archive/reader.h"

#include <stdlib.h>
#include <string.h>

static const struct mt_archive_options small = {.segment_bytes = 2000};

static struct mt_archive_reader *open_reader(const char *dir)
{
    struct mt_archive_reader *reader = NULL;
    struct mt_fault fault;
    assert_int_equal(mt_archive_reader_open(dir, &reader, &fault), MT_OK);
    return reader;
}

/* All lines, one after the other, and of how many segments. */
static void read_all(struct mt_archive_reader *reader, const char *conversation, struct mt_buf *all,
                     size_t *segments_n)
{
    struct mt_buf out;
    struct mt_fault fault;
    bool more = true;
    mt_buf_init(&out, 1 << 20);
    for (*segments_n = 0; more; (*segments_n)++) {
        assert_int_equal(
            mt_archive_reader_segment(reader, conversation, *segments_n, &out, &more, &fault),
            MT_OK);
        assert_int_equal(mt_buf_append(all, out.data, out.len), MT_OK);
    }
    mt_buf_deinit(&out);
}

static void reads_what_is_committed(void **state)
{
    struct mt_archive *archive = tests_open(*state, &small);
    struct mt_buf all, wanted;
    size_t n = 0;

    for (uint64_t id = 1; id <= 196; id += 5)
        tests_commit(archive, "group:1", id, 5, true);
    struct mt_archive_reader *reader = open_reader(*state); /* whoever writes has the lock */
    tests_commit(archive, "single:late", 1, 1, true);
    mt_buf_init(&all, 1 << 20);
    mt_buf_init(&wanted, 1 << 20);
    tests_lines(&wanted, "group:1", 1, 200);
    read_all(reader, "group:1", &all, &n);
    assert_true(n > 2); /* sealed ones and an open one */
    assert_int_equal(all.len, wanted.len);
    assert_memory_equal(all.data, wanted.data, all.len);
    mt_buf_reset(&all);
    read_all(reader, "single:late", &all, &n);
    assert_int_equal(all.len, 0); /* that came later */
    read_all(reader, "single:nobody", &all, &n);
    assert_int_equal(all.len, 0);
    struct mt_archive_identity identity = mt_archive_reader_identity(reader);
    assert_string_equal(identity.provider, tests_identity.provider);
    assert_string_equal(identity.appkey, tests_identity.appkey);
    assert_string_equal(identity.user, tests_identity.user);
    mt_archive_reader_free(reader);
    tests_close(archive, true);
    uint64_t before = tests_print(*state);
    reader = open_reader(*state);
    read_all(reader, "single:late", &all, &n);
    assert_true(all.len > 0);
    mt_archive_reader_free(reader);
    assert_int_equal(tests_print(*state), before); /* nothing was changed */
    mt_buf_deinit(&all);
    mt_buf_deinit(&wanted);
}

static void says_what_is_wrong(void **state)
{
    struct mt_archive_reader *reader = NULL;
    struct mt_fault fault;
    struct mt_buf out;
    bool more = false;
    char *text = NULL;
    size_t len = 0;

    assert_int_equal(mt_archive_reader_open(*state, &reader, &fault), MT_ERR_NOT_FOUND);
    assert_string_equal(fault.code, "archive.none");
    assert_null(reader);
    struct mt_archive *archive = tests_open(*state, &small);
    for (uint64_t id = 1; id <= 196; id += 5)
        tests_commit(archive, "group:1", id, 5, true);
    tests_close(archive, true);
    text = tests_read(tests_path(*state, "conv/group%3A1/000001.jsonl.zst"), &len);
    assert_non_null(text);
    tests_write(tests_path(*state, "conv/group%3A1/000001.jsonl.zst"), text, len / 2);
    mt_buf_init(&out, 1 << 20);
    reader = open_reader(*state);
    assert_int_equal(mt_archive_reader_segment(reader, "group:1", 0, &out, &more, &fault),
                     MT_ERR_DAMAGED);
    assert_int_equal(mt_archive_reader_segment(reader, "group:1", 1, &out, &more, &fault), MT_OK);
    assert_int_equal(mt_archive_reader_segment(reader, "group:1", 1000, &out, &more, &fault),
                     MT_OK);
    assert_false(more);
    assert_int_equal(out.len, 0);
    mt_archive_reader_free(reader);
    tests_write(tests_path(*state, "conv/group%3A1/000001.jsonl.zst"), text, len);
    free(text);
    tests_write(tests_path(*state, "account.json"), "{\"v\":1}", 7);
    assert_int_equal(mt_archive_reader_open(*state, &reader, &fault), MT_ERR_DAMAGED);
    assert_string_equal(fault.code, "archive.damaged");
    tests_write(tests_path(*state, "CHECKPOINT"), "00000000 {}\n00000000 {}\n", 24);
    assert_int_equal(mt_archive_reader_open(*state, &reader, &fault), MT_ERR_DAMAGED);
    assert_null(reader);
    mt_buf_deinit(&out);
}

int test_reader(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_what_is_committed, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(says_what_is_wrong, tests_begin, tests_end),
    };
    return cmocka_run_group_tests_name("reader", tests, NULL, NULL);
}

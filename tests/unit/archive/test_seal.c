/* Sealing: when, into what, and that nothing changes for a reader. */
#include "tests.h"

#include "archive/archive_int.h"
#include "base/clock.h"
#include "codec/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct mt_archive_options small = {.segment_bytes = 2000};

static void seals_what_is_full_while_it_runs(void **state)
{
    size_t n = 0;
    struct mt_archive *archive = tests_open(*state, &small);

    for (uint64_t id = 1; id <= 200; id += 5)
        tests_commit(archive, "group:1", id, 5, id > 195);
    assert_true(tests_exists(tests_path(*state, "conv/group%3A1/000001.jsonl.zst")));
    assert_false(tests_exists(tests_path(*state, "conv/group%3A1/000001.jsonl")));
    assert_true(tests_exists(tests_path(*state, "conv/group%3A1/000005.jsonl.zst")));
    uint64_t *ids = tests_ids(archive, "group:1", &n);
    assert_int_equal(n, 200);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(ids[i], i + 1);
    free(ids);
    tests_close(archive, true);
    assert_int_equal(tests_verdict(*state, MT_VERIFY_READ_ALL), MT_VERIFY_COMPLETE);
    archive = tests_open(*state, &small);
    free(tests_ids(archive, "group:1", &n));
    assert_int_equal(n, 200);
    tests_commit(archive, "group:1", 201, 1, true);
    tests_close(archive, true);
    assert_int_equal(tests_verdict(*state, MT_VERIFY_READ_ALL), MT_VERIFY_COMPLETE);
}

static int64_t later(void *ud)
{
    return *(int64_t *)ud;
}

static void seals_what_is_old(void **state)
{
    int64_t now_ms = mt_clock_wall_ms();
    struct mt_clock_seam seam = {.wall_ms = later, .ud = &now_ms};
    struct mt_fault fault;

    mt_clock_seam_set(&seam);
    struct mt_archive *archive = tests_open(*state, NULL);
    tests_commit(archive, "group:1", 1, 5, true);
    tests_close(archive, true);
    now_ms += 23 * 3600 * 1000;
    archive = tests_open(*state, NULL);
    assert_int_equal(mt_archive_seal_due(archive, &fault), MT_OK);
    tests_close(archive, true);
    assert_true(tests_exists(tests_path(*state, "conv/group%3A1/000001.jsonl")));
    now_ms += 2 * 3600 * 1000;
    archive = tests_open(*state, NULL);
    assert_int_equal(mt_archive_seal_due(archive, &fault), MT_OK);
    tests_close(archive, true);
    mt_clock_seam_set(NULL);
    assert_true(tests_exists(tests_path(*state, "conv/group%3A1/000001.jsonl.zst")));
    assert_int_equal(tests_verdict(*state, MT_VERIFY_READ_ALL), MT_VERIFY_COMPLETE);
}

/* The manifest says of each sealed segment what is in it, and each line holds the one before. */
static void the_manifest_says_what_is_sealed(void **state)
{
    size_t len = 0;
    uint64_t v = 0;
    char prev[MT_SHA256_HEX];
    struct mt_archive *archive = tests_open(*state, &small);

    for (uint64_t id = 1; id <= 100; id += 5)
        tests_commit(archive, "group:1", id, 5, true);
    tests_close(archive, true);
    char *text = tests_read(tests_path(*state, "MANIFEST.jsonl"), &len);
    assert_non_null(text);
    mt_ar_hex_zero(prev);
    uint64_t seq = 0, next_id = 1;
    for (char *line = text, *end = NULL; (end = strchr(line, '\n')); line = end + 1) {
        struct mt_json *root = NULL;
        assert_int_equal(mt_json_parse(line, (size_t)(end - line), 65536, &root, NULL), MT_OK);
        assert_true(mt_json_u64(mt_json_get(root, "seq"), &v));
        assert_int_equal(v, ++seq);
        assert_true(mt_json_u64(mt_json_get(root, "first_id"), &v));
        assert_int_equal(v, next_id);
        assert_int_equal(mt_json_i64(mt_json_get(root, "first_ms"), 0), next_id * 1000);
        assert_true(mt_json_u64(mt_json_get(root, "last_id"), &next_id));
        assert_int_equal(mt_json_i64(mt_json_get(root, "last_ms"), 0), next_id * 1000);
        assert_true(mt_json_u64(mt_json_get(root, "messages"), &v));
        assert_string_equal(mt_json_str(mt_json_get(root, "prev_sha256")), prev);
        mt_ar_hex_of(line, (size_t)(end - line), prev);
        next_id++;
        mt_json_free(root);
    }
    assert_true(seq >= 3);
    free(text);
}

struct count {
    size_t n;
};

static enum mt_rc count_line(void *ud, const char *line, size_t len)
{
    (void)line;
    (void)len;
    ((struct count *)ud)->n++;
    return MT_OK;
}

static enum mt_rc stop_at_once(void *ud, const char *line, size_t len)
{
    count_line(ud, line, len);
    return MT_ERR_CANCELLED;
}

static void bounds_leave_segments_out(void **state)
{
    struct count all = {0}, some = {0}, early = {0}, one = {0};
    struct mt_fault fault;
    struct mt_archive *archive = tests_open(*state, &small);

    for (uint64_t id = 1; id <= 100; id += 5)
        tests_commit(archive, "group:1", id, 5, true);
    assert_int_equal(mt_archive_lines(archive, "group:1", 0, 0, count_line, &all, &fault), MT_OK);
    assert_int_equal(all.n, 100);
    assert_int_equal(mt_archive_lines(archive, "group:1", 90000, 0, count_line, &some, &fault),
                     MT_OK);
    assert_true(some.n >= 11 && some.n < 60);
    assert_int_equal(mt_archive_lines(archive, "group:1", 0, 11000, count_line, &early, &fault),
                     MT_OK);
    assert_true(early.n >= 10 && early.n < 60);
    assert_int_equal(mt_archive_lines(archive, "group:1", 0, 0, stop_at_once, &one, &fault),
                     MT_ERR_CANCELLED);
    assert_int_equal(one.n, 1);
    assert_int_equal(mt_archive_lines(archive, "group:none", 0, 0, count_line, &all, &fault),
                     MT_OK);
    assert_int_equal(all.n, 100);
    tests_close(archive, true);
}

/* A segment that is not what was committed is not sealed over. */
static void proves_before_it_removes(void **state)
{
    size_t len = 0;
    struct mt_fault fault;
    struct mt_archive_options large = {.segment_bytes = 1 << 20};
    struct mt_archive *archive = tests_open(*state, &large);

    tests_commit(archive, "group:1", 1, 50, true);
    tests_close(archive, true);
    char *text = tests_read(tests_path(*state, "conv/group%3A1/000001.jsonl"), &len);
    text[len / 2] ^= 1;
    tests_write(tests_path(*state, "conv/group%3A1/000001.jsonl"), text, len);
    archive = tests_open(*state, &small);
    assert_int_equal(mt_archive_seal_due(archive, &fault), MT_ERR_DAMAGED);
    assert_string_equal(fault.code, "archive.damaged");
    tests_close(archive, false);
    size_t len_after = 0;
    char *after = tests_read(tests_path(*state, "conv/group%3A1/000001.jsonl"), &len_after);
    assert_int_equal(len_after, len);
    assert_memory_equal(after, text, len);
    free(after);
    free(text);
}

int test_seal(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(seals_what_is_full_while_it_runs, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(seals_what_is_old, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(the_manifest_says_what_is_sealed, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(bounds_leave_segments_out, tests_begin, tests_end),
        cmocka_unit_test_setup_teardown(proves_before_it_removes, tests_begin, tests_end),
    };
    return cmocka_run_group_tests_name("seal", tests, NULL, NULL);
}

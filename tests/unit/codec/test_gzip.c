/* gzip and zlib: there and back, what others wrote, and what must be refused. */
#include "base/mem.h"
#include "base/rand.h"
#include "codec/gzip.h"
#include "tests.h"

#include <string.h>

#define MAX ((size_t)8 << 20)

/* "hello hello hello" as Python's gzip.compress(mtime=0) and zlib.compress write it. */
static const uint8_t by_gzip[] = {0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03,
                                  0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0x57, 0xc8, 0x40, 0x90, 0x00,
                                  0x80, 0x88, 0xf9, 0xe5, 0x11, 0x00, 0x00, 0x00};
static const uint8_t by_zlib[] = {0x78, 0x9c, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0x57,
                                  0xc8, 0x40, 0x90, 0x00, 0x3a, 0x2e, 0x06, 0x7d};

static void what_others_wrote(void **state)
{
    struct mt_buf out;

    (void)state;
    mt_buf_init(&out, MAX);
    assert_int_equal(mt_gzip_inflate(by_gzip, sizeof by_gzip, 17, &out, NULL), MT_OK);
    assert_int_equal(mt_gzip_inflate(by_zlib, sizeof by_zlib, 17, &out, NULL), MT_OK);
    assert_string_equal(out.data, "hello hello hellohello hello hello");
    mt_buf_deinit(&out);
}

static void there_and_back(void **state)
{
    uint64_t seed = tests_seed("there_and_back");

    (void)state;
    mt_rand_seed(seed);
    for (int round = 0; round < 60; round++) {
        size_t len = round < 3 ? (size_t)round : (size_t)mt_rand_below(200000);
        char *data = mt_mem_alloc(len);
        struct mt_buf packed, out;

        for (size_t i = 0; i < len; i++)
            data[i] = (char)mt_rand_below(round % 2 ? 3 : 256);
        mt_buf_init(&packed, MAX);
        mt_buf_init(&out, MAX);
        assert_int_equal(mt_gzip_deflate(data, len, &packed, NULL), MT_OK);
        assert_int_equal(mt_gzip_inflate(packed.data, packed.len, len, &out, NULL), MT_OK);
        assert_int_equal(out.len, len);
        if (len > 0)
            assert_memory_equal(out.data, data, len);
        mt_buf_deinit(&out);
        mt_buf_deinit(&packed);
        mt_mem_free(data);
    }
    mt_rand_seed(0);
}

static void a_bomb_stops_at_the_bound(void **state)
{
    size_t len = (size_t)4 << 20;
    char *zeros = mt_mem_calloc(1, len);
    struct mt_buf packed, out, small;
    struct mt_fault fault;

    (void)state;
    mt_buf_init(&packed, MAX);
    mt_buf_init(&out, MAX);
    mt_buf_init(&small, 1000);
    assert_int_equal(mt_gzip_deflate(zeros, len, &packed, &fault), MT_OK);
    assert_true(packed.len < 8192);
    assert_int_equal(mt_buf_append_str(&out, "kept"), MT_OK);
    assert_int_equal(mt_gzip_inflate(packed.data, packed.len, len - 1, &out, &fault), MT_ERR_LIMIT);
    assert_string_equal(fault.code, "gzip.too_large");
    assert_string_equal(out.data, "kept");
    assert_int_equal(mt_gzip_inflate(packed.data, packed.len, len, &small, &fault), MT_ERR_LIMIT);
    assert_string_equal(fault.code, "gzip.too_large");
    assert_int_equal(mt_gzip_inflate(packed.data, packed.len, len, &out, &fault), MT_OK);
    assert_int_equal(out.len, len + 4);
    mt_buf_deinit(&small);
    mt_buf_deinit(&out);
    mt_buf_deinit(&packed);
    mt_mem_free(zeros);
}

static void damage_is_told(void **state)
{
    uint8_t bad[sizeof by_gzip + 1];
    struct mt_buf out;
    struct mt_fault fault;

    (void)state;
    mt_buf_init(&out, MAX);
    for (size_t n = 0; n < sizeof by_gzip; n++) { /* cut anywhere */
        assert_int_equal(mt_gzip_inflate(by_gzip, n, MAX, &out, &fault), MT_ERR_DAMAGED);
        assert_string_equal(fault.code, "gzip.damaged");
        assert_int_equal(out.len, 0);
    }
    memcpy(bad, by_gzip, sizeof by_gzip);
    bad[sizeof by_gzip] = 0;
    assert_int_equal(mt_gzip_inflate(bad, sizeof bad, MAX, &out, &fault), MT_ERR_DAMAGED);
    bad[20] ^= 1; /* the checksum */
    assert_int_equal(mt_gzip_inflate(bad, sizeof by_gzip, MAX, &out, &fault), MT_ERR_DAMAGED);
    assert_int_equal(mt_gzip_inflate("plain text", 10, MAX, &out, &fault), MT_ERR_DAMAGED);
    mt_buf_deinit(&out);
}

static void memory_that_is_short_is_no_crash(void **state)
{
    int64_t live = mt_mem_seam_live();

    (void)state;
    for (uint64_t n = 1; n < 12; n++) {
        struct mt_buf packed, out;

        mt_buf_init(&packed, MAX);
        mt_buf_init(&out, MAX);
        mt_mem_seam_fail_at(n, 0);
        if (mt_gzip_deflate("abc", 3, &packed, NULL) == MT_OK)
            (void)!mt_gzip_inflate(packed.data, packed.len, MAX, &out, NULL);
        mt_mem_seam_fail_at(0, 0);
        mt_buf_deinit(&out);
        mt_buf_deinit(&packed);
        assert_int_equal(mt_mem_seam_live(), live);
    }
}

int test_gzip(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_others_wrote),
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(a_bomb_stops_at_the_bound),
        cmocka_unit_test(damage_is_told),
        cmocka_unit_test(memory_that_is_short_is_no_crash),
    };

    return cmocka_run_group_tests_name("codec/gzip", tests, NULL, NULL);
}

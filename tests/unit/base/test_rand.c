/* Random numbers. */
#include "base/embedded.h"
#include "base/rand.h"
#include "tests.h"

#include <string.h>

static uint64_t draw(void)
{
    uint64_t r = 0;
    mt_rand_bytes(&r, sizeof r);
    return r;
}

static void a_seed_repeats(void **state)
{
    (void)state;
    mt_rand_seed(42);
    /* computed by an independent reading of the algorithm's description */
    assert_int_equal(draw(), UINT64_C(1546998764402558742));
    assert_int_equal(draw(), UINT64_C(6990951692964543102));
    assert_int_equal(draw(), UINT64_C(12544586762248559009));
    unsigned char odd[13];
    mt_rand_bytes(odd, sizeof odd);
    mt_rand_seed(43);
    assert_int_not_equal(draw(), UINT64_C(1546998764402558742));
    mt_rand_seed(0);
    assert_int_not_equal(draw(), draw()); /* the kernel's again */
}

static void stays_below(void **state)
{
    (void)state;
    mt_rand_seed(tests_seed("rand"));
    assert_int_equal(mt_rand_below(0), 0);
    assert_int_equal(mt_rand_below(1), 0);
    unsigned counts[3] = {0};
    for (int i = 0; i < 30000; i++) {
        uint64_t r = mt_rand_below(3);
        assert_true(r < 3);
        counts[r]++;
    }
    for (int i = 0; i < 3; i++) { /* 10000 ± 12 standard deviations */
        assert_in_range(counts[i], 9000, 11000);
    }
    /* plain remainder would give the lower half twice as often as the upper for this n */
    const uint64_t n = (UINT64_C(3) << 62);
    unsigned low = 0;
    for (int i = 0; i < 3000; i++) {
        uint64_t r = mt_rand_below(n);
        assert_true(r < n);
        low += r < n / 3;
    }
    assert_in_range(low, 700, 1300); /* a third, not a half */
    mt_rand_seed(0);
}

static void kernel_bytes_differ(void **state)
{
    (void)state;
    unsigned char a[64] = {0}, b[64] = {0};
    mt_rand_bytes(a, sizeof a);
    mt_rand_bytes(b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
    mt_rand_bytes(a, 0);
}

static void embedded_files_are_found(void **state)
{
    (void)state;
    for (const struct mt_embedded_file *f = mt_embedded_files; f->path; f++) {
        assert_ptr_equal(mt_embedded_find(f->path), f);
        assert_int_equal(strlen(f->data), f->len);
    }
    assert_null(mt_embedded_find("lua/none.lua"));
    assert_null(mt_embedded_find(""));
}

int test_rand(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_seed_repeats),
        cmocka_unit_test(stays_below),
        cmocka_unit_test(kernel_bytes_differ),
        cmocka_unit_test(embedded_files_are_found),
    };
    return cmocka_run_group_tests_name("base/rand", tests, NULL, NULL);
}

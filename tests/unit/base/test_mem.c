/* The allocation seam: failing the N-th allocation, counting, and what is live. */
#include "base/mem.h"
#include "tests.h"

#include <pthread.h>
#include <string.h>

static void counts_and_lives(void **state)
{
    (void)state;
    int64_t live = mt_mem_seam_live();
    mt_mem_seam_fail_at(0, 0);
    void *a = mt_mem_alloc(10);
    void *b = mt_mem_calloc(3, 4);
    char *c = mt_mem_strdup("abc");
    assert_non_null(a);
    assert_non_null(b);
    assert_string_equal(c, "abc");
    assert_int_equal(mt_mem_seam_count(), 3);
    assert_int_equal(mt_mem_seam_live(), live + 3);
    a = mt_mem_realloc(a, 1000);
    assert_non_null(a);
    assert_int_equal(mt_mem_seam_count(), 4);
    assert_int_equal(mt_mem_seam_live(), live + 3);
    mt_mem_free(a);
    mt_mem_free(b);
    mt_mem_free(c);
    mt_mem_free(NULL);
    assert_int_equal(mt_mem_seam_live(), live);
}

static void fails_once_at_n(void **state)
{
    (void)state;
    int64_t live = mt_mem_seam_live();
    mt_mem_seam_fail_at(2, 0);
    void *a = mt_mem_alloc(1);
    void *b = mt_mem_alloc(1);
    void *c = mt_mem_alloc(1);
    assert_non_null(a);
    assert_null(b);
    assert_non_null(c);
    mt_mem_seam_fail_at(0, 0);
    mt_mem_free(a);
    mt_mem_free(c);
    assert_int_equal(mt_mem_seam_live(), live);
}

static void fails_from_n_on_when_sticky(void **state)
{
    (void)state;
    int64_t live = mt_mem_seam_live();
    char *kept = mt_mem_strdup("kept");
    mt_mem_seam_fail_at(1, 1);
    assert_null(mt_mem_alloc(1));
    assert_null(mt_mem_calloc(1, 1));
    assert_null(mt_mem_realloc(NULL, 1));
    assert_null(mt_mem_realloc(kept, 100)); /* and the old block stays */
    assert_null(mt_mem_strdup("x"));
    assert_null(mt_mem_strndup("x", 1));
    mt_mem_seam_fail_at(0, 0);
    assert_string_equal(kept, "kept");
    mt_mem_free(kept);
    assert_int_equal(mt_mem_seam_live(), live);
}

static void sizes_at_the_edge(void **state)
{
    (void)state;
    void *a = mt_mem_alloc(0);
    void *b = mt_mem_alloc(0);
    void *c = mt_mem_calloc(0, 8);
    void *d = mt_mem_realloc(mt_mem_alloc(8), 0);
    assert_non_null(a);
    assert_non_null(b);
    assert_non_null(c);
    assert_non_null(d);
    assert_ptr_not_equal(a, b);
    mt_mem_free(a);
    mt_mem_free(b);
    mt_mem_free(c);
    mt_mem_free(d);
    /* not a constant, or the compiler would warn about the very thing that is tested */
    volatile size_t half = SIZE_MAX / 2 + 1;
    assert_null(mt_mem_calloc(half, 2));
}

static void copies_text(void **state)
{
    (void)state;
    char *cut = mt_mem_strndup("abcdef", 3);
    char *whole = mt_mem_strndup("abc", 100);
    assert_string_equal(cut, "abc");
    assert_string_equal(whole, "abc");
    mt_mem_free(cut);
    mt_mem_free(whole);
}

static void *churn(void *ud)
{
    (void)ud;
    for (int i = 0; i < 20000; i++) {
        mt_mem_free(mt_mem_alloc((size_t)i % 64));
    }
    return NULL;
}

static void counts_from_threads(void **state)
{
    (void)state;
    int64_t live = mt_mem_seam_live();
    mt_mem_seam_fail_at(0, 0);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, churn, NULL), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(mt_mem_seam_count(), 80000);
    assert_int_equal(mt_mem_seam_live(), live);
}

int test_mem(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_and_lives),
        cmocka_unit_test(fails_once_at_n),
        cmocka_unit_test(fails_from_n_on_when_sticky),
        cmocka_unit_test(sizes_at_the_edge),
        cmocka_unit_test(copies_text),
        cmocka_unit_test(counts_from_threads),
    };
    return cmocka_run_group_tests_name("base/mem", tests, NULL, NULL);
}

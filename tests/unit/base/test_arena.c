/* The arena. */
#include "base/arena.h"
#include "base/mem.h"
#include "base/rand.h"
#include "tests.h"

#include <string.h>

static void aligned_and_apart(void **state)
{
    (void)state;
    mt_rand_seed(tests_seed("arena"));
    struct mt_arena *arena = mt_arena_new(1 << 20);
    unsigned char *p[500];
    size_t size[500];
    for (int i = 0; i < 500; i++) {
        size[i] = (size_t)mt_rand_below(1000);
        p[i] = mt_arena_alloc(arena, size[i]);
        assert_non_null(p[i]);
        assert_int_equal((uintptr_t)p[i] % 16, 0);
        memset(p[i], i & 0xFF, size[i]);
    }
    for (int i = 0; i < 500; i++) {
        for (size_t k = 0; k < size[i]; k++) {
            assert_int_equal(p[i][k], i & 0xFF);
        }
    }
    mt_arena_free(arena);
    mt_rand_seed(0);
}

static void holds_its_bound(void **state)
{
    (void)state;
    struct mt_arena *arena = mt_arena_new(1000);
    assert_null(mt_arena_alloc(arena, 1001));
    assert_non_null(mt_arena_alloc(arena, 900));
    assert_int_equal(mt_arena_used(arena), 912);
    assert_null(mt_arena_alloc(arena, 100));
    assert_non_null(mt_arena_alloc(arena, 80));
    assert_null(mt_arena_alloc(arena, SIZE_MAX));
    assert_null(mt_arena_alloc(arena, SIZE_MAX - 32));
    assert_null(mt_arena_calloc(arena, SIZE_MAX / 2, 4));
    assert_null(mt_arena_strndup(arena, "", SIZE_MAX));
    mt_arena_reset(arena);
    assert_int_equal(mt_arena_used(arena), 0);
    assert_non_null(mt_arena_alloc(arena, 992));
    mt_arena_free(arena);
    mt_arena_free(NULL);
}

static void copies(void **state)
{
    (void)state;
    struct mt_arena *arena = mt_arena_new(1 << 20);
    assert_string_equal(mt_arena_strdup(arena, "hello"), "hello");
    assert_string_equal(mt_arena_strndup(arena, "hello", 2), "he");
    assert_memory_equal(mt_arena_strndup(arena, "a\0b", 3), "a\0b", 4);
    const unsigned char *zero = mt_arena_calloc(arena, 100, 3);
    for (int i = 0; i < 300; i++) {
        assert_int_equal(zero[i], 0);
    }
    assert_non_null(mt_arena_calloc(arena, 0, 8));
    assert_non_null(mt_arena_alloc(arena, 0));
    mt_arena_free(arena);
}

static void keeps_one_block_when_reset(void **state)
{
    (void)state;
    int64_t live = mt_mem_seam_live();
    struct mt_arena *arena = mt_arena_new(1 << 20);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 100; i++) {
            assert_non_null(mt_arena_alloc(arena, 1000));
        }
        mt_arena_reset(arena);
        assert_int_equal(mt_mem_seam_live(), live + 2); /* the arena and one block */
    }
    mt_mem_seam_fail_at(0, 0);
    assert_non_null(mt_arena_alloc(arena, 4000));
    assert_int_equal(mt_mem_seam_count(), 0);
    mt_arena_release(arena);
    assert_int_equal(mt_mem_seam_live(), live + 1); /* the arena alone */
    assert_int_equal(mt_arena_used(arena), 0);
    assert_non_null(mt_arena_alloc(arena, 4000)); /* and it can be used again */
    mt_arena_free(arena);
    assert_int_equal(mt_mem_seam_live(), live);
}

static void survives_want_of_memory(void **state)
{
    (void)state;
    int64_t live = mt_mem_seam_live();
    mt_mem_seam_fail_at(1, 0);
    assert_null(mt_arena_new(100));
    struct mt_arena *arena = mt_arena_new(1 << 20);
    char *first = mt_arena_strdup(arena, "first");
    mt_mem_seam_fail_at(1, 1);
    assert_null(mt_arena_alloc(arena, 100000));
    mt_mem_seam_fail_at(0, 0);
    assert_string_equal(first, "first");
    assert_non_null(mt_arena_alloc(arena, 100000));
    mt_arena_free(arena);
    assert_int_equal(mt_mem_seam_live(), live);
}

int test_arena(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(aligned_and_apart),
        cmocka_unit_test(holds_its_bound),
        cmocka_unit_test(copies),
        cmocka_unit_test(keeps_one_block_when_reset),
        cmocka_unit_test(survives_want_of_memory),
    };
    return cmocka_run_group_tests_name("base/arena", tests, NULL, NULL);
}

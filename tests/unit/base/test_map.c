/* The map, against a plain list that does the same slowly. */
#include "base/map.h"
#include "base/mem.h"
#include "base/rand.h"
#include "tests.h"

#include <stdio.h>
#include <string.h>

static void basics(void **state)
{
    (void)state;
    int one = 1, two = 2;
    char key[] = "key";
    struct mt_map *map = mt_map_new();
    assert_null(mt_map_get(map, "key"));
    assert_null(mt_map_remove(map, "key"));
    assert_int_equal(mt_map_count(map), 0);
    assert_int_equal(mt_map_put(map, key, &one), MT_OK);
    key[0] = 'X'; /* the map has its own copy */
    assert_ptr_equal(mt_map_get(map, "key"), &one);
    assert_int_equal(mt_map_put(map, "key", &two), MT_OK);
    assert_int_equal(mt_map_put(map, "", &one), MT_OK);
    assert_int_equal(mt_map_count(map), 2);
    assert_ptr_equal(mt_map_get(map, "key"), &two);
    assert_ptr_equal(mt_map_get(map, ""), &one);
    assert_ptr_equal(mt_map_remove(map, "key"), &two);
    assert_null(mt_map_get(map, "key"));
    assert_ptr_equal(mt_map_remove(map, ""), &one);
    assert_int_equal(mt_map_count(map), 0);
    mt_map_free(map, NULL);
    mt_map_free(NULL, NULL);
}

struct walk {
    int n;
    int stop_at;
    char keys[10][8];
};

static bool collect(void *ud, const char *key, void *value)
{
    struct walk *w = ud;
    assert_string_equal(key, value);
    snprintf(w->keys[w->n++], sizeof w->keys[0], "%s", key);
    return w->n != w->stop_at;
}

static void walks_in_insertion_order(void **state)
{
    (void)state;
    static char names[5][2] = {"e", "a", "d", "b", "c"};
    struct mt_map *map = mt_map_new();
    struct walk w = {0};
    mt_map_each(map, collect, &w);
    assert_int_equal(w.n, 0);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(mt_map_put(map, names[i], names[i]), MT_OK);
    }
    mt_map_each(map, collect, &w);
    assert_int_equal(w.n, 5);
    for (int i = 0; i < 5; i++) {
        assert_string_equal(w.keys[i], names[i]);
    }
    struct walk some = {.stop_at = 2};
    mt_map_each(map, collect, &some);
    assert_int_equal(some.n, 2);
    mt_map_free(map, NULL);
}

static void frees_values(void **state)
{
    (void)state;
    int64_t live = mt_mem_seam_live();
    struct mt_map *map = mt_map_new();
    for (int i = 0; i < 100; i++) {
        char key[16];
        snprintf(key, sizeof key, "%d", i);
        assert_int_equal(mt_map_put(map, key, mt_mem_strdup(key)), MT_OK);
    }
    mt_map_free(map, mt_mem_free);
    assert_int_equal(mt_mem_seam_live(), live);
}

#define MODEL_N 2000

static void behaves_like_the_model(void **state)
{
    (void)state;
    static int model[MODEL_N]; /* the address is the value; 0: absent */
    mt_rand_seed(tests_seed("map"));
    int64_t live = mt_mem_seam_live();
    struct mt_map *map = mt_map_new();
    size_t count = 0;
    for (int round = 0; round < 50000; round++) {
        size_t k = (size_t)mt_rand_below(MODEL_N);
        char key[24];
        snprintf(key, sizeof key, "single:user%zu", k);
        switch (mt_rand_below(3)) {
        case 0:
            assert_int_equal(mt_map_put(map, key, &model[k]), MT_OK);
            count += !model[k];
            model[k] = 1;
            break;
        case 1:
            assert_ptr_equal(mt_map_remove(map, key), model[k] ? &model[k] : NULL);
            count -= (size_t)model[k];
            model[k] = 0;
            break;
        default:
            assert_ptr_equal(mt_map_get(map, key), model[k] ? &model[k] : NULL);
        }
        assert_int_equal(mt_map_count(map), count);
    }
    mt_map_free(map, NULL);
    assert_int_equal(mt_mem_seam_live(), live);
    mt_rand_seed(0);
}

/* Fails every allocation in turn, those inside the hash table's growth too. */
static void survives_want_of_memory(void **state)
{
    (void)state;
    int64_t live = mt_mem_seam_live();
    for (uint64_t n = 1;; n++) {
        mt_mem_seam_fail_at(n, 0);
        struct mt_map *map = mt_map_new();
        bool failed[600] = {false};
        size_t there = 0;
        for (int i = 0; map && i < 600; i++) {
            char key[16];
            snprintf(key, sizeof key, "%d", i);
            enum mt_rc rc = mt_map_put(map, key, &failed[i]);
            assert_true(rc == MT_OK || rc == MT_ERR_NOMEM);
            failed[i] = rc != MT_OK;
            there += rc == MT_OK;
        }
        bool reached = mt_mem_seam_count() >= n;
        mt_mem_seam_fail_at(0, 0);
        for (int i = 0; map && i < 600; i++) {
            char key[16];
            snprintf(key, sizeof key, "%d", i);
            assert_ptr_equal(mt_map_get(map, key), failed[i] ? NULL : &failed[i]);
        }
        if (map) {
            assert_int_equal(mt_map_count(map), there);
        }
        mt_map_free(map, NULL);
        assert_int_equal(mt_mem_seam_live(), live);
        if (!reached) {
            assert_true(n > 600);
            break;
        }
    }
}

int test_map(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(basics),
        cmocka_unit_test(walks_in_insertion_order),
        cmocka_unit_test(frees_values),
        cmocka_unit_test(behaves_like_the_model),
        cmocka_unit_test(survives_want_of_memory),
    };
    return cmocka_run_group_tests_name("base/map", tests, NULL, NULL);
}

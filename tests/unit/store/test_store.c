/* Stores: what is durable, what is damaged, and a disk that fails. Real files. */
#include "tests.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fs.h"
#include "base/log.h"
#include "loop/loop.h"
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ground {
    struct mt_loop *loop;
    struct mt_stores *stores;
    char dir[64];
    char path[128];
    char seen[512]; /* "key=value " of the last load */
    enum mt_rc rc;
    struct mt_fault fault;
    int calls;
};

static void quiet(void *ud, enum mt_log_level level, const char *line)
{
    (void)ud, (void)level, (void)line;
}

static void open_stores(struct ground *g)
{
    assert_int_equal(mt_loop_new(&g->loop), MT_OK);
    g->stores = mt_stores_new(g->loop);
    assert_non_null(g->stores);
}

static void close_stores(struct ground *g)
{
    mt_stores_free(g->stores);
    assert_int_equal(mt_loop_free(g->loop), MT_OK);
}

static int ground_up(void **state)
{
    struct ground *g = calloc(1, sizeof *g);

    assert_non_null(g);
    snprintf(g->dir, sizeof g->dir, "/tmp/moontide-store-XXXXXX");
    assert_non_null(mkdtemp(g->dir));
    snprintf(g->path, sizeof g->path, "%s/a%%2Fb.sqlite", g->dir);
    mt_log_sink_set(quiet, NULL);
    open_stores(g);
    *state = g;
    return 0;
}

static int ground_down(void **state)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    struct ground *g = *state;
    char path[160];

    close_stores(g);
    mt_log_sink_set(NULL, NULL);
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s%s", g->path, ends[i]);
        (void)mt_fs_unlink(path);
    }
    assert_int_equal(mt_fs_rmdir(g->dir), 0);
    free(g);
    return 0;
}

static struct mt_store *store(struct ground *g)
{
    struct mt_store *out = NULL;
    assert_int_equal(mt_store_get(g->stores, g->dir, "a/b", &out, &g->fault), MT_OK);
    return out;
}

static void ended(struct ground *g, enum mt_rc rc, const struct mt_fault *fault)
{
    g->rc = rc;
    if (fault)
        g->fault = *fault;
    g->calls++;
}

static void loaded(void *ud, enum mt_rc rc, const struct mt_store_entry *entries, size_t n,
                   const struct mt_fault *fault)
{
    struct ground *g = ud;
    size_t at = 0;

    g->seen[0] = '\0';
    for (size_t i = 0; i < n; i++)
        at += (size_t)snprintf(g->seen + at, sizeof g->seen - at, "%s=%.*s ", entries[i].key,
                               (int)entries[i].value_len, entries[i].value);
    ended(g, rc, fault);
}

static void flushed(void *ud, enum mt_rc rc, const struct mt_fault *fault)
{
    ended(ud, rc, fault);
}

static enum mt_rc load(struct ground *g)
{
    int before = g->calls;

    assert_int_equal(mt_store_load(store(g), loaded, g), MT_OK);
    assert_int_equal(g->calls, before); /* never at once */
    mt_loop_run(g->loop);
    assert_int_equal(g->calls, before + 1);
    return g->rc;
}

static enum mt_rc flush(struct ground *g)
{
    int before = g->calls;

    assert_int_equal(mt_store_flush(store(g), flushed, g), MT_OK);
    mt_loop_run(g->loop);
    assert_int_equal(g->calls, before + 1);
    return g->rc;
}

static enum mt_rc put(struct ground *g, const char *key, const char *value)
{
    return mt_store_put(store(g), key, value, value ? strlen(value) : 0, &g->fault);
}

static void what_is_set_is_there(void **state)
{
    struct ground *g = *state;

    assert_int_equal(load(g), MT_OK);
    assert_string_equal(g->seen, "");
    assert_false(mt_store_dirty(store(g)));
    assert_int_equal(put(g, "b", "1"), MT_OK);
    assert_int_equal(put(g, "b", "2"), MT_OK);
    assert_int_equal(put(g, "a", "x"), MT_OK);
    assert_int_equal(put(g, "c", "y"), MT_OK);
    assert_int_equal(put(g, "c", NULL), MT_OK);
    assert_true(mt_store_dirty(store(g)));
    assert_int_equal(flush(g), MT_OK);
    assert_false(mt_store_dirty(store(g)));
    assert_int_equal(flush(g), MT_OK); /* with nothing to do */
    assert_int_equal(put(g, "late", "z"), MT_OK);
    close_stores(g); /* what nobody waited for is written, too */
    open_stores(g);
    assert_int_equal(load(g), MT_OK);
    assert_string_equal(g->seen, "a=x b=2 late=z ");
}

static void put_in_between(void *ud)
{
    assert_int_equal(put(ud, "second", "2"), MT_OK);
}

static void what_comes_meanwhile_is_next(void **state)
{
    struct ground *g = *state;

    assert_int_equal(load(g), MT_OK);
    assert_int_equal(put(g, "first", "1"), MT_OK);
    assert_int_equal(mt_loop_post(g->loop, put_in_between, g), MT_OK);
    assert_int_equal(flush(g), MT_OK);
    assert_int_equal(flush(g), MT_OK);
    assert_int_equal(load(g), MT_OK);
    assert_string_equal(g->seen, "first=1 second=2 ");
}

static void spoil(struct ground *g, const char *text)
{
    assert_int_equal(mt_fs_replace(g->path, text, strlen(text)), 0);
}

static void damage_is_told_and_left(void **state)
{
    static const char *const spoilt[] = {"", "this is no database at all, only a text"};
    struct ground *g = *state;

    for (size_t i = 0; i < 2; i++) {
        struct mt_fs_stat st;
        spoil(g, spoilt[i]);
        assert_int_equal(load(g), MT_ERR_DAMAGED);
        assert_string_equal(g->fault.code, "store.damaged");
        assert_non_null(strstr(g->fault.message, "copy back"));
        assert_int_equal(mt_fs_stat(g->path, &st), 0);
        assert_int_equal(st.size_bytes, strlen(spoilt[i]));
    }
    (void)mt_fs_unlink(g->path); /* moved away: it begins with nothing, in the same process */
    assert_int_equal(load(g), MT_OK);
}

static void another_has_it(void **state)
{
    struct ground *g = *state;
    struct ground other = *g;

    assert_int_equal(put(g, "a", "1"), MT_OK);
    assert_int_equal(flush(g), MT_OK);
    open_stores(&other);
    assert_int_equal(load(&other), MT_ERR_BUSY);
    assert_string_equal(other.fault.code, "store.busy");
    close_stores(&other);
}

static void a_folder_that_cannot_be(void **state)
{
    struct ground *g = *state;
    struct mt_store *out = NULL;

    assert_int_equal(mt_store_get(g->stores, "/proc/none", "x", &out, &g->fault), MT_OK);
    assert_int_equal(mt_store_put(out, "a", "1", 1, &g->fault), MT_OK);
    assert_int_equal(mt_store_flush(out, flushed, g), MT_OK);
    mt_loop_run(g->loop);
    assert_int_not_equal(g->rc, MT_OK);
    assert_int_equal(mt_store_put(out, "a", "1", 1, &g->fault), g->rc); /* not silently lost */
    assert_int_equal(mt_store_get(g->stores, g->dir, "", &out, &g->fault), MT_ERR_INVALID);
}

int test_store(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_set_is_there, ground_up, ground_down),
        cmocka_unit_test_setup_teardown(what_comes_meanwhile_is_next, ground_up, ground_down),
        cmocka_unit_test_setup_teardown(damage_is_told_and_left, ground_up, ground_down),
        cmocka_unit_test_setup_teardown(another_has_it, ground_up, ground_down),
        cmocka_unit_test_setup_teardown(a_folder_that_cannot_be, ground_up, ground_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

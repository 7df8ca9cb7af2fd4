/* Loading files and making data up: order, ids, memory, time. */
#include "tests.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "msync.pb-c.h"
#include "sandbox/fill_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW_MS  INT64_C(1790000000000)
#define SPAN_MS (INT64_C(5) * 24 * 3600 * 1000)

struct world {
    struct mt_sb_store store;
    struct mt_sb_fill fill;
};

static void world_open(struct world *world, uint64_t generate_n, const char *const *load)
{
    assert_int_equal(mt_sb_store_init(&world->store, "sandbox#demo"), MT_OK);
    world->fill = (struct mt_sb_fill){
        .store = &world->store,
        .owner = mt_sb_user_make(&world->store, "agent"),
        .load = load,
        .generate_n = generate_n,
        .seed = 7,
        .now_ms = NOW_MS,
        .span_ms = SPAN_MS,
        .files_base = "http://127.0.0.1:1/sandbox/demo/chatfiles/",
    };
    assert_non_null(world->fill.owner);
}

static int by_id(const void *a, const void *b)
{
    const struct mt_sb_message *left = *(const struct mt_sb_message *const *)a;
    const struct mt_sb_message *right = *(const struct mt_sb_message *const *)b;
    return left->id < right->id ? -1 : left->id > right->id ? 1 : 0;
}

/* Ids are unique and ascend with time over the whole app, and inside each thread both ascend. */
static void check_order(const struct mt_sb_store *store)
{
    const struct mt_sb_message **all =
        mt_mem_calloc(store->message_n, sizeof(struct mt_sb_message *));
    size_t n = 0;
    assert_non_null(all);
    for (size_t i = 0; i < store->thread_n; i++) {
        const struct mt_sb_thread *thread = store->thread_list[i];
        for (size_t k = 0; k < thread->n; k++) {
            if (k > 0) {
                assert_true(thread->messages[k].id > thread->messages[k - 1].id);
                assert_true(thread->messages[k].ts_ms >= thread->messages[k - 1].ts_ms);
            }
            all[n++] = &thread->messages[k];
        }
    }
    assert_int_equal(n, store->message_n);
    qsort(all, n, sizeof(struct mt_sb_message *), by_id);
    for (size_t i = 1; i < n; i++) {
        assert_true(all[i]->id > all[i - 1]->id);
        assert_true(all[i]->ts_ms >= all[i - 1]->ts_ms);
    }
    mt_mem_free(all);
}

static void test_generate_is_believable(void **state)
{
    (void)state;
    struct world world;
    uint32_t kinds = 0;
    uint32_t ext_types = 0;
    uint64_t largest = 0;
    world_open(&world, 20000, NULL);
    assert_int_equal(mt_sb_fill_run(&world.fill, NULL), MT_OK);
    assert_int_equal(world.store.message_n, 20000);
    check_order(&world.store);
    for (size_t i = 0; i < world.store.thread_n; i++) {
        const struct mt_sb_thread *thread = world.store.thread_list[i];
        assert_true(thread->n > 0);
        largest = thread->n > largest ? thread->n : largest;
        for (size_t k = 0; k < thread->n; k++) {
            size_t len = 0;
            uint8_t *bytes = mt_sb_message_meta(&thread->messages[k], &len);
            Easemob__Pb__Meta *meta = easemob__pb__meta__unpack(NULL, len, bytes);
            assert_non_null(meta);
            Easemob__Pb__MessageBody *body =
                easemob__pb__message_body__unpack(NULL, meta->payload.len, meta->payload.data);
            assert_non_null(body);
            assert_true(meta->id == thread->messages[k].id);
            assert_true(meta->timestamp == (uint64_t)thread->messages[k].ts_ms);
            assert_true(thread->messages[k].ts_ms > NOW_MS - SPAN_MS - 1);
            assert_true(thread->messages[k].ts_ms <= NOW_MS);
            assert_int_equal(body->n_contents, 1);
            kinds |= 1U << thread->messages[k].kind;
            for (size_t e = 0; e < body->n_ext; e++)
                ext_types |= 1U << body->ext[e]->type;
            easemob__pb__message_body__free_unpacked(body, NULL);
            easemob__pb__meta__free_unpacked(meta, NULL);
            mt_mem_free(bytes);
        }
    }
    assert_int_equal(kinds, (1U << MT_SB_KINDS) - 1); /* every kind */
    assert_int_equal(ext_types, 0x1fe);               /* every type, 1 to 8 */
    assert_true(world.store.thread_n >= 100);
    assert_true(largest * world.store.thread_n > 100000); /* sizes are skewed */
    mt_sb_store_deinit(&world.store);
}

static void test_generate_repeats(void **state)
{
    (void)state;
    struct world a;
    struct world b;
    world_open(&a, 3000, NULL);
    world_open(&b, 3000, NULL);
    assert_int_equal(mt_sb_fill_run(&a.fill, NULL), MT_OK);
    assert_int_equal(mt_sb_fill_run(&b.fill, NULL), MT_OK);
    assert_int_equal(a.store.thread_n, b.store.thread_n);
    for (size_t i = 0; i < a.store.thread_n; i++) {
        const struct mt_sb_thread *left = a.store.thread_list[i];
        const struct mt_sb_thread *right = b.store.thread_list[i];
        assert_int_equal(left->n, right->n);
        for (size_t k = 0; k < left->n; k++) {
            assert_int_equal(left->messages[k].b64_len, right->messages[k].b64_len);
            assert_memory_equal(left->messages[k].b64, right->messages[k].b64,
                                left->messages[k].b64_len);
        }
    }
    mt_sb_store_deinit(&a.store);
    mt_sb_store_deinit(&b.store);
}

static size_t resident_kb(void)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    size_t kb = 0;
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "VmRSS:", 6) == 0)
            kb = strtoul(line + 6, NULL, 10);
    }
    (void)fclose(file);
    return kb;
}

/* A million messages: at most 400 bytes each (not measured under a sanitizer, whose memory is its
 * own). */
static void test_generate_million(void **state)
{
    (void)state;
    struct world world;
    size_t before = resident_kb();
    int64_t start_us = mt_clock_cpu_us();
    world_open(&world, 1000000, NULL);
    assert_int_equal(mt_sb_fill_run(&world.fill, NULL), MT_OK);
    int64_t took_us = mt_clock_cpu_us() - start_us;
    size_t each = (resident_kb() - before) * 1024 / 1000000;
    print_message("# 1,000,000 messages made up in %.2f s of CPU, %zu bytes of memory each\n",
                  (double)took_us / 1e6, each);
    assert_int_equal(world.store.message_n, 1000000);
    assert_true(world.store.thread_n < 500); /* the list has a place for each */
#ifndef MT_DEBUG
    assert_true(each <= 400);
#endif
    mt_sb_store_deinit(&world.store);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static const char GROUP_LINES[] = "{\"chat\":\"group\",\"conversation\":\"ubuntu\",\"from\":"
                                  "\"bob\",\"ts\":1103966040000,\"text\":\"one\"}\n"
                                  "{\"chat\":\"group\",\"conversation\":\"ubuntu\",\"from\":"
                                  "\"eve\",\"ts\":1103966040050,\"text\":\"two \\u4f60\\\"\"}\n"
                                  "\n"
                                  "{\"chat\":\"group\",\"conversation\":\"ubuntu\",\"from\":"
                                  "\"bob\",\"ts\":1103966040050,\"text\":\"\"}\n";
static const char SINGLE_LINES[] = "{\"chat\":\"single\",\"conversation\":\"film0\",\"from\":"
                                   "\"customer\",\"ts\":1103966040010,\"text\":\"q\"}\n"
                                   "{\"chat\":\"single\",\"conversation\":\"film0\",\"from\":"
                                   "\"agent\",\"ts\":1103966040020,\"text\":\"a\"}\n"
                                   "{\"chat\":\"single\",\"conversation\":\"film0\",\"from\":"
                                   "\"customer\",\"ts\":1103966040030,\"text\":\"t\"}";

static char *text_of(const struct mt_sb_message *message)
{
    size_t len = 0;
    uint8_t *bytes = mt_sb_message_meta(message, &len);
    Easemob__Pb__Meta *meta = easemob__pb__meta__unpack(NULL, len, bytes);
    Easemob__Pb__MessageBody *body =
        easemob__pb__message_body__unpack(NULL, meta->payload.len, meta->payload.data);
    char *text =
        mt_mem_strndup((const char *)body->contents[0]->text.data, body->contents[0]->text.len);
    easemob__pb__message_body__free_unpacked(body, NULL);
    easemob__pb__meta__free_unpacked(meta, NULL);
    mt_mem_free(bytes);
    return text;
}

static void test_load(void **state)
{
    const char *dir = *state;
    struct world world;
    char group[256];
    char single[256];
    (void)snprintf(group, sizeof group, "%s/group.jsonl", dir);
    (void)snprintf(single, sizeof single, "%s/single.jsonl", dir);
    write_file(group, GROUP_LINES);
    write_file(single, SINGLE_LINES);
    const char *files[] = {group, single, NULL};
    world_open(&world, 0, files);
    assert_int_equal(mt_sb_fill_run(&world.fill, NULL), MT_OK);
    assert_int_equal(world.store.message_n, 6);
    check_order(&world.store);
    struct mt_sb_view *view = mt_sb_view_find(&world.store, world.fill.owner, "ubuntu", true);
    assert_non_null(view);
    assert_int_equal(view->thread->n, 3);
    assert_int_equal(view->thread->view_n, 3); /* owner, bob, eve */
    assert_int_equal(mt_sb_view_unread(view), 3);
    char *text = text_of(&view->thread->messages[1]);
    assert_string_equal(text, "two 你\"");
    mt_mem_free(text);
    view = mt_sb_view_find(&world.store, world.fill.owner, "film0", false);
    assert_non_null(view);
    assert_int_equal(view->thread->n, 3);
    assert_int_equal(view->thread->messages[0].from, mt_sb_user_get(&world.store, "film0")->index);
    assert_int_equal(view->thread->messages[1].from, world.fill.owner->index);
    assert_int_equal(mt_sb_view_unread(view), 1); /* after the owner's own answer */
    mt_sb_store_deinit(&world.store);
}

/* Another owner takes the agent's part. */
static void test_load_for_owner(void **state)
{
    const char *dir = *state;
    struct world world;
    char path[256];
    (void)snprintf(path, sizeof path, "%s/single.jsonl", dir);
    write_file(path, SINGLE_LINES);
    const char *files[] = {path, NULL};
    world_open(&world, 0, files);
    world.fill.owner = mt_sb_user_make(&world.store, "boss");
    assert_int_equal(mt_sb_fill_run(&world.fill, NULL), MT_OK);
    const struct mt_sb_view *view = mt_sb_view_find(&world.store, world.fill.owner, "film0", false);
    assert_non_null(view);
    assert_int_equal(view->thread->messages[1].from, world.fill.owner->index);
    mt_sb_store_deinit(&world.store);
}

static void test_load_refuses(void **state)
{
    static const char *const BAD[] = {
        "{\"chat\":\"group\"}\n",
        "not json\n",
        "{\"chat\":\"other\",\"conversation\":\"a\",\"from\":\"b\",\"ts\":1,\"text\":\"c\"}\n",
        "{\"chat\":\"group\",\"conversation\":\"a\",\"from\":\"b\",\"ts\":-1,\"text\":\"c\"}\n",
    };
    const char *dir = *state;
    char path[256];
    (void)snprintf(path, sizeof path, "%s/bad.jsonl", dir);
    const char *files[] = {path, NULL};
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        struct world world;
        struct mt_fault fault = {0};
        char text[1024];
        (void)snprintf(text, sizeof text, "%s%s", SINGLE_LINES, "\n");
        (void)strncat(text, BAD[i], sizeof text - strlen(text) - 1);
        write_file(path, text);
        world_open(&world, 0, files);
        assert_int_not_equal(mt_sb_fill_run(&world.fill, &fault), MT_OK);
        assert_non_null(strstr(fault.message, "bad.jsonl:4")); /* says where */
        mt_sb_store_deinit(&world.store);
    }
    struct world world;
    struct mt_fault fault = {0};
    const char *absent[] = {"/nonexistent/x.jsonl", NULL};
    world_open(&world, 0, absent);
    assert_int_equal(mt_sb_fill_run(&world.fill, &fault), MT_ERR_NOT_FOUND);
    mt_sb_store_deinit(&world.store);
}

/* Loaded and generated data overlapping in time still has ids in the order of time. */
static void test_load_and_generate(void **state)
{
    const char *dir = *state;
    struct world world;
    char path[256];
    char text[8192] = "";
    (void)snprintf(path, sizeof path, "%s/recent.jsonl", dir);
    for (int i = 40; i > 0; i--) {
        size_t len = strlen(text);
        (void)snprintf(text + len, sizeof text - len,
                       "{\"chat\":\"single\",\"conversation\":\"p\",\"from\":\"agent\",\"ts\":%lld,"
                       "\"text\":\"x\"}\n",
                       (long long)(NOW_MS - (int64_t)i * 3600000));
    }
    write_file(path, text);
    const char *files[] = {path, NULL};
    world_open(&world, 2000, files);
    assert_int_equal(mt_sb_fill_run(&world.fill, NULL), MT_OK);
    assert_int_equal(world.store.message_n, 2040);
    check_order(&world.store);
    mt_sb_store_deinit(&world.store);
}

static void test_corpus(void **state)
{
    (void)state;
    const char *dir = getenv("MT_CORPUS");
    char group[512];
    char single[512];
    struct mt_fs_stat st;
    if (dir == NULL || mt_fs_stat(dir, &st) != 0) {
        print_message(
            "# MT_CORPUS names no folder with group.jsonl and single.jsonl: not loaded\n");
        return;
    }
    (void)snprintf(group, sizeof group, "%s/group.jsonl", dir);
    (void)snprintf(single, sizeof single, "%s/single.jsonl", dir);
    const char *files[] = {group, single, NULL};
    struct world world;
    world_open(&world, 0, files);
    int64_t start_us = mt_clock_cpu_us();
    assert_int_equal(mt_sb_fill_run(&world.fill, NULL), MT_OK);
    print_message("# %llu messages loaded in %.3f s of CPU\n",
                  (unsigned long long)world.store.message_n,
                  (double)(mt_clock_cpu_us() - start_us) / 1e6);
    check_order(&world.store);
    mt_sb_store_deinit(&world.store);
}

int test_fill(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_generate_is_believable),
        cmocka_unit_test(test_generate_repeats),
        cmocka_unit_test(test_generate_million),
        cmocka_unit_test_setup_teardown(test_load, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_load_for_owner, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_load_refuses, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_load_and_generate, make_dir, remove_dir),
        cmocka_unit_test(test_corpus),
    };
    return cmocka_run_group_tests_name("fill", tests, NULL, NULL);
}

/* The whole reading side against the sandbox: generated conversations read in slices equal the same
 * read page after page, and what the sandbox does wrong on purpose is named. */
#include "world.h"

#include "../ids.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/secret.h"
#include "sandbox/sandbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

int test_sandbox(void);

#define CONVERSATIONS 64

struct house {
    struct world world;
    struct mt_sandbox *sandbox;
    struct mt_conversation_ref refs[CONVERSATIONS];
    size_t refs_n;
};

static void house_begin(struct house *house, uint64_t generate_n, const char *faults)
{
    const struct mt_sandbox_options options = {.generate_n = generate_n, .faults = faults};
    struct mt_secret *password = mt_secret_new("any password", 12);
    struct mt_account_config config = {.name = "sandbox",
                                       .appkey = "sandbox#demo",
                                       .user = "agent",
                                       .password = password,
                                       .rate_per_s = -1};
    char rest[64];
    struct mt_fault fault;

    memset(house, 0, sizeof *house);
    world_init(&house->world, NULL);
    assert_int_equal(mt_sandbox_new(house->world.loop, &options, &house->sandbox, &fault), MT_OK);
    snprintf(rest, sizeof rest, "http://127.0.0.1:%u", (unsigned)mt_sandbox_port(house->sandbox));
    config.rest = rest;
    assert_int_equal(mt_provider_easemob.open(house->world.loop, house->world.http, &config,
                                              &house->world.account, &fault),
                     MT_OK);
    mt_secret_free(password);
}

static void house_end(struct house *house)
{
    mt_provider_easemob.close(house->world.account);
    house->world.account = NULL;
    mt_http_free(house->world.http);
    house->world.http = NULL;
    mt_sandbox_free(house->sandbox);
    world_deinit(&house->world);
}

static void on_list(void *ud, enum mt_rc rc, const struct mt_conversations_page *page,
                    const struct mt_fault *fault)
{
    struct house *house = ud;

    for (size_t i = 0; rc == MT_OK && i < page->n && house->refs_n < CONVERSATIONS; i++)
        house->refs[house->refs_n++] = page->items[i].ref;
    world_done(&house->world, rc, fault);
}

static void list(struct house *house)
{
    struct mt_conversations_query query = {.mark = -1};

    house->world.waiting++;
    assert_int_equal(
        mt_provider_easemob.conversations(house->world.account, &query, on_list, house, NULL),
        MT_OK);
    world_run(&house->world);
    assert_int_equal(house->world.rc, MT_OK);
    assert_true(house->refs_n >= 3);
}

struct reading {
    struct house *house;
    struct mt_reader *reader;
    struct mt_buf lines; /* the messages as the archive writes them */
    uint64_t n;
    uint64_t *ids;
    int64_t *times;
    uint64_t pages;
};

static void on_page(void *ud, const struct mt_message *items, size_t n)
{
    struct reading *r = ud;

    r->ids = realloc(r->ids, (r->n + n) * sizeof *r->ids);
    r->times = realloc(r->times, (r->n + n) * sizeof *r->times);
    assert_true(r->ids != NULL && r->times != NULL);
    for (size_t i = 0; i < n; i++, r->n++) {
        r->ids[r->n] = id_number(items[i].id);
        r->times[r->n] = items[i].time_ms;
        assert_int_equal(mt_message_write(&items[i], true, &r->lines), MT_OK);
        assert_int_equal(mt_buf_append_char(&r->lines, '\n'), MT_OK);
    }
    mt_reader_continue(r->reader);
}

static void on_done(void *ud, enum mt_rc rc, const struct mt_fault *fault)
{
    struct reading *r = ud;

    r->pages = mt_reader_pages(r->reader);
    mt_reader_free(r->reader);
    world_done(&r->house->world, rc, fault);
}

static struct reading read_all(struct house *house, const struct mt_reader_options *options)
{
    struct reading *r = calloc(1, sizeof *r);
    struct reading out;

    assert_non_null(r);
    r->house = house;
    mt_buf_init(&r->lines, (size_t)512 * 1024 * 1024);
    house->world.waiting++;
    assert_int_equal(mt_reader_start(house->world.loop, &mt_provider_easemob, house->world.account,
                                     options, on_page, on_done, r, &r->reader, NULL),
                     MT_OK);
    world_run(&house->world);
    out = *r;
    free(r);
    return out;
}

static void reading_free(struct reading *r)
{
    mt_buf_deinit(&r->lines);
    free(r->ids);
    free(r->times);
}

static void expect_same(const struct reading *a, const struct reading *b)
{
    assert_int_equal(a->n, b->n);
    assert_int_equal(a->lines.len, b->lines.len);
    if (a->lines.len > 0)
        assert_memory_equal(a->lines.data, b->lines.data, a->lines.len);
}

static uint64_t dice(uint64_t *state, uint64_t below)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return below == 0 ? 0 : *state % below;
}

/* 200 random questions; each asked page after page and in slices. */
static void slices_equal_page_after_page(void **state)
{
    static const char *const some[] = {"text", "image", "custom", NULL};
    struct house *house = calloc(1, sizeof *house);
    uint64_t seed = 20261120;
    uint64_t messages = 0;

    (void)state;
    assert_non_null(house);
    house_begin(house, 20000, NULL);
    list(house);
    for (int round = 0; round < 200; round++) {
        struct mt_reader_options options = {.query = {.oldest_first = true}};
        struct reading whole;
        struct reading slices;
        char cursor[32];

        options.query.conversation = house->refs[dice(&seed, house->refs_n)];
        whole = read_all(house, &options);
        assert_int_equal(house->world.rc, MT_OK);
        options.query.limit = (int)dice(&seed, 51);
        if (whole.n > 0 && dice(&seed, 2) == 0)
            options.query.since_ms = whole.times[dice(&seed, whole.n)];
        if (whole.n > 0 && dice(&seed, 2) == 0)
            options.query.until_ms = whole.times[dice(&seed, whole.n)];
        if (options.query.until_ms <= options.query.since_ms)
            options.query.until_ms = 0;
        if (dice(&seed, 4) == 0)
            options.query.kinds = some;
        if (whole.n > 0 && dice(&seed, 4) == 0 && options.query.since_ms == 0 &&
            options.query.until_ms == 0) {
            snprintf(cursor, sizeof cursor, "%llu",
                     (unsigned long long)whole.ids[dice(&seed, whole.n)]);
            options.query.cursor = cursor;
        }
        reading_free(&whole);
        whole = read_all(house, &options);
        assert_int_equal(house->world.rc, MT_OK);
        options.parallel = 2 + (unsigned)dice(&seed, 31);
        slices = read_all(house, &options);
        assert_int_equal(house->world.rc, MT_OK);
        expect_same(&whole, &slices);
        messages += whole.n;
        reading_free(&whole);
        reading_free(&slices);
    }
    print_message("# 200 questions, %llu messages\n", (unsigned long long)messages);
    assert_true(messages > 1000);
    house_end(house);
    free(house);
}

static void newest_first_is_the_reverse(void **state)
{
    struct house *house = calloc(1, sizeof *house);

    (void)state;
    assert_non_null(house);
    house_begin(house, 2000, NULL);
    list(house);
    for (size_t i = 0; i < house->refs_n; i++) {
        struct mt_reader_options options = {.query = {.conversation = house->refs[i]}};
        struct reading down;
        struct reading up = read_all(house, &options);

        options.query.oldest_first = true;
        down = read_all(house, &options);
        assert_int_equal(up.n, down.n);
        for (uint64_t k = 0; k < up.n; k++)
            assert_true(up.ids[k] == down.ids[down.n - 1 - k]);
        reading_free(&up);
        reading_free(&down);
    }
    house_end(house);
    free(house);
}

static void expect_trouble(const char *faults, const char *code)
{
    struct house *house = calloc(1, sizeof *house);

    assert_non_null(house);
    house_begin(house, 6000, faults);
    list(house);
    for (unsigned parallel = 0; parallel <= 16; parallel += 16) {
        struct mt_reader_options options = {
            .query = {.conversation = house->refs[0], .oldest_first = true, .limit = 10},
            .parallel = parallel};
        bool seen = false;

        for (size_t i = 0; i < house->refs_n && !seen; i++) {
            struct reading r;

            options.query.conversation = house->refs[i];
            r = read_all(house, &options);
            if (house->world.rc != MT_OK) {
                assert_int_equal(house->world.rc, MT_ERR_PROTOCOL);
                assert_string_equal(house->world.fault.code, code);
                seen = true;
            }
            reading_free(&r);
        }
        assert_true(seen);
    }
    house_end(house);
    free(house);
}

static void trouble_is_named(void **state)
{
    (void)state;
    expect_trouble("stale_cursor=1,after=6", "history.stuck");
    expect_trouble("repeat_page=1,after=6", "history.repeats");
    expect_trouble("null_page=1,after=6", "history.null_page");
    expect_trouble("out_of_order=1,after=6", "history.order");
    expect_trouble("duplicate=1,after=6", "history.repeats");
}

static void expired_tokens_are_renewed_on_the_way(void **state)
{
    struct house *house = calloc(1, sizeof *house);
    struct mt_reader_options options = {.query = {.oldest_first = true, .limit = 10},
                                        .parallel = 16};
    struct reading r;

    (void)state;
    assert_non_null(house);
    house_begin(house, 4000, "expire_after=20");
    list(house);
    for (size_t i = 0; i < house->refs_n; i++) {
        options.query.conversation = house->refs[i];
        r = read_all(house, &options);
        assert_int_equal(house->world.rc, MT_OK);
        reading_free(&r);
    }
    house_end(house);
    free(house);
}

static void the_old_list_is_detected(void **state)
{
    struct house *house = calloc(1, sizeof *house);
    struct mt_conversations_query query = {.mark = -1};

    (void)state;
    assert_non_null(house);
    house_begin(house, 6000, "no_list_cursor_form=1,no_list_page_form=1");
    house->world.waiting++;
    assert_int_equal(
        mt_provider_easemob.conversations(house->world.account, &query, on_list, house, NULL),
        MT_OK);
    world_run(&house->world);
    assert_int_equal(house->world.rc, MT_OK);
    assert_int_equal(house->refs_n, 10);
    house_end(house);
    free(house);
}

static void what_is_not_opened_is_named(void **state)
{
    struct house *house = calloc(1, sizeof *house);
    struct mt_conversations_query query = {.mark = -1};

    (void)state;
    assert_non_null(house);
    house_begin(house, 100, "no_roaming=1,no_conversation_list=1");
    world_history(&house->world, "user1");
    world_run(&house->world);
    assert_int_equal(house->world.rc, MT_ERR_UNSUPPORTED);
    assert_string_equal(house->world.fault.code, "history.not_opened");
    assert_int_equal(house->world.fault.provider_code, 505);
    house->world.waiting++;
    assert_int_equal(
        mt_provider_easemob.conversations(house->world.account, &query, on_list, house, NULL),
        MT_OK);
    world_run(&house->world);
    assert_int_equal(house->world.rc, MT_ERR_UNSUPPORTED);
    assert_string_equal(house->world.fault.code, "conversations.not_opened");
    house_end(house);
    free(house);
}

int test_sandbox(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slices_equal_page_after_page),
        cmocka_unit_test(newest_first_is_the_reverse),
        cmocka_unit_test(trouble_is_named),
        cmocka_unit_test(expired_tokens_are_renewed_on_the_way),
        cmocka_unit_test(the_old_list_is_detected),
        cmocka_unit_test(what_is_not_opened_is_named),
    };

    return cmocka_run_group_tests_name("sandbox", tests, NULL, NULL);
}

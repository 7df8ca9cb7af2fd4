/* What the archive holds, compared with what the cloud gives: the table behind the window. */
#include "ground.h"

#include "../ids.h"
#include "base/arena.h"
#include "base/buf.h"
#include "jobs/known_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int test_known(void);

#define MANY 2000

/* A message as the cloud gives it. */
static struct mt_message message(struct ground *g, struct mt_arena *arena, uint64_t id,
                                 int64_t time_ms, bool read, const char *text)
{
    struct mt_message m;
    char raw[200];
    int len =
        snprintf(raw, sizeof raw, "%" PRIu64 " %" PRId64 " you %d %s", id, time_ms, read, text);
    char *kept = mt_arena_strdup(arena, raw);

    assert_int_equal(
        ground_provider.decode((struct mt_provider_account *)g, kept, (size_t)len, arena, &m),
        MT_OK);
    m.raw = (const uint8_t *)kept;
    m.raw_len = (size_t)len;
    snprintf(m.conversation.target, sizeof m.conversation.target, "c0");
    return m;
}

struct visit {
    struct ground *ground;
    struct mt_known *known;
    struct mt_buf lines;
    uint64_t lines_n;
    uint64_t gone[8]; /* ids */
    size_t gone_n;
};

static void put(struct visit *v, struct mt_arena *arena, uint64_t id, enum mt_message_type type,
                uint64_t target, const char *text)
{
    struct mt_message m = message(v->ground, arena, id, (int64_t)id, false, text);

    m.type = type;
    char target_id[MT_ID_MAX];
    id_put(target_id, target);
    m.target_id = target_id;
    assert_int_equal(mt_message_write(&m, true, &v->lines), MT_OK);
    assert_int_equal(mt_buf_append_char(&v->lines, '\n'), MT_OK);
    v->lines_n++;
}

static void put_text(struct visit *v, const char *line)
{
    assert_int_equal(mt_buf_append_str(&v->lines, line), MT_OK);
    v->lines_n++;
}

static void commit(void *ud, struct mt_archive *archive)
{
    struct visit *v = ud;
    struct mt_fault fault;
    struct mt_archive_batch batch = {.conversation = "single:c0",
                                     .lines = v->lines.data,
                                     .lines_len = v->lines.len,
                                     .lines_n = v->lines_n,
                                     .cursor = "1"};

    assert_int_equal(mt_archive_commit(archive, &batch, 1, &fault), MT_OK);
    assert_int_equal(mt_known_load_gaps(v->known, archive, "single:c0", &fault), MT_OK);
    assert_int_equal(mt_known_load(v->known, archive, "single:c0", 0, &fault), MT_OK);
}

static void committed(void *ud)
{
    (void)ud;
}

static void begin(struct ground *g, struct visit *v)
{
    memset(v, 0, sizeof *v);
    v->ground = g;
    mt_buf_init(&v->lines, (size_t)16 << 20);
    v->known = mt_known_new(&ground_provider, (struct mt_provider_account *)g);
    assert_non_null(v->known);
}

static void load(struct visit *v)
{
    assert_int_equal(mt_writer_run(v->ground->writer, commit, committed, v), MT_OK);
    mt_loop_run(v->ground->loop);
}

static void end(struct visit *v)
{
    mt_known_free(v->known);
    mt_buf_deinit(&v->lines);
}

static enum mt_known_verdict see(struct visit *v, struct mt_arena *arena, uint64_t id, bool read,
                                 const char *text)
{
    struct mt_message m = message(v->ground, arena, id, (int64_t)id, read, text);
    enum mt_known_verdict verdict = MT_KNOWN_NEW;

    assert_int_equal(mt_known_see(v->known, &m, &verdict), MT_OK);
    return verdict;
}

static enum mt_rc note_gone(void *ud, const char *id)
{
    struct visit *v = ud;

    assert_true(v->gone_n < sizeof v->gone / sizeof *v->gone);
    v->gone[v->gone_n++] = id_number(id);
    return MT_OK;
}

static void knows_each_of_many(void **state)
{
    struct mt_arena *arena = mt_arena_new((size_t)16 << 20);
    struct visit v;

    begin(*state, &v);
    for (uint64_t id = 1; id <= MANY; id++)
        put(&v, arena, id * 4096, MT_TYPE_MESSAGE, 0, "hello");
    load(&v);
    for (uint64_t id = 1; id <= MANY; id++) {
        if (id == 700)
            assert_int_equal(see(&v, arena, id * 4096, false, "other"), MT_KNOWN_CHANGED);
        else if (id != 900)
            assert_int_equal(see(&v, arena, id * 4096, id % 2, "hello"), MT_KNOWN_SAME);
        assert_int_equal(see(&v, arena, id * 4096 + 1, false, "hello"), MT_KNOWN_NEW);
        assert_int_equal(see(&v, arena, id * 4096 + 1, false, "hello"), MT_KNOWN_SAME);
    }
    assert_int_equal(see(&v, arena, (uint64_t)700 * 4096, false, "other"), MT_KNOWN_SAME);
    assert_int_equal(mt_known_gone(v.known, 0, note_gone, &v), MT_OK);
    assert_int_equal(v.gone_n, 1);
    assert_int_equal(v.gone[0], 900 * 4096);
    assert_int_equal(mt_known_gone(v.known, 0, note_gone, &v), MT_OK); /* told once */
    assert_int_equal(v.gone_n, 1);
    end(&v);
    mt_arena_free(arena);
}

static void the_latest_version_counts(void **state)
{
    struct mt_arena *arena = mt_arena_new((size_t)1 << 20);
    struct visit v;

    begin(*state, &v);
    put(&v, arena, 1, MT_TYPE_MESSAGE, 0, "first");
    put(&v, arena, 1, MT_TYPE_EDIT, 1, "second");
    put(&v, arena, 2, MT_TYPE_MESSAGE, 0, "edited by an entry of its own");
    put(&v, arena, 3, MT_TYPE_EDIT, 2, "after");
    load(&v);
    assert_int_equal(see(&v, arena, 1, false, "second"), MT_KNOWN_SAME);
    assert_int_equal(see(&v, arena, 1, false, "first"), MT_KNOWN_CHANGED);
    assert_int_equal(see(&v, arena, 2, false, "after"), MT_KNOWN_SAME);
    assert_int_equal(see(&v, arena, 3, false, "after"), MT_KNOWN_SAME);
    end(&v);
    mt_arena_free(arena);
}

static void what_is_recalled_is_not_gone_again(void **state)
{
    struct mt_arena *arena = mt_arena_new((size_t)1 << 20);
    struct visit v;

    begin(*state, &v);
    put(&v, arena, 5, MT_TYPE_MESSAGE, 0, "a");
    put(&v, arena, 6, MT_TYPE_MESSAGE, 0, "b");
    put(&v, arena, 7, MT_TYPE_MESSAGE, 0, "c");
    put_text(&v, "{\"v\":1,\"type\":\"recall\",\"target\":\"5\",\"id\":\"5\","
                 "\"conversation\":\"single:c0\",\"time\":8}\n");
    put_text(&v, "{\"v\":1,\"type\":\"recall\",\"target\":\"6\",\"id\":\"9\","
                 "\"conversation\":\"single:c0\",\"time\":9}\n");
    load(&v);
    assert_int_equal(mt_known_gone(v.known, 8, note_gone, &v), MT_OK); /* 7 lies before that */
    assert_int_equal(v.gone_n, 0);
    assert_int_equal(mt_known_gone(v.known, 0, note_gone, &v), MT_OK);
    assert_int_equal(v.gone_n, 1);
    assert_int_equal(v.gone[0], 7);
    end(&v);
    mt_arena_free(arena);
}

static void gaps_are_open_until_closed(void **state)
{
    struct mt_arena *arena = mt_arena_new((size_t)1 << 20);
    struct visit v;
    size_t n = 0;

    begin(*state, &v);
    for (int i = 1; i <= 20; i++) {
        char line[200];
        snprintf(line, sizeof line,
                 "{\"v\":1,\"type\":\"gap\",\"conversation\":\"single:c0\",\"since\":%d,"
                 "\"until\":%d,\"reason\":\"r\"%s}\n",
                 i > 15 ? i - 10 : i, i > 15 ? i - 9 : i + 1, i > 15 ? ",\"closed\":true" : "");
        put_text(&v, line);
    }
    put(&v, arena, 1, MT_TYPE_MESSAGE, 0, "a text with \"type\":\"gap\" in it");
    load(&v);
    const struct mt_known_gap *gaps = mt_known_gaps(v.known, &n);
    assert_int_equal(n, 10); /* 1…15 without 6…10 */
    for (size_t i = 0; i < n; i++)
        assert_int_equal(gaps[i].since_ms, i < 5 ? i + 1 : i + 6);
    end(&v);
    mt_arena_free(arena);
}

int test_known(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, ground_begin, ground_end)
    const struct CMUnitTest tests[] = {
        TEST(knows_each_of_many),
        TEST(the_latest_version_counts),
        TEST(what_is_recalled_is_not_gone_again),
        TEST(gaps_are_open_until_closed),
    };
#undef TEST
    return cmocka_run_group_tests_name("known", tests, NULL, NULL);
}

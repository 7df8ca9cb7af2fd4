/* Answers that hold lists: compressed ones, broken entries; and a long history read page by page.
 */
#include "ground.h"

#include "codec/gzip.h"
#include "provider/rongcloud/history_int.h"

int test_page(void);

#define HISTORY_MAX 400

static char *s(const char *text)
{
    return (char *)(uintptr_t)text;
}

/* ---------------------------------------------------------------- compressed */

static void history_bytes(const Rongcloud__HistoryMsgOuput *m, struct mt_buf *out)
{
    size_t len = rongcloud__history_msg_ouput__get_packed_size(m);

    mt_buf_init(out, (size_t)64 << 20);
    assert_int_equal(mt_buf_reserve(out, len + 1), MT_OK);
    out->len = rongcloud__history_msg_ouput__pack(m, (uint8_t *)out->data);
}

/* The answer as the bytes of another one. */
static void wrap(struct mt_buf *buf)
{
    Rongcloud__HistoryMsgOuput outer = RONGCLOUD__HISTORY_MSG_OUPUT__INIT;
    struct mt_buf packed;

    mt_buf_init(&packed, (size_t)64 << 20);
    assert_int_equal(mt_gzip_deflate(buf->data, buf->len, &packed, NULL), MT_OK);
    mt_buf_deinit(buf);
    outer.has_compressioenabled = true;
    outer.compressioenabled = true;
    outer.has_compresseddata = true;
    outer.compresseddata.data = (uint8_t *)packed.data;
    outer.compresseddata.len = packed.len;
    history_bytes(&outer, buf);
    mt_buf_deinit(&packed);
}

static void what_is_compressed(void **state)
{
    struct ground *g = *state;
    Rongcloud__HistoryMsgOuput m = RONGCLOUD__HISTORY_MSG_OUPUT__INIT;
    Rongcloud__DownStreamMessage one = down("RC:TxtMsg", "{\"content\":\"deep\"}");
    Rongcloud__DownStreamMessage *list[] = {&one};
    struct mt_buf buf;

    m.list = list;
    m.n_list = 1;
    m.hasmsg = 1;
    m.synctime = 7;
    history_bytes(&m, &buf);
    for (int depth = 0; depth <= MT_RONG_INFLATE_DEPTH + 1; depth++) {
        struct mt_rong_history_out out;
        struct mt_fault fault;
        bool fits = depth <= MT_RONG_INFLATE_DEPTH;

        assert_int_equal(
            mt_rong_history_parse(&g->decoder, buf.data, buf.len, g->arena, &out, &fault),
            fits ? MT_OK : MT_ERR_LIMIT);
        if (fits) {
            assert_int_equal(out.messages.n, 1);
            assert_string_equal(out.messages.items[0].text, "deep");
            assert_true(out.more);
            assert_int_equal(out.sync_ms, 7);
        } else {
            assert_string_equal(fault.code, "history.too_large");
        }
        wrap(&buf);
    }
    mt_buf_deinit(&buf);
}

static void a_bomb_is_refused(void **state)
{
    struct ground *g = *state;
    struct mt_rong_history_out out;
    struct mt_fault fault;
    struct mt_buf buf;

    mt_buf_init(&buf, (size_t)64 << 20);
    assert_int_equal(mt_buf_reserve(&buf, MT_RONG_INFLATED_MAX + 2), MT_OK);
    memset(buf.data, 0, MT_RONG_INFLATED_MAX + 1);
    buf.len = MT_RONG_INFLATED_MAX + 1;
    wrap(&buf);
    assert_true(buf.len < 65536);
    assert_int_equal(mt_rong_history_parse(&g->decoder, buf.data, buf.len, g->arena, &out, &fault),
                     MT_ERR_LIMIT);
    assert_string_equal(fault.code, "history.too_large");
    mt_buf_deinit(&buf);
}

/* ---------------------------------------------------------------- broken entries */

static void entry(struct mt_buf *out, unsigned field, const void *p, size_t len)
{
    assert_true(len < 128);
    (void)mt_buf_append_char(out, (char)(field << 3 | 2));
    (void)mt_buf_append_char(out, (char)len);
    assert_int_equal(mt_buf_append(out, p, len), MT_OK);
}

static void a_broken_entry_costs_itself_alone(void **state)
{
    struct ground *g = *state;
    Rongcloud__DownStreamMessage good = down("RC:TxtMsg", "{\"content\":\"good\"}");
    struct mt_rong_history_out out;
    struct mt_rong_relations_out relations;
    struct mt_fault fault;
    struct mt_buf buf;
    size_t len = 0;
    const uint8_t *bytes = down_bytes(g, &good, &len);

    mt_buf_init(&buf, 4096);
    entry(&buf, 1, bytes, len);
    entry(&buf, 1, "\x12\x01", 2); /* no sender, no content */
    entry(&buf, 1, bytes, len);
    assert_int_equal(mt_rong_history_parse(&g->decoder, buf.data, buf.len, g->arena, &out, &fault),
                     MT_OK);
    assert_int_equal(out.messages.n, 3);
    assert_string_equal(out.messages.items[1].kind_name, "undecodable");
    assert_int_equal(out.messages.items[1].raw_len, 2);
    assert_string_equal(out.messages.items[2].text, "good");
    assert_int_equal(
        mt_rong_history_parse(&g->decoder, buf.data, buf.len - 1, g->arena, &out, &fault),
        MT_ERR_PROTOCOL); /* never a shorter list */
    assert_string_equal(fault.code, "history.damaged");
    assert_int_equal(out.messages.n, 0);
    mt_buf_reset(&buf);
    entry(&buf, 1,
          "\x08\x01\x12\x03"
          "bob\x1a\x02\x12\x01\x38\x09",
          13);                     /* its message is broken */
    entry(&buf, 1, "\x08\x01", 2); /* of nobody */
    assert_int_equal(
        mt_rong_relations_parse(&g->decoder, buf.data, buf.len, g->arena, &relations, &fault),
        MT_OK);
    assert_int_equal(relations.n, 1);
    assert_int_equal(relations.skipped, 1);
    assert_int_equal(relations.seen, 2);
    assert_true(relations.items[0].has_last);
    assert_string_equal(relations.items[0].last.kind_name, "undecodable");
    assert_int_equal(relations.items[0].last.time_ms, 9);
    mt_buf_deinit(&buf);
}

/* ---------------------------------------------------------------- a history, page by page */

/* A cloud that knows no more than the real one: what is newer or older than a time. */
struct cloud {
    struct ground *g;
    int64_t times[HISTORY_MAX];
    int n;
    bool gone[HISTORY_MAX];
    bool inclusive; /* its bounds count themselves in: nobody says that they do not */
    unsigned requests;
};

static void cloud_answer(struct cloud *c, const struct mt_rong_history_ask *ask, bool oldest_first,
                         struct mt_rong_history_out *out, struct mt_arena *arena)
{
    Rongcloud__HistoryMsgOuput m = RONGCLOUD__HISTORY_MSG_OUPUT__INIT;
    Rongcloud__DownStreamMessage list[MT_RONG_PAGE_MAX], *of[MT_RONG_PAGE_MAX];
    char ids[MT_RONG_PAGE_MAX][16];
    struct mt_buf buf;
    int slack = c->inclusive;

    c->requests++;
    m.list = of;
    for (int k = 0; k < c->n; k++) {
        int i = oldest_first ? k : c->n - 1 - k;

        if (c->gone[i] || (oldest_first ? c->times[i] <= ask->time_ms - slack
                                        : c->times[i] >= ask->time_ms + slack))
            continue;
        if (m.n_list == (size_t)ask->count) {
            m.hasmsg = 1;
            break;
        }
        snprintf(ids[m.n_list], sizeof ids[0], "U%d", i);
        list[m.n_list] = down(i % 5 == 0 ? "RC:ImgMsg" : "RC:TxtMsg", "{\"content\":\"x\"}");
        list[m.n_list].datatime = c->times[i];
        list[m.n_list].msgid = ids[m.n_list];
        list[m.n_list].fromuserid = s(i % 3 == 0 ? "bob" : "alice");
        of[m.n_list] = &list[m.n_list];
        m.n_list++;
    }
    history_bytes(&m, &buf);
    assert_int_equal(mt_rong_history_parse(&c->g->decoder, buf.data, buf.len, arena, out, NULL),
                     MT_OK);
    mt_buf_deinit(&buf);
}

/* Reads all pages; each message must come exactly once and in order. */
static size_t read_all(struct cloud *c, struct mt_history_query *query, bool seen[HISTORY_MAX],
                       struct mt_fault *fault)
{
    char cursor[MT_CURSOR_MAX] = "";
    size_t total = 0;
    int64_t before = query->oldest_first ? 0 : INT64_MAX;
    int pages = 0;

    memset(seen, 0, HISTORY_MAX * sizeof *seen);
    for (bool last = false; !last; pages++) {
        struct mt_arena *arena = mt_arena_new((size_t)16 << 20);
        struct mt_rong_history_ask ask;
        struct mt_rong_history_out out;
        struct mt_history_page page;
        bool again = false;

        query->cursor = *cursor ? cursor : NULL;
        assert_int_equal(mt_rong_history_check(query, NULL), MT_OK);
        mt_rong_history_ask(query, 1000000, &ask);
        for (int tries = 0; tries < 3; tries++) {
            cloud_answer(c, &ask, query->oldest_first, &out, arena);
            if (mt_rong_history_page(query, &ask, &out, arena, &page, &again, fault) != MT_OK) {
                mt_arena_free(arena);
                return SIZE_MAX;
            }
            if (!again)
                break;
        }
        assert_false(again);
        for (size_t i = 0; i < page.n; i++) {
            int id = atoi(page.items[i].id + 1);

            assert_false(seen[id]);
            seen[id] = true;
            assert_true(query->oldest_first ? page.items[i].time_ms >= before
                                            : page.items[i].time_ms <= before);
            before = page.items[i].time_ms;
        }
        total += page.n;
        last = page.is_last;
        snprintf(cursor, sizeof cursor, "%s", last ? "" : page.cursor);
        mt_arena_free(arena);
        assert_true(pages < 1000);
    }
    return total;
}

static void nothing_is_lost_or_doubled(void **state)
{
    static const int limits[] = {1, 2, 7, 50, 99, 100};
    static bool seen[HISTORY_MAX];

    for (int run = 0; run < 96; run++) {
        struct cloud c = {.g = *state, .n = HISTORY_MAX, .inclusive = run & 1};
        struct mt_history_query query = {.oldest_first = run & 2, .limit = limits[run / 4 % 6]};
        int64_t at = 1000;

        assert_true(mt_rong_ref_set(&query.conversation, 3, "g", NULL));
        for (int i = 0; i < c.n; i++) { /* crowds of up to 90 in one millisecond */
            at += run / 24 == 0 ? 1 : run / 24 == 1 ? i % 7 == 0 : i % (run / 24 * 30) == 0;
            c.times[i] = at;
        }
        assert_int_equal(read_all(&c, &query, seen, NULL), c.n);
        print_message("# run %d: %u requests\n", run, c.requests);
    }
}

static void bounds_and_filters(void **state)
{
    static bool seen[HISTORY_MAX];
    static const char *const kinds[] = {"image", NULL};
    struct cloud c = {.g = *state, .n = HISTORY_MAX};
    struct mt_history_query query = {.limit = 30, .since_ms = 1100, .until_ms = 1300};

    assert_true(mt_rong_ref_set(&query.conversation, 3, "g", NULL));
    for (int i = 0; i < c.n; i++)
        c.times[i] = 1000 + i;
    for (int run = 0; run < 4; run++) {
        query.oldest_first = run & 1;
        c.inclusive = run & 2;
        assert_int_equal(read_all(&c, &query, seen, NULL), 200);
        assert_true(seen[100] && seen[299] && !seen[99] && !seen[300]);
        query.kinds = kinds;
        assert_int_equal(read_all(&c, &query, seen, NULL), 40);
        query.from = "bob";
        assert_int_equal(read_all(&c, &query, seen, NULL), 13);
        query.kinds = NULL;
        query.from = NULL;
    }
}

static void more_in_a_millisecond_than_the_cloud_lists(void **state)
{
    static bool seen[HISTORY_MAX];
    struct cloud c = {.g = *state, .n = 101};
    struct mt_history_query query = {.oldest_first = true, .limit = 50};
    struct mt_fault fault;

    assert_true(mt_rong_ref_set(&query.conversation, 3, "g", NULL));
    for (int i = 0; i < c.n; i++)
        c.times[i] = 5000;
    assert_int_equal(read_all(&c, &query, seen, &fault), SIZE_MAX);
    assert_string_equal(fault.code, "history.crowded"); /* never silently short */
    c.n = 100;
    assert_int_equal(read_all(&c, &query, seen, &fault), 100);
}

static void a_message_that_was_deleted_meanwhile(void **state)
{
    struct cloud c = {.g = *state, .n = 10};
    struct mt_history_query query = {.oldest_first = true, .limit = 5, .cursor = "1001:U4"};
    struct mt_rong_history_ask ask;
    struct mt_rong_history_out out;
    struct mt_history_page page;
    bool again = false;

    assert_true(mt_rong_ref_set(&query.conversation, 3, "g", NULL));
    for (int i = 0; i < c.n; i++)
        c.times[i] = 1000 + i / 4;
    c.gone[4] = true;
    mt_rong_history_ask(&query, 1000000, &ask);
    cloud_answer(&c, &ask, true, &out, c.g->arena);
    assert_int_equal(mt_rong_history_page(&query, &ask, &out, c.g->arena, &page, &again, NULL),
                     MT_OK);
    assert_int_equal(page.n, 5);
    assert_string_equal(page.items[0].id, "U5"); /* rather twice than never */
}

static void cursors(void **state)
{
    static const char *const bad[] = {
        "x", "5", ":U1", "-5:U1", "0:U1", "99999999999999999999:U1", "5x:U1"};
    struct mt_history_query query = {.limit = 1};
    struct mt_message m = {.id = "A:B", .time_ms = 5};
    struct mt_fault fault;
    char cursor[MT_CURSOR_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        query.cursor = bad[i];
        assert_int_equal(mt_rong_history_check(&query, &fault), MT_ERR_INVALID);
        assert_string_equal(fault.code, "history.cursor");
    }
    assert_true(mt_rong_cursor_of(&m, cursor));
    assert_string_equal(cursor, "5:A:B");
    query.cursor = cursor;
    assert_int_equal(mt_rong_history_check(&query, &fault), MT_OK);
    query.limit = 101;
    assert_int_equal(mt_rong_history_check(&query, &fault), MT_ERR_INVALID);
    m.id = "";
    assert_false(mt_rong_cursor_of(&m, cursor));
}

int test_page(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_compressed, ground_new, ground_free),
        cmocka_unit_test_setup_teardown(a_bomb_is_refused, ground_new, ground_free),
        cmocka_unit_test_setup_teardown(a_broken_entry_costs_itself_alone, ground_new, ground_free),
        cmocka_unit_test_setup_teardown(nothing_is_lost_or_doubled, ground_new, ground_free),
        cmocka_unit_test_setup_teardown(bounds_and_filters, ground_new, ground_free),
        cmocka_unit_test_setup_teardown(more_in_a_millisecond_than_the_cloud_lists, ground_new,
                                        ground_free),
        cmocka_unit_test_setup_teardown(a_message_that_was_deleted_meanwhile, ground_new,
                                        ground_free),
        cmocka_unit_test(cursors),
    };

    return cmocka_run_group_tests_name("rongcloud/page", tests, NULL, NULL);
}

/* Answers of the second cloud that hold lists: any bytes, and any bytes that were compressed, end
 * in entries that can be written, or in a fault with a name. */
#include "base/arena.h"
#include "base/mem.h"
#include "codec/gzip.h"
#include "provider/rongcloud/event_int.h"
#include "provider/rongcloud/history_int.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define JSON_MAX ((size_t)64 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int holds)
{
    if (!holds)
        abort();
}

static void refused(enum mt_rc rc, const struct mt_fault *fault)
{
    check(rc != MT_OK && fault->kind == rc && fault->code[0] != '\0' && fault->message[0] != '\0');
}

static void write_all(const struct mt_message *items, size_t n)
{
    struct mt_buf out;

    mt_buf_init(&out, JSON_MAX);
    for (size_t i = 0; i < n; i++) {
        mt_buf_reset(&out);
        check(mt_message_write(&items[i], true, &out) == MT_OK);
    }
    mt_buf_deinit(&out);
}

static void history(const struct mt_rong_decoder *decoder, const void *p, size_t len, unsigned how,
                    struct mt_arena *arena)
{
    struct mt_history_query query = {.oldest_first = how & 1, .limit = (int)(how % 7)};
    struct mt_rong_decoder of = *decoder;
    struct mt_rong_history_ask ask;
    struct mt_rong_history_out out;
    struct mt_history_page page;
    struct mt_fault fault;
    bool again = false;
    enum mt_rc rc = MT_OK;

    check(mt_rong_ref_set(&query.conversation, 3, "g", NULL));
    of.conversation = &query.conversation;
    if (how & 2)
        query.cursor = "1000:U1";
    if (how & 4) {
        query.since_ms = 500;
        query.until_ms = 2000;
    }
    check(mt_rong_history_check(&query, &fault) == MT_OK);
    mt_rong_history_ask(&query, 5000, &ask);
    check(ask.time_ms > 0 && ask.count > 0 && ask.count <= MT_RONG_PAGE_MAX);
    rc = mt_rong_history_parse(&of, p, len, arena, &out, &fault);
    if (rc == MT_OK)
        rc = mt_rong_history_page(&query, &ask, &out, arena, &page, &again, &fault);
    if (rc != MT_OK) {
        refused(rc, &fault);
        return;
    }
    check(again || page.is_last == (page.cursor == NULL));
    check(page.cursor == NULL || strlen(page.cursor) < MT_CURSOR_MAX);
    check(page.n <= (query.limit > 0 ? (size_t)query.limit : 50));
    for (size_t i = 0; i < page.n; i++)
        check(query.since_ms == 0 ||
              (page.items[i].time_ms >= query.since_ms && page.items[i].time_ms < query.until_ms));
    query.cursor = page.cursor; /* what we gave is taken back */
    check(mt_rong_history_check(&query, &fault) == MT_OK);
    write_all(page.items, page.n);
}

static void lists(const struct mt_rong_decoder *decoder, const void *p, size_t len,
                  struct mt_arena *arena)
{
    struct mt_rong_pull_out pull;
    struct mt_rong_query_out query;
    struct mt_rong_edits_out edits;
    struct mt_rong_relations_out relations;
    struct mt_fault fault;
    enum mt_rc rc = mt_rong_pull_parse(decoder, p, len, arena, &pull, &fault);

    if (rc == MT_OK)
        write_all(pull.messages.items, pull.messages.n);
    else
        refused(rc, &fault);
    rc = mt_rong_query_parse(decoder, p, len, arena, &query, &fault);
    if (rc == MT_OK)
        write_all(query.messages.items, query.messages.n);
    else
        refused(rc, &fault);
    rc = mt_rong_edits_parse(decoder, p, len, arena, &edits, &fault);
    if (rc == MT_OK)
        write_all(edits.messages.items, edits.messages.n);
    else
        refused(rc, &fault);
    rc = mt_rong_relations_parse(decoder, p, len, arena, &relations, &fault);
    if (rc != MT_OK)
        refused(rc, &fault);
    for (size_t i = 0; rc == MT_OK && i < relations.n; i++) {
        check(relations.items[i].ref.target[0] != '\0');
        if (relations.items[i].has_last)
            write_all(&relations.items[i].last, 1);
    }
}

static void others(const void *p, size_t len, struct mt_arena *arena)
{
    struct mt_rong_unreads_out unreads;
    struct mt_rong_states_out states;
    struct mt_rong_readers_out readers;
    struct mt_rong_changes_out changes;
    struct mt_rong_events events;
    struct mt_fault fault;
    enum mt_rc rc = mt_rong_unreads_parse(p, len, arena, &unreads, &fault);

    if (rc != MT_OK)
        refused(rc, &fault);
    mt_rong_events_init(&events, "me", arena);
    rc = mt_rong_states_parse(p, len, arena, &states, &fault);
    if (rc != MT_OK)
        refused(rc, &fault);
    else
        check(mt_rong_events_states(&events, &states) == MT_OK);
    rc = mt_rong_readers_v2_parse(p, len, arena, &readers, &fault);
    if (rc != MT_OK)
        refused(rc, &fault);
    rc = mt_rong_readers_v4_parse(p, len, arena, &readers, &fault);
    if (rc != MT_OK)
        refused(rc, &fault);
    rc = mt_rong_readers_v5_parse(p, len, "U1", arena, &readers, &fault);
    if (rc != MT_OK)
        refused(rc, &fault);
    rc = mt_rong_events_changes(&events, p, len, &changes, &fault);
    if (rc != MT_OK)
        refused(rc, &fault);
    rc = mt_rong_events_ultra_changes(&events, p, len, &changes, &fault);
    if (rc != MT_OK)
        refused(rc, &fault);
    (void)!mt_rong_events_read_time(&events, p, len);
    for (size_t i = 0; i < events.n; i++)
        check(events.items[i].type < MT_EVENT_TYPES_N);
}

static void read_all(const struct mt_rong_decoder *decoder, const void *p, size_t len, unsigned how,
                     struct mt_arena *arena)
{
    history(decoder, p, len, how, arena);
    lists(decoder, p, len, arena);
    others(p, len, arena);
    mt_arena_reset(arena);
}

/* The input as an answer that is compressed into an answer, as far as its first byte says. */
static void compressed(const struct mt_rong_decoder *decoder, const uint8_t *data, size_t size,
                       struct mt_arena *arena)
{
    static const uint8_t flags[] = {6, 8, 4, 3, 2}, bytes[] = {7, 9, 5, 4, 3};
    unsigned how = size > 0 ? data[0] : 0;
    struct mt_buf level[2];

    if (size < 2)
        return;
    mt_buf_init(&level[0], JSON_MAX);
    mt_buf_init(&level[1], JSON_MAX);
    check(mt_buf_append(&level[0], data + 1, size - 1) == MT_OK);
    for (unsigned i = 0; i < 1 + how % 6; i++) {
        struct mt_buf packed;
        size_t len = 0;

        mt_buf_init(&packed, JSON_MAX);
        check(mt_gzip_deflate(level[0].data, level[0].len, &packed, NULL) == MT_OK);
        mt_buf_reset(&level[1]);
        (void)mt_buf_append_char(&level[1], (char)(flags[how / 8 % 5] << 3));
        (void)mt_buf_append_char(&level[1], 1);
        (void)mt_buf_append_char(&level[1], (char)(bytes[how / 8 % 5] << 3 | 2));
        for (len = packed.len; len > 127; len >>= 7)
            (void)mt_buf_append_char(&level[1], (char)(0x80 | (len & 0x7F)));
        (void)mt_buf_append_char(&level[1], (char)len);
        check(mt_buf_append(&level[1], packed.data, packed.len) == MT_OK);
        mt_buf_deinit(&packed);
        mt_buf_reset(&level[0]);
        check(mt_buf_append(&level[0], level[1].data, level[1].len) == MT_OK);
    }
    read_all(decoder, level[0].data, level[0].len, how, arena);
    mt_buf_deinit(&level[1]);
    mt_buf_deinit(&level[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mt_rong_decoder decoder = {.user = "me", .scratch = mt_arena_new(MT_RONG_SCRATCH_MAX)};
    struct mt_arena *arena = mt_arena_new(MT_RONG_PAGE_ARENA_MAX);

    check(decoder.scratch != NULL && arena != NULL);
    read_all(&decoder, data, size, (unsigned)size, arena);
    if (size > 0 && data[0] % 4 == 0)
        compressed(&decoder, data, size, arena);
    mt_arena_free(arena);
    mt_arena_free(decoder.scratch);
    return 0;
}

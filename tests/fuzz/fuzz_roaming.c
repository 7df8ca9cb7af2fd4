/* A page of history: any text, and any bytes as the entry of a page, end in messages that can be
 * written, or in a fault with a name. */
#include "base/arena.h"
#include "codec/base64.h"
#include "codec/json.h"
#include "provider/easemob/roaming_int.h"

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

static void read_page(const struct mt_em_decoder *decoder, const char *text, size_t len,
                      bool bounded, struct mt_arena *arena)
{
    struct mt_history_query query = {.oldest_first = bounded};
    struct mt_em_bounds bounds = {.start_inclusive = false};
    struct mt_history_page page;
    struct mt_fault fault;
    struct mt_buf out;

    check(mt_em_ref_set(&query.conversation, MT_CONVERSATION_GROUP, "1"));
    if (bounded) {
        query.since_ms = 1700000000000;
        query.until_ms = 1700000100000;
        query.from = "bob";
    }
    mt_arena_reset(arena);
    if (mt_em_roaming_parse(decoder, &query, text, len, &bounds,
                            mt_em_roaming_start(&query, &bounds), arena, &page, &fault) != MT_OK) {
        check(fault.code[0] != '\0' && fault.message[0] != '\0' && page.n == 0);
        return;
    }
    check(page.is_last == (page.cursor == NULL));
    mt_buf_init(&out, JSON_MAX);
    for (size_t i = 0; i < page.n; i++) {
        check(!bounded ||
              (page.items[i].time_ms >= query.since_ms && page.items[i].time_ms < query.until_ms));
        mt_buf_reset(&out);
        check(mt_message_write(&page.items[i], true, &out) == MT_OK);
    }
    mt_buf_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mt_em_decoder decoder = {.user = "alice",
                                    .appkey = "org#app",
                                    .api = "https://a1.easemob.com",
                                    .scratch = mt_arena_new(MT_EM_SCRATCH_MAX)};
    struct mt_arena *arena = mt_arena_new(MT_EM_PAGE_ARENA_MAX);
    struct mt_buf page;

    check(decoder.scratch != NULL && arena != NULL);
    read_page(&decoder, (const char *)data, size, size % 2 == 1, arena);
    mt_buf_init(&page, JSON_MAX);
    check(mt_buf_append_str(
              &page, "{\"data\":{\"is_last\":false,\"next_key\":\"7\",\"msgs\":[{\"msg\":\"") ==
          MT_OK);
    check(mt_base64_encode(&page, data, size) == MT_OK);
    check(mt_buf_append_str(&page, "\",\"msg_id\":\"6\"},{\"msg\":null}]}}") == MT_OK);
    read_page(&decoder, page.data, page.len, size % 2 == 0, arena);
    mt_buf_deinit(&page);
    mt_arena_free(arena);
    mt_arena_free(decoder.scratch);
    return 0;
}

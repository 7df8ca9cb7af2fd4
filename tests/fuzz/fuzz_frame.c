/* The decoder of messages: whatever bytes come as a frame, a Meta or a MessageBody, decoding ends,
 * and what it gives can be written as JSON. */
#include "base/arena.h"
#include "codec/json.h"
#include "msync.pb-c.h"
#include "provider/easemob/decode_int.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_MAX ((size_t)16 << 20)
#define JSON_MAX  ((size_t)64 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int holds)
{
    if (!holds)
        abort();
}

static void check_message(const struct mt_message *m)
{
    struct mt_json *json = NULL;
    struct mt_buf text;

    mt_buf_init(&text, JSON_MAX);
    check(mt_message_write(m, true, &text) == MT_OK);
    check(mt_json_parse(text.data, text.len, text.len, &json, NULL) == MT_OK);
    mt_json_free(json);
    mt_buf_deinit(&text);
}

static void decode(const struct mt_em_decoder *decoder, const uint8_t *bytes, size_t len,
                   struct mt_arena *arena)
{
    struct mt_message m;

    mt_arena_reset(arena);
    if (mt_em_decode_meta(decoder, bytes, len, arena, &m) == MT_OK)
        check_message(&m);
}

/* The bytes as what a CHAT Meta carries. */
static void decode_body(const struct mt_em_decoder *decoder, const uint8_t *bytes, size_t len,
                        struct mt_arena *arena)
{
    Easemob__Pb__Meta meta = EASEMOB__PB__META__INIT;
    uint8_t *raw = NULL;

    meta.has_id = true;
    meta.id = 1200000000000000001;
    meta.has_ns = true;
    meta.ns = EASEMOB__PB__META__NAME_SPACE__CHAT;
    meta.has_payload = true;
    meta.payload.data = (uint8_t *)(uintptr_t)bytes;
    meta.payload.len = len;
    raw = malloc(easemob__pb__meta__get_packed_size(&meta));
    check(raw != NULL);
    decode(decoder, raw, easemob__pb__meta__pack(&meta, raw), arena);
    free(raw);
}

/* The bytes as a frame from the server; every Meta in it. */
static void decode_frame(const struct mt_em_decoder *decoder, const uint8_t *bytes, size_t len,
                         struct mt_arena *arena)
{
    Easemob__Pb__MSync *frame = easemob__pb__msync__unpack(NULL, len, bytes);
    Easemob__Pb__CommSyncDL *dl = NULL;

    if (frame != NULL && frame->has_payload)
        dl = easemob__pb__comm_sync_dl__unpack(NULL, frame->payload.len, frame->payload.data);
    for (size_t i = 0; dl != NULL && i < dl->n_metas; i++) {
        uint8_t *raw = malloc(easemob__pb__meta__get_packed_size(dl->metas[i]) + 1);

        check(raw != NULL);
        decode(decoder, raw, easemob__pb__meta__pack(dl->metas[i], raw), arena);
        free(raw);
    }
    if (dl != NULL)
        easemob__pb__comm_sync_dl__free_unpacked(dl, NULL);
    if (frame != NULL)
        easemob__pb__msync__free_unpacked(frame, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mt_em_decoder decoder = {.user = "alice",
                                    .appkey = "org#app",
                                    .api = "https://a1.easemob.com",
                                    .scratch = mt_arena_new(MT_EM_SCRATCH_MAX)};
    struct mt_arena *arena = mt_arena_new(ARENA_MAX);

    check(decoder.scratch != NULL && arena != NULL);
    decode(&decoder, data, size, arena);
    decode_body(&decoder, data, size, arena);
    decode_frame(&decoder, data, size, arena);
    mt_arena_free(arena);
    mt_arena_free(decoder.scratch);
    return 0;
}

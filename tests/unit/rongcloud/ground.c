/* See ground.h. */
#include "ground.h"

int ground_new(void **state)
{
    struct ground *g = mt_mem_calloc(1, sizeof *g);

    assert_non_null(g);
    g->arena = mt_arena_new((size_t)64 << 20);
    g->decoder =
        (struct mt_rong_decoder){.user = "me", .scratch = mt_arena_new(MT_RONG_SCRATCH_MAX)};
    assert_true(g->arena != NULL && g->decoder.scratch != NULL);
    *state = g;
    return 0;
}

int ground_free(void **state)
{
    struct ground *g = *state;

    mt_arena_free(g->decoder.scratch);
    mt_arena_free(g->arena);
    mt_mem_free(g);
    return 0;
}

Rongcloud__DownStreamMessage down(const char *name, const char *content)
{
    Rongcloud__DownStreamMessage m = RONGCLOUD__DOWN_STREAM_MESSAGE__INIT;

    m.fromuserid = (char *)(uintptr_t) "alice";
    m.type = RONGCLOUD__CHANNEL_TYPE__CT_PERSON;
    m.classname = (char *)(uintptr_t)name;
    m.content.data = (uint8_t *)(uintptr_t)content;
    m.content.len = strlen(content);
    m.datatime = 1000;
    m.msgid = (char *)(uintptr_t) "U1";
    return m;
}

const uint8_t *down_bytes(struct ground *g, const Rongcloud__DownStreamMessage *m, size_t *len)
{
    uint8_t *bytes = NULL;

    *len = rongcloud__down_stream_message__get_packed_size(m);
    bytes = mt_arena_alloc(g->arena, *len + 1);
    assert_non_null(bytes);
    assert_int_equal(rongcloud__down_stream_message__pack(m, bytes), *len);
    return bytes;
}

struct mt_message decoded(struct ground *g, const Rongcloud__DownStreamMessage *m)
{
    struct mt_message out;
    size_t len = 0;
    const uint8_t *bytes = down_bytes(g, m, &len);

    assert_int_equal(mt_rong_decode(&g->decoder, bytes, len, g->arena, &out), MT_OK);
    assert_ptr_equal(out.raw, bytes);
    assert_int_equal(out.raw_len, len);
    return out;
}

struct mt_message decoded_content(struct ground *g, const char *name, const char *content)
{
    Rongcloud__DownStreamMessage m = down(name, content);

    return decoded(g, &m);
}

struct mt_value value_of(struct ground *g, const char *json)
{
    struct mt_json *root = NULL;
    struct mt_value value;

    assert_int_equal(mt_json_parse(json, strlen(json), 1 << 20, &root, NULL), MT_OK);
    assert_int_equal(mt_value_from_json(root, g->arena, &value), MT_OK);
    mt_json_free(root);
    return value;
}

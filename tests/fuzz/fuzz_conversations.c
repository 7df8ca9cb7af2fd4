/* The conversation lists: any text in each of the three forms, and any text as the payload of a
 * last message, ends in conversations that can be written, or in a fault with a name. */
#include "base/arena.h"
#include "codec/json.h"
#include "provider/easemob/conversations_int.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_MAX ((size_t)64 << 20)
#define JSON_MAX  ((size_t)64 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int holds)
{
    if (!holds)
        abort();
}

static void read_list(const struct mt_em_decoder *decoder, enum mt_em_form form, const char *text,
                      size_t len, struct mt_arena *arena)
{
    struct mt_em_channels channels;
    struct mt_fault fault;
    struct mt_buf out;

    mt_arena_reset(arena);
    if (mt_em_channels_parse(decoder, form, text, len, arena, &channels, &fault) != MT_OK) {
        check(fault.code[0] != '\0' && fault.message[0] != '\0');
        return;
    }
    check(form == MT_EM_FORM_LIST || channels.cursor == NULL);
    mt_buf_init(&out, JSON_MAX);
    for (size_t i = 0; i < channels.n; i++) {
        struct mt_json *json = NULL;

        mt_buf_reset(&out);
        check(mt_conversation_write(&channels.items[i], true, &out) == MT_OK);
        check(mt_json_parse(out.data, out.len, out.len, &json, NULL) == MT_OK);
        mt_json_free(json);
    }
    mt_buf_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mt_em_decoder decoder = {.user = "alice",
                                    .appkey = "org#app",
                                    .api = "https://a1.easemob.com",
                                    .scratch = mt_arena_new(MT_EM_SCRATCH_MAX)};
    struct mt_arena *arena = mt_arena_new(ARENA_MAX);
    struct mt_buf list;

    check(decoder.scratch != NULL && arena != NULL);
    for (enum mt_em_form form = MT_EM_FORM_LIST; form <= MT_EM_FORM_OLD; form++)
        read_list(&decoder, form, (const char *)data, size, arena);
    mt_buf_init(&list, JSON_MAX);
    check(mt_buf_append_str(
              &list, "{\"data\":{\"channel_infos\":[{\"session_to\":\"bob\",\"meta\":{\"id\":\"5\","
                     "\"payload\":") == MT_OK);
    check(mt_json_write_str(&list, (const char *)data, size) == MT_OK);
    check(mt_buf_append_str(&list, "}}]}}") == MT_OK);
    read_list(&decoder, MT_EM_FORM_LIST, list.data, list.len, arena);
    mt_buf_deinit(&list);
    mt_arena_free(arena);
    mt_arena_free(decoder.scratch);
    return 0;
}

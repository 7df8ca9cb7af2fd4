/* A message of the second cloud: any bytes as a DownStreamMessage, any text as the content of every
 * kind of object, any bytes as what another device sent: they end in a message that can be written,
 * is the same when it is decoded again, and makes events; or in a refusal. */
#include "base/arena.h"
#include "codec/json.h"
#include "provider/rongcloud/content_int.h"
#include "provider/rongcloud/event_int.h"

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

static void write_it(const struct mt_message *m, struct mt_buf *out)
{
    struct mt_json *json = NULL;

    mt_buf_reset(out);
    check(mt_message_write(m, true, out) == MT_OK);
    check(mt_json_parse(out->data, out->len, JSON_MAX, &json, NULL) != MT_ERR_PROTOCOL);
    mt_json_free(json);
}

/* What goes out of what came in is taken in again. */
static void send_it(const struct mt_message *m, struct mt_arena *arena)
{
    struct mt_outgoing out = {
        .kind = m->kind, .text = m->text, .text_len = m->text_len, .body = m->body, .ext = m->ext};
    struct mt_message again = {.type = MT_TYPE_MESSAGE};
    struct mt_fault fault;
    const char *name = NULL;
    struct mt_buf buf;

    mt_buf_init(&buf, MT_RONG_CONTENT_MAX * 2);
    if (mt_rong_content_write(&out, &buf, &name, &fault) == MT_OK) {
        enum mt_rc rc = mt_rong_content_read(name, buf.data, buf.len, arena, &again);

        check(rc == MT_ERR_NOMEM || rc == MT_ERR_LIMIT || again.kind == m->kind ||
              m->kind == MT_MESSAGE_CUSTOM);
    } else {
        check(fault.code[0] != '\0' && fault.message[0] != '\0');
    }
    mt_buf_deinit(&buf);
}

static void use(const struct mt_message *m, struct mt_arena *arena)
{
    struct mt_rong_events events;
    struct mt_buf out;

    check(m->id != NULL && strlen(m->id) < MT_ID_MAX && m->kind_name != NULL && m->from != NULL &&
          m->to != NULL);
    check(m->type != MT_TYPE_RECALL || mt_id_is(m->target_id));
    check(m->target_id == NULL || strlen(m->target_id) < MT_ID_MAX);
    mt_buf_init(&out, JSON_MAX);
    write_it(m, &out);
    send_it(m, arena);
    mt_rong_events_init(&events, "me", arena);
    (void)!mt_rong_events_message(&events, m);
    for (size_t i = 0; i < events.n; i++) {
        check(events.items[i].type < MT_EVENT_TYPES_N);
        mt_buf_reset(&out);
        check(mt_value_write(&events.items[i].data, &out) == MT_OK);
        if (events.items[i].message.kind_name != NULL)
            write_it(&events.items[i].message, &out);
    }
    mt_buf_deinit(&out);
}

static void read_raw(const struct mt_rong_decoder *decoder, const void *raw, size_t len,
                     struct mt_arena *arena)
{
    struct mt_message m;
    enum mt_rc rc = mt_rong_decode(decoder, raw, len, arena, &m);

    check(rc == MT_OK || rc == MT_ERR_PROTOCOL || rc == MT_ERR_NOMEM);
    if (rc == MT_OK)
        use(&m, arena);
}

static void read_content(const struct mt_rong_decoder *decoder, const uint8_t *data, size_t size,
                         struct mt_arena *arena)
{
    static const char *const names[] = {
        "RC:TxtMsg",   "RC:ReferenceMsg", "RC:ImgMsg",     "RC:GIFMsg",   "RC:VcMsg",
        "RC:HQVCMsg",  "RC:SightMsg",     "RC:FileMsg",    "RC:LBSMsg",   "RC:CombineMsg",
        "RC:CmdMsg",   "RC:GrpNtf",       "RC:RcCmd",      "RC:RcNtf",    "RC:ReadNtf",
        "RC:RRRspMsg", "RC:RSMsg",        "RC:MsgExMsg",   "RC:TypSts",   "RC:SRSMsg",
        "app:x",       "RC:Unheard",      "RC:ImgTextMsg", "RC:RRReqMsg",
    };
    Rongcloud__DownStreamMessage m = RONGCLOUD__DOWN_STREAM_MESSAGE__INIT;
    uint8_t *raw = NULL;

    if (size < 2)
        return;
    m.fromuserid = (char *)(uintptr_t)(data[0] & 1 ? "me" : "bob");
    m.type = data[0] & 2 ? RONGCLOUD__CHANNEL_TYPE__CT_GROUP : RONGCLOUD__CHANNEL_TYPE__CT_PERSON;
    m.groupid = (char *)(uintptr_t) "g";
    m.classname = (char *)(uintptr_t)names[data[1] % (sizeof names / sizeof *names)];
    m.msgid = (char *)(uintptr_t) "U1";
    m.has_direction = true;
    m.direction = 1 + (data[0] >> 2 & 1);
    m.has_extracontent = data[0] & 8;
    m.extracontent.data = m.content.data = (uint8_t *)(uintptr_t)data + 2;
    m.extracontent.len = m.content.len = size - 2;
    raw = mt_arena_alloc(arena, rongcloud__down_stream_message__get_packed_size(&m));
    check(raw != NULL);
    read_raw(decoder, raw, rongcloud__down_stream_message__pack(&m, raw), arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const topics[] = {"ppMsgP", "pgMsgP", "ugMsg", "recallMsg", "chatMsg"};
    struct mt_rong_decoder decoder = {.user = "me", .scratch = mt_arena_new(MT_RONG_SCRATCH_MAX)};
    struct mt_arena *arena = mt_arena_new(MT_RONG_PAGE_ARENA_MAX);
    const uint8_t *raw = NULL;
    size_t len = 0;

    check(decoder.scratch != NULL && arena != NULL);
    read_raw(&decoder, data, size, arena);
    read_content(&decoder, data, size, arena);
    if (mt_rong_echo_raw(&decoder, topics[size % 5], "bob", data, size, "U2", 5, arena, &raw,
                         &len) == MT_OK)
        read_raw(&decoder, raw, len, arena);
    mt_arena_free(arena);
    mt_arena_free(decoder.scratch);
    return 0;
}

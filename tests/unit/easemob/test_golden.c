/* The frames that the official SDK and its server exchanged: they decode and encode again to the
 * same bytes, and what is made of each message is what the SDK made of it. */
#include "lib.h"

#include "base/arena.h"
#include "base/map.h"
#include "base/mem.h"
#include "msync.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

int test_golden(void);

static void same_again(const ProtobufCMessage *message, const uint8_t *bytes, size_t len)
{
    uint8_t *out = NULL;

    assert_non_null(message);
    assert_int_equal(protobuf_c_message_get_packed_size(message), len);
    out = mt_mem_alloc(len + 1);
    assert_non_null(out);
    assert_int_equal(protobuf_c_message_pack(message, out), len);
    assert_memory_equal(out, bytes, len);
    mt_mem_free(out);
}

static size_t again(const ProtobufCMessageDescriptor *type, const ProtobufCBinaryData *bytes,
                    ProtobufCMessage **out)
{
    *out = protobuf_c_message_unpack(type, NULL, bytes->len, bytes->data);
    same_again(*out, bytes->data, bytes->len);
    return 1;
}

/* The payload of a Meta by its namespace: NOTIFY is JSON, the rest are messages. */
static size_t meta_again(const Easemob__Pb__Meta *meta)
{
    const ProtobufCMessageDescriptor *types[] = {
        [EASEMOB__PB__META__NAME_SPACE__STATISTIC] = &easemob__pb__statistics_body__descriptor,
        [EASEMOB__PB__META__NAME_SPACE__CHAT] = &easemob__pb__message_body__descriptor,
        [EASEMOB__PB__META__NAME_SPACE__MUC] = &easemob__pb__mucbody__descriptor,
        [EASEMOB__PB__META__NAME_SPACE__ROSTER] = &easemob__pb__roster_body__descriptor,
        [EASEMOB__PB__META__NAME_SPACE__CONFERENCE] = &easemob__pb__conference_body__descriptor,
    };
    ProtobufCMessage *body = NULL;

    if (!meta->has_payload || (size_t)meta->ns >= sizeof types / sizeof types[0])
        return 0;
    (void)again(types[meta->ns], &meta->payload, &body);
    protobuf_c_message_free_unpacked(body, NULL);
    return 1;
}

static size_t sync_again(const ProtobufCBinaryData *payload, bool up)
{
    ProtobufCMessage *inner = NULL;
    size_t n =
        again(up ? &easemob__pb__comm_sync_ul__descriptor : &easemob__pb__comm_sync_dl__descriptor,
              payload, &inner);

    if (up) {
        const Easemob__Pb__CommSyncUL *ul = (const Easemob__Pb__CommSyncUL *)inner;

        if (ul->meta != NULL)
            n += meta_again(ul->meta);
    } else {
        const Easemob__Pb__CommSyncDL *dl = (const Easemob__Pb__CommSyncDL *)inner;

        for (size_t i = 0; i < dl->n_metas; i++)
            n += meta_again(dl->metas[i]);
    }
    protobuf_c_message_free_unpacked(inner, NULL);
    return n;
}

/* One frame and all that is packed in it; how many messages that were. */
static size_t frame_again(const uint8_t *bytes, size_t len, bool up)
{
    Easemob__Pb__MSync *frame = easemob__pb__msync__unpack(NULL, len, bytes);
    const ProtobufCMessageDescriptor *type = NULL;
    size_t n = 1;

    same_again(&frame->base, bytes, len);
    switch (frame->command) {
    case EASEMOB__PB__MSYNC__COMMAND__SYNC:
        n += sync_again(&frame->payload, up);
        break;
    case EASEMOB__PB__MSYNC__COMMAND__UNREAD:
        type = up ? &easemob__pb__comm_unread_ul__descriptor
                  : &easemob__pb__comm_unread_dl__descriptor;
        break;
    case EASEMOB__PB__MSYNC__COMMAND__NOTICE:
        type = &easemob__pb__comm_notice__descriptor;
        break;
    case EASEMOB__PB__MSYNC__COMMAND__PROVISION:
        type = &easemob__pb__provision__descriptor;
        break;
    case EASEMOB__PB__MSYNC__COMMAND__LOGOUT:
        type = &easemob__pb__logout__descriptor;
        break;
    default:
        fail_msg("a frame of command %d", (int)frame->command);
    }
    if (type != NULL && frame->has_payload) {
        ProtobufCMessage *inner = NULL;

        n += again(type, &frame->payload, &inner);
        protobuf_c_message_free_unpacked(inner, NULL);
    }
    easemob__pb__msync__free_unpacked(frame, NULL);
    return n;
}

static void vectors_encode_again(void **state)
{
    size_t len = 0;
    char *text = shared_file("easemob-vectors.json", &len);
    struct mt_json *root = NULL;
    size_t frames = 0;
    size_t messages = 0;

    (void)state;
    if (text == NULL)
        return;
    assert_int_equal(mt_json_parse(text, len, len, &root, NULL), MT_OK);
    for (const struct mt_json *v = mt_json_child(root); v != NULL; v = mt_json_next(v)) {
        const char *name = mt_json_str(mt_json_get(v, "name"));
        size_t n = 0;
        uint8_t *bytes = from_hex(mt_json_str(mt_json_get(v, "hex")), &n);

        messages += frame_again(bytes, n, strncmp(name, "up-", 3) == 0);
        frames++;
        mt_mem_free(bytes);
    }
    print_message("# %zu vectors, %zu messages in them\n", frames, messages);
    assert_true(frames >= 49);
    mt_json_free(root);
    mt_mem_free(text);
}

struct trace {
    size_t frames, compressed, messages;
    size_t compared;
    struct mt_map *metas; /* message id → struct kept */
    struct mt_arena *arena;
};

struct kept {
    const uint8_t *bytes;
    size_t len;
};

static void trace_frame(void *ud, const struct mt_json *node)
{
    struct trace *trace = ud;
    const char *hex = mt_json_str(mt_json_get(node, "hex"));
    const char *dir = mt_json_str(mt_json_get(node, "dir"));
    size_t len = 0;
    uint8_t *bytes = NULL;

    if (hex == NULL)
        return;
    if (mt_json_get(node, "msync") ==
        NULL) { /* LZ4 over a whole connection (§1.11): not ours to read */
        trace->compressed++;
        return;
    }
    bytes = from_hex(hex, &len);
    trace->messages += frame_again(bytes, len, strcmp(dir, "up") == 0);
    trace->frames++;
    mt_mem_free(bytes);
}

static void traces_encode_again(void **state)
{
    static const char *const names[] = {"traces/easemob-websdk-3.6.3.jsonl",
                                        "traces/easemob-websdk-4.21.1.jsonl"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct trace trace = {.frames = 0};
        size_t len = 0;
        char *text = shared_file(names[i], &len);

        if (text == NULL)
            return;
        each_line(text, len, trace_frame, &trace);
        print_message("# %s: %zu frames, %zu messages in them, %zu compressed ones left out\n",
                      names[i], trace.frames, trace.messages, trace.compressed);
        assert_true(trace.frames >= 200);
        mt_mem_free(text);
    }
}

/* ---- what the SDK made of a message ---- */

static void keep_metas(struct trace *trace, const uint8_t *bytes, size_t len)
{
    Easemob__Pb__MSync *frame = easemob__pb__msync__unpack(NULL, len, bytes);
    Easemob__Pb__CommSyncDL *dl = NULL;

    assert_non_null(frame);
    if (frame->command == EASEMOB__PB__MSYNC__COMMAND__SYNC)
        dl = easemob__pb__comm_sync_dl__unpack(NULL, frame->payload.len, frame->payload.data);
    for (size_t i = 0; dl != NULL && i < dl->n_metas; i++) {
        struct kept *kept = mt_arena_alloc(trace->arena, sizeof *kept);
        uint8_t *copy =
            mt_arena_alloc(trace->arena, easemob__pb__meta__get_packed_size(dl->metas[i]) + 1);
        char id[32];

        assert_true(kept != NULL && copy != NULL);
        kept->len = easemob__pb__meta__pack(dl->metas[i], copy);
        kept->bytes = copy;
        snprintf(id, sizeof id, "%llu", (unsigned long long)dl->metas[i]->id);
        assert_int_equal(mt_map_put(trace->metas, id, kept), MT_OK);
    }
    if (dl != NULL)
        easemob__pb__comm_sync_dl__free_unpacked(dl, NULL);
    easemob__pb__msync__free_unpacked(frame, NULL);
}

static void same_text(const struct mt_json *theirs, const char *key, const char *ours)
{
    const char *s = mt_json_str(mt_json_get(theirs, key));

    if (s != NULL && s[0] != '\0') {
        assert_non_null(ours);
        assert_string_equal(ours, s);
    }
}

static const char *body_str(const struct mt_message *m, const char *key)
{
    const struct mt_value *v = mt_value_get(&m->body, key);

    return v != NULL && v->type == MT_VALUE_STR ? v->s : NULL;
}

static double number_of(const struct mt_value *v)
{
    return v == NULL                  ? 0
           : v->type == MT_VALUE_INT  ? (double)v->i
           : v->type == MT_VALUE_UINT ? (double)v->u
                                      : v->d;
}

static void same_number(const struct mt_json *theirs, const char *key, const struct mt_message *m,
                        const char *ours)
{
    const struct mt_json *n = mt_json_get(theirs, key);

    if (mt_json_type(n) == MT_JSON_NUMBER)
        assert_true(number_of(mt_value_get(&m->body, ours)) == mt_json_double(n, -1));
}

/* The SDK rounds integers beyond 2^53; ours must round to the same. */
static void same_map(const struct mt_json *theirs, const struct mt_value *ours,
                     struct mt_arena *arena)
{
    size_t n = 0;

    for (const struct mt_json *m = mt_json_child(theirs); m != NULL; m = mt_json_next(m), n++) {
        const struct mt_value *v = mt_value_get(ours, mt_json_key(m));
        struct mt_value value;
        char expected[4096];

        assert_non_null(v);
        assert_int_equal(mt_value_from_json(m, arena, &value), MT_OK);
        if (value.type == MT_VALUE_INT || value.type == MT_VALUE_DOUBLE) {
            assert_true(number_of(v) == number_of(&value));
            continue;
        }
        snprintf(expected, sizeof expected, "%s", json_of(&value));
        assert_string_equal(json_of(v), expected);
    }
    assert_int_equal(ours->type, MT_VALUE_MAP);
    assert_int_equal(ours->fields_n, n);
}

static const struct {
    const char *theirs;
    enum mt_message_kind ours;
} kinds[] = {
    {"txt", MT_MESSAGE_TEXT},     {"img", MT_MESSAGE_IMAGE},     {"video", MT_MESSAGE_VIDEO},
    {"loc", MT_MESSAGE_LOCATION}, {"audio", MT_MESSAGE_VOICE},   {"file", MT_MESSAGE_FILE},
    {"cmd", MT_MESSAGE_COMMAND},  {"custom", MT_MESSAGE_CUSTOM}, {"combine", MT_MESSAGE_COMBINE},
};

static void same_url(const struct mt_json *theirs, const struct mt_message *m)
{
    const char *url = mt_json_str(mt_json_get(theirs, "url"));
    size_t len = url == NULL ? 0 : strcspn(url, "?");

    if (len == 0)
        return;
    assert_non_null(body_str(m, "url"));
    assert_int_equal(strlen(body_str(m, "url")), len);
    assert_memory_equal(body_str(m, "url"), url, len);
}

static void same_content(const struct mt_json *theirs, const struct mt_message *m,
                         struct mt_arena *arena)
{
    same_url(theirs, m);
    same_text(theirs, "secret", body_str(m, "secret"));
    same_text(theirs, "filename", body_str(m, "filename"));
    same_text(theirs, "addr", body_str(m, "address"));
    same_text(theirs, "buildingName", body_str(m, "building"));
    same_text(theirs, "action", body_str(m, "action"));
    same_text(theirs, "customEvent", body_str(m, "event"));
    same_text(theirs, "title", body_str(m, "title"));
    same_text(theirs, "summary", body_str(m, "summary"));
    same_text(theirs, "compatibleText", m->text);
    same_number(theirs, "width", m, "width");
    same_number(theirs, "height", m, "height");
    same_number(theirs, "file_length", m, "size_bytes");
    same_number(theirs, "lat", m, "latitude");
    same_number(theirs, "lng", m, "longitude");
    same_number(theirs, "combineLevel", m, "level");
    if (m->kind == MT_MESSAGE_VOICE || m->kind == MT_MESSAGE_VIDEO)
        same_number(theirs, "length", m, "duration_s");
    if (mt_json_get(theirs, "customExts") != NULL)
        same_map(mt_json_get(theirs, "customExts"), mt_value_get(&m->body, "fields"), arena);
    assert_int_equal(mt_json_bool(mt_json_get(theirs, "isGif"), false),
                     mt_value_get(&m->body, "gif") != NULL);
}

static void compare(struct trace *trace, const struct mt_json *theirs)
{
    const char *id = mt_json_str(mt_json_get(theirs, "id"));
    const char *type = mt_json_str(mt_json_get(theirs, "type"));
    const char *chat = mt_json_str(mt_json_get(theirs, "chatType"));
    const struct kept *kept = id == NULL ? NULL : mt_map_get(trace->metas, id);
    const char *url = mt_json_str(mt_json_get(theirs, "url"));
    char api[128] = "";
    struct mt_em_decoder decoder;
    struct mt_message m;

    if (kept == NULL || type == NULL || chat == NULL || strcmp(type, "channel") == 0)
        return;
    if (url != NULL)
        snprintf(api, sizeof api, "%.*s", (int)(strchr(url + 9, '/') - url), url);
    decoder = decoder_new(api);
    assert_int_equal(mt_em_decode_meta(&decoder, kept->bytes, kept->len, trace->arena, &m), MT_OK);
    if (m.type == MT_TYPE_MESSAGE) {
        for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
            if (strcmp(kinds[i].theirs, type) == 0)
                assert_int_equal(m.kind, kinds[i].ours);
        same_text(theirs, "msg", m.text);
        same_text(theirs, "from", m.from);
        same_text(theirs, "to", m.to);
        assert_int_equal(m.time_ms, mt_json_i64(mt_json_get(theirs, "time"), 0));
        assert_string_equal(mt_conversation_kind_name(m.conversation.kind),
                            strcmp(chat, "singleChat") == 0  ? "single"
                            : strcmp(chat, "groupChat") == 0 ? "group"
                                                             : "room");
        same_content(theirs, &m, trace->arena);
        same_map(mt_json_get(theirs, "ext"), &m.ext, trace->arena);
        trace->compared++;
    }
    decoder_free(&decoder);
}

static void trace_event(void *ud, const struct mt_json *node)
{
    struct trace *trace = ud;
    const char *hex = mt_json_str(mt_json_get(node, "hex"));
    const char *dir = mt_json_str(mt_json_get(node, "dir"));
    const char *via = mt_json_str(mt_json_get(node, "via"));
    const struct mt_json *arg = mt_json_get(node, "arg");

    if (hex != NULL && strcmp(dir, "down") == 0 && mt_json_get(node, "msync") != NULL) {
        size_t len = 0;
        uint8_t *bytes = from_hex(hex, &len);

        keep_metas(trace, bytes, len);
        mt_mem_free(bytes);
    } else if (via != NULL && strcmp(via, "addEventHandler") == 0 &&
               mt_json_type(arg) == MT_JSON_OBJECT) {
        compare(trace, arg);
    }
}

static void messages_are_what_the_sdk_sees(void **state)
{
    struct trace trace = {.metas = mt_map_new(), .arena = mt_arena_new((size_t)64 * 1024 * 1024)};
    size_t len = 0;
    char *text = shared_file("traces/easemob-websdk-4.21.1.jsonl", &len);

    (void)state;
    if (text != NULL) {
        each_line(text, len, trace_event, &trace);
        print_message("# %zu messages compared with the SDK's\n", trace.compared);
        assert_true(trace.compared >= 20);
    }
    mt_mem_free(text);
    mt_map_free(trace.metas, NULL);
    mt_arena_free(trace.arena);
}

int test_golden(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_encode_again),
        cmocka_unit_test(traces_encode_again),
        cmocka_unit_test(messages_are_what_the_sdk_sees),
    };

    return cmocka_run_group_tests_name("golden", tests, NULL, NULL);
}

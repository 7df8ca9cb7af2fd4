/* What goes out, byte for byte as the official SDK sends it: the golden vectors. */
#include "lib.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"
#include "provider/easemob/outgoing_int.h"

#include "../ids.h"
#include "msync.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

int test_outgoing(void);

#define FIRST  UINT64_C(1200000000000000001)
#define SECOND UINT64_C(1200000000000000002)
#define FILE_AT                                                                                    \
    "\"remote_path\":\"http://127.0.0.1:42577/easemob-demo/chatdemoui/chatfiles/"                  \
    "5fd74830-58b9-11ee-0000-000000000001\",\"secret\":\"X9dIQFi5Ee6s0_c0ffee\","                  \
    "\"filename\":\"p.png\",\"size_bytes\":7"

struct golden {
    const char *name; /* behind "up-sync-meta-CHAT-" */
    enum mt_conversation_kind chat;
    bool refers;
    enum mt_reference_type reference;
    uint64_t id;
    const char *content;
    enum mt_message_kind kind;
    const char *text, *body, *ext; /* body and ext: JSON */
    bool wants_receipts;
};

static const struct golden all[] = {
    {.name = "CHAT-TEXT",
     .kind = MT_MESSAGE_TEXT,
     .text = "hi",
     .ext = "{\"s\":\"str\",\"b\":true,\"b2\":false,\"i\":-5,\"big\":9007199254740991,\"d\":2.5,"
            "\"j\":{\"a\":[1,2]},\"arr\":[1],\"n\":null}"},
    {.name = "GROUPCHAT-TEXT-conf",
     .chat = MT_CONVERSATION_GROUP,
     .kind = MT_MESSAGE_TEXT,
     .text = "hi g",
     .wants_receipts = true},
    {.name = "CHATROOM-TEXT-conf",
     .chat = MT_CONVERSATION_ROOM,
     .kind = MT_MESSAGE_TEXT,
     .text = "hi r"},
    {.name = "CHAT-COMMAND", .kind = MT_MESSAGE_COMMAND, .body = "{\"action\":\"em_typing\"}"},
    {.name = "CHAT-LOCATION",
     .kind = MT_MESSAGE_LOCATION,
     .body = "{\"latitude\":39.9,\"longitude\":116.4,\"address\":\"北京\",\"building\":\"B\"}"},
    {.name = "CHAT-CUSTOM",
     .kind = MT_MESSAGE_CUSTOM,
     .body = "{\"event\":\"gift\",\"fields\":{\"n\":\"rose\",\"k\":2}}"},
    {.name = "CHAT-IMAGE",
     .kind = MT_MESSAGE_IMAGE,
     .body = "{" FILE_AT ",\"width\":64,\"height\":48}"},
    {.name = "CHAT-VOICE", .kind = MT_MESSAGE_VOICE, .body = "{" FILE_AT ",\"duration_s\":3}"},
    {.name = "CHAT-VIDEO", .kind = MT_MESSAGE_VIDEO, .body = "{" FILE_AT ",\"duration_s\":3}"},
    {.name = "CHAT-FILE", .kind = MT_MESSAGE_FILE, .body = "{" FILE_AT "}"},
    {.name = "DELIVER_ACK", .refers = true, .reference = MT_REFER_DELIVERED, .id = FIRST},
    {.name = "READ_ACK", .refers = true, .reference = MT_REFER_READ, .id = FIRST},
    {.name = "READ_ACK-conf",
     .chat = MT_CONVERSATION_GROUP,
     .refers = true,
     .reference = MT_REFER_READ,
     .id = SECOND,
     .content = "{}"},
    {.name = "CHANNEL_ACK", .refers = true, .reference = MT_REFER_CONVERSATION},
    {.name = "CHANNEL_ACK-conf",
     .chat = MT_CONVERSATION_GROUP,
     .refers = true,
     .reference = MT_REFER_CONVERSATION},
    {.name = "RECALL", .refers = true, .reference = MT_REFER_RECALL, .id = FIRST, .content = "why"},
    {.name = "RECALL-conf",
     .chat = MT_CONVERSATION_GROUP,
     .refers = true,
     .reference = MT_REFER_RECALL,
     .id = SECOND},
    {.name = "EDIT-TEXT",
     .refers = true,
     .reference = MT_REFER_EDIT,
     .id = FIRST,
     .kind = MT_MESSAGE_TEXT,
     .text = "edited"},
};

static struct mt_value value_of(const char *json, struct mt_arena *arena)
{
    struct mt_json *root = NULL;
    struct mt_value value = {.type = MT_VALUE_NULL};

    if (json == NULL)
        return value;
    assert_int_equal(mt_json_parse(json, strlen(json), 4096, &root, NULL), MT_OK);
    assert_int_equal(mt_value_from_json(root, arena, &value), MT_OK);
    mt_json_free(root);
    return value;
}

static void pack(const struct golden *g, uint64_t meta_id, struct mt_buf *out)
{
    static char user[] = "alice", appkey[] = "easemob-demo#chatdemoui";
    static const char *const targets[] = {[MT_CONVERSATION_SINGLE] = "bob",
                                          [MT_CONVERSATION_GROUP] = "93734273351681",
                                          [MT_CONVERSATION_ROOM] = "777"};
    struct mt_provider_account *account = mt_mem_calloc(1, sizeof *account);
    struct mt_arena *arena = mt_arena_new((size_t)64 * 1024);
    struct mt_fault fault;

    assert_true(account != NULL && arena != NULL);
    account->user = user;
    account->appkey = appkey;
    struct mt_outgoing message = {.kind = g->kind,
                                  .text = g->text,
                                  .text_len = g->text == NULL ? 0 : strlen(g->text),
                                  .body = value_of(g->body, arena),
                                  .ext = value_of(g->ext, arena),
                                  .wants_receipts = g->wants_receipts};
    message.to.kind = g->chat;
    snprintf(message.to.target, sizeof message.to.target, "%s", targets[g->chat]);
    char id[MT_ID_MAX];
    id_put(id, g->id);
    struct mt_reference reference = {.type = g->reference,
                                     .conversation = message.to,
                                     .message = {.id = id, .from = "bob"},
                                     .content = g->content,
                                     .edit = g->text == NULL ? NULL : &message};
    enum mt_rc rc = g->refers ? mt_em_reference_pack(account, &reference, meta_id, out, &fault)
                              : mt_em_outgoing_pack(account, &message, meta_id, out, &fault);
    if (rc != MT_OK)
        fail_msg("%s: %s", g->name, fault.message);
    mt_arena_free(arena);
    mt_mem_free(account);
}

static const struct mt_json *find(const struct mt_json *root, const char *name)
{
    char whole[128];
    const struct mt_json *v = mt_json_child(root);

    snprintf(whole, sizeof whole, "up-sync-meta-CHAT-%s", name);
    while (v != NULL && strcmp(mt_json_str(mt_json_get(v, "name")), whole) != 0)
        v = mt_json_next(v);
    return v;
}

/* The payload of the SDK's frame against ours, with the same client id. */
static void compare(const struct golden *g, const char *hex)
{
    size_t len = 0;
    uint8_t *bytes = from_hex(hex, &len);
    Easemob__Pb__MSync *frame = easemob__pb__msync__unpack(NULL, len, bytes);
    Easemob__Pb__CommSyncUL *ul = NULL;
    struct mt_buf out;

    assert_non_null(frame);
    ul = easemob__pb__comm_sync_ul__unpack(NULL, frame->payload.len, frame->payload.data);
    assert_true(ul != NULL && ul->meta != NULL);
    mt_buf_init(&out, (size_t)64 * 1024);
    pack(g, ul->meta->id, &out);
    if (out.len != frame->payload.len || memcmp(out.data, frame->payload.data, out.len) != 0)
        fail_msg("%s: %zu bytes differ from the SDK's %zu", g->name, out.len, frame->payload.len);
    mt_buf_deinit(&out);
    easemob__pb__comm_sync_ul__free_unpacked(ul, NULL);
    easemob__pb__msync__free_unpacked(frame, NULL);
    mt_mem_free(bytes);
}

static void frames_are_the_sdks(void **state)
{
    size_t len = 0;
    char *text = shared_file("easemob-vectors.json", &len);
    struct mt_json *root = NULL;

    (void)state;
    if (text == NULL)
        return;
    assert_int_equal(mt_json_parse(text, len, len, &root, NULL), MT_OK);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        const struct mt_json *v = find(root, all[i].name);

        if (v == NULL)
            fail_msg("there is no vector %s", all[i].name);
        compare(&all[i], mt_json_str(mt_json_get(v, "hex")));
    }
    mt_json_free(root);
    mt_mem_free(text);
}

static void client_ids_count_on(void **state)
{
    (void)state;
    assert_int_equal(mt_em_meta_id(INT64_C(1264982400000) + 530223724763, 0), 530223724763);
    assert_int_equal(mt_em_meta_id(INT64_C(1264982400000) + 530223724763, 7), 530223724770);
    assert_true(mt_em_meta_id(0, 0) != 0); /* 0 would be no id */
}

int test_outgoing(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_are_the_sdks),
        cmocka_unit_test(client_ids_count_on),
    };
    return cmocka_run_group_tests_name("outgoing", tests, NULL, NULL);
}

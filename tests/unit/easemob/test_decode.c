/* Messages built with the generated C and decoded: kinds, ext, notices, extras, what is broken; and
 * the JSON form of the conversation list, which must give the same message. */
#include "lib.h"

#include "../bytes.h"

#include "base/arena.h"
#include "base/mem.h"
#include "base/str.h"
#include "msync.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

int test_decode(void);

typedef Easemob__Pb__MessageBody__Content content_pb;

#define PATH "https://elsewhere.example/org/app/chatfiles/uuid-1?em-redirect=true&share-secret=x"
#define URL  "https://a1.easemob.com/org/app/chatfiles/uuid-1"

/* One message under construction; fields not set stay absent. */
struct made {
    Easemob__Pb__Meta meta;
    Easemob__Pb__JID from, to, body_from, body_to;
    Easemob__Pb__MessageBody body;
    content_pb content;
    content_pb *contents[1];
};

static void made_init(struct made *made)
{
    easemob__pb__meta__init(&made->meta);
    easemob__pb__jid__init(&made->from);
    easemob__pb__jid__init(&made->to);
    easemob__pb__jid__init(&made->body_from);
    easemob__pb__jid__init(&made->body_to);
    easemob__pb__message_body__init(&made->body);
    easemob__pb__message_body__content__init(&made->content);
    made->meta.has_id = true;
    made->meta.id = 1200000000000000001;
    made->meta.has_timestamp = true;
    made->meta.timestamp = 1700000000000;
    made->meta.has_ns = true;
    made->meta.ns = EASEMOB__PB__META__NAME_SPACE__CHAT;
    made->meta.from = &made->from;
    made->meta.to = &made->to;
    made->from.name = "bob";
    made->from.domain = "easemob.com";
    made->to.name = "alice";
    made->to.domain = "easemob.com";
    made->body_from.name = "bob";
    made->body_to.name = "alice";
    made->body.from = &made->body_from;
    made->body.to = &made->body_to;
    made->body.has_type = true;
    made->body.type = EASEMOB__PB__MESSAGE_BODY__TYPE__CHAT;
    made->body.n_contents = 1;
    made->body.contents = made->contents;
    made->contents[0] = &made->content;
    made->content.has_type = true;
}

struct fixture {
    struct made made;
    struct mt_em_decoder decoder;
    struct mt_arena *arena;
    struct mt_message m;
};

static struct fixture *setup(void)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    made_init(&f->made);
    f->decoder = decoder_new("https://a1.easemob.com");
    f->arena = mt_arena_new((size_t)8 * 1024 * 1024);
    assert_non_null(f->arena);
    return f;
}

static void teardown(struct fixture *f)
{
    decoder_free(&f->decoder);
    mt_arena_free(f->arena);
    free(f);
}

static enum mt_rc decode(struct fixture *f)
{
    size_t len = easemob__pb__message_body__get_packed_size(&f->made.body);
    uint8_t *payload = mt_arena_alloc(f->arena, len + 1);
    uint8_t *raw = NULL;

    if (!f->made.meta.has_payload) {
        f->made.meta.has_payload = true;
        f->made.meta.payload.len = easemob__pb__message_body__pack(&f->made.body, payload);
        f->made.meta.payload.data = payload;
    }
    len = easemob__pb__meta__get_packed_size(&f->made.meta);
    raw = mt_arena_alloc(f->arena, len + 1);
    easemob__pb__meta__pack(&f->made.meta, raw);
    return mt_em_decode_meta(&f->decoder, raw, len, f->arena, &f->m);
}

static void expect_body(struct fixture *f, enum mt_message_kind kind, const char *body)
{
    assert_int_equal(decode(f), MT_OK);
    assert_int_equal(f->m.kind, kind);
    assert_string_equal(json_of(&f->m.body), body);
}

static void set_file(content_pb *c)
{
    SET_BYTES(c, displayname, "a.bin");
    c->remotepath = PATH;
    c->secretkey = "sec";
    c->has_filelength = true;
    c->filelength = 1234;
}

#define FILE_JSON                                                                                  \
    "\"url\":\"" URL "\",\"remote_path\":\"" PATH "\",\"secret\":\"sec\",\"filename\":\"a.bin\","  \
    "\"size_bytes\":1234"

static void every_kind_of_attachment(void **state)
{
    Easemob__Pb__MessageBody__Content__Size size = EASEMOB__PB__MESSAGE_BODY__CONTENT__SIZE__INIT;
    struct fixture *f = setup();
    content_pb *c = &f->made.content;

    (void)state;
    size.has_width = true;
    size.width = 640;
    size.has_height = true;
    size.height = 480.5;
    set_file(c);
    c->type = EASEMOB__PB__MESSAGE_BODY__CONTENT__TYPE__FILE;
    expect_body(f, MT_MESSAGE_FILE, "{" FILE_JSON "}");
    f->made.meta.has_payload = false;
    c->type = EASEMOB__PB__MESSAGE_BODY__CONTENT__TYPE__IMAGE;
    c->size = &size;
    expect_body(f, MT_MESSAGE_IMAGE, "{" FILE_JSON ",\"width\":640,\"height\":480.5}");
    f->made.meta.has_payload = false;
    c->has_subtype = true;
    c->subtype = EASEMOB__PB__MESSAGE_BODY__CONTENT__SUB_TYPE__SUB_GIF;
    expect_body(f, MT_MESSAGE_IMAGE, "{" FILE_JSON ",\"width\":640,\"height\":480.5,\"gif\":true}");
    f->made.meta.has_payload = false;
    c->has_subtype = false;
    c->has_duration = true;
    c->duration = 7;
    c->thumbnailremotepath = "https://x.example/t?vframe=true";
    c->thumbnailsecretkey = "ts";
    c->type = EASEMOB__PB__MESSAGE_BODY__CONTENT__TYPE__VIDEO;
    expect_body(f, MT_MESSAGE_VIDEO,
                "{" FILE_JSON ",\"width\":640,\"height\":480.5,\"duration_s\":7,"
                "\"thumbnail_url\":\"https://a1.easemob.com/t\","
                "\"thumbnail_remote_path\":\"https://x.example/t?vframe=true\","
                "\"thumbnail_secret\":\"ts\"}");
    f->made.meta.has_payload = false;
    c->thumbnailremotepath = NULL;
    c->thumbnailsecretkey = NULL;
    c->type = EASEMOB__PB__MESSAGE_BODY__CONTENT__TYPE__VOICE;
    expect_body(f, MT_MESSAGE_VOICE, "{" FILE_JSON ",\"duration_s\":7}");
    teardown(f);
}

static void other_kinds(void **state)
{
    struct fixture *f = setup();
    content_pb *c = &f->made.content;
    Easemob__Pb__KeyValue pair = EASEMOB__PB__KEY_VALUE__INIT;
    Easemob__Pb__KeyValue *pairs[] = {&pair};

    (void)state;
    c->type = EASEMOB__PB__MESSAGE_BODY__CONTENT__TYPE__TEXT;
    SET_BYTES(c, text, "hello 你好");
    expect_body(f, MT_MESSAGE_TEXT, "{}");
    assert_string_equal(f->m.text, "hello 你好");
    f->made.meta.has_payload = false;
    SET_BYTES(c, text, NULL);
    c->type = EASEMOB__PB__MESSAGE_BODY__CONTENT__TYPE__LOCATION;
    c->has_latitude = c->has_longitude = true;
    c->latitude = 39.9;
    c->longitude = 116;
    SET_BYTES(c, address, "北京");
    SET_BYTES(c, buildingname, "B");
    expect_body(f, MT_MESSAGE_LOCATION,
                "{\"latitude\":39.9,\"longitude\":116,\"address\":\"北京\",\"building\":\"B\"}");
    f->made.meta.has_payload = false;
    c->type = EASEMOB__PB__MESSAGE_BODY__CONTENT__TYPE__COMMAND;
    SET_BYTES(c, action, "em_typing");
    expect_body(f, MT_MESSAGE_COMMAND, "{\"action\":\"em_typing\"}");
    f->made.meta.has_payload = false;
    c->type = EASEMOB__PB__MESSAGE_BODY__CONTENT__TYPE__CUSTOM;
    SET_BYTES(c, customevent, "gift");
    pair.key = "n";
    pair.has_type = true;
    pair.type = EASEMOB__PB__KEY_VALUE__VALUE_TYPE__STRING;
    pair.value_case = EASEMOB__PB__KEY_VALUE__VALUE_STRING_VALUE;
    pair.stringvalue = bytes("rose");
    c->n_customexts = 1;
    c->customexts = pairs;
    c->n_params = 1;
    c->params = pairs;
    expect_body(f, MT_MESSAGE_CUSTOM,
                "{\"event\":\"gift\",\"fields\":{\"n\":\"rose\"},\"params\":{\"n\":\"rose\"}}");
    teardown(f);
}

/* Presence of subType decides: 0 present is a combined message (§2). */
/* A NUL in what somebody wrote hides nothing that follows it. */
static void nul_in_texts(void **state)
{
    struct fixture *f = setup();
    content_pb *c = &f->made.content;
    Easemob__Pb__KeyValue pair = EASEMOB__PB__KEY_VALUE__INIT;
    Easemob__Pb__KeyValue *pairs[] = {&pair};
    uint8_t text[] = {'a', 0, 'b'};

    (void)state;
    c->type = EASEMOB__PB__MESSAGE_BODY__CONTENT__TYPE__TEXT;
    c->has_text = true;
    c->text = (ProtobufCBinaryData){.data = text, .len = sizeof text};
    pair.key = "k";
    pair.value_case = EASEMOB__PB__KEY_VALUE__VALUE_STRING_VALUE;
    pair.stringvalue = c->text;
    f->made.body.ext = pairs;
    f->made.body.n_ext = 1;
    expect_body(f, MT_MESSAGE_TEXT, "{}");
    assert_int_equal(f->m.text_len, 3);
    assert_memory_equal(f->m.text, "a\0b", 4);
    assert_string_equal(json_of(&f->m.ext), "{\"k\":\"a\\u0000b\"}");
    f->made.meta.has_payload = false;
    c->type = EASEMOB__PB__MESSAGE_BODY__CONTENT__TYPE__COMMAND;
    c->has_action = true;
    c->action = c->text;
    expect_body(f, MT_MESSAGE_COMMAND,
                "{\"action\":\"a\xef\xbf\xbd"
                "b\"}");
    teardown(f);
}

static void combined_messages(void **state)
{
    struct fixture *f = setup();
    content_pb *c = &f->made.content;

    (void)state;
    set_file(c);
    c->type = EASEMOB__PB__MESSAGE_BODY__CONTENT__TYPE__TEXT;
    SET_BYTES(c, text, "for old clients");
    SET_BYTES(c, title, "t");
    SET_BYTES(c, summary, "s");
    c->has_combinelevel = true;
    c->combinelevel = 1;
    expect_body(f, MT_MESSAGE_TEXT, "{}");
    f->made.meta.has_payload = false;
    c->has_subtype = true;
    c->subtype = EASEMOB__PB__MESSAGE_BODY__CONTENT__SUB_TYPE__SUB_COMBINE;
    expect_body(f, MT_MESSAGE_COMBINE,
                "{\"title\":\"t\",\"summary\":\"s\",\"level\":1," FILE_JSON "}");
    assert_string_equal(f->m.text, "for old clients");
    f->made.meta.has_payload = false;
    c->has_subtype = false;
    c->type = EASEMOB__PB__MESSAGE_BODY__CONTENT__TYPE__COMBINE;
    expect_body(f, MT_MESSAGE_COMBINE,
                "{\"title\":\"t\",\"summary\":\"s\",\"level\":1," FILE_JSON "}");
    teardown(f);
}

static void streams_and_unknown_kinds(void **state)
{
    Easemob__Pb__MessageBody__Stream stream = EASEMOB__PB__MESSAGE_BODY__STREAM__INIT;
    struct fixture *f = setup();
    content_pb *c = &f->made.content;

    (void)state;
    c->type = EASEMOB__PB__MESSAGE_BODY__CONTENT__TYPE__TEXT;
    SET_BYTES(c, text, "chunk");
    c->has_subtype = true;
    c->subtype = EASEMOB__PB__MESSAGE_BODY__CONTENT__SUB_TYPE__SUB_STREAM;
    stream.streamtype = "text";
    stream.has_streamseq = true;
    stream.streamseq = 3;
    stream.has_streamstatus = true;
    stream.streamstatus = EASEMOB__PB__MESSAGE_BODY__STREAM__STREAM_STATUS__STREAM_COMPLETED;
    f->made.body.stream = &stream;
    expect_body(f, MT_MESSAGE_TEXT, "{\"stream\":{\"type\":\"text\",\"seq\":3,\"status\":2}}");
    f->made.meta.has_payload = false;
    c->type = (Easemob__Pb__MessageBody__Content__Type)77;
    set_file(c);
    expect_body(f, MT_MESSAGE_OTHER, "{" FILE_JSON "}");
    assert_string_equal(f->m.kind_name, "content_77");
    assert_string_equal(f->m.text, "chunk");
    f->made.meta.has_payload = false;
    f->made.body.n_contents = 0;
    expect_body(f, MT_MESSAGE_OTHER, "{}");
    assert_string_equal(f->m.kind_name, "empty");
    f->made.meta.has_payload = false;
    f->made.body.type = (Easemob__Pb__MessageBody__Type)99;
    assert_int_equal(decode(f), MT_OK);
    assert_string_equal(f->m.kind_name, "unknown");
    assert_string_equal(f->m.from, "bob");
    teardown(f);
}

static Easemob__Pb__KeyValue pair_of(const char *key, int type)
{
    Easemob__Pb__KeyValue pair = EASEMOB__PB__KEY_VALUE__INIT;

    pair.key = (char *)(uintptr_t)key;
    pair.has_type = true;
    pair.type = (Easemob__Pb__KeyValue__ValueType)type;
    pair.value_case = type <= 4   ? EASEMOB__PB__KEY_VALUE__VALUE_VARINT_VALUE
                      : type == 5 ? EASEMOB__PB__KEY_VALUE__VALUE_FLOAT_VALUE
                      : type == 6 ? EASEMOB__PB__KEY_VALUE__VALUE_DOUBLE_VALUE
                                  : EASEMOB__PB__KEY_VALUE__VALUE_STRING_VALUE;
    return pair;
}

static void ext_of_all_eight_types(void **state)
{
    struct fixture *f = setup();
    Easemob__Pb__KeyValue pairs[12];
    Easemob__Pb__KeyValue *list[12];
    const struct mt_value *v = NULL;

    (void)state;
    for (int i = 0; i < 8; i++)
        pairs[i] = pair_of((const char *[]){"b", "i", "u", "ll", "f", "d", "s", "j"}[i], i + 1);
    pairs[0].varintvalue = 1;
    pairs[1].varintvalue = -5;
    pairs[2].varintvalue = -1; /* as unsigned: 2^64 - 1 */
    pairs[3].varintvalue = 9007199254740993;
    pairs[4].floatvalue = 1.5F;
    pairs[5].doublevalue = 2.25;
    pairs[6].stringvalue = bytes("str");
    pairs[7].stringvalue = bytes("{\"a\":[1,2.5,null,true,\"x\"],\"big\":1200000000000000001}");
    pairs[8] = pair_of("bad", 8);
    pairs[8].stringvalue = bytes("{not json");
    pairs[9] = pair_of("nothing", 8);
    pairs[9].stringvalue = bytes("null");
    pairs[10] = pair_of("s", 7); /* twice: the last one counts */
    pairs[10].stringvalue = bytes("again");
    pairs[11] = pair_of("absent", 7);
    pairs[11].value_case = EASEMOB__PB__KEY_VALUE__VALUE__NOT_SET;
    for (size_t i = 0; i < 12; i++)
        list[i] = &pairs[i];
    f->made.body.n_ext = 12;
    f->made.body.ext = list;
    SET_BYTES(&f->made.content, text, "x");
    assert_int_equal(decode(f), MT_OK);
    assert_string_equal(
        json_of(&f->m.ext),
        "{\"b\":true,\"i\":-5,\"u\":\"18446744073709551615\",\"ll\":\"9007199254740993\","
        "\"f\":1.5,\"d\":2.25,\"s\":\"again\",\"j\":{\"a\":[1,2.5,null,true,\"x\"],"
        "\"big\":\"1200000000000000001\"},\"bad\":\"{not json\",\"nothing\":null}");
    v = mt_value_get(&f->m.ext, "ll");
    assert_int_equal(v->type, MT_VALUE_INT);
    assert_true(v->i == 9007199254740993);
    v = mt_value_get(mt_value_get(&f->m.ext, "j"), "big");
    assert_int_equal(v->type, MT_VALUE_INT);
    assert_true(v->i == 1200000000000000001);
    teardown(f);
}

static void who_and_where(void **state)
{
    struct fixture *f = setup();

    (void)state;
    SET_BYTES(&f->made.content, text, "x");
    assert_int_equal(decode(f), MT_OK); /* received, single */
    assert_false(f->m.sent);
    assert_int_equal(f->m.conversation.kind, MT_CONVERSATION_SINGLE);
    assert_string_equal(f->m.conversation.target, "bob");
    assert_string_equal(f->m.id, "1200000000000000001");
    assert_int_equal(f->m.time_ms, 1700000000000);
    f->made.meta.has_payload = false;
    f->made.body_from.name = "alice"; /* sent, to one device */
    f->made.body_to.name = "Bob";
    f->made.to.clientresource = "phone";
    assert_int_equal(decode(f), MT_OK);
    assert_true(f->m.sent);
    assert_string_equal(f->m.conversation.target, "bob");
    assert_string_equal(f->m.to, "Bob/phone");
    f->made.meta.has_payload = false;
    f->made.to.clientresource = NULL;
    f->made.body.type = EASEMOB__PB__MESSAGE_BODY__TYPE__GROUPCHAT;
    f->made.body_to.name = "93734273351681";
    assert_int_equal(decode(f), MT_OK);
    assert_int_equal(f->m.conversation.kind, MT_CONVERSATION_GROUP);
    assert_string_equal(f->m.conversation.target, "93734273351681");
    f->made.meta.has_payload = false;
    f->made.body.type = EASEMOB__PB__MESSAGE_BODY__TYPE__CHATROOM;
    assert_int_equal(decode(f), MT_OK);
    assert_int_equal(f->m.conversation.kind, MT_CONVERSATION_ROOM);
    teardown(f);
}

static void expect_notice(struct fixture *f, int type, enum mt_message_type ours, const char *name)
{
    f->made.meta.has_payload = false;
    f->made.body.type = (Easemob__Pb__MessageBody__Type)type;
    assert_int_equal(decode(f), MT_OK);
    assert_int_equal(f->m.type, ours);
    assert_string_equal(f->m.kind_name, name);
}

static void notices(void **state)
{
    struct fixture *f = setup();
    Easemob__Pb__KeyValue counts = pair_of("whatever", 7);
    Easemob__Pb__KeyValue info = pair_of("recallMessageExtensionInfo", 7);
    Easemob__Pb__KeyValue *ext[] = {&counts};
    Easemob__Pb__KeyValue *meta_ext[] = {&info};

    (void)state;
    f->made.body.has_ackmessageid = true;
    f->made.body.ackmessageid = 1200000000000000009;
    expect_notice(f, EASEMOB__PB__MESSAGE_BODY__TYPE__DELIVER_ACK, MT_TYPE_RECEIPT, "delivered");
    assert_string_equal(f->m.target_id, "1200000000000000009");
    expect_notice(f, EASEMOB__PB__MESSAGE_BODY__TYPE__CHANNEL_ACK, MT_TYPE_RECEIPT,
                  "conversation_read");
    counts.stringvalue = bytes("{\"1200000000000000009\":2}");
    f->made.body.n_ext = 1;
    f->made.body.ext = ext;
    f->made.body.ackcontent = "ack!";
    f->made.to.domain = "conference.easemob.com";
    f->made.body_to.name = "93734273351681";
    expect_notice(f, EASEMOB__PB__MESSAGE_BODY__TYPE__READ_ACK, MT_TYPE_RECEIPT, "read");
    assert_string_equal(
        json_of(&f->m.body),
        "{\"ack_content\":\"ack!\",\"group_read_count\":{\"1200000000000000009\":2}}");
    assert_int_equal(f->m.conversation.kind, MT_CONVERSATION_GROUP);
    f->made.body.n_ext = 0;
    info.stringvalue = bytes("why");
    f->made.meta.n_ext = 1;
    f->made.meta.ext = meta_ext;
    f->made.body_from.name = NULL;
    f->made.from.name = NULL;
    expect_notice(f, EASEMOB__PB__MESSAGE_BODY__TYPE__RECALL, MT_TYPE_RECALL, "recall");
    assert_string_equal(f->m.from, "admin");
    assert_string_equal(json_of(&f->m.extra), "{\"recall_info\":\"why\"}");
    teardown(f);
}

static void edits(void **state)
{
    struct fixture *f = setup();

    (void)state;
    SET_BYTES(&f->made.content, text, "edited");
    f->made.body.has_editmessageid = true;
    f->made.body.editmessageid = 5555;
    f->made.body.has_editscope = true;
    f->made.body.editscope = EASEMOB__PB__MESSAGE_BODY__EDIT_SCOPE__BODY_AND_EXT;
    f->made.body.meta =
        "{\"edit_msg\":{\"count\":1,\"operator\":\"bob\",\"chat_type\":\"chat:room\"}}";
    f->made.body.type = EASEMOB__PB__MESSAGE_BODY__TYPE__EDIT;
    f->made.to.domain = "conference.easemob.com";
    f->made.body_to.name = "777";
    assert_int_equal(decode(f), MT_OK);
    assert_int_equal(f->m.type, MT_TYPE_EDIT);
    assert_string_equal(f->m.target_id, "5555");
    assert_string_equal(f->m.text, "edited");
    assert_int_equal(f->m.conversation.kind, MT_CONVERSATION_ROOM);
    assert_string_equal(f->m.conversation.target, "777");
    assert_string_equal(json_of(&f->m.extra),
                        "{\"edit\":{\"count\":1,\"operator\":\"bob\",\"chat_type\":\"chat:room\"},"
                        "\"edit_scope\":\"body_and_ext\"}");
    teardown(f);
}

static void extras(void **state)
{
    struct fixture *f = setup();
    Easemob__Pb__MessageBody__MessageConfig config =
        EASEMOB__PB__MESSAGE_BODY__MESSAGE_CONFIG__INIT;
    Easemob__Pb__KeyValue tag = pair_of("chatroom_msg_tag", 2);
    Easemob__Pb__KeyValue cast = pair_of("is_broadcast", 1);
    Easemob__Pb__KeyValue *ext[] = {&tag, &cast};

    (void)state;
    SET_BYTES(&f->made.content, text, "x");
    f->made.body.meta = "{\"reaction\":[{\"reaction\":\"like\",\"count\":1,\"state\":false}],"
                        "\"translations\":[{\"code\":\"en\",\"text\":\"x\"}],\"isRead\":true,"
                        "\"isDelivered\":false,\"thread\":{\"thread_name\":\"t\"},"
                        "\"thread_overview\":{\"id\":\"1\"},\"new_thing\":[7]}";
    config.has_allowgroupack = true;
    config.allowgroupack = true;
    f->made.body.msgconfig = &config;
    tag.varintvalue = 0;
    cast.varintvalue = 1;
    f->made.meta.n_ext = 2;
    f->made.meta.ext = ext;
    f->made.meta.has_meta = true;
    f->made.meta.meta.data = (uint8_t *)(uintptr_t) "{\"is_online\":1,\"callback_replace\":true}";
    f->made.meta.meta.len = strlen((const char *)f->made.meta.meta.data);
    assert_int_equal(decode(f), MT_OK);
    assert_string_equal(
        json_of(&f->m.extra),
        "{\"reactions\":[{\"reaction\":\"like\",\"count\":1,\"state\":false}],"
        "\"translations\":[{\"code\":\"en\",\"text\":\"x\"}],\"read\":true,\"delivered\":false,"
        "\"thread\":{\"thread_name\":\"t\"},\"thread_overview\":{\"id\":\"1\"},\"new_thing\":[7],"
        "\"online_state\":1,\"replaced\":true,\"priority\":\"high\",\"broadcast\":true,"
        "\"group_ack\":true}");
    f->made.meta.has_payload = false;
    f->made.meta.has_meta = false;
    f->made.meta.n_ext = 0;
    f->made.body.msgconfig = NULL;
    f->made.body.meta = "{broken";
    assert_int_equal(decode(f), MT_OK);
    assert_string_equal(json_of(&f->m.extra), "{\"meta\":\"{broken\"}");
    teardown(f);
}

static void broken_bytes(void **state)
{
    struct fixture *f = setup();
    struct mt_message m;

    (void)state;
    assert_int_equal(mt_em_decode_meta(&f->decoder, "\xff\xff\xff", 3, f->arena, &m),
                     MT_ERR_PROTOCOL);
    f->made.meta.has_payload = true;
    f->made.meta.payload.data = (uint8_t *)(uintptr_t) "\xff\xff";
    f->made.meta.payload.len = 2;
    assert_int_equal(decode(f), MT_OK); /* the frame is right, what it carries is not: kept whole */
    assert_int_equal(f->m.kind, MT_MESSAGE_OTHER);
    assert_string_equal(f->m.kind_name, "undecodable");
    assert_string_equal(f->m.id, "1200000000000000001");
    assert_string_equal(f->m.conversation.target, "bob");
    assert_true(f->m.raw_len > 10);
    f->made.meta.ns = EASEMOB__PB__META__NAME_SPACE__NOTIFY;
    assert_int_equal(decode(f), MT_ERR_UNSUPPORTED);
    teardown(f);
}

/* A frame of two bytes an element that unpacks to hundreds: the cap holds, the message is kept. */
static void a_bomb_is_kept_undecoded(void **state)
{
    struct fixture *f = setup();
    size_t n = 200000;
    uint8_t *bytes = mt_arena_alloc(f->arena, 2 * n);

    (void)state;
    assert_non_null(bytes);
    for (size_t i = 0; i < n; i++) { /* contents(4), length 0 */
        bytes[2 * i] = 0x22;
        bytes[2 * i + 1] = 0;
    }
    f->made.meta.has_payload = true;
    f->made.meta.payload.data = bytes;
    f->made.meta.payload.len = 2 * n;
    assert_int_equal(decode(f), MT_OK);
    assert_string_equal(f->m.kind_name, "undecodable");
    teardown(f);
}

static void jids(void **state)
{
    static const char app[] = "easemob-demo#chatdemoui";
    char name[64];
    bool conference = false;

    (void)state;
    assert_true(mt_em_jid_parse("easemob-demo#chatdemoui_93734273351681@conference.easemob.com",
                                app, name, sizeof name, &conference));
    assert_string_equal(name, "93734273351681");
    assert_true(conference);
    assert_true(mt_em_jid_parse("easemob-demo#chatdemoui_under_score@easemob.com/webim_1", app,
                                name, sizeof name, &conference));
    assert_string_equal(name, "under_score");
    assert_false(conference);
    assert_true(mt_em_jid_parse("bob", app, name, sizeof name, &conference));
    assert_string_equal(name, "bob");
    assert_true(mt_em_jid_parse("bob/phone", app, name, sizeof name, &conference));
    assert_string_equal(name, "bob");
    assert_false(mt_em_jid_parse("easemob-demo#chatdemoui_@easemob.com", app, name, sizeof name,
                                 &conference));
    assert_false(mt_em_jid_parse("", app, name, sizeof name, &conference));
    assert_false(mt_em_jid_parse(NULL, app, name, sizeof name, &conference));
    assert_false(mt_em_jid_parse("abcdefgh", app, name, 8, &conference));
}

static void no_host_known_yet(void **state)
{
    struct fixture *f = setup();

    (void)state;
    f->decoder.api = "";
    set_file(&f->made.content);
    f->made.content.type = EASEMOB__PB__MESSAGE_BODY__CONTENT__TYPE__FILE;
    assert_int_equal(decode(f), MT_OK);
    assert_string_equal(mt_value_get(&f->m.body, "url")->s,
                        "https://elsewhere.example/org/app/chatfiles/uuid-1");
    teardown(f);
}

/* ---- the JSON form ---- */

static void expect_payload(const char *payload, const char *expected)
{
    struct mt_em_decoder decoder = decoder_new("https://a1.easemob.com");
    struct mt_arena *arena = mt_arena_new((size_t)1024 * 1024);
    struct mt_json *meta = NULL;
    struct mt_message m;
    struct mt_buf text;

    mt_buf_init(&text, 65536);
    assert_int_equal(
        mt_buf_append_str(
            &text,
            "{\"id\":\"1200000000000000001\",\"from\":\"easemob-demo#chatdemoui_bob@easemob.com\","
            "\"to\":\"easemob-demo#chatdemoui_alice@easemob.com\","
            "\"timestamp\":1700000000000,\"payload\":"),
        MT_OK);
    assert_int_equal(mt_json_write_str(&text, payload, strlen(payload)), MT_OK);
    assert_int_equal(mt_buf_append_char(&text, '}'), MT_OK);
    assert_int_equal(mt_json_parse(text.data, text.len, text.len, &meta, NULL), MT_OK);
    assert_int_equal(mt_em_decode_payload(&decoder, meta, arena, &m), MT_OK);
    assert_string_equal(message_json(&m), expected);
    mt_json_free(meta);
    mt_buf_deinit(&text);
    mt_arena_free(arena);
    decoder_free(&decoder);
}

#define HEAD                                                                                       \
    "{\"v\":1,\"id\":\"1200000000000000001\",\"conversation\":\"single:bob\",\"from\":\"bob\","    \
    "\"to\":\"alice\",\"direction\":\"received\",\"time\":1700000000000,"                          \
    "\"at\":\"2023-11-14T22:13:20.000Z\","

static void the_json_form_gives_the_same(void **state)
{
    struct fixture *f = setup();
    Easemob__Pb__MessageBody__Content__Size size = EASEMOB__PB__MESSAGE_BODY__CONTENT__SIZE__INIT;
    char expected[4096];

    (void)state;
    size.has_width = size.has_height = true;
    size.width = 64;
    size.height = 48;
    set_file(&f->made.content);
    f->made.content.type = EASEMOB__PB__MESSAGE_BODY__CONTENT__TYPE__IMAGE;
    f->made.content.size = &size;
    f->made.content.has_subtype = true;
    f->made.content.subtype = EASEMOB__PB__MESSAGE_BODY__CONTENT__SUB_TYPE__SUB_GIF;
    assert_int_equal(decode(f), MT_OK);
    snprintf(expected, sizeof expected, "%s", message_json(&f->m));
    expect_payload("{\"bodies\":[{\"type\":\"img\",\"subType\":\"sub_gif\",\"url\":\"" PATH
                   "\",\"secret\":\"sec\",\"filename\":\"a.bin\",\"file_length\":1234,"
                   "\"size\":{\"width\":64.0,\"height\":48}}],\"ext\":{},\"from\":\"bob\","
                   "\"to\":\"alice\",\"type\":\"chat\"}",
                   expected);
    teardown(f);
}

static void json_bodies(void **state)
{
    (void)state;
    expect_payload("{\"bodies\":[{\"msg\":\"1\",\"type\":\"txt\"}],\"ext\":{\"k\":\"v\",\"n\":7},"
                   "\"from\":\"bob\",\"to\":\"alice\"}",
                   HEAD
                   "\"kind\":\"text\",\"text\":\"1\",\"body\":{},\"ext\":{\"k\":\"v\",\"n\":7}}");
    expect_payload(
        "{\"bodies\":[{\"type\":\"custom\",\"customEvent\":\"gift\",\"customExts\":[{\"a\":\"1\"},"
        "{\"b\":\"2\"}]}],\"from\":\"bob\",\"to\":\"alice\",\"type\":\"chat\"}",
        HEAD "\"kind\":\"custom\",\"body\":{\"event\":\"gift\",\"fields\":{\"a\":\"1\","
             "\"b\":\"2\"}},\"ext\":{}}");
    expect_payload(
        "{\"bodies\":[{\"type\":\"txt\",\"subType\":\"sub_combine\",\"msg\":\"c\",\"title\":\"t\","
        "\"summary\":\"s\",\"combineLevel\":2}],\"from\":\"bob\",\"to\":\"alice\"}",
        HEAD "\"kind\":\"combine\",\"text\":\"c\",\"body\":{\"title\":\"t\",\"summary\":\"s\","
             "\"level\":2},\"ext\":{}}");
    expect_payload(
        "{\"bodies\":[{\"type\":\"hologram\",\"msg\":\"x\"}],\"from\":\"bob\",\"to\":\"alice\"}",
        HEAD "\"kind\":\"hologram\",\"text\":\"x\",\"body\":{},\"ext\":{}}");
    expect_payload(
        "{\"bodies\":[{\"type\":\"loc\",\"addr\":\"a\",\"lat\":1.5,\"lng\":2}],\"from\":\"bob\","
        "\"to\":\"alice\",\"meta\":{\"isRead\":true}}",
        HEAD "\"kind\":\"location\",\"body\":{\"latitude\":1.5,\"longitude\":2,"
             "\"address\":\"a\"},\"ext\":{},\"extra\":{\"read\":true}}");
    /* a payload that is no JSON: the list still says who and when */
    expect_payload("not json", HEAD "\"kind\":\"empty\",\"body\":{},\"ext\":{}}");
}

int test_decode(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_attachment),
        cmocka_unit_test(other_kinds),
        cmocka_unit_test(nul_in_texts),
        cmocka_unit_test(combined_messages),
        cmocka_unit_test(streams_and_unknown_kinds),
        cmocka_unit_test(ext_of_all_eight_types),
        cmocka_unit_test(who_and_where),
        cmocka_unit_test(notices),
        cmocka_unit_test(edits),
        cmocka_unit_test(extras),
        cmocka_unit_test(broken_bytes),
        cmocka_unit_test(a_bomb_is_kept_undecoded),
        cmocka_unit_test(jids),
        cmocka_unit_test(no_host_known_yet),
        cmocka_unit_test(the_json_form_gives_the_same),
        cmocka_unit_test(json_bodies),
    };

    return cmocka_run_group_tests_name("decode", tests, NULL, NULL);
}

/* What goes out and is answered: messages, what refers to them, who has read them, chat rooms; and
 * what becomes of an answer that does not come. */
#include "../facts.h"
#include "cloud.h"

#include "base/mem.h"
#include "codec/json.h"
#include "provider/rongcloud/send_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

int test_send(void);

#define LONG_MS 300000
#define SENT    32

struct post {
    struct cloud cloud;
    unsigned status;       /* of the answers to what is sent; 0: fine */
    const char *refuse;    /* only of messages with that name; NULL: of all */
    bool silent, cut;      /* no answer comes; the connection ends instead */
    const char *reply_hex; /* the payload of answers to queries; NULL: empty */
    const char *only;      /* the topic they are for; NULL: all */
    struct {
        char topic[32], target[64], name[32], content[512];
        char to_user[64];
        int64_t options;
        int32_t session;
        bool has_unique;
    } sent[SENT];
    size_t sent_n;
    char id[64];
    int64_t time_ms;
    bool receipts_missed;
    struct mt_reader_of readers[8];
    char names[8][32];
    size_t readers_n;
    int64_t total;
    char cursor[64];
};

static struct post *post_of(struct cloud *cloud)
{
    return (struct post *)cloud;
}

static bool is_topic(const struct mt_rong_frame *frame, const char *topic)
{
    return frame->topic.len == strlen(topic) &&
           memcmp(frame->topic.s, topic, frame->topic.len) == 0;
}

static void note_message(struct post *post, const struct mt_rong_frame *frame)
{
    Rongcloud__UpStreamMessage *up =
        rongcloud__up_stream_message__unpack(NULL, frame->payload_len, frame->payload);
    size_t i = post->sent_n++;

    assert_true(post->sent_n <= SENT);
    snprintf(post->sent[i].topic, sizeof post->sent[i].topic, "%.*s", (int)frame->topic.len,
             frame->topic.s);
    snprintf(post->sent[i].target, sizeof post->sent[i].target, "%.*s", (int)frame->target.len,
             frame->target.s);
    if (up == NULL)
        return;
    snprintf(post->sent[i].name, sizeof post->sent[i].name, "%s", up->classname);
    snprintf(post->sent[i].content, sizeof post->sent[i].content, "%.*s", (int)up->content.len,
             (const char *)up->content.data);
    if (up->n_touserids > 0)
        snprintf(post->sent[i].to_user, sizeof post->sent[i].to_user, "%s", up->touserids[0]);
    post->sent[i].options = up->optionbits;
    post->sent[i].session = up->sessionid;
    post->sent[i].has_unique = up->has_clientuniqueid;
    rongcloud__up_stream_message__free_unpacked(up, NULL);
}

static bool answer(struct cloud *cloud, struct mt_ws_peer *peer, const struct mt_rong_frame *frame)
{
    struct post *post = post_of(cloud);
    uint8_t *bytes = NULL;
    size_t len = 0;

    if (is_topic(frame, "pullMsg") || is_topic(frame, "pullSeAtts") ||
        is_topic(frame, "pullEventChange") || is_topic(frame, "pullModifyMsg"))
        return false;
    if (frame->type == MT_RONG_PUBLISH)
        note_message(post, frame);
    if (post->cut)
        mt_ws_peer_close(peer, 1001);
    if (post->cut || post->silent)
        return true;
    if (frame->type == MT_RONG_PUBLISH) {
        bool refused =
            post->refuse == NULL || strcmp(post->sent[post->sent_n - 1].name, post->refuse) == 0;
        char id[32];

        snprintf(id, sizeof id, "UID-%zu", post->sent_n);
        cloud_puback(cloud, peer, frame->id, refused ? post->status : 0, id);
        return true;
    }
    if (post->reply_hex != NULL && (post->only == NULL || is_topic(frame, post->only)))
        bytes = from_hex(post->reply_hex, &len);
    cloud_queryack(cloud, peer, frame->id, post->status, bytes, len);
    mt_mem_free(bytes);
    return true;
}

static void begin(struct post *post, const char *flags)
{
    memset(post, 0, sizeof *post);
    cloud_begin(&post->cloud, NULL);
    post->cloud.flags = flags;
    post->cloud.answer = answer;
}

static void done(void *ud, enum mt_rc rc, const struct mt_sent *sent, const struct mt_fault *fault)
{
    struct post *post = ud;

    post->cloud.waiting--;
    post->cloud.rc = rc;
    post->cloud.fault = (struct mt_fault){.kind = MT_OK};
    if (rc != MT_OK) {
        post->cloud.fault = *fault;
        return;
    }
    snprintf(post->id, sizeof post->id, "%s", sent->id);
    post->time_ms = sent->time_ms;
    const struct mt_value *receipts = mt_value_get(&sent->data, "receipts");
    post->receipts_missed = receipts != NULL && !receipts->b;
}

static bool is_idle(struct cloud *cloud)
{
    return cloud->waiting == 0;
}

static void send(struct post *post, const struct mt_outgoing *message)
{
    post->cloud.waiting++;
    assert_int_equal(mt_rong_send(post->cloud.account, message, done, post, NULL), MT_OK);
    cloud_run(&post->cloud, is_idle, LONG_MS);
}

static void refer(struct post *post, const struct mt_reference *reference)
{
    post->cloud.waiting++;
    assert_int_equal(mt_rong_refer(post->cloud.account, reference, done, post, NULL), MT_OK);
    cloud_run(&post->cloud, is_idle, LONG_MS);
}

static struct mt_outgoing text_to(enum mt_conversation_kind kind, const char *target)
{
    struct mt_outgoing m = {.to = {.kind = kind}, .text = "hello", .text_len = 5};

    snprintf(m.to.target, sizeof m.to.target, "%s", target);
    return m;
}

static struct mt_reference reference_to(enum mt_reference_type type, enum mt_conversation_kind kind,
                                        const char *target)
{
    struct mt_reference r = {.type = type,
                             .conversation = {.kind = kind},
                             .message = {.id = "UID-0", .time_ms = 1700, .from = "bob"}};

    snprintf(r.conversation.target, sizeof r.conversation.target, "%s", target);
    return r;
}

/* ---------------------------------------------------------------- messages */

static void a_message_is_answered(void **state)
{
    struct post post;
    struct mt_outgoing m = text_to(MT_CONVERSATION_SINGLE, "bob");

    (void)state;
    begin(&post, NULL);
    send(&post, &m);
    assert_int_equal(post.cloud.rc, MT_OK);
    assert_string_equal(post.id, "UID-1");
    assert_int_equal(post.time_ms, INT64_C(1800000000191));
    assert_string_equal(post.sent[0].topic, "ppMsgP");
    assert_string_equal(post.sent[0].target, "bob");
    assert_string_equal(post.sent[0].name, "RC:TxtMsg");
    assert_string_equal(post.sent[0].content, "{\"content\":\"hello\"}");
    assert_int_equal(post.sent[0].session, 3);
    assert_true(post.sent[0].has_unique);
    cloud_end(&post.cloud);
}

static void what_was_given_may_be_gone(void **state)
{
    static const char *const only[] = {"carl", NULL};
    const char **list = malloc(sizeof only);
    char *text = strdup("soon gone");
    struct mt_outgoing m = text_to(MT_CONVERSATION_GROUP, "g");
    struct post post;

    (void)state;
    begin(&post, NULL);
    assert_true(list != NULL && text != NULL);
    memcpy(list, only, sizeof only);
    m.text = text;
    m.text_len = 4; /* of it */
    m.only = list;
    post.cloud.waiting++;
    assert_int_equal(mt_rong_send(post.cloud.account, &m, done, &post, NULL), MT_OK);
    memset(text, 'x', 9);
    free(text);
    free(list);
    memset(&m, 0xA5, sizeof m);
    cloud_run(&post.cloud, is_idle, LONG_MS);
    assert_string_equal(post.sent[0].content, "{\"content\":\"soon\"}");
    assert_string_equal(post.sent[0].to_user, "carl");
    assert_string_equal(post.sent[0].topic, "pgMsgP");
    cloud_end(&post.cloud);
}

static void refusals_are_the_other_clouds_too(void **state)
{
    static const struct {
        unsigned status;
        enum mt_rc kind;
        const char *code;
    } cases[] = {
        {405, MT_ERR_DENIED, "send.blocked"},      {407, MT_ERR_DENIED, "send.not_contact"},
        {20604, MT_ERR_RATE, "send.rate"},         {21501, MT_ERR_DENIED, "send.sensitive"},
        {22406, MT_ERR_DENIED, "send.not_member"}, {22408, MT_ERR_DENIED, "send.muted_here"},
        {30016, MT_ERR_LIMIT, "send.too_large"},   {23410, MT_ERR_NOT_FOUND, "send.room_not_found"},
        {12345, MT_ERR_REMOTE, "send.refused"},
    };
    struct mt_outgoing m = text_to(MT_CONVERSATION_SINGLE, "bob");
    struct post post;

    (void)state;
    begin(&post, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        post.status = cases[i].status;
        send(&post, &m);
        assert_int_equal(post.cloud.rc, cases[i].kind);
        assert_string_equal(post.cloud.fault.code, cases[i].code);
        assert_int_equal(post.cloud.fault.provider_code, cases[i].status);
        assert_int_equal(post.sent_n, i + 1); /* each of them once */
    }
    cloud_end(&post.cloud);
}

static void what_cannot_be_sent_is_not(void **state)
{
    size_t len = 140000;
    char *text = malloc(len);
    struct mt_outgoing m = text_to(MT_CONVERSATION_SINGLE, "bob");
    struct mt_outgoing system = text_to(MT_CONVERSATION_SYSTEM, "ops");
    struct post post;

    (void)state;
    begin(&post, NULL);
    assert_non_null(text);
    memset(text, 'a', len);
    m.text = text;
    m.text_len = len;
    send(&post, &m);
    assert_string_equal(post.cloud.fault.code, "send.too_large");
    assert_int_equal(post.cloud.fault.provider_code, 30016);
    send(&post, &system);
    assert_int_equal(post.cloud.rc, MT_ERR_UNSUPPORTED);
    m.text_len = 5;
    m.device = "web";
    send(&post, &m);
    assert_int_equal(post.cloud.rc, MT_ERR_UNSUPPORTED);
    assert_int_equal(post.sent_n, 0);
    free(text);
    cloud_end(&post.cloud);
}

static void a_lost_answer_is_unknown(void **state)
{
    struct mt_outgoing m = text_to(MT_CONVERSATION_SINGLE, "bob");
    struct post post;

    (void)state;
    begin(&post, NULL);
    post.cut = true;
    send(&post, &m);
    assert_string_equal(post.cloud.fault.code, "send.unknown");
    assert_int_equal(post.sent_n, 1);
    post.cut = false;
    post.silent = true;
    send(&post, &m);
    assert_string_equal(post.cloud.fault.code, "send.unknown");
    post.silent = false;
    send(&post, &m); /* and the next one goes its way */
    assert_int_equal(post.cloud.rc, MT_OK);
    assert_int_equal(post.sent_n, 3);
    cloud_end(&post.cloud);
}

static void for_the_moment_nothing_is_awaited(void **state)
{
    struct mt_outgoing m = text_to(MT_CONVERSATION_GROUP, "g");
    struct post post;

    (void)state;
    begin(&post, NULL);
    post.silent = true;
    m.online_only = true;
    m.wants_receipts = true; /* of what is not kept there are none */
    send(&post, &m);
    assert_int_equal(post.cloud.rc, MT_OK);
    assert_string_equal(post.id, "");
    for (size_t i = 0; i < 50 && post.sent_n == 0; i++)
        cloud_run(&post.cloud, NULL, 1000);
    assert_int_equal(post.sent_n, 1);
    assert_string_equal(post.sent[0].topic, "pgMsgS");
    assert_int_equal(post.sent[0].session, 0);
    cloud_end(&post.cloud);
}

static void receipts_are_asked_for(void **state)
{
    struct mt_outgoing m = text_to(MT_CONVERSATION_GROUP, "g");
    struct post post;

    (void)state;
    begin(&post, NULL);
    m.wants_receipts = true;
    send(&post, &m); /* the first version: by a message of their own */
    assert_int_equal(post.sent_n, 2);
    assert_string_equal(post.id, "UID-1");
    assert_string_equal(post.sent[1].name, "RC:RRReqMsg");
    assert_string_equal(post.sent[1].content, "{\"messageUId\":\"UID-1\"}");
    assert_false(post.receipts_missed);
    post.status = 20604;
    post.refuse = "RC:RRReqMsg";
    send(&post, &m); /* it was sent all the same */
    assert_int_equal(post.cloud.rc, MT_OK);
    assert_string_equal(post.id, "UID-3");
    assert_true(post.receipts_missed);
    cloud_end(&post.cloud);

    begin(&post, "\"grpRRVer\":4");
    send(&post, &m); /* the fifth: in the message */
    assert_int_equal(post.sent_n, 1);
    assert_int_equal(post.sent[0].options & 2, 2);
    cloud_end(&post.cloud);
}

/* ---------------------------------------------------------------- references */

static void receipts_go_as_navigation_says(void **state)
{
    static const struct {
        const char *flags;
        enum mt_conversation_kind kind;
        const char *topic, *target, *name;
    } cases[] = {
        {NULL, MT_CONVERSATION_SINGLE, "ppMsgP", "bob", "RC:ReadNtf"},
        {NULL, MT_CONVERSATION_GROUP, "pgMsgP", "bob", "RC:RRRspMsg"},
        {"\"grpRRVer\":1", MT_CONVERSATION_SINGLE, "ppMsgP", "bob", "RC:ReadNtf"},
        {"\"grpRRVer\":1", MT_CONVERSATION_GROUP, "rrMsg", "bob", NULL},
        {"\"grpRRVer\":3", MT_CONVERSATION_GROUP, "sendMsgRead", "bob", NULL},
        {"\"grpRRVer\":4", MT_CONVERSATION_GROUP, "readReceipt", "UID-0", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct mt_reference r = reference_to(MT_REFER_READ, cases[i].kind, "bob");
        struct post post;

        begin(&post, cases[i].flags);
        refer(&post, &r);
        assert_int_equal(post.cloud.rc, MT_OK);
        assert_int_equal(cloud_asked(&post.cloud, cases[i].topic), 1);
        if (cases[i].name != NULL)
            assert_string_equal(post.sent[0].name, cases[i].name);
        for (size_t k = 0; k < post.cloud.frames_n; k++)
            if (strcmp(post.cloud.frames[k].topic, cases[i].topic) == 0)
                assert_string_equal(post.cloud.frames[k].target, cases[i].target);
        cloud_end(&post.cloud);
    }
}

static void changes_of_a_message(void **state)
{
    struct mt_outgoing better = text_to(MT_CONVERSATION_SINGLE, "bob");
    struct mt_reference r = reference_to(MT_REFER_RECALL, MT_CONVERSATION_SINGLE, "bob");
    struct post post;

    (void)state;
    begin(&post, NULL);
    refer(&post, &r);
    assert_int_equal(post.cloud.rc, MT_OK);
    assert_string_equal(post.sent[0].topic, "recallMsg");
    assert_string_equal(post.sent[0].target, "alice");
    assert_non_null(strstr(post.sent[0].content, "\"messageUId\":\"UID-0\",\"sentTime\":1700"));
    assert_false(post.sent[0].has_unique);
    post.status = 25101;
    refer(&post, &r);
    assert_string_equal(post.cloud.fault.code, "recall.too_late");
    post.status = 0;
    r.message.time_ms = 0;
    refer(&post, &r);
    assert_string_equal(post.cloud.fault.code, "recall.time");
    r.type = MT_REFER_EDIT;
    r.edit = &better;
    post.reply_hex = "08f8acd5dfb033"; /* modifyTime */
    refer(&post, &r);
    assert_int_equal(post.cloud.rc, MT_OK);
    assert_int_equal(cloud_asked(&post.cloud, "modifyMsg"), 1);
    assert_string_equal(post.id, "UID-0");
    assert_int_equal(post.time_ms, INT64_C(1765432186488));
    r.type = MT_REFER_DELIVERED;
    refer(&post, &r);
    assert_string_equal(post.cloud.fault.code, "unsupported");
    cloud_end(&post.cloud);
}

/* ---------------------------------------------------------------- readers */

static void on_readers(void *ud, enum mt_rc rc, const struct mt_readers_page *page,
                       const struct mt_fault *fault)
{
    struct post *post = ud;

    post->cloud.waiting--;
    post->cloud.rc = rc;
    post->readers_n = 0;
    post->cursor[0] = '\0';
    if (rc != MT_OK) {
        post->cloud.fault = *fault;
        return;
    }
    assert_true(page->n <= 8);
    for (size_t i = 0; i < page->n; i++) {
        post->readers[i] = page->items[i];
        snprintf(post->names[i], sizeof post->names[i], "%s", page->items[i].user);
    }
    post->readers_n = page->n;
    post->total = page->total;
    snprintf(post->cursor, sizeof post->cursor, "%s", page->cursor ? page->cursor : "");
}

static void readers(struct post *post, const char *cursor)
{
    struct mt_conversation_ref group = {.kind = MT_CONVERSATION_GROUP, .target = "grp1"};
    struct mt_message_key key = {.id = "3ZVR-NJFB-7300-0675"};

    post->cloud.waiting++;
    assert_int_equal(
        mt_rong_readers(post->cloud.account, &group, &key, cursor, 0, on_readers, post, NULL),
        MT_OK);
    cloud_run(&post->cloud, is_idle, LONG_MS);
}

/* The answers that the SDK was given. */
static void readers_of_every_version(void **state)
{
    static const struct {
        const char *flags, *topic, *reply;
    } cases[] = {
        {"\"grpRRVer\":1", "rrList", "0803120b08809ee1d29f3412027539"},
        {"\"grpRRVer\":3", "qryMsgRead", "0803120b08809ee1d29f34120275391801"},
        {"\"grpRRVer\":4", "qryReceipt",
         "0a2e0a13335a56522d4e4a46422d373330302d30363735180220012a0b08809ee1d29f3412027539"
         "38014204120275382200"},
    };
    struct post post;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin(&post, cases[i].flags);
        post.reply_hex = cases[i].reply;
        post.only = cases[i].topic;
        readers(&post, NULL);
        assert_int_equal(post.cloud.rc, MT_OK);
        assert_int_equal(cloud_asked(&post.cloud, cases[i].topic), 1);
        assert_int_equal(post.readers_n, 1);
        assert_string_equal(post.names[0], "u9");
        assert_int_equal(post.readers[0].time_ms, INT64_C(1795201453824));
        assert_int_equal(post.total, 1);
        assert_string_equal(post.cursor, "");
        cloud_end(&post.cloud);
    }
    begin(&post, NULL); /* of the first version the cloud keeps no list */
    readers(&post, NULL);
    assert_string_equal(post.cloud.fault.code, "unsupported");
    cloud_end(&post.cloud);
}

static void readers_by_pages(void **state)
{
    struct post post;

    (void)state;
    begin(&post, "\"grpRRVer\":4");
    post.only = "qryReceipt";
    post.reply_hex = "22026e32"; /* pageToken "n2" and nobody */
    readers(&post, NULL);
    assert_int_equal(post.cloud.rc, MT_OK);
    assert_string_equal(post.cursor, "n2");
    readers(&post, "n2"); /* the same again: without end */
    assert_string_equal(post.cloud.fault.code, "readers.malformed");
    post.reply_hex = "0aff";
    readers(&post, NULL);
    assert_int_equal(post.cloud.rc, MT_ERR_PROTOCOL);
    cloud_end(&post.cloud);
}

/* ---------------------------------------------------------------- as the SDK asks */

static void same_query(const struct mt_rong_packet *packet, const char *topic, const char *target,
                       const uint8_t *frame, size_t len)
{
    size_t head = 1 + 2 + strlen(topic) + 2 + strlen(target) + 2;

    assert_string_equal(packet->request.topic, topic);
    assert_string_equal(packet->request.target, target);
    assert_false(packet->request.publish);
    assert_int_equal(packet->request.len, len - head);
    assert_memory_equal(packet->request.payload, frame + head, len - head);
}

static void query_line(void *ud, const struct mt_json *node)
{
    static const struct {
        const char *topic;
        int version;
        bool asks; /* who has read */
    } queries[] = {{"rrMsg", 1, false},
                   {"rrList", 1, true},
                   {"qryMsgRead", 3, true},
                   {"readReceipt", 4, false},
                   {"qryReceipt", 4, true}};
    const char *topic = mt_json_str(mt_json_get(node, "topic"));
    const struct mt_json *pb = mt_json_get(node, "pb");
    const char *id = mt_json_str(mt_json_child(mt_json_get(pb, "msgIds")));
    struct mt_rong_navi navi = {.version = 3};
    struct mt_rong_sender sender = {.user = "me", .navi = &navi, .now_ms = 1, .unique = 1};
    struct mt_reference r = reference_to(MT_REFER_READ, MT_CONVERSATION_GROUP, "grp1");
    struct mt_rong_packet packet;
    size_t len = 0;

    if (id == NULL)
        id = mt_json_type(mt_json_get(pb, "msgId")) == MT_JSON_ARRAY
                 ? mt_json_str(mt_json_child(mt_json_get(pb, "msgId")))
                 : mt_json_str(mt_json_get(pb, "msgId"));
    for (size_t i = 0; topic != NULL && i < sizeof queries / sizeof queries[0]; i++) {
        if (strcmp(queries[i].topic, topic) != 0)
            continue;
        uint8_t *frame = from_hex(mt_json_str(mt_json_get(node, "hex")), &len);

        navi.receipts = queries[i].version;
        r.message.id = id;
        assert_int_equal(queries[i].asks ? mt_rong_readers_pack(&navi, &r.conversation, id, NULL,
                                                                10, &packet, NULL)
                                         : mt_rong_reference_pack(&sender, &r, &packet, NULL),
                         MT_OK);
        same_query(&packet, topic, mt_json_str(mt_json_get(node, "target")), frame, len);
        mt_rong_packet_deinit(&packet);
        mt_mem_free(frame);
        ++*(size_t *)ud;
    }
}

static void receipts_are_asked_as_the_sdk_asks(void **state)
{
    size_t len = 0, n = 0;
    char *text = shared_file("rongcloud-vectors.jsonl", &len);

    (void)state;
    if (text != NULL) {
        each_line(text, len, query_line, &n);
        assert_int_equal(n, 5);
    }
    mt_mem_free(text);
}

int test_send(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_is_answered),
        cmocka_unit_test(what_was_given_may_be_gone),
        cmocka_unit_test(refusals_are_the_other_clouds_too),
        cmocka_unit_test(what_cannot_be_sent_is_not),
        cmocka_unit_test(a_lost_answer_is_unknown),
        cmocka_unit_test(for_the_moment_nothing_is_awaited),
        cmocka_unit_test(receipts_are_asked_for),
        cmocka_unit_test(receipts_go_as_navigation_says),
        cmocka_unit_test(changes_of_a_message),
        cmocka_unit_test(readers_of_every_version),
        cmocka_unit_test(readers_by_pages),
        cmocka_unit_test(receipts_are_asked_as_the_sdk_asks),
    };

    return cmocka_run_group_tests_name("rongcloud/send", tests, NULL, NULL);
}

/* The frames that the official SDK and its server exchanged: they decode and encode again to the
 * same bytes; what is made of each message is what the SDK made of it; and what we send instead of
 * the SDK are the bytes that it sent. */
#include "../facts.h"

#include "base/arena.h"
#include "provider/rongcloud/content_int.h"
#include "provider/rongcloud/frame_int.h"
#include "provider/rongcloud/outgoing_int.h"
#include "provider/rongcloud/page_int.h"

int test_golden(void);

/* ---------------------------------------------------------------- there and back */

#define TYPE(name, type)                                                                           \
    {                                                                                              \
        name, &rongcloud__##type##__descriptor                                                     \
    }
static const struct {
    const char *name;
    const ProtobufCMessageDescriptor *type;
} types[] = {
    TYPE("BotInput", bot_input),
    TYPE("BotOutput", bot_output),
    TYPE("CleanHisMsgInput", clean_his_msg_input),
    TYPE("CleanMsgBatchReq", clean_msg_batch_req),
    TYPE("DeleteMsgInput", delete_msg_input),
    TYPE("DownStreamMessage", down_stream_message),
    TYPE("DownStreamMessages", down_stream_messages),
    TYPE("EventChangeList", event_change_list),
    TYPE("GrpReadReceiptMsg", grp_read_receipt_msg),
    TYPE("GrpReadReceiptQryResp", grp_read_receipt_qry_resp),
    TYPE("HistoryMsgInput", history_msg_input),
    TYPE("HistoryMsgOuput", history_msg_ouput),
    TYPE("MsgChangeList", msg_change_list),
    TYPE("NotifyMsg", notify_msg),
    TYPE("PullModifyMsgReq", pull_modify_msg_req),
    TYPE("PullModifyMsgResp", pull_modify_msg_resp),
    TYPE("PullUserSettingInput", pull_user_setting_input),
    TYPE("PullUserSettingOutput", pull_user_setting_output),
    TYPE("QueryMsgChange", query_msg_change),
    TYPE("QueryReceiptBatchReq", query_receipt_batch_req),
    TYPE("QueryReceiptBatchResp", query_receipt_batch_resp),
    TYPE("QueryReceiptReq", query_receipt_req),
    TYPE("QueryReceiptResp", query_receipt_resp),
    TYPE("ReadReceipt", read_receipt),
    TYPE("ReadReceiptMsg", read_receipt_msg),
    TYPE("ReceiptQryReq", receipt_qry_req),
    TYPE("ReceiptResp", receipt_resp),
    TYPE("RelationDelBatchReq", relation_del_batch_req),
    TYPE("RelationQryInput", relation_qry_input),
    TYPE("RelationsOutput", relations_output),
    TYPE("ReportSDKInput", report_sdkinput),
    TYPE("SessionMsgReadInput", session_msg_read_input),
    TYPE("SessionQryInput", session_qry_input),
    TYPE("SessionReq", session_req),
    TYPE("SessionStateModifyReq", session_state_modify_req),
    TYPE("SessionStateModifyResp", session_state_modify_resp),
    TYPE("SessionStates", session_states),
    TYPE("SessionsOutput", sessions_output),
    TYPE("SyncRequestMsg", sync_request_msg),
    TYPE("TypeUnpushInput", type_unpush_input),
    TYPE("TypeUnpushOutput", type_unpush_output),
    TYPE("UltraGrpPullMsg", ultra_grp_pull_msg),
    TYPE("UltraGrpPullSes", ultra_grp_pull_ses),
    TYPE("UpStreamMessage", up_stream_message),
};

static void payload_again(const char *name, const uint8_t *p, size_t len)
{
    ProtobufCMessage *m = NULL;
    uint8_t *out = NULL;
    size_t i = 0;

    while (i < sizeof types / sizeof *types && strcmp(types[i].name, name) != 0)
        i++;
    if (i == sizeof types / sizeof *types)
        fail_msg("a payload of type %s", name);
    m = protobuf_c_message_unpack(types[i].type, NULL, len, p);
    assert_non_null(m);
    assert_int_equal(protobuf_c_message_get_packed_size(m), len);
    out = mt_mem_alloc(len + 1);
    assert_int_equal(protobuf_c_message_pack(m, out), len);
    if (len > 0)
        assert_memory_equal(out, p, len);
    mt_mem_free(out);
    protobuf_c_message_free_unpacked(m, NULL);
}

struct count {
    size_t frames, payloads;
};

static bool parse_line(const struct mt_json *node, uint8_t **bytes, size_t *len,
                       struct mt_rong_frame *frame, enum mt_rong_side *side, unsigned *version)
{
    const char *hex = mt_json_str(mt_json_get(node, "hex"));
    const char *dir = mt_json_str(mt_json_get(node, "dir"));

    if (hex == NULL)
        return false;
    *bytes = from_hex(hex, len);
    *side = strcmp(dir, "c2s") == 0 ? MT_RONG_UP : MT_RONG_DOWN;
    *version = mt_json_get(node, "flags") != NULL ? 4 : 3;
    assert_int_equal(mt_rong_frame_parse(*bytes, *len, *side, *version, frame), MT_OK);
    return true;
}

static void line_again(void *ud, const struct mt_json *node)
{
    struct count *count = ud;
    const char *type = mt_json_str(mt_json_get(node, "pbType"));
    enum mt_rong_side side = MT_RONG_UP;
    struct mt_rong_frame frame;
    struct mt_buf out;
    uint8_t *bytes = NULL;
    unsigned version = 3;
    size_t len = 0;

    if (!parse_line(node, &bytes, &len, &frame, &side, &version))
        return;
    mt_buf_init(&out, (size_t)16 * 1024 * 1024);
    assert_int_equal(mt_rong_frame_pack(&frame, side, version, &out), MT_OK);
    assert_int_equal(out.len, len);
    assert_memory_equal(out.data, bytes, len);
    mt_buf_deinit(&out);
    count->frames++;
    if (type != NULL) {
        payload_again(type, frame.payload, frame.payload_len);
        count->payloads++;
    }
    mt_mem_free(bytes);
}

static void vectors_encode_again(void **state)
{
    struct count count = {0, 0};
    size_t len = 0;
    char *text = shared_file("rongcloud-vectors.jsonl", &len);

    (void)state;
    if (text == NULL)
        return;
    each_line(text, len, line_again, &count);
    print_message("# %zu vectors, %zu payloads in them\n", count.frames, count.payloads);
    assert_int_equal(count.frames, 78);
    mt_mem_free(text);
}

static void traces_encode_again(void **state)
{
    struct count count = {0, 0};
    size_t len = 0;
    char *text = shared_file("traces/rongcloud-5.38.0.jsonl", &len);

    (void)state;
    if (text == NULL)
        return;
    each_line(text, len, line_again, &count);
    print_message("# %zu frames of the trace, %zu payloads in them\n", count.frames,
                  count.payloads);
    assert_int_equal(count.frames, 916);
    mt_mem_free(text);
}

/* ---------------------------------------------------------------- what is made of a message */

struct decoding {
    struct mt_rong_decoder decoder;
    struct mt_arena *arena;
    size_t messages, lists;
};

/* The SDK's word on the same message, from the trace's own decoding of the bytes. */
static void same_message(struct decoding *d, const struct mt_json *theirs,
                         const struct mt_message *m)
{
    const char *content = mt_json_str(mt_json_get(theirs, "content"));
    struct mt_json *json = NULL;
    bool sent = mt_json_i64(mt_json_get(theirs, "direction"), 2) == 1;
    const char *text = NULL;

    assert_string_equal(m->type == MT_TYPE_RECALL && strncmp(m->id, "Cmd:", 4) == 0 ? m->id + 4
                                                                                    : m->id,
                        mt_json_str(mt_json_get(theirs, "msgId")));
    assert_int_equal(m->time_ms, mt_json_i64(mt_json_get(theirs, "dataTime"), 0));
    assert_int_equal(m->sent, sent);
    if (m->type == MT_TYPE_MESSAGE)
        assert_string_equal(m->from, sent ? "me" : mt_json_str(mt_json_get(theirs, "fromUserId")));
    assert_int_equal(mt_json_parse(content, strlen(content), 1 << 20, &json, NULL), MT_OK);
    text = mt_json_str(mt_json_get(json, "content"));
    if (strcmp(mt_json_str(mt_json_get(theirs, "classname")), "RC:TxtMsg") == 0) {
        assert_int_equal(m->kind, MT_MESSAGE_TEXT);
        assert_non_null(m->text);
        assert_string_equal(m->text, text);
    }
    mt_json_free(json);
    d->messages++;
}

static void same_list(struct decoding *d, const struct mt_json *theirs,
                      const struct mt_rong_messages *ours)
{
    size_t i = 0;

    for (const struct mt_json *m = mt_json_child(theirs); m != NULL; m = mt_json_next(m), i++) {
        assert_true(i < ours->n);
        same_message(d, m, &ours->items[i]);
    }
    assert_int_equal(i, ours->n);
    d->lists++;
}

static void same_relations(struct decoding *d, const struct mt_json *theirs,
                           const struct mt_rong_relations_out *ours)
{
    size_t i = 0;

    for (const struct mt_json *r = mt_json_child(theirs); r != NULL; r = mt_json_next(r), i++) {
        const struct mt_rong_relation *item = &ours->items[i];
        const char *target = NULL;

        assert_true(i < ours->n);
        assert_int_equal(mt_rong_ref_type(&item->ref, &target),
                         mt_json_i64(mt_json_get(r, "type"), 0));
        assert_string_equal(target, mt_json_str(mt_json_get(r, "userId")));
        assert_int_equal(item->version_ms, mt_json_i64(mt_json_get(r, "versionTime"), 0));
        assert_int_equal(item->unread, mt_json_i64(mt_json_get(r, "unreadCount"), -1));
        assert_int_equal(item->has_last, mt_json_get(r, "msg") != NULL);
        if (item->has_last)
            same_message(d, mt_json_get(r, "msg"), &item->last);
    }
    assert_int_equal(i, ours->n);
    d->lists++;
}

static void decode_line(void *ud, const struct mt_json *node)
{
    struct decoding *d = ud;
    const char *type = mt_json_str(mt_json_get(node, "pbType"));
    const struct mt_json *pb = mt_json_get(node, "pb");
    enum mt_rong_side side = MT_RONG_UP;
    struct mt_rong_frame frame;
    uint8_t *bytes = NULL;
    unsigned version = 3;
    size_t len = 0;

    if (type == NULL || pb == NULL || !parse_line(node, &bytes, &len, &frame, &side, &version))
        return;
    mt_arena_reset(d->arena);
    if (mt_json_get(pb, "compressedData") != NULL) {
        mt_mem_free(bytes); /* what it holds has a test of its own: what_is_compressed */
        return;
    }
    if (strcmp(type, "DownStreamMessage") == 0) {
        struct mt_message m;

        assert_int_equal(
            mt_rong_decode(&d->decoder, frame.payload, frame.payload_len, d->arena, &m), MT_OK);
        same_message(d, pb, &m);
    } else if (strcmp(type, "HistoryMsgOuput") == 0) {
        struct mt_rong_history_out out;

        assert_int_equal(mt_rong_history_parse(&d->decoder, frame.payload, frame.payload_len,
                                               d->arena, &out, NULL),
                         MT_OK);
        assert_int_equal(out.more, mt_json_i64(mt_json_get(pb, "hasMsg"), 0) != 0);
        same_list(d, mt_json_get(pb, "list"), &out.messages);
    } else if (strcmp(type, "DownStreamMessages") == 0) {
        struct mt_rong_pull_out out;

        assert_int_equal(
            mt_rong_pull_parse(&d->decoder, frame.payload, frame.payload_len, d->arena, &out, NULL),
            MT_OK);
        assert_int_equal(out.sync_ms, mt_json_i64(mt_json_get(pb, "syncTime"), 0));
        assert_int_equal(out.finished, mt_json_bool(mt_json_get(pb, "finished"), false));
        same_list(d, mt_json_get(pb, "list"), &out.messages);
    } else if (strcmp(type, "RelationsOutput") == 0) {
        struct mt_rong_relations_out out;

        assert_int_equal(mt_rong_relations_parse(&d->decoder, frame.payload, frame.payload_len,
                                                 d->arena, &out, NULL),
                         MT_OK);
        assert_int_equal(out.finished, mt_json_bool(mt_json_get(pb, "isFinished"), false));
        same_relations(d, mt_json_get(pb, "info"), &out);
    }
    mt_mem_free(bytes);
}

static void messages_are_what_the_sdk_sees(void **state)
{
    struct decoding d = {.decoder = {.user = "me", .scratch = mt_arena_new(MT_RONG_SCRATCH_MAX)},
                         .arena = mt_arena_new(MT_RONG_PAGE_ARENA_MAX)};
    size_t len = 0;
    char *text = shared_file("traces/rongcloud-5.38.0.jsonl", &len);

    (void)state;
    if (text != NULL) {
        each_line(text, len, decode_line, &d);
        print_message("# %zu messages in %zu lists compared with the SDK's\n", d.messages, d.lists);
        assert_true(d.messages >= 100 && d.lists >= 50);
    }
    mt_mem_free(text);
    mt_arena_free(d.arena);
    mt_arena_free(d.decoder.scratch);
}

/* ---------------------------------------------------------------- what we send in its place */

struct sending {
    struct mt_arena *arena;
    struct mt_rong_decoder decoder;
    struct mt_rong_navi navi;
    struct mt_rong_sender sender;
    size_t messages, instructions;
};

/* The bytes of the frame are those of our packet. */
static void same_packet(struct sending *s, const struct mt_rong_frame *frame,
                        struct mt_rong_packet *packet)
{
    const struct mt_rong_request *q = &packet->request;
    const char *target = q->target != NULL ? q->target : "me";

    assert_true(q->publish);
    assert_int_equal(strlen(q->topic), frame->topic.len);
    assert_memory_equal(q->topic, frame->topic.s, frame->topic.len);
    assert_int_equal(strlen(target), frame->target.len);
    assert_memory_equal(target, frame->target.s, frame->target.len);
    assert_int_equal(q->qos0, frame->qos == 0);
    assert_int_equal(q->len, frame->payload_len);
    assert_memory_equal(q->payload, frame->payload, q->len);
    mt_rong_packet_deinit(packet);
    (void)s;
}

static void send_again(struct sending *s, const struct mt_rong_frame *frame,
                       const Rongcloud__UpStreamMessage *up, const struct mt_conversation_ref *to)
{
    struct mt_message m;
    struct mt_rong_packet packet;
    struct mt_fields body, push;
    struct mt_outgoing out = {.to = *to};
    const uint8_t *raw = NULL;
    size_t raw_len = 0;

    assert_int_equal(mt_rong_echo_raw(&s->decoder, frame->topic.len == 5 ? "ugMsg" : "ppMsgP",
                                      to->target, frame->payload, frame->payload_len, "1", 1,
                                      s->arena, &raw, &raw_len),
                     MT_OK);
    assert_int_equal(mt_rong_decode(&s->decoder, raw, raw_len, s->arena, &m), MT_OK);
    mt_fields_init(&body, s->arena);
    for (size_t i = 0; i < m.body.fields_n; i++)
        mt_fields_value(&body, m.body.fields[i].key, m.body.fields[i].value);
    if (mt_value_get(&m.extra, "expansion") != NULL)
        mt_fields_value(&body, "expansion", *mt_value_get(&m.extra, "expansion"));
    mt_fields_init(&push, s->arena);
    mt_fields_str(&push, "text", up->pushtext);
    mt_fields_str(&push, "data", up->appdata);
    mt_fields_value(&body, "push", mt_fields_end(&push));
    out.kind = m.kind;
    out.text = m.text;
    out.text_len = m.text_len;
    out.body = mt_fields_end(&body);
    out.ext = m.ext;
    out.wants_receipts = (up->optionbits & 2) != 0;
    s->sender.unique = (uint64_t)up->clientuniqueid;
    assert_int_equal(mt_rong_outgoing_pack(&s->sender, &out, &packet, NULL), MT_OK);
    same_packet(s, frame, &packet);
    s->messages++;
}

static void instruct_again(struct sending *s, const struct mt_rong_frame *frame,
                           const Rongcloud__UpStreamMessage *up,
                           const struct mt_conversation_ref *to)
{
    struct mt_json *json = NULL;
    struct mt_reference r = {.conversation = *to};
    const struct mt_json *dic = NULL;
    struct mt_rong_packet packet;
    bool request = strcmp(up->classname, "RC:RRReqMsg") == 0;

    assert_int_equal(
        mt_json_parse((const char *)up->content.data, up->content.len, 1 << 20, &json, NULL),
        MT_OK);
    s->sender.unique = up->has_clientuniqueid ? (uint64_t)up->clientuniqueid : 1;
    r.message.id = mt_json_str(mt_json_get(json, "messageUId"));
    r.message.time_ms = mt_json_i64(mt_json_get(json, "lastMessageSendTime"), 0);
    r.type = MT_REFER_READ;
    if (strcmp(up->classname, "RC:SRSMsg") == 0)
        r.type = MT_REFER_CONVERSATION;
    if (strcmp(up->classname, "RC:RcCmd") == 0) {
        r.type = MT_REFER_RECALL;
        r.message.time_ms = mt_json_i64(mt_json_get(json, "sentTime"), 0);
        assert_true(mt_rong_ref_set(&r.conversation,
                                    (int)mt_json_i64(mt_json_get(json, "conversationType"), 0),
                                    mt_json_str(mt_json_get(json, "targetId")), NULL));
    }
    dic = mt_json_child(mt_json_get(json, "receiptMessageDic"));
    if (dic != NULL) {
        r.message.from = mt_json_key(dic);
        r.message.id = mt_json_str(mt_json_child(dic));
    }
    assert_int_equal(request
                         ? mt_rong_receipt_request_pack(&s->sender, to, r.message.id, &packet, NULL)
                         : mt_rong_reference_pack(&s->sender, &r, &packet, NULL),
                     MT_OK);
    same_packet(s, frame, &packet);
    mt_json_free(json);
    s->instructions++;
}

static void publish_again(struct sending *s, const struct mt_rong_frame *frame, const char *topic,
                          const char *target)
{
    Rongcloud__UpStreamMessage *up =
        rongcloud__up_stream_message__unpack(NULL, frame->payload_len, frame->payload);
    int type = strcmp(topic, "pgMsgP") == 0  ? RONGCLOUD__CHANNEL_TYPE__CT_GROUP
               : strcmp(topic, "ugMsg") == 0 ? RONGCLOUD__CHANNEL_TYPE__CT_ULTRAGROUP
                                             : RONGCLOUD__CHANNEL_TYPE__CT_PERSON;
    const struct mt_rong_object *object = NULL;
    struct mt_conversation_ref to;

    assert_non_null(up);
    object = mt_rong_object_find(up->classname);
    assert_true(mt_rong_ref_set(&to, type, target, up->buschannel));
    s->navi.default_channel = up->buschannel != NULL && *up->buschannel != '\0';
    if (object == NULL || object->role == MT_RONG_ROLE_MESSAGE)
        send_again(s, frame, up, &to);
    else if (object->role != MT_RONG_ROLE_STATUS)
        instruct_again(s, frame, up, &to);
    rongcloud__up_stream_message__free_unpacked(up, NULL);
}

/* The read times, and receipts of the fourth version. */
static void other_again(struct sending *s, const struct mt_rong_frame *frame, const char *topic,
                        const struct mt_json *pb)
{
    struct mt_reference r = {.type = MT_REFER_CONVERSATION};
    struct mt_rong_packet packet;
    const char *target = mt_json_str(mt_json_get(pb, "channelId"));

    if (strcmp(topic, "sendMsgRead") == 0) {
        if (*mt_json_str(mt_json_get(pb, "startMsgId")) != '\0')
            return; /* of several messages: we send one at a time */
        r.type = MT_REFER_READ;
        r.message.id = mt_json_str(mt_json_get(pb, "endMsgId"));
        target = mt_json_str(mt_json_get(pb, "targetId"));
        s->navi.receipts = 3;
    }
    s->navi.session_driven = strcmp(topic, "updRTime") == 0;
    s->navi.default_channel = true;
    assert_true(mt_rong_ref_set(&r.conversation, (int)mt_json_i64(mt_json_get(pb, "type"), 0),
                                target, mt_json_str(mt_json_get(pb, "busChannel"))));
    r.message.time_ms = mt_json_i64(mt_json_get(pb, "msgTime"), 0);
    s->sender.now_ms = r.message.time_ms;
    assert_int_equal(mt_rong_reference_pack(&s->sender, &r, &packet, NULL), MT_OK);
    same_packet(s, frame, &packet);
    s->navi = (struct mt_rong_navi){.version = 3};
    s->instructions++;
}

static void publish_line(void *ud, const struct mt_json *node)
{
    struct sending *s = ud;
    const char *dir = mt_json_str(mt_json_get(node, "dir"));
    const char *kind = mt_json_str(mt_json_get(node, "type"));
    const char *type = mt_json_str(mt_json_get(node, "pbType"));
    const char *topic = mt_json_str(mt_json_get(node, "topic"));
    enum mt_rong_side side = MT_RONG_UP;
    struct mt_rong_frame frame;
    uint8_t *bytes = NULL;
    unsigned version = 3;
    size_t len = 0;

    if (dir == NULL || kind == NULL || type == NULL || strcmp(dir, "c2s") != 0 ||
        strcmp(kind, "PUBLISH") != 0 || !parse_line(node, &bytes, &len, &frame, &side, &version))
        return;
    mt_arena_reset(s->arena);
    if (strcmp(type, "UpStreamMessage") == 0)
        publish_again(s, &frame, topic, mt_json_str(mt_json_get(node, "target")));
    else
        other_again(s, &frame, topic, mt_json_get(node, "pb"));
    mt_mem_free(bytes);
}

static void we_send_what_the_sdk_sends(void **state)
{
    struct sending s = {.arena = mt_arena_new((size_t)8 << 20),
                        .decoder = {.user = "me", .scratch = mt_arena_new(MT_RONG_SCRATCH_MAX)}};
    size_t len = 0;
    char *text = shared_file("traces/rongcloud-5.38.0.jsonl", &len);

    (void)state;
    s.sender = (struct mt_rong_sender){.user = "me", .navi = &s.navi, .now_ms = 1};
    if (text != NULL) {
        each_line(text, len, publish_line, &s);
        print_message("# %zu messages and %zu instructions sent as the SDK sent them\n", s.messages,
                      s.instructions);
        assert_int_equal(s.messages, 8);
        assert_int_equal(s.instructions, 9);
    }
    mt_mem_free(text);
    mt_arena_free(s.decoder.scratch);
    mt_arena_free(s.arena);
}

int test_golden(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_encode_again),
        cmocka_unit_test(traces_encode_again),
        cmocka_unit_test(messages_are_what_the_sdk_sees),
        cmocka_unit_test(we_send_what_the_sdk_sends),
    };

    return cmocka_run_group_tests_name("rongcloud/golden", tests, NULL, NULL);
}

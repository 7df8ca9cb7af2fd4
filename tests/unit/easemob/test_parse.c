/* What is asked and what is answered, on memory: the history request and its page, the three
 * conversation lists. */
#include "lib.h"

#include "../bytes.h"

#include "base/arena.h"
#include "base/mem.h"
#include "msync.pb-c.h"
#include "provider/easemob/account_int.h"
#include "provider/easemob/conversations_int.h"
#include "provider/easemob/roaming_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

int test_parse(void);

static struct mt_history_query query_of(enum mt_conversation_kind kind, const char *target)
{
    struct mt_history_query q = {.limit = 0};

    assert_true(mt_em_ref_set(&q.conversation, kind, target));
    return q;
}

static void expect_request(const struct mt_history_query *q, const struct mt_em_bounds *bounds,
                           const char *expected)
{
    struct mt_buf out;

    mt_buf_init(&out, 65536);
    assert_int_equal(mt_em_roaming_check(q, NULL), MT_OK);
    mt_em_roaming_body(q, bounds, &out);
    assert_int_equal(out.failed, MT_OK);
    assert_string_equal(out.data, expected);
    mt_buf_deinit(&out);
}

/* Members, order and values are those of the SDK (§4.3; the first is its golden request). */
static void the_request_is_the_sdks(void **state)
{
    static const char *const kinds[] = {"text", "image", NULL};
    static const char *const all[] = {"voice",   "video",  "file",    "location",
                                      "command", "custom", "combine", NULL};
    struct mt_em_bounds bounds = {.start_inclusive = false};
    struct mt_history_query q = query_of(MT_CONVERSATION_SINGLE, "bob");

    (void)state;
    q.limit = 3;
    expect_request(
        &q, &bounds,
        "{\"queue\":\"bob@easemob.com\",\"start\":-1,\"pull_number\":3,\"is_positive\":false,"
        "\"msgType\":\"\",\"end\":-1,\"startTime\":null,\"endTime\":null,\"userId\":null}");
    q.cursor = "1200000000000000005";
    q.from = "carol"; /* dropped for a single conversation */
    q.limit = 0;
    expect_request(
        &q, &bounds,
        "{\"queue\":\"bob@easemob.com\",\"start\":\"1200000000000000005\",\"pull_number\":50,"
        "\"is_positive\":false,\"msgType\":\"\",\"end\":-1,\"startTime\":null,"
        "\"endTime\":null,\"userId\":null}");
    q = query_of(MT_CONVERSATION_GROUP, "93734273351681");
    q.limit = 20;
    q.oldest_first = true;
    q.kinds = kinds;
    q.since_ms = 1700000050001;
    q.until_ms = 1700000052000;
    q.from = "carol";
    expect_request(
        &q, &bounds,
        "{\"queue\":\"93734273351681@conference.easemob.com\",\"start\":-1,\"pull_number\":20,"
        "\"is_positive\":true,\"msgType\":\"txt,img\",\"end\":-1,"
        "\"startTime\":1700000050000,\"endTime\":1700000052000,\"userId\":\"carol\"}");
    bounds.start_inclusive = true;
    q.kinds = all;
    q.conversation.kind = MT_CONVERSATION_ROOM;
    expect_request(
        &q, &bounds,
        "{\"queue\":\"93734273351681@conference.easemob.com\",\"start\":-1,\"pull_number\":20,"
        "\"is_positive\":true,\"msgType\":\"audio,video,file,loc,cmd,custom,combine\","
        "\"end\":-1,\"startTime\":1700000050001,\"endTime\":1700000052000,"
        "\"userId\":\"carol\"}");
}

static void expect_refused(const struct mt_history_query *q, const char *code)
{
    struct mt_fault fault;

    assert_int_equal(mt_em_roaming_check(q, &fault), MT_ERR_INVALID);
    assert_string_equal(fault.code, code);
}

static void wrong_questions_are_refused(void **state)
{
    static const char *const kinds[] = {"texts", NULL};
    struct mt_history_query q = query_of(MT_CONVERSATION_SINGLE, "bob");

    (void)state;
    q.limit = 51;
    expect_refused(&q, "history.limit");
    q.limit = -1;
    expect_refused(&q, "history.limit");
    q.limit = 0;
    q.kinds = kinds;
    expect_refused(&q, "history.kind");
    q.kinds = NULL;
    q.cursor = "abc";
    expect_refused(&q, "history.cursor");
    q.cursor = NULL;
    q.since_ms = 10;
    q.until_ms = 10;
    expect_refused(&q, "history.bounds");
}

/* ---- pages ---- */

struct page_text {
    struct mt_buf text;
    size_t n;
};

static void page_begin(struct page_text *p)
{
    p->n = 0;
    mt_buf_init(&p->text, (size_t)1024 * 1024);
    (void)mt_buf_append_str(&p->text, "{\"data\":{\"msgs\":[");
}

static void page_raw(struct page_text *p, const char *base64, const char *id)
{
    (void)mt_buf_appendf(&p->text, "%s{\"msg\":\"%s\",\"msg_id\":\"%s\"}", p->n++ > 0 ? "," : "",
                         base64, id);
}

static void base64_of(const uint8_t *bytes, size_t len, char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < len; i += 3) {
        uint32_t v = (uint32_t)bytes[i] << 16 | (i + 1 < len ? (uint32_t)bytes[i + 1] << 8 : 0) |
                     (i + 2 < len ? bytes[i + 2] : 0);

        *out++ = digits[v >> 18];
        *out++ = digits[v >> 12 & 63];
        *out++ = (char)(i + 1 < len ? digits[v >> 6 & 63] : '=');
        *out++ = (char)(i + 2 < len ? digits[v & 63] : '=');
    }
    *out = '\0';
}

static void page_add(struct page_text *p, uint64_t id, int64_t time, const char *from, int type)
{
    Easemob__Pb__MessageBody__Content content = EASEMOB__PB__MESSAGE_BODY__CONTENT__INIT;
    Easemob__Pb__MessageBody__Content *contents[] = {&content};
    Easemob__Pb__MessageBody body = EASEMOB__PB__MESSAGE_BODY__INIT;
    Easemob__Pb__JID jid = EASEMOB__PB__JID__INIT;
    Easemob__Pb__Meta meta = EASEMOB__PB__META__INIT;
    uint8_t inner[512];
    uint8_t raw[1024];
    char base64[2048];
    char digits[32];

    jid.name = (char *)(uintptr_t)from;
    content.has_type = true;
    content.type = (Easemob__Pb__MessageBody__Content__Type)(type < 0 ? 0 : type);
    SET_BYTES(&content, text, "x");
    body.has_type = true;
    body.type = EASEMOB__PB__MESSAGE_BODY__TYPE__CHAT;
    body.from = &jid;
    body.to = &jid;
    body.n_contents = 1;
    body.contents = contents;
    meta.has_id = true;
    meta.id = id;
    meta.has_timestamp = true;
    meta.timestamp = (uint64_t)time;
    meta.has_ns = true;
    meta.ns = type < 0 ? EASEMOB__PB__META__NAME_SPACE__MUC : EASEMOB__PB__META__NAME_SPACE__CHAT;
    meta.has_payload = true;
    meta.payload.data = inner;
    meta.payload.len = easemob__pb__message_body__pack(&body, inner);
    base64_of(raw, easemob__pb__meta__pack(&meta, raw), base64);
    snprintf(digits, sizeof digits, "%llu", (unsigned long long)id);
    page_raw(p, base64, digits);
}

static enum mt_rc page_end(struct page_text *p, const char *end, const struct mt_history_query *q,
                           struct mt_em_bounds *bounds, struct mt_arena *arena,
                           struct mt_history_page *page, struct mt_fault *fault)
{
    struct mt_em_decoder decoder = decoder_new("https://a1.easemob.com");
    enum mt_rc rc = MT_OK;

    (void)mt_buf_append_str(&p->text, "]");
    (void)mt_buf_append_str(&p->text, end);
    (void)mt_buf_append_str(&p->text, "}}");
    assert_int_equal(p->text.failed, MT_OK);
    rc = mt_em_roaming_parse(&decoder, q, p->text.data, p->text.len, bounds,
                             mt_em_roaming_start(q, bounds), arena, page, fault);
    mt_buf_deinit(&p->text);
    decoder_free(&decoder);
    return rc;
}

static void a_page_is_read_whole(void **state)
{
    struct mt_history_query q = query_of(MT_CONVERSATION_SINGLE, "bob");
    struct mt_arena *arena = mt_arena_new((size_t)8 * 1024 * 1024);
    struct mt_em_bounds bounds = {.start_inclusive = false};
    struct mt_history_page page;
    struct page_text p;

    (void)state;
    page_begin(&p);
    page_add(&p, 10, 1000, "bob", 0);
    page_raw(&p, "!!!no base64!!!", "11");
    page_add(&p, 12, 1002, "bob", -1); /* not a message at all */
    page_add(&p, 13, 1003, "alice", 1);
    page_raw(&p, "/////w==", "14"); /* base64, but no Meta */
    assert_int_equal(
        page_end(&p, ",\"next_key\":\"14\",\"is_last\":false", &q, &bounds, arena, &page, NULL),
        MT_OK);
    assert_int_equal(page.n, 4);
    assert_int_equal(page.skipped, 1);
    assert_false(page.is_last);
    assert_string_equal(page.cursor, "14");
    assert_string_equal(page.items[1].id, "11");
    assert_int_equal(page.items[1].time_ms, 1000); /* stands where its neighbour stands */
    assert_int_equal(page.items[1].kind, MT_MESSAGE_OTHER);
    assert_int_equal(page.items[1].raw_len, strlen("!!!no base64!!!"));
    assert_string_equal(page.items[1].conversation.target, "bob");
    assert_true(page.items[2].sent);
    assert_string_equal(page.items[3].id, "14");
    mt_arena_free(arena);
}

static void only_what_was_asked_for(void **state)
{
    static const char *const kinds[] = {"image", NULL};
    struct mt_history_query q = query_of(MT_CONVERSATION_GROUP, "1");
    struct mt_arena *arena = mt_arena_new((size_t)8 * 1024 * 1024);
    struct mt_em_bounds bounds = {.start_inclusive = false};
    struct mt_history_page page;
    struct page_text p;

    (void)state;
    q.oldest_first = true;
    q.since_ms = 1000;
    q.until_ms = 2000;
    page_begin(&p);
    page_add(&p, 9, 999, "bob",
             0); /* the bound that was asked for, one wider: proves it inclusive */
    page_add(&p, 10, 1000, "bob", 0);
    page_add(&p, 11, 1999, "bob", 0);
    page_add(&p, 12, 2000, "bob", 0);
    assert_int_equal(
        page_end(&p, ",\"next_key\":\"12\",\"is_last\":false", &q, &bounds, arena, &page, NULL),
        MT_OK);
    assert_int_equal(page.n, 2);
    assert_int_equal(page.dropped, 2);
    assert_false(page.bounds_ignored);
    assert_true(page.is_last); /* nothing after 2000 can be wanted */
    assert_true(bounds.start_inclusive);
    assert_int_equal(mt_em_roaming_start(&q, &bounds), 1000);
    page_begin(&p);
    page_add(&p, 9, 900, "bob", 0);
    assert_int_equal(
        page_end(&p, ",\"next_key\":\"12\",\"is_last\":false", &q, &bounds, arena, &page, NULL),
        MT_OK);
    assert_true(page.bounds_ignored);
    assert_int_equal(page.n, 0);
    q.since_ms = q.until_ms = 0;
    q.kinds = kinds;
    q.from = "carol";
    page_begin(&p);
    page_add(&p, 1, 1, "carol", 0);
    page_add(&p, 2, 2, "bob", 1);
    page_add(&p, 3, 3, "Carol", 1);
    assert_int_equal(page_end(&p, ",\"is_last\":true", &q, &bounds, arena, &page, NULL), MT_OK);
    assert_int_equal(page.n, 1);
    assert_string_equal(page.items[0].id, "3");
    assert_int_equal(page.dropped, 2);
    assert_null(page.cursor);
    mt_arena_free(arena);
}

static void expect_page_fault(const char *text, enum mt_rc kind, const char *code)
{
    struct mt_em_decoder decoder = decoder_new("");
    struct mt_history_query q = query_of(MT_CONVERSATION_SINGLE, "bob");
    struct mt_arena *arena = mt_arena_new((size_t)1024 * 1024);
    struct mt_em_bounds bounds = {.start_inclusive = false};
    struct mt_history_page page;
    struct mt_fault fault;

    assert_int_equal(
        mt_em_roaming_parse(&decoder, &q, text, strlen(text), &bounds, 0, arena, &page, &fault),
        kind);
    assert_string_equal(fault.code, code);
    assert_int_equal(page.n, 0);
    mt_arena_free(arena);
    decoder_free(&decoder);
}

static void broken_pages_have_names(void **state)
{
    (void)state;
    expect_page_fault("{\"data\":{\"msgs\":null,\"is_last\":false}}", MT_ERR_PROTOCOL,
                      "history.null_page");
    expect_page_fault("{\"data\":null}", MT_ERR_PROTOCOL, "history.null_page");
    expect_page_fault("{}", MT_ERR_PROTOCOL, "history.null_page");
    expect_page_fault("[]", MT_ERR_PROTOCOL, "history.null_page");
    expect_page_fault("<html>", MT_ERR_PROTOCOL, "history.not_json");
    expect_page_fault("{\"data\":{\"msgs\":[],\"is_last\":false}}", MT_ERR_PROTOCOL,
                      "history.stuck");
    expect_page_fault("{\"data\":{\"msgs\":[],\"next_key\":\"\"}}", MT_ERR_PROTOCOL,
                      "history.stuck");
}

/* ---- conversation lists ---- */

static enum mt_rc channels(const char *text, enum mt_em_form form, struct mt_arena *arena,
                           struct mt_em_channels *out, struct mt_fault *fault)
{
    struct mt_em_decoder decoder = decoder_new("https://a1.easemob.com");
    enum mt_rc rc = mt_em_channels_parse(&decoder, form, text, strlen(text), arena, out, fault);

    decoder_free(&decoder);
    return rc;
}

#define META                                                                                       \
    "{\"from\":\"easemob-demo#chatdemoui_carol@easemob.com/android_peer\","                        \
    "\"to\":\"easemob-demo#chatdemoui_93734273351681@conference.easemob.com\","                    \
    "\"id\":\"1200000000000000010\",\"timestamp\":1700000052000,"                                  \
    "\"payload\":\"{\\\"bodies\\\":[{\\\"type\\\":\\\"txt\\\",\\\"msg\\\":\\\"group 2\\\"}],"      \
    "\\\"ext\\\":{},\\\"from\\\":\\\"carol\\\",\\\"to\\\":\\\"93734273351681\\\","                 \
    "\\\"type\\\":\\\"groupchat\\\"}\"}"

static void the_old_list(void **state)
{
    struct mt_arena *arena = mt_arena_new((size_t)1024 * 1024);
    struct mt_em_channels c;

    (void)state;
    assert_int_equal(
        channels(
            "{\"data\":{\"channel_infos\":["
            "{\"channel_id\":\"easemob-demo#chatdemoui_under_score@easemob.com\",\"meta\":{},"
            "\"unread_num\":1},"
            "{\"channel_id\":\"easemob-demo#chatdemoui_93734273351681@conference.easemob.com\","
            "\"meta\":" META ",\"unread_num\":3},{\"channel_id\":\"\"},{},null,7]}}",
            MT_EM_FORM_OLD, arena, &c, NULL),
        MT_OK);
    assert_int_equal(c.n, 2);
    assert_null(c.cursor);
    assert_int_equal(c.items[0].ref.kind, MT_CONVERSATION_SINGLE);
    assert_string_equal(c.items[0].ref.target, "under_score");
    assert_int_equal(c.items[0].unread, 1);
    assert_null(c.items[0].last);
    assert_int_equal(c.items[1].ref.kind, MT_CONVERSATION_GROUP);
    assert_string_equal(c.items[1].last->text, "group 2");
    assert_string_equal(c.items[1].last->id, "1200000000000000010");
    assert_int_equal(c.items[1].last->time_ms, 1700000052000);
    assert_int_equal(c.items[1].last->conversation.kind, MT_CONVERSATION_GROUP);
    assert_false(c.items[1].last->sent);
    mt_arena_free(arena);
}

static void the_cursor_list(void **state)
{
    struct mt_arena *arena = mt_arena_new((size_t)1024 * 1024);
    struct mt_em_channels c;

    (void)state;
    assert_int_equal(
        channels("{\"data\":{\"channel_infos\":[{\"session_to\":\"Bob\",\"session_type\":\"chat\","
                 "\"is_top\":true,\"update_top_status_time\":1700000000123,\"unread_num\":1,"
                 "\"marks\":[\"mark_1\",\"mark_19\",\"x\",7]},"
                 "{\"session_to\":\"1\",\"session_type\":\"groupChat\",\"is_top\":false,"
                 "\"update_top_status_time\":0,\"meta\":" META "},"
                 "{\"session_to\":\"2\",\"session_type\":\"groupchat\"},"
                 "{\"session_to\":\"3\",\"session_type\":\"chatroom\",\"meta\":" META "}],"
                 "\"cursor\":\"abc\"}}",
                 MT_EM_FORM_LIST, arena, &c, NULL),
        MT_OK);
    assert_int_equal(c.n, 4);
    assert_string_equal(c.cursor, "abc");
    assert_string_equal(c.items[0].ref.target, "bob");
    assert_true(c.items[0].pinned);
    assert_int_equal(c.items[0].pinned_ms, 1700000000123);
    assert_int_equal(c.items[0].marks_n, 2);
    assert_int_equal(c.items[0].marks[1], 19);
    assert_false(c.items[1].pinned);
    assert_int_equal(c.items[1].unread, -1);
    assert_int_equal(c.items[1].ref.kind, MT_CONVERSATION_GROUP);
    assert_int_equal(c.items[2].ref.kind, MT_CONVERSATION_GROUP);
    assert_int_equal(c.items[3].ref.kind, MT_CONVERSATION_ROOM);
    assert_int_equal(c.items[3].last->conversation.kind, MT_CONVERSATION_ROOM);
    assert_int_equal(channels("{\"data\":{}}", MT_EM_FORM_LIST, arena, &c, NULL), MT_OK);
    assert_int_equal(c.n, 0);
    assert_null(c.cursor);
    mt_arena_free(arena);
}

static void broken_lists_have_names(void **state)
{
    struct mt_arena *arena = mt_arena_new((size_t)1024 * 1024);
    struct mt_em_channels c;
    struct mt_fault fault;

    (void)state;
    assert_int_equal(channels("nope", MT_EM_FORM_OLD, arena, &c, &fault), MT_ERR_PROTOCOL);
    assert_string_equal(fault.code, "conversations.not_json");
    assert_int_equal(channels("{\"data\":[]}", MT_EM_FORM_OLD, arena, &c, &fault), MT_ERR_PROTOCOL);
    assert_string_equal(fault.code, "conversations.no_list");
    assert_int_equal(
        channels("{\"data\":{\"channel_infos\":{}}}", MT_EM_FORM_PAGE, arena, &c, &fault),
        MT_ERR_PROTOCOL);
    assert_string_equal(fault.code, "conversations.no_list");
    mt_arena_free(arena);
}

/* ---- pages of a list ---- */

static struct mt_em_channels some(struct mt_arena *arena, const char *names)
{
    struct mt_em_channels c = {.items = mt_arena_calloc(arena, strlen(names) + 1, sizeof *c.items)};

    assert_non_null(c.items);
    for (; *names != '\0'; names++) {
        char one[2] = {*names, '\0'};

        assert_true(mt_em_ref_set(&c.items[c.n++].ref, MT_CONVERSATION_SINGLE, one));
    }
    return c;
}

static const char *take(struct mt_em_listing *listing, struct mt_arena *arena, const char *asked,
                        const char *next, const char *names, const char *left, const char *code)
{
    struct mt_em_channels c = some(arena, names);
    struct mt_fault fault;
    const char *cursor = NULL;
    enum mt_rc rc = mt_em_listing_page(listing, asked, next, &c, arena, &cursor, &fault);

    if (code != NULL) {
        assert_int_equal(rc, MT_ERR_PROTOCOL);
        assert_string_equal(fault.code, code);
        return NULL;
    }
    assert_int_equal(rc, MT_OK);
    assert_int_equal(c.n, strlen(left));
    for (size_t i = 0; i < c.n; i++)
        assert_int_equal(c.items[i].ref.target[0], left[i]);
    return cursor;
}

static void a_conversation_comes_once(void **state)
{
    struct mt_arena *arena = mt_arena_new((size_t)1024 * 1024);
    struct mt_provider_account account = {.refs = 1};
    const char *theirs = NULL;
    struct mt_em_listing *one = mt_em_listing_of(&account, NULL, &theirs);
    const char *cursor = take(one, arena, "", "c1", "abca", "abc", NULL);
    struct mt_em_listing *two = NULL;

    (void)state;
    assert_ptr_equal(mt_em_listing_of(&account, cursor, &theirs), one);
    assert_string_equal(theirs, "c1");
    /* somebody else begins to list: neither hides a conversation from the other */
    two = mt_em_listing_of(&account, "", &theirs);
    assert_ptr_not_equal(two, one);
    assert_string_equal(theirs, "");
    (void)take(two, arena, "", "c1", "dabc", "dabc", NULL);
    (void)take(one, arena, "c1", "c2", "cde", "de", NULL);
    (void)take(one, arena, "c1", "c2", "cde", "de", NULL); /* asked again: the same again */
    assert_int_equal(mt_em_listing_count(one), 5);
    (void)take(two, arena, "c1", NULL, "e", "e", NULL);
    /* a cursor that is not ours is used as it is */
    assert_non_null(mt_em_listing_of(&account, "foreign", &theirs));
    assert_string_equal(theirs, "foreign");
    assert_non_null(mt_em_listing_of(&account, "999~x", &theirs));
    assert_string_equal(theirs, "x");
    mt_em_listings_free(&account);
    mt_arena_free(arena);
}

static void a_list_that_goes_nowhere_is_named(void **state)
{
    struct mt_arena *arena = mt_arena_new((size_t)1024 * 1024);
    struct mt_provider_account account = {.refs = 1};
    const char *theirs = NULL;
    struct mt_em_listing *l = mt_em_listing_of(&account, NULL, &theirs);

    (void)state;
    (void)take(l, arena, "", "1", "ab", "ab", NULL);
    (void)take(l, arena, "1", "1", "cd", "", "conversations.stuck");
    l = mt_em_listing_of(&account, NULL, &theirs);
    (void)take(l, arena, "", "1", "ab", "ab", NULL);
    (void)take(l, arena, "1", "2", "ab", "", NULL); /* the list may move under us */
    (void)take(l, arena, "2", "3", "ab", "", NULL);
    (void)take(l, arena, "3", "4", "ab", "", "conversations.repeats");
    l = mt_em_listing_of(&account, NULL, &theirs);
    (void)take(l, arena, "", "1", "", "", NULL);
    (void)take(l, arena, "1", "2", "", "", NULL);
    (void)take(l, arena, "2", "3", "", "", "conversations.stuck");
    mt_em_listings_free(&account);
    mt_arena_free(arena);
}

static void hosts_of_a_discovery(void **state)
{
    static const char text[] =
        "{\"rest\":{\"hosts\":[{\"protocol\":\"http\",\"domain\":\"127.0.0.1\",\"port\":\"32813\"},"
        "{\"protocol\":\"https\",\"domain\":\"a1.easemob.com\",\"port\":\"443\"},"
        "{\"protocol\":\"https\",\"domain\":\"a1.easemob.com/evil\"},"
        "{\"protocol\":\"https\",\"domain\":\"a31.easemob.com\",\"port\":8443,\"ip\":\"1.2.3.4\"}]}"
        "}";
    char hosts[4][300];
    char websocket[300] = "";

    (void)state;
    assert_int_equal(mt_em_discovery_parse(text, strlen(text), false, hosts, 4, websocket), 2);
    assert_string_equal(hosts[0], "https://a1.easemob.com");
    assert_string_equal(hosts[1], "https://a31.easemob.com:8443");
    assert_int_equal(mt_em_discovery_parse(text, strlen(text), true, hosts, 4, websocket), 1);
    assert_string_equal(hosts[0], "http://127.0.0.1:32813");
    assert_int_equal(mt_em_discovery_parse("{}", 2, true, hosts, 4, websocket), 0);
    assert_int_equal(mt_em_discovery_parse("x", 1, true, hosts, 4, websocket), 0);
    assert_true(mt_em_loopback("http://127.0.0.1:1/x"));
    assert_true(mt_em_loopback("http://localhost"));
    assert_false(mt_em_loopback("http://localhost.evil.example"));
    assert_false(mt_em_loopback("https://a1.easemob.com"));
}

int test_parse(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_request_is_the_sdks),
        cmocka_unit_test(wrong_questions_are_refused),
        cmocka_unit_test(a_page_is_read_whole),
        cmocka_unit_test(only_what_was_asked_for),
        cmocka_unit_test(broken_pages_have_names),
        cmocka_unit_test(the_old_list),
        cmocka_unit_test(the_cursor_list),
        cmocka_unit_test(broken_lists_have_names),
        cmocka_unit_test(a_conversation_comes_once),
        cmocka_unit_test(a_list_that_goes_nowhere_is_named),
        cmocka_unit_test(hosts_of_a_discovery),
    };

    return cmocka_run_group_tests_name("parse", tests, NULL, NULL);
}

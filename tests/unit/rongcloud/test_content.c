/* Every kind both ways: the cloud's JSON into the model, and the model into the same JSON. */
#include "ground.h"

int test_content(void);

struct kind {
    const char *name, *content;
    enum mt_message_kind kind;
    const char *text, *body, *ext;
    bool out; /* what is written is the content again */
};

static const struct kind kinds[] = {
    {"RC:TxtMsg", "{\"content\":\"hi\"}", MT_MESSAGE_TEXT, "hi", "{}", "{}", true},
    {"RC:TxtMsg",
     "{\"content\":\"hi\",\"extra\":\"{\\\"a\\\":1}\",\"mentionedInfo\":{\"type\":2,\"userIdList\":"
     "[\"u9\"],\"mentionedContent\":\"\"}}",
     MT_MESSAGE_TEXT, "hi", "{\"mentions\":{\"users\":[\"u9\"]}}", "{\"a\":1}", true},
    {"RC:TxtMsg",
     "{\"content\":\"hi\",\"extra\":\"plain\",\"user\":{\"id\":\"alice\",\"name\":\"Alice\"},"
     "\"mentionedInfo\":{\"type\":1,\"userIdList\":[],\"mentionedContent\":\"all\"}}",
     MT_MESSAGE_TEXT, "hi",
     "{\"user\":{\"id\":\"alice\",\"name\":\"Alice\"},\"mentions\":{\"all\":true,\"text\":\"all\"}"
     "}",
     "{\"extra\":\"plain\"}", true},
    {"RC:TxtMsg", "{\"content\":\"x\",\"burnDuration\":30}", MT_MESSAGE_TEXT, "x",
     "{\"params\":{\"burnDuration\":30}}", "{}", true},
    {"RC:TxtMsg", "{\"content\":7}", MT_MESSAGE_TEXT, "", "{\"params\":{\"content\":7}}", "{}",
     false},
    {"RC:ReferenceMsg",
     "{\"content\":\"yes\",\"referMsgUserId\":\"bob\",\"referMsg\":{\"content\":\"really?\"},"
     "\"referMsgUid\":\"U0\",\"objName\":\"RC:TxtMsg\"}",
     MT_MESSAGE_TEXT, "yes",
     "{\"quote\":{\"from\":\"bob\",\"content\":{\"content\":\"really?\"},\"id\":\"U0\","
     "\"name\":\"RC:TxtMsg\",\"text\":\"really?\"}}",
     "{}", true},
    {"RC:ImgMsg",
     "{\"content\":\"AAAA\",\"imageUri\":\"http://f/1.jpg\",\"name\":\"1.jpg\",\"size\":12}",
     MT_MESSAGE_IMAGE, NULL,
     "{\"thumbnail_base64\":\"AAAA\",\"url\":\"http://f/1.jpg\",\"remote_path\":\"http://f/1.jpg\","
     "\"filename\":\"1.jpg\",\"size_bytes\":12}",
     "{}", true},
    {"RC:GIFMsg", "{\"remoteUrl\":\"http://f/1\",\"gifDataSize\":9,\"width\":64,\"height\":48.5}",
     MT_MESSAGE_IMAGE, NULL,
     "{\"url\":\"http://f/1\",\"remote_path\":\"http://f/1\",\"size_bytes\":9,\"width\":64,"
     "\"height\":48.5,\"gif\":true}",
     "{}", true},
    {"RC:VcMsg", "{\"content\":\"IyFBTVI=\",\"duration\":3}", MT_MESSAGE_VOICE, NULL,
     "{\"data_base64\":\"IyFBTVI=\",\"duration_s\":3}", "{}", true},
    {"RC:HQVCMsg", "{\"remoteUrl\":\"http://f/v\",\"duration\":3,\"type\":\"aac\"}",
     MT_MESSAGE_VOICE, NULL,
     "{\"url\":\"http://f/v\",\"remote_path\":\"http://f/v\",\"duration_s\":3,\"file_type\":"
     "\"aac\"}",
     "{}", true},
    {"RC:SightMsg",
     "{\"sightUrl\":\"http://f/s\",\"content\":\"BBBB\",\"duration\":9,\"size\":\"1234567\","
     "\"name\":\"s.mp4\"}",
     MT_MESSAGE_VIDEO, NULL,
     "{\"url\":\"http://f/s\",\"remote_path\":\"http://f/s\",\"thumbnail_base64\":\"BBBB\","
     "\"duration_s\":9,\"size_bytes\":1234567,\"filename\":\"s.mp4\"}",
     "{}", false},
    {"RC:FileMsg", "{\"name\":\"a.pdf\",\"size\":5,\"type\":\"pdf\",\"fileUrl\":\"http://f/a\"}",
     MT_MESSAGE_FILE, NULL,
     "{\"filename\":\"a.pdf\",\"size_bytes\":5,\"file_type\":\"pdf\",\"url\":\"http://f/a\","
     "\"remote_path\":\"http://f/a\"}",
     "{}", true},
    {"RC:LBSMsg", "{\"longitude\":116.5,\"latitude\":39,\"poi\":\"Beijing\",\"content\":\"CCCC\"}",
     MT_MESSAGE_LOCATION, NULL,
     "{\"longitude\":116.5,\"latitude\":39,\"address\":\"Beijing\",\"thumbnail_base64\":\"CCCC\"}",
     "{}", true},
    {"RC:CombineMsg",
     "{\"remoteUrl\":\"http://f/c\",\"nameList\":[\"a\",\"b\"],\"summaryList\":[\"a: 1\",\"b: 2\"],"
     "\"conversationType\":1}",
     MT_MESSAGE_COMBINE, NULL,
     "{\"url\":\"http://f/c\",\"remote_path\":\"http://f/c\",\"names\":[\"a\",\"b\"],"
     "\"summaries\":[\"a: 1\",\"b: 2\"],\"conversation_type\":1,\"summary\":\"a: 1\\nb: 2\"}",
     "{}", true},
    {"RC:CmdMsg", "{\"name\":\"refresh\",\"data\":{\"n\":1}}", MT_MESSAGE_COMMAND, NULL,
     "{\"action\":\"refresh\",\"data\":{\"n\":1}}", "{}", true},
    {"app:gift", "{\"k\":\"v\",\"n\":1,\"id\":12345678901234567}", MT_MESSAGE_CUSTOM, NULL,
     "{\"event\":\"app:gift\",\"fields\":{\"k\":\"v\",\"n\":1,\"id\":\"12345678901234567\"}}", "{}",
     true},
    {"app:gift", "no json", MT_MESSAGE_CUSTOM, NULL,
     "{\"event\":\"app:gift\",\"content\":\"no json\"}", "{}", false},
    {"RC:ImgTextMsg",
     "{\"title\":\"T\",\"content\":\"D\",\"imageUri\":\"http://i\",\"url\":\"http://l\"}",
     MT_MESSAGE_OTHER, "D", "{\"title\":\"T\",\"image_url\":\"http://i\",\"link\":\"http://l\"}",
     "{}", false},
    {"RC:InfoNtf", "{\"message\":\"joined\"}", MT_MESSAGE_OTHER, "joined", "{}", "{}", false},
    {"RC:GrpNtf",
     "{\"operatorUserId\":\"bob\",\"operation\":\"Add\",\"data\":\"{}\",\"message\":\"m\"}",
     MT_MESSAGE_OTHER, "m", "{\"operator\":\"bob\",\"operation\":\"Add\",\"data\":\"{}\"}", "{}",
     false},
    {"RC:Unheard", "{\"a\":[1,{\"b\":null}]}", MT_MESSAGE_OTHER, NULL,
     "{\"params\":{\"a\":[1,{\"b\":null}]}}", "{}", false},
    {"RC:TxtMsg", "not json", MT_MESSAGE_OTHER, "not json", "{}", "{}", false},
    {"RC:TxtMsg", "[1]", MT_MESSAGE_OTHER, "[1]", "{}", "{}", false},
    {"", "{}", MT_MESSAGE_OTHER, NULL, "{}", "{}", false},
};

/* A map without a field says so like one that is empty. */
static const char *map_json(const struct mt_value *map)
{
    return map->fields_n == 0 ? "{}" : json_of(map);
}

static void every_kind_is_read(void **state)
{
    struct ground *g = *state;

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const struct kind *k = &kinds[i];
        struct mt_message m = decoded_content(g, k->name, k->content);

        print_message("# %s %s\n", k->name, k->content);
        assert_int_equal(m.kind, k->kind);
        assert_int_equal(m.type, MT_TYPE_MESSAGE);
        if (k->text == NULL)
            assert_null(m.text);
        else
            assert_string_equal(m.text, k->text);
        assert_string_equal(map_json(&m.body), k->body);
        assert_string_equal(map_json(&m.ext), k->ext);
        if (k->kind == MT_MESSAGE_OTHER)
            assert_string_equal(m.kind_name, *k->name ? k->name : "empty");
        else
            assert_string_equal(m.kind_name, mt_message_kind_name(k->kind));
    }
}

static void every_kind_is_written_as_it_was(void **state)
{
    struct ground *g = *state;
    size_t n = 0;

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const struct kind *k = &kinds[i];
        struct mt_message m = decoded_content(g, k->name, k->content);
        struct mt_outgoing out = {
            .kind = m.kind, .text = m.text, .text_len = m.text_len, .body = m.body, .ext = m.ext};
        const char *name = NULL;
        struct mt_buf buf;

        if (!k->out)
            continue;
        mt_buf_init(&buf, MT_RONG_CONTENT_MAX);
        assert_int_equal(mt_rong_content_write(&out, &buf, &name, NULL), MT_OK);
        assert_string_equal(name, k->name);
        assert_string_equal(buf.data, k->content);
        mt_buf_deinit(&buf);
        n++;
    }
    assert_true(n >= 14);
}

static void what_scripts_for_the_other_cloud_send(void **state)
{
    struct ground *g = *state;
    const struct {
        enum mt_message_kind kind;
        const char *body, *name, *json;
    } cases[] = {
        {MT_MESSAGE_IMAGE, "{\"remote_path\":\"http://f\",\"width\":1,\"height\":2}", "RC:ImgMsg",
         "{\"content\":\"\",\"imageUri\":\"http://f\",\"width\":1,\"height\":2}"},
        {MT_MESSAGE_FILE, "{\"url\":\"http://f\",\"filename\":\"n\",\"secret\":\"s\"}",
         "RC:FileMsg", "{\"name\":\"n\",\"fileUrl\":\"http://f\"}"},
        {MT_MESSAGE_COMBINE, "{\"remote_path\":\"http://f\",\"title\":\"t\",\"summary\":\"a\\nb\"}",
         "RC:CombineMsg",
         "{\"remoteUrl\":\"http://f\",\"title\":\"t\",\"summaryList\":[\"a\",\"b\"]}"},
        {MT_MESSAGE_VIDEO, "{\"remote_path\":\"http://f\",\"duration_s\":2.6}", "RC:SightMsg",
         "{\"sightUrl\":\"http://f\",\"content\":\"\",\"duration\":3}"},
        {MT_MESSAGE_CUSTOM, "{\"event\":\"RC:InfoNtf\",\"fields\":{\"message\":\"m\"}}",
         "RC:InfoNtf", "{\"message\":\"m\"}"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct mt_outgoing out = {.kind = cases[i].kind, .body = value_of(g, cases[i].body)};
        const char *name = NULL;
        struct mt_buf buf;

        mt_buf_init(&buf, MT_RONG_CONTENT_MAX);
        assert_int_equal(mt_rong_content_write(&out, &buf, &name, NULL), MT_OK);
        assert_string_equal(name, cases[i].name);
        assert_string_equal(buf.data, cases[i].json);
        mt_buf_deinit(&buf);
    }
}

static void what_is_missing_is_named(void **state)
{
    struct ground *g = *state;
    const struct {
        enum mt_message_kind kind;
        const char *body, *code;
    } cases[] = {
        {MT_MESSAGE_IMAGE, "{}", "send.field"},
        {MT_MESSAGE_VOICE, "{}", "send.field"},
        {MT_MESSAGE_LOCATION, "{}", "send.field"},
        {MT_MESSAGE_COMMAND, "{}", "send.field"},
        {MT_MESSAGE_CUSTOM, "{}", "send.field"},
        {MT_MESSAGE_OTHER, "{}", "send.kind"},
        {MT_MESSAGE_CUSTOM, "{\"event\":\"\"}", "send.field"},
    };
    char *large = mt_mem_calloc(1, MT_RONG_CONTENT_MAX + 1);

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct mt_outgoing out = {.kind = cases[i].kind, .body = value_of(g, cases[i].body)};
        const char *name = NULL;
        struct mt_fault fault;
        struct mt_buf buf;

        mt_buf_init(&buf, MT_RONG_CONTENT_MAX);
        assert_int_equal(mt_rong_content_write(&out, &buf, &name, &fault), MT_ERR_INVALID);
        assert_string_equal(fault.code, cases[i].code);
        mt_buf_deinit(&buf);
    }
    memset(large, 'x', MT_RONG_CONTENT_MAX);
    for (size_t len = MT_RONG_CONTENT_MAX - 14; len <= MT_RONG_CONTENT_MAX - 13; len++) {
        struct mt_outgoing out = {.kind = MT_MESSAGE_TEXT, .text = large, .text_len = len};
        const char *name = NULL;
        struct mt_fault fault;
        struct mt_buf buf;
        bool fits = len == MT_RONG_CONTENT_MAX - 14;

        mt_buf_init(&buf, MT_RONG_CONTENT_MAX * 2);
        assert_int_equal(mt_rong_content_write(&out, &buf, &name, &fault),
                         fits ? MT_OK : MT_ERR_LIMIT);
        if (!fits) {
            assert_string_equal(fault.code, "send.too_large");
            assert_int_equal(fault.provider_code, 30016);
        }
        mt_buf_deinit(&buf);
    }
    mt_mem_free(large);
}

int test_content(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_kind_is_read, ground_new, ground_free),
        cmocka_unit_test_setup_teardown(every_kind_is_written_as_it_was, ground_new, ground_free),
        cmocka_unit_test_setup_teardown(what_scripts_for_the_other_cloud_send, ground_new,
                                        ground_free),
        cmocka_unit_test_setup_teardown(what_is_missing_is_named, ground_new, ground_free),
    };

    return cmocka_run_group_tests_name("rongcloud/content", tests, NULL, NULL);
}

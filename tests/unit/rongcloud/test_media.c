/* Attachments: which storages they are sent to, and how; which addresses they are fetched from. */
#include "cloud.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "model/fields.h"
#include "provider/rongcloud/files_int.h"
#include "provider/source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

int test_media(void);

#define LONG_MS 600000
#define SEEN    16

struct depot { /* a cloud, and a storage beside it */
    struct cloud cloud;
    struct mt_ws_server *storage;
    char dir[64], flags[512];
    int status;        /* of the storage's answers; 0: 200 */
    int refuse_n;      /* that many first */
    const char *token; /* that the cloud gives */
    const char *url;   /* where it says that the file is; NULL: at the storage */
    bool no_answer;    /* to qnTkn: bytes that are none */
    struct {
        char line[256], type[128], authorization[64], disposition[128];
        char body[2048];
        size_t len;
    } seen[SEEN];
    size_t seen_n;
    char asked[8][512]; /* payloads of qnTkn and of addresses */
    char topics[8][16];
    size_t asked_n;
    struct mt_arena *arena;
    struct mt_value attachment;
    int64_t bytes, told;
    char sha256[65];
};

static struct depot *depot_of(struct cloud *cloud)
{
    return (struct depot *)cloud;
}

static void on_request(void *ud, struct mt_ws_exchange *exchange,
                       const struct mt_ws_request *request)
{
    struct depot *depot = ud;
    struct mt_ws_answer answer = {.status = depot->status != 0 ? depot->status : 200,
                                  .body = "what was kept",
                                  .body_len = 13};
    size_t i = depot->seen_n++;

    assert_true(depot->seen_n <= SEEN);
    snprintf(depot->seen[i].line, sizeof depot->seen[i].line, "%s %s%s%s", request->method,
             request->path, request->query[0] != '\0' ? "?" : "", request->query);
    snprintf(depot->seen[i].type, sizeof depot->seen[i].type, "%s", request->content_type);
    snprintf(depot->seen[i].authorization, sizeof depot->seen[i].authorization, "%s",
             request->authorization);
    snprintf(depot->seen[i].disposition, sizeof depot->seen[i].disposition, "%s",
             mt_ws_request_header(request, "Content-Disposition"));
    depot->seen[i].len = request->body_len;
    snprintf(depot->seen[i].body, sizeof depot->seen[i].body, "%.*s", (int)request->body_len,
             (const char *)request->body);
    if (depot->refuse_n > 0) {
        depot->refuse_n--;
        answer.status = 403;
    }
    mt_ws_answer(exchange, &answer);
}

static bool is_topic(const struct mt_rong_frame *frame, const char *topic)
{
    return frame->topic.len == strlen(topic) &&
           memcmp(frame->topic.s, topic, frame->topic.len) == 0;
}

static char *unconst(const char *s)
{
    return (char *)(uintptr_t)s;
}

static void give_token(struct depot *depot, struct mt_ws_peer *peer,
                       const struct mt_rong_frame *frame)
{
    static const char bucket[] = "bkt", sign[] = "AWS4 x", hash[] = "UNSIGNED", date[] = "20300101";
    Rongcloud__GetQNupTokenOutput out = RONGCLOUD__GET_QNUP_TOKEN_OUTPUT__INIT;
    uint8_t bytes[512];

    out.token = unconst(depot->token);
    out.miniobucketname = unconst(bucket);
    out.minioauthorization = unconst(sign);
    out.miniocontentsha256 = unconst(hash);
    out.miniodate = unconst(date);
    assert_true(rongcloud__get_qnup_token_output__get_packed_size(&out) <= sizeof bytes);
    cloud_queryack(&depot->cloud, peer, frame->id, 0, depot->no_answer ? "\xff" : (char *)bytes,
                   depot->no_answer ? 1 : rongcloud__get_qnup_token_output__pack(&out, bytes));
}

static void give_url(struct depot *depot, struct mt_ws_peer *peer,
                     const struct mt_rong_frame *frame)
{
    Rongcloud__GetDownloadUrlOutput out = RONGCLOUD__GET_DOWNLOAD_URL_OUTPUT__INIT;
    uint8_t bytes[512];
    char url[128];

    snprintf(url, sizeof url, "http://127.0.0.1:%u/kept/1",
             (unsigned)mt_ws_server_port(depot->storage));
    out.downloadurl = depot->url != NULL ? unconst(depot->url) : url;
    cloud_queryack(&depot->cloud, peer, frame->id, 0, bytes,
                   rongcloud__get_download_url_output__pack(&out, bytes));
}

static bool answer(struct cloud *cloud, struct mt_ws_peer *peer, const struct mt_rong_frame *frame)
{
    struct depot *depot = depot_of(cloud);
    bool token = is_topic(frame, "qnTkn");

    if (!token && !is_topic(frame, "qnUrl") && !is_topic(frame, "minioUrl"))
        return false;
    assert_true(depot->asked_n < 8);
    snprintf(depot->topics[depot->asked_n], sizeof depot->topics[0], "%.*s", (int)frame->topic.len,
             frame->topic.s);
    snprintf(depot->asked[depot->asked_n++], sizeof depot->asked[0], "%.*s",
             (int)frame->payload_len, (const char *)frame->payload);
    if (token)
        give_token(depot, peer, frame);
    else
        give_url(depot, peer, frame);
    return true;
}

/* storages: what ossConfig says, %u: the storage's port. NULL: nothing. */
static void begin(struct depot *depot, const char *storages)
{
    static const struct mt_ws_server_handlers handlers = {.request = on_request};
    struct mt_ws_server_options options = {.host = "127.0.0.1"};
    unsigned port = 0;

    memset(depot, 0, sizeof *depot);
    cloud_begin(&depot->cloud, NULL);
    depot->cloud.answer = answer;
    depot->token = "tok";
    snprintf(depot->dir, sizeof depot->dir, "/tmp/moontide-media-XXXXXX");
    assert_non_null(mkdtemp(depot->dir));
    assert_int_equal(
        mt_ws_server_new(depot->cloud.loop, &options, &handlers, depot, &depot->storage, NULL),
        MT_OK);
    port = mt_ws_server_port(depot->storage);
    for (const char *p = storages; p != NULL && *p != '\0'; p++) {
        size_t len = strlen(depot->flags);

        if (*p == '#')
            snprintf(depot->flags + len, sizeof depot->flags - len, "127.0.0.1:%u", port);
        else
            snprintf(depot->flags + len, sizeof depot->flags - len, "%s%c", *p == '"' ? "\\" : "",
                     *p);
    }
    if (storages != NULL) {
        char text[400];

        snprintf(text, sizeof text, "%.*s", (int)sizeof text - 1, depot->flags);
        snprintf(depot->flags, sizeof depot->flags, "\"ossConfig\":\"%s\"", text);
        depot->cloud.flags = depot->flags;
    }
    depot->arena = mt_arena_new((size_t)1 << 20);
    assert_non_null(depot->arena);
}

static void end(struct depot *depot)
{
    char **names = NULL;
    size_t n = 0;
    char path[512];

    cloud_end(&depot->cloud);
    mt_arena_free(depot->arena);
    assert_int_equal(mt_fs_list(depot->dir, &names, &n), 0);
    for (size_t i = 0; i < n; i++) {
        snprintf(path, sizeof path, "%s/%s", depot->dir, names[i]);
        assert_int_equal(mt_fs_unlink(path), 0);
    }
    mt_mem_free(names);
    assert_int_equal(mt_fs_rmdir(depot->dir), 0);
}

static void finish(struct depot *depot)
{
    mt_ws_server_free(depot->storage);
    depot->storage = NULL;
    end(depot);
}

static bool is_idle(struct cloud *cloud)
{
    return cloud->waiting == 0;
}

static void note(struct depot *depot, enum mt_rc rc, const struct mt_fault *fault)
{
    depot->cloud.waiting--;
    depot->cloud.rc = rc;
    depot->cloud.fault = (struct mt_fault){.kind = MT_OK};
    if (rc != MT_OK)
        depot->cloud.fault = *fault;
}

static void uploaded(void *ud, enum mt_rc rc, const struct mt_fault *fault)
{
    note(ud, rc, fault);
}

static void on_progress(void *ud, int64_t done_bytes, int64_t total_bytes)
{
    (void)total_bytes;
    ((struct depot *)ud)->told = done_bytes;
}

static void upload(struct depot *depot, const struct mt_upload *what)
{
    struct mt_conversation_ref to = {.kind = MT_CONVERSATION_SINGLE, .target = "bob"};

    depot->cloud.waiting++;
    assert_int_equal(mt_rong_upload(depot->cloud.account, &to, what, depot->arena,
                                    &depot->attachment, on_progress, uploaded, depot, NULL),
                     MT_OK);
    cloud_run(&depot->cloud, is_idle, LONG_MS);
}

static const char *text(const struct depot *depot, const char *key)
{
    const struct mt_value *v = mt_value_get(&depot->attachment, key);

    return v != NULL && v->type == MT_VALUE_STR ? v->s : "";
}

/* ---------------------------------------------------------------- uploads */

#define QINIU "[{\"qiniu\":\"http://#/up\",\"p\":\"1\"}]"

static void a_file_goes_into_a_form(void **state)
{
    struct depot depot;
    struct mt_upload what = {.data = "abc", .len = 3, .filename = "a.png"};
    const char *body = NULL;

    (void)state;
    begin(&depot, QINIU);
    upload(&depot, &what);
    assert_int_equal(depot.cloud.rc, MT_OK);
    assert_int_equal(depot.seen_n, 1);
    assert_string_equal(depot.seen[0].line, "POST /up");
    assert_non_null(strstr(depot.seen[0].type, "multipart/form-data; boundary="));
    body = depot.seen[0].body;
    assert_non_null(strstr(body, "name=\"token\"\r\n\r\ntok\r\n"));
    assert_non_null(strstr(body, "name=\"key\"\r\n\r\n1__RC-"));
    assert_non_null(strstr(body, "filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\nabc\r\n"));
    assert_true(strstr(body, "name=\"key\"") < strstr(body, "name=\"file\""));
    /* asked for a picture of one KiB, then for its address */
    assert_int_equal(depot.asked_n, 2);
    assert_string_equal(depot.topics[0], "qnTkn");
    assert_memory_equal(depot.asked[0], "\x08\x01\x12", 3);
    assert_string_equal(depot.topics[1], "qnUrl");
    assert_non_null(strstr(text(&depot, "remote_path"), "/kept/1"));
    assert_string_equal(text(&depot, "filename"), "a.png");
    assert_string_equal(text(&depot, "file_type"), "png");
    assert_string_equal(text(&depot, "thumbnail_base64"), "YWJj");
    assert_int_equal(mt_value_get(&depot.attachment, "size_bytes")->i, 3);
    finish(&depot);
}

static void the_next_storage_takes_it(void **state)
{
    struct depot depot;
    char path[128];
    struct mt_upload what = {.path = path};

    (void)state;
    begin(&depot, "[{\"minio\":\"http://#\",\"p\":\"2\"},{\"qiniu\":\"http://#/up\",\"p\":\"1\"},"
                  "{\"stc\":\"x\",\"p\":\"0\"}]");
    snprintf(path, sizeof path, "%s/report.txt", depot.dir);
    assert_int_equal(mt_fs_replace(path, "hello", 5), 0);
    depot.refuse_n = 1;
    upload(&depot, &what);
    assert_int_equal(depot.cloud.rc, MT_OK);
    assert_int_equal(depot.seen_n, 2);
    assert_string_equal(depot.seen[0].line, "POST /up");
    assert_memory_equal(depot.seen[1].line, "PUT /bkt/4__RC-", 15);
    assert_string_equal(depot.seen[1].body, "hello");
    assert_string_equal(depot.seen[1].authorization, "AWS4 x");
    assert_string_equal(depot.seen[1].type, "text/plain");
    assert_string_equal(depot.seen[1].disposition, "attachment; filename=report.txt;");
    assert_string_equal(depot.topics[1], "minioUrl");
    assert_string_equal(text(&depot, "thumbnail_base64"), "");
    depot.refuse_n = 2;
    upload(&depot, &what);
    assert_string_equal(depot.cloud.fault.code, "upload.failed");
    assert_int_equal(depot.cloud.fault.http_status, 403);
    finish(&depot);
}

static void what_cannot_be_uploaded(void **state)
{
    struct depot depot;
    char path[128];
    struct mt_upload what = {.path = path};
    struct mt_upload few = {.data = "abc", .len = 3};

    (void)state;
    begin(&depot, QINIU);
    snprintf(path, sizeof path, "%s/none", depot.dir);
    upload(&depot, &what);
    assert_string_equal(depot.cloud.fault.code, "file.missing");
    snprintf(path, sizeof path, "%s", depot.dir);
    upload(&depot, &what);
    assert_string_equal(depot.cloud.fault.code, "file.kind");
    few.len = 0;
    upload(&depot, &few);
    assert_string_equal(depot.cloud.fault.code, "file.empty");
    assert_int_equal(depot.asked_n, 0);
    few.len = 3;
    depot.token = "two\r\nlines: of a header";
    upload(&depot, &few);
    assert_string_equal(depot.cloud.fault.code, "upload.answer");
    depot.no_answer = true;
    upload(&depot, &few);
    assert_string_equal(depot.cloud.fault.code, "upload.answer");
    depot.no_answer = false;
    depot.token = "tok";
    depot.url = "file:///etc/passwd";
    upload(&depot, &few);
    assert_string_equal(depot.cloud.fault.code, "upload.answer");
    depot.status = 413;
    upload(&depot, &few);
    assert_string_equal(depot.cloud.fault.code, "upload.too_large");
    finish(&depot);

    begin(&depot, NULL);
    upload(&depot, &few);
    assert_string_equal(depot.cloud.fault.code, "upload.no_storage");
    finish(&depot);
}

/* Those whose names a test cannot resolve. */
static void forms_of_other_storages(void **state)
{
    static char id[] = "key id", policy[] = "pol", sign[] = "sig", bucket[] = "bkt",
                word[] = "word", bad[] = "a.b@c";
    static const struct {
        enum mt_rong_storage_kind kind;
        const char *url, *part;
    } cases[] = {
        {MT_RONG_ALIYUN, "https://bkt.oss.example.com", "name=\"OSSAccessKeyId\"\r\n\r\nkey id"},
        {MT_RONG_S3, "https://bkt.oss.example.com", "name=\"x-amz-signature\"\r\n\r\nsig"},
    };
    Rongcloud__GetQNupTokenOutput token = RONGCLOUD__GET_QNUP_TOKEN_OUTPUT__INIT;
    struct mt_upload what = {.data = "abc", .len = 3, .filename = "a.bin"};
    struct mt_rong_post post;
    struct mt_source source;
    struct mt_secret *signature = NULL;
    struct mt_buf head, tail;

    (void)state;
    token.token = word;
    token.osskeyid = id;
    token.osspolicy = policy;
    token.osssign = sign;
    token.s3credential = token.s3algorithm = token.s3date = token.s3policy = word;
    token.s3signature = sign;
    token.ossbucketname = token.s3bucketname = bucket;
    assert_true(mt_source_init(&source, &what));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct mt_rong_storage storage = {.kind = cases[i].kind, .host = "oss.example.com"};

        mt_buf_init(&head, 65536);
        mt_buf_init(&tail, 65536);
        assert_int_equal(mt_rong_post_pack(&storage, &token, "k1", &source, &head, &tail,
                                           &signature, &post, NULL),
                         MT_OK);
        assert_string_equal(post.request.method, "POST");
        assert_string_equal(post.request.url, cases[i].url);
        assert_non_null(strstr(head.data, cases[i].part));
        assert_non_null(strstr(head.data, "name=\"key\"\r\n\r\nk1"));
        mt_buf_deinit(&head);
        mt_buf_deinit(&tail);
        token.ossbucketname = token.s3bucketname = bad; /* another host, if it were taken */
        mt_buf_init(&head, 65536);
        mt_buf_init(&tail, 65536);
        assert_int_equal(mt_rong_post_pack(&storage, &token, "k1", &source, &head, &tail,
                                           &signature, &post, NULL),
                         MT_ERR_PROTOCOL);
        mt_buf_deinit(&head);
        mt_buf_deinit(&tail);
        token.ossbucketname = token.s3bucketname = bucket;
    }
    mt_source_deinit(&source);
}

/* ---------------------------------------------------------------- downloads */

static void downloaded(void *ud, enum mt_rc rc, const struct mt_downloaded *result,
                       const struct mt_fault *fault)
{
    struct depot *depot = ud;

    note(depot, rc, fault);
    depot->bytes = rc == MT_OK ? result->bytes : 0;
    snprintf(depot->sha256, sizeof depot->sha256, "%s", rc == MT_OK ? result->sha256 : "");
}

/* The code of the fault, "" if there is none. */
static const char *download(struct depot *depot, const char *key, const char *value, bool thumbnail,
                            const char *name)
{
    struct mt_field fields[2] = {{key, mt_value_of_str(value)},
                                 {"size_bytes", {.type = MT_VALUE_INT, .i = 13}}};
    struct mt_value body = {.type = MT_VALUE_MAP, .fields = fields, .fields_n = 2};
    char path[256];
    struct mt_download what = {.body = &body, .path = path, .thumbnail = thumbnail};

    snprintf(path, sizeof path, "%s/%s", depot->dir, name);
    depot->cloud.waiting++;
    assert_int_equal(
        mt_rong_download(depot->cloud.account, &what, on_progress, downloaded, depot, NULL), MT_OK);
    cloud_run(&depot->cloud, is_idle, LONG_MS);
    return depot->cloud.fault.code;
}

static void read_back(const struct depot *depot, const char *name, const char *want)
{
    char path[256];
    char *data = NULL;
    size_t len = 0;

    snprintf(path, sizeof path, "%s/%s", depot->dir, name);
    assert_int_equal(mt_fs_read_all(path, 4096, &data, &len), 0);
    assert_string_equal(data, want);
    mt_mem_free(data);
}

static void what_the_storage_has_is_fetched(void **state)
{
    struct depot depot;
    char url[128];

    (void)state;
    begin(&depot, QINIU);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/kept/1?sig=x#y",
             (unsigned)mt_ws_server_port(depot.storage));
    assert_string_equal(download(&depot, "remote_path", url, false, "one"), "");
    assert_string_equal(depot.seen[0].line, "GET /kept/1?sig=x");
    assert_string_equal(depot.seen[0].authorization, "");
    assert_int_equal(depot.bytes, 13);
    read_back(&depot, "one", "what was kept");
    assert_string_equal(download(&depot, "remote_path", url, false, "one"), "file.exists");
    depot.status = 404;
    assert_string_equal(download(&depot, "url", url, false, "two"), "download.gone");
    depot.status = 403;
    assert_string_equal(download(&depot, "url", url, false, "two"), "download.forbidden");
    depot.status = 302;
    assert_string_equal(download(&depot, "url", url, false, "two"), "download.failed");
    size_t n = depot.seen_n;
    snprintf(url, sizeof url, "http://127.0.0.1:%u/kept/1",
             (unsigned)mt_ws_server_port(depot.cloud.server)); /* another door of this machine */
    assert_string_equal(download(&depot, "url", url, false, "two"), "download.foreign");
    assert_string_equal(download(&depot, "url", "https://example.com/1", false, "two"),
                        "download.foreign");
    assert_int_equal(depot.seen_n, n);
    finish(&depot);
}

static void what_the_message_holds_is_written(void **state)
{
    struct depot depot;

    (void)state;
    begin(&depot, NULL);
    assert_string_equal(download(&depot, "data_base64", "IyFBTVI=", false, "v.amr"), "");
    read_back(&depot, "v.amr", "#!AMR");
    assert_int_equal(depot.bytes, 5);
    assert_string_equal(download(&depot, "thumbnail_base64", "YWJj", true, "t"), "");
    read_back(&depot, "t", "abc");
    assert_string_equal(depot.sha256,
                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_string_equal(download(&depot, "thumbnail_base64", "YWJj", true, "t"), "file.exists");
    assert_string_equal(download(&depot, "thumbnail_base64", "YWJj", false, "u"), "download.none");
    assert_string_equal(download(&depot, "data_base64", "****", false, "u"), "download.none");
    assert_string_equal(download(&depot, "data_base64", "", false, "u"), "download.none");
    finish(&depot);
}

static void which_addresses_are_asked(void **state)
{
    static const char *const hosts[] = {"one.example.net", "*.files.example.org", NULL};
    static const char *const bad[] = {"a/b", NULL};
    static const struct {
        const char *url, *want; /* NULL: none */
    } cases[] = {
        {"https://up.example.com/a?b=c", "https://up.example.com/a?b=c"},
        {"http://bucket.up.example.com/a", "https://bucket.up.example.com/a"},
        {"HTTPS://UP.example.com/a", "https://UP.example.com/a"},
        {"https://evilup.example.com/a", NULL},
        {"https://up.example.com.evil.net/a", NULL},
        {"https://up.example.com:8443/a", NULL},
        {"https://user@up.example.com/a", NULL},
        {"https://evil.net\\@up.example.com/a", NULL},
        {"https://evil.net/?up.example.com", NULL},
        {"ftp://up.example.com/a", NULL},
        {"//up.example.com/a", NULL},
        {"https:///a", NULL},
        {"https://up.example.com/a b", NULL},
        {"http://127.0.0.1:8088/a", "http://127.0.0.1:8088/a"},
        {"http://127.0.0.1:22/a", NULL},
        {"http://x.127.0.0.1:8088/a", NULL},
        {"http://127.0.0.1/a", NULL},
        {"http://[::1]:8088/a", NULL},
        {"https://one.example.net/x", "https://one.example.net/x"},
        {"https://two.one.example.net/x", NULL},
        {"https://a.files.example.org/x", "https://a.files.example.org/x"},
        {"https://files.example.org/x", "https://files.example.org/x"},
        {"https://myfiles.example.org/x", NULL},
    };
    struct depot depot;
    struct mt_provider_account *account = NULL;
    struct mt_fault fault;
    char out[MT_RONG_URL_MAX];

    (void)state;
    begin(&depot, NULL);
    account = depot.cloud.account;
    account->navi.storages = mt_mem_calloc(1, sizeof *account->navi.storages);
    assert_non_null(account->navi.storages);
    mt_rong_storages_read("[{\"qiniu\":\"up.example.com\",\"p\":1},{\"s3\":\"bad host\"},"
                          "{\"minio\":\"http://127.0.0.1:8088/x\"},7,{\"new\":\"y\"}]",
                          account->navi.storages);
    assert_int_equal(account->navi.storages->n, 2);
    assert_int_equal(mt_rong_media_hosts_set(account, hosts, &fault), MT_OK);
    assert_int_equal(mt_rong_media_hosts_set(account, bad, &fault), MT_ERR_INVALID);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        enum mt_rc rc = mt_rong_media_url(account, cases[i].url, out, &fault);

        if (cases[i].want == NULL) {
            if (rc == MT_OK)
                fail_msg("%s is asked", cases[i].url);
            assert_string_equal(fault.code, "download.foreign");
        } else {
            if (rc != MT_OK)
                fail_msg("%s is not asked", cases[i].url);
            assert_string_equal(out, cases[i].want);
        }
    }
    mt_rong_media_learn(account, "https://cdn.example.info/a");
    assert_int_equal(mt_rong_media_url(account, "https://cdn.example.info/b", out, &fault), MT_OK);
    finish(&depot);
}

int test_media(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_goes_into_a_form),
        cmocka_unit_test(the_next_storage_takes_it),
        cmocka_unit_test(what_cannot_be_uploaded),
        cmocka_unit_test(forms_of_other_storages),
        cmocka_unit_test(what_the_storage_has_is_fetched),
        cmocka_unit_test(what_the_message_holds_is_written),
        cmocka_unit_test(which_addresses_are_asked),
    };

    return cmocka_run_group_tests_name("rongcloud/media", tests, NULL, NULL);
}

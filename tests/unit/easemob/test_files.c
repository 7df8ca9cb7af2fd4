/* Uploads and downloads against scripted answers: what is asked, what is made of each answer, and
 * that a parted upload is taken back when it cannot be completed. */
#include "world.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "provider/easemob/files_int.h"
#include "provider/live.h"

#include "msync.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

int test_files(void);

#define UUID     "5fd74830-58b9-11ee-0000-000000000001"
#define UPLOADED "{\"entities\":[{\"uuid\":\"" UUID "\",\"share-secret\":\"hush\"}]}"
#define REMOTE   "https://elsewhere.example/org/app/chatfiles/" UUID
#define TOKEN    "{\"access_token\":\"t2\",\"expires_in\":5000,\"user\":{\"username\":\"alice\"}}"

struct cloud {
    int refuse_401; /* so many requests but logins */
    int refuse_puts;
    int init_status;
    const char *init;
    int put_status;
    int end_status;
    const char *end; /* of plain uploads too */
    int get_status;
    const char *get;
    char secret[64]; /* header of the last download */
    size_t put_n;
    char dir[64];
    char path[96];
    struct mt_arena *arena;
    struct mt_value attachment;
    int64_t moved;
    bool cancel_on_put;
    struct mt_provider_call *call;
    int64_t bytes;
};

static void answer(struct world *world, const struct mt_ws_request *request,
                   struct mt_ws_answer *out)
{
    struct cloud *cloud = world->ud;
    bool parts = strstr(request->path, "part-upload") != NULL;

    if (strstr(request->path, "/token") != NULL) {
        world_reply(out, 200, TOKEN);
    } else if (strcmp(request->method, "PUT") == 0 && cloud->refuse_puts > 0) {
        cloud->refuse_puts--;
        world_reply(out, 401, "{\"error\":\"unauthorized\",\"error_description\":\"expired\"}");
    } else if (cloud->refuse_401 > 0) {
        cloud->refuse_401--;
        world_reply(out, 401, "{\"error\":\"unauthorized\",\"error_description\":\"expired\"}");
    } else if (strcmp(request->method, "GET") == 0) {
        snprintf(cloud->secret, sizeof cloud->secret, "%s",
                 mt_ws_request_header(request, "share-secret"));
        world_reply(out, cloud->get_status, cloud->get);
    } else if (strcmp(request->method, "PUT") == 0) {
        cloud->put_n++;
        if (cloud->cancel_on_put) {
            cloud->cancel_on_put = false;
            mt_provider_easemob.cancel(cloud->call);
        }
        world_reply(out, cloud->put_status, "{}");
    } else if (parts && strstr(request->path, UUID) == NULL) {
        world_reply(out, cloud->init_status, cloud->init);
    } else if (strcmp(request->method, "POST") == 0) {
        world_reply(out, cloud->end_status, cloud->end);
    }
}

static void begin(struct world *world, struct cloud *cloud, size_t file_bytes)
{
    FILE *f = NULL;

    *cloud = (struct cloud){.init_status = 200,
                            .init = UPLOADED,
                            .put_status = 200,
                            .end_status = 200,
                            .end = UPLOADED,
                            .get_status = 200,
                            .get = "bytes"};
    world_init(world, answer);
    world->ud = cloud;
    world_open(world, "alice", NULL, "pw", NULL);
    strcpy(cloud->dir, "/tmp/moontide-files-XXXXXX");
    assert_non_null(mkdtemp(cloud->dir));
    snprintf(cloud->path, sizeof cloud->path, "%s/a b.bin", cloud->dir);
    f = fopen(cloud->path, "wb");
    assert_int_equal(ftruncate(fileno(f), (off_t)file_bytes), 0);
    fclose(f);
    cloud->arena = mt_arena_new(1 << 16);
}

static void end(struct world *world, struct cloud *cloud)
{
    world_deinit(world);
    mt_arena_free(cloud->arena);
    unlink(cloud->path);
    assert_int_equal(rmdir(cloud->dir), 0); /* nothing else was left */
}

static void on_progress(void *ud, int64_t done, int64_t total)
{
    struct world *world = ud;
    struct cloud *cloud = world->ud;

    assert_true(done <= total);
    cloud->moved = done;
}

static void upload(struct world *world, const struct mt_upload *given)
{
    struct cloud *cloud = world->ud;
    struct mt_conversation_ref bob = {.kind = MT_CONVERSATION_GROUP, .target = "1 2"};
    struct mt_upload what = {.path = cloud->path};

    world->seen_n = 0;
    cloud->put_n = 0;
    mt_arena_reset(cloud->arena);
    world->waiting++;
    assert_int_equal(mt_provider_easemob.live->upload(
                         world->account, &bob, given != NULL ? given : &what, cloud->arena,
                         &cloud->attachment, on_progress, world_done, world, &cloud->call),
                     MT_OK);
    world_run(world);
}

static const char *attached(const struct cloud *cloud, const char *key)
{
    const struct mt_value *v = mt_value_get(&cloud->attachment, key);
    return v != NULL && v->type == MT_VALUE_STR ? v->s : "";
}

static void expect_fault(const struct world *world, enum mt_rc rc, const char *code, int type)
{
    if (world->rc != rc || strcmp(world->fault.code, code) != 0)
        fail_msg("%s: %s", world->fault.code, world->fault.message);
    assert_int_equal(world->fault.provider_code, type);
}

static void in_one_request(void **state)
{
    struct world world;
    struct cloud cloud;
    char base[64];
    char remote[200];

    (void)state;
    begin(&world, &cloud, 5000);
    cloud.refuse_401 = 1; /* the token has ended meanwhile: renewed, and sent again */
    upload(&world, NULL);
    assert_int_equal(world.rc, MT_OK);
    assert_int_equal(
        world_count(&world, "POST /org/app/chatfiles?chat-type=GROUP&chat-target=1%202"), 2);
    world_base(&world, base, sizeof base);
    snprintf(remote, sizeof remote, "%s/org/app/chatfiles/" UUID, base);
    assert_string_equal(attached(&cloud, "remote_path"), remote);
    assert_string_equal(attached(&cloud, "secret"), "hush");
    assert_string_equal(attached(&cloud, "filename"), "a b.bin");
    assert_int_equal(mt_value_get(&cloud.attachment, "size_bytes")->i, 5000);

    upload(&world, &(struct mt_upload){
                       .data = "xyz", .len = 3, .filename = "n.PNG", .thumbnail_width = 90});
    assert_int_equal(world.rc, MT_OK);
    const char *body = world.seen[0].body;
    assert_non_null(
        strstr(body, "name=\"file\"; filename=\"n.PNG\"\r\nContent-Type: image/png\r\n"));
    assert_non_null(strstr(body, "\r\n\r\nxyz\r\n--"));
    assert_non_null(strstr(body, "name=\"thumbnail-width\"\r\n\r\n90\r\n"));

    cloud.end_status = 413;
    upload(&world, NULL);
    expect_fault(&world, MT_ERR_LIMIT, "upload.too_large", 101);
    cloud.end_status = 200;
    static const char *const nonsense[] = {"{}",
                                           "[]",
                                           "",
                                           "{\"entities\":[]}",
                                           "{\"entities\":[{\"uuid\":\"../../token\"}]}",
                                           "{\"entities\":[{\"uuid\":\"" UUID
                                           "\",\"share-secret\":\"a\\r\\nX: 1\"}]}"};
    for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++) {
        cloud.end = nonsense[i];
        upload(&world, NULL);
        expect_fault(&world, MT_ERR_PROTOCOL, "upload.answer", 101);
    }
    unlink(cloud.path);
    upload(&world, NULL);
    expect_fault(&world, MT_ERR_NOT_FOUND, "file.missing", 0);
    assert_int_equal(world.seen_n, 0);
    end(&world, &cloud);
}

static void in_parts(void **state)
{
    struct world world;
    struct cloud cloud;

    (void)state;
    begin(&world, &cloud, 7864320); /* 1.5 parts: still in one */
    upload(&world, NULL);
    assert_int_equal(world.rc, MT_OK);
    assert_int_equal(world_count(&world, "part-upload"), 0);
    assert_int_equal(truncate(cloud.path, 32 << 20), 0);
    cloud.refuse_puts = 3;
    upload(&world, NULL);
    assert_int_equal(world.rc, MT_OK);
    assert_int_equal(cloud.put_n, 7); /* but those that were refused */
    assert_int_equal(cloud.moved, 32 << 20);
    assert_int_equal(world_count(&world, "POST /org/app/sdk/chatfiles/part-upload/" UUID
                                         "?restrict-access=true&chat-type=GROUP&chat-target=1%202"),
                     1);
    assert_int_equal(world_count(&world, "DELETE"), 0);

    cloud.init = "{\"entities\":[{\"uuid\":\"" UUID "\",\"part_lower_limit\":16777216,"
                 "\"file_upper_limit\":33554432}]}";
    upload(&world, NULL);
    assert_int_equal(world.rc, MT_OK);
    assert_int_equal(cloud.put_n, 2);

    cloud.init = "{\"entities\":[{\"uuid\":\"" UUID "\",\"file_upper_limit\":33554431}]}";
    upload(&world, NULL);
    expect_fault(&world, MT_ERR_LIMIT, "upload.too_large", 101);
    assert_int_equal(cloud.put_n, 0);

    cloud.init = "{\"entities\":[{\"uuid\":\"no id/\"}]}"; /* then as if there were no parts */
    upload(&world, NULL);
    assert_int_equal(world.rc, MT_OK);
    assert_int_equal(world_count(&world, "POST /org/app/chatfiles?"), 1);
    cloud.init_status = 403;
    upload(&world, NULL);
    assert_int_equal(world.rc, MT_OK);
    assert_int_equal(world_count(&world, "POST /org/app/chatfiles?"), 1);
    end(&world, &cloud);
}

/* What comes after the end of the call. */
static void wait_for(struct world *world, const char *line)
{
    mt_timer_start(world->guard, 20000, 0);
    while (world_count(world, line) == 0)
        (void)mt_loop_turn(world->loop);
    mt_timer_stop(world->guard);
    assert_int_equal(world_count(world, line), 1);
}

static void what_is_begun_is_taken_back(void **state)
{
    struct world world;
    struct cloud cloud;

    (void)state;
    begin(&world, &cloud, 32 << 20);
    cloud.put_status = 400;
    upload(&world, NULL);
    expect_fault(&world, MT_ERR_INVALID, "request.refused", 17);
    wait_for(&world, "DELETE /org/app/sdk/chatfiles/part-upload/" UUID);

    cloud.put_status = 200;
    cloud.end_status = 413;
    upload(&world, NULL);
    expect_fault(&world, MT_ERR_LIMIT, "upload.too_large", 101);
    wait_for(&world, "DELETE");
    cloud.end_status = 200;
    cloud.cancel_on_put = true;
    upload(&world, NULL);
    assert_int_equal(world.rc, MT_ERR_CANCELLED);
    wait_for(&world, "DELETE");
    world.seen_n = 0;
    upload(&world, NULL); /* and the next one is none the worse for it */
    assert_int_equal(world.rc, MT_OK);
    end(&world, &cloud);
}

/* The account is closed while parts are on their way. */
static void closed_in_the_middle(void **state)
{
    struct mt_conversation_ref bob = {.kind = MT_CONVERSATION_SINGLE, .target = "bob"};
    struct world world;
    struct cloud cloud;

    (void)state;
    begin(&world, &cloud, 32 << 20);
    struct mt_upload what = {.path = cloud.path};
    world.waiting++;
    assert_int_equal(mt_provider_easemob.live->upload(world.account, &bob, &what, cloud.arena,
                                                      &cloud.attachment, on_progress, world_done,
                                                      &world, &cloud.call),
                     MT_OK);
    mt_timer_start(world.guard, 20000, 0);
    while (cloud.put_n == 0)
        (void)mt_loop_turn(world.loop);
    mt_timer_stop(world.guard);
    mt_provider_easemob.close(world.account);
    world.account = NULL;
    assert_int_equal(world.rc, MT_ERR_CANCELLED);
    end(&world, &cloud);
}

/* ---------------------------------------------------------------- downloads */

static void on_downloaded(void *ud, enum mt_rc rc, const struct mt_downloaded *downloaded,
                          const struct mt_fault *fault)
{
    struct world *world = ud;

    assert_true((rc == MT_OK) == (downloaded != NULL));
    ((struct cloud *)world->ud)->bytes = downloaded != NULL ? downloaded->bytes : -1;
    world_done(ud, rc, fault);
}

static void download(struct world *world, const char *remote, const char *secret, int64_t size,
                     bool thumbnail)
{
    struct cloud *cloud = world->ud;
    struct mt_field fields[3] = {{.key = "remote_path"}, {.key = "secret"}, {.key = "size_bytes"}};
    struct mt_value body = {.type = MT_VALUE_MAP, .fields = fields, .fields_n = 3};
    char path[128];
    struct mt_download what = {.body = &body, .path = path, .thumbnail = thumbnail};

    fields[0].value = (struct mt_value){.type = MT_VALUE_STR, .s = remote, .len = strlen(remote)};
    fields[1].value = (struct mt_value){.type = MT_VALUE_STR, .s = secret, .len = strlen(secret)};
    fields[2].value = (struct mt_value){.type = MT_VALUE_INT, .i = size};
    snprintf(path, sizeof path, "%s/got", cloud->dir);
    world->seen_n = 0;
    world->waiting++;
    assert_int_equal(mt_provider_easemob.live->download(world->account, &what, NULL, on_downloaded,
                                                        world, &cloud->call),
                     MT_OK);
    world_run(world);
    if (world->rc == MT_OK)
        assert_int_equal(unlink(path), 0);
    else
        assert_int_not_equal(access(path, F_OK), 0);
}

static void fetched(void **state)
{
    static const struct {
        int status;
        const char *body;
        enum mt_rc rc;
        const char *code;
        int type;
    } refused[] = {
        {403, "{\"error\":\"x\",\"error_description\":\"chatfile no permission\"}", MT_ERR_DENIED,
         "download.forbidden", 222},
        {404, "{\"error\":\"file_expired\"}", MT_ERR_NOT_FOUND, "download.expired", 223},
        {404, "{\"error\":\"entity_not_found\"}", MT_ERR_NOT_FOUND, "download.gone", 200},
        {410, "", MT_ERR_NOT_FOUND, "download.gone", 200},
        {206, "byt", MT_ERR_DAMAGED, "download.size", 200}, /* nobody asked for a part */
        {400, "{}", MT_ERR_INVALID, "request.refused", 17},
    };
    struct world world;
    struct cloud cloud;

    (void)state;
    begin(&world, &cloud, 1);
    download(&world, REMOTE "?em-redirect=true&share-secret=old", "hush", 5, false);
    assert_int_equal(world.rc, MT_OK);
    assert_int_equal(cloud.bytes, 5);
    assert_string_equal(cloud.secret, "hush");
    /* asked at the account's own host, and without the secret in the address */
    assert_int_equal(world_count(&world, "GET /org/app/chatfiles/" UUID "?em-redirect=true"), 1);
    assert_int_equal(world_count(&world, "secret"), 0);
    download(&world, REMOTE, "", 0, true);
    assert_int_equal(world.rc, MT_OK);
    assert_string_equal(cloud.secret, "");
    assert_int_equal(world_count(&world, "?em-redirect=true&thumbnail=true"), 1);
    download(&world, REMOTE, "hush", 6, false);
    expect_fault(&world, MT_ERR_DAMAGED, "download.size", 200);
    download(&world, REMOTE, "a b", 5, false);
    expect_fault(&world, MT_ERR_INVALID, "download.secret", 0);
    download(&world, "https://cdn.example/cat.png", "", 0, false);
    expect_fault(&world, MT_ERR_UNSUPPORTED, "download.foreign", 0);
    assert_int_equal(world.seen_n, 0);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        cloud.get_status = refused[i].status;
        cloud.get = refused[i].body;
        download(&world, REMOTE, "hush", 5, false);
        expect_fault(&world, refused[i].rc, refused[i].code, refused[i].type);
    }
    end(&world, &cloud);
}

static void addresses(void **state)
{
    static const struct {
        const char *remote;
        const char *path; /* NULL: lies elsewhere */
    } rows[] = {
        {"https://a1.easemob.com/org/app/chatfiles/" UUID, "/org/app/chatfiles/" UUID},
        {"http://xx/easemob-demo/chat.demo_ui/chatfiles/a?vframe=true",
         "/easemob-demo/chat.demo_ui/chatfiles/a"},
        {"https://a1.easemob.com/o%23/a/chatfiles/x#y", "/o%23/a/chatfiles/x"},
        {"https://a1.easemob.com/org/app/chatfiles/", NULL},
        {"https://a1.easemob.com/org/app/chatfiles", NULL},
        {"https://a1.easemob.com/org/app/token", NULL},
        {"https://a1.easemob.com/org/app/chatfiles/a/b", NULL},
        {"https://a1.easemob.com/org/app/chatfiles/..", NULL},
        {"https://a1.easemob.com/../app/chatfiles/a", NULL},
        {"https://a1.easemob.com/org/app/chatfiles/a b", NULL},
        {"https://a1.easemob.com/org//chatfiles/a", NULL},
        {"https://a1.easemob.com/org/app/chatfiles/a\r\nX: 1", NULL},
        {"https://a1.easemob.com/org/app/users/chatfiles", NULL},
        {"https://a1.easemob.com", NULL},
        {"/org/app/chatfiles/a", NULL},
        {"", NULL},
    };
    char out[1024];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool found = mt_em_file_path(rows[i].remote, out, sizeof out);
        if (found != (rows[i].path != NULL) || (found && strcmp(out, rows[i].path) != 0))
            fail_msg("%s: %s", rows[i].remote, found ? out : "elsewhere");
    }
    assert_false(mt_em_file_path(rows[0].remote, out, 20));
}

/* ---------------------------------------------------------------- combined messages */

static void combined(void **state)
{
    Easemob__Pb__Meta meta = EASEMOB__PB__META__INIT;
    const struct mt_message *list[301];
    struct mt_message message = {.kind = MT_MESSAGE_TEXT};
    struct mt_field field = {.key = "level", .value = {.type = MT_VALUE_INT}};
    struct mt_fault fault;
    struct mt_buf out;
    uint8_t raw[64];
    int level = 0;
    unsigned char sum = 0;

    (void)state;
    meta.has_timestamp = meta.has_payload = true;
    meta.timestamp = 1700000000000;
    meta.payload.data = (uint8_t *)(uintptr_t) "abc";
    meta.payload.len = 3;
    message.raw = raw;
    message.raw_len = easemob__pb__meta__pack(&meta, raw);
    for (size_t i = 0; i < 301; i++)
        list[i] = &message;
    mt_buf_init(&out, 1 << 20);
    assert_int_equal(mt_em_combine(NULL, list, 2, &out, &level, &fault), MT_OK);
    assert_int_equal(level, 1);
    size_t n = message.raw_len;
    assert_int_equal(out.len, 2 + 2 * (4 + n) + 1);
    assert_memory_equal(out.data, "cm\0\0\0", 5);
    assert_int_equal((unsigned char)out.data[5], n);
    assert_memory_equal(out.data + 6, raw, n);
    assert_memory_equal(out.data + 10 + n, raw, n);
    for (size_t i = 3; i < out.len - 1; i += 2)
        sum ^= (unsigned char)out.data[i];
    assert_int_equal((unsigned char)out.data[out.len - 1], sum);

    mt_buf_reset(&out);
    assert_int_equal(mt_em_combine(NULL, list, 300, &out, &level, &fault), MT_OK);
    assert_int_equal(mt_em_combine(NULL, list, 301, &out, &level, &fault), MT_ERR_LIMIT);
    assert_string_equal(fault.code, "combine.too_many");
    assert_int_equal(mt_em_combine(NULL, list, 0, &out, &level, &fault), MT_ERR_LIMIT);
    message.kind = MT_MESSAGE_COMBINE;
    message.body = (struct mt_value){.type = MT_VALUE_MAP, .fields = &field, .fields_n = 1};
    field.value.i = 9;
    assert_int_equal(mt_em_combine(NULL, list, 1, &out, &level, &fault), MT_OK);
    assert_int_equal(level, 10);
    for (int64_t deep = 10; deep > 0; deep *= 1000000007) { /* the last is beyond 64 bits */
        field.value.i = deep;
        assert_int_equal(mt_em_combine(NULL, list, 1, &out, &level, &fault), MT_ERR_LIMIT);
        assert_string_equal(fault.code, "combine.too_deep");
        if (deep > INT64_MAX / 1000000007)
            break;
    }
    message.kind = MT_MESSAGE_TEXT;
    message.raw_len--;
    assert_int_equal(mt_em_combine(NULL, list, 1, &out, &level, &fault), MT_ERR_INVALID);
    assert_string_equal(fault.code, "combine.raw");
    mt_buf_deinit(&out);
}

int test_files(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_one_request),
        cmocka_unit_test(in_parts),
        cmocka_unit_test(what_is_begun_is_taken_back),
        cmocka_unit_test(closed_in_the_middle),
        cmocka_unit_test(fetched),
        cmocka_unit_test(addresses),
        cmocka_unit_test(combined),
    };
    return cmocka_run_group_tests_name("files", tests, NULL, NULL);
}

/* Bodies that are files: sent from a file, received into one, and what goes wrong with either. */
#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/secret.h"
#include "codec/hash.h"
#include "tests.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { BIG = 3 * 1024 * 1024 + 17 };

struct place {
    char dir[64];
    char path[96];
    char out[96];
    char *data;
};

static void place_begin(struct place *place, size_t len)
{
    FILE *f = NULL;
    strcpy(place->dir, "/tmp/moontide-http-XXXXXX");
    assert_non_null(mkdtemp(place->dir));
    snprintf(place->path, sizeof place->path, "%s/in", place->dir);
    snprintf(place->out, sizeof place->out, "%s/out", place->dir);
    place->data = malloc(len + 1);
    for (size_t i = 0; i < len; i++) {
        place->data[i] = (char)(i * 2654435761u >> 13);
    }
    f = fopen(place->path, "wb");
    assert_int_equal(fwrite(place->data, 1, len, f), len);
    fclose(f);
}

static void place_end(struct place *place)
{
    unlink(place->path);
    unlink(place->out);
    assert_int_equal(rmdir(place->dir), 0); /* nothing else was left */
    free(place->data);
}

static struct mt_http_file whole(const struct place *place, size_t len)
{
    return (struct mt_http_file){
        .path = place->path, .length = (int64_t)len, .size_bytes = (int64_t)len};
}

static size_t length_of(const char *path)
{
    struct mt_fs_stat st = {0};
    return mt_fs_stat(path, &st) == 0 ? (size_t)st.size_bytes : SIZE_MAX;
}

/* done, with what only a sink has. */
struct stored {
    struct ended e; /* first */
    int64_t bytes;
    char sha256[65];
    int64_t progress_done, progress_total;
    unsigned progress_n;
    bool cancels;
};

static void stored_done(void *ud, enum mt_rc rc, const struct mt_http_response *response,
                        const struct mt_fault *fault)
{
    struct stored *s = ud;
    s->bytes = response->sink_bytes;
    snprintf(s->sha256, sizeof s->sha256, "%s", response->sink_sha256);
    ended_done(&s->e, rc, response, fault);
}

static void on_progress(void *ud, int64_t done, int64_t total)
{
    struct stored *s = ud;
    s->progress_n++;
    s->progress_done = done;
    s->progress_total = total;
    if (s->cancels && s->e.call) {
        mt_http_cancel(s->e.call);
        s->cancels = false;
    }
}

static void start(struct ground *g, struct mt_http_request request, struct stored *s)
{
    struct mt_fault fault = {0};
    bool cancels = s->cancels;
    free(s->e.body);
    *s = (struct stored){.cancels = cancels};
    request.method = request.method ? request.method : "GET";
    request.progress = on_progress;
    assert_int_equal(mt_http_start(g->http, &request, stored_done, s, &s->e.call, &fault), MT_OK);
}

static void run(struct ground *g, const char *path, struct mt_http_request request,
                struct stored *s)
{
    request.url = server_url(g->server, path);
    start(g, request, s);
    mt_loop_run(g->loop);
    assert_int_equal(s->e.done_n, 1);
}

/* ---------------------------------------------------------------- sending */

struct upload {
    const char *data;
    size_t len;
    bool equal;
    char head[4096];
    unsigned refuse_n;
};

static bool take_upload(void *ud, struct peer *peer, const struct request *request)
{
    struct upload *u = ud;
    if (u->refuse_n > 0) {
        u->refuse_n--;
        peer_answer(peer, 500, NULL, "");
        return true;
    }
    u->equal = request->body_len == u->len && memcmp(request->body, u->data, u->len) == 0;
    memcpy(u->head, request->head, sizeof u->head);
    peer_answer(peer, 200, NULL, "{}");
    return true;
}

static void a_file_is_sent(void **state)
{
    static const char *const methods[] = {"POST", "PUT"};
    struct place place;
    struct upload u = {0};
    struct ground g;
    struct stored s = {0};
    (void)state;
    place_begin(&place, BIG);
    ground_begin(&g, NULL, take_upload, &u);
    u.data = place.data;
    u.len = BIG;
    struct mt_http_file file = whole(&place, BIG);
    for (size_t i = 0; i < 2; i++) {
        /* nothing of other requests may stick to it */
        run(&g, "/u", (struct mt_http_request){.method = "POST", .body = "{}", .body_len = 2}, &s);
        run(&g, "/u", (struct mt_http_request){.method = "DELETE"}, &s);
        u.equal = false;
        run(&g, "/u", (struct mt_http_request){.method = methods[i], .file = &file}, &s);
        assert_int_equal(s.e.rc, MT_OK);
        assert_true(u.equal);
        assert_memory_equal(u.head, methods[i], strlen(methods[i]));
        assert_null(strcasestr(u.head, "chunked"));
        assert_null(strcasestr(u.head, "Expect"));
        assert_true(s.progress_n > 5);
        assert_int_equal(s.progress_total, BIG);
        assert_true(s.progress_done <= BIG);
    }
    /* an ordinary request on the same client is none the worse for it */
    u.data = "x";
    u.len = 1;
    run(&g, "/u", (struct mt_http_request){.method = "POST", .body = "x", .body_len = 1}, &s);
    assert_true(u.equal);
    free(s.e.body);
    ground_end(&g);
    place_end(&place);
}

static void a_part_of_a_file_in_its_frame(void **state)
{
    struct place place;
    struct upload u = {0};
    struct ground g;
    struct stored s = {0};
    struct mt_buf head, tail, want;
    char type[MT_HTTP_FORM_TYPE_MAX];
    char header[MT_HTTP_FORM_TYPE_MAX + 32];
    (void)state;
    static const char *const fields[] = {"part_number", "2", NULL};
    place_begin(&place, BIG);
    ground_begin(&g, NULL, take_upload, &u);
    mt_buf_init(&head, 4096);
    mt_buf_init(&tail, 4096);
    mt_buf_init(&want, 8u << 20);
    assert_int_equal(mt_http_form_behind(&head, &tail, type, fields, "file", "a", NULL, NULL),
                     MT_OK);
    assert_true(strstr(head.data, "name=\"part_number\"\r\n\r\n2\r\n--") <
                strstr(head.data, "name=\"file\"; filename=\"a\"\r\n"));
    assert_null(strstr(tail.data, "part_number"));
    mt_buf_reset(&head);
    mt_buf_reset(&tail);
    assert_int_equal(
        mt_http_form(&head, &tail, type, "part_file", "a \"b\"\r\n.bin", "a/b", fields), MT_OK);
    assert_non_null(strstr(head.data, "name=\"part_file\"; filename=\"a %22b%22%0D%0A.bin\"\r\n"
                                      "Content-Type: a/b\r\n\r\n"));
    assert_non_null(strstr(tail.data, "name=\"part_number\"\r\n\r\n2\r\n--"));
    struct mt_http_file file = whole(&place, BIG);
    file.offset = 1000001;
    file.length = 1048576;
    file.head = head.data;
    file.head_len = head.len;
    file.tail = tail.data;
    file.tail_len = tail.len;
    assert_int_equal(mt_buf_append(&want, head.data, head.len), MT_OK);
    assert_int_equal(mt_buf_append(&want, place.data + 1000001, 1048576), MT_OK);
    assert_int_equal(mt_buf_append(&want, tail.data, tail.len), MT_OK);
    u.data = want.data;
    u.len = want.len;
    u.refuse_n = 2; /* a later attempt begins at the beginning */
    snprintf(header, sizeof header, "Content-Type: %s", type);
    const char *const headers[] = {header, NULL};
    quick_backoff(2);
    run(&g, "/u", (struct mt_http_request){.method = "PUT", .file = &file, .headers = headers}, &s);
    assert_int_equal(s.e.rc, MT_OK);
    assert_int_equal(s.e.attempts, 3);
    assert_true(u.equal);
    assert_non_null(strstr(u.head, header));
    mt_buf_deinit(&head);
    mt_buf_deinit(&tail);
    mt_buf_deinit(&want);
    free(s.e.body);
    ground_end(&g);
    place_end(&place);
}

static void a_file_that_is_not_as_it_was(void **state)
{
    struct place place;
    struct upload u = {0};
    struct ground g;
    struct stored s = {0};
    (void)state;
    place_begin(&place, 1000);
    ground_begin(&g, NULL, take_upload, &u);
    struct mt_http_file file = whole(&place, 1000);
    file.size_bytes = file.length = 1001;
    run(&g, "/u", (struct mt_http_request){.method = "POST", .file = &file}, &s);
    assert_int_equal(s.e.rc, MT_ERR_STATE);
    assert_string_equal(s.e.fault.code, "file.changed");
    file = whole(&place, 1000);
    file.mtime_ms = 1;
    run(&g, "/u", (struct mt_http_request){.method = "POST", .file = &file}, &s);
    assert_string_equal(s.e.fault.code, "file.changed");
    file.path = "/nowhere/at/all";
    run(&g, "/u", (struct mt_http_request){.method = "POST", .file = &file}, &s);
    assert_int_equal(s.e.rc, MT_ERR_NOT_FOUND);
    assert_string_equal(s.e.fault.code, "fs.enoent");
    assert_int_equal(server_requests(g.server), 0);
    struct mt_http_request bad = {.method = "GET", .url = "http://127.0.0.1/", .file = &file};
    struct mt_fault fault = {0};
    assert_int_equal(mt_http_start(g.http, &bad, ended_done, NULL, NULL, &fault), MT_ERR_INVALID);
    free(s.e.body);
    ground_end(&g);
    place_end(&place);
}

/* ---------------------------------------------------------------- receiving */

struct shown {
    const char *data;
    size_t len;
    unsigned broken_n; /* answers that break off in the middle */
    char seen[4096];
};

static bool show(void *ud, struct peer *peer, const struct request *request)
{
    struct shown *shown = ud;
    char head[128];
    memcpy(shown->seen, request->head, sizeof shown->seen);
    if (strcmp(request->target, "/none") == 0) {
        peer_answer(peer, 404, NULL, "{\"error\":\"file_expired\"}");
        return true;
    }
    snprintf(head, sizeof head,
             "HTTP/1.1 200 Test\r\nContent-Type: image/x\r\nContent-Length: %zu\r\n\r\n",
             shown->len);
    peer_text(peer, head);
    if (shown->broken_n > 0) {
        shown->broken_n--;
        peer_send(peer, shown->data, shown->len / 2);
        return false;
    }
    peer_send(peer, shown->data, shown->len);
    return true;
}

static void an_answer_goes_into_a_file(void **state)
{
    static const size_t lens[] = {0, 1, 262144, 262145, BIG};
    struct place place;
    struct shown shown = {0};
    struct ground g;
    struct stored s = {0};
    uint8_t digest[MT_SHA256_LEN];
    char hex[MT_SHA256_HEX];
    (void)state;
    place_begin(&place, BIG);
    ground_begin(&g, NULL, show, &shown);
    struct mt_http_sink sink = {.path = place.out, .max_bytes = BIG};
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        char *got = NULL;
        size_t got_len = 0;
        shown.data = place.data;
        shown.len = lens[i];
        shown.broken_n = i == 4 ? 2 : 0; /* begun anew, not appended to */
        quick_backoff(2);
        run(&g, "/f", (struct mt_http_request){.sink = &sink}, &s);
        assert_int_equal(s.e.rc, MT_OK);
        assert_int_equal(s.e.status, 200);
        assert_string_equal(s.e.content_type, "image/x");
        assert_int_equal(s.e.body_len, 0);
        assert_int_equal(s.bytes, lens[i]);
        mt_sha256_of(place.data, lens[i], digest);
        mt_hex(digest, sizeof digest, hex);
        assert_string_equal(s.sha256, hex);
        assert_int_equal(mt_fs_read_all(place.out, BIG, &got, &got_len), 0);
        assert_int_equal(got_len, lens[i]);
        assert_memory_equal(got, place.data, got_len);
        mt_mem_free(got);
        unlink(place.out);
    }
    assert_int_equal(s.progress_total, BIG);
    assert_true(s.progress_n > 5);
    free(s.e.body);
    ground_end(&g);
    place_end(&place);
}

static void what_does_not_belong_into_the_file(void **state)
{
    struct place place;
    struct shown shown = {0};
    struct ground g;
    struct stored s = {0};
    (void)state;
    place_begin(&place, BIG);
    ground_begin(&g, NULL, show, &shown);
    shown.data = place.data;
    shown.len = BIG;
    struct mt_http_sink sink = {.path = place.out, .max_bytes = BIG};
    run(&g, "/none", (struct mt_http_request){.sink = &sink}, &s);
    assert_int_equal(s.e.rc, MT_OK);
    assert_int_equal(s.e.status, 404);
    assert_string_equal(s.e.body, "{\"error\":\"file_expired\"}");
    assert_string_equal(s.sha256, "");
    assert_int_equal(length_of(place.out), SIZE_MAX);

    sink.max_bytes = BIG - 1;
    run(&g, "/f", (struct mt_http_request){.sink = &sink}, &s);
    assert_int_equal(s.e.rc, MT_ERR_LIMIT);
    assert_string_equal(s.e.fault.code, "http.too_large");
    assert_int_equal(length_of(place.out), SIZE_MAX);

    sink.max_bytes = BIG;
    sink.path = place.path; /* is there already, and stays as it is */
    run(&g, "/f", (struct mt_http_request){.sink = &sink}, &s);
    assert_int_equal(s.e.rc, MT_ERR_IO);
    assert_string_equal(s.e.fault.code, "fs.eexist");
    assert_int_equal(length_of(place.path), BIG);
    free(s.e.body);
    ground_end(&g);
    place_end(&place);
}

static void ended_in_the_middle(void **state)
{
    struct place place;
    struct shown shown = {0};
    struct ground g;
    struct stored s = {0};
    (void)state;
    place_begin(&place, BIG);
    ground_begin(&g, NULL, show, &shown);
    shown.data = place.data;
    shown.len = BIG;
    struct mt_http_sink sink = {.path = place.out, .max_bytes = BIG};
    s.cancels = true;
    run(&g, "/f", (struct mt_http_request){.sink = &sink}, &s);
    assert_int_equal(s.e.rc, MT_ERR_CANCELLED);
    assert_int_equal(length_of(place.out), SIZE_MAX);

    struct mt_http_file file = whole(&place, BIG);
    s.cancels = true;
    run(&g, "/f", (struct mt_http_request){.method = "POST", .file = &file}, &s);
    assert_int_equal(s.e.rc, MT_ERR_CANCELLED);

    /* the client goes while both are at it: the loop still ends, and no file is left */
    struct stored other = {0};
    start(&g, (struct mt_http_request){.url = server_url(g.server, "/f"), .sink = &sink}, &s);
    start(&g,
          (struct mt_http_request){
              .url = server_url(g.server, "/f"), .method = "POST", .file = &file},
          &other);
    while (s.progress_n == 0) {
        (void)mt_loop_turn(g.loop);
    }
    mt_http_free(g.http);
    g.http = NULL;
    assert_int_equal(s.e.rc, MT_ERR_CANCELLED);
    assert_int_equal(other.e.rc, MT_ERR_CANCELLED);
    free(s.e.body);
    free(other.e.body);
    ground_end(&g);
    place_end(&place);
}

/* ---------------------------------------------------------------- the disk */

struct disk {
    pthread_t loop_thread;
    const char *dir;
    unsigned on_loop_n, elsewhere_n, write_n, fail_at;
    const char *fail_name;
};

static int on_disk(void *ud, const struct mt_fs_event *event)
{
    struct disk *disk = ud;
    if (!event->path || strncmp(event->path, disk->dir, strlen(disk->dir)) != 0) {
        return 0;
    }
    if (pthread_equal(pthread_self(), disk->loop_thread)) {
        disk->on_loop_n++;
    } else {
        disk->elsewhere_n++;
    }
    if (disk->fail_name && strcmp(event->name, disk->fail_name) == 0 &&
        ++disk->write_n == disk->fail_at) {
        return ENOSPC;
    }
    return 0;
}

static void the_loop_never_touches_the_disk(void **state)
{
    struct place place;
    struct shown shown = {0};
    struct ground g;
    struct stored s = {0};
    (void)state;
    place_begin(&place, BIG);
    ground_begin(&g, NULL, show, &shown);
    shown.data = place.data;
    shown.len = BIG;
    struct disk disk = {.loop_thread = pthread_self(), .dir = place.dir};
    struct mt_http_sink sink = {.path = place.out, .max_bytes = BIG};
    struct mt_http_file file = whole(&place, BIG);
    mt_fs_seam_set(on_disk, &disk);
    run(&g, "/f", (struct mt_http_request){.sink = &sink}, &s);
    run(&g, "/f", (struct mt_http_request){.method = "POST", .file = &file}, &s);
    mt_fs_seam_set(NULL, NULL);
    assert_int_equal(s.e.rc, MT_OK);
    assert_int_equal(disk.on_loop_n, 0);
    assert_true(disk.elsewhere_n > 20);
    unlink(place.out);

    static const char *const names[] = {"open", "write", "write", "fsync"};
    static const unsigned ats[] = {1, 1, 9, 1};
    for (size_t i = 0; i < sizeof ats / sizeof *ats; i++) {
        disk = (struct disk){.loop_thread = pthread_self(),
                             .dir = place.dir,
                             .fail_at = ats[i],
                             .fail_name = names[i]};
        mt_fs_seam_set(on_disk, &disk);
        run(&g, "/f", (struct mt_http_request){.sink = &sink}, &s);
        mt_fs_seam_set(NULL, NULL);
        assert_int_equal(s.e.rc, MT_ERR_IO);
        assert_string_equal(s.e.fault.code, "fs.enospc");
        assert_int_equal(s.e.attempts <= 1 ? 1 : 0, 1);
        assert_int_equal(length_of(place.out), SIZE_MAX);
    }
    free(s.e.body);
    ground_end(&g);
    place_end(&place);
}

/* ---------------------------------------------------------------- another place */

static bool send_away(void *ud, struct peer *peer, const struct request *request)
{
    char header[256];
    const char *to = ud;
    (void)request;
    snprintf(header, sizeof header, "Location: %s\r\n", to);
    peer_answer(peer, 302, header, "");
    return true;
}

static void another_place_gets_no_secret(void **state)
{
    struct place place;
    struct shown shown = {0};
    struct ground g;
    struct stored s = {0};
    char to[256] = "";
    struct mt_secret *token = NULL;
    (void)state;
    place_begin(&place, 5000);
    ground_begin(&g, NULL, send_away, to);
    struct server *storage = server_start(&(struct server_options){.answer = show, .ud = &shown});
    shown.data = place.data;
    shown.len = 5000;
    token = mt_secret_new("tok-4711", 8);
    assert_non_null(token);
    static const char *const headers[] = {"share-secret: hush-4712", "X-Other: 1", NULL};
    struct mt_http_sink sink = {.path = place.out, .max_bytes = 5000};
    struct mt_http_request r = {.bearer = token, .headers = headers, .sink = &sink};
    snprintf(to, sizeof to, "%s", server_url(storage, "/bucket/x?sign=1"));

    run(&g, "/f", r, &s); /* not without being told that it may */
    assert_int_equal(s.e.rc, MT_ERR_PROTOCOL);
    assert_string_equal(s.e.fault.code, "http.redirect");
    assert_int_equal(server_requests(storage), 0);

    r.elsewhere = true;
    run(&g, "/f", r, &s);
    assert_int_equal(s.e.rc, MT_OK);
    assert_int_equal(length_of(place.out), 5000);
    assert_memory_equal(shown.seen, "GET /bucket/x?sign=1 HTTP/1.1\r\n", 31);
    assert_null(strcasestr(shown.seen, "authorization"));
    assert_null(strstr(shown.seen, "4711"));
    assert_null(strstr(shown.seen, "4712"));
    assert_null(strstr(shown.seen, "X-Other"));
    unlink(place.out);

    shown.broken_n = 1; /* and neither at the second attempt */
    memset(shown.seen, 0, sizeof shown.seen);
    quick_backoff(1);
    run(&g, "/f", r, &s);
    assert_int_equal(s.e.rc, MT_OK);
    assert_null(strstr(shown.seen, "471"));
    assert_int_equal(server_requests(g.server), 4); /* and asks for a new address before it */
    unlink(place.out);

    r.bearer = NULL; /* nor does an object storage's signature, which goes as it is */
    r.signature = token;
    memset(shown.seen, 0, sizeof shown.seen);
    run(&g, "/f", r, &s);
    assert_int_equal(s.e.rc, MT_OK);
    assert_null(strstr(shown.seen, "4711"));

    strcpy(to, "http://192.0.2.1/x"); /* readable on the way */
    run(&g, "/f", r, &s);
    assert_int_equal(s.e.rc, MT_ERR_PROTOCOL);
    assert_string_equal(s.e.fault.code, "http.redirect");
    r.method = "POST";
    r.body = "x";
    r.body_len = 1;
    r.sink = NULL;
    snprintf(to, sizeof to, "%s", server_url(storage, "/y"));
    unsigned before = server_requests(storage);
    run(&g, "/f", r, &s);
    assert_int_equal(s.e.rc, MT_ERR_PROTOCOL);
    assert_int_equal(server_requests(storage), before);
    mt_secret_free(token);
    free(s.e.body);
    server_stop(storage);
    ground_end(&g);
    place_end(&place);
}

/* Allocation N fails, for every N: an answer or an error, no leak, and no file of half an answer.
 */
static void memory_may_run_out(void **state)
{
    enum { LEN = 600000 };
    struct place place;
    struct shown shown = {0};
    struct server *server = NULL;
    (void)state;
    place_begin(&place, LEN);
    shown.data = place.data;
    shown.len = LEN;
    server = server_start(&(struct server_options){.answer = show, .ud = &shown});
    struct mt_http_file file = whole(&place, LEN);
    struct mt_http_sink sink = {.path = place.out, .max_bytes = LEN};
    for (int way = 0; way < 2; way++) {
        bool reached = true;
        for (uint64_t n = 1; reached; n++) {
            struct mt_loop *loop = NULL;
            struct mt_http *http = NULL;
            struct stored s = {0};
            struct mt_fault fault = {0};
            int64_t live = mt_mem_seam_live();
            struct mt_http_request request = {.method = way ? "POST" : "GET",
                                              .url = server_url(server, "/f"),
                                              .file = way ? &file : NULL,
                                              .sink = way ? NULL : &sink,
                                              .max_attempts = 1};
            assert_int_equal(mt_loop_new(&loop), MT_OK);
            assert_int_equal(mt_http_new(loop, NULL, &http, &fault), MT_OK);
            mt_mem_seam_fail_at(n, 0);
            enum mt_rc rc = mt_http_start(http, &request, stored_done, &s, &s.e.call, &fault);
            if (rc == MT_OK) {
                mt_loop_run(loop);
                assert_int_equal(s.e.done_n, 1);
                rc = s.e.rc;
            }
            reached = mt_mem_seam_count() >= n;
            mt_mem_seam_fail_at(0, 0);
            assert_true(reached || rc == MT_OK);
            assert_int_equal(length_of(place.out), rc == MT_OK && !way ? LEN : SIZE_MAX);
            unlink(place.out);
            free(s.e.body);
            mt_http_free(http);
            assert_int_equal(mt_loop_free(loop), MT_OK);
            assert_int_equal(mt_mem_seam_live(), live);
        }
    }
    server_stop(server);
    place_end(&place);
}

int test_files(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_sent),
        cmocka_unit_test(a_part_of_a_file_in_its_frame),
        cmocka_unit_test(a_file_that_is_not_as_it_was),
        cmocka_unit_test(an_answer_goes_into_a_file),
        cmocka_unit_test(what_does_not_belong_into_the_file),
        cmocka_unit_test(ended_in_the_middle),
        cmocka_unit_test(the_loop_never_touches_the_disk),
        cmocka_unit_test(another_place_gets_no_secret),
        cmocka_unit_test(memory_may_run_out),
    };
    return cmocka_run_group_tests_name("http files", tests, NULL, NULL);
}

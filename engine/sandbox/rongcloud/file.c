/* Attachments: a token for the upload, a form that brings the bytes, an address to fetch them at.
 * The storage is the sandbox itself. */
#include "sandbox/rongcloud/file_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/str.h"
#include "codec/hash.h"
#include "sandbox/rongcloud/cloud_int.h"
#include "sandbox/rongcloud/pb_int.h"
#include "sandbox/rongcloud/query_int.h"
#include "ws/server.h"

#include <stdio.h>
#include <string.h>

#define KEY_MAX       512
#define BYTES_MAX     ((size_t)512 * 1024 * 1024)
#define TOKEN_LIFE_MS ((int64_t)3600 * 1000)
#define UPLOAD_PATH   "/rongcloud/upload"
#define FILES_PATH    "/rongcloud/files/"

struct mt_sr_file {
    size_t len;
    char type[100];
    char data[];
};

void mt_sr_do_upload_token(struct mt_sr_ask *ask)
{
    uint8_t random[16];
    char key[8 + 2 * sizeof random] = "token:";
    Rongcloud__GetQNupTokenInput *in =
        rongcloud__get_qnup_token_input__unpack(NULL, ask->len, ask->p);
    struct mt_sr_file *mark = mt_mem_calloc(1, sizeof *mark);
    mt_rand_bytes(random, sizeof random);
    mt_hex(random, sizeof random, key + strlen(key));
    if (in == NULL || mark == NULL || mt_map_put(ask->cloud->files, key, mark) != MT_OK) {
        ask->status = in == NULL ? MT_SR_PARAMETER : MT_SR_SERVER;
        mt_mem_free(mark);
        goto out;
    }
    mt_sr_pb_i64(ask->out, 1, mt_clock_wall_ms() + TOKEN_LIFE_MS);
    mt_sr_pb_str(ask->out, 2, key + strlen("token:"));
out:
    if (in != NULL)
        rongcloud__get_qnup_token_input__free_unpacked(in, NULL);
}

static void append_escaped(struct mt_buf *out, const char *text)
{
    static const char hex[] = "0123456789ABCDEF";
    for (const uint8_t *at = (const uint8_t *)text; *at != '\0'; at++) {
        bool plain = (*at >= '0' && *at <= '9') || (*at >= 'a' && *at <= 'z') ||
                     (*at >= 'A' && *at <= 'Z') || strchr("-_.~", *at) != NULL;
        if (plain)
            (void)mt_buf_append_char(out, (char)*at);
        else
            (void)mt_buf_appendf(out, "%%%c%c", hex[*at >> 4], hex[*at & 15]);
    }
}

void mt_sr_do_download_url(struct mt_sr_ask *ask)
{
    struct mt_buf *url = &ask->cloud->inner;
    Rongcloud__GetDownloadUrlInput *in =
        rongcloud__get_download_url_input__unpack(NULL, ask->len, ask->p);
    if (in == NULL) {
        ask->status = MT_SR_PARAMETER;
        return;
    }
    mt_buf_reset(url);
    (void)mt_buf_appendf(url, "http://%s" FILES_PATH, ask->cloud->address);
    append_escaped(url, in->key);
    if (in->filename != NULL) {
        (void)mt_buf_append_str(url, "?attname=");
        append_escaped(url, in->filename);
    }
    if (url->failed == MT_OK)
        mt_sr_pb_str(ask->out, 1, url->data);
    rongcloud__get_download_url_input__free_unpacked(in, NULL);
}

void mt_sr_file_navi(const struct mt_sr_cloud *cloud, struct mt_jsonw *json)
{
    char text[256];
    (void)snprintf(text, sizeof text, "[{\"qiniu\":\"http://%s" UPLOAD_PATH "\",\"p\":\"1\"}]",
                   cloud->address);
    mt_jsonw_key(json, "ossConfig");
    mt_jsonw_str(json, text);
}

struct part {
    const char *p;
    size_t len;
    char type[100];
};

/* The part of that name of a multipart/form-data body. */
static bool form_part(const struct mt_ws_request *request, const char *name, struct part *part)
{
    char wanted[64];
    char mark[128];
    const char *boundary = strstr(request->content_type, "boundary=");
    const char *at = request->body;
    if (boundary == NULL || at == NULL)
        return false;
    const char *end = at + request->body_len;
    boundary += strlen("boundary=");
    int mark_len =
        snprintf(mark, sizeof mark, "\r\n--%.*s", (int)strcspn(boundary, "; \""), boundary);
    if (mark_len <= 4 || (size_t)mark_len >= sizeof mark)
        return false;
    (void)snprintf(wanted, sizeof wanted, " name=\"%s\"", name);
    while (at < end) {
        const char *data = memmem(at, (size_t)(end - at), "\r\n\r\n", 4);
        if (data == NULL)
            return false;
        const char *head = at;
        data += 4;
        const char *next = memmem(data, (size_t)(end - data), mark, (size_t)mark_len);
        if (next == NULL)
            return false;
        at = next + mark_len;
        if (memmem(head, (size_t)(data - head), wanted, strlen(wanted)) == NULL)
            continue;
        const char *type = memmem(head, (size_t)(data - head), "Content-Type: ", 14);
        size_t type_len = type == NULL ? 0 : strcspn(type + 14, "\r\n");
        *part = (struct part){.p = data, .len = (size_t)(next - data)};
        if (type_len < sizeof part->type)
            memcpy(part->type, type == NULL ? "" : type + 14, type_len);
        return true;
    }
    return false;
}

static bool text_part(const struct mt_ws_request *request, const char *name, const char *prefix,
                      char *out, size_t cap)
{
    struct part part;
    size_t n = strlen(prefix);
    if (!form_part(request, name, &part) || part.len == 0 || n + part.len >= cap ||
        memchr(part.p, 0, part.len) != NULL)
        return false;
    memcpy(out, prefix, n);
    memcpy(out + n, part.p, part.len);
    out[n + part.len] = '\0';
    return true;
}

static int upload(struct mt_sr_cloud *cloud, const struct mt_ws_request *request)
{
    char token[KEY_MAX];
    char key[KEY_MAX];
    struct part file;
    if (!text_part(request, "token", "token:", token, sizeof token) ||
        mt_map_get(cloud->files, token) == NULL)
        return 401;
    if (!text_part(request, "key", "file:", key, sizeof key) || !form_part(request, "file", &file))
        return 400;
    if (cloud->file_bytes + file.len > BYTES_MAX)
        return 413;
    struct mt_sr_file *kept = mt_mem_alloc(sizeof *kept + file.len + 1);
    if (kept == NULL)
        return 503;
    kept->len = file.len;
    memcpy(kept->type, file.type, sizeof kept->type);
    if (file.len != 0)
        memcpy(kept->data, file.p, file.len);
    mt_mem_free(mt_map_remove(cloud->files, key));
    if (mt_map_put(cloud->files, key, kept) != MT_OK) {
        mt_mem_free(kept);
        return 503;
    }
    cloud->file_bytes += file.len;
    mt_buf_reset(&cloud->answer);
    (void)mt_buf_append_str(&cloud->answer, "{\"key\":");
    (void)mt_json_write_str(&cloud->answer, key + strlen("file:"), strlen(key) - strlen("file:"));
    (void)mt_buf_append_str(&cloud->answer, "}");
    return 200;
}

static void download(struct mt_sr_cloud *cloud, const struct mt_ws_request *request,
                     struct mt_ws_answer *answer)
{
    char key[KEY_MAX] = "file:";
    const char *name = request->path + strlen(FILES_PATH);
    if (!mt_sr_query_decode(name, strlen(name), key + 5, sizeof key - 5)) {
        answer->status = 400;
        return;
    }
    const struct mt_sr_file *file = mt_map_get(cloud->files, key);
    if (file == NULL) {
        answer->status = 404;
        return;
    }
    answer->content_type = file->type[0] == '\0' ? "application/octet-stream" : file->type;
    mt_buf_reset(&cloud->answer);
    (void)mt_buf_append(&cloud->answer, file->data, file->len);
}

bool mt_sr_file_request(struct mt_sr_cloud *cloud, const struct mt_ws_request *request,
                        struct mt_ws_answer *answer)
{
    if (strcmp(request->path, UPLOAD_PATH) == 0) {
        answer->status = strcmp(request->method, "POST") == 0 ? upload(cloud, request) : 405;
        return true;
    }
    if (!mt_str_starts(request->path, FILES_PATH))
        return false;
    download(cloud, request, answer);
    return true;
}

/* addUnpush, delUnpush and qryUnpush: the period in which a user is not to be disturbed. */
void mt_sr_do_quiet(struct mt_sr_ask *ask)
{
    struct mt_sr_user *user = ask->user;
    if (ask->topic[0] == 'd') {
        mt_mem_free(user->quiet);
        user->quiet = NULL;
        return;
    }
    if (ask->topic[0] == 'q') {
        mt_sr_pb_u64(ask->out, 1, user->quiet != NULL);
        if (user->quiet == NULL)
            return;
        mt_sr_pb_str(ask->out, 2, user->quiet->start);
        mt_sr_pb_i64(ask->out, 3, user->quiet->minutes);
        mt_sr_pb_i64(ask->out, 4, user->quiet->level);
        mt_sr_pb_str(ask->out, 5, user->quiet->zone);
        return;
    }
    Rongcloud__AddUnpushPeriodInput *in =
        rongcloud__add_unpush_period_input__unpack(NULL, ask->len, ask->p);
    struct mt_sr_span *span = mt_mem_calloc(1, sizeof *span);
    if (in == NULL || span == NULL || strlen(in->starttime) >= sizeof span->start ||
        (in->timezone != NULL && strlen(in->timezone) >= sizeof span->zone)) {
        ask->status = MT_SR_PARAMETER;
        mt_mem_free(span);
    } else {
        (void)snprintf(span->start, sizeof span->start, "%s", in->starttime);
        (void)snprintf(span->zone, sizeof span->zone, "%s",
                       in->timezone == NULL ? "" : in->timezone);
        span->minutes = in->spanminutes;
        span->level = in->has_level ? in->level : 0;
        mt_mem_free(user->quiet);
        user->quiet = span;
    }
    if (in != NULL)
        rongcloud__add_unpush_period_input__free_unpacked(in, NULL);
}

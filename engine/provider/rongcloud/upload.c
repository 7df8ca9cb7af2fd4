/* Uploads: the cloud gives a token, the file goes to one of its storages, and the cloud says where
 * it is to be had (rongcloud.md 3: qnTkn, qnUrl and the like). */
#include "provider/rongcloud/files_int.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/secret.h"
#include "base/str.h"
#include "codec/base64.h"
#include "codec/hash.h"
#include "model/fields.h"
#include "provider/rongcloud/map_int.h"
#include "provider/rongcloud/outgoing_int.h"
#include "provider/source.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define FRAME_MAX  ((size_t)32 * 1024)
#define TOKENS_MAX ((size_t)1024 * 1024)
#define FILE_MAX   ((int64_t)5 * 1024 * 1024 * 1024) /* as the SDK has it */

#define INSIDE_MAX ((int64_t)48 * 1024) /* as base64 it fits into the 128 KiB of a message */

enum stage { LOOK, TOKEN, SEND, URL };

struct upload {
    struct mt_rong_file_call call; /* first */
    enum stage stage;
    struct mt_source source;
    struct mt_arena *arena; /* the caller's */
    struct mt_value *attachment;
    mt_progress_fn *progress;
    mt_done_fn *done;
    void *ud;
    int type;      /* the cloud's FileType */
    char *inside;  /* a picture so small that its message can hold it, as base64; NULL: none */
    char key[160]; /* under which the storage keeps it */
    struct mt_arena *own;
    const Rongcloud__GetQNupTokenOutput *token;
    struct mt_rong_storages storages;
    size_t at;                   /* of the storages */
    struct mt_secret *signature; /* of the request on its way; NULL: it needs none */
    int64_t head_len;
};

static void fail(struct upload *u, enum mt_rc kind, const char *code, const char *text)
{
    struct mt_fault fault;

    (void)mt_fault_set(&fault, kind, code, "%s: %s", u->source.filename, text);
    mt_call_end(&u->call.base.life, kind, &fault);
}

static const char *ending_of(const char *filename)
{
    const char *dot = strrchr(filename, '.');
    size_t n = dot != NULL ? strlen(dot + 1) : 0;

    if (n == 0 || n > 16)
        return "";
    for (const char *c = dot + 1; *c != '\0'; c++)
        if (!isalnum((unsigned char)*c))
            return "";
    return dot + 1;
}

static bool is_page(const struct mt_source *source)
{
    return source->data != NULL && (size_t)source->size_bytes > strlen(MT_RONG_HTML) &&
           memcmp(source->data, MT_RONG_HTML, strlen(MT_RONG_HTML)) == 0;
}

/* The storage's buckets differ by what is in a file. */
static int type_of(const struct mt_source *source)
{
    const char *type = mt_source_type(source->filename);

    if (is_page(source))
        return RONGCLOUD__FILE_TYPE__FT_COMBINE_HTML;
    if (type == NULL)
        return RONGCLOUD__FILE_TYPE__FT_FILE;
    return mt_str_starts(type, "image/")   ? RONGCLOUD__FILE_TYPE__FT_IMAGE
           : mt_str_starts(type, "audio/") ? RONGCLOUD__FILE_TYPE__FT_AUDIO
           : mt_str_starts(type, "video/") ? RONGCLOUD__FILE_TYPE__FT_SIGHT
                                           : RONGCLOUD__FILE_TYPE__FT_FILE;
}

/* A name that no other file has, in the form of the SDK's. */
static void set_key(struct upload *u)
{
    uint8_t random[8];
    char hex[2 * sizeof random + 1];
    const char *ending = is_page(&u->source) ? "html" : ending_of(u->source.filename);
    int64_t now_ms = mt_rong_cloud_ms(u->call.base.life.account);
    time_t now = (time_t)(now_ms / 1000);
    struct tm tm = {0};

    (void)gmtime_r(&now, &tm);
    mt_rand_bytes(random, sizeof random);
    mt_hex(random, sizeof random, hex);
    snprintf(u->key, sizeof u->key, "%d__RC-%d-%d-%d_%u_%lld%s%s%s", u->type, tm.tm_year + 1900,
             tm.tm_mon + 1, tm.tm_mday, (unsigned)mt_rand_below(1000), (long long)now_ms, hex,
             *ending != '\0' ? "." : "", ending);
}

/* ---------------------------------------------------------------- asking the cloud */

static void ask(struct upload *u, const char *topic, const ProtobufCMessage *message)
{
    struct mt_rong_packet packet;
    struct mt_fault fault = {.kind = MT_OK};
    enum mt_rc rc = MT_OK;

    memset(&packet, 0, sizeof packet);
    mt_buf_init(&packet.payload, FRAME_MAX);
    mt_rong_packet_begin(&packet, topic, NULL);
    packet.request.reads = true; /* a token that nobody uses hurts nobody */
    rc = mt_rong_packet_end(&packet, message, &fault);
    if (rc == MT_OK)
        mt_rong_ask(&u->call.base.life, &packet.request);
    else
        mt_call_end_soon(&u->call.base.life, rc, &fault);
    mt_rong_packet_deinit(&packet);
}

static bool has_minio(const struct mt_rong_storages *storages)
{
    for (size_t i = 0; storages != NULL && i < storages->n; i++)
        if (storages->at[i].kind == MT_RONG_MINIO)
            return true;
    return false;
}

static void ask_token(struct upload *u)
{
    char empty[] = "", no_domain[] = "{\"uploadDomain\":\"\"}";
    const struct mt_rong_navi *navi = &u->call.base.life.account->navi;
    Rongcloud__GetQNupTokenInput m = RONGCLOUD__GET_QNUP_TOKEN_INPUT__INIT;

    u->stage = TOKEN;
    u->type = type_of(&u->source);
    set_key(u);
    m.type = (Rongcloud__FileType)u->type;
    m.key = u->key;
    m.httpmethod = empty;
    m.querystring = empty;
    m.url = empty;
    m.ext = has_minio(navi->storages) ? empty : no_domain;
    m.has_size = true;
    m.size = (u->source.size_bytes + 1023) / 1024;
    m.has_iptype = true;
    m.iptype = navi->ip_type;
    ask(u, "qnTkn", &m.base);
}

static void ask_url(struct upload *u)
{
    const struct mt_rong_storage *storage = &u->storages.at[u->at];
    Rongcloud__GetDownloadUrlInput m = RONGCLOUD__GET_DOWNLOAD_URL_INPUT__INIT;
    char ext[MT_RONG_ADDRESS_MAX + 16] = "";

    u->stage = URL;
    if (storage->kind == MT_RONG_MINIO)
        snprintf(ext, sizeof ext, "{\"url\":\"%s\"}", storage->host);
    m.type = (Rongcloud__FileType)u->type;
    m.key = u->key;
    m.filename = u->source.filename;
    m.ext = ext;
    m.has_size = true;
    m.size = -1;
    m.has_iptype = true;
    m.iptype = u->call.base.life.account->navi.ip_type;
    ask(u, mt_rong_storage_topic(storage->kind), &m.base);
}

/* ---------------------------------------------------------------- the storage */

static void on_progress(void *ud, int64_t done_bytes, int64_t total_bytes)
{
    struct upload *u = ud;
    int64_t size = u->source.size_bytes;
    int64_t done = done_bytes - u->head_len;

    (void)total_bytes;
    if (u->progress != NULL && !u->call.base.life.ended)
        u->progress(u->ud, done < 0 ? 0 : done > size ? size : done, size);
}

static void send_file(struct upload *u)
{
    struct mt_rong_post post;
    struct mt_buf head, tail;
    struct mt_fault fault = {.kind = MT_OK};
    size_t inside = u->source.path == NULL ? (size_t)u->source.size_bytes : 0;
    enum mt_rc rc = MT_OK;

    u->stage = SEND;
    mt_buf_init(&head, 2 * FRAME_MAX + inside);
    mt_buf_init(&tail, FRAME_MAX);
    rc = mt_rong_post_pack(&u->storages.at[u->at], u->token, u->key, &u->source, &head, &tail,
                           &u->signature, &post, &fault);
    if (rc == MT_OK) {
        u->head_len = post.head_len;
        post.request.attempt_ms = MT_RONG_FILE_MS;
        post.request.deadline_ms = 2 * MT_RONG_FILE_MS;
        post.request.retry = MT_HTTP_RETRY_SAFE; /* twice is the same file under the same name */
        post.request.max_response_bytes = FRAME_MAX;
        post.request.max_attempts = 4;
        post.request.progress = on_progress;
        mt_rong_http(&u->call.base.life, &post.request);
    } else {
        mt_call_end_soon(&u->call.base.life, rc, &fault);
    }
    mt_buf_deinit(&head);
    mt_buf_deinit(&tail);
}

static void came(struct mt_provider_call *life, enum mt_rc rc,
                 const struct mt_http_response *response, const struct mt_fault *cause)
{
    struct upload *u = (struct upload *)life;
    struct mt_fault fault = {.kind = MT_OK};
    int status = response != NULL ? response->status : 0;

    if (rc == MT_OK && (status == 200 || status == 204)) {
        ask_url(u);
        return;
    }
    if (rc != MT_OK && (cause->kind == MT_ERR_STATE || cause->kind == MT_ERR_NOMEM)) {
        mt_call_end(life, rc, cause); /* the file has changed meanwhile */
        return;
    }
    if (status != 413 && u->at + 1 < u->storages.n) {
        u->at++;
        send_file(u);
        return;
    }
    if (status == 413)
        rc = mt_fault_set(&fault, MT_ERR_LIMIT, "upload.too_large",
                          "%s: it is larger than the storage takes", u->source.filename);
    else if (rc != MT_OK)
        fault = *cause;
    else
        rc = mt_fault_set(&fault, status == 401 || status == 403 ? MT_ERR_DENIED : MT_ERR_REMOTE,
                          "upload.failed", "%s: the storage answered with HTTP %d",
                          u->source.filename, status);
    fault.http_status = status;
    mt_call_end(life, rc, &fault);
}

/* ---------------------------------------------------------------- answers */

static void take_token(struct upload *u, const struct mt_rong_answer *answer)
{
    const struct mt_rong_navi *navi = &u->call.base.life.account->navi;
    ProtobufCAllocator allocator = mt_rong_allocator(u->own);

    u->token = rongcloud__get_qnup_token_output__unpack(&allocator, answer->len, answer->payload);
    if (u->token == NULL) {
        fail(u, MT_ERR_PROTOCOL, "upload.answer", "the cloud's answer holds no token");
        return;
    }
    mt_rong_storages_read(u->token->ossconfig, &u->storages);
    if (u->storages.n == 0 && navi->storages != NULL)
        u->storages = *navi->storages;
    if (u->storages.n == 0) {
        fail(u, MT_ERR_UNSUPPORTED, "upload.no_storage",
             "the cloud names no storage to upload to: send the address of a file of your own "
             "instead (url)");
        return;
    }
    send_file(u);
}

/* As the SDK's file messages say what a file is. */
static void take_url(struct upload *u, const struct mt_rong_answer *answer)
{
    ProtobufCAllocator allocator = mt_rong_allocator(u->own);
    const Rongcloud__GetDownloadUrlOutput *out =
        rongcloud__get_download_url_output__unpack(&allocator, answer->len, answer->payload);
    const char *url = out != NULL ? out->downloadurl : "";
    const char *ending = ending_of(u->source.filename);
    struct mt_fields map;

    if (strncasecmp(url, "http://", 7) != 0 && strncasecmp(url, "https://", 8) != 0) {
        fail(u, MT_ERR_PROTOCOL, "upload.answer", "the cloud does not say where the file is");
        return;
    }
    mt_rong_media_learn(u->call.base.life.account, url);
    mt_fields_init(&map, u->arena);
    mt_fields_str(&map, "remote_path", url);
    mt_fields_str(&map, "filename", u->source.filename);
    mt_fields_int(&map, "size_bytes", u->source.size_bytes);
    mt_fields_str(&map, "file_type", *ending != '\0' ? ending : "bin");
    mt_fields_str(&map, "thumbnail_base64", u->inside);
    if (map.failed != MT_OK) {
        fail(u, map.failed, "memory", "out of memory");
        return;
    }
    *u->attachment = mt_fields_end(&map);
    mt_call_end(&u->call.base.life, MT_OK, NULL);
}

static void answered(struct mt_provider_call *life, const struct mt_rong_answer *answer,
                     const struct mt_fault *fault)
{
    struct upload *u = (struct upload *)life;

    if (fault != NULL)
        mt_call_end(life, fault->kind, fault);
    else if (u->stage == TOKEN)
        take_token(u, answer);
    else
        take_url(u, answer);
}

/* ---------------------------------------------------------------- the call */

/* Pictures show a smaller one that lies in the message itself. A small one is its own; without it
 * the message has none. */
static void take_inside(struct upload *u)
{
    const struct mt_source *source = &u->source;
    const char *type = mt_source_type(source->filename);
    char *data = source->data;
    size_t len = (size_t)source->size_bytes;
    struct mt_buf text;

    if (type == NULL || !mt_str_starts(type, "image/") || source->err != 0 || !source->is_file ||
        source->size_bytes <= 0 || source->size_bytes > INSIDE_MAX)
        return;
    if (source->path != NULL && mt_fs_read_all(source->path, INSIDE_MAX, &data, &len) != 0)
        return; /* the upload says why */
    mt_buf_init(&text, (size_t)2 * INSIDE_MAX);
    if (mt_base64_encode(&text, data, len) == MT_OK)
        u->inside = mt_mem_strdup(text.data);
    mt_buf_deinit(&text);
    if (source->path != NULL)
        mt_mem_free(data);
}

static void look(struct mt_provider_call *life)
{
    struct upload *u = (struct upload *)life;

    mt_source_look(&u->source);
    take_inside(u);
}

static void judge(struct mt_provider_call *life)
{
    struct upload *u = (struct upload *)life;
    struct mt_fault fault;
    enum mt_rc rc = mt_source_judge(&u->source, FILE_MAX, &fault);

    if (rc != MT_OK)
        mt_call_end(life, rc, &fault);
    else
        ask_token(u);
}

static void step(struct mt_provider_call *life)
{
    struct upload *u = (struct upload *)life;

    switch (u->stage) {
    case LOOK:
        if (u->source.path != NULL)
            mt_call_work(life, look, judge);
        else {
            take_inside(u);
            judge(life);
        }
        break;
    case TOKEN:
        ask_token(u);
        break;
    case SEND:
        break;
    case URL:
        ask_url(u);
        break;
    }
}

static void finish(struct mt_provider_call *life, enum mt_rc rc, const struct mt_fault *fault)
{
    struct upload *u = (struct upload *)life;

    u->done(u->ud, rc, rc != MT_OK ? fault : NULL);
}

static void release(struct mt_provider_call *life)
{
    struct upload *u = (struct upload *)life;

    mt_source_deinit(&u->source);
    mt_mem_free(u->inside);
    mt_secret_free(u->signature);
    mt_arena_free(u->own);
}

enum mt_rc mt_rong_upload(struct mt_provider_account *account,
                          const struct mt_conversation_ref *conversation,
                          const struct mt_upload *what, struct mt_arena *arena,
                          struct mt_value *attachment, mt_progress_fn *progress, mt_done_fn *done,
                          void *ud, struct mt_provider_call **out)
{
    struct upload *u = mt_mem_calloc(1, sizeof *u);
    struct mt_fault fault = {.kind = MT_OK};
    enum mt_rc rc = MT_OK;

    (void)conversation; /* who has the address has the file */
    if (u == NULL)
        return MT_ERR_NOMEM;
    u->call.base.life.step = step;
    u->call.base.life.finish = finish;
    u->call.base.life.release = release;
    u->call.base.answer = answered;
    u->call.base.verb = "upload";
    u->call.came = came;
    u->arena = arena;
    u->attachment = attachment;
    u->progress = progress;
    u->done = done;
    u->ud = ud;
    u->own = mt_arena_new(TOKENS_MAX);
    if (!mt_source_init(&u->source, what) || u->own == NULL)
        rc = mt_fault_set(&fault, MT_ERR_NOMEM, "memory", "out of memory");
    rc = rc != MT_OK ? mt_call_fail(&account->calls, &u->call.base.life, rc, &fault)
                     : mt_call_start(&account->calls, &u->call.base.life);
    if (out != NULL)
        *out = rc != MT_OK ? NULL : &u->call.base.life;
    return rc;
}

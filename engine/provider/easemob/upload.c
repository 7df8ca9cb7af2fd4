/* Uploads (easemob.md §4.9): in one request, or in parts when the file is large. A call looks at
 * the file, sends it, and takes the cloud's name of it; parts are calls of their own, so that each
 * is repeated by itself when the token is renewed. */
#include "provider/easemob/files_int.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"
#include "codec/json.h"
#include "model/fields.h"
#include "provider/easemob/account_int.h"
#include "provider/source.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define FRAME_MAX      ((size_t)8 * 1024)
#define ANSWER_MAX     ((size_t)256 * 1024)
#define QUERY_MAX      512
#define PARTS_MAX      10000
#define PART_MIN_BYTES ((int64_t)1024 * 1024)

enum stage { LOOK, PLAIN, INIT, PARTS, COMPLETE, FINISHED };

struct upload;

struct part {
    struct mt_em_call call; /* first */
    struct upload *upload;  /* NULL: nobody waits any more */
    struct part *next;
    unsigned number; /* from 1 on */
    int64_t offset, length, sent;
};

struct upload {
    struct mt_em_call call; /* first */
    enum stage stage;
    struct mt_arena *arena; /* the caller's */
    struct mt_value *attachment;
    mt_progress_fn *progress;
    mt_done_fn *done;
    void *ud;
    struct mt_source source;
    char target[QUERY_MAX]; /* chat-type=…&chat-target=…[&thumbnail-…] */
    char width[12], height[12];
    char uuid[64]; /* of the upload in parts */
    int64_t part_bytes;
    unsigned parts_n, parts_begun, parts_done;
    int64_t done_bytes; /* of the parts that are there */
    int64_t head_len;
    struct part *parts; /* on their way */
};

static void fail(struct upload *u, enum mt_rc kind, const char *code, const char *text)
{
    struct mt_fault fault;

    (void)mt_fault_set(&fault, kind, code, "%s: %s", u->source.filename, text);
    if (kind != MT_ERR_NOMEM)
        fault.provider_code = MT_EM_TYPE_UPLOAD;
    mt_call_end(&u->call.life, kind, &fault);
}

/* What came is not the 200 that was hoped for. */
static void fail_answer(struct mt_provider_call *call, enum mt_rc rc,
                        const struct mt_http_response *response, const struct mt_fault *cause)
{
    struct mt_fault fault = {.kind = MT_OK};

    if (rc == MT_OK && response->status == 413) {
        rc = mt_fault_set(&fault, MT_ERR_LIMIT, "upload.too_large",
                          "the file is larger than the app allows (10 MB unless its console says "
                          "otherwise)");
        fault.http_status = 413;
        fault.provider_code = MT_EM_TYPE_UPLOAD;
    } else {
        rc = mt_em_fault_http(&fault, ((struct mt_em_call *)call)->feature, rc, response, cause);
    }
    mt_call_end(call, rc, &fault);
}

static bool is_200(enum mt_rc rc, const struct mt_http_response *response)
{
    return rc == MT_OK && response->status == 200;
}

/* A name of the cloud that goes into addresses. */
static bool is_id(const char *s, size_t max)
{
    static const char good[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_";
    return s != NULL && s[0] != '\0' && strlen(s) < max && s[strspn(s, good)] == '\0';
}

/* entities[0] of an answer. */
static const struct mt_json *entity(const struct mt_http_response *response, struct mt_json **root)
{
    *root = NULL;
    if (mt_json_parse(response->body, response->body_len, ANSWER_MAX, root, NULL) != MT_OK)
        return NULL;
    return mt_json_child(mt_json_get(*root, "entities"));
}

/* ---------------------------------------------------------------- the end */

static void take_name(struct upload *u, const struct mt_http_response *response)
{
    struct mt_json *root = NULL;
    const struct mt_json *first = entity(response, &root);
    const char *uuid = mt_json_str(mt_json_get(first, "uuid"));
    const char *secret = mt_json_str(mt_json_get(first, "share-secret"));
    const struct mt_provider_account *account = u->call.life.account;
    struct mt_fields map;
    char remote[MT_EM_URL_MAX];

    if (!is_id(uuid, sizeof u->uuid) || (secret != NULL && strpbrk(secret, "\r\n") != NULL)) {
        mt_json_free(root);
        fail(u, MT_ERR_PROTOCOL, "upload.answer", "the cloud's answer does not name the file");
        return;
    }
    snprintf(remote, sizeof remote, "%s/%s/chatfiles/%s", account->api, account->org_app, uuid);
    mt_fields_init(&map, u->arena);
    mt_fields_str(&map, "remote_path", remote);
    mt_fields_str(&map, "secret", secret);
    mt_fields_str(&map, "filename", u->source.filename);
    mt_fields_int(&map, "size_bytes", u->source.size_bytes);
    mt_json_free(root);
    if (map.failed != MT_OK) {
        fail(u, map.failed, "memory", "out of memory");
        return;
    }
    *u->attachment = mt_fields_end(&map);
    u->stage = FINISHED;
    mt_call_end(&u->call.life, MT_OK, NULL);
}

/* ---------------------------------------------------------------- in one request */

static void plain_progress(void *ud, int64_t done_bytes, int64_t total_bytes)
{
    struct upload *u = ud;
    int64_t done = done_bytes - u->head_len;

    (void)total_bytes;
    if (u->progress != NULL && !u->call.life.ended)
        u->progress(u->ud,
                    done < 0                      ? 0
                    : done > u->source.size_bytes ? u->source.size_bytes
                                                  : done,
                    u->source.size_bytes);
}

static void send_plain(struct upload *u)
{
    char type[MT_HTTP_FORM_TYPE_MAX];
    char content_type[MT_HTTP_FORM_TYPE_MAX + 32];
    char path[QUERY_MAX + 32];
    const char *fields[5] = {0};
    size_t n = 0;
    struct mt_buf head, tail;

    u->stage = PLAIN;
    if (u->width[0] != '\0') {
        fields[n++] = "thumbnail-width";
        fields[n++] = u->width;
    }
    if (u->height[0] != '\0') {
        fields[n++] = "thumbnail-height";
        fields[n++] = u->height;
    }
    mt_buf_init(&head, FRAME_MAX + (u->source.path == NULL ? (size_t)u->source.size_bytes : 0));
    mt_buf_init(&tail, FRAME_MAX);
    enum mt_rc rc = mt_http_form(&head, &tail, type, "file", u->source.filename,
                                 mt_source_type(u->source.filename), fields);
    struct mt_http_file file;
    snprintf(content_type, sizeof content_type, "Content-Type: %s", type);
    const char *const headers[] = {content_type, "Accept: */*", "restrict-access: true", NULL};
    struct mt_http_request request = {
        .method = "POST",
        .headers = headers,
        .attempt_ms = MT_EM_FILE_MS,
        .deadline_ms = 2 * MT_EM_FILE_MS,
        .retry = MT_HTTP_RETRY_SAFE, /* twice is a file that nobody knows of */
        .progress = plain_progress,
    };
    u->head_len = (int64_t)head.len;
    if (rc == MT_OK) {
        mt_source_put(&u->source, &head, &tail, &file, &request);
        rc = head.failed;
    }
    snprintf(path, sizeof path, "chatfiles?%s", u->target);
    if (rc == MT_OK)
        mt_em_call_request(&u->call.life, path, &request);
    else
        fail(u, rc, "memory", "the request could not be built");
    mt_buf_deinit(&head);
    mt_buf_deinit(&tail);
}

/* ---------------------------------------------------------------- in parts */

static void start_parts(struct upload *u);

static void tell_parts(struct upload *u)
{
    int64_t sum = u->done_bytes;

    if (u->progress == NULL || u->call.life.ended)
        return;
    for (const struct part *part = u->parts; part != NULL; part = part->next)
        sum += part->sent;
    u->progress(u->ud, sum, u->source.size_bytes);
}

static void part_progress(void *ud, int64_t done_bytes, int64_t total_bytes)
{
    struct part *part = ud;

    (void)total_bytes;
    part->sent = done_bytes < part->length ? done_bytes : part->length;
    if (part->upload != NULL)
        tell_parts(part->upload);
}

static void part_step(struct mt_provider_call *call)
{
    struct part *part = (struct part *)call;
    const struct upload *u = part->upload;
    char type[MT_HTTP_FORM_TYPE_MAX];
    char content_type[MT_HTTP_FORM_TYPE_MAX + 32];
    char path[128];
    char number[16];
    struct mt_buf head, tail;

    if (u == NULL) {
        mt_call_end(call, MT_ERR_CANCELLED, NULL);
        return;
    }
    mt_buf_init(&head, FRAME_MAX);
    mt_buf_init(&tail, FRAME_MAX);
    snprintf(number, sizeof number, "%u", part->number);
    const char *const fields[] = {"part_number", number, NULL};
    enum mt_rc rc = mt_http_form(&head, &tail, type, "part_file", "blob", NULL, fields);
    struct mt_http_file file = {
        .path = u->source.path,
        .offset = part->offset,
        .length = part->length,
        .size_bytes = u->source.size_bytes,
        .mtime_ms = u->source.mtime_ms,
        .head = head.data,
        .head_len = head.len,
        .tail = tail.data,
        .tail_len = tail.len,
    };
    snprintf(content_type, sizeof content_type, "Content-Type: %s", type);
    const char *const headers[] = {content_type, "Accept: */*", "restrict-access: true", NULL};
    struct mt_http_request request = {
        .method = "PUT",
        .headers = headers,
        .attempt_ms = MT_EM_FILE_MS,
        .deadline_ms = 2 * MT_EM_FILE_MS,
        .retry = MT_HTTP_RETRY_SAFE,
        .file = &file,
        .progress = part_progress,
    };
    snprintf(path, sizeof path, "sdk/chatfiles/part-upload/%s", u->uuid);
    if (rc == MT_OK)
        mt_em_call_request(call, path, &request);
    else
        mt_call_end(call, rc, NULL);
    mt_buf_deinit(&head);
    mt_buf_deinit(&tail);
}

static void part_answer(struct mt_provider_call *call, enum mt_rc rc,
                        const struct mt_http_response *response, const struct mt_fault *fault)
{
    if (is_200(rc, response))
        mt_call_end(call, MT_OK, NULL);
    else
        fail_answer(call, rc, response, fault);
}

static void send_complete(struct upload *u)
{
    char path[QUERY_MAX + 160];

    u->stage = COMPLETE;
    snprintf(path, sizeof path, "sdk/chatfiles/part-upload/%s?restrict-access=true&%s%s%s%s%s",
             u->uuid, u->target, u->width[0] != '\0' ? "&thumbnail-width=" : "", u->width,
             u->height[0] != '\0' ? "&thumbnail-height=" : "", u->height);
    mt_em_call_send(&u->call.life, "POST", path, NULL);
}

static void part_finish(struct mt_provider_call *call, enum mt_rc rc, const struct mt_fault *fault)
{
    struct part *part = (struct part *)call;
    struct upload *u = part->upload;

    if (u == NULL)
        return;
    struct part **at = &u->parts;
    while (*at != part)
        at = &(*at)->next;
    *at = part->next;
    part->upload = NULL;
    if (rc != MT_OK) {
        struct mt_fault why = {.kind = MT_OK};
        if (fault != NULL)
            why = *fault;
        else
            (void)mt_fault_set(&why, rc, "upload.failed", "a part could not be sent");
        mt_call_end(&u->call.life, rc, &why);
        return;
    }
    u->parts_done++;
    u->done_bytes += part->length;
    tell_parts(u);
    if (u->parts_done == u->parts_n)
        send_complete(u);
    else
        start_parts(u);
}

static bool start_part(struct upload *u)
{
    struct part *part = mt_mem_calloc(1, sizeof *part);

    if (part == NULL)
        return false;
    part->call.life.step = part_step;
    part->call.answer = part_answer;
    part->call.life.finish = part_finish;
    part->call.feature = MT_EM_FEATURE_FILES;
    part->number = ++u->parts_begun;
    part->offset = (int64_t)(part->number - 1) * u->part_bytes;
    part->length = u->source.size_bytes - part->offset < u->part_bytes
                       ? u->source.size_bytes - part->offset
                       : u->part_bytes;
    if (mt_call_start(&u->call.life.account->calls, &part->call.life) != MT_OK)
        return false; /* and freed */
    part->upload = u;
    part->next = u->parts;
    u->parts = part;
    return true;
}

static void start_parts(struct upload *u)
{
    unsigned on_the_way = u->parts_begun - u->parts_done;

    for (; on_the_way < MT_EM_PARALLEL && u->parts_begun < u->parts_n; on_the_way++) {
        if (!start_part(u)) {
            fail(u, MT_ERR_NOMEM, "memory", "out of memory");
            return;
        }
    }
}

static void take_init(struct upload *u, const struct mt_http_response *response)
{
    struct mt_json *root = NULL;
    const struct mt_json *first = entity(response, &root);
    const char *uuid = mt_json_str(mt_json_get(first, "uuid"));
    int64_t upper = mt_json_i64(mt_json_get(first, "file_upper_limit"), 0);
    int64_t lower = mt_json_i64(mt_json_get(first, "part_lower_limit"), 0);
    bool good = is_id(uuid, sizeof u->uuid) && lower < u->source.size_bytes;

    if (good)
        snprintf(u->uuid, sizeof u->uuid, "%s", uuid);
    mt_json_free(root);
    if (good && upper > 0 && u->source.size_bytes > upper) {
        fail(u, MT_ERR_LIMIT, "upload.too_large", "it is larger than the app allows");
        return;
    }
    /* The SDK's parts are as small as they may be. */
    u->part_bytes = lower <= 0 ? MT_EM_PART_BYTES : lower < PART_MIN_BYTES ? PART_MIN_BYTES : lower;
    int64_t n = (u->source.size_bytes + u->part_bytes - 1) / u->part_bytes;
    if (!good || n > PARTS_MAX) {
        u->uuid[0] = '\0';
        send_plain(u);
        return;
    }
    u->stage = PARTS;
    u->parts_n = (unsigned)n;
    start_parts(u);
}

/* ---------------------------------------------------------------- abort */

static void abort_step(struct mt_provider_call *call)
{
    char path[128];

    snprintf(path, sizeof path, "sdk/chatfiles/part-upload/%s", ((struct upload *)call)->uuid);
    mt_em_call_send(call, "DELETE", path, NULL);
}

static void abort_answer(struct mt_provider_call *call, enum mt_rc rc,
                         const struct mt_http_response *response, const struct mt_fault *fault)
{
    (void)rc;
    (void)response;
    (void)fault;
    mt_call_end(call, MT_OK, NULL); /* what the cloud keeps then is its own business */
}

static void abort_finish(struct mt_provider_call *call, enum mt_rc rc, const struct mt_fault *fault)
{
    (void)call;
    (void)rc;
    (void)fault;
}

static void abort_parts(struct upload *u)
{
    while (u->parts != NULL) {
        struct part *part = u->parts;
        u->parts = part->next;
        part->upload = NULL;
        mt_call_cancel(&part->call.life);
    }
    struct upload *dead =
        u->uuid[0] == '\0' || u->call.life.account->closed ? NULL : mt_mem_calloc(1, sizeof *dead);
    if (dead == NULL)
        return;
    memcpy(dead->uuid, u->uuid, sizeof dead->uuid);
    dead->call.life.step = abort_step;
    dead->call.answer = abort_answer;
    dead->call.life.finish = abort_finish;
    dead->call.feature = MT_EM_FEATURE_FILES;
    (void)!mt_call_start(&u->call.life.account->calls, &dead->call.life);
}

/* ---------------------------------------------------------------- the call */

static void look(struct mt_provider_call *call)
{
    mt_source_look(&((struct upload *)call)->source);
}

static void judge(struct mt_provider_call *call)
{
    struct upload *u = (struct upload *)call;
    struct mt_fault fault;
    /* The length in a message has no more bits. */
    enum mt_rc rc = mt_source_judge(&u->source, INT32_MAX, &fault);

    if (rc != MT_OK) {
        if (rc == MT_ERR_INVALID || rc == MT_ERR_LIMIT)
            fault.provider_code = MT_EM_TYPE_UPLOAD;
        mt_call_end(call, rc, &fault);
    } else if (u->source.size_bytes > MT_EM_PARTS_AT) {
        u->stage = INIT;
        mt_em_call_send(call, "POST", "sdk/chatfiles/part-upload", NULL);
    } else {
        send_plain(u);
    }
}

static void upload_step(struct mt_provider_call *call)
{
    struct upload *u = (struct upload *)call;

    switch (u->stage) {
    case LOOK:
        if (u->source.path != NULL)
            mt_call_work(call, look, judge);
        else
            send_plain(u);
        break;
    case PLAIN:
        send_plain(u);
        break;
    case INIT:
        mt_em_call_send(call, "POST", "sdk/chatfiles/part-upload", NULL);
        break;
    case COMPLETE:
        send_complete(u);
        break;
    case PARTS:
    case FINISHED:
        break;
    }
}

static void upload_answer(struct mt_provider_call *call, enum mt_rc rc,
                          const struct mt_http_response *response, const struct mt_fault *fault)
{
    struct upload *u = (struct upload *)call;

    if (is_200(rc, response)) {
        u->call.renewed = false; /* a token may end once between two requests */
        if (u->stage == INIT)
            take_init(u, response);
        else
            take_name(u, response);
    } else if (u->stage == INIT && rc != MT_ERR_CANCELLED) {
        send_plain(u); /* an app without uploads in parts */
    } else {
        fail_answer(call, rc, response, fault);
    }
}

static void upload_finish(struct mt_provider_call *call, enum mt_rc rc,
                          const struct mt_fault *fault)
{
    struct upload *u = (struct upload *)call;

    if (rc != MT_OK && (u->stage == PARTS || u->stage == COMPLETE || u->stage == INIT))
        abort_parts(u);
    u->done(u->ud, rc, fault);
}

static void upload_release(struct mt_provider_call *call)
{
    struct upload *u = (struct upload *)call;

    mt_source_deinit(&u->source);
}

static bool take_target(struct upload *u, const struct mt_conversation_ref *to)
{
    static const char *const types[] = {[MT_CONVERSATION_SINGLE] = "CHAT",
                                        [MT_CONVERSATION_GROUP] = "GROUP",
                                        [MT_CONVERSATION_ROOM] = "ROOM"};
    struct mt_buf target;

    mt_buf_init(&target, sizeof u->target);
    enum mt_rc rc = mt_http_escape(&target, to->target);
    if (rc == MT_OK)
        snprintf(u->target, sizeof u->target, "chat-type=%s&chat-target=%s", types[to->kind],
                 target.data);
    mt_buf_deinit(&target);
    return rc == MT_OK;
}

enum mt_rc mt_em_upload(struct mt_provider_account *account,
                        const struct mt_conversation_ref *conversation,
                        const struct mt_upload *what, struct mt_arena *arena,
                        struct mt_value *attachment, mt_progress_fn *progress, mt_done_fn *done,
                        void *ud, struct mt_provider_call **out)
{
    struct upload *u = mt_mem_calloc(1, sizeof *u);
    struct mt_fault fault = {.kind = MT_OK};

    if (u == NULL)
        return MT_ERR_NOMEM;
    u->call.life.step = upload_step;
    u->call.answer = upload_answer;
    u->call.life.finish = upload_finish;
    u->call.life.release = upload_release;
    u->call.feature = MT_EM_FEATURE_FILES;
    u->arena = arena;
    u->attachment = attachment;
    u->progress = progress;
    u->done = done;
    u->ud = ud;
    *out = &u->call.life;
    if (conversation->kind > MT_CONVERSATION_ROOM) {
        enum mt_rc rc = mt_fault_set(&fault, MT_ERR_UNSUPPORTED, "conversation.kind",
                                     "Easemob has no %s conversations",
                                     mt_conversation_kind_name(conversation->kind));
        return mt_call_fail(&account->calls, &u->call.life, rc, &fault);
    }
    if (what->thumbnail_width > 0)
        snprintf(u->width, sizeof u->width, "%d", what->thumbnail_width);
    if (what->thumbnail_height > 0)
        snprintf(u->height, sizeof u->height, "%d", what->thumbnail_height);
    if (!mt_source_init(&u->source, what) || !take_target(u, conversation)) {
        enum mt_rc rc = mt_fault_set(&fault, MT_ERR_NOMEM, "memory", "out of memory");
        return mt_call_fail(&account->calls, &u->call.life, rc, &fault);
    }
    return mt_call_start(&account->calls, &u->call.life);
}

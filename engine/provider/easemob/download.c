/* Downloads (easemob.md §3.3, §4.9). The host that a message names is never asked, only its path on
 * the account's own host, with the secret in a header. The cloud may send the request on to an
 * object storage, where it comes without token and secret. */
#include "provider/easemob/files_int.h"

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/rand.h"
#include "codec/hash.h"
#include "provider/easemob/account_int.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PATH_MAX_BYTES 1024
#define SECRET_MAX     512
#define MAX_BYTES      ((int64_t)4 << 30)

struct download {
    struct mt_em_call call; /* first */
    mt_progress_fn *progress;
    mt_downloaded_fn *done;
    void *ud;
    char url[PATH_MAX_BYTES]; /* path and query */
    char secret[SECRET_MAX];  /* the header; "" for none */
    char *path;
    char *part;         /* where it is written until it is whole */
    int64_t want_bytes; /* 0: any */
    int64_t max_bytes;
    int64_t bytes;
    char sha256[MT_SHA256_HEX];
    bool discard;
    bool renamed;
    int err;
    const char *verb;
};

/* ---------------------------------------------------------------- the address */

static bool is_segment(const char *s, size_t len)
{
    static const char good[] =
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_.~%";
    if (len == 0 || (len <= 2 && strspn(s, ".") >= len))
        return false;
    return strspn(s, good) >= len;
}

bool mt_em_file_path(const char *remote_path, char *out, size_t size)
{
    size_t len = strcspn(remote_path, "?#");
    const char *tail = len > 9 ? memchr(remote_path + 9, '/', len - 9) : NULL;
    const char *end = remote_path + len;
    const char *at = tail;
    unsigned n = 0;

    if (tail == NULL || (size_t)(end - tail) >= size)
        return false;
    while (at < end) { /* at a slash */
        const char *next = memchr(at + 1, '/', (size_t)(end - at - 1));
        size_t segment = (size_t)((next != NULL ? next : end) - at - 1);
        if (!is_segment(at + 1, segment) ||
            (n == 2 && (segment != 9 || memcmp(at + 1, "chatfiles", 9) != 0)))
            return false;
        n++;
        at = next != NULL ? next : end;
    }
    snprintf(out, size, "%.*s", (int)(end - tail), tail);
    return n == 4; /* ORG, APP, chatfiles, ID */
}

static const char *text_of(const struct mt_value *body, const char *key)
{
    const struct mt_value *v = body->type == MT_VALUE_MAP ? mt_value_get(body, key) : NULL;
    return v != NULL && v->type == MT_VALUE_STR && v->len > 0 && strlen(v->s) == v->len ? v->s
                                                                                        : NULL;
}

static bool take_secret(struct download *d, const char *secret)
{
    for (const char *s = secret; s != NULL && *s != '\0'; s++)
        if ((unsigned char)*s <= ' ' || *s == 0x7f)
            return false;
    return secret == NULL ||
           snprintf(d->secret, sizeof d->secret, "share-secret: %s", secret) < SECRET_MAX;
}

static enum mt_rc take_address(struct download *d, const struct mt_download *what,
                               struct mt_fault *fault)
{
    bool still = what->thumbnail && text_of(what->body, "thumbnail_remote_path") != NULL;
    const char *remote = text_of(what->body, still ? "thumbnail_remote_path" : "remote_path");
    const char *secret = text_of(what->body, still ? "thumbnail_secret" : "secret");
    const struct mt_value *size = NULL;
    char path[PATH_MAX_BYTES - 64];

    if (remote == NULL && !still)
        remote = text_of(what->body, "url");
    if (remote == NULL)
        return mt_fault_set(fault, MT_ERR_INVALID, "download.none",
                            "the message has no attachment");
    if (!mt_em_file_path(remote, path, sizeof path))
        return mt_fault_set(fault, MT_ERR_UNSUPPORTED, "download.foreign",
                            "the attachment is not in the cloud's storage but at %.120s, which is "
                            "not asked",
                            remote);
    if (!take_secret(d, secret))
        return mt_fault_set(fault, MT_ERR_INVALID, "download.secret",
                            "the attachment's secret makes no sense");
    snprintf(d->url, sizeof d->url, "%s?em-redirect=true%s", path,
             !what->thumbnail ? ""
             : still          ? (strstr(remote, "vframe=true") != NULL ? "&vframe=true" : "")
                              : "&thumbnail=true");
    size = what->body->type == MT_VALUE_MAP ? mt_value_get(what->body, "size_bytes") : NULL;
    if (size != NULL && size->type == MT_VALUE_INT && size->i > 0 && !what->thumbnail &&
        !what->any_size)
        d->want_bytes = size->i;
    return MT_OK;
}

/* ---------------------------------------------------------------- the end */

static void store(struct mt_provider_call *call)
{
    struct download *d = (struct download *)call;
    struct mt_fs_stat st;
    char *slash = NULL;

    if (d->discard) {
        (void)mt_fs_unlink(d->part);
        return;
    }
    d->verb = "make";
    d->err = mt_fs_stat(d->path, &st) == 0 ? EEXIST : 0;
    if (d->err == 0)
        d->err = mt_fs_rename(d->part, d->path);
    if (d->err != 0) {
        (void)mt_fs_unlink(d->part);
        return;
    }
    d->renamed = true;
    slash = strrchr(d->part, '/');
    if (slash != NULL) /* part is not needed any more */
        slash[slash == d->part ? 1 : 0] = '\0';
    d->err = mt_fs_sync_dir(slash != NULL ? d->part : ".");
}

static void stored(struct mt_provider_call *call)
{
    struct download *d = (struct download *)call;
    struct mt_fault fault = {.kind = MT_OK};

    if (d->discard) {
        (void)mt_fault_set(&fault, MT_ERR_DAMAGED, "download.size",
                           "the attachment has %lld bytes, but the message says %lld",
                           (long long)d->bytes, (long long)d->want_bytes);
        fault.provider_code = MT_EM_TYPE_DOWNLOAD;
    } else if (d->err == EEXIST) {
        (void)mt_fault_set(&fault, MT_ERR_EXISTS, "file.exists", "%.180s is there already",
                           d->path);
    } else if (d->err != 0) {
        (void)mt_fs_fault(&fault, d->err, d->verb, d->path);
    }
    mt_call_end(call, fault.kind, fault.kind != MT_OK ? &fault : NULL);
}

static enum mt_rc refuse(struct mt_fault *fault, enum mt_rc kind, const char *code, int type,
                         int status, const char *text)
{
    (void)mt_fault_set(fault, kind, code, "%s (HTTP %d)", text, status);
    fault->provider_code = type;
    fault->http_status = status;
    return kind;
}

static enum mt_rc judge(enum mt_rc rc, const struct mt_http_response *response,
                        const struct mt_fault *cause, struct mt_fault *fault)
{
    int status = rc == MT_OK ? response->status : 0;

    if (status == 403)
        return refuse(fault, MT_ERR_DENIED, "download.forbidden", MT_EM_TYPE_FORBIDDEN, status,
                      "the cloud does not give this attachment to this user");
    if (status == 404 && strstr(response->body, "file_expired") != NULL)
        return refuse(fault, MT_ERR_NOT_FOUND, "download.expired", MT_EM_TYPE_EXPIRED, status,
                      "the attachment has expired: the cloud keeps them for 7 days unless the app "
                      "has it otherwise");
    if (status == 404 || status == 410)
        return refuse(fault, MT_ERR_NOT_FOUND, "download.gone", MT_EM_TYPE_DOWNLOAD, status,
                      "the cloud does not have this attachment");
    if (rc == MT_ERR_LIMIT)
        return mt_fault_set(fault, rc, "download.too_large", "%s", cause->message);
    return mt_em_fault_http(fault, MT_EM_FEATURE_FILES, rc, response, cause);
}

static void download_answer(struct mt_provider_call *call, enum mt_rc rc,
                            const struct mt_http_response *response, const struct mt_fault *cause)
{
    struct download *d = (struct download *)call;
    struct mt_fault fault = {.kind = MT_OK};

    if (rc == MT_OK && response->status >= 200 && response->status < 300 &&
        response->sink_sha256[0] != '\0') {
        d->bytes = response->sink_bytes;
        snprintf(d->sha256, sizeof d->sha256, "%s", response->sink_sha256);
        d->discard = response->status != 200 || (d->want_bytes > 0 && d->bytes != d->want_bytes);
        mt_call_work(call, store, stored);
        return;
    }
    rc = judge(rc, response, cause, &fault);
    mt_call_end(call, rc, &fault);
}

/* ---------------------------------------------------------------- the call */

static void on_progress(void *ud, int64_t done_bytes, int64_t total_bytes)
{
    struct download *d = ud;

    if (d->progress != NULL && !d->call.life.ended)
        d->progress(d->ud, done_bytes, total_bytes > 0 ? total_bytes : d->want_bytes);
}

static void download_step(struct mt_provider_call *call)
{
    struct download *d = (struct download *)call;
    const char *const headers[] = {"Accept: */*", d->secret[0] != '\0' ? d->secret : NULL, NULL};
    struct mt_http_sink sink = {.path = d->part, .max_bytes = d->max_bytes};
    struct mt_http_request request = {
        .method = "GET",
        .headers = headers,
        .attempt_ms = MT_EM_FILE_MS,
        .deadline_ms = 2 * MT_EM_FILE_MS,
        .retry = MT_HTTP_RETRY_SAFE,
        .sink = &sink,
        .elsewhere = true,
        .progress = on_progress,
    };

    mt_em_call_request(call, d->url, &request);
}

static void download_finish(struct mt_provider_call *call, enum mt_rc rc,
                            const struct mt_fault *fault)
{
    struct download *d = (struct download *)call;
    struct mt_downloaded downloaded = {.bytes = d->bytes, .sha256 = d->sha256};

    if (rc != MT_OK && d->renamed) /* cancelled in the last moment */
        (void)mt_fs_unlink(d->path);
    d->done(d->ud, rc, rc == MT_OK ? &downloaded : NULL, fault);
}

static void download_release(struct mt_provider_call *call)
{
    struct download *d = (struct download *)call;

    mt_mem_free(d->path);
    mt_mem_free(d->part);
}

/* Beside the file, under a name that no other download has. */
static bool name_files(struct download *d, const char *path)
{
    uint8_t random[8];
    char hex[2 * sizeof random + 1];
    size_t size = strlen(path) + sizeof hex + 8;

    mt_rand_bytes(random, sizeof random);
    mt_hex(random, sizeof random, hex);
    d->path = mt_mem_strdup(path);
    d->part = mt_mem_alloc(size);
    if (d->path == NULL || d->part == NULL)
        return false;
    snprintf(d->part, size, "%s.%s.part", path, hex);
    return true;
}

enum mt_rc mt_em_download(struct mt_provider_account *account, const struct mt_download *what,
                          mt_progress_fn *progress, mt_downloaded_fn *done, void *ud,
                          struct mt_provider_call **out)
{
    struct download *d = mt_mem_calloc(1, sizeof *d);
    struct mt_fault fault = {.kind = MT_OK};

    if (d == NULL)
        return MT_ERR_NOMEM;
    d->call.life.step = download_step;
    d->call.answer = download_answer;
    d->call.life.finish = download_finish;
    d->call.life.release = download_release;
    d->call.feature = MT_EM_FEATURE_FILES;
    d->progress = progress;
    d->done = done;
    d->ud = ud;
    d->max_bytes = what->max_bytes > 0 ? what->max_bytes : MAX_BYTES;
    *out = &d->call.life;
    enum mt_rc rc = take_address(d, what, &fault);
    if (rc == MT_OK && !name_files(d, what->path))
        rc = mt_fault_set(&fault, MT_ERR_NOMEM, "memory", "out of memory");
    return rc != MT_OK ? mt_call_fail(&account->calls, &d->call.life, rc, &fault)
                       : mt_call_start(&account->calls, &d->call.life);
}

/* Downloads (easemob.md §3.3, §4.9). The host that a message names is never asked, only its path on
 * the account's own host, with the secret in a header. The cloud may send the request on to an
 * object storage, where it comes without token and secret. */
#include "provider/easemob/files_int.h"

#include "base/mem.h"
#include "provider/easemob/account_int.h"
#include "provider/fetch.h"

#include <stdio.h>
#include <string.h>

#define PATH_MAX_BYTES 1024
#define SECRET_MAX     512

struct download {
    struct mt_em_call call; /* first */
    struct mt_fetch fetch;
    char url[PATH_MAX_BYTES]; /* path and query */
    char secret[SECRET_MAX];  /* the header; "" for none */
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
    bool still = what->thumbnail && mt_fetch_text(what->body, "thumbnail_remote_path") != NULL;
    const char *remote = mt_fetch_text(what->body, still ? "thumbnail_remote_path" : "remote_path");
    const char *secret = mt_fetch_text(what->body, still ? "thumbnail_secret" : "secret");
    char path[PATH_MAX_BYTES - 64];

    if (remote == NULL && !still)
        remote = mt_fetch_text(what->body, "url");
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
    return MT_OK;
}

/* ---------------------------------------------------------------- the end */

static void store(struct mt_provider_call *call)
{
    mt_fetch_store(&((struct download *)call)->fetch);
}

static void stored(struct mt_provider_call *call)
{
    struct mt_fault fault = {.kind = MT_OK};
    enum mt_rc rc = mt_fetch_stored(&((struct download *)call)->fetch, &fault);

    if (rc == MT_ERR_DAMAGED)
        fault.provider_code = MT_EM_TYPE_DOWNLOAD;
    mt_call_end(call, rc, rc != MT_OK ? &fault : NULL);
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

    if (mt_fetch_came(&d->fetch, rc, response)) {
        mt_call_work(call, store, stored);
        return;
    }
    rc = judge(rc, response, cause, &fault);
    mt_call_end(call, rc, &fault);
}

/* ---------------------------------------------------------------- the call */

static void on_progress(void *ud, int64_t done_bytes, int64_t total_bytes)
{
    mt_fetch_progress(&((struct download *)ud)->fetch, done_bytes, total_bytes);
}

static void download_step(struct mt_provider_call *call)
{
    struct download *d = (struct download *)call;
    const char *const headers[] = {"Accept: */*", d->secret[0] != '\0' ? d->secret : NULL, NULL};
    struct mt_http_request request = {
        .headers = headers,
        .attempt_ms = MT_EM_FILE_MS,
        .deadline_ms = 2 * MT_EM_FILE_MS,
        .elsewhere = true,
        .progress = on_progress,
    };

    mt_fetch_request(&d->fetch, &request);
    mt_em_call_request(call, d->url, &request);
}

static void download_finish(struct mt_provider_call *call, enum mt_rc rc,
                            const struct mt_fault *fault)
{
    mt_fetch_finish(&((struct download *)call)->fetch, rc, fault);
}

static void download_release(struct mt_provider_call *call)
{
    mt_fetch_deinit(&((struct download *)call)->fetch);
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
    *out = &d->call.life;
    enum mt_rc rc = take_address(d, what, &fault);
    if (!mt_fetch_init(&d->fetch, what, progress, done, ud))
        rc = mt_fault_set(&fault, MT_ERR_NOMEM, "memory", "out of memory");
    return rc != MT_OK ? mt_call_fail(&account->calls, &d->call.life, rc, &fault)
                       : mt_call_start(&account->calls, &d->call.life);
}

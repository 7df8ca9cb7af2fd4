/* Downloads: what a message names is fetched from where the cloud keeps files, without any
 * credentials; what it holds itself is written down (rongcloud.md 4.5: VcMsg, thumbnails). */
#include "provider/rongcloud/files_int.h"

#include "base/fs.h"
#include "base/mem.h"
#include "codec/base64.h"
#include "codec/hash.h"
#include "provider/fetch.h"

#include <stdio.h>
#include <string.h>

struct download {
    struct mt_rong_file_call call; /* first */
    struct mt_fetch fetch;
    char *remote;  /* NULL: data */
    uint8_t *data; /* that the message itself holds */
    size_t len;
};

/* ---------------------------------------------------------------- what the message holds */

static void write_data(struct mt_provider_call *life)
{
    struct download *d = (struct download *)life;

    d->fetch.verb = "write";
    d->fetch.err = mt_fs_replace(d->fetch.part, d->data, d->len);
    if (d->fetch.err == 0)
        mt_fetch_store(&d->fetch);
}

static void stored(struct mt_provider_call *life)
{
    struct download *d = (struct download *)life;
    struct mt_fault fault = {.kind = MT_OK};
    enum mt_rc rc = mt_fetch_stored(&d->fetch, &fault);

    mt_call_end(life, rc, rc != MT_OK ? &fault : NULL);
}

static void put_data(struct download *d)
{
    uint8_t hash[MT_SHA256_LEN];

    mt_sha256_of(d->data, d->len, hash);
    mt_hex(hash, sizeof hash, d->fetch.sha256);
    d->fetch.bytes = (int64_t)d->len;
    mt_call_work(&d->call.base.life, write_data, stored);
}

/* ---------------------------------------------------------------- what it names */

static void on_progress(void *ud, int64_t done_bytes, int64_t total_bytes)
{
    mt_fetch_progress(&((struct download *)ud)->fetch, done_bytes, total_bytes);
}

static void step(struct mt_provider_call *life)
{
    static const char *const headers[] = {"Accept: */*", NULL};
    struct download *d = (struct download *)life;
    struct mt_fault fault = {.kind = MT_OK};
    char url[MT_RONG_URL_MAX];
    struct mt_http_request request = {
        .url = url,
        .headers = headers,
        .attempt_ms = MT_RONG_FILE_MS,
        .deadline_ms = 2 * MT_RONG_FILE_MS,
        .progress = on_progress,
    };
    enum mt_rc rc = MT_OK;

    if (d->remote == NULL) {
        put_data(d);
        return;
    }
    rc = mt_rong_media_url(life->account, d->remote, url, &fault);
    mt_fetch_request(&d->fetch, &request);
    if (rc == MT_OK)
        mt_rong_http(life, &request);
    else
        mt_call_end_soon(life, rc, &fault);
}

static void store(struct mt_provider_call *life)
{
    mt_fetch_store(&((struct download *)life)->fetch);
}

static enum mt_rc judge(enum mt_rc rc, int status, const struct mt_fault *cause,
                        struct mt_fault *fault)
{
    if (rc == MT_ERR_LIMIT)
        return mt_fault_set(fault, rc, "download.too_large", "%s", cause->message);
    if (status == 401 || status == 403)
        return mt_fault_set(fault, MT_ERR_DENIED, "download.forbidden",
                            "the storage does not give this attachment: its address may have "
                            "expired (HTTP %d)",
                            status);
    if (status == 404 || status == 410)
        return mt_fault_set(fault, MT_ERR_NOT_FOUND, "download.gone",
                            "the storage does not have this attachment (any more) (HTTP %d)",
                            status);
    if (rc != MT_OK) {
        *fault = *cause;
        return rc;
    }
    return mt_fault_set(fault, status >= 500 ? MT_ERR_REMOTE : MT_ERR_PROTOCOL, "download.failed",
                        "the storage answered with HTTP %d", status);
}

static void came(struct mt_provider_call *life, enum mt_rc rc,
                 const struct mt_http_response *response, const struct mt_fault *cause)
{
    struct download *d = (struct download *)life;
    struct mt_fault fault = {.kind = MT_OK};
    int status = response != NULL ? response->status : 0;

    if (mt_fetch_came(&d->fetch, rc, response)) {
        mt_call_work(life, store, stored);
        return;
    }
    rc = judge(rc, status, cause, &fault);
    fault.http_status = status;
    mt_call_end(life, rc, &fault);
}

/* ---------------------------------------------------------------- the call */

static void finish(struct mt_provider_call *life, enum mt_rc rc, const struct mt_fault *fault)
{
    mt_fetch_finish(&((struct download *)life)->fetch, rc, fault);
}

static void release(struct mt_provider_call *life)
{
    struct download *d = (struct download *)life;

    mt_fetch_deinit(&d->fetch);
    mt_mem_free(d->remote);
    mt_mem_free(d->data);
}

static enum mt_rc take_data(struct download *d, const char *text, struct mt_fault *fault)
{
    size_t len = strlen(text);

    d->data = mt_mem_alloc(len + 4);
    if (d->data == NULL)
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    if (mt_base64_decode(text, len, d->data, &d->len) != MT_OK || d->len == 0)
        return mt_fault_set(fault, MT_ERR_INVALID, "download.none",
                            "what the message holds is not written as base64");
    return MT_OK;
}

static enum mt_rc take_body(struct download *d, const struct mt_download *what,
                            struct mt_fault *fault)
{
    const char *inside =
        mt_fetch_text(what->body, what->thumbnail ? "thumbnail_base64" : "data_base64");
    const char *remote = what->thumbnail ? NULL : mt_fetch_text(what->body, "remote_path");

    if (remote == NULL && !what->thumbnail)
        remote = mt_fetch_text(what->body, "url");
    if (remote == NULL && inside != NULL)
        return take_data(d, inside, fault);
    if (remote == NULL)
        return mt_fault_set(fault, MT_ERR_INVALID, "download.none",
                            what->thumbnail ? "the message holds no thumbnail"
                                            : "the message has no attachment");
    d->remote = mt_mem_strdup(remote);
    return d->remote != NULL ? MT_OK : mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
}

enum mt_rc mt_rong_download(struct mt_provider_account *account, const struct mt_download *what,
                            mt_progress_fn *progress, mt_downloaded_fn *done, void *ud,
                            struct mt_provider_call **out)
{
    struct download *d = mt_mem_calloc(1, sizeof *d);
    struct mt_fault fault = {.kind = MT_OK};
    enum mt_rc rc = MT_OK;

    if (d == NULL)
        return MT_ERR_NOMEM;
    d->call.base.life.step = step;
    d->call.base.life.finish = finish;
    d->call.base.life.release = release;
    d->call.base.verb = "download";
    d->call.came = came;
    rc = take_body(d, what, &fault);
    if (!mt_fetch_init(&d->fetch, what, progress, done, ud))
        rc = mt_fault_set(&fault, MT_ERR_NOMEM, "memory", "out of memory");
    if (d->data != NULL) /* the size that a message says is that of what it names */
        d->fetch.want_bytes = 0;
    rc = rc != MT_OK ? mt_call_fail(&account->calls, &d->call.base.life, rc, &fault)
                     : mt_call_start(&account->calls, &d->call.base.life);
    if (out != NULL)
        *out = rc != MT_OK ? NULL : &d->call.base.life;
    return rc;
}

/* A download into a new file: see fetch.h. */
#include "provider/fetch.h"

#include "base/fs.h"
#include "base/mem.h"
#include "base/rand.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MAX_BYTES ((int64_t)4 << 30)

const char *mt_fetch_text(const struct mt_value *body, const char *key)
{
    const struct mt_value *v = body->type == MT_VALUE_MAP ? mt_value_get(body, key) : NULL;

    return v != NULL && v->type == MT_VALUE_STR && v->len > 0 && strlen(v->s) == v->len ? v->s
                                                                                        : NULL;
}

/* Beside the file, under a name that no other download has. */
static bool name_files(struct mt_fetch *fetch, const char *path)
{
    uint8_t random[8];
    char hex[2 * sizeof random + 1];
    size_t size = strlen(path) + sizeof hex + 8;

    mt_rand_bytes(random, sizeof random);
    mt_hex(random, sizeof random, hex);
    fetch->path = mt_mem_strdup(path);
    fetch->part = mt_mem_alloc(size);
    if (fetch->path == NULL || fetch->part == NULL)
        return false;
    snprintf(fetch->part, size, "%s.%s.part", path, hex);
    return true;
}

bool mt_fetch_init(struct mt_fetch *fetch, const struct mt_download *what, mt_progress_fn *progress,
                   mt_downloaded_fn *done, void *ud)
{
    const struct mt_value *size =
        what->body->type == MT_VALUE_MAP ? mt_value_get(what->body, "size_bytes") : NULL;

    memset(fetch, 0, sizeof *fetch);
    fetch->progress = progress;
    fetch->done = done;
    fetch->ud = ud;
    fetch->max_bytes = what->max_bytes > 0 ? what->max_bytes : MAX_BYTES;
    if (size != NULL && size->type == MT_VALUE_INT && size->i > 0 && !what->thumbnail &&
        !what->any_size)
        fetch->want_bytes = size->i;
    return name_files(fetch, what->path);
}

void mt_fetch_deinit(struct mt_fetch *fetch)
{
    mt_mem_free(fetch->path);
    mt_mem_free(fetch->part);
}

void mt_fetch_request(struct mt_fetch *fetch, struct mt_http_request *request)
{
    fetch->sink = (struct mt_http_sink){.path = fetch->part, .max_bytes = fetch->max_bytes};
    request->method = "GET";
    request->retry = MT_HTTP_RETRY_SAFE;
    request->sink = &fetch->sink;
}

void mt_fetch_progress(const struct mt_fetch *fetch, int64_t done_bytes, int64_t total_bytes)
{
    if (fetch->progress != NULL && !fetch->ended)
        fetch->progress(fetch->ud, done_bytes, total_bytes > 0 ? total_bytes : fetch->want_bytes);
}

bool mt_fetch_came(struct mt_fetch *fetch, enum mt_rc rc, const struct mt_http_response *response)
{
    if (rc != MT_OK || response->status < 200 || response->status >= 300 ||
        response->sink_sha256[0] == '\0')
        return false;
    fetch->bytes = response->sink_bytes;
    snprintf(fetch->sha256, sizeof fetch->sha256, "%s", response->sink_sha256);
    fetch->discard =
        response->status != 200 || (fetch->want_bytes > 0 && fetch->bytes != fetch->want_bytes);
    return true;
}

void mt_fetch_store(struct mt_fetch *fetch)
{
    struct mt_fs_stat st;
    char *slash = NULL;

    if (fetch->discard) {
        (void)mt_fs_unlink(fetch->part);
        return;
    }
    fetch->verb = "make";
    fetch->err = mt_fs_stat(fetch->path, &st) == 0 ? EEXIST : 0;
    if (fetch->err == 0)
        fetch->err = mt_fs_rename(fetch->part, fetch->path);
    if (fetch->err != 0) {
        (void)mt_fs_unlink(fetch->part);
        return;
    }
    fetch->renamed = true;
    slash = strrchr(fetch->part, '/');
    if (slash != NULL) /* part is not needed any more */
        slash[slash == fetch->part ? 1 : 0] = '\0';
    fetch->err = mt_fs_sync_dir(slash != NULL ? fetch->part : ".");
}

enum mt_rc mt_fetch_stored(const struct mt_fetch *fetch, struct mt_fault *fault)
{
    if (fetch->discard)
        return mt_fault_set(fault, MT_ERR_DAMAGED, "download.size",
                            "the attachment has %lld bytes, but the message says %lld",
                            (long long)fetch->bytes, (long long)fetch->want_bytes);
    if (fetch->err == EEXIST)
        return mt_fault_set(fault, MT_ERR_EXISTS, "file.exists", "%.180s is there already",
                            fetch->path);
    return fetch->err != 0 ? mt_fs_fault(fault, fetch->err, fetch->verb, fetch->path) : MT_OK;
}

void mt_fetch_finish(struct mt_fetch *fetch, enum mt_rc rc, const struct mt_fault *fault)
{
    struct mt_downloaded downloaded = {.bytes = fetch->bytes, .sha256 = fetch->sha256};

    fetch->ended = true;
    if (rc != MT_OK && fetch->renamed) /* cancelled in the last moment */
        (void)mt_fs_unlink(fetch->path);
    fetch->done(fetch->ud, rc, rc == MT_OK ? &downloaded : NULL, fault);
}

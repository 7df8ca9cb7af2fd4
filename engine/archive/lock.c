/* LOCK: one writer at a time. The lock is the kernel's (it goes with the process); the content only
 * tells a second one who holds it. */
#include "archive/archive_int.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "codec/json.h"
#include "codec/time.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LOCK_MAX 1024u

static enum mt_rc held(const char *path, struct mt_fault *fault)
{
    struct mt_json *root = NULL;
    struct mt_fault ignored;
    char *text = NULL;
    size_t len = 0;
    enum mt_rc rc = MT_ERR_BUSY;

    if (!mt_fs_read_all(path, LOCK_MAX, &text, &len) &&
        !mt_json_parse(text, len, LOCK_MAX, &root, &ignored)) {
        const char *host = mt_json_str(mt_json_get(root, "host"));
        const char *since = mt_json_str(mt_json_get(root, "since"));
        rc = mt_fault_set(fault, MT_ERR_BUSY, "archive.locked",
                          "another export is writing this archive: process %lld on %s since %s. "
                          "Wait for it or stop it",
                          (long long)mt_json_i64(mt_json_get(root, "pid"), 0), host ? host : "?",
                          since ? since : "?");
    } else {
        rc = mt_fault_set(fault, MT_ERR_BUSY, "archive.locked",
                          "another process is writing this archive. Wait for it or stop it");
    }
    mt_json_free(root);
    mt_mem_free(text);
    return rc;
}

static enum mt_rc print_holder(struct mt_buf *text)
{
    struct mt_jsonw w;
    char host[256] = "";
    char since[MT_TIME_RFC3339_LEN];

    if (gethostname(host, sizeof host - 1))
        snprintf(host, sizeof host, "localhost");
    mt_time_format(mt_clock_wall_ms(), since);
    mt_jsonw_init(&w, text);
    mt_jsonw_object(&w);
    mt_ar_put_i64(&w, "pid", getpid());
    mt_ar_put_str(&w, "host", host);
    mt_ar_put_str(&w, "since", since);
    mt_jsonw_object_end(&w);
    return mt_buf_append_char(text, '\n');
}

enum mt_rc mt_ar_lock(struct mt_archive *archive, struct mt_fault *fault)
{
    char path[MT_AR_PATH_MAX];
    struct mt_buf text;
    enum mt_rc rc = MT_OK;

    snprintf(path, sizeof path, "%s/LOCK", archive->root);
    int err = mt_fs_open(path, MT_FS_WRITE | MT_FS_CREATE, &archive->lock_fd);
    if (err) {
        archive->lock_fd = -1;
        return mt_fs_fault(fault, err, "open", path);
    }
    err = mt_fs_lock(archive->lock_fd);
    if (err == EWOULDBLOCK)
        return held(path, fault);
    if (err)
        return mt_fs_fault(fault, err, "lock", path);
    mt_buf_init(&text, LOCK_MAX);
    if (print_holder(&text))
        rc = mt_ar_nomem(fault);
    if (!rc) {
        err = mt_fs_truncate(archive->lock_fd, 0);
        if (!err)
            err = mt_fs_write(archive->lock_fd, text.data, text.len);
        if (err)
            rc = mt_fs_fault(fault, err, "write", path);
    }
    mt_buf_deinit(&text);
    return rc;
}

enum mt_rc mt_ar_lock_probe(const char *root, struct mt_fault *fault)
{
    char path[MT_AR_PATH_MAX];
    int fd = -1;

    snprintf(path, sizeof path, "%s/LOCK", root);
    if (mt_fs_open(path, MT_FS_READ, &fd))
        return MT_OK; /* a copy without its LOCK is as good */
    int err = mt_fs_lock(fd);
    mt_fs_close(fd);
    return err == EWOULDBLOCK ? held(path, fault) : MT_OK;
}

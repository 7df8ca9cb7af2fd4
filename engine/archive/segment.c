/* The open segment of a conversation, made ready for appending. */
#include "archive/archive_int.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"

#include <errno.h>
#include <string.h>

#define READ_BYTES (256u << 10)

/* Hashes the committed bytes again, so that what is appended continues what was really there. */
static enum mt_rc rehash(struct mt_ar_conv *conv, const char *name, struct mt_fault *fault)
{
    char *block = mt_mem_alloc(READ_BYTES);
    char hex[MT_SHA256_HEX];
    int64_t at = 0;
    enum mt_rc rc = block ? MT_OK : mt_ar_nomem(fault);

    while (at < conv->offset && !rc) {
        int64_t left = conv->offset - at;
        size_t got = 0;
        int err =
            mt_fs_pread(conv->fd, block, left < READ_BYTES ? (size_t)left : READ_BYTES, at, &got);
        if (err)
            rc = mt_fs_fault(fault, err, "read", name);
        else if (!got)
            rc = mt_ar_damaged(fault, name, "it is shorter than what was committed");
        else
            mt_sha256_update(conv->hash, block, got);
        at += (int64_t)got;
    }
    mt_mem_free(block);
    if (rc || !conv->offset)
        return rc;
    mt_ar_hex_peek(conv->hash, hex);
    return strcmp(hex, conv->sha256) != 0
               ? mt_ar_damaged(fault, name, "its content is not what was committed")
               : MT_OK;
}

static enum mt_rc start_hash(struct mt_ar_conv *conv, const char *name, struct mt_fault *fault)
{
    conv->hash = mt_sha256_new();
    if (!conv->hash)
        return mt_ar_nomem(fault);
    enum mt_rc rc = rehash(conv, name, fault);
    if (rc) {
        mt_sha256_free(conv->hash);
        conv->hash = NULL;
    }
    return rc;
}

enum mt_rc mt_ar_segment_open(struct mt_archive *archive, struct mt_ar_conv *conv,
                              struct mt_fault *fault)
{
    char path[MT_AR_PATH_MAX];
    char folder[MT_AR_PATH_MAX];
    const char *name = path + strlen(archive->base) + 1;
    enum mt_rc rc = MT_OK;
    int err = 0;

    mt_ar_segment_path(archive, conv, conv->segment, "", path);
    conv->created = conv->offset == 0;
    if (conv->created) {
        mt_ar_path(archive, folder, "conv/%s", conv->dir);
        err = mt_fs_mkdirs(folder);
    }
    if (!err)
        err = mt_fs_open(path, MT_FS_WRITE | (conv->created ? MT_FS_CREATE | MT_FS_TRUNCATE : 0u),
                         &conv->fd);
    if (err) {
        conv->fd = -1;
        return err == ENOENT ? mt_ar_damaged(fault, name, "it is missing")
                             : mt_fs_fault(fault, err, "open", path);
    }
    if (conv->created)
        conv->born_ms = mt_clock_wall_ms();
    if (!conv->hash)
        rc = start_hash(conv, name, fault);
    if (rc)
        return rc;
    err = mt_fs_truncate(conv->fd, conv->offset);
    if (!err)
        err = mt_fs_seek(conv->fd, conv->offset);
    return err ? mt_fs_fault(fault, err, "open", path) : MT_OK;
}

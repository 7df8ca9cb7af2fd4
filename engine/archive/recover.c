/* After a run that did not end: everything beyond the last commit is cut off or removed, everything
 * before it must be there. */
#include "archive/archive_int.h"

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READ_BYTES (256u << 10)

/* Cuts path down to size_bytes; a shorter file is damage, a missing one too unless nothing of it is
 * committed. */
static enum mt_rc cut_file(const char *path, const char *name, int64_t size_bytes,
                           struct mt_fault *fault)
{
    struct mt_fs_stat st;
    int fd = -1;
    int err = mt_fs_stat(path, &st);

    if (err == ENOENT && !size_bytes)
        return MT_OK;
    if (err == ENOENT)
        return mt_ar_damaged(fault, name, "it is missing");
    if (err)
        return mt_fs_fault(fault, err, "look at", path);
    if (st.size_bytes < size_bytes)
        return mt_ar_damaged(fault, name, "it is shorter than what was committed");
    if (st.size_bytes == size_bytes)
        return MT_OK;
    err = mt_fs_open(path, MT_FS_WRITE, &fd);
    if (!err)
        err = mt_fs_truncate(fd, size_bytes);
    if (!err)
        err = mt_fs_fsync(fd);
    if (fd >= 0)
        mt_fs_close(fd);
    return err ? mt_fs_fault(fault, err, "cut", path) : MT_OK;
}

/* What a file of a conversation's folder is: 1 known, 0 to be removed. */
static bool belongs(const struct mt_ar_conv *conv, const char *name)
{
    char want[64];
    char *end = NULL;
    unsigned long segment = strtoul(name, &end, 10);

    if (!segment || segment > conv->segment)
        return false;
    snprintf(want, sizeof want, "%06lu.jsonl%s", segment, segment < conv->segment ? ".zst" : "");
    return !strcmp(want, name);
}

static enum mt_rc clean_folder(struct mt_archive *archive, const char *dir,
                               const struct mt_ar_conv *conv, struct mt_fault *fault)
{
    char folder[MT_AR_PATH_MAX];
    char path[MT_AR_PATH_MAX];
    char **names = NULL;
    size_t n = 0;

    mt_ar_path(archive, folder, "conv/%s", dir);
    int err = mt_fs_list(folder, &names, &n);
    if (err)
        return err == ENOTDIR ? MT_OK : mt_fs_fault(fault, err, "read", folder);
    for (size_t i = 0; i < n && !err; i++) {
        if (conv && belongs(conv, names[i]))
            continue;
        mt_ar_path(archive, path, "conv/%s/%s", dir, names[i]);
        err = mt_fs_unlink(path);
    }
    mt_mem_free(names);
    if (!err && !conv)
        err = mt_fs_rmdir(folder);
    return err ? mt_fs_fault(fault, err, "remove", folder) : MT_OK;
}

struct search {
    const char *dir;
    const struct mt_ar_conv *found;
};

static bool same_dir(void *ud, const char *key, void *value)
{
    struct search *search = ud;
    const struct mt_ar_conv *conv = value;
    (void)key;
    if (!strcmp(conv->dir, search->dir))
        search->found = conv;
    return !search->found;
}

static enum mt_rc clean_folders(struct mt_archive *archive, struct mt_fault *fault)
{
    char folder[MT_AR_PATH_MAX];
    char **names = NULL;
    size_t n = 0;
    enum mt_rc rc = MT_OK;

    mt_ar_path(archive, folder, "conv");
    int err = mt_fs_list(folder, &names, &n);
    if (err)
        return err == ENOENT ? MT_OK : mt_fs_fault(fault, err, "read", folder);
    for (size_t i = 0; i < n && !rc; i++) {
        struct search search = {names[i], NULL};
        mt_map_each(archive->convs, same_dir, &search);
        rc = clean_folder(archive, names[i], search.found, fault);
    }
    mt_mem_free(names);
    return rc;
}

struct cut {
    struct mt_archive *archive;
    struct mt_fault *fault;
    enum mt_rc rc;
};

static bool cut_conv(void *ud, const char *key, void *value)
{
    struct cut *cut = ud;
    struct mt_ar_conv *conv = value;
    char path[MT_AR_PATH_MAX];

    (void)key;
    mt_ar_segment_path(cut->archive, conv, conv->segment, "", path);
    cut->rc = cut_file(path, path + strlen(cut->archive->base) + 1, conv->offset, cut->fault);
    return !cut->rc;
}

enum mt_rc mt_ar_recover(struct mt_archive *archive, struct mt_fault *fault)
{
    struct cut cut = {archive, fault, MT_OK};
    char path[MT_AR_PATH_MAX];

    if (archive->journal.clean && !archive->journal.torn)
        return MT_OK;
    mt_log(MT_LOG_INFO, "archive", "the last run did not end; going back to its last commit");
    mt_ar_path(archive, path, "CHECKPOINT");
    enum mt_rc rc = cut_file(path, "CHECKPOINT", archive->journal.good_bytes, fault);
    if (rc)
        return rc;
    mt_ar_path(archive, path, "MANIFEST.jsonl");
    rc = cut_file(path, "MANIFEST.jsonl", archive->journal.manifest.bytes, fault);
    if (rc)
        return rc;
    mt_map_each(archive->convs, cut_conv, &cut);
    if (cut.rc)
        return cut.rc;
    return clean_folders(archive, fault);
}

/* Hashes the committed bytes again, so that what is appended continues what was really there. */
static enum mt_rc rehash(struct mt_ar_conv *conv, int fd, const char *name, struct mt_fault *fault)
{
    char *block = mt_mem_alloc(READ_BYTES);
    char hex[MT_SHA256_HEX];
    uint8_t sum[MT_SHA256_LEN];
    int64_t at = 0;
    enum mt_rc rc = MT_OK;

    if (!block)
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    while (at < conv->offset && !rc) {
        int64_t left = conv->offset - at;
        size_t got = 0;
        int err = mt_fs_pread(fd, block, left < READ_BYTES ? (size_t)left : READ_BYTES, at, &got);
        if (err)
            rc = mt_fs_fault(fault, err, "read", name);
        else if (!got)
            rc = mt_ar_damaged(fault, name, "it is shorter than what was committed");
        else
            mt_sha256_update(conv->hash, block, got);
        at += (int64_t)got;
    }
    mt_mem_free(block);
    if (rc)
        return rc;
    mt_sha256_peek(conv->hash, sum);
    mt_hex(sum, sizeof sum, hex);
    if (conv->offset && strcmp(hex, conv->sha256) != 0)
        return mt_ar_damaged(fault, name, "its content is not what was committed");
    return MT_OK;
}

enum mt_rc mt_ar_segment_open(struct mt_archive *archive, struct mt_ar_conv *conv,
                              struct mt_fault *fault)
{
    char path[MT_AR_PATH_MAX];
    char folder[MT_AR_PATH_MAX];
    const char *name = NULL;
    enum mt_rc rc = MT_OK;
    int err = 0;

    mt_ar_segment_path(archive, conv, conv->segment, "", path);
    name = path + strlen(archive->base) + 1;
    conv->created = conv->offset == 0;
    if (conv->created) {
        mt_ar_path(archive, folder, "conv/%s", conv->dir);
        err = mt_fs_mkdirs(folder);
    }
    if (!err)
        err = mt_fs_open(path, MT_FS_WRITE | (conv->created ? MT_FS_CREATE | MT_FS_TRUNCATE : 0u),
                         &conv->fd);
    if (err == ENOENT)
        return mt_ar_damaged(fault, name, "it is missing");
    if (err)
        return mt_fs_fault(fault, err, "open", path);
    if (!conv->hash) {
        conv->hash = mt_sha256_new();
        rc = conv->hash ? rehash(conv, conv->fd, name, fault)
                        : mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    }
    if (!rc) {
        err = mt_fs_truncate(conv->fd, conv->offset);
        if (!err)
            err = mt_fs_seek(conv->fd, conv->offset);
        if (err)
            rc = mt_fs_fault(fault, err, "open", path);
    }
    return rc;
}

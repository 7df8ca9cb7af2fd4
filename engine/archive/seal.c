/* Sealing: an open segment becomes a compressed file with a line in the manifest. At every moment
 * one of the two forms is whole and known. */
#include "archive/archive_int.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "codec/zstd.h"

#include <errno.h>
#include <string.h>

#define READ_BYTES (256u << 10)

static enum mt_rc hash_file(const char *path, char hex[MT_SHA256_HEX], int64_t *bytes,
                            struct mt_fault *fault)
{
    struct mt_sha256 *hash = mt_sha256_new();
    char *block = mt_mem_alloc(READ_BYTES);
    size_t got = 1;
    int fd = -1;
    int err = !hash || !block ? ENOMEM : mt_fs_open(path, MT_FS_READ, &fd);

    *bytes = 0;
    while (!err && got) {
        err = mt_fs_read(fd, block, READ_BYTES, &got);
        if (!err) {
            mt_sha256_update(hash, block, got);
            *bytes += (int64_t)got;
        }
    }
    if (!err)
        mt_ar_hex_peek(hash, hex);
    if (fd >= 0)
        mt_fs_close(fd);
    mt_sha256_free(hash);
    mt_mem_free(block);
    return err ? mt_fs_fault(fault, err, "read", path) : MT_OK;
}

static enum mt_rc add_to_hash(void *ud, const void *p, size_t len)
{
    mt_sha256_update(ud, p, len);
    return MT_OK;
}

/* What was compressed must come out again as it was committed, before the original is let go. */
static enum mt_rc prove(const char *path, const struct mt_ar_conv *conv, struct mt_fault *fault)
{
    struct mt_sha256 *hash = mt_sha256_new();
    char hex[MT_SHA256_HEX];
    int fd = -1;
    enum mt_rc rc = MT_OK;

    if (!hash)
        return mt_ar_nomem(fault);
    int err = mt_fs_open(path, MT_FS_READ, &fd);
    if (err)
        rc = mt_fs_fault(fault, err, "read", path);
    if (!rc)
        rc = mt_zstd_decompress_fd(fd, conv->offset, add_to_hash, hash, fault);
    if (!rc) {
        mt_ar_hex_peek(hash, hex);
        if (strcmp(hex, conv->sha256) != 0)
            rc = MT_ERR_LIMIT;
    }
    if (rc == MT_ERR_LIMIT)
        rc = mt_ar_damaged(fault, path + strlen(path) - strlen("000001.jsonl.zst.tmp"),
                           "the segment is not what was committed");
    if (fd >= 0)
        mt_fs_close(fd);
    mt_sha256_free(hash);
    return rc;
}

static enum mt_rc compress_segment(const struct mt_archive *archive, const struct mt_ar_conv *conv,
                                   const char *raw, const char *tmp, struct mt_fault *fault)
{
    int in = -1;
    int out = -1;
    enum mt_rc rc = MT_OK;
    int err = mt_fs_open(raw, MT_FS_READ, &in);

    if (err)
        return err == ENOENT
                   ? mt_ar_damaged(fault, raw + strlen(archive->base) + 1, "it is missing")
                   : mt_fs_fault(fault, err, "open", raw);
    err = mt_fs_open(tmp, MT_FS_WRITE | MT_FS_CREATE | MT_FS_TRUNCATE, &out);
    if (err)
        rc = mt_fs_fault(fault, err, "open", tmp);
    if (!rc)
        rc = mt_zstd_compress_fd(in, out, archive->options.zstd_level, fault);
    if (!rc && (err = mt_fs_fsync(out)))
        rc = mt_fs_fault(fault, err, "write", tmp);
    mt_fs_close(in);
    if (out >= 0)
        mt_fs_close(out);
    return rc ? rc : prove(tmp, conv, fault);
}

static void next_segment(struct mt_ar_conv *conv, struct mt_ar_sealed *sealed)
{
    if (conv->sealed_last)
        conv->sealed_last->next = sealed;
    else
        conv->sealed = sealed;
    conv->sealed_last = sealed;
    conv->segment++;
    conv->offset = 0;
    conv->born_ms = 0;
    memset(&conv->counts, 0, sizeof conv->counts);
    mt_ar_hex_zero(conv->sha256);
    mt_sha256_free(conv->hash);
    conv->hash = NULL;
}

/* The compressed form is there and durable; now it becomes the one that counts. Removing the
 * original is made durable too: it must not come back beside an archive that was ended. */
static enum mt_rc record_seal(struct mt_archive *archive, struct mt_ar_conv *conv,
                              struct mt_ar_sealed *sealed, const char *raw, const char *folder,
                              struct mt_fault *fault)
{
    enum mt_rc rc = mt_ar_manifest_append(archive, conv, sealed, fault);

    if (rc) {
        mt_mem_free(sealed);
        return rc;
    }
    next_segment(conv, sealed);
    rc = mt_ar_journal_commit(archive, &conv, 1, true, fault);
    if (rc)
        return rc;
    int err = mt_fs_unlink(raw);
    if (!err)
        err = mt_fs_sync_dir(folder);
    return err ? mt_fs_fault(fault, err, "remove", raw) : MT_OK;
}

enum mt_rc mt_ar_seal(struct mt_archive *archive, struct mt_ar_conv *conv, struct mt_fault *fault)
{
    char raw[MT_AR_PATH_MAX], tmp[MT_AR_PATH_MAX], done[MT_AR_PATH_MAX], folder[MT_AR_PATH_MAX];
    struct mt_ar_sealed *sealed = mt_mem_calloc(1, sizeof *sealed);
    enum mt_rc rc = MT_OK;
    int err = 0;

    if (!sealed)
        return mt_ar_nomem(fault);
    mt_ar_segment_path(archive, conv, conv->segment, "", raw);
    mt_ar_segment_path(archive, conv, conv->segment, ".zst.tmp", tmp);
    mt_ar_segment_path(archive, conv, conv->segment, ".zst", done);
    mt_ar_path(archive, folder, "conv/%s", conv->dir);
    sealed->segment = conv->segment;
    sealed->bytes = conv->offset;
    sealed->counts = conv->counts;
    memcpy(sealed->sha256, conv->sha256, sizeof sealed->sha256);
    rc = mt_ar_journal_begin(archive, fault);
    if (!rc)
        rc = compress_segment(archive, conv, raw, tmp, fault);
    if (!rc)
        rc = hash_file(tmp, sealed->zst_sha256, &sealed->zst_bytes, fault);
    if (!rc && ((err = mt_fs_rename(tmp, done)) || (err = mt_fs_sync_dir(folder))))
        rc = mt_fs_fault(fault, err, "write", done);
    if (rc) {
        mt_mem_free(sealed);
        return rc;
    }
    return record_seal(archive, conv, sealed, raw, folder, fault);
}

struct due {
    struct mt_archive *archive;
    struct mt_fault *fault;
    int64_t now_ms;
    enum mt_rc rc;
};

static bool seal_if_due(void *ud, const char *key, void *value)
{
    struct due *due = ud;
    struct mt_ar_conv *conv = value;
    const struct mt_archive_options *o = &due->archive->options;
    bool old = conv->born_ms && due->now_ms - conv->born_ms > o->segment_age_ms;

    (void)key;
    if (conv->offset > 0 && (conv->offset >= o->segment_bytes || old))
        due->rc = mt_ar_seal(due->archive, conv, due->fault);
    return !due->rc;
}

enum mt_rc mt_archive_seal_due(struct mt_archive *archive, struct mt_fault *fault)
{
    struct mt_fault own;
    struct due due = {archive, &own, mt_clock_wall_ms(), MT_OK};

    if (archive->broken)
        return mt_fault_set(fault, MT_ERR_STATE, "archive.broken",
                            "nothing more is written after: %.180s", archive->broken_fault.message);
    mt_map_each(archive->convs, seal_if_due, &due);
    if (due.rc) {
        mt_ar_break(archive, &own);
        if (fault)
            *fault = own;
    }
    return due.rc;
}

/* Sealing: an open segment becomes a compressed file with a line in the manifest. At every moment
 * one of the two forms is whole and known. */
#include "archive/archive_int.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "codec/zstd.h"

#include <stdio.h>
#include <string.h>

#define READ_BYTES (256u << 10)

static enum mt_rc hash_file(const char *path, char hex[MT_SHA256_HEX], int64_t *bytes,
                            struct mt_fault *fault)
{
    struct mt_sha256 *hash = mt_sha256_new();
    char *block = mt_mem_alloc(READ_BYTES);
    uint8_t sum[MT_SHA256_LEN];
    size_t got = 1;
    int fd = -1;
    int err = !hash || !block ? 12 /* ENOMEM */ : mt_fs_open(path, MT_FS_READ, &fd);

    *bytes = 0;
    while (!err && got) {
        err = mt_fs_read(fd, block, READ_BYTES, &got);
        if (!err) {
            mt_sha256_update(hash, block, got);
            *bytes += (int64_t)got;
        }
    }
    if (!err) {
        mt_sha256_peek(hash, sum);
        mt_hex(sum, sizeof sum, hex);
    }
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

/* What was compressed must come out again as it went in, before the original is let go. */
static enum mt_rc prove(const char *path, const struct mt_ar_conv *conv, struct mt_fault *fault)
{
    struct mt_sha256 *hash = mt_sha256_new();
    uint8_t sum[MT_SHA256_LEN];
    char hex[MT_SHA256_HEX];
    int fd = -1;
    enum mt_rc rc = MT_OK;

    if (!hash)
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    int err = mt_fs_open(path, MT_FS_READ, &fd);
    if (err)
        rc = mt_fs_fault(fault, err, "read", path);
    if (!rc)
        rc = mt_zstd_decompress_fd(fd, conv->offset, add_to_hash, hash, fault);
    if (!rc) {
        mt_sha256_peek(hash, sum);
        mt_hex(sum, sizeof sum, hex);
        if (strcmp(hex, conv->sha256) != 0)
            rc = mt_ar_damaged(fault, path, "the segment changed while it was sealed");
    }
    if (fd >= 0)
        mt_fs_close(fd);
    mt_sha256_free(hash);
    return rc;
}

static enum mt_rc compress_segment(struct mt_archive *archive, struct mt_ar_conv *conv,
                                   const char *raw, const char *tmp, struct mt_fault *fault)
{
    int in = -1;
    int out = -1;
    enum mt_rc rc = MT_OK;
    int err = mt_fs_open(raw, MT_FS_READ, &in);

    if (!err)
        err = mt_fs_open(tmp, MT_FS_WRITE | MT_FS_CREATE | MT_FS_TRUNCATE, &out);
    if (err)
        rc = mt_fs_fault(fault, err, "open", raw);
    if (!rc)
        rc = mt_zstd_compress_fd(in, out, archive->options.zstd_level, fault);
    if (!rc && (err = mt_fs_fsync(out)))
        rc = mt_fs_fault(fault, err, "write", tmp);
    if (in >= 0)
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
    conv->segment_lines_n = conv->segment_messages_n = 0;
    conv->segment_first_ms = conv->segment_last_ms = conv->segment_born_ms = 0;
    memset(conv->sha256, '0', sizeof conv->sha256 - 1);
    mt_sha256_free(conv->hash);
    conv->hash = NULL;
}

static enum mt_rc record_seal(struct mt_archive *archive, struct mt_ar_conv *conv,
                              struct mt_ar_sealed *sealed, struct mt_fault *fault)
{
    struct mt_buf record;
    enum mt_rc rc = mt_ar_manifest_append(archive, conv, sealed, fault);

    if (rc)
        return rc;
    next_segment(conv, sealed);
    mt_buf_init(&record, MT_AR_RECORD_MAX);
    rc = mt_ar_journal_put_conv(conv, &archive->journal.manifest, &record);
    if (rc)
        mt_fault_set(fault, rc, "memory", "out of memory");
    else
        rc = mt_ar_journal_append(archive, &record, fault);
    mt_buf_deinit(&record);
    return rc;
}

static enum mt_rc seal(struct mt_archive *archive, struct mt_ar_conv *conv, struct mt_fault *fault)
{
    char raw[MT_AR_PATH_MAX], tmp[MT_AR_PATH_MAX], done[MT_AR_PATH_MAX], folder[MT_AR_PATH_MAX];
    struct mt_ar_sealed *sealed = mt_mem_calloc(1, sizeof *sealed);
    bool linked = false;
    enum mt_rc rc = MT_OK;
    int err = 0;

    if (!sealed)
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    mt_ar_segment_path(archive, conv, conv->segment, "", raw);
    mt_ar_segment_path(archive, conv, conv->segment, ".zst.tmp", tmp);
    mt_ar_segment_path(archive, conv, conv->segment, ".zst", done);
    mt_ar_path(archive, folder, "conv/%s", conv->dir);
    sealed->segment = conv->segment;
    sealed->bytes = conv->offset;
    sealed->lines_n = conv->segment_lines_n;
    sealed->messages_n = conv->segment_messages_n;
    sealed->first_ms = conv->segment_first_ms;
    sealed->last_ms = conv->segment_last_ms;
    memcpy(sealed->sha256, conv->sha256, sizeof sealed->sha256);
    memcpy(sealed->conversation, conv->state.conversation, sizeof sealed->conversation);
    snprintf(sealed->file, sizeof sealed->file, "conv/%s/%06u.jsonl.zst", conv->dir,
             (unsigned)conv->segment);
    rc = mt_ar_journal_begin(archive, fault);
    if (!rc)
        rc = compress_segment(archive, conv, raw, tmp, fault);
    if (!rc)
        rc = hash_file(tmp, sealed->zst_sha256, &sealed->zst_bytes, fault);
    if (!rc && ((err = mt_fs_rename(tmp, done)) || (err = mt_fs_sync_dir(folder))))
        rc = mt_fs_fault(fault, err, "write", done);
    if (!rc) {
        rc = record_seal(archive, conv, sealed, fault);
        linked = conv->sealed_last == sealed;
    }
    if (!rc && (err = mt_fs_unlink(raw)))
        rc = mt_fs_fault(fault, err, "remove", raw);
    if (!linked)
        mt_mem_free(sealed);
    return rc;
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
    bool old = conv->segment_born_ms && due->now_ms - conv->segment_born_ms > o->segment_age_ms;

    (void)key;
    if (conv->offset > 0 && (conv->offset >= o->segment_bytes || old))
        due->rc = seal(due->archive, conv, due->fault);
    return !due->rc;
}

enum mt_rc mt_archive_seal_due(struct mt_archive *archive, struct mt_fault *fault)
{
    struct due due = {archive, fault, mt_clock_wall_ms(), MT_OK};

    if (archive->broken)
        return mt_fault_set(fault, MT_ERR_STATE, "archive.broken",
                            "nothing more is written after: %.180s", archive->broken_fault.message);
    mt_map_each(archive->convs, seal_if_due, &due);
    if (due.rc)
        mt_ar_break(archive, fault);
    return due.rc;
}

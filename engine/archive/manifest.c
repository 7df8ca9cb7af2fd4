/* MANIFEST.jsonl: one line a sealed segment, each with the hash of the line before it. What the
 * journal has not committed of it does not count. */
#include "archive/archive_int.h"

#include "base/fs.h"
#include "base/mem.h"
#include "codec/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool take(const struct mt_json *line, const char *prev, struct mt_ar_sealed *s)
{
    char before[MT_SHA256_HEX];
    uint64_t segment = 0;
    bool ok =
        mt_ar_take_u64(line, "seq", &s->seq) && mt_ar_take_u64(line, "segment", &segment) &&
        segment >= 1 && segment <= MT_AR_SEGMENT_MAX && mt_ar_take_i64(line, "bytes", &s->bytes) &&
        s->bytes > 0 && mt_ar_take_hex(line, "raw_sha256", s->sha256) &&
        mt_ar_take_i64(line, "zst_bytes", &s->zst_bytes) && s->zst_bytes > 0 &&
        mt_ar_take_hex(line, "zst_sha256", s->zst_sha256) && mt_ar_take_counts(line, &s->counts) &&
        mt_ar_take_hex(line, "prev_sha256", before) && !strcmp(before, prev);

    s->segment = (uint32_t)segment;
    return ok;
}

static void file_name(const struct mt_ar_conv *conv, uint32_t segment, char *out, size_t size)
{
    snprintf(out, size, "conv/%s/%06u.jsonl.zst", conv->dir, (unsigned)segment);
}

static enum mt_rc apply(const struct mt_json *line, const struct mt_ar_sealed *read,
                        struct mt_map *convs)
{
    const char *name = mt_json_str(mt_json_get(line, "conversation"));
    const char *file = mt_json_str(mt_json_get(line, "file"));
    struct mt_ar_conv *conv = name ? mt_map_get(convs, name) : NULL;
    struct mt_ar_sealed *sealed = NULL;
    char want[512];

    if (!conv || read->segment != (conv->sealed_last ? conv->sealed_last->segment + 1 : 1) ||
        read->segment >= conv->segment)
        return MT_ERR_DAMAGED;
    file_name(conv, read->segment, want, sizeof want);
    if (!file || strcmp(file, want) != 0)
        return MT_ERR_DAMAGED;
    sealed = mt_mem_alloc(sizeof *sealed);
    if (!sealed)
        return MT_ERR_NOMEM;
    *sealed = *read;
    sealed->next = NULL;
    if (conv->sealed_last)
        conv->sealed_last->next = sealed;
    else
        conv->sealed = sealed;
    conv->sealed_last = sealed;
    return MT_OK;
}

static bool whole(void *ud, const char *key, void *value)
{
    const struct mt_ar_conv *conv = value;

    (void)key;
    *(bool *)ud = (conv->sealed_last ? conv->sealed_last->segment : 0) + 1 == conv->segment;
    return *(bool *)ud;
}

enum mt_rc mt_ar_manifest_parse(const char *data, size_t len,
                                const struct mt_ar_manifest_head *committed, struct mt_map *convs,
                                struct mt_fault *fault)
{
    char prev[MT_SHA256_HEX];
    uint64_t seq = 0;
    size_t at = 0;
    bool all = true;

    mt_ar_hex_zero(prev);
    while (at < len) {
        const char *newline = memchr(data + at, '\n', len - at);
        struct mt_ar_sealed sealed = {0};
        struct mt_json *line = NULL;
        struct mt_fault ignored;
        enum mt_rc rc = MT_OK;

        if (!newline)
            return mt_ar_damaged(fault, "MANIFEST.jsonl", "the last line is cut");
        size_t line_len = (size_t)(newline - data) - at;
        rc = mt_json_parse(data + at, line_len, MT_AR_RECORD_MAX, &line, &ignored);
        if (!rc && (!take(line, prev, &sealed) || sealed.seq != seq + 1))
            rc = MT_ERR_DAMAGED;
        if (!rc)
            rc = apply(line, &sealed, convs);
        mt_json_free(line);
        if (rc == MT_ERR_NOMEM)
            return mt_ar_nomem(fault);
        if (rc)
            return mt_ar_damaged(fault, "MANIFEST.jsonl", "a line does not verify");
        mt_ar_hex_of(data + at, line_len, prev);
        seq++;
        at += line_len + 1;
    }
    if (seq != committed->seq || strcmp(prev, committed->sha256) != 0 ||
        (int64_t)len != committed->bytes)
        return mt_ar_damaged(fault, "MANIFEST.jsonl",
                             "it is not the one that the checkpoint names");
    mt_map_each(convs, whole, &all);
    return all ? MT_OK : mt_ar_damaged(fault, "MANIFEST.jsonl", "a sealed segment has no line");
}

enum mt_rc mt_ar_manifest_load(struct mt_archive *archive, struct mt_fault *fault)
{
    const struct mt_ar_manifest_head *head = &archive->journal.manifest;
    char path[MT_AR_PATH_MAX];
    char *data = NULL;
    size_t len = 0;
    enum mt_rc rc = MT_OK;

    mt_ar_path(archive, path, "MANIFEST.jsonl");
    int err = mt_fs_read_all(path, MT_AR_MANIFEST_MAX, &data, &len);
    if (err == ENOENT && head->seq)
        return mt_ar_damaged(fault, "MANIFEST.jsonl", "it is missing");
    if (err && err != ENOENT)
        return mt_fs_fault(fault, err, "read", path);
    if ((int64_t)len > head->bytes && !archive->journal.clean)
        len =
            (size_t)head->bytes; /* what a crash left after the last commit; recovery cuts it off */
    rc = mt_ar_manifest_parse(data, len, head, archive->convs, fault);
    mt_mem_free(data);
    return rc;
}

static enum mt_rc print_line(const struct mt_ar_manifest_head *head, const struct mt_ar_conv *conv,
                             const struct mt_ar_sealed *s, struct mt_buf *out)
{
    struct mt_jsonw w;
    char file[512];

    file_name(conv, s->segment, file, sizeof file);
    mt_jsonw_init(&w, out);
    mt_jsonw_object(&w);
    mt_ar_put_u64(&w, "seq", s->seq);
    mt_ar_put_str(&w, "conversation", conv->state.conversation);
    mt_ar_put_u64(&w, "segment", s->segment);
    mt_ar_put_str(&w, "file", file);
    mt_ar_put_i64(&w, "bytes", s->bytes);
    mt_ar_put_str(&w, "raw_sha256", s->sha256);
    mt_ar_put_i64(&w, "zst_bytes", s->zst_bytes);
    mt_ar_put_str(&w, "zst_sha256", s->zst_sha256);
    mt_ar_put_counts(&w, &s->counts);
    mt_ar_put_str(&w, "prev_sha256", head->sha256);
    mt_jsonw_object_end(&w);
    return mt_buf_append_char(out, '\n');
}

enum mt_rc mt_ar_manifest_append(struct mt_archive *archive, const struct mt_ar_conv *conv,
                                 struct mt_ar_sealed *sealed, struct mt_fault *fault)
{
    struct mt_ar_manifest_head *head = &archive->journal.manifest;
    char path[MT_AR_PATH_MAX];
    struct mt_buf line;
    enum mt_rc rc = MT_OK;
    int fd = -1;
    int err = 0;

    mt_buf_init(&line, MT_AR_RECORD_MAX);
    sealed->seq = head->seq + 1;
    if (print_line(head, conv, sealed, &line)) {
        rc = mt_ar_nomem(fault);
        goto out;
    }
    mt_ar_path(archive, path, "MANIFEST.jsonl");
    err = mt_fs_open(path, MT_FS_WRITE | MT_FS_CREATE, &fd);
    if (!err)
        err = mt_fs_truncate(fd, head->bytes);
    if (!err)
        err = mt_fs_seek(fd, head->bytes);
    if (!err)
        err = mt_fs_write(fd, line.data, line.len);
    if (!err)
        err = mt_fs_fdatasync(fd);
    if (!err && !head->seq)
        err = mt_fs_sync_dir(archive->base);
    if (err) {
        rc = mt_fs_fault(fault, err, "write", path);
        goto out;
    }
    head->seq = sealed->seq;
    head->bytes += (int64_t)line.len;
    mt_ar_hex_of(line.data, line.len - 1, head->sha256);
out:
    if (fd >= 0)
        mt_fs_close(fd);
    mt_buf_deinit(&line);
    return rc;
}

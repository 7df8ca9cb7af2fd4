/* MANIFEST.jsonl: one line a sealed segment, each with the hash of the line before it. What the
 * journal has not committed of it does not count. */
#include "archive/archive_int.h"

#include "base/fs.h"
#include "base/mem.h"
#include "codec/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void line_hash(const char *line, size_t len, char out[MT_SHA256_HEX])
{
    uint8_t sum[MT_SHA256_LEN];
    mt_sha256_of(line, len, sum);
    mt_hex(sum, sizeof sum, out);
}

static bool copy_str(const struct mt_json *line, const char *key, char *out, size_t size)
{
    const char *s = mt_json_str(mt_json_get(line, key));
    if (!s || !*s || strlen(s) >= size)
        return false;
    memcpy(out, s, strlen(s) + 1);
    return true;
}

static bool take(const struct mt_json *line, const char *prev, struct mt_ar_sealed *s)
{
    char before[MT_SHA256_HEX];
    uint64_t segment = 0;
    bool ok = mt_json_u64(mt_json_get(line, "seq"), &s->seq) &&
              mt_json_u64(mt_json_get(line, "segment"), &segment) && segment >= 1 &&
              segment < 1000000 &&
              copy_str(line, "conversation", s->conversation, sizeof s->conversation) &&
              copy_str(line, "file", s->file, sizeof s->file) &&
              copy_str(line, "raw_sha256", s->sha256, sizeof s->sha256) &&
              copy_str(line, "zst_sha256", s->zst_sha256, sizeof s->zst_sha256) &&
              copy_str(line, "prev_sha256", before, sizeof before) && !strcmp(before, prev) &&
              mt_json_u64(mt_json_get(line, "lines"), &s->lines_n) &&
              mt_json_u64(mt_json_get(line, "messages"), &s->messages_n);

    s->segment = (uint32_t)segment;
    s->bytes = mt_json_i64(mt_json_get(line, "bytes"), -1);
    s->zst_bytes = mt_json_i64(mt_json_get(line, "zst_bytes"), -1);
    s->first_ms = mt_json_i64(mt_json_get(line, "first_ms"), 0);
    s->last_ms = mt_json_i64(mt_json_get(line, "last_ms"), 0);
    return ok && s->bytes >= 0 && s->zst_bytes >= 0 && !strstr(s->file, "..") && s->file[0] != '/';
}

static enum mt_rc apply(const struct mt_ar_sealed *read, struct mt_map *convs)
{
    struct mt_ar_conv *conv = mt_map_get(convs, read->conversation);
    struct mt_ar_sealed *sealed = NULL;

    if (!conv || read->segment != (conv->sealed_last ? conv->sealed_last->segment + 1 : 1) ||
        read->segment >= conv->segment)
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

enum mt_rc mt_ar_manifest_parse(const char *data, size_t len,
                                const struct mt_ar_manifest_head *committed, struct mt_map *convs,
                                struct mt_fault *fault)
{
    char prev[MT_SHA256_HEX];
    uint64_t seq = 0;
    size_t at = 0;

    memset(prev, '0', sizeof prev - 1);
    prev[sizeof prev - 1] = '\0';
    while (at < len) {
        const char *newline = memchr(data + at, '\n', len - at);
        struct mt_ar_sealed sealed;
        struct mt_json *line = NULL;
        struct mt_fault ignored;
        enum mt_rc rc = MT_OK;

        if (!newline)
            return mt_ar_damaged(fault, "MANIFEST.jsonl", "the last line is cut");
        size_t line_len = (size_t)(newline - data) - at;
        memset(&sealed, 0, sizeof sealed);
        rc = mt_json_parse(data + at, line_len, MT_AR_RECORD_MAX, &line, &ignored);
        if (!rc && (!take(line, prev, &sealed) || sealed.seq != seq + 1))
            rc = MT_ERR_DAMAGED;
        mt_json_free(line);
        if (!rc)
            rc = apply(&sealed, convs);
        if (rc == MT_ERR_NOMEM)
            return mt_fault_set(fault, rc, "memory", "out of memory");
        if (rc)
            return mt_ar_damaged(fault, "MANIFEST.jsonl", "a line does not verify");
        line_hash(data + at, line_len, prev);
        seq++;
        at += line_len + 1;
    }
    if (seq != committed->seq || strcmp(prev, committed->sha256) != 0 ||
        (int64_t)len != committed->bytes)
        return mt_ar_damaged(fault, "MANIFEST.jsonl",
                             "it is not the one that the checkpoint names");
    return MT_OK;
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
    if (err == ENOENT && !head->seq)
        return MT_OK;
    if (err == ENOENT)
        return mt_ar_damaged(fault, "MANIFEST.jsonl", "it is missing");
    if (err)
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

    mt_jsonw_init(&w, out);
    mt_jsonw_object(&w);
    mt_jsonw_key(&w, "seq");
    mt_jsonw_u64(&w, s->seq);
    mt_jsonw_key(&w, "conversation");
    mt_jsonw_str(&w, conv->state.conversation);
    mt_jsonw_key(&w, "segment");
    mt_jsonw_u64(&w, s->segment);
    mt_jsonw_key(&w, "file");
    mt_jsonw_str(&w, s->file);
    mt_jsonw_key(&w, "bytes");
    mt_jsonw_i64(&w, s->bytes);
    mt_jsonw_key(&w, "raw_sha256");
    mt_jsonw_str(&w, s->sha256);
    mt_jsonw_key(&w, "zst_bytes");
    mt_jsonw_i64(&w, s->zst_bytes);
    mt_jsonw_key(&w, "zst_sha256");
    mt_jsonw_str(&w, s->zst_sha256);
    mt_jsonw_key(&w, "lines");
    mt_jsonw_u64(&w, s->lines_n);
    mt_jsonw_key(&w, "messages");
    mt_jsonw_u64(&w, s->messages_n);
    mt_jsonw_key(&w, "first_ms");
    mt_jsonw_i64(&w, s->first_ms);
    mt_jsonw_key(&w, "last_ms");
    mt_jsonw_i64(&w, s->last_ms);
    mt_jsonw_key(&w, "prev_sha256");
    mt_jsonw_str(&w, head->sha256);
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
    rc = print_line(head, conv, sealed, &line);
    if (rc) {
        mt_fault_set(fault, rc, "memory", "out of memory");
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
    line_hash(line.data, line.len - 1, head->sha256);
out:
    if (fd >= 0)
        mt_fs_close(fd);
    mt_buf_deinit(&line);
    return rc;
}

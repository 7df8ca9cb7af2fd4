/* The files of the audit: which there are, reading them whether they are compressed or not, and
 * compressing one. A segment is compressed when a later one has records, so that it never changes
 * again; its name with .zst appears when all of it is durable, and only then the other goes. */
#include "policy/audit_int.h"

#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ZSTD_LEVEL 3
#define COPY_BYTES ((size_t)256 << 10)
#define LINK_BYTES 256 /* number and hash stand at the beginning of a line */

void mt_au_compressed_path(const char *dir, uint32_t segment, char out[MT_AU_PATH_MAX])
{
    snprintf(out, MT_AU_PATH_MAX, "%s/%06u.jsonl.zst", dir, (unsigned)segment);
}

/* ---------------------------------------------------------------- which there are */

/* 0: it is no segment. */
static uint32_t number_of(const char *name, bool *compressed)
{
    char want[32];
    uint32_t n = 0;

    for (int i = 0; i < 6; i++) {
        if (name[i] < '0' || name[i] > '9')
            return 0;
        n = n * 10 + (uint32_t)(name[i] - '0');
    }
    snprintf(want, sizeof want, "%06u.jsonl.zst", (unsigned)n);
    *compressed = !strcmp(name, want);
    want[strlen("000000.jsonl")] = '\0';
    return *compressed || !strcmp(name, want) ? n : 0;
}

static enum mt_rc hole(struct mt_fault *fault, const char *want, const char *found)
{
    return mt_fault_set(fault, MT_ERR_DAMAGED, "audit.damaged",
                        "the audit is damaged: %s was expected and %s found", want, found);
}

static enum mt_rc size_of(const char *dir, struct mt_au_end *end, struct mt_fault *fault)
{
    char path[MT_AU_PATH_MAX];
    struct mt_fs_stat st;

    mt_au_segment_path(dir, end->segments_n, path);
    int err = mt_fs_stat(path, &st);
    if (err == ENOENT)
        return mt_fault_set(fault, MT_ERR_DAMAGED, "audit.damaged",
                            "the audit is damaged: its last segment is compressed, and %s is gone",
                            path);
    if (err)
        return mt_fs_fault(fault, err, "read", path);
    if (!st.is_file)
        return mt_fault_set(fault, MT_ERR_DAMAGED, "audit.damaged", "%s is no file", path);
    end->size = st.size_bytes;
    return MT_OK;
}

enum mt_rc mt_au_find_end(const char *dir, struct mt_au_end *out, struct mt_fault *fault)
{
    char **names = NULL;
    size_t n = 0;
    enum mt_rc rc = MT_OK;

    memset(out, 0, sizeof *out);
    int err = mt_fs_list(dir, &names, &n);
    if (err)
        return mt_fs_fault(fault, err, "read", dir);
    for (size_t i = 0; i < n && !rc; i++) { /* sorted: 000001.jsonl, 000001.jsonl.zst, 000002… */
        char want[32];
        bool compressed = false;
        uint32_t number = number_of(names[i], &compressed);
        snprintf(want, sizeof want, "%06u.jsonl", (unsigned)out->segments_n + 1);
        if (!number && mt_str_ends(names[i], ".jsonl"))
            rc = hole(fault, want, names[i]);
        if (!number || (compressed && number == out->segments_n))
            continue;
        if (out->segments_n && number != out->segments_n + 1)
            rc = hole(fault, want, names[i]);
        if (!out->segments_n)
            out->first = number;
        out->segments_n = number;
    }
    mt_mem_free(names);
    return rc || !out->segments_n ? rc : size_of(dir, out, fault);
}

/* ENOENT: neither form is there. */
static int stat_either(const char *dir, uint32_t segment, char path[MT_AU_PATH_MAX])
{
    struct mt_fs_stat st;

    mt_au_segment_path(dir, segment, path);
    int err = mt_fs_stat(path, &st);
    if (err != ENOENT)
        return err;
    mt_au_compressed_path(dir, segment, path);
    return mt_fs_stat(path, &st);
}

enum mt_rc mt_au_find_end_from(const char *dir, uint32_t from, struct mt_au_end *out,
                               struct mt_fault *fault)
{
    char path[MT_AU_PATH_MAX];
    int err = 0;

    memset(out, 0, sizeof *out);
    out->first = from;
    out->segments_n = from;
    while (!(err = stat_either(dir, out->segments_n, path)))
        out->segments_n++;
    out->segments_n--;
    if (err != ENOENT)
        return mt_fs_fault(fault, err, "read", path);
    return out->segments_n < from ? MT_OK : size_of(dir, out, fault);
}

enum mt_rc mt_au_from(const char *dir, const struct mt_au_end *end, struct mt_au_place *out,
                      struct mt_fault *fault)
{
    struct mt_au_file file;
    char line[LINK_BYTES];
    size_t got = 0;

    mt_au_none(out);
    if (end->first <= 1)
        return MT_OK;
    mt_au_file_init(&file);
    enum mt_rc rc = mt_au_file_open(&file, dir, end->first, fault);
    if (rc)
        return rc;
    out->segment = end->first;
    rc = mt_au_file_read(&file, 0, line, sizeof line, &got, fault);
    mt_au_file_close(&file);
    if (rc && rc != MT_ERR_DAMAGED)
        return rc;
    if (rc || !mt_au_link(line, got, &out->seq, out->sha256) || out->seq < 2)
        return mt_fault_set(fault, MT_ERR_DAMAGED, "audit.damaged",
                            "the audit is damaged: its first segment begins with no record");
    out->seq--;
    return MT_OK;
}

/* ---------------------------------------------------------------- reading */

void mt_au_file_init(struct mt_au_file *file)
{
    memset(file, 0, sizeof *file);
    file->fd = -1;
}

void mt_au_file_close(struct mt_au_file *file)
{
    mt_zstd_reader_free(file->zstd);
    mt_mem_free(file->bytes);
    if (file->fd >= 0)
        mt_fs_close(file->fd);
    mt_au_file_init(file);
}

enum mt_rc mt_au_file_open(struct mt_au_file *file, const char *dir, uint32_t segment,
                           struct mt_fault *fault)
{
    char path[MT_AU_PATH_MAX];
    struct mt_fs_stat st = {.size_bytes = 0};
    enum mt_rc rc = MT_OK;

    if (file->segment == segment && file->zstd)
        return MT_OK;
    mt_au_file_close(file);
    mt_au_segment_path(dir, segment, path);
    int err = mt_fs_open(path, MT_FS_READ, &file->fd);
    bool compressed = err == ENOENT;
    if (compressed) {
        char other[MT_AU_PATH_MAX];
        mt_au_compressed_path(dir, segment, other);
        err = mt_fs_open(other, MT_FS_READ, &file->fd);
    }
    if (!err)
        err = mt_fs_stat_fd(file->fd, &st);
    if (err)
        rc = mt_fs_fault(fault, err, "read", path);
    else if (compressed)
        rc = mt_zstd_reader_new(file->fd, &file->zstd, fault);
    if (rc) {
        mt_au_file_close(file);
        return rc;
    }
    file->segment = segment;
    file->size = compressed ? INT64_MAX : st.size_bytes;
    return MT_OK;
}

/* From the compressed segment's beginning. */
static enum mt_rc begin_again(struct mt_au_file *file, struct mt_fault *fault)
{
    struct mt_zstd_reader *zstd = NULL;
    int err = mt_fs_seek(file->fd, 0);

    if (err)
        return mt_fs_fault(fault, err, "read", "the audit");
    enum mt_rc rc = mt_zstd_reader_new(file->fd, &zstd, fault);
    if (rc)
        return rc;
    mt_zstd_reader_free(file->zstd);
    file->zstd = zstd;
    file->bytes_at = 0;
    file->bytes_n = 0;
    return MT_OK;
}

/* The next bytes; none: the end. No more than MT_AU_SEGMENT_MAX, whatever was put there. */
static enum mt_rc decompress(struct mt_au_file *file, struct mt_fault *fault)
{
    struct mt_fault ignored;

    if (!file->bytes)
        file->bytes = mt_mem_alloc(COPY_BYTES);
    if (!file->bytes)
        return mt_au_nomem(fault);
    file->bytes_at += (int64_t)file->bytes_n;
    file->bytes_n = 0;
    if (file->bytes_at > MT_AU_SEGMENT_MAX)
        return MT_ERR_DAMAGED;
    enum mt_rc rc =
        mt_zstd_reader_read(file->zstd, file->bytes, COPY_BYTES, &file->bytes_n, &ignored);
    if (rc && rc != MT_ERR_DAMAGED && fault)
        *fault = ignored;
    return rc;
}

static enum mt_rc read_compressed(struct mt_au_file *file, int64_t offset, char *p, size_t len,
                                  size_t *got, struct mt_fault *fault)
{
    enum mt_rc rc = offset < file->bytes_at ? begin_again(file, fault) : MT_OK;

    while (!rc && *got < len) {
        int64_t skip = offset + (int64_t)*got - file->bytes_at;
        if (skip >= (int64_t)file->bytes_n) {
            rc = decompress(file, fault);
            if (!rc && !file->bytes_n)
                break;
            continue;
        }
        size_t n = file->bytes_n - (size_t)skip;
        if (n > len - *got)
            n = len - *got;
        memcpy(p + *got, file->bytes + skip, n);
        *got += n;
    }
    return rc;
}

enum mt_rc mt_au_file_read(struct mt_au_file *file, int64_t offset, void *p, size_t len,
                           size_t *got, struct mt_fault *fault)
{
    char *to = p;
    size_t n = 1;
    int err = 0;

    *got = 0;
    if (file->zstd)
        return read_compressed(file, offset, to, len, got, fault);
    for (; !err && *got < len && n; *got += n)
        err = mt_fs_pread(file->fd, to + *got, len - *got, offset + (int64_t)*got, &n);
    return err ? mt_fs_fault(fault, err, "read", "the audit") : MT_OK;
}

enum mt_rc mt_au_line_at(struct mt_au_file *file, const char *dir, const struct mt_au_place *place,
                         char **out, size_t *len, struct mt_fault *fault)
{
    size_t want = (size_t)(place->end - place->start);
    size_t got = 0;

    *out = NULL;
    *len = 0;
    if (place->start < 0 || place->end <= place->start || place->end > INT64_MAX / 2 ||
        want > MT_AU_LINE_MAX || !place->segment || place->segment > MT_AU_SEGMENTS_MAX)
        return mt_au_damaged(fault, place->seq, "its place is none");
    char *line = mt_mem_alloc(want + 1);
    if (!line)
        return mt_au_nomem(fault);
    enum mt_rc rc = mt_au_file_open(file, dir, place->segment, fault);
    bool gone = rc == MT_ERR_NOT_FOUND;
    if (!rc)
        rc = mt_au_file_read(file, place->start, line, want, &got, fault);
    if (gone || (!rc && got < want))
        rc = mt_fault_set(fault, MT_ERR_NOT_FOUND, "audit.cut", "the audit ends before record %llu",
                          (unsigned long long)place->seq);
    else if (rc == MT_ERR_DAMAGED)
        rc = mt_au_damaged(fault, place->seq, "its compressed segment cannot be read");
    else if (!rc && (line[want - 1] != '\n' || memchr(line, '\n', want - 1)))
        rc = mt_au_damaged(fault, place->seq, "no line is where it was");
    if (rc) {
        mt_mem_free(line);
        return rc;
    }
    line[want - 1] = '\0';
    *out = line;
    *len = want - 1;
    return MT_OK;
}

/* ---------------------------------------------------------------- compressing */

/* Whether the segment has these bytes at that place. */
static enum mt_rc has(int raw, int64_t at, const char *want, size_t len, char *scratch, bool *same,
                      struct mt_fault *fault)
{
    size_t have = 0;
    size_t n = 1;
    int err = 0;

    for (; !err && have < len && n; have += n)
        err = mt_fs_pread(raw, scratch + have, len - have, at + (int64_t)have, &n);
    if (err)
        return mt_fs_fault(fault, err, "read", "the audit");
    *same = have == len && !memcmp(scratch, want, len);
    return MT_OK;
}

/* What was written says what the segment says, byte for byte. */
static enum mt_rc compare(int raw, int64_t size, int compressed, struct mt_fault *fault)
{
    struct mt_zstd_reader *reader = NULL;
    char *a = mt_mem_alloc(COPY_BYTES);
    char *b = mt_mem_alloc(COPY_BYTES);
    bool same = true;
    int64_t at = 0;
    int err = mt_fs_seek(compressed, 0);
    enum mt_rc rc = err ? mt_fs_fault(fault, err, "read", "the compressed audit") : MT_OK;

    if (!rc && (!a || !b))
        rc = mt_au_nomem(fault);
    if (!rc)
        rc = mt_zstd_reader_new(compressed, &reader, fault);
    for (size_t got = COPY_BYTES; !rc && a && b && same && got == COPY_BYTES; at += (int64_t)got) {
        rc = mt_zstd_reader_read(reader, a, COPY_BYTES, &got, fault);
        if (!rc)
            rc = has(raw, at, a, got, b, &same, fault);
    }
    if (!rc && (!same || at != size))
        rc = mt_fault_set(fault, MT_ERR_IO, "audit.compress",
                          "a segment of the audit was not compressed as it is, and stays");
    mt_zstd_reader_free(reader);
    mt_mem_free(a);
    mt_mem_free(b);
    return rc;
}

static enum mt_rc write_compressed(int raw, int64_t size, const char *tmp, struct mt_fault *fault)
{
    int fd = -1;
    int err = mt_fs_open(tmp, MT_FS_WRITE | MT_FS_CREATE | MT_FS_TRUNCATE, &fd);

    if (err)
        return mt_fs_fault(fault, err, "write", tmp);
    enum mt_rc rc = mt_zstd_compress_fd(raw, fd, ZSTD_LEVEL, fault);
    if (!rc && (err = mt_fs_fsync(fd)))
        rc = mt_fs_fault(fault, err, "write", tmp);
    if (!rc)
        rc = compare(raw, size, fd, fault);
    err = mt_fs_close(fd);
    return !rc && err ? mt_fs_fault(fault, err, "write", tmp) : rc;
}

enum mt_rc mt_au_compress(const char *dir, uint32_t segment, bool *done, struct mt_fault *fault)
{
    char path[MT_AU_PATH_MAX];
    char packed[MT_AU_PATH_MAX];
    char tmp[MT_AU_PATH_MAX];
    struct mt_fs_stat st = {.size_bytes = 0};
    int fd = -1;

    *done = false;
    mt_au_segment_path(dir, segment, path);
    mt_au_compressed_path(dir, segment, packed);
    mt_au_path(dir, "compressing.tmp", tmp);
    int err = mt_fs_open(path, MT_FS_READ, &fd);
    if (err == ENOENT)
        return MT_OK; /* it is already */
    if (!err)
        err = mt_fs_stat_fd(fd, &st);
    enum mt_rc rc = err ? mt_fs_fault(fault, err, "read", path) : MT_OK;
    if (!rc && st.size_bytes <= MT_AU_SEGMENT_MAX) {
        rc = write_compressed(fd, st.size_bytes, tmp, fault);
        if (!rc && ((err = mt_fs_rename(tmp, packed)) || (err = mt_fs_sync_dir(dir)) ||
                    (err = mt_fs_unlink(path))))
            rc = mt_fs_fault(fault, err, "compress", path);
        *done = !rc;
    }
    if (fd >= 0)
        mt_fs_close(fd);
    if (rc)
        mt_fs_unlink(tmp);
    return rc;
}

/* After each the folder is synced: what remains after a power cut has no hole. */
enum mt_rc mt_au_remove(const char *dir, uint32_t first, uint32_t last, struct mt_fault *fault)
{
    for (uint32_t segment = first; segment <= last; segment++) {
        char path[MT_AU_PATH_MAX];
        mt_au_compressed_path(dir, segment, path);
        int err = mt_fs_unlink(path);
        if (!err || err == ENOENT) {
            mt_au_segment_path(dir, segment, path);
            err = mt_fs_unlink(path);
        }
        if (!err || err == ENOENT)
            err = mt_fs_sync_dir(dir);
        if (err)
            return mt_fs_fault(fault, err, "remove", path);
    }
    return MT_OK;
}

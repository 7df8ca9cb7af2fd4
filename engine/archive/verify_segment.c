/* One segment, read as a stranger would: its size, its hash, and every line. */
#include "archive/verify_int.h"

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "codec/json.h"
#include "codec/zstd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define READ_BYTES (256u << 10)

/* ---------------------------------------------------------------- lines */

struct mt_ar_id_key mt_ar_id_key(const char *id)
{
    struct mt_ar_id_key key = {0, 0};
    uint8_t digest[MT_SHA256_LEN];

    if (id[0] != '0' && mt_str_u64(id, &key.low))
        return key;
    mt_sha256_of(id, strlen(id), digest);
    memcpy(&key, digest, sizeof key);
    key.high |= 1; /* no number has it */
    return key;
}

static void copy_id(char out[MT_ID_MAX], const char *id)
{
    snprintf(out, MT_ID_MAX, "%s", strcmp(id, "0") ? id : "");
}

static enum mt_rc take_id(struct mt_ar_verify *v, const char *id)
{
    if (v->ids_n == v->ids_cap) {
        size_t cap = v->ids_cap ? v->ids_cap * 2 : 1024;
        struct mt_ar_id_key *ids = mt_mem_realloc(v->ids, cap * sizeof *ids);
        if (!ids)
            return MT_ERR_NOMEM;
        v->ids = ids;
        v->ids_cap = cap;
    }
    if (!v->ids_n)
        copy_id(v->first_id, id);
    if (!v->counts.messages_n)
        copy_id(v->counts.first_id, id);
    copy_id(v->counts.last_id, id);
    v->counts.messages_n++;
    v->ids[v->ids_n++] = mt_ar_id_key(id);
    return MT_OK;
}

static void take_gap(struct mt_ar_verify *v, const struct mt_json *line)
{
    const char *reason = mt_json_str(mt_json_get(line, "reason"));

    if (mt_json_bool(mt_json_get(line, "closed"), false))
        return;
    v->counts.gaps_n++;
    if (v->conv->state.gaps_n)
        mt_ar_verify_find(v, false, "gap in %s: %s", v->conv->state.conversation,
                          reason ? reason : "no reason given");
}

static bool is_type(const char *type)
{
    return !strcmp(type, "edit") || !strcmp(type, "recall");
}

static enum mt_rc check_line(void *ud, const char *text, size_t len)
{
    struct mt_ar_verify *v = ud;
    struct mt_json *line = NULL;
    struct mt_fault ignored;
    enum mt_rc rc = mt_json_parse(text, len, MT_AR_LINE_MAX, &line, &ignored);

    if (rc == MT_ERR_NOMEM)
        return rc;
    v->counts.lines_n++;
    const char *conversation = mt_json_str(mt_json_get(line, "conversation"));
    const char *type = mt_json_str(mt_json_get(line, "type"));
    const char *id = mt_json_str(mt_json_get(line, "id"));
    bool ours = !rc && mt_json_i64(mt_json_get(line, "v"), 0) == 1 && conversation &&
                !strcmp(conversation, v->conv->state.conversation);
    rc = MT_OK;
    if (ours && type && !strcmp(type, "gap"))
        take_gap(v, line);
    else if (ours && !type && id && *id && strlen(id) < MT_ID_MAX) {
        rc = take_id(v, id);
        mt_ar_verify_attachment(v, line, id);
    } else if (!ours || !type || !is_type(type))
        v->bad_lines_n++;
    mt_json_free(line);
    return rc;
}

/* ---------------------------------------------------------------- bytes */

static void start(struct mt_ar_verify *v)
{
    mt_sha256_reset(v->hash);
    mt_buf_reset(&v->rest);
    memset(&v->counts, 0, sizeof v->counts);
    v->bytes = 0;
}

static enum mt_rc take_bytes(void *ud, const void *p, size_t len)
{
    struct mt_ar_verify *v = ud;
    enum mt_rc rc = MT_OK;

    mt_sha256_update(v->hash, p, len);
    v->bytes += (int64_t)len;
    v->done_bytes += (int64_t)len;
    rc = mt_ar_split(&v->rest, p, len, check_line, v);
    if (v->progress)
        v->progress(v->ud, v->done_bytes, v->total_bytes);
    return rc;
}

static enum mt_rc hash_only(void *ud, const void *p, size_t len)
{
    mt_sha256_update(((struct mt_ar_verify *)ud)->hash, p, len);
    return MT_OK;
}

static bool hash_is(const struct mt_ar_verify *v, const char *want)
{
    char hex[MT_SHA256_HEX];
    mt_ar_hex_peek(v->hash, hex);
    return !strcmp(hex, want);
}

static bool file_size(struct mt_ar_verify *v, const char *path, const char *name,
                      int64_t *size_bytes)
{
    struct mt_fs_stat st;
    int err = mt_fs_stat(path, &st);

    if (err || !st.is_file) {
        mt_ar_verify_find(v, true, "%s: %s", name,
                          err == ENOENT ? "missing" : "not a readable file");
        return false;
    }
    *size_bytes = st.size_bytes;
    return true;
}

/* Gives the first limit bytes of a file to take; false if there are fewer or they make no sense. */
static bool read_file(struct mt_ar_verify *v, const char *path, int64_t limit,
                      enum mt_rc (*take)(void *ud, const void *p, size_t len))
{
    char *block = mt_mem_alloc(READ_BYTES);
    int64_t at = 0;
    int fd = -1;
    enum mt_rc rc = block ? MT_OK : MT_ERR_NOMEM;
    int err = rc ? ENOMEM : mt_fs_open(path, MT_FS_READ, &fd);

    while (!err && !rc && at < limit) {
        int64_t left = limit - at;
        size_t got = 0;
        err = mt_fs_pread(fd, block, left < READ_BYTES ? (size_t)left : READ_BYTES, at, &got);
        if (!err && !got)
            break;
        if (!err)
            rc = take(v, block, got);
        at += (int64_t)got;
    }
    if (fd >= 0)
        mt_fs_close(fd);
    mt_mem_free(block);
    if (rc == MT_ERR_NOMEM)
        v->rc = rc;
    return !err && !rc && at >= limit;
}

/* ---------------------------------------------------------------- segments */

/* What was counted while reading, against what was written down. Times are not compared: they are
 * bounds. */
static void check_counts(struct mt_ar_verify *v, const char *name, const struct mt_ar_counts *want)
{
    const struct mt_ar_counts *got = &v->counts;

    v->lines_n += got->lines_n;
    v->messages_n += got->messages_n;
    if (got->lines_n != want->lines_n || got->messages_n != want->messages_n ||
        got->gaps_n != want->gaps_n || strcmp(got->first_id, want->first_id) != 0 ||
        strcmp(got->last_id, want->last_id) != 0)
        mt_ar_verify_find(v, true,
                          "%s: %llu messages in %llu lines with %llu gaps, %llu in %llu with %llu "
                          "were written, or the first or last is another",
                          name, (unsigned long long)got->messages_n,
                          (unsigned long long)got->lines_n, (unsigned long long)got->gaps_n,
                          (unsigned long long)want->messages_n, (unsigned long long)want->lines_n,
                          (unsigned long long)want->gaps_n);
}

static void read_sealed(struct mt_ar_verify *v, const struct mt_ar_sealed *sealed, const char *path,
                        const char *name)
{
    struct mt_fault fault;
    int fd = -1;

    start(v);
    if (!read_file(v, path, sealed->zst_bytes, hash_only) || !hash_is(v, sealed->zst_sha256)) {
        if (!v->rc)
            mt_ar_verify_find(v, true, "%s: the content is not what was sealed", name);
        return;
    }
    start(v);
    if (mt_fs_open(path, MT_FS_READ, &fd)) {
        mt_ar_verify_find(v, true, "%s: cannot be read", name);
        return;
    }
    enum mt_rc rc = mt_zstd_decompress_fd(fd, sealed->bytes, take_bytes, v, &fault);
    mt_fs_close(fd);
    if (rc == MT_ERR_NOMEM)
        v->rc = rc;
    else if (rc || v->bytes != sealed->bytes || v->rest.len || !hash_is(v, sealed->sha256))
        mt_ar_verify_find(v, true, "%s: what comes out is not what went in", name);
    else
        check_counts(v, name, &sealed->counts);
}

void mt_ar_verify_sealed(struct mt_ar_verify *v, const struct mt_ar_sealed *sealed)
{
    char path[MT_AR_PATH_MAX];
    const char *name = path + strlen(v->archive.base) + 1;
    int64_t size_bytes = 0;

    v->report->segments_n++;
    v->report->sealed_n++;
    mt_ar_segment_path(&v->archive, v->conv, sealed->segment, ".zst", path);
    if (!file_size(v, path, name, &size_bytes))
        return;
    v->report->bytes += size_bytes;
    if (size_bytes != sealed->zst_bytes)
        mt_ar_verify_find(v, true, "%s: %lld bytes, the manifest says %lld", name,
                          (long long)size_bytes, (long long)sealed->zst_bytes);
    else if (v->mode == MT_VERIFY_READ_ALL)
        read_sealed(v, sealed, path, name);
}

void mt_ar_verify_open(struct mt_ar_verify *v)
{
    const struct mt_ar_conv *conv = v->conv;
    char path[MT_AR_PATH_MAX];
    const char *name = path + strlen(v->archive.base) + 1;
    struct mt_fs_stat st;
    int64_t size_bytes = 0;

    mt_ar_segment_path(&v->archive, conv, conv->segment, "", path);
    if (!conv->offset && mt_fs_stat(path, &st) == ENOENT)
        return; /* nothing open, nothing there */
    v->report->segments_n++;
    if (!file_size(v, path, name, &size_bytes))
        return;
    v->report->bytes += size_bytes;
    if (size_bytes < conv->offset) {
        mt_ar_verify_find(v, true, "%s: %lld bytes, %lld were committed", name,
                          (long long)size_bytes, (long long)conv->offset);
        return;
    }
    if (size_bytes > conv->offset && v->archive.journal.clean)
        mt_ar_verify_find(v, true, "%s: %lld bytes more than were committed", name,
                          (long long)(size_bytes - conv->offset));
    if (v->mode == MT_VERIFY_STRUCTURE)
        return;
    start(v);
    if (!read_file(v, path, conv->offset, take_bytes) || v->rest.len ||
        (conv->offset && !hash_is(v, conv->sha256))) {
        if (!v->rc)
            mt_ar_verify_find(v, true, "%s: the content is not what was committed", name);
    } else {
        check_counts(v, name, &conv->counts);
    }
}

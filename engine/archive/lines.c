/* Reading back what is committed, line by line. Each segment is hashed on the way: whoever deletes
 * because of what stands here must know that it is what was committed (R3). */
#include "archive/archive_int.h"

#include "base/fs.h"
#include "base/mem.h"
#include "codec/zstd.h"

#include <string.h>

#define READ_BYTES (256u << 10)

enum mt_rc mt_ar_split(struct mt_buf *rest, const void *p, size_t len,
                       enum mt_rc (*each)(void *ud, const char *line, size_t len), void *ud)
{
    const char *at = p;
    size_t left = len;
    enum mt_rc rc = MT_OK;

    while (left && !rc) {
        const char *newline = memchr(at, '\n', left);
        size_t n = newline ? (size_t)(newline - at) : left;
        if (!newline || rest->len) {
            rc = mt_buf_append(rest, at, n);
            if (!rc && newline) {
                rc = each(ud, rest->data ? rest->data : "", rest->len);
                mt_buf_reset(rest);
            }
        } else {
            rc = each(ud, at, n);
        }
        n += newline ? 1 : 0;
        at += n;
        left -= n;
    }
    return rc;
}

struct reading {
    struct mt_buf rest;
    struct mt_sha256 *hash; /* of the segment */
    enum mt_rc (*each)(void *ud, const char *line, size_t len);
    void *ud;
};

static enum mt_rc take(void *ud, const void *p, size_t len)
{
    struct reading *reading = ud;

    mt_sha256_update(reading->hash, p, len);
    return mt_ar_split(&reading->rest, p, len, reading->each, reading->ud);
}

static enum mt_rc check_hash(const struct reading *reading, const char *path, const char *sha256,
                             struct mt_fault *fault)
{
    char hex[MT_SHA256_HEX];

    mt_ar_hex_peek(reading->hash, hex);
    return strcmp(hex, sha256) ? mt_ar_damaged(fault, path, "its content is not what was committed")
                               : MT_OK;
}

static enum mt_rc read_sealed(const struct mt_archive *archive, const struct mt_ar_conv *conv,
                              const struct mt_ar_sealed *sealed, struct reading *reading,
                              struct mt_fault *fault)
{
    char path[MT_AR_PATH_MAX];
    int fd = -1;
    enum mt_rc rc = MT_OK;

    mt_ar_segment_path(archive, conv, sealed->segment, ".zst", path);
    int err = mt_fs_open(path, MT_FS_READ, &fd);
    if (err)
        return mt_fs_fault(fault, err, "read", path);
    mt_sha256_reset(reading->hash);
    rc = mt_zstd_decompress_fd(fd, sealed->bytes, take, reading, fault);
    mt_fs_close(fd);
    return rc ? rc : check_hash(reading, path, sealed->sha256, fault);
}

static enum mt_rc read_open(struct mt_archive *archive, const struct mt_ar_conv *conv,
                            struct reading *reading, struct mt_fault *fault)
{
    char path[MT_AR_PATH_MAX];
    char *block = mt_mem_alloc(READ_BYTES);
    int64_t at = 0;
    int fd = -1;
    enum mt_rc rc = MT_OK;

    if (!block)
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    mt_ar_segment_path(archive, conv, conv->segment, "", path);
    mt_sha256_reset(reading->hash);
    int err = mt_fs_open(path, MT_FS_READ, &fd);
    while (!err && !rc && at < conv->offset) {
        int64_t left = conv->offset - at;
        size_t got = 0;
        err = mt_fs_pread(fd, block, left < READ_BYTES ? (size_t)left : READ_BYTES, at, &got);
        if (!err && !got)
            rc = mt_ar_damaged(fault, path, "it is shorter than what was committed");
        else if (!err)
            rc = take(reading, block, got);
        at += (int64_t)got;
    }
    if (err)
        rc = mt_fs_fault(fault, err, "read", path);
    if (!rc)
        rc = check_hash(reading, path, conv->sha256, fault);
    if (fd >= 0)
        mt_fs_close(fd);
    mt_mem_free(block);
    return rc;
}

static enum mt_rc start(struct reading *reading, struct mt_fault *fault)
{
    mt_buf_init(&reading->rest, MT_AR_LINE_MAX);
    mt_fault_set(fault, MT_OK, "", "%s", "");
    reading->hash = mt_sha256_new();
    return reading->hash ? MT_OK : mt_ar_nomem(fault);
}

static enum mt_rc finish(struct reading *reading, enum mt_rc rc, const char *conversation,
                         struct mt_fault *fault)
{
    if (rc && fault && !fault->message[0])
        mt_fault_set(fault, rc, "archive.read", "reading %s back failed: %s", conversation,
                     mt_rc_name(rc));
    mt_buf_deinit(&reading->rest);
    mt_sha256_free(reading->hash);
    return rc;
}

enum mt_rc mt_archive_lines(struct mt_archive *archive, const char *conversation, int64_t since_ms,
                            int64_t until_ms,
                            enum mt_rc (*each)(void *ud, const char *line, size_t len), void *ud,
                            struct mt_fault *fault)
{
    const struct mt_ar_conv *conv = mt_map_get(archive->convs, conversation);
    struct reading reading = {.each = each, .ud = ud};
    enum mt_rc rc = MT_OK;

    if (!conv)
        return MT_OK;
    rc = start(&reading, fault);
    for (const struct mt_ar_sealed *sealed = conv->sealed; sealed && !rc; sealed = sealed->next) {
        bool outside = (since_ms > 0 && sealed->counts.last_ms < since_ms) ||
                       (until_ms > 0 && sealed->counts.first_ms >= until_ms);
        if (outside && sealed->counts.messages_n == sealed->counts.lines_n)
            continue;
        rc = read_sealed(archive, conv, sealed, &reading, fault);
    }
    if (!rc && conv->offset)
        rc = read_open(archive, conv, &reading, fault);
    return finish(&reading, rc, conversation, fault);
}

enum mt_rc mt_ar_lines_of_segment(struct mt_archive *archive, const char *conversation, size_t at,
                                  enum mt_rc (*each)(void *ud, const char *line, size_t len),
                                  void *ud, bool *more, struct mt_fault *fault)
{
    const struct mt_ar_conv *conv = mt_map_get(archive->convs, conversation);
    const struct mt_ar_sealed *sealed = conv ? conv->sealed : NULL;
    struct reading reading = {.each = each, .ud = ud};
    enum mt_rc rc = MT_OK;

    *more = false;
    if (!conv)
        return MT_OK;
    rc = start(&reading, fault);
    for (; sealed && at; at--)
        sealed = sealed->next;
    if (!rc && sealed)
        rc = read_sealed(archive, conv, sealed, &reading, fault);
    else if (!rc && !at && conv->offset)
        rc = read_open(archive, conv, &reading, fault);
    *more = sealed && (sealed->next || conv->offset);
    return finish(&reading, rc, conversation, fault);
}

/* Attachments into the archive. A file is whole and durable under a name of its own before it gets
 * the name of its hash; that name is durable before the journal speaks of it. */
#include "archive/media_int.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "codec/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LINE_MAX_BYTES ((size_t)64 << 10)
#define LIST_MAX_BYTES ((size_t)1 << 30)

struct mt_media {
    char dir[MT_MEDIA_PATH_MAX - 128]; /* the account's media */
    char journal[MT_MEDIA_PATH_MAX - 96];
    struct mt_ar_media_index index;
    int fd; /* of the journal */
    bool broken;
    char last[MT_SHA256_HEX]; /* the pool's: of the last line written */
    uint64_t temp_n;
};

/* ---------------------------------------------------------------- after a crash */

static bool is_hex(const char *name, size_t len)
{
    return strlen(name) == len && strspn(name, "0123456789abcdef") == len;
}

/* Downloads that were not finished. */
static int clear_temp(const struct mt_media *media)
{
    char path[MT_MEDIA_PATH_MAX];
    char **names = NULL;
    size_t n = 0;

    snprintf(path, sizeof path, "%s/tmp", media->dir);
    int err = mt_fs_list(path, &names, &n);
    for (size_t i = 0; !err && i < n; i++) {
        snprintf(path, sizeof path, "%s/tmp/%s", media->dir, names[i]);
        err = mt_fs_unlink(path);
    }
    mt_mem_free(names);
    return err == ENOENT ? 0 : err;
}

/* Files that got their name just before the crash, and no line. */
static int clear_unknown(const struct mt_media *media, const char *folder)
{
    char path[MT_MEDIA_PATH_MAX];
    char sha256[MT_SHA256_HEX];
    char **names = NULL;
    size_t n = 0;

    snprintf(path, sizeof path, "%s/sha256/%s", media->dir, folder);
    int err = mt_fs_list(path, &names, &n);
    for (size_t i = 0; !err && i < n; i++) {
        if (!is_hex(names[i], MT_SHA256_HEX - 3))
            continue; /* not ours: verify says so */
        snprintf(sha256, sizeof sha256, "%s%s", folder, names[i]);
        snprintf(path, sizeof path, "%s/sha256/%s/%s", media->dir, folder, names[i]);
        if (!mt_map_get(media->index.files, sha256))
            err = mt_fs_unlink(path);
    }
    mt_mem_free(names);
    return err;
}

static int clear(const struct mt_media *media)
{
    char path[MT_MEDIA_PATH_MAX];
    char **names = NULL;
    size_t n = 0;
    int err = clear_temp(media);

    snprintf(path, sizeof path, "%s/sha256", media->dir);
    if (!err)
        err = mt_fs_list(path, &names, &n);
    for (size_t i = 0; !err && i < n; i++)
        if (is_hex(names[i], 2))
            err = clear_unknown(media, names[i]);
    mt_mem_free(names);
    return err == ENOENT ? 0 : err;
}

/* ---------------------------------------------------------------- opening */

static struct mt_media *make(const struct mt_archive *archive)
{
    struct mt_media *media = mt_mem_calloc(1, sizeof *media);

    if (!media)
        return NULL;
    media->fd = -1;
    mt_ar_hex_zero(media->last);
    snprintf(media->dir, sizeof media->dir, "%s/media", archive->base);
    snprintf(media->journal, sizeof media->journal, "%s/JOURNAL.jsonl", media->dir);
    if (!mt_ar_media_index_init(&media->index))
        return media;
    mt_media_free(media);
    return NULL;
}

/* torn: whether the last line is not what was written. */
static enum mt_rc load(struct mt_media *media, bool *torn, struct mt_fault *fault)
{
    char *data = NULL;
    size_t len = 0;
    int err = mt_fs_read_all(media->journal, MT_AR_MEDIA_MAX, &data, &len);

    *torn = false;
    if (err == ENOENT)
        return MT_OK;
    if (err)
        return mt_fs_fault(fault, err, "read", media->journal);
    enum mt_rc rc = mt_ar_media_parse(data, len, &media->index, fault);
    *torn = media->index.good_bytes < len;
    mt_mem_free(data);
    memcpy(media->last, media->index.last, sizeof media->last);
    return rc;
}

static int open_journal(struct mt_media *media, bool create)
{
    int err = mt_fs_open(media->journal, MT_FS_WRITE | (create ? MT_FS_CREATE : 0), &media->fd);

    return err ? err : mt_fs_seek(media->fd, (int64_t)media->index.good_bytes);
}

enum mt_rc mt_ar_media_look(const struct mt_archive *archive, struct mt_fault *fault)
{
    struct mt_media *media = make(archive);
    bool torn = false;
    enum mt_rc rc = media ? load(media, &torn, fault) : mt_ar_nomem(fault);

    mt_media_free(media);
    return rc;
}

static int cut(struct mt_media *media)
{
    int err = open_journal(media, false);

    if (!err)
        err = mt_fs_truncate(media->fd, (int64_t)media->index.good_bytes);
    return err ? err : mt_fs_fdatasync(media->fd);
}

enum mt_rc mt_ar_media_recover(const struct mt_archive *archive, struct mt_fault *fault)
{
    struct mt_media *media = make(archive);
    bool torn = false;
    enum mt_rc rc = media ? load(media, &torn, fault) : mt_ar_nomem(fault);
    int err = 0;

    if (!rc && torn)
        err = cut(media);
    if (!rc && !err)
        err = clear(media);
    if (!rc && err)
        rc = mt_fs_fault(fault, err, "put right", media->dir);
    mt_media_free(media);
    return rc;
}

static int make_folders(struct mt_media *media)
{
    static const char *const names[] = {"tmp", "sha256"};
    char path[MT_MEDIA_PATH_MAX];
    int err = 0;

    for (size_t i = 0; !err && i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", media->dir, names[i]);
        err = mt_fs_mkdirs(path);
    }
    if (!err)
        err = open_journal(media, true);
    return err ? err : mt_fs_sync_dir(media->dir);
}

enum mt_rc mt_media_open(const struct mt_archive *archive, struct mt_media **out,
                         struct mt_fault *fault)
{
    struct mt_media *media = make(archive);
    bool torn = false;
    enum mt_rc rc = media ? load(media, &torn, fault) : mt_ar_nomem(fault);

    if (!rc && torn) /* not by a crash: that was put right when the archive was opened */
        rc = mt_ar_damaged(fault, "media/JOURNAL.jsonl", "its last line is not what was written");
    if (!rc) {
        int err = make_folders(media);
        if (err)
            rc = mt_fs_fault(fault, err, "prepare", media->dir);
    }
    if (rc) {
        mt_media_free(media);
        return rc;
    }
    *out = media;
    return MT_OK;
}

enum mt_rc mt_media_begin(struct mt_archive *archive, struct mt_fault *fault)
{
    if (archive->broken) {
        *fault = archive->broken_fault;
        return fault->kind;
    }
    return archive->begun ? MT_OK : mt_ar_journal_begin(archive, fault);
}

void mt_media_free(struct mt_media *media)
{
    if (!media)
        return;
    if (media->fd >= 0)
        (void)mt_fs_close(media->fd);
    mt_ar_media_index_deinit(&media->index);
    mt_mem_free(media);
}

/* ---------------------------------------------------------------- what is known */

enum mt_media_state mt_media_find(const struct mt_media *media, const char *conversation,
                                  const char *message, const char **code)
{
    struct mt_buf key;

    mt_ar_media_key(conversation, message, &key);
    const struct mt_ar_medium *medium =
        key.failed ? NULL : mt_map_get(media->index.messages, key.data);
    mt_buf_deinit(&key);
    if (!medium)
        return MT_MEDIA_NEW;
    *code = medium->code;
    return medium->sha256[0] ? MT_MEDIA_THERE : MT_MEDIA_MISSING;
}

const char *mt_media_known(const struct mt_media *media, const char *remote_path,
                           int64_t *size_bytes)
{
    const struct mt_ar_blob *blob = mt_map_get(media->index.remotes, remote_path);

    if (!blob)
        return NULL;
    *size_bytes = blob->size_bytes;
    return blob->sha256;
}

void mt_media_temp(struct mt_media *media, char out[MT_MEDIA_PATH_MAX])
{
    snprintf(out, MT_MEDIA_PATH_MAX, "%s/tmp/%llu", media->dir,
             (unsigned long long)++media->temp_n);
}

uint64_t mt_media_missing_n(const struct mt_media *media)
{
    return media->index.missing_n;
}

/* ---------------------------------------------------------------- committing */

static int place(const struct mt_media *media, const struct mt_media_item *item)
{
    char name[MT_SHA256_HEX + 16];
    char path[MT_MEDIA_PATH_MAX];
    char folder[MT_MEDIA_PATH_MAX];
    struct mt_fs_stat st;

    mt_ar_media_name(item->sha256, name);
    snprintf(path, sizeof path, "%s/%s", media->dir, name);
    snprintf(folder, sizeof folder, "%s/sha256/%.2s", media->dir, item->sha256);
    if (!mt_fs_stat(path, &st) && st.is_file && st.size_bytes == item->size_bytes)
        return mt_fs_unlink(item->temp); /* the same content from another address */
    int err = mt_fs_mkdirs(folder);
    if (!err)
        err = mt_fs_rename(item->temp, path);
    return err ? err : mt_fs_sync_dir(folder);
}

static void write_line(const struct mt_media *media, const struct mt_media_item *item,
                       struct mt_buf *out)
{
    struct mt_jsonw w;

    mt_jsonw_init(&w, out);
    mt_jsonw_object(&w);
    mt_ar_put_i64(&w, "v", 1);
    mt_ar_put_str(&w, "conversation", item->conversation);
    mt_ar_put_str(&w, "message", item->message);
    mt_ar_put_str(&w, "remote_path", item->remote_path);
    if (item->missing) {
        mt_ar_put_str(&w, "missing", item->missing);
    } else {
        mt_ar_put_str(&w, "sha256", item->sha256);
        mt_ar_put_i64(&w, "size", item->size_bytes);
    }
    mt_ar_put_i64(&w, "at", mt_clock_wall_ms());
    mt_ar_put_str(&w, "prev_sha256", media->last);
    if (!out->failed)
        (void)mt_buf_appendf(out, MT_AR_MEDIA_CRC "\n", (unsigned)mt_crc32(0, out->data, out->len));
}

static enum mt_rc commit_one(struct mt_media *media, const struct mt_media_item *item,
                             struct mt_fault *fault)
{
    struct mt_buf line;
    enum mt_rc rc = MT_OK;
    int err = item->temp ? place(media, item) : 0;

    mt_buf_init(&line, LINE_MAX_BYTES);
    write_line(media, item, &line);
    if (line.failed)
        rc = mt_ar_nomem(fault);
    if (!rc && !err)
        err = mt_fs_write(media->fd, line.data, line.len);
    if (!rc && !err)
        err = mt_fs_fdatasync(media->fd);
    if (!rc && err)
        rc = mt_fs_fault(fault, err, "write", media->dir);
    if (!rc)
        mt_ar_hex_of(line.data, line.len - 1, media->last);
    mt_buf_deinit(&line);
    return rc;
}

enum mt_rc mt_media_commit(struct mt_media *media, const struct mt_media_item *items, size_t n,
                           struct mt_fault *fault)
{
    enum mt_rc rc = MT_OK;

    if (media->broken)
        return mt_fault_set(fault, MT_ERR_STATE, "archive.broken",
                            "a write into %.150s has failed before: run it again", media->dir);
    for (size_t i = 0; !rc && i < n; i++)
        rc = commit_one(media, &items[i], fault);
    media->broken = rc != MT_OK;
    return rc;
}

enum mt_rc mt_media_note(struct mt_media *media, const struct mt_media_item *items, size_t n)
{
    enum mt_rc rc = MT_OK;

    for (size_t i = 0; !rc && i < n; i++)
        rc = mt_ar_media_add(&media->index, &items[i], mt_clock_wall_ms());
    return rc;
}

/* ---------------------------------------------------------------- what is missing */

static bool add_line(void *ud, const char *key, void *value)
{
    const struct mt_ar_medium *medium = value;

    (void)key;
    if (medium->line)
        (void)mt_buf_append_str(ud, medium->line);
    return true;
}

static bool is_content(const char *path, const struct mt_buf *want)
{
    char *data = NULL;
    size_t len = 0;
    bool same = !mt_fs_read_all(path, want->len, &data, &len) && len == want->len &&
                !memcmp(data, want->data, len);

    mt_mem_free(data);
    return same;
}

enum mt_rc mt_media_list_missing(struct mt_media *media, struct mt_fault *fault)
{
    char path[MT_MEDIA_PATH_MAX];
    struct mt_buf out;
    int err = 0;

    snprintf(path, sizeof path, "%s/missing.jsonl", media->dir);
    mt_buf_init(&out, LIST_MAX_BYTES);
    mt_map_each(media->index.messages, add_line, &out);
    if (out.failed)
        return mt_ar_nomem(fault);
    if (out.len) {
        err = is_content(path, &out) ? 0 : mt_fs_replace(path, out.data, out.len);
    } else {
        err = mt_fs_unlink(path);
        err = err == ENOENT ? 0 : err;
    }
    mt_buf_deinit(&out);
    return err ? mt_fs_fault(fault, err, "write", path) : MT_OK;
}

/* Attachments, as verify sees them: the journal's chain, every file's hash, no foreign file, and no
 * message whose attachment nobody asked for. An archive without the folder media has none, and says
 * nothing of them. */
#include "archive/media_int.h"
#include "archive/verify_int.h"

#include "base/fs.h"
#include "base/mem.h"
#include "codec/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define READ_BYTES (256u << 10)

void mt_ar_verify_media_load(struct mt_ar_verify *v)
{
    char path[MT_AR_PATH_MAX];
    struct mt_fault fault;
    char *data = NULL;
    size_t len = 0;

    mt_ar_path(&v->archive, path, "media/JOURNAL.jsonl");
    int err = mt_fs_read_all(path, MT_AR_MEDIA_MAX, &data, &len);
    if (err == ENOENT)
        return; /* without a journal, every file is a foreign one */
    if (err) {
        mt_ar_verify_find(v, true, "media/JOURNAL.jsonl: cannot be read");
        return;
    }
    v->media = mt_mem_calloc(1, sizeof *v->media);
    if (!v->media || mt_ar_media_index_init(v->media)) {
        v->rc = MT_ERR_NOMEM;
    } else {
        v->rc = mt_ar_media_parse(data, len, v->media, &fault);
        if (v->rc == MT_ERR_DAMAGED) {
            mt_ar_verify_find(v, true, "%s", fault.message);
            v->rc = MT_OK;
        } else if (!v->rc && v->media->good_bytes < len && v->archive.journal.clean) {
            mt_ar_verify_find(v, true, "media/JOURNAL.jsonl: its end is not what was written");
        }
    }
    mt_mem_free(data);
}

void mt_ar_verify_media_free(struct mt_ar_verify *v)
{
    if (v->media)
        mt_ar_media_index_deinit(v->media);
    mt_mem_free(v->media);
    v->media = NULL;
}

void mt_ar_verify_attachment(struct mt_ar_verify *v, const struct mt_json *line, const char *id)
{
    const struct mt_json *body = mt_json_get(line, "body");
    const char *remote = mt_json_str(mt_json_get(body, "remote_path"));
    struct mt_buf key;

    if (!v->media || !remote || !*remote)
        return;
    mt_ar_media_key(v->conv->state.conversation, id, &key);
    if (!key.failed && !mt_map_get(v->media->messages, key.data))
        v->unfetched_n++;
    mt_buf_deinit(&key);
}

/* ---------------------------------------------------------------- files */

static bool hash_file(struct mt_ar_verify *v, const char *path, char hex[MT_SHA256_HEX])
{
    char *block = mt_mem_alloc(READ_BYTES);
    size_t got = 0;
    int fd = -1;
    int err = block ? mt_fs_open(path, MT_FS_READ, &fd) : ENOMEM;

    mt_sha256_reset(v->hash);
    do {
        if (!err)
            err = mt_fs_read(fd, block, READ_BYTES, &got);
        if (!err)
            mt_sha256_update(v->hash, block, got);
    } while (!err && got);
    if (fd >= 0)
        (void)mt_fs_close(fd);
    mt_mem_free(block);
    if (err == ENOMEM)
        v->rc = MT_ERR_NOMEM;
    mt_ar_hex_peek(v->hash, hex);
    return !err;
}

static bool check_file(void *ud, const char *sha256, void *value)
{
    struct mt_ar_verify *v = ud;
    const struct mt_ar_blob *blob = value;
    char name[MT_SHA256_HEX + 16];
    char path[MT_AR_PATH_MAX];
    char hex[MT_SHA256_HEX];
    struct mt_fs_stat st;

    mt_ar_media_name(sha256, name);
    mt_ar_path(&v->archive, path, "media/%s", name);
    v->report->attachments_n++;
    if (mt_fs_stat(path, &st) || !st.is_file) {
        mt_ar_verify_find(v, true, "media/%s: missing", name);
        return true;
    }
    v->report->attachment_bytes += st.size_bytes;
    if (st.size_bytes != blob->size_bytes)
        mt_ar_verify_find(v, true, "media/%s: it has %lld bytes, and %lld were written", name,
                          (long long)st.size_bytes, (long long)blob->size_bytes);
    else if (v->mode == MT_VERIFY_READ_ALL &&
             (!hash_file(v, path, hex) || strcmp(hex, sha256) != 0))
        mt_ar_verify_find(v, true, "media/%s: its content was changed, or cannot be read", name);
    return !v->rc;
}

static bool tell_missing(void *ud, const char *key, void *value)
{
    const struct mt_ar_medium *medium = value;

    if (!medium->sha256[0])
        mt_ar_verify_find(ud, false, "attachment of %s: %s", key, medium->code);
    return true;
}

/* The entries of a folder below media that are none of ours. */
static void check_names(struct mt_ar_verify *v, const char *folder,
                        bool (*ours)(const struct mt_ar_verify *v, const char *folder,
                                     const char *name))
{
    char path[MT_AR_PATH_MAX];
    char **names = NULL;
    size_t n = 0;

    mt_ar_path(&v->archive, path, "media%s", folder);
    if (mt_fs_list(path, &names, &n))
        return; /* what is missing in it was found by name */
    for (size_t i = 0; i < n; i++)
        if (!ours(v, folder, names[i]))
            mt_ar_verify_find(v, true, "media%s/%s: does not belong to the archive", folder,
                              names[i]);
    mt_mem_free(names);
}

static bool is_top(const struct mt_ar_verify *v, const char *folder, const char *name)
{
    (void)v;
    (void)folder;
    return !strcmp(name, "sha256") || !strcmp(name, "tmp") || !strcmp(name, "JOURNAL.jsonl") ||
           !strcmp(name, "missing.jsonl");
}

static bool is_folder(const struct mt_ar_verify *v, const char *folder, const char *name)
{
    (void)v;
    (void)folder;
    return strlen(name) == 2 && strspn(name, "0123456789abcdef") == 2;
}

static bool is_known(const struct mt_ar_verify *v, const char *folder, const char *name)
{
    char sha256[2 * MT_SHA256_HEX];

    snprintf(sha256, sizeof sha256, "%s%.64s", folder + strlen("/sha256/"), name);
    return strlen(name) == MT_SHA256_HEX - 3 && v->media && mt_map_get(v->media->files, sha256);
}

static void check_folders(struct mt_ar_verify *v)
{
    char path[MT_AR_PATH_MAX];
    char folder[32];
    char **names = NULL;
    size_t n = 0;

    check_names(v, "", is_top);
    check_names(v, "/sha256", is_folder);
    mt_ar_path(&v->archive, path, "media/sha256");
    if (mt_fs_list(path, &names, &n))
        return;
    for (size_t i = 0; i < n; i++) {
        if (!is_folder(v, "", names[i]))
            continue;
        snprintf(folder, sizeof folder, "/sha256/%.2s", names[i]);
        check_names(v, folder, is_known);
    }
    mt_mem_free(names);
}

void mt_ar_verify_media(struct mt_ar_verify *v)
{
    if (v->media) {
        mt_map_each(v->media->files, check_file, v);
        mt_map_each(v->media->messages, tell_missing, v);
        v->report->missing_n = v->media->missing_n;
    }
    if (v->archive.journal.clean)
        check_folders(v);
    if (v->unfetched_n && v->archive.journal.clean)
        mt_ar_verify_find(v, false,
                          "the attachments of %llu messages were not fetched: run export --media",
                          (unsigned long long)v->unfetched_n);
}

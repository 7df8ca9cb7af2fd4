/* Whose archive this is: FORMAT, account.json, and that there is no other account in the folder. */
#include "archive/archive_int.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "codec/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define FORMAT_MAX  1024u
#define ACCOUNT_MAX (64u << 10)

/* What lies in DIR beside the account: our own files, and what was made from the archive. */
bool mt_ar_name_is_ours(const char *name)
{
    static const char *const names[] = {"LOCK", "FORMAT",  "FORMAT.tmp", "csv",
                                        "html", "csv.tmp", "html.tmp"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!strcmp(names[i], name))
            return true;
    }
    return mt_str_starts(name, "messages.sqlite");
}

static enum mt_rc make_format(const struct mt_archive *archive, const char *path,
                              struct mt_fault *fault)
{
    char **names = NULL;
    size_t n = 0;
    enum mt_rc rc = MT_OK;
    int err = mt_fs_list(archive->root, &names, &n);

    if (err)
        return mt_fs_fault(fault, err, "read", archive->root);
    for (size_t i = 0; i < n && !rc; i++) {
        if (!mt_ar_name_is_ours(names[i]))
            rc = mt_fault_set(fault, MT_ERR_INVALID, "archive.not_empty",
                              "%s holds other files (%s) and is no archive: choose an empty folder",
                              archive->root, names[i]);
    }
    mt_mem_free(names);
    if (rc)
        return rc;
    err = mt_fs_replace(path, MT_AR_FORMAT, strlen(MT_AR_FORMAT));
    return err ? mt_fs_fault(fault, err, "write", path) : MT_OK;
}

enum mt_rc mt_ar_check_format(const struct mt_archive *archive, struct mt_fault *fault)
{
    char path[MT_AR_PATH_MAX];
    char *text = NULL;
    size_t len = 0;
    enum mt_rc rc = MT_OK;

    snprintf(path, sizeof path, "%s/FORMAT", archive->root);
    int err = mt_fs_read_all(path, FORMAT_MAX, &text, &len);
    if (err == ENOENT)
        return make_format(archive, path, fault);
    if (err)
        return mt_fs_fault(fault, err, "read", path);
    if (len != strlen(MT_AR_FORMAT) || memcmp(text, MT_AR_FORMAT, len) != 0)
        rc = mt_fault_set(fault, MT_ERR_INVALID, "archive.format",
                          "%s is not an archive of this version (its FORMAT is not \"imarc 1\"): "
                          "choose another folder",
                          archive->root);
    mt_mem_free(text);
    return rc;
}

/* The folders below path, one level further down; a file is none of our business. */
static enum mt_rc each_below(const struct mt_archive *archive, const char *path, unsigned level,
                             struct mt_fault *fault)
{
    char below[MT_AR_PATH_MAX];
    char **names = NULL;
    size_t n = 0;
    enum mt_rc rc = MT_OK;
    int err = mt_fs_list(path, &names, &n);

    if (err)
        return err == ENOTDIR ? MT_OK : mt_fs_fault(fault, err, "read", path);
    for (size_t i = 0; i < n && !rc; i++) {
        if (!level && mt_ar_name_is_ours(names[i]))
            continue;
        snprintf(below, sizeof below, "%s/%s", path, names[i]);
        if (level < 2)
            rc = each_below(archive, below, level + 1, fault);
        else if (strcmp(below, archive->base) != 0)
            rc = mt_fault_set(fault, MT_ERR_INVALID, "archive.other_account",
                              "%.60s is the archive of another account (%.100s): give each account "
                              "its own folder",
                              archive->root, below + strlen(archive->root) + 1);
    }
    mt_mem_free(names);
    return rc;
}

enum mt_rc mt_ar_check_others(const struct mt_archive *archive, struct mt_fault *fault)
{
    return each_below(archive, archive->root, 0, fault);
}

static enum mt_rc write_account(const char *path, const struct mt_archive_identity *id,
                                struct mt_buf *text, struct mt_fault *fault)
{
    struct mt_jsonw w;

    mt_jsonw_init(&w, text);
    mt_jsonw_object(&w);
    mt_ar_put_i64(&w, "v", 1);
    mt_ar_put_str(&w, "provider", id->provider);
    mt_ar_put_str(&w, "appkey", id->appkey);
    mt_ar_put_str(&w, "user", id->user);
    mt_ar_put_i64(&w, "created_ms", mt_clock_wall_ms());
    mt_jsonw_object_end(&w);
    if (mt_buf_append_char(text, '\n'))
        return mt_ar_nomem(fault);
    int err = mt_fs_replace(path, text->data, text->len);
    return err ? mt_fs_fault(fault, err, "write", path) : MT_OK;
}

static bool copy(const struct mt_json *root, const char *key, char *out, size_t size)
{
    const char *s = mt_json_str(mt_json_get(root, key));
    if (!s || strlen(s) >= size)
        return false;
    memcpy(out, s, strlen(s) + 1);
    return true;
}

enum mt_rc mt_ar_account_parse(const char *text, size_t len, struct mt_ar_account *out)
{
    struct mt_json *root = NULL;
    struct mt_fault ignored;
    enum mt_rc rc = mt_json_parse(text, len, ACCOUNT_MAX, &root, &ignored);

    memset(out, 0, sizeof *out);
    if (!rc && (mt_json_i64(mt_json_get(root, "v"), 0) != 1 ||
                !copy(root, "provider", out->provider, sizeof out->provider) ||
                !copy(root, "appkey", out->appkey, sizeof out->appkey) ||
                !copy(root, "user", out->user, sizeof out->user)))
        rc = MT_ERR_DAMAGED;
    mt_json_free(root);
    return rc && rc != MT_ERR_NOMEM ? MT_ERR_DAMAGED : rc;
}

enum mt_rc mt_ar_check_account(struct mt_archive *archive, const struct mt_archive_identity *id,
                               struct mt_fault *fault)
{
    struct mt_ar_journal *journal = &archive->journal;
    char path[MT_AR_PATH_MAX];
    struct mt_buf fresh;
    char *text = NULL;
    size_t len = 0;
    char hex[MT_SHA256_HEX] = "";
    enum mt_rc rc = MT_OK;

    mt_buf_init(&fresh, ACCOUNT_MAX);
    mt_ar_path(archive, path, "account.json");
    int err = mt_fs_read_all(path, ACCOUNT_MAX, &text, &len);
    if (err == ENOENT && !journal->records_n) {
        rc = write_account(path, id, &fresh, fault);
        mt_ar_hex_of(fresh.data, fresh.len, hex);
    } else if (err) {
        rc = err == ENOENT ? mt_ar_damaged(fault, "account.json", "it is missing")
                           : mt_fs_fault(fault, err, "read", path);
    } else {
        mt_ar_hex_of(text, len, hex);
    }
    if (!rc && journal->records_n && strcmp(hex, journal->account_sha256) != 0)
        rc = mt_ar_damaged(fault, "account.json", "it was changed");
    if (!rc)
        memcpy(journal->account_sha256, hex, sizeof hex);
    mt_mem_free(text);
    mt_buf_deinit(&fresh);
    return rc;
}

/* Opening, committing and closing. */
#include "archive/archive_int.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "codec/json.h"
#include "codec/time.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SEGMENT_BYTES  (64ll << 20)
#define SEGMENT_AGE_MS (24ll * 3600 * 1000)
#define ZSTD_LEVEL     3
#define LOCK_MAX       1024u
#define ACCOUNT_MAX    (64u << 10)

/* ---------------------------------------------------------------- the lock */

static enum mt_rc held(const char *path, struct mt_fault *fault)
{
    struct mt_json *root = NULL;
    struct mt_fault ignored;
    char *text = NULL;
    size_t len = 0;
    enum mt_rc rc = MT_ERR_BUSY;

    if (!mt_fs_read_all(path, LOCK_MAX, &text, &len) &&
        !mt_json_parse(text, len, LOCK_MAX, &root, &ignored)) {
        const char *host = mt_json_str(mt_json_get(root, "host"));
        const char *since = mt_json_str(mt_json_get(root, "since"));
        rc = mt_fault_set(fault, MT_ERR_BUSY, "archive.locked",
                          "another export is writing this archive: process %lld on %s since %s. "
                          "Wait for it or stop it",
                          (long long)mt_json_i64(mt_json_get(root, "pid"), 0), host ? host : "?",
                          since ? since : "?");
    } else {
        rc = mt_fault_set(fault, MT_ERR_BUSY, "archive.locked",
                          "another process is writing this archive. Wait for it or stop it");
    }
    mt_json_free(root);
    mt_mem_free(text);
    return rc;
}

static enum mt_rc take_lock(struct mt_archive *archive, struct mt_fault *fault)
{
    char path[MT_AR_PATH_MAX];
    char host[256] = "";
    char since[MT_TIME_RFC3339_LEN];
    char text[LOCK_MAX];

    snprintf(path, sizeof path, "%s/LOCK", archive->root);
    int err = mt_fs_open(path, MT_FS_WRITE | MT_FS_CREATE, &archive->lock_fd);
    if (err) {
        archive->lock_fd = -1;
        return mt_fs_fault(fault, err, "open", path);
    }
    err = mt_fs_lock(archive->lock_fd);
    if (err == EWOULDBLOCK)
        return held(path, fault);
    if (err)
        return mt_fs_fault(fault, err, "lock", path);
    if (gethostname(host, sizeof host - 1))
        snprintf(host, sizeof host, "localhost");
    mt_time_format(mt_clock_wall_ms(), since);
    int n = snprintf(text, sizeof text, "{\"pid\":%ld,\"host\":\"%s\",\"since\":\"%s\"}\n",
                     (long)getpid(), host, since);
    err = mt_fs_truncate(archive->lock_fd, 0);
    if (!err)
        err = mt_fs_write(archive->lock_fd, text, (size_t)n);
    return err ? mt_fs_fault(fault, err, "write", path) : MT_OK;
}

/* ---------------------------------------------------------------- the folder */

static bool is_ours(const char *name)
{
    static const char *const names[] = {"LOCK", "FORMAT",  "FORMAT.tmp", "csv",
                                        "html", "csv.tmp", "html.tmp"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!strcmp(names[i], name))
            return true;
    }
    return mt_str_starts(name, "messages.sqlite");
}

static enum mt_rc check_format(struct mt_archive *archive, struct mt_fault *fault)
{
    char path[MT_AR_PATH_MAX];
    char **names = NULL;
    char *text = NULL;
    size_t n = 0;
    size_t len = 0;
    enum mt_rc rc = MT_OK;

    snprintf(path, sizeof path, "%s/FORMAT", archive->root);
    int err = mt_fs_read_all(path, LOCK_MAX, &text, &len);
    if (!err) {
        if (strcmp(text, MT_AR_FORMAT) != 0)
            rc = mt_fault_set(fault, MT_ERR_INVALID, "archive.format",
                              "%s is not an archive of this version (its FORMAT is not \"imarc "
                              "1\"): choose another folder",
                              archive->root);
        mt_mem_free(text);
        return rc;
    }
    if (err != ENOENT)
        return mt_fs_fault(fault, err, "read", path);
    err = mt_fs_list(archive->root, &names, &n);
    if (err)
        return mt_fs_fault(fault, err, "read", archive->root);
    for (size_t i = 0; i < n && !rc; i++) {
        if (!is_ours(names[i]))
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

/* Any account.json below DIR that is not the one of this account. */
static enum mt_rc check_others(struct mt_archive *archive, struct mt_fault *fault)
{
    char path[MT_AR_PATH_MAX];
    char **levels[3] = {NULL, NULL, NULL};
    size_t n[3] = {0, 0, 0};
    enum mt_rc rc = MT_OK;

    if (mt_fs_list(archive->root, &levels[0], &n[0]))
        return MT_OK;
    for (size_t i = 0; i < n[0] && !rc; i++) {
        if (is_ours(levels[0][i]))
            continue;
        snprintf(path, sizeof path, "%s/%s", archive->root, levels[0][i]);
        if (mt_fs_list(path, &levels[1], &n[1]))
            continue;
        for (size_t k = 0; k < n[1] && !rc; k++) {
            snprintf(path, sizeof path, "%s/%s/%s", archive->root, levels[0][i], levels[1][k]);
            if (mt_fs_list(path, &levels[2], &n[2]))
                continue;
            for (size_t m = 0; m < n[2] && !rc; m++) {
                snprintf(path, sizeof path, "%s/%s/%s/%s", archive->root, levels[0][i],
                         levels[1][k], levels[2][m]);
                if (strcmp(path, archive->base) != 0)
                    rc = mt_fault_set(fault, MT_ERR_INVALID, "archive.other_account",
                                      "%s is the archive of another account (%s/%s/%s): give each "
                                      "account its own folder",
                                      archive->root, levels[0][i], levels[1][k], levels[2][m]);
            }
            mt_mem_free(levels[2]);
        }
        mt_mem_free(levels[1]);
    }
    mt_mem_free(levels[0]);
    return rc;
}

static enum mt_rc write_account(struct mt_archive *archive, const struct mt_archive_identity *id,
                                struct mt_buf *text)
{
    struct mt_jsonw w;
    char path[MT_AR_PATH_MAX];

    mt_jsonw_init(&w, text);
    mt_jsonw_object(&w);
    mt_jsonw_key(&w, "v");
    mt_jsonw_i64(&w, 1);
    mt_jsonw_key(&w, "provider");
    mt_jsonw_str(&w, id->provider);
    mt_jsonw_key(&w, "appkey");
    mt_jsonw_str(&w, id->appkey);
    mt_jsonw_key(&w, "user");
    mt_jsonw_str(&w, id->user);
    mt_jsonw_key(&w, "created_ms");
    mt_jsonw_i64(&w, mt_clock_wall_ms());
    mt_jsonw_object_end(&w);
    mt_buf_append_char(text, '\n');
    if (text->failed)
        return text->failed;
    mt_ar_path(archive, path, "account.json");
    return mt_fs_replace(path, text->data, text->len) ? MT_ERR_IO : MT_OK;
}

static enum mt_rc check_account(struct mt_archive *archive, const struct mt_archive_identity *id,
                                struct mt_fault *fault)
{
    char path[MT_AR_PATH_MAX];
    struct mt_buf fresh;
    char *text = NULL;
    size_t len = 0;
    uint8_t sum[MT_SHA256_LEN];
    char hex[MT_SHA256_HEX];
    enum mt_rc rc = MT_OK;

    mt_buf_init(&fresh, ACCOUNT_MAX);
    mt_ar_path(archive, path, "account.json");
    int err = mt_fs_read_all(path, ACCOUNT_MAX, &text, &len);
    if (err == ENOENT && !archive->journal.exists) {
        rc = write_account(archive, id, &fresh);
        if (rc)
            mt_fault_set(fault, rc, "fs.write", "cannot write %s", path);
        mt_sha256_of(fresh.data, fresh.len, sum);
    } else if (err) {
        rc = err == ENOENT ? mt_ar_damaged(fault, "account.json", "it is missing")
                           : mt_fs_fault(fault, err, "read", path);
    } else {
        mt_sha256_of(text, len, sum);
    }
    if (!rc) {
        mt_hex(sum, sizeof sum, hex);
        if (archive->journal.exists && archive->journal.records_n &&
            strcmp(hex, archive->journal.account_sha256) != 0)
            rc = mt_ar_damaged(fault, "account.json", "it was changed");
        memcpy(archive->journal.account_sha256, hex, sizeof hex);
    }
    mt_mem_free(text);
    mt_buf_deinit(&fresh);
    return rc;
}

/* ---------------------------------------------------------------- open and close */

static void release(struct mt_archive *archive)
{
    if (archive->journal_fd >= 0)
        mt_fs_close(archive->journal_fd);
    if (archive->lock_fd >= 0)
        mt_fs_close(archive->lock_fd);
    mt_map_free(archive->convs, mt_ar_conv_free);
    mt_sha256_free(archive->journal.hash);
    mt_mem_free(archive);
}

static enum mt_rc prepare(struct mt_archive *archive, const char *dir,
                          const struct mt_archive_identity *id, struct mt_fault *fault)
{
    char app[MT_STR_SAFE_MAX];
    char user[MT_STR_SAFE_MAX];

    if (strlen(dir) >= sizeof archive->root - 1)
        return mt_fault_set(fault, MT_ERR_INVALID, "archive.path",
                            "the archive's path is too long");
    snprintf(archive->root, sizeof archive->root, "%s", dir);
    mt_str_safe_name(id->appkey, app);
    mt_str_safe_name(id->user, user);
    snprintf(archive->base, sizeof archive->base, "%s/%s/%s/%s", dir, id->provider, app, user);
    archive->convs = mt_map_new();
    return archive->convs ? MT_OK : mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
}

enum mt_rc mt_archive_open(const char *dir, const struct mt_archive_identity *identity,
                           const struct mt_archive_options *options, struct mt_archive **out,
                           struct mt_fault *fault)
{
    struct mt_archive *archive = mt_mem_calloc(1, sizeof *archive);
    enum mt_rc rc = MT_OK;
    int err = 0;

    *out = NULL;
    if (!archive)
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    archive->lock_fd = -1;
    archive->journal_fd = -1;
    if (options)
        archive->options = *options;
    if (!archive->options.segment_bytes)
        archive->options.segment_bytes = SEGMENT_BYTES;
    if (!archive->options.segment_age_ms)
        archive->options.segment_age_ms = SEGMENT_AGE_MS;
    if (!archive->options.zstd_level)
        archive->options.zstd_level = ZSTD_LEVEL;
    rc = prepare(archive, dir, identity, fault);
    if (!rc && (err = mt_fs_mkdirs(dir)))
        rc = mt_fs_fault(fault, err, "make", dir);
    if (!rc)
        rc = take_lock(archive, fault);
    if (!rc)
        rc = check_format(archive, fault);
    if (!rc)
        rc = check_others(archive, fault);
    if (!rc && (err = mt_fs_mkdirs(archive->base)))
        rc = mt_fs_fault(fault, err, "make", archive->base);
    if (!rc)
        rc = mt_ar_journal_load(archive, fault);
    if (!rc)
        rc = check_account(archive, identity, fault);
    if (!rc)
        rc = mt_ar_manifest_load(archive, fault);
    if (!rc)
        rc = mt_ar_recover(archive, fault);
    if (rc) {
        release(archive);
        return rc;
    }
    *out = archive;
    return MT_OK;
}

enum mt_rc mt_archive_close(struct mt_archive *archive, bool clean, struct mt_fault *fault)
{
    enum mt_rc rc = MT_OK;

    if (!archive)
        return MT_OK;
    if (clean && !archive->broken) {
        /* a run that found an unfinished one ends it, even with nothing new */
        if (!archive->begun && archive->journal.exists && !archive->journal.clean)
            rc = mt_ar_journal_begin(archive, fault);
        if (!rc && archive->begun)
            rc = mt_ar_journal_end(archive, fault);
    }
    release(archive);
    return rc;
}

/* ---------------------------------------------------------------- state */

const struct mt_archive_state *mt_archive_state(const struct mt_archive *archive,
                                                const char *conversation)
{
    const struct mt_ar_conv *conv = mt_map_get(archive->convs, conversation);
    return conv ? &conv->state : NULL;
}

struct each_state {
    bool (*each)(void *ud, const struct mt_archive_state *state);
    void *ud;
};

static bool each_conv(void *ud, const char *key, void *value)
{
    struct each_state *e = ud;
    (void)key;
    return e->each(e->ud, &((struct mt_ar_conv *)value)->state);
}

void mt_archive_each(const struct mt_archive *archive,
                     bool (*each)(void *ud, const struct mt_archive_state *state), void *ud)
{
    struct each_state e = {each, ud};
    mt_map_each(archive->convs, each_conv, &e);
}

/* Opening and closing an archive, and what is known of its conversations. */
#include "archive/archive_int.h"

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

#define SEGMENT_BYTES  (64ll << 20)
#define SEGMENT_AGE_MS (24ll * 3600 * 1000)
#define ZSTD_LEVEL     3

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

static struct mt_archive *make(const struct mt_archive_options *options)
{
    struct mt_archive *archive = mt_mem_calloc(1, sizeof *archive);

    if (!archive)
        return NULL;
    archive->lock_fd = -1;
    archive->journal_fd = -1;
    archive->compact_bytes = MT_AR_COMPACT_BYTES;
    if (options)
        archive->options = *options;
    if (!archive->options.segment_bytes)
        archive->options.segment_bytes = SEGMENT_BYTES;
    if (!archive->options.segment_age_ms)
        archive->options.segment_age_ms = SEGMENT_AGE_MS;
    if (!archive->options.zstd_level)
        archive->options.zstd_level = ZSTD_LEVEL;
    archive->convs = mt_map_new();
    if (!archive->convs) {
        mt_mem_free(archive);
        return NULL;
    }
    return archive;
}

static enum mt_rc set_paths(struct mt_archive *archive, const char *dir,
                            const struct mt_archive_identity *id, struct mt_fault *fault)
{
    char app[MT_STR_SAFE_MAX];
    char user[MT_STR_SAFE_MAX];
    size_t len = strlen(dir);

    while (len > 1 && dir[len - 1] == '/')
        len--;
    if (len >= sizeof archive->root)
        return mt_fault_set(fault, MT_ERR_INVALID, "archive.path",
                            "the archive's path is too long: choose a shorter one");
    memcpy(archive->root, dir, len);
    archive->root[len] = '\0';
    mt_str_safe_name(id->appkey, app);
    mt_str_safe_name(id->user, user);
    snprintf(archive->base, sizeof archive->base, "%s/%s/%s/%s", archive->root, id->provider, app,
             user);
    return MT_OK;
}

static enum mt_rc make_dirs(const char *path, struct mt_fault *fault)
{
    int err = mt_fs_mkdirs(path);
    return err ? mt_fs_fault(fault, err, "make", path) : MT_OK;
}

enum mt_rc mt_archive_open(const char *dir, const struct mt_archive_identity *identity,
                           const struct mt_archive_options *options, struct mt_archive **out,
                           struct mt_fault *fault)
{
    struct mt_archive *archive = make(options);
    enum mt_rc rc = MT_OK;

    *out = NULL;
    if (!archive)
        return mt_ar_nomem(fault);
    rc = set_paths(archive, dir, identity, fault);
    if (!rc)
        rc = make_dirs(archive->root, fault);
    if (!rc)
        rc = mt_ar_lock(archive, fault);
    if (!rc)
        rc = mt_ar_check_format(archive, fault);
    if (!rc)
        rc = mt_ar_check_others(archive, fault);
    if (!rc)
        rc = make_dirs(archive->base, fault);
    if (!rc)
        rc = mt_ar_journal_load(archive, fault);
    memcpy(archive->unseen, archive->journal.unseen, sizeof archive->unseen);
    bool ended = archive->journal.clean;
    if (!rc)
        rc = mt_ar_check_account(archive, identity, fault);
    if (!rc)
        rc = mt_ar_manifest_load(archive, fault);
    if (!rc && !ended)
        rc = mt_ar_media_look(archive, fault);
    if (!rc)
        rc = mt_ar_recover(archive, fault);
    if (!rc && !ended)
        rc = mt_ar_media_recover(archive, fault);
    if (rc) {
        release(archive);
        return rc;
    }
    *out = archive;
    return MT_OK;
}

static enum mt_rc end_run(struct mt_archive *archive, struct mt_fault *fault)
{
    enum mt_rc rc = MT_OK;

    /* A new archive that nothing came into: it must not look like one whose first run broke off. */
    if (!archive->begun &&
        (!archive->journal.records_n || strcmp(archive->unseen, archive->journal.unseen) != 0))
        rc = mt_ar_journal_begin(archive, fault);
    if (rc || !archive->begun) /* nothing was written, and nothing was left open by another run */
        return rc;
    if (mt_ar_journal_is_due(archive, true))
        rc = mt_ar_journal_rewrite(archive, fault);
    return rc ? rc : mt_ar_journal_end(archive, fault);
}

void mt_archive_set_unseen(struct mt_archive *archive, const char *why)
{
    snprintf(archive->unseen, sizeof archive->unseen, "%s", why);
}

enum mt_rc mt_archive_close(struct mt_archive *archive, bool clean, struct mt_fault *fault)
{
    enum mt_rc rc = MT_OK;

    if (!archive)
        return MT_OK;
    if (clean && archive->broken) {
        if (fault)
            *fault = archive->broken_fault;
        rc = archive->broken_fault.kind;
    } else if (clean) {
        rc = end_run(archive, fault);
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

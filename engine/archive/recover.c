/* After a run that did not end: everything beyond the last commit is cut off or removed, everything
 * before it must be there.
 *
 * It looks at everything before it changes anything, and removes only what a crash can have left:
 * a segment that no crash explains means that the journal is not the newest, and then removing
 * would destroy what is archived. */
#include "archive/archive_int.h"

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct visit {
    struct mt_archive *archive;
    struct mt_fault *fault;
    bool change; /* false: only look */
    enum mt_rc rc;
};

/* Cuts path down to size_bytes; a shorter file is damage, a missing one too unless nothing of it is
 * committed. */
static enum mt_rc cut_file(const struct visit *visit, const char *path, const char *name,
                           int64_t size_bytes)
{
    struct mt_fs_stat st;
    int fd = -1;
    int err = mt_fs_stat(path, &st);

    if (err == ENOENT)
        return size_bytes ? mt_ar_damaged(visit->fault, name, "it is missing") : MT_OK;
    if (err)
        return mt_fs_fault(visit->fault, err, "look at", path);
    if (st.size_bytes < size_bytes)
        return mt_ar_damaged(visit->fault, name, "it is shorter than what was committed");
    if (st.size_bytes == size_bytes || !visit->change)
        return MT_OK;
    err = mt_fs_open(path, MT_FS_WRITE, &fd);
    if (!err)
        err = mt_fs_truncate(fd, size_bytes);
    if (!err)
        err = mt_fs_fsync(fd);
    if (fd >= 0)
        mt_fs_close(fd);
    return err ? mt_fs_fault(visit->fault, err, "cut", path) : MT_OK;
}

static bool visit_segment(void *ud, const char *key, void *value)
{
    struct visit *visit = ud;
    const struct mt_ar_conv *conv = value;
    char path[MT_AR_PATH_MAX];

    (void)key;
    mt_ar_segment_path(visit->archive, conv, conv->segment, "", path);
    visit->rc = cut_file(visit, path, path + strlen(visit->archive->base) + 1, conv->offset);
    return !visit->rc;
}

/* The files of one folder below conv/; conv is NULL if the journal does not know it. */
static enum mt_rc visit_folder(const struct visit *visit, const char *dir,
                               const struct mt_ar_conv *conv)
{
    char folder[MT_AR_PATH_MAX];
    char path[MT_AR_PATH_MAX];
    char **names = NULL;
    size_t n = 0;
    size_t kept = 0;
    size_t removed = 0;
    enum mt_rc rc = MT_OK;

    mt_ar_path(visit->archive, folder, "conv/%s", dir);
    int err = mt_fs_list(folder, &names, &n);
    if (err)
        return err == ENOTDIR ? MT_OK : mt_fs_fault(visit->fault, err, "read", folder);
    for (size_t i = 0; i < n && !rc && !err; i++) {
        enum mt_ar_file file = mt_ar_file_of(conv, names[i]);
        mt_ar_path(visit->archive, path, "conv/%s/%s", dir, names[i]);
        if (file == MT_AR_FILE_IMPOSSIBLE)
            rc = mt_ar_damaged(visit->fault, path + strlen(visit->archive->base) + 1,
                               "the checkpoint does not know it");
        else if (file != MT_AR_FILE_LEFT)
            kept++;
        else if (visit->change && !(err = mt_fs_unlink(path)))
            removed++;
    }
    mt_mem_free(names);
    if (!rc && !err && visit->change && !conv && !kept)
        err = mt_fs_rmdir(folder);
    else if (!rc && !err && removed)
        err = mt_fs_sync_dir(folder);
    return err ? mt_fs_fault(visit->fault, err, "remove", folder) : rc;
}

static enum mt_rc visit_folders(const struct visit *visit)
{
    char folder[MT_AR_PATH_MAX];
    struct mt_map *known = NULL;
    char **names = NULL;
    size_t n = 0;
    enum mt_rc rc = MT_OK;

    mt_ar_path(visit->archive, folder, "conv");
    int err = mt_fs_list(folder, &names, &n);
    if (err)
        return err == ENOENT ? MT_OK : mt_fs_fault(visit->fault, err, "read", folder);
    known = mt_ar_folders(visit->archive);
    if (!known)
        rc = mt_ar_nomem(visit->fault);
    for (size_t i = 0; i < n && !rc; i++)
        rc = visit_folder(visit, names[i], mt_map_get(known, names[i]));
    if (!rc && visit->change && (err = mt_fs_sync_dir(folder)))
        rc = mt_fs_fault(visit->fault, err, "write", folder);
    mt_map_free(known, NULL);
    mt_mem_free(names);
    return rc;
}

static enum mt_rc visit_all(struct visit *visit)
{
    struct mt_archive *archive = visit->archive;
    char path[MT_AR_PATH_MAX];

    mt_ar_path(archive, path, "MANIFEST.jsonl");
    enum mt_rc rc = cut_file(visit, path, "MANIFEST.jsonl", archive->journal.manifest.bytes);
    if (rc)
        return rc;
    mt_map_each(archive->convs, visit_segment, visit);
    return visit->rc ? visit->rc : visit_folders(visit);
}

/* Before its first record nothing else is written, so an archive that has something has a journal.
 */
static enum mt_rc check_lost(struct mt_archive *archive, struct mt_fault *fault)
{
    static const char *const names[] = {"conv", "MANIFEST.jsonl"};
    char path[MT_AR_PATH_MAX];
    struct mt_fs_stat st;

    if (archive->journal.records_n)
        return MT_OK;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        mt_ar_path(archive, path, "%s", names[i]);
        int err = mt_fs_stat(path, &st);
        if (!err)
            return mt_ar_damaged(fault, "CHECKPOINT", "it is missing or empty");
        if (err != ENOENT)
            return mt_fs_fault(fault, err, "look at", path);
    }
    return MT_OK;
}

enum mt_rc mt_ar_recover_look(struct mt_archive *archive, struct mt_fault *fault)
{
    struct visit visit = {archive, fault, false, MT_OK};
    enum mt_rc rc = check_lost(archive, fault);

    if (rc || archive->journal.clean || !archive->journal.records_n)
        return rc;
    return visit_all(&visit);
}

enum mt_rc mt_ar_recover(struct mt_archive *archive, struct mt_fault *fault)
{
    struct visit visit = {archive, fault, true, MT_OK};
    enum mt_rc rc = mt_ar_recover_look(archive, fault);

    if (rc || archive->journal.clean || !archive->journal.records_n)
        return rc;
    mt_log(MT_LOG_INFO, "archive", "the last run did not end; going back to its last commit");
    rc = visit_all(&visit);
    /* Written anew rather than cut: a record that is read from memory may never have reached the
     * disk, if the sync that should have brought it there is what failed. */
    return rc ? rc : mt_ar_journal_rewrite(archive, fault);
}

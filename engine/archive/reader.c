/* Reading an archive that may belong to somebody who is writing it. */
#include "archive/reader.h"

#include "archive/archive_int.h"
#include "base/fs.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#define ACCOUNT_FILE_MAX ((size_t)64 << 10)

struct mt_archive_reader {
    struct mt_archive archive;
    struct mt_ar_account account;
};

/* The folder in dir that is none of those which conversions make. */
static bool child(const char *dir, char *out, size_t size)
{
    char **names = NULL;
    size_t n = 0;
    bool found = false;

    if (mt_fs_list(dir, &names, &n))
        return false;
    for (size_t i = 0; i < n && !found; i++) {
        char path[MT_AR_PATH_MAX];
        struct mt_fs_stat st;
        if (!strcmp(names[i], "csv") || !strcmp(names[i], "html"))
            continue;
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        found = !mt_fs_stat(path, &st) && st.is_dir;
        if (found)
            snprintf(out, size, "%s", path);
    }
    mt_mem_free(names);
    return found;
}

enum mt_rc mt_ar_open_to_read(struct mt_archive *archive, const char *dir, struct mt_fault *fault)
{
    char app[MT_AR_PATH_MAX], user[MT_AR_PATH_MAX];

    if (strlen(dir) >= sizeof archive->root)
        return mt_fault_set(fault, MT_ERR_INVALID, "archive.path",
                            "the archive's path is too long: choose a shorter one");
    snprintf(archive->root, sizeof archive->root, "%s", dir);
    if (!child(dir, app, sizeof app) || !child(app, user, sizeof user) ||
        !child(user, archive->base, sizeof archive->base))
        return mt_fault_set(fault, MT_ERR_NOT_FOUND, "archive.none", "%s holds no archive", dir);
    archive->convs = mt_map_new();
    if (!archive->convs)
        return mt_ar_nomem(fault);
    enum mt_rc rc = mt_ar_journal_load(archive, fault);
    return rc ? rc : mt_ar_manifest_load(archive, fault);
}

void mt_ar_close_read(struct mt_archive *archive)
{
    mt_map_free(archive->convs, mt_ar_conv_free);
    mt_sha256_free(archive->journal.hash);
    archive->convs = NULL;
    archive->journal.hash = NULL;
}

static enum mt_rc read_account(struct mt_archive_reader *reader, struct mt_fault *fault)
{
    char path[MT_AR_PATH_MAX];
    char *text = NULL;
    size_t len = 0;

    mt_ar_path(&reader->archive, path, "account.json");
    int err = mt_fs_read_all(path, ACCOUNT_FILE_MAX, &text, &len);
    if (err)
        return mt_fs_fault(fault, err, "read", path);
    enum mt_rc rc = mt_ar_account_parse(text, len, &reader->account);
    mt_mem_free(text);
    return rc ? mt_ar_damaged(fault, path, "it does not say whose archive this is") : MT_OK;
}

enum mt_rc mt_archive_reader_open(const char *dir, struct mt_archive_reader **out,
                                  struct mt_fault *fault)
{
    struct mt_archive_reader *reader = mt_mem_calloc(1, sizeof *reader);

    *out = NULL;
    if (!reader)
        return mt_ar_nomem(fault);
    reader->archive.lock_fd = -1;
    reader->archive.journal_fd = -1;
    enum mt_rc rc = mt_ar_open_to_read(&reader->archive, dir, fault);
    if (!rc)
        rc = mt_ar_check_format(&reader->archive, fault);
    if (!rc)
        rc = read_account(reader, fault);
    if (rc) {
        mt_archive_reader_free(reader);
        return rc;
    }
    *out = reader;
    return MT_OK;
}

void mt_archive_reader_free(struct mt_archive_reader *reader)
{
    if (!reader)
        return;
    mt_ar_close_read(&reader->archive);
    mt_mem_free(reader);
}

struct mt_archive_identity mt_archive_reader_identity(const struct mt_archive_reader *reader)
{
    return (struct mt_archive_identity){reader->account.provider, reader->account.appkey,
                                        reader->account.user};
}

void mt_archive_reader_each(const struct mt_archive_reader *reader,
                            bool (*each)(void *ud, const struct mt_archive_state *state), void *ud)
{
    mt_archive_each(&reader->archive, each, ud);
}

static enum mt_rc take_line(void *ud, const char *line, size_t len)
{
    struct mt_buf *out = ud;
    enum mt_rc rc = mt_buf_append(out, line, len);

    return rc ? rc : mt_buf_append_char(out, '\n');
}

enum mt_rc mt_archive_reader_segment(struct mt_archive_reader *reader, const char *conversation,
                                     size_t at, struct mt_buf *out, bool *more,
                                     struct mt_fault *fault)
{
    mt_buf_reset(out);
    return mt_ar_lines_of_segment(&reader->archive, conversation, at, take_line, out, more, fault);
}

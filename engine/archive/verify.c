/* verify: reads an archive as a stranger would, and believes nothing that it has not hashed, parsed
 * and counted. Here: whose archive it is, its journal and manifest, and the verdict. */
#include "archive/verify_int.h"

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ACCOUNT_MAX (64u << 10)

void mt_ar_verify_find(struct mt_ar_verify *v, bool damage, const char *fmt, ...)
{
    char text[1024];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    v->report->problems_n++;
    if (damage)
        v->damaged = true;
    else
        v->gaps = true;
    if (v->problem)
        v->problem(v->ud, text);
}

/* ---------------------------------------------------------------- where the account is */

/* The one entry of a folder; at the top, beside what is ours there. */
static bool only_entry(const char *dir, bool top, char *out, size_t size)
{
    char **names = NULL;
    size_t n = 0;
    size_t found = 0;

    if (mt_fs_list(dir, &names, &n))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (top && mt_ar_name_is_ours(names[i]))
            continue;
        snprintf(out, size, "%s", names[i]);
        found++;
    }
    mt_mem_free(names);
    return found == 1;
}

static bool find_base(struct mt_ar_verify *v, const char *dir)
{
    char path[MT_AR_PATH_MAX];
    char provider[256], app[256], user[256];

    if (!only_entry(dir, true, provider, sizeof provider))
        return false;
    snprintf(path, sizeof path, "%s/%s", dir, provider);
    if (!only_entry(path, false, app, sizeof app))
        return false;
    snprintf(path, sizeof path, "%s/%s/%s", dir, provider, app);
    if (!only_entry(path, false, user, sizeof user))
        return false;
    snprintf(v->archive.base, sizeof v->archive.base, "%s/%s/%s/%s", dir, provider, app, user);
    return true;
}

static bool looks_like_one(const char *dir)
{
    char path[MT_AR_PATH_MAX];
    char name[256];
    struct mt_fs_stat st;

    snprintf(path, sizeof path, "%s/LOCK", dir);
    return !mt_fs_stat(path, &st) && only_entry(dir, true, name, sizeof name);
}

static enum mt_rc locate(struct mt_ar_verify *v, const char *dir, struct mt_fault *fault)
{
    char path[MT_AR_PATH_MAX];
    char *text = NULL;
    size_t len = 0;
    struct mt_fs_stat st;

    if (strlen(dir) >= sizeof v->archive.root || mt_fs_stat(dir, &st) || !st.is_dir)
        return mt_fault_set(fault, MT_ERR_NOT_FOUND, "archive.none", "%.200s is not a folder", dir);
    snprintf(v->archive.root, sizeof v->archive.root, "%s", dir);
    enum mt_rc rc = mt_ar_lock_probe(dir, fault);
    if (rc)
        return rc;
    snprintf(path, sizeof path, "%s/FORMAT", dir);
    int err = mt_fs_read_all(path, ACCOUNT_MAX, &text, &len);
    if (err == ENOENT && !looks_like_one(dir))
        return mt_fault_set(fault, MT_ERR_NOT_FOUND, "archive.none",
                            "%s holds no archive (it has no FORMAT)", dir);
    if (err == ENOENT)
        mt_ar_verify_find(v, true, "FORMAT: missing");
    else if (err)
        return mt_fs_fault(fault, err, "read", path);
    else if (len != strlen(MT_AR_FORMAT) || memcmp(text, MT_AR_FORMAT, len) != 0)
        mt_ar_verify_find(v, true, "FORMAT: not \"imarc 1\"");
    mt_mem_free(text);
    if (!find_base(v, dir))
        mt_ar_verify_find(v, true, "there is not exactly one account in the archive");
    return MT_OK;
}

/* ---------------------------------------------------------------- the account's own files */

static void check_account(struct mt_ar_verify *v)
{
    struct mt_verify_report *report = v->report;
    struct mt_ar_account account;
    char path[MT_AR_PATH_MAX];
    char app[MT_STR_SAFE_MAX], user[MT_STR_SAFE_MAX];
    char hex[MT_SHA256_HEX];
    char *text = NULL;
    size_t len = 0;

    mt_ar_path(&v->archive, path, "account.json");
    int err = mt_fs_read_all(path, ACCOUNT_MAX, &text, &len);
    if (err) {
        mt_ar_verify_find(v, true, "account.json: %s",
                          err == ENOENT ? "missing" : "cannot be read");
        return;
    }
    mt_ar_hex_of(text, len, hex);
    if (v->archive.journal.records_n && strcmp(hex, v->archive.journal.account_sha256) != 0)
        mt_ar_verify_find(v, true, "account.json: it was changed");
    if (mt_ar_account_parse(text, len, &account)) {
        mt_ar_verify_find(v, true, "account.json: makes no sense");
    } else {
        snprintf(report->provider, sizeof report->provider, "%s", account.provider);
        snprintf(report->appkey, sizeof report->appkey, "%s", account.appkey);
        snprintf(report->user, sizeof report->user, "%s", account.user);
        mt_str_safe_name(account.appkey, app);
        mt_str_safe_name(account.user, user);
        snprintf(path, sizeof path, "%s/%s/%s/%s", v->archive.root, account.provider, app, user);
        if (strcmp(path, v->archive.base) != 0)
            mt_ar_verify_find(v, true, "account.json: it is of another account than its folder");
    }
    mt_mem_free(text);
}

static void check_names(struct mt_ar_verify *v)
{
    static const char *const known[] = {"CHECKPOINT", "MANIFEST.jsonl", "account.json", "conv",
                                        "media"};
    char **names = NULL;
    size_t n = 0;

    if (mt_fs_list(v->archive.base, &names, &n))
        mt_ar_verify_find(v, true, "the account's folder cannot be read");
    for (size_t i = 0; i < n; i++) {
        bool ok = false;
        for (size_t k = 0; k < sizeof known / sizeof *known; k++)
            ok = ok || !strcmp(names[i], known[k]);
        if (!ok)
            mt_ar_verify_find(v, true, "%s: does not belong to the archive", names[i]);
    }
    mt_mem_free(names);
}

static void check_index(struct mt_ar_verify *v)
{
    struct mt_fault fault;
    enum mt_rc rc = mt_ar_journal_load(&v->archive, &fault);

    if (!rc)
        rc = mt_ar_manifest_load(&v->archive, &fault);
    if (!rc)
        rc = mt_ar_recover_look(&v->archive, &fault);
    if (rc == MT_ERR_NOMEM)
        v->rc = rc;
    else if (rc)
        mt_ar_verify_find(v, true, "%s", fault.message);
}

/* ---------------------------------------------------------------- the verdict */

static void conclude(struct mt_ar_verify *v)
{
    struct mt_verify_report *report = v->report;
    const struct mt_ar_journal *journal = &v->archive.journal;

    if (journal->hash)
        mt_ar_head(journal, report->head);
    if (v->damaged)
        report->verdict = MT_VERIFY_DAMAGED;
    else if (!journal->clean || !journal->records_n)
        report->verdict = MT_VERIFY_UNFINISHED;
    else
        report->verdict = v->gaps ? MT_VERIFY_GAPS : MT_VERIFY_COMPLETE;
}

static void check_all(struct mt_ar_verify *v)
{
    check_index(v);
    if (v->rc)
        return;
    check_account(v);
    if (v->archive.journal.clean)
        check_names(v);
    if (v->archive.journal.unseen[0])
        mt_ar_verify_find(v, false, "conversations may be missing: %s", v->archive.journal.unseen);
    mt_ar_verify_media_load(v);
    if (!v->rc)
        mt_ar_verify_convs(v);
    if (!v->rc)
        mt_ar_verify_media(v);
}

enum mt_rc mt_archive_verify(const char *dir, enum mt_verify_mode mode,
                             void (*problem)(void *ud, const char *text),
                             void (*progress)(void *ud, int64_t done_bytes, int64_t total_bytes),
                             void *ud, struct mt_verify_report *report, struct mt_fault *fault)
{
    struct mt_ar_verify *v = mt_mem_calloc(1, sizeof *v);
    enum mt_rc rc = MT_ERR_NOMEM;

    memset(report, 0, sizeof *report);
    report->verdict = MT_VERIFY_DAMAGED;
    if (!v)
        return mt_ar_nomem(fault);
    v->mode = mode;
    v->problem = problem;
    v->progress = progress;
    v->ud = ud;
    v->report = report;
    mt_buf_init(&v->rest, MT_AR_LINE_MAX);
    v->archive.convs = mt_map_new();
    v->hash = mt_sha256_new();
    rc = v->archive.convs && v->hash ? locate(v, dir, fault) : mt_ar_nomem(fault);
    if (rc)
        goto out;
    if (v->archive.base[0])
        check_all(v);
    rc = v->rc ? mt_ar_nomem(fault) : MT_OK;
    conclude(v);
out:
    mt_ar_verify_media_free(v);
    mt_buf_deinit(&v->rest);
    mt_sha256_free(v->hash);
    mt_sha256_free(v->archive.journal.hash);
    mt_map_free(v->archive.convs, mt_ar_conv_free);
    mt_mem_free(v->ids);
    mt_mem_free(v);
    mt_mem_trim();
    return rc;
}

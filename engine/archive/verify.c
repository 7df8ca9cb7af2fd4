/* verify: reads an archive as a stranger would, and believes nothing that it has not hashed, parsed
 * and counted. */
#include "archive/verify.h"

#include "archive/archive_int.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "codec/json.h"
#include "codec/zstd.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READ_BYTES (256u << 10)

struct verify {
    struct mt_archive archive; /* only root, base, convs and journal are used */
    enum mt_verify_mode mode;
    void (*problem)(void *ud, const char *text);
    void (*progress)(void *ud, int64_t done_bytes, int64_t total_bytes);
    void *ud;
    struct mt_verify_report *report;
    bool damaged, gaps;
    int64_t total_bytes, done_bytes;
    enum mt_rc rc; /* NOMEM only: everything else is a finding */
    /* the conversation in hand */
    const struct mt_ar_conv *conv;
    struct mt_sha256 *hash;
    struct mt_buf rest;
    uint64_t lines_n, messages_n, bad_lines_n;
    int64_t bytes;
    uint64_t *ids;
    size_t ids_n, ids_cap;
    uint64_t first_id;
};

static void find(struct verify *v, bool damage, const char *fmt, ...) MT_PRINTF(3, 4);

static void find(struct verify *v, bool damage, const char *fmt, ...)
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

/* ---------------------------------------------------------------- lines */

static enum mt_rc take_id(struct verify *v, uint64_t id)
{
    if (v->ids_n == v->ids_cap) {
        size_t cap = v->ids_cap ? v->ids_cap * 2 : 1024;
        uint64_t *ids = mt_mem_realloc(v->ids, cap * sizeof *ids);
        if (!ids)
            return MT_ERR_NOMEM;
        v->ids = ids;
        v->ids_cap = cap;
    }
    if (!v->ids_n)
        v->first_id = id;
    v->ids[v->ids_n++] = id;
    return MT_OK;
}

static enum mt_rc check_line(void *ud, const char *text, size_t len)
{
    struct verify *v = ud;
    struct mt_json *line = NULL;
    struct mt_fault ignored;
    uint64_t id = 0;
    enum mt_rc rc = mt_json_parse(text, len, MT_AR_LINE_MAX, &line, &ignored);

    if (rc == MT_ERR_NOMEM)
        return rc;
    v->lines_n++;
    const char *conversation = rc ? NULL : mt_json_str(mt_json_get(line, "conversation"));
    const char *type = rc ? NULL : mt_json_str(mt_json_get(line, "type"));
    if (rc || !conversation || strcmp(conversation, v->conv->state.conversation) != 0) {
        v->bad_lines_n++;
        rc = MT_OK;
    } else if (type && !strcmp(type, "gap")) {
        if (!mt_json_bool(mt_json_get(line, "closed"), false) && v->conv->state.gaps_n)
            find(v, false, "gap in %s: %s", conversation, mt_json_str(mt_json_get(line, "reason")));
    } else if (!type) {
        v->messages_n++;
        if (mt_json_u64(mt_json_get(line, "id"), &id))
            rc = take_id(v, id);
        else
            v->bad_lines_n++;
    }
    mt_json_free(line);
    return rc;
}

static enum mt_rc take_bytes(void *ud, const void *p, size_t len)
{
    struct verify *v = ud;

    mt_sha256_update(v->hash, p, len);
    v->bytes += (int64_t)len;
    v->done_bytes += (int64_t)len;
    if (v->progress)
        v->progress(v->ud, v->done_bytes, v->total_bytes);
    return mt_ar_split(&v->rest, p, len, check_line, v);
}

static void start_file(struct verify *v)
{
    mt_sha256_reset(v->hash);
    mt_buf_reset(&v->rest);
    v->bytes = 0;
}

static bool hash_is(struct verify *v, const char *want)
{
    uint8_t sum[MT_SHA256_LEN];
    char hex[MT_SHA256_HEX];
    mt_sha256_peek(v->hash, sum);
    mt_hex(sum, sizeof sum, hex);
    return !strcmp(hex, want);
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void check_ids(struct verify *v)
{
    const struct mt_archive_state *s = &v->conv->state;
    uint64_t twice_n = 0;
    bool last_found = !s->messages_n;

    if (v->ids_n && v->first_id != s->first_id)
        find(v, true, "%s: the first message is not the one that the checkpoint names",
             s->conversation);
    qsort(v->ids, v->ids_n, sizeof *v->ids, by_number);
    for (size_t i = 0; i < v->ids_n; i++) {
        if (i && v->ids[i] == v->ids[i - 1])
            twice_n++;
        last_found = last_found || v->ids[i] == s->last_id;
    }
    if (twice_n)
        find(v, true, "%s: %llu messages are there twice", s->conversation,
             (unsigned long long)twice_n);
    if (!last_found)
        find(v, true, "%s: the last message that the checkpoint names is not there",
             s->conversation);
}

/* ---------------------------------------------------------------- files */

static bool file_size(struct verify *v, const char *path, const char *name, int64_t *size_bytes)
{
    struct mt_fs_stat st;
    int err = mt_fs_stat(path, &st);

    if (err || !st.is_file) {
        find(v, true, "%s: %s", name, err == ENOENT ? "missing" : "not a readable file");
        return false;
    }
    *size_bytes = st.size_bytes;
    return true;
}

/* Reads limit bytes of a plain file through take. */
static bool read_file(struct verify *v, const char *path, int64_t limit,
                      enum mt_rc (*take)(void *ud, const void *p, size_t len))
{
    char *block = mt_mem_alloc(READ_BYTES);
    int64_t at = 0;
    int fd = -1;
    int err = block ? mt_fs_open(path, MT_FS_READ, &fd) : ENOMEM;

    while (!err && at < limit && !v->rc) {
        int64_t left = limit - at;
        size_t got = 0;
        err = mt_fs_pread(fd, block, left < READ_BYTES ? (size_t)left : READ_BYTES, at, &got);
        if (!err && !got)
            break;
        if (!err && take(v, block, got) == MT_ERR_NOMEM)
            v->rc = MT_ERR_NOMEM;
        at += (int64_t)got;
    }
    if (fd >= 0)
        mt_fs_close(fd);
    mt_mem_free(block);
    return !err && at >= limit;
}

static enum mt_rc hash_only(void *ud, const void *p, size_t len)
{
    mt_sha256_update(((struct verify *)ud)->hash, p, len);
    return MT_OK;
}

static void check_sealed(struct verify *v, const struct mt_ar_sealed *sealed)
{
    char path[MT_AR_PATH_MAX];
    struct mt_fault fault;
    int64_t size_bytes = 0;
    int fd = -1;

    v->report->segments_n++;
    v->report->sealed_n++;
    mt_ar_path(&v->archive, path, "%s", sealed->file);
    if (!file_size(v, path, sealed->file, &size_bytes))
        return;
    v->report->bytes += size_bytes;
    if (size_bytes != sealed->zst_bytes) {
        find(v, true, "%s: %lld bytes, the manifest says %lld", sealed->file, (long long)size_bytes,
             (long long)sealed->zst_bytes);
        return;
    }
    if (v->mode == MT_VERIFY_STRUCTURE)
        return;
    start_file(v);
    if (!read_file(v, path, size_bytes, hash_only) || !hash_is(v, sealed->zst_sha256)) {
        find(v, true, "%s: the content is not what was sealed", sealed->file);
        return;
    }
    start_file(v);
    if (mt_fs_open(path, MT_FS_READ, &fd)) {
        find(v, true, "%s: cannot be read", sealed->file);
        return;
    }
    enum mt_rc rc = mt_zstd_decompress_fd(fd, sealed->bytes, take_bytes, v, &fault);
    mt_fs_close(fd);
    if (rc == MT_ERR_NOMEM)
        v->rc = rc;
    else if (rc || v->bytes != sealed->bytes || v->rest.len || !hash_is(v, sealed->sha256))
        find(v, true, "%s: what comes out is not what went in", sealed->file);
}

static void check_open(struct verify *v, const struct mt_ar_conv *conv)
{
    char path[MT_AR_PATH_MAX];
    struct mt_fs_stat st;
    int64_t size_bytes = 0;
    const char *name = NULL;

    mt_ar_segment_path(&v->archive, conv, conv->segment, "", path);
    name = path + strlen(v->archive.base) + 1;
    if (!conv->offset && mt_fs_stat(path, &st))
        return; /* nothing open, nothing there */
    v->report->segments_n++;
    if (!file_size(v, path, name, &size_bytes))
        return;
    v->report->bytes += size_bytes;
    if (size_bytes < conv->offset) {
        find(v, true, "%s: %lld bytes, %lld were committed", name, (long long)size_bytes,
             (long long)conv->offset);
        return;
    }
    if (size_bytes > conv->offset && v->archive.journal.clean)
        find(v, true, "%s: %lld bytes more than were committed", name,
             (long long)(size_bytes - conv->offset));
    if (v->mode == MT_VERIFY_STRUCTURE)
        return;
    start_file(v);
    if (!read_file(v, path, conv->offset, take_bytes) || v->rest.len ||
        (conv->offset && !hash_is(v, conv->sha256)))
        find(v, true, "%s: the content is not what was committed", name);
}

static bool known_file(const struct mt_ar_conv *conv, const char *name)
{
    char want[64];
    char *end = NULL;
    unsigned long segment = strtoul(name, &end, 10);

    snprintf(want, sizeof want, "%06lu.jsonl%s", segment, segment < conv->segment ? ".zst" : "");
    return segment && segment <= conv->segment && !strcmp(want, name);
}

static void check_folder(struct verify *v, const struct mt_ar_conv *conv)
{
    char folder[MT_AR_PATH_MAX];
    char **names = NULL;
    size_t n = 0;

    mt_ar_path(&v->archive, folder, "conv/%s", conv->dir);
    if (mt_fs_list(folder, &names, &n))
        return; /* a missing segment is found by its own check */
    for (size_t i = 0; i < n && v->archive.journal.clean; i++) {
        if (!known_file(conv, names[i]))
            find(v, true, "conv/%s/%s: does not belong to the archive", conv->dir, names[i]);
    }
    mt_mem_free(names);
}

static bool check_conv(void *ud, const char *key, void *value)
{
    struct verify *v = ud;
    const struct mt_ar_conv *conv = value;
    const struct mt_archive_state *s = &conv->state;

    (void)key;
    v->conv = conv;
    v->lines_n = v->messages_n = v->bad_lines_n = 0;
    v->ids_n = 0;
    for (const struct mt_ar_sealed *sealed = conv->sealed; sealed && !v->rc; sealed = sealed->next)
        check_sealed(v, sealed);
    if ((conv->sealed_last ? conv->sealed_last->segment : 0) + 1 != conv->segment)
        find(v, true, "%s: the manifest lacks sealed segments", s->conversation);
    check_open(v, conv);
    check_folder(v, conv);
    if (v->mode == MT_VERIFY_READ_ALL) {
        if (v->bad_lines_n)
            find(v, true, "%s: %llu lines make no sense", s->conversation,
                 (unsigned long long)v->bad_lines_n);
        if (v->lines_n != s->lines_n || v->messages_n != s->messages_n)
            find(v, true, "%s: %llu messages in %llu lines, the checkpoint says %llu in %llu",
                 s->conversation, (unsigned long long)v->messages_n, (unsigned long long)v->lines_n,
                 (unsigned long long)s->messages_n, (unsigned long long)s->lines_n);
        check_ids(v);
    }
    if (!s->complete && (s->gaps_n || v->archive.journal.clean))
        find(v, false,
             "%s: not complete: the cloud's history was not read to its end, or ranges were left "
             "out",
             s->conversation);
    v->report->conversations_n++;
    v->report->messages_n += s->messages_n;
    v->report->lines_n += s->lines_n;
    v->report->gaps_n += s->gaps_n;
    return !v->rc;
}

struct dirs {
    const char *name;
    bool known;
};

static bool is_dir_of(void *ud, const char *key, void *value)
{
    struct dirs *d = ud;
    (void)key;
    d->known = !strcmp(((struct mt_ar_conv *)value)->dir, d->name);
    return !d->known;
}

static void check_foreign(struct verify *v)
{
    static const char *const known[] = {"CHECKPOINT", "MANIFEST.jsonl", "account.json", "conv"};
    char folder[MT_AR_PATH_MAX];
    char **names = NULL;
    size_t n = 0;

    if (!v->archive.journal.clean)
        return; /* leftovers are what recovery is for */
    if (!mt_fs_list(v->archive.base, &names, &n)) {
        for (size_t i = 0; i < n; i++) {
            bool ok = false;
            for (size_t k = 0; k < sizeof known / sizeof *known; k++)
                ok = ok || !strcmp(names[i], known[k]);
            if (!ok)
                find(v, true, "%s: does not belong to the archive", names[i]);
        }
        mt_mem_free(names);
    }
    mt_ar_path(&v->archive, folder, "conv");
    if (mt_fs_list(folder, &names, &n))
        return;
    for (size_t i = 0; i < n; i++) {
        struct dirs d = {names[i], false};
        mt_map_each(v->archive.convs, is_dir_of, &d);
        if (!d.known)
            find(v, true, "conv/%s: does not belong to the archive", names[i]);
    }
    mt_mem_free(names);
}

/* ---------------------------------------------------------------- the account */

static bool only_entry(const char *dir, char *out, size_t size)
{
    static const char *const derived[] = {"LOCK", "FORMAT", "csv", "html"};
    char **names = NULL;
    size_t n = 0;
    size_t found = 0;

    if (mt_fs_list(dir, &names, &n))
        return false;
    for (size_t i = 0; i < n; i++) {
        bool skip = mt_str_starts(names[i], "messages.sqlite") || mt_str_ends(names[i], ".tmp");
        for (size_t k = 0; k < sizeof derived / sizeof *derived; k++)
            skip = skip || !strcmp(names[i], derived[k]);
        if (skip)
            continue;
        snprintf(out, size, "%s", names[i]);
        found++;
    }
    mt_mem_free(names);
    return found == 1;
}

static void check_account(struct verify *v)
{
    char path[MT_AR_PATH_MAX];
    char hex[MT_SHA256_HEX];
    uint8_t sum[MT_SHA256_LEN];
    char *text = NULL;
    size_t len = 0;
    struct mt_json *root = NULL;
    struct mt_fault ignored;

    mt_ar_path(&v->archive, path, "account.json");
    if (mt_fs_read_all(path, 64u << 10, &text, &len)) {
        find(v, true, "account.json: missing");
        return;
    }
    mt_sha256_of(text, len, sum);
    mt_hex(sum, sizeof sum, hex);
    if (v->archive.journal.exists && strcmp(hex, v->archive.journal.account_sha256) != 0)
        find(v, true, "account.json: it was changed");
    if (!mt_json_parse(text, len, 64u << 10, &root, &ignored)) {
        const char *provider = mt_json_str(mt_json_get(root, "provider"));
        const char *appkey = mt_json_str(mt_json_get(root, "appkey"));
        const char *user = mt_json_str(mt_json_get(root, "user"));
        snprintf(v->report->provider, sizeof v->report->provider, "%s", provider ? provider : "");
        snprintf(v->report->appkey, sizeof v->report->appkey, "%s", appkey ? appkey : "");
        snprintf(v->report->user, sizeof v->report->user, "%s", user ? user : "");
    }
    mt_json_free(root);
    mt_mem_free(text);
}

static enum mt_rc locate(struct verify *v, const char *dir, struct mt_fault *fault)
{
    char path[MT_AR_PATH_MAX];
    char provider[256], app[256], user[256];
    char *text = NULL;
    size_t len = 0;
    struct mt_fs_stat st;

    int err = mt_fs_stat(dir, &st);
    if (err || !st.is_dir)
        return mt_fault_set(fault, MT_ERR_NOT_FOUND, "archive.none", "%s is not a folder", dir);
    snprintf(v->archive.root, sizeof v->archive.root, "%s", dir);
    snprintf(path, sizeof path, "%s/FORMAT", dir);
    err = mt_fs_read_all(path, 1024, &text, &len);
    if (err == ENOENT) {
        char **names = NULL;
        size_t n = 0;
        bool empty = !mt_fs_list(dir, &names, &n) && n == 0;
        mt_mem_free(names);
        snprintf(path, sizeof path, "%s/LOCK", dir);
        if (empty || mt_fs_stat(path, &st))
            return mt_fault_set(fault, MT_ERR_NOT_FOUND, "archive.none",
                                "%s holds no archive (it has no FORMAT)", dir);
        find(v, true, "FORMAT: missing");
    } else if (err) {
        return mt_fs_fault(fault, err, "read", path);
    } else if (strcmp(text, MT_AR_FORMAT) != 0) {
        find(v, true, "FORMAT: not \"imarc 1\"");
    }
    mt_mem_free(text);
    snprintf(path, sizeof path, "%s", dir);
    if (!only_entry(path, provider, sizeof provider))
        goto none;
    snprintf(path, sizeof path, "%s/%s", dir, provider);
    if (!only_entry(path, app, sizeof app))
        goto none;
    snprintf(path, sizeof path, "%s/%s/%s", dir, provider, app);
    if (!only_entry(path, user, sizeof user))
        goto none;
    snprintf(v->archive.base, sizeof v->archive.base, "%s/%s/%s/%s", dir, provider, app, user);
    return MT_OK;
none:
    find(v, true, "there is not exactly one account in the archive");
    return MT_OK;
}

static enum mt_rc read_index(struct verify *v)
{
    struct mt_fault fault;
    enum mt_rc rc = mt_ar_journal_load(&v->archive, &fault);

    if (!rc)
        rc = mt_ar_manifest_load(&v->archive, &fault);
    if (rc == MT_ERR_NOMEM)
        return rc;
    if (rc)
        find(v, true, "%s", fault.message);
    if (!v->archive.journal.exists) {
        char folder[MT_AR_PATH_MAX];
        struct mt_fs_stat st;
        mt_ar_path(&v->archive, folder, "conv");
        if (!mt_fs_stat(folder, &st))
            find(v, true, "CHECKPOINT: missing");
        else
            v->archive.journal.clean = false; /* nothing was ever committed */
    }
    return MT_OK;
}

static void conclude(struct verify *v)
{
    struct mt_verify_report *report = v->report;

    if (v->archive.journal.hash)
        mt_ar_head(&v->archive.journal, report->head);
    if (v->damaged)
        report->verdict = MT_VERIFY_DAMAGED;
    else if (!v->archive.journal.clean)
        report->verdict = MT_VERIFY_UNFINISHED;
    else
        report->verdict = v->gaps ? MT_VERIFY_GAPS : MT_VERIFY_COMPLETE;
}

enum mt_rc mt_archive_verify(const char *dir, enum mt_verify_mode mode,
                             void (*problem)(void *ud, const char *text),
                             void (*progress)(void *ud, int64_t done_bytes, int64_t total_bytes),
                             void *ud, struct mt_verify_report *report, struct mt_fault *fault)
{
    struct verify *v = mt_mem_calloc(1, sizeof *v);
    enum mt_rc rc = MT_ERR_NOMEM;

    memset(report, 0, sizeof *report);
    if (!v)
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    v->mode = mode;
    v->problem = problem;
    v->progress = progress;
    v->ud = ud;
    v->report = report;
    v->total_bytes = -1;
    mt_buf_init(&v->rest, MT_AR_LINE_MAX);
    v->archive.convs = mt_map_new();
    v->hash = mt_sha256_new();
    if (!v->archive.convs || !v->hash) {
        mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
        goto out;
    }
    rc = locate(v, dir, fault);
    if (rc)
        goto out;
    if (v->archive.base[0]) {
        v->rc = read_index(v);
        if (!v->rc) {
            check_account(v);
            check_foreign(v);
            mt_map_each(v->archive.convs, check_conv, v);
        }
    }
    rc = v->rc;
    if (rc)
        mt_fault_set(fault, rc, "memory", "out of memory");
    conclude(v);
out:
    mt_buf_deinit(&v->rest);
    mt_sha256_free(v->hash);
    mt_sha256_free(v->archive.journal.hash);
    mt_map_free(v->archive.convs, mt_ar_conv_free);
    mt_mem_free(v->ids);
    mt_mem_free(v);
    return rc;
}

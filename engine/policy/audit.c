/* The audit: opening, appending, closing. Each of them holds LOCK while it looks at the log's end
 * and moves it, and takes first what other processes have appended meanwhile. */
#include "policy/audit_int.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define EVERY_N         100
#define EVERY_DELETIONS 16
#define EVERY_MS        60000
#define COMPRESS_N      2 /* segments that the beginning of a new one compresses at most */

/* ---------------------------------------------------------------- the lock */

enum mt_rc mt_au_lock(const char *dir, bool make, int *fd, struct mt_fault *fault)
{
    char path[MT_AU_PATH_MAX];

    *fd = -1;
    mt_au_path(dir, "LOCK", path);
    int err = mt_fs_open(path, make ? MT_FS_WRITE | MT_FS_CREATE : MT_FS_READ, fd);
    if (!err)
        err = mt_fs_lock_within(*fd, MT_AU_LOCK_MS);
    if (!err)
        return MT_OK;
    if (*fd >= 0)
        mt_fs_close(*fd);
    *fd = -1;
    if (err == EWOULDBLOCK)
        return mt_fault_set(fault, MT_ERR_BUSY, "audit.busy",
                            "another process holds the audit for too long: %.120s", path);
    return mt_fs_fault(fault, err, "open", path);
}

void mt_au_unlock(int *fd)
{
    if (*fd >= 0)
        mt_fs_close(*fd); /* and with it the lock */
    *fd = -1;
}

/* ---------------------------------------------------------------- the end of the log */

static enum mt_rc take_one(void *ud, const struct mt_au_place *place, const char *line, size_t len)
{
    struct mt_audit *audit = ud;
    struct mt_au_line parsed;
    enum mt_rc rc = mt_au_parse(line, len, &parsed);

    if (rc)
        return rc;
    mt_au_open_take_line(audit, &parsed, place);
    const char *verb = mt_json_str(mt_json_get(parsed.json, "verb"));
    audit->saw_prune = audit->saw_prune || (verb && !strcmp(verb, "prune"));
    mt_json_free(parsed.json);
    audit->unsigned_n++;
    return MT_OK;
}

static void adopt(struct mt_audit *audit, const struct mt_au_pruned *pruned)
{
    if (pruned->removed.seq <= audit->pruned.removed.seq)
        return;
    audit->pruned = *pruned;
    (void)mt_au_open_until(audit, pruned->removed.seq, true);
}

/* What somebody has removed is so by the signed head, not by the record that says so alone. rebase:
 * what we knew as the last record is among it. */
static enum mt_rc take_pruned(struct mt_audit *audit, bool rebase, struct mt_fault *fault)
{
    struct mt_au_head *head = mt_mem_calloc(1, sizeof *head);
    char path[MT_AU_PATH_MAX];

    if (!head)
        return mt_au_nomem(fault);
    mt_au_path(audit->dir, "HEAD", path);
    enum mt_rc rc = mt_au_head_read(path, audit->public_key, head, fault);
    if (!rc && rebase && head->pruned.removed.seq < audit->last.seq)
        rc = mt_fault_set(fault, MT_ERR_STATE, "audit.cut", "the audit's last segment is gone");
    if (!rc && rebase)
        rc = mt_au_head_check(audit->dir, head, fault);
    if (!rc && rebase) {
        audit->last = head->place;
        audit->unsigned_n = 0;
        mt_au_open_load(audit, &head->place);
    }
    if (!rc)
        adopt(audit, &head->pruned);
    mt_mem_free(head);
    return rc;
}

/* Cuts off what a power cut left of an append, and says so. */
static enum mt_rc repair(struct mt_audit *audit, int64_t torn, struct mt_fault *fault)
{
    char path[MT_AU_PATH_MAX];
    char detail[64];
    int fd = -1;

    mt_au_segment_path(audit->dir, audit->last.segment, path);
    int err = mt_fs_open(path, MT_FS_WRITE, &fd);
    if (!err) {
        err = mt_fs_truncate(fd, audit->last.end);
        if (!err)
            err = mt_fs_fsync(fd);
        mt_fs_close(fd);
    }
    if (err)
        return mt_fs_fault(fault, err, "repair", path);
    if (!audit->last.seq)
        return MT_OK; /* the first record of all: it is written anew */
    snprintf(detail, sizeof detail, "{\"bytes\":%lld}", (long long)torn);
    struct mt_audit_record note = {
        .type = MT_AUDIT_NOTE,
        .actor = "moontide",
        .verb = "repair",
        .why = "an append was not whole: the power went, or its process ended",
        .detail = detail,
    };
    return mt_au_append(audit, &note, 1, NULL, fault);
}

enum mt_rc mt_au_catch_up(struct mt_audit *audit, struct mt_fault *fault)
{
    struct mt_au_end end;
    int64_t torn = 0;
    enum mt_rc rc = mt_au_find_end_from(audit->dir, audit->last.segment, &end, fault);

    if (!rc && end.segments_n < audit->last.segment) {
        if (!audit->last.seq)
            return MT_OK;
        rc = take_pruned(audit, true, fault);
        if (!rc)
            rc = mt_au_find_end_from(audit->dir, audit->last.segment, &end, fault);
    }
    if (rc)
        return rc;
    audit->segments_n = end.segments_n;
    if (end.segments_n == audit->last.segment && end.size == audit->last.end)
        return MT_OK;
    mt_fault_set(fault, MT_OK, "", "%s", "");
    audit->saw_prune = false;
    rc = mt_au_walk(audit->dir, &end, &audit->last, take_one, audit, &torn, fault);
    if (rc == MT_ERR_NOMEM)
        return mt_au_nomem(fault);
    if (rc == MT_ERR_DAMAGED && fault && !fault->code[0])
        return mt_au_damaged(fault, audit->last.seq + 1, "it is no record");
    if (!rc && audit->saw_prune)
        rc = take_pruned(audit, false, fault);
    if (!rc && torn)
        rc = repair(audit, torn, fault);
    return rc;
}

/* ---------------------------------------------------------------- appending */

/* The segment that takes the next append; made durable before anything stands in it. */
static enum mt_rc open_segment(struct mt_audit *audit, struct mt_au_place *at, int *fd,
                               struct mt_fault *fault)
{
    char path[MT_AU_PATH_MAX];
    struct mt_fs_stat st = {.size_bytes = 0};
    bool fresh = audit->segments_n < at->segment;

    if (!fresh && at->end >= audit->segment_bytes && audit->segments_n == at->segment) {
        if (at->segment == MT_AU_SEGMENTS_MAX)
            return mt_fault_set(fault, MT_ERR_LIMIT, "audit.full",
                                "the audit has all its segments");
        fresh = true;
    }
    if (audit->segments_n > at->segment || (fresh && audit->segments_n == at->segment)) {
        at->segment++;
        at->start = 0;
        at->end = 0;
    }
    mt_au_segment_path(audit->dir, at->segment, path);
    int err = mt_fs_open(path, MT_FS_APPEND | (fresh ? MT_FS_CREATE | MT_FS_EXCL : 0), fd);
    if (!err && !at->end)
        err = mt_fs_sync_dir(audit->dir);
    if (!err)
        err = mt_fs_stat_fd(*fd, &st);
    if (!err && st.size_bytes == at->end) {
        audit->segments_n = at->segment;
        return MT_OK;
    }
    if (*fd >= 0)
        mt_fs_close(*fd);
    *fd = -1;
    return err ? mt_fs_fault(fault, err, "write", path)
               : mt_au_damaged(fault, at->seq + 1, "something else was written to its segment");
}

/* All lines; places[i] is that of record i. */
static enum mt_rc print_all(const struct mt_au_place *from, const struct mt_audit_record *records,
                            size_t n, struct mt_au_place *places, struct mt_buf *text,
                            struct mt_fault *fault)
{
    struct mt_au_place before = *from;
    int64_t now = mt_clock_wall_ms();

    for (size_t i = 0; i < n; i++) {
        uint8_t sum[MT_SHA256_LEN];
        size_t start = text->len;
        enum mt_rc rc = mt_au_write(text, &records[i], &before, now, i, n, fault);
        if (rc)
            return rc;
        mt_sha256_of(text->data + start, text->len - start - 1, sum);
        before.seq++;
        before.start = before.end;
        before.end += (int64_t)(text->len - start);
        mt_hex(sum, sizeof sum, before.sha256);
        places[i] = before;
    }
    return MT_OK;
}

/* What is only sent or marked as read is worth less than a sync of its own. */
static bool is_deletion(const struct mt_audit_record *record)
{
    return record->type != MT_AUDIT_NOTE && record->verb && strcmp(record->verb, "send") != 0 &&
           strcmp(record->verb, "mark_read") != 0;
}

static enum mt_rc write_all(int fd, const struct mt_buf *text, const char *dir,
                            struct mt_fault *fault)
{
    int err = mt_fs_write(fd, text->data, text->len);

    if (!err)
        err = mt_fs_fdatasync(fd);
    return err ? mt_fs_fault(fault, err, "write the audit in", dir) : MT_OK;
}

enum mt_rc mt_au_append(struct mt_audit *audit, const struct mt_audit_record *records, size_t n,
                        uint64_t *numbers, struct mt_fault *fault)
{
    struct mt_au_place *places = mt_mem_calloc(n, sizeof *places);
    struct mt_au_place at = audit->last;
    struct mt_buf text;
    int fd = -1;

    if (!places)
        return mt_au_nomem(fault);
    mt_buf_init(&text, MT_AU_APPEND_MAX);
    enum mt_rc rc = open_segment(audit, &at, &fd, fault);
    if (rc)
        audit->failed = rc != MT_ERR_NOMEM;
    if (!rc)
        rc = print_all(&at, records, n, places, &text, fault);
    if (!rc) {
        rc = write_all(fd, &text, audit->dir, fault);
        audit->failed = rc != MT_OK;
    }
    if (fd >= 0)
        mt_fs_close(fd);
    for (size_t i = 0; i < n && !rc; i++) {
        mt_au_open_take(audit, &records[i], &places[i]);
        audit->unsigned_deletions_n += is_deletion(&records[i]);
        if (numbers)
            numbers[i] = places[i].seq;
    }
    if (!rc) {
        audit->last = places[n - 1];
        audit->unsigned_n += n;
    }
    mt_buf_deinit(&text);
    mt_mem_free(places);
    return rc;
}

static bool head_is_due(const struct mt_audit *audit, const struct mt_audit_record *records,
                        size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (records[i].sign)
            return true;
    return audit->unsigned_n >= (uint64_t)audit->head_every_n ||
           audit->unsigned_deletions_n >= (uint64_t)audit->head_every_deletions ||
           mt_clock_mono_ms() - audit->head_mono_ms >= audit->head_every_ms;
}

enum mt_rc mt_au_refuse(struct mt_fault *fault)
{
    return mt_fault_set(fault, MT_ERR_STATE, "audit.failed",
                        "the audit failed before and takes nothing any more: nothing is deleted or "
                        "sent. Start again when its cause is gone");
}

/* The segments before the one that was begun. A failure costs space and nothing else. */
static void compress_finished(struct mt_audit *audit)
{
    struct mt_fault fault;
    bool done = false;

    for (uint32_t i = 1; i <= COMPRESS_N && i < audit->last.segment; i++) {
        if (mt_au_compress(audit->dir, audit->last.segment - i, &done, &fault))
            mt_log(MT_LOG_WARN, "audit", "a finished segment stays as it is: %s", fault.message);
    }
}

enum mt_rc mt_audit_append(struct mt_audit *audit, const struct mt_audit_record *records, size_t n,
                           uint64_t *numbers, struct mt_fault *fault)
{
    uint32_t segment = 0;

    if (audit->failed)
        return mt_au_refuse(fault);
    if (!n)
        return MT_OK;
    enum mt_rc rc = mt_au_lock(audit->dir, true, &audit->lock_fd, fault);
    if (rc) {
        audit->failed = rc != MT_ERR_BUSY;
        return rc;
    }
    rc = mt_au_catch_up(audit, fault);
    segment = audit->last.segment;
    if (rc)
        audit->failed = rc != MT_ERR_NOMEM;
    else
        rc = mt_au_append(audit, records, n, numbers, fault);
    if (!rc && head_is_due(audit, records, n)) {
        rc = mt_au_head_write(audit, fault);
        audit->failed = rc != MT_OK;
    }
    if (!rc && audit->last.segment > segment)
        compress_finished(audit);
    mt_au_unlock(&audit->lock_fd);
    return rc;
}

enum mt_rc mt_audit_head(struct mt_audit *audit, struct mt_fault *fault)
{
    if (audit->failed)
        return mt_au_refuse(fault);
    if (!audit->unsigned_n)
        return MT_OK;
    enum mt_rc rc = mt_au_lock(audit->dir, true, &audit->lock_fd, fault);
    if (!rc)
        rc = mt_au_catch_up(audit, fault);
    if (!rc)
        rc = mt_au_head_write(audit, fault);
    mt_au_unlock(&audit->lock_fd);
    audit->failed = rc && rc != MT_ERR_BUSY && rc != MT_ERR_NOMEM;
    return rc;
}

/* ---------------------------------------------------------------- opening and closing */

static void audit_free(struct mt_audit *audit)
{
    mt_au_unlock(&audit->lock_fd);
    mt_au_open_forget(audit);
    explicit_bzero(audit->key, sizeof audit->key);
    mt_mem_free(audit->dir);
    mt_mem_free(audit->anchor);
    mt_mem_free(audit);
}

/* The first record names the key, and the first head follows it at once: from then on a log
 * without a head is one that lost it. */
static enum mt_rc begin(struct mt_audit *audit, struct mt_fault *fault)
{
    char key[MT_AU_KEY_HEX];
    char detail[128];

    mt_hex(audit->public_key, MT_SIGN_KEY_LEN, key);
    snprintf(detail, sizeof detail, "{\"key\":\"%s\",\"version\":1}", key);
    struct mt_audit_record note = {
        .type = MT_AUDIT_NOTE, .actor = "moontide", .verb = "begin", .detail = detail};
    return mt_au_append(audit, &note, 1, NULL, fault);
}

/* The key of the log; a new one only where nothing was ever written. */
static enum mt_rc find_key(struct mt_audit *audit, bool is_new, struct mt_fault *fault)
{
    enum mt_rc rc = mt_au_key_read(audit->dir, audit->key, fault);

    if (rc == MT_ERR_NOT_FOUND && is_new)
        rc = mt_au_key_make(audit->dir, audit->key, fault);
    else if (rc == MT_ERR_NOT_FOUND)
        rc = mt_fault_set(fault, MT_ERR_DAMAGED, "audit.key", "the audit's key is gone");
    if (!rc && mt_sign_public(audit->key, audit->public_key))
        rc = mt_au_nomem(fault);
    return rc;
}

/* The log begins with the record that names the key, or where a signed statement says. */
static enum mt_rc check_first(const struct mt_audit *audit, const struct mt_au_end *end,
                              struct mt_fault *fault)
{
    struct mt_au_file file;
    char line[1024];
    size_t got = 0;

    if (end->first > 1)
        return mt_au_front_check(audit->dir, end, &audit->pruned, audit->public_key, fault);
    mt_au_file_init(&file);
    enum mt_rc rc = mt_au_file_open(&file, audit->dir, 1, fault);
    if (!rc)
        rc = mt_au_file_read(&file, 0, line, sizeof line, &got, fault);
    mt_au_file_close(&file);
    if (rc)
        return rc == MT_ERR_DAMAGED ? mt_au_damaged(fault, 1, "its segment cannot be read") : rc;
    const char *newline = memchr(line, '\n', got);
    return mt_au_first_check(line, newline ? (size_t)(newline - line) : got, audit->public_key,
                             fault);
}

/* Both heads, and where to go on from: the newer of them that is ours. */
static enum mt_rc check_heads(struct mt_audit *audit, struct mt_au_head *own,
                              struct mt_fault *fault)
{
    struct mt_au_head *anchored = mt_mem_calloc(1, sizeof *anchored);
    char path[MT_AU_PATH_MAX];

    if (!anchored)
        return mt_au_nomem(fault);
    mt_au_path(audit->dir, "HEAD", path);
    enum mt_rc rc = mt_au_head_read(path, audit->public_key, own, fault);
    if (!rc && audit->anchor)
        rc = mt_au_head_read(audit->anchor, audit->public_key, anchored, fault);
    audit->is_anchored = !audit->anchor || (!rc && anchored->place.seq);
    if (!rc && own->place.seq)
        rc = mt_au_head_check(audit->dir, own, fault);
    audit->pruned = own->pruned;
    adopt(audit, &anchored->pruned);
    if (!rc && anchored->place.seq > audit->pruned.removed.seq)
        rc = mt_au_head_check(audit->dir, anchored, fault);
    if (!rc)
        rc = mt_au_anchor_check(audit->anchor, own, anchored, fault);
    mt_mem_free(anchored);
    return rc;
}

static enum mt_rc start(struct mt_audit *audit, struct mt_au_head *own, struct mt_fault *fault)
{
    struct mt_au_end end;
    enum mt_rc rc = mt_au_find_end(audit->dir, &end, fault);

    if (rc)
        return rc;
    bool is_new = !end.segments_n || (end.segments_n == 1 && !end.size);
    rc = find_key(audit, is_new, fault);
    if (!rc)
        rc = check_heads(audit, own, fault);
    if (rc)
        return rc;
    mt_au_none(&audit->last);
    audit->segments_n = end.segments_n;
    if (own->place.seq) {
        audit->last = own->place;
        mt_au_open_load(audit, &own->place);
        rc = check_first(audit, &end, fault);
    } else if (end.first > 1) {
        rc = mt_fault_set(fault, MT_ERR_DAMAGED, "audit.head", "the audit's head is gone");
    } else {
        mt_au_open_none(audit);
    }
    if (!rc)
        rc = mt_au_catch_up(audit, fault);
    if (!rc && !own->place.seq && audit->last.seq > 1)
        rc = mt_fault_set(fault, MT_ERR_DAMAGED, "audit.head", "the audit's head is gone");
    if (!rc && !audit->last.seq)
        rc = begin(audit, fault);
    if (!rc && end.segments_n && end.first <= audit->pruned.removed.segment)
        rc = mt_au_remove(audit->dir, end.first, audit->pruned.removed.segment, fault);
    if (!rc && (!own->place.seq || !audit->is_anchored))
        rc = mt_au_head_write(audit, fault); /* a new anchor holds from the first moment on */
    return rc;
}

static int64_t or_else(int64_t given, int64_t absent)
{
    return given > 0 ? given : absent;
}

enum mt_rc mt_audit_open(const struct mt_audit_options *options, struct mt_audit **out,
                         struct mt_fault *fault)
{
    struct mt_audit *audit = mt_mem_calloc(1, sizeof *audit);
    struct mt_au_head *own = mt_mem_calloc(1, sizeof *own);
    enum mt_rc rc = MT_OK;

    *out = NULL;
    if (!audit || !own) {
        mt_mem_free(audit);
        mt_mem_free(own);
        return mt_au_nomem(fault);
    }
    audit->lock_fd = -1;
    audit->head_every_n = or_else(options->head_every_n, EVERY_N);
    audit->head_every_deletions = or_else(options->head_every_deletions, EVERY_DELETIONS);
    audit->head_every_ms = or_else(options->head_every_ms, EVERY_MS);
    audit->segment_bytes = or_else(options->segment_bytes, MT_AU_SEGMENT_BYTES);
    audit->head_mono_ms = mt_clock_mono_ms();
    audit->dir = mt_mem_strdup(options->dir);
    audit->anchor = options->anchor ? mt_mem_strdup(options->anchor) : NULL;
    if (!audit->dir || (options->anchor && !audit->anchor))
        rc = mt_au_nomem(fault);
    else if (strlen(audit->dir) > 3000 || (audit->anchor && strlen(audit->anchor) > 3000))
        rc = mt_fault_set(fault, MT_ERR_INVALID, "audit.path", "the audit's path is too long");
    if (!rc) {
        int err = mt_fs_mkdirs(audit->dir);
        if (err)
            rc = mt_fs_fault(fault, err, "make", audit->dir);
    }
    if (!rc)
        rc = mt_au_lock(audit->dir, true, &audit->lock_fd, fault);
    if (!rc)
        rc = start(audit, own, fault);
    mt_mem_free(own);
    if (rc) {
        audit_free(audit);
        return rc;
    }
    mt_au_unlock(&audit->lock_fd);
    *out = audit;
    return MT_OK;
}

enum mt_rc mt_audit_close(struct mt_audit *audit, struct mt_fault *fault)
{
    enum mt_rc rc = MT_OK;

    if (!audit)
        return MT_OK;
    if (!audit->failed)
        rc = mt_audit_head(audit, fault);
    audit_free(audit);
    return rc;
}

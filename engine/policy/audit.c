/* The audit: opening, appending, closing. Each of them holds LOCK while it looks at the log's end
 * and moves it, and takes first what other processes have appended meanwhile. */
#include "policy/audit_int.h"

#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define EVERY_N  100
#define EVERY_MS 60000

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
    mt_json_free(parsed.json);
    audit->unsigned_n++;
    return MT_OK;
}

static enum mt_rc append_locked(struct mt_audit *audit, const struct mt_audit_record *records,
                                size_t n, uint64_t *numbers, struct mt_fault *fault);

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
    return append_locked(audit, &note, 1, NULL, fault);
}

enum mt_rc mt_au_catch_up(struct mt_audit *audit, struct mt_fault *fault)
{
    char path[MT_AU_PATH_MAX];
    struct mt_au_end end = {.segments_n = audit->last.segment};
    struct mt_fs_stat st;
    int64_t torn = 0;
    int err = 0;

    for (;;) {
        mt_au_segment_path(audit->dir, end.segments_n, path);
        err = mt_fs_stat(path, &st);
        if (err)
            break;
        end.size = st.size_bytes;
        end.segments_n++;
    }
    end.segments_n--;
    if (err != ENOENT)
        return mt_fs_fault(fault, err, "read", path);
    if (end.segments_n < audit->last.segment) {
        if (!audit->last.seq)
            return MT_OK;
        return mt_fault_set(fault, MT_ERR_STATE, "audit.cut", "the audit's last segment is gone");
    }
    audit->segments_n = end.segments_n;
    if (end.segments_n == audit->last.segment && end.size == audit->last.end)
        return MT_OK;
    mt_fault_set(fault, MT_OK, "", "%s", "");
    enum mt_rc rc = mt_au_walk(audit->dir, &end, &audit->last, take_one, audit, &torn, fault);
    if (rc == MT_ERR_NOMEM)
        return mt_au_nomem(fault);
    if (rc == MT_ERR_DAMAGED && fault && !fault->code[0])
        return mt_au_damaged(fault, audit->last.seq + 1, "it is no record");
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

static enum mt_rc write_all(int fd, const struct mt_buf *text, const char *dir,
                            struct mt_fault *fault)
{
    int err = mt_fs_write(fd, text->data, text->len);

    if (!err)
        err = mt_fs_fdatasync(fd);
    return err ? mt_fs_fault(fault, err, "write the audit in", dir) : MT_OK;
}

/* With the lock, after catching up. What fails before the write has changed nothing. */
static enum mt_rc append_locked(struct mt_audit *audit, const struct mt_audit_record *records,
                                size_t n, uint64_t *numbers, struct mt_fault *fault)
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

static bool head_is_due(const struct mt_audit *audit)
{
    return audit->unsigned_n >= (uint64_t)audit->head_every_n ||
           mt_clock_mono_ms() - audit->head_mono_ms >= audit->head_every_ms;
}

static enum mt_rc refuse(struct mt_fault *fault)
{
    return mt_fault_set(fault, MT_ERR_STATE, "audit.failed",
                        "the audit failed before and takes nothing any more: nothing is deleted or "
                        "sent. Start again when its cause is gone");
}

enum mt_rc mt_audit_append(struct mt_audit *audit, const struct mt_audit_record *records, size_t n,
                           uint64_t *numbers, struct mt_fault *fault)
{
    if (audit->failed)
        return refuse(fault);
    if (!n)
        return MT_OK;
    enum mt_rc rc = mt_au_lock(audit->dir, true, &audit->lock_fd, fault);
    if (rc) {
        audit->failed = rc != MT_ERR_BUSY;
        return rc;
    }
    rc = mt_au_catch_up(audit, fault);
    if (rc)
        audit->failed = rc != MT_ERR_NOMEM;
    else
        rc = append_locked(audit, records, n, numbers, fault);
    if (!rc && head_is_due(audit)) {
        rc = mt_au_head_write(audit, fault);
        audit->failed = rc != MT_OK;
    }
    mt_au_unlock(&audit->lock_fd);
    return rc;
}

enum mt_rc mt_audit_head(struct mt_audit *audit, struct mt_fault *fault)
{
    if (audit->failed)
        return refuse(fault);
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
    return append_locked(audit, &note, 1, NULL, fault);
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

static enum mt_rc check_first(const struct mt_audit *audit, struct mt_fault *fault)
{
    char path[MT_AU_PATH_MAX];
    char line[1024];
    size_t got = 0;
    int fd = -1;

    mt_au_segment_path(audit->dir, 1, path);
    int err = mt_fs_open(path, MT_FS_READ, &fd);
    if (!err) {
        err = mt_fs_pread(fd, line, sizeof line, 0, &got);
        mt_fs_close(fd);
    }
    if (err)
        return mt_fs_fault(fault, err, "read", path);
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
    if (!rc && anchored->place.seq)
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
        rc = check_first(audit, fault);
    } else {
        mt_au_open_none(audit);
    }
    if (!rc)
        rc = mt_au_catch_up(audit, fault);
    if (!rc && !own->place.seq && audit->last.seq > 1)
        rc = mt_fault_set(fault, MT_ERR_DAMAGED, "audit.head", "the audit's head is gone");
    if (!rc && !audit->last.seq)
        rc = begin(audit, fault);
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

/* Conversions: which format goes where, and the walk over the archive that all of them make. */
#include "archive/convert_int.h"

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

#define FLUSH_BYTES (256u << 10)
#define OUT_MAX     (128u << 20)

/* ---------------------------------------------------------------- output files */

enum mt_rc mt_ar_out_open(struct mt_ar_out *out, const char *path, struct mt_fault *fault)
{
    snprintf(out->path, sizeof out->path, "%s", path);
    snprintf(out->tmp, sizeof out->tmp, "%s.tmp", path);
    mt_buf_init(&out->buf, OUT_MAX);
    int err = mt_fs_open(out->tmp, MT_FS_WRITE | MT_FS_CREATE | MT_FS_TRUNCATE, &out->fd);
    if (!err)
        return MT_OK;
    out->fd = -1;
    return mt_fs_fault(fault, err, "write", out->tmp);
}

enum mt_rc mt_ar_out_flush(struct mt_ar_out *out, bool all, struct mt_fault *fault)
{
    if (out->buf.failed)
        return mt_fault_set(fault, out->buf.failed, "memory", "out of memory");
    if (!out->buf.len || (!all && out->buf.len < FLUSH_BYTES))
        return MT_OK;
    int err = mt_fs_write(out->fd, out->buf.data, out->buf.len);
    mt_buf_reset(&out->buf);
    return err ? mt_fs_fault(fault, err, "write", out->tmp) : MT_OK;
}

enum mt_rc mt_ar_out_close(struct mt_ar_out *out, enum mt_rc rc, struct mt_fault *fault)
{
    int err = 0;

    if (!rc)
        rc = mt_ar_out_flush(out, true, fault);
    if (!rc && (err = mt_fs_fsync(out->fd)))
        rc = mt_fs_fault(fault, err, "write", out->tmp);
    if (out->fd >= 0)
        mt_fs_close(out->fd);
    if (!rc && (err = mt_fs_rename(out->tmp, out->path)))
        rc = mt_fs_fault(fault, err, "write", out->path);
    if (rc)
        mt_fs_unlink(out->tmp);
    mt_buf_deinit(&out->buf);
    return rc;
}

/* ---------------------------------------------------------------- the walk */

static const char *text_of(const struct mt_json *line, const char *key)
{
    const char *s = mt_json_str(mt_json_get(line, key));
    return s ? s : "";
}

static enum mt_rc take_line(void *ud, const char *text, size_t len)
{
    struct mt_ar_walk *walk = ud;
    struct mt_json *line = NULL;
    struct mt_ar_row row;
    enum mt_rc rc = mt_json_parse(text, len, MT_AR_LINE_MAX, &line, walk->fault);

    if (rc)
        return rc;
    row.conversation = text_of(line, "conversation");
    row.type = mt_json_get(line, "type") ? text_of(line, "type") : "message";
    row.id = text_of(line, "id");
    row.target = text_of(line, "target");
    row.from = text_of(line, "from");
    row.to = text_of(line, "to");
    row.direction = text_of(line, "direction");
    row.kind = text_of(line, "kind");
    row.text = text_of(line, "text");
    row.at = text_of(line, "at");
    row.time_ms = mt_json_i64(mt_json_get(line, "time"), 0);
    row.line = line;
    rc = walk->row(walk->ud, &row);
    if (!strcmp(row.type, "message")) {
        walk->result->messages_n++;
        if (walk->progress && walk->result->messages_n % 1000 == 0)
            walk->progress(walk->progress_ud, walk->result->messages_n, walk->total_n);
    }
    mt_json_free(line);
    return rc;
}

static bool count_one(void *ud, const struct mt_archive_state *state)
{
    ((struct mt_ar_walk *)ud)->total_n += state->messages_n;
    return true;
}

static bool walk_one(void *ud, const struct mt_archive_state *state)
{
    struct mt_ar_walk *walk = ud;

    walk->result->conversations_n++;
    if (walk->conversation)
        walk->rc = walk->conversation(walk->ud, state);
    if (!walk->rc)
        walk->rc = mt_archive_lines(&walk->archive, state->conversation, 0, 0, take_line, walk,
                                    walk->fault);
    return !walk->rc;
}

enum mt_rc mt_ar_walk(const char *dir, struct mt_ar_walk *walk)
{
    struct mt_archive *archive = &walk->archive;
    enum mt_rc rc = mt_ar_open_to_read(archive, dir, walk->fault);

    if (!rc) {
        mt_archive_each(archive, count_one, walk);
        mt_archive_each(archive, walk_one, walk);
        rc = walk->rc;
    }
    mt_ar_close_read(archive);
    return rc;
}

enum mt_rc mt_archive_convert(const char *dir, const char *format,
                              void (*progress)(void *ud, uint64_t done_n, uint64_t total_n),
                              void *ud, struct mt_convert_result *result, struct mt_fault *fault)
{
    static const struct {
        const char *name;
        enum mt_rc (*convert)(const char *dir, struct mt_ar_walk *walk);
    } formats[] = {{"csv", mt_ar_to_csv}, {"html", mt_ar_to_html}, {"sqlite", mt_ar_to_sqlite}};
    struct mt_ar_walk *walk = mt_mem_calloc(1, sizeof *walk);
    enum mt_rc rc = MT_ERR_INVALID;
    bool known = false;

    memset(result, 0, sizeof *result);
    if (!walk)
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    walk->result = result;
    walk->fault = fault;
    walk->progress = progress;
    walk->progress_ud = ud;
    for (size_t i = 0; i < sizeof formats / sizeof *formats && !known; i++) {
        known = !strcmp(formats[i].name, format);
        if (known)
            rc = formats[i].convert(dir, walk);
    }
    if (!known)
        mt_fault_set(fault, rc, "archive.convert", "there is no format '%s': csv, html or sqlite",
                     format);
    mt_mem_free(walk);
    return rc;
}

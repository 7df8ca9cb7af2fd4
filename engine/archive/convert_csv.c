/* CSV as RFC 4180 says, with a byte order mark for spreadsheets. A cell that a spreadsheet would
 * take for a formula gets an apostrophe in front: message texts come from strangers. */
#include "archive/convert_int.h"

#include "base/fs.h"

#include <stdio.h>
#include <string.h>

static void cell(struct mt_buf *out, const char *s, bool last)
{
    mt_buf_append_char(out, '"');
    if (*s && strchr("=+-@\t\r", *s))
        mt_buf_append_char(out, '\'');
    for (const char *p = s; *p; p++) {
        if (*p == '"')
            mt_buf_append_char(out, '"');
        mt_buf_append_char(out, *p);
    }
    mt_buf_append_str(out, last ? "\"\r\n" : "\",");
}

static enum mt_rc csv_row(void *ud, const struct mt_ar_row *row)
{
    struct mt_ar_out *out = ud;
    struct mt_buf body;
    struct mt_fault ignored;

    mt_buf_init(&body, MT_AR_LINE_MAX);
    if (mt_json_get(row->line, "body"))
        mt_json_print(mt_json_get(row->line, "body"), &body);
    cell(&out->buf, row->at, false);
    cell(&out->buf, row->conversation, false);
    cell(&out->buf, row->type, false);
    cell(&out->buf, row->id, false);
    cell(&out->buf, row->target, false);
    cell(&out->buf, row->from, false);
    cell(&out->buf, row->to, false);
    cell(&out->buf, row->direction, false);
    cell(&out->buf, row->kind, false);
    cell(&out->buf, row->text, false);
    cell(&out->buf, body.data ? body.data : "", true);
    mt_buf_deinit(&body);
    return mt_ar_out_flush(out, false, &ignored);
}

enum mt_rc mt_ar_to_csv(const char *dir, struct mt_ar_walk *walk)
{
    struct mt_ar_out out;
    char path[MT_AR_PATH_MAX];
    enum mt_rc rc = MT_OK;

    snprintf(path, sizeof path, "%s/csv", dir);
    int err = mt_fs_mkdirs(path);
    if (err)
        return mt_fs_fault(walk->fault, err, "make", path);
    snprintf(path, sizeof path, "%s/csv/messages.csv", dir);
    rc = mt_ar_out_open(&out, path, walk->fault);
    if (rc)
        return rc;
    mt_buf_append_str(&out.buf,
                      "\xEF\xBB\xBF"
                      "time,conversation,type,id,target,from,to,direction,kind,text,body\r\n");
    walk->row = csv_row;
    walk->ud = &out;
    rc = mt_ar_walk(dir, walk);
    snprintf(walk->result->path, sizeof walk->result->path, "%s", path);
    return mt_ar_out_close(&out, rc, walk->fault);
}

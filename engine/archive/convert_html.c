/* HTML: one folder that opens from disk, without a server and without scripts from elsewhere. Every
 * text is escaped; conversations are pages of at most 2,000 messages; the index searches the list,
 * each page searches itself. */
#include "archive/convert_int.h"

#include "base/fs.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

#define PAGE_MESSAGES 2000

struct html {
    struct mt_ar_walk *walk;
    const char *dir;
    struct mt_ar_out index;
    struct mt_ar_out page;
    bool page_open;
    char name[MT_STR_SAFE_MAX];
    char conversation[256];
    unsigned page_no;
    unsigned on_page_n;
    char day[16];
};

static const char head[] = "<!doctype html><html><head><meta charset=\"utf-8\">"
                           "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
                           "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src "
                           "'none'; style-src 'unsafe-inline'; "
                           "script-src 'unsafe-inline'\"><title>";
static const char style[] =
    "</title><style>body{font:16px/1.5 system-ui,sans-serif;max-width:48rem;margin:0 "
    "auto;padding:1rem;"
    "background:#fff;color:#222}h1{font-size:1.2rem}input{width:100%;box-sizing:border-box;font:"
    "inherit;padding:.5rem;"
    "margin:.5rem "
    "0}a{color:#0550ae;text-decoration:none}.c{display:flex;justify-content:space-between;gap:1rem;"
    "padding:.5rem 0;border-bottom:1px solid #ddd}.m{margin:.5rem 0;padding:.5rem "
    ".75rem;border-radius:.75rem;"
    "background:#f0f2f5;overflow-wrap:anywhere;white-space:pre-wrap}.sent{background:#dbeafe;"
    "margin-left:2rem}"
    ".m small,.d{color:#666;display:block;white-space:normal}.d{text-align:center;margin:1rem 0}"
    ".note{font-style:italic;color:#666}@media(prefers-color-scheme:dark){body{background:#111;"
    "color:#ddd}"
    ".m{background:#222}.sent{background:#1e3a5f}a{color:#7cb7ff}.c{border-color:#333}}</style></"
    "head><body>";
static const char search[] =
    "<script>var q=document.getElementById('q');q.oninput=function(){var w=q.value.toLowerCase();"
    "document.querySelectorAll('.c,.m').forEach(function(e){"
    "e.style.display=e.textContent.toLowerCase().indexOf(w)<0?'none':''})}</script></body></"
    "html>\n";

static void escape(struct mt_buf *out, const char *s)
{
    for (; *s; s++) {
        switch (*s) {
        case '&':
            mt_buf_append_str(out, "&amp;");
            break;
        case '<':
            mt_buf_append_str(out, "&lt;");
            break;
        case '>':
            mt_buf_append_str(out, "&gt;");
            break;
        case '"':
            mt_buf_append_str(out, "&quot;");
            break;
        case '\'':
            mt_buf_append_str(out, "&#39;");
            break;
        default:
            mt_buf_append_char(out, *s);
        }
    }
}

/* A safe name holds % signs, which a link must escape once more. */
static void link_to(struct mt_buf *out, const char *name, unsigned page_no)
{
    for (const char *p = name; *p; p++) {
        if (*p == '%')
            mt_buf_append_str(out, "%25");
        else
            mt_buf_append_char(out, *p);
    }
    mt_buf_appendf(out, "-%u.html", page_no);
}

static void open_document(struct mt_buf *out, const char *title)
{
    mt_buf_append_str(out, head);
    escape(out, title);
    mt_buf_append_str(out, style);
    mt_buf_append_str(out, "<h1>");
    escape(out, title);
    mt_buf_append_str(
        out, "</h1><input id=\"q\" type=\"search\" placeholder=\"search this page · 搜索本页\">");
}

static enum mt_rc end_page(struct html *h, bool more)
{
    struct mt_buf *out = &h->page.buf;

    if (!h->page_open)
        return MT_OK;
    h->page_open = false;
    mt_buf_append_str(out, "<p><a href=\"index.html\">all conversations</a>");
    if (h->page_no > 1) {
        mt_buf_append_str(out, " · <a href=\"");
        link_to(out, h->name, h->page_no - 1);
        mt_buf_append_str(out, "\">earlier</a>");
    }
    if (more) {
        mt_buf_append_str(out, " · <a href=\"");
        link_to(out, h->name, h->page_no + 1);
        mt_buf_append_str(out, "\">later</a>");
    }
    mt_buf_append_str(out, "</p>");
    mt_buf_append_str(out, search);
    return mt_ar_out_close(&h->page, MT_OK, h->walk->fault);
}

static enum mt_rc next_page(struct html *h)
{
    char path[MT_AR_PATH_MAX];
    enum mt_rc rc = end_page(h, true);

    if (rc)
        return rc;
    h->page_no++;
    h->on_page_n = 0;
    h->day[0] = '\0';
    snprintf(path, sizeof path, "%s/html/%s-%u.html", h->dir, h->name, h->page_no);
    rc = mt_ar_out_open(&h->page, path, h->walk->fault);
    if (rc)
        return rc;
    h->page_open = true;
    open_document(&h->page.buf, h->conversation);
    return MT_OK;
}

static enum mt_rc html_conversation(void *ud, const struct mt_archive_state *s)
{
    struct html *h = ud;
    struct mt_buf *out = &h->index.buf;
    enum mt_rc rc = end_page(h, false);

    if (rc)
        return rc;
    snprintf(h->conversation, sizeof h->conversation, "%s", s->conversation);
    mt_str_safe_name(s->conversation, h->name);
    h->page_no = 0;
    mt_buf_append_str(out, "<div class=\"c\"><a href=\"");
    link_to(out, h->name, 1);
    mt_buf_append_str(out, "\">");
    escape(out, s->conversation);
    mt_buf_appendf(out, "</a><span>%llu%s</span></div>\n", (unsigned long long)s->messages_n,
                   s->complete ? "" : " · not complete");
    rc = mt_ar_out_flush(&h->index, false, h->walk->fault);
    return rc ? rc : next_page(h);
}

static void put_body(struct mt_buf *out, const struct mt_ar_row *row)
{
    const struct mt_json *body = mt_json_get(row->line, "body");
    const char *name = mt_json_str(mt_json_get(body, "filename"));

    if (*row->text) {
        escape(out, row->text);
        return;
    }
    mt_buf_append_str(out, "<span class=\"note\">[");
    escape(out, row->kind);
    if (name) {
        mt_buf_append_str(out, ": ");
        escape(out, name);
    }
    mt_buf_append_str(out, "]</span>");
}

static enum mt_rc html_row(void *ud, const struct mt_ar_row *row)
{
    struct html *h = ud;
    struct mt_buf *out = NULL;
    enum mt_rc rc = h->on_page_n >= PAGE_MESSAGES ? next_page(h) : MT_OK;

    if (rc)
        return rc;
    out = &h->page.buf;
    h->on_page_n++;
    if (strncmp(row->at, h->day, 10) != 0) {
        snprintf(h->day, sizeof h->day, "%.10s", row->at);
        mt_buf_append_str(out, "<div class=\"d\">");
        escape(out, h->day);
        mt_buf_append_str(out, "</div>");
    }
    mt_buf_appendf(out, "<div class=\"m%s\"><small>",
                   !strcmp(row->direction, "sent") ? " sent" : "");
    escape(out, row->from);
    mt_buf_append_str(out, " · ");
    escape(out, row->at);
    mt_buf_append_str(out, "</small>");
    if (!strcmp(row->type, "message")) {
        put_body(out, row);
    } else {
        mt_buf_append_str(out, "<span class=\"note\">");
        escape(out, row->type);
        mt_buf_append_char(out, ' ');
        escape(out, row->target);
        mt_buf_append_str(out, "</span> ");
        escape(out, !strcmp(row->type, "edit") ? row->text
                    : mt_json_str(mt_json_get(row->line, "reason"))
                        ? mt_json_str(mt_json_get(row->line, "reason"))
                        : "");
    }
    mt_buf_append_str(out, "</div>\n");
    return mt_ar_out_flush(&h->page, false, h->walk->fault);
}

enum mt_rc mt_ar_to_html(const char *dir, struct mt_ar_walk *walk)
{
    struct html h;
    char path[MT_AR_PATH_MAX];
    enum mt_rc rc = MT_OK;

    memset(&h, 0, sizeof h);
    h.walk = walk;
    h.dir = dir;
    snprintf(path, sizeof path, "%s/html", dir);
    int err = mt_fs_mkdirs(path);
    if (err)
        return mt_fs_fault(walk->fault, err, "make", path);
    snprintf(path, sizeof path, "%s/html/index.html", dir);
    rc = mt_ar_out_open(&h.index, path, walk->fault);
    if (rc)
        return rc;
    open_document(&h.index.buf, "Conversations");
    walk->row = html_row;
    walk->conversation = html_conversation;
    walk->ud = &h;
    rc = mt_ar_walk(dir, walk);
    if (!rc)
        rc = end_page(&h, false);
    else if (h.page_open)
        (void)mt_ar_out_close(&h.page, rc, walk->fault);
    mt_buf_append_str(&h.index.buf, search);
    snprintf(walk->result->path, sizeof walk->result->path, "%s", path);
    return mt_ar_out_close(&h.index, rc, walk->fault);
}

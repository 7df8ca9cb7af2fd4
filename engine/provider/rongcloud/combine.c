/* The file of a combined message: on this cloud a page of HTML that clients show as it is, linked
 * from RC:CombineMsg (rongcloud.md 4.5). How it looks is the app's own business. */
#include "provider/rongcloud/files_int.h"

#include "base/buf.h"
#include "codec/time.h"

#include <string.h>

#define COMBINE_N 300

static void put_text(struct mt_buf *out, const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        switch (s[i]) {
        case '<':
            (void)mt_buf_append_str(out, "&lt;");
            break;
        case '>':
            (void)mt_buf_append_str(out, "&gt;");
            break;
        case '&':
            (void)mt_buf_append_str(out, "&amp;");
            break;
        case '"':
            (void)mt_buf_append_str(out, "&quot;");
            break;
        case '\n':
            (void)mt_buf_append_str(out, "<br>");
            break;
        case '\0':
            (void)mt_buf_append_str(out, "\xEF\xBF\xBD");
            break;
        default:
            (void)mt_buf_append_char(out, s[i]);
            break;
        }
    }
}

static void put(struct mt_buf *out, const char *s)
{
    put_text(out, s, strlen(s));
}

static const char *str(const struct mt_message *m, const char *key)
{
    const struct mt_value *v = m->body.type == MT_VALUE_MAP ? mt_value_get(&m->body, key) : NULL;

    return v != NULL && v->type == MT_VALUE_STR && v->len > 0 ? v->s : NULL;
}

/* What it says, or the link to what it carries; addresses of other kinds than the web's are no
 * links. */
static void put_message(struct mt_buf *out, const struct mt_message *m)
{
    const char *url = str(m, "remote_path");
    const char *name = str(m, "filename");
    char at[MT_TIME_RFC3339_LEN];

    mt_time_format(m->time_ms, at);
    (void)mt_buf_append_str(out, "<p><b>");
    put(out, m->from != NULL ? m->from : "");
    (void)mt_buf_append_str(out, "</b> <small>");
    put(out, at);
    (void)mt_buf_append_str(out, "</small><br>");
    if (m->text != NULL)
        put_text(out, m->text, m->text_len);
    else if (url != NULL && (strncmp(url, "https://", 8) == 0 || strncmp(url, "http://", 7) == 0)) {
        (void)mt_buf_append_str(out, "<a href=\"");
        put(out, url);
        (void)mt_buf_append_str(out, "\">");
        put(out, name != NULL ? name : m->kind_name);
        (void)mt_buf_append_str(out, "</a>");
    } else {
        (void)mt_buf_append_char(out, '[');
        put(out, m->kind_name != NULL ? m->kind_name : "");
        (void)mt_buf_append_char(out, ']');
    }
    (void)mt_buf_append_str(out, "</p>\n");
}

enum mt_rc mt_rong_combine(struct mt_provider_account *account,
                           const struct mt_message *const *messages, size_t n, struct mt_buf *out,
                           int *level, struct mt_fault *fault)
{
    (void)account;
    *level = 1;
    if (n == 0 || n > COMBINE_N)
        return mt_fault_set(fault, MT_ERR_LIMIT, "combine.too_many",
                            "a combined message holds 1 to %d messages, not %zu", COMBINE_N, n);
    (void)mt_buf_append_str(out,
                            MT_RONG_HTML "<html><head><meta charset=\"utf-8\">"
                                         "<meta name=\"viewport\" content=\"width=device-width\">"
                                         "<title></title></head><body>\n");
    for (size_t i = 0; i < n; i++)
        put_message(out, messages[i]);
    (void)mt_buf_append_str(out, "</body></html>\n");
    return out->failed == MT_OK
               ? MT_OK
               : mt_fault_set(fault, out->failed, "send.too_long", "the messages are too long");
}

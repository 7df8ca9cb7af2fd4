/* The frame of a file in a multipart/form-data body. */
#include "base/buf.h"
#include "base/rand.h"
#include "codec/hash.h"
#include "http/http.h"

#include <stdio.h>
#include <string.h>

/* As the HTML standard has it: a quote or a line end would end the parameter. */
static void put_quoted(struct mt_buf *out, const char *s)
{
    (void)mt_buf_append_char(out, '"');
    for (; *s != '\0'; s++) {
        switch (*s) {
        case '"':
            (void)mt_buf_append_str(out, "%22");
            break;
        case '\r':
            (void)mt_buf_append_str(out, "%0D");
            break;
        case '\n':
            (void)mt_buf_append_str(out, "%0A");
            break;
        default:
            (void)mt_buf_append_char(out, *s);
            break;
        }
    }
    (void)mt_buf_append_char(out, '"');
}

static void begin_part(struct mt_buf *out, const char *boundary, const char *name)
{
    (void)mt_buf_appendf(out, "--%s\r\nContent-Disposition: form-data; name=", boundary);
    put_quoted(out, name);
}

static void put_fields(struct mt_buf *out, const char *boundary, const char *const *fields)
{
    for (; fields && fields[0]; fields += 2) {
        begin_part(out, boundary, fields[0]);
        (void)mt_buf_appendf(out, "\r\n\r\n%s\r\n", fields[1]);
    }
}

enum mt_rc mt_http_form_behind(struct mt_buf *head, struct mt_buf *tail,
                               char content_type[MT_HTTP_FORM_TYPE_MAX], const char *const *before,
                               const char *name, const char *filename, const char *type,
                               const char *const *fields)
{
    uint8_t random[16];
    char boundary[64] = "moontide-";
    mt_rand_bytes(random, sizeof random);
    mt_hex(random, sizeof random, boundary + strlen(boundary));
    (void)snprintf(content_type, MT_HTTP_FORM_TYPE_MAX, "multipart/form-data; boundary=%s",
                   boundary);
    put_fields(head, boundary, before);
    begin_part(head, boundary, name);
    (void)mt_buf_append_str(head, "; filename=");
    put_quoted(head, filename);
    (void)mt_buf_appendf(head, "\r\nContent-Type: %s\r\n\r\n",
                         type ? type : "application/octet-stream");
    (void)mt_buf_append_str(tail, "\r\n");
    put_fields(tail, boundary, fields);
    (void)mt_buf_appendf(tail, "--%s--\r\n", boundary);
    return head->failed != MT_OK ? head->failed : tail->failed;
}

enum mt_rc mt_http_form(struct mt_buf *head, struct mt_buf *tail,
                        char content_type[MT_HTTP_FORM_TYPE_MAX], const char *name,
                        const char *filename, const char *type, const char *const *fields)
{
    return mt_http_form_behind(head, tail, content_type, NULL, name, filename, type, fields);
}

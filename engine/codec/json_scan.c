/* The strict scan: RFC 8259's grammar, nothing more, in one pass. After it cJSON can fail only for
 * want of memory, so it never meets hostile text, and what it would round or cut has been
 * rewritten. Long strings (base64 pages) are passed at the speed of memchr. */
#include "codec/json.h"
#include "codec/json_int.h"

#include <string.h>

/* A literal of this many digits may not fit a double. */
#define LONG_DIGITS 16
/* cJSON copies a literal into 64 bytes. */
#define MAX_LITERAL 60

struct scanner {
    const unsigned char *text;
    const unsigned char *at;
    const unsigned char *end;
    const unsigned char *copied; /* of the text, into out */
    struct mt_buf *out;
    size_t values_n;
    unsigned depth;
};

static enum mt_rc scan_value(struct scanner *s);

/* Replaces the text between from and to. */
static enum mt_rc edit(struct scanner *s, const unsigned char *from, const unsigned char *to,
                       const char *with, size_t len)
{
    mt_buf_append(s->out, s->copied, (size_t)(from - s->copied));
    s->copied = to;
    return mt_buf_append(s->out, with, len);
}

static void skip_space(struct scanner *s)
{
    while (s->at < s->end &&
           (*s->at == ' ' || *s->at == '\n' || *s->at == '\r' || *s->at == '\t')) {
        s->at++;
    }
}

static bool is_digit(const struct scanner *s)
{
    return s->at < s->end && *s->at >= '0' && *s->at <= '9';
}

static size_t skip_digits(struct scanner *s)
{
    const unsigned char *from = s->at;
    while (is_digit(s)) {
        s->at++;
    }
    return (size_t)(s->at - from);
}

static enum mt_rc scan_number(struct scanner *s)
{
    const unsigned char *from = s->at;
    bool is_integer = true;
    s->at += *s->at == '-';
    bool zero = s->at < s->end && *s->at == '0';
    size_t digits = skip_digits(s);
    if (digits == 0 || (zero && digits > 1)) {
        return MT_ERR_PROTOCOL;
    }
    if (s->at < s->end && *s->at == '.') {
        s->at++;
        is_integer = false;
        if (skip_digits(s) == 0) {
            return MT_ERR_PROTOCOL;
        }
    }
    if (s->at < s->end && (*s->at == 'e' || *s->at == 'E')) {
        s->at++;
        is_integer = false;
        s->at += s->at < s->end && (*s->at == '+' || *s->at == '-');
        if (skip_digits(s) == 0) {
            return MT_ERR_PROTOCOL;
        }
    }
    if (is_integer && digits >= LONG_DIGITS) {
        const char open[] = {'"', MT_JSON_MARK};
        edit(s, from, from, open, sizeof open);
        return edit(s, s->at, s->at, "\"",
                    1); /* the digits themselves are copied between the two */
    }
    return s->at - from <= MAX_LITERAL ? MT_OK : MT_ERR_LIMIT;
}

/* The four hex digits after \u; -1 if they are not there before end. */
static int hex4(const unsigned char *p, const unsigned char *end)
{
    int v = 0;
    if (end - p < 4) {
        return -1;
    }
    for (int i = 0; i < 4; i++) {
        int c = p[i];
        if (c >= '0' && c <= '9') {
            c -= '0';
        } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
            c = (c | 0x20) - 'a' + 10;
        } else {
            return -1;
        }
        v = v << 4 | c;
    }
    return v;
}

/* One \uXXXX, or two that make a pair, at p. Returns what follows; NULL if it is none. */
static const unsigned char *scan_unicode(struct scanner *s, const unsigned char *p,
                                         const unsigned char *end)
{
    int c = hex4(p + 2, end);
    if (c < 0) {
        return NULL;
    }
    if (c >= 0xD800 && c < 0xDC00 && end - p >= 12 && p[6] == '\\' && p[7] == 'u') {
        int low = hex4(p + 8, end);
        if (low >= 0xDC00 && low < 0xE000) {
            return p + 12;
        }
    }
    if (c == 0 || (c >= 0xD800 && c < 0xE000)) {
        edit(s, p, p + 6, "\\ufffd", 6);
    }
    return p + 6;
}

/* The escapes between from and end, the closing quote. */
static enum mt_rc scan_escapes(struct scanner *s, const unsigned char *from,
                               const unsigned char *end)
{
    if (end - from >= 6 && memcmp(from, "\\u0001", 6) == 0) {
        const char mark = MT_JSON_MARK;
        edit(s, from, from, &mark, 1);
    }
    const unsigned char *p = from;
    while ((p = memchr(p, '\\', (size_t)(end - p)))) {
        switch (p[1]) { /* at worst the closing quote, and that was found not to be escaped */
        case '"':
        case '\\':
        case '/':
        case 'b':
        case 'f':
        case 'n':
        case 'r':
        case 't':
            p += 2;
            break;
        case 'u': {
            const unsigned char *after = scan_unicode(s, p, end);
            if (!after) {
                s->at = p;
                return MT_ERR_PROTOCOL;
            }
            p = after;
            break;
        }
        default:
            s->at = p;
            return MT_ERR_PROTOCOL;
        }
    }
    return s->out->failed;
}

/* The closing quote of a string whose body begins at from; NULL if there is none. */
static const unsigned char *find_quote(const unsigned char *from, const unsigned char *end)
{
    const unsigned char *p = from;
    while ((p = memchr(p, '"', (size_t)(end - p)))) {
        size_t slashes = 0;
        while (p - slashes > from && p[-1 - (ptrdiff_t)slashes] == '\\') {
            slashes++;
        }
        if (slashes % 2 == 0) {
            return p;
        }
        p++;
    }
    return NULL;
}

static enum mt_rc scan_string(struct scanner *s)
{
    const unsigned char *from = s->at + 1;
    const unsigned char *quote = find_quote(from, s->end);
    if (!quote) {
        return MT_ERR_PROTOCOL;
    }
    unsigned control = 0;
    unsigned escape = 0;
    for (const unsigned char *p = from; p < quote;
         p++) { /* without a branch, so that it is vectorised */
        control |= *p < 0x20;
        escape |= *p == '\\';
    }
    if (control) {
        return MT_ERR_PROTOCOL;
    }
    if (escape) {
        enum mt_rc rc = scan_escapes(s, from, quote);
        if (rc != MT_OK) {
            return rc;
        }
    }
    s->at = quote + 1;
    return MT_OK;
}

static enum mt_rc scan_word(struct scanner *s, const char *word, size_t len)
{
    if ((size_t)(s->end - s->at) < len || memcmp(s->at, word, len) != 0) {
        return MT_ERR_PROTOCOL;
    }
    s->at += len;
    return MT_OK;
}

static enum mt_rc scan_key(struct scanner *s)
{
    if (s->at >= s->end || *s->at != '"') {
        return MT_ERR_PROTOCOL;
    }
    enum mt_rc rc = scan_string(s);
    if (rc != MT_OK) {
        return rc;
    }
    skip_space(s);
    if (s->at >= s->end || *s->at != ':') {
        return MT_ERR_PROTOCOL;
    }
    s->at++;
    return MT_OK;
}

/* An array or object; close is the character that ends it. */
static enum mt_rc scan_nest(struct scanner *s, unsigned char close)
{
    if (++s->depth > MT_JSON_MAX_DEPTH) {
        return MT_ERR_LIMIT;
    }
    s->at++;
    skip_space(s);
    if (s->at < s->end && *s->at == close) {
        s->at++;
        s->depth--;
        return MT_OK;
    }
    for (;;) {
        enum mt_rc rc = close == '}' ? scan_key(s) : MT_OK;
        if (rc == MT_OK) {
            rc = scan_value(s);
        }
        if (rc != MT_OK) {
            return rc;
        }
        skip_space(s);
        if (s->at >= s->end || (*s->at != ',' && *s->at != close)) {
            return MT_ERR_PROTOCOL;
        }
        if (*s->at++ == close) {
            s->depth--;
            return MT_OK;
        }
        skip_space(s);
    }
}

static enum mt_rc scan_value(struct scanner *s)
{
    skip_space(s);
    if (s->at >= s->end) {
        return MT_ERR_PROTOCOL;
    }
    if (++s->values_n > MT_JSON_MAX_VALUES) {
        return MT_ERR_LIMIT;
    }
    switch (*s->at) {
    case '"':
        return scan_string(s);
    case '{':
        return scan_nest(s, '}');
    case '[':
        return scan_nest(s, ']');
    case 't':
        return scan_word(s, "true", 4);
    case 'f':
        return scan_word(s, "false", 5);
    case 'n':
        return scan_word(s, "null", 4);
    default:
        return *s->at == '-' || is_digit(s) ? scan_number(s) : MT_ERR_PROTOCOL;
    }
}

enum mt_rc mt_json_scan(const char *text, size_t len, struct mt_json_scan *scan)
{
    const unsigned char *from = (const unsigned char *)text;
    struct scanner s = {
        .text = from, .at = from, .end = from + len, .copied = from, .out = scan->out};
    enum mt_rc rc = scan_value(&s);
    if (rc == MT_OK) {
        skip_space(&s);
        rc = s.at == s.end ? MT_OK : MT_ERR_PROTOCOL;
    }
    scan->edited = s.copied > from || s.out->len > 0;
    if (rc == MT_OK && scan->edited) {
        rc = mt_buf_append(s.out, s.copied, (size_t)(s.end - s.copied));
    }
    if (rc == MT_OK) {
        rc = s.out->failed;
    }
    scan->error_offset = (size_t)(s.at - from);
    return rc;
}

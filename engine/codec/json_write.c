/* Writing JSON: strings, doubles, the placing of commas, and a parsed node as text again. */
#include "base/str.h"
#include "codec/json.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a byte needs: nothing, an escape, or a look at the UTF-8 sequence that it begins. */
enum { PLAIN, ESCAPE, SEQUENCE };

static unsigned class_of(unsigned char c)
{
    static const unsigned char ascii[128] = {
        1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, /* control characters */
        1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, ['"'] = 1, ['\\'] = 1,
    };
    return c < 128 ? ascii[c] : SEQUENCE;
}

static void write_escape(struct mt_buf *out, unsigned char c)
{
    static const char from[] = "\"\\\b\f\n\r\t";
    static const char to[] = "\"\\bfnrt";
    const char *known = memchr(from, c, sizeof from - 1);
    if (known) {
        const char text[2] = {'\\', to[known - from]};
        mt_buf_append(out, text, sizeof text);
    } else {
        static const char hex[] = "0123456789abcdef";
        const char text[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
        mt_buf_append(out, text, sizeof text);
    }
}

enum mt_rc mt_json_write_str(struct mt_buf *out, const char *s, size_t len)
{
    mt_buf_append_char(out, '"');
    size_t run = 0; /* where the bytes begin that are copied as they are */
    size_t at = 0;
    while (at < len) {
        unsigned char c = (unsigned char)s[at];
        unsigned class = class_of(c);
        size_t step = class == PLAIN ? 1 : 0;
        if (class == SEQUENCE) {
            step = mt_str_utf8_step(s + at, len - at);
        }
        if (step > 0) {
            at += step;
            continue;
        }
        mt_buf_append(out, s + run, at - run);
        if (class == ESCAPE) {
            write_escape(out, c);
        } else {
            mt_buf_append(out, "\xEF\xBF\xBD",
                          3); /* U+FFFD, one for each byte that belongs nowhere */
        }
        run = ++at;
    }
    mt_buf_append(out, s + run, len - run);
    return mt_buf_append_char(out, '"');
}

enum mt_rc mt_json_write_double(struct mt_buf *out, double v)
{
    if (!isfinite(v)) {
        return mt_buf_append(out, "null", 4);
    }
    if (fabs(v) < 1e15 && trunc(v) == v && !(v == 0 && signbit(v))) {
        return mt_buf_append_i64(out, (int64_t)v);
    }
    char text[40] = "";
    /* 15 digits always survive text → double → text, except among the denormal numbers */
    for (int digits = fabs(v) < DBL_MIN ? 1 : 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtod(text, NULL) == v) {
            break;
        }
    }
    return mt_buf_append_str(out, text);
}

static void print_node(const struct mt_json *node, struct mt_buf *out)
{
    const char *s = mt_json_str(node);
    enum mt_json_type type = mt_json_type(node);
    bool first = true;
    switch (type) {
    case MT_JSON_NULL:
        mt_buf_append(out, "null", 4);
        break;
    case MT_JSON_BOOL:
        mt_buf_append_str(out, mt_json_bool(node, false) ? "true" : "false");
        break;
    case MT_JSON_NUMBER:
        if (mt_json_is_long(node)) {
            mt_buf_append_str(out, s);
        } else {
            mt_json_write_double(out, mt_json_double(node, 0));
        }
        break;
    case MT_JSON_STRING:
        mt_json_write_str(out, s, strlen(s));
        break;
    case MT_JSON_ARRAY:
    case MT_JSON_OBJECT:
        mt_buf_append_char(out, type == MT_JSON_ARRAY ? '[' : '{');
        for (const struct mt_json *c = mt_json_child(node); c; c = mt_json_next(c)) {
            if (!first) {
                mt_buf_append_char(out, ',');
            }
            first = false;
            if (type == MT_JSON_OBJECT) {
                mt_json_write_str(out, mt_json_key(c), strlen(mt_json_key(c)));
                mt_buf_append_char(out, ':');
            }
            print_node(c, out); /* the parser capped the depth */
        }
        mt_buf_append_char(out, type == MT_JSON_ARRAY ? ']' : '}');
        break;
    }
}

enum mt_rc mt_json_print(const struct mt_json *node, struct mt_buf *out)
{
    print_node(node, out);
    return out->failed;
}

void mt_jsonw_init(struct mt_jsonw *w, struct mt_buf *out)
{
    *w = (struct mt_jsonw){.out = out};
}

/* The comma in front of a value or key, if one is due. */
static void separate(struct mt_jsonw *w)
{
    if (w->after_key) {
        w->after_key = false;
        return;
    }
    uint64_t bit = (uint64_t)1 << (w->depth % MT_JSON_MAX_DEPTH);
    if (w->comma & bit) {
        mt_buf_append_char(w->out, ',');
    }
    w->comma |= bit;
}

static void open_level(struct mt_jsonw *w, char c)
{
    separate(w);
    if (w->depth + 1 >= MT_JSON_MAX_DEPTH) {
        mt_buf_deinit(w->out);
        w->out->failed = MT_ERR_LIMIT;
    }
    mt_buf_append_char(w->out, c);
    w->depth++;
    w->comma &= ~((uint64_t)1 << (w->depth % MT_JSON_MAX_DEPTH));
}

static void close_level(struct mt_jsonw *w, char c)
{
    mt_buf_append_char(w->out, c);
    w->depth -= w->depth > 0;
}

void mt_jsonw_object(struct mt_jsonw *w)
{
    open_level(w, '{');
}

void mt_jsonw_object_end(struct mt_jsonw *w)
{
    close_level(w, '}');
}

void mt_jsonw_array(struct mt_jsonw *w)
{
    open_level(w, '[');
}

void mt_jsonw_array_end(struct mt_jsonw *w)
{
    close_level(w, ']');
}

void mt_jsonw_key(struct mt_jsonw *w, const char *key)
{
    separate(w);
    mt_json_write_str(w->out, key, strlen(key));
    mt_buf_append_char(w->out, ':');
    w->after_key = true;
}

void mt_jsonw_str(struct mt_jsonw *w, const char *s)
{
    if (s) {
        mt_jsonw_strn(w, s, strlen(s));
    } else {
        mt_jsonw_null(w);
    }
}

void mt_jsonw_strn(struct mt_jsonw *w, const char *s, size_t len)
{
    separate(w);
    mt_json_write_str(w->out, s, len);
}

void mt_jsonw_i64(struct mt_jsonw *w, int64_t v)
{
    separate(w);
    mt_buf_append_i64(w->out, v);
}

void mt_jsonw_u64(struct mt_jsonw *w, uint64_t v)
{
    separate(w);
    mt_buf_append_u64(w->out, v);
}

void mt_jsonw_u64_str(struct mt_jsonw *w, uint64_t v)
{
    separate(w);
    mt_buf_append_char(w->out, '"');
    mt_buf_append_u64(w->out, v);
    mt_buf_append_char(w->out, '"');
}

void mt_jsonw_double(struct mt_jsonw *w, double v)
{
    separate(w);
    mt_json_write_double(w->out, v);
}

void mt_jsonw_bool(struct mt_jsonw *w, bool v)
{
    separate(w);
    mt_buf_append_str(w->out, v ? "true" : "false");
}

void mt_jsonw_null(struct mt_jsonw *w)
{
    separate(w);
    mt_buf_append(w->out, "null", 4);
}

void mt_jsonw_raw(struct mt_jsonw *w, const char *json, size_t len)
{
    separate(w);
    mt_buf_append(w->out, json, len);
}

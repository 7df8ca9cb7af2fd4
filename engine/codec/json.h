/* JSON: the one user of cJSON. Reading is capped (size, depth 64) and never rounds: an integer
 * literal of 16 or more digits is kept as text, so a 64-bit id survives whether the cloud sent a
 * string or a number. */
#ifndef MT_CODEC_JSON_H
#define MT_CODEC_JSON_H

#include "base/buf.h"
#include "base/rc.h"

#include <stddef.h>
#include <stdint.h>

struct mt_json; /* a node; only the root that mt_json_parse gave is freed */

#define MT_JSON_MAX_DEPTH 64

enum mt_json_type {
    MT_JSON_NULL,
    MT_JSON_BOOL,
    MT_JSON_NUMBER,
    MT_JSON_STRING,
    MT_JSON_ARRAY,
    MT_JSON_OBJECT
};

/* Parses exactly one value with nothing but white space around it, by the letter of RFC 8259. What
 * a C string cannot hold or UTF-8 cannot say (\u0000, half a surrogate pair) becomes U+FFFD.
 * Faults: PROTOCOL "json.syntax", LIMIT "json.too_deep" (also: more than 500,000 values, a fraction
 * of more than 60 digits) / "json.too_large". */
enum mt_rc mt_json_parse(const char *text, size_t len, size_t max_bytes, struct mt_json **out,
                         struct mt_fault *fault) MT_CHECKED;
void mt_json_free(struct mt_json *root);

/* Accessors accept NULL and answer "absent", so that paths can be followed without a check at each
 * step. */
enum mt_json_type mt_json_type(const struct mt_json *node); /* NULL node: MT_JSON_NULL */
const struct mt_json *
mt_json_get(const struct mt_json *object,
            const char *key); /* case-sensitive; the last of equal keys; NULL if absent */
const struct mt_json *mt_json_child(const struct mt_json *node); /* first element or member */
const struct mt_json *mt_json_next(const struct mt_json *node);  /* its next sibling */
const char *mt_json_key(const struct mt_json *member);
size_t mt_json_count(const struct mt_json *node);
const char *
mt_json_str(const struct mt_json *node); /* NULL unless a string (or a long integer kept as text) */
bool mt_json_bool(const struct mt_json *node, bool absent);
double mt_json_double(const struct mt_json *node, double absent);
/* From a number or a decimal string, exact; absent when missing, out of range or not an integer. */
int64_t mt_json_i64(const struct mt_json *node, int64_t absent);
bool mt_json_u64(const struct mt_json *node, uint64_t *out);
/* True for an integer literal that was kept as text because a double would have rounded it. */
bool mt_json_is_long(const struct mt_json *node);
/* Appends the node as compact JSON; long integers come out as the number that they were. */
enum mt_rc mt_json_print(const struct mt_json *node, struct mt_buf *out);

/* Writing: a string with quotes, escaped as RFC 8259 asks; invalid UTF-8 becomes U+FFFD; '/' is not
 * escaped. */
enum mt_rc mt_json_write_str(struct mt_buf *out, const char *s, size_t len);
/* A double, shortest form that reads back equal; NaN and infinities become null. */
enum mt_rc mt_json_write_double(struct mt_buf *out, double v);

/* A small writer that places commas and quotes. Depth is capped; errors stay in the buffer. */
struct mt_jsonw {
    struct mt_buf *out;
    unsigned depth;
    uint64_t comma; /* one bit a level: a value was written */
    bool after_key;
};
void mt_jsonw_init(struct mt_jsonw *w, struct mt_buf *out);
void mt_jsonw_object(struct mt_jsonw *w);
void mt_jsonw_object_end(struct mt_jsonw *w);
void mt_jsonw_array(struct mt_jsonw *w);
void mt_jsonw_array_end(struct mt_jsonw *w);
void mt_jsonw_key(struct mt_jsonw *w, const char *key);
void mt_jsonw_str(struct mt_jsonw *w, const char *s); /* NULL writes null */
void mt_jsonw_strn(struct mt_jsonw *w, const char *s, size_t len);
void mt_jsonw_i64(struct mt_jsonw *w, int64_t v);
void mt_jsonw_u64(struct mt_jsonw *w, uint64_t v);
void mt_jsonw_u64_str(struct mt_jsonw *w, uint64_t v); /* as a decimal string: ids */
void mt_jsonw_double(struct mt_jsonw *w, double v);
void mt_jsonw_bool(struct mt_jsonw *w, bool v);
void mt_jsonw_null(struct mt_jsonw *w);
void mt_jsonw_raw(struct mt_jsonw *w, const char *json, size_t len); /* a complete value, trusted */

#endif

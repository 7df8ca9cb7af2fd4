/* Reading JSON: the one user of cJSON. A struct mt_json is a cJSON node under a name of our own; a
 * long integer is a node of type cJSON_Raw, whose text cJSON keeps and never converts. */
#include "codec/json.h"

#include "base/mem.h"
#include "base/str.h"
#include "codec/json_int.h"

#include <cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Doubles hold every integer up to here. */
#define EXACT_MAX 9007199254740992.0

/* Before main, and so before any thread: cJSON's hooks are plain globals. */
__attribute__((constructor)) static void use_memory_seam(void)
{
    cJSON_Hooks hooks = {.malloc_fn = mt_mem_alloc, .free_fn = mt_mem_free};
    cJSON_InitHooks(&hooks);
}

static const cJSON *node_of(const struct mt_json *node)
{
    return (const cJSON *)node;
}

static const struct mt_json *json_of(const cJSON *node)
{
    return (const struct mt_json *)node;
}

static int type_of(const cJSON *node)
{
    return node->type & 0xFF;
}

static void drop_mark(char *s)
{
    memmove(s, s + 1, strlen(s)); /* with the NUL */
}

/* Turns marked strings back into what the text said; see json_int.h. Depth is capped by the scan.
 */
static void undo_marks(cJSON *node)
{
    for (; node; node = node->next) {
        if (node->string && node->string[0] == MT_JSON_MARK) {
            drop_mark(node->string);
        }
        if (type_of(node) == cJSON_String && node->valuestring[0] == MT_JSON_MARK) {
            drop_mark(node->valuestring);
            if (node->valuestring[0] != MT_JSON_MARK) {
                node->type = cJSON_Raw;
            }
        }
        if (node->child) {
            undo_marks(node->child);
        }
    }
}

static enum mt_rc explain(enum mt_rc rc, size_t offset, struct mt_fault *fault)
{
    if (rc == MT_ERR_PROTOCOL) {
        return mt_fault_set(fault, rc, "json.syntax", "not valid JSON at byte %zu", offset);
    }
    if (rc == MT_ERR_LIMIT) {
        return mt_fault_set(fault, rc, "json.too_deep",
                            "JSON nested deeper than %d levels, of more than %d values, or with a "
                            "number too long, at byte %zu",
                            MT_JSON_MAX_DEPTH, MT_JSON_MAX_VALUES, offset);
    }
    return mt_fault_set(fault, MT_ERR_NOMEM, "json.nomem", "not enough memory to read JSON");
}

enum mt_rc mt_json_parse(const char *text, size_t len, size_t max_bytes, struct mt_json **out,
                         struct mt_fault *fault)
{
    *out = NULL;
    if (len > max_bytes) {
        return mt_fault_set(fault, MT_ERR_LIMIT, "json.too_large",
                            "JSON of %zu bytes is larger than the limit of %zu", len, max_bytes);
    }
    struct mt_buf rewritten;
    mt_buf_init(&rewritten, SIZE_MAX / 2);
    struct mt_json_scan scan = {.out = &rewritten};
    if (!len)
        text = ""; /* nothing at all may come as NULL */
    enum mt_rc rc = mt_json_scan(text, len, &scan);
    if (rc == MT_OK) {
        cJSON *root = scan.edited ? cJSON_ParseWithLength(rewritten.data, rewritten.len)
                                  : cJSON_ParseWithLength(text, len);
        if (root && scan.edited) {
            undo_marks(root);
        }
        *out = (struct mt_json *)root;
        rc = root ? MT_OK : MT_ERR_NOMEM; /* the scan let nothing else pass */
    }
    mt_buf_deinit(&rewritten);
    return rc == MT_OK ? MT_OK : explain(rc, scan.error_offset, fault);
}

void mt_json_free(struct mt_json *root)
{
    cJSON_Delete((cJSON *)root);
}

enum mt_json_type mt_json_type(const struct mt_json *node)
{
    const cJSON *n = node_of(node);
    switch (n ? type_of(n) : cJSON_NULL) {
    case cJSON_False:
    case cJSON_True:
        return MT_JSON_BOOL;
    case cJSON_Number:
    case cJSON_Raw:
        return MT_JSON_NUMBER;
    case cJSON_String:
        return MT_JSON_STRING;
    case cJSON_Array:
        return MT_JSON_ARRAY;
    case cJSON_Object:
        return MT_JSON_OBJECT;
    default:
        return MT_JSON_NULL;
    }
}

const struct mt_json *mt_json_get(const struct mt_json *object, const char *key)
{
    const cJSON *n = node_of(object);
    const cJSON *found = NULL;
    if (!n || type_of(n) != cJSON_Object) {
        return NULL;
    }
    for (const cJSON *child = n->child; child; child = child->next) {
        if (strcmp(child->string, key) == 0) {
            found = child; /* the last one counts, as it does for the clouds' own SDKs */
        }
    }
    return json_of(found);
}

const struct mt_json *mt_json_child(const struct mt_json *node)
{
    return node ? json_of(node_of(node)->child) : NULL;
}

const struct mt_json *mt_json_next(const struct mt_json *node)
{
    return node ? json_of(node_of(node)->next) : NULL;
}

const char *mt_json_key(const struct mt_json *member)
{
    return member ? node_of(member)->string : NULL;
}

size_t mt_json_count(const struct mt_json *node)
{
    size_t n = 0;
    for (const struct mt_json *child = mt_json_child(node); child; child = mt_json_next(child)) {
        n++;
    }
    return n;
}

const char *mt_json_str(const struct mt_json *node)
{
    const cJSON *n = node_of(node);
    return n && (type_of(n) == cJSON_String || type_of(n) == cJSON_Raw) ? n->valuestring : NULL;
}

bool mt_json_bool(const struct mt_json *node, bool absent)
{
    return mt_json_type(node) == MT_JSON_BOOL ? type_of(node_of(node)) == cJSON_True : absent;
}

double mt_json_double(const struct mt_json *node, double absent)
{
    if (mt_json_type(node) != MT_JSON_NUMBER) {
        return absent;
    }
    return mt_json_is_long(node) ? strtod(mt_json_str(node), NULL) : node_of(node)->valuedouble;
}

/* An integer that a double holds without doubt. */
static bool exact_integer(double d)
{
    return d >= -EXACT_MAX && d <= EXACT_MAX && trunc(d) == d;
}

int64_t mt_json_i64(const struct mt_json *node, int64_t absent)
{
    const char *s = mt_json_str(node);
    int64_t n = 0;
    if (s) {
        return mt_str_i64(s, &n) ? n : absent;
    }
    if (mt_json_type(node) != MT_JSON_NUMBER || !exact_integer(node_of(node)->valuedouble)) {
        return absent;
    }
    return (int64_t)node_of(node)->valuedouble;
}

bool mt_json_u64(const struct mt_json *node, uint64_t *out)
{
    const char *s = mt_json_str(node);
    if (s) {
        return mt_str_u64(s, out);
    }
    if (mt_json_type(node) != MT_JSON_NUMBER || !exact_integer(node_of(node)->valuedouble) ||
        node_of(node)->valuedouble < 0) {
        return false;
    }
    *out = (uint64_t)node_of(node)->valuedouble;
    return true;
}

bool mt_json_is_long(const struct mt_json *node)
{
    return node && type_of(node_of(node)) == cJSON_Raw;
}

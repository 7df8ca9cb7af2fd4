/* The lines of the audit: how a record is written, and how one line is proved to follow another.
 * seq and prev stand first in each, so that the chain can be followed without reading JSON. */
#include "policy/audit_int.h"

#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define READ_BYTES ((size_t)256 << 10)

void mt_au_path(const char *dir, const char *name, char out[MT_AU_PATH_MAX])
{
    snprintf(out, MT_AU_PATH_MAX, "%s/%s", dir, name);
}

void mt_au_segment_path(const char *dir, uint32_t segment, char out[MT_AU_PATH_MAX])
{
    snprintf(out, MT_AU_PATH_MAX, "%s/%06u.jsonl", dir, (unsigned)segment);
}

enum mt_rc mt_au_damaged(struct mt_fault *fault, uint64_t seq, const char *why)
{
    return mt_fault_set(fault, MT_ERR_DAMAGED, "audit.damaged",
                        "the audit is damaged at record %llu: %s. Nothing is deleted or sent "
                        "until somebody has looked at it: moontide audit --verify",
                        (unsigned long long)seq, why);
}

enum mt_rc mt_au_nomem(struct mt_fault *fault)
{
    return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
}

void mt_au_none(struct mt_au_place *place)
{
    memset(place, 0, sizeof *place);
    place->segment = 1;
    memset(place->sha256, '0', MT_SHA256_HEX - 1);
}

/* ---------------------------------------------------------------- writing */

static void put_str(struct mt_jsonw *w, const char *key, const char *value)
{
    if (!value)
        return;
    mt_jsonw_key(w, key);
    mt_jsonw_str(w, value);
}

/* Printed anew: what stands in it must not end the line. */
static enum mt_rc put_detail(struct mt_jsonw *w, const char *detail, struct mt_fault *fault)
{
    struct mt_json *json = NULL;
    enum mt_rc rc = mt_json_parse(detail, strlen(detail), MT_AU_LINE_MAX, &json, NULL);

    if (!rc && mt_json_type(json) != MT_JSON_OBJECT)
        rc = MT_ERR_PROTOCOL;
    if (!rc) {
        struct mt_buf text;
        mt_buf_init(&text, MT_AU_LINE_MAX);
        rc = mt_json_print(json, &text);
        mt_jsonw_key(w, "detail");
        if (!rc)
            mt_jsonw_raw(w, text.data, text.len);
        mt_buf_deinit(&text);
    }
    mt_json_free(json);
    if (rc == MT_ERR_NOMEM)
        return mt_au_nomem(fault);
    return rc ? mt_fault_set(fault, MT_ERR_INVALID, "audit.detail",
                             "the detail of an audit record must be a JSON object")
              : MT_OK;
}

static const char *type_name(enum mt_audit_type type)
{
    return type == MT_AUDIT_INTENT ? "intent" : type == MT_AUDIT_RESULT ? "result" : "note";
}

static void put_ids(struct mt_jsonw *w, const struct mt_audit_record *record)
{
    mt_jsonw_key(w, "ids");
    mt_jsonw_array(w);
    for (size_t i = 0; i < record->ids_n; i++)
        mt_jsonw_str(w, record->ids[i]);
    mt_jsonw_array_end(w);
}

enum mt_rc mt_au_write(struct mt_buf *out, const struct mt_audit_record *record,
                       const struct mt_au_place *before, int64_t at_ms, uint64_t batch_at,
                       uint64_t batch_n, struct mt_fault *fault)
{
    size_t start = out->len;
    struct mt_jsonw w;
    enum mt_rc rc = MT_OK;

    mt_jsonw_init(&w, out);
    mt_jsonw_object(&w);
    mt_jsonw_key(&w, "seq");
    mt_jsonw_u64(&w, before->seq + 1);
    put_str(&w, "prev", before->sha256);
    mt_jsonw_key(&w, "at");
    mt_jsonw_i64(&w, at_ms);
    if (batch_n > 1) {
        mt_jsonw_key(&w, "batch");
        mt_jsonw_array(&w);
        mt_jsonw_u64(&w, batch_at);
        mt_jsonw_u64(&w, batch_n);
        mt_jsonw_array_end(&w);
    }
    put_str(&w, "type", type_name(record->type));
    if (record->type == MT_AUDIT_RESULT) {
        mt_jsonw_key(&w, "intent");
        mt_jsonw_u64(&w, record->intent);
    }
    put_str(&w, "account", record->account);
    put_str(&w, "user", record->user);
    put_str(&w, "actor", record->actor);
    put_str(&w, "verb", record->verb);
    put_str(&w, "conversation", record->conversation);
    if (record->ids_n)
        put_ids(&w, record);
    put_str(&w, "why", record->why);
    put_str(&w, "outcome", record->outcome);
    put_str(&w, "code", record->code);
    if (record->detail)
        rc = put_detail(&w, record->detail, fault);
    mt_jsonw_object_end(&w);
    (void)mt_buf_append_char(out, '\n');
    if (rc)
        return rc;
    if (out->failed == MT_ERR_NOMEM)
        return mt_au_nomem(fault);
    if (out->failed || out->len - start > MT_AU_LINE_MAX)
        return mt_fault_set(fault, MT_ERR_LIMIT, "audit.too_long",
                            "an audit record is too long: name fewer messages at once");
    return MT_OK;
}

/* ---------------------------------------------------------------- reading one */

static bool skip(const char **at, const char *end, const char *what)
{
    size_t len = strlen(what);

    if ((size_t)(end - *at) < len || memcmp(*at, what, len) != 0)
        return false;
    *at += len;
    return true;
}

static bool read_hex(const char **at, const char *end, char out[MT_SHA256_HEX])
{
    const size_t chars = MT_SHA256_HEX - 1;

    if ((size_t)(end - *at) < chars)
        return false;
    memcpy(out, *at, chars);
    out[chars] = '\0';
    *at += chars;
    return strspn(out, "0123456789abcdef") == chars;
}

static bool read_u64(const char **at, const char *end, uint64_t *out)
{
    char digits[24];
    size_t n = 0;

    while (*at < end && **at >= '0' && **at <= '9' && n + 1 < sizeof digits)
        digits[n++] = *(*at)++;
    digits[n] = '\0';
    return n > 0 && (n == 1 || digits[0] != '0') && mt_str_u64(digits, out);
}

/* {"seq":N,"prev":"HEX","at": */
bool mt_au_link(const char *line, size_t len, uint64_t *seq, char prev[MT_SHA256_HEX])
{
    const char *at = line;
    const char *end = line + len;

    return skip(&at, end, "{\"seq\":") && read_u64(&at, end, seq) && *seq &&
           skip(&at, end, ",\"prev\":\"") && read_hex(&at, end, prev) &&
           skip(&at, end, "\",\"at\":");
}

static bool read_link(const char *line, size_t len, uint64_t *seq, char prev[MT_SHA256_HEX])
{
    return mt_au_link(line, len, seq, prev) && line[len - 1] == '}';
}

enum mt_rc mt_au_parse(const char *line, size_t len, struct mt_au_line *out)
{
    memset(out, 0, sizeof *out);
    if (len > MT_AU_LINE_MAX || !read_link(line, len, &out->seq, out->prev))
        return MT_ERR_DAMAGED;
    enum mt_rc rc = mt_json_parse(line, len, MT_AU_LINE_MAX, &out->json, NULL);
    if (rc)
        return rc == MT_ERR_NOMEM ? rc : MT_ERR_DAMAGED;
    const struct mt_json *batch = mt_json_child(mt_json_get(out->json, "batch"));
    out->batch_n = 1;
    if (batch &&
        (!mt_json_u64(batch, &out->batch_at) || !mt_json_u64(mt_json_next(batch), &out->batch_n) ||
         out->batch_at >= out->batch_n || out->batch_at >= out->seq)) {
        mt_json_free(out->json);
        out->json = NULL;
        return MT_ERR_DAMAGED;
    }
    return MT_OK;
}

static bool brief_of(const char *line, size_t len, struct mt_au_brief *out)
{
    char prev[MT_SHA256_HEX];
    uint64_t seq = 0;
    uint64_t at_ms = 0;
    const char *at = line;
    const char *end = line + len;

    if (!read_link(line, len, &seq, prev))
        return false;
    at = memmem(line, len, "\"at\":", 5);
    at += 5;
    if (!read_u64(&at, end, &at_ms) || at_ms > INT64_MAX || !skip(&at, end, ","))
        return false;
    out->at_ms = (int64_t)at_ms;
    uint64_t n = 0;
    if (skip(&at, end, "\"batch\":[") && (!read_u64(&at, end, &n) || !skip(&at, end, ",") ||
                                          !read_u64(&at, end, &n) || !skip(&at, end, "],")))
        return false;
    if (skip(&at, end, "\"type\":\"intent\","))
        out->is_intent = true;
    else if (skip(&at, end, "\"type\":\"result\",\"intent\":"))
        out->is_result = read_u64(&at, end, &out->intent);
    else
        return skip(&at, end, "\"type\":\"note\"");
    return out->is_intent || out->is_result;
}

enum mt_rc mt_au_brief_of(const char *line, size_t len, struct mt_au_brief *out)
{
    struct mt_au_line parsed;

    memset(out, 0, sizeof *out);
    if (brief_of(line, len, out))
        return MT_OK;
    memset(out, 0, sizeof *out);
    enum mt_rc rc = mt_au_parse(line, len, &parsed);
    if (rc)
        return rc;
    const char *type = mt_json_str(mt_json_get(parsed.json, "type"));
    out->at_ms = mt_json_i64(mt_json_get(parsed.json, "at"), 0);
    out->is_intent = type && !strcmp(type, "intent");
    out->is_result = type && !strcmp(type, "result");
    (void)mt_json_u64(mt_json_get(parsed.json, "intent"), &out->intent);
    mt_json_free(parsed.json);
    return MT_OK;
}

/* ---------------------------------------------------------------- walking */

struct walk {
    struct mt_au_place *at;
    struct mt_au_file *file;
    mt_au_each_fn *each;
    void *ud;
    struct mt_fault *fault;
    struct mt_sha256 *hash;
};

static void hash_of(struct walk *walk, const char *line, size_t len, char out[MT_SHA256_HEX])
{
    uint8_t sum[MT_SHA256_LEN];

    mt_sha256_reset(walk->hash);
    mt_sha256_update(walk->hash, line, len);
    mt_sha256_peek(walk->hash, sum);
    mt_hex(sum, sizeof sum, out);
}

/* Whether what follows the last good record can be what is left of one append, of which the power
 * cut took some sectors: records of another append among it are somebody's doing. */
static bool is_torn(const struct mt_au_place *at, const char *rest, size_t len)
{
    uint64_t first = 0;

    if (len > MT_AU_APPEND_MAX)
        return false;
    for (size_t i = 0; i < len;) {
        const char *newline = memchr(rest + i, '\n', len - i);
        size_t n = newline ? (size_t)(newline - rest) - i : len - i;
        struct mt_au_line line;
        if (newline && !mt_au_parse(rest + i, n, &line)) {
            uint64_t of = line.seq - line.batch_at;
            mt_json_free(line.json);
            /* the record that should be here is whole, and does not fit; or it is of another append
             */
            if (line.seq <= at->seq + 1 || of > at->seq + 1 || (first && of != first))
                return false;
            first = of;
        }
        i += n + 1;
    }
    return true;
}

static enum mt_rc one(struct walk *walk, const char *line, size_t len, int64_t start)
{
    struct mt_au_place next = *walk->at;
    char prev[MT_SHA256_HEX];
    uint64_t seq = 0;

    if (len >= MT_AU_LINE_MAX || !read_link(line, len, &seq, prev))
        return mt_au_damaged(walk->fault, walk->at->seq + 1, "it is no record");
    if (seq != walk->at->seq + 1)
        return mt_au_damaged(walk->fault, walk->at->seq + 1, "another one is in its place");
    if (strcmp(prev, walk->at->sha256) != 0)
        return mt_au_damaged(walk->fault, walk->at->seq + 1,
                             "it does not follow the record before it");
    next.seq = seq;
    next.start = start;
    next.end = start + (int64_t)len + 1;
    hash_of(walk, line, len, next.sha256);
    enum mt_rc rc = walk->each ? walk->each(walk->ud, &next, line, len) : MT_OK;
    if (!rc)
        *walk->at = next;
    return rc;
}

/* The lines of one segment from offset to size; what cannot be taken stays in rest. */
static enum mt_rc walk_segment(struct walk *walk, int64_t size, struct mt_buf *rest)
{
    int64_t at = walk->at->end;

    while (at < size) {
        size_t room = READ_BYTES;
        size_t got = 0;
        if ((int64_t)room > size - at)
            room = (size_t)(size - at);
        enum mt_rc rc = mt_buf_reserve(rest, room);
        if (rc)
            return rc == MT_ERR_NOMEM
                       ? mt_au_nomem(walk->fault)
                       : mt_au_damaged(walk->fault, walk->at->seq + 1, "it is no record");
        rc = mt_au_file_read(walk->file, at, rest->data + rest->len, room, &got, walk->fault);
        if (rc)
            return rc == MT_ERR_DAMAGED ? mt_au_damaged(walk->fault, walk->at->seq + 1,
                                                        "its compressed segment cannot be read")
                                        : rc;
        if (!got && size == INT64_MAX)
            return MT_OK; /* all that is compressed */
        if (!got)
            return mt_au_damaged(walk->fault, walk->at->seq + 1, "its segment became shorter");
        at += (int64_t)got;
        rest->len += got;
        rest->data[rest->len] = '\0';
        size_t taken = 0;
        const char *newline = memchr(rest->data, '\n', rest->len);
        for (; newline && !rc; newline = memchr(rest->data + taken, '\n', rest->len - taken)) {
            size_t len = (size_t)(newline - rest->data) - taken;
            rc = one(walk, rest->data + taken, len, at - (int64_t)(rest->len - taken));
            if (!rc)
                taken += len + 1;
            else
                break;
        }
        mt_buf_consume(rest, taken);
        if (rc)
            return rc;
    }
    return MT_OK;
}

/* All that is left of the segment, to be judged. */
static bool rest_is_torn(const struct walk *walk, int64_t size)
{
    int64_t left = size - walk->at->end;
    char *rest = left > 0 && left <= (int64_t)MT_AU_APPEND_MAX ? mt_mem_alloc((size_t)left) : NULL;
    struct mt_fault ignored;
    size_t got = 0;

    bool torn = rest &&
                !mt_au_file_read(walk->file, walk->at->end, rest, (size_t)left, &got, &ignored) &&
                got == (size_t)left && is_torn(walk->at, rest, got);
    mt_mem_free(rest);
    return torn;
}

static enum mt_rc walk_one(struct walk *walk, const char *dir, const struct mt_au_end *end,
                           int64_t *torn)
{
    bool is_last = walk->at->segment == end->segments_n;
    struct mt_buf rest;
    enum mt_rc rc = mt_au_file_open(walk->file, dir, walk->at->segment, walk->fault);

    if (rc)
        return rc;
    int64_t size = is_last && end->size < walk->file->size ? end->size : walk->file->size;
    mt_buf_init(&rest, MT_AU_LINE_MAX + READ_BYTES + 1);
    rc = size < walk->at->end ? mt_fault_set(walk->fault, MT_ERR_STATE, "audit.cut",
                                             "the audit was cut behind record %llu",
                                             (unsigned long long)walk->at->seq)
                              : walk_segment(walk, size, &rest);
    if ((!rc && rest.len) || rc == MT_ERR_DAMAGED) {
        if (is_last && rest_is_torn(walk, size)) {
            *torn = size - walk->at->end;
            rc = MT_OK;
        } else if (!rc) {
            rc = mt_au_damaged(walk->fault, walk->at->seq + 1, "its line has no end");
        }
    }
    mt_buf_deinit(&rest);
    return rc;
}

enum mt_rc mt_au_walk_on(struct mt_au_file *file, const char *dir, const struct mt_au_end *end,
                         struct mt_au_place *at, mt_au_each_fn *each, void *ud, int64_t *torn,
                         struct mt_fault *fault)
{
    struct walk walk = {.at = at, .file = file, .each = each, .ud = ud, .fault = fault};
    enum mt_rc rc = MT_OK;

    *torn = 0;
    walk.hash = mt_sha256_new();
    if (!walk.hash)
        return mt_au_nomem(fault);
    while (!rc && at->segment <= end->segments_n) {
        rc = walk_one(&walk, dir, end, torn);
        if (rc || at->segment == end->segments_n)
            break;
        if (at->segment + 1 == end->segments_n && !end->size)
            break; /* it was only just made: *at stays the place of a record */
        at->segment++;
        at->start = 0;
        at->end = 0;
    }
    mt_sha256_free(walk.hash);
    return rc;
}

enum mt_rc mt_au_walk(const char *dir, const struct mt_au_end *end, struct mt_au_place *at,
                      mt_au_each_fn *each, void *ud, int64_t *torn, struct mt_fault *fault)
{
    struct mt_au_file file;

    mt_au_file_init(&file);
    enum mt_rc rc = mt_au_walk_on(&file, dir, end, at, each, ud, torn, fault);
    mt_au_file_close(&file);
    return rc;
}

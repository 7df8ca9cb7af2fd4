/* What the journal of attachments says. */
#include "archive/media_int.h"

#include "base/mem.h"
#include "codec/json.h"

#include <stdio.h>
#include <string.h>

#define LINE_MAX_BYTES ((size_t)64 << 10)
#define KEY_MAX        ((size_t)1024)

static void free_medium(void *p)
{
    struct mt_ar_medium *medium = p;
    mt_mem_free(medium->line);
    mt_mem_free(medium);
}

enum mt_rc mt_ar_media_index_init(struct mt_ar_media_index *index)
{
    memset(index, 0, sizeof *index);
    index->messages = mt_map_new();
    index->remotes = mt_map_new();
    index->files = mt_map_new();
    mt_ar_hex_zero(index->last);
    return index->messages && index->remotes && index->files ? MT_OK : MT_ERR_NOMEM;
}

void mt_ar_media_index_deinit(struct mt_ar_media_index *index)
{
    mt_map_free(index->messages, free_medium);
    mt_map_free(index->remotes, mt_mem_free);
    mt_map_free(index->files, mt_mem_free);
    memset(index, 0, sizeof *index);
}

void mt_ar_media_key(const char *conversation, const char *message, struct mt_buf *out)
{
    mt_buf_init(out, KEY_MAX);
    (void)mt_buf_appendf(out, "%s %s", conversation, message);
}

void mt_ar_media_name(const char *sha256, char out[MT_SHA256_HEX + 16])
{
    snprintf(out, MT_SHA256_HEX + 16, "sha256/%.2s/%s", sha256, sha256 + 2);
}

static enum mt_rc put_blob(struct mt_map *map, const char *key, const struct mt_media_item *item)
{
    struct mt_ar_blob *blob = mt_map_get(map, key);
    bool fresh = !blob;

    if (fresh)
        blob = mt_mem_calloc(1, sizeof *blob);
    if (!blob)
        return MT_ERR_NOMEM;
    snprintf(blob->sha256, sizeof blob->sha256, "%s", item->sha256);
    blob->size_bytes = item->size_bytes;
    if (fresh && mt_map_put(map, key, blob)) {
        mt_mem_free(blob);
        return MT_ERR_NOMEM;
    }
    return MT_OK;
}

/* A line of missing.jsonl. */
static char *missing_line(const struct mt_media_item *item, int64_t at_ms)
{
    struct mt_buf out;
    struct mt_jsonw w;

    mt_buf_init(&out, LINE_MAX_BYTES);
    mt_jsonw_init(&w, &out);
    mt_jsonw_object(&w);
    mt_ar_put_str(&w, "conversation", item->conversation);
    mt_ar_put_str(&w, "message", item->message);
    mt_ar_put_str(&w, "remote_path", item->remote_path);
    mt_ar_put_str(&w, "missing", item->missing);
    mt_ar_put_i64(&w, "at", at_ms);
    mt_jsonw_object_end(&w);
    (void)mt_buf_append_char(&out, '\n');
    char *line = out.failed ? NULL : mt_buf_steal(&out, NULL);
    mt_buf_deinit(&out);
    return line;
}

static enum mt_rc put_medium(struct mt_ar_media_index *index, const char *key,
                             const struct mt_media_item *item, int64_t at_ms)
{
    struct mt_ar_medium *medium = mt_map_get(index->messages, key);

    if (!medium) {
        medium = mt_mem_calloc(1, sizeof *medium);
        if (!medium || mt_map_put(index->messages, key, medium)) {
            mt_mem_free(medium);
            return MT_ERR_NOMEM;
        }
    } else if (!medium->sha256[0]) {
        index->missing_n--; /* what it is now is reckoned below */
    }
    mt_mem_free(medium->line);
    medium->line = NULL;
    snprintf(medium->sha256, sizeof medium->sha256, "%s", item->missing ? "" : item->sha256);
    snprintf(medium->code, sizeof medium->code, "%s", item->missing ? item->missing : "");
    if (!item->missing)
        return MT_OK;
    index->missing_n++;
    medium->line = missing_line(item, at_ms);
    return medium->line ? MT_OK : MT_ERR_NOMEM;
}

enum mt_rc mt_ar_media_add(struct mt_ar_media_index *index, const struct mt_media_item *item,
                           int64_t at_ms)
{
    struct mt_buf key;
    enum mt_rc rc = MT_OK;

    mt_ar_media_key(item->conversation, item->message, &key);
    rc = key.failed ? key.failed : put_medium(index, key.data, item, at_ms);
    mt_buf_deinit(&key);
    if (!rc && !item->missing)
        rc = put_blob(index->files, item->sha256, item);
    if (!rc && !item->missing)
        rc = put_blob(index->remotes, item->remote_path, item);
    return rc;
}

/* ---------------------------------------------------------------- parsing */

static bool take_line(const struct mt_json *line, const char *last, struct mt_media_item *item,
                      char sha256[MT_SHA256_HEX], int64_t *at_ms)
{
    char before[MT_SHA256_HEX];

    item->conversation = mt_json_str(mt_json_get(line, "conversation"));
    item->remote_path = mt_json_str(mt_json_get(line, "remote_path"));
    item->missing = mt_json_str(mt_json_get(line, "missing"));
    item->message = mt_json_str(mt_json_get(line, "message"));
    if (mt_json_i64(mt_json_get(line, "v"), 0) != 1 || !item->conversation || !item->remote_path ||
        !item->message || !*item->message || strlen(item->message) >= MT_ID_MAX ||
        !mt_ar_take_i64(line, "at", at_ms) || !mt_ar_take_hex(line, "prev_sha256", before) ||
        strcmp(before, last) != 0)
        return false;
    if (item->missing)
        return item->missing[0] && strlen(item->missing) < MT_MEDIA_CODE_MAX;
    item->sha256 = sha256;
    return mt_ar_take_hex(line, "sha256", sha256) &&
           mt_ar_take_i64(line, "size", &item->size_bytes) && item->size_bytes >= 0;
}

/* The chain guards all lines but the last; this guards that one. */
static bool crc_fits(const char *text, size_t len)
{
    char end[MT_AR_MEDIA_CRC_LEN + 1];

    if (len <= MT_AR_MEDIA_CRC_LEN)
        return false;
    len -= MT_AR_MEDIA_CRC_LEN;
    snprintf(end, sizeof end, MT_AR_MEDIA_CRC, (unsigned)mt_crc32(0, text, len));
    return !memcmp(text + len, end, MT_AR_MEDIA_CRC_LEN);
}

static enum mt_rc parse_line(const char *text, size_t len, struct mt_ar_media_index *index)
{
    struct mt_media_item item = {0};
    struct mt_json *line = NULL;
    char sha256[MT_SHA256_HEX] = "";
    int64_t at_ms = 0;
    enum mt_rc rc = crc_fits(text, len) ? mt_json_parse(text, len, LINE_MAX_BYTES, &line, NULL)
                                        : MT_ERR_DAMAGED;

    if (rc != MT_ERR_NOMEM && (rc || !take_line(line, index->last, &item, sha256, &at_ms)))
        rc = MT_ERR_DAMAGED;
    if (!rc)
        rc = mt_ar_media_add(index, &item, at_ms);
    mt_json_free(line);
    if (rc == MT_ERR_LIMIT)
        rc = MT_ERR_DAMAGED;
    if (!rc)
        mt_ar_hex_of(text, len, index->last);
    return rc;
}

enum mt_rc mt_ar_media_parse(const char *data, size_t len, struct mt_ar_media_index *index,
                             struct mt_fault *fault)
{
    while (index->good_bytes < len) {
        const char *line = data + index->good_bytes;
        size_t left = len - index->good_bytes;
        const char *newline = memchr(line, '\n', left);
        size_t n = newline ? (size_t)(newline - line) : left;
        enum mt_rc rc = newline ? parse_line(line, n, index) : MT_ERR_DAMAGED;

        if (rc == MT_ERR_NOMEM)
            return mt_ar_nomem(fault);
        if (rc && n + 1 < left) /* each line is durable before the next is written */
            return mt_ar_damaged(fault, "media/JOURNAL.jsonl", "a line is not what was written");
        if (rc)
            break;
        index->good_bytes += n + 1;
    }
    return MT_OK;
}

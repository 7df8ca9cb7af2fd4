/* CHECKPOINT: an append-only journal. A line is "CRC32 JSON"; the last record of a conversation
 * wins; a record of a clean end carries the hash of everything before it. A torn last line is what
 * a crash leaves; anything else that does not verify is damage. */
#include "archive/archive_int.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "codec/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CRC_CHARS 8
#define ZEROS     "0000000000000000000000000000000000000000000000000000000000000000"

struct mt_ar_conv *mt_ar_conv_new(const char *conversation)
{
    struct mt_ar_conv *conv = mt_mem_calloc(1, sizeof *conv);

    if (!conv)
        return NULL;
    snprintf(conv->state.conversation, sizeof conv->state.conversation, "%s", conversation);
    mt_str_safe_name(conversation, conv->dir);
    conv->segment = 1;
    conv->fd = -1;
    return conv;
}

void mt_ar_conv_free(void *p)
{
    struct mt_ar_conv *conv = p;

    if (!conv)
        return;
    while (conv->sealed) {
        struct mt_ar_sealed *next = conv->sealed->next;
        mt_mem_free(conv->sealed);
        conv->sealed = next;
    }
    mt_sha256_free(conv->hash);
    mt_mem_free(conv);
}

/* ---------------------------------------------------------------- reading */

static bool take_hex(const struct mt_json *node, char out[MT_SHA256_HEX])
{
    const char *s = mt_json_str(node);

    if (!s || strlen(s) != MT_SHA256_HEX - 1 || strspn(s, "0123456789abcdef") != MT_SHA256_HEX - 1)
        return false;
    memcpy(out, s, MT_SHA256_HEX);
    return true;
}

static bool take_count(const struct mt_json *record, const char *key, uint64_t *out)
{
    return mt_json_u64(mt_json_get(record, key), out);
}

static bool take_ms(const struct mt_json *record, const char *key, int64_t *out)
{
    *out = mt_json_i64(mt_json_get(record, key), INT64_MIN);
    return *out != INT64_MIN;
}

static bool take_manifest(const struct mt_json *record, struct mt_ar_manifest_head *head)
{
    const struct mt_json *m = mt_json_get(record, "manifest");
    struct mt_ar_manifest_head read;

    if (!m)
        return true;
    if (!take_count(m, "seq", &read.seq) || !take_ms(m, "bytes", &read.bytes) || read.bytes < 0 ||
        !take_hex(mt_json_get(m, "sha256"), read.sha256))
        return false;
    *head = read;
    return true;
}

static bool take_conv(const struct mt_json *r, struct mt_ar_conv *conv)
{
    struct mt_archive_state *s = &conv->state;
    uint64_t segment = 0;
    const char *dir = mt_json_str(mt_json_get(r, "dir"));
    const struct {
        const char *key;
        uint64_t *to;
    } counts[] = {{"segment", &segment},
                  {"messages", &s->messages_n},
                  {"lines", &s->lines_n},
                  {"gaps", &s->gaps_n},
                  {"first_id", &s->first_id},
                  {"last_id", &s->last_id},
                  {"cursor", &s->cursor_id},
                  {"segment_lines", &conv->segment_lines_n},
                  {"segment_messages", &conv->segment_messages_n}};
    const struct {
        const char *key;
        int64_t *to;
    } times[] = {{"offset", &conv->offset},
                 {"first_ms", &s->first_ms},
                 {"last_ms", &s->last_ms},
                 {"synced_ms", &s->synced_ms},
                 {"segment_first_ms", &conv->segment_first_ms},
                 {"segment_last_ms", &conv->segment_last_ms},
                 {"segment_born_ms", &conv->segment_born_ms}};
    bool ok = take_hex(mt_json_get(r, "sha256"), conv->sha256) && dir && !strcmp(dir, conv->dir);

    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        ok = take_count(r, counts[i].key, counts[i].to) && ok;
    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        ok = take_ms(r, times[i].key, times[i].to) && ok;
    ok = ok && segment >= 1 && segment < 1000000 && conv->offset >= 0;

    conv->segment = (uint32_t)segment;
    s->complete = mt_json_bool(mt_json_get(r, "complete"), false);
    return ok;
}

static enum mt_rc apply_conv(const struct mt_json *record, struct mt_ar_journal *journal,
                             struct mt_map *convs)
{
    const char *name = mt_json_str(mt_json_get(record, "conversation"));
    struct mt_ar_conv *conv = NULL;

    if (!name || !*name || strlen(name) >= sizeof conv->state.conversation)
        return MT_ERR_DAMAGED;
    conv = mt_map_get(convs, name);
    if (!conv) {
        conv = mt_ar_conv_new(name);
        if (!conv)
            return MT_ERR_NOMEM;
        enum mt_rc rc = mt_map_put(convs, name, conv);
        if (rc) {
            mt_ar_conv_free(conv);
            return rc;
        }
    }
    if (!take_conv(record, conv) || !take_manifest(record, &journal->manifest))
        return MT_ERR_DAMAGED;
    return MT_OK;
}

static enum mt_rc apply_end(const struct mt_json *record, struct mt_ar_journal *journal)
{
    uint64_t records_n = 0;
    char want[MT_SHA256_HEX];
    char got[MT_SHA256_HEX];
    uint8_t sum[MT_SHA256_LEN];

    mt_sha256_peek(journal->hash, sum);
    mt_hex(sum, sizeof sum, got);
    if (!take_count(record, "records", &records_n) || records_n != journal->records_n ||
        !take_hex(mt_json_get(record, "sha256"), want) || strcmp(want, got) != 0 ||
        !take_manifest(record, &journal->manifest))
        return MT_ERR_DAMAGED;
    journal->clean = true;
    return MT_OK;
}

static enum mt_rc apply(const char *json, size_t len, struct mt_ar_journal *journal,
                        struct mt_map *convs)
{
    struct mt_json *record = NULL;
    struct mt_fault ignored;
    enum mt_rc rc = mt_json_parse(json, len, MT_AR_RECORD_MAX, &record, &ignored);

    if (rc)
        return rc == MT_ERR_NOMEM ? rc : MT_ERR_DAMAGED;
    const char *type = mt_json_str(mt_json_get(record, "record"));
    bool begins = type && !strcmp(type, "begin");
    bool inside = journal->records_n && !journal->clean; /* between a begin and an end */
    rc = MT_ERR_DAMAGED;
    if (inside && type && !strcmp(type, "conversation"))
        rc = apply_conv(record, journal, convs);
    else if (inside && type && !strcmp(type, "end"))
        rc = apply_end(record, journal);
    else if (begins && take_hex(mt_json_get(record, "account"), journal->account_sha256) &&
             take_manifest(record, &journal->manifest))
        rc = MT_OK;
    if (begins)
        journal->clean = false;
    mt_json_free(record);
    return rc;
}

static bool crc_right(const char *line, size_t len)
{
    char want[CRC_CHARS + 1];

    if (len < CRC_CHARS + 2 || line[CRC_CHARS] != ' ')
        return false;
    snprintf(want, sizeof want, "%08x",
             (unsigned)mt_crc32(0, line + CRC_CHARS + 1, len - CRC_CHARS - 1));
    return !memcmp(want, line, CRC_CHARS);
}

enum mt_rc mt_ar_journal_parse(const char *data, size_t len, struct mt_ar_journal *journal,
                               struct mt_map *convs, struct mt_fault *fault)
{
    size_t at = 0;

    while (at < len) {
        const char *line = data + at;
        const char *newline = memchr(line, '\n', len - at);
        size_t line_len = newline ? (size_t)(newline - line) : len - at;
        bool last = !newline || at + line_len + 1 == len;
        enum mt_rc rc = MT_OK;

        if (!newline || !crc_right(line, line_len)) {
            if (!last)
                return mt_ar_damaged(fault, "CHECKPOINT", "a record does not verify");
            journal->clean = false;
            journal->torn = true; /* the crash came while this record was written */
            break;
        }
        rc = apply(line + CRC_CHARS + 1, line_len - CRC_CHARS - 1, journal, convs);
        if (rc == MT_ERR_NOMEM)
            return mt_fault_set(fault, rc, "memory", "out of memory");
        if (rc)
            return mt_ar_damaged(fault, "CHECKPOINT", "a record makes no sense");
        at += line_len + 1;
        journal->records_n++;
        journal->good_bytes = (int64_t)at;
        mt_sha256_update(journal->hash, line, line_len + 1);
    }
    return MT_OK;
}

enum mt_rc mt_ar_journal_load(struct mt_archive *archive, struct mt_fault *fault)
{
    char path[MT_AR_PATH_MAX];
    char *data = NULL;
    size_t len = 0;
    enum mt_rc rc = MT_OK;

    archive->journal.hash = mt_sha256_new();
    if (!archive->journal.hash)
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    memcpy(archive->journal.manifest.sha256, ZEROS, MT_SHA256_HEX);
    memcpy(archive->journal.account_sha256, ZEROS, MT_SHA256_HEX);
    mt_ar_path(archive, path, "CHECKPOINT");
    int err = mt_fs_read_all(path, MT_AR_JOURNAL_MAX, &data, &len);
    if (err == 2 /* ENOENT */) {
        archive->journal.clean = true;
        return MT_OK;
    }
    if (err)
        return mt_fs_fault(fault, err, "read", path);
    archive->journal.exists = true;
    rc = mt_ar_journal_parse(data, len, &archive->journal, archive->convs, fault);
    mt_mem_free(data);
    return rc;
}

/* ---------------------------------------------------------------- writing */

/* Puts the checksum in front of the record that begins at start, and ends its line. */
static enum mt_rc finish_record(struct mt_buf *out, size_t start)
{
    char crc[CRC_CHARS + 2];

    mt_buf_append_char(out, '\n');
    if (out->failed)
        return out->failed;
    snprintf(
        crc, sizeof crc, "%08x ",
        (unsigned)mt_crc32(0, out->data + start + CRC_CHARS + 1, out->len - start - CRC_CHARS - 2));
    memcpy(out->data + start, crc, CRC_CHARS + 1);
    return MT_OK;
}

static size_t start_record(struct mt_buf *out, struct mt_jsonw *w, const char *type)
{
    size_t start = out->len;

    mt_buf_append(out, "00000000 ", CRC_CHARS + 1);
    mt_jsonw_init(w, out);
    mt_jsonw_object(w);
    mt_jsonw_key(w, "record");
    mt_jsonw_str(w, type);
    return start;
}

static void put_manifest(struct mt_jsonw *w, const struct mt_ar_manifest_head *head)
{
    mt_jsonw_key(w, "manifest");
    mt_jsonw_object(w);
    mt_jsonw_key(w, "seq");
    mt_jsonw_u64(w, head->seq);
    mt_jsonw_key(w, "bytes");
    mt_jsonw_i64(w, head->bytes);
    mt_jsonw_key(w, "sha256");
    mt_jsonw_str(w, head->sha256);
    mt_jsonw_object_end(w);
}

static void put_u64(struct mt_jsonw *w, const char *key, uint64_t v)
{
    mt_jsonw_key(w, key);
    mt_jsonw_u64(w, v);
}

static void put_i64(struct mt_jsonw *w, const char *key, int64_t v)
{
    mt_jsonw_key(w, key);
    mt_jsonw_i64(w, v);
}

static void put_str(struct mt_jsonw *w, const char *key, const char *v)
{
    mt_jsonw_key(w, key);
    mt_jsonw_str(w, v);
}

enum mt_rc mt_ar_journal_put_conv(const struct mt_ar_conv *conv,
                                  const struct mt_ar_manifest_head *manifest, struct mt_buf *out)
{
    const struct mt_archive_state *s = &conv->state;
    struct mt_jsonw w;
    size_t start = start_record(out, &w, "conversation");

    put_str(&w, "conversation", s->conversation);
    put_str(&w, "dir", conv->dir);
    put_u64(&w, "segment", conv->segment);
    put_i64(&w, "offset", conv->offset);
    put_str(&w, "sha256", conv->sha256);
    put_u64(&w, "messages", s->messages_n);
    put_u64(&w, "lines", s->lines_n);
    put_u64(&w, "gaps", s->gaps_n);
    mt_jsonw_key(&w, "first_id");
    mt_jsonw_u64_str(&w, s->first_id);
    mt_jsonw_key(&w, "last_id");
    mt_jsonw_u64_str(&w, s->last_id);
    put_i64(&w, "first_ms", s->first_ms);
    put_i64(&w, "last_ms", s->last_ms);
    mt_jsonw_key(&w, "cursor");
    mt_jsonw_u64_str(&w, s->cursor_id);
    mt_jsonw_key(&w, "complete");
    mt_jsonw_bool(&w, s->complete);
    put_i64(&w, "synced_ms", s->synced_ms);
    put_u64(&w, "segment_lines", conv->segment_lines_n);
    put_u64(&w, "segment_messages", conv->segment_messages_n);
    put_i64(&w, "segment_first_ms", conv->segment_first_ms);
    put_i64(&w, "segment_last_ms", conv->segment_last_ms);
    put_i64(&w, "segment_born_ms", conv->segment_born_ms);
    if (manifest)
        put_manifest(&w, manifest);
    mt_jsonw_object_end(&w);
    return finish_record(out, start);
}

static enum mt_rc put_begin(const struct mt_archive *archive, struct mt_buf *out)
{
    struct mt_jsonw w;
    size_t start = start_record(out, &w, "begin");

    put_i64(&w, "at", mt_clock_wall_ms());
    put_str(&w, "account", archive->journal.account_sha256);
    put_manifest(&w, &archive->journal.manifest);
    mt_jsonw_object_end(&w);
    return finish_record(out, start);
}

static enum mt_rc put_end(const struct mt_ar_journal *journal, uint64_t records_n,
                          const struct mt_sha256 *hash, struct mt_buf *out)
{
    struct mt_jsonw w;
    uint8_t sum[MT_SHA256_LEN];
    char hex[MT_SHA256_HEX];
    size_t start = start_record(out, &w, "end");

    mt_sha256_peek(hash, sum);
    mt_hex(sum, sizeof sum, hex);
    put_u64(&w, "records", records_n);
    put_str(&w, "sha256", hex);
    put_i64(&w, "at", mt_clock_wall_ms());
    put_manifest(&w, &journal->manifest);
    mt_jsonw_object_end(&w);
    return finish_record(out, start);
}

static uint64_t count_lines(const struct mt_buf *records)
{
    uint64_t n = 0;
    for (const char *p = records->data;
         p && (p = memchr(p, '\n', (size_t)(records->data + records->len - p))); p++)
        n++;
    return n;
}

enum mt_rc mt_ar_journal_append(struct mt_archive *archive, const struct mt_buf *records,
                                struct mt_fault *fault)
{
    char path[MT_AR_PATH_MAX];
    int err = 0;

    mt_ar_path(archive, path, "CHECKPOINT");
    err = mt_fs_write(archive->journal_fd, records->data, records->len);
    if (err)
        return mt_fs_fault(fault, err, "write", path);
    err = mt_fs_fdatasync(archive->journal_fd);
    if (err)
        return mt_fs_fault(fault, err, "write", path);
    mt_sha256_update(archive->journal.hash, records->data, records->len);
    archive->journal.good_bytes += (int64_t)records->len;
    archive->journal.records_n += count_lines(records);
    return MT_OK;
}

enum mt_rc mt_ar_journal_begin(struct mt_archive *archive, struct mt_fault *fault)
{
    char path[MT_AR_PATH_MAX];
    struct mt_buf record;
    bool fresh = !archive->journal.exists;
    enum mt_rc rc = MT_OK;
    int err = 0;

    if (archive->begun)
        return MT_OK;
    mt_buf_init(&record, MT_AR_RECORD_MAX);
    mt_ar_path(archive, path, "CHECKPOINT");
    err = mt_fs_open(path, MT_FS_WRITE | MT_FS_CREATE, &archive->journal_fd);
    if (!err)
        err = mt_fs_truncate(archive->journal_fd, archive->journal.good_bytes);
    if (!err)
        err = mt_fs_seek(archive->journal_fd, archive->journal.good_bytes);
    if (!err && fresh)
        err = mt_fs_sync_dir(archive->base);
    if (err) {
        rc = mt_fs_fault(fault, err, "open", path);
        goto out;
    }
    rc = put_begin(archive, &record);
    if (rc) {
        mt_fault_set(fault, rc, "memory", "out of memory");
        goto out;
    }
    rc = mt_ar_journal_append(archive, &record, fault);
    if (rc)
        goto out;
    archive->journal.exists = true;
    archive->journal.clean = false;
    archive->begun = true;
out:
    mt_buf_deinit(&record);
    return rc;
}

struct compaction {
    struct mt_buf *out;
};

static bool put_live(void *ud, const char *key, void *value)
{
    struct compaction *c = ud;
    (void)key;
    return !mt_ar_journal_put_conv(value, NULL, c->out);
}

/* Rewrites the journal with only what is live; the new one is whole and ended before it takes the
 * old one's place. */
static enum mt_rc compact(struct mt_archive *archive, struct mt_buf *live, struct mt_fault *fault)
{
    char path[MT_AR_PATH_MAX];
    struct mt_ar_journal *journal = &archive->journal;

    mt_sha256_reset(journal->hash);
    mt_sha256_update(journal->hash, live->data, live->len);
    journal->records_n = count_lines(live);
    if (put_end(journal, journal->records_n, journal->hash, live))
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    mt_ar_path(archive, path, "CHECKPOINT");
    int err = mt_fs_replace(path, live->data, live->len);
    return err ? mt_fs_fault(fault, err, "write", path) : MT_OK;
}

enum mt_rc mt_ar_journal_end(struct mt_archive *archive, struct mt_fault *fault)
{
    struct mt_ar_journal *journal = &archive->journal;
    struct mt_buf out;
    struct compaction c = {&out};
    enum mt_rc rc = MT_OK;

    mt_buf_init(&out, MT_AR_JOURNAL_MAX);
    if (journal->good_bytes > MT_AR_COMPACT_BYTES) {
        put_begin(archive, &out);
        mt_map_each(archive->convs, put_live, &c);
        if (!out.failed && journal->good_bytes > MT_AR_COMPACT_FACTOR * (int64_t)out.len) {
            rc = compact(archive, &out, fault);
            goto out;
        }
        mt_buf_reset(&out);
    }
    rc = put_end(journal, journal->records_n, journal->hash, &out);
    if (rc)
        mt_fault_set(fault, rc, "memory", "out of memory");
    else
        rc = mt_ar_journal_append(archive, &out, fault);
out:
    if (!rc)
        journal->clean = true;
    mt_buf_deinit(&out);
    return rc;
}

void mt_ar_head(const struct mt_ar_journal *journal, char out[MT_SHA256_HEX])
{
    uint8_t sum[MT_SHA256_LEN];

    mt_sha256_peek(journal->hash, sum);
    mt_hex(sum, sizeof sum, out);
}

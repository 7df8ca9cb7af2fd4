/* CHECKPOINT, reading: an append-only journal. A line is "CRC32 JSON"; the last record of a
 * conversation wins; a record of a clean end carries the hash of everything before it.
 *
 * A power cut may leave the last commit in any shape: records cut off, or torn in its middle with
 * good ones after it. Each record carries its place (commit, index, of how many), so that exactly
 * this can be told from damage: what is bad must belong to the last commit of the file. */
#include "archive/archive_int.h"

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "codec/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define CRC_CHARS 8

struct mt_ar_conv *mt_ar_conv_new(const char *conversation)
{
    struct mt_ar_conv *conv = mt_mem_calloc(1, sizeof *conv);

    if (!conv)
        return NULL;
    snprintf(conv->state.conversation, sizeof conv->state.conversation, "%s", conversation);
    mt_str_safe_name(conversation, conv->dir);
    mt_ar_hex_zero(conv->sha256);
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

/* ---------------------------------------------------------------- records */

static bool take_manifest(const struct mt_json *record, struct mt_ar_manifest_head *head)
{
    const struct mt_json *m = mt_json_get(record, "manifest");
    struct mt_ar_manifest_head read = {0};

    if (!m)
        return true;
    if (!mt_ar_take_u64(m, "seq", &read.seq) || !mt_ar_take_i64(m, "bytes", &read.bytes) ||
        !mt_ar_take_hex(m, "sha256", read.sha256) || read.seq < head->seq ||
        read.bytes < head->bytes)
        return false;
    *head = read;
    return true;
}

static bool take_state(const struct mt_json *r, struct mt_archive_state *s)
{
    s->complete = mt_json_bool(mt_json_get(r, "complete"), false);
    return mt_ar_take_u64(r, "messages", &s->messages_n) &&
           mt_ar_take_u64(r, "lines", &s->lines_n) && mt_ar_take_u64(r, "gaps", &s->gaps_n) &&
           mt_ar_take_id(r, "first_id", s->first_id, sizeof s->first_id) &&
           mt_ar_take_id(r, "last_id", s->last_id, sizeof s->last_id) &&
           mt_ar_take_i64(r, "first_ms", &s->first_ms) &&
           mt_ar_take_i64(r, "last_ms", &s->last_ms) &&
           mt_ar_take_id(r, "cursor", s->cursor, sizeof s->cursor) &&
           mt_ar_take_i64(r, "synced_ms", &s->synced_ms);
}

/* Nothing that is committed goes back: a record that says so is not ours. */
static bool take_conv(const struct mt_json *r, struct mt_ar_conv *conv)
{
    const struct mt_json *open = mt_json_get(r, "open");
    const char *dir = mt_json_str(mt_json_get(r, "dir"));
    uint64_t segment = 0;
    uint64_t messages_n = conv->state.messages_n;
    int64_t offset = 0;

    if (!dir || strcmp(dir, conv->dir) != 0 || !take_state(r, &conv->state) ||
        !mt_ar_take_u64(open, "segment", &segment) || segment < 1 || segment > MT_AR_SEGMENT_MAX ||
        !mt_ar_take_i64(open, "offset", &offset) || offset < 0 ||
        !mt_ar_take_hex(open, "sha256", conv->sha256) || !mt_ar_take_counts(open, &conv->counts) ||
        !mt_ar_take_i64(open, "born_ms", &conv->born_ms))
        return false;
    if (segment < conv->segment || (segment == conv->segment && offset < conv->offset) ||
        conv->state.messages_n < messages_n)
        return false;
    conv->segment = (uint32_t)segment;
    conv->offset = offset;
    return true;
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
    return take_conv(record, conv) && take_manifest(record, &journal->manifest) ? MT_OK
                                                                                : MT_ERR_DAMAGED;
}

static void take_unseen(const struct mt_json *record, struct mt_ar_journal *journal)
{
    const char *unseen = mt_json_str(mt_json_get(record, "unseen"));
    snprintf(journal->unseen, sizeof journal->unseen, "%s", unseen ? unseen : "");
}

static enum mt_rc apply_begin(const struct mt_json *record, struct mt_ar_journal *journal)
{
    char account[MT_SHA256_HEX];

    if (!mt_ar_take_hex(record, "account", account) || !take_manifest(record, &journal->manifest) ||
        (journal->records_n && strcmp(account, journal->account_sha256) != 0))
        return MT_ERR_DAMAGED;
    memcpy(journal->account_sha256, account, sizeof account);
    take_unseen(record, journal);
    journal->clean = false;
    return MT_OK;
}

static enum mt_rc apply_end(const struct mt_json *record, struct mt_ar_journal *journal)
{
    uint64_t records_n = 0;
    char want[MT_SHA256_HEX];
    char got[MT_SHA256_HEX];

    mt_ar_hex_peek(journal->hash, got);
    if (!mt_ar_take_u64(record, "records", &records_n) || records_n != journal->records_n ||
        !mt_ar_take_hex(record, "sha256", want) || strcmp(want, got) != 0 ||
        !take_manifest(record, &journal->manifest))
        return MT_ERR_DAMAGED;
    journal->clean = true;
    take_unseen(record, journal);
    return MT_OK;
}

static bool take_place(const struct mt_json *record, struct mt_ar_place *place)
{
    const struct mt_json *item = mt_json_child(mt_json_get(record, "commit"));

    return mt_json_u64(item, &place->commit) && mt_json_u64(mt_json_next(item), &place->index) &&
           mt_json_u64(mt_json_next(mt_json_next(item)), &place->of) && place->commit &&
           place->index < place->of;
}

static bool follows(const struct mt_ar_place *last, const struct mt_ar_place *place)
{
    if (last->index + 1 < last->of)
        return place->commit == last->commit && place->index == last->index + 1 &&
               place->of == last->of;
    return place->commit == last->commit + 1 && !place->index;
}

static enum mt_rc apply(const struct mt_json *record, struct mt_ar_journal *journal,
                        struct mt_map *convs)
{
    const char *type = mt_json_str(mt_json_get(record, "record"));
    struct mt_ar_place place = {0};
    enum mt_rc rc = MT_ERR_DAMAGED;

    if (!type || !take_place(record, &place) || !follows(&journal->place, &place))
        return MT_ERR_DAMAGED;
    if (!strcmp(type, "begin"))
        rc = apply_begin(record, journal);
    else if (journal->records_n && !journal->clean && !strcmp(type, "conversation"))
        rc = apply_conv(record, journal, convs);
    else if (journal->records_n && !journal->clean && !strcmp(type, "end"))
        rc = apply_end(record, journal);
    journal->place = place;
    return rc;
}

/* ---------------------------------------------------------------- lines */

static bool crc_right(const char *line, size_t len)
{
    char want[CRC_CHARS + 1];

    if (len < CRC_CHARS + 2 || line[CRC_CHARS] != ' ')
        return false;
    snprintf(want, sizeof want, "%08x",
             (unsigned)mt_crc32(0, line + CRC_CHARS + 1, len - CRC_CHARS - 1));
    return !memcmp(want, line, CRC_CHARS);
}

/* The record of a line that verifies, or NULL. */
static enum mt_rc read_record(const char *line, size_t len, struct mt_json **record)
{
    struct mt_fault ignored;

    *record = NULL;
    if (!crc_right(line, len))
        return MT_ERR_DAMAGED;
    enum mt_rc rc = mt_json_parse(line + CRC_CHARS + 1, len - CRC_CHARS - 1, MT_AR_RECORD_MAX,
                                  record, &ignored);
    return rc && rc != MT_ERR_NOMEM ? MT_ERR_DAMAGED : rc;
}

/* Whether what follows a bad line can be the rest of the commit that the crash interrupted. */
static bool belongs_to_last(const struct mt_ar_place *last, const struct mt_ar_place *place)
{
    if (last->index + 1 < last->of)
        return place->commit == last->commit && place->index > last->index + 1;
    return place->commit == last->commit + 1 && place->index;
}

static enum mt_rc check_rest(const char *data, size_t len, const struct mt_ar_place *last)
{
    size_t at = 0;

    while (at < len) {
        const char *newline = memchr(data + at, '\n', len - at);
        size_t line_len = newline ? (size_t)(newline - data) - at : len - at;
        struct mt_json *record = NULL;
        struct mt_ar_place place = {0};
        enum mt_rc rc = newline ? read_record(data + at, line_len, &record) : MT_ERR_DAMAGED;
        bool fine = rc || (take_place(record, &place) && belongs_to_last(last, &place));

        mt_json_free(record);
        if (rc == MT_ERR_NOMEM)
            return rc;
        if (!fine)
            return MT_ERR_DAMAGED;
        at += line_len + 1;
    }
    return MT_OK;
}

enum mt_rc mt_ar_journal_parse(const char *data, size_t len, struct mt_ar_journal *journal,
                               struct mt_map *convs, struct mt_fault *fault)
{
    size_t at = 0;
    enum mt_rc rc = MT_OK;

    journal->clean = false; /* until a record says so */
    while (at < len && !rc) {
        const char *newline = memchr(data + at, '\n', len - at);
        size_t line_len = newline ? (size_t)(newline - data) - at : len - at;
        struct mt_json *record = NULL;

        rc = newline ? read_record(data + at, line_len, &record) : MT_ERR_DAMAGED;
        if (rc == MT_ERR_DAMAGED) {
            journal->clean = false;
            rc = check_rest(data + at, len - at, &journal->place);
            if (rc == MT_ERR_DAMAGED)
                return mt_ar_damaged(fault, "CHECKPOINT", "a record does not verify");
            break;
        }
        if (!rc)
            rc = apply(record, journal, convs);
        mt_json_free(record);
        if (rc == MT_ERR_DAMAGED)
            return mt_ar_damaged(fault, "CHECKPOINT", "a record is not where it belongs");
        if (!rc) {
            mt_sha256_update(journal->hash, data + at, line_len + 1);
            at += line_len + 1;
            journal->records_n++;
            journal->good_bytes = (int64_t)at;
        }
    }
    return rc ? mt_ar_nomem(fault) : MT_OK;
}

enum mt_rc mt_ar_journal_init(struct mt_ar_journal *journal)
{
    memset(journal, 0, sizeof *journal);
    mt_ar_hex_zero(journal->manifest.sha256);
    mt_ar_hex_zero(journal->account_sha256);
    journal->clean = true; /* nothing was ever begun */
    journal->hash = mt_sha256_new();
    return journal->hash ? MT_OK : MT_ERR_NOMEM;
}

enum mt_rc mt_ar_journal_load(struct mt_archive *archive, struct mt_fault *fault)
{
    char path[MT_AR_PATH_MAX];
    char *data = NULL;
    size_t len = 0;
    enum mt_rc rc = mt_ar_journal_init(&archive->journal);

    if (rc)
        return mt_ar_nomem(fault);
    mt_ar_path(archive, path, "CHECKPOINT");
    int err = mt_fs_read_all(path, MT_AR_JOURNAL_MAX, &data, &len);
    if (err == ENOENT)
        return MT_OK;
    if (err)
        return mt_fs_fault(fault, err, "read", path);
    archive->journal.exists = true;
    rc = mt_ar_journal_parse(data, len, &archive->journal, archive->convs, fault);
    mt_mem_free(data);
    return rc;
}

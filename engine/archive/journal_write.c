/* CHECKPOINT, writing. Each commit is one write and one fdatasync; nothing counts before. */
#include "archive/archive_int.h"

#include "base/clock.h"
#include "base/fs.h"
#include "codec/json.h"

#include <stdio.h>
#include <string.h>

#define CRC_CHARS  8
#define LIVE_BYTES 900 /* about what one record takes */

/* ---------------------------------------------------------------- records */

static size_t start_record(struct mt_buf *out, struct mt_jsonw *w, const char *type,
                           const struct mt_ar_place *place)
{
    size_t start = out->len;

    mt_buf_append(out, "00000000 ", CRC_CHARS + 1);
    mt_jsonw_init(w, out);
    mt_jsonw_object(w);
    mt_ar_put_str(w, "record", type);
    mt_jsonw_key(w, "commit");
    mt_jsonw_array(w);
    mt_jsonw_u64(w, place->commit);
    mt_jsonw_u64(w, place->index);
    mt_jsonw_u64(w, place->of);
    mt_jsonw_array_end(w);
    return start;
}

/* Puts the checksum in front of the record that begins at start, and ends its line. */
static enum mt_rc finish_record(struct mt_buf *out, struct mt_jsonw *w, size_t start)
{
    char crc[CRC_CHARS + 2];

    mt_jsonw_object_end(w);
    mt_buf_append_char(out, '\n');
    if (out->failed)
        return out->failed;
    snprintf(
        crc, sizeof crc, "%08x ",
        (unsigned)mt_crc32(0, out->data + start + CRC_CHARS + 1, out->len - start - CRC_CHARS - 2));
    memcpy(out->data + start, crc, CRC_CHARS + 1);
    return MT_OK;
}

static void put_manifest(struct mt_jsonw *w, const struct mt_ar_manifest_head *head)
{
    mt_jsonw_key(w, "manifest");
    mt_jsonw_object(w);
    mt_ar_put_u64(w, "seq", head->seq);
    mt_ar_put_i64(w, "bytes", head->bytes);
    mt_ar_put_str(w, "sha256", head->sha256);
    mt_jsonw_object_end(w);
}

static enum mt_rc put_conv(const struct mt_ar_conv *conv, const struct mt_ar_place *place,
                           const struct mt_ar_manifest_head *manifest, struct mt_buf *out)
{
    const struct mt_archive_state *s = &conv->state;
    struct mt_jsonw w;
    size_t start = start_record(out, &w, "conversation", place);

    mt_ar_put_str(&w, "conversation", s->conversation);
    mt_ar_put_str(&w, "dir", conv->dir);
    mt_ar_put_u64(&w, "messages", s->messages_n);
    mt_ar_put_u64(&w, "lines", s->lines_n);
    mt_ar_put_u64(&w, "gaps", s->gaps_n);
    mt_ar_put_id(&w, "first_id", s->first_id);
    mt_ar_put_id(&w, "last_id", s->last_id);
    mt_ar_put_i64(&w, "first_ms", s->first_ms);
    mt_ar_put_i64(&w, "last_ms", s->last_ms);
    mt_ar_put_id(&w, "cursor", s->cursor);
    mt_jsonw_key(&w, "complete");
    mt_jsonw_bool(&w, s->complete);
    mt_ar_put_i64(&w, "synced_ms", s->synced_ms);
    mt_jsonw_key(&w, "open");
    mt_jsonw_object(&w);
    mt_ar_put_u64(&w, "segment", conv->segment);
    mt_ar_put_i64(&w, "offset", conv->offset);
    mt_ar_put_str(&w, "sha256", conv->sha256);
    mt_ar_put_counts(&w, &conv->counts);
    mt_ar_put_i64(&w, "born_ms", conv->born_ms);
    mt_jsonw_object_end(&w);
    if (manifest)
        put_manifest(&w, manifest);
    return finish_record(out, &w, start);
}

static enum mt_rc put_begin(const struct mt_archive *archive, const struct mt_ar_place *place,
                            struct mt_buf *out)
{
    struct mt_jsonw w;
    size_t start = start_record(out, &w, "begin", place);

    mt_ar_put_i64(&w, "at", mt_clock_wall_ms());
    mt_ar_put_str(&w, "account", archive->journal.account_sha256);
    if (*archive->unseen) /* what a crash before the end must not forget */
        mt_ar_put_str(&w, "unseen", archive->unseen);
    put_manifest(&w, &archive->journal.manifest);
    return finish_record(out, &w, start);
}

static enum mt_rc put_end(const struct mt_ar_journal *journal, const char *unseen,
                          struct mt_buf *out)
{
    struct mt_ar_place place = {journal->place.commit + 1, 0, 1};
    struct mt_jsonw w;
    char hex[MT_SHA256_HEX];
    size_t start = start_record(out, &w, "end", &place);

    mt_ar_hex_peek(journal->hash, hex);
    mt_ar_put_u64(&w, "records", journal->records_n);
    mt_ar_put_str(&w, "sha256", hex);
    mt_ar_put_i64(&w, "at", mt_clock_wall_ms());
    if (*unseen)
        mt_ar_put_str(&w, "unseen", unseen);
    put_manifest(&w, &journal->manifest);
    return finish_record(out, &w, start);
}

/* ---------------------------------------------------------------- appending */

static enum mt_rc append(struct mt_archive *archive, const struct mt_buf *records, uint64_t n,
                         struct mt_fault *fault)
{
    struct mt_ar_journal *journal = &archive->journal;
    char path[MT_AR_PATH_MAX];

    mt_ar_path(archive, path, "CHECKPOINT");
    int err = mt_fs_write(archive->journal_fd, records->data, records->len);
    if (!err)
        err = mt_fs_fdatasync(archive->journal_fd);
    if (err)
        return mt_fs_fault(fault, err, "write", path);
    mt_sha256_update(journal->hash, records->data, records->len);
    journal->good_bytes += (int64_t)records->len;
    journal->run_bytes += (int64_t)records->len;
    journal->records_n += n;
    journal->place = (struct mt_ar_place){journal->place.commit + 1, n - 1, n};
    return MT_OK;
}

/* Opens CHECKPOINT at the end of what is good in it. A new file's name is durable before anything
 * is written by its rules. */
static enum mt_rc open_journal(struct mt_archive *archive, struct mt_fault *fault)
{
    struct mt_ar_journal *journal = &archive->journal;
    char path[MT_AR_PATH_MAX];

    mt_ar_path(archive, path, "CHECKPOINT");
    if (archive->journal_fd >= 0)
        mt_fs_close(archive->journal_fd);
    int err = mt_fs_open(path, MT_FS_WRITE | MT_FS_CREATE, &archive->journal_fd);
    if (err)
        archive->journal_fd = -1;
    if (!err)
        err = mt_fs_truncate(archive->journal_fd, journal->good_bytes);
    if (!err)
        err = mt_fs_seek(archive->journal_fd, journal->good_bytes);
    if (!err && !journal->exists)
        err = mt_fs_sync_dir(archive->base);
    if (err)
        return mt_fs_fault(fault, err, "open", path);
    journal->exists = true;
    return MT_OK;
}

enum mt_rc mt_ar_journal_begin(struct mt_archive *archive, struct mt_fault *fault)
{
    struct mt_ar_place place = {archive->journal.place.commit + 1, 0, 1};
    struct mt_buf record;
    enum mt_rc rc = MT_OK;

    if (archive->begun)
        return MT_OK;
    mt_buf_init(&record, MT_AR_RECORD_MAX);
    rc = open_journal(archive, fault);
    if (!rc && put_begin(archive, &place, &record))
        rc = mt_ar_nomem(fault);
    if (!rc)
        rc = append(archive, &record, 1, fault);
    if (!rc) {
        archive->journal.clean = false;
        archive->begun = true;
    }
    mt_buf_deinit(&record);
    return rc;
}

enum mt_rc mt_ar_journal_commit(struct mt_archive *archive, struct mt_ar_conv *const *convs,
                                size_t n, bool manifest, struct mt_fault *fault)
{
    struct mt_ar_place place = {archive->journal.place.commit + 1, 0, n};
    struct mt_buf records;
    enum mt_rc rc = MT_OK;

    if (!n)
        return MT_OK;
    mt_buf_init(&records, MT_AR_JOURNAL_MAX);
    for (; place.index < n && !rc; place.index++)
        rc = put_conv(convs[place.index], &place, manifest ? &archive->journal.manifest : NULL,
                      &records);
    rc = rc ? mt_ar_nomem(fault) : append(archive, &records, n, fault);
    mt_buf_deinit(&records);
    return rc;
}

/* ---------------------------------------------------------------- rewriting and ending */

struct live {
    struct mt_ar_place place;
    struct mt_buf *out;
};

static bool put_live(void *ud, const char *key, void *value)
{
    struct live *live = ud;
    enum mt_rc rc = put_conv(value, &live->place, NULL, live->out);

    (void)key;
    live->place.index++;
    return !rc;
}

/* What is live, as a journal of its own: a begin, and one commit of all conversations. */
static enum mt_rc put_all(const struct mt_archive *archive, struct mt_buf *out)
{
    struct mt_ar_place place = {1, 0, 1};
    struct live live = {{2, 0, mt_map_count(archive->convs)}, out};

    put_begin(archive, &place, out);
    mt_map_each(archive->convs, put_live, &live);
    return out->failed;
}

/* The new journal takes the old one's place when it is whole: a rename, then the directory. */
static enum mt_rc replace(struct mt_archive *archive, const struct mt_buf *all,
                          struct mt_fault *fault)
{
    struct mt_ar_journal *journal = &archive->journal;
    char path[MT_AR_PATH_MAX];
    uint64_t n = mt_map_count(archive->convs);

    mt_ar_path(archive, path, "CHECKPOINT");
    int err = mt_fs_replace(path, all->data, all->len);
    if (err)
        return mt_fs_fault(fault, err, "write", path);
    mt_sha256_reset(journal->hash);
    mt_sha256_update(journal->hash, all->data, all->len);
    journal->exists = true;
    journal->clean = false;
    journal->good_bytes = (int64_t)all->len;
    journal->records_n = n + 1;
    journal->place = n ? (struct mt_ar_place){2, n - 1, n} : (struct mt_ar_place){1, 0, 1};
    archive->begun = true;
    journal->run_bytes = 0;
    return open_journal(archive, fault);
}

/* Worth it when most of the journal is dead. A run that itself wrote much may rewrite it sooner, so
 * that the next one reads little; a small run does not pay for a large account. */
bool mt_ar_journal_is_due(const struct mt_archive *archive, bool ending)
{
    const struct mt_ar_journal *journal = &archive->journal;
    int64_t live_bytes = LIVE_BYTES * ((int64_t)mt_map_count(archive->convs) + 1);

    if (journal->good_bytes <= archive->compact_bytes)
        return false;
    return journal->good_bytes > MT_AR_COMPACT_FACTOR * live_bytes ||
           (ending && journal->run_bytes > live_bytes && journal->good_bytes > 2 * live_bytes);
}

enum mt_rc mt_ar_journal_rewrite(struct mt_archive *archive, struct mt_fault *fault)
{
    struct mt_buf all;
    enum mt_rc rc = MT_OK;

    mt_buf_init(&all, MT_AR_JOURNAL_MAX);
    rc = put_all(archive, &all) ? mt_ar_nomem(fault) : replace(archive, &all, fault);
    mt_buf_deinit(&all);
    return rc;
}

enum mt_rc mt_ar_journal_end(struct mt_archive *archive, struct mt_fault *fault)
{
    struct mt_buf record;
    enum mt_rc rc = MT_OK;

    mt_buf_init(&record, MT_AR_RECORD_MAX);
    rc = put_end(&archive->journal, archive->unseen, &record) ? mt_ar_nomem(fault)
                                                              : append(archive, &record, 1, fault);
    if (!rc) {
        archive->journal.clean = true;
        memcpy(archive->journal.unseen, archive->unseen, sizeof archive->unseen);
    }
    mt_buf_deinit(&record);
    return rc;
}

void mt_ar_head(const struct mt_ar_journal *journal, char out[MT_SHA256_HEX])
{
    mt_ar_hex_peek(journal->hash, out);
}

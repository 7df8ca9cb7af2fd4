/* The commit: lines into their segments, segments to the disk, then the records that make them
 * count. A group may touch more conversations than a process may hold files open, so it goes in
 * rounds; the records of all of them are one commit at the end. */
#include "archive/archive_int.h"

#include "base/fs.h"
#include "base/mem.h"

#include <string.h>

struct commit {
    struct mt_archive *archive;
    struct mt_ar_conv *open; /* of this round */
    size_t open_n;
    struct mt_ar_conv **touched; /* of all rounds */
    size_t touched_n, touched_cap;
};

/* NULL: fault says why. */
static struct mt_ar_conv *conv_of(struct mt_archive *archive, const char *conversation,
                                  struct mt_fault *fault)
{
    struct mt_ar_conv *conv = mt_map_get(archive->convs, conversation);

    if (conv)
        return conv;
    if (!*conversation || strlen(conversation) >= sizeof conv->state.conversation) {
        mt_fault_set(fault, MT_ERR_INVALID, "archive.conversation",
                     "a conversation id is empty or too long");
        return NULL;
    }
    conv = mt_ar_conv_new(conversation);
    if (!conv || mt_map_put(archive->convs, conversation, conv)) {
        mt_ar_conv_free(conv);
        mt_ar_nomem(fault);
        return NULL;
    }
    return conv;
}

static void count_messages(struct mt_ar_conv *conv, const struct mt_archive_batch *batch)
{
    struct mt_archive_state *s = &conv->state;
    struct mt_ar_counts *c = &conv->counts;

    if (!batch->messages_n)
        return;
    if (!s->messages_n) {
        memcpy(s->first_id, batch->first_id, sizeof s->first_id);
        s->first_ms = batch->first_ms;
    }
    if (!s->messages_n || batch->last_ms >= s->last_ms) {
        /* A message that came late does not move the end back. */
        memcpy(s->last_id, batch->last_id, sizeof s->last_id);
        s->last_ms = batch->last_ms;
    }
    if (!c->messages_n) {
        memcpy(c->first_id, batch->first_id, sizeof c->first_id);
        c->first_ms = batch->first_ms;
        c->last_ms = batch->last_ms;
    }
    memcpy(c->last_id, batch->last_id, sizeof c->last_id);
    if (batch->first_ms < c->first_ms)
        c->first_ms = batch->first_ms;
    if (batch->last_ms > c->last_ms)
        c->last_ms = batch->last_ms;
}

static void count(struct mt_ar_conv *conv, const struct mt_archive_batch *batch)
{
    struct mt_archive_state *s = &conv->state;

    count_messages(conv, batch);
    s->messages_n += batch->messages_n;
    s->lines_n += batch->lines_n;
    s->gaps_n += batch->gaps_n;
    conv->counts.messages_n += batch->messages_n;
    conv->counts.lines_n += batch->lines_n;
    conv->counts.gaps_n += batch->gaps_n;
    if (batch->cursor[0])
        memcpy(s->cursor, batch->cursor, sizeof s->cursor);
    if (batch->complete)
        s->gaps_n = 0;
    s->complete = batch->complete;
    if (batch->synced_ms)
        s->synced_ms = batch->synced_ms;
}

/* ---------------------------------------------------------------- rounds */

static enum mt_rc sync_conv(struct mt_archive *archive, struct mt_ar_conv *conv,
                            struct mt_fault *fault)
{
    char path[MT_AR_PATH_MAX];
    int err = 0;

    mt_ar_hex_peek(conv->hash, conv->sha256);
    if (conv->created) {
        mt_ar_path(archive, path, "conv/%s", conv->dir);
        err = mt_fs_sync_dir(path);
    }
    if (!err)
        err = mt_fs_fdatasync(conv->fd);
    if (!err)
        return MT_OK;
    mt_ar_segment_path(archive, conv, conv->segment, "", path);
    return mt_fs_fault(fault, err, "write", path);
}

/* Brings the round's segments to the disk (unless the commit has failed) and closes them. */
static enum mt_rc end_round(struct commit *commit, enum mt_rc rc, struct mt_fault *fault)
{
    while (commit->open) {
        struct mt_ar_conv *conv = commit->open;
        if (!rc)
            rc = sync_conv(commit->archive, conv, fault);
        mt_fs_close(conv->fd);
        conv->fd = -1;
        commit->open = conv->touched_next;
        conv->touched_next = NULL;
    }
    commit->open_n = 0;
    return rc;
}

static enum mt_rc open_conv(struct commit *commit, struct mt_ar_conv *conv, struct mt_fault *fault)
{
    enum mt_rc rc = MT_OK;

    if (commit->open_n == MT_AR_OPEN_MAX)
        rc = end_round(commit, rc, fault);
    /* What was committed of a full segment is sealed before more is added to the conversation. In
     * this commit it may have grown: then it waits for the next. */
    if (!rc && conv->offset >= commit->archive->options.segment_bytes && !conv->touched)
        rc = mt_ar_seal(commit->archive, conv, fault);
    if (!rc)
        rc = mt_ar_segment_open(commit->archive, conv, fault);
    if (conv->fd >= 0) {
        conv->touched_next = commit->open;
        commit->open = conv;
        commit->open_n++;
    }
    return rc;
}

static enum mt_rc note_touched(struct commit *commit, struct mt_ar_conv *conv,
                               struct mt_fault *fault)
{
    if (conv->touched)
        return MT_OK;
    if (commit->touched_n == commit->touched_cap) {
        size_t cap = commit->touched_cap ? commit->touched_cap * 2 : 16;
        struct mt_ar_conv **list = mt_mem_realloc(commit->touched, cap * sizeof(void *));
        if (!list)
            return mt_ar_nomem(fault);
        commit->touched = list;
        commit->touched_cap = cap;
    }
    commit->touched[commit->touched_n++] = conv;
    conv->touched = true;
    return MT_OK;
}

static enum mt_rc write_batch(struct commit *commit, const struct mt_archive_batch *batch,
                              struct mt_fault *fault)
{
    struct mt_ar_conv *conv = conv_of(commit->archive, batch->conversation, fault);
    char path[MT_AR_PATH_MAX];
    enum mt_rc rc = MT_OK;

    if (!conv)
        return fault->kind;
    if (batch->lines_len && conv->fd < 0)
        rc = open_conv(commit, conv, fault);
    if (!rc)
        rc = note_touched(commit, conv, fault);
    if (rc)
        return rc;
    if (batch->lines_len) {
        int err = mt_fs_write(conv->fd, batch->lines, batch->lines_len);
        if (err) {
            mt_ar_segment_path(commit->archive, conv, conv->segment, "", path);
            return mt_fs_fault(fault, err, "write", path);
        }
        mt_sha256_update(conv->hash, batch->lines, batch->lines_len);
        conv->offset += (int64_t)batch->lines_len;
    }
    count(conv, batch);
    return MT_OK;
}

enum mt_rc mt_archive_commit(struct mt_archive *archive, const struct mt_archive_batch *batches,
                             size_t n, struct mt_fault *fault)
{
    struct commit commit = {.archive = archive};
    struct mt_fault own;
    enum mt_rc rc = MT_OK;

    if (archive->broken)
        return mt_fault_set(fault, MT_ERR_STATE, "archive.broken",
                            "nothing more is written after: %.180s", archive->broken_fault.message);
    if (!n)
        return MT_OK;
    rc = mt_ar_journal_begin(archive, &own);
    for (size_t i = 0; i < n && !rc; i++)
        rc = write_batch(&commit, &batches[i], &own);
    rc = end_round(&commit, rc, &own);
    if (!rc)
        rc = mt_ar_journal_commit(archive, commit.touched, commit.touched_n, false, &own);
    if (!rc && mt_ar_journal_is_due(archive, false))
        rc = mt_ar_journal_rewrite(archive, &own);
    for (size_t i = 0; i < commit.touched_n; i++)
        commit.touched[i]->touched = false;
    mt_mem_free(commit.touched);
    if (rc) {
        mt_ar_break(archive, &own);
        if (fault)
            *fault = own;
    }
    return rc;
}

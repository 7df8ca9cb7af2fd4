/* The commit: lines into their segments, segments to the disk, then the records that make them
 * count. */
#include "archive/archive_int.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

static enum mt_rc conv_of(struct mt_archive *archive, const char *conversation,
                          struct mt_ar_conv **out, struct mt_fault *fault)
{
    struct mt_ar_conv *conv = mt_map_get(archive->convs, conversation);

    if (!conv) {
        if (!*conversation || strlen(conversation) >= sizeof conv->state.conversation)
            return mt_fault_set(fault, MT_ERR_INVALID, "archive.conversation",
                                "a conversation id is too long");
        conv = mt_ar_conv_new(conversation);
        if (!conv || mt_map_put(archive->convs, conversation, conv)) {
            mt_ar_conv_free(conv);
            return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
        }
    }
    *out = conv;
    return MT_OK;
}

static void count(struct mt_ar_conv *conv, const struct mt_archive_batch *batch)
{
    struct mt_archive_state *s = &conv->state;

    if (batch->messages_n) {
        if (!s->messages_n) {
            s->first_id = batch->first_id;
            s->first_ms = batch->first_ms;
        }
        if (!conv->segment_messages_n)
            conv->segment_first_ms = batch->first_ms;
        if (batch->last_ms >=
            s->last_ms) { /* a message that came late does not move the end back */
            s->last_id = batch->last_id;
            s->last_ms = batch->last_ms;
        }
        if (batch->last_ms > conv->segment_last_ms)
            conv->segment_last_ms = batch->last_ms;
    }
    s->messages_n += batch->messages_n;
    s->lines_n += batch->lines_n;
    s->gaps_n += batch->gaps_n;
    conv->segment_lines_n += batch->lines_n;
    conv->segment_messages_n += batch->messages_n;
    if (batch->cursor_id)
        s->cursor_id = batch->cursor_id;
    if (batch->complete)
        s->gaps_n = 0;
    s->complete = batch->complete;
    if (batch->synced_ms)
        s->synced_ms = batch->synced_ms;
}

static enum mt_rc write_batch(struct mt_archive *archive, struct mt_ar_conv *conv,
                              const struct mt_archive_batch *batch, struct mt_fault *fault)
{
    enum mt_rc rc = MT_OK;

    if (batch->lines_len) {
        if (conv->fd < 0) {
            rc = mt_ar_segment_open(archive, conv, fault);
            if (rc)
                return rc;
            if (conv->created)
                conv->segment_born_ms = mt_clock_wall_ms();
        }
        int err = mt_fs_write(conv->fd, batch->lines, batch->lines_len);
        if (err)
            return mt_fs_fault(fault, err, "write", conv->dir);
        mt_sha256_update(conv->hash, batch->lines, batch->lines_len);
        conv->offset += (int64_t)batch->lines_len;
    }
    count(conv, batch);
    return MT_OK;
}

static enum mt_rc sync_conv(struct mt_archive *archive, struct mt_ar_conv *conv,
                            struct mt_fault *fault)
{
    uint8_t sum[MT_SHA256_LEN];
    char folder[MT_AR_PATH_MAX];
    int err = 0;

    if (conv->fd < 0) {
        if (!conv->sha256[0]) {
            memset(conv->sha256, '0', sizeof conv->sha256 - 1);
            conv->sha256[sizeof conv->sha256 - 1] = '\0';
        }
        return MT_OK;
    }
    mt_sha256_peek(conv->hash, sum);
    mt_hex(sum, sizeof sum, conv->sha256);
    if (conv->created) {
        mt_ar_path(archive, folder, "conv/%s", conv->dir);
        err = mt_fs_sync_dir(folder);
    }
    if (!err)
        err = mt_fs_fdatasync(conv->fd);
    return err ? mt_fs_fault(fault, err, "write", conv->dir) : MT_OK;
}

static void forget(struct mt_ar_conv *touched)
{
    while (touched) {
        struct mt_ar_conv *next = touched->touched_next;
        if (touched->fd >= 0)
            mt_fs_close(touched->fd);
        touched->fd = -1;
        touched->touched = false;
        touched->touched_next = NULL;
        touched = next;
    }
}

enum mt_rc mt_archive_commit(struct mt_archive *archive, const struct mt_archive_batch *batches,
                             size_t n, struct mt_fault *fault)
{
    struct mt_ar_conv *touched = NULL;
    struct mt_buf records;
    enum mt_rc rc = MT_OK;

    if (archive->broken)
        return mt_fault_set(fault, MT_ERR_STATE, "archive.broken",
                            "nothing more is written after: %.180s", archive->broken_fault.message);
    mt_buf_init(&records, MT_AR_JOURNAL_MAX);
    rc = mt_ar_journal_begin(archive, fault);
    for (size_t i = 0; i < n && !rc; i++) {
        struct mt_ar_conv *conv = NULL;
        rc = conv_of(archive, batches[i].conversation, &conv, fault);
        if (rc || !conv)
            break;
        if (!conv->touched) {
            conv->touched = true;
            conv->touched_next = touched;
            touched = conv;
        }
        rc = write_batch(archive, conv, &batches[i], fault);
    }
    for (struct mt_ar_conv *conv = touched; conv && !rc; conv = conv->touched_next) {
        rc = sync_conv(archive, conv, fault);
        if (!rc && mt_ar_journal_put_conv(conv, NULL, &records))
            rc = mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    }
    if (!rc)
        rc = mt_ar_journal_append(archive, &records, fault);
    forget(touched);
    mt_buf_deinit(&records);
    if (rc)
        mt_ar_break(archive, fault);
    return rc;
}

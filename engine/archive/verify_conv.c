/* The conversations of an archive: their segments, their ids, their folders. */
#include "archive/verify_int.h"

#include "base/fs.h"
#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int by_key(const void *a, const void *b)
{
    const struct mt_ar_id_key *x = a;
    const struct mt_ar_id_key *y = b;

    if (x->high != y->high)
        return x->high < y->high ? -1 : 1;
    return x->low < y->low ? -1 : x->low > y->low;
}

static void check_ids(struct mt_ar_verify *v)
{
    const struct mt_archive_state *s = &v->conv->state;
    uint64_t twice_n = 0;
    struct mt_ar_id_key last = mt_ar_id_key(*s->last_id ? s->last_id : "0");
    bool last_found = !s->messages_n;

    if (v->ids_n && strcmp(v->first_id, s->first_id) != 0)
        mt_ar_verify_find(v, true, "%s: the first message is not the one that the checkpoint names",
                          s->conversation);
    if (v->ids_n > 1)
        qsort(v->ids, v->ids_n, sizeof *v->ids, by_key);
    for (size_t i = 0; i < v->ids_n; i++) {
        if (i && !by_key(&v->ids[i], &v->ids[i - 1]))
            twice_n++;
        last_found = last_found || !by_key(&v->ids[i], &last);
    }
    if (twice_n)
        mt_ar_verify_find(v, true, "%s: %llu messages are there twice", s->conversation,
                          (unsigned long long)twice_n);
    if (!last_found)
        mt_ar_verify_find(v, true, "%s: the last message that the checkpoint names is not there",
                          s->conversation);
}

static void check_content(struct mt_ar_verify *v)
{
    const struct mt_archive_state *s = &v->conv->state;

    if (v->bad_lines_n)
        mt_ar_verify_find(v, true, "%s: %llu lines make no sense", s->conversation,
                          (unsigned long long)v->bad_lines_n);
    if (v->lines_n != s->lines_n || v->messages_n != s->messages_n)
        mt_ar_verify_find(
            v, true, "%s: %llu messages in %llu lines, the checkpoint says %llu in %llu",
            s->conversation, (unsigned long long)v->messages_n, (unsigned long long)v->lines_n,
            (unsigned long long)s->messages_n, (unsigned long long)s->lines_n);
    check_ids(v);
}

static bool check_conv(void *ud, const char *key, void *value)
{
    struct mt_ar_verify *v = ud;
    const struct mt_ar_conv *conv = value;
    const struct mt_archive_state *s = &conv->state;

    (void)key;
    v->conv = conv;
    v->lines_n = v->messages_n = v->bad_lines_n = 0;
    v->ids_n = 0;
    for (const struct mt_ar_sealed *sealed = conv->sealed; sealed && !v->rc; sealed = sealed->next)
        mt_ar_verify_sealed(v, sealed);
    if (!v->rc)
        mt_ar_verify_open(v);
    if (!v->rc && v->mode == MT_VERIFY_READ_ALL)
        check_content(v);
    /* Without an end the verdict is "unfinished" anyway; then only written gaps are worth a line.
     */
    if (!s->complete && (s->gaps_n || v->archive.journal.clean))
        mt_ar_verify_find(v, false,
                          "%s: not complete: the cloud's history was not read to its end, or "
                          "ranges were left out",
                          s->conversation);
    v->report->conversations_n++;
    v->report->messages_n += s->messages_n;
    v->report->lines_n += s->lines_n;
    v->report->gaps_n += s->gaps_n;
    return !v->rc;
}

/* ---------------------------------------------------------------- folders */

static void check_folder(struct mt_ar_verify *v, const char *dir, const struct mt_ar_conv *conv)
{
    char folder[MT_AR_PATH_MAX];
    char **names = NULL;
    size_t n = 0;

    mt_ar_path(&v->archive, folder, "conv/%s", dir);
    if (!conv)
        mt_ar_verify_find(v, true, "conv/%s: does not belong to the archive", dir);
    else if (mt_fs_list(folder, &names, &n))
        mt_ar_verify_find(v, true, "conv/%s: cannot be read", dir);
    for (size_t i = 0; i < n; i++) {
        if (mt_ar_file_of(conv, names[i]) != MT_AR_FILE_OURS)
            mt_ar_verify_find(v, true, "conv/%s/%s: does not belong to the archive", dir, names[i]);
    }
    mt_mem_free(names);
}

static void check_folders(struct mt_ar_verify *v)
{
    char folder[MT_AR_PATH_MAX];
    struct mt_map *known = mt_ar_folders(&v->archive);
    char **names = NULL;
    size_t n = 0;

    if (!known) {
        v->rc = MT_ERR_NOMEM;
        return;
    }
    mt_ar_path(&v->archive, folder, "conv");
    int err = mt_fs_list(folder, &names, &n);
    if (err && err != ENOENT) /* what is missing in it is found by its own check */
        mt_ar_verify_find(v, true, "conv: cannot be read");
    for (size_t i = 0; i < n; i++)
        check_folder(v, names[i], mt_map_get(known, names[i]));
    mt_mem_free(names);
    mt_map_free(known, NULL);
}

static bool add_bytes(void *ud, const char *key, void *value)
{
    struct mt_ar_verify *v = ud;
    const struct mt_ar_conv *conv = value;

    (void)key;
    v->total_bytes += conv->offset;
    for (const struct mt_ar_sealed *sealed = conv->sealed; sealed; sealed = sealed->next)
        v->total_bytes += sealed->bytes;
    return true;
}

void mt_ar_verify_convs(struct mt_ar_verify *v)
{
    mt_map_each(v->archive.convs, add_bytes, v);
    mt_map_each(v->archive.convs, check_conv, v);
    if (!v->rc && v->archive.journal.clean) /* leftovers are what recovery is for */
        check_folders(v);
}

/* The conversation list (rongcloud.md 5.2). */
#include "sandbox/rongcloud/cloud_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include "sandbox/rongcloud/pb_int.h"

#include <stdio.h>
#include <stdlib.h>

#define BATCH_MAX 100
#define COUNT_MAX 1000

struct row {
    const struct mt_sr_view *view;
    const struct mt_sr_message *last;
};

static bool memory_mode(const struct mt_sr_options *options)
{
    return options->ultra > 0 && options->session_cfg > 0 && (options->ultra & 1) != 0 &&
           (options->session_cfg & 1) != 0;
}

static bool of_type(const struct mt_sr_ask *ask, const Rongcloud__RelationQryInput *in,
                    const struct mt_sr_thread *thread)
{
    for (size_t i = 0; i < in->n_channeltype; i++) {
        if ((int)in->channeltype[i] == (int)thread->type)
            return true;
    }
    if (in->n_channeltype != 0)
        return false;
    if (in->has_type)
        return (int)in->type == (int)thread->type;
    switch (thread->type) {
    case MT_SR_PRIVATE:
    case MT_SR_GROUP:
    case MT_SR_SYSTEM:
    case MT_SR_APP_PUBLIC:
    case MT_SR_PUBLIC:
        return true;
    case MT_SR_ULTRA: /* its default channel alone */
        return memory_mode(&ask->cloud->options) && thread->channel[0] == '\0';
    default:
        return false;
    }
}

static int newest_first(const void *a, const void *b)
{
    const struct row *left = a;
    const struct row *right = b;
    if (left->last->ts_ms != right->last->ts_ms)
        return left->last->ts_ms > right->last->ts_ms ? -1 : 1;
    return left->last->seq > right->last->seq ? -1 : 1;
}

/* All that the server keeps for the user, newest first; what is beyond the cap is not there. */
static size_t collect(const struct mt_sr_ask *ask, const Rongcloud__RelationQryInput *in,
                      struct row *rows)
{
    size_t n = 0;
    size_t cap = (size_t)ask->cloud->options.list_cap;
    for (size_t i = 0; i < ask->user->view_n; i++) {
        const struct mt_sr_view *view = ask->user->views[i];
        if (!view->member || !of_type(ask, in, view->thread))
            continue;
        const struct mt_sr_message *last = mt_sr_view_last(&ask->cloud->store, view);
        if (last != NULL && last->ts_ms > view->hidden_ms)
            rows[n++] = (struct row){.view = view, .last = last};
    }
    if (n != 0)
        qsort(rows, n, sizeof *rows, newest_first);
    return n > cap ? cap : n;
}

void mt_sr_relation_write(const struct mt_sr_cloud *cloud, const struct mt_sr_view *view,
                          const struct mt_sr_message *last, struct mt_buf *out)
{
    struct mt_sr_unread unread;
    char uid[MT_SR_UID_MAX];
    mt_sr_view_unread(&cloud->store, view, &unread);
    mt_sr_pb_u64(out, 1, view->thread->type);
    mt_sr_pb_str(out, 2, view->target);
    if (last != NULL) {
        size_t at = mt_sr_pb_begin(out, 3);
        mt_sr_message_write(&cloud->store, view, last, out);
        mt_sr_pb_end(out, at);
    }
    mt_sr_pb_i64(out, 4, view->read_ms);
    mt_sr_pb_u64(out, 5, unread.n);
    const char *channel = mt_sr_thread_channel(&cloud->store, view->thread);
    if (channel[0] != '\0')
        mt_sr_pb_str(out, 6, channel);
    if (last != NULL)
        mt_sr_pb_i64(out, 7, last->ts_ms);
    mt_sr_pb_u64(out, 8, unread.mentions);
    if (unread.first != NULL && view->thread->type == MT_SR_ULTRA) {
        size_t at = mt_sr_pb_begin(out, 10);
        mt_sr_uid(unread.first, uid);
        mt_sr_pb_str(out, 1, uid);
        mt_sr_pb_i64(out, 2, unread.first->ts_ms);
        mt_sr_pb_end(out, at);
    }
    mt_sr_pb_u64(out, 11, unread.mentions_me);
}

static void put(const struct mt_sr_ask *ask, const struct row *row)
{
    struct mt_buf *out = &ask->cloud->inner;
    size_t at = mt_sr_pb_begin(out, 1);
    mt_sr_relation_write(ask->cloud, row->view, row->last, out);
    mt_sr_pb_end(out, at);
}

static void list(struct mt_sr_ask *ask, const Rongcloud__RelationQryInput *in, struct row *rows,
                 bool tokens)
{
    char token[24];
    struct mt_buf *out = &ask->cloud->inner;
    size_t n = collect(ask, in, rows);
    size_t count = in->has_count && in->count > 0 ? (size_t)in->count : COUNT_MAX;
    bool ascending = in->has_order && in->order == 1;
    int64_t start_ms = in->has_starttime ? in->starttime : 0;
    int64_t pull_ms = start_ms;
    size_t done = 0;
    bool more = false;
    if (count > COUNT_MAX)
        count = COUNT_MAX;
    if (ask->pick.trouble == MT_SR_TROUBLE_EMPTY) {
        n = 0;
        more = true;
    }
    mt_buf_reset(out);
    for (size_t i = 0; i < n; i++) {
        const struct row *row = &rows[ascending ? n - 1 - i : i];
        bool beyond =
            ascending ? row->last->ts_ms > start_ms : start_ms == 0 || row->last->ts_ms < start_ms;
        if (!beyond)
            continue;
        if (done == count) {
            more = true;
            break;
        }
        put(ask, row);
        if (ask->pick.trouble != MT_SR_TROUBLE_STUCK)
            pull_ms = row->last->ts_ms;
        done++;
    }
    mt_sr_pb_u64(out, 2, !more);
    mt_sr_pb_i64(out, 3, pull_ms);
    if (tokens && more) {
        (void)snprintf(token, sizeof token, "%lld", (long long)pull_ms);
        mt_sr_pb_str(out, 6, token);
        mt_sr_pb_str(ask->out, 6, token);
    }
    mt_sr_answer_inner(ask, in->has_compressioenabled && in->compressioenabled, 4, 5);
}

void mt_sr_list(struct mt_sr_ask *ask, const Rongcloud__RelationQryInput *in, bool tokens)
{
    struct row *rows = mt_mem_calloc(ask->user->view_n + 1, sizeof *rows);
    if (rows == NULL)
        ask->status = MT_SR_SERVER;
    else
        list(ask, in, rows, tokens);
    mt_mem_free(rows);
}

void mt_sr_do_list(struct mt_sr_ask *ask)
{
    Rongcloud__RelationQryInput *in = rongcloud__relation_qry_input__unpack(NULL, ask->len, ask->p);
    if (in == NULL) {
        ask->status = MT_SR_PARAMETER;
        return;
    }
    mt_sr_list(ask, in, false);
    rongcloud__relation_qry_input__free_unpacked(in, NULL);
}

void mt_sr_do_list_batch(struct mt_sr_ask *ask)
{
    struct mt_buf *out = &ask->cloud->inner;
    Rongcloud__RelationDelBatchReq *in =
        rongcloud__relation_del_batch_req__unpack(NULL, ask->len, ask->p);
    if (in == NULL || in->n_relation > BATCH_MAX) {
        ask->status = MT_SR_PARAMETER;
        goto out;
    }
    mt_buf_reset(out);
    for (size_t i = 0; i < in->n_relation; i++) {
        const Rongcloud__RelationOpInput *one = in->relation[i];
        struct row row = {.view = mt_sr_view_find(&ask->cloud->store, ask->user,
                                                  (int)one->conversationtype, one->conversationid,
                                                  one->buschannel)};
        if (row.view != NULL)
            row.last = mt_sr_view_last(&ask->cloud->store, row.view);
        if (row.last != NULL)
            put(ask, &row);
    }
    mt_sr_pb_u64(out, 2, 1);
    if (out->failed == MT_OK)
        (void)mt_buf_append(ask->out, out->data, out->len);
out:
    if (in != NULL)
        rongcloud__relation_del_batch_req__free_unpacked(in, NULL);
}

/* Whoever removed a conversation sees it again when something newer comes; what was set for it
 * stays (rongcloud.md 5.2). */
void mt_sr_do_remove(struct mt_sr_ask *ask)
{
    Rongcloud__RelationDelBatchReq *in =
        rongcloud__relation_del_batch_req__unpack(NULL, ask->len, ask->p);
    if (in == NULL || in->n_relation > BATCH_MAX)
        ask->status = MT_SR_PARAMETER;
    for (size_t i = 0; ask->status == 0 && i < in->n_relation; i++) {
        const Rongcloud__RelationOpInput *one = in->relation[i];
        struct mt_sr_view *view =
            mt_sr_view_find(&ask->cloud->store, ask->user, (int)one->conversationtype,
                            one->conversationid, one->buschannel);
        if (view == NULL || view->thread->n == 0)
            continue;
        view->hidden_ms = view->thread->messages[view->thread->n - 1]->ts_ms;
        if (in->has_cleanmsg && in->cleanmsg)
            view->cleared_ms = view->hidden_ms;
    }
    if (in != NULL)
        rongcloud__relation_del_batch_req__free_unpacked(in, NULL);
}

/* Channels of ultra groups, by the time of their newest message, from the oldest on. */
void mt_sr_do_pull_ultra_list(struct mt_sr_ask *ask)
{
    struct mt_buf *out = &ask->cloud->inner;
    Rongcloud__UltraGrpPullSes *in = rongcloud__ultra_grp_pull_ses__unpack(NULL, ask->len, ask->p);
    struct row *rows = mt_mem_calloc(ask->user->view_n + 1, sizeof *rows);
    size_t n = 0;
    size_t done = 0;
    if (in == NULL || rows == NULL) {
        ask->status = in == NULL ? MT_SR_PARAMETER : MT_SR_SERVER;
        goto out;
    }
    for (size_t i = 0; i < ask->user->view_n; i++) {
        const struct mt_sr_view *view = ask->user->views[i];
        struct row row = {.view = view, .last = mt_sr_view_last(&ask->cloud->store, view)};
        if (view->thread->type == MT_SR_ULTRA && view->member && row.last != NULL &&
            row.last->ts_ms > in->synctime && row.last->ts_ms > view->hidden_ms)
            rows[n++] = row;
    }
    if (n != 0)
        qsort(rows, n, sizeof *rows, newest_first);
    mt_buf_reset(out);
    /* a page does not end between two of the same time */
    int64_t last_ms = in->synctime;
    while (done < n && (done < BATCH_MAX || rows[n - 1 - done].last->ts_ms == last_ms)) {
        last_ms = rows[n - 1 - done].last->ts_ms;
        put(ask, &rows[n - 1 - done++]);
    }
    mt_sr_pb_u64(out, 2, done == n);
    mt_sr_pb_i64(out, 3, last_ms);
    if (out->failed == MT_OK)
        (void)mt_buf_append(ask->out, out->data, out->len);
out:
    mt_mem_free(rows);
    if (in != NULL)
        rongcloud__ultra_grp_pull_ses__free_unpacked(in, NULL);
}

/* Realtime conversations, where the server counts for every conversation (rongcloud.md 3), and what
 * an ultra group sets for all. */
#include "sandbox/rongcloud/cloud_int.h"

#include "base/str.h"
#include "sandbox/rongcloud/pb_int.h"

#include <string.h>

#define BATCH_MAX 100

static bool counted(const struct mt_sr_view *view)
{
    enum mt_sr_type type = view->thread->type;
    return view->member && type != MT_SR_ROOM && type != MT_SR_ULTRA;
}

void mt_sr_do_sessions_total(struct mt_sr_ask *ask)
{
    int64_t inbox_ms = 0;
    int64_t sendbox_ms = 0;
    uint64_t total = 0;
    for (size_t i = 0; i < ask->user->view_n; i++) {
        const struct mt_sr_view *view = ask->user->views[i];
        const struct mt_sr_message *last = mt_sr_view_last(&ask->cloud->store, view);
        struct mt_sr_unread unread;
        if (!counted(view) || last == NULL)
            continue;
        mt_sr_view_unread(&ask->cloud->store, view, &unread);
        total += unread.n;
        int64_t *box_ms = last->from == ask->user->index ? &sendbox_ms : &inbox_ms;
        if (last->ts_ms > *box_ms)
            *box_ms = last->ts_ms;
    }
    mt_sr_pb_i64(ask->out, 1, inbox_ms);
    mt_sr_pb_i64(ask->out, 2, sendbox_ms);
    mt_sr_pb_u64(ask->out, 3, total);
}

void mt_sr_do_sessions_unread(struct mt_sr_ask *ask)
{
    Rongcloud__QuerySessionsInput *in =
        rongcloud__query_sessions_input__unpack(NULL, ask->len, ask->p);
    if (in == NULL || in->n_sessions > BATCH_MAX)
        ask->status = MT_SR_PARAMETER;
    for (size_t i = 0; ask->status == 0 && i < in->n_sessions; i++) {
        const Rongcloud__SessionInfo *one = in->sessions[i];
        const struct mt_sr_view *view = mt_sr_view_find(
            &ask->cloud->store, ask->user, (int)one->type, one->channelid, one->buschannel);
        struct mt_sr_unread unread = {0};
        if (view != NULL)
            mt_sr_view_unread(&ask->cloud->store, view, &unread);
        size_t at = mt_sr_pb_begin(ask->out, 1);
        mt_sr_pb_u64(ask->out, 1, (uint64_t)one->type);
        mt_sr_pb_str(ask->out, 2, one->channelid);
        mt_sr_pb_u64(ask->out, 3, unread.n);
        if (one->buschannel != NULL)
            mt_sr_pb_str(ask->out, 4, one->buschannel);
        mt_sr_pb_end(ask->out, at);
    }
    if (in != NULL)
        rongcloud__query_sessions_input__free_unpacked(in, NULL);
}

void mt_sr_do_sessions_delete(struct mt_sr_ask *ask)
{
    Rongcloud__DeleteSessionsInput *in =
        rongcloud__delete_sessions_input__unpack(NULL, ask->len, ask->p);
    if (in == NULL || in->n_sessions > BATCH_MAX)
        ask->status = MT_SR_PARAMETER;
    for (size_t i = 0; ask->status == 0 && i < in->n_sessions; i++) {
        const Rongcloud__SessionInfo *one = in->sessions[i];
        struct mt_sr_view *view = mt_sr_view_find(&ask->cloud->store, ask->user, (int)one->type,
                                                  one->channelid, one->buschannel);
        if (view != NULL && view->thread->n != 0)
            view->hidden_ms = view->thread->messages[view->thread->n - 1]->ts_ms;
    }
    if (in != NULL)
        rongcloud__delete_sessions_input__free_unpacked(in, NULL);
}

/* The list by pages with a token, which is the time that the next page is asked from. */
void mt_sr_do_list_filtered(struct mt_sr_ask *ask)
{
    Rongcloud__RelationQryFilter *in =
        rongcloud__relation_qry_filter__unpack(NULL, ask->len, ask->p);
    Rongcloud__RelationQryInput plain = RONGCLOUD__RELATION_QRY_INPUT__INIT;
    uint64_t start_ms = 0;
    if (in == NULL || (in->pagetoken != NULL && in->pagetoken[0] != '\0' &&
                       !mt_str_u64(in->pagetoken, &start_ms))) {
        ask->status = MT_SR_PARAMETER;
        goto out;
    }
    plain.has_count = in->has_count;
    plain.count = in->count;
    plain.has_order = in->has_order;
    plain.order = in->order;
    plain.has_starttime = true;
    plain.starttime = (int64_t)(start_ms & INT64_MAX);
    plain.n_channeltype = in->n_type;
    plain.channeltype = in->type;
    plain.has_compressioenabled = in->has_compress;
    plain.compressioenabled = in->compress;
    mt_sr_list(ask, &plain, true);
out:
    if (in != NULL)
        rongcloud__relation_qry_filter__free_unpacked(in, NULL);
}

/* The level that an ultra group, or one of its channels, has for everybody. */
void mt_sr_do_ultra_level(struct mt_sr_ask *ask)
{
    Rongcloud__GroupUnpushQuery *query = NULL;
    Rongcloud__GroupUnpushSet *in = NULL;
    bool put = strcmp(ask->topic, "ugUnpushSet") == 0;
    if (put)
        in = rongcloud__group_unpush_set__unpack(NULL, ask->len, ask->p);
    else
        query = rongcloud__group_unpush_query__unpack(NULL, ask->len, ask->p);
    const char *channel =
        put ? (in == NULL ? NULL : in->buschannel) : (query == NULL ? NULL : query->buschannel);
    struct mt_sr_thread *thread =
        mt_sr_thread_group(&ask->cloud->store, MT_SR_ULTRA, ask->target, channel, false);
    if (in == NULL && query == NULL) {
        ask->status = MT_SR_PARAMETER;
    } else if (thread == NULL || mt_sr_view_of(&ask->cloud->store, ask->user, thread) == NULL) {
        ask->status = MT_SR_NOT_IN_ULTRA;
    } else if (put) {
        thread->level = in->unpushlevel;
    } else {
        mt_sr_pb_str(ask->out, 1, ask->target);
        mt_sr_pb_str(ask->out, 2, channel == NULL ? "" : channel);
        mt_sr_pb_i64(ask->out, 3, thread->level);
    }
    if (in != NULL)
        rongcloud__group_unpush_set__free_unpacked(in, NULL);
    if (query != NULL)
        rongcloud__group_unpush_query__free_unpacked(query, NULL);
}

/* qryUgUal: unread messages of a channel that mention the user. */
void mt_sr_do_ultra_mentions(struct mt_sr_ask *ask)
{
    char uid[MT_SR_UID_MAX];
    const struct mt_sr_store *store = &ask->cloud->store;
    Rongcloud__QryRemindListReq *in =
        rongcloud__qry_remind_list_req__unpack(NULL, ask->len, ask->p);
    if (in == NULL) {
        ask->status = MT_SR_PARAMETER;
        return;
    }
    const struct mt_sr_view *view =
        mt_sr_view_find(&ask->cloud->store, ask->user, MT_SR_ULTRA, in->groupid, in->buschannel);
    int64_t from_ms = in->has_msgtime && in->msgtime > 0 ? in->msgtime - 1 : 0;
    size_t max =
        in->has_size && in->size > 0 && in->size < BATCH_MAX ? (size_t)in->size : BATCH_MAX;
    size_t done = 0;
    if (view == NULL)
        ask->status = MT_SR_NOT_IN_ULTRA;
    else if (from_ms < view->read_ms)
        from_ms = view->read_ms;
    for (size_t i = view == NULL ? 0 : mt_sr_thread_after(view->thread, from_ms);
         view != NULL && i < view->thread->n && done < max; i++) {
        const struct mt_sr_message *message = view->thread->messages[i];
        if ((message->flags & MT_SR_MENTION) == 0 || message->from == ask->user->index ||
            !mt_sr_visible(store, view, message))
            continue;
        size_t at = mt_sr_pb_begin(ask->out, 1);
        mt_sr_uid(message, uid);
        mt_sr_pb_str(ask->out, 1, uid);
        mt_sr_pb_i64(ask->out, 2, message->ts_ms);
        mt_sr_pb_end(ask->out, at);
        done++;
    }
    rongcloud__qry_remind_list_req__free_unpacked(in, NULL);
}

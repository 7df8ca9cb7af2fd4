/* History and its deletion (rongcloud.md 5.3). */
#include "sandbox/rongcloud/cloud_int.h"

#include "base/clock.h"
#include "sandbox/rongcloud/pb_int.h"

#define PAGE_MAX   100
#define DELETE_MAX 100

struct page {
    const struct mt_sr_message *items[PAGE_MAX + 2];
    size_t n;
    bool more;
};

static bool listed(const struct mt_sr_store *store, const struct mt_sr_view *view,
                   const struct mt_sr_message *message, bool no_commands)
{
    return (message->flags & MT_SR_PERSIST) != 0 &&
           !(no_commands && (message->flags & MT_SR_COMMAND) != 0) &&
           mt_sr_visible(store, view, message);
}

/* Order 0: older than the time, newest first; order 1: newer, oldest first. */
static void read_page(const struct mt_sr_store *store, const struct mt_sr_view *view,
                      const Rongcloud__HistoryMsgInput *in, size_t count, struct page *page)
{
    const struct mt_sr_thread *thread = view->thread;
    bool no_commands = in->has_ignorecmd && in->ignorecmd;
    bool newer = in->has_order && in->order == 1;
    int64_t time_ms = in->has_time ? in->time : 0;
    size_t at = 0;
    if (newer)
        at = mt_sr_thread_after(thread, time_ms);
    else
        at = time_ms == 0 ? thread->n : mt_sr_thread_after(thread, time_ms - 1);
    while (newer ? at < thread->n : at > 0) {
        const struct mt_sr_message *message = thread->messages[newer ? at++ : --at];
        if (message->ts_ms <= view->cleared_ms && !newer)
            break;
        const struct mt_sr_stretch *gone = mt_sr_view_gone(view, message);
        if (gone != NULL) { /* as a whole: most of a history may have been deleted */
            at = newer ? mt_sr_thread_behind(thread, gone->last)
                       : mt_sr_thread_at(thread, gone->first);
            continue;
        }
        if (!listed(store, view, message, no_commands))
            continue;
        if (page->n == count) {
            page->more = true;
            break;
        }
        page->items[page->n++] = message;
    }
}

static void spoil(enum mt_sr_trouble trouble, struct page *page)
{
    if (page->n == 0)
        return;
    const struct mt_sr_message *first = page->items[0];
    switch (trouble) {
    case MT_SR_TROUBLE_DISORDER:
        page->items[0] = page->items[page->n - 1];
        page->items[page->n - 1] = first;
        break;
    case MT_SR_TROUBLE_DROP:
        for (size_t at = page->n / 2; at + 1 < page->n; at++)
            page->items[at] = page->items[at + 1];
        page->n--;
        break;
    case MT_SR_TROUBLE_DUPLICATE:
        page->items[page->n] = page->items[page->n - 1];
        page->n++;
        break;
    case MT_SR_TROUBLE_EMPTY:
        page->n = 0;
        page->more = true;
        break;
    default:
        break;
    }
}

static void answer(struct mt_sr_ask *ask, const struct mt_sr_view *view, const struct page *page,
                   const Rongcloud__HistoryMsgInput *in)
{
    struct mt_buf *out = &ask->cloud->inner;
    int64_t sync_ms =
        page->n == 0 ? (in->has_time ? in->time : 0) : page->items[page->n - 1]->ts_ms;
    mt_buf_reset(out);
    for (size_t i = 0; i < page->n; i++) {
        size_t at = mt_sr_pb_begin(out, 1);
        mt_sr_message_write(&ask->cloud->store, view, page->items[i], out);
        mt_sr_pb_end(out, at);
    }
    mt_sr_pb_i64(out, 2, sync_ms);
    mt_sr_pb_u64(out, 3, page->more);
    mt_sr_pb_i64(ask->out, 2, sync_ms);
    mt_sr_pb_u64(ask->out, 3, page->more);
    mt_sr_answer_inner(ask, in->has_compressioenabled && in->compressioenabled, 6, 7);
}

/* repeat: the page before comes again. Another page of the conversation may have been asked for
 * meanwhile: never one ahead. */
static void note_asked(struct mt_sr_view *view, Rongcloud__HistoryMsgInput *in, bool repeat)
{
    int64_t before_ms = view->asked_ms;
    int64_t asked_ms = in->has_time ? in->time : 0;
    bool newer = in->has_order && in->order == 1;
    bool behind =
        newer ? before_ms != 0 && before_ms < asked_ms : before_ms == 0 || before_ms > asked_ms;

    view->asked_ms = asked_ms;
    if (repeat && behind)
        in->time = before_ms; /* 0: the newest end */
}

void mt_sr_history(struct mt_sr_ask *ask, Rongcloud__HistoryMsgInput *in, int type,
                   const char *target)
{
    struct page page = {.n = 0};
    int64_t count = in->has_count ? in->count : 20;
    struct mt_sr_view *view =
        mt_sr_view_find(&ask->cloud->store, ask->user, type, target, in->buschannel);
    if (ask->cloud->options.no_roaming > 0)
        ask->status = MT_SR_ROAMING_OFF;
    else if (count < 1 || count > PAGE_MAX || target == NULL)
        ask->status = MT_SR_PARAMETER;
    else if (type == MT_SR_GROUP && ask->cloud->hooks.strict && (view == NULL || !view->member))
        ask->status = MT_SR_NOT_IN_GROUP;
    if (ask->status != 0)
        return;
    if (view != NULL)
        note_asked(view, in, ask->pick.trouble == MT_SR_TROUBLE_REPEAT);
    if (view != NULL)
        read_page(&ask->cloud->store, view, in, (size_t)count, &page);
    spoil(ask->pick.trouble, &page);
    if (view != NULL)
        answer(ask, view, &page, in);
    if (view == NULL) {
        mt_sr_pb_i64(ask->out, 2, in->has_time ? in->time : 0);
        mt_sr_pb_u64(ask->out, 3, 0);
    }
}

void mt_sr_do_history(struct mt_sr_ask *ask)
{
    Rongcloud__HistoryMsgInput *in = rongcloud__history_msg_input__unpack(NULL, ask->len, ask->p);
    if (in == NULL) {
        ask->status = MT_SR_PARAMETER;
        return;
    }
    mt_sr_history(ask, in, mt_sr_topic_type(ask->topic), in->targetid);
    rongcloud__history_msg_input__free_unpacked(in, NULL);
}

void mt_sr_do_by_uid(struct mt_sr_ask *ask)
{
    struct mt_sr_store *store = &ask->cloud->store;
    Rongcloud__MsgQuery *in = rongcloud__msg_query__unpack(NULL, ask->len, ask->p);
    if (in == NULL || in->n_query > PAGE_MAX) {
        ask->status = MT_SR_PARAMETER;
        goto out;
    }
    for (size_t i = 0; i < in->n_query; i++) {
        const struct mt_sr_message *message = mt_sr_message_find(store, in->query[i]->msguid);
        const struct mt_sr_view *view = mt_sr_view_find(store, ask->user, (int)in->type,
                                                        in->targetid, in->query[i]->buschannel);
        if (message == NULL || view == NULL || view->thread->index != message->thread ||
            !mt_sr_visible(store, view, message)) {
            mt_sr_pb_str(ask->out, 2, in->query[i]->msguid);
            continue;
        }
        size_t at = mt_sr_pb_begin(ask->out, 1);
        mt_sr_message_write(store, view, message, ask->out);
        mt_sr_pb_end(ask->out, at);
    }
out:
    if (in != NULL)
        rongcloud__msg_query__free_unpacked(in, NULL);
}

/* What of the request is to be deleted: what an id names, if it is in that conversation; other ids
 * are passed over. */
static size_t collect(const struct mt_sr_ask *ask, const Rongcloud__DeleteMsgInput *in,
                      const struct mt_sr_view *view, uint32_t seqs[DELETE_MAX])
{
    size_t n = 0;
    for (size_t i = 0; view != NULL && i < in->n_msgs; i++) {
        const struct mt_sr_message *message =
            mt_sr_message_find(&ask->cloud->store, in->msgs[i]->msgid);
        bool named = message != NULL && message->thread == view->thread->index &&
                     (!in->msgs[i]->has_msgdatatime || in->msgs[i]->msgdatatime == message->ts_ms);
        if (named && (ask->pick.trouble != MT_SR_TROUBLE_HALF || i % 2 == 0))
            seqs[n++] = message->seq;
    }
    return ask->pick.trouble == MT_SR_TROUBLE_LIE ? 0 : n;
}

void mt_sr_do_delete(struct mt_sr_ask *ask)
{
    uint32_t seqs[DELETE_MAX];
    struct mt_sr_store *store = &ask->cloud->store;
    Rongcloud__DeleteMsgInput *in = rongcloud__delete_msg_input__unpack(NULL, ask->len, ask->p);
    if (in == NULL || in->n_msgs == 0 || in->n_msgs > DELETE_MAX || !in->has_type) {
        ask->status = MT_SR_PARAMETER;
        goto out;
    }
    struct mt_sr_view *view =
        mt_sr_view_find(store, ask->user, (int)in->type, in->conversationid, in->buschannel);
    size_t n = collect(ask, in, view, seqs);
    if (ask->pick.trouble == MT_SR_TROUBLE_LATE && n > 0) {
        if (mt_sr_postpone(ask, view, seqs, n) != MT_OK)
            ask->status = MT_SR_SERVER;
        goto out;
    }
    for (size_t i = 0; i < n; i++) {
        if (mt_sr_view_forget(view, store->log[seqs[i]]) != MT_OK)
            ask->status = MT_SR_SERVER;
    }
out:
    if (in != NULL)
        rongcloud__delete_msg_input__free_unpacked(in, NULL);
}

static void clean(struct mt_sr_ask *ask, const Rongcloud__CleanHisMsgInput *in, int type)
{
    if (in->has_conversationtype)
        type = in->conversationtype;
    struct mt_sr_view *view =
        mt_sr_view_find(&ask->cloud->store, ask->user, type, in->targetid, in->buschannel);
    if (view == NULL)
        return;
    const struct mt_sr_thread *thread = view->thread;
    int64_t upto_ms = in->datatime;
    if (upto_ms <= 0)
        upto_ms = thread->n == 0 ? 0 : thread->messages[thread->n - 1]->ts_ms;
    if (upto_ms > view->cleared_ms)
        view->cleared_ms = upto_ms;
}

void mt_sr_do_clean(struct mt_sr_ask *ask)
{
    Rongcloud__CleanHisMsgInput *in =
        rongcloud__clean_his_msg_input__unpack(NULL, ask->len, ask->p);
    if (in == NULL) {
        ask->status = MT_SR_PARAMETER;
        return;
    }
    clean(ask, in, mt_sr_topic_type(ask->topic));
    rongcloud__clean_his_msg_input__free_unpacked(in, NULL);
}

void mt_sr_do_clean_batch(struct mt_sr_ask *ask)
{
    Rongcloud__CleanMsgBatchReq *in =
        rongcloud__clean_msg_batch_req__unpack(NULL, ask->len, ask->p);
    if (in == NULL || in->n_input > DELETE_MAX)
        ask->status = MT_SR_PARAMETER;
    for (size_t i = 0; ask->status == 0 && i < in->n_input; i++)
        clean(ask, in->input[i], MT_SR_PRIVATE);
    if (in != NULL)
        rongcloud__clean_msg_batch_req__free_unpacked(in, NULL);
}

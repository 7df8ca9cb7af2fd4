/* Who has read what: receipts 2, 4 and 5 (rongcloud.md 4.7). Those of version 1 are messages. */
#include "sandbox/rongcloud/cloud_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "sandbox/rongcloud/pb_int.h"

#include <stdio.h>
#include <string.h>

#define BATCH_MAX  100
#define EVENT_READ 36 /* changeType of a receipt */

static struct mt_sr_receipt *receipt_get(struct mt_sr_cloud *cloud,
                                         const struct mt_sr_message *message, bool make)
{
    struct mt_sr_receipt *receipt = mt_sr_index_get(&cloud->receipts, (uint64_t)message->seq + 1);
    if (receipt != NULL || !make)
        return receipt;
    if (mt_sr_grow(&cloud->receipt_list, cloud->receipt_n, &cloud->receipt_cap, sizeof(void *)) !=
        MT_OK)
        return NULL;
    receipt = mt_mem_calloc(1, sizeof *receipt);
    if (receipt == NULL ||
        mt_sr_index_put(&cloud->receipts, (uint64_t)message->seq + 1, receipt) != MT_OK) {
        mt_mem_free(receipt);
        return NULL;
    }
    receipt->seq = message->seq;
    cloud->receipt_list[cloud->receipt_n++] = receipt;
    return receipt;
}

static const struct mt_sr_reader *reader_of(const struct mt_sr_receipt *receipt, uint32_t user)
{
    for (size_t i = 0; receipt != NULL && i < receipt->n; i++) {
        if (receipt->readers[i].user == user)
            return &receipt->readers[i];
    }
    return NULL;
}

/* True if it is news: own messages and what was read before are not. */
static bool mark(struct mt_sr_ask *ask, const struct mt_sr_message *message)
{
    if (message->from == ask->user->index)
        return false;
    struct mt_sr_receipt *receipt = receipt_get(ask->cloud, message, true);
    if (receipt == NULL || reader_of(receipt, ask->user->index) != NULL ||
        mt_sr_grow(&receipt->readers, receipt->n, &receipt->cap, sizeof *receipt->readers) != MT_OK)
        return false;
    receipt->readers[receipt->n++] =
        (struct mt_sr_reader){.user = ask->user->index, .ts_ms = mt_clock_wall_ms()};
    return true;
}

/* All who could read it: everybody in the conversation but its author. */
static size_t readers_max(const struct mt_sr_cloud *cloud, const struct mt_sr_message *message)
{
    const struct mt_sr_thread *thread = cloud->store.thread_list[message->thread];
    size_t n = 0;
    if (message->to != 0)
        return cloud->store.lists[message->to - 1].n;
    for (size_t i = 0; i < thread->view_n; i++)
        n += thread->views[i]->member && thread->views[i]->user->index != message->from;
    return n;
}

static size_t readers_n(struct mt_sr_cloud *cloud, const struct mt_sr_message *message)
{
    const struct mt_sr_receipt *receipt = receipt_get(cloud, message, false);
    return receipt == NULL ? 0 : receipt->n;
}

static void write_user(const struct mt_sr_cloud *cloud, uint32_t field, uint32_t user,
                       int64_t ts_ms, struct mt_buf *out)
{
    size_t at = mt_sr_pb_begin(out, field);
    if (ts_ms != 0)
        mt_sr_pb_i64(out, 1, ts_ms);
    mt_sr_pb_str(out, 2, cloud->store.user_list[user]->name);
    mt_sr_pb_end(out, at);
}

/* The message of that id, if the asker can see it. */
static struct mt_sr_message *seen(struct mt_sr_ask *ask, const char *uid)
{
    struct mt_sr_message *message = mt_sr_message_find(&ask->cloud->store, uid);
    if (message == NULL)
        return NULL;
    const struct mt_sr_view *view = mt_sr_view_of(&ask->cloud->store, ask->user,
                                                  ask->cloud->store.thread_list[message->thread]);
    return view != NULL && mt_sr_visible(&ask->cloud->store, view, message) ? message : NULL;
}

/* --- version 2 --- */
void mt_sr_do_group_read(struct mt_sr_ask *ask)
{
    Rongcloud__GrpReadReceiptMsg *in =
        rongcloud__grp_read_receipt_msg__unpack(NULL, ask->len, ask->p);
    if (in == NULL || in->n_msgid > BATCH_MAX)
        ask->status = MT_SR_PARAMETER;
    for (size_t i = 0; ask->status == 0 && i < in->n_msgid; i++) {
        const struct mt_sr_message *message = seen(ask, in->msgid[i]);
        if (message != NULL)
            (void)mark(ask, message);
    }
    if (in != NULL)
        rongcloud__grp_read_receipt_msg__free_unpacked(in, NULL);
}

void mt_sr_do_group_readers(struct mt_sr_ask *ask)
{
    struct mt_sr_cloud *cloud = ask->cloud;
    Rongcloud__GrpReadReceiptQryReq *in =
        rongcloud__grp_read_receipt_qry_req__unpack(NULL, ask->len, ask->p);
    const struct mt_sr_message *message =
        in == NULL || in->n_msgid != 1 ? NULL : seen(ask, in->msgid[0]);
    if (message == NULL) {
        ask->status = MT_SR_PARAMETER;
    } else {
        const struct mt_sr_receipt *receipt = receipt_get(cloud, message, false);
        mt_sr_pb_u64(ask->out, 1, readers_max(cloud, message) + 1);
        for (size_t i = 0; receipt != NULL && i < receipt->n; i++) {
            size_t at = mt_sr_pb_begin(ask->out, 2);
            mt_sr_pb_i64(ask->out, 1, receipt->readers[i].ts_ms);
            mt_sr_pb_str(ask->out, 2, cloud->store.user_list[receipt->readers[i].user]->name);
            mt_sr_pb_end(ask->out, at);
        }
    }
    if (in != NULL)
        rongcloud__grp_read_receipt_qry_req__free_unpacked(in, NULL);
}

/* --- version 4 --- */
/* RC:RSMsg tells the author: how far a peer has read, or how many have read one message. */
static void tell_author(struct mt_sr_ask *ask, const struct mt_sr_view *view,
                        const struct mt_sr_message *message)
{
    char text[160];
    char uid[MT_SR_UID_MAX];
    struct mt_sr_message *told = NULL;
    uint32_t author = message->from;
    mt_sr_uid(message, uid);
    if (view->thread->type == MT_SR_PRIVATE)
        (void)snprintf(text, sizeof text, "{\"endMsgTime\":%lld}", (long long)message->ts_ms);
    else
        (void)snprintf(text, sizeof text, "{\"tmn\":%zu,\"rrn\":%zu,\"msgId\":\"%s\"}",
                       readers_max(ask->cloud, message), readers_n(ask->cloud, message), uid);
    struct mt_sr_draft draft = {
        .thread = view->thread,
        .from = ask->user,
        .name = "RC:RSMsg",
        .content = text,
        .content_len = strlen(text),
        .to = &author,
        .to_n = 1,
    };
    if (mt_sr_message_add(&ask->cloud->store, &draft, &told) == MT_OK)
        mt_sr_push_message(ask->cloud, told);
}

/* From the first named message to the last, or the last alone. */
static void read_upto(struct mt_sr_ask *ask, struct mt_sr_view *view,
                      const Rongcloud__ReadReceiptMsg *in)
{
    const struct mt_sr_message *first = mt_sr_message_find(&ask->cloud->store, in->startmsgid);
    const struct mt_sr_message *last = mt_sr_message_find(&ask->cloud->store, in->endmsgid);
    const struct mt_sr_message *newest = NULL;
    if (last == NULL || last->thread != view->thread->index) {
        ask->status = MT_SR_PARAMETER;
        return;
    }
    int64_t from_ms = first == NULL ? last->ts_ms : first->ts_ms;
    size_t n = view->thread->n; /* those that are added on the way are no part of it */
    for (size_t i = mt_sr_thread_after(view->thread, from_ms - 1); i < n; i++) {
        const struct mt_sr_message *message = view->thread->messages[i];
        if (message->ts_ms > last->ts_ms)
            break;
        if ((message->flags & MT_SR_COUNT) == 0 || !mark(ask, message))
            continue;
        newest = message;
        if (view->thread->type == MT_SR_GROUP)
            tell_author(ask, view, message);
    }
    if (newest != NULL && view->thread->type == MT_SR_PRIVATE)
        tell_author(ask, view, newest);
    mt_sr_view_read(ask->cloud, view, last->ts_ms, ask->session);
}

void mt_sr_do_read_state(struct mt_sr_ask *ask)
{
    Rongcloud__ReadReceiptMsg *in = rongcloud__read_receipt_msg__unpack(NULL, ask->len, ask->p);
    struct mt_sr_view *view = in == NULL
                                  ? NULL
                                  : mt_sr_view_find(&ask->cloud->store, ask->user, (int)in->type,
                                                    in->targetid, in->buschannel);
    ask->ts_ms = mt_clock_wall_ms();
    if (view == NULL)
        ask->status = MT_SR_PARAMETER;
    else
        read_upto(ask, view, in);
    if (ask->status == 0)
        mt_sr_push_echo(ask, true);
    if (in != NULL)
        rongcloud__read_receipt_msg__free_unpacked(in, NULL);
}

void mt_sr_do_read_query(struct mt_sr_ask *ask)
{
    struct mt_sr_cloud *cloud = ask->cloud;
    Rongcloud__ReceiptQryReq *in = rongcloud__receipt_qry_req__unpack(NULL, ask->len, ask->p);
    const struct mt_sr_message *message = in == NULL ? NULL : seen(ask, in->msgid);
    if (message == NULL) {
        ask->status = MT_SR_PARAMETER;
    } else {
        const struct mt_sr_receipt *receipt = receipt_get(cloud, message, false);
        mt_sr_pb_u64(ask->out, 1, readers_max(cloud, message));
        for (size_t i = 0; receipt != NULL && i < receipt->n; i++)
            write_user(cloud, 2, receipt->readers[i].user, receipt->readers[i].ts_ms, ask->out);
        mt_sr_pb_u64(ask->out, 3, readers_n(cloud, message));
    }
    if (in != NULL)
        rongcloud__receipt_qry_req__free_unpacked(in, NULL);
}

void mt_sr_do_read_counts(struct mt_sr_ask *ask)
{
    Rongcloud__ReceiptCntQryReq *in =
        rongcloud__receipt_cnt_qry_req__unpack(NULL, ask->len, ask->p);
    if (in == NULL || in->n_msgid > BATCH_MAX)
        ask->status = MT_SR_PARAMETER;
    for (size_t i = 0; ask->status == 0 && i < in->n_msgid; i++) {
        const struct mt_sr_message *message = seen(ask, in->msgid[i]);
        if (message == NULL)
            continue;
        size_t at = mt_sr_pb_begin(ask->out, 1);
        mt_sr_pb_str(ask->out, 1, in->msgid[i]);
        mt_sr_pb_u64(ask->out, 2, readers_n(ask->cloud, message));
        mt_sr_pb_u64(ask->out, 3, readers_max(ask->cloud, message));
        mt_sr_pb_end(ask->out, at);
    }
    if (in != NULL)
        rongcloud__receipt_cnt_qry_req__free_unpacked(in, NULL);
}

/* --- version 5 --- */
/* An EventChange to the author, whose eventData is a MsgReadEvent. */
static void event(struct mt_sr_ask *ask, const struct mt_sr_message *message)
{
    struct mt_sr_cloud *cloud = ask->cloud;
    struct mt_sr_user *author = cloud->store.user_list[message->from];
    const struct mt_sr_thread *thread = cloud->store.thread_list[message->thread];
    const struct mt_sr_view *view = mt_sr_view_of(&cloud->store, author, thread);
    struct mt_buf *out = &cloud->inner;
    char uid[MT_SR_UID_MAX];
    int64_t now_ms = mt_clock_wall_ms();
    size_t all = readers_max(cloud, message);
    size_t read = readers_n(cloud, message);
    if (view == NULL)
        return;
    if (author->event_n != 0 && author->events[author->event_n - 1].ts_ms >= now_ms)
        now_ms = author->events[author->event_n - 1].ts_ms + 1;
    mt_buf_reset(out);
    mt_sr_pb_str(out, 1, view->target);
    mt_sr_pb_u64(out, 2, thread->type);
    mt_sr_pb_i64(out, 3, now_ms);
    mt_sr_pb_u64(out, 4, EVENT_READ);
    mt_sr_pb_str(out, 7, mt_sr_thread_channel(&cloud->store, thread));
    mt_sr_pb_u64(out, 11, 0);
    size_t at = mt_sr_pb_begin(out, 16);
    mt_sr_uid(message, uid);
    mt_sr_pb_str(out, 1, uid);
    mt_sr_pb_i64(out, 2, message->ts_ms);
    mt_sr_pb_u64(out, 3, all);
    mt_sr_pb_u64(out, 4, read);
    mt_sr_pb_u64(out, 5, all > read ? all - read : 0);
    write_user(cloud, 6, ask->user->index, now_ms, out);
    mt_sr_pb_end(out, at);
    if (mt_sr_event_add(author, now_ms, out) == MT_OK)
        mt_sr_push_notify(author, NULL, "s_cmd", 11, now_ms);
}

void mt_sr_do_receipt(struct mt_sr_ask *ask)
{
    Rongcloud__ReadReceipt *in = rongcloud__read_receipt__unpack(NULL, ask->len, ask->p);
    if (in == NULL || in->n_msgids == 0 || in->n_msgids > BATCH_MAX)
        ask->status = MT_SR_PARAMETER;
    for (size_t i = 0; ask->status == 0 && i < in->n_msgids; i++) {
        const struct mt_sr_message *message = seen(ask, in->msgids[i]);
        if (message == NULL)
            ask->status = MT_SR_RECEIPT_NO_MESSAGE;
        else if ((message->flags & MT_SR_RECEIPT) == 0)
            ask->status = MT_SR_RECEIPT_NEEDLESS;
        else if (mark(ask, message))
            event(ask, message);
    }
    if (in != NULL)
        rongcloud__read_receipt__free_unpacked(in, NULL);
}

static void write_counts(struct mt_sr_cloud *cloud, const struct mt_sr_message *message,
                         struct mt_buf *out)
{
    char uid[MT_SR_UID_MAX];
    size_t all = readers_max(cloud, message);
    size_t read = readers_n(cloud, message);
    mt_sr_uid(message, uid);
    mt_sr_pb_str(out, 1, uid);
    mt_sr_pb_i64(out, 2, message->ts_ms);
    mt_sr_pb_u64(out, 3, all);
    mt_sr_pb_u64(out, 4, read);
    mt_sr_pb_u64(out, 7, all > read ? all - read : 0);
}

void mt_sr_do_receipt_counts(struct mt_sr_ask *ask)
{
    struct mt_buf *out = &ask->cloud->inner;
    Rongcloud__QueryReceiptBatchReq *in =
        rongcloud__query_receipt_batch_req__unpack(NULL, ask->len, ask->p);
    if (in == NULL || in->n_items > BATCH_MAX) {
        ask->status = MT_SR_PARAMETER;
        goto out;
    }
    mt_buf_reset(out);
    for (size_t i = 0; i < in->n_items; i++) {
        const Rongcloud__QueryReceipt *item = in->items[i];
        size_t one = mt_sr_pb_begin(out, 1);
        mt_sr_pb_str(out, 1, item->targetid == NULL ? "" : item->targetid);
        mt_sr_pb_str(out, 2, item->buschannel == NULL ? "" : item->buschannel);
        mt_sr_pb_i64(out, 3, item->has_type ? item->type : 0);
        for (size_t k = 0; k < item->n_msgids; k++) {
            const struct mt_sr_message *message = seen(ask, item->msgids[k]);
            if (message == NULL)
                continue;
            size_t at = mt_sr_pb_begin(out, 4);
            write_counts(ask->cloud, message, out);
            mt_sr_pb_end(out, at);
        }
        mt_sr_pb_end(out, one);
    }
    mt_sr_answer_inner(ask, in->has_compress && in->compress, 2, 3);
out:
    if (in != NULL)
        rongcloud__query_receipt_batch_req__free_unpacked(in, NULL);
}

static bool asked_for(const Rongcloud__QueryReceiptReq *in, const char *user)
{
    for (size_t i = 0; i < in->n_users; i++) {
        if (strcmp(in->users[i], user) == 0)
            return true;
    }
    return false;
}

/* qryType 1: a page of those who have read (readType 1) or have not; 2: of the users named. */
static bool write_users(struct mt_sr_ask *ask, const Rongcloud__QueryReceiptReq *in,
                        const struct mt_sr_message *message, struct mt_buf *out, char token[24])
{
    struct mt_sr_cloud *cloud = ask->cloud;
    const struct mt_sr_thread *thread = cloud->store.thread_list[message->thread];
    const struct mt_sr_receipt *receipt = receipt_get(cloud, message, false);
    bool by_name = in->has_qrytype && in->qrytype == 2;
    bool want_read = !in->has_readtype || in->readtype == 1;
    uint64_t at = 0;
    size_t size =
        in->has_pagesize && in->pagesize > 0 && in->pagesize <= 100 ? (size_t)in->pagesize : 100;
    size_t done = 0;
    size_t i = 0;
    token[0] = '\0';
    if (in->pagetoken != NULL && in->pagetoken[0] != '\0' && !mt_str_u64(in->pagetoken, &at))
        return false;
    for (i = (size_t)at; i < thread->view_n && done < size; i++) {
        const struct mt_sr_view *view = thread->views[i];
        const struct mt_sr_reader *reader = reader_of(receipt, view->user->index);
        if (view->user->index == message->from || !view->member ||
            !mt_sr_meant_for(&cloud->store, message, view->user) ||
            (by_name ? !asked_for(in, view->user->name) : (reader != NULL) != want_read))
            continue;
        if (reader != NULL)
            write_user(cloud, 5, reader->user, reader->ts_ms, out);
        else
            write_user(cloud, 8, view->user->index, 0, out);
        done++;
    }
    if (i < thread->view_n && !by_name)
        (void)snprintf(token, 24, "%zu", i);
    return true;
}

void mt_sr_do_receipt_users(struct mt_sr_ask *ask)
{
    struct mt_buf *out = &ask->cloud->inner;
    char token[24];
    Rongcloud__QueryReceiptReq *in = rongcloud__query_receipt_req__unpack(NULL, ask->len, ask->p);
    if (in == NULL || in->n_msgids != 1 || in->n_users > BATCH_MAX) {
        ask->status = MT_SR_PARAMETER;
        goto out;
    }
    const struct mt_sr_message *message = seen(ask, in->msgids[0]);
    if (message == NULL)
        ask->status = MT_SR_RECEIPT_NO_MESSAGE;
    else if (message->from != ask->user->index)
        ask->status = MT_SR_RECEIPT_NOT_OWN;
    if (ask->status != 0)
        goto out;
    mt_buf_reset(out);
    size_t at = mt_sr_pb_begin(out, 1);
    write_counts(ask->cloud, message, out);
    if (!write_users(ask, in, message, out, token)) {
        ask->status = MT_SR_PARAMETER;
        goto out;
    }
    mt_sr_pb_end(out, at);
    mt_sr_pb_str(out, 4, token);
    mt_sr_pb_str(ask->out, 4, token);
    mt_sr_answer_inner(ask, in->has_compress && in->compress, 2, 3);
out:
    if (in != NULL)
        rongcloud__query_receipt_req__free_unpacked(in, NULL);
}

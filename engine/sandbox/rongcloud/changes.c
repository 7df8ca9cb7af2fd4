/* What clients ask for besides messages: events, edits, changes in ultra groups; how far somebody
 * has read, and the unread counts that the server keeps. */
#include "sandbox/rongcloud/cloud_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "sandbox/rongcloud/pb_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 100

void mt_sr_view_read(struct mt_sr_cloud *cloud, struct mt_sr_view *view, int64_t upto_ms,
                     const struct mt_sr_session *by)
{
    (void)by; /* who read asks too: only the server knows what is left */
    if (upto_ms <= view->read_ms)
        return;
    view->read_ms = upto_ms;
    view->changed_ms = mt_clock_wall_ms();
    if (cloud->options.server_save_unread > 0)
        mt_sr_push_notify(view->user, NULL, "s_cmd", 13, view->changed_ms);
}

/* updRTime, updRRTime and updUgRTime: other devices get the same again. */
void mt_sr_do_read_time(struct mt_sr_ask *ask)
{
    Rongcloud__SessionMsgReadInput *in =
        rongcloud__session_msg_read_input__unpack(NULL, ask->len, ask->p);
    if (in == NULL) {
        ask->status = MT_SR_PARAMETER;
        return;
    }
    struct mt_sr_view *view = mt_sr_view_find(&ask->cloud->store, ask->user, (int)in->type,
                                              in->channelid, in->buschannel);
    ask->ts_ms = mt_clock_wall_ms();
    if (view != NULL)
        mt_sr_view_read(ask->cloud, view, in->msgtime, ask->session);
    mt_sr_push_echo(ask, true);
    rongcloud__session_msg_read_input__free_unpacked(in, NULL);
}

enum mt_rc mt_sr_event_add(struct mt_sr_user *user, int64_t ts_ms, const struct mt_buf *packed)
{
    if (packed->failed != MT_OK ||
        mt_sr_grow(&user->events, user->event_n, &user->event_cap, sizeof *user->events) != MT_OK)
        return MT_ERR_NOMEM;
    uint8_t *copy = mt_mem_alloc(packed->len);
    if (copy == NULL)
        return MT_ERR_NOMEM;
    memcpy(copy, packed->data, packed->len);
    user->events[user->event_n++] =
        (struct mt_sr_event){.ts_ms = ts_ms, .packed = copy, .len = packed->len};
    return MT_OK;
}

void mt_sr_do_pull_events(struct mt_sr_ask *ask)
{
    Rongcloud__QueryMsgChange *in = rongcloud__query_msg_change__unpack(NULL, ask->len, ask->p);
    if (in == NULL) {
        ask->status = MT_SR_PARAMETER;
        return;
    }
    int64_t upto_ms = in->synctime;
    size_t done = 0;
    bool more = false;
    for (size_t i = 0; i < ask->user->event_n; i++) {
        const struct mt_sr_event *event = &ask->user->events[i];
        if (event->ts_ms <= in->synctime)
            continue;
        more = done >= PAGE && event->ts_ms > upto_ms;
        if (more)
            break;
        mt_sr_pb_bytes(ask->out, 1, event->packed, event->len);
        upto_ms = event->ts_ms;
        done++;
    }
    mt_sr_pb_i64(ask->out, 2, upto_ms);
    mt_sr_pb_u64(ask->out, 3, more);
    rongcloud__query_msg_change__free_unpacked(in, NULL);
}

enum mt_rc mt_sr_change_add(struct mt_sr_cloud *cloud, const struct mt_sr_message *message,
                            int type, const struct mt_sr_user *by)
{
    int64_t now_ms = mt_clock_wall_ms();
    const struct mt_sr_thread *thread = cloud->store.thread_list[message->thread];
    if (mt_sr_grow(&cloud->changes, cloud->change_n, &cloud->change_cap, sizeof *cloud->changes) !=
        MT_OK)
        return MT_ERR_NOMEM;
    if (cloud->change_n != 0 && cloud->changes[cloud->change_n - 1].ts_ms >= now_ms)
        now_ms = cloud->changes[cloud->change_n - 1].ts_ms + 1;
    cloud->changes[cloud->change_n++] =
        (struct mt_sr_change){.ts_ms = now_ms, .seq = message->seq, .type = type, .by = by->index};
    for (struct mt_sr_session *s = cloud->sessions; s != NULL; s = s->next) {
        const struct mt_sr_view *view =
            s->user == NULL || s->leaving ? NULL : mt_sr_view_of(&cloud->store, s->user, thread);
        if (view != NULL && view->member)
            mt_sr_push_command(s, type == MT_SR_CHANGE_EDIT ? 12 : 7, now_ms);
    }
    return MT_OK;
}

/* Edits of messages that the user can see, by the time of the edit. */
void mt_sr_do_pull_edits(struct mt_sr_ask *ask)
{
    struct mt_sr_cloud *cloud = ask->cloud;
    Rongcloud__PullModifyMsgReq *in =
        rongcloud__pull_modify_msg_req__unpack(NULL, ask->len, ask->p);
    if (in == NULL) {
        ask->status = MT_SR_PARAMETER;
        return;
    }
    int64_t version_ms = in->has_pullversion ? in->pullversion : 0;
    int64_t upto_ms = version_ms;
    size_t done = 0;
    mt_buf_reset(&cloud->inner);
    for (size_t i = 0; i < cloud->change_n && done < PAGE; i++) {
        const struct mt_sr_change *change = &cloud->changes[i];
        const struct mt_sr_message *message = cloud->store.log[change->seq];
        const struct mt_sr_view *view =
            mt_sr_view_of(&cloud->store, ask->user, cloud->store.thread_list[message->thread]);
        if (change->type != MT_SR_CHANGE_EDIT || change->ts_ms <= version_ms || view == NULL ||
            !mt_sr_visible(&cloud->store, view, message))
            continue;
        size_t one = mt_sr_pb_begin(&cloud->inner, 1);
        mt_sr_pb_u64(&cloud->inner, 1, 1);
        size_t at = mt_sr_pb_begin(&cloud->inner, 2);
        mt_sr_message_write(&cloud->store, view, message, &cloud->inner);
        mt_sr_pb_end(&cloud->inner, at);
        mt_sr_pb_end(&cloud->inner, one);
        upto_ms = change->ts_ms;
        done++;
    }
    mt_sr_pb_i64(&cloud->inner, 2, upto_ms);
    mt_sr_pb_u64(&cloud->inner, 3, done < PAGE);
    mt_sr_answer_inner(ask, in->has_compress && in->compress, 4, 5);
    rongcloud__pull_modify_msg_req__free_unpacked(in, NULL);
}

static void write_change(struct mt_sr_cloud *cloud, const struct mt_sr_change *change,
                         const struct mt_sr_message *message, struct mt_buf *out)
{
    char uid[MT_SR_UID_MAX];
    const struct mt_sr_thread *thread = cloud->store.thread_list[message->thread];
    size_t at = mt_sr_pb_begin(out, 1);
    mt_sr_uid(message, uid);
    mt_sr_pb_str(out, 1, thread->target);
    mt_sr_pb_u64(out, 2, thread->type);
    mt_sr_pb_i64(out, 3, change->ts_ms);
    mt_sr_pb_u64(out, 4, (uint64_t)change->type);
    mt_sr_pb_str(out, 5, uid);
    mt_sr_pb_i64(out, 6, message->ts_ms);
    mt_sr_pb_str(out, 7, mt_sr_thread_channel(&cloud->store, thread));
    mt_sr_pb_u64(out, 8, 0);
    mt_sr_pb_u64(out, 9, 0);
    mt_sr_pb_str(out, 10, cloud->store.user_list[change->by]->name);
    mt_sr_pb_end(out, at);
}

/* qryMsgChange: recalls, edits and expansions in ultra groups. From 0 nothing but the time comes.
 */
void mt_sr_do_pull_changes(struct mt_sr_ask *ask)
{
    struct mt_sr_cloud *cloud = ask->cloud;
    Rongcloud__QueryMsgChange *in = rongcloud__query_msg_change__unpack(NULL, ask->len, ask->p);
    if (in == NULL) {
        ask->status = MT_SR_PARAMETER;
        return;
    }
    int64_t upto_ms = in->synctime > 0 ? in->synctime : mt_clock_wall_ms();
    size_t done = 0;
    for (size_t i = 0; in->synctime > 0 && i < cloud->change_n && done < PAGE; i++) {
        const struct mt_sr_change *change = &cloud->changes[i];
        const struct mt_sr_message *message = cloud->store.log[change->seq];
        const struct mt_sr_view *view =
            mt_sr_view_of(&cloud->store, ask->user, cloud->store.thread_list[message->thread]);
        if (change->type == MT_SR_CHANGE_EDIT || change->ts_ms <= in->synctime || view == NULL ||
            !view->member)
            continue;
        write_change(cloud, change, message, ask->out);
        upto_ms = change->ts_ms;
        done++;
    }
    mt_sr_pb_i64(ask->out, 2, upto_ms);
    mt_sr_pb_u64(ask->out, 3, done == PAGE);
    rongcloud__query_msg_change__free_unpacked(in, NULL);
}

struct kept {
    const struct mt_sr_view *view;
    int64_t version_ms;
};

static int by_version(const void *a, const void *b)
{
    const struct kept *left = a;
    const struct kept *right = b;
    if (left->version_ms != right->version_ms)
        return left->version_ms < right->version_ms ? -1 : 1;
    return left->view->thread->index < right->view->thread->index ? -1 : 1;
}

static void write_unread(const struct mt_sr_store *store, const struct kept *kept,
                         struct mt_buf *out)
{
    struct mt_sr_unread unread;
    char uid[MT_SR_UID_MAX];
    const char *name = NULL;
    size_t name_len = 0;
    const struct mt_sr_thread *thread = kept->view->thread;
    mt_sr_view_unread(store, kept->view, &unread);
    size_t one = mt_sr_pb_begin(out, 1);
    mt_sr_pb_str(out, 1, kept->view->target);
    mt_sr_pb_str(out, 2, mt_sr_thread_channel(store, thread));
    mt_sr_pb_u64(out, 3, thread->type);
    mt_sr_pb_i64(out, 4, kept->version_ms);
    size_t at = mt_sr_pb_begin(out, 5);
    mt_sr_pb_u64(out, 1, unread.n);
    mt_sr_pb_u64(out, 2, unread.mentions);
    mt_sr_pb_u64(out, 3, unread.mentions_me);
    mt_sr_pb_i64(out, 4, kept->view->read_ms);
    mt_sr_pb_i64(out, 5, thread->n == 0 ? 0 : thread->messages[thread->n - 1]->ts_ms);
    if (unread.first != NULL) {
        size_t first = mt_sr_pb_begin(out, 6);
        mt_sr_uid(unread.first, uid);
        mt_sr_pb_str(out, 1, uid);
        mt_sr_pb_i64(out, 2, unread.first->ts_ms);
        if (mt_sr_message_part(unread.first, 4, &name, &name_len))
            mt_sr_pb_bytes(out, 4, name, name_len);
        mt_sr_pb_end(out, first);
    }
    mt_sr_pb_end(out, at);
    mt_sr_pb_end(out, one);
}

/* A notice names the time of the change, and the client asks with that time: what changed then is
 * part of the answer. */
static size_t collect(const struct mt_sr_ask *ask, int64_t version_ms, struct kept *rows)
{
    size_t n = 0;
    for (size_t i = 0; i < ask->user->view_n; i++) {
        const struct mt_sr_view *view = ask->user->views[i];
        const struct mt_sr_thread *thread = view->thread;
        int64_t last_ms = thread->n == 0 ? 0 : thread->messages[thread->n - 1]->ts_ms;
        int64_t changed_ms = view->changed_ms > last_ms ? view->changed_ms : last_ms;
        struct mt_sr_unread unread;
        if (!view->member || thread->type == MT_SR_ULTRA || thread->type == MT_SR_ROOM ||
            changed_ms < version_ms)
            continue;
        mt_sr_view_unread(&ask->cloud->store, view, &unread);
        if (version_ms == 0 && unread.n == 0)
            continue;
        rows[n++] = (struct kept){.view = view, .version_ms = changed_ms};
    }
    if (n != 0)
        qsort(rows, n, sizeof *rows, by_version);
    return n;
}

/* pullSe: the token of a page is the number of the first row of the next. */
void mt_sr_do_pull_unread(struct mt_sr_ask *ask)
{
    struct mt_buf *out = &ask->cloud->inner;
    Rongcloud__SessionQryInput *in = rongcloud__session_qry_input__unpack(NULL, ask->len, ask->p);
    struct kept *rows = mt_mem_calloc(ask->user->view_n + 1, sizeof *rows);
    uint64_t first = 0;
    char token[24];
    if (in == NULL || rows == NULL) {
        ask->status = in == NULL ? MT_SR_PARAMETER : MT_SR_SERVER;
        goto out;
    }
    size_t n = collect(ask, in->has_version ? in->version : 0, rows);
    size_t count = in->has_count && in->count > 0 && in->count < PAGE ? (size_t)in->count : PAGE;
    if (in->pagetoken != NULL && in->pagetoken[0] != '\0' &&
        (!mt_str_u64(in->pagetoken, &first) || first > n)) {
        ask->status = MT_SR_PARAMETER;
        goto out;
    }
    mt_buf_reset(out);
    size_t end = n - (size_t)first > count ? (size_t)first + count : n;
    for (size_t i = (size_t)first; i < end; i++)
        write_unread(&ask->cloud->store, &rows[i], out);
    if (end < n) {
        (void)snprintf(token, sizeof token, "%zu", end);
        mt_sr_pb_str(out, 2, token);
        mt_sr_pb_str(ask->out, 2, token);
    }
    mt_sr_answer_inner(ask, in->has_compress && in->compress, 3, 4);
out:
    mt_mem_free(rows);
    if (in != NULL)
        rongcloud__session_qry_input__free_unpacked(in, NULL);
}

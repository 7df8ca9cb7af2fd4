/* Messages that come in (rongcloud.md 4.4). */
#include "sandbox/rongcloud/cloud_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include "codec/json.h"
#include "sandbox/rongcloud/pb_int.h"

#include <string.h>

#define DIRECTED_MAX 300

static bool blocks(const struct mt_sr_user *user, const struct mt_sr_user *other)
{
    for (size_t i = 0; i < user->blocked_n; i++) {
        if (user->blocked[i] == other->index)
            return true;
    }
    return false;
}

/* Into a channel by way of its group. */
static struct mt_sr_view *join(struct mt_sr_store *store, struct mt_sr_user *user,
                               struct mt_sr_thread *thread)
{
    if (thread->group != NULL && mt_sr_view_make(store, user, thread->group) == NULL)
        return NULL;
    return mt_sr_view_make(store, user, thread);
}

/* The view of the sender on the conversation, or the status that says why there is none. */
static struct mt_sr_view *address(struct mt_sr_ask *ask, int type, const char *channel)
{
    struct mt_sr_store *store = &ask->cloud->store;
    ask->status = MT_SR_PARAMETER;
    if (!mt_sr_id_fits(ask->target))
        return NULL;
    if (type != MT_SR_GROUP && type != MT_SR_ULTRA) {
        struct mt_sr_user *peer = mt_sr_user_make(store, ask->target);
        struct mt_sr_thread *thread =
            peer == NULL ? NULL
                         : mt_sr_thread_pair(store, (enum mt_sr_type)type, ask->user, peer, true);
        if (peer != NULL && blocks(peer, ask->user)) {
            ask->status = MT_SR_BLACKLISTED;
            return NULL;
        }
        ask->status = 0;
        return thread == NULL ? NULL : mt_sr_view_make(store, ask->user, thread);
    }
    bool strict = ask->cloud->hooks.strict;
    struct mt_sr_thread *thread =
        mt_sr_thread_group(store, (enum mt_sr_type)type, ask->target, channel, !strict);
    struct mt_sr_view *view = thread == NULL ? NULL : mt_sr_view_of(store, ask->user, thread);
    if (view == NULL && thread != NULL && !strict)
        view = join(store, ask->user, thread);
    ask->status = 0;
    if (view == NULL || !view->member)
        ask->status = type == MT_SR_ULTRA ? MT_SR_NOT_IN_ULTRA : MT_SR_NOT_IN_GROUP;
    else if (view->muted || thread->muted)
        ask->status = MT_SR_MUTED;
    return ask->status == 0 ? view : NULL;
}

static void tail_text(struct mt_buf *out, uint32_t field, const char *text)
{
    if (text != NULL)
        mt_sr_pb_str(out, field, text);
}

/* What of the UpStreamMessage is handed on as it is. */
static void write_tail(const Rongcloud__UpStreamMessage *up, struct mt_buf *out)
{
    if (up->has_clientuniqueid)
        mt_sr_pb_i64(out, 14, up->clientuniqueid);
    if (up->has_extracontent)
        mt_sr_pb_bytes(out, 15, up->extracontent.data, up->extracontent.len);
    tail_text(out, 16, up->pushtext);
    if (up->has_configflag)
        mt_sr_pb_i64(out, 17, up->configflag);
    if (up->pushext != NULL) {
        size_t len = rongcloud__push_extra__get_packed_size(up->pushext);
        uint8_t *room = mt_mem_alloc(len);
        if (room != NULL)
            mt_sr_pb_bytes(out, 18, room, rongcloud__push_extra__pack(up->pushext, room));
        mt_mem_free(room);
    }
    for (size_t i = 0; i < up->n_touserids; i++)
        mt_sr_pb_str(out, 21, up->touserids[i]);
    if (up->has_optionbits)
        mt_sr_pb_i64(out, 23, up->optionbits);
    if (up->extmsgdata != NULL) {
        size_t at = mt_sr_pb_begin(out, 25);
        if (up->extmsgdata->has_seqid)
            mt_sr_pb_i64(out, 1, up->extmsgdata->seqid);
        if (up->extmsgdata->has_sendtime)
            mt_sr_pb_i64(out, 2, up->extmsgdata->sendtime);
        mt_sr_pb_end(out, at);
    }
    tail_text(out, 26, up->metadata);
    if (up->refdata != NULL) {
        size_t at = mt_sr_pb_begin(out, 27);
        tail_text(out, 1, up->refdata->msgid);
        tail_text(out, 2, up->refdata->fromuserid);
        tail_text(out, 3, up->refdata->classname);
        mt_sr_pb_end(out, at);
    }
}

/* Those whom a directed message is for. A sync of read state is for its sender's own devices. */
static size_t recipients(struct mt_sr_ask *ask, const Rongcloud__UpStreamMessage *up,
                         uint32_t *users)
{
    size_t n = 0;
    if (strcmp(up->classname, "RC:SRSMsg") == 0) {
        users[0] = ask->user->index;
        return 1;
    }
    for (size_t i = 0; i < up->n_touserids && n < DIRECTED_MAX; i++) {
        const struct mt_sr_user *user = mt_sr_user_make(&ask->cloud->store, up->touserids[i]);
        if (user != NULL)
            users[n++] = user->index;
    }
    if (up->n_touserids != 0 && n == 0)
        users[n++] = ask->user->index; /* nobody who exists */
    return n;
}

static int64_t content_i64(const Rongcloud__UpStreamMessage *up, const char *key)
{
    struct mt_json *root = NULL;
    int64_t value = 0;
    if (mt_json_parse((const char *)up->content.data, up->content.len, MT_SR_CONTENT_MAX, &root,
                      NULL) == MT_OK)
        value = mt_json_i64(mt_json_get(root, key), 0);
    mt_json_free(root);
    return value;
}

/* A receipt to a peer and a sync of read state say how far the user has read. */
static void note_read(struct mt_sr_ask *ask, struct mt_sr_view *view,
                      const Rongcloud__UpStreamMessage *up)
{
    if (strcmp(up->classname, "RC:SRSMsg") != 0 && strcmp(up->classname, "RC:ReadNtf") != 0)
        return;
    mt_sr_view_read(ask->cloud, view, content_i64(up, "lastMessageSendTime"), ask->session);
}

static bool over_rate(struct mt_sr_cloud *cloud)
{
    int64_t second = mt_clock_mono_ms() / 1000;
    if (cloud->options.rate <= 0)
        return false;
    if (cloud->rate_ms != second) {
        cloud->rate_ms = second;
        cloud->rate_n = 0;
    }
    return ++cloud->rate_n > (uint64_t)cloud->options.rate;
}

static bool fits(struct mt_sr_ask *ask, const Rongcloud__UpStreamMessage *up)
{
    if (up->classname[0] == '\0' || strlen(up->classname) > MT_SR_NAME_MAX)
        ask->status = MT_SR_PARAMETER;
    else if (up->content.len > (size_t)ask->cloud->options.max_message)
        ask->status = MT_SR_TOO_LARGE;
    else if (over_rate(ask->cloud))
        ask->status = MT_SR_TOO_FREQUENT;
    return ask->status == 0;
}

bool mt_sr_accept(struct mt_sr_ask *ask, struct mt_sr_view *view,
                  const Rongcloud__UpStreamMessage *up, uint32_t more_flags)
{
    uint32_t to[DIRECTED_MAX];
    struct mt_buf *tail = &ask->cloud->inner;
    struct mt_sr_message *message = NULL;
    uint32_t kept = MT_SR_PERSIST | MT_SR_COUNT | MT_SR_MENTION | MT_SR_SILENT | MT_SR_EXPANSION;
    int64_t options = up->has_optionbits ? up->optionbits : 0;
    mt_buf_reset(tail);
    write_tail(up, tail);
    struct mt_sr_draft draft = {
        .thread = view->thread,
        .from = ask->user,
        .flags = ((uint32_t)up->sessionid & kept) | more_flags |
                 ((options & 1) != 0 ? (uint32_t)MT_SR_NOT_LAST : 0U) |
                 ((options & 2) != 0 ? (uint32_t)MT_SR_RECEIPT : 0U),
        .name = up->classname,
        .content = (const char *)up->content.data,
        .content_len = up->content.len,
        .tail = tail->data,
        .tail_len = tail->len,
        .to = to,
        .to_n = recipients(ask, up, to),
    };
    enum mt_rc rc = tail->failed != MT_OK ? tail->failed
                                          : mt_sr_message_add(&ask->cloud->store, &draft, &message);
    if (rc != MT_OK) {
        ask->status = MT_SR_SERVER;
        return false;
    }
    ask->ts_ms = message->ts_ms;
    mt_sr_uid(message, ask->uid);
    mt_sr_push_message(ask->cloud, message);
    mt_sr_push_echo(ask, true);
    return true;
}

void mt_sr_do_send(struct mt_sr_ask *ask)
{
    int type = mt_sr_topic_type(ask->topic);
    Rongcloud__UpStreamMessage *up = rongcloud__up_stream_message__unpack(NULL, ask->len, ask->p);
    if (up == NULL) {
        ask->status = MT_SR_PARAMETER;
        return;
    }
    bool reader =
        type == MT_SR_SYSTEM && ask->session != NULL; /* only the server API writes there */
    if (reader && strcmp(up->classname, "RC:SRSMsg") != 0)
        ask->status = MT_SR_SYSTEM_ONLY;
    struct mt_sr_view *view = NULL;
    if (ask->status == 0 && fits(ask, up))
        view = reader ? mt_sr_view_find(&ask->cloud->store, ask->user, type, up->systemid, NULL)
                      : address(ask, type, up->buschannel);
    if (ask->status == 0 && view == NULL)
        ask->status = MT_SR_PARAMETER;
    if (ask->status == 0)
        mt_sr_expand_by(ask, view, up);
    if (ask->status == 0 && mt_sr_accept(ask, view, up, 0))
        note_read(ask, view, up);
    rongcloud__up_stream_message__free_unpacked(up, NULL);
}

/* Typing and its like: whoever is there gets it, nobody keeps it, nothing is acknowledged. */
void mt_sr_do_send_status(struct mt_sr_ask *ask)
{
    int type = mt_sr_topic_type(ask->topic);
    struct mt_buf *body = &ask->cloud->inner;
    Rongcloud__UpStreamMessage *up = rongcloud__up_stream_message__unpack(NULL, ask->len, ask->p);
    ask->silent = true;
    if (up == NULL)
        return;
    struct mt_sr_view *view = address(ask, type, NULL);
    if (view != NULL) {
        mt_buf_reset(body);
        mt_sr_pb_str(body, 1, ask->user->name);
        mt_sr_pb_u64(body, 2, (uint64_t)type);
        if (type == MT_SR_GROUP)
            mt_sr_pb_str(body, 3, ask->target);
        mt_sr_pb_str(body, 4, up->classname);
        mt_sr_pb_bytes(body, 5, up->content.data, up->content.len);
        mt_sr_pb_i64(body, 6, mt_clock_wall_ms());
        mt_sr_pb_u64(body, 7, 0);
        mt_sr_pb_u64(body, 20, 64);
        if (body->failed == MT_OK)
            mt_sr_push_status(ask->cloud, view->thread, ask->user, body);
        mt_sr_push_echo(ask, false);
    }
    rongcloud__up_stream_message__free_unpacked(up, NULL);
}

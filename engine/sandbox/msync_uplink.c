/* What a client sends up as a Meta: finding the conversation, sorting by type, answering
 * (easemob.md §3.4, §3.5). */
#include "sandbox/msync_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

#define EXT_BYTES 4096

void mt_sb_uplink_answer(const struct mt_sb_uplink *uplink, const struct mt_sb_refusal *refusal,
                         uint64_t server_id, int64_t ts_ms, const char *notify)
{
    uint8_t room[4096];
    uint8_t status_room[512];
    uint8_t meta_room[2048];
    struct mt_sb_wire w = {.p = room, .cap = sizeof room};
    struct mt_sb_wire status = {.p = status_room, .cap = sizeof status_room};
    struct mt_sb_wire meta = {.p = meta_room, .cap = sizeof meta_room};
    mt_sb_wire_varint(&status, 1, refusal == NULL ? 0 : refusal->code);
    if (refusal != NULL)
        mt_sb_wire_str(&status, 2, refusal->reason);
    mt_sb_wire_bytes(&w, 1, status.p, status.len);
    mt_sb_wire_varint(&w, 2, uplink->meta->id);
    if (refusal == NULL)
        mt_sb_wire_varint(&w, 3, server_id);
    if (notify != NULL) {
        mt_sb_wire_varint(&meta, 1, server_id);
        mt_sb_wire_varint(&meta, 4, (uint64_t)ts_ms);
        mt_sb_wire_varint(&meta, 5, EASEMOB__PB__META__NAME_SPACE__NOTIFY);
        mt_sb_wire_str(&meta, 6, notify);
        mt_sb_wire_bytes(&w, 4, meta.p, meta.full ? 0 : meta.len);
    }
    mt_sb_wire_varint(&w, 8, (uint64_t)ts_ms);
    mt_sb_session_send(uplink->session, EASEMOB__PB__MSYNC__COMMAND__SYNC, w.p, w.len);
}

void mt_sb_uplink_refuse(const struct mt_sb_uplink *uplink, uint32_t code, const char *reason)
{
    struct mt_sb_refusal refusal = {.code = code, .reason = reason};
    mt_sb_uplink_answer(uplink, &refusal, 0, uplink->now_ms, NULL);
}

void mt_sb_uplink_ext(const struct mt_sb_uplink *uplink, struct mt_sb_wire *w)
{
    for (size_t i = 0; i < uplink->meta->n_ext; i++) {
        size_t len = easemob__pb__key_value__get_packed_size(uplink->meta->ext[i]);
        if (len > w->cap - w->len) {
            w->full = true;
            return;
        }
        mt_sb_wire_number(w, 8 << 3 | 2);
        mt_sb_wire_number(w, len);
        if (w->full || w->cap - w->len < len) {
            w->full = true;
            return;
        }
        w->len += easemob__pb__key_value__pack(uplink->meta->ext[i], w->p + w->len);
    }
}

enum mt_rc mt_sb_uplink_event(const struct mt_sb_uplink *uplink,
                              const Easemob__Pb__MessageBody *body, struct mt_sb_entry *entry,
                              int64_t *ts_ms)
{
    struct mt_sb_store *store = &uplink->session->sandbox->store;
    uint8_t ext_room[EXT_BYTES];
    struct mt_sb_wire ext = {.p = ext_room, .cap = sizeof ext_room};
    size_t size = easemob__pb__message_body__get_packed_size(body);
    enum mt_rc rc = MT_OK;
    size_t len = 0;
    uint8_t *payload = mt_mem_alloc(size);
    if (payload == NULL) {
        rc = MT_ERR_NOMEM;
        goto out;
    }
    (void)easemob__pb__message_body__pack(body, payload);
    mt_sb_uplink_ext(uplink, &ext);
    struct mt_sb_draft draft = {
        .thread = uplink->view->thread,
        .from = uplink->session->device->user,
        .resource = uplink->session->device->resource,
        .payload = payload,
        .payload_len = size,
        .ext = ext.p,
        .ext_len = ext.full ? 0 : ext.len,
    };
    entry->id = mt_sb_store_next_id(store, uplink->now_ms);
    *ts_ms = uplink->now_ms;
    rc = mt_sb_meta_encode(store, &draft, entry->id, *ts_ms, &len);
    if (rc != MT_OK)
        goto out;
    entry->meta = mt_mem_alloc(len);
    if (entry->meta == NULL) {
        rc = MT_ERR_NOMEM;
        goto out;
    }
    memcpy(entry->meta, store->scratch, len);
    entry->meta_len = (uint32_t)len;
    rc = mt_sb_publish(uplink->session->sandbox, draft.thread, uplink->session->device, entry);
    entry->meta = NULL; /* the queue's now */
    entry->directed = NULL;
out:
    mt_mem_free(entry->directed);
    entry->directed = NULL;
    mt_mem_free(payload);
    return rc;
}

struct mt_sb_message *mt_sb_uplink_message(const struct mt_sb_uplink *uplink, uint64_t id,
                                           struct mt_sb_view **view)
{
    struct mt_sb_user *user = uplink->session->device->user;
    struct mt_sb_message *message = NULL;
    if (uplink->view != NULL) {
        *view = uplink->view;
        message = mt_sb_message_find(uplink->view->thread, id);
    }
    for (size_t i = 0; message == NULL && i < user->view_n; i++) {
        *view = user->views[i];
        message = mt_sb_message_find(user->views[i]->thread, id);
    }
    return message;
}

/* A group that is not there, or where the sender is not a member. false: refused. */
static bool find_group(struct mt_sb_uplink *uplink, const char *id, bool chat)
{
    struct mt_sandbox *sandbox = uplink->session->sandbox;
    struct mt_sb_store *store = &sandbox->store;
    struct mt_sb_user *user = uplink->session->device->user;
    struct mt_sb_thread *thread = mt_sb_thread_group(store, id);
    if (thread == NULL && (sandbox->strict || !chat)) {
        if (chat)
            mt_sb_uplink_refuse(uplink, 1, "group not found");
        return !chat;
    }
    if (thread == NULL)
        thread = mt_sb_thread_group_make(
            store, id,
            uplink->body->type == EASEMOB__PB__MESSAGE_BODY__TYPE__CHATROOM ? MT_SB_ROOM
                                                                            : MT_SB_GROUP,
            user);
    uplink->view = thread == NULL ? NULL : mt_sb_view_of(store, user, thread);
    if (uplink->view != NULL && uplink->view->member)
        return true;
    if (thread != NULL && (sandbox->strict || !chat)) {
        mt_sb_uplink_refuse(uplink, 1, "not in group or chatroom");
        return false;
    }
    if (thread != NULL)
        uplink->view =
            mt_sb_view_make(store, user, thread); /* whoever writes is a member from then on */
    if (uplink->view == NULL) {
        mt_sb_uplink_refuse(uplink, 1, "memory is short");
        return false;
    }
    uplink->view->member = true;
    return true;
}

/* chat: a message, which may open the conversation. Without one, uplink->view may stay NULL. */
static bool find_view(struct mt_sb_uplink *uplink, bool chat)
{
    struct mt_sb_store *store = &uplink->session->sandbox->store;
    struct mt_sb_user *user = uplink->session->device->user;
    const Easemob__Pb__JID *to = uplink->meta->to;
    if (to == NULL || to->name == NULL || to->name[0] == '\0' || strlen(to->name) >= MT_SB_ID_MAX) {
        mt_sb_uplink_refuse(uplink, 1, "Sorry, format is incorrect");
        return false;
    }
    if (to->domain != NULL && strcmp(to->domain, MT_SB_DOMAIN_GROUP) == 0)
        return find_group(uplink, to->name, chat);
    struct mt_sb_user *peer =
        chat ? mt_sb_user_make(store, to->name) : mt_sb_user_get(store, to->name);
    struct mt_sb_thread *thread =
        peer == NULL ? NULL : mt_sb_thread_single(store, user, peer, chat);
    uplink->view = thread == NULL ? NULL : mt_sb_view_of(store, user, thread);
    if (chat && uplink->view == NULL) {
        mt_sb_uplink_refuse(uplink, 1, "memory is short");
        return false;
    }
    return true;
}

enum mt_sb_kind mt_sb_body_kind(const Easemob__Pb__MessageBody *body)
{
    if (body->n_contents == 0)
        return MT_SB_TEXT;
    const Easemob__Pb__MessageBody__Content *content = body->contents[0];
    if (content->type < 0 || (int)content->type >= MT_SB_KINDS)
        return MT_SB_CUSTOM; /* a kind that this sandbox does not know is kept whole all the same */
    if (content->type == EASEMOB__PB__MESSAGE_BODY__CONTENT__TYPE__TEXT && content->has_subtype &&
        content->subtype == EASEMOB__PB__MESSAGE_BODY__CONTENT__SUB_TYPE__SUB_COMBINE)
        return MT_SB_COMBINE;
    return (enum mt_sb_kind)content->type;
}

static void dispatch(struct mt_sb_uplink *uplink)
{
    Easemob__Pb__MessageBody__Type type = uplink->body->type;
    bool chat = type == EASEMOB__PB__MESSAGE_BODY__TYPE__CHAT ||
                type == EASEMOB__PB__MESSAGE_BODY__TYPE__GROUPCHAT ||
                type == EASEMOB__PB__MESSAGE_BODY__TYPE__CHATROOM;
    if (!find_view(uplink, chat) || (chat && mt_sb_uplink_obstructed(uplink)))
        return;
    if (chat)
        mt_sb_uplink_chat(uplink);
    else if (type == EASEMOB__PB__MESSAGE_BODY__TYPE__READ_ACK)
        mt_sb_uplink_read(uplink);
    else if (type == EASEMOB__PB__MESSAGE_BODY__TYPE__DELIVER_ACK)
        mt_sb_uplink_delivered(uplink);
    else if (type == EASEMOB__PB__MESSAGE_BODY__TYPE__RECALL)
        mt_sb_uplink_recall(uplink);
    else if (type == EASEMOB__PB__MESSAGE_BODY__TYPE__CHANNEL_ACK)
        mt_sb_uplink_channel(uplink);
    else if (type == EASEMOB__PB__MESSAGE_BODY__TYPE__EDIT)
        mt_sb_uplink_edit(uplink);
    else
        mt_sb_uplink_refuse(uplink, 1, "Sorry, format is incorrect");
}

void mt_sb_msync_uplink(struct mt_sb_session *session, const Easemob__Pb__Meta *meta)
{
    struct mt_sb_uplink uplink = {.session = session, .meta = meta, .now_ms = mt_clock_wall_ms()};
    if (meta->ns == EASEMOB__PB__META__NAME_SPACE__STATISTIC)
        return; /* the "I am online" report: nobody answers it */
    if (meta->ns == EASEMOB__PB__META__NAME_SPACE__MUC) {
        mt_sb_uplink_room(session, meta);
        return;
    }
    if (meta->ns != EASEMOB__PB__META__NAME_SPACE__CHAT) {
        mt_sb_uplink_refuse(&uplink, 1, "Sorry, format is incorrect");
        return;
    }
    if (meta->payload.len > session->sandbox->faults.max_message) {
        mt_sb_uplink_refuse(&uplink, 7, "Sorry, data is too large");
        return;
    }
    uplink.body = easemob__pb__message_body__unpack(NULL, meta->payload.len, meta->payload.data);
    if (uplink.body == NULL) {
        mt_sb_uplink_refuse(&uplink, 1, "Sorry, format is incorrect");
        return;
    }
    if (!mt_sb_uplink_ordered(&uplink))
        dispatch(&uplink);
    easemob__pb__message_body__free_unpacked(uplink.body, NULL);
}

/* Sending a message: stored, answered, put into the queues. */
#include "sandbox/msync_int.h"

#include "base/clock.h"
#include "base/mem.h"

#include <string.h>

#define EXT_BYTES    4096
#define DIRECTED_MAX 20

struct parcel {
    const uint8_t *payload;
    size_t len;
    uint8_t *owned; /* the payload when it had to be written anew */
};

/* The body is kept as it came, byte for byte, unless the names in it are not the real ones. */
static enum mt_rc wrap(const struct mt_sb_uplink *uplink, struct parcel *parcel)
{
    Easemob__Pb__MessageBody *body = uplink->body;
    const char *own = uplink->session->device->user->name;
    const char *to = uplink->view->id;
    bool right = body->from != NULL && body->from->name != NULL &&
                 strcmp(body->from->name, own) == 0 && body->to != NULL && body->to->name != NULL &&
                 strcmp(body->to->name, to) == 0;
    parcel->payload = uplink->meta->payload.data;
    parcel->len = uplink->meta->payload.len;
    if (right)
        return MT_OK;
    Easemob__Pb__JID from_jid = EASEMOB__PB__JID__INIT;
    Easemob__Pb__JID to_jid = EASEMOB__PB__JID__INIT;
    char own_copy[MT_SB_ID_MAX];
    char to_copy[MT_SB_ID_MAX];
    memcpy(own_copy, own, strlen(own) + 1);
    memcpy(to_copy, to, strlen(to) + 1);
    from_jid.name = own_copy;
    to_jid.name = to_copy;
    Easemob__Pb__MessageBody fixed = *body;
    fixed.from = &from_jid;
    fixed.to = &to_jid;
    parcel->len = easemob__pb__message_body__get_packed_size(&fixed);
    parcel->owned = mt_mem_alloc(parcel->len);
    if (parcel->owned == NULL)
        return MT_ERR_NOMEM;
    (void)easemob__pb__message_body__pack(&fixed, parcel->owned);
    parcel->payload = parcel->owned;
    return MT_OK;
}

/* routetype 2: only those named get it. */
static bool direct(const struct mt_sb_uplink *uplink, struct mt_sb_entry *entry)
{
    const Easemob__Pb__Meta *meta = uplink->meta;
    struct mt_sb_store *store = &uplink->session->sandbox->store;
    if (meta->routetype != EASEMOB__PB__META__ROUTE_TYPE__ROUTE_DIRECT ||
        meta->n_directedusers == 0)
        return true;
    if (meta->n_directedusers > DIRECTED_MAX) {
        mt_sb_uplink_refuse(uplink, 1, "limit directed users");
        return false;
    }
    entry->directed = mt_mem_calloc(meta->n_directedusers + 1, sizeof(uint32_t));
    if (entry->directed == NULL) {
        mt_sb_uplink_refuse(uplink, 1, "memory is short");
        return false;
    }
    entry->directed[entry->directed_n++] = uplink->session->device->user->index;
    for (size_t i = 0; i < meta->n_directedusers; i++) {
        const struct mt_sb_user *user = mt_sb_user_get(store, meta->directedusers[i]);
        if (user != NULL)
            entry->directed[entry->directed_n++] = user->index;
    }
    return true;
}

/* Online only: nothing is stored, whoever is there gets it. */
static enum mt_rc pass_on(const struct mt_sb_uplink *uplink, struct mt_sb_entry *entry,
                          int64_t *ts_ms, uint64_t *id)
{
    entry->online_only = true;
    enum mt_rc rc = mt_sb_uplink_event(uplink, uplink->body, entry, ts_ms);
    *id = entry->id;
    return rc;
}

static enum mt_rc store(const struct mt_sb_uplink *uplink, struct mt_sb_entry *entry,
                        int64_t *ts_ms, uint64_t *id)
{
    struct mt_sandbox *sandbox = uplink->session->sandbox;
    const struct mt_sb_device *device = uplink->session->device;
    uint8_t ext_room[EXT_BYTES];
    struct mt_sb_wire ext = {.p = ext_room, .cap = sizeof ext_room};
    struct parcel parcel = {0};
    struct mt_sb_message *message = NULL;
    enum mt_rc rc = wrap(uplink, &parcel);
    if (rc != MT_OK)
        goto out;
    mt_sb_uplink_ext(uplink, &ext);
    struct mt_sb_draft draft = {
        .thread = uplink->view->thread,
        .from = device->user,
        .resource = device->resource,
        .ts_ms = uplink->now_ms,
        .kind = mt_sb_body_kind(uplink->body),
        .wants_ack = uplink->body->msgconfig != NULL && uplink->body->msgconfig->allowgroupack,
        .payload = parcel.payload,
        .payload_len = parcel.len,
        .ext = ext.p,
        .ext_len = ext.full ? 0 : ext.len,
    };
    rc = mt_sb_message_append(&sandbox->store, &draft, &message);
    if (rc != MT_OK)
        goto out;
    *id = message->id;
    *ts_ms = message->ts_ms;
    entry->id = message->id;
    entry->online_only = draft.thread->chat == MT_SB_ROOM; /* rooms have no offline queue */
    rc = mt_sb_publish(sandbox, draft.thread, device, entry);
    entry->directed = NULL; /* the queue's now */
out:
    mt_mem_free(parcel.owned);
    mt_mem_free(entry->directed);
    return rc;
}

void mt_sb_uplink_chat(struct mt_sb_uplink *uplink)
{
    struct mt_sb_entry entry = {.is_message = true};
    uint64_t id = 0;
    int64_t ts_ms = 0;
    if (!direct(uplink, &entry))
        return;
    enum mt_rc rc = uplink->meta->routetype == EASEMOB__PB__META__ROUTE_TYPE__ROUTE_ONLINE
                        ? pass_on(uplink, &entry, &ts_ms, &id)
                        : store(uplink, &entry, &ts_ms, &id);
    if (rc != MT_OK)
        mt_sb_uplink_refuse(uplink, 1, "memory is short");
    else
        mt_sb_uplink_answer(uplink, NULL, id, ts_ms, NULL);
}

/* Entering and leaving a chat room (easemob.md §4.10); a room that is not there is made, unless
 * users are strict. */
void mt_sb_uplink_room(struct mt_sb_session *session, const Easemob__Pb__Meta *meta)
{
    struct mt_sb_uplink uplink = {.session = session, .meta = meta};
    struct mt_sb_store *store = &session->sandbox->store;
    struct mt_sb_user *user = session->device->user;
    Easemob__Pb__MUCBody *body =
        easemob__pb__mucbody__unpack(NULL, meta->payload.len, meta->payload.data);
    const char *id = body == NULL || body->mucid == NULL ? NULL : body->mucid->name;
    if (id == NULL || id[0] == '\0' || strlen(id) >= MT_SB_ID_MAX) {
        mt_sb_uplink_refuse(&uplink, 1, "Sorry, format is incorrect");
        goto out;
    }
    struct mt_sb_thread *thread = mt_sb_thread_group(store, id);
    if (thread == NULL && !session->sandbox->strict &&
        body->operation == EASEMOB__PB__MUCBODY__OPERATION__JOIN)
        thread = mt_sb_thread_group_make(store, id, MT_SB_ROOM, user);
    if (thread == NULL) {
        mt_sb_uplink_refuse(&uplink, 1, "grpID does not exist!");
        goto out;
    }
    struct mt_sb_view *view = mt_sb_view_make(store, user, thread);
    if (view == NULL || (body->operation != EASEMOB__PB__MUCBODY__OPERATION__JOIN &&
                         body->operation != EASEMOB__PB__MUCBODY__OPERATION__LEAVE)) {
        mt_sb_uplink_refuse(&uplink, 1,
                            view == NULL ? "memory is short" : "Sorry, format is incorrect");
        goto out;
    }
    view->member = body->operation == EASEMOB__PB__MUCBODY__OPERATION__JOIN;
    uint64_t server_id = mt_sb_store_next_id(store, mt_clock_wall_ms());
    mt_sb_uplink_answer(&uplink, NULL, server_id, mt_clock_wall_ms(), NULL);
out:
    if (body != NULL)
        easemob__pb__mucbody__free_unpacked(body, NULL);
}

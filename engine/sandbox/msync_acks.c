/* Receipts: read, delivered, whole conversation read. None of them is history. */
#include "sandbox/msync_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void pass_on(const struct mt_sb_uplink *uplink, const Easemob__Pb__MessageBody *body,
                    struct mt_sb_entry *entry)
{
    int64_t ts_ms = 0;
    if (mt_sb_uplink_event(uplink, body, entry, &ts_ms) != MT_OK)
        mt_sb_uplink_refuse(uplink, 1, "memory is short");
    else
        mt_sb_uplink_answer(uplink, NULL, entry->id, ts_ms, NULL);
}

/* The other side of a single chat; oneself in a note to self. */
static uint32_t peer_of(const struct mt_sb_view *view)
{
    const struct mt_sb_thread *thread = view->thread;
    for (size_t i = 0; i < thread->view_n; i++) {
        if (thread->views[i] != view)
            return thread->views[i]->user->index;
    }
    return view->user->index;
}

static void single_ack(struct mt_sb_uplink *uplink)
{
    struct mt_sb_entry entry = {0};
    if (uplink->view == NULL || uplink->view->thread->chat != MT_SB_SINGLE) {
        mt_sb_uplink_refuse(uplink, 1, "Sorry, message does not exist");
        return;
    }
    entry.only_user = peer_of(uplink->view) + 1;
    pass_on(uplink, uplink->body, &entry);
}

static bool is_online(const struct mt_sb_user *user)
{
    for (size_t i = 0; i < user->device_n; i++) {
        if (user->devices[i]->session != NULL)
            return true;
    }
    return false;
}

/* Told to the author alone, with the number of readers as JSON in ext[0] (easemob.md §3.3). */
static void group_ack(struct mt_sb_uplink *uplink)
{
    struct mt_sb_store *store = &uplink->session->sandbox->store;
    const struct mt_sb_user *user = uplink->session->device->user;
    struct mt_sb_entry entry = {0};
    char key[] = "group_read_count";
    char counts[64];
    struct mt_sb_view *view = NULL;
    const struct mt_sb_message *message =
        mt_sb_uplink_message(uplink, uplink->body->ackmessageid, &view);
    if (message == NULL || view->thread->chat == MT_SB_SINGLE) {
        mt_sb_uplink_refuse(uplink, 1, "group ack msg not found");
        return;
    }
    if (!message->wants_ack) {
        mt_sb_uplink_refuse(uplink, 1, "group ack msg permission denied");
        return;
    }
    struct mt_sb_readers *readers =
        mt_sb_readers_add(store, message->id, user->index, uplink->now_ms);
    if (readers == NULL) {
        mt_sb_uplink_refuse(uplink, 1, "memory is short");
        return;
    }
    if (!is_online(store->user_list[message->from])) { /* told all at once when it comes (§1.9) */
        readers->author = message->from;
        readers->untold = true;
        store->user_list[message->from]->readers_untold = true;
        mt_sb_uplink_answer(uplink, NULL, mt_sb_store_next_id(store, uplink->now_ms),
                            uplink->now_ms, NULL);
        return;
    }
    (void)snprintf(counts, sizeof counts, "{\"%" PRIu64 "\":%zu}", message->id, readers->n);
    Easemob__Pb__KeyValue kv = EASEMOB__PB__KEY_VALUE__INIT;
    Easemob__Pb__KeyValue *list[] = {&kv};
    kv.key = key;
    kv.has_type = 1;
    kv.type = EASEMOB__PB__KEY_VALUE__VALUE_TYPE__JSON_STRING;
    kv.value_case = EASEMOB__PB__KEY_VALUE__VALUE_STRING_VALUE;
    kv.stringvalue.data = (uint8_t *)counts;
    kv.stringvalue.len = strlen(counts);
    Easemob__Pb__MessageBody body = *uplink->body;
    body.ext = list;
    body.n_ext = 1;
    uplink->view = view;
    entry.only_user = message->from + 1;
    pass_on(uplink, &body, &entry);
}

void mt_sb_uplink_read(struct mt_sb_uplink *uplink)
{
    const Easemob__Pb__JID *to = uplink->meta->to;
    bool group = to->domain != NULL && strcmp(to->domain, MT_SB_DOMAIN_GROUP) == 0;
    if (group || (uplink->body->msgconfig != NULL && uplink->body->msgconfig->allowgroupack))
        group_ack(uplink);
    else
        single_ack(uplink);
}

void mt_sb_uplink_delivered(struct mt_sb_uplink *uplink)
{
    single_ack(uplink);
}

/* Unread becomes 0. In a single chat the peer hears of it, in a group only one's own other devices
 * do. */
void mt_sb_uplink_channel(struct mt_sb_uplink *uplink)
{
    struct mt_sb_entry entry = {0};
    if (uplink->view == NULL) {
        mt_sb_uplink_answer(uplink, NULL,
                            mt_sb_store_next_id(&uplink->session->sandbox->store, uplink->now_ms),
                            uplink->now_ms, NULL);
        return;
    }
    mt_sb_view_read(uplink->view);
    if (uplink->view->thread->chat != MT_SB_SINGLE)
        entry.only_user = uplink->view->user->index + 1;
    pass_on(uplink, uplink->body, &entry);
}

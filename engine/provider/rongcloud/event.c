/* Messages and news into events: see event_int.h. */
#include "provider/rongcloud/event_int.h"

#include "base/arena.h"

#include <stdio.h>
#include <string.h>

#define EVENTS_MAX 100000

void mt_rong_events_init(struct mt_rong_events *events, const char *user, struct mt_arena *arena)
{
    *events = (struct mt_rong_events){.user = user, .arena = arena};
}

/* A new event, empty but for its type; NULL when the arena is full. */
static struct mt_event *add(struct mt_rong_events *events, enum mt_event_type type)
{
    struct mt_event *event = NULL;

    if (events->n == events->cap) {
        size_t cap = events->cap == 0 ? 16 : events->cap * 4;
        struct mt_event *items =
            events->n < EVENTS_MAX ? mt_arena_alloc(events->arena, cap * sizeof *items) : NULL;

        if (items == NULL)
            return NULL;
        if (events->n > 0)
            memcpy(items, events->items, events->n * sizeof *items);
        events->items = items;
        events->cap = cap;
    }
    event = &events->items[events->n++];
    memset(event, 0, sizeof *event);
    event->type = type;
    event->data = (struct mt_value){.type = MT_VALUE_MAP};
    return event;
}

static void place(struct mt_event *event, const struct mt_conversation_ref *ref)
{
    event->conversation = *ref;
    event->has_conversation = ref->target[0] != '\0';
}

static enum mt_rc of_message(struct mt_rong_events *events, enum mt_event_type type,
                             const struct mt_message *m)
{
    struct mt_event *event = add(events, type);

    if (event == NULL)
        return MT_ERR_LIMIT;
    event->message = *m;
    place(event, &m->conversation);
    return MT_OK;
}

/* What has no event of its own, under a name: its body, and who it is from. */
static enum mt_rc notice(struct mt_rong_events *events, const struct mt_message *m)
{
    struct mt_event *event = add(events, MT_EVENT_NOTICE);
    struct mt_fields data;

    if (event == NULL)
        return MT_ERR_LIMIT;
    mt_fields_init(&data, events->arena);
    mt_fields_str(&data, "type", m->kind_name);
    mt_fields_str(&data, "from", m->from);
    mt_fields_str(&data, "id", m->target_id);
    for (size_t i = 0; i < m->body.fields_n; i++)
        if (strcmp(m->body.fields[i].key, "type") != 0)
            mt_fields_value(&data, m->body.fields[i].key, m->body.fields[i].value);
    mt_fields_int(&data, "time", m->time_ms);
    event->data = mt_fields_end(&data);
    place(event, &m->conversation);
    return data.failed == MT_OK ? MT_OK : MT_ERR_LIMIT;
}

/* ---------------------------------------------------------------- receipts */

/* Who has read which of whose messages: {"sender":["id", …]} (4.7, v1). */
static enum mt_rc read_list(struct mt_rong_events *events, const struct mt_message *m)
{
    const struct mt_value *ids = mt_value_get(mt_value_get(&m->body, "read"), events->user);
    enum mt_rc rc = MT_OK;

    for (size_t i = 0; ids != NULL && ids->type == MT_VALUE_LIST && rc == MT_OK && i < ids->items_n;
         i++) {
        struct mt_message one = *m;

        if (ids->items[i].type != MT_VALUE_STR || ids->items[i].len >= MT_ID_MAX)
            continue;
        one.target_id = ids->items[i].s;
        rc = of_message(events, MT_EVENT_READ, &one);
    }
    return rc;
}

static enum mt_rc statistic(struct mt_rong_events *events, const struct mt_conversation_ref *ref,
                            const char *id, int64_t read, int64_t total)
{
    struct mt_event *event = add(events, MT_EVENT_STATISTIC);
    struct mt_fields data;

    if (event == NULL)
        return MT_ERR_LIMIT;
    mt_fields_init(&data, events->arena);
    mt_fields_str(&data, "id", id);
    if (read >= 0)
        mt_fields_int(&data, "read", read);
    if (total >= 0)
        mt_fields_int(&data, "total", total);
    event->data = mt_fields_end(&data);
    place(event, ref);
    return data.failed == MT_OK ? MT_OK : MT_ERR_LIMIT;
}

static int64_t number(const struct mt_message *m, const char *key)
{
    const struct mt_value *v = mt_value_get(&m->body, key);

    return v != NULL && v->type == MT_VALUE_INT ? v->i : -1;
}

static enum mt_rc receipt(struct mt_rong_events *events, const struct mt_message *m)
{
    const char *what = m->kind_name;
    bool own = strcmp(m->from, events->user) == 0;

    if (strcmp(what, "read") == 0 && mt_value_get(&m->body, "read") != NULL)
        return own ? MT_OK : read_list(events, m); /* own: another device answered */
    if (strcmp(what, "read") == 0)
        return of_message(
            events, !own && mt_id_is(m->target_id) ? MT_EVENT_READ : MT_EVENT_CONVERSATION_READ, m);
    if (strcmp(what, "conversation_read") == 0) /* of nobody else's business */
        return own ? of_message(events, MT_EVENT_CONVERSATION_READ, m) : MT_OK;
    if (strcmp(what, "read_state") == 0 && mt_id_is(m->target_id))
        return statistic(events, &m->conversation, m->target_id, number(m, "read"),
                         number(m, "total"));
    if (strcmp(what, "read_state") == 0)
        return own ? MT_OK : of_message(events, MT_EVENT_CONVERSATION_READ, m);
    if (strcmp(what, "delivered") == 0 && mt_id_is(m->target_id))
        return own ? MT_OK : of_message(events, MT_EVENT_DELIVERED, m);
    return own ? MT_OK : notice(events, m);
}

enum mt_rc mt_rong_events_message(struct mt_rong_events *events, const struct mt_message *message)
{
    switch (message->type) {
    case MT_TYPE_MESSAGE:
        return of_message(events, MT_EVENT_MESSAGE, message);
    case MT_TYPE_EDIT:
        return of_message(events, MT_EVENT_EDITED, message);
    case MT_TYPE_RECALL:
        return of_message(events, MT_EVENT_RECALLED, message);
    case MT_TYPE_RECEIPT:
        return receipt(events, message);
    case MT_TYPE_GAP:
        break;
    }
    return MT_OK;
}

/* ---------------------------------------------------------------- settings, read times */

static enum mt_rc changed(struct mt_rong_events *events, const struct mt_rong_state *state,
                          const char *change)
{
    struct mt_event *event = add(events, MT_EVENT_CONVERSATION);
    struct mt_fields data;

    if (event == NULL)
        return MT_ERR_LIMIT;
    mt_fields_init(&data, events->arena);
    mt_fields_str(&data, "change", change);
    if (strcmp(change, "level") == 0) {
        mt_fields_int(&data, "level", state->level);
        if (state->ref.target[0] == '\0') /* of all conversations of this kind */
            mt_fields_str(&data, "kind", mt_conversation_kind_name(state->ref.kind));
    }
    mt_fields_int(&data, "time", state->time_ms);
    event->data = mt_fields_end(&data);
    place(event, &state->ref);
    return data.failed == MT_OK ? MT_OK : MT_ERR_LIMIT;
}

enum mt_rc mt_rong_events_states(struct mt_rong_events *events,
                                 const struct mt_rong_states_out *states)
{
    enum mt_rc rc = MT_OK;

    for (size_t i = 0; rc == MT_OK && i < states->n; i++) {
        const struct mt_rong_state *state = &states->items[i];

        if (state->has_top)
            rc = changed(events, state, state->top ? "pinned" : "unpinned");
        if (rc == MT_OK && state->has_level)
            rc = changed(events, state, "level");
    }
    return rc;
}

enum mt_rc mt_rong_events_read_time(struct mt_rong_events *events, const void *p, size_t len)
{
    ProtobufCAllocator allocator = mt_rong_allocator(events->arena);
    const Rongcloud__SessionMsgReadInput *read =
        rongcloud__session_msg_read_input__unpack(&allocator, len, p);
    struct mt_message m;
    struct mt_fields body;

    if (read == NULL)
        return MT_ERR_PROTOCOL;
    mt_rong_decode_none(NULL, 0, &m);
    if (!mt_rong_ref_set(&m.conversation, (int)read->type, read->channelid, read->buschannel))
        return MT_ERR_PROTOCOL;
    m.type = MT_TYPE_RECEIPT;
    m.kind_name = "conversation_read";
    m.from = events->user;
    m.to = read->channelid;
    m.sent = true;
    m.time_ms = read->msgtime;
    mt_fields_init(&body, events->arena);
    mt_fields_int(&body, "until", read->msgtime);
    m.body = mt_fields_end(&body);
    return body.failed ? MT_ERR_LIMIT : of_message(events, MT_EVENT_CONVERSATION_READ, &m);
}

/* ---------------------------------------------------------------- changes */

/* changeType of server events: receipts of the fifth version (3, pullEventChange). */
enum { CHANGE_RECEIPT_V5 = 36 };
/* changeType of an ultra group's. */
enum { ULTRA_EXPANSION = 1, ULTRA_EDITED = 2, ULTRA_RECALLED = 3 };

static enum mt_rc damaged(const char *what, struct mt_fault *fault)
{
    return mt_fault_set(fault, MT_ERR_PROTOCOL, "sync.damaged",
                        "the cloud's list of %s cannot be read", what);
}

static enum mt_rc full(struct mt_fault *fault)
{
    return mt_fault_set(fault, MT_ERR_LIMIT, "sync.too_large",
                        "the cloud's answer holds more than anybody needs");
}

static enum mt_rc receipt_v5(struct mt_rong_events *events, const Rongcloud__EventChange *change)
{
    ProtobufCAllocator allocator = mt_rong_allocator(events->arena);
    const Rongcloud__MsgReadEvent *read = rongcloud__msg_read_event__unpack(
        &allocator, change->eventdata.len, change->eventdata.data);
    struct mt_message m;
    enum mt_rc rc = MT_OK;

    if (read == NULL || read->msgid == NULL || strlen(read->msgid) >= MT_ID_MAX)
        return MT_OK;
    mt_rong_decode_none(NULL, 0, &m);
    if (change->has_channeltype)
        (void)mt_rong_ref_set(&m.conversation, (int)change->channeltype, change->businessid,
                              change->secondaryid);
    m.type = MT_TYPE_RECEIPT;
    m.kind_name = "read";
    m.target_id = read->msgid;
    m.to = events->user;
    for (size_t i = 0; rc == MT_OK && i < read->n_readlist; i++) {
        const Rongcloud__ReceiptUser *user = read->readlist[i];

        if (user->userid == NULL || strcmp(user->userid, events->user) == 0)
            continue;
        m.from = user->userid;
        m.time_ms = user->has_receipttime ? user->receipttime : change->time;
        rc = of_message(events, MT_EVENT_READ, &m);
    }
    return rc ? rc
              : statistic(events, &m.conversation, read->msgid,
                          read->has_readcnt ? read->readcnt : -1,
                          read->has_totalcnt ? read->totalcnt : -1);
}

static enum mt_rc other_change(struct mt_rong_events *events, const Rongcloud__EventChange *change)
{
    struct mt_event *event = add(events, MT_EVENT_NOTICE);
    struct mt_fields data;

    if (event == NULL)
        return MT_ERR_LIMIT;
    mt_fields_init(&data, events->arena);
    mt_fields_str(&data, "type", "change");
    mt_fields_int(&data, "number", change->has_changetype ? change->changetype : 0);
    mt_fields_int(&data, "sub_number", change->has_subchangetype ? change->subchangetype : 0);
    mt_fields_str(&data, "about", change->businessid);
    mt_fields_str(&data, "id", change->originalid);
    mt_fields_str(&data, "from", change->operatorid);
    mt_fields_int(&data, "time", change->has_time ? change->time : 0);
    event->data = mt_fields_end(&data);
    if (change->has_channeltype && change->businessid != NULL)
        event->has_conversation = mt_rong_ref_set(&event->conversation, (int)change->channeltype,
                                                  change->businessid, change->secondaryid);
    return data.failed == MT_OK ? MT_OK : MT_ERR_LIMIT;
}

enum mt_rc mt_rong_events_changes(struct mt_rong_events *events, const void *p, size_t len,
                                  struct mt_rong_changes_out *out, struct mt_fault *fault)
{
    ProtobufCAllocator allocator = mt_rong_allocator(events->arena);
    const Rongcloud__EventChangeList *list =
        rongcloud__event_change_list__unpack(&allocator, len, p);
    enum mt_rc rc = MT_OK;

    *out = (struct mt_rong_changes_out){.sync_ms = 0};
    if (list == NULL)
        return damaged("changes", fault);
    out->sync_ms = list->synctime;
    out->more = list->has_hasnext && list->hasnext;
    for (size_t i = 0; rc == MT_OK && i < list->n_list; i++) {
        const Rongcloud__EventChange *change = list->list[i];

        rc = change->has_changetype && change->changetype == CHANGE_RECEIPT_V5 &&
                     change->has_eventdata
                 ? receipt_v5(events, change)
                 : other_change(events, change);
    }
    return rc == MT_OK ? MT_OK : full(fault);
}

static enum mt_rc ultra_change(struct mt_rong_events *events, const Rongcloud__MsgChange *change)
{
    static const char *const names[] = {
        [ULTRA_EXPANSION] = "expansion", [ULTRA_EDITED] = "edited", [ULTRA_RECALLED] = "recall"};
    struct mt_message m;
    struct mt_fields body;

    if (strlen(change->msguid) >= MT_ID_MAX)
        return MT_OK;
    mt_rong_decode_none(NULL, 0, &m);
    (void)mt_rong_ref_set(&m.conversation, (int)change->type, change->targetid, change->buschannel);
    m.target_id = change->msguid;
    m.time_ms = change->time;
    m.from = change->operatorid ? change->operatorid : "";
    m.to = change->targetid;
    m.kind_name = change->changetype >= ULTRA_EXPANSION && change->changetype <= ULTRA_RECALLED
                      ? names[change->changetype]
                      : "change";
    mt_fields_init(&body, events->arena);
    mt_fields_int(&body, "number", change->changetype);
    mt_fields_int(&body, "sent_time", change->msgtime);
    if (change->has_isadmin && change->isadmin)
        mt_fields_bool(&body, "admin", true);
    if (change->has_isdel && change->isdel)
        mt_fields_bool(&body, "delete", true);
    m.body = mt_fields_end(&body);
    if (body.failed != MT_OK)
        return MT_ERR_LIMIT;
    m.type = change->changetype == ULTRA_RECALLED ? MT_TYPE_RECALL : MT_TYPE_RECEIPT;
    /* Of an edit the new content is not told: it stands in the history. */
    return m.type == MT_TYPE_RECALL ? of_message(events, MT_EVENT_RECALLED, &m)
                                    : notice(events, &m);
}

enum mt_rc mt_rong_events_ultra_changes(struct mt_rong_events *events, const void *p, size_t len,
                                        struct mt_rong_changes_out *out, struct mt_fault *fault)
{
    ProtobufCAllocator allocator = mt_rong_allocator(events->arena);
    const Rongcloud__MsgChangeList *list = rongcloud__msg_change_list__unpack(&allocator, len, p);
    enum mt_rc rc = MT_OK;

    *out = (struct mt_rong_changes_out){.sync_ms = 0};
    if (list == NULL)
        return damaged("changes", fault);
    out->sync_ms = list->synctime;
    out->more = list->has_hasnext && list->hasnext;
    for (size_t i = 0; rc == MT_OK && i < list->n_list; i++)
        rc = ultra_change(events, list->list[i]);
    return rc == MT_OK ? MT_OK : full(fault);
}

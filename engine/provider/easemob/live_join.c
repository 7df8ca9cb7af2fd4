/* Chat rooms: entered and left over the session (easemob.md §4.10). Who is away leaves a room after
 * two minutes (easemob-service.md §3.2), so a new connection enters them all again. */
#include "provider/easemob/live_int.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "provider/easemob/decode_int.h"
#include "provider/easemob/outgoing_int.h"

#include <string.h>

#define PACKED_MAX 1024

struct mt_em_room {
    struct mt_em_room *next;
    char id[];
};

static char *unconst(const char *s)
{
    return (char *)(uintptr_t)s;
}

enum mt_rc mt_em_room_pack(const struct mt_provider_account *account,
                           const struct mt_reference *reference, uint64_t meta_id,
                           struct mt_buf *out, struct mt_fault *fault)
{
    Easemob__Pb__JID user = EASEMOB__PB__JID__INIT;
    Easemob__Pb__JID server = EASEMOB__PB__JID__INIT;
    Easemob__Pb__JID room = EASEMOB__PB__JID__INIT;
    Easemob__Pb__JID name = EASEMOB__PB__JID__INIT;
    Easemob__Pb__MUCBody body = EASEMOB__PB__MUCBODY__INIT;
    Easemob__Pb__Meta meta = EASEMOB__PB__META__INIT;
    Easemob__Pb__CommSyncUL sync = EASEMOB__PB__COMM_SYNC_UL__INIT;
    uint8_t payload[PACKED_MAX];
    uint8_t packed[2 * PACKED_MAX];
    bool join = reference->type == MT_REFER_JOIN;

    if (reference->conversation.kind != MT_CONVERSATION_ROOM)
        return mt_fault_set(fault, MT_ERR_UNSUPPORTED, "unsupported",
                            "only chat rooms are entered and left by their visitors");
    user.appkey = room.appkey = account->appkey;
    user.name = name.name = account->user;
    user.domain = server.domain = unconst("easemob.com");
    room.name = unconst(reference->conversation.target);
    room.domain = unconst("conference.easemob.com");
    body.mucid = &room;
    body.has_operation = true;
    body.operation =
        join ? EASEMOB__PB__MUCBODY__OPERATION__JOIN : EASEMOB__PB__MUCBODY__OPERATION__LEAVE;
    body.from = &name;
    body.has_ischatroom = true;
    body.ischatroom = true;
    if (join) { /* the other rooms are kept */
        body.ext = unconst("");
        body.has_leaveotherrooms = true;
    }
    if (easemob__pb__mucbody__get_packed_size(&body) > sizeof payload)
        return mt_fault_set(fault, MT_ERR_INVALID, "conversation.id", "the room's id is too long");
    meta.has_id = true;
    meta.id = meta_id;
    meta.from = &user;
    meta.to = &server;
    meta.has_ns = true;
    meta.ns = EASEMOB__PB__META__NAME_SPACE__MUC;
    meta.has_payload = true;
    meta.payload.data = payload;
    meta.payload.len = easemob__pb__mucbody__pack(&body, payload);
    sync.meta = &meta;
    if (easemob__pb__comm_sync_ul__get_packed_size(&sync) > sizeof packed)
        return mt_fault_set(fault, MT_ERR_INVALID, "conversation.id", "the room's id is too long");
    return mt_buf_append(out, packed, easemob__pb__comm_sync_ul__pack(&sync, packed));
}

/* ---------------------------------------------------------------- which ones */

void mt_em_room_entered(struct mt_em_live *live, const char *id)
{
    struct mt_em_room *room = live->joined;
    size_t len = strlen(id) + 1;
    struct mt_conversation_ref ref;

    if (mt_em_ref_set(&ref, MT_CONVERSATION_ROOM, id))
        mt_em_live_room_note(live, &ref);
    while (room && strcmp(room->id, id) != 0)
        room = room->next;
    if (room)
        return;
    room = mt_mem_alloc(sizeof *room + len);
    if (!room) {
        mt_log(MT_LOG_WARN, "easemob", "%s: out of memory: room %s is not entered again by itself",
               live->account->name, id);
        return;
    }
    memcpy(room->id, id, len);
    room->next = live->joined;
    live->joined = room;
}

void mt_em_room_left(struct mt_em_live *live, const char *id)
{
    struct mt_em_room **at = &live->joined;

    while (*at && strcmp((*at)->id, id) != 0)
        at = &(*at)->next;
    if (!*at)
        return;
    struct mt_em_room *room = *at;
    *at = room->next;
    mt_mem_free(room);
}

static void entered_again(void *ud, enum mt_rc rc, const struct mt_sent *sent,
                          const struct mt_fault *fault)
{
    const struct mt_provider_account *account = ud;

    (void)sent;
    if (rc && rc != MT_ERR_CANCELLED)
        mt_log(MT_LOG_WARN, "easemob", "%s: a chat room could not be entered again: %s",
               account->name, fault->message);
}

void mt_em_rooms_again(struct mt_em_live *live)
{
    for (const struct mt_em_room *room = live->joined; room; room = room->next) {
        struct mt_reference reference = {.type = MT_REFER_JOIN,
                                         .conversation = {.kind = MT_CONVERSATION_ROOM}};

        if (!mt_em_ref_set(&reference.conversation, MT_CONVERSATION_ROOM, room->id) ||
            mt_em_live_refer(live->account, &reference, entered_again, live->account, NULL))
            return;
    }
}

void mt_em_rooms_free(struct mt_em_live *live)
{
    while (live->joined) {
        struct mt_em_room *room = live->joined;

        live->joined = room->next;
        mt_mem_free(room);
    }
}

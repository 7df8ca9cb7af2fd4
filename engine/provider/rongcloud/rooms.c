/* Chat rooms that a session is in: their messages are in no inbox, but pulled room by room when the
 * cloud says that there are new ones (rongcloud.md 2.6; chrmPull as the SDK sends it). */
#include "provider/rongcloud/live_int.h"

#include "base/arena.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#define ROOMS_MAX  256
#define PAGE_N     50
#define PACKED_MAX 64

struct room_call;

struct mt_rong_room {
    struct mt_rong_room *next;
    char id[MT_RONG_TARGET_MAX];
    int64_t read_ms;        /* all before was handed out */
    struct room_call *pull; /* on its way */
    bool wanted;            /* once more, when that is back */
};

struct room_call {
    struct mt_rong_call call; /* first */
    struct mt_rong_live *live;
    struct mt_rong_room *room; /* NULL: left meanwhile */
    bool more;
};

static struct mt_rong_room *find(const struct mt_rong_live *live, const char *id)
{
    struct mt_rong_room *room = live->rooms;

    while (room != NULL && strcmp(room->id, id) != 0)
        room = room->next;
    return room;
}

static void pull(struct mt_rong_live *live, struct mt_rong_room *room);

/* ---------------------------------------------------------------- a pull */

static void step(struct mt_provider_call *life)
{
    struct room_call *call = (struct room_call *)life;
    Rongcloud__ChrmPullMsg input = RONGCLOUD__CHRM_PULL_MSG__INIT;
    uint8_t packed[PACKED_MAX];

    if (call->room == NULL) {
        mt_call_end(life, MT_ERR_CANCELLED, NULL);
        return;
    }
    input.synctime = call->room->read_ms;
    input.count = PAGE_N;
    input.has_compressioenabled = input.compressioenabled = true;
    mt_rong_ask(life, &(struct mt_rong_request){
                          .topic = "chrmPull",
                          .target = call->room->id,
                          .reads = true,
                          .payload = packed,
                          .len = rongcloud__chrm_pull_msg__pack(&input, packed),
                      });
}

/* Takes the arena over. */
static enum mt_rc tell(struct room_call *call, const struct mt_rong_pull_out *out,
                       struct mt_arena *arena)
{
    struct mt_rong_live *live = call->live;
    struct mt_rong_events events;
    enum mt_rc rc = MT_OK;

    mt_rong_events_init(&events, live->account->user, arena);
    for (size_t i = 0; rc == MT_OK && i < out->messages.n; i++)
        if (!mt_rong_live_seen(live, out->messages.items[i].id))
            rc = mt_rong_events_message(&events, &out->messages.items[i]);
    call->more = out->messages.n > 0 && out->sync_ms > call->room->read_ms;
    if (rc != MT_OK || events.n == 0) {
        mt_arena_free(arena);
    } else {
        for (size_t i = 0; i < out->messages.n; i++)
            mt_rong_live_see(live, out->messages.items[i].id);
        if (!mt_rong_live_hand_out(live, &events, &live->read))
            rc = MT_ERR_NOMEM;
    }
    if (rc == MT_OK && out->sync_ms > call->room->read_ms)
        call->room->read_ms = out->sync_ms;
    return rc;
}

static enum mt_rc take(struct room_call *call, const struct mt_rong_answer *answer,
                       struct mt_fault *fault)
{
    struct mt_conversation_ref ref;
    struct mt_rong_decoder decoder = {.user = call->live->account->user, .conversation = &ref};
    struct mt_rong_pull_out out = {.sync_ms = 0};
    struct mt_arena *arena = mt_arena_new(MT_RONG_PAGE_ARENA_MAX);
    enum mt_rc rc = MT_ERR_NOMEM;

    memset(&ref, 0, sizeof ref);
    ref.kind = MT_CONVERSATION_ROOM;
    snprintf(ref.target, sizeof ref.target, "%s", call->room->id);
    decoder.scratch = mt_arena_new(MT_RONG_SCRATCH_MAX);
    if (arena != NULL && decoder.scratch != NULL) {
        rc = mt_rong_room_parse(&decoder, answer->payload, answer->len, arena, &out, fault);
        if (rc == MT_OK)
            rc = tell(call, &out, arena);
        else
            mt_arena_free(arena);
    } else {
        mt_arena_free(arena);
    }
    mt_arena_free(decoder.scratch);
    if (rc == MT_ERR_NOMEM)
        (void)mt_fault_set(fault, rc, "memory", "out of memory");
    return rc;
}

static void answered(struct mt_provider_call *life, const struct mt_rong_answer *answer,
                     const struct mt_fault *fault)
{
    struct room_call *call = (struct room_call *)life;
    struct mt_fault own = {.kind = MT_OK};
    enum mt_rc rc = MT_OK;

    if (fault != NULL)
        own = *fault;
    else if (call->room != NULL)
        rc = take(call, answer, &own);
    if (rc != MT_OK && own.kind == MT_OK)
        (void)mt_fault_set(&own, rc, "sync.failed", "the room's messages could not be taken");
    mt_call_end(life, own.kind, &own);
}

static void finish(struct mt_provider_call *life, enum mt_rc rc, const struct mt_fault *fault)
{
    struct room_call *call = (struct room_call *)life;
    struct mt_rong_room *room = call->room;

    if (room == NULL)
        return;
    room->pull = NULL;
    if (rc != MT_OK) { /* pulled again with the next notice, or when it is time */
        mt_log(MT_LOG_DEBUG, "rongcloud", "%s: nothing was pulled of room %s: %s",
               life->account->name, room->id, fault->message);
        return;
    }
    if (call->more || room->wanted)
        pull(call->live, room);
}

static void pull(struct mt_rong_live *live, struct mt_rong_room *room)
{
    struct room_call *call = NULL;

    room->wanted = true;
    if (live->ended || room->pull != NULL)
        return;
    call = mt_mem_calloc(1, sizeof *call);
    if (call == NULL)
        return; /* wanted is kept: with the next notice */
    call->live = live;
    call->room = room;
    call->call.verb = "sync";
    call->call.answer = answered;
    call->call.life.step = step;
    call->call.life.finish = finish;
    if (mt_call_start(&live->account->calls, &call->call.life) != MT_OK)
        return;
    room->wanted = false;
    room->pull = call;
}

/* ---------------------------------------------------------------- which rooms */

void mt_rong_room_entered(struct mt_rong_live *live, const char *id, int64_t since_ms)
{
    struct mt_rong_room *room = find(live, id);
    size_t n = 0;

    if (room != NULL) { /* again, after an absence: what was said meanwhile is told */
        pull(live, room);
        return;
    }
    for (const struct mt_rong_room *r = live->rooms; r != NULL; r = r->next)
        n++;
    room = n < ROOMS_MAX && strlen(id) < MT_RONG_TARGET_MAX ? mt_mem_calloc(1, sizeof *room) : NULL;
    if (room == NULL) {
        mt_log(MT_LOG_WARN, "rongcloud", "%s: in more than %d rooms: %s is not heard",
               live->account->name, ROOMS_MAX, id);
        return;
    }
    snprintf(room->id, sizeof room->id, "%s", id);
    room->read_ms = since_ms;
    room->next = live->rooms;
    live->rooms = room;
    pull(live, room);
}

static void drop(struct mt_rong_room *room)
{
    if (room->pull != NULL) {
        struct room_call *call = room->pull;

        call->room = NULL;
        mt_call_cancel(&call->call.life);
    }
    mt_mem_free(room);
}

void mt_rong_room_left(struct mt_rong_live *live, const char *id)
{
    struct mt_rong_room **at = &live->rooms;

    while (*at != NULL && strcmp((*at)->id, id) != 0)
        at = &(*at)->next;
    if (*at != NULL) {
        struct mt_rong_room *room = *at;

        *at = room->next;
        drop(room);
    }
}

void mt_rong_rooms_pull(struct mt_rong_live *live, const char *id, int64_t time_ms)
{
    for (struct mt_rong_room *room = live->rooms; room != NULL; room = room->next)
        if ((id == NULL || strcmp(room->id, id) == 0) && (time_ms == 0 || time_ms > room->read_ms))
            pull(live, room);
}

void mt_rong_rooms_stop(struct mt_rong_live *live)
{
    while (live->rooms != NULL) {
        struct mt_rong_room *room = live->rooms;

        live->rooms = room->next;
        drop(room);
    }
}

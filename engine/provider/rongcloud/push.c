/* What the cloud says by itself (rongcloud.md 2.5, 2.6, 4.2). In the usual mode a push only says
 * that there is something to pull; where navigation says so, the message lies in the push. */
#include "provider/rongcloud/live_int.h"

#include "base/arena.h"
#include "base/log.h"
#include "provider/rongcloud/frame_int.h"
#include "provider/rongcloud/prime_int.h"

#include <stdio.h>
#include <string.h>

#define ARENA_EXTRA ((size_t)8 * 1024 * 1024)
#define NOTICE_MAX  ((size_t)4096)

#define COMMAND_UNREADS 13 /* of s_cmd (2.6) */

static bool is_topic(const struct mt_rong_frame *frame, const char *topic)
{
    return frame->topic.len == strlen(topic) &&
           memcmp(frame->topic.s, topic, frame->topic.len) == 0;
}

/* A message that came outside of a pull: told now, and its place in the boxes is read later. Takes
 * the arena over, in which raw lies. */
static void tell_message(struct mt_rong_live *live, const uint8_t *raw, size_t len,
                         struct mt_arena *arena)
{
    struct mt_rong_decoder decoder = {.user = live->account->user,
                                      .scratch = mt_arena_new(MT_RONG_SCRATCH_MAX)};
    struct mt_message message;
    struct mt_rong_events events;

    mt_rong_events_init(&events, live->account->user, arena);
    if (decoder.scratch != NULL && mt_rong_decode(&decoder, raw, len, arena, &message) == MT_OK &&
        !mt_rong_live_seen(live, message.id) &&
        mt_rong_events_message(&events, &message) == MT_OK && events.n > 0) {
        mt_rong_live_see(live, message.id);
        mt_rong_model_take(live->account, &message);
        (void)mt_rong_live_hand_out(live, &events, &live->read);
    } else {
        mt_arena_free(arena);
    }
    mt_arena_free(decoder.scratch);
}

/* Status messages are in no box: they come in the push alone (4.2), as what a room's own server
 * says in it. */
static bool is_status(const uint8_t *raw, size_t len, struct mt_arena *arena)
{
    static const char *const names[] = {"RC:TypSts", "RC:InterceptMsg", "RC:RL"};
    enum { STATUS_BIT = 64 };
    ProtobufCAllocator allocator = mt_rong_allocator(arena);
    const Rongcloud__DownStreamMessage *m =
        rongcloud__down_stream_message__unpack(&allocator, len, raw);

    if (m == NULL)
        return false;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(m->classname, names[i]) == 0)
            return true;
    return m->type == RONGCLOUD__CHANNEL_TYPE__CT_TEMPGROUP ||
           (m->has_extstatus && (m->extstatus & STATUS_BIT) != 0);
}

static void on_message(struct mt_rong_live *live, const struct mt_rong_frame *frame)
{
    bool direct = live->account->navi.direct;
    size_t len = frame->payload_len;
    struct mt_arena *arena = mt_arena_new(len * 16 + ARENA_EXTRA);
    uint8_t *raw = arena != NULL ? mt_arena_alloc(arena, len + 1) : NULL;

    if (raw != NULL)
        memcpy(raw, frame->payload, len);
    if (raw != NULL && (direct || is_status(raw, len, arena))) {
        if (direct)
            mt_rong_live_pushed(live);
        tell_message(live, raw, len, arena);
        return;
    }
    mt_arena_free(arena);
    mt_rong_sync(live, MT_RONG_SYNC_INBOX);
}

/* room: NULL, or where the room's id is put that it is about, "" if none. */
static int32_t notice_type(const struct mt_rong_frame *frame, int64_t *time_ms,
                           char room[MT_RONG_TARGET_MAX])
{
    Rongcloud__NotifyMsg *notice =
        frame->payload_len <= NOTICE_MAX
            ? rongcloud__notify_msg__unpack(NULL, frame->payload_len, frame->payload)
            : NULL;
    int32_t type = notice != NULL ? notice->type : 0;

    *time_ms = notice != NULL && notice->has_time ? notice->time : 0;
    if (room != NULL)
        snprintf(room, MT_RONG_TARGET_MAX, "%s",
                 notice != NULL && notice->chrmid != NULL ? notice->chrmid : "");
    if (notice != NULL)
        rongcloud__notify_msg__free_unpacked(notice, NULL);
    return type;
}

static void on_notice(struct mt_rong_live *live, const struct mt_rong_frame *frame)
{
    enum { INBOX = 1, ROOM = 2 };
    char room[MT_RONG_TARGET_MAX];
    int64_t time_ms = 0;
    int32_t type = notice_type(frame, &time_ms, room);

    /* of what was read already (4.2) */
    if (type == INBOX && (time_ms == 0 || time_ms > live->read.inbox))
        mt_rong_sync(live, MT_RONG_SYNC_INBOX);
    else if (type == ROOM)
        mt_rong_rooms_pull(live, room, time_ms);
}

static void on_command(struct mt_rong_live *live, const struct mt_rong_frame *frame)
{
    static const struct {
        int32_t type;
        enum mt_rong_sync what;
    } commands[] = {{3, MT_RONG_SYNC_SETTINGS},
                    {6, MT_RONG_SYNC_ULTRA},
                    {7, MT_RONG_SYNC_ULTRA_CHANGES},
                    {11, MT_RONG_SYNC_EVENTS},
                    {12, MT_RONG_SYNC_EDITS}};
    int64_t time_ms = 0;
    int32_t type = notice_type(frame, &time_ms, NULL);

    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (commands[i].type == type)
            mt_rong_sync(live, commands[i].what);
    if (type == COMMAND_UNREADS)
        mt_rong_unreads_pull(live->account);
}

void mt_rong_live_push(struct mt_provider_account *account, const struct mt_rong_frame *frame)
{
    struct mt_rong_live *live = account->live;

    if (live == NULL || live->ended || !live->announced) /* then it is pulled */
        return;
    if (is_topic(frame, "s_msg"))
        on_message(live, frame);
    else if (is_topic(frame, "s_ntf"))
        on_notice(live, frame);
    else if (is_topic(frame, "s_cmd"))
        on_command(live, frame);
}

/* The topics on which a device says until where it has read. */
static bool is_read_time(const char *topic)
{
    return strcmp(topic, "updRTime") == 0 || strcmp(topic, "updUgRTime") == 0 ||
           strcmp(topic, "updRRTime") == 0;
}

/* Takes the arena over. */
static void tell_read_time(struct mt_rong_live *live, const struct mt_rong_echo *echo,
                           struct mt_arena *arena)
{
    struct mt_rong_events events;

    mt_rong_events_init(&events, live->account->user, arena);
    if (mt_rong_events_read_time(&events, echo->payload, echo->len) == MT_OK && events.n > 0) {
        mt_rong_model_take_read(live->account, &events.items[0].conversation,
                                events.items[0].message.time_ms);
        (void)mt_rong_live_hand_out(live, &events, &live->read);
    } else {
        mt_arena_free(arena);
    }
}

/* Takes the arena over. */
static void tell_sent(struct mt_rong_live *live, const struct mt_rong_echo *echo, int64_t time_ms,
                      const char *uid, struct mt_arena *arena)
{
    struct mt_rong_decoder decoder = {.user = live->account->user,
                                      .scratch = mt_arena_new(MT_RONG_SCRATCH_MAX)};
    const uint8_t *raw = NULL;
    size_t len = 0;

    if (decoder.scratch != NULL &&
        mt_rong_echo_raw(&decoder, echo->topic, echo->target, echo->payload, echo->len, uid,
                         time_ms, arena, &raw, &len) == MT_OK)
        tell_message(live, raw, len, arena);
    else
        mt_arena_free(arena);
    mt_arena_free(decoder.scratch);
}

void mt_rong_live_echo(struct mt_provider_account *account, const struct mt_rong_echo *echo,
                       int64_t time_ms, const char *uid)
{
    struct mt_rong_live *live = account->live;
    struct mt_arena *arena = NULL;

    if (live == NULL || live->ended || !live->announced || mt_rong_live_seen(live, uid))
        return;
    arena = mt_arena_new(echo->len * 16 + ARENA_EXTRA);
    if (arena == NULL)
        return; /* it stands in the outbox, too */
    if (is_read_time(echo->topic))
        tell_read_time(live, echo, arena);
    else
        tell_sent(live, echo, time_ms, uid, arena);
}

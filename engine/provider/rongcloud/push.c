/* What the cloud says by itself (rongcloud.md 2.5, 2.6, 4.2). In the usual mode a push only says
 * that there is something to pull; where navigation says so, the message lies in the push. */
#include "provider/rongcloud/live_int.h"

#include "base/arena.h"
#include "base/log.h"
#include "provider/rongcloud/frame_int.h"

#include <string.h>

#define ARENA_EXTRA ((size_t)8 * 1024 * 1024)
#define NOTICE_MAX  ((size_t)4096)

static bool is_topic(const struct mt_rong_frame *frame, const char *topic)
{
    return frame->topic.len == strlen(topic) &&
           memcmp(frame->topic.s, topic, frame->topic.len) == 0;
}

/* A message that came outside of a pull: told now, and its place in the boxes is read later. */
static void tell_message(struct mt_rong_live *live, const uint8_t *raw, size_t len,
                         struct mt_arena *arena, bool status_only)
{
    struct mt_rong_decoder decoder = {.user = live->account->user,
                                      .scratch = mt_arena_new(MT_RONG_SCRATCH_MAX)};
    struct mt_message *message = mt_arena_calloc(arena, 1, sizeof *message);
    struct mt_event *events = NULL;
    size_t n = 0;

    if (decoder.scratch != NULL && message != NULL &&
        mt_rong_decode(&decoder, raw, len, arena, message) == MT_OK &&
        (!status_only || mt_rong_is_status(message)))
        events = mt_rong_sync_events(live, message, 1, arena, &n);
    mt_arena_free(decoder.scratch);
    if (n > 0)
        mt_rong_live_hand_out(live, events, n, arena, &live->read);
    else
        mt_arena_free(arena);
}

static void on_message(struct mt_rong_live *live, const struct mt_rong_frame *frame)
{
    struct mt_arena *arena = mt_arena_new(frame->payload_len * 16 + ARENA_EXTRA);
    uint8_t *raw = arena != NULL ? mt_arena_alloc(arena, frame->payload_len + 1) : NULL;

    if (raw != NULL) {
        memcpy(raw, frame->payload, frame->payload_len);
        tell_message(live, raw, frame->payload_len, arena, !live->account->navi.direct);
    } else {
        mt_arena_free(arena);
    }
    mt_rong_sync(live, MT_RONG_SYNC_INBOX);
}

static int32_t notice_type(const struct mt_rong_frame *frame, int64_t *time_ms)
{
    Rongcloud__NotifyMsg *notice =
        frame->payload_len <= NOTICE_MAX
            ? rongcloud__notify_msg__unpack(NULL, frame->payload_len, frame->payload)
            : NULL;
    int32_t type = notice != NULL ? notice->type : 0;

    *time_ms = notice != NULL && notice->has_time ? notice->time : 0;
    if (notice != NULL)
        rongcloud__notify_msg__free_unpacked(notice, NULL);
    return type;
}

static void on_notice(struct mt_rong_live *live, const struct mt_rong_frame *frame)
{
    int64_t time_ms = 0;

    /* of what was read already (4.2) */
    if (notice_type(frame, &time_ms) == 1 && (time_ms == 0 || time_ms > live->read.inbox))
        mt_rong_sync(live, MT_RONG_SYNC_INBOX);
}

static void on_command(struct mt_rong_live *live, const struct mt_rong_frame *frame)
{
    enum { SETTINGS = 3, EDITS = 12 };
    int64_t time_ms = 0;
    int32_t type = notice_type(frame, &time_ms);

    if (type == SETTINGS)
        mt_rong_sync(live, MT_RONG_SYNC_SETTINGS);
    else if (type == EDITS)
        mt_rong_sync(live, MT_RONG_SYNC_EDITS);
}

void mt_rong_live_push(struct mt_provider_account *account, const struct mt_rong_frame *frame)
{
    struct mt_rong_live *live = account->live;

    if (live == NULL || live->ended)
        return;
    if (is_topic(frame, "s_msg"))
        on_message(live, frame);
    else if (is_topic(frame, "s_ntf"))
        on_notice(live, frame);
    else if (is_topic(frame, "s_cmd"))
        on_command(live, frame);
}

void mt_rong_live_echo(struct mt_provider_account *account, const struct mt_rong_echo *echo,
                       int64_t time_ms, const char *uid)
{
    struct mt_rong_live *live = account->live;
    struct mt_rong_decoder decoder = {.user = account->user};
    struct mt_arena *arena = NULL;
    const uint8_t *raw = NULL;
    size_t len = 0;

    if (live == NULL || live->ended || mt_rong_live_seen(live, uid))
        return;
    arena = mt_arena_new(echo->len * 16 + ARENA_EXTRA);
    decoder.scratch = mt_arena_new(MT_RONG_SCRATCH_MAX);
    if (arena != NULL && decoder.scratch != NULL &&
        mt_rong_echo_raw(&decoder, echo->topic, echo->target, echo->payload, echo->len, uid,
                         time_ms, arena, &raw, &len) == MT_OK)
        tell_message(live, raw, len, arena, false);
    else
        mt_arena_free(arena);
    mt_arena_free(decoder.scratch);
}

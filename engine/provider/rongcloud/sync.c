/* What a live session pulls: the messages that the cloud keeps for this user, what the user has set
 * for conversations, what was edited (rongcloud.md 4.1, 4.2). One of each is on its way at a time;
 * notices that come meanwhile make one more. */
#include "provider/rongcloud/live_int.h"

#include "base/arena.h"
#include "base/log.h"
#include "base/mem.h"
#include "provider/rongcloud/page_int.h"

#include <string.h>

#define PACKED_MAX 256

struct mt_rong_sync_call {
    struct mt_rong_call call;  /* first */
    struct mt_rong_live *live; /* NULL: stopped meanwhile */
    enum mt_rong_sync what;
    bool more; /* this one did not bring all */
};

static struct mt_rong_sync_call *of(struct mt_provider_call *call)
{
    return (struct mt_rong_sync_call *)call;
}

/* ---------------------------------------------------------------- requests */

static void ask(struct mt_provider_call *call, const char *topic, const ProtobufCMessage *input)
{
    uint8_t packed[PACKED_MAX];
    size_t len = protobuf_c_message_get_packed_size(input);

    if (len <= sizeof packed)
        (void)protobuf_c_message_pack(input, packed);
    mt_rong_ask(call, &(struct mt_rong_request){.topic = topic,
                                                .reads = true,
                                                .payload = packed,
                                                .len = len <= sizeof packed ? len : 0});
}

/* As the SDK sends it (4.2). */
static void ask_inbox(struct mt_provider_call *call, const struct mt_rong_live *live)
{
    Rongcloud__SyncRequestMsg input = RONGCLOUD__SYNC_REQUEST_MSG__INIT;

    input.synctime = live->read.inbox;
    input.has_ispullsend = input.ispullsend = true;
    input.has_sendboxsynctime = true;
    input.sendboxsynctime = live->read.outbox;
    input.has_broadcastsynctime = true;
    input.broadcastsynctime = live->read.broadcast;
    input.has_compressioenabled = input.compressioenabled = true;
    ask(call, "pullMsg", &input.base);
}

static void ask_settings(struct mt_provider_call *call, const struct mt_rong_live *live)
{
    Rongcloud__SessionReq input = RONGCLOUD__SESSION_REQ__INIT;

    input.time = live->settings_version;
    ask(call, "pullSeAtts", &input.base);
}

static void ask_edits(struct mt_provider_call *call, const struct mt_rong_live *live)
{
    Rongcloud__PullModifyMsgReq input = RONGCLOUD__PULL_MODIFY_MSG_REQ__INIT;
    int32_t types[] = {1};

    input.has_pullversion = true;
    input.pullversion = live->edits_ms;
    input.has_compress = input.compress = true;
    input.modifytype = types;
    input.n_modifytype = 1;
    ask(call, "pullModifyMsg", &input.base);
}

static void step(struct mt_provider_call *call)
{
    struct mt_rong_live *live = of(call)->live;

    if (live == NULL)
        mt_call_end(call, MT_ERR_CANCELLED, NULL);
    else if (of(call)->what == MT_RONG_SYNC_INBOX)
        ask_inbox(call, live);
    else if (of(call)->what == MT_RONG_SYNC_SETTINGS)
        ask_settings(call, live);
    else
        ask_edits(call, live);
}

/* ---------------------------------------------------------------- answers */

struct mt_event *mt_rong_sync_events(struct mt_rong_live *live, const struct mt_message *messages,
                                     size_t n, struct mt_arena *arena, size_t *events_n)
{
    struct mt_event *events = mt_arena_calloc(arena, n > 0 ? n : 1, sizeof *events);

    *events_n = 0;
    for (size_t i = 0; events != NULL && i < n; i++) {
        struct mt_event *event = &events[*events_n];

        if (mt_rong_live_seen(live, messages[i].id) || !mt_rong_event_of(&messages[i], event))
            continue;
        event->data.type = event->data.type == MT_VALUE_NULL ? MT_VALUE_MAP : event->data.type;
        ++*events_n;
    }
    return events;
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static bool moved(const struct mt_rong_position *from, const struct mt_rong_position *to)
{
    return to->inbox > from->inbox || to->outbox > from->outbox || to->broadcast > from->broadcast;
}

/* Where the boxes were read until, by an answer (4.2). Never back: the SDK throws then. */
static struct mt_rong_position position_after(const struct mt_rong_live *live,
                                              const struct mt_rong_pull_out *pull)
{
    struct mt_rong_position after = live->read;

    after.inbox = later(after.inbox, pull->sync_ms);
    after.broadcast = later(after.broadcast, pull->broadcast_ms);
    for (size_t i = 0; i < pull->messages.n; i++)
        if (pull->messages.items[i].sent)
            after.outbox = later(after.outbox, pull->messages.items[i].time_ms);
    return after;
}

/* What lies before the position that an earlier batch reads until was dealt with only when that
 * batch was: an empty pull moves it when nothing is out. */
static void nothing_new(struct mt_rong_live *live)
{
    if (live->batches == NULL)
        live->dealt = live->read;
}

static bool take_inbox(struct mt_rong_sync_call *sync, const struct mt_rong_answer *answer,
                       struct mt_arena *arena, const struct mt_rong_decoder *decoder,
                       struct mt_fault *fault)
{
    struct mt_rong_live *live = sync->live;
    struct mt_rong_pull_out pull = {.finished = false};
    struct mt_event *events = NULL;
    size_t n = 0;

    if (mt_rong_pull_parse(decoder, answer->payload, answer->len, arena, &pull, fault) != MT_OK)
        return false;
    struct mt_rong_position after = position_after(live, &pull);
    events = mt_rong_sync_events(live, pull.messages.items, pull.messages.n, arena, &n);
    if (events == NULL) {
        (void)mt_fault_set(fault, MT_ERR_NOMEM, "live.memory", "out of memory for %zu events",
                           pull.messages.n);
        return false;
    }
    sync->more = !pull.finished && moved(&live->read, &after);
    if (!pull.finished && !sync->more)
        mt_log(MT_LOG_WARN, "rongcloud", "%s: the cloud says that there is more, and gives nothing",
               live->account->name);
    if (live->edits_ms == 0 && pull.messages.n > 0) /* as the SDK does (4.1) */
        live->edits_ms = pull.messages.items[0].time_ms;
    live->read = after;
    if (n == 0) {
        nothing_new(live);
        return false;
    }
    mt_rong_live_hand_out(live, events, n, arena, &after);
    return true;
}

static bool take_edits(struct mt_rong_sync_call *sync, const struct mt_rong_answer *answer,
                       struct mt_arena *arena, const struct mt_rong_decoder *decoder,
                       struct mt_fault *fault)
{
    struct mt_rong_live *live = sync->live;
    struct mt_rong_edits_out edits = {.finished = false};
    struct mt_event *events = NULL;
    size_t n = 0;

    if (mt_rong_edits_parse(decoder, answer->payload, answer->len, arena, &edits, fault) != MT_OK)
        return false;
    events = mt_rong_sync_events(live, edits.messages.items, edits.messages.n, arena, &n);
    sync->more = !edits.finished && edits.next_ms > live->edits_ms;
    live->edits_ms = later(live->edits_ms, edits.next_ms);
    if (events == NULL || n == 0)
        return false;
    mt_rong_live_hand_out(live, events, n, arena, &live->read);
    return true;
}

/* One change of a conversation that was made elsewhere. */
static bool setting(const struct mt_rong_state *state, struct mt_arena *arena, struct mt_event *out)
{
    struct mt_field *fields = mt_arena_calloc(arena, 2, sizeof *fields);
    const char *change = state->top ? "pinned" : "unpinned";

    if (fields == NULL || state->ref.target[0] == '\0' || (!state->has_top && !state->has_level))
        return false;
    if (!state->has_top)
        change = "level";
    fields[0].key = "change";
    fields[0].value = (struct mt_value){.type = MT_VALUE_STR, .s = change, .len = strlen(change)};
    fields[1].key = "level";
    fields[1].value = (struct mt_value){.type = MT_VALUE_INT, .i = state->level};
    out->type = MT_EVENT_CONVERSATION;
    out->has_conversation = true;
    out->conversation = state->ref;
    out->data = (struct mt_value){
        .type = MT_VALUE_MAP, .fields = fields, .fields_n = state->has_level ? 2 : 1};
    return true;
}

/* The first answer says how everything stands, the later ones what changed. */
static bool take_settings(struct mt_rong_sync_call *sync, const struct mt_rong_answer *answer,
                          struct mt_arena *arena, struct mt_fault *fault)
{
    struct mt_rong_live *live = sync->live;
    struct mt_rong_states_out states = {.n = 0};
    bool first = live->settings_version == 0;
    struct mt_event *events = NULL;
    size_t n = 0;

    if (mt_rong_states_parse(answer->payload, answer->len, arena, &states, fault) != MT_OK)
        return false;
    int64_t before = live->settings_version;
    live->settings_version = later(before > 0 ? before : 1, states.version);
    if (first || states.n == 0)
        return false;
    events = mt_arena_calloc(arena, states.n, sizeof *events);
    for (size_t i = 0; events != NULL && i < states.n; i++) {
        live->settings_version = later(live->settings_version, states.items[i].time_ms);
        if (states.items[i].time_ms > before && setting(&states.items[i], arena, &events[n]))
            n++;
    }
    if (n == 0)
        return false;
    mt_rong_live_hand_out(live, events, n, arena, &live->read);
    return true;
}

/* True: the arena belongs to a batch now. */
static bool take(struct mt_rong_sync_call *sync, const struct mt_rong_answer *answer,
                 struct mt_arena *arena, struct mt_fault *fault)
{
    struct mt_rong_decoder decoder = {.user = sync->live->account->user,
                                      .scratch = mt_arena_new(MT_RONG_SCRATCH_MAX)};
    bool taken = false;

    if (decoder.scratch == NULL)
        (void)mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    else if (sync->what == MT_RONG_SYNC_INBOX)
        taken = take_inbox(sync, answer, arena, &decoder, fault);
    else if (sync->what == MT_RONG_SYNC_EDITS)
        taken = take_edits(sync, answer, arena, &decoder, fault);
    else
        taken = take_settings(sync, answer, arena, fault);
    mt_arena_free(decoder.scratch);
    return taken;
}

static void answered(struct mt_provider_call *call, const struct mt_rong_answer *answer,
                     const struct mt_fault *fault)
{
    struct mt_arena *arena = fault == NULL ? mt_arena_new(MT_RONG_PAGE_ARENA_MAX) : NULL;
    struct mt_fault own = {.kind = MT_OK};

    if (fault != NULL)
        own = *fault;
    else if (arena == NULL)
        (void)mt_fault_set(&own, MT_ERR_NOMEM, "memory", "out of memory");
    else if (of(call)->live == NULL || !take(of(call), answer, arena, &own))
        mt_arena_free(arena);
    mt_call_end(call, own.kind, &own);
}

/* ---------------------------------------------------------------- calls */

static void finish(struct mt_provider_call *call, enum mt_rc rc, const struct mt_fault *fault)
{
    struct mt_rong_sync_call *sync = of(call);
    struct mt_rong_live *live = sync->live;

    if (live == NULL)
        return;
    live->syncs[sync->what] = NULL;
    if (rc != MT_OK) { /* pulled again with the next notice, or when it is time */
        mt_log(MT_LOG_DEBUG, "rongcloud", "%s: nothing was pulled: %s", live->account->name,
               fault->message);
        return;
    }
    if (sync->more || live->wanted[sync->what])
        mt_rong_sync(live, sync->what);
}

void mt_rong_sync(struct mt_rong_live *live, enum mt_rong_sync what)
{
    struct mt_rong_sync_call *sync = NULL;

    live->wanted[what] = true;
    if (live->ended || live->syncs[what] != NULL ||
        (what == MT_RONG_SYNC_INBOX && live->batches_n >= MT_RONG_BATCHES_MAX))
        return;
    sync = mt_mem_calloc(1, sizeof *sync);
    if (sync == NULL)
        return; /* wanted is kept: with the next notice */
    sync->live = live;
    sync->what = what;
    sync->call.verb = "sync";
    sync->call.answer = answered;
    sync->call.life.step = step;
    sync->call.life.finish = finish;
    if (mt_call_start(&live->account->calls, &sync->call.life) != MT_OK)
        return;
    live->wanted[what] = false;
    live->syncs[what] = sync;
}

void mt_rong_sync_all(struct mt_rong_live *live)
{
    if (live->edits_ms == 0)
        live->edits_ms = mt_rong_cloud_ms(live->account);
    mt_rong_sync(live, MT_RONG_SYNC_INBOX);
    mt_rong_sync(live, MT_RONG_SYNC_SETTINGS);
    mt_rong_sync(live, MT_RONG_SYNC_EDITS);
}

void mt_rong_sync_stop(struct mt_rong_live *live)
{
    for (size_t i = 0; i < MT_RONG_SYNCS_N; i++) {
        struct mt_rong_sync_call *sync = live->syncs[i];

        if (sync == NULL)
            continue;
        live->syncs[i] = NULL;
        sync->live = NULL;
        mt_call_cancel(&sync->call.life);
    }
}

/* What a live session pulls: the messages that the cloud keeps for this user, what the user has set
 * for conversations, what was edited (rongcloud.md 4.1, 4.2). One of each is on its way at a time;
 * notices that come meanwhile make one more. */
#include "provider/rongcloud/live_int.h"
#include "provider/rongcloud/prime_int.h"

#include "base/arena.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>
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
    input.pullversion = live->read.edits;
    input.has_compress = input.compress = true;
    input.modifytype = types;
    input.n_modifytype = 1;
    ask(call, "pullModifyMsg", &input.base);
}

static void ask_changes(struct mt_provider_call *call, const char *topic, int64_t since)
{
    Rongcloud__QueryMsgChange input = RONGCLOUD__QUERY_MSG_CHANGE__INIT;

    input.synctime = since;
    ask(call, topic, &input.base);
}

static void ask_ultra(struct mt_provider_call *call, const struct mt_rong_live *live)
{
    Rongcloud__UltraGrpPullMsg input = RONGCLOUD__ULTRA_GRP_PULL_MSG__INIT;

    input.synctime = live->read.ultra;
    input.has_compressioenabled = input.compressioenabled = true;
    ask(call, "pullUgMsg", &input.base);
}

static void step(struct mt_provider_call *call)
{
    struct mt_rong_live *live = of(call)->live;

    if (live == NULL) {
        mt_call_end(call, MT_ERR_CANCELLED, NULL);
        return;
    }
    switch (of(call)->what) {
    case MT_RONG_SYNC_INBOX:
        live->pushed_n = 0;
        ask_inbox(call, live);
        break;
    case MT_RONG_SYNC_SETTINGS:
        ask_settings(call, live);
        break;
    case MT_RONG_SYNC_EDITS:
        ask_edits(call, live);
        break;
    case MT_RONG_SYNC_EVENTS:
        ask_changes(call, "pullEventChange", live->read.events);
        break;
    case MT_RONG_SYNC_ULTRA:
        ask_ultra(call, live);
        break;
    case MT_RONG_SYNC_ULTRA_CHANGES:
        ask_changes(call, "qryMsgChange", live->read.ultra_changes);
        break;
    case MT_RONG_SYNCS_N:
        break;
    }
}

/* ---------------------------------------------------------------- answers */

/* What an answer says: events, until where it reads, and whether there is more. */
struct taking {
    struct mt_rong_live *live;
    const struct mt_rong_answer *answer;
    const struct mt_rong_decoder *decoder;
    struct mt_rong_events events;
    struct mt_rong_position after;
    const struct mt_rong_messages *messages; /* that are known from now on; may be NULL */
    bool more;
    struct mt_fault *fault;
};

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static bool is_known(const struct mt_rong_live *live, const struct mt_message *m)
{
    char id[sizeof MT_RONG_RECALLED + MT_ID_MAX];

    if (mt_rong_live_seen(live, m->id))
        return true;
    if (m->type != MT_TYPE_RECALL || !m->sent || !mt_id_is(m->target_id))
        return false;
    snprintf(id, sizeof id, MT_RONG_RECALLED "%s", m->target_id);
    return mt_rong_live_seen(live, id);
}

/* Those that are new; repeats: even those that are not. */
static enum mt_rc add_messages(struct taking *t, const struct mt_rong_messages *messages,
                               bool repeats)
{
    enum mt_rc rc = MT_OK;

    for (size_t i = 0; rc == MT_OK && i < messages->n; i++)
        if (repeats || (messages->items[i].time_ms >= t->live->begin_ms &&
                        !is_known(t->live, &messages->items[i])))
            rc = mt_rong_events_message(&t->events, &messages->items[i]);
    return rc == MT_OK ? MT_OK
                       : mt_fault_set(t->fault, rc, "live.memory",
                                      "there is no room for %zu messages", messages->n);
}

/* Where the boxes were read until (4.2). Never back: the SDK throws then. */
static enum mt_rc take_inbox(struct taking *t, struct mt_rong_pull_out *pull, bool ultra)
{
    const struct mt_rong_answer *answer = t->answer;
    struct mt_rong_position *at = &t->after;
    enum mt_rc rc = mt_rong_pull_parse(t->decoder, answer->payload, answer->len, t->events.arena,
                                       pull, t->fault);

    if (rc != MT_OK)
        return rc;
    if (ultra) {
        at->ultra = later(at->ultra, pull->sync_ms);
    } else {
        at->inbox = later(at->inbox, pull->sync_ms);
        at->broadcast = later(at->broadcast, pull->broadcast_ms);
        for (size_t i = 0; i < pull->messages.n; i++)
            if (pull->messages.items[i].sent)
                at->outbox = later(at->outbox, pull->messages.items[i].time_ms);
    }
    for (size_t i = 0; i < pull->messages.n; i++) /* what is known changes nothing there */
        mt_rong_model_take(t->live->account, &pull->messages.items[i]);
    t->more = !pull->finished;
    t->messages = &pull->messages;
    return add_messages(t, &pull->messages, false);
}

static enum mt_rc take_edits(struct taking *t, struct mt_rong_edits_out *edits)
{
    enum mt_rc rc = mt_rong_edits_parse(t->decoder, t->answer->payload, t->answer->len,
                                        t->events.arena, edits, t->fault);

    if (rc != MT_OK)
        return rc;
    t->after.edits = later(t->after.edits, edits->next_ms);
    t->more = !edits->finished;
    return add_messages(t, &edits->messages, true);
}

/* A conversation comes with all of its settings when one has changed: the others are no news. */
static void leave_old(struct mt_rong_states_out *states, int64_t before)
{
    for (size_t i = 0; i < states->n; i++) {
        struct mt_rong_state *state = &states->items[i];

        state->has_top = state->has_top && (state->top_ms == 0 || state->top_ms > before);
        state->has_level = state->has_level && (state->level_ms == 0 || state->level_ms > before);
    }
}

/* The first answer says how everything stands, the later ones what changed. */
static enum mt_rc take_settings(struct taking *t)
{
    struct mt_rong_states_out states = {.n = 0};
    int64_t before = t->live->settings_version;
    enum mt_rc rc = mt_rong_states_parse(t->answer->payload, t->answer->len, t->events.arena,
                                         &states, t->fault);

    if (rc != MT_OK)
        return rc;
    t->live->settings_version = later(before > 0 ? before : 1, states.version);
    for (size_t i = 0; i < states.n; i++)
        t->live->settings_version = later(t->live->settings_version, states.items[i].time_ms);
    mt_rong_model_take_states(t->live->account, &states);
    leave_old(&states, before);
    rc = before > 0 ? mt_rong_events_states(&t->events, &states) : MT_OK;
    return rc == MT_OK
               ? MT_OK
               : mt_fault_set(t->fault, rc, "live.memory", "there is no room for the settings");
}

static enum mt_rc take_changes(struct taking *t, bool ultra)
{
    struct mt_rong_changes_out changes = {.sync_ms = 0};
    int64_t *at = ultra ? &t->after.ultra_changes : &t->after.events;
    enum mt_rc rc = (ultra ? mt_rong_events_ultra_changes : mt_rong_events_changes)(
        &t->events, t->answer->payload, t->answer->len, &changes, t->fault);

    if (rc != MT_OK)
        return rc;
    *at = later(*at, changes.sync_ms);
    t->more = changes.more;
    return MT_OK;
}

/* What lies before the position was dealt with when the batches that are out are; else it moves
 * with them. Takes the arena over. */
static enum mt_rc tell(struct taking *t)
{
    struct mt_rong_live *live = t->live;

    if (t->events.n == 0) {
        mt_arena_free(t->events.arena);
        live->read = t->after;
        if (live->batches == NULL)
            live->dealt = live->read;
        return MT_OK;
    }
    for (size_t i = 0; t->messages != NULL && i < t->messages->n; i++)
        mt_rong_live_see(live, t->messages->items[i].id);
    live->read = t->after;
    if (mt_rong_live_hand_out(live, &t->events, &t->after))
        return MT_OK;
    live->read = live->dealt; /* all that nobody has dealt with comes again */
    return mt_fault_set(t->fault, MT_ERR_NOMEM, "memory", "out of memory");
}

static enum mt_rc take_one(struct taking *t, enum mt_rong_sync what)
{
    struct mt_rong_pull_out pull = {.finished = false};
    struct mt_rong_edits_out edits = {.finished = false};
    enum mt_rc rc = MT_OK;

    switch (what) {
    case MT_RONG_SYNC_INBOX:
    case MT_RONG_SYNC_ULTRA:
        rc = take_inbox(t, &pull, what == MT_RONG_SYNC_ULTRA);
        break;
    case MT_RONG_SYNC_EDITS:
        rc = take_edits(t, &edits);
        break;
    case MT_RONG_SYNC_SETTINGS:
        rc = take_settings(t);
        break;
    case MT_RONG_SYNC_EVENTS:
    case MT_RONG_SYNC_ULTRA_CHANGES:
        rc = take_changes(t, what == MT_RONG_SYNC_ULTRA_CHANGES);
        break;
    case MT_RONG_SYNCS_N:
        break;
    }
    if (rc != MT_OK) {
        mt_arena_free(t->events.arena);
        return rc;
    }
    t->more = t->more && memcmp(&t->after, &t->live->read, sizeof t->after) != 0;
    return tell(t);
}

static void take(struct mt_rong_sync_call *sync, const struct mt_rong_answer *answer,
                 struct mt_fault *fault)
{
    struct mt_rong_live *live = sync->live;
    struct mt_rong_decoder decoder = {.user = live->account->user,
                                      .scratch = mt_arena_new(MT_RONG_SCRATCH_MAX)};
    struct mt_arena *arena = mt_arena_new(MT_RONG_PAGE_ARENA_MAX);
    struct taking t = {
        .live = live, .answer = answer, .decoder = &decoder, .after = live->read, .fault = fault};

    mt_rong_events_init(&t.events, live->account->user, arena);
    if (decoder.scratch != NULL && arena != NULL) {
        fault->kind = take_one(&t, sync->what);
        sync->more = t.more;
    } else {
        mt_arena_free(arena);
        (void)mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    }
    mt_arena_free(decoder.scratch);
}

static void answered(struct mt_provider_call *call, const struct mt_rong_answer *answer,
                     const struct mt_fault *fault)
{
    struct mt_fault own = {.kind = MT_OK};

    if (fault != NULL)
        own = *fault;
    else if (of(call)->live != NULL)
        take(of(call), answer, &own);
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
    struct mt_rong_position *at = &live->read;
    int64_t now = mt_rong_cloud_ms(live->account);

    if (at->edits == 0) /* as the SDK does: what was edited before is read as it is (4.1) */
        at->edits = now;
    mt_rong_sync(live, MT_RONG_SYNC_INBOX);
    mt_rong_sync(live, MT_RONG_SYNC_SETTINGS);
    mt_rong_unreads_pull(live->account);
    mt_rong_sync(live, MT_RONG_SYNC_EDITS);
    mt_rong_sync(live, MT_RONG_SYNC_EVENTS);
    if (!live->account->navi.ultra)
        return;
    if (at->ultra_changes == 0)
        at->ultra_changes = now;
    mt_rong_sync(live, MT_RONG_SYNC_ULTRA);
    mt_rong_sync(live, MT_RONG_SYNC_ULTRA_CHANGES);
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

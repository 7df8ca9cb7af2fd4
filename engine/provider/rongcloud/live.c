/* The life of a live session: what it tells of the connection, and its batches. */
#include "provider/rongcloud/live_int.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "codec/hash.h"
#include "loop/loop.h"
#include "provider/session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AGAIN_MS 180000 /* all is pulled again so often (4.1) */
/* In the mode in which messages come in pushes, they are pulled as well, but not each of them: so
 * their place in the inbox is known, and nothing is told twice as long as their ids are. */
#define SOON_MS    10000
#define PUSHED_MAX (MT_RONG_SEEN_MAX / 2)
#define SEEN_FIRST ((size_t)16)
/* What comes while a user is away is kept for seven days; one to spare. */
#define KEPT_MS ((int64_t)6 * 24 * 3600 * 1000)

/* ---------------------------------------------------------------- what is known */

/* The beginning of a hash of each id: a session of a busy user keeps a thousand of them. */
static uint64_t hash_of(const char *id)
{
    uint8_t hash[MT_SHA256_LEN];
    uint64_t out = 0;

    mt_sha256_of(id, strlen(id), hash);
    memcpy(&out, hash, sizeof out);
    return out;
}

bool mt_rong_live_seen(const struct mt_rong_live *live, const char *id)
{
    uint64_t hash = 0;

    if (!mt_id_is(id) || live->seen_n == 0)
        return false;
    hash = hash_of(id);
    for (size_t i = 0; i < live->seen_n; i++)
        if (live->seen[i] == hash)
            return true;
    return false;
}

/* Most sessions of a process hear little: the ring begins small. */
static void seen_grow(struct mt_rong_live *live)
{
    size_t cap = live->seen_cap > 0 ? live->seen_cap * 2 : SEEN_FIRST;
    uint64_t *seen = cap > MT_RONG_SEEN_MAX ? NULL : mt_mem_realloc(live->seen, cap * sizeof *seen);

    if (seen == NULL)
        return; /* the oldest is forgotten instead */
    live->seen = seen;
    live->seen_cap = cap;
}

void mt_rong_live_see(struct mt_rong_live *live, const char *id)
{
    if (!mt_id_is(id))
        return;
    if (live->seen_n == live->seen_cap)
        seen_grow(live);
    if (live->seen_cap == 0)
        return;
    size_t at = live->seen_n < live->seen_cap ? live->seen_n++ : live->seen_at++ % live->seen_cap;
    live->seen[at] = hash_of(id);
}

/* ---------------------------------------------------------------- batches */

static void batch_free(struct mt_rong_batch *batch)
{
    mt_arena_free(batch->arena);
    mt_mem_free(batch);
}

static void hand_out(struct mt_rong_live *live, struct mt_rong_batch *batch)
{
    struct mt_rong_batch **at = &live->batches;

    batch->live = live;
    while (*at != NULL)
        at = &(*at)->next;
    *at = batch;
    live->batches_n++;
    live->handlers.batch(live->ud, &batch->pub);
}

bool mt_rong_live_hand_out(struct mt_rong_live *live, const struct mt_rong_events *events,
                           const struct mt_rong_position *after)
{
    struct mt_rong_batch *batch = live->stopped ? NULL : mt_mem_calloc(1, sizeof *batch);

    if (batch == NULL) {
        mt_arena_free(events->arena);
        return false;
    }
    batch->pub.events = events->items;
    batch->pub.n = events->n;
    batch->arena = events->arena;
    batch->after = *after;
    hand_out(live, batch);
    return true;
}

void mt_rong_live_tell(struct mt_rong_live *live, enum mt_event_type type,
                       const struct mt_value *data, const struct mt_fault *fault)
{
    struct mt_rong_batch *batch = live->stopped ? NULL : mt_mem_calloc(1, sizeof *batch);

    if (batch == NULL || mt_session_event(type, data, fault, &batch->pub, &batch->arena) != MT_OK) {
        mt_mem_free(batch);
        return;
    }
    batch->after = live->read;
    hand_out(live, batch);
}

void mt_rong_live_done(struct mt_provider_account *account, struct mt_event_batch *batch)
{
    struct mt_rong_batch *whole = (struct mt_rong_batch *)batch;
    struct mt_rong_live *live = whole->live;

    (void)account;
    if (live == NULL) {
        batch_free(whole);
        return;
    }
    mt_arena_free(whole->arena);
    whole->arena = NULL;
    /* the position moves over what was dealt with without a hole */
    while (live->batches != NULL && live->batches->arena == NULL) {
        struct mt_rong_batch *first = live->batches;

        live->batches = first->next;
        live->batches_n--;
        live->dealt = first->after;
        batch_free(first);
    }
    if (live->wanted[MT_RONG_SYNC_INBOX])
        mt_rong_sync(live, MT_RONG_SYNC_INBOX);
}

/* The numbers of a position, in the order in which they are written. */
#define NUMBERS_N 7
static void numbers(struct mt_rong_position *at, int64_t *out[NUMBERS_N])
{
    int64_t *all[NUMBERS_N] = {&at->inbox,  &at->outbox, &at->broadcast,    &at->edits,
                               &at->events, &at->ultra,  &at->ultra_changes};

    memcpy(out, all, sizeof all);
}

/* "1" and the numbers. */
size_t mt_rong_live_position(const struct mt_provider_account *account, char *out, size_t cap)
{
    struct mt_rong_position at = {.inbox = 0};
    int64_t *all[NUMBERS_N];
    size_t len = 0;

    if (cap > 0)
        out[0] = '\0';
    if (account->live != NULL)
        at = account->live->dealt;
    if (at.inbox == 0)
        return 0;
    numbers(&at, all);
    len = (size_t)snprintf(out, cap, "1");
    for (size_t i = 0; i < NUMBERS_N && len < cap; i++)
        len += (size_t)snprintf(out + len, cap - len, " %" PRId64, *all[i]);
    return len < cap ? len : 0;
}

/* Nothing of it is taken unless all of it can be read. */
static void take_position(struct mt_rong_live *live, const char *text)
{
    struct mt_rong_position at = {.broadcast = 1}; /* the cloud counts from there (4.2) */
    struct mt_rong_position read = at;
    int64_t *all[NUMBERS_N];
    bool good = text != NULL && strncmp(text, "1 ", 2) == 0;
    const char *p = good ? text + 1 : "";

    numbers(&read, all);
    for (size_t i = 0; good && i < NUMBERS_N; i++) {
        char *end = NULL;

        *all[i] = strtoll(p, &end, 10);
        good = end != p && *all[i] >= 0 && *all[i] < INT64_MAX;
        p = end;
    }
    live->dealt = live->read = good && *p == '\0' ? read : at;
}

/* ---------------------------------------------------------------- the connection */

bool mt_rong_live_wants(const struct mt_provider_account *account)
{
    return account->live != NULL && !account->live->ended;
}

void mt_rong_live_online(struct mt_provider_account *account)
{
    struct mt_rong_live *live = account->live;
    struct mt_field fields[2] = {{.key = "away_ms", .value = {.type = MT_VALUE_INT}},
                                 {.key = "since", .value = {.type = MT_VALUE_INT}}};
    struct mt_value data = {.type = MT_VALUE_MAP, .fields = fields, .fields_n = 1};

    if (live == NULL || live->ended || live->announced || account->link.stage != MT_RONG_ONLINE)
        return;
    if (live->lost_ms != 0) {
        fields[0].value.i = mt_clock_wall_ms() - live->lost_ms;
        fields[1].value.i = live->lost_ms + mt_rong_cloud_ms(account) - mt_clock_wall_ms();
        if (fields[0].value.i >= KEPT_MS)
            data.fields_n = 2;
    }
    /* A session without a past begins when it was asked for: the cloud has seven days of messages
     * for it, which nobody expects a new bot to answer. Its counts need them all the same. */
    if (live->begin_ms == 0 && live->read.inbox == 0)
        live->begin_ms = live->began_ms + mt_rong_cloud_ms(account) - mt_clock_wall_ms();
    live->announced = true;
    mt_timer_start(live->timer, AGAIN_MS, AGAIN_MS);
    mt_rong_live_tell(live, MT_EVENT_CONNECTED, &data, NULL);
    if (account->live == live)
        mt_rong_sync_all(live);
}

void mt_rong_live_offline(struct mt_provider_account *account, const struct mt_fault *fault)
{
    struct mt_rong_live *live = account->live;

    if (live == NULL || live->ended || !live->announced)
        return;
    live->announced = false;
    live->lost_ms = account->link.heard_wall_ms;
    mt_timer_stop(live->timer);
    mt_rong_live_tell(live, MT_EVENT_DISCONNECTED, NULL, fault);
}

void mt_rong_live_refused(struct mt_provider_account *account, enum mt_event_type type,
                          const struct mt_fault *fault)
{
    struct mt_rong_live *live = account->live;
    struct mt_field ended = {.key = "ended", .value = {.type = MT_VALUE_BOOL, .b = true}};
    struct mt_value data = {.type = MT_VALUE_MAP, .fields = &ended, .fields_n = 1};

    if (live == NULL || live->ended)
        return;
    live->ended = true;
    mt_timer_stop(live->timer);
    mt_rong_sync_stop(live);
    mt_rong_live_tell(live, type, &data, fault);
    if (account->live == live && live->handlers.ended != NULL)
        live->handlers.ended(live->ud, fault);
}

void mt_rong_live_pushed(struct mt_rong_live *live)
{
    if (++live->pushed_n == PUSHED_MAX)
        mt_rong_sync(live, MT_RONG_SYNC_INBOX);
    else if (live->pushed_n == 1)
        mt_timer_start(live->timer, SOON_MS, AGAIN_MS);
}

static void on_again(void *ud)
{
    struct mt_rong_live *live = ud;

    if (!live->announced)
        mt_rong_live_online(live->account);
    else if (live->pushed_n > 0)
        mt_rong_sync(live, MT_RONG_SYNC_INBOX);
    else
        mt_rong_sync_all(live);
    mt_rong_rooms_pull(live, NULL, 0);
}

/* ---------------------------------------------------------------- start and stop */

static void live_free(void *ud)
{
    struct mt_rong_live *live = ud;
    struct mt_provider_account *account = live->account;

    mt_timer_free(live->timer);
    mt_mem_free(live->seen);
    mt_mem_free(live);
    if (account != NULL)
        mt_rong_account_release(account);
}

enum mt_rc mt_rong_live_start(struct mt_provider_account *account,
                              const struct mt_live_options *options,
                              const struct mt_live_handlers *handlers, void *ud,
                              struct mt_fault *fault)
{
    struct mt_rong_live *live = NULL;

    if (account->live != NULL)
        return mt_fault_set(fault, MT_ERR_STATE, "live.started", "%s: the account is live already",
                            account->name);
    live = mt_mem_calloc(1, sizeof *live);
    if (live == NULL || mt_timer_new(account->loop, on_again, live, &live->timer) != MT_OK) {
        if (live != NULL)
            live_free(live);
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    }
    live->account = account;
    mt_rong_account_retain(account);
    live->handlers = *handlers;
    live->ud = ud;
    live->lost_ms = options->last_ms;
    live->began_ms = options->last_ms > 0 ? options->last_ms : mt_clock_wall_ms();
    take_position(live, options->position);
    for (size_t i = 0; i < options->known_n; i++) /* what was sent stands in the outbox (4.2) */
        mt_rong_live_see(live, options->known[i]);
    account->ws = options->ws;
    account->live = live;
    account->link.refused = (struct mt_fault){.kind = MT_OK}; /* this is worth an attempt */
    if (account->link.stage == MT_RONG_ONLINE) /* it was made for a verb: told at the next turn */
        mt_timer_start(live->timer, 0, 0);
    else
        mt_rong_want(account);
    return MT_OK;
}

void mt_rong_live_stop(struct mt_provider_account *account)
{
    struct mt_rong_live *live = account->live;

    if (live == NULL)
        return;
    account->live = NULL;
    live->ended = live->stopped = true;
    mt_rong_sync_stop(live);
    mt_rong_rooms_stop(live);
    mt_timer_stop(live->timer);
    while (live->batches != NULL) {
        struct mt_rong_batch *batch = live->batches;

        live->batches = batch->next;
        batch->live = NULL;
        if (batch->arena == NULL)
            batch_free(batch);
    }
    mt_rong_off_live(account);
    /* not at once: a handler of ours may be what called this */
    if (mt_loop_post(account->loop, live_free, live) != MT_OK)
        mt_log(MT_LOG_WARN, "rongcloud", "%s: out of memory at the end of a session",
               account->name);
}

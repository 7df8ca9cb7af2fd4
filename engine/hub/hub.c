/* Several scripts at one live session. */
#include "hub/hub.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "hub/presence_int.h"
#include "loop/loop.h"
#include "provider/figures.h"

#include <string.h>

#define LOOK_MS     1000
#define PRESENCE_MS 10000

/* A batch in the hands of the hub. */
struct item {
    struct item *next;
    struct mt_event_batch *batch;
    unsigned owed_n; /* seats that are not done with it */
    bool taken;      /* by at least one */
};

/* A batch that a seat has not done. */
struct debt {
    struct debt *next;
    struct item *item;
    bool handed;
};

struct mt_seat {
    struct mt_seat *next;
    struct room *room;
    char *name; /* NULL: nobody comes back to it */
    struct mt_live_handlers handlers;
    void *ud;
    bool used;      /* by a script, now */
    bool listening; /* and it takes batches */
    bool awaited;   /* what comes is kept for it */
    int64_t since_ms;
    struct debt *debts; /* oldest first */
};

/* One account's session. */
struct room {
    struct room *next;
    struct mt_hub *hub;
    const struct mt_provider *provider;
    struct mt_provider_account *account;
    struct mt_seat *seats;
    struct item *items; /* oldest first */
    struct mt_presence *presence;
    struct mt_account_figures *figures; /* NULL: nobody counts */
    bool online;
    bool ended;
    bool again; /* forgotten when nobody sits there any more */
    struct mt_fault fault;
};

struct mt_hub {
    struct mt_loop *loop;
    void (*state_dir)(void *ud, char *out, size_t cap);
    void *ud;
    struct mt_timer *timer;    /* runs while a seat is awaited */
    struct mt_timer *presence; /* runs while there is a room */
    struct mt_presence *presences;
    struct room *rooms;
    const struct mt_account_counting *counting;
    size_t items_n;
};

/* ---------------------------------------------------------------- until when all is dealt with */

static void note_presence(struct room *room)
{
    bool listened = false;

    for (const struct mt_seat *seat = room->seats; seat; seat = seat->next)
        listened = listened || seat->listening;
    if (listened && room->online && !room->items)
        mt_presence_note(room->presence, mt_clock_wall_ms());
}

/* Some clouds leave it to their clients to know until where they have read. */
static void note_position(struct room *room)
{
    char position[MT_LIVE_POSITION_MAX];

    if (room->provider->live->position &&
        room->provider->live->position(room->account, position, sizeof position))
        mt_presence_move(room->presence, position);
}

static void on_presence(void *ud)
{
    struct mt_hub *hub = ud;

    for (struct room *room = hub->rooms; room; room = room->next) {
        note_presence(room);
        note_position(room); /* it moves by empty pulls, too */
        mt_presence_flush(room->presence);
    }
}

static void count_event(struct mt_account_figures *figures, const struct mt_event *event)
{
    if (!figures)
        return;
    figures->events_n++;
    if (event->type == MT_EVENT_CONNECTED)
        mt_account_figures_connected(figures, true);
    else if (event->type == MT_EVENT_DISCONNECTED || event->type == MT_EVENT_KICKED)
        mt_account_figures_connected(figures, false);
    else
        figures->event_ms = mt_clock_wall_ms();
    mt_account_figures_fault(figures, &event->fault);
}

static void look_at_events(struct room *room, const struct mt_event_batch *batch)
{
    for (size_t i = 0; i < batch->n; i++) {
        enum mt_event_type type = batch->events[i].type;
        count_event(room->figures, &batch->events[i]);
        if (type == MT_EVENT_CONNECTED)
            room->online = true;
        else if (type == MT_EVENT_DISCONNECTED || type == MT_EVENT_KICKED)
            room->online = false;
    }
}

/* ---------------------------------------------------------------- batches */

static void item_free(struct room *room, struct item *item)
{
    struct item **at = &room->items;

    while (*at != item)
        at = &(*at)->next;
    *at = item->next;
    for (size_t i = 0; item->taken && !item->owed_n && i < item->batch->n; i++) {
        if (item->batch->events[i].type == MT_EVENT_MESSAGE)
            mt_presence_handled(room->presence, item->batch->events[i].message.id);
    }
    room->provider->live->done(room->account, item->batch);
    room->hub->items_n--;
    note_position(room);
    mt_mem_free(item);
}

static void pay(struct mt_seat *seat, struct debt *debt)
{
    struct debt **at = &seat->debts;
    struct item *item = debt->item;

    while (*at != debt)
        at = &(*at)->next;
    *at = debt->next;
    mt_mem_free(debt);
    if (!--item->owed_n)
        item_free(seat->room, item);
}

static bool owe(struct mt_seat *seat, struct item *item)
{
    struct debt *debt = mt_mem_calloc(1, sizeof *debt);
    struct debt **at = &seat->debts;

    if (!debt)
        return false;
    debt->item = item;
    item->owed_n++;
    item->taken = true;
    while (*at)
        at = &(*at)->next;
    *at = debt;
    return true;
}

static void hand_out(struct mt_seat *seat)
{
    for (struct debt *debt = seat->debts; debt; debt = debt->next) {
        if (debt->handed)
            continue;
        debt->handed = true;
        seat->handlers.batch(seat->ud, debt->item->batch);
    }
}

static void on_batch(void *ud, struct mt_event_batch *batch)
{
    struct room *room = ud;
    struct item *item = mt_mem_calloc(1, sizeof *item);
    struct item **at = &room->items;

    if (!item)
        return; /* not dealt with: it comes again with the next connection */
    item->batch = batch;
    room->hub->items_n++;
    look_at_events(room, batch);
    while (*at)
        at = &(*at)->next;
    *at = item;
    for (struct mt_seat *seat = room->seats; seat; seat = seat->next) {
        if (seat->awaited && !owe(seat, item)) {
            item->owed_n++; /* never paid: it stays unacknowledged */
            return;
        }
    }
    for (struct mt_seat *seat = room->seats; seat; seat = seat->next) {
        if (seat->listening)
            hand_out(seat);
    }
}

static void on_ended(void *ud, const struct mt_fault *fault)
{
    struct room *room = ud;

    room->ended = true;
    room->online = false;
    room->fault = *fault;
    mt_account_figures_connected(room->figures, false);
    if (room->figures)
        room->figures->ended = true;
    for (struct mt_seat *seat = room->seats; seat; seat = seat->next) {
        if (seat->used)
            seat->handlers.ended(seat->ud, fault);
    }
}

/* ---------------------------------------------------------------- rooms and seats */

static struct room *room_find(struct mt_hub *hub, const struct mt_provider_account *account)
{
    struct room *room = hub->rooms;

    while (room && room->account != account)
        room = room->next;
    return room;
}

static enum mt_rc room_new(struct mt_hub *hub, const struct mt_provider *provider,
                           struct mt_provider_account *account,
                           const struct mt_live_options *options, struct room **out,
                           struct mt_fault *fault)
{
    static const struct mt_live_handlers handlers = {on_batch, on_ended};
    struct room *room = mt_mem_calloc(1, sizeof *room);
    struct mt_live_options remembered = *options;
    char dir[4096];

    if (!room)
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    room->hub = hub;
    room->provider = provider;
    room->account = account;
    hub->state_dir(hub->ud, dir, sizeof dir);
    room->presence =
        mt_presence_open(hub->loop, dir, provider->appkey(account), provider->user(account),
                         provider->live->device(account), &hub->presences);
    remembered.last_ms = mt_presence_last(room->presence);
    remembered.position = mt_presence_position(room->presence);
    remembered.known_n = mt_presence_known(room->presence, &remembered.known);
    /* From now on this device has a past, however soon the process is killed. */
    if (!remembered.last_ms && (!remembered.position || !*remembered.position))
        mt_presence_note(room->presence, mt_clock_wall_ms());
    enum mt_rc rc = provider->live->start(account, &remembered, &handlers, room, fault);
    if (rc) {
        mt_presence_close(room->presence);
        mt_mem_free(room);
        return rc;
    }
    mt_timer_start(hub->presence, PRESENCE_MS, PRESENCE_MS);
    room->figures = mt_account_figures_of(hub->counting, account);
    mt_account_figures_live(room->figures, true);
    room->next = hub->rooms;
    hub->rooms = room;
    *out = room;
    return MT_OK;
}

static void seat_free(struct mt_seat *seat)
{
    struct mt_seat **at = &seat->room->seats;

    while (*at != seat)
        at = &(*at)->next;
    *at = seat->next;
    while (seat->debts) {
        struct debt *debt = seat->debts;
        seat->debts = debt->next;
        mt_mem_free(debt);
    }
    mt_mem_free(seat->name);
    mt_mem_free(seat);
}

/* After stop a batch that is done is only freed: nothing is acknowledged any more. */
static void room_free(struct room *room)
{
    struct room **at = &room->hub->rooms;

    while (*at != room)
        at = &(*at)->next;
    *at = room->next;
    note_presence(room);
    note_position(room);
    mt_presence_close(room->presence);
    room->presence = NULL;
    mt_account_figures_live(room->figures, false);
    room->provider->live->stop(room->account);
    while (room->seats)
        seat_free(room->seats);
    while (room->items)
        item_free(room, room->items);
    mt_mem_free(room);
}

/* The seat is of no use any more: what it owes is not waited for. */
static void seat_close(struct mt_seat *seat)
{
    struct room *room = seat->room;
    bool last = room->seats == seat && !seat->next;

    while (!last && seat->debts)
        pay(seat, seat->debts);
    if (last)
        room_free(room);
    else
        seat_free(seat);
}

static struct mt_seat *seat_find(struct room *room, const char *name)
{
    struct mt_seat *seat = room->seats;

    while (seat && !(seat->name && !strcmp(seat->name, name)))
        seat = seat->next;
    return seat;
}

static struct mt_seat *seat_new(struct room *room, const char *name)
{
    struct mt_seat *seat = mt_mem_calloc(1, sizeof *seat);

    if (seat && name) {
        seat->name = mt_mem_strdup(name);
        if (!seat->name) {
            mt_mem_free(seat);
            return NULL;
        }
    }
    if (!seat)
        return NULL;
    seat->room = room;
    seat->next = room->seats;
    room->seats = seat;
    return seat;
}

static void await(struct mt_seat *seat)
{
    seat->awaited = true;
    seat->since_ms = mt_clock_mono_ms();
    mt_timer_start(seat->room->hub->timer, LOOK_MS, LOOK_MS);
}

static enum mt_rc want_seat(struct mt_hub *hub, const char *name,
                            const struct mt_provider *provider, struct mt_provider_account *account,
                            const struct mt_live_options *options, struct mt_seat **out,
                            struct mt_fault *fault)
{
    struct room *room = room_find(hub, account);
    enum mt_rc rc = room ? MT_OK : room_new(hub, provider, account, options, &room, fault);

    if (rc || !room)
        return rc;
    *out = name ? seat_find(room, name) : NULL;
    if (!*out)
        *out = seat_new(room, name);
    if (*out)
        return MT_OK;
    if (!room->seats)
        room_free(room);
    return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
}

enum mt_rc mt_hub_sit(struct mt_hub *hub, const char *name, const struct mt_provider *provider,
                      struct mt_provider_account *account, const struct mt_live_options *options,
                      const struct mt_live_handlers *handlers, void *ud, struct mt_seat **out,
                      struct mt_fault *fault)
{
    struct room *room = room_find(hub, account);
    struct mt_seat *seat = NULL;

    if (room && room->ended) {
        *fault = room->fault;
        return room->fault.kind;
    }
    enum mt_rc rc = want_seat(hub, name, provider, account, options, &seat, fault);
    if (rc || !seat)
        return rc;
    if (seat->used)
        return mt_fault_set(fault, MT_ERR_STATE, "live.busy", "the seat of %s is taken", name);
    seat->handlers = *handlers;
    seat->ud = ud;
    seat->used = true;
    seat->listening = false;
    *out = seat;
    return MT_OK;
}

void mt_seat_listen(struct mt_seat *seat)
{
    if (seat->listening)
        return;
    seat->listening = true;
    seat->awaited = true;
    for (struct item *item = seat->room->items; item; item = item->next) {
        if (!item->taken && !owe(seat, item))
            break;
    }
    hand_out(seat);
}

size_t mt_seat_known(const struct mt_seat *seat, const char *const **ids)
{
    return mt_presence_known(seat->room->presence, ids);
}

void mt_seat_handled(struct mt_seat *seat, const char *id)
{
    mt_presence_handled(seat->room->presence, id);
}

void mt_seat_done(struct mt_seat *seat, struct mt_event_batch *batch)
{
    struct debt *debt = seat->debts;

    while (debt && debt->item->batch != batch)
        debt = debt->next;
    if (debt)
        pay(seat, debt);
}

static bool is_used(const struct room *room)
{
    const struct mt_seat *seat = room->seats;

    while (seat && !seat->used)
        seat = seat->next;
    return seat != NULL;
}

void mt_seat_leave(struct mt_seat *seat, bool keep)
{
    bool came = seat->listening || seat->debts;

    if (!keep || !seat->name) {
        seat_close(seat);
        return;
    }
    seat->used = seat->listening = false;
    for (struct debt *debt = seat->debts; debt; debt = debt->next)
        debt->handed = false;
    if (seat->room->again && !is_used(seat->room))
        room_free(seat->room);
    else if (came && !seat->room->ended)
        await(seat);
}

bool mt_hub_lost(const struct mt_hub *hub, const char *name)
{
    for (struct room *room = hub->rooms; room; room = room->next) {
        if (room->ended && seat_find(room, name))
            return true;
    }
    return false;
}

void mt_hub_forget(struct mt_hub *hub, const char *name, const struct mt_provider_account *account)
{
    for (struct room *room = hub->rooms, *next = NULL; room; room = next) {
        next = room->next;
        struct mt_seat *seat = account && room->account != account ? NULL : seat_find(room, name);
        if (seat && !seat->used)
            seat_close(seat);
    }
}

void mt_hub_again(struct mt_hub *hub)
{
    for (struct room *room = hub->rooms, *next = NULL; room; room = next) {
        next = room->next;
        room->again = room->ended;
        if (room->again && !is_used(room))
            room_free(room);
    }
}

/* ---------------------------------------------------------------- who is waited for too long */

static bool others_listen(const struct mt_seat *seat)
{
    for (const struct mt_seat *other = seat->room->seats; other; other = other->next) {
        if (other != seat && other->listening)
            return true;
    }
    return false;
}

static void give_up(struct mt_seat *seat)
{
    size_t events_n = 0;

    for (struct debt *debt = seat->debts; debt; debt = debt->next)
        events_n += debt->item->batch->n;
    if (events_n)
        mt_log(MT_LOG_WARN, "serve",
               "%s is not there for %d s: the other scripts go on; %zu events are not kept for it",
               seat->name, MT_HUB_HOLD_MS / 1000, events_n);
    seat->awaited = false;
    while (seat->debts)
        pay(seat, seat->debts);
}

static void on_timer(void *ud)
{
    struct mt_hub *hub = ud;
    int64_t now = mt_clock_mono_ms();
    bool waiting = false;

    for (struct room *room = hub->rooms; room; room = room->next) {
        for (struct mt_seat *seat = room->seats; seat; seat = seat->next) {
            if (seat->listening || !seat->awaited)
                continue;
            if (now - seat->since_ms >= MT_HUB_HOLD_MS && others_listen(seat))
                give_up(seat);
            else
                waiting = true;
        }
    }
    if (!waiting)
        mt_timer_stop(hub->timer);
}

struct mt_hub *mt_hub_new(struct mt_loop *loop, void (*state_dir)(void *ud, char *out, size_t cap),
                          void *ud)
{
    struct mt_hub *hub = mt_mem_calloc(1, sizeof *hub);

    if (!hub)
        return NULL;
    hub->loop = loop;
    hub->state_dir = state_dir;
    hub->ud = ud;
    if (mt_timer_new(loop, on_timer, hub, &hub->timer) ||
        mt_timer_new(loop, on_presence, hub, &hub->presence)) {
        mt_timer_free(hub->timer);
        mt_mem_free(hub);
        return NULL;
    }
    mt_timer_unref(hub->timer);
    mt_timer_unref(hub->presence);
    return hub;
}

void mt_hub_count(struct mt_hub *hub, const struct mt_account_counting *counting)
{
    hub->counting = counting;
}

size_t mt_hub_waiting(const struct mt_hub *hub)
{
    return hub->items_n;
}

void mt_hub_free(struct mt_hub *hub)
{
    if (!hub)
        return;
    while (hub->rooms)
        room_free(hub->rooms);
    mt_presence_forget(&hub->presences);
    mt_timer_free(hub->timer);
    mt_timer_free(hub->presence);
    mt_mem_free(hub);
}

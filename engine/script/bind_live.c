/* Live accounts: the session, and the batches of events, one after the other, to the task that asks
 * for them. Who is told of what, and in which order, is the business of lua/moontide/live.lua. */
#include "script/live_int.h"

#include "base/mem.h"
#include "base/str.h"
#include "hub/hub.h"

#include <stdio.h>
#include <string.h>

#define TYPE_BATCH "moontide.batch"

struct waiting_batch {
    struct waiting_batch *next;
    struct mt_event_batch *batch;
};

struct mt_lua_live {
    struct mt_lua_live *next;
    const struct mt_provider *provider;
    struct mt_provider_account *account;
    struct mt_seat *seat;
    uint64_t number; /* batches of an earlier session of the same account are not its own */
    struct waiting_batch *first, *last;
    struct mt_wait *wait; /* of the task that asks for the next batch */
    bool ended;
    struct mt_fault fault;
};

static void wake(struct mt_lua_live *live)
{
    struct mt_wait *wait = live->wait;

    live->wait = NULL;
    if (wait)
        mt_wait_wake(wait, MT_OK, NULL);
}

static void batch_came(void *ud, struct mt_event_batch *batch)
{
    struct mt_lua_live *live = ud;
    struct waiting_batch *item = mt_mem_calloc(1, sizeof *item);

    if (!item)
        return; /* not dealt with: it comes again with the next connection */
    item->batch = batch;
    if (live->last)
        live->last->next = item;
    else
        live->first = item;
    live->last = item;
    wake(live);
}

static void session_ended(void *ud, const struct mt_fault *fault)
{
    struct mt_lua_live *live = ud;

    live->ended = true;
    live->fault = *fault;
    wake(live);
}

static struct mt_lua_live *find(struct mt_script *script, const struct mt_provider_account *account)
{
    struct mt_lua_live *live = script->lives;

    while (live && live->account != account)
        live = live->next;
    return live;
}

void mt_lua_live_sent(struct mt_script *script, const struct mt_provider_account *account,
                      const char *id)
{
    struct mt_lua_live *live = find(script, account);

    if (live)
        mt_seat_handled(live->seat, id);
}

/* Raises; what follows is never reached. */
static struct mt_lua_live *raise_null(lua_State *L, enum mt_rc rc, const struct mt_fault *fault)
{
    (void)rc;
    mt_fault_raise(L, fault);
    return NULL;
}

struct mt_lua_live *mt_lua_live_want(lua_State *L, const struct mt_provider *provider,
                                     struct mt_provider_account *account)
{
    static const struct mt_live_handlers handlers = {batch_came, session_ended};
    struct mt_script *script = mt_script_of(L);
    struct mt_lua_live *live = find(script, account);
    struct mt_live_options options;
    struct mt_fault fault;

    if (live)
        return live;
    mt_task_acts(L);
    if (!provider->live || !script->host->websockets || !script->host->hub)
        return raise_null(L,
                          mt_fault_set(&fault, MT_ERR_UNSUPPORTED, "unsupported",
                                       "%s accounts cannot be live here", provider->name),
                          &fault);
    memset(&options, 0, sizeof options);
    enum mt_rc rc = script->host->websockets(script->host->ud, &options.ws, &fault);
    if (rc)
        return raise_null(L, rc, &fault);
    live = mt_mem_calloc(1, sizeof *live);
    if (!live)
        return raise_null(L, mt_fault_set(&fault, MT_ERR_NOMEM, "memory", "out of memory"), &fault);
    live->provider = provider;
    live->account = account;
    live->number = ++script->lives_made_n;
    rc = mt_hub_sit(script->host->hub, script->host->job, provider, account, &options, &handlers,
                    live, &live->seat, &fault);
    if (rc) {
        mt_mem_free(live);
        return raise_null(L, rc, &fault);
    }
    live->next = script->lives;
    script->lives = live;
    return live;
}

static void live_free(struct mt_lua_live *live, bool keep)
{
    mt_seat_leave(live->seat, keep);
    while (live->first) {
        struct waiting_batch *item = live->first;
        live->first = item->next;
        mt_mem_free(item);
    }
    mt_mem_free(live);
}

void mt_lua_live_stop_all(struct mt_script *script)
{
    while (script->lives) {
        struct mt_lua_live *live = script->lives;
        script->lives = live->next;
        live_free(live, script->host->job != NULL);
    }
}

/* ---------------------------------------------------------------- a batch in Lua */

/* One that is dropped is not acknowledged while the session lives. */
struct lua_batch {
    const struct mt_provider_account *account;
    uint64_t number;
    struct mt_event_batch *batch; /* NULL: done */
};

static int batch_done(lua_State *L)
{
    struct mt_script *script = mt_script_of(L);
    struct lua_batch *ud = luaL_checkudata(L, 1, TYPE_BATCH);
    struct mt_lua_live *live = find(script, ud->account);
    struct mt_event_batch *batch = ud->batch;

    ud->batch = NULL;
    if (!batch || !live || live->number != ud->number)
        return 0;
    if (script->host->flush)
        script->host->flush(script->host->ud);
    mt_seat_done(live->seat, batch);
    return 0;
}

static void push_conversation(lua_State *L, const struct mt_lua_live *live,
                              const struct mt_event *event)
{
    struct mt_lua_conversation *c = mt_lua_conversation_push(L);
    c->provider = live->provider;
    c->account = live->account;
    c->ref = event->conversation;
}

static void push_event(lua_State *L, const struct mt_lua_live *live, const struct mt_event *event)
{
    lua_createtable(L, 0, 5);
    lua_pushstring(L, mt_event_name(event->type));
    lua_setfield(L, -2, "type");
    mt_lua_value_push(L, &event->data);
    lua_setfield(L, -2, "data");
    if (event->has_conversation) {
        push_conversation(L, live, event);
        lua_setfield(L, -2, "conversation");
    }
    if (event->type <= MT_EVENT_CONVERSATION_READ) {
        struct mt_page *page = mt_page_of_messages(&event->message, 1);
        if (!page) {
            mt_fault_raisef(L, MT_ERR_NOMEM, "memory", "out of memory");
            return;
        }
        page->provider = live->provider;
        page->account = live->account;
        mt_lua_message_push(L, page, 0);
        mt_page_release(page);
        lua_setfield(L, -2, "message");
    }
    if (event->fault.kind) {
        mt_fault_push(L, &event->fault);
        lua_setfield(L, -2, "fault");
    }
}

/* ---------------------------------------------------------------- the next batch */

struct next_wait {
    struct mt_wait wait;
    struct mt_provider_account *account;
};

static void next_cancel(struct mt_wait *wait)
{
    struct mt_lua_live *live = find(wait->task->script, ((struct next_wait *)wait)->account);
    if (live && live->wait == wait)
        live->wait = NULL;
    mt_wait_wake(wait, MT_OK, NULL);
}

static int next_more(lua_State *L, int status, lua_KContext ctx)
{
    struct next_wait *w = (struct next_wait *)ctx;
    struct mt_lua_live *live = NULL;

    (void)status;
    mt_wait_check(L, &w->wait);
    live = find(mt_script_of(L), w->account);
    if (!live)
        return 0;
    struct waiting_batch *item = live->first;
    if (!item) { /* the session has ended, and all that came was handed out */
        lua_pushnil(L);
        mt_fault_push(L, &live->fault);
        return 2;
    }
    struct lua_batch *ud = lua_newuserdatauv(L, sizeof *ud, 0);
    *ud = (struct lua_batch){live->account, live->number, item->batch};
    luaL_setmetatable(L, TYPE_BATCH);
    live->first = item->next;
    if (!live->first)
        live->last = NULL;
    mt_mem_free(item);
    lua_createtable(L, (int)ud->batch->n, 0);
    for (size_t i = 0; i < ud->batch->n; i++) {
        push_event(L, live, &ud->batch->events[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 2;
}

/* An account, or that of a conversation. */
static struct mt_provider_account *account_of(lua_State *L, const struct mt_provider **provider)
{
    struct mt_lua_conversation *c = luaL_testudata(L, 1, MT_TYPE_CONVERSATION);
    struct mt_lua_account *a = c ? NULL : mt_lua_account_check(L, 1);

    *provider = c ? c->provider : a->provider;
    return c ? c->account : a->account;
}

/* live_key(account): what tells accounts apart. */
static int core_live_key(lua_State *L)
{
    const struct mt_provider *provider = NULL;

    lua_pushlightuserdata(L, account_of(L, &provider));
    return 1;
}

/* live_account(account or conversation): the account. */
static int core_live_account(lua_State *L)
{
    struct mt_lua_conversation *c = luaL_testudata(L, 1, MT_TYPE_CONVERSATION);

    lua_settop(L, 1);
    if (!c)
        return 1;
    struct mt_lua_account *ud = lua_newuserdatauv(L, sizeof *ud, 0);
    memset(ud, 0, sizeof *ud);
    ud->provider = c->provider;
    ud->account = c->account;
    luaL_setmetatable(L, MT_TYPE_ACCOUNT);
    return 1;
}

/* live_next(account): batch, events; nil and the fault when the session has ended; nil alone when
 * it was stopped. */
static int core_live_next(lua_State *L)
{
    const struct mt_provider *provider = NULL;
    struct mt_provider_account *account = account_of(L, &provider);

    mt_grant_check(L, "read", "account:on");
    struct mt_lua_live *live = mt_lua_live_want(L, provider, account);
    mt_task_may_wait(L);
    if (live->wait)
        return mt_fault_raisef(L, MT_ERR_STATE, "live.busy", "another task takes the events");
    struct next_wait *w = mt_wait_new(L, sizeof *w, NULL);
    w->account = account;
    w->wait.cancel = next_cancel;
    mt_seat_listen(live->seat);
    if (live->first || live->ended)
        mt_wait_wake(&w->wait, MT_OK, NULL);
    else
        live->wait = &w->wait;
    return mt_task_wait(L, &w->wait, next_more);
}

/* live_stop(account, keep): goodbye; keep: for a script that comes after this one. */
static int core_live_stop(lua_State *L)
{
    const struct mt_provider *provider = NULL;
    struct mt_provider_account *account = account_of(L, &provider);
    struct mt_script *script = mt_script_of(L);
    struct mt_lua_live **at = &script->lives;

    while (*at && (*at)->account != account)
        at = &(*at)->next;
    if (!*at)
        return 0;
    struct mt_lua_live *live = *at;
    *at = live->next;
    wake(live);
    live_free(live, lua_toboolean(L, 2) && script->host->job);
    return 0;
}

/* live_known(account): a set of the messages that an earlier process dealt with last. */
static int core_live_known(lua_State *L)
{
    const struct mt_provider *provider = NULL;
    struct mt_lua_live *live = find(mt_script_of(L), account_of(L, &provider));
    const char *const *ids = NULL;
    size_t n = live ? mt_seat_known(live->seat, &ids) : 0;

    lua_createtable(L, 0, (int)n);
    for (size_t i = 0; i < n; i++) {
        lua_pushboolean(L, true);
        lua_setfield(L, -2, ids[i]);
    }
    return 1;
}

/* live_handled(account, id): a message that came from history was told. */
static int core_live_handled(lua_State *L)
{
    const struct mt_provider *provider = NULL;
    struct mt_lua_live *live = find(mt_script_of(L), account_of(L, &provider));
    const char *id = luaL_checkstring(L, 2);

    if (live)
        mt_seat_handled(live->seat, id);
    return 0;
}

/* live_types(): the names of events, for account:on. */
static int core_live_types(lua_State *L)
{
    lua_newtable(L);
    for (int i = 0; i < MT_EVENT_TYPES_N; i++) {
        lua_pushstring(L, mt_event_name((enum mt_event_type)i));
        lua_rawseti(L, -2, i + 1);
    }
    return 1;
}

void mt_bind_live(lua_State *L)
{
    static const luaL_Reg functions[] = {{"live_next", core_live_next},
                                         {"live_stop", core_live_stop},
                                         {"live_key", core_live_key},
                                         {"live_account", core_live_account},
                                         {"live_types", core_live_types},
                                         {"live_known", core_live_known},
                                         {"live_handled", core_live_handled},
                                         {"room", mt_lua_room},
                                         {NULL, NULL}};
    static const luaL_Reg methods[] = {{"done", batch_done}, {NULL, NULL}};

    luaL_setfuncs(L, functions, 0);
    mt_script_type(L, TYPE_BATCH, methods, NULL, NULL);
}

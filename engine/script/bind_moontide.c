/* The C half of the module: accounts, time, log, progress. The Lua half is
 * lua/moontide/init.lua. */
#include "script/isolate_int.h"
#include "script/live_int.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "codec/time.h"
#include "loop/loop.h"

#include <stdio.h>
#include <string.h>

#define SHOWN_BYTES 256

/* ---------------------------------------------------------------- accounts */

static int core_account(lua_State *L)
{
    const struct mt_script_host *host = mt_script_of(L)->host;
    const char *name = luaL_optstring(L, 1, NULL);
    const struct mt_provider *provider = NULL;
    struct mt_provider_account *account = NULL;
    struct mt_fault fault;

    if (host->resolve(host->ud, &name, &provider, &account, &fault))
        return mt_fault_raise(L, &fault);
    struct mt_lua_account *ud = lua_newuserdatauv(L, sizeof *ud, 0);
    ud->provider = provider;
    ud->account = account;
    snprintf(ud->name, sizeof ud->name, "%s", name);
    luaL_setmetatable(L, MT_TYPE_ACCOUNT);
    return 1;
}

static int core_accounts(lua_State *L)
{
    const struct mt_script_host *host = mt_script_of(L)->host;
    struct mt_fault fault;

    lua_newtable(L);
    for (size_t i = 0;; i++) {
        const char *name = NULL;
        if (host->account_name(host->ud, i, &name, &fault))
            return mt_fault_raise(L, &fault);
        if (!name)
            return 1;
        lua_pushstring(L, name);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

/* ---------------------------------------------------------------- time */

struct sleep_wait {
    struct mt_wait wait;
    struct mt_timer *timer;
};

static void sleep_release(struct mt_wait *wait)
{
    mt_timer_free(((struct sleep_wait *)wait)->timer);
    ((struct sleep_wait *)wait)->timer = NULL;
}

static void sleep_over(void *ud)
{
    mt_wait_wake(ud, MT_OK, NULL);
}

static void sleep_cancel(struct mt_wait *wait)
{
    mt_timer_stop(((struct sleep_wait *)wait)->timer);
    mt_wait_wake(wait, MT_OK, NULL);
}

static int sleep_more(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    mt_wait_check(L, (struct mt_wait *)ctx);
    return 0;
}

static int64_t check_duration(lua_State *L, int index)
{
    struct mt_fault fault;
    int64_t ms = 0;

    if (lua_isinteger(L, index))
        return lua_tointeger(L, index);
    if (mt_duration_parse(luaL_checkstring(L, index), &ms, &fault))
        mt_fault_raise(L, &fault);
    return ms;
}

static int core_sleep(lua_State *L)
{
    int64_t ms = check_duration(L, 1);

    if (ms < 0)
        return mt_fault_raisef(L, MT_ERR_INVALID, "option.range",
                               "moontide.sleep: the duration must not be negative");
    mt_task_may_wait(L);
    struct sleep_wait *w = mt_wait_new(L, sizeof *w, sleep_release);
    w->wait.cancel = sleep_cancel;
    if (mt_timer_new(mt_script_of(L)->host->loop, sleep_over, w, &w->timer))
        return mt_fault_raisef(L, MT_ERR_NOMEM, "memory", "out of memory");
    mt_timer_start(w->timer, ms, 0);
    return mt_task_wait(L, &w->wait, sleep_more);
}

static int core_now(lua_State *L)
{
    lua_pushinteger(L, mt_clock_wall_ms());
    return 1;
}

/* mono(): a clock that never jumps, in milliseconds. */
static int core_mono(lua_State *L)
{
    lua_pushinteger(L, mt_clock_mono_ms());
    return 1;
}

static int core_ago(lua_State *L)
{
    int64_t ms = 0;

    if (__builtin_sub_overflow(mt_clock_wall_ms(), check_duration(L, 1), &ms))
        return mt_fault_raisef(L, MT_ERR_INVALID, "option.range",
                               "moontide.ago: that is before all time");
    lua_pushinteger(L, ms);
    return 1;
}

static int core_duration(lua_State *L)
{
    lua_pushinteger(L, check_duration(L, 1));
    return 1;
}

static int core_time(lua_State *L)
{
    struct mt_fault fault;
    int64_t ms = 0;

    if (lua_isinteger(L, 1)) {
        lua_settop(L, 1);
        return 1;
    }
    if (mt_time_parse_point(luaL_checkstring(L, 1), mt_clock_wall_ms(), &ms, &fault))
        return mt_fault_raise(L, &fault);
    lua_pushinteger(L, ms);
    return 1;
}

/* ---------------------------------------------------------------- log, progress, faults */

static int core_log(lua_State *L)
{
    static const char *const levels[] = {"error", "warn", "info", "debug", "trace", NULL};
    int level = luaL_checkoption(L, 1, NULL, levels);
    const char *text = luaL_tolstring(L, 2, NULL);

    if (!mt_script_of(L)->checking)
        mt_log((enum mt_log_level)level, mt_script_of(L)->name, "%s", text);
    return 0;
}

/* No more of a text than anybody is shown: it may be megabytes, and is looked through to its end
 * otherwise. */
static const char *shown(lua_State *L, const char *key, char out[SHOWN_BYTES])
{
    const char *text = mt_option_string(L, 1, key, "");

    snprintf(out, SHOWN_BYTES, "%.*s", SHOWN_BYTES - 1, text);
    return out;
}

static int core_progress(lua_State *L)
{
    const struct mt_script_host *host = mt_script_of(L)->host;
    char label[SHOWN_BYTES];
    char unit[SHOWN_BYTES];
    char extra[SHOWN_BYTES];

    mt_options_check(L, 1, "moontide.progress");
    shown(L, "extra", extra);
    host->progress(host->ud, shown(L, "label", label), mt_option_integer(L, 1, "done", 0),
                   mt_option_integer(L, 1, "total", -1), shown(L, "unit", unit),
                   *extra ? extra : NULL);
    return 0;
}

/* What pcall gave as the error, as a fault: a fault stays, anything else is wrapped. */
static int core_fault(lua_State *L)
{
    struct mt_fault fault;

    lua_settop(L, 1);
    mt_fault_from_lua(L, &fault);
    mt_fault_push(L, &fault);
    return 1;
}

/* raise(kind, code, message): a fault of what the world did. */
static int core_raise(lua_State *L)
{
    static const char *const kinds[] = {"protocol", "timeout", "state", "damaged", NULL};
    static const enum mt_rc rcs[] = {MT_ERR_PROTOCOL, MT_ERR_TIMEOUT, MT_ERR_STATE, MT_ERR_DAMAGED};

    return mt_fault_raisef(L, rcs[luaL_checkoption(L, 1, NULL, kinds)], luaL_checkstring(L, 2),
                           "%s", luaL_checkstring(L, 3));
}

/* usage(code, message): a fault of wrong use. */
static int core_usage(lua_State *L)
{
    return mt_fault_raisef(L, MT_ERR_INVALID, luaL_checkstring(L, 1), "%s", luaL_checkstring(L, 2));
}

/* grant(declared, name): from now on the script may do no more than that. Returns whether what
 * deletes may do so. */
static int core_grant(lua_State *L)
{
    struct mt_script *script = mt_script_of(L);
    const char *name = luaL_checkstring(L, 2);
    struct mt_grant declared;
    struct mt_fault fault;

    lua_settop(L, 2);
    mt_grant_take(L, 1, &declared);
    declared.what |= script->grant.what & MT_GRANT_FILES; /* not the script's to declare */
    if (!script->grant_stated)
        script->grant = declared;
    else if (mt_grant_narrow(&script->grant, &declared, name, &fault))
        return mt_fault_raise(L, &fault);
    script->grant_stated = true;
    lua_pushboolean(L, script->apply);
    return 1;
}

/* check_options(function, table): against the API record, as C does. */
static int core_check_options(lua_State *L)
{
    mt_options_check(L, 2, luaL_checkstring(L, 1));
    return 0;
}

/* checking(): whether the script is only to be loaded. */
static int core_checking(lua_State *L)
{
    lua_pushboolean(L, mt_script_of(L)->checking);
    return 1;
}

/* on_stop(f): the task that ends the script in good order. */
static int core_on_stop(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 1);
    lua_setfield(L, LUA_REGISTRYINDEX, "moontide.stop");
    return 0;
}

/* finish(): everything that still runs is cancelled. */
static int core_finish(lua_State *L)
{
    mt_script_cancel(mt_script_of(L));
    return 0;
}

/* extend(type, methods): the half of a type that is written in Lua, under the same checks as the
 * other. */
static int core_extend(lua_State *L)
{
    const char *type = luaL_checkstring(L, 1);
    char full[96];

    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    lua_pushfstring(L, "methods of moontide.%s", type);
    lua_gettable(L, LUA_REGISTRYINDEX);
    lua_pushnil(L);
    while (lua_next(L, 2)) {
        snprintf(full, sizeof full, "%s:%s", type, luaL_checkstring(L, -2));
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        mt_grant_wrap(L, full);
        lua_settable(L, -4);
    }
    return 0;
}

void mt_bind_pure(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"now", core_now},
        {"ago", core_ago},
        {"mono", core_mono},
        {"duration", core_duration},
        {"time", core_time},
        {"fault", core_fault},
        {"usage", core_usage},
        {"raise", core_raise},
        {"checking", core_checking},
        {"check_options", core_check_options},
        {NULL, NULL},
    };

    luaL_setfuncs(L, functions, 0);
}

void mt_bind_moontide(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"account", core_account},
        {"accounts", core_accounts},
        {"archive", mt_lua_archive_open},
        {"verify", mt_lua_verify},
        {"sleep", core_sleep},
        {"log", core_log},
        {"progress", core_progress},
        {"grant", core_grant},
        {"on_stop", core_on_stop},
        {"finish", core_finish},
        {"extend", core_extend},
        {"settle", mt_isolated_settle},
        {NULL, NULL},
    };

    luaL_newlib(L, functions);
    mt_bind_pure(L);
    mt_bind_task(L);
    mt_bind_cron(L);
    mt_bind_audit(L);
    mt_bind_store(L);
    mt_bind_http(L);
    mt_bind_live(L);
    mt_bind_files(L);
    mt_bind_new_file(L);
    mt_bind_select(L);
    mt_bind_policy(L);
    lua_setfield(L, -2, "policy");
    mt_bind_plan(L);
    mt_bind_archived(L);
    mt_bind_json(L);
    lua_setfield(L, -2, "json");
}

/* The CPU watchdog and the coroutine library that works with it. A thread arms a hook on the
 * running coroutine once its slice is over; the hook stays armed, so that no pcall can keep the
 * error. User coroutines pass the engine's waits upward, and tell the watchdog which of them runs.
 */
#include "script/script_int.h"

#include "base/clock.h"

#include <time.h>

#define TICK_US     5000
#define QUIET_TICKS 20
#define LOOK_EVERY  4096 /* steps */

static const char wait_mark;

void *mt_script_wait_mark(void)
{
    return (void *)(uintptr_t)&wait_mark;
}

static void over_budget(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    mt_fault_raisef(L, MT_ERR_LIMIT, "script.cpu", "the script ran too long without waiting");
}

void mt_watch_step(lua_State *L)
{
    struct mt_script *script = mt_script_of(L);

    if (++script->watch_steps_n % LOOK_EVERY || !script->watched)
        return;
    if (mt_clock_mono_ms() >= script->watch_deadline_ms)
        over_budget(L, NULL);
}

/* While slices come it looks on every tick; it is woken by the first after a rest only, since to
 * wake a thread for each would cost more than most slices do. */
static void *watch(void *ud)
{
    struct mt_script *script = ud;
    unsigned quiet_n = 0;
    uint64_t slices_n = 0;

    pthread_mutex_lock(&script->watch_lock);
    while (!script->watch_stop) {
        int64_t until_us = mt_clock_mono_us() + TICK_US;
        struct timespec until = {(time_t)(until_us / 1000000), (long)(until_us % 1000000) * 1000};
        if (quiet_n >= QUIET_TICKS) {
            script->watch_sleeps = true;
            pthread_cond_wait(&script->watch_cond, &script->watch_lock);
            quiet_n = 0;
            continue;
        }
        pthread_cond_timedwait(&script->watch_cond, &script->watch_lock, &until);
        quiet_n = script->watched || slices_n != script->watch_slices_n ? 0 : quiet_n + 1;
        slices_n = script->watch_slices_n;
        if (script->watched && mt_clock_mono_ms() >= script->watch_deadline_ms) {
            script->watch_fired = true;
            lua_sethook(script->watched, over_budget, LUA_MASKCOUNT, 1);
        }
    }
    pthread_mutex_unlock(&script->watch_lock);
    return NULL;
}

enum mt_rc mt_watch_start(struct mt_script *script)
{
    pthread_condattr_t attr;

    pthread_mutex_init(&script->watch_lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&script->watch_cond, &attr);
    pthread_condattr_destroy(&attr);
    if (pthread_create(&script->watchdog, NULL, watch, script))
        return MT_ERR_NOMEM;
    script->watchdog_runs = true;
    return MT_OK;
}

void mt_watch_stop(struct mt_script *script)
{
    if (!script->watchdog_runs)
        return;
    pthread_mutex_lock(&script->watch_lock);
    script->watch_stop = true;
    pthread_cond_signal(&script->watch_cond);
    pthread_mutex_unlock(&script->watch_lock);
    pthread_join(script->watchdog, NULL);
    pthread_mutex_destroy(&script->watch_lock);
    pthread_cond_destroy(&script->watch_cond);
    script->watchdog_runs = false;
}

lua_State *mt_watch_enter(struct mt_script *script, lua_State *L, bool fresh)
{
    lua_State *before = NULL;

    pthread_mutex_lock(&script->watch_lock);
    before = script->watched;
    script->watched = L;
    if (fresh) {
        script->watch_deadline_ms = mt_clock_mono_ms() + script->cpu_ms;
        script->watch_fired = false;
        script->watch_slices_n++;
        if (script->watch_sleeps)
            pthread_cond_signal(&script->watch_cond);
        script->watch_sleeps = false;
    }
    pthread_mutex_unlock(&script->watch_lock);
    return before;
}

void mt_watch_leave(struct mt_script *script, lua_State *before)
{
    pthread_mutex_lock(&script->watch_lock);
    script->watched = before;
    /* an inner coroutine that ran over drags its creator along */
    if (script->watch_fired && before)
        lua_sethook(before, over_budget, LUA_MASKCOUNT, 1);
    pthread_mutex_unlock(&script->watch_lock);
}

/* ---------------------------------------------------------------- coroutines of the script */

static lua_State *coroutine_arg(lua_State *L, int index)
{
    lua_State *co = lua_tothread(L, index);
    luaL_argexpected(L, co, index, "coroutine");
    return co;
}

/* It waits for the engine: the mark stays on its stack until the task that waits for it goes on. */
static bool waits(lua_State *co, int nres)
{
    return lua_status(co) == LUA_YIELD && nres == 1 &&
           lua_touserdata(co, -1) == mt_script_wait_mark();
}

/* Resumes co with nargs values from its stack. Returns the number of results on co, -1 for an error
 * (value on top of co), -2 when co waits for the engine. */
static int resume(lua_State *L, lua_State *co, int nargs)
{
    struct mt_script *script = mt_script_of(L);
    int nres = 0;
    lua_State *before = mt_watch_enter(script, co, false);
    int status = lua_resume(co, L, nargs, &nres);

    mt_watch_leave(script, before);
    if (status != LUA_OK && status != LUA_YIELD)
        return -1;
    return waits(co, nres) ? -2 : nres;
}

static int resumed(lua_State *L, int status, lua_KContext ctx);

static int resume_loop(lua_State *L, lua_State *co, int nargs, bool wrapped)
{
    int n = resume(L, co, nargs);

    if (n == -2) {
        lua_pushlightuserdata(L, mt_script_wait_mark());
        return lua_yieldk(L, 1, wrapped, resumed);
    }
    if (n == -1) {
        if (wrapped) {
            lua_xmove(co, L, 1);
            return lua_error(L);
        }
        lua_pushboolean(L, 0);
        lua_xmove(co, L, 1);
        return 2;
    }
    if (!lua_checkstack(L, n + 1))
        return luaL_error(L, "too many results to resume");
    if (!wrapped)
        lua_pushboolean(L, 1);
    lua_xmove(co, L, n);
    return n + (wrapped ? 0 : 1);
}

static int resumed(lua_State *L, int status, lua_KContext ctx)
{
    lua_State *co = lua_tothread(L, ctx ? lua_upvalueindex(1) : 1);
    (void)status;
    lua_pop(co, 1); /* the mark */
    return resume_loop(L, co, 0, ctx);
}

static int start_resume(lua_State *L, lua_State *co, int first, bool wrapped)
{
    int nargs = lua_gettop(L) - first + 1;
    int status = lua_status(co);

    if (status != LUA_YIELD && !(status == LUA_OK && lua_gettop(co) > 0)) {
        if (wrapped)
            return luaL_error(L, "cannot resume dead coroutine");
        lua_pushboolean(L, 0);
        lua_pushliteral(L, "cannot resume dead coroutine");
        return 2;
    }
    if (co == L || !lua_checkstack(co, nargs + 1))
        return luaL_error(L, "cannot resume this coroutine");
    if (waits(co, lua_gettop(co) ? 1 : 0))
        return luaL_error(L, "cannot resume a coroutine that waits: it goes on by itself");
    lua_xmove(L, co, nargs);
    return resume_loop(L, co, nargs, wrapped);
}

static int co_resume(lua_State *L)
{
    lua_State *co = coroutine_arg(L, 1);
    return start_resume(L, co, 2, false);
}

static int co_create(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_State *co = lua_newthread(L);
    lua_pushvalue(L, 1);
    lua_xmove(L, co, 1);
    return 1;
}

static int co_wrapped(lua_State *L)
{
    return start_resume(L, lua_tothread(L, lua_upvalueindex(1)), 1, true);
}

static int co_wrap(lua_State *L)
{
    co_create(L);
    lua_pushcclosure(L, co_wrapped, 1);
    return 1;
}

static int co_yield (lua_State *L)
{
    return lua_yield(L, lua_gettop(L));
}

static int co_status(lua_State *L)
{
    lua_State *co = coroutine_arg(L, 1);
    lua_Debug ar;

    const char *status = "suspended";
    if (co == L)
        status = "running";
    else if (lua_status(co) == LUA_OK && lua_getstack(co, 0, &ar))
        status = "normal";
    else if (lua_status(co) != LUA_YIELD && (lua_status(co) != LUA_OK || !lua_gettop(co)))
        status = "dead";
    lua_pushstring(L, status);
    return 1;
}

static int co_isyieldable(lua_State *L)
{
    lua_pushboolean(L, lua_isyieldable(L));
    return 1;
}

static int co_running(lua_State *L)
{
    lua_pushboolean(L, lua_pushthread(L));
    return 2;
}

int mt_script_coroutines(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"create", co_create},   {"resume", co_resume}, {"wrap", co_wrap},
        {"yield", co_yield },    {"status", co_status}, {"isyieldable", co_isyieldable},
        {"running", co_running}, {NULL, NULL},
    };
    luaL_newlib(L, functions);
    return 1;
}

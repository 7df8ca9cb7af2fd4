/* Tasks: coroutines that the engine knows. A completion only marks its wait and queues the task;
 * the queue is drained from the loop, and nowhere else is a coroutine resumed. */
#include "script/isolate_int.h"
#include "script/live_int.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "provider/figures.h"

#include <stdio.h>
#include <string.h>

static void drain(void *ud);

/* ---------------------------------------------------------------- waiting */

static int wait_gc(lua_State *L)
{
    struct mt_wait *wait = lua_touserdata(L, 1);

    if (wait->release)
        wait->release(wait);
    wait->release = NULL;
    return 0;
}

static void raise_cancelled(lua_State *L)
{
    const struct mt_script *script = mt_script_of(L);

    if (script->cancelled)
        mt_fault_raisef(L, MT_ERR_CANCELLED, "script.cancelled", "the script was stopped");
    if (script->current && script->current->cancelled)
        mt_fault_raisef(L, MT_ERR_CANCELLED, "task.cancelled", "the task was ended from outside");
}

void mt_task_acts(lua_State *L)
{
    if (mt_script_of(L)->checking)
        mt_script_cancel(mt_script_of(L));
    raise_cancelled(L);
}

void mt_task_may_wait(lua_State *L)
{
    struct mt_script *script = mt_script_of(L);

    mt_task_acts(L);
    if (!script->current || !lua_isyieldable(L))
        mt_fault_raisef(L, MT_ERR_STATE, "script.cannot_wait",
                        "this function waits, which is not possible here (in a metamethod, a sort "
                        "or a gsub callback)");
}

void *mt_wait_new(lua_State *L, size_t size, void (*release)(struct mt_wait *wait))
{
    struct mt_wait *wait = lua_newuserdatauv(L, size, 0);

    memset(wait, 0, size);
    wait->task = mt_script_of(L)->current;
    if (luaL_newmetatable(L, MT_TYPE_WAIT)) {
        lua_pushcfunction(L, wait_gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    wait->release = release;
    return wait;
}

int mt_task_wait(lua_State *L, struct mt_wait *wait, lua_KFunction k)
{
    wait->task->wait = wait;
    lua_pushlightuserdata(L, mt_script_wait_mark());
    return lua_yieldk(L, 1, (lua_KContext)wait, k);
}

static void enqueue(struct mt_task *task)
{
    struct mt_script *script = task->script;

    if (task->queued || task->ended)
        return;
    task->queued = true;
    task->run_next = NULL;
    if (script->run_last)
        script->run_last->run_next = task;
    else
        script->run_first = task;
    script->run_last = task;
    if (script->drain_posted)
        return;
    script->drain_posted = true;
    if (mt_loop_post(script->host->loop, drain, script))
        mt_log(MT_LOG_ERROR, "script", "out of memory: a task cannot go on");
}

void mt_wait_of_account(struct mt_wait *wait, const struct mt_provider_account *account)
{
    wait->figures = mt_account_figures_of(wait->task->script->host->counting, account);
}

void mt_wait_wake(struct mt_wait *wait, enum mt_rc rc, const struct mt_fault *fault)
{
    if (wait->done) {
        mt_log(MT_LOG_WARN, "script", "a completion came twice and is dropped");
        return;
    }
    wait->done = true;
    wait->rc = rc;
    if (rc && fault)
        wait->fault = *fault;
    else if (rc)
        mt_fault_set(&wait->fault, rc, mt_rc_name(rc), "%s", mt_rc_name(rc));
    if (rc)
        mt_account_figures_fault(wait->figures, &wait->fault);
    enqueue(wait->task);
}

void mt_wait_check(lua_State *L, struct mt_wait *wait)
{
    raise_cancelled(L);
    if (wait->rc)
        mt_fault_raise(L, &wait->fault);
}

/* ---------------------------------------------------------------- life */

struct mt_task *mt_task_spawn(struct mt_script *script, lua_State *from, int args_n)
{
    lua_State *T = lua_newthread(from);
    int ref = luaL_ref(from, LUA_REGISTRYINDEX);
    struct mt_task *task = mt_mem_calloc(1, sizeof *task);

    if (!task) {
        luaL_unref(from, LUA_REGISTRYINDEX, ref);
        return NULL;
    }
    task->script = script;
    task->T = T;
    task->ref = ref;
    lua_xmove(from, task->T, args_n + 1);
    task->number = ++script->tasks_made_n;
    task->next = script->tasks;
    if (script->tasks)
        script->tasks->prev = task;
    script->tasks = task;
    script->alive_n++;
    enqueue(task);
    return task;
}

/* Of the tasks that failed and that nobody joined, the one that was made first. */
static void blame(struct mt_script *script, const struct mt_task *task)
{
    if (!task->failed || task->joined)
        return;
    if (script->blamed && script->blamed < task->number)
        return;
    script->blamed = task->number;
    script->blame = task->fault;
}

/* A script that runs for weeks makes millions of them. */
static void forget_ended(struct mt_task *task)
{
    struct mt_script *script = task->script;

    if (!task->ended || task->queued || task->handles)
        return;
    blame(script, task);
    if (task->prev)
        task->prev->next = task->next;
    else
        script->tasks = task->next;
    if (task->next)
        task->next->prev = task->prev;
    mt_mem_free(task);
}

void mt_task_handle(struct mt_task *task)
{
    task->handles++;
}

void mt_task_let_go(struct mt_task *task)
{
    task->handles--;
    forget_ended(task);
}

void mt_task_cancel(struct mt_task *task)
{
    if (task->ended)
        return;
    task->cancelled = true;
    task->joined = true;
    if (task->wait && !task->wait->done && task->wait->cancel)
        task->wait->cancel(task->wait);
}

static void finish(void *ud)
{
    struct mt_script *script = ud;
    script->done(script->ud, script->status, script->failed ? &script->fault : NULL);
}

/* Also of those that somebody could still have joined. */
static void blame_unjoined(struct mt_script *script)
{
    for (const struct mt_task *task = script->tasks; task; task = task->next)
        blame(script, task);
    if (!script->blamed)
        return;
    script->failed = true;
    script->fault = script->blame;
}

static void end_task(struct mt_task *task, bool failed)
{
    struct mt_script *script = task->script;

    task->ended = true;
    task->failed = failed;
    if (failed) {
        lua_xmove(task->T, script->L, 1); /* its own stack may be what overflowed */
        mt_fault_from_lua(script->L, &task->fault);
    }
    if (failed && (task == script->main || task->vital))
        mt_script_fail(script, &task->fault); /* what it started has nobody left to work for */
    while (task->joiners) {
        struct mt_wait *joiner = task->joiners;
        task->joiners = joiner->next_joiner;
        mt_wait_wake(joiner, failed ? task->fault.kind : MT_OK, failed ? &task->fault : NULL);
    }
    if (task->on_end) {
        lua_rawgeti(script->L, LUA_REGISTRYINDEX, task->on_end);
        mt_lua_signal_set(script->L, -1);
        lua_pop(script->L, 1);
        luaL_unref(script->L, LUA_REGISTRYINDEX, task->on_end);
    }
    luaL_unref(script->L, LUA_REGISTRYINDEX, task->ref);
    task->T = NULL;
    script->alive_n--;
    if (script->alive_n == 1 && (script->is_child || script->isolated))
        mt_isolated_lonely(script);
    if (script->alive_n || script->finished)
        return;
    script->finished = true;
    if (!script->failed)
        blame_unjoined(script);
    if (mt_loop_post(script->host->loop, finish, script))
        finish(script);
}

/* When an allocation fails Lua collects, but runs no finalizers, and the waits of the past have
 * one: a script near its limit would be told that memory is short where there is only garbage. */
static void collect_near_limit(struct mt_script *script)
{
    if (script->memory_bytes < script->memory_max_bytes / 4 * 3) {
        script->collected_bytes = 0;
        return;
    }
    if (script->memory_bytes <
        script->collected_bytes + (script->memory_max_bytes - script->collected_bytes) / 2)
        return;
    lua_gc(script->L, LUA_GCCOLLECT); /* finalizes */
    lua_gc(script->L, LUA_GCCOLLECT); /* frees */
    script->collected_bytes = script->memory_bytes;
}

static void run(struct mt_task *task, int args_n)
{
    struct mt_script *script = task->script;
    int nres = 0;

#ifdef MT_DEBUG
    lua_gc(script->L, LUA_GCCOLLECT); /* lifetime bugs show here */
#endif
    script->current = task;
    task->wait = NULL;
    int64_t from_us = mt_clock_mono_us();
    lua_State *before = mt_watch_enter(script, task->T, true);
    int status = lua_resume(task->T, script->L, args_n, &nres);
    mt_watch_leave(script, before);
    int64_t took_us = mt_clock_mono_us() - from_us;
    script->busy_us += (uint64_t)took_us;
    script->current = NULL;
    collect_near_limit(script);
    if (script->is_child)
        mt_isolated_ran(script, took_us);
    if (status == LUA_YIELD) {
        if (nres == 1 && task->wait) {
            lua_pop(task->T, 1);
            if ((script->cancelled || task->cancelled) && task->wait->cancel && !task->wait->done)
                task->wait->cancel(task->wait);
            return;
        }
        lua_settop(task->T, 0);
        lua_pushliteral(task->T, "a task yielded outside of a coroutine of its own");
        end_task(task, true);
        return;
    }
    if (status == LUA_OK && task == script->main && nres > 0 && lua_isinteger(task->T, -1))
        script->status = (int)lua_tointeger(task->T, -1);
    end_task(task, status != LUA_OK);
}

static void drain(void *ud)
{
    struct mt_script *script = ud;

    script->drain_posted = false;
    struct mt_task *list = script->run_first;
    script->run_first = script->run_last = NULL;
    while (list) {
        struct mt_task *next = list->run_next;
        list->queued = false;
        mt_task_handle(list); /* the collector may run in between */
        if (!list->ended) {
            bool fresh = lua_status(list->T) == LUA_OK;
            if (fresh || (list->wait && list->wait->done))
                run(list, fresh ? lua_gettop(list->T) - 1 : 0);
        }
        mt_task_let_go(list);
        list = next;
    }
}

void mt_script_cancel(struct mt_script *script)
{
    if (script->cancelled || script->finished)
        return;
    script->cancelled = true;
    for (struct mt_task *task = script->tasks; task; task = task->next) {
        if (!task->ended && task->wait && !task->wait->done && task->wait->cancel)
            task->wait->cancel(task->wait);
    }
}

void mt_script_fail(struct mt_script *script, const struct mt_fault *fault)
{
    if (!script->failed && !script->cancelled) {
        script->failed = true;
        script->fault = *fault;
    }
    mt_script_cancel(script);
}

static int spawn_stop(lua_State *L)
{
    lua_getfield(L, LUA_REGISTRYINDEX, "moontide.stop");
    if (!mt_task_spawn(mt_script_of(L), L, 0))
        return luaL_error(L, "out of memory");
    return 0;
}

void mt_script_stop(struct mt_script *script)
{
    if (script->stopping || script->cancelled || script->finished)
        return;
    script->stopping = true;
    lua_pushcfunction(script->L, spawn_stop);
    if (lua_pcall(script->L, 0, 0, 0)) {
        lua_pop(script->L, 1);
        mt_script_cancel(script);
    }
}

/* ---------------------------------------------------------------- starting a script */

void mt_script_begin(lua_State *L, const struct mt_script_options *options)
{
    struct mt_script *script = mt_script_of(L);
    int n = 0;

    lua_pushcfunction(L, mt_script_part);
    lua_pushliteral(L, MT_SCRIPT_MAIN);
    lua_call(L, 1, 1);
    lua_pushfstring(L, "@%s", options->name);
    if (luaL_loadbufferx(L, options->text, options->text_len, lua_tostring(L, -1), "t"))
        lua_error(L);
    lua_remove(L, -2);
    lua_createtable(L, 4, 0);
    for (; options->args && options->args[n]; n++) {
        lua_pushstring(L, options->args[n]);
        lua_rawseti(L, -2, n + 1);
    }
    lua_pushstring(L, script->command);
    lua_pushstring(L, options->accounts ? options->accounts[0] : NULL);
    script->main = mt_task_spawn(script, L, 4);
    if (!script->main)
        luaL_error(L, "out of memory");
    mt_task_handle(script->main);
}

static int start_main(lua_State *L)
{
    const struct mt_script_options *options = lua_touserdata(L, 1);
    struct mt_script *script = mt_script_of(L);

    if (!options->isolated) {
        mt_script_begin(L, options);
        return 0;
    }
    mt_isolated_start(L, options);
    script->main = mt_task_spawn(script, L, 0);
    if (!script->main)
        return luaL_error(L, "out of memory");
    mt_task_handle(script->main);
    return 0;
}

enum mt_rc mt_script_make(const struct mt_script_host *host,
                          const struct mt_script_options *options, bool is_child,
                          struct mt_script **out, struct mt_fault *fault)
{
    struct mt_script *script = mt_mem_calloc(1, sizeof *script);
    char command[300];
    enum mt_rc rc = MT_OK;

    *out = NULL;
    if (!script) {
        mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
        return MT_ERR_NOMEM;
    }
    script->host = host;
    script->is_child = is_child;
    script->checking = options->check;
    script->memory_max_bytes = options->memory_bytes ? options->memory_bytes : 64u << 20;
    script->cpu_ms = options->cpu_ms ? options->cpu_ms : 1000;
    script->grant = options->grant ? *options->grant : mt_grant_default();
    if (options->isolated && !options->grant)
        script->grant.what = MT_GRANT_READ; /* what nobody has read declares nothing by itself */
    script->grant_stated = options->grant != NULL || options->isolated;
    script->apply = options->apply;
    script->by_hand = options->by_hand;
    snprintf(command, sizeof command, "moontide run %s --", options->name);
    script->name = mt_mem_strdup(options->name);
    script->command = mt_mem_strdup(options->command ? options->command : command);
    script->use = mt_grant_use_new();
    rc =
        script->name && script->command && script->use ? mt_script_state_new(script) : MT_ERR_NOMEM;
    if (!rc)
        rc = mt_watch_start(script);
    if (rc) {
        mt_fault_set(fault, rc, "memory", "the script's state cannot be made");
        mt_script_free(script);
        return rc;
    }
    *out = script;
    return MT_OK;
}

enum mt_rc mt_script_start(const struct mt_script_host *host,
                           const struct mt_script_options *options,
                           void (*done)(void *ud, int status, const struct mt_fault *fault),
                           void *ud, struct mt_script **out, struct mt_fault *fault)
{
    struct mt_script *script = NULL;
    enum mt_rc rc = mt_script_make(host, options, false, &script, fault);

    *out = NULL;
    if (rc)
        return rc;
    script->done = done;
    script->ud = ud;
    lua_pushcfunction(script->L, start_main);
    lua_pushlightuserdata(script->L, (void *)options);
    if (lua_pcall(script->L, 1, 0, 0)) {
        mt_fault_from_lua(script->L, fault);
        fault->kind = MT_ERR_INVALID;
        mt_script_free(script);
        return MT_ERR_INVALID;
    }
    *out = script;
    return MT_OK;
}

void mt_script_look(const struct mt_script *script, struct mt_script_figures *out)
{
    memset(out, 0, sizeof *out);
    out->memory_bytes = script->memory_bytes;
    out->memory_max_bytes = script->memory_max_bytes;
    out->busy_us = script->busy_us;
    out->tasks_n = script->alive_n;
    for (const struct mt_task *task = script->run_first; task; task = task->run_next)
        out->ready_n++;
}

void mt_script_free(struct mt_script *script)
{
    if (!script)
        return;
    mt_watch_stop(script);
    mt_lua_live_stop_all(script);
    if (script->L)
        lua_close(script->L);
    mt_isolated_free(script->isolated);
    while (script->tasks) {
        struct mt_task *next = script->tasks->next;
        mt_mem_free(script->tasks);
        script->tasks = next;
    }
    mt_mem_free(script->name);
    mt_mem_free(script->command);
    mt_grant_use_free(script->use);
    mt_mem_free(script);
}

/* Tasks in Lua: spawn and join, and the signal with which one wakes another. */
#include "script/script_int.h"

#include "base/mem.h"
#include "loop/loop.h"

struct lua_task {
    struct mt_task *task;
};

static int task_gc(lua_State *L)
{
    struct lua_task *ud = lua_touserdata(L, 1);

    if (ud->task)
        mt_task_let_go(ud->task);
    ud->task = NULL;
    return 0;
}

static int spawn(lua_State *L, bool vital)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    if (mt_script_of(L)->cancelled)
        return mt_fault_raisef(L, MT_ERR_CANCELLED, "script.cancelled", "the script was stopped");
    struct lua_task *ud = lua_newuserdatauv(L, sizeof *ud, 0);
    ud->task = NULL;
    luaL_setmetatable(L, MT_TYPE_TASK);
    lua_insert(L, 1);
    ud->task = mt_task_spawn(mt_script_of(L), L, lua_gettop(L) - 2);
    if (!ud->task)
        return mt_fault_raisef(L, MT_ERR_NOMEM, "memory", "out of memory");
    mt_task_handle(ud->task);
    ud->task->vital = vital;
    return 1;
}

static int core_spawn(lua_State *L)
{
    return spawn(L, false);
}

/* spawn_vital(f, ...): the script cannot go on without it. */
static int core_spawn_vital(lua_State *L)
{
    return spawn(L, true);
}

/* abort(error): the script fails with it, as a whole. */
static int core_abort(lua_State *L)
{
    struct mt_script *script = mt_script_of(L);
    struct mt_fault fault;

    lua_settop(L, 1);
    mt_fault_from_lua(L, &fault);
    mt_script_fail(script, &fault);
    return 0;
}

static struct mt_task *check_task(lua_State *L)
{
    struct mt_task *task = ((struct lua_task *)luaL_checkudata(L, 1, MT_TYPE_TASK))->task;

    if (!task)
        mt_fault_raisef(L, MT_ERR_STATE, "task.closed", "the task was let go of");
    return task;
}

static int join_more(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    mt_wait_check(L, (struct mt_wait *)ctx);
    return 0;
}

struct join_wait {
    struct mt_wait wait;
    struct mt_task *joined; /* has not ended: its end takes this wait from its list */
};

static void join_cancel(struct mt_wait *wait)
{
    struct mt_wait **at = &((struct join_wait *)wait)->joined->joiners;

    while (*at && *at != wait)
        at = &(*at)->next_joiner;
    if (!*at)
        return;
    *at = wait->next_joiner;
    mt_wait_wake(wait, MT_OK, NULL);
}

static int task_join(lua_State *L)
{
    struct mt_task *task = check_task(L);

    task->joined = true;
    if (task->ended) {
        if (task->failed)
            return mt_fault_raise(L, &task->fault);
        return 0;
    }
    mt_task_may_wait(L);
    if (task == mt_script_of(L)->current)
        return mt_fault_raisef(L, MT_ERR_STATE, "task.self", "a task cannot wait for itself");
    struct join_wait *w = mt_wait_new(L, sizeof *w, NULL);
    w->wait.cancel = join_cancel;
    w->joined = task;
    w->wait.next_joiner = task->joiners;
    task->joiners = &w->wait;
    return mt_task_wait(L, &w->wait, join_more);
}

/* task_id(): the number of the task that runs, or of the one for which it runs. */
static int core_task_id(lua_State *L)
{
    const struct mt_task *task = mt_script_of(L)->current;

    uint64_t number = task ? task->number : 0;
    if (task && task->acts_for)
        number = task->acts_for;
    lua_pushinteger(L, (lua_Integer)number);
    return 1;
}

/* task_cancel(task): ends it at its next wait. */
static int core_task_cancel(lua_State *L)
{
    mt_task_cancel(check_task(L));
    return 0;
}

/* ---------------------------------------------------------------- signals */

/* One task waits until another has set it. */
struct signal {
    bool set;
    struct mt_wait *wait;
};

struct signal_wait {
    struct mt_wait wait;
    struct signal *signal; /* on the waiting coroutine's stack, as its first argument */
    struct mt_timer *timer;
};

static void signal_release(struct mt_wait *wait)
{
    mt_timer_free(((struct signal_wait *)wait)->timer);
    ((struct signal_wait *)wait)->timer = NULL;
}

static void signal_end(struct signal_wait *w)
{
    w->signal->wait = NULL;
    if (w->timer)
        mt_timer_stop(w->timer);
    mt_wait_wake(&w->wait, MT_OK, NULL);
}

static void signal_late(void *ud)
{
    signal_end(ud);
}

static void signal_cancel(struct mt_wait *wait)
{
    signal_end((struct signal_wait *)wait);
}

static int core_signal(lua_State *L)
{
    struct signal *signal = lua_newuserdatauv(L, sizeof *signal, 0);

    *signal = (struct signal){false, NULL};
    luaL_setmetatable(L, MT_TYPE_SIGNAL);
    return 1;
}

void mt_lua_signal_set(lua_State *L, int index)
{
    struct signal *signal = lua_touserdata(L, index);

    signal->set = true;
    if (signal->wait)
        signal_end((struct signal_wait *)signal->wait);
}

static int signal_set(lua_State *L)
{
    luaL_checkudata(L, 1, MT_TYPE_SIGNAL);
    mt_lua_signal_set(L, 1);
    return 0;
}

/* task_watch(task, signal): sets the signal when the task ends, for whatever reason; its failure is
 * told to nobody else. */
static int core_task_watch(lua_State *L)
{
    struct mt_task *task = check_task(L);

    luaL_checkudata(L, 2, MT_TYPE_SIGNAL);
    lua_settop(L, 2);
    task->joined = true;
    if (task->ended) {
        mt_lua_signal_set(L, 2);
        return 0;
    }
    int ref = luaL_ref(L, LUA_REGISTRYINDEX);
    if (task->on_end)
        luaL_unref(L, LUA_REGISTRYINDEX, task->on_end);
    task->on_end = ref;
    return 0;
}

/* task_fault(task): what it failed with, or nil. */
static int core_task_fault(lua_State *L)
{
    const struct mt_task *task = check_task(L);

    if (!task->failed)
        return 0;
    mt_fault_push(L, &task->fault);
    return 1;
}

static int signal_more(lua_State *L, int status, lua_KContext ctx)
{
    struct signal_wait *w = (struct signal_wait *)ctx;

    (void)status;
    mt_wait_check(L, &w->wait);
    lua_pushboolean(L, w->signal->set);
    return 1;
}

/* signal:wait(ms): whether it was set; without ms there is no limit. */
static int signal_wait(lua_State *L)
{
    struct signal *signal = luaL_checkudata(L, 1, MT_TYPE_SIGNAL);
    lua_Integer ms = luaL_optinteger(L, 2, -1);

    mt_task_may_wait(L);
    if (signal->set) {
        lua_pushboolean(L, 1);
        return 1;
    }
    if (signal->wait)
        return mt_fault_raisef(L, MT_ERR_STATE, "signal.busy", "another task waits for it");
    struct signal_wait *w = mt_wait_new(L, sizeof *w, signal_release);
    w->wait.cancel = signal_cancel;
    w->signal = signal;
    if (ms >= 0 && mt_timer_new(mt_script_of(L)->host->loop, signal_late, w, &w->timer))
        return mt_fault_raisef(L, MT_ERR_NOMEM, "memory", "out of memory");
    signal->wait = &w->wait;
    if (w->timer)
        mt_timer_start(w->timer, ms, 0);
    return mt_task_wait(L, &w->wait, signal_more);
}

void mt_bind_task(lua_State *L)
{
    static const luaL_Reg functions[] = {{"spawn", core_spawn},
                                         {"spawn_vital", core_spawn_vital},
                                         {"abort", core_abort},
                                         {"task_id", core_task_id},
                                         {"task_cancel", core_task_cancel},
                                         {"task_watch", core_task_watch},
                                         {"task_fault", core_task_fault},
                                         {"signal", core_signal},
                                         {NULL, NULL}};
    static const luaL_Reg task_methods[] = {{"join", task_join}, {NULL, NULL}};
    static const luaL_Reg signal_methods[] = {
        {"set", signal_set}, {"wait", signal_wait}, {NULL, NULL}};

    mt_script_type(L, MT_TYPE_TASK, task_methods, NULL, task_gc);
    mt_script_type(L, MT_TYPE_SIGNAL, signal_methods, NULL, NULL);
    luaL_setfuncs(L, functions, 0);
}

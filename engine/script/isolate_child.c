/* The half of an isolated script in which it runs. It has its text, its arguments and one end of a
 * socket; what it may do stands in the other process. Before it knows a byte of the script it gives
 * up everything else. */
#include "script/isolate_int.h"

#include "base/child.h"
#include "base/confine.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop/loop.h"

#include <stdlib.h>
#include <string.h>

#define ARGS_MAX   1024
#define BETWEEN_US 5000

struct child {
    struct mt_link link; /* first */
    struct mt_script_host host;
    struct mt_script *script;
    struct mt_wait *keeper; /* of the task that ends when the other side says so */
    bool begun, idle, finished;
};

static struct child *child_of(struct mt_script *script)
{
    return (struct child *)script->link;
}

/* ---------------------------------------------------------------- what it says */

static void print(void *ud, const char *line, size_t len)
{
    mt_link_say_text(&((struct child *)ud)->link, MT_FRAME_PRINT, 0, line, len);
}

/* log(level, text) */
static int core_log(lua_State *L)
{
    static const char *const levels[] = {"error", "warn", "info", "debug", "trace", NULL};
    int level = luaL_checkoption(L, 1, NULL, levels);

    size_t len = 0;
    const char *text = luaL_tolstring(L, 2, &len);
    mt_link_say_text(mt_script_of(L)->link, MT_FRAME_LOG, (uint32_t)level, text, len);
    return 0;
}

static int core_grant(lua_State *L)
{
    lua_settop(L, 2);
    lua_pushliteral(L, "grant");
    lua_insert(L, 1);
    return mt_link_call(L);
}

int mt_isolated_core(lua_State *L)
{
    static const luaL_Reg functions[] = {{"log", core_log}, {"grant", core_grant}, {NULL, NULL}};

    luaL_newlib(L, functions);
    mt_bind_pure(L);
    mt_bind_task(L);
    mt_bind_json(L);
    lua_setfield(L, -2, "json");
    return 1;
}

void mt_isolated_idle(struct mt_script *script)
{
    struct child *child = child_of(script);

    child->idle = true;
    mt_link_say(&child->link, MT_FRAME_BUSY, 0);
}

void mt_isolated_ran(struct mt_script *script, int64_t us)
{
    if (us >= BETWEEN_US)
        mt_link_say(script->link, MT_FRAME_PONG, MT_PONG_BETWEEN);
}

static int say_end(lua_State *L)
{
    const struct mt_fault *fault = lua_touserdata(L, 1);
    struct mt_frame frame = {.op = MT_FRAME_END, .a = (uint32_t)lua_tointeger(L, 2)};

    lua_settop(L, 0);
    if (fault)
        mt_fault_push(L, fault);
    mt_link_say_values(L, mt_script_of(L)->link, frame, 1);
    return 0;
}

static void say_fault(struct child *child, int status, const struct mt_fault *fault)
{
    lua_State *L = child->script->L;

    lua_pushcfunction(L, say_end);
    lua_pushlightuserdata(L, (void *)fault);
    lua_pushinteger(L, status);
    mt_child_leave(lua_pcall(L, 2, 0, 0) ? 1 : 0);
}

static void done(void *ud, int status, const struct mt_fault *fault)
{
    say_fault(ud, status, fault);
}

/* ---------------------------------------------------------------- the task that stays */

static void keeper_cancel(struct mt_wait *wait)
{
    child_of(wait->task->script)->keeper = NULL;
    mt_wait_wake(wait, MT_OK, NULL);
}

static int keeper_more(lua_State *L, int status, lua_KContext ctx)
{
    (void)L, (void)status, (void)ctx;
    return 0;
}

static int keeper(lua_State *L)
{
    struct child *child = child_of(mt_script_of(L));
    struct mt_wait *wait = mt_wait_new(L, sizeof *wait, NULL);

    if (child->finished)
        return 0;
    wait->cancel = keeper_cancel;
    child->keeper = wait;
    return mt_task_wait(L, wait, keeper_more);
}

/* ---------------------------------------------------------------- what it is told */

static const char *text_of(lua_State *L, const char *key)
{
    lua_getfield(L, 1, key);
    return lua_tostring(L, -1); /* the table has it */
}

static int begin(lua_State *L)
{
    struct mt_link *link = mt_script_of(L)->link;
    const struct mt_frame *frame = lua_touserdata(L, 1);
    struct mt_script *script = link->script;
    struct mt_script_options options;
    const char *args[ARGS_MAX + 1];
    const char *accounts[2] = {NULL, NULL};
    int n = 0;

    lua_settop(L, 0);
    memset(&options, 0, sizeof options);
    mt_wire_read(L, frame->values, frame->len, link->handles);
    luaL_checkstack(L, ARGS_MAX + 40, "arguments");
    lua_getfield(L, 1, "types");
    lua_setfield(L, LUA_REGISTRYINDEX, "moontide.types");
    lua_getfield(L, LUA_REGISTRYINDEX, "moontide.core");
    lua_getfield(L, 1, "module");
    lua_setfield(L, -2, "module");
    lua_getfield(L, 1, "check");
    script->checking = lua_toboolean(L, -1);
    options.name = text_of(L, "name");
    mt_mem_free(script->command);
    script->command = mt_mem_strdup(text_of(L, "command"));
    lua_getfield(L, 1, "text");
    options.text = lua_tolstring(L, -1, &options.text_len);
    accounts[0] = text_of(L, "account");
    options.accounts = accounts;
    lua_getfield(L, 1, "args");
    for (int at = lua_gettop(L); n < ARGS_MAX && lua_rawgeti(L, at, n + 1) == LUA_TSTRING; n++)
        args[n] = lua_tostring(L, -1);
    args[n] = NULL;
    options.args = args;
    lua_pushcfunction(L, keeper);
    if (!script->command || !mt_task_spawn(script, L, 0))
        return luaL_error(L, "out of memory");
    lua_getfield(L, LUA_REGISTRYINDEX, "moontide.loaded");
    lua_pushcfunction(L, mt_script_part);
    lua_pushliteral(L, "moontide.isolated");
    lua_call(L, 1, 1);
    lua_setfield(L, -2, "moontide");
    mt_script_begin(L, &options);
    return 0;
}

static void told_finish(struct child *child)
{
    struct mt_wait *wait = child->keeper;

    child->finished = true;
    child->keeper = NULL;
    if (wait)
        mt_wait_wake(wait, MT_OK, NULL);
}

static bool take(struct mt_link *link, const struct mt_frame *frame, struct mt_fault *fault)
{
    struct child *child = (struct child *)link;
    lua_State *L = link->script->L;

    switch (frame->op) {
    case MT_FRAME_HELLO:
        child->begun = true;
        lua_pushcfunction(L, begin);
        lua_pushlightuserdata(L, (void *)frame);
        if (!lua_pcall(L, 1, 0, 0))
            return true;
        mt_fault_from_lua(L, fault);
        fault->kind = MT_ERR_INVALID;
        return false;
    case MT_FRAME_CALL:
        if (child->idle)
            mt_link_say(link, MT_FRAME_BUSY, 1);
        child->idle = false;
        return mt_link_serve(link, frame, fault);
    case MT_FRAME_PING:
        mt_link_say(link, MT_FRAME_PONG, link->script->drain_posted ? MT_PONG_RUNS : MT_PONG_RESTS);
        return true;
    case MT_FRAME_FINISH:
        told_finish(child);
        return true;
    case MT_FRAME_CANCEL:
        mt_script_cancel(link->script);
        return true;
    default:
        return mt_fault_set(fault, MT_ERR_PROTOCOL, "isolated.protocol", "no such frame") == MT_OK;
    }
}

/* Without the other side there is nothing to do, and nobody to tell. */
static void over(struct mt_link *link, const struct mt_fault *fault)
{
    if (!fault)
        mt_child_leave(0);
    say_fault((struct child *)link, 0, fault);
}

static void quiet(void *ud, enum mt_log_level level, const char *line)
{
    (void)ud, (void)level, (void)line;
}

int mt_script_process(int argc, char **argv)
{
    struct child *child = mt_mem_calloc(1, sizeof *child);
    struct mt_script_options options;
    struct mt_fault fault;

    if (!child || argc != 4 || mt_loop_new(&child->host.loop))
        mt_child_leave(1);
    mt_log_sink_set(quiet, NULL);
    memset(&options, 0, sizeof options);
    options.name = "isolated";
    options.memory_bytes = (size_t)strtoull(argv[2], NULL, 10);
    options.cpu_ms = strtoll(argv[3], NULL, 10);
    child->host.print = print;
    child->host.ud = child;
    if (mt_script_make(&child->host, &options, true, &child->script, &fault))
        mt_child_leave(1);
    child->script->done = done;
    child->script->ud = child;
    child->link.script = child->script;
    child->link.child = true;
    child->link.handles = &mt_wire_of_child;
    child->link.fd = MT_CHILD_FD;
    child->link.take = take;
    child->link.over = over;
    mt_object_open(child->script->L);
    if (mt_link_open(&child->link))
        mt_child_leave(1);
    if (mt_confine(child->script->memory_max_bytes * 2 + ((size_t)96 << 20), &fault))
        over(&child->link, &fault);
    while (!child->begun)
        mt_link_wait(&child->link);
    mt_loop_run(child->host.loop);
    mt_child_leave(1);
}

/* The half of an isolated script that has the accounts: an ordinary script, under the same grant
 * and the same limits, whose tasks are what its process asks for. Here it is started, watched and
 * ended. */
#include "script/isolate_int.h"

#include "base/child.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop/loop.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define GRACE_MS  5000 /* for what is in hand, when it is to end */
#define TICKS_N   20   /* looks within the time of one slice */
#define OVER_20TH 21   /* of them it may take, of its own processor time */

struct mt_isolated {
    struct mt_link link; /* first */
    struct mt_script *script;
    int pid; /* 0: it was waited for */
    bool busy;
    bool finishing;
    bool ended; /* and what is below says how */
    int status;
    bool failed;
    struct mt_fault fault;
    struct mt_wait *main;
    struct mt_timer *watch, *grace;
    bool watching, told, pinged;
    uint64_t said_n, pinged_n,
        settled_n; /* of what it may go on with: in all, before the ping that
                      was sent last, and before the one after which it rested */
    struct mt_wait *settlers;
    int64_t used_ms; /* of the processor, when it was last known to be no loop */
};

/* ---------------------------------------------------------------- its end */

static int reap(struct mt_isolated *isolated, int *status)
{
    *status = 0;
    if (!isolated->pid)
        return 0;
    int how = mt_child_end(isolated->pid, status);
    isolated->pid = 0;
    return how;
}

static void settled(struct mt_isolated *isolated)
{
    isolated->settled_n = isolated->said_n;
    while (isolated->settlers) {
        struct mt_wait *wait = isolated->settlers;
        isolated->settlers = wait->next_joiner;
        mt_wait_wake(wait, MT_OK, NULL);
    }
}

static void end(struct mt_isolated *isolated, const struct mt_fault *fault)
{
    struct mt_fault gone;

    if (isolated->ended)
        return;
    isolated->ended = true;
    isolated->failed = fault != NULL;
    if (fault)
        isolated->fault = *fault;
    mt_timer_free(isolated->watch);
    mt_timer_free(isolated->grace);
    isolated->watch = isolated->grace = NULL;
    mt_fault_set(&gone, MT_ERR_STATE, "isolated.gone", "the script's process is gone");
    mt_link_lose(&isolated->link, fault ? fault : &gone);
    if (isolated->link.fd >= 0)
        mt_child_close(isolated->link.fd);
    isolated->link.fd = -1;
    settled(isolated);
    if (isolated->main)
        mt_wait_wake(isolated->main, MT_OK, NULL);
    isolated->main = NULL;
}

/* What a person can do about it. */
static void why(int how, int status, struct mt_fault *fault)
{
    if (how == SIGSYS)
        mt_fault_set(fault, MT_ERR_DENIED, "isolated.forbidden",
                     "the script's process tried what is not open to it (files, network, "
                     "programs) and was ended: do not run this script again");
    else if (how == SIGKILL)
        mt_fault_set(fault, MT_ERR_STATE, "isolated.killed",
                     "the script's process was killed from outside, or this machine is short of "
                     "memory");
    else if (how)
        mt_fault_set(fault, MT_ERR_STATE, "isolated.crashed",
                     "the script's process crashed (signal %d)", how);
    else
        mt_fault_set(fault, MT_ERR_STATE, "isolated.crashed",
                     "the script's process has ended by itself (status %d)", status);
}

static void over(struct mt_link *link, const struct mt_fault *fault)
{
    struct mt_isolated *isolated = (struct mt_isolated *)link;
    struct mt_fault found;
    int status = 0;
    int how = reap(isolated, &status);

    why(how, status, &found);
    end(isolated, fault ? fault : &found);
}

/* ---------------------------------------------------------------- its processor time */

static void ping(struct mt_isolated *isolated)
{
    isolated->pinged = true;
    isolated->pinged_n = isolated->said_n;
    isolated->used_ms = mt_child_cpu_ms(isolated->pid);
    mt_link_say(&isolated->link, MT_FRAME_PING, 0);
}

/* It is asked whether it still listens, as long as it has something to do, and has so much time to
 * answer as a slice may take: of its own, so that a machine that is busy is not held against it. */
static void look(void *ud)
{
    struct mt_isolated *isolated = ud;
    const struct mt_script *script = isolated->script;
    int64_t most_ms = script->cpu_ms * OVER_20TH / TICKS_N;
    int64_t used_ms = mt_child_cpu_ms(isolated->pid);
    bool over_slice = isolated->pinged && used_ms - isolated->used_ms > most_ms;
    struct mt_fault fault;

    /* A check is one slice, with what it asks for: others wait for its end. */
    if (script->checking)
        over_slice = over_slice || used_ms + (int64_t)(script->busy_us / 1000) > most_ms;
    if (over_slice) {
        mt_fault_set(&fault, MT_ERR_LIMIT, "script.cpu", "the script ran too long without waiting");
        over(&isolated->link, &fault);
        return;
    }
    if (isolated->pinged)
        return;
    if (!isolated->told && !script->checking) {
        isolated->watching = false;
        mt_timer_stop(isolated->watch);
        return;
    }
    isolated->told = false;
    ping(isolated);
}

static void said(struct mt_link *link, int op)
{
    struct mt_isolated *isolated = (struct mt_isolated *)link;
    int64_t every_ms = isolated->script->cpu_ms / TICKS_N;

    if (op == MT_FRAME_PING || op == MT_FRAME_DROP || !isolated->watch)
        return;
    isolated->said_n++;
    isolated->told = true;
    if (isolated->watching)
        return;
    isolated->watching = true;
    every_ms = every_ms > 5 ? every_ms : 5;
    mt_timer_start(isolated->watch, every_ms, every_ms);
}

static void settle_cancel(struct mt_wait *wait)
{
    struct mt_wait **at = &wait->task->script->isolated->settlers;

    while (*at && *at != wait)
        at = &(*at)->next_joiner;
    if (!*at)
        return;
    *at = wait->next_joiner;
    mt_wait_wake(wait, MT_OK, NULL);
}

static int settle_more(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    mt_wait_check(L, (struct mt_wait *)ctx);
    return 0;
}

int mt_isolated_settle(lua_State *L)
{
    struct mt_isolated *isolated = mt_script_of(L)->isolated;

    if (!isolated || isolated->ended ||
        (isolated->settled_n == isolated->said_n && !isolated->script->run_first))
        return 0;
    struct mt_wait *wait = mt_wait_new(L, sizeof *wait, NULL);
    wait->cancel = settle_cancel;
    wait->next_joiner = isolated->settlers;
    isolated->settlers = wait;
    if (!isolated->pinged)
        ping(isolated);
    return mt_task_wait(L, wait, settle_more);
}

static void pong(struct mt_isolated *isolated, uint32_t what)
{
    isolated->used_ms = mt_child_cpu_ms(isolated->pid);
    if (what == MT_PONG_BETWEEN)
        return;
    isolated->pinged = false;
    if (what == MT_PONG_RUNS)
        isolated->told = true;
    if (what == MT_PONG_RESTS && isolated->pinged_n == isolated->said_n &&
        !isolated->script->run_first)
        settled(isolated);
    else if (isolated->settlers)
        ping(isolated);
}

/* ---------------------------------------------------------------- what it says */

static void finish_if_over(struct mt_isolated *isolated)
{
    if (isolated->finishing || isolated->busy || isolated->script->alive_n != 1 || isolated->ended)
        return;
    isolated->finishing = true;
    mt_link_say(&isolated->link, MT_FRAME_FINISH, 0);
}

static int take_line(lua_State *L)
{
    struct mt_isolated *isolated = lua_touserdata(L, 1);
    const struct mt_frame *frame = lua_touserdata(L, 2);
    const struct mt_script *script = isolated->script;
    size_t len = 0;

    lua_settop(L, 0);
    mt_wire_read(L, frame->values, frame->len, isolated->link.handles);
    if (lua_type(L, 1) != LUA_TSTRING || frame->a > MT_LOG_TRACE)
        return luaL_error(L, "no line");
    const char *text = lua_tolstring(L, 1, &len);
    if (script->checking)
        return 0;
    if (frame->op == MT_FRAME_PRINT)
        script->host->print(script->host->ud, text, len);
    else
        mt_log((enum mt_log_level)frame->a, script->name, "%s", text);
    return 0;
}

static int take_end(lua_State *L)
{
    struct mt_isolated *isolated = lua_touserdata(L, 1);
    const struct mt_frame *frame = lua_touserdata(L, 2);
    struct mt_fault fault;
    int status = 0;

    lua_settop(L, 0);
    isolated->status = (int)(frame->a & 0xff);
    bool failed = mt_wire_read(L, frame->values, frame->len, isolated->link.handles) > 0;
    if (failed) {
        lua_settop(L, 1);
        mt_fault_from_lua(L, &fault);
    }
    reap(isolated, &status);
    end(isolated, failed ? &fault : NULL);
    return 0;
}

static bool take(struct mt_link *link, const struct mt_frame *frame, struct mt_fault *fault)
{
    struct mt_isolated *isolated = (struct mt_isolated *)link;
    lua_State *L = isolated->script->L;
    lua_CFunction how = NULL;

    switch (frame->op) {
    case MT_FRAME_PRINT:
    case MT_FRAME_LOG:
        how = take_line;
        break;
    case MT_FRAME_END:
        how = take_end;
        break;
    case MT_FRAME_BUSY:
        isolated->busy = frame->a != 0;
        finish_if_over(isolated);
        return true;
    case MT_FRAME_PONG:
        pong(isolated, frame->a);
        return true;
    default:
        return mt_fault_set(fault, MT_ERR_PROTOCOL, "isolated.protocol",
                            "the script's process sent what there is not; it was ended") == MT_OK;
    }
    lua_pushcfunction(L, how);
    lua_pushlightuserdata(L, isolated);
    lua_pushlightuserdata(L, (void *)frame);
    if (!lua_pcall(L, 2, 0, 0))
        return true;
    mt_fault_from_lua(L, fault);
    return false;
}

void mt_isolated_lonely(struct mt_script *script)
{
    if (script->is_child)
        mt_isolated_idle(script);
    else
        finish_if_over(script->isolated);
}

/* ---------------------------------------------------------------- the main task */

static int main_more(lua_State *L, int status, lua_KContext ctx)
{
    const struct mt_isolated *isolated = mt_script_of(L)->isolated;

    (void)status;
    mt_wait_check(L, (struct mt_wait *)ctx);
    if (isolated->failed)
        return mt_fault_raise(L, &isolated->fault);
    lua_pushinteger(L, isolated->status);
    return 1;
}

static void too_late(void *ud)
{
    struct mt_isolated *isolated = ud;
    int status = 0;

    reap(isolated, &status);
    end(isolated, NULL);
}

/* Its tasks end as ours do: at their next wait. */
static void main_cancel(struct mt_wait *wait)
{
    struct mt_isolated *isolated = wait->task->script->isolated;

    mt_link_say(&isolated->link, MT_FRAME_CANCEL, 0);
    if (isolated->grace)
        mt_timer_start(isolated->grace, GRACE_MS, 0);
}

static int main_task(lua_State *L)
{
    struct mt_isolated *isolated = mt_script_of(L)->isolated;
    struct mt_wait *wait = mt_wait_new(L, sizeof *wait, NULL);

    if (isolated->ended)
        return main_more(L, LUA_OK, (lua_KContext)wait);
    wait->cancel = main_cancel;
    isolated->main = wait;
    return mt_task_wait(L, wait, main_more);
}

/* ---------------------------------------------------------------- its beginning */

static void push_part(lua_State *L, const char *name)
{
    lua_pushcfunction(L, mt_script_part);
    lua_pushstring(L, name);
    lua_call(L, 1, 1);
}

static void say_hello(lua_State *L, struct mt_isolated *isolated,
                      const struct mt_script_options *options)
{
    int top = lua_gettop(L);

    push_part(L, "moontide.asked");
    lua_setfield(L, LUA_REGISTRYINDEX, "moontide.asked");
    lua_newtable(L);
    lua_pushstring(L, isolated->script->name);
    lua_setfield(L, -2, "name");
    lua_pushstring(L, isolated->script->command);
    lua_setfield(L, -2, "command");
    lua_pushlstring(L, options->text, options->text_len);
    lua_setfield(L, -2, "text");
    lua_pushboolean(L, options->check);
    lua_setfield(L, -2, "check");
    lua_pushstring(L, options->accounts ? options->accounts[0] : NULL);
    lua_setfield(L, -2, "account");
    lua_newtable(L);
    for (int n = 0; options->args && options->args[n]; n++) {
        lua_pushstring(L, options->args[n]);
        lua_rawseti(L, -2, n + 1);
    }
    lua_setfield(L, -2, "args");
    mt_object_push_types(L);
    lua_setfield(L, -2, "types");
    push_part(L, "moontide");
    lua_setfield(L, -2, "module");
    mt_link_say_values(L, &isolated->link, (struct mt_frame){.op = MT_FRAME_HELLO}, top + 1);
    lua_settop(L, top);
}

void mt_isolated_start(lua_State *L, const struct mt_script_options *options)
{
    struct mt_script *script = mt_script_of(L);
    struct mt_isolated *isolated = mt_mem_calloc(1, sizeof *isolated);
    struct mt_fault fault;
    char memory[24];
    char cpu[24];

    if (!isolated) {
        mt_fault_raisef(L, MT_ERR_NOMEM, "memory", "out of memory");
        return;
    }
    script->isolated = isolated;
    isolated->script = script;
    isolated->busy = true;
    isolated->link.script = script;
    isolated->link.fd = -1;
    isolated->link.handles = &mt_wire_of_parent;
    isolated->link.take = take;
    isolated->link.over = over;
    isolated->link.said = said;
    snprintf(memory, sizeof memory, "%zu", script->memory_max_bytes);
    snprintf(cpu, sizeof cpu, "%lld", (long long)script->cpu_ms);
    const char *const argv[] = {"moontide", MT_SCRIPT_PROCESS, memory, cpu, NULL};
    if (mt_child_start(argv, &isolated->link.fd, &isolated->pid, &fault))
        mt_fault_raise(L, &fault);
    if (mt_link_open(&isolated->link) ||
        mt_timer_new(script->host->loop, look, isolated, &isolated->watch) ||
        mt_timer_new(script->host->loop, too_late, isolated, &isolated->grace))
        luaL_error(L, "out of memory");
    mt_object_open(L);
    say_hello(L, isolated, options);
    lua_pushcfunction(L, main_task);
}

void mt_isolated_free(struct mt_isolated *isolated)
{
    int status = 0;

    if (!isolated)
        return;
    isolated->main = NULL; /* the waits went with the state */
    isolated->settlers = NULL;
    reap(isolated, &status);
    end(isolated, NULL);
    mt_link_deinit(&isolated->link);
    mt_mem_free(isolated);
}

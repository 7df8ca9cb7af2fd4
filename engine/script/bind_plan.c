/* Plans: made of an account's conversations, and looked at. The C half of account:plan
 * (lua/moontide/plan.lua); what applies them is bind_purge.c. */
#include "script/script_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include "jobs/plan_make.h"
#include "loop/loop.h"
#include "policy/gate.h"
#include "policy/policy.h"

#include <stdio.h>
#include <string.h>

#define MT_TYPE_PLANNER "moontide.planner"
#define PATH_MAX_BYTES  4096

struct planner {
    struct mt_plan_make *make; /* NULL: finished */
};

static int planner_gc(lua_State *L)
{
    struct planner *planner = lua_touserdata(L, 1);

    mt_plan_make_free(planner->make);
    planner->make = NULL;
    return 0;
}

static struct planner *planner_check(lua_State *L, int index)
{
    struct planner *planner = luaL_checkudata(L, index, MT_TYPE_PLANNER);

    if (!planner->make)
        mt_fault_raisef(L, MT_ERR_STATE, "plan.finished", "the plan is finished");
    return planner;
}

/* <state>/plans, or a fault. */
static void plans_dir(lua_State *L, char out[PATH_MAX_BYTES])
{
    const struct mt_script_host *host = mt_script_of(L)->host;
    char state[PATH_MAX_BYTES - 8];

    if (!host->state) {
        mt_fault_raisef(L, MT_ERR_STATE, "plan.nowhere", "there is no folder to keep plans in");
        return;
    }
    host->state(host->ud, state, sizeof state);
    (void)snprintf(out, PATH_MAX_BYTES, "%s/plans", state);
}

static void put_integer(lua_State *L, const char *key, uint64_t v)
{
    lua_pushinteger(L, (lua_Integer)v);
    lua_setfield(L, -2, key);
}

static void put_string(lua_State *L, const char *key, const char *v)
{
    lua_pushstring(L, v);
    lua_setfield(L, -2, key);
}

/* ---------------------------------------------------------------- making */

struct make_wait {
    struct mt_wait wait;
    struct mt_plan_make *make;
    char path[PATH_MAX_BYTES];
    char hash[MT_PLAN_HASH_MAX];
};

static void make_cancel(struct mt_wait *wait)
{
    mt_plan_make_cancel(((struct make_wait *)wait)->make);
}

static void make_release(struct mt_wait *wait)
{
    struct make_wait *w = (struct make_wait *)wait;

    mt_plan_make_free(w->make);
    w->make = NULL;
}

static void made(void *ud, enum mt_rc rc, const struct mt_fault *fault)
{
    struct make_wait *w = ud;

    mt_wait_wake(&w->wait, rc, fault);
}

static int begin_more(lua_State *L, int status, lua_KContext ctx)
{
    struct make_wait *w = (struct make_wait *)ctx;

    (void)status;
    mt_wait_check(L, &w->wait);
    struct planner *planner = lua_newuserdatauv(L, sizeof *planner, 1);
    planner->make = NULL;
    luaL_setmetatable(L, MT_TYPE_PLANNER);
    lua_pushvalue(L, 1); /* the account lives as long as what reads it */
    lua_setiuservalue(L, -2, 1);
    planner->make = w->make;
    w->make = NULL;
    return 1;
}

/* core.plan_begin(account, policy, holds or nil) */
static int plan_begin(lua_State *L)
{
    struct mt_lua_account *account = mt_lua_account_check(L, 1);
    char dir[PATH_MAX_BYTES];
    struct mt_fault fault;

    lua_settop(L, 3);
    mt_grant_check(L, "read", "account:plan");
    plans_dir(L, dir);
    struct mt_plan_make_options options = {
        .provider = account->provider,
        .account = account->account,
        .name = account->name,
        .dir = dir,
        .holds = luaL_optstring(L, 3, NULL),
        .in_force = mt_script_of(L)->host->holds,
        .policy = mt_lua_check_policy(L, 2),
        .now_ms = mt_clock_wall_ms(),
        .budget = mt_script_of(L)->host->budget,
    };
    mt_task_may_wait(L);
    struct make_wait *w = mt_wait_new(L, sizeof *w, make_release);
    if (mt_plan_make_start(mt_script_of(L)->host->loop, &options, made, w, &w->make, &fault))
        return mt_fault_raise(L, &fault);
    w->wait.cancel = make_cancel;
    return mt_task_wait(L, &w->wait, begin_more);
}

static int nothing_more(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    mt_wait_check(L, (struct mt_wait *)ctx);
    return 0;
}

/* planner:add(conversation, pinned) */
static int planner_add(lua_State *L)
{
    struct planner *planner = planner_check(L, 1);
    struct mt_lua_conversation *c = mt_lua_conversation_check(L, 2);
    bool pinned = lua_toboolean(L, 3);
    struct mt_fault fault;

    mt_task_may_wait(L);
    struct make_wait *w = mt_wait_new(L, sizeof *w, NULL);
    w->make = planner->make;
    w->wait.cancel = make_cancel;
    mt_wait_of_account(&w->wait, c->account);
    if (mt_plan_make_add(planner->make, &c->ref, pinned, made, w, &fault))
        return mt_fault_raise(L, &fault);
    return mt_task_wait(L, &w->wait, nothing_more);
}

static void finished(void *ud, enum mt_rc rc, const char *path, const char *hash,
                     const struct mt_fault *fault)
{
    struct make_wait *w = ud;

    (void)snprintf(w->path, sizeof w->path, "%s", path);
    (void)snprintf(w->hash, sizeof w->hash, "%s", hash);
    mt_wait_wake(&w->wait, rc, fault);
}

static int finish_more(lua_State *L, int status, lua_KContext ctx)
{
    struct make_wait *w = (struct make_wait *)ctx;

    (void)status;
    mt_wait_check(L, &w->wait);
    lua_pushstring(L, w->path);
    lua_pushstring(L, w->hash);
    return 2;
}

/* planner:finish() → path, hash */
static int planner_finish(lua_State *L)
{
    struct planner *planner = planner_check(L, 1);
    struct mt_fault fault;

    mt_task_may_wait(L);
    struct make_wait *w = mt_wait_new(L, sizeof *w, make_release);
    if (mt_plan_make_finish(planner->make, finished, w, &fault))
        return mt_fault_raise(L, &fault);
    w->make = planner->make; /* ends with the wait */
    planner->make = NULL;
    w->wait.cancel = make_cancel;
    return mt_task_wait(L, &w->wait, finish_more);
}

/* ---------------------------------------------------------------- looking at one */

struct listed {
    char *conversation;
    char *held; /* JSON, or NULL */
    struct mt_plan_count count;
};

struct look_wait {
    struct mt_wait wait;
    char path[PATH_MAX_BYTES];
    int64_t now_ms;
    struct mt_plan *plan;
    struct listed *list;
    size_t n, cap;
    enum mt_rc rc;
    struct mt_fault fault;
};

static void look_release(struct mt_wait *wait)
{
    struct look_wait *w = (struct look_wait *)wait;

    for (size_t i = 0; i < w->n; i++) {
        mt_mem_free(w->list[i].conversation);
        mt_mem_free(w->list[i].held);
    }
    mt_mem_free(w->list);
    mt_plan_free(w->plan);
    w->list = NULL;
    w->n = 0;
    w->plan = NULL;
}

static enum mt_rc list_one(void *ud, const char *conversation, const struct mt_plan_count *count,
                           const char *held)
{
    struct look_wait *w = ud;

    if (!count->planned_n && !count->held_n)
        return MT_OK;
    if (w->n == w->cap) {
        size_t cap = w->cap ? w->cap * 2 : 64;
        struct listed *list = mt_mem_realloc(w->list, cap * sizeof *list);
        if (!list)
            return MT_ERR_NOMEM;
        w->list = list;
        w->cap = cap;
    }
    w->list[w->n] = (struct listed){.conversation = mt_mem_strdup(conversation),
                                    .held = held ? mt_mem_strdup(held) : NULL,
                                    .count = *count};
    w->n++;
    return !w->list[w->n - 1].conversation || (held && !w->list[w->n - 1].held) ? MT_ERR_NOMEM
                                                                                : MT_OK;
}

static void look(void *ud)
{
    struct look_wait *w = ud;

    w->rc = mt_plan_open(w->path, w->now_ms, &w->plan, &w->fault);
    if (!w->rc)
        w->rc = mt_plan_each(w->plan, list_one, w, &w->fault);
}

static void looked(void *ud, bool cancelled)
{
    struct look_wait *w = ud;

    mt_wait_wake(&w->wait, cancelled ? MT_ERR_CANCELLED : w->rc, &w->fault);
}

static void put_count(lua_State *L, const struct mt_plan_count *count)
{
    put_integer(L, "seen", count->seen_n);
    put_integer(L, "planned", count->planned_n);
    put_integer(L, "held", count->held_n);
    if (count->planned_n) {
        put_integer(L, "oldest", (uint64_t)count->oldest_ms);
        put_integer(L, "newest", (uint64_t)count->newest_ms);
    }
}

static int look_more(lua_State *L, int status, lua_KContext ctx)
{
    struct look_wait *w = (struct look_wait *)ctx;

    (void)status;
    mt_wait_check(L, &w->wait);
    const struct mt_plan_head *head = mt_plan_head(w->plan);
    lua_createtable(L, 0, 12);
    put_string(L, "hash", mt_plan_hash(w->plan));
    put_string(L, "path", w->path);
    put_string(L, "account", head->account);
    put_string(L, "user", head->user);
    put_string(L, "policy", head->policy);
    put_string(L, "hold_list", head->holds);
    put_integer(L, "made", (uint64_t)head->made_ms);
    put_count(L, mt_plan_total(w->plan));
    put_integer(L, "cap", mt_gate_cap_default(mt_plan_total(w->plan)->seen_n));
    lua_createtable(L, (int)w->n, 0);
    for (size_t i = 0; i < w->n; i++) {
        lua_createtable(L, 0, 7);
        put_string(L, "id", w->list[i].conversation);
        put_count(L, &w->list[i].count);
        if (w->list[i].held)
            put_string(L, "holds", w->list[i].held);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "conversations");
    return 1;
}

/* core.plan_look(hash): what stands in a plan; of its conversations those that it concerns. */
static int plan_look(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    char dir[PATH_MAX_BYTES];

    plans_dir(L, dir);
    mt_task_may_wait(L);
    struct look_wait *w = mt_wait_new(L, sizeof *w, look_release);
    if (strspn(name, "0123456789abcdef") != MT_PLAN_HASH_MAX - 1 ||
        strlen(name) != MT_PLAN_HASH_MAX - 1)
        return mt_fault_raisef(L, MT_ERR_INVALID, "plan.hash",
                               "a plan is named by its hash, 64 hexadecimal digits");
    if (snprintf(w->path, sizeof w->path, "%s/%s.jsonl", dir, name) >= (int)sizeof w->path)
        return mt_fault_raisef(L, MT_ERR_LIMIT, "plan.nowhere", "the folder's path is too long");
    w->now_ms = mt_clock_wall_ms();
    if (mt_work_start(mt_script_of(L)->host->loop, look, looked, w, NULL))
        return mt_fault_raisef(L, MT_ERR_NOMEM, "memory", "out of memory");
    return mt_task_wait(L, &w->wait, look_more);
}

void mt_bind_plan(lua_State *L)
{
    static const luaL_Reg functions[] = {{"plan_begin", plan_begin},
                                         {"plan_look", plan_look},

                                         {NULL, NULL}};
    static const luaL_Reg methods[] = {
        {"add", planner_add}, {"finish", planner_finish}, {NULL, NULL}};

    luaL_setfuncs(L, functions, 0);
    mt_bind_purge(L);
    mt_script_type(L, MT_TYPE_PLANNER, methods, NULL, planner_gc);
}

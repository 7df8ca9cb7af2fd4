/* Plans that are judged and applied: the C half of plan:check and plan:apply
 * (lua/moontide/plan.lua). */
#include "script/script_int.h"

#include "base/mem.h"
#include "jobs/purge.h"
#include "policy/audit.h"
#include "policy/audit_read.h"

#include <stdio.h>

static void put_integer(lua_State *L, const char *key, uint64_t v)
{
    lua_pushinteger(L, (lua_Integer)v);
    lua_setfield(L, -2, key);
}

/* ---------------------------------------------------------------- applying */

struct purge_wait {
    struct mt_wait wait;
    struct mt_purge *purge;
    struct mt_script *script;
    struct mt_purge_result result;
    char **short_of;
    size_t short_n;
    enum mt_rc rc;
    struct mt_fault fault;
    bool settles; /* it acts, and the audit has its end */
};

static void purge_release(struct mt_wait *wait)
{
    struct purge_wait *w = (struct purge_wait *)wait;

    for (size_t i = 0; i < w->short_n; i++)
        mt_mem_free(w->short_of[i]);
    mt_mem_free(w->short_of);
    w->short_of = NULL;
    w->short_n = 0;
}

static void purge_cancel(struct mt_wait *wait)
{
    mt_purge_cancel(((struct purge_wait *)wait)->purge);
}

static void purge_progress(void *ud, const struct mt_purge_result *so_far)
{
    const struct purge_wait *w = ud;
    const struct mt_script_host *host = w->script->host;

    if (host->progress)
        host->progress(host->ud, "deleting", (int64_t)so_far->deleted_n, (int64_t)so_far->planned_n,
                       "messages", "");
}

static void purged(void *ud, enum mt_rc rc, const struct mt_purge_result *result,
                   const struct mt_fault *fault)
{
    struct purge_wait *w = ud;

    w->result = *result;
    w->rc = rc;
    if (rc)
        w->fault = *fault;
    if (result->short_n)
        w->short_of = mt_mem_calloc(result->short_n, sizeof *w->short_of);
    for (size_t i = 0; w->short_of && i < result->short_n; i++) {
        w->short_of[i] = mt_mem_strdup(result->short_of[i]);
        w->short_n += w->short_of[i] != NULL;
        if (!w->short_of[i])
            break;
    }
    if (w->short_n != result->short_n && !w->rc)
        w->rc = mt_fault_set(&w->fault, MT_ERR_NOMEM, "memory", "out of memory");
    /* What was done before a failure is told with it: the wait itself does not fail. */
    mt_wait_wake(&w->wait, rc == MT_ERR_CANCELLED ? rc : MT_OK, fault);
}

/* The head that was signed at the end of the run: noted elsewhere it proves that this much was
 * there. */
static void put_head(lua_State *L)
{
    const struct mt_script_audit *audit = mt_script_of(L)->host->audit;
    struct mt_audit_options place;
    struct mt_fault ignored;
    char sha256[MT_AUDIT_KEY_HEX];
    uint64_t seq = 0;

    if (audit->place(audit->ud, &place, &ignored) || !mt_audit_head_look(place.dir, &seq, sha256))
        return;
    lua_createtable(L, 0, 2);
    put_integer(L, "record", seq);
    lua_pushstring(L, sha256);
    lua_setfield(L, -2, "sha256");
    lua_setfield(L, -2, "audit");
}

static int purge_more(lua_State *L, int status, lua_KContext ctx)
{
    struct purge_wait *w = (struct purge_wait *)ctx;
    const struct mt_purge_result *r = &w->result;
    uint64_t refused_n = 0;

    (void)status;
    mt_grant_purged(w->script, r->deleted_n);
    mt_wait_check(L, &w->wait);
    lua_createtable(L, 0, 8);
    put_integer(L, "planned", r->planned_n);
    put_integer(L, "deleted", r->deleted_n);
    put_integer(L, "left", r->left_n);
    put_integer(L, "settled", r->settled_n);
    put_integer(L, "absent", r->absent_n);
    put_integer(L, "cap", r->cap);
    lua_createtable(L, 0, MT_GATE_VERDICTS_N);
    for (int i = MT_GATE_LET + 1; i < MT_GATE_VERDICTS_N; i++) {
        put_integer(L, mt_gate_verdict_name((enum mt_gate_verdict)i), r->refused_n[i]);
        refused_n += r->refused_n[i];
    }
    lua_setfield(L, -2, "refused");
    put_integer(L, "refused_total", refused_n);
    put_integer(L, "let", r->let_n);
    lua_createtable(L, (int)w->short_n, 0);
    for (size_t i = 0; i < w->short_n; i++) {
        lua_pushstring(L, w->short_of[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "short");
    if (w->settles)
        put_head(L);
    if (w->rc) {
        mt_fault_push(L, &w->fault);
        lua_setfield(L, -2, "fault");
    }
    return 1;
}

static int start_purge(lua_State *L, struct mt_lua_account *account,
                       struct mt_purge_options *options)
{
    struct mt_script *script = mt_script_of(L);
    struct mt_fault fault;

    options->provider = account->provider;
    options->account = account->account;
    options->name = account->name;
    options->archive = mt_lua_archive_writer(L, 2);
    options->plan = luaL_checkstring(L, 3);
    options->holds = luaL_optstring(L, 4, NULL);
    options->in_force = script->host->holds;
    options->figures = script->host->purge_figures;
    options->budget = script->host->budget;
    mt_task_may_wait(L);
    struct purge_wait *w = mt_wait_new(L, sizeof *w, purge_release);
    w->script = script;
    w->settles = !options->only_looks;
    if (mt_purge_start(script->host->loop, options, options->only_looks ? NULL : purge_progress,
                       purged, w, &w->purge, &fault))
        return mt_fault_raise(L, &fault);
    w->wait.cancel = purge_cancel;
    mt_wait_of_account(&w->wait, account->account);
    return mt_task_wait(L, &w->wait, purge_more);
}

/* core.plan_apply(account, archive, path, holds or nil) */
static int plan_apply(lua_State *L)
{
    struct mt_lua_account *account = mt_lua_account_check(L, 1);
    const struct mt_script *script = mt_script_of(L);
    const struct mt_script_host *host = script->host;
    struct mt_fault fault;
    char actor[256];
    struct mt_purge_options options = {.actor = actor, .cap = mt_grant_may_purge(L, "plan:apply")};

    lua_settop(L, 4);
    if (host->job)
        (void)snprintf(actor, sizeof actor, "job %s", host->job);
    else
        (void)snprintf(actor, sizeof actor, "%s", script->command);
    if (!host->audit)
        return mt_fault_raisef(L, MT_ERR_STATE, "audit.none",
                               "nothing is deleted under a plan without an audit");
    mt_task_acts(L);
    if (host->audit->log(host->audit->ud, false, &options.audit, &fault))
        return mt_fault_raise(L, &fault);
    return start_purge(L, account, &options);
}

/* core.plan_check(account, archive, path, holds or nil): the gate alone. */
static int plan_check(lua_State *L)
{
    struct mt_purge_options options = {
        .actor = "", .cap = MT_PURGE_CAP_DEFAULT, .only_looks = true};

    lua_settop(L, 4);
    mt_grant_check(L, "read", "plan:check");
    return start_purge(L, mt_lua_account_check(L, 1), &options);
}

void mt_bind_purge(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"plan_check", plan_check}, {"plan_apply", plan_apply}, {NULL, NULL}};

    luaL_setfuncs(L, functions, 0);
}

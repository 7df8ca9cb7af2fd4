/* account:holds: which lists of holds are in force, and whether they can be read. */
#include "script/live_int.h"

#include "base/mem.h"
#include "loop/loop.h"
#include "policy/hold.h"

#include <stdio.h>

struct holds_wait {
    struct mt_wait wait;
    struct mt_hold_lists lists;
    size_t holds_n[MT_HOLD_LISTS_MAX];
    struct mt_fault *faults; /* one a list; kind MT_OK: it could be read */
};

static void holds_release(struct mt_wait *wait)
{
    struct holds_wait *w = (struct holds_wait *)wait;

    mt_hold_lists_clear(&w->lists);
    mt_mem_free(w->faults);
    w->faults = NULL;
}

static void holds_cancel(struct mt_wait *wait)
{
    (void)wait; /* it is over in a moment */
}

static void read_lists(void *ud)
{
    struct holds_wait *w = ud;

    for (size_t i = 0; i < w->lists.n; i++) {
        struct mt_holds *holds = NULL;
        if (!mt_holds_read(w->lists.paths[i], &holds, &w->faults[i]))
            w->holds_n[i] = mt_holds_n(holds);
        mt_holds_free(holds);
    }
}

static void lists_read(void *ud, bool cancelled)
{
    struct holds_wait *w = ud;
    mt_wait_wake(&w->wait, cancelled ? MT_ERR_CANCELLED : MT_OK, NULL);
}

static int holds_more(lua_State *L, int status, lua_KContext ctx)
{
    struct holds_wait *w = (struct holds_wait *)ctx;

    (void)status;
    mt_wait_check(L, &w->wait);
    lua_createtable(L, (int)w->lists.n, 0);
    for (size_t i = 0; i < w->lists.n; i++) {
        lua_createtable(L, 0, 3);
        lua_pushstring(L, w->lists.paths[i]);
        lua_setfield(L, -2, "path");
        if (w->faults[i].kind) {
            mt_fault_push(L, &w->faults[i]);
            lua_setfield(L, -2, "fault");
        } else {
            lua_pushinteger(L, (lua_Integer)w->holds_n[i]);
            lua_setfield(L, -2, "holds");
        }
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

int mt_lua_account_holds(lua_State *L)
{
    struct mt_lua_account *account = mt_lua_account_check(L, 1);
    const struct mt_script_host *host = mt_script_of(L)->host;
    const char *name = NULL;
    struct mt_fault fault;

    mt_task_may_wait(L);
    struct holds_wait *w = mt_wait_new(L, sizeof *w, holds_release);
    w->wait.cancel = holds_cancel;
    if (host->holds &&
        host->holds->lists(host->holds->ud, account->account, &w->lists, &name, &fault))
        return mt_fault_raise(L, &fault);
    w->faults = mt_mem_calloc(MT_HOLD_LISTS_MAX, sizeof *w->faults);
    if (!w->faults || mt_work_start(host->loop, read_lists, lists_read, w, NULL))
        return mt_fault_raisef(L, MT_ERR_NOMEM, "memory", "out of memory");
    return mt_task_wait(L, &w->wait, holds_more);
}

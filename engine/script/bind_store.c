/* moontide.store: the C half. The table that scripts see is lua/moontide/store.lua. */
#include "script/script_int.h"

#include "store/store.h"

#include <string.h>

static struct mt_store *store_of(lua_State *L)
{
    const struct mt_script_host *host = mt_script_of(L)->host;
    struct mt_store *store = NULL;
    struct mt_fault fault;

    if (!host->store)
        mt_fault_raisef(L, MT_ERR_UNSUPPORTED, "unsupported", "there is no store here");
    else if (host->store(host->ud, &store, &fault))
        mt_fault_raise(L, &fault);
    return store;
}

struct load_wait {
    struct mt_wait wait;
    lua_State *L;
    int ref; /* the table that is filled */
};

struct filling {
    const struct mt_store_entry *entries;
    size_t n;
    int ref;
};

static int fill(lua_State *L)
{
    const struct filling *filling = lua_touserdata(L, 1);

    lua_rawgeti(L, LUA_REGISTRYINDEX, filling->ref);
    for (size_t i = 0; i < filling->n; i++) {
        lua_pushlstring(L, filling->entries[i].value, filling->entries[i].value_len);
        lua_setfield(L, -2, filling->entries[i].key);
    }
    return 0;
}

/* The entries live until this returns: they are copied into the script's table here, under its
 * quota; no task runs meanwhile. */
static void loaded(void *ud, enum mt_rc rc, const struct mt_store_entry *entries, size_t n,
                   const struct mt_fault *fault)
{
    struct load_wait *w = ud;
    struct filling filling = {entries, n, w->ref};
    struct mt_fault memory;

    if (!rc) {
        lua_pushcfunction(w->L, fill);
        lua_pushlightuserdata(w->L, &filling);
        if (lua_pcall(w->L, 1, 0, 0)) {
            lua_pop(w->L, 1);
            rc = mt_fault_set(&memory, MT_ERR_LIMIT, "store.limit",
                              "the store holds more than the script's memory");
            fault = &memory;
        }
    }
    mt_wait_wake(&w->wait, rc, fault);
}

static int load_more(lua_State *L, int status, lua_KContext ctx)
{
    struct load_wait *w = (struct load_wait *)ctx;
    int ref = w->ref;

    (void)status;
    w->ref = LUA_NOREF;
    lua_rawgeti(L, LUA_REGISTRYINDEX, ref);
    luaL_unref(L, LUA_REGISTRYINDEX, ref);
    mt_wait_check(L, &w->wait);
    return 1;
}

/* store_load(): a table of all keys with their JSON. */
static int core_store_load(lua_State *L)
{
    mt_task_may_wait(L);
    struct mt_store *store = store_of(L);
    lua_newtable(L);
    int ref = luaL_ref(L, LUA_REGISTRYINDEX);
    struct load_wait *w = mt_wait_new(L, sizeof *w, NULL);
    w->L = mt_script_of(L)->L;
    w->ref = ref;
    if (mt_store_load(store, loaded, w))
        return mt_fault_raisef(L, MT_ERR_NOMEM, "memory", "out of memory");
    return mt_task_wait(L, &w->wait, load_more);
}

/* store_put(key, json or nil): written soon. */
static int core_store_put(lua_State *L)
{
    size_t key_len = 0;
    size_t len = 0;
    const char *key = luaL_checklstring(L, 1, &key_len);
    const char *value = lua_isnoneornil(L, 2) ? NULL : luaL_checklstring(L, 2, &len);
    struct mt_fault fault;

    if (strlen(key) != key_len)
        return mt_fault_raisef(L, MT_ERR_INVALID, "store.key", "a key has no zero byte");
    if (mt_store_put(store_of(L), key, value, len, &fault))
        return mt_fault_raise(L, &fault);
    return 0;
}

static int core_store_dirty(lua_State *L)
{
    lua_pushboolean(L, mt_store_dirty(store_of(L)));
    return 1;
}

static void flushed(void *ud, enum mt_rc rc, const struct mt_fault *fault)
{
    mt_wait_wake(ud, rc, fault);
}

static int flush_more(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    mt_wait_check(L, (struct mt_wait *)ctx);
    return 0;
}

/* store_flush(): returns when all that was put is durable. */
static int core_store_flush(lua_State *L)
{
    mt_task_may_wait(L);
    struct mt_store *store = store_of(L);
    struct mt_wait *wait = mt_wait_new(L, sizeof *wait, NULL);
    if (mt_store_flush(store, flushed, wait))
        return mt_fault_raisef(L, MT_ERR_NOMEM, "memory", "out of memory");
    return mt_task_wait(L, wait, flush_more);
}

void mt_bind_store(lua_State *L)
{
    static const luaL_Reg functions[] = {{"store_load", core_store_load},
                                         {"store_put", core_store_put},
                                         {"store_dirty", core_store_dirty},
                                         {"store_flush", core_store_flush},
                                         {NULL, NULL}};

    luaL_setfuncs(L, functions, 0);
}

/* moontide.cron: the C half, which knows when. What waits is lua/moontide/timers.lua. */
#include "script/script_int.h"

#include "codec/zone.h"
#include "jobs/cron.h"

#define MT_TYPE_CRON "moontide.cron"

struct lua_cron {
    struct mt_cron cron;
    struct mt_zone *zone;
};

static int cron_gc(lua_State *L)
{
    struct lua_cron *ud = lua_touserdata(L, 1);

    mt_zone_free(ud->zone);
    ud->zone = NULL;
    return 0;
}

/* cron(text, zone): when something is due; raises what is wrong with either. */
static int core_cron(lua_State *L)
{
    const char *text = luaL_checkstring(L, 1);
    const char *zone = luaL_optstring(L, 2, "UTC");
    struct mt_fault fault;
    struct lua_cron *ud = lua_newuserdatauv(L, sizeof *ud, 0);

    ud->zone = NULL;
    luaL_setmetatable(L, MT_TYPE_CRON);
    if (mt_cron_parse(text, &ud->cron, &fault) || mt_zone_load(zone, &ud->zone, &fault))
        return mt_fault_raise(L, &fault);
    return 1;
}

/* when:next(ms): the first time later than that; nil: none. */
static int cron_next(lua_State *L)
{
    const struct lua_cron *ud = luaL_checkudata(L, 1, MT_TYPE_CRON);
    int64_t next_ms =
        ud->zone ? mt_cron_next(&ud->cron, ud->zone, luaL_checkinteger(L, 2)) : INT64_MAX;

    if (next_ms == INT64_MAX)
        return 0;
    lua_pushinteger(L, next_ms);
    return 1;
}

void mt_bind_cron(lua_State *L)
{
    static const luaL_Reg functions[] = {{"cron", core_cron}, {NULL, NULL}};
    static const luaL_Reg methods[] = {{"next", cron_next}, {NULL, NULL}};

    mt_script_type(L, MT_TYPE_CRON, methods, NULL, cron_gc);
    luaL_setfuncs(L, functions, 0);
}

/* Functions of Lua's libraries that can work for very long inside C, where no hook of the watchdog
 * reaches them: table.move({}, 1, 1 << 60, 2), a sort without a comparison in Lua, ("").rep("", 1
 * << 60). These look at the clock as they go, or have less to do. Otherwise they are Lua's own (Lua
 * 5.4 manual, §6.1, §6.4, §6.6, §6.9). */
#include "script/script_int.h"

#include <string.h>

#define LOAD_MAX ((size_t)4 << 20) /* source text; parsed at about 40 MB/s */
#define DATE_MAX 1024

/* ---------------------------------------------------------------- table */

static lua_Integer length(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    return luaL_len(L, 1);
}

static int table_insert(lua_State *L)
{
    lua_Integer at = (lua_Integer)((lua_Unsigned)length(L) + 1);
    lua_Integer pos = at;

    if (lua_gettop(L) == 3) {
        pos = luaL_checkinteger(L, 2);
        luaL_argcheck(L, (lua_Unsigned)pos - 1u < (lua_Unsigned)at, 2, "position out of bounds");
        for (; at > pos; at--) {
            mt_watch_step(L);
            lua_geti(L, 1, at - 1);
            lua_seti(L, 1, at);
        }
    } else if (lua_gettop(L) != 2) {
        return luaL_error(L, "wrong number of arguments to 'insert'");
    }
    lua_seti(L, 1, pos);
    return 0;
}

static int table_remove(lua_State *L)
{
    lua_Integer n = length(L);
    lua_Integer pos = luaL_optinteger(L, 2, n);

    if (pos != n)
        luaL_argcheck(L, (lua_Unsigned)pos - 1u <= (lua_Unsigned)n, 2, "position out of bounds");
    lua_geti(L, 1, pos);
    for (; pos < n; pos++) {
        mt_watch_step(L);
        lua_geti(L, 1, pos + 1);
        lua_seti(L, 1, pos);
    }
    lua_pushnil(L);
    lua_seti(L, 1, pos);
    return 1;
}

static int table_move(lua_State *L)
{
    lua_Integer from = luaL_checkinteger(L, 2);
    lua_Integer end = luaL_checkinteger(L, 3);
    lua_Integer to = luaL_checkinteger(L, 4);
    int into = lua_isnoneornil(L, 5) ? 1 : 5;

    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checktype(L, into, LUA_TTABLE);
    if (end < from) {
        lua_pushvalue(L, into);
        return 1;
    }
    luaL_argcheck(L, from > 0 || end < LUA_MAXINTEGER + from, 3, "too many elements to move");
    lua_Integer n = end - from + 1;
    luaL_argcheck(L, to <= LUA_MAXINTEGER - n + 1, 4, "destination wrap around");
    bool upward = to > end || to <= from || (into != 1 && !lua_compare(L, 1, into, LUA_OPEQ));
    for (lua_Integer i = 0; i < n; i++) {
        lua_Integer at = upward ? i : n - 1 - i;
        mt_watch_step(L);
        lua_geti(L, 1, from + at);
        lua_seti(L, into, to + at);
    }
    lua_pushvalue(L, into);
    return 1;
}

static void add_field(lua_State *L, luaL_Buffer *out, lua_Integer i)
{
    mt_watch_step(L);
    lua_geti(L, 1, i);
    if (!lua_isstring(L, -1))
        luaL_error(L, "invalid value (at index %I) in table for 'concat'", (LUAI_UACINT)i);
    luaL_addvalue(out);
}

static int table_concat(lua_State *L)
{
    lua_Integer last = length(L);
    size_t between_len = 0;
    const char *between = luaL_optlstring(L, 2, "", &between_len);
    lua_Integer i = luaL_optinteger(L, 3, 1);
    luaL_Buffer out;

    last = luaL_optinteger(L, 4, last);
    luaL_buffinit(L, &out);
    for (; i < last; i++) {
        add_field(L, &out, i);
        luaL_addlstring(&out, between, between_len);
    }
    if (i == last)
        add_field(L, &out, i);
    luaL_pushresult(&out);
    return 1;
}

static int less(lua_State *L)
{
    mt_watch_step(L);
    lua_pushboolean(L, lua_compare(L, 1, 2, LUA_OPLT));
    return 1;
}

static int less_by_c(lua_State *L)
{
    mt_watch_step(L);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, 2, 1);
    return 1;
}

/* Lua's own, with a comparison in which the clock is looked at; one in Lua is hooked. */
static int table_sort(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 2);
    if (lua_isnil(L, 2))
        lua_pushcfunction(L, less);
    else if (lua_iscfunction(L, 2))
        lua_pushcclosure(L, less_by_c, 1);
    int how = lua_gettop(L); /* the last of them compares */
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushvalue(L, 1);
    lua_pushvalue(L, how);
    lua_call(L, 2, 0);
    return 0;
}

/* ---------------------------------------------------------------- string, os, load */

static int string_rep(lua_State *L)
{
    size_t len = 0;
    size_t between_len = 0;

    (void)luaL_checklstring(L, 1, &len);
    (void)luaL_checkinteger(L, 2);
    (void)luaL_optlstring(L, 3, "", &between_len);
    if (!len && !between_len) {
        lua_pushliteral(L, "");
        return 1;
    }
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, 1);
    return 1;
}

static int os_date(lua_State *L)
{
    size_t len = 0;

    (void)luaL_optlstring(L, 1, "", &len);
    luaL_argcheck(L, len <= DATE_MAX, 1, "the format is too long");
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, 1);
    return 1;
}

int mt_script_load(lua_State *L)
{
    size_t len = 0;
    const char *text = luaL_checklstring(L, 1, &len);
    const char *name = luaL_optstring(L, 2, "=(load)");
    bool has_env = !lua_isnone(L, 4);

    if (len > LOAD_MAX) {
        lua_pushnil(L);
        lua_pushfstring(L, "a text of more than %d bytes is not loaded", (int)LOAD_MAX);
        return 2;
    }
    if (luaL_loadbufferx(L, text, len, name, "t") != LUA_OK) {
        lua_pushnil(L);
        lua_insert(L, -2);
        return 2;
    }
    if (has_env) {
        lua_pushvalue(L, 4);
        if (!lua_setupvalue(L, -2, 1))
            lua_pop(L, 1);
    }
    return 1;
}

/* ---------------------------------------------------------------- taking their places */

/* Of the library that is a global, by a closure over what was there. */
static void replace(lua_State *L, const char *library, const char *name, lua_CFunction function)
{
    lua_getglobal(L, library);
    lua_getfield(L, -1, name);
    lua_pushcclosure(L, function, 1);
    lua_setfield(L, -2, name);
    lua_pop(L, 1);
}

void mt_script_libraries(lua_State *L)
{
    replace(L, "table", "insert", table_insert);
    replace(L, "table", "remove", table_remove);
    replace(L, "table", "move", table_move);
    replace(L, "table", "concat", table_concat);
    replace(L, "table", "sort", table_sort);
    replace(L, "string", "rep", string_rep);
    replace(L, "os", "date", os_date);
}

/* A script's Lua state: the memory quota, the libraries that a confined script may see, and
 * userdata types. */
#include "script/isolate_int.h"

#include "base/embedded.h"
#include "base/mem.h"
#include "base/str.h"

#include <lualib.h>
#include <stdio.h>
#include <string.h>

/* A round of the collector begins when there is half as much again as the last one has left, not
 * twice as much: what a wait leaves has a finalizer, outlives the round that finds it, and counts
 * as left. At twice as much a script that does nothing but wait grows without end. */
#define PAUSE_PERCENT 150

static void *quota_alloc(void *ud, void *p, size_t old_size, size_t size)
{
    struct mt_script *script = ud;
    size_t old = p ? old_size : 0;

    if (!size) {
        script->memory_bytes -= old;
        mt_mem_free(p);
        return NULL;
    }
    if (size > old && script->memory_bytes + (size - old) > script->memory_max_bytes)
        return NULL;
    void *q = mt_mem_realloc(p, size);
    if (q)
        script->memory_bytes += size - old;
    return q;
}

struct mt_script *mt_script_of(lua_State *L)
{
    return *(struct mt_script **)lua_getextraspace(L);
}

void mt_script_type(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction index,
                    lua_CFunction gc)
{
    luaL_newmetatable(L, name);
    lua_pushstring(L, name);
    lua_setfield(L, -2, "__metatable");
    if (gc) {
        lua_pushcfunction(L, gc);
        lua_setfield(L, -2, "__gc");
        lua_pushcfunction(L, gc);
        lua_setfield(L, -2, "__close");
    }
    if (methods) {
        lua_newtable(L);
        for (const luaL_Reg *method = methods; method->name; method++) {
            char full[96];
            snprintf(full, sizeof full, "%s:%s", name + strlen("moontide."), method->name);
            mt_grant_push_function(L, full, method->func);
            lua_setfield(L, -2, method->name);
        }
        lua_pushfstring(L, "methods of %s", name);
        lua_pushvalue(L, -2);
        lua_settable(L, LUA_REGISTRYINDEX);
        if (index)
            lua_pushcclosure(L, index, 1);
        lua_setfield(L, -2, "__index");
    } else if (index) {
        lua_pushcfunction(L, index);
        lua_setfield(L, -2, "__index");
    }
    lua_pop(L, 1);
}

static int push_text(lua_State *L)
{
    const struct mt_buf *buf = lua_touserdata(L, 1);
    lua_pushlstring(L, buf->data ? buf->data : "", buf->len);
    return 1;
}

int mt_lua_push_buf(lua_State *L, struct mt_buf *buf)
{
    lua_pushcfunction(L, push_text);
    lua_pushlightuserdata(L, buf);
    int status = lua_pcall(L, 1, 1, 0);
    mt_buf_deinit(buf);
    return status ? lua_error(L) : 1;
}

/* ---------------------------------------------------------------- confined library functions */

static int confined_setmetatable(lua_State *L)
{
    int t = lua_type(L, 2);

    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_argexpected(L, t == LUA_TNIL || t == LUA_TTABLE, 2, "nil or table");
    if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
        return luaL_error(L, "cannot change a protected metatable");
    if (t == LUA_TTABLE) {
        /* finalisers run with hooks off: a loop in one could not be stopped */
        lua_pushliteral(L, "__gc");
        lua_rawget(L, 2);
        if (!lua_isnil(L, -1))
            return luaL_error(L, "__gc is not available to scripts");
        lua_pop(L, 1);
    }
    lua_settop(L, 2);
    lua_setmetatable(L, 1);
    return 1;
}

static int protected_done(lua_State *L, int status, lua_KContext handler)
{
    struct mt_script *script = mt_script_of(L);

    if (status != LUA_OK && status != LUA_YIELD) {
        /* a cancelled task does not go on behind a pcall */
        if (script->cancelled || (script->current && script->current->cancelled))
            return lua_error(L);
        if (handler) { /* the handler runs after unwinding, where the watchdog still reaches it */
            lua_pushvalue(L, 1);
            lua_insert(L, -2);
            lua_call(L, 1, 1);
        }
        lua_pushboolean(L, 0);
        lua_insert(L, -2);
        return 2;
    }
    return lua_gettop(L) - (handler ? 1 : 0);
}

static int confined_pcall(lua_State *L)
{
    luaL_checkany(L, 1);
    lua_pushboolean(L, 1);
    lua_insert(L, 1);
    int status = lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, 0, protected_done);
    return protected_done(L, status, 0);
}

static int confined_xpcall(lua_State *L)
{
    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_pushvalue(L, 1); /* f handler args… → handler true f args… */
    lua_copy(L, 2, 1);
    lua_remove(L, 2);
    lua_pushboolean(L, 1);
    lua_insert(L, 2);
    lua_insert(L, 3);
    int status = lua_pcallk(L, lua_gettop(L) - 3, LUA_MULTRET, 0, 1, protected_done);
    return protected_done(L, status, 1);
}

static int script_print(lua_State *L)
{
    struct mt_script *script = mt_script_of(L);
    luaL_Buffer line;
    int n = lua_gettop(L);
    size_t len = 0;

    luaL_buffinit(L, &line);
    for (int i = 1; i <= n; i++) {
        if (i > 1)
            luaL_addchar(&line, '\t');
        luaL_tolstring(L, i, NULL);
        luaL_addvalue(&line);
    }
    luaL_pushresult(&line);
    const char *text = lua_tolstring(L, -1, &len);
    if (!script->checking)
        script->host->print(script->host->ud, text, len);
    return 0;
}

/* "moontide" and its parts, from what the binary carries. */
int mt_script_part(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    char path[256];

    lua_getfield(L, LUA_REGISTRYINDEX, "moontide.loaded");
    lua_getfield(L, -1, name);
    if (!lua_isnil(L, -1))
        return 1;
    lua_pop(L, 1);
    if (strcmp(name, "moontide") != 0 && !mt_str_starts(name, "moontide."))
        return luaL_error(
            L, "there is no module '%s': scripts can require \"moontide\" and its parts", name);
    snprintf(path, sizeof path, "lua/%s", name);
    for (char *c = path + 4; *c; c++) {
        if (*c == '.')
            *c = '/';
    }
    size_t at = strlen(path);
    snprintf(path + at, sizeof path - at, "%s", strcmp(name, "moontide") ? ".lua" : "/init.lua");
    const struct mt_embedded_file *file = mt_embedded_find(path);
    if (!file)
        return luaL_error(L, "there is no module '%s'", name);
    lua_pushfstring(L, "=%s", name);
    if (luaL_loadbufferx(L, file->data, file->len, lua_tostring(L, -1), "t"))
        return lua_error(L);
    lua_getfield(L, LUA_REGISTRYINDEX, "moontide.core");
    lua_call(L, 1, 1);
    lua_pushvalue(L, -1);
    lua_setfield(L, 2, name);
    return 1;
}

/* What starts a script, and states its grant, is no part for scripts. In a process of its own it
 * has what needs nothing but Lua; the other parts are where the accounts are. */
static int script_require(lua_State *L)
{
    static const char *const here[] = {"moontide", "moontide.describe", "moontide.args",
                                       "moontide.plain", NULL};
    bool is_here = !mt_script_of(L)->is_child;

    for (size_t i = 0; here[i] && !is_here; i++)
        is_here = !strcmp(luaL_checkstring(L, 1), here[i]);
    if (!is_here) {
        lua_settop(L, 1);
        lua_pushliteral(L, "require");
        lua_insert(L, 1);
        return mt_link_call(L);
    }
    if (!strcmp(luaL_checkstring(L, 1), MT_SCRIPT_MAIN))
        return luaL_error(L, "there is no module '%s' for scripts", MT_SCRIPT_MAIN);
    lua_settop(L, 1);
    return mt_script_part(L);
}

/* ---------------------------------------------------------------- building the state */

static void keep(lua_State *L, const char *library, const char *const *names)
{
    lua_getglobal(L, library);
    lua_newtable(L);
    for (size_t i = 0; names[i]; i++) {
        lua_getfield(L, -2, names[i]);
        lua_setfield(L, -2, names[i]);
    }
    lua_setglobal(L, library);
    lua_pop(L, 1);
}

static void confine_string(lua_State *L)
{
    lua_getglobal(L, "string");
    lua_pushnil(L);
    lua_setfield(L, -2, "dump");
    mt_script_patterns(L);
    lua_pop(L, 1);
    lua_pushliteral(L, "");
    lua_getmetatable(L, -1);
    lua_pushliteral(L, "string");
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 2);
}

static void open_libraries(lua_State *L)
{
    static const luaL_Reg libraries[] = {
        {LUA_GNAME, luaopen_base},        {LUA_TABLIBNAME, luaopen_table},
        {LUA_STRLIBNAME, luaopen_string}, {LUA_MATHLIBNAME, luaopen_math},
        {LUA_UTF8LIBNAME, luaopen_utf8},  {LUA_OSLIBNAME, luaopen_os},
    };
    static const char *const os_names[] = {"time", "date", "clock", "difftime", NULL};
    static const char *const gone[] = {"dofile", "loadfile", "collectgarbage"};

    for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
        luaL_requiref(L, libraries[i].name, libraries[i].func, 1);
        lua_pop(L, 1);
    }
    keep(L, "os", os_names);
    for (size_t i = 0; i < sizeof gone / sizeof *gone; i++) {
        lua_pushnil(L);
        lua_setglobal(L, gone[i]);
    }
    confine_string(L);
    mt_script_libraries(L);
    lua_register(L, "setmetatable", confined_setmetatable);
    lua_register(L, "pcall", confined_pcall);
    lua_register(L, "xpcall", confined_xpcall);
    lua_register(L, "load", mt_script_load);
    lua_register(L, "print", script_print);
    lua_register(L, "require", script_require);
    mt_script_coroutines(L);
    lua_setglobal(L, "coroutine");
    /* luaL_requiref left the originals here */
    lua_newtable(L);
    lua_setfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
}

static int build(lua_State *L)
{
    lua_newtable(L);
    lua_setfield(L, LUA_REGISTRYINDEX, "moontide.loaded");
    mt_fault_open(L);
    if (mt_script_of(L)->is_child) {
        mt_isolated_core(L);
    } else {
        mt_bind_account(L);
        mt_bind_conversation(L);
        mt_bind_message(L);
        mt_bind_archive(L);
        mt_bind_moontide(L);
    }
    lua_setfield(L, LUA_REGISTRYINDEX, "moontide.core");
    open_libraries(L);
    return 0;
}

enum mt_rc mt_script_state_new(struct mt_script *script)
{
    lua_State *L = lua_newstate(quota_alloc, script);

    if (!L)
        return MT_ERR_NOMEM;
    script->L = L;
    lua_gc(L, LUA_GCINC, PAUSE_PERCENT, 0, 0);
    *(struct mt_script **)lua_getextraspace(L) = script;
    lua_pushcfunction(L, build);
    return lua_pcall(L, 0, 0, 0) ? MT_ERR_NOMEM : MT_OK;
}

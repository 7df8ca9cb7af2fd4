/* Faults in Lua: a table {code, kind, message, provider_code, retryable, …} that prints as its
 * message. */
#include "script/script_int.h"

#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define FAULT_TYPE "moontide.fault"

static int fault_tostring(lua_State *L)
{
    lua_getfield(L, 1, "message");
    if (lua_type(L, -1) != LUA_TSTRING)
        lua_pushliteral(L, "a fault");
    return 1;
}

void mt_fault_open(lua_State *L)
{
    luaL_newmetatable(L, FAULT_TYPE);
    lua_pushcfunction(L, fault_tostring);
    lua_setfield(L, -2, "__tostring");
    lua_pushliteral(L, "fault");
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}

void mt_fault_push(lua_State *L, const struct mt_fault *fault)
{
    lua_createtable(L, 0, 7);
    lua_pushstring(L, fault->code);
    lua_setfield(L, -2, "code");
    lua_pushstring(L, mt_rc_name(fault->kind));
    lua_setfield(L, -2, "kind");
    lua_pushstring(L, fault->message);
    lua_setfield(L, -2, "message");
    lua_pushinteger(L, fault->provider_code);
    lua_setfield(L, -2, "provider_code");
    lua_pushinteger(L, fault->http_status);
    lua_setfield(L, -2, "http_status");
    lua_pushinteger(L, fault->retry_after_ms);
    lua_setfield(L, -2, "retry_after_ms");
    lua_pushboolean(L, fault->retryable);
    lua_setfield(L, -2, "retryable");
    luaL_setmetatable(L, FAULT_TYPE);
}

int mt_fault_raise(lua_State *L, const struct mt_fault *fault)
{
    mt_fault_push(L, fault);
    return lua_error(L);
}

int mt_fault_raisef(lua_State *L, enum mt_rc kind, const char *code, const char *fmt, ...)
{
    struct mt_fault fault;
    char text[MT_FAULT_MESSAGE_MAX];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    mt_fault_set(&fault, kind, code, "%s", text);
    return mt_fault_raise(L, &fault);
}

static enum mt_rc kind_of(const char *name)
{
    for (int rc = MT_OK + 1; rc <= MT_ERR_CANCELLED; rc++) {
        if (!strcmp(mt_rc_name((enum mt_rc)rc), name))
            return (enum mt_rc)rc;
    }
    return MT_ERR_STATE;
}

static int read_fields(lua_State *L)
{
    struct mt_fault *out = lua_touserdata(L, 2);

    if (lua_istable(L, 1)) {
        lua_getfield(L, 1, "kind");
        lua_getfield(L, 1, "code");
        lua_getfield(L, 1, "message");
        const char *kind = lua_tostring(L, -3);
        const char *code = lua_tostring(L, -2);
        const char *message = lua_tostring(L, -1);
        mt_fault_set(out, kind ? kind_of(kind) : MT_ERR_STATE, code ? code : "script.error", "%s",
                     message ? message : "the script failed");
        lua_getfield(L, 1, "provider_code");
        out->provider_code = (int)lua_tointeger(L, -1);
        lua_getfield(L, 1, "retryable");
        out->retryable = lua_toboolean(L, -1);
        return 0;
    }
    mt_fault_set(out, MT_ERR_STATE, "script.error", "%s", luaL_tolstring(L, 1, NULL));
    return 0;
}

void mt_fault_from_lua(lua_State *L, struct mt_fault *out)
{
    mt_fault_set(out, MT_ERR_STATE, "script.error", "the script failed");
    if (!lua_checkstack(L, 8)) {
        lua_pop(L, 1);
        return;
    }
    lua_pushcfunction(L, read_fields);
    lua_insert(L, -2);
    lua_pushlightuserdata(L, out);
    if (lua_pcall(L, 2, 0, 0))
        lua_pop(L, 1);
}

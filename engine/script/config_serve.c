/* serve { listen = "127.0.0.1:9464" } of the configuration. */
#include "script/config_int.h"

#include "base/mem.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <lauxlib.h>
#include <string.h>

static bool is_loopback(const char *host)
{
    struct in_addr address;

    return !strcmp(host, "localhost") ||
           (inet_pton(AF_INET, host, &address) == 1 && ntohl(address.s_addr) >> 24 == 127);
}

enum mt_rc mt_config_listen_parse(const char *text, char host[MT_LISTEN_HOST_MAX], uint16_t *port,
                                  struct mt_fault *fault)
{
    const char *colon = strrchr(text, ':');
    size_t len = colon ? (size_t)(colon - text) : 0;
    uint64_t number = 0;

    if (!len || strlen(colon + 1) > 5 || !mt_str_u64(colon + 1, &number) || number > UINT16_MAX)
        return mt_fault_set(fault, MT_ERR_INVALID, "config.listen",
                            "'%.60s' is no HOST:PORT, such as 127.0.0.1:9464", text);
    if (len < MT_LISTEN_HOST_MAX) {
        memcpy(host, text, len);
        host[len] = '\0';
    }
    if (len >= MT_LISTEN_HOST_MAX || !is_loopback(host))
        return mt_fault_set(fault, MT_ERR_INVALID, "config.listen",
                            "'%.60s' is not on this machine alone: the status is told without a "
                            "password, so only on 127.0.0.1 (let a proxy that asks for one stand "
                            "in front of it)",
                            text);
    *port = (uint16_t)number;
    return MT_OK;
}

int mt_config_word_serve(lua_State *L)
{
    static const char *const keys[] = {"listen"};
    struct mt_config *config = mt_config_builder(L);
    char host[MT_LISTEN_HOST_MAX];
    uint16_t port = 0;
    struct mt_fault fault;

    luaL_checktype(L, 1, LUA_TTABLE);
    if (config->listen)
        return luaL_error(L, "serve is declared twice");
    for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
        const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
        if (!strcmp(key, keys[0]))
            continue;
        const char *near = mt_str_nearest(key, keys, 1);
        return luaL_error(L, "unknown_option: serve: unknown option '%s'%s%s%s", key,
                          near ? ": did you mean '" : "", near ? near : "", near ? "'?" : "");
    }
    if (lua_getfield(L, 1, keys[0]) == LUA_TNIL)
        return 0;
    if (lua_type(L, -1) != LUA_TSTRING || strlen(lua_tostring(L, -1)) != lua_rawlen(L, -1))
        return luaL_error(L, "serve: listen is a text: HOST:PORT");
    if (mt_config_listen_parse(lua_tostring(L, -1), host, &port, &fault))
        return luaL_error(L, "serve: listen: %s", fault.message);
    config->listen = mt_mem_strdup(lua_tostring(L, -1));
    return config->listen ? 0 : luaL_error(L, "out of memory");
}

/* account "name" { … } of the configuration. */
#include "script/config_int.h"

#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "codec/time.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#define ACCOUNTS_MAX   10000u
#define TIMEOUT_MIN_MS 1000
#define TIMEOUT_MAX_MS 600000

static const char *const account_keys[] = {
    "provider",    "appkey", "user",      "token",   "password", "rest",     "websocket",
    "navigators",  "rate",   "discovery", "timeout", "device",   "platform", "delivery_receipts",
    "media_hosts", "holds",  NULL};

/* ---------------------------------------------------------------- options */

void mt_config_check_keys(lua_State *L, const char *noun, const char *name, const char *const *keys)
{
    size_t n = 0;

    while (keys[n])
        n++;
    for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 1)) {
        const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
        bool known = false;
        for (size_t i = 0; i < n; i++)
            known = known || !strcmp(key, keys[i]);
        if (known)
            continue;
        const char *near = mt_str_nearest(key, keys, n);
        if (near)
            luaL_error(L, "unknown_option: %s '%s': unknown option '%s': did you mean '%s'?", noun,
                       name, key, near);
        luaL_error(L, "unknown_option: %s '%s': unknown option '%s'", noun, name, key);
    }
}

/* Stays on the stack, so that the text lives until it is popped. */
static const char *option_text(lua_State *L, const struct mt_config_account *a, const char *key)
{
    if (lua_getfield(L, 2, key) == LUA_TNIL)
        return NULL;
    if (lua_type(L, -1) != LUA_TSTRING)
        luaL_error(L, "%s '%s': %s must be a string", a->noun, a->name, key);
    const char *s = lua_tostring(L, -1);
    if (strlen(s) != lua_rawlen(L, -1) || !*s)
        luaL_error(L, "%s '%s': %s must be a text that is not empty", a->noun, a->name, key);
    return s;
}

char *mt_config_take_text(lua_State *L, const struct mt_config_account *a, const char *key)
{
    const char *s = option_text(L, a, key);
    char *copy = s ? mt_mem_strdup(s) : NULL;

    if (s && !copy)
        luaL_error(L, "out of memory");
    lua_pop(L, 1);
    return copy;
}

bool mt_config_take_flag(lua_State *L, const struct mt_config_account *a, const char *key)
{
    if (lua_getfield(L, 2, key) != LUA_TNIL && !lua_isboolean(L, -1))
        luaL_error(L, "%s '%s': %s is true or false", a->noun, a->name, key);
    bool on = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return on;
}

void mt_config_take_urls(lua_State *L, const struct mt_config_account *a, const char *key,
                         char *out[MT_CONFIG_URLS_MAX + 1])
{
    if (lua_getfield(L, 2, key) == LUA_TNIL) {
        lua_pop(L, 1);
        return;
    }
    if (!lua_istable(L, -1))
        luaL_error(L, "%s '%s': %s must be a list of addresses", a->noun, a->name, key);
    for (int i = 1; i <= MT_CONFIG_URLS_MAX && lua_rawgeti(L, -1, i) != LUA_TNIL; i++) {
        if (lua_type(L, -1) != LUA_TSTRING)
            luaL_error(L, "%s '%s': %s must be a list of addresses", a->noun, a->name, key);
        out[i - 1] = mt_mem_strdup(lua_tostring(L, -1));
        if (!out[i - 1])
            luaL_error(L, "out of memory");
        lua_pop(L, 1);
    }
    lua_settop(L, 2);
}

static void take_timeout(lua_State *L, struct mt_config_account *a)
{
    const char *text = option_text(L, a, "timeout");

    if (text && (mt_duration_parse(text, &a->timeout_ms, NULL) || a->timeout_ms < TIMEOUT_MIN_MS ||
                 a->timeout_ms > TIMEOUT_MAX_MS))
        luaL_error(L, "%s '%s': timeout is how long one answer may take, from 1s to 10m", a->noun,
                   a->name);
    lua_pop(L, 1);
}

static void take_rate(lua_State *L, struct mt_config_account *a)
{
    int is_number = 0;

    a->rate_per_s = -1;
    if (lua_getfield(L, 2, "rate") != LUA_TNIL) {
        double rate = lua_tonumberx(L, -1, &is_number);
        if (!is_number || !(rate >= 0 && rate <= 100000))
            luaL_error(L, "%s '%s': rate is a number of requests a second, 0 for no limit", a->noun,
                       a->name);
        a->rate_per_s = rate;
    }
    lua_pop(L, 1);
}

static void take_platform(lua_State *L, struct mt_config_account *a)
{
    int is_number = 1;

    if (lua_getfield(L, 2, "platform") != LUA_TNIL) {
        lua_Integer platform = lua_tointegerx(L, -1, &is_number);
        if (!is_number || platform < 1 || platform > 100)
            luaL_error(L, "%s '%s': platform is a whole number from 1 to 100", a->noun, a->name);
        a->platform = (int)platform;
    }
    lua_pop(L, 1);
}

/* Relative to the configuration's folder, as the list of all accounts is. */
static void take_holds(lua_State *L, struct mt_config_account *a)
{
    const char *path = option_text(L, a, "holds");

    if (path)
        a->holds = mt_config_path_beside(mt_config_builder(L)->path, path);
    if (path && !a->holds)
        luaL_error(L, "out of memory");
    lua_pop(L, 1);
}

void mt_config_take_common(lua_State *L, struct mt_config_account *a)
{
    a->provider = mt_config_take_text(L, a, "provider");
    a->appkey = mt_config_take_text(L, a, "appkey");
    a->rest = mt_config_take_text(L, a, "rest");
    a->websocket = mt_config_take_text(L, a, "websocket");
    a->device = mt_config_take_text(L, a, "device");
    mt_config_take_urls(L, a, "discovery", a->discovery);
    mt_config_take_urls(L, a, "navigators", a->navigators);
    mt_config_take_urls(L, a, "media_hosts", a->media_hosts);
    take_timeout(L, a);
    take_rate(L, a);
    take_platform(L, a);
    a->delivery_receipts = mt_config_take_flag(L, a, "delivery_receipts");
    take_holds(L, a);
    if (!a->provider)
        luaL_error(L, "%s '%s': provider is missing; this version has: %s", a->noun, a->name,
                   mt_provider_names());
    if (!a->appkey)
        luaL_error(L, "%s '%s': appkey is missing", a->noun, a->name);
}

void mt_config_account_deinit(struct mt_config_account *a)
{
    char *const texts[] = {a->name,      a->provider, a->appkey, a->user,   a->rest,
                           a->websocket, a->device,   a->holds,  a->missing};

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        mt_mem_free(texts[i]);
    for (size_t i = 0; i < MT_CONFIG_URLS_MAX; i++) {
        mt_mem_free(a->discovery[i]);
        mt_mem_free(a->navigators[i]);
        mt_mem_free(a->media_hosts[i]);
    }
    mt_secret_free(a->token);
    mt_secret_free(a->password);
    mt_config_commands_free(a->commands);
}

/* ---------------------------------------------------------------- the word */

static struct mt_config_account *account_new(lua_State *L, struct mt_config *config,
                                             const char *name)
{
    if (mt_config_find(config, name))
        luaL_error(L, "account '%s' is declared twice", name);
    if (config->n >= ACCOUNTS_MAX)
        luaL_error(L, "more than %d accounts", (int)ACCOUNTS_MAX);
    if (config->n == config->cap) {
        size_t cap = config->cap ? config->cap * 2 : 4;
        struct mt_config_account *accounts =
            mt_mem_realloc(config->accounts, cap * sizeof *accounts);
        if (!accounts) {
            luaL_error(L, "out of memory");
            abort(); /* never reached, as the declaration of luaL_error does not say */
        }
        config->accounts = accounts;
        config->cap = cap;
    }
    char *copy = mt_mem_strdup(name);
    if (!copy)
        luaL_error(L, "out of memory");
    struct mt_config_account *a = &config->accounts[config->n++];
    memset(a, 0, sizeof *a);
    a->noun = "account";
    a->name = copy;
    return a;
}

static int account_body(lua_State *L)
{
    const char *name = lua_tostring(L, lua_upvalueindex(1));

    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_pushstring(L, name);
    lua_insert(L, 1); /* 1 name, 2 table */
    luaL_checkstack(L, 40, "account");
    mt_config_check_keys(L, "account", name, account_keys);
    struct mt_config_account *a = account_new(L, mt_config_builder(L), name);
    a->user = mt_config_take_text(L, a, "user");
    mt_config_take_secret(L, a, "token", &a->token, &a->missing);
    mt_config_take_secret(L, a, "password", &a->password, &a->missing);
    mt_config_take_common(L, a);
    return 0;
}

int mt_config_word_account(lua_State *L)
{
    size_t len = 0;
    const char *name = luaL_checklstring(L, 1, &len);

    if (!len || len > 128 || strlen(name) != len)
        return luaL_error(L, "an account needs a name of 1 to 128 characters");
    lua_settop(L, 1);
    lua_pushcclosure(L, account_body, 1);
    return 1;
}

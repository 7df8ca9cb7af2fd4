/* Option tables: one generic check against the API record of the function, then typed access. */
#include "script/script_int.h"

#include "base/clock.h"
#include "base/str.h"
#include "codec/time.h"

#include <stdio.h>
#include <string.h>

#define PARAMS_MAX 32

static const struct mt_api_record *record_of(const char *function)
{
    for (size_t i = 0; i < mt_api_records_n; i++) {
        if (!strcmp(mt_api_records[i].name, function))
            return &mt_api_records[i];
    }
    return NULL;
}

static const struct mt_api_param *param_of(const struct mt_api_record *record, const char *name)
{
    for (size_t i = 0; i < record->params_n; i++) {
        if (!strcmp(record->params[i].name, name))
            return &record->params[i];
    }
    return NULL;
}

static void unknown(lua_State *L, const struct mt_api_record *record, const char *key)
{
    const char *names[PARAMS_MAX];
    size_t n = 0;

    for (; n < record->params_n && n < PARAMS_MAX; n++)
        names[n] = record->params[n].name;
    const char *near = mt_str_nearest(key, names, n);
    if (near)
        mt_fault_raisef(L, MT_ERR_INVALID, "option.unknown",
                        "%s: unknown option '%s': did you mean '%s'?", record->name, key, near);
    mt_fault_raisef(L, MT_ERR_INVALID, "option.unknown", "%s: unknown option '%s'", record->name,
                    key);
}

static void wrong(lua_State *L, const char *function, const char *key, const char *want)
{
    mt_fault_raisef(L, MT_ERR_INVALID, "option.type", "%s: option '%s' must be %s, not %s",
                    function, key, want, luaL_typename(L, -1));
}

static void check_choice(lua_State *L, const char *function, const struct mt_api_param *param)
{
    const char *given = lua_tostring(L, -1);
    const char *at = param->type + strlen("choice:");
    size_t len = given ? strlen(given) : 0;

    while (given && *at) {
        size_t n = strcspn(at, "|");
        if (n == len && !strncmp(at, given, n))
            return;
        at += n + (at[n] ? 1 : 0);
    }
    mt_fault_raisef(L, MT_ERR_INVALID, "option.choice", "%s: option '%s' must be one of %s",
                    function, param->name, param->type + strlen("choice:"));
}

static void check_number(lua_State *L, const char *function, const struct mt_api_param *param)
{
    if (!lua_isinteger(L, -1))
        wrong(L, function, param->name, "a whole number");
    double v = (double)lua_tointeger(L, -1);
    if ((param->has_min && v < param->min) || (param->has_max && v > param->max)) {
        if (param->has_max)
            mt_fault_raisef(L, MT_ERR_INVALID, "option.range",
                            "%s: option '%s' must be from %.0f to %.0f, not %.0f", function,
                            param->name, param->min, param->max, v);
        mt_fault_raisef(L, MT_ERR_INVALID, "option.range",
                        "%s: option '%s' must be at least %.0f, not %.0f", function, param->name,
                        param->min, v);
    }
}

/* The value is on top of the stack. */
static void check_value(lua_State *L, const char *function, const struct mt_api_param *param)
{
    const char *type = param->type;

    if (!strcmp(type, "string") && lua_type(L, -1) != LUA_TSTRING)
        wrong(L, function, param->name, "a string");
    else if (!strcmp(type, "boolean") && !lua_isboolean(L, -1))
        wrong(L, function, param->name, "true or false");
    else if (!strcmp(type, "integer"))
        check_number(L, function, param);
    else if (!strcmp(type, "duration") && lua_type(L, -1) != LUA_TSTRING && !lua_isinteger(L, -1))
        wrong(L, function, param->name, "a duration such as \"5s\" or \"90d\"");
    else if (!strcmp(type, "time") && lua_type(L, -1) != LUA_TSTRING && !lua_isinteger(L, -1))
        wrong(L, function, param->name,
              "a time: RFC 3339, a date, an age such as \"90d\", or milliseconds");
    else if ((!strcmp(type, "list") || !strcmp(type, "table")) && !lua_istable(L, -1))
        wrong(L, function, param->name, "a table");
    else if (!strcmp(type, "function") && !lua_isfunction(L, -1))
        wrong(L, function, param->name, "a function");
    else if (!strcmp(type, "number") && lua_type(L, -1) != LUA_TNUMBER)
        wrong(L, function, param->name, "a number");
    else if (mt_str_starts(type, "choice:"))
        check_choice(L, function, param);
}

void mt_options_check(lua_State *L, int index, const char *function)
{
    const struct mt_api_record *record = record_of(function);

    if (!record) {
        luaL_error(L, "%s has no API record", function);
        return;
    }
    if (lua_isnoneornil(L, index))
        return;
    if (!lua_istable(L, index))
        mt_fault_raisef(L, MT_ERR_INVALID, "option.type", "%s takes one table of options, not %s",
                        function, luaL_typename(L, index));
    lua_pushnil(L);
    while (lua_next(L, index)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            mt_fault_raisef(L, MT_ERR_INVALID, "option.unknown", "%s: options have names",
                            function);
        const char *key = lua_tostring(L, -2);
        const struct mt_api_param *param = param_of(record, key);
        if (!param)
            unknown(L, record, key);
        else
            check_value(L, function, param);
        lua_pop(L, 1);
    }
}

static bool get(lua_State *L, int index, const char *key)
{
    if (lua_isnoneornil(L, index))
        return false;
    lua_getfield(L, index, key);
    if (!lua_isnil(L, -1))
        return true;
    lua_pop(L, 1);
    return false;
}

void mt_options_require(lua_State *L, int index, const char *function)
{
    const struct mt_api_record *record = record_of(function);

    for (size_t i = 0; record && i < record->params_n; i++) {
        const struct mt_api_param *param = &record->params[i];
        if (param->required && lua_getfield(L, index, param->name) == LUA_TNIL)
            mt_fault_raisef(L, MT_ERR_INVALID, "option.missing", "%s: option '%s' is missing",
                            function, param->name);
        if (param->required)
            lua_pop(L, 1);
    }
}

const char *mt_option_string(lua_State *L, int index, const char *key, const char *absent)
{
    if (!get(L, index, key))
        return absent;
    const char *s = lua_tostring(L, -1);
    lua_pop(L, 1); /* the table keeps it alive */
    return s;
}

int64_t mt_option_integer(lua_State *L, int index, const char *key, int64_t absent)
{
    if (!get(L, index, key))
        return absent;
    int64_t v = lua_tointeger(L, -1);
    lua_pop(L, 1);
    return v;
}

bool mt_option_boolean(lua_State *L, int index, const char *key, bool absent)
{
    if (!get(L, index, key))
        return absent;
    bool v = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return v;
}

int64_t mt_option_time(lua_State *L, int index, const char *key, int64_t absent)
{
    struct mt_fault fault;
    int64_t ms = absent;

    if (!get(L, index, key))
        return absent;
    if (lua_isinteger(L, -1))
        ms = lua_tointeger(L, -1);
    else if (mt_time_parse_point(lua_tostring(L, -1), mt_clock_wall_ms(), &ms, &fault))
        mt_fault_raise(L, &fault);
    lua_pop(L, 1);
    return ms;
}

int64_t mt_option_duration(lua_State *L, int index, const char *key, int64_t absent)
{
    struct mt_fault fault;
    int64_t ms = absent;

    if (!get(L, index, key))
        return absent;
    if (lua_isinteger(L, -1))
        ms = lua_tointeger(L, -1);
    else if (mt_duration_parse(lua_tostring(L, -1), &ms, &fault))
        mt_fault_raise(L, &fault);
    lua_pop(L, 1);
    return ms;
}

bool mt_option_list(lua_State *L, int index, const char *key, const char **out, size_t max)
{
    size_t n = 0;

    out[0] = NULL;
    if (!get(L, index, key))
        return false;
    for (;; n++) {
        lua_rawgeti(L, -1, (lua_Integer)n + 1);
        if (lua_isnil(L, -1))
            break;
        if (lua_type(L, -1) != LUA_TSTRING || n >= max)
            mt_fault_raisef(L, MT_ERR_INVALID, "option.type",
                            "option '%s' must be a list of at most %zu strings", key, max);
        out[n] = lua_tostring(L, -1);
        lua_pop(L, 1);
    }
    out[n] = NULL;
    lua_pop(L, 2);
    return n > 0;
}

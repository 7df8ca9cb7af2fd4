/* moontide.json: exact for 64-bit integers, bounded in depth, closed to cycles. */
#include "script/script_int.h"

#include "codec/json.h"

#include <math.h>
#include <string.h>

#define JSON_MAX_BYTES (64u << 20)
#define VALUES_MAX     500000 /* the parser's own limit */
#define NODE_BYTES     96     /* a node and what its allocation costs */
#define ARRAY_TYPE     "moontide.json.array"

struct encoder {
    struct mt_buf out;
};

static int encoder_gc(lua_State *L)
{
    mt_buf_deinit(&((struct encoder *)lua_touserdata(L, 1))->out);
    return 0;
}

static void encode(lua_State *L, struct encoder *e, int depth);

static bool is_array(lua_State *L, lua_Integer *n)
{
    *n = (lua_Integer)lua_rawlen(L, -1);
    if (luaL_getmetafield(L, -1, "__name") != LUA_TNIL) {
        bool marked = lua_type(L, -1) == LUA_TSTRING && !strcmp(lua_tostring(L, -1), ARRAY_TYPE);
        lua_pop(L, 1);
        if (marked)
            return true;
    }
    return *n > 0;
}

static void encode_array(lua_State *L, struct encoder *e, lua_Integer n, int depth)
{
    mt_buf_append_char(&e->out, '[');
    for (lua_Integer i = 1; i <= n; i++) {
        if (i > 1)
            mt_buf_append_char(&e->out, ',');
        lua_rawgeti(L, -1, i);
        encode(L, e, depth + 1);
        lua_pop(L, 1);
    }
    mt_buf_append_char(&e->out, ']');
}

static void encode_object(lua_State *L, struct encoder *e, int depth)
{
    bool first = true;

    mt_buf_append_char(&e->out, '{');
    lua_pushnil(L);
    while (lua_next(L, -2)) {
        size_t len = 0;
        if (lua_type(L, -2) != LUA_TSTRING)
            mt_fault_raisef(L, MT_ERR_INVALID, "json.key", "a JSON object has text keys, not %s",
                            luaL_typename(L, -2));
        const char *key = lua_tolstring(L, -2, &len);
        if (!first)
            mt_buf_append_char(&e->out, ',');
        first = false;
        mt_json_write_str(&e->out, key, len);
        mt_buf_append_char(&e->out, ':');
        encode(L, e, depth + 1);
        lua_pop(L, 1);
    }
    mt_buf_append_char(&e->out, '}');
}

static void encode(lua_State *L, struct encoder *e, int depth)
{
    size_t len = 0;
    lua_Integer n = 0;
    const char *s = NULL;

    if (depth > MT_JSON_MAX_DEPTH)
        mt_fault_raisef(L, MT_ERR_LIMIT, "json.too_deep",
                        "the table is deeper than %d levels, or holds itself", MT_JSON_MAX_DEPTH);
    luaL_checkstack(L, 4, "json");
    switch (lua_type(L, -1)) {
    case LUA_TNIL:
        mt_buf_append_str(&e->out, "null");
        break;
    case LUA_TBOOLEAN:
        mt_buf_append_str(&e->out, lua_toboolean(L, -1) ? "true" : "false");
        break;
    case LUA_TNUMBER:
        if (lua_isinteger(L, -1))
            mt_buf_append_i64(&e->out, lua_tointeger(L, -1));
        else
            mt_json_write_double(&e->out, lua_tonumber(L, -1));
        break;
    case LUA_TSTRING:
        s = lua_tolstring(L, -1, &len);
        mt_json_write_str(&e->out, s, len);
        break;
    case LUA_TTABLE:
        if (is_array(L, &n))
            encode_array(L, e, n, depth);
        else
            encode_object(L, e, depth);
        break;
    case LUA_TLIGHTUSERDATA: /* json.null */
        mt_buf_append_str(&e->out, "null");
        break;
    default:
        mt_fault_raisef(L, MT_ERR_INVALID, "json.type", "%s cannot be written as JSON",
                        luaL_typename(L, -1));
    }
    if (e->out.failed)
        mt_fault_raisef(L, e->out.failed, "json.too_large",
                        "the JSON is larger than what the script has memory for");
}

static int json_encode(lua_State *L);

const char *mt_lua_json_push(lua_State *L, int index, size_t *len)
{
    index = lua_absindex(L, index);
    lua_pushcfunction(L, json_encode);
    lua_pushvalue(L, index);
    lua_call(L, 1, 1);
    return lua_tolstring(L, -1, len);
}

static int json_encode(lua_State *L)
{
    const struct mt_script *script = mt_script_of(L);
    struct encoder *e = NULL;

    luaL_checkany(L, 1);
    lua_settop(L, 1);
    e = lua_newuserdatauv(L, sizeof *e, 0);
    /* what is written, and the text that it becomes */
    mt_buf_init(&e->out, (script->memory_max_bytes - script->memory_bytes) / 2);
    if (luaL_newmetatable(L, "moontide.json.encoder")) {
        lua_pushcfunction(L, encoder_gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    lua_pushvalue(L, 1);
    encode(L, e, 0);
    lua_pushlstring(L, e->out.data, e->out.len);
    return 1;
}

static void decode(lua_State *L, const struct mt_json *node)
{
    int64_t exact = mt_json_is_long(node) ? mt_json_i64(node, INT64_MIN) : INT64_MIN;

    luaL_checkstack(L, 4, "json");
    if (exact != INT64_MIN) {
        lua_pushinteger(L, exact);
        return;
    }
    switch (mt_json_type(node)) {
    case MT_JSON_NULL:
        lua_pushlightuserdata(L, NULL);
        break;
    case MT_JSON_BOOL:
        lua_pushboolean(L, mt_json_bool(node, false));
        break;
    case MT_JSON_NUMBER: {
        double v = mt_json_double(node, 0);
        if (v == floor(v) && fabs(v) < 9007199254740992.0)
            lua_pushinteger(L, (lua_Integer)v);
        else
            lua_pushnumber(L, v);
        break;
    }
    case MT_JSON_STRING:
        lua_pushstring(L, mt_json_str(node));
        break;
    case MT_JSON_ARRAY: {
        lua_Integer n = 0;
        lua_createtable(L, (int)mt_json_count(node), 0);
        luaL_setmetatable(L, ARRAY_TYPE);
        for (const struct mt_json *item = mt_json_child(node); item; item = mt_json_next(item)) {
            decode(L, item);
            lua_rawseti(L, -2, ++n);
        }
        break;
    }
    case MT_JSON_OBJECT:
        lua_newtable(L);
        for (const struct mt_json *member = mt_json_child(node); member;
             member = mt_json_next(member)) {
            decode(L, member);
            lua_setfield(L, -2, mt_json_key(member));
        }
        break;
    }
}

static int decode_protected(lua_State *L)
{
    decode(L, lua_touserdata(L, 1));
    return 1;
}

/* What the text becomes in C for the time of the call, at most: that counts as the script's. */
static size_t tree_bytes(const char *text, size_t len)
{
    size_t values_n = 1;

    for (size_t i = 0; i < len; i++)
        values_n += text[i] == ',' || text[i] == '[' || text[i] == '{';
    if (values_n > VALUES_MAX)
        values_n = VALUES_MAX;
    return len + values_n * NODE_BYTES;
}

static int json_decode(lua_State *L)
{
    size_t len = 0;
    const char *text = luaL_checklstring(L, 1, &len);
    struct mt_script *script = mt_script_of(L);
    struct mt_json *root = NULL;
    struct mt_fault fault;

    size_t charge = tree_bytes(text, len);
    if (charge > script->memory_max_bytes - script->memory_bytes)
        return mt_fault_raisef(L, MT_ERR_NOMEM, "memory", "not enough memory for this JSON");
    if (mt_json_parse(text, len, JSON_MAX_BYTES, &root, &fault))
        return mt_fault_raise(L, &fault);
    script->memory_bytes += charge;
    /* the tree is C's: nothing may jump past its release */
    lua_pushcfunction(L, decode_protected);
    lua_pushlightuserdata(L, root);
    int status = lua_pcall(L, 1, 1, 0);
    mt_json_free(root);
    script->memory_bytes -= charge;
    return status ? lua_error(L) : 1;
}

static int json_array(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    luaL_setmetatable(L, ARRAY_TYPE);
    return 1;
}

void mt_bind_json(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"encode", json_encode}, {"decode", json_decode}, {"array", json_array}, {NULL, NULL}};

    luaL_newmetatable(L, ARRAY_TYPE);
    lua_pop(L, 1);
    luaL_newlib(L, functions);
    lua_pushlightuserdata(L, NULL);
    lua_setfield(L, -2, "null");
}

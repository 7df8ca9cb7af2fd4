/* Lua values between the two processes of an isolated script. Texts, numbers and tables go by
 * value, functions and objects stay where they are and are named by a number. Whoever reads does
 * not believe a byte of it. */
#include "script/isolate_int.h"

#include <string.h>

#define JSON_ARRAY "moontide.json.array"
#define FAULT_NAME "moontide.fault"

enum tag {
    TAG_NIL = 0,
    TAG_FALSE,
    TAG_TRUE,
    TAG_INTEGER,
    TAG_FLOAT,
    TAG_TEXT,
    TAG_TABLE,
    TAG_FAULT,
    TAG_ARRAY, /* a table that is an array in JSON even when it is empty */
    TAG_YOURS,
    TAG_FUNCTION,
    TAG_NULL,   /* JSON's */
    TAG_OBJECT, /* type, handle, and what is known of it */
};

static uint32_t get32(const uint8_t *p)
{
    uint32_t v = 0;
    memcpy(&v, p, sizeof v); /* both ends are this machine */
    return v;
}

enum mt_rc mt_frame_parse(const uint8_t *p, size_t len, struct mt_frame *out, size_t *whole,
                          struct mt_fault *fault)
{
    *whole = 0;
    if (len < MT_FRAME_HEAD)
        return MT_OK;
    size_t size = get32(p);
    if (size < MT_FRAME_HEAD || size > MT_WIRE_FRAME_MAX)
        return mt_fault_set(fault, MT_ERR_PROTOCOL, "isolated.protocol",
                            "the script's process sent what is no frame; it was ended");
    if (len < size)
        return MT_OK;
    out->op = p[4];
    out->may_wait = p[5] != 0;
    out->a = get32(p + 6);
    out->b = get32(p + 10);
    out->values = p + MT_FRAME_HEAD;
    out->len = size - MT_FRAME_HEAD;
    *whole = size;
    return MT_OK;
}

/* ---------------------------------------------------------------- writing */

struct writer {
    const struct mt_wire_handles *handles;
    struct mt_buf *out;
    unsigned values_n;
};

static void put(lua_State *L, struct writer *w, const void *p, size_t len)
{
    enum mt_rc rc = mt_buf_append(w->out, p, len);

    if (rc == MT_ERR_LIMIT)
        mt_fault_raisef(L, MT_ERR_LIMIT, "isolated.size",
                        "more than %d MiB at once do not go in or out of an isolated script",
                        (int)(MT_WIRE_FRAME_MAX >> 20));
    if (rc)
        mt_fault_raisef(L, MT_ERR_NOMEM, "memory", "out of memory");
}

static void put_tag(lua_State *L, struct writer *w, enum tag tag)
{
    uint8_t byte = (uint8_t)tag;
    put(L, w, &byte, 1);
}

static void put32(lua_State *L, struct writer *w, size_t n)
{
    uint32_t v = (uint32_t)n;
    put(L, w, &v, sizeof v);
}

static void put_text(lua_State *L, struct writer *w, int index)
{
    size_t len = 0;
    const char *text = lua_tolstring(L, index, &len);

    if (len > MT_WIRE_FRAME_MAX)
        len = MT_WIRE_FRAME_MAX; /* put says that it is too much */
    put32(L, w, len);
    put(L, w, text, len);
}

static void write_value(lua_State *L, struct writer *w, int index, int depth);

static void write_table(lua_State *L, struct writer *w, int index, enum tag tag, int depth)
{
    uint32_t n = 0;

    put_tag(L, w, tag);
    size_t at = w->out->len;
    put32(L, w, 0);
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1), n++) {
        write_value(L, w, lua_gettop(L) - 1, depth + 1);
        write_value(L, w, lua_gettop(L), depth + 1);
    }
    memcpy(w->out->data + at, &n, sizeof n);
}

/* The name that a metatable gives itself, or what it shows in its place; "": neither. */
static const char *name_of(lua_State *L, int index)
{
    static const char *const keys[] = {"__name", "__metatable"};
    const char *name = "";

    for (size_t i = 0; i < 2 && !*name; i++) {
        if (luaL_getmetafield(L, index, keys[i]) == LUA_TNIL)
            continue;
        if (lua_type(L, -1) == LUA_TSTRING)
            name = lua_tostring(L, -1); /* the metatable has it */
        lua_pop(L, 1);
    }
    return name;
}

/* What can be said of it without asking for it: the plain fields of accounts, conversations and
 * messages. */
static void write_known(lua_State *L, struct writer *w, int index, const char *type, int depth)
{
    lua_getfield(L, LUA_REGISTRYINDEX, "moontide.known fields");
    if (lua_type(L, -1) != LUA_TTABLE || lua_getfield(L, -1, type) != LUA_TTABLE) {
        put_tag(L, w, TAG_NIL);
    } else {
        int names = lua_gettop(L);
        lua_newtable(L);
        for (lua_Integer i = 1; lua_rawgeti(L, names, i) == LUA_TSTRING; i++) {
            lua_pushvalue(L, -1);
            lua_gettable(L, index);
            lua_rawset(L, names + 1);
        }
        lua_pop(L, 1);
        write_table(L, w, names + 1, TAG_TABLE, depth + 1);
    }
}

static void write_handle(lua_State *L, struct writer *w, int index, int depth)
{
    int top = lua_gettop(L);
    bool theirs = false;
    const char *type = name_of(L, index);
    uint32_t handle = w->handles->of(L, index, &theirs);

    if (theirs || lua_type(L, index) == LUA_TFUNCTION) {
        put_tag(L, w, theirs ? TAG_YOURS : TAG_FUNCTION);
        put32(L, w, handle);
        return;
    }
    put_tag(L, w, TAG_OBJECT);
    put32(L, w, handle);
    put32(L, w, strlen(type));
    put(L, w, type, strlen(type));
    write_known(L, w, index, type, depth);
    lua_settop(L, top);
}

static void write_any_table(lua_State *L, struct writer *w, int index, int depth)
{
    const char *type = name_of(L, index);
    bool plain = !lua_getmetatable(L, index);

    if (!plain)
        lua_pop(L, 1);
    if (!strcmp(type, FAULT_NAME))
        write_table(L, w, index, TAG_FAULT, depth);
    else if (!strcmp(type, JSON_ARRAY))
        write_table(L, w, index, TAG_ARRAY, depth);
    else if (plain || w->handles->objects)
        write_table(L, w, index, TAG_TABLE, depth);
    else
        write_handle(L, w, index, depth);
}

static void write_value(lua_State *L, struct writer *w, int index, int depth)
{
    int type = lua_type(L, index);
    lua_Integer i = 0;
    lua_Number f = 0;

    if (depth > MT_WIRE_DEPTH_MAX || ++w->values_n > MT_WIRE_VALUES_MAX)
        mt_fault_raisef(L, MT_ERR_LIMIT, "isolated.size",
                        "tables that go in or out of an isolated script are %d deep and have %u "
                        "values at most",
                        MT_WIRE_DEPTH_MAX, MT_WIRE_VALUES_MAX);
    luaL_checkstack(L, 8, "isolated");
    mt_watch_step(L);
    switch (type) {
    case LUA_TNIL:
        put_tag(L, w, TAG_NIL);
        break;
    case LUA_TBOOLEAN:
        put_tag(L, w, lua_toboolean(L, index) ? TAG_TRUE : TAG_FALSE);
        break;
    case LUA_TLIGHTUSERDATA: /* scripts have no other */
        put_tag(L, w, TAG_NULL);
        break;
    case LUA_TNUMBER:
        put_tag(L, w, lua_isinteger(L, index) ? TAG_INTEGER : TAG_FLOAT);
        i = lua_tointeger(L, index);
        f = lua_tonumber(L, index);
        put(L, w, lua_isinteger(L, index) ? (void *)&i : (void *)&f, 8);
        break;
    case LUA_TSTRING:
        put_tag(L, w, TAG_TEXT);
        put_text(L, w, index);
        break;
    case LUA_TTABLE:
        write_any_table(L, w, index, depth);
        break;
    case LUA_TFUNCTION:
    case LUA_TUSERDATA:
        write_handle(L, w, index, depth);
        break;
    default:
        mt_fault_raisef(L, MT_ERR_INVALID, "isolated.value",
                        "a %s does not leave an isolated script", lua_typename(L, type));
    }
}

void mt_wire_write(lua_State *L, int first, const struct mt_wire_handles *handles,
                   struct mt_buf *out)
{
    struct writer w = {handles, out, 0};
    int last = lua_gettop(L);

    if (last - first + 1 > MT_WIRE_AT_ONCE_MAX)
        mt_fault_raisef(L, MT_ERR_LIMIT, "isolated.size",
                        "more than %d values at once do not go in or out of an isolated script",
                        MT_WIRE_AT_ONCE_MAX);
    put32(L, &w, (size_t)last + 1 - (size_t)first);
    for (int i = first; i <= last; i++)
        write_value(L, &w, i, 0);
}

void mt_wire_write_text(struct mt_buf *out, const char *text, size_t len)
{
    const uint8_t tag = TAG_TEXT;
    const uint32_t one = 1;
    const uint32_t n = (uint32_t)len;

    mt_buf_append(out, &one, sizeof one);
    mt_buf_append(out, &tag, 1);
    mt_buf_append(out, &n, sizeof n);
    mt_buf_append(out, text, len);
}

/* ---------------------------------------------------------------- reading */

struct reader {
    const struct mt_wire_handles *handles;
    const uint8_t *p;
    size_t left;
    unsigned values_n;
};

static void wrong(lua_State *L)
{
    mt_fault_raisef(L, MT_ERR_PROTOCOL, "isolated.protocol",
                    "the script's process sent what cannot be read; it was ended");
}

static const uint8_t *take(lua_State *L, struct reader *r, size_t len)
{
    const uint8_t *p = r->p;

    if (len > r->left)
        wrong(L);
    r->p += len;
    r->left -= len;
    return p;
}

static uint32_t take32(lua_State *L, struct reader *r)
{
    return get32(take(L, r, 4));
}

static void read_value(lua_State *L, struct reader *r, int depth);

static void read_table(lua_State *L, struct reader *r, int tag, int depth)
{
    uint32_t n = take32(L, r);

    if (n > r->left / 2) /* each has two tags at least */
        wrong(L);
    lua_newtable(L);
    for (uint32_t i = 0; i < n; i++) {
        read_value(L, r, depth + 1);
        int type = lua_type(L, -1);
        if (type == LUA_TNIL || (type == LUA_TNUMBER && lua_tonumber(L, -1) != lua_tonumber(L, -1)))
            wrong(L);
        read_value(L, r, depth + 1);
        lua_rawset(L, -3);
    }
    if (tag != TAG_TABLE)
        luaL_setmetatable(L, tag == TAG_FAULT ? FAULT_NAME : JSON_ARRAY);
}

static void read_object(lua_State *L, struct reader *r, int depth)
{
    uint32_t handle = take32(L, r);
    uint32_t len = take32(L, r);
    char type[64];

    if (!r->handles->objects || len >= sizeof type)
        wrong(L);
    memcpy(type, take(L, r, len), len);
    type[len] = '\0';
    read_value(L, r, depth + 1);
    r->handles->theirs(L, handle, type);
}

static void read_value(lua_State *L, struct reader *r, int depth)
{
    lua_Integer i = 0;
    lua_Number f = 0;
    uint32_t n = 0;

    if (depth > MT_WIRE_DEPTH_MAX + 2 || ++r->values_n > MT_WIRE_VALUES_MAX * 2)
        wrong(L);
    luaL_checkstack(L, 8, "isolated");
    int tag = *take(L, r, 1);
    switch (tag) {
    case TAG_NIL:
        lua_pushnil(L);
        break;
    case TAG_NULL:
        lua_pushlightuserdata(L, NULL);
        break;
    case TAG_FALSE:
    case TAG_TRUE:
        lua_pushboolean(L, tag == TAG_TRUE);
        break;
    case TAG_INTEGER:
        memcpy(&i, take(L, r, sizeof i), sizeof i);
        lua_pushinteger(L, i);
        break;
    case TAG_FLOAT:
        memcpy(&f, take(L, r, sizeof f), sizeof f);
        lua_pushnumber(L, f);
        break;
    case TAG_TEXT:
        n = take32(L, r);
        lua_pushlstring(L, (const char *)take(L, r, n), n);
        break;
    case TAG_TABLE:
    case TAG_FAULT:
    case TAG_ARRAY:
        read_table(L, r, tag, depth);
        break;
    case TAG_YOURS:
        if (!r->handles->ours(L, take32(L, r)))
            wrong(L);
        break;
    case TAG_FUNCTION:
        r->handles->theirs(L, take32(L, r), NULL);
        break;
    case TAG_OBJECT:
        read_object(L, r, depth);
        break;
    default:
        wrong(L);
    }
}

int mt_wire_read(lua_State *L, const uint8_t *p, size_t len, const struct mt_wire_handles *handles)
{
    struct reader r = {handles, p, len, 0};

    if (!len)
        return 0;
    uint32_t n = take32(L, &r);
    if (n > MT_WIRE_AT_ONCE_MAX)
        wrong(L);
    luaL_checkstack(L, (int)n + 8, "isolated");
    for (uint32_t i = 0; i < n; i++)
        read_value(L, &r, 0);
    if (r.left)
        wrong(L);
    return (int)n;
}

/* What stands for the other side's functions and objects. A function is a closure; an object has
 * its plain fields and the names of its methods at hand, and asks for everything else. What was
 * given to the other side is kept until it says that it has forgotten it. */
#include "script/isolate_int.h"

#include <stdio.h>
#include <string.h>

#define GIVEN  "moontide.given"
#define KNOWN  "moontide.known fields"
#define TYPES  "moontide.types"
#define REMOTE "moontide.remote"
#define COLLECT_EVERY                                                                              \
    8192 /* the other side keeps what nobody here refers to until it is collected */

struct remote {
    uint32_t handle;
    bool live;
};

static const char mark; /* of metatables of what is the other side's */

static struct mt_link *link_of(lua_State *L)
{
    return mt_script_of(L)->link;
}

/* ---------------------------------------------------------------- what was given */

void mt_object_open(lua_State *L)
{
    lua_newtable(L);
    lua_setfield(L, LUA_REGISTRYINDEX, GIVEN);
}

static uint32_t give(lua_State *L, int index)
{
    struct mt_link *link = link_of(L);

    if (link->given_n >= MT_LINK_HANDLES_MAX)
        mt_fault_raisef(L, MT_ERR_LIMIT, "isolated.handles",
                        "an isolated script holds %u objects and functions at most",
                        MT_LINK_HANDLES_MAX);
    lua_getfield(L, LUA_REGISTRYINDEX, GIVEN);
    lua_pushvalue(L, index);
    lua_rawseti(L, -2, (lua_Integer)link->given_last + 1);
    lua_pop(L, 1);
    link->given_n++;
    return ++link->given_last;
}

void mt_object_drop(lua_State *L, uint32_t handle)
{
    if (lua_getfield(L, LUA_REGISTRYINDEX, GIVEN) == LUA_TTABLE &&
        lua_rawgeti(L, -1, (lua_Integer)handle) != LUA_TNIL) {
        link_of(L)->given_n--;
        lua_pushnil(L);
        lua_rawseti(L, -3, (lua_Integer)handle);
    }
    lua_settop(L, 0);
}

static bool ours(lua_State *L, uint32_t handle)
{
    lua_getfield(L, LUA_REGISTRYINDEX, GIVEN);
    bool there = lua_rawgeti(L, -1, (lua_Integer)handle) != LUA_TNIL;
    lua_remove(L, -2);
    return there;
}

/* ---------------------------------------------------------------- what is theirs */

static int remote_gc(lua_State *L)
{
    struct remote *r = lua_touserdata(L, 1);

    if (r->live)
        mt_link_say(link_of(L), MT_FRAME_DROP, r->handle);
    r->live = false;
    return 0;
}

static struct remote *remote_new(lua_State *L, uint32_t handle)
{
    struct mt_link *link = link_of(L);

    if (++link->made_n >= COLLECT_EVERY) {
        link->made_n = 0;
        lua_gc(L, LUA_GCCOLLECT);
    }
    struct remote *r = lua_newuserdatauv(L, sizeof *r, 1);
    *r = (struct remote){handle, false};
    return r;
}

static void mark_metatable(lua_State *L)
{
    lua_pushboolean(L, 1);
    lua_rawsetp(L, -2, &mark);
    lua_pushcfunction(L, remote_gc);
    lua_setfield(L, -2, "__gc");
}

static int call_function(lua_State *L)
{
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    return mt_link_call(L);
}

static void push_function(lua_State *L, uint32_t handle)
{
    struct remote *r = remote_new(L, handle);

    if (luaL_newmetatable(L, REMOTE))
        mark_metatable(L);
    lua_setmetatable(L, -2);
    r->live = true;
    lua_pushcclosure(L, call_function, 1);
}

/* The one upvalue is the name of what is asked for. */
static int call_named(lua_State *L)
{
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    return mt_link_call(L);
}

static int call_close(lua_State *L)
{
    lua_settop(L, 1);
    return call_named(L);
}

static int object_index(lua_State *L)
{
    if (lua_type(L, 2) == LUA_TSTRING) {
        if (lua_getiuservalue(L, 1, 1) == LUA_TTABLE) {
            lua_pushvalue(L, 2);
            if (lua_rawget(L, -2) != LUA_TNIL)
                return 1;
        }
        lua_settop(L, 2);
        for (int i = 1; i <= 2; i++) { /* methods, fields */
            if (lua_type(L, lua_upvalueindex(i)) != LUA_TTABLE)
                continue;
            lua_pushvalue(L, 2);
            if (lua_rawget(L, lua_upvalueindex(i)) == LUA_TFUNCTION)
                return 1;
            if (lua_toboolean(L, -1)) { /* a field that this one does not have */
                lua_pushnil(L);
                return 1;
            }
            lua_settop(L, 2);
        }
    }
    lua_pushliteral(L, "index");
    lua_insert(L, 1);
    return mt_link_call(L);
}

/* Pushes the methods and the fields of a type, or two nils. */
static void push_type(lua_State *L, const char *type)
{
    int top = lua_gettop(L);
    char name[128];

    lua_getfield(L, LUA_REGISTRYINDEX, TYPES);
    if (lua_type(L, -1) == LUA_TTABLE && lua_getfield(L, -1, type) == LUA_TTABLE) {
        lua_getfield(L, -1, "methods");
        lua_newtable(L);
        for (lua_Integer i = 1; lua_rawgeti(L, top + 3, i) == LUA_TSTRING; i++) {
            snprintf(name, sizeof name, "%s:%s", type, lua_tostring(L, -1));
            lua_pushstring(L, name);
            lua_pushcclosure(L, call_named, 1);
            lua_rawset(L, top + 4);
        }
        lua_settop(L, top + 4);
        lua_newtable(L);
        lua_getfield(L, top + 2, "fields");
        for (lua_Integer i = 1; lua_rawgeti(L, top + 6, i) == LUA_TSTRING; i++) {
            lua_pushboolean(L, 1);
            lua_rawset(L, top + 5);
        }
        lua_settop(L, top + 5);
        lua_replace(L, top + 2);
        lua_replace(L, top + 1);
        lua_settop(L, top + 2);
        return;
    }
    lua_settop(L, top);
    lua_pushnil(L);
    lua_pushnil(L);
}

static void push_metatable(lua_State *L, const char *type)
{
    static const char *const names[] = {"newindex", "call", "pairs", "tostring", "len",
                                        "unm",      "add",  "sub",   "mul",      "concat",
                                        "eq",       "lt",   "le",    NULL};
    char name[80];

    snprintf(name, sizeof name, "isolated %s", type);
    if (!luaL_newmetatable(L, name))
        return;
    mark_metatable(L);
    push_type(L, type);
    lua_pushcclosure(L, object_index, 2);
    lua_setfield(L, -2, "__index");
    for (size_t i = 0; names[i]; i++) {
        snprintf(name, sizeof name, "__%s", names[i]);
        lua_pushstring(L, names[i]);
        lua_pushcclosure(L, call_named, 1);
        lua_setfield(L, -2, name);
    }
    lua_pushliteral(L, "close");
    lua_pushcclosure(L, call_close, 1);
    lua_setfield(L, -2, "__close");
    lua_pushstring(L, type);
    lua_setfield(L, -2, "__name");
    lua_pushstring(L, *type ? type : "object");
    lua_setfield(L, -2, "__metatable");
}

static void theirs(lua_State *L, uint32_t handle, const char *type)
{
    if (!type) {
        push_function(L, handle);
        return;
    }
    struct remote *r = remote_new(L, handle);
    lua_insert(L, -2);
    lua_setiuservalue(L, -2, 1);
    push_metatable(L, type);
    lua_setmetatable(L, -2);
    r->live = true;
}

/* The other side's, if the value at the index is. */
static const struct remote *remote_at(lua_State *L, int index)
{
    const struct remote *r = NULL;

    if (lua_type(L, index) == LUA_TFUNCTION) {
        if (lua_tocfunction(L, index) == call_function && lua_getupvalue(L, index, 1)) {
            r = lua_touserdata(L, -1);
            lua_pop(L, 1);
        }
    } else if (lua_type(L, index) == LUA_TUSERDATA && lua_getmetatable(L, index)) {
        if (lua_rawgetp(L, -1, &mark) == LUA_TBOOLEAN)
            r = lua_touserdata(L, index);
        lua_pop(L, 2);
    }
    return r;
}

static uint32_t of_parent(lua_State *L, int index, bool *is_theirs)
{
    const struct remote *r = remote_at(L, index);

    *is_theirs = r != NULL;
    return r ? r->handle : give(L, index);
}

/* Functions are all that a script has of its own. */
static uint32_t of_child(lua_State *L, int index, bool *is_theirs)
{
    if (!remote_at(L, index) && lua_type(L, index) != LUA_TFUNCTION)
        mt_fault_raisef(L, MT_ERR_INVALID, "isolated.value",
                        "this does not leave an isolated "
                        "script: give it a text, a number, a "
                        "table or a function");
    return of_parent(L, index, is_theirs);
}

const struct mt_wire_handles mt_wire_of_parent = {of_parent, ours, theirs, false};
const struct mt_wire_handles mt_wire_of_child = {of_child, ours, theirs, true};

/* ---------------------------------------------------------------- types */

static void push_names(lua_State *L, const char *const *names)
{
    lua_newtable(L);
    for (lua_Integer i = 0; names[i]; i++) {
        lua_pushstring(L, names[i]);
        lua_rawseti(L, -2, i + 1);
    }
}

static void push_methods(lua_State *L, const char *type)
{
    lua_Integer n = 0;

    lua_newtable(L);
    lua_pushfstring(L, "methods of %s", type);
    if (lua_gettable(L, LUA_REGISTRYINDEX) == LUA_TTABLE) {
        for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
            lua_pushvalue(L, -2);
            lua_rawseti(L, -5, ++n);
        }
    }
    lua_pop(L, 1);
}

void mt_object_push_types(lua_State *L)
{
    static const char *const account[] = {"name", "user", "appkey", "provider", NULL};
    static const char *const conversation[] = {
        "id",        "kind",         "target",           "unread",      "pinned",
        "marks",     "pinned_time",  "mentions",         "mentions_me", "hidden",
        "mentioned", "notification", "last_unread_time", NULL};
    static const char *const message[] = {"id",   "conversation", "from", "to",     "direction",
                                          "time", "at",           "kind", "text",   "body",
                                          "ext",  "extra",        "type", "target", NULL};
    static const char *const none[] = {NULL};
    static const struct {
        const char *type;
        const char *const *fields;
    } types[] = {{MT_TYPE_ACCOUNT, account},
                 {MT_TYPE_CONVERSATION, conversation},
                 {MT_TYPE_MESSAGE_UD, message},
                 {MT_TYPE_ARCHIVE, none}};

    lua_newtable(L);
    lua_newtable(L); /* the same fields are written with each of them */
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        lua_createtable(L, 0, 2);
        push_methods(L, types[i].type);
        lua_setfield(L, -2, "methods");
        push_names(L, types[i].fields);
        if (*types[i].fields) {
            lua_pushvalue(L, -1);
            lua_setfield(L, -4, types[i].type);
        }
        lua_setfield(L, -2, "fields");
        lua_setfield(L, -3, types[i].type);
    }
    lua_setfield(L, LUA_REGISTRYINDEX, KNOWN);
}

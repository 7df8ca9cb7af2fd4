/* A message in Lua: a userdata over the C struct. A field becomes a Lua value when it is read. */
#include "script/live_int.h"

#include "base/str.h"
#include "codec/time.h"

#include <stdio.h>
#include <string.h>

struct lua_message {
    struct mt_page *page;
    const struct mt_message *message;
};

static const char *const fields[] = {
    "id",     "conversation", "from",      "to",     "direction", "time",    "at",
    "kind",   "text",         "body",      "ext",    "extra",     "raw",     "type",
    "target", "json",         "mark_read", "recall", "edit",      "readers", "readers_page"};

static struct lua_message *check(lua_State *L, int index)
{
    return luaL_checkudata(L, index, MT_TYPE_MESSAGE_UD);
}

const struct mt_message *mt_lua_message_check(lua_State *L, int index, struct mt_page **page)
{
    struct lua_message *m = check(L, index);
    *page = m->page;
    return m->message;
}

void mt_lua_message_push_at(lua_State *L, struct mt_page *page, const struct mt_message *message)
{
    struct lua_message *m = lua_newuserdatauv(L, sizeof *m, 0);
    m->page = NULL;
    luaL_setmetatable(L, MT_TYPE_MESSAGE_UD);
    m->page = mt_page_retain(page);
    m->message = message;
}

void mt_lua_message_push(lua_State *L, struct mt_page *page, size_t index)
{
    mt_lua_message_push_at(L, page, &page->messages[index]);
}

static int message_gc(lua_State *L)
{
    struct lua_message *m = lua_touserdata(L, 1);
    mt_page_release(m->page);
    m->page = NULL;
    return 0;
}

void mt_lua_value_push(lua_State *L, const struct mt_value *value)
{
    char number[24];

    luaL_checkstack(L, 4, "value");
    switch (value->type) {
    case MT_VALUE_NULL:
        lua_pushnil(L);
        break;
    case MT_VALUE_BOOL:
        lua_pushboolean(L, value->b);
        break;
    case MT_VALUE_INT:
        lua_pushinteger(L, value->i);
        break;
    case MT_VALUE_UINT:
        snprintf(number, sizeof number, "%llu", (unsigned long long)value->u);
        lua_pushstring(L, number);
        break;
    case MT_VALUE_DOUBLE:
        lua_pushnumber(L, value->d);
        break;
    case MT_VALUE_STR:
        lua_pushlstring(L, value->s ? value->s : "", value->len);
        break;
    case MT_VALUE_LIST:
        lua_createtable(L, (int)value->items_n, 0);
        for (size_t i = 0; i < value->items_n; i++) {
            mt_lua_value_push(L, &value->items[i]);
            lua_rawseti(L, -2, (lua_Integer)i + 1);
        }
        break;
    case MT_VALUE_MAP:
        lua_createtable(L, 0, (int)value->fields_n);
        for (size_t i = 0; i < value->fields_n; i++) {
            mt_lua_value_push(L, &value->fields[i].value);
            lua_setfield(L, -2, value->fields[i].key);
        }
        break;
    }
}

const struct mt_message *mt_lua_message_test(lua_State *L, int index)
{
    struct lua_message *m = luaL_testudata(L, index, MT_TYPE_MESSAGE_UD);
    return m ? m->message : NULL;
}

static void push_id(lua_State *L, const char *id)
{
    lua_pushstring(L, mt_id_is(id) ? id : "0");
}

static void push_map(lua_State *L, const struct mt_value *value)
{
    if (value->type == MT_VALUE_MAP)
        mt_lua_value_push(L, value);
    else
        lua_newtable(L);
}

static const char *type_name(enum mt_message_type type)
{
    static const char *const names[] = {"message", "edit", "recall", "receipt", "gap"};
    return names[type];
}

static int message_json(lua_State *L)
{
    struct lua_message *m = check(L, 1);
    struct mt_buf out;

    lua_settop(L, 2);
    mt_options_check(L, 2, "message:json");
    bool raw = mt_option_boolean(L, 2, "raw", false);
    mt_buf_init(&out, 64u << 20);
    if (mt_message_write(m->message, raw, &out)) {
        mt_buf_deinit(&out);
        return mt_fault_raisef(L, MT_ERR_NOMEM, "memory", "out of memory");
    }
    return mt_lua_push_buf(L, &out);
}

static bool push_text_field(lua_State *L, const struct mt_message *m, const char *key)
{
    char text[MT_CONVERSATION_ID_MAX];

    if (!strcmp(key, "from"))
        lua_pushstring(L, m->from);
    else if (!strcmp(key, "to"))
        lua_pushstring(L, m->to);
    else if (!strcmp(key, "kind"))
        lua_pushstring(L, m->kind_name ? m->kind_name : mt_message_kind_name(m->kind));
    else if (!strcmp(key, "text"))
        lua_pushlstring(L, m->text, m->text_len);
    else if (!strcmp(key, "direction"))
        lua_pushstring(L, m->sent ? "sent" : "received");
    else if (!strcmp(key, "type"))
        lua_pushstring(L, type_name(m->type));
    else if (!strcmp(key, "conversation")) {
        mt_conversation_ref_format(&m->conversation, text);
        lua_pushstring(L, text);
    } else
        return false;
    return true;
}

static int message_mark_read(lua_State *L)
{
    struct lua_message *m = check(L, 1);
    return mt_lua_message_refer(L, m->page, m->message, MT_REFER_READ);
}

static int message_recall(lua_State *L)
{
    struct lua_message *m = check(L, 1);
    return mt_lua_message_refer(L, m->page, m->message, MT_REFER_RECALL);
}

static int message_edit(lua_State *L)
{
    struct lua_message *m = check(L, 1);
    return mt_lua_message_refer(L, m->page, m->message, MT_REFER_EDIT);
}

static int message_readers_page(lua_State *L)
{
    struct lua_message *m = check(L, 1);
    return mt_lua_message_readers(L, m->page, m->message);
}

static int message_reply(lua_State *L)
{
    struct lua_message *m = check(L, 1);
    return mt_lua_reply(L, m->page, m->message);
}

static int message_index(lua_State *L)
{
    struct lua_message *ud = check(L, 1);
    const struct mt_message *m = ud->message;
    const char *key = luaL_checkstring(L, 2);
    char at[MT_TIME_RFC3339_LEN];

    if (push_text_field(L, m, key))
        return 1;
    if (!strcmp(key, "id")) {
        push_id(L, m->id);
    } else if (!strcmp(key, "target")) {
        if (mt_id_is(m->target_id))
            push_id(L, m->target_id);
        else
            lua_pushnil(L);
    } else if (!strcmp(key, "time")) {
        lua_pushinteger(L, m->time_ms);
    } else if (!strcmp(key, "at")) {
        mt_time_format(m->time_ms, at);
        lua_pushstring(L, at);
    } else if (!strcmp(key, "body")) {
        push_map(L, &m->body);
    } else if (!strcmp(key, "ext")) {
        push_map(L, &m->ext);
    } else if (!strcmp(key, "extra")) {
        push_map(L, &m->extra);
    } else if (!strcmp(key, "raw")) {
        lua_pushlstring(L, (const char *)m->raw, m->raw_len);
    } else if (lua_getfield(L, lua_upvalueindex(1), key) == LUA_TNIL) {
        const char *near = mt_str_nearest(key, fields, sizeof fields / sizeof *fields);
        return mt_fault_raisef(L, MT_ERR_INVALID, "message.field",
                               "a message has no field '%s'%s%s%s", key,
                               near ? ": did you mean '" : "", near ? near : "", near ? "'?" : "");
    }
    return 1;
}

static int message_tostring(lua_State *L)
{
    const struct mt_message *m = check(L, 1)->message;
    char at[MT_TIME_RFC3339_LEN];

    mt_time_format(m->time_ms, at);
    lua_pushfstring(L, "%s %s: %s", at, m->from ? m->from : "?", m->text ? m->text : m->kind_name);
    return 1;
}

void mt_bind_message(lua_State *L)
{
    static const luaL_Reg methods[] = {{"json", message_json},
                                       {"mark_read", message_mark_read},
                                       {"recall", message_recall},
                                       {"edit", message_edit},
                                       {"reply", message_reply},
                                       {"readers_page", message_readers_page},
                                       {NULL, NULL}};

    mt_script_type(L, MT_TYPE_MESSAGE_UD, methods, message_index, message_gc);
    luaL_getmetatable(L, MT_TYPE_MESSAGE_UD);
    lua_pushcfunction(L, message_tostring);
    lua_setfield(L, -2, "__tostring");
    lua_pop(L, 1);
}

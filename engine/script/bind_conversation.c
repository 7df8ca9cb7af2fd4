/* conversation: its fields, one page of its history, and its export into an archive. */
#include "script/live_int.h"

#include "base/mem.h"
#include "base/str.h"
#include "jobs/export.h"

#include <string.h>

#define KINDS_MAX 16

static const char *const fields[] = {"id",
                                     "kind",
                                     "target",
                                     "unread",
                                     "pinned",
                                     "marks",
                                     "last",
                                     "history",
                                     "json",
                                     "export",
                                     "history_page",
                                     "pinned_time",
                                     "send",
                                     "mark_read",
                                     "delete_messages",
                                     "delete",
                                     "pin",
                                     "mark",
                                     "join",
                                     "leave",
                                     "mentions",
                                     "mentions_me",
                                     "mentioned",
                                     "notification",
                                     "last_unread_time",
                                     "hidden",
                                     "set_notification",
                                     "fetch",
                                     "draft",
                                     "set_draft",
                                     "select"};

struct mt_lua_conversation *mt_lua_conversation_push(lua_State *L)
{
    struct mt_lua_conversation *c = lua_newuserdatauv(L, sizeof *c, 0);
    memset(c, 0, sizeof *c);
    luaL_setmetatable(L, MT_TYPE_CONVERSATION);
    return c;
}

struct mt_lua_conversation *mt_lua_conversation_check(lua_State *L, int index)
{
    return luaL_checkudata(L, index, MT_TYPE_CONVERSATION);
}

static int conversation_gc(lua_State *L)
{
    struct mt_lua_conversation *c = lua_touserdata(L, 1);
    mt_page_release(c->page);
    c->page = NULL;
    return 0;
}

/* ---------------------------------------------------------------- fields */

/* What not every cloud says. False: the key is none of these. */
static bool push_settings(lua_State *L, const struct mt_conversation *listed, const char *key)
{
    const struct mt_mentions *mentions =
        listed && listed->mentions.known ? &listed->mentions : NULL;

    if (!strcmp(key, "mentions") && mentions)
        lua_pushinteger(L, mentions->n);
    else if (!strcmp(key, "mentions_me") && mentions)
        lua_pushinteger(L, mentions->me);
    else if (!strcmp(key, "notification"))
        lua_pushstring(L, listed ? mt_notification_name(listed->notification) : NULL);
    else if (!strcmp(key, "last_unread_time") && listed && listed->last_unread_ms)
        lua_pushinteger(L, listed->last_unread_ms);
    else if (!strcmp(key, "hidden"))
        lua_pushboolean(L, listed && listed->hidden);
    else if (!strcmp(key, "mentioned") && mentions && mentions->any) {
        lua_createtable(L, 0, 2);
        lua_pushboolean(L, mentions->all);
        lua_setfield(L, -2, "all");
        lua_newtable(L);
        for (lua_Integer i = 0; mentions->users && mentions->users[i]; i++) {
            lua_pushstring(L, mentions->users[i]);
            lua_rawseti(L, -2, i + 1);
        }
        lua_setfield(L, -2, "users");
    } else
        return false;
    return true;
}

static void push_listed(lua_State *L, struct mt_lua_conversation *c, const char *key)
{
    const struct mt_conversation *listed = c->page ? &c->page->conversations[c->index] : NULL;

    if (push_settings(L, listed, key))
        return;

    if (!strcmp(key, "unread") && listed && listed->unread >= 0)
        lua_pushinteger(L, listed->unread);
    else if (!strcmp(key, "pinned"))
        lua_pushboolean(L, listed && listed->pinned);
    else if (!strcmp(key, "pinned_time") && listed && listed->pinned_ms)
        lua_pushinteger(L, listed->pinned_ms);
    else if (!strcmp(key, "last") && listed && listed->last)
        mt_lua_message_push_at(L, c->page, listed->last);
    else if (!strcmp(key, "marks")) {
        lua_newtable(L);
        for (size_t i = 0; listed && i < listed->marks_n; i++) {
            lua_pushinteger(L, listed->marks[i]);
            lua_rawseti(L, -2, (lua_Integer)i + 1);
        }
    } else
        lua_pushnil(L);
}

static int conversation_index(lua_State *L)
{
    struct mt_lua_conversation *c = mt_lua_conversation_check(L, 1);
    const char *key = luaL_checkstring(L, 2);
    char id[MT_CONVERSATION_ID_MAX];

    if (!strcmp(key, "id")) {
        mt_conversation_ref_format(&c->ref, id);
        lua_pushstring(L, id);
    } else if (!strcmp(key, "kind")) {
        lua_pushstring(L, mt_conversation_kind_name(c->ref.kind));
    } else if (!strcmp(key, "target")) {
        lua_pushstring(L, c->ref.target);
    } else if (lua_getfield(L, lua_upvalueindex(1), key) == LUA_TNIL) {
        bool known = false;
        for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
            known = known || !strcmp(fields[i], key);
        if (!known) {
            const char *near = mt_str_nearest(key, fields, sizeof fields / sizeof *fields);
            return mt_fault_raisef(
                L, MT_ERR_INVALID, "conversation.field", "a conversation has no field '%s'%s%s%s",
                key, near ? ": did you mean '" : "", near ? near : "", near ? "'?" : "");
        }
        push_listed(L, c, key);
    }
    return 1;
}

static int conversation_json(lua_State *L)
{
    struct mt_lua_conversation *c = mt_lua_conversation_check(L, 1);
    struct mt_conversation bare;
    struct mt_buf out;

    lua_settop(L, 2);
    mt_options_check(L, 2, "conversation:json");
    bool raw = mt_option_boolean(L, 2, "raw", false);
    memset(&bare, 0, sizeof bare);
    bare.ref = c->ref;
    bare.unread = -1;
    mt_buf_init(&out, 64u << 20);
    if (mt_conversation_write(c->page ? &c->page->conversations[c->index] : &bare, raw, &out)) {
        mt_buf_deinit(&out);
        return mt_fault_raisef(L, MT_ERR_NOMEM, "memory", "out of memory");
    }
    return mt_lua_push_buf(L, &out);
}

/* ---------------------------------------------------------------- one page */

struct page_wait {
    struct mt_wait wait;
    struct mt_provider_call *call;
    const struct mt_provider *provider;
    struct mt_provider_account *account;
    struct mt_page *page;
    char cursor[64];
    bool has_cursor;
    bool is_last;
};

static void page_release(struct mt_wait *wait)
{
    mt_page_release(((struct page_wait *)wait)->page);
    ((struct page_wait *)wait)->page = NULL;
}

static void page_cancel(struct mt_wait *wait)
{
    struct page_wait *w = (struct page_wait *)wait;
    w->provider->cancel(w->call);
}

static void page_came(void *ud, enum mt_rc rc, const struct mt_history_page *page,
                      const struct mt_fault *fault)
{
    struct page_wait *w = ud;

    if (!rc) {
        w->page = mt_page_of_messages(page->items, page->n);
        if (w->page) {
            w->page->provider = w->provider;
            w->page->account = w->account;
        }
        if (!w->page)
            rc = MT_ERR_NOMEM;
        w->has_cursor = page->cursor != NULL;
        snprintf(w->cursor, sizeof w->cursor, "%s", page->cursor ? page->cursor : "");
        w->is_last = page->is_last;
    }
    mt_wait_wake(&w->wait, rc, fault);
}

static int page_more(lua_State *L, int status, lua_KContext ctx)
{
    struct page_wait *w = (struct page_wait *)ctx;
    lua_Integer n = 0;

    (void)status;
    mt_wait_check(L, &w->wait);
    lua_createtable(L, 0, 3);
    lua_createtable(L, (int)w->page->n, 0);
    for (size_t i = 0; i < w->page->n; i++) {
        if (w->page->messages[i].type == MT_TYPE_RECEIPT)
            continue;
        mt_lua_message_push(L, w->page, i);
        lua_rawseti(L, -2, ++n);
    }
    lua_setfield(L, -2, "messages");
    if (w->has_cursor) {
        lua_pushstring(L, w->cursor);
        lua_setfield(L, -2, "cursor");
    }
    lua_pushboolean(L, w->is_last);
    lua_setfield(L, -2, "is_last");
    return 1;
}

int mt_lua_history_page(lua_State *L)
{
    struct mt_lua_conversation *c = mt_lua_conversation_check(L, 1);
    struct mt_history_query query;
    const char *kinds[KINDS_MAX + 1];

    lua_settop(L, 2);
    mt_options_check(L, 2, "conversation:history_page");
    memset(&query, 0, sizeof query);
    query.conversation = c->ref;
    query.cursor = mt_option_string(L, 2, "cursor", NULL);
    query.limit = (int)mt_option_integer(L, 2, "limit", 0);
    query.oldest_first = !strcmp(mt_option_string(L, 2, "order", "newest"), "oldest");
    query.since_ms = mt_option_time(L, 2, "since", 0);
    query.until_ms = mt_option_time(L, 2, "until", 0);
    query.from = mt_option_string(L, 2, "from", NULL);
    query.kinds = mt_option_list(L, 2, "kinds", kinds, KINDS_MAX) ? kinds : NULL;
    mt_task_may_wait(L);
    struct page_wait *w = mt_wait_new(L, sizeof *w, page_release);
    w->provider = c->provider;
    w->account = c->account;
    w->wait.cancel = page_cancel;
    mt_wait_of_account(&w->wait, c->account);
    enum mt_rc rc = c->provider->history(c->account, &query, page_came, w, &w->call);
    if (rc)
        return mt_fault_raisef(L, rc, "history.failed", "the history cannot be asked for: %s",
                               mt_rc_name(rc));
    return mt_task_wait(L, &w->wait, page_more);
}

/* ---------------------------------------------------------------- export */

struct export_wait {
    struct mt_wait wait;
    struct mt_export *run;
    struct mt_export_result result;
};

static void export_cancel(struct mt_wait *wait)
{
    mt_export_cancel(((struct export_wait *)wait)->run);
}

static void exported(void *ud, enum mt_rc rc, const struct mt_export_result *result,
                     const struct mt_fault *fault)
{
    struct export_wait *w = ud;
    w->result = *result;
    mt_wait_wake(&w->wait, rc, fault);
}

static void put_integer(lua_State *L, const char *key, uint64_t v)
{
    lua_pushinteger(L, (lua_Integer)v);
    lua_setfield(L, -2, key);
}

static int export_more(lua_State *L, int status, lua_KContext ctx)
{
    struct export_wait *w = (struct export_wait *)ctx;
    const struct mt_export_result *r = &w->result;

    (void)status;
    mt_wait_check(L, &w->wait);
    lua_createtable(L, 0, 9);
    put_integer(L, "added", r->added_n);
    put_integer(L, "known", r->known_n);
    put_integer(L, "edits", r->edits_n);
    put_integer(L, "recalls", r->recalls_n);
    put_integer(L, "gaps", r->gaps_n);
    put_integer(L, "filtered", r->filtered_n);
    put_integer(L, "pages", r->pages_n);
    put_integer(L, "bytes", r->bytes);
    lua_pushboolean(L, r->complete);
    lua_setfield(L, -2, "complete");
    return 1;
}

int mt_lua_export(lua_State *L)
{
    struct mt_lua_conversation *c = mt_lua_conversation_check(L, 1);
    struct mt_writer *writer = mt_lua_archive_writer(L, 2);
    struct mt_export_options options;
    const char *kinds[KINDS_MAX + 1];
    struct mt_fault fault;

    lua_settop(L, 3);
    mt_options_check(L, 3, "conversation:export");
    memset(&options, 0, sizeof options);
    options.conversation = c->ref;
    options.since_ms = mt_option_time(L, 3, "since", 0);
    options.until_ms = mt_option_time(L, 3, "until", 0);
    options.window_ms = mt_option_duration(L, 3, "window", -1);
    options.parallel = (unsigned)mt_option_integer(L, 3, "parallel", 0);
    options.budget = mt_script_of(L)->host->budget;
    options.from = mt_option_string(L, 3, "from", NULL);
    options.kinds = mt_option_list(L, 3, "kinds", kinds, KINDS_MAX) ? kinds : NULL;
    options.min_size_bytes = mt_option_integer(L, 3, "min_size", 0);
    options.max_size_bytes = mt_option_integer(L, 3, "max_size", 0);
    mt_task_may_wait(L);
    struct export_wait *w = mt_wait_new(L, sizeof *w, NULL);
    w->wait.cancel = export_cancel;
    mt_wait_of_account(&w->wait, c->account);
    if (mt_export_start(mt_script_of(L)->host->loop, c->provider, c->account, writer, &options,
                        NULL, exported, w, &w->run, &fault))
        return mt_fault_raise(L, &fault);
    return mt_task_wait(L, &w->wait, export_more);
}

void mt_bind_conversation(lua_State *L)
{
    static const luaL_Reg methods[] = {{"history", mt_lua_history},
                                       {"history_page", mt_lua_history_page},
                                       {"export", mt_lua_export},
                                       {"send", mt_lua_send},
                                       {"mark_read", mt_lua_mark_read},
                                       {"delete_messages", mt_lua_delete_messages},
                                       {"delete", mt_lua_delete_conversation},
                                       {"pin", mt_lua_pin},
                                       {"mark", mt_lua_mark},
                                       {"set_notification", mt_lua_set_notification},
                                       {"json", conversation_json},
                                       {NULL, NULL}};
    mt_script_type(L, MT_TYPE_CONVERSATION, methods, conversation_index, conversation_gc);
}

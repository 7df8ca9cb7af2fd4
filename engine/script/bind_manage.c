/* What a script does with an account's own view of the server: pins, marks; and who has read a
 * message. What it deletes is bind_delete.c. */
#include "script/manage_int.h"

#include "base/arena.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

/* ---------------------------------------------------------------- one request */

static void manage_release(struct mt_wait *wait)
{
    struct mt_manage_wait *w = (struct mt_manage_wait *)wait;

    mt_mem_free(w->keys);
    mt_mem_free(w->ids);
    mt_arena_free(w->senders);
    w->senders = NULL;
    w->keys = NULL;
    w->ids = NULL;
}

static void manage_cancel(struct mt_wait *wait)
{
    struct mt_manage_wait *w = (struct mt_manage_wait *)wait;

    if (w->audited.intending)
        w->audited.stopped = true;
    else
        w->provider->cancel(w->call);
}

void mt_manage_done(void *ud, enum mt_rc rc, const struct mt_fault *fault)
{
    struct mt_manage_wait *w = ud;

    mt_audited_end(&w->audited, rc, NULL, fault);
    mt_wait_wake(&w->wait, rc, fault);
}

static int managed_more(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    mt_wait_check(L, (struct mt_wait *)ctx);
    return 0;
}

struct mt_manage_wait *mt_manage_wait_new(lua_State *L, const struct mt_provider *provider,
                                          struct mt_provider_account *account)
{
    struct mt_manage_wait *w = mt_wait_new(L, sizeof *w, manage_release);

    w->wait.cancel = manage_cancel;
    mt_wait_of_account(&w->wait, account);
    w->provider = provider;
    w->account = account;
    return w;
}

int mt_manage_wait(lua_State *L, struct mt_manage_wait *w, enum mt_rc rc)
{
    if (rc)
        return mt_fault_raisef(L, rc, "memory", "out of memory");
    return mt_task_wait(L, &w->wait, managed_more);
}

const struct mt_provider_live *mt_manage_live(lua_State *L, const struct mt_provider *provider,
                                              const char *function)
{
    static const struct mt_provider_live none; /* never looked into: raising does not return */

    if (provider->live)
        return provider->live;
    mt_fault_raisef(L, MT_ERR_UNSUPPORTED, "unsupported", "%s: %s accounts cannot do that",
                    function, provider->name);
    return &none;
}

/* ---------------------------------------------------------------- conversations */

int mt_lua_pin(lua_State *L)
{
    struct mt_lua_conversation *c = mt_lua_conversation_check(L, 1);
    bool pinned = lua_isnoneornil(L, 2) || lua_toboolean(L, 2);

    const struct mt_provider_live *live = mt_manage_live(L, c->provider, "conversation:pin");
    mt_task_may_wait(L);
    struct mt_manage_wait *w = mt_manage_wait_new(L, c->provider, c->account);
    return mt_manage_wait(L, w,
                          live->pin(c->account, &c->ref, pinned, mt_manage_done, w, &w->call));
}

int mt_lua_mark(lua_State *L)
{
    struct mt_lua_conversation *c = mt_lua_conversation_check(L, 1);
    lua_Integer mark = luaL_checkinteger(L, 2);
    bool on = lua_isnoneornil(L, 3) || lua_toboolean(L, 3);

    const struct mt_provider_live *live = mt_manage_live(L, c->provider, "conversation:mark");
    mt_task_may_wait(L);
    struct mt_manage_wait *w = mt_manage_wait_new(L, c->provider, c->account);
    return mt_manage_wait(L, w,
                          live->mark(c->account, &c->ref, mark < 0 || mark > 1000 ? -1 : (int)mark,
                                     on, mt_manage_done, w, &w->call));
}

int mt_lua_set_notification(lua_State *L)
{
    struct mt_lua_conversation *c = mt_lua_conversation_check(L, 1);
    const char *name = luaL_checkstring(L, 2);
    const char *names[MT_NOTIFICATIONS_N];
    size_t n = 0;

    for (int i = MT_NOTIFY_DEFAULT; i < MT_NOTIFICATIONS_N; i++)
        names[n++] = mt_notification_name((enum mt_notification)i);
    enum mt_notification level = mt_notification_find(name);
    if (level == MT_NOTIFY_UNKNOWN) {
        const char *near = mt_str_nearest(name, names, n);
        return mt_fault_raisef(L, MT_ERR_INVALID, "notification.level",
                               "conversation:set_notification: there is no '%s'%s%s%s: there are "
                               "default, all, mentions, mentions_me, mentions_all and none",
                               name, near ? " (did you mean '" : "", near ? near : "",
                               near ? "'?)" : "");
    }
    const struct mt_provider_live *live =
        mt_manage_live(L, c->provider, "conversation:set_notification");
    if (!live->set_notification)
        return mt_fault_raisef(L, MT_ERR_UNSUPPORTED, "unsupported",
                               "conversation:set_notification: %s accounts cannot do that",
                               c->provider->name);
    mt_task_may_wait(L);
    struct mt_manage_wait *w = mt_manage_wait_new(L, c->provider, c->account);
    return mt_manage_wait(
        L, w, live->set_notification(c->account, &c->ref, level, mt_manage_done, w, &w->call));
}

/* ---------------------------------------------------------------- who has read a message */

struct readers_wait {
    struct mt_wait wait;
    const struct mt_provider *provider;
    struct mt_provider_call *call;
    struct mt_reader_of *items; /* one allocation with its strings */
    size_t n;
    int64_t total;
    char *cursor;
};

static void readers_release(struct mt_wait *wait)
{
    struct readers_wait *w = (struct readers_wait *)wait;

    mt_mem_free(w->items);
    mt_mem_free(w->cursor);
    w->items = NULL;
    w->cursor = NULL;
}

static void readers_cancel(struct mt_wait *wait)
{
    struct readers_wait *w = (struct readers_wait *)wait;

    w->provider->cancel(w->call);
}

static enum mt_rc keep_readers(struct readers_wait *w, const struct mt_readers_page *page)
{
    size_t text = 0;

    for (size_t i = 0; i < page->n; i++)
        text += strlen(page->items[i].user) + 1;
    w->items = mt_mem_alloc(page->n * sizeof *w->items + text + 1);
    w->cursor = page->cursor ? mt_mem_strdup(page->cursor) : NULL;
    if (!w->items || (page->cursor && !w->cursor))
        return MT_ERR_NOMEM;
    char *at = (char *)(w->items + page->n);
    for (size_t i = 0; i < page->n; i++) {
        size_t len = strlen(page->items[i].user) + 1;
        w->items[i] = page->items[i];
        w->items[i].user = memcpy(at, page->items[i].user, len);
        at += len;
    }
    w->n = page->n;
    w->total = page->total;
    return MT_OK;
}

static void readers_came(void *ud, enum mt_rc rc, const struct mt_readers_page *page,
                         const struct mt_fault *fault)
{
    struct readers_wait *w = ud;

    if (!rc)
        rc = keep_readers(w, page);
    mt_wait_wake(&w->wait, rc, fault);
}

static int readers_more(lua_State *L, int status, lua_KContext ctx)
{
    struct readers_wait *w = (struct readers_wait *)ctx;

    (void)status;
    mt_wait_check(L, &w->wait);
    lua_createtable(L, 0, 3);
    lua_createtable(L, (int)w->n, 0);
    for (size_t i = 0; i < w->n; i++) {
        lua_createtable(L, 0, 2);
        lua_pushstring(L, w->items[i].user);
        lua_setfield(L, -2, "user");
        if (w->items[i].time_ms) {
            lua_pushinteger(L, w->items[i].time_ms);
            lua_setfield(L, -2, "time");
        }
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "readers");
    if (w->total >= 0) {
        lua_pushinteger(L, w->total);
        lua_setfield(L, -2, "total");
    }
    lua_pushstring(L, w->cursor);
    lua_setfield(L, -2, "cursor");
    return 1;
}

int mt_lua_message_readers(lua_State *L, const struct mt_page *page, const struct mt_message *m)
{
    lua_settop(L, 2);
    mt_options_check(L, 2, "message:readers_page");
    if (!page->account)
        return mt_fault_raisef(L, MT_ERR_STATE, "message.detached",
                               "the message is not of a live account's conversation");
    const char *cursor = mt_option_string(L, 2, "cursor", NULL);
    int limit = (int)mt_option_integer(L, 2, "limit", 0);
    const struct mt_provider_live *live = mt_manage_live(L, page->provider, "message:readers_page");
    mt_task_may_wait(L);
    struct readers_wait *w = mt_wait_new(L, sizeof *w, readers_release);
    w->wait.cancel = readers_cancel;
    mt_wait_of_account(&w->wait, page->account);
    w->provider = page->provider;
    struct mt_message_key key = mt_message_key_of(m);
    enum mt_rc rc = live->readers(page->account, &m->conversation, &key, cursor, limit,
                                  readers_came, w, &w->call);
    if (rc)
        return mt_fault_raisef(L, rc, "memory", "out of memory");
    return mt_task_wait(L, &w->wait, readers_more);
}

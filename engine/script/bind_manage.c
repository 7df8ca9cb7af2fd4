/* What a script does with an account's own view of the server: deleting, pins, marks; and who has
 * read a message. */
#include "script/audit_int.h"
#include "script/live_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

#define IDS_MAX          10000000
#define CLOCKS_DIFFER_MS 5000

/* ---------------------------------------------------------------- one request */

struct manage_wait {
    struct mt_wait wait;
    const struct mt_provider *provider;
    const struct mt_provider_live *live;
    struct mt_provider_account *account;
    struct mt_conversation_ref ref;
    struct mt_provider_call *call;
    struct mt_audited audited;
    int64_t before_ms;           /* delete_messages { before } */
    bool history;                /* delete { history } */
    char why[200];               /* the script's word on it */
    struct mt_message_key *keys; /* delete_messages { ids }: all of them */
    char (*ids)[MT_ID_MAX];
    size_t n, at;
    unsigned calls_n;
};

static void manage_release(struct mt_wait *wait)
{
    struct manage_wait *w = (struct manage_wait *)wait;

    mt_mem_free(w->keys);
    mt_mem_free(w->ids);
    w->keys = NULL;
    w->ids = NULL;
}

static void manage_cancel(struct mt_wait *wait)
{
    struct manage_wait *w = (struct manage_wait *)wait;

    if (w->audited.intending)
        w->audited.stopped = true;
    else
        w->provider->cancel(w->call);
}

static void managed(void *ud, enum mt_rc rc, const struct mt_fault *fault)
{
    struct manage_wait *w = ud;

    mt_audited_end(&w->audited, rc, NULL, fault);
    mt_wait_wake(&w->wait, rc, fault);
}

static int managed_more(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    mt_wait_check(L, (struct mt_wait *)ctx);
    return 0;
}

static struct manage_wait *wait_new(lua_State *L, const struct mt_provider *provider,
                                    struct mt_provider_account *account)
{
    struct manage_wait *w = mt_wait_new(L, sizeof *w, manage_release);

    w->wait.cancel = manage_cancel;
    mt_wait_of_account(&w->wait, account);
    w->provider = provider;
    w->account = account;
    return w;
}

static int wait_for(lua_State *L, struct manage_wait *w, enum mt_rc rc)
{
    if (rc)
        return mt_fault_raisef(L, rc, "memory", "out of memory");
    return mt_task_wait(L, &w->wait, managed_more);
}

/* What the cloud can do; raises when it is nothing. */
static const struct mt_provider_live *live_of(lua_State *L, const struct mt_provider *provider,
                                              const char *function)
{
    static const struct mt_provider_live none; /* never looked into: raising does not return */

    if (provider->live)
        return provider->live;
    mt_fault_raisef(L, MT_ERR_UNSUPPORTED, "unsupported", "%s: %s accounts cannot do that",
                    function, provider->name);
    return &none;
}

/* ---------------------------------------------------------------- deleting messages */

static void next_ids(void *ud, enum mt_rc rc, const struct mt_fault *fault);

static const char *why_of(const struct manage_wait *w)
{
    return w->why[0] ? w->why : NULL;
}

static size_t next_n(const struct manage_wait *w)
{
    size_t left = w->n - w->at;
    return left < w->live->delete_max ? left : w->live->delete_max;
}

/* before: how many are deleted for certain. */
static void ids_ended(struct manage_wait *w, size_t before, enum mt_rc rc,
                      const struct mt_fault *fault)
{
    struct mt_fault told;

    mt_audited_end(&w->audited, rc, NULL, fault);
    if (fault)
        told = *fault;
    else if (rc == MT_ERR_NOMEM)
        (void)mt_fault_set(&told, rc, "memory", "out of memory");
    else
        (void)mt_fault_set(&told, rc, mt_rc_name(rc), "%s", mt_rc_name(rc));
    if (rc && before)
        mt_fault_prefix(&told, "after the first %zu of %zu", before, w->n);
    mt_wait_wake(&w->wait, rc, &told);
}

/* The intent of these ids is durable, or cannot be. */
static void delete_next(void *ud, enum mt_rc rc, const struct mt_fault *fault)
{
    struct manage_wait *w = ud;
    size_t before = w->at;

    if (!rc && w->audited.stopped)
        rc = MT_ERR_CANCELLED;
    if (!rc) {
        size_t n = next_n(w);
        w->at += n;
        w->calls_n++;
        rc = w->live->delete_ids(w->account, &w->ref, w->keys + before, n, next_ids, w, &w->call);
    }
    if (rc)
        ids_ended(w, before, rc, fault);
}

static enum mt_rc start_ids(struct manage_wait *w)
{
    return mt_audited_go(&w->audited, w->keys + w->at, next_n(w), why_of(w), NULL, delete_next, w);
}

static void next_ids(void *ud, enum mt_rc rc, const struct mt_fault *fault)
{
    struct manage_wait *w = ud;

    if (rc || w->at == w->n) {
        ids_ended(w, (w->calls_n - 1) * (size_t)w->live->delete_max, rc, fault);
        return;
    }
    mt_audited_end(&w->audited, MT_OK, NULL, NULL);
    rc = start_ids(w);
    if (rc)
        ids_ended(w, w->at, rc, NULL);
}

static int ids_more(lua_State *L, int status, lua_KContext ctx)
{
    struct manage_wait *w = (struct manage_wait *)ctx;

    (void)status;
    mt_wait_check(L, &w->wait);
    lua_createtable(L, 0, 2);
    lua_pushinteger(L, (lua_Integer)w->n);
    lua_setfield(L, -2, "ids");
    lua_pushinteger(L, w->calls_n);
    lua_setfield(L, -2, "calls");
    return 1;
}

/* What ids[i] names: an id, or a message, of which more is known. The texts live as long as the
 * value in the list. */
static struct mt_message_key key_at(lua_State *L, lua_Integer i, const struct manage_wait *w)
{
    struct mt_message_key key = {.id = NULL};
    const struct mt_message *m = NULL;

    if (lua_rawgeti(L, -1, i) == LUA_TSTRING)
        key.id = lua_tostring(L, -1);
    else if ((m = mt_lua_message_test(L, -1)))
        key = mt_message_key_of(m);
    if (!mt_id_is(key.id) || !strcmp(key.id, "0") || strlen(key.id) >= MT_ID_MAX)
        mt_fault_raisef(L, MT_ERR_INVALID, "delete.ids",
                        "conversation:delete_messages: ids[%lld] is no message id: it must be a "
                        "string, as message.id is, or the message",
                        (long long)i);
    if (!key.time_ms && w->live->locate && !w->live->locate(w->account, &key))
        mt_fault_raisef(L, MT_ERR_INVALID, "delete.needs_message",
                        "conversation:delete_messages: this cloud does not find a message by its "
                        "id alone, and ids[%lld] was not seen lately: give the message instead",
                        (long long)i);
    lua_pop(L, 1);
    return key;
}

static void take_why(lua_State *L, struct manage_wait *w)
{
    const char *why = mt_option_string(L, 2, "why", NULL);

    if (why)
        snprintf(w->why, sizeof w->why, "%.*s",
                 (int)mt_str_utf8_cut(why, strlen(why), sizeof w->why - 1), why);
}

static int delete_by_ids(lua_State *L, struct mt_lua_conversation *c,
                         const struct mt_provider_live *live)
{
    lua_getfield(L, 2, "ids");
    lua_Integer n = luaL_len(L, -1);

    if (n < 1 || n > IDS_MAX)
        return mt_fault_raisef(L, MT_ERR_INVALID, "delete.ids",
                               "conversation:delete_messages: 1 to %d ids, not %lld", IDS_MAX,
                               (long long)n);
    struct manage_wait look = {.live = live, .account = c->account};
    for (lua_Integer i = 1; i <= n; i++) /* nothing is deleted when one of them is no id */
        (void)key_at(L, i, &look);
    mt_grant_check_delete(L, n, "conversation:delete_messages");
    struct manage_wait *w = wait_new(L, c->provider, c->account);
    w->live = live;
    w->ref = c->ref;
    w->keys = mt_mem_calloc((size_t)n, sizeof *w->keys);
    w->ids = mt_mem_calloc((size_t)n, sizeof *w->ids);
    if (!w->keys || !w->ids)
        return mt_fault_raisef(L, MT_ERR_NOMEM, "memory", "out of memory");
    lua_pushvalue(L, -2); /* the ids again, over the wait */
    for (; w->n < (size_t)n; w->n++) {
        w->keys[w->n] = key_at(L, (lua_Integer)w->n + 1, w);
        const char *id = w->keys[w->n].id ? w->keys[w->n].id : "";
        snprintf(w->ids[w->n], sizeof w->ids[w->n], "%s", id);
        w->keys[w->n].id = w->ids[w->n];
        w->keys[w->n].from = NULL;
    }
    lua_pop(L, 1);
    take_why(L, w);
    mt_audited_init(L, &w->audited, c->provider, c->account, &c->ref, "delete_messages", false);
    enum mt_rc rc = start_ids(w);
    if (rc)
        return mt_fault_raisef(L, rc, "memory", "out of memory");
    return mt_task_wait(L, &w->wait, ids_more);
}

/* Its intent is durable, or cannot be. */
static bool goes(struct manage_wait *w, enum mt_rc rc, const struct mt_fault *fault)
{
    if (!rc && w->audited.stopped)
        rc = MT_ERR_CANCELLED;
    if (rc)
        managed(w, rc, fault);
    return !rc;
}

static void delete_before_now(void *ud, enum mt_rc rc, const struct mt_fault *fault)
{
    struct manage_wait *w = ud;

    if (!goes(w, rc, fault))
        return;
    rc = w->live->delete_before(w->account, &w->ref, w->before_ms, managed, w, &w->call);
    if (rc)
        managed(w, rc, NULL);
}

static void delete_conversation_now(void *ud, enum mt_rc rc, const struct mt_fault *fault)
{
    struct manage_wait *w = ud;

    if (!goes(w, rc, fault))
        return;
    rc = w->live->delete_conversation(w->account, &w->ref, w->history, managed, w, &w->call);
    if (rc)
        managed(w, rc, NULL);
}

static void delete_everything_now(void *ud, enum mt_rc rc, const struct mt_fault *fault)
{
    struct manage_wait *w = ud;

    if (!goes(w, rc, fault))
        return;
    rc = w->live->delete_all(w->account, managed, w, &w->call);
    if (rc)
        managed(w, rc, NULL);
}

static int delete_by_time(lua_State *L, struct mt_lua_conversation *c,
                          const struct mt_provider_live *live)
{
    int64_t before_ms = mt_option_time(L, 2, "before", 0);

    /* A time that the cloud gave may lie a little ahead of this clock. */
    if (before_ms > mt_clock_wall_ms() + CLOCKS_DIFFER_MS)
        return mt_fault_raisef(L, MT_ERR_INVALID, "delete.future",
                               "conversation:delete_messages: before lies in the future: what "
                               "comes meanwhile would be deleted unseen");
    mt_grant_check_delete(L, -1, "conversation:delete_messages");
    struct manage_wait *w = wait_new(L, c->provider, c->account);
    char detail[64];
    w->live = live;
    w->ref = c->ref;
    w->before_ms = before_ms;
    take_why(L, w);
    mt_audited_init(L, &w->audited, c->provider, c->account, &c->ref, "delete_messages", false);
    snprintf(detail, sizeof detail, "{\"before\":%lld}", (long long)before_ms);
    return wait_for(L, w,
                    mt_audited_go(&w->audited, NULL, 0, why_of(w), detail, delete_before_now, w));
}

int mt_lua_delete_messages(lua_State *L)
{
    struct mt_lua_conversation *c = mt_lua_conversation_check(L, 1);

    lua_settop(L, 2);
    luaL_checktype(L, 2, LUA_TTABLE);
    mt_options_check(L, 2, "conversation:delete_messages");
    const struct mt_provider_live *live = live_of(L, c->provider, "conversation:delete_messages");
    mt_task_may_wait(L);
    bool ids = lua_getfield(L, 2, "ids") != LUA_TNIL;
    bool before = lua_getfield(L, 2, "before") != LUA_TNIL;
    lua_pop(L, 2);
    if (ids == before)
        return mt_fault_raisef(L, MT_ERR_INVALID, "delete.which",
                               "conversation:delete_messages takes either ids or before");
    return ids ? delete_by_ids(L, c, live) : delete_by_time(L, c, live);
}

/* ---------------------------------------------------------------- conversations */

int mt_lua_delete_conversation(lua_State *L)
{
    struct mt_lua_conversation *c = mt_lua_conversation_check(L, 1);

    lua_settop(L, 2);
    mt_options_check(L, 2, "conversation:delete");
    bool history = mt_option_boolean(L, 2, "history", false);
    const struct mt_provider_live *live = live_of(L, c->provider, "conversation:delete");
    mt_task_may_wait(L);
    mt_grant_check_delete(L, history ? -1 : 0, "conversation:delete");
    struct manage_wait *w = wait_new(L, c->provider, c->account);
    w->live = live;
    w->ref = c->ref;
    w->history = history;
    take_why(L, w);
    mt_audited_init(L, &w->audited, c->provider, c->account, &c->ref, "delete", false);
    return wait_for(L, w,
                    mt_audited_go(&w->audited, NULL, 0, why_of(w),
                                  history ? "{\"history\":true}" : "{\"history\":false}",
                                  delete_conversation_now, w));
}

int mt_lua_delete_everything(lua_State *L)
{
    struct mt_lua_account *account = mt_lua_account_check(L, 1);

    const struct mt_provider_live *live =
        live_of(L, account->provider, "account:delete_everything");
    mt_task_may_wait(L);
    mt_grant_check_delete(L, -1, "account:delete_everything");
    struct manage_wait *w = wait_new(L, account->provider, account->account);
    w->live = live;
    mt_audited_init(L, &w->audited, account->provider, account->account, NULL, "delete_everything",
                    false);
    return wait_for(L, w,
                    mt_audited_go(&w->audited, NULL, 0, NULL, NULL, delete_everything_now, w));
}

int mt_lua_pin(lua_State *L)
{
    struct mt_lua_conversation *c = mt_lua_conversation_check(L, 1);
    bool pinned = lua_isnoneornil(L, 2) || lua_toboolean(L, 2);

    const struct mt_provider_live *live = live_of(L, c->provider, "conversation:pin");
    mt_task_may_wait(L);
    struct manage_wait *w = wait_new(L, c->provider, c->account);
    return wait_for(L, w, live->pin(c->account, &c->ref, pinned, managed, w, &w->call));
}

int mt_lua_mark(lua_State *L)
{
    struct mt_lua_conversation *c = mt_lua_conversation_check(L, 1);
    lua_Integer mark = luaL_checkinteger(L, 2);
    bool on = lua_isnoneornil(L, 3) || lua_toboolean(L, 3);

    const struct mt_provider_live *live = live_of(L, c->provider, "conversation:mark");
    mt_task_may_wait(L);
    struct manage_wait *w = wait_new(L, c->provider, c->account);
    return wait_for(L, w,
                    live->mark(c->account, &c->ref, mark < 0 || mark > 1000 ? -1 : (int)mark, on,
                               managed, w, &w->call));
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
    const struct mt_provider_live *live = live_of(L, c->provider, "conversation:set_notification");
    if (!live->set_notification)
        return mt_fault_raisef(L, MT_ERR_UNSUPPORTED, "unsupported",
                               "conversation:set_notification: %s accounts cannot do that",
                               c->provider->name);
    mt_task_may_wait(L);
    struct manage_wait *w = wait_new(L, c->provider, c->account);
    return wait_for(L, w, live->set_notification(c->account, &c->ref, level, managed, w, &w->call));
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
    const struct mt_provider_live *live = live_of(L, page->provider, "message:readers_page");
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

/* What a script deletes from an account's own view of the server. Each request is looked at by the
 * holds and written down first (audit.c). */
#include "script/manage_int.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

#define IDS_MAX          10000000
#define CLOCKS_DIFFER_MS 5000
#define SENDERS_MAX      ((size_t)1 << 30)

/* ---------------------------------------------------------------- deleting messages */

static void next_ids(void *ud, enum mt_rc rc, const struct mt_fault *fault);

static const char *why_of(const struct mt_manage_wait *w)
{
    return w->why[0] ? w->why : NULL;
}

static size_t next_n(const struct mt_manage_wait *w)
{
    size_t left = w->n - w->at;
    return left < w->live->delete_max ? left : w->live->delete_max;
}

/* before: how many are deleted for certain. */
static void ids_ended(struct mt_manage_wait *w, size_t before, enum mt_rc rc,
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
    struct mt_manage_wait *w = ud;
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

static enum mt_rc start_ids(struct mt_manage_wait *w)
{
    return mt_audited_go(&w->audited, w->keys + w->at, next_n(w), why_of(w), NULL, delete_next, w);
}

static void next_ids(void *ud, enum mt_rc rc, const struct mt_fault *fault)
{
    struct mt_manage_wait *w = ud;

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
    struct mt_manage_wait *w = (struct mt_manage_wait *)ctx;

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
static struct mt_message_key key_at(lua_State *L, lua_Integer i, const struct mt_manage_wait *w)
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

static void take_why(lua_State *L, struct mt_manage_wait *w)
{
    const char *why = mt_option_string(L, 2, "why", NULL);

    if (why)
        snprintf(w->why, sizeof w->why, "%.*s",
                 (int)mt_str_utf8_cut(why, strlen(why), sizeof w->why - 1), why);
}

/* Holds name people. Most messages have the sender of the one before. */
static enum mt_rc keep_sender(struct mt_manage_wait *w)
{
    struct mt_message_key *key = &w->keys[w->n];
    const char *before = w->n ? w->keys[w->n - 1].from : NULL;

    if (!key->from || !*key->from) {
        key->from = NULL; /* nobody knows: whatever is held of anybody holds it */
        return MT_OK;
    }
    key->from =
        before && !strcmp(before, key->from) ? before : mt_arena_strdup(w->senders, key->from);
    return key->from ? MT_OK : MT_ERR_NOMEM;
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
    struct mt_manage_wait look = {.live = live, .account = c->account};
    for (lua_Integer i = 1; i <= n; i++) /* nothing is deleted when one of them is no id */
        (void)key_at(L, i, &look);
    mt_grant_check_delete(L, n, "conversation:delete_messages");
    struct mt_manage_wait *w = mt_manage_wait_new(L, c->provider, c->account);
    w->live = live;
    w->ref = c->ref;
    w->keys = mt_mem_calloc((size_t)n, sizeof *w->keys);
    w->ids = mt_mem_calloc((size_t)n, sizeof *w->ids);
    w->senders = mt_arena_new(SENDERS_MAX);
    if (!w->keys || !w->ids || !w->senders)
        return mt_fault_raisef(L, MT_ERR_NOMEM, "memory", "out of memory");
    lua_pushvalue(L, -2); /* the ids again, over the wait */
    for (; w->n < (size_t)n; w->n++) {
        w->keys[w->n] = key_at(L, (lua_Integer)w->n + 1, w);
        const char *id = w->keys[w->n].id ? w->keys[w->n].id : "";
        snprintf(w->ids[w->n], sizeof w->ids[w->n], "%s", id);
        w->keys[w->n].id = w->ids[w->n];
        if (keep_sender(w))
            return mt_fault_raisef(L, MT_ERR_NOMEM, "memory", "out of memory");
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
static bool goes(struct mt_manage_wait *w, enum mt_rc rc, const struct mt_fault *fault)
{
    if (!rc && w->audited.stopped)
        rc = MT_ERR_CANCELLED;
    if (rc)
        mt_manage_done(w, rc, fault);
    return !rc;
}

static void delete_before_now(void *ud, enum mt_rc rc, const struct mt_fault *fault)
{
    struct mt_manage_wait *w = ud;

    if (!goes(w, rc, fault))
        return;
    rc = w->live->delete_before(w->account, &w->ref, w->before_ms, mt_manage_done, w, &w->call);
    if (rc)
        mt_manage_done(w, rc, NULL);
}

static void delete_conversation_now(void *ud, enum mt_rc rc, const struct mt_fault *fault)
{
    struct mt_manage_wait *w = ud;

    if (!goes(w, rc, fault))
        return;
    rc = w->live->delete_conversation(w->account, &w->ref, w->history, mt_manage_done, w, &w->call);
    if (rc)
        mt_manage_done(w, rc, NULL);
}

static void delete_everything_now(void *ud, enum mt_rc rc, const struct mt_fault *fault)
{
    struct mt_manage_wait *w = ud;

    if (!goes(w, rc, fault))
        return;
    rc = w->live->delete_all(w->account, mt_manage_done, w, &w->call);
    if (rc)
        mt_manage_done(w, rc, NULL);
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
    struct mt_manage_wait *w = mt_manage_wait_new(L, c->provider, c->account);
    char detail[64];
    w->live = live;
    w->ref = c->ref;
    w->before_ms = before_ms;
    take_why(L, w);
    mt_audited_init(L, &w->audited, c->provider, c->account, &c->ref, "delete_messages", false);
    w->audited.before_ms = before_ms;
    snprintf(detail, sizeof detail, "{\"before\":%lld}", (long long)before_ms);
    return mt_manage_wait(
        L, w, mt_audited_go(&w->audited, NULL, 0, why_of(w), detail, delete_before_now, w));
}

int mt_lua_delete_messages(lua_State *L)
{
    struct mt_lua_conversation *c = mt_lua_conversation_check(L, 1);

    lua_settop(L, 2);
    luaL_checktype(L, 2, LUA_TTABLE);
    mt_options_check(L, 2, "conversation:delete_messages");
    const struct mt_provider_live *live =
        mt_manage_live(L, c->provider, "conversation:delete_messages");
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
    const struct mt_provider_live *live = mt_manage_live(L, c->provider, "conversation:delete");
    mt_task_may_wait(L);
    mt_grant_check_delete(L, history ? -1 : 0, "conversation:delete");
    struct mt_manage_wait *w = mt_manage_wait_new(L, c->provider, c->account);
    w->live = live;
    w->ref = c->ref;
    w->history = history;
    take_why(L, w);
    mt_audited_init(L, &w->audited, c->provider, c->account, &c->ref, "delete", false);
    return mt_manage_wait(L, w,
                          mt_audited_go(&w->audited, NULL, 0, why_of(w),
                                        history ? "{\"history\":true}" : "{\"history\":false}",
                                        delete_conversation_now, w));
}

int mt_lua_delete_everything(lua_State *L)
{
    struct mt_lua_account *account = mt_lua_account_check(L, 1);

    const struct mt_provider_live *live =
        mt_manage_live(L, account->provider, "account:delete_everything");
    mt_task_may_wait(L);
    mt_grant_check_delete(L, -1, "account:delete_everything");
    struct mt_manage_wait *w = mt_manage_wait_new(L, account->provider, account->account);
    w->live = live;
    mt_audited_init(L, &w->audited, account->provider, account->account, NULL, "delete_everything",
                    false);
    return mt_manage_wait(
        L, w, mt_audited_go(&w->audited, NULL, 0, NULL, NULL, delete_everything_now, w));
}

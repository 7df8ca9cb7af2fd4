/* account: the conversations of an account, page after page, and the doctor. */
#include "script/live_int.h"

#include "base/mem.h"
#include "base/str.h"

#include <string.h>

#define ONLY_MAX  1000
#define KINDS_MAX 8

struct mt_lua_account *mt_lua_account_check(lua_State *L, int index)
{
    return luaL_checkudata(L, index, MT_TYPE_ACCOUNT);
}

/* ---------------------------------------------------------------- conversations */

struct listing {
    struct mt_lua_account *account;
    struct mt_conversations_query query;
    char form[32];
    char cursor[512];
    struct mt_page *page;
    size_t next;
    size_t seen_n;
    bool ended;
    bool truncated;
    bool unread_only;
    unsigned kinds; /* a bit for each that is wanted; 0: all */
    char warning[MT_FAULT_MESSAGE_MAX];
};

struct listing_wait {
    struct mt_wait wait;
    struct mt_provider_call *call;
    const struct mt_provider *provider;
    struct mt_page *page;
    char form[32];
    char cursor[512];
    bool ended;
    bool truncated;
    char warning[MT_FAULT_MESSAGE_MAX];
};

static int listing_gc(lua_State *L)
{
    struct listing *listing = lua_touserdata(L, 1);
    mt_page_release(listing->page);
    listing->page = NULL;
    return 0;
}

static void listing_release(struct mt_wait *wait)
{
    mt_page_release(((struct listing_wait *)wait)->page);
    ((struct listing_wait *)wait)->page = NULL;
}

static void listing_cancel(struct mt_wait *wait)
{
    struct listing_wait *w = (struct listing_wait *)wait;
    w->provider->cancel(w->call);
}

static void listed(void *ud, enum mt_rc rc, const struct mt_conversations_page *page,
                   const struct mt_fault *fault)
{
    struct listing_wait *w = ud;

    if (!rc) {
        w->page = mt_page_of_conversations(page->items, page->n);
        if (!w->page)
            rc = MT_ERR_NOMEM;
        snprintf(w->form, sizeof w->form, "%s", page->form ? page->form : "");
        if (page->cursor && strlen(page->cursor) >= sizeof w->cursor)
            rc = MT_ERR_LIMIT;
        snprintf(w->cursor, sizeof w->cursor, "%s", page->cursor ? page->cursor : "");
        w->ended = !page->cursor;
        w->truncated = page->truncated;
        snprintf(w->warning, sizeof w->warning, "%s", page->warning ? page->warning : "");
    }
    mt_wait_wake(&w->wait, rc, fault);
}

static int listing_next(lua_State *L);

static int listing_more(lua_State *L, int status, lua_KContext ctx)
{
    struct listing *listing = lua_touserdata(L, lua_upvalueindex(1));
    struct listing_wait *w = (struct listing_wait *)ctx;

    (void)status;
    mt_wait_check(L, &w->wait);
    mt_page_release(listing->page);
    listing->page = w->page;
    w->page = NULL;
    listing->next = 0;
    if (!w->ended && !strcmp(listing->cursor, w->cursor))
        return mt_fault_raisef(L, MT_ERR_PROTOCOL, "conversations.stuck",
                               "the conversation list does not advance: its cursor repeats");
    memcpy(listing->cursor, w->cursor, sizeof listing->cursor);
    memcpy(listing->form, w->form, sizeof listing->form);
    memcpy(listing->warning, w->warning, sizeof listing->warning);
    listing->ended = w->ended;
    listing->truncated = listing->truncated || w->truncated;
    lua_settop(L, 0);
    return listing_next(L);
}

/* Whether the conversation on the list was given before: lists shift while they are read. */
static bool repeated(lua_State *L, const struct mt_conversation *c)
{
    char id[MT_CONVERSATION_ID_MAX];

    mt_conversation_ref_format(&c->ref, id);
    lua_getfield(L, lua_upvalueindex(2), id);
    bool twice = lua_toboolean(L, -1);
    lua_pop(L, 1);
    lua_pushboolean(L, 1);
    lua_setfield(L, lua_upvalueindex(2), id);
    return twice;
}

/* Whether it is asked for. One whose count the list does not say may be unread. */
static bool wanted(const struct listing *listing, const struct mt_conversation *c)
{
    if (listing->unread_only && c->unread == 0)
        return false;
    return !listing->kinds || (listing->kinds & 1u << c->ref.kind);
}

static int listing_next(lua_State *L)
{
    struct listing *listing = lua_touserdata(L, lua_upvalueindex(1));

    while (listing->page && listing->next < listing->page->n) {
        size_t at = listing->next++;
        if (!wanted(listing, &listing->page->conversations[at]) ||
            repeated(L, &listing->page->conversations[at]))
            continue;
        struct mt_lua_conversation *c = mt_lua_conversation_push(L);
        c->provider = listing->account->provider;
        c->account = listing->account->account;
        c->ref = listing->page->conversations[at].ref;
        c->page = mt_page_retain(listing->page);
        c->index = at;
        return 1;
    }
    if (listing->ended) {
        if (listing->truncated) {
            listing->truncated = false;
            return mt_fault_raisef(L, MT_ERR_LIMIT, "conversations.truncated", "%s",
                                   listing->warning[0]
                                       ? listing->warning
                                       : "the cloud stops its list here and may have more");
        }
        lua_pushnil(L);
        return 1;
    }
    mt_task_may_wait(L);
    struct listing_wait *w = mt_wait_new(L, sizeof *w, listing_release);
    struct mt_conversations_query query = listing->query;
    query.form = listing->form[0] ? listing->form : NULL;
    query.cursor = listing->cursor[0] ? listing->cursor : NULL;
    w->provider = listing->account->provider;
    w->wait.cancel = listing_cancel;
    mt_wait_of_account(&w->wait, listing->account->account);
    enum mt_rc rc =
        w->provider->conversations(listing->account->account, &query, listed, w, &w->call);
    if (rc)
        return mt_fault_raisef(L, rc, "conversations.failed", "the list cannot be asked for: %s",
                               mt_rc_name(rc));
    return mt_task_wait(L, &w->wait, listing_more);
}

/* Options that are checked here, so that a wrong one is told at the call. */
static unsigned kinds_option(lua_State *L)
{
    const char *kinds[KINDS_MAX + 1];
    unsigned bits = 0;

    if (!mt_option_list(L, 2, "kinds", kinds, KINDS_MAX))
        return 0;
    for (size_t i = 0; kinds[i]; i++) {
        unsigned bit = 0;
        for (int k = MT_CONVERSATION_SINGLE; k <= MT_CONVERSATION_ULTRA; k++)
            if (!strcmp(kinds[i], mt_conversation_kind_name((enum mt_conversation_kind)k)))
                bit = 1u << k;
        if (!bit)
            mt_fault_raisef(
                L, MT_ERR_INVALID, "conversation.kind",
                "account:conversations: '%s' is no kind: there are single, group, room, "
                "system and ultra",
                kinds[i]);
        bits |= bit;
    }
    return bits;
}

/* Pushes what the addresses stand for, as a userdata (nil: none are named), and hands it out. */
static const struct mt_conversation_ref *only_option(lua_State *L, struct mt_lua_account *account,
                                                     size_t *n)
{
    struct mt_fault fault;

    *n = 0;
    if (lua_isnoneornil(L, 2) || lua_getfield(L, 2, "only") == LUA_TNIL) {
        lua_pushnil(L);
        return NULL;
    }
    lua_Integer len = luaL_len(L, -1);
    if (len < 1 || len > ONLY_MAX)
        mt_fault_raisef(L, MT_ERR_INVALID, "conversations.only",
                        "account:conversations: only names 1 to %d conversations", ONLY_MAX);
    struct mt_conversation_ref *refs = lua_newuserdatauv(L, (size_t)len * sizeof *refs, 0);
    for (lua_Integer i = 1; i <= len; i++) {
        lua_rawgeti(L, -2, i);
        if (lua_type(L, -1) != LUA_TSTRING)
            mt_fault_raisef(L, MT_ERR_INVALID, "option.type",
                            "account:conversations: option 'only' must be a list of ids, as "
                            "conversation.id gives them");
        if (mt_conversation_ref_parse(lua_tostring(L, -1), &refs[i - 1], &fault) ||
            account->provider->normalise(account->account, &refs[i - 1], NULL, &fault))
            mt_fault_raise(L, &fault);
        lua_pop(L, 1);
    }
    *n = (size_t)len;
    return refs;
}

int mt_lua_conversations(lua_State *L)
{
    struct mt_lua_account *account = mt_lua_account_check(L, 1);
    size_t only_n = 0;

    lua_settop(L, 2);
    mt_options_check(L, 2, "account:conversations");
    unsigned kinds = kinds_option(L);
    const struct mt_conversation_ref *only = only_option(L, account, &only_n);
    int only_at = lua_gettop(L);
    struct listing *listing = lua_newuserdatauv(L, sizeof *listing, 2);
    memset(listing, 0, sizeof *listing);
    if (luaL_newmetatable(L, "moontide.listing")) {
        lua_pushcfunction(L, listing_gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    lua_pushvalue(L, only_at);
    lua_setiuservalue(L, -2, 2);
    listing->account = account;
    listing->kinds = kinds;
    listing->unread_only = mt_option_boolean(L, 2, "unread", false);
    listing->query.only = only;
    listing->query.only_n = only_n;
    listing->query.oldest_first = !strcmp(mt_option_string(L, 2, "order", "newest"), "oldest");
    listing->query.start_ms = mt_option_time(L, 2, "start", 0);
    listing->query.fresh = mt_option_boolean(L, 2, "fresh", false);
    listing->query.limit = (int)mt_option_integer(L, 2, "limit", 0);
    listing->query.pinned_only = mt_option_boolean(L, 2, "pinned", false);
    listing->query.with_empty = mt_option_boolean(L, 2, "empty", false);
    listing->query.mark = (int)mt_option_integer(L, 2, "mark", -1);
    snprintf(listing->form, sizeof listing->form, "%s", mt_option_string(L, 2, "form", ""));
    lua_newtable(L);
    lua_pushcclosure(L, listing_next, 2);
    return 1;
}

/* ---------------------------------------------------------------- the doctor */

#define CHECKS_MAX 32

struct doctor_wait {
    struct mt_wait wait;
    struct mt_provider_call *call;
    const struct mt_provider *provider;
    char names[CHECKS_MAX][64];
    char results[CHECKS_MAX][16];
    char details[CHECKS_MAX][MT_FAULT_MESSAGE_MAX];
    size_t n;
};

static void doctor_cancel(struct mt_wait *wait)
{
    struct doctor_wait *w = (struct doctor_wait *)wait;
    w->provider->cancel(w->call);
}

static void checked(void *ud, const struct mt_check *check)
{
    struct doctor_wait *w = ud;
    if (w->n == CHECKS_MAX)
        return;
    snprintf(w->names[w->n], sizeof w->names[0], "%s", check->name);
    snprintf(w->results[w->n], sizeof w->results[0], "%s", check->result);
    snprintf(w->details[w->n], sizeof w->details[0], "%s", check->detail);
    w->n++;
}

static void doctor_done(void *ud, enum mt_rc rc, const struct mt_fault *fault)
{
    struct doctor_wait *w = ud;
    /* what failed is among the checks already */
    mt_wait_wake(&w->wait, rc == MT_ERR_CANCELLED || !w->n ? rc : MT_OK, fault);
}

static int doctor_more(lua_State *L, int status, lua_KContext ctx)
{
    struct doctor_wait *w = (struct doctor_wait *)ctx;

    (void)status;
    mt_wait_check(L, &w->wait);
    lua_createtable(L, (int)w->n, 0);
    for (size_t i = 0; i < w->n; i++) {
        lua_createtable(L, 0, 3);
        lua_pushstring(L, w->names[i]);
        lua_setfield(L, -2, "name");
        lua_pushstring(L, w->results[i]);
        lua_setfield(L, -2, "result");
        lua_pushstring(L, w->details[i]);
        lua_setfield(L, -2, "detail");
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

int mt_lua_doctor(lua_State *L)
{
    struct mt_lua_account *account = mt_lua_account_check(L, 1);

    mt_task_may_wait(L);
    struct doctor_wait *w = mt_wait_new(L, sizeof *w, NULL);
    w->provider = account->provider;
    w->wait.cancel = doctor_cancel;
    enum mt_rc rc = w->provider->doctor(account->account, checked, doctor_done, w, &w->call);
    if (rc)
        return mt_fault_raisef(L, rc, "doctor.failed", "the checks cannot start: %s",
                               mt_rc_name(rc));
    return mt_task_wait(L, &w->wait, doctor_more);
}

/* ---------------------------------------------------------------- the account itself */

static int account_conversation(lua_State *L)
{
    struct mt_lua_account *account = mt_lua_account_check(L, 1);
    const char *id = luaL_checkstring(L, 2);
    struct mt_conversation_ref ref;
    struct mt_fault fault;
    bool changed = false;

    if (mt_conversation_ref_parse(id, &ref, &fault) ||
        account->provider->normalise(account->account, &ref, &changed, &fault))
        return mt_fault_raise(L, &fault);
    struct mt_lua_conversation *c = mt_lua_conversation_push(L);
    c->provider = account->provider;
    c->account = account->account;
    c->ref = ref;
    return 1;
}

static int account_can(lua_State *L)
{
    struct mt_lua_account *account = mt_lua_account_check(L, 1);
    enum mt_capability capability = MT_CAPABILITY_HISTORY;
    struct mt_fault fault;

    if (mt_capability_find(luaL_checkstring(L, 2), &capability, &fault))
        return mt_fault_raise(L, &fault);
    struct mt_can_answer answer = account->provider->can(account->account, capability);
    lua_pushboolean(L, answer.can != MT_CAN_NO);
    lua_pushstring(L, answer.why); /* NULL: nil */
    return 2;
}

static int account_capabilities(lua_State *L)
{
    struct mt_lua_account *account = mt_lua_account_check(L, 1);

    lua_createtable(L, MT_CAPABILITIES_N, 0);
    for (int i = 0; i < MT_CAPABILITIES_N; i++) {
        enum mt_capability capability = (enum mt_capability)i;
        struct mt_can_answer answer = account->provider->can(account->account, capability);
        lua_createtable(L, 0, 4);
        lua_pushstring(L, mt_capability_name(capability));
        lua_setfield(L, -2, "name");
        lua_pushstring(L, mt_capability_meaning(capability));
        lua_setfield(L, -2, "meaning");
        lua_pushstring(L, mt_can_name(answer.can));
        lua_setfield(L, -2, "can");
        lua_pushstring(L, answer.why);
        lua_setfield(L, -2, "why");
        lua_rawseti(L, -2, i + 1);
    }
    return 1;
}

static int account_clock(lua_State *L)
{
    struct mt_lua_account *account = mt_lua_account_check(L, 1);
    bool known = false;
    int64_t off_ms = account->provider->clock_off_ms(account->account, &known);

    lua_createtable(L, 0, 2);
    lua_pushboolean(L, known);
    lua_setfield(L, -2, "known");
    if (known) {
        lua_pushinteger(L, off_ms);
        lua_setfield(L, -2, "off_ms");
    }
    return 1;
}

static int account_index(lua_State *L)
{
    struct mt_lua_account *account = mt_lua_account_check(L, 1);
    const char *key = luaL_checkstring(L, 2);

    if (!strcmp(key, "name"))
        lua_pushstring(L, account->name);
    else if (!strcmp(key, "user"))
        lua_pushstring(L, account->provider->user(account->account));
    else if (!strcmp(key, "appkey"))
        lua_pushstring(L, account->provider->appkey(account->account));
    else if (!strcmp(key, "provider"))
        lua_pushstring(L, account->provider->name);
    else
        lua_getfield(L, lua_upvalueindex(1), key);
    return 1;
}

void mt_bind_account(lua_State *L)
{
    static const luaL_Reg methods[] = {{"conversations", mt_lua_conversations},
                                       {"conversation", account_conversation},
                                       {"can", account_can},
                                       {"capabilities", account_capabilities},
                                       {"clock", account_clock},
                                       {"doctor", mt_lua_doctor},
                                       {"delete_everything", mt_lua_delete_everything},
                                       {"holds", mt_lua_account_holds},
                                       {NULL, NULL}};
    mt_script_type(L, MT_TYPE_ACCOUNT, methods, account_index, NULL);
}

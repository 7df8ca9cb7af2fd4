/* conversation:select: the messages that a policy means. What the cloud can pick is asked for, the
 * rest is decided here before a Lua value is made. What stands around it is
 * lua/moontide/select.lua.
 *
 * newest(n) asks how many messages are newer, whatever they are. So the newest of the conversation
 * are read first, unfiltered, as many as the largest n, and their ids kept; then comes the read
 * that is filtered. What came in between is newer than all of them. */
#include "script/script_int.h"

#include "base/clock.h"
#include "base/map.h"
#include "policy/policy.h"
#include "provider/reader.h"

#include <string.h>

#define KINDS_MAX 16
#define TIES_MAX  10000 /* of the same millisecond, beyond the last that is counted */

enum phase { PHASE_BEGIN, PHASE_COUNT, PHASE_READ };

struct selection {
    struct mt_policy *policy;
    struct mt_policy_facts facts;
    struct mt_policy_bounds bounds;
    bool newest_only;              /* it means none but the newest that are counted */
    struct mt_history_query query; /* conversation, order, page */
    const char *kinds[KINDS_MAX + 1];
    bool by_sender, by_kinds; /* the cloud picks them */
    enum phase phase;
    uint64_t most;         /* of its newest(n); 0: it has none */
    struct mt_map *places; /* of the newest messages, from 1 on, by their ids */
    uint64_t counted_n;
    int64_t edge_ms; /* what is older has at least so many newer ones */
};

static int selection_gc(lua_State *L)
{
    struct selection *s = lua_touserdata(L, 1);

    mt_policy_release(s->policy);
    mt_map_free(s->places, NULL);
    s->policy = NULL;
    s->places = NULL;
    return 0;
}

/* ---------------------------------------------------------------- what is read */

/* A cloud can be asked for the kinds that all clouds have. */
static const char *const *kinds_to_ask(struct selection *s)
{
    if (!s->by_kinds || !s->bounds.kinds_n)
        return NULL;
    for (size_t i = 0; i < s->bounds.kinds_n; i++) {
        if (!mt_message_kind_is_usual(s->bounds.kinds[i]))
            return NULL;
        s->kinds[i] = s->bounds.kinds[i];
    }
    return s->kinds;
}

static bool next_read(void *ud, struct mt_reader_options *options)
{
    struct selection *s = ud;

    if (s->phase == PHASE_READ || s->bounds.nothing ||
        !mt_policy_may_concern(s->policy, &s->query.conversation))
        return false;
    s->phase = s->phase == PHASE_BEGIN && s->most ? PHASE_COUNT : PHASE_READ;
    options->query = s->query;
    options->query.since_ms = s->bounds.since_ms;
    if (s->phase == PHASE_COUNT) {
        options->query.oldest_first = false;
        return true;
    }
    if (s->newest_only && s->counted_n >= s->most && s->edge_ms > s->bounds.since_ms)
        options->query.since_ms = s->edge_ms;
    options->query.until_ms = s->bounds.until_ms;
    if (options->query.until_ms && options->query.since_ms >= options->query.until_ms)
        return false;
    options->query.from = s->by_sender ? s->bounds.from : NULL;
    options->query.kinds = kinds_to_ask(s);
    return true;
}

/* ---------------------------------------------------------------- what is given out */

/* Newest first. The end is where the time is another than the last one's that counts: what shares a
 * moment may be told in another order. */
static enum mt_rc count(struct selection *s, const struct mt_message *m, bool *enough)
{
    if (s->counted_n >= s->most &&
        (m->time_ms < s->edge_ms || s->counted_n >= s->most + TIES_MAX)) {
        *enough = true;
        return MT_OK;
    }
    s->counted_n++;
    s->edge_ms = m->time_ms;
    return mt_id_is(m->id) ? mt_map_put(s->places, m->id, (void *)(uintptr_t)s->counted_n) : MT_OK;
}

static uint64_t newer_than(const struct selection *s, const struct mt_message *m)
{
    uint64_t place = 0;

    if (!s->most)
        return 0;
    if (s->counted_n >= s->most && m->time_ms < s->edge_ms)
        return s->most;
    if (mt_id_is(m->id))
        place = (uint64_t)(uintptr_t)mt_map_get(s->places, m->id);
    return place ? place - 1 : 0; /* not counted: it came later */
}

static enum mt_rc pick(void *ud, const struct mt_message *items, size_t n,
                       struct mt_message *picked, size_t *picked_n, bool *enough)
{
    struct selection *s = ud;
    enum mt_rc rc = MT_OK;

    *picked_n = 0;
    for (size_t i = 0; i < n && !rc && !*enough; i++) {
        if (items[i].type != MT_TYPE_MESSAGE)
            continue;
        if (s->phase == PHASE_COUNT) {
            rc = count(s, &items[i], enough);
            continue;
        }
        s->facts.message = &items[i];
        s->facts.newer_n = newer_than(s, &items[i]);
        if (mt_policy_holds(s->policy, &s->facts))
            picked[(*picked_n)++] = items[i];
    }
    return rc;
}

/* ---------------------------------------------------------------- for Lua */

static struct selection *selection_new(lua_State *L)
{
    struct selection *s = lua_newuserdatauv(L, sizeof *s, 0);

    memset(s, 0, sizeof *s);
    if (luaL_newmetatable(L, "moontide.selection")) {
        lua_pushcfunction(L, selection_gc);
        lua_setfield(L, -2, "__gc");
        lua_pushliteral(L, "moontide.selection");
        lua_setfield(L, -2, "__metatable");
    }
    lua_setmetatable(L, -2);
    return s;
}

static bool can(const struct mt_lua_conversation *c, enum mt_capability capability)
{
    return c->provider->can(c->account, capability).can != MT_CAN_NO;
}

/* select(conversation, policy, options, pinned) */
static int core_select(lua_State *L)
{
    static const struct mt_lua_picker picker = {pick, next_read};
    uint64_t ranks[MT_POLICY_RANKS_MAX];

    lua_settop(L, 4);
    struct mt_lua_conversation *c = mt_lua_conversation_check(L, 1);
    const struct mt_policy *policy = mt_lua_check_policy(L, 2);
    mt_grant_check(L, "read", "conversation:select");
    mt_options_check(L, 3, "conversation:select");
    int64_t limit = mt_option_integer(L, 3, "limit", -1);
    struct selection *s = selection_new(L);
    s->policy = mt_policy_retain(policy);
    s->facts.pinned = lua_toboolean(L, 4);
    s->facts.now_ms = mt_option_time(L, 3, "now", mt_clock_wall_ms());
    s->query.conversation = c->ref;
    s->query.oldest_first = !strcmp(mt_option_string(L, 3, "order", "newest"), "oldest");
    s->query.limit = (int)mt_option_integer(L, 3, "page", 0);
    s->by_sender = can(c, MT_CAPABILITY_HISTORY_SENDER);
    s->by_kinds = can(c, MT_CAPABILITY_HISTORY_KINDS);
    mt_policy_bounds_beyond(policy, s->facts.now_ms, &s->bounds);
    s->newest_only = s->bounds.nothing;
    mt_policy_bounds(policy, s->facts.now_ms, &s->bounds);
    size_t n = mt_policy_ranks(policy, ranks);
    s->most = n ? ranks[n - 1] : 0;
    s->places = s->most ? mt_map_new() : NULL;
    if (s->most && !s->places)
        return mt_fault_raisef(L, MT_ERR_NOMEM, "memory", "out of memory");
    return mt_lua_history_pick(L, c, limit, &picker, s);
}

/* policy_about(policy, conversation): whether it can mean a message of it; whether it must know if
 * the conversation is pinned. */
static int core_policy_about(lua_State *L)
{
    const struct mt_policy *policy = mt_lua_check_policy(L, 1);
    bool concerns =
        lua_isnone(L, 2) || mt_policy_may_concern(policy, &mt_lua_conversation_check(L, 2)->ref);

    lua_pushboolean(L, concerns);
    lua_pushboolean(L, mt_policy_needs_pinned(policy));
    return 2;
}

void mt_bind_select(lua_State *L)
{
    lua_pushcfunction(L, core_select);
    lua_setfield(L, -2, "select");
    lua_pushcfunction(L, core_policy_about);
    lua_setfield(L, -2, "policy_about");
    lua_pushcfunction(L, mt_lua_history_close);
    lua_setfield(L, -2, "close_history");
}

/* moontide.policy: conditions as values that are joined with + (or), * (and) and - (and not). The
 * same words stand in policy files, whose state has nothing else (policy_file.c). */
#include "script/script_int.h"

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "codec/time.h"
#include "policy/policy.h"
#include "script/policy_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define TYPE_POLICY    "moontide.policy"
#define MADE_KEY       "moontide.policy.made"
#define MADE_BYTES     200 /* of a condition or a join, without its text */
#define TEXT_MAX_BYTES ((size_t)32 << 20)

struct lua_policy {
    struct mt_policy *policy; /* NULL: it could not be made */
    bool used;                /* in another one, or as what a file returns */
};

/* ---------------------------------------------------------------- the value */

/* What is made next; the collector owns it. As large as what it will refer to, so that the quota of
 * the state counts that too. */
static struct mt_policy **policy_new(lua_State *L, size_t text_len)
{
    size_t size = sizeof(struct lua_policy) + MADE_BYTES + text_len;
    struct lua_policy *p = lua_newuserdatauv(L, size, 0);

    memset(p, 0, sizeof *p);
    luaL_setmetatable(L, TYPE_POLICY);
    if (lua_getfield(L, LUA_REGISTRYINDEX, MADE_KEY) == LUA_TTABLE) {
        lua_pushvalue(L, -2);
        lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
    }
    lua_pop(L, 1);
    return &p->policy;
}

void mt_lua_policies_note(lua_State *L)
{
    lua_newtable(L);
    lua_setfield(L, LUA_REGISTRYINDEX, MADE_KEY);
}

const struct mt_policy *mt_lua_policy_unused(lua_State *L)
{
    const struct mt_policy *unused = NULL;

    lua_getfield(L, LUA_REGISTRYINDEX, MADE_KEY);
    lua_Integer n = (lua_Integer)lua_rawlen(L, -1);
    for (lua_Integer i = 1; i <= n && !unused; i++) {
        lua_rawgeti(L, -1, i);
        const struct lua_policy *p = lua_touserdata(L, -1);
        unused = p->used ? NULL : p->policy;
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return unused;
}

const struct mt_policy *mt_lua_check_policy(lua_State *L, int index)
{
    struct lua_policy *p = luaL_testudata(L, index, TYPE_POLICY);

    if (p && p->policy) {
        p->used = true;
        return p->policy;
    }
    mt_fault_raisef(
        L, MT_ERR_INVALID, "policy.type",
        "this must be a policy, such as moontide.policy.older_than(\"90d\"), and not "
        "%s%s",
        luaL_typename(L, index),
        lua_type(L, index) == LUA_TSTRING ? ": moontide.policy.parse makes one of a text" : "");
    return NULL;
}

static int policy_gc(lua_State *L)
{
    struct lua_policy *p = luaL_checkudata(L, 1, TYPE_POLICY);

    mt_policy_release(p->policy);
    p->policy = NULL;
    return 0;
}

static int write_text(lua_State *L, int index, struct mt_buf *out)
{
    const struct lua_policy *p = luaL_checkudata(L, index, TYPE_POLICY);

    mt_buf_init(out, TEXT_MAX_BYTES);
    if (p->policy && !mt_policy_write(p->policy, out))
        return 0;
    mt_buf_deinit(out);
    return 1;
}

static int policy_tostring(lua_State *L)
{
    struct mt_buf text;

    if (write_text(L, 1, &text))
        return mt_fault_raisef(L, MT_ERR_NOMEM, "memory", "out of memory");
    return mt_lua_push_buf(L, &text);
}

static int policy_eq(lua_State *L)
{
    struct mt_buf a, b;

    if (!luaL_testudata(L, 1, TYPE_POLICY) || !luaL_testudata(L, 2, TYPE_POLICY)) {
        lua_pushboolean(L, 0);
        return 1;
    }
    if (write_text(L, 1, &a))
        return mt_fault_raisef(L, MT_ERR_NOMEM, "memory", "out of memory");
    if (write_text(L, 2, &b)) {
        mt_buf_deinit(&a);
        return mt_fault_raisef(L, MT_ERR_NOMEM, "memory", "out of memory");
    }
    lua_pushboolean(L, a.len == b.len && !memcmp(a.data, b.data, a.len));
    mt_buf_deinit(&a);
    mt_buf_deinit(&b);
    return 1;
}

/* ---------------------------------------------------------------- joining */

static struct lua_policy *joined(lua_State *L, int index)
{
    struct lua_policy *p = luaL_testudata(L, index, TYPE_POLICY);

    if (!p || !p->policy)
        mt_fault_raisef(L, MT_ERR_INVALID, "policy.join",
                        "+ (or), * (and) and - (and not) join policies, not a policy and a %s: "
                        "\"and not\" is written a - b",
                        luaL_typename(L, index));
    return p;
}

static int join(lua_State *L, enum mt_policy_join how)
{
    struct lua_policy *a = joined(L, 1);
    struct lua_policy *b = joined(L, 2);
    struct mt_policy **out = policy_new(L, 0);
    struct mt_fault fault;

    if (mt_policy_join(how, a->policy, b->policy, out, &fault))
        return mt_fault_raise(L, &fault);
    a->used = b->used = true;
    return 1;
}

static int policy_or(lua_State *L)
{
    return join(L, MT_POLICY_OR);
}

static int policy_and(lua_State *L)
{
    return join(L, MT_POLICY_AND);
}

static int policy_and_not(lua_State *L)
{
    return join(L, MT_POLICY_AND_NOT);
}

static int no_such_join(lua_State *L)
{
    return mt_fault_raisef(L, MT_ERR_INVALID, "policy.join",
                           "policies are joined with + (or), * (and) and - (and not), and with "
                           "nothing else; \"not a\" is written all - a");
}

static int no_call(lua_State *L)
{
    return mt_fault_raisef(L, MT_ERR_INVALID, "policy.join",
                           "a policy is no function: pinned and all are written without "
                           "parentheses, and policies are joined with +, * and -");
}

static void policy_type(lua_State *L)
{
    static const luaL_Reg meta[] = {{"__gc", policy_gc},   {"__tostring", policy_tostring},
                                    {"__eq", policy_eq},   {"__add", policy_or},
                                    {"__mul", policy_and}, {"__sub", policy_and_not},
                                    {"__call", no_call},   {NULL, NULL}};
    static const char *const others[] = {"__unm", "__div",  "__mod", "__pow",  "__idiv", "__band",
                                         "__bor", "__bxor", "__shl", "__shr",  "__bnot", "__concat",
                                         "__len", "__lt",   "__le",  "__index"};

    luaL_newmetatable(L, TYPE_POLICY);
    luaL_setfuncs(L, meta, 0);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        lua_pushcfunction(L, no_such_join);
        lua_setfield(L, -2, others[i]);
    }
    lua_pushstring(L, TYPE_POLICY);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}

/* ---------------------------------------------------------------- conditions */

/* The one argument of a condition, which takes such types; several would be passed over silently.
 */
static int argument(lua_State *L, const char *name, bool text, bool number, const char *example)
{
    bool good = (text && lua_type(L, 1) == LUA_TSTRING) || (number && lua_isinteger(L, 1));
    char code[MT_FAULT_CODE_MAX];

    if (good && lua_gettop(L) == 1 &&
        (lua_type(L, 1) != LUA_TSTRING || strlen(lua_tostring(L, 1)) == lua_rawlen(L, 1)))
        return 1;
    snprintf(code, sizeof code, "policy.%s", name);
    return mt_fault_raisef(L, MT_ERR_INVALID, code, "%s takes one argument, such as %s(%s)%s", name,
                           name, example, lua_gettop(L) > 1 ? ": join several with +" : "");
}

static int raise_unless(lua_State *L, enum mt_rc rc, const struct mt_fault *fault)
{
    return rc ? mt_fault_raise(L, fault) : 1;
}

static int older_than(lua_State *L)
{
    struct mt_fault fault;
    int64_t age_ms = 0;

    argument(L, "older_than", true, false, "\"90d\"");
    if (mt_duration_parse(lua_tostring(L, 1), &age_ms, &fault))
        return mt_fault_raise(L, &fault);
    struct mt_policy **out = policy_new(L, 0);
    return raise_unless(L, mt_policy_older_than(age_ms, out, &fault), &fault);
}

static int at_time(lua_State *L, const char *name, const char *code,
                   enum mt_rc (*make)(int64_t, struct mt_policy **, struct mt_fault *))
{
    struct mt_fault fault;
    int64_t ms = 0;

    argument(L, name, true, true, "\"2026-01-31\"");
    if (lua_isinteger(L, 1))
        ms = lua_tointeger(L, 1);
    else if (mt_time_parse(lua_tostring(L, 1), &ms))
        return mt_fault_raisef(
            L, MT_ERR_INVALID, code,
            "%s: '%.40s' is no point in time: write a date (2026-01-31) or RFC "
            "3339 (2026-01-31T08:00:00Z); for an age, older_than(\"90d\") or all "
            "- older_than(\"90d\")",
            name, lua_tostring(L, 1));
    struct mt_policy **out = policy_new(L, 0);
    return raise_unless(L, make(ms, out, &fault), &fault);
}

static int before(lua_State *L)
{
    return at_time(L, "before", "policy.before", mt_policy_before);
}

static int since(lua_State *L)
{
    return at_time(L, "since", "policy.since", mt_policy_since);
}

static int of_text(lua_State *L, const char *name, const char *example,
                   enum mt_rc (*make)(const char *, struct mt_policy **, struct mt_fault *))
{
    struct mt_fault fault;

    argument(L, name, true, false, example);
    struct mt_policy **out = policy_new(L, lua_rawlen(L, 1));
    return raise_unless(L, make(lua_tostring(L, 1), out, &fault), &fault);
}

static int from(lua_State *L)
{
    return of_text(L, "from", "\"user1\"", mt_policy_from);
}

static int kind(lua_State *L)
{
    return of_text(L, "kind", "\"image\"", mt_policy_kind);
}

static int in_conversation(lua_State *L)
{
    return of_text(L, "in_conversation", "\"group:*\"", mt_policy_in_conversation);
}

static int matches(lua_State *L)
{
    return of_text(L, "matches", "\"*invoice*\"", mt_policy_matches);
}

static int larger_than(lua_State *L)
{
    struct mt_fault fault;
    int64_t bytes = 0;

    argument(L, "larger_than", true, true, "\"5MB\"");
    if (lua_isinteger(L, 1))
        bytes = lua_tointeger(L, 1);
    else if (mt_policy_size_parse(lua_tostring(L, 1), &bytes, &fault))
        return mt_fault_raise(L, &fault);
    struct mt_policy **out = policy_new(L, 0);
    return raise_unless(L, mt_policy_larger_than(bytes, out, &fault), &fault);
}

static int newest(lua_State *L)
{
    struct mt_fault fault;

    argument(L, "newest", false, true, "100");
    int64_t n = lua_tointeger(L, 1);
    struct mt_policy **out = policy_new(L, 0);
    return raise_unless(L, mt_policy_newest(n < 0 ? 0 : (uint64_t)n, out, &fault), &fault);
}

/* ---------------------------------------------------------------- the table */

static const luaL_Reg conditions[] = {{"older_than", older_than},
                                      {"before", before},
                                      {"since", since},
                                      {"from", from},
                                      {"kind", kind},
                                      {"in_conversation", in_conversation},
                                      {"larger_than", larger_than},
                                      {"matches", matches},
                                      {"newest", newest},
                                      {NULL, NULL}};
#define CONDITIONS_N (sizeof conditions / sizeof *conditions - 1)

/* pinned and all, made when they are named, so that one that is left out is noticed; any other word
 * is none. The upvalue: what to say of it. */
static int word(lua_State *L)
{
    const char *names[CONDITIONS_N + 2] = {"pinned", "all"};
    const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : luaL_typename(L, 2);
    struct mt_fault fault;

    if (!strcmp(key, "pinned"))
        return raise_unless(L, mt_policy_pinned(policy_new(L, 0), &fault), &fault);
    if (!strcmp(key, "all"))
        return raise_unless(L, mt_policy_all(policy_new(L, 0), &fault), &fault);
    for (size_t i = 0; i < CONDITIONS_N; i++)
        names[i + 2] = conditions[i].name;
    const char *near = mt_str_nearest(key, names, CONDITIONS_N + 2);
    if (near)
        return mt_fault_raisef(L, MT_ERR_INVALID, "policy.unknown",
                               "there is no condition '%.40s': did you mean '%s'?", key, near);
    return mt_fault_raisef(L, MT_ERR_INVALID, "policy.unknown",
                           "there is no condition '%.40s': there are older_than, before, since, "
                           "from, kind, in_conversation, larger_than, matches, newest, pinned and "
                           "all",
                           key);
}

void mt_lua_policy_words(lua_State *L)
{
    policy_type(L);
    lua_newtable(L);
    luaL_setfuncs(L, conditions, 0);
    lua_createtable(L, 0, 2);
    lua_pushcfunction(L, word);
    lua_setfield(L, -2, "__index");
    lua_pushliteral(L, "policy");
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
}

/* ---------------------------------------------------------------- texts and files */

static int policy_parse(lua_State *L)
{
    struct mt_fault fault;
    size_t len = 0;

    lua_settop(L, 1);
    if (lua_type(L, 1) != LUA_TSTRING)
        return mt_fault_raisef(L, MT_ERR_INVALID, "policy.type",
                               "moontide.policy.parse takes the text of a policy, not %s",
                               luaL_typename(L, 1));
    const char *text = lua_tolstring(L, 1, &len);
    struct mt_policy **out = policy_new(L, MT_POLICY_FILE_MAX);
    return raise_unless(L, mt_policy_parse(text, len, "policy", out, &fault), &fault);
}

/* Only a file is opened: a pipe would hold everything up until somebody wrote. */
static int read_file(const char *path, char **text, size_t *len, bool *is_file)
{
    struct mt_fs_stat st = {0};
    char *real = NULL;
    int err = mt_fs_real(path, &real);

    if (!err)
        err = mt_fs_stat(real, &st);
    *is_file = st.is_file;
    if (!err && st.is_file)
        err = mt_fs_read_all(real, MT_POLICY_FILE_MAX, text, len);
    mt_mem_free(real);
    return err;
}

static int policy_load(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    struct mt_fault fault;
    char *text = NULL;
    size_t len = 0;
    bool is_file = false;

    lua_settop(L, 1);
    mt_grant_check_path(L, path, "moontide.policy.load");
    struct mt_policy **out = policy_new(L, MT_POLICY_FILE_MAX);
    int err = read_file(path, &text, &len, &is_file);
    enum mt_rc rc =
        err == EFBIG
            ? mt_fault_set(&fault, MT_ERR_LIMIT, "policy.size",
                           "%.200s: a policy file has at most %zu bytes", path, MT_POLICY_FILE_MAX)
        : err      ? mt_fs_fault(&fault, err, "read the policy", path)
        : !is_file ? mt_fault_set(&fault, MT_ERR_INVALID, "policy.file", "%.200s is no file", path)
                   : mt_policy_parse(text, len, path, out, &fault);
    mt_mem_free(text);
    return raise_unless(L, rc, &fault);
}

void mt_bind_policy(lua_State *L)
{
    mt_lua_policy_words(L);
    lua_pushcfunction(L, policy_parse);
    lua_setfield(L, -2, "parse");
    mt_grant_push_function(L, "moontide.policy.load", policy_load);
    lua_setfield(L, -2, "load");
}

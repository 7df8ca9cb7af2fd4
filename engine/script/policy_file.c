/* Runs the text of a policy in a Lua state that knows the conditions and nothing else: nothing of
 * moontide, no library but ipairs, little memory, little time. */
#include "script/policy_file.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "policy/policy.h"
#include "script/script_int.h"

#include <lualib.h>
#include <stdio.h>
#include <string.h>

#define MEMORY_MAX_BYTES ((size_t)8 << 20)
#define LOOK_EVERY       100 /* instructions; each may copy a text as large as the memory */
#define INSTRUCTIONS_MAX 1000000
#define CPU_MAX_US       1000000
#define BEGIN            "return "

struct run {
    const char *text;
    size_t len;
    const char *name;
    size_t memory_bytes;
    int64_t instructions_n, deadline_us;
    bool endless, full;
    struct mt_policy *policy;
};

static void *bounded_alloc(void *ud, void *p, size_t old_size, size_t size)
{
    struct run *run = ud;
    size_t old = p ? old_size : 0;

    if (!size) {
        run->memory_bytes -= old;
        mt_mem_free(p);
        return NULL;
    }
    if (size > old && run->memory_bytes + (size - old) > MEMORY_MAX_BYTES) {
        run->full = true;
        return NULL;
    }
    void *q = mt_mem_realloc(p, size);
    if (q)
        run->memory_bytes += size - old;
    return q;
}

static void too_long(lua_State *L, lua_Debug *ar)
{
    struct run *run = *(struct run **)lua_getextraspace(L);

    (void)ar;
    run->instructions_n += LOOK_EVERY;
    if (run->instructions_n < INSTRUCTIONS_MAX && mt_clock_cpu_us() < run->deadline_us)
        return;
    run->endless = true;
    luaL_error(L, "it does not come to an end");
}

/* Only ipairs, of the library's: whose order is the list's, so that the text is always the same. */
static void bare_environment(lua_State *L)
{
    mt_lua_policy_words(L);
    lua_pushcfunction(L, luaopen_base);
    lua_call(L, 0, 1);
    lua_getfield(L, -1, "ipairs");
    lua_remove(L, -2);
    lua_setfield(L, -2, "ipairs");
    lua_newtable(L); /* what the library has put there is out of reach */
    lua_rawseti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
}

/* An expression, as the canonical text is one, or a chunk. What is wrong is said of the chunk. */
static void load_text(lua_State *L, const struct run *run, const char *chunk)
{
    luaL_Buffer expression;

    luaL_buffinit(L, &expression);
    luaL_addstring(&expression, BEGIN);
    luaL_addlstring(&expression, run->text, run->len);
    luaL_pushresult(&expression);
    if (!luaL_loadbufferx(L, lua_tostring(L, -1), lua_rawlen(L, -1), chunk, "t")) {
        lua_remove(L, -2);
        return;
    }
    lua_pop(L, 2);
    if (luaL_loadbufferx(L, run->text, run->len, chunk, "t"))
        lua_error(L);
}

/* ---------------------------------------------------------------- Lua's and, or, not */

/* Behind a long bracket that opens at p, or NULL if none does: [[ … ]], [==[ … ]==]. */
static const char *long_bracket(const char *p, const char *end)
{
    size_t level = 0;

    for (p++; p < end && *p == '='; p++)
        level++;
    if (p == end || *p != '[')
        return NULL;
    for (p++; p < end; p++) {
        size_t n = 0;
        if (*p != ']')
            continue;
        while (p + 1 + n < end && p[1 + n] == '=')
            n++;
        if (n == level && p + 1 + n < end && p[1 + n] == ']')
            return p + n + 2;
    }
    return end;
}

/* Behind a comment or a text that begins at p; p: none does. */
static const char *skip_text(const char *p, const char *end)
{
    bool comment = end - p > 1 && p[0] == '-' && p[1] == '-';
    const char *at = comment ? p + 2 : p;
    const char *behind = at < end && *at == '[' ? long_bracket(at, end) : NULL;

    if (behind)
        return behind;
    if (comment) {
        while (at < end && *at != '\n' && *at != '\r')
            at++;
        return at;
    }
    if (*p != '"' && *p != '\'')
        return p;
    for (at++; at < end && *at != *p; at++)
        at += *at == '\\';
    return at < end ? at + 1 : end;
}

/* They decide between values and do not join conditions: pinned or from("boss") is pinned. Nothing
 * in a policy needs them, so that they are a mistake wherever they stand. The text is Lua. */
static const char *logic_in(const struct run *run)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
    static const char *const logic[] = {"and", "or", "not"};
    const char *end = run->text + run->len;
    const char *p = run->text;

    while (p < end) {
        const char *behind = skip_text(p, end);
        size_t n = 0;

        if (behind > p) {
            p = behind;
            continue;
        }
        while (p + n < end && p[n] && strchr(letters, p[n]))
            n++;
        for (size_t i = 0; i < sizeof logic / sizeof *logic; i++)
            if (n == strlen(logic[i]) && !memcmp(p, logic[i], n))
                return logic[i];
        p += n ? n : 1;
    }
    return NULL;
}

/* ---------------------------------------------------------------- running */

static int complain_unused(lua_State *L, const struct run *run, const struct mt_policy *unused)
{
    struct mt_buf text;
    char said[120] = "a condition";

    mt_buf_init(&text, 1 << 16);
    if (!mt_policy_write(unused, &text))
        snprintf(said, sizeof said, "%.*s", (int)(text.len < 100 ? text.len : 100), text.data);
    mt_buf_deinit(&text);
    return mt_fault_raisef(L, MT_ERR_INVALID, "policy.unused",
                           "%.80s: %s is written, but is no part of the policy: join it with + "
                           "(or), * (and), - (and not), or leave it out",
                           run->name, said);
}

static int evaluate(lua_State *L)
{
    struct run *run = lua_touserdata(L, 1);
    char chunk[300];

    mt_fault_open(L);
    bare_environment(L);
    snprintf(chunk, sizeof chunk, "@%.250s", run->name);
    load_text(L, run, chunk);
    const char *logic = logic_in(run);
    if (logic)
        return mt_fault_raisef(
            L, MT_ERR_INVALID, "policy.logic",
            "%.80s: Lua's '%s' does not join conditions: + is or, * is and, - is "
            "and not",
            run->name, logic);
    lua_pushvalue(L, -2);
    lua_setupvalue(L, -2, 1);
    mt_lua_policies_note(L);
    run->deadline_us = mt_clock_cpu_us() + CPU_MAX_US;
    lua_sethook(L, too_long, LUA_MASKCOUNT, LOOK_EVERY);
    int before = lua_gettop(L) - 1;
    lua_call(L, 0, LUA_MULTRET);
    lua_sethook(L, NULL, 0, 0);
    if (lua_gettop(L) != before + 1 || !luaL_testudata(L, -1, "moontide.policy"))
        return mt_fault_raisef(L, MT_ERR_INVALID, "policy.file",
                               "%.80s gives %s, not one policy: write one such as return "
                               "older_than(\"90d\") - newest(100)",
                               run->name,
                               lua_gettop(L) > before + 1 ? "several values"
                               : lua_gettop(L) == before  ? "nothing"
                                                          : luaL_typename(L, -1));
    run->policy = mt_policy_retain(mt_lua_check_policy(L, -1));
    const struct mt_policy *unused = mt_lua_policy_unused(L);
    return unused ? complain_unused(L, run, unused) : 0;
}

/* Where it happened goes before what happened, if a condition says it. */
static int where(lua_State *L)
{
    lua_Debug ar;

    if (lua_type(L, 1) != LUA_TTABLE)
        return 1;
    for (int level = 1; lua_getstack(L, level, &ar); level++) {
        if (!lua_getinfo(L, "Sl", &ar) || ar.currentline <= 0)
            continue;
        lua_getfield(L, 1, "message");
        lua_pushfstring(L, "%s:%d: %s", ar.short_src, ar.currentline, lua_tostring(L, -1));
        lua_setfield(L, 1, "message");
        break;
    }
    lua_settop(L, 1);
    return 1;
}

static enum mt_rc fault_of(lua_State *L, const struct run *run, int status, struct mt_fault *fault)
{
    struct mt_fault told;

    if (run->endless)
        return mt_fault_set(fault, MT_ERR_LIMIT, "policy.endless", "%.80s does not come to an end",
                            run->name);
    if (status == LUA_ERRMEM)
        return run->full ? mt_fault_set(fault, MT_ERR_LIMIT, "policy.size",
                                        "%.80s takes more than %zu MiB: make it smaller", run->name,
                                        MEMORY_MAX_BYTES >> 20)
                         : mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    if (lua_type(L, -1) != LUA_TTABLE)
        return mt_fault_set(fault, MT_ERR_INVALID, "policy.syntax", "%s",
                            lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1)
                                                           : "the policy is no Lua");
    mt_fault_from_lua(L, &told);
    return mt_fault_set(fault, told.kind, told.code, "%s", told.message);
}

enum mt_rc mt_policy_parse(const char *text, size_t len, const char *name, struct mt_policy **out,
                           struct mt_fault *fault)
{
    struct run run = {.text = text, .len = len, .name = name};
    enum mt_rc rc = MT_OK;

    *out = NULL;
    if (len > MT_POLICY_FILE_MAX)
        return mt_fault_set(fault, MT_ERR_LIMIT, "policy.size",
                            "%.80s: the text of a policy has at most %zu bytes", name,
                            MT_POLICY_FILE_MAX);
    lua_State *L = lua_newstate(bounded_alloc, &run);
    if (!L)
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    *(struct run **)lua_getextraspace(L) = &run;
    lua_pushcfunction(L, where);
    lua_pushcfunction(L, evaluate);
    lua_pushlightuserdata(L, &run);
    int status = lua_pcall(L, 1, 0, 1);
    if (status)
        rc = fault_of(L, &run, status, fault);
    lua_close(L);
    if (rc)
        mt_policy_release(run.policy);
    else
        *out = run.policy;
    return rc;
}

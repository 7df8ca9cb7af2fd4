/* Evaluates the configuration file. The Lua state lives only while the file runs; what it declared
 * is copied out. */
#include "script/config_int.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX_BYTES   (1u << 20)
#define MEMORY_MAX_BYTES (16u << 20)
#define INSTRUCTIONS_MAX 10000000
#define LOOK_EVERY       1000 /* instructions; each may copy a text as large as the memory */
#define CPU_MAX_US       2000000
#define BUILDER_KEY      "moontide.config.builder"

/* ---------------------------------------------------------------- the words of the language */

struct mt_config *mt_config_builder(lua_State *L)
{
    lua_getfield(L, LUA_REGISTRYINDEX, BUILDER_KEY);
    struct mt_config *config = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return config;
}

static int job_body(lua_State *L)
{
    struct mt_config *config = mt_config_builder(L);

    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1); /* 1 name, 2 table */
    return mt_config_job_add(L, &config->jobs, config->path);
}

static int word_job(lua_State *L)
{
    luaL_checkstring(L, 1);
    lua_settop(L, 1);
    lua_pushcclosure(L, job_body, 1);
    return 1;
}

/* audit { anchor = "/mnt/other/moontide-head", sending = false } */
static int word_audit(lua_State *L)
{
    static const char *const keys[] = {"anchor", "sending", NULL};
    struct mt_config *config = mt_config_builder(L);

    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    if (config->audit_stated)
        return luaL_error(L, "audit is stated twice");
    config->audit_stated = true;
    lua_pushliteral(L, "audit"); /* name and table, as the other words have them */
    lua_insert(L, 1);
    mt_config_check_keys(L, "the block", "audit", keys);
    lua_pushliteral(L, "anchor");
    lua_rawget(L, 2);
    if (!lua_isnil(L, -1)) {
        if (lua_type(L, -1) != LUA_TSTRING || !*lua_tostring(L, -1))
            return luaL_error(L, "audit: anchor is the path of a file");
        config->anchor = mt_config_path_beside(config->path, lua_tostring(L, -1));
        if (!config->anchor)
            return luaL_error(L, "out of memory");
        config->audit.anchor = config->anchor;
    }
    lua_pushliteral(L, "sending");
    lua_rawget(L, 2);
    if (!lua_isnil(L, -1) && !lua_isboolean(L, -1))
        return luaL_error(L, "audit: sending is true or false");
    if (lua_isboolean(L, -1))
        config->audit.sending = lua_toboolean(L, -1);
    return 0;
}

const struct mt_config_audit *mt_config_audit(const struct mt_config *config)
{
    return &config->audit;
}

/* ---------------------------------------------------------------- running the file */

static void *bounded_alloc(void *ud, void *p, size_t old_size, size_t size)
{
    struct mt_config *config = ud;
    size_t old = p ? old_size : 0;

    if (!size) {
        config->memory_bytes -= old;
        mt_mem_free(p);
        return NULL;
    }
    if (size > old && config->memory_bytes + (size - old) > MEMORY_MAX_BYTES)
        return NULL;
    void *q = mt_mem_realloc(p, size);
    if (q)
        config->memory_bytes += size - old;
    return q;
}

static void too_long(lua_State *L, lua_Debug *ar)
{
    struct mt_config *config = mt_config_builder(L);

    (void)ar;
    config->instructions_n += LOOK_EVERY;
    if (config->instructions_n < INSTRUCTIONS_MAX && mt_clock_cpu_us() < config->deadline_us)
        return;
    lua_sethook(L, too_long, LUA_MASKCOUNT, 1); /* stays armed: nothing in the file can go on */
    luaL_error(L, "%s does not come to an end", config->path);
}

/* What the file has set besides its words; its environment is on top of the stack. */
static char *take_path(lua_State *L, struct mt_config *config, const char *name, const char *what)
{
    char *path = NULL;

    lua_pushstring(L, name);
    if (lua_rawget(L, -2) != LUA_TNIL) {
        size_t len = 0;
        const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &len) : "";
        if (!len || strlen(text) != len)
            luaL_error(L, "%s", what);
        path = mt_config_path_beside(config->path, text);
        if (!path)
            luaL_error(L, "out of memory");
    }
    lua_pop(L, 1);
    return path;
}

/* Other names are the file's own business; but a slip in this one would hold nothing. */
static void no_other_holds(lua_State *L)
{
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        char name[64];
        if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING)
            continue;
        snprintf(name, sizeof name, "%s", lua_tostring(L, -2));
        mt_str_fold(name);
        if (strstr(name, "hold") && strcmp(lua_tostring(L, -2), "holds") != 0)
            luaL_error(L, "unknown_option: '%s' means nothing: did you mean 'holds'?",
                       lua_tostring(L, -2));
    }
}

struct job {
    struct mt_config *config;
    const char *text;
    size_t len;
    const char *name;
};

static int run_protected(lua_State *L)
{
    static const luaL_Reg words[] = {{"account", mt_config_word_account},
                                     {"app", mt_config_word_app},
                                     {"accounts", mt_config_word_accounts},
                                     {"job", word_job},
                                     {"env", mt_config_word_env},
                                     {"file", mt_config_word_file},
                                     {"command", mt_config_word_command},
                                     {"serve", mt_config_word_serve},
                                     {"audit", word_audit},
                                     {NULL, NULL}};
    struct job *job = lua_touserdata(L, 1);

    lua_pushlightuserdata(L, job->config);
    lua_setfield(L, LUA_REGISTRYINDEX, BUILDER_KEY);
    mt_config_secret_type(L);
    mt_config_command_type(L);
    if (luaL_loadbufferx(L, job->text, job->len, job->name, "t"))
        return lua_error(L);
    luaL_newlib(L, words);
    lua_pushvalue(L, -1);
    lua_setupvalue(L, -3, 1);
    lua_insert(L, -2);
    job->config->deadline_us = mt_clock_cpu_us() + CPU_MAX_US;
    lua_sethook(L, too_long, LUA_MASKCOUNT, LOOK_EVERY);
    lua_call(L, 0, 0);
    job->config->state = take_path(L, job->config, "state", "state is the path of a folder");
    job->config->holds = take_path(L, job->config, "holds", "holds is the path of a list of holds");
    no_other_holds(L);
    return 0;
}

static enum mt_rc error_fault(lua_State *L, struct mt_fault *fault)
{
    const char *text =
        lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "the configuration failed";
    static const char *const known[] = {"unknown_option", "secret_exposed"};

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const char *at = strstr(text, known[i]);
        size_t skip = strlen(known[i]) + 2;
        char code[MT_FAULT_CODE_MAX];
        if (!at || strncmp(at + skip - 2, ": ", 2) != 0)
            continue;
        snprintf(code, sizeof code, "config.%s", known[i]);
        return mt_fault_set(fault, MT_ERR_INVALID, code, "%.*s%s", (int)(at - text), text,
                            at + skip);
    }
    return mt_fault_set(fault, MT_ERR_INVALID, "config.syntax", "%s", text);
}

static enum mt_rc parse(const char *text, size_t len, const char *name, uint32_t mode, bool foreign,
                        struct mt_config **out, struct mt_fault *fault)
{
    struct mt_config *config = mt_mem_calloc(1, sizeof *config);
    lua_State *L = NULL;
    enum mt_rc rc = MT_OK;
    char chunk[512];

    *out = NULL;
    if (!config)
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    config->mode = mode;
    config->foreign = foreign;
    config->audit.sending = true;
    config->path = mt_mem_strdup(name);
    L = config->path ? lua_newstate(bounded_alloc, config) : NULL;
    if (!L) {
        rc = mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
        goto out;
    }
    snprintf(chunk, sizeof chunk, "@%s", name);
    struct job job = {config, text, len, chunk};
    lua_pushcfunction(L, run_protected);
    lua_pushlightuserdata(L, &job);
    if (lua_pcall(L, 1, 0, 0))
        rc = error_fault(L, fault);
    else if (mt_config_users_finish(config))
        rc = mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
out:
    if (L)
        lua_close(L);
    if (rc)
        mt_config_free(config);
    else
        *out = config;
    return rc;
}

enum mt_rc mt_config_parse(const char *text, size_t len, const char *name, uint32_t mode,
                           struct mt_config **out, struct mt_fault *fault)
{
    return parse(text, len, name, mode, false, out, fault);
}

/* Where a link leads, both: who may write the file, and what stands in it. */
enum mt_rc mt_config_load(const char *path, struct mt_config **out, struct mt_fault *fault)
{
    struct mt_fs_stat st;
    char *text = NULL;
    char *real = NULL;
    size_t len = 0;
    enum mt_rc rc = MT_OK;
    int err = mt_fs_real(path, &real);

    *out = NULL;
    if (!err)
        err = mt_fs_stat(real, &st);
    if (!err)
        err = mt_fs_read_all(real, FILE_MAX_BYTES, &text, &len);
    mt_mem_free(real);
    if (err)
        return mt_fs_fault(fault, err, "read the configuration", path);
    bool foreign = st.uid != 0 && st.uid != geteuid();
    rc = parse(text, len, path, st.mode, foreign, out, fault);
    explicit_bzero(text, len);
    mt_mem_free(text);
    return rc;
}

void mt_config_free(struct mt_config *config)
{
    if (!config)
        return;
    for (size_t i = 0; i < config->n; i++)
        mt_config_account_deinit(&config->accounts[i]);
    for (size_t i = 0; i < config->apps_n; i++)
        mt_config_app_free(config->apps[i]);
    mt_config_users_free(&config->users);
    mt_mem_free(config->reading);
    mt_config_jobs_free(config->jobs);
    mt_mem_free(config->state);
    mt_mem_free(config->holds);
    mt_mem_free(config->listen);
    mt_mem_free(config->anchor);
    for (size_t i = 0; i < config->secret_files_n; i++)
        mt_mem_free(config->secret_files[i]);
    mt_mem_free(config->accounts);
    mt_mem_free(config->path);
    mt_mem_free(config);
}

/* Evaluates the configuration file. The Lua state lives only while the file runs; what it declared
 * is copied out. */
#include "script/config_int.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "codec/time.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX_BYTES   (1u << 20)
#define MEMORY_MAX_BYTES (16u << 20)
#define INSTRUCTIONS_MAX 10000000
#define LOOK_EVERY       1000 /* instructions; each may copy a text as large as the memory */
#define CPU_MAX_US       2000000
#define ACCOUNTS_MAX     10000u
#define DISCOVERY_MAX    8
#define SECRET_MAX_BYTES (64u << 10)
#define TIMEOUT_MIN_MS   1000
#define TIMEOUT_MAX_MS   600000
#define SECRET_FILES_MAX 1024
#define SECRET_TYPE      "moontide.config.secret"
#define BUILDER_KEY      "moontide.config.builder"

struct account {
    struct mt_account_config view;
    char *name, *provider, *appkey, *user, *rest, *websocket, *device;
    char *discovery[DISCOVERY_MAX + 1];
    char *navigators[DISCOVERY_MAX + 1];
    struct mt_secret *token, *password;
    char *missing; /* the environment variable that is not set */
};

struct mt_config {
    char *path;
    struct account *accounts;
    size_t n, cap;
    struct mt_config_jobs *jobs;
    char *state;
    char *secret_files[SECRET_FILES_MAX]; /* as named */
    size_t secret_files_n;
    uint32_t mode;
    size_t memory_bytes; /* of the Lua state, while it lives */
    int64_t instructions_n, deadline_us;
};

/* What env and file return: a secret that Lua cannot look into. */
struct secret_box {
    struct mt_secret *secret;
    char missing[128]; /* the variable, when there is none */
};

/* ---------------------------------------------------------------- options of an account */

static const char *const account_keys[] = {
    "provider",   "appkey", "user",      "token",   "password", "rest",     "websocket",
    "navigators", "rate",   "discovery", "timeout", "device",   "platform", "delivery_receipts",
    NULL};

static const char *option_string(lua_State *L, const char *account, const char *key)
{
    const char *s = NULL;
    lua_getfield(L, 2, key);
    if (!lua_isnil(L, -1)) {
        if (lua_type(L, -1) != LUA_TSTRING)
            luaL_error(L, "account '%s': %s must be a string", account, key);
        s = lua_tostring(L, -1);
        if (strlen(s) != lua_rawlen(L, -1) || !*s)
            luaL_error(L, "account '%s': %s must be a text that is not empty", account, key);
    }
    /* stays on the stack, so that the text lives until the function ends */
    return s;
}

static char *copy_option(lua_State *L, const char *account, const char *key)
{
    const char *s = option_string(L, account, key);
    char *copy = s ? mt_mem_strdup(s) : NULL;
    if (s && !copy)
        luaL_error(L, "out of memory");
    return copy;
}

/* lua_pushfstring knows no octal numbers. */
static const char *octal(uint32_t mode, char out[8])
{
    snprintf(out, 8, "%04o", (unsigned)mode & 0777);
    return out;
}

static void copy_secret(lua_State *L, struct mt_config *config, struct account *a, const char *key,
                        struct mt_secret **out)
{
    char mode[8];

    lua_getfield(L, 2, key);
    if (lua_isnil(L, -1))
        return;
    if (lua_type(L, -1) == LUA_TSTRING) {
        size_t len = 0;
        const char *s = lua_tolstring(L, -1, &len);
        if (config->mode & 077)
            luaL_error(L,
                       "secret_exposed: account '%s': %s is written in %s, which others may read "
                       "(mode %s): "
                       "chmod 600 it, or use env or file",
                       a->name, key, config->path, octal(config->mode, mode));
        *out = mt_secret_new(s, len);
        if (!*out)
            luaL_error(L, "out of memory");
        return;
    }
    struct secret_box *box = luaL_testudata(L, -1, SECRET_TYPE);
    if (!box) {
        luaL_error(L, "account '%s': %s must be env \"NAME\", file \"PATH\" or a string", a->name,
                   key);
        return;
    }
    if (!box->secret) {
        mt_mem_free(a->missing);
        a->missing = mt_mem_strdup(box->missing);
        return;
    }
    *out = mt_secret_new(mt_secret_bytes(box->secret), mt_secret_len(box->secret));
    if (!*out)
        luaL_error(L, "out of memory");
}

static void check_keys(lua_State *L, const char *account)
{
    size_t n = 0;
    while (account_keys[n])
        n++;
    lua_pushnil(L);
    while (lua_next(L, 2)) {
        lua_pop(L, 1);
        const char *key = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "?";
        bool known = false;
        for (size_t i = 0; i < n; i++)
            known = known || !strcmp(key, account_keys[i]);
        if (known)
            continue;
        const char *near = mt_str_nearest(key, account_keys, n);
        if (near)
            luaL_error(L, "unknown_option: account '%s': unknown option '%s': did you mean '%s'?",
                       account, key, near);
        luaL_error(L, "unknown_option: account '%s': unknown option '%s'", account, key);
    }
}

static void copy_urls(lua_State *L, const struct account *a, const char *key,
                      char *out[DISCOVERY_MAX + 1])
{
    lua_getfield(L, 2, key);
    if (lua_isnil(L, -1))
        return;
    if (!lua_istable(L, -1))
        luaL_error(L, "account '%s': %s must be a list of base URLs", a->name, key);
    for (int i = 1; i <= DISCOVERY_MAX; i++) {
        lua_rawgeti(L, -1, i);
        if (lua_isnil(L, -1))
            break;
        if (lua_type(L, -1) != LUA_TSTRING)
            luaL_error(L, "account '%s': %s must be a list of base URLs", a->name, key);
        out[i - 1] = mt_mem_strdup(lua_tostring(L, -1));
        if (!out[i - 1])
            luaL_error(L, "out of memory");
        lua_pop(L, 1);
    }
}

static void copy_timeout(lua_State *L, struct account *a)
{
    const char *text = option_string(L, a->name, "timeout");
    int64_t ms = 0;

    if (!text)
        return;
    if (mt_duration_parse(text, &ms, NULL) || ms < TIMEOUT_MIN_MS || ms > TIMEOUT_MAX_MS)
        luaL_error(L, "account '%s': timeout is how long one answer may take, from 1s to 10m",
                   a->name);
    a->view.timeout_ms = ms;
}

static void copy_device(lua_State *L, struct account *a)
{
    int is_number = 1;

    a->device = copy_option(L, a->name, "device");
    if (lua_getfield(L, 2, "platform") != LUA_TNIL) {
        lua_Integer platform = lua_tointegerx(L, -1, &is_number);
        if (!is_number || platform < 1 || platform > 100)
            luaL_error(L, "account '%s': platform is a whole number from 1 to 100", a->name);
        a->view.platform = (int)platform;
    }
    if (lua_getfield(L, 2, "delivery_receipts") != LUA_TNIL && !lua_isboolean(L, -1))
        luaL_error(L, "account '%s': delivery_receipts is true or false", a->name);
    a->view.delivery_receipts = lua_toboolean(L, -1);
}

/* ---------------------------------------------------------------- the words of the language */

static struct mt_config *builder(lua_State *L)
{
    lua_getfield(L, LUA_REGISTRYINDEX, BUILDER_KEY);
    struct mt_config *config = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return config;
}

static struct account *account_new(lua_State *L, struct mt_config *config, const char *name)
{
    for (size_t i = 0; i < config->n; i++) {
        if (!strcmp(config->accounts[i].name, name))
            luaL_error(L, "account '%s' is declared twice", name);
    }
    if (config->n >= ACCOUNTS_MAX)
        luaL_error(L, "more than %d accounts", (int)ACCOUNTS_MAX);
    if (config->n == config->cap) {
        size_t cap = config->cap ? config->cap * 2 : 4;
        struct account *accounts = mt_mem_realloc(config->accounts, cap * sizeof *accounts);
        if (!accounts) {
            luaL_error(L, "out of memory");
            abort(); /* never reached, as the declaration of luaL_error does not say */
        }
        config->accounts = accounts;
        config->cap = cap;
    }
    char *copy = mt_mem_strdup(name);
    if (!copy)
        luaL_error(L, "out of memory");
    struct account *a = &config->accounts[config->n++];
    memset(a, 0, sizeof *a);
    a->name = copy;
    return a;
}

static int account_body(lua_State *L)
{
    const char *name = lua_tostring(L, lua_upvalueindex(1));
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_pushstring(L, name);
    lua_insert(L, 1); /* 1 name, 2 table */
    luaL_checkstack(L, 40, "account");
    check_keys(L, name);
    struct mt_config *config = builder(L);
    struct account *a = account_new(L, config, name);
    a->provider = copy_option(L, name, "provider");
    a->appkey = copy_option(L, name, "appkey");
    a->user = copy_option(L, name, "user");
    a->rest = copy_option(L, name, "rest");
    a->websocket = copy_option(L, name, "websocket");
    copy_secret(L, config, a, "token", &a->token);
    copy_secret(L, config, a, "password", &a->password);
    copy_urls(L, a, "discovery", a->discovery);
    copy_urls(L, a, "navigators", a->navigators);
    copy_timeout(L, a);
    copy_device(L, a);
    if (!a->provider)
        luaL_error(L, "account '%s': provider is missing; this version has: %s", name,
                   mt_provider_names());
    if (!a->appkey)
        luaL_error(L, "account '%s': appkey is missing", name);
    a->view.rate_per_s = -1;
    lua_getfield(L, 2, "rate");
    if (!lua_isnil(L, -1)) {
        int is_number = 0;
        double rate = lua_tonumberx(L, -1, &is_number);
        if (!is_number || !(rate >= 0 && rate <= 100000))
            luaL_error(L, "account '%s': rate is a number of requests a second, 0 for no limit",
                       name);
        a->view.rate_per_s = rate;
    }
    return 0;
}

static int word_account(lua_State *L)
{
    size_t len = 0;
    const char *name = luaL_checklstring(L, 1, &len);
    if (!len || len > 128 || strlen(name) != len)
        return luaL_error(L, "an account needs a name of 1 to 128 characters");
    lua_settop(L, 1);
    lua_pushcclosure(L, account_body, 1);
    return 1;
}

static int job_body(lua_State *L)
{
    struct mt_config *config = builder(L);

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

static struct secret_box *box_new(lua_State *L)
{
    struct secret_box *box = lua_newuserdatauv(L, sizeof *box, 0);
    memset(box, 0, sizeof *box);
    luaL_setmetatable(L, SECRET_TYPE);
    return box;
}

static int box_gc(lua_State *L)
{
    struct secret_box *box = luaL_checkudata(L, 1, SECRET_TYPE);
    mt_secret_free(box->secret);
    box->secret = NULL;
    return 0;
}

static int word_env(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    const char *value = getenv(name);
    struct secret_box *box = box_new(L);
    if (!value || !*value) {
        snprintf(box->missing, sizeof box->missing, "%s", name);
        return 1;
    }
    box->secret = mt_secret_new(value, strlen(value));
    return box->secret ? 1 : luaL_error(L, "out of memory");
}

static int word_file(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    struct secret_box *box = box_new(L);
    struct mt_config *config = builder(L);
    struct mt_fs_stat st;
    struct mt_fault fault;
    char mode[8];
    char *text = NULL;
    size_t len = 0;
    int err = mt_fs_stat(path, &st);

    if (!err && (st.mode & 077))
        return luaL_error(
            L, "secret_exposed: the secret file %s may be read by others (mode %s): chmod 600 it",
            path, octal(st.mode, mode));
    if (!err)
        err = mt_fs_read_all(path, SECRET_MAX_BYTES, &text, &len);
    if (err) {
        mt_fs_fault(&fault, err, "read", path);
        return luaL_error(L, "%s", fault.message);
    }
    while (len && (text[len - 1] == '\n' || text[len - 1] == '\r' || text[len - 1] == ' '))
        len--;
    box->secret = mt_secret_new(text, len);
    explicit_bzero(text, len);
    mt_mem_free(text);
    if (config->secret_files_n == SECRET_FILES_MAX)
        return luaL_error(L, "more than %d secret files", SECRET_FILES_MAX);
    config->secret_files[config->secret_files_n] = mt_mem_strdup(path);
    if (!config->secret_files[config->secret_files_n++])
        return luaL_error(L, "out of memory");
    return box->secret ? 1 : luaL_error(L, "out of memory");
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
    struct mt_config *config = builder(L);

    (void)ar;
    config->instructions_n += LOOK_EVERY;
    if (config->instructions_n < INSTRUCTIONS_MAX && mt_clock_cpu_us() < config->deadline_us)
        return;
    lua_sethook(L, too_long, LUA_MASKCOUNT, 1); /* stays armed: nothing in the file can go on */
    luaL_error(L, "%s does not come to an end", config->path);
}

struct job {
    struct mt_config *config;
    const char *text;
    size_t len;
    const char *name;
};

static int run_protected(lua_State *L)
{
    static const luaL_Reg words[] = {{"account", word_account},
                                     {"job", word_job},
                                     {"env", word_env},
                                     {"file", word_file},
                                     {NULL, NULL}};
    struct job *job = lua_touserdata(L, 1);

    lua_pushlightuserdata(L, job->config);
    lua_setfield(L, LUA_REGISTRYINDEX, BUILDER_KEY);
    luaL_newmetatable(L, SECRET_TYPE);
    lua_pushcfunction(L, box_gc);
    lua_setfield(L, -2, "__gc");
    lua_pushstring(L, "secret");
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
    if (luaL_loadbufferx(L, job->text, job->len, job->name, "t"))
        return lua_error(L);
    luaL_newlib(L, words);
    lua_pushvalue(L, -1);
    lua_setupvalue(L, -3, 1);
    lua_insert(L, -2);
    job->config->deadline_us = mt_clock_cpu_us() + CPU_MAX_US;
    lua_sethook(L, too_long, LUA_MASKCOUNT, LOOK_EVERY);
    lua_call(L, 0, 0);
    lua_pushliteral(L, "state"); /* what the file has set besides its words */
    lua_rawget(L, -2);
    if (lua_isnil(L, -1))
        return 0;
    if (lua_type(L, -1) != LUA_TSTRING || !*lua_tostring(L, -1))
        return luaL_error(L, "state is the path of a folder");
    job->config->state = mt_config_path_beside(job->config->path, lua_tostring(L, -1));
    return job->config->state ? 0 : luaL_error(L, "out of memory");
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

static void make_views(struct mt_config *config)
{
    for (size_t i = 0; i < config->n; i++) {
        struct account *a = &config->accounts[i];
        a->view.name = a->name;
        a->view.provider = a->provider;
        a->view.appkey = a->appkey;
        a->view.user = a->user;
        a->view.token = a->token;
        a->view.password = a->password;
        a->view.rest = a->rest;
        a->view.websocket = a->websocket;
        a->view.device = a->device;
        a->view.discovery = a->discovery[0] ? (const char *const *)a->discovery : NULL;
        a->view.navigators = a->navigators[0] ? (const char *const *)a->navigators : NULL;
    }
}

enum mt_rc mt_config_parse(const char *text, size_t len, const char *name, uint32_t mode,
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
    make_views(config);
out:
    if (L)
        lua_close(L);
    if (rc)
        mt_config_free(config);
    else
        *out = config;
    return rc;
}

enum mt_rc mt_config_load(const char *path, struct mt_config **out, struct mt_fault *fault)
{
    struct mt_fs_stat st;
    char *text = NULL;
    size_t len = 0;
    enum mt_rc rc = MT_OK;
    int err = mt_fs_stat(path, &st);

    *out = NULL;
    if (!err)
        err = mt_fs_read_all(path, FILE_MAX_BYTES, &text, &len);
    if (err)
        return mt_fs_fault(fault, err, "read the configuration", path);
    rc = mt_config_parse(text, len, path, st.mode, out, fault);
    explicit_bzero(text, len);
    mt_mem_free(text);
    return rc;
}

void mt_config_free(struct mt_config *config)
{
    if (!config)
        return;
    for (size_t i = 0; i < config->n; i++) {
        struct account *a = &config->accounts[i];
        mt_mem_free(a->name);
        mt_mem_free(a->provider);
        mt_mem_free(a->appkey);
        mt_mem_free(a->user);
        mt_mem_free(a->rest);
        mt_mem_free(a->websocket);
        mt_mem_free(a->device);
        mt_mem_free(a->missing);
        for (size_t k = 0; a->discovery[k]; k++)
            mt_mem_free(a->discovery[k]);
        for (size_t k = 0; a->navigators[k]; k++)
            mt_mem_free(a->navigators[k]);
        mt_secret_free(a->token);
        mt_secret_free(a->password);
    }
    mt_config_jobs_free(config->jobs);
    mt_mem_free(config->state);
    for (size_t i = 0; i < config->secret_files_n; i++)
        mt_mem_free(config->secret_files[i]);
    mt_mem_free(config->accounts);
    mt_mem_free(config->path);
    mt_mem_free(config);
}

/* ---------------------------------------------------------------- questions */

static enum mt_rc no_account(const struct mt_config *config, const char *name,
                             struct mt_fault *fault)
{
    const char **names = mt_mem_calloc(config->n + 1, sizeof *names);
    const char *near = NULL;

    if (names) {
        for (size_t i = 0; i < config->n; i++)
            names[i] = config->accounts[i].name;
        near = mt_str_nearest(name, names, config->n);
        mt_mem_free(names);
    }
    if (near)
        return mt_fault_set(fault, MT_ERR_NOT_FOUND, "config.no_account",
                            "no account '%s' in %s: did you mean '%s'?", name, config->path, near);
    return mt_fault_set(fault, MT_ERR_NOT_FOUND, "config.no_account",
                        "no account '%s' in %s: declare it there, account \"%s\" { … }", name,
                        config->path, name);
}

enum mt_rc mt_config_account(const struct mt_config *config, const char *name,
                             const struct mt_account_config **out, struct mt_fault *fault)
{
    for (size_t i = 0; i < config->n; i++) {
        const struct account *a = &config->accounts[i];
        if (strcmp(a->name, name) != 0)
            continue;
        if (!a->token && !a->password && a->missing)
            return mt_fault_set(fault, MT_ERR_INVALID, "config.no_secret",
                                "account '%s': the environment variable %s is not set", name,
                                a->missing);
        if (!a->token && !a->password)
            return mt_fault_set(fault, MT_ERR_INVALID, "config.no_secret",
                                "account '%s' has neither token nor password in %s", name,
                                config->path);
        *out = &a->view;
        return MT_OK;
    }
    return no_account(config, name, fault);
}

size_t mt_config_accounts_n(const struct mt_config *config)
{
    return config->n;
}

const char *mt_config_account_name(const struct mt_config *config, size_t i)
{
    return i < config->n ? config->accounts[i].name : NULL;
}

const char *mt_config_path(const struct mt_config *config)
{
    return config->path;
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

static bool same_secret(const struct mt_secret *a, const struct mt_secret *b)
{
    if (!a || !b)
        return a == b;
    return mt_secret_len(a) == mt_secret_len(b) &&
           !memcmp(mt_secret_bytes(a), mt_secret_bytes(b), mt_secret_len(a));
}

static const struct account *find(const struct mt_config *config, const char *name)
{
    for (size_t i = 0; i < config->n; i++) {
        if (!strcmp(config->accounts[i].name, name))
            return &config->accounts[i];
    }
    return NULL;
}

bool mt_config_account_same(const struct mt_config *a, const struct mt_config *b, const char *name)
{
    const struct account *x = find(a, name);
    const struct account *y = find(b, name);

    if (!x || !y)
        return false;
    for (size_t i = 0; i < DISCOVERY_MAX; i++) {
        if (!same_text(x->discovery[i], y->discovery[i]) ||
            !same_text(x->navigators[i], y->navigators[i]))
            return false;
    }
    return same_text(x->provider, y->provider) && same_text(x->appkey, y->appkey) &&
           same_text(x->user, y->user) && same_text(x->rest, y->rest) &&
           same_text(x->websocket, y->websocket) && same_secret(x->token, y->token) &&
           same_secret(x->password, y->password) && x->view.rate_per_s == y->view.rate_per_s &&
           x->view.timeout_ms == y->view.timeout_ms;
}

size_t mt_config_jobs_n(const struct mt_config *config)
{
    return mt_config_jobs_count(config->jobs);
}

const struct mt_job_config *mt_config_job(const struct mt_config *config, size_t i)
{
    return mt_config_jobs_at(config->jobs, i);
}

const char *mt_config_secret_file(const struct mt_config *config, size_t i)
{
    return i < config->secret_files_n ? config->secret_files[i] : NULL;
}

const char *mt_config_state(const struct mt_config *config)
{
    return config->state;
}

/* job "name" { … } of the configuration. */
#include "script/config_int.h"

#include "base/arena.h"
#include "base/mem.h"
#include "base/str.h"
#include "script/script_int.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JOBS_MAX  1000u
#define ARENA_MAX ((size_t)32 << 20)
#define LIST_MAX  200
#define TEXT_MAX  4096

struct mt_config_jobs {
    struct mt_arena *arena;
    struct mt_job_config *items[JOBS_MAX]; /* in the arena */
    size_t n;
};

/* A list of texts as it is filled. */
struct texts {
    lua_State *L;
    struct mt_arena *arena;
    const char *job;
    const char **items;
    size_t n;
};

static const char *const keys[] = {"script", "accounts",    "args",    "grant",  "cron",
                                   "every",  "timezone",    "jitter",  "missed", "overlap",
                                   "apply",  "pause_after", "isolated"};
#define KEYS_N (sizeof keys / sizeof *keys)

char *mt_config_path_beside(const char *config_path, const char *path)
{
    const char *slash = strrchr(config_path, '/');
    size_t folder = slash ? (size_t)(slash - config_path) + 1 : 0;
    size_t len = strlen(path);

    if (path[0] == '/' || !folder)
        return mt_mem_strdup(path);
    char *whole = mt_mem_alloc(folder + len + 1);
    if (!whole)
        return NULL;
    memcpy(whole, config_path, folder);
    memcpy(whole + folder, path, len + 1);
    return whole;
}

/* ---------------------------------------------------------------- lists of texts */

static const char *keep(lua_State *L, struct mt_arena *arena, const char *text)
{
    const char *copy = mt_arena_strdup(arena, text);

    if (!copy)
        luaL_error(L, "the jobs are too large");
    return copy;
}

static void add(struct texts *t, const char *text)
{
    if (t->n == LIST_MAX)
        luaL_error(t->L, "job '%s': more than %d words", t->job, LIST_MAX);
    t->items[t->n++] = keep(t->L, t->arena, text);
}

static void texts_init(struct texts *t, lua_State *L, struct mt_arena *arena, const char *job)
{
    t->L = L;
    t->arena = arena;
    t->job = job;
    t->n = 0;
    t->items = mt_arena_calloc(arena, LIST_MAX + 1, sizeof *t->items);
    if (!t->items)
        luaL_error(L, "the jobs are too large");
}

/* A text, a number or a boolean on top of the stack, as a word. */
static const char *word(lua_State *L, const char *job, const char *key)
{
    int type = lua_type(L, -1);

    if (type == LUA_TBOOLEAN)
        return lua_toboolean(L, -1) ? "true" : "false";
    if (type != LUA_TSTRING && type != LUA_TNUMBER)
        luaL_error(L, "job '%s': %s must be a text, a number or a boolean", job, key);
    const char *text = lua_tostring(L, -1);
    if (strlen(text) != lua_rawlen(L, -1) || strlen(text) > TEXT_MAX)
        luaL_error(L, "job '%s': %s is no text", job, key);
    return text;
}

static void add_argument(struct texts *t, const char *key)
{
    char option[256];

    snprintf(option, sizeof option, "--%s", key);
    if (lua_isboolean(t->L, -1)) {
        if (lua_toboolean(t->L, -1))
            add(t, option);
        return;
    }
    add(t, option);
    lua_pushvalue(t->L, -1); /* a number becomes a text: of a copy */
    add(t, word(t->L, t->job, key));
    lua_pop(t->L, 1);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names of a table's members in their order: Lua has another one in each process, and a job
 * whose arguments were in another order would be another job. */
static size_t names_of(lua_State *L, int table, const char *job, const char **names)
{
    size_t n = 0;

    for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            continue;
        if (n == LIST_MAX)
            luaL_error(L, "job '%s': more than %d words", job, LIST_MAX);
        names[n++] = lua_tostring(L, -2); /* lives as long as the table has it */
    }
    qsort(names, n, sizeof *names, by_name);
    return n;
}

/* args = { "positional", older_than = "90d", quiet = true, only = { "a", "b" } } as words. The
 * table is on top of the stack. */
static void take_args(struct texts *t)
{
    lua_State *L = t->L;
    int args = lua_gettop(L);
    const char *names[LIST_MAX];
    size_t names_n = 0;

    if (!lua_istable(L, args))
        luaL_error(L, "job '%s': args is a table", t->job);
    names_n = names_of(L, args, t->job, names);
    for (size_t at = 0; at < names_n; at++, lua_pop(L, 1)) {
        lua_pushstring(L, names[at]);
        if (lua_rawget(L, args) != LUA_TTABLE) {
            add_argument(t, names[at]);
            continue;
        }
        for (int i = 1; lua_rawgeti(L, -1, i) != LUA_TNIL; i++) {
            add_argument(t, names[at]);
            lua_pop(L, 1);
        }
        lua_pop(L, 1);
    }
    for (int i = 1; lua_rawgeti(L, args, i) != LUA_TNIL; i++) {
        add(t, word(L, t->job, "args"));
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

static void take_list(struct texts *t, const char *key)
{
    lua_State *L = t->L;

    if (!lua_istable(L, -1))
        luaL_error(L, "job '%s': %s is a list", t->job, key);
    for (int i = 1; lua_rawgeti(L, -1, i) != LUA_TNIL; i++) {
        add(t, word(L, t->job, key));
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

/* ---------------------------------------------------------------- one job */

static void check_keys(lua_State *L, const char *job)
{
    for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 1)) {
        const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
        bool known = false;
        for (size_t i = 0; i < KEYS_N; i++)
            known = known || !strcmp(keys[i], key);
        if (known)
            continue;
        const char *near = mt_str_nearest(key, keys, KEYS_N);
        if (near)
            luaL_error(L, "unknown_option: job '%s': unknown option '%s': did you mean '%s'?", job,
                       key, near);
        luaL_error(L, "unknown_option: job '%s': unknown option '%s'", job, key);
    }
}

static const char *take_text(lua_State *L, struct mt_arena *arena, const char *job, const char *key)
{
    const char *text = NULL;

    lua_getfield(L, 2, key);
    if (!lua_isnil(L, -1)) {
        if (lua_type(L, -1) != LUA_TSTRING || !*lua_tostring(L, -1))
            luaL_error(L, "job '%s': %s must be a text that is not empty", job, key);
        text = keep(L, arena, word(L, job, key));
    }
    lua_pop(L, 1);
    return text;
}

static const char *const *take_texts(lua_State *L, struct mt_arena *arena, const char *job,
                                     const char *key)
{
    struct texts t;

    texts_init(&t, L, arena, job);
    if (lua_getfield(L, 2, key) != LUA_TNIL) {
        if (!strcmp(key, "args"))
            take_args(&t);
        else
            take_list(&t, key);
    }
    lua_pop(L, 1);
    return t.items;
}

static struct mt_config_jobs *jobs_new(lua_State *L)
{
    struct mt_config_jobs *jobs = mt_mem_calloc(1, sizeof *jobs);

    if (jobs)
        jobs->arena = mt_arena_new(ARENA_MAX);
    if (!jobs || !jobs->arena) {
        mt_mem_free(jobs);
        luaL_error(L, "out of memory");
    }
    return jobs;
}

static int grant_protected(lua_State *L)
{
    mt_grant_take(L, 1, lua_touserdata(L, 2));
    return 0;
}

/* Folders are meant from the configuration's own, as the script is. */
static void place_folders(lua_State *L, const char *job, const char *config_path,
                          struct mt_grant *grant)
{
    for (size_t i = 0; i < grant->folders_n; i++) {
        char *path = mt_config_path_beside(config_path, grant->folders[i]);
        bool fits = path && strlen(path) < sizeof grant->folders[i];
        if (fits)
            snprintf(grant->folders[i], sizeof grant->folders[i], "%s", path);
        mt_mem_free(path);
        if (!fits)
            luaL_error(L, "job '%s': the path of a folder is too long", job);
    }
}

/* What scripts share with it raises faults, the configuration raises texts. */
static void take_grant(lua_State *L, const char *job, const char *config_path, struct mt_grant *out)
{
    lua_pushcfunction(L, grant_protected);
    lua_getfield(L, 2, "grant");
    lua_pushlightuserdata(L, out);
    if (!lua_pcall(L, 2, 0, 0)) {
        place_folders(L, job, config_path, out);
        return;
    }
    if (lua_istable(L, -1))
        lua_getfield(L, -1, "message");
    const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "grant";
    luaL_error(L, "job '%s': %s", job, text);
}

/* When it runs; whether that can be is looked at with the script. */
static void take_times(lua_State *L, struct mt_arena *arena, const char *name,
                       struct mt_job_config *job)
{
    int is_number = 1;

    job->cron = take_text(L, arena, name, "cron");
    job->every = take_text(L, arena, name, "every");
    job->timezone = take_text(L, arena, name, "timezone");
    job->jitter = take_text(L, arena, name, "jitter");
    job->missed = take_text(L, arena, name, "missed");
    job->overlap = take_text(L, arena, name, "overlap");
    lua_getfield(L, 2, "pause_after");
    lua_Integer n = lua_isnil(L, -1) ? -1 : lua_tointegerx(L, -1, &is_number);
    if (!is_number || n < -1 || n > 1000 || (n == -1 && !lua_isnil(L, -1)))
        luaL_error(L, "job '%s': pause_after is a number of failures, 0 (never) to 1000", name);
    job->pause_after = (int)n;
    lua_pop(L, 1);
}

int mt_config_job_add(lua_State *L, struct mt_config_jobs **at, const char *config_path)
{
    size_t len = 0;
    const char *name = luaL_checklstring(L, 1, &len);

    luaL_checktype(L, 2, LUA_TTABLE);
    luaL_checkstack(L, 40, "job");
    if (!len || len > 128 || strlen(name) != len || strchr(name, '/'))
        return luaL_error(L, "a job needs a name of 1 to 128 characters, without /");
    if (!*at)
        *at = jobs_new(L);
    struct mt_config_jobs *jobs = *at;
    if (!jobs)
        return luaL_error(L, "out of memory");
    for (size_t i = 0; i < jobs->n; i++) {
        if (!strcmp(jobs->items[i]->name, name))
            return luaL_error(L, "job '%s' is declared twice", name);
    }
    if (jobs->n == JOBS_MAX)
        return luaL_error(L, "more than %d jobs", (int)JOBS_MAX);
    check_keys(L, name);
    struct mt_job_config *job = mt_arena_calloc(jobs->arena, 1, sizeof *job);
    if (!job)
        return luaL_error(L, "the jobs are too large");
    jobs->items[jobs->n] = job;
    job->name = keep(L, jobs->arena, name);
    job->script = take_text(L, jobs->arena, name, "script");
    if (!job->script)
        return luaL_error(L, "job '%s': script is missing", name);
    char *path = mt_config_path_beside(config_path, job->script);
    job->script = path ? mt_arena_strdup(jobs->arena, path) : NULL;
    mt_mem_free(path);
    if (!job->script)
        return luaL_error(L, "out of memory");
    take_times(L, jobs->arena, name, job);
    lua_getfield(L, 2, "apply");
    job->apply = lua_toboolean(L, -1);
    lua_pop(L, 1);
    lua_getfield(L, 2, "isolated");
    if (!lua_isnil(L, -1) && !lua_isboolean(L, -1))
        return luaL_error(L, "job '%s': isolated is true or false", name);
    job->isolated = lua_toboolean(L, -1);
    lua_pop(L, 1);
    job->accounts = take_texts(L, jobs->arena, name, "accounts");
    job->args = take_texts(L, jobs->arena, name, "args");
    take_grant(L, name, config_path, &job->grant);
    jobs->n++;
    return 0;
}

/* ---------------------------------------------------------------- questions */

void mt_config_jobs_free(struct mt_config_jobs *jobs)
{
    if (jobs)
        mt_arena_free(jobs->arena);
    mt_mem_free(jobs);
}

size_t mt_config_jobs_count(const struct mt_config_jobs *jobs)
{
    return jobs ? jobs->n : 0;
}

const struct mt_job_config *mt_config_jobs_at(const struct mt_config_jobs *jobs, size_t i)
{
    return jobs && i < jobs->n ? jobs->items[i] : NULL;
}

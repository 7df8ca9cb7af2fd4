/* command "…" of the configuration: a program that says a secret, such as a password store. A list
 * is run as it is, { "pass", "show", "im/support" }; a text by /bin/sh. It is run when the account
 * is first opened, not when the file is read: looking at a configuration starts nothing. */
#include "script/config_int.h"

#include "base/exec.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#define COMMAND_TYPE   "moontide.config.command"
#define WORDS_MAX      64
#define TEXT_MAX       4096 /* of all words */
#define SECRET_MAX     ((size_t)64 << 10)
#define COMMAND_MAX_MS 30000

/* ---------------------------------------------------------------- the word */

/* The table of its words is the value of the userdata. */
void mt_config_command_type(lua_State *L)
{
    luaL_newmetatable(L, COMMAND_TYPE);
    lua_pushstring(L, "secret");
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}

static void check_words(lua_State *L)
{
    size_t total = 0;
    lua_Integer n = luaL_len(L, 1);

    if (n < 1 || n > WORDS_MAX)
        luaL_error(L, "command is a text for the shell, or a list of 1 to %d words", WORDS_MAX);
    for (lua_Integer i = 1; i <= n; i++) {
        size_t len = 0;
        const char *word = lua_rawgeti(L, 1, i) == LUA_TSTRING ? lua_tolstring(L, -1, &len) : NULL;
        if (!word || strlen(word) != len || (i == 1 && !len))
            luaL_error(L, "command: word %d is no text", (int)i);
        total += len + 1;
        lua_pop(L, 1);
    }
    if (total > TEXT_MAX)
        luaL_error(L, "command: longer than %d bytes", TEXT_MAX);
}

int mt_config_word_command(lua_State *L)
{
    static const char *const shell[] = {"/bin/sh", "-c"};

    lua_settop(L, 1);
    if (lua_type(L, 1) == LUA_TSTRING) {
        lua_createtable(L, 3, 0);
        for (int i = 0; i < 2; i++) {
            lua_pushstring(L, shell[i]);
            lua_rawseti(L, -2, i + 1);
        }
        lua_insert(L, 1);
        lua_rawseti(L, 1, 3);
    }
    luaL_checktype(L, 1, LUA_TTABLE);
    check_words(L);
    lua_newuserdatauv(L, 0, 1);
    lua_createtable(L, 0, 0); /* a copy: the list may be changed after this */
    for (lua_Integer i = 1; i <= luaL_len(L, 1); i++) {
        lua_rawgeti(L, 1, i);
        lua_rawseti(L, -2, i);
    }
    lua_setiuservalue(L, -2, 1);
    luaL_setmetatable(L, COMMAND_TYPE);
    return 1;
}

/* Whoever may write the file could have anything run in the name of its reader. */
static void check_owner(lua_State *L, const struct mt_config_account *a, const char *key)
{
    const struct mt_config *config = mt_config_builder(L);

    if (config->foreign || (config->mode & 022))
        luaL_error(L,
                   "secret_exposed: %s '%s': %s is a command, and %s may be changed by others: "
                   "chmod 600 it, and own it",
                   a->noun, a->name, key, config->path);
}

bool mt_config_take_command(lua_State *L, struct mt_config_account *a, const char *key)
{
    size_t total = 0;

    if (!luaL_testudata(L, -1, COMMAND_TYPE))
        return false;
    check_owner(L, a, key);
    lua_getiuservalue(L, -1, 1);
    size_t n = (size_t)lua_rawlen(L, -1);
    for (size_t i = 1; i <= n; i++) {
        lua_rawgeti(L, -1, (lua_Integer)i);
        total += lua_rawlen(L, -1) + 1;
        lua_pop(L, 1);
    }
    struct mt_config_command *command =
        mt_mem_calloc(1, sizeof *command + (n + 1) * sizeof command->words[0] + total);
    if (!command) {
        luaL_error(L, "out of memory");
        return true;
    }
    char *at = (char *)&command->words[n + 1];
    for (size_t i = 0; i < n; i++) {
        size_t len = 0;
        lua_rawgeti(L, -1, (lua_Integer)i + 1);
        const char *word = lua_tolstring(L, -1, &len);
        memcpy(at, word ? word : "", len + 1);
        command->words[i] = at;
        at += len + 1;
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    snprintf(command->key, sizeof command->key, "%s", key);
    command->next = a->commands;
    a->commands = command;
    return true;
}

void mt_config_commands_free(struct mt_config_command *commands)
{
    while (commands) {
        struct mt_config_command *next = commands->next;
        mt_mem_free(commands);
        commands = next;
    }
}

/* ---------------------------------------------------------------- running it */

/* What it said to people, a line each, in the log; secrets that are known by then do not show. */
static void tell_errors(const struct mt_config_account *a, const char *key, const char *text)
{
    while (*text) {
        char line[MT_EXEC_ERRORS_MAX];
        size_t len = strcspn(text, "\n");
        snprintf(line, sizeof line, "%.*s", (int)len, text);
        if (len)
            mt_log(MT_LOG_WARN, "config", "%s '%s': the command of its %s says: %s", a->noun,
                   a->name, key, line);
        text += len + (text[len] == '\n');
    }
}

static const char *first_line_of(const char *text, char out[128])
{
    mt_secret_shown(text, out, 128);
    out[strcspn(out, "\n")] = '\0';
    return *out ? out : "it said nothing";
}

/* What did not fit may have been the rest of a secret: the line that it was cut in is left out. */
static void drop_cut_line(char *text)
{
    char *last = strrchr(text, '\n');

    if (strlen(text) == MT_EXEC_ERRORS_MAX - 1)
        *(last ? last + 1 : text) = '\0';
}

static enum mt_rc take_answer(const struct mt_config_account *a, const char *key, const char *text,
                              struct mt_exec_result *result, struct mt_secret **out,
                              struct mt_fault *fault)
{
    char line[128];
    size_t len = strcspn(text, "\r\n");
    /* known first: what it says besides may hold it */
    struct mt_secret *secret = mt_secret_new(text, len);

    if (!secret)
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    drop_cut_line(result->errors);
    if (result->status) {
        mt_fault_set(fault, MT_ERR_INVALID, "config.command",
                     "%s '%s': the command of its %s ended with status %d: %s", a->noun, a->name,
                     key, result->status, first_line_of(result->errors, line));
        tell_errors(a, key, result->errors);
        mt_secret_free(secret);
        return MT_ERR_INVALID;
    }
    tell_errors(a, key, result->errors);
    if (!len || memchr(text, '\0', result->out_len)) {
        mt_secret_free(secret);
        return mt_fault_set(fault, MT_ERR_INVALID, "config.command",
                            "%s '%s': the command of its %s says no secret: it must stand in the "
                            "first line of what it prints",
                            a->noun, a->name, key);
    }
    *out = secret;
    return MT_OK;
}

static enum mt_rc run(const struct mt_config_account *a, const struct mt_config_command *command,
                      struct mt_secret **out, struct mt_fault *fault)
{
    struct mt_exec_result result;
    struct mt_fault why;
    char *text = mt_mem_alloc(SECRET_MAX);

    if (!text)
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    enum mt_rc rc = mt_exec(command->words, COMMAND_MAX_MS, text, SECRET_MAX, &result, &why);
    if (rc)
        mt_fault_set(fault, MT_ERR_INVALID, "config.command", "%s '%s': the command of its %s: %s",
                     a->noun, a->name, command->key, why.message);
    else
        rc = take_answer(a, command->key, text, &result, out, fault);
    explicit_bzero(text, SECRET_MAX);
    mt_mem_free(text);
    return rc ? MT_ERR_INVALID : MT_OK;
}

static struct mt_secret **wanted(struct mt_config_account *a, struct mt_config_app *app,
                                 const char *key)
{
    if (app)
        return &app->secret;
    return strcmp(key, "token") ? &a->password : &a->token;
}

enum mt_rc mt_config_unlock(struct mt_config *config, const char *name, struct mt_fault *fault)
{
    const char *slash = strchr(name, '/');
    struct mt_config_account *a = NULL;
    struct mt_config_app *app = NULL;
    enum mt_rc rc = MT_OK;

    for (size_t i = 0; i < config->n && !a; i++) {
        if (!strcmp(config->accounts[i].name, name))
            a = &config->accounts[i];
    }
    if (!a && slash)
        app = mt_config_find_app(config, name, (size_t)(slash - name));
    if (app)
        a = &app->base;
    for (const struct mt_config_command *c = a ? a->commands : NULL; c && !rc; c = c->next) {
        struct mt_secret **secret = wanted(a, app, c->key);
        if (!*secret)
            rc = run(a, c, secret, fault);
    }
    if (app)
        app->view.secret = app->secret;
    return rc;
}

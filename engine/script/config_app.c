/* app "name" { … }: the app's own credentials, with which any of its users' accounts can be opened,
 * and accounts { app = "name", users = … }: which of them there are. */
#include "script/config_int.h"

#include "base/arena.h"
#include "base/fs.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define USERS_MAX      100000u /* of all apps */
#define USERS_FILE_MAX ((size_t)16 << 20)
#define NAMES_MAX      ((size_t)32 << 20)
#define USER_MAX       128

static const char *const app_keys[] = {
    "provider",    "appkey",       "client_id", "client_secret", "app_secret",
    "tokens",      "create_users", "any_user",  "users",         "api",
    "area",        "rest",         "websocket", "discovery",     "navigators",
    "rate",        "timeout",      "device",    "platform",      "delivery_receipts",
    "media_hosts", "holds",        NULL};
static const char *const accounts_keys[] = {"app", "users", NULL};

/* ---------------------------------------------------------------- users */

bool mt_config_user_fits(const char *user, size_t len)
{
    if (!len || len > USER_MAX)
        return false;
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)user[i] <= ' ' || user[i] == 127)
            return false;
    }
    return true;
}

static bool grow(struct mt_config_users *users)
{
    size_t cap = users->cap ? users->cap * 2 : 64;
    const char **names = mt_mem_realloc(users->names, cap * sizeof *names);

    if (!names)
        return false;
    users->names = names;
    users->cap = cap;
    return true;
}

static void add_user(lua_State *L, struct mt_config_users *users, const struct mt_config_app *app,
                     const char *user, size_t len)
{
    size_t prefix = strlen(app->base.name);

    if (users->n >= USERS_MAX)
        luaL_error(L, "more than %d users", (int)USERS_MAX);
    if (!users->arena)
        users->arena = mt_arena_new(NAMES_MAX);
    char *name = users->arena ? mt_arena_alloc(users->arena, prefix + 1 + len + 1) : NULL;
    if (!name || (users->n == users->cap && !grow(users))) {
        luaL_error(L, "out of memory: too many users");
        abort(); /* never reached, as the declaration of luaL_error does not say */
    }
    memcpy(name, app->base.name, prefix);
    name[prefix] = '/';
    memcpy(name + prefix + 1, user, len);
    name[prefix + 1 + len] = '\0';
    users->names[users->n++] = name;
}

static void add_list(lua_State *L, struct mt_config_users *users, const struct mt_config_app *app)
{
    for (int i = 1; lua_rawgeti(L, -1, i) != LUA_TNIL; i++) {
        size_t len = 0;
        const char *user = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &len) : "";
        if (!mt_config_user_fits(user, len))
            luaL_error(L,
                       "app '%s': user %d of users is no user id: a text of 1 to %d bytes without "
                       "spaces",
                       app->base.name, i, USER_MAX);
        add_user(L, users, app, user, len);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* The line's user without the blanks around it; 0: it has none. */
static size_t user_of(const char **line, size_t len)
{
    const char *at = *line;

    while (len && is_blank(*at)) {
        at++;
        len--;
    }
    while (len && is_blank(at[len - 1]))
        len--;
    *line = at;
    return len && *at != '#' ? len : 0;
}

/* One user a line; lines that begin with # are comments. */
static void add_lines(lua_State *L, struct mt_config_users *users, const struct mt_config_app *app,
                      const char *path, const char *text, size_t len)
{
    const char *end = text + len;

    if (len >= 3 && !memcmp(text, "\xEF\xBB\xBF", 3)) /* a byte order mark */
        text += 3;
    for (int n = 1; text < end; n++) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        const char *user = text;
        size_t user_len = user_of(&user, (size_t)((stop ? stop : end) - text));
        if (user_len && !mt_config_user_fits(user, user_len))
            luaL_error(L, "app '%s': line %d of %s is no user id: 1 to %d bytes without spaces",
                       app->base.name, n, path, USER_MAX);
        if (user_len)
            add_user(L, users, app, user, user_len);
        text = stop ? stop + 1 : end;
    }
}

static void add_file(lua_State *L, struct mt_config *config, const struct mt_config_app *app,
                     const char *path)
{
    struct mt_fault fault;
    size_t len = 0;
    int err = mt_fs_read_all(path, USERS_FILE_MAX, &config->reading, &len);

    if (err) {
        mt_fs_fault(&fault, err, "read", path);
        luaL_error(L, "app '%s': users: %s", app->base.name, fault.message);
    }
    add_lines(L, &config->users, app, path, config->reading, len);
    mt_mem_free(config->reading);
    config->reading = NULL;
}

/* users of the table at 2. */
static void take_users(lua_State *L, struct mt_config *config, const struct mt_config_app *app)
{
    if (lua_getfield(L, 2, "users") == LUA_TTABLE) {
        add_list(L, &config->users, app);
    } else if (!lua_isnil(L, -1)) {
        const char *path = mt_config_file_at(L, lua_gettop(L));
        if (!path)
            luaL_error(L, "app '%s': users is a list of user ids, or file \"PATH\" with one a line",
                       app->base.name);
        else
            add_file(L, config, app, path);
    }
    lua_pop(L, 1);
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The accounts that are declared under such a name: they are not listed once more. */
static struct mt_map *declared(const struct mt_config *config)
{
    struct mt_map *names = mt_map_new();

    for (size_t i = 0; names && i < config->n; i++) {
        struct mt_config_account *a = &config->accounts[i];
        if (!strchr(a->name, '/') || !mt_map_put(names, a->name, a))
            continue;
        mt_map_free(names, NULL);
        names = NULL;
    }
    return names;
}

enum mt_rc mt_config_users_finish(struct mt_config *config)
{
    struct mt_config_users *users = &config->users;
    size_t n = 0;
    size_t kept = 0;

    if (!users->n)
        return MT_OK;
    struct mt_map *names = declared(config);
    users->sorted = mt_mem_calloc(users->n, sizeof *users->sorted);
    if (!users->sorted || !names) {
        mt_map_free(names, NULL);
        return MT_ERR_NOMEM;
    }
    memcpy(users->sorted, users->names, users->n * sizeof *users->sorted);
    qsort(users->sorted, users->n, sizeof *users->sorted, compare);
    for (size_t i = 0; i < users->n; i++) {
        if ((n && !strcmp(users->sorted[n - 1], users->sorted[i])) ||
            mt_map_get(names, users->sorted[i]))
            continue;
        users->sorted[n++] = users->sorted[i];
    }
    mt_map_free(names, NULL);
    /* of equal names one text has stayed: that one is kept where it was listed */
    for (size_t i = 0; i < users->n; i++) {
        const char *const *at =
            bsearch(&users->names[i], users->sorted, n, sizeof *users->sorted, compare);
        if (at && *at == users->names[i])
            users->names[kept++] = users->names[i];
    }
    users->n = kept;
    return MT_OK;
}

void mt_config_users_free(struct mt_config_users *users)
{
    mt_arena_free(users->arena);
    mt_mem_free(users->names);
    mt_mem_free(users->sorted);
}

/* ---------------------------------------------------------------- apps */

void mt_config_app_free(struct mt_config_app *app)
{
    if (!app)
        return;
    mt_config_account_deinit(&app->base);
    mt_mem_free(app->client_id);
    mt_mem_free(app->tokens);
    mt_mem_free(app->area);
    for (size_t i = 0; i < MT_CONFIG_URLS_MAX; i++)
        mt_mem_free(app->api[i]);
    mt_secret_free(app->secret);
    mt_mem_free(app);
}

static struct mt_config_app *app_new(lua_State *L, struct mt_config *config, const char *name)
{
    if (mt_config_find_app(config, name, strlen(name)))
        luaL_error(L, "app '%s' is declared twice", name);
    if (config->apps_n == MT_CONFIG_APPS_MAX)
        luaL_error(L, "more than %d apps", MT_CONFIG_APPS_MAX);
    struct mt_config_app *app = mt_mem_calloc(1, sizeof *app);
    if (!app) {
        luaL_error(L, "out of memory");
        abort(); /* never reached, as the declaration of luaL_error does not say */
    }
    app->base.noun = "app";
    app->base.name = mt_mem_strdup(name);
    if (!app->base.name) {
        mt_mem_free(app);
        luaL_error(L, "out of memory");
        abort();
    }
    config->apps[config->apps_n++] = app;
    return app;
}

/* The id is no secret, but may come from where the secret comes from. */
static void take_client_id(lua_State *L, struct mt_config_app *app)
{
    struct mt_secret *id = NULL;

    if (lua_getfield(L, 2, "client_id") == LUA_TSTRING || lua_isnil(L, -1)) {
        lua_pop(L, 1);
        app->client_id = mt_config_take_text(L, &app->base, "client_id");
        return;
    }
    lua_pop(L, 1);
    mt_config_take_secret(L, &app->base, "client_id", &id, &app->base.missing);
    if (app->base.commands)
        luaL_error(L, "app '%s': client_id is no secret: write it, or use env or file",
                   app->base.name);
    app->client_id = id ? mt_mem_strdup(mt_secret_bytes(id)) : NULL;
    bool failed = id && !app->client_id;
    mt_secret_free(id);
    if (failed)
        luaL_error(L, "out of memory");
}

/* What the console calls client secret or app secret. */
static void take_app_secret(lua_State *L, struct mt_config_app *app)
{
    mt_config_take_secret(L, &app->base, "client_secret", &app->secret, &app->base.missing);
    if (lua_getfield(L, 2, "app_secret") != LUA_TNIL) {
        if (app->secret || app->base.missing || app->base.commands)
            luaL_error(L, "app '%s': client_secret and app_secret are the same: give one",
                       app->base.name);
        mt_config_take_secret(L, &app->base, "app_secret", &app->secret, &app->base.missing);
    }
    lua_pop(L, 1);
    if (!app->secret && !app->base.missing && !app->base.commands)
        luaL_error(L,
                   "app '%s': its secret is missing: client_secret = env \"NAME\" or app_secret = "
                   "env \"NAME\"",
                   app->base.name);
}

static void make_view(struct mt_config_app *app)
{
    app->view.name = app->base.name;
    app->view.provider = app->base.provider;
    app->view.appkey = app->base.appkey;
    app->view.client_id = app->client_id;
    app->view.secret = app->secret;
    app->view.tokens = app->tokens;
    app->view.create_users = app->create_users;
    app->view.api = app->api[0] ? (const char *const *)app->api : NULL;
    app->view.area = app->area;
    app->view.rate_per_s = app->base.rate_per_s;
    app->view.timeout_ms = app->base.timeout_ms;
}

static int app_body(lua_State *L)
{
    const char *name = lua_tostring(L, lua_upvalueindex(1));

    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_pushstring(L, name);
    lua_insert(L, 1); /* 1 name, 2 table */
    luaL_checkstack(L, 40, "app");
    mt_config_check_keys(L, "app", name, app_keys);
    struct mt_config *config = mt_config_builder(L);
    struct mt_config_app *app = app_new(L, config, name);
    mt_config_take_common(L, &app->base);
    take_client_id(L, app);
    take_app_secret(L, app);
    app->tokens = mt_config_take_text(L, &app->base, "tokens");
    app->area = mt_config_take_text(L, &app->base, "area");
    mt_config_take_urls(L, &app->base, "api", app->api);
    app->create_users = mt_config_take_flag(L, &app->base, "create_users");
    app->any_user = mt_config_take_flag(L, &app->base, "any_user");
    make_view(app);
    take_users(L, config, app);
    return 0;
}

int mt_config_word_app(lua_State *L)
{
    size_t len = 0;
    const char *name = luaL_checklstring(L, 1, &len);

    if (!len || len > 64 || strlen(name) != len || strpbrk(name, "/*"))
        return luaL_error(L, "an app needs a name of 1 to 64 characters, without / and *");
    lua_settop(L, 1);
    lua_pushcclosure(L, app_body, 1);
    return 1;
}

static void no_such_app(lua_State *L, const struct mt_config *config, const char *name)
{
    const char *names[MT_CONFIG_APPS_MAX];

    for (size_t i = 0; i < config->apps_n; i++)
        names[i] = config->apps[i]->base.name;
    const char *near = mt_str_nearest(name, names, config->apps_n);
    if (near)
        luaL_error(L, "accounts: there is no app '%s' above: did you mean '%s'?", name, near);
    luaL_error(L, "accounts: there is no app '%s' above: declare it, app \"%s\" { … }", name, name);
}

/* accounts { app = "acme", users = { "a", "b" } } */
int mt_config_word_accounts(lua_State *L)
{
    struct mt_config *config = mt_config_builder(L);

    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    if (lua_getfield(L, 1, "app") != LUA_TSTRING || strlen(lua_tostring(L, -1)) > 64)
        return luaL_error(L, "accounts: app is the name of an app that is declared above");
    lua_insert(L, 1); /* 1 name, 2 table */
    luaL_checkstack(L, 40, "accounts");
    const char *name = lua_tostring(L, 1);
    mt_config_check_keys(L, "accounts", name, accounts_keys);
    struct mt_config_app *app = mt_config_find_app(config, name, strlen(name));
    if (!app)
        no_such_app(L, config, name);
    else if (lua_getfield(L, 2, "users") == LUA_TNIL)
        return luaL_error(L, "accounts: users is missing: a list of user ids, or file \"PATH\"");
    else
        take_users(L, config, app);
    return 0;
}

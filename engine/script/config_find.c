/* What a configuration says: accounts by their names, and by patterns of names. */
#include "script/config_int.h"

#include "base/arena.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct mt_config_account *mt_config_find(const struct mt_config *config, const char *name)
{
    for (size_t i = 0; i < config->n; i++) {
        if (!strcmp(config->accounts[i].name, name))
            return &config->accounts[i];
    }
    return NULL;
}

struct mt_config_app *mt_config_find_app(const struct mt_config *config, const char *name,
                                         size_t len)
{
    for (size_t i = 0; i < config->apps_n; i++) {
        const char *own = config->apps[i]->base.name;
        if (strlen(own) == len && !memcmp(own, name, len))
            return config->apps[i];
    }
    return NULL;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_listed(const struct mt_config *config, const char *name)
{
    const struct mt_config_users *users = &config->users;

    return users->n && bsearch(&name, users->sorted, users->n, sizeof *users->sorted, compare);
}

/* ---------------------------------------------------------------- one account */

static enum mt_rc no_account(const struct mt_config *config, const char *name,
                             struct mt_fault *fault)
{
    size_t n = mt_config_accounts_n(config);
    const char **names = mt_mem_calloc(n + 1, sizeof *names);
    const char *near = NULL;

    if (names) {
        for (size_t i = 0; i < n; i++)
            names[i] = mt_config_account_name(config, i);
        near = mt_str_nearest(name, names, n);
        mt_mem_free(names);
    }
    if (near)
        return mt_fault_set(fault, MT_ERR_NOT_FOUND, "config.no_account",
                            "no account '%s' in %s: did you mean '%s'?", name, config->path, near);
    const char *slash = strchr(name, '/');
    if (slash && mt_config_find_app(config, name, (size_t)(slash - name)))
        return mt_fault_set(fault, MT_ERR_NOT_FOUND, "config.no_account",
                            "no account '%s' in %s: add the user to users of the app, or set "
                            "any_user = true there",
                            name, config->path);
    return mt_fault_set(fault, MT_ERR_NOT_FOUND, "config.no_account",
                        "no account '%s' in %s: declare it there, account \"%s\" { … }", name,
                        config->path, name);
}

static void fill(struct mt_account_view *out, const struct mt_config_account *from)
{
    struct mt_account_config *account = &out->account;

    memset(out, 0, sizeof *out);
    account->name = from->name;
    account->provider = from->provider;
    account->appkey = from->appkey;
    account->user = from->user;
    account->token = from->token;
    account->password = from->password;
    account->rest = from->rest;
    account->websocket = from->websocket;
    account->device = from->device;
    account->discovery = from->discovery[0] ? (const char *const *)from->discovery : NULL;
    account->navigators = from->navigators[0] ? (const char *const *)from->navigators : NULL;
    account->media_hosts = from->media_hosts[0] ? (const char *const *)from->media_hosts : NULL;
    account->rate_per_s = from->rate_per_s;
    account->timeout_ms = from->timeout_ms;
    account->platform = from->platform;
    account->delivery_receipts = from->delivery_receipts;
}

static enum mt_rc no_secret(const struct mt_config *config, const struct mt_config_account *a,
                            struct mt_fault *fault)
{
    if (a->missing)
        return mt_fault_set(fault, MT_ERR_INVALID, "config.no_secret",
                            "%s '%s': the environment variable %s is not set", a->noun, a->name,
                            a->missing);
    return mt_fault_set(fault, MT_ERR_INVALID, "config.no_secret",
                        "%s '%s' has neither token nor password in %s", a->noun, a->name,
                        config->path);
}

/* The app that an account "APP/USER" is of. */
static const struct mt_config_app *app_of(const struct mt_config *config, const char *name)
{
    const char *slash = strchr(name, '/');
    const struct mt_config_app *app =
        slash ? mt_config_find_app(config, name, (size_t)(slash - name)) : NULL;

    if (!app || !mt_config_user_fits(slash + 1, strlen(slash + 1)))
        return NULL;
    return app->any_user || is_listed(config, name) ? app : NULL;
}

enum mt_rc mt_config_account(const struct mt_config *config, const char *name,
                             struct mt_account_view *out, struct mt_fault *fault)
{
    const struct mt_config_account *a = mt_config_find(config, name);
    const struct mt_config_app *app = a ? NULL : app_of(config, name);

    if (a) {
        if (!a->token && !a->password && !a->commands)
            return no_secret(config, a, fault);
        fill(out, a);
        out->locked = !a->token && !a->password;
        return MT_OK;
    }
    if (!app)
        return no_account(config, name, fault);
    if (app->base.missing)
        return no_secret(config, &app->base, fault);
    fill(out, &app->base);
    snprintf(out->name, sizeof out->name, "%s", name);
    out->account.name = out->name;
    out->account.user = strchr(out->name, '/') + 1;
    out->app = &app->view;
    out->locked = !app->secret;
    return MT_OK;
}

size_t mt_config_accounts_n(const struct mt_config *config)
{
    return config->n + config->users.n;
}

const char *mt_config_account_name(const struct mt_config *config, size_t i)
{
    if (i < config->n)
        return config->accounts[i].name;
    return i - config->n < config->users.n ? config->users.names[i - config->n] : NULL;
}

/* ---------------------------------------------------------------- patterns */

/* * stands for any run of characters. Where a run may end is tried from the last * alone: so the
 * time is bounded by the product of the lengths. */
bool mt_config_wanted(const char *const *wanted, const char *name)
{
    for (size_t i = 0; wanted[i]; i++) {
        if (mt_str_glob(wanted[i], name, strlen(name), false))
            return true;
    }
    return false;
}

struct selection {
    struct mt_arena *arena;
    struct mt_map *seen;
    const char **names;
    size_t n;
};

static enum mt_rc add(struct selection *s, const char *name)
{
    if (mt_map_get(s->seen, name))
        return MT_OK;
    char *copy = mt_arena_strdup(s->arena, name);
    if (!copy || mt_map_put(s->seen, name, copy))
        return MT_ERR_NOMEM;
    s->names[s->n++] = copy;
    return MT_OK;
}

static enum mt_rc add_matching(const struct mt_config *config, struct selection *s,
                               const char *pattern, struct mt_fault *fault)
{
    size_t n = mt_config_accounts_n(config);
    bool found = false;

    for (size_t i = 0; i < n; i++) {
        const char *name = mt_config_account_name(config, i);
        if (!mt_str_glob(pattern, name, strlen(name), false))
            continue;
        found = true;
        if (add(s, name))
            return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    }
    return found ? MT_OK
                 : mt_fault_set(fault, MT_ERR_NOT_FOUND, "config.no_account",
                                "no account in %s is meant by '%s'", config->path, pattern);
}

enum mt_rc mt_config_select(const struct mt_config *config, const char *const *wanted,
                            struct mt_arena *arena, const char *const **out, size_t *n,
                            struct mt_fault *fault)
{
    struct selection s = {.arena = arena, .seen = mt_map_new()};
    size_t wanted_n = 0;
    enum mt_rc rc = MT_OK;

    *out = NULL;
    *n = 0;
    while (wanted[wanted_n])
        wanted_n++;
    s.names = mt_arena_calloc(arena, wanted_n + mt_config_accounts_n(config) + 1, sizeof *s.names);
    if (!s.seen || !s.names) {
        mt_map_free(s.seen, NULL);
        (void)mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
        return MT_ERR_NOMEM;
    }
    for (size_t i = 0; !rc && i < wanted_n; i++) {
        if (strchr(wanted[i], '*') && !mt_config_find(config, wanted[i]))
            rc = add_matching(config, &s, wanted[i], fault);
        else if (add(&s, wanted[i]))
            rc = mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    }
    mt_map_free(s.seen, NULL);
    *out = s.names;
    *n = s.n;
    return rc;
}

/* ---------------------------------------------------------------- what has changed */

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

static bool same_list(const char *const *a, const char *const *b)
{
    size_t i = 0;

    if (!a || !b)
        return a == b;
    while (a[i] && b[i] && !strcmp(a[i], b[i]))
        i++;
    return !a[i] && !b[i];
}

bool mt_config_app_same(const struct mt_app_config *a, const struct mt_app_config *b)
{
    if (!a || !b)
        return a == b;
    return same_text(a->name, b->name) && same_text(a->provider, b->provider) &&
           same_text(a->appkey, b->appkey) && same_text(a->client_id, b->client_id) &&
           same_secret(a->secret, b->secret) && same_text(a->tokens, b->tokens) &&
           a->create_users == b->create_users && same_list(a->api, b->api) &&
           same_text(a->area, b->area) && a->rate_per_s == b->rate_per_s &&
           a->timeout_ms == b->timeout_ms;
}

bool mt_config_account_same(const struct mt_config *a, const struct mt_config *b, const char *name)
{
    struct mt_account_view x = {.app = NULL};
    struct mt_account_view y = {.app = NULL};

    if (mt_config_account(a, name, &x, NULL) || mt_config_account(b, name, &y, NULL))
        return false;
    return same_text(x.account.provider, y.account.provider) &&
           same_text(x.account.appkey, y.account.appkey) &&
           same_text(x.account.user, y.account.user) && same_text(x.account.rest, y.account.rest) &&
           same_text(x.account.websocket, y.account.websocket) &&
           same_list(x.account.discovery, y.account.discovery) &&
           same_list(x.account.navigators, y.account.navigators) &&
           same_list(x.account.media_hosts, y.account.media_hosts) &&
           same_secret(x.account.token, y.account.token) &&
           same_secret(x.account.password, y.account.password) &&
           x.account.rate_per_s == y.account.rate_per_s &&
           x.account.timeout_ms == y.account.timeout_ms && mt_config_app_same(x.app, y.app);
}

/* ---------------------------------------------------------------- holds */

enum mt_rc mt_config_holds(const struct mt_config *config, const char *name,
                           const char *out[MT_CONFIG_HOLDS_MAX + 1], struct mt_fault *fault)
{
    const struct mt_config_account *a = mt_config_find(config, name);
    const struct mt_config_app *app = a ? NULL : app_of(config, name);
    size_t n = 0;

    if (!a && !app)
        return no_account(config, name, fault);
    if (!a)
        a = &app->base;
    if (config->holds)
        out[n++] = config->holds;
    if (a->holds)
        out[n++] = a->holds;
    out[n] = NULL;
    return MT_OK;
}

bool mt_config_each_holds(const struct mt_config *config, bool (*each)(void *ud, const char *path),
                          void *ud)
{
    if (config->holds && !each(ud, config->holds))
        return false;
    for (size_t i = 0; i < config->n; i++)
        if (config->accounts[i].holds && !each(ud, config->accounts[i].holds))
            return false;
    for (size_t i = 0; i < config->apps_n; i++)
        if (config->apps[i]->base.holds && !each(ud, config->apps[i]->base.holds))
            return false;
    return true;
}

/* ---------------------------------------------------------------- the rest */

const struct mt_app_config *mt_config_app(const struct mt_config *config, const char *name)
{
    const struct mt_config_app *app = mt_config_find_app(config, name, strlen(name));

    return app && !app->base.missing && app->secret ? &app->view : NULL;
}

const char *mt_config_path(const struct mt_config *config)
{
    return config->path;
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

const char *mt_config_listen(const struct mt_config *config)
{
    return config->listen;
}

const char *mt_config_state(const struct mt_config *config)
{
    return config->state;
}

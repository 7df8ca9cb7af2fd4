/* Accounts are opened when a script first names them. */
#include "app/accounts_all_int.h"

#include "base/arena.h"
#include "base/fs.h"
#include "base/map.h"
#include "base/mem.h"
#include "http/http.h"
#include "ws/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAMES_MAX        ((size_t)32 << 20)
#define PASSING_PLATFORM 76 /* a bot has 77, or what its account says */
/* ---------------------------------------------------------------- life */

struct mt_accounts *mt_accounts_new(struct mt_loop *loop, const char *path, const char *const *only)
{
    struct mt_accounts *accounts = mt_mem_calloc(1, sizeof *accounts);

    if (!accounts)
        return NULL;
    accounts->loop = loop;
    accounts->named = path != NULL;
    accounts->only.wanted = only && only[0] ? only : NULL;
    snprintf(accounts->path, sizeof accounts->path, "%s", path ? path : "moontide.lua");
    accounts->open = mt_map_new();
    accounts->apps = mt_map_new();
    accounts->names = mt_arena_new(NAMES_MAX);
    if (mt_accounts_beside_init(accounts) || !accounts->open || !accounts->apps ||
        !accounts->names) {
        mt_accounts_free(accounts);
        return NULL;
    }
    return accounts;
}

void mt_accounts_passing(struct mt_accounts *accounts)
{
    accounts->passing = true;
}

static void close_account(void *value)
{
    struct mt_open_account *open = value;

    mt_accounts_beside_closed(open->accounts, open->account);
    open->provider->close(open->account);
    mt_mem_free(open);
}

static void close_app(void *value)
{
    struct mt_open_app *open = value;

    if (open->app)
        open->provider->app_close(open->app);
    mt_mem_free(open);
}

void mt_accounts_free(struct mt_accounts *accounts)
{
    if (!accounts)
        return;
    mt_map_free(accounts->open, close_account);
    mt_map_free(accounts->apps, close_app);
    mt_ws_client_free(accounts->ws);
    if (accounts->http)
        mt_http_free(accounts->http);
    mt_config_free(accounts->config);
    mt_arena_free(accounts->names);
    mt_accounts_beside_deinit(accounts);
    mt_mem_free(accounts);
}

/* ./moontide.lua, then $XDG_CONFIG_HOME/moontide/moontide.lua (~/.config where that is not set). */
enum mt_rc mt_accounts_load(struct mt_accounts *accounts, struct mt_fault *fault)
{
    struct mt_fs_stat st;
    const char *config_home = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");

    if (accounts->config)
        return MT_OK;
    if (!accounts->named && mt_fs_stat(accounts->path, &st)) {
        char other[4096];
        if (config_home && *config_home)
            snprintf(other, sizeof other, "%s/moontide/moontide.lua", config_home);
        else
            snprintf(other, sizeof other, "%s/.config/moontide/moontide.lua", home ? home : "");
        if (mt_fs_stat(other, &st))
            return mt_fault_set(fault, MT_ERR_INVALID, "config.none",
                                "there is no configuration: write ./moontide.lua or %.150s, or "
                                "name one with -c FILE",
                                other);
        snprintf(accounts->path, sizeof accounts->path, "%s", other);
    }
    enum mt_rc rc = mt_config_load(accounts->path, &accounts->config, fault);
    if (rc && strncmp(fault->code, "config.", 7) != 0)
        snprintf(fault->code, sizeof fault->code, "config.unreadable");
    return rc;
}

static enum mt_rc websockets(void *ud, struct mt_ws_client **out, struct mt_fault *fault)
{
    return mt_accounts_websockets(ud, out, fault);
}

static enum mt_rc no_memory(struct mt_fault *fault)
{
    return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
}

/* The app's credentials, opened when the first of its accounts is. */
static enum mt_rc open_app(struct mt_accounts *accounts, const struct mt_provider *provider,
                           const struct mt_app_config *config, struct mt_provider_app **out,
                           struct mt_fault *fault)
{
    struct mt_open_app *open = mt_map_get(accounts->apps, config->name);

    if (!provider->app_open)
        return mt_fault_set(fault, MT_ERR_UNSUPPORTED, "config.app",
                            "app '%s': %s accounts cannot be opened with an app's credentials",
                            config->name, provider->name);
    if (!open) {
        open = mt_mem_calloc(1, sizeof *open);
        if (!open || mt_map_put(accounts->apps, config->name, open)) {
            mt_mem_free(open);
            return no_memory(fault);
        }
    }
    open->provider = provider;
    if (!open->app) {
        enum mt_rc rc =
            provider->app_open(accounts->loop, accounts->http, config, &open->app, fault);
        if (rc)
            return rc;
    }
    *out = open->app;
    return MT_OK;
}

static enum mt_rc open_one(struct mt_accounts *accounts, const char *name,
                           struct mt_open_account **out, struct mt_fault *fault)
{
    struct mt_account_view view;
    struct mt_open_account *open = NULL;
    struct mt_http *http = NULL;
    enum mt_rc rc = mt_config_unlock(accounts->config, name, fault);

    if (!rc)
        rc = mt_config_account(accounts->config, name, &view, fault);
    if (rc)
        return rc;
    struct mt_account_config *own = &view.account;
    const struct mt_provider *provider = mt_provider_find(own->provider);
    if (!provider)
        return mt_fault_set(fault, MT_ERR_INVALID, "config.provider",
                            "account '%s': there is no provider '%s'; this version has: %s", name,
                            own->provider, mt_provider_names());
    rc = mt_accounts_http(accounts, &http, fault);
    if (!rc && view.app)
        rc = open_app(accounts, provider, view.app, &own->app, fault);
    if (rc)
        return rc;
    open = mt_mem_calloc(1, sizeof *open);
    if (!open)
        return no_memory(fault);
    open->accounts = accounts;
    open->provider = provider;
    char device[64];
    if (accounts->passing) { /* several at once are as many devices, of a platform of their own */
        snprintf(device, sizeof device, "moontide-command-%d", (int)getpid());
        own->device = device;
        own->platform = PASSING_PLATFORM;
    }
    own->websockets = websockets;
    own->websockets_ud = accounts;
    rc = provider->open(accounts->loop, http, own, &open->account, fault);
    if (!rc && mt_map_put(accounts->open, name, open)) {
        provider->close(open->account);
        rc = no_memory(fault);
    }
    if (rc) {
        mt_mem_free(open);
        return rc;
    }
    mt_accounts_beside_opened(accounts, name, open->account);
    *out = open;
    return MT_OK;
}

enum mt_rc mt_accounts_http(struct mt_accounts *accounts, struct mt_http **out,
                            struct mt_fault *fault)
{
    enum mt_rc rc =
        accounts->http ? MT_OK : mt_http_new(accounts->loop, NULL, &accounts->http, fault);

    *out = accounts->http;
    return rc;
}

struct mt_http *mt_accounts_http_made(const struct mt_accounts *accounts)
{
    return accounts->http;
}

enum mt_rc mt_accounts_websockets(struct mt_accounts *accounts, struct mt_ws_client **out,
                                  struct mt_fault *fault)
{
    enum mt_rc rc = accounts->ws
                        ? MT_OK
                        : mt_ws_client_new(accounts->loop, &(struct mt_ws_client_options){0},
                                           &accounts->ws, fault);

    *out = accounts->ws;
    return rc;
}

/* What the names and patterns of -a mean. */
static enum mt_rc look_up(struct mt_accounts *accounts, struct mt_fault *fault)
{
    enum mt_rc rc = mt_accounts_load(accounts, fault);

    if (rc || !accounts->only.wanted || accounts->only.names)
        return rc;
    rc = mt_config_select(accounts->config, accounts->only.wanted, accounts->names,
                          &accounts->only.names, &accounts->only.names_n, fault);
    if (rc)
        accounts->only.names = NULL;
    return rc;
}

static const char *name_of(const struct mt_accounts *accounts, const struct mt_account_choice *only,
                           size_t i)
{
    if (!only->wanted)
        return mt_config_account_name(accounts->config, i);
    return i < only->names_n ? only->names[i] : NULL;
}

/* The account that a script means: one that it may use, or the only one. */
static enum mt_rc choose(const struct mt_accounts *accounts, const struct mt_account_choice *only,
                         const char **name, struct mt_fault *fault)
{
    const char *first = name_of(accounts, only, 0);
    const char *second = first ? name_of(accounts, only, 1) : NULL;

    if (!*name && !first)
        return mt_fault_set(fault, MT_ERR_NOT_FOUND, "config.no_account",
                            "there is no account in %s: declare one, account \"name\" { … }",
                            mt_config_path(accounts->config));
    if (!*name && second)
        return mt_fault_set(fault, MT_ERR_INVALID, "account.which",
                            "there are several accounts ('%s', '%s', …): name one with -a", first,
                            second);
    if (!*name)
        *name = first;
    if (only->wanted && !mt_config_wanted(only->wanted, *name))
        return mt_fault_set(fault, MT_ERR_DENIED, "account.not_named",
                            "the account '%s' was not named with -a or in the job's accounts",
                            *name);
    return MT_OK;
}

static enum mt_rc get(struct mt_accounts *accounts, const struct mt_account_choice *only,
                      const char **name, const struct mt_provider **provider,
                      struct mt_provider_account **account, struct mt_fault *fault)
{
    struct mt_open_account *open = NULL;
    enum mt_rc rc = choose(accounts, only, name, fault);

    if (rc)
        return rc;
    open = mt_map_get(accounts->open, *name);
    if (!open)
        rc = open_one(accounts, *name, &open, fault);
    if (rc || !open)
        return rc;
    *provider = open->provider;
    *account = open->account;
    return MT_OK;
}

enum mt_rc mt_accounts_get(struct mt_accounts *accounts, const char **name,
                           const struct mt_provider **provider,
                           struct mt_provider_account **account, struct mt_fault *fault)
{
    enum mt_rc rc = look_up(accounts, fault);

    return rc ? rc : get(accounts, &accounts->only, name, provider, account, fault);
}

enum mt_rc mt_accounts_get_of(struct mt_accounts *accounts, const struct mt_account_choice *only,
                              const char **name, const struct mt_provider **provider,
                              struct mt_provider_account **account, struct mt_fault *fault)
{
    enum mt_rc rc = mt_accounts_load(accounts, fault);

    return rc ? rc : get(accounts, only, name, provider, account, fault);
}

enum mt_rc mt_accounts_name(struct mt_accounts *accounts, size_t i, const char **name,
                            struct mt_fault *fault)
{
    enum mt_rc rc = look_up(accounts, fault);

    if (rc)
        return rc;
    *name = name_of(accounts, &accounts->only, i);
    return MT_OK;
}

enum mt_rc mt_accounts_chosen(struct mt_accounts *accounts, const struct mt_account_choice **out,
                              struct mt_fault *fault)
{
    *out = &accounts->only;
    return look_up(accounts, fault);
}

enum mt_rc mt_accounts_config(struct mt_accounts *accounts, const struct mt_config **out,
                              struct mt_fault *fault)
{
    enum mt_rc rc = mt_accounts_load(accounts, fault);

    *out = accounts->config;
    return rc;
}

struct mt_provider_account *mt_accounts_opened(const struct mt_accounts *accounts, const char *name)
{
    const struct mt_open_account *open = mt_map_get(accounts->open, name);
    return open ? open->account : NULL;
}

void mt_accounts_close(struct mt_accounts *accounts, const char *name)
{
    struct mt_open_account *open = mt_map_remove(accounts->open, name);

    if (open)
        close_account(open);
}

void mt_accounts_state(struct mt_accounts *accounts, char *out, size_t cap)
{
    struct mt_fault fault;
    const char *stated =
        mt_accounts_load(accounts, &fault) ? NULL : mt_config_state(accounts->config);
    const char *state_home = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");

    if (stated)
        snprintf(out, cap, "%s", stated);
    else if (state_home && *state_home)
        snprintf(out, cap, "%s/moontide", state_home);
    else
        snprintf(out, cap, "%s/.local/state/moontide", home ? home : "");
}

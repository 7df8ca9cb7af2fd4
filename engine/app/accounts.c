/* Accounts are opened when a script first names them. */
#include "app/accounts_int.h"

#include "base/fs.h"
#include "base/map.h"
#include "base/mem.h"
#include "http/http.h"
#include "script/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct open_account {
    const struct mt_provider *provider;
    struct mt_provider_account *account;
};

struct mt_accounts {
    struct mt_loop *loop;
    char path[4096];
    bool named;
    struct mt_config *config;
    struct mt_http *http;
    struct mt_map *open;
};

struct mt_accounts *mt_accounts_new(struct mt_loop *loop, const char *path)
{
    struct mt_accounts *accounts = mt_mem_calloc(1, sizeof *accounts);

    if (!accounts)
        return NULL;
    accounts->loop = loop;
    accounts->named = path != NULL;
    snprintf(accounts->path, sizeof accounts->path, "%s", path ? path : "moontide.lua");
    accounts->open = mt_map_new();
    if (!accounts->open) {
        mt_mem_free(accounts);
        return NULL;
    }
    return accounts;
}

static void close_account(void *value)
{
    struct open_account *open = value;
    open->provider->close(open->account);
    mt_mem_free(open);
}

void mt_accounts_free(struct mt_accounts *accounts)
{
    if (!accounts)
        return;
    mt_map_free(accounts->open, close_account);
    if (accounts->http)
        mt_http_free(accounts->http);
    mt_config_free(accounts->config);
    mt_mem_free(accounts);
}

/* ./moontide.lua, then $XDG_CONFIG_HOME/moontide/moontide.lua (~/.config where that is not set). */
static enum mt_rc load(struct mt_accounts *accounts, struct mt_fault *fault)
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

static enum mt_rc open_one(struct mt_accounts *accounts, const char *name,
                           struct open_account **out, struct mt_fault *fault)
{
    const struct mt_account_config *config = NULL;
    struct open_account *open = NULL;
    enum mt_rc rc = mt_config_account(accounts->config, name, &config, fault);

    if (rc)
        return rc;
    const struct mt_provider *provider = mt_provider_find(config->provider);
    if (!provider)
        return mt_fault_set(fault, MT_ERR_INVALID, "config.provider",
                            "account '%s': there is no provider '%s'; this version has: %s", name,
                            config->provider, mt_provider_names());
    if (!accounts->http) {
        rc = mt_http_new(accounts->loop, NULL, &accounts->http, fault);
        if (rc)
            return rc;
    }
    open = mt_mem_calloc(1, sizeof *open);
    if (!open)
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    open->provider = provider;
    rc = provider->open(accounts->loop, accounts->http, config, &open->account, fault);
    if (!rc && mt_map_put(accounts->open, name, open)) {
        provider->close(open->account);
        rc = mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    }
    if (rc) {
        mt_mem_free(open);
        return rc;
    }
    *out = open;
    return MT_OK;
}

enum mt_rc mt_accounts_get(struct mt_accounts *accounts, const char *name,
                           const struct mt_provider **provider,
                           struct mt_provider_account **account, struct mt_fault *fault)
{
    enum mt_rc rc = load(accounts, fault);
    struct open_account *open = NULL;

    if (rc)
        return rc;
    open = mt_map_get(accounts->open, name);
    if (!open)
        rc = open_one(accounts, name, &open, fault);
    if (rc || !open)
        return rc;
    *provider = open->provider;
    *account = open->account;
    return MT_OK;
}

enum mt_rc mt_accounts_name(struct mt_accounts *accounts, size_t i, const char **name,
                            struct mt_fault *fault)
{
    enum mt_rc rc = load(accounts, fault);

    if (rc)
        return rc;
    *name = mt_config_account_name(accounts->config, i);
    return MT_OK;
}

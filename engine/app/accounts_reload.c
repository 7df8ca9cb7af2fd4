/* The configuration is read again while accounts are open: which of them mean something else now.
 */
#include "app/accounts_all_int.h"

#include "base/map.h"
#include "base/mem.h"

#include <stdio.h>

struct changed {
    const struct mt_config *before;
    struct mt_config *after;
    const char **names;
    size_t n;
    enum mt_rc rc;
    struct mt_fault *fault;
};

/* What is open is compared by its secrets: commands are asked again for what they say now. */
static bool unlock_account(void *ud, const char *key, void *value)
{
    struct changed *changed = ud;

    (void)value;
    changed->rc = mt_config_unlock(changed->after, key, changed->fault);
    return !changed->rc;
}

static bool unlock_app(void *ud, const char *key, void *value)
{
    char name[MT_ACCOUNT_NAME_MAX];

    snprintf(name, sizeof name, "%s/", key);
    return unlock_account(ud, name, value);
}

static bool note_changed(void *ud, const char *key, void *value)
{
    struct mt_account_view view;
    struct changed *changed = ud;

    (void)value;
    if (!mt_config_account_same(changed->before, changed->after, key) &&
        !mt_config_account(changed->after, key, &view, NULL))
        changed->names[changed->n++] = key;
    return true;
}

/* Accounts that are open keep the credentials that they have. */
static bool drop_changed(void *ud, const char *key, void *value)
{
    const struct changed *changed = ud;
    struct mt_open_app *open = value;

    if (open->app && !mt_config_app_same(mt_config_app(changed->before, key),
                                         mt_config_app(changed->after, key))) {
        open->provider->app_close(open->app);
        open->app = NULL;
    }
    return true;
}

enum mt_rc mt_accounts_reload(struct mt_accounts *accounts, const char ***out,
                              struct mt_fault *fault)
{
    struct mt_config *config = NULL;
    struct changed changed = {.before = accounts->config, .fault = fault};
    enum mt_rc rc = mt_config_load(accounts->path, &config, fault);

    if (rc)
        return rc;
    changed.after = config;
    changed.names = mt_mem_calloc(mt_map_count(accounts->open) + 1, sizeof *changed.names);
    if (!changed.names) {
        mt_config_free(config);
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    }
    mt_map_each(accounts->apps, unlock_app, &changed);
    if (!changed.rc)
        mt_map_each(accounts->open, unlock_account, &changed);
    if (changed.rc) {
        mt_mem_free(changed.names);
        mt_config_free(config);
        return changed.rc;
    }
    mt_map_each(accounts->open, note_changed, &changed);
    mt_map_each(accounts->apps, drop_changed, &changed);
    mt_config_free(accounts->config);
    accounts->config = config;
    mt_accounts_audit_reread(accounts);
    *out = changed.names;
    return MT_OK;
}

/* What goes with the accounts: what is counted of them, the audit of what they delete and send, and
 * the holds that keep them from it. */
#include "app/accounts_all_int.h"

#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "jobs/audit_log.h"

#include <stdio.h>
#include <string.h>

#define HEAD_EVERY_N 1000 /* or a minute: a bot writes thousands of records a second */

/* ---------------------------------------------------------------- what is counted of them */

#define ADDRESS_MAX 24

static const char *address_of(const struct mt_provider_account *account, char out[ADDRESS_MAX])
{
    snprintf(out, ADDRESS_MAX, "%p", (const void *)account);
    return out;
}

static struct mt_account_figures *figures_of(void *ud, const struct mt_provider_account *account)
{
    const struct mt_accounts *accounts = ud;
    char address[ADDRESS_MAX];

    return mt_map_get(accounts->counting, address_of(account, address));
}

/* Without memory for it nothing is counted, and everything else goes on. */
static void count_it(struct mt_accounts *accounts, const char *name,
                     const struct mt_provider_account *account)
{
    char address[ADDRESS_MAX];
    struct mt_account_figures *figures = mt_map_get(accounts->figures, name);

    if (!figures) {
        figures = mt_mem_calloc(1, sizeof *figures);
        if (!figures || mt_map_put(accounts->figures, name, figures)) {
            mt_mem_free(figures);
            return;
        }
    }
    if (mt_map_put(accounts->counting, address_of(account, address), figures))
        mt_map_remove(accounts->counting, address);
}

/* Without memory for it the audit names the user alone, and nothing is deleted: nobody could say
 * which holds there are. */
static void label_it(struct mt_accounts *accounts, const char *name,
                     const struct mt_provider_account *account)
{
    char address[ADDRESS_MAX];
    char *label = mt_mem_strdup(name);

    mt_mem_free(mt_map_remove(accounts->labels, address_of(account, address)));
    if (label && mt_map_put(accounts->labels, address, label))
        mt_mem_free(label);
}

static void free_figures(void *value)
{
    mt_account_figures_free(value);
}

const struct mt_account_counting *mt_accounts_counting(const struct mt_accounts *accounts)
{
    return &accounts->counts;
}

struct each_figures {
    bool (*each)(void *ud, const char *name, const struct mt_account_figures *figures);
    void *ud;
};

static bool tell_figures(void *ud, const char *key, void *value)
{
    const struct each_figures *each = ud;
    return each->each(each->ud, key, value);
}

void mt_accounts_each_figures(const struct mt_accounts *accounts,
                              bool (*each)(void *ud, const char *name,
                                           const struct mt_account_figures *figures),
                              void *ud)
{
    struct each_figures all = {each, ud};
    mt_map_each(accounts->figures, tell_figures, &all);
}

size_t mt_accounts_figures_n(const struct mt_accounts *accounts)
{
    return mt_map_count(accounts->figures);
}

/* ---------------------------------------------------------------- the audit */

/* A configuration that cannot be read may name an anchor: only without one nothing is known of it.
 */
static enum mt_rc audit_place(void *ud, struct mt_audit_options *out, struct mt_fault *fault)
{
    struct mt_accounts *accounts = ud;
    char state[4096];

    if (!accounts->audit_placed) {
        const struct mt_config_audit *stated = NULL;
        enum mt_rc rc = mt_accounts_load(accounts, fault);
        if (rc && strcmp(fault->code, "config.none") != 0)
            return rc;
        if (!rc)
            stated = mt_config_audit(accounts->config);
        mt_accounts_state(accounts, state, sizeof state);
        snprintf(accounts->audit_dir, sizeof accounts->audit_dir, "%s/audit", state);
        accounts->audits_sending = !stated || stated->sending;
        if (stated && stated->anchor) {
            accounts->audit_anchor = mt_mem_strdup(stated->anchor);
            if (!accounts->audit_anchor)
                return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
        }
        accounts->audit_placed = true;
    }
    memset(out, 0, sizeof *out);
    out->dir = accounts->audit_dir;
    out->anchor = accounts->audit_anchor;
    out->head_every_n = HEAD_EVERY_N;
    return MT_OK;
}

static enum mt_rc audit_log(void *ud, bool sending, struct mt_audit_log **out,
                            struct mt_fault *fault)
{
    struct mt_accounts *accounts = ud;
    struct mt_audit_options options;
    enum mt_rc rc = audit_place(accounts, &options, fault);

    if (rc)
        return rc;
    if (!accounts->log)
        accounts->log = mt_audit_log_new(accounts->loop, &options);
    *out = sending && !accounts->audits_sending ? NULL : accounts->log;
    return accounts->log ? MT_OK : mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
}

/* An intent that is on its way needs the log that it began in, so the places stay. */
void mt_accounts_audit_reread(struct mt_accounts *accounts)
{
    const struct mt_config_audit *stated = mt_config_audit(accounts->config);
    const char *anchor = stated->anchor ? stated->anchor : "";
    const char *before = accounts->audit_anchor ? accounts->audit_anchor : "";
    char state[4096];
    char dir[sizeof accounts->audit_dir];

    if (!accounts->audit_placed)
        return;
    accounts->audits_sending = stated->sending;
    mt_accounts_state(accounts, state, sizeof state);
    snprintf(dir, sizeof dir, "%s/audit", state);
    if (strcmp(anchor, before) != 0)
        mt_log(MT_LOG_WARN, "audit",
               "the configuration names another anchor: %s. The audit goes on with %s until this "
               "is started again",
               *anchor ? anchor : "none", *before ? before : "none");
    if (strcmp(dir, accounts->audit_dir) != 0)
        mt_log(MT_LOG_WARN, "audit",
               "the configuration names another state folder: the audit goes on in %s until this "
               "is started again",
               accounts->audit_dir);
}

static const char *audit_label(void *ud, const struct mt_provider_account *account)
{
    const struct mt_accounts *accounts = ud;
    char address[ADDRESS_MAX];

    return mt_map_get(accounts->labels, address_of(account, address));
}

const struct mt_script_audit *mt_accounts_audit(const struct mt_accounts *accounts)
{
    return &accounts->audit;
}

void mt_accounts_audit_look(const struct mt_accounts *accounts, struct mt_audit_figures *out)
{
    memset(out, 0, sizeof *out);
    if (accounts->log)
        mt_audit_log_look(accounts->log, out);
}

/* ---------------------------------------------------------------- the holds */

/* An account that the configuration does not know any more goes on, but deletes nothing. */
static enum mt_rc hold_lists(void *ud, const struct mt_provider_account *account,
                             struct mt_hold_lists *to, const char **name, struct mt_fault *fault)
{
    struct mt_accounts *accounts = ud;
    const char *paths[MT_CONFIG_HOLDS_MAX + 1] = {NULL};
    const char *label = audit_label(accounts, account);
    enum mt_rc rc = label ? mt_accounts_load(accounts, fault)
                          : mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");

    if (!rc)
        rc = mt_config_holds(accounts->config, label, paths, fault);
    if (rc)
        return rc;
    *name = label;
    for (size_t i = 0; paths[i] && !rc; i++)
        rc = mt_hold_lists_add(to, paths[i]);
    return rc ? mt_fault_set(fault, rc, "memory", "out of memory") : MT_OK;
}

const struct mt_hold_source *mt_accounts_holds(const struct mt_accounts *accounts)
{
    return &accounts->holds;
}

/* ---------------------------------------------------------------- life */

enum mt_rc mt_accounts_beside_init(struct mt_accounts *accounts)
{
    accounts->figures = mt_map_new();
    accounts->counting = mt_map_new();
    accounts->labels = mt_map_new();
    accounts->audit = (struct mt_script_audit){audit_log, audit_place, audit_label, accounts};
    accounts->holds = (struct mt_hold_source){hold_lists, accounts};
    accounts->counts = (struct mt_account_counting){figures_of, accounts};
    return accounts->figures && accounts->counting && accounts->labels ? MT_OK : MT_ERR_NOMEM;
}

void mt_accounts_beside_deinit(struct mt_accounts *accounts)
{
    mt_map_free(accounts->figures, free_figures);
    mt_map_free(accounts->counting, NULL);
    mt_map_free(accounts->labels, mt_mem_free);
    mt_audit_log_free(accounts->log);
    mt_mem_free(accounts->audit_anchor);
}

void mt_accounts_beside_opened(struct mt_accounts *accounts, const char *name,
                               const struct mt_provider_account *account)
{
    count_it(accounts, name, account);
    label_it(accounts, name, account);
}

void mt_accounts_beside_closed(struct mt_accounts *accounts,
                               const struct mt_provider_account *account)
{
    char address[ADDRESS_MAX];

    mt_map_remove(accounts->counting, address_of(account, address));
    mt_mem_free(mt_map_remove(accounts->labels, address));
}

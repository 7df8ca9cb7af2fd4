/* Accounts are opened when a script first names them. */
#include "app/accounts_int.h"

#include "base/arena.h"
#include "base/fs.h"
#include "base/map.h"
#include "base/mem.h"
#include "http/http.h"
#include "jobs/audit_log.h"
#include "script/config.h"
#include "script/script.h"
#include "ws/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEAD_EVERY_N     1000 /* or a minute: a bot writes thousands of records a second */
#define NAMES_MAX        ((size_t)32 << 20)
#define PASSING_PLATFORM 76 /* a bot has 77, or what its account says */

struct open_account {
    struct mt_accounts *accounts;
    const struct mt_provider *provider;
    struct mt_provider_account *account;
};

struct mt_accounts {
    struct mt_loop *loop;
    char path[4096];
    bool named;
    bool passing;
    struct mt_account_choice only; /* its names are known when the configuration is */
    struct mt_arena *names;        /* of only */
    struct mt_config *config;
    struct mt_http *http;
    struct mt_ws_client *ws;
    struct mt_map *open;
    struct mt_map *apps;
    struct mt_map *figures;  /* by name */
    struct mt_map *counting; /* the same, by the address of the account that is open */
    struct mt_account_counting counts;
    struct mt_map *labels; /* name, by the address of the account that is open */
    struct mt_audit_log *log;
    struct mt_script_audit audit;
    char audit_dir[4096 + 8];
    char *audit_anchor;
    bool audits_sending, audit_placed;
};

/* The credentials that accounts share. */
struct open_app {
    const struct mt_provider *provider;
    struct mt_provider_app *app; /* NULL: it has changed, and is opened anew when asked for */
};

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

/* Without memory for it the audit names the user alone. */
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

struct mt_http *mt_accounts_http_made(const struct mt_accounts *accounts)
{
    return accounts->http;
}

/* ---------------------------------------------------------------- the audit */

static enum mt_rc load(struct mt_accounts *accounts, struct mt_fault *fault);

/* A configuration that cannot be read may name an anchor: only without one nothing is known of it.
 */
static enum mt_rc audit_place(void *ud, struct mt_audit_options *out, struct mt_fault *fault)
{
    struct mt_accounts *accounts = ud;
    char state[4096];

    if (!accounts->audit_placed) {
        const struct mt_config_audit *stated = NULL;
        enum mt_rc rc = load(accounts, fault);
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
    accounts->figures = mt_map_new();
    accounts->counting = mt_map_new();
    accounts->labels = mt_map_new();
    accounts->audit = (struct mt_script_audit){audit_log, audit_place, audit_label, accounts};
    accounts->counts = (struct mt_account_counting){figures_of, accounts};
    accounts->names = mt_arena_new(NAMES_MAX);
    if (!accounts->open || !accounts->apps || !accounts->names || !accounts->figures ||
        !accounts->counting || !accounts->labels) {
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
    struct open_account *open = value;
    char address[ADDRESS_MAX];

    mt_map_remove(open->accounts->counting, address_of(open->account, address));
    mt_mem_free(mt_map_remove(open->accounts->labels, address));
    open->provider->close(open->account);
    mt_mem_free(open);
}

static void close_app(void *value)
{
    struct open_app *open = value;

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
    mt_map_free(accounts->labels, mt_mem_free);
    mt_audit_log_free(accounts->log);
    mt_mem_free(accounts->audit_anchor);
    mt_ws_client_free(accounts->ws);
    if (accounts->http)
        mt_http_free(accounts->http);
    mt_config_free(accounts->config);
    mt_arena_free(accounts->names);
    mt_map_free(accounts->figures, free_figures);
    mt_map_free(accounts->counting, NULL);
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
    struct open_app *open = mt_map_get(accounts->apps, config->name);

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
                           struct open_account **out, struct mt_fault *fault)
{
    struct mt_account_view view;
    struct open_account *open = NULL;
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
    count_it(accounts, name, open->account);
    label_it(accounts, name, open->account);
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
    enum mt_rc rc = load(accounts, fault);

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
    struct open_account *open = NULL;
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
    enum mt_rc rc = load(accounts, fault);

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

/* ---------------------------------------------------------------- a configuration that changes */

enum mt_rc mt_accounts_config(struct mt_accounts *accounts, const struct mt_config **out,
                              struct mt_fault *fault)
{
    enum mt_rc rc = load(accounts, fault);

    *out = accounts->config;
    return rc;
}

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
    struct open_app *open = value;

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
    *out = changed.names;
    return MT_OK;
}

struct mt_provider_account *mt_accounts_opened(const struct mt_accounts *accounts, const char *name)
{
    const struct open_account *open = mt_map_get(accounts->open, name);
    return open ? open->account : NULL;
}

void mt_accounts_close(struct mt_accounts *accounts, const char *name)
{
    struct open_account *open = mt_map_remove(accounts->open, name);

    if (open)
        close_account(open);
}

void mt_accounts_state(struct mt_accounts *accounts, char *out, size_t cap)
{
    struct mt_fault fault;
    const char *stated = load(accounts, &fault) ? NULL : mt_config_state(accounts->config);
    const char *state_home = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");

    if (stated)
        snprintf(out, cap, "%s", stated);
    else if (state_home && *state_home)
        snprintf(out, cap, "%s/moontide", state_home);
    else
        snprintf(out, cap, "%s/.local/state/moontide", home ? home : "");
}

/* ---------------------------------------------------------------- what no script may touch */

/* The real path of a file, or of the folder that it would lie in. */
static char *real_of(const char *path)
{
    char folder[4096];
    char *real = NULL;
    const char *slash = strrchr(path, '/');

    if (!mt_fs_real(path, &real))
        return real;
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) + 1 : 1,
             slash ? path : ".");
    return mt_fs_real(folder, &real) ? NULL : real;
}

static bool is_at(const char *real, const char *path)
{
    char *other = NULL;
    bool same = path && !mt_fs_real(path, &other) && !strcmp(real, other);

    mt_mem_free(other);
    return same;
}

static bool is_below(const char *real, const char *folder)
{
    char *other = NULL;
    bool below = !mt_fs_real(folder, &other);
    size_t len = below ? strlen(other) : 0;

    below = below && !strncmp(real, other, len) && (!real[len] || real[len] == '/' || len == 1);
    mt_mem_free(other);
    return below;
}

static bool keeps(struct mt_accounts *accounts, const char *real)
{
    static const char *const system[] = {"/proc", "/sys", "/dev"};
    char state[4096];
    const char *secret = NULL;

    for (size_t i = 0; i < sizeof system / sizeof *system; i++) {
        if (is_below(real, system[i]))
            return true;
    }
    mt_accounts_state(accounts, state, sizeof state);
    if (is_below(real, state) || is_at(real, accounts->path))
        return true;
    if (accounts->config && is_at(real, mt_config_audit(accounts->config)->anchor))
        return true;
    for (size_t i = 0; accounts->config; i++) {
        secret = mt_config_secret_file(accounts->config, i);
        if (!secret)
            break;
        if (is_at(real, secret))
            return true;
    }
    return false;
}

bool mt_accounts_keep(struct mt_accounts *accounts, const char *path)
{
    char *real = real_of(path);
    bool kept = real && keeps(accounts, real);

    mt_mem_free(real);
    return kept;
}

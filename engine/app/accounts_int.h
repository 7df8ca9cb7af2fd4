/* The configuration and the accounts that were opened from it. Private to the room. */
#ifndef MT_APP_ACCOUNTS_INT_H
#define MT_APP_ACCOUNTS_INT_H

#include "provider/figures.h"
#include "provider/provider.h"

struct mt_accounts;
struct mt_config;
struct mt_hold_source;
struct mt_http;
struct mt_script_audit;

/* What a script may use: names and patterns as they were given, and the accounts that they mean. */
struct mt_account_choice {
    const char *const *wanted; /* NULL-terminated; NULL: all */
    const char *const *names;  /* NULL-terminated */
    size_t names_n;
};

/* path: the file that was named with -c, or NULL for ./moontide.lua, then the user's. only: the
 * names and patterns given with -a, NULL-terminated, beside which no account may be used; NULL:
 * all. Must outlive the accounts. Loads nothing yet. */
struct mt_accounts *mt_accounts_new(struct mt_loop *loop, const char *path,
                                    const char *const *only);
/* For a command that is soon over: its accounts log in under a device of their own, so that it ends
 * no session of a bot that is online for the same user. Before an account is opened. */
void mt_accounts_passing(struct mt_accounts *accounts);
/* Whether a path leads to what no script may touch: the configuration, the files of its secrets,
 * its lists of holds, the state of scripts, /proc, /sys and /dev. */
bool mt_accounts_keep(struct mt_accounts *accounts, const char *path);
/* Closes every account and both clients; calls in progress end as cancelled at the loop's next
 * turns. */
void mt_accounts_free(struct mt_accounts *accounts);
/* *name NULL: the only one there is, named in *name. Faults: those of mt_config_account,
 * "account.which" when there are several, DENIED "account.not_named". */
enum mt_rc mt_accounts_get(struct mt_accounts *accounts, const char **name,
                           const struct mt_provider **provider,
                           struct mt_provider_account **account, struct mt_fault *fault) MT_CHECKED;
/* The same for one of several scripts, which may use only these, instead of those of
 * mt_accounts_new. */
enum mt_rc mt_accounts_get_of(struct mt_accounts *accounts, const struct mt_account_choice *only,
                              const char **name, const struct mt_provider **provider,
                              struct mt_provider_account **account,
                              struct mt_fault *fault) MT_CHECKED;
/* The configuration, read when it is first asked for. */
enum mt_rc mt_accounts_config(struct mt_accounts *accounts, const struct mt_config **out,
                              struct mt_fault *fault) MT_CHECKED;
/* Reads the file again; after a failure all is as before. *out: accounts that are open and mean
 * something else now; those that are gone, or lack their secret, go on. They stay as they are until
 * mt_accounts_close. NULL-terminated, mt_mem_free; a name lives until then. */
enum mt_rc mt_accounts_reload(struct mt_accounts *accounts, const char ***out,
                              struct mt_fault *fault) MT_CHECKED;
/* NULL: it is not open. */
struct mt_provider_account *mt_accounts_opened(const struct mt_accounts *accounts,
                                               const char *name);
/* Who uses it has ended: the next one opens it anew. */
void mt_accounts_close(struct mt_accounts *accounts, const char *name);
/* The HTTP client of the process, made when first asked for. */
enum mt_rc mt_accounts_http(struct mt_accounts *accounts, struct mt_http **out,
                            struct mt_fault *fault) MT_CHECKED;
/* Its WebSocket client, in the same way. */
enum mt_rc mt_accounts_websockets(struct mt_accounts *accounts, struct mt_ws_client **out,
                                  struct mt_fault *fault) MT_CHECKED;
/* The folder of what is durable: state of the configuration, else moontide below $XDG_STATE_HOME
 * (~/.local/state where that is not set). A script may run without a configuration. */
void mt_accounts_state(struct mt_accounts *accounts, char *out, size_t cap);
/* The audit below that folder, with the anchor of the configuration as it was when it was first
 * asked for. Lives as long as the accounts. */
const struct mt_script_audit *mt_accounts_audit(const struct mt_accounts *accounts);
struct mt_audit_figures;
/* Zeroes while nothing was written down. */
void mt_accounts_audit_look(const struct mt_accounts *accounts, struct mt_audit_figures *out);
/* The lists of holds of the configuration, as it is whenever they are asked for. As long. */
const struct mt_hold_source *mt_accounts_holds(const struct mt_accounts *accounts);
/* What is counted of the accounts: of each that was ever opened here, until the end, also when it
 * is opened anew. */
const struct mt_account_counting *mt_accounts_counting(const struct mt_accounts *accounts);
/* In the order in which they were first opened; until each returns false. */
void mt_accounts_each_figures(const struct mt_accounts *accounts,
                              bool (*each)(void *ud, const char *name,
                                           const struct mt_account_figures *figures),
                              void *ud);
size_t mt_accounts_figures_n(const struct mt_accounts *accounts);
/* Without making it. NULL: nobody has asked for it. */
struct mt_http *mt_accounts_http_made(const struct mt_accounts *accounts);
enum mt_rc mt_accounts_name(struct mt_accounts *accounts, size_t i, const char **name,
                            struct mt_fault *fault) MT_CHECKED;
/* The accounts that -a means. */
enum mt_rc mt_accounts_chosen(struct mt_accounts *accounts, const struct mt_account_choice **out,
                              struct mt_fault *fault) MT_CHECKED;

#endif

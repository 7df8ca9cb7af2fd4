/* What the files of the accounts share: accounts.c opens them, accounts_reload.c takes a
 * configuration that has changed, accounts_beside.c has what is counted, the audit and the holds,
 * accounts_keep.c what no script may touch. Private to them. */
#ifndef MT_APP_ACCOUNTS_ALL_INT_H
#define MT_APP_ACCOUNTS_ALL_INT_H

#include "app/accounts_int.h"

#include "policy/hold.h"
#include "script/config.h"
#include "script/script.h"

struct mt_arena;
struct mt_map;

struct mt_open_account {
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
    struct mt_hold_source holds;
    char audit_dir[4096 + 8];
    char *audit_anchor;
    bool audits_sending, audit_placed;
};

/* The credentials that accounts share. */
struct mt_open_app {
    const struct mt_provider *provider;
    struct mt_provider_app *app; /* NULL: it has changed, and is opened anew when asked for */
};

/* Reads the configuration unless it is there. */
enum mt_rc mt_accounts_load(struct mt_accounts *accounts, struct mt_fault *fault) MT_CHECKED;

/* accounts_beside.c */
enum mt_rc mt_accounts_beside_init(struct mt_accounts *accounts) MT_CHECKED;
void mt_accounts_beside_deinit(struct mt_accounts *accounts);
/* An account was opened; is being closed. */
void mt_accounts_beside_opened(struct mt_accounts *accounts, const char *name,
                               const struct mt_provider_account *account);
void mt_accounts_beside_closed(struct mt_accounts *accounts,
                               const struct mt_provider_account *account);

/* After the configuration was read again: what of its audit is taken now; and in the log, what is
 * not before the next start. */
void mt_accounts_audit_reread(struct mt_accounts *accounts);

#endif

/* The configuration: a Lua file evaluated in a bare environment that knows account, app,
 * accounts, job, audit, env, file and command, and nothing else. Bounded in size, time and memory.
 */
#ifndef MT_SCRIPT_CONFIG_H
#define MT_SCRIPT_CONFIG_H

#include "provider/provider.h"
#include "script/grant.h"

struct mt_arena;
struct mt_config;

/* Reads path. Faults: NOT_FOUND / DENIED for the file, INVALID "config.syntax",
 * "config.unknown_option" (names the nearest), "config.secret_exposed" (a literal secret, or a
 * secret file, that others may read). */
enum mt_rc mt_config_load(const char *path, struct mt_config **out,
                          struct mt_fault *fault) MT_CHECKED;
/* The same from memory; mode is the file's permission bits. For tests and fuzzing. */
enum mt_rc mt_config_parse(const char *text, size_t len, const char *name, uint32_t mode,
                           struct mt_config **out, struct mt_fault *fault) MT_CHECKED;
void mt_config_free(struct mt_config *config);

/* Longest name of an account, with NUL: an app's, '/' and a user. */
#define MT_ACCOUNT_NAME_MAX 256

/* An account as providers take it. What it points to lives as long as the configuration and this;
 * not to be copied. */
struct mt_account_view {
    struct mt_account_config account; /* without app: that is opened by whoever opens the account */
    const struct mt_app_config *app;  /* NULL, or where the user's tokens come from */
    char name[MT_ACCOUNT_NAME_MAX];
    bool locked; /* a command gives its secret, and mt_config_unlock has not run it */
};

/* Accounts that were declared, and those of an app's users: "APP/USER", for a user that is listed,
 * or for any if the app says any_user. NOT_FOUND "config.no_account" names the nearest account and
 * the file; INVALID "config.no_secret" when its environment variable is not set. */
enum mt_rc mt_config_account(const struct mt_config *config, const char *name,
                             struct mt_account_view *out, struct mt_fault *fault) MT_CHECKED;
/* Runs the commands that give the secrets of that account, or of the app of "APP/…", each once:
 * until they have ended, 30 s each at most. Faults: "config.command" with what the command says,
 * redacted. An account that there is not is no fault here. */
enum mt_rc mt_config_unlock(struct mt_config *config, const char *name,
                            struct mt_fault *fault) MT_CHECKED;
size_t mt_config_accounts_n(const struct mt_config *config);
const char *mt_config_account_name(const struct mt_config *config, size_t i);
/* Names and patterns, in which * stands for anything: whether they mean that account. */
bool mt_config_wanted(const char *const *wanted, const char *name);
/* The names that they mean, each once and NULL-terminated, in the arena. A name stands for itself
 * whether there is such an account or not; a pattern that means none is NOT_FOUND
 * "config.no_account". */
enum mt_rc mt_config_select(const struct mt_config *config, const char *const *wanted,
                            struct mt_arena *arena, const char *const **out, size_t *n,
                            struct mt_fault *fault) MT_CHECKED;
const char *mt_config_path(const struct mt_config *config);
/* NULL: there is none with its secret at hand. */
const struct mt_app_config *mt_config_app(const struct mt_config *config, const char *name);
bool mt_config_app_same(const struct mt_app_config *a, const struct mt_app_config *b);
/* Whether an account means the same in both: address, user, secrets, app. */
bool mt_config_account_same(const struct mt_config *a, const struct mt_config *b, const char *name);

/* What `moontide serve` runs. Lists end with NULL. */
struct mt_job_config {
    const char *name;
    const char *script;          /* a path; a relative one is below the configuration's folder */
    const char *const *accounts; /* names and patterns */
    const char *const *args;     /* as words of a command line: --older_than 90d */
    struct mt_grant grant;       /* without one it may read */
    const char *cron;            /* or every; neither: it runs from the start on */
    const char *every;
    const char *timezone, *jitter, *missed, *overlap; /* NULL: the default (jobs/schedule.h) */
    int pause_after; /* so many failures in a row; 0: never, -1: the default */
    bool apply;
    bool isolated; /* in a process of its own */
};
size_t mt_config_jobs_n(const struct mt_config *config);
const struct mt_job_config *mt_config_job(const struct mt_config *config, size_t i);
/* The i-th file that a secret was read from, as named; NULL behind the last. */
const char *mt_config_secret_file(const struct mt_config *config, size_t i);
/* serve { listen = "127.0.0.1:9464" }: where the status of moontide serve is told; NULL: nowhere.
 */
const char *mt_config_listen(const struct mt_config *config);
/* HOST:PORT of this machine: 127.0.0.1 and all of 127.0.0.0/8, or localhost. Port 0: any free one.
 * INVALID "config.listen". */
#define MT_LISTEN_HOST_MAX 16
enum mt_rc mt_config_listen_parse(const char *text, char host[MT_LISTEN_HOST_MAX], uint16_t *port,
                                  struct mt_fault *fault) MT_CHECKED;
/* Where scripts keep what is durable: state = "dir" of the configuration, or NULL. */
const char *mt_config_state(const struct mt_config *config);
/* The lists of holds that are in force for an account: holds = "file" of the configuration, and of
 * the account or its app; NULL behind the last. NOT_FOUND "config.no_account". */
#define MT_CONFIG_HOLDS_MAX 2
enum mt_rc mt_config_holds(const struct mt_config *config, const char *name,
                           const char *out[MT_CONFIG_HOLDS_MAX + 1],
                           struct mt_fault *fault) MT_CHECKED;
/* Every list that is named, some perhaps twice; until each returns false, and whether none did. */
bool mt_config_each_holds(const struct mt_config *config, bool (*each)(void *ud, const char *path),
                          void *ud);
/* audit { … }. */
struct mt_config_audit {
    const char *anchor; /* a second place for the signed head; NULL: none */
    bool sending;       /* what is sent is written down too, not only what is deleted */
};
const struct mt_config_audit *mt_config_audit(const struct mt_config *config);

#endif

/* The configuration: a Lua file evaluated in a bare environment that knows account, job, env and
 * file, and nothing else. Bounded in size, time and memory. */
#ifndef MT_SCRIPT_CONFIG_H
#define MT_SCRIPT_CONFIG_H

#include "provider/provider.h"
#include "script/grant.h"

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

/* The account as providers take it; lives as long as the configuration. NOT_FOUND
 * "config.no_account" names the nearest account and the file; INVALID "config.no_secret" when its
 * environment variable is not set. */
enum mt_rc mt_config_account(const struct mt_config *config, const char *name,
                             const struct mt_account_config **out,
                             struct mt_fault *fault) MT_CHECKED;
size_t mt_config_accounts_n(const struct mt_config *config);
const char *mt_config_account_name(const struct mt_config *config, size_t i);
const char *mt_config_path(const struct mt_config *config);
/* Whether an account means the same in both: address, user, secrets. */
bool mt_config_account_same(const struct mt_config *a, const struct mt_config *b, const char *name);

/* What `moontide serve` runs. Lists end with NULL. */
struct mt_job_config {
    const char *name;
    const char *script; /* a path; a relative one is below the configuration's folder */
    const char *const *accounts;
    const char *const *args; /* as words of a command line: --older_than 90d */
    struct mt_grant grant;   /* without one it may read */
    const char *cron;        /* NULL: it runs from the start on */
    const char *timezone;
    const char *missed;
    bool apply;
};
size_t mt_config_jobs_n(const struct mt_config *config);
const struct mt_job_config *mt_config_job(const struct mt_config *config, size_t i);
/* The i-th file that a secret was read from, as named; NULL behind the last. */
const char *mt_config_secret_file(const struct mt_config *config, size_t i);
/* Where scripts keep what is durable: state = "dir" of the configuration, or NULL. */
const char *mt_config_state(const struct mt_config *config);

#endif

/* The configuration: any text declares accounts or is refused with a reason. The first byte of an
 * input is the file's permission bits, so that the rule for literal secrets is reached both ways.
 */
#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "script/config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX ((size_t)64 << 10)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int holds)
{
    if (!holds)
        abort();
}

static void silent(void *ud, enum mt_log_level level, const char *line)
{
    (void)ud;
    (void)level;
    (void)line;
}

/* A configuration may compute for two seconds; here each look at the clock takes 200 ms, so that
 * inputs which do not end are not all that is tried. */
static int64_t hurried_us(void *ud)
{
    int64_t *now = ud;
    return *now += 200000;
}

/* What a provider may rely on. */
static void check_account(const struct mt_account_view *view, const char *name)
{
    const struct mt_account_config *account = &view->account;

    check(!strcmp(account->name, name));
    check(account->provider && *account->provider);
    check(account->appkey && *account->appkey);
    check(account->token || account->password || view->app || view->locked);
    check(!view->app ||
          ((view->app->secret || view->locked) && view->app->appkey && view->app->name &&
           !strcmp(account->user, name + strlen(view->app->name) + 1)));
    check(account->rate_per_s >= -1 && account->rate_per_s <= 100000);
    for (size_t i = 0; account->discovery && account->discovery[i]; i++)
        check(i < 8);
}

static void check_list(const char *const *list)
{
    check(list != NULL);
    for (size_t i = 0; list[i]; i++)
        check(i < 200);
}

static void check_jobs(const struct mt_config *config)
{
    size_t n = mt_config_jobs_n(config);

    for (size_t i = 0; i < n; i++) {
        const struct mt_job_config *job = mt_config_job(config, i);
        check(job->name && *job->name && job->script && *job->script);
        check_list(job->accounts);
        check_list(job->args);
    }
    check(!mt_config_job(config, n));
}

/* Every name is meant by *, and by the pattern that it is itself. */
static void check_selection(const struct mt_config *config, size_t n)
{
    const char *const all[] = {"*", NULL};
    const char *const *names = NULL;
    struct mt_arena *arena = mt_arena_new((size_t)32 << 20);
    struct mt_fault fault = {0};
    size_t found = 0;

    check(arena != NULL);
    enum mt_rc rc = mt_config_select(config, all, arena, &names, &found, &fault);
    check(n ? !rc : rc == MT_ERR_NOT_FOUND);
    check(found <= n);
    for (size_t i = 0; i < found; i++) {
        const char *const one[] = {names[i], NULL};
        check(mt_config_wanted(all, names[i]) && mt_config_wanted(one, names[i]));
        check(mt_config_account_same(config, config, names[i]) ||
              mt_config_account(config, names[i], &(struct mt_account_view){0}, NULL));
    }
    mt_arena_free(arena);
}

static void look(const struct mt_config *config)
{
    struct mt_account_view account;
    struct mt_fault fault = {0};
    size_t n = mt_config_accounts_n(config);

    for (size_t i = 0; i < n; i++) {
        const char *name = mt_config_account_name(config, i);
        check(name && *name);
        enum mt_rc rc = mt_config_account(config, name, &account, &fault);
        check(!rc || (rc == MT_ERR_INVALID && fault.message[0]));
        if (!rc)
            check_account(&account, name);
    }
    check(!mt_config_account_name(config, n));
    check_jobs(config);
    check_selection(config, n);
    enum mt_rc rc = mt_config_account(config, "no account has \001 this name", &account, &fault);
    check(rc == MT_ERR_NOT_FOUND && fault.message[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mt_config *config = NULL;
    struct mt_fault fault = {0};
    int64_t now = 0;

    if (!size || size > TEXT_MAX)
        return 0;
    mt_log_sink_set(silent, NULL);
    mt_clock_seam_set(&(struct mt_clock_seam){.cpu_us = hurried_us, .ud = &now});
    enum mt_rc rc =
        mt_config_parse((const char *)data + 1, size - 1, "fuzz.lua", data[0], &config, &fault);
    check(!rc == (config != NULL));
    check(!rc || fault.message[0]);
    if (config)
        look(config);
    mt_config_free(config);
    mt_clock_seam_set(NULL);
    return 0;
}

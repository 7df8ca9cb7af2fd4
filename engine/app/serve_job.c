/* A job of `moontide serve`: its definition, its script's life, what happens when it fails. */
#include "app/serve_int.h"

#include "app/accounts_int.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/version.h"
#include "hub/hub.h"
#include "jobs/schedule.h"
#include "loop/loop.h"
#include "store/store.h"

#include <stdio.h>
#include <string.h>

#define SCRIPT_MAX_BYTES ((size_t)16 << 20)
#define ARENA_MAX        (SCRIPT_MAX_BYTES + ((size_t)1 << 20))
#define GRANT_MAX        ((size_t)64 << 10)
#define REST_FIRST_MS    1000
#define REST_MAX_MS      60000
#define PROOF_MS         60000 /* what has run for so long starts anew with short rests */

/* ---------------------------------------------------------------- definitions */

static const char *copy(struct mt_arena *arena, const char *text, bool *failed)
{
    const char *mine = text ? mt_arena_strdup(arena, text) : NULL;

    *failed = *failed || (text && !mine);
    return mine;
}

static const char *const *copy_list(struct mt_arena *arena, const char *const *list, bool *failed)
{
    size_t n = 0;

    while (list[n])
        n++;
    const char **mine = mt_arena_calloc(arena, n + 1, sizeof *mine);
    *failed = *failed || !mine;
    for (size_t i = 0; mine && i < n; i++)
        mine[i] = copy(arena, list[i], failed);
    return mine;
}

/* The texts that say when. */
#define TIMES_N 6
static const char **times_of(struct mt_job_config *config, size_t i)
{
    const char **const all[TIMES_N] = {&config->cron,   &config->every,  &config->timezone,
                                       &config->jitter, &config->missed, &config->overlap};
    return all[i];
}

/* Of what decides what it does: the program, the script, its arguments, accounts and grant, and the
 * policies that are named. When it runs does not belong to it. */
static enum mt_rc def_approval(struct mt_job_def *def, struct mt_fault *fault)
{
    struct mt_approval *approval = &def->approval;
    struct mt_buf grant;

    enum mt_rc rc = mt_approval_add_program(approval, MT_VERSION, fault);
    mt_approval_add(approval, "script", def->text, def->text_len);
    if (!rc)
        rc = mt_approval_add_list(approval, "arguments", def->config.args, fault);
    if (!rc)
        rc = mt_approval_add_list(approval, "accounts", def->config.accounts, fault);
    mt_buf_init(&grant, GRANT_MAX);
    if (!rc && mt_grant_write(&def->config.grant, &grant))
        rc = mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    const char *words[] = {grant.data ? grant.data : "", def->config.apply ? "apply" : "",
                           def->config.isolated ? "isolated" : NULL, NULL};
    if (!rc)
        rc = mt_approval_add_list(approval, "grant", words, fault);
    mt_buf_deinit(&grant);
    mt_job_def_look(def);
    return rc;
}

void mt_job_def_look(struct mt_job_def *def)
{
    if (def->destructive)
        mt_approval_look(&def->approval, def->config.args);
}

static enum mt_rc def_schedule(struct mt_job_def *def, struct mt_fault *fault)
{
    const struct mt_job_config *config = &def->config;
    const struct mt_schedule_options options = {config->name,     config->cron,   config->every,
                                                config->timezone, config->jitter, config->missed,
                                                config->overlap};

    if (!config->cron && !config->every) {
        for (size_t i = 2; i < TIMES_N; i++) {
            if (*times_of(&def->config, i))
                return mt_fault_set(fault, MT_ERR_INVALID, "schedule.which",
                                    "timezone, jitter, missed and overlap belong to a job with "
                                    "cron or every");
        }
        return MT_OK;
    }
    def->destructive = (config->grant.what & MT_GRANT_DELETE) && config->apply;
    if (def->config.pause_after < 0)
        def->config.pause_after = def->destructive ? 1 : 5;
    enum mt_rc rc = mt_schedule_new(&options, &def->schedule, fault);
    return rc || !def->destructive ? rc : def_approval(def, fault);
}

void mt_job_when(const struct mt_job_config *config, char *out, size_t cap)
{
    if (config->cron)
        snprintf(out, cap, "%s %s", config->cron, config->timezone ? config->timezone : "UTC");
    else
        snprintf(out, cap, "every %s", config->every);
}

static enum mt_rc def_fill(struct mt_job_def *def, const struct mt_job_config *from,
                           struct mt_fault *fault)
{
    struct mt_arena *arena = def->arena;
    bool failed = false;
    char *text = NULL;
    size_t len = 0;
    int err = mt_fs_read_all(from->script, SCRIPT_MAX_BYTES, &text, &len);

    if (err) {
        mt_fs_fault(fault, err, "read", from->script);
        snprintf(fault->code, sizeof fault->code, "config.script");
        return fault->kind = MT_ERR_INVALID;
    }
    def->text = mt_arena_strndup(arena, text, len);
    def->text_len = len;
    mt_mem_free(text);
    def->config.name = copy(arena, from->name, &failed);
    def->config.script = copy(arena, from->script, &failed);
    def->config.accounts = copy_list(arena, from->accounts, &failed);
    def->accounts.wanted = def->config.accounts;
    def->config.args = copy_list(arena, from->args, &failed);
    def->config.grant = from->grant;
    def->config.apply = from->apply;
    def->config.isolated = from->isolated;
    def->config.pause_after = from->pause_after;
    for (size_t i = 0; i < TIMES_N; i++)
        *times_of(&def->config, i) =
            copy(arena, *times_of((struct mt_job_config *)from, i), &failed);
    if (failed || !def->text)
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    const char *slash = strrchr(def->config.script, '/');
    def->label = slash ? slash + 1 : def->config.script;
    return def_schedule(def, fault);
}

/* Every account that the job names must be one that can be opened. */
static enum mt_rc def_accounts(struct mt_job_def *def, const struct mt_config *config,
                               const struct mt_job_config *from, struct mt_fault *fault)
{
    struct mt_account_choice *choice = &def->accounts;
    struct mt_account_view view;
    enum mt_rc rc = mt_config_select(config, from->accounts, def->arena, &choice->names,
                                     &choice->names_n, fault);

    for (size_t i = 0; !rc && i < choice->names_n; i++)
        rc = mt_config_account(config, choice->names[i], &view, fault);
    return rc;
}

enum mt_rc mt_job_def_new(const struct mt_config *config, const struct mt_job_config *from,
                          struct mt_job_def **out, struct mt_fault *fault)
{
    struct mt_job_def *def = NULL;
    enum mt_rc rc = MT_OK;

    *out = NULL;
    def = mt_mem_calloc(1, sizeof *def);
    if (!def)
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    def->arena = mt_arena_new(ARENA_MAX);
    if (!def->arena)
        rc = mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    if (!rc && config)
        rc = def_accounts(def, config, from, fault);
    if (!rc)
        rc = def_fill(def, from, fault);
    if (rc)
        mt_job_def_free(def);
    else
        *out = def;
    return rc;
}

void mt_job_def_free(struct mt_job_def *def)
{
    if (def) {
        mt_schedule_free(def->schedule);
        mt_arena_free(def->arena);
    }
    mt_mem_free(def);
}

static bool same_list(const char *const *a, const char *const *b)
{
    while (*a && *b && !strcmp(*a, *b)) {
        a++;
        b++;
    }
    return !*a && !*b;
}

/* As it is written: the order in which it was said does not count. */
static bool same_grant(const struct mt_grant *a, const struct mt_grant *b)
{
    struct mt_buf one;
    struct mt_buf other;

    mt_buf_init(&one, GRANT_MAX);
    mt_buf_init(&other, GRANT_MAX);
    bool same = !mt_grant_write(a, &one) && !mt_grant_write(b, &other) && one.len == other.len &&
                (!one.len || !memcmp(one.data, other.data, one.len));
    mt_buf_deinit(&one);
    mt_buf_deinit(&other);
    return same;
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

static bool same_times(const struct mt_job_def *a, const struct mt_job_def *b)
{
    bool same = a->config.pause_after == b->config.pause_after;

    for (size_t i = 0; i < TIMES_N; i++)
        same = same && same_text(*times_of((struct mt_job_config *)&a->config, i),
                                 *times_of((struct mt_job_config *)&b->config, i));
    return same;
}

bool mt_job_def_same(const struct mt_job_def *a, const struct mt_job_def *b)
{
    return a->text_len == b->text_len && !memcmp(a->text, b->text, a->text_len) &&
           !strcmp(a->config.script, b->config.script) &&
           same_list(a->config.accounts, b->config.accounts) &&
           same_list(a->accounts.names, b->accounts.names) &&
           same_list(a->config.args, b->config.args) &&
           same_grant(&a->config.grant, &b->config.grant) && a->config.apply == b->config.apply &&
           a->config.isolated == b->config.isolated && same_times(a, b);
}

bool mt_job_def_uses(const struct mt_job_def *def, const char *account)
{
    return mt_config_wanted(def->config.accounts, account);
}

/* ---------------------------------------------------------------- what a script asks the host for
 */

static enum mt_rc resolve(void *ud, const char **name, const struct mt_provider **provider,
                          struct mt_provider_account **account, struct mt_fault *fault)
{
    struct mt_job *job = ud;
    return mt_accounts_get_of(job->serve->accounts, &job->def->accounts, name, provider, account,
                              fault);
}

static enum mt_rc account_name(void *ud, size_t i, const char **name, struct mt_fault *fault)
{
    const struct mt_account_choice *accounts = &((const struct mt_job *)ud)->def->accounts;

    (void)fault;
    *name = i < accounts->names_n ? accounts->names[i] : NULL;
    return MT_OK;
}

static enum mt_rc websockets(void *ud, struct mt_ws_client **out, struct mt_fault *fault)
{
    struct mt_serve *serve = ((struct mt_job *)ud)->serve;
    return mt_accounts_websockets(serve->accounts, out, fault);
}

static enum mt_rc http(void *ud, struct mt_http **out, struct mt_fault *fault)
{
    const struct mt_job *job = ud;
    return mt_accounts_http(job->serve->accounts, out, fault);
}

static bool keeps(void *ud, const char *path)
{
    const struct mt_job *job = ud;
    return mt_accounts_keep(job->serve->accounts, path);
}

/* Under the job's name. */
static enum mt_rc store(void *ud, struct mt_store **out, struct mt_fault *fault)
{
    const struct mt_job *job = ud;
    char dir[4096];

    mt_accounts_state(job->serve->accounts, dir, sizeof dir);
    return mt_store_get(job->serve->stores, dir, job->name, out, fault);
}

static void flush_lines(void *ud)
{
    struct mt_job *job = ud;

    job->flush_posted = false;
    fflush(stdout);
}

static void flush_now(void *ud)
{
    (void)ud;
    fflush(stdout);
}

static void print(void *ud, const char *line, size_t len)
{
    struct mt_job *job = ud;

    printf("%s: ", job->name);
    fwrite(line, 1, len, stdout);
    fputc('\n', stdout);
    if (!job->flush_posted)
        job->flush_posted = !mt_loop_post(job->serve->loop, flush_lines, job);
}

static void progress(void *ud, const char *label, int64_t done, int64_t total, const char *unit,
                     const char *extra)
{
    struct mt_job_progress *to = &((struct mt_job *)ud)->progress;

    to->at_ms = mt_clock_wall_ms();
    to->done = done;
    to->total = total;
    snprintf(to->label, sizeof to->label, "%s", label);
    snprintf(to->unit, sizeof to->unit, "%s", unit ? unit : "");
    snprintf(to->extra, sizeof to->extra, "%s", extra ? extra : "");
}

/* Of a job without a schedule: the ledger of the others counts for itself. */
static void count_end(struct mt_job *job, const char *status)
{
    for (int i = 0; i < MT_RUN_STATUSES; i++)
        job->ended_n[i] += !strcmp(mt_run_status_name(i), status);
}

static void state_dir(void *ud, char *out, size_t cap)
{
    struct mt_job *job = ud;

    mt_accounts_state(job->serve->accounts, out, cap);
}

static void host_init(struct mt_job *job)
{
    struct mt_serve *serve = job->serve;

    job->host.loop = serve->loop;
    job->host.budget = serve->budget;
    job->host.websockets = websockets;
    job->host.hub = serve->hub;
    job->host.job = job->name;
    job->host.resolve = resolve;
    job->host.account_name = account_name;
    job->host.store = store;
    job->host.keeps = keeps;
    job->host.audit = mt_accounts_audit(serve->accounts);
    job->host.holds = mt_accounts_holds(serve->accounts);
    job->host.state = state_dir;
    job->host.http = http;
    job->host.use = job->use;
    job->host.print = print;
    job->host.flush = flush_now;
    job->host.progress = progress;
    job->host.counting = mt_accounts_counting(serve->accounts);
    job->host.purge_figures = &job->purged;
    job->host.archive_figures = &serve->archive_figures;
    job->host.ud = job;
}

static void script_options(const struct mt_job_def *def, struct mt_script_options *options)
{
    memset(options, 0, sizeof *options);
    options->name = def->label;
    options->text = def->text;
    options->text_len = def->text_len;
    options->args = def->config.args;
    options->accounts = def->accounts.names;
    options->command = def->label;
    options->grant = &def->config.grant;
    options->apply = def->config.apply;
    options->isolated = def->config.isolated;
}

/* ---------------------------------------------------------------- the script's life */

static int64_t rest_ms(unsigned failures_n)
{
    int64_t ms = REST_FIRST_MS;

    for (unsigned i = 1; i < failures_n && ms < REST_MAX_MS; i++)
        ms *= 2;
    if (ms > REST_MAX_MS)
        ms = REST_MAX_MS;
    return ms - (int64_t)mt_rand_below((uint64_t)ms / 4);
}

static void failed(struct mt_job *job, const struct mt_fault *fault)
{
    int64_t ms = rest_ms(++job->failures_n);
    const struct mt_log_field fields[] = {{"job", job->name}, {"code", fault->code}};

    mt_serve_note(job->serve, job->name, fault);
    mt_log_with(MT_LOG_ERROR, "serve", fields, 2,
                "job '%s' has failed, and starts again in %lld.%lld s: %s [%s]", job->name,
                (long long)ms / 1000, (long long)ms % 1000 / 100, fault->message, fault->code);
    job->state = MT_JOB_RESTS;
    mt_timer_start(job->timer, ms, 0);
}

static void ended(void *ud, int status, const struct mt_fault *fault)
{
    struct mt_job *job = ud;
    struct mt_script *script = job->script;

    bool stopped = job->state == MT_JOB_STOPS;
    struct mt_script_figures figures;

    mt_script_look(script, &figures);
    job->busy_us += figures.busy_us;
    if (!job->due)
        count_end(job, stopped ? "stopped" : fault ? "failed" : "done");
    job->script = NULL;
    mt_timer_stop(job->timer);
    if (job->due) {
        job->state = MT_JOB_READY;
        mt_due_ended(job, stopped, status, fault);
    } else if (stopped) {
        job->state = MT_JOB_READY;
    } else if (fault) {
        failed(job, fault);
    } else {
        mt_log_with(MT_LOG_INFO, "serve", &(const struct mt_log_field){"job", job->name}, 1,
                    "job '%s' has ended with status %d", job->name, status);
        job->state = MT_JOB_OVER;
    }
    mt_script_free(script);
    mt_serve_job_ended(job->serve, job);
}

void mt_job_start(struct mt_job *job)
{
    struct mt_script_options options;
    struct mt_fault fault;

    if (!job->use)
        job->use = mt_grant_use_new();
    if (job->use && job->due) /* each of its times is a run; what runs on and on has one */
        mt_grant_use_run(job->use);
    host_init(job);
    script_options(job->def, &options);
    memset(&job->progress, 0, sizeof job->progress);
    job->started_ms = mt_clock_wall_ms();
    if (mt_script_start(&job->host, &options, ended, job, &job->script, &fault)) {
        if (job->due)
            mt_due_ended(job, false, 0, &fault);
        else
            failed(job, &fault);
        return;
    }
    job->state = MT_JOB_RUNS;
    mt_timer_start(job->timer, PROOF_MS, 0);
    mt_log_with(MT_LOG_INFO, "serve", &(const struct mt_log_field){"job", job->name}, 1,
                "job '%s' runs", job->name);
}

void mt_job_stop(struct mt_job *job)
{
    if (job->state == MT_JOB_RESTS) {
        job->state = MT_JOB_READY;
        mt_timer_stop(job->timer);
    }
    if (job->state != MT_JOB_RUNS)
        return;
    job->state = MT_JOB_STOPS;
    mt_timer_start(job->timer, MT_SERVE_GRACE_MS, 0);
    mt_script_stop(job->script);
}

static void on_timer(void *ud)
{
    struct mt_job *job = ud;

    if (job->state == MT_JOB_RESTS) {
        mt_job_start(job);
    } else if (job->state == MT_JOB_RUNS) { /* an account that it used before, and now does not */
        job->failures_n = 0;
        mt_hub_forget(job->serve->hub, job->name, NULL);
    } else if (job->state == MT_JOB_STOPS) {
        mt_log(MT_LOG_WARN, "serve", "job '%s' did not finish in %d s and is cut off", job->name,
               MT_SERVE_GRACE_MS / 1000);
        job->serve->cut = true;
        mt_script_cancel(job->script);
    }
}

struct mt_job *mt_job_new(struct mt_serve *serve, const char *name)
{
    struct mt_job *job = mt_mem_calloc(1, sizeof *job);
    struct mt_job **at = &serve->jobs;

    if (!job)
        return NULL;
    job->serve = serve;
    job->name = mt_mem_strdup(name);
    if (!job->name || mt_timer_new(serve->loop, on_timer, job, &job->timer)) {
        mt_mem_free(job->name);
        mt_mem_free(job);
        return NULL;
    }
    while (*at)
        at = &(*at)->next;
    *at = job;
    return job;
}

void mt_job_free(struct mt_job *job)
{
    struct mt_job **at = &job->serve->jobs;

    while (*at && *at != job)
        at = &(*at)->next;
    if (*at)
        *at = job->next;
    mt_due_leave(job);
    mt_script_free(job->script);
    mt_grant_use_free(job->use);
    mt_timer_free(job->timer);
    mt_job_def_free(job->def);
    mt_job_def_free(job->coming);
    mt_mem_free(job->name);
    mt_mem_free(job);
}

/* ---------------------------------------------------------------- only looking */

struct check {
    struct mt_job job; /* for the host's functions */
    void (*done)(struct mt_serve *serve, struct mt_job_def *def, const struct mt_fault *fault);
    struct mt_fault fault;
};

static void check_over(void *ud)
{
    struct check *check = ud;
    struct mt_serve *serve = check->job.serve;
    struct mt_job_def *def = check->job.def;
    struct mt_fault fault = check->fault;
    void (*done)(struct mt_serve *, struct mt_job_def *, const struct mt_fault *) = check->done;

    mt_script_free(check->job.script);
    mt_mem_free(check);
    serve->checks_n--;
    done(serve, def, fault.kind ? &fault : NULL);
}

/* To be cancelled where it would wait is the good end. */
static void checked(void *ud, int status, const struct mt_fault *fault)
{
    struct check *check = ud;

    (void)status;
    if (fault && strcmp(fault->code, "script.cancelled") != 0)
        check->fault = *fault;
    check_over(check);
}

enum mt_rc mt_job_check(struct mt_serve *serve, struct mt_job_def *def,
                        void (*done)(struct mt_serve *serve, struct mt_job_def *def,
                                     const struct mt_fault *fault))
{
    struct check *check = mt_mem_calloc(1, sizeof *check);
    struct mt_script_options options;

    if (!check)
        return MT_ERR_NOMEM;
    check->job.serve = serve;
    check->job.def = def;
    check->done = done;
    host_init(&check->job);
    script_options(def, &options);
    options.check = true;
    serve->checks_n++;
    if (mt_script_start(&check->job.host, &options, checked, check, &check->job.script,
                        &check->fault) &&
        mt_loop_post(serve->loop, check_over, check)) {
        serve->checks_n--;
        mt_mem_free(check);
        return MT_ERR_NOMEM;
    }
    return MT_OK;
}

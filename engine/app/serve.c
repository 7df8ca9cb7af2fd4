/* `moontide serve`: accounts and hooks until stopped. SIGTERM and SIGINT end what is in hand;
 * SIGHUP reads configuration and scripts again and replaces what has changed, while the accounts
 * stay online. */
#include "app/serve_int.h"

#include "app/accounts_int.h"
#include "app/app.h"
#include "app/notify_int.h"
#include "app/run_int.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "hub/hub.h"
#include "loop/loop.h"
#include "provider/reader.h"
#include "store/store.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LAST_MS  5000 /* for what was cancelled to end */
#define PULSE_MS 250
#define ASK_MS   500 /* between two looks for what operators ask for */

static void settle(struct mt_serve *serve);

static struct mt_job *find(struct mt_serve *serve, const char *name)
{
    struct mt_job *job = serve->jobs;

    while (job && strcmp(job->name, name) != 0)
        job = job->next;
    return job;
}

static void tell_state(struct mt_serve *serve, const char *more)
{
    unsigned running = 0;
    unsigned all = 0;

    for (const struct mt_job *job = serve->jobs; job; job = job->next) {
        all++;
        running += job->script != NULL;
    }
    mt_notify_say(serve->notify, "%sSTATUS=%u of %u jobs run", more, running, all);
}

/* ---------------------------------------------------------------- replacing */

static bool in_use(const struct mt_serve *serve, const char *account)
{
    for (const struct mt_job *job = serve->jobs; job; job = job->next) {
        if (job->script && mt_job_def_uses(job->def, account))
            return true;
    }
    return false;
}

/* An account that means something else now is closed when nobody uses it any more. */
static void close_stale(struct mt_serve *serve)
{
    for (const char **at = serve->stale; at && *at; at++) {
        const char *name = *at;
        struct mt_provider_account *account = NULL;

        if (!*name || in_use(serve, name))
            continue;
        *at = "";
        account = mt_accounts_opened(serve->accounts, name);
        for (struct mt_job *job = serve->jobs; account && job; job = job->next)
            mt_hub_forget(serve->hub, job->name, account);
        mt_accounts_close(serve->accounts, name);
    }
}

static bool waits_for_account(const struct mt_serve *serve, const struct mt_job_def *def)
{
    for (const char **at = serve->stale; at && *at; at++) {
        if (**at && mt_job_def_uses(def, *at))
            return true;
    }
    return false;
}

/* A session that has ended is made again when everybody has left it. */
static bool waits_for_others(const struct mt_serve *serve, const struct mt_job *job)
{
    bool stopping = false;

    for (const struct mt_job *other = serve->jobs; other; other = other->next)
        stopping = stopping || other->state == MT_JOB_STOPS;
    return stopping && mt_hub_lost(serve->hub, job->name);
}

/* Starts what is ready, drops what is not wanted any more. */
static void settle(struct mt_serve *serve)
{
    struct mt_job *next = NULL;

    close_stale(serve);
    for (struct mt_job *job = serve->jobs; job; job = next) {
        next = job->next;
        if (job->script)
            continue;
        if (job->removed) {
            mt_hub_forget(serve->hub, job->name, NULL);
            mt_job_free(job);
            continue;
        }
        if (job->coming) {
            mt_job_def_free(job->def);
            job->def = job->coming;
            job->coming = NULL;
            job->state = MT_JOB_READY;
        }
        if (job->due && job->def && !job->def->schedule)
            mt_due_leave(job);
        if (job->state == MT_JOB_READY && job->def && !waits_for_account(serve, job->def) &&
            !waits_for_others(serve, job)) {
            if (job->def->schedule)
                mt_due_arm(job);
            else
                mt_job_start(job);
        }
    }
    if (serve->reloading && !serve->checks_n) {
        serve->reloading = false;
        tell_state(serve, "READY=1\n");
        mt_log(MT_LOG_INFO, "serve", "reloaded");
    }
}

void mt_serve_job_ended(struct mt_serve *serve, struct mt_job *job)
{
    (void)job;
    if (!serve->stopping) {
        settle(serve);
        tell_state(serve, "");
        return;
    }
    for (const struct mt_job *other = serve->jobs; other; other = other->next) {
        if (other->script)
            return;
    }
    mt_loop_stop(serve->loop);
}

static void refuse(struct mt_serve *serve, const char *name, const struct mt_fault *fault)
{
    const struct mt_job *job = find(serve, name);

    serve->failed_n++;
    mt_log(MT_LOG_ERROR, "serve", "job '%s': %s [%s]%s", name, fault->message, fault->code,
           job && job->script ? "; it goes on as it was" : "");
}

/* The new definition of a job is good. */
static void accept(struct mt_serve *serve, struct mt_job_def *def)
{
    struct mt_job *job = find(serve, def->config.name);

    for (size_t i = 0; mt_grant_remark(&def->config.grant, i); i++)
        mt_log(MT_LOG_WARN, "serve", "job '%s': %s", def->config.name,
               mt_grant_remark(&def->config.grant, i));
    if (serve->check_only) {
        printf("job '%s': %s is good\n", def->config.name, def->label);
        mt_job_def_free(def);
        return;
    }
    if (!job)
        job = mt_job_new(serve, def->config.name);
    if (!job) {
        mt_log(MT_LOG_ERROR, "serve", "job '%s': out of memory", def->config.name);
        mt_job_def_free(def);
        return;
    }
    mt_job_def_free(job->coming);
    job->coming = def;
    job->removed = false;
    job->failures_n = 0;
    mt_job_stop(job);
}

static void looked_at(struct mt_serve *serve, struct mt_job_def *def, const struct mt_fault *fault)
{
    if (fault) {
        refuse(serve, def->config.name, fault);
        mt_job_def_free(def);
    } else if (serve->stopping) {
        mt_job_def_free(def);
    } else {
        accept(serve, def);
    }
    if (serve->stopping)
        mt_serve_job_ended(serve, NULL);
    if (serve->checks_n || serve->stopping)
        return;
    if (!serve->reloading) /* the start: it goes on, or has failed */
        mt_loop_stop(serve->loop);
    else
        settle(serve);
}

/* Looks at every job of the configuration that is new or has changed. */
static void look(struct mt_serve *serve, const struct mt_config *config)
{
    for (size_t i = 0; i < mt_config_jobs_n(config); i++) {
        const struct mt_job_config *from = mt_config_job(config, i);
        const struct mt_job *job = find(serve, from->name);
        struct mt_job_def *def = NULL;
        struct mt_fault fault;

        if (mt_job_def_new(config, from, &def, &fault)) {
            refuse(serve, from->name, &fault);
            continue;
        }
        const struct mt_job_def *now = job ? (job->coming ? job->coming : job->def) : NULL;
        bool goes_on = job && (job->state == MT_JOB_RUNS || job->state == MT_JOB_OVER) &&
                       !mt_hub_lost(serve->hub, job->name);
        if (now && goes_on && mt_job_def_same(now, def)) {
            mt_job_def_free(def);
        } else if (mt_job_check(serve, def, looked_at)) {
            mt_job_def_free(def);
            mt_log(MT_LOG_ERROR, "serve", "job '%s': out of memory", from->name);
        }
    }
}

/* ---------------------------------------------------------------- signals */

static void mark_removed(struct mt_serve *serve, const struct mt_config *config)
{
    for (struct mt_job *job = serve->jobs; job; job = job->next) {
        job->removed = true;
        for (size_t i = 0; i < mt_config_jobs_n(config); i++) {
            if (!strcmp(mt_config_job(config, i)->name, job->name))
                job->removed = false;
        }
        if (job->removed)
            mt_job_stop(job);
    }
}

static void stop_stale(struct mt_serve *serve)
{
    for (struct mt_job *job = serve->jobs; job; job = job->next) {
        if (job->def && waits_for_account(serve, job->def))
            mt_job_stop(job);
    }
}

/* The door stays where it was opened: who asks for it there shall find it. */
static void tell_listen(const struct mt_serve *serve, const struct mt_config *config)
{
    const char *now = serve->listen ? serve->listen : mt_config_listen(config);
    const char *was = serve->listened[0] ? serve->listened : NULL;

    if ((now || was) && (!now || !was || strcmp(now, was) != 0))
        mt_log(MT_LOG_WARN, "serve",
               "where the status is told changes with the next start only: restart moontide serve "
               "(until then it is told at %s)",
               was ? was : "no address at all");
}

static void reload(void *ud, int signum)
{
    struct mt_serve *serve = ud;
    const struct mt_config *config = NULL;
    const char **stale = NULL;
    struct mt_fault fault;

    (void)signum;
    if (serve->stopping || serve->reloading) {
        mt_log(MT_LOG_WARN, "serve", "not reloaded: it is busy with %s",
               serve->stopping ? "its end" : "the last time");
        return;
    }
    mt_notify_reloading(serve->notify);
    serve->reloading = true;
    if (mt_accounts_reload(serve->accounts, &stale, &fault) ||
        mt_accounts_config(serve->accounts, &config, &fault)) {
        mt_log(MT_LOG_ERROR, "serve", "not reloaded, everything goes on as it was: %s [%s]",
               fault.message, fault.code);
        serve->reloading = false;
        tell_state(serve, "READY=1\n");
        return;
    }
    mt_mem_free(serve->stale);
    serve->stale = stale;
    tell_listen(serve, config);
    mt_hub_again(serve->hub);
    mark_removed(serve, config);
    look(serve, config);
    stop_stale(serve);
    settle(serve);
}

static void cut_off(void *ud)
{
    struct mt_serve *serve = ud;

    mt_log(MT_LOG_ERROR, "serve", "something does not end: stopped without it");
    serve->cut = true;
    mt_loop_stop(serve->loop);
}

static void stop(void *ud, int signum)
{
    struct mt_serve *serve = ud;
    bool running = serve->checks_n > 0;

    if (serve->signals_n++)
        _exit(MT_EXIT_INTERRUPTED);
    mt_log(MT_LOG_INFO, "serve", "%s: ending what is in hand, %d s at most; once more ends at once",
           signum == SIGTERM ? "stopped" : "interrupted", MT_SERVE_GRACE_MS / 1000);
    serve->stopping = true;
    mt_notify_say(serve->notify, "STOPPING=1\nSTATUS=ending what is in hand");
    for (struct mt_job *job = serve->jobs; job; job = job->next) {
        mt_job_stop(job);
        running = running || job->script;
    }
    if (running)
        mt_timer_start(serve->grace, MT_SERVE_GRACE_MS + LAST_MS, 0);
    else
        mt_loop_stop(serve->loop);
}

/* ---------------------------------------------------------------- from start to end */

/* How late it is called says how long the loop was held up by something else. */
static void pulse(void *ud)
{
    struct mt_serve *serve = ud;
    int64_t now_us = mt_clock_mono_us();
    int64_t late_us = now_us - serve->pulse_us - (int64_t)PULSE_MS * 1000;

    mt_histogram_note(&serve->figures.lag, late_us > 0 ? (double)late_us / 1e6 : 0);
    serve->pulse_us = now_us;
    mt_timer_start(serve->pulse, PULSE_MS, 0);
}

/* Where the status is told, if anywhere. What is said on the command line goes before. */
static enum mt_rc tell_status(struct mt_serve *serve, const struct mt_config *config,
                              struct mt_fault *fault)
{
    const char *where = serve->listen ? serve->listen : mt_config_listen(config);

    if (!where || serve->check_only)
        return MT_OK;
    if (mt_timer_new(serve->loop, pulse, serve, &serve->pulse))
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    snprintf(serve->listened, sizeof serve->listened, "%s", where);
    serve->pulse_us = mt_clock_mono_us();
    mt_timer_start(serve->pulse, PULSE_MS, 0);
    return mt_service_new(serve, where, &serve->service, fault);
}

static void tell_fault(const struct mt_fault *fault)
{
    if (mt_log_format_get())
        mt_log_with(MT_LOG_ERROR, "serve", &(const struct mt_log_field){"code", fault->code}, 1,
                    "%s", fault->message);
    else
        fprintf(stderr, "moontide serve: %s [%s]\n", fault->message, fault->code);
}

static int serve_jobs(struct mt_serve *serve)
{
    const struct mt_config *config = NULL;
    struct mt_fault fault;

    if (mt_accounts_config(serve->accounts, &config, &fault)) {
        tell_fault(&fault);
        return MT_EXIT_USAGE;
    }
    if (!mt_config_jobs_n(config)) {
        fprintf(stderr,
                "moontide serve: there is no job in %s: declare one, job \"name\" { script = "
                "\"bot.lua\", accounts = { … } }\n",
                mt_config_path(config));
        return MT_EXIT_USAGE;
    }
    if (tell_status(serve, config, &fault)) {
        tell_fault(&fault);
        return fault.kind == MT_ERR_INVALID ? MT_EXIT_USAGE : MT_EXIT_FAILED;
    }
    look(serve, config);
    if (serve->checks_n)
        mt_loop_run(serve->loop);
    if (serve->stopping)
        return MT_EXIT_DONE;
    if (serve->failed_n)
        return MT_EXIT_USAGE;
    if (serve->check_only)
        return MT_EXIT_DONE;
    serve->ready = true;
    settle(serve);
    tell_state(serve, "READY=1\n");
    mt_loop_run(serve->loop);
    return serve->stopping && !serve->cut ? MT_EXIT_DONE : MT_EXIT_FAILED;
}

static void stay(void *ud)
{
    (void)ud; /* until it is stopped, whatever its jobs do */
}

static void asked(void *ud)
{
    mt_serve_asked(ud);
}

static int with_signals(struct mt_serve *serve)
{
    static const int signums[] = {SIGTERM, SIGINT, SIGHUP};
    struct mt_signal *signals[3] = {NULL, NULL, NULL};
    struct mt_timer *alive = NULL;
    int status = MT_EXIT_FAILED;
    bool failed = mt_timer_new(serve->loop, cut_off, serve, &serve->grace) != MT_OK ||
                  mt_timer_new(serve->loop, asked, serve, &serve->asking) != MT_OK ||
                  mt_timer_new(serve->loop, stay, serve, &alive) != MT_OK;

    for (size_t i = 0; !failed && i < 3; i++)
        failed = mt_signal_new(serve->loop, signums[i], signums[i] == SIGHUP ? reload : stop, serve,
                               &signals[i]) != MT_OK;
    if (!failed) {
        mt_timer_start(alive, 3600000, 3600000);
        mt_timer_start(serve->asking, ASK_MS, ASK_MS);
        status = serve_jobs(serve);
    }
    for (size_t i = 0; i < 3; i++)
        mt_signal_free(signals[i]);
    mt_timer_free(alive);
    mt_timer_free(serve->asking);
    mt_timer_free(serve->grace);
    return status;
}

static void state_dir(void *ud, char *out, size_t cap)
{
    struct mt_serve *serve = ud;
    mt_accounts_state(serve->accounts, out, cap);
}

int mt_app_serve(const char *config, const char *listen_at, bool check_only)
{
    struct mt_serve serve;
    int status = MT_EXIT_FAILED;

    memset(&serve, 0, sizeof serve);
    serve.check_only = check_only;
    serve.listen = listen_at;
    mt_serve_figures_init(&serve.figures);
    if (mt_loop_new(&serve.loop)) {
        fputs("moontide serve: the event loop cannot be made\n", stderr);
        return MT_EXIT_FAILED;
    }
    serve.accounts = mt_accounts_new(serve.loop, config, NULL);
    serve.budget = mt_reader_budget_new(0);
    serve.hub = mt_hub_new(serve.loop, state_dir, &serve);
    serve.stores = mt_stores_new(serve.loop);
    serve.notify = mt_notify_new(serve.loop);
    if (serve.hub && serve.accounts)
        mt_hub_count(serve.hub, mt_accounts_counting(serve.accounts));
    if (serve.accounts && serve.budget && serve.hub && serve.stores && serve.notify)
        status = with_signals(&serve);
    fflush(stdout);
    mt_service_free(serve.service);
    mt_timer_free(serve.pulse);
    while (serve.jobs)
        mt_job_free(serve.jobs);
    mt_hub_free(serve.hub);
    mt_stores_free(serve.stores);
    mt_dues_free(&serve);
    mt_notify_free(serve.notify);
    mt_accounts_free(serve.accounts);
    mt_reader_budget_release(serve.budget);
    mt_mem_free(serve.stale);
    if (mt_loop_free(serve.loop))
        mt_log(MT_LOG_DEBUG, "app", "something was left open on the loop");
    return status;
}

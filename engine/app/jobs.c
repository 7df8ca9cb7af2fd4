/* `moontide jobs`: what is kept of the jobs, from their ledgers, or, where a process has them open,
 * from that process. In C, not a script: what approves a deletion is no function for scripts. */
#include "app/run_int.h"
#include "app/serve_int.h"

#include "app/accounts_int.h"
#include "app/app.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "codec/json.h"
#include "jobs/ask.h"
#include "jobs/ledger.h"
#include "loop/loop.h"
#include "store/store.h"

#include <stdio.h>
#include <string.h>

#define JOBS_MAX   1000
#define POLL_MS    50
#define WAIT_MS    10000 /* for a process that has the job */
#define ANSWER_MAX ((size_t)1 << 20)

struct view {
    struct view *next;
    struct command *command;
    struct mt_job_def *def;
    struct mt_store *store;
    struct mt_ledger ledger;
    char path[MT_ASK_PATH_MAX]; /* of the answer that is waited for; "": none */
    struct mt_buf text;         /* JSON, when it is there */
    struct mt_fault fault;      /* or why not */
    bool over;
};

struct command {
    struct mt_loop *loop;
    struct mt_accounts *accounts;
    struct mt_stores *stores;
    struct mt_timer *poll;
    int64_t until_ms;
    const char *word;
    int ask;
    struct view *views;
    char dir[4096];
};

/* ---------------------------------------------------------------- asking */

static void over(struct view *view)
{
    view->over = true;
    for (const struct view *other = view->command->views; other; other = other->next) {
        if (!other->over)
            return;
    }
    mt_loop_stop(view->command->loop);
}

static void refused(struct view *view, const struct mt_fault *fault)
{
    view->fault = *fault;
    over(view);
}

static void poll_all(void *ud)
{
    struct command *command = ud;
    bool late = mt_clock_mono_ms() > command->until_ms;

    for (struct view *view = command->views; view; view = view->next) {
        struct mt_fault fault;
        if (view->over || !view->path[0])
            continue;
        if (mt_ask_take(view->path, &view->text)) {
            over(view);
        } else if (late) {
            mt_ask_withdraw(view->path);
            mt_fault_set(&fault, MT_ERR_TIMEOUT, "jobs.no_answer",
                         "the process that has the job does not answer: is it stopped, or busy?");
            refused(view, &fault);
        }
    }
}

static void ask_process(struct view *view)
{
    struct command *command = view->command;
    struct mt_fault fault;
    char dir[sizeof command->dir + 8];

    snprintf(dir, sizeof dir, "%s/asks", command->dir);
    if (mt_ask_post(dir, view->def->config.name, command->word, view->path, &fault)) {
        view->path[0] = '\0';
        refused(view, &fault);
    } else {
        mt_timer_start(command->poll, POLL_MS, POLL_MS);
    }
}

/* ---------------------------------------------------------------- the ledger itself */

static void show(struct view *view)
{
    char when[400];

    mt_job_when(&view->def->config, when, sizeof when);
    if (mt_ledger_show(&view->ledger, view->def->config.name, view->def->schedule, when,
                       mt_clock_wall_ms(), &view->text))
        mt_fault_set(&view->fault, MT_ERR_NOMEM, "memory", "out of memory");
}

static void written(void *ud, enum mt_rc rc, const struct mt_fault *fault)
{
    struct view *view = ud;

    if (rc)
        view->fault = *fault;
    else
        show(view);
    over(view);
}

static void obey(struct view *view)
{
    struct command *command = view->command;
    int64_t now_ms = mt_clock_wall_ms();
    struct mt_fault fault;

    if (command->ask == MT_LEDGER_SHOW) {
        show(view);
        over(view);
        return;
    }
    enum mt_rc rc = mt_ledger_obey(&view->ledger, (enum mt_ledger_ask)command->ask,
                                   &view->def->approval, now_ms, &fault);
    if (!rc && command->ask == MT_LEDGER_RUN)
        rc = mt_fault_set(&fault, MT_ERR_STATE, "jobs.no_serve",
                          "no moontide serve has this job: start one, or use moontide run");
    if (!rc && view->ledger.fresh)
        view->ledger.handled_ms = now_ms;
    if (!rc)
        rc = mt_ledger_write(&view->ledger, view->store, &fault);
    if (!rc && mt_store_flush(view->store, written, view))
        rc = mt_fault_set(&fault, MT_ERR_NOMEM, "memory", "out of memory");
    if (rc)
        refused(view, &fault);
}

static void opened(void *ud, enum mt_rc rc, const struct mt_store_entry *entries, size_t n,
                   const struct mt_fault *fault)
{
    struct view *view = ud;
    struct mt_fault damaged;

    if (rc == MT_ERR_BUSY) {
        ask_process(view);
        return;
    }
    if (!rc) {
        rc = mt_ledger_read(&view->ledger, entries, n, &damaged);
        fault = &damaged;
    }
    if (rc)
        refused(view, fault);
    else
        obey(view);
}

/* ---------------------------------------------------------------- which jobs */

static enum mt_rc add(struct command *command, const struct mt_job_config *config,
                      struct mt_fault *fault)
{
    struct view **at = &command->views;
    struct mt_job_def *def = NULL;
    struct view *view = NULL;

    if (mt_job_def_new(NULL, config, &def, fault)) {
        mt_fault_prefix(fault, "job '%.60s'", config->name);
        return fault->kind;
    }
    view = mt_mem_calloc(1, sizeof *view);
    if (!view) {
        mt_job_def_free(def);
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    }
    view->command = command;
    view->def = def;
    mt_buf_init(&view->text, ANSWER_MAX);
    while (*at)
        at = &(*at)->next;
    *at = view;
    return MT_OK;
}

static enum mt_rc unknown(const struct mt_config *config, const char *name, struct mt_fault *fault)
{
    const char *names[JOBS_MAX];
    size_t n = 0;

    for (size_t i = 0; i < mt_config_jobs_n(config) && n < JOBS_MAX; i++)
        names[n++] = mt_config_job(config, i)->name;
    const char *near = mt_str_nearest(name, names, n);
    return mt_fault_set(fault, MT_ERR_NOT_FOUND, "jobs.unknown",
                        "there is no job '%.60s' with cron or every in %.80s%s%s", name,
                        mt_config_path(config), near ? ": did you mean " : "", near ? near : "");
}

static enum mt_rc choose(struct command *command, const char *name, struct mt_fault *fault)
{
    const struct mt_config *config = NULL;
    enum mt_rc rc = mt_accounts_config(command->accounts, &config, fault);

    for (size_t i = 0; !rc && i < mt_config_jobs_n(config); i++) {
        const struct mt_job_config *job = mt_config_job(config, i);
        if ((job->cron || job->every) && (!name || !strcmp(name, job->name)))
            rc = add(command, job, fault);
    }
    if (!rc && name && !command->views)
        rc = unknown(config, name, fault);
    return rc;
}

static void look(struct command *command)
{
    mt_due_dir(command->accounts, command->dir, sizeof command->dir);
    command->until_ms = mt_clock_mono_ms() + WAIT_MS;
    for (struct view *view = command->views; view; view = view->next) {
        struct mt_fault fault;
        enum mt_rc rc = mt_store_get(command->stores, command->dir, view->def->config.name,
                                     &view->store, &fault);
        if (!rc && mt_store_load(view->store, opened, view))
            rc = mt_fault_set(&fault, MT_ERR_NOMEM, "memory", "out of memory");
        if (rc) {
            view->fault = fault;
            view->over = true;
        }
    }
    for (const struct view *view = command->views; view; view = view->next) {
        if (!view->over) {
            mt_loop_run(command->loop);
            break;
        }
    }
}

/* ---------------------------------------------------------------- for people */

static const char *or_dash(const char *text)
{
    return text && *text ? text : "-";
}

static void print_run(const struct mt_json *run)
{
    const char *message = mt_json_str(mt_json_get(run, "message"));

    printf("  %-6lld %-9s %-9s %-24s %8.1f s%s%s\n",
           (long long)mt_json_i64(mt_json_get(run, "number"), 0),
           or_dash(mt_json_str(mt_json_get(run, "status"))),
           or_dash(mt_json_str(mt_json_get(run, "how"))),
           or_dash(mt_json_str(mt_json_get(run, "started"))),
           mt_json_double(mt_json_get(run, "seconds"), 0), message ? "  " : "",
           message ? message : "");
}

/* Why it is paused, and what to type. */
static void print_remedy(const struct mt_json *job)
{
    const char *remedy = mt_json_str(mt_json_get(job, "remedy"));
    const char *changed = mt_json_str(mt_json_get(job, "changed"));

    if (remedy)
        printf("  %s%s%smoontide jobs %s '%s'\n", changed ? "another one than was approved: " : "",
               changed ? changed : "", changed ? "; when that is right: " : "", remedy,
               or_dash(mt_json_str(mt_json_get(job, "name"))));
}

static void print_whole(const struct mt_json *job)
{
    const char *paused = mt_json_str(mt_json_get(job, "paused"));

    printf("%s: %s, %s%s%s\n", or_dash(mt_json_str(mt_json_get(job, "name"))),
           or_dash(mt_json_str(mt_json_get(job, "when"))),
           or_dash(mt_json_str(mt_json_get(job, "state"))), paused ? ": " : "",
           paused ? paused : "");
    print_remedy(job);
    for (const struct mt_json *at = mt_json_child(mt_json_get(job, "next")); at;
         at = mt_json_next(at))
        printf("  next   %s\n", or_dash(mt_json_str(at)));
    for (const struct mt_json *at = mt_json_child(mt_json_get(job, "runs")); at;
         at = mt_json_next(at))
        print_run(at);
}

static void print_line(const struct mt_json *job)
{
    const struct mt_json *run = mt_json_child(mt_json_get(job, "runs"));
    const char *paused = mt_json_str(mt_json_get(job, "paused"));
    char state[40];

    snprintf(state, sizeof state, "%s%s%s", or_dash(mt_json_str(mt_json_get(job, "state"))),
             paused ? ": " : "", paused ? paused : "");
    printf("%-20s %-16s next %-24s  last %s %s\n", or_dash(mt_json_str(mt_json_get(job, "name"))),
           state, or_dash(mt_json_str(mt_json_child(mt_json_get(job, "next")))),
           or_dash(mt_json_str(mt_json_get(run, "status"))),
           or_dash(mt_json_str(mt_json_get(run, "started"))));
    print_remedy(job);
}

/* Whether it was well. */
static bool print(const struct view *view, bool whole, bool as_json)
{
    const char *name = view->def->config.name;
    struct mt_json *json = NULL;
    struct mt_fault fault = view->fault;

    if (!fault.kind && mt_json_parse(view->text.data ? view->text.data : "", view->text.len,
                                     ANSWER_MAX, &json, &fault))
        json = NULL;
    const struct mt_json *refusal = mt_json_get(json, "fault");
    bool good = json && !refusal;
    if (good && as_json)
        printf("%s\n", view->text.data);
    else if (good && whole)
        print_whole(json);
    else if (good)
        print_line(json);
    else if (refusal)
        fprintf(stderr, "moontide jobs: %s: %s [%s]\n", name,
                or_dash(mt_json_str(mt_json_get(refusal, "message"))),
                or_dash(mt_json_str(mt_json_get(refusal, "code"))));
    else
        fprintf(stderr, "moontide jobs: %s: %s [%s]\n", name, fault.message, fault.code);
    mt_json_free(json);
    return good;
}

static void views_free(struct view *view)
{
    while (view) {
        struct view *next = view->next;
        mt_buf_deinit(&view->text);
        mt_job_def_free(view->def);
        mt_mem_free(view);
        view = next;
    }
}

/* What whoever reads the list should know of what its jobs may do. */
static void remark(const struct command *command)
{
    for (const struct view *view = command->views; view; view = view->next) {
        const struct mt_grant *grant = &view->def->config.grant;
        for (size_t i = 0; mt_grant_remark(grant, i); i++)
            fprintf(stderr, "moontide jobs: %s: %s\n", view->def->config.name,
                    mt_grant_remark(grant, i));
    }
}

static int run(struct command *command, const char *name, bool json)
{
    struct mt_fault fault;
    int status = MT_EXIT_DONE;

    if (choose(command, name, &fault)) {
        fprintf(stderr, "moontide jobs: %s [%s]\n", fault.message, fault.code);
        return MT_EXIT_USAGE;
    }
    look(command);
    remark(command);
    for (const struct view *view = command->views; view; view = view->next) {
        if (!print(view, name != NULL, json))
            status = MT_EXIT_FAILED;
    }
    return status;
}

int mt_app_jobs(const char *config, const char *word, const char *name, bool json)
{
    struct command command = {.word = word ? word : "show"};
    int status = MT_EXIT_FAILED;

    command.ask = mt_ledger_ask_of(command.word);
    if (command.ask < 0 || (word && !name)) {
        fprintf(stderr,
                "moontide jobs: '%s' is not show, run, pause, resume or confirm and a job's name "
                "(try moontide jobs --help)\n",
                command.word);
        return MT_EXIT_USAGE;
    }
    if (mt_loop_new(&command.loop)) {
        fputs("moontide jobs: the event loop cannot be made\n", stderr);
        return MT_EXIT_FAILED;
    }
    command.accounts = mt_accounts_new(command.loop, config, NULL);
    command.stores = mt_stores_new(command.loop);
    if (command.accounts && command.stores &&
        !mt_timer_new(command.loop, poll_all, &command, &command.poll))
        status = run(&command, name, json);
    mt_timer_free(command.poll);
    mt_stores_free(command.stores);
    views_free(command.views);
    mt_accounts_free(command.accounts);
    (void)mt_loop_free(command.loop);
    return status;
}

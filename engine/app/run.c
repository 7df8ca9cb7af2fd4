/* One script in one process. Ctrl-C stops it cleanly; a second one at once. */
#include "app/run_int.h"

#include "app/accounts_int.h"
#include "app/app.h"
#include "app/progress_int.h"
#include "base/log.h"
#include "base/mem.h"
#include "hub/hub.h"
#include "loop/loop.h"
#include "provider/reader.h"
#include "script/script.h"
#include "store/store.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct run {
    struct mt_loop *loop;
    struct mt_accounts *accounts;
    bool flush_posted;
    struct mt_stores *stores;
    const char *name; /* of the script */
    struct mt_script *script;
    struct mt_progress progress;
    unsigned signals_n;
    int status;
    bool ended;
    bool failed;
    struct mt_fault fault;
};

static enum mt_rc resolve(void *ud, const char **name, const struct mt_provider **provider,
                          struct mt_provider_account **account, struct mt_fault *fault)
{
    struct run *run = ud;
    return mt_accounts_get(run->accounts, name, provider, account, fault);
}

static enum mt_rc account_name(void *ud, size_t i, const char **name, struct mt_fault *fault)
{
    struct run *run = ud;
    return mt_accounts_name(run->accounts, i, name, fault);
}

static enum mt_rc websockets(void *ud, struct mt_ws_client **out, struct mt_fault *fault)
{
    struct run *run = ud;
    return mt_accounts_websockets(run->accounts, out, fault);
}

static enum mt_rc http(void *ud, struct mt_http **out, struct mt_fault *fault)
{
    struct run *run = ud;
    return mt_accounts_http(run->accounts, out, fault);
}

static bool keeps(void *ud, const char *path)
{
    struct run *run = ud;
    return mt_accounts_keep(run->accounts, path);
}

static void state_dir(void *ud, char *out, size_t cap)
{
    struct run *run = ud;
    mt_accounts_state(run->accounts, out, cap);
}

/* Under the name of the script's file, without .lua. */
static enum mt_rc store(void *ud, struct mt_store **out, struct mt_fault *fault)
{
    struct run *run = ud;
    char dir[4096];
    char name[256];
    size_t len = strlen(run->name);

    if (len > 4 && !strcmp(run->name + len - 4, ".lua"))
        len -= 4;
    snprintf(name, sizeof name, "%.*s", (int)len, run->name);
    mt_accounts_state(run->accounts, dir, sizeof dir);
    return mt_store_get(run->stores, dir, name, out, fault);
}

/* Whoever reads a bot's lines gets them when the script waits, not when four kilobytes are full. */
static void flush(void *ud)
{
    struct run *run = ud;

    run->flush_posted = false;
    fflush(stdout);
}

static void flush_lines(void *ud)
{
    (void)ud;
    fflush(stdout);
}

static void print(void *ud, const char *line, size_t len)
{
    struct run *run = ud;

    mt_progress_clear(&run->progress);
    fwrite(line, 1, len, stdout);
    fputc('\n', stdout);
    if (!run->flush_posted)
        run->flush_posted = !mt_loop_post(run->loop, flush, run);
}

static void progress(void *ud, const char *label, int64_t done, int64_t total, const char *unit,
                     const char *extra)
{
    struct run *run = ud;
    mt_progress_show(&run->progress, label, done, total, unit, extra);
}

static void log_line(void *ud, enum mt_log_level level, const char *line)
{
    struct run *run = ud;
    (void)level;
    mt_progress_clear(&run->progress);
    fprintf(stderr, "%s\n", line);
}

static void ended(void *ud, int status, const struct mt_fault *fault)
{
    struct run *run = ud;

    run->ended = true;
    run->status = status;
    if (fault) {
        run->failed = true;
        run->fault = *fault;
    }
    mt_loop_stop(run->loop);
}

static void interrupted(void *ud, int signum)
{
    struct run *run = ud;

    if (run->signals_n++) {
        mt_progress_clear(&run->progress);
        _exit(MT_EXIT_INTERRUPTED);
    }
    mt_progress_clear(&run->progress);
    const char *how = signum == SIGTERM ? "stopped" : "interrupted";
    if (mt_log_format_get())
        mt_log(MT_LOG_INFO, "run", "%s: ending what is in hand; once more ends at once", how);
    else
        fprintf(stderr, "%s: ending what is in hand; once more ends at once\n", how);
    mt_script_cancel(run->script);
}

static int exit_status(const struct run *run)
{
    const struct mt_fault *fault = &run->fault;

    if (run->signals_n)
        return MT_EXIT_INTERRUPTED;
    if (!run->failed)
        return run->status;
    if (fault->kind == MT_ERR_DAMAGED)
        return MT_EXIT_DAMAGED;
    if (fault->kind == MT_ERR_INVALID || !strncmp(fault->code, "config.", 7) ||
        !strcmp(fault->code, "archive.none"))
        return MT_EXIT_USAGE;
    return MT_EXIT_FAILED;
}

/* The same for programs: with the log, and as it. */
static void tell_programs(const struct run *run, const struct mt_run_options *options)
{
    const struct mt_log_field fields[] = {
        {"command", options->command},
        {"code", run->signals_n ? "interrupted" : run->fault.code},
    };

    if (run->signals_n || run->failed)
        mt_log_with(MT_LOG_ERROR, "run", fields, 2, "%s: %s", options->command,
                    run->signals_n ? "interrupted; run the same command again to go on"
                                   : run->fault.message);
}

static void tell(const struct run *run, const struct mt_run_options *options)
{
    if (mt_log_format_get())
        tell_programs(run, options);
    else if (run->signals_n)
        fprintf(stderr, "%s: interrupted; run the same command again to go on\n", options->command);
    else if (run->failed && !strcmp(run->fault.code, "usage"))
        fprintf(stderr, "%s\n", run->fault.message);
    else if (run->failed)
        fprintf(stderr, "%s: %s [%s]\n", options->command, run->fault.message, run->fault.code);
}

/* Patterns of -a are known only by the configuration; names need it later. */
static enum mt_rc mean_accounts(struct run *run, const struct mt_run_options *options,
                                struct mt_script_options *script)
{
    const struct mt_account_choice *choice = NULL;
    bool pattern = false;

    for (size_t i = 0; options->accounts && options->accounts[i]; i++)
        pattern = pattern || strchr(options->accounts[i], '*');
    if (!pattern)
        return MT_OK;
    enum mt_rc rc = mt_accounts_chosen(run->accounts, &choice, &run->fault);
    if (!rc)
        script->accounts = choice->names;
    return rc;
}

static int run_script(struct run *run, const struct mt_script_host *host,
                      const struct mt_run_options *options)
{
    struct mt_script_options script;
    struct mt_signal *on_int = NULL;
    struct mt_signal *on_term = NULL;

    memset(&script, 0, sizeof script);
    script.name = options->name;
    script.command = options->command;
    script.text = options->text;
    script.text_len = options->text_len;
    script.args = options->args;
    script.accounts = options->accounts;
    script.grant = options->grant;
    script.apply = options->apply;
    script.by_hand = options->passing;
    script.isolated = options->isolated;
    if (mt_signal_new(run->loop, SIGINT, interrupted, run, &on_int) ||
        mt_signal_new(run->loop, SIGTERM, interrupted, run, &on_term))
        run->failed = mt_fault_set(&run->fault, MT_ERR_NOMEM, "memory", "out of memory") != MT_OK;
    else if (mean_accounts(run, options, &script) ||
             mt_script_start(host, &script, ended, run, &run->script, &run->fault))
        run->failed = true;
    else
        mt_loop_run(run->loop);
    if (run->script && !run->ended) { /* stopping early must never look like success */
        run->failed = true;
        mt_fault_set(
            &run->fault, MT_ERR_STATE, "app.stalled",
            "nothing is left to wait for, but the script has not ended: please report this");
    }
    mt_progress_clear(&run->progress);
    fflush(stdout);
    mt_script_free(run->script);
    mt_signal_free(on_int);
    mt_signal_free(on_term);
    tell(run, options);
    return exit_status(run);
}

int mt_app_run(const struct mt_run_options *options)
{
    struct run run;
    struct mt_script_host host;
    int status = MT_EXIT_FAILED;

    memset(&run, 0, sizeof run);
    mt_progress_init(&run.progress, false);
    if (mt_loop_new(&run.loop)) {
        fprintf(stderr, "%s: the event loop cannot be made\n", options->command);
        return MT_EXIT_FAILED;
    }
    run.accounts = mt_accounts_new(run.loop, options->config, options->accounts);
    if (run.accounts && options->passing)
        mt_accounts_passing(run.accounts);
    memset(&host, 0, sizeof host);
    host.loop = run.loop;
    host.budget = mt_reader_budget_new(0);
    host.resolve = resolve;
    host.account_name = account_name;
    host.websockets = websockets;
    host.hub = mt_hub_new(run.loop, state_dir, &run);
    host.store = store;
    host.keeps = keeps;
    host.audit = run.accounts ? mt_accounts_audit(run.accounts) : NULL;
    host.holds = run.accounts ? mt_accounts_holds(run.accounts) : NULL;
    host.state = state_dir;
    host.http = http;
    run.stores = mt_stores_new(run.loop);
    run.name = options->name;
    host.print = print;
    host.flush = flush_lines;
    host.progress = progress;
    host.ud = &run;
    mt_log_sink_set(log_line, &run);
    if (run.accounts && host.budget && host.hub && run.stores)
        status = run_script(&run, &host, options);
    mt_hub_free(host.hub);
    mt_stores_free(run.stores);
    mt_accounts_free(run.accounts);
    mt_reader_budget_release(host.budget);
    if (mt_loop_free(run.loop))
        mt_log(MT_LOG_DEBUG, "app", "something was left open on the loop");
    mt_log_sink_set(NULL, NULL);
    return status;
}

/* The figures of `moontide serve` in Prometheus' text format. docs/metrics.md has the same table; a
 * test compares them. Everything is read where it is counted; labels are names of the configuration
 * and words of the engine, and their number is bounded. */
#include "app/service_int.h"

#include "app/serve_int.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/version.h"
#include "http/http.h"
#include "hub/hub.h"
#include "jobs/audit_log.h"
#include "jobs/ledger.h"
#include "jobs/schedule.h"

#include <stdio.h>
#include <string.h>

#define OTHER "(other)"

enum metric {
    BUILD,
    PROCESS_START,
    PROCESS_CPU,
    PROCESS_RSS,
    PROCESS_FDS,
    PROCESS_FDS_MAX,
    LOOP_LAG,
    EVENT_BATCHES,
    READY,
    ACCOUNTS,
    ACCOUNT_CONNECTED,
    ACCOUNT_RECONNECTS,
    ACCOUNT_EVENTS,
    ACCOUNT_LAST_EVENT,
    ACCOUNT_SENDS,
    ACCOUNT_FAULTS,
    JOBS,
    JOB_RUNNING,
    JOB_PAUSED,
    JOB_STORE_OK,
    JOB_RUNS,
    JOB_FAILURES,
    JOB_LAST_STATUS,
    JOB_LAST_RUN,
    JOB_LAST_SUCCESS,
    JOB_LAST_DURATION,
    JOB_NEXT_RUN,
    JOB_PROGRESS,
    RETENTION_PLANNED,
    RETENTION_ARCHIVED,
    RETENTION_DELETED,
    RETENTION_SKIPPED,
    RETENTION_SETTLED,
    RETENTION_BATCHES,
    SCRIPT_MEMORY,
    SCRIPT_MEMORY_MAX,
    SCRIPT_BUSY,
    SCRIPT_TASKS,
    SCRIPT_READY,
    HTTP_REQUESTS,
    HTTP_RETRIES,
    HTTP_LIMITED,
    HTTP_SENT,
    HTTP_RECEIVED,
    HTTP_IN_FLIGHT,
    HTTP_WAITING,
    ARCHIVE_COMMITS,
    ARCHIVE_BYTES,
    AUDIT_HEAD,
    AUDIT_OPEN,
    AUDIT_OLDEST,
    AUDIT_FAILURES,
    METRICS_N
};

static const char counter[] = "counter";
static const char gauge[] = "gauge";

static const struct mt_metric metrics[METRICS_N] = {
    [BUILD] = {"moontide_build_info", gauge, "Always 1; the label tells the version."},
    [PROCESS_START] = {"process_start_time_seconds", gauge, "When serve was started."},
    [PROCESS_CPU] = {"process_cpu_seconds_total", counter, "CPU time of the process."},
    [PROCESS_RSS] = {"process_resident_memory_bytes", gauge, "Memory that the process has."},
    [PROCESS_FDS] = {"process_open_fds", gauge, "Open descriptors."},
    [PROCESS_FDS_MAX] = {"process_max_fds", gauge, "How many descriptors may be open."},
    [LOOP_LAG] = {"moontide_loop_lag_seconds", "histogram",
                  "How late a timer of the event loop came, looked at four times a second."},
    [EVENT_BATCHES] = {"moontide_event_batches_waiting", gauge,
                       "Batches of events that scripts have not dealt with."},
    [READY] = {"moontide_ready", gauge, "1 when /ready answers 200."},
    [ACCOUNTS] = {"moontide_accounts", gauge,
                  "Accounts that were opened, by state: connected, connecting, ended, idle."},
    [ACCOUNT_CONNECTED] = {"moontide_account_connected", gauge,
                           "1 when the session that is wanted is there."},
    [ACCOUNT_RECONNECTS] = {"moontide_account_reconnects_total", counter,
                            "Sessions that were made again after the first."},
    [ACCOUNT_EVENTS] = {"moontide_account_events_total", counter, "Events of the session."},
    [ACCOUNT_LAST_EVENT] = {"moontide_account_last_event_timestamp_seconds", gauge,
                            "When the last event came, but for those of the connection."},
    [ACCOUNT_SENDS] = {"moontide_account_sends_total", counter,
                       "Messages that were sent, by result: ok, failed."},
    [ACCOUNT_FAULTS] = {"moontide_account_faults_total", counter,
                        "Faults of sessions and calls, by code."},
    [JOBS] = {"moontide_jobs", gauge, "Jobs of the configuration."},
    [JOB_RUNNING] = {"moontide_job_running", gauge, "1 while its script runs."},
    [JOB_PAUSED] = {"moontide_job_paused", gauge,
                    "1 while it is paused, by reason: asked, failed, changed, clock."},
    [JOB_STORE_OK] = {"moontide_job_store_ok", gauge,
                      "1 when what is kept of the job can be read and written, or another process "
                      "has it."},
    [JOB_RUNS] = {"moontide_job_runs_total", counter,
                  "Runs that ended, by status: done, part, failed, stopped, lost, skipped."},
    [JOB_FAILURES] = {"moontide_job_failures_in_a_row", gauge, "Failures since the last success."},
    [JOB_LAST_STATUS] = {"moontide_job_last_run_status", gauge,
                         "1 for the status of the last run, 0 for the others."},
    [JOB_LAST_RUN] = {"moontide_job_last_run_timestamp_seconds", gauge, "When it began."},
    [JOB_LAST_SUCCESS] = {"moontide_job_last_success_timestamp_seconds", gauge,
                          "When the last run that was done, or done in part, ended."},
    [JOB_LAST_DURATION] = {"moontide_job_last_run_duration_seconds", gauge, "How long it took."},
    [JOB_NEXT_RUN] = {"moontide_job_next_run_timestamp_seconds", gauge,
                      "When the next run begins."},
    [JOB_PROGRESS] = {"moontide_job_progress_ratio", gauge,
                      "How far the run in hand is, 0 to 1, where its script knows."},
    [RETENTION_PLANNED] = {"moontide_retention_planned_messages_total", counter,
                           "Messages of the plans that the job has applied."},
    [RETENTION_ARCHIVED] = {"moontide_retention_archived_messages_total", counter,
                            "Those of them that the archive was found to hold as they are."},
    [RETENTION_DELETED] = {"moontide_retention_deleted_messages_total", counter,
                           "Messages that were deleted, and read back as gone."},
    [RETENTION_SKIPPED] = {"moontide_retention_skipped_messages_total", counter,
                           "Messages that were left alone, by reason: held, not_archived, changed, "
                           "in_gap, cap, absent, left."},
    [RETENTION_SETTLED] = {"moontide_retention_settled_messages_total", counter,
                           "Messages that an interrupted run had deleted, found out by a later "
                           "one."},
    [RETENTION_BATCHES] = {"moontide_retention_batches_total", counter,
                           "Batches that the cloud was asked to delete."},
    [SCRIPT_MEMORY] = {"moontide_script_memory_bytes", gauge, "Memory of the script's Lua state."},
    [SCRIPT_MEMORY_MAX] = {"moontide_script_memory_limit_bytes", gauge, "What it may have."},
    [SCRIPT_BUSY] = {"moontide_script_cpu_seconds_total", counter,
                     "Time for which the script had the event loop to itself."},
    [SCRIPT_TASKS] = {"moontide_script_tasks", gauge, "Its tasks that have not ended."},
    [SCRIPT_READY] = {"moontide_script_tasks_ready", gauge,
                      "Those of them that wait for their turn only."},
    [HTTP_REQUESTS] = {"moontide_http_requests_total", counter,
                       "Requests, by host and class of the answer: 1xx to 5xx, none."},
    [HTTP_RETRIES] = {"moontide_http_retries_total", counter,
                      "Requests that were a second or later attempt."},
    [HTTP_LIMITED] = {"moontide_http_rate_limited_total", counter, "Answers with status 429."},
    [HTTP_SENT] = {"moontide_http_sent_bytes_total", counter, "Bytes of requests."},
    [HTTP_RECEIVED] = {"moontide_http_received_bytes_total", counter, "Bytes of answers."},
    [HTTP_IN_FLIGHT] = {"moontide_http_in_flight", gauge, "Requests on the wire."},
    [HTTP_WAITING] = {"moontide_http_waiting", gauge,
                      "Requests that wait for their turn, or to be tried again."},
    [ARCHIVE_COMMITS] = {"moontide_archive_commits_total", counter,
                         "Commits into archives, by result: ok, failed."},
    [ARCHIVE_BYTES] = {"moontide_archive_line_bytes_total", counter, "Lines that were committed."},
    [AUDIT_HEAD] = {"moontide_audit_head_timestamp_seconds", gauge,
                    "When the head of the audit was signed last."},
    [AUDIT_OPEN] = {"moontide_audit_open_intents", gauge,
                    "Intents of this process that have no result yet."},
    [AUDIT_OLDEST] = {"moontide_audit_oldest_open_intent_timestamp_seconds", gauge,
                      "When the oldest of them was written down."},
    [AUDIT_FAILURES] = {"moontide_audit_failures_total", counter,
                        "Appends that failed: what was to be done then was not."},
};

#define LABELS(...) ((const struct mt_metric_label[]){__VA_ARGS__, {NULL, NULL}})

static void one(struct mt_buf *out, enum metric metric, double value)
{
    mt_metrics_begin(out, &metrics[metric]);
    mt_metrics_f64(out, &metrics[metric], NULL, value);
}

static void put(struct mt_buf *out, enum metric metric, const struct mt_metric_label *labels,
                uint64_t value)
{
    mt_metrics_u64(out, &metrics[metric], labels, value);
}

/* ---------------------------------------------------------------- the process */

static void process(const struct mt_serve *serve, const struct mt_process_figures *found,
                    struct mt_buf *out)
{
    const struct mt_serve_figures *figures = &serve->figures;

    mt_metrics_begin(out, &metrics[BUILD]);
    put(out, BUILD, LABELS({"version", MT_VERSION}), 1);
    one(out, PROCESS_START, (double)figures->started_ms / 1e3);
    one(out, PROCESS_CPU, (double)mt_clock_cpu_us() / 1e6);
    one(out, PROCESS_RSS, (double)found->resident_bytes);
    one(out, PROCESS_FDS, (double)found->open_fds);
    one(out, PROCESS_FDS_MAX, (double)found->max_fds);
    mt_metrics_begin(out, &metrics[LOOP_LAG]);
    mt_metrics_histogram(out, &metrics[LOOP_LAG], &figures->lag);
    one(out, EVENT_BATCHES, (double)mt_hub_waiting(serve->hub));
    one(out, READY, mt_service_is_ready(serve));
}

/* ---------------------------------------------------------------- accounts */

struct row {
    const char *name; /* of the configuration's accounts, which are never forgotten */
    struct mt_account_figures figures; /* a copy, and its faults too */
};

struct mt_service_rows {
    struct row *items;
    size_t n;
    struct mt_account_figures other; /* of all that have no row of their own */
    size_t other_n;
    uint64_t states[4];
    bool failed;
};

static const char *const states[] = {"connected", "connecting", "ended", "idle"};

static unsigned state_of(const struct mt_account_figures *figures)
{
    return figures->connected ? 0 : figures->ended ? 2 : figures->live ? 1 : 3;
}

static void add_row(struct mt_service_rows *rows, const char *name,
                    const struct mt_account_figures *figures)
{
    struct row *row = &rows->items[rows->n++];

    row->name = name;
    row->figures = *figures;
    if (!figures->faults)
        return;
    row->figures.faults = mt_mem_alloc(sizeof *figures->faults);
    if (row->figures.faults)
        *row->figures.faults = *figures->faults;
    else
        rows->failed = true;
}

/* Two names that are told in the same way would be one series with two values, which no Prometheus
 * takes: what is no UTF-8, and who is called as the rest is, has no row of its own. */
static bool take(void *ud, const char *name, const struct mt_account_figures *figures)
{
    struct mt_service_rows *rows = ud;
    struct mt_account_figures *other = &rows->other;

    rows->states[state_of(figures)]++;
    if (rows->n < MT_SERVICE_ACCOUNTS && mt_str_utf8_valid(name, strlen(name)) &&
        strcmp(name, OTHER) != 0) {
        add_row(rows, name, figures);
        return true;
    }
    rows->other_n++;
    other->connected = (rows->other_n == 1 || other->connected) && figures->connected;
    other->connects_n += figures->connects_n ? figures->connects_n - 1 : 0;
    other->events_n += figures->events_n;
    other->sends_n += figures->sends_n;
    other->send_failures_n += figures->send_failures_n;
    other->faults_n += figures->faults_n;
    if (figures->event_ms > other->event_ms)
        other->event_ms = figures->event_ms;
    return true;
}

static void account_faults(const struct row *row, struct mt_buf *out)
{
    const struct mt_account_faults *faults = row->figures.faults;

    if (!faults && row->figures.faults_n)
        put(out, ACCOUNT_FAULTS, LABELS({"account", row->name}, {"code", "any"}),
            row->figures.faults_n);
    for (size_t i = 0; faults && i < faults->counts_n; i++)
        put(out, ACCOUNT_FAULTS, LABELS({"account", row->name}, {"code", faults->counts[i].code}),
            faults->counts[i].n);
}

static void account(enum metric metric, const struct row *row, struct mt_buf *out)
{
    const struct mt_account_figures *f = &row->figures;
    const struct mt_metric_label *labels = LABELS({"account", row->name});

    switch (metric) {
    case ACCOUNT_CONNECTED:
        put(out, metric, labels, f->connected);
        break;
    case ACCOUNT_RECONNECTS:
        put(out, metric, labels, f->connects_n ? f->connects_n - 1 : 0);
        break;
    case ACCOUNT_EVENTS:
        put(out, metric, labels, f->events_n);
        break;
    case ACCOUNT_LAST_EVENT:
        if (f->event_ms)
            mt_metrics_f64(out, &metrics[metric], labels, (double)f->event_ms / 1e3);
        break;
    case ACCOUNT_SENDS:
        put(out, metric, LABELS({"account", row->name}, {"result", "ok"}), f->sends_n);
        put(out, metric, LABELS({"account", row->name}, {"result", "failed"}), f->send_failures_n);
        break;
    default:
        account_faults(row, out);
        break;
    }
}

struct mt_service_rows *mt_service_rows_take(const struct mt_serve *serve)
{
    size_t n = mt_accounts_figures_n(serve->accounts);
    struct mt_service_rows *rows = mt_mem_calloc(1, sizeof *rows);

    if (rows)
        rows->items = mt_mem_calloc((n < MT_SERVICE_ACCOUNTS ? n : MT_SERVICE_ACCOUNTS) + 1,
                                    sizeof *rows->items);
    if (!rows || !rows->items) {
        mt_service_rows_free(rows);
        return NULL;
    }
    mt_accounts_each_figures(serve->accounts, take, rows);
    if (rows->other_n) {
        rows->other.connects_n++; /* the first of each is left out already */
        rows->items[rows->n++] = (struct row){OTHER, rows->other};
    }
    return rows;
}

void mt_service_rows_free(struct mt_service_rows *rows)
{
    for (size_t i = 0; rows && rows->items && i < rows->n; i++)
        mt_mem_free(rows->items[i].figures.faults);
    if (rows)
        mt_mem_free(rows->items);
    mt_mem_free(rows);
}

void mt_service_rows_write(struct mt_service_rows *rows, struct mt_buf *out)
{
    if (rows->failed) {
        out->failed = MT_ERR_NOMEM;
        return;
    }
    mt_buf_reserve(out, 4096 + rows->n * 320);
    mt_metrics_begin(out, &metrics[ACCOUNTS]);
    for (size_t i = 0; i < 4; i++)
        put(out, ACCOUNTS, LABELS({"state", states[i]}), rows->states[i]);
    for (enum metric metric = ACCOUNT_CONNECTED; metric <= ACCOUNT_FAULTS; metric++) {
        mt_metrics_begin(out, &metrics[metric]);
        for (size_t i = 0; i < rows->n; i++)
            account(metric, &rows->items[i], out);
    }
}

/* ---------------------------------------------------------------- jobs */

static const char *label_of(const struct mt_job *job, char safe[MT_STR_SAFE_MAX])
{
    if (mt_str_utf8_valid(job->name, strlen(job->name)))
        return job->name;
    mt_str_safe_name(job->name, safe);
    return safe;
}

static void job_paused(const struct mt_ledger *ledger, const char *name, struct mt_buf *out)
{
    static const char *const reasons[] = {"asked", "failed", "changed", "clock"};

    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        put(out, JOB_PAUSED, LABELS({"job", name}, {"reason", reasons[i]}),
            !strcmp(ledger->paused, reasons[i]));
}

static void job_runs(enum metric metric, const uint64_t *ended_n, const char *last,
                     const char *name, struct mt_buf *out)
{
    for (int i = 0; i < MT_RUN_STATUSES; i++) {
        const char *status = mt_run_status_name(i);
        put(out, metric, LABELS({"job", name}, {"status", status}),
            last ? !strcmp(last, status) : ended_n[i]);
    }
}

/* A time that was left out was no run. */
static const struct mt_run *last_run(const struct mt_ledger *ledger, bool success)
{
    for (int i = 0; i < MT_LEDGER_RUNS && ledger->runs[i].number; i++) {
        const struct mt_run *run = &ledger->runs[i];
        if (success ? !strcmp(run->status, "done") || !strcmp(run->status, "part")
                    : strcmp(run->status, "skipped") != 0)
            return run;
    }
    return NULL;
}

static void seconds(enum metric metric, const char *name, int64_t ms, struct mt_buf *out)
{
    mt_metrics_f64(out, &metrics[metric], LABELS({"job", name}), (double)ms / 1e3);
}

/* What only a job with a schedule has. */
static void job_kept(enum metric metric, const struct mt_job *job, const struct mt_due_view *due,
                     const char *name, struct mt_buf *out)
{
    const struct mt_ledger *ledger = due->ledger;
    const struct mt_run *run = ledger ? last_run(ledger, metric == JOB_LAST_SUCCESS) : NULL;
    int64_t next_ms = ledger && metric == JOB_NEXT_RUN ? mt_due_next(job, mt_clock_wall_ms()) : 0;

    if (metric == JOB_STORE_OK)
        put(out, metric, LABELS({"job", name}), !due->broken);
    else if (!ledger)
        return;
    else if (metric == JOB_PAUSED)
        job_paused(ledger, name, out);
    else if (metric == JOB_NEXT_RUN && next_ms != INT64_MAX)
        seconds(metric, name, next_ms, out);
    else if (metric == JOB_FAILURES)
        put(out, metric, LABELS({"job", name}), ledger->failures_n);
    else if (run && metric == JOB_LAST_STATUS)
        job_runs(metric, NULL, run->status, name, out);
    else if (run && metric == JOB_LAST_RUN)
        seconds(metric, name, run->started_ms, out);
    else if (run && metric == JOB_LAST_SUCCESS)
        seconds(metric, name, run->ended_ms, out);
    else if (run && metric == JOB_LAST_DURATION)
        seconds(metric, name, run->ended_ms - run->started_ms, out);
}

static void job_script(enum metric metric, const struct mt_job *job, const char *name,
                       struct mt_buf *out)
{
    const struct mt_metric_label *labels = LABELS({"job", name});
    struct mt_script_figures script;

    memset(&script, 0, sizeof script);
    if (job->script)
        mt_script_look(job->script, &script);
    if (metric == SCRIPT_BUSY)
        mt_metrics_f64(out, &metrics[metric], labels,
                       (double)(job->busy_us + script.busy_us) / 1e6);
    else if (job->script)
        put(out, metric, labels,
            metric == SCRIPT_MEMORY       ? script.memory_bytes
            : metric == SCRIPT_MEMORY_MAX ? script.memory_max_bytes
            : metric == SCRIPT_TASKS      ? script.tasks_n
                                          : script.ready_n);
}

static void job_purged(enum metric metric, const struct mt_job *job, const char *name,
                       struct mt_buf *out)
{
    const struct mt_purge_figures *f = &job->purged;

    if (metric != RETENTION_SKIPPED) {
        put(out, metric, LABELS({"job", name}),
            metric == RETENTION_PLANNED    ? f->planned_n
            : metric == RETENTION_ARCHIVED ? f->archived_n
            : metric == RETENTION_DELETED  ? f->deleted_n
            : metric == RETENTION_SETTLED  ? f->settled_n
                                           : f->batches_n);
        return;
    }
    for (int i = MT_GATE_LET + 1; i < MT_GATE_VERDICTS_N; i++)
        put(out, metric,
            LABELS({"job", name}, {"reason", mt_gate_verdict_name((enum mt_gate_verdict)i)}),
            f->refused_n[i]);
    put(out, metric, LABELS({"job", name}, {"reason", "absent"}), f->absent_n);
    put(out, metric, LABELS({"job", name}, {"reason", "left"}), f->left_n);
}

static void job(enum metric metric, const struct mt_job *job, struct mt_buf *out)
{
    char safe[MT_STR_SAFE_MAX];
    const char *name = label_of(job, safe);
    struct mt_due_view due;

    mt_due_view(job, &due);
    if (metric >= SCRIPT_MEMORY)
        job_script(metric, job, name, out);
    else if (metric >= RETENTION_PLANNED) {
        if (job->def &&
            job->def->config.grant.what & MT_GRANT_DELETE) /* others have nothing to tell */
            job_purged(metric, job, name, out);
    } else if (metric == JOB_RUNNING)
        put(out, metric, LABELS({"job", name}), job->script != NULL);
    else if (metric == JOB_RUNS)
        job_runs(metric, job->ended_n, NULL, name, out);
    else if (metric == JOB_PROGRESS) {
        if (job->script && job->progress.at_ms && job->progress.total > 0)
            mt_metrics_f64(out, &metrics[metric], LABELS({"job", name}),
                           (double)job->progress.done / (double)job->progress.total);
    } else if (job->due)
        job_kept(metric, job, &due, name, out);
    else if (metric == JOB_FAILURES)
        put(out, metric, LABELS({"job", name}), job->failures_n);
}

static void jobs(const struct mt_serve *serve, struct mt_buf *out)
{
    size_t n = 0;

    for (const struct mt_job *at = serve->jobs; at; at = at->next)
        n++;
    one(out, JOBS, (double)n);
    for (enum metric metric = JOB_RUNNING; metric <= SCRIPT_READY; metric++) {
        mt_metrics_begin(out, &metrics[metric]);
        for (const struct mt_job *at = serve->jobs; at; at = at->next)
            job(metric, at, out);
    }
}

/* ---------------------------------------------------------------- requests and archives */

struct hosts {
    enum metric metric;
    struct mt_buf *out;
};

static void host(void *ud, const struct mt_http_figures *figures)
{
    static const char *const classes[] = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};
    const struct hosts *hosts = ud;
    const struct mt_metric_label *labels = LABELS({"host", figures->host});

    if (hosts->metric == HTTP_REQUESTS) {
        for (int i = 0; i < 6; i++) {
            if (figures->answers_n[i] || i == 2)
                put(hosts->out, hosts->metric,
                    LABELS({"host", figures->host}, {"class", classes[i]}), figures->answers_n[i]);
        }
        return;
    }
    put(hosts->out, hosts->metric, labels,
        hosts->metric == HTTP_RETRIES   ? figures->retries_n
        : hosts->metric == HTTP_LIMITED ? figures->refused_n
        : hosts->metric == HTTP_SENT    ? figures->sent_bytes
                                        : figures->received_bytes);
}

static void requests(const struct mt_serve *serve, struct mt_buf *out)
{
    const struct mt_http *http = mt_accounts_http_made(serve->accounts);

    for (enum metric metric = HTTP_REQUESTS; metric <= HTTP_RECEIVED; metric++) {
        struct hosts hosts = {metric, out};
        mt_metrics_begin(out, &metrics[metric]);
        if (http)
            mt_http_each_host(http, host, &hosts);
    }
    one(out, HTTP_IN_FLIGHT, http ? (double)mt_http_in_flight(http) : 0);
    one(out, HTTP_WAITING, http ? (double)mt_http_waiting(http) : 0);
}

static void audit(const struct mt_serve *serve, const struct mt_process_figures *found,
                  struct mt_buf *out)
{
    struct mt_audit_figures figures;

    mt_accounts_audit_look(serve->accounts, &figures);
    mt_metrics_begin(out, &metrics[AUDIT_HEAD]);
    if (found->audit_head_s)
        put(out, AUDIT_HEAD, NULL, found->audit_head_s);
    one(out, AUDIT_OPEN, (double)figures.open_n);
    mt_metrics_begin(out, &metrics[AUDIT_OLDEST]);
    if (figures.open_n)
        mt_metrics_f64(out, &metrics[AUDIT_OLDEST], NULL, (double)figures.oldest_ms / 1e3);
    one(out, AUDIT_FAILURES, (double)figures.failures_n);
}

void mt_service_metrics(const struct mt_serve *serve, const struct mt_process_figures *found,
                        struct mt_buf *out)
{
    process(serve, found, out);
    jobs(serve, out);
    requests(serve, out);
    mt_metrics_begin(out, &metrics[ARCHIVE_COMMITS]);
    put(out, ARCHIVE_COMMITS, LABELS({"result", "ok"}), serve->archive_figures.commits_n);
    put(out, ARCHIVE_COMMITS, LABELS({"result", "failed"}), serve->archive_figures.failures_n);
    mt_metrics_begin(out, &metrics[ARCHIVE_BYTES]);
    put(out, ARCHIVE_BYTES, NULL, serve->archive_figures.lines_bytes);
    audit(serve, found, out);
}

/* The state of `moontide serve` as JSON: what is behind the page, and for programs. */
#include "app/service_int.h"

#include "app/serve_int.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/version.h"
#include "codec/json.h"
#include "codec/time.h"
#include "jobs/ledger.h"
#include "jobs/schedule.h"
#include "jobs/words.h"

#include <stdio.h>
#include <string.h>

#define RUNS_SHOWN  5
#define NEXT_SHOWN  3
#define REASONS_MAX 100

/* ---------------------------------------------------------------- small things */

static void put_str(struct mt_jsonw *w, const char *key, const char *text)
{
    mt_jsonw_key(w, key);
    mt_jsonw_str(w, text);
}

static void put_u64(struct mt_jsonw *w, const char *key, uint64_t value)
{
    mt_jsonw_key(w, key);
    mt_jsonw_u64(w, value);
}

static void put_time(struct mt_jsonw *w, const char *key, int64_t ms)
{
    char text[MT_TIME_RFC3339_LEN] = "";

    if (ms > 0 && ms != INT64_MAX)
        mt_time_format(ms, text);
    put_str(w, key, text[0] ? text : NULL);
}

/* What was kept of a fault may be older than the secret that is in it. */
static void put_message(struct mt_jsonw *w, const char *message)
{
    char text[MT_FAULT_MESSAGE_MAX];

    snprintf(text, sizeof text, "%s", message);
    mt_secret_redact(text, strlen(text));
    put_str(w, "message", text);
}

static void put_fault(struct mt_jsonw *w, const struct mt_fault *fault, int64_t at_ms)
{
    put_time(w, "at", at_ms);
    put_str(w, "code", fault->code);
    put_message(w, fault->message);
}

/* ---------------------------------------------------------------- accounts */

struct account_row {
    const char *name;
    const struct mt_account_figures *figures;
};

struct account_rows {
    struct account_row *troubled, *good;
    size_t troubled_n, good_n, cap, n;
    uint64_t states_n[4];
};

static const char *const states[] = {"connected", "connecting", "ended", "idle"};

static int state_of(const struct mt_account_figures *figures)
{
    return figures->connected ? 0 : figures->ended ? 2 : figures->live ? 1 : 3;
}

static bool take(void *ud, const char *name, const struct mt_account_figures *figures)
{
    struct account_rows *rows = ud;
    int state = state_of(figures);
    bool trouble = state == 1 || state == 2;
    size_t *n = trouble ? &rows->troubled_n : &rows->good_n;

    rows->n++;
    rows->states_n[state]++;
    if (*n < rows->cap)
        (trouble ? rows->troubled : rows->good)[(*n)++] = (struct account_row){name, figures};
    return true;
}

static bool collect(const struct mt_serve *serve, struct account_rows *rows)
{
    size_t all = mt_accounts_figures_n(serve->accounts);

    memset(rows, 0, sizeof *rows);
    rows->cap = all < MT_SERVICE_ROWS ? all : MT_SERVICE_ROWS;
    rows->troubled = mt_mem_calloc(2 * rows->cap + 1, sizeof *rows->troubled);
    if (!rows->troubled)
        return false;
    rows->good = rows->troubled + rows->cap;
    mt_accounts_each_figures(serve->accounts, take, rows);
    return true;
}

static void put_account(struct mt_jsonw *w, const struct account_row *row)
{
    const struct mt_account_figures *figures = row->figures;

    mt_jsonw_object(w);
    put_str(w, "name", row->name);
    put_str(w, "state", states[state_of(figures)]);
    put_time(w, "since", figures->since_ms);
    put_time(w, "last_event", figures->event_ms);
    put_u64(w, "events", figures->events_n);
    put_u64(w, "sends", figures->sends_n);
    put_u64(w, "reconnects", figures->connects_n ? figures->connects_n - 1 : 0);
    put_u64(w, "faults", figures->faults_n);
    mt_jsonw_key(w, "last_fault");
    if (figures->faults) {
        mt_jsonw_object(w);
        put_fault(w, &figures->faults->last, figures->faults->last_ms);
        mt_jsonw_object_end(w);
    } else {
        mt_jsonw_null(w);
    }
    mt_jsonw_object_end(w);
}

static void put_accounts(struct mt_jsonw *w, const struct account_rows *rows)
{
    size_t shown = 0;

    mt_jsonw_key(w, "accounts_by_state");
    mt_jsonw_object(w);
    for (int i = 0; i < 4; i++)
        put_u64(w, states[i], rows->states_n[i]);
    mt_jsonw_object_end(w);
    mt_jsonw_key(w, "accounts");
    mt_jsonw_array(w);
    for (size_t i = 0; i < rows->troubled_n && shown < rows->cap; i++, shown++)
        put_account(w, &rows->troubled[i]);
    for (size_t i = 0; i < rows->good_n && shown < rows->cap; i++, shown++)
        put_account(w, &rows->good[i]);
    mt_jsonw_array_end(w);
    put_u64(w, "accounts_left_out", rows->n - shown);
}

/* ---------------------------------------------------------------- jobs */

static const char *job_state(const struct mt_job *job, const struct mt_due_view *due)
{
    if (job->state == MT_JOB_STOPS)
        return "stopping";
    if (job->script)
        return "running";
    if (due->broken)
        return "broken";
    if (due->standby)
        return "standby";
    if (due->ledger && due->ledger->paused[0])
        return "paused";
    return job->due                     ? "waiting"
           : job->state == MT_JOB_RESTS ? "resting"
           : job->state == MT_JOB_OVER  ? "over"
                                        : "starting";
}

static const char *why_of(const char *reason)
{
    static const char *const words[][2] = {
        {"asked", "somebody has paused it"},
        {"failed", "it has failed too often in a row"},
        {"changed", "it deletes, and is not what was approved any more"},
        {"clock", "it deletes, and the clock was set by more than a day"},
    };

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!strcmp(words[i][0], reason))
            return words[i][1];
    }
    return reason;
}

/* A name as one word of a shell, whatever is in it. */
static void put_command(struct mt_jsonw *w, const char *word, const char *name)
{
    char text[640];
    size_t n = (size_t)snprintf(text, sizeof text, "moontide jobs %s '", word);

    for (const char *p = name; *p && n < sizeof text - 8; p++) {
        if (*p == '\'')
            n += (size_t)snprintf(text + n, sizeof text - n, "'\\''");
        else
            text[n++] = *p;
    }
    snprintf(text + n, sizeof text - n, "'");
    put_str(w, "resume", text);
}

static void put_pause(struct mt_jsonw *w, const struct mt_job *job, const struct mt_ledger *ledger)
{
    put_str(w, "paused", ledger->paused[0] ? ledger->paused : NULL);
    if (!ledger->paused[0])
        return;
    put_str(w, "why", why_of(ledger->paused));
    if (!strcmp(ledger->paused, "changed"))
        put_str(w, "changed", ledger->changed);
    put_command(w, mt_ledger_remedy(ledger), job->name);
}

static void put_run(struct mt_jsonw *w, const struct mt_run *run)
{
    mt_jsonw_object(w);
    put_u64(w, "number", run->number);
    put_str(w, "status", run->status);
    put_str(w, "how", run->how);
    put_time(w, "started", run->started_ms);
    mt_jsonw_key(w, "seconds");
    mt_jsonw_double(w, run->ended_ms ? (double)(run->ended_ms - run->started_ms) / 1e3
                                     : (double)(mt_clock_wall_ms() - run->started_ms) / 1e3);
    if (run->code[0]) {
        put_str(w, "code", run->code);
        put_message(w, run->message);
    }
    mt_jsonw_object_end(w);
}

static void put_ledger(struct mt_jsonw *w, const struct mt_job *job, const struct mt_job_def *def,
                       const struct mt_ledger *ledger)
{
    int64_t now_ms = mt_clock_wall_ms();
    int64_t at_ms = ledger->handled_ms > now_ms ? ledger->handled_ms : now_ms;

    put_pause(w, job, ledger);
    mt_jsonw_key(w, "next");
    mt_jsonw_array(w);
    for (int i = 0; i < NEXT_SHOWN && !ledger->paused[0] && def->schedule; i++) {
        char text[MT_TIME_RFC3339_LEN];
        at_ms = mt_schedule_next(def->schedule, at_ms);
        if (at_ms == INT64_MAX)
            break;
        mt_time_format(mt_schedule_start(def->schedule, at_ms), text);
        mt_jsonw_str(w, text);
    }
    mt_jsonw_array_end(w);
    mt_jsonw_key(w, "runs");
    mt_jsonw_array(w);
    if (ledger->running.number)
        put_run(w, &ledger->running);
    for (int i = 0; i < RUNS_SHOWN && ledger->runs[i].number; i++)
        put_run(w, &ledger->runs[i]);
    mt_jsonw_array_end(w);
}

static void put_progress(struct mt_jsonw *w, const struct mt_job_progress *progress)
{
    mt_jsonw_key(w, "progress");
    mt_jsonw_object(w);
    put_time(w, "at", progress->at_ms);
    put_str(w, "label", progress->label);
    mt_jsonw_key(w, "done");
    mt_jsonw_i64(w, progress->done);
    mt_jsonw_key(w, "total");
    if (progress->total >= 0)
        mt_jsonw_i64(w, progress->total);
    else
        mt_jsonw_null(w);
    put_str(w, "unit", progress->unit);
    put_str(w, "extra", progress->extra);
    mt_jsonw_object_end(w);
}

static void put_job(struct mt_jsonw *w, const struct mt_job *job)
{
    const struct mt_job_def *def = job->def ? job->def : job->coming;
    struct mt_due_view due;
    char words[400] = "from the start on";

    mt_due_view(job, &due);
    if (def && def->schedule)
        mt_schedule_words(def->config.cron, def->config.every, def->config.timezone, words,
                          sizeof words);
    mt_jsonw_object(w);
    put_str(w, "name", job->name);
    put_str(w, "script", def ? def->label : "");
    put_str(w, "state", job_state(job, &due));
    put_str(w, "schedule", words);
    mt_jsonw_key(w, "deletes");
    mt_jsonw_bool(w, def && def->destructive);
    if (def && def->config.grant.what & MT_GRANT_DELETE) {
        put_u64(w, "deleted", job->purged.deleted_n);
        put_u64(w, "held", job->purged.refused_n[MT_GATE_HELD]);
    }
    put_time(w, "started", job->script ? job->started_ms : 0);
    put_u64(w, "failures", due.ledger ? due.ledger->failures_n : job->failures_n);
    if (job->script && job->progress.at_ms)
        put_progress(w, &job->progress);
    if (due.ledger && def)
        put_ledger(w, job, def, due.ledger);
    mt_jsonw_object_end(w);
}

static void put_jobs(struct mt_jsonw *w, const struct mt_serve *serve)
{
    mt_jsonw_key(w, "jobs");
    mt_jsonw_array(w);
    for (const struct mt_job *job = serve->jobs; job; job = job->next)
        put_job(w, job);
    mt_jsonw_array_end(w);
}

/* ---------------------------------------------------------------- last faults */

struct latest {
    int64_t at_ms;
    const char *of, *name;
    const struct mt_fault *fault;
};

/* Into its place, newest first; the oldest falls out. */
static void insert(struct latest list[MT_SERVICE_FAULTS], size_t *n, const struct latest *fault)
{
    size_t at = *n;

    while (at && list[at - 1].at_ms < fault->at_ms)
        at--;
    if (at == MT_SERVICE_FAULTS)
        return;
    if (*n < MT_SERVICE_FAULTS)
        (*n)++;
    memmove(&list[at + 1], &list[at], (*n - at - 1) * sizeof *list);
    list[at] = *fault;
}

struct gathering {
    struct latest list[MT_SERVICE_FAULTS];
    size_t n;
};

static bool gather(void *ud, const char *name, const struct mt_account_figures *figures)
{
    struct gathering *gathering = ud;
    const struct mt_account_faults *faults = figures->faults;

    if (faults)
        insert(gathering->list, &gathering->n,
               &(const struct latest){faults->last_ms, "account", name, &faults->last});
    return true;
}

static void put_faults(struct mt_jsonw *w, const struct mt_serve *serve)
{
    const struct mt_serve_figures *figures = &serve->figures;
    struct gathering gathering = {.n = 0};

    for (size_t i = 0; i < figures->faults_n && i < MT_SERVICE_FAULTS; i++) {
        const struct mt_service_fault *fault = &figures->faults[i];
        insert(gathering.list, &gathering.n,
               &(const struct latest){fault->at_ms, fault->of, fault->name, &fault->fault});
    }
    mt_accounts_each_figures(serve->accounts, gather, &gathering);
    mt_jsonw_key(w, "faults");
    mt_jsonw_array(w);
    for (size_t i = 0; i < gathering.n; i++) {
        const struct latest *fault = &gathering.list[i];
        mt_jsonw_object(w);
        put_str(w, "of", fault->of);
        put_str(w, "name", fault->name);
        put_fault(w, fault->fault, fault->at_ms);
        mt_jsonw_object_end(w);
    }
    mt_jsonw_array_end(w);
}

/* ---------------------------------------------------------------- ready or not */

struct reasons {
    struct mt_jsonw *w; /* NULL: only counted */
    size_t n;
};

static void reason(struct reasons *reasons, const char *what, const char *name, const char *why)
{
    if (reasons->n++ >= REASONS_MAX || !reasons->w)
        return;
    mt_jsonw_object(reasons->w);
    put_str(reasons->w, "what", what);
    if (name)
        put_str(reasons->w, "name", name);
    put_str(reasons->w, "why", why);
    mt_jsonw_object_end(reasons->w);
}

static bool account_reason(void *ud, const char *name, const struct mt_account_figures *figures)
{
    if (figures->ended)
        reason(ud, "account", name, "its session has ended for good");
    else if (figures->live && !figures->connected)
        reason(ud, "account", name, "not connected");
    return true;
}

static void job_reason(struct reasons *reasons, const struct mt_job *job)
{
    struct mt_due_view due;

    mt_due_view(job, &due);
    if (due.broken)
        reason(reasons, "store", job->name, "what is kept of the job cannot be read or written");
    else if (due.ledger && !strcmp(due.ledger->paused, "failed"))
        reason(reasons, "job", job->name, "paused: it has failed too often in a row");
    else if (job->state == MT_JOB_RESTS)
        reason(reasons, "job", job->name, "its script has failed, and starts again");
}

static void all_reasons(const struct mt_serve *serve, struct reasons *reasons)
{
    if (serve->stopping)
        reason(reasons, "serve", NULL, "it is stopping");
    else if (!serve->ready)
        reason(reasons, "serve", NULL, "it is starting");
    mt_accounts_each_figures(serve->accounts, account_reason, reasons);
    for (const struct mt_job *job = serve->jobs; job; job = job->next)
        job_reason(reasons, job);
}

static bool put_ready(struct mt_jsonw *w, const struct mt_serve *serve)
{
    struct reasons reasons = {NULL, 0};

    all_reasons(serve, &reasons);
    bool ready = !reasons.n;
    mt_jsonw_key(w, "ready");
    mt_jsonw_bool(w, ready);
    mt_jsonw_key(w, "reasons");
    mt_jsonw_array(w);
    reasons = (struct reasons){w, 0};
    all_reasons(serve, &reasons);
    mt_jsonw_array_end(w);
    put_u64(w, "reasons_left_out", reasons.n > REASONS_MAX ? reasons.n - REASONS_MAX : 0);
    return ready;
}

bool mt_service_is_ready(const struct mt_serve *serve)
{
    struct reasons reasons = {NULL, 0};

    all_reasons(serve, &reasons);
    return !reasons.n;
}

bool mt_service_ready(const struct mt_serve *serve, struct mt_buf *out)
{
    struct mt_jsonw w;

    mt_jsonw_init(&w, out);
    mt_jsonw_object(&w);
    bool ready = put_ready(&w, serve);
    mt_jsonw_object_end(&w);
    mt_buf_append_char(out, '\n');
    return ready;
}

void mt_service_state(const struct mt_serve *serve, struct mt_buf *out)
{
    const struct mt_serve_figures *figures = &serve->figures;
    struct account_rows rows;
    struct mt_jsonw w;

    if (!collect(serve, &rows)) {
        out->failed = MT_ERR_NOMEM;
        return;
    }
    mt_jsonw_init(&w, out);
    mt_jsonw_object(&w);
    put_str(&w, "version", MT_VERSION);
    put_time(&w, "now", mt_clock_wall_ms());
    put_time(&w, "started", figures->started_ms);
    put_u64(&w, "uptime_seconds", (uint64_t)(mt_clock_mono_ms() - figures->started_mono_ms) / 1000);
    put_ready(&w, serve);
    put_accounts(&w, &rows);
    put_jobs(&w, serve);
    put_faults(&w, serve);
    mt_jsonw_object_end(&w);
    mt_buf_append_char(out, '\n');
    mt_mem_free(rows.troubled);
}

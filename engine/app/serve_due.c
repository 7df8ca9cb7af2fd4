/* Jobs with a schedule: the ledger that is the lease, the times, the runs. A run is durable in the
 * ledger before its script begins, and so is its end before the next one. */
#include "app/serve_int.h"

#include "app/accounts_int.h"
#include "app/app.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "jobs/ask.h"
#include "jobs/duty.h"
#include "jobs/ledger.h"
#include "jobs/schedule.h"
#include "loop/loop.h"
#include "store/store.h"

#include <stdio.h>
#include <string.h>

#define LOOK_MS    30000 /* so often the clock is looked at: somebody may have set it */
#define STANDBY_MS 1000  /* until the lease is tried for again */
#define SHOW_MAX   ((size_t)64 << 10)

struct mt_due {
    struct mt_due *next;
    struct mt_serve *serve;
    struct mt_job *job; /* NULL: gone; freed when nothing is under way for it */
    struct mt_store *store;
    struct mt_timer *timer;
    struct mt_ledger ledger;
    enum { CLOSED, OPENING, OPEN } lease;
    enum mt_rc lost; /* why it is not open; MT_OK: nothing was lost */
    bool told;       /* that another process has it, or that it cannot be opened */
    bool beginning;  /* the run in hand is not durable yet */
    unsigned under_way_n;
    struct answer *answers;
    struct mt_duty_clock clock; /* at the last look */
};

/* What an operator asked for, until it is durable. */
struct answer {
    struct answer *next;
    struct mt_due *due;
    char path[MT_ASK_PATH_MAX];
};

static void look(void *ud);
static void open_ledger(struct mt_due *due);

void mt_due_dir(struct mt_accounts *accounts, char *out, size_t cap)
{
    mt_accounts_state(accounts, out, cap);
    size_t len = strlen(out);
    snprintf(out + len, cap - len, "/jobs");
}

struct mt_ledger *mt_due_ledger(const struct mt_job *job)
{
    return job->due && job->due->lease == OPEN ? &job->due->ledger : NULL;
}

void mt_due_view(const struct mt_job *job, struct mt_due_view *out)
{
    const struct mt_due *due = job->due;

    memset(out, 0, sizeof *out);
    if (!due)
        return;
    out->ledger = due->lease == OPEN ? &due->ledger : NULL;
    out->standby = due->lease != OPEN && due->lost == MT_ERR_BUSY;
    out->broken = due->lease != OPEN && due->lost && due->lost != MT_ERR_BUSY;
}

int64_t mt_due_next(const struct mt_job *job, int64_t now_ms)
{
    const struct mt_ledger *ledger = &job->due->ledger;
    const struct mt_schedule *schedule = job->def->schedule;

    if (ledger->paused[0] || !schedule)
        return INT64_MAX;
    if (ledger->queued && !ledger->running.number)
        return mt_duty_ready(ledger, now_ms);
    int64_t next_ms = mt_schedule_next(schedule, ledger->handled_ms);
    return next_ms == INT64_MAX ? next_ms : mt_schedule_start(schedule, next_ms);
}

static void due_free(struct mt_due *due)
{
    struct mt_due **at = &due->serve->dues;

    while (*at && *at != due)
        at = &(*at)->next;
    if (*at)
        *at = due->next;
    while (due->answers) {
        struct answer *answer = due->answers;
        due->answers = answer->next;
        mt_mem_free(answer);
    }
    mt_mem_free(due);
}

/* Something that was under way has come back; false: the job is gone, and so is due. */
static bool back(struct mt_due *due)
{
    due->under_way_n--;
    if (due->job)
        return true;
    if (!due->under_way_n)
        due_free(due);
    return false;
}

void mt_due_leave(struct mt_job *job)
{
    struct mt_due *due = job->due;

    if (!due)
        return;
    job->due = NULL;
    due->job = NULL;
    mt_timer_free(due->timer);
    due->timer = NULL;
    if (!due->under_way_n)
        due_free(due);
}

void mt_dues_free(struct mt_serve *serve)
{
    while (serve->dues)
        due_free(serve->dues);
}

/* ---------------------------------------------------------------- the ledger */

/* It cannot be written or read: nothing begins until it can be. */
static void lose(struct mt_due *due, const struct mt_fault *fault)
{
    if (!due->told)
        mt_log(fault->kind == MT_ERR_BUSY ? MT_LOG_INFO : MT_LOG_ERROR, "serve",
               "job '%s' waits: %s [%s]", due->job->name, fault->message, fault->code);
    due->told = true;
    due->lost = fault->kind;
    due->lease = CLOSED;
    due->beginning = false;
    mt_timer_start(due->timer, STANDBY_MS, 0);
}

static void kept(void *ud, enum mt_rc rc, const struct mt_fault *fault)
{
    struct mt_due *due = ud;

    if (back(due) && rc && due->lease == OPEN)
        lose(due, fault);
}

/* Writes what has changed; fn follows when it is durable. */
static bool keep(struct mt_due *due, mt_store_flushed_fn *fn, void *ud)
{
    struct mt_fault fault = {0};

    if (mt_ledger_write(&due->ledger, due->store, &fault)) {
        lose(due, &fault);
        return false;
    }
    if (mt_store_flush(due->store, fn, ud)) {
        mt_fault_set(&fault, MT_ERR_NOMEM, "memory", "out of memory");
        lose(due, &fault);
        return false;
    }
    due->under_way_n++;
    return true;
}

/* It was paused; words say why. */
static void tell_paused(const struct mt_due *due, const char *words)
{
    const struct mt_ledger *ledger = &due->ledger;
    bool changed = !strcmp(ledger->paused, "changed");
    const struct mt_log_field fields[] = {{"job", due->job->name}, {"paused", ledger->paused}};

    mt_log_with(MT_LOG_WARN, "serve", fields, 2, "job '%s' is paused: %s%s: moontide jobs %s '%s'",
                due->job->name, words, changed ? ledger->changed : "", mt_ledger_remedy(ledger),
                due->job->name);
}

/* Whether it may run: what deletes runs only as it was approved. Looks at the files anew. */
static bool approved(struct mt_due *due)
{
    mt_job_def_look(due->job->def);
    if (mt_duty_approve(&due->ledger, &due->job->def->approval))
        tell_paused(due, "it deletes, and another one than was approved is: ");
    return strcmp(due->ledger.paused, "changed") != 0;
}

/* What is given up shows as the last fault, too. */
static void tell_lost(const struct mt_due *due, const struct mt_run *lost, enum mt_log_level level)
{
    struct mt_fault fault;
    char number[24];
    const struct mt_log_field fields[] = {
        {"job", due->job->name}, {"run", number}, {"status", lost->status}, {"code", lost->code}};

    snprintf(number, sizeof number, "%llu", (unsigned long long)lost->number);
    mt_fault_set(&fault, MT_ERR_STATE, lost->code, "run %s: %s", number, lost->message);
    if (level == MT_LOG_ERROR)
        mt_serve_note(due->serve, due->job->name, &fault);
    mt_log_with(level, "serve", fields, 4, "job '%s': its run %s was cut off: %s", due->job->name,
                number, lost->message);
}

/* A run that the process before did not end. */
static void make_up(struct mt_due *due, int64_t now_ms)
{
    struct mt_run lost;
    enum mt_duty_lost what =
        mt_duty_lost(&due->ledger, mt_schedule_makes_up(due->job->def->schedule), now_ms, &lost);

    if (what == MT_LOST_NONE)
        return;
    tell_lost(due, &lost, what == MT_LOST_OFTEN ? MT_LOG_ERROR : MT_LOG_WARN);
    if (what == MT_LOST_OFTEN)
        tell_paused(due, "its run was cut off again and again");
}

static void opened(void *ud, enum mt_rc rc, const struct mt_store_entry *entries, size_t n,
                   const struct mt_fault *fault)
{
    struct mt_due *due = ud;
    struct mt_fault damaged;
    int64_t now_ms = mt_clock_wall_ms();

    if (!back(due))
        return;
    due->lease = CLOSED;
    if (!rc) {
        rc = mt_ledger_read(&due->ledger, entries, n, &damaged);
        fault = &damaged;
    }
    if (rc) {
        lose(due, fault);
        return;
    }
    due->lease = OPEN;
    due->lost = MT_OK;
    due->ledger.ended_n = due->job->ended_n;
    due->told = false;
    due->clock = (struct mt_duty_clock){now_ms, mt_clock_mono_ms()};
    if (due->ledger.fresh) /* what was due before it was there is not made up for */
        due->ledger.handled_ms = now_ms;
    (void)approved(due);
    make_up(due, now_ms);
    if (keep(due, kept, due))
        look(due);
}

static void open_ledger(struct mt_due *due)
{
    struct mt_serve *serve = due->serve;
    struct mt_fault fault = {0};
    char dir[4096];

    mt_due_dir(serve->accounts, dir, sizeof dir);
    enum mt_rc rc = mt_store_get(serve->stores, dir, due->job->name, &due->store, &fault);
    if (!rc && mt_store_load(due->store, opened, due))
        rc = mt_fault_set(&fault, MT_ERR_NOMEM, "memory", "out of memory");
    if (rc) {
        lose(due, &fault);
        return;
    }
    due->under_way_n++;
    due->lease = OPENING;
}

/* ---------------------------------------------------------------- runs */

static void begin_now(void *ud, enum mt_rc rc, const struct mt_fault *fault)
{
    struct mt_due *due = ud;

    if (!back(due) || !due->beginning)
        return;
    due->beginning = false;
    if (rc) {
        lose(due, fault);
    } else if (due->serve->stopping || due->job->removed || due->job->coming ||
               mt_duty_held(&due->ledger) || due->job->state != MT_JOB_READY) {
        mt_ledger_end(&due->ledger, "stopped", NULL, mt_clock_wall_ms());
        mt_duty_put_back(&due->ledger);
        (void)keep(due, kept, due);
    } else {
        mt_job_start(due->job);
    }
}

static void begin(struct mt_due *due, int64_t due_ms, const char *how, unsigned attempt)
{
    mt_ledger_begin(&due->ledger, due_ms, how, attempt, mt_clock_wall_ms());
    due->beginning = keep(due, begin_now, due);
}

/* The one that was put off, or cut off, when it has rested and is still what was approved. */
static void begin_queued(struct mt_due *due, int64_t now_ms)
{
    if (mt_duty_ready(&due->ledger, now_ms) > now_ms)
        return;
    if (!approved(due)) {
        (void)keep(due, kept, due);
        return;
    }
    mt_duty_begin_queued(&due->ledger, now_ms);
    due->beginning = keep(due, begin_now, due);
}

static void count_failure(struct mt_due *due, bool bad)
{
    struct mt_ledger *ledger = &due->ledger;
    int most = due->job->def->config.pause_after;

    ledger->failures_n = bad ? ledger->failures_n + 1 : 0;
    if (bad && most && ledger->failures_n >= (unsigned)most && !ledger->paused[0]) {
        snprintf(ledger->paused, sizeof ledger->paused, "failed");
        tell_paused(due, "it has failed too often in a row");
    }
}

static void tell_end(struct mt_due *due, bool bad, const struct mt_fault *fault)
{
    const struct mt_run *run = &due->ledger.runs[0];
    struct mt_fault status = {.kind = MT_ERR_STATE, .code = "job.status"};
    char number[24];
    const struct mt_log_field fields[] = {{"job", due->job->name},
                                          {"run", number},
                                          {"status", run->status},
                                          {"code", fault ? fault->code : NULL}};

    snprintf(number, sizeof number, "%llu", (unsigned long long)run->number);
    snprintf(status.message, sizeof status.message, "run %s ended with a status that is a failure",
             number);
    if (bad)
        mt_serve_note(due->serve, due->job->name, fault ? fault : &status);
    mt_log_with(bad ? MT_LOG_ERROR : MT_LOG_INFO, "serve", fields, 4, "job '%s': run %s: %s%s%s",
                due->job->name, number, run->status, fault ? ": " : "",
                fault ? fault->message : "");
}

void mt_due_ended(struct mt_job *job, bool stopped, int status, const struct mt_fault *fault)
{
    struct mt_due *due = job->due;
    struct mt_ledger *ledger = &due->ledger;
    bool bad = !stopped && (fault || (status && status != MT_EXIT_PART));
    const char *word = stopped ? "stopped" : bad ? "failed" : status ? "part" : "done";

    if (due->lease != OPEN || !ledger->running.number) { /* it could not be kept */
        mt_timer_start(due->timer, 0, 0);
        return;
    }
    mt_ledger_end(ledger, word, fault, mt_clock_wall_ms());
    tell_end(due, bad, fault);
    if (!stopped)
        count_failure(due, bad);
    else if (mt_schedule_makes_up(job->def->schedule))
        mt_duty_put_back(ledger);
    if (keep(due, kept, due))
        mt_timer_start(due->timer, 0, 0);
}

/* ---------------------------------------------------------------- times */

static void watch_clock(struct mt_due *due, int64_t now_ms)
{
    if (!mt_duty_watch(&due->clock, &due->ledger, due->job->def->destructive, now_ms,
                       mt_clock_mono_ms()))
        return;
    tell_paused(due, "it deletes, and the clock was set by more than a day");
    (void)keep(due, kept, due);
}

/* A time has come while a run is in hand. */
static void overlap(struct mt_due *due, int64_t due_ms, int64_t now_ms)
{
    if (mt_schedule_queues(due->job->def->schedule))
        due->ledger.queued = true;
    else
        mt_ledger_skip(&due->ledger, due_ms, now_ms);
    (void)keep(due, kept, due);
}

static void wait_on(struct mt_due *due, int64_t now_ms)
{
    int64_t next_ms = mt_duty_next(&due->ledger, due->job->def->schedule, now_ms);
    int64_t ms = next_ms == INT64_MAX ? LOOK_MS : next_ms - now_ms;

    if (due->lease == OPEN)
        mt_timer_start(due->timer, ms < 1 ? 1 : ms > LOOK_MS ? LOOK_MS : ms, 0);
}

static void look(void *ud)
{
    struct mt_due *due = ud;
    int64_t now_ms = mt_clock_wall_ms();
    int64_t due_ms = 0;
    bool missed = false;

    if (due->lease == CLOSED && !due->serve->stopping && !due->job->script)
        open_ledger(due);
    if (due->lease != OPEN || due->serve->stopping || due->job->removed || due->job->coming)
        return;
    watch_clock(due, now_ms);
    bool busy = due->ledger.running.number != 0;
    if (due->ledger.paused[0] || due->lease != OPEN) {
        /* what is due meanwhile is not made up for */
    } else if (!busy && due->ledger.queued) {
        begin_queued(due, now_ms);
    } else if (mt_duty_due(&due->ledger, due->job->def->schedule, now_ms, &due_ms, &missed)) {
        if (busy)
            overlap(due, due_ms, now_ms);
        else if (approved(due))
            begin(due, due_ms, missed ? "missed" : "schedule", 1);
        else
            (void)keep(due, kept, due);
    }
    if (due->ledger.paused[0]) {
        if (due->lease == OPEN)
            mt_timer_start(due->timer, LOOK_MS, 0);
    } else {
        wait_on(due, now_ms);
    }
}

void mt_due_arm(struct mt_job *job)
{
    struct mt_due *due = job->due;

    if (!due) {
        due = mt_mem_calloc(1, sizeof *due);
        if (!due || mt_timer_new(job->serve->loop, look, due, &due->timer)) {
            mt_log(MT_LOG_ERROR, "serve", "job '%s': out of memory", job->name);
            mt_mem_free(due);
            return;
        }
        due->serve = job->serve;
        due->job = job;
        due->next = job->serve->dues;
        job->serve->dues = due;
        job->due = due;
        open_ledger(due);
    } else if (due->lease == OPEN) {
        (void)approved(due);
        if (!due->beginning && keep(due, kept, due))
            mt_timer_start(due->timer, 0, 0);
    }
}

/* ---------------------------------------------------------------- operators */

static enum mt_rc show(const struct mt_due *due, struct mt_buf *out)
{
    char when[400];

    mt_job_when(&due->job->def->config, when, sizeof when);
    return mt_ledger_show(&due->ledger, due->job->name, due->job->def->schedule, when,
                          mt_clock_wall_ms(), out);
}

/* fault NULL: as it is now. */
static void tell(const struct mt_due *due, const char *path, const struct mt_fault *fault)
{
    struct mt_buf text;

    mt_buf_init(&text, SHOW_MAX);
    if (!(fault ? mt_ledger_refuse(fault, &text) : show(due, &text)))
        mt_ask_answer(path, text.data, text.len);
    mt_buf_deinit(&text);
}

static void obeyed(void *ud, enum mt_rc rc, const struct mt_fault *fault)
{
    struct answer *answer = ud;
    struct mt_due *due = answer->due;
    struct answer **at = &due->answers;

    if (!back(due))
        return;
    while (*at != answer)
        at = &(*at)->next;
    *at = answer->next;
    tell(due, answer->path, rc ? fault : NULL);
    mt_mem_free(answer);
    if (rc && due->lease == OPEN)
        lose(due, fault);
    else
        mt_timer_start(due->timer, 0, 0);
}

void mt_due_obey(struct mt_job *job, int ask, const char *path)
{
    struct mt_due *due = job->due;
    struct mt_fault fault = {0};
    int64_t now_ms = mt_clock_wall_ms();

    bool changed = !strcmp(due->ledger.paused, "changed");
    if (!approved(due) && !changed)
        (void)keep(due, kept, due);
    enum mt_rc rc =
        mt_ledger_obey(&due->ledger, (enum mt_ledger_ask)ask, &job->def->approval, now_ms, &fault);
    if (rc || ask == MT_LEDGER_SHOW) {
        tell(due, path, rc ? &fault : NULL);
        return;
    }
    struct answer *answer = mt_mem_calloc(1, sizeof *answer);
    if (answer) {
        answer->due = due;
        answer->next = due->answers;
        due->answers = answer;
        snprintf(answer->path, sizeof answer->path, "%s", path);
    }
    if (answer && ask == MT_LEDGER_RUN)
        mt_ledger_begin(&due->ledger, now_ms, "asked", 1, now_ms);
    if (!answer || !keep(due, obeyed, answer)) {
        if (answer)
            due->answers = answer->next;
        mt_mem_free(answer);
        mt_fault_set(&fault, MT_ERR_IO, "jobs.store", "it cannot be kept: look at the log");
        tell(due, path, &fault);
    } else if (ask == MT_LEDGER_RUN && !mt_store_flush(due->store, begin_now, due)) {
        due->under_way_n++;
        due->beginning = true;
    }
}

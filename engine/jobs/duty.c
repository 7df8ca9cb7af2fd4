/* What is decided before a run: see duty.h. */
#include "jobs/duty.h"

#include "jobs/schedule.h"

#include <stdio.h>
#include <string.h>

#define REST_FIRST_MS INT64_C(1000)

static void pause_it(struct mt_ledger *ledger, const char *why)
{
    snprintf(ledger->paused, sizeof ledger->paused, "%s", why);
}

bool mt_duty_approve(struct mt_ledger *ledger, const struct mt_approval *now)
{
    bool known = !strcmp(ledger->paused, "changed");

    if (!now->n)
        return false;
    if (ledger->fresh) {
        ledger->approved = *now;
        return false;
    }
    if (mt_approval_same(&ledger->approved, now))
        return false;
    mt_approval_differs(&ledger->approved, now, ledger->changed, sizeof ledger->changed);
    if (known)
        return false;
    ledger->asked = ledger->asked || !strcmp(ledger->paused, "asked");
    pause_it(ledger, "changed");
    return true;
}

enum mt_duty_lost mt_duty_lost(struct mt_ledger *ledger, bool makes_up, int64_t now_ms,
                               struct mt_run *lost)
{
    unsigned attempt = ledger->running.attempt;
    enum mt_duty_lost what = !makes_up                       ? MT_LOST_LEFT
                             : attempt >= MT_LEDGER_ATTEMPTS ? MT_LOST_OFTEN
                                                             : MT_LOST_AGAIN;
    struct mt_fault fault;

    memset(lost, 0, sizeof *lost);
    if (!ledger->running.number)
        return MT_LOST_NONE;
    mt_fault_set(&fault, MT_ERR_STATE, "run.cut_off",
                 "the process ended while it ran (attempt %u of %d)%s", attempt, MT_LEDGER_ATTEMPTS,
                 what == MT_LOST_LEFT    ? "; missed = \"skip\": it is not made again"
                 : what == MT_LOST_OFTEN ? ": it is given up, and the job is paused"
                                         : "");
    mt_ledger_end(ledger, "lost", &fault, now_ms);
    *lost = ledger->runs[0];
    if (what == MT_LOST_OFTEN && !mt_duty_guarded(ledger))
        pause_it(ledger, "failed");
    if (what == MT_LOST_AGAIN)
        mt_duty_put_back(ledger);
    return what;
}

void mt_duty_put_back(struct mt_ledger *ledger)
{
    ledger->queued = true;
    ledger->again = ledger->runs[0];
}

static bool was_cut_off(const struct mt_run *run)
{
    return run->number && !strcmp(run->status, "lost");
}

int64_t mt_duty_ready(const struct mt_ledger *ledger, int64_t now_ms)
{
    const struct mt_run *again = &ledger->again;

    if (!was_cut_off(again) || again->attempt < 2 || again->attempt > MT_LEDGER_ATTEMPTS ||
        now_ms < again->ended_ms)
        return now_ms;
    int64_t rest_ms = REST_FIRST_MS << (again->attempt - 2);
    return now_ms - again->ended_ms < rest_ms ? again->ended_ms + rest_ms : now_ms;
}

void mt_duty_begin_queued(struct mt_ledger *ledger, int64_t now_ms)
{
    const struct mt_run *last = &ledger->again;
    bool again = last->number != 0;
    int64_t due_ms = again ? last->due_ms : now_ms;
    unsigned attempt = was_cut_off(last) ? last->attempt + 1 : 1;

    ledger->queued = false;
    ledger->again.number = 0;
    mt_ledger_begin(ledger, due_ms, again ? "again" : "queued", attempt, now_ms);
}

/* Whether a time had come when the run in hand began. */
static bool came_before(const struct mt_ledger *ledger, const struct mt_schedule *schedule,
                        int64_t due_ms)
{
    return ledger->running.number &&
           mt_schedule_start(schedule, due_ms) <= ledger->running.started_ms;
}

bool mt_duty_due(struct mt_ledger *ledger, const struct mt_schedule *schedule, int64_t now_ms,
                 int64_t *due_ms, bool *missed)
{
    int64_t handled_ms = ledger->handled_ms;
    bool is_due = mt_schedule_due(schedule, now_ms, &handled_ms, due_ms, missed);

    if (is_due && came_before(ledger, schedule, *due_ms))
        return false;
    ledger->handled_ms = handled_ms;
    return is_due;
}

int64_t mt_duty_next(const struct mt_ledger *ledger, const struct mt_schedule *schedule,
                     int64_t now_ms)
{
    if (ledger->queued && !ledger->running.number)
        return mt_duty_ready(ledger, now_ms);
    int64_t next_ms = mt_schedule_next(schedule, ledger->handled_ms);

    if (next_ms == INT64_MAX || came_before(ledger, schedule, next_ms))
        return INT64_MAX;
    return mt_schedule_start(schedule, next_ms);
}

bool mt_duty_guarded(const struct mt_ledger *ledger)
{
    return !strcmp(ledger->paused, "changed") || !strcmp(ledger->paused, "clock");
}

bool mt_duty_held(const struct mt_ledger *ledger)
{
    return ledger->paused[0] &&
           (strcmp(ledger->running.how, "asked") != 0 || mt_duty_guarded(ledger));
}

bool mt_duty_watch(struct mt_duty_clock *last, struct mt_ledger *ledger, bool deletes,
                   int64_t wall_ms, int64_t mono_ms)
{
    int64_t jump_ms = wall_ms - last->wall_ms - (mono_ms - last->mono_ms);
    bool behind = ledger->handled_ms > wall_ms + MT_SCHEDULE_SET_BACK_MS;

    last->wall_ms = wall_ms;
    last->mono_ms = mono_ms;
    if ((jump_ms < MT_DUTY_JUMP_MS && jump_ms > -MT_DUTY_JUMP_MS && !behind) || !deletes ||
        ledger->paused[0])
        return false;
    pause_it(ledger, "clock");
    return true;
}

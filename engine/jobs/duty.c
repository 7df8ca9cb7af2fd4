/* What is decided before a run: see duty.h. */
#include "jobs/duty.h"

#include "jobs/schedule.h"

#include <stdio.h>
#include <string.h>

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
    *lost = ledger->running;
    if (!lost->number)
        return MT_LOST_NONE;
    mt_ledger_end(ledger, "lost", NULL, now_ms);
    if (!makes_up)
        return MT_LOST_LEFT;
    if (lost->attempt >= MT_LEDGER_ATTEMPTS) {
        if (!mt_duty_guarded(ledger))
            pause_it(ledger, "failed");
        return MT_LOST_OFTEN;
    }
    ledger->queued = true;
    return MT_LOST_AGAIN;
}

void mt_duty_begin_queued(struct mt_ledger *ledger, int64_t now_ms)
{
    const struct mt_run *last = &ledger->runs[0];
    bool cut_off = last->number && !strcmp(last->status, "lost");
    bool again = cut_off || (last->number && !strcmp(last->status, "stopped"));
    int64_t due_ms = again ? last->due_ms : now_ms;
    unsigned attempt = cut_off ? last->attempt + 1 : 1;

    ledger->queued = false;
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

int64_t mt_duty_next(const struct mt_ledger *ledger, const struct mt_schedule *schedule)
{
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

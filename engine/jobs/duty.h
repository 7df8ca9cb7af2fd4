/* What is decided about a job before its script is begun: whether it is still what was approved,
 * what becomes of a run that a process did not survive, whether the clock can be believed. Changes
 * the ledger only; the caller keeps it. */
#ifndef MT_JOBS_DUTY_H
#define MT_JOBS_DUTY_H

#include "jobs/ledger.h"

/* What deletes runs only as it was approved (R13): a new one as it was declared, any other one
 * after it was confirmed. now: of the job as it is; n 0: it does not delete. Returns whether it is
 * paused by this; ledger->changed then says what is another one. */
bool mt_duty_approve(struct mt_ledger *ledger, const struct mt_approval *now);

/* A run in hand that the process before did not end. */
enum mt_duty_lost {
    MT_LOST_NONE,
    MT_LOST_AGAIN, /* it is made again */
    MT_LOST_LEFT,  /* missed = "skip": it is not */
    MT_LOST_OFTEN, /* MT_LEDGER_ATTEMPTS times in a row: the job is paused, and a person is asked */
};
/* makes_up: mt_schedule_makes_up. *lost: the run, with a fault "run.cut_off" that says what becomes
 * of it. */
enum mt_duty_lost mt_duty_lost(struct mt_ledger *ledger, bool makes_up, int64_t now_ms,
                               struct mt_run *lost);
/* The run that has just ended is to be made again: it was stopped. */
void mt_duty_put_back(struct mt_ledger *ledger);
/* When what is queued may begin; not later than now_ms: at once. What was cut off is made again at
 * once, the next times after 1 s, 2 s, 4 s, …: processes that are killed one after the other for
 * reasons of their own shall not use its attempts up, and one that kills its process comes back
 * less and less often. Kept in the ledger by the wall clock, so that it passes whoever lives; a
 * clock that was set back since ends it. */
int64_t mt_duty_ready(const struct mt_ledger *ledger, int64_t now_ms);
/* Begins what is queued: the run that was cut off or stopped, again, or one that was put off. */
void mt_duty_begin_queued(struct mt_ledger *ledger, int64_t now_ms);

/* mt_schedule_due, for a job whose run may be in hand: a time that had come before that run began
 * waits for its end, and is no overlap. With missed = "all" there may be many of them. */
bool mt_duty_due(struct mt_ledger *ledger, const struct mt_schedule *schedule, int64_t now_ms,
                 int64_t *due_ms, bool *missed);
/* When the job is to be looked at again because of its times, or of what is queued; INT64_MAX: not
 * before its run has ended, or never. */
int64_t mt_duty_next(const struct mt_ledger *ledger, const struct mt_schedule *schedule,
                     int64_t now_ms);

/* Paused: only what a person asked for runs, and nothing that wants to be confirmed. */
bool mt_duty_held(const struct mt_ledger *ledger);
/* It wants to be confirmed: what deletes has changed, or the clock was set. */
bool mt_duty_guarded(const struct mt_ledger *ledger);

/* Both clocks at the last look. */
struct mt_duty_clock {
    int64_t wall_ms, mono_ms;
};
#define MT_DUTY_JUMP_MS INT64_C(86400000) /* a clock that is set by more pauses what deletes */
/* A clock that was set by more than a day, or lies further behind the times that were dealt with
 * than any clock is put back: what deletes by age would delete too much. Pauses it, unless it is
 * paused already, and returns whether it did. */
bool mt_duty_watch(struct mt_duty_clock *last, struct mt_ledger *ledger, bool deletes,
                   int64_t wall_ms, int64_t mono_ms);

#endif

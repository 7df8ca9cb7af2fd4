/* When a job runs: the times that are due, and what becomes of those that were missed. Pure: the
 * caller says what the time is, and keeps until when the times were dealt with, so that neither a
 * restart nor a clock that is set makes one come twice. */
#ifndef MT_JOBS_SCHEDULE_H
#define MT_JOBS_SCHEDULE_H

#include "base/rc.h"

#include <stdint.h>

struct mt_schedule;

#define MT_SCHEDULE_ALL_MAX 100   /* missed times that are made up for one by one */
#define MT_SCHEDULE_LATE_MS 60000 /* later than this it was missed */
#define MT_SCHEDULE_SET_BACK_MS                                                                    \
    90000000 /* 25 h: a clock that is set back by more was wrong before */

/* As the configuration says it; NULL: the default. */
struct mt_schedule_options {
    const char *name;     /* of the job: the same times have another jitter in another job */
    const char *cron;     /* or every */
    const char *every;    /* counted from the epoch: an hour is a full hour */
    const char *timezone; /* of cron; UTC */
    const char *jitter;   /* at most so much later */
    const char *missed;   /* skip, once (the default), all */
    const char *overlap;  /* skip (the default), queue */
};

/* Faults: those of mt_cron_parse and mt_zone_load, INVALID "schedule.…". */
enum mt_rc mt_schedule_new(const struct mt_schedule_options *options, struct mt_schedule **out,
                           struct mt_fault *fault) MT_CHECKED;
void mt_schedule_free(struct mt_schedule *schedule);
bool mt_schedule_queues(const struct mt_schedule *schedule);
/* Whether what a crash has cut off is run again. */
bool mt_schedule_makes_up(const struct mt_schedule *schedule);

/* The first time after that; INT64_MAX: none. */
int64_t mt_schedule_next(const struct mt_schedule *schedule, int64_t after_ms);
/* When the run of a time begins: with its jitter, the same whoever asks. */
int64_t mt_schedule_start(const struct mt_schedule *schedule, int64_t due_ms);

/* What to do now. handled_ms: until when times were dealt with; moved on. Returns whether there is
 * a run to be made, for the time *due_ms; ask again afterwards. *missed: it is late, or stands for
 * others. A handled_ms that lies far in the future (the clock was wrong) is taken back to now. */
bool mt_schedule_due(const struct mt_schedule *schedule, int64_t now_ms, int64_t *handled_ms,
                     int64_t *due_ms, bool *missed);

#endif

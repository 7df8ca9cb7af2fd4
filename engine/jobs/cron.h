/* When something is due that is written as cron writes it: minute, hour, day of the month, month,
 * day of the week, by the clocks of a time zone. Pure: it asks no clock, and reads no file.
 *
 * A day is meant by either of its two fields when both of them choose (as in every cron). A time
 * that the clocks leave out (they are put forward) is due once, at the moment when they are; a time
 * that they show twice is due the first time only, unless the hour is *: then it is a rhythm, not a
 * time of day, and goes on through both (docs/decisions/6-time-zones.md). */
#ifndef MT_JOBS_CRON_H
#define MT_JOBS_CRON_H

#include "base/rc.h"

#include <stdint.h>

struct mt_zone;

struct mt_cron {
    uint64_t minutes;
    uint32_t hours, days, months; /* days and months from bit 1 */
    uint32_t weekdays;            /* bit 0 is Sunday */
    bool any_day, any_weekday;    /* the field is *, or * with a step */
    bool any_hour;                /* the field is * */
};

/* Five fields of numbers, names (jan, mon), ranges, lists and steps; or @yearly, @monthly,
 * @weekly, @daily, @hourly. Faults: INVALID "cron.syntax" and "cron.range", which name the field,
 * "cron.never" for a date that no year has. */
enum mt_rc mt_cron_parse(const char *text, struct mt_cron *out, struct mt_fault *fault) MT_CHECKED;
/* The first time later than after_ms; INT64_MAX: none up to the year 9999. */
int64_t mt_cron_next(const struct mt_cron *cron, const struct mt_zone *zone, int64_t after_ms);

#endif

/* Points in time and durations as people write them. All times are milliseconds since the epoch,
 * UTC. */
#ifndef MT_CODEC_TIME_H
#define MT_CODEC_TIME_H

#include "base/rc.h"

#include <stdint.h>

#define MT_TIME_RFC3339_LEN 32

/* "2023-11-14T22:13:20.000Z"; years 0001–9999, otherwise an empty string. */
void mt_time_format(int64_t ms, char out[MT_TIME_RFC3339_LEN]);
/* RFC 3339 with Z or offset and optional fraction, or a date "2026-01-01" (midnight UTC). */
enum mt_rc mt_time_parse(const char *text, int64_t *ms) MT_CHECKED;
/* "500ms", "5s", "90m", "12h", "90d", "2w"; several may follow each other ("1d12h"); a bare number
 * is refused with a message that names the units. */
enum mt_rc mt_duration_parse(const char *text, int64_t *ms, struct mt_fault *fault) MT_CHECKED;
/* A point in time as the command line takes it: RFC 3339, a date, or an age counted back from
 * now_ms. */
enum mt_rc mt_time_parse_point(const char *text, int64_t now_ms, int64_t *ms,
                               struct mt_fault *fault) MT_CHECKED;
/* Days since 1970-01-01 of a date of the Gregorian calendar, and back; months and days from 1. */
int64_t mt_days_of_date(int64_t year, int month, int day);
void mt_date_of_days(int64_t days, int *year, int *month, int *day);
/* "3d 4h", "12.5 s", "420 ms": for people. */
void mt_duration_format(int64_t ms, char out[MT_TIME_RFC3339_LEN]);

#endif

/* A schedule in words, for people. */
#ifndef MT_JOBS_WORDS_H
#define MT_JOBS_WORDS_H

#include <stddef.h>

/* "every day at 03:00, Asia/Shanghai". cron is a good expression, or NULL for every; timezone NULL:
 * UTC. What is too involved for a sentence stays as it was written. */
void mt_schedule_words(const char *cron, const char *every, const char *timezone, char *out,
                       size_t cap);

#endif

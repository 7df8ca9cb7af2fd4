/* Times that are due, and those that were missed. */
#include "jobs/schedule.h"

#include "base/mem.h"
#include "base/str.h"
#include "codec/time.h"
#include "codec/zone.h"
#include "jobs/cron.h"

#include <string.h>

#define EVERY_LEAST_MS 1000
#define EVERY_MOST_MS  INT64_C(31622400000) /* 366 days */
#define JITTER_MOST_MS INT64_C(86400000)
#define BACK_FIRST_MS  60000

struct mt_schedule {
    struct mt_cron cron;
    struct mt_zone *zone; /* NULL: every */
    int64_t every_ms;
    int64_t jitter_ms;
    uint64_t salt;
    enum { ONCE, SKIP, ALL } missed;
    bool queues;
};

/* ---------------------------------------------------------------- making */

static enum mt_rc take_duration(const char *text, const char *what, int64_t least_ms,
                                int64_t most_ms, int64_t *out, struct mt_fault *fault)
{
    enum mt_rc rc = mt_duration_parse(text, out, fault);

    if (rc) {
        mt_fault_prefix(fault, "%s", what);
        return rc;
    }
    if (*out < least_ms || *out > most_ms)
        return mt_fault_set(fault, MT_ERR_INVALID, "schedule.range",
                            "%s is from %lld s to %lld days", what, (long long)least_ms / 1000,
                            (long long)most_ms / 86400000);
    return MT_OK;
}

/* The number of the word; -1: it is none of them. */
static int choose(const char *what, const char *word, const char *const *words, size_t n,
                  struct mt_fault *fault)
{
    for (size_t i = 0; i < n; i++) {
        if (!word || !strcmp(word, words[i]))
            return (int)i;
    }
    const char *near = mt_str_nearest(word, words, n);
    mt_fault_set(fault, MT_ERR_INVALID, "schedule.choice", "there is no %s = \"%.40s\": %s%s", what,
                 word, near ? "did you mean " : "the first of them is ", near ? near : words[0]);
    return -1;
}

static enum mt_rc fill(struct mt_schedule *schedule, const struct mt_schedule_options *options,
                       struct mt_fault *fault)
{
    static const char *const missed[] = {"once", "skip", "all"};
    static const char *const overlap[] = {"skip", "queue"};
    enum mt_rc rc = MT_OK;

    if (!options->cron == !options->every)
        return mt_fault_set(fault, MT_ERR_INVALID, "schedule.which",
                            "a job has either cron or every");
    if (options->every && options->timezone)
        return mt_fault_set(fault, MT_ERR_INVALID, "schedule.which",
                            "every has no timezone: it is counted in UTC; write cron");
    if (options->cron) {
        rc = mt_cron_parse(options->cron, &schedule->cron, fault);
        if (!rc)
            rc =
                mt_zone_load(options->timezone ? options->timezone : "UTC", &schedule->zone, fault);
    } else {
        rc = take_duration(options->every, "every", EVERY_LEAST_MS, EVERY_MOST_MS,
                           &schedule->every_ms, fault);
    }
    if (!rc && options->jitter)
        rc = take_duration(options->jitter, "jitter", 0, JITTER_MOST_MS, &schedule->jitter_ms,
                           fault);
    if (rc)
        return rc;
    int policy = choose("missed", options->missed, missed, 3, fault);
    int queues = policy < 0 ? -1 : choose("overlap", options->overlap, overlap, 2, fault);
    if (queues < 0)
        return fault->kind;
    schedule->missed = policy == 0 ? ONCE : policy == 1 ? SKIP : ALL;
    schedule->queues = queues == 1;
    schedule->salt = UINT64_C(14695981039346656037);
    for (const char *c = options->name; *c; c++)
        schedule->salt = (schedule->salt ^ (unsigned char)*c) * UINT64_C(1099511628211);
    return MT_OK;
}

enum mt_rc mt_schedule_new(const struct mt_schedule_options *options, struct mt_schedule **out,
                           struct mt_fault *fault)
{
    struct mt_schedule *schedule = mt_mem_calloc(1, sizeof *schedule);

    *out = NULL;
    if (!schedule)
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    enum mt_rc rc = fill(schedule, options, fault);
    if (rc)
        mt_schedule_free(schedule);
    else
        *out = schedule;
    return rc;
}

void mt_schedule_free(struct mt_schedule *schedule)
{
    if (schedule)
        mt_zone_free(schedule->zone);
    mt_mem_free(schedule);
}

bool mt_schedule_queues(const struct mt_schedule *schedule)
{
    return schedule->queues;
}

bool mt_schedule_makes_up(const struct mt_schedule *schedule)
{
    return schedule->missed != SKIP;
}

/* ---------------------------------------------------------------- times */

int64_t mt_schedule_next(const struct mt_schedule *schedule, int64_t after_ms)
{
    if (schedule->zone)
        return mt_cron_next(&schedule->cron, schedule->zone, after_ms);
    if (after_ms < 0)
        return 0;
    if (after_ms > INT64_MAX - schedule->every_ms)
        return INT64_MAX;
    return (after_ms / schedule->every_ms + 1) * schedule->every_ms;
}

int64_t mt_schedule_start(const struct mt_schedule *schedule, int64_t due_ms)
{
    uint64_t mixed = (schedule->salt ^ (uint64_t)due_ms) * UINT64_C(0x9e3779b97f4a7c15);

    if (!schedule->jitter_ms || due_ms > INT64_MAX - schedule->jitter_ms)
        return due_ms;
    mixed ^= mixed >> 29;
    mixed *= UINT64_C(0xbf58476d1ce4e5b9);
    return due_ms + (int64_t)((mixed ^ mixed >> 32) % ((uint64_t)schedule->jitter_ms + 1));
}

/* The last time that is not later; looked for in longer and longer stretches, as there may have
 * been millions since the one that was handled. first_ms: there is one then. */
static int64_t last_until(const struct mt_schedule *schedule, int64_t first_ms, int64_t until_ms)
{
    int64_t back_ms = BACK_FIRST_MS;
    int64_t found_ms = first_ms;

    if (!schedule->zone)
        return until_ms / schedule->every_ms * schedule->every_ms;
    while (back_ms < until_ms - first_ms) {
        found_ms = mt_schedule_next(schedule, until_ms - back_ms);
        if (found_ms <= until_ms)
            break;
        found_ms = first_ms;
        back_ms *= 2;
    }
    for (int64_t next_ms = found_ms; next_ms <= until_ms;
         next_ms = mt_schedule_next(schedule, next_ms))
        found_ms = next_ms;
    return found_ms;
}

static bool more_than_all(const struct mt_schedule *schedule, int64_t first_ms, int64_t until_ms)
{
    int64_t at_ms = first_ms;

    for (int i = 0; i < MT_SCHEDULE_ALL_MAX && at_ms <= until_ms; i++)
        at_ms = mt_schedule_next(schedule, at_ms);
    return at_ms <= until_ms;
}

bool mt_schedule_due(const struct mt_schedule *schedule, int64_t now_ms, int64_t *handled_ms,
                     int64_t *due_ms, bool *missed)
{
    if (*handled_ms > now_ms + MT_SCHEDULE_SET_BACK_MS)
        *handled_ms = now_ms;
    int64_t first_ms = mt_schedule_next(schedule, *handled_ms);
    if (first_ms > now_ms || mt_schedule_start(schedule, first_ms) > now_ms)
        return false;
    /* Those whose jitter has passed, whatever it is; the first one's has. */
    int64_t until_ms = now_ms - schedule->jitter_ms;
    int64_t last_ms = until_ms > first_ms ? last_until(schedule, first_ms, until_ms) : first_ms;
    if (schedule->missed == ALL && !more_than_all(schedule, first_ms, until_ms))
        last_ms = first_ms;
    *handled_ms = *due_ms = last_ms;
    bool late = now_ms - mt_schedule_start(schedule, last_ms) > MT_SCHEDULE_LATE_MS;
    *missed = late || last_ms != first_ms;
    return !late || schedule->missed != SKIP;
}

/* The audit (policy/audit.h) for the loop: records of many calls are gathered while one append is
 * on the work pool, and for 1 ms after it began, and go into the next. What is acknowledged is
 * durable. One of them a process. */
#ifndef MT_JOBS_AUDIT_LOG_H
#define MT_JOBS_AUDIT_LOG_H

#include "policy/audit.h"

struct mt_loop;
struct mt_audit_log;

/* Nothing is opened before the first record. NULL: memory is short. */
struct mt_audit_log *mt_audit_log_new(struct mt_loop *loop, const struct mt_audit_options *options);
/* What was given is written first; nobody is told any more. */
void mt_audit_log_free(struct mt_audit_log *log);

/* numbers[i] is that of record i. */
typedef void mt_audit_done_fn(void *ud, enum mt_rc rc, const uint64_t *numbers, size_t n,
                              const struct mt_fault *fault);
/* Copies the records; done once, later, on the loop thread, when they are durable or never will
 * be; NULL: nobody asks, they may wait 25 ms for others, and a failure is logged. */
enum mt_rc mt_audit_log_append(struct mt_audit_log *log, const struct mt_audit_record *records,
                               size_t n, mt_audit_done_fn *done, void *ud) MT_CHECKED;
/* As mt_audit_unsettled, on the work pool between two appends: each is called there; done on the
 * loop thread. */
enum mt_rc
mt_audit_log_unsettled(struct mt_audit_log *log, const char *account, mt_audit_open_fn *each,
                       void (*done)(void *ud, enum mt_rc rc, const struct mt_fault *fault),
                       void *ud) MT_CHECKED;
/* done when everything that was given before is written, or never will be. */
enum mt_rc mt_audit_log_settle(struct mt_audit_log *log,
                               void (*done)(void *ud, enum mt_rc rc, const struct mt_fault *fault),
                               void *ud) MT_CHECKED;

/* What is known of it without reading it; of this process alone. */
struct mt_audit_figures {
    uint64_t open_n;     /* intents without a result, the first MT_AUDIT_OPEN_MAX of them */
    int64_t oldest_ms;   /* when the oldest of these was durable */
    uint64_t failures_n; /* appends */
};
#define MT_AUDIT_OPEN_MAX 4096
void mt_audit_log_look(const struct mt_audit_log *log, struct mt_audit_figures *out);

#endif

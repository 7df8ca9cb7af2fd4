/* What is kept of a job that has a schedule: until when its times were dealt with, the run in hand,
 * the runs before it, whether it is paused. In a store of its own (engine/store), which is open in
 * one process at a time: to have it open is the lease on the job. The kernel gives the lease back
 * when the process is gone, however it went, and no clock has a say in it
 * (docs/decisions/7-leases.md). */
#ifndef MT_JOBS_LEDGER_H
#define MT_JOBS_LEDGER_H

#include "base/buf.h"
#include "base/rc.h"
#include "jobs/approval.h"

#include <stddef.h>
#include <stdint.h>

struct mt_schedule;
struct mt_store;
struct mt_store_entry;

#define MT_LEDGER_RUNS     20   /* the newest, at hand */
#define MT_LEDGER_KEEPS    1000 /* in the store */
#define MT_LEDGER_ATTEMPTS 8    /* of a run that the process did not survive */

/* How a run came to be, and how it ended. */
struct mt_run {
    uint64_t number;
    int64_t due_ms, started_ms, ended_ms; /* 0: not yet */
    unsigned attempt;                     /* from 1 */
    char how[12];                         /* schedule, missed, queued, asked, again */
    char status[12];                      /* running, done, part, failed, stopped, lost, skipped */
    char code[MT_FAULT_CODE_MAX];
    char message[MT_FAULT_MESSAGE_MAX];
};

/* The words of mt_run.status but running, to be counted by. */
#define MT_RUN_STATUSES 6
const char *mt_run_status_name(int i);

struct mt_ledger {
    uint64_t *ended_n; /* MT_RUN_STATUSES of them, counted by mt_ledger_end; NULL: nobody counts */
    bool fresh;        /* nothing was kept yet */
    int64_t handled_ms;
    unsigned failures_n;         /* in a row */
    char paused[12];             /* why: asked, failed, changed, clock; "": it is not */
    bool asked;                  /* with changed: a person had paused it before */
    char changed[400];           /* with changed: what is another one, for people */
    struct mt_approval approved; /* of a destructive job: what it was then */
    bool queued;                 /* one run waits for the end of the one in hand */
    struct mt_run again;   /* with queued: the run that was cut off or stopped, to be made again;
                              number 0: it is one that was put off */
    uint64_t runs_n;       /* so far */
    struct mt_run running; /* number 0: none */
    struct mt_run runs[MT_LEDGER_RUNS]; /* newest first */
};

/* From what was read of the store. DAMAGED "ledger.damaged". */
enum mt_rc mt_ledger_read(struct mt_ledger *ledger, const struct mt_store_entry *entries, size_t n,
                          struct mt_fault *fault) MT_CHECKED;
/* Into the store, to be flushed. */
enum mt_rc mt_ledger_write(struct mt_ledger *ledger, struct mt_store *store,
                           struct mt_fault *fault) MT_CHECKED;
/* The run in hand. */
void mt_ledger_begin(struct mt_ledger *ledger, int64_t due_ms, const char *how, unsigned attempt,
                     int64_t now_ms);
/* It has ended; fault may be NULL. Moves it to the runs. */
void mt_ledger_end(struct mt_ledger *ledger, const char *status, const struct mt_fault *fault,
                   int64_t now_ms);
/* A time that was left out because the run before it was still in hand. */
void mt_ledger_skip(struct mt_ledger *ledger, int64_t due_ms, int64_t now_ms);
/* One JSON object for people and programs: the job's name, state, next times, runs. */
enum mt_rc mt_ledger_show(const struct mt_ledger *ledger, const char *name,
                          const struct mt_schedule *schedule, const char *when, int64_t now_ms,
                          struct mt_buf *out) MT_CHECKED;

/* The same, of what was refused: {"fault":{"code":…,"message":…}}. */
enum mt_rc mt_ledger_refuse(const struct mt_fault *fault, struct mt_buf *out) MT_CHECKED;

/* What an operator may ask for. */
enum mt_ledger_ask {
    MT_LEDGER_SHOW,
    MT_LEDGER_RUN,
    MT_LEDGER_PAUSE,
    MT_LEDGER_RESUME,
    MT_LEDGER_CONFIRM,
};
/* -1: it is none. */
int mt_ledger_ask_of(const char *word);
/* Does it, but for RUN, which it only allows. now: the job as it is now. Faults: STATE
 * "jobs.confirm" (paused because it changed: it wants to be confirmed), "jobs.running". */
enum mt_rc mt_ledger_obey(struct mt_ledger *ledger, enum mt_ledger_ask ask,
                          const struct mt_approval *now, int64_t now_ms,
                          struct mt_fault *fault) MT_CHECKED;
/* What lets a paused job go on: "resume" or "confirm"; "" if it is not paused. */
const char *mt_ledger_remedy(const struct mt_ledger *ledger);

#endif

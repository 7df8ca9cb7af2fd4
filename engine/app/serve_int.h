/* `moontide serve`: the process, and its jobs. Private to the room. */
#ifndef MT_APP_SERVE_INT_H
#define MT_APP_SERVE_INT_H

#include "app/accounts_int.h"
#include "app/service_int.h"
#include "archive/writer.h"
#include "jobs/ledger.h"
#include "jobs/purge.h"
#include "script/config.h"
#include "script/script.h"

#include "jobs/approval.h"

struct mt_arena;
struct mt_notify;
struct mt_timer;
struct mt_serve;

#define MT_SERVE_GRACE_MS 20000 /* for what is in hand, when a script is stopped */

/* What a job is: copied from the configuration, with the script's text. */
struct mt_job_def {
    struct mt_arena *arena;
    struct mt_job_config config;
    struct mt_account_choice accounts; /* of config.accounts */
    const char *label;                 /* of the script, in messages */
    const char *text;
    size_t text_len;
    struct mt_schedule *schedule; /* NULL: it runs from the start on */
    bool destructive;             /* with a schedule: it may delete, and does so */
    struct mt_approval approval;  /* then: all that decides what it does, this program included */
};

struct mt_job {
    struct mt_job *next;
    struct mt_serve *serve;
    char *name;
    struct mt_job_def *def;
    struct mt_job_def *coming; /* takes the place of def when the script has ended */
    struct mt_script *script;  /* NULL: it does not run */
    struct mt_script_host host;
    struct mt_grant_use *use; /* of its grant, whichever script it is */
    struct mt_due *due;       /* of a job with a schedule */
    struct mt_timer *timer;   /* the end of the grace, of a rest, or of the time to prove itself */
    enum { MT_JOB_READY, MT_JOB_RUNS, MT_JOB_STOPS, MT_JOB_RESTS, MT_JOB_OVER } state;
    unsigned failures_n; /* in a row */
    bool removed;        /* from the configuration */
    bool flush_posted;
    struct mt_job_progress progress; /* of the run in hand */
    uint64_t ended_n[MT_RUN_STATUSES];
    uint64_t busy_us; /* of its scripts that have ended */
    struct mt_purge_figures purged;
    int64_t started_ms;
};

struct mt_serve {
    struct mt_loop *loop;
    struct mt_accounts *accounts;
    struct mt_reader_budget *budget;
    struct mt_hub *hub;
    struct mt_stores *stores;
    struct mt_notify *notify;
    struct mt_timer *grace;
    struct mt_job *jobs;
    struct mt_due *dues;     /* of all jobs, also of some that are gone */
    struct mt_timer *asking; /* looks for what operators ask for */
    const char *
        *stale;        /* accounts that are to be opened anew when nobody uses them; a hole is "" */
    unsigned checks_n; /* scripts that are being looked at */
    unsigned signals_n;
    bool ready; /* the jobs were looked at, and run */
    bool reloading;
    bool stopping;
    bool cut; /* something in hand was not finished */
    bool check_only;
    unsigned failed_n;          /* of the checks */
    struct mt_service *service; /* NULL: the status is told nowhere */
    const char *listen;         /* of the command line; NULL: as the configuration says */
    char listened[32];          /* where that is; "": nowhere */
    struct mt_serve_figures figures;
    struct mt_writer_figures archive_figures;
    struct mt_timer *pulse; /* for the lag of the loop */
    int64_t pulse_us;
};

/* serve_job.c. config NULL: its accounts are not looked at. */
enum mt_rc mt_job_def_new(const struct mt_config *config, const struct mt_job_config *from,
                          struct mt_job_def **out, struct mt_fault *fault) MT_CHECKED;
void mt_job_def_free(struct mt_job_def *def);
/* The files that its arguments name may have changed since: def->approval is that of now. */
void mt_job_def_look(struct mt_job_def *def);
bool mt_job_def_same(const struct mt_job_def *a, const struct mt_job_def *b);
bool mt_job_def_uses(const struct mt_job_def *def, const char *account);
struct mt_job *mt_job_new(struct mt_serve *serve, const char *name);
void mt_job_free(struct mt_job *job);
void mt_job_start(struct mt_job *job);
/* What is in hand ends, MT_SERVE_GRACE_MS at most. */
void mt_job_stop(struct mt_job *job);
/* Loads the script without doing anything; done follows, never at once. */
enum mt_rc mt_job_check(struct mt_serve *serve, struct mt_job_def *def,
                        void (*done)(struct mt_serve *serve, struct mt_job_def *def,
                                     const struct mt_fault *fault)) MT_CHECKED;

/* serve_due.c: jobs with a schedule. */
/* What can be said of it now. */
struct mt_due_view {
    const struct mt_ledger *ledger; /* NULL: not open here (any more) */
    bool standby;                   /* another process has it */
    bool broken;                    /* it can be neither read nor written */
};
void mt_due_view(const struct mt_job *job, struct mt_due_view *out);
/* When the next run begins, of a job whose ledger is open; INT64_MAX: never, or it is paused. */
int64_t mt_due_next(const struct mt_job *job, int64_t now_ms);
/* The job is ready: its ledger is opened, and its times are waited for. Again is fine. */
void mt_due_arm(struct mt_job *job);
/* A run of it has ended. */
void mt_due_ended(struct mt_job *job, bool stopped, int status, const struct mt_fault *fault);
/* The job has no schedule any more, or is gone. */
void mt_due_leave(struct mt_job *job);
/* When the stores are gone. */
void mt_dues_free(struct mt_serve *serve);
/* NULL: not open here (any more). */
struct mt_ledger *mt_due_ledger(const struct mt_job *job);
/* What an operator asked for (enum mt_ledger_ask) of a job whose ledger is open: answered into the
 * file when it is durable. */
void mt_due_obey(struct mt_job *job, int ask, const char *path);
/* serve_ask.c: looks for what was asked. */
void mt_serve_asked(struct mt_serve *serve);
/* The folder of the ledgers, for the room and the command. */
void mt_due_dir(struct mt_accounts *accounts, char *out, size_t cap);
/* serve_job.c: "0 3 * * * Asia/Shanghai", "every 1h". */
void mt_job_when(const struct mt_job_config *config, char *out, size_t cap);

/* serve.c: a job's script has ended and is freed. */
void mt_serve_job_ended(struct mt_serve *serve, struct mt_job *job);

#endif

/* Applies a plan: in batches, what the gate lets through is written into the audit as an intent,
 * deleted by id at the cloud, read back, and only what is gone is called deleted. A run that died
 * left intents without a result: they are settled by reading back before anything else is done. */
#ifndef MT_JOBS_PURGE_H
#define MT_JOBS_PURGE_H

#include "policy/gate.h"
#include "provider/provider.h"

struct mt_audit_log;
struct mt_loop;
struct mt_purge;
struct mt_reader_budget;
struct mt_writer;

#define MT_PURGE_CAP_DEFAULT UINT64_MAX /* mt_gate_cap_default of what the account has */

/* What runs have done, counted on the loop thread by all that are given the same. */
struct mt_purge_figures {
    uint64_t planned_n;  /* messages of the plans that were applied */
    uint64_t archived_n; /* of these, found in the archive as they are */
    uint64_t deleted_n, left_n, absent_n, settled_n;
    uint64_t refused_n[MT_GATE_VERDICTS_N]; /* HELD: also those that were left out of the plan */
    uint64_t batches_n;                     /* that the cloud was asked for */
};

struct mt_purge_options {
    const struct mt_provider *provider;
    struct mt_provider_account *account;
    const char *name;  /* of the account, in the configuration */
    const char *plan;  /* path of a finished plan */
    const char *holds; /* a list of holds besides the plan's; all are read before each batch */
    const struct mt_hold_source *in_force; /* what is in force besides; NULL: nothing */
    struct mt_writer *archive;
    struct mt_audit_log *audit;
    const char *actor; /* who, for the audit: "moontide retention" */
    uint64_t cap;      /* messages; MT_PURGE_CAP_DEFAULT */
    struct mt_reader_budget *budget;
    struct mt_purge_figures *figures; /* NULL: nobody counts; must outlive the run */
    bool only_looks;  /* judges everything, the holds too, and deletes nothing; audit NULL */
    unsigned batches; /* at once; 0: 4 */
    size_t batch_n;   /* messages of a batch; 0: 500 */
};

struct mt_purge_result {
    uint64_t planned_n;
    uint64_t deleted_n; /* gone from the cloud, as read back */
    uint64_t left_n;    /* asked for, and still there */
    uint64_t absent_n;  /* planned, and not there any more when this run came to them */
    uint64_t refused_n[MT_GATE_VERDICTS_N]; /* by verdict; LET: always 0 */
    uint64_t settled_n;                     /* messages of intents that earlier runs left open */
    uint64_t cap;                           /* what this run could delete */
    uint64_t let_n;              /* only_looks: what would be asked for, but for the cap */
    const char *const *short_of; /* only_looks, until done returns: conversations of which the
                                    archive has not all, or not as it is now */
    size_t short_n;
};

/* Faults: those of mt_plan_open and mt_holds_read; STATE "plan.other_account"; STATE
 * "clock.differs" and "clock.unknown" (R12: an age would mean other messages);
 * UNSUPPORTED; what the cloud, the archive or the audit say. What was done until then stands in the
 * result and in the audit. */
enum mt_rc mt_purge_start(struct mt_loop *loop, const struct mt_purge_options *options,
                          void (*progress)(void *ud, const struct mt_purge_result *so_far),
                          void (*done)(void *ud, enum mt_rc rc,
                                       const struct mt_purge_result *result,
                                       const struct mt_fault *fault),
                          void *ud, struct mt_purge **out, struct mt_fault *fault) MT_CHECKED;
/* No new batch; those in hand are ended, so that nothing is left unsaid. done follows with
 * MT_ERR_CANCELLED. */
void mt_purge_cancel(struct mt_purge *purge);

#endif

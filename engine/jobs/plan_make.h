/* Makes a plan (policy/plan.h): reads the cloud's history, conversation by conversation, and writes
 * down what the policy means and no hold keeps. Nothing is changed anywhere but for the plan's
 * file. Several conversations may be read at once. */
#ifndef MT_JOBS_PLAN_MAKE_H
#define MT_JOBS_PLAN_MAKE_H

#include "policy/plan.h"
#include "provider/provider.h"

struct mt_loop;
struct mt_plan_make;
struct mt_policy;
struct mt_reader_budget;

struct mt_plan_make_options {
    const struct mt_provider *provider;
    struct mt_provider_account *account;
    const char *name;                      /* of the account, in the configuration */
    const char *dir;                       /* where the plan's file goes; made when needed */
    const char *holds;                     /* path of a list of holds; NULL: none */
    const struct mt_hold_source *in_force; /* what is in force besides; NULL: nothing */
    const struct mt_policy *policy;
    int64_t now_ms; /* what ages count from */
    struct mt_reader_budget *budget;
    unsigned parallel; /* time slices of one conversation at once; 0: 16 */
};

typedef void mt_plan_made_fn(void *ud, enum mt_rc rc, const struct mt_fault *fault);

/* Reads the holds and makes the file, on the work pool; done on the loop thread, then conversations
 * may be added. */
enum mt_rc mt_plan_make_start(struct mt_loop *loop, const struct mt_plan_make_options *options,
                              mt_plan_made_fn *done, void *ud, struct mt_plan_make **out,
                              struct mt_fault *fault) MT_CHECKED;
/* Each once. done when all of it is in the plan; after a failure the plan cannot be finished any
 * more: a plan without a conversation that could not be read would look like the whole. */
enum mt_rc mt_plan_make_add(struct mt_plan_make *make, const struct mt_conversation_ref *ref,
                            bool pinned, mt_plan_made_fn *done, void *ud,
                            struct mt_fault *fault) MT_CHECKED;
/* STATE "plan.unfinished" while a conversation is being read or after one has failed. */
enum mt_rc mt_plan_make_finish(struct mt_plan_make *make,
                               void (*done)(void *ud, enum mt_rc rc, const char *path,
                                            const char *hash, const struct mt_fault *fault),
                               void *ud, struct mt_fault *fault) MT_CHECKED;
/* What is being read ends with MT_ERR_CANCELLED, and the plan cannot be finished any more. */
void mt_plan_make_cancel(struct mt_plan_make *make);
/* At any time: what is read is cancelled (done follows with MT_ERR_CANCELLED), the file is removed
 * unless it was finished. */
void mt_plan_make_free(struct mt_plan_make *make);

#endif

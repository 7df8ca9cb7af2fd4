/* What the files of the plan maker share: plan_make.c is the plan, plan_read.c one conversation of
 * it. Private to the room. */
#ifndef MT_JOBS_PLAN_MAKE_INT_H
#define MT_JOBS_PLAN_MAKE_INT_H

#include "base/arena.h"
#include "jobs/plan_make.h"
#include "policy/hold.h"
#include "policy/policy.h"
#include "provider/reader.h"

struct mt_plan_read;

struct mt_plan_make {
    struct mt_loop *loop;
    struct mt_plan_make_options options;
    char *name, *dir, *holds_path;
    struct mt_policy *policy;
    struct mt_buf policy_text;
    uint64_t ranks[MT_POLICY_RANKS_MAX];
    size_t ranks_n;
    struct mt_policy_bounds bounds;

    struct mt_hold_lists lists;
    struct mt_holds *holds;
    struct mt_plan_writer *writer; /* the pool's while busy */
    struct mt_plan_read *first;    /* conversations that are being read */
    struct mt_plan_read *turn;     /* whose items are being written; NULL: nobody's */
    bool busy;                     /* something of it is on the pool */
    bool failed;                   /* a conversation is missing */
    bool freed;
    unsigned refs; /* the owner, each conversation, each work */

    mt_plan_made_fn *started;
    void (*finished)(void *ud, enum mt_rc rc, const char *path, const char *hash,
                     const struct mt_fault *fault);
    void *ud;
    enum mt_rc rc;
    struct mt_fault fault;
    char path[4096];
    char hash[MT_PLAN_HASH_MAX];
};

void mt_plan_make_retain(struct mt_plan_make *make);
void mt_plan_make_release(struct mt_plan_make *make);
/* The turn is free: the first conversation that waits for it has it. */
void mt_plan_read_next(struct mt_plan_make *make);
void mt_plan_read_cancel(struct mt_plan_read *read);

#endif

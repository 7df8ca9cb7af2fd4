/* The plan that is being made: its file, its holds, its end. What one conversation adds to it is
 * plan_read.c. */
#include "jobs/plan_make_int.h"

#include "base/mem.h"
#include "loop/loop.h"

#include <string.h>

#define POLICY_TEXT_MAX ((size_t)1 << 20)

void mt_plan_make_retain(struct mt_plan_make *make)
{
    make->refs++;
}

void mt_plan_make_release(struct mt_plan_make *make)
{
    if (--make->refs > 0)
        return;
    if (make->writer)
        mt_plan_abandon(make->writer);
    mt_holds_free(make->holds);
    mt_hold_lists_clear(&make->lists);
    mt_policy_release(make->policy);
    mt_buf_deinit(&make->policy_text);
    if (make->options.budget)
        mt_reader_budget_release(make->options.budget);
    mt_mem_free(make->name);
    mt_mem_free(make->dir);
    mt_mem_free(make->holds_path);
    mt_mem_free(make);
}

void mt_plan_make_cancel(struct mt_plan_make *make)
{
    make->failed = true;
    mt_plan_make_retain(make);
    while (make->first)
        mt_plan_read_cancel(make->first);
    mt_plan_make_release(make);
}

void mt_plan_make_free(struct mt_plan_make *make)
{
    if (!make || make->freed)
        return;
    make->freed = true;
    mt_plan_make_cancel(make);
    mt_plan_make_release(make);
}

/* ---------------------------------------------------------------- the beginning */

static void begin(void *ud)
{
    struct mt_plan_make *make = ud;
    struct mt_plan_head head = {
        .account = make->name,
        .provider = make->options.provider->name,
        .appkey = make->options.provider->appkey(make->options.account),
        .user = make->options.provider->user(make->options.account),
        .policy = make->policy_text.data,
        .holds = make->holds_path,
        .made_ms = make->options.now_ms,
    };

    make->rc = mt_holds_read_all(&make->lists, &make->holds, &make->fault);
    if (!make->rc)
        make->rc = mt_plan_create(make->dir, &head, &make->writer, &make->fault);
}

static void begun(void *ud, bool cancelled)
{
    struct mt_plan_make *make = ud;

    make->busy = false;
    if (cancelled && !make->rc)
        make->rc = mt_fault_set(&make->fault, MT_ERR_CANCELLED, "cancelled", "cancelled");
    make->failed = make->rc != MT_OK;
    if (!make->freed)
        make->started(make->ud, make->rc, make->rc ? &make->fault : NULL);
    mt_plan_make_release(make);
}

static enum mt_rc gather_lists(struct mt_plan_make *make, struct mt_fault *fault)
{
    const struct mt_hold_source *source = make->options.in_force;
    const char *name = NULL;
    enum mt_rc rc = mt_hold_lists_add(&make->lists, make->holds_path);

    if (rc)
        return mt_fault_set(fault, rc, "memory", "out of memory");
    return source ? source->lists(source->ud, make->options.account, &make->lists, &name, fault)
                  : MT_OK;
}

static enum mt_rc copy_options(struct mt_plan_make *make,
                               const struct mt_plan_make_options *options)
{
    make->options = *options;
    make->options.budget = options->budget ? mt_reader_budget_retain(options->budget) : NULL;
    make->name = mt_mem_strdup(options->name);
    make->dir = mt_mem_strdup(options->dir);
    make->holds_path = options->holds ? mt_mem_strdup(options->holds) : NULL;
    make->policy = mt_policy_retain(options->policy);
    if (!make->name || !make->dir || (options->holds && !make->holds_path))
        return MT_ERR_NOMEM;
    make->ranks_n = mt_policy_ranks(make->policy, make->ranks);
    mt_policy_bounds(make->policy, options->now_ms, &make->bounds);
    return mt_policy_write(make->policy, &make->policy_text);
}

enum mt_rc mt_plan_make_start(struct mt_loop *loop, const struct mt_plan_make_options *options,
                              mt_plan_made_fn *done, void *ud, struct mt_plan_make **out,
                              struct mt_fault *fault)
{
    struct mt_plan_make *make = mt_mem_calloc(1, sizeof *make);
    enum mt_rc rc;

    *out = NULL;
    if (!make)
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    make->loop = loop;
    make->refs = 1;
    mt_buf_init(&make->policy_text, POLICY_TEXT_MAX);
    make->started = done;
    make->ud = ud;
    rc = copy_options(make, options);
    if (rc)
        (void)mt_fault_set(fault, rc, "memory", "out of memory");
    else
        rc = gather_lists(make, fault);
    if (!rc && mt_work_start(loop, begin, begun, make, NULL))
        rc = mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    if (rc) {
        mt_plan_make_release(make);
        return rc;
    }
    make->busy = true;
    mt_plan_make_retain(make);
    *out = make;
    return MT_OK;
}

/* ---------------------------------------------------------------- the end */

static void finish(void *ud)
{
    struct mt_plan_make *make = ud;
    struct mt_plan_writer *writer = make->writer;

    make->writer = NULL;
    make->rc = mt_plan_finish(writer, make->path, sizeof make->path, make->hash, &make->fault);
}

static void finished(void *ud, bool cancelled)
{
    struct mt_plan_make *make = ud;

    make->busy = false;
    if (cancelled && !make->rc)
        make->rc = mt_fault_set(&make->fault, MT_ERR_CANCELLED, "cancelled", "cancelled");
    if (!make->freed)
        make->finished(make->ud, make->rc, make->path, make->hash, make->rc ? &make->fault : NULL);
    mt_plan_make_release(make);
}

enum mt_rc mt_plan_make_finish(struct mt_plan_make *make,
                               void (*done)(void *ud, enum mt_rc rc, const char *path,
                                            const char *hash, const struct mt_fault *fault),
                               void *ud, struct mt_fault *fault)
{
    if (make->busy || make->first || make->failed || !make->writer)
        return mt_fault_set(fault, MT_ERR_STATE, "plan.unfinished", "the plan is not whole: %s",
                            make->failed ? "a conversation could not be read"
                                         : "a conversation is still being read");
    make->finished = done;
    make->ud = ud;
    if (mt_work_start(make->loop, finish, finished, make, NULL))
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    make->busy = true;
    mt_plan_make_retain(make);
    return MT_OK;
}

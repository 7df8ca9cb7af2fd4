/* The life of a call: see call.h. */
#include "provider/call.h"

#include "base/mem.h"
#include "loop/loop.h"

static void link_call(struct mt_call_list *list, struct mt_provider_call *call)
{
    list->retain(list->account);
    call->account = list->account;
    call->list = list;
    call->next = list->first;
    if (call->next != NULL)
        call->next->prev = call;
    list->first = call;
    call->linked = true;
}

static void unlink_call(struct mt_provider_call *call)
{
    if (!call->linked)
        return;
    if (call->prev != NULL)
        call->prev->next = call->next;
    else
        call->list->first = call->next;
    if (call->next != NULL)
        call->next->prev = call->prev;
    call->prev = NULL;
    call->next = NULL;
    call->linked = false;
}

/* Freed when the caller has been told and nothing of ours still knows the call. */
static void maybe_free(struct mt_provider_call *call)
{
    struct mt_call_list *list = call->list;

    if (!call->ended || call->held > 0 || call->posted || call->telling)
        return;
    if (call->release != NULL)
        call->release(call);
    mt_mem_free(call);
    list->release(list->account);
}

bool mt_call_drop(struct mt_provider_call *call)
{
    bool ended = call->ended;

    call->held--;
    maybe_free(call);
    return ended;
}

void mt_call_end(struct mt_provider_call *call, enum mt_rc rc, const struct mt_fault *fault)
{
    struct mt_call_list *list = call->list;
    struct mt_fault cancelled;

    if (call->ended)
        return;
    if (call->cancelled || (rc == MT_ERR_CANCELLED && fault == NULL)) {
        rc = mt_fault_set(&cancelled, MT_ERR_CANCELLED, "cancelled", "cancelled");
        fault = &cancelled;
    }
    call->ended = true;
    call->waiting = false;
    unlink_call(call);
    list->retain(list->account); /* the caller may close it */
    call->telling = true;        /* and nothing it does may free the call under us */
    call->finish(call, rc, fault);
    call->telling = false;
    maybe_free(call);
    list->release(list->account);
}

static void on_post(void *ud)
{
    struct mt_provider_call *call = ud;

    call->posted = false;
    if (call->ended)
        maybe_free(call);
    else
        mt_call_end(call, call->early_rc, &call->early);
}

void mt_call_end_soon(struct mt_provider_call *call, enum mt_rc rc, const struct mt_fault *fault)
{
    call->early_rc = rc;
    if (fault != NULL)
        call->early = *fault;
    if (call->posted)
        return;
    call->posted = true;
    if (mt_loop_post(call->list->loop, on_post, call) != MT_OK) {
        call->posted = false; /* no memory to wait with: better told at once than never */
        mt_call_end(call, rc, fault);
    }
}

/* Without memory to wait with, a cancelled call ends when its account is ready or closed. */
static void post_cancel(struct mt_provider_call *call)
{
    call->early_rc = MT_ERR_CANCELLED;
    if (call->posted)
        return;
    call->posted = mt_loop_post(call->list->loop, on_post, call) == MT_OK;
}

void mt_call_wait(struct mt_provider_call *call)
{
    call->waiting = true;
}

static void on_begin(void *ud)
{
    struct mt_provider_call *call = ud;

    call->posted = false;
    if (call->ended)
        maybe_free(call);
    else if (call->cancelled)
        mt_call_end(call, MT_ERR_CANCELLED, NULL);
    else if (call->list->ready(call->account))
        call->step(call);
    else {
        call->waiting = true;
        call->list->want(call->account);
    }
}

/* Frees a call that could not even be started; its done is not called. */
static enum mt_rc abandon(struct mt_provider_call *call)
{
    call->posted = false;
    call->ended = true;
    unlink_call(call);
    maybe_free(call);
    return MT_ERR_NOMEM;
}

enum mt_rc mt_call_start(struct mt_call_list *list, struct mt_provider_call *call)
{
    link_call(list, call);
    call->posted = true;
    return mt_loop_post(list->loop, on_begin, call) == MT_OK ? MT_OK : abandon(call);
}

enum mt_rc mt_call_fail(struct mt_call_list *list, struct mt_provider_call *call, enum mt_rc rc,
                        const struct mt_fault *fault)
{
    link_call(list, call);
    call->early_rc = rc;
    call->early = *fault;
    call->posted = true;
    return mt_loop_post(list->loop, on_post, call) == MT_OK ? MT_OK : abandon(call);
}

void mt_call_resume(struct mt_provider_call *call, enum mt_rc rc, const struct mt_fault *fault)
{
    call->waiting = false;
    if (call->cancelled)
        mt_call_end(call, MT_ERR_CANCELLED, NULL);
    else if (rc == MT_OK)
        call->step(call);
    else if (call->refused != NULL)
        call->refused(call, fault);
    else
        mt_call_end(call, rc, fault);
}

/* The list is read anew every time: it may be another one after each. */
void mt_call_wake(struct mt_call_list *list, enum mt_rc rc, const struct mt_fault *fault)
{
    struct mt_fault copy = {.kind = MT_OK};

    if (fault != NULL)
        copy = *fault;
    list->retain(list->account);
    for (;;) {
        struct mt_provider_call *call = list->first;

        while (call != NULL && !call->waiting)
            call = call->next;
        if (call == NULL)
            break;
        mt_call_resume(call, rc, &copy);
    }
    list->release(list->account);
}

/* ---------------------------------------------------------------- work on the pool */

static void on_pool(void *ud)
{
    struct mt_provider_call *call = ud;
    call->work(call);
}

/* While the pool works, the call counts as posted: nothing frees it. */
static void on_worked(void *ud, bool cancelled)
{
    struct mt_provider_call *call = ud;

    call->posted = false;
    if (call->ended)
        maybe_free(call);
    else if (call->cancelled || cancelled)
        mt_call_end(call, MT_ERR_CANCELLED, NULL);
    else
        call->worked(call);
}

void mt_call_work(struct mt_provider_call *call, void (*work)(struct mt_provider_call *call),
                  void (*worked)(struct mt_provider_call *call))
{
    struct mt_fault fault;

    call->work = work;
    call->worked = worked;
    call->posted = true;
    if (mt_work_start(call->list->loop, on_pool, on_worked, call, NULL) == MT_OK)
        return;
    call->posted = false;
    (void)mt_fault_set(&fault, MT_ERR_NOMEM, "memory", "out of memory");
    mt_call_end_soon(call, MT_ERR_NOMEM, &fault);
}

/* ---------------------------------------------------------------- cancelling */

void mt_call_cancel(struct mt_provider_call *call)
{
    if (call->ended || call->cancelled)
        return;
    call->cancelled = true;
    if (call->stop == NULL || !call->stop(call))
        post_cancel(call);
}

void mt_call_cancel_all(struct mt_call_list *list)
{
    while (list->first != NULL) {
        struct mt_provider_call *call = list->first;

        if (!call->cancelled && call->stop != NULL)
            (void)call->stop(call);
        call->cancelled = true;
        mt_call_end(call, MT_ERR_CANCELLED, NULL);
    }
}

/* The life of a verb in progress, the same for every cloud. A call is allocated by its verb with
 * mt_mem_calloc, struct mt_provider_call first in it. It waits until its account is ready (a
 * session, a connection), takes its steps, and ends exactly once in finish; it is freed when its
 * caller was told and nothing still knows it. For the rooms of the clouds alone. */
#ifndef MT_PROVIDER_CALL_H
#define MT_PROVIDER_CALL_H

#include "base/rc.h"

struct mt_loop;
struct mt_provider_account;
struct mt_provider_call;

/* The calls of an account: a part of it, and set up with it. */
struct mt_call_list {
    struct mt_loop *loop;
    struct mt_provider_account *account;
    void (*retain)(struct mt_provider_account *account);
    void (*release)(struct mt_provider_account *account);
    bool (*ready)(const struct mt_provider_account *account); /* a call may step at once */
    /* A call waits: the account gets ready, and wakes those that wait then. */
    void (*want)(struct mt_provider_account *account);
    struct mt_provider_call *first;
};

struct mt_provider_call {
    struct mt_provider_account *account;
    struct mt_call_list *list;
    struct mt_provider_call *prev, *next;
    /* The account is ready: builds and sends the next request. Called again to repeat it. */
    void (*step)(struct mt_provider_call *call);
    /* The account could not be made ready (NULL: the call fails). */
    void (*refused)(struct mt_provider_call *call, const struct mt_fault *fault);
    /* Tells the caller of the verb; called once. */
    void (*finish)(struct mt_provider_call *call, enum mt_rc rc, const struct mt_fault *fault);
    void (*release)(struct mt_provider_call *call); /* frees what the verb added; may be NULL */
    /* Stops what is on its way, which will end the call soon; false: nothing is. May be NULL. */
    bool (*stop)(struct mt_provider_call *call);
    void (*work)(struct mt_provider_call *call); /* on the pool: mt_call_work */
    void (*worked)(struct mt_provider_call *call);
    unsigned held; /* who still knows it: it is not freed before (mt_call_drop) */
    bool linked, waiting, posted, ended, telling, cancelled;
    enum mt_rc early_rc; /* result of a call that ends at the next turn */
    struct mt_fault early;
};

/* Both take the call over: when they fail (NOMEM) it is freed. Nothing is called back before they
 * returned. */
enum mt_rc mt_call_start(struct mt_call_list *list, struct mt_provider_call *call) MT_CHECKED;
/* As start, but ends at the next turn with that result. */
enum mt_rc mt_call_fail(struct mt_call_list *list, struct mt_provider_call *call, enum mt_rc rc,
                        const struct mt_fault *fault) MT_CHECKED;
/* fault may be NULL when rc is MT_OK or MT_ERR_CANCELLED. */
void mt_call_end(struct mt_provider_call *call, enum mt_rc rc, const struct mt_fault *fault);
/* At the next turn, so that whoever is in the middle of something is not called back from there. */
void mt_call_end_soon(struct mt_provider_call *call, enum mt_rc rc, const struct mt_fault *fault);
/* Waits until the account is ready (again); want is not asked. */
void mt_call_wait(struct mt_provider_call *call);
/* A waiting call goes on, or fails. */
void mt_call_resume(struct mt_provider_call *call, enum mt_rc rc, const struct mt_fault *fault);
/* Resumes all that wait. Each may end, start others or close the account. */
void mt_call_wake(struct mt_call_list *list, enum mt_rc rc, const struct mt_fault *fault);
/* Who counted itself in held does not know the call any more; true: the call has ended. */
bool mt_call_drop(struct mt_provider_call *call);
/* Runs work(call) on the pool, then worked(call) on the loop, unless the call was cancelled. */
void mt_call_work(struct mt_provider_call *call, void (*work)(struct mt_provider_call *call),
                  void (*worked)(struct mt_provider_call *call));
void mt_call_cancel(struct mt_provider_call *call);
/* The account is closed: all end as cancelled. */
void mt_call_cancel_all(struct mt_call_list *list);

#endif

/* What the files of the purge share: purge_open.c begins, purge.c is the run over the plan,
 * purge_batch.c one batch of it. Private to the room. */
#ifndef MT_JOBS_PURGE_INT_H
#define MT_JOBS_PURGE_INT_H

#include "base/arena.h"
#include "jobs/audit_log.h"
#include "jobs/purge.h"
#include "provider/live.h"
#include "provider/reader.h"

struct mt_timer;

/* Messages of one conversation that are asked for together. */
struct mt_purge_batch {
    struct mt_purge *purge;
    struct mt_purge_batch *next;
    char conversation[MT_CONVERSATION_ID_MAX];
    struct mt_conversation_ref ref;
    struct mt_arena *strings;
    struct mt_plan_item *items; /* after the gate: those that are let through */
    enum mt_gate_verdict *verdicts;
    struct mt_message_key *keys;
    size_t n;
    int64_t since_ms, until_ms; /* where they lie */
    uint64_t intent;            /* its number in the audit */
    bool settles;               /* of an earlier run: nothing is deleted, only looked for */
    bool before;                /* the look before anything is asked for is on */

    size_t at;        /* keys that were asked for */
    unsigned calls_n; /* on their way */
    enum mt_rc rc;    /* why not all of it could be asked for */
    struct mt_fault fault;

    struct mt_reader *reader;
    struct mt_hold_lists lists; /* that are in force now */
    struct mt_timer *timer;     /* the cloud may be a moment behind its own answer */
    unsigned looks_n;
    bool *left;
    size_t left_n;

    enum mt_rc work_rc;
    struct mt_fault work_fault;
};

struct mt_purge {
    struct mt_loop *loop;
    struct mt_purge_options options;
    char *name, *plan_path, *holds_path, *actor;
    const struct mt_provider_live *live;
    struct mt_plan *plan; /* the pool's while loading */

    char **short_of;
    size_t short_cap;

    const char *conversation; /* the portion in hand: its items live until the next is loaded */
    const struct mt_plan_item *items;
    enum mt_gate_verdict *verdicts;
    size_t verdicts_cap, n, at;
    bool loading, whole; /* whole: the plan has no more */

    struct mt_purge_batch *first; /* in hand */
    struct mt_purge_batch *open;  /* intents of earlier runs, not begun yet */
    unsigned batches_n;
    uint64_t left_of_cap;
    bool begun, settled, noting, cancelled;
    bool handing, again; /* batches are being begun; one ended meanwhile */
    enum mt_rc rc;
    struct mt_fault fault;
    struct mt_purge_result result;
    struct mt_purge_figures unseen;

    void (*progress)(void *ud, const struct mt_purge_result *so_far);
    void (*done)(void *ud, enum mt_rc rc, const struct mt_purge_result *result,
                 const struct mt_fault *fault);
    void *ud;
};

/* The first failure is the one to tell. */
void mt_purge_fail(struct mt_purge *purge, enum mt_rc rc, const struct mt_fault *fault);
/* It is over: tells, and frees. */
void mt_purge_ended(struct mt_purge *purge);
void mt_purge_free(struct mt_purge *purge);
/* In the audit: that it begins, or how it ended. */
enum mt_rc mt_purge_note(struct mt_purge *purge, const char *verb, mt_audit_done_fn *done);
/* The lists of holds: the plan's, the run's, and those that are in force at this moment. */
enum mt_rc mt_purge_lists(const struct mt_purge *purge, struct mt_hold_lists *out,
                          struct mt_fault *fault) MT_CHECKED;
/* What it counts in; of a run that only looks nobody sees it. */
struct mt_purge_figures *mt_purge_figures(struct mt_purge *purge);
/* A batch has ended, and is gone. */
void mt_purge_advance(struct mt_purge *purge);

/* Copies items; NULL: memory is short, or the conversation is no address. */
struct mt_purge_batch *mt_purge_batch_new(struct mt_purge *purge, const char *conversation,
                                          const struct mt_plan_item *items, size_t n);
void mt_purge_batch_free(struct mt_purge_batch *batch);
void mt_purge_batch_start(struct mt_purge_batch *batch);

#endif

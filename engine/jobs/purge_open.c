/* The beginning of a run over a plan: the plan is opened and must be this account's, the cap is
 * reckoned, and the intents that earlier runs left without a result are gathered to be settled. */
#include "jobs/purge_int.h"

#include "archive/writer.h"
#include "base/clock.h"
#include "base/mem.h"
#include "codec/json.h"
#include "loop/loop.h"

#include <string.h>

#define DETAIL_MAX ((size_t)4 << 10)

/* ---------------------------------------------------------------- what earlier runs left open */

static bool same(const char *a, const char *b)
{
    return a && b && !strcmp(a, b);
}

struct unsettled {
    struct mt_purge *purge;
    struct mt_purge_batch *list;
};

/* An intent of another verb, or one whose place nobody wrote down, is not this run's to settle. */
static enum mt_rc take_open(void *ud, uint64_t number, const struct mt_audit_record *record)
{
    struct unsettled *u = ud;
    struct mt_json *detail = NULL;
    struct mt_fault ignored;
    enum mt_rc rc = MT_OK;

    /* another cloud's account may have a user of the same id */
    if (!same(record->account, u->purge->name) || !record->verb ||
        strcmp(record->verb, "delete_messages") != 0 || !record->detail || !record->conversation ||
        !record->ids_n)
        return MT_OK;
    if (mt_json_parse(record->detail, strlen(record->detail), DETAIL_MAX, &detail, &ignored))
        return MT_OK;
    int64_t since = mt_json_i64(mt_json_get(detail, "since"), 0);
    int64_t until = mt_json_i64(mt_json_get(detail, "until"), 0);
    mt_json_free(detail);
    if (until <= 0)
        return MT_OK;
    struct mt_plan_item *items = mt_mem_calloc(record->ids_n, sizeof *items);
    if (!items)
        return MT_ERR_NOMEM;
    for (size_t i = 0; i < record->ids_n; i++)
        items[i].key.id = record->ids[i];
    struct mt_purge_batch *b =
        mt_purge_batch_new(u->purge, record->conversation, items, record->ids_n);
    mt_mem_free(items);
    if (b) {
        b->settles = true;
        b->intent = number;
        b->since_ms = since;
        b->until_ms = until;
        b->next = u->list;
        u->list = b;
    } else
        rc = MT_ERR_NOMEM;
    return rc;
}

static void on_begun_note(void *ud, enum mt_rc rc, const uint64_t *numbers, size_t n,
                          const struct mt_fault *fault)
{
    struct mt_purge *purge = ud;

    (void)numbers;
    (void)n;
    purge->begun = true;
    if (rc)
        mt_purge_fail(purge, rc, fault);
    mt_purge_advance(purge);
}

static void on_unsettled(void *ud, enum mt_rc rc, const struct mt_fault *fault)
{
    struct unsettled *u = ud;
    struct mt_purge *purge = u->purge;

    purge->open = u->list;
    mt_mem_free(u);
    if (rc)
        mt_purge_fail(purge, rc, fault);
    else if (mt_purge_note(purge, "retention.begin", on_begun_note))
        mt_purge_fail(purge, MT_ERR_NOMEM, NULL);
    if (purge->rc)
        mt_purge_ended(purge);
}

static void settle(struct mt_purge *purge)
{
    struct unsettled *u = mt_mem_calloc(1, sizeof *u);

    if (u) {
        u->purge = purge;
        if (!mt_audit_log_unsettled(purge->options.audit,
                                    purge->options.provider->user(purge->options.account),
                                    take_open, on_unsettled, u))
            return;
    }
    mt_mem_free(u);
    mt_purge_fail(purge, MT_ERR_NOMEM, NULL);
    mt_purge_ended(purge);
}

/* ---------------------------------------------------------------- the beginning */

struct opening {
    struct mt_purge *purge;
    enum mt_rc rc;
    struct mt_fault fault;
};

static void open_plan(void *ud)
{
    struct opening *o = ud;
    struct mt_purge *purge = o->purge;
    const struct mt_provider *provider = purge->options.provider;

    o->rc = mt_plan_open(purge->plan_path, mt_clock_wall_ms(), &purge->plan, &o->fault);
    if (o->rc)
        return;
    const struct mt_plan_head *head = mt_plan_head(purge->plan);
    if (!same(head->provider, provider->name) || !same(head->account, purge->name) ||
        !same(head->appkey, provider->appkey(purge->options.account)) ||
        !same(head->user, provider->user(purge->options.account)))
        o->rc = mt_fault_set(&o->fault, MT_ERR_STATE, "plan.other_account",
                             "the plan is of the account '%.60s' (%.60s), not of this one",
                             head->account, head->user);
}

static bool add_archived(void *ud, const struct mt_archive_state *state)
{
    *(uint64_t *)ud += state->messages_n;
    return true;
}

static void opened(void *ud, bool cancelled)
{
    struct opening *o = ud;
    struct mt_purge *purge = o->purge;
    uint64_t archived_n = 0;

    if (cancelled)
        mt_purge_fail(purge, MT_ERR_CANCELLED, NULL);
    else if (o->rc)
        mt_purge_fail(purge, o->rc, &o->fault);
    mt_mem_free(o);
    if (purge->rc || purge->cancelled) {
        mt_purge_ended(purge);
        return;
    }
    const struct mt_plan_count *total = mt_plan_total(purge->plan);
    mt_writer_each(purge->options.archive, add_archived, &archived_n);
    purge->result.planned_n = total->planned_n;
    mt_purge_figures(purge)->planned_n += total->planned_n;
    mt_purge_figures(purge)->refused_n[MT_GATE_HELD] += total->held_n;
    purge->result.cap = purge->options.cap;
    if (purge->options.cap == MT_PURGE_CAP_DEFAULT)
        purge->result.cap =
            mt_gate_cap_default(archived_n > total->seen_n ? archived_n : total->seen_n);
    purge->left_of_cap = purge->result.cap;
    if (!purge->options.only_looks) {
        settle(purge);
        return;
    }
    purge->settled = purge->begun = true;
    mt_purge_advance(purge);
}

static enum mt_rc copy_options(struct mt_purge *purge, const struct mt_purge_options *options)
{
    purge->options = *options;
    purge->options.budget = options->budget ? mt_reader_budget_retain(options->budget) : NULL;
    purge->live = options->provider->live;
    purge->name = mt_mem_strdup(options->name);
    purge->plan_path = mt_mem_strdup(options->plan);
    purge->holds_path = options->holds ? mt_mem_strdup(options->holds) : NULL;
    purge->actor = mt_mem_strdup(options->actor);
    return purge->name && purge->plan_path && (!options->holds || purge->holds_path) && purge->actor
               ? MT_OK
               : MT_ERR_NOMEM;
}

enum mt_rc mt_purge_start(struct mt_loop *loop, const struct mt_purge_options *options,
                          void (*progress)(void *ud, const struct mt_purge_result *so_far),
                          void (*done)(void *ud, enum mt_rc rc,
                                       const struct mt_purge_result *result,
                                       const struct mt_fault *fault),
                          void *ud, struct mt_purge **out, struct mt_fault *fault)
{
    struct mt_purge *purge = NULL;
    struct opening *o = NULL;
    enum mt_rc rc = MT_ERR_NOMEM;

    *out = NULL;
    if (!options->provider->live || !options->provider->live->delete_ids)
        return mt_fault_set(fault, MT_ERR_UNSUPPORTED, "unsupported",
                            "%s accounts cannot delete messages", options->provider->name);
    purge = mt_mem_calloc(1, sizeof *purge);
    o = mt_mem_calloc(1, sizeof *o);
    if (purge && o) {
        purge->loop = loop;
        purge->progress = progress;
        purge->done = done;
        purge->ud = ud;
        o->purge = purge;
        rc = copy_options(purge, options);
        if (!rc)
            rc = mt_work_start(loop, open_plan, opened, o, NULL);
    }
    if (rc) {
        mt_mem_free(o);
        if (purge)
            mt_purge_free(purge);
        return mt_fault_set(fault, rc, "memory", "out of memory");
    }
    *out = purge;
    return MT_OK;
}

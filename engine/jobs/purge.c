/* The run over a plan: settles what earlier runs left open, then takes the plan portion by portion
 * through the gate, and hands batches out. How it begins is purge_open.c. */
#include "jobs/purge_int.h"

#include "archive/writer.h"
#include "base/mem.h"
#include "loop/loop.h"

#include <stdio.h>
#include <string.h>

#define PORTION_N   16384 /* messages that are compared with the archive at once */
#define BATCHES     4
#define BATCH_N     500
#define SCRATCH_MAX ((size_t)64 << 20)

void mt_purge_fail(struct mt_purge *purge, enum mt_rc rc, const struct mt_fault *fault)
{
    if (purge->rc)
        return;
    purge->rc = rc;
    if (fault)
        purge->fault = *fault;
    else
        (void)mt_fault_set(&purge->fault, rc, "purge.failed", "%s: %s", purge->name,
                           mt_rc_name(rc));
}

void mt_purge_free(struct mt_purge *purge)
{
    while (purge->open) {
        struct mt_purge_batch *b = purge->open;
        purge->open = b->next;
        mt_purge_batch_free(b);
    }
    for (size_t i = 0; i < purge->result.short_n; i++)
        mt_mem_free(purge->short_of[i]);
    mt_mem_free(purge->short_of);
    mt_plan_free(purge->plan);
    if (purge->options.budget)
        mt_reader_budget_release(purge->options.budget);
    mt_mem_free(purge->verdicts);
    mt_mem_free(purge->name);
    mt_mem_free(purge->plan_path);
    mt_mem_free(purge->holds_path);
    mt_mem_free(purge->actor);
    mt_mem_free(purge);
}

enum mt_rc mt_purge_lists(const struct mt_purge *purge, struct mt_hold_lists *out,
                          struct mt_fault *fault)
{
    const struct mt_hold_source *source = purge->options.in_force;
    const char *name = NULL;
    enum mt_rc rc = mt_hold_lists_add(out, mt_plan_head(purge->plan)->holds);

    if (!rc)
        rc = mt_hold_lists_add(out, purge->holds_path);
    if (rc)
        return mt_fault_set(fault, rc, "memory", "out of memory");
    return source ? source->lists(source->ud, purge->options.account, out, &name, fault) : MT_OK;
}

struct mt_purge_figures *mt_purge_figures(struct mt_purge *purge)
{
    struct mt_purge_figures *figures = purge->options.figures;

    return figures && !purge->options.only_looks ? figures : &purge->unseen;
}

/* ---------------------------------------------------------------- the end */

void mt_purge_ended(struct mt_purge *purge)
{
    if (purge->cancelled && !purge->rc)
        purge->rc = mt_fault_set(&purge->fault, MT_ERR_CANCELLED, "cancelled", "cancelled");
    purge->done(purge->ud, purge->rc, &purge->result, purge->rc ? &purge->fault : NULL);
    mt_purge_free(purge);
}

enum mt_rc mt_purge_note(struct mt_purge *purge, const char *verb, mt_audit_done_fn *done)
{
    const struct mt_plan_head *head = mt_plan_head(purge->plan);
    const struct mt_purge_result *r = &purge->result;
    struct mt_audit_record record = {
        .type = MT_AUDIT_NOTE,
        .account = purge->name,
        .user = head->user,
        .actor = purge->actor,
        .verb = verb,
        .why = head->policy,
        .code = purge->rc ? purge->fault.code : NULL,
        .sign =
            purge->noting, /* the end: what this run did cannot be cut off unseen from then on */
    };
    char detail[400];

    (void)snprintf(detail, sizeof detail,
                   "{\"plan\":\"%s\",\"planned\":%llu,\"cap\":%llu,\"deleted\":%llu,\"left\":%llu,"
                   "\"held\":%llu,\"not_archived\":%llu,\"changed\":%llu,\"in_gap\":%llu,"
                   "\"over_cap\":%llu}",
                   mt_plan_hash(purge->plan), (unsigned long long)r->planned_n,
                   (unsigned long long)r->cap, (unsigned long long)r->deleted_n,
                   (unsigned long long)r->left_n, (unsigned long long)r->refused_n[MT_GATE_HELD],
                   (unsigned long long)r->refused_n[MT_GATE_NOT_ARCHIVED],
                   (unsigned long long)r->refused_n[MT_GATE_CHANGED],
                   (unsigned long long)r->refused_n[MT_GATE_IN_GAP],
                   (unsigned long long)r->refused_n[MT_GATE_CAP]);
    record.detail = detail;
    return mt_audit_log_append(purge->options.audit, &record, 1, done, purge);
}

static void on_ended_note(void *ud, enum mt_rc rc, const uint64_t *numbers, size_t n,
                          const struct mt_fault *fault)
{
    struct mt_purge *purge = ud;

    (void)numbers;
    (void)n;
    if (rc)
        mt_purge_fail(purge, rc, fault);
    mt_purge_ended(purge);
}

static void end(struct mt_purge *purge)
{
    if (purge->noting)
        return;
    purge->noting = true;
    if (!purge->begun || purge->options.only_looks ||
        mt_purge_note(purge, "retention.end", on_ended_note))
        mt_purge_ended(purge);
}

/* ---------------------------------------------------------------- a portion of the plan */

struct portion {
    struct mt_purge *purge;
    struct mt_arena *arena; /* of one message that is decoded */
    struct mt_buf scratch;
    struct mt_hold_lists lists; /* only_looks */
    enum mt_rc rc;
    struct mt_fault fault;
};

static enum mt_rc digest(void *ud, const void *raw, size_t len, uint8_t out[MT_PLAN_DIGEST_LEN])
{
    struct portion *p = ud;
    const struct mt_purge_options *o = &p->purge->options;
    struct mt_message m;

    memset(&m, 0, sizeof m);
    mt_arena_reset(p->arena);
    enum mt_rc rc = o->provider->decode(o->account, raw, len, p->arena, &m);
    if (rc && rc != MT_ERR_NOMEM) { /* as history gives it, too: its bytes are its content */
        m = (struct mt_message){.kind = MT_MESSAGE_OTHER,
                                .kind_name = "undecodable",
                                .body.type = MT_VALUE_MAP,
                                .ext.type = MT_VALUE_MAP,
                                .raw = raw,
                                .raw_len = len};
        rc = MT_OK;
    }
    return rc ? rc : mt_message_digest(&m, &p->scratch, out);
}

static enum mt_rc judge(struct portion *p, struct mt_archive *archive)
{
    struct mt_purge *purge = p->purge;
    enum mt_rc rc = mt_plan_next(purge->plan, PORTION_N, &purge->conversation, &purge->items,
                                 &purge->n, &p->fault);

    if (rc || !purge->n)
        return rc;
    if (purge->n > purge->verdicts_cap) {
        mt_mem_free(purge->verdicts);
        purge->verdicts = mt_mem_calloc(purge->n, sizeof *purge->verdicts);
        purge->verdicts_cap = purge->verdicts ? purge->n : 0;
    }
    if (!purge->verdicts)
        return mt_fault_set(&p->fault, MT_ERR_NOMEM, "memory", "out of memory");
    rc = mt_gate_archive(archive, purge->conversation, purge->items, purge->n, digest, p,
                         purge->verdicts, &p->fault);
    if (!rc && purge->options.only_looks) { /* otherwise before each batch */
        struct mt_holds *holds = NULL;
        rc = mt_holds_read_all(&p->lists, &holds, &p->fault);
        if (!rc)
            mt_gate_hold(holds, mt_plan_head(purge->plan), purge->conversation, purge->items,
                         purge->n, purge->verdicts);
        mt_holds_free(holds);
    }
    return rc;
}

static void load(void *ud, struct mt_archive *archive)
{
    struct portion *p = ud;

    p->arena = mt_arena_new(SCRATCH_MAX);
    mt_buf_init(&p->scratch, SCRATCH_MAX);
    if (p->arena)
        p->rc = judge(p, archive);
    else
        p->rc = mt_fault_set(&p->fault, MT_ERR_NOMEM, "memory", "out of memory");
    mt_arena_free(p->arena);
    mt_buf_deinit(&p->scratch);
}

static enum mt_rc name_short(struct mt_purge *purge)
{
    size_t n = purge->result.short_n;

    if (n && !strcmp(purge->short_of[n - 1], purge->conversation))
        return MT_OK;
    if (n == purge->short_cap) {
        size_t cap = n ? n * 2 : 16;
        char **list = mt_mem_realloc(purge->short_of, cap * sizeof *list);
        if (!list)
            return MT_ERR_NOMEM;
        purge->short_of = list;
        purge->short_cap = cap;
    }
    purge->short_of[n] = mt_mem_strdup(purge->conversation);
    if (!purge->short_of[n])
        return MT_ERR_NOMEM;
    purge->result.short_n = n + 1;
    purge->result.short_of = (const char *const *)purge->short_of;
    return MT_OK;
}

/* What would become of the portion; nothing of it is handed out. */
static void tally(struct mt_purge *purge)
{
    bool is_short = false;

    for (size_t i = 0; i < purge->n; i++) {
        enum mt_gate_verdict verdict = purge->verdicts[i];

        if (verdict == MT_GATE_LET)
            purge->result.let_n++;
        else
            purge->result.refused_n[verdict]++;
        is_short = is_short || verdict == MT_GATE_NOT_ARCHIVED || verdict == MT_GATE_CHANGED;
    }
    if (is_short && name_short(purge))
        mt_purge_fail(purge, MT_ERR_NOMEM, NULL);
    purge->at = purge->n;
}

static void loaded(void *ud)
{
    struct portion *p = ud;
    struct mt_purge *purge = p->purge;

    purge->loading = false;
    purge->at = 0;
    if (p->rc) {
        purge->n = 0;
        mt_purge_fail(purge, p->rc, &p->fault);
    }
    purge->whole = !purge->n;
    for (size_t i = 0; i < purge->n; i++)
        mt_purge_figures(purge)->archived_n += purge->verdicts[i] == MT_GATE_LET;
    if (purge->options.only_looks)
        tally(purge);
    mt_hold_lists_clear(&p->lists);
    mt_mem_free(p);
    mt_purge_advance(purge);
}

static void start_load(struct mt_purge *purge)
{
    struct portion *p = mt_mem_calloc(1, sizeof *p);
    enum mt_rc rc = p ? MT_OK : MT_ERR_NOMEM;

    if (p) {
        p->purge = purge;
        if (purge->options.only_looks)
            rc = mt_purge_lists(purge, &p->lists, &p->fault);
        if (rc)
            mt_purge_fail(purge, rc, &p->fault);
        else if (mt_writer_run(purge->options.archive, load, loaded, p))
            rc = MT_ERR_NOMEM;
        if (!rc) {
            purge->loading = true;
            return;
        }
        mt_hold_lists_clear(&p->lists);
    }
    mt_mem_free(p);
    mt_purge_fail(purge, MT_ERR_NOMEM, NULL); /* the first failure is the one to tell */
}

/* ---------------------------------------------------------------- handing out */

static struct mt_purge_batch *next_batch(struct mt_purge *purge)
{
    size_t most = purge->options.batch_n ? purge->options.batch_n : BATCH_N;
    size_t n = purge->n - purge->at < most ? purge->n - purge->at : most;
    struct mt_purge_batch *b =
        mt_purge_batch_new(purge, purge->conversation, purge->items + purge->at, n);

    if (!b)
        return NULL;
    memcpy(b->verdicts, purge->verdicts + purge->at, n * sizeof *b->verdicts);
    purge->at += n;
    return b;
}

static bool hand_out(struct mt_purge *purge)
{
    struct mt_purge_batch *b = purge->open;

    if (b) {
        purge->open = b->next;
        mt_purge_batch_start(b);
        return true;
    }
    if (!purge->settled) { /* nothing is deleted before it is known what an earlier run did */
        purge->settled = purge->batches_n == 0;
        return purge->settled;
    }
    if (purge->loading || purge->at == purge->n)
        return false;
    b = next_batch(purge);
    if (b)
        mt_purge_batch_start(b);
    else
        mt_purge_fail(purge, MT_ERR_NOMEM, NULL);
    return b != NULL;
}

static void hand_out_all(struct mt_purge *purge)
{
    unsigned most = purge->options.batches ? purge->options.batches : BATCHES;

    while (!purge->rc && !purge->cancelled && purge->batches_n < most && hand_out(purge))
        ;
    if (!purge->rc && !purge->cancelled && purge->settled && !purge->loading &&
        purge->at == purge->n && !purge->whole)
        start_load(purge);
}

/* A batch may end while it is being begun: the outermost call looks again. */
void mt_purge_advance(struct mt_purge *purge)
{
    if (!purge->begun || purge->handing) {
        purge->again = true;
        return;
    }
    purge->handing = true;
    do {
        purge->again = false;
        hand_out_all(purge);
    } while (purge->again);
    purge->handing = false;
    bool stops = purge->rc || purge->cancelled || (purge->whole && purge->settled);
    if (stops && !purge->loading && !purge->batches_n)
        end(purge);
}

void mt_purge_cancel(struct mt_purge *purge)
{
    purge->cancelled = true;
}

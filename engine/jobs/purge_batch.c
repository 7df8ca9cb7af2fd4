/* One batch: the look whether they are still there and as they were, the holds once more, the
 * intent, the deletion, the look whether they are gone, the result. The cloud's answer to a
 * deletion says neither how many nor which (R3): only what was found before, and is not found any
 * more, is called deleted. What was edited since it was planned is spared: the archive may not have
 * it. */
#include "jobs/purge_int.h"

#include "base/mem.h"
#include "loop/loop.h"
#include "provider/cloud_clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALLS_MAX   8 /* of one batch on their way at once */
#define LOOKS_MAX   6 /* until what is still there is called so */
#define LOOK_MS     200
#define STRINGS_MAX ((size_t)16 << 20)
#define SCRATCH_MAX ((size_t)64 << 20)
#define ABSENT      MT_GATE_VERDICTS_N /* not there any more, beside the gate's verdicts */

static void look(struct mt_purge_batch *b);

void mt_purge_batch_free(struct mt_purge_batch *b)
{
    if (!b)
        return;
    mt_hold_lists_clear(&b->lists);
    mt_reader_free(b->reader);
    mt_timer_free(b->timer);
    mt_arena_free(b->strings);
    mt_mem_free(b->items);
    mt_mem_free(b->verdicts);
    mt_mem_free(b->keys);
    mt_mem_free(b->left);
    mt_mem_free(b);
}

static enum mt_rc copy(struct mt_purge_batch *b, const struct mt_plan_item *items)
{
    for (size_t i = 0; i < b->n; i++) {
        struct mt_message_key *key = &b->items[i].key;

        b->items[i] = items[i];
        key->id = mt_arena_strdup(b->strings, items[i].key.id);
        key->from = items[i].key.from ? mt_arena_strdup(b->strings, items[i].key.from) : NULL;
        if (!key->id || (items[i].key.from && !key->from))
            return MT_ERR_NOMEM;
    }
    return MT_OK;
}

struct mt_purge_batch *mt_purge_batch_new(struct mt_purge *purge, const char *conversation,
                                          const struct mt_plan_item *items, size_t n)
{
    struct mt_purge_batch *b = mt_mem_calloc(1, sizeof *b);
    struct mt_fault ignored;

    if (!b)
        return NULL;
    b->purge = purge;
    b->n = n;
    (void)snprintf(b->conversation, sizeof b->conversation, "%s", conversation);
    b->strings = mt_arena_new(STRINGS_MAX);
    b->items = mt_mem_calloc(n, sizeof *b->items);
    b->verdicts = mt_mem_calloc(n, sizeof *b->verdicts);
    b->keys = mt_mem_calloc(n, sizeof *b->keys);
    b->left = mt_mem_calloc(n, sizeof *b->left);
    if (!b->strings || !b->items || !b->verdicts || !b->keys || !b->left || copy(b, items) ||
        mt_conversation_ref_parse(conversation, &b->ref, &ignored)) {
        mt_purge_batch_free(b);
        return NULL;
    }
    return b;
}

/* It is over; why is in the purge. */
static void end(struct mt_purge_batch *b)
{
    struct mt_purge *purge = b->purge;
    struct mt_purge_batch **at = &purge->first;

    while (*at != b)
        at = &(*at)->next;
    *at = b->next;
    purge->batches_n--;
    mt_purge_batch_free(b);
    mt_purge_advance(purge);
}

static void give_up(struct mt_purge_batch *b, enum mt_rc rc, const struct mt_fault *fault)
{
    mt_purge_fail(b->purge, rc, fault);
    end(b);
}

/* ---------------------------------------------------------------- the result */

static void on_result(void *ud, enum mt_rc rc, const uint64_t *numbers, size_t n,
                      const struct mt_fault *fault)
{
    struct mt_purge_batch *b = ud;
    struct mt_purge *purge = b->purge;

    (void)numbers;
    (void)n;
    if (rc) {
        give_up(b, rc, fault);
        return;
    }
    if (b->settles) {
        purge->result.settled_n += b->n - b->left_n;
        mt_purge_figures(purge)->settled_n += b->n - b->left_n;
    } else {
        purge->result.deleted_n += b->n - b->left_n;
        purge->result.left_n += b->left_n;
        mt_purge_figures(purge)->deleted_n += b->n - b->left_n;
        mt_purge_figures(purge)->left_n += b->left_n;
    }
    if (b->rc)
        mt_purge_fail(purge, b->rc, &b->fault);
    if (purge->progress)
        purge->progress(purge->ud, &purge->result);
    end(b);
}

static struct mt_audit_record record_of(const struct mt_purge_batch *b, enum mt_audit_type type)
{
    const struct mt_purge *purge = b->purge;

    return (struct mt_audit_record){
        .type = type,
        .intent = type == MT_AUDIT_RESULT ? b->intent : 0,
        .account = purge->name,
        .user = purge->options.provider->user(purge->options.account),
        .actor = purge->actor,
        .verb = "delete_messages",
        .conversation = b->conversation,
    };
}

/* What is gone, and what is not: each in a record of its own. */
static void say_result(struct mt_purge_batch *b)
{
    const char **ids = mt_mem_calloc(b->n, sizeof *ids);
    struct mt_audit_record records[2];
    size_t gone_n = b->n - b->left_n;
    size_t n = 0;
    enum mt_rc rc = MT_ERR_NOMEM;

    if (ids) {
        size_t gone = 0, left = gone_n;
        for (size_t i = 0; i < b->n; i++)
            ids[b->left[i] ? left++ : gone++] = b->items[i].key.id;
        if (gone_n) {
            records[n] = record_of(b, MT_AUDIT_RESULT);
            records[n].outcome = "gone";
            records[n].ids = ids;
            records[n++].ids_n = gone_n;
        }
        if (b->left_n) {
            records[n] = record_of(b, MT_AUDIT_RESULT);
            records[n].outcome = "left";
            records[n].code = b->rc ? b->fault.code : b->settles ? NULL : "delete.left";
            records[n].ids = ids + gone_n;
            records[n++].ids_n = b->left_n;
        }
        rc = mt_audit_log_append(b->purge->options.audit, records, n, on_result, b);
    }
    mt_mem_free(ids);
    if (rc)
        give_up(b, rc, NULL);
}

/* ---------------------------------------------------------------- are they gone? */

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct mt_plan_item *)a)->key.id,
                  ((const struct mt_plan_item *)b)->key.id);
}

/* Whether the message is still what was planned. */
static void compare(struct mt_purge_batch *b, const struct mt_message *m, size_t at,
                    struct mt_buf *scratch)
{
    uint8_t digest[MT_PLAN_DIGEST_LEN];
    enum mt_rc rc = mt_message_digest(m, scratch, digest);

    if (rc && !b->rc) {
        b->rc = rc;
        (void)mt_fault_set(&b->fault, rc, "memory", "out of memory");
    }
    if (rc || memcmp(digest, b->items[at].digest, sizeof digest) != 0)
        b->verdicts[at] = MT_GATE_CHANGED;
}

static void on_page(void *ud, const struct mt_message *items, size_t n)
{
    struct mt_purge_batch *b = ud;
    struct mt_buf scratch;

    mt_buf_init(&scratch, SCRATCH_MAX);
    for (size_t i = 0; i < n; i++) {
        struct mt_plan_item wanted = {.key.id = items[i].id};
        struct mt_plan_item *found = items[i].type == MT_TYPE_MESSAGE && mt_id_is(items[i].id)
                                         ? bsearch(&wanted, b->items, b->n, sizeof *b->items, by_id)
                                         : NULL;
        if (found && b->before)
            compare(b, &items[i], (size_t)(found - b->items), &scratch);
        if (found && !b->left[found - b->items]) {
            b->left[found - b->items] = true;
            b->left_n++;
        }
    }
    mt_buf_deinit(&scratch);
    mt_reader_continue(b->reader);
}

static void on_seen(struct mt_purge_batch *b);

static void on_read(void *ud, enum mt_rc rc, const struct mt_fault *fault)
{
    struct mt_purge_batch *b = ud;

    mt_reader_free(b->reader);
    b->reader = NULL;
    if (rc) { /* nobody knows: the intent stays open, and the next run looks again */
        give_up(b, rc, fault);
        return;
    }
    if (b->before) {
        on_seen(b);
        return;
    }
    b->looks_n++;
    if (b->left_n && b->looks_n < LOOKS_MAX && !b->settles && !b->rc) {
        mt_timer_start(b->timer, LOOK_MS << (b->looks_n - 1), 0);
        return;
    }
    say_result(b);
}

static void on_timer(void *ud)
{
    look(ud);
}

static void look(struct mt_purge_batch *b)
{
    struct mt_purge *purge = b->purge;
    struct mt_reader_options options = {
        .query = {.conversation = b->ref,
                  .oldest_first = true,
                  .since_ms = b->since_ms,
                  .until_ms = b->until_ms},
        .budget = purge->options.budget,
    };
    struct mt_fault fault;
    enum mt_rc rc = MT_OK;

    b->left_n = 0;
    memset(b->left, 0, b->n * sizeof *b->left);
    if (!b->timer)
        rc = mt_timer_new(purge->loop, on_timer, b, &b->timer);
    if (rc)
        (void)mt_fault_set(&fault, rc, "memory", "out of memory");
    else
        rc = mt_reader_start(purge->loop, purge->options.provider, purge->options.account, &options,
                             on_page, on_read, b, &b->reader, &fault);
    if (rc)
        give_up(b, rc, &fault);
}

/* ---------------------------------------------------------------- the deletion */

static void ask(struct mt_purge_batch *b);

static void on_deleted(void *ud, enum mt_rc rc, const struct mt_fault *fault)
{
    struct mt_purge_batch *b = ud;

    b->calls_n--;
    if (rc && !b->rc) {
        b->rc = rc;
        b->fault = *fault;
    }
    ask(b);
}

/* After a failure nothing more is asked for; what was is looked for. */
static void ask(struct mt_purge_batch *b)
{
    struct mt_purge *purge = b->purge;
    struct mt_provider_call *call = NULL;

    while (b->at < b->n && b->calls_n < CALLS_MAX && !b->rc) {
        size_t n = b->n - b->at < purge->live->delete_max ? b->n - b->at : purge->live->delete_max;

        b->rc = purge->live->delete_ids(purge->options.account, &b->ref, b->keys + b->at, n,
                                        on_deleted, b, &call);
        if (b->rc) {
            (void)mt_fault_set(&b->fault, b->rc, "memory", "out of memory");
            break;
        }
        b->calls_n++;
        b->at += n;
    }
    if (!b->calls_n)
        look(b);
}

static void on_intent(void *ud, enum mt_rc rc, const uint64_t *numbers, size_t n,
                      const struct mt_fault *fault)
{
    struct mt_purge_batch *b = ud;

    if (rc || n != 1) {
        give_up(b, rc ? rc : MT_ERR_STATE, fault);
        return;
    }
    b->intent = numbers[0];
    mt_purge_figures(b->purge)->batches_n++;
    ask(b);
}

static void say_intent(struct mt_purge_batch *b)
{
    struct mt_audit_record record = record_of(b, MT_AUDIT_INTENT);
    const char **ids = mt_mem_calloc(b->n, sizeof *ids);
    const struct mt_plan *plan = b->purge->plan;
    char why[160];
    char detail[100];
    enum mt_rc rc = MT_ERR_NOMEM;

    (void)snprintf(why, sizeof why, "plan %s", mt_plan_hash(plan));
    (void)snprintf(detail, sizeof detail, "{\"since\":%lld,\"until\":%lld}", (long long)b->since_ms,
                   (long long)b->until_ms);
    record.why = why;
    record.detail = detail;
    if (ids) {
        for (size_t i = 0; i < b->n; i++)
            ids[i] = b->items[i].key.id;
        record.ids = ids;
        record.ids_n = b->n;
        rc = mt_audit_log_append(b->purge->options.audit, &record, 1, on_intent, b);
    }
    mt_mem_free(ids);
    if (rc)
        give_up(b, rc, NULL);
}

/* ---------------------------------------------------------------- the gate */

static void read_holds(void *ud)
{
    struct mt_purge_batch *b = ud;
    struct mt_holds *holds = NULL;

    b->work_rc = mt_holds_read_all(&b->lists, &holds, &b->work_fault);
    if (b->work_rc)
        return;
    mt_gate_hold(holds, mt_plan_head(b->purge->plan), b->conversation, b->items, b->n, b->verdicts);
    mt_holds_free(holds);
}

/* Only what is let through stays. */
static void narrow(struct mt_purge_batch *b)
{
    struct mt_purge_result *result = &b->purge->result;
    struct mt_purge_figures *figures = mt_purge_figures(b->purge);
    size_t kept = 0;

    for (size_t i = 0; i < b->n; i++) {
        if (b->verdicts[i] == ABSENT) {
            result->absent_n++;
            figures->absent_n++;
        } else if (b->verdicts[i] != MT_GATE_LET) {
            result->refused_n[b->verdicts[i]]++;
            figures->refused_n[b->verdicts[i]]++;
        } else {
            b->items[kept++] = b->items[i];
        }
    }
    b->n = kept;
    for (size_t i = 0; i < kept; i++)
        b->verdicts[i] = MT_GATE_LET;
}

/* Where they lie, and in the order in which they are looked up. */
static void arrange(struct mt_purge_batch *b)
{
    qsort(b->items, b->n, sizeof *b->items, by_id);
    b->since_ms = INT64_MAX;
    b->until_ms = 0;
    for (size_t i = 0; i < b->n; i++) {
        int64_t ms = b->items[i].key.time_ms;

        b->keys[i] = b->items[i].key;
        b->since_ms = ms < b->since_ms ? ms : b->since_ms;
        b->until_ms = ms + 1 > b->until_ms ? ms + 1 : b->until_ms;
    }
}

static void on_holds(void *ud, bool cancelled)
{
    struct mt_purge_batch *b = ud;
    struct mt_fault fault;

    if (cancelled || b->work_rc) {
        give_up(b, cancelled ? MT_ERR_CANCELLED : b->work_rc, cancelled ? NULL : &b->work_fault);
        return;
    }
    if (b->purge->rc || b->purge->cancelled) {
        end(b);
        return;
    }
    enum mt_rc rc = mt_clock_trusted(b->purge->options.provider, b->purge->options.account, &fault);
    if (rc) {
        give_up(b, rc, &fault);
        return;
    }
    b->purge->left_of_cap -= mt_gate_cap(b->purge->left_of_cap, b->verdicts, b->n);
    narrow(b);
    arrange(b);
    if (b->n)
        say_intent(b);
    else
        end(b);
}

/* The list of holds is read as late as can be: after this there is the intent, and the call. */
static void on_seen(struct mt_purge_batch *b)
{
    b->before = false;
    if (b->rc) {
        give_up(b, b->rc, &b->fault);
        return;
    }
    for (size_t i = 0; i < b->n; i++) {
        if (!b->left[i])
            b->verdicts[i] = ABSENT;
    }
    narrow(b);
    if (b->n && mt_purge_lists(b->purge, &b->lists, &b->fault))
        give_up(b, b->fault.kind, &b->fault);
    else if (!b->n)
        end(b);
    else if (mt_work_start(b->purge->loop, read_holds, on_holds, b, NULL))
        give_up(b, MT_ERR_NOMEM, NULL);
}

void mt_purge_batch_start(struct mt_purge_batch *b)
{
    struct mt_purge *purge = b->purge;

    b->next = purge->first;
    purge->first = b;
    purge->batches_n++;
    if (b->settles) {
        qsort(b->items, b->n, sizeof *b->items, by_id);
        look(b);
        return;
    }
    narrow(b);
    arrange(b);
    b->before = true;
    if (b->n)
        look(b);
    else
        end(b);
}

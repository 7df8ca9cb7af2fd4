/* One conversation of a plan: its history, oldest first, message by message through the policy and
 * the holds. What is planned is gathered and written in portions; only one conversation writes at a
 * time, for its items stand together in the plan's file. */
#include "jobs/plan_make_int.h"

#include "base/mem.h"
#include "base/str.h"
#include "codec/json.h"
#include "loop/loop.h"

#include <stdio.h>
#include <string.h>

#define PORTION_ITEMS    8192u /* written at once */
#define STRINGS_MAX      ((size_t)64 << 20)
#define DEFAULT_PARALLEL 16
#define SCRATCH_MAX      ((size_t)64 << 20)
#define HELD_MAX         256 /* different holds that are counted in one conversation */

/* A message whose newer ones have not all been seen: bit i of mask says whether the policy means it
 * with as many newer ones as the i-th span of ranks. */
struct waiting {
    struct mt_plan_item *item; /* with its strings; NULL: it is never meant */
    uint32_t mask;
};

struct held {
    char *id;
    uint64_t n;
};

struct mt_plan_read {
    struct mt_plan_make *make;
    struct mt_plan_read *next;
    struct mt_reader *reader;
    struct mt_conversation_ref ref;
    char conversation[MT_CONVERSATION_ID_MAX];
    bool pinned;
    mt_plan_made_fn *done;
    void *ud;

    struct mt_plan_item *items; /* PORTION_ITEMS and a page more */
    size_t n, cap;
    struct mt_arena *strings; /* of the items */
    struct mt_buf scratch;
    struct waiting *ring;
    size_t ring_cap, ring_n, ring_at;

    struct mt_plan_count count;
    struct held *held;
    size_t held_n;

    bool posted, wants_turn, writing, paused, read_all, ending, cancelled;
    enum mt_rc rc;
    struct mt_fault fault;
    enum mt_rc work_rc;
    struct mt_fault work_fault;
};

static void advance(struct mt_plan_read *read);

static void fail(struct mt_plan_read *read, enum mt_rc rc, const struct mt_fault *fault)
{
    if (read->rc)
        return;
    read->rc = rc;
    if (fault)
        read->fault = *fault;
    else
        mt_fault_set(&read->fault, rc, "plan.failed", "%s: %s", read->conversation, mt_rc_name(rc));
}

static void read_free(struct mt_plan_read *read)
{
    struct mt_plan_make *make = read->make;
    struct mt_plan_read **at = &make->first;

    while (*at && *at != read)
        at = &(*at)->next;
    if (*at)
        *at = read->next;
    mt_reader_free(read->reader);
    for (size_t i = 0; read->ring && i < read->ring_n; i++)
        mt_mem_free(read->ring[(read->ring_at + i) % read->ring_cap].item);
    for (size_t i = 0; i < read->held_n; i++)
        mt_mem_free(read->held[i].id);
    mt_mem_free(read->held);
    mt_mem_free(read->ring);
    mt_mem_free(read->items);
    mt_arena_free(read->strings);
    mt_buf_deinit(&read->scratch);
    mt_mem_free(read);
    mt_plan_make_release(make);
}

/* ---------------------------------------------------------------- what is planned */

static enum mt_rc count_held(struct mt_plan_read *read, const struct mt_hold *hold)
{
    read->count.held_n++;
    for (size_t i = 0; i < read->held_n; i++) {
        if (!strcmp(read->held[i].id, hold->id)) {
            read->held[i].n++;
            return MT_OK;
        }
    }
    if (read->held_n == HELD_MAX)
        return MT_OK; /* held_n of the count has them all */
    struct held *more = mt_mem_realloc(read->held, (read->held_n + 1) * sizeof *more);
    if (!more)
        return MT_ERR_NOMEM;
    read->held = more;
    more[read->held_n] = (struct held){mt_mem_strdup(hold->id), 1};
    if (!more[read->held_n].id)
        return MT_ERR_NOMEM;
    read->held_n++;
    return MT_OK;
}

static enum mt_rc room(struct mt_plan_read *read)
{
    if (read->n < read->cap)
        return MT_OK;
    size_t cap = read->cap ? read->cap * 2 : 256;
    struct mt_plan_item *items = mt_mem_realloc(read->items, cap * sizeof *items);
    if (!items)
        return MT_ERR_NOMEM;
    read->items = items;
    read->cap = cap;
    return MT_OK;
}

/* The policy means it: a hold may still keep it. */
static enum mt_rc plan(struct mt_plan_read *read, const struct mt_plan_item *item)
{
    struct mt_plan_make *make = read->make;
    const struct mt_hold *hold =
        mt_holds_find(make->holds, make->name, make->options.provider->user(make->options.account),
                      read->conversation, item->key.from, item->key.time_ms);
    struct mt_plan_count *count = &read->count;

    if (hold)
        return count_held(read, hold);
    if (room(read))
        return MT_ERR_NOMEM;
    struct mt_plan_item *to = &read->items[read->n];
    *to = *item;
    to->key.id = mt_arena_strdup(read->strings, item->key.id);
    to->key.from = item->key.from ? mt_arena_strdup(read->strings, item->key.from) : NULL;
    if (!to->key.id || (item->key.from && !to->key.from))
        return MT_ERR_NOMEM;
    read->n++;
    count->planned_n++;
    if (!count->oldest_ms || item->key.time_ms < count->oldest_ms)
        count->oldest_ms = item->key.time_ms;
    if (item->key.time_ms > count->newest_ms)
        count->newest_ms = item->key.time_ms;
    return MT_OK;
}

/* ---------------------------------------------------------------- the newest of a conversation */

/* Which span of ranks: 0 has fewer newer ones than ranks[0], the last at least as many as the
 * largest. */
static unsigned span_of(const struct mt_plan_make *make, uint64_t newer_n)
{
    unsigned span = 0;

    while (span < make->ranks_n && newer_n >= make->ranks[span])
        span++;
    return span;
}

static enum mt_rc leave_ring(struct mt_plan_read *read, uint64_t newer_n)
{
    struct waiting *first = &read->ring[read->ring_at];
    enum mt_rc rc = MT_OK;

    if (first->item && first->mask >> span_of(read->make, newer_n) & 1)
        rc = plan(read, first->item);
    mt_mem_free(first->item);
    first->item = NULL;
    read->ring_at = (read->ring_at + 1) % read->ring_cap;
    read->ring_n--;
    return rc;
}

static struct mt_plan_item *copy_item(const struct mt_plan_item *item)
{
    size_t id = strlen(item->key.id) + 1;
    size_t from = item->key.from ? strlen(item->key.from) + 1 : 0;
    struct mt_plan_item *copy = mt_mem_alloc(sizeof *copy + id + from);

    if (!copy)
        return NULL;
    *copy = *item;
    char *strings = (char *)(copy + 1);
    memcpy(strings, item->key.id, id);
    copy->key.id = strings;
    if (from) {
        memcpy(strings + id, item->key.from, from);
        copy->key.from = strings + id;
    }
    return copy;
}

static enum mt_rc enter_ring(struct mt_plan_read *read, const struct mt_plan_item *item,
                             uint32_t mask)
{
    struct waiting entry = {.mask = mask};

    if (read->ring_n == read->ring_cap) { /* as many are newer as any newest(n) asks for */
        enum mt_rc rc = leave_ring(read, read->ring_cap);
        if (rc)
            return rc;
    }
    if (mask && item) {
        entry.item = copy_item(item);
        if (!entry.item)
            return MT_ERR_NOMEM;
    }
    read->ring[(read->ring_at + read->ring_n++) % read->ring_cap] = entry;
    return MT_OK;
}

/* ---------------------------------------------------------------- reading */

static enum mt_rc judge(struct mt_plan_read *read, const struct mt_message *m)
{
    struct mt_plan_make *make = read->make;
    struct mt_policy_facts facts = {
        .message = m, .pinned = read->pinned, .now_ms = make->options.now_ms};
    struct mt_plan_item item = {.key = mt_message_key_of(m)};
    uint32_t mask = 0;
    enum mt_rc rc = MT_OK;

    if (m->type != MT_TYPE_MESSAGE)
        return MT_OK;
    read->count.seen_n++;
    for (unsigned span = 0; span <= make->ranks_n; span++) {
        facts.newer_n = span ? make->ranks[span - 1] : 0;
        if (mt_policy_holds(make->policy, &facts))
            mask |= UINT32_C(1) << span;
    }
    bool named = mt_id_is(m->id); /* without an id no deletion can mean it */
    if (mask && named)
        rc = mt_message_digest(m, &read->scratch, item.digest);
    if (rc)
        return rc;
    if (make->ranks_n)
        return enter_ring(read, named ? &item : NULL, mask);
    return mask && named ? plan(read, &item) : MT_OK;
}

static void on_page(void *ud, const struct mt_message *items, size_t n)
{
    struct mt_plan_read *read = ud;
    enum mt_rc rc = MT_OK;

    for (size_t i = 0; i < n && !rc; i++)
        rc = judge(read, &items[i]);
    if (rc)
        fail(read, rc, NULL);
    read->paused = true;
    advance(read);
}

static void on_read(void *ud, enum mt_rc rc, const struct mt_fault *fault)
{
    struct mt_plan_read *read = ud;

    mt_reader_free(read->reader);
    read->reader = NULL;
    read->read_all = true;
    if (rc)
        fail(read, rc, fault);
    for (uint64_t newer_n = read->ring_n; newer_n-- > 0 && !read->rc;) {
        enum mt_rc own = leave_ring(read, newer_n);
        if (own)
            fail(read, own, NULL);
    }
    advance(read);
}

/* ---------------------------------------------------------------- writing */

static enum mt_rc write_held(struct mt_plan_read *read)
{
    struct mt_buf *out = &read->scratch;

    mt_buf_reset(out);
    mt_buf_append_char(out, '{');
    for (size_t i = 0; i < read->held_n; i++) {
        if (i)
            mt_buf_append_char(out, ',');
        mt_json_write_str(out, read->held[i].id, strlen(read->held[i].id));
        mt_buf_append_char(out, ':');
        mt_buf_append_u64(out, read->held[i].n);
    }
    mt_buf_append_char(out, '}');
    return mt_buf_append_char(out, '\0');
}

static void write_portion(void *ud)
{
    struct mt_plan_read *read = ud;
    struct mt_plan_writer *writer = read->make->writer;

    read->work_rc = MT_OK;
    if (read->n)
        read->work_rc = mt_plan_conversation(writer, read->conversation, read->items, read->n,
                                             &read->work_fault);
    if (!read->work_rc && read->ending)
        read->work_rc =
            mt_plan_conversation_end(writer, read->conversation, &read->count,
                                     read->held_n ? read->scratch.data : NULL, &read->work_fault);
}

static void ended(struct mt_plan_read *read)
{
    struct mt_plan_make *make = read->make;
    mt_plan_made_fn *done = read->done;
    void *ud = read->ud;
    enum mt_rc rc = read->cancelled ? MT_ERR_CANCELLED : read->rc;
    struct mt_fault fault = read->fault;

    if (read->cancelled)
        (void)mt_fault_set(&fault, rc, "cancelled", "cancelled");
    if (rc)
        make->failed = true;
    mt_plan_make_retain(make);
    if (make->turn == read)
        make->turn = NULL;
    read_free(read);
    done(ud, rc, rc ? &fault : NULL);
    if (!make->freed)
        mt_plan_read_next(make);
    mt_plan_make_release(make);
}

static void written(void *ud, bool cancelled)
{
    struct mt_plan_read *read = ud;

    read->writing = false;
    read->make->busy = false;
    if (cancelled)
        fail(read, MT_ERR_CANCELLED, NULL);
    else if (read->work_rc)
        fail(read, read->work_rc, &read->work_fault);
    read->n = 0;
    mt_arena_reset(read->strings);
    if (read->ending || read->rc || read->cancelled) {
        ended(read);
        return;
    }
    advance(read);
}

/* Its turn is kept until its end: its items stand together. */
static void write_some(struct mt_plan_read *read)
{
    struct mt_plan_make *make = read->make;

    read->wants_turn = true;
    if (make->turn && make->turn != read)
        return;
    make->turn = read;
    read->wants_turn = false;
    read->ending = read->read_all;
    if (read->ending && write_held(read)) {
        fail(read, MT_ERR_NOMEM, NULL);
        ended(read);
        return;
    }
    if (mt_work_start(make->loop, write_portion, written, read, NULL)) {
        fail(read, MT_ERR_NOMEM, NULL);
        ended(read);
        return;
    }
    read->writing = true;
    make->busy = true;
}

void mt_plan_read_next(struct mt_plan_make *make)
{
    for (struct mt_plan_read *read = make->first; read && !make->turn; read = read->next) {
        if (read->wants_turn) {
            write_some(read);
            return;
        }
    }
}

static void advance(struct mt_plan_read *read)
{
    if (read->writing)
        return;
    if (read->rc || read->cancelled) {
        ended(read);
        return;
    }
    if (read->read_all || read->n >= PORTION_ITEMS) {
        write_some(read);
        return;
    }
    if (read->paused) {
        read->paused = false;
        mt_reader_continue(read->reader);
    }
}

void mt_plan_read_cancel(struct mt_plan_read *read)
{
    struct mt_plan_make *make = read->make;
    struct mt_plan_read **at = &make->first;

    read->cancelled = true;
    while (*at && *at != read)
        at = &(*at)->next;
    if (*at)
        *at = read->next; /* it ends by itself: its work has to come back first */
    read->next = NULL;
    mt_reader_free(read->reader);
    read->reader = NULL;
    if (!read->writing && !read->posted)
        ended(read);
}

/* ---------------------------------------------------------------- the beginning */

static void tell_nothing(void *ud)
{
    struct mt_plan_read *read = ud;

    read->posted = false;
    on_read(read, MT_OK, NULL);
}

static struct mt_plan_read *read_new(struct mt_plan_make *make,
                                     const struct mt_conversation_ref *ref)
{
    struct mt_plan_read *read = mt_mem_calloc(1, sizeof *read);

    if (!read)
        return NULL;
    read->make = make;
    mt_plan_make_retain(make);
    read->ref = *ref;
    mt_conversation_ref_format(ref, read->conversation);
    mt_buf_init(&read->scratch, SCRATCH_MAX);
    read->strings = mt_arena_new(STRINGS_MAX);
    if (make->ranks_n) {
        read->ring_cap = make->ranks[make->ranks_n - 1];
        if (!read->ring_cap)
            read->ring_cap = 1; /* newest(0) */
        read->ring = mt_mem_calloc(read->ring_cap, sizeof *read->ring);
    }
    if (!read->strings || (make->ranks_n && !read->ring)) {
        read_free(read);
        return NULL;
    }
    return read;
}

/* What is newer counts for newest(n), whoever sent it and of whatever kind. */
static void ask_less(const struct mt_plan_make *make, struct mt_history_query *query,
                     const char **kinds)
{
    query->since_ms = make->bounds.since_ms;
    if (make->ranks_n)
        return;
    query->until_ms = make->bounds.until_ms;
    query->from = make->bounds.from;
    for (size_t i = 0; i < make->bounds.kinds_n; i++) {
        if (!mt_message_kind_is_usual(make->bounds.kinds[i]))
            return; /* a cloud cannot be asked for what another calls so */
        kinds[i] = make->bounds.kinds[i];
    }
    query->kinds = make->bounds.kinds_n ? kinds : NULL;
}

enum mt_rc mt_plan_make_add(struct mt_plan_make *make, const struct mt_conversation_ref *ref,
                            bool pinned, mt_plan_made_fn *done, void *ud, struct mt_fault *fault)
{
    const struct mt_plan_make_options *o = &make->options;
    const char *kinds[sizeof make->bounds.kinds / sizeof *make->bounds.kinds + 1] = {NULL};
    struct mt_reader_options options = {
        .query = {.conversation = *ref, .oldest_first = true},
        .parallel = o->parallel ? o->parallel : DEFAULT_PARALLEL,
        .budget = o->budget,
    };
    struct mt_plan_read *read = read_new(make, ref);
    enum mt_rc rc = MT_OK;

    if (!read)
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    read->pinned = pinned;
    read->done = done;
    read->ud = ud;
    ask_less(make, &options.query, kinds);
    if (make->bounds.nothing || !mt_policy_may_concern(make->policy, ref)) {
        rc = mt_loop_post(make->loop, tell_nothing, read);
        read->posted = rc == MT_OK;
        if (rc)
            (void)mt_fault_set(fault, rc, "memory", "out of memory");
    } else
        rc = mt_reader_start(make->loop, o->provider, o->account, &options, on_page, on_read, read,
                             &read->reader, fault);
    if (rc) {
        read_free(read);
        return rc;
    }
    read->next = make->first;
    make->first = read;
    return MT_OK;
}

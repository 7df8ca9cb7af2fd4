/* The queues that the server keeps for this user, pulled one batch after the other (easemob.md
 * §3.2). The key that asks for more is the only acknowledgement: it goes out when the batch was
 * dealt with, never before. */
#include "provider/easemob/live_int.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"

#include <string.h>

#define PULLS_MAX  32 /* queues that are read at once */
#define SEEN_FIRST ((size_t)16)
#define QUEUES_MAX 2048 /* known at a time; the list is searched from its beginning */

/* ---------------------------------------------------------------- what was dealt with */

/* Most sessions of a process hear little: the ring begins small. */
static void seen_grow(struct mt_em_live *live)
{
    size_t cap = live->seen_cap ? live->seen_cap * 2 : SEEN_FIRST;
    uint64_t *seen = cap > MT_EM_SEEN_MAX ? NULL : mt_mem_realloc(live->seen, cap * sizeof *seen);

    if (!seen)
        return; /* the oldest is forgotten instead */
    live->seen = seen;
    live->seen_cap = cap;
}

static void remember(struct mt_em_live *live, uint64_t id)
{
    if (id && live->seen_n == live->seen_cap)
        seen_grow(live);
    if (!id || !live->seen_cap)
        return;
    size_t at = live->seen_n < live->seen_cap ? live->seen_n++ : live->seen_at++ % live->seen_cap;
    live->seen[at] = id;
}

static bool was_seen(const struct mt_em_live *live, uint64_t id)
{
    for (size_t i = 0; i < live->seen_n; i++) {
        if (live->seen[i] == id)
            return true;
    }
    return false;
}

/* Whether a batch that is in the caller's hands holds it. */
static bool is_out(const struct mt_em_live *live, uint64_t id)
{
    for (const struct mt_em_batch *batch = live->batches; batch; batch = batch->next) {
        for (size_t i = 0; i < batch->ids_n; i++) {
            if (batch->ids[i] == id)
                return true;
        }
    }
    return false;
}

/* ---------------------------------------------------------------- pulling */

/* Field 2 is the key, field 3 the queue, unchanged. */
static void ask(struct mt_em_live *live, struct mt_em_queue *queue, uint64_t key)
{
    struct mt_buf out;

    mt_buf_init(&out, queue->jid_len + 64);
    if (key) {
        mt_buf_append_char(&out, 0x10);
        for (; key >= 0x80; key >>= 7)
            mt_buf_append_char(&out, (char)(key | 0x80));
        mt_buf_append_char(&out, (char)key);
    }
    mt_buf_append_char(&out, 0x1a);
    size_t len = queue->jid_len;
    for (; len >= 0x80; len >>= 7)
        mt_buf_append_char(&out, (char)(len | 0x80));
    mt_buf_append_char(&out, (char)len);
    mt_buf_append(&out, queue->jid, queue->jid_len);
    if (!out.failed)
        (void)mt_em_live_send_sync(live, out.data, out.len);
    mt_buf_deinit(&out);
}

/* Queues that wait, oldest first, while there is room. */
static void pull_more(struct mt_em_live *live)
{
    for (struct mt_em_queue *q = live->queues; q && live->pulls_n < PULLS_MAX; q = q->next) {
        if (q->pulling || q->blocked || !q->again)
            continue;
        q->pulling = true;
        q->again = false;
        q->last_key = 0;
        live->pulls_n++;
        ask(live, q, 0);
    }
}

static struct mt_em_queue *find(struct mt_em_live *live, const Easemob__Pb__JID *jid, bool make)
{
    size_t len = easemob__pb__jid__get_packed_size(jid);
    struct mt_em_queue **at = &live->queues;
    struct mt_em_queue *made = mt_mem_calloc(1, sizeof *made + len);

    if (!made)
        return NULL;
    made->jid_len = easemob__pb__jid__pack(jid, made->jid);
    for (; *at; at = &(*at)->next) {
        if ((*at)->jid_len == made->jid_len && !memcmp((*at)->jid, made->jid, made->jid_len)) {
            mt_mem_free(made);
            return *at;
        }
    }
    if (!make || live->queues_n >= QUEUES_MAX) {
        live->queues_left = live->queues_left || make;
        mt_mem_free(made);
        return NULL;
    }
    *at = made;
    live->queues_n++;
    return made;
}

void mt_em_live_notice(struct mt_em_live *live, const Easemob__Pb__JID *jid)
{
    struct mt_em_queue *queue = find(live, jid, true);

    if (!queue)
        return; /* it is named again */
    queue->again = true;
    pull_more(live);
}

static void queue_remove(struct mt_em_live *live, struct mt_em_queue *queue)
{
    struct mt_em_queue **at = &live->queues;

    while (*at != queue)
        at = &(*at)->next;
    *at = queue->next;
    live->queues_n--;
    mt_mem_free(queue);
    if (!live->queues && live->queues_left) {
        live->queues_left = false;
        mt_em_live_send_unread(live);
    }
}

/* The chain has come to its end. */
static void rest(struct mt_em_live *live, struct mt_em_queue *queue)
{
    queue->pulling = false;
    live->pulls_n--;
    if (!queue->again)
        queue_remove(live, queue);
    pull_more(live);
}

/* What follows a batch that needs no further care. */
static void go_on(struct mt_em_live *live, struct mt_em_queue *queue, uint64_t key, bool had_metas,
                  bool last)
{
    if (!key || key == queue->last_key || (!had_metas && last)) {
        rest(live, queue);
        return;
    }
    queue->last_key = key;
    ask(live, queue, key);
}

/* ---------------------------------------------------------------- batches */

void mt_em_live_batch_free(struct mt_em_batch *batch)
{
    mt_arena_free(batch->arena);
    mt_mem_free(batch);
}

void mt_em_live_hand_out(struct mt_em_live *live, struct mt_em_batch *batch)
{
    if (live->stopped) {
        mt_em_live_batch_free(batch);
        return;
    }
    batch->live = live;
    batch->generation = live->generation;
    batch->next = live->batches;
    live->batches = batch;
    live->handlers.batch(live->ud, &batch->pub);
}

/* Metas that were not dealt with yet, moved to the front; their number. *held: some are in the
 * caller's hands. */
static size_t fresh(struct mt_em_live *live, Easemob__Pb__Meta **metas, size_t n, bool *held)
{
    size_t kept = 0;

    for (size_t i = 0; i < n; i++) {
        uint64_t id = metas[i]->has_id ? metas[i]->id : 0;
        if (id && is_out(live, id))
            *held = true;
        else if (!id || !was_seen(live, id))
            metas[kept++] = metas[i];
    }
    return kept;
}

/* To acknowledge it now would acknowledge what nobody has dealt with: it is pulled again later. */
static void block(struct mt_em_live *live, struct mt_em_queue *queue)
{
    queue->again = true;
    queue->blocked = true;
    rest(live, queue);
}

static void unblock(struct mt_em_live *live)
{
    for (struct mt_em_queue *q = live->queues; q; q = q->next)
        q->blocked = false;
    pull_more(live);
}

/* A batch with the events of n metas; NULL when memory is short, *rc says why. */
static struct mt_em_batch *batch_new(struct mt_em_live *live, Easemob__Pb__Meta *const *metas,
                                     size_t n, struct mt_arena *arena, enum mt_rc *rc)
{
    struct mt_em_batch *batch = mt_mem_calloc(1, sizeof *batch);

    *rc = MT_ERR_NOMEM;
    if (!batch)
        return NULL;
    batch->arena = arena;
    batch->ids = mt_arena_calloc(arena, n, sizeof *batch->ids);
    if (batch->ids)
        *rc = mt_em_live_events(live, metas, n, arena, &batch->pub);
    for (size_t i = 0; !*rc && i < n; i++)
        batch->ids[i] = metas[i]->has_id ? metas[i]->id : 0;
    batch->ids_n = n;
    if (!*rc)
        return batch;
    mt_mem_free(batch);
    return NULL;
}

/* Not acknowledged: it comes again with the next connection. */
static void no_memory(struct mt_em_live *live, enum mt_rc rc, size_t n)
{
    struct mt_fault fault;

    (void)mt_fault_set(&fault, rc, "live.memory", "%s: out of memory for %zu events",
                       live->account->name, n);
    mt_em_live_lose(live, &fault);
}

/* The queue that the batch answers a pull of; NULL: it is not ours to acknowledge. */
static struct mt_em_queue *queue_of(struct mt_em_live *live, const Easemob__Pb__CommSyncDL *dl,
                                    bool held)
{
    struct mt_em_queue *queue = dl->queue ? find(live, dl->queue, false) : NULL;

    if (!queue || !queue->pulling)
        return NULL;
    if (!held)
        return queue;
    block(live, queue);
    return NULL;
}

void mt_em_live_batch(struct mt_em_live *live, const Easemob__Pb__CommSyncDL *dl,
                      struct mt_arena *arena)
{
    uint64_t key = dl->has_nextkey ? dl->nextkey : 0;
    bool last = dl->has_islast && dl->islast;
    bool had_metas = dl->n_metas > 0;
    bool held = false;
    size_t n = fresh(live, dl->metas, dl->n_metas, &held);
    struct mt_em_queue *queue = queue_of(live, dl, held);
    enum mt_rc rc = MT_OK;
    struct mt_em_batch *batch = n ? batch_new(live, dl->metas, n, arena, &rc) : NULL;

    if (batch && batch->pub.n) {
        batch->queue = queue;
        batch->next_key = key;
        batch->last = last;
        mt_em_live_hand_out(live, batch);
        return;
    }
    for (size_t i = 0; batch && i < n; i++) /* nothing to tell of these */
        remember(live, batch->ids[i]);
    mt_mem_free(batch);
    mt_arena_free(arena);
    if (rc == MT_ERR_NOMEM || rc == MT_ERR_LIMIT)
        no_memory(live, rc, n);
    else if (queue && !rc) /* else the session was ended by what came */
        go_on(live, queue, key, had_metas, last);
}

static void nothing_more(void *ud, enum mt_rc rc, const struct mt_sent *sent,
                         const struct mt_fault *fault)
{
    (void)ud, (void)rc, (void)sent, (void)fault;
}

/* The senders of single chats are told that their messages arrived (§3.3): when they were dealt
 * with, not before. One that gets lost is not sent again, as the official SDK does not either. */
static void tell_senders(struct mt_em_live *live, const struct mt_event_batch *batch)
{
    for (size_t i = 0; i < batch->n; i++) {
        const struct mt_event *event = &batch->events[i];
        struct mt_reference reference = {.type = MT_REFER_DELIVERED,
                                         .conversation = event->conversation,
                                         .message.id = event->message.id,
                                         .message.from = event->message.from};

        if (event->type == MT_EVENT_MESSAGE && !event->message.sent &&
            event->conversation.kind == MT_CONVERSATION_SINGLE &&
            mt_em_live_refer(live->account, &reference, nothing_more, NULL, NULL))
            return;
    }
}

void mt_em_live_batch_done(struct mt_em_live *live, struct mt_em_batch *batch)
{
    struct mt_em_batch **at = &live->batches;
    struct mt_em_queue *queue = batch->queue;

    while (*at != batch)
        at = &(*at)->next;
    *at = batch->next;
    if (live->account->delivery_receipts)
        tell_senders(live, &batch->pub);
    for (size_t i = 0; i < batch->ids_n; i++)
        remember(live, batch->ids[i]);
    if (queue && batch->generation == live->generation)
        go_on(live, queue, batch->next_key, true, batch->last);
    mt_em_live_batch_free(batch);
    unblock(live);
}

/* A new connection pulls from the last key that the server was told: what was not acknowledged
 * comes again, and is known by its ids. */
void mt_em_live_queues_reset(struct mt_em_live *live)
{
    for (struct mt_em_batch *batch = live->batches; batch; batch = batch->next)
        batch->queue = NULL;
    mt_em_live_queues_free(live);
}

void mt_em_live_queues_free(struct mt_em_live *live)
{
    while (live->queues) {
        struct mt_em_queue *queue = live->queues;

        live->queues = queue->next;
        mt_mem_free(queue);
    }
    live->queues_n = 0;
    live->queues_left = false;
    live->pulls_n = 0;
}

/* See cloud.h. */
#include "cloud.h"

#include "../ids.h"
#include "base/arena.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct event {
    struct event *next;
    int64_t at_ms;
    void (*fn)(void *ud);
    void *ud;
};

struct mt_provider_call {
    struct cloud *cloud;
    struct mt_history_query query;
    char cursor[64];
    char from[64];
    bool cancelled;
    void (*done)(void *ud, enum mt_rc rc, const struct mt_history_page *page,
                 const struct mt_fault *fault);
    void *ud;
};

void cloud_init(struct cloud *cloud, uint64_t seed)
{
    *cloud = (struct cloud){.latency_ms = 50, .random = seed * 2654435761u + 1};
}

void cloud_deinit(struct cloud *cloud)
{
    mt_mem_free(cloud->entries);
    cloud->entries = NULL;
}

uint64_t cloud_random(struct cloud *cloud, uint64_t below)
{
    cloud->random ^= cloud->random << 13;
    cloud->random ^= cloud->random >> 7;
    cloud->random ^= cloud->random << 17;
    return below == 0 ? 0 : cloud->random % below;
}

void cloud_add(struct cloud *cloud, int64_t time_ms, uint64_t id, const char *from)
{
    if (cloud->n == cloud->room) {
        cloud->room = cloud->room == 0 ? 1024 : cloud->room * 2;
        cloud->entries = mt_mem_realloc(cloud->entries, cloud->room * sizeof *cloud->entries);
        if (cloud->entries == NULL)
            abort();
    }
    cloud->entries[cloud->n++] = (struct entry){time_ms, id, from};
}

void cloud_later(struct cloud *cloud, int64_t after_ms, void (*fn)(void *ud), void *ud)
{
    struct event *event = mt_mem_calloc(1, sizeof *event);
    struct event **at = &cloud->events;

    if (event == NULL)
        abort();
    event->at_ms = cloud->now_ms + after_ms;
    event->fn = fn;
    event->ud = ud;
    while (*at != NULL && (*at)->at_ms <= event->at_ms)
        at = &(*at)->next;
    event->next = *at;
    *at = event;
}

void cloud_run(struct cloud *cloud)
{
    while (cloud->events != NULL) {
        struct event *event = cloud->events;

        cloud->events = event->next;
        cloud->now_ms = event->at_ms;
        event->fn(event->ud);
        mt_mem_free(event);
    }
}

static size_t visible(const struct cloud *cloud)
{
    return cloud->requests >= cloud->arrive_at ? cloud->n : cloud->n - cloud->arriving;
}

/* Index of the first entry to look at, going the query's way; -1 or n when there is none. */
static int64_t begin_at(const struct cloud *cloud, const struct mt_history_query *q, size_t n)
{
    uint64_t cursor = 0;
    bool bounded = cloud->fault != CLOUD_UNBOUNDED;
    int64_t i = 0;

    if (q->cursor != NULL && mt_str_u64(q->cursor, &cursor)) {
        for (i = 0; i < (int64_t)n && cloud->entries[i].id != cursor; i++)
            ;
        return q->oldest_first ? i + 1 : i - 1;
    }
    if (q->oldest_first) {
        size_t low = 0;
        size_t high = n;

        while (bounded && low < high) {
            size_t middle = (low + high) / 2;

            if (cloud->entries[middle].time_ms < q->since_ms)
                low = middle + 1;
            else
                high = middle;
        }
        return (int64_t)low;
    }
    i = (int64_t)n - 1;
    while (bounded && q->until_ms > 0 && i >= 0 && cloud->entries[i].time_ms >= q->until_ms)
        i--;
    return i;
}

static bool outside(const struct mt_history_query *q, const struct entry *e)
{
    return (q->since_ms > 0 && e->time_ms < q->since_ms) ||
           (q->until_ms > 0 && e->time_ms >= q->until_ms);
}

static void put(const struct cloud *cloud, struct mt_arena *arena, struct mt_message *m,
                const struct entry *e)
{
    char id[MT_ID_MAX];

    id_put(id, e->id);
    if (cloud->opaque)
        snprintf(id, sizeof id, "%llu-%llu", (unsigned long long)(e->id * 7919 % 1000),
                 (unsigned long long)e->id);
    *m = (struct mt_message){
        .id = mt_arena_strdup(arena, id), .time_ms = e->time_ms, .from = e->from, .to = "x"};
    m->text = mt_arena_strdup(arena, "some text that takes some room in the page, as texts do");
    m->text_len = m->text ? strlen(m->text) : 0;
}

static void fill(struct cloud *cloud, const struct mt_history_query *q,
                 struct mt_history_page *page)
{
    struct mt_message *items = mt_arena_alloc(q->arena, (size_t)q->limit * sizeof *items);
    size_t n = visible(cloud);
    int64_t step = q->oldest_first ? 1 : -1;
    int64_t i = begin_at(cloud, q, n);
    unsigned looked = 0;
    char *cursor = mt_arena_alloc(q->arena, 64);

    page->items = items;
    snprintf(cursor, 64, "%s", q->cursor != NULL ? q->cursor : "");
    page->is_last = true;
    for (; i >= 0 && i < (int64_t)n; i += step) {
        const struct entry *e = &cloud->entries[i];
        bool out = outside(q, e);

        if (out && cloud->fault != CLOUD_UNBOUNDED)
            break;
        if (page->n == (size_t)q->limit ||
            (cloud->scan > 0 && q->from != NULL && looked == cloud->scan)) {
            page->is_last = false;
            break;
        }
        looked++;
        snprintf(cursor, 64, "%llu", (unsigned long long)e->id);
        if (out) {
            page->dropped++;
            page->bounds_ignored = true;
        } else if (q->from == NULL || strcmp(q->from, e->from) == 0) {
            put(cloud, q->arena, &items[page->n++], e);
        }
    }
    if (page->is_last && cloud->late_last && page->n == (size_t)q->limit)
        page->is_last = false;
    page->cursor = page->is_last ? NULL : cursor;
}

static enum mt_rc spoil(struct cloud *cloud, const struct mt_history_query *q,
                        struct mt_history_page *page, struct mt_fault *fault)
{
    struct mt_message *items = (struct mt_message *)(uintptr_t)page->items;
    char *cursor = mt_arena_alloc(q->arena, 64);

    if (cloud->requests <= cloud->fault_after)
        return MT_OK;
    switch (cloud->fault) {
    case CLOUD_STUCK:
        page->is_last = false;
        page->cursor = q->cursor != NULL ? q->cursor : "1";
        break;
    case CLOUD_REPEATS:
        for (size_t i = 0; i < (size_t)q->limit && i < cloud->n; i++) {
            put(cloud, q->arena, &items[i], &cloud->entries[i]);
            page->n = i + 1;
        }
        page->is_last = false;
        snprintf(cursor, 64, "9%llu", (unsigned long long)cloud->requests);
        page->cursor = cursor;
        break;
    case CLOUD_NULL:
        return mt_fault_set(fault, MT_ERR_PROTOCOL, "history.null_page", "null page");
    case CLOUD_DISORDER:
        if (page->n > 1) {
            struct mt_message first = items[0];

            items[0] = items[page->n - 1];
            items[page->n - 1] = first;
        }
        break;
    case CLOUD_ENDLESS:
    case CLOUD_CIRCLE:
        page->n = 0;
        page->is_last = false;
        snprintf(cursor, 64, "9%llu",
                 (unsigned long long)(cloud->fault == CLOUD_CIRCLE ? cloud->requests % 7
                                                                   : cloud->requests));
        page->cursor = cursor;
        break;
    default:
        break;
    }
    return MT_OK;
}

static void answer(void *ud)
{
    struct mt_provider_call *call = ud;
    struct cloud *cloud = call->cloud;
    struct mt_history_page page = {.items = NULL};
    struct mt_fault fault = {.kind = MT_OK};
    enum mt_rc rc = MT_OK;

    cloud->in_flight--;
    if (call->cancelled) {
        rc = mt_fault_set(&fault, MT_ERR_CANCELLED, "cancelled", "cancelled");
    } else {
        fill(cloud, &call->query, &page);
        rc = spoil(cloud, &call->query, &page, &fault);
    }
    call->done(call->ud, rc, rc == MT_OK ? &page : NULL, rc == MT_OK ? NULL : &fault);
    mt_mem_free(call);
}

static enum mt_rc history(struct mt_provider_account *account, const struct mt_history_query *query,
                          void (*done)(void *ud, enum mt_rc rc, const struct mt_history_page *page,
                                       const struct mt_fault *fault),
                          void *ud, struct mt_provider_call **out)
{
    struct cloud *cloud = (struct cloud *)account;
    struct mt_provider_call *call = mt_mem_calloc(1, sizeof *call);

    if (call == NULL)
        return MT_ERR_NOMEM;
    call->cloud = cloud;
    call->query = *query;
    call->done = done;
    call->ud = ud;
    if (query->cursor != NULL) {
        snprintf(call->cursor, sizeof call->cursor, "%s", query->cursor);
        call->query.cursor = call->cursor;
    }
    if (query->from != NULL) {
        snprintf(call->from, sizeof call->from, "%s", query->from);
        call->query.from = call->from;
    }
    cloud->requests++;
    if (++cloud->in_flight > cloud->most_in_flight)
        cloud->most_in_flight = cloud->in_flight;
    cloud_later(cloud, cloud->latency_ms + (int64_t)cloud_random(cloud, (uint64_t)cloud->jitter_ms),
                answer, call);
    *out = call;
    return MT_OK;
}

static void cancel(struct mt_provider_call *call)
{
    call->cancelled = true;
}

static struct mt_can_answer can(const struct mt_provider_account *account,
                                enum mt_capability capability)
{
    bool no = ((const struct cloud *)account)->no_bounds;

    (void)capability;
    return (struct mt_can_answer){no ? MT_CAN_NO : MT_CAN_YES, no ? "without bounds" : NULL};
}

uint64_t cloud_id(const struct mt_message *m)
{
    const char *number = mt_id_is(m->id) ? strchr(m->id, '-') : NULL;
    return id_number(number ? number + 1 : m->id);
}

static bool cursor_after(const struct mt_provider_account *account, const struct mt_message *m,
                         char out[MT_CURSOR_MAX])
{
    (void)account;
    snprintf(out, MT_CURSOR_MAX, "%llu", (unsigned long long)cloud_id(m));
    return mt_id_is(m->id);
}

const struct mt_provider cloud_provider = {.name = "memory",
                                           .history = history,
                                           .cancel = cancel,
                                           .can = can,
                                           .cursor_after = cursor_after};

struct mt_provider_account *cloud_account(struct cloud *cloud)
{
    return (struct mt_provider_account *)cloud;
}

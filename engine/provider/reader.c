/* The reader's flow: requests out, pages in, delivery in order. See reader_int.h for the idea,
 * reader_plan.c for the windows, reader_check.c for what is not believed. */
#include "provider/reader_int.h"

#include "base/arena.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#define DEFAULT_LIMIT    50
#define DEFAULT_BUFFER   ((size_t)8 * 1024 * 1024)
#define FIRST_PAGE_BYTES ((size_t)64 * 1024)
#define PARALLEL_MAX     64

static void pump(struct mt_reader *reader);

/* ---- pages ---- */

static struct mt_reader_page *page_take(struct mt_reader *reader)
{
    struct mt_reader_page *page = reader->pool;

    if (page != NULL) {
        reader->pool = page->next;
        reader->pool_n--;
        page->next = NULL;
        return page;
    }
    page = mt_mem_calloc(1, sizeof *page);
    if (page == NULL)
        return NULL;
    page->arena = mt_arena_new(MT_READER_ARENA_MAX);
    if (page->arena == NULL) {
        mt_mem_free(page);
        return NULL;
    }
    return page;
}

static void page_free(struct mt_reader_page *page)
{
    mt_arena_free(page->arena);
    mt_mem_free(page);
}

static void page_give(struct mt_reader *reader, struct mt_reader_page *page)
{
    if (reader->freed || reader->pool_n > reader->parallel + 1) {
        page_free(page);
        return;
    }
    mt_arena_reset(page->arena);
    page->items = NULL;
    page->n = 0;
    page->next = reader->pool;
    reader->pool = page;
    reader->pool_n++;
}

static void segment_free(struct mt_reader *reader, struct mt_reader_segment *segment)
{
    while (segment->first != NULL) {
        struct mt_reader_page *page = segment->first;

        segment->first = page->next;
        reader->buffered_bytes -= page->bytes;
        page_give(reader, page);
    }
    if (segment->flight != NULL) {
        segment->flight->segment = NULL;
        reader->provider->cancel(segment->flight->call);
    }
    mt_mem_free(segment);
}

/* Frees the list from here on. */
static void segments_free(struct mt_reader *reader, struct mt_reader_segment **at)
{
    while (*at != NULL) {
        struct mt_reader_segment *segment = *at;

        *at = segment->next;
        segment_free(reader, segment);
    }
}

static void reader_release(struct mt_reader *reader)
{
    if (--reader->refs > 0)
        return;
    while (reader->pool != NULL) {
        struct mt_reader_page *page = reader->pool;

        reader->pool = page->next;
        page_free(page);
    }
    if (reader->held != NULL)
        page_free(reader->held);
    mt_arena_free(reader->strings);
    mt_mem_free(reader);
}

/* Nothing further is wanted: what is on its way comes back cancelled. */
static void stop_all(struct mt_reader *reader)
{
    segments_free(reader, &reader->segments);
    for (struct mt_reader_flight *f = reader->flights; f != NULL; f = f->next)
        if (f->probe && f->call != NULL) {
            reader->provider->cancel(f->call);
            f->call = NULL;
        }
}

/* ---- requests ---- */

static void flight_remove(struct mt_reader *reader, struct mt_reader_flight *flight)
{
    struct mt_reader_flight **at = &reader->flights;

    while (*at != flight)
        at = &(*at)->next;
    *at = flight->next;
    reader->flying--;
    if (flight->segment != NULL)
        flight->segment->flight = NULL;
    if (flight->page != NULL)
        page_give(reader, flight->page);
    mt_mem_free(flight);
}

static void fail(struct mt_reader *reader, struct mt_reader_segment *segment, enum mt_rc rc,
                 const struct mt_fault *fault)
{
    segment->failed = true;
    segment->done = true;
    if (fault != NULL)
        segment->fault = *fault;
    else
        (void)mt_fault_set(&segment->fault, rc, "history.failed",
                           "the history could not be read: %s", mt_rc_name(rc));
    segments_free(reader, &segment->next); /* nothing behind it will be delivered */
}

/* The cloud answers a bounded query with messages of all times: windows would bring nothing but
 * repeats. */
static void fall_back(struct mt_reader *reader)
{
    struct mt_reader_segment *segment = NULL;
    int64_t until = reader->query.until_ms;

    mt_log(MT_LOG_WARN, "history",
           "the cloud does not bound history by time; reading it page after page instead");
    stop_all(reader);
    reader->parallel = 1;
    reader->planned = false;
    segment = mt_reader_segment_new(reader->query.since_ms, until > 0 ? until : INT64_MAX);
    reader->segments = segment;
    if (segment == NULL)
        return; /* pump finds no segment and says so */
    segment->started = true;
    if (reader->delivered_id != 0) {
        snprintf(segment->cursor, sizeof segment->cursor, "%llu",
                 (unsigned long long)reader->delivered_id);
        segment->has_last = true;
        segment->last_time = reader->delivered_time;
        segment->last_id = reader->delivered_id;
    } else if (reader->query.cursor != NULL) {
        snprintf(segment->cursor, sizeof segment->cursor, "%s", reader->query.cursor);
    }
}

/* What lies behind the window's end, which may have been moved since the request left, belongs to
 * the next one. */
static size_t within(const struct mt_reader_segment *segment, const struct mt_history_page *page)
{
    size_t n = page->n;

    if (!segment->bounded)
        return n;
    while (n > 0 && page->items[n - 1].time_ms >= segment->hi)
        n--;
    return n;
}

static void take_page(struct mt_reader *reader, struct mt_reader_flight *flight,
                      const struct mt_history_page *given)
{
    struct mt_reader_segment *segment = flight->segment;
    struct mt_reader_page *page = flight->page;
    struct mt_fault fault = {.kind = MT_OK};
    size_t n = within(segment, given);
    enum mt_rc rc = mt_reader_check(reader, segment, given, n, &fault);

    if (rc != MT_OK) {
        fail(reader, segment, rc, &fault);
        return;
    }
    segment->done = given->is_last || n < given->n;
    if (n > 0) {
        page->items = given->items;
        page->n = n;
        page->bytes = mt_arena_used(page->arena);
        page->bytes += page->bytes / 2; /* blocks are not full */
        reader->page_bytes = (reader->page_bytes + page->bytes) / 2;
        reader->buffered_bytes += page->bytes;
        if (segment->last != NULL && segment->first != NULL)
            segment->last->next = page;
        else
            segment->first = page;
        segment->last = page;
        segment->queued++;
        flight->page = NULL;
    }
    if (reader->parallel > 1) {
        mt_reader_plan_page(reader, segment);
        if (segment->done)
            mt_reader_plan_done(reader, segment);
    }
}

static void on_page(void *ud, enum mt_rc rc, const struct mt_history_page *page,
                    const struct mt_fault *fault)
{
    struct mt_reader_flight *flight = ud;
    struct mt_reader *reader = flight->reader;
    struct mt_reader_segment *segment = flight->segment;

    flight->call = NULL;
    if (!reader->freed && !reader->ended && segment != NULL) {
        segment->flight = NULL;
        if (rc != MT_OK) {
            fail(reader, segment, rc, fault);
        } else if (page->bounds_ignored && segment->bounded) {
            flight->segment = NULL;
            fall_back(reader);
        } else {
            take_page(reader, flight, page);
        }
    }
    flight->segment = NULL;
    flight_remove(reader, flight);
    pump(reader);
    reader_release(reader);
}

/* The newest message's time: where the windows end. Without one, reading goes on page after page.
 */
static void on_probe(void *ud, enum mt_rc rc, const struct mt_history_page *page,
                     const struct mt_fault *fault)
{
    struct mt_reader_flight *flight = ud;
    struct mt_reader *reader = flight->reader;

    (void)fault;
    flight->call = NULL;
    if (rc == MT_OK && page->n > 0 && !page->bounds_ignored)
        reader->end = page->items[0].time_ms + 1;
    flight_remove(reader, flight);
    if (!reader->freed && !reader->ended && reader->end > 0 && reader->segments != NULL)
        mt_reader_plan_page(reader, reader->segments);
    pump(reader);
    reader_release(reader);
}

static struct mt_reader_flight *flight_new(struct mt_reader *reader)
{
    struct mt_reader_flight *flight = mt_mem_calloc(1, sizeof *flight);

    if (flight == NULL)
        return NULL;
    flight->page = page_take(reader);
    if (flight->page == NULL) {
        mt_mem_free(flight);
        return NULL;
    }
    flight->reader = reader;
    flight->next = reader->flights;
    reader->flights = flight;
    reader->flying++;
    reader->requests++;
    reader->refs++;
    return flight;
}

static void send_probe(struct mt_reader *reader)
{
    struct mt_history_query query = reader->query;
    struct mt_reader_flight *flight = flight_new(reader);

    reader->probed = true;
    if (flight == NULL)
        return;
    flight->probe = true;
    query.cursor = NULL;
    query.oldest_first = false;
    query.limit = 1;
    query.arena = flight->page->arena;
    if (reader->provider->history(reader->account, &query, on_probe, flight, &flight->call) !=
        MT_OK) {
        flight_remove(reader, flight);
        reader_release(reader);
    }
}

static void send_page(struct mt_reader *reader, struct mt_reader_segment *segment)
{
    struct mt_history_query query = reader->query;
    struct mt_reader_flight *flight = flight_new(reader);
    enum mt_rc rc = MT_ERR_NOMEM;

    if (flight == NULL) {
        fail(reader, segment, rc, NULL);
        return;
    }
    query.cursor = segment->cursor[0] != '\0' ? segment->cursor : NULL;
    query.since_ms = segment->lo;
    query.until_ms = segment->hi == INT64_MAX ? 0 : segment->hi;
    query.arena = flight->page->arena;
    flight->segment = segment;
    segment->flight = flight;
    rc = reader->provider->history(reader->account, &query, on_page, flight, &flight->call);
    if (rc != MT_OK) {
        flight_remove(reader, flight);
        reader_release(reader);
        fail(reader, segment, rc, NULL);
    }
}

/* ---- which request next ---- */

/* The tail goes on after the last message there is; it can start only when all before it is read.
 */
static void start_tail(struct mt_reader *reader, struct mt_reader_segment *tail)
{
    uint64_t resume_id = reader->delivered_id;

    tail->lo = reader->query.since_ms;
    tail->has_last = reader->delivered;
    tail->last_time = reader->delivered_time;
    tail->last_id = reader->delivered_id;
    for (const struct mt_reader_segment *s = reader->segments; s != tail; s = s->next)
        if (s->has_last) {
            tail->has_last = true;
            tail->last_time = s->last_time;
            tail->last_id = s->last_id;
            resume_id = s->resume_id != 0 ? s->resume_id : resume_id;
        }
    if (resume_id != 0)
        snprintf(tail->cursor, sizeof tail->cursor, "%llu", (unsigned long long)resume_id);
    else if (reader->query.cursor != NULL)
        snprintf(tail->cursor, sizeof tail->cursor, "%s", reader->query.cursor);
}

/* Whether the segment may ask for a page now. The one that is to be delivered next always may; the
 * others only while what waits stays within its bound. */
static bool may_ask(const struct mt_reader *reader, const struct mt_reader_segment *segment)
{
    size_t expected = reader->buffered_bytes + (reader->flying + 1) * reader->page_bytes;

    if (segment == reader->segments && segment->first == NULL)
        return true;
    if (reader->parallel <= 1) /* one page ahead of the one in the caller's hands */
        return segment->queued == 0;
    return expected <= reader->max_buffered_bytes;
}

static struct mt_reader_segment *next_to_ask(struct mt_reader *reader)
{
    bool all_done = true;

    for (struct mt_reader_segment *s = reader->segments; s != NULL; s = s->next) {
        if (s->done)
            continue;
        if (s->flight == NULL && (!s->tail || all_done))
            return may_ask(reader, s) ? s : NULL;
        all_done = false;
    }
    return NULL;
}

static void schedule(struct mt_reader *reader)
{
    while (reader->flying < reader->parallel) {
        struct mt_reader_segment *segment = next_to_ask(reader);

        if (segment == NULL)
            break;
        if (!segment->started) {
            if (segment->tail)
                start_tail(reader, segment);
            mt_reader_plan_start(reader, segment);
        }
        send_page(reader, segment);
    }
    /* Worth knowing only when the conversation has more than a page. */
    if (reader->parallel > 1 && !reader->probed && reader->segments != NULL &&
        reader->segments->pages > 0 && !reader->segments->done)
        send_probe(reader);
}

/* ---- delivery ---- */

static void finish(struct mt_reader *reader, enum mt_rc rc, const struct mt_fault *fault)
{
    struct mt_fault copy = {.kind = MT_OK};

    if (fault != NULL)
        copy = *fault;
    stop_all(reader);
    reader->ended = true;
    reader->done(reader->ud, rc, rc == MT_OK ? NULL : &copy);
}

static void deliver(struct mt_reader *reader, struct mt_reader_segment *segment)
{
    struct mt_reader_page *page = segment->first;

    segment->first = page->next;
    if (segment->first == NULL)
        segment->last = NULL;
    segment->queued--;
    page->next = NULL;
    reader->buffered_bytes -= page->bytes;
    reader->held = page;
    for (size_t i = page->n; i-- > 0;)
        if (page->items[i].id != 0) {
            reader->delivered_id = page->items[i].id;
            break;
        }
    reader->delivered = true;
    reader->delivered_time = page->items[page->n - 1].time_ms;
    reader->page(reader->ud, page->items, page->n);
}

/* One step; false when there is nothing to do but wait. */
static bool advance(struct mt_reader *reader)
{
    struct mt_reader_segment *head = reader->segments;

    if (reader->freed || reader->ended || reader->held != NULL)
        return false;
    if (head == NULL) {
        struct mt_fault fault;

        (void)mt_fault_set(&fault, MT_ERR_NOMEM, "memory", "out of memory");
        finish(reader, MT_ERR_NOMEM, &fault);
        return false;
    }
    if (head->first != NULL) {
        deliver(reader, head);
        return true;
    }
    if (!head->done)
        return false;
    if (head->failed || head->next == NULL) {
        finish(reader, head->failed ? head->fault.kind : MT_OK, head->failed ? &head->fault : NULL);
        return false;
    }
    reader->segments = head->next;
    segment_free(reader, head);
    return true;
}

/* Sends what may be sent and delivers what may be delivered. A caller that continues within its
 * page callback only clears held: the loop here goes on, however many pages wait. */
static void pump(struct mt_reader *reader)
{
    if (reader->pumping || reader->freed || reader->ended)
        return;
    reader->pumping = true;
    reader->refs++;
    do {
        if (!reader->freed && !reader->ended)
            schedule(reader);
    } while (advance(reader));
    reader->pumping = false;
    reader_release(reader);
}

void mt_reader_continue(struct mt_reader *reader)
{
    if (reader->held == NULL)
        return;
    page_give(reader, reader->held);
    reader->held = NULL;
    pump(reader);
}

uint64_t mt_reader_pages(const struct mt_reader *reader)
{
    return reader->requests;
}

void mt_reader_free(struct mt_reader *reader)
{
    if (reader == NULL || reader->freed)
        return;
    reader->freed = true;
    stop_all(reader);
    reader_release(reader);
}

/* ---- start ---- */

static bool copy_str(struct mt_arena *arena, const char **s)
{
    if (*s == NULL)
        return true;
    *s = mt_arena_strdup(arena, *s);
    return *s != NULL;
}

static bool copy_query(struct mt_reader *reader)
{
    struct mt_history_query *q = &reader->query;
    const char **kinds = NULL;
    size_t n = 0;

    if (q->limit == 0)
        q->limit = DEFAULT_LIMIT;
    if (q->cursor != NULL && q->cursor[0] == '\0')
        q->cursor = NULL;
    if (!copy_str(reader->strings, &q->cursor) || !copy_str(reader->strings, &q->from))
        return false;
    if (q->kinds == NULL)
        return true;
    while (q->kinds[n] != NULL)
        n++;
    kinds = mt_arena_calloc(reader->strings, n + 1, sizeof *kinds);
    if (kinds == NULL)
        return false;
    for (size_t i = 0; i < n; i++) {
        kinds[i] = q->kinds[i];
        if (!copy_str(reader->strings, &kinds[i]))
            return false;
    }
    q->kinds = kinds;
    return true;
}

static bool can_cut(const struct mt_reader *reader)
{
    return reader->query.oldest_first && reader->provider->can(reader->account, "history.since") &&
           reader->provider->can(reader->account, "history.until");
}

enum mt_rc mt_reader_start(struct mt_loop *loop, const struct mt_provider *provider,
                           struct mt_provider_account *account,
                           const struct mt_reader_options *options,
                           void (*page)(void *ud, const struct mt_message *items, size_t n),
                           void (*done)(void *ud, enum mt_rc rc, const struct mt_fault *fault),
                           void *ud, struct mt_reader **out, struct mt_fault *fault)
{
    struct mt_reader *reader = mt_mem_calloc(1, sizeof *reader);
    int64_t until = options->query.until_ms;

    *out = NULL;
    if (options->query.cursor != NULL && strlen(options->query.cursor) >= MT_READER_CURSOR_MAX) {
        mt_mem_free(reader);
        return mt_fault_set(fault, MT_ERR_INVALID, "history.cursor",
                            "this is no cursor of a history");
    }
    if (reader == NULL)
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    reader->refs = 1;
    reader->loop = loop;
    reader->provider = provider;
    reader->account = account;
    reader->query = options->query;
    reader->query.arena = NULL;
    reader->page = page;
    reader->done = done;
    reader->ud = ud;
    reader->page_bytes = FIRST_PAGE_BYTES;
    reader->max_buffered_bytes =
        options->max_buffered_bytes == 0 ? DEFAULT_BUFFER : options->max_buffered_bytes;
    reader->parallel = options->parallel > PARALLEL_MAX ? PARALLEL_MAX : options->parallel;
    reader->strings = mt_arena_new((size_t)64 * 1024);
    reader->segments =
        mt_reader_segment_new(options->query.since_ms, until > 0 ? until : INT64_MAX);
    if (reader->strings == NULL || reader->segments == NULL || !copy_query(reader)) {
        mt_reader_free(reader);
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    }
    if (reader->parallel == 0 || !can_cut(reader))
        reader->parallel = 1;
    reader->segments->started = true;
    if (reader->query.cursor != NULL)
        snprintf(reader->segments->cursor, sizeof reader->segments->cursor, "%s",
                 reader->query.cursor);
    send_page(reader, reader->segments);
    if (reader->segments->failed) {
        enum mt_rc rc = reader->segments->fault.kind;

        if (fault != NULL)
            *fault = reader->segments->fault;
        mt_reader_free(reader);
        return rc;
    }
    *out = reader;
    return MT_OK;
}

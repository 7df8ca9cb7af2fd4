/* The reader's requests: which one next, what comes back, and what is done when the cloud does not
 * bound by time. */
#include "provider/reader_int.h"

#include "base/arena.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

static void flight_remove(struct mt_reader *reader, struct mt_reader_flight *flight)
{
    struct mt_reader_flight **at = &reader->flights;

    while (*at != flight)
        at = &(*at)->next;
    *at = flight->next;
    reader->flying--;
    reader->budget->flying--;
    if (flight->segment != NULL)
        flight->segment->flight = NULL;
    if (flight->page != NULL)
        mt_reader_page_give(reader, flight->page);
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
    mt_reader_segments_free(reader, &segment->next); /* nothing behind it will be delivered */
}

/* The cloud answers a bounded query with messages of all times: windows would bring nothing but
 * repeats. */
static void fall_back(struct mt_reader *reader)
{
    struct mt_reader_segment *segment = NULL;
    int64_t until = reader->query.until_ms;

    mt_log(MT_LOG_WARN, "history",
           "the cloud does not bound history by time; reading it page after page instead");
    mt_reader_stop(reader);
    reader->parallel = 1;
    reader->planned = false;
    segment = mt_reader_segment_new(reader->query.since_ms, until > 0 ? until : INT64_MAX);
    reader->segments = segment;
    if (segment == NULL)
        return; /* pump finds no segment and says so */
    segment->started = true;
    if (reader->delivered_cursor[0] != '\0') {
        memcpy(segment->cursor, reader->delivered_cursor, sizeof segment->cursor);
        segment->has_last = true;
        segment->last_time = reader->delivered_time;
        memcpy(segment->last_id, reader->delivered_id, sizeof segment->last_id);
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
        page->bytes += page->bytes / 4; /* blocks are not full */
        reader->budget->page_bytes = (reader->budget->page_bytes + page->bytes) / 2;
        reader->budget->buffered_bytes += page->bytes;
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
    mt_reader_pump(reader);
    mt_reader_release(reader);
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
    mt_reader_pump(reader);
    mt_reader_release(reader);
}

static struct mt_reader_flight *flight_new(struct mt_reader *reader)
{
    struct mt_reader_flight *flight = mt_mem_calloc(1, sizeof *flight);

    if (flight == NULL)
        return NULL;
    flight->page = mt_reader_page_take(reader);
    if (flight->page == NULL) {
        mt_mem_free(flight);
        return NULL;
    }
    flight->reader = reader;
    flight->next = reader->flights;
    reader->flights = flight;
    reader->flying++;
    reader->budget->flying++;
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
        mt_reader_release(reader);
    }
}

void mt_reader_send(struct mt_reader *reader, struct mt_reader_segment *segment)
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
        mt_reader_release(reader);
        fail(reader, segment, rc, NULL);
    }
}

/* The tail goes on after the last message there is; it can start only when all before it is read.
 */
static void start_tail(struct mt_reader *reader, struct mt_reader_segment *tail)
{
    const char *resume = reader->delivered_cursor;

    tail->lo = reader->query.since_ms;
    tail->has_last = reader->delivered;
    tail->last_time = reader->delivered_time;
    memcpy(tail->last_id, reader->delivered_id, sizeof tail->last_id);
    for (const struct mt_reader_segment *s = reader->segments; s != tail; s = s->next)
        if (s->has_last) {
            tail->has_last = true;
            tail->last_time = s->last_time;
            memcpy(tail->last_id, s->last_id, sizeof tail->last_id);
            resume = s->resume[0] != '\0' ? s->resume : resume;
        }
    if (resume[0] != '\0')
        memcpy(tail->cursor, resume, sizeof tail->cursor);
    else if (reader->query.cursor != NULL)
        snprintf(tail->cursor, sizeof tail->cursor, "%s", reader->query.cursor);
}

/* Whether the segment may ask for a page now. The one that is to be delivered next always may; the
 * others only while what waits stays within its bound. */
static bool may_ask(const struct mt_reader *reader, const struct mt_reader_segment *segment)
{
    const struct mt_reader_budget *budget = reader->budget;
    size_t expected = budget->buffered_bytes + (budget->flying + 1) * budget->page_bytes;

    if (segment == reader->segments && segment->first == NULL)
        return true;
    if (reader->parallel <= 1) /* one page ahead of the one in the caller's hands */
        return segment->queued == 0;
    return expected <= budget->max_bytes;
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

void mt_reader_schedule(struct mt_reader *reader)
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
        mt_reader_send(reader, segment);
    }
    /* Worth knowing only when the conversation has more than a page. */
    if (reader->parallel > 1 && !reader->probed && reader->segments != NULL &&
        reader->segments->pages > 0 && !reader->segments->done)
        send_probe(reader);
}

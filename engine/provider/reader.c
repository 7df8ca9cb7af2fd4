/* The reader's life and delivery in order. See reader_int.h for the idea, reader_ask.c for the
 * requests, reader_plan.c for the windows, reader_check.c for what is not believed. */
#include "provider/reader_int.h"

#include "base/arena.h"
#include "base/mem.h"
#include "provider/query.h"

#include <stdio.h>
#include <string.h>

#define DEFAULT_LIMIT 50
#define PARALLEL_MAX  64

static void finish(struct mt_reader *reader, enum mt_rc rc, const struct mt_fault *fault)
{
    struct mt_fault copy = {.kind = MT_OK};

    if (fault != NULL)
        copy = *fault;
    mt_reader_stop(reader);
    reader->ended = true;
    reader->done(reader->ud, rc, rc == MT_OK ? NULL : &copy);
}

static void copy_id(char out[MT_ID_MAX], const char *id)
{
    snprintf(out, MT_ID_MAX, "%s", id ? id : "");
}

static void deliver(struct mt_reader *reader, struct mt_reader_segment *segment)
{
    struct mt_reader_page *page = segment->first;

    segment->first = page->next;
    if (segment->first == NULL)
        segment->last = NULL;
    segment->queued--;
    page->next = NULL;
    reader->budget->buffered_bytes -= page->bytes;
    reader->held = page;
    for (size_t i = page->n; i-- > 0;)
        if (reader->provider->cursor_after(reader->account, &page->items[i],
                                           reader->delivered_cursor))
            break;
    copy_id(reader->delivered_id, page->items[page->n - 1].id);
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
    mt_reader_segment_free(reader, head);
    return true;
}

/* Sends what may be sent and delivers what may be delivered. A caller that continues within its
 * page callback only clears held: the loop here goes on, however many pages wait. */
void mt_reader_pump(struct mt_reader *reader)
{
    if (reader->pumping || reader->freed || reader->ended)
        return;
    reader->pumping = true;
    reader->refs++;
    do {
        if (!reader->freed && !reader->ended)
            mt_reader_schedule(reader);
    } while (advance(reader));
    reader->pumping = false;
    mt_reader_release(reader);
}

void mt_reader_continue(struct mt_reader *reader)
{
    if (reader->held == NULL)
        return;
    mt_reader_page_give(reader, reader->held);
    reader->held = NULL;
    mt_reader_pump(reader);
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
    mt_reader_stop(reader);
    mt_reader_release(reader);
}

static bool copy_query(struct mt_reader *reader)
{
    struct mt_history_query given = reader->query;

    if (given.limit == 0)
        given.limit = DEFAULT_LIMIT;
    return mt_history_query_copy(&given, reader->strings, &reader->query) == MT_OK;
}

static bool can_cut(const struct mt_reader *reader)
{
    const struct mt_provider *provider = reader->provider;

    return reader->query.oldest_first &&
           provider->can(reader->account, MT_CAPABILITY_HISTORY_SINCE).can != MT_CAN_NO &&
           provider->can(reader->account, MT_CAPABILITY_HISTORY_UNTIL).can != MT_CAN_NO;
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
    reader->budget = options->budget != NULL ? mt_reader_budget_retain(options->budget)
                                             : mt_reader_budget_new(0);
    reader->parallel = options->parallel > PARALLEL_MAX ? PARALLEL_MAX : options->parallel;
    reader->strings = mt_arena_new((size_t)64 * 1024);
    reader->segments =
        mt_reader_segment_new(options->query.since_ms, until > 0 ? until : INT64_MAX);
    if (reader->budget == NULL || reader->strings == NULL || reader->segments == NULL ||
        !copy_query(reader)) {
        mt_reader_free(reader);
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    }
    if (reader->parallel == 0 || !can_cut(reader))
        reader->parallel = 1;
    reader->segments->started = true;
    if (reader->query.cursor != NULL)
        snprintf(reader->segments->cursor, sizeof reader->segments->cursor, "%s",
                 reader->query.cursor);
    mt_reader_send(reader, reader->segments);
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

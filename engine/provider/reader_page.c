/* The readers' memory: pages with their arenas, used again and again, what they may hold together,
 * and the segments that hold them. */
#include "provider/reader_int.h"

#include "base/arena.h"
#include "base/mem.h"

#define DEFAULT_BYTES    ((size_t)10 * 1024 * 1024)
#define FIRST_PAGE_BYTES ((size_t)64 * 1024)
#define POOL_MAX         48
#define POOL_PAGE_MAX    ((size_t)256 * 1024) /* a page that was larger is not kept */

struct mt_reader_budget *mt_reader_budget_new(size_t max_bytes)
{
    struct mt_reader_budget *budget = mt_mem_calloc(1, sizeof *budget);

    if (budget == NULL)
        return NULL;
    budget->refs = 1;
    budget->max_bytes = max_bytes == 0 ? DEFAULT_BYTES : max_bytes;
    budget->page_bytes = FIRST_PAGE_BYTES;
    return budget;
}

struct mt_reader_budget *mt_reader_budget_retain(struct mt_reader_budget *budget)
{
    budget->refs++;
    return budget;
}

static void page_free(struct mt_reader_page *page)
{
    mt_arena_free(page->arena);
    mt_mem_free(page);
}

void mt_reader_budget_release(struct mt_reader_budget *budget)
{
    if (budget == NULL || --budget->refs > 0)
        return;
    while (budget->pool != NULL) {
        struct mt_reader_page *page = budget->pool;

        budget->pool = page->next;
        page_free(page);
    }
    mt_mem_free(budget);
}

struct mt_reader_page *mt_reader_page_take(struct mt_reader *reader)
{
    struct mt_reader_budget *budget = reader->budget;
    struct mt_reader_page *page = budget->pool;

    if (page != NULL) {
        budget->pool = page->next;
        budget->pool_n--;
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

void mt_reader_page_give(struct mt_reader *reader, struct mt_reader_page *page)
{
    struct mt_reader_budget *budget = reader->budget;

    if (budget->pool_n >= POOL_MAX || mt_arena_used(page->arena) > POOL_PAGE_MAX) {
        page_free(page);
        return;
    }
    mt_arena_reset(page->arena);
    page->items = NULL;
    page->n = 0;
    page->next = budget->pool;
    budget->pool = page;
    budget->pool_n++;
}

void mt_reader_segment_free(struct mt_reader *reader, struct mt_reader_segment *segment)
{
    while (segment->first != NULL) {
        struct mt_reader_page *page = segment->first;

        segment->first = page->next;
        reader->budget->buffered_bytes -= page->bytes;
        mt_reader_page_give(reader, page);
    }
    if (segment->flight != NULL) {
        segment->flight->segment = NULL;
        reader->provider->cancel(segment->flight->call);
    }
    mt_mem_free(segment);
}

/* Frees the list from here on. */
void mt_reader_segments_free(struct mt_reader *reader, struct mt_reader_segment **at)
{
    while (*at != NULL) {
        struct mt_reader_segment *segment = *at;

        *at = segment->next;
        mt_reader_segment_free(reader, segment);
    }
}

void mt_reader_release(struct mt_reader *reader)
{
    if (--reader->refs > 0)
        return;
    if (reader->held != NULL)
        mt_reader_page_give(reader, reader->held);
    mt_reader_budget_release(reader->budget);
    mt_arena_free(reader->strings);
    mt_mem_free(reader);
}

/* Nothing further is wanted: what is on its way comes back cancelled. */
void mt_reader_stop(struct mt_reader *reader)
{
    mt_reader_segments_free(reader, &reader->segments);
    for (struct mt_reader_flight *f = reader->flights; f != NULL; f = f->next)
        if (f->probe && f->call != NULL) {
            reader->provider->cancel(f->call);
            f->call = NULL;
        }
}

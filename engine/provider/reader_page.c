/* The reader's memory: pages with their arenas, used again and again, and the segments that hold
 * them. */
#include "provider/reader_int.h"

#include "base/arena.h"
#include "base/mem.h"

struct mt_reader_page *mt_reader_page_take(struct mt_reader *reader)
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

void mt_reader_page_free(struct mt_reader_page *page)
{
    mt_arena_free(page->arena);
    mt_mem_free(page);
}

void mt_reader_page_give(struct mt_reader *reader, struct mt_reader_page *page)
{
    if (reader->freed || reader->pool_n > reader->parallel + 1) {
        mt_reader_page_free(page);
        return;
    }
    mt_arena_reset(page->arena);
    page->items = NULL;
    page->n = 0;
    page->next = reader->pool;
    reader->pool = page;
    reader->pool_n++;
}

void mt_reader_segment_free(struct mt_reader *reader, struct mt_reader_segment *segment)
{
    while (segment->first != NULL) {
        struct mt_reader_page *page = segment->first;

        segment->first = page->next;
        reader->buffered_bytes -= page->bytes;
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
    while (reader->pool != NULL) {
        struct mt_reader_page *page = reader->pool;

        reader->pool = page->next;
        mt_reader_page_free(page);
    }
    if (reader->held != NULL)
        mt_reader_page_free(reader->held);
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

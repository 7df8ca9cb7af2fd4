/* Watches the cloud: what a history call gives must follow what it gave before. Time and id
 * together must grow (or shrink, newest first); that alone excludes pages that repeat and cursors
 * that do not advance. */
#include "provider/reader_int.h"

#include <stdio.h>
#include <string.h>

static const char *name_of(const struct mt_message *m)
{
    return mt_id_is(m->id) ? m->id : "without an id";
}

static void copy_id(char out[MT_ID_MAX], const char *id)
{
    snprintf(out, MT_ID_MAX, "%s", id ? id : "");
}

static bool follows(const struct mt_reader *reader, int64_t time, const char *id,
                    const struct mt_message *m)
{
    int64_t later = reader->query.oldest_first ? m->time_ms - time : time - m->time_ms;

    if (later != 0)
        return later > 0;
    return reader->query.oldest_first ? mt_id_may_follow(id, m->id) : mt_id_may_follow(m->id, id);
}

static enum mt_rc check_items(const struct mt_reader *reader,
                              const struct mt_reader_segment *segment,
                              const struct mt_history_page *page, struct mt_fault *fault)
{
    char after[MT_CURSOR_MAX];

    if (page->n == 0)
        return MT_OK;
    for (size_t i = 0; segment->cursor[0] != '\0' && i < page->n; i++)
        if (reader->provider->cursor_after(reader->account, &page->items[i], after) &&
            strcmp(segment->cursor, after) == 0)
            return mt_fault_set(
                fault, MT_ERR_PROTOCOL, "history.repeats",
                "the cloud gives message %s again, which the page before ended with",
                page->items[i].id);
    if (segment->has_last &&
        !follows(reader, segment->last_time, segment->last_id, &page->items[0])) {
        if (mt_id_same(page->items[0].id, segment->first_id))
            return mt_fault_set(fault, MT_ERR_PROTOCOL, "history.repeats",
                                "the cloud gives the same page of history again (message %s)",
                                segment->first_id);
        return mt_fault_set(fault, MT_ERR_PROTOCOL, "history.repeats",
                            "a page of history goes back behind the page before it (message %s)",
                            name_of(&page->items[0]));
    }
    for (size_t i = 1; i < page->n; i++)
        if (!follows(reader, page->items[i - 1].time_ms, page->items[i - 1].id, &page->items[i]))
            return mt_fault_set(fault, MT_ERR_PROTOCOL, "history.order",
                                "a page of history is out of order (message %s)",
                                name_of(&page->items[i]));
    return MT_OK;
}

static unsigned empty_max(const struct mt_reader *reader, const struct mt_reader_segment *segment,
                          const struct mt_history_page *page)
{
    if (page->dropped > 0 || page->skipped > 0)
        return UINT32_MAX; /* it did give something, though nothing for us */
    if (reader->query.kinds != NULL || reader->query.from != NULL)
        return MT_READER_FILTERED_MAX;
    return segment->lo > 0 || segment->hi != INT64_MAX ? MT_READER_BOUNDED_MAX
                                                       : MT_READER_EMPTY_MAX;
}

/* A page without messages moves nothing but the cursor. A few may come; a circle of cursors is
 * found by comparing with one that is renewed after 1, 2, 4, … pages. */
static enum mt_rc check_empty(const struct mt_reader *reader, struct mt_reader_segment *segment,
                              const struct mt_history_page *page, struct mt_fault *fault)
{
    segment->empty++;
    if (segment->empty >= empty_max(reader, segment, page) ||
        strcmp(segment->mark, page->cursor) == 0)
        return mt_fault_set(
            fault, MT_ERR_PROTOCOL, "history.stuck",
            "%u empty pages of history in a row, and the cloud says that more follows",
            segment->empty);
    if ((segment->empty & (segment->empty - 1)) == 0)
        memcpy(segment->mark, page->cursor, strlen(page->cursor) + 1);
    return MT_OK;
}

static enum mt_rc check_cursor(const struct mt_reader *reader, struct mt_reader_segment *segment,
                               const struct mt_history_page *page, struct mt_fault *fault)
{
    const char *cursor = page->cursor;

    if (page->is_last)
        return MT_OK;
    if (cursor == NULL || cursor[0] == '\0' || strlen(cursor) >= sizeof segment->cursor)
        return mt_fault_set(
            fault, MT_ERR_PROTOCOL, "history.stuck",
            "the cloud says that more history follows, but gives no cursor to go on from");
    if (strcmp(cursor, segment->cursor) == 0)
        return mt_fault_set(fault, MT_ERR_PROTOCOL, "history.stuck",
                            "the cursor of the history does not advance (%s)", cursor);
    if (page->n == 0)
        return check_empty(reader, segment, page, fault);
    segment->empty = 0;
    segment->mark[0] = '\0';
    return MT_OK;
}

enum mt_rc mt_reader_check(const struct mt_reader *reader, struct mt_reader_segment *segment,
                           const struct mt_history_page *page, size_t n, struct mt_fault *fault)
{
    enum mt_rc rc = check_items(reader, segment, page, fault);
    int64_t begin = 0;

    if (rc == MT_OK)
        rc = check_cursor(reader, segment, page, fault);
    if (rc != MT_OK)
        return rc;
    if (!page->is_last)
        memcpy(segment->cursor, page->cursor, strlen(page->cursor) + 1);
    segment->pages++;
    if (n == 0)
        return MT_OK;
    segment->messages += n;
    begin = segment->has_last  ? segment->last_time
            : segment->bounded ? segment->lo
                               : page->items[0].time_ms;
    copy_id(segment->first_id, page->items[0].id);
    segment->last_time = page->items[n - 1].time_ms;
    copy_id(segment->last_id, page->items[n - 1].id);
    segment->has_last = true;
    for (size_t i = n; i-- > 0;)
        if (reader->provider->cursor_after(reader->account, &page->items[i], segment->resume))
            break;
    segment->page_span_ms =
        (double)(page->items[n - 1].time_ms - begin) * (double)reader->query.limit / (double)n;
    return MT_OK;
}

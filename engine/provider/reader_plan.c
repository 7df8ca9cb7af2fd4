/* How the rest of a conversation is cut into windows: see reader_int.h. */
#include "provider/reader_int.h"

#include "base/mem.h"

struct mt_reader_segment *mt_reader_segment_new(int64_t lo, int64_t hi)
{
    struct mt_reader_segment *segment = mt_mem_calloc(1, sizeof *segment);

    if (segment != NULL) {
        segment->lo = lo;
        segment->hi = hi;
    }
    return segment;
}

/* Half of what was believed, half of what was seen. */
static void learn(struct mt_reader *reader, double ms_per_page)
{
    if (ms_per_page < 0.02)
        ms_per_page = 0.02;
    reader->ms_per_page =
        reader->ms_per_page <= 0 ? ms_per_page : (reader->ms_per_page + ms_per_page) / 2;
}

void mt_reader_plan_done(struct mt_reader *reader, const struct mt_reader_segment *segment)
{
    double width = (double)(segment->hi - segment->lo);
    double full = (double)reader->query.limit;
    double most = MT_READER_GROWTH * width / MT_READER_TARGET_PAGES;

    if (!segment->bounded || segment->messages >= reader->query.limit * (uint64_t)2)
        return;
    /* Short or empty: wider next time, but no more than so many times as wide as this one was,
     * however many windows of this width report the same gap. */
    if (segment->messages == 0) {
        if (reader->ms_per_page < most)
            reader->ms_per_page = most;
    } else {
        double seen = width * full / (double)segment->messages;

        learn(reader, seen < most ? seen : most);
    }
}

/* Gives back the part from `from` on: to the unstarted segment behind it, or as a new one. */
static void give_back(struct mt_reader_segment *segment, int64_t from)
{
    struct mt_reader_segment *next = segment->next;

    if (next != NULL && !next->started && !next->tail && next->lo == segment->hi) {
        next->lo = from;
    } else {
        next = mt_reader_segment_new(from, segment->hi);
        if (next == NULL)
            return; /* then this window reads it all itself */
        next->bounded = true;
        next->next = segment->next;
        segment->next = next;
    }
    segment->hi = from;
}

/* Where a window should end that is at `time` now and has `pages` to go, if the density stays what
 * its last page showed; hi when the rest is not worth a cut. */
static int64_t cut_at(const struct mt_reader_segment *segment, int64_t hi)
{
    double span = segment->page_span_ms;
    double rest = (double)hi - (double)(segment->last_time + 1);
    double keep = 0;

    if (!segment->has_last || rest <= 0)
        return hi;
    if (span < 0.02)
        span = 0.02;
    if (rest / span <= MT_READER_SPLIT_PAGES)
        return hi;
    keep = segment->pages + 1 >= MT_READER_TARGET_PAGES
               ? 1
               : (double)(MT_READER_TARGET_PAGES - segment->pages);
    if (keep * span >= rest)
        return hi;
    return segment->last_time + 1 + (int64_t)(keep * span);
}

/* The newest time is known: the one segment without end gets one, and what follows becomes windows
 * and the tail. */
static void cut_rest(struct mt_reader *reader, struct mt_reader_segment *segment)
{
    int64_t at = cut_at(segment, reader->end);
    struct mt_reader_segment *tail = NULL;

    if (at >= reader->end)
        return; /* so little is left that one slice does it */
    tail = mt_reader_segment_new(reader->end, segment->hi);
    if (tail == NULL)
        return;
    tail->tail = true;
    segment->hi = reader->end;
    segment->bounded = true;
    segment->next = tail;
    reader->planned = true;
    give_back(segment, at);
}

void mt_reader_plan_page(struct mt_reader *reader, struct mt_reader_segment *segment)
{
    if (segment->tail || segment->done)
        return;
    if (segment->has_last)
        learn(reader, segment->page_span_ms);
    if (!reader->planned) {
        if (reader->end > 0)
            cut_rest(reader, segment);
    } else if (segment->bounded) {
        int64_t at = cut_at(segment, segment->hi);

        if (at < segment->hi)
            give_back(segment, at);
    }
}

void mt_reader_plan_start(struct mt_reader *reader, struct mt_reader_segment *segment)
{
    double width = reader->ms_per_page * MT_READER_TARGET_PAGES;
    double rest = (double)segment->hi - (double)segment->lo;

    segment->started = true;
    if (segment->tail || !segment->bounded || rest <= width * 1.5 || rest < 2)
        return;
    give_back(segment, segment->lo + (width < 1 ? 1 : (int64_t)width));
}

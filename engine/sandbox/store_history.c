/* One page of history: the start is found by binary search, filters are applied on the way. */
#include "sandbox/store_int.h"

struct walk {
    const struct mt_sb_view *view;
    const struct mt_sb_page_query *query;
    size_t low; /* the messages [low, high) are in question */
    size_t high;
};

static bool matches(const struct walk *walk, const struct mt_sb_message *message)
{
    const struct mt_sb_page_query *query = walk->query;
    if (query->kinds != 0 && (query->kinds >> message->kind & 1) == 0)
        return false;
    if (query->by_sender && message->from != query->sender)
        return false;
    return message->id > walk->view->cut_id;
}

/* What is gone is stepped over as a whole: most of a history may have been deleted. */
static bool step_over(struct walk *walk, const struct mt_sb_message *message)
{
    const struct mt_sb_span *gone = mt_sb_view_gone(walk->view, message->id);
    if (gone == NULL)
        return false;
    if (walk->query->oldest_first)
        walk->low = mt_sb_message_after(walk->view->thread, gone->last);
    else
        walk->high = mt_sb_message_after(walk->view->thread, gone->first - 1);
    return true;
}

/* Narrows to what time, deletion and the start allow; the start itself is never in the page. */
static void narrow(struct walk *walk)
{
    const struct mt_sb_thread *thread = walk->view->thread;
    const struct mt_sb_page_query *query = walk->query;
    walk->low = mt_sb_message_after(thread, walk->view->cut_id);
    walk->high = thread->n;
    if (query->since_ms > 0) {
        size_t from = mt_sb_message_from(thread, query->since_ms);
        walk->low = from > walk->low ? from : walk->low;
    }
    if (query->until_ms > 0) {
        size_t to = mt_sb_message_from(thread, query->until_ms + 1);
        walk->high = to < walk->high ? to : walk->high;
    }
    if (query->start == 0)
        return;
    if (query->oldest_first) {
        size_t from = mt_sb_message_after(thread, query->start);
        walk->low = from > walk->low ? from : walk->low;
    } else {
        size_t to = mt_sb_message_after(thread, query->start - 1);
        walk->high = to < walk->high ? to : walk->high;
    }
}

void mt_sb_page_read(const struct mt_sb_view *view, const struct mt_sb_page_query *query,
                     struct mt_sb_page *page)
{
    struct walk walk = {.view = view, .query = query};
    const struct mt_sb_message *messages = view->thread->messages;
    page->n = 0;
    page->last = true;
    narrow(&walk);
    while (walk.low < walk.high) {
        size_t at = query->oldest_first ? walk.low++ : --walk.high;
        if (step_over(&walk, &messages[at]) || !matches(&walk, &messages[at]))
            continue;
        if (page->n == query->limit) { /* one more would have come */
            page->last = false;
            return;
        }
        page->items[page->n++] = &messages[at];
    }
}

/* What is gone for one user: stretches of the thread's log. */
#include "sandbox/rongcloud/store_int.h"

#include <string.h>

static bool before(struct mt_sr_place a, struct mt_sr_place b)
{
    return a.ts_ms != b.ts_ms ? a.ts_ms < b.ts_ms : a.seq < b.seq;
}

struct mt_sr_place mt_sr_place_of(const struct mt_sr_message *message)
{
    return (struct mt_sr_place){.ts_ms = message->ts_ms, .seq = message->seq};
}

size_t mt_sr_thread_at(const struct mt_sr_thread *thread, struct mt_sr_place place)
{
    size_t low = 0;
    size_t high = thread->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (before(mt_sr_place_of(thread->messages[mid]), place))
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

size_t mt_sr_thread_behind(const struct mt_sr_thread *thread, struct mt_sr_place place)
{
    return mt_sr_thread_at(thread,
                           (struct mt_sr_place){.ts_ms = place.ts_ms, .seq = place.seq + 1});
}

/* The first stretch that ends at the place or behind it. */
static size_t gone_from(const struct mt_sr_view *view, struct mt_sr_place place)
{
    size_t low = 0;
    size_t high = view->gone_n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (before(view->gone[mid].last, place))
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static bool holds(const struct mt_sr_view *view, size_t at, struct mt_sr_place place)
{
    return at < view->gone_n && !before(place, view->gone[at].first);
}

const struct mt_sr_stretch *mt_sr_view_gone(const struct mt_sr_view *view,
                                            const struct mt_sr_message *message)
{
    struct mt_sr_place place = mt_sr_place_of(message);
    size_t at = view->gone_n == 0 ? 0 : gone_from(view, place);
    return holds(view, at, place) ? &view->gone[at] : NULL;
}

static enum mt_rc open_stretch(struct mt_sr_view *view, size_t at)
{
    if (mt_sr_grow(&view->gone, view->gone_n, &view->gone_cap, sizeof *view->gone) != MT_OK)
        return MT_ERR_NOMEM;
    memmove(view->gone + at + 1, view->gone + at, (view->gone_n - at) * sizeof *view->gone);
    view->gone_n++;
    return MT_OK;
}

enum mt_rc mt_sr_view_forget(struct mt_sr_view *view, const struct mt_sr_message *message)
{
    const struct mt_sr_thread *thread = view->thread;
    struct mt_sr_place place = mt_sr_place_of(message);
    size_t at = gone_from(view, place);
    if (holds(view, at, place))
        return MT_OK;
    size_t index = mt_sr_thread_at(thread, place);
    /* nothing that is still seen lies between this one and the stretch before, or behind */
    bool joins = at > 0 && (index == 0 || !before(view->gone[at - 1].last,
                                                  mt_sr_place_of(thread->messages[index - 1])));
    bool joined = at < view->gone_n &&
                  (index + 1 >= thread->n ||
                   !before(mt_sr_place_of(thread->messages[index + 1]), view->gone[at].first));
    if (joins && joined) {
        view->gone[at - 1].last = view->gone[at].last;
        memmove(view->gone + at, view->gone + at + 1, (view->gone_n - at - 1) * sizeof *view->gone);
        view->gone_n--;
    } else if (joins) {
        view->gone[at - 1].last = place;
    } else if (joined) {
        view->gone[at].first = place;
    } else {
        if (open_stretch(view, at) != MT_OK)
            return MT_ERR_NOMEM;
        view->gone[at] = (struct mt_sr_stretch){.first = place, .last = place};
    }
    return MT_OK;
}

/* What came has a number of its own: the stretch ends before it and goes on behind it, at numbers
 * that nobody has. */
enum mt_rc mt_sr_view_arrive(struct mt_sr_view *view, struct mt_sr_place place)
{
    size_t at = view->gone_n == 0 ? 0 : gone_from(view, place);
    if (!holds(view, at, place))
        return MT_OK;
    if (open_stretch(view, at) != MT_OK)
        return MT_ERR_NOMEM;
    view->gone[at].last = (struct mt_sr_place){.ts_ms = place.ts_ms, .seq = place.seq - 1};
    view->gone[at + 1].first = (struct mt_sr_place){.ts_ms = place.ts_ms, .seq = place.seq + 1};
    return MT_OK;
}

/* What one user sees of one thread: visibility, unread count, the conversation list with its cap.
 */
#include "sandbox/store_int.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* The first index in view->gone that ends at the id or later. */
static size_t gone_from(const struct mt_sb_view *view, uint64_t id)
{
    size_t low = 0;
    size_t high = view->gone_n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (view->gone[mid].last < id)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

const struct mt_sb_span *mt_sb_view_gone(const struct mt_sb_view *view, uint64_t id)
{
    if (view->gone_n == 0)
        return NULL;
    size_t at = gone_from(view, id);
    return at < view->gone_n && view->gone[at].first <= id ? &view->gone[at] : NULL;
}

bool mt_sb_view_sees(const struct mt_sb_view *view, uint64_t id)
{
    return id > view->cut_id && mt_sb_view_gone(view, id) == NULL;
}

const struct mt_sb_message *mt_sb_view_last(const struct mt_sb_view *view)
{
    const struct mt_sb_thread *thread = view->thread;
    for (size_t i = thread->n; i-- > 0;) {
        const struct mt_sb_message *message = &thread->messages[i];
        if (message->id <= view->cut_id)
            return NULL;
        const struct mt_sb_span *gone = mt_sb_view_gone(view, message->id);
        if (gone != NULL)
            i = mt_sb_message_after(thread, gone->first - 1);
        else if (message->counts)
            return message;
    }
    return NULL;
}

uint64_t mt_sb_view_unread(const struct mt_sb_view *view)
{
    uint64_t known = view->read_seq + view->own_n;
    return view->thread->seq > known ? view->thread->seq - known : 0;
}

void mt_sb_view_read(struct mt_sb_view *view)
{
    view->read_seq = view->thread->seq;
    view->own_n = 0;
    view->read_id = view->thread->n == 0 ? 0 : view->thread->messages[view->thread->n - 1].id;
}

bool mt_sb_view_listed(const struct mt_sb_view *view)
{
    return view->thread->chat != MT_SB_ROOM && view->thread->seq > view->hidden_seq;
}

void mt_sb_view_hide(struct mt_sb_view *view)
{
    view->hidden_seq = view->thread->seq;
    view->marks = 0;
    view->pinned_ms = 0;
    mt_sb_view_read(view);
}

static enum mt_rc open_span(struct mt_sb_view *view, size_t at)
{
    if (mt_sb_grow(&view->gone, view->gone_n, &view->gone_cap, sizeof *view->gone) != MT_OK)
        return MT_ERR_NOMEM;
    memmove(view->gone + at + 1, view->gone + at, (view->gone_n - at) * sizeof *view->gone);
    view->gone_n++;
    return MT_OK;
}

static void close_spans(struct mt_sb_view *view, size_t at, size_t n)
{
    memmove(view->gone + at, view->gone + at + n, (view->gone_n - at - n) * sizeof *view->gone);
    view->gone_n -= n;
}

enum mt_rc mt_sb_view_forget(struct mt_sb_view *view, uint64_t id)
{
    const struct mt_sb_thread *thread = view->thread;
    const struct mt_sb_message *message = mt_sb_message_find(view->thread, id);
    if (message == NULL || !mt_sb_view_sees(view, id))
        return MT_OK; /* the cloud does not report unknown ids either */
    size_t index = (size_t)(message - thread->messages);
    size_t at = gone_from(view, id);
    /* nothing that is still seen lies between this one and the span before, or behind */
    bool before =
        at > 0 && (index == 0 || thread->messages[index - 1].id <= view->gone[at - 1].last);
    bool behind = at < view->gone_n && (index + 1 == thread->n ||
                                        thread->messages[index + 1].id >= view->gone[at].first);
    if (before && behind) {
        view->gone[at - 1].last = view->gone[at].last;
        close_spans(view, at, 1);
    } else if (before) {
        view->gone[at - 1].last = id;
    } else if (behind) {
        view->gone[at].first = id;
    } else {
        if (open_span(view, at) != MT_OK)
            return MT_ERR_NOMEM;
        view->gone[at] = (struct mt_sb_span){.first = id, .last = id};
    }
    return MT_OK;
}

enum mt_rc mt_sb_view_arrive(struct mt_sb_view *view, uint64_t id)
{
    const struct mt_sb_span *gone = mt_sb_view_gone(view, id);
    if (gone == NULL)
        return MT_OK;
    size_t at = (size_t)(gone - view->gone);
    if (open_span(view, at) != MT_OK)
        return MT_ERR_NOMEM;
    view->gone[at].last = id - 1;
    view->gone[at + 1].first = id + 1;
    return MT_OK;
}

void mt_sb_view_forget_until(struct mt_sb_view *view, uint64_t id)
{
    if (id <= view->cut_id)
        return;
    size_t drop = gone_from(view, id);
    if (drop < view->gone_n && view->gone[drop].last == id)
        drop++;
    if (drop > 0)
        close_spans(view, 0, drop);
    view->cut_id = id;
}

static int by_newest(const void *a, const void *b)
{
    const struct mt_sb_listed *left = a;
    const struct mt_sb_listed *right = b;
    uint64_t left_id = left->last == NULL ? 0 : left->last->id;
    uint64_t right_id = right->last == NULL ? 0 : right->last->id;
    if (left_id != right_id)
        return left_id > right_id ? -1 : 1;
    return left->view->thread->index < right->view->thread->index ? -1 : 1;
}

enum mt_rc mt_sb_user_list(struct mt_sb_user *user, size_t cap, bool with_empty,
                           struct mt_sb_listed **out, size_t *n)
{
    *out = NULL;
    *n = 0;
    if (user->view_n == 0)
        return MT_OK;
    struct mt_sb_listed *list = mt_mem_alloc(user->view_n * sizeof *list);
    if (list == NULL)
        return MT_ERR_NOMEM;
    size_t count = 0;
    for (size_t i = 0; i < user->view_n; i++) {
        struct mt_sb_view *view = user->views[i];
        if (view->member && mt_sb_view_listed(view))
            list[count++] = (struct mt_sb_listed){.view = view, .last = mt_sb_view_last(view)};
    }
    if (count != 0)
        qsort(list, count, sizeof *list, by_newest);
    while (count > cap) /* the least active lose their place; empty ones first, they sort last */
        mt_sb_view_hide(list[--count].view);
    if (!with_empty) {
        while (count > 0 && list[count - 1].last == NULL)
            count--;
    }
    if (count == 0) {
        mt_mem_free(list);
        list = NULL;
    }
    *out = list;
    *n = count;
    return MT_OK;
}

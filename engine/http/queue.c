/* Lists of calls, and the heap of points in time at which waiting calls want attention. */
#include "base/mem.h"
#include "http/http_int.h"

void call_list_push(struct call_list *list, struct mt_http_call *call)
{
    call->next = NULL;
    call->prev = list->last;
    if (list->last) {
        list->last->next = call;
    } else {
        list->first = call;
    }
    list->last = call;
}

void call_list_push_front(struct call_list *list, struct mt_http_call *call)
{
    call->prev = NULL;
    call->next = list->first;
    if (list->first) {
        list->first->prev = call;
    } else {
        list->last = call;
    }
    list->first = call;
}

void call_list_remove(struct call_list *list, struct mt_http_call *call)
{
    if (call->prev) {
        call->prev->next = call->next;
    } else {
        list->first = call->next;
    }
    if (call->next) {
        call->next->prev = call->prev;
    } else {
        list->last = call->prev;
    }
    call->prev = NULL;
    call->next = NULL;
}

static void place(struct mt_http *http, size_t i, struct mt_http_call *call)
{
    http->due[i] = call;
    call->due_index = i + 1;
}

static void sift_up(struct mt_http *http, size_t i, struct mt_http_call *call)
{
    while (i > 0) {
        size_t parent = (i - 1) / 2;
        if (http->due[parent]->due_ms <= call->due_ms) {
            break;
        }
        place(http, i, http->due[parent]);
        i = parent;
    }
    place(http, i, call);
}

static void sift_down(struct mt_http *http, size_t i, struct mt_http_call *call)
{
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= http->due_n) {
            break;
        }
        if (child + 1 < http->due_n && http->due[child + 1]->due_ms < http->due[child]->due_ms) {
            child++;
        }
        if (http->due[child]->due_ms >= call->due_ms) {
            break;
        }
        place(http, i, http->due[child]);
        i = child;
    }
    place(http, i, call);
}

enum mt_rc due_reserve(struct mt_http *http)
{
    if (http->calls_n < http->due_cap) {
        return MT_OK;
    }
    size_t cap = http->due_cap > 0 ? http->due_cap * 2 : 64;
    struct mt_http_call **due = mt_mem_realloc(http->due, cap * sizeof(struct mt_http_call *));
    if (!due) {
        return MT_ERR_NOMEM;
    }
    http->due = due;
    http->due_cap = cap;
    return MT_OK;
}

void due_set(struct mt_http *http, struct mt_http_call *call, int64_t due_ms)
{
    due_clear(http, call);
    call->due_ms = due_ms;
    http->due_n++;
    sift_up(http, http->due_n - 1, call);
}

void due_clear(struct mt_http *http, struct mt_http_call *call)
{
    if (call->due_index == 0) {
        return;
    }
    size_t i = call->due_index - 1;
    struct mt_http_call *last = http->due[--http->due_n];
    call->due_index = 0;
    if (last == call) {
        return;
    }
    if (i > 0 && http->due[(i - 1) / 2]->due_ms > last->due_ms) {
        sift_up(http, i, last);
    } else {
        sift_down(http, i, last);
    }
}

/* Queues. A thread remembers its recent entries once; a device's queue is what lies behind its
 * position there, so that a message to a big group is stored once and costs nothing for members who
 * are away. */
#include "sandbox/store_int.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static void entry_clear(struct mt_sb_entry *entry)
{
    mt_mem_free(entry->meta);
    mt_mem_free(entry->directed);
    entry->meta = NULL;
    entry->directed = NULL;
}

static void feed_drop(struct mt_sb_thread *thread, size_t n)
{
    for (size_t i = 0; i < n; i++)
        entry_clear(&thread->feed[i]);
    memmove(thread->feed, thread->feed + n, (thread->feed_n - n) * sizeof *thread->feed);
    thread->feed_n -= n;
}

static struct mt_sb_slot *slot_find(const struct mt_sb_view *view, uint32_t device)
{
    for (size_t i = 0; i < view->slot_n; i++) {
        if (view->slots[i].device == device)
            return &view->slots[i];
    }
    return NULL;
}

static struct mt_sb_slot *slot_make(struct mt_sb_view *view, uint32_t device)
{
    struct mt_sb_slot *slot = slot_find(view, device);
    if (slot != NULL)
        return slot;
    if (mt_sb_grow(&view->slots, view->slot_n, &view->slot_cap, sizeof *slot) != MT_OK)
        return NULL;
    slot = &view->slots[view->slot_n++];
    *slot = (struct mt_sb_slot){.device = device, .pos = view->acked_id};
    return slot;
}

uint64_t mt_sb_feed_pos(const struct mt_sb_view *view, const struct mt_sb_device *device)
{
    const struct mt_sb_slot *slot = slot_find(view, device->id);
    return slot == NULL ? view->acked_id : slot->pos;
}

void mt_sb_feed_ack(struct mt_sb_view *view, const struct mt_sb_device *device, uint64_t key)
{
    const struct mt_sb_thread *thread = view->thread;
    uint64_t newest = thread->feed_n == 0 ? 0 : thread->feed[thread->feed_n - 1].id;
    if (key > newest)
        key = newest; /* nobody acknowledges what does not exist yet */
    if (key > view->acked_id) {
        /* Only devices that come later begin there: those known by now keep the place they had. */
        for (size_t i = 0; i < view->user->device_n; i++)
            (void)slot_make(view, view->user->devices[i]->id);
        view->acked_id = key;
    }
    struct mt_sb_slot *slot = slot_make(view, device->id);
    if (slot != NULL && key > slot->pos)
        slot->pos = key;
}

/* The author's own device needs no pull to be up to date, if it was so before. */
static void advance_author(struct mt_sb_store *store, struct mt_sb_thread *thread,
                           const struct mt_sb_device *author)
{
    uint64_t before = thread->feed_n < 2 ? 0 : thread->feed[thread->feed_n - 2].id;
    struct mt_sb_view *view = mt_sb_view_of(store, author->user, thread);
    if (view != NULL && mt_sb_feed_pos(view, author) >= before)
        mt_sb_feed_ack(view, author, thread->feed[thread->feed_n - 1].id);
}

enum mt_rc mt_sb_feed_push(struct mt_sb_store *store, struct mt_sb_thread *thread,
                           const struct mt_sb_device *author, struct mt_sb_entry *entry)
{
    if (thread->feed_n >= MT_SB_FEED_MAX)
        feed_drop(thread, MT_SB_FEED_DROP);
    if (mt_sb_grow(&thread->feed, thread->feed_n, &thread->feed_cap, sizeof *entry) != MT_OK) {
        entry_clear(entry);
        return MT_ERR_NOMEM;
    }
    entry->device = author == NULL ? 0 : author->id;
    thread->feed[thread->feed_n++] = *entry;
    if (author != NULL)
        advance_author(store, thread, author);
    return MT_OK;
}

static bool meant_for(const struct mt_sb_entry *entry, const struct mt_sb_device *device)
{
    uint32_t user = device->user->index;
    if (entry->device == device->id)
        return false;
    if (entry->only_user != 0 && entry->only_user != user + 1)
        return false;
    if (entry->online_only && entry->id <= device->since_id)
        return false;
    if (entry->directed == NULL)
        return true;
    for (uint32_t i = 0; i < entry->directed_n; i++) {
        if (entry->directed[i] == user)
            return true;
    }
    return false;
}

/* The first index behind a position. */
static size_t feed_after(const struct mt_sb_thread *thread, uint64_t id)
{
    size_t low = 0;
    size_t high = thread->feed_n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (thread->feed[mid].id <= id)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

struct notify {
    const struct mt_sb_entry *entry;
    void (*each)(void *ud, struct mt_sb_device *device, struct mt_sb_view *view);
    void *ud;
};

static void notify_one(const struct notify *notify, struct mt_sb_device *device,
                       struct mt_sb_view *view)
{
    if (view == NULL || !view->member || !meant_for(notify->entry, device))
        return;
    struct mt_sb_slot *slot = slot_make(view, device->id);
    if (slot == NULL || slot->noticed)
        return;
    slot->noticed = true;
    notify->each(notify->ud, device, view);
}

void mt_sb_feed_notify(struct mt_sb_store *store, struct mt_sb_thread *thread,
                       void (*each)(void *ud, struct mt_sb_device *device, struct mt_sb_view *view),
                       void *ud)
{
    if (thread->feed_n == 0)
        return;
    struct mt_sb_entry entry = thread->feed[thread->feed_n - 1];
    struct notify notify = {.entry = &entry, .each = each, .ud = ud};
    if (thread->view_n <=
        store->online_n) { /* whichever is shorter: the members or who is online */
        for (size_t i = 0; i < thread->view_n; i++) {
            struct mt_sb_user *user = thread->views[i]->user;
            for (size_t k = 0; k < user->device_n; k++) {
                if (user->devices[k]->session != NULL)
                    notify_one(&notify, user->devices[k], thread->views[i]);
            }
        }
        return;
    }
    for (size_t i = 0; i < store->online_n; i++) {
        struct mt_sb_device *device = store->online[i];
        notify_one(&notify, device, mt_sb_view_of(store, device->user, thread));
    }
}

size_t mt_sb_feed_pull(struct mt_sb_view *view, const struct mt_sb_device *device,
                       const struct mt_sb_entry **out, size_t max)
{
    const struct mt_sb_thread *thread = view->thread;
    size_t n = 0;
    for (size_t i = feed_after(thread, mt_sb_feed_pos(view, device)); i < thread->feed_n; i++) {
        const struct mt_sb_entry *entry = &thread->feed[i];
        if (!meant_for(entry, device))
            continue;
        /* A message recalled meanwhile has left the log, and is not handed out any more. */
        if (entry->meta == NULL && mt_sb_message_find(view->thread, entry->id) == NULL)
            continue;
        if (n == max)
            return n;
        out[n++] = entry;
    }
    if (n == 0) {
        struct mt_sb_slot *slot = slot_find(view, device->id);
        if (slot != NULL)
            slot->noticed = false;
    }
    return n;
}

size_t mt_sb_feed_backlog(const struct mt_sb_view *view, const struct mt_sb_device *device)
{
    const struct mt_sb_thread *thread = view->thread;
    uint64_t pos = mt_sb_feed_pos(view, device);
    if (!view->member || thread->feed_n == 0 || thread->feed[thread->feed_n - 1].id <= pos)
        return 0;
    size_t n = 0;
    for (size_t i = feed_after(thread, pos); i < thread->feed_n; i++) {
        const struct mt_sb_entry *entry = &thread->feed[i];
        bool there = entry->meta != NULL || mt_sb_message_find(view->thread, entry->id) != NULL;
        n += there && meant_for(entry, device) ? 1 : 0;
    }
    return n;
}

static int descending(const void *a, const void *b)
{
    uint64_t left = 0;
    uint64_t right = 0;
    memcpy(&left, a, sizeof left);
    memcpy(&right, b, sizeof right);
    return left == right ? 0 : left > right ? -1 : 1;
}

/* Caps one class of queues (single chats, or groups): what is older than the newest `max` messages
 * is dropped. */
static enum mt_rc cap_class(struct mt_sb_user *user, const struct mt_sb_device *device, bool single,
                            size_t max)
{
    uint64_t *ids = NULL;
    size_t n = 0;
    size_t cap = 0;
    enum mt_rc rc = MT_OK;
    for (size_t i = 0; i < user->view_n; i++) {
        const struct mt_sb_view *view = user->views[i];
        const struct mt_sb_thread *thread = view->thread;
        if ((thread->chat == MT_SB_SINGLE) != single)
            continue;
        for (size_t k = feed_after(thread, mt_sb_feed_pos(view, device)); k < thread->feed_n; k++) {
            if (!thread->feed[k].is_message || !meant_for(&thread->feed[k], device))
                continue;
            rc = mt_sb_grow(&ids, n, &cap, sizeof *ids);
            if (rc != MT_OK)
                goto out;
            ids[n++] = thread->feed[k].id;
        }
    }
    if (n <= max)
        goto out;
    qsort(ids, n, sizeof *ids, descending);
    for (size_t i = 0; i < user->view_n; i++) {
        struct mt_sb_view *view = user->views[i];
        if ((view->thread->chat == MT_SB_SINGLE) == single &&
            mt_sb_feed_pos(view, device) < ids[max]) {
            struct mt_sb_slot *slot = slot_make(view, device->id);
            if (slot != NULL)
                slot->pos = ids[max];
        }
    }
out:
    mt_mem_free(ids);
    return rc;
}

enum mt_rc mt_sb_feed_cap(struct mt_sb_user *user, const struct mt_sb_device *device,
                          size_t single_max, size_t group_max)
{
    enum mt_rc rc = cap_class(user, device, true, single_max);
    return rc != MT_OK ? rc : cap_class(user, device, false, group_max);
}

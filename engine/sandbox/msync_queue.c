/* Queues on the wire: UNREAD lists what waits, NOTICE says that something is new, SYNC pulls
 * (easemob.md §3.2). */
#include "sandbox/msync_int.h"

#include "base/clock.h"
#include "base/mem.h"

#include <string.h>

#define UNREAD_QUEUES_MAX 2000
#define QUEUE_BYTES       600

static void notice(void *ud, struct mt_sb_device *device, struct mt_sb_view *view)
{
    uint8_t room[QUEUE_BYTES];
    struct mt_sb_wire w = {.p = room, .cap = sizeof room};
    struct mt_sandbox *sandbox = ud;
    mt_sb_queue_jid(&w, 1, view);
    for (int i = 0; i < (sandbox->faults.notice_twice ? 2 : 1); i++)
        mt_sb_session_send(device->session, EASEMOB__PB__MSYNC__COMMAND__NOTICE, w.p, w.len);
}

enum mt_rc mt_sb_publish(struct mt_sandbox *sandbox, struct mt_sb_thread *thread,
                         const struct mt_sb_device *author, struct mt_sb_entry *entry)
{
    enum mt_rc rc = mt_sb_feed_push(&sandbox->store, thread, author, entry);
    if (rc == MT_OK)
        mt_sb_feed_notify(&sandbox->store, thread, notice, sandbox);
    return rc;
}

void mt_sb_msync_unread(struct mt_sb_session *session)
{
    const struct mt_sb_device *device = session->device;
    struct mt_sb_user *user = device->user;
    size_t cap = 64;
    size_t queues = 0;
    for (size_t i = 0; i < user->view_n && queues < UNREAD_QUEUES_MAX; i++)
        queues += mt_sb_feed_backlog(user->views[i], device) > 0 ? 1 : 0;
    cap += queues * QUEUE_BYTES;
    uint8_t *room = mt_mem_alloc(cap);
    if (room == NULL)
        return;
    struct mt_sb_wire w = {.p = room, .cap = cap};
    mt_sb_wire_bytes(&w, 1, "\x08\x00", 2);
    for (size_t i = 0; i < user->view_n && queues > 0; i++) {
        uint8_t queue_room[QUEUE_BYTES - 16];
        struct mt_sb_wire queue = {.p = queue_room, .cap = sizeof queue_room};
        size_t n = mt_sb_feed_backlog(user->views[i], device);
        if (n == 0)
            continue;
        mt_sb_queue_jid(&queue, 1, user->views[i]);
        mt_sb_wire_varint(&queue, 2, n);
        mt_sb_wire_bytes(&w, 2, queue.p, queue.len);
        queues--;
    }
    mt_sb_wire_varint(&w, 3, (uint64_t)mt_clock_wall_ms());
    mt_sb_session_send(session, EASEMOB__PB__MSYNC__COMMAND__UNREAD, w.p, w.len);
    mt_mem_free(room);
}

/* Appends the Meta of one entry as field 4; an entry whose message is gone is passed over. */
static void write_entry(struct mt_buf *out, struct mt_sb_thread *thread,
                        const struct mt_sb_entry *entry)
{
    uint8_t head_room[16];
    struct mt_sb_wire head = {.p = head_room, .cap = sizeof head_room};
    uint8_t *owned = NULL;
    const uint8_t *meta = entry->meta;
    size_t len = entry->meta_len;
    if (meta == NULL) {
        const struct mt_sb_message *message = mt_sb_message_find(thread, entry->id);
        owned = message == NULL ? NULL : mt_sb_message_meta(message, &len);
        if (owned == NULL)
            return;
        meta = owned;
    }
    mt_sb_wire_number(&head, 4 << 3 | 2);
    mt_sb_wire_number(&head, len);
    (void)mt_buf_append(out, head.p, head.len);
    (void)mt_buf_append(out, meta, len);
    mt_mem_free(owned);
}

static void answer_batch(struct mt_sb_session *session, const Easemob__Pb__CommSyncUL *sync,
                         struct mt_sb_view *view)
{
    const struct mt_sb_entry *entries[MT_SB_BATCH];
    uint8_t room[1024];
    struct mt_sb_wire w = {.p = room, .cap = sizeof room};
    struct mt_buf out;
    const Easemob__Pb__JID *queue = sync->queue;
    size_t n = view == NULL ? 0 : mt_sb_feed_pull(view, session->device, entries, MT_SB_BATCH);
    mt_buf_init(&out, 16 * MT_SB_FRAME_MAX);
    (void)mt_buf_append(&out, "\x0a\x02\x08\x00", 4); /* status OK */
    for (size_t i = 0; i < n; i++)
        write_entry(&out, view->thread, entries[i]);
    if (n > 0)
        mt_sb_wire_varint(&w, 5, entries[n - 1]->id);
    mt_sb_wire_jid(&w, 6, queue->appkey, queue->name, queue->domain, queue->clientresource);
    mt_sb_wire_varint(&w, 7, n == 0 ? 1 : 0);
    mt_sb_wire_varint(&w, 8, (uint64_t)mt_clock_wall_ms());
    if (!w.full)
        (void)mt_buf_append(&out, w.p, w.len);
    if (out.failed == MT_OK)
        mt_sb_session_send(session, EASEMOB__PB__MSYNC__COMMAND__SYNC, out.data, out.len);
    mt_buf_deinit(&out);
}

void mt_sb_msync_pull(struct mt_sb_session *session, const Easemob__Pb__CommSyncUL *sync)
{
    const Easemob__Pb__JID *queue = sync->queue;
    bool group = queue->domain != NULL && strcmp(queue->domain, MT_SB_DOMAIN_GROUP) == 0;
    struct mt_sb_view *view =
        mt_sb_view_find(&session->sandbox->store, session->device->user, queue->name, group);
    if (view != NULL && sync->key != 0)
        mt_sb_feed_ack(view, session->device, sync->key);
    answer_batch(session, sync, view);
}

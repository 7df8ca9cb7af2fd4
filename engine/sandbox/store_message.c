/* The message log of a thread: append, find, replace, remove. A message is kept as the base64 text
 * that history hands out, so that a page is put together by copying. */
#include "sandbox/store_int.h"

#include "base/mem.h"
#include "codec/base64.h"
#include "sandbox/wire_int.h"

#include <string.h>

/* Of the million ids of a millisecond: the upper half is for what comes late. */
#define LATE_FIRST ((uint64_t)1 << 19)

enum mt_rc mt_sb_meta_encode(struct mt_sb_store *store, const struct mt_sb_draft *draft,
                             uint64_t id, int64_t ts_ms, size_t *len)
{
    struct mt_sb_wire w = {.p = store->scratch, .cap = MT_SB_SCRATCH};
    const struct mt_sb_thread *thread = draft->thread;
    bool single = thread->chat == MT_SB_SINGLE;
    const char *to = thread->name;
    if (single) {
        const struct mt_sb_view *first = thread->views[0];
        to = first->user == draft->from ? first->id : first->user->name;
    }
    mt_sb_wire_varint(&w, 1, id);
    mt_sb_wire_jid(&w, 2, store->appkey, draft->from->name, MT_SB_DOMAIN_USER, draft->resource);
    mt_sb_wire_jid(&w, 3, store->appkey, to, single ? MT_SB_DOMAIN_USER : MT_SB_DOMAIN_GROUP, NULL);
    mt_sb_wire_varint(&w, 4, (uint64_t)ts_ms);
    mt_sb_wire_varint(&w, 5, 1); /* CHAT */
    mt_sb_wire_bytes(&w, 6, draft->payload, draft->payload_len);
    mt_sb_wire_raw(&w, draft->ext, draft->ext_len);
    if (w.full)
        return MT_ERR_LIMIT;
    *len = w.len;
    return MT_OK;
}

static enum mt_rc keep_b64(struct mt_sb_store *store, const void *meta, size_t len,
                           const char **text, uint32_t *text_len)
{
    mt_buf_reset(&store->b64);
    enum mt_rc rc = mt_base64_encode(&store->b64, meta, len);
    if (rc != MT_OK)
        return rc;
    const char *kept = mt_sb_store_keep(store, store->b64.data, store->b64.len);
    if (kept == NULL)
        return MT_ERR_NOMEM;
    *text = kept;
    *text_len = (uint32_t)store->b64.len;
    return MT_OK;
}

struct mt_sb_message *mt_sb_message_place(struct mt_sb_thread *thread, uint64_t id)
{
    size_t at = mt_sb_message_after(thread, id);
    memmove(&thread->messages[at + 1], &thread->messages[at],
            (thread->n - at) * sizeof thread->messages[0]);
    thread->n++;
    return &thread->messages[at];
}

/* The id that a message of that time might have got then; no other message has it. */
static enum mt_rc late_id(struct mt_sb_store *store, struct mt_sb_thread *thread, int64_t ts_ms,
                          uint64_t *id)
{
    *id = mt_sb_store_id_at(ts_ms) + LATE_FIRST + store->late_n++ % LATE_FIRST;
    while (mt_sb_message_find(thread, *id) != NULL)
        ++*id;
    for (size_t i = 0; i < thread->view_n; i++) {
        if (mt_sb_view_arrive(thread->views[i], *id) != MT_OK)
            return MT_ERR_NOMEM;
    }
    return MT_OK;
}

enum mt_rc mt_sb_message_append(struct mt_sb_store *store, const struct mt_sb_draft *draft,
                                struct mt_sb_message **out)
{
    struct mt_sb_thread *thread = draft->thread;
    if (mt_sb_grow(&thread->messages, thread->n, &thread->cap, sizeof(struct mt_sb_message)) !=
        MT_OK)
        return MT_ERR_NOMEM;
    int64_t ts_ms = draft->ts_ms;
    uint64_t id = 0;
    if (!draft->late && thread->n != 0 && ts_ms < thread->messages[thread->n - 1].ts_ms)
        ts_ms = thread->messages[thread->n - 1].ts_ms;
    if (!draft->late)
        id = mt_sb_store_next_id(store, ts_ms);
    else if (late_id(store, thread, ts_ms, &id) != MT_OK)
        return MT_ERR_NOMEM;
    struct mt_sb_message message = {
        .id = id,
        .ts_ms = ts_ms,
        .from = draft->from->index,
        .kind = (uint8_t)draft->kind,
        .wants_ack = draft->wants_ack,
        .counts = draft->kind != MT_SB_COMMAND,
    };
    size_t len = 0;
    enum mt_rc rc = mt_sb_meta_encode(store, draft, message.id, ts_ms, &len);
    if (rc == MT_OK)
        rc = keep_b64(store, store->scratch, len, &message.b64, &message.b64_len);
    if (rc != MT_OK)
        return rc;
    *out = mt_sb_message_place(thread, id);
    **out = message;
    store->message_n++;
    if (message.counts) {
        struct mt_sb_view *own = mt_sb_view_of(store, draft->from, thread);
        thread->seq++;
        if (own != NULL)
            own->own_n++;
    }
    return MT_OK;
}

size_t mt_sb_message_after(const struct mt_sb_thread *thread, uint64_t id)
{
    size_t low = 0;
    size_t high = thread->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (thread->messages[mid].id <= id)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

size_t mt_sb_message_from(const struct mt_sb_thread *thread, int64_t ts_ms)
{
    size_t low = 0;
    size_t high = thread->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (thread->messages[mid].ts_ms < ts_ms)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

struct mt_sb_message *mt_sb_message_find(struct mt_sb_thread *thread, uint64_t id)
{
    size_t after = mt_sb_message_after(thread, id);
    if (after == 0 || thread->messages[after - 1].id != id)
        return NULL;
    return &thread->messages[after - 1];
}

enum mt_rc mt_sb_message_replace(struct mt_sb_store *store, struct mt_sb_message *message,
                                 const void *meta, size_t len)
{
    return keep_b64(store, meta, len, &message->b64, &message->b64_len);
}

void mt_sb_message_remove(struct mt_sb_store *store, struct mt_sb_thread *thread, uint64_t id)
{
    struct mt_sb_message *message = mt_sb_message_find(thread, id);
    if (message == NULL)
        return;
    struct mt_sb_message gone = *message;
    size_t behind = thread->n - (size_t)(message - thread->messages) - 1;
    memmove(message, message + 1, behind * sizeof *message);
    thread->n--;
    store->message_n--;
    if (!gone.counts)
        return;
    /* Where it was unread, one less is unread: as if the reader had read one more. */
    for (size_t i = 0; i < thread->view_n; i++) {
        struct mt_sb_view *view = thread->views[i];
        if (view->read_id >= id)
            continue;
        if (view->user->index != gone.from)
            view->read_seq++;
    }
}

uint8_t *mt_sb_message_meta(const struct mt_sb_message *message, size_t *len)
{
    uint8_t *out = mt_mem_alloc(MT_BASE64_DECODED_MAX(message->b64_len));
    if (out != NULL && mt_base64_decode(message->b64, message->b64_len, out, len) != MT_OK) {
        mt_mem_free(out);
        return NULL;
    }
    return out;
}

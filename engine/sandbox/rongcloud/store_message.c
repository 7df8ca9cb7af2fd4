/* Messages: how they are kept, and how they are given to one user. */
#include "sandbox/rongcloud/store_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include "sandbox/rongcloud/pb_int.h"

#include <stdio.h>
#include <string.h>

#define SLAB_BYTES     ((size_t)1 << 20)
#define SLAB_MAX_BYTES ((size_t)4 << 30)
#define AHEAD_MS       60000 /* how far live times may run ahead of the clock */

struct mt_sr_slab {
    struct mt_sr_slab *next;
    size_t used;
    size_t cap;
    _Alignas(16) uint8_t bytes[];
};

void mt_sr_slabs_free(struct mt_sr_slab *slab)
{
    while (slab != NULL) {
        struct mt_sr_slab *next = slab->next;
        mt_mem_free(slab);
        slab = next;
    }
}

static void *keep(struct mt_sr_store *store, size_t len)
{
    len = (len + 7) & ~(size_t)7;
    struct mt_sr_slab *slab = store->slab;
    if (slab == NULL || slab->cap - slab->used < len) {
        size_t cap = len > SLAB_BYTES ? len : SLAB_BYTES;
        if (store->slab_bytes + cap > SLAB_MAX_BYTES)
            return NULL;
        slab = mt_mem_alloc(sizeof *slab + cap);
        if (slab == NULL)
            return NULL;
        *slab = (struct mt_sr_slab){.next = store->slab, .cap = cap};
        store->slab = slab;
        store->slab_bytes += cap;
    }
    void *p = slab->bytes + slab->used;
    slab->used += len;
    return p;
}

static size_t put_number(uint8_t *p, uint64_t v)
{
    size_t n = 0;
    while (v >= 0x80) {
        p[n++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    p[n++] = (uint8_t)v;
    return n;
}

static size_t put_bytes(uint8_t *p, uint8_t field, const void *bytes, size_t len)
{
    size_t n = 0;
    p[n++] = (uint8_t)(field << 3 | 2);
    n += put_number(p + n, len);
    if (len != 0)
        memcpy(p + n, bytes, len);
    return n + len;
}

/* classname and content, then what was handed over ready-made. */
static struct mt_sr_message *pack(struct mt_sr_store *store, const char *name, const char *content,
                                  size_t content_len, const void *tail, size_t tail_len)
{
    size_t name_len = strlen(name);
    size_t room = name_len + content_len + tail_len + 16;
    struct mt_sr_message *message = keep(store, sizeof *message + room);
    if (message == NULL)
        return NULL;
    *message = (struct mt_sr_message){0};
    size_t n = put_bytes(message->packed, 4, name, name_len);
    n += put_bytes(message->packed + n, 5, content, content_len);
    if (tail_len != 0)
        memcpy(message->packed + n, tail, tail_len);
    message->len = (uint32_t)(n + tail_len);
    return message;
}

/* Times within a thread ascend strictly, and a live message is newer than every time that a client
 * was told: it would never come otherwise, since clients ask for what is newer than that. */
static int64_t live_ms(const struct mt_sr_store *store, const struct mt_sr_thread *thread)
{
    int64_t now_ms = mt_clock_wall_ms();
    int64_t ts_ms = now_ms;
    if (store->told_ms >= ts_ms && store->told_ms < now_ms + AHEAD_MS)
        ts_ms = store->told_ms + 1;
    if (thread->n != 0 && thread->messages[thread->n - 1]->ts_ms >= ts_ms)
        ts_ms = thread->messages[thread->n - 1]->ts_ms + 1;
    return ts_ms;
}

static enum mt_rc direct(struct mt_sr_store *store, const struct mt_sr_draft *draft, uint32_t *to)
{
    *to = 0;
    if (draft->to_n == 0)
        return MT_OK;
    if (mt_sr_grow(&store->lists, store->list_n, &store->list_cap, sizeof *store->lists) != MT_OK)
        return MT_ERR_NOMEM;
    uint32_t *users = mt_mem_alloc(draft->to_n * sizeof *users);
    if (users == NULL)
        return MT_ERR_NOMEM;
    memcpy(users, draft->to, draft->to_n * sizeof *users);
    store->lists[store->list_n++] = (struct mt_sr_list){.users = users, .n = draft->to_n};
    *to = (uint32_t)store->list_n;
    return MT_OK;
}

static enum mt_rc put_in_place(struct mt_sr_thread *thread, struct mt_sr_message *message)
{
    struct mt_sr_place place = mt_sr_place_of(message);
    size_t at = mt_sr_thread_at(thread, place);
    for (size_t i = 0; at < thread->n && i < thread->view_n; i++) {
        if (mt_sr_view_arrive(thread->views[i], place) != MT_OK)
            return MT_ERR_NOMEM;
    }
    memmove((void *)&thread->messages[at + 1], (void *)&thread->messages[at],
            (thread->n - at) * sizeof(void *));
    thread->messages[at] = message;
    thread->n++;
    return MT_OK;
}

enum mt_rc mt_sr_message_add(struct mt_sr_store *store, const struct mt_sr_draft *draft,
                             struct mt_sr_message **out)
{
    struct mt_sr_thread *thread = draft->thread;
    uint32_t to = 0;
    int64_t ts_ms = draft->ts_ms == 0 ? live_ms(store, thread) : draft->ts_ms;
    if (!draft->late && thread->n != 0 && ts_ms < thread->messages[thread->n - 1]->ts_ms)
        ts_ms = thread->messages[thread->n - 1]->ts_ms;
    if (store->log_n >= UINT32_MAX)
        return MT_ERR_LIMIT;
    if (mt_sr_grow(&thread->messages, thread->n, &thread->cap, sizeof(void *)) != MT_OK ||
        mt_sr_grow(&store->log, store->log_n, &store->log_cap, sizeof(void *)) != MT_OK ||
        direct(store, draft, &to) != MT_OK)
        return MT_ERR_NOMEM;
    struct mt_sr_message *message =
        pack(store, draft->name, draft->content, draft->content_len, draft->tail, draft->tail_len);
    if (message == NULL)
        return store->slab_bytes + SLAB_BYTES > SLAB_MAX_BYTES ? MT_ERR_LIMIT : MT_ERR_NOMEM;
    message->ts_ms = ts_ms;
    message->seq = (uint32_t)store->log_n;
    message->thread = thread->index;
    message->from = draft->from->index;
    message->to = to;
    message->flags = draft->flags;
    store->log[store->log_n++] = message;
    *out = message;
    return put_in_place(thread, message);
}

enum mt_rc mt_sr_message_change(struct mt_sr_store *store, struct mt_sr_message **message,
                                const char *name, const char *content, size_t content_len,
                                const void *tail, size_t tail_len)
{
    struct mt_sr_message *old = *message;
    struct mt_sr_thread *thread = store->thread_list[old->thread];
    struct mt_sr_message *fresh = pack(store, name, content, content_len, tail, tail_len);
    if (fresh == NULL)
        return MT_ERR_NOMEM;
    uint32_t len = fresh->len;
    *fresh = *old; /* but for the packed part, which is no member that is copied */
    fresh->len = len;
    store->log[old->seq] = fresh;
    for (size_t at = mt_sr_thread_after(thread, old->ts_ms - 1); at < thread->n; at++) {
        if (thread->messages[at] == old)
            thread->messages[at] = fresh;
    }
    *message = fresh;
    return MT_OK;
}

struct field {
    uint32_t number;
    const uint8_t *begin; /* with its tag */
    const uint8_t *p;     /* of a text */
    size_t len;
    const uint8_t *end;
};

static bool number(const uint8_t **at, const uint8_t *end, uint64_t *out)
{
    *out = 0;
    for (unsigned shift = 0; shift < 64 && *at < end; shift += 7) {
        uint8_t byte = *(*at)++;
        *out |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return true;
    }
    return false;
}

/* What is packed was packed here: numbers and texts are all there is. */
static bool next_field(const uint8_t *at, const uint8_t *end, struct field *field)
{
    uint64_t tag = 0;
    uint64_t value = 0;
    field->begin = at;
    if (!number(&at, end, &tag) || !number(&at, end, &value))
        return false;
    field->number = (uint32_t)(tag >> 3);
    field->p = at;
    field->len = 0;
    if ((tag & 7) == 2) {
        if (value > (uint64_t)(end - at))
            return false;
        field->len = (size_t)value;
    }
    field->end = at + field->len;
    return true;
}

bool mt_sr_message_part(const struct mt_sr_message *message, uint32_t wanted, const char **p,
                        size_t *len)
{
    struct field field;
    const uint8_t *end = message->packed + message->len;
    for (const uint8_t *at = message->packed; next_field(at, end, &field); at = field.end) {
        if (field.number == wanted) {
            *p = (const char *)field.p;
            *len = field.len;
            return true;
        }
    }
    return false;
}

void mt_sr_message_rest(const struct mt_sr_message *message, uint32_t but, uint32_t nor,
                        struct mt_buf *out)
{
    struct field field;
    const uint8_t *end = message->packed + message->len;
    for (const uint8_t *at = message->packed; next_field(at, end, &field); at = field.end) {
        if (field.number != 4 && field.number != 5 && field.number != but && field.number != nor)
            (void)mt_buf_append(out, field.begin, (size_t)(field.end - field.begin));
    }
}

static const char DIGITS[] = "0123456789ABCDEFGHIJKLMNOPQRSTUV";

/* 40 bits of the time and 40 of the number, as four groups of four digits (rongcloud.md 8). */
void mt_sr_uid(const struct mt_sr_message *message, char uid[MT_SR_UID_MAX])
{
    uint64_t high = (uint64_t)message->ts_ms & 0xffffffffffU;
    uint64_t low = message->seq;
    size_t n = 0;
    for (int i = 7; i >= 0; i--) {
        uid[n++] = DIGITS[high >> (5 * i) & 31];
        if (i == 4 || i == 0)
            uid[n++] = '-';
    }
    for (int i = 7; i >= 0; i--) {
        uid[n++] = DIGITS[low >> (5 * i) & 31];
        if (i == 4)
            uid[n++] = '-';
    }
    uid[n] = '\0';
}

struct mt_sr_message *mt_sr_message_find(const struct mt_sr_store *store, const char *uid)
{
    char own[MT_SR_UID_MAX];
    uint64_t seq = 0;
    if (uid == NULL || strlen(uid) != MT_SR_UID_MAX - 1)
        return NULL;
    for (size_t i = 10; i < MT_SR_UID_MAX - 1; i++) {
        const char *digit = uid[i] == '-' ? NULL : strchr(DIGITS, uid[i]);
        if (digit != NULL)
            seq = seq << 5 | (uint64_t)(digit - DIGITS);
    }
    if (seq >= store->log_n)
        return NULL;
    mt_sr_uid(store->log[seq], own);
    return strcmp(own, uid) == 0 ? store->log[seq] : NULL;
}

bool mt_sr_meant_for(const struct mt_sr_store *store, const struct mt_sr_message *message,
                     const struct mt_sr_user *user)
{
    if (message->to == 0 || message->from == user->index)
        return true;
    const struct mt_sr_list *list = &store->lists[message->to - 1];
    for (size_t i = 0; i < list->n; i++) {
        if (list->users[i] == user->index)
            return true;
    }
    return false;
}

bool mt_sr_visible(const struct mt_sr_store *store, const struct mt_sr_view *view,
                   const struct mt_sr_message *message)
{
    return (message->flags & MT_SR_RECALLED) == 0 && message->ts_ms > view->cleared_ms &&
           mt_sr_view_gone(view, message) == NULL && mt_sr_meant_for(store, message, view->user);
}

uint32_t mt_sr_status_bits(uint32_t flags)
{
    return ((flags & MT_SR_PERSIST) != 0 ? 16U : 0) | ((flags & MT_SR_COUNT) != 0 ? 32U : 0) |
           ((flags & MT_SR_MENTION) != 0 ? 64U : 0) | ((flags & MT_SR_SILENT) != 0 ? 512U : 0) |
           ((flags & MT_SR_EXPANSION) != 0 ? 1024U : 0);
}

void mt_sr_message_write(const struct mt_sr_store *store, const struct mt_sr_view *view,
                         const struct mt_sr_message *message, struct mt_buf *out)
{
    char uid[MT_SR_UID_MAX];
    const struct mt_sr_thread *thread = store->thread_list[message->thread];
    const struct mt_sr_user *from = store->user_list[message->from];
    bool own = from == view->user;
    bool pair = thread->target == NULL;
    /* what I sent to a peer names the peer, not me (rongcloud.md 4.3) */
    mt_sr_pb_str(out, 1, own && pair ? view->target : from->name);
    mt_sr_pb_u64(out, 2, thread->type);
    if (!pair)
        mt_sr_pb_str(out, 3, thread->target);
    (void)mt_buf_append(out, message->packed, message->len);
    mt_sr_pb_i64(out, 6, message->ts_ms);
    mt_sr_pb_u64(out, 7, mt_sr_status_bits(message->flags));
    mt_sr_uid(message, uid);
    mt_sr_pb_str(out, 9, uid);
    if (own)
        mt_sr_pb_u64(out, 10, 1);
    const char *channel = mt_sr_thread_channel(store, thread);
    if (channel[0] != '\0')
        mt_sr_pb_str(out, 19, channel);
    if ((message->flags & MT_SR_MODIFIED) != 0)
        mt_sr_pb_u64(out, 20, 4);
}

const char *mt_sr_thread_channel(const struct mt_sr_store *store, const struct mt_sr_thread *thread)
{
    bool unnamed = thread->type == MT_SR_ULTRA && thread->channel[0] == '\0';
    return unnamed && store->named_default ? MT_SR_DEFAULT_CHANNEL : thread->channel;
}

size_t mt_sr_thread_after(const struct mt_sr_thread *thread, int64_t after_ms)
{
    size_t low = 0;
    size_t high = thread->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (thread->messages[mid]->ts_ms <= after_ms)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

const struct mt_sr_message *mt_sr_view_last(const struct mt_sr_store *store,
                                            const struct mt_sr_view *view)
{
    const struct mt_sr_thread *thread = view->thread;
    for (size_t at = thread->n; at > 0; at--) {
        const struct mt_sr_message *message = thread->messages[at - 1];
        if (message->ts_ms <= view->cleared_ms)
            return NULL;
        const struct mt_sr_stretch *gone = mt_sr_view_gone(view, message);
        if (gone != NULL)
            at = mt_sr_thread_at(thread, gone->first) + 1;
        else if ((message->flags & MT_SR_PERSIST) != 0 && (message->flags & MT_SR_NOT_LAST) == 0 &&
                 mt_sr_visible(store, view, message))
            return message;
    }
    return NULL;
}

/* Mentions are told apart by what the content says: {"mentionedInfo":{"type":1}} is everybody. */
static bool mentions(const struct mt_sr_message *message, const char *user)
{
    char quoted[MT_SR_ID_MAX + 2];
    size_t len = strlen(user);
    const char *at = memmem(message->packed, message->len, "\"mentionedInfo\"", 15);
    if (at == NULL)
        return false;
    size_t rest = message->len - (size_t)((const uint8_t *)at - message->packed);
    if (memmem(at, rest, "\"type\":1", 8) != NULL)
        return true;
    (void)snprintf(quoted, sizeof quoted, "\"%s\"", user);
    return memmem(at, rest, quoted, len + 2) != NULL;
}

void mt_sr_view_unread(const struct mt_sr_store *store, const struct mt_sr_view *view,
                       struct mt_sr_unread *out)
{
    const struct mt_sr_thread *thread = view->thread;
    *out = (struct mt_sr_unread){0};
    for (size_t at = mt_sr_thread_after(thread, view->read_ms); at < thread->n; at++) {
        const struct mt_sr_message *message = thread->messages[at];
        if ((message->flags & MT_SR_COUNT) == 0 || message->from == view->user->index ||
            !mt_sr_visible(store, view, message))
            continue;
        out->n++;
        if (out->first == NULL)
            out->first = message;
        if ((message->flags & MT_SR_MENTION) != 0) {
            out->mentions++;
            out->mentions_me += mentions(message, view->user->name);
        }
    }
}

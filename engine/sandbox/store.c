/* The memory of the sandbox: users, threads and views by name, ids, and the slab that holds encoded
 * messages. */
#include "sandbox/store_int.h"

#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

/* Ids look like the real ones (about 1.2e18 today): milliseconds since this moment of 1990, then 20
 * bits. */
#define ID_EPOCH_MS 650000000000
#define ID_SHIFT    20
#define SLAB_BYTES  ((size_t)1 << 20)
#define B64_MAX     ((size_t)256 * 1024)

struct mt_sb_slab {
    struct mt_sb_slab *next;
    size_t len;
    size_t cap;
    char data[];
};

enum mt_rc mt_sb_grow(void *array, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return MT_OK;
    size_t want = *cap < 8 ? 8 : *cap + *cap / 2;
    void *old = NULL;
    memcpy(&old, array, sizeof old);
    void *grown = mt_mem_realloc(old, want * size);
    if (grown == NULL)
        return MT_ERR_NOMEM;
    memcpy(array, &grown, sizeof grown);
    *cap = want;
    return MT_OK;
}

enum mt_rc mt_sb_store_init(struct mt_sb_store *store, const char *appkey)
{
    *store = (struct mt_sb_store){0};
    mt_buf_init(&store->b64, B64_MAX);
    store->appkey = mt_mem_strdup(appkey);
    store->users = mt_map_new();
    store->threads = mt_map_new();
    store->views = mt_map_new();
    store->readers = mt_map_new();
    store->scratch = mt_mem_alloc(MT_SB_SCRATCH);
    if (store->appkey == NULL || store->users == NULL || store->threads == NULL ||
        store->views == NULL || store->readers == NULL || store->scratch == NULL) {
        mt_sb_store_deinit(store);
        return MT_ERR_NOMEM;
    }
    return MT_OK;
}

static void view_free(struct mt_sb_view *view)
{
    mt_mem_free(view->gone);
    mt_mem_free(view->slots);
    mt_mem_free(view);
}

static void feed_empty(struct mt_sb_thread *thread)
{
    for (size_t i = 0; i < thread->feed_n; i++) {
        mt_mem_free(thread->feed[i].meta);
        mt_mem_free(thread->feed[i].directed);
    }
    thread->feed_n = 0;
}

static void thread_free(struct mt_sb_thread *thread)
{
    feed_empty(thread);
    for (size_t i = 0; i < thread->view_n; i++)
        view_free(thread->views[i]);
    mt_mem_free(thread->feed);
    mt_mem_free(thread->views);
    mt_mem_free(thread->messages);
    mt_mem_free(thread->name);
    mt_mem_free(thread->title);
    mt_mem_free(thread);
}

static void user_free(struct mt_sb_user *user)
{
    for (size_t i = 0; i < user->device_n; i++) {
        mt_mem_free(user->devices[i]->resource);
        mt_mem_free(user->devices[i]);
    }
    mt_mem_free(user->devices);
    mt_mem_free(user->views);
    mt_mem_free(user->blocked);
    mt_mem_free(user->name);
    mt_mem_free(user->password);
    mt_mem_free(user);
}

static void readers_free(void *value)
{
    struct mt_sb_readers *readers = value;
    mt_mem_free(readers->users);
    mt_mem_free(readers);
}

static void slabs_free(struct mt_sb_store *store)
{
    while (store->slab != NULL) {
        struct mt_sb_slab *next = store->slab->next;
        mt_mem_free(store->slab);
        store->slab = next;
    }
    store->slab_bytes = 0;
}

static void view_empty(struct mt_sb_view *view)
{
    view->cut_id = 0;
    view->gone_n = 0;
    view->read_seq = 0;
    view->own_n = 0;
    view->read_id = 0;
    view->hidden_seq = 0;
    view->pinned_ms = 0;
    view->marks = 0;
}

/* Ids go on from where they are, so that no device takes what comes for what it has. */
void mt_sb_store_empty(struct mt_sb_store *store)
{
    for (size_t i = 0; i < store->thread_n; i++) {
        struct mt_sb_thread *thread = store->thread_list[i];
        feed_empty(thread);
        thread->n = 0;
        thread->seq = 0;
        for (size_t k = 0; k < thread->view_n; k++)
            view_empty(thread->views[k]);
    }
    slabs_free(store);
    store->message_n = 0;
}

void mt_sb_store_deinit(struct mt_sb_store *store)
{
    for (size_t i = 0; i < store->thread_n; i++)
        thread_free(store->thread_list[i]);
    for (size_t i = 0; i < store->user_n; i++)
        user_free(store->user_list[i]);
    mt_mem_free(store->thread_list);
    mt_mem_free(store->user_list);
    mt_mem_free(store->online);
    mt_map_free(store->users, NULL);
    mt_map_free(store->threads, NULL);
    mt_map_free(store->views, NULL);
    mt_map_free(store->readers, readers_free);
    slabs_free(store);
    mt_buf_deinit(&store->b64);
    mt_mem_free(store->scratch);
    mt_mem_free(store->appkey);
    *store = (struct mt_sb_store){0};
}

char *mt_sb_store_keep(struct mt_sb_store *store, const void *p, size_t len)
{
    struct mt_sb_slab *slab = store->slab;
    if (slab == NULL || slab->cap - slab->len < len) {
        size_t cap = len > SLAB_BYTES ? len : SLAB_BYTES;
        if (store->slab_bytes + cap > MT_SB_SLAB_MAX_BYTES)
            return NULL;
        slab = mt_mem_alloc(sizeof *slab + cap);
        if (slab == NULL)
            return NULL;
        *slab = (struct mt_sb_slab){.next = store->slab, .cap = cap};
        store->slab = slab;
        store->slab_bytes += cap;
    }
    char *out = slab->data + slab->len;
    memcpy(out, p, len);
    slab->len += len;
    return out;
}

uint64_t mt_sb_store_id_at(int64_t ts_ms)
{
    int64_t since = ts_ms - ID_EPOCH_MS;
    return since > 0 ? (uint64_t)since << ID_SHIFT : 1;
}

uint64_t mt_sb_store_next_id(struct mt_sb_store *store, int64_t ts_ms)
{
    uint64_t id = mt_sb_store_id_at(ts_ms);
    if (id <= store->last_id)
        id = store->last_id + 1;
    store->last_id = id;
    return id;
}

/* Copies a name in lower case; false if it is empty or too long. */
static bool fold(const char *name, char out[MT_SB_ID_MAX])
{
    size_t len = strlen(name);
    if (len == 0 || len >= MT_SB_ID_MAX)
        return false;
    memcpy(out, name, len + 1);
    (void)mt_str_fold(out);
    return true;
}

struct mt_sb_user *mt_sb_user_get(struct mt_sb_store *store, const char *name)
{
    char folded[MT_SB_ID_MAX];
    return fold(name, folded) ? mt_map_get(store->users, folded) : NULL;
}

struct mt_sb_user *mt_sb_user_make(struct mt_sb_store *store, const char *name)
{
    char folded[MT_SB_ID_MAX];
    if (!fold(name, folded))
        return NULL;
    struct mt_sb_user *user = mt_map_get(store->users, folded);
    if (user != NULL)
        return user;
    user = mt_mem_calloc(1, sizeof *user);
    if (user == NULL)
        return NULL;
    user->name = mt_mem_strdup(folded);
    user->index = (uint32_t)store->user_n;
    if (user->name == NULL ||
        mt_sb_grow(&store->user_list, store->user_n, &store->user_cap,
                   sizeof(struct mt_sb_user *)) != MT_OK ||
        mt_map_put(store->users, folded, user) != MT_OK) {
        user_free(user);
        return NULL;
    }
    store->user_list[store->user_n++] = user;
    return user;
}

static struct mt_sb_thread *thread_make(struct mt_sb_store *store, const char *key,
                                        const char *name, enum mt_sb_chat chat)
{
    struct mt_sb_thread *thread = mt_mem_calloc(1, sizeof *thread);
    if (thread == NULL)
        return NULL;
    thread->chat = chat;
    thread->index = (uint32_t)store->thread_n;
    thread->is_public = true;
    thread->name = name == NULL ? NULL : mt_mem_strdup(name);
    if ((name != NULL && thread->name == NULL) ||
        mt_sb_grow(&store->thread_list, store->thread_n, &store->thread_cap,
                   sizeof(struct mt_sb_thread *)) != MT_OK ||
        mt_map_put(store->threads, key, thread) != MT_OK) {
        thread_free(thread);
        return NULL;
    }
    store->thread_list[store->thread_n++] = thread;
    return thread;
}

struct mt_sb_thread *mt_sb_thread_single(struct mt_sb_store *store, struct mt_sb_user *a,
                                         struct mt_sb_user *b, bool make)
{
    char key[2 * MT_SB_ID_MAX + 4];
    bool swap = strcmp(a->name, b->name) > 0;
    (void)snprintf(key, sizeof key, "s%s\x01%s", swap ? b->name : a->name,
                   swap ? a->name : b->name);
    struct mt_sb_thread *thread = mt_map_get(store->threads, key);
    if (thread != NULL || !make)
        return thread;
    thread = thread_make(store, key, NULL, MT_SB_SINGLE);
    if (thread == NULL || mt_sb_view_make(store, a, thread) == NULL ||
        mt_sb_view_make(store, b, thread) == NULL)
        return NULL;
    return thread;
}

struct mt_sb_thread *mt_sb_thread_group(struct mt_sb_store *store, const char *id)
{
    char key[MT_SB_ID_MAX + 1];
    if (strlen(id) >= MT_SB_ID_MAX)
        return NULL;
    (void)snprintf(key, sizeof key, "c%s", id);
    return mt_map_get(store->threads, key);
}

struct mt_sb_thread *mt_sb_thread_group_make(struct mt_sb_store *store, const char *id,
                                             enum mt_sb_chat chat, struct mt_sb_user *owner)
{
    char key[MT_SB_ID_MAX + 1];
    if (id[0] == '\0' || strlen(id) >= MT_SB_ID_MAX)
        return NULL;
    (void)snprintf(key, sizeof key, "c%s", id);
    struct mt_sb_thread *thread = mt_map_get(store->threads, key);
    if (thread != NULL)
        return thread;
    thread = thread_make(store, key, id, chat);
    if (thread == NULL)
        return NULL;
    thread->owner = owner->index;
    return mt_sb_view_make(store, owner, thread) == NULL ? NULL : thread;
}

static void view_key(const struct mt_sb_user *user, const struct mt_sb_thread *thread, char out[24])
{
    (void)snprintf(out, 24, "%x.%x", user->index, thread->index);
}

struct mt_sb_view *mt_sb_view_of(struct mt_sb_store *store, struct mt_sb_user *user,
                                 struct mt_sb_thread *thread)
{
    if (thread->chat == MT_SB_SINGLE) {
        for (size_t i = 0; i < thread->view_n; i++) {
            if (thread->views[i]->user == user)
                return thread->views[i];
        }
        return NULL;
    }
    char key[24];
    view_key(user, thread, key);
    return mt_map_get(store->views, key);
}

struct mt_sb_view *mt_sb_view_make(struct mt_sb_store *store, struct mt_sb_user *user,
                                   struct mt_sb_thread *thread)
{
    struct mt_sb_view *view = mt_sb_view_of(store, user, thread);
    if (view != NULL)
        return view;
    view = mt_mem_calloc(1, sizeof *view);
    if (view == NULL)
        return NULL;
    *view = (struct mt_sb_view){.user = user, .thread = thread, .member = true};
    view->id = thread->name != NULL ? thread->name : user->name;
    if (thread->n != 0) /* a new member's queue begins now */
        view->acked_id = store->last_id;
    char key[24];
    view_key(user, thread, key);
    if (mt_sb_grow(&thread->views, thread->view_n, &thread->view_cap,
                   sizeof(struct mt_sb_view *)) != MT_OK ||
        mt_sb_grow(&user->views, user->view_n, &user->view_cap, sizeof(struct mt_sb_view *)) !=
            MT_OK ||
        (thread->name != NULL && mt_map_put(store->views, key, view) != MT_OK)) {
        mt_mem_free(view);
        return NULL;
    }
    if (thread->chat == MT_SB_SINGLE && thread->view_n == 1) {
        view->id = thread->views[0]->user->name;
        thread->views[0]->id = user->name;
    }
    thread->views[thread->view_n++] = view;
    user->views[user->view_n++] = view;
    return view;
}

struct mt_sb_view *mt_sb_view_find(struct mt_sb_store *store, struct mt_sb_user *user,
                                   const char *id, bool group)
{
    struct mt_sb_thread *thread = NULL;
    if (group) {
        thread = mt_sb_thread_group(store, id);
    } else {
        struct mt_sb_user *peer = mt_map_get(store->users, id);
        thread = peer == NULL ? NULL : mt_sb_thread_single(store, user, peer, false);
    }
    return thread == NULL ? NULL : mt_sb_view_of(store, user, thread);
}

const char *mt_sb_view_domain(const struct mt_sb_view *view)
{
    return view->thread->chat == MT_SB_SINGLE ? MT_SB_DOMAIN_USER : MT_SB_DOMAIN_GROUP;
}

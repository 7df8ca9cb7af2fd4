/* Users, threads and views. */
#include "sandbox/rongcloud/store_int.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum mt_rc mt_sr_grow(void *array, size_t n, size_t *cap, size_t size)
{
    void *old = NULL;
    if (n < *cap)
        return MT_OK;
    size_t next = *cap == 0 ? 4 : *cap * 2;
    memcpy(&old, array, sizeof old);
    void *grown = next > SIZE_MAX / size ? NULL : mt_mem_realloc(old, next * size);
    if (grown == NULL)
        return MT_ERR_NOMEM;
    memcpy(array, &grown, sizeof grown);
    *cap = next;
    return MT_OK;
}

enum mt_rc mt_sr_store_init(struct mt_sr_store *store)
{
    *store = (struct mt_sr_store){.users = mt_map_new(), .threads = mt_map_new()};
    return store->users == NULL || store->threads == NULL ? MT_ERR_NOMEM : MT_OK;
}

static void free_user(void *value)
{
    struct mt_sr_user *user = value;
    for (size_t i = 0; i < user->event_n; i++)
        mt_mem_free(user->events[i].packed);
    mt_mem_free(user->events);
    mt_mem_free(user->levels);
    mt_mem_free(user->blocked);
    mt_mem_free(user->quiet);
    mt_mem_free((void *)user->views);
    mt_mem_free(user->name);
    mt_mem_free(user->shown);
    mt_mem_free(user->portrait);
    mt_mem_free(user);
}

static void free_thread(void *value)
{
    struct mt_sr_thread *thread = value;
    for (size_t i = 0; i < thread->view_n; i++) {
        mt_mem_free(thread->views[i]->gone);
        mt_mem_free(thread->views[i]);
    }
    mt_mem_free((void *)thread->views);
    mt_mem_free((void *)thread->messages);
    mt_mem_free(thread->target);
    mt_mem_free(thread->channel);
    mt_mem_free(thread);
}

static void view_empty(struct mt_sr_view *view)
{
    view->gone_n = 0;
    view->cleared_ms = 0;
    view->hidden_ms = 0;
    view->read_ms = 0;
    view->changed_ms = 0;
    view->asked_ms = 0;
    view->top = (struct mt_sr_setting){.set = false};
}

static void lists_free(struct mt_sr_store *store)
{
    for (size_t i = 0; i < store->list_n; i++)
        mt_mem_free(store->lists[i].users);
    store->list_n = 0;
}

void mt_sr_store_empty(struct mt_sr_store *store)
{
    for (size_t i = 0; i < store->thread_n; i++) {
        struct mt_sr_thread *thread = store->thread_list[i];
        thread->n = 0;
        for (size_t k = 0; k < thread->view_n; k++)
            view_empty(thread->views[k]);
    }
    for (size_t i = 0; i < store->user_n; i++) {
        struct mt_sr_user *user = store->user_list[i];
        while (user->event_n > 0)
            mt_mem_free(user->events[--user->event_n].packed);
    }
    lists_free(store);
    mt_sr_slabs_free(store->slab);
    store->slab = NULL;
    store->slab_bytes = 0;
    store->log_n = 0;
}

void mt_sr_store_deinit(struct mt_sr_store *store)
{
    mt_map_free(store->users, free_user);
    mt_map_free(store->threads, free_thread);
    mt_sr_index_deinit(&store->views);
    mt_mem_free((void *)store->user_list);
    mt_mem_free((void *)store->thread_list);
    mt_mem_free((void *)store->log);
    lists_free(store);
    mt_mem_free(store->lists);
    mt_sr_slabs_free(store->slab);
    *store = (struct mt_sr_store){0};
}

/* Ids are 1 to 64 bytes in the cloud; up to twice that is taken here, but nothing that would break
 * a key or a line. */
bool mt_sr_id_fits(const char *id)
{
    if (id == NULL || id[0] == '\0' || strlen(id) >= MT_SR_ID_MAX)
        return false;
    for (const char *at = id; *at != '\0'; at++) {
        if ((unsigned char)*at < 0x20)
            return false;
    }
    return true;
}

struct mt_sr_user *mt_sr_user_get(const struct mt_sr_store *store, const char *name)
{
    return name == NULL ? NULL : mt_map_get(store->users, name);
}

struct mt_sr_user *mt_sr_user_make(struct mt_sr_store *store, const char *name)
{
    struct mt_sr_user *user = mt_sr_user_get(store, name);
    if (user != NULL || !mt_sr_id_fits(name) ||
        mt_sr_grow(&store->user_list, store->user_n, &store->user_cap, sizeof(void *)) != MT_OK)
        return user;
    user = mt_mem_calloc(1, sizeof *user);
    char *copy = mt_mem_strdup(name);
    if (user == NULL || copy == NULL || mt_map_put(store->users, name, user) != MT_OK) {
        mt_mem_free(user);
        mt_mem_free(copy);
        return NULL;
    }
    user->name = copy;
    user->index = (uint32_t)store->user_n;
    store->user_list[store->user_n++] = user;
    return user;
}

static struct mt_sr_thread *thread_new(struct mt_sr_store *store, const char *key,
                                       enum mt_sr_type type, const char *target,
                                       const char *channel)
{
    if (mt_sr_grow(&store->thread_list, store->thread_n, &store->thread_cap, sizeof(void *)) !=
        MT_OK)
        return NULL;
    struct mt_sr_thread *thread = mt_mem_calloc(1, sizeof *thread);
    if (thread == NULL)
        return NULL;
    thread->type = type;
    thread->target = target == NULL ? NULL : mt_mem_strdup(target);
    thread->channel = mt_mem_strdup(channel);
    if (thread->channel == NULL || (target != NULL && thread->target == NULL) ||
        mt_map_put(store->threads, key, thread) != MT_OK) {
        free_thread(thread);
        return NULL;
    }
    thread->index = (uint32_t)store->thread_n;
    store->thread_list[store->thread_n++] = thread;
    return thread;
}

struct mt_sr_thread *mt_sr_thread_pair(struct mt_sr_store *store, enum mt_sr_type type,
                                       struct mt_sr_user *a, struct mt_sr_user *b, bool make)
{
    char key[48];
    bool turn = type == MT_SR_PRIVATE && a->index > b->index;
    (void)snprintf(key, sizeof key, "%d:%" PRIu32 ":%" PRIu32, (int)type,
                   turn ? b->index : a->index, turn ? a->index : b->index);
    struct mt_sr_thread *thread = mt_map_get(store->threads, key);
    if (thread != NULL || !make)
        return thread;
    thread = thread_new(store, key, type, NULL, "");
    if (thread == NULL)
        return NULL;
    thread->a = a;
    thread->b = b;
    if (mt_sr_view_make(store, b, thread) == NULL || mt_sr_view_make(store, a, thread) == NULL)
        return NULL; /* it stays, and is completed by the next who asks */
    return thread;
}

struct mt_sr_thread *mt_sr_thread_group(struct mt_sr_store *store, enum mt_sr_type type,
                                        const char *id, const char *channel, bool make)
{
    char key[2 * MT_SR_ID_MAX + 16];
    bool part = type == MT_SR_ULTRA && channel != NULL && channel[0] != '\0' &&
                strcmp(channel, MT_SR_DEFAULT_CHANNEL) != 0;
    if (!mt_sr_id_fits(id) || (part && !mt_sr_id_fits(channel)))
        return NULL;
    (void)snprintf(key, sizeof key, "%d:%s%s%s", (int)type, id, part ? "\x1f" : "",
                   part ? channel : "");
    struct mt_sr_thread *thread = mt_map_get(store->threads, key);
    if (thread != NULL || !make)
        return thread;
    struct mt_sr_thread *group = part ? mt_sr_thread_group(store, type, id, "", true) : NULL;
    if (part && group == NULL)
        return NULL;
    thread = thread_new(store, key, type, id, part ? channel : "");
    if (thread == NULL)
        return NULL;
    thread->group = group;
    for (size_t i = 0; group != NULL && i < group->view_n; i++)
        (void)mt_sr_view_make(store, group->views[i]->user, thread); /* or when it is asked for */
    return thread;
}

static uint64_t view_key(const struct mt_sr_user *user, const struct mt_sr_thread *thread)
{
    return (uint64_t)(user->index + 1) << 32 | thread->index;
}

struct mt_sr_view *mt_sr_view_of(const struct mt_sr_store *store, const struct mt_sr_user *user,
                                 const struct mt_sr_thread *thread)
{
    return mt_sr_index_get(&store->views, view_key(user, thread));
}

/* Whoever is in an ultra group is in its channels. */
static void join_channels(struct mt_sr_store *store, struct mt_sr_user *user,
                          struct mt_sr_thread *thread)
{
    if (thread->type != MT_SR_ULTRA || thread->group != NULL)
        return;
    for (size_t i = 0; i < store->thread_n; i++) {
        if (store->thread_list[i]->group == thread)
            (void)mt_sr_view_make(store, user, store->thread_list[i]);
    }
}

struct mt_sr_view *mt_sr_view_make(struct mt_sr_store *store, struct mt_sr_user *user,
                                   struct mt_sr_thread *thread)
{
    struct mt_sr_view *view = mt_sr_view_of(store, user, thread);
    if (view != NULL)
        return view;
    if (mt_sr_grow(&user->views, user->view_n, &user->view_cap, sizeof(void *)) != MT_OK ||
        mt_sr_grow(&thread->views, thread->view_n, &thread->view_cap, sizeof(void *)) != MT_OK)
        return NULL;
    view = mt_mem_calloc(1, sizeof *view);
    if (view == NULL || mt_sr_index_put(&store->views, view_key(user, thread), view) != MT_OK) {
        mt_mem_free(view);
        return NULL;
    }
    view->user = user;
    view->thread = thread;
    view->member = true;
    if (thread->target != NULL)
        view->target = thread->target;
    else
        view->target = thread->a == user ? thread->b->name : thread->a->name;
    user->views[user->view_n++] = view;
    thread->views[thread->view_n++] = view;
    join_channels(store, user, thread);
    return view;
}

struct mt_sr_view *mt_sr_view_find(struct mt_sr_store *store, struct mt_sr_user *user, int type,
                                   const char *target, const char *channel)
{
    struct mt_sr_thread *thread = NULL;
    if (target == NULL)
        return NULL;
    if (type == MT_SR_GROUP || type == MT_SR_ULTRA || type == MT_SR_ROOM) {
        thread = mt_sr_thread_group(store, (enum mt_sr_type)type, target, channel, false);
    } else {
        struct mt_sr_user *peer = mt_sr_user_get(store, target);
        if (peer == NULL)
            return NULL;
        thread = mt_sr_thread_pair(store, (enum mt_sr_type)type, peer, user, false);
        if (thread == NULL)
            thread = mt_sr_thread_pair(store, (enum mt_sr_type)type, user, peer, false);
    }
    return thread == NULL ? NULL : mt_sr_view_of(store, user, thread);
}

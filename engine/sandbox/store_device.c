/* Devices of a user: remembered by resource, also while away, so that each has its own place in
 * every queue. */
#include "sandbox/store_int.h"

#include "base/mem.h"

#include <string.h>

struct mt_sb_device *mt_sb_device_find(const struct mt_sb_user *user, const char *resource)
{
    for (size_t i = 0; i < user->device_n; i++) {
        if (strcmp(user->devices[i]->resource, resource) == 0)
            return user->devices[i];
    }
    return NULL;
}

static void slots_drop(struct mt_sb_user *user, uint32_t device)
{
    for (size_t i = 0; i < user->view_n; i++) {
        struct mt_sb_view *view = user->views[i];
        for (size_t k = 0; k < view->slot_n; k++) {
            if (view->slots[k].device == device) {
                view->slots[k] = view->slots[--view->slot_n];
                break;
            }
        }
    }
}

/* Forgets the device that has been away longest when the user has too many. */
static void make_room(struct mt_sb_user *user)
{
    if (user->device_n < MT_SB_DEVICES_MAX)
        return;
    for (size_t i = 0; i < user->device_n; i++) {
        struct mt_sb_device *device = user->devices[i];
        if (device->session != NULL)
            continue;
        slots_drop(user, device->id);
        mt_mem_free(device->resource);
        mt_mem_free(device);
        memmove(&user->devices[i], &user->devices[i + 1],
                (user->device_n - i - 1) * sizeof(struct mt_sb_device *));
        user->device_n--;
        return;
    }
}

static struct mt_sb_device *device_new(struct mt_sb_store *store, struct mt_sb_user *user,
                                       const char *resource)
{
    make_room(user);
    if (mt_sb_grow(&user->devices, user->device_n, &user->device_cap,
                   sizeof(struct mt_sb_device *)) != MT_OK)
        return NULL;
    struct mt_sb_device *device = mt_mem_calloc(1, sizeof *device);
    if (device == NULL)
        return NULL;
    device->resource = mt_mem_strdup(resource);
    if (device->resource == NULL) {
        mt_mem_free(device);
        return NULL;
    }
    device->user = user;
    device->id = ++store->last_device;
    user->devices[user->device_n++] = device;
    return device;
}

struct mt_sb_device *mt_sb_device_online(struct mt_sb_store *store, struct mt_sb_user *user,
                                         const char *resource, struct mt_sb_session *session)
{
    if (mt_sb_grow(&store->online, store->online_n, &store->online_cap,
                   sizeof(struct mt_sb_device *)) != MT_OK)
        return NULL;
    struct mt_sb_device *device = mt_sb_device_find(user, resource);
    if (device == NULL)
        device = device_new(store, user, resource);
    if (device == NULL)
        return NULL;
    if (device->session == NULL)
        store->online[store->online_n++] = device;
    device->session = session;
    device->since_id = store->last_id;
    for (size_t i = 0; i < user->view_n;
         i++) { /* a notice to the old connection says nothing here */
        struct mt_sb_view *view = user->views[i];
        for (size_t k = 0; k < view->slot_n; k++) {
            if (view->slots[k].device == device->id)
                view->slots[k].noticed = false;
        }
    }
    return device;
}

void mt_sb_device_offline(struct mt_sb_store *store, struct mt_sb_device *device)
{
    device->session = NULL;
    for (size_t i = 0; i < store->online_n; i++) {
        if (store->online[i] == device) {
            store->online[i] = store->online[--store->online_n];
            return;
        }
    }
}

/* Who may write to whom, and who is in which group. */
#include "sandbox/rongcloud/cloud_int.h"

#include <string.h>

static bool block(struct mt_sr_store *store, const char *who, const char *whom, bool on)
{
    struct mt_sr_user *user = mt_sr_user_make(store, who);
    const struct mt_sr_user *other = mt_sr_user_make(store, whom);
    size_t at = 0;
    if (user == NULL || other == NULL)
        return false;
    while (at < user->blocked_n && user->blocked[at] != other->index)
        at++;
    if (!on && at < user->blocked_n)
        user->blocked[at] = user->blocked[--user->blocked_n];
    if (on && at == user->blocked_n) {
        if (mt_sr_grow(&user->blocked, user->blocked_n, &user->blocked_cap,
                       sizeof *user->blocked) != MT_OK)
            return false;
        user->blocked[user->blocked_n++] = other->index;
    }
    return true;
}

/* Group and ultra group of that name are one here. */
static bool each_group(struct mt_sr_store *store, const char *name, const char *user_name,
                       void (*set)(struct mt_sr_view *view, bool on), bool on)
{
    static const enum mt_sr_type TYPES[] = {MT_SR_GROUP, MT_SR_ULTRA};
    struct mt_sr_user *user = mt_sr_user_make(store, user_name);
    for (size_t i = 0; user != NULL && i < 2; i++) {
        bool make = TYPES[i] == MT_SR_GROUP;
        struct mt_sr_thread *thread = mt_sr_thread_group(store, TYPES[i], name, NULL, make);
        struct mt_sr_view *view = thread == NULL ? NULL : mt_sr_view_make(store, user, thread);
        if (view != NULL)
            set(view, on);
        else if (make)
            return false;
    }
    return user != NULL;
}

static void set_muted(struct mt_sr_view *view, bool on)
{
    view->muted = on;
}

static void set_member(struct mt_sr_view *view, bool on)
{
    view->member = on;
}

bool mt_sr_cloud_arrange(struct mt_sr_cloud *cloud, const char *verb, const char *a, const char *b)
{
    struct mt_sr_store *store = &cloud->store;
    bool undo =
        strcmp(verb, "unblock") == 0 || strcmp(verb, "unmute") == 0 || strcmp(verb, "leave") == 0;
    if (strcmp(verb, "block") == 0 || strcmp(verb, "unblock") == 0)
        return block(store, a, b, !undo);
    if (strcmp(verb, "join") == 0 || strcmp(verb, "leave") == 0)
        return each_group(store, a, b, set_member, !undo);
    if (strcmp(verb, "mute") != 0 && strcmp(verb, "unmute") != 0)
        return false;
    if (strcmp(b, "*") != 0)
        return each_group(store, a, b, set_muted, !undo);
    struct mt_sr_thread *group = mt_sr_thread_group(store, MT_SR_GROUP, a, NULL, true);
    if (group != NULL)
        group->muted = !undo;
    return group != NULL;
}

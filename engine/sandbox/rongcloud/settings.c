/* What a user has set for conversations, and for whole types of them (rongcloud.md 5.1). */
#include "sandbox/rongcloud/cloud_int.h"

#include "base/clock.h"
#include "sandbox/rongcloud/pb_int.h"

#include <stdio.h>
#include <string.h>

static int64_t next_version(struct mt_sr_user *user)
{
    int64_t now_ms = mt_clock_wall_ms();
    if (now_ms <= user->settings_version_ms)
        now_ms = user->settings_version_ms + 1;
    user->settings_version_ms = now_ms;
    return now_ms;
}

static void write_item(struct mt_buf *out, int type, const struct mt_sr_setting *setting)
{
    if (!setting->set)
        return;
    size_t at = mt_sr_pb_begin(out, 4);
    mt_sr_pb_u64(out, 1, (uint64_t)type);
    mt_sr_pb_str(out, 2, setting->value);
    mt_sr_pb_i64(out, 4, setting->ts_ms);
    mt_sr_pb_end(out, at);
}

static int64_t newest(const struct mt_sr_view *view)
{
    return view->silent.ts_ms > view->top.ts_ms ? view->silent.ts_ms : view->top.ts_ms;
}

/* A state with an empty id is that of the whole type. */
static void write_level(struct mt_buf *out, const struct mt_sr_level *level)
{
    struct mt_sr_setting setting = {.set = true, .ts_ms = level->ts_ms};
    (void)snprintf(setting.value, sizeof setting.value, "%d", (int)level->level);
    size_t at = mt_sr_pb_begin(out, 2);
    mt_sr_pb_u64(out, 1, (uint64_t)level->type);
    mt_sr_pb_str(out, 2, "");
    mt_sr_pb_i64(out, 3, level->ts_ms);
    write_item(out, 1, &setting);
    mt_sr_pb_end(out, at);
}

void mt_sr_do_pull_states(struct mt_sr_ask *ask)
{
    Rongcloud__SessionReq *in = rongcloud__session_req__unpack(NULL, ask->len, ask->p);
    if (in == NULL) {
        ask->status = MT_SR_PARAMETER;
        return;
    }
    struct mt_buf *out = ask->out;
    const struct mt_sr_user *user = ask->user;
    mt_sr_pb_i64(out, 1,
                 user->settings_version_ms > in->time ? user->settings_version_ms : in->time);
    for (size_t i = 0; i < user->level_n; i++) {
        if (user->levels[i].ts_ms > in->time)
            write_level(out, &user->levels[i]);
    }
    for (size_t i = 0; i < user->view_n; i++) {
        const struct mt_sr_view *view = user->views[i];
        if (newest(view) <= in->time)
            continue;
        size_t at = mt_sr_pb_begin(out, 2);
        mt_sr_pb_u64(out, 1, view->thread->type);
        mt_sr_pb_str(out, 2, view->target);
        mt_sr_pb_i64(out, 3, newest(view));
        write_item(out, 1, &view->silent);
        write_item(out, 2, &view->top);
        const char *channel = mt_sr_thread_channel(&ask->cloud->store, view->thread);
        if (channel[0] != '\0')
            mt_sr_pb_str(out, 5, channel);
        mt_sr_pb_end(out, at);
    }
    rongcloud__session_req__free_unpacked(in, NULL);
}

struct mt_sr_view *mt_sr_view_for_setting(struct mt_sr_store *store, struct mt_sr_user *user,
                                          int type, const char *target, const char *channel)
{
    struct mt_sr_view *view = mt_sr_view_find(store, user, type, target, channel);
    struct mt_sr_thread *thread = NULL;
    if (view != NULL)
        return view;
    if (type == MT_SR_GROUP || type == MT_SR_ULTRA) {
        thread = mt_sr_thread_group(store, (enum mt_sr_type)type, target, channel, true);
        view = thread == NULL ? NULL : mt_sr_view_make(store, user, thread);
        if (view != NULL)
            view->member = false; /* one may set something for a group that one is not in */
        return view;
    }
    struct mt_sr_user *peer = mt_sr_user_make(store, target);
    if (peer != NULL)
        thread = mt_sr_thread_pair(store, (enum mt_sr_type)type, peer, user, true);
    return thread == NULL ? NULL : mt_sr_view_make(store, user, thread);
}

void mt_sr_setting_put(struct mt_sr_user *user, struct mt_sr_setting *setting, const char *value)
{
    setting->set = true;
    setting->ts_ms = next_version(user);
    (void)snprintf(setting->value, sizeof setting->value, "%s", value);
}

static bool set_state(struct mt_sr_ask *ask, const Rongcloud__SessionState *state)
{
    struct mt_sr_view *view = mt_sr_view_for_setting(
        &ask->cloud->store, ask->user, (int)state->type, state->channelid, state->buschannel);
    if (view == NULL)
        return false;
    for (size_t i = 0; i < state->n_stateitem; i++) {
        const Rongcloud__SessionStateItem *item = state->stateitem[i];
        if (strlen(item->value) >= sizeof view->silent.value)
            return false;
        if (item->sessionstatetype == RONGCLOUD__SESSION_STATE_TYPE__SST_IsSilent)
            mt_sr_setting_put(ask->user, &view->silent, item->value);
        else if (item->sessionstatetype == RONGCLOUD__SESSION_STATE_TYPE__SST_IsTop)
            mt_sr_setting_put(ask->user, &view->top, item->value);
    }
    return true;
}

static void answer_version(struct mt_sr_ask *ask)
{
    mt_sr_pb_i64(ask->out, 1, ask->user->settings_version_ms);
    mt_sr_pb_u64(ask->out, 2, 1);
    mt_sr_push_notify(ask->user, ask->session, "s_cmd", 3, ask->user->settings_version_ms);
}

void mt_sr_do_set_states(struct mt_sr_ask *ask)
{
    Rongcloud__SessionStateModifyReq *in =
        rongcloud__session_state_modify_req__unpack(NULL, ask->len, ask->p);
    if (in == NULL || in->n_state > 100)
        ask->status = MT_SR_PARAMETER;
    for (size_t i = 0; ask->status == 0 && i < in->n_state; i++) {
        if (!set_state(ask, in->state[i]))
            ask->status = MT_SR_PARAMETER;
    }
    if (ask->status == 0)
        answer_version(ask);
    if (in != NULL)
        rongcloud__session_state_modify_req__free_unpacked(in, NULL);
}

enum mt_rc mt_sr_level_set(struct mt_sr_user *user, int type, int level)
{
    size_t at = 0;
    while (at < user->level_n && user->levels[at].type != type)
        at++;
    if (at == user->level_n) {
        if (mt_sr_grow(&user->levels, user->level_n, &user->level_cap, sizeof *user->levels) !=
            MT_OK)
            return MT_ERR_NOMEM;
        user->level_n++;
    }
    user->levels[at] =
        (struct mt_sr_level){.type = type, .level = level, .ts_ms = next_version(user)};
    return MT_OK;
}

void mt_sr_do_set_type(struct mt_sr_ask *ask)
{
    Rongcloud__TypeUnpushInput *in = rongcloud__type_unpush_input__unpack(NULL, ask->len, ask->p);
    if (in == NULL || (int)in->type < 1 || (int)in->type > 16)
        ask->status = MT_SR_PARAMETER;
    else if (mt_sr_level_set(ask->user, (int)in->type, in->unpushlevel) != MT_OK)
        ask->status = MT_SR_SERVER;
    else
        answer_version(ask);
    if (in != NULL)
        rongcloud__type_unpush_input__free_unpacked(in, NULL);
}

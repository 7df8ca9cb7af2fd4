/* Deleting for oneself: by ids, by time, a conversation, everything. The other side never notices
 * (easemob-service.md §5.1). */
#include "sandbox/rest_int.h"

#include "base/mem.h"
#include "base/str.h"

#include <string.h>

#define IDS_MAX       50
#define ID_LIST_BYTES 2048
#define CHANNEL_MS    60000

static struct mt_sb_view *view_of(struct mt_sb_call *call, bool group)
{
    char id[MT_SB_ID_MAX];
    if (!mt_sb_query(call, group ? "groupId" : "userId", id, sizeof id) || id[0] == '\0') {
        mt_sb_reply_error(call, 400, "illegal_argument",
                          group ? "groupId can not be null!" : "userId can not be null!");
        return NULL;
    }
    struct mt_sb_view *view = mt_sb_view_find(&call->sandbox->store, call->user, id, group);
    if (view == NULL) /* unknown conversations are not reported */
        mt_sb_reply_result(call, "success");
    return view;
}

/* An emptied conversation leaves the list. */
static void settle(struct mt_sb_view *view)
{
    if (mt_sb_view_last(view) == NULL)
        mt_sb_view_hide(view);
}

/* ---------------------------------------------------------------- done later than answered */

static enum mt_rc postpone(struct mt_sb_call *call, struct mt_sb_view *view, const uint64_t *ids,
                           size_t n)
{
    struct mt_sandbox *sandbox = call->sandbox;
    struct mt_sb_postponed *one = mt_mem_alloc(sizeof *one + n * sizeof *ids);
    if (one == NULL)
        return MT_ERR_NOMEM;
    *one = (struct mt_sb_postponed){
        .next = sandbox->postponed, .view = view, .left = sandbox->faults.late, .n = n};
    memcpy(one->ids, ids, n * sizeof *ids);
    sandbox->postponed = one;
    return MT_OK;
}

void mt_sb_postponed_settle(struct mt_sandbox *sandbox, bool all)
{
    struct mt_sb_postponed **at = &sandbox->postponed;
    while (*at != NULL) {
        struct mt_sb_postponed *one = *at;
        if (!all && one->left > 1) {
            one->left--;
            at = &one->next;
            continue;
        }
        for (size_t i = 0; i < one->n; i++) {
            if (mt_sb_view_forget(one->view, one->ids[i]) != MT_OK)
                break; /* memory is short: half done, as a cloud might leave it */
        }
        settle(one->view);
        *at = one->next;
        mt_mem_free(one);
    }
}

void mt_sb_postponed_drop(struct mt_sandbox *sandbox)
{
    while (sandbox->postponed != NULL) {
        struct mt_sb_postponed *next = sandbox->postponed->next;
        mt_mem_free(sandbox->postponed);
        sandbox->postponed = next;
    }
}

/* ---------------------------------------------------------------- by ids */

/* What the answer will say was done, or what the trouble makes of it. */
static enum mt_rc carry_out(struct mt_sb_call *call, struct mt_sb_view *view, const uint64_t *ids,
                            size_t n)
{
    enum mt_sb_trouble trouble = call->pick.trouble;
    size_t step = trouble == MT_SB_TROUBLE_DELETE_HALF ? 2 : 1;
    if (trouble == MT_SB_TROUBLE_DELETE_LIE)
        return MT_OK;
    if (trouble == MT_SB_TROUBLE_DELETE_LATE)
        return postpone(call, view, ids, n);
    for (size_t i = 0; i < n; i += step) {
        if (mt_sb_view_forget(view, ids[i]) != MT_OK)
            return MT_ERR_NOMEM;
    }
    settle(view);
    return MT_OK;
}

static void delete_ids(struct mt_sb_call *call, bool group)
{
    char list[ID_LIST_BYTES];
    uint64_t ids[IDS_MAX];
    size_t n = 0;
    if (!mt_sb_query(call, "msgIdList", list, sizeof list) || list[0] == '\0') {
        mt_sb_reply_error(call, 400, "illegal_argument", "msgIdList can not be null!");
        return;
    }
    for (char *at = list; at != NULL;) {
        char *comma = strchr(at, ',');
        if (comma != NULL)
            *comma++ = '\0';
        if (n == IDS_MAX) {
            mt_sb_reply_error(call, 400, "illegal_argument",
                              "param exception: delete msg list limit can not greater than 50");
            return;
        }
        if (!mt_str_u64(at, &ids[n++])) {
            mt_sb_reply_error(call, 400, "illegal_argument", "msgIdList is not legal");
            return;
        }
        at = comma;
    }
    struct mt_sb_view *view = view_of(call, group);
    if (view == NULL)
        return;
    if (carry_out(call, view, ids, n) != MT_OK) {
        mt_sb_reply_nomem(call);
        return;
    }
    mt_sb_notice_deleted(call, view, ids, n, 0);
    mt_sb_reply_result(call, "success");
    if (call->pick.trouble == MT_SB_TROUBLE_DELETE_LOST)
        call->reply->fault = MT_WS_FAULT_CLOSE;
}

/* Up to and including the server time delTime. */
static void delete_time(struct mt_sb_call *call, bool group)
{
    uint64_t until = mt_sb_query_u64(call, "delTime", UINT64_MAX);
    if (until > (uint64_t)1 << 52) {
        mt_sb_reply_error(call, 400, "illegal_argument", "delTime is not legal");
        return;
    }
    struct mt_sb_view *view = view_of(call, group);
    if (view == NULL)
        return;
    size_t behind = mt_sb_message_from(view->thread, (int64_t)until + 1);
    if (behind > 0)
        mt_sb_view_forget_until(view, view->thread->messages[behind - 1].id);
    settle(view);
    mt_sb_notice_deleted(call, view, NULL, 0, (int64_t)until);
    mt_sb_reply_result(call, "success");
}

void mt_sb_rest_delete_single(struct mt_sb_call *call)
{
    delete_ids(call, false);
}

void mt_sb_rest_delete_group(struct mt_sb_call *call)
{
    delete_ids(call, true);
}

void mt_sb_rest_delete_single_time(struct mt_sb_call *call)
{
    delete_time(call, false);
}

void mt_sb_rest_delete_group_time(struct mt_sb_call *call)
{
    delete_time(call, true);
}

static void forget_all(struct mt_sb_view *view)
{
    const struct mt_sb_thread *thread = view->thread;
    if (thread->n > 0)
        mt_sb_view_forget_until(view, thread->messages[thread->n - 1].id);
    mt_sb_view_hide(view);
}

void mt_sb_rest_delete_all(struct mt_sb_call *call)
{
    for (size_t i = 0; i < call->user->view_n; i++) {
        bool listed = mt_sb_view_listed(call->user->views[i]);
        forget_all(call->user->views[i]);
        if (listed)
            mt_sb_notice_changed(call, call->user->views[i], "del", NULL);
    }
    mt_sb_reply_result(call, "ok");
}

/* 5 a minute for each user (easemob-service.md 2.6). */
static bool too_often(struct mt_sb_call *call)
{
    struct mt_sb_user *user = call->user;
    uint64_t most = call->sandbox->faults.user_channel;
    if (call->now_ms - user->channel_ms >= CHANNEL_MS || call->now_ms < user->channel_ms) {
        user->channel_ms = call->now_ms;
        user->channel_n = 0;
    }
    if (most == 0 || user->channel_n < most) {
        user->channel_n++;
        return false;
    }
    mt_sb_reply_too_many(call);
    return true;
}

void mt_sb_rest_delete_conversation(struct mt_sb_call *call)
{
    if (too_often(call))
        return;
    struct mt_json *body = mt_sb_body(call);
    if (body == NULL)
        return;
    const char *channel = mt_json_str(mt_json_get(body, "channel"));
    const char *type = mt_json_str(mt_json_get(body, "type"));
    const struct mt_json *roam = mt_json_get(body, "delete_roam");
    if (channel == NULL || type == NULL) {
        mt_sb_reply_error(call, 400, "illegal_argument",
                          channel == NULL ? "field channel cannot be null or empty"
                                          : "field type cannot be null or empty");
    } else if (mt_json_type(roam) != MT_JSON_BOOL) {
        mt_sb_reply_error(call, 400, "illegal_argument", "field delete_roam cannot be null");
    } else {
        bool group = strcmp(type, "groupChat") == 0 || strcmp(type, "groupchat") == 0;
        struct mt_sb_view *view =
            mt_sb_view_find(&call->sandbox->store, call->user, channel, group);
        if (view != NULL && mt_json_bool(roam, false))
            forget_all(view);
        else if (view != NULL)
            mt_sb_view_hide(view);
        if (view != NULL)
            mt_sb_notice_changed(call, view, "del", NULL);
        mt_sb_reply_result(call, "ok");
    }
    mt_json_free(body);
}

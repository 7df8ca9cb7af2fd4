/* Messages that the cloud does not take: because somebody blocked or muted the sender, because of a
 * word, or because the sandbox was told to (easemob.md §3.5). */
#include "sandbox/msync_int.h"
#include "sandbox/rest_int.h"

#include "base/mem.h"

#include <string.h>

/* ---------------------------------------------------------------- told to */

static struct mt_sb_order *order_of(struct mt_sandbox *sandbox, uint32_t user)
{
    for (size_t i = 0; i < sandbox->order_n; i++) {
        if (sandbox->orders[i].user == user)
            return &sandbox->orders[i];
    }
    return NULL;
}

/* The body is {"user", "code", "reason", "n"}: the next n things that the user sends are refused. A
 * later order replaces an earlier one of the same user. */
void mt_sb_rest_refuse(struct mt_sb_call *call)
{
    struct mt_sandbox *sandbox = call->sandbox;
    struct mt_json *body = mt_sb_body(call);
    if (body == NULL)
        return;
    const char *name = mt_json_str(mt_json_get(body, "user"));
    const char *reason = mt_json_str(mt_json_get(body, "reason"));
    int64_t code = mt_json_i64(mt_json_get(body, "code"), -1);
    int64_t n = mt_json_i64(mt_json_get(body, "n"), 1);
    struct mt_sb_user *user = name == NULL ? NULL : mt_sb_user_get(&sandbox->store, name);
    struct mt_sb_order *order = user == NULL ? NULL : order_of(sandbox, user->index);
    if (user == NULL || code < 1 || code > 1000 || n < 0 ||
        (reason != NULL && strlen(reason) >= sizeof order->reason)) {
        mt_sb_reply_error(call, 400, "illegal_argument",
                          "the body is {user, code, reason, n}; the user must be there");
        goto out;
    }
    if (order == NULL) {
        if (mt_sb_grow(&sandbox->orders, sandbox->order_n, &sandbox->order_cap, sizeof *order) !=
            MT_OK) {
            mt_sb_reply_nomem(call);
            goto out;
        }
        order = &sandbox->orders[sandbox->order_n++];
    }
    *order = (struct mt_sb_order){
        .user = user->index, .code = (uint32_t)code, .n = (uint64_t)n, .reason = ""};
    if (reason != NULL)
        memcpy(order->reason, reason, strlen(reason) + 1);
    mt_sb_reply_result(call, "ok");
out:
    mt_json_free(body);
}

bool mt_sb_uplink_ordered(const struct mt_sb_uplink *uplink)
{
    struct mt_sb_order *order =
        order_of(uplink->session->sandbox, uplink->session->device->user->index);
    if (order == NULL || order->n == 0)
        return false;
    order->n--;
    mt_sb_uplink_refuse(uplink, order->code, order->reason);
    return true;
}

/* ---------------------------------------------------------------- causes */

static bool blocks(const struct mt_sb_user *user, const struct mt_sb_user *other)
{
    for (size_t i = 0; i < user->blocked_n; i++) {
        if (user->blocked[i] == other->index)
            return true;
    }
    return false;
}

static bool blocked_by_peer(const struct mt_sb_uplink *uplink)
{
    const struct mt_sb_thread *thread = uplink->view->thread;
    if (thread->chat != MT_SB_SINGLE)
        return false;
    for (size_t i = 0; i < thread->view_n; i++) {
        if (blocks(thread->views[i]->user, uplink->session->device->user))
            return true;
    }
    return false;
}

/* The words of the fault "sensitive", by '|', in the text of the message. */
static bool has_word(const struct mt_sb_uplink *uplink)
{
    const char *at = uplink->session->sandbox->faults.sensitive;
    if (at == NULL || uplink->body->n_contents == 0)
        return false;
    const ProtobufCBinaryData *text = &uplink->body->contents[0]->text;
    if (text->data == NULL)
        return false;
    while (*at != '\0') {
        size_t len = strcspn(at, "|");
        if (len > 0 && memmem(text->data, text->len, at, len) != NULL)
            return true;
        at += len + (at[len] == '|' ? 1 : 0);
    }
    return false;
}

bool mt_sb_uplink_obstructed(const struct mt_sb_uplink *uplink)
{
    if (blocked_by_peer(uplink))
        mt_sb_uplink_refuse(uplink, 1, "blocked");
    else if (uplink->view->muted_until_ms > uplink->now_ms)
        mt_sb_uplink_refuse(uplink, 7, "user is mute");
    else if (has_word(uplink))
        mt_sb_uplink_refuse(uplink, 7, "sensitive words");
    else
        return false;
    return true;
}

/* ---------------------------------------------------------------- who may not write */

void mt_sb_rest_blocks(struct mt_sb_call *call)
{
    const struct mt_sb_store *store = &call->sandbox->store;
    mt_sb_reply_begin(call);
    mt_jsonw_key(&call->json, "data");
    mt_jsonw_array(&call->json);
    for (size_t i = 0; i < call->user->blocked_n; i++)
        mt_jsonw_str(&call->json, store->user_list[call->user->blocked[i]]->name);
    mt_jsonw_array_end(&call->json);
    mt_jsonw_key(&call->json, "count");
    mt_jsonw_u64(&call->json, call->user->blocked_n);
    mt_sb_reply_end(call);
}

static enum mt_rc block(struct mt_sb_call *call, const char *name)
{
    struct mt_sb_user *user = call->user;
    const struct mt_sb_user *other =
        name == NULL ? NULL : mt_sb_user_get(&call->sandbox->store, name);
    if (other == NULL || blocks(user, other))
        return MT_OK;
    if (mt_sb_grow(&user->blocked, user->blocked_n, &user->blocked_cap, sizeof(uint32_t)) != MT_OK)
        return MT_ERR_NOMEM;
    user->blocked[user->blocked_n++] = other->index;
    return MT_OK;
}

void mt_sb_rest_block(struct mt_sb_call *call)
{
    struct mt_json *body = mt_sb_body(call);
    enum mt_rc rc = MT_OK;
    if (body == NULL)
        return;
    for (const struct mt_json *at = mt_json_child(mt_json_get(body, "usernames"));
         rc == MT_OK && at != NULL; at = mt_json_next(at))
        rc = block(call, mt_json_str(at));
    mt_json_free(body);
    if (rc != MT_OK)
        mt_sb_reply_nomem(call);
    else
        mt_sb_rest_blocks(call);
}

static void unblock(struct mt_sb_call *call, const char *name)
{
    struct mt_sb_user *user = call->user;
    const struct mt_sb_user *other =
        name == NULL ? NULL : mt_sb_user_get(&call->sandbox->store, name);
    for (size_t i = 0; other != NULL && i < user->blocked_n; i++) {
        if (user->blocked[i] == other->index)
            user->blocked[i] = user->blocked[--user->blocked_n];
    }
}

void mt_sb_rest_unblock(struct mt_sb_call *call)
{
    struct mt_json *body = mt_sb_body(call);
    if (body == NULL)
        return;
    for (const struct mt_json *at = mt_json_child(mt_json_get(body, "usernames")); at != NULL;
         at = mt_json_next(at))
        unblock(call, mt_json_str(at));
    mt_json_free(body);
    mt_sb_rest_blocks(call);
}

/* Of a group or room; mute_duration in milliseconds, -1: for good. */
void mt_sb_rest_mute(struct mt_sb_call *call)
{
    struct mt_sb_store *store = &call->sandbox->store;
    struct mt_sb_thread *thread = mt_sb_thread_group(store, call->arg[0]);
    struct mt_json *body = thread == NULL ? NULL : mt_sb_body(call);
    if (thread == NULL)
        mt_sb_reply_error(call, 404, "resource_not_found", "do not find this group");
    if (body == NULL)
        return;
    int64_t duration_ms = mt_json_i64(mt_json_get(body, "mute_duration"), -1);
    for (const struct mt_json *at = mt_json_child(mt_json_get(body, "usernames")); at != NULL;
         at = mt_json_next(at)) {
        const char *name = mt_json_str(at);
        struct mt_sb_user *user = name == NULL ? NULL : mt_sb_user_get(store, name);
        struct mt_sb_view *view = user == NULL ? NULL : mt_sb_view_of(store, user, thread);
        if (view != NULL)
            view->muted_until_ms = duration_ms < 0 ? INT64_MAX : call->now_ms + duration_ms;
    }
    mt_json_free(body);
    mt_sb_reply_result(call, "ok");
}

void mt_sb_rest_unmute(struct mt_sb_call *call)
{
    struct mt_sb_store *store = &call->sandbox->store;
    struct mt_sb_thread *thread = mt_sb_thread_group(store, call->arg[0]);
    struct mt_sb_user *user = mt_sb_user_get(store, call->arg[1]);
    struct mt_sb_view *view =
        thread == NULL || user == NULL ? NULL : mt_sb_view_of(store, user, thread);
    if (view != NULL)
        view->muted_until_ms = 0;
    mt_sb_reply_result(call, "ok");
}

void mt_sb_rest_group_remove(struct mt_sb_call *call)
{
    struct mt_sb_store *store = &call->sandbox->store;
    struct mt_sb_thread *thread = mt_sb_thread_group(store, call->arg[0]);
    struct mt_sb_user *user = mt_sb_user_get(store, call->arg[1]);
    struct mt_sb_view *view =
        thread == NULL || user == NULL ? NULL : mt_sb_view_of(store, user, thread);
    if (view == NULL) {
        mt_sb_reply_error(call, 404, "resource_not_found", "do not find this group");
        return;
    }
    view->member = false;
    mt_sb_reply_result(call, "ok");
}

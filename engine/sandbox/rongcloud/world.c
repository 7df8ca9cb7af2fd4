/* What a test looks at and changes: everybody's view, a message's content, its recall; and the
 * deletions that are done later than they are answered. */
#include "sandbox/rongcloud/cloud_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include "codec/hash.h"
#include "codec/json.h"
#include "sandbox/rongcloud/pb_int.h"

#include <stdio.h>
#include <string.h>

/* ---------------------------------------------------------------- deletions that are put off */

enum mt_rc mt_sr_postpone(const struct mt_sr_ask *ask, struct mt_sr_view *view,
                          const uint32_t *seqs, size_t n)
{
    struct mt_sr_postponed *one = mt_mem_alloc(sizeof *one + n * sizeof *seqs);
    if (one == NULL)
        return MT_ERR_NOMEM;
    *one = (struct mt_sr_postponed){
        .next = ask->cloud->postponed, .view = view, .left = ask->pick.late, .n = n};
    memcpy(one->seqs, seqs, n * sizeof *seqs);
    ask->cloud->postponed = one;
    return MT_OK;
}

static void settle(struct mt_sr_cloud *cloud, bool all)
{
    struct mt_sr_postponed **at = &cloud->postponed;
    while (*at != NULL) {
        struct mt_sr_postponed *one = *at;
        if (!all && one->left > 1) {
            one->left--;
            at = &one->next;
            continue;
        }
        for (size_t i = 0; i < one->n; i++) {
            if (mt_sr_view_forget(one->view, cloud->store.log[one->seqs[i]]) != MT_OK)
                break; /* memory is short: half done, as a cloud might leave it */
        }
        *at = one->next;
        mt_mem_free(one);
    }
}

void mt_sr_postponed_tick(struct mt_sr_cloud *cloud)
{
    settle(cloud, false);
}

void mt_sr_postponed_drop(struct mt_sr_cloud *cloud)
{
    while (cloud->postponed != NULL) {
        struct mt_sr_postponed *next = cloud->postponed->next;
        mt_mem_free(cloud->postponed);
        cloud->postponed = next;
    }
}

/* ---------------------------------------------------------------- looking */

static const char *type_name(enum mt_sr_type type)
{
    switch (type) {
    case MT_SR_PRIVATE:
        return "single";
    case MT_SR_GROUP:
        return "group";
    case MT_SR_ROOM:
        return "room";
    case MT_SR_ULTRA:
        return "ultra";
    default:
        return "system";
    }
}

static void line(const struct mt_sr_cloud *cloud, const struct mt_sr_view *view,
                 const struct mt_sr_message *message, struct mt_buf *out)
{
    char uid[MT_SR_UID_MAX];
    char conversation[2 * MT_SR_ID_MAX + 16];
    char hex[MT_SHA256_HEX];
    uint8_t digest[MT_SHA256_LEN];
    struct mt_jsonw json;
    const char *channel = view->thread->channel == NULL ? "" : view->thread->channel;
    (void)snprintf(conversation, sizeof conversation, "%s:%s%s%s", type_name(view->thread->type),
                   view->target, channel[0] == '\0' ? "" : "/", channel);
    mt_sr_uid(message, uid);
    mt_sha256_of(message->packed, message->len, digest);
    mt_hex(digest, 8, hex);
    mt_jsonw_init(&json, out);
    mt_jsonw_object(&json);
    mt_jsonw_key(&json, "user");
    mt_jsonw_str(&json, view->user->name);
    mt_jsonw_key(&json, "conversation");
    mt_jsonw_str(&json, conversation);
    mt_jsonw_key(&json, "id");
    mt_jsonw_str(&json, uid);
    mt_jsonw_key(&json, "time");
    mt_jsonw_i64(&json, message->ts_ms);
    mt_jsonw_key(&json, "from");
    mt_jsonw_str(&json, cloud->store.user_list[message->from]->name);
    mt_jsonw_key(&json, "content");
    mt_jsonw_str(&json, hex);
    mt_jsonw_object_end(&json);
    (void)mt_buf_append_char(out, '\n');
}

static bool view_lines(const struct mt_sr_cloud *cloud, const struct mt_sr_view *view,
                       struct mt_sr_cursor *cursor, size_t max, struct mt_buf *out)
{
    const struct mt_sr_thread *thread = view->thread;
    for (; cursor->message < thread->n; cursor->message++) {
        const struct mt_sr_message *message = thread->messages[cursor->message];
        if ((message->flags & MT_SR_PERSIST) == 0 || !mt_sr_visible(&cloud->store, view, message))
            continue;
        if (out->len >= max)
            return false;
        line(cloud, view, message, out);
    }
    cursor->message = 0;
    return true;
}

bool mt_sr_cloud_view(struct mt_sr_cloud *cloud, const char *user, struct mt_sr_cursor *cursor,
                      size_t max, struct mt_buf *out)
{
    const struct mt_sr_store *store = &cloud->store;
    settle(cloud, true);
    for (; cursor->user < store->user_n; cursor->user++, cursor->view = 0) {
        const struct mt_sr_user *one = store->user_list[cursor->user];
        if (user != NULL && strcmp(one->name, user) != 0)
            continue;
        for (; cursor->view < one->view_n; cursor->view++) {
            if (!view_lines(cloud, one->views[cursor->view], cursor, max, out))
                return false;
        }
    }
    return true;
}

/* ---------------------------------------------------------------- changing */

bool mt_sr_cloud_recall(struct mt_sr_cloud *cloud, const char *id)
{
    struct mt_sr_message *message = mt_sr_message_find(&cloud->store, id);
    if (message != NULL)
        message->flags |= MT_SR_RECALLED;
    return message != NULL;
}

bool mt_sr_cloud_pin(struct mt_sr_cloud *cloud, const char *user, bool group, const char *target,
                     bool on)
{
    struct mt_sr_user *owner = mt_sr_user_make(&cloud->store, user);
    struct mt_sr_view *view =
        owner == NULL ? NULL
                      : mt_sr_view_for_setting(&cloud->store, owner,
                                               group ? MT_SR_GROUP : MT_SR_PRIVATE, target, "");
    if (view != NULL)
        mt_sr_setting_put(owner, &view->top, on ? "1" : "0");
    return view != NULL;
}

bool mt_sr_cloud_edit(struct mt_sr_cloud *cloud, const char *id, const char *text)
{
    struct mt_sr_message *message = mt_sr_message_find(&cloud->store, id);
    struct mt_jsonw json;
    char when[64];
    if (message == NULL)
        return false;
    mt_buf_reset(&cloud->scratch);
    mt_jsonw_init(&json, &cloud->scratch);
    mt_jsonw_object(&json);
    mt_jsonw_key(&json, "content");
    mt_jsonw_str(&json, text);
    mt_jsonw_object_end(&json);
    (void)snprintf(when, sizeof when, "{\"modify\":{\"time\":%lld}}",
                   (long long)mt_clock_wall_ms());
    mt_buf_reset(&cloud->inner);
    mt_sr_message_rest(message, 24, 0, &cloud->inner);
    mt_sr_pb_str(&cloud->inner, 24, when);
    if (cloud->scratch.failed != MT_OK || cloud->inner.failed != MT_OK ||
        mt_sr_message_change(&cloud->store, &message, "RC:TxtMsg", cloud->scratch.data,
                             cloud->scratch.len, cloud->inner.data, cloud->inner.len) != MT_OK)
        return false;
    message->flags |= MT_SR_MODIFIED;
    return true;
}

/* The cloud as a whole: its life, the data that it begins with, and what a test may do to it. */
#include "sandbox/rongcloud/cloud_int.h"

#include "base/mem.h"

#include <string.h>

enum mt_rc mt_sr_cloud_new(struct mt_loop *loop, const char *spec, const struct mt_sr_hooks *hooks,
                           struct mt_sr_cloud **out, struct mt_fault *fault)
{
    struct mt_sr_cloud *cloud = mt_mem_calloc(1, sizeof *cloud);
    if (cloud == NULL)
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "memory is short");
    cloud->loop = loop;
    cloud->hooks = *hooks;
    mt_buf_init(&cloud->answer, MT_SR_ANSWER_MAX);
    mt_buf_init(&cloud->frame, MT_SR_ANSWER_MAX);
    mt_buf_init(&cloud->scratch, MT_SR_ANSWER_MAX);
    mt_buf_init(&cloud->inner, MT_SR_ANSWER_MAX);
    cloud->tokens.map = mt_map_new();
    cloud->files = mt_map_new();
    enum mt_rc rc = mt_sr_store_init(&cloud->store);
    if (rc != MT_OK || cloud->tokens.map == NULL || cloud->files == NULL)
        rc = mt_fault_set(fault, MT_ERR_NOMEM, "memory", "memory is short");
    else
        rc = mt_sr_cloud_configure(cloud, spec == NULL ? "" : spec, fault);
    if (rc != MT_OK) {
        mt_sr_cloud_free(cloud);
        return rc;
    }
    *out = cloud;
    return MT_OK;
}

void mt_sr_cloud_empty(struct mt_sr_cloud *cloud)
{
    mt_sr_postponed_drop(cloud);
    for (size_t i = 0; i < cloud->receipt_n; i++) {
        mt_mem_free(cloud->receipt_list[i]->readers);
        mt_mem_free(cloud->receipt_list[i]);
    }
    cloud->receipt_n = 0;
    mt_sr_index_deinit(&cloud->receipts);
    cloud->receipts = (struct mt_sr_index){0};
    cloud->change_n = 0;
    mt_sr_store_empty(&cloud->store);
}

void mt_sr_cloud_free(struct mt_sr_cloud *cloud)
{
    if (cloud == NULL)
        return;
    while (cloud->sessions != NULL) /* all went with the listener; this is for a failed start */
        mt_sr_session_free(cloud->sessions);
    mt_sr_cloud_empty(cloud);
    mt_mem_free((void *)cloud->receipt_list);
    mt_mem_free(cloud->changes);
    mt_map_free(cloud->files, mt_mem_free);
    mt_map_free(cloud->tokens.map, mt_mem_free);
    mt_sr_store_deinit(&cloud->store);
    mt_sr_options_deinit(&cloud->options);
    mt_buf_deinit(&cloud->answer);
    mt_buf_deinit(&cloud->frame);
    mt_buf_deinit(&cloud->scratch);
    mt_buf_deinit(&cloud->inner);
    mt_mem_free(cloud->address);
    mt_mem_free(cloud);
}

enum mt_rc mt_sr_cloud_address(struct mt_sr_cloud *cloud, const char *address)
{
    cloud->address = mt_mem_strdup(address);
    return cloud->address == NULL ? MT_ERR_NOMEM : MT_OK;
}

enum mt_rc mt_sr_cloud_configure(struct mt_sr_cloud *cloud, const char *spec,
                                 struct mt_fault *fault)
{
    enum mt_rc rc = mt_sr_options_parse(&cloud->options, spec, fault);
    if (rc == MT_OK)
        cloud->store.named_default =
            cloud->options.ultra_driven > 0 && (cloud->options.ultra_driven & 2) != 0;
    return rc;
}

const char *mt_sr_cloud_spec(const struct mt_sr_cloud *cloud)
{
    return cloud->options.spec;
}

enum mt_rc mt_sr_fill_member(struct mt_sr_cloud *cloud, const char *group, const char *user)
{
    struct mt_sr_user *member = mt_sr_user_make(&cloud->store, user);
    struct mt_sr_thread *thread = mt_sr_thread_group(&cloud->store, MT_SR_GROUP, group, NULL, true);
    if (member == NULL || thread == NULL)
        return MT_ERR_NOMEM;
    return mt_sr_view_make(&cloud->store, member, thread) == NULL ? MT_ERR_NOMEM : MT_OK;
}

enum mt_rc mt_sr_fill(struct mt_sr_cloud *cloud, const struct mt_sr_past *past)
{
    struct mt_sr_store *store = &cloud->store;
    struct mt_sr_message *message = NULL;
    struct mt_sr_user *from = mt_sr_user_make(store, past->from);
    struct mt_sr_user *peer = past->group ? NULL : mt_sr_user_make(store, past->target);
    struct mt_sr_thread *thread = NULL;
    if (from == NULL || (!past->group && peer == NULL))
        return MT_ERR_NOMEM;
    thread = past->group ? mt_sr_thread_group(store, MT_SR_GROUP, past->target, NULL, true)
                         : mt_sr_thread_pair(store, MT_SR_PRIVATE, from, peer, true);
    if (thread == NULL)
        return MT_ERR_NOMEM;
    struct mt_sr_view *own = mt_sr_view_make(store, from, thread);
    if (own == NULL)
        return MT_ERR_NOMEM;
    struct mt_sr_draft draft = {
        .thread = thread,
        .from = from,
        .ts_ms = past->ts_ms,
        .late = past->id != NULL,
        .flags = (past->persist ? (uint32_t)MT_SR_PERSIST : 0U) |
                 (past->count ? (uint32_t)MT_SR_COUNT : 0U) |
                 (past->receipt ? (uint32_t)MT_SR_RECEIPT : 0U),
        .name = past->name,
        .content = past->content,
        .content_len = past->content_len,
    };
    enum mt_rc rc = mt_sr_message_add(store, &draft, &message);
    if (rc == MT_OK && message->ts_ms > own->read_ms)
        own->read_ms = message->ts_ms; /* who wrote had read what was there */
    if (rc == MT_OK && past->id != NULL)
        mt_sr_uid(message, past->id);
    return rc;
}

void mt_sr_cloud_stats(const struct mt_sr_cloud *cloud, struct mt_sr_stats *stats)
{
    *stats = (struct mt_sr_stats){
        .users = cloud->store.user_n,
        .conversations = cloud->store.thread_n,
        .messages = cloud->store.log_n,
        .bytes = cloud->store.slab_bytes,
        .frames = cloud->frame_n,
    };
    for (const struct mt_sr_session *s = cloud->sessions; s != NULL; s = s->next)
        stats->online += s->user != NULL;
}

size_t mt_sr_cloud_cut(struct mt_sr_cloud *cloud)
{
    size_t n = 0;
    for (struct mt_sr_session *s = cloud->sessions; s != NULL; s = s->next, n++)
        cloud->hooks.end(cloud->hooks.ud, s->peer, 0);
    return n;
}

size_t mt_sr_cloud_kick(struct mt_sr_cloud *cloud, const char *user, int status)
{
    size_t n = 0;
    for (struct mt_sr_session *s = cloud->sessions; s != NULL; s = s->next) {
        if (s->user == NULL || s->leaving || (user != NULL && strcmp(s->user->name, user) != 0))
            continue;
        mt_sr_session_kick(s, status);
        n++;
    }
    return n;
}

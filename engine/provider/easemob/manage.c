/* Deleting, pins and marks: one request each, whose answer says no more than that it was done. */
#include "provider/easemob/manage_int.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "codec/json.h"
#include "provider/easemob/live_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct manage_call {
    struct mt_em_call base;
    const char *method;
    struct mt_buf path; /* with its query, which the resource is added to */
    struct mt_buf body;
    bool has_body;
    mt_done_fn *done;
    void *ud;
};

static void manage_finish(struct mt_provider_call *base, enum mt_rc rc,
                          const struct mt_fault *fault)
{
    struct manage_call *call = (struct manage_call *)base;

    call->done(call->ud, rc, rc ? fault : NULL);
}

static void manage_release(struct mt_provider_call *base)
{
    struct manage_call *call = (struct manage_call *)base;

    mt_buf_deinit(&call->path);
    mt_buf_deinit(&call->body);
}

/* The resource tells the cloud which of the user's devices need not hear of it (§1.5). */
static const char *resource_of(const struct mt_provider_account *account)
{
    return account->live && account->live->device[0] ? account->live->device : account->device;
}

static void manage_step(struct mt_provider_call *base)
{
    struct manage_call *call = (struct manage_call *)base;
    struct mt_buf path;

    mt_buf_init(&path, MT_EM_URL_MAX);
    (void)mt_buf_append(&path, call->path.data, call->path.len);
    (void)mt_buf_append_str(&path, memchr(path.data ? path.data : "", '?', path.len) ? "&" : "?");
    (void)mt_buf_append_str(&path, "resource=");
    (void)mt_http_escape(&path, resource_of(base->account));
    mt_em_call_send(base, call->method, path.failed ? "" : path.data,
                    call->has_body ? &call->body : NULL);
    mt_buf_deinit(&path);
}

static void manage_answer(struct mt_provider_call *base, enum mt_rc rc,
                          const struct mt_http_response *response, const struct mt_fault *fault)
{
    struct mt_fault own = {.kind = MT_OK};

    if (rc == MT_OK && response->status == 200) {
        mt_call_end(base, MT_OK, NULL);
        return;
    }
    rc = mt_em_fault_http(&own, ((struct mt_em_call *)base)->feature, rc, response, fault);
    if (((struct mt_em_call *)base)->retry == MT_HTTP_RETRY_NEVER &&
        (rc == MT_ERR_NETWORK || rc == MT_ERR_TIMEOUT))
        rc = mt_fault_set(&own, rc, "delete.unknown",
                          "no answer came: it may have been deleted or not, and is not asked for "
                          "again by itself");
    mt_call_end(base, rc, &own);
}

static struct manage_call *manage_new(const char *method, mt_done_fn *done, void *ud)
{
    struct manage_call *call = mt_mem_calloc(1, sizeof *call);

    if (!call)
        return NULL;
    call->base.life.step = manage_step;
    call->base.answer = manage_answer;
    call->base.life.finish = manage_finish;
    call->base.life.release = manage_release;
    call->base.feature = MT_EM_FEATURE_MANAGE;
    call->method = method;
    call->done = done;
    call->ud = ud;
    mt_buf_init(&call->path, MT_EM_URL_MAX);
    mt_buf_init(&call->body, 4096);
    return call;
}

/* Takes the call over. rc: what was wrong already with what was asked for. */
static enum mt_rc manage_start(struct mt_provider_account *account, struct manage_call *call,
                               enum mt_rc rc, const struct mt_fault *fault,
                               struct mt_provider_call **out)
{
    struct mt_fault own = {.kind = MT_OK};

    if (!rc && (call->path.failed || call->body.failed)) {
        rc = mt_fault_set(&own, call->path.failed ? call->path.failed : call->body.failed,
                          "request.too_long", "the request is too long");
        fault = &own;
    }
    rc = rc ? mt_call_fail(&account->calls, &call->base.life, rc, fault)
            : mt_call_start(&account->calls, &call->base.life);
    if (out)
        *out = rc ? NULL : &call->base.life;
    return rc;
}

/* ---------------------------------------------------------------- messages (§4.5) */

/* The path of a deletion in one conversation, up to the first parameter. Rooms use the form of
 * groups. */
static enum mt_rc roaming_path(struct mt_provider_account *account, struct manage_call *call,
                               const struct mt_conversation_ref *conversation, const char *suffix,
                               struct mt_fault *fault)
{
    struct mt_conversation_ref ref = *conversation;
    bool single = false;
    enum mt_rc rc = mt_em_normalise(account, &ref, NULL, fault);

    if (rc)
        return rc;
    single = ref.kind == MT_CONVERSATION_SINGLE;
    (void)mt_buf_appendf(&call->path,
                         "sdk/message/roaming/%s/user/%s%s?%s=", single ? "chat" : "group",
                         account->user_escaped, suffix, single ? "userId" : "groupId");
    (void)mt_http_escape(&call->path, ref.target);
    return MT_OK;
}

enum mt_rc mt_em_delete_ids(struct mt_provider_account *account,
                            const struct mt_conversation_ref *conversation,
                            const struct mt_message_key *messages, size_t n, mt_done_fn *done,
                            void *ud, struct mt_provider_call **out)
{
    struct manage_call *call = manage_new("DELETE", done, ud);
    struct mt_fault fault = {.kind = MT_OK};
    enum mt_rc rc = MT_OK;

    if (!call)
        return MT_ERR_NOMEM;
    rc = roaming_path(account, call, conversation, "", &fault);
    if (!rc && (n == 0 || n > MT_EM_DELETE_MAX))
        rc = mt_fault_set(&fault, MT_ERR_INVALID, "delete.ids", "1 to %d ids a call, not %zu",
                          MT_EM_DELETE_MAX, n);
    (void)mt_buf_append_str(&call->path, "&msgIdList=");
    for (size_t i = 0; !rc && i < n; i++) {
        uint64_t id = 0;

        if (!mt_str_u64(messages[i].id, &id) || !id)
            rc = mt_fault_set(&fault, MT_ERR_INVALID, "delete.ids", "'%.60s' is no message id",
                              messages[i].id);
        (void)mt_buf_appendf(&call->path, "%s%" PRIu64, i ? "," : "", id);
    }
    return manage_start(account, call, rc, &fault, out);
}

enum mt_rc mt_em_delete_before(struct mt_provider_account *account,
                               const struct mt_conversation_ref *conversation, int64_t before_ms,
                               mt_done_fn *done, void *ud, struct mt_provider_call **out)
{
    struct manage_call *call = manage_new("DELETE", done, ud);
    struct mt_fault fault = {.kind = MT_OK};
    enum mt_rc rc = MT_OK;

    if (!call)
        return MT_ERR_NOMEM;
    rc = roaming_path(account, call, conversation, "/time", &fault);
    if (!rc && before_ms <= 0)
        rc = mt_fault_set(&fault, MT_ERR_INVALID, "delete.before", "the time must be after 1970");
    /* The cloud deletes what is at delTime too (easemob-service.md §5.1). */
    (void)mt_buf_appendf(&call->path, "&delTime=%" PRId64, before_ms - 1);
    return manage_start(account, call, rc, &fault, out);
}

/* ---------------------------------------------------------------- conversations (§4.2, §4.6) */

enum mt_rc mt_em_delete_conversation(struct mt_provider_account *account,
                                     const struct mt_conversation_ref *conversation, bool history,
                                     mt_done_fn *done, void *ud, struct mt_provider_call **out)
{
    struct manage_call *call = manage_new("DELETE", done, ud);
    struct mt_conversation_ref ref = *conversation;
    struct mt_fault fault = {.kind = MT_OK};
    struct mt_jsonw json;
    enum mt_rc rc = MT_OK;

    if (!call)
        return MT_ERR_NOMEM;
    call->base.retry = MT_HTTP_RETRY_NEVER; /* what came after a lost answer would go as well */
    rc = mt_em_normalise(account, &ref, NULL, &fault);
    (void)mt_buf_appendf(&call->path, "user/%s/user_channel", account->user_escaped);
    call->has_body = true;
    mt_jsonw_init(&json, &call->body);
    mt_jsonw_object(&json);
    mt_jsonw_key(&json, "channel");
    mt_jsonw_str(&json, ref.target);
    mt_jsonw_key(&json, "type");
    mt_jsonw_str(&json, ref.kind == MT_CONVERSATION_SINGLE ? "chat" : "groupChat");
    mt_jsonw_key(&json, "delete_roam");
    mt_jsonw_bool(&json, history);
    mt_jsonw_object_end(&json);
    return manage_start(account, call, rc, &fault, out);
}

enum mt_rc mt_em_delete_all(struct mt_provider_account *account, mt_done_fn *done, void *ud,
                            struct mt_provider_call **out)
{
    struct manage_call *call = manage_new("POST", done, ud);

    if (!call)
        return MT_ERR_NOMEM;
    call->base.retry = MT_HTTP_RETRY_NEVER;
    (void)mt_buf_appendf(&call->path, "sdk/message/roaming/user/%s/delete/all",
                         account->user_escaped);
    return manage_start(account, call, MT_OK, NULL, out);
}

/* Rooms are in no list. */
static enum mt_rc listed(const struct mt_provider_account *account, struct mt_conversation_ref *ref,
                         struct mt_fault *fault)
{
    enum mt_rc rc = mt_em_normalise(account, ref, NULL, fault);

    if (!rc && ref->kind != MT_CONVERSATION_SINGLE && ref->kind != MT_CONVERSATION_GROUP)
        rc = mt_fault_set(fault, MT_ERR_UNSUPPORTED, "unsupported",
                          "only single chats and groups stand in the cloud's list");
    return rc;
}

enum mt_rc mt_em_pin(struct mt_provider_account *account,
                     const struct mt_conversation_ref *conversation, bool pinned, mt_done_fn *done,
                     void *ud, struct mt_provider_call **out)
{
    struct manage_call *call = manage_new(pinned ? "POST" : "DELETE", done, ud);
    struct mt_conversation_ref ref = *conversation;
    struct mt_fault fault = {.kind = MT_OK};
    struct mt_jsonw json;

    if (!call)
        return MT_ERR_NOMEM;
    enum mt_rc rc = listed(account, &ref, &fault);
    const char *type = ref.kind == MT_CONVERSATION_SINGLE ? "chat" : "groupChat";
    (void)mt_buf_appendf(&call->path, "sdk/user/%s/user_channel/top", account->user_escaped);
    if (pinned) {
        call->has_body = true;
        mt_jsonw_init(&json, &call->body);
        mt_jsonw_object(&json);
        mt_jsonw_key(&json, "type");
        mt_jsonw_str(&json, type);
        mt_jsonw_key(&json, "to");
        mt_jsonw_str(&json, ref.target);
        mt_jsonw_object_end(&json);
    } else {
        (void)mt_buf_appendf(&call->path, "?type=%s&to=", type);
        (void)mt_http_escape(&call->path, ref.target);
    }
    return manage_start(account, call, rc, &fault, out);
}

enum mt_rc mt_em_mark(struct mt_provider_account *account,
                      const struct mt_conversation_ref *conversation, int mark, bool on,
                      mt_done_fn *done, void *ud, struct mt_provider_call **out)
{
    struct manage_call *call = manage_new(on ? "POST" : "DELETE", done, ud);
    struct mt_conversation_ref ref = *conversation;
    struct mt_fault fault = {.kind = MT_OK};
    struct mt_jsonw json;
    char name[16];

    if (!call)
        return MT_ERR_NOMEM;
    enum mt_rc rc = listed(account, &ref, &fault);
    if (!rc && (mark < 0 || mark > 19))
        rc = mt_fault_set(&fault, MT_ERR_INVALID, "mark.range", "a mark is a number from 0 to 19");
    (void)snprintf(name, sizeof name, "mark_%d", mark);
    (void)mt_buf_appendf(&call->path, "sdk/user/%s/user_channels/mark", account->user_escaped);
    call->has_body = true;
    mt_jsonw_init(&json, &call->body);
    mt_jsonw_object(&json);
    mt_jsonw_key(&json, "mark");
    mt_jsonw_str(&json, name);
    mt_jsonw_key(&json, "targets");
    mt_jsonw_array(&json);
    mt_jsonw_object(&json);
    mt_jsonw_key(&json, "to");
    mt_jsonw_str(&json, ref.target);
    mt_jsonw_key(&json, "type"); /* spelt otherwise than in pins and deletions (§4.2) */
    mt_jsonw_str(&json, ref.kind == MT_CONVERSATION_SINGLE ? "chat" : "groupchat");
    mt_jsonw_object_end(&json);
    mt_jsonw_array_end(&json);
    mt_jsonw_object_end(&json);
    return manage_start(account, call, rc, &fault, out);
}

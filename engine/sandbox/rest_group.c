/* Groups and their read receipts. */
#include "sandbox/rest_int.h"

#include "base/mem.h"
#include "base/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define GROUP_ID_FIRST UINT64_C(193734273351681)
#define MEMBERS_MAX    3000
#define PAGE_MAX_N     500

static struct mt_sb_thread *group_of(struct mt_sb_call *call, const char *id)
{
    struct mt_sb_thread *thread = mt_sb_thread_group(&call->sandbox->store, id);
    if (thread == NULL || thread->chat == MT_SB_SINGLE) {
        mt_sb_reply_error(call, 404, "resource_not_found", "do not find this group");
        return NULL;
    }
    return thread;
}

/* Adds the users of a JSON array; strangers are made in a sandbox that is not strict. */
static enum mt_rc add_members(struct mt_sb_call *call, struct mt_sb_thread *thread,
                              const struct mt_json *names)
{
    for (const struct mt_json *at = mt_json_child(names); at != NULL; at = mt_json_next(at)) {
        const char *name = mt_json_str(at);
        if (name == NULL || name[0] == '\0' || strlen(name) >= MT_SB_ID_MAX)
            continue;
        struct mt_sb_user *user = mt_sb_admit(call->sandbox, name);
        if (user == NULL && call->sandbox->strict)
            continue;
        if (thread->view_n >= MEMBERS_MAX)
            return MT_ERR_LIMIT;
        struct mt_sb_view *view =
            user == NULL ? NULL : mt_sb_view_make(&call->sandbox->store, user, thread);
        if (view == NULL)
            return MT_ERR_NOMEM;
        view->member = true;
    }
    return MT_OK;
}

void mt_sb_rest_group_create(struct mt_sb_call *call)
{
    char id[24];
    struct mt_sb_store *store = &call->sandbox->store;
    struct mt_json *body = mt_sb_body(call);
    if (body == NULL)
        return;
    const char *name = mt_json_str(mt_json_get(body, "groupname"));
    const char *wanted = mt_json_str(mt_json_get(body, "groupid"));
    if (name == NULL)
        name = mt_json_str(mt_json_get(body, "name"));
    (void)snprintf(id, sizeof id, "%" PRIu64, GROUP_ID_FIRST + (uint64_t)store->thread_n * 1048576);
    if (wanted == NULL || wanted[0] == '\0')
        wanted = id;
    if (mt_sb_thread_group(store, wanted) != NULL) {
        mt_sb_reply_error(call, 400, "duplicate_unique_property_exists",
                          "the group exists already");
        goto out;
    }
    struct mt_sb_thread *thread = mt_sb_thread_group_make(store, wanted, MT_SB_GROUP, call->user);
    if (thread == NULL) {
        mt_sb_reply_nomem(call);
        goto out;
    }
    thread->is_public = mt_json_bool(mt_json_get(body, "public"), true);
    if (name != NULL)
        thread->title = mt_mem_strdup(name);
    enum mt_rc rc = add_members(call, thread, mt_json_get(body, "members"));
    if (rc == MT_ERR_LIMIT) {
        mt_sb_reply_error(call, 403, "exceed_limit", "group member list is full!");
        goto out;
    }
    if (rc != MT_OK) {
        mt_sb_reply_nomem(call);
        goto out;
    }
    mt_sb_reply_begin(call);
    mt_jsonw_key(&call->json, "data");
    mt_jsonw_object(&call->json);
    mt_jsonw_key(&call->json, "groupid");
    mt_jsonw_str(&call->json, thread->name);
    mt_jsonw_object_end(&call->json);
    mt_sb_reply_end(call);
out:
    mt_json_free(body);
}

/* POST chatgroups/G/users {"usernames":[…]}, or chatgroups/G/users/NAME */
void mt_sb_rest_group_add(struct mt_sb_call *call)
{
    struct mt_sb_thread *thread = group_of(call, call->arg[0]);
    enum mt_rc rc = MT_OK;
    if (thread == NULL)
        return;
    if (call->arg[1] != NULL) {
        struct mt_sb_user *user = mt_sb_admit(call->sandbox, call->arg[1]);
        if (user == NULL) {
            mt_sb_reply_error(call, 404, "service_resource_not_found", "user not found");
            return;
        }
        struct mt_sb_view *view = mt_sb_view_make(&call->sandbox->store, user, thread);
        rc = view == NULL ? MT_ERR_NOMEM : MT_OK;
        if (view != NULL)
            view->member = true;
    } else {
        struct mt_json *body = mt_sb_body(call);
        if (body == NULL)
            return;
        rc = add_members(call, thread, mt_json_get(body, "usernames"));
        mt_json_free(body);
    }
    if (rc == MT_ERR_LIMIT)
        mt_sb_reply_error(call, 403, "exceed_limit", "group member list is full!");
    else if (rc != MT_OK)
        mt_sb_reply_nomem(call);
    else
        mt_sb_reply_result(call, "ok");
}

static void member(struct mt_sb_call *call, const char *key, const char *value)
{
    mt_jsonw_key(&call->json, key);
    mt_jsonw_str(&call->json, value);
}

static void flag(struct mt_sb_call *call, const char *key, bool value)
{
    mt_jsonw_key(&call->json, key);
    mt_jsonw_bool(&call->json, value);
}

static const char *title_of(const struct mt_sb_thread *thread)
{
    return thread->title != NULL ? thread->title : thread->name;
}

static void write_info(struct mt_sb_call *call, const struct mt_sb_thread *thread)
{
    struct mt_jsonw *json = &call->json;
    const struct mt_sb_store *store = &call->sandbox->store;
    mt_jsonw_object(json);
    member(call, "id", thread->name);
    member(call, "name", title_of(thread));
    member(call, "description", "");
    flag(call, "membersonly", false);
    flag(call, "allowinvites", false);
    flag(call, "public", thread->is_public);
    flag(call, "disabled", false);
    mt_jsonw_key(json, "maxusers");
    mt_jsonw_i64(json, MEMBERS_MAX);
    member(call, "owner", store->user_list[thread->owner]->name);
    mt_jsonw_key(json, "affiliations_count");
    mt_jsonw_u64(json, thread->view_n);
    mt_jsonw_key(json, "affiliations");
    mt_jsonw_array(json);
    for (size_t i = 0; i < thread->view_n; i++) {
        const struct mt_sb_user *user = thread->views[i]->user;
        mt_jsonw_object(json);
        member(call, user->index == thread->owner ? "owner" : "member", user->name);
        mt_jsonw_object_end(json);
    }
    mt_jsonw_array_end(json);
    mt_jsonw_object_end(json);
}

void mt_sb_rest_group_info(struct mt_sb_call *call)
{
    char ids[MT_SB_PATH_MAX];
    (void)snprintf(ids, sizeof ids, "%s", call->arg[0]);
    for (char *at = ids; at != NULL;) { /* all of them must exist */
        char *comma = strchr(at, ',');
        if (comma != NULL)
            *comma++ = '\0';
        if (group_of(call, at) == NULL)
            return;
        at = comma;
    }
    (void)snprintf(ids, sizeof ids, "%s", call->arg[0]);
    mt_sb_reply_begin(call);
    mt_jsonw_key(&call->json, "data");
    mt_jsonw_array(&call->json);
    for (char *at = ids; at != NULL;) {
        char *comma = strchr(at, ',');
        if (comma != NULL)
            *comma++ = '\0';
        write_info(call, mt_sb_thread_group(&call->sandbox->store, at));
        at = comma;
    }
    mt_jsonw_array_end(&call->json);
    mt_sb_reply_end(call);
}

static bool is_joined(const struct mt_sb_call *call, const struct mt_sb_view *view)
{
    return !call->foreign_case && view->member && view->thread->chat == MT_SB_GROUP;
}

static const char *role(const struct mt_sb_call *call, const struct mt_sb_view *view)
{
    return view->thread->owner == call->user->index ? "owner" : "member";
}

/* The range of one page; without page parameters everything. base: the number of the first page. */
static void page_range(const struct mt_sb_call *call, uint64_t base, uint64_t *from, uint64_t *to)
{
    uint64_t size = mt_sb_query_u64(call, "pagesize", 0);
    uint64_t number = mt_sb_query_u64(call, "pagenum", base);
    *from = 0;
    *to = UINT64_MAX;
    if (size == 0)
        return;
    if (size > PAGE_MAX_N)
        size = PAGE_MAX_N;
    if (number < base || number > UINT32_MAX)
        number = base;
    *from = (number - base) * size;
    *to = *from + size;
}

void mt_sb_rest_groups_joined(struct mt_sb_call *call)
{
    uint64_t from = 0;
    uint64_t to = 0;
    uint64_t at = 0;
    uint64_t count = 0;
    struct mt_jsonw *json = &call->json;
    page_range(call, 1, &from, &to);
    mt_sb_reply_begin(call);
    mt_jsonw_key(json, "entities");
    mt_jsonw_array(json);
    mt_jsonw_array_end(json);
    mt_jsonw_key(json, "data");
    mt_jsonw_array(json);
    for (size_t i = 0; i < call->user->view_n; i++) {
        const struct mt_sb_view *view = call->user->views[i];
        if (!is_joined(call, view) || at++ < from || at > to)
            continue;
        mt_jsonw_object(json);
        member(call, "groupid", view->thread->name);
        member(call, "groupname", title_of(view->thread));
        member(call, "id", view->thread->name);
        member(call, "name", title_of(view->thread));
        member(call, "permission", role(call, view));
        flag(call, "disabled", false);
        flag(call, "public", view->thread->is_public);
        mt_jsonw_object_end(json);
        count++;
    }
    mt_jsonw_array_end(json);
    mt_jsonw_key(json, "count");
    mt_jsonw_u64(json, count);
    mt_sb_reply_end(call);
}

void mt_sb_rest_groups_of(struct mt_sb_call *call)
{
    uint64_t from = 0;
    uint64_t to = 0;
    uint64_t at = 0;
    uint64_t all = 0;
    struct mt_jsonw *json = &call->json;
    page_range(call, 0, &from, &to);
    mt_sb_reply_begin(call);
    mt_jsonw_key(json, "entities");
    mt_jsonw_array(json);
    for (size_t i = 0; i < call->user->view_n; i++) {
        const struct mt_sb_view *view = call->user->views[i];
        if (!is_joined(call, view))
            continue;
        all++;
        if (at++ < from || at > to)
            continue;
        mt_jsonw_object(json);
        member(call, "groupId", view->thread->name);
        member(call, "name", title_of(view->thread));
        member(call, "permission", role(call, view));
        mt_jsonw_key(json, "affiliations_count");
        mt_jsonw_u64(json, view->thread->view_n);
        flag(call, "membersonly", false);
        flag(call, "allowinvites", false);
        mt_jsonw_key(json, "maxusers");
        mt_jsonw_i64(json, MEMBERS_MAX);
        flag(call, "public", view->thread->is_public);
        member(call, "description", "");
        flag(call, "disabled", false);
        mt_jsonw_object_end(json);
    }
    mt_jsonw_array_end(json);
    mt_jsonw_key(json, "total");
    mt_jsonw_u64(json, all);
    mt_sb_reply_end(call);
}

void mt_sb_rest_groups_count(struct mt_sb_call *call)
{
    uint64_t count = 0;
    for (size_t i = 0; i < call->user->view_n; i++)
        count += is_joined(call, call->user->views[i]) ? 1 : 0;
    mt_sb_reply_begin(call);
    mt_jsonw_key(&call->json, "data");
    mt_jsonw_u64(&call->json, count);
    mt_sb_reply_end(call);
}

/* GET chatgroups/G/acks/M?limit=500&key= : the key is the place in the list; "undefined" is what
 * the official SDK sends for none. */
void mt_sb_rest_acks(struct mt_sb_call *call)
{
    uint64_t id = 0;
    struct mt_jsonw *json = &call->json;
    struct mt_sb_store *store = &call->sandbox->store;
    struct mt_sb_thread *thread = group_of(call, call->arg[0]);
    if (thread == NULL)
        return;
    const struct mt_sb_message *message =
        mt_str_u64(call->arg[1], &id) ? mt_sb_message_find(thread, id) : NULL;
    if (message == NULL) {
        mt_sb_reply_error(call, 400, "illegal_argument", "group ack msg not found");
        return;
    }
    if (message->from != call->user->index) {
        mt_sb_reply_error(call, 403, "forbidden_op", "group ack msg permission denied");
        return;
    }
    const struct mt_sb_readers *readers = mt_sb_readers_get(store, id);
    uint64_t n = readers == NULL ? 0 : readers->n;
    uint64_t limit = mt_sb_query_u64(call, "limit", PAGE_MAX_N);
    uint64_t at = mt_sb_query_u64(call, "key", 0);
    uint64_t end = at > n ? n : at + (limit < PAGE_MAX_N ? limit : PAGE_MAX_N);
    char next[24] = "";
    if (end < n)
        (void)snprintf(next, sizeof next, "%" PRIu64, end);
    else
        end = n;
    mt_sb_reply_begin(call);
    mt_jsonw_key(json, "data");
    mt_jsonw_object(json);
    member(call, "ackmid", call->arg[1]);
    flag(call, "is_last", end == n);
    member(call, "next_key", next);
    mt_jsonw_key(json, "timestamp");
    mt_jsonw_i64(json, readers == NULL ? call->now_ms : readers->last_ms);
    mt_jsonw_key(json, "total");
    mt_jsonw_u64(json, n);
    mt_jsonw_key(json, "userlist");
    mt_jsonw_array(json);
    for (; at < end; at++)
        mt_jsonw_str(json, store->user_list[readers->users[at]]->name);
    mt_jsonw_array_end(json);
    mt_jsonw_object_end(json);
    mt_sb_reply_end(call);
}

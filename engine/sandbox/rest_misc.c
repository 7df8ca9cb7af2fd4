/* Contacts, devices, profiles: enough for a client that wants to complete its conversation list.
 * Whoever shares a single chat with a user is a contact of that user. */
#include "sandbox/rest_int.h"

#include <stdio.h>
#include <string.h>

#define CONTACTS_MAX 50

static bool is_contact(const struct mt_sb_call *call, const struct mt_sb_view *view)
{
    return !call->foreign_case && view->thread->chat == MT_SB_SINGLE &&
           strcmp(view->id, call->user->name) != 0;
}

void mt_sb_rest_contacts(struct mt_sb_call *call)
{
    char text[8];
    struct mt_jsonw *json = &call->json;
    uint64_t count = 0;
    bool remarks =
        mt_sb_query(call, "needReturnRemark", text, sizeof text) && strcmp(text, "true") == 0;
    mt_sb_reply_begin(call);
    mt_jsonw_key(json, remarks ? "entities" : "data");
    mt_jsonw_array(json);
    for (size_t i = 0; i < call->user->view_n; i++) {
        const struct mt_sb_view *view = call->user->views[i];
        if (!is_contact(call, view))
            continue;
        count++;
        if (!remarks) {
            mt_jsonw_str(json, view->id);
            continue;
        }
        mt_jsonw_object(json);
        mt_jsonw_key(json, "username");
        mt_jsonw_str(json, view->id);
        mt_jsonw_key(json, "remark");
        mt_jsonw_str(json, "");
        mt_jsonw_object_end(json);
    }
    mt_jsonw_array_end(json);
    mt_jsonw_key(json, "count");
    mt_jsonw_u64(json, count);
    mt_sb_reply_end(call);
}

void mt_sb_rest_contacts_cursor(struct mt_sb_call *call)
{
    char cursor[24] = "";
    struct mt_jsonw *json = &call->json;
    uint64_t limit = mt_sb_query_u64(call, "limit", 20);
    uint64_t at = mt_sb_query_u64(call, "cursor", 0);
    uint64_t given = 0;
    if (limit < 1 || limit > CONTACTS_MAX)
        limit = CONTACTS_MAX;
    mt_sb_reply_begin(call);
    mt_jsonw_key(json, "data");
    mt_jsonw_object(json);
    mt_jsonw_key(json, "contacts");
    mt_jsonw_array(json);
    for (; at < call->user->view_n && given < limit; at++) {
        const struct mt_sb_view *view = call->user->views[at];
        if (!is_contact(call, view))
            continue;
        mt_jsonw_object(json);
        mt_jsonw_key(json, "username");
        mt_jsonw_str(json, view->id);
        mt_jsonw_key(json, "remark");
        mt_jsonw_str(json, "");
        mt_jsonw_object_end(json);
        given++;
    }
    mt_jsonw_array_end(json);
    if (at < call->user->view_n)
        (void)snprintf(cursor, sizeof cursor, "%zu", (size_t)at);
    mt_jsonw_key(json, "cursor");
    mt_jsonw_str(json, cursor);
    mt_jsonw_object_end(json);
    mt_sb_reply_end(call);
}

void mt_sb_rest_metadata(struct mt_sb_call *call)
{
    struct mt_jsonw *json = &call->json;
    struct mt_json *body = mt_sb_body(call);
    if (body == NULL)
        return;
    mt_sb_reply_begin(call);
    mt_jsonw_key(json, "data");
    mt_jsonw_object(json);
    const struct mt_json *at = mt_json_child(mt_json_get(body, "targets"));
    for (; at != NULL; at = mt_json_next(at)) {
        const char *name = mt_json_str(at);
        const struct mt_sb_user *user =
            name == NULL ? NULL : mt_sb_user_get(&call->sandbox->store, name);
        if (user == NULL)
            continue;
        mt_jsonw_key(json, name);
        mt_jsonw_object(json);
        mt_jsonw_key(json, "nickname");
        mt_jsonw_str(json, user->name);
        mt_jsonw_object_end(json);
    }
    mt_jsonw_object_end(json);
    mt_sb_reply_end(call);
    mt_json_free(body);
}

void mt_sb_rest_resources(struct mt_sb_call *call)
{
    struct mt_jsonw *json = &call->json;
    mt_sb_reply_begin(call);
    mt_jsonw_key(json, "data");
    mt_jsonw_array(json);
    for (size_t i = 0; i < call->user->device_n; i++) {
        const struct mt_sb_device *device = call->user->devices[i];
        if (device->session == NULL)
            continue;
        mt_jsonw_object(json);
        mt_jsonw_key(json, "res");
        mt_jsonw_str(json, device->resource);
        mt_jsonw_key(json, "device_uuid");
        mt_jsonw_str(json, device->resource);
        mt_jsonw_key(json, "device_name");
        mt_jsonw_str(json, "webim");
        mt_jsonw_object_end(json);
    }
    mt_jsonw_array_end(json);
    mt_sb_reply_end(call);
}

void mt_sb_rest_sockjs_info(struct mt_sb_call *call)
{
    static const char INFO[] =
        "{\"websocket\":true,\"origins\":[\"*:*\"],\"cookie_needed\":false,\"entropy\":12345678}";
    call->reply->body = INFO;
    call->reply->body_len = sizeof INFO - 1;
}

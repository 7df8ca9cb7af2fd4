/* Which path is answered by what, and who may ask. */
#include "sandbox/rest_int.h"

#include "base/clock.h"
#include "base/str.h"
#include "sandbox/record_int.h"

#include <string.h>

enum guard {
    OPEN,  /* no token */
    TOKEN, /* any good token */
    OWN    /* the token of the user that the first ':' names */
};

struct route {
    const char *method;
    const char *pattern; /* below /{org}/{app}; ':' takes one segment */
    enum guard guard;
    void (*handle)(struct mt_sb_call *call);
};

/* Paths as in easemob.md §4; the two spellings of deleting a conversation are both real. */
static const struct route ROUTES[] = {
    {"POST", "users/:/messageroaming", OWN, mt_sb_rest_history},
    {"POST", "token", OPEN, mt_sb_rest_token},
    {"POST", "messages/users/import", OPEN, mt_sb_rest_import_single},
    {"POST", "messages/chatgroups/import", OPEN, mt_sb_rest_import_group},
    {"GET", "users/:/user_channels", OWN, mt_sb_rest_list_old},
    {"GET", "users/:/user_channels/page", OWN, mt_sb_rest_list_page},
    {"GET", "sdk/user/:/user_channels/list", OWN, mt_sb_rest_list_cursor},
    {"GET", "sdk/user/:/user_channels/mark/search", OWN, mt_sb_rest_list_search},
    {"POST", "sdk/user/:/user_channel/top", OWN, mt_sb_rest_pin},
    {"DELETE", "sdk/user/:/user_channel/top", OWN, mt_sb_rest_unpin},
    {"POST", "sdk/user/:/user_channel/pin", OWN, mt_sb_rest_pin_message},
    {"DELETE", "sdk/user/:/user_channel/pin", OWN, mt_sb_rest_unpin_message},
    {"POST", "sdk/user/:/user_channels/mark", OWN, mt_sb_rest_mark},
    {"DELETE", "sdk/user/:/user_channels/mark", OWN, mt_sb_rest_unmark},
    {"DELETE", "sdk/message/roaming/chat/user/:", OWN, mt_sb_rest_delete_single},
    {"DELETE", "sdk/message/roaming/chat/user/:/time", OWN, mt_sb_rest_delete_single_time},
    {"DELETE", "sdk/message/roaming/group/user/:", OWN, mt_sb_rest_delete_group},
    {"DELETE", "sdk/message/roaming/group/user/:/time", OWN, mt_sb_rest_delete_group_time},
    {"POST", "sdk/message/roaming/user/:/delete/all", OWN, mt_sb_rest_delete_all},
    {"DELETE", "user/:/user_channel", OWN, mt_sb_rest_delete_conversation},
    {"DELETE", "users/:/user_channel", OWN, mt_sb_rest_delete_conversation},
    {"GET", "chatgroups/:/acks/:", TOKEN, mt_sb_rest_acks},
    {"POST", "chatgroups", TOKEN, mt_sb_rest_group_create},
    {"GET", "chatgroups/user/:", OWN, mt_sb_rest_groups_of},
    {"GET", "chatgroups/user/:/joined_count", OWN, mt_sb_rest_groups_count},
    {"GET", "chatgroups/:", TOKEN, mt_sb_rest_group_info},
    {"POST", "chatgroups/:/users", TOKEN, mt_sb_rest_group_add},
    {"POST", "chatgroups/:/users/:", TOKEN, mt_sb_rest_group_add},
    {"GET", "users/:/joined_chatgroups", OWN, mt_sb_rest_groups_joined},
    {"POST", "chatrooms/:/apply", TOKEN, mt_sb_rest_room_enter},
    {"DELETE", "chatrooms/:/quit", TOKEN, mt_sb_rest_room_leave},
    {"GET", "users/:/contacts/users", OWN, mt_sb_rest_contacts},
    {"GET", "users/:/contacts", OWN, mt_sb_rest_contacts_cursor},
    {"GET", "users/:/blocks/users", OWN, mt_sb_rest_blocks},
    {"POST", "sdk/user/:/blocks", OWN, mt_sb_rest_block},
    {"DELETE", "sdk/user/:/blocks", OWN, mt_sb_rest_unblock},
    {"POST", "chatgroups/:/mute", TOKEN, mt_sb_rest_mute},
    {"DELETE", "chatgroups/:/mute/:", TOKEN, mt_sb_rest_unmute},
    {"POST", "chatrooms/:/mute", TOKEN, mt_sb_rest_mute},
    {"DELETE", "chatrooms/:/mute/:", TOKEN, mt_sb_rest_unmute},
    {"DELETE", "chatgroups/:/users/:", TOKEN, mt_sb_rest_group_remove},
    {"POST", "metadata/user/get", TOKEN, mt_sb_rest_metadata},
    {"GET", "users/:/resources", OWN, mt_sb_rest_resources},
    {"GET", "sdk/users/:/token/expires", OPEN, mt_sb_rest_expires},
    {"POST", "chatfiles", TOKEN, mt_sb_rest_file_put},
    {"GET", "chatfiles/:", TOKEN, mt_sb_rest_file_get},
    {"POST", "sdk/chatfiles/part-upload", TOKEN, mt_sb_rest_parts_begin},
    {"PUT", "sdk/chatfiles/part-upload/:", TOKEN, mt_sb_rest_parts_put},
    {"POST", "sdk/chatfiles/part-upload/:", TOKEN, mt_sb_rest_parts_end},
    {"DELETE", "sdk/chatfiles/part-upload/:", TOKEN, mt_sb_rest_parts_drop},
};

static bool match(const struct route *route, struct mt_sb_call *call)
{
    const char *at = route->pattern;
    size_t args = 0;
    for (size_t i = 2; i < call->segment_n; i++) { /* behind org and app */
        size_t len = strcspn(at, "/");
        if (len == 0)
            return false;
        if (at[0] == ':')
            call->arg[args++] = call->segment[i];
        else if (strlen(call->segment[i]) != len || memcmp(at, call->segment[i], len) != 0)
            return false;
        at += len;
        if (*at == '/')
            at++;
    }
    return *at == '\0';
}

static const struct route *find_route(struct mt_sb_call *call, bool *path_known)
{
    *path_known = false;
    for (size_t i = 0; i < sizeof ROUTES / sizeof ROUTES[0]; i++) {
        if (!match(&ROUTES[i], call))
            continue;
        *path_known = true;
        if (strcmp(ROUTES[i].method, call->request->method) == 0)
            return &ROUTES[i];
    }
    return NULL;
}

/* Cuts the path at its slashes; false if it is too long, has too many parts or broken escapes. */
static bool cut_path(struct mt_sb_call *call)
{
    size_t len = strlen(call->request->path);
    if (len >= sizeof call->path || call->request->path[0] != '/')
        return false;
    memcpy(call->path, call->request->path, len + 1);
    char *at = call->path + 1;
    while (call->segment_n < MT_SB_SEGMENTS_MAX) {
        char *slash = strchr(at, '/');
        if (slash != NULL)
            *slash = '\0';
        if (!mt_sb_percent(at))
            return false;
        call->segment[call->segment_n++] = at;
        if (slash == NULL)
            return true;
        at = slash + 1;
    }
    return false;
}

static bool permitted(struct mt_sb_call *call, enum guard guard)
{
    const char *token = call->request->authorization;
    int64_t expires_ms = 0;
    if (guard == OPEN)
        return true;
    if (strncmp(token, "Bearer ", 7) != 0) {
        mt_sb_reply_error(call, 401, "unauthorized", "Unable to authenticate (OAuth)");
        return false;
    }
    switch (mt_sb_authorise(call->sandbox, token + 7, &call->user, &expires_ms)) {
    case MT_SB_AUTH_GOOD:
        break;
    case MT_SB_AUTH_EXPIRED:
        mt_sb_reply_error(call, 401, "unauthorized",
                          "Unable to authenticate due to expired access token");
        return false;
    case MT_SB_AUTH_NO_USER:
        mt_sb_reply_error(call, 404, "service_resource_not_found", "user not found");
        return false;
    case MT_SB_AUTH_BAD:
        mt_sb_reply_error(call, 401, "auth_bad_access_token", "Unable to authenticate (OAuth)");
        return false;
    }
    if (guard != OWN)
        return true;
    if (mt_sb_user_get(&call->sandbox->store, call->arg[0]) != call->user) {
        mt_sb_reply_error(call, 401, "unauthorized", "Unable to authenticate (OAuth)");
        return false;
    }
    call->foreign_case = strcmp(call->arg[0], call->user->name) != 0;
    return true;
}

static void route_call(struct mt_sb_call *call)
{
    bool path_known = false;
    if (strcmp(call->segment[0], MT_SB_ORG) != 0 || strcmp(call->segment[1], MT_SB_APP) != 0) {
        mt_sb_reply_error(call, 404, "organization_application_not_found",
                          "Could not find application for this org and app: the sandbox has "
                          "only " MT_SB_APPKEY);
        return;
    }
    const struct route *route = find_route(call, &path_known);
    if (route == NULL) {
        mt_sb_reply_error(call, path_known ? 405 : 404,
                          path_known ? "method_not_allowed" : "not_found",
                          "the sandbox does not have this call");
        return;
    }
    mt_sb_postponed_settle(call->sandbox, false);
    mt_sb_when_asked(call->sandbox, call->request->path);
    mt_sb_faults_pick(&call->sandbox->faults, call->request->path, mt_clock_mono_us(), &call->pick);
    call->reply->delay_ms = call->pick.delay_ms;
    if (!mt_sb_reply_trouble(call) && permitted(call, route->guard))
        route->handle(call);
}

/* Anything of a cloud that is not below /{org}/{app}. */
static bool outside(struct mt_sb_call *call)
{
    size_t n = call->segment_n;
    char *const *segment = call->segment;
    if (n == 2 && strcmp(segment[0], "sandbox") == 0 && strcmp(segment[1], MT_SB_APP) != 0) {
        mt_sb_rest_control(call);
        return true;
    }
    if (n == 2 && strcmp(segment[0], "easemob") == 0 && strcmp(segment[1], "server.json") == 0) {
        mt_sb_rest_discovery(call);
        return true;
    }
    if (n == 2 && strcmp(segment[0], "ws") == 0 && strcmp(segment[1], "info") == 0) {
        mt_sb_rest_sockjs_info(call);
        return true;
    }
    return false;
}

void mt_sb_rest_handle(struct mt_sandbox *sandbox, const struct mt_ws_request *request,
                       struct mt_sb_reply *reply)
{
    struct mt_sb_call call = {
        .sandbox = sandbox,
        .request = request,
        .reply = reply,
        .now_ms = mt_clock_wall_ms(),
    };
    *reply = (struct mt_sb_reply){.status = 200};
    mt_buf_reset(&sandbox->answer);
    sandbox->request_n++;
    if (sandbox->faults.log)
        mt_sb_record_http(sandbox->record, request, call.now_ms);
    if (!cut_path(&call) || call.segment_n < 2)
        mt_sb_reply_error(&call, 404, "not_found", "there is nothing here");
    else if (!outside(&call))
        route_call(&call);
    if (reply->body == NULL) {
        reply->body = sandbox->answer.data == NULL ? "" : sandbox->answer.data;
        reply->body_len = sandbox->answer.len;
    }
}

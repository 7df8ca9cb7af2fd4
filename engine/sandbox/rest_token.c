/* Login by password, how long a token lasts, and where the servers are. */
#include "sandbox/rest_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

#define PASSWORD_MAX    256
#define STRICT_PASSWORD "secret-" /* followed by the user's name, in strict mode */

static bool listed(const char *names, const char *name)
{
    size_t len = strlen(name);
    while (names != NULL && *names != '\0') {
        size_t part = strcspn(names, "|");
        if (part == len && strncmp(names, name, len) == 0)
            return true;
        names += part;
        if (*names == '|')
            names++;
    }
    return false;
}

struct mt_sb_user *mt_sb_admit(struct mt_sandbox *sandbox, const char *name)
{
    struct mt_sb_user *user = mt_sb_user_get(&sandbox->store, name);
    if (!sandbox->strict) {
        user = mt_sb_user_make(&sandbox->store, name);
        if (user != NULL)
            user->registered = true;
        return user;
    }
    if (user != NULL && user->registered)
        return user;
    if (!listed(sandbox->faults.registered, name))
        return NULL;
    user = mt_sb_user_make(&sandbox->store, name);
    if (user != NULL)
        user->registered = true;
    return user;
}

enum mt_sb_auth mt_sb_authorise(struct mt_sandbox *sandbox, const char *token,
                                struct mt_sb_user **user, int64_t *expires_ms)
{
    struct mt_sb_token_check check;
    mt_sb_tokens_check(&sandbox->tokens, token, mt_clock_wall_ms(), &check);
    if (check.state == MT_SB_TOKEN_UNKNOWN || check.app)
        return MT_SB_AUTH_BAD;
    if (check.state == MT_SB_TOKEN_EXPIRED)
        return MT_SB_AUTH_EXPIRED;
    *user = check.user != NULL ? check.user : mt_sb_admit(sandbox, check.plain_user);
    *expires_ms = check.expires_ms;
    if (*user == NULL)
        return MT_SB_AUTH_NO_USER;
    sandbox->faults.authorised++;
    if (sandbox->faults.expire_after != 0 &&
        sandbox->faults.authorised > sandbox->faults.expire_after) {
        sandbox->faults.authorised = 0;
        mt_sb_tokens_expire_all(&sandbox->tokens);
        return MT_SB_AUTH_EXPIRED;
    }
    return MT_SB_AUTH_GOOD;
}

/* The first password used stays; in strict mode there is only one. */
static bool password_fits(struct mt_sandbox *sandbox, struct mt_sb_user *user, const char *password)
{
    if (sandbox->strict) {
        size_t prefix = strlen(STRICT_PASSWORD);
        return mt_str_starts(password, STRICT_PASSWORD) &&
               strcmp(password + prefix, user->name) == 0;
    }
    if (user->password == NULL)
        user->password = mt_mem_strdup(password);
    return user->password != NULL && strcmp(user->password, password) == 0;
}

void mt_sb_write_token(struct mt_sb_call *call, const struct mt_sb_user *user, const char *token)
{
    char uuid[40];
    struct mt_jsonw *json = &call->json;
    (void)snprintf(uuid, sizeof uuid, "c0ffee00-0000-11ee-8888-%012x", user->index);
    call->reply->status = 200;
    mt_jsonw_init(json, &call->sandbox->answer);
    mt_jsonw_object(json);
    mt_jsonw_key(json, "access_token");
    mt_jsonw_str(json, token);
    mt_jsonw_key(json, "expires_in");
    mt_jsonw_i64(json, (call->sandbox->faults.token_ttl_ms + 999) / 1000);
    mt_jsonw_key(json, "user");
    mt_jsonw_object(json);
    mt_jsonw_key(json, "uuid");
    mt_jsonw_str(json, uuid);
    mt_jsonw_key(json, "type");
    mt_jsonw_str(json, "user");
    mt_jsonw_key(json, "created");
    mt_jsonw_i64(json, call->now_ms);
    mt_jsonw_key(json, "modified");
    mt_jsonw_i64(json, call->now_ms);
    mt_jsonw_key(json, "username");
    mt_jsonw_str(json, user->name);
    mt_jsonw_key(json, "activated");
    mt_jsonw_bool(json, true);
    mt_jsonw_object_end(json);
    mt_jsonw_object_end(json);
}

void mt_sb_rest_token(struct mt_sb_call *call)
{
    struct mt_sandbox *sandbox = call->sandbox;
    char token[MT_SB_TOKEN_LEN + 1];
    struct mt_json *body = mt_sb_body(call);
    if (body == NULL)
        return;
    const char *grant = mt_json_str(mt_json_get(body, "grant_type"));
    const char *name = mt_json_str(mt_json_get(body, "username"));
    const char *password = mt_json_str(mt_json_get(body, "password"));
    if (grant != NULL && strcmp(grant, "client_credentials") == 0) {
        mt_sb_app_token(call, body);
        goto out;
    }
    if (grant != NULL && strcmp(grant, "inherit") == 0) {
        mt_sb_app_inherit(call, body);
        goto out;
    }
    if (grant == NULL || strcmp(grant, "password") != 0) {
        mt_sb_reply_error(call, 400, "invalid_grant",
                          "the sandbox knows the grants password, client_credentials and inherit");
        goto out;
    }
    if (name == NULL || name[0] == '\0' || strlen(name) >= MT_SB_ID_MAX || password == NULL ||
        strlen(password) >= PASSWORD_MAX) {
        mt_sb_reply_error(call, 400, "illegal_argument", "username and password are needed");
        goto out;
    }
    struct mt_sb_user *user = mt_sb_admit(sandbox, name);
    if (user == NULL) {
        mt_sb_reply_error(call, 404, "service_resource_not_found", "user not found");
        goto out;
    }
    if (!password_fits(sandbox, user, password)) {
        mt_sb_reply_error(call, 400, "invalid_grant", "invalid password");
        goto out;
    }
    if (mt_sb_tokens_issue(&sandbox->tokens, user, call->now_ms + sandbox->faults.token_ttl_ms,
                           token) != MT_OK) {
        mt_sb_reply_nomem(call);
        goto out;
    }
    mt_sb_write_token(call, user, token);
out:
    mt_json_free(body);
}

void mt_sb_rest_expires(struct mt_sb_call *call)
{
    struct mt_sb_token_check check;
    const char *token = call->request->authorization;
    token = strncmp(token, "Bearer ", 7) == 0 ? token + 7 : "";
    mt_sb_tokens_check(&call->sandbox->tokens, token, call->now_ms, &check);
    if (check.state == MT_SB_TOKEN_UNKNOWN) {
        mt_sb_reply_error(call, 401, "auth_bad_access_token", "Unable to authenticate (OAuth)");
        return;
    }
    if (check.state == MT_SB_TOKEN_EXPIRED) {
        mt_sb_reply_error(call, 401, "unauthorized",
                          "Unable to authenticate due to expired access token");
        return;
    }
    mt_sb_reply_begin(call);
    mt_jsonw_key(&call->json, "expire_timestamp");
    mt_jsonw_i64(&call->json, check.expires_ms);
    mt_sb_reply_end(call);
}

static void write_hosts(struct mt_sb_call *call, const char *name)
{
    char port[8];
    struct mt_jsonw *json = &call->json;
    (void)snprintf(port, sizeof port, "%u", call->sandbox->port);
    mt_jsonw_key(json, name);
    mt_jsonw_object(json);
    mt_jsonw_key(json, "hosts");
    mt_jsonw_array(json);
    mt_jsonw_object(json);
    mt_jsonw_key(json, "protocol");
    mt_jsonw_str(json, "http");
    mt_jsonw_key(json, "domain");
    mt_jsonw_str(json, call->sandbox->host);
    mt_jsonw_key(json, "port");
    mt_jsonw_str(json, port);
    mt_jsonw_object_end(json);
    mt_jsonw_array_end(json);
    mt_jsonw_object_end(json);
}

/* Ports and switches are strings, as easemob.md §1.2 has seen them. */
void mt_sb_rest_discovery(struct mt_sb_call *call)
{
    char appkey[MT_SB_ID_MAX];
    struct mt_jsonw *json = &call->json;
    if (!mt_sb_query(call, "app_key", appkey, sizeof appkey) || strcmp(appkey, MT_SB_APPKEY) != 0) {
        mt_sb_reply_error(call, 404, "organization_application_not_found",
                          "the sandbox knows the app key " MT_SB_APPKEY " only");
        return;
    }
    mt_jsonw_init(json, &call->sandbox->answer);
    mt_jsonw_object(json);
    mt_jsonw_key(json, "app_key");
    mt_jsonw_str(json, MT_SB_APPKEY);
    write_hosts(call, "rest");
    write_hosts(call, "msync-wx");
    write_hosts(call, "msync-ws");
    mt_jsonw_key(json, "enableReportLogs");
    mt_jsonw_str(json, "false");
    mt_jsonw_key(json, "enableDataReport");
    mt_jsonw_str(json, "false");
    mt_jsonw_key(json, "uploadinparts_enable");
    mt_jsonw_str(json, "false");
    mt_jsonw_object_end(json);
}

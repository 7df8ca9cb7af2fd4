/* What the app's own credentials are good for: app tokens, tokens of users, dynamic tokens
 * (easemob-service.md 1.2, 1.3). */
#include "sandbox/rest_int.h"

#include "base/mem.h"
#include "base/str.h"
#include "codec/base64.h"
#include "codec/hash.h"
#include "sandbox/tokens_int.h"

#include <stdio.h>
#include <string.h>

#define DYNAMIC_MAX    1024
#define DYNAMIC_PREFIX "dt-"

void mt_sb_app_token(struct mt_sb_call *call, const struct mt_json *body)
{
    const char *id = mt_json_str(mt_json_get(body, "client_id"));
    const char *secret = mt_json_str(mt_json_get(body, "client_secret"));
    struct mt_sandbox *sandbox = call->sandbox;
    char token[MT_SB_TOKEN_LEN + 1];
    struct mt_jsonw *json = &call->json;

    if (id == NULL || secret == NULL) {
        mt_sb_reply_error(call, 400, "illegal_argument", "client_id and client_secret are needed");
        return;
    }
    if (strcmp(id, MT_SB_CLIENT_ID) != 0 || strcmp(secret, MT_SB_CLIENT_SECRET) != 0) {
        mt_sb_reply_error(call, 400, "invalid_grant", "client_id does not match");
        return;
    }
    if (mt_sb_tokens_issue(&sandbox->tokens, NULL, call->now_ms + sandbox->faults.token_ttl_ms,
                           token) != MT_OK) {
        mt_sb_reply_nomem(call);
        return;
    }
    call->reply->status = 200;
    mt_jsonw_init(json, &sandbox->answer);
    mt_jsonw_object(json);
    mt_jsonw_key(json, "access_token");
    mt_jsonw_str(json, token);
    mt_jsonw_key(json, "expires_in");
    mt_jsonw_i64(json, (sandbox->faults.token_ttl_ms + 999) / 1000);
    mt_jsonw_key(json, "application");
    mt_jsonw_str(json, "c0ffee00-0000-11ee-8888-000000000000");
    mt_jsonw_object_end(json);
}

bool mt_sb_by_app(struct mt_sb_call *call)
{
    const char *token = call->request->authorization;
    struct mt_sb_token_check check;

    token = strncmp(token, "Bearer ", 7) == 0 ? token + 7 : "";
    mt_sb_tokens_check(&call->sandbox->tokens, token, call->now_ms, &check);
    if (check.app && check.state == MT_SB_TOKEN_GOOD)
        return true;
    if (check.app)
        mt_sb_reply_error(call, 401, "unauthorized",
                          "Unable to authenticate due to expired access token");
    else
        mt_sb_reply_error(call, 401, "auth_bad_access_token",
                          "Unable to authenticate due to corrupt access token");
    return false;
}

void mt_sb_app_inherit(struct mt_sb_call *call, const struct mt_json *body)
{
    const char *name = mt_json_str(mt_json_get(body, "username"));
    struct mt_sandbox *sandbox = call->sandbox;
    struct mt_sb_user *user = NULL;
    char token[MT_SB_TOKEN_LEN + 1];

    if (!mt_sb_by_app(call))
        return;
    if (name == NULL || name[0] == '\0' || strlen(name) >= MT_SB_ID_MAX) {
        mt_sb_reply_error(call, 400, "illegal_argument", "username is not legal");
        return;
    }
    user = mt_sb_admit(sandbox, name);
    if (user == NULL && mt_json_bool(mt_json_get(body, "autoCreateUser"), false)) {
        user = mt_sb_user_make(&sandbox->store, name);
        if (user != NULL)
            user->registered = true;
    }
    if (user == NULL) {
        mt_sb_reply_error(call, 404, "invalid_grant", "user not found");
        return;
    }
    if (mt_sb_tokens_issue(&sandbox->tokens, user, call->now_ms + sandbox->faults.token_ttl_ms,
                           token) != MT_OK) {
        mt_sb_reply_nomem(call);
        return;
    }
    mt_sb_write_token(call, user, token);
}

/* ---------------------------------------------------------------- dynamic tokens */

static bool signed_well(const struct mt_json *root, const char *user, int64_t at_s, int64_t ttl_s)
{
    const char *appkey = mt_json_str(mt_json_get(root, "appkey"));
    const char *signature = mt_json_str(mt_json_get(root, "signature"));
    char text[DYNAMIC_MAX];
    uint8_t digest[MT_SHA256_LEN];
    char hex[MT_SHA256_HEX];
    int len = 0;

    if (appkey == NULL || signature == NULL || strcmp(appkey, MT_SB_APPKEY) != 0)
        return false;
    len = snprintf(text, sizeof text, MT_SB_CLIENT_ID "%s%s%lld%lld" MT_SB_CLIENT_SECRET, appkey,
                   user, (long long)at_s, (long long)ttl_s);
    if (len < 0 || (size_t)len >= sizeof text)
        return false;
    mt_sha256_of(text, (size_t)len, digest);
    mt_hex(digest, sizeof digest, hex);
    return strcmp(hex, signature) == 0;
}

void mt_sb_dynamic_check(const char *token, int64_t now_ms, struct mt_sb_token_check *check)
{
    char text[MT_BASE64_DECODED_MAX(DYNAMIC_MAX) + 1];
    size_t prefix = strlen(DYNAMIC_PREFIX);
    size_t len = strlen(token);
    struct mt_json *root = NULL;

    if (len == 0 || len > DYNAMIC_MAX ||
        mt_base64_decode(token, len, (uint8_t *)text, &len) != MT_OK || len <= prefix ||
        strncmp(text, DYNAMIC_PREFIX, prefix) != 0 ||
        mt_json_parse(text + prefix, len - prefix, DYNAMIC_MAX, &root, NULL) != MT_OK)
        return;
    const char *user = mt_json_str(mt_json_get(root, "userId"));
    int64_t at_s = mt_json_i64(mt_json_get(root, "curTime"), -1);
    int64_t ttl_s = mt_json_i64(mt_json_get(root, "ttl"), -1);
    bool fits = user != NULL && user[0] != '\0' && strlen(user) < sizeof check->room && at_s > 0 &&
                at_s < INT32_MAX && ttl_s > 0 && ttl_s < INT32_MAX;
    if (fits && signed_well(root, user, at_s, ttl_s)) {
        snprintf(check->room, sizeof check->room, "%s", user);
        check->plain_user = check->room;
        check->expires_ms = (at_s + ttl_s) * 1000;
        check->state = check->expires_ms > now_ms ? MT_SB_TOKEN_GOOD : MT_SB_TOKEN_EXPIRED;
    }
    mt_json_free(root);
}

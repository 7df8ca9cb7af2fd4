/* The server API: who may call it, users and their tokens, settings of conversations (rongcloud.md
 * 7). What is not written there (which code an unknown user has) is the sandbox's own choice. */
#include "sandbox/rongcloud/api_int.h"

#include "base/mem.h"
#include "base/str.h"
#include "codec/hash.h"
#include "codec/time.h"
#include "sandbox/rongcloud/query_int.h"
#include "ws/server.h"

#include <stdio.h>
#include <string.h>

#define FORM_MAX   ((size_t)512 * 1024)
#define USER_MAX   64
#define CREATED_MS INT64_C(1700000000000) /* of every user: nobody asks for more */
#define SIGNED_MAX 128

/* ---------------------------------------------------------------- answers */

void mt_sr_api_begin(struct mt_sr_api_call *call)
{
    mt_buf_reset(&call->cloud->answer);
    mt_jsonw_init(&call->json, &call->cloud->answer);
    mt_jsonw_object(&call->json);
    mt_jsonw_key(&call->json, "code");
    mt_jsonw_i64(&call->json, 200);
    call->answer->status = 200;
}

void mt_sr_api_end(struct mt_sr_api_call *call)
{
    mt_jsonw_object_end(&call->json);
}

void mt_sr_api_refuse(struct mt_sr_api_call *call, int status, int64_t code, const char *text)
{
    mt_sr_api_begin(call);
    mt_buf_reset(&call->cloud->answer);
    mt_jsonw_init(&call->json, &call->cloud->answer);
    mt_jsonw_object(&call->json);
    mt_jsonw_key(&call->json, "code");
    mt_jsonw_i64(&call->json, code);
    mt_jsonw_key(&call->json, "errorMessage");
    mt_jsonw_str(&call->json, text);
    mt_jsonw_object_end(&call->json);
    call->answer->status = status;
}

static void done(struct mt_sr_api_call *call)
{
    mt_sr_api_begin(call);
    mt_sr_api_end(call);
}

/* ---------------------------------------------------------------- parameters */

bool mt_sr_api_need(struct mt_sr_api_call *call, const char *key, size_t nth, char *out, size_t cap)
{
    char text[64];

    if (mt_sr_query_get_nth(call->form, key, nth, out, cap) && out[0] != '\0')
        return true;
    (void)snprintf(text, sizeof text, "%s is required", key);
    mt_sr_api_refuse(call, 400, 1002, text);
    return false;
}

struct mt_sr_user *mt_sr_api_user(struct mt_sr_api_call *call, const char *key)
{
    char name[MT_SR_ID_MAX];

    if (!mt_sr_api_need(call, key, 0, name, sizeof name))
        return NULL;
    struct mt_sr_user *user = mt_sr_user_get(&call->cloud->store, name);
    if (user == NULL)
        mt_sr_api_refuse(call, 404, 404, "user does not exist");
    return user;
}

int64_t mt_sr_api_number(const struct mt_sr_api_call *call, const char *key, int64_t absent)
{
    char text[32];
    int64_t value = 0;

    return mt_sr_query_get(call->form, key, text, sizeof text) && mt_str_i64(text, &value) ? value
                                                                                           : absent;
}

/* ---------------------------------------------------------------- users */

static bool put(char **at, const char *text)
{
    char *copy = mt_mem_strdup(text);

    if (copy == NULL)
        return false;
    mt_mem_free(*at);
    *at = copy;
    return true;
}

/* Registers the user, and overwrites what its pushes show. */
static void get_token(struct mt_sr_api_call *call)
{
    char id[MT_SR_ID_MAX];
    char shown[513];
    char portrait[1025] = "";
    char token[MT_SR_TOKEN_MAX];
    char whole[MT_SR_TOKEN_MAX + 96];

    if (!mt_sr_api_need(call, "userId", 0, id, sizeof id) ||
        !mt_sr_api_need(call, "name", 0, shown, sizeof shown))
        return;
    if (strlen(id) > USER_MAX || !mt_sr_id_fits(id)) {
        mt_sr_api_refuse(call, 400, 1002, "userId is not valid");
        return;
    }
    bool has_portrait = mt_sr_query_get(call->form, "portraitUri", portrait, sizeof portrait);
    struct mt_sr_user *user = mt_sr_user_make(&call->cloud->store, id);
    if (user == NULL || !put(&user->shown, shown) ||
        (has_portrait && !put(&user->portrait, portrait)) ||
        mt_sr_token_issue(call->cloud, user, call->cloud->options.token_ttl_ms, token) != MT_OK) {
        mt_sr_api_refuse(call, 500, 1000, "memory is short");
        return;
    }
    (void)snprintf(whole, sizeof whole, "%s@http://%s", token, call->cloud->address);
    mt_sr_api_begin(call);
    mt_jsonw_key(&call->json, "userId");
    mt_jsonw_str(&call->json, id);
    mt_jsonw_key(&call->json, "token");
    mt_jsonw_str(&call->json, whole);
    mt_sr_api_end(call);
}

static void get_info(struct mt_sr_api_call *call)
{
    char at[MT_TIME_RFC3339_LEN];
    const struct mt_sr_user *user = mt_sr_api_user(call, "userId");

    if (user == NULL)
        return;
    mt_time_format(CREATED_MS, at);
    at[10] = ' '; /* "2023-11-14 22:13:20" */
    at[19] = '\0';
    mt_sr_api_begin(call);
    mt_jsonw_key(&call->json, "userName");
    mt_jsonw_str(&call->json, user->shown == NULL ? user->name : user->shown);
    mt_jsonw_key(&call->json, "userPortrait");
    mt_jsonw_str(&call->json, user->portrait == NULL ? "" : user->portrait);
    mt_jsonw_key(&call->json, "createTime");
    mt_jsonw_str(&call->json, at);
    mt_sr_api_end(call);
}

static void refresh(struct mt_sr_api_call *call)
{
    char text[1025];
    struct mt_sr_user *user = mt_sr_api_user(call, "userId");

    if (user == NULL)
        return;
    if (mt_sr_query_get(call->form, "name", text, sizeof text))
        (void)put(&user->shown, text);
    if (mt_sr_query_get(call->form, "portraitUri", text, sizeof text))
        (void)put(&user->portrait, text);
    done(call);
}

static void expire(struct mt_sr_api_call *call)
{
    struct mt_sr_user *user = mt_sr_api_user(call, "userId");
    int64_t until_ms = mt_sr_api_number(call, "time", -1);

    if (user == NULL)
        return;
    if (until_ms < 0) {
        mt_sr_api_refuse(call, 400, 1002, "time is required");
        return;
    }
    mt_sr_token_expire(user, until_ms);
    done(call);
}

static void is_online(struct mt_sr_api_call *call)
{
    const struct mt_sr_user *user = mt_sr_api_user(call, "userId");

    if (user == NULL)
        return;
    mt_sr_api_begin(call);
    mt_jsonw_key(&call->json, "status");
    mt_jsonw_str(&call->json, user->sessions != NULL ? "1" : "0");
    mt_sr_api_end(call);
}

/* ---------------------------------------------------------------- settings of conversations */

static struct mt_sr_view *setting_of(struct mt_sr_api_call *call, const char *user_key,
                                     struct mt_sr_user **user)
{
    char target[MT_SR_ID_MAX];
    char channel[MT_SR_ID_MAX] = "";
    int type = (int)mt_sr_api_number(call, "conversationType", 0);
    struct mt_sr_view *view = NULL;

    *user = mt_sr_api_user(call, user_key);
    if (*user == NULL || !mt_sr_api_need(call, "targetId", 0, target, sizeof target))
        return NULL;
    (void)mt_sr_query_get(call->form, "busChannel", channel, sizeof channel);
    if (type == MT_SR_PRIVATE || type == MT_SR_GROUP || type == MT_SR_SYSTEM || type == MT_SR_ULTRA)
        view = mt_sr_view_for_setting(&call->cloud->store, *user, type, target, channel);
    if (view == NULL)
        mt_sr_api_refuse(call, 400, 1002, "conversationType is not valid");
    return view;
}

static void set(struct mt_sr_api_call *call, struct mt_sr_user *user, struct mt_sr_setting *setting,
                int64_t value)
{
    char text[12];

    (void)snprintf(text, sizeof text, "%d", (int)(value % 1000));
    mt_sr_setting_put(user, setting, text);
    mt_sr_push_notify(user, NULL, "s_cmd", 3, user->settings_version_ms);
    done(call);
}

static void set_top(struct mt_sr_api_call *call)
{
    char on[8];
    struct mt_sr_user *user = NULL;
    struct mt_sr_view *view = setting_of(call, "userId", &user);

    if (view != NULL && mt_sr_api_need(call, "setTop", 0, on, sizeof on))
        set(call, user, &view->top, strcmp(on, "true") == 0);
}

static void set_notification(struct mt_sr_api_call *call)
{
    struct mt_sr_user *user = NULL;
    struct mt_sr_view *view = setting_of(call, "requestId", &user);
    int64_t level =
        mt_sr_api_number(call, "unpushLevel", mt_sr_api_number(call, "isMuted", INT64_MIN));

    if (view == NULL)
        return;
    if (level == INT64_MIN)
        mt_sr_api_refuse(call, 400, 1002, "isMuted is required");
    else
        set(call, user, &view->silent, level);
}

static void get_notification(struct mt_sr_api_call *call)
{
    struct mt_sr_user *user = NULL;
    const struct mt_sr_view *view = setting_of(call, "requestId", &user);
    int64_t level = 0;

    if (view == NULL)
        return;
    if (view->silent.set)
        (void)mt_str_i64(view->silent.value, &level);
    mt_sr_api_begin(call);
    mt_jsonw_key(&call->json, "isMuted");
    mt_jsonw_i64(&call->json, level > 0);
    mt_jsonw_key(&call->json, "unpushLevel");
    mt_jsonw_i64(&call->json, level);
    mt_sr_api_end(call);
}

/* ---------------------------------------------------------------- who calls what */

static const struct {
    const char *path;
    void (*run)(struct mt_sr_api_call *call);
} CALLS[] = {
    {"/user/getToken.json", get_token},
    {"/user/info.json", get_info},
    {"/user/refresh.json", refresh},
    {"/user/token/expire.json", expire},
    {"/user/checkOnline.json", is_online},
    {"/message/private/publish.json", mt_sr_api_publish},
    {"/message/group/publish.json", mt_sr_api_publish},
    {"/message/system/publish.json", mt_sr_api_publish},
    {"/message/recall.json", mt_sr_api_recall},
    {"/conversation/message/history/clean.json", mt_sr_api_clean},
    {"/conversation/top/set.json", set_top},
    {"/conversation/notification/set.json", set_notification},
    {"/conversation/notification/get.json", get_notification},
    {"/v3/message/private/query.json", mt_sr_api_query},
    {"/v3/message/group/query.json", mt_sr_api_query},
};

static size_t find(const char *path)
{
    size_t i = 0;

    while (i < sizeof CALLS / sizeof CALLS[0] && strcmp(CALLS[i].path, path) != 0)
        i++;
    return i;
}

bool mt_sr_api_is(const char *path)
{
    return find(path) < sizeof CALLS / sizeof CALLS[0];
}

static bool signed_well(const struct mt_ws_request *request)
{
    const char *nonce = mt_ws_request_header(request, "Nonce");
    const char *timestamp = mt_ws_request_header(request, "Timestamp");
    char text[SIGNED_MAX];
    uint8_t digest[MT_SHA1_LEN];
    char hex[2 * MT_SHA1_LEN + 1];
    int len = snprintf(text, sizeof text, MT_SR_APP_SECRET "%s%s", nonce, timestamp);

    if (nonce[0] == '\0' || timestamp[0] == '\0' || len < 0 || (size_t)len >= sizeof text)
        return false;
    mt_sha1_of(text, (size_t)len, digest);
    mt_hex(digest, sizeof digest, hex);
    return strcmp(hex, mt_ws_request_header(request, "Signature")) == 0;
}

void mt_sr_api(struct mt_sr_cloud *cloud, const struct mt_ws_request *request,
               struct mt_ws_answer *answer)
{
    struct mt_sr_api_call call = {
        .cloud = cloud,
        .path = request->path,
        .form_len = request->body_len,
        .answer = answer,
    };
    char *form = NULL;

    if (strcmp(mt_ws_request_header(request, "App-Key"), MT_SR_APPKEY) != 0 ||
        !signed_well(request)) {
        mt_sr_api_refuse(&call, 401, 1004, "Invalid signature");
        return;
    }
    if (request->body_len <= FORM_MAX)
        form = mt_mem_strndup(request->body == NULL ? "" : request->body, request->body_len);
    call.form = form;
    if (form == NULL)
        mt_sr_api_refuse(&call, 400, 1005, "the request is too large");
    else
        CALLS[find(request->path)].run(&call);
    mt_mem_free(form);
}

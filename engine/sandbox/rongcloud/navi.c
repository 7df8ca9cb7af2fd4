/* What comes over HTTP: the navigation (rongcloud.md 1). */
#include "sandbox/rongcloud/cloud_int.h"

#include "base/mem.h"
#include "base/str.h"
#include "codec/json.h"
#include "sandbox/rongcloud/file_int.h"
#include "sandbox/rongcloud/query_int.h"
#include "ws/server.h"

#include <string.h>

#define FORM_MAX 4096

static void flag(struct mt_jsonw *json, const char *name, int64_t value)
{
    if (value < 0)
        return;
    mt_jsonw_key(json, name);
    mt_jsonw_i64(json, value);
}

static void one_address(struct mt_jsonw *json, const char *address, int64_t weight)
{
    mt_jsonw_object(json);
    mt_jsonw_key(json, "protocol");
    mt_jsonw_i64(json, 5);
    mt_jsonw_key(json, "addr");
    mt_jsonw_str(json, address);
    mt_jsonw_key(json, "weight");
    mt_jsonw_i64(json, weight);
    mt_jsonw_key(json, "race");
    mt_jsonw_bool(json, false);
    mt_jsonw_object_end(json);
}

static void addresses(struct mt_sr_cloud *cloud, struct mt_jsonw *json)
{
    const struct mt_sr_options *options = &cloud->options;
    if (options->navi_empty > 0)
        return;
    if (options->navi_v1 > 0) {
        mt_jsonw_key(json, "server");
        mt_jsonw_str(json, options->navi_dead > 0 ? "127.0.0.1:9" : cloud->address);
        mt_jsonw_key(json, "backupServer");
        mt_jsonw_str(json, cloud->address);
        return;
    }
    mt_jsonw_key(json, "serverAddr");
    mt_jsonw_array(json);
    one_address(json, cloud->address, 1);
    for (int64_t i = 0; i < options->navi_dead && i < 8; i++)
        one_address(json, "127.0.0.1:9", 2 + i);
    mt_jsonw_array_end(json);
}

static void write_navi(struct mt_sr_cloud *cloud, const struct mt_sr_user *user)
{
    const struct mt_sr_options *options = &cloud->options;
    struct mt_jsonw json;
    mt_buf_reset(&cloud->answer);
    mt_jsonw_init(&json, &cloud->answer);
    mt_jsonw_object(&json);
    flag(&json, "code", options->navi_code > 0 ? options->navi_code : 200);
    mt_jsonw_key(&json, "userId");
    mt_jsonw_str(&json, user->name);
    addresses(cloud, &json);
    flag(&json, "type", options->private_cloud);
    flag(&json, "openUS", 1);
    flag(&json, "openMp", 0);
    mt_jsonw_key(&json, "historyMsg");
    mt_jsonw_bool(&json, options->no_roaming <= 0);
    flag(&json, "grpMsgLimit", 100);
    flag(&json, "kvStorage", 0);
    flag(&json, "logSwitch", 0);
    mt_sr_file_navi(cloud, &json);
    flag(&json, "openAnti", options->open_anti);
    flag(&json, "openHistoryMsg", options->open_history_msg);
    flag(&json, "sesDriven", options->ses_driven);
    flag(&json, "serverSaveUnread", options->server_save_unread);
    flag(&json, "supportRecallRefactor", options->recall_refactor);
    flag(&json, "grpRRVer", options->receipts);
    flag(&json, "ugMsg", options->ultra);
    flag(&json, "sessionCfg", options->session_cfg);
    flag(&json, "ugDriven", options->ultra_driven);
    flag(&json, "sessionMode", options->session_mode);
    flag(&json, "baggageEnabled", options->baggage);
    flag(&json, "msgModifyMinute", options->modify_minutes);
    mt_jsonw_object_end(&json);
}

void mt_sr_say(struct mt_sr_cloud *cloud, struct mt_ws_answer *answer, int status, int64_t code)
{
    mt_buf_reset(&cloud->answer);
    (void)mt_buf_appendf(&cloud->answer, "{\"code\":%lld}", (long long)code);
    answer->status = status;
}

static void navigate(struct mt_sr_cloud *cloud, const struct mt_ws_request *request,
                     struct mt_ws_answer *answer)
{
    char token[1024];
    struct mt_sr_user *user = NULL;
    const struct mt_sr_options *options = &cloud->options;
    char *form =
        request->body_len > FORM_MAX
            ? NULL
            : mt_mem_strndup(request->body == NULL ? "" : request->body, request->body_len);
    bool told = form != NULL && mt_sr_query_get(form, "token", token, sizeof token);
    mt_mem_free(form);
    if (options->navi_status > 0) {
        mt_sr_say(cloud, answer, (int)options->navi_status, options->navi_status);
        return;
    }
    if (strcmp(mt_ws_request_header(request, "RC-Appkey"), MT_SR_APPKEY) != 0) {
        mt_sr_say(cloud, answer, 403, 403);
        return;
    }
    enum mt_sr_admission admission =
        told ? mt_sr_token_check(cloud, token, &user) : MT_SR_REFUSED_TOKEN;
    /* that a token is over is said by CONNACK: only then does a client know it from a wrong one */
    if (user == NULL || (admission != MT_SR_ADMITTED && admission != MT_SR_REFUSED_EXPIRED)) {
        mt_sr_say(cloud, answer, 401, 401);
        return;
    }
    write_navi(cloud, user);
}

/* What befalls the answer. */
static void spoil(struct mt_sr_cloud *cloud, const struct mt_sr_pick *pick, bool api,
                  struct mt_ws_answer *answer)
{
    static const char page[] = "<html><body>Welcome to the guest network</body></html>";
    answer->delay_ms = pick->delay_ms;
    switch (pick->trouble) {
    case MT_SR_TROUBLE_BUSY:
        mt_sr_say(cloud, answer, 429, api ? 1008 : 429);
        break;
    case MT_SR_TROUBLE_FAIL:
        mt_sr_say(cloud, answer, 503, 503);
        break;
    case MT_SR_TROUBLE_CUT:
        answer->fault = MT_WS_FAULT_CLOSE;
        break;
    case MT_SR_TROUBLE_TRUNCATE:
        answer->fault = MT_WS_FAULT_TRUNCATE;
        break;
    case MT_SR_TROUBLE_SLOW:
        answer->fault = MT_WS_FAULT_SLOW;
        break;
    case MT_SR_TROUBLE_SILENT:
        answer->fault = MT_WS_FAULT_HALF_OPEN;
        break;
    case MT_SR_TROUBLE_GARBLE:
    case MT_SR_TROUBLE_HTML:
        answer->content_type = "text/html";
        mt_buf_reset(&cloud->answer);
        (void)mt_buf_append_str(&cloud->answer, page);
        break;
    default:
        break;
    }
}

bool mt_sr_is_ours(const char *path, const char *query)
{
    return strcmp(path, "/websocket") == 0 &&
           (mt_str_starts(query, "appId=") || strstr(query, "&appId=") != NULL);
}

bool mt_sr_request(struct mt_sr_cloud *cloud, const struct mt_ws_request *request,
                   struct mt_ws_answer *answer)
{
    static const char *const headers[] = {"Access-Control-Allow-Origin: *", NULL};
    struct mt_sr_pick pick = {0};
    bool navi = strcmp(request->path, "/v2/navi.json") == 0;
    bool api = mt_sr_api_is(request->path);
    *answer = (struct mt_ws_answer){.status = 200, .headers = headers};
    mt_buf_reset(&cloud->answer);
    if (!navi && !api && !mt_sr_file_request(cloud, request, answer))
        return false;
    cloud->hooks.pick(cloud->hooks.ud, request->path, &pick);
    if ((navi || api) && strcmp(request->method, "POST") != 0)
        mt_sr_say(cloud, answer, 405, 405);
    else if (navi)
        navigate(cloud, request, answer);
    else if (api && pick.trouble != MT_SR_TROUBLE_BUSY && pick.trouble != MT_SR_TROUBLE_FAIL)
        mt_sr_api(cloud, request, answer);
    spoil(cloud, &pick, api, answer);
    answer->body = cloud->answer.data == NULL ? "" : cloud->answer.data;
    answer->body_len = cloud->answer.len;
    return true;
}

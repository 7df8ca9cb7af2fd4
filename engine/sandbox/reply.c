/* Writing answers: the envelope, errors, and answers that are wrong on purpose. */
#include "sandbox/rest_int.h"

#include "base/str.h"

#include <stdio.h>
#include <string.h>

void mt_sb_reply_begin(struct mt_sb_call *call)
{
    struct mt_jsonw *json = &call->json;
    const struct mt_ws_request *request = call->request;
    struct mt_buf uri;
    mt_buf_init(&uri, (size_t)64 * 1024);
    (void)mt_buf_append_str(&uri, call->sandbox->base);
    (void)mt_buf_append_str(&uri, request->path);
    call->reply->status = 200;
    mt_buf_reset(&call->sandbox->answer);
    mt_jsonw_init(json, &call->sandbox->answer);
    mt_jsonw_object(json);
    mt_jsonw_key(json, "path");
    mt_jsonw_str(json, request->path);
    mt_jsonw_key(json, "uri");
    mt_jsonw_strn(json, uri.data == NULL ? "" : uri.data, uri.len);
    mt_jsonw_key(json, "timestamp");
    mt_jsonw_i64(json, call->now_ms);
    mt_jsonw_key(json, "organization");
    mt_jsonw_str(json, MT_SB_ORG);
    mt_jsonw_key(json, "application");
    mt_jsonw_str(json, MT_SB_APP_UUID);
    mt_jsonw_key(json, "applicationName");
    mt_jsonw_str(json, MT_SB_APP);
    mt_jsonw_key(json, "action");
    char action[16];
    (void)snprintf(action, sizeof action, "%s", request->method);
    (void)mt_str_fold(action);
    mt_jsonw_str(json, action);
    mt_jsonw_key(json, "duration");
    mt_jsonw_i64(json, 0);
    mt_buf_deinit(&uri);
}

void mt_sb_reply_end(struct mt_sb_call *call)
{
    mt_jsonw_object_end(&call->json);
    if (call->sandbox->answer.failed != MT_OK)
        mt_sb_reply_nomem(call);
}

void mt_sb_reply_result(struct mt_sb_call *call, const char *result)
{
    mt_sb_reply_begin(call);
    mt_jsonw_key(&call->json, "data");
    mt_jsonw_object(&call->json);
    mt_jsonw_key(&call->json, "result");
    mt_jsonw_str(&call->json, result);
    mt_jsonw_object_end(&call->json);
    mt_sb_reply_end(call);
}

void mt_sb_reply_error(struct mt_sb_call *call, int status, const char *error, const char *text)
{
    struct mt_jsonw *json = &call->json;
    call->reply->status = status;
    mt_buf_reset(&call->sandbox->answer);
    mt_jsonw_init(json, &call->sandbox->answer);
    mt_jsonw_object(json);
    mt_jsonw_key(json, "error");
    mt_jsonw_str(json, error);
    mt_jsonw_key(json, "exception");
    mt_jsonw_str(json, "com.easemob.sandbox.Exception");
    mt_jsonw_key(json, "timestamp");
    mt_jsonw_i64(json, call->now_ms);
    mt_jsonw_key(json, "duration");
    mt_jsonw_i64(json, 0);
    mt_jsonw_key(json, "error_description");
    mt_jsonw_str(json, text);
    mt_jsonw_object_end(json);
}

void mt_sb_reply_nomem(struct mt_sb_call *call)
{
    static const char BODY[] =
        "{\"error\":\"internal_server_error\",\"error_description\":\"memory is short\"}";
    call->reply->status = 500;
    call->reply->body = BODY;
    call->reply->body_len = sizeof BODY - 1;
}

void mt_sb_reply_too_many(struct mt_sb_call *call)
{
    const char *after = call->sandbox->faults.retry_after;
    mt_sb_reply_error(call, 429, "reach_limit", "This request has reached api limit");
    if (after[0] == '\0')
        return;
    (void)snprintf(call->reply->header_room, sizeof call->reply->header_room, "Retry-After: %s",
                   after);
    call->reply->header = call->reply->header_room;
}

bool mt_sb_reply_trouble(struct mt_sb_call *call)
{
    static const char HTML[] = "<!DOCTYPE html><html><head><title>Gateway</title></head>"
                               "<body><h1>Please sign in to the network</h1></body></html>";
    struct mt_sb_reply *reply = call->reply;
    switch (call->pick.trouble) {
    case MT_SB_TROUBLE_429:
        mt_sb_reply_too_many(call);
        return true;
    case MT_SB_TROUBLE_5XX: {
        static const int STATUS[] = {500, 502, 503, 504};
        int status = STATUS[mt_sb_random(&call->sandbox->faults.random) % 4];
        mt_sb_reply_error(call, status, "service_unavailable", "the server is in trouble");
        return true;
    }
    case MT_SB_TROUBLE_HTML:
        reply->status = 200;
        reply->content_type = "text/html";
        reply->body = HTML;
        reply->body_len = sizeof HTML - 1;
        return true;
    case MT_SB_TROUBLE_ERROR_JSON:
        mt_sb_reply_error(call, 200, "service_unavailable", "the service is not available now");
        return true;
    case MT_SB_TROUBLE_REDIRECT:
        mt_sb_reply_error(call, 302, "moved", "look elsewhere");
        reply->header = "Location: http://elsewhere.invalid/";
        return true;
    case MT_SB_TROUBLE_CUT: /* nothing was done: the request is lost, not only its answer */
        mt_sb_reply_error(call, 500, "cut", "never seen");
        reply->fault = MT_WS_FAULT_CLOSE;
        return true;
    case MT_SB_TROUBLE_HALF_OPEN:
        mt_sb_reply_error(call, 500, "half_open", "never seen");
        reply->fault = MT_WS_FAULT_HALF_OPEN;
        return true;
    case MT_SB_TROUBLE_TRUNCATE:
        reply->fault = MT_WS_FAULT_TRUNCATE;
        return false;
    case MT_SB_TROUBLE_LENGTH:
        reply->fault = MT_WS_FAULT_LENGTH;
        return false;
    case MT_SB_TROUBLE_SLOW:
        reply->fault = MT_WS_FAULT_SLOW;
        return false;
    default:
        return false;
    }
}

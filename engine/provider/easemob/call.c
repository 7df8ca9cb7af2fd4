/* Requests of a call: see account_int.h. */
#include "provider/easemob/account_int.h"

#include "base/buf.h"
#include "base/clock.h"

#include <stdio.h>

static struct mt_em_call *of(struct mt_provider_call *life)
{
    return (struct mt_em_call *)life;
}

static bool stop_http(struct mt_provider_call *life)
{
    if (of(life)->http == NULL)
        return false;
    mt_http_cancel(of(life)->http);
    return true;
}

static void on_http(void *ud, enum mt_rc rc, const struct mt_http_response *response,
                    const struct mt_fault *fault)
{
    struct mt_em_call *call = ud;
    struct mt_provider_call *life = &call->life;
    struct mt_provider_account *account = life->account;
    struct mt_em_token *token = call->token;
    int status = rc == MT_OK && response != NULL ? response->status : 0;

    call->http = NULL;
    call->token = NULL;
    if (mt_call_drop(life)) {
        mt_em_token_release(token);
        return;
    }
    /* Not that of a download: an object storage may answer from a cache, with a Date of then. */
    if (response != NULL && response->sink_bytes == 0)
        mt_cloud_clock_heard(&account->session.clock, response->date_ms);
    if (status == 200)
        token->proven = true;
    if (life->cancelled) {
        mt_call_end(life, MT_ERR_CANCELLED, NULL);
    } else if (status == 401 && !call->renewed && mt_em_session_renew(account, token)) {
        call->renewed = true;
        if (account->session.stage == MT_EM_STAGE_NONE)
            life->step(life); /* another call has renewed it meanwhile */
        else
            mt_call_wait(life);
    } else {
        call->answer(life, rc, response, fault);
    }
    mt_em_token_release(token);
}

void mt_em_call_request(struct mt_provider_call *life, const char *path,
                        const struct mt_http_request *request)
{
    struct mt_em_call *call = of(life);
    struct mt_provider_account *account = life->account;
    struct mt_http_request whole = *request;
    struct mt_fault fault = {.kind = MT_OK};
    char url[MT_EM_URL_MAX];
    int len = path[0] == '/'
                  ? snprintf(url, sizeof url, "%s%s", account->api, path)
                  : snprintf(url, sizeof url, "%s/%s/%s", account->api, account->org_app, path);
    enum mt_rc rc = MT_OK;

    whole.url = url;
    whole.bearer = account->session.token->secret;
    whole.bucket = account->bucket;
    if (whole.attempt_ms == 0) {
        whole.attempt_ms = account->timeout_ms;
        whole.deadline_ms = 2 * account->timeout_ms;
    }
    if (len < 0 || (size_t)len >= sizeof url)
        rc = mt_fault_set(&fault, MT_ERR_INVALID, "request.too_long",
                          "the request's address is too long");
    else
        rc = mt_http_start(account->http, &whole, on_http, call, &call->http, &fault);
    if (rc != MT_OK) {
        call->http = NULL;
        mt_call_end_soon(life, rc, &fault);
        return;
    }
    life->held++;
    life->stop = stop_http;
    call->token = account->session.token;
    call->token->refs++;
}

void mt_em_call_send(struct mt_provider_call *life, const char *method, const char *path,
                     const struct mt_buf *body)
{
    static const char *const headers[] = {"Content-Type: application/json", NULL};
    struct mt_fault fault = {.kind = MT_OK};
    struct mt_http_request request = {
        .method = method,
        .headers = headers,
        .body = body != NULL ? body->data : NULL,
        .body_len = body != NULL ? body->len : 0,
        .retry = of(life)->retry,
    };

    if (body != NULL && body->failed != MT_OK) {
        enum mt_rc rc =
            mt_fault_set(&fault, body->failed, "memory", "the request could not be built");
        mt_call_end_soon(life, rc, &fault);
        return;
    }
    mt_em_call_request(life, path, &request);
}

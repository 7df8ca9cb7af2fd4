/* The life of a call: see account_int.h. */
#include "provider/easemob/account_int.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "loop/loop.h"

#include <stdio.h>

static void link_call(struct mt_provider_account *account, struct mt_provider_call *call)
{
    mt_em_account_retain(account);
    call->account = account;
    call->next = account->calls;
    if (call->next != NULL)
        call->next->prev = call;
    account->calls = call;
    call->linked = true;
}

static void unlink_call(struct mt_provider_call *call)
{
    if (!call->linked)
        return;
    if (call->prev != NULL)
        call->prev->next = call->next;
    else
        call->account->calls = call->next;
    if (call->next != NULL)
        call->next->prev = call->prev;
    call->prev = NULL;
    call->next = NULL;
    call->linked = false;
}

/* Freed when the caller has been told and nothing of ours still knows the call. */
static void maybe_free(struct mt_provider_call *call)
{
    struct mt_provider_account *account = call->account;

    if (!call->ended || call->http != NULL || call->posted || call->telling)
        return;
    mt_em_token_release(call->token);
    if (call->release != NULL)
        call->release(call);
    mt_mem_free(call);
    mt_em_account_release(account);
}

void mt_em_call_end(struct mt_provider_call *call, enum mt_rc rc, const struct mt_fault *fault)
{
    struct mt_fault cancelled;

    if (call->ended)
        return;
    if (call->cancelled || (rc == MT_ERR_CANCELLED && fault == NULL)) {
        rc = mt_fault_set(&cancelled, MT_ERR_CANCELLED, "cancelled", "cancelled");
        fault = &cancelled;
    }
    call->ended = true;
    call->waiting = false;
    unlink_call(call);
    mt_em_account_retain(call->account); /* the caller may close it */
    call->telling = true;                /* and nothing it does may free the call under us */
    call->finish(call, rc, fault);
    call->telling = false;
    {
        struct mt_provider_account *account = call->account;

        maybe_free(call);
        mt_em_account_release(account);
    }
}

static void on_post(void *ud)
{
    struct mt_provider_call *call = ud;

    call->posted = false;
    if (call->ended)
        maybe_free(call);
    else
        mt_em_call_end(call, call->early_rc, &call->early);
}

/* Ends the call at the next turn, so that whoever is in the middle of something is not called back
 * from there. */
static void post_end(struct mt_provider_call *call, enum mt_rc rc, const struct mt_fault *fault)
{
    call->early_rc = rc;
    if (fault != NULL)
        call->early = *fault;
    if (call->posted)
        return;
    call->posted = true;
    if (mt_loop_post(call->account->loop, on_post, call) != MT_OK) {
        call->posted = false; /* no memory to wait with: better told at once than never */
        mt_em_call_end(call, rc, fault);
    }
}

/* Without memory to wait with, a cancelled call ends when its session is there or its account is
 * closed. */
static void post_cancel(struct mt_provider_call *call)
{
    call->early_rc = MT_ERR_CANCELLED;
    if (call->posted)
        return;
    call->posted = mt_loop_post(call->account->loop, on_post, call) == MT_OK;
}

static void on_begin(void *ud)
{
    struct mt_provider_call *call = ud;

    call->posted = false;
    if (call->ended)
        maybe_free(call);
    else if (call->cancelled)
        mt_em_call_end(call, MT_ERR_CANCELLED, NULL);
    else if (call->account->session.token != NULL &&
             call->account->session.stage == MT_EM_STAGE_NONE)
        call->step(call);
    else {
        call->waiting = true;
        mt_em_session_want(call->account);
    }
}

/* Frees a call that could not even be started; its done is not called. */
static enum mt_rc abandon(struct mt_provider_call *call)
{
    call->posted = false;
    call->ended = true;
    unlink_call(call);
    maybe_free(call);
    return MT_ERR_NOMEM;
}

enum mt_rc mt_em_call_start(struct mt_provider_account *account, struct mt_provider_call *call)
{
    link_call(account, call);
    call->posted = true;
    return mt_loop_post(account->loop, on_begin, call) == MT_OK ? MT_OK : abandon(call);
}

enum mt_rc mt_em_call_fail(struct mt_provider_account *account, struct mt_provider_call *call,
                           enum mt_rc rc, const struct mt_fault *fault)
{
    link_call(account, call);
    call->early_rc = rc;
    call->early = *fault;
    call->posted = true;
    return mt_loop_post(account->loop, on_post, call) == MT_OK ? MT_OK : abandon(call);
}

void mt_em_call_resume(struct mt_provider_call *call, enum mt_rc rc, const struct mt_fault *fault)
{
    call->waiting = false;
    if (call->cancelled)
        mt_em_call_end(call, MT_ERR_CANCELLED, NULL);
    else if (rc == MT_OK)
        call->step(call);
    else if (call->refused != NULL)
        call->refused(call, fault);
    else
        mt_em_call_end(call, rc, fault);
}

static void on_http(void *ud, enum mt_rc rc, const struct mt_http_response *response,
                    const struct mt_fault *fault)
{
    struct mt_provider_call *call = ud;
    struct mt_provider_account *account = call->account;
    struct mt_em_token *token = call->token;
    int status = rc == MT_OK && response != NULL ? response->status : 0;

    call->http = NULL;
    call->token = NULL;
    if (call->ended) {
        mt_em_token_release(token);
        maybe_free(call);
        return;
    }
    if (response != NULL && response->date_ms != 0) {
        account->session.date_ms = response->date_ms;
        account->session.date_local_ms = mt_clock_wall_ms();
    }
    if (status == 200)
        token->proven = true;
    if (call->cancelled) {
        mt_em_call_end(call, MT_ERR_CANCELLED, NULL);
    } else if (status == 401 && !call->renewed && mt_em_session_renew(account, token)) {
        call->renewed = true;
        if (account->session.stage == MT_EM_STAGE_NONE)
            call->step(call); /* another call has renewed it meanwhile */
        else
            call->waiting = true;
    } else {
        call->answer(call, rc, response, fault);
    }
    mt_em_token_release(token);
}

void mt_em_call_request(struct mt_provider_call *call, const char *path,
                        const struct mt_http_request *request)
{
    struct mt_provider_account *account = call->account;
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
        post_end(call, rc, &fault);
        return;
    }
    call->token = account->session.token;
    call->token->refs++;
}

void mt_em_call_send(struct mt_provider_call *call, const char *method, const char *path,
                     const struct mt_buf *body)
{
    static const char *const headers[] = {"Content-Type: application/json", NULL};
    struct mt_fault fault = {.kind = MT_OK};
    struct mt_http_request request = {
        .method = method,
        .headers = headers,
        .body = body != NULL ? body->data : NULL,
        .body_len = body != NULL ? body->len : 0,
        .retry = call->retry,
    };

    if (body != NULL && body->failed != MT_OK) {
        enum mt_rc rc =
            mt_fault_set(&fault, body->failed, "memory", "the request could not be built");
        post_end(call, rc, &fault);
        return;
    }
    mt_em_call_request(call, path, &request);
}

/* ---------------------------------------------------------------- work on the pool */

static void on_pool(void *ud)
{
    struct mt_provider_call *call = ud;
    call->work(call);
}

/* While the pool works, the call counts as posted: nothing frees it. */
static void on_worked(void *ud, bool cancelled)
{
    struct mt_provider_call *call = ud;

    call->posted = false;
    if (call->ended)
        maybe_free(call);
    else if (call->cancelled || cancelled)
        mt_em_call_end(call, MT_ERR_CANCELLED, NULL);
    else
        call->worked(call);
}

void mt_em_call_work(struct mt_provider_call *call, void (*work)(struct mt_provider_call *call),
                     void (*worked)(struct mt_provider_call *call))
{
    struct mt_fault fault;

    call->work = work;
    call->worked = worked;
    call->posted = true;
    if (mt_work_start(call->account->loop, on_pool, on_worked, call, NULL) == MT_OK)
        return;
    call->posted = false;
    (void)mt_fault_set(&fault, MT_ERR_NOMEM, "memory", "out of memory");
    post_end(call, MT_ERR_NOMEM, &fault);
}

void mt_em_call_cancel(struct mt_provider_call *call)
{
    if (call->ended || call->cancelled)
        return;
    call->cancelled = true;
    if (call->http != NULL)
        mt_http_cancel(call->http);
    else
        post_cancel(call);
}

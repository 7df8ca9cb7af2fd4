/* The verb doctor: one step after the other, each told as it ends. It reads only. */
#include "provider/easemob/account_int.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "codec/time.h"
#include "provider/easemob/conversations_int.h"

#include <stdio.h>
#include <string.h>

enum step { STEP_LIST, STEP_PAGE, STEP_OLD, STEP_HISTORY };

struct doctor_call {
    struct mt_em_call base;
    enum step step;
    bool told_session;
    bool open[3];               /* forms of the conversation list */
    struct mt_fault first;      /* first failure: the verb's result */
    struct mt_fault list_fault; /* why the list is not open */
    void (*each)(void *ud, const struct mt_check *check);
    void (*done)(void *ud, enum mt_rc rc, const struct mt_fault *fault);
    void *ud;
};

static void tell(struct doctor_call *call, const char *name, const char *result, const char *detail)
{
    struct mt_check check = {.name = name, .result = result};

    snprintf(check.detail, sizeof check.detail, "%.*s",
             (int)mt_str_utf8_cut(detail, strlen(detail), sizeof check.detail - 1), detail);
    call->each(call->ud, &check);
}

static void failed(struct doctor_call *call, const char *name, const struct mt_fault *fault)
{
    if (call->first.kind == MT_OK)
        call->first = *fault;
    tell(call, name, fault->kind == MT_ERR_UNSUPPORTED ? "off" : "failed", fault->message);
}

static void tell_configuration(struct doctor_call *call)
{
    const struct mt_provider_account *account = call->base.life.account;
    char detail[MT_FAULT_MESSAGE_MAX];

    snprintf(detail, sizeof detail, "appkey %s, user %s, %s%s%s%s%s, %s", account->appkey,
             account->user, account->configured_token != NULL ? "token" : "",
             account->configured_token != NULL && account->password != NULL ? " and " : "",
             account->password != NULL ? "password" : "",
             account->app != NULL &&
                     (account->configured_token != NULL || account->password != NULL)
                 ? " and "
                 : "",
             account->app != NULL ? "the app's credentials" : "",
             account->rest != NULL ? account->rest : "REST host by service discovery");
    tell(call, "configuration", "ok", detail);
}

static void tell_reached(struct doctor_call *call)
{
    const struct mt_provider_account *account = call->base.life.account;
    char detail[sizeof account->api + 64];

    snprintf(detail, sizeof detail, "%s answers%s", account->api,
             mt_str_starts(account->api, "https") ? ", certificate verified" : "");
    tell(call, "connection", "ok", detail);
}

/* What the making of the session showed, whether it succeeded or not. */
static void tell_session(struct doctor_call *call, const struct mt_fault *fault)
{
    struct mt_provider_account *account = call->base.life.account;
    bool discovering = account->session.ended_in == MT_EM_STAGE_DISCOVERY && fault != NULL &&
                       !account->session.discovered;
    bool unreachable =
        fault != NULL && (fault->kind == MT_ERR_NETWORK || fault->kind == MT_ERR_TIMEOUT);

    call->told_session = true;
    tell_configuration(call);
    if (account->rest != NULL)
        tell(call, "service discovery", "off", "rest is configured");
    else if (discovering)
        failed(call, "service discovery", fault);
    else
        tell(call, "service discovery", "ok", account->api);
    if (discovering) {
        tell(call, "connection", "skipped", "no REST host is known");
        tell(call, "token", "skipped", "no REST host is known");
        return;
    }
    if (unreachable) {
        failed(call, "connection", fault);
        tell(call, "token", "skipped", "the REST host cannot be reached");
        return;
    }
    if (fault != NULL) {
        tell_reached(call);
        failed(call, "token", fault);
    }
}

static void tell_token(struct doctor_call *call, const struct mt_fault *fault)
{
    struct mt_provider_account *account = call->base.life.account;
    bool refused = fault != NULL && fault->kind == MT_ERR_AUTH;

    if (fault != NULL && (fault->kind == MT_ERR_NETWORK || fault->kind == MT_ERR_TIMEOUT)) {
        failed(call, "connection", fault);
        tell(call, "token", "skipped", "the REST host cannot be reached");
        return;
    }
    tell_reached(call);
    if (refused)
        failed(call, "token", fault);
    else
        tell(call, "token", "ok",
             account->session.token->generation > 1 || account->configured_token == NULL
                 ? account->password != NULL ? "fetched with the password, accepted"
                                             : "had with the app's credentials, accepted"
                 : "accepted as configured");
}

static void tell_lists(struct doctor_call *call)
{
    char detail[MT_FAULT_MESSAGE_MAX];

    if (call->open[MT_EM_FORM_LIST] || call->open[MT_EM_FORM_PAGE]) {
        snprintf(detail, sizeof detail, "open:%s%s%s", call->open[MT_EM_FORM_LIST] ? " list" : "",
                 call->open[MT_EM_FORM_PAGE] ? " page" : "",
                 call->open[MT_EM_FORM_OLD] ? " old" : "");
        tell(call, "conversations", "ok", detail);
    } else if (call->open[MT_EM_FORM_OLD]) {
        tell(call, "conversations", "ok",
             "only the old list is open: it stops at 10 conversations of the last 7 days");
    } else {
        failed(call, "conversations", &call->list_fault);
    }
}

static void tell_clock(struct doctor_call *call)
{
    struct mt_check check;

    mt_cloud_clock_check(&call->base.life.account->session.clock, &check);
    call->each(call->ud, &check);
}

static void rest_skipped(struct doctor_call *call, const char *why)
{
    tell(call, "conversations", "skipped", why);
    tell(call, "history", "skipped", why);
    tell_clock(call);
}

static void doctor_step(struct mt_provider_call *base)
{
    struct doctor_call *call = (struct doctor_call *)base;
    struct mt_provider_account *account = base->account;
    const char *user = account->user_escaped;
    struct mt_history_query query = {.limit = 1};
    char path[512];
    struct mt_buf body;

    if (!call->told_session)
        tell_session(call, NULL);
    mt_buf_init(&body, 4096);
    switch (call->step) {
    case STEP_LIST:
        snprintf(
            path, sizeof path,
            "sdk/user/%s/user_channels/list?limit=1&cursor=&need_mark=true&needEmptySession=false",
            user);
        break;
    case STEP_PAGE:
        snprintf(path, sizeof path, "users/%s/user_channels/page?pageNum=1&pageSize=1", user);
        break;
    case STEP_OLD:
        snprintf(path, sizeof path, "users/%s/user_channels", user);
        break;
    case STEP_HISTORY: /* a conversation that every user has: the one with himself */
        snprintf(path, sizeof path, "users/%s/messageroaming", user);
        (void)mt_em_ref_set(&query.conversation, MT_CONVERSATION_SINGLE, account->user);
        mt_em_roaming_body(&query, &account->bounds, &body);
        break;
    }
    if (call->step == STEP_HISTORY)
        mt_em_call_send(base, "POST", path, &body);
    else
        mt_em_call_send(base, "GET", path, NULL);
    mt_buf_deinit(&body);
}

static void doctor_ended(struct doctor_call *call)
{
    struct mt_fault fault = call->first;

    mt_call_end(&call->base.life, fault.kind, &fault);
}

/* False: nothing further can succeed. */
static bool take_list(struct doctor_call *call, const struct mt_fault *fault)
{
    size_t form = (size_t)call->step;

    if (call->step == STEP_LIST) {
        bool unreachable =
            fault != NULL && (fault->kind == MT_ERR_NETWORK || fault->kind == MT_ERR_TIMEOUT);

        tell_token(call, fault);
        if (unreachable || (fault != NULL && fault->kind == MT_ERR_AUTH)) {
            rest_skipped(call, unreachable ? "the REST host cannot be reached"
                                           : "the token is not accepted");
            return false;
        }
    }
    call->open[form] = fault == NULL;
    if (fault != NULL && (call->list_fault.kind == MT_OK || fault->kind == MT_ERR_UNSUPPORTED))
        call->list_fault = *fault;
    if (call->step == STEP_OLD)
        tell_lists(call);
    return true;
}

static void doctor_answer(struct mt_provider_call *base, enum mt_rc rc,
                          const struct mt_http_response *response, const struct mt_fault *cause)
{
    struct doctor_call *call = (struct doctor_call *)base;
    struct mt_fault fault = {.kind = MT_OK};
    const struct mt_fault *why = NULL;

    if (rc != MT_OK || response->status != 200) {
        (void)mt_em_fault_http(&fault,
                               call->step == STEP_HISTORY ? MT_EM_FEATURE_HISTORY
                                                          : MT_EM_FEATURE_CONVERSATIONS,
                               rc, response, cause);
        why = &fault;
    }
    if (call->step != STEP_HISTORY) {
        if (!take_list(call, why)) {
            doctor_ended(call);
            return;
        }
        call->step = (enum step)(call->step + 1);
        call->base.renewed = false;
        doctor_step(base);
        return;
    }
    if (why != NULL)
        failed(call, "history", why);
    else
        tell(call, "history", "ok", "message roaming is open");
    tell_clock(call);
    doctor_ended(call);
}

static void doctor_refused(struct mt_provider_call *base, const struct mt_fault *fault)
{
    struct doctor_call *call = (struct doctor_call *)base;

    if (!call->told_session) {
        tell_session(call, fault);
    } else { /* the token was refused, and so was its renewal */
        tell_reached(call);
        failed(call, "token", fault);
    }
    rest_skipped(call, "there is no token");
    doctor_ended(call);
}

static void doctor_finish(struct mt_provider_call *base, enum mt_rc rc,
                          const struct mt_fault *fault)
{
    struct doctor_call *call = (struct doctor_call *)base;

    call->done(call->ud, rc, rc == MT_OK ? NULL : fault);
}

enum mt_rc mt_em_doctor(struct mt_provider_account *account,
                        void (*each)(void *ud, const struct mt_check *check),
                        void (*done)(void *ud, enum mt_rc rc, const struct mt_fault *fault),
                        void *ud, struct mt_provider_call **out)
{
    struct doctor_call *call = mt_mem_calloc(1, sizeof *call);
    enum mt_rc rc = MT_OK;

    if (out != NULL)
        *out = NULL;
    if (call == NULL)
        return MT_ERR_NOMEM;
    call->base.life.step = doctor_step;
    call->base.answer = doctor_answer;
    call->base.life.refused = doctor_refused;
    call->base.life.finish = doctor_finish;
    call->base.feature = MT_EM_FEATURE_CONVERSATIONS;
    call->each = each;
    call->done = done;
    call->ud = ud;
    rc = mt_call_start(&account->calls, &call->base.life);
    if (rc == MT_OK && out != NULL)
        *out = &call->base.life;
    return rc;
}

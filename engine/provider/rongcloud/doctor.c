/* The verbs login and doctor: the connection, and what it shows on the way. Both read only. */
#include "provider/rongcloud/account_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "codec/time.h"

#include "rongcloud.pb-c.h"

#include <stdio.h>
#include <string.h>

#define INPUT_MAX ((size_t)512)

/* ---------------------------------------------------------------- login */

struct login_call {
    struct mt_rong_call call; /* first */
    mt_done_fn *done;
    void *ud;
};

static void login_step(struct mt_provider_call *call)
{
    mt_call_end(call, MT_OK, NULL);
}

static void login_finish(struct mt_provider_call *call, enum mt_rc rc, const struct mt_fault *fault)
{
    struct login_call *login = (struct login_call *)call;

    login->done(login->ud, rc, rc == MT_OK ? NULL : fault);
}

enum mt_rc mt_rong_login(struct mt_provider_account *account, mt_done_fn *done, void *ud,
                         struct mt_provider_call **out)
{
    struct login_call *login = mt_mem_calloc(1, sizeof *login);
    enum mt_rc rc = MT_OK;

    if (out != NULL)
        *out = NULL;
    if (login == NULL)
        return MT_ERR_NOMEM;
    login->call.verb = "login";
    login->call.patience = 2;
    login->call.life.step = login_step;
    login->call.life.finish = login_finish;
    login->done = done;
    login->ud = ud;
    rc = mt_call_start(&account->calls, &login->call.life);
    if (rc == MT_OK && out != NULL)
        *out = &login->call.life;
    return rc;
}

/* ---------------------------------------------------------------- doctor */

struct doctor_call {
    struct mt_rong_call call; /* first */
    bool told_session;
    struct mt_fault first; /* first failure: the verb's result */
    void (*each)(void *ud, const struct mt_check *check);
    mt_done_fn *done;
    void *ud;
};

static void tell(struct doctor_call *doctor, const char *name, const char *result,
                 const char *detail)
{
    struct mt_check check = {.name = name, .result = result};

    snprintf(check.detail, sizeof check.detail, "%.*s",
             (int)mt_str_utf8_cut(detail, strlen(detail), sizeof check.detail - 1), detail);
    doctor->each(doctor->ud, &check);
}

static void failed(struct doctor_call *doctor, const char *name, const struct mt_fault *fault)
{
    if (doctor->first.kind == MT_OK)
        doctor->first = *fault;
    tell(doctor, name, fault->kind == MT_ERR_UNSUPPORTED ? "off" : "failed", fault->message);
}

static void tell_configuration(struct doctor_call *doctor)
{
    const struct mt_provider_account *account = doctor->call.life.account;
    char detail[MT_FAULT_MESSAGE_MAX];

    snprintf(detail, sizeof detail, "appkey %s, user %s, %s%s%s, %zu navigator(s) configured",
             account->appkey, account->user, account->token != NULL ? "token" : "",
             account->token != NULL && account->app != NULL ? " and " : "",
             account->app != NULL ? "app credentials" : "", account->navigators_n);
    tell(doctor, "configuration", "ok", detail);
}

static void tell_navigation(struct doctor_call *doctor)
{
    const struct mt_rong_navi *navi = &doctor->call.life.account->navi;
    char detail[MT_FAULT_MESSAGE_MAX];

    snprintf(detail, sizeof detail,
             "%zu server(s), first %.100s; receipts v%d, unread counts by %s, ultra groups %s%s",
             navi->addresses_n, navi->addresses_n > 0 ? navi->addresses[0] : "-",
             navi->receipts + 1, navi->server_unread ? "the cloud" : "the client",
             navi->ultra ? "on" : "off", navi->direct ? ", messages pushed directly" : "");
    tell(doctor, "navigation", "ok", detail);
}

/* Which of its steps failed, and that those behind it were not tried. */
static void tell_broken(struct doctor_call *doctor, const struct mt_fault *fault)
{
    const struct mt_provider_account *account = doctor->call.life.account;
    bool unknown = account->navi.addresses_n == 0;
    bool auth = fault->kind == MT_ERR_AUTH || fault->kind == MT_ERR_DENIED ||
                fault->kind == MT_ERR_NOT_FOUND;

    if (!unknown)
        tell_navigation(doctor);
    else if (auth)
        tell(doctor, "navigation", "ok", "a navigator answers");
    else
        failed(doctor, "navigation", fault);
    if (unknown && !auth) {
        tell(doctor, "connection", "skipped", "no server is known");
        tell(doctor, "token", "skipped", "no server is known");
    } else if (auth) {
        tell(doctor, "connection", unknown ? "skipped" : "ok",
             unknown ? "the token is not accepted" : account->navi.addresses[0]);
        failed(doctor, "token", fault);
    } else {
        failed(doctor, "connection", fault);
        tell(doctor, "token", "skipped", "no server can be reached");
    }
    tell(doctor, "history", "skipped", "there is no connection");
    tell(doctor, "clock", "skipped", "the cloud did not say its time");
}

static void tell_online(struct doctor_call *doctor)
{
    const struct mt_provider_account *account = doctor->call.life.account;
    char detail[MT_FAULT_MESSAGE_MAX];
    size_t at = account->link.address_at;

    tell_navigation(doctor);
    snprintf(detail, sizeof detail, "%s answers, protocol %u",
             at < account->navi.addresses_n ? account->navi.addresses[at] : "a server",
             account->navi.version);
    tell(doctor, "connection", "ok", detail);
    tell(doctor, "token", "ok",
         account->app != NULL ? "accepted; the app's credentials can make another"
                              : "accepted as configured");
}

static void tell_clock(struct doctor_call *doctor)
{
    struct mt_check check;

    mt_cloud_clock_check(&doctor->call.life.account->link.clock, &check);
    doctor->each(doctor->ud, &check);
}

/* One message of the conversation with oneself, which every user has. */
static void ask_history(struct mt_provider_call *call)
{
    Rongcloud__HistoryMsgInput input = RONGCLOUD__HISTORY_MSG_INPUT__INIT;
    uint8_t packed[INPUT_MAX];

    input.targetid = call->account->user;
    input.has_time = input.has_count = input.has_order = input.has_ignorecmd = true;
    input.time = mt_rong_cloud_ms(call->account) + MT_CLOCK_TOLERANCE_MS;
    input.count = 1;
    input.ignorecmd = true;
    mt_rong_ask(call, &(struct mt_rong_request){
                          .topic = "qryPMsg",
                          .reads = true,
                          .payload = packed,
                          .len = rongcloud__history_msg_input__get_packed_size(&input) <= INPUT_MAX
                                     ? rongcloud__history_msg_input__pack(&input, packed)
                                     : 0});
}

static void doctor_step(struct mt_provider_call *call)
{
    struct doctor_call *doctor = (struct doctor_call *)call;

    if (!doctor->told_session) {
        doctor->told_session = true;
        tell_configuration(doctor);
        tell_online(doctor);
    }
    ask_history(call);
}

static void doctor_ended(struct doctor_call *doctor)
{
    struct mt_fault fault = doctor->first;

    mt_call_end(&doctor->call.life, fault.kind, &fault);
}

static void doctor_answer(struct mt_provider_call *call, const struct mt_rong_answer *answer,
                          const struct mt_fault *fault)
{
    struct doctor_call *doctor = (struct doctor_call *)call;

    (void)answer;
    if (fault != NULL)
        failed(doctor, "history", fault);
    else
        tell(doctor, "history", "ok", "message roaming is open");
    tell_clock(doctor);
    doctor_ended(doctor);
}

static void doctor_refused(struct mt_provider_call *call, const struct mt_fault *fault)
{
    struct doctor_call *doctor = (struct doctor_call *)call;

    if (!doctor->told_session) {
        tell_configuration(doctor);
        tell_broken(doctor, fault);
    } else { /* it was online, and is not any more */
        failed(doctor, "history", fault);
        tell_clock(doctor);
    }
    doctor_ended(doctor);
}

static void doctor_finish(struct mt_provider_call *call, enum mt_rc rc,
                          const struct mt_fault *fault)
{
    struct doctor_call *doctor = (struct doctor_call *)call;

    doctor->done(doctor->ud, rc, rc == MT_OK ? NULL : fault);
}

enum mt_rc mt_rong_doctor(struct mt_provider_account *account,
                          void (*each)(void *ud, const struct mt_check *check), mt_done_fn *done,
                          void *ud, struct mt_provider_call **out)
{
    struct doctor_call *doctor = mt_mem_calloc(1, sizeof *doctor);
    enum mt_rc rc = MT_OK;

    if (out != NULL)
        *out = NULL;
    if (doctor == NULL)
        return MT_ERR_NOMEM;
    doctor->call.verb = "doctor";
    doctor->call.patience = 1;
    doctor->call.answer = doctor_answer;
    doctor->call.life.step = doctor_step;
    doctor->call.life.refused = doctor_refused;
    doctor->call.life.finish = doctor_finish;
    doctor->each = each;
    doctor->done = done;
    doctor->ud = ud;
    rc = mt_call_start(&account->calls, &doctor->call.life);
    if (rc == MT_OK && out != NULL)
        *out = &doctor->call.life;
    return rc;
}

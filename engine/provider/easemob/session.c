/* The session: where the REST host is and which token is in force. Made once for all calls that
 * need it, renewed once when the cloud refuses the token and a password or the app's
 * credentials are at hand (easemob.md §1.2, §1.3). */
#include "provider/easemob/account_int.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"
#include "codec/json.h"
#include "provider/easemob/app_int.h"

#include <stdio.h>
#include <string.h>

#define TOKEN_ANSWER_MAX  ((size_t)64 * 1024)
#define LOGIN_DEADLINE_MS 60000
#define UNPROVEN_MS       60000

void mt_em_token_release(struct mt_em_token *token)
{
    if (token == NULL || --token->refs > 0)
        return;
    mt_secret_free(token->secret);
    mt_mem_free(token);
}

struct mt_em_token *mt_em_token_new(const char *bytes, size_t len, const struct mt_em_token *before)
{
    struct mt_em_token *token = mt_mem_calloc(1, sizeof *token);

    if (token == NULL)
        return NULL;
    token->refs = 1;
    token->generation = before == NULL ? 1 : before->generation + 1;
    token->since_ms = mt_clock_mono_ms();
    token->secret = mt_secret_new(bytes, len);
    if (token->secret == NULL) {
        mt_mem_free(token);
        return NULL;
    }
    return token;
}

static enum mt_rc set_token(struct mt_provider_account *account, const char *bytes, size_t len)
{
    struct mt_em_session *session = &account->session;
    struct mt_em_token *token = mt_em_token_new(bytes, len, session->token);

    if (token == NULL)
        return MT_ERR_NOMEM;
    mt_em_token_release(session->token);
    session->token = token;
    return MT_OK;
}

static void ended(struct mt_provider_account *account, enum mt_rc rc, const struct mt_fault *fault)
{
    struct mt_em_session *session = &account->session;

    session->ended_in = session->stage;
    session->stage = MT_EM_STAGE_NONE;
    if (rc != MT_OK) {
        session->fault = *fault;
        /* Asking again for a token with what was refused gets an account banned (easemob-service.md
         * §1.2). */
        session->refused = session->ended_in == MT_EM_STAGE_LOGIN &&
                           (rc == MT_ERR_AUTH || rc == MT_ERR_NOT_FOUND || rc == MT_ERR_DENIED);
    }
    mt_call_wake(&account->calls, rc, fault);
}

static enum mt_rc read_token(struct mt_provider_account *account,
                             const struct mt_http_response *response, struct mt_fault *fault)
{
    struct mt_json *root = NULL;
    const char *token = NULL;
    enum mt_rc rc =
        mt_json_parse(response->body, response->body_len, TOKEN_ANSWER_MAX, &root, fault);

    token = rc == MT_OK ? mt_json_str(mt_json_get(root, "access_token")) : NULL;
    if (rc == MT_ERR_NOMEM)
        rc = mt_fault_set(fault, rc, "memory", "out of memory");
    else if (token == NULL || token[0] == '\0')
        rc = mt_fault_set(
            fault, MT_ERR_PROTOCOL, "auth.no_token",
            "the cloud answered the login without a token: check that rest names an Easemob "
            "REST host");
    else if (set_token(account, token, strlen(token)) != MT_OK)
        rc = mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    mt_json_free(root);
    return rc;
}

static void login_start(struct mt_provider_account *account);

static enum mt_rc login_refused(struct mt_fault *fault)
{
    struct mt_fault cause = *fault;

    (void)mt_fault_set(fault, MT_ERR_AUTH, "auth.refused",
                       "the cloud refused the login: check user, password and appkey (%s)",
                       cause.message);
    fault->http_status = cause.http_status;
    fault->provider_code = cause.provider_code;
    return MT_ERR_AUTH;
}

/* The host could not be reached: the login is tried at the next one. */
static bool next_host(struct mt_provider_account *account, const struct mt_fault *fault)
{
    struct mt_em_session *session = &account->session;

    if (session->host_at + 1 >= session->hosts_n)
        return false;
    mt_em_account_set_api(account, session->hosts[++session->host_at]);
    mt_log(MT_LOG_WARN, "easemob", "%s: login failed (%s), trying the next host %s", account->name,
           fault->message, account->api);
    login_start(account);
    return true;
}

static void on_app(void *ud, enum mt_rc rc, const char *token, const struct mt_fault *cause)
{
    struct mt_provider_account *account = ud;
    struct mt_fault fault = {.kind = MT_OK};

    account->session.ask = NULL;
    if (account->closed)
        goto out;
    if (rc != MT_OK)
        fault = *cause;
    else if (set_token(account, token, strlen(token)) != MT_OK)
        rc = mt_fault_set(&fault, MT_ERR_NOMEM, "memory", "out of memory");
    if (fault.http_status != 0 || (rc != MT_ERR_NETWORK && rc != MT_ERR_TIMEOUT) ||
        !next_host(account, &fault))
        ended(account, rc, &fault);
out:
    mt_em_account_release(account);
}

static void on_login(void *ud, enum mt_rc rc, const struct mt_http_response *response,
                     const struct mt_fault *cause)
{
    struct mt_provider_account *account = ud;
    struct mt_em_session *session = &account->session;
    struct mt_fault fault = {.kind = MT_OK};

    session->http = NULL;
    if (account->closed)
        goto out;
    if (response != NULL)
        mt_cloud_clock_heard(&session->clock, response->date_ms);
    if (rc == MT_OK && response != NULL && response->status == 200) {
        rc = read_token(account, response, &fault);
    } else {
        bool reached = rc == MT_OK;

        rc = mt_em_fault_http(&fault, MT_EM_FEATURE_LOGIN, rc, response, cause);
        if (fault.http_status == 401 ||
            rc == MT_ERR_INVALID) /* refused for a reason without a name */
            rc = login_refused(&fault);
        if (!reached && next_host(account, &fault))
            goto out;
    }
    ended(account, rc, &fault);
out:
    mt_em_account_release(account);
}

/* Exactly the SDK's members in the SDK's order (§1.3). */
static void login_body(const struct mt_provider_account *account, struct mt_buf *out)
{
    struct mt_jsonw w;

    mt_jsonw_init(&w, out);
    mt_jsonw_object(&w);
    mt_jsonw_key(&w, "grant_type");
    mt_jsonw_str(&w, "password");
    mt_jsonw_key(&w, "username");
    mt_jsonw_str(&w, account->user);
    mt_jsonw_key(&w, "password");
    mt_jsonw_strn(&w, mt_secret_bytes(account->password), mt_secret_len(account->password));
    mt_jsonw_key(&w, "timestamp");
    mt_jsonw_i64(&w, mt_clock_wall_ms());
    mt_jsonw_object_end(&w);
}

static int64_t login_deadline_ms(const struct mt_provider_account *account)
{
    int64_t ms = 2 * account->timeout_ms;
    return ms > 0 && ms < LOGIN_DEADLINE_MS ? ms : LOGIN_DEADLINE_MS;
}

static void login_by_app(struct mt_provider_account *account)
{
    struct mt_fault fault;

    mt_em_account_retain(account);
    if (mt_em_app_token(account, on_app, account, &account->session.ask) == MT_OK)
        return;
    (void)mt_fault_set(&fault, MT_ERR_NOMEM, "memory", "out of memory");
    ended(account, MT_ERR_NOMEM, &fault);
    mt_em_account_release(account);
}

static void login_start(struct mt_provider_account *account)
{
    static const char *const headers[] = {"Content-Type: application/json", NULL};
    struct mt_em_session *session = &account->session;
    struct mt_fault fault = {.kind = MT_OK};
    char url[MT_EM_URL_MAX];
    struct mt_buf body;
    enum mt_rc rc = MT_OK;

    session->stage = MT_EM_STAGE_LOGIN;
    if (account->password == NULL) {
        login_by_app(account);
        return;
    }
    mt_buf_init(&body, (size_t)16 * 1024);
    login_body(account, &body);
    snprintf(url, sizeof url, "%s/%s/token", account->api, account->org_app);
    rc = body.failed;
    if (rc != MT_OK)
        (void)mt_fault_set(&fault, rc, "memory", "the login request could not be built");
    else
        rc = mt_http_start(account->http,
                           &(struct mt_http_request){.method = "POST",
                                                     .url = url,
                                                     .headers = headers,
                                                     .body = body.data,
                                                     .body_len = body.len,
                                                     .max_attempts = 4,
                                                     .attempt_ms = account->timeout_ms,
                                                     .deadline_ms = login_deadline_ms(account),
                                                     .retry = MT_HTTP_RETRY_SAFE,
                                                     .bucket = account->bucket},
                           on_login, account, &session->http, &fault);
    if (body.data != NULL)
        explicit_bzero(body.data, body.len);
    mt_buf_deinit(&body);
    if (rc == MT_OK) {
        mt_em_account_retain(account);
        return;
    }
    session->http = NULL;
    ended(account, rc, &fault);
}

/* The REST host is known: take the token as it is, or fetch one. */
static void have_host(struct mt_provider_account *account)
{
    struct mt_fault fault = {.kind = MT_OK};
    enum mt_rc rc = MT_OK;

    if (account->session.token == NULL && account->configured_token != NULL) {
        rc = set_token(account, mt_secret_bytes(account->configured_token),
                       mt_secret_len(account->configured_token));
        if (rc != MT_OK)
            (void)mt_fault_set(&fault, rc, "memory", "out of memory");
        ended(account, rc, &fault);
        return;
    }
    login_start(account);
}

void mt_em_session_discovered(struct mt_provider_account *account, enum mt_rc rc,
                              const struct mt_fault *fault)
{
    if (rc != MT_OK) {
        ended(account, rc, fault);
        return;
    }
    account->session.discovered = true;
    have_host(account);
}

bool mt_em_session_ready(const struct mt_provider_account *account)
{
    return account->session.token != NULL && account->session.stage == MT_EM_STAGE_NONE;
}

void mt_em_session_want(struct mt_provider_account *account)
{
    struct mt_em_session *session = &account->session;

    if (session->stage != MT_EM_STAGE_NONE)
        return; /* on its way: it wakes whoever waits */
    if (session->token != NULL && session->discovered) {
        mt_call_wake(&account->calls, MT_OK, NULL);
    } else if (session->refused) {
        struct mt_fault fault = session->fault;

        mt_call_wake(&account->calls, fault.kind, &fault);
    } else if (session->discovered) {
        have_host(account);
    } else {
        session->stage = MT_EM_STAGE_DISCOVERY;
        mt_em_discovery_start(account);
    }
}

/* A token that was just renewed and never worked is not renewed again: the cloud refuses something
 * else then, and asking for tokens without end gets the account banned. One that lay unused may
 * have expired by now. */
bool mt_em_session_renew(struct mt_provider_account *account, const struct mt_em_token *refused)
{
    struct mt_em_session *session = &account->session;

    if (session->stage != MT_EM_STAGE_NONE)
        return true;
    if (session->token != NULL && session->token->generation != refused->generation)
        return true;
    bool young = mt_clock_mono_ms() - refused->since_ms < UNPROVEN_MS;
    if ((account->password == NULL && account->app == NULL) || session->refused ||
        (refused->generation > 1 && !refused->proven && young))
        return false;
    mt_log(MT_LOG_DEBUG, "easemob", "%s: logging in again", account->name);
    session->stage = MT_EM_STAGE_LOGIN;
    login_start(account);
    return true;
}

void mt_em_session_stop(struct mt_provider_account *account)
{
    if (account->session.http != NULL)
        mt_http_cancel(account->session.http);
    if (account->session.ask != NULL)
        mt_app_ask_cancel(account->session.ask);
}

/* The app token is fetched once for all accounts and kept for half of its life, as the official
 * server SDK does it: who asks too often is banned (easemob-service.md 1.2). With it come tokens
 * of users ("inherit"), unless they are signed here ("dynamic", 1.3). */
#include "provider/easemob/app_int.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"
#include "codec/base64.h"
#include "codec/hash.h"
#include "codec/json.h"
#include "loop/loop.h"
#include "provider/easemob/account_int.h"

#include <stdio.h>
#include <string.h>

#define ANSWER_MAX     ((size_t)64 * 1024)
#define FRESH_MAX_MS   ((int64_t)12 * 60 * 60 * 1000)
#define DEADLINE_MS    60000
#define DYNAMIC_LIFE_S 86400 /* to be kept short, the vendor says; a session renews it in time */
#define BUSY_TRIES     3     /* 409: somebody creates the same user in the same second */
#define BUSY_REST_MS   1100
#define TOKEN_TEXT_MAX 4096
#define BODY_MAX       ((size_t)16 * 1024)

struct ask {
    struct mt_app_ask base; /* first */
    struct ask *next;       /* of those that wait for the app token */
    struct mt_provider_account *account;
    struct mt_timer *timer;
    struct mt_em_token *token; /* of the app, while it is on the wire */
    unsigned busy_n;
    bool waiting, renewed;
};

struct mt_provider_app {
    struct mt_app core; /* first */
    bool dynamic;
    struct mt_em_token *token; /* of the app; NULL: none */
    int64_t fresh_until_ms;
    struct mt_http_call *http; /* asks for it */
    struct ask *waiting;
};

static const char *const json_headers[] = {"Content-Type: application/json", NULL};

/* ---------------------------------------------------------------- opening */

static void app_deinit(struct mt_app *core)
{
    struct mt_provider_app *app = (struct mt_provider_app *)core;

    mt_em_token_release(app->token);
}

static enum mt_rc look_at(struct mt_provider_app *app, const struct mt_app_config *config,
                          struct mt_fault *fault)
{
    if (app->core.client_id == NULL || app->core.client_id[0] == '\0')
        return mt_fault_set(fault, MT_ERR_INVALID, "config.app",
                            "app '%.100s': client_id and client_secret are needed, as the console "
                            "shows them",
                            app->core.name);
    if (config->api != NULL || config->area != NULL)
        return mt_fault_set(
            fault, MT_ERR_INVALID, "config.app",
            "app '%.100s': Easemob knows neither api nor area: its server API is at "
            "the REST host (rest)",
            app->core.name);
    if (config->tokens == NULL || strcmp(config->tokens, "inherit") == 0)
        return MT_OK;
    app->dynamic = strcmp(config->tokens, "dynamic") == 0;
    return app->dynamic
               ? MT_OK
               : mt_fault_set(fault, MT_ERR_INVALID, "config.app",
                              "app '%.100s': tokens is \"inherit\" (asked for) or \"dynamic\" "
                              "(signed here)",
                              app->core.name);
}

enum mt_rc mt_em_app_open(struct mt_loop *loop, struct mt_http *http,
                          const struct mt_app_config *config, struct mt_provider_app **out,
                          struct mt_fault *fault)
{
    struct mt_provider_app *app = mt_mem_calloc(1, sizeof *app);
    enum mt_rc rc = MT_OK;

    *out = NULL;
    if (app == NULL)
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    app->core.deinit = app_deinit;
    rc = mt_app_init(&app->core, loop, http, config, fault);
    if (rc == MT_OK)
        rc = look_at(app, config, fault);
    if (rc != MT_OK) {
        mt_app_release(&app->core);
        return rc;
    }
    *out = app;
    return MT_OK;
}

void mt_em_app_close(struct mt_provider_app *app)
{
    mt_app_close((struct mt_app *)app); /* first in it */
}

struct mt_app *mt_em_app_core(struct mt_provider_app *app)
{
    return &app->core;
}

/* ---------------------------------------------------------------- the dynamic token */

static void sign(const struct mt_app *app, const char *user, int64_t now_s, int64_t ttl_s,
                 char hex[MT_SHA256_HEX])
{
    struct mt_sha256 *hash = mt_sha256_new();
    uint8_t digest[MT_SHA256_LEN];
    char times[48];

    hex[0] = '\0';
    if (hash == NULL)
        return;
    snprintf(times, sizeof times, "%lld%lld", (long long)now_s, (long long)ttl_s);
    mt_sha256_update(hash, app->client_id, strlen(app->client_id));
    mt_sha256_update(hash, app->appkey, strlen(app->appkey));
    mt_sha256_update(hash, user, strlen(user));
    mt_sha256_update(hash, times, strlen(times));
    mt_sha256_update(hash, mt_secret_bytes(app->secret), mt_secret_len(app->secret));
    mt_sha256_peek(hash, digest);
    mt_sha256_free(hash);
    mt_hex(digest, sizeof digest, hex);
}

enum mt_rc mt_em_dynamic_token(const struct mt_app *app, const char *user, int64_t now_s,
                               int64_t ttl_s, struct mt_buf *out)
{
    char signature[MT_SHA256_HEX];
    struct mt_buf text;
    struct mt_jsonw w;
    enum mt_rc rc = MT_OK;

    sign(app, user, now_s, ttl_s, signature);
    if (signature[0] == '\0')
        return MT_ERR_NOMEM;
    mt_buf_init(&text, TOKEN_TEXT_MAX);
    (void)mt_buf_append(&text, "dt-", 3);
    mt_jsonw_init(&w, &text);
    mt_jsonw_object(&w);
    mt_jsonw_key(&w, "signature");
    mt_jsonw_str(&w, signature);
    mt_jsonw_key(&w, "appkey");
    mt_jsonw_str(&w, app->appkey);
    mt_jsonw_key(&w, "userId");
    mt_jsonw_str(&w, user);
    mt_jsonw_key(&w, "curTime");
    mt_jsonw_i64(&w, now_s);
    mt_jsonw_key(&w, "ttl");
    mt_jsonw_i64(&w, ttl_s);
    mt_jsonw_object_end(&w);
    rc = text.failed != MT_OK ? text.failed : mt_base64_encode(out, text.data, text.len);
    mt_buf_deinit(&text);
    for (size_t i = 0; rc == MT_OK && i < out->len; i++) { /* the URL-safe alphabet */
        if (out->data[i] == '+')
            out->data[i] = '-';
        else if (out->data[i] == '/')
            out->data[i] = '_';
    }
    return rc;
}

static void make_dynamic(struct ask *ask)
{
    struct mt_fault fault;
    struct mt_buf token;
    enum mt_rc rc = MT_OK;

    mt_buf_init(&token, TOKEN_TEXT_MAX);
    rc = mt_em_dynamic_token(ask->base.app, ask->base.user, mt_clock_wall_ms() / 1000,
                             DYNAMIC_LIFE_S, &token);
    if (rc != MT_OK)
        (void)mt_fault_set(&fault, rc, "memory", "the token could not be made");
    mt_app_ask_end(&ask->base, rc, token.data, token.len, &fault);
    mt_buf_deinit(&token);
}

/* ---------------------------------------------------------------- the app token */

static int64_t deadline_ms(const struct mt_app *app)
{
    int64_t ms = 2 * app->timeout_ms;

    return ms > 0 && ms < DEADLINE_MS ? ms : DEADLINE_MS;
}

static void token_url(const struct mt_provider_account *account, char url[MT_EM_URL_MAX])
{
    snprintf(url, MT_EM_URL_MAX, "%s/%s/token", account->api, account->org_app);
}

static void ask_for_user(struct ask *ask);

/* Those that wait go on, or fail. */
static void app_token_ended(struct mt_provider_app *app, enum mt_rc rc,
                            const struct mt_fault *fault)
{
    struct ask *ask = app->waiting;

    app->waiting = NULL;
    while (ask != NULL) {
        struct ask *next = ask->next;

        ask->next = NULL;
        ask->waiting = false;
        if (rc == MT_OK)
            ask_for_user(ask);
        else
            mt_app_ask_end(&ask->base, rc, NULL, 0, fault);
        ask = next;
    }
}

static enum mt_rc take_app_token(struct mt_provider_app *app,
                                 const struct mt_http_response *response, struct mt_fault *fault)
{
    struct mt_json *root = NULL;
    const char *text = NULL;
    struct mt_em_token *token = NULL;
    enum mt_rc rc = mt_json_parse(response->body, response->body_len, ANSWER_MAX, &root, fault);
    int64_t life_s = 0;

    text = rc == MT_OK ? mt_json_str(mt_json_get(root, "access_token")) : NULL;
    if (text == NULL || text[0] == '\0') {
        rc = mt_fault_set(fault, MT_ERR_PROTOCOL, "auth.no_token",
                          "the cloud gave the app '%.80s' no token: check that rest names an "
                          "Easemob REST host",
                          app->core.name);
        goto out;
    }
    token = mt_em_token_new(text, strlen(text), app->token);
    if (token == NULL) {
        rc = mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
        goto out;
    }
    mt_em_token_release(app->token);
    app->token = token;
    life_s = mt_json_i64(mt_json_get(root, "expires_in"), 0);
    if (life_s <= 0 || life_s > FRESH_MAX_MS / 500) /* 0: for ever */
        life_s = FRESH_MAX_MS / 500;
    app->fresh_until_ms = mt_clock_mono_ms() + life_s * 500;
out:
    mt_json_free(root);
    return rc;
}

static enum mt_rc app_refused(const struct mt_provider_app *app, struct mt_fault *fault)
{
    struct mt_fault cause = *fault;

    (void)mt_fault_set(fault, MT_ERR_AUTH, "auth.app_refused",
                       "the cloud refused the app '%.60s': check client_id, client_secret and "
                       "appkey (%.100s)",
                       app->core.name, cause.message);
    fault->http_status = cause.http_status;
    fault->provider_code = cause.provider_code;
    return MT_ERR_AUTH;
}

static void on_app_token(void *ud, enum mt_rc rc, const struct mt_http_response *response,
                         const struct mt_fault *cause)
{
    struct mt_provider_app *app = ud;
    struct mt_fault fault = {.kind = MT_OK};
    bool answered = rc == MT_OK;

    app->http = NULL;
    if (rc == MT_ERR_CANCELLED) { /* only the end of all HTTP does that */
        fault = *cause;
    } else if (answered && response->status == 200) {
        rc = take_app_token(app, response, &fault);
    } else {
        rc = mt_em_fault_http(&fault, MT_EM_FEATURE_LOGIN, rc, response, cause);
        if (rc == MT_ERR_INVALID || rc == MT_ERR_AUTH) /* 400 invalid_grant, illegal_argument */
            rc = app_refused(app, &fault);
    }
    if (rc != MT_OK && answered) /* of another host the next account may ask at once */
        mt_app_failed(&app->core, &fault);
    app_token_ended(app, rc, &fault);
    mt_app_release(&app->core);
}

static void credentials(const struct mt_app *core, struct mt_buf *out)
{
    struct mt_jsonw w;

    mt_jsonw_init(&w, out);
    mt_jsonw_object(&w);
    mt_jsonw_key(&w, "grant_type");
    mt_jsonw_str(&w, "client_credentials");
    mt_jsonw_key(&w, "client_id");
    mt_jsonw_str(&w, core->client_id);
    mt_jsonw_key(&w, "client_secret");
    mt_jsonw_strn(&w, mt_secret_bytes(core->secret), mt_secret_len(core->secret));
    mt_jsonw_object_end(&w);
}

static enum mt_rc fetch_app_token(struct mt_provider_app *app,
                                  const struct mt_provider_account *account, struct mt_fault *fault)
{
    char url[MT_EM_URL_MAX];
    struct mt_buf body;
    enum mt_rc rc = MT_OK;

    mt_buf_init(&body, BODY_MAX);
    credentials(&app->core, &body);
    token_url(account, url);
    rc = body.failed;
    if (rc != MT_OK)
        (void)mt_fault_set(fault, rc, "memory", "the request for a token could not be built");
    else
        rc = mt_http_start(app->core.http,
                           &(struct mt_http_request){.method = "POST",
                                                     .url = url,
                                                     .headers = json_headers,
                                                     .body = body.data,
                                                     .body_len = body.len,
                                                     .max_attempts = 4,
                                                     .attempt_ms = app->core.timeout_ms,
                                                     .deadline_ms = deadline_ms(&app->core),
                                                     .retry = MT_HTTP_RETRY_SAFE,
                                                     .bucket = account->bucket},
                           on_app_token, app, &app->http, fault);
    if (body.data != NULL)
        explicit_bzero(body.data, body.len);
    mt_buf_deinit(&body);
    if (rc == MT_OK)
        mt_app_retain(&app->core);
    else
        app->http = NULL;
    return rc;
}

/* With an app token in force the ask goes on at once, else when there is one. */
static void want_app_token(struct ask *ask)
{
    struct mt_provider_app *app = (struct mt_provider_app *)ask->base.app;
    struct mt_fault fault = {.kind = MT_OK};
    enum mt_rc rc = MT_OK;

    if (app->token != NULL && mt_clock_mono_ms() < app->fresh_until_ms) {
        ask_for_user(ask);
        return;
    }
    if (app->http == NULL)
        rc = mt_app_may_ask(&app->core, &fault);
    if (rc == MT_OK && app->http == NULL)
        rc = fetch_app_token(app, ask->account, &fault);
    if (rc != MT_OK) {
        mt_app_ask_end(&ask->base, rc, NULL, 0, &fault);
        return;
    }
    ask->waiting = true;
    ask->next = app->waiting;
    app->waiting = ask;
}

/* ---------------------------------------------------------------- a user's token */

static bool withdraw(struct mt_app_ask *base)
{
    struct ask *ask = (struct ask *)base;
    struct mt_provider_app *app = (struct mt_provider_app *)base->app;
    struct ask **at = &app->waiting;

    if (ask->timer != NULL)
        mt_timer_stop(ask->timer);
    while (*at != NULL && *at != ask)
        at = &(*at)->next;
    if (*at != NULL)
        *at = ask->next;
    ask->waiting = false;
    return true;
}

static void ask_release(struct mt_app_ask *base)
{
    struct ask *ask = (struct ask *)base;

    mt_timer_free(ask->timer);
    mt_em_token_release(ask->token);
    mt_em_account_release(ask->account);
}

static void on_timer(void *ud)
{
    want_app_token(ud);
}

/* Two that create the same user at once: the later one asks again (1.3). */
static bool busy(struct ask *ask)
{
    if (++ask->busy_n > BUSY_TRIES ||
        (ask->timer == NULL &&
         mt_timer_new(ask->base.app->loop, on_timer, ask, &ask->timer) != MT_OK))
        return false;
    mt_timer_start(ask->timer, BUSY_REST_MS, 0);
    return true;
}

static void take_user_token(struct ask *ask, const struct mt_http_response *response)
{
    struct mt_fault fault = {.kind = MT_OK};
    struct mt_json *root = NULL;
    const char *token = NULL;
    enum mt_rc rc = mt_json_parse(response->body, response->body_len, ANSWER_MAX, &root, &fault);

    token = rc == MT_OK ? mt_json_str(mt_json_get(root, "access_token")) : NULL;
    if (token == NULL || token[0] == '\0')
        rc = mt_fault_set(&fault, MT_ERR_PROTOCOL, "auth.no_token",
                          "the cloud answered without a token for '%.64s'", ask->base.user);
    mt_app_ask_end(&ask->base, rc, token, token == NULL ? 0 : strlen(token), &fault);
    mt_json_free(root);
}

static void on_user(struct mt_app_ask *base, enum mt_rc rc, const struct mt_http_response *response,
                    const struct mt_fault *cause)
{
    struct ask *ask = (struct ask *)base;
    struct mt_provider_app *app = (struct mt_provider_app *)base->app;
    int status = rc == MT_OK ? response->status : 0;
    struct mt_fault fault = {.kind = MT_OK};

    if (status == 200) {
        take_user_token(ask, response);
        return;
    }
    if (status == 401 && !ask->renewed) {
        ask->renewed = true;
        if (app->token->generation == ask->token->generation)
            app->fresh_until_ms = 0; /* expired early: fetched anew, once for all */
        want_app_token(ask);
        return;
    }
    if (status == 409 && busy(ask))
        return;
    rc = mt_em_fault_http(&fault, MT_EM_FEATURE_LOGIN, rc, response, cause);
    if (status == 401)
        rc = app_refused(app, &fault);
    else if (status == 404 && strcmp(fault.code, "user.unknown") == 0)
        rc = mt_fault_set(&fault, MT_ERR_NOT_FOUND, "user.unknown",
                          "the app '%.60s' has no user '%.64s': check the id, or set create_users",
                          app->core.name, base->user);
    mt_app_ask_end(base, rc, NULL, 0, &fault);
}

static void ask_for_user(struct ask *ask)
{
    struct mt_provider_app *app = (struct mt_provider_app *)ask->base.app;
    char url[MT_EM_URL_MAX];
    struct mt_buf body;
    struct mt_jsonw w;

    mt_buf_init(&body, BODY_MAX);
    mt_jsonw_init(&w, &body);
    mt_jsonw_object(&w);
    mt_jsonw_key(&w, "grant_type");
    mt_jsonw_str(&w, "inherit");
    mt_jsonw_key(&w, "username");
    mt_jsonw_str(&w, ask->base.user);
    mt_jsonw_key(&w, "autoCreateUser");
    mt_jsonw_bool(&w, app->core.create_users);
    mt_jsonw_object_end(&w);
    token_url(ask->account, url);
    mt_em_token_release(ask->token);
    ask->token = app->token;
    ask->token->refs++;
    if (body.failed != MT_OK) {
        struct mt_fault fault;

        (void)mt_fault_set(&fault, body.failed, "memory", "the request could not be built");
        mt_app_ask_end(&ask->base, body.failed, NULL, 0, &fault);
    } else {
        mt_app_ask_send(&ask->base,
                        &(struct mt_http_request){.method = "POST",
                                                  .url = url,
                                                  .headers = json_headers,
                                                  .bearer = ask->token->secret,
                                                  .body = body.data,
                                                  .body_len = body.len,
                                                  .max_attempts = 4,
                                                  .attempt_ms = app->core.timeout_ms,
                                                  .deadline_ms = deadline_ms(&app->core),
                                                  .retry = MT_HTTP_RETRY_SAFE,
                                                  .bucket = ask->account->bucket});
    }
    mt_buf_deinit(&body);
}

enum mt_rc mt_em_app_token(struct mt_provider_account *account, mt_app_token_fn *done, void *ud,
                           struct mt_app_ask **out)
{
    struct mt_app *core = &account->app->core;
    struct ask *ask = (struct ask *)mt_app_ask_new(core, sizeof *ask, account->user, done, ud);

    *out = NULL;
    if (ask == NULL)
        return MT_ERR_NOMEM;
    ask->account = account;
    mt_em_account_retain(account);
    ask->base.answer = on_user;
    ask->base.release = ask_release;
    ask->base.withdraw = withdraw;
    *out = &ask->base;
    if (account->app->dynamic)
        make_dynamic(ask);
    else
        want_app_token(ask);
    return MT_OK;
}

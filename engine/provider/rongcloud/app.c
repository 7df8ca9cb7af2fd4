/* The server API, as far as a user's token needs it. Asking for a token registers the user and
 * overwrites the name and picture that its pushes show (the vendor's page on registering): so the
 * user is looked at first, and gets back what it has. */
#include "provider/rongcloud/app_int.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/secret.h"
#include "base/str.h"
#include "codec/hash.h"
#include "codec/json.h"
#include "loop/loop.h"

#include <stdio.h>
#include <string.h>

#define HOSTS_MAX    8
#define ANSWER_MAX   ((size_t)64 * 1024)
#define BODY_MAX     ((size_t)16 * 1024)
#define SWITCH_MS    30000 /* between hosts, not more often (7) */
#define TRIES_MAX    6
#define REST_MS      500 /* before the second try; doubled each time */
#define DEADLINE_MS  60000
#define RATE_PER_S   80.0 /* of 100 a second that the app has, shared with its app server */
#define HEADER_MAX   320
#define USER_MAX     64
#define PORTRAIT_MAX 1024
#define NAME_MAX     256

struct mt_provider_app {
    struct mt_app core; /* first */
    char *hosts[HOSTS_MAX];
    size_t hosts_n, at;
    int64_t switched_ms; /* 0: never */
    struct mt_http_bucket *bucket;
};

enum stage { STAGE_INFO, STAGE_TOKEN };

struct ask {
    struct mt_app_ask base; /* first */
    enum stage stage;
    struct mt_timer *timer;
    size_t host_at; /* of the request on the wire */
    unsigned tries;
    char name[NAME_MAX], portrait[PORTRAIT_MAX + 1];
};

static const struct {
    const char *name, *first, *second;
} areas[] = {
    {"bj", "https://api.rong-api.com", "https://api-b.rong-api.com"},
    {"sg", "https://api.sg-light-api.com", "https://api-b.sg-light-api.com"},
    {"sg-b", "https://api.sg-b-light-api.com", "https://api-b.sg-b-light-api.com"},
    {"na", "https://api.us-light-api.com", "https://api-b.us-light-api.com"},
    {"sau", "https://api.sau-light-api.com", "https://api-b.sau-light-api.com"},
};
#define AREAS_N (sizeof areas / sizeof areas[0])

/* ---------------------------------------------------------------- opening */

static void app_deinit(struct mt_app *core)
{
    struct mt_provider_app *app = (struct mt_provider_app *)core;

    for (size_t i = 0; i < app->hosts_n; i++)
        mt_mem_free(app->hosts[i]);
}

static enum mt_rc add_host(struct mt_provider_app *app, const char *url, struct mt_fault *fault)
{
    size_t len = strlen(url);

    while (len > 0 && url[len - 1] == '/')
        len--;
    if ((!mt_str_starts(url, "https://") && !mt_str_starts(url, "http://")) || len > 280 ||
        strpbrk(url, "?# \t\r\n\"\\") != NULL || app->hosts_n == HOSTS_MAX)
        return mt_fault_set(fault, MT_ERR_INVALID, "config.app",
                            "app '%.100s': api lists up to %d addresses such as "
                            "\"https://api.rong-api.com\"",
                            app->core.name, HOSTS_MAX);
    app->hosts[app->hosts_n] = mt_mem_strndup(url, len);
    if (app->hosts[app->hosts_n] == NULL)
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    app->hosts_n++;
    return MT_OK;
}

static enum mt_rc add_area(struct mt_provider_app *app, const char *name, struct mt_fault *fault)
{
    for (size_t i = 0; i < AREAS_N; i++) {
        if (strcmp(areas[i].name, name) != 0)
            continue;
        enum mt_rc rc = add_host(app, areas[i].first, fault);
        return rc != MT_OK ? rc : add_host(app, areas[i].second, fault);
    }
    return mt_fault_set(fault, MT_ERR_INVALID, "config.app",
                        "app '%.100s': area is \"bj\", \"sg\", \"sg-b\", \"na\" or \"sau\", the "
                        "app's data centre",
                        app->core.name);
}

static enum mt_rc set_hosts(struct mt_provider_app *app, const struct mt_app_config *config,
                            struct mt_fault *fault)
{
    enum mt_rc rc = MT_OK;
    double rate = config->rate_per_s;

    for (size_t i = 0; rc == MT_OK && config->api != NULL && config->api[i] != NULL; i++)
        rc = add_host(app, config->api[i], fault);
    if (rc == MT_OK && app->hosts_n == 0)
        rc = add_area(app, config->area == NULL ? areas[0].name : config->area, fault);
    if (rc != MT_OK)
        return rc;
    if (config->tokens != NULL)
        return mt_fault_set(fault, MT_ERR_INVALID, "config.app",
                            "app '%.100s': RongCloud has one way to make tokens: take tokens away",
                            app->core.name);
    if (rate < 0) /* plain http is spoken on loopback only */
        rate = mt_str_starts(app->hosts[0], "http://") ? 0 : RATE_PER_S;
    app->bucket = mt_http_bucket_shared(app->core.http, app->core.appkey, rate, rate);
    return MT_OK;
}

enum mt_rc mt_rong_app_open(struct mt_loop *loop, struct mt_http *http,
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
    if (rc == MT_OK && strpbrk(config->appkey, " \t\r\n") != NULL)
        rc = mt_fault_set(fault, MT_ERR_INVALID, "config.app",
                          "app '%.100s': appkey is no text without spaces", app->core.name);
    if (rc == MT_OK)
        rc = set_hosts(app, config, fault);
    if (rc != MT_OK) {
        mt_app_release(&app->core);
        return rc;
    }
    *out = app;
    return MT_OK;
}

void mt_rong_app_close(struct mt_provider_app *app)
{
    mt_app_close((struct mt_app *)app); /* first in it */
}

struct mt_app *mt_rong_app_core(struct mt_provider_app *app)
{
    return &app->core;
}

/* ---------------------------------------------------------------- requests */

enum mt_rc mt_rong_app_sign(const struct mt_app *app, const char *nonce, const char *timestamp,
                            char out[41])
{
    uint8_t digest[MT_SHA1_LEN];
    struct mt_buf text;
    enum mt_rc rc = MT_OK;

    mt_buf_init(&text, BODY_MAX);
    (void)mt_buf_append(&text, mt_secret_bytes(app->secret), mt_secret_len(app->secret));
    (void)mt_buf_append_str(&text, nonce);
    (void)mt_buf_append_str(&text, timestamp);
    rc = text.failed;
    if (rc == MT_OK) {
        mt_sha1_of(text.data, text.len, digest);
        mt_hex(digest, sizeof digest, out);
    }
    if (text.data != NULL)
        explicit_bzero(text.data, text.len);
    mt_buf_deinit(&text);
    return rc;
}

/* A version 4 UUID (RFC 9562), by which the vendor finds a request in its logs. */
static void request_id(char out[37])
{
    uint8_t r[16];
    char hex[33];

    mt_rand_bytes(r, sizeof r);
    r[6] = (uint8_t)((r[6] & 0x0F) | 0x40);
    r[8] = (uint8_t)((r[8] & 0x3F) | 0x80);
    mt_hex(r, sizeof r, hex);
    snprintf(out, 37, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

static int64_t deadline_ms(const struct mt_app *app)
{
    int64_t ms = 2 * app->timeout_ms;

    return ms > 0 && ms < DEADLINE_MS ? ms : DEADLINE_MS;
}

static void post(struct ask *ask, const char *path, const struct mt_buf *body)
{
    struct mt_provider_app *app = (struct mt_provider_app *)ask->base.app;
    char nonce[24];
    char timestamp[24];
    char signature[41];
    char uuid[37];
    char lines[5][HEADER_MAX];
    char url[512];
    struct mt_fault fault;
    enum mt_rc rc = body->failed;

    snprintf(nonce, sizeof nonce, "%llu",
             (unsigned long long)mt_rand_below(UINT64_C(1000000000000000)));
    snprintf(timestamp, sizeof timestamp, "%lld", (long long)mt_clock_wall_ms() / 1000);
    if (rc == MT_OK)
        rc = mt_rong_app_sign(&app->core, nonce, timestamp, signature);
    if (rc != MT_OK) {
        (void)mt_fault_set(&fault, rc, "memory", "the request could not be built");
        mt_app_ask_end(&ask->base, rc, NULL, 0, &fault);
        return;
    }
    request_id(uuid);
    snprintf(lines[0], HEADER_MAX, "App-Key: %.200s", app->core.appkey);
    snprintf(lines[1], HEADER_MAX, "Nonce: %s", nonce);
    snprintf(lines[2], HEADER_MAX, "Timestamp: %s", timestamp);
    snprintf(lines[3], HEADER_MAX, "Signature: %s", signature);
    snprintf(lines[4], HEADER_MAX, "X-Request-Id: %s", uuid);
    const char *const headers[] = {lines[0], lines[1],
                                   lines[2], lines[3],
                                   lines[4], "Content-Type: application/x-www-form-urlencoded",
                                   NULL};
    ask->host_at = app->at;
    snprintf(url, sizeof url, "%s%s", app->hosts[app->at], path);
    mt_app_ask_send(&ask->base,
                    &(struct mt_http_request){.method = "POST",
                                              .url = url,
                                              .headers = headers,
                                              .body = body->data,
                                              .body_len = body->len,
                                              .max_attempts = 1, /* a new nonce for each */
                                              .attempt_ms = app->core.timeout_ms,
                                              .deadline_ms = deadline_ms(&app->core),
                                              .retry = MT_HTTP_RETRY_SAFE,
                                              .bucket = app->bucket});
}

static void form(struct mt_buf *body, const char *key, const char *value)
{
    if (body->len > 0)
        (void)mt_buf_append_char(body, '&');
    (void)mt_buf_append_str(body, key);
    (void)mt_buf_append_char(body, '=');
    (void)mt_http_escape(body, value);
}

static void send_request(struct ask *ask)
{
    struct mt_buf body;

    mt_buf_init(&body, BODY_MAX);
    form(&body, "userId", ask->base.user);
    if (ask->stage == STAGE_INFO) {
        post(ask, "/user/info.json", &body);
    } else {
        form(&body, "name", ask->name[0] != '\0' ? ask->name : ask->base.user);
        if (ask->portrait[0] != '\0')
            form(&body, "portraitUri", ask->portrait);
        post(ask, "/user/getToken.json", &body);
    }
    mt_buf_deinit(&body);
}

/* ---------------------------------------------------------------- answers */

static void on_timer(void *ud)
{
    send_request(ud);
}

/* The same again: at the other host where this one fails, else after a rest. */
static bool again(struct ask *ask, enum mt_rc why)
{
    struct mt_provider_app *app = (struct mt_provider_app *)ask->base.app;
    int64_t now = mt_clock_mono_ms();
    int64_t rest = REST_MS;

    if (++ask->tries >= TRIES_MAX)
        return false;
    if (why != MT_ERR_RATE && ask->host_at == app->at && app->hosts_n > 1 &&
        (app->switched_ms == 0 || now - app->switched_ms >= SWITCH_MS)) {
        app->at = (app->at + 1) % app->hosts_n;
        app->switched_ms = now;
        mt_log(MT_LOG_WARN, "rongcloud", "app '%s': %s fails, going on at %s", app->core.name,
               app->hosts[ask->host_at], app->hosts[app->at]);
    }
    if (ask->host_at != app->at) {
        send_request(ask);
        return true;
    }
    if (ask->timer == NULL &&
        mt_timer_new(ask->base.app->loop, on_timer, ask, &ask->timer) != MT_OK)
        return false;
    rest <<= ask->tries - 1;
    mt_timer_start(ask->timer, 1 + (int64_t)mt_rand_below((uint64_t)rest), 0);
    return true;
}

static enum mt_rc refusal(const struct ask *ask, int64_t code, int status, const char *says,
                          struct mt_fault *fault)
{
    static const struct {
        int64_t code;
        enum mt_rc kind;
        const char *name, *text;
    } known[] = {
        {1002, MT_ERR_INVALID, "request.refused", "the cloud refused the user id"},
        {1004, MT_ERR_AUTH, "auth.app_refused",
         "the cloud refused the signature: check appkey, app_secret and this machine's clock"},
        {1008, MT_ERR_RATE, "rate.limited",
         "the app's request limit is reached: set rate lower, or run later"},
        {1009, MT_ERR_UNSUPPORTED, "service.not_opened", "the service is not opened for this app"},
        {2007, MT_ERR_LIMIT, "limit.exceeded",
         "a development app has 100 users at most, and they are there"},
    };
    const char *name = "server.failed";
    const char *text = "the cloud failed";
    enum mt_rc kind = MT_ERR_REMOTE;
    char shown[61];

    if (status == 401 || status == 403) {
        kind = MT_ERR_AUTH;
        name = known[1].name;
        text = known[1].text;
    }
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (known[i].code != code)
            continue;
        kind = known[i].kind;
        name = known[i].name;
        text = known[i].text;
    }
    (void)mt_fault_set(fault, kind, name, "app '%.60s', user '%.64s': %s (%lld %s)",
                       ask->base.app->name, ask->base.user, text, (long long)code,
                       mt_secret_shown(says, shown, sizeof shown));
    fault->provider_code = code > 0 && code < INT32_MAX ? (int)code : 0;
    fault->http_status = status;
    return kind;
}

static void keep(char *out, size_t cap, const struct mt_json *value)
{
    const char *text = mt_json_str(value);

    if (text != NULL)
        snprintf(out, cap, "%.*s", (int)mt_str_utf8_cut(text, strlen(text), cap - 1), text);
}

/* What the user has; *known: it is there. Which code says that it is not is written nowhere. */
static void take_info(struct ask *ask, const struct mt_json *root, int64_t code)
{
    bool known = false;

    if (code == 200) {
        const char *created = mt_json_str(mt_json_get(root, "createTime"));

        keep(ask->name, sizeof ask->name, mt_json_get(root, "userName"));
        keep(ask->portrait, sizeof ask->portrait, mt_json_get(root, "userPortrait"));
        known = ask->name[0] != '\0' || (created != NULL && created[0] != '\0');
    }
    if (!known && !ask->base.app->create_users) {
        struct mt_fault fault;

        (void)mt_fault_set(&fault, MT_ERR_NOT_FOUND, "user.unknown",
                           "the app '%.60s' has no user '%.64s': check the id, or set create_users",
                           ask->base.app->name, ask->base.user);
        fault.provider_code = code > 0 && code < INT32_MAX ? (int)code : 0;
        mt_app_ask_end(&ask->base, MT_ERR_NOT_FOUND, NULL, 0, &fault);
        return;
    }
    ask->stage = STAGE_TOKEN;
    ask->tries = 0;
    send_request(ask);
}

static void take_token(struct ask *ask, const struct mt_json *root)
{
    const char *token = mt_json_str(mt_json_get(root, "token"));
    struct mt_fault fault = {.kind = MT_OK};
    enum mt_rc rc = MT_OK;

    if (token == NULL || token[0] == '\0')
        rc = mt_fault_set(&fault, MT_ERR_PROTOCOL, "auth.no_token",
                          "the cloud answered without a token for '%.64s'", ask->base.user);
    mt_app_ask_end(&ask->base, rc, token, token == NULL ? 0 : strlen(token), &fault);
}

/* Whether the answer says something of the user, not of the app or of the cloud's health. */
static bool of_user(const struct ask *ask, int status, int64_t code)
{
    return ask->stage == STAGE_INFO && status >= 200 && status < 500 && status != 401 &&
           status != 403 && status != 429 && code > 0 && code != 1004 && code != 1008 &&
           code != 1009;
}

static void on_answer(struct mt_app_ask *base, enum mt_rc rc,
                      const struct mt_http_response *response, const struct mt_fault *cause)
{
    struct ask *ask = (struct ask *)base;
    struct mt_json *root = NULL;
    struct mt_fault fault = {.kind = MT_OK};
    int64_t code = 0;
    const char *says = NULL;

    if (response->status > 0 &&
        mt_json_parse(response->body, response->body_len, ANSWER_MAX, &root, NULL) == MT_OK)
        code = mt_json_i64(mt_json_get(root, "code"), 0);
    if (rc == MT_OK && response->status == 200 && code == 200 && ask->stage == STAGE_TOKEN) {
        take_token(ask, root);
        goto out;
    }
    if (rc == MT_OK && of_user(ask, response->status, code)) {
        take_info(ask, root, code);
        goto out;
    }
    if (rc == MT_OK || (response->status > 0 && code > 0)) {
        says = mt_json_str(mt_json_get(root, "errorMessage"));
        rc = refusal(ask, code, response->status, says == NULL ? "" : says, &fault);
        fault.retry_after_ms = response->retry_after_ms;
    } else {
        fault = *cause;
    }
    if (fault.retryable && again(ask, rc))
        goto out;
    if (rc == MT_ERR_AUTH)
        mt_app_failed(base->app, &fault);
    mt_app_ask_end(base, rc, NULL, 0, &fault);
out:
    mt_json_free(root);
}

static bool withdraw(struct mt_app_ask *base)
{
    struct ask *ask = (struct ask *)base;

    if (ask->timer != NULL)
        mt_timer_stop(ask->timer);
    return true;
}

static void ask_release(struct mt_app_ask *base)
{
    mt_timer_free(((struct ask *)base)->timer);
}

enum mt_rc mt_rong_app_token(struct mt_provider_app *app, const char *user, mt_app_token_fn *done,
                             void *ud, struct mt_app_ask **out)
{
    struct mt_fault fault = {.kind = MT_OK};
    struct ask *ask = (struct ask *)mt_app_ask_new(&app->core, sizeof *ask, user, done, ud);
    enum mt_rc rc = MT_OK;

    *out = NULL;
    if (ask == NULL)
        return MT_ERR_NOMEM;
    ask->base.answer = on_answer;
    ask->base.release = ask_release;
    ask->base.withdraw = withdraw;
    *out = &ask->base;
    if (user[0] == '\0' || strlen(user) > USER_MAX)
        rc = mt_fault_set(&fault, MT_ERR_INVALID, "config.user",
                          "user must be the id of a RongCloud user: 1 to 64 bytes");
    if (rc == MT_OK)
        rc = mt_app_may_ask(&app->core, &fault);
    if (rc == MT_OK)
        send_request(ask);
    else
        mt_app_ask_end(&ask->base, rc, NULL, 0, &fault);
    return MT_OK;
}

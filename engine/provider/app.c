#include "provider/app.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/secret.h"
#include "loop/loop.h"

#include <string.h>

/* As the official server SDK rests after an error: who asks for tokens too often is banned
 * (easemob-service.md 1.2). */
#define REST_MS 10000

static enum mt_rc out_of_memory(struct mt_fault *fault)
{
    return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
}

enum mt_rc mt_app_init(struct mt_app *app, struct mt_loop *loop, struct mt_http *http,
                       const struct mt_app_config *config, struct mt_fault *fault)
{
    app->refs = 1;
    app->loop = loop;
    app->http = http;
    app->create_users = config->create_users;
    app->rate_per_s = config->rate_per_s;
    app->timeout_ms = config->timeout_ms;
    app->name = mt_mem_strdup(config->name == NULL ? "" : config->name);
    if (app->name == NULL)
        return out_of_memory(fault);
    if (config->appkey == NULL || config->appkey[0] == '\0' || config->secret == NULL ||
        mt_secret_len(config->secret) == 0)
        return mt_fault_set(fault, MT_ERR_INVALID, "config.app",
                            "app '%.100s': appkey and the app's secret are needed", app->name);
    app->appkey = mt_mem_strdup(config->appkey);
    app->client_id = config->client_id == NULL ? NULL : mt_mem_strdup(config->client_id);
    app->secret = mt_secret_new(mt_secret_bytes(config->secret), mt_secret_len(config->secret));
    if (app->appkey == NULL || app->secret == NULL ||
        (config->client_id != NULL && app->client_id == NULL))
        return out_of_memory(fault);
    return MT_OK;
}

void mt_app_retain(struct mt_app *app)
{
    app->refs++;
}

void mt_app_release(struct mt_app *app)
{
    if (--app->refs > 0)
        return;
    if (app->deinit != NULL)
        app->deinit(app);
    mt_secret_free(app->secret);
    mt_mem_free(app->client_id);
    mt_mem_free(app->appkey);
    mt_mem_free(app->name);
    mt_mem_free(app);
}

void mt_app_close(struct mt_app *app)
{
    if (app == NULL)
        return;
    app->closed = true;
    mt_app_release(app);
}

void mt_app_failed(struct mt_app *app, const struct mt_fault *fault)
{
    app->fault = *fault;
    app->refused = fault->kind == MT_ERR_AUTH || fault->kind == MT_ERR_DENIED ||
                   fault->kind == MT_ERR_NOT_FOUND;
    app->rest_until_ms = mt_clock_mono_ms() + REST_MS;
}

enum mt_rc mt_app_may_ask(const struct mt_app *app, struct mt_fault *fault)
{
    if (!app->refused && mt_clock_mono_ms() >= app->rest_until_ms)
        return MT_OK;
    *fault = app->fault;
    return fault->kind;
}

/* ---------------------------------------------------------------- one user's token */

struct mt_app_ask *mt_app_ask_new(struct mt_app *app, size_t size, const char *user,
                                  mt_app_token_fn *done, void *ud)
{
    struct mt_app_ask *ask = mt_mem_calloc(1, size);

    if (ask == NULL)
        return NULL;
    ask->user = mt_mem_strdup(user);
    if (ask->user == NULL) {
        mt_mem_free(ask);
        return NULL;
    }
    ask->app = app;
    ask->done = done;
    ask->ud = ud;
    mt_app_retain(app);
    return ask;
}

static void tell(struct mt_app_ask *ask)
{
    struct mt_app *app = ask->app;

    if (ask->cancelled) {
        (void)mt_fault_set(&ask->fault, MT_ERR_CANCELLED, "cancelled", "cancelled");
        ask->rc = MT_ERR_CANCELLED;
    }
    ask->done(ask->ud, ask->rc, ask->rc == MT_OK ? mt_secret_bytes(ask->token) : NULL,
              ask->rc == MT_OK ? NULL : &ask->fault);
    if (ask->release != NULL)
        ask->release(ask);
    mt_secret_free(ask->token);
    mt_mem_free(ask->user);
    mt_mem_free(ask);
    mt_app_release(app);
}

static void on_post(void *ud)
{
    tell(ud);
}

static void end_soon(struct mt_app_ask *ask)
{
    if (ask->posted)
        return;
    ask->posted = true;
    if (mt_loop_post(ask->app->loop, on_post, ask) != MT_OK)
        tell(ask); /* no memory to wait with: better told at once than never */
}

void mt_app_ask_end(struct mt_app_ask *ask, enum mt_rc rc, const char *token, size_t len,
                    const struct mt_fault *fault)
{
    ask->rc = rc;
    if (rc != MT_OK) {
        ask->fault = *fault;
    } else {
        ask->token = mt_secret_new(token, len);
        if (ask->token == NULL)
            ask->rc = out_of_memory(&ask->fault);
    }
    end_soon(ask);
}

static void on_http(void *ud, enum mt_rc rc, const struct mt_http_response *response,
                    const struct mt_fault *fault)
{
    struct mt_app_ask *ask = ud;

    ask->http = NULL;
    if (ask->cancelled)
        end_soon(ask);
    else
        ask->answer(ask, rc, response, fault);
}

void mt_app_ask_send(struct mt_app_ask *ask, const struct mt_http_request *request)
{
    struct mt_fault fault = {.kind = MT_OK};
    enum mt_rc rc = mt_http_start(ask->app->http, request, on_http, ask, &ask->http, &fault);

    if (rc == MT_OK)
        return;
    ask->http = NULL;
    mt_app_ask_end(ask, rc, NULL, 0, &fault);
}

void mt_app_ask_cancel(struct mt_app_ask *ask)
{
    if (ask->cancelled)
        return;
    ask->cancelled = true;
    if (ask->http != NULL)
        mt_http_cancel(ask->http);
    else if (ask->withdraw == NULL || ask->withdraw(ask))
        end_soon(ask);
}

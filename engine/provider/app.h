/* The app's side of a provider, as far as every cloud has it: the app's credentials, shared by the
 * accounts that were opened with them, and what is on its way for a user's token. A cloud puts
 * struct mt_app first into its struct mt_provider_app. For the rooms of the clouds alone. */
#ifndef MT_PROVIDER_APP_H
#define MT_PROVIDER_APP_H

#include "http/http.h"
#include "provider/provider.h"

struct mt_app_ask;

struct mt_app {
    unsigned refs; /* whoever opened it, its accounts, what is on its way */
    bool closed;
    struct mt_loop *loop;
    struct mt_http *http;
    char *name, *appkey;
    char *client_id; /* NULL: none */
    struct mt_secret *secret;
    bool create_users;
    double rate_per_s;
    int64_t timeout_ms;
    bool refused; /* the cloud refused the credentials: not asked again with them */
    int64_t rest_until_ms;
    struct mt_fault fault;              /* why it was refused, or rests */
    void (*deinit)(struct mt_app *app); /* frees what the cloud added */
};

/* MT_OK: token is a user's, it lives until this returns. Never called from inside a function of
 * the app. */
typedef void mt_app_token_fn(void *ud, enum mt_rc rc, const char *token,
                             const struct mt_fault *fault);

/* One user's token on its way, and the requests that it takes: one after the other. */
struct mt_app_ask {
    struct mt_app *app;
    char *user;
    mt_app_token_fn *done;
    void *ud;
    void (*answer)(struct mt_app_ask *ask, enum mt_rc rc, const struct mt_http_response *response,
                   const struct mt_fault *fault);
    void (*release)(struct mt_app_ask *ask); /* frees what the cloud added; may be NULL */
    bool (*withdraw)(
        struct mt_app_ask *ask); /* it waits without a request: ends that; may be NULL */
    struct mt_http_call *http;
    bool cancelled, posted;
    enum mt_rc rc; /* of what ends at the next turn */
    struct mt_secret *token;
    struct mt_fault fault;
};

/* app is allocated with mt_mem_calloc; on failure the caller releases it. INVALID "config.app"
 * where appkey or secret are missing. */
enum mt_rc mt_app_init(struct mt_app *app, struct mt_loop *loop, struct mt_http *http,
                       const struct mt_app_config *config, struct mt_fault *fault) MT_CHECKED;
void mt_app_retain(struct mt_app *app);
void mt_app_release(struct mt_app *app);
/* Whoever opened it does not need it any more; NULL is fine. */
void mt_app_close(struct mt_app *app);
/* The cloud refused the credentials (AUTH, DENIED, NOT_FOUND), or failed otherwise and is left in
 * peace for a while. */
void mt_app_failed(struct mt_app *app, const struct mt_fault *fault);
/* Whether it may be asked now; *fault says why not. */
enum mt_rc mt_app_may_ask(const struct mt_app *app, struct mt_fault *fault) MT_CHECKED;

/* ask: size bytes, struct mt_app_ask first; freed when it has ended. NULL when memory is short. */
struct mt_app_ask *mt_app_ask_new(struct mt_app *app, size_t size, const char *user,
                                  mt_app_token_fn *done, void *ud);
/* Sends a request; its result goes to answer, unless the ask was cancelled. */
void mt_app_ask_send(struct mt_app_ask *ask, const struct mt_http_request *request);
/* Tells at the next turn. token is wiped by the caller; NULL with a fault. */
void mt_app_ask_end(struct mt_app_ask *ask, enum mt_rc rc, const char *token, size_t len,
                    const struct mt_fault *fault);
/* done follows with MT_ERR_CANCELLED; not after done. */
void mt_app_ask_cancel(struct mt_app_ask *ask);

#endif

/* The account and its calls, as the files of this room see them.
 *
 * A call is one verb in progress (provider/call.h). It waits for the session (service discovery and
 * token) and sends one or several requests. A request that the cloud answers with 401
 * makes the session renew the token once and is sent again; whatever else comes is given to the
 * call's answer. */
#ifndef MT_EASEMOB_ACCOUNT_INT_H
#define MT_EASEMOB_ACCOUNT_INT_H

#include "http/http.h"
#include "provider/call.h"
#include "provider/cloud_clock.h"
#include "provider/easemob/faults_int.h"
#include "provider/easemob/roaming_int.h"
#include "provider/provider.h"

struct mt_app_ask;
struct mt_arena;
struct mt_buf;
struct mt_em_listing;
struct mt_em_live;
struct mt_map;

#define MT_EM_HOSTS_MAX 8
#define MT_EM_URL_MAX   4096

/* A token in force. Requests on the wire hold it, so that a renewal does not pull it away from
 * under them. */
struct mt_em_token {
    struct mt_secret *secret;
    unsigned refs;
    uint64_t generation;
    int64_t since_ms; /* when it was given to us */
    bool proven;      /* the cloud accepted it at least once */
};

enum mt_em_stage { MT_EM_STAGE_NONE, MT_EM_STAGE_DISCOVERY, MT_EM_STAGE_LOGIN };

struct mt_em_session {
    enum mt_em_stage stage; /* what is on its way; NONE: nothing */
    bool discovered;        /* api is known */
    size_t discovery_at;    /* index of the base being asked */
    char (*hosts)[300];     /* of discovery; an account of thousands has one or none */
    size_t hosts_n;
    char websocket[300]; /* from discovery; "" */
    size_t host_at;
    struct mt_em_token *token; /* NULL: not logged in */
    struct mt_http_call *http;
    struct mt_app_ask *ask; /* for a token from the app */
    bool refused;           /* the cloud refused user and password, or app: not asked again */
    enum mt_em_stage ended_in;
    struct mt_fault fault;       /* of the last failure */
    struct mt_fault last_base;   /* discovery: why the last base failed */
    struct mt_cloud_clock clock; /* by the Date header of the last answer */
};

struct mt_provider_account {
    unsigned refs;
    bool closed;
    struct mt_loop *loop;
    struct mt_http *http;
    struct mt_http_bucket *bucket; /* shared by the app key; belongs to http */
    char *name;
    char *appkey;
    char *org_app; /* "org/app", escaped */
    char *user;    /* folded */
    char *user_escaped;
    char *rest; /* as configured, without trailing slash; NULL: discovery */
    char **discovery;
    size_t discovery_n;
    double rate_per_s;  /* as configured; < 0: the default for the host */
    int64_t timeout_ms; /* as configured; 0: the default */
    char *device;       /* of live sessions */
    int platform;
    bool delivery_receipts;
    struct mt_secret *configured_token;
    struct mt_secret *password;
    struct mt_provider_app *app; /* NULL: none */
    char api[300];               /* "https://a1.easemob.com"; "" until known */
    struct mt_em_session session;
    struct mt_map *warned; /* ids whose capitals were warned of */
    struct mt_em_bounds bounds;
    struct mt_em_decoder decoder;
    int form; /* the conversation list that this app offers (enum mt_em_form); -1: not known yet */
    struct mt_em_listing *listings;
    uint64_t listings_made;
    char *websocket;         /* as configured; NULL: discovery */
    struct mt_em_live *live; /* NULL: not live */
    struct mt_call_list calls;
};

/* A call that sends requests. */
struct mt_em_call {
    struct mt_provider_call life; /* first */
    /* What came, unless it was a 401 that a renewal cured. */
    void (*answer)(struct mt_provider_call *call, enum mt_rc rc,
                   const struct mt_http_response *response, const struct mt_fault *fault);
    enum mt_em_feature feature; /* for the words of its faults */
    enum mt_http_retry retry;   /* default: safe */
    struct mt_http_call *http;
    struct mt_em_token *token; /* of the request on the wire */
    bool renewed;
};

/* account.c */
void mt_em_account_retain(struct mt_provider_account *account);
void mt_em_account_release(struct mt_provider_account *account);
void mt_em_account_set_api(struct mt_provider_account *account, const char *api);

/* call.c: both for a struct mt_em_call. */
/* path stands behind {api}/{org}/{app}; body NULL for none. A failure to send ends the call. */
void mt_em_call_send(struct mt_provider_call *life, const char *method, const char *path,
                     const struct mt_buf *body);
/* As send, for a request whose url, bearer and bucket are not set yet (and its times, unless they
 * are). A path that begins with '/' stands behind {api}. progress gets the call. */
void mt_em_call_request(struct mt_provider_call *life, const char *path,
                        const struct mt_http_request *request);

/* session.c */
bool mt_em_session_ready(const struct mt_provider_account *account);
/* Makes the session and resumes every waiting call. */
void mt_em_session_want(struct mt_provider_account *account);
/* The token of that generation was refused. True: a renewal is on its way (or done), the call shall
 * wait. */
bool mt_em_session_renew(struct mt_provider_account *account, const struct mt_em_token *refused);
void mt_em_session_stop(struct mt_provider_account *account);
/* before: the one that it takes the place of, or NULL. NULL when memory is short. */
struct mt_em_token *mt_em_token_new(const char *bytes, size_t len,
                                    const struct mt_em_token *before);
void mt_em_token_release(struct mt_em_token *token);

/* discovery.c */
void mt_em_discovery_start(struct mt_provider_account *account);
bool mt_em_loopback(const char *url);
/* session.c, called by discovery when it ended. */
void mt_em_session_discovered(struct mt_provider_account *account, enum mt_rc rc,
                              const struct mt_fault *fault);
/* The hosts of a server.json that can be used (§1.2); the number found. websocket is left alone
 * when it names none. */
size_t mt_em_discovery_parse(const char *text, size_t len, bool plain, char hosts[][300],
                             size_t max, char websocket[300]);

/* can.c */
struct mt_can_answer mt_em_can(const struct mt_provider_account *account,
                               enum mt_capability capability);

/* verbs */
enum mt_rc mt_em_login(struct mt_provider_account *account,
                       void (*done)(void *ud, enum mt_rc rc, const struct mt_fault *fault),
                       void *ud, struct mt_provider_call **out);
enum mt_rc mt_em_history(struct mt_provider_account *account, const struct mt_history_query *query,
                         void (*done)(void *ud, enum mt_rc rc, const struct mt_history_page *page,
                                      const struct mt_fault *fault),
                         void *ud, struct mt_provider_call **out);
enum mt_rc
mt_em_conversations(struct mt_provider_account *account, const struct mt_conversations_query *query,
                    void (*done)(void *ud, enum mt_rc rc, const struct mt_conversations_page *page,
                                 const struct mt_fault *fault),
                    void *ud, struct mt_provider_call **out);
enum mt_rc mt_em_doctor(struct mt_provider_account *account,
                        void (*each)(void *ud, const struct mt_check *check),
                        void (*done)(void *ud, enum mt_rc rc, const struct mt_fault *fault),
                        void *ud, struct mt_provider_call **out);
/* Folds single targets with a warning; INVALID for kinds that Easemob has not. */
enum mt_rc mt_em_normalise(const struct mt_provider_account *account,
                           struct mt_conversation_ref *ref, bool *changed, struct mt_fault *fault);

#endif

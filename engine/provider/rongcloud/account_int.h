/* The account, its connection and its calls, as the files of this room see them.
 *
 * A call is one verb in progress (provider/call.h). It waits for the connection, which is made when
 * first needed: where the cloud is (navi.c), the WebSocket and its greeting (link.c), then requests
 * and answers by their ids (wire.c). A request whose answer was lost with the connection is sent
 * again if it only reads; what changes something never is. An account that is not live closes its
 * connection when nobody has needed it for a while. */
#ifndef MT_RONGCLOUD_ACCOUNT_INT_H
#define MT_RONGCLOUD_ACCOUNT_INT_H

#include "provider/call.h"
#include "provider/cloud_clock.h"
#include "provider/live.h"
#include "provider/provider.h"

struct mt_app_ask;
struct mt_http_call;
struct mt_http_response;
struct mt_rong_call;
struct mt_rong_echo;
struct mt_rong_frame;
struct mt_rong_keys;
struct mt_rong_live;
struct mt_rong_model;
struct mt_rong_storages;
struct mt_timer;
struct mt_ws_conn;

#define MT_RONG_USER_MAX      65 /* with NUL */
#define MT_RONG_DEVICE_MAX    96
#define MT_RONG_ADDRESS_MAX   300
#define MT_RONG_ADDRESSES_MAX 16
#define MT_RONG_FRAME_MAX     ((size_t)16 * 1024 * 1024)
#define MT_RONG_TOPIC_MAX     64
#define MT_RONG_TARGET_MAX    160
/* Of which version of the SDK the cloud takes us to be: what it answers depends on it. */
#define MT_RONG_SDK_VERSION "5.38.0"

/* What navigation said (rongcloud.md 1.2). */
struct mt_rong_navi {
    char (*addresses)[MT_RONG_ADDRESS_MAX]; /* "ws://host:port", the best first */
    size_t addresses_n;
    unsigned version;       /* of the protocol: 3 or 4 */
    bool direct;            /* openHistoryMsg 0: messages come in the push itself */
    bool session_driven;    /* sesDriven: read times go through updRTime */
    bool server_unread;     /* serverSaveUnread: the cloud counts what is unread */
    bool recall_refactor;   /* supportRecallRefactor */
    bool ultra;             /* ugMsg bit 0: ultra groups are on */
    bool ultra_in_list;     /* sessionCfg bit 0: and stand in the list of conversations */
    bool default_channel;   /* ugDriven bit 1: the empty channel is called RCDefault */
    bool realtime;          /* sessionMode bit 0: realtime conversations */
    int receipts;           /* grpRRVer: 0, 1, 3, 4 */
    int64_t modify_minutes; /* msgModifyMinute; 0: it does not say */
    struct mt_rong_storages *storages; /* ossConfig, uploadServer; NULL: it names none */
    int ip_type;
    int64_t fetched_ms; /* monotonic; 0: not asked yet */
};

enum mt_rong_stage {
    MT_RONG_OFF,   /* nobody needs it */
    MT_RONG_TOKEN, /* the app's credentials make one */
    MT_RONG_NAVIGATING,
    MT_RONG_DIALING,
    MT_RONG_GREETING, /* open, its CONNACK is waited for */
    MT_RONG_ONLINE,
    MT_RONG_RESTING, /* until the next attempt */
};

struct mt_rong_link {
    enum mt_rong_stage stage;
    enum mt_rong_stage failed_in;
    struct mt_fault reason;  /* why the last navigator or address failed */
    struct mt_fault refused; /* and is not asked again until then; kind MT_OK: not */
    int64_t refused_until_ms;
    struct mt_app_ask *asking; /* for a token */
    struct mt_http_call *http; /* of navigation */
    size_t navigator_at;
    size_t address_at;
    struct mt_ws_conn *conn;
    struct mt_timer *timer; /* deadline of the stage, or the rest before the next attempt */
    struct mt_timer *beat;  /* pings, deadlines of requests */
    int64_t beat_due_ms;
    int64_t ping_due_ms;         /* when the next ping is sent, or the one sent is missed */
    int64_t online_ms;           /* since when */
    int64_t needed_ms;           /* when somebody last needed it */
    struct mt_cloud_clock clock; /* by the greeting */
    int64_t heard_wall_ms;
    struct mt_rong_call *wire;   /* waiting for their answers */
    struct mt_rong_echo *echoes; /* of other devices, waiting for their PUBACK */
    unsigned echoes_n;
    unsigned conns_n; /* that the client has not let go of */
    unsigned pings_n; /* sent and not answered */
    unsigned attempts, redirects;
    uint16_t last_id;
    bool renewed;  /* the token is a new one, which did not work yet */
    bool navigate; /* what navigation said is not to be used again: a redirect */
};

struct mt_provider_account {
    unsigned refs;
    bool closed;
    struct mt_loop *loop;
    struct mt_http *http;
    enum mt_rc (*websockets)(void *ud, struct mt_ws_client **out, struct mt_fault *fault);
    void *websockets_ud;
    struct mt_ws_client *ws; /* NULL: not needed yet */
    char *name;
    char *appkey;
    char *user;
    char *device;        /* as configured */
    char device_id[23];  /* of a session: always the same for a device of a user */
    char visitor_id[23]; /* of a mere call: another each time, which ends nobody's session */
    char **navigators;
    size_t navigators_n;
    struct mt_provider_app *app; /* NULL, or what makes tokens */
    struct mt_secret *token;     /* NULL: to be made; whole, with the hosts behind its '@' */
    struct mt_secret *opaque;    /* without them: to its '@' if it has one (1.4) */
    int64_t timeout_ms;          /* as configured; 0: the default */
    struct mt_rong_navi navi;
    struct mt_rong_link link;
    struct mt_rong_live *live;     /* NULL: not live */
    struct mt_rong_model *model;   /* of its conversations (model_int.h); NULL: nothing is known */
    struct mt_rong_model *priming; /* one that takes its place soon; NULL: none */
    char **media_hosts; /* where attachments may be fetched besides the cloud's own storages */
    size_t media_hosts_n;
    bool unreads_pulled, unreads_again;          /* pullSe is on its way; and once more after it */
    struct mt_rong_keys *keys_read, *keys_heard; /* messages of which more is known (keys_int.h) */
    struct mt_call_list calls;                   /* each of them a struct mt_rong_call */
    uint64_t sends_n; /* so far: a part of the ids that they get here (4.4) */
};

/* ---------------------------------------------------------------- calls and requests */

struct mt_rong_answer {
    const uint8_t *payload; /* of a query; lives until answer returns */
    size_t len;
    int64_t time_ms; /* of a publish: when the cloud took the message */
    const char *uid; /* and its id; "" if none */
};

struct mt_rong_request {
    bool publish; /* PUBLISH; else QUERY */
    bool qos0;    /* of a publish: the topics marked P0 (3), which are answered all the same */
    bool silent;  /* no answer comes: that of status messages is made up at once */
    bool reads;   /* sent again when its answer was lost */
    const char *topic;
    const char *target;  /* NULL: the own user */
    const void *payload; /* copied */
    size_t len;
};

struct mt_rong_call {
    struct mt_provider_call life; /* first */
    const char *verb; /* "history", "send": its faults are "history.timeout", "send.unknown" */
    /* Exactly one of the two is not NULL, except that a status of the cloud's comes with both. */
    void (*answer)(struct mt_provider_call *call, const struct mt_rong_answer *answer,
                   const struct mt_fault *fault);
    unsigned patience; /* how many failed connections and lost answers it endures; 0: 5 */
    bool hasty;        /* fails after half a minute without a connection; else after two minutes */
    /* The connection's own. */
    struct mt_rong_call *next_on_wire;
    uint16_t id;
    bool on_wire, publish, reads;
    unsigned tries, refusals;
    int64_t rest_ms;     /* asked again then: the cloud was busy; 0: it does not rest */
    int64_t deadline_ms; /* on the wire: of the answer; waiting: of the connection; 0: not set */
};

/* wire.c. Sends a request of a call whose step was called; what it then has to answer comes to
 * answer, one at a time. When the connection was lost meanwhile, step is called again. */
void mt_rong_ask(struct mt_provider_call *life, const struct mt_rong_request *request);
/* For a follow-up when its connection may be gone: calls step now or when there is one. */
void mt_rong_again(struct mt_provider_call *life);

/* account.c */
void mt_rong_account_retain(struct mt_provider_account *account);
void mt_rong_account_release(struct mt_provider_account *account);

enum mt_rc mt_rong_set_token(struct mt_provider_account *account, const char *bytes,
                             size_t len) MT_CHECKED;

/* token.c: from the app's credentials; mt_rong_tokened follows. */
void mt_rong_token_ask(struct mt_provider_account *account);
/* The token was refused. True: another one can be had. */
bool mt_rong_token_renew(struct mt_provider_account *account, const struct mt_fault *fault);
void mt_rong_token_stop(struct mt_provider_account *account);

/* navi.c: asks unless what it said is still of use (1.3), then calls mt_rong_navigated. */
void mt_rong_navigate(struct mt_provider_account *account);
void mt_rong_navi_stop(struct mt_provider_account *account);
/* Reads an answer (1.2). plain: the navigator was asked over http. MT_ERR_PROTOCOL: it is none, or
 * names no usable address; *code is what the answer's own code says then (200: fine). */
enum mt_rc mt_rong_navi_parse(const char *text, size_t len, bool plain, struct mt_rong_navi *out,
                              int *code) MT_CHECKED;
void mt_rong_navi_free(struct mt_rong_navi *navi);

/* link.c */
/* The cloud refused this account, and is not asked again yet. */
bool mt_rong_refused(const struct mt_provider_account *account, struct mt_fault *fault);
bool mt_rong_ready(const struct mt_provider_account *account);
void mt_rong_want(struct mt_provider_account *account);
void mt_rong_tokened(struct mt_provider_account *account, enum mt_rc rc,
                     const struct mt_fault *fault);
void mt_rong_navigated(struct mt_provider_account *account, enum mt_rc rc,
                       const struct mt_fault *fault);
/* The connection is of no use any more: made again after a rest if somebody needs it. */
void mt_rong_lose(struct mt_provider_account *account, const struct mt_fault *fault);
/* The cloud does not want this account: waiting calls fail, a live session ends. */
void mt_rong_refuse(struct mt_provider_account *account, enum mt_event_type type,
                    const struct mt_fault *fault);
void mt_rong_redirect(struct mt_provider_account *account);
void mt_rong_greeted(struct mt_provider_account *account, const struct mt_rong_frame *frame);
/* The cloud's time now, as far as its greeting and its answers told it. */
int64_t mt_rong_cloud_ms(const struct mt_provider_account *account);
/* Nobody needs it any more. */
void mt_rong_off(struct mt_provider_account *account);
/* The session does not: closed unless calls do. */
void mt_rong_off_live(struct mt_provider_account *account);
/* The beat comes in so long at the latest. */
void mt_rong_beat_in(struct mt_provider_account *account, int64_t ms);
/* Whether an error is one that another attempt may cure. */
bool mt_rong_passing(const struct mt_fault *fault);
enum mt_rc mt_rong_link_init(struct mt_provider_account *account);
void mt_rong_link_deinit(struct mt_provider_account *account);

/* wire.c */
void mt_rong_frame_in(struct mt_provider_account *account, const void *p, size_t len);
void mt_rong_send_frame(struct mt_provider_account *account, const struct mt_rong_frame *frame);
void mt_rong_ping(struct mt_provider_account *account);
/* What was on its way is not any more: asked again or unknown. */
void mt_rong_wire_lost(struct mt_provider_account *account);
void mt_rong_wire_overdue(struct mt_provider_account *account, int64_t now_ms);
void mt_rong_echoes_free(struct mt_rong_link *link);

/* ---------------------------------------------------------------- verbs */

enum mt_rc mt_rong_login(struct mt_provider_account *account, mt_done_fn *done, void *ud,
                         struct mt_provider_call **out);
enum mt_rc mt_rong_doctor(struct mt_provider_account *account,
                          void (*each)(void *ud, const struct mt_check *check), mt_done_fn *done,
                          void *ud, struct mt_provider_call **out);
enum mt_rc mt_rong_normalise(const struct mt_provider_account *account,
                             struct mt_conversation_ref *ref, bool *changed,
                             struct mt_fault *fault);
struct mt_can_answer mt_rong_can(const struct mt_provider_account *account,
                                 enum mt_capability capability);

#endif

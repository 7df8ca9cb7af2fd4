/* A cloud that does what the test says: a server on 127.0.0.1 that navigates to itself and speaks
 * the frames of rongcloud.md 2, and an account on it. Time goes fifty times as fast. */
#ifndef TESTS_RONGCLOUD_CLOUD_H
#define TESTS_RONGCLOUD_CLOUD_H

#include "http/http.h"
#include "loop/loop.h"
#include "provider/rongcloud/account_int.h"
#include "provider/rongcloud/frame_int.h"
#include "ws/client.h"
#include "ws/server.h"

#define CLOUD_SPEED  50
#define CLOUD_OPENS  256
#define CLOUD_EVENTS 512
#define CLOUD_FRAMES 2048

extern const struct mt_provider mt_provider_rongcloud;

struct cloud;

struct cloud_open {
    int64_t at_ms, closed_ms;
    char query[1024];
};

struct cloud_frame { /* that came */
    enum mt_rong_frame_type type;
    unsigned qos;
    uint16_t id;
    char topic[32], target[64];
    size_t payload_len;
    size_t open; /* which connection */
    int64_t at_ms;
};

struct cloud_event {
    enum mt_event_type type;
    char code[48];
    int provider_code;
    char id[MT_ID_MAX], text[64], conversation[MT_CONVERSATION_ID_MAX];
    bool ended; /* data.ended */
    int64_t away_ms;
};

struct cloud {
    struct mt_loop *loop;
    struct mt_http *http;
    struct mt_ws_client *ws;
    struct mt_ws_server *server;
    struct mt_provider_account *account;
    struct mt_timer *until, *step;
    bool (*done)(struct cloud *cloud);

    /* What the test says. */
    int navi_status;       /* 0: 200 */
    const char *navi_body; /* NULL: itself as server, and flags */
    const char *flags;     /* further members of that answer: "\"openAnti\":1"; NULL: none */
    unsigned connack;      /* its status; 255: none comes */
    uint16_t first_id;     /* of a greeting of version 4; 0: it says none */
    const char *user;      /* that the greeting names */
    bool mute;             /* pings are not answered */
    bool stop_at_end;      /* the session is stopped by who is told of its end */
    bool hold;             /* batches are kept in held, not done */
    /* Answers a request; false: as usual. */
    bool (*answer)(struct cloud *cloud, struct mt_ws_peer *peer, const struct mt_rong_frame *frame);
    void (*greeted)(struct cloud *cloud, struct mt_ws_peer *peer); /* after each CONNACK */

    size_t navis_n;
    char navi_headers[512], navi_request[1024];
    struct cloud_open opens[CLOUD_OPENS];
    size_t opens_n, open_now_n;
    struct cloud_frame frames[CLOUD_FRAMES];
    size_t frames_n;
    struct mt_ws_peer *peer; /* the latest */
    struct cloud_event events[CLOUD_EVENTS];
    size_t events_n, ended_n;
    struct mt_event_batch *held[32];
    size_t held_n;
    unsigned waiting; /* calls that have not ended */
    enum mt_rc rc;    /* of the latest */
    struct mt_fault fault;
    size_t answers_n;
    char answer_uid[64];
    int64_t answer_ms;
    void *ud;
    size_t step_n; /* the test's own count */
};

/* token NULL: "opaque@". */
void cloud_begin(struct cloud *cloud, const char *token);
/* The same with navigators of the test's own. */
void cloud_begin_at(struct cloud *cloud, const char *token, const char *const *navigators);
void cloud_live(struct cloud *cloud);
void cloud_live_from(struct cloud *cloud, int64_t last_ms, const char *position);
void cloud_end(struct cloud *cloud);
/* Runs until done says so; red after that much of the cloud's time. NULL: for just so long. */
void cloud_run(struct cloud *cloud, bool (*done)(struct cloud *cloud), int64_t ms);
size_t cloud_count(const struct cloud *cloud, enum mt_event_type type);
const struct cloud_event *cloud_last(const struct cloud *cloud, enum mt_event_type type);
/* How often a request of that topic came (NULL: a frame of that type). */
size_t cloud_asked(const struct cloud *cloud, const char *topic);
size_t cloud_frames(const struct cloud *cloud, enum mt_rong_frame_type type);

/* A request of the account; the cloud counts it in waiting until it has ended. */
struct mt_provider_call *cloud_ask(struct cloud *cloud, const struct mt_rong_request *request,
                                   const char *verb, unsigned patience);
void cloud_login(struct cloud *cloud);

/* What the cloud says. */
void cloud_send(struct cloud *cloud, struct mt_ws_peer *peer, const struct mt_rong_frame *frame);
void cloud_queryack(struct cloud *cloud, struct mt_ws_peer *peer, uint16_t id, unsigned status,
                    const void *payload, size_t len);
void cloud_puback(struct cloud *cloud, struct mt_ws_peer *peer, uint16_t id, unsigned status,
                  const char *uid);
void cloud_push(struct cloud *cloud, struct mt_ws_peer *peer, const char *topic,
                const void *payload, size_t len);
void cloud_notify(struct cloud *cloud, struct mt_ws_peer *peer, const char *topic, int type,
                  int64_t time_ms);
void cloud_disconnect(struct cloud *cloud, struct mt_ws_peer *peer, unsigned status);

/* A text message of "bob" to the account, or the other way; its bytes' length. */
struct cloud_text {
    const char *id, *text;
    int64_t time_ms;
    bool sent;
};
size_t cloud_text_pack(const struct cloud_text *text, uint8_t *out, size_t cap);
/* The answer to a pull. */
void cloud_pulled(struct cloud *cloud, struct mt_ws_peer *peer, uint16_t id,
                  const struct cloud_text *texts, size_t n, int64_t sync_ms, bool finished);

#endif

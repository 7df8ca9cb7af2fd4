/* A cloud that answers a live session as the test says: two WebSocket servers on 127.0.0.1, the
 * first of which also issues tokens, and an account that is live on it. Time goes fifty times as
 * fast. */
#ifndef TESTS_EASEMOB_CLOUD_H
#define TESTS_EASEMOB_CLOUD_H

#include "http/http.h"
#include "loop/loop.h"
#include "provider/live.h"
#include "ws/client.h"
#include "ws/server.h"

#include "msync.pb-c.h"

#define CLOUD_SPEED  50
#define CLOUD_OPENS  512
#define CLOUD_EVENTS 256

struct cloud;

struct cloud_open {
    int server;
    int64_t at_ms, closed_ms;
    char token[64], resource[64];
};

struct cloud_event {
    enum mt_event_type type;
    char code[48];
    int provider_code;
    bool retryable;
    uint64_t id;
    int64_t at_ms;
};

struct cloud {
    struct mt_loop *loop;
    struct mt_http *http;
    struct mt_ws_client *ws;
    struct mt_ws_server *servers[2];
    struct mt_provider_account *account;
    struct mt_timer *until, *step;
    bool (*done)(struct cloud *cloud);

    /* What the test says. Answers one frame of the client; NULL: agrees to everything. */
    void (*answer)(struct cloud *cloud, struct mt_ws_peer *peer, const Easemob__Pb__MSync *frame);
    int64_t expires_in_ms; /* of a provision that is agreed to; 0: says nothing */
    const char *resource;  /* that is given; NULL: the one asked for */
    int token_status;      /* of the answers to logins; 0: 200 */

    struct cloud_open opens[CLOUD_OPENS];
    size_t opens_n, open_now_n, logins_n;
    size_t unreads_n, pulls_n, logouts_n;
    char logout_resource[64];
    struct mt_ws_peer *peer; /* the latest */
    struct cloud_event events[CLOUD_EVENTS];
    size_t events_n, ended_n;
    void *ud;
};

/* Both or one of token and password. */
void cloud_begin(struct cloud *cloud, const char *token, const char *password);
/* The account goes live at once. */
void cloud_live(struct cloud *cloud);
void cloud_end(struct cloud *cloud);
/* Runs until done says so; red after that much of the cloud's time. NULL: for just so long. */
void cloud_run(struct cloud *cloud, bool (*done)(struct cloud *cloud), int64_t ms);
size_t cloud_count(const struct cloud *cloud, enum mt_event_type type);
const struct cloud_event *cloud_last(const struct cloud *cloud, enum mt_event_type type);
uint16_t cloud_port(const struct cloud *cloud, int server);

/* What a cloud says. */
void cloud_agree(struct cloud *cloud, struct mt_ws_peer *peer, const Easemob__Pb__MSync *frame);
void cloud_send(struct mt_ws_peer *peer, int command, const void *payload, size_t len);
void cloud_provision(struct cloud *cloud, struct mt_ws_peer *peer, int code, const char *reason,
                     const char *host, unsigned port);
void cloud_unread(struct mt_ws_peer *peer, const char *const *queues, size_t n);
void cloud_notice(struct mt_ws_peer *peer, const char *queue, const char *resource);
/* The answer to a pull of queue: text messages with these ids. */
void cloud_batch(struct mt_ws_peer *peer, const char *queue, const uint64_t *ids, size_t n,
                 uint64_t next_key);
void cloud_statistic(struct mt_ws_peer *peer, int operation, const char *reason);

#endif

/* A small blocking client of the RongCloud side, over a real socket. Frames that the server sends
 * by itself and that nobody waits for yet are kept. */
#ifndef TESTS_UNIT_SANDBOX_RONG_CLIENT_H
#define TESTS_UNIT_SANDBOX_RONG_CLIENT_H

#include "client.h"
#include "rongcloud.pb-c.h"

#define RONG_PENDING 256

struct rong {
    struct socket socket;
    char user[64];
    uint16_t id; /* of the newest request */
    struct rong_frame {
        uint8_t *p;
        size_t len;
    } pending[RONG_PENDING];
    size_t pending_n;
};

/* POST /v2/navi.json with that token. */
struct answer rong_navi(const struct server *server, const char *appkey, const char *token);
/* Opens the WebSocket with the token; the CONNACK stands in *frame. The caller frees it. */
struct socket rong_dial(const struct server *server, const char *token, const char *device,
                        int version, uint8_t **frame, size_t *len);
/* Logs in as "sandbox-USER"; fails the test if refused. */
struct rong *rong_login(const struct server *server, const char *user, const char *device);
void rong_close(struct rong *rong);
/* POST /sandbox/rongcloud, which must be taken. */
void rong_set(const struct server *server, const char *spec);

struct rong_reply {
    int status;
    uint8_t *p; /* of a QUERYACK */
    size_t len;
    int64_t ts_ms; /* of a PUBACK */
    char uid[64];
};
/* A QUERY or a PUBLISH, and the answer to it; the caller frees p. status -1: the socket closed. */
struct rong_reply rong_query(struct rong *rong, const char *topic, const char *target,
                             const ProtobufCMessage *in);
struct rong_reply rong_publish(struct rong *rong, const char *topic, const char *target,
                               const ProtobufCMessage *in);
/* Sends a request and does not wait. */
void rong_write(struct rong *rong, uint8_t head, const char *topic, const char *target,
                const void *p, size_t len);
/* A text message; the reply must be a success. */
struct rong_reply rong_text(struct rong *rong, const char *topic, const char *target,
                            const char *text);
/* A message of that object name, with sessionId. */
struct rong_reply rong_send(struct rong *rong, const char *topic, const char *target,
                            const char *name, const char *content, int session_id);
/* The next frame that is no answer; NULL when the socket closed. The caller frees. */
uint8_t *rong_receive(struct rong *rong, size_t *len);
/* The next PUBLISH of that topic, others are passed over: its body, after *head. */
uint8_t *rong_pushed(struct rong *rong, const char *topic, uint8_t *head, size_t *len);
/* The type of the next NotifyMsg on that topic. */
int rong_notice(struct rong *rong, const char *topic);
/* Everything that the server sent before answers has come: how many frames wait. */
size_t rong_settle(struct rong *rong);

Rongcloud__DownStreamMessages *rong_pull(struct rong *rong, int64_t inbox, int64_t sendbox);
Rongcloud__HistoryMsgOuput *rong_history(struct rong *rong, const char *topic, const char *target,
                                         int64_t time, int count, int order);
Rongcloud__RelationsOutput *rong_list(struct rong *rong, int count, int64_t start, int order);
/* The content of a message is that text. */
void rong_is_text(const Rongcloud__DownStreamMessage *message, const char *text);

#endif

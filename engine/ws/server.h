/* HTTP and WebSocket server on loopback: the server half of the one user of libwebsockets. Made for
 * the sandbox: correct keep-alive, bodies on any method, binary and text WebSocket messages, and
 * faults on purpose. */
#ifndef MT_WS_SERVER_H
#define MT_WS_SERVER_H

#include "base/rc.h"

#include <stddef.h>
#include <stdint.h>

struct mt_loop;
struct mt_ws_server;
struct mt_ws_exchange; /* one HTTP request and its answer */
struct mt_ws_peer;     /* one WebSocket connection */

struct mt_ws_request {
    const char *method;
    const char *path;          /* decoded? no: as received, without the query */
    const char *query;         /* as received, "" if none */
    const char *authorization; /* "" if none */
    const char *content_type;
    const void *body;
    size_t body_len;
};

struct mt_ws_server_handlers {
    /* A complete request. Answer now or later with mt_ws_answer; the request's strings live until
     * then. */
    void (*request)(void *ud, struct mt_ws_exchange *exchange, const struct mt_ws_request *request);
    /* The exchange is gone before it was answered (the client left). Do not touch it any more. */
    void (*abandoned)(void *ud, struct mt_ws_exchange *exchange);
    /* WebSocket: accept by returning true; *peer_ud is given back in the other two. */
    bool (*open)(void *ud, struct mt_ws_peer *peer, const char *path, const char *query,
                 void **peer_ud);
    void (*message)(void *ud, struct mt_ws_peer *peer, void *peer_ud, bool binary, const void *p,
                    size_t len);
    void (*closed)(void *ud, struct mt_ws_peer *peer, void *peer_ud);
};

struct mt_ws_server_options {
    const char *host;         /* "127.0.0.1"; anything that is not loopback is refused */
    uint16_t port;            /* 0: any free one */
    size_t max_body_bytes;    /* 0: 64 MiB */
    size_t max_message_bytes; /* 0: 16 MiB */
    size_t max_queue_bytes; /* per peer, not yet written; 0: 64 MiB. Beyond it the peer is closed */
};

enum mt_rc mt_ws_server_new(struct mt_loop *loop, const struct mt_ws_server_options *options,
                            const struct mt_ws_server_handlers *handlers, void *ud,
                            struct mt_ws_server **out, struct mt_fault *fault) MT_CHECKED;
uint16_t mt_ws_server_port(const struct mt_ws_server *server);
/* Closes all connections and drives the loop until the library has let go (ecosystem: order of
 * destruction). */
void mt_ws_server_free(struct mt_ws_server *server);

enum mt_ws_fault {
    MT_WS_FAULT_NONE,
    MT_WS_FAULT_CLOSE,     /* close without an answer */
    MT_WS_FAULT_TRUNCATE,  /* the whole Content-Length announced, half of the body sent, then closed
                            */
    MT_WS_FAULT_LENGTH,    /* a wrong (larger) Content-Length, then closed */
    MT_WS_FAULT_SLOW,      /* one byte a second */
    MT_WS_FAULT_HALF_OPEN, /* never answered, never closed */
};

struct mt_ws_answer {
    int status;
    const char *content_type;   /* NULL: application/json */
    const char *const *headers; /* further "Name: value", NULL-terminated; may be NULL */
    const void *body;           /* copied */
    size_t body_len;
    int64_t delay_ms; /* answer only after this */
    enum mt_ws_fault fault;
};
void mt_ws_answer(struct mt_ws_exchange *exchange, const struct mt_ws_answer *answer);

/* Queues one message; MT_ERR_LIMIT when the queue is full (the peer is then closed). */
enum mt_rc mt_ws_peer_send(struct mt_ws_peer *peer, bool binary, const void *p, size_t len);
void mt_ws_peer_close(struct mt_ws_peer *peer,
                      uint16_t code);         /* after what is queued; closed follows */
void mt_ws_peer_cut(struct mt_ws_peer *peer); /* at once, without a close frame */

#endif

/* HTTP and WebSocket server on loopback: the server half of the one user of libwebsockets. Made for
 * the sandbox: correct keep-alive and pipelining, bodies on any method, binary and text WebSocket
 * messages, and faults on purpose.
 *
 * The library accepts, reads, writes and speaks WebSocket; requests are read by a strict reader of
 * our own (RFC 9112), since the library's decodes and normalises what it reads. What could be
 * understood in two ways is refused, and never reaches the owner: 400 for a malformed head (no or
 * two Host, two lengths, length and transfer coding, a bare line feed, a folded header, a target
 * that does not begin with '/'), 411 for a chunked body, 413, 414 and 431 for what is over a cap
 * (body; target 8 KiB; head 16 KiB or 100 headers), 417, 426, 501, 505. The connection ends with
 * such an answer. */
#ifndef MT_WS_SERVER_H
#define MT_WS_SERVER_H

#include "base/rc.h"

#include <stddef.h>
#include <stdint.h>

struct mt_loop;
struct mt_ws_server;
struct mt_ws_exchange; /* one HTTP request and its answer */
struct mt_ws_peer;     /* one WebSocket connection */

struct mt_ws_field {
    const char *name;
    const char *value;
};

struct mt_ws_request {
    const char *method;
    const char *path;          /* as received: neither decoded nor normalised; without the query */
    const char *query;         /* as received, "" if none */
    const char *authorization; /* "" if none */
    const char *content_type;
    const void *body;
    size_t body_len;
    const struct mt_ws_field *fields; /* all headers, in their order */
    size_t fields_n;
};
/* The first header of that name, whatever its case; "" if there is none. */
const char *mt_ws_request_header(const struct mt_ws_request *request, const char *name);

struct mt_ws_server_handlers {
    /* A complete request. Answer now or later with mt_ws_answer; the request's strings live until
     * then. Requests of one connection come one after another, each after the answer before it. */
    void (*request)(void *ud, struct mt_ws_exchange *exchange, const struct mt_ws_request *request);
    /* The exchange is gone before it was answered (the client left, or closed its sending side, or
     * the server is being freed). Do not touch it any more. May be NULL, as may the next three. */
    void (*abandoned)(void *ud, struct mt_ws_exchange *exchange);
    /* WebSocket: accept by returning true; *peer_ud is given back in the other two. The upgrade is
     * answered by then: one that is not accepted is cut, and is not told to closed. path and query
     * are as received and live for the call. */
    bool (*open)(void *ud, struct mt_ws_peer *peer, const char *path, const char *query,
                 void **peer_ud);
    /* A whole message, joined from its fragments. One over max_message_bytes closes with 1009. The
     * library also takes a client's frame that is not masked, which RFC 6455 forbids. */
    void (*message)(void *ud, struct mt_ws_peer *peer, void *peer_ud, bool binary, const void *p,
                    size_t len);
    /* For every accepted peer, once, whoever ended it; the peer is gone after it. */
    void (*closed)(void *ud, struct mt_ws_peer *peer, void *peer_ud);
};

struct mt_ws_server_options {
    const char *host;         /* "127.0.0.1"; anything that is not loopback is refused */
    uint16_t port;            /* 0: any free one */
    size_t max_body_bytes;    /* 0: 64 MiB */
    size_t max_message_bytes; /* 0: 16 MiB */
    unsigned max_connections; /* one more is closed at once; 0: no bound */
    /* A connection that is not done with a request after so long is closed: one that is silent, one
     * that sends slowly, one that does not read; 0: never. */
    unsigned request_s;
    size_t max_queue_bytes; /* per peer, not yet written; 0: 64 MiB. Beyond it the peer is closed */
};

/* Listens, or says why not: ws.not_loopback, ws.listen, ws.context. options and handlers are
 * copied, but for the host. libwebsockets makes the process ignore SIGPIPE, and touches no other
 * signal. */
enum mt_rc mt_ws_server_new(struct mt_loop *loop, const struct mt_ws_server_options *options,
                            const struct mt_ws_server_handlers *handlers, void *ud,
                            struct mt_ws_server **out, struct mt_fault *fault) MT_CHECKED;
/* The port it listens on, also when a free one was asked for. */
uint16_t mt_ws_server_port(const struct mt_ws_server *server);
/* Closes all connections (abandoned and closed are called) and drives the loop until the library
 * has let go of it. Not from inside a handler. NULL is fine. */
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
/* Answers an exchange, which is no longer the owner's then; a second answer is ignored. HEAD gets
 * no body. Everything is copied before it returns. */
void mt_ws_answer(struct mt_ws_exchange *exchange, const struct mt_ws_answer *answer);

/* Queues one message (copied); MT_ERR_LIMIT when the queue is full (the peer is then cut),
 * MT_ERR_STATE once it was told to close. Never calls back before it returns. */
enum mt_rc mt_ws_peer_send(struct mt_ws_peer *peer, bool binary, const void *p, size_t len);
/* A close frame with that code after what is queued; closed follows, at the latest when the client
 * has not answered for five seconds. */
void mt_ws_peer_close(struct mt_ws_peer *peer, uint16_t code);
/* Ends the connection at once, without a close frame and without what is queued; closed follows. */
void mt_ws_peer_cut(struct mt_ws_peer *peer);

#endif

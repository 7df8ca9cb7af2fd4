/* WebSocket client connections, thousands in one process: the client half of the one user of
 * libwebsockets. One mt_ws_client a loop; it limits how many connections are being made at a time
 * and in a second, so that a storm of reconnects does not starve the loop (a TLS handshake costs
 * 0.7 ms of CPU, ecosystem.md §3.2).
 *
 * Plain ws:// goes to loopback only. With wss:// the certificate and the host name are always
 * verified, TLS 1.2 at least. Redirects are not followed, no extension is offered. Everything
 * happens on the loop's thread, and no handler is called from inside a function of this file but
 * mt_ws_client_free. The library also takes a server's frame that is masked, which RFC 6455
 * forbids. */
#ifndef MT_WS_CLIENT_H
#define MT_WS_CLIENT_H

#include "base/rc.h"

#include <stddef.h>
#include <stdint.h>

struct mt_loop;
struct mt_ws_client;
struct mt_ws_conn;

struct mt_ws_client_options {
    unsigned max_connecting;      /* connections being made at a time; 0: 50 */
    unsigned connects_per_second; /* begun in a second; 0: 50 */
    const char *ca_file;          /* PEM. With either of the two, only these are trusted; with */
    const char *ca_dir;           /* neither, the system's */
    /* "http://[user:password@]host:port": wss:// goes through it, by CONNECT, and it looks the name
     * up. Loopback never does. NULL: what https_proxy and HTTPS_PROXY say; "": no proxy. */
    const char *https_proxy;
    /* Hosts to go to directly: "*", or names with commas between ("example.com" and ".example.com"
     * also stand for all names below). NULL: what no_proxy and NO_PROXY say. */
    const char *no_proxy;
};

/* MT_ERR_INVALID: ws.proxy; MT_ERR_IO: ws.context. The options are copied. The files of ca_file and
 * ca_dir are read when the first wss:// is made. libwebsockets makes the process ignore SIGPIPE. */
enum mt_rc mt_ws_client_new(struct mt_loop *loop, const struct mt_ws_client_options *options,
                            struct mt_ws_client **out, struct mt_fault *fault) MT_CHECKED;
/* Ends all connections (closed is called for each, cancelled), then drives the loop until the
 * library has let go of it. Not from inside a handler. NULL is fine. */
void mt_ws_client_free(struct mt_ws_client *client);

struct mt_ws_conn_options {
    const char *url;            /* ws:// or wss://, at most 2,048 bytes */
    const char *subprotocol;    /* NULL: none */
    const char *const *headers; /* further "Name: value", NULL-terminated; may be NULL */
    int64_t connect_timeout_ms; /* from the lookup of the name to the upgrade; 0: 10,000 */
    int64_t ping_ms;            /* a ping when nothing came for so long; 0: 25,000; < 0: never */
    unsigned dead_after_missed; /* so many pings without anything coming end it; 0: 2 */
    size_t max_message_bytes;   /* received; 0: 16 MiB. Beyond it closed with 1009 */
    size_t max_queue_bytes;     /* not yet written; 0: 4 MiB */
};

/* All may be NULL but closed. */
struct mt_ws_conn_handlers {
    void (*open)(void *ud, struct mt_ws_conn *conn);
    /* A whole message, joined from its fragments; p lives for the call. */
    void (*message)(void *ud, struct mt_ws_conn *conn, bool binary, const void *p, size_t len);
    /* Exactly once for each connection that mt_ws_conn_open gave, and last; conn is gone after it.
     * code: of the close frame that came from the server, 1005 if that had none; ours, if we closed
     * first; else 1006. fault: NULL unless code is 1006, else why it ended: network (ws.refused,
     * ws.lost, ws.lookup, tls.refused), timeout (ws.connect_timeout, ws.dead, ws.close_timeout),
     * limit (ws.message_too_long), cancelled (ws.cut), or what the server answered to the upgrade
     * (ws.upgrade, with http_status). */
    void (*closed)(void *ud, struct mt_ws_conn *conn, uint16_t code, const struct mt_fault *fault);
};

/* Queues a connection. MT_ERR_INVALID: ws.url, ws.insecure, ws.header. Everything is copied. */
enum mt_rc mt_ws_conn_open(struct mt_ws_client *client, const struct mt_ws_conn_options *options,
                           const struct mt_ws_conn_handlers *handlers, void *ud,
                           struct mt_ws_conn **out, struct mt_fault *fault) MT_CHECKED;
/* Queues one message (copied). MT_ERR_STATE if it is not open, or was told to close; MT_ERR_LIMIT
 * if the queue is full: the message is not taken then, and the connection goes on. */
enum mt_rc mt_ws_conn_send(struct mt_ws_conn *conn, bool binary, const void *p,
                           size_t len) MT_CHECKED;
size_t mt_ws_conn_queued_bytes(const struct mt_ws_conn *conn); /* not yet written */
/* A close frame with that code (1000, or 3000 to 4999) after what is queued; closed follows, at the
 * latest five seconds after the last progress. Nothing that comes meanwhile is handed out. Before
 * the connection is open: as mt_ws_conn_cut. */
void mt_ws_conn_close(struct mt_ws_conn *conn, uint16_t code);
/* Ends it at the next turn of the loop, without a close frame. */
void mt_ws_conn_cut(struct mt_ws_conn *conn);

/* How many connections wait to be made, are being made, and are open. */
struct mt_ws_client_counts {
    unsigned waiting_n, connecting_n, open_n;
};
struct mt_ws_client_counts mt_ws_client_count(const struct mt_ws_client *client);

#endif

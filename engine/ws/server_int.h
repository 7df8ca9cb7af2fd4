/* What the files of the server share. An accepted socket is first a raw connection of
 * libwebsockets, on which http.c reads one request after another; a WebSocket upgrade makes a new
 * connection of it, in the library's WebSocket role, which peer.c serves. Private to the room. */
#ifndef MT_WS_SERVER_INT_H
#define MT_WS_SERVER_INT_H

#include "base/buf.h"
#include "ws/head_int.h"
#include "ws/library_int.h"
#include "ws/server.h"

#include <libwebsockets.h>

struct mt_timer;

struct mt_ws_server {
    struct mt_loop *loop;
    struct mt_ws_library library;
    struct lws_vhost *vhost;    /* listens; raw */
    struct lws_vhost *ws_vhost; /* WebSockets are handed to it */
    struct mt_ws_server_options options;
    struct mt_ws_server_handlers handlers;
    void *ud;
    const struct mt_ws_head *upgrading; /* the request that is being handed over, else NULL */
    unsigned connections_n;             /* conns not yet destroyed */
    unsigned vhosts_n;                  /* vhosts not yet destroyed */
};

struct conn {
    struct mt_ws_server *server;
    struct lws *wsi;
    struct mt_ws_exchange *exchange; /* the request in hand, or NULL */
    struct mt_buf in;                /* received, and not yet part of an exchange */
    size_t searched;                 /* no end of a head before this place in in */
    bool wants_continue;             /* the client waits for "100 Continue" */
    bool deaf;                       /* the library was told not to read */
    bool lingering;                  /* answered for the last time; the rest is read and dropped */
    struct mt_ws_peer *peer;         /* after the upgrade, or NULL */
};

/* Makes a WebSocket of the connection's socket. The raw connection is to be closed then. */
void mt_ws_server_hand_over(struct conn *conn, const struct mt_ws_head *head);

/* http.c; -1 closes the connection */
void mt_ws_http_init(struct conn *conn);
int mt_ws_http_receive(struct conn *conn, const void *p, size_t len);
int mt_ws_http_writeable(struct conn *conn);
void mt_ws_http_gone(struct conn *conn);
/* From now on the next request is waited for, request_s at most. Returns 0. */
int mt_ws_http_await(struct lws *wsi);

/* answer.c: what is written for one exchange */
struct mt_ws_exchange {
    struct conn *conn;
    char *text; /* the head, cut up */
    struct mt_ws_head head;
    struct mt_buf body;
    struct mt_buf out; /* LWS_PRE bytes, then header and body */
    size_t out_at;
    size_t out_len; /* how much of out is to be written */
    struct mt_timer *timer;
    enum mt_ws_fault fault;
    bool dispatched;
    bool answered;
    bool ready;   /* may be written */
    bool refused; /* by us: close once the client has read why */
};
/* Writes what may be written now: 0 more is to come, 1 complete, -1 close. */
int mt_ws_answer_write(struct mt_ws_exchange *exchange);

/* peer.c */
int mt_ws_peer_open(struct conn *conn);
int mt_ws_peer_receive(struct conn *conn, const void *p, size_t len);
int mt_ws_peer_writeable(struct conn *conn);
int mt_ws_peer_timer(struct conn *conn);
void mt_ws_peer_gone(struct conn *conn);

#endif

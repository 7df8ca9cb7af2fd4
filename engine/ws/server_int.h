/* What the files of the server share: a connection is one lws wsi; it carries HTTP exchanges one
 * after another, or after an upgrade one WebSocket peer. Private to the room. */
#ifndef MT_WS_SERVER_INT_H
#define MT_WS_SERVER_INT_H

#include "base/buf.h"
#include "ws/server.h"

#include <libwebsockets.h>

struct mt_timer;

struct mt_ws_server {
    struct mt_loop *loop;
    struct lws_context *context;
    struct lws_vhost *vhost;
    struct mt_ws_server_options options;
    struct mt_ws_server_handlers handlers;
    void *ud;
    unsigned connections_n; /* conns not yet destroyed */
    bool vhost_gone;
    bool closing;
};

struct conn {
    struct mt_ws_server *server;
    struct lws *wsi;
    struct mt_ws_exchange *exchange; /* the request in hand, or NULL */
    struct mt_ws_peer *peer;         /* after the upgrade, or NULL */
};

/* http.c */
int mt_ws_http_begin(struct conn *conn, const char *path);
int mt_ws_http_body(struct conn *conn, const void *p, size_t len);
int mt_ws_http_complete(struct conn *conn);
int mt_ws_http_writeable(struct conn *conn);
void mt_ws_http_gone(struct conn *conn);
/* The query as text; the library hands it out in pieces. */
void mt_ws_http_query(struct lws *wsi, char *out, size_t size);

/* peer.c */
int mt_ws_peer_open(struct conn *conn);
int mt_ws_peer_receive(struct conn *conn, const void *p, size_t len);
int mt_ws_peer_writeable(struct conn *conn);
void mt_ws_peer_gone(struct conn *conn);

#endif

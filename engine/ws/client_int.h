/* What the files of the client share. A connection (mt_ws_conn) and the library's (a wsi) live for
 * different times; what ties them is the link, which belongs to the wsi and is the only thing the
 * library knows of us. Private to the room. */
#ifndef MT_WS_CLIENT_INT_H
#define MT_WS_CLIENT_INT_H

#include "base/buf.h"
#include "ws/client.h"
#include "ws/library_int.h"
#include "ws/url_int.h"

#include <libwebsockets.h>

struct mt_timer;

#define MT_WS_NO_CODE  1005
#define MT_WS_NO_CLOSE 1006

struct link {
    struct link *prev, *next; /* of all links of the client */
    struct mt_ws_client *client;
    struct mt_ws_conn *conn; /* NULL once the connection has ended */
};

/* TLS and a proxy are properties of a vhost of the library. */
enum route { ROUTE_PLAIN, ROUTE_TLS, ROUTE_PROXY, ROUTES };

enum conn_state {
    CONN_WAITING,    /* for its turn */
    CONN_CONNECTING, /* from the lookup to the upgrade */
    CONN_OPEN,
    CONN_CLOSING, /* told to close, from either side */
    CONN_ENDING,  /* about to end, in its turn */
};

struct out_message {
    struct out_message *next;
    size_t len;
    bool binary;
    unsigned char bytes[]; /* LWS_PRE, then the message */
};

/* A lookup cannot be called off, and outlives a connection that does not wait for it. */
struct lookup {
    struct mt_ws_conn *conn; /* NULL: nobody wants to know any more */
};

/* What is needed only until the connection is open. */
struct dial {
    struct mt_ws_url url;
    char *subprotocol;
    char *headers; /* "Name: value\r\n…" */
    struct lookup *lookup;
    int64_t timeout_ms;
    bool proxied;
};

struct mt_ws_conn {
    struct mt_ws_client *client;
    struct mt_ws_conn *prev, *next; /* of all, in the order of opening */
    struct mt_ws_conn *later;       /* the next that waits, or that is about to end */
    struct mt_ws_conn_handlers handlers;
    void *ud;
    struct lws *wsi;
    struct link *link;
    struct dial *dial;
    struct mt_timer *timer; /* the connection's one deadline, or its next ping */
    struct mt_fault *fault; /* why it ended, if not by a close frame */
    struct mt_buf in;
    struct out_message *head, *tail;
    size_t queued_bytes;
    size_t max_queue_bytes;
    int64_t ping_ms;
    enum conn_state state;
    unsigned missed_n, missed_max;
    uint16_t code;      /* that came */
    uint16_t send_code; /* that is to be sent */
    uint16_t said_code; /* that was sent */
    bool wants_ping;
    bool heard; /* something came since the timer was set */
};

struct mt_ws_client {
    struct mt_loop *loop;
    struct mt_ws_library library;
    struct lws_vhost *vhosts[ROUTES]; /* made when first needed */
    char *ca_file, *ca_dir, *no_proxy;
    struct mt_ws_proxy proxy; /* host "" if there is none */
    unsigned max_connecting, per_second;
    struct mt_ws_conn *first, *last;        /* all */
    struct mt_ws_conn *waiting, *wait_last; /* those that wait */
    struct mt_ws_conn *ending, *ending_last;
    struct mt_ws_client_counts counts;
    struct link *links;
    struct mt_timer *pump;   /* begins connections */
    struct mt_timer *reaper; /* ends them */
    double tokens;           /* connections that may be begun now */
    int64_t tokens_at_us;
    unsigned vhosts_n; /* not yet destroyed */
    bool tls_failed;   /* the CA files could not be read */
    bool freeing;
};

/* client.c */
/* The library's side of a route, or NULL. proxy: its address, for ROUTE_PROXY. */
struct lws_vhost *mt_ws_client_vhost(struct mt_ws_client *client, enum route route,
                                     const char *proxy);
/* The library arms its own timers only from inside its callbacks: to be called after a call from
 * outside of them (ecosystem.md §3.3, 3). */
void mt_ws_client_kick(struct mt_ws_client *client);

/* dial.c: from waiting to the library's connect call */
void mt_ws_dial_enqueue(struct mt_ws_conn *conn);
void mt_ws_dial_dequeue(struct mt_ws_conn *conn);
void mt_ws_dial_pump_soon(struct mt_ws_client *client);
void mt_ws_dial_pump(void *ud);
void mt_ws_dial_free(struct mt_ws_conn *conn);
int mt_ws_dial_headers(struct mt_ws_conn *conn, unsigned char **p, unsigned char *end);
void mt_ws_dial_error(struct mt_ws_conn *conn, struct lws *wsi, const char *text, size_t len);

/* conn.c */
/* The one place that ends a connection: calls closed, and frees it. */
void mt_ws_conn_end(struct mt_ws_conn *conn);
/* The client's reaper: ends those that are about to, a few at a time. */
void mt_ws_conn_reap(void *ud);
/* Ends it at the next turn. The first reason is kept; all later ones are ignored. */
void mt_ws_conn_fail(struct mt_ws_conn *conn, enum mt_rc kind, const char *code, const char *fmt,
                     ...) MT_PRINTF(4, 5);
int mt_ws_conn_established(struct mt_ws_conn *conn);
void mt_ws_conn_receive(struct mt_ws_conn *conn, const void *p, size_t len);
int mt_ws_conn_writeable(struct mt_ws_conn *conn);
int mt_ws_conn_say_close(struct mt_ws_conn *conn);
void mt_ws_conn_close_came(struct mt_ws_conn *conn, const unsigned char *p, size_t len);
void mt_ws_conn_lost(struct mt_ws_conn *conn);

#endif

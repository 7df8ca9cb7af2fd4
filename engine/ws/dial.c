/* From a queued connection to the library's connect call: the pace, the lookup of the name, the
 * proxy, the handshake's headers, and what its failure means. */
#include "ws/client_int.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "loop/loop.h"

#include <stdio.h>
#include <string.h>

#define BURST_PART 10 /* a tenth of a second's connections may begin at once */

void mt_ws_dial_enqueue(struct mt_ws_conn *conn)
{
    struct mt_ws_client *client = conn->client;

    if (client->wait_last)
        client->wait_last->later = conn;
    else
        client->waiting = conn;
    client->wait_last = conn;
    client->counts.waiting_n++;
    if (client->waiting == conn)
        mt_ws_dial_pump_soon(client);
}

/* Only what is cut before its turn is looked for. */
void mt_ws_dial_dequeue(struct mt_ws_conn *conn)
{
    struct mt_ws_client *client = conn->client;
    struct mt_ws_conn *before = NULL;
    struct mt_ws_conn **at = &client->waiting;

    while (*at && *at != conn) {
        before = *at;
        at = &before->later;
    }
    if (!*at)
        return;
    *at = conn->later;
    if (client->wait_last == conn)
        client->wait_last = before;
    conn->later = NULL;
    client->counts.waiting_n--;
}

void mt_ws_dial_pump_soon(struct mt_ws_client *client)
{
    if (client->waiting && !client->freeing)
        mt_timer_start(client->pump, 0, 0);
}

static void refill(struct mt_ws_client *client)
{
    int64_t now_us = mt_clock_mono_us();
    double most = (double)client->per_second / BURST_PART;

    client->tokens += (double)(now_us - client->tokens_at_us) * client->per_second / 1e6;
    client->tokens_at_us = now_us;
    if (most < 1)
        most = 1;
    if (client->tokens > most)
        client->tokens = most;
}

static void connect_to(struct mt_ws_conn *conn, const char *address)
{
    struct mt_ws_client *client = conn->client;
    struct dial *dial = conn->dial;
    struct lws_client_connect_info info;
    enum route route = dial->proxied ? ROUTE_PROXY : dial->url.secure ? ROUTE_TLS : ROUTE_PLAIN;
    struct lws *wsi = NULL;
    struct link *link = NULL;

    memset(&info, 0, sizeof info);
    info.vhost = mt_ws_client_vhost(client, route, address);
    if (!info.vhost) {
        mt_ws_conn_fail(conn, MT_ERR_IO, "tls.ca",
                        "TLS cannot be used: can the files of trusted certificates be read?");
        return;
    }
    link = mt_mem_calloc(1, sizeof *link);
    if (!link) {
        mt_ws_conn_fail(conn, MT_ERR_NOMEM, "memory", "out of memory");
        return;
    }
    *link = (struct link){.client = client, .conn = conn, .next = client->links};
    if (client->links)
        client->links->prev = link;
    client->links = link;
    conn->link = link;
    info.context = client->library.context;
    info.address = dial->proxied ? dial->url.host : address;
    info.port = dial->url.port;
    info.path = dial->url.target;
    info.host = dial->url.authority;
    info.protocol = dial->subprotocol;
    info.local_protocol_name = "moontide-client";
    info.ssl_connection = LCCSCF_HTTP_NO_FOLLOW_REDIRECT | (dial->url.secure ? LCCSCF_USE_SSL : 0);
    info.alpn = "http/1.1";
    info.retry_and_idle_policy = &mt_ws_no_pings; /* not taken from the vhost */
    info.opaque_user_data = link;
    info.pwsi = &wsi;
    /* May call back before it returns, even with the end of what it has just made. */
    if (!lws_client_connect_via_info(&info)) {
        if (conn->link == link)
            mt_ws_conn_fail(conn, MT_ERR_NETWORK, "ws.refused", "cannot connect to %s",
                            dial->url.authority);
    } else if (conn->link == link) {
        conn->wsi = wsi;
    }
    mt_ws_client_kick(client);
}

static void on_resolved(void *ud, enum mt_rc rc, const char *address)
{
    struct lookup *lookup = ud;
    struct mt_ws_conn *conn = lookup->conn;

    mt_mem_free(lookup);
    if (!conn)
        return;
    conn->dial->lookup = NULL;
    if (rc) {
        mt_ws_conn_fail(conn, MT_ERR_NETWORK, "ws.lookup", "the name %s is not known: %s",
                        conn->dial->proxied ? conn->client->proxy.host : conn->dial->url.host,
                        mt_rc_name(rc));
        return;
    }
    connect_to(conn, address);
}

static void resolve(struct mt_ws_conn *conn, const char *host)
{
    struct lookup *lookup = mt_mem_alloc(sizeof *lookup);

    if (!lookup) {
        mt_ws_conn_fail(conn, MT_ERR_NOMEM, "memory", "out of memory");
        return;
    }
    lookup->conn = conn;
    conn->dial->lookup = lookup;
    if (mt_resolve_start(conn->client->loop, host, on_resolved, lookup)) {
        conn->dial->lookup = NULL;
        mt_mem_free(lookup);
        mt_ws_conn_fail(conn, MT_ERR_NETWORK, "ws.lookup", "the name %s cannot be looked up", host);
    }
}

static void begin(struct mt_ws_conn *conn)
{
    struct mt_ws_client *client = conn->client;
    struct dial *dial = conn->dial;
    const char *host = dial->url.host;

    conn->state = CONN_CONNECTING;
    client->counts.connecting_n++;
    mt_timer_start(conn->timer, dial->timeout_ms, 0);
    dial->proxied = dial->url.secure && client->proxy.host[0] && !mt_ws_host_is_loopback(host) &&
                    !mt_ws_host_is_listed(client->no_proxy, host);
    if (dial->proxied)
        host = client->proxy.host;
    if (mt_ws_host_is_address(host))
        connect_to(conn, host);
    else if (mt_ws_host_is_loopback(host)) /* RFC 6761: needs no lookup */
        connect_to(conn, "127.0.0.1");
    else
        resolve(conn, host);
}

void mt_ws_dial_pump(void *ud)
{
    struct mt_ws_client *client = ud;

    refill(client);
    while (client->waiting && client->counts.connecting_n < client->max_connecting &&
           client->tokens >= 1) {
        struct mt_ws_conn *conn = client->waiting;
        mt_ws_dial_dequeue(conn);
        client->tokens -= 1;
        begin(conn);
    }
    /* Those that wait for a place are told by the one that gives its own up. */
    if (client->waiting && client->counts.connecting_n < client->max_connecting)
        mt_timer_start(client->pump,
                       1 + (int64_t)((1 - client->tokens) * 1000 / client->per_second), 0);
}

void mt_ws_dial_free(struct mt_ws_conn *conn)
{
    struct dial *dial = conn->dial;

    conn->dial = NULL;
    if (!dial)
        return;
    if (dial->lookup)
        dial->lookup->conn = NULL;
    mt_mem_free(dial->url.target);
    mt_mem_free(dial->subprotocol);
    mt_mem_free(dial->headers);
    mt_mem_free(dial);
}

int mt_ws_dial_headers(struct mt_ws_conn *conn, unsigned char **p, unsigned char *end)
{
    const char *text = conn->dial && conn->dial->headers ? conn->dial->headers : "";
    size_t len = strlen(text);

    if (len > (size_t)(end - *p)) {
        mt_ws_conn_fail(conn, MT_ERR_LIMIT, "ws.header", "the headers are too long");
        return -1;
    }
    memcpy(*p, text, len);
    *p += len;
    return 0;
}

static void upgrade_refused(struct mt_ws_conn *conn, unsigned status)
{
    enum mt_rc kind = status == 401   ? MT_ERR_AUTH
                      : status == 403 ? MT_ERR_DENIED
                      : status == 429 ? MT_ERR_RATE
                      : status >= 500 ? MT_ERR_REMOTE
                                      : MT_ERR_PROTOCOL;

    mt_ws_conn_fail(conn, kind, "ws.upgrade", "%s answers the upgrade with status %u",
                    conn->dial->url.authority, status);
    if (conn->fault)
        conn->fault->http_status = (int)status;
}

/* The library's words for what went wrong are matched only to tell the kinds apart. */
void mt_ws_dial_error(struct mt_ws_conn *conn, struct lws *wsi, const char *text, size_t len)
{
    const char *name = conn->dial ? conn->dial->url.authority : "the server";
    unsigned status = lws_http_client_http_response(wsi);
    SSL *tls = lws_get_ssl(wsi);
    long verified = tls ? SSL_get_verify_result(tls) : X509_V_OK;
    char why[120] = "";

    if (text && len) {
        char whole[512];
        snprintf(whole, sizeof whole, "%.*s", (int)len, text);
        mt_secret_shown(whole, why, sizeof why);
    }
    mt_log(MT_LOG_DEBUG, "ws", "no connection to %s: %s (status %u)", name, why, status);
    if (verified != X509_V_OK) {
        mt_ws_conn_fail(conn, MT_ERR_NETWORK, "tls.refused",
                        "the certificate of %s is not good: %s", name,
                        X509_verify_cert_error_string(verified));
        if (conn->fault)
            conn->fault->retryable = false;
    } else if (strstr(why, "SSL") || strstr(why, "ssl") || strstr(why, "tls")) {
        mt_ws_conn_fail(conn, MT_ERR_NETWORK, "tls.refused", "no TLS with %s: %s", name, why);
    } else if (conn->dial && status >= 100 && status <= 599 && status != 101) {
        upgrade_refused(conn, status);
    } else if (mt_str_starts(why, "HS:") || mt_str_starts(why, "ws upgrade")) {
        mt_ws_conn_fail(conn, MT_ERR_PROTOCOL, "ws.upgrade", "the upgrade by %s is not good: %s",
                        name, why);
    } else {
        mt_ws_conn_fail(conn, MT_ERR_NETWORK, "ws.refused", "no connection to %s: %s", name,
                        *why ? why : "it was closed");
    }
}

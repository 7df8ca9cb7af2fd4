/* The client's life: context, vhosts, TLS, dispatch of the library's callbacks to dial.c and
 * conn.c, and the order of destruction that a shared loop demands. */
#include "ws/client_int.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop/loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CONNECTING 50
#define PER_SECOND     50
#define PIECE_BYTES    1024 /* of a message at a time; one such buffer for each connection */
#define SERVICE_BYTES  ((size_t)16 << 10)
#define HEAD_BYTES     4096 /* of the answer to an upgrade */
#define LIBRARY_S      600  /* the deadlines are ours; the library's are only a net below them */

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t len);

static const struct lws_protocols protocols[] = {
    {.name = "moontide-client", .callback = on_event, .rx_buffer_size = PIECE_BYTES},
    {.name = NULL},
};

static struct mt_ws_client *client_of(struct lws *wsi)
{
    return lws_context_user(lws_get_context(wsi));
}

/* WSI_DESTROY comes in every created case. */
static void link_end(struct lws *wsi)
{
    struct link *link = lws_get_opaque_user_data(wsi);

    if (!link)
        return;
    lws_set_opaque_user_data(wsi, NULL);
    if (link->conn) {
        link->conn->link = NULL;
        link->conn->wsi = NULL;
        mt_ws_conn_lost(link->conn);
    }
    if (link->prev)
        link->prev->next = link->next;
    else
        link->client->links = link->next;
    if (link->next)
        link->next->prev = link->prev;
    mt_mem_free(link);
}

/* Which certificates to trust, and how old TLS may be. */
static void set_tls(struct mt_ws_client *client, SSL_CTX *tls)
{
    if (!SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION))
        client->tls_failed = true;
    if (!client->ca_file && !client->ca_dir)
        return;
    if (!SSL_CTX_load_verify_locations(tls, client->ca_file, client->ca_dir))
        client->tls_failed = true;
}

static int on_conn(struct mt_ws_conn *conn, struct lws *wsi, enum lws_callback_reasons reason,
                   void *in, size_t len)
{
    switch (reason) {
    case LWS_CALLBACK_CLIENT_APPEND_HANDSHAKE_HEADER:
        return mt_ws_dial_headers(conn, in, *(unsigned char **)in + len);
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
        mt_ws_dial_error(conn, wsi, in, len);
        return 0;
    case LWS_CALLBACK_CLIENT_ESTABLISHED:
        conn->wsi = wsi;
        return mt_ws_conn_established(conn);
    case LWS_CALLBACK_CLIENT_RECEIVE:
        mt_ws_conn_receive(conn, in, len);
        return 0;
    case LWS_CALLBACK_CLIENT_RECEIVE_PONG:
        conn->heard = true;
        return 0;
    case LWS_CALLBACK_CLIENT_WRITEABLE:
        return mt_ws_conn_writeable(conn);
    case LWS_CALLBACK_TIMER:
        return mt_ws_conn_say_close(conn);
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        mt_ws_conn_close_came(conn, in, len);
        return 0;
    default:
        return 0;
    }
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t len)
{
    struct link *link = NULL;

    switch (reason) {
    case LWS_CALLBACK_PROTOCOL_INIT:
        client_of(wsi)->vhosts_n++;
        return 0;
    case LWS_CALLBACK_PROTOCOL_DESTROY:
        client_of(wsi)->vhosts_n--;
        return 0;
    case LWS_CALLBACK_OPENSSL_LOAD_EXTRA_CLIENT_VERIFY_CERTS:
        set_tls(client_of(wsi), user);
        return 0;
    case LWS_CALLBACK_WSI_DESTROY:
        link_end(wsi);
        return 0;
    case LWS_CALLBACK_CLIENT_APPEND_HANDSHAKE_HEADER:
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
    case LWS_CALLBACK_CLIENT_ESTABLISHED:
    case LWS_CALLBACK_CLIENT_RECEIVE:
    case LWS_CALLBACK_CLIENT_RECEIVE_PONG:
    case LWS_CALLBACK_CLIENT_WRITEABLE:
    case LWS_CALLBACK_TIMER:
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        link = lws_get_opaque_user_data(wsi);
        if (!link || !link->conn) /* ended, and the library's side was told to end too */
            return reason == LWS_CALLBACK_CLIENT_ESTABLISHED ? -1 : 0;
        return on_conn(link->conn, wsi, reason, in, len);
    default:
        return 0;
    }
}

void mt_ws_client_kick(struct mt_ws_client *client)
{
    lws_cancel_service(client->library.context);
}

static void common_info(struct mt_ws_client *client, struct lws_context_creation_info *info)
{
    memset(info, 0, sizeof *info);
    info->port = CONTEXT_PORT_NO_LISTEN;
    info->protocols = protocols;
    info->user = client;
    info->pt_serv_buf_size = SERVICE_BYTES;
    info->max_http_header_data = HEAD_BYTES;
    info->timeout_secs = LIBRARY_S;
    info->connect_timeout_secs = LIBRARY_S;
    info->http_proxy_address = ""; /* else the library reads http_proxy from the environment */
}

struct lws_vhost *mt_ws_client_vhost(struct mt_ws_client *client, enum route route,
                                     const char *proxy)
{
    static const char *const names[ROUTES] = {"plain", "tls", "proxy"};
    struct lws_context_creation_info info;
    char text[MT_WS_USER_BYTES + 64];

    if (client->vhosts[route])
        return client->vhosts[route];
    common_info(client, &info);
    info.vhost_name = names[route];
    if (route != ROUTE_PLAIN)
        info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
    if (client->ca_file || client->ca_dir)
        info.options |= LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS;
    if (route == ROUTE_PROXY) {
        snprintf(text, sizeof text, "%s%s%s:%u", client->proxy.user,
                 client->proxy.user[0] ? "@" : "", proxy, client->proxy.port);
        info.http_proxy_address = text;
    }
    if (!client->tls_failed || route == ROUTE_PLAIN)
        client->vhosts[route] = lws_create_vhost(client->library.context, &info);
    if (client->tls_failed && route != ROUTE_PLAIN)
        return NULL;
    return client->vhosts[route];
}

static const char *environment(const char *name, const char *other)
{
    const char *value = getenv(name);

    if (!value || !*value)
        value = getenv(other);
    return value ? value : "";
}

static enum mt_rc take_options(struct mt_ws_client *client,
                               const struct mt_ws_client_options *options, struct mt_fault *fault)
{
    const char *proxy =
        options->https_proxy ? options->https_proxy : environment("https_proxy", "HTTPS_PROXY");
    const char *around =
        options->no_proxy ? options->no_proxy : environment("no_proxy", "NO_PROXY");

    client->max_connecting = options->max_connecting ? options->max_connecting : MAX_CONNECTING;
    client->per_second = options->connects_per_second ? options->connects_per_second : PER_SECOND;
    client->tokens = 1;
    client->tokens_at_us = mt_clock_mono_us();
    client->no_proxy = mt_mem_strdup(around);
    client->ca_file = options->ca_file ? mt_mem_strdup(options->ca_file) : NULL;
    client->ca_dir = options->ca_dir ? mt_mem_strdup(options->ca_dir) : NULL;
    if (!client->no_proxy || (options->ca_file && !client->ca_file) ||
        (options->ca_dir && !client->ca_dir))
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    if (mt_ws_proxy_read(proxy, &client->proxy)) /* it may hold a password: not in the message */
        return mt_fault_set(fault, MT_ERR_INVALID, "ws.proxy",
                            "the proxy for https is not http://[user:password@]host:port");
    return MT_OK;
}

static enum mt_rc start_context(struct mt_ws_client *client, struct mt_fault *fault)
{
    struct lws_context_creation_info info;

    common_info(client, &info);
    if (mt_ws_library_open(&client->library, client->loop, &info))
        return mt_fault_set(fault, MT_ERR_IO, "ws.context",
                            "WebSockets cannot be used: is the package libwebsockets-evlib-uv "
                            "installed?");
    return MT_OK;
}

enum mt_rc mt_ws_client_new(struct mt_loop *loop, const struct mt_ws_client_options *options,
                            struct mt_ws_client **out, struct mt_fault *fault)
{
    struct mt_ws_client *client = mt_mem_calloc(1, sizeof *client);
    enum mt_rc rc = MT_OK;

    *out = NULL;
    if (!client)
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    client->loop = loop;
    rc = take_options(client, options, fault);
    if (!rc && (mt_timer_new(loop, mt_ws_dial_pump, client, &client->pump) ||
                mt_timer_new(loop, mt_ws_conn_reap, client, &client->reaper)))
        rc = mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    if (!rc)
        rc = start_context(client, fault);
    if (rc) {
        mt_ws_client_free(client);
        return rc;
    }
    *out = client;
    return MT_OK;
}

static bool is_settled(void *ud)
{
    const struct mt_ws_client *client = ud;
    return !client->links && !client->vhosts_n;
}

void mt_ws_client_free(struct mt_ws_client *client)
{
    if (!client)
        return;
    client->freeing = true;
    while (client->first) {
        mt_ws_conn_cut(client->first);
        mt_ws_conn_end(client->first);
    }
    mt_ws_library_close(&client->library, is_settled, client);
    while (client->links) { /* of a connect call that failed without a word */
        struct link *next = client->links->next;
        mt_mem_free(client->links);
        client->links = next;
    }
    mt_timer_free(client->pump);
    mt_timer_free(client->reaper);
    mt_mem_free(client->ca_file);
    mt_mem_free(client->ca_dir);
    mt_mem_free(client->no_proxy);
    mt_mem_free(client);
}

struct mt_ws_client_counts mt_ws_client_count(const struct mt_ws_client *client)
{
    return client->counts;
}

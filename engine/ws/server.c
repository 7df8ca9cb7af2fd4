/* The server's life: context, vhosts, dispatch of the library's callbacks to http.c and peer.c, and
 * the order of destruction that a shared loop demands. */
#include "ws/server_int.h"

#include "base/mem.h"
#include "loop/loop.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <string.h>

#define MAX_BODY_BYTES    (64u << 20)
#define MAX_MESSAGE_BYTES (16u << 20)
#define MAX_QUEUE_BYTES   (64u << 20)
#define SERVICE_BYTES     (64u << 10)
#define PIECE_BYTES       4096 /* of a WebSocket message at a time; one buffer for each connection */
#define HANDSHAKE_S       20

static int on_raw(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                  size_t len);
static int on_ws(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                 size_t len);

static const struct lws_protocols raw_protocols[] = {
    {.name = "moontide-http", .callback = on_raw},
    {.name = NULL},
};
static const struct lws_protocols ws_protocols[] = {
    {.name = "moontide", .callback = on_ws, .rx_buffer_size = PIECE_BYTES},
    {.name = NULL},
};

static struct mt_ws_server *server_of(struct lws *wsi)
{
    return lws_context_user(lws_get_context(wsi));
}

static int conn_begin(struct lws *wsi)
{
    struct conn *conn = mt_mem_calloc(1, sizeof *conn);

    if (!conn)
        return -1;
    conn->server = server_of(wsi);
    conn->wsi = wsi;
    mt_ws_http_init(conn);
    conn->server->connections_n++;
    lws_set_opaque_user_data(wsi, conn);
    return 0;
}

static bool is_full(const struct mt_ws_server *server)
{
    return server->options.max_connections &&
           server->connections_n >= server->options.max_connections;
}

/* WSI_DESTROY comes in every created case, so it is the one place that ends a connection. */
static void conn_end(struct lws *wsi)
{
    struct conn *conn = lws_get_opaque_user_data(wsi);

    if (!conn)
        return;
    lws_set_opaque_user_data(wsi, NULL);
    mt_ws_http_gone(conn);
    mt_ws_peer_gone(conn);
    conn->server->connections_n--;
    mt_mem_free(conn);
}

static int on_raw(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                  size_t len)
{
    struct conn *conn = NULL;

    (void)user;
    switch (reason) {
    case LWS_CALLBACK_RAW_ADOPT:
        return is_full(server_of(wsi)) || conn_begin(wsi) ? -1 : mt_ws_http_await(wsi);
    case LWS_CALLBACK_RAW_RX:
        conn = lws_get_opaque_user_data(wsi);
        return conn ? mt_ws_http_receive(conn, in, len) : -1;
    case LWS_CALLBACK_RAW_WRITEABLE:
        conn = lws_get_opaque_user_data(wsi);
        return conn ? mt_ws_http_writeable(conn) : 0;
    case LWS_CALLBACK_RAW_CLOSE:
    case LWS_CALLBACK_WSI_DESTROY:
        conn_end(wsi);
        return 0;
    case LWS_CALLBACK_PROTOCOL_INIT:
        server_of(wsi)->vhosts_n++;
        return 0;
    case LWS_CALLBACK_PROTOCOL_DESTROY:
        server_of(wsi)->vhosts_n--;
        return 0;
    default:
        return 0;
    }
}

static int on_ws(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                 size_t len)
{
    struct conn *conn = NULL;

    (void)user;
    switch (reason) {
    case LWS_CALLBACK_HTTP: /* an upgrade that the library does not take for one */
        return -1;
    case LWS_CALLBACK_ESTABLISHED:
        if (conn_begin(wsi))
            return -1;
        conn = lws_get_opaque_user_data(wsi);
        return mt_ws_peer_open(conn);
    case LWS_CALLBACK_RECEIVE:
        conn = lws_get_opaque_user_data(wsi);
        return conn && conn->peer ? mt_ws_peer_receive(conn, in, len) : 0;
    case LWS_CALLBACK_TIMER:
        conn = lws_get_opaque_user_data(wsi);
        return conn && conn->peer ? mt_ws_peer_timer(conn) : 0;
    case LWS_CALLBACK_SERVER_WRITEABLE:
        conn = lws_get_opaque_user_data(wsi);
        return conn && conn->peer ? mt_ws_peer_writeable(conn) : 0;
    case LWS_CALLBACK_CLOSED:
    case LWS_CALLBACK_WSI_DESTROY:
        conn_end(wsi);
        return 0;
    case LWS_CALLBACK_PROTOCOL_INIT:
        server_of(wsi)->vhosts_n++;
        return 0;
    case LWS_CALLBACK_PROTOCOL_DESTROY:
        server_of(wsi)->vhosts_n--;
        return 0;
    default:
        return 0;
    }
}

/* The library reads the handshake as if it had accepted the socket itself. It is shown only what
 * that needs, with a path that it cannot misread; the real one waits in `upgrading`. */
void mt_ws_server_hand_over(struct conn *conn, const struct mt_ws_head *head)
{
    struct mt_ws_server *server = conn->server;
    struct mt_buf text;
    int fd = -1;

    mt_buf_init(&text, 2 * MT_WS_HEAD_BYTES);
    mt_buf_appendf(&text,
                   "GET / HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                   "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n",
                   head->host, head->ws_key);
    if (*head->ws_protocol)
        mt_buf_appendf(&text, "Sec-WebSocket-Protocol: %s\r\n", head->ws_protocol);
    if (mt_buf_append_str(&text, "\r\n"))
        goto out;
    fd = fcntl(lws_get_socket_fd(conn->wsi), F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        goto out;
    server->upgrading = head;
    (void)lws_adopt_socket_vhost_readbuf(server->ws_vhost, fd, text.data, text.len);
    server->upgrading = NULL;
out:
    mt_buf_deinit(&text);
}

static bool is_loopback(const char *host)
{
    struct in_addr address;

    return !strcmp(host, "localhost") ||
           (inet_pton(AF_INET, host, &address) == 1 && ntohl(address.s_addr) >> 24 == 127);
}

static enum mt_rc start_context(struct mt_ws_server *server, struct mt_fault *fault)
{
    struct lws_context_creation_info info;

    memset(&info, 0, sizeof info);
    info.user = server;
    info.options = LWS_SERVER_OPTION_DISABLE_IPV6 | LWS_SERVER_OPTION_FAIL_UPON_UNABLE_TO_BIND;
    info.pt_serv_buf_size = SERVICE_BYTES;
    info.max_http_header_data = MT_WS_HEAD_BYTES;
    info.timeout_secs = HANDSHAKE_S;
    info.http_proxy_address = ""; /* else it reads the environment, for a server without clients */
    if (mt_ws_library_open(&server->library, server->loop, &info))
        return mt_fault_set(
            fault, MT_ERR_IO, "ws.context",
            "the server cannot start: is the package libwebsockets-evlib-uv installed?");
    info.vhost_name = "ws";
    info.port = CONTEXT_PORT_NO_LISTEN_SERVER;
    info.protocols = ws_protocols;
    info.retry_and_idle_policy = &mt_ws_no_pings;
    server->ws_vhost = lws_create_vhost(server->library.context, &info);
    if (!server->ws_vhost)
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    info.vhost_name = "http";
    info.port = server->options.port;
    info.iface = server->options.host;
    info.protocols = raw_protocols;
    info.options |= LWS_SERVER_OPTION_ADOPT_APPLY_LISTEN_ACCEPT_CONFIG;
    info.listen_accept_role = "raw-skt";
    info.listen_accept_protocol = raw_protocols[0].name;
    server->vhost = lws_create_vhost(server->library.context, &info);
    if (!server->vhost)
        return mt_fault_set(fault, MT_ERR_IO, "ws.listen",
                            "cannot listen on %s port %u: is it in use?", server->options.host,
                            (unsigned)server->options.port);
    return MT_OK;
}

enum mt_rc mt_ws_server_new(struct mt_loop *loop, const struct mt_ws_server_options *options,
                            const struct mt_ws_server_handlers *handlers, void *ud,
                            struct mt_ws_server **out, struct mt_fault *fault)
{
    struct mt_ws_server *server = NULL;
    enum mt_rc rc = MT_OK;

    *out = NULL;
    if (!is_loopback(options->host))
        return mt_fault_set(
            fault, MT_ERR_INVALID, "ws.not_loopback",
            "%s is not a loopback address: only this machine is served, on 127.0.0.1",
            options->host);
    server = mt_mem_calloc(1, sizeof *server);
    if (!server)
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    server->loop = loop;
    server->options = *options;
    if (!strcmp(options->host, "localhost"))
        server->options.host = "127.0.0.1";
    if (!server->options.max_body_bytes)
        server->options.max_body_bytes = MAX_BODY_BYTES;
    if (!server->options.max_message_bytes)
        server->options.max_message_bytes = MAX_MESSAGE_BYTES;
    if (!server->options.max_queue_bytes)
        server->options.max_queue_bytes = MAX_QUEUE_BYTES;
    server->handlers = *handlers;
    server->ud = ud;
    rc = start_context(server, fault);
    if (rc) {
        mt_ws_server_free(server);
        return rc;
    }
    *out = server;
    return MT_OK;
}

uint16_t mt_ws_server_port(const struct mt_ws_server *server)
{
    return (uint16_t)lws_get_vhost_listen_port(server->vhost);
}

static bool is_settled(void *ud)
{
    const struct mt_ws_server *server = ud;
    return !server->connections_n && !server->vhosts_n;
}

void mt_ws_server_free(struct mt_ws_server *server)
{
    if (!server)
        return;
    mt_ws_library_close(&server->library, is_settled, server);
    mt_mem_free(server);
}

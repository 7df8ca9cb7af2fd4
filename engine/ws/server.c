/* The server's life: context, vhost, dispatch of the library's callbacks to http.c and peer.c, and
 * the order of destruction that a shared loop demands. */
#include "ws/server_int.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "loop/loop.h"

#include <string.h>
#include <sys/resource.h>

#define MAX_BODY_BYTES    (64u << 20)
#define MAX_MESSAGE_BYTES (16u << 20)
#define MAX_QUEUE_BYTES   (64u << 20)
#define SERVICE_BYTES     (64u << 10)
#define KEEPALIVE_S       600
#define SETTLE_TURNS      1000
#define EXTRA_TURNS       8

static int dispatch(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t len);

static const struct lws_protocols protocols[] = {
    {.name = "moontide", .callback = dispatch, .rx_buffer_size = SERVICE_BYTES},
    {.name = NULL},
};

static void library_log(int level, const char *line)
{
    size_t len = strcspn(line, "\r\n");
    mt_log(level & LLL_ERR ? MT_LOG_DEBUG : MT_LOG_TRACE, "ws", "%.*s", (int)len, line);
}

static struct conn *conn_of(struct lws *wsi)
{
    struct conn *conn = lws_get_opaque_user_data(wsi);
    struct mt_ws_server *server = NULL;

    if (conn)
        return conn;
    server = lws_context_user(lws_get_context(wsi));
    conn = mt_mem_calloc(1, sizeof *conn);
    if (!conn)
        return NULL;
    conn->server = server;
    conn->wsi = wsi;
    server->connections_n++;
    lws_set_opaque_user_data(wsi, conn);
    return conn;
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

static int dispatch(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t len)
{
    struct conn *conn = NULL;

    (void)user;
    switch (reason) {
    case LWS_CALLBACK_HTTP:
        conn = conn_of(wsi);
        return conn ? mt_ws_http_begin(conn, in) : -1;
    case LWS_CALLBACK_HTTP_BODY:
        conn = conn_of(wsi);
        return conn ? mt_ws_http_body(conn, in, len) : -1;
    case LWS_CALLBACK_HTTP_BODY_COMPLETION:
        conn = conn_of(wsi);
        return conn ? mt_ws_http_complete(conn) : -1;
    case LWS_CALLBACK_HTTP_WRITEABLE:
        conn = lws_get_opaque_user_data(wsi);
        return conn ? mt_ws_http_writeable(conn) : 0;
    case LWS_CALLBACK_ESTABLISHED:
        conn = conn_of(wsi);
        return conn ? mt_ws_peer_open(conn) : -1;
    case LWS_CALLBACK_RECEIVE:
        conn = lws_get_opaque_user_data(wsi);
        return conn && conn->peer ? mt_ws_peer_receive(conn, in, len) : -1;
    case LWS_CALLBACK_SERVER_WRITEABLE:
        conn = lws_get_opaque_user_data(wsi);
        return conn && conn->peer ? mt_ws_peer_writeable(conn) : 0;
    case LWS_CALLBACK_CLOSED:
    case LWS_CALLBACK_CLOSED_HTTP:
    case LWS_CALLBACK_WSI_DESTROY:
        conn_end(wsi);
        return 0;
    case LWS_CALLBACK_PROTOCOL_DESTROY:
        ((struct mt_ws_server *)lws_context_user(lws_get_context(wsi)))->vhost_gone = true;
        return 0;
    default:
        return 0;
    }
}

static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    /* The library sizes its tables by the limit when the context is made. */
    if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit))
        mt_log(MT_LOG_DEBUG, "ws", "the limit of open files stays at its soft value");
}

static bool is_loopback(const char *host)
{
    return mt_str_starts(host, "127.") || !strcmp(host, "localhost") || !strcmp(host, "::1");
}

static enum mt_rc start_context(struct mt_ws_server *server, struct mt_fault *fault)
{
    struct lws_context_creation_info info;
    void *loops[1] = {mt_loop_native(server->loop)};

    memset(&info, 0, sizeof info);
    info.port = server->options.port;
    info.iface = server->options.host;
    info.protocols = protocols;
    info.foreign_loops = loops;
    info.user = server;
    info.gid = (gid_t)-1;
    info.uid = (uid_t)-1;
    info.options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS |
                   LWS_SERVER_OPTION_DISABLE_IPV6 | LWS_SERVER_OPTION_SKIP_SERVER_CANONICAL_NAME |
                   LWS_SERVER_OPTION_FAIL_UPON_UNABLE_TO_BIND;
    info.pt_serv_buf_size = SERVICE_BYTES;
    info.max_http_header_data = 8192;
    info.keepalive_timeout = KEEPALIVE_S;
    info.timeout_secs = KEEPALIVE_S;
    server->context = lws_create_context(&info);
    if (!server->context)
        return mt_fault_set(
            fault, MT_ERR_IO, "ws.context",
            "the server cannot start: is the package libwebsockets-evlib-uv installed?");
    server->vhost = lws_create_vhost(server->context, &info);
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
        return mt_fault_set(fault, MT_ERR_INVALID, "ws.not_loopback",
                            "%s is not a loopback address: the sandbox listens on 127.0.0.1 only",
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
    lws_set_log_level(LLL_ERR | LLL_WARN, library_log);
    raise_descriptor_limit();
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

/* First destroy closes the library's handles, the loop must then turn until their close callbacks
 * have run, and the second destroy frees the context and unloads the plugin. */
void mt_ws_server_free(struct mt_ws_server *server)
{
    if (!server)
        return;
    server->closing = true;
    if (server->context) {
        lws_context_destroy(server->context);
        for (int i = 0; i < SETTLE_TURNS && (server->connections_n || !server->vhost_gone); i++)
            mt_loop_turn(server->loop);
        for (int i = 0; i < EXTRA_TURNS; i++)
            mt_loop_turn(server->loop);
        lws_context_destroy(server->context);
    }
    mt_mem_free(server);
}

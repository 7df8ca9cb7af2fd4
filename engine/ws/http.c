/* HTTP exchanges: gathers a request, lets the owner answer now or later, writes the answer in one
 * piece, and misbehaves where the answer asks for it. */
#include "ws/server_int.h"

#include "base/mem.h"
#include "loop/loop.h"

#include <stdio.h>
#include <string.h>

#define SMALL_TEXT   256
#define QUERY_BYTES  8192
#define HEADER_BYTES 1024
#define SLOW_STEP_MS 1000

struct mt_ws_exchange {
    struct conn *conn; /* NULL once the connection is gone */
    struct mt_ws_server *server;
    char method[16];
    char *path;
    char *query;
    char authorization[4096];
    char content_type[SMALL_TEXT];
    struct mt_buf body;
    struct mt_buf out; /* LWS_PRE bytes, then header and body */
    size_t out_at;
    size_t out_len; /* how much of out is to be written */
    struct mt_timer *timer;
    enum mt_ws_fault fault;
    bool dispatched;
    bool answered;
    bool ready; /* may be written */
    bool too_large;
};

static void exchange_free(struct mt_ws_exchange *exchange)
{
    if (!exchange)
        return;
    mt_timer_free(exchange->timer);
    mt_buf_deinit(&exchange->body);
    mt_buf_deinit(&exchange->out);
    mt_mem_free(exchange->path);
    mt_mem_free(exchange->query);
    mt_mem_free(exchange);
}

void mt_ws_http_query(struct lws *wsi, char *out, size_t size)
{
    size_t at = 0;

    out[0] = '\0';
    for (int i = 0; at + 1 < size; i++) {
        char piece[QUERY_BYTES];
        int n = lws_hdr_copy_fragment(wsi, piece, (int)sizeof piece, WSI_TOKEN_HTTP_URI_ARGS, i);
        if (n < 0)
            break;
        at += (size_t)snprintf(out + at, size - at, "%s%s", i ? "&" : "", piece);
        if (at >= size)
            break;
    }
}

static void copy_header(struct lws *wsi, enum lws_token_indexes token, char *out, size_t size)
{
    if (lws_hdr_copy(wsi, out, (int)size, token) < 0)
        out[0] = '\0';
}

static const char *method_name(int method)
{
    switch (method) {
    case LWSHUMETH_GET:
        return "GET";
    case LWSHUMETH_POST:
        return "POST";
    case LWSHUMETH_PUT:
        return "PUT";
    case LWSHUMETH_DELETE:
        return "DELETE";
    case LWSHUMETH_OPTIONS:
        return "OPTIONS";
    case LWSHUMETH_PATCH:
        return "PATCH";
    case LWSHUMETH_HEAD:
        return "HEAD";
    default:
        return "?";
    }
}

static struct mt_ws_exchange *exchange_new(struct conn *conn, const char *path)
{
    struct mt_ws_exchange *exchange = mt_mem_calloc(1, sizeof *exchange);
    char query[QUERY_BYTES];
    char *uri = NULL;
    int uri_len = 0;

    if (!exchange)
        return NULL;
    mt_ws_http_query(conn->wsi, query, sizeof query);
    exchange->conn = conn;
    exchange->server = conn->server;
    mt_buf_init(&exchange->body, conn->server->options.max_body_bytes);
    mt_buf_init(&exchange->out, SIZE_MAX / 2);
    snprintf(exchange->method, sizeof exchange->method, "%s",
             method_name(lws_http_get_uri_and_method(conn->wsi, &uri, &uri_len)));
    exchange->path = mt_mem_strdup(path ? path : "/");
    exchange->query = mt_mem_strdup(query);
    copy_header(conn->wsi, WSI_TOKEN_HTTP_AUTHORIZATION, exchange->authorization,
                sizeof exchange->authorization);
    copy_header(conn->wsi, WSI_TOKEN_HTTP_CONTENT_TYPE, exchange->content_type,
                sizeof exchange->content_type);
    if (!exchange->path || !exchange->query) {
        exchange_free(exchange);
        return NULL;
    }
    return exchange;
}

static bool has_body(struct lws *wsi)
{
    char length[32];
    copy_header(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH, length, sizeof length);
    return length[0] && strspn(length, "0") != strlen(length);
}

int mt_ws_http_begin(struct conn *conn, const char *path)
{
    lws_set_timeout(conn->wsi, NO_PENDING_TIMEOUT, 0);
    conn->exchange = exchange_new(conn, path);
    if (!conn->exchange)
        return -1;
    return has_body(conn->wsi) ? 0 : mt_ws_http_complete(conn);
}

int mt_ws_http_body(struct conn *conn, const void *p, size_t len)
{
    struct mt_ws_exchange *exchange = conn->exchange;

    if (!exchange || exchange->dispatched)
        return 0;
    if (!exchange->too_large && mt_buf_append(&exchange->body, p, len))
        exchange->too_large = true;
    return 0;
}

int mt_ws_http_complete(struct conn *conn)
{
    struct mt_ws_exchange *exchange = conn->exchange;
    struct mt_ws_request request;

    if (!exchange || exchange->dispatched)
        return 0;
    exchange->dispatched = true;
    if (exchange->too_large) {
        struct mt_ws_answer answer = {.status = 413};
        mt_ws_answer(exchange, &answer);
        return 0;
    }
    memset(&request, 0, sizeof request);
    request.method = exchange->method;
    request.path = exchange->path;
    request.query = exchange->query;
    request.authorization = exchange->authorization;
    request.content_type = exchange->content_type;
    request.body = exchange->body.data ? exchange->body.data : "";
    request.body_len = exchange->body.len;
    conn->server->handlers.request(conn->server->ud, exchange, &request);
    return 0;
}

/* ---------------------------------------------------------------- answering */

static const char *reason_of(int status)
{
    switch (status) {
    case 200:
        return "OK";
    case 302:
        return "Found";
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 413:
        return "Payload Too Large";
    case 429:
        return "Too Many Requests";
    case 500:
        return "Internal Server Error";
    case 503:
        return "Service Unavailable";
    default:
        return "Answer";
    }
}

static enum mt_rc build(struct mt_ws_exchange *exchange, const struct mt_ws_answer *answer)
{
    static const char pre[LWS_PRE];
    struct mt_buf *out = &exchange->out;
    size_t length = answer->body_len + (answer->fault == MT_WS_FAULT_LENGTH ? 64 : 0);

    mt_buf_reserve(out, LWS_PRE + HEADER_BYTES + answer->body_len);
    mt_buf_append(out, pre, LWS_PRE);
    mt_buf_appendf(out, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n",
                   answer->status, reason_of(answer->status),
                   answer->content_type ? answer->content_type : "application/json", length);
    for (size_t i = 0; answer->headers && answer->headers[i]; i++)
        mt_buf_appendf(out, "%s\r\n", answer->headers[i]);
    mt_buf_append_str(out, "\r\n");
    size_t head_len = out->len;
    if (answer->body_len)
        mt_buf_append(out, answer->body, answer->body_len);
    exchange->out_at = LWS_PRE;
    exchange->out_len = out->len;
    if (answer->fault == MT_WS_FAULT_TRUNCATE)
        exchange->out_len = head_len + answer->body_len / 2;
    return out->failed;
}

static void ready(void *ud)
{
    struct mt_ws_exchange *exchange = ud;

    exchange->ready = true;
    lws_callback_on_writable(exchange->conn->wsi);
    /* Called from a timer, outside the library's own callbacks: it re-arms nothing unless it is
     * told. */
    lws_cancel_service(exchange->server->context);
}

void mt_ws_answer(struct mt_ws_exchange *exchange, const struct mt_ws_answer *answer)
{
    int64_t delay_ms = answer->delay_ms;

    if (exchange->answered)
        return;
    exchange->answered = true;
    exchange->fault = answer->fault;
    if (answer->fault == MT_WS_FAULT_HALF_OPEN)
        return;
    if (answer->fault == MT_WS_FAULT_CLOSE)
        exchange->out_len = 0;
    else if (build(exchange, answer))
        exchange->fault = MT_WS_FAULT_CLOSE;
    if (answer->fault == MT_WS_FAULT_SLOW && delay_ms < 1)
        delay_ms = 1;
    if (delay_ms <= 0) {
        exchange->ready = true;
        lws_callback_on_writable(exchange->conn->wsi);
        return;
    }
    if (mt_timer_new(exchange->server->loop, ready, exchange, &exchange->timer)) {
        exchange->fault = MT_WS_FAULT_CLOSE;
        exchange->ready = true;
        lws_callback_on_writable(exchange->conn->wsi);
        return;
    }
    mt_timer_start(exchange->timer, delay_ms, answer->fault == MT_WS_FAULT_SLOW ? SLOW_STEP_MS : 0);
}

static int write_some(struct conn *conn, struct mt_ws_exchange *exchange, size_t len)
{
    unsigned char *at = (unsigned char *)exchange->out.data + exchange->out_at;

    /* The library keeps what the kernel does not take, and calls again only when that is gone. */
    if (lws_write(conn->wsi, at, len, LWS_WRITE_HTTP) < 0)
        return -1;
    exchange->out_at += len;
    return 0;
}

int mt_ws_http_writeable(struct conn *conn)
{
    struct mt_ws_exchange *exchange = conn->exchange;

    if (!exchange || !exchange->ready)
        return 0;
    if (exchange->fault == MT_WS_FAULT_CLOSE)
        return -1;
    if (exchange->fault == MT_WS_FAULT_SLOW) {
        exchange->ready = false;
        if (exchange->out_at < exchange->out_len && write_some(conn, exchange, 1))
            return -1;
        if (exchange->out_at < exchange->out_len)
            return 0;
    } else if (exchange->out_at < exchange->out_len) {
        if (write_some(conn, exchange, exchange->out_len - exchange->out_at))
            return -1;
        if (exchange->fault != MT_WS_FAULT_NONE) {
            lws_callback_on_writable(conn->wsi); /* close only after the bytes are out */
            return 0;
        }
    } else if (exchange->fault != MT_WS_FAULT_NONE) {
        return -1;
    }
    conn->exchange = NULL;
    exchange_free(exchange);
    return lws_http_transaction_completed(conn->wsi) ? -1 : 0;
}

void mt_ws_http_gone(struct conn *conn)
{
    struct mt_ws_exchange *exchange = conn->exchange;

    conn->exchange = NULL;
    if (!exchange)
        return;
    if (exchange->dispatched && !exchange->answered && conn->server->handlers.abandoned)
        conn->server->handlers.abandoned(conn->server->ud, exchange);
    exchange_free(exchange);
}

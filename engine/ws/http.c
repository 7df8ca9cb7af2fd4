/* HTTP exchanges: cuts what is received into requests, lets the owner answer now or later, and goes
 * on with the next. */
#include "ws/server_int.h"

#include "base/mem.h"
#include "loop/loop.h"

#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define AHEAD_BYTES  ((size_t)64 << 10) /* of later requests, kept while one is in hand */
#define IN_BYTES     (AHEAD_BYTES + ((size_t)1 << 20))
#define IDLE_BYTES   ((size_t)4 << 10) /* what an idle connection may keep for the next */
#define BODY_RESERVE ((size_t)1 << 20)
#define LINGER_S     5

static void exchange_free(struct mt_ws_exchange *exchange)
{
    mt_timer_free(exchange->timer);
    mt_buf_deinit(&exchange->body);
    mt_buf_deinit(&exchange->out);
    mt_mem_free(exchange->text);
    mt_mem_free(exchange);
}

static struct mt_ws_exchange *exchange_new(struct conn *conn, const char *head, size_t len)
{
    struct mt_ws_exchange *exchange = mt_mem_calloc(1, sizeof *exchange);

    if (!exchange)
        return NULL;
    exchange->conn = conn;
    mt_buf_init(&exchange->body, conn->server->options.max_body_bytes);
    mt_buf_init(&exchange->out, SIZE_MAX / 2);
    exchange->text = mt_mem_alloc(len + 1);
    if (!exchange->text) {
        exchange_free(exchange);
        return NULL;
    }
    memcpy(exchange->text, head, len);
    exchange->text[len] = '\0';
    return exchange;
}

/* Answers a request that never gets to the owner. What follows it cannot be told apart from it, so
 * the connection ends with the answer. */
static void refuse(struct mt_ws_exchange *exchange, int status)
{
    static const char *const version[] = {"Sec-WebSocket-Version: 13", NULL};
    struct mt_ws_answer answer = {.status = status, .headers = status == 426 ? version : NULL};

    exchange->dispatched = true;
    exchange->refused = true;
    exchange->head.keep_alive = false;
    mt_ws_answer(exchange, &answer);
}

const char *mt_ws_request_header(const struct mt_ws_request *request, const char *name)
{
    for (size_t i = 0; i < request->fields_n; i++)
        if (!strcasecmp(request->fields[i].name, name))
            return request->fields[i].value;
    return "";
}

static void dispatch(struct mt_ws_exchange *exchange)
{
    struct mt_ws_server *server = exchange->conn->server;
    struct mt_ws_request request = {
        .method = exchange->head.method,
        .path = exchange->head.path,
        .query = exchange->head.query,
        .authorization = exchange->head.authorization,
        .content_type = exchange->head.content_type,
        .body = exchange->body.data ? exchange->body.data : "",
        .body_len = exchange->body.len,
        .fields = exchange->head.fields,
        .fields_n = exchange->head.fields_n,
    };

    exchange->dispatched = true;
    server->handlers.request(server->ud, exchange, &request);
}

/* The first request in the buffer, once its head is there. 0 with no exchange: wait for more. */
static int begin(struct conn *conn)
{
    struct mt_buf *in = &conn->in;
    size_t from = conn->searched;
    size_t window = in->len < MT_WS_HEAD_BYTES ? in->len : MT_WS_HEAD_BYTES;
    const char *end = window > from ? memmem(in->data + from, window - from, "\r\n\r\n", 4) : NULL;
    size_t len = end ? (size_t)(end - in->data) + 4 : 0;
    struct mt_ws_exchange *exchange = NULL;
    int status = 431;

    if (!end && in->len < MT_WS_HEAD_BYTES) {
        conn->searched = in->len < 3 ? 0 : in->len - 3;
        return 0;
    }
    exchange = exchange_new(conn, in->data, len);
    if (!exchange)
        return -1;
    conn->exchange = exchange;
    conn->searched = 0;
    mt_buf_consume(in, len);
    if (end)
        status = mt_ws_head_read(exchange->text, len, &exchange->head);
    if (!status && exchange->head.content_length > conn->server->options.max_body_bytes)
        status = 413;
    if (!status && exchange->head.upgrade) {
        if (!in->len) { /* nobody may speak before the handshake is done */
            mt_ws_server_hand_over(conn, &exchange->head);
            return -1;
        }
        status = 400;
    }
    if (status) {
        refuse(exchange, status);
        return 0;
    }
    conn->wants_continue = exchange->head.expects_continue && exchange->head.content_length;
    if (conn->wants_continue)
        lws_callback_on_writable(conn->wsi);
    return 0;
}

/* Moves what belongs to the body, and hands the request out when it is complete. */
static int fill(struct conn *conn, const char *p, size_t len, size_t *used)
{
    struct mt_ws_exchange *exchange = conn->exchange;
    size_t whole = (size_t)exchange->head.content_length;
    size_t left = whole - exchange->body.len;

    *used = len < left ? len : left;
    if (*used) {
        if (!exchange->body.data &&
            mt_buf_reserve(&exchange->body, whole < BODY_RESERVE ? whole : BODY_RESERVE))
            return -1;
        if (mt_buf_append(&exchange->body, p, *used))
            return -1;
    }
    if (exchange->body.len == whole)
        dispatch(exchange);
    return 0;
}

/* Goes as far as what has been received allows. */
static int proceed(struct conn *conn)
{
    size_t used = 0;

    while (!conn->lingering) {
        if (!conn->exchange && begin(conn))
            return -1;
        if (!conn->exchange || conn->exchange->dispatched)
            break;
        if (fill(conn, conn->in.data, conn->in.len, &used))
            return -1;
        mt_buf_consume(&conn->in, used);
        if (!conn->exchange->dispatched)
            break;
    }
    if (!conn->in.len && conn->in.cap > IDLE_BYTES)
        mt_buf_deinit(&conn->in);
    /* One that sends on and on without reading its answers waits in the kernel, not in memory. */
    bool deaf = !conn->lingering && conn->in.len > AHEAD_BYTES;
    if (deaf != conn->deaf) {
        conn->deaf = deaf;
        lws_rx_flow_control(conn->wsi, !deaf);
    }
    return 0;
}

int mt_ws_http_await(struct lws *wsi)
{
    const struct mt_ws_server *server = lws_context_user(lws_get_context(wsi));
    unsigned seconds = server->options.request_s;

    lws_set_timeout(wsi, seconds ? PENDING_TIMEOUT_USER_OK : NO_PENDING_TIMEOUT, (int)seconds);
    return 0;
}

void mt_ws_http_init(struct conn *conn)
{
    mt_buf_init(&conn->in, IN_BYTES);
}

int mt_ws_http_receive(struct conn *conn, const void *p, size_t len)
{
    size_t used = 0;

    if (conn->lingering)
        return 0;
    if (conn->exchange && !conn->exchange->dispatched) {
        if (fill(conn, p, len, &used)) /* straight into the body, without the detour */
            return -1;
        p = (const char *)p + used;
        len -= used;
    }
    if (len && mt_buf_append(&conn->in, p, len))
        return -1;
    return proceed(conn);
}

/* Closing at once, with input unread, would make the kernel send a reset, and that can take the
 * answer away from the client before it has read it. */
static int linger(struct conn *conn)
{
    if (shutdown(lws_get_socket_fd(conn->wsi), SHUT_WR))
        return -1;
    conn->lingering = true;
    mt_buf_reset(&conn->in);
    lws_set_timeout(conn->wsi, PENDING_TIMEOUT_USER_OK, LINGER_S);
    return conn->deaf ? proceed(conn) : 0;
}

int mt_ws_http_writeable(struct conn *conn)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct mt_ws_exchange *exchange = conn->exchange;
    unsigned char text[LWS_PRE + sizeof go_on];
    int state = 0;

    if (!exchange)
        return 0;
    if (conn->wants_continue) {
        conn->wants_continue = false;
        if (!exchange->dispatched) {
            memcpy(text + LWS_PRE, go_on, sizeof go_on - 1);
            return lws_write(conn->wsi, text + LWS_PRE, sizeof go_on - 1, LWS_WRITE_RAW) < 0 ? -1
                                                                                             : 0;
        }
    }
    if (!exchange->ready)
        return 0;
    state = mt_ws_answer_write(exchange);
    if (state <= 0)
        return state;
    bool last = !exchange->head.keep_alive;
    conn->exchange = NULL;
    exchange_free(exchange);
    if (last)
        return linger(conn);
    mt_ws_http_await(conn->wsi);
    return proceed(conn);
}

void mt_ws_http_gone(struct conn *conn)
{
    struct mt_ws_exchange *exchange = conn->exchange;

    conn->exchange = NULL;
    mt_buf_deinit(&conn->in);
    if (!exchange)
        return;
    if (exchange->dispatched && !exchange->answered && conn->server->handlers.abandoned)
        conn->server->handlers.abandoned(conn->server->ud, exchange);
    exchange_free(exchange);
}

/* The answer of an exchange: its bytes, when they may leave, and how they misbehave where the
 * answer asks for it. */
#include "ws/server_int.h"

#include "loop/loop.h"

#include <string.h>

#define HEADER_BYTES ((size_t)1 << 10)
#define PIECE_BYTES  ((size_t)256 << 10)
#define SLOW_STEP_MS 1000
#define LIE_BYTES    64

static const struct {
    int status;
    const char *reason;
} reasons[] = {
    {200, "OK"},
    {201, "Created"},
    {204, "No Content"},
    {302, "Found"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {411, "Length Required"},
    {413, "Payload Too Large"},
    {414, "URI Too Long"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {426, "Upgrade Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {505, "HTTP Version Not Supported"},
};

static const char *reason_of(int status)
{
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Answer";
}

static enum mt_rc build(struct mt_ws_exchange *exchange, const struct mt_ws_answer *answer)
{
    static const char pre[LWS_PRE];
    struct mt_buf *out = &exchange->out;
    bool is_head = exchange->head.method && !strcmp(exchange->head.method, "HEAD");
    size_t body_len = is_head ? 0 : answer->body_len;
    size_t length = answer->body_len + (answer->fault == MT_WS_FAULT_LENGTH ? LIE_BYTES : 0);

    mt_buf_reserve(out, LWS_PRE + HEADER_BYTES + body_len);
    mt_buf_append(out, pre, LWS_PRE);
    mt_buf_appendf(out, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n",
                   answer->status, reason_of(answer->status),
                   answer->content_type ? answer->content_type : "application/json", length);
    for (size_t i = 0; answer->headers && answer->headers[i]; i++)
        mt_buf_appendf(out, "%s\r\n", answer->headers[i]);
    mt_buf_append_str(out, exchange->head.keep_alive ? "\r\n" : "Connection: close\r\n\r\n");
    size_t head_len = out->len;
    if (body_len)
        mt_buf_append(out, answer->body, body_len);
    exchange->out_at = LWS_PRE;
    exchange->out_len = out->len;
    if (answer->fault == MT_WS_FAULT_TRUNCATE)
        exchange->out_len = head_len + body_len / 2;
    return out->failed;
}

static void now(struct mt_ws_exchange *exchange)
{
    exchange->ready = true;
    lws_callback_on_writable(exchange->conn->wsi);
}

static void later(void *ud)
{
    struct mt_ws_exchange *exchange = ud;

    now(exchange);
    /* Called from a timer, outside the library's own callbacks: it re-arms nothing unless it is
     * told. */
    lws_cancel_service(exchange->conn->server->library.context);
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
    if (answer->fault != MT_WS_FAULT_CLOSE && build(exchange, answer))
        exchange->fault = MT_WS_FAULT_CLOSE;
    if (exchange->fault == MT_WS_FAULT_SLOW && delay_ms < 1)
        delay_ms = 1;
    if (delay_ms <= 0) {
        now(exchange);
        return;
    }
    if (mt_timer_new(exchange->conn->server->loop, later, exchange, &exchange->timer)) {
        exchange->fault = MT_WS_FAULT_CLOSE;
        now(exchange);
        return;
    }
    mt_timer_start(exchange->timer, delay_ms,
                   exchange->fault == MT_WS_FAULT_SLOW ? SLOW_STEP_MS : 0);
}

int mt_ws_answer_write(struct mt_ws_exchange *exchange)
{
    struct lws *wsi = exchange->conn->wsi;
    size_t left = exchange->out_len - exchange->out_at;
    size_t piece = left < PIECE_BYTES ? left : PIECE_BYTES;

    if (exchange->fault == MT_WS_FAULT_CLOSE)
        return -1;
    if (exchange->fault == MT_WS_FAULT_SLOW) {
        exchange->ready = false; /* until the timer's next step */
        piece = left ? 1 : 0;
    }
    /* The library copies what the kernel does not take, and calls again only when that is gone: so
     * not everything at once. */
    if (piece && lws_write(wsi, (unsigned char *)exchange->out.data + exchange->out_at, piece,
                           LWS_WRITE_RAW) < 0)
        return -1;
    exchange->out_at += piece;
    if (piece < left) {
        if (exchange->fault != MT_WS_FAULT_SLOW)
            lws_callback_on_writable(wsi);
        return 0;
    }
    bool cuts = exchange->fault == MT_WS_FAULT_TRUNCATE || exchange->fault == MT_WS_FAULT_LENGTH;
    if (piece && (cuts || !exchange->head.keep_alive)) {
        exchange->ready = true;
        lws_callback_on_writable(wsi); /* to end the connection only after the bytes are out */
        return 0;
    }
    return cuts ? -1 : 1;
}

/* One connection: what is sent and received, its one timer, and its end. */
#include "ws/client_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "loop/loop.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define CONNECT_MS        10000
#define PING_MS           25000
#define CLOSE_MS          5000
#define MISSED_MAX        2
#define MAX_MESSAGE_BYTES ((size_t)16 << 20)
#define MAX_QUEUE_BYTES   ((size_t)4 << 20)
#define HEADERS_BYTES     ((size_t)2 << 10)
#define IN_KEPT_BYTES     512
#define REAP_US           2000
#define WRITES_MAX        16

/* ---------------------------------------------------------------- the end */

void mt_ws_conn_end(struct mt_ws_conn *conn)
{
    struct mt_ws_client *client = conn->client;
    static const struct mt_fault no_memory = {
        .kind = MT_ERR_NOMEM, .code = "memory", .message = "out of memory"};

    if (conn->state == CONN_WAITING)
        mt_ws_dial_dequeue(conn);
    if (conn->prev)
        conn->prev->next = conn->next;
    else
        client->first = conn->next;
    if (conn->next)
        conn->next->prev = conn->prev;
    else
        client->last = conn->prev;
    if (conn->link) {
        conn->link->conn = NULL;
        if (conn->wsi) {
            lws_set_timeout(conn->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
            mt_ws_client_kick(client);
        }
    }
    mt_timer_free(conn->timer);
    mt_ws_dial_free(conn);
    mt_buf_deinit(&conn->in);
    while (conn->head) {
        struct out_message *next = conn->head->next;
        mt_mem_free(conn->head);
        conn->head = next;
    }
    const struct mt_fault *fault = conn->code != MT_WS_NO_CLOSE ? NULL
                                   : conn->fault                ? conn->fault
                                                                : &no_memory;
    conn->handlers.closed(conn->ud, conn, conn->code, fault);
    mt_mem_free(conn->fault);
    mt_mem_free(conn);
}

/* Leaves the state it is in, which is counted. */
static void leave(struct mt_ws_conn *conn)
{
    struct mt_ws_client *client = conn->client;

    if (conn->state == CONN_WAITING)
        mt_ws_dial_dequeue(conn);
    if (conn->state == CONN_OPEN || conn->state == CONN_CLOSING)
        client->counts.open_n--;
    if (conn->state == CONN_CONNECTING) {
        client->counts.connecting_n--;
        mt_ws_dial_pump_soon(client);
    }
}

static void ending(struct mt_ws_conn *conn)
{
    struct mt_ws_client *client = conn->client;

    leave(conn);
    conn->state = CONN_ENDING;
    mt_timer_stop(conn->timer);
    if (client->freeing)
        return; /* who frees the client ends them all */
    if (client->ending_last)
        client->ending_last->later = conn;
    else
        client->ending = conn;
    client->ending_last = conn;
    if (client->ending == conn)
        mt_timer_start(client->reaper, 0, 0);
}

/* When a network fails, thousands end at once: what each owner does then must not keep the loop
 * from everything else. */
void mt_ws_conn_reap(void *ud)
{
    struct mt_ws_client *client = ud;
    int64_t until_us = mt_clock_mono_us() + REAP_US;

    while (client->ending && !client->freeing) {
        struct mt_ws_conn *conn = client->ending;
        client->ending = conn->later;
        if (!client->ending)
            client->ending_last = NULL;
        mt_ws_conn_end(conn);
        if (client->ending && mt_clock_mono_us() >= until_us) {
            mt_timer_start(client->reaper, 0, 0);
            return;
        }
    }
}

static void note(struct mt_ws_conn *conn, enum mt_rc kind, const char *code, const char *message)
{
    if (conn->fault)
        return;
    conn->fault = mt_mem_calloc(1, sizeof *conn->fault);
    if (conn->fault)
        (void)mt_fault_set(conn->fault, kind, code, "%s", message);
}

void mt_ws_conn_fail(struct mt_ws_conn *conn, enum mt_rc kind, const char *code, const char *fmt,
                     ...)
{
    char message[MT_FAULT_MESSAGE_MAX];
    va_list args;

    if (conn->state == CONN_ENDING)
        return;
    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    note(conn, kind, code, message);
    ending(conn);
}

/* The library's connection is gone. */
void mt_ws_conn_lost(struct mt_ws_conn *conn)
{
    bool in_time = conn->state == CONN_CONNECTING;

    /* The library keeps the answer to our close to itself: what ends before the deadline for it
     * counts as answered. */
    if (conn->state == CONN_CLOSING && conn->said_code && conn->code == MT_WS_NO_CLOSE &&
        !conn->fault)
        conn->code = conn->said_code;
    if (conn->code != MT_WS_NO_CLOSE && conn->state != CONN_ENDING)
        ending(conn);
    else
        mt_ws_conn_fail(conn, MT_ERR_NETWORK, in_time ? "ws.refused" : "ws.lost",
                        in_time ? "the server closed before the upgrade"
                                : "the connection was lost");
}

/* ---------------------------------------------------------------- the timer */

static void wake(struct mt_ws_conn *conn)
{
    if (conn->wsi)
        lws_callback_on_writable(conn->wsi);
}

static void ping_is_due(struct mt_ws_conn *conn)
{
    if (conn->heard) {
        conn->missed_n = 0;
    } else if (conn->missed_n >= conn->missed_max) {
        mt_ws_conn_fail(conn, MT_ERR_TIMEOUT, "ws.dead", "nothing came to %u pings",
                        conn->missed_max);
        return;
    } else {
        conn->missed_n++;
        conn->wants_ping = true;
        wake(conn);
    }
    conn->heard = false;
    mt_timer_start(conn->timer, conn->ping_ms, 0);
}

static void on_timer(void *ud)
{
    struct mt_ws_conn *conn = ud;

    switch (conn->state) {
    case CONN_CONNECTING:
        mt_ws_conn_fail(conn, MT_ERR_TIMEOUT, "ws.connect_timeout",
                        "no WebSocket with %s within %lld ms", conn->dial->url.authority,
                        (long long)conn->dial->timeout_ms);
        break;
    case CONN_OPEN:
        ping_is_due(conn);
        break;
    case CONN_CLOSING:
        mt_ws_conn_fail(conn, MT_ERR_TIMEOUT, "ws.close_timeout",
                        "the server did not answer the close");
        break;
    case CONN_WAITING:
    case CONN_ENDING:
        break;
    }
}

/* ---------------------------------------------------------------- opening */

static enum mt_rc copy_headers(const char *const *headers, char **out)
{
    struct mt_buf text;
    enum mt_rc rc = MT_OK;

    mt_buf_init(&text, HEADERS_BYTES);
    for (; headers && *headers && !rc; headers++) {
        const char *colon = strchr(*headers, ':');
        if (!colon || colon == *headers || strpbrk(*headers, "\r\n"))
            rc = MT_ERR_INVALID;
        else if (mt_buf_append_str(&text, *headers) || mt_buf_append_str(&text, "\r\n"))
            rc = text.failed == MT_ERR_NOMEM ? MT_ERR_NOMEM : MT_ERR_INVALID;
    }
    if (!rc)
        *out = mt_buf_steal(&text, NULL);
    mt_buf_deinit(&text);
    return rc;
}

static enum mt_rc dial_new(const struct mt_ws_conn_options *options, struct dial **out,
                           struct mt_fault *fault)
{
    struct dial *dial = mt_mem_calloc(1, sizeof *dial);
    enum mt_rc rc = MT_OK;

    *out = dial;
    if (!dial)
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    rc = mt_ws_url_read(options->url, &dial->url);
    if (rc == MT_ERR_INVALID)
        return mt_fault_set(fault, rc, "ws.url", "\"%.100s\" is no address of a WebSocket",
                            options->url ? options->url : "");
    if (!rc && !dial->url.secure && !mt_ws_host_is_loopback(dial->url.host))
        return mt_fault_set(fault, MT_ERR_INVALID, "ws.insecure",
                            "ws:// is for this machine only: use wss:// for %s", dial->url.host);
    if (!rc && options->subprotocol) {
        if (!*options->subprotocol || strpbrk(options->subprotocol, "\r\n\t \""))
            return mt_fault_set(fault, MT_ERR_INVALID, "ws.header", "the subprotocol is no name");
        dial->subprotocol = mt_mem_strdup(options->subprotocol);
        rc = dial->subprotocol ? MT_OK : MT_ERR_NOMEM;
    }
    if (!rc)
        rc = copy_headers(options->headers, &dial->headers);
    if (rc == MT_ERR_INVALID)
        return mt_fault_set(fault, rc, "ws.header",
                            "a header is not \"Name: value\", or they are over 2 KiB");
    if (rc)
        return mt_fault_set(fault, rc, "memory", "out of memory");
    dial->timeout_ms = options->connect_timeout_ms > 0 ? options->connect_timeout_ms : CONNECT_MS;
    return MT_OK;
}

enum mt_rc mt_ws_conn_open(struct mt_ws_client *client, const struct mt_ws_conn_options *options,
                           const struct mt_ws_conn_handlers *handlers, void *ud,
                           struct mt_ws_conn **out, struct mt_fault *fault)
{
    struct mt_ws_conn *conn = NULL;
    enum mt_rc rc = MT_OK;

    *out = NULL;
    if (client->freeing)
        return mt_fault_set(fault, MT_ERR_STATE, "ws.freed", "the client is being freed");
    conn = mt_mem_calloc(1, sizeof *conn);
    if (!conn)
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    conn->client = client;
    rc = dial_new(options, &conn->dial, fault);
    if (!rc && mt_timer_new(client->loop, on_timer, conn, &conn->timer))
        rc = mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    if (rc) {
        mt_ws_dial_free(conn);
        mt_mem_free(conn);
        return rc;
    }
    conn->handlers = *handlers;
    conn->ud = ud;
    conn->code = MT_WS_NO_CLOSE;
    conn->ping_ms = options->ping_ms ? options->ping_ms : PING_MS;
    conn->missed_max = options->dead_after_missed ? options->dead_after_missed : MISSED_MAX;
    conn->max_queue_bytes = options->max_queue_bytes ? options->max_queue_bytes : MAX_QUEUE_BYTES;
    mt_buf_init(&conn->in,
                options->max_message_bytes ? options->max_message_bytes : MAX_MESSAGE_BYTES);
    conn->prev = client->last;
    if (client->last)
        client->last->next = conn;
    else
        client->first = conn;
    client->last = conn;
    mt_ws_dial_enqueue(conn);
    *out = conn;
    return MT_OK;
}

int mt_ws_conn_established(struct mt_ws_conn *conn)
{
    if (conn->state != CONN_CONNECTING)
        return -1;
    leave(conn);
    conn->state = CONN_OPEN;
    conn->client->counts.open_n++;
    mt_ws_dial_free(conn);
    if (conn->ping_ms > 0)
        mt_timer_start(conn->timer, conn->ping_ms, 0);
    else
        mt_timer_stop(conn->timer);
    if (conn->handlers.open)
        conn->handlers.open(conn->ud, conn);
    return 0;
}

/* ---------------------------------------------------------------- receiving */

static void deliver(struct mt_ws_conn *conn, bool binary, const void *p, size_t len)
{
    if (conn->state == CONN_OPEN && conn->handlers.message)
        conn->handlers.message(conn->ud, conn, binary, p, len);
}

/* The close frame leaves through the library's timer callback, and what comes until then is
 * dropped. The callback for what was received must not fail: libwebsockets 4.1 then keeps its
 * buffer as full as it is, reads on while it closes, and writes beyond the buffer's end. */
static void give_up(struct mt_ws_conn *conn, enum mt_rc rc)
{
    bool too_long = rc == MT_ERR_LIMIT;

    note(conn, rc, too_long ? "ws.message_too_long" : "memory",
         too_long ? "a message is longer than was allowed" : "out of memory");
    conn->state = CONN_CLOSING;
    conn->send_code =
        too_long ? LWS_CLOSE_STATUS_MESSAGE_TOO_LARGE : LWS_CLOSE_STATUS_UNEXPECTED_CONDITION;
    mt_timer_start(conn->timer, CLOSE_MS, 0);
    wake(conn);
}

void mt_ws_conn_receive(struct mt_ws_conn *conn, const void *p, size_t len)
{
    bool last = lws_is_final_fragment(conn->wsi) && !lws_remaining_packet_payload(conn->wsi);
    bool binary = lws_frame_is_binary(conn->wsi);

    if (conn->state != CONN_OPEN)
        return;
    conn->heard = true;
    if (last && !conn->in.len && len <= conn->in.max_bytes) { /* the common case: in one piece */
        deliver(conn, binary, len ? p : "", len);
        return;
    }
    enum mt_rc rc = mt_buf_append(&conn->in, p, len);
    if (rc)
        give_up(conn, rc);
    if (rc || !last)
        return;
    deliver(conn, binary, conn->in.data, conn->in.len);
    if (conn->in.cap > IN_KEPT_BYTES)
        mt_buf_deinit(&conn->in);
    else
        mt_buf_reset(&conn->in);
}

/* The library answers it, then ends the connection. */
void mt_ws_conn_close_came(struct mt_ws_conn *conn, const unsigned char *p, size_t len)
{
    if (conn->state == CONN_ENDING)
        return;
    conn->code = len >= 2 ? (uint16_t)(p[0] << 8 | p[1]) : MT_WS_NO_CODE;
    conn->state = CONN_CLOSING;
    mt_timer_start(conn->timer, CLOSE_MS, 0);
}

/* ---------------------------------------------------------------- sending */

static int write_ping(struct mt_ws_conn *conn)
{
    unsigned char text[LWS_PRE + 1];

    conn->wants_ping = false;
    return lws_write(conn->wsi, text + LWS_PRE, 0, LWS_WRITE_PING) < 0 ? -1 : 0;
}

static int write_message(struct mt_ws_conn *conn)
{
    struct out_message *message = conn->head;
    enum lws_write_protocol kind = message->binary ? LWS_WRITE_BINARY : LWS_WRITE_TEXT;
    int written = lws_write(conn->wsi, message->bytes + LWS_PRE, message->len, kind);

    conn->head = message->next;
    if (!conn->head)
        conn->tail = NULL;
    conn->queued_bytes -= message->len;
    mt_mem_free(message);
    if (conn->state == CONN_CLOSING)
        mt_timer_start(conn->timer, CLOSE_MS, 0);
    return written < 0 ? -1 : 0;
}

/* Some at a time: to be called once for each costs two system calls more. What the socket did not
 * take is kept by the library, which must be asked before more is given to it. */
static int write_messages(struct mt_ws_conn *conn)
{
    int rc = 0;

    for (int i = 0; i < WRITES_MAX && conn->head && !rc; i++) {
        rc = write_message(conn);
        if (lws_partial_buffered(conn->wsi))
            break;
    }
    return rc;
}

int mt_ws_conn_writeable(struct mt_ws_conn *conn)
{
    bool timed = conn->send_code && !conn->wants_ping && !conn->head;
    int rc = 0;

    if (conn->state != CONN_OPEN && conn->state != CONN_CLOSING)
        return 0;
    if (conn->wants_ping)
        rc = write_ping(conn);
    else if (conn->head)
        rc = write_messages(conn);
    else if (timed)
        lws_set_timer_usecs(conn->wsi, 1);
    else
        return 0;
    if (!rc && !timed && (conn->head || conn->wants_ping || conn->send_code))
        lws_callback_on_writable(conn->wsi);
    return rc;
}

/* In the library's timer callback, since from its writeable callback no close frame would leave. */
int mt_ws_conn_say_close(struct mt_ws_conn *conn)
{
    if (!conn->send_code)
        return 0;
    lws_close_reason(conn->wsi, (enum lws_close_status)conn->send_code, NULL, 0);
    conn->said_code = conn->send_code;
    conn->send_code = 0;
    return -1;
}

enum mt_rc mt_ws_conn_send(struct mt_ws_conn *conn, bool binary, const void *p, size_t len)
{
    struct out_message *message = NULL;

    if (conn->state != CONN_OPEN)
        return MT_ERR_STATE;
    if (len > conn->max_queue_bytes || conn->queued_bytes > conn->max_queue_bytes - len)
        return MT_ERR_LIMIT;
    message = mt_mem_alloc(sizeof *message + LWS_PRE + len);
    if (!message)
        return MT_ERR_NOMEM;
    message->next = NULL;
    message->len = len;
    message->binary = binary;
    if (len)
        memcpy(message->bytes + LWS_PRE, p, len);
    if (conn->tail)
        conn->tail->next = message;
    else
        conn->head = message;
    conn->tail = message;
    conn->queued_bytes += len;
    wake(conn);
    return MT_OK;
}

size_t mt_ws_conn_queued_bytes(const struct mt_ws_conn *conn)
{
    return conn->queued_bytes;
}

void mt_ws_conn_close(struct mt_ws_conn *conn, uint16_t code)
{
    if (conn->state == CONN_CLOSING || conn->state == CONN_ENDING)
        return;
    if (conn->state != CONN_OPEN) {
        mt_ws_conn_cut(conn);
        return;
    }
    conn->state = CONN_CLOSING;
    conn->send_code = code;
    mt_timer_start(conn->timer, CLOSE_MS, 0);
    wake(conn);
}

void mt_ws_conn_cut(struct mt_ws_conn *conn)
{
    mt_ws_conn_fail(conn, MT_ERR_CANCELLED, "ws.cut", "the connection was cut");
}

/* WebSocket connections: messages joined from their pieces, a bounded queue of what is to be sent,
 * one message per writeable callback, and both ways of ending. */
#include "ws/server_int.h"

#include "base/mem.h"

#include <string.h>

struct out_message {
    struct out_message *next;
    size_t len;
    bool binary;
    unsigned char bytes[]; /* LWS_PRE, then the message */
};

struct mt_ws_peer {
    struct conn *conn;
    void *ud;
    struct mt_buf in;
    struct out_message *head, *tail;
    size_t queued_bytes;
    bool opened;
    bool closing; /* after the queue */
    bool cut;
    uint16_t code;
};

static void wake(struct mt_ws_peer *peer)
{
    lws_callback_on_writable(peer->conn->wsi);
    lws_cancel_service(peer->conn->server->library.context);
}

static void drop_queue(struct mt_ws_peer *peer)
{
    while (peer->head) {
        struct out_message *next = peer->head->next;
        mt_mem_free(peer->head);
        peer->head = next;
    }
    peer->tail = NULL;
    peer->queued_bytes = 0;
}

int mt_ws_peer_open(struct conn *conn)
{
    const struct mt_ws_head *head = conn->server->upgrading;
    struct mt_ws_peer *peer = head ? mt_mem_calloc(1, sizeof *peer) : NULL;

    if (!peer)
        return -1;
    peer->conn = conn;
    mt_buf_init(&peer->in, conn->server->options.max_message_bytes);
    conn->peer = peer;
    if (!conn->server->handlers.open ||
        !conn->server->handlers.open(conn->server->ud, peer, head->path, head->query, &peer->ud))
        return -1;
    peer->opened = true;
    return 0;
}

int mt_ws_peer_receive(struct conn *conn, const void *p, size_t len)
{
    struct mt_ws_peer *peer = conn->peer;

    /* This callback must not fail: libwebsockets 4.1 then keeps its buffer as full as it is, and
     * reads on while it closes. What comes until the close frame has left is dropped. */
    if (peer->closing || peer->cut)
        return 0;
    if (mt_buf_append(&peer->in, p, len)) {
        drop_queue(peer);
        mt_ws_peer_close(peer, LWS_CLOSE_STATUS_MESSAGE_TOO_LARGE);
        return 0;
    }
    if (!lws_is_final_fragment(conn->wsi) || lws_remaining_packet_payload(conn->wsi))
        return 0;
    if (peer->opened)
        conn->server->handlers.message(conn->server->ud, peer, peer->ud,
                                       lws_frame_is_binary(conn->wsi),
                                       peer->in.data ? peer->in.data : "", peer->in.len);
    mt_buf_reset(&peer->in);
    return 0;
}

/* The close frame. lws_close_reason and -1 in the writeable callback would not do: there
 * libwebsockets 4.1 shuts the socket down without a word. */
int mt_ws_peer_timer(struct conn *conn)
{
    lws_close_reason(conn->wsi, (enum lws_close_status)conn->peer->code, NULL, 0);
    return -1;
}

int mt_ws_peer_writeable(struct conn *conn)
{
    struct mt_ws_peer *peer = conn->peer;
    struct out_message *message = peer->head;

    if (peer->cut)
        return -1;
    if (message) {
        enum lws_write_protocol kind = message->binary ? LWS_WRITE_BINARY : LWS_WRITE_TEXT;
        int written = lws_write(conn->wsi, message->bytes + LWS_PRE, message->len, kind);
        peer->head = message->next;
        if (!peer->head)
            peer->tail = NULL;
        peer->queued_bytes -= message->len;
        mt_mem_free(message);
        if (written < 0)
            return -1;
    }
    if (peer->head) {
        lws_callback_on_writable(conn->wsi);
        return 0;
    }
    if (peer->closing) {
        if (message) { /* the close frame in a turn of its own, after the message has left */
            lws_callback_on_writable(conn->wsi);
            return 0;
        }
        lws_set_timer_usecs(conn->wsi, 1);
    }
    return 0;
}

void mt_ws_peer_gone(struct conn *conn)
{
    struct mt_ws_peer *peer = conn->peer;

    conn->peer = NULL;
    if (!peer)
        return;
    if (peer->opened && conn->server->handlers.closed)
        conn->server->handlers.closed(conn->server->ud, peer, peer->ud);
    drop_queue(peer);
    mt_buf_deinit(&peer->in);
    mt_mem_free(peer);
}

enum mt_rc mt_ws_peer_send(struct mt_ws_peer *peer, bool binary, const void *p, size_t len)
{
    struct out_message *message = NULL;

    if (peer->closing || peer->cut)
        return MT_ERR_STATE;
    if (peer->queued_bytes + len > peer->conn->server->options.max_queue_bytes) {
        mt_ws_peer_cut(peer);
        return MT_ERR_LIMIT;
    }
    message = mt_mem_alloc(sizeof *message + LWS_PRE + len);
    if (!message)
        return MT_ERR_NOMEM;
    message->next = NULL;
    message->len = len;
    message->binary = binary;
    memcpy(message->bytes + LWS_PRE, p, len);
    if (peer->tail)
        peer->tail->next = message;
    else
        peer->head = message;
    peer->tail = message;
    peer->queued_bytes += len;
    wake(peer);
    return MT_OK;
}

void mt_ws_peer_close(struct mt_ws_peer *peer, uint16_t code)
{
    peer->closing = true;
    peer->code = code;
    wake(peer);
}

void mt_ws_peer_cut(struct mt_ws_peer *peer)
{
    peer->cut = true;
    wake(peer);
}

/* See wire.h. */
#include "wire.h"

#include "tests.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WAIT_S = 20, READ_BYTES = 1 << 16 };

struct wire *wire_wrap(int fd)
{
    struct timeval wait = {.tv_sec = WAIT_S};
    int one = 1;
    struct wire *wire = calloc(1, sizeof *wire);
    wire->fd = fd;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return wire;
}

struct wire *wire_dial(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return wire_wrap(fd);
}

void wire_close(struct wire *wire)
{
    (void)close(wire->fd);
    free(wire->data);
    free(wire);
}

void wire_reset(struct wire *wire)
{
    struct linger hard = {.l_onoff = 1};
    (void)setsockopt(wire->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    wire_close(wire);
}

void wire_put(struct wire *wire, const char *p, size_t len)
{
    while (len > 0) {
        ssize_t n = send(wire->fd, p, len, MSG_NOSIGNAL);
        if (n <= 0)
            return; /* the other side has closed: what comes back tells why */
        p += n;
        len -= (size_t)n;
    }
}

void wire_text(struct wire *wire, const char *fmt, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, fmt);
    int n = vasprintf(&text, fmt, args);
    va_end(args);
    assert_true(n >= 0);
    wire_put(wire, text, (size_t)n);
    free(text);
}

bool wire_more(struct wire *wire)
{
    if (wire->cap - wire->len < READ_BYTES) {
        wire->cap = wire->cap * 2 + 2 * (size_t)READ_BYTES;
        wire->data = realloc(wire->data, wire->cap);
    }
    ssize_t n = recv(wire->fd, wire->data + wire->len, READ_BYTES - 1, 0);
    if (n <= 0)
        return false;
    wire->len += (size_t)n;
    wire->data[wire->len] = '\0';
    return true;
}

void wire_take(struct wire *wire, size_t n)
{
    memmove(wire->data, wire->data + n, wire->len - n + 1);
    wire->len -= n;
}

bool wire_at_end(struct wire *wire)
{
    return wire->len == 0 && !wire_more(wire);
}

bool wire_reply(struct wire *wire, bool has_body, struct reply *reply)
{
    char *end = NULL;
    *reply = (struct reply){0};
    while (wire->len == 0 || !(end = strstr(wire->data, "\r\n\r\n")))
        if (!wire_more(wire))
            return false;
    size_t head_len = (size_t)(end - wire->data) + 4;
    assert_true(head_len < sizeof reply->head);
    memcpy(reply->head, wire->data, head_len);
    wire_take(wire, head_len);
    assert_memory_equal(reply->head, "HTTP/1.1 ", 9);
    reply->status = (int)strtol(reply->head + 9, NULL, 10);
    const char *length = strcasestr(reply->head, "\r\ncontent-length:");
    reply->announced = length ? strtoul(length + 17, NULL, 10) : 0;
    bool whole = true;
    while (has_body && whole && wire->len < reply->announced)
        whole = wire_more(wire);
    reply->body_len = !has_body ? 0 : wire->len < reply->announced ? wire->len : reply->announced;
    reply->body = calloc(1, reply->body_len + 1);
    memcpy(reply->body, wire->data, reply->body_len);
    if (reply->body_len)
        wire_take(wire, reply->body_len);
    return whole;
}

void reply_free(struct reply *reply)
{
    free(reply->body);
    reply->body = NULL;
}

struct wire *wire_ws(uint16_t port, const char *target)
{
    struct reply reply;
    struct wire *wire = wire_dial(port);
    wire_text(
        wire,
        "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        target, port);
    assert_true(wire_reply(wire, false, &reply));
    assert_int_equal(reply.status, 101);
    assert_non_null(strstr(reply.head, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")); /* RFC 6455, 1.3 */
    reply_free(&reply);
    return wire;
}

void wire_frame(struct wire *wire, unsigned first, const char *p, size_t len)
{
    static const unsigned char mask[4] = {0x11, 0x22, 0x33, 0x44};
    unsigned char head[14] = {(unsigned char)first};
    size_t n = 2;
    head[1] = (unsigned char)(0x80 | (len < 126 ? len : len < 65536 ? 126 : 127));
    for (int shift = len < 126 ? -8 : len < 65536 ? 8 : 56; shift >= 0; shift -= 8)
        head[n++] = (unsigned char)(len >> shift);
    memcpy(head + n, mask, 4);
    char *text = malloc(n + 4 + len);
    memcpy(text, head, n + 4);
    for (size_t i = 0; i < len; i++)
        text[n + 4 + i] = (char)((unsigned char)p[i] ^ mask[i % 4]);
    wire_put(wire, text, n + 4 + len);
    free(text);
}

static bool have(struct wire *wire, size_t n)
{
    while (wire->len < n)
        if (!wire_more(wire))
            return false;
    return true;
}

bool wire_next(struct wire *wire, struct frame *frame)
{
    size_t head = 2;
    *frame = (struct frame){0};
    if (!have(wire, 2))
        return false;
    const unsigned char *p = (const unsigned char *)wire->data;
    frame->fin = p[0] & 0x80;
    frame->opcode = p[0] & 0x0f;
    frame->masked = p[1] & 0x80;
    frame->len = p[1] & 0x7f;
    size_t more = frame->len == 126 ? 2 : frame->len == 127 ? 8 : 0;
    if (!have(wire, 2 + more))
        return false;
    p = (const unsigned char *)wire->data;
    if (more)
        frame->len = 0;
    for (size_t i = 0; i < more; i++)
        frame->len = frame->len << 8 | p[head++];
    size_t mask_at = head;
    head += frame->masked ? 4 : 0;
    if (!have(wire, head + frame->len))
        return false;
    frame->payload = calloc(1, frame->len + 1);
    for (size_t i = 0; i < frame->len; i++)
        frame->payload[i] =
            (char)(wire->data[head + i] ^ (frame->masked ? wire->data[mask_at + i % 4] : 0));
    wire_take(wire, head + frame->len);
    return true;
}

void wire_expect(struct wire *wire, unsigned opcode, const char *p, size_t len)
{
    struct frame frame;
    char *all = NULL;
    size_t all_len = 0;
    unsigned kind = 0;
    do { /* a message may come in several frames */
        assert_true(wire_next(wire, &frame));
        assert_false(frame.masked);
        kind = frame.opcode ? frame.opcode : kind;
        all = realloc(all, all_len + frame.len + 1);
        memcpy(all + all_len, frame.payload, frame.len);
        all_len += frame.len;
        free(frame.payload);
    } while (!frame.fin);
    assert_int_equal(kind, opcode);
    assert_int_equal(all_len, len);
    assert_memory_equal(all, p, len);
    free(all);
}

void wire_expect_close(struct wire *wire, unsigned code)
{
    struct frame frame;
    assert_true(wire_next(wire, &frame));
    assert_int_equal(frame.opcode, 8);
    assert_true(frame.len >= 2);
    assert_int_equal((unsigned char)frame.payload[0] << 8 | (unsigned char)frame.payload[1], code);
    free(frame.payload);
}

void wire_send_close(struct wire *wire, unsigned code)
{
    char payload[2] = {(char)(code >> 8), (char)code};
    wire_frame(wire, 0x88, payload, 2);
}

/* The client's end of a connection, byte by byte: plain blocking sockets with a deadline of ten
 * seconds, and WebSocket frames by hand. */
#ifndef MT_TESTS_UNIT_WS_WIRE_H
#define MT_TESTS_UNIT_WS_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wire {
    int fd;
    char *data; /* received and not yet taken */
    size_t len, cap;
};

struct reply {
    int status;
    char head[4096];
    char *body;
    size_t body_len;
    size_t announced;
};

struct frame {
    unsigned char opcode;
    bool fin;
    bool masked;
    char *payload;
    size_t len;
};

struct wire *wire_dial(uint16_t port);
struct wire *wire_wrap(int fd);
void wire_close(struct wire *wire);
void wire_reset(struct wire *wire); /* closes with RST */
void wire_put(struct wire *wire, const char *p, size_t len);
void wire_text(struct wire *wire, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* At least one more byte; false at the end of the stream. */
bool wire_more(struct wire *wire);
void wire_take(struct wire *wire, size_t n);
bool wire_at_end(struct wire *wire); /* nothing more, and closed */

/* A whole answer; false when the stream ends before. The body is what came, even then. */
bool wire_reply(struct wire *wire, bool has_body, struct reply *reply);
void reply_free(struct reply *reply);

/* The upgrade, and that it was accepted. */
struct wire *wire_ws(uint16_t port, const char *target);
void wire_frame(struct wire *wire, unsigned first, const char *p, size_t len);
bool wire_next(struct wire *wire, struct frame *frame);
void wire_expect(struct wire *wire, unsigned opcode, const char *p, size_t len);
void wire_expect_close(struct wire *wire, unsigned code); /* and that the stream ends */
void wire_send_close(struct wire *wire, unsigned code);

#endif

/* A server on a thread of its own, which answers as the path tells it to; what it saw can be waited
 * for. */
#ifndef MT_TESTS_UNIT_WS_HOST_H
#define MT_TESTS_UNIT_WS_HOST_H

#include "ws/server.h"

struct mt_loop;

/* Paths of requests:
 *   /echo…            "METHOD|path|query|authorization|content-type|body"
 *   /answer?size=N&delay=MS&fault=N&status=N&head=1   N bytes of a pattern
 *   /hold             is never answered
 * Paths of WebSockets: a message comes back as it came, except
 *   /no               is not accepted
 *   /close?code=N     the first message closes with that code, after an "a" and a "b"
 *   /cut              the first message cuts
 *   /flood            the first message is answered until the queue is full
 *   /silent           nothing comes back
 *   /greet            says "hello" when opened
 *   /swap             a message goes to the other peer
 *   /count            a message is answered by its length and a checksum, as text */
struct host;

enum host_event { HOST_REQUEST, HOST_ABANDONED, HOST_OPEN, HOST_MESSAGE, HOST_CLOSED, HOST_EVENTS };

struct host *host_start(const struct mt_ws_server_options *options);
void host_stop(struct host *host); /* frees the server, then checks that its loop is empty */
uint16_t host_port(const struct host *host);
/* Until the event was seen n times since the start; fails the test after ten seconds. */
void host_wait(struct host *host, enum host_event event, unsigned n);
unsigned host_count(struct host *host, enum host_event event);
enum mt_rc host_last_send(struct host *host);
unsigned host_live(struct host *host); /* WebSockets open now */
/* Runs fn on the server's thread. */
void host_do(struct host *host, void (*fn)(void *ud), void *ud);

char pattern_at(size_t i);
uint32_t checksum(const char *p, size_t len);

#endif

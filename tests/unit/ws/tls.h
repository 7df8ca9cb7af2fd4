/* A WebSocket server over TLS by hand, on a thread: after the upgrade it says "hello", and ends
 * when something comes. */
#ifndef MT_TESTS_UNIT_WS_TLS_H
#define MT_TESTS_UNIT_WS_TLS_H

#include <stdbool.h>
#include <stdint.h>

struct tls;

struct tls *tls_start(const char *cert, const char *key, bool only_tls_1_1);
void tls_stop(struct tls *tls);
uint16_t tls_port(const struct tls *tls);
unsigned tls_upgraded(struct tls *tls); /* connections that got so far */

#endif

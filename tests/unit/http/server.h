/* A small HTTP server with a script: every connection has a thread, every request goes to the
 * test's answer function, which writes whatever bytes it likes. Plain or TLS. */
#ifndef MT_TESTS_UNIT_HTTP_SERVER_H
#define MT_TESTS_UNIT_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>

struct server;
struct peer;

struct request {
    char method[16];
    char target[512];
    char head[4096]; /* all of it, with the request line */
    char *body;
    size_t body_len;
    unsigned number;     /* of this request at this server, from 1 */
    unsigned connection; /* on which, from 1 */
};

struct server_options {
    /* Returns whether the connection stays open for another request. */
    bool (*answer)(void *ud, struct peer *peer, const struct request *request);
    void *ud;
    const char *cert_file; /* both NULL: plain */
    const char *key_file;
    int max_version; /* TLS1_1_VERSION, …; 0: the newest */
};

struct server *server_start(const struct server_options *options);
void server_stop(struct server *server);
unsigned server_port(const struct server *server);
/* "http://127.0.0.1:PORT/path" in a buffer of the server's, good until the next call from the same
 * thread. */
const char *server_url(struct server *server, const char *path);
unsigned server_accepted(struct server *server);
unsigned server_requests(struct server *server);
unsigned server_peak(struct server *server); /* most requests being answered at once */

/* For answer functions. */
void peer_send(struct peer *peer, const void *p, size_t len);
void peer_text(struct peer *peer, const char *text);
void peer_answer(struct peer *peer, int status, const char *headers, const char *body);
/* Blocks until the client has closed, or milliseconds have passed (-1: for ever). Returns whether
 * it has closed. */
bool peer_wait_closed(struct peer *peer, int wait_ms);
/* Blocks until n requests are being answered at once, or a bound has passed. */
bool peer_wait_peak(struct peer *peer, unsigned n, int wait_ms);
/* Closes with a reset instead of an orderly end. */
void peer_reset(struct peer *peer);

#endif

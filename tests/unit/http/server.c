/* See server.h. */
#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PEERS_MAX = 2048 };

struct peer {
    struct server *server;
    int fd;
    SSL *ssl;
    pthread_t thread;
    unsigned number;
    char buf[16384];
    size_t len;
};

struct server {
    struct server_options options;
    SSL_CTX *ctx;
    int fd;
    unsigned port;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct peer *peers[PEERS_MAX];
    unsigned accepted;
    unsigned requests;
    unsigned now;
    unsigned peak;
    bool stop;
    char url[1024];
};

static void die(const char *what)
{
    fprintf(stderr, "test server: %s: %s\n", what, strerror(errno));
    abort();
}

static ssize_t peer_read(struct peer *peer, void *p, size_t cap)
{
    return peer->ssl ? SSL_read(peer->ssl, p, (int)cap) : recv(peer->fd, p, cap, 0);
}

void peer_send(struct peer *peer, const void *p, size_t len)
{
    const char *at = p;
    while (len > 0) {
        ssize_t n =
            peer->ssl ? SSL_write(peer->ssl, at, (int)len) : send(peer->fd, at, len, MSG_NOSIGNAL);
        if (n <= 0) {
            return; /* the client has gone */
        }
        at += n;
        len -= (size_t)n;
    }
}

void peer_text(struct peer *peer, const char *text)
{
    peer_send(peer, text, strlen(text));
}

void peer_answer(struct peer *peer, int status, const char *headers, const char *body)
{
    char head[2048];
    bool bare = status == 204 || status == 304; /* these have no body */
    int n = snprintf(head, sizeof head, "HTTP/1.1 %d Test\r\nContent-Length: %zu\r\n%s\r\n", status,
                     bare ? 0 : strlen(body), headers ? headers : "");
    peer_send(peer, head, (size_t)n);
    peer_text(peer, bare ? "" : body);
}

bool peer_wait_closed(struct peer *peer, int wait_ms)
{
    struct pollfd pfd = {.fd = peer->fd, .events = POLLIN | POLLRDHUP};
    return poll(&pfd, 1, wait_ms) > 0;
}

bool peer_wait_peak(struct peer *peer, unsigned n, int wait_ms)
{
    struct server *server = peer->server;
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += wait_ms / 1000;
    until.tv_nsec += (long)(wait_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    pthread_mutex_lock(&server->lock);
    while (server->peak < n && !server->stop) {
        if (pthread_cond_timedwait(&server->changed, &server->lock, &until) != 0) {
            break;
        }
    }
    bool reached = server->peak >= n;
    pthread_mutex_unlock(&server->lock);
    return reached;
}

void peer_reset(struct peer *peer)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

static size_t content_length(const char *head)
{
    const char *at = strcasestr(head, "\r\nContent-Length:");
    return at ? strtoul(at + strlen("\r\nContent-Length:"), NULL, 10) : 0;
}

/* Reads one request; false at the connection's end. */
static bool read_request(struct peer *peer, struct request *request)
{
    char *end = NULL;
    memset(request, 0, sizeof *request);
    while (!(end = memmem(peer->buf, peer->len, "\r\n\r\n", 4))) {
        ssize_t n = peer_read(peer, peer->buf + peer->len, sizeof peer->buf - peer->len);
        if (n <= 0) {
            return false;
        }
        peer->len += (size_t)n;
    }
    size_t head_len = (size_t)(end - peer->buf) + 4;
    if (head_len >= sizeof request->head) {
        die("a head too long");
    }
    memcpy(request->head, peer->buf, head_len);
    if (sscanf(request->head, "%15s %511s", request->method, request->target) != 2) {
        die("not a request");
    }
    memmove(peer->buf, peer->buf + head_len, peer->len - head_len);
    peer->len -= head_len;
    request->body_len = content_length(request->head);
    request->body = calloc(1, request->body_len + 1);
    size_t got = peer->len < request->body_len ? peer->len : request->body_len;
    memcpy(request->body, peer->buf, got);
    memmove(peer->buf, peer->buf + got, peer->len - got);
    peer->len -= got;
    while (got < request->body_len) {
        ssize_t n = peer_read(peer, request->body + got, request->body_len - got);
        if (n <= 0) {
            free(request->body);
            return false;
        }
        got += (size_t)n;
    }
    return true;
}

static void count(struct server *server, struct request *request)
{
    pthread_mutex_lock(&server->lock);
    request->number = ++server->requests;
    server->now++;
    if (server->now > server->peak) {
        server->peak = server->now;
    }
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
}

static void uncount(struct server *server)
{
    pthread_mutex_lock(&server->lock);
    server->now--;
    pthread_mutex_unlock(&server->lock);
}

static void *serve(void *ud)
{
    struct peer *peer = ud;
    struct server *server = peer->server;
    bool ok = true;
    if (server->ctx) {
        peer->ssl = SSL_new(server->ctx);
        SSL_set_fd(peer->ssl, peer->fd);
        ok = SSL_accept(peer->ssl) == 1;
    }
    while (ok) {
        struct request request;
        if (!read_request(peer, &request)) {
            break;
        }
        request.connection = peer->number;
        count(server, &request);
        ok = server->options.answer(server->options.ud, peer, &request);
        uncount(server);
        free(request.body);
    }
    if (peer->ssl) {
        SSL_shutdown(peer->ssl);
        SSL_free(peer->ssl);
        ERR_clear_error();
    }
    pthread_mutex_lock(&server->lock);
    close(peer->fd);
    peer->fd = -1;
    pthread_mutex_unlock(&server->lock);
    return NULL;
}

static void *accept_all(void *ud)
{
    struct server *server = ud;
    for (;;) {
        int fd = accept(server->fd, NULL, NULL);
        if (fd < 0) {
            if (errno == EINTR || errno == ECONNABORTED) {
                continue;
            }
            return NULL; /* server_stop has shut the listener */
        }
        pthread_mutex_lock(&server->lock);
        if (server->stop || server->accepted >= PEERS_MAX) {
            close(fd);
            pthread_mutex_unlock(&server->lock);
            return NULL;
        }
        int one = 1; /* head and body are two writes; the second shall not wait for an ACK */
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct peer *peer = calloc(1, sizeof *peer);
        peer->server = server;
        peer->fd = fd;
        server->peers[server->accepted] = peer;
        peer->number = ++server->accepted;
        if (pthread_create(&peer->thread, NULL, serve, peer) != 0) {
            die("pthread_create");
        }
        pthread_mutex_unlock(&server->lock);
    }
}

static SSL_CTX *make_ctx(const struct server_options *options)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (SSL_CTX_use_certificate_chain_file(ctx, options->cert_file) != 1 ||
        SSL_CTX_use_PrivateKey_file(ctx, options->key_file, SSL_FILETYPE_PEM) != 1) {
        die("certificate");
    }
    if (options->max_version != 0) {
        SSL_CTX_set_security_level(ctx, 0);
        SSL_CTX_set_min_proto_version(ctx, 0);
        SSL_CTX_set_max_proto_version(ctx, options->max_version);
    }
    return ctx;
}

struct server *server_start(const struct server_options *options)
{
    struct server *server = calloc(1, sizeof *server);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    server->options = *options;
    pthread_mutex_init(&server->lock, NULL);
    pthread_cond_init(&server->changed, NULL);
    if (options->cert_file) {
        server->ctx = make_ctx(options);
    }
    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (server->fd < 0 || bind(server->fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(server->fd, 512) != 0 ||
        getsockname(server->fd, (struct sockaddr *)&address, &len) != 0) {
        die("listen");
    }
    server->port = ntohs(address.sin_port);
    if (pthread_create(&server->thread, NULL, accept_all, server) != 0) {
        die("pthread_create");
    }
    return server;
}

void server_stop(struct server *server)
{
    pthread_mutex_lock(&server->lock);
    server->stop = true;
    pthread_cond_broadcast(&server->changed);
    shutdown(server->fd, SHUT_RDWR);
    pthread_mutex_unlock(&server->lock);
    pthread_join(server->thread, NULL);
    for (unsigned i = 0; i < server->accepted; i++) {
        pthread_mutex_lock(&server->lock);
        if (server->peers[i]->fd >= 0) {
            shutdown(server->peers[i]->fd, SHUT_RDWR);
        }
        pthread_mutex_unlock(&server->lock);
        pthread_join(server->peers[i]->thread, NULL);
        free(server->peers[i]);
    }
    close(server->fd);
    SSL_CTX_free(server->ctx);
    pthread_mutex_destroy(&server->lock);
    pthread_cond_destroy(&server->changed);
    free(server);
}

unsigned server_port(const struct server *server)
{
    return server->port;
}

const char *server_url(struct server *server, const char *path)
{
    snprintf(server->url, sizeof server->url, "%s://%s:%u%s", server->ctx ? "https" : "http",
             server->ctx ? "localhost" : "127.0.0.1", server->port, path);
    return server->url;
}

static unsigned read_count(struct server *server, const unsigned *count_p)
{
    pthread_mutex_lock(&server->lock);
    unsigned n = *count_p;
    pthread_mutex_unlock(&server->lock);
    return n;
}

unsigned server_accepted(struct server *server)
{
    return read_count(server, &server->accepted);
}

unsigned server_requests(struct server *server)
{
    return read_count(server, &server->requests);
}

unsigned server_peak(struct server *server)
{
    return read_count(server, &server->peak);
}

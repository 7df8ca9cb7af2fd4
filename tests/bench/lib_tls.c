/* A process that takes TLS off what comes to its port and passes it on to another port of loopback:
 * the front that a cloud has before its servers. See fleet_tls. */
#include "lib_fleet.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIECE 16384

struct pair;

struct end {
    struct pair *pair;
    int fd;
};

struct pair {
    struct end outer, inner;
    SSL *ssl;
    bool shaken, over;
    struct pair *next_over;
};

struct front {
    int epoll, listener;
    SSL_CTX *tls;
    struct sockaddr_in to;
    struct pair *over; /* to be freed at the end of the turn */
};

static void watch(struct front *front, int fd, void *ud)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = ud};

    (void)epoll_ctl(front->epoll, EPOLL_CTL_ADD, fd, &event);
}

static void finish(struct front *front, struct pair *pair)
{
    if (pair->over)
        return;
    pair->over = true;
    (void)close(pair->outer.fd);
    if (pair->inner.fd >= 0)
        (void)close(pair->inner.fd);
    pair->next_over = front->over;
    front->over = pair;
}

static void welcome(struct front *front)
{
    struct pair *pair = NULL;
    int one = 1;
    int fd = accept4(front->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0)
        return;
    pair = calloc(1, sizeof *pair);
    if (!pair)
        abort();
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    pair->outer = (struct end){pair, fd};
    pair->inner = (struct end){pair, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    pair->ssl = SSL_new(front->tls);
    (void)setsockopt(pair->inner.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    (void)SSL_set_fd(pair->ssl, fd);
    if (connect(pair->inner.fd, (struct sockaddr *)&front->to, sizeof front->to)) {
        finish(front, pair);
        return;
    }
    watch(front, fd, &pair->outer);
    watch(front, pair->inner.fd, &pair->inner);
}

static bool pass(int fd, const char *p, int len)
{
    while (len > 0) {
        ssize_t n = send(fd, p, (size_t)len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        p += n;
        len -= (int)n;
    }
    return true;
}

/* From the client, as long as there is something. */
static void inward(struct front *front, struct pair *pair)
{
    char piece[PIECE];

    if (!pair->shaken) {
        int rc = SSL_accept(pair->ssl);
        if (rc != 1) {
            if (SSL_get_error(pair->ssl, rc) != SSL_ERROR_WANT_READ)
                finish(front, pair);
            return;
        }
        pair->shaken = true;
    }
    for (;;) {
        int n = SSL_read(pair->ssl, piece, sizeof piece);
        if (n <= 0) {
            if (SSL_get_error(pair->ssl, n) != SSL_ERROR_WANT_READ)
                finish(front, pair);
            return;
        }
        if (!pass(pair->inner.fd, piece, n)) {
            finish(front, pair);
            return;
        }
    }
}

static void outward(struct front *front, struct pair *pair)
{
    char piece[PIECE];
    ssize_t n = recv(pair->inner.fd, piece, sizeof piece, 0);

    while (n > 0) {
        int rc = SSL_write(pair->ssl, piece, (int)n);
        if (rc > 0)
            return;
        struct pollfd room = {.fd = pair->outer.fd, .events = POLLOUT};
        if (SSL_get_error(pair->ssl, rc) != SSL_ERROR_WANT_WRITE || poll(&room, 1, 5000) != 1)
            break;
    }
    finish(front, pair);
}

static void turn(struct front *front)
{
    struct epoll_event events[64];
    int n = epoll_wait(front->epoll, events, 64, -1);

    for (int i = 0; i < n; i++) {
        struct end *end = events[i].data.ptr;
        if (!end)
            welcome(front);
        else if (end->pair->over)
            continue;
        else if (end == &end->pair->outer)
            inward(front, end->pair);
        else
            outward(front, end->pair);
    }
    while (front->over) {
        struct pair *pair = front->over;
        front->over = pair->next_over;
        SSL_free(pair->ssl);
        free(pair);
    }
}

static void serve(struct front *front, const char *cert, const char *key)
{
    struct rlimit limit;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)signal(SIGPIPE, SIG_IGN);
    if (!getrlimit(RLIMIT_NOFILE, &limit)) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    (void)fork(); /* two of them, who share the listener: a process may not have files enough */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    front->tls = SSL_CTX_new(TLS_server_method());
    front->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!front->tls || SSL_CTX_use_certificate_file(front->tls, cert, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_use_PrivateKey_file(front->tls, key, SSL_FILETYPE_PEM) != 1)
        _exit(1);
    (void)SSL_CTX_set_mode(front->tls, SSL_MODE_RELEASE_BUFFERS);
    watch(front, front->listener, NULL);
    for (;;)
        turn(front);
}

uint16_t fleet_tls(const char *cert, const char *key, uint16_t to, pid_t *child)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    struct front front = {.listener =
                              socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    socklen_t len = sizeof address;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    front.to = address;
    front.to.sin_port = htons(to);
    if (bind(front.listener, (struct sockaddr *)&address, sizeof address) ||
        listen(front.listener, 4096) ||
        getsockname(front.listener, (struct sockaddr *)&address, &len))
        return 0;
    *child = fork();
    if (!*child)
        serve(&front, cert, key);
    (void)close(front.listener);
    return *child > 0 ? ntohs(address.sin_port) : 0;
}

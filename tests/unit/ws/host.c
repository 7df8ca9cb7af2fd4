/* See host.h. */
#include "host.h"

#include "tests.h"

#include "base/buf.h"
#include "base/mem.h"
#include "loop/loop.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SEND_LIMIT = 100000, WAIT_S = 20 };

struct host {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct mt_ws_server_options options;
    struct mt_loop *loop;
    struct mt_ws_server *server;
    struct mt_fault fault;
    unsigned seen[HOST_EVENTS];
    unsigned live_n;
    enum mt_rc last_send;
    bool started;
    bool left_over;
};

/* What a WebSocket was opened for. */
struct guest {
    char path[64];
    long code;
    struct guest *other; /* of /swap */
    struct mt_ws_peer *peer;
};

static struct guest *waiting; /* the first of two /swap; touched by the server's thread alone */

char pattern_at(size_t i)
{
    return (char)('a' + (i + i / 26) % 26);
}

uint32_t checksum(const char *p, size_t len)
{
    uint32_t sum = 2166136261u;
    for (size_t i = 0; i < len; i++)
        sum = (sum ^ (unsigned char)p[i]) * 16777619u;
    return sum;
}

static void note(struct host *host, enum host_event event)
{
    pthread_mutex_lock(&host->lock);
    host->seen[event]++;
    if (event == HOST_OPEN)
        host->live_n++;
    if (event == HOST_CLOSED)
        host->live_n--;
    pthread_cond_broadcast(&host->changed);
    pthread_mutex_unlock(&host->lock);
}

static long option(const char *query, const char *name)
{
    const char *at = strstr(query, name);
    return at ? strtol(at + strlen(name), NULL, 10) : 0;
}

static void answer_pattern(struct mt_ws_exchange *exchange, const char *query)
{
    static const char *const extra[] = {"X-Extra: one", "X-More: two", NULL};
    size_t len = (size_t)option(query, "size=");
    char *body = mt_mem_alloc(len + 1);
    for (size_t i = 0; i < len; i++)
        body[i] = pattern_at(i);
    struct mt_ws_answer answer = {
        .status = option(query, "status=") ? (int)option(query, "status=") : 200,
        .content_type = "text/plain",
        .headers = option(query, "head=") ? extra : NULL,
        .body = body,
        .body_len = len,
        .delay_ms = option(query, "delay="),
        .fault = (enum mt_ws_fault)option(query, "fault="),
    };
    mt_ws_answer(exchange, &answer);
    mt_ws_answer(exchange, &answer); /* a second one is nothing */
    mt_mem_free(body);
}

static void on_request(void *ud, struct mt_ws_exchange *exchange,
                       const struct mt_ws_request *request)
{
    struct mt_buf out;
    if (!strncmp(request->path, "/answer", 7))
        answer_pattern(exchange, request->query);
    else if (strcmp(request->path, "/hold") != 0) {
        mt_buf_init(&out, (size_t)64 << 20);
        mt_buf_appendf(&out, "%s|%s|%s|%s|%s|", request->method, request->path, request->query,
                       request->authorization, request->content_type);
        mt_buf_append(&out, request->body, request->body_len);
        struct mt_ws_answer answer = {.status = 200, .body = out.data, .body_len = out.len};
        mt_ws_answer(exchange, &answer);
        mt_buf_deinit(&out);
    }
    note(ud, HOST_REQUEST);
}

static void on_abandoned(void *ud, struct mt_ws_exchange *exchange)
{
    (void)exchange;
    note(ud, HOST_ABANDONED);
}

static bool on_open(void *ud, struct mt_ws_peer *peer, const char *path, const char *query,
                    void **peer_ud)
{
    if (!strcmp(path, "/no"))
        return false;
    struct guest *guest = mt_mem_calloc(1, sizeof *guest);
    snprintf(guest->path, sizeof guest->path, "%s", path);
    guest->code = option(query, "code=");
    guest->peer = peer;
    if (!strcmp(path, "/swap")) {
        guest->other = waiting;
        if (waiting)
            waiting->other = guest;
        waiting = waiting ? NULL : guest;
    }
    *peer_ud = guest;
    if (!strcmp(path, "/greet"))
        assert_int_equal(mt_ws_peer_send(peer, false, "hello", 5), MT_OK);
    if (!strcmp(path, "/uri")) {
        char text[512];
        int n = snprintf(text, sizeof text, "%s?%s", path, query);
        assert_int_equal(mt_ws_peer_send(peer, false, text, (size_t)n), MT_OK);
    }
    note(ud, HOST_OPEN);
    return true;
}

static void flood(struct host *host, struct mt_ws_peer *peer)
{
    static const char piece[10000];
    enum mt_rc rc = MT_OK;
    for (int i = 0; i < SEND_LIMIT && rc == MT_OK; i++)
        rc = mt_ws_peer_send(peer, true, piece, sizeof piece);
    pthread_mutex_lock(&host->lock);
    host->last_send = rc;
    pthread_mutex_unlock(&host->lock);
    assert_int_equal(mt_ws_peer_send(peer, true, "x", 1), MT_ERR_STATE);
}

static void on_message(void *ud, struct mt_ws_peer *peer, void *peer_ud, bool binary, const void *p,
                       size_t len)
{
    struct guest *guest = peer_ud;
    char text[64];
    if (!strcmp(guest->path, "/close")) {
        (void)mt_ws_peer_send(peer, false, "a", 1);
        (void)mt_ws_peer_send(peer, true, "b", 1);
        mt_ws_peer_close(peer, (uint16_t)guest->code);
        assert_int_equal(mt_ws_peer_send(peer, true, "c", 1), MT_ERR_STATE);
    } else if (!strcmp(guest->path, "/cut")) {
        (void)mt_ws_peer_send(peer, false, "lost", 4);
        mt_ws_peer_cut(peer);
    } else if (!strcmp(guest->path, "/flood")) {
        flood(ud, peer);
    } else if (!strcmp(guest->path, "/count")) {
        int n = snprintf(text, sizeof text, "%zu %u", len, checksum(p, len));
        (void)mt_ws_peer_send(peer, false, text, (size_t)n);
    } else if (!strcmp(guest->path, "/swap")) {
        if (guest->other)
            (void)mt_ws_peer_send(guest->other->peer, binary, p, len);
    } else if (strcmp(guest->path, "/silent") != 0) {
        (void)mt_ws_peer_send(peer, binary, p, len);
    }
    note(ud, HOST_MESSAGE);
}

static void on_closed(void *ud, struct mt_ws_peer *peer, void *peer_ud)
{
    struct guest *guest = peer_ud;
    assert_ptr_equal(guest->peer, peer);
    if (guest->other)
        guest->other->other = NULL;
    if (waiting == guest)
        waiting = NULL;
    mt_mem_free(guest);
    note(ud, HOST_CLOSED);
}

static void *serve(void *ud)
{
    struct host *host = ud;
    struct mt_ws_server_handlers handlers = {
        .request = on_request,
        .abandoned = on_abandoned,
        .open = on_open,
        .message = on_message,
        .closed = on_closed,
    };
    assert_int_equal(mt_loop_new(&host->loop), MT_OK);
    if (mt_ws_server_new(host->loop, &host->options, &handlers, host, &host->server,
                         &host->fault) != MT_OK)
        host->server = NULL;
    pthread_mutex_lock(&host->lock);
    host->started = true;
    pthread_cond_broadcast(&host->changed);
    pthread_mutex_unlock(&host->lock);
    if (host->server)
        mt_loop_run(host->loop);
    mt_ws_server_free(host->server);
    host->left_over = mt_loop_free(host->loop) != MT_OK;
    return NULL;
}

struct host *host_start(const struct mt_ws_server_options *options)
{
    struct host *host = calloc(1, sizeof *host);
    host->options = options ? *options : (struct mt_ws_server_options){0};
    host->options.host = "127.0.0.1";
    pthread_mutex_init(&host->lock, NULL);
    pthread_cond_init(&host->changed, NULL);
    assert_int_equal(pthread_create(&host->thread, NULL, serve, host), 0);
    pthread_mutex_lock(&host->lock);
    while (!host->started)
        pthread_cond_wait(&host->changed, &host->lock);
    pthread_mutex_unlock(&host->lock);
    if (!host->server)
        print_error("%s\n", host->fault.message);
    assert_non_null(host->server);
    return host;
}

static void stop(void *ud)
{
    mt_loop_stop(ud);
}

void host_stop(struct host *host)
{
    host_do(host, stop, host->loop);
    pthread_join(host->thread, NULL);
    assert_false(host->left_over);
    assert_int_equal(host->live_n, 0);
    pthread_cond_destroy(&host->changed);
    pthread_mutex_destroy(&host->lock);
    free(host);
}

uint16_t host_port(const struct host *host)
{
    return mt_ws_server_port(host->server);
}

void host_wait(struct host *host, enum host_event event, unsigned n)
{
    struct timespec until = {0};
    int err = 0;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_S;
    pthread_mutex_lock(&host->lock);
    while (host->seen[event] < n && err != ETIMEDOUT)
        err = pthread_cond_timedwait(&host->changed, &host->lock, &until);
    unsigned seen = host->seen[event];
    pthread_mutex_unlock(&host->lock);
    if (seen < n)
        print_error("event %d came %u times, and not %u\n", (int)event, seen, n);
    assert_true(seen >= n);
}

unsigned host_count(struct host *host, enum host_event event)
{
    pthread_mutex_lock(&host->lock);
    unsigned n = host->seen[event];
    pthread_mutex_unlock(&host->lock);
    return n;
}

enum mt_rc host_last_send(struct host *host)
{
    pthread_mutex_lock(&host->lock);
    enum mt_rc rc = host->last_send;
    pthread_mutex_unlock(&host->lock);
    return rc;
}

unsigned host_live(struct host *host)
{
    pthread_mutex_lock(&host->lock);
    unsigned n = host->live_n;
    pthread_mutex_unlock(&host->lock);
    return n;
}

void host_do(struct host *host, void (*fn)(void *ud), void *ud)
{
    assert_int_equal(mt_loop_post(host->loop, fn, ud), MT_OK);
}

/* curl's sockets and timer on the loop, and the transfers that have ended.
 *
 * A descriptor is let go whenever curl says REMOVE, although an idle connection will be asked for
 * again with the next request: libcurl 7.88 closes some sockets without its close callback, and a
 * watch that outlives its descriptor ends in libuv's abort as soon as another thread gets the same
 * number for a file. */
#include "base/log.h"
#include "base/mem.h"
#include "http/http_int.h"
#include "loop/loop.h"

static struct http_sock *sock_find(const struct mt_http *http, int fd)
{
    return fd >= 0 && (size_t)fd < http->socks_n ? http->socks[fd] : NULL;
}

static struct http_sock *sock_make(struct mt_http *http, int fd)
{
    struct http_sock *sock = sock_find(http, fd);
    if (sock || fd < 0) {
        return sock;
    }
    if ((size_t)fd >= http->socks_n) {
        size_t n = (size_t)fd + 64;
        struct http_sock **socks = mt_mem_realloc(http->socks, n * sizeof(struct http_sock *));
        if (!socks) {
            return NULL;
        }
        for (size_t i = http->socks_n; i < n; i++) {
            socks[i] = NULL;
        }
        http->socks = socks;
        http->socks_n = n;
    }
    sock = mt_mem_calloc(1, sizeof *sock);
    if (sock) {
        sock->http = http;
        sock->fd = fd;
        http->socks[fd] = sock;
    }
    return sock;
}

static void sock_free(struct http_sock *sock)
{
    if (sock) {
        sock->http->socks[sock->fd] = NULL;
        mt_poll_free(sock->poll);
        mt_mem_free(sock);
    }
}

static void drain(struct mt_http *http)
{
    CURLMsg *message = NULL;
    int left_n = 0;
    while ((message = curl_multi_info_read(http->multi, &left_n)) != NULL) {
        char *slot_p = NULL;
        if (message->msg != CURLMSG_DONE) {
            continue;
        }
        CURLcode code = message->data.result; /* the message dies with the handle's removal */
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &slot_p);
        struct http_slot *slot = (struct http_slot *)(void *)slot_p;
        (void)curl_multi_remove_handle(http->multi, slot->easy);
        http->suspect = http->suspect || code == CURLE_OUT_OF_MEMORY;
        answer_take(slot, code);
    }
}

/* Without memory to go on, curl leaves a transfer where it is, and says so only for all of them.
 * Its multi handle can be damaged then (7.88 has been seen to divide by the size of a table that it
 * had not got), so all transfers end, and multi_renew makes a new one before the next. */
static void fail_starved(struct mt_http *http, bool all)
{
    struct mt_http_call *next = NULL;
    for (struct mt_http_call *call = http->wire.first; call; call = next) {
        next = call->next;
        if (all || call->slot->starved) {
            attempt_abort(call);
            call_finish(call, mt_fault_set(&call->fault, MT_ERR_NOMEM, "memory",
                                           "no memory for the request to %s", call->host));
        }
    }
    http->starved = false;
}

static void act(struct mt_http *http, curl_socket_t fd, int mask)
{
    int running_n = 0;
    http_depth_enter(http);
    CURLMcode code = curl_multi_socket_action(http->multi, fd, mask, &running_n);
    drain(http);
    if (code != CURLM_OK) {
        mt_log(MT_LOG_ERROR, "http", "curl: %s", curl_multi_strerror(code));
    }
    http->suspect = http->suspect || code != CURLM_OK;
    if (http->suspect || http->starved) {
        fail_starved(http, http->suspect);
    }
    http_pump(http);
    http_depth_leave(http);
}

static void on_poll(void *ud, int events, bool error)
{
    struct http_sock *sock = ud;
    int mask = ((events & MT_POLL_READ) ? CURL_CSELECT_IN : 0) |
               ((events & MT_POLL_WRITE) ? CURL_CSELECT_OUT : 0);
    if (error) {
        /* Told of a bare error, curl fails the transfer without a look; told to read, it finds out
         * what happened, and goes to another connection if this was an old one that has died. */
        mask = CURL_CSELECT_IN | CURL_CSELECT_OUT;
    }
    struct mt_http *http = sock->http;
    int fd = sock->fd;
    http_depth_enter(http);
    act(http, fd, mask);
    sock = error ? sock_find(http, fd) : NULL;
    if (sock && sock->poll) {
        mt_poll_set(sock->poll, sock->want); /* the loop has stopped watching */
    }
    http_depth_leave(http);
}

static void on_curl_timer(void *ud)
{
    act(ud, CURL_SOCKET_TIMEOUT, 0);
}

static void starve(struct mt_http *http, CURL *easy)
{
    char *slot_p = NULL;
    (void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &slot_p);
    if (slot_p) {
        ((struct http_slot *)(void *)slot_p)->starved = true;
        http->starved = true;
    }
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ud, void *unused)
{
    struct mt_http *http = ud;
    (void)unused;
    if (what == CURL_POLL_REMOVE) {
        sock_free(sock_find(http, fd));
        return 0;
    }
    struct http_sock *sock = sock_make(http, fd);
    if (!sock ||
        (!sock->poll && mt_poll_new(http->loop, fd, on_poll, sock, &sock->poll) != MT_OK)) {
        starve(http, easy);
        return 0; /* -1 would end all other transfers too, and all that come later */
    }
    sock->want =
        ((what & CURL_POLL_IN) ? MT_POLL_READ : 0) | ((what & CURL_POLL_OUT) ? MT_POLL_WRITE : 0);
    mt_poll_set(sock->poll, sock->want);
    return 0;
}

static int on_timer(CURLM *multi, long after_ms, void *ud)
{
    struct mt_http *http = ud;
    (void)multi;
    if (!http->curl_timer) {
        return 0; /* half made */
    }
    if (after_ms < 0) {
        mt_timer_stop(http->curl_timer);
    } else {
        mt_timer_start(http->curl_timer, after_ms, 0);
    }
    return 0;
}

static CURLM *multi_make(struct mt_http *http)
{
    CURLM *multi = curl_multi_init();
    if (multi) {
        (void)curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
        (void)curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, http);
        (void)curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
        (void)curl_multi_setopt(multi, CURLMOPT_TIMERDATA, http);
        (void)curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)http->max_in_flight);
        (void)curl_multi_setopt(multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
    }
    return multi;
}

void multi_renew(struct mt_http *http)
{
    CURLM *multi = http->suspect && http->wire_n == 0 ? multi_make(http) : NULL;
    if (multi) {
        (void)curl_multi_cleanup(http->multi);
        http->multi = multi;
        http->suspect = false;
    }
}

enum mt_rc multi_new(struct mt_http *http)
{
    http->multi = multi_make(http);
    return http->multi ? mt_timer_new(http->loop, on_curl_timer, http, &http->curl_timer)
                       : MT_ERR_NOMEM;
}

void multi_free(struct mt_http *http)
{
    (void)curl_multi_cleanup(http->multi); /* closes the pool's connections */
    http->multi = NULL;
    for (size_t i = 0; i < http->socks_n; i++) {
        sock_free(http->socks[i]);
    }
    mt_mem_free(http->socks);
    http->socks = NULL;
    http->socks_n = 0;
    mt_timer_free(http->curl_timer);
    http->curl_timer = NULL;
}

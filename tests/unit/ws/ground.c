/* See ground.h. */
#include "ground.h"

#include "tests.h"

#include "loop/loop.h"

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { GUARD_MS = 20000 };

static void on_guard(void *ud)
{
    struct ground *ground = ud;
    ground->late = true;
    mt_loop_stop(ground->loop);
}

void ground_begin(struct ground *ground, const struct mt_ws_client_options *options)
{
    struct mt_ws_client_options fast = options ? *options : (struct mt_ws_client_options){0};
    struct mt_fault fault = {0};
    if (!fast.connects_per_second)
        fast.connects_per_second = 10000;
    *ground = (struct ground){0};
    assert_int_equal(mt_loop_new(&ground->loop), MT_OK);
    assert_int_equal(mt_timer_new(ground->loop, on_guard, ground, &ground->guard), MT_OK);
    assert_int_equal(mt_ws_client_new(ground->loop, &fast, &ground->client, &fault), MT_OK);
}

void ground_end(struct ground *ground)
{
    mt_ws_client_free(ground->client);
    mt_timer_free(ground->guard);
    assert_int_equal(mt_loop_free(ground->loop), MT_OK);
}

void ground_until(struct ground *ground, bool (*fn)(void *ud), void *ud)
{
    ground->late = false;
    mt_timer_start(ground->guard, GUARD_MS, 0);
    while (!fn(ud) && !ground->late)
        mt_loop_run(ground->loop); /* each event stops it */
    mt_timer_stop(ground->guard);
    assert_false(ground->late);
}

void ground_for(struct ground *ground, int64_t ms)
{
    ground->late = false;
    mt_timer_start(ground->guard, ms, 0);
    while (!ground->late)
        mt_loop_run(ground->loop);
}

static void on_open(void *ud, struct mt_ws_conn *conn)
{
    struct seen *seen = ud;
    assert_false(seen->in_open);
    assert_ptr_equal(seen->conn, conn);
    seen->open_n++;
    if (seen->first)
        assert_int_equal(mt_ws_conn_send(conn, false, seen->first, strlen(seen->first)), MT_OK);
    mt_loop_stop(seen->ground->loop);
}

static void on_message(void *ud, struct mt_ws_conn *conn, bool binary, const void *p, size_t len)
{
    struct seen *seen = ud;
    assert_ptr_equal(seen->conn, conn);
    assert_int_equal(seen->closed_n, 0);
    seen->message_n++;
    seen->binary = binary;
    seen->text = realloc(seen->text, len + 1);
    memcpy(seen->text, p, len);
    seen->text[len] = '\0';
    seen->len = len;
    if (seen->close_after)
        mt_ws_conn_close(conn, seen->close_after);
    mt_loop_stop(seen->ground->loop);
}

static void on_closed(void *ud, struct mt_ws_conn *conn, uint16_t code,
                      const struct mt_fault *fault)
{
    struct seen *seen = ud;
    assert_false(seen->in_open);
    assert_ptr_equal(seen->conn, conn);
    seen->closed_n++;
    seen->conn = NULL;
    seen->code = code;
    seen->has_fault = fault != NULL;
    if (fault)
        seen->fault = *fault;
    assert_int_equal(fault == NULL, code != 1006);
    mt_loop_stop(seen->ground->loop);
}

void seen_open(struct seen *seen, struct ground *ground, const struct mt_ws_conn_options *options)
{
    static const struct mt_ws_conn_handlers handlers = {on_open, on_message, on_closed};
    struct mt_fault fault = {0};
    seen->ground = ground;
    seen->in_open = true;
    enum mt_rc rc = mt_ws_conn_open(ground->client, options, &handlers, seen, &seen->conn, &fault);
    if (rc)
        print_error("%s\n", fault.message);
    assert_int_equal(rc, MT_OK);
    assert_non_null(seen->conn);
    seen->in_open = false;
}

void seen_free(struct seen *seen)
{
    assert_int_equal(seen->closed_n, 1);
    free(seen->text);
    *seen = (struct seen){0};
}

bool is_open(void *ud)
{
    struct seen *seen = ud;
    if (seen->closed_n)
        fail_msg("closed: %u %s", seen->code, seen->fault.message);
    return seen->open_n > 0;
}

bool is_closed(void *ud)
{
    return ((struct seen *)ud)->closed_n > 0;
}

bool has_message(void *ud)
{
    struct seen *seen = ud;
    if (seen->closed_n)
        fail_msg("closed: %u %s", seen->code, seen->fault.message);
    return seen->message_n > 0;
}

void seen_to_end(struct seen *seen, struct ground *ground, const struct mt_ws_conn_options *options)
{
    seen_open(seen, ground, options);
    ground_until(ground, is_closed, seen);
}

/* ---------------------------------------------------------------- servers by hand */

struct hand {
    pthread_t thread;
    pthread_mutex_t lock;
    int fd;
    uint16_t port;
    void (*fn)(struct wire *wire, void *ud);
    void *ud;
    unsigned served_n;
    bool stop;
};

static bool stopped(struct hand *hand)
{
    pthread_mutex_lock(&hand->lock);
    bool stop = hand->stop;
    pthread_mutex_unlock(&hand->lock);
    return stop;
}

static void *hand_serve(void *ud)
{
    struct hand *hand = ud;
    for (;;) {
        int fd = accept(hand->fd, NULL, NULL);
        if (fd < 0 || stopped(hand)) {
            if (fd >= 0)
                close(fd);
            return NULL;
        }
        pthread_mutex_lock(&hand->lock);
        hand->served_n++;
        pthread_mutex_unlock(&hand->lock);
        struct wire *wire = wire_wrap(fd);
        hand->fn(wire, hand->ud);
        wire_close(wire);
    }
}

struct hand *hand_start(void (*fn)(struct wire *wire, void *ud), void *ud)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;
    struct hand *hand = calloc(1, sizeof *hand);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    hand->fn = fn;
    hand->ud = ud;
    hand->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    pthread_mutex_init(&hand->lock, NULL);
    assert_int_equal(bind(hand->fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(hand->fd, 16), 0);
    assert_int_equal(getsockname(hand->fd, (struct sockaddr *)&address, &len), 0);
    hand->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&hand->thread, NULL, hand_serve, hand), 0);
    return hand;
}

void hand_stop(struct hand *hand)
{
    pthread_mutex_lock(&hand->lock);
    hand->stop = true;
    pthread_mutex_unlock(&hand->lock);
    wire_close(wire_dial(hand->port)); /* wakes it */
    pthread_join(hand->thread, NULL);
    (void)close(hand->fd);
    pthread_mutex_destroy(&hand->lock);
    free(hand);
}

uint16_t hand_port(const struct hand *hand)
{
    return hand->port;
}

unsigned hand_count(struct hand *hand)
{
    pthread_mutex_lock(&hand->lock);
    unsigned n = hand->served_n;
    pthread_mutex_unlock(&hand->lock);
    return n;
}

const char *url_of(uint16_t port, const char *target)
{
    static char url[512];
    snprintf(url, sizeof url, "ws://127.0.0.1:%u%s", port, target);
    return url;
}

bool hand_request(struct wire *wire, char *key)
{
    while (wire->len == 0 || !strstr(wire->data, "\r\n\r\n"))
        if (!wire_more(wire))
            return false;
    const char *at = strcasestr(wire->data, "\r\nsec-websocket-key:");
    assert_non_null(at);
    at += strlen("\r\nsec-websocket-key:");
    at += strspn(at, " ");
    snprintf(key, 64, "%.*s", (int)strcspn(at, "\r"), at);
    return true;
}

bool hand_accept(struct wire *wire)
{
    char key[128];
    unsigned char digest[20];
    unsigned char accept[64];
    if (!hand_request(wire, key))
        return false;
    strcat(key, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    SHA1((unsigned char *)key, strlen(key), digest);
    EVP_EncodeBlock(accept, digest, sizeof digest);
    char *end = strstr(wire->data, "\r\n\r\n") + 4;
    wire_take(wire, (size_t)(end - wire->data));
    wire_text(wire,
              "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
              "Sec-WebSocket-Accept: %s\r\n\r\n",
              accept);
    return true;
}

/* How many history pages of 50 messages the sandbox serves in one second of its own CPU. A sandbox
 * with generated data runs on a second thread; this one walks through all conversations over 32
 * keep-alive connections. bench-sandbox_pages [SECONDS [MESSAGES]] */
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "codec/json.h"
#include "loop/loop.h"
#include "sandbox/sandbox.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS 32
#define ANSWER_MAX  ((size_t)4 << 20)
#define QUEUES_MAX  512
#define QUEUE_LEN   160

struct host {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t up;
    bool started;
    uint64_t messages;
    struct mt_loop *loop;
    struct mt_sandbox *sandbox;
    struct mt_fault fault;
};

struct link {
    int fd;
    size_t queue;
    char next_key[32]; /* "-1" at the beginning of a conversation */
    struct mt_buf in;
};

static char queues[QUEUES_MAX][QUEUE_LEN];
static size_t queue_n;

static void *serve(void *ud)
{
    struct host *host = ud;
    struct mt_sandbox_options options = {.generate_n = host->messages};
    enum mt_rc rc = mt_loop_new(&host->loop);
    if (rc == MT_OK)
        rc = mt_sandbox_new(host->loop, &options, &host->sandbox, &host->fault);
    pthread_mutex_lock(&host->lock);
    host->started = true;
    pthread_cond_signal(&host->up);
    pthread_mutex_unlock(&host->lock);
    if (rc == MT_OK)
        mt_loop_run(host->loop);
    mt_sandbox_free(host->sandbox);
    if (host->loop != NULL && mt_loop_free(host->loop) != MT_OK)
        (void)fprintf(stderr, "something was left on the loop\n");
    return NULL;
}

static void stop(void *ud)
{
    mt_loop_stop(ud);
}

static double cpu_of(pthread_t thread)
{
    clockid_t id = 0;
    struct timespec now = {0};
    if (pthread_getcpuclockid(thread, &id) != 0 || clock_gettime(id, &now) != 0)
        return 0;
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int dial(uint16_t port)
{
    int one = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        perror("connect");
        exit(1);
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static void put(int fd, const char *p, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, p, len, MSG_NOSIGNAL);
        if (n <= 0) {
            perror("send");
            exit(1);
        }
        p += n;
        len -= (size_t)n;
    }
}

static void request(struct link *link)
{
    char body[512];
    char head[512];
    bool fresh = link->next_key[0] == '-';
    int body_len =
        snprintf(body, sizeof body,
                 "{\"queue\":\"%s\",\"start\":%s%s%s,\"pull_number\":50,\"is_positive\":false,"
                 "\"msgType\":\"\",\"end\":-1,\"startTime\":null,\"endTime\":null,\"userId\":null}",
                 queues[link->queue], fresh ? "" : "\"", link->next_key, fresh ? "" : "\"");
    int head_len =
        snprintf(head, sizeof head,
                 "POST /sandbox/demo/users/agent/messageroaming HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                 "Authorization: Bearer sandbox-agent\r\nContent-Type: application/json\r\n"
                 "Content-Length: %d\r\n\r\n",
                 body_len);
    char whole[1024];
    memcpy(whole, head, (size_t)head_len);
    memcpy(whole + head_len, body, (size_t)body_len);
    put(link->fd, whole, (size_t)head_len + (size_t)body_len);
}

/* The length of the whole answer that is at the head of the buffer, or 0 if it is not all there. */
static size_t complete(const struct mt_buf *in)
{
    const char *end = in->len == 0 ? NULL : memmem(in->data, in->len, "\r\n\r\n", 4);
    const char *length = end == NULL ? NULL : strcasestr(in->data, "content-length:");
    if (length == NULL)
        return 0;
    size_t total = (size_t)(end - in->data) + 4 + strtoul(length + 15, NULL, 10);
    return in->len >= total ? total : 0;
}

/* Takes what has come; returns whether an answer is complete (its length in *len). */
static bool take(struct link *link, size_t *len)
{
    if (mt_buf_reserve(&link->in, 262144) != MT_OK)
        exit(1);
    ssize_t n = recv(link->fd, link->in.data + link->in.len, 262144, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN)) {
        (void)fprintf(stderr, "the connection was lost\n");
        exit(1);
    }
    if (n > 0)
        link->in.len += (size_t)n;
    link->in.data[link->in.len] = '\0';
    *len = complete(&link->in);
    return *len != 0;
}

static void fetch_queues(uint16_t port)
{
    struct link link = {.fd = dial(port)};
    char cursor[64] = "";
    mt_buf_init(&link.in, ANSWER_MAX);
    do {
        char text[512];
        size_t len = 0;
        struct mt_json *root = NULL;
        (void)snprintf(
            text, sizeof text,
            "GET /sandbox/demo/sdk/user/agent/user_channels/list?limit=50&cursor=%s HTTP/1.1\r\n"
            "Host: 127.0.0.1\r\nAuthorization: Bearer sandbox-agent\r\n\r\n",
            cursor);
        put(link.fd, text, strlen(text));
        while (!take(&link, &len)) {
            struct pollfd wait = {.fd = link.fd, .events = POLLIN};
            (void)poll(&wait, 1, 10000);
        }
        const char *body = strstr(link.in.data, "\r\n\r\n") + 4;
        if (mt_json_parse(body, (size_t)(link.in.data + len - body), ANSWER_MAX, &root, NULL) !=
            MT_OK)
            exit(1);
        const struct mt_json *data = mt_json_get(root, "data");
        const struct mt_json *at = mt_json_child(mt_json_get(data, "channel_infos"));
        for (; at != NULL && queue_n < QUEUES_MAX; at = mt_json_next(at)) {
            bool single = strcmp(mt_json_str(mt_json_get(at, "session_type")), "chat") == 0;
            (void)snprintf(queues[queue_n++], QUEUE_LEN, "%s@%seasemob.com",
                           mt_json_str(mt_json_get(at, "session_to")), single ? "" : "conference.");
        }
        (void)snprintf(cursor, sizeof cursor, "%s", mt_json_str(mt_json_get(data, "cursor")));
        mt_json_free(root);
        mt_buf_consume(&link.in, len);
    } while (cursor[0] != '\0');
    close(link.fd);
    mt_buf_deinit(&link.in);
}

/* Reads next_key from the tail of the answer and asks for the page after it. */
static void go_on(struct link *link, size_t len)
{
    const char *tail = len > 200 ? link->in.data + len - 200 : link->in.data;
    const char *key = memmem(tail, (size_t)(link->in.data + len - tail), "\"next_key\":\"", 12);
    if (strncmp(link->in.data + 9, "200", 3) != 0) {
        (void)fprintf(stderr, "%.*s\n", (int)len, link->in.data);
        exit(1);
    }
    if (key == NULL) {
        link->queue = (link->queue + CONNECTIONS) % queue_n;
        memcpy(link->next_key, "-1", 3);
    } else {
        size_t n = strspn(key + 12, "0123456789");
        memcpy(link->next_key, key + 12, n);
        link->next_key[n] = '\0';
    }
    mt_buf_consume(&link->in, len);
    request(link);
}

int main(int argc, char **argv)
{
    static struct link links[CONNECTIONS];
    struct pollfd fds[CONNECTIONS] = {0};
    struct host host = {.lock = PTHREAD_MUTEX_INITIALIZER, .up = PTHREAD_COND_INITIALIZER};
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 5;
    uint64_t pages = 0;
    uint64_t bytes = 0;
    host.messages = argc > 2 ? strtoull(argv[2], NULL, 10) : 200000;
    if (pthread_create(&host.thread, NULL, serve, &host) != 0)
        return 1;
    pthread_mutex_lock(&host.lock);
    while (!host.started)
        pthread_cond_wait(&host.up, &host.lock);
    pthread_mutex_unlock(&host.lock);
    if (host.sandbox == NULL) {
        (void)fprintf(stderr, "%s\n", host.fault.message);
        return 1;
    }
    uint16_t port = mt_sandbox_port(host.sandbox);
    fetch_queues(port);
    for (size_t i = 0; i < CONNECTIONS; i++) {
        links[i] = (struct link){.fd = dial(port), .queue = i % queue_n, .next_key = "-1"};
        mt_buf_init(&links[i].in, ANSWER_MAX);
        fds[i] = (struct pollfd){.fd = links[i].fd, .events = POLLIN};
        request(&links[i]);
    }
    double cpu = cpu_of(host.thread);
    int64_t start_us = mt_clock_mono_us();
    int64_t end_us = start_us + (int64_t)(seconds * 1e6);
    while (mt_clock_mono_us() < end_us) {
        (void)poll(fds, CONNECTIONS, 100);
        for (size_t i = 0; i < CONNECTIONS; i++) {
            size_t len = 0;
            if ((fds[i].revents & POLLIN) == 0 || !take(&links[i], &len))
                continue;
            pages++;
            bytes += len;
            go_on(&links[i], len);
        }
    }
    double wall = (double)(mt_clock_mono_us() - start_us) / 1e6;
    cpu = cpu_of(host.thread) - cpu;
    printf("{\"bench\":\"sandbox_pages\",\"conversations\":%zu,\"pages\":%llu,\"page_bytes\":%llu,"
           "\"wall_s\":%.2f,\"server_cpu_s\":%.2f,\"pages_per_wall_s\":%.0f,\"pages_per_server_cpu_"
           "s\":%.0f}\n",
           queue_n, (unsigned long long)pages,
           (unsigned long long)(bytes / (pages == 0 ? 1 : pages)), wall, cpu, (double)pages / wall,
           (double)pages / cpu);
    for (size_t i = 0; i < CONNECTIONS; i++) {
        close(links[i].fd);
        mt_buf_deinit(&links[i].in);
    }
    if (mt_loop_post(host.loop, stop, host.loop) != MT_OK)
        return 1;
    return pthread_join(host.thread, NULL) == 0 ? 0 : 1;
}

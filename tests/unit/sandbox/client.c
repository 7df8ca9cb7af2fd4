#include "client.h"

#include "../bytes.h"

#include "base/mem.h"
#include "base/str.h"
#include "codec/base64.h"
#include "loop/loop.h"
#include "tests.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_S 20

/* ---------------------------------------------------------------- the server's thread */
static void *serve(void *ud)
{
    struct server *server = ud;
    enum mt_rc rc = mt_loop_new(&server->loop);
    if (rc == MT_OK)
        rc = mt_sandbox_new(server->loop, server->options, &server->sandbox, &server->fault);
    pthread_mutex_lock(&server->lock);
    server->rc = rc;
    server->started = true;
    if (rc == MT_OK)
        server->port = mt_sandbox_port(server->sandbox);
    pthread_cond_signal(&server->ready);
    pthread_mutex_unlock(&server->lock);
    if (rc == MT_OK)
        mt_loop_run(server->loop);
    mt_sandbox_free(server->sandbox);
    if (server->loop != NULL)
        server->rc = mt_loop_free(server->loop);
    return NULL;
}

static void stop_loop(void *ud)
{
    mt_loop_stop(((struct server *)ud)->loop);
}

void server_start(struct server *server, const struct mt_sandbox_options *options)
{
    *server = (struct server){.options = options};
    pthread_mutex_init(&server->lock, NULL);
    pthread_cond_init(&server->ready, NULL);
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
    pthread_mutex_lock(&server->lock);
    while (!server->started)
        pthread_cond_wait(&server->ready, &server->lock);
    pthread_mutex_unlock(&server->lock);
    if (server->rc != MT_OK)
        fail_msg("the sandbox did not start: %s", server->fault.message);
}

void server_stop(struct server *server)
{
    assert_int_equal(mt_loop_post(server->loop, stop_loop, server), MT_OK);
    assert_int_equal(pthread_join(server->thread, NULL), 0);
    assert_int_equal(server->rc, MT_OK); /* no handle was left on the loop */
    pthread_mutex_destroy(&server->lock);
    pthread_cond_destroy(&server->ready);
}

/* 12 single chats of peerN with the owner, N+1 messages in each, the last hour; one group. */
static void write_data(const char *path)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    int64_t now_ms = (int64_t)time(NULL) * 1000;
    for (int peer = 0; peer < 12; peer++) {
        for (int i = 0; i <= peer; i++)
            (void)fprintf(
                file,
                "{\"chat\":\"single\",\"conversation\":\"peer%d\",\"from\":\"%s\",\"ts\":%" PRId64
                ",\"text\":\"m%d\"}\n",
                peer, i % 2 == 0 ? "customer" : "agent",
                now_ms - 3600000 + (int64_t)peer * 60000 + (int64_t)i * 100, i);
    }
    for (int i = 0; i < 130; i++)
        (void)fprintf(
            file,
            "{\"chat\":\"group\",\"conversation\":\"crowd\",\"from\":\"u%d\",\"ts\":%" PRId64
            ",\"text\":\"g%d\"}\n",
            i % 7, now_ms - (INT64_C(9) * 24 * 3600 * 1000) + (int64_t)i * 1000, i);
    assert_int_equal(fclose(file), 0);
}

int server_with_data(void **state, struct server *server, const char *faults, bool strict)
{
    static char path[256];
    static const char *files[2];
    static struct mt_sandbox_options options;
    if (make_dir(state) != 0)
        return -1;
    (void)snprintf(path, sizeof path, "%s/data.jsonl", (const char *)*state);
    write_data(path);
    files[0] = path;
    options = (struct mt_sandbox_options){.load = files, .strict_users = strict, .faults = faults};
    server_start(server, &options);
    return 0;
}

/* ---------------------------------------------------------------- plain sockets */
static int dial(const struct server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(server->port)};
    struct timeval patience = {.tv_sec = PATIENCE_S};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void put(int fd, const void *p, size_t len)
{
    const char *from = p;
    while (len > 0) {
        ssize_t n = send(fd, from, len, MSG_NOSIGNAL);
        assert_true(n > 0);
        from += n;
        len -= (size_t)n;
    }
}

/* Exactly len bytes; false at the end of the stream. */
static bool get(int fd, void *p, size_t len)
{
    char *to = p;
    while (len > 0) {
        ssize_t n = recv(fd, to, len, 0);
        if (n <= 0)
            return false;
        to += n;
        len -= (size_t)n;
    }
    return true;
}

/* Reads up to the empty line. */
static char *get_head(int fd)
{
    struct mt_buf head;
    char c = '\0';
    mt_buf_init(&head, 65536);
    while (get(fd, &c, 1)) {
        assert_int_equal(mt_buf_append_char(&head, c), MT_OK);
        if (head.len >= 4 && memcmp(head.data + head.len - 4, "\r\n\r\n", 4) == 0)
            break;
    }
    return head.len == 0 ? NULL : mt_buf_steal(&head, NULL);
}

struct answer ask_raw(const struct server *server, const char *method, const char *target,
                      const char *token, const char *content_type, const void *body, size_t len)
{
    struct answer answer = {0};
    struct mt_buf request;
    int fd = dial(server);
    mt_buf_init(&request, len + 65536);
    (void)mt_buf_appendf(&request, "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n",
                         method, target);
    if (token != NULL)
        (void)mt_buf_appendf(&request, "Authorization: Bearer %s\r\n", token);
    if (body != NULL)
        (void)mt_buf_appendf(&request, "Content-Type: %s\r\nContent-Length: %zu\r\n", content_type,
                             len);
    (void)mt_buf_append_str(&request, "\r\n");
    put(fd, request.data, request.len);
    if (body != NULL)
        put(fd, body, len);
    mt_buf_deinit(&request);
    answer.head = get_head(fd);
    if (answer.head != NULL) {
        const char *length = strcasestr(answer.head, "content-length:");
        size_t want = length == NULL ? 0 : strtoul(length + 15, NULL, 10);
        answer.status = (int)strtol(answer.head + 9, NULL, 10);
        answer.body = mt_mem_calloc(1, want + 1);
        assert_non_null(answer.body);
        ssize_t n = 0;
        while (answer.body_len < want &&
               (n = recv(fd, answer.body + answer.body_len, want - answer.body_len, 0)) > 0)
            answer.body_len += (size_t)n;
        if (mt_json_parse(answer.body, answer.body_len, answer.body_len + 1, &answer.json, NULL) !=
            MT_OK)
            answer.json = NULL;
    }
    close(fd);
    return answer;
}

struct answer ask(const struct server *server, const char *method, const char *target,
                  const char *token, const char *body)
{
    return ask_raw(server, method, target, token, "application/json", body,
                   body == NULL ? 0 : strlen(body));
}

void answer_free(struct answer *answer)
{
    mt_mem_free(answer->head);
    mt_mem_free(answer->body);
    mt_json_free(answer->json);
    *answer = (struct answer){0};
}

const struct mt_json *at(const struct answer *answer, const char *path)
{
    const struct mt_json *node = answer->json;
    char key[128];
    while (*path != '\0' && node != NULL) {
        size_t len = strcspn(path, ".");
        assert_true(len < sizeof key);
        memcpy(key, path, len);
        key[len] = '\0';
        if (mt_json_type(node) == MT_JSON_ARRAY) {
            node = mt_json_child(node);
            for (long i = strtol(key, NULL, 10); i > 0 && node != NULL; i--)
                node = mt_json_next(node);
        } else {
            node = mt_json_get(node, key);
        }
        path += len;
        if (*path == '.')
            path++;
    }
    return node;
}

const char *str_at(const struct answer *answer, const char *path)
{
    const char *text = mt_json_str(at(answer, path));
    return text == NULL ? "(absent)" : text;
}

int64_t int_at(const struct answer *answer, const char *path)
{
    return mt_json_i64(at(answer, path), -999);
}

void set_faults(const struct server *server, const char *spec)
{
    struct answer answer = ask(server, "POST", "/sandbox/faults", NULL, spec);
    if (answer.status != 200)
        fail_msg("%s: %s", spec, answer.body);
    answer_free(&answer);
}

char *login_token(const struct server *server, const char *user)
{
    char body[256];
    (void)snprintf(
        body, sizeof body,
        "{\"grant_type\":\"password\",\"username\":\"%s\",\"password\":\"pw\",\"timestamp\":1}",
        user);
    struct answer answer = ask(server, "POST", "/sandbox/demo/token", NULL, body);
    assert_int_equal(answer.status, 200);
    char *token = mt_mem_strdup(str_at(&answer, "access_token"));
    answer_free(&answer);
    return token;
}

/* ---------------------------------------------------------------- WebSocket */
struct socket socket_open(const struct server *server, const char *path)
{
    char text[512];
    struct socket socket = {.fd = dial(server)};
    (void)snprintf(text, sizeof text,
                   "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUpgrade: websocket\r\n"
                   "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                   "Sec-WebSocket-Version: 13\r\n\r\n",
                   path, server->port);
    put(socket.fd, text, strlen(text));
    char *head = get_head(socket.fd);
    assert_non_null(head);
    if (strncmp(head, "HTTP/1.1 101", 12) != 0) {
        close(socket.fd);
        socket.fd = -1;
    }
    mt_mem_free(head);
    return socket;
}

void socket_close(struct socket *socket)
{
    if (socket->fd >= 0)
        close(socket->fd);
    socket->fd = -1;
}

static void send_frame(int fd, uint8_t opcode, const void *p, size_t len)
{
    static const uint8_t MASK[4] = {1, 2, 3, 4};
    uint8_t head[14] = {(uint8_t)(0x80 | opcode)};
    size_t n = 2;
    uint8_t *masked = mt_mem_alloc(len + 1);
    assert_non_null(masked);
    if (len < 126) {
        head[1] = (uint8_t)(0x80 | len);
    } else if (len < 65536) {
        head[1] = 0x80 | 126;
        head[n++] = (uint8_t)(len >> 8);
        head[n++] = (uint8_t)len;
    } else {
        head[1] = 0x80 | 127;
        for (int shift = 56; shift >= 0; shift -= 8)
            head[n++] = (uint8_t)((uint64_t)len >> shift);
    }
    memcpy(head + n, MASK, 4);
    for (size_t i = 0; i < len; i++)
        masked[i] = ((const uint8_t *)p)[i] ^ MASK[i % 4];
    put(fd, head, n + 4);
    put(fd, masked, len);
    mt_mem_free(masked);
}

void socket_send(struct socket *socket, bool text, const void *p, size_t len)
{
    send_frame(socket->fd, text ? 1 : 2, p, len);
}

uint8_t *socket_receive(struct socket *socket, size_t *len)
{
    struct mt_buf whole;
    mt_buf_init(&whole, (size_t)64 << 20);
    for (;;) {
        uint8_t head[2];
        uint8_t more[8];
        if (!get(socket->fd, head, 2))
            break;
        uint64_t n = head[1] & 0x7f;
        size_t extra = n == 126 ? 2 : n == 127 ? 8 : 0;
        if (extra != 0) {
            assert_true(get(socket->fd, more, extra));
            n = 0;
            for (size_t i = 0; i < extra; i++)
                n = n << 8 | more[i];
        }
        assert_int_equal(mt_buf_reserve(&whole, n + 1), MT_OK);
        if ((head[0] & 0x0f) == 8) /* close */
            break;
        assert_true(get(socket->fd, whole.data + whole.len, n));
        if ((head[0] & 0x0f) >= 8) /* ping: nothing here needs an answer */
            continue;
        whole.len += n;
        if ((head[0] & 0x80) != 0) {
            whole.data[whole.len] = '\0';
            return (uint8_t *)mt_buf_steal(&whole, len);
        }
    }
    mt_buf_deinit(&whole);
    return NULL;
}

/* ---------------------------------------------------------------- MSYNC */
static void send_bytes(struct socket *socket, const void *p, size_t len)
{
    if (!socket->sockjs) {
        socket_send(socket, false, p, len);
        return;
    }
    struct mt_buf text;
    mt_buf_init(&text, 4 * len + 64);
    (void)mt_buf_append_str(&text, "[\"");
    (void)mt_base64_encode(&text, p, len);
    (void)mt_buf_append_str(&text, "\"]");
    socket_send(socket, true, text.data, text.len);
    mt_buf_deinit(&text);
}

static uint8_t *receive_bytes(struct socket *socket, size_t *len)
{
    uint8_t *raw = socket_receive(socket, len);
    if (raw == NULL || !socket->sockjs)
        return raw;
    assert_true(mt_str_starts((char *)raw, "a[\""));
    size_t text_len = strcspn((char *)raw + 3, "\"");
    uint8_t *bytes = mt_mem_alloc(MT_BASE64_DECODED_MAX(text_len));
    assert_non_null(bytes);
    assert_int_equal(mt_base64_decode((char *)raw + 3, text_len, bytes, len), MT_OK);
    mt_mem_free(raw);
    return bytes;
}

static void send_msync(struct socket *socket, const Easemob__Pb__MSync *frame)
{
    size_t len = easemob__pb__msync__get_packed_size(frame);
    uint8_t *bytes = mt_mem_alloc(len);
    assert_non_null(bytes);
    (void)easemob__pb__msync__pack(frame, bytes);
    send_bytes(socket, bytes, len);
    mt_mem_free(bytes);
}

void msync_send(struct socket *socket, Easemob__Pb__MSync__Command command, const void *payload,
                size_t len)
{
    Easemob__Pb__MSync frame = EASEMOB__PB__MSYNC__INIT;
    uint8_t nothing = 0;
    frame.has_version = 1;
    frame.has_command = 1;
    frame.command = command;
    frame.has_payload = len > 0;
    frame.payload.len = len;
    frame.payload.data = len > 0 ? (uint8_t *)(uintptr_t)payload : &nothing;
    send_msync(socket, &frame);
}

Easemob__Pb__MSync *msync_receive(struct socket *socket, Easemob__Pb__MSync__Command command)
{
    for (;;) {
        size_t len = 0;
        uint8_t *bytes = receive_bytes(socket, &len);
        if (bytes == NULL)
            return NULL;
        Easemob__Pb__MSync *frame = easemob__pb__msync__unpack(NULL, len, bytes);
        assert_non_null(frame);
        mt_mem_free(bytes);
        if (frame->command == command)
            return frame;
        assert_int_equal(frame->command, EASEMOB__PB__MSYNC__COMMAND__NOTICE);
        easemob__pb__msync__free_unpacked(frame, NULL);
    }
}

static void jid_of(Easemob__Pb__JID *jid, const char *name, bool group)
{
    static char APPKEY[] = "sandbox#demo";
    static char USER[] = "easemob.com";
    static char GROUP[] = "conference.easemob.com";
    *jid = (Easemob__Pb__JID)EASEMOB__PB__JID__INIT;
    jid->appkey = APPKEY;
    jid->name = (char *)(uintptr_t)name;
    jid->domain = group ? GROUP : USER;
}

Easemob__Pb__Provision *msync_provision(struct socket *socket, const char *user, const char *token,
                                        const char *resource, bool new_style)
{
    char auth[512];
    char json[600];
    uint8_t room[2048];
    Easemob__Pb__JID guid;
    Easemob__Pb__Provision up = EASEMOB__PB__PROVISION__INIT;
    Easemob__Pb__MSync frame = EASEMOB__PB__MSYNC__INIT;
    (void)snprintf(auth, sizeof auth, "$t$%s", token);
    (void)snprintf(json, sizeof json, "{\"token\":\"%s\"}", auth);
    jid_of(&guid, user, false);
    up.has_ostype = 1;
    up.ostype = EASEMOB__PB__PROVISION__OS_TYPE__OS_OTHER;
    up.resource = (char *)(uintptr_t)resource;
    if (new_style)
        up.authtoken = json;
    else
        up.auth = auth;
    frame.has_version = 1;
    frame.guid = &guid;
    frame.auth = auth;
    frame.has_command = 1;
    frame.command = EASEMOB__PB__MSYNC__COMMAND__PROVISION;
    frame.has_payload = 1;
    frame.payload.data = room;
    frame.payload.len = easemob__pb__provision__pack(&up, room);
    send_msync(socket, &frame);
    Easemob__Pb__MSync *down = msync_receive(socket, EASEMOB__PB__MSYNC__COMMAND__PROVISION);
    assert_non_null(down);
    Easemob__Pb__Provision *answer =
        easemob__pb__provision__unpack(NULL, down->payload.len, down->payload.data);
    assert_non_null(answer);
    easemob__pb__msync__free_unpacked(down, NULL);
    return answer;
}

struct socket msync_login(const struct server *server, const char *user, const char *resource)
{
    char token[160];
    struct socket socket = socket_open(server, "/websocket");
    assert_true(socket.fd >= 0);
    socket.user = user;
    (void)snprintf(token, sizeof token, "sandbox-%s", user);
    Easemob__Pb__Provision *answer = msync_provision(&socket, user, token, resource, true);
    assert_int_equal(answer->status->errorcode, 0);
    easemob__pb__provision__free_unpacked(answer, NULL);
    return socket;
}

static Easemob__Pb__CommSyncDL *round_trip(struct socket *socket, Easemob__Pb__CommSyncUL *up)
{
    size_t len = easemob__pb__comm_sync_ul__get_packed_size(up);
    uint8_t *bytes = mt_mem_alloc(len);
    assert_non_null(bytes);
    (void)easemob__pb__comm_sync_ul__pack(up, bytes);
    msync_send(socket, EASEMOB__PB__MSYNC__COMMAND__SYNC, bytes, len);
    mt_mem_free(bytes);
    Easemob__Pb__MSync *down = msync_receive(socket, EASEMOB__PB__MSYNC__COMMAND__SYNC);
    assert_non_null(down);
    Easemob__Pb__CommSyncDL *sync =
        easemob__pb__comm_sync_dl__unpack(NULL, down->payload.len, down->payload.data);
    assert_non_null(sync);
    easemob__pb__msync__free_unpacked(down, NULL);
    return sync;
}

Easemob__Pb__CommSyncDL *msync_uplink(struct socket *socket, const char *to, bool group,
                                      const Easemob__Pb__MessageBody *body)
{
    static uint64_t number = 530222304182;
    Easemob__Pb__JID jid;
    Easemob__Pb__JID from = EASEMOB__PB__JID__INIT;
    Easemob__Pb__JID bare = EASEMOB__PB__JID__INIT;
    Easemob__Pb__Meta meta = EASEMOB__PB__META__INIT;
    Easemob__Pb__CommSyncUL up = EASEMOB__PB__COMM_SYNC_UL__INIT;
    jid_of(&jid, to, group);
    from.name = (char *)(uintptr_t)socket->user;
    bare.name = (char *)(uintptr_t)to;
    Easemob__Pb__MessageBody whole = *body;
    if (whole.from == NULL)
        whole.from = &from;
    if (whole.to == NULL)
        whole.to = &bare;
    whole.has_type = 1;
    meta.has_id = 1;
    meta.id = ++number;
    meta.to = &jid;
    meta.has_ns = 1;
    meta.ns = EASEMOB__PB__META__NAME_SPACE__CHAT;
    meta.has_payload = 1;
    meta.payload.len = easemob__pb__message_body__get_packed_size(&whole);
    meta.payload.data = mt_mem_alloc(meta.payload.len + 1);
    assert_non_null(meta.payload.data);
    (void)easemob__pb__message_body__pack(&whole, meta.payload.data);
    up.meta = &meta;
    Easemob__Pb__CommSyncDL *sync = round_trip(socket, &up);
    assert_true(sync->metaid == meta.id);
    mt_mem_free(meta.payload.data);
    return sync;
}

Easemob__Pb__CommSyncDL *msync_text(struct socket *socket, const char *to, bool group,
                                    const char *text)
{
    Easemob__Pb__MessageBody__Content content = EASEMOB__PB__MESSAGE_BODY__CONTENT__INIT;
    Easemob__Pb__MessageBody__Content *contents[] = {&content};
    Easemob__Pb__MessageBody body = EASEMOB__PB__MESSAGE_BODY__INIT;
    body.type =
        group ? EASEMOB__PB__MESSAGE_BODY__TYPE__GROUPCHAT : EASEMOB__PB__MESSAGE_BODY__TYPE__CHAT;
    content.has_type = 1;
    SET_BYTES(&content, text, (char *)(uintptr_t)text);
    body.contents = contents;
    body.n_contents = 1;
    return msync_uplink(socket, to, group, &body);
}

Easemob__Pb__CommSyncDL *msync_pull(struct socket *socket, const char *queue, bool group,
                                    uint64_t key)
{
    Easemob__Pb__JID jid;
    Easemob__Pb__CommSyncUL up = EASEMOB__PB__COMM_SYNC_UL__INIT;
    jid_of(&jid, queue, group);
    up.queue = &jid;
    up.has_key = key != 0;
    up.key = key;
    return round_trip(socket, &up);
}

size_t msync_backlog(struct socket *socket)
{
    size_t n = 0;
    msync_send(socket, EASEMOB__PB__MSYNC__COMMAND__UNREAD, NULL, 0);
    Easemob__Pb__MSync *down = msync_receive(socket, EASEMOB__PB__MSYNC__COMMAND__UNREAD);
    assert_non_null(down);
    Easemob__Pb__CommUnreadDL *unread =
        easemob__pb__comm_unread_dl__unpack(NULL, down->payload.len, down->payload.data);
    assert_non_null(unread);
    for (size_t i = 0; i < unread->n_unread; i++)
        n += unread->unread[i]->n;
    easemob__pb__comm_unread_dl__free_unpacked(unread, NULL);
    easemob__pb__msync__free_unpacked(down, NULL);
    return n;
}

void sync_free(Easemob__Pb__CommSyncDL *sync)
{
    easemob__pb__comm_sync_dl__free_unpacked(sync, NULL);
}

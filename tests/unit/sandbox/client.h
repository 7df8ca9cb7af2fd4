/* A sandbox on a thread of its own, and small blocking clients that speak to it over real sockets.
 */
#ifndef TESTS_UNIT_SANDBOX_CLIENT_H
#define TESTS_UNIT_SANDBOX_CLIENT_H

#include "codec/json.h"
#include "msync.pb-c.h"
#include "sandbox/sandbox.h"

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

struct server {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t ready;
    const struct mt_sandbox_options *options;
    struct mt_loop *loop;
    struct mt_sandbox *sandbox;
    enum mt_rc rc;
    struct mt_fault fault;
    bool started;
    uint16_t port;
};

/* Fails the test if the sandbox does not come up. */
void server_start(struct server *server, const struct mt_sandbox_options *options);
void server_stop(struct server *server);
/* The same, with data in a fresh directory (the test's state): 12 single chats of peerN with the
 * owner, N + 1 messages in each, of the last hour; and the group "crowd", 130 messages of nine days
 * ago. */
int server_with_data(void **state, struct server *server, const char *faults, bool strict);

struct answer {
    int status;
    char *head; /* with the status line */
    char *body;
    size_t body_len;
    struct mt_json *json; /* NULL if it is none */
};

/* One request on a connection of its own. token may be NULL. */
struct answer ask(const struct server *server, const char *method, const char *target,
                  const char *token, const char *body);
struct answer ask_raw(const struct server *server, const char *method, const char *target,
                      const char *token, const char *content_type, const void *body, size_t len);
void answer_free(struct answer *answer);
/* A value deep inside: "data.channel_infos.0.unread_num". NULL if absent. */
const struct mt_json *at(const struct answer *answer, const char *path);
const char *str_at(const struct answer *answer, const char *path);
int64_t int_at(const struct answer *answer, const char *path);
/* POST /sandbox/faults, which must be taken. */
void set_faults(const struct server *server, const char *spec);
/* Logs in with the password "pw"; the token is freed by the caller. */
char *login_token(const struct server *server, const char *user);

/* --- WebSocket --- */
struct socket {
    int fd;
    bool sockjs;
    const char *user;
};

struct socket socket_open(const struct server *server, const char *path);
void socket_close(struct socket *socket);
void socket_send(struct socket *socket, bool text, const void *p, size_t len);
/* The next message; the caller frees. NULL when the peer closed. */
uint8_t *socket_receive(struct socket *socket, size_t *len);

/* --- MSYNC over it --- */
/* Connects and logs in with the token "sandbox-USER"; fails the test if refused. */
struct socket msync_login(const struct server *server, const char *user, const char *resource);
Easemob__Pb__Provision *msync_provision(struct socket *socket, const char *user, const char *token,
                                        const char *resource, bool new_style);
void msync_send(struct socket *socket, Easemob__Pb__MSync__Command command, const void *payload,
                size_t len);
/* The next frame of that command; frames of NOTICE that come before are passed over unless asked
 * for. */
Easemob__Pb__MSync *msync_receive(struct socket *socket, Easemob__Pb__MSync__Command command);
/* Sends a body; returns the answer to it. */
Easemob__Pb__CommSyncDL *msync_uplink(struct socket *socket, const char *to, bool group,
                                      const Easemob__Pb__MessageBody *body);
Easemob__Pb__CommSyncDL *msync_text(struct socket *socket, const char *to, bool group,
                                    const char *text);
/* Pulls the queue once; key 0: from the last acknowledged place. */
Easemob__Pb__CommSyncDL *msync_pull(struct socket *socket, const char *queue, bool group,
                                    uint64_t key);
/* How many entries wait in all queues together. */
size_t msync_backlog(struct socket *socket);
void sync_free(Easemob__Pb__CommSyncDL *sync);

#endif

/* An account on a loop with a real HTTP client, against a server on 127.0.0.1 that answers as the
 * test says. */
#ifndef TESTS_EASEMOB_WORLD_H
#define TESTS_EASEMOB_WORLD_H

#include "http/http.h"
#include "loop/loop.h"
#include "provider/provider.h"
#include "provider/reader.h"
#include "ws/server.h"

#define SEEN_MAX 4096

struct seen {
    char line[512]; /* "POST /org/app/token?query" */
    char authorization[128];
    char body[512];
};

struct world {
    struct mt_loop *loop;
    struct mt_http *http;
    struct mt_ws_server *server;
    struct mt_provider_account *account;
    struct mt_timer *guard; /* nothing here takes long; a test that hangs is red */
    /* Fills the answer; the body is a string that lives on. */
    void (*answer)(struct world *world, const struct mt_ws_request *request,
                   struct mt_ws_answer *answer);
    struct seen *seen;
    size_t seen_n;
    void *ud;

    unsigned waiting; /* verbs that have not ended */
    enum mt_rc rc;    /* of the last one */
    struct mt_fault fault;
    size_t ended;
};

extern const struct mt_provider mt_provider_easemob;

void world_init(struct world *world,
                void (*answer)(struct world *world, const struct mt_ws_request *request,
                               struct mt_ws_answer *answer));
void world_deinit(struct world *world);
/* base: "http://127.0.0.1:PORT" of the server. */
void world_base(const struct world *world, char *out, size_t size);
/* Opens org#app; NULLs leave things away. rest NULL: the server itself; "": discovery at the
 * server. */
void world_open(struct world *world, const char *user, const char *token, const char *password,
                const char *rest);
/* Runs the loop until no verb is waiting. */
void world_run(struct world *world);
void world_login(struct world *world);
void world_history(struct world *world, const char *target);
size_t world_count(const struct world *world,
                   const char *part); /* requests whose line holds part */
void world_reply(struct mt_ws_answer *answer, int status, const char *body);
void world_done(void *ud, enum mt_rc rc, const struct mt_fault *fault);

#endif

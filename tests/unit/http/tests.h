/* The runners of this folder, and what its tests share: a loop with a client, and a call whose end
 * is kept. */
#ifndef MT_TESTS_UNIT_HTTP_H
#define MT_TESTS_UNIT_HTTP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rc.h"
#include "http/http.h"
#include "loop/loop.h"
#include "server.h"

int test_answers(void);
int test_bucket(void);
int test_faults(void);
int test_files(void);
int test_life(void);
int test_parse(void);
int test_rate(void);
int test_tls(void);

struct ground {
    struct mt_loop *loop;
    struct mt_http *http;
    struct server *server;
};

/* Everything ground_end gives back. options may be NULL; without an answer function there is no
 * server. */
void ground_begin(struct ground *ground, const struct mt_http_options *options,
                  bool (*answer)(void *ud, struct peer *peer, const struct request *request),
                  void *ud);
void ground_end(struct ground *ground);

struct ended {
    unsigned done_n;
    enum mt_rc rc;
    int status;
    char *body;
    size_t body_len;
    char content_type[64];
    int64_t date_ms;
    int64_t retry_after_ms;
    unsigned attempts;
    struct mt_fault fault;
    struct mt_http_call *call;
};

/* The done function for a struct ended. */
void ended_done(void *ud, enum mt_rc rc, const struct mt_http_response *response,
                const struct mt_fault *fault);
void ended_clear(struct ended *ended);
/* Starts a call that must start. */
void begin(struct ground *ground, const struct mt_http_request *request, struct ended *ended);
/* One GET of the server's path from start to end, with what the request sets besides. */
void get(struct ground *ground, const char *path, struct mt_http_request request,
         struct ended *ended);

/* Seeds the random numbers so that the next n back-off waits take no more than some 10 ms in all.
 */
void quick_backoff(unsigned n);

#endif

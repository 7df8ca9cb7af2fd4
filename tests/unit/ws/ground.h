/* The client's side of the tests: a loop, a client, and connections that note what happens to them;
 * and servers that speak by hand. */
#ifndef MT_TESTS_UNIT_WS_GROUND_H
#define MT_TESTS_UNIT_WS_GROUND_H

#include "wire.h"
#include "ws/client.h"

struct mt_loop;
struct mt_timer;

struct ground {
    struct mt_loop *loop;
    struct mt_ws_client *client;
    struct mt_timer *guard;
    bool late;
};

struct seen {
    struct ground *ground;
    struct mt_ws_conn *conn; /* NULL once it was closed */
    unsigned open_n, message_n, closed_n;
    bool binary;
    char *text; /* of the last message */
    size_t len;
    uint16_t code;
    bool has_fault;
    struct mt_fault fault;
    bool in_open;         /* inside of mt_ws_conn_open */
    const char *first;    /* sent when open */
    uint16_t close_after; /* after the first message, if not 0 */
};

void ground_begin(struct ground *ground, const struct mt_ws_client_options *options);
void ground_end(struct ground *ground);
/* Turns the loop until fn(ud); fails the test after twenty seconds. */
void ground_until(struct ground *ground, bool (*fn)(void *ud), void *ud);
void ground_for(struct ground *ground, int64_t ms);

void seen_open(struct seen *seen, struct ground *ground, const struct mt_ws_conn_options *options);
void seen_free(struct seen *seen);
bool is_open(void *ud); /* for ground_until, with a struct seen */
bool is_closed(void *ud);
bool has_message(void *ud);
/* Opens url, waits for the end. */
void seen_to_end(struct seen *seen, struct ground *ground,
                 const struct mt_ws_conn_options *options);

/* A server by hand: fn serves each connection on the server's thread, one after another. */
struct hand;
struct hand *hand_start(void (*fn)(struct wire *wire, void *ud), void *ud);
void hand_stop(struct hand *hand);
uint16_t hand_port(const struct hand *hand);
unsigned hand_count(struct hand *hand);                /* connections served so far */
const char *url_of(uint16_t port, const char *target); /* ws://127.0.0.1…; until the next call */
/* Reads the request of an upgrade; false when it does not come. Its text is in wire->data. */
bool hand_request(struct wire *wire, char *key);
/* Answers it as RFC 6455 wants it. */
bool hand_accept(struct wire *wire);

#endif

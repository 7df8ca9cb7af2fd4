/* A cloud in memory behind the provider interface, with a clock of its own: answers come after a
 * latency, in the order of their time, and nothing sleeps. What the reader makes of pages, cursors
 * and time bounds can so be tried thousands of times, and how much time it takes be counted instead
 * of measured. */
#ifndef TESTS_PROVIDER_CLOUD_H
#define TESTS_PROVIDER_CLOUD_H

#include "provider/reader.h"

struct entry {
    int64_t time_ms;
    uint64_t id;
    const char *from;
};

enum cloud_fault {
    CLOUD_FINE,
    CLOUD_STUCK,     /* the cursor stays where it is */
    CLOUD_REPEATS,   /* the same page again under another cursor */
    CLOUD_NULL,      /* a page without a list */
    CLOUD_DISORDER,  /* two entries of a page change places */
    CLOUD_ENDLESS,   /* empty pages after the end, never the last */
    CLOUD_CIRCLE,    /* empty pages whose cursors go round */
    CLOUD_UNBOUNDED, /* time bounds are ignored */
};

struct cloud {
    struct entry *entries; /* sorted by time, then id */
    size_t n;
    size_t room;
    int64_t latency_ms;
    int64_t jitter_ms;
    enum cloud_fault fault;
    unsigned fault_after; /* pages that are right before */
    bool late_last;       /* a full page is never the last: an empty one follows */
    unsigned
        scan; /* filtered queries look at this many entries a page; 0: until the page is full */
    size_t arriving;    /* entries of the end that are not there yet … */
    uint64_t arrive_at; /* … until this request */
    bool no_bounds;     /* can() denies time bounds */
    bool opaque;        /* ids are texts without an order, "7-1207"; cursors are numbers still */

    int64_t now_ms;
    uint64_t requests;
    unsigned in_flight, most_in_flight;
    unsigned live_arenas;
    uint64_t random;
    struct event *events;
};

void cloud_init(struct cloud *cloud, uint64_t seed);
void cloud_deinit(struct cloud *cloud);
void cloud_add(struct cloud *cloud, int64_t time_ms, uint64_t id, const char *from);
uint64_t cloud_id(const struct mt_message *m);
uint64_t cloud_random(struct cloud *cloud, uint64_t below);
/* fn(ud) after a while of the cloud's time. */
void cloud_later(struct cloud *cloud, int64_t after_ms, void (*fn)(void *ud), void *ud);
/* Runs until nothing is left to happen. */
void cloud_run(struct cloud *cloud);

extern const struct mt_provider cloud_provider;
struct mt_provider_account *cloud_account(struct cloud *cloud);

#endif

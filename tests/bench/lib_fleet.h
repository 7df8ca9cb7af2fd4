/* Many live accounts in one process, against a sandbox in another: what the programs that measure
 * the live session share. */
#ifndef TESTS_BENCH_LIB_FLEET_H
#define TESTS_BENCH_LIB_FLEET_H

#include "http/http.h"
#include "loop/loop.h"
#include "provider/live.h"
#include "ws/client.h"

#include <sys/types.h>

/* ---------------------------------------------------------------- processes */

/* A sandbox of its own process, which dies with this one; its port. 0: it could not be started. */
uint16_t fleet_sandbox(pid_t *child);
/* A process that takes TLS off and passes everything on to a port of loopback; its own port. cert
 * and key: PEM files. */
uint16_t fleet_tls(const char *cert, const char *key, uint16_t to, pid_t *child);
void fleet_kill(pid_t child);
/* What the process has in memory now, in KiB; what the CPU has done for it, in seconds. */
long fleet_rss_kib(void);

/* ---------------------------------------------------------------- accounts */

struct fleet;

struct fleet_member {
    struct fleet *fleet;
    struct mt_provider_account *account;
    bool online;
    unsigned long messages_n;
};

struct fleet {
    struct mt_loop *loop;
    struct mt_http *http;
    struct mt_ws_client *ws;
    const struct mt_provider *provider;
    char rest[64], websocket[64];
    struct fleet_member *members;
    size_t members_n, online_n;
    size_t wanted_n; /* fleet_wait: the loop stops when so many are online … */
    unsigned long messages_n, wanted_messages_n; /* … and so many messages have come */
    unsigned connecting_max;
    void (*on_message)(void *ud, const struct mt_message *message); /* may be NULL */
    void *ud;

    /* The tick: a timer that looks at its own delay, at what this process computed since the last
     * one (on a busy machine the delay may be others'), and at how many connections are being made.
     */
    struct mt_timer *tick;
    int64_t tick_us, late_us;
    int64_t tick_cpu_us, busy_us;
    struct mt_fault fault; /* of the last session that ended for good */
    bool failed;
};

/* True, or prints why not. cloud: the provider's name. ca_file NULL: ws:// */
bool fleet_begin(struct fleet *fleet, const char *cloud, size_t max, uint16_t rest_port,
                 uint16_t ws_port, const char *ca_file, unsigned connects_per_second);
void fleet_end(struct fleet *fleet);
/* Opens n more accounts, "uN" who log in with a password, and puts them online. */
bool fleet_add(struct fleet *fleet, size_t n);
/* Runs the loop until all are online and so many messages have come; false after so long, or when a
 * session has ended for good. */
bool fleet_wait(struct fleet *fleet, unsigned long messages_n, int64_t ms);
/* Runs the loop for so long, whatever happens. */
void fleet_rest(struct fleet *fleet, int64_t ms);
/* POST, and waits for the answer. */
bool fleet_post(struct fleet *fleet, const char *path);
/* From one member to another, a text. */
bool fleet_say(struct fleet *fleet, size_t from, size_t to, const char *text);

#endif

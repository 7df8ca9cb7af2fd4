/* A day of many live accounts: what is shared by the soak's files. Users come and go, all
 * connections are cut, users are kicked, tokens expire, messages go from everyone to everyone; each
 * message is numbered, and who has handled it is written down. */
#ifndef TESTS_SOAK_LIB_SOAK_H
#define TESTS_SOAK_LIB_SOAK_H

#include "http/http.h"
#include "loop/loop.h"
#include "provider/live.h"
#include "ws/client.h"

#include <sys/types.h>

#define USERS      200
#define GROUP_SIZE 10
#define GROUPS     (USERS / GROUP_SIZE)
#define PERIODS    24 /* after each everybody comes home, and memory is looked at */
#define WARM       6
#define LOOKS      4

enum fate { FATE_OPEN, FATE_SENT, FATE_UNKNOWN, FATE_NOT_SENT };

/* One message. Slot 0 is the peer of a single chat; of a group each member has one. */
struct letter {
    uint16_t from, to; /* to: a user, or USERS + a group */
    uint16_t got, again;
    uint8_t fate;
    uint8_t life[GROUP_SIZE]; /* of the receiver when it was handled first */
};

struct soak;

struct user {
    struct soak *soak;
    struct mt_provider_account *account;
    struct mt_timer *away; /* until it comes back */
    bool live, online;
    uint8_t life; /* how often it was started */
};

struct held {
    struct held *next;
    struct user *user;
    struct mt_event_batch *batch;
};

struct sample {
    int64_t blocks;
    long rss_kib;
    unsigned files, threads;
};

struct soak {
    struct mt_loop *loop;
    struct mt_http *http;
    struct mt_ws_client *ws;
    const struct mt_provider *provider;
    struct mt_secret *owner; /* a token, to make groups with */
    char rest[64], websocket[64];
    struct user users[USERS];
    struct letter *letters;
    size_t letters_n, letters_max;
    double per_second;
    struct held *held; /* batches that their handlers still work on */

    struct mt_timer *post, *churn, *cutter, *hands, *watch, *until;
    bool quiet; /* nobody writes, goes or is cut */
    int64_t period_ms;
    int64_t quiet_since_ms, posted_ms;
    size_t pending_n; /* sends whose fate is open */
    size_t connects_n, cuts_n, kicks_n, leaves_n, reopens_n, expiring_n, overflows_n, strange_n;
    size_t again_same_life_n, again_other_life_n, unwanted_n;
    unsigned connecting_max;
    struct sample samples[PERIODS];
    size_t periods_n;
    uint64_t dice;
};

uint64_t soak_dice(struct soak *soak, uint64_t below);
/* lib_user.c */
bool soak_user_open(struct soak *soak, size_t i);
bool soak_user_start(struct user *user);
/* For so long; reopen: the account is closed meanwhile. */
void soak_user_leave(struct user *user, int64_t ms, bool reopen);
void soak_user_write(struct user *user);
void soak_hands(void *ud); /* some of the handlers that still work end */

#endif

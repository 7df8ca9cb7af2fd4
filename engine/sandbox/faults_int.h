/* Private to the sandbox. What goes wrong on purpose, and the limits of the cloud that a test may
 * move: one text of comma-separated key=value (docs/sandbox.md lists them). */
#ifndef MT_SANDBOX_FAULTS_INT_H
#define MT_SANDBOX_FAULTS_INT_H

#include "base/rc.h"

#include <stddef.h>
#include <stdint.h>

/* In the order in which they are drawn; the first that hits is the one. */
enum mt_sb_trouble {
    MT_SB_TROUBLE_NONE,
    MT_SB_TROUBLE_429,
    MT_SB_TROUBLE_5XX,
    MT_SB_TROUBLE_CUT,
    MT_SB_TROUBLE_TRUNCATE,
    MT_SB_TROUBLE_LENGTH,
    MT_SB_TROUBLE_SLOW,
    MT_SB_TROUBLE_HALF_OPEN,
    MT_SB_TROUBLE_HTML,
    MT_SB_TROUBLE_ERROR_JSON,
    MT_SB_TROUBLE_REDIRECT,
    MT_SB_TROUBLE_STALE_CURSOR, /* from here to DUPLICATE: history pages only */
    MT_SB_TROUBLE_REPEAT_PAGE,
    MT_SB_TROUBLE_NULL_PAGE,
    MT_SB_TROUBLE_OUT_OF_ORDER,
    MT_SB_TROUBLE_DROP_MESSAGE,
    MT_SB_TROUBLE_DUPLICATE,
    MT_SB_TROUBLE_LIST_STALE, /* from here on: the list with a cursor only */
    MT_SB_TROUBLE_LIST_NULL,
    MT_SB_TROUBLE_DELETE_LIE, /* from here on: deletions by id only */
    MT_SB_TROUBLE_DELETE_HALF,
    MT_SB_TROUBLE_DELETE_LATE,
    MT_SB_TROUBLE_DELETE_LOST,
    MT_SB_TROUBLES
};

struct mt_sb_faults {
    char *spec;
    double chance[MT_SB_TROUBLES]; /* 0…1 */
    int64_t latency_ms;            /* added to every answer: at least, at most */
    int64_t latency_max_ms;
    double rate;          /* requests a second, beyond: 429; 0: no limit */
    char retry_after[24]; /* header value of a 429; "": no header */
    int64_t token_ttl_ms;
    uint64_t expire_after; /* authorised requests; 0: never */
    uint64_t after;        /* the first N matching requests are spared */
    uint64_t every;        /* then each N-th is hit; 0: each */
    uint64_t times;        /* at most so many; 0: no end */
    uint64_t seed;
    char *only;       /* part of the path that a request must have; NULL: any */
    char *registered; /* users, by '|', that --strict-users knows besides those of the data */
    char *sensitive;  /* words, by '|', that no message may hold */
    bool no_roaming;
    bool no_conversation_list;
    bool no_list_cursor_form;
    bool no_list_page_form;
    bool notice_twice;
    bool assign_resource;
    bool log;
    uint64_t list_cap;
    uint64_t old_list_limit;
    int64_t old_list_age_ms;
    uint64_t page_default;
    uint64_t late;         /* requests after which a deletion is applied, with delete_late */
    uint64_t user_channel; /* deletions of conversations a minute and user; 0: no limit */
    uint64_t queue_single;
    uint64_t queue_group;
    uint64_t max_message;
    uint64_t max_file; /* bytes of an attachment */
    bool improper;     /* what is uploaded offends the app's filter */
    bool no_parts;     /* uploads in parts are not opened */
    bool storage;      /* downloads are redirected to the object storage */
    int64_t recall_limit_ms;
    int64_t span_ms;  /* how far back generated data goes */
    int64_t clock_ms; /* the cloud's clock is so much ahead, where it says what time it is */
    bool no_clock;    /* and it does not say it */

    /* running state */
    uint64_t random;
    uint64_t seen;
    uint64_t hits;
    uint64_t authorised;
    double bucket;
    int64_t bucket_us;
    bool pages_only;   /* nothing but history troubles are asked for */
    bool lists_only;   /* nothing but those of the list */
    bool deletes_only; /* nothing but those of deletions */
};

/* What one request gets. */
struct mt_sb_pick {
    int64_t delay_ms;
    enum mt_sb_trouble trouble;
};

/* Replaces the contents; on failure they stay as they were. INVALID names the key, and the nearest
 * known one. */
enum mt_rc mt_sb_faults_parse(struct mt_sb_faults *faults, const char *spec,
                              struct mt_fault *fault) MT_CHECKED;
void mt_sb_faults_deinit(struct mt_sb_faults *faults);
void mt_sb_faults_pick(struct mt_sb_faults *faults, const char *path, int64_t now_us,
                       struct mt_sb_pick *pick);
/* The time that the cloud says it is; 0: it does not say. */
int64_t mt_sb_faults_clock_ms(const struct mt_sb_faults *faults);
#define MT_SB_DATE_LEN 48
/* The header "Date: Fri, 20 Nov 2026 08:00:00 GMT" (RFC 9110 5.6.7); "" for 0. */
void mt_sb_date(int64_t ms, char out[MT_SB_DATE_LEN]);
/* A repeatable random number (splitmix64). */
uint64_t mt_sb_random(uint64_t *state);
double mt_sb_random_unit(uint64_t *state); /* 0 ≤ x < 1 */

#endif

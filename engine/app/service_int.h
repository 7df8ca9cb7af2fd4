/* What `moontide serve` tells of itself by HTTP, on this machine alone: metrics, health, a page for
 * people. Private to the room.
 *
 * service.c listens and answers; service_route.c says to what; service_metrics.c writes the
 * figures, service_status.c the state as JSON, and service_page.c makes the page of that JSON. */
#ifndef MT_APP_SERVICE_INT_H
#define MT_APP_SERVICE_INT_H

#include "base/buf.h"
#include "base/metrics.h"
#include "base/rc.h"

#include <stdint.h>

struct mt_arena;
struct mt_json;
struct mt_job;
struct mt_serve;
struct mt_service;

/* So many accounts have figures of their own; those of the others are told together. */
#define MT_SERVICE_ACCOUNTS 1000
/* So many accounts stand in the state, those with trouble first, and so many rows in a table of the
 * page. */
#define MT_SERVICE_ROWS   200
#define MT_SERVICE_FAULTS 20

/* listen: HOST:PORT. Faults: "config.listen", those of mt_ws_server_new. */
enum mt_rc mt_service_new(struct mt_serve *serve, const char *listen, struct mt_service **out,
                          struct mt_fault *fault) MT_CHECKED;
/* Not from inside the loop; NULL is fine. */
void mt_service_free(struct mt_service *service);

/* ---------------------------------------------------------------- what is remembered for it */

/* What a script says of how far it is. */
struct mt_job_progress {
    int64_t at_ms; /* 0: it has said nothing */
    int64_t done, total;
    char label[64], unit[24], extra[96];
};

struct mt_service_fault {
    int64_t at_ms;
    const char *of; /* "job", "account" */
    char name[256];
    struct mt_fault fault;
};

/* In struct mt_serve, whether somebody listens or not. */
struct mt_serve_figures {
    int64_t started_ms; /* on the wall's clock */
    int64_t started_mono_ms;
    struct mt_histogram lag;                           /* of the loop, in seconds */
    struct mt_service_fault faults[MT_SERVICE_FAULTS]; /* of jobs; a ring */
    uint64_t faults_n;
};
void mt_serve_figures_init(struct mt_serve_figures *figures);
/* Into the ring, for people; without the secrets that may be in it. */
void mt_serve_note(struct mt_serve *serve, const char *job, const struct mt_fault *fault);

/* ---------------------------------------------------------------- the answers */

enum mt_service_page {
    MT_SERVICE_STATUS_PAGE, /* / */
    MT_SERVICE_STATUS_JSON,
    MT_SERVICE_METRICS,
    MT_SERVICE_HEALTH,
    MT_SERVICE_READY,
    MT_SERVICE_NOTHING,
};

/* Pure: which page, or MT_SERVICE_NOTHING and the status to refuse with: 404, 405, 421 (the request
 * was meant for another host: a name that somebody else has made to lead here). */
enum mt_service_page mt_service_route(const char *method, const char *path, const char *host,
                                      const char *own_host, uint16_t port, int *status);

/* What the process takes, looked up on the work pool. */
struct mt_process_figures {
    uint64_t resident_bytes, open_fds, max_fds; /* 0: not known */
    uint64_t audit_head_s;                      /* when the head was signed; 0: never */
};
/* state: the folder that the audit lies in. */
void mt_process_look(const char *state, struct mt_process_figures *out);

/* All but those of each account. */
void mt_service_metrics(const struct mt_serve *serve, const struct mt_process_figures *found,
                        struct mt_buf *out);
/* The figures of accounts as they are now, and their text, which is made on the work pool: of a
 * thousand accounts that takes too long for the loop. NULL: memory is short. */
struct mt_service_rows;
struct mt_service_rows *mt_service_rows_take(const struct mt_serve *serve);
void mt_service_rows_write(struct mt_service_rows *rows, struct mt_buf *out);
void mt_service_rows_free(struct mt_service_rows *rows);
void mt_service_state(const struct mt_serve *serve, struct mt_buf *out);
/* {"ready":…,"reasons":[…]}; whether it is. */
bool mt_service_is_ready(const struct mt_serve *serve);
bool mt_service_ready(const struct mt_serve *serve, struct mt_buf *out);

/* The page of a state; refresh_s 0: it does not come again by itself. */
void mt_service_page(const struct mt_json *state, unsigned refresh_s, struct mt_buf *out);
const char *mt_service_style(void);
/* Text that is no markup, whatever it holds. */
void mt_service_text(struct mt_buf *out, const char *text);

#endif

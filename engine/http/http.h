/* HTTP client: the one user of libcurl. A pool with keep-alive, a cap on requests in flight,
 * retries with full jitter, a deadline on every call, and one rate bucket per app key. TLS is
 * always verified; plain http is allowed to loopback only. Proxies come from http_proxy /
 * https_proxy / no_proxy. */
#ifndef MT_HTTP_HTTP_H
#define MT_HTTP_HTTP_H

#include "base/rc.h"

#include <stddef.h>
#include <stdint.h>

struct mt_loop;
struct mt_secret;
struct mt_http;
struct mt_http_call;
struct mt_http_bucket;

struct mt_http_options {
    unsigned max_in_flight;  /* 0: 64 */
    const char *user_agent;  /* NULL: "moontide/VERSION" */
    const char *ca_file;     /* NULL: the system's */
    bool allow_plain_remote; /* tests only: http to hosts that are not loopback */
};

enum mt_rc mt_http_new(struct mt_loop *loop, const struct mt_http_options *options,
                       struct mt_http **out, struct mt_fault *fault) MT_CHECKED;
/* Cancels what is left (each done is called with MT_ERR_CANCELLED), closes the pool. */
void mt_http_free(struct mt_http *http);
/* For tests and the doctor: transfers on the wire now, and requests sent since the start (each
 * retry counts). */
unsigned mt_http_in_flight(const struct mt_http *http);
uint64_t mt_http_sent(const struct mt_http *http);

/* What has gone to one host since the start. The first MT_HTTP_HOSTS_MAX hosts are told apart; all
 * later ones are counted under "(other)", and all that scripts chose under "(scripts)". */
#define MT_HTTP_HOSTS_MAX 50
struct mt_http_figures {
    const char *host;      /* "api.acme.com:443" as it was asked for */
    uint64_t answers_n[6]; /* by the first digit of their status; [0]: no answer came */
    uint64_t retries_n;    /* requests that were a second or later attempt */
    uint64_t refused_n;    /* answers with status 429 */
    uint64_t sent_bytes;   /* with their headers, without TLS */
    uint64_t received_bytes;
};
void mt_http_each_host(const struct mt_http *http,
                       void (*each)(void *ud, const struct mt_http_figures *figures), void *ud);
/* Started, and not on the wire now: they wait for their turn, or rest after a failure. */
size_t mt_http_waiting(const struct mt_http *http);

/* A rate bucket, shared by all calls of one app key. rate_per_s 0 means no limit until the cloud
 * states one: a 429 (or 503 with Retry-After) blocks the whole bucket until the stated time, then
 * halves the rate that was observed; success raises it again slowly, up to rate_per_s if that was
 * given. Garbage in Retry-After (NaN, negative, years) is clamped to 1…300 s. */
enum mt_rc mt_http_bucket_new(struct mt_http *http, double rate_per_s, double burst,
                              struct mt_http_bucket **out) MT_CHECKED;
void mt_http_bucket_free(struct mt_http_bucket *bucket);
/* The bucket of that key (an app key), made when first asked for; it belongs to http and dies with
 * it. Whoever comes later with another rate gets the bucket as it is. NULL when memory is short. */
struct mt_http_bucket *mt_http_bucket_shared(struct mt_http *http, const char *key,
                                             double rate_per_s, double burst);
double mt_http_bucket_rate(const struct mt_http_bucket *bucket); /* now in force; 0 = unlimited */
int64_t
mt_http_bucket_blocked_ms(const struct mt_http_bucket *bucket); /* still to wait, 0 if open */

enum mt_http_retry {
    MT_HTTP_RETRY_SAFE,  /* reading, or idempotent by id: 429, 5xx, timeouts and network errors are
                            tried again */
    MT_HTTP_RETRY_NEVER, /* sending: only what certainly did not reach the server (connect failed,
                            429) is */
};

/* A body that is read from a file while it is sent, on the work pool and in constant memory: head,
 * then length bytes of the file from offset on, then tail. Head and tail are copied. A file that is
 * not as it was (size_bytes and mtime_ms; mtime_ms 0: not compared) ends the call with MT_ERR_STATE
 * "file.changed". */
struct mt_http_file {
    const char *path;
    int64_t offset;
    int64_t length;
    int64_t size_bytes;
    int64_t mtime_ms;
    const void *head;
    size_t head_len;
    const void *tail;
    size_t tail_len;
};

/* Where the body of a 2xx answer goes instead of into memory: a file that must not exist yet,
 * written on the work pool in constant memory and fsynced before done is called. When the call does
 * not end with MT_OK and 2xx the file is removed, soon after done. */
struct mt_http_sink {
    const char *path;
    int64_t max_bytes; /* more is MT_ERR_LIMIT "http.too_large" */
};

struct mt_http_request {
    const char *method; /* "GET", "POST", "DELETE", "PUT" */
    const char *url;
    const char *const
        *headers; /* "Name: value" strings, NULL-terminated; may be NULL. Never tokens */
    const struct mt_secret
        *bearer; /* sent as Authorization: Bearer …; may be NULL; must live until done */
    const struct mt_secret *signature; /* instead of it: sent as Authorization as it is, as object
                                          storages want it */
    const void *body;                  /* copied */
    size_t body_len;
    size_t max_response_bytes; /* 0: 16 MiB; more is MT_ERR_LIMIT */
    int64_t deadline_ms;       /* for the whole call with its retries; 0: 120,000 */
    int64_t attempt_ms;    /* for one attempt; 0: 60,000. Connecting: 10 s. Below 1 kB/s for 30 s:
                              given up */
    unsigned max_attempts; /* 0: 8 */
    enum mt_http_retry retry;
    struct mt_http_bucket *bucket;   /* may be NULL */
    const struct mt_http_file *file; /* instead of body; may be NULL */
    const struct mt_http_sink *sink; /* may be NULL */
    /* A GET may be redirected to another place (an object storage). There it goes without
     * Authorization and without any of headers, never from https to http, and never to http on
     * another machine. */
    bool elsewhere;
    bool of_script; /* the host was chosen by a script: it is not named in the figures */
    /* Addresses of this machine, of private networks and of none are not connected to: DENIED
     * "http.private". Where a proxy stands in between, it is the one that connects. */
    bool public_only;
    /* Of file and sink: bytes so far, and of how many (0: not known). Called on the loop thread,
     * not for every byte; a new attempt begins anew. May be NULL; may cancel. */
    void (*progress)(void *ud, int64_t done_bytes, int64_t total_bytes);
};

struct mt_http_response {
    int status;       /* of the last attempt */
    const char *body; /* NUL-terminated; valid during the callback only */
    size_t body_len;
    const char *content_type; /* "" if none */
    int64_t date_ms;          /* the Date header, 0 if none */
    int64_t retry_after_ms;   /* 0 if none */
    unsigned attempts;
    int64_t sink_bytes;      /* what was written into the sink */
    const char *sink_sha256; /* of it, 64 hexadecimal digits; "" if nothing went there */
};

/* Starts a call. done is called exactly once, on the loop thread, never before this function
 * returns; it may start, cancel and even free the client. response is never NULL (status 0: no
 * answer came); fault is NULL exactly when rc is MT_OK. rc is MT_OK for every answer that is not
 * retried away, whatever its status: 4xx (but 429) come back as they are, 429 and 5xx after the
 * last attempt as MT_ERR_RATE / MT_ERR_REMOTE with the response filled. A key that is blocked for
 * longer than the deadline leaves is MT_ERR_RATE at once, with retry_after_ms. Redirects are
 * followed at the same host and port only (but see elsewhere), three at most; others are
 * MT_ERR_PROTOCOL "http.redirect". A body shorter than its Content-Length, or an answer that ends
 * in its headers, counts as a network error. A request's pointers other than bearer, signature and
 * bucket are copied. */
enum mt_rc mt_http_start(struct mt_http *http, const struct mt_http_request *request,
                         void (*done)(void *ud, enum mt_rc rc,
                                      const struct mt_http_response *response,
                                      const struct mt_fault *fault),
                         void *ud, struct mt_http_call **out, struct mt_fault *fault) MT_CHECKED;
/* done is called with MT_ERR_CANCELLED at the next turn. Must not be called after done. */
void mt_http_cancel(struct mt_http_call *call);

/* The frame of one file in a multipart/form-data body (RFC 7578): appends what stands before the
 * file to head and what stands behind it to tail, and writes the value of Content-Type, with a
 * fresh random boundary. Quotes and line ends in filename are escaped as browsers do.
 * type: the file's; NULL: application/octet-stream. fields: "name", "value", …, NULL: further parts
 * behind the file; may be NULL. */
#define MT_HTTP_FORM_TYPE_MAX 96
struct mt_buf;
enum mt_rc mt_http_form(struct mt_buf *head, struct mt_buf *tail,
                        char content_type[MT_HTTP_FORM_TYPE_MAX], const char *name,
                        const char *filename, const char *type,
                        const char *const *fields) MT_CHECKED;
/* As form, with parts in front of the file: object storages read no further than the file. */
enum mt_rc mt_http_form_behind(struct mt_buf *head, struct mt_buf *tail,
                               char content_type[MT_HTTP_FORM_TYPE_MAX], const char *const *before,
                               const char *name, const char *filename, const char *type,
                               const char *const *fields) MT_CHECKED;

/* Percent-encodes for a path segment or a query value. */
enum mt_rc mt_http_escape(struct mt_buf *out, const char *s);

#endif

/* What the files of this room share.
 *
 * A call is always in exactly one list: waiting (of its bucket), backoff, wire, sinking (the answer
 * is there, its file not yet closed) or finished. Calls
 * without a bucket of their own wait in the client's open bucket, which never limits. pump moves
 * calls from the buckets to the wire, one bucket after the other, as long as slots are free; a slot
 * is a reusable easy handle with its body buffer. done is called from the two dispatchers only (a
 * transfer's end; the `soon` timer for what ended elsewhere; a sink that is closed), never from
 * inside a callback of curl. */
#ifndef MT_HTTP_HTTP_INT_H
#define MT_HTTP_HTTP_INT_H

#include "base/buf.h"
#include "base/rc.h"
#include "http/http.h"
#include "http/parse_int.h"

#include <curl/curl.h>
#include <stddef.h>
#include <stdint.h>

struct mt_timer;
struct mt_map;

enum {
    HTTP_IN_FLIGHT_DEFAULT = 64,
    HTTP_RESPONSE_BYTES_DEFAULT = 16 << 20,
    HTTP_DEADLINE_MS = 120000,
    HTTP_ATTEMPT_MS = 60000,
    HTTP_CONNECT_MS = 10000,
    HTTP_LOW_SPEED_BYTES = 1000,
    HTTP_LOW_SPEED_S = 30,
    HTTP_ATTEMPTS = 8,
    HTTP_REDIRECTS = 3,
    HTTP_BACKOFF_CAP_MS = 60000,
    HTTP_RETRY_AFTER_MIN_MS = 1000,
    HTTP_RETRY_AFTER_MAX_MS = 300000,
    HTTP_KEEP_BODY_BYTES = 128 << 10, /* a slot's buffer larger than this is given back */
    HTTP_READ_BYTES =
        64 << 10,        /* a history page of 33 KB in one read: 10 % less CPU than with 16 KiB */
    HTTP_HOST_MAX = 264, /* "[" 255 bytes "]:65535" */
    HTTP_HEADERS_MAX = 64,
    HTTP_URL_MAX = 64 << 10,
    HTTP_CHUNK_BYTES = 256 << 10, /* of a file, between disk and network; two for each transfer */
    HTTP_ERROR_BYTES = 1 << 20,   /* of an answer that does not go into the sink */
    HTTP_TYPE_MAX = 128,
};

enum http_method { METHOD_GET, METHOD_POST, METHOD_PUT, METHOD_DELETE };

enum call_state { CALL_WAITING, CALL_BACKOFF, CALL_WIRE, CALL_SINKING, CALL_FINISHED };

struct call_list {
    struct mt_http_call *first;
    struct mt_http_call *last;
};

struct http_host {
    struct http_host *next;
    struct mt_http_figures figures;
    char name[HTTP_HOST_MAX];
};

struct mt_http_call {
    struct mt_http_figures *figures; /* of its host */
    struct mt_http_call *prev;
    struct mt_http_call *next;
    struct mt_http *http;
    struct mt_http_bucket *bucket;
    struct http_slot *slot; /* while on the wire */
    size_t due_index;       /* place in the client's due heap + 1; 0: not in it */
    int64_t due_ms;
    enum call_state state;
    enum http_method method;
    enum mt_http_retry retry;
    unsigned attempts;
    unsigned max_attempts;
    unsigned backoffs;
    unsigned redirects;
    int64_t start_ms;
    int64_t deadline_ms; /* on the monotonic clock */
    int64_t attempt_ms;
    int64_t sent_us;
    size_t max_response_bytes;
    void (*done)(void *ud, enum mt_rc rc, const struct mt_http_response *response,
                 const struct mt_fault *fault);
    void *ud;
    const struct mt_secret *bearer; /* or the signature */
    const char *scheme;             /* what stands in front of it in the header */
    char *authorization;            /* room for the header; empty but while on the wire */
    size_t authorization_cap;
    struct curl_slist *headers; /* nodes inside this block */
    const char *url;
    const char *home_url; /* as it was asked for */
    char *redirect_url;   /* owns url after a redirect */
    const char *host;     /* "name:port" for messages and for comparing redirects */
    const char *body;
    size_t body_len;
    bool has_body;
    bool tls;
    bool fresh;                      /* not on a kept connection */
    bool may_leave;                  /* redirects to another place are followed */
    bool public_only;                /* no private address is connected to */
    bool elsewhere;                  /* at another place: bare headers, no token */
    struct curl_slist *bare_headers; /* without the caller's */
    void (*progress)(void *ud, int64_t done_bytes, int64_t total_bytes);
    struct http_pipe *up;         /* the body's file, or NULL */
    struct http_pipe *down;       /* the sink, or NULL */
    struct mt_http_response held; /* SINKING: what done will be told */
    char held_type[HTTP_TYPE_MAX];
    enum mt_rc rc;         /* once finished; before that, of the last attempt */
    struct mt_fault fault; /* likewise */
};

struct http_slot {
    bool single; /* for a file: made for one attempt, and set up by no other before */
    struct mt_http *http;
    struct mt_http_call *call;
    struct http_slot *next; /* in the free list */
    CURL *easy;
    struct mt_buf body;
    size_t max_bytes;
    bool refused;       /* its address is a private one */
    bool starved;       /* its socket could not be watched */
    bool answered;      /* something has come */
    bool head_done;     /* the empty line after the headers has come */
    enum mt_rc body_rc; /* MT_ERR_LIMIT, MT_ERR_NOMEM: why the transfer was stopped by us */
    enum http_method method;
    bool has_body;
    bool fresh;
    bool tls;
    char error[CURL_ERROR_SIZE];
};

struct http_sock {
    struct mt_http *http;
    struct mt_poll *poll;
    int fd;
    int want; /* MT_POLL_READ, MT_POLL_WRITE: what curl asked for */
};

enum { BUCKET_CELLS = 5 };

struct mt_http_bucket {
    struct mt_http *http;
    struct mt_http_bucket *prev; /* all buckets of the client */
    struct mt_http_bucket *next;
    struct mt_http_bucket *busy_prev; /* those with waiting calls, in turn */
    struct mt_http_bucket *busy_next;
    bool busy;
    bool shared;
    bool open; /* the client's own, for calls without a bucket */
    struct call_list waiting;
    double limit_per_s; /* as given; 0: none */
    double rate_per_s;  /* in force; 0: unlimited */
    double burst;       /* as given; 0: follows the rate */
    double tokens;
    double peak_per_s; /* what recovery steps are measured by */
    int64_t refilled_us;
    int64_t blocked_until_us;
    int64_t cut_us;               /* when the rate was last halved; 0: never */
    int64_t raised_us;            /* when it was last raised */
    unsigned strikes;             /* refusals without Retry-After since the last success */
    int64_t cell_s[BUCKET_CELLS]; /* sent per second, of the last seconds */
    unsigned cell_n[BUCKET_CELLS];
};

struct mt_http {
    struct mt_loop *loop;
    CURLM *multi;
    struct mt_timer *curl_timer;
    struct mt_timer *due_timer;
    struct mt_timer *soon;
    unsigned max_in_flight;
    unsigned wire_n;
    size_t calls_n; /* started and not yet done */
    uint64_t sent_n;
    bool allow_plain_remote;
    bool closing;
    bool curl_global;
    unsigned depth; /* dispatchers on the stack: mt_http_free from inside done waits for them */
    bool free_later;
    bool starved; /* some slot is */
    bool suspect; /* the multi handle has run out of memory */
    char *user_agent;
    char *ca_file;
    struct http_slot *slots_free;
    struct http_sock **socks; /* by descriptor */
    size_t socks_n;
    struct call_list backoff;
    struct call_list wire;
    struct call_list sinking;
    struct call_list finished;
    struct mt_http_call **due; /* binary heap by due_ms */
    size_t due_n;
    size_t due_cap;
    struct mt_http_bucket open;
    struct mt_http_bucket *buckets;
    struct mt_http_bucket *busy_first;
    struct mt_http_bucket *busy_last;
    struct mt_map *shared;
    struct http_host *hosts; /* in the order of their first requests */
    unsigned hosts_n;
    struct mt_http_figures of_scripts;
    struct mt_http_figures others;
};

/* figures.c */
struct mt_http_figures *figures_of(struct mt_http *http, const char *host, bool of_script);
void figures_init(struct mt_http *http);
void figures_free(struct mt_http *http);
/* A transfer has ended. */
void figures_note(struct mt_http_figures *figures, CURL *easy, CURLcode code);

/* queue.c */
void call_list_push(struct call_list *list, struct mt_http_call *call);
void call_list_push_front(struct call_list *list, struct mt_http_call *call);
void call_list_remove(struct call_list *list, struct mt_http_call *call);
/* Heap of points in time at which a waiting call wants attention. reserve makes room for one more
 * call, so that adding cannot fail. */
enum mt_rc due_reserve(struct mt_http *http) MT_CHECKED;
void due_set(struct mt_http *http, struct mt_http_call *call, int64_t due_ms);
void due_clear(struct mt_http *http, struct mt_http_call *call);

/* http.c */
void http_pump(struct mt_http *http);
void http_depth_enter(struct mt_http *http);
void http_depth_leave(struct mt_http *http); /* http may be gone afterwards */

/* call.c */
void call_enter(struct mt_http_call *call, bool first);
void call_finish(struct mt_http_call *call, enum mt_rc rc);
void call_deliver(struct mt_http_call *call, enum mt_rc rc,
                  const struct mt_http_response *response);
void call_due(struct mt_http_call *call);
void call_detach(struct mt_http_call *call);
enum mt_rc call_timed_out(struct mt_http_call *call);

/* attempt.c */
enum mt_rc attempt_start(struct mt_http_call *call) MT_CHECKED;
/* Takes the call off the wire; the slot, with what has come, is the caller's to give back. */
struct http_slot *attempt_end(struct mt_http_call *call);
void attempt_abort(struct mt_http_call *call);
struct http_slot *slot_take(struct mt_http *http, bool single);
void slot_give(struct http_slot *slot);
void slot_free(struct http_slot *slot);

/* answer.c: what a transfer's end means */
void answer_take(struct http_slot *slot, CURLcode code);

/* The sink is closed, or has failed. */
void answer_sunk(struct mt_http_call *call);

/* pipe.c: files between curl and the work pool */
struct http_pipe *pipe_reader(struct mt_http_call *call, const struct mt_http_file *file);
struct http_pipe *pipe_writer(struct mt_http_call *call, const struct mt_http_sink *sink);
void pipe_restart(struct http_pipe *pipe);        /* another attempt */
int64_t pipe_total(const struct http_pipe *pipe); /* of a reader */
int64_t pipe_done(const struct http_pipe *pipe);
int64_t pipe_max(const struct http_pipe *pipe); /* of a writer */
/* curl's callbacks; ud is the pipe. */
size_t pipe_on_read(char *to, size_t size, size_t n, void *ud);
int pipe_on_seek(void *ud, curl_off_t offset, int origin);
/* A part of the answer; what curl's write callback shall return. */
size_t pipe_write(struct http_pipe *pipe, const char *data, size_t len);
void pipe_finish(struct http_pipe *pipe); /* answer_sunk follows */
bool pipe_failed(const struct http_pipe *pipe);
enum mt_rc pipe_fault(const struct http_pipe *pipe, struct mt_fault *fault);
const char *pipe_sha256(const struct http_pipe *pipe); /* after pipe_finish went well */
/* The call is over. keep: what was written stays. NULL is fine. */
void pipe_drop(struct http_pipe *pipe, bool keep);

/* multi.c */
enum mt_rc multi_new(struct mt_http *http) MT_CHECKED;
void multi_free(struct mt_http *http);
/* Replaces a multi handle that has run out of memory, once nothing is on the wire. */
void multi_renew(struct mt_http *http);

/* private.c */
struct sockaddr;
/* Addresses that are not of the public network: of this machine, private, link-local, multicast,
 * unknown families; also in what stands for one of them in IPv6. */
bool address_private(const struct sockaddr *address);
/* curl's callback; ud is the slot. */
curl_socket_t private_open(void *ud, curlsocktype purpose, struct curl_sockaddr *address);

/* fault.c */
enum verdict { VERDICT_FINAL, VERDICT_NOT_SENT, VERDICT_MAYBE_SENT };
/* Fills the call's fault for a transfer that curl has failed, and says whether it may be tried
 * again. */
enum verdict fault_from_curl(struct mt_http_call *call, const struct http_slot *slot,
                             CURLcode code);

/* bucket.c */
void bucket_init(struct mt_http_bucket *bucket, struct mt_http *http, double rate_per_s,
                 double burst);
/* 0 and one request admitted, or the microseconds to wait. */
int64_t bucket_take(struct mt_http_bucket *bucket, int64_t now_us);
int64_t bucket_wait_us(struct mt_http_bucket *bucket, int64_t now_us);
/* The cloud has refused a request that was sent at sent_us; wait_ms as it said, or -1. Returns the
 * wait. */
int64_t bucket_refused(struct mt_http_bucket *bucket, int64_t now_us, int64_t sent_us,
                       int64_t wait_ms);
void bucket_succeeded(struct mt_http_bucket *bucket, int64_t now_us, int64_t sent_us);
void bucket_put(struct mt_http_bucket *bucket, struct mt_http_call *call, bool first);
void bucket_drop(struct mt_http_bucket *bucket, struct mt_http_call *call);
void bucket_fail_hopeless(struct mt_http_bucket *bucket, int64_t now_us);
void bucket_turn(struct mt_http_bucket *bucket); /* to the end of the busy list */

#endif

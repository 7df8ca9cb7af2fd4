/* The client's life, and the pump that moves waiting calls onto the wire. */
#include "http/http.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/version.h"
#include "http/http_int.h"
#include "loop/loop.h"

#include <string.h>

static const char USER_AGENT[] = "moontide/" MT_VERSION;

enum { IN_FLIGHT_MAX = 1024 };

static void on_soon(void *ud)
{
    struct mt_http *http = ud;
    http_depth_enter(http);
    /* Only as many as are here now: done may end others, whose turn is the next. */
    size_t n = 0;
    for (const struct mt_http_call *call = http->finished.first; call; call = call->next) {
        n++;
    }
    for (; n > 0 && http->finished.first; n--) {
        struct mt_http_call *call = http->finished.first;
        call_detach(call);
        call_deliver(call, call->rc, NULL);
    }
    if (http->finished.first && !http->closing) {
        mt_timer_start(http->soon, 0, 0);
    }
    http_pump(http);
    http_depth_leave(http);
}

static void on_due(void *ud)
{
    struct mt_http *http = ud;
    int64_t now_ms = mt_clock_mono_ms();
    while (http->due_n > 0 && http->due[0]->due_ms <= now_ms) {
        call_due(http->due[0]);
    }
    http_pump(http);
}

/* One timer for everything that waits: calls' due times, and buckets that will have a token. */
static void arm(struct mt_http *http)
{
    if (http->due_n == 0 && !http->busy_first) {
        mt_timer_stop(http->due_timer);
        return;
    }
    int64_t now_us = mt_clock_mono_us();
    int64_t at_us = INT64_MAX;
    if (http->due_n > 0) {
        at_us = http->due[0]->due_ms * 1000;
    }
    if (http->wire_n < http->max_in_flight) {
        for (struct mt_http_bucket *b = http->busy_first; b; b = b->busy_next) {
            int64_t bucket_us = now_us + bucket_wait_us(b, now_us);
            at_us = bucket_us < at_us ? bucket_us : at_us;
        }
    }
    if (at_us == INT64_MAX) {
        mt_timer_stop(http->due_timer);
    } else {
        mt_timer_start(http->due_timer, at_us > now_us ? (at_us - now_us + 999) / 1000 : 0, 0);
    }
}

static struct mt_http_call *next_call(struct mt_http *http, int64_t now_us)
{
    for (struct mt_http_bucket *b = http->busy_first; b; b = b->busy_next) {
        if (bucket_take(b, now_us) == 0) {
            struct mt_http_call *call = b->waiting.first;
            call_detach(call);
            bucket_turn(b);
            return call;
        }
    }
    return NULL;
}

/* A call that has to wait shall not wait beyond its deadline. */
static void guard_waiting(struct mt_http *http)
{
    for (struct mt_http_bucket *b = http->busy_first; b; b = b->busy_next) {
        /* New ones are at the end; those before them have been here already. */
        for (struct mt_http_call *call = b->waiting.last; call && call->due_index == 0;
             call = call->prev) {
            due_set(http, call, call->deadline_ms);
        }
        for (struct mt_http_call *call = b->waiting.first; call && call->due_index == 0;
             call = call->next) {
            due_set(http, call, call->deadline_ms);
        }
    }
}

void http_pump(struct mt_http *http)
{
    if (http->closing) {
        return;
    }
    int64_t now_us = http->busy_first ? mt_clock_mono_us() : 0;
    while (http->busy_first && http->wire_n < http->max_in_flight) {
        struct mt_http_call *call = next_call(http, now_us);
        if (!call) {
            break;
        }
        if (attempt_start(call) != MT_OK) {
            call_finish(call, mt_fault_set(&call->fault, MT_ERR_NOMEM, "memory",
                                           "no memory for a request"));
        }
    }
    guard_waiting(http);
    arm(http);
}

static void free_buckets(struct mt_http *http)
{
    mt_map_free(http->shared, NULL);
    struct mt_http_bucket *next = NULL;
    for (struct mt_http_bucket *b = http->buckets; b; b = next) {
        next = b->next;
        b->http = NULL; /* its owner will free it */
        if (b->shared) {
            mt_mem_free(b);
        }
    }
}

static void destroy(struct mt_http *http)
{
    while (http->slots_free) {
        struct http_slot *slot = http->slots_free;
        http->slots_free = slot->next;
        slot_free(slot);
    }
    if (http->multi) {
        multi_free(http);
    }
    free_buckets(http);
    figures_free(http);
    mt_timer_free(http->curl_timer);
    mt_timer_free(http->due_timer);
    mt_timer_free(http->soon);
    mt_mem_free(http->due);
    mt_mem_free(http->user_agent);
    mt_mem_free(http->ca_file);
    if (http->curl_global) {
        curl_global_cleanup();
    }
    mt_mem_free(http);
}

void http_depth_enter(struct mt_http *http)
{
    http->depth++;
}

void http_depth_leave(struct mt_http *http)
{
    http->depth--;
    if (http->depth == 0 && http->free_later) {
        destroy(http);
    }
}

static enum mt_rc set_texts(struct mt_http *http, const struct mt_http_options *options,
                            struct mt_fault *fault)
{
    int fd = -1;
    http->user_agent = mt_mem_strdup(options->user_agent ? options->user_agent : USER_AGENT);
    if (options->ca_file) {
        int err = mt_fs_open(options->ca_file, MT_FS_READ, &fd);
        if (err != 0) {
            return mt_fs_fault(fault, err, "read", options->ca_file);
        }
        (void)mt_fs_close(fd);
        http->ca_file = mt_mem_strdup(options->ca_file);
    }
    return http->user_agent && (!options->ca_file || http->ca_file) ? MT_OK : MT_ERR_NOMEM;
}

static enum mt_rc start(struct mt_http *http)
{
    http->shared = mt_map_new();
    if (!http->shared ||
        curl_global_init_mem(CURL_GLOBAL_DEFAULT, mt_mem_alloc, mt_mem_free, mt_mem_realloc,
                             mt_mem_strdup, mt_mem_calloc) != CURLE_OK) {
        return MT_ERR_NOMEM;
    }
    http->curl_global = true;
    enum mt_rc rc = multi_new(http);
    if (rc == MT_OK) {
        rc = mt_timer_new(http->loop, on_due, http, &http->due_timer);
    }
    if (rc == MT_OK) {
        rc = mt_timer_new(http->loop, on_soon, http, &http->soon);
    }
    return rc;
}

enum mt_rc mt_http_new(struct mt_loop *loop, const struct mt_http_options *options,
                       struct mt_http **out, struct mt_fault *fault)
{
    static const struct mt_http_options none = {0};
    const struct mt_http_options *o = options ? options : &none;
    struct mt_http *http = mt_mem_calloc(1, sizeof *http);
    if (!http) {
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "no memory for the HTTP client");
    }
    http->loop = loop;
    http->max_in_flight = o->max_in_flight > 0 ? o->max_in_flight : HTTP_IN_FLIGHT_DEFAULT;
    if (http->max_in_flight > IN_FLIGHT_MAX) {
        http->max_in_flight = IN_FLIGHT_MAX;
    }
    http->allow_plain_remote = o->allow_plain_remote;
    figures_init(http);
    bucket_init(&http->open, http, 0, 0);
    http->open.open = true;
    struct mt_fault told = {0};
    enum mt_rc rc = set_texts(http, o, &told);
    if (rc == MT_OK) {
        rc = start(http);
    }
    if (rc != MT_OK) {
        destroy(http);
        if (told.kind == MT_OK) {
            return mt_fault_set(fault, rc, "http.start", "the HTTP client cannot be started: %s",
                                mt_rc_name(rc));
        }
        if (fault) {
            *fault = told;
        }
        return rc;
    }
    *out = http;
    return MT_OK;
}

static void cancel_list(const struct call_list *list)
{
    while (list->first) {
        struct mt_http_call *call = list->first;
        call_detach(call);
        call_deliver(call, mt_fault_set(&call->fault, MT_ERR_CANCELLED, "cancelled", "cancelled"),
                     NULL);
    }
}

void mt_http_free(struct mt_http *http)
{
    if (!http || http->free_later) {
        return;
    }
    http->closing = true;
    http->free_later = true;
    http_depth_enter(http);
    cancel_list(&http->wire);
    cancel_list(&http->sinking);
    cancel_list(&http->backoff);
    cancel_list(&http->open.waiting);
    for (struct mt_http_bucket *b = http->buckets; b; b = b->next) {
        cancel_list(&b->waiting);
    }
    cancel_list(&http->finished);
    http_depth_leave(http);
}

unsigned mt_http_in_flight(const struct mt_http *http)
{
    return http->wire_n;
}

uint64_t mt_http_sent(const struct mt_http *http)
{
    return http->sent_n;
}

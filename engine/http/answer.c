/* What the end of a transfer means for its call: deliver, follow, wait and try again, or fail. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "http/http_int.h"
#include "loop/loop.h"

#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

static const char *header(CURL *easy, const char *name)
{
    struct curl_header *found = NULL;
    if (curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &found) != CURLHE_OK) {
        return NULL;
    }
    return found->value;
}

static void fill(struct mt_http_response *response, const struct http_slot *slot, unsigned attempts)
{
    long status = 0;
    char *type = NULL;
    (void)curl_easy_getinfo(slot->easy, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(slot->easy, CURLINFO_CONTENT_TYPE, &type);
    *response = (struct mt_http_response){
        .status = (int)status,
        .body = slot->body.len > 0 ? slot->body.data : "",
        .body_len = slot->body.len,
        .content_type = type ? type : "",
        .date_ms = http_date_ms(header(slot->easy, "Date")),
        .attempts = attempts,
        .sink_sha256 = "",
    };
    const char *after = header(slot->easy, "Retry-After");
    if (after) {
        response->retry_after_ms =
            retry_after_ms(after, response->date_ms > 0 ? response->date_ms : mt_clock_wall_ms());
    }
}

/* Another place's address may be good for one moment only: the next attempt asks at home again. */
static void go_home(struct mt_http_call *call)
{
    if (!call->elsewhere) {
        return;
    }
    call->url = call->home_url;
    call->tls = strncasecmp(call->url, "https:", 6) == 0;
    call->elsewhere = false;
    call->redirects = 0;
    mt_mem_free(call->redirect_url);
    call->redirect_url = NULL;
}

/* Waits a jittered time by itself, at least at_least_ms; false when no attempt or time is left. */
static bool wait_and_retry(struct mt_http_call *call, int64_t at_least_ms)
{
    struct mt_http *http = call->http;
    int64_t left_ms = call->deadline_ms - mt_clock_mono_ms();
    if (call->attempts >= call->max_attempts || left_ms <= at_least_ms || http->closing) {
        return false;
    }
    int64_t wait_ms = backoff_ms(call->backoffs++);
    if (wait_ms >= left_ms) {
        wait_ms = (int64_t)mt_rand_below((uint64_t)left_ms); /* a last try is better than none */
    }
    wait_ms = wait_ms < at_least_ms ? at_least_ms : wait_ms;
    if (mt_log_level_get() >= MT_LOG_DEBUG) {
        mt_log(MT_LOG_DEBUG, "http", "attempt %u failed, the next in %" PRId64 " ms: %s",
               call->attempts, wait_ms, call->fault.message);
    }
    go_home(call);
    call->state = CALL_BACKOFF;
    call_list_push(&http->backoff, call);
    due_set(http, call, mt_clock_mono_ms() + wait_ms + 1); /* the clock may be 0.9 ms further */
    return true;
}

static bool retry_refused(struct mt_http_call *call, const struct mt_http_response *response)
{
    int64_t now_us = mt_clock_mono_us();
    int64_t stated_ms = response->retry_after_ms > 0 ? response->retry_after_ms : -1;
    bool may = response->status == 429 || call->retry == MT_HTTP_RETRY_SAFE;
    if (call->bucket->open) {
        return may && wait_and_retry(call, stated_ms > 0 ? stated_ms : 0);
    }
    int64_t cut_us = call->bucket->cut_us;
    int64_t wait_ms = bucket_refused(call->bucket, now_us, call->sent_us, stated_ms);
    if (cut_us != call->bucket->cut_us && mt_log_level_get() >= MT_LOG_INFO) {
        mt_log(MT_LOG_INFO, "http",
               "%s: too many requests; its key waits %" PRId64 " ms, then %.1f a second",
               call->host, wait_ms, call->bucket->rate_per_s);
    }
    if (may && call->attempts < call->max_attempts && now_us / 1000 + wait_ms < call->deadline_ms) {
        call_enter(call, true);
        may = true;
    } else {
        may = false;
    }
    bucket_fail_hopeless(call->bucket, now_us);
    return may;
}

static enum mt_rc status_fault(struct mt_http_call *call, const struct mt_http_response *response)
{
    enum mt_rc rc = MT_ERR_REMOTE;
    if (response->status == 429) {
        rc = mt_fault_set(
            &call->fault, MT_ERR_RATE, "http.rate",
            "%s says: too many requests (429, after %u attempts); ask for less, or later",
            call->host, call->attempts);
    } else {
        rc = mt_fault_set(&call->fault, MT_ERR_REMOTE, "http.server",
                          "%s failed with status %d (after %u attempts): try again later",
                          call->host, response->status, call->attempts);
    }
    call->fault.http_status = response->status;
    call->fault.retry_after_ms = response->retry_after_ms;
    if (rc == MT_ERR_RATE && !call->bucket->open) {
        int64_t blocked_ms = mt_http_bucket_blocked_ms(call->bucket);
        call->fault.retry_after_ms =
            blocked_ms > response->retry_after_ms ? blocked_ms : response->retry_after_ms;
    }
    return rc;
}

static void follow(struct mt_http_call *call, const char *to, bool leaves)
{
    char *url = mt_mem_strdup(to);
    if (!url) {
        call_finish(call, mt_fault_set(&call->fault, MT_ERR_NOMEM, "memory",
                                       "no memory to follow a redirect"));
        return;
    }
    mt_mem_free(call->redirect_url);
    call->redirect_url = url;
    call->url = url;
    call->tls = strncasecmp(url, "https:", 6) == 0;
    call->elsewhere = call->elsewhere || leaves;
    call->redirects++;
    call->attempts--; /* the same attempt, at another door */
    call_enter(call, true);
}

/* Another place may be asked when the request says so; it is given nothing that is secret. */
static bool may_leave(const struct mt_http_call *call, const char *to)
{
    struct url_parts place = {0};
    return call->may_leave && url_split(to, &place, NULL) == MT_OK && (place.tls || !call->tls) &&
           (place.tls || place.loopback || call->http->allow_plain_remote);
}

/* True: the call goes on, or has failed, as a redirect; false: it is an answer like any other. */
static bool redirected(struct mt_http_call *call, const struct http_slot *slot, int status)
{
    char *to = NULL;
    struct url_parts place = {0};
    bool same_method = status == 307 || status == 308 || call->method == METHOD_GET;
    if (status < 301 || status > 308 || (status > 303 && status < 307)) {
        return false;
    }
    (void)curl_easy_getinfo(slot->easy, CURLINFO_REDIRECT_URL, &to);
    if (!to) {
        return false;
    }
    bool leaves = !url_same_place(call->url, to);
    if (same_method && call->redirects < HTTP_REDIRECTS && (!leaves || may_leave(call, to))) {
        follow(call, to, leaves);
        return true;
    }
    const char *why = !same_method ? "it would become another kind of request"
                      : call->redirects >= HTTP_REDIRECTS ? "too often"
                      : call->may_leave ? "plain http would show the file to everybody on the way"
                                        : "another place must not see the token";
    bool known = url_split(to, &place, NULL) == MT_OK;
    (void)mt_fault_set(&call->fault, MT_ERR_PROTOCOL, "http.redirect",
                       "%s redirects to %.*s, which is not followed: %s; is the address right?",
                       call->host, known ? (int)place.authority_len : 24,
                       known ? place.authority : "an address of other kind", why);
    call->fault.http_status = status;
    call_finish(call, MT_ERR_PROTOCOL);
    return true;
}

void answer_sunk(struct mt_http_call *call)
{
    call_list_remove(&call->http->sinking, call);
    if (pipe_failed(call->down)) {
        (void)pipe_fault(call->down, &call->fault);
        call_finish(call, call->fault.kind);
        return;
    }
    call->held.sink_bytes = pipe_done(call->down);
    call->held.sink_sha256 = pipe_sha256(call->down);
    call_deliver(call, MT_OK, &call->held);
}

/* The answer is kept until its file is closed; the slot is not. */
static void sink(struct mt_http_call *call, const struct mt_http_response *response)
{
    call->held = *response;
    (void)snprintf(call->held_type, sizeof call->held_type, "%s", response->content_type);
    call->held.content_type = call->held_type;
    call->held.body = "";
    call->held.body_len = 0;
    call->state = CALL_SINKING;
    call_list_push(&call->http->sinking, call);
    pipe_finish(call->down);
}

static void take_answer(struct mt_http_call *call, const struct http_slot *slot)
{
    struct mt_http_response response = {0};
    fill(&response, slot, call->attempts);
    bool refused =
        response.status == 429 || (response.status == 503 && response.retry_after_ms > 0);
    if (refused || response.status >= 500) {
        (void)status_fault(call, &response); /* for the message, should the time run out */
        bool waits = refused ? retry_refused(call, &response)
                             : call->retry == MT_HTTP_RETRY_SAFE && response.status != 501 &&
                                   wait_and_retry(call, 0);
        if (!waits) {
            call_deliver(call, status_fault(call, &response),
                         &response); /* the bucket is shut by now */
        }
        return;
    }
    bucket_succeeded(call->bucket, mt_clock_mono_us(), call->sent_us);
    if (redirected(call, slot, response.status)) {
        return;
    }
    if (call->down && response.status >= 200 && response.status < 300) {
        sink(call, &response);
    } else {
        call_deliver(call, MT_OK, &response);
    }
}

/* The server has closed a kept connection just when the request went out on it. That says nothing
 * about the server's health, and needs no back-off. (curl itself does the same, but not when the
 * close came as a reset.) */
static bool was_stale(const struct mt_http_call *call, const struct http_slot *slot, CURLcode code)
{
    long connects_n = 1;
    (void)curl_easy_getinfo(slot->easy, CURLINFO_NUM_CONNECTS, &connects_n);
    return call->retry == MT_HTTP_RETRY_SAFE && !call->fresh && !slot->answered &&
           connects_n == 0 &&
           (code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR || code == CURLE_GOT_NOTHING);
}

static void take_failure(struct mt_http_call *call, const struct http_slot *slot, CURLcode code)
{
    if (was_stale(call, slot, code)) {
        call->fresh = true;
        call->attempts--; /* the same attempt, on a new connection */
        call_enter(call, true);
        return;
    }
    enum verdict verdict = fault_from_curl(call, slot, code);
    bool may = verdict == VERDICT_NOT_SENT ||
               (verdict == VERDICT_MAYBE_SENT && call->retry == MT_HTTP_RETRY_SAFE);
    if (may && wait_and_retry(call, 0)) {
        return;
    }
    if (mt_clock_mono_ms() >= call->deadline_ms && call->fault.kind == MT_ERR_TIMEOUT) {
        call_finish(call, call_timed_out(call));
        return;
    }
    call_finish(call, call->fault.kind);
}

void answer_take(struct http_slot *slot, CURLcode code)
{
    struct mt_http_call *call = slot->call;
    (void)attempt_end(call);
    figures_note(call->figures, slot->easy, code);
    if (code == CURLE_OK && !slot->head_done) {
        code = CURLE_PARTIAL_FILE;
    }
    if (code == CURLE_OK) {
        take_answer(call, slot);
    } else {
        take_failure(call, slot, code);
    }
    slot_give(slot);
}

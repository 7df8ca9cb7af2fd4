/* The life of a call between its start and its end: see http_int.h. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/secret.h"
#include "http/http_int.h"
#include "loop/loop.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

/* curl would add its own "Expect: 100-continue" to long bodies and "Content-Type: …-urlencoded" to
 * all; a name with nothing behind it takes it away. */
static const char no_expect[] = "Expect:";
static const char no_content_type[] = "Content-Type:";

static const char BEARER[] = "Authorization: Bearer ";
static const char SIGNATURE[] = "Authorization: ";

static bool method_of(const char *word, enum http_method *out)
{
    static const char *const words[] = {[METHOD_GET] = "GET",
                                        [METHOD_POST] = "POST",
                                        [METHOD_PUT] = "PUT",
                                        [METHOD_DELETE] = "DELETE"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(word, words[i]) == 0) {
            *out = (enum http_method)i;
            return true;
        }
    }
    return false;
}

static bool header_ok(const char *line)
{
    const char *colon = strchr(line, ':');
    return colon && colon > line && !strpbrk(line, "\r\n") &&
           strncasecmp(line, "Authorization:", 14) != 0;
}

/* lowest: of the characters in it. */
static bool secret_ok(const struct mt_secret *secret, char lowest)
{
    const char *s = mt_secret_bytes(secret);
    for (size_t i = 0; i < mt_secret_len(secret); i++) {
        if ((unsigned char)s[i] < (unsigned char)lowest || s[i] == 0x7f) {
            return false;
        }
    }
    return mt_secret_len(secret) > 0;
}

static enum mt_rc check_secrets(const struct mt_http_request *request, struct mt_fault *fault)
{
    if (request->bearer && !secret_ok(request->bearer, '!')) {
        return mt_fault_set(fault, MT_ERR_INVALID, "http.bearer",
                            "the token has a space or a control character in it, or is empty: was "
                            "it copied whole?");
    }
    if (request->signature && (request->bearer || !secret_ok(request->signature, ' '))) {
        return mt_fault_set(fault, MT_ERR_INVALID, "http.signature",
                            "the signature has a control character in it, or is empty");
    }
    return MT_OK;
}

static enum mt_rc check(const struct mt_http *http, const struct mt_http_request *request,
                        struct url_parts *url, enum http_method *method, struct mt_fault *fault)
{
    if (http->closing) {
        return mt_fault_set(fault, MT_ERR_STATE, "http.closed", "the HTTP client is closed");
    }
    if (!request->method || !method_of(request->method, method)) {
        return mt_fault_set(fault, MT_ERR_INVALID, "http.method",
                            "the method must be GET, POST, PUT or DELETE");
    }
    if (!request->url) {
        return mt_fault_set(fault, MT_ERR_INVALID, "http.url", "the address is missing");
    }
    enum mt_rc rc = url_split(request->url, url, fault);
    if (rc != MT_OK) {
        return rc;
    }
    if (!url->tls && !url->loopback && !http->allow_plain_remote) {
        return mt_fault_set(fault, MT_ERR_DENIED, "http.plain",
                            "plain http to %.*s would show the token to everybody on the way: use "
                            "https (http is for "
                            "this machine only)",
                            (int)url->authority_len, url->authority);
    }
    if (request->file && (request->body_len > 0 || request->file->length < 0 ||
                          request->file->offset < 0 || *method == METHOD_GET)) {
        return mt_fault_set(fault, MT_ERR_INVALID, "http.file",
                            "a file is the whole body of a POST or PUT");
    }
    for (size_t i = 0; request->headers && request->headers[i]; i++) {
        if (i >= HTTP_HEADERS_MAX || !header_ok(request->headers[i])) {
            return mt_fault_set(
                fault, MT_ERR_INVALID, "http.header",
                "header %zu is not \"Name: value\" on one line (at most %d, no Authorization)",
                i + 1, HTTP_HEADERS_MAX);
        }
    }
    return check_secrets(request, fault);
}

struct layout {
    size_t nodes_n;
    size_t authorization_cap;
    size_t url_len;
    size_t host_len;
    size_t texts_len; /* headers with their NULs */
    size_t headers_n;
    bool has_content_type;
};

static struct layout measure(const struct mt_http_request *request, const struct url_parts *url)
{
    struct layout l = {.url_len = strlen(request->url), .host_len = url->authority_len};
    for (; request->headers && request->headers[l.headers_n]; l.headers_n++) {
        const char *line = request->headers[l.headers_n];
        l.texts_len += strlen(line) + 1;
        if (strncasecmp(line, no_content_type, strlen(no_content_type)) == 0) {
            l.has_content_type = true;
        }
    }
    const struct mt_secret *secret = request->bearer ? request->bearer : request->signature;
    l.authorization_cap = secret ? sizeof BEARER + mt_secret_len(secret) : 0;
    l.nodes_n = l.headers_n + 3;
    return l;
}

static char *put(char **at, const void *p, size_t len)
{
    char *here = *at;
    if (len > 0 && p) {
        memcpy(here, p, len);
    }
    here[len] = '\0';
    *at += len + 1;
    return here;
}

static struct curl_slist *link_node(struct curl_slist *node, struct curl_slist *list,
                                    const char *line)
{
    node->data = (char *)(uintptr_t)line; /* curl only reads it */
    node->next = list;
    return node;
}

/* One block holds the call, curl's header list and all texts: a call is one allocation. */
static struct mt_http_call *build(const struct mt_http_request *request,
                                  const struct url_parts *url, enum http_method method)
{
    struct layout l = measure(request, url);
    size_t head = sizeof(struct mt_http_call) + l.nodes_n * sizeof(struct curl_slist);
    size_t size = head + l.authorization_cap + l.url_len + 1 + l.host_len + 1 + l.texts_len;
    if (request->body_len > SIZE_MAX / 2) {
        return NULL;
    }
    char *block = mt_mem_alloc(size + request->body_len + 1);
    if (!block) {
        return NULL;
    }
    struct mt_http_call *call = (struct mt_http_call *)block;
    struct curl_slist *node = (struct curl_slist *)(void *)(block + sizeof *call);
    char *at = block + head;
    memset(call, 0, sizeof *call);
    call->method = method;
    call->bare_headers = node;
    call->has_body = request->body_len > 0 || method == METHOD_POST || method == METHOD_PUT;
    call->headers = link_node(node++, NULL, no_expect);
    if (call->has_body && !l.has_content_type) {
        call->headers = link_node(node++, call->headers, no_content_type);
    }
    if (request->bearer || request->signature) {
        call->bearer = request->bearer ? request->bearer : request->signature;
        call->scheme = request->bearer ? BEARER : SIGNATURE;
        call->authorization = at;
        call->authorization_cap = l.authorization_cap;
        memset(at, 0, l.authorization_cap);
        at += l.authorization_cap;
        call->headers = link_node(node++, call->headers, call->authorization);
    }
    call->url = put(&at, request->url, l.url_len);
    call->home_url = call->url;
    call->host = put(&at, url->authority, l.host_len);
    for (size_t i = l.headers_n; i-- > 0;) {
        call->headers = link_node(node++, call->headers,
                                  put(&at, request->headers[i], strlen(request->headers[i])));
    }
    call->body = put(&at, request->body, request->body_len);
    call->body_len = request->body_len;
    call->tls = url->tls;
    return call;
}

static void apply(struct mt_http_call *call, const struct mt_http_request *request)
{
    call->max_attempts = request->max_attempts > 0 ? request->max_attempts : HTTP_ATTEMPTS;
    call->max_response_bytes =
        request->max_response_bytes > 0 ? request->max_response_bytes : HTTP_RESPONSE_BYTES_DEFAULT;
    call->attempt_ms = request->attempt_ms > 0 ? request->attempt_ms : HTTP_ATTEMPT_MS;
    call->start_ms = mt_clock_mono_ms();
    call->deadline_ms =
        call->start_ms + (request->deadline_ms > 0 ? request->deadline_ms : HTTP_DEADLINE_MS);
    call->retry = request->retry;
    call->may_leave = request->elsewhere && call->method == METHOD_GET;
    call->public_only = request->public_only;
    call->fresh = request->public_only; /* nobody has looked at the address of a kept connection */
    call->progress = request->progress;
}

/* What of a request is a file. False when memory is short. */
static bool add_files(struct mt_http_call *call, const struct mt_http_request *request)
{
    if (request->file) {
        call->up = pipe_reader(call, request->file);
    }
    if (request->sink) {
        call->down = pipe_writer(call, request->sink);
        if (request->max_response_bytes == 0) {
            call->max_response_bytes = HTTP_ERROR_BYTES;
        }
    }
    if ((call->up || !request->file) && (call->down || !request->sink)) {
        return true;
    }
    pipe_drop(call->up, false);
    pipe_drop(call->down, false);
    return false;
}

enum mt_rc mt_http_start(struct mt_http *http, const struct mt_http_request *request,
                         void (*done)(void *ud, enum mt_rc rc,
                                      const struct mt_http_response *response,
                                      const struct mt_fault *fault),
                         void *ud, struct mt_http_call **out, struct mt_fault *fault)
{
    struct url_parts url = {0};
    enum http_method method = METHOD_GET;
    enum mt_rc rc = check(http, request, &url, &method, fault);
    if (rc != MT_OK) {
        return rc;
    }
    struct mt_http_call *call = due_reserve(http) == MT_OK ? build(request, &url, method) : NULL;
    if (!call) {
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "no memory for a request");
    }
    apply(call, request);
    call->http = http;
    if (!add_files(call, request)) {
        mt_mem_free(call);
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "no memory for a request");
    }
    call->bucket = request->bucket ? request->bucket : &http->open;
    call->done = done;
    call->ud = ud;
    call->figures = figures_of(http, call->host, request->of_script);
    http->calls_n++;
    if (out) {
        *out = call;
    }
    call_enter(call, false);
    http_pump(http);
    return MT_OK;
}

static enum mt_rc rate_fault(struct mt_http_call *call, int64_t blocked_ms)
{
    enum mt_rc rc = mt_fault_set(&call->fault, MT_ERR_RATE, "http.rate",
                                 "%s takes no more requests for %" PRId64
                                 " s, longer than this call may wait: try "
                                 "again then",
                                 call->host, (blocked_ms + 999) / 1000);
    call->fault.http_status = 429;
    call->fault.retry_after_ms = blocked_ms;
    return rc;
}

enum mt_rc call_timed_out(struct mt_http_call *call)
{
    char last[MT_FAULT_MESSAGE_MAX] = "";
    double spent_s = (double)(call->deadline_ms - call->start_ms) / 1000;
    if (call->attempts == 0) {
        return mt_fault_set(&call->fault, MT_ERR_TIMEOUT, "http.timeout",
                            "a request to %s still had to wait for its turn after %.1f s: ask for "
                            "less at once",
                            call->host, spent_s);
    }
    if (call->fault.kind == MT_OK || call->fault.kind == MT_ERR_TIMEOUT) {
        return mt_fault_set(&call->fault, MT_ERR_TIMEOUT, "http.timeout",
                            "no answer from %s within %.1f s (%u attempts): try again later",
                            call->host, spent_s, call->attempts);
    }
    memcpy(last, call->fault.message, sizeof last);
    return mt_fault_set(&call->fault, MT_ERR_TIMEOUT, "http.timeout",
                        "no answer from %s within %.1f s (%u attempts): %s", call->host, spent_s,
                        call->attempts, last);
}

void call_enter(struct mt_http_call *call, bool first)
{
    int64_t now_us = mt_clock_mono_us();
    int64_t left_ms = call->deadline_ms - now_us / 1000;
    int64_t blocked_ms = (call->bucket->blocked_until_us - now_us + 999) / 1000;
    if (left_ms <= 0) {
        call_finish(call, call_timed_out(call));
        return;
    }
    if (blocked_ms > left_ms) {
        call_finish(call, rate_fault(call, blocked_ms));
        return;
    }
    bucket_put(call->bucket, call, first);
}

void bucket_fail_hopeless(struct mt_http_bucket *bucket, int64_t now_us)
{
    struct mt_http_call *call = bucket->waiting.first;
    while (call) {
        struct mt_http_call *next = call->next;
        if (bucket->blocked_until_us > call->deadline_ms * 1000) {
            call_detach(call);
            call_finish(call, rate_fault(call, (bucket->blocked_until_us - now_us + 999) / 1000));
        }
        call = next;
    }
}

void call_detach(struct mt_http_call *call)
{
    due_clear(call->http, call);
    switch (call->state) {
    case CALL_WAITING:
        bucket_drop(call->bucket, call);
        break;
    case CALL_BACKOFF:
        call_list_remove(&call->http->backoff, call);
        break;
    case CALL_WIRE:
        attempt_abort(call);
        break;
    case CALL_SINKING:
        call_list_remove(&call->http->sinking, call);
        break;
    case CALL_FINISHED:
        call_list_remove(&call->http->finished, call);
        break;
    }
}

/* The call is in no list. Its done is called at the next turn. */
void call_finish(struct mt_http_call *call, enum mt_rc rc)
{
    due_clear(call->http, call);
    call->rc = rc;
    call->state = CALL_FINISHED;
    call_list_push(&call->http->finished, call);
    mt_timer_start(call->http->soon, 0, 0);
}

/* The call is in no list. Calls done, and the call is gone. */
void call_deliver(struct mt_http_call *call, enum mt_rc rc, const struct mt_http_response *response)
{
    struct mt_http_response none = {
        .body = "", .content_type = "", .attempts = call->attempts, .sink_sha256 = ""};
    bool kept = rc == MT_OK && response && response->sink_sha256[0] != '\0';
    due_clear(call->http, call);
    call->http->calls_n--;
    call->done(call->ud, rc, response ? response : &none, rc == MT_OK ? NULL : &call->fault);
    pipe_drop(call->up, false);
    pipe_drop(call->down, kept);
    mt_mem_free(call->redirect_url);
    mt_mem_free(call);
}

void call_due(struct mt_http_call *call)
{
    bool backed_off = call->state == CALL_BACKOFF;
    call_detach(call);
    if (backed_off) {
        call_enter(call, false);
    } else {
        call_finish(call, call_timed_out(call));
    }
}

void mt_http_cancel(struct mt_http_call *call)
{
    call_detach(call);
    call_finish(call, mt_fault_set(&call->fault, MT_ERR_CANCELLED, "cancelled", "cancelled"));
    http_pump(call->http);
}

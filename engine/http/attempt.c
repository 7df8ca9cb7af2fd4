/* One request on the wire: slots (reusable easy handles), and what is set on one for a call. What
 * is the same for every request is set once, when the handle is made. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/secret.h"
#include "http/http_int.h"

#include <stdio.h>
#include <string.h>

static size_t on_body(char *data, size_t size, size_t n, void *ud)
{
    struct http_slot *slot = ud;
    size_t len = size * n;
    long status = 0;
    if (slot->call->down) {
        (void)curl_easy_getinfo(slot->easy, CURLINFO_RESPONSE_CODE, &status);
        if (status >= 200 && status < 300) {
            return pipe_write(slot->call->down, data, len);
        }
    }
    if (len > slot->max_bytes - slot->body.len) {
        slot->body_rc = MT_ERR_LIMIT;
        return CURL_WRITEFUNC_ERROR;
    }
    if (slot->body.len == 0) {
        curl_off_t expected = -1;
        (void)curl_easy_getinfo(slot->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &expected);
        if (expected > (curl_off_t)len && (uint64_t)expected <= slot->max_bytes) {
            /* A stated length is believed up to the buffer that is kept anyway; beyond that it must
             * be earned. */
            size_t ahead =
                expected > HTTP_KEEP_BODY_BYTES ? HTTP_KEEP_BODY_BYTES - 1 : (size_t)expected;
            (void)mt_buf_reserve(&slot->body, ahead);
        }
    }
    slot->body_rc = mt_buf_append(&slot->body, data, len);
    return slot->body_rc == MT_OK ? len : CURL_WRITEFUNC_ERROR;
}

/* curl takes a connection that closes in the middle of the headers for the end of an empty answer.
 */
static size_t on_header(char *line, size_t size, size_t n, void *ud)
{
    struct http_slot *slot = ud;
    size_t len = size * n;
    slot->answered = true;
    if (len <= 2) {
        slot->head_done = true;
    } else if (len > 5 && memcmp(line, "HTTP/", 5) == 0) {
        slot->head_done = false; /* an interim answer, or a proxy's, was before */
    }
    return len;
}

static void setup_once(struct http_slot *slot)
{
    const struct mt_http *http = slot->http;
    CURL *easy = slot->easy;
    (void)curl_easy_setopt(easy, CURLOPT_PRIVATE, slot);
    (void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, slot->error);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, slot);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, slot);
    (void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, private_open);
    (void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, slot);
    (void)curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)HTTP_READ_BYTES);
    (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_USERAGENT, http->user_agent);
    (void)curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");
    (void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    (void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    (void)curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    (void)curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    (void)curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, (long)HTTP_LOW_SPEED_BYTES);
    (void)curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)HTTP_LOW_SPEED_S);
    if (http->ca_file) {
        (void)curl_easy_setopt(easy, CURLOPT_CAINFO, http->ca_file);
        (void)curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    }
}

struct http_slot *slot_take(struct mt_http *http, bool single)
{
    struct http_slot *slot = single ? NULL : http->slots_free;
    if (slot) {
        http->slots_free = slot->next;
        slot->next = NULL;
        return slot;
    }
    slot = mt_mem_calloc(1, sizeof *slot);
    if (!slot) {
        return NULL;
    }
    slot->http = http;
    slot->single = single;
    slot->method = METHOD_GET;
    mt_buf_init(&slot->body, 0);
    slot->easy = curl_easy_init();
    if (!slot->easy) {
        mt_mem_free(slot);
        return NULL;
    }
    setup_once(slot);
    return slot;
}

void slot_free(struct http_slot *slot)
{
    curl_easy_cleanup(slot->easy);
    mt_buf_deinit(&slot->body);
    mt_mem_free(slot);
}

void slot_give(struct http_slot *slot)
{
    struct mt_http *http = slot->http;
    slot->call = NULL;
    if (slot->single) {
        slot_free(slot);
        return;
    }
    if (slot->body.cap > HTTP_KEEP_BODY_BYTES) {
        mt_buf_deinit(&slot->body);
    }
    slot->next = http->slots_free;
    http->slots_free = slot;
}

/* curl turns a handle with POSTFIELDS into a POST, and CUSTOMREQUEST only changes the word; so GET
 * is what a handle goes back to. */
static CURLcode set_method(struct http_slot *slot, const struct mt_http_call *call)
{
    static const char *const words[] = {[METHOD_GET] = NULL,
                                        [METHOD_POST] = NULL,
                                        [METHOD_PUT] = "PUT",
                                        [METHOD_DELETE] = "DELETE"};
    const char *word = words[call->method];
    CURLcode code = CURLE_OK;
    if (call->has_body) {
        code = curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDS, call->body);
        if (code == CURLE_OK) {
            code = curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDSIZE_LARGE,
                                    (curl_off_t)call->body_len);
        }
    } else if (slot->has_body) {
        code = curl_easy_setopt(slot->easy, CURLOPT_HTTPGET, 1L);
    }
    if (call->method == METHOD_GET && call->has_body) {
        word = "GET";
    }
    if (code == CURLE_OK && (call->method != slot->method || call->has_body != slot->has_body)) {
        code = curl_easy_setopt(slot->easy, CURLOPT_CUSTOMREQUEST, word);
    }
    slot->method = call->method;
    slot->has_body = call->has_body;
    return code;
}

/* A body that curl asks for while it sends. The handle is a fresh one. */
static CURLcode set_file(struct http_slot *slot, const struct mt_http_call *call)
{
    CURL *easy = slot->easy;
    CURLcode code = curl_easy_setopt(easy, CURLOPT_POST, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)pipe_total(call->up));
    (void)curl_easy_setopt(easy, CURLOPT_READFUNCTION, pipe_on_read);
    (void)curl_easy_setopt(easy, CURLOPT_READDATA, call->up);
    (void)curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, pipe_on_seek);
    (void)curl_easy_setopt(easy, CURLOPT_SEEKDATA, call->up);
    if (code == CURLE_OK && call->method == METHOD_PUT) {
        code = curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, "PUT");
    }
    return code;
}

static CURLcode set_connection(struct http_slot *slot, const struct mt_http_call *call)
{
    CURLcode code = CURLE_OK;
    /* On a kept connection that the server closes without an answer, curl silently sends the
     * request again. What must not be sent twice therefore gets a connection of its own. */
    bool fresh = call->fresh || call->retry == MT_HTTP_RETRY_NEVER;
    if (fresh != slot->fresh) {
        code = curl_easy_setopt(slot->easy, CURLOPT_FRESH_CONNECT, fresh ? 1L : 0L);
        slot->fresh = fresh;
    }
    /* 64 first requests to an HTTP/2 server shall share a connection, not shake 64 hands. */
    if (code == CURLE_OK && call->tls != slot->tls) {
        code = curl_easy_setopt(slot->easy, CURLOPT_PIPEWAIT, call->tls ? 1L : 0L);
        slot->tls = call->tls;
    }
    return code;
}

static CURLcode set_up(struct http_slot *slot, const struct mt_http_call *call, int64_t attempt_ms)
{
    CURL *easy = slot->easy;
    CURLcode code = curl_easy_setopt(easy, CURLOPT_URL, call->url);
    if (code == CURLE_OK) {
        code = curl_easy_setopt(easy, CURLOPT_HTTPHEADER,
                                call->elsewhere ? call->bare_headers : call->headers);
    }
    if (code == CURLE_OK) {
        code = call->up ? set_file(slot, call) : set_method(slot, call);
    }
    if (code == CURLE_OK) {
        code = set_connection(slot, call);
    }
    long connect_ms = attempt_ms < HTTP_CONNECT_MS ? (long)attempt_ms : (long)HTTP_CONNECT_MS;
    (void)curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)attempt_ms);
    (void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, connect_ms);
    return code;
}

static void write_authorization(struct mt_http_call *call)
{
    if (call->bearer && !call->elsewhere) {
        (void)snprintf(call->authorization, call->authorization_cap, "%s%s", call->scheme,
                       mt_secret_bytes(call->bearer));
    }
}

static void wipe_authorization(struct mt_http_call *call)
{
    if (call->authorization) {
        explicit_bzero(call->authorization, call->authorization_cap);
    }
}

enum mt_rc attempt_start(struct mt_http_call *call)
{
    struct mt_http *http = call->http;
    int64_t now_us = mt_clock_mono_us();
    int64_t left_ms = call->deadline_ms - now_us / 1000;
    multi_renew(http);
    struct http_slot *slot = http->suspect ? NULL : slot_take(http, call->up || call->down);
    if (!slot) {
        return MT_ERR_NOMEM;
    }
    slot->call = call;
    slot->max_bytes = call->max_response_bytes;
    slot->body.max_bytes = call->max_response_bytes > HTTP_KEEP_BODY_BYTES
                               ? call->max_response_bytes
                               : HTTP_KEEP_BODY_BYTES;
    slot->body_rc = MT_OK;
    slot->answered = false;
    slot->head_done = false;
    slot->starved = false;
    slot->refused = false;
    mt_buf_reset(&slot->body);
    slot->error[0] = '\0';
    write_authorization(call);
    if (call->up) {
        pipe_restart(call->up);
    }
    if (call->down) {
        pipe_restart(call->down);
    }
    CURLcode code = set_up(slot, call, left_ms < call->attempt_ms ? left_ms : call->attempt_ms);
    if (code != CURLE_OK || curl_multi_add_handle(http->multi, slot->easy) != CURLM_OK) {
        wipe_authorization(call);
        http->suspect = true;
        slot_free(slot); /* half set up: not to be used again */
        return MT_ERR_NOMEM;
    }
    call->slot = slot;
    call->state = CALL_WIRE;
    call->attempts++;
    call->figures->retries_n += call->attempts > 1;
    call->sent_us = now_us;
    call_list_push(&http->wire, call);
    http->wire_n++;
    http->sent_n++;
    return MT_OK;
}

struct http_slot *attempt_end(struct mt_http_call *call)
{
    struct http_slot *slot = call->slot;
    wipe_authorization(call);
    call_list_remove(&call->http->wire, call);
    call->http->wire_n--;
    call->slot = NULL;
    return slot;
}

void attempt_abort(struct mt_http_call *call)
{
    struct http_slot *slot = attempt_end(call);
    (void)curl_multi_remove_handle(call->http->multi, slot->easy);
    slot_give(slot);
}

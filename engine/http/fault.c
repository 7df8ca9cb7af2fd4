/* What a failed transfer means, in words for people, and whether the server can have seen the
 * request. */
#include "http/http_int.h"

#include <inttypes.h>
#include <string.h>

/* X509_V_ERR_… of OpenSSL, whose header belongs to another room; the numbers are part of its ABI.
 */
enum {
    CERT_NO_ISSUER = 2,
    CERT_NOT_YET_VALID = 9,
    CERT_EXPIRED = 10,
    CERT_SELF_SIGNED = 18,
    CERT_SELF_SIGNED_IN_CHAIN = 19,
    CERT_NO_LOCAL_ISSUER = 20,
    CERT_CANNOT_VERIFY_LEAF = 21,
};

static long info_long(const struct http_slot *slot, CURLINFO info)
{
    long value = 0;
    (void)curl_easy_getinfo(slot->easy, info, &value);
    return value;
}

static const char *curl_text(const struct http_slot *slot, CURLcode code)
{
    return slot->error[0] ? slot->error : curl_easy_strerror(code);
}

static const char *system_text(const struct http_slot *slot, char *buf, size_t cap, CURLcode code)
{
    int err = (int)info_long(slot, CURLINFO_OS_ERRNO);
    return err != 0 ? strerror_r(err, buf, cap) : curl_text(slot, code);
}

static void certificate_fault(struct mt_http_call *call, const struct http_slot *slot,
                              CURLcode code)
{
    struct mt_fault *fault = &call->fault;
    const char *host = call->host;
    switch (info_long(slot, CURLINFO_SSL_VERIFYRESULT)) {
    case CERT_EXPIRED:
        (void)mt_fault_set(
            fault, MT_ERR_NETWORK, "http.tls_expired",
            "the certificate of %s has expired: check this machine's clock, or tell the server's "
            "operator",
            host);
        return;
    case CERT_NOT_YET_VALID:
        (void)mt_fault_set(fault, MT_ERR_NETWORK, "http.tls_expired",
                           "the certificate of %s is not valid yet: check this machine's clock",
                           host);
        return;
    case CERT_SELF_SIGNED:
        (void)mt_fault_set(
            fault, MT_ERR_NETWORK, "http.tls_untrusted",
            "the certificate of %s is self-signed: if that is meant, install it as trusted on this "
            "machine",
            host);
        return;
    case CERT_NO_ISSUER:
    case CERT_SELF_SIGNED_IN_CHAIN:
    case CERT_NO_LOCAL_ISSUER:
    case CERT_CANNOT_VERIFY_LEAF:
        (void)mt_fault_set(fault, MT_ERR_NETWORK, "http.tls_untrusted",
                           "the certificate of %s is signed by nobody this machine trusts: install "
                           "ca-certificates, "
                           "or the CA of whoever inspects the traffic here",
                           host);
        return;
    default:
        break;
    }
    if (strstr(slot->error, "subject name")) {
        (void)mt_fault_set(fault, MT_ERR_NETWORK, "http.tls_host",
                           "the certificate that %s shows is for another name: is the address "
                           "right, and is nobody "
                           "in between?",
                           host);
        return;
    }
    (void)mt_fault_set(fault, MT_ERR_NETWORK, "http.tls", "TLS with %s failed: %s", host,
                       curl_text(slot, code));
}

static enum verdict tls_verdict(struct mt_http_call *call, const struct http_slot *slot,
                                CURLcode code)
{
    if (code == CURLE_SSL_CONNECT_ERROR &&
        (strstr(slot->error, "reset") || strstr(slot->error, "SYSCALL") ||
         strstr(slot->error, "unexpected eof"))) {
        (void)mt_fault_set(&call->fault, MT_ERR_NETWORK, "http.reset",
                           "%s closed the connection during the TLS handshake; is it a TLS port?",
                           call->host);
        return VERDICT_NOT_SENT;
    }
    if (code == CURLE_SSL_CACERT_BADFILE) {
        (void)mt_fault_set(&call->fault, MT_ERR_INVALID, "http.ca_file",
                           "the trusted certificates cannot be read: install ca-certificates (%s)",
                           curl_text(slot, code));
        return VERDICT_FINAL;
    }
    certificate_fault(call, slot, code);
    call->fault.retryable = false;
    return VERDICT_FINAL;
}

static enum verdict timeout_verdict(struct mt_http_call *call, const struct http_slot *slot)
{
    curl_off_t connected_us = 0;
    curl_off_t got_bytes = 0;
    (void)curl_easy_getinfo(slot->easy, CURLINFO_PRETRANSFER_TIME_T, &connected_us);
    (void)curl_easy_getinfo(slot->easy, CURLINFO_SIZE_DOWNLOAD_T, &got_bytes);
    double waited_s = 0;
    (void)curl_easy_getinfo(slot->easy, CURLINFO_TOTAL_TIME, &waited_s);
    if (connected_us == 0 && info_long(slot, CURLINFO_REQUEST_SIZE) == 0) {
        (void)mt_fault_set(&call->fault, MT_ERR_TIMEOUT, "http.connect_timeout",
                           "no connection to %s within %.1f s: is the network up, and does a "
                           "firewall or proxy stand "
                           "in between?",
                           call->host, waited_s);
        return VERDICT_NOT_SENT;
    }
    if (strstr(slot->error, "too slow")) {
        (void)mt_fault_set(
            &call->fault, MT_ERR_TIMEOUT, "http.slow",
            "%s sent less than 1 kB/s for %d s: the line or the server is overloaded", call->host,
            HTTP_LOW_SPEED_S);
        return VERDICT_MAYBE_SENT;
    }
    (void)mt_fault_set(&call->fault, MT_ERR_TIMEOUT, "http.timeout",
                       "%s had not answered in full after %.1f s (%" CURL_FORMAT_CURL_OFF_T
                       " bytes came): try again "
                       "later",
                       call->host, waited_s, got_bytes);
    return VERDICT_MAYBE_SENT;
}

static enum verdict write_verdict(struct mt_http_call *call, const struct http_slot *slot)
{
    if (slot->body_rc == MT_ERR_IO) {
        (void)pipe_fault(call->down, &call->fault);
    } else if (slot->body_rc == MT_ERR_LIMIT && call->down && slot->body.len == 0) {
        (void)mt_fault_set(&call->fault, MT_ERR_LIMIT, "http.too_large",
                           "%s sends more than the %" PRId64 " bytes that are accepted", call->host,
                           pipe_max(call->down));
    } else if (slot->body_rc == MT_ERR_LIMIT) {
        (void)mt_fault_set(
            &call->fault, MT_ERR_LIMIT, "http.too_large",
            "%s answered with more than the %zu bytes that are accepted: ask for less at once",
            call->host, call->max_response_bytes);
    } else {
        (void)mt_fault_set(&call->fault, MT_ERR_NOMEM, "memory", "no memory for the answer of %s",
                           call->host);
    }
    return VERDICT_FINAL;
}

static enum verdict lost_verdict(struct mt_http_call *call, const struct http_slot *slot,
                                 CURLcode code)
{
    char buf[128];
    if (strstr(slot->error, "CONNECT tunnel failed") || code == CURLE_PROXY) {
        (void)mt_fault_set(
            &call->fault, MT_ERR_NETWORK, "http.proxy",
            "the proxy does not let us through to %s (%s): check http_proxy and https_proxy",
            call->host, curl_text(slot, code));
        call->fault.retryable = false;
        return VERDICT_FINAL;
    }
    if (code == CURLE_PARTIAL_FILE) {
        (void)mt_fault_set(&call->fault, MT_ERR_NETWORK, "http.truncated",
                           "the answer of %s broke off after %zu bytes: try again", call->host,
                           slot->body.len);
        return VERDICT_MAYBE_SENT;
    }
    (void)mt_fault_set(
        &call->fault, MT_ERR_NETWORK, "http.reset",
        "%s closed the connection before its answer was complete (%s): try again", call->host,
        code == CURLE_GOT_NOTHING ? "no answer" : system_text(slot, buf, sizeof buf, code));
    return VERDICT_MAYBE_SENT;
}

enum verdict fault_from_curl(struct mt_http_call *call, const struct http_slot *slot, CURLcode code)
{
    char buf[128];
    struct mt_fault *fault = &call->fault;
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
        (void)mt_fault_set(
            fault, MT_ERR_NETWORK, "http.dns",
            "the name of %s was not found: check the address, and the name server of this machine",
            call->host);
        return VERDICT_NOT_SENT;
    case CURLE_COULDNT_RESOLVE_PROXY:
        (void)mt_fault_set(fault, MT_ERR_NETWORK, "http.proxy",
                           "the proxy for %s was not found: check http_proxy and https_proxy",
                           call->host);
        return VERDICT_NOT_SENT;
    case CURLE_COULDNT_CONNECT:
        if (slot->refused) {
            (void)mt_fault_set(fault, MT_ERR_DENIED, "http.private",
                               "%s is in a private network or on this machine, and was not named "
                               "where it is said which hosts may be asked",
                               call->host);
            return VERDICT_FINAL;
        }
        (void)mt_fault_set(fault, MT_ERR_NETWORK, "http.connect",
                           "cannot connect to %s: %s; is the address right, and the server up?",
                           call->host, system_text(slot, buf, sizeof buf, code));
        return VERDICT_NOT_SENT;
    case CURLE_OPERATION_TIMEDOUT:
        return timeout_verdict(call, slot);
    case CURLE_WRITE_ERROR:
        return write_verdict(call, slot);
    case CURLE_ABORTED_BY_CALLBACK:
        if (call->up && pipe_failed(call->up)) {
            (void)pipe_fault(call->up, fault);
            return VERDICT_FINAL;
        }
        return lost_verdict(call, slot, code);
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
        return tls_verdict(call, slot, code);
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_BAD_CONTENT_ENCODING:
        (void)mt_fault_set(fault, MT_ERR_PROTOCOL, "http.garbled",
                           "what %s sends is not HTTP (%s): is the address right?", call->host,
                           curl_text(slot, code));
        return VERDICT_MAYBE_SENT;
    case CURLE_OUT_OF_MEMORY:
        (void)mt_fault_set(fault, MT_ERR_NOMEM, "memory", "no memory for the request to %s",
                           call->host);
        return VERDICT_FINAL;
    case CURLE_URL_MALFORMAT:
        (void)mt_fault_set(fault, MT_ERR_INVALID, "http.url", "the address is not understood (%s)",
                           curl_text(slot, code));
        return VERDICT_FINAL;
    default:
        return lost_verdict(call, slot, code);
    }
}

/* Addresses: which ones are accepted at all, and which redirect stays at the same place.
 *
 * The authority is checked by hand and strictly, so that there is nothing about which this check
 * and curl's own parser could disagree: no user name, no backslash, no escapes, no spelling of a
 * loopback address but the plain ones. */
#include "base/buf.h"
#include "http/http_int.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

static bool is_loopback(const char *host, size_t len)
{
    char text[INET6_ADDRSTRLEN] = "";
    struct in_addr v4 = {0};
    struct in6_addr v6 = {0};
    if (len == strlen("localhost") && strncasecmp(host, "localhost", len) == 0) {
        return true;
    }
    if (len >= 2 && host[0] == '[' && host[len - 1] == ']') {
        host++;
        len -= 2;
    }
    if (len == 0 || len >= sizeof text) {
        return false;
    }
    memcpy(text, host, len);
    if (inet_pton(AF_INET, text, &v4) == 1) {
        return (ntohl(v4.s_addr) >> 24) == 127;
    }
    return inet_pton(AF_INET6, text, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

static bool authority_char(char c)
{
    unsigned char u = (unsigned char)c;
    return isalnum(u) || u >= 0x80 || strchr("-._:[]", c) != NULL;
}

/* Length of the host in an authority: what stands before the port. */
static size_t host_len(const char *authority, size_t len)
{
    if (len == 0 || !authority) {
        return 0;
    }
    const char *end = memchr(authority, ']', len);
    if (authority[0] == '[' && end) {
        return (size_t)(end - authority) + 1;
    }
    const char *colon = memchr(authority, ':', len);
    return colon ? (size_t)(colon - authority) : len;
}

static bool port_ok(const char *port, size_t len)
{
    unsigned n = 0;
    if (len == 0) {
        return true;
    }
    if (port[0] != ':' || len < 2 || len > 6) {
        return false;
    }
    for (size_t i = 1; i < len; i++) {
        if (!isdigit((unsigned char)port[i])) {
            return false;
        }
        n = n * 10 + (unsigned)(port[i] - '0');
    }
    return n > 0 && n <= 65535;
}

enum mt_rc url_split(const char *url, struct url_parts *parts, struct mt_fault *fault)
{
    *parts = (struct url_parts){.tls = strncasecmp(url, "https://", 8) == 0};
    if (!parts->tls && strncasecmp(url, "http://", 7) != 0) {
        return mt_fault_set(fault, MT_ERR_INVALID, "http.url",
                            "an address must begin with https:// (or http:// on this machine)");
    }
    const char *p = url + (parts->tls ? 8 : 7);
    parts->authority = p;
    while (*p != '\0' && authority_char(*p)) {
        p++;
    }
    parts->authority_len = (size_t)(p - parts->authority);
    size_t name_len = host_len(parts->authority, parts->authority_len);
    if (name_len == 0 || parts->authority_len >= HTTP_HOST_MAX ||
        (*p != '\0' && !strchr("/?#", *p)) ||
        !port_ok(parts->authority + name_len, parts->authority_len - name_len)) {
        return mt_fault_set(fault, MT_ERR_INVALID, "http.url",
                            "the host in the address is not understood: https://HOST[:PORT]/… is");
    }
    for (; *p != '\0'; p++) {
        if ((unsigned char)*p <= ' ' || *p == 0x7f) {
            return mt_fault_set(fault, MT_ERR_INVALID, "http.url",
                                "the address has a space or a control character in it");
        }
    }
    if (p - url > HTTP_URL_MAX) {
        return mt_fault_set(fault, MT_ERR_INVALID, "http.url", "the address is longer than 64 KiB");
    }
    parts->loopback = is_loopback(parts->authority, name_len);
    return MT_OK;
}

static unsigned port_of(const struct url_parts *parts, size_t name_len)
{
    unsigned port = 0;
    for (size_t i = name_len + 1; i < parts->authority_len; i++) {
        port = port * 10 + (unsigned)(parts->authority[i] - '0');
    }
    if (port == 0) {
        port = parts->tls ? 443 : 80;
    }
    return port;
}

bool url_same_place(const char *from, const char *to)
{
    struct url_parts a = {.authority = ""};
    struct url_parts b = {.authority = ""};
    if (url_split(from, &a, NULL) != MT_OK || url_split(to, &b, NULL) != MT_OK || !a.authority ||
        !b.authority) {
        return false;
    }
    size_t a_len = host_len(a.authority, a.authority_len);
    size_t b_len = host_len(b.authority, b.authority_len);
    if (a_len != b_len || strncasecmp(a.authority, b.authority, a_len) != 0) {
        return false;
    }
    unsigned a_port = port_of(&a, a_len);
    unsigned b_port = port_of(&b, b_len);
    /* From http to https on the usual ports is the same place, better kept; the other way is not.
     */
    return (a.tls == b.tls && a_port == b_port) ||
           (!a.tls && b.tls && a_port == 80 && b_port == 443);
}

enum mt_rc mt_http_escape(struct mt_buf *out, const char *s)
{
    static const char hex[] = "0123456789ABCDEF";
    enum mt_rc rc = mt_buf_reserve(out, 0);
    for (; rc == MT_OK && *s != '\0'; s++) {
        unsigned char c = (unsigned char)*s;
        if (isalnum(c) || (c != '\0' && strchr("-._~", c))) {
            rc = mt_buf_append_char(out, *s);
        } else {
            char text[3] = {'%', hex[c >> 4], hex[c & 15]};
            rc = mt_buf_append(out, text, sizeof text);
        }
    }
    return rc;
}

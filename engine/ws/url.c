/* See url_int.h. */
#include "ws/url_int.h"

#include "base/mem.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool is_visible(const char *s)
{
    for (; *s; s++)
        if (*s <= 0x20 || *s >= 0x7f)
            return false;
    return true;
}

static bool is_name(const char *s)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
    return *s && *s != '-' && *s != '.' && strspn(s, letters) == strlen(s);
}

bool mt_ws_host_is_address(const char *host)
{
    unsigned char address[16];
    return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

bool mt_ws_host_is_loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;

    if (inet_pton(AF_INET, host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    if (inet_pton(AF_INET6, host, &v6) == 1)
        return IN6_IS_ADDR_LOOPBACK(&v6);
    return !strcasecmp(host, "localhost");
}

/* "host", "host:port", "[v6]" or "[v6]:port"; *port is left alone if none is given. */
static bool read_authority(const char *text, size_t len, char *host, uint16_t *port)
{
    char copy[MT_WS_HOST_BYTES];
    char *at = copy;
    char *end = NULL;
    struct in6_addr v6;
    uint64_t number = 0;

    if (len >= sizeof copy)
        return false;
    memcpy(copy, text, len);
    copy[len] = '\0';
    if (*at == '[') {
        end = strchr(++at, ']');
        if (!end)
            return false;
        *end++ = '\0';
        if (inet_pton(AF_INET6, at, &v6) != 1 || (*end && *end != ':'))
            return false;
    } else {
        end = at + strcspn(at, ":");
    }
    if (*end) {
        *end++ = '\0';
        if (!mt_str_u64(end, &number) || number == 0 || number > 65535)
            return false;
        *port = (uint16_t)number;
    }
    if (at == copy && !is_name(at))
        return false;
    memcpy(host, at, strlen(at) + 1);
    return true;
}

enum mt_rc mt_ws_url_read(const char *text, struct mt_ws_url *out)
{
    const char *at = text;
    size_t len = 0;

    *out = (struct mt_ws_url){0};
    if (!text || strlen(text) > MT_WS_URL_BYTES || !is_visible(text) || strchr(text, '#'))
        return MT_ERR_INVALID;
    out->secure = mt_str_starts(text, "wss://");
    if (!out->secure && !mt_str_starts(text, "ws://"))
        return MT_ERR_INVALID;
    at += out->secure ? 6 : 5;
    len = strcspn(at, "/?");
    out->port = out->secure ? 443 : 80;
    if (!read_authority(at, len, out->host, &out->port))
        return MT_ERR_INVALID;
    bool bare = strchr(out->host, ':') != NULL;
    int n = snprintf(out->authority, sizeof out->authority, bare ? "[%s]" : "%s", out->host);
    if (out->port != (out->secure ? 443 : 80))
        snprintf(out->authority + n, sizeof out->authority - (size_t)n, ":%u", out->port);
    at += len;
    size_t size = strlen(at) + 2;
    out->target = mt_mem_alloc(size);
    if (!out->target)
        return MT_ERR_NOMEM;
    snprintf(out->target, size, "%s%s", *at == '/' ? "" : "/", at);
    return MT_OK;
}

enum mt_rc mt_ws_proxy_read(const char *text, struct mt_ws_proxy *out)
{
    const char *at = text;
    const char *user_end = NULL;
    size_t len = 0;

    *out = (struct mt_ws_proxy){0};
    if (!*text)
        return MT_OK;
    if (mt_str_starts(at, "http://"))
        at += 7;
    if (!is_visible(at) || strstr(at, "://"))
        return MT_ERR_INVALID;
    len = strcspn(at, "/?#");
    user_end = memrchr(at, '@', len);
    if (user_end) {
        size_t user_len = (size_t)(user_end - at);
        if (user_len >= sizeof out->user)
            return MT_ERR_INVALID;
        memcpy(out->user, at, user_len);
        at += user_len + 1;
        len -= user_len + 1;
    }
    out->port = 1080; /* curl's, for one that says none */
    if (!read_authority(at, len, out->host, &out->port))
        return MT_ERR_INVALID;
    return MT_OK;
}

bool mt_ws_host_is_listed(const char *list, const char *host)
{
    size_t host_len = strlen(host);

    while (*list) {
        list += strspn(list, " ,");
        size_t len = strcspn(list, " ,");
        const char *name = list;
        list += len;
        if (len == 1 && *name == '*')
            return true;
        if (len && *name == '.') {
            name++;
            len--;
        }
        if (!len || len > host_len || strncasecmp(host + host_len - len, name, len) != 0)
            continue;
        if (len == host_len || (host[host_len - len - 1] == '.' && !mt_ws_host_is_address(host)))
            return true;
    }
    return false;
}

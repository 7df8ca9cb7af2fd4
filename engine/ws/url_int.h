/* Addresses of WebSockets and proxies, and which hosts go around the proxy. Private to the room. */
#ifndef MT_WS_URL_INT_H
#define MT_WS_URL_INT_H

#include "base/rc.h"

#define MT_WS_URL_BYTES  2048
#define MT_WS_HOST_BYTES 256
#define MT_WS_USER_BYTES 96

struct mt_ws_url {
    bool secure;
    char host[MT_WS_HOST_BYTES]; /* without brackets */
    uint16_t port;
    char authority[MT_WS_HOST_BYTES + 16]; /* host as given, with the port if it is not the usual */
    char *target;                          /* path and query; mt_mem_free */
};

/* Strict: ws:// or wss://, a name or an address, no user, no fragment, nothing outside of visible
 * ASCII. MT_ERR_INVALID or MT_ERR_NOMEM. */
enum mt_rc mt_ws_url_read(const char *text, struct mt_ws_url *out) MT_CHECKED;

struct mt_ws_proxy {
    char user[MT_WS_USER_BYTES]; /* "user:password", "" if none */
    char host[MT_WS_HOST_BYTES]; /* "": no proxy */
    uint16_t port;
};

/* "http://[user:password@]host:port", or without the scheme; "" is no proxy. */
enum mt_rc mt_ws_proxy_read(const char *text, struct mt_ws_proxy *out) MT_CHECKED;

bool mt_ws_host_is_address(const char *host);
/* 127.0.0.0/8, ::1 and "localhost". */
bool mt_ws_host_is_loopback(const char *host);
/* Whether the list of no_proxy names the host. */
bool mt_ws_host_is_listed(const char *list, const char *host);

#endif

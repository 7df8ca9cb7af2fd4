/* Which addresses are not of the public network. Asked when a socket is opened, so that it does not
 * matter what a name stood for when somebody else looked it up. */
#include "http/http_int.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* RFC 6890 and its register, those that are not globally reachable. */
static const struct {
    uint32_t net;
    unsigned bits;
} nets[] = {
    {0x00000000, 8},  /* this network */
    {0x0a000000, 8},  /* private */
    {0x64400000, 10}, /* behind a carrier's NAT */
    {0x7f000000, 8},  /* loopback */
    {0xa9fe0000, 16}, /* link-local, and where clouds keep their secrets */
    {0xac100000, 12}, /* private */
    {0xc0000000, 24}, /* protocol assignments */
    {0xc0000200, 24}, /* documentation */
    {0xc0a80000, 16}, /* private */
    {0xc6120000, 15}, /* benchmarks */
    {0xc6336400, 24}, /* documentation */
    {0xcb007100, 24}, /* documentation */
    {0xe0000000, 3},  /* multicast, reserved, broadcast */
};

static bool v4_private(uint32_t address)
{
    for (size_t i = 0; i < sizeof nets / sizeof *nets; i++) {
        if ((address ^ nets[i].net) >> (32 - nets[i].bits) == 0)
            return true;
    }
    return false;
}

static uint32_t u32_at(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Public is 2000::/3 without what tunnels, documents or translates. */
static bool v6_private(const uint8_t *p)
{
    static const uint8_t zeros[12];
    static const uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b};

    if (!memcmp(p, zeros, 10) && p[10] == 0xff && p[11] == 0xff) /* ::ffff:a.b.c.d */
        return v4_private(u32_at(p + 12));
    if (!memcmp(p, nat64, 12)) /* 64:ff9b::a.b.c.d */
        return v4_private(u32_at(p + 12));
    if ((p[0] & 0xe0) != 0x20)
        return true;
    if (p[0] == 0x20 && p[1] == 0x02) /* 6to4 */
        return v4_private(u32_at(p + 2));
    return p[0] == 0x20 && p[1] == 0x01 && (p[2] < 0x02 || (p[2] == 0x0d && p[3] == 0xb8));
}

bool address_private(const struct sockaddr *address)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    if (address->sa_family == AF_INET) {
        memcpy(&v4, address, sizeof v4);
        return v4_private(ntohl(v4.sin_addr.s_addr));
    }
    if (address->sa_family == AF_INET6) {
        memcpy(&v6, address, sizeof v6);
        return v6_private(v6.sin6_addr.s6_addr);
    }
    return true;
}

/* Whether curl may go through a proxy for it; then the address is the proxy's. */
static bool proxied(const struct mt_http_call *call)
{
    static const char *const names[] = {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};

    if (!call->tls)
        return false; /* plain http is for this machine only */
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);
        if (value && *value)
            return true;
    }
    return false;
}

curl_socket_t private_open(void *ud, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct http_slot *slot = ud;

    (void)purpose;
    if (slot->call && slot->call->public_only && address_private(&address->addr) &&
        !proxied(slot->call)) {
        slot->refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

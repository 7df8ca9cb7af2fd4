/* Name lookup: getaddrinfo on a pool thread. libwebsockets would do it inside its connect call, on
 * the loop thread (ecosystem.md 3.3, item 6). */
#include "base/mem.h"
#include "loop/loop_int.h"

#include <netdb.h>

struct lookup {
    uv_getaddrinfo_t uv; /* first */
    struct mt_loop *loop;
    void (*done)(void *ud, enum mt_rc rc, const char *address);
    void *ud;
};

static enum mt_rc lookup_rc(int status)
{
    switch (status) {
    case UV_EAI_NONAME:
    case UV_EAI_NODATA:
        return MT_ERR_NOT_FOUND;
    case UV_EAI_MEMORY:
        return MT_ERR_NOMEM;
    default:
        return MT_ERR_NETWORK;
    }
}

static void on_found(uv_getaddrinfo_t *uv, int status, struct addrinfo *found)
{
    struct lookup *lookup = (struct lookup *)uv;
    char text[UV_IF_NAMESIZE + 64] = "";
    enum mt_rc rc = MT_OK;
    lookup->loop->requests_n--;
    if (status != 0) {
        rc = lookup_rc(status);
    } else if (!found || uv_ip_name(found->ai_addr, text, sizeof text) != 0) {
        rc = MT_ERR_NOT_FOUND;
    }
    uv_freeaddrinfo(found);
    lookup->done(lookup->ud, rc, rc == MT_OK ? text : NULL);
    mt_mem_free(lookup);
}

enum mt_rc mt_resolve_start(struct mt_loop *loop, const char *host,
                            void (*done)(void *ud, enum mt_rc rc, const char *address), void *ud)
{
    /* No AI_ADDRCONFIG: a machine that has nothing but loopback could not find "localhost" then. */
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    if (!host || host[0] == '\0') {
        return MT_ERR_INVALID;
    }
    struct lookup *lookup = mt_mem_calloc(1, sizeof *lookup);
    if (!lookup) {
        return MT_ERR_NOMEM;
    }
    lookup->loop = loop;
    lookup->done = done;
    lookup->ud = ud;
    int err = uv_getaddrinfo(&loop->uv, &lookup->uv, on_found, host, NULL, &hints);
    if (err != 0) {
        mt_mem_free(lookup);
        return loop_rc(err);
    }
    loop->requests_n++;
    return MT_OK;
}

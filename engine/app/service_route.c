/* Which page a request means. Nothing is decoded: what is not exactly one of the names is none. */
#include "app/service_int.h"

#include "base/str.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* A page of another site may lead a name of its own to this machine (DNS rebinding), and the
 * browser of somebody who may reach us would read the answer out to it: only our own names are
 * answered. */
static bool is_own(const char *host, const char *own_host, uint16_t port)
{
    const char *const names[] = {own_host, "127.0.0.1", "localhost"};
    char want[64];

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(want, sizeof want, "%s:%u", names[i], (unsigned)port);
        if (!strcasecmp(host, want) || (port == 80 && !strcasecmp(host, names[i])))
            return true;
    }
    return false;
}

enum mt_service_page mt_service_route(const char *method, const char *path, const char *host,
                                      const char *own_host, uint16_t port, int *status)
{
    static const char *const paths[] = {"/", "/status.json", "/metrics", "/health", "/ready"};

    *status = 421;
    if (!is_own(host, own_host, port))
        return MT_SERVICE_NOTHING;
    *status = 405;
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return MT_SERVICE_NOTHING;
    *status = 404;
    for (int i = 0; i < MT_SERVICE_NOTHING; i++) {
        if (strcmp(path, paths[i]) != 0)
            continue;
        *status = 200;
        return (enum mt_service_page)i;
    }
    return MT_SERVICE_NOTHING;
}

/* When the cloud answers a login with REDIRECT (easemob.md §1.5): the same scheme and path at
 * another host and port, so many times at most. What is lost later begins at the configured
 * address. */
#include "provider/easemob/live_int.h"

#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#define HOPS_MAX 5
#define HOST_MAX 253

static bool host_ok(const char *host)
{
    size_t len = host ? strlen(host) : 0;

    return len > 0 && len <= HOST_MAX &&
           strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") == len;
}

const char *mt_em_live_address(const struct mt_em_live *live)
{
    const struct mt_provider_account *account = live->account;

    return account->websocket ? account->websocket : account->session.websocket;
}

void mt_em_live_forget_redirect(struct mt_em_live *live)
{
    mt_mem_free(live->redirect);
    live->redirect = NULL;
    live->hops_n = 0;
}

enum mt_rc mt_em_live_redirected(struct mt_em_live *live, const Easemob__Pb__Status *status,
                                 struct mt_fault *fault)
{
    const char *from = mt_em_live_address(live);
    const char *host = strstr(from, "://");
    const char *path = host ? strchr(host + 3, '/') : NULL;
    const Easemob__Pb__RedirectInfo *to = NULL;
    char url[HOST_MAX + 400];

    for (size_t i = 0; i < status->n_redirectinfo && !to; i++) {
        const Easemob__Pb__RedirectInfo *info = status->redirectinfo[i];
        bool port_ok = !info->has_port || (info->port > 0 && info->port <= 65535);
        to = host_ok(info->host) && port_ok ? info : NULL;
    }
    if (!to || !host)
        return mt_fault_set(fault, MT_ERR_PROTOCOL, "live.redirect",
                            "%s: the cloud sends the login elsewhere, but names no place",
                            live->account->name);
    if (++live->hops_n > HOPS_MAX)
        return mt_fault_set(fault, MT_ERR_PROTOCOL, "live.redirect",
                            "%s: the cloud has sent the login elsewhere %d times in a row",
                            live->account->name, HOPS_MAX);
    int scheme_len = (int)(host + 3 - from);
    if (to->has_port)
        snprintf(url, sizeof url, "%.*s%s:%u%s", scheme_len, from, to->host, (unsigned)to->port,
                 path ? path : "/");
    else
        snprintf(url, sizeof url, "%.*s%s%s", scheme_len, from, to->host, path ? path : "/");
    mt_mem_free(live->redirect);
    live->redirect = mt_mem_strdup(url);
    mt_log(MT_LOG_INFO, "easemob", "%s: the cloud sends the login to %s", live->account->name, url);
    return live->redirect ? MT_OK : mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
}

/* The service manager's socket and watchdog. */
#include "app/notify_int.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop/loop.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct mt_notify {
    int fd; /* -1: nobody listens */
    struct sockaddr_un to;
    socklen_t to_len;
    struct mt_timer *timer;
};

static void feed(void *ud)
{
    mt_notify_say(ud, "WATCHDOG=1");
}

/* A path, or a name in the abstract namespace that is written with @. */
static bool take_address(struct mt_notify *notify, const char *path)
{
    size_t len = path ? strlen(path) : 0;

    if (len < 2 || len >= sizeof notify->to.sun_path || (path[0] != '/' && path[0] != '@'))
        return false;
    notify->to.sun_family = AF_UNIX;
    memcpy(notify->to.sun_path, path, len + 1);
    if (path[0] == '@')
        notify->to.sun_path[0] = 0;
    notify->to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    return true;
}

static int64_t watchdog_ms(void)
{
    const char *usec = getenv("WATCHDOG_USEC");
    const char *pid = getenv("WATCHDOG_PID");

    if (!usec || (pid && strtoll(pid, NULL, 10) != (long long)getpid()))
        return 0;
    return (int64_t)(strtoll(usec, NULL, 10) / 1000);
}

struct mt_notify *mt_notify_new(struct mt_loop *loop)
{
    struct mt_notify *notify = mt_mem_calloc(1, sizeof *notify);
    int64_t ms = watchdog_ms();

    if (!notify)
        return NULL;
    notify->fd = -1;
    if (take_address(notify, getenv("NOTIFY_SOCKET")))
        notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (mt_timer_new(loop, feed, notify, &notify->timer)) {
        mt_notify_free(notify);
        return NULL;
    }
    mt_timer_unref(notify->timer);
    if (notify->fd >= 0 && ms > 1)
        mt_timer_start(notify->timer, ms / 2, ms / 2);
    return notify;
}

void mt_notify_free(struct mt_notify *notify)
{
    if (!notify)
        return;
    mt_timer_free(notify->timer);
    if (notify->fd >= 0)
        close(notify->fd);
    mt_mem_free(notify);
}

void mt_notify_say(struct mt_notify *notify, const char *fmt, ...)
{
    char text[512];
    va_list args;

    if (notify->fd < 0)
        return;
    va_start(args, fmt);
    int len = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (len < 0)
        return;
    if ((size_t)len >= sizeof text)
        len = (int)sizeof text - 1;
    if (sendto(notify->fd, text, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL,
               (const struct sockaddr *)&notify->to, notify->to_len) < 0)
        mt_log(MT_LOG_DEBUG, "serve", "the service manager cannot be told: %s", strerror(errno));
}

void mt_notify_reloading(struct mt_notify *notify)
{
    mt_notify_say(notify, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)mt_clock_mono_us());
}

/* Telling systemd how the service is: the protocol of sd_notify(3), spoken directly. Private. */
#ifndef MT_APP_NOTIFY_INT_H
#define MT_APP_NOTIFY_INT_H

#include "base/rc.h"

struct mt_loop;
struct mt_notify;

/* From NOTIFY_SOCKET and WATCHDOG_USEC in the environment; without the first it is silent. The
 * watchdog is fed from the loop, at half its time: a loop that does not turn any more does not feed
 * it. NULL: memory is short. */
struct mt_notify *mt_notify_new(struct mt_loop *loop);
void mt_notify_free(struct mt_notify *notify);
/* Assignments, one a line: "READY=1\nSTATUS=2 jobs". */
void mt_notify_say(struct mt_notify *notify, const char *fmt, ...) MT_PRINTF(2, 3);
/* "RELOADING=1" with the time that systemd wants to see beside it. */
void mt_notify_reloading(struct mt_notify *notify);

#endif

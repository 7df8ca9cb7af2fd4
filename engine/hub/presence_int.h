/* Until when the events of an account were dealt with, remembered over restarts: one small file for
 * each app key, user and device, for a cloud's queue belongs to a device. With it the first
 * connection of a process knows how long it was away. */
#ifndef MT_HUB_PRESENCE_INT_H
#define MT_HUB_PRESENCE_INT_H

#include "base/rc.h"

#include <stddef.h>
#include <stdint.h>

struct mt_loop;
struct mt_presence;

/* dir is made when it is first written to. list: the owner's, of all that are open or still being
 * written. NULL when memory is short: nothing is remembered then. */
struct mt_presence *mt_presence_open(struct mt_loop *loop, const char *dir, const char *appkey,
                                     const char *user, const char *device,
                                     struct mt_presence **list);
/* The list goes; those in it are all closed. */
void mt_presence_forget(struct mt_presence **list);
/* Milliseconds since the epoch; 0: not known. */
int64_t mt_presence_last(const struct mt_presence *presence);
/* The newest messages that an earlier process dealt with, at most MT_PRESENCE_IDS; their number. */
#define MT_PRESENCE_IDS 2048
size_t mt_presence_known(const struct mt_presence *presence, const char *const **ids);
/* A message was dealt with. */
void mt_presence_handled(struct mt_presence *presence, const char *id);
/* Until where a cloud has been read that leaves that to its clients (mt_provider_live.position); ""
 * or NULL: not known. */
const char *mt_presence_position(const struct mt_presence *presence);
/* Another position: written on the work pool, once a second at most, and by mt_presence_flush. */
void mt_presence_move(struct mt_presence *presence, const char *position);
/* Writes what waits to be written, now and then called. */
void mt_presence_flush(struct mt_presence *presence);
/* Written on the work pool, twice a minute at most. A failure is one line in the log, and costs no
 * more than that. */
void mt_presence_note(struct mt_presence *presence, int64_t until_ms);
/* Writes what was noted since, at once, and frees. presence may be NULL. */
void mt_presence_close(struct mt_presence *presence);

#endif

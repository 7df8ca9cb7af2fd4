/* The event loop: the one user of libuv. One thread runs it; only mt_loop_post may be called from
 * another. */
#ifndef MT_LOOP_LOOP_H
#define MT_LOOP_LOOP_H

#include "base/rc.h"

#include <stdint.h>

struct mt_loop;

enum mt_rc mt_loop_new(struct mt_loop **out) MT_CHECKED;
/* Everything started on the loop must be stopped before; runs the loop until all closing handles
 * are gone. A handle that is left over is logged by kind and makes the function return
 * MT_ERR_STATE: the loop then still stands, and may be freed once the owner has closed it. Pending
 * posts and work are finished first. */
enum mt_rc mt_loop_free(struct mt_loop *loop);
/* Runs until mt_loop_stop, or until nothing that keeps the loop alive is left. */
void mt_loop_run(struct mt_loop *loop);
void mt_loop_stop(struct mt_loop *loop);
/* The uv_loop_t, for a library that must share it (libwebsockets). */
void *mt_loop_native(struct mt_loop *loop);
/* One turn without waiting; for shutdown sequences of such libraries. Returns whether work is left.
 */
bool mt_loop_turn(struct mt_loop *loop);

/* fn(ud, fd) for each descriptor that is watched, also by a library that shares the loop. */
void mt_loop_each_descriptor(struct mt_loop *loop, void (*fn)(void *ud, int fd), void *ud);

/* Runs fn(ud) on the loop thread, in posting order, at the next turn. Safe from any thread. The
 * pending post keeps the loop alive. */
enum mt_rc mt_loop_post(struct mt_loop *loop, void (*fn)(void *ud), void *ud) MT_CHECKED;

/* Timers. A timer keeps the loop alive while it runs, unless mt_timer_unref was called. fn may
 * start, stop or free its own timer. */
struct mt_timer;
enum mt_rc mt_timer_new(struct mt_loop *loop, void (*fn)(void *ud), void *ud,
                        struct mt_timer **out) MT_CHECKED;
void mt_timer_free(struct mt_timer *timer); /* stops it; NULL is fine */
void mt_timer_start(struct mt_timer *timer, int64_t after_ms,
                    int64_t repeat_ms); /* restarts if running; 0 = once */
void mt_timer_stop(struct mt_timer *timer);
void mt_timer_unref(struct mt_timer *timer);

/* Watching a descriptor that somebody else owns (curl). */
enum { MT_POLL_READ = 1, MT_POLL_WRITE = 2 };
struct mt_poll;
enum mt_rc mt_poll_new(struct mt_loop *loop, int fd, void (*fn)(void *ud, int events, bool error),
                       void *ud, struct mt_poll **out) MT_CHECKED;
void mt_poll_set(struct mt_poll *poll, int events); /* 0 stops watching */
void mt_poll_free(struct mt_poll *poll);            /* before the owner closes fd */

/* Work pool: fn(ud) on a pool thread, then done(ud, cancelled) on the loop thread. fn must not
 * touch the loop. */
struct mt_work;
enum mt_rc mt_work_start(struct mt_loop *loop, void (*fn)(void *ud),
                         void (*done)(void *ud, bool cancelled), void *ud,
                         struct mt_work **out) MT_CHECKED; /* out may be NULL */
void mt_work_cancel(struct mt_work *work); /* only what has not begun; done is called either way */

/* Name lookup off the loop thread. done(ud, rc, address): the first address as text. */
enum mt_rc mt_resolve_start(struct mt_loop *loop, const char *host,
                            void (*done)(void *ud, enum mt_rc rc, const char *address),
                            void *ud) MT_CHECKED;

/* POSIX signals; the watch does not keep the loop alive. */
struct mt_signal;
enum mt_rc mt_signal_new(struct mt_loop *loop, int signum, void (*fn)(void *ud, int signum),
                         void *ud, struct mt_signal **out) MT_CHECKED;
void mt_signal_free(struct mt_signal *sig);

#endif

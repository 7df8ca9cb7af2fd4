/* This program once more, as a process of its own at the end of a socket. */
#ifndef MT_BASE_CHILD_H
#define MT_BASE_CHILD_H

#include "base/rc.h"

#include <stddef.h>
#include <stdint.h>

#define MT_CHILD_FD 3 /* where the child finds its end */

/* Starts the file that this process is (also when it was replaced on the disk since) with the words
 * argv, NULL-terminated: it has its end of a stream socket and nothing else, no environment but the
 * time zone, and standard descriptors that lead nowhere. *fd is our end. */
enum mt_rc mt_child_start(const char *const *argv, int *fd, int *pid,
                          struct mt_fault *fault) MT_CHECKED;
/* Ends it if it has not ended, and returns the signal that ended it, or 0, and in *status its exit
 * status. */
int mt_child_end(int pid, int *status);
/* What it has used of the processor; -1: it is gone. */
int64_t mt_child_cpu_ms(int pid);

/* As much as goes, without waiting: bytes, 0 for none now, -1: the other end is gone. */
int64_t mt_child_send(int fd, const void *p, size_t len);
int64_t mt_child_receive(int fd, void *p, size_t len);
/* Waits until it can be read from, or written to. False: the other end is gone. */
bool mt_child_wait(int fd, bool to_write);
void mt_child_close(int fd);
/* At once and with nothing flushed or freed: for the child. */
_Noreturn void mt_child_leave(int status);

#endif

/* What a process gives up for good, before it touches what nobody has read. */
#ifndef MT_BASE_CONFINE_H
#define MT_BASE_CONFINE_H

#include "base/rc.h"

#include <stddef.h>

/* From here on this process opens nothing, connects to nothing, starts nothing, maps no code and
 * signals nobody: the kernel ends it with SIGSYS if it tries (seccomp, all threads). What it has
 * open it may read and write. It gets memory_bytes on top of what it has now, no core file is made
 * of it, and it ends with its parent. */
enum mt_rc mt_confine(size_t memory_bytes, struct mt_fault *fault) MT_CHECKED;

#endif

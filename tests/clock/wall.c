/* Preloaded by tests: the kernel's wall clock, set by a file. What the program, and the libraries
 * that it uses, ask the kernel for goes through here; its own clock seam stays as it is, and the
 * monotonic clock is the kernel's. The file ($MT_WALL) holds "SINCE_MS TIMES OFFSET_MS" and may be
 * written anew at any time: from SINCE_MS on the wall clock goes so many times as fast (0: it
 * stands), and is ahead by OFFSET_MS. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int file = -1;

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("MT_WALL");

    if (path)
        file = open(path, O_RDONLY | O_CLOEXEC);
}

int wall_gettime(clockid_t id, struct timespec *out) __asm__("clock_gettime");

int wall_gettime(clockid_t id, struct timespec *out)
{
    char text[128];
    long failed = syscall(SYS_clock_gettime, id, out);

    if (failed || (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE) || file < 0)
        return (int)failed;
    ssize_t len = pread(file, text, sizeof text - 1, 0);
    if (len <= 0)
        return 0;
    text[len] = '\0';
    char *at = text;
    long long since_ms = strtoll(at, &at, 10);
    long long times = strtoll(at, &at, 10);
    long long offset_ms = strtoll(at, &at, 10);
    long long now_us = (long long)out->tv_sec * 1000000 + out->tv_nsec / 1000;
    long long wall_us = since_ms * 1000 + (now_us - since_ms * 1000) * times + offset_ms * 1000;
    out->tv_sec = (time_t)(wall_us / 1000000);
    out->tv_nsec = (long)(wall_us % 1000000 * 1000);
    return 0;
}

/* Preloaded by tests: as long as the file $MT_SYNC_FAILS is there, nothing becomes durable. */
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static int sync_by(long call, int fd)
{
    const char *path = getenv("MT_SYNC_FAILS");

    if (path && !access(path, F_OK)) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(call, fd);
}

int failing_fsync(int fd) __asm__("fsync");
int failing_fdatasync(int fd) __asm__("fdatasync");

int failing_fsync(int fd)
{
    return sync_by(SYS_fsync, fd);
}

int failing_fdatasync(int fd)
{
    return sync_by(SYS_fdatasync, fd);
}

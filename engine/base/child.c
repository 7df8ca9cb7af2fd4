#include "base/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int prepare(posix_spawn_file_actions_t *files, posix_spawnattr_t *attributes, int theirs)
{
    sigset_t none;
    sigset_t all;
    int err = 0;

    sigemptyset(&none);
    sigfillset(&all);
    for (int fd = 0; !err && fd < MT_CHILD_FD; fd++)
        err = posix_spawn_file_actions_addopen(files, fd, "/dev/null", O_RDWR, 0);
    err = err ? err : posix_spawn_file_actions_adddup2(files, theirs, MT_CHILD_FD);
    err = err ? err : posix_spawn_file_actions_addclosefrom_np(files, MT_CHILD_FD + 1);
    err = err ? err : posix_spawnattr_setsigmask(attributes, &none);
    err = err ? err : posix_spawnattr_setsigdefault(attributes, &all);
    /* a group of its own: an interrupt from the keyboard is for us to pass on */
    err = err ? err : posix_spawnattr_setpgroup(attributes, 0);
    return err ? err
               : posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK |
                                                          POSIX_SPAWN_SETSIGDEF |
                                                          POSIX_SPAWN_SETPGROUP);
}

static int start(const char *const *argv, int theirs, int *pid)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    char zone[256];
    const char *tz = getenv("TZ");
    char *environment[] = {zone, NULL};
    pid_t started = 0;

    snprintf(zone, sizeof zone, "TZ=%s", tz ? tz : "");
    if (!tz || strlen(tz) + 4 > sizeof zone)
        environment[0] = NULL;
    int err = posix_spawn_file_actions_init(&files);
    if (err != 0)
        return err;
    if ((err = posix_spawnattr_init(&attributes)) == 0) {
        err = prepare(&files, &attributes, theirs);
        /* the words are not written to: the declaration is older than const */
        err = err ? err
                  : posix_spawn(&started, "/proc/self/exe", &files, &attributes,
                                (char *const *)argv, environment);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&files);
    *pid = started;
    return err;
}

enum mt_rc mt_child_start(const char *const *argv, int *fd, int *pid, struct mt_fault *fault)
{
    int ends[2];
    int err = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0 ? 0 : errno;

    if (!err) {
        err = start(argv, ends[1], pid);
        close(ends[1]);
        if (err)
            close(ends[0]);
    }
    if (err)
        return mt_fault_set(fault, MT_ERR_IO, "isolated.start",
                            "the process of the script cannot be started: %s",
                            strerrordesc_np(err) ? strerrordesc_np(err) : "unknown error");
    *fd = ends[0];
    return MT_OK;
}

int mt_child_end(int pid, int *status)
{
    int how = 0;

    *status = 0;
    if (waitpid(pid, &how, WNOHANG) != pid) {
        kill(pid, SIGKILL);
        while (waitpid(pid, &how, 0) < 0) {
            if (errno != EINTR)
                return SIGKILL;
        }
    }
    *status = WIFEXITED(how) ? WEXITSTATUS(how) : 0;
    return WIFSIGNALED(how) ? WTERMSIG(how) : 0;
}

int64_t mt_child_cpu_ms(int pid)
{
    clockid_t clock_id;
    struct timespec used;

    if (clock_getcpuclockid(pid, &clock_id) != 0 || clock_gettime(clock_id, &used) != 0)
        return -1;
    return (int64_t)used.tv_sec * 1000 + used.tv_nsec / 1000000;
}

static int64_t moved(ssize_t n)
{
    if (n >= 0)
        return n;
    return errno == EAGAIN || errno == EINTR ? 0 : -1;
}

int64_t mt_child_send(int fd, const void *p, size_t len)
{
    return moved(send(fd, p, len, MSG_DONTWAIT | MSG_NOSIGNAL));
}

int64_t mt_child_receive(int fd, void *p, size_t len)
{
    ssize_t n = recv(fd, p, len, MSG_DONTWAIT);
    return n == 0 ? -1 : moved(n);
}

bool mt_child_wait(int fd, bool to_write)
{
    struct pollfd polled = {.fd = fd, .events = to_write ? POLLOUT : POLLIN};

    while (poll(&polled, 1, -1) < 0) {
        if (errno != EINTR)
            return false;
    }
    return (polled.revents & (POLLIN | POLLOUT)) != 0;
}

void mt_child_close(int fd)
{
    close(fd);
}

void mt_child_leave(int status)
{
    _exit(status);
}

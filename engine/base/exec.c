/* Another program: started with nothing of ours but standard descriptors, waited for, and ended
 * with all that it started when it does not keep to its bounds. */
#include "base/exec.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOK_MS 20 /* how late its end is noticed, when it closed its output before */

/* One of its two outputs. */
struct stream {
    int fd; /* -1: it has ended */
    char *to;
    size_t cap, len;
    bool more; /* it said more than there is room for */
};

static void stream_close(struct stream *stream)
{
    if (stream->fd >= 0) {
        close(stream->fd);
    }
    stream->fd = -1;
}

/* Everything that is there now. */
static void stream_read(struct stream *stream)
{
    while (stream->fd >= 0) {
        char beyond[4096];
        size_t room = stream->cap - 1 - stream->len;
        char *to = room > 0 ? stream->to + stream->len : beyond;
        ssize_t got = read(stream->fd, to, room > 0 ? room : sizeof beyond);
        if (got > 0 && room > 0) {
            stream->len += (size_t)got;
        } else if (got > 0) {
            stream->more = true;
            explicit_bzero(beyond, sizeof beyond);
        } else if (got == 0 || (errno != EINTR && errno != EAGAIN)) {
            stream_close(stream);
        } else if (errno == EAGAIN) {
            return;
        }
    }
}

static int make_pipe(struct stream *stream, int *theirs)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return errno;
    }
    stream->fd = ends[0];
    *theirs = ends[1];
    return fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0 ? 0 : errno;
}

static int prepare(posix_spawn_file_actions_t *files, posix_spawnattr_t *attributes, int out,
                   int errors)
{
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    int err = posix_spawn_file_actions_addopen(files, 0, "/dev/null", O_RDONLY, 0);
    err = err ? err : posix_spawn_file_actions_adddup2(files, out, 1);
    err = err ? err : posix_spawn_file_actions_adddup2(files, errors, 2);
    err = err ? err : posix_spawn_file_actions_addclosefrom_np(files, 3);
    err = err ? err : posix_spawnattr_setsigmask(attributes, &none);
    err = err ? err : posix_spawnattr_setsigdefault(attributes, &all);
    err = err ? err : posix_spawnattr_setpgroup(attributes, 0);
    return err ? err
               : posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK |
                                                          POSIX_SPAWN_SETSIGDEF |
                                                          POSIX_SPAWN_SETPGROUP);
}

static int start(const char *const *argv, struct stream *out, struct stream *errors, pid_t *pid)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    int theirs[2] = {-1, -1};
    int err = make_pipe(out, &theirs[0]);
    err = err ? err : make_pipe(errors, &theirs[1]);
    if (err == 0 && (err = posix_spawn_file_actions_init(&files)) == 0) {
        if ((err = posix_spawnattr_init(&attributes)) == 0) {
            err = prepare(&files, &attributes, theirs[0], theirs[1]);
            /* the words are not written to: the declaration is older than const */
            err =
                err ? err
                    : posix_spawnp(pid, argv[0], &files, &attributes, (char *const *)argv, environ);
            posix_spawnattr_destroy(&attributes);
        }
        posix_spawn_file_actions_destroy(&files);
    }
    for (int i = 0; i < 2; i++) {
        if (theirs[i] >= 0) {
            close(theirs[i]);
        }
    }
    return err;
}

static bool has_ended(pid_t pid, int *status)
{
    pid_t got = waitpid(pid, status, WNOHANG);
    return got == pid || (got < 0 && errno != EINTR);
}

/* Until it has ended: what it left running may hold its outputs open for ever. */
static enum mt_rc wait_for(pid_t pid, int64_t timeout_ms, struct stream *out, struct stream *errors,
                           int *status)
{
    int64_t until_ms = mt_clock_mono_ms() + timeout_ms;
    enum mt_rc rc = MT_OK;
    while (!has_ended(pid, status)) {
        struct pollfd polled[2] = {{.fd = out->fd, .events = POLLIN},
                                   {.fd = errors->fd, .events = POLLIN}};
        (void)poll(polled, 2, LOOK_MS);
        stream_read(out);
        stream_read(errors);
        if (out->more) {
            rc = MT_ERR_LIMIT;
        } else if (mt_clock_mono_ms() >= until_ms) {
            rc = MT_ERR_TIMEOUT;
        }
        if (rc) {
            kill(-pid, SIGKILL);
            while (waitpid(pid, status, 0) < 0 && errno == EINTR) {
            }
            return rc;
        }
    }
    stream_read(out);
    stream_read(errors);
    return out->more ? MT_ERR_LIMIT : MT_OK;
}

static enum mt_rc not_started(struct mt_fault *fault, int err, const char *name)
{
    if (err == ENOENT) {
        return mt_fault_set(fault, MT_ERR_NOT_FOUND, "exec.none", "there is no program '%.80s'",
                            name);
    }
    return mt_fault_set(fault, err == EACCES || err == EPERM ? MT_ERR_DENIED : MT_ERR_IO,
                        "exec.start", "the program '%.80s' cannot be started: %s", name,
                        strerrordesc_np(err) ? strerrordesc_np(err) : "unknown error");
}

enum mt_rc mt_exec(const char *const *argv, int64_t timeout_ms, char *out, size_t cap,
                   struct mt_exec_result *result, struct mt_fault *fault)
{
    struct stream said = {.fd = -1, .to = out, .cap = cap};
    struct stream errors = {.fd = -1, .to = result->errors, .cap = sizeof result->errors};
    pid_t pid = 0;
    int status = 0;
    memset(result, 0, sizeof *result);
    int err = start(argv, &said, &errors, &pid);
    enum mt_rc rc =
        err ? not_started(fault, err, argv[0]) : wait_for(pid, timeout_ms, &said, &errors, &status);
    stream_close(&said);
    stream_close(&errors);
    if (rc == MT_ERR_TIMEOUT && !err) {
        mt_fault_set(fault, rc, "exec.timeout", "'%.80s' had not ended after %d s", argv[0],
                     (int)(timeout_ms / 1000));
    } else if (rc == MT_ERR_LIMIT && !err) {
        mt_fault_set(fault, rc, "exec.size", "'%.80s' says more than %zu bytes", argv[0], cap - 1);
    }
    if (rc) {
        explicit_bzero(out, cap);
        return rc;
    }
    out[said.len] = '\0';
    result->errors[errors.len] = '\0';
    result->out_len = said.len;
    result->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return MT_OK;
}

/* Whether a path stays in a folder. The kernel answers it while it walks (openat2), so that no link
 * in between can be read in two ways; where it has no openat2, no link is accepted at all. */
#include "base/fs_int.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PATH_MOST 4096

/* Absolute, without "." and empty parts, as it is written: links and ".." stay. */
static int whole(const char *path, char out[PATH_MOST])
{
    size_t at = 0;

    out[0] = '\0';
    if (path[0] != '/') {
        if (!getcwd(out, PATH_MOST))
            return errno;
        at = strcmp(out, "/") ? strlen(out) : 0;
    }
    while (*path) {
        size_t len = strcspn(path, "/");
        if (len && !(len == 1 && *path == '.')) {
            if (at + len + 2 > PATH_MOST)
                return ENAMETOOLONG;
            out[at++] = '/';
            memcpy(out + at, path, len);
            at += len;
        }
        path += len + (path[len] == '/');
    }
    out[at] = '\0';
    return 0;
}

static bool has_parent(const char *path)
{
    for (; path; path = strchr(path, '/')) {
        path += *path == '/';
        if (!strncmp(path, "..", 2) && (!path[2] || path[2] == '/'))
            return true;
    }
    return false;
}

/* Part by part, without any link. */
static int walk_at(int folder, const char *path, int *fd)
{
    char part[256];
    int at = dup(folder);

    if (at < 0)
        return errno;
    while (*path) {
        size_t len = strcspn(path, "/");
        int next = -1;
        if (len >= sizeof part) {
            (void)close(at);
            return ENAMETOOLONG;
        }
        memcpy(part, path, len);
        part[len] = '\0';
        next = openat(at, part, O_PATH | O_NOFOLLOW | O_CLOEXEC | (path[len] ? O_DIRECTORY : 0));
        int err = errno;
        (void)close(at);
        if (next < 0)
            return err == ELOOP || err == ENOTDIR ? EXDEV : err;
        at = next;
        path += len + (path[len] == '/');
    }
    *fd = at;
    return 0;
}

static int open_beneath(int folder, const char *path, int *fd)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    long got = -1;

    do {
        got = syscall(SYS_openat2, folder, path, &how, sizeof how);
    } while (got < 0 && (errno == EINTR || errno == EAGAIN));
    if (got >= 0) {
        *fd = (int)got;
        return 0;
    }
    return errno == ENOSYS || errno == EPERM ? walk_at(folder, path, fd) : errno;
}

/* Of what is not there yet, the nearest folder that is must lie beneath. */
static int ask(int folder, char *path)
{
    int fd = -1;
    int err = ENOENT;

    if (has_parent(path))
        return EXDEV;
    while (err == ENOENT) {
        err = open_beneath(folder, *path ? path : ".", &fd);
        if (err == 0)
            return close(fd) == 0 ? 0 : errno;
        if (err != ENOENT)
            break;
        char *slash = strrchr(path, '/');
        if (!*path)
            break;
        *(slash ? slash : path) = '\0';
    }
    return err;
}

int mt_fs_beneath(const char *folder, const char *path)
{
    char top[PATH_MOST] = "";
    char full[PATH_MOST] = "";
    int fd = -1;
    int seam = mt_fs_seam_path("beneath", path, NULL);
    int err = seam > 0 ? seam : whole(folder, top);

    if (err == 0)
        err = whole(path, full);
    if (err != 0)
        return err;
    size_t len = strlen(top);
    if (strncmp(top, full, len) != 0 || (full[len] && full[len] != '/'))
        return EXDEV;
    fd = open(len ? top : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    err = ask(fd, full + len + (full[len] == '/'));
    (void)close(fd);
    return err;
}

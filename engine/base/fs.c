/* Single file operations: each asks the seam, then the kernel, and takes up again what a signal
 * interrupted. What is made of several operations stands in fs_whole.c. */
#include "base/fs_int.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_retry(const char *path, int flags, int *fd)
{
    int got = -1;
    do {
        got = open(path, flags, 0600);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        return errno;
    }
    *fd = got;
    return 0;
}

int mt_fs_open(const char *path, unsigned flags, int *fd)
{
    *fd = -1;
    int seam = mt_fs_seam_path("open", path, NULL);
    if (seam > 0) {
        return seam;
    }
    /* Reading follows links: mounted configuration and secrets are links in many places. Writing
     * does not. */
    int how = O_CLOEXEC | O_NOCTTY | (flags != MT_FS_READ ? O_NOFOLLOW : 0);
    how |= flags & (MT_FS_WRITE | MT_FS_APPEND | MT_FS_TRUNCATE) ? O_RDWR : O_RDONLY;
    how |= flags & MT_FS_CREATE ? O_CREAT : 0;
    how |= flags & MT_FS_EXCL ? O_EXCL : 0;
    how |= flags & MT_FS_TRUNCATE ? O_TRUNC : 0;
    how |= flags & MT_FS_APPEND ? O_APPEND : 0;
    int err = 0;
    if (seam == MT_FS_SEAM_SKIP) { /* a descriptor that swallows what follows */
        err = open_retry("/dev/null", O_CLOEXEC | O_RDWR, fd);
    } else {
        err = open_retry(path, how, fd);
    }
    if (err == 0) {
        mt_fs_seam_opened(*fd, path);
    }
    return err;
}

int mt_fs_close(int fd)
{
    int seam = mt_fs_seam_fd("close", fd, -1);
    mt_fs_seam_closed(fd);
    /* The descriptor is gone whatever close says; after EINTR it must not be closed again. */
    int err = close(fd) == 0 || errno == EINTR ? 0 : errno;
    return seam > 0 ? seam : err;
}

int mt_fs_read(int fd, void *p, size_t len, size_t *got)
{
    *got = 0;
    int seam = mt_fs_seam_fd("read", fd, -1);
    if (seam != 0) {
        return seam > 0 ? seam : 0;
    }
    ssize_t n = 0;
    do {
        n = read(fd, p, len);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return errno;
    }
    *got = (size_t)n;
    return 0;
}

int mt_fs_pread(int fd, void *p, size_t len, int64_t offset, size_t *got)
{
    *got = 0;
    int seam = mt_fs_seam_fd("pread", fd, offset);
    if (seam != 0) {
        return seam > 0 ? seam : 0;
    }
    ssize_t n = 0;
    do {
        n = pread(fd, p, len, offset);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return errno;
    }
    *got = (size_t)n;
    return 0;
}

int mt_fs_write(int fd, const void *p, size_t len)
{
    size_t allowed = len;
    int seam = mt_fs_seam_write(fd, p, &allowed);
    if (seam == MT_FS_SEAM_SKIP || (seam > 0 && allowed >= len)) {
        return seam > 0 ? seam : 0;
    }
    bool is_short = allowed < len;
    const char *at = p;
    for (size_t left = is_short ? allowed : len; left > 0;) {
        ssize_t n = write(fd, at, left);
        if (n < 0 && errno != EINTR) {
            return errno;
        }
        if (n == 0) {
            return EIO; /* no progress and no reason: not for ever */
        }
        if (n > 0) {
            at += n;
            left -= (size_t)n;
        }
    }
    if (is_short) {
        return seam > 0 ? seam : EIO;
    }
    return 0;
}

static int fd_op(const char *name, int (*op)(int fd), int fd)
{
    int seam = mt_fs_seam_fd(name, fd, -1);
    if (seam != 0) {
        return seam > 0 ? seam : 0;
    }
    int rc = 0;
    do {
        rc = op(fd);
    } while (rc != 0 && errno == EINTR);
    return rc == 0 ? 0 : errno;
}

int mt_fs_fsync(int fd)
{
    return fd_op("fsync", fsync, fd);
}

int mt_fs_fdatasync(int fd)
{
    return fd_op("fdatasync", fdatasync, fd);
}

int mt_fs_truncate(int fd, int64_t size_bytes)
{
    int seam = mt_fs_seam_fd("truncate", fd, size_bytes);
    if (seam != 0) {
        return seam > 0 ? seam : 0;
    }
    int rc = 0;
    do {
        rc = ftruncate(fd, size_bytes);
    } while (rc != 0 && errno == EINTR);
    return rc == 0 ? 0 : errno;
}

int mt_fs_seek(int fd, int64_t offset)
{
    int seam = mt_fs_seam_fd("seek", fd, offset);
    if (seam != 0) {
        return seam > 0 ? seam : 0;
    }
    return lseek(fd, offset, SEEK_SET) < 0 ? errno : 0;
}

static void take_stat(const struct stat *from, struct mt_fs_stat *st)
{
    *st = (struct mt_fs_stat){
        .size_bytes = from->st_size,
        .mtime_ms = (int64_t)from->st_mtim.tv_sec * 1000 + from->st_mtim.tv_nsec / 1000000,
        .mode = from->st_mode & 07777,
        .uid = from->st_uid,
        .is_dir = S_ISDIR(from->st_mode),
        .is_file = S_ISREG(from->st_mode),
        .is_link = S_ISLNK(from->st_mode),
    };
}

int mt_fs_stat_fd(int fd, struct mt_fs_stat *st)
{
    *st = (struct mt_fs_stat){0};
    int seam = mt_fs_seam_fd("stat", fd, -1);
    if (seam != 0) {
        return seam > 0 ? seam : 0;
    }
    struct stat from;
    if (fstat(fd, &from) != 0) {
        return errno;
    }
    take_stat(&from, st);
    return 0;
}

int mt_fs_stat(const char *path, struct mt_fs_stat *st)
{
    *st = (struct mt_fs_stat){0};
    int seam = mt_fs_seam_path("stat", path, NULL);
    if (seam != 0) {
        return seam > 0 ? seam : 0;
    }
    struct stat from;
    if (lstat(path, &from) != 0) {
        return errno;
    }
    take_stat(&from, st);
    return 0;
}

int mt_fs_real(const char *path, char **out)
{
    char real[PATH_MAX];

    *out = NULL;
    int seam = mt_fs_seam_path("realpath", path, NULL);
    if (seam != 0) {
        return seam > 0 ? seam : ENOENT;
    }
    if (realpath(path, real) == NULL) {
        return errno;
    }
    *out = mt_mem_strdup(real);
    return *out == NULL ? ENOMEM : 0;
}

int mt_fs_rename(const char *from, const char *to)
{
    int seam = mt_fs_seam_path("rename", from, to);
    if (seam != 0) {
        return seam > 0 ? seam : 0;
    }
    return rename(from, to) == 0 ? 0 : errno;
}

int mt_fs_unlink(const char *path)
{
    int seam = mt_fs_seam_path("unlink", path, NULL);
    if (seam != 0) {
        return seam > 0 ? seam : 0;
    }
    return unlink(path) == 0 ? 0 : errno;
}

int mt_fs_rmdir(const char *path)
{
    int seam = mt_fs_seam_path("rmdir", path, NULL);
    if (seam != 0) {
        return seam > 0 ? seam : 0;
    }
    return rmdir(path) == 0 ? 0 : errno;
}

int mt_fs_mkdir(const char *path)
{
    int seam = mt_fs_seam_path("mkdir", path, NULL);
    if (seam != 0) {
        return seam > 0 ? seam : 0;
    }
    return mkdir(path, 0700) == 0 ? 0 : errno;
}

int mt_fs_sync_dir(const char *path)
{
    int seam = mt_fs_seam_path("fsync_dir", path, NULL);
    if (seam != 0) {
        return seam > 0 ? seam : 0;
    }
    int fd = -1;
    int err = open_retry(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, &fd);
    if (err != 0) {
        return err;
    }
    int rc = 0;
    do {
        rc = fsync(fd);
    } while (rc != 0 && errno == EINTR);
    err = rc == 0 ? 0 : errno;
    close(fd);
    return err;
}

int mt_fs_lock(int fd)
{
    int seam = mt_fs_seam_fd("lock", fd, -1);
    if (seam != 0) {
        return seam > 0 ? seam : 0;
    }
    int rc = 0;
    do {
        rc = flock(fd, LOCK_EX | LOCK_NB);
    } while (rc != 0 && errno == EINTR);
    return rc == 0 ? 0 : errno;
}

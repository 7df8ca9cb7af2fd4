/* The file seam: every file operation of the engine goes through here, so that a test can fail
 * operation N with any errno, cut the power after write N, or kill the process there.
 *
 * Every function returns 0 or a positive errno value: file errors are a small closed world of their
 * own, and mt_fs_fault turns one into a fault with the path and a remedy. Everything is opened with
 * O_CLOEXEC, what may be written also with O_NOFOLLOW (reading follows links: mounted secrets and
 * configuration are links); new files have mode 0600, directories 0700. */
#ifndef MT_BASE_FS_H
#define MT_BASE_FS_H

#include "base/rc.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum mt_fs_open {
    MT_FS_READ = 0,
    MT_FS_WRITE = 1 << 0,    /* read and write */
    MT_FS_CREATE = 1 << 1,   /* make it if absent */
    MT_FS_EXCL = 1 << 2,     /* with CREATE: fail if present */
    MT_FS_TRUNCATE = 1 << 3, /* empty it */
    MT_FS_APPEND = 1 << 4,
};

struct mt_fs_stat {
    int64_t size_bytes;
    int64_t mtime_ms;
    uint32_t mode; /* permission bits */
    uint32_t uid;
    bool is_dir;
    bool is_file;
    bool is_link;
};

int mt_fs_open(const char *path, unsigned flags, int *fd) MT_CHECKED;
int mt_fs_close(int fd);
int mt_fs_read(int fd, void *p, size_t len, size_t *got) MT_CHECKED; /* 0 bytes at the end */
int mt_fs_pread(int fd, void *p, size_t len, int64_t offset, size_t *got) MT_CHECKED;
int mt_fs_write(int fd, const void *p, size_t len) MT_CHECKED; /* all of it, or an error */
int mt_fs_fsync(int fd) MT_CHECKED;
int mt_fs_fdatasync(int fd) MT_CHECKED;
int mt_fs_truncate(int fd, int64_t size_bytes) MT_CHECKED;
int mt_fs_seek(int fd, int64_t offset) MT_CHECKED;
int mt_fs_stat_fd(int fd, struct mt_fs_stat *st) MT_CHECKED;
int mt_fs_stat(const char *path, struct mt_fs_stat *st) MT_CHECKED; /* does not follow a link */
/* The path of what is there, absolute and without links; mt_mem_free. */
int mt_fs_real(const char *path, char **out) MT_CHECKED;
/* 0: the path, or the place where it would be made, lies in the folder, whatever links there are in
 * between (openat2, RESOLVE_BENEATH); EXDEV: it does not. Looks at no more than that. */
int mt_fs_beneath(const char *folder, const char *path) MT_CHECKED;
int mt_fs_rename(const char *from, const char *to) MT_CHECKED;
int mt_fs_unlink(const char *path);
int mt_fs_rmdir(const char *path);
int mt_fs_mkdir(const char *path) MT_CHECKED;
int mt_fs_mkdirs(const char *path)
    MT_CHECKED; /* with parents, fsyncs each directory it adds to; existing is fine */
int mt_fs_sync_dir(const char *path) MT_CHECKED; /* fsync of the directory itself */
int mt_fs_lock(int fd) MT_CHECKED;               /* exclusive, not waiting: EWOULDBLOCK if held */
/* The same, waiting for about so long: work-pool or tool code. */
int mt_fs_lock_within(int fd, int64_t ms) MT_CHECKED;
/* Names in a directory without . and .., sorted; names and list are one allocation, freed with
 * mt_mem_free. */
int mt_fs_list(const char *path, char ***names, size_t *n) MT_CHECKED;
/* A whole file of at most max_bytes (EFBIG beyond); NUL-terminated, freed with mt_mem_free. */
int mt_fs_read_all(const char *path, size_t max_bytes, char **data, size_t *len) MT_CHECKED;
/* Durable replacement: PATH.tmp written, fsynced, renamed, directory fsynced. */
int mt_fs_replace(const char *path, const void *p, size_t len) MT_CHECKED;

/* Fault for a failed operation: kind IO (NOT_FOUND for ENOENT, DENIED for EACCES and EPERM, NOMEM
 * for ENOMEM), code "fs." and the errno's name in lower case ("fs.enospc"), message "cannot VERB
 * PATH: reason", with a remedy for a full disk, a quota, a read-only system. */
enum mt_rc mt_fs_fault(struct mt_fault *fault, int err, const char *verb, const char *path);

/* Test side. The hook sees every operation before it is made and answers 0 (go on), or an errno to
 * fail it, or MT_FS_SEAM_SKIP to pretend that it was made. name is the operation ("open", "write",
 * "fdatasync", "fsync_dir", "rename", …), path the file's path as it was opened, p/len what a write
 * would write (a hook may set *len smaller: that much is written and the rest fails with the
 * answered errno, or EIO for 0: a short write). Called from whichever thread makes the operation.
 */
#define MT_FS_SEAM_SKIP (-1)
struct mt_fs_event {
    const char *name;
    const char *path;
    const char *to; /* rename */
    const void *p;
    size_t *len;
    int64_t offset; /* of a write or truncate; -1 if unknown */
};
void mt_fs_seam_set(int (*hook)(void *ud, const struct mt_fs_event *event), void *ud);

#endif

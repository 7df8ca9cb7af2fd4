/* What is made of several file operations: paths with parents, whole files, directory listings, and
 * the fault that tells a person what a failed operation means. */
#include "base/buf.h"
#include "base/fs_int.h"
#include "base/mem.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define LIST_MAX_BYTES ((size_t)1 << 30)

/* The directory that holds path: "a" for "a/b" and "a/b/", "." for "b", "/" for "/b". */
static int parent_of(const char *path, char out[PATH_MAX])
{
    size_t len = strlen(path);
    if (len >= PATH_MAX) {
        return ENAMETOOLONG;
    }
    while (len > 1 && path[len - 1] == '/') {
        len--;
    }
    while (len > 0 && path[len - 1] != '/') {
        len--;
    }
    while (len > 1 && path[len - 1] == '/') {
        len--;
    }
    memcpy(out, path, len);
    out[len] = '\0';
    if (len == 0) {
        memcpy(out, ".", 2);
    }
    return 0;
}

static int make_one(const char *path)
{
    int err = mt_fs_mkdir(path);
    if (err == EEXIST) {
        struct stat st; /* follows a link: somebody's archive may lie behind one */
        if (stat(path, &st) != 0) {
            return errno;
        }
        return S_ISDIR(st.st_mode) ? 0 : ENOTDIR;
    }
    if (err != 0) {
        return err;
    }
    char parent[PATH_MAX];
    err = parent_of(path, parent);
    return err == 0 ? mt_fs_sync_dir(parent) : err;
}

int mt_fs_mkdirs(const char *path)
{
    char at[PATH_MAX];
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof at) {
        return len == 0 ? ENOENT : ENAMETOOLONG;
    }
    memcpy(at, path, len + 1);
    for (char *slash = strchr(at + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        int err = make_one(at);
        *slash = '/';
        if (err != 0) {
            return err;
        }
    }
    return at[len - 1] == '/' ? 0 : make_one(at);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int gather_names(const char *path, struct mt_buf *names, size_t *n)
{
    DIR *dir = opendir(path);
    if (!dir) {
        return errno;
    }
    int err = 0;
    while (err == 0) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (!entry) {
            err = errno;
            break;
        }
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        if (mt_buf_append(names, entry->d_name, strlen(entry->d_name) + 1) != MT_OK) {
            err = ENOMEM;
        }
        (*n)++;
    }
    closedir(dir);
    return err;
}

int mt_fs_list(const char *path, char ***names, size_t *n)
{
    *names = NULL;
    *n = 0;
    struct mt_buf text;
    size_t count = 0;
    mt_buf_init(&text, LIST_MAX_BYTES);
    int seam = mt_fs_seam_path("list", path, NULL);
    int err = seam == 0 ? gather_names(path, &text, &count) : (seam > 0 ? seam : 0);
    if (err == 0) {
        size_t table = (count + 1) * sizeof(char *);
        char **list = mt_mem_alloc(table + text.len);
        if (!list) {
            err = ENOMEM;
        } else {
            char *at = (char *)list + table;
            if (text.len > 0) {
                memcpy(at, text.data, text.len);
            }
            for (size_t i = 0; i < count; i++) {
                list[i] = at;
                at += strlen(at) + 1;
            }
            list[count] = NULL;
            qsort(list, count, sizeof *list, compare_names);
            *names = list;
            *n = count;
        }
    }
    mt_buf_deinit(&text);
    return err;
}

static int read_to_end(int fd, size_t max_bytes, struct mt_buf *buf)
{
    struct mt_fs_stat st;
    int err = mt_fs_stat_fd(fd, &st);
    size_t want = 0;
    if (err == 0 && st.is_file && st.size_bytes > 0) {
        if ((uint64_t)st.size_bytes > max_bytes) {
            return EFBIG;
        }
        want = (size_t)st.size_bytes;
    }
    while (err == 0) {
        /* one byte more than the file has finds its end without growing the buffer */
        if (mt_buf_reserve(buf, want > 0 ? want + 1 : 4096) != MT_OK) {
            return buf->failed == MT_ERR_LIMIT ? EFBIG : ENOMEM;
        }
        size_t got = 0;
        err = mt_fs_read(fd, buf->data + buf->len, buf->cap - buf->len - 1, &got);
        if (got == 0) {
            break;
        }
        buf->len += got;
        buf->data[buf->len] = '\0';
        if (buf->len > max_bytes) {
            return EFBIG;
        }
        want = 0;
    }
    return err;
}

int mt_fs_read_all(const char *path, size_t max_bytes, char **data, size_t *len)
{
    *data = NULL;
    *len = 0;
    int fd = -1;
    int err = mt_fs_open(path, MT_FS_READ, &fd);
    if (err != 0) {
        return err;
    }
    struct mt_buf buf;
    mt_buf_init(&buf, max_bytes < SIZE_MAX / 2 ? max_bytes + 4096 + 1 : SIZE_MAX / 2);
    err = read_to_end(fd, max_bytes, &buf);
    mt_fs_close(fd); /* nothing was written: its result says nothing */
    if (err == 0) {
        *data = mt_buf_steal(&buf, len);
        err = *data ? 0 : ENOMEM;
    }
    mt_buf_deinit(&buf);
    return err;
}

int mt_fs_replace(const char *path, const void *p, size_t len)
{
    char tmp[PATH_MAX];
    char parent[PATH_MAX];
    int n = snprintf(tmp, sizeof tmp, "%s.tmp", path);
    if (n < 0 || (size_t)n >= sizeof tmp) {
        return ENAMETOOLONG;
    }
    int err = parent_of(path, parent);
    int fd = -1;
    if (err == 0) {
        err = mt_fs_open(tmp, MT_FS_WRITE | MT_FS_CREATE | MT_FS_TRUNCATE, &fd);
    }
    if (err != 0) {
        return err;
    }
    err = mt_fs_write(fd, p, len);
    if (err == 0) {
        err = mt_fs_fsync(fd);
    }
    int close_err = mt_fs_close(fd);
    if (err == 0) {
        err = close_err;
    }
    if (err == 0) {
        err = mt_fs_rename(tmp, path);
    }
    if (err != 0) {
        mt_fs_unlink(tmp);
        return err;
    }
    return mt_fs_sync_dir(parent);
}

/* Asked again and again: a waiting flock could not be given up when its holder hangs. */
int mt_fs_lock_within(int fd, int64_t ms)
{
    const struct timespec pause = {.tv_nsec = 500000};
    int err = mt_fs_lock(fd);
    for (int64_t left = ms * 2; err == EWOULDBLOCK && left > 0; left--) {
        nanosleep(&pause, NULL);
        err = mt_fs_lock(fd);
    }
    return err;
}

static const char *remedy(int err)
{
    switch (err) {
    case ENOSPC:
        return "the disk is full: free space and run the same command again";
    case EDQUOT:
        return "the disk quota is used up: free space or raise it, and run the same command again";
    case EROFS:
        return "the file system is read-only: choose another place or mount it writable";
    case EACCES:
    case EPERM:
        return "permission denied: check its owner and mode, and those of its directory";
    case ELOOP:
        return "it is a symbolic link, which is not followed here: name the file itself";
    case EIO:
        return "input/output error: the disk may be failing";
    case EMFILE:
    case ENFILE:
        return "too many open files: raise the limit (ulimit -n)";
    case EFBIG:
        return "it is too large";
    case EWOULDBLOCK:
        return "another process holds its lock";
    default:
        break;
    }
    const char *text = strerrordesc_np(err);
    return text ? text : "unknown error";
}

static enum mt_rc kind_of(int err)
{
    switch (err) {
    case ENOENT:
        return MT_ERR_NOT_FOUND;
    case EACCES:
    case EPERM:
        return MT_ERR_DENIED;
    case ENOMEM:
        return MT_ERR_NOMEM;
    default:
        return MT_ERR_IO;
    }
}

enum mt_rc mt_fs_fault(struct mt_fault *fault, int err, const char *verb, const char *path)
{
    char code[MT_FAULT_CODE_MAX];
    const char *name = strerrorname_np(err);
    snprintf(code, sizeof code, "fs.%s", name ? name : "unknown");
    for (char *c = code; *c; c++) {
        *c = (char)tolower((unsigned char)*c);
    }
    /* A long path loses its beginning, so that the reason still fits. */
    const size_t shown = 110;
    size_t len = strlen(path);
    const char *cut = len > shown ? "…" : "";
    const char *tail = len > shown ? path + len - shown : path;
    while (tail > path && ((unsigned char)*tail & 0xC0) == 0x80) {
        tail++; /* not inside a character */
    }
    return mt_fault_set(fault, kind_of(err), code, "cannot %s %s%s: %s", verb, cut, tail,
                        remedy(err));
}

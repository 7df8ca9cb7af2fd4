/* The test side of the file seam: the hook, and which path a descriptor was opened with. Without a
 * hook each operation pays for one atomic load. */
#include "base/fs_int.h"

#include "base/mem.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TABLE_N 1024

static atomic_bool hook_on;
static int (*hook_fn)(void *ud, const struct mt_fs_event *event);
static void *hook_ud;

/* Paths of descriptors opened while a hook was set. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *table[TABLE_N];

static bool is_on(void)
{
    return atomic_load_explicit(&hook_on, memory_order_acquire);
}

void mt_fs_seam_set(int (*hook)(void *ud, const struct mt_fs_event *event), void *ud)
{
    atomic_store_explicit(&hook_on, false, memory_order_release);
    hook_fn = hook;
    hook_ud = ud;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; !hook && i < TABLE_N; i++) {
        mt_mem_free(table[i]);
        table[i] = NULL;
    }
    pthread_mutex_unlock(&lock);
    atomic_store_explicit(&hook_on, hook != NULL, memory_order_release);
}

void mt_fs_seam_opened(int fd, const char *path)
{
    if (!is_on() || fd < 0 || fd >= TABLE_N) {
        return;
    }
    pthread_mutex_lock(&lock);
    mt_mem_free(table[fd]);
    table[fd] = mt_mem_strdup(path); /* NULL: path_of asks the kernel */
    pthread_mutex_unlock(&lock);
}

void mt_fs_seam_closed(int fd)
{
    if (!is_on() || fd < 0 || fd >= TABLE_N) {
        return;
    }
    pthread_mutex_lock(&lock);
    mt_mem_free(table[fd]);
    table[fd] = NULL;
    pthread_mutex_unlock(&lock);
}

/* A descriptor that was opened before the hook was set is known to the kernel alone. */
static void path_of(int fd, char out[PATH_MAX])
{
    out[0] = '\0';
    pthread_mutex_lock(&lock);
    if (fd >= 0 && fd < TABLE_N && table[fd]) {
        snprintf(out, PATH_MAX, "%s", table[fd]);
    }
    pthread_mutex_unlock(&lock);
    if (out[0] == '\0') {
        char link[64];
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(link, out, PATH_MAX - 1);
        out[n > 0 ? n : 0] = '\0';
    }
}

int mt_fs_seam_path(const char *name, const char *path, const char *to)
{
    if (!is_on()) {
        return 0;
    }
    struct mt_fs_event event = {.name = name, .path = path, .to = to, .offset = -1};
    return hook_fn(hook_ud, &event);
}

int mt_fs_seam_fd(const char *name, int fd, int64_t offset)
{
    if (!is_on()) {
        return 0;
    }
    char path[PATH_MAX];
    path_of(fd, path);
    struct mt_fs_event event = {.name = name, .path = path, .offset = offset};
    return hook_fn(hook_ud, &event);
}

static int64_t write_offset(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    struct stat st;
    if (flags >= 0 && (flags & O_APPEND) && fstat(fd, &st) == 0) {
        return st.st_size;
    }
    return lseek(fd, 0, SEEK_CUR); /* -1 if it cannot seek */
}

int mt_fs_seam_write(int fd, const void *p, size_t *len)
{
    if (!is_on()) {
        return 0;
    }
    char path[PATH_MAX];
    path_of(fd, path);
    struct mt_fs_event event = {
        .name = "write", .path = path, .p = p, .len = len, .offset = write_offset(fd)};
    return hook_fn(hook_ud, &event);
}

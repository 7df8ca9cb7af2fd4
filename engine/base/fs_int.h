/* Within base: how the operations of fs.c ask the test seam. */
#ifndef MT_BASE_FS_INT_H
#define MT_BASE_FS_INT_H

#include "base/fs.h"

/* What to do with the next operation: 0 make it, MT_FS_SEAM_SKIP pretend, else the errno to fail
 * with. */
int mt_fs_seam_path(const char *name, const char *path, const char *to);
/* The same for an operation on a descriptor. */
int mt_fs_seam_fd(const char *name, int fd, int64_t offset);
/* A write: *len may come back smaller, then only that much is to be written and the rest has
 * failed. */
int mt_fs_seam_write(int fd, const void *p, size_t *len);
/* Descriptor and path, as long as a hook is set. */
void mt_fs_seam_opened(int fd, const char *path);
void mt_fs_seam_closed(int fd);

#endif

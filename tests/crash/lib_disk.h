/* A model of a disk that loses power. It records the file operations of a scenario and builds, for
 * any moment, a state that a power cut at that moment may leave: what was synced is there; of the
 * rest any subset, each write whole, dropped, cut at any byte, or with any of its sectors missing.
 * Names are made durable by an fsync of their directory and by nothing else. */
#ifndef MT_TESTS_CRASH_LIB_DISK_H
#define MT_TESTS_CRASH_LIB_DISK_H

#include "base/fs.h"

struct disk;

struct disk *disk_new(const char *root);
void disk_free(struct disk *disk);
/* Records an operation that is about to be made (from a hook of the file seam). allowed: what of a
 * write will really be written. Returns the number of operations recorded so far. */
uint64_t disk_record(struct disk *disk, const struct mt_fs_event *event, size_t allowed);
/* Takes note of what the last open made; to be called before the count is used. */
uint64_t disk_settle(struct disk *disk);
/* An fsync of a directory, named by its path below the root's parent, recorded late. */
uint64_t disk_sync_dir(struct disk *disk, const char *path);
/* Builds in the folder to (which must not exist) a state after the first n operations. */
bool disk_cut(const struct disk *disk, uint64_t n, const char *to);
/* For a finding: prints the operations around n. */
void disk_print(const struct disk *disk, uint64_t n);

#endif

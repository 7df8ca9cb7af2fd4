/* The file of a store, on the work pool. Private. */
#ifndef MT_STORE_STORE_INT_H
#define MT_STORE_STORE_INT_H

#include "store/store.h"

#define MT_STORE_PATH_MAX 4096

struct mt_arena;
struct mt_store_file;

struct mt_store_change {
    char *key;
    char *value; /* NULL: the key goes */
    size_t len;
};

/* Makes the file when it is absent: whole, or not at all. */
enum mt_rc mt_store_file_open(const char *dir, const char *path, struct mt_store_file **out,
                              struct mt_fault *fault) MT_CHECKED;
void mt_store_file_close(struct mt_store_file *file);
enum mt_rc mt_store_file_read(struct mt_store_file *file, struct mt_arena *arena,
                              struct mt_store_entry **entries, size_t *n,
                              struct mt_fault *fault) MT_CHECKED;
/* One transaction; durable when it returns. */
enum mt_rc mt_store_file_write(struct mt_store_file *file, const struct mt_store_change *changes,
                               size_t n, struct mt_fault *fault) MT_CHECKED;

#endif

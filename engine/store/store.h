/* Durable state: texts under keys, one store a script, in SQLite. Everything that touches the file
 * is done on the work pool; what was set between two turns of the loop is one transaction, and what
 * is set while one is on its way goes into the next. */
#ifndef MT_STORE_STORE_H
#define MT_STORE_STORE_H

#include "base/rc.h"

#include <stddef.h>

struct mt_loop;
struct mt_stores;
struct mt_store;

struct mt_store_entry {
    const char *key;
    const char *value;
    size_t value_len;
};

/* The stores of a process. One file is opened once, and stays open: the same name gives the same
 * store. */
struct mt_stores *mt_stores_new(struct mt_loop *loop); /* NULL: memory is short */
/* What was set is written before the loop is freed; nobody is told any more. */
void mt_stores_free(struct mt_stores *stores);

/* dir is made when it is needed. name is any text of 1 to 128 bytes; what a file's name cannot hold
 * is written as %XX. Opens nothing yet. */
enum mt_rc mt_store_get(struct mt_stores *stores, const char *dir, const char *name,
                        struct mt_store **out, struct mt_fault *fault) MT_CHECKED;

/* Reads all of it, in the order of the keys. done is called once, later; the entries live until it
 * returns. Faults: DAMAGED "store.damaged" (the file is left as it is), BUSY "store.busy" (another
 * process has it), UNSUPPORTED "store.version", IO "store.io". After a failure it may be tried
 * again. */
typedef void mt_store_loaded_fn(void *ud, enum mt_rc rc, const struct mt_store_entry *entries,
                                size_t n, const struct mt_fault *fault);
enum mt_rc mt_store_load(struct mt_store *store, mt_store_loaded_fn *done, void *ud) MT_CHECKED;

/* value NULL: the key goes. Copied. MT_ERR_NOMEM; the fault of a write that failed before, until
 * the next load. */
enum mt_rc mt_store_put(struct mt_store *store, const char *key, const char *value, size_t len,
                        struct mt_fault *fault) MT_CHECKED;
/* Whether something was set that is not durable yet. */
bool mt_store_dirty(const struct mt_store *store);
/* done: once, later, when all that was set before is durable, or with why it is not. */
typedef void mt_store_flushed_fn(void *ud, enum mt_rc rc, const struct mt_fault *fault);
enum mt_rc mt_store_flush(struct mt_store *store, mt_store_flushed_fn *done, void *ud) MT_CHECKED;

#endif

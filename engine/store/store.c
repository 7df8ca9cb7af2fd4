/* Stores: what is set and not written yet, who waits for it, and one operation on the pool at a
 * time. */
#include "store/store_int.h"

#include "base/arena.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "loop/loop.h"

#include <stdio.h>
#include <string.h>

#define ARENA_MAX ((size_t)256 << 20)

struct waiter {
    struct waiter *next;
    uint64_t number; /* of the last change that it waits for */
    mt_store_flushed_fn *done;
    void *ud;
};

struct reader {
    struct reader *next;
    mt_store_loaded_fn *done;
    void *ud;
};

struct mt_store {
    struct mt_stores *stores; /* NULL: they are gone, and so is this store when it has ended */
    struct mt_loop *loop;
    char *dir;
    char path[MT_STORE_PATH_MAX];
    struct mt_store_file *file; /* NULL: not open */
    struct mt_map *changes;     /* key → struct mt_store_change, not on their way yet */
    uint64_t set_n, durable_n;  /* changes: made, and safe */
    struct waiter *waiters;
    struct reader *readers;
    bool posted;           /* the next turn looks what there is to do */
    bool busy;             /* the pool has it */
    struct mt_fault fault; /* of the write that failed; kind 0: none */
};

struct mt_stores {
    struct mt_loop *loop;
    struct mt_map *open; /* path → struct mt_store */
};

/* What the pool is given. */
struct op {
    struct mt_store *store;
    struct mt_store_file *file;
    bool reads;
    struct mt_store_change *changes;
    size_t n;
    uint64_t number;
    struct reader *reader;
    struct mt_arena *arena;
    struct mt_store_entry *entries;
    size_t entries_n;
    enum mt_rc rc;
    struct mt_fault fault;
};

static void look(void *ud);

static enum mt_rc look_later(struct mt_store *store)
{
    if (store->posted || store->busy)
        return MT_OK;
    enum mt_rc rc = mt_loop_post(store->loop, look, store);
    store->posted = !rc;
    return rc;
}

static void change_free(void *value)
{
    struct mt_store_change *change = value;

    mt_mem_free(change->key);
    mt_mem_free(change->value);
    mt_mem_free(change);
}

static void store_free(struct mt_store *store)
{
    mt_store_file_close(store->file);
    mt_map_free(store->changes, change_free);
    mt_mem_free(store->dir);
    mt_mem_free(store);
}

/* ---------------------------------------------------------------- on the pool */

static void work(void *ud)
{
    struct op *op = ud;

    if (!op->file)
        op->rc = mt_store_file_open(op->store->dir, op->store->path, &op->file, &op->fault);
    if (!op->rc && op->n)
        op->rc = mt_store_file_write(op->file, op->changes, op->n, &op->fault);
    if (!op->rc && op->reads)
        op->rc = mt_store_file_read(op->file, op->arena, &op->entries, &op->entries_n, &op->fault);
    if (!op->rc)
        return;
    mt_store_file_close(op->file); /* the next load opens it anew */
    op->file = NULL;
}

static void op_free(struct op *op)
{
    for (size_t i = 0; op->changes && i < op->n; i++) {
        mt_mem_free(op->changes[i].key);
        mt_mem_free(op->changes[i].value);
    }
    mt_mem_free(op->changes);
    mt_arena_free(op->arena);
    mt_mem_free(op->reader);
    mt_mem_free(op);
}

/* ---------------------------------------------------------------- on the loop */

static void tell_waiters(struct mt_store *store)
{
    struct waiter **at = &store->waiters;

    while (*at) {
        struct waiter *waiter = *at;
        if (!store->fault.kind && waiter->number > store->durable_n) {
            at = &waiter->next;
            continue;
        }
        *at = waiter->next;
        waiter->done(waiter->ud, store->fault.kind, store->fault.kind ? &store->fault : NULL);
        mt_mem_free(waiter);
        at = &store->waiters;
    }
}

static void over(void *ud, bool cancelled)
{
    struct op *op = ud;
    struct mt_store *store = op->store;

    (void)cancelled; /* never: nobody cancels it */
    store->busy = false;
    store->file = op->file;
    if (op->rc && op->n) {
        store->fault = op->fault;
        mt_log(MT_LOG_ERROR, "store", "%s", op->fault.message);
    } else if (!op->rc) {
        store->durable_n = op->number;
    }
    if (!store->stores) {
        if (store->fault.kind || !mt_map_count(store->changes) || look_later(store))
            store_free(store);
        op_free(op);
        return;
    }
    if (op->reader)
        op->reader->done(op->reader->ud, op->rc, op->entries, op->entries_n,
                         op->rc ? &op->fault : NULL);
    op_free(op);
    tell_waiters(store);
    if (mt_map_count(store->changes) || store->readers)
        (void)look_later(store);
}

static bool take_change(void *ud, const char *key, void *value)
{
    struct op *op = ud;
    struct mt_store_change *change = value;

    (void)key;
    op->changes[op->n++] = *change;
    return true;
}

static void shell_free(void *value)
{
    mt_mem_free(value); /* its texts were handed on */
}

/* The changes and the first reader become an operation. */
static struct op *op_new(struct mt_store *store)
{
    size_t n = mt_map_count(store->changes);
    struct op *op = mt_mem_calloc(1, sizeof *op);
    struct mt_map *fresh = n ? mt_map_new() : NULL;

    if (op) {
        op->changes = n ? mt_mem_calloc(n, sizeof *op->changes) : NULL;
        op->arena = store->readers ? mt_arena_new(ARENA_MAX) : NULL;
    }
    if (!op || (n && (!fresh || !op->changes)) || (store->readers && !op->arena)) {
        mt_map_free(fresh, NULL);
        if (op)
            op_free(op);
        return NULL;
    }
    op->store = store;
    op->file = store->file;
    op->number = store->set_n;
    if (n) {
        mt_map_each(store->changes, take_change, op);
        mt_map_free(store->changes, shell_free);
        store->changes = fresh;
    }
    op->reader = store->readers;
    op->reads = op->reader != NULL;
    if (op->reader)
        store->readers = op->reader->next;
    return op;
}

static void fail_all(struct mt_store *store)
{
    mt_fault_set(&store->fault, MT_ERR_NOMEM, "memory", "out of memory");
    while (store->readers) {
        struct reader *reader = store->readers;
        store->readers = reader->next;
        reader->done(reader->ud, MT_ERR_NOMEM, NULL, 0, &store->fault);
        mt_mem_free(reader);
    }
    tell_waiters(store);
}

static void look(void *ud)
{
    struct mt_store *store = ud;

    store->posted = false;
    if (store->busy)
        return;
    if (!store->stores && (store->fault.kind || !mt_map_count(store->changes))) {
        store_free(store);
        return;
    }
    if (!store->readers && (store->fault.kind || !mt_map_count(store->changes))) {
        tell_waiters(store);
        return;
    }
    if (store->readers) /* whoever begins anew, begins with what is in the file */
        store->fault.kind = MT_OK;
    struct op *op = op_new(store);
    if (op && !mt_work_start(store->loop, work, over, op, NULL)) {
        store->busy = true;
        return;
    }
    if (op) { /* as over does, without the pool */
        op->rc = mt_fault_set(&op->fault, MT_ERR_NOMEM, "memory", "out of memory");
        over(op, true);
    } else if (store->stores) {
        fail_all(store);
    } else {
        store_free(store);
    }
}

enum mt_rc mt_store_load(struct mt_store *store, mt_store_loaded_fn *done, void *ud)
{
    struct reader *reader = mt_mem_calloc(1, sizeof *reader);
    struct reader **at = &store->readers;

    if (!reader || look_later(store)) {
        mt_mem_free(reader);
        return MT_ERR_NOMEM;
    }
    reader->done = done;
    reader->ud = ud;
    while (*at)
        at = &(*at)->next;
    *at = reader;
    return MT_OK;
}

enum mt_rc mt_store_put(struct mt_store *store, const char *key, const char *value, size_t len,
                        struct mt_fault *fault)
{
    struct mt_store_change *change = NULL;

    if (store->fault.kind) {
        *fault = store->fault;
        return fault->kind;
    }
    change = mt_mem_calloc(1, sizeof *change);
    if (change) {
        change->key = mt_mem_strdup(key);
        change->value = value ? mt_mem_strndup(value, len) : NULL;
        change->len = len;
    }
    if (!change || !change->key || (value && !change->value) || look_later(store))
        goto out;
    struct mt_store_change *before = mt_map_get(store->changes, key);
    if (mt_map_put(store->changes, key, change))
        goto out;
    if (before)
        change_free(before);
    store->set_n++;
    return MT_OK;
out:
    if (change)
        change_free(change);
    return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
}

bool mt_store_dirty(const struct mt_store *store)
{
    return store->set_n != store->durable_n;
}

enum mt_rc mt_store_flush(struct mt_store *store, mt_store_flushed_fn *done, void *ud)
{
    struct waiter *waiter = mt_mem_calloc(1, sizeof *waiter);
    struct waiter **at = &store->waiters;

    if (!waiter || look_later(store)) {
        mt_mem_free(waiter);
        return MT_ERR_NOMEM;
    }
    waiter->number = store->set_n;
    waiter->done = done;
    waiter->ud = ud;
    while (*at)
        at = &(*at)->next;
    *at = waiter;
    return MT_OK;
}

/* ---------------------------------------------------------------- names */

static bool plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

static enum mt_rc path_of(const char *dir, const char *name, char out[MT_STORE_PATH_MAX],
                          struct mt_fault *fault)
{
    char file[3 * 128 + 1];
    size_t at = 0;
    size_t len = strlen(name);

    if (!len || len > 128)
        return mt_fault_set(fault, MT_ERR_INVALID, "store.name",
                            "a store needs a name of 1 to 128 bytes");
    for (size_t i = 0; i < len; i++) {
        if (plain(name[i]))
            file[at++] = name[i];
        else
            at += (size_t)snprintf(file + at, sizeof file - at, "%%%02X", (unsigned char)name[i]);
    }
    file[at] = '\0';
    int n = snprintf(out, MT_STORE_PATH_MAX, "%s/%s.sqlite", dir, file);
    if (n < 0 || n >= MT_STORE_PATH_MAX)
        return mt_fault_set(fault, MT_ERR_INVALID, "store.name",
                            "the path of the store is too long");
    return MT_OK;
}

enum mt_rc mt_store_get(struct mt_stores *stores, const char *dir, const char *name,
                        struct mt_store **out, struct mt_fault *fault)
{
    char path[MT_STORE_PATH_MAX];
    struct mt_store *store = NULL;
    enum mt_rc rc = path_of(dir, name, path, fault);

    if (rc)
        return rc;
    *out = mt_map_get(stores->open, path);
    if (*out)
        return MT_OK;
    store = mt_mem_calloc(1, sizeof *store);
    if (store) {
        store->stores = stores;
        store->loop = stores->loop;
        store->dir = mt_mem_strdup(dir);
        store->changes = mt_map_new();
        snprintf(store->path, sizeof store->path, "%s", path);
    }
    if (!store || !store->dir || !store->changes || mt_map_put(stores->open, path, store)) {
        if (store)
            store_free(store);
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    }
    *out = store;
    return MT_OK;
}

struct mt_stores *mt_stores_new(struct mt_loop *loop)
{
    struct mt_stores *stores = mt_mem_calloc(1, sizeof *stores);

    if (stores) {
        stores->loop = loop;
        stores->open = mt_map_new();
    }
    if (!stores || !stores->open) {
        mt_mem_free(stores);
        return NULL;
    }
    return stores;
}

static void leave(void *value)
{
    struct mt_store *store = value;

    while (store->waiters) {
        struct waiter *waiter = store->waiters;
        store->waiters = waiter->next;
        mt_mem_free(waiter);
    }
    while (store->readers) {
        struct reader *reader = store->readers;
        store->readers = reader->next;
        mt_mem_free(reader);
    }
    store->stores = NULL;
    if (!store->busy && !store->posted)
        store_free(store);
}

void mt_stores_free(struct mt_stores *stores)
{
    if (!stores)
        return;
    mt_map_free(stores->open, leave);
    mt_mem_free(stores);
}

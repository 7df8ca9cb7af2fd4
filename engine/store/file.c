/* One SQLite file: a table of keys and values. WAL with synchronous=FULL: a transaction that has
 * ended survives a power cut. One connection, which keeps every other process out: Debian's SQLite
 * has a rare fault in WAL files that takes two. */
#include "store/store_int.h"

#include "base/arena.h"
#include "base/fs.h"
#include "base/mem.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#define VERSION 1

struct mt_store_file {
    char path[MT_STORE_PATH_MAX];
    sqlite3 *db;
    sqlite3_stmt *put, *drop;
};

static enum mt_rc busy(const struct mt_store_file *file, struct mt_fault *fault)
{
    return mt_fault_set(fault, MT_ERR_BUSY, "store.busy",
                        "%.150s is in use by another process: stop it first", file->path);
}

static enum mt_rc explain(struct mt_store_file *file, struct mt_fault *fault)
{
    int code = file->db ? sqlite3_errcode(file->db) & 0xff : SQLITE_NOMEM;
    const char *text = file->db ? sqlite3_errmsg(file->db) : "out of memory";

    switch (code) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return mt_fault_set(fault, MT_ERR_DAMAGED, "store.damaged",
                            "%.120s is damaged (%.40s): put a copy back, or move it and the files "
                            "beside it away to begin with nothing",
                            file->path, text);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return busy(file, fault);
    case SQLITE_NOMEM:
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    case SQLITE_FULL:
        return mt_fault_set(fault, MT_ERR_IO, "store.io",
                            "cannot write %.150s: the disk is full: make room", file->path);
    default:
        return mt_fault_set(fault, MT_ERR_IO, "store.io", "cannot use %.120s: %.60s", file->path,
                            text);
    }
}

static enum mt_rc run(struct mt_store_file *file, const char *sql, struct mt_fault *fault)
{
    return sqlite3_exec(file->db, sql, NULL, NULL, NULL) ? explain(file, fault) : MT_OK;
}

/* The first column of the first row, as text in out. */
static enum mt_rc ask(struct mt_store_file *file, const char *sql, char *out, size_t cap,
                      struct mt_fault *fault)
{
    sqlite3_stmt *stmt = NULL;
    enum mt_rc rc = MT_OK;

    out[0] = '\0';
    if (sqlite3_prepare_v2(file->db, sql, -1, &stmt, NULL) || sqlite3_step(stmt) != SQLITE_ROW)
        rc = explain(file, fault);
    else
        snprintf(out, cap, "%s", (const char *)sqlite3_column_text(stmt, 0));
    sqlite3_finalize(stmt);
    return rc;
}

static enum mt_rc db_open(struct mt_store_file *file, const char *path, struct mt_fault *fault)
{
    if (sqlite3_open_v2(path, &file->db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOFOLLOW, NULL))
        return explain(file, fault);
    return run(file,
               "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
               fault);
}

/* A file that is not there is made under another name: one of no bytes is always damage. */
static enum mt_rc make(struct mt_store_file *file, const char *dir, struct mt_fault *fault)
{
    char tmp[MT_STORE_PATH_MAX + 8];
    char wal[MT_STORE_PATH_MAX + 16];
    enum mt_rc rc = MT_OK;

    snprintf(tmp, sizeof tmp, "%s.new", file->path);
    (void)mt_fs_unlink(tmp);
    for (int i = 0; i < 2; i++) {
        snprintf(wal, sizeof wal, "%s%s", i ? file->path : tmp, "-wal");
        (void)mt_fs_unlink(wal);
    }
    rc = db_open(file, tmp, fault);
    if (!rc)
        rc = run(file,
                 "CREATE TABLE entry(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
                 "PRAGMA user_version=1; PRAGMA wal_checkpoint(TRUNCATE);",
                 fault);
    if (sqlite3_close(file->db) && !rc)
        rc = mt_fault_set(fault, MT_ERR_IO, "store.io", "cannot make %.200s", file->path);
    file->db = NULL;
    if (rc)
        return rc;
    int err = mt_fs_rename(tmp, file->path);
    if (!err)
        err = mt_fs_sync_dir(dir);
    return err ? mt_fs_fault(fault, err, "make", file->path) : MT_OK;
}

/* One process makes it, however many begin at once: else one would move what another has not yet
 * made, or is already using, out of its place. */
static enum mt_rc make_alone(struct mt_store_file *file, const char *dir, struct mt_fault *fault)
{
    char lock[MT_STORE_PATH_MAX + 8];
    struct mt_fs_stat st;
    enum mt_rc rc = MT_OK;
    int fd = -1;

    snprintf(lock, sizeof lock, "%s.lock", file->path);
    int err = mt_fs_open(lock, MT_FS_WRITE | MT_FS_CREATE, &fd);
    if (err)
        return mt_fs_fault(fault, err, "make", lock);
    err = mt_fs_lock(fd);
    if (err == EWOULDBLOCK)
        rc = busy(file, fault);
    else if (err)
        rc = mt_fs_fault(fault, err, "lock", lock);
    else if (mt_fs_stat(file->path, &st)) /* still not there */
        rc = make(file, dir, fault);
    if (!err)
        (void)mt_fs_unlink(lock);
    mt_fs_close(fd);
    return rc;
}

static enum mt_rc look(struct mt_store_file *file, struct mt_fault *fault)
{
    char text[200];
    enum mt_rc rc = ask(file, "PRAGMA quick_check(1)", text, sizeof text, fault);

    if (!rc && strcmp(text, "ok") != 0)
        return mt_fault_set(fault, MT_ERR_DAMAGED, "store.damaged",
                            "%.120s is damaged (%.40s): put a copy back, or move it and the files "
                            "beside it away to begin with nothing",
                            file->path, text);
    if (!rc)
        rc = ask(file, "PRAGMA user_version", text, sizeof text, fault);
    if (!rc && strcmp(text, "1") != 0)
        return mt_fault_set(fault, MT_ERR_UNSUPPORTED, "store.version",
                            "%.150s has the form %.20s, this version knows 1", file->path, text);
    return rc;
}

static enum mt_rc open_whole(struct mt_store_file *file, const char *dir, struct mt_fault *fault)
{
    struct mt_fs_stat st;
    enum mt_rc rc = MT_OK;
    int err = mt_fs_mkdirs(dir);

    if (err)
        return mt_fs_fault(fault, err, "make", dir);
    err = mt_fs_stat(file->path, &st);
    if (err)
        rc = make_alone(file, dir, fault);
    else if (!st.size_bytes)
        return mt_fault_set(fault, MT_ERR_DAMAGED, "store.damaged",
                            "%.150s is empty, which it never is: put a copy back, or move it away "
                            "to begin with nothing",
                            file->path);
    if (!rc)
        rc = db_open(file, file->path, fault);
    if (!rc)
        rc = look(file, fault);
    if (!rc &&
        (sqlite3_prepare_v2(file->db, "INSERT OR REPLACE INTO entry VALUES(?,?)", -1, &file->put,
                            NULL) ||
         sqlite3_prepare_v2(file->db, "DELETE FROM entry WHERE key=?", -1, &file->drop, NULL)))
        rc = explain(file, fault);
    return rc;
}

enum mt_rc mt_store_file_open(const char *dir, const char *path, struct mt_store_file **out,
                              struct mt_fault *fault)
{
    struct mt_store_file *file = mt_mem_calloc(1, sizeof *file);

    if (!file)
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    snprintf(file->path, sizeof file->path, "%s", path);
    enum mt_rc rc = open_whole(file, dir, fault);
    if (rc)
        mt_store_file_close(file);
    else
        *out = file;
    return rc;
}

void mt_store_file_close(struct mt_store_file *file)
{
    if (!file)
        return;
    sqlite3_finalize(file->put);
    sqlite3_finalize(file->drop);
    sqlite3_close(file->db);
    mt_mem_free(file);
}

/* One row, copied into the arena. */
static enum mt_rc read_row(sqlite3_stmt *stmt, struct mt_arena *arena, struct mt_store_entry *out)
{
    const char *key = (const char *)sqlite3_column_text(stmt, 0);
    const char *value = (const char *)sqlite3_column_text(stmt, 1);

    if (!key || !value)
        return MT_ERR_NOMEM;
    out->value_len = (size_t)sqlite3_column_bytes(stmt, 1);
    out->key = mt_arena_strdup(arena, key);
    out->value = mt_arena_strndup(arena, value, out->value_len);
    return out->key && out->value ? MT_OK : MT_ERR_NOMEM;
}

enum mt_rc mt_store_file_read(struct mt_store_file *file, struct mt_arena *arena,
                              struct mt_store_entry **entries, size_t *n, struct mt_fault *fault)
{
    sqlite3_stmt *stmt = NULL;
    char count[24];
    size_t cap = 0;
    int step = SQLITE_DONE;
    enum mt_rc rc = ask(file, "SELECT count(*) FROM entry", count, sizeof count, fault);

    *n = 0;
    if (rc)
        return rc;
    for (const char *c = count; *c >= '0' && *c <= '9'; c++)
        cap = cap * 10 + (size_t)(*c - '0');
    *entries = mt_arena_calloc(arena, cap + 1, sizeof **entries);
    if (!*entries)
        return mt_fault_set(fault, MT_ERR_LIMIT, "store.limit", "%.150s is too large to be read",
                            file->path);
    if (sqlite3_prepare_v2(file->db, "SELECT key, value FROM entry ORDER BY key", -1, &stmt, NULL))
        return explain(file, fault);
    while (!rc && *n < cap && (step = sqlite3_step(stmt)) == SQLITE_ROW)
        rc = read_row(stmt, arena, &(*entries)[(*n)++]);
    if (rc)
        mt_fault_set(fault, MT_ERR_LIMIT, "store.limit", "%.150s is too large to be read",
                     file->path);
    else if (step != SQLITE_DONE && step != SQLITE_ROW)
        rc = explain(file, fault);
    sqlite3_finalize(stmt);
    return rc;
}

static enum mt_rc write_one(struct mt_store_file *file, const struct mt_store_change *change,
                            struct mt_fault *fault)
{
    sqlite3_stmt *stmt = change->value ? file->put : file->drop;

    int code = sqlite3_bind_text(stmt, 1, change->key, -1, SQLITE_STATIC);
    if (!code && change->value)
        code = sqlite3_bind_text(stmt, 2, change->value, (int)change->len, SQLITE_STATIC);
    if (!code)
        code = sqlite3_step(stmt);
    enum mt_rc rc = code == SQLITE_DONE ? MT_OK : explain(file, fault);
    sqlite3_reset(stmt);
    sqlite3_clear_bindings(stmt);
    return rc;
}

enum mt_rc mt_store_file_write(struct mt_store_file *file, const struct mt_store_change *changes,
                               size_t n, struct mt_fault *fault)
{
    enum mt_rc rc = run(file, "BEGIN", fault);

    for (size_t i = 0; !rc && i < n; i++)
        rc = write_one(file, &changes[i], fault);
    if (!rc)
        rc = run(file, "COMMIT", fault);
    if (rc)
        sqlite3_exec(file->db, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}

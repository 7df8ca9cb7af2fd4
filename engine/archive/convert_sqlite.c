/* SQLite: one table of messages, one of conversations, and a full-text index of three-character
 * pieces, which finds Chinese as well as parts of words. The schema is described in
 * docs/archive.md. */
#include "archive/convert_int.h"

#include "base/fs.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

struct db {
    sqlite3 *handle;
    sqlite3_stmt *message;
    sqlite3_stmt *conversation;
};

static const char schema[] =
    "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA page_size=8192;"
    "CREATE TABLE conversation(id TEXT PRIMARY KEY, messages INTEGER, complete INTEGER, gaps "
    "INTEGER,"
    " first_time INTEGER, last_time INTEGER, synced_time INTEGER);"
    "CREATE TABLE message(rowid INTEGER PRIMARY KEY, type TEXT, id TEXT, target TEXT, conversation "
    "TEXT, sender TEXT,"
    " recipient TEXT, direction TEXT, time INTEGER, at TEXT, kind TEXT, text TEXT, body TEXT, ext "
    "TEXT);"
    "CREATE VIRTUAL TABLE message_text USING fts5(text, content='message', content_rowid='rowid', "
    "tokenize='trigram');"
    "BEGIN;";
static const char finish[] = "INSERT INTO message_text(message_text) VALUES('rebuild');"
                             "CREATE INDEX message_conversation ON message(conversation, time);"
                             "CREATE INDEX message_id ON message(id);"
                             "COMMIT;";

static enum mt_rc failed(struct mt_ar_walk *walk, struct db *db, const char *path)
{
    return mt_fault_set(walk->fault, MT_ERR_IO, "archive.sqlite", "cannot write %s: %s", path,
                        db->handle ? sqlite3_errmsg(db->handle) : "out of memory");
}

static void bind(sqlite3_stmt *stmt, int at, const char *s)
{
    if (*s)
        sqlite3_bind_text(stmt, at, s, -1, SQLITE_TRANSIENT);
    else
        sqlite3_bind_null(stmt, at);
}

static enum mt_rc step(sqlite3_stmt *stmt)
{
    int code = sqlite3_step(stmt);
    sqlite3_reset(stmt);
    return code == SQLITE_DONE ? MT_OK : MT_ERR_IO;
}

static enum mt_rc sqlite_conversation(void *ud, const struct mt_archive_state *s)
{
    struct db *db = ud;

    bind(db->conversation, 1, s->conversation);
    sqlite3_bind_int64(db->conversation, 2, (int64_t)s->messages_n);
    sqlite3_bind_int64(db->conversation, 3, s->complete);
    sqlite3_bind_int64(db->conversation, 4, (int64_t)s->gaps_n);
    sqlite3_bind_int64(db->conversation, 5, s->first_ms);
    sqlite3_bind_int64(db->conversation, 6, s->last_ms);
    sqlite3_bind_int64(db->conversation, 7, s->synced_ms);
    return step(db->conversation);
}

static void bind_json(sqlite3_stmt *stmt, int at, const struct mt_json *node)
{
    struct mt_buf text;

    mt_buf_init(&text, MT_AR_LINE_MAX);
    if (node && !mt_json_print(node, &text))
        sqlite3_bind_text(stmt, at, text.data, (int)text.len, SQLITE_TRANSIENT);
    else
        sqlite3_bind_null(stmt, at);
    mt_buf_deinit(&text);
}

static enum mt_rc sqlite_row(void *ud, const struct mt_ar_row *row)
{
    struct db *db = ud;
    const char *const texts[] = {row->type, row->id, row->target,   row->conversation,
                                 row->from, row->to, row->direction};

    for (int i = 0; i < 7; i++)
        bind(db->message, i + 1, texts[i]);
    sqlite3_bind_int64(db->message, 8, row->time_ms);
    bind(db->message, 9, row->at);
    bind(db->message, 10, row->kind);
    bind(db->message, 11, row->text);
    bind_json(db->message, 12, mt_json_get(row->line, "body"));
    bind_json(db->message, 13, mt_json_get(row->line, "ext"));
    return step(db->message);
}

enum mt_rc mt_ar_to_sqlite(const char *dir, struct mt_ar_walk *walk)
{
    struct db db = {NULL, NULL, NULL};
    char path[MT_AR_PATH_MAX], tmp[MT_AR_PATH_MAX];
    enum mt_rc rc = MT_OK;
    int err = 0;

    snprintf(path, sizeof path, "%s/messages.sqlite", dir);
    snprintf(tmp, sizeof tmp, "%s/messages.sqlite.tmp", dir);
    mt_fs_unlink(tmp);
    if (sqlite3_open(tmp, &db.handle) || sqlite3_exec(db.handle, schema, NULL, NULL, NULL) ||
        sqlite3_prepare_v2(
            db.handle,
            "INSERT INTO "
            "message(type,id,target,conversation,sender,recipient,direction,time,at,kind,"
            "text,body,ext) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)",
            -1, &db.message, NULL) ||
        sqlite3_prepare_v2(db.handle, "INSERT INTO conversation VALUES(?,?,?,?,?,?,?)", -1,
                           &db.conversation, NULL)) {
        rc = failed(walk, &db, path);
        goto out;
    }
    walk->row = sqlite_row;
    walk->conversation = sqlite_conversation;
    walk->ud = &db;
    rc = mt_ar_walk(dir, walk);
    if (!rc && sqlite3_exec(db.handle, finish, NULL, NULL, NULL))
        rc = failed(walk, &db, path);
out:
    sqlite3_finalize(db.message);
    sqlite3_finalize(db.conversation);
    sqlite3_close(db.handle);
    if (!rc && (err = mt_fs_rename(tmp, path)))
        rc = mt_fs_fault(walk->fault, err, "write", path);
    if (rc)
        mt_fs_unlink(tmp);
    snprintf(walk->result->path, sizeof walk->result->path, "%s", path);
    return rc;
}

/* An archive to read. The Lua side (lua/moontide/archived.lua) makes lines of what is given here.
 */
#include "script/script_int.h"

#include "archive/reader.h"
#include "base/mem.h"
#include "loop/loop.h"

#include <stdio.h>
#include <string.h>

#define SEGMENT_MAX ((size_t)256 << 20)
#define PIECE_BYTES                                                                                \
    ((size_t)256 << 10) /* so much is given at once, and then to the end of a line */

/* Of the handle, and of whoever reads at the moment. */
struct shared {
    struct mt_archive_reader *reader;
    size_t refs;
};

struct lua_archived {
    struct shared *shared;
};

/* A place in the lines of one conversation. */
struct lua_cursor {
    struct shared *shared;
    char conversation[256];
    size_t at;          /* the next segment */
    bool more;          /* there is one */
    struct mt_buf text; /* of the segment before */
    size_t given;       /* so much of it the script has */
};

static void shared_release(struct shared *shared)
{
    if (!shared || --shared->refs)
        return;
    mt_archive_reader_free(shared->reader);
    mt_mem_free(shared);
}

static int archived_gc(lua_State *L)
{
    struct lua_archived *archived = lua_touserdata(L, 1);

    shared_release(archived->shared);
    archived->shared = NULL;
    return 0;
}

/* ---------------------------------------------------------------- open */

struct open_wait {
    struct mt_wait wait;
    struct mt_archive_reader *reader;
    char dir[3072];
    enum mt_rc rc;
    struct mt_fault fault;
};

static void open_release(struct mt_wait *wait)
{
    struct open_wait *w = (struct open_wait *)wait;

    mt_archive_reader_free(w->reader);
    w->reader = NULL;
}

static void open_work(void *ud)
{
    struct open_wait *w = ud;
    w->rc = mt_archive_reader_open(w->dir, &w->reader, &w->fault);
}

static void open_done(void *ud, bool cancelled)
{
    struct open_wait *w = ud;
    mt_wait_wake(&w->wait, cancelled ? MT_ERR_CANCELLED : w->rc, &w->fault);
}

static int open_more(lua_State *L, int status, lua_KContext ctx)
{
    struct open_wait *w = (struct open_wait *)ctx;

    (void)status;
    mt_wait_check(L, &w->wait);
    struct lua_archived *archived = lua_newuserdatauv(L, sizeof *archived, 0);
    *archived = (struct lua_archived){.shared = NULL};
    luaL_setmetatable(L, MT_TYPE_ARCHIVED);
    archived->shared = mt_mem_calloc(1, sizeof *archived->shared);
    if (!archived->shared)
        return mt_fault_raisef(L, MT_ERR_NOMEM, "memory", "out of memory");
    *archived->shared = (struct shared){w->reader, 1};
    w->reader = NULL;
    return 1;
}

static int archived_open(lua_State *L)
{
    const char *dir = luaL_checkstring(L, 1);

    mt_grant_check_path(L, dir, "moontide.read_archive");
    mt_task_may_wait(L);
    struct open_wait *w = mt_wait_new(L, sizeof *w, open_release);
    snprintf(w->dir, sizeof w->dir, "%s", dir);
    if (mt_work_start(mt_script_of(L)->host->loop, open_work, open_done, w, NULL))
        return mt_fault_raisef(L, MT_ERR_NOMEM, "memory", "out of memory");
    return mt_task_wait(L, &w->wait, open_more);
}

/* ---------------------------------------------------------------- what is known at once */

static struct lua_archived *check(lua_State *L)
{
    return luaL_checkudata(L, 1, MT_TYPE_ARCHIVED);
}

static int archived_account(lua_State *L)
{
    struct mt_archive_identity identity = mt_archive_reader_identity(check(L)->shared->reader);

    lua_pushstring(L, identity.provider);
    lua_pushstring(L, identity.appkey);
    lua_pushstring(L, identity.user);
    return 3;
}

static bool push_state(void *ud, const struct mt_archive_state *state)
{
    lua_State *L = ud;
    const struct {
        const char *key;
        int64_t value;
    } numbers[] = {{"messages", (int64_t)state->messages_n},
                   {"gaps", (int64_t)state->gaps_n},
                   {"first_time", state->first_ms},
                   {"last_time", state->last_ms},
                   {"synced_time", state->synced_ms}};

    lua_createtable(L, 0, 7);
    lua_pushstring(L, state->conversation);
    lua_setfield(L, -2, "id");
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        lua_pushinteger(L, numbers[i].value);
        lua_setfield(L, -2, numbers[i].key);
    }
    lua_pushboolean(L, state->complete);
    lua_setfield(L, -2, "complete");
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
    return true;
}

static int archived_conversations(lua_State *L)
{
    const struct lua_archived *archived = check(L);

    lua_newtable(L);
    luaL_checkstack(L, 8, "conversations");
    mt_archive_reader_each(archived->shared->reader, push_state, L);
    return 1;
}

/* ---------------------------------------------------------------- lines */

static int cursor_gc(lua_State *L)
{
    struct lua_cursor *cursor = lua_touserdata(L, 1);

    shared_release(cursor->shared);
    cursor->shared = NULL;
    mt_buf_deinit(&cursor->text);
    return 0;
}

/* (archived, conversation) */
static int archived_cursor(lua_State *L)
{
    struct shared *shared = check(L)->shared;
    const char *conversation = luaL_checkstring(L, 2);
    struct lua_cursor *cursor = lua_newuserdatauv(L, sizeof *cursor, 0);

    *cursor = (struct lua_cursor){.shared = shared, .more = true};
    shared->refs++;
    snprintf(cursor->conversation, sizeof cursor->conversation, "%s", conversation);
    mt_buf_init(&cursor->text, SEGMENT_MAX);
    luaL_setmetatable(L, MT_TYPE_ARCHIVED_CURSOR);
    return 1;
}

struct segment_wait {
    struct mt_wait wait;
    struct shared *shared;
    struct mt_buf text;
    char conversation[256];
    size_t at;
    bool more;
    enum mt_rc rc;
    struct mt_fault fault;
};

static void segment_release(struct mt_wait *wait)
{
    struct segment_wait *w = (struct segment_wait *)wait;

    mt_buf_deinit(&w->text);
    shared_release(w->shared);
    w->shared = NULL;
}

static void segment_work(void *ud)
{
    struct segment_wait *w = ud;
    w->rc = mt_archive_reader_segment(w->shared->reader, w->conversation, w->at, &w->text, &w->more,
                                      &w->fault);
}

static void segment_done(void *ud, bool cancelled)
{
    struct segment_wait *w = ud;
    mt_wait_wake(&w->wait, cancelled ? MT_ERR_CANCELLED : w->rc, &w->fault);
}

static int cursor_next(lua_State *L);

static int cursor_more(lua_State *L, int status, lua_KContext ctx)
{
    struct lua_cursor *cursor = luaL_checkudata(L, 1, MT_TYPE_ARCHIVED_CURSOR);
    struct segment_wait *w = (struct segment_wait *)ctx;

    (void)status;
    mt_wait_check(L, &w->wait);
    mt_buf_deinit(&cursor->text);
    cursor->text = w->text;
    mt_buf_init(&w->text, SEGMENT_MAX);
    cursor->given = 0;
    cursor->more = w->more;
    cursor->at = w->at + 1;
    lua_settop(L, 1);
    return cursor_next(L);
}

static int read_segment(lua_State *L, const struct lua_cursor *cursor)
{
    mt_task_may_wait(L);
    struct segment_wait *w = mt_wait_new(L, sizeof *w, segment_release);
    mt_buf_init(&w->text, SEGMENT_MAX);
    w->shared = cursor->shared;
    w->shared->refs++;
    w->at = cursor->at;
    memcpy(w->conversation, cursor->conversation, sizeof w->conversation);
    if (mt_work_start(mt_script_of(L)->host->loop, segment_work, segment_done, w, NULL))
        return mt_fault_raisef(L, MT_ERR_NOMEM, "memory", "out of memory");
    return mt_task_wait(L, &w->wait, cursor_more);
}

/* (cursor): whole lines as one text; nil at the end. */
static int cursor_next(lua_State *L)
{
    struct lua_cursor *cursor = luaL_checkudata(L, 1, MT_TYPE_ARCHIVED_CURSOR);
    size_t left = cursor->text.len - cursor->given;
    const char *from = left ? cursor->text.data + cursor->given : "";

    if (!left && cursor->more)
        return read_segment(L, cursor);
    if (!left) {
        lua_pushnil(L);
        return 1;
    }
    if (left > PIECE_BYTES) { /* every line has its newline */
        const char *end = memchr(from + PIECE_BYTES, '\n', left - PIECE_BYTES);
        left = end ? (size_t)(end - from) + 1 : left;
    }
    lua_pushlstring(L, from, left);
    cursor->given += left;
    return 1;
}

void mt_bind_archived(lua_State *L)
{
    static const luaL_Reg functions[] = {{"archived_open", archived_open},
                                         {"archived_account", archived_account},
                                         {"archived_conversations", archived_conversations},
                                         {"archived_cursor", archived_cursor},
                                         {"archived_next", cursor_next},
                                         {NULL, NULL}};

    luaL_setfuncs(L, functions, 0);
    mt_script_type(L, MT_TYPE_ARCHIVED, NULL, NULL, archived_gc);
    mt_script_type(L, MT_TYPE_ARCHIVED_CURSOR, NULL, NULL, cursor_gc);
}

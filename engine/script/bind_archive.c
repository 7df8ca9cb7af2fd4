/* archive: opened for one account, given to conversation:export, converted, closed; and verify. */
#include "script/script_int.h"

#include "archive/convert.h"
#include "archive/verify.h"
#include "archive/writer.h"
#include "base/mem.h"
#include "loop/loop.h"

#include <stdio.h>
#include <string.h>

struct lua_archive {
    struct mt_writer *writer; /* NULL when closed */
    char dir[3072];
};

static struct lua_archive *check(lua_State *L, int index)
{
    return luaL_checkudata(L, index, MT_TYPE_ARCHIVE);
}

struct mt_writer *mt_lua_archive_writer(lua_State *L, int index)
{
    struct lua_archive *archive = check(L, index);
    if (!archive->writer)
        mt_fault_raisef(L, MT_ERR_STATE, "archive.closed", "the archive %.150s is closed",
                        archive->dir);
    return archive->writer;
}

static void dropped(void *ud, enum mt_rc rc, const struct mt_fault *fault)
{
    (void)ud;
    (void)rc;
    (void)fault;
}

static int archive_gc(lua_State *L)
{
    struct lua_archive *archive = lua_touserdata(L, 1);

    /* Not closed by the script: what is committed stays, but the run does not count as ended. */
    if (archive->writer)
        mt_writer_close(archive->writer, false, dropped, NULL);
    archive->writer = NULL;
    return 0;
}

/* ---------------------------------------------------------------- open */

struct open_wait {
    struct mt_wait wait;
    struct mt_writer *writer;
};

static void open_release(struct mt_wait *wait)
{
    struct open_wait *w = (struct open_wait *)wait;
    if (w->writer)
        mt_writer_close(w->writer, false, dropped, NULL);
    w->writer = NULL;
}

static void opened(void *ud, enum mt_rc rc, struct mt_writer *writer, const struct mt_fault *fault)
{
    struct open_wait *w = ud;
    w->writer = writer;
    if (writer)
        mt_writer_count(writer, w->wait.task->script->host->archive_figures);
    mt_wait_wake(&w->wait, rc, fault);
}

static int open_more(lua_State *L, int status, lua_KContext ctx)
{
    struct open_wait *w = (struct open_wait *)ctx;

    (void)status;
    mt_wait_check(L, &w->wait);
    struct lua_archive *archive = lua_newuserdatauv(L, sizeof *archive, 0);
    archive->writer = NULL;
    snprintf(archive->dir, sizeof archive->dir, "%s", lua_tostring(L, 1));
    luaL_setmetatable(L, MT_TYPE_ARCHIVE);
    archive->writer = w->writer;
    w->writer = NULL;
    return 1;
}

int mt_lua_archive_open(lua_State *L)
{
    const char *dir = luaL_checkstring(L, 1);

    luaL_checktype(L, 2, LUA_TTABLE);
    lua_getfield(L, 2, "account");
    struct mt_lua_account *account = mt_lua_account_check(L, -1);
    mt_options_check(L, 2, "moontide.archive");
    mt_grant_check_path(L, dir, "moontide.archive");
    struct mt_archive_identity identity = {account->provider->name,
                                           account->provider->appkey(account->account),
                                           account->provider->user(account->account)};
    mt_task_may_wait(L);
    struct open_wait *w = mt_wait_new(L, sizeof *w, open_release);
    enum mt_rc rc = mt_writer_open(mt_script_of(L)->host->loop, dir, &identity, NULL, opened, w);
    if (rc)
        return mt_fault_raisef(L, rc, "memory", "out of memory");
    return mt_task_wait(L, &w->wait, open_more);
}

/* ---------------------------------------------------------------- close */

static void closed(void *ud, enum mt_rc rc, const struct mt_fault *fault)
{
    mt_wait_wake(ud, rc, fault);
}

static int close_more(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    mt_wait_check(L, (struct mt_wait *)ctx);
    return 0;
}

static int archive_close(lua_State *L)
{
    struct lua_archive *archive = check(L, 1);
    struct mt_writer *writer = archive->writer;

    lua_settop(L, 2);
    mt_options_check(L, 2, "archive:close");
    bool clean = mt_option_boolean(L, 2, "clean", true);
    const char *unseen = mt_option_string(L, 2, "unseen", NULL);
    if (!writer)
        return 0;
    if (unseen)
        mt_writer_set_unseen(writer, unseen);
    mt_task_may_wait(L);
    struct mt_wait *wait = mt_wait_new(L, sizeof *wait, NULL);
    archive->writer = NULL;
    mt_writer_close(writer, clean, closed, wait);
    return mt_task_wait(L, wait, close_more);
}

static int archive_state(lua_State *L)
{
    struct mt_writer *writer = mt_lua_archive_writer(L, 1);
    const struct mt_archive_state *s = mt_writer_state(writer, luaL_checkstring(L, 2));

    if (!s) {
        lua_pushnil(L);
        return 1;
    }
    lua_createtable(L, 0, 6);
    lua_pushinteger(L, (lua_Integer)s->messages_n);
    lua_setfield(L, -2, "messages");
    lua_pushinteger(L, (lua_Integer)s->gaps_n);
    lua_setfield(L, -2, "gaps");
    lua_pushinteger(L, s->first_ms);
    lua_setfield(L, -2, "first_time");
    lua_pushinteger(L, s->last_ms);
    lua_setfield(L, -2, "last_time");
    lua_pushboolean(L, s->complete);
    lua_setfield(L, -2, "complete");
    lua_pushinteger(L, s->synced_ms);
    lua_setfield(L, -2, "synced_time");
    return 1;
}

/* ---------------------------------------------------------------- work on the pool: convert and
 * verify */

#define PROBLEMS_MAX 1000

struct pool_wait {
    struct mt_wait wait;
    char dir[3072];
    char format[16];
    enum mt_verify_mode mode;
    enum mt_rc rc;
    struct mt_fault fault;
    struct mt_convert_result converted;
    struct mt_verify_report report;
    char **problems;
    size_t problems_n;
};

static void pool_release(struct mt_wait *wait)
{
    struct pool_wait *w = (struct pool_wait *)wait;
    for (size_t i = 0; i < w->problems_n; i++)
        mt_mem_free(w->problems[i]);
    mt_mem_free(w->problems);
    w->problems = NULL;
    w->problems_n = 0;
}

static void pool_done(void *ud, bool cancelled)
{
    struct pool_wait *w = ud;
    mt_wait_wake(&w->wait, cancelled ? MT_ERR_CANCELLED : w->rc, &w->fault);
}

static int start_pool(lua_State *L, struct pool_wait *w, void (*fn)(void *ud), lua_KFunction k)
{
    enum mt_rc rc = mt_work_start(mt_script_of(L)->host->loop, fn, pool_done, w, NULL);
    if (rc)
        return mt_fault_raisef(L, rc, "memory", "out of memory");
    return mt_task_wait(L, &w->wait, k);
}

static void convert(void *ud)
{
    struct pool_wait *w = ud;
    w->rc = mt_archive_convert(w->dir, w->format, NULL, NULL, &w->converted, &w->fault);
}

static int convert_more(lua_State *L, int status, lua_KContext ctx)
{
    struct pool_wait *w = (struct pool_wait *)ctx;

    (void)status;
    mt_wait_check(L, &w->wait);
    lua_createtable(L, 0, 3);
    lua_pushstring(L, w->converted.path);
    lua_setfield(L, -2, "path");
    lua_pushinteger(L, (lua_Integer)w->converted.messages_n);
    lua_setfield(L, -2, "messages");
    lua_pushinteger(L, (lua_Integer)w->converted.conversations_n);
    lua_setfield(L, -2, "conversations");
    return 1;
}

static int archive_convert(lua_State *L)
{
    struct lua_archive *archive = check(L, 1);
    const char *format = luaL_checkstring(L, 2);

    mt_task_may_wait(L);
    struct pool_wait *w = mt_wait_new(L, sizeof *w, pool_release);
    snprintf(w->dir, sizeof w->dir, "%s", archive->dir);
    snprintf(w->format, sizeof w->format, "%s", format);
    return start_pool(L, w, convert, convert_more);
}

static void take_problem(void *ud, const char *text)
{
    struct pool_wait *w = ud;

    if (w->problems_n == PROBLEMS_MAX)
        return; /* the report counts them all */
    if (!w->problems)
        w->problems = mt_mem_calloc(PROBLEMS_MAX, sizeof *w->problems);
    if (w->problems && (w->problems[w->problems_n] = mt_mem_strdup(text)))
        w->problems_n++;
}

static void verify(void *ud)
{
    struct pool_wait *w = ud;
    w->rc = mt_archive_verify(w->dir, w->mode, take_problem, NULL, w, &w->report, &w->fault);
}

static void put_count(lua_State *L, const char *key, uint64_t v)
{
    lua_pushinteger(L, (lua_Integer)v);
    lua_setfield(L, -2, key);
}

static int verify_more(lua_State *L, int status, lua_KContext ctx)
{
    static const char *const verdicts[] = {"complete", "gaps", "unfinished", "damaged"};
    struct pool_wait *w = (struct pool_wait *)ctx;
    const struct mt_verify_report *r = &w->report;

    (void)status;
    mt_wait_check(L, &w->wait);
    lua_createtable(L, 0, 15);
    lua_pushstring(L, verdicts[r->verdict]);
    lua_setfield(L, -2, "verdict");
    put_count(L, "conversations", r->conversations_n);
    put_count(L, "messages", r->messages_n);
    put_count(L, "lines", r->lines_n);
    put_count(L, "segments", r->segments_n);
    put_count(L, "sealed", r->sealed_n);
    put_count(L, "gaps", r->gaps_n);
    put_count(L, "bytes", (uint64_t)r->bytes);
    put_count(L, "attachments", r->attachments_n);
    put_count(L, "attachment_bytes", (uint64_t)r->attachment_bytes);
    put_count(L, "missing", r->missing_n);
    put_count(L, "problems_found", r->problems_n);
    lua_pushstring(L, r->head);
    lua_setfield(L, -2, "head");
    mt_bind_json(L);
    lua_getfield(L, -1, "array");
    lua_remove(L, -2);
    lua_createtable(L, (int)w->problems_n, 0);
    for (size_t i = 0; i < w->problems_n; i++) {
        lua_pushstring(L, w->problems[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_call(L, 1, 1);
    lua_setfield(L, -2, "problems");
    return 1;
}

int mt_lua_verify(lua_State *L)
{
    const char *dir = luaL_checkstring(L, 1);

    lua_settop(L, 2);
    mt_options_check(L, 2, "moontide.verify");
    const char *mode = mt_option_string(L, 2, "mode", "read-all");
    mt_grant_check_path(L, dir, "moontide.verify");
    mt_task_may_wait(L);
    struct pool_wait *w = mt_wait_new(L, sizeof *w, pool_release);
    snprintf(w->dir, sizeof w->dir, "%s", dir);
    w->mode = strcmp(mode, "structure") ? MT_VERIFY_READ_ALL : MT_VERIFY_STRUCTURE;
    return start_pool(L, w, verify, verify_more);
}

void mt_bind_archive(lua_State *L)
{
    static const luaL_Reg methods[] = {{"close", archive_close},
                                       {"state", archive_state},
                                       {"convert", archive_convert},
                                       {NULL, NULL}};
    mt_script_type(L, MT_TYPE_ARCHIVE, methods, NULL, archive_gc);
}

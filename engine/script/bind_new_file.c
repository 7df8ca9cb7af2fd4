/* moontide.new_file: a file that a script writes. It lies beside its place under another name until
 * it is whole, so that nobody ever finds half of it. */
#include "script/script_int.h"

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/rand.h"
#include "loop/loop.h"

#include <stdio.h>
#include <string.h>

#define TYPE_NEW_FILE "moontide.new_file"
#define GATHER_BYTES  ((size_t)256 << 10)
#define TEXT_BYTES    ((size_t)64 << 20) /* of one write */
#define PATH_BYTES    4096

struct new_file {
    char path[PATH_BYTES], part[PATH_BYTES + 16], folder[PATH_BYTES];
    int fd; /* -1: not there any more */
    struct mt_buf text;
    bool replace, opens, ends; /* what the work is about */
    bool busy;                 /* it is on the pool */
    bool dropped;              /* freed when the work has ended */
    enum mt_rc rc;             /* the first failure is that of all */
    struct mt_fault fault;
    struct mt_wait *wait;
};

/* ---------------------------------------------------------------- on the pool */

static void remove_part(struct new_file *f)
{
    if (f->fd < 0)
        return;
    (void)mt_fs_close(f->fd);
    f->fd = -1;
    mt_fs_unlink(f->part);
}

static void fail(struct new_file *f, int err, const char *verb)
{
    f->rc = mt_fs_fault(&f->fault, err, verb, f->path);
    remove_part(f);
}

static bool is_taken(struct new_file *f)
{
    struct mt_fs_stat st;

    if (mt_fs_stat(f->path, &st) || (f->replace && !st.is_dir))
        return false;
    f->rc =
        mt_fault_set(&f->fault, MT_ERR_EXISTS, "file.exists", "%.200s is there already", f->path);
    return true;
}

static void begin(struct new_file *f)
{
    if (is_taken(f))
        return;
    int err = mt_fs_open(f->part, MT_FS_WRITE | MT_FS_CREATE | MT_FS_EXCL, &f->fd);
    if (err) {
        f->fd = -1;
        fail(f, err, "make");
    }
}

static void finish(struct new_file *f)
{
    int err = mt_fs_fsync(f->fd);
    int close_err = mt_fs_close(f->fd);

    f->fd = -1;
    err = err ? err : close_err;
    if (!err && is_taken(f)) {
        mt_fs_unlink(f->part);
        return;
    }
    if (!err)
        err = mt_fs_rename(f->part, f->path);
    if (err)
        mt_fs_unlink(f->part);
    else
        err = mt_fs_sync_dir(f->folder);
    if (err)
        fail(f, err, "finish");
}

static void work(void *ud)
{
    struct new_file *f = ud;

    if (f->opens) {
        begin(f);
        return;
    }
    int err = mt_fs_write(f->fd, f->text.data, f->text.len);
    mt_buf_reset(&f->text);
    if (err)
        fail(f, err, "write");
    else if (f->ends)
        finish(f);
}

/* ---------------------------------------------------------------- on the loop */

static void file_free(struct new_file *f)
{
    remove_part(f);
    mt_buf_deinit(&f->text);
    mt_mem_free(f);
}

static void worked(void *ud, bool cancelled)
{
    struct new_file *f = ud;
    struct mt_wait *wait = f->wait;

    f->busy = false;
    f->wait = NULL;
    if (cancelled && !f->rc)
        f->rc = mt_fault_set(&f->fault, MT_ERR_CANCELLED, "cancelled", "cancelled");
    if (f->dropped)
        file_free(f);
    else if (wait)
        mt_wait_wake(wait, f->rc, f->rc ? &f->fault : NULL);
}

static int file_gc(lua_State *L)
{
    struct new_file **ud = lua_touserdata(L, 1);
    struct new_file *f = *ud;

    *ud = NULL;
    if (!f)
        return 0;
    f->wait = NULL;
    f->dropped = true;
    if (!f->busy)
        file_free(f);
    return 0;
}

static struct new_file *check(lua_State *L)
{
    struct new_file *f = *(struct new_file **)luaL_checkudata(L, 1, TYPE_NEW_FILE);

    if (!f || f->ends || f->busy)
        mt_fault_raisef(L, MT_ERR_STATE, "file.closed", "the file is closed, or being written");
    else if (f->rc)
        mt_fault_raise(L, &f->fault);
    return f;
}

static void on_cancel(struct mt_wait *wait)
{
    (void)wait; /* it is over in a moment */
}

/* The file is at 1, and stays there. */
static int wait_more(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    mt_wait_check(L, (struct mt_wait *)ctx);
    lua_settop(L, 1);
    return 1;
}

static int wait_for(lua_State *L, struct new_file *f)
{
    struct mt_wait *wait = mt_wait_new(L, sizeof *wait, NULL);

    wait->cancel = on_cancel;
    if (mt_work_start(mt_script_of(L)->host->loop, work, worked, f, NULL))
        return mt_fault_raisef(L, MT_ERR_NOMEM, "memory", "out of memory");
    f->busy = true;
    f->wait = wait;
    return mt_task_wait(L, wait, wait_more);
}

/* file:write(text) */
static int file_write(lua_State *L)
{
    size_t len = 0;
    const char *text = luaL_checklstring(L, 2, &len);
    struct new_file *f = check(L);

    mt_task_may_wait(L);
    if (len > TEXT_BYTES || mt_buf_append(&f->text, text, len))
        return mt_fault_raisef(L, MT_ERR_LIMIT, "file.text", "a text of 64 MiB at most at once");
    lua_settop(L, 1);
    f->opens = false;
    return f->text.len >= GATHER_BYTES ? wait_for(L, f) : 1;
}

/* file:close(): from now on it is there. */
static int file_close(lua_State *L)
{
    struct new_file *f = check(L);

    mt_task_may_wait(L);
    lua_settop(L, 1);
    f->opens = false;
    f->ends = true;
    return wait_for(L, f);
}

/* moontide.new_file(path, { replace }) */
static int core_new_file(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    const char *slash = strrchr(path, '/');
    uint32_t own = 0;

    lua_settop(L, 2);
    mt_options_check(L, 2, "moontide.new_file");
    mt_grant_check_path(L, path, "moontide.new_file");
    mt_task_may_wait(L);
    if (!*path || strlen(path) >= PATH_BYTES - 8 || (slash && !slash[1]))
        return mt_fault_raisef(L, MT_ERR_INVALID, "file.path", "'%.100s' is no name of a file",
                               path);
    struct new_file **ud = lua_newuserdatauv(L, sizeof(struct new_file *), 0);
    *ud = NULL;
    luaL_setmetatable(L, TYPE_NEW_FILE);
    struct new_file *f = mt_mem_calloc(1, sizeof *f);
    if (!f)
        return mt_fault_raisef(L, MT_ERR_NOMEM, "memory", "out of memory");
    *ud = f;
    f->fd = -1;
    mt_buf_init(&f->text, TEXT_BYTES + GATHER_BYTES);
    (void)snprintf(f->path, sizeof f->path, "%s", path);
    mt_rand_bytes(&own, sizeof own); /* two that write the same file do not meet */
    (void)snprintf(f->part, sizeof f->part, "%s.%08x.part", path, own);
    (void)snprintf(f->folder, sizeof f->folder, "%.*s",
                   slash ? (int)(slash - path) + (slash == path) : 1, slash ? path : ".");
    f->replace = mt_option_boolean(L, 2, "replace", false);
    f->opens = true;
    lua_replace(L, 1);
    lua_settop(L, 1);
    return wait_for(L, f);
}

void mt_bind_new_file(lua_State *L)
{
    static const luaL_Reg functions[] = {{"new_file", core_new_file}, {NULL, NULL}};
    static const luaL_Reg methods[] = {{"write", file_write}, {"close", file_close}, {NULL, NULL}};

    luaL_setfuncs(L, functions, 0);
    mt_script_type(L, TYPE_NEW_FILE, methods, NULL, file_gc);
}

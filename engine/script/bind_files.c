/* Attachments: transfers that a task waits for, chunk by chunk where it wants to be told of
 * progress. The methods that scripts call are made of them in lua/moontide/files.lua. */
#include "script/live_int.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"
#include "jobs/media.h"

#include <string.h>

#define ARENA_MAX         ((size_t)64 << 10)
#define COMBINE_MAX       ((size_t)16 << 20)
#define COMBINE_N_MAX     1000 /* the cloud's own limit is lower, and its own to name */
#define CONVERSATIONS_MAX 1000
#define TYPE_TRANSFER     "moontide.transfer"

/* Lives until the provider is done with it and the script too. */
struct transfer {
    const struct mt_provider *provider;
    struct mt_provider_call *call;
    struct mt_media_job *job; /* of an archive's attachments */
    bool active;              /* it has not ended */
    bool dropped;             /* by the script */
    struct mt_wait *wait;
    bool tells;
    bool moved; /* there is progress that was not told */
    int64_t done_bytes, total_bytes;
    enum mt_rc rc;
    struct mt_fault fault;
    struct mt_arena *arena;
    struct mt_value attachment; /* of an upload */
    char *path;                 /* of a download */
    struct mt_media_result media;
    int64_t bytes;
    char sha256[65];
};

static void transfer_free(struct transfer *t)
{
    mt_arena_free(t->arena);
    mt_mem_free(t->path);
    mt_mem_free(t);
}

static void wake(struct transfer *t)
{
    struct mt_wait *wait = t->wait;
    t->wait = NULL;
    if (wait)
        mt_wait_wake(wait, MT_OK, NULL);
}

static void on_progress(void *ud, int64_t done_bytes, int64_t total_bytes)
{
    struct transfer *t = ud;

    t->done_bytes = done_bytes;
    t->total_bytes = total_bytes;
    t->moved = true;
    if (t->tells)
        wake(t);
}

static void on_end(struct transfer *t, enum mt_rc rc, const struct mt_fault *fault)
{
    t->active = false;
    t->rc = rc;
    if (fault)
        t->fault = *fault;
    if (t->dropped)
        transfer_free(t);
    else
        wake(t);
}

static void uploaded(void *ud, enum mt_rc rc, const struct mt_fault *fault)
{
    on_end(ud, rc, fault);
}

static void downloaded(void *ud, enum mt_rc rc, const struct mt_downloaded *result,
                       const struct mt_fault *fault)
{
    struct transfer *t = ud;

    if (!rc) {
        t->bytes = result->bytes;
        snprintf(t->sha256, sizeof t->sha256, "%s", result->sha256);
    }
    on_end(t, rc, fault);
}

static void media_moved(void *ud, const struct mt_media_result *so_far)
{
    on_progress(
        ud, (int64_t)(so_far->known_n + so_far->fetched_n + so_far->missing_n + so_far->failed_n),
        (int64_t)so_far->found_n);
}

static void media_ended(void *ud, enum mt_rc rc, const struct mt_media_result *result,
                        const struct mt_fault *fault)
{
    struct transfer *t = ud;

    t->media = *result;
    on_end(t, rc, fault);
}

static void cancel(struct transfer *t)
{
    if (t->active && t->job)
        mt_media_cancel(t->job);
    else if (t->active)
        t->provider->cancel(t->call);
}

static int transfer_gc(lua_State *L)
{
    struct transfer **ud = lua_touserdata(L, 1);
    struct transfer *t = *ud;

    *ud = NULL;
    if (!t)
        return 0;
    t->wait = NULL;
    t->dropped = true;
    if (t->active)
        cancel(t); /* freed when it has ended */
    else
        transfer_free(t);
    return 0;
}

/* On top of the stack, and owned by it. Raises instead of returning NULL. */
static struct transfer *transfer_new(lua_State *L, const struct mt_provider *provider, bool tells)
{
    struct transfer **ud = lua_newuserdatauv(L, sizeof(struct transfer *), 1);
    struct transfer *t = NULL;

    *ud = NULL;
    luaL_setmetatable(L, TYPE_TRANSFER);
    t = mt_mem_calloc(1, sizeof *t);
    *ud = t;
    if (t)
        t->arena = mt_arena_new(ARENA_MAX);
    if (!t || !t->arena) {
        mt_fault_raisef(L, MT_ERR_NOMEM, "memory", "out of memory");
        return NULL;
    }
    t->provider = provider;
    t->tells = tells;
    return t;
}

static int start_failed(lua_State *L, enum mt_rc rc)
{
    return mt_fault_raisef(L, rc, "memory", "out of memory");
}

static int unsupported(lua_State *L, const struct mt_provider *provider)
{
    return mt_fault_raisef(L, MT_ERR_UNSUPPORTED, "attachments.unsupported",
                           "attachments cannot be moved through %s", provider->name);
}

/* upload(conversation, options, data, tells): a transfer. data: nil, or the bytes instead of
 * options.path. */
static int core_upload(lua_State *L)
{
    struct mt_lua_conversation *c = mt_lua_conversation_check(L, 1);
    struct mt_upload what;
    size_t len = 0;

    luaL_checktype(L, 2, LUA_TTABLE);
    mt_grant_check_to(L, &c->ref, "conversation:upload");
    if (!c->provider->live || !c->provider->live->upload)
        return unsupported(L, c->provider);
    memset(&what, 0, sizeof what);
    if (lua_isstring(L, 3)) {
        what.data = lua_tolstring(L, 3, &len);
        what.len = len;
    } else {
        what.path = mt_option_string(L, 2, "path", NULL);
        mt_grant_check_path(L, what.path ? what.path : "", "conversation:upload");
    }
    what.filename = mt_option_string(L, 2, "filename", NULL);
    what.thumbnail_width = (int)mt_option_integer(L, 2, "thumbnail_width", 0);
    what.thumbnail_height = (int)mt_option_integer(L, 2, "thumbnail_height", 0);
    struct transfer *t = transfer_new(L, c->provider, lua_toboolean(L, 4));
    if (!t)
        return 0;
    t->active = true;
    enum mt_rc rc = c->provider->live->upload(c->account, &c->ref, &what, t->arena, &t->attachment,
                                              on_progress, uploaded, t, &t->call);
    if (rc) {
        t->active = false;
        return start_failed(L, rc);
    }
    return 1;
}

/* download(message, options, tells): a transfer. */
static int core_download(lua_State *L)
{
    struct mt_page *page = NULL;
    const struct mt_message *m = mt_lua_message_check(L, 1, &page);
    struct mt_download what;

    luaL_checktype(L, 2, LUA_TTABLE);
    mt_grant_check(L, "read", "message:download");
    if (!page->account)
        return mt_fault_raisef(L, MT_ERR_STATE, "message.detached",
                               "the message is of no account's conversation");
    if (!page->provider->live || !page->provider->live->download)
        return unsupported(L, page->provider);
    memset(&what, 0, sizeof what);
    what.body = &m->body;
    what.path = mt_option_string(L, 2, "path", NULL);
    mt_grant_check_path(L, what.path ? what.path : "", "message:download");
    what.thumbnail = mt_option_boolean(L, 2, "thumbnail", false);
    what.any_size = mt_option_boolean(L, 2, "any_size", false);
    what.max_bytes = mt_option_integer(L, 2, "max_size", 0);
    struct transfer *t = transfer_new(L, page->provider, lua_toboolean(L, 3));
    if (!t)
        return 0;
    t->path = mt_mem_strdup(what.path);
    if (!t->path)
        return start_failed(L, MT_ERR_NOMEM);
    t->active = true;
    enum mt_rc rc =
        page->provider->live->download(page->account, &what, on_progress, downloaded, t, &t->call);
    if (rc) {
        t->active = false;
        return start_failed(L, rc);
    }
    return 1;
}

/* media(archive, account, options): a transfer. */
static int core_media(lua_State *L)
{
    struct mt_writer *writer = mt_lua_archive_writer(L, 1);
    struct mt_lua_account *account = mt_lua_account_check(L, 2);
    struct mt_media_options options;
    const char *conversations[CONVERSATIONS_MAX + 1];
    struct mt_fault fault;

    luaL_checktype(L, 3, LUA_TTABLE);
    mt_grant_check(L, "read", "archive:fetch_media");
    memset(&options, 0, sizeof options);
    options.parallel = (unsigned)mt_option_integer(L, 3, "parallel", 0);
    options.max_bytes = mt_option_integer(L, 3, "max_size", 0);
    if (mt_option_list(L, 3, "conversations", conversations, CONVERSATIONS_MAX))
        options.conversations = conversations;
    struct transfer *t = transfer_new(L, account->provider, true);
    if (!t)
        return 0;
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1); /* the archive stays open as long as this is at work */
    t->active = true;
    if (mt_media_start(mt_script_of(L)->host->loop, account->provider, account->account, writer,
                       &options, media_moved, media_ended, t, &t->job, &fault)) {
        t->active = false;
        return mt_fault_raise(L, &fault);
    }
    return 1;
}

/* ---------------------------------------------------------------- waiting */

struct transfer_wait {
    struct mt_wait wait;
    struct transfer *transfer;
};

static void next_cancel(struct mt_wait *wait)
{
    cancel(((struct transfer_wait *)wait)->transfer);
}

static void put_count(lua_State *L, const char *key, uint64_t n)
{
    lua_pushinteger(L, (lua_Integer)n);
    lua_setfield(L, -2, key);
}

static void push_media(lua_State *L, const struct mt_media_result *r)
{
    lua_createtable(L, 0, 7);
    put_count(L, "found", r->found_n);
    put_count(L, "known", r->known_n);
    put_count(L, "fetched", r->fetched_n);
    put_count(L, "missing", r->missing_n);
    put_count(L, "failed", r->failed_n);
    put_count(L, "bytes", (uint64_t)r->bytes);
    if (r->failure.kind) {
        mt_fault_push(L, &r->failure);
        lua_setfield(L, -2, "failure");
    }
}

static int next_result(lua_State *L, struct transfer *t)
{
    if (t->active) {
        t->moved = false;
        lua_pushboolean(L, false);
        lua_pushinteger(L, t->done_bytes);
        lua_pushinteger(L, t->total_bytes);
        return 3;
    }
    if (t->rc)
        return mt_fault_raise(L, &t->fault);
    lua_pushboolean(L, true);
    if (t->job) {
        push_media(L, &t->media);
        return 2;
    }
    if (!t->path) {
        mt_lua_value_push(L, &t->attachment);
        return 2;
    }
    lua_createtable(L, 0, 3);
    lua_pushstring(L, t->path);
    lua_setfield(L, -2, "path");
    lua_pushinteger(L, t->bytes);
    lua_setfield(L, -2, "size");
    lua_pushstring(L, t->sha256);
    lua_setfield(L, -2, "sha256");
    return 2;
}

static int next_more(lua_State *L, int status, lua_KContext ctx)
{
    struct transfer_wait *w = (struct transfer_wait *)ctx;

    (void)status;
    mt_wait_check(L, &w->wait);
    return next_result(L, w->transfer);
}

/* transfer_next(transfer): true and the result, or false and how far it is. */
static int core_transfer_next(lua_State *L)
{
    struct transfer *t = *(struct transfer **)luaL_checkudata(L, 1, TYPE_TRANSFER);

    lua_settop(L, 1);
    mt_task_may_wait(L);
    if (!t)
        return mt_fault_raisef(L, MT_ERR_STATE, "transfer.closed", "the transfer has ended");
    if (!t->active || (t->tells && t->moved))
        return next_result(L, t);
    if (t->wait)
        return mt_fault_raisef(L, MT_ERR_STATE, "transfer.busy", "another task waits for it");
    struct transfer_wait *w = mt_wait_new(L, sizeof *w, NULL);
    w->transfer = t;
    w->wait.cancel = next_cancel;
    t->wait = &w->wait;
    return mt_task_wait(L, &w->wait, next_more);
}

/* ---------------------------------------------------------------- combined messages */

/* combine(conversation, messages): the file's bytes, and the level. */
static int core_combine(lua_State *L)
{
    struct mt_lua_conversation *c = mt_lua_conversation_check(L, 1);
    const struct mt_message *messages[COMBINE_N_MAX];
    struct mt_page *page = NULL;
    struct mt_fault fault;
    struct mt_buf out;
    lua_Integer n = 0;
    int level = 0;

    luaL_checktype(L, 2, LUA_TTABLE);
    mt_grant_check_to(L, &c->ref, "conversation:send_combine");
    if (!c->provider->live || !c->provider->live->combine)
        return unsupported(L, c->provider);
    n = luaL_len(L, 2);
    for (lua_Integer i = 1; i <= n && i <= COMBINE_N_MAX; i++) {
        lua_rawgeti(L, 2, i);
        messages[i - 1] = mt_lua_message_check(L, -1, &page); /* the table keeps it alive */
        lua_pop(L, 1);
    }
    mt_buf_init(&out, COMBINE_MAX);
    if (c->provider->live->combine(c->account, messages,
                                   (size_t)(n > COMBINE_N_MAX ? COMBINE_N_MAX : n), &out, &level,
                                   &fault)) {
        mt_buf_deinit(&out);
        return mt_fault_raise(L, &fault);
    }
    mt_lua_push_buf(L, &out);
    lua_pushinteger(L, level);
    return 2;
}

/* options(function, table): raises for what the API record does not have, and for what is missing.
 */
static int core_options(lua_State *L)
{
    const char *function = luaL_checkstring(L, 1);

    luaL_checktype(L, 2, LUA_TTABLE);
    mt_options_check(L, 2, function);
    mt_options_require(L, 2, function);
    return 0;
}

void mt_bind_files(lua_State *L)
{
    static const luaL_Reg functions[] = {{"upload", core_upload},
                                         {"download", core_download},
                                         {"media", core_media},
                                         {"transfer_next", core_transfer_next},
                                         {"combine", core_combine},
                                         {"options", core_options},
                                         {NULL, NULL}};

    luaL_setfuncs(L, functions, 0);
    mt_script_type(L, TYPE_TRANSFER, NULL, NULL, transfer_gc);
}

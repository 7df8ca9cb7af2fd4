/* conversation:history {}: an iterator that pages by itself. The reader stays one page ahead; pages
 * are copied, so a message outlives its page. With a picker only what it picks is copied, and there
 * may be several reads one after the other. */
#include "script/script_int.h"

#include "base/mem.h"
#include "provider/figures.h"
#include "provider/reader.h"

#include <string.h>

#define KINDS_MAX    16
#define TYPE_HISTORY "moontide.history"

struct history {
    struct mt_reader *reader;
    const struct mt_provider *provider;
    struct mt_provider_account *account;
    struct mt_page *page;   /* the one that is given out */
    struct mt_page *coming; /* the next, already there */
    size_t next;
    int64_t left;     /* messages still wanted; < 0: all */
    bool outstanding; /* the reader waits to be told to continue */
    bool ended;
    enum mt_rc rc;
    struct mt_fault fault;
    struct mt_wait *wait; /* of the task that waits for a page, or NULL */
    struct mt_account_figures *figures;
    const struct mt_lua_picker *picker; /* NULL: every message is given out */
    void *picker_ud;
    bool enough; /* the picker wants no more of this read */
};

int mt_lua_history_close(lua_State *L)
{
    struct history *h = luaL_checkudata(L, 1, TYPE_HISTORY);

    mt_reader_free(h->reader);
    h->reader = NULL;
    mt_page_release(h->page);
    mt_page_release(h->coming);
    h->page = h->coming = NULL;
    h->ended = true;
    return 0;
}

static void wake(struct history *h)
{
    struct mt_wait *wait = h->wait;
    h->wait = NULL;
    if (wait)
        mt_wait_wake(wait, MT_OK, NULL);
}

/* The page as it is given out; none when nothing of it is. */
static enum mt_rc copy_page(struct history *h, const struct mt_message *items, size_t n)
{
    struct mt_message *picked = NULL;
    enum mt_rc rc = MT_OK;

    if (h->picker) {
        picked = mt_mem_calloc(n ? n : 1, sizeof *picked);
        if (!picked)
            return MT_ERR_NOMEM;
        rc = h->picker->pick(h->picker_ud, items, n, picked, &n, &h->enough);
        items = picked;
    }
    if (!rc && (n || !h->picker)) {
        h->coming = mt_page_of_messages(items, n);
        rc = h->coming ? MT_OK : MT_ERR_NOMEM;
    }
    mt_mem_free(picked);
    if (h->coming) {
        h->coming->provider = h->provider;
        h->coming->account = h->account;
    }
    return rc;
}

static void page_came(void *ud, const struct mt_message *items, size_t n)
{
    struct history *h = ud;

    h->outstanding = true;
    if (copy_page(h, items, n))
        h->rc = mt_fault_set(&h->fault, MT_ERR_NOMEM, "memory", "out of memory");
    if (!h->coming && !h->enough && !h->rc) {
        h->outstanding = false;
        mt_reader_continue(h->reader);
        return;
    }
    wake(h);
}

static void reading_done(void *ud, enum mt_rc rc, const struct mt_fault *fault)
{
    struct history *h = ud;

    h->ended = true;
    if (rc) {
        h->rc = rc;
        h->fault = *fault;
        mt_account_figures_fault(h->figures, fault);
    }
    wake(h);
}

static void history_cancel(struct mt_wait *wait)
{
    mt_wait_wake(wait, MT_OK,
                 NULL); /* the check after the wait sees that the script is cancelled */
}

static bool start(lua_State *L, struct history *h, const struct mt_reader_options *options)
{
    h->ended = h->enough = h->outstanding = false;
    if (mt_reader_start(mt_script_of(L)->host->loop, h->provider, h->account, options, page_came,
                        reading_done, h, &h->reader, &h->fault)) {
        h->ended = true;
        h->rc = h->fault.kind;
    }
    return !h->rc;
}

/* The next read, if the picker wants another. */
static bool start_next(lua_State *L, struct history *h)
{
    struct mt_reader_options options;

    mt_reader_free(h->reader);
    h->reader = NULL;
    h->ended = true;
    memset(&options, 0, sizeof options);
    options.budget = mt_script_of(L)->host->budget;
    return h->picker && h->picker->next(h->picker_ud, &options) && start(L, h, &options);
}

static int history_next(lua_State *L);

static int history_more(lua_State *L, int status, lua_KContext ctx)
{
    struct history *h = lua_touserdata(L, lua_upvalueindex(1));

    (void)status;
    h->wait = NULL;
    mt_wait_check(L, (struct mt_wait *)ctx);
    lua_settop(L, 0);
    return history_next(L);
}

static int history_next(lua_State *L)
{
    struct history *h = lua_touserdata(L, lua_upvalueindex(1));

    for (;;) {
        while (h->page && h->next < h->page->n && h->left) {
            size_t at = h->next++;
            if (h->page->messages[at].type != MT_TYPE_MESSAGE)
                continue;
            if (h->left > 0)
                h->left--;
            mt_lua_message_push(L, h->page, at);
            return 1;
        }
        if (h->rc)
            return mt_fault_raise(L, &h->fault);
        if (!h->left)
            break;
        if (h->coming) {
            mt_page_release(h->page);
            h->page = h->coming;
            h->coming = NULL;
            h->next = 0;
            if (h->outstanding && h->reader && !h->ended && !h->enough) {
                h->outstanding = false;
                mt_reader_continue(h->reader);
            }
            continue;
        }
        if (h->ended || h->enough) {
            if (start_next(L, h) || h->rc)
                continue;
            break;
        }
        mt_task_may_wait(L);
        struct mt_wait *wait = mt_wait_new(L, sizeof *wait, NULL);
        wait->cancel = history_cancel;
        h->wait = wait;
        return mt_task_wait(L, wait, history_more);
    }
    mt_reader_free(h->reader);
    h->reader = NULL;
    h->ended = true;
    lua_pushnil(L);
    return 1;
}

static struct history *history_new(lua_State *L, const struct mt_lua_conversation *c, int64_t limit)
{
    struct history *h = lua_newuserdatauv(L, sizeof *h, 1);

    memset(h, 0, sizeof *h);
    if (luaL_newmetatable(L, TYPE_HISTORY)) {
        lua_pushcfunction(L, mt_lua_history_close);
        lua_setfield(L, -2, "__gc");
        lua_pushcfunction(L, mt_lua_history_close);
        lua_setfield(L, -2, "__close");
        lua_pushliteral(L, TYPE_HISTORY); /* scripts hold it: nobody else may be closed as one */
        lua_setfield(L, -2, "__metatable");
    }
    lua_setmetatable(L, -2);
    h->left = limit;
    h->provider = c->provider;
    h->account = c->account;
    h->figures = mt_account_figures_of(mt_script_of(L)->host->counting, c->account);
    return h;
}

/* Iterator, nil, nil, and what is closed when the loop is left, which is on top of the stack. */
static int push_iterator(lua_State *L)
{
    lua_pushvalue(L, -1);
    lua_pushcclosure(L, history_next, 1);
    lua_insert(L, -2);
    lua_pushnil(L);
    lua_insert(L, -2);
    lua_pushnil(L);
    lua_insert(L, -2);
    return 4;
}

int mt_lua_history(lua_State *L)
{
    struct mt_lua_conversation *c = mt_lua_conversation_check(L, 1);
    struct mt_reader_options options;
    const char *kinds[KINDS_MAX + 1];

    lua_settop(L, 2);
    mt_options_check(L, 2, "conversation:history");
    memset(&options, 0, sizeof options);
    options.query.conversation = c->ref;
    options.budget = mt_script_of(L)->host->budget;
    options.query.cursor = mt_option_string(L, 2, "cursor", NULL);
    options.query.limit = (int)mt_option_integer(L, 2, "page", 0);
    options.query.oldest_first = !strcmp(mt_option_string(L, 2, "order", "newest"), "oldest");
    options.query.since_ms = mt_option_time(L, 2, "since", 0);
    options.query.until_ms = mt_option_time(L, 2, "until", 0);
    options.query.from = mt_option_string(L, 2, "from", NULL);
    options.query.kinds = mt_option_list(L, 2, "kinds", kinds, KINDS_MAX) ? kinds : NULL;
    int64_t limit = mt_option_integer(L, 2, "limit", -1);
    if (limit > 0 && limit < 50 && !options.query.limit)
        options.query.limit = (int)limit;

    struct history *h = history_new(L, c, limit);
    if (!start(L, h, &options))
        return mt_fault_raise(L, &h->fault);
    return push_iterator(L);
}

int mt_lua_history_pick(lua_State *L, const struct mt_lua_conversation *c, int64_t limit,
                        const struct mt_lua_picker *picker, void *ud)
{
    struct history *h = history_new(L, c, limit);

    lua_pushvalue(L, -2);
    lua_setiuservalue(L, -2, 1);
    h->picker = picker;
    h->picker_ud = ud;
    if (!start_next(L, h) && h->rc)
        return mt_fault_raise(L, &h->fault);
    return push_iterator(L);
}

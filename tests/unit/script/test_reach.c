/* What a script can get hold of: everything that its state holds is walked with the means of C,
 * registry, upvalues, userdata byte by byte and stacks included, and no secret is there. */
#include "tests.h"

#include "base/secret.h"
#include "http/http.h"
#include "loop/loop.h"
#include "sandbox/sandbox.h"
#include "script/grant.h"
#include "script/script_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PASSWORD "pAsSwOrD-no-script-sees"

struct house {
    struct mt_loop *loop;
    struct mt_http *http;
    struct mt_sandbox *sandbox;
    struct mt_provider_account *account;
    const struct mt_provider *provider;
    struct mt_script_host host;
    struct mt_script *script;
    bool failed;
    struct mt_fault fault;
};

static void print(void *ud, const char *line, size_t len)
{
    (void)ud, (void)line, (void)len;
}

static void flush(void *ud)
{
    (void)ud;
}

static void progress(void *ud, const char *label, int64_t done, int64_t total, const char *unit,
                     const char *extra)
{
    (void)ud, (void)label, (void)done, (void)total, (void)unit, (void)extra;
}

static enum mt_rc resolve(void *ud, const char **name, const struct mt_provider **provider,
                          struct mt_provider_account **account, struct mt_fault *fault)
{
    struct house *house = ud;

    (void)fault;
    *name = "it";
    *provider = house->provider;
    *account = house->account;
    return MT_OK;
}

static void ended(void *ud, int status, const struct mt_fault *fault)
{
    struct house *house = ud;

    (void)status;
    house->failed = fault != NULL;
    if (fault)
        house->fault = *fault;
    mt_loop_stop(house->loop);
}

/* ---------------------------------------------------------------- the walk */

struct walk {
    lua_State *L;
    int seen, queue; /* tables on the stack */
    lua_Integer first, last;
    const char *needle;
    size_t n, strings_n, userdata_n, upvalues_n;
    bool found;
};

/* Takes the value on top of the stack. */
static void take(struct walk *w)
{
    lua_State *L = w->L;

    if (lua_type(L, -1) == LUA_TSTRING) {
        size_t len = 0;
        const char *text = lua_tolstring(L, -1, &len);
        w->found = w->found || memmem(text, len, w->needle, strlen(w->needle));
        w->strings_n++;
    }
    const void *p = lua_topointer(L, -1);
    if (!p || lua_type(L, -1) == LUA_TSTRING || lua_type(L, -1) == LUA_TLIGHTUSERDATA) {
        lua_pop(L, 1);
        return;
    }
    if (lua_rawgetp(L, w->seen, p) != LUA_TNIL) {
        lua_pop(L, 2);
        return;
    }
    lua_pop(L, 1);
    lua_pushboolean(L, 1);
    lua_rawsetp(L, w->seen, p);
    lua_rawseti(L, w->queue, ++w->last);
    w->n++;
}

static void into_table(struct walk *w)
{
    for (lua_pushnil(w->L); lua_next(w->L, -2);) {
        lua_pushvalue(w->L, -2);
        take(w);
        take(w);
    }
}

static void into_function(struct walk *w)
{
    for (int i = 1; lua_getupvalue(w->L, -1, i); i++) {
        w->upvalues_n++;
        take(w);
    }
}

static void into_userdata(struct walk *w)
{
    w->userdata_n++;
    w->found = w->found ||
               memmem(lua_touserdata(w->L, -1), lua_rawlen(w->L, -1), w->needle, strlen(w->needle));
    for (int i = 1; lua_getiuservalue(w->L, -1, i) != LUA_TNONE; i++)
        take(w);
    lua_pop(w->L, 1);
}

static void into_thread(struct walk *w)
{
    lua_State *T = lua_tothread(w->L, -1);

    for (int i = 1; T != w->L && i <= lua_gettop(T); i++) {
        lua_pushvalue(T, i);
        lua_xmove(T, w->L, 1);
        take(w);
    }
}

static void walk(struct walk *w)
{
    lua_State *L = w->L;

    assert_true(lua_checkstack(L, 40));
    lua_newtable(L);
    w->seen = lua_gettop(L);
    lua_newtable(L);
    w->queue = lua_gettop(L);
    lua_pushvalue(L, LUA_REGISTRYINDEX);
    take(w);
    while (w->first < w->last) {
        lua_rawgeti(L, w->queue, ++w->first);
        if (lua_getmetatable(L, -1))
            take(w);
        int type = lua_type(L, -1);
        if (type == LUA_TTABLE)
            into_table(w);
        else if (type == LUA_TFUNCTION)
            into_function(w);
        else if (type == LUA_TUSERDATA)
            into_userdata(w);
        else if (type == LUA_TTHREAD)
            into_thread(w);
        lua_pop(L, 1);
    }
    lua_pop(L, 2);
}

/* ---------------------------------------------------------------- the test */

static void open_house(struct house *house)
{
    struct mt_sandbox_options options = {.generate_n = 50};
    char rest[64];
    struct mt_secret *password = mt_secret_new(PASSWORD, strlen(PASSWORD));
    struct mt_account_config config = {.name = "it",
                                       .provider = "easemob",
                                       .appkey = "sandbox#demo",
                                       .user = "agent",
                                       .password = password,
                                       .rest = rest,
                                       .rate_per_s = -1};

    memset(house, 0, sizeof *house);
    assert_int_equal(mt_loop_new(&house->loop), MT_OK);
    assert_int_equal(mt_http_new(house->loop, NULL, &house->http, &house->fault), MT_OK);
    assert_int_equal(mt_sandbox_new(house->loop, &options, &house->sandbox, &house->fault), MT_OK);
    (void)snprintf(rest, sizeof rest, "http://127.0.0.1:%u", mt_sandbox_port(house->sandbox));
    house->provider = mt_provider_find("easemob");
    assert_int_equal(
        house->provider->open(house->loop, house->http, &config, &house->account, &house->fault),
        MT_OK);
    mt_secret_free(password);
    house->host = (struct mt_script_host){.loop = house->loop,
                                          .resolve = resolve,
                                          .print = print,
                                          .flush = flush,
                                          .progress = progress,
                                          .ud = house};
}

static void run(struct house *house, const char *text)
{
    struct mt_grant grant = mt_grant_default();
    struct mt_script_options options = {
        .name = "reach.lua", .text = text, .text_len = strlen(text), .grant = &grant};

    assert_int_equal(
        mt_script_start(&house->host, &options, ended, house, &house->script, &house->fault),
        MT_OK);
    mt_loop_run(house->loop);
    if (house->failed)
        fail_msg("the script failed: %s", house->fault.message);
}

static void close_house(struct house *house)
{
    mt_script_free(house->script);
    house->provider->close(house->account);
    mt_sandbox_free(house->sandbox);
    mt_http_free(house->http);
    assert_int_equal(mt_loop_free(house->loop), MT_OK);
}

static void find(struct house *house, const char *needle, bool there)
{
    struct walk w = {.L = house->script->L, .needle = needle};

    walk(&w);
    print_message("walked %zu values: %zu texts, %zu userdata, %zu upvalues\n", w.n, w.strings_n,
                  w.userdata_n, w.upvalues_n);
    assert_true(w.n > 300 && w.strings_n > 500 && w.userdata_n > 10 && w.upvalues_n > 100);
    assert_int_equal(w.found, there);
}

static void no_secret_is_within_reach(void **state)
{
    struct house house;

    (void)state;
    open_house(&house);
    /* what it holds stays, in its globals: handles of every kind, and faults */
    run(&house,
        "local m = require 'moontide'\n"
        "account = m.account 'it'\n"
        "local own = 'a text of the script itself'\n"
        "keep = function() return own end\n"
        "conversations, messages = {}, {}\n"
        "for c in account:conversations() do\n"
        "  conversations[#conversations + 1] = c\n"
        "  for message in c:history { limit = 5 } do\n"
        "    messages[#messages + 1] = { message, message.raw, message.body, message:json() }\n"
        "  end\n"
        "end\n"
        "checks = account:doctor()\n"
        "assert(#messages > 5)\n"
        "_, refused = m.try(m.http.get, 'https://127.0.0.1/')\n"
        "task = m.spawn(function() end)\n"
        "task:join()\n");
    find(&house, "a text of the script itself", true); /* the walk sees upvalues */
    find(&house, PASSWORD, false);
    find(&house, "YWMt", false); /* how this cloud's tokens begin */
    find(&house, "Bearer", false);
    close_house(&house);
}

int test_reach(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_secret_is_within_reach)};

    return cmocka_run_group_tests_name("reach", tests, NULL, NULL);
}

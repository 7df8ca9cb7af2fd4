/* moontide.audit and moontide.audit_verify: what is written down of deletions and sendings, and the
 * proof that it is whole; and what its operator does to keep it small. */
#include "script/script_int.h"

#include "base/mem.h"
#include "base/str.h"
#include "codec/sign.h"
#include "jobs/audit_log.h"
#include "loop/loop.h"
#include "policy/audit.h"
#include "policy/audit_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TYPE_READER "moontide.audit"
#define PAGE_MAX    ((size_t)8 << 20)
#define PLACE_MAX   4200

struct lua_reader {
    struct mt_audit_reader *reader;
    bool busy; /* a task reads on */
};

struct audit_wait {
    struct mt_wait wait;
    char dir[PLACE_MAX];
    char anchor[PLACE_MAX];
    struct mt_audit_filter filter; /* its texts are of the table of options, on the stack */
    struct lua_reader *to;
    struct mt_loop *loop;
    void (*fn)(void *ud);
    struct mt_buf text;
    bool more;
    struct mt_audit_proof proof;
    uint64_t noted_seq; /* 0: none */
    char noted_sha256[MT_AUDIT_KEY_HEX];
    struct mt_audit_options options;
    struct mt_audit_prune prune; /* its texts are of the stack, too */
    struct mt_audit_pruned pruned;
    uint32_t compressed_n;
    enum mt_rc rc;
    struct mt_fault fault;
};

static void audit_release(struct mt_wait *wait)
{
    struct audit_wait *w = (struct audit_wait *)wait;
    mt_buf_deinit(&w->text);
}

static void audit_done(void *ud, bool cancelled)
{
    struct audit_wait *w = ud;
    mt_wait_wake(&w->wait, cancelled ? MT_ERR_CANCELLED : w->rc, &w->fault);
}

static struct audit_wait *wait_new(lua_State *L, const char *function)
{
    const struct mt_script_audit *audit = mt_script_of(L)->host->audit;
    struct mt_audit_options place;
    struct mt_fault fault;

    mt_grant_check(L, "audit", function);
    if (!audit) {
        mt_fault_raisef(L, MT_ERR_NOT_FOUND, "audit.none", "there is no audit here");
        return NULL; /* not reached */
    }
    if (audit->place(audit->ud, &place, &fault))
        mt_fault_raise(L, &fault);
    mt_task_may_wait(L);
    struct audit_wait *w = mt_wait_new(L, sizeof *w, audit_release);
    mt_buf_init(&w->text, PAGE_MAX);
    snprintf(w->dir, sizeof w->dir, "%s", place.dir);
    snprintf(w->anchor, sizeof w->anchor, "%s", place.anchor ? place.anchor : "");
    w->options = place;
    w->options.dir = w->dir;
    w->options.anchor = w->anchor[0] ? w->anchor : NULL;
    return w;
}

/* What this process has written down is there. */
static void settled(void *ud, enum mt_rc rc, const struct mt_fault *fault)
{
    struct audit_wait *w = ud;

    if (!rc)
        rc = mt_work_start(w->loop, w->fn, audit_done, w, NULL);
    if (rc)
        mt_wait_wake(&w->wait, rc, fault);
}

static int start(lua_State *L, struct audit_wait *w, void (*fn)(void *ud), lua_KFunction k)
{
    const struct mt_script_audit *audit = mt_script_of(L)->host->audit;
    struct mt_audit_log *log = NULL;
    struct mt_fault fault;

    w->fn = fn;
    w->loop = mt_script_of(L)->host->loop;
    if (audit->log(audit->ud, false, &log, &fault))
        mt_fault_raise(L, &fault);
    enum mt_rc rc = mt_audit_log_settle(log, settled, w);

    if (rc)
        return mt_fault_raisef(L, rc, "memory", "out of memory");
    return mt_task_wait(L, &w->wait, k);
}

/* ---------------------------------------------------------------- reading */

static int reader_gc(lua_State *L)
{
    struct lua_reader *reader = luaL_checkudata(L, 1, TYPE_READER);

    mt_audit_reader_close(reader->reader);
    reader->reader = NULL;
    return 0;
}

static void open_it(void *ud)
{
    struct audit_wait *w = ud;
    w->rc = mt_audit_reader_open(w->dir, &w->filter, &w->to->reader, &w->fault);
}

static int opened(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    mt_wait_check(L, (struct mt_wait *)ctx);
    lua_settop(L, 2);
    return 1;
}

/* audit_open(options): a reader. */
static int core_audit_open(lua_State *L)
{
    lua_settop(L, 1);
    mt_options_check(L, 1, "moontide.audit");
    struct lua_reader *reader = lua_newuserdatauv(L, sizeof *reader, 0);
    reader->reader = NULL;
    reader->busy = false;
    luaL_setmetatable(L, TYPE_READER);
    struct audit_wait *w = wait_new(L, "moontide.audit");
    w->to = reader;
    w->filter = (struct mt_audit_filter){
        .since_ms = mt_option_time(L, 1, "since", 0),
        .until_ms = mt_option_time(L, 1, "until", 0),
        .account = mt_option_string(L, 1, "account", NULL),
        .verb = mt_option_string(L, 1, "verb", NULL),
        .id = mt_option_string(L, 1, "id", NULL),
        .conversation = mt_option_string(L, 1, "conversation", NULL),
        .person = mt_option_string(L, 1, "person", NULL),
        .actor = mt_option_string(L, 1, "actor", NULL),
        .plan = mt_option_string(L, 1, "plan", NULL),
    };
    return start(L, w, open_it, opened);
}

static void read_on(void *ud)
{
    struct audit_wait *w = ud;
    w->rc = mt_audit_reader_next(w->to->reader, &w->text, &w->more, &w->fault);
}

static int read_more(lua_State *L, int status, lua_KContext ctx)
{
    struct audit_wait *w = (struct audit_wait *)ctx;

    (void)status;
    w->to->busy = false;
    mt_wait_check(L, &w->wait);
    lua_pushlstring(L, w->text.len ? w->text.data : "", w->text.len);
    mt_buf_reset(&w->text);
    lua_pushboolean(L, w->more);
    return 2;
}

/* reader:next(): lines, and whether there may be more. One task at a time. */
static int reader_next(lua_State *L)
{
    struct lua_reader *reader = luaL_checkudata(L, 1, TYPE_READER);

    lua_settop(L, 1);
    struct audit_wait *w = wait_new(L, "moontide.audit");
    if (reader->busy || !reader->reader)
        return mt_fault_raisef(L, MT_ERR_STATE, "audit.busy", "another task reads on here");
    w->to = reader;
    reader->busy = true;
    return start(L, w, read_on, read_more);
}

/* ---------------------------------------------------------------- the proof */

static void prove(void *ud)
{
    struct audit_wait *w = ud;

    w->rc = mt_audit_prove_noted(w->dir, w->options.anchor, w->noted_seq, w->noted_sha256,
                                 &w->proof, &w->fault);
}

static void put_number(lua_State *L, const char *key, uint64_t v)
{
    lua_pushinteger(L, (lua_Integer)v);
    lua_setfield(L, -2, key);
}

static void put_text(lua_State *L, const char *key, const char *v)
{
    lua_pushstring(L, v);
    lua_setfield(L, -2, key);
}

static void put_key(lua_State *L, const char *hex)
{
    uint8_t key[MT_SIGN_KEY_LEN];
    struct mt_buf text;

    for (size_t i = 0; i < sizeof key; i++) {
        const char digits[] = {hex[2 * i], hex[2 * i + 1], '\0'};
        key[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    mt_buf_init(&text, 1024);
    if (!mt_sign_write_public(&text, key)) {
        mt_lua_push_buf(L, &text);
        lua_setfield(L, -2, "pem");
    } else {
        mt_buf_deinit(&text);
    }
}

static int proved(lua_State *L, int status, lua_KContext ctx)
{
    struct audit_wait *w = (struct audit_wait *)ctx;
    const struct mt_audit_proof *proof = &w->proof;
    enum mt_rc rc = w->wait.rc;

    (void)status;
    if (rc != MT_ERR_DAMAGED && rc != MT_ERR_STATE) /* those two are the answer */
        mt_wait_check(L, &w->wait);
    lua_createtable(L, 0, 16);
    put_text(L, "verdict", !rc ? "sound" : rc == MT_ERR_STATE ? "cut" : "damaged");
    if (rc) {
        put_text(L, "problem", w->fault.message);
        put_text(L, "code", w->fault.code);
    }
    if (proof->bad_seq)
        put_number(L, "record", proof->bad_seq);
    put_number(L, "records", proof->first_seq ? proof->records_n - proof->first_seq + 1 : 0);
    put_number(L, "first", proof->first_seq);
    put_number(L, "last", proof->records_n);
    if (proof->pruned_by)
        put_number(L, "pruned_by", proof->pruned_by);
    put_number(L, "segments", proof->segments_n);
    put_number(L, "bytes", proof->bytes);
    put_number(L, "first_time", (uint64_t)proof->first_ms);
    put_number(L, "last_time", (uint64_t)proof->last_ms);
    put_number(L, "unsettled", proof->open_n);
    put_number(L, "head", proof->head_seq);
    if (w->anchor[0])
        put_number(L, "anchor", proof->anchor_seq);
    put_number(L, "torn_bytes", (uint64_t)proof->torn_bytes);
    put_text(L, "sha256", proof->sha256);
    put_text(L, "key", proof->key);
    if (proof->key[0])
        put_key(L, proof->key);
    return 1;
}

/* "NUMBER:SHA256", as a run prints it. */
static bool take_noted(const char *noted, struct audit_wait *w)
{
    const char *colon = strchr(noted, ':');
    char number[24];

    if (!colon || (size_t)(colon - noted) >= sizeof number ||
        strlen(colon + 1) != sizeof w->noted_sha256 - 1 ||
        strspn(colon + 1, "0123456789abcdef") != sizeof w->noted_sha256 - 1)
        return false;
    snprintf(number, sizeof number, "%.*s", (int)(colon - noted), noted);
    snprintf(w->noted_sha256, sizeof w->noted_sha256, "%s", colon + 1);
    return mt_str_u64(number, &w->noted_seq) && w->noted_seq;
}

/* audit_verify(options) */
static int core_audit_verify(lua_State *L)
{
    lua_settop(L, 1);
    mt_options_check(L, 1, "moontide.audit_verify");
    const char *noted = lua_istable(L, 1) ? mt_option_string(L, 1, "noted", NULL) : NULL;
    struct audit_wait *w = wait_new(L, "moontide.audit_verify");

    if (noted && !take_noted(noted, w))
        return mt_fault_raisef(L, MT_ERR_INVALID, "audit.noted",
                               "what was noted is NUMBER:HASH, as the end of a run prints it");
    return start(L, w, prove, proved);
}

/* ---------------------------------------------------------------- keeping it small */

/* A script that deletes must not be able to remove the record of it. */
static struct audit_wait *wait_by_hand(lua_State *L, const char *function)
{
    mt_grant_check(L, "audit", function);
    if (!mt_script_of(L)->by_hand)
        mt_fault_raisef(L, MT_ERR_DENIED, "audit.by_hand",
                        "%s is no script's to call: it is done with moontide audit", function);
    return wait_new(L, function);
}

static void prune(void *ud)
{
    struct audit_wait *w = ud;
    w->rc = mt_audit_prune(&w->options, &w->prune, &w->pruned, &w->fault);
}

static int was_pruned(lua_State *L, int status, lua_KContext ctx)
{
    struct audit_wait *w = (struct audit_wait *)ctx;
    const struct mt_audit_pruned *pruned = &w->pruned;

    (void)status;
    mt_wait_check(L, &w->wait);
    lua_createtable(L, 0, 8);
    put_number(L, "segments", pruned->segments_n);
    put_number(L, "records", pruned->records_n);
    put_number(L, "unsettled", pruned->unsettled_n);
    if (pruned->records_n) {
        put_number(L, "last", pruned->last_seq);
        put_number(L, "first_time", (uint64_t)pruned->first_ms);
        put_number(L, "last_time", (uint64_t)pruned->last_ms);
        put_text(L, "sha256", pruned->sha256);
    }
    if (pruned->statement)
        put_number(L, "record", pruned->statement);
    return 1;
}

/* audit_prune { before, why, apply } */
static int core_audit_prune(lua_State *L)
{
    lua_settop(L, 1);
    luaL_checktype(L, 1, LUA_TTABLE);
    mt_options_check(L, 1, "moontide.audit_prune");
    struct audit_wait *w = wait_by_hand(L, "moontide.audit_prune");
    w->prune = (struct mt_audit_prune){
        .before_ms = mt_option_time(L, 1, "before", 0),
        .actor = mt_script_of(L)->command,
        .why = mt_option_string(L, 1, "why", NULL),
        .apply = mt_option_boolean(L, 1, "apply", false),
    };
    return start(L, w, prune, was_pruned);
}

static void compact(void *ud)
{
    struct audit_wait *w = ud;
    struct mt_audit *audit = NULL;
    struct mt_fault closing;

    w->rc = mt_audit_prove(w->dir, w->options.anchor, &w->proof, &w->fault);
    if (!w->rc)
        w->rc = mt_audit_open(&w->options, &audit, &w->fault);
    if (w->rc)
        return;
    w->rc = mt_audit_compact(audit, &w->compressed_n, &w->fault);
    enum mt_rc rc = mt_audit_close(audit, &closing);
    if (!w->rc && rc) {
        w->rc = rc;
        w->fault = closing;
    }
}

static int was_compacted(lua_State *L, int status, lua_KContext ctx)
{
    const struct audit_wait *w = (const struct audit_wait *)ctx;

    (void)status;
    mt_wait_check(L, (struct mt_wait *)ctx);
    lua_pushinteger(L, w->compressed_n);
    return 1;
}

static int core_audit_compact(lua_State *L)
{
    lua_settop(L, 0);
    return start(L, wait_by_hand(L, "moontide.audit_compact"), compact, was_compacted);
}

void mt_bind_audit(lua_State *L)
{
    static const luaL_Reg functions[] = {{"audit_open", core_audit_open},
                                         {"audit_verify", core_audit_verify},
                                         {"audit_prune", core_audit_prune},
                                         {"audit_compact", core_audit_compact},
                                         {NULL, NULL}};
    static const luaL_Reg methods[] = {{"next", reader_next}, {NULL, NULL}};

    mt_script_type(L, TYPE_READER, methods, NULL, reader_gc);
    luaL_setfuncs(L, functions, 0);
}

/* The link: frames in both directions, and calls. Both sides call each other alike: a call becomes
 * a task of the side that is asked, and a wait of the one that asks. */
#include "script/isolate_int.h"

#include "base/child.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop/loop.h"

#include <stdio.h>
#include <string.h>

#define ASKED     "moontide.asked"
#define PIECE     65536u
#define TURN_MAX  64u /* frames: others have their turn then */
#define OUT_MAX   ((size_t)64 << 20)
#define SLOT_BITS 14 /* MT_LINK_CALLS_MAX */
#define TEXT_MAX  (MT_WIRE_FRAME_MAX - 64)

struct mt_call_wait {
    struct mt_wait wait;
    struct mt_link *link;
    uint32_t id;
    bool answered, failed;
    bool sync; /* nobody is woken: it is looked at */
    char *values;
    size_t len;
};

/* ---------------------------------------------------------------- what is asked for */

static struct mt_call_slot *slot_of(struct mt_link *link, uint32_t id)
{
    uint32_t at = id & (MT_LINK_CALLS_MAX - 1);

    if (at >= link->calls_n || (link->calls[at].used_n << SLOT_BITS | at) != id)
        return NULL;
    return link->calls[at].wait ? &link->calls[at] : NULL;
}

static bool grow(struct mt_link *link)
{
    uint32_t n = link->calls_n ? link->calls_n * 2 : 64;

    if (n > MT_LINK_CALLS_MAX)
        return false;
    struct mt_call_slot *calls = mt_mem_realloc(link->calls, n * sizeof *calls);
    if (!calls)
        return false;
    memset(calls + link->calls_n, 0, (n - link->calls_n) * sizeof *calls);
    link->calls_at = link->calls_n;
    link->calls = calls;
    link->calls_n = n;
    return true;
}

static bool slot_take(struct mt_link *link, struct mt_call_wait *w)
{
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < link->calls_n; i++) {
            uint32_t at = (link->calls_at + i) % link->calls_n;
            struct mt_call_slot *slot = &link->calls[at];
            if (slot->wait)
                continue;
            slot->wait = w;
            if (!(++slot->used_n << SLOT_BITS))
                slot->used_n++; /* 0 is no call */
            w->id = slot->used_n << SLOT_BITS | at;
            link->calls_at = at + 1;
            return true;
        }
        if (!grow(link))
            return false;
    }
    return false;
}

static void slot_free(struct mt_call_wait *w)
{
    struct mt_call_slot *slot = w->id ? slot_of(w->link, w->id) : NULL;

    if (slot && slot->wait == w)
        slot->wait = NULL;
    w->id = 0;
}

static void call_release(struct mt_wait *wait)
{
    struct mt_call_wait *w = (struct mt_call_wait *)wait;

    slot_free(w);
    mt_mem_free(w->values);
    w->values = NULL;
}

/* The other side need not go on with it. */
static void call_cancel(struct mt_wait *wait)
{
    struct mt_call_wait *w = (struct mt_call_wait *)wait;

    if (w->id)
        mt_link_say(w->link, MT_FRAME_ABORT, w->id);
    slot_free(w);
    mt_wait_wake(wait, MT_OK, NULL); /* the check after the wait sees what was cancelled */
}

static bool answer_came(struct mt_link *link, const struct mt_frame *frame)
{
    struct mt_call_slot *slot = slot_of(link, frame->a);

    if (!slot)
        return true; /* to a call that nobody waits for any more */
    struct mt_call_wait *w = slot->wait;
    w->values = mt_mem_alloc(frame->len);
    if (!w->values)
        return false;
    memcpy(w->values, frame->values, frame->len);
    w->len = frame->len;
    w->failed = frame->op == MT_FRAME_FAIL;
    w->answered = true;
    slot_free(w);
    if (!w->sync)
        mt_wait_wake(&w->wait, MT_OK, NULL);
    return true;
}

/* ---------------------------------------------------------------- sending */

static void flush(struct mt_link *link)
{
    size_t sent = 0;

    while (!link->lost && sent < link->out.len) {
        int64_t n = mt_child_send(link->fd, link->out.data + sent, link->out.len - sent);
        if (n < 0 || (n == 0 && link->child && !mt_child_wait(link->fd, true))) {
            sent = link->out.len; /* its end is noticed where it is read from */
            break;
        }
        if (n == 0 && !link->child)
            break;
        sent += (size_t)n;
    }
    mt_buf_consume(&link->out, sent);
    if (!link->lost && link->poll && !link->child)
        mt_poll_set(link->poll,
                    (link->rests ? 0 : MT_POLL_READ) | (link->out.len ? MT_POLL_WRITE : 0));
}

static void head_of(const struct mt_frame *frame, size_t len, uint8_t head[MT_FRAME_HEAD])
{
    uint32_t whole = (uint32_t)(len + MT_FRAME_HEAD);

    memcpy(head, &whole, 4);
    head[4] = frame->op;
    head[5] = frame->may_wait;
    memcpy(head + 6, &frame->a, 4);
    memcpy(head + 10, &frame->b, 4);
}

static void send_frame(struct mt_link *link, const struct mt_frame *frame, const void *values,
                       size_t len)
{
    uint8_t head[MT_FRAME_HEAD];
    struct mt_fault fault;

    if (link->lost)
        return;
    head_of(frame, len, head);
    mt_buf_append(&link->out, head, sizeof head);
    if (len)
        mt_buf_append(&link->out, values, len);
    if (link->out.failed) {
        mt_fault_set(&fault, MT_ERR_LIMIT, "isolated.stuck",
                     "the script's process does not take what it is given; it was ended");
        link->over(link, &fault);
        return;
    }
    flush(link);
    if (link->said)
        link->said(link, frame->op);
}

void mt_link_say(struct mt_link *link, enum mt_frame_op op, uint32_t a)
{
    const struct mt_frame frame = {.op = (uint8_t)op, .a = a};
    send_frame(link, &frame, NULL, 0);
}

void mt_link_say_text(struct mt_link *link, enum mt_frame_op op, uint32_t a, const char *text,
                      size_t len)
{
    const struct mt_frame frame = {.op = (uint8_t)op, .a = a};

    mt_buf_reset(&link->scratch);
    mt_wire_write_text(&link->scratch, text, len < TEXT_MAX ? len : TEXT_MAX);
    if (!link->scratch.failed)
        send_frame(link, &frame, link->scratch.data, link->scratch.len);
}

void mt_link_say_values(lua_State *L, struct mt_link *link, struct mt_frame frame, int first)
{
    mt_buf_reset(&link->scratch);
    mt_wire_write(L, first, link->handles, &link->scratch);
    send_frame(link, &frame, link->scratch.data, link->scratch.len);
}

/* ---------------------------------------------------------------- calling */

static int answered(lua_State *L, int status, lua_KContext ctx)
{
    struct mt_call_wait *w = (struct mt_call_wait *)ctx;
    struct mt_fault fault;

    (void)status;
    mt_wait_check(L, &w->wait);
    if (!w->answered) {
        mt_fault_set(&fault, MT_ERR_STATE, "isolated.gone", "the script's process is gone");
        return mt_fault_raise(L, &fault);
    }
    int n = mt_wire_read(L, (const uint8_t *)w->values, w->len, w->link->handles);
    bool failed = w->failed;
    mt_mem_free(w->values);
    w->values = NULL;
    if (!failed)
        return n;
    if (!n)
        lua_pushnil(L);
    if (lua_type(L, -1) == LUA_TSTRING && w->link->child) { /* where it happened is known here */
        luaL_where(L, 1);
        lua_insert(L, -2);
        lua_concat(L, 2);
    }
    return lua_error(L);
}

int mt_link_call(lua_State *L)
{
    struct mt_script *script = mt_script_of(L);
    struct mt_link *link = script->link;
    struct mt_frame frame = {.op = MT_FRAME_CALL, .may_wait = true};

    if (!link->child)
        mt_task_may_wait(L);
    else if (script->cancelled || (script->current && script->current->cancelled))
        mt_fault_raisef(L, MT_ERR_CANCELLED, "script.cancelled", "the script was stopped");
    if (link->lost)
        mt_fault_raisef(L, MT_ERR_STATE, "isolated.gone", "the script's process is gone");
    frame.may_wait = script->current && lua_isyieldable(L);
    frame.b = script->current ? script->current->call : 0;
    struct mt_call_wait *w = mt_wait_new(L, sizeof *w, call_release);
    w->wait.cancel = call_cancel;
    w->link = link;
    w->sync = !frame.may_wait;
    lua_insert(L, 1);
    mt_buf_reset(&link->scratch);
    mt_wire_write(L, 2, link->handles, &link->scratch);
    if (!slot_take(link, w))
        mt_fault_raisef(L, MT_ERR_LIMIT, "isolated.calls",
                        "an isolated script waits for %u calls at once at most", MT_LINK_CALLS_MAX);
    frame.a = w->id;
    send_frame(link, &frame, link->scratch.data, link->scratch.len);
    lua_settop(L, 1);
    if (!w->sync)
        return mt_task_wait(L, &w->wait, answered);
    while (!w->answered)
        mt_link_wait(link);
    return answered(L, LUA_OK, (lua_KContext)w);
}

/* ---------------------------------------------------------------- being called */

static int say_protected(lua_State *L)
{
    struct mt_link *link = mt_script_of(L)->link;
    const struct mt_frame *frame = lua_touserdata(L, 1);

    mt_link_say_values(L, link, *frame, 2);
    return 0;
}

/* The values from 3 on, or the error on top. */
static int served(lua_State *L, int status, lua_KContext id)
{
    struct mt_frame frame = {.op = MT_FRAME_ANSWER, .a = (uint32_t)id};
    struct mt_link *link = mt_script_of(L)->link;
    struct mt_fault fault;

    if (status != LUA_OK && status != LUA_YIELD) {
        frame.op = MT_FRAME_FAIL;
        lua_insert(L, 3);
        lua_settop(L, 3);
    }
    luaL_checkstack(L, 4, "isolated");
    for (;;) {
        lua_pushcfunction(L, say_protected);
        lua_insert(L, 3);
        lua_pushlightuserdata(L, &frame);
        lua_insert(L, 4);
        if (!lua_pcall(L, lua_gettop(L) - 3, 0, 0))
            return 0;
        if (frame.op == MT_FRAME_FAIL && lua_type(L, -1) == LUA_TSTRING) {
            mt_fault_from_lua(L, &fault); /* no memory, not even for that */
            link->over(link, &fault);
            return 0;
        }
        if (frame.op == MT_FRAME_FAIL) {
            lua_settop(L, 2);
            lua_pushliteral(L, "an error that does not leave its process");
        }
        frame.op = MT_FRAME_FAIL;
        lua_insert(L, 3);
        lua_settop(L, 3);
    }
}

/* (id, may wait, function, ...): the task of a call. */
static int serve(lua_State *L)
{
    lua_KContext id = (lua_KContext)lua_tointeger(L, 1);
    int n = lua_gettop(L) - 3;

    if (lua_toboolean(L, 2))
        return served(L, lua_pcallk(L, n, LUA_MULTRET, 0, id, served), id);
    return served(L, lua_pcall(L, n, LUA_MULTRET, 0), id);
}

/* The function of a name: "index", or "TYPE:METHOD". Takes the place of the name. */
static void find_function(lua_State *L, int at)
{
    const char *name = lua_tostring(L, at);
    const char *colon = strchr(name, ':');

    if (colon) {
        lua_pushliteral(L, "methods of ");
        lua_pushlstring(L, name, (size_t)(colon - name));
        lua_concat(L, 2);
        lua_gettable(L, LUA_REGISTRYINDEX);
    } else {
        lua_getfield(L, LUA_REGISTRYINDEX, ASKED);
    }
    if (lua_type(L, -1) == LUA_TTABLE) {
        lua_pushstring(L, colon ? colon + 1 : name);
        lua_rawget(L, -2);
        lua_replace(L, at);
    }
    lua_settop(L, lua_gettop(L) - 1);
}

static uint64_t number_of_call(struct mt_link *link, uint32_t id)
{
    const struct mt_call_slot *slot = id ? slot_of(link, id) : NULL;
    return slot && slot->wait->wait.task ? slot->wait->wait.task->number : 0;
}

static int take_call(lua_State *L)
{
    struct mt_link *link = lua_touserdata(L, 1);
    const struct mt_frame *frame = lua_touserdata(L, 2);
    struct mt_script *script = link->script;

    lua_settop(L, 0);
    if (script->alive_n > MT_LINK_CALLS_MAX)
        mt_fault_raisef(L, MT_ERR_LIMIT, "isolated.calls",
                        "the script's process asks for too much at once; it was ended");
    lua_pushcfunction(L, serve);
    lua_pushinteger(L, (lua_Integer)frame->a);
    lua_pushboolean(L, frame->may_wait);
    int n = mt_wire_read(L, frame->values, frame->len, link->handles);
    if (n && lua_type(L, 4) == LUA_TSTRING)
        find_function(L, 4);
    if (!n || lua_gettop(L) != n + 3 || lua_type(L, 4) != LUA_TFUNCTION)
        mt_fault_raisef(L, MT_ERR_PROTOCOL, "isolated.protocol",
                        "the script's process asked for what there is not; it was ended");
    struct mt_task *task = mt_task_spawn(script, L, n + 2);
    if (!task)
        return mt_fault_raisef(L, MT_ERR_NOMEM, "memory", "out of memory");
    task->call = frame->a;
    task->acts_for = number_of_call(link, frame->b);
    return 0;
}

static int take_drop(lua_State *L)
{
    mt_object_drop(L, (uint32_t)lua_tointeger(L, 1));
    return 0;
}

static bool protected(lua_State *L, int n, struct mt_fault *fault)
{
    if (lua_pcall(L, n, 0, 0)) {
        mt_fault_from_lua(L, fault);
        return false;
    }
    return true;
}

static void abort_call(struct mt_link *link, uint32_t id)
{
    for (struct mt_task *task = link->script->tasks; task; task = task->next) {
        if (task->call == id && !task->ended) {
            mt_task_cancel(task);
            return;
        }
    }
}

static bool take(struct mt_link *link, const struct mt_frame *frame, struct mt_fault *fault)
{
    lua_State *L = link->script->L;

    switch (frame->op) {
    case MT_FRAME_CALL:
        if (link->child)
            return link->take(link, frame, fault);
        return mt_link_serve(link, frame, fault);
    case MT_FRAME_ANSWER:
    case MT_FRAME_FAIL:
        if (!answer_came(link, frame))
            return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory") == MT_OK;
        return true;
    case MT_FRAME_ABORT:
        abort_call(link, frame->a);
        return true;
    case MT_FRAME_DROP:
        lua_pushcfunction(L, take_drop);
        lua_pushinteger(L, (lua_Integer)frame->a);
        return protected(L, 1, fault);
    default:
        return link->take(link, frame, fault);
    }
}

bool mt_link_serve(struct mt_link *link, const struct mt_frame *frame, struct mt_fault *fault)
{
    lua_State *L = link->script->L;

    lua_pushcfunction(L, take_call);
    lua_pushlightuserdata(L, link);
    lua_pushlightuserdata(L, (void *)frame);
    return protected(L, 2, fault);
}

/* ---------------------------------------------------------------- receiving */

/* What has come, as far as one turn goes. */
static void deal(struct mt_link *link)
{
    struct mt_fault fault;
    struct mt_frame frame;
    size_t whole = 0;
    unsigned n = 0;

    while (!link->lost) {
        const uint8_t *p = (const uint8_t *)link->in.data + link->at;
        if (mt_frame_parse(p, link->in.len - link->at, &frame, &whole, &fault)) {
            link->over(link, &fault);
            return;
        }
        if (!whole)
            break;
        if (n++ == TURN_MAX) {
            link->rests = true;
            mt_timer_start(link->again, 0, 0);
            mt_poll_set(link->poll, link->out.len && !link->child ? MT_POLL_WRITE : 0);
            return;
        }
        link->at += whole;
        if (!take(link, &frame, &fault)) {
            if (!link->lost)
                link->over(link, &fault);
            return;
        }
    }
    mt_buf_consume(&link->in, link->at < link->in.len ? link->at : link->in.len);
    link->at = 0;
}

static void go_on(void *ud)
{
    struct mt_link *link = ud;

    link->rests = false;
    if (link->lost)
        return;
    mt_poll_set(link->poll, MT_POLL_READ | (link->out.len && !link->child ? MT_POLL_WRITE : 0));
    deal(link);
}

/* False: the other side is gone. */
static bool receive(struct mt_link *link)
{
    if (link->at) {
        mt_buf_consume(&link->in, link->at);
        link->at = 0;
    }
    if (mt_buf_reserve(&link->in, PIECE))
        return false;
    int64_t n = mt_child_receive(link->fd, link->in.data + link->in.len, PIECE);
    if (n < 0)
        return false;
    link->in.len += (size_t)n;
    return true;
}

static void on_poll(void *ud, int events, bool error)
{
    struct mt_link *link = ud;

    if (link->lost)
        return;
    if (events & MT_POLL_WRITE)
        flush(link);
    if ((events & MT_POLL_READ) || error) {
        bool there = receive(link);
        deal(link);
        if (!there && !link->lost)
            link->over(link, NULL);
    }
}

void mt_link_wait(struct mt_link *link)
{
    if (!mt_child_wait(link->fd, false) || !receive(link))
        link->over(link, NULL);
    deal(link);
}

/* ---------------------------------------------------------------- life */

enum mt_rc mt_link_open(struct mt_link *link)
{
    mt_buf_init(&link->in, MT_WIRE_FRAME_MAX + 2 * (size_t)PIECE);
    mt_buf_init(&link->out, OUT_MAX);
    mt_buf_init(&link->scratch, MT_WIRE_FRAME_MAX - MT_FRAME_HEAD);
    link->script->link = link;
    if (mt_poll_new(link->script->host->loop, link->fd, on_poll, link, &link->poll) ||
        mt_timer_new(link->script->host->loop, go_on, link, &link->again))
        return MT_ERR_NOMEM;
    mt_poll_set(link->poll, MT_POLL_READ);
    return MT_OK;
}

void mt_link_lose(struct mt_link *link, const struct mt_fault *fault)
{
    if (link->lost)
        return;
    link->lost = true;
    mt_poll_free(link->poll);
    mt_timer_free(link->again);
    link->poll = NULL;
    link->again = NULL;
    for (uint32_t i = 0; i < link->calls_n; i++) {
        struct mt_call_wait *w = link->calls[i].wait;
        if (!w)
            continue;
        slot_free(w);
        if (!w->sync)
            mt_wait_wake(&w->wait, fault->kind, fault);
    }
}

void mt_link_deinit(struct mt_link *link)
{
    mt_buf_deinit(&link->in);
    mt_buf_deinit(&link->out);
    mt_buf_deinit(&link->scratch);
    mt_mem_free(link->calls);
    link->calls = NULL;
    link->calls_n = 0;
}

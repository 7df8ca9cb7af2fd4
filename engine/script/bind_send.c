/* conversation:send and what refers to earlier messages: read, recalled, edited. */
#include "script/audit_int.h"
#include "script/live_int.h"

#include "base/arena.h"
#include "base/str.h"
#include "codec/json.h"
#include "provider/figures.h"

#include <stdio.h>
#include <string.h>

#define ONLY_MAX  100
#define ARENA_MAX ((size_t)4 << 20)

struct send_wait {
    struct mt_wait wait;
    const struct mt_provider *provider;
    struct mt_provider_call *call;
    struct mt_arena *arena; /* what goes out, until it was handed over */
    struct mt_script *script;
    struct mt_provider_account *account;
    struct mt_audited audited;
    struct mt_outgoing message; /* all of it in the arena */
    struct mt_reference reference;
    char id[MT_ID_MAX];
    int64_t time_ms;
    bool is_message; /* not what refers to one */
};

static void send_release(struct mt_wait *wait)
{
    struct send_wait *w = (struct send_wait *)wait;
    mt_arena_free(w->arena);
    w->arena = NULL;
}

static void send_cancel(struct mt_wait *wait)
{
    struct send_wait *w = (struct send_wait *)wait;

    if (w->audited.intending)
        w->audited.stopped = true;
    else
        w->provider->cancel(w->call);
}

static void sent(void *ud, enum mt_rc rc, const struct mt_sent *result,
                 const struct mt_fault *fault)
{
    struct send_wait *w = ud;

    if (w->is_message && w->wait.figures && rc != MT_ERR_CANCELLED)
        (*(rc ? &w->wait.figures->send_failures_n : &w->wait.figures->sends_n))++;
    if (!rc) {
        snprintf(w->id, sizeof w->id, "%s", result->id ? result->id : "");
        w->time_ms = result->time_ms;
        mt_lua_live_sent(w->script, w->account, w->id);
    }
    mt_audited_end(&w->audited, rc, w->id, fault);
    mt_wait_wake(&w->wait, rc, fault);
}

/* The cloud was not asked. */
static void not_sent(struct send_wait *w, enum mt_rc rc, const struct mt_fault *fault)
{
    mt_audited_end(&w->audited, rc, NULL, fault);
    mt_wait_wake(&w->wait, rc, fault);
}

static void send_now(void *ud, enum mt_rc rc, const struct mt_fault *fault)
{
    struct send_wait *w = ud;

    if (!rc && w->audited.stopped)
        rc = MT_ERR_CANCELLED;
    if (!rc)
        rc = w->provider->live->send(w->account, &w->message, sent, w, &w->call);
    if (rc)
        not_sent(w, rc, fault);
}

static void refer_now(void *ud, enum mt_rc rc, const struct mt_fault *fault)
{
    struct send_wait *w = ud;

    if (!rc && w->audited.stopped)
        rc = MT_ERR_CANCELLED;
    if (!rc)
        rc = w->provider->live->refer(w->account, &w->reference, sent, w, &w->call);
    if (rc)
        not_sent(w, rc, fault);
}

static int sent_more(lua_State *L, int status, lua_KContext ctx)
{
    struct send_wait *w = (struct send_wait *)ctx;

    (void)status;
    mt_wait_check(L, &w->wait);
    lua_createtable(L, 0, 2);
    lua_pushstring(L, w->id);
    lua_setfield(L, -2, "id");
    lua_pushinteger(L, w->time_ms);
    lua_setfield(L, -2, "time");
    return 1;
}

static struct send_wait *wait_new(lua_State *L, const struct mt_provider *provider,
                                  struct mt_provider_account *account)
{
    struct send_wait *w = mt_wait_new(L, sizeof *w, send_release);

    w->wait.cancel = send_cancel;
    mt_wait_of_account(&w->wait, account);
    w->provider = provider;
    w->script = mt_script_of(L);
    w->account = account;
    w->arena = mt_arena_new(ARENA_MAX);
    if (!w->arena)
        mt_fault_raisef(L, MT_ERR_NOMEM, "memory", "out of memory");
    return w;
}

/* ---------------------------------------------------------------- from Lua to what goes out */

/* A table of the options, as the model has it. */
static void take_map(lua_State *L, int index, const char *key, struct mt_arena *arena,
                     struct mt_value *out)
{
    struct mt_json *json = NULL;
    size_t len = 0;
    enum mt_rc rc = MT_OK;

    if (lua_getfield(L, index, key) == LUA_TNIL) {
        lua_pop(L, 1);
        return;
    }
    const char *text = mt_lua_json_push(L, -1, &len);
    rc = mt_json_parse(text, len, ARENA_MAX, &json, NULL);
    if (!rc)
        rc = mt_value_from_json(json, arena, out);
    mt_json_free(json);
    if (rc)
        mt_fault_raisef(L, rc, "send.too_long", "%s is too large to be sent", key);
    if (out->type == MT_VALUE_LIST && !out->items_n) /* {} in Lua */
        *out = (struct mt_value){.type = MT_VALUE_MAP};
    lua_pop(L, 2);
}

static enum mt_message_kind kind_of(lua_State *L, const char *name)
{
    const char *names[MT_MESSAGE_OTHER];

    for (int i = 0; i < MT_MESSAGE_OTHER; i++) {
        names[i] = mt_message_kind_name((enum mt_message_kind)i);
        if (!strcmp(names[i], name))
            return (enum mt_message_kind)i;
    }
    const char *near = mt_str_nearest(name, names, MT_MESSAGE_OTHER);
    mt_fault_raisef(L, MT_ERR_INVALID, "send.kind", "there is no kind '%s' of message%s%s%s", name,
                    near ? ": did you mean '" : "", near ? near : "", near ? "'?" : "");
    return MT_MESSAGE_TEXT; /* not reached */
}

/* The argument at index is a text or a table of options. */
static void take_outgoing(lua_State *L, int index, const char *function, struct mt_arena *arena,
                          const char **only, struct mt_outgoing *out)
{
    *out = (struct mt_outgoing){.priority = 1};
    if (lua_type(L, index) == LUA_TSTRING) {
        out->text = lua_tolstring(L, index, &out->text_len);
        return;
    }
    luaL_checktype(L, index, LUA_TTABLE);
    mt_options_check(L, index, function);
    out->kind = kind_of(L, mt_option_string(L, index, "kind", "text"));
    if (lua_getfield(L, index, "text") == LUA_TSTRING)
        out->text = lua_tolstring(L, -1, &out->text_len); /* the table keeps it alive */
    lua_pop(L, 1);
    take_map(L, index, "body", arena, &out->body);
    take_map(L, index, "ext", arena, &out->ext);
    if (mt_option_list(L, index, "only", only, ONLY_MAX))
        out->only = only;
    out->device = mt_option_string(L, index, "device", NULL);
    out->online_only = mt_option_boolean(L, index, "online_only", false);
    out->wants_receipts = mt_option_boolean(L, index, "receipts", false);
    out->priority = (int)mt_option_integer(L, index, "priority", 1);
    if (out->kind == MT_MESSAGE_TEXT && !out->text)
        mt_fault_raisef(L, MT_ERR_INVALID, "send.field", "%s: a text message needs text", function);
}

/* Everything that the script could change or lose before it is handed over. */
static void keep_outgoing(lua_State *L, struct mt_outgoing *out, struct mt_arena *arena)
{
    bool fine = true;
    const char **only = NULL;
    size_t n = 0;

    if (out->text) {
        out->text = mt_arena_strndup(arena, out->text, out->text_len);
        fine = out->text != NULL;
    }
    if (out->device) {
        out->device = mt_arena_strdup(arena, out->device);
        fine = fine && out->device;
    }
    while (out->only && out->only[n])
        n++;
    if (out->only)
        only = mt_arena_calloc(arena, n + 1, sizeof *only);
    for (size_t i = 0; only && i < n; i++) {
        only[i] = mt_arena_strdup(arena, out->only[i]);
        fine = fine && only[i];
    }
    if (!fine || (out->only && !only))
        mt_fault_raisef(L, MT_ERR_INVALID, "send.too_long", "the message is too large to be sent");
    out->only = only;
}

static int send_to(lua_State *L, const struct mt_provider *provider,
                   struct mt_provider_account *account, const struct mt_conversation_ref *to,
                   const char *function)
{
    const char *only[ONLY_MAX + 1];
    char detail[64];

    lua_settop(L, 2);
    mt_task_may_wait(L);
    mt_grant_check_to(L, to, function);
    struct send_wait *w = wait_new(L, provider, account);
    take_outgoing(L, 2, function, w->arena, only, &w->message);
    keep_outgoing(L, &w->message, w->arena);
    mt_grant_check_send(L, to, function);
    (void)mt_lua_live_want(L, provider, account);
    w->message.to = *to;
    w->is_message = true;
    mt_audited_init(L, &w->audited, provider, account, to, "send", true);
    snprintf(detail, sizeof detail, "{\"kind\":\"%s\"}", mt_message_kind_name(w->message.kind));
    enum mt_rc rc = mt_audited_go(&w->audited, NULL, 0, NULL, detail, send_now, w);
    if (rc)
        return mt_fault_raisef(L, rc, "memory", "out of memory");
    return mt_task_wait(L, &w->wait, sent_more);
}

int mt_lua_send(lua_State *L)
{
    struct mt_lua_conversation *c = mt_lua_conversation_check(L, 1);
    return send_to(L, c->provider, c->account, &c->ref, "conversation:send");
}

static int detached(lua_State *L)
{
    return mt_fault_raisef(L, MT_ERR_STATE, "message.detached",
                           "the message is not of a live account's conversation");
}

int mt_lua_reply(lua_State *L, const struct mt_page *page, const struct mt_message *m)
{
    if (!page->account)
        return detached(L);
    return send_to(L, page->provider, page->account, &m->conversation, "message:reply");
}

/* ---------------------------------------------------------------- references */

static int refer(lua_State *L, struct send_wait *w)
{
    static const char *const verbs[] = {[MT_REFER_READ] = "mark_read",
                                        [MT_REFER_DELIVERED] = "delivered",
                                        [MT_REFER_CONVERSATION] = "mark_read",
                                        [MT_REFER_RECALL] = "recall",
                                        [MT_REFER_EDIT] = "edit"};
    const struct mt_reference *reference = &w->reference;
    bool destroys = reference->type == MT_REFER_RECALL || reference->type == MT_REFER_EDIT;
    bool room = reference->type == MT_REFER_JOIN || reference->type == MT_REFER_LEAVE;

    if (!room) /* who enters a room sends nothing, and is to be in it when the session begins */
        mt_audited_init(L, &w->audited, w->provider, w->account, &reference->conversation,
                        verbs[reference->type], !destroys);
    enum mt_rc rc = mt_audited_go(&w->audited, &reference->message, reference->message.id ? 1 : 0,
                                  NULL, NULL, refer_now, w);

    if (rc)
        return mt_fault_raisef(L, rc, "memory", "out of memory");
    return mt_task_wait(L, &w->wait, sent_more);
}

int mt_lua_mark_read(lua_State *L)
{
    struct mt_lua_conversation *c = mt_lua_conversation_check(L, 1);

    lua_settop(L, 1);
    mt_task_may_wait(L);
    (void)mt_lua_live_want(L, c->provider, c->account);
    struct send_wait *w = wait_new(L, c->provider, c->account);
    w->reference.type = MT_REFER_CONVERSATION;
    w->reference.conversation = c->ref;
    return refer(L, w);
}

/* core.room(conversation, enter): who is in which room is remembered by lua/moontide/live.lua. */
int mt_lua_room(lua_State *L)
{
    struct mt_lua_conversation *c = mt_lua_conversation_check(L, 1);
    bool enter = lua_toboolean(L, 2);

    mt_grant_check_to(L, &c->ref, enter ? "conversation:join" : "conversation:leave");
    lua_settop(L, 1);
    mt_task_may_wait(L);
    (void)mt_lua_live_want(L, c->provider, c->account);
    struct send_wait *w = wait_new(L, c->provider, c->account);
    w->reference.type = enter ? MT_REFER_JOIN : MT_REFER_LEAVE;
    w->reference.conversation = c->ref;
    return refer(L, w);
}

int mt_lua_message_refer(lua_State *L, const struct mt_page *page, const struct mt_message *m,
                         enum mt_reference_type type)
{
    const char *only[ONLY_MAX + 1];

    if (!page->account)
        return detached(L);
    lua_settop(L, 2);
    mt_task_may_wait(L);
    struct send_wait *w = wait_new(L, page->provider, page->account);
    w->reference.type = type;
    w->reference.conversation = m->conversation;
    w->reference.message = mt_message_key_of(m); /* the message stays on the stack */
    if (type == MT_REFER_EDIT) {
        take_outgoing(L, 2, "message:edit", w->arena, only, &w->message);
        keep_outgoing(L, &w->message, w->arena);
        w->reference.edit = &w->message;
    } else if (!lua_isnil(L, 2)) {
        w->reference.content = luaL_checkstring(L, 2);
    }
    if (type == MT_REFER_EDIT || type == MT_REFER_RECALL) /* others see it, as they do a message */
        mt_grant_check_send(L, &m->conversation,
                            type == MT_REFER_EDIT ? "message:edit" : "message:recall");
    (void)mt_lua_live_want(L, page->provider, page->account);
    return refer(L, w);
}

/* Who has read a group's message: pages of the members that sent a receipt (easemob.md §4.7). */
#include "provider/easemob/manage_int.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "codec/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PAGE_MAX_N 500
#define BODY_MAX   ((size_t)1024 * 1024)
#define CURSOR_MAX 512

struct readers_call {
    struct mt_em_call base;
    struct mt_buf path;
    struct mt_arena *arena;
    struct mt_readers_page page;
    mt_readers_fn *done;
    void *ud;
};

static void readers_finish(struct mt_provider_call *base, enum mt_rc rc,
                           const struct mt_fault *fault)
{
    struct readers_call *call = (struct readers_call *)base;

    call->done(call->ud, rc, rc ? NULL : &call->page, rc ? fault : NULL);
}

static void readers_release(struct mt_provider_call *base)
{
    struct readers_call *call = (struct readers_call *)base;

    mt_buf_deinit(&call->path);
    mt_arena_free(call->arena);
}

static void readers_step(struct mt_provider_call *base)
{
    mt_em_call_send(base, "GET", ((struct readers_call *)base)->path.data, NULL);
}

static enum mt_rc malformed(struct mt_fault *fault, const char *what)
{
    return mt_fault_set(fault, MT_ERR_PROTOCOL, "readers.malformed",
                        "the cloud's list of readers cannot be understood: %s", what);
}

/* The cursor behind the page, or none at its end. */
static enum mt_rc take_cursor(const struct mt_json *data, struct mt_arena *arena,
                              struct mt_readers_page *page, struct mt_fault *fault)
{
    const char *key = mt_json_str(mt_json_get(data, "next_key"));

    if (mt_json_bool(mt_json_get(data, "is_last"), false))
        return MT_OK;
    if (!key || !*key || strlen(key) > CURSOR_MAX)
        return malformed(fault, "there is more, but nothing says where");
    page->cursor = mt_arena_strdup(arena, key);
    return page->cursor ? MT_OK : mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
}

static enum mt_rc take_page(const struct mt_json *root, struct mt_arena *arena,
                            struct mt_readers_page *page, struct mt_fault *fault)
{
    const struct mt_json *data = mt_json_get(root, "data");
    const struct mt_json *list = mt_json_get(data, "userlist");
    struct mt_reader_of *items = NULL;

    if (mt_json_type(list) != MT_JSON_ARRAY)
        return malformed(fault, "it has no userlist");
    items = mt_arena_calloc(arena, mt_json_count(list) + 1, sizeof *items);
    if (!items)
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    for (const struct mt_json *at = mt_json_child(list); at; at = mt_json_next(at)) {
        const char *user = mt_json_str(at);
        if (!user || !*user)
            return malformed(fault, "an entry is no user id");
        items[page->n].user = mt_arena_strdup(arena, user);
        if (!items[page->n++].user)
            return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    }
    page->items = items;
    page->total = mt_json_i64(mt_json_get(data, "total"), -1);
    return take_cursor(data, arena, page, fault);
}

enum mt_rc mt_em_readers_parse(const char *text, size_t len, struct mt_arena *arena,
                               struct mt_readers_page *page, struct mt_fault *fault)
{
    struct mt_json *root = NULL;
    enum mt_rc rc = mt_json_parse(text, len, BODY_MAX, &root, fault);

    memset(page, 0, sizeof *page);
    if (!rc)
        rc = take_page(root, arena, page, fault);
    mt_json_free(root);
    return rc;
}

static void readers_answer(struct mt_provider_call *base, enum mt_rc rc,
                           const struct mt_http_response *response, const struct mt_fault *fault)
{
    struct readers_call *call = (struct readers_call *)base;
    struct mt_fault own = {.kind = MT_OK};

    if (rc || response->status != 200)
        rc = mt_em_fault_http(&own, ((struct mt_em_call *)base)->feature, rc, response, fault);
    else
        rc =
            mt_em_readers_parse(response->body, response->body_len, call->arena, &call->page, &own);
    mt_call_end(base, rc, &own);
}

enum mt_rc mt_em_readers(struct mt_provider_account *account,
                         const struct mt_conversation_ref *group,
                         const struct mt_message_key *message, const char *cursor, int limit,
                         mt_readers_fn *done, void *ud, struct mt_provider_call **out)
{
    struct readers_call *call = mt_mem_calloc(1, sizeof *call);
    struct mt_fault fault = {.kind = MT_OK};
    uint64_t id = 0;
    enum mt_rc rc = MT_OK;

    if (!call)
        return MT_ERR_NOMEM;
    call->base.life.step = readers_step;
    call->base.answer = readers_answer;
    call->base.life.finish = readers_finish;
    call->base.life.release = readers_release;
    call->base.feature = MT_EM_FEATURE_READERS;
    call->done = done;
    call->ud = ud;
    mt_buf_init(&call->path, MT_EM_URL_MAX);
    call->arena = mt_arena_new(2 * BODY_MAX);
    if (!call->arena)
        call->path.failed = MT_ERR_NOMEM;
    if (group->kind != MT_CONVERSATION_GROUP)
        rc = mt_fault_set(&fault, MT_ERR_UNSUPPORTED, "unsupported",
                          "the cloud tells who has read a message in groups only");
    (void)mt_buf_append_str(&call->path, "chatgroups/");
    (void)mt_http_escape(&call->path, group->target);
    if (!rc && (!mt_str_u64(message->id, &id) || !id))
        rc = mt_fault_set(&fault, MT_ERR_INVALID, "message.id", "the message has no id");
    (void)mt_buf_appendf(&call->path, "/acks/%" PRIu64 "?limit=%d&key=", id,
                         limit > 0 && limit < PAGE_MAX_N ? limit : PAGE_MAX_N);
    (void)mt_http_escape(&call->path, cursor ? cursor : "");
    if (!rc && call->path.failed)
        rc = mt_fault_set(&fault, call->path.failed, "request.too_long", "the request is too long");
    rc = rc ? mt_call_fail(&account->calls, &call->base.life, rc, &fault)
            : mt_call_start(&account->calls, &call->base.life);
    if (out)
        *out = rc ? NULL : &call->base.life;
    return rc;
}

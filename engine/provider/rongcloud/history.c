/* The verb history, and messages from their bytes. */
#include "provider/rongcloud/history_int.h"
#include "provider/rongcloud/keys_int.h"

#include "base/arena.h"
#include "base/mem.h"
#include "provider/query.h"
#include "provider/rongcloud/list_int.h"

#include <string.h>

struct history_call {
    struct mt_rong_call base;      /* first */
    struct mt_history_query query; /* its pointers lead into strings */
    struct mt_arena *strings;
    struct mt_arena *arena; /* the page's, unless the caller lent one */
    struct mt_rong_history_ask ask;
    bool asked_again; /* the answer brought nothing new: ask says what will */
    struct mt_history_page page;
    mt_rong_history_fn *done;
    void *ud;
};

static void history_step(struct mt_provider_call *life)
{
    struct history_call *call = (struct history_call *)life;
    struct mt_rong_packet packet;
    struct mt_fault fault = {.kind = MT_OK};
    enum mt_rc rc = MT_OK;

    if (!call->asked_again)
        mt_rong_history_ask(&call->query, mt_rong_cloud_ms(life->account), &call->ask);
    rc = mt_rong_history_pack(&life->account->navi, &call->query, &call->ask, &packet, &fault);
    if (rc == MT_OK)
        mt_rong_ask(life, &packet.request);
    else
        mt_call_end_soon(life, rc, &fault);
    mt_rong_packet_deinit(&packet);
}

static enum mt_rc take(struct history_call *call, const struct mt_rong_answer *answer, bool *again,
                       struct mt_fault *fault)
{
    struct mt_rong_decoder decoder = {.user = call->base.life.account->user,
                                      .conversation = &call->query.conversation};
    struct mt_arena *arena = call->query.arena;
    struct mt_rong_history_out out;
    enum mt_rc rc = MT_OK;

    if (arena == NULL && call->arena == NULL)
        call->arena = mt_arena_new(MT_RONG_PAGE_ARENA_MAX);
    if (arena == NULL)
        arena = call->arena;
    decoder.scratch = mt_arena_new(MT_RONG_SCRATCH_MAX);
    if (arena == NULL || decoder.scratch == NULL) {
        mt_arena_free(decoder.scratch);
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    }
    rc = mt_rong_history_parse(&decoder, answer->payload, answer->len, arena, &out, fault);
    if (rc == MT_OK)
        rc = mt_rong_history_page(&call->query, &call->ask, &out, arena, &call->page, again, fault);
    for (size_t i = 0; rc == MT_OK && i < call->page.n;
         i++) /* so that an id alone finds it again */
        mt_rong_note_read(call->base.life.account, &call->page.items[i]);
    mt_arena_free(decoder.scratch);
    return rc;
}

static void history_answer(struct mt_provider_call *life, const struct mt_rong_answer *answer,
                           const struct mt_fault *cause)
{
    struct history_call *call = (struct history_call *)life;
    struct mt_fault fault = {.kind = MT_OK};
    bool again = false;
    enum mt_rc rc = MT_OK;

    if (cause != NULL) {
        mt_call_end(life, cause->kind, cause);
        return;
    }
    rc = take(call, answer, &again, &fault);
    if (rc == MT_OK && again) {
        call->asked_again = true;
        mt_rong_again(life);
        return;
    }
    mt_call_end(life, rc, rc != MT_OK ? &fault : NULL);
}

static void history_finish(struct mt_provider_call *life, enum mt_rc rc,
                           const struct mt_fault *fault)
{
    struct history_call *call = (struct history_call *)life;

    call->done(call->ud, rc, rc == MT_OK ? &call->page : NULL, rc == MT_OK ? NULL : fault);
}

static void history_release(struct mt_provider_call *life)
{
    struct history_call *call = (struct history_call *)life;

    mt_arena_free(call->arena);
    mt_arena_free(call->strings);
}

enum mt_rc mt_rong_history(struct mt_provider_account *account,
                           const struct mt_history_query *query, mt_rong_history_fn *done, void *ud,
                           struct mt_provider_call **out)
{
    struct history_call *call = mt_mem_calloc(1, sizeof *call);
    struct mt_fault fault = {.kind = MT_OK};
    enum mt_rc rc = MT_ERR_NOMEM;

    if (out != NULL)
        *out = NULL;
    if (call == NULL)
        return MT_ERR_NOMEM;
    call->base.life.step = history_step;
    call->base.life.finish = history_finish;
    call->base.life.release = history_release;
    call->base.answer = history_answer;
    call->base.verb = "history";
    call->done = done;
    call->ud = ud;
    call->strings = mt_arena_new((size_t)64 * 1024);
    if (call->strings == NULL ||
        mt_history_query_copy(query, call->strings, &call->query) != MT_OK) {
        mt_arena_free(call->strings);
        mt_mem_free(call);
        return MT_ERR_NOMEM;
    }
    rc = mt_rong_normalise(account, &call->query.conversation, NULL, &fault);
    if (rc == MT_OK)
        rc = mt_rong_history_check(&call->query, &fault);
    rc = rc == MT_OK ? mt_call_start(&account->calls, &call->base.life)
                     : mt_call_fail(&account->calls, &call->base.life, rc, &fault);
    if (rc == MT_OK && out != NULL)
        *out = &call->base.life;
    return rc;
}

bool mt_rong_cursor_after(const struct mt_provider_account *account, const struct mt_message *m,
                          char out[MT_CURSOR_MAX])
{
    (void)account;
    return mt_rong_cursor_of(m, out);
}

enum mt_rc mt_rong_decode_raw(const struct mt_provider_account *account, const void *raw,
                              size_t len, struct mt_arena *arena, struct mt_message *out)
{
    struct mt_rong_decoder decoder = {.user = account->user,
                                      .scratch = mt_arena_new(MT_RONG_SCRATCH_MAX)};
    enum mt_rc rc =
        decoder.scratch != NULL ? mt_rong_decode(&decoder, raw, len, arena, out) : MT_ERR_NOMEM;

    mt_arena_free(decoder.scratch);
    return rc;
}

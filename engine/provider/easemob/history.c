/* The verbs login and history. */
#include "provider/easemob/account_int.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"
#include "provider/query.h"

#include <stdio.h>
#include <string.h>

struct login_call {
    struct mt_em_call base;
    void (*done)(void *ud, enum mt_rc rc, const struct mt_fault *fault);
    void *ud;
};

static void login_step(struct mt_provider_call *base)
{
    mt_call_end(base, MT_OK, NULL);
}

static void login_finish(struct mt_provider_call *base, enum mt_rc rc, const struct mt_fault *fault)
{
    struct login_call *call = (struct login_call *)base;

    call->done(call->ud, rc, rc == MT_OK ? NULL : fault);
}

enum mt_rc mt_em_login(struct mt_provider_account *account,
                       void (*done)(void *ud, enum mt_rc rc, const struct mt_fault *fault),
                       void *ud, struct mt_provider_call **out)
{
    struct login_call *call = mt_mem_calloc(1, sizeof *call);
    enum mt_rc rc = MT_OK;

    if (out != NULL)
        *out = NULL;
    if (call == NULL)
        return MT_ERR_NOMEM;
    call->base.life.step = login_step;
    call->base.life.finish = login_finish;
    call->base.feature = MT_EM_FEATURE_LOGIN;
    call->done = done;
    call->ud = ud;
    rc = mt_call_start(&account->calls, &call->base.life);
    if (rc == MT_OK && out != NULL)
        *out = &call->base.life;
    return rc;
}

struct history_call {
    struct mt_em_call base;
    struct mt_history_query query; /* its pointers lead into strings */
    struct mt_arena *strings;
    struct mt_arena *arena; /* the page's, unless the caller lent one */
    int64_t sent_start;
    struct mt_history_page page;
    void (*done)(void *ud, enum mt_rc rc, const struct mt_history_page *page,
                 const struct mt_fault *fault);
    void *ud;
};

static void history_step(struct mt_provider_call *base)
{
    struct history_call *call = (struct history_call *)base;
    struct mt_provider_account *account = base->account;
    char path[256];
    struct mt_buf body;

    call->sent_start = mt_em_roaming_start(&call->query, &account->bounds);
    mt_buf_init(&body, (size_t)16 * 1024);
    mt_em_roaming_body(&call->query, &account->bounds, &body);
    snprintf(path, sizeof path, "users/%s/messageroaming", account->user_escaped);
    mt_em_call_send(base, "POST", path, &body);
    mt_buf_deinit(&body);
}

static void history_answer(struct mt_provider_call *base, enum mt_rc rc,
                           const struct mt_http_response *response, const struct mt_fault *cause)
{
    struct history_call *call = (struct history_call *)base;
    struct mt_provider_account *account = base->account;
    struct mt_fault fault = {.kind = MT_OK};
    struct mt_arena *arena = call->query.arena;

    if (rc != MT_OK || response->status != 200) {
        rc = mt_em_fault_http(&fault, MT_EM_FEATURE_HISTORY, rc, response, cause);
        goto out;
    }
    if (arena == NULL)
        arena = call->arena = mt_arena_new(MT_EM_PAGE_ARENA_MAX);
    if (arena == NULL) {
        rc = mt_fault_set(&fault, MT_ERR_NOMEM, "memory", "out of memory");
        goto out;
    }
    rc = mt_em_roaming_parse(&account->decoder, &call->query, response->body, response->body_len,
                             &account->bounds, call->sent_start, arena, &call->page, &fault);
out:
    mt_call_end(base, rc, &fault);
}

static void history_finish(struct mt_provider_call *base, enum mt_rc rc,
                           const struct mt_fault *fault)
{
    struct history_call *call = (struct history_call *)base;

    call->done(call->ud, rc, rc == MT_OK ? &call->page : NULL, rc == MT_OK ? NULL : fault);
}

static void history_release(struct mt_provider_call *base)
{
    struct history_call *call = (struct history_call *)base;

    mt_arena_free(call->arena);
    mt_arena_free(call->strings);
}

static enum mt_rc copy_query(struct history_call *call, const struct mt_history_query *query)
{
    call->strings = mt_arena_new((size_t)64 * 1024);
    return call->strings == NULL ? MT_ERR_NOMEM
                                 : mt_history_query_copy(query, call->strings, &call->query);
}

enum mt_rc mt_em_history(struct mt_provider_account *account, const struct mt_history_query *query,
                         void (*done)(void *ud, enum mt_rc rc, const struct mt_history_page *page,
                                      const struct mt_fault *fault),
                         void *ud, struct mt_provider_call **out)
{
    struct history_call *call = mt_mem_calloc(1, sizeof *call);
    struct mt_fault fault = {.kind = MT_OK};
    enum mt_rc rc = MT_OK;

    if (out != NULL)
        *out = NULL;
    if (call == NULL)
        return MT_ERR_NOMEM;
    call->base.life.step = history_step;
    call->base.answer = history_answer;
    call->base.life.finish = history_finish;
    call->base.life.release = history_release;
    call->base.feature = MT_EM_FEATURE_HISTORY;
    call->done = done;
    call->ud = ud;
    if (copy_query(call, query) != MT_OK) {
        history_release(&call->base.life);
        mt_mem_free(call);
        return MT_ERR_NOMEM;
    }
    rc = mt_em_normalise(account, &call->query.conversation, NULL, &fault);
    if (rc == MT_OK)
        rc = mt_em_roaming_check(&call->query, &fault);
    rc = rc == MT_OK ? mt_call_start(&account->calls, &call->base.life)
                     : mt_call_fail(&account->calls, &call->base.life, rc, &fault);
    if (rc == MT_OK && out != NULL)
        *out = &call->base.life;
    return rc;
}

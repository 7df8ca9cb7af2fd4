/* The counts of unread messages that the cloud keeps for a live session (serverSaveUnread): pulled
 * again when it says that they changed (s_cmd 13), and after each absence (rongcloud.md 2.6, 5.1).
 */
#include "provider/rongcloud/prime_int.h"

#include "base/arena.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#define PAGES_MAX 1000

struct unreads_call {
    struct mt_rong_call base; /* first */
    char token[MT_RONG_PAGE_TOKEN_MAX];
    unsigned pages_n;
};

static void step(struct mt_provider_call *life)
{
    struct unreads_call *call = (struct unreads_call *)life;
    Rongcloud__SessionQryInput input = RONGCLOUD__SESSION_QRY_INPUT__INIT;

    input.has_version = true;
    input.has_compress = input.compress = true;
    input.pagetoken = call->token[0] != '\0' ? call->token : NULL;
    mt_rong_ask_input(life, "pullSe", &input.base);
}

/* Whether there is another page. */
static bool take(struct unreads_call *call, const struct mt_rong_answer *answer,
                 struct mt_fault *fault)
{
    struct mt_arena *arena = mt_arena_new(MT_RONG_PAGE_ARENA_MAX);
    struct mt_rong_unreads_out out = {.n = 0};
    bool more = false;

    if (arena == NULL) {
        (void)mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
        return false;
    }
    if (mt_rong_unreads_parse(answer->payload, answer->len, arena, &out, fault) == MT_OK) {
        mt_rong_model_take_unreads(call->base.life.account, &out);
        more = out.page_token != NULL && *out.page_token != '\0' &&
               strlen(out.page_token) < sizeof call->token &&
               strcmp(out.page_token, call->token) != 0 && ++call->pages_n < PAGES_MAX;
        snprintf(call->token, sizeof call->token, "%s", more ? out.page_token : "");
    }
    mt_arena_free(arena);
    return more;
}

static void answered(struct mt_provider_call *life, const struct mt_rong_answer *answer,
                     const struct mt_fault *cause)
{
    struct mt_fault fault = {.kind = MT_OK};

    if (cause != NULL)
        fault = *cause;
    else if (take((struct unreads_call *)life, answer, &fault)) {
        mt_rong_again(life);
        return;
    }
    mt_call_end(life, fault.kind, &fault);
}

static void finish(struct mt_provider_call *life, enum mt_rc rc, const struct mt_fault *fault)
{
    struct mt_provider_account *account = life->account;
    bool again = account->unreads_again;

    account->unreads_pulled = account->unreads_again = false;
    if (rc != MT_OK && rc != MT_ERR_CANCELLED) /* with the next notice, or when it is time */
        mt_log(MT_LOG_DEBUG, "rongcloud", "%s: the counts were not pulled: %s", account->name,
               fault->message);
    else if (rc == MT_OK && again)
        mt_rong_unreads_pull(account);
}

void mt_rong_unreads_pull(struct mt_provider_account *account)
{
    struct unreads_call *call = NULL;

    if (!account->navi.server_unread || account->model == NULL || !account->model->primed)
        return; /* nobody asked yet: all is read when somebody does */
    account->unreads_again = account->unreads_pulled;
    if (account->unreads_pulled)
        return;
    call = mt_mem_calloc(1, sizeof *call);
    if (call == NULL)
        return;
    call->base.verb = "sync";
    call->base.answer = answered;
    call->base.life.step = step;
    call->base.life.finish = finish;
    account->unreads_pulled = mt_call_start(&account->calls, &call->base.life) == MT_OK;
}

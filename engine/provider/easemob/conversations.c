/* The verb conversations: three forms of the list, chosen by what the server offers (easemob.md
 * §4.1, §4.2). */
#include "provider/easemob/conversations_int.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "provider/easemob/account_int.h"

#include <stdio.h>
#include <string.h>

#define ARENA_MAX ((size_t)64 * 1024 * 1024)

static const char *const form_names[] = {
    [MT_EM_FORM_LIST] = "list",
    [MT_EM_FORM_PAGE] = "page",
    [MT_EM_FORM_OLD] = "old",
};

struct list_call {
    struct mt_em_call base;
    int limit;
    bool pinned_only, with_empty;
    int mark;
    bool fixed; /* the form was asked for, or follows from the query: no falling back */
    enum mt_em_form form;
    struct mt_em_listing *listing;
    const char *asked;                      /* the cloud's cursor, or the page number */
    const struct mt_conversation_ref *only; /* in the arena */
    size_t only_n;
    struct mt_arena *arena;
    struct mt_fault refusal; /* of the first form that was not offered */
    struct mt_conversations_page page;
    void (*done)(void *ud, enum mt_rc rc, const struct mt_conversations_page *page,
                 const struct mt_fault *fault);
    void *ud;
};

static int page_limit(const struct list_call *call)
{
    int max = call->form == MT_EM_FORM_PAGE ? MT_EM_PAGED_MAX : MT_EM_LIST_MAX;

    return call->limit == 0 || call->limit > max ? max : call->limit;
}

static void path_list(const struct list_call *call, struct mt_buf *path)
{
    const char *user = call->base.life.account->user_escaped;

    (void)mt_buf_appendf(path, "sdk/user/%s/user_channels/%s?limit=%d&cursor=", user,
                         call->mark >= 0 ? "mark/search" : "list", page_limit(call));
    (void)mt_http_escape(path, call->asked);
    if (call->mark >= 0) {
        (void)mt_buf_appendf(path, "&need_mark=true&mark=mark_%d", call->mark);
        return;
    }
    if (call->pinned_only)
        (void)mt_buf_append_str(path, "&is_top=true");
    (void)mt_buf_appendf(path, "&need_mark=true&needEmptySession=%s",
                         call->with_empty ? "true" : "false");
}

static uint64_t page_number(const struct list_call *call)
{
    uint64_t number = 0;

    return mt_str_u64(call->asked, &number) && number > 0 ? number : 1;
}

static void list_step(struct mt_provider_call *base)
{
    struct list_call *call = (struct list_call *)base;
    const char *user = base->account->user_escaped;
    struct mt_buf path;

    mt_buf_init(&path, MT_EM_URL_MAX);
    if (call->form == MT_EM_FORM_LIST)
        path_list(call, &path);
    else if (call->form == MT_EM_FORM_PAGE)
        (void)mt_buf_appendf(&path, "users/%s/user_channels/page?pageNum=%llu&pageSize=%d", user,
                             (unsigned long long)page_number(call), page_limit(call));
    else
        (void)mt_buf_appendf(&path, "users/%s/user_channels", user);
    if (call->form != MT_EM_FORM_OLD)
        (void)mt_buf_appendf(&path, "&_v=%lld", (long long)mt_clock_wall_ms());
    if (path.failed != MT_OK) {
        struct mt_fault fault;

        (void)mt_fault_set(&fault, MT_ERR_INVALID, "conversations.cursor",
                           "this is no cursor of a conversation list");
        mt_call_end(base, MT_ERR_INVALID, &fault);
    } else {
        mt_em_call_send(base, "GET", path.data, NULL);
    }
    mt_buf_deinit(&path);
}

/* An app that has not opened the newer form, or a server that does not know it, refuses it in one
 * of these ways. An unknown user or app is not a matter of forms. */
static bool not_offered(const struct mt_fault *fault)
{
    if (strcmp(fault->code, "conversations.not_opened") == 0)
        return true;
    if (strcmp(fault->code, "user.unknown") == 0 || strcmp(fault->code, "app.unknown") == 0)
        return false;
    return fault->http_status == 404 || fault->http_status == 405;
}

static bool fall_back(struct list_call *call, const struct mt_fault *fault)
{
    if (!not_offered(fault))
        return false;
    if (call->refusal.kind == MT_OK)
        call->refusal = *fault;
    if (call->fixed || call->form == MT_EM_FORM_OLD)
        return false;
    mt_log(MT_LOG_INFO, "easemob", "%s: the conversation list in the form '%s' is not offered (%s)",
           call->base.life.account->name, form_names[call->form], fault->message);
    call->form = call->form == MT_EM_FORM_LIST ? MT_EM_FORM_PAGE : MT_EM_FORM_OLD;
    return true;
}

/* What the caller must not take for the whole truth (seeds; easemob-service.md §5.5). */
static void add_warning(struct list_call *call)
{
    struct mt_conversations_page *page = &call->page;
    size_t n = mt_em_listing_count(call->listing);

    if (call->form == MT_EM_FORM_OLD && page->n >= MT_EM_OLD_STOP) {
        page->truncated = true;
        page->warning =
            "this app offers only the old conversation list, which stops at 10 conversations of "
            "the "
            "last 7 days unless the plan says more: there may be others. Open the new conversation "
            "list in the Easemob console, or name the conversations yourself";
    } else if (call->form == MT_EM_FORM_OLD) {
        page->warning =
            "this app offers only the old conversation list, which knows conversations of the last "
            "7 "
            "days unless the plan says more. Open the new conversation list in the Easemob console";
    } else if (page->cursor == NULL && (n == 100 || n == 500)) {
        page->warning =
            "the cloud keeps as many conversations as this for a user and drops the least active: "
            "there may have been others. Name them yourself, or raise the limit in the console";
    }
}

/* The cloud's list cannot be asked for some of it. */
static void take_only(struct list_call *call)
{
    struct mt_conversations_page *page = &call->page;
    struct mt_conversation *items = mt_arena_calloc(call->arena, page->n + 1, sizeof *items);
    size_t kept = 0;

    for (size_t i = 0; items != NULL && i < page->n; i++)
        for (size_t k = 0; k < call->only_n; k++)
            if (call->only[k].kind == page->items[i].ref.kind &&
                strcmp(call->only[k].target, page->items[i].ref.target) == 0) {
                items[kept++] = page->items[i];
                break;
            }
    if (items == NULL)
        return; /* then all of them: who asked takes what he wants */
    page->items = items;
    page->n = kept;
}

static enum mt_rc take_page(struct list_call *call, const struct mt_http_response *response,
                            struct mt_fault *fault)
{
    struct mt_provider_account *account = call->base.life.account;
    struct mt_em_channels channels;
    char number[24];
    const char *next = NULL;
    enum mt_rc rc = mt_em_channels_parse(&account->decoder, call->form, response->body,
                                         response->body_len, call->arena, &channels, fault);

    if (rc != MT_OK)
        return rc;
    if (call->form == MT_EM_FORM_LIST && call->asked[0] != '\0' && !channels.listed)
        return mt_fault_set(fault, MT_ERR_PROTOCOL, "conversations.no_list",
                            "the cloud said that more conversations follow, and then answered "
                            "without a list: try again");
    next = channels.cursor;
    if (call->form == MT_EM_FORM_PAGE && channels.n > 0) { /* an empty page is the only sure end */
        snprintf(number, sizeof number, "%llu", (unsigned long long)page_number(call) + 1);
        next = number;
    }
    rc = mt_em_listing_page(call->listing, call->asked, next, &channels, call->arena,
                            &call->page.cursor, fault);
    if (rc != MT_OK)
        return rc;
    call->listing->form = call->form;
    call->listing->form_known = true;
    if (!call->fixed)
        account->form = (int)call->form;
    call->page.items = channels.items;
    call->page.n = channels.n;
    call->page.form = form_names[call->form];
    add_warning(call);
    if (call->only_n > 0)
        take_only(call);
    return MT_OK;
}

static void list_answer(struct mt_provider_call *base, enum mt_rc rc,
                        const struct mt_http_response *response, const struct mt_fault *cause)
{
    struct list_call *call = (struct list_call *)base;
    struct mt_fault fault = {.kind = MT_OK};

    if (rc == MT_OK && response->status == 200) {
        rc = take_page(call, response, &fault);
    } else {
        rc = mt_em_fault_http(&fault, MT_EM_FEATURE_CONVERSATIONS, rc, response, cause);
        if (fall_back(call, &fault)) {
            list_step(base);
            return;
        }
        /* every form refused: what the first, the best one, said is what the user can act on */
        if (not_offered(&fault) && call->refusal.kind == MT_ERR_UNSUPPORTED) {
            fault = call->refusal;
            rc = fault.kind;
        }
    }
    mt_call_end(base, rc, &fault);
}

static void list_finish(struct mt_provider_call *base, enum mt_rc rc, const struct mt_fault *fault)
{
    struct list_call *call = (struct list_call *)base;

    if (rc != MT_OK || call->page.cursor == NULL)
        mt_em_listing_end(base->account, call->listing);
    call->done(call->ud, rc, rc == MT_OK ? &call->page : NULL, rc == MT_OK ? NULL : fault);
}

static void list_release(struct mt_provider_call *base)
{
    struct list_call *call = (struct list_call *)base;

    mt_em_listing_release(call->listing);
    mt_arena_free(call->arena);
}

static enum mt_rc choose_form(struct list_call *call, const struct mt_conversations_query *query,
                              struct mt_fault *fault)
{
    const struct mt_provider_account *account = call->base.life.account;
    bool marked = query->pinned_only || query->mark >= 0;

    call->form = MT_EM_FORM_LIST;
    call->fixed = true;
    if (query->form != NULL) {
        size_t i = 0;

        while (i <= MT_EM_FORM_OLD && strcmp(form_names[i], query->form) != 0)
            i++;
        if (i > MT_EM_FORM_OLD)
            return mt_fault_set(
                fault, MT_ERR_INVALID, "conversations.form",
                "'%s' is no form of the conversation list; known are list, page, old", query->form);
        call->form = (enum mt_em_form)i;
        if (marked && call->form != MT_EM_FORM_LIST)
            return mt_fault_set(fault, MT_ERR_UNSUPPORTED, "conversations.form",
                                "only the form 'list' knows pinned conversations and marks");
    } else if (call->listing->form_known) {
        call->form = call->listing->form;
    } else if (!marked) {
        call->fixed = false;
        call->form = account->form >= 0 ? (enum mt_em_form)account->form : MT_EM_FORM_LIST;
    }
    if (query->limit < 0 || query->limit > MT_EM_LIST_MAX)
        return mt_fault_set(fault, MT_ERR_INVALID, "conversations.limit",
                            "a page of the conversation list holds 1 to %d conversations",
                            MT_EM_LIST_MAX);
    if (query->oldest_first || query->start_ms != 0)
        return mt_fault_set(fault, MT_ERR_UNSUPPORTED, "unsupported",
                            "Easemob gives its conversation list from the newest end only");
    if (query->mark > 19)
        return mt_fault_set(fault, MT_ERR_INVALID, "conversations.mark",
                            "marks are numbered 0 to 19");
    return MT_OK;
}

enum mt_rc
mt_em_conversations(struct mt_provider_account *account, const struct mt_conversations_query *query,
                    void (*done)(void *ud, enum mt_rc rc, const struct mt_conversations_page *page,
                                 const struct mt_fault *fault),
                    void *ud, struct mt_provider_call **out)
{
    struct list_call *call = mt_mem_calloc(1, sizeof *call);
    struct mt_fault fault = {.kind = MT_OK};
    const char *theirs = NULL;
    enum mt_rc rc = MT_OK;

    if (out != NULL)
        *out = NULL;
    if (call == NULL)
        return MT_ERR_NOMEM;
    call->base.life.account = account;
    call->base.life.step = list_step;
    call->base.answer = list_answer;
    call->base.life.finish = list_finish;
    call->base.life.release = list_release;
    call->base.feature = MT_EM_FEATURE_CONVERSATIONS;
    call->limit = query->limit;
    call->pinned_only = query->pinned_only;
    call->with_empty = query->with_empty;
    call->mark = query->mark;
    call->done = done;
    call->ud = ud;
    call->arena = mt_arena_new(ARENA_MAX);
    call->listing = mt_em_listing_of(account, query->cursor, &theirs);
    if (call->listing != NULL)
        mt_em_listing_retain(call->listing);
    call->asked = call->arena != NULL ? mt_arena_strdup(call->arena, theirs) : NULL;
    if (call->listing == NULL || call->asked == NULL) {
        list_release(&call->base.life);
        mt_mem_free(call);
        return MT_ERR_NOMEM;
    }
    if (query->only_n > 0) {
        struct mt_conversation_ref *only =
            mt_arena_calloc(call->arena, query->only_n, sizeof *only);

        if (only == NULL)
            rc = mt_fault_set(&fault, MT_ERR_NOMEM, "memory", "out of memory");
        else
            memcpy(only, query->only, query->only_n * sizeof *only);
        call->only = only;
        call->only_n = only != NULL ? query->only_n : 0;
    }
    if (rc == MT_OK)
        rc = choose_form(call, query, &fault);
    rc = rc == MT_OK ? mt_call_start(&account->calls, &call->base.life)
                     : mt_call_fail(&account->calls, &call->base.life, rc, &fault);
    if (rc == MT_OK && out != NULL)
        *out = &call->base.life;
    return rc;
}

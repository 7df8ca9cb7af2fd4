/* The verb conversations (rongcloud.md 5.2). The cloud's list holds the latest messages; what is
 * unread, pinned and muted comes from the model that is kept here. On a live session, and where
 * ultra groups are in the list, the whole list is read once and kept up to date by what is heard:
 * the cloud does not want to be asked for it often. Otherwise its pages are passed on. */
#include "provider/rongcloud/keys_int.h"
#include "provider/rongcloud/list_int.h"
#include "provider/rongcloud/outgoing_int.h"
#include "provider/rongcloud/prime_int.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_DEFAULT 300 /* as the SDK */
#define COUNT_MAX     1000
#define KEPT_MAX      1000 /* so many conversations the cloud keeps */
#define BATCH_MAX     100  /* named conversations a request */
#define ONLY_MAX      100000
#define CURSOR_MAX    80
#define OFTEN_MS      60000

struct list_call {
    struct mt_rong_call base; /* first */
    struct mt_rong_prime prime;
    bool primed;
    /* what was asked for */
    bool fresh, pinned_only, oldest_first;
    int64_t start_ms;
    int limit;
    const struct mt_conversation_ref *only; /* in the arena; with pinned_only from the model */
    size_t only_n, only_at;
    bool named; /* only counts */
    /* where it is */
    bool kept; /* answered from the model, once that has the whole list */
    bool loading;
    uint64_t listing;
    int64_t at_ms;    /* what is asked for next lies behind this */
    int border;       /* so many of it were given already, for they share a time */
    bool whole;       /* more share a time than a page holds: as many as there can be */
    int64_t began_ms; /* the cloud's time */
    size_t given;     /* so far, by all pages of the listing */
    struct mt_arena *arena;
    struct mt_rong_decoder decoder;
    struct mt_conversation *items;
    size_t n, cap;
    char cursor[CURSOR_MAX];
    struct mt_conversations_page page;
    mt_rong_list_fn *done;
    void *ud;
};

static struct list_call *of(struct mt_provider_call *call)
{
    return (struct list_call *)call;
}

static void no_memory(struct mt_provider_call *call)
{
    struct mt_fault fault;

    (void)mt_fault_set(&fault, MT_ERR_NOMEM, "memory", "out of memory");
    mt_call_end_soon(call, MT_ERR_NOMEM, &fault);
}

/* ---------------------------------------------------------------- items */

static enum mt_rc add(struct list_call *call, const struct mt_rong_entry *entry,
                      const struct mt_message *last)
{
    const struct mt_rong_model *model = call->base.life.account->model;
    struct mt_conversation *item = NULL;

    if (call->n == call->cap) {
        size_t cap = call->cap > 0 ? 2 * call->cap : 64;
        struct mt_conversation *more = mt_arena_calloc(call->arena, cap, sizeof *more);

        if (more == NULL)
            return MT_ERR_NOMEM;
        if (call->n > 0)
            memcpy(more, call->items, call->n * sizeof *more);
        call->items = more;
        call->cap = cap;
    }
    item = &call->items[call->n];
    *item = (struct mt_conversation){.unread = 0};
    if (mt_rong_model_tell(model, entry, call->arena, item) != MT_OK)
        return MT_ERR_NOMEM;
    item->last = last;
    if (last != NULL)
        mt_rong_note_read(call->base.life.account, last);
    call->n++;
    return MT_OK;
}

/* The latest message that the model keeps; NULL: none. */
static const struct mt_message *kept_last(struct list_call *call, const struct mt_rong_entry *entry)
{
    struct mt_rong_decoder decoder = call->decoder;
    struct mt_message *last = NULL;
    uint8_t *raw = NULL;

    if (entry->last == NULL)
        return NULL;
    last = mt_arena_alloc(call->arena, sizeof *last);
    raw = mt_arena_alloc(call->arena, entry->last_len + 1);
    if (last == NULL || raw == NULL)
        return NULL;
    memcpy(raw, entry->last, entry->last_len);
    decoder.conversation = &entry->ref;
    if (mt_rong_decode(&decoder, raw, entry->last_len, call->arena, last) != MT_OK)
        return NULL;
    return last;
}

static void finish_page(struct list_call *call, bool truncated)
{
    call->page.items = call->items;
    call->page.n = call->n;
    call->page.form = "list";
    call->page.truncated = truncated;
    if (truncated)
        call->page.warning =
            "RongCloud keeps the 1,000 conversations of a user in which something came last: there "
            "may have been others. Name them yourself";
}

/* The whole list is in the model. */
static void answer_kept(struct list_call *call)
{
    struct mt_provider_call *life = &call->base.life;
    const struct mt_rong_model *model = life->account->model;
    struct mt_rong_pick pick = {.oldest_first = call->oldest_first,
                                .start_ms = call->start_ms,
                                .pinned_only = call->pinned_only};
    size_t n = 0;
    struct mt_rong_entry **list = mt_rong_model_pick(model, &pick, call->arena, &n);
    enum mt_rc rc = list != NULL ? MT_OK : MT_ERR_NOMEM;

    for (size_t i = 0; rc == MT_OK && i < n; i++)
        rc = add(call, list[i], kept_last(call, list[i]));
    if (rc != MT_OK) {
        no_memory(life);
        return;
    }
    finish_page(call, model->truncated && !call->pinned_only);
    mt_call_end(life, MT_OK, NULL);
}

/* ---------------------------------------------------------------- pages of the cloud's list */

static int count_of(const struct list_call *call)
{
    int count = call->limit + call->border;

    return call->whole || count > COUNT_MAX ? COUNT_MAX : count;
}

static void ask_page(struct list_call *call)
{
    Rongcloud__RelationQryInput input = RONGCLOUD__RELATION_QRY_INPUT__INIT;

    input.has_count = true;
    input.count = count_of(call);
    input.has_starttime = true;
    input.starttime = call->at_ms;
    input.has_order = true;
    input.order = call->oldest_first ? 1 : 0;
    input.has_compressioenabled = input.compressioenabled = true;
    mt_rong_ask_input(&call->base.life, "qryRelationR", &input.base);
}

/* The next page begins behind a time. Conversations of the same time may stand on both sides of the
 * border: that time is asked for once more, and what was given is left out. */
static int64_t behind(const struct list_call *call, int64_t last_ms)
{
    return call->oldest_first ? last_ms - 1 : last_ms + 1;
}

static bool advances(const struct list_call *call, int64_t next_ms)
{
    if (call->at_ms == 0)
        return next_ms > 0;
    return call->oldest_first ? next_ms > call->at_ms : next_ms > 0 && next_ms < call->at_ms;
}

/* Marks it as given by this page of the listing; false: another page has given it. */
static bool give(const struct list_call *call, struct mt_rong_entry *entry)
{
    if (entry->given_listing == call->listing && entry->given_page != call->at_ms)
        return false;
    entry->given_listing = call->listing;
    entry->given_page = call->at_ms;
    return true;
}

static enum mt_rc take_relations(struct list_call *call, struct mt_rong_relations_out *out,
                                 size_t *fresh)
{
    struct mt_rong_model *model = call->base.life.account->model;
    enum mt_rc rc = MT_OK;

    *fresh = 0;
    for (size_t i = 0; rc == MT_OK && i < out->n; i++) {
        struct mt_rong_relation *relation = &out->items[i];
        struct mt_rong_entry *entry = NULL;

        rc = mt_rong_model_relation(model, relation);
        entry = rc == MT_OK ? mt_rong_model_find(model, &relation->ref) : NULL;
        if (entry == NULL || !give(call, entry))
            continue;
        ++*fresh;
        if (!call->loading)
            rc = add(call, entry, relation->has_last ? &relation->last : NULL);
    }
    call->given += *fresh;
    return rc;
}

/* Where to read on; false: there is no more. */
static bool next_page(struct list_call *call, const struct mt_rong_relations_out *out,
                      int64_t *next_ms)
{
    *next_ms = call->at_ms;
    if (out->n == 0 ||
        (out->seen < (size_t)count_of(call) && (!out->has_finished || out->finished)))
        return false;
    *next_ms = behind(call, out->items[out->n - 1].version_ms);
    return true;
}

/* How many at the end of the page share the time of the last. */
static int shared(const struct mt_rong_relations_out *out)
{
    int n = 0;

    for (size_t i = out->n;
         i > 0 && out->items[i - 1].version_ms == out->items[out->n - 1].version_ms; i--)
        n++;
    return n;
}

static enum mt_rc take_page(struct list_call *call, const struct mt_rong_answer *answer,
                            bool *again, struct mt_fault *fault)
{
    struct mt_rong_relations_out out;
    int64_t next_ms = 0;
    size_t fresh = 0;
    enum mt_rc rc = mt_rong_relations_parse(&call->decoder, answer->payload, answer->len,
                                            call->arena, &out, fault);

    if (rc != MT_OK)
        return rc;
    if (out.n == 0 && out.seen > 0)
        return mt_fault_set(fault, MT_ERR_PROTOCOL, "conversations.damaged",
                            "nothing on this page of the conversation list can be read");
    if (out.n == 0 && out.has_finished && !out.finished)
        return mt_fault_set(fault, MT_ERR_PROTOCOL, "conversations.stuck",
                            "the cloud says that more conversations follow, and gives none");
    rc = take_relations(call, &out, &fresh);
    if (rc != MT_OK)
        return mt_fault_set(fault, rc, "memory", "out of memory");
    *again = next_page(call, &out, &next_ms);
    if (*again && !advances(call, next_ms)) {
        /* a whole page of one millisecond: a larger one holds more of it */
        if (count_of(call) < COUNT_MAX && call->at_ms != 0 && next_ms == call->at_ms) {
            call->whole = true;
            call->given -= fresh;
            call->n = 0;
            return MT_OK;
        }
        return mt_fault_set(fault, MT_ERR_PROTOCOL, "conversations.stuck",
                            "the conversation list does not move on");
    }
    call->border = *again ? shared(&out) : 0;
    call->whole = false;
    call->at_ms = next_ms;
    return MT_OK;
}

/* ---------------------------------------------------------------- named conversations */

static char *unconst(const char *s)
{
    return (char *)(uintptr_t)s;
}

static void ask_batch(struct list_call *call)
{
    Rongcloud__RelationDelBatchReq input = RONGCLOUD__RELATION_DEL_BATCH_REQ__INIT;
    Rongcloud__RelationOpInput ops[BATCH_MAX];
    Rongcloud__RelationOpInput *list[BATCH_MAX];
    size_t n = call->only_n - call->only_at;

    for (size_t i = 0; i < n && i < BATCH_MAX; i++) {
        const struct mt_conversation_ref *ref = &call->only[call->only_at + i];
        const char *target = NULL;
        const char *channel = NULL;

        rongcloud__relation_op_input__init(&ops[i]);
        ops[i].conversationtype = (Rongcloud__ChannelType)mt_rong_ref_type(ref, &target);
        ops[i].conversationid = unconst(target);
        channel = mt_rong_channel(&call->base.life.account->navi, ref);
        ops[i].buschannel =
            unconst(channel != NULL ? channel : ""); /* always there, as the SDK's */
        list[i] = &ops[i];
    }
    input.relation = list;
    input.n_relation = n < BATCH_MAX ? n : BATCH_MAX;
    mt_rong_ask_input(&call->base.life, "qryRLBatch", &input.base);
}

static bool same_ref(const struct mt_conversation_ref *a, const struct mt_conversation_ref *b)
{
    return a->kind == b->kind && strcmp(a->target, b->target) == 0 &&
           strcmp(a->channel, b->channel) == 0;
}

/* One of which the cloud knows nothing is told of all the same, as what is kept here says (5.2). */
static enum mt_rc take_batch(struct list_call *call, const struct mt_rong_answer *answer,
                             struct mt_fault *fault)
{
    struct mt_rong_model *model = call->base.life.account->model;
    size_t end =
        call->only_n - call->only_at > BATCH_MAX ? call->only_at + BATCH_MAX : call->only_n;
    struct mt_rong_relations_out out;
    enum mt_rc rc = mt_rong_relations_parse(&call->decoder, answer->payload, answer->len,
                                            call->arena, &out, fault);

    if (rc != MT_OK)
        return rc;
    for (; rc == MT_OK && call->only_at < end; call->only_at++) {
        const struct mt_conversation_ref *ref = &call->only[call->only_at];
        const struct mt_rong_entry *known = mt_rong_model_find(model, ref);
        struct mt_rong_entry nothing = {.ref = *ref};
        size_t i = 0;

        while (i < out.n && !same_ref(&out.items[i].ref, ref))
            i++;
        rc = add(call, known != NULL ? known : &nothing,
                 i < out.n && out.items[i].has_last ? &out.items[i].last : NULL);
    }
    return rc == MT_OK ? MT_OK : mt_fault_set(fault, rc, "memory", "out of memory");
}

/* Those that are pinned, in the order of the list; the cloud has no list of them. */
static enum mt_rc name_pinned(struct list_call *call)
{
    struct mt_rong_pick pick = {
        .oldest_first = call->oldest_first, .start_ms = call->start_ms, .pinned_only = true};
    size_t n = 0;
    struct mt_rong_entry **list =
        mt_rong_model_pick(call->base.life.account->model, &pick, call->arena, &n);
    struct mt_conversation_ref *only =
        list != NULL ? mt_arena_calloc(call->arena, n + 1, sizeof *only) : NULL;

    if (only == NULL)
        return MT_ERR_NOMEM;
    for (size_t i = 0; i < n; i++)
        only[i] = list[i]->ref;
    call->only = only;
    call->only_n = n;
    call->named = true;
    return MT_OK;
}

/* ---------------------------------------------------------------- the call */

static void too_often(struct list_call *call, int64_t rest_ms)
{
    struct mt_fault fault;

    (void)mt_fault_set(&fault, MT_ERR_RATE, "conversations.too_often",
                       "%s: the list was asked for less than a minute ago, and what happened since "
                       "is in it; RongCloud wants it no more often. Again in %" PRId64 " s",
                       call->base.life.account->name, (rest_ms + 999) / 1000);
    fault.retry_after_ms = rest_ms;
    mt_call_end_soon(&call->base.life, MT_ERR_RATE, &fault);
}

/* The model is filled: what is asked for the list itself. False: nothing, the call has ended. */
static bool begin_list(struct list_call *call)
{
    struct mt_provider_account *account = call->base.life.account;
    struct mt_rong_model *model = account->model;
    int64_t age_ms = mt_clock_mono_ms() - model->listed_ms;

    call->kept = !call->named && (account->live != NULL || mt_rong_memory_mode(account));
    if (call->kept && model->listed && !call->fresh) {
        answer_kept(call);
        return false;
    }
    if (call->kept && model->listed && age_ms < OFTEN_MS) {
        too_often(call, OFTEN_MS - age_ms);
        return false;
    }
    if (call->kept) { /* all of it, from the newest end, whatever part was asked for */
        model->keeps_last = true;
        call->loading = true;
        call->at_ms = 0;
        call->limit = COUNT_DEFAULT;
    } else if (call->pinned_only && !call->named && name_pinned(call) != MT_OK) {
        no_memory(&call->base.life);
        return false;
    }
    call->began_ms = mt_rong_cloud_ms(account);
    if (call->listing == 0)
        call->listing = ++model->listings;
    return true;
}

static void step(struct mt_provider_call *life)
{
    struct list_call *call = of(life);
    enum mt_rc rc = MT_OK;

    if (!call->primed && mt_rong_prime_ask(life, &call->prime, &rc))
        return;
    if (rc != MT_OK || mt_rong_model_of(life->account) == NULL) {
        no_memory(life);
        return;
    }
    if (!call->primed) {
        call->primed = true;
        if (!begin_list(call))
            return;
    }
    if (call->named && call->only_at == call->only_n) {
        finish_page(call, false);
        mt_call_end(life, MT_OK, NULL);
    } else if (call->named) {
        ask_batch(call);
    } else {
        ask_page(call);
    }
}

/* The answer to the last page of a list that is kept. */
static void loaded(struct list_call *call)
{
    struct mt_rong_model *model = call->base.life.account->model;

    mt_rong_model_only_listed(model, call->listing, call->began_ms);
    model->listed = true;
    model->listed_ms = mt_clock_mono_ms();
    model->truncated = call->given >= KEPT_MAX;
    answer_kept(call);
}

/* In the order of the wire it would be turned for the oldest first; the cursor says where the next
 * page begins. */
static void page_came(struct list_call *call, bool again)
{
    struct mt_provider_call *life = &call->base.life;

    if (call->loading) {
        if (again)
            step(life);
        else
            loaded(call);
        return;
    }
    finish_page(call, !again && call->given >= KEPT_MAX);
    if (again) {
        snprintf(call->cursor, sizeof call->cursor, "%" PRIu64 "~%" PRId64 "~%zu~%d", call->listing,
                 call->at_ms, call->given, call->border);
        call->page.cursor = call->cursor;
    }
    mt_call_end(life, MT_OK, NULL);
}

static void answered(struct mt_provider_call *life, const struct mt_rong_answer *answer,
                     const struct mt_fault *cause)
{
    struct list_call *call = of(life);
    struct mt_fault fault = {.kind = MT_OK};
    bool again = false;
    enum mt_rc rc = MT_OK;

    if (cause != NULL) {
        mt_call_end(life, cause->kind, cause);
        return;
    }
    if (!call->primed) {
        rc = mt_rong_prime_answer(life->account, &call->prime, answer, &fault);
        again = true;
    } else if (call->named) {
        rc = take_batch(call, answer, &fault);
        again = true;
    } else {
        rc = take_page(call, answer, &again, &fault);
        if (rc == MT_OK) {
            /* a page of one millisecond is asked for again, larger */
            if (again && call->n == 0 && !call->loading)
                step(life);
            else
                page_came(call, again);
            return;
        }
    }
    if (rc != MT_OK)
        mt_call_end(life, fault.kind, &fault);
    else if (again)
        step(life);
}

static void finish(struct mt_provider_call *life, enum mt_rc rc, const struct mt_fault *fault)
{
    struct list_call *call = of(life);

    call->done(call->ud, rc, rc == MT_OK ? &call->page : NULL, rc == MT_OK ? NULL : fault);
}

static void release(struct mt_provider_call *life)
{
    struct list_call *call = of(life);

    mt_rong_prime_deinit(life->account, &call->prime);
    mt_arena_free(call->decoder.scratch);
    mt_arena_free(call->arena);
}

/* ---------------------------------------------------------------- what is asked for */

/* "LISTING~TIME~GIVEN~BORDER", as page_came writes it. */
static bool take_cursor(struct list_call *call, const char *cursor)
{
    enum { LISTING, TIME, GIVEN, BORDER, PARTS_N };
    char text[CURSOR_MAX];
    int64_t parts[PARTS_N];
    char *at = text;

    if (cursor == NULL || *cursor == '\0')
        return true;
    if (strlen(cursor) >= sizeof text)
        return false;
    memcpy(text, cursor, strlen(cursor) + 1);
    for (size_t i = 0; i < PARTS_N; i++) {
        char *end = i + 1 < PARTS_N ? strchr(at, '~') : at + strlen(at);

        if (end == NULL)
            return false;
        *end = '\0';
        if (!mt_str_i64(at, &parts[i]) || parts[i] < 0)
            return false;
        at = end + 1;
    }
    if (parts[LISTING] == 0 || parts[TIME] == 0 || parts[BORDER] > COUNT_MAX)
        return false;
    call->listing = (uint64_t)parts[LISTING];
    call->at_ms = parts[TIME];
    call->given = (size_t)parts[GIVEN];
    call->border = (int)parts[BORDER];
    return true;
}

static enum mt_rc take_only(struct list_call *call, const struct mt_conversations_query *query,
                            struct mt_fault *fault)
{
    struct mt_conversation_ref *only = NULL;

    if (query->only == NULL)
        return MT_OK;
    if (query->only_n > ONLY_MAX)
        return mt_fault_set(fault, MT_ERR_INVALID, "conversations.only",
                            "no more than %d conversations at once", ONLY_MAX);
    only = mt_arena_calloc(call->arena, query->only_n + 1, sizeof *only);
    if (only == NULL)
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    memcpy(only, query->only, query->only_n * sizeof *only);
    call->only = only;
    call->only_n = query->only_n;
    call->named = true;
    return MT_OK;
}

static enum mt_rc take_query(struct list_call *call, const struct mt_conversations_query *query,
                             struct mt_fault *fault)
{
    if (query->form != NULL && strcmp(query->form, "list") != 0)
        return mt_fault_set(fault, MT_ERR_INVALID, "conversations.form",
                            "'%s' is no form of RongCloud's conversation list; there is one: list",
                            query->form);
    if (query->mark >= 0)
        return mt_fault_set(fault, MT_ERR_UNSUPPORTED, "unsupported",
                            "RongCloud has no marks of conversations");
    if (query->limit < 0 || query->limit > COUNT_MAX)
        return mt_fault_set(fault, MT_ERR_INVALID, "conversations.limit",
                            "a page of the conversation list holds 1 to %d conversations",
                            COUNT_MAX);
    if (query->start_ms < 0)
        return mt_fault_set(fault, MT_ERR_INVALID, "conversations.start",
                            "the time must be after 1970");
    call->fresh = query->fresh;
    call->pinned_only = query->pinned_only;
    call->oldest_first = query->oldest_first;
    call->start_ms = query->start_ms;
    call->at_ms = query->start_ms;
    call->limit = query->limit > 0 ? query->limit : COUNT_DEFAULT;
    if (!take_cursor(call, query->cursor))
        return mt_fault_set(fault, MT_ERR_INVALID, "conversations.cursor",
                            "'%.60s' is no cursor of this list", query->cursor);
    return take_only(call, query, fault);
}

enum mt_rc mt_rong_conversations(struct mt_provider_account *account,
                                 const struct mt_conversations_query *query, mt_rong_list_fn *done,
                                 void *ud, struct mt_provider_call **out)
{
    struct list_call *call = mt_mem_calloc(1, sizeof *call);
    struct mt_fault fault = {.kind = MT_OK};
    enum mt_rc rc = MT_OK;

    if (out != NULL)
        *out = NULL;
    if (call == NULL)
        return MT_ERR_NOMEM;
    call->base.verb = "conversations";
    call->base.answer = answered;
    call->base.life.step = step;
    call->base.life.finish = finish;
    call->base.life.release = release;
    call->done = done;
    call->ud = ud;
    call->arena = mt_arena_new(MT_RONG_PAGE_ARENA_MAX);
    call->decoder.user = account->user;
    call->decoder.scratch = mt_arena_new(MT_RONG_SCRATCH_MAX);
    if (call->arena == NULL || call->decoder.scratch == NULL) {
        mt_arena_free(call->arena);
        mt_arena_free(call->decoder.scratch);
        mt_mem_free(call);
        return MT_ERR_NOMEM;
    }
    rc = take_query(call, query, &fault);
    rc = rc == MT_OK ? mt_call_start(&account->calls, &call->base.life)
                     : mt_call_fail(&account->calls, &call->base.life, rc, &fault);
    if (rc == MT_OK && out != NULL)
        *out = &call->base.life;
    return rc;
}

/* The three forms of the conversation list, with the limits of each (easemob.md §4.1, §4.2). */
#include "sandbox/rest_int.h"

#include "base/mem.h"
#include "base/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PAGE_FORM_MAX   20
#define CURSOR_FORM_MAX 50
#define LIST_DEFAULT    20

static bool list_is_off(struct mt_sb_call *call)
{
    if (!call->sandbox->faults.no_conversation_list)
        return false;
    mt_sb_reply_error(call, 403, "forbidden_op", "service not open!");
    return true;
}

/* The user's list; an id in capitals has none. false: an error was answered. */
static bool fetch(struct mt_sb_call *call, bool with_empty, struct mt_sb_listed **list, size_t *n)
{
    *list = NULL;
    *n = 0;
    if (list_is_off(call))
        return false;
    if (call->foreign_case)
        return true;
    if (mt_sb_user_list(call->user, (size_t)call->sandbox->faults.list_cap, with_empty, list, n) !=
        MT_OK) {
        mt_sb_reply_nomem(call);
        return false;
    }
    return true;
}

static void open_infos(struct mt_sb_call *call)
{
    mt_sb_reply_begin(call);
    mt_jsonw_key(&call->json, "data");
    mt_jsonw_object(&call->json);
    mt_jsonw_key(&call->json, "channel_infos");
    mt_jsonw_array(&call->json);
}

static void close_data(struct mt_sb_call *call)
{
    mt_jsonw_object_end(&call->json);
    mt_sb_reply_end(call);
}

static void write_meta(struct mt_sb_call *call, const struct mt_sb_listed *listed)
{
    mt_jsonw_key(&call->json, "meta");
    if (mt_sb_payload_write(listed->last, &call->json) != MT_OK)
        call->sandbox->answer.failed = MT_ERR_NOMEM;
}

static void write_old(struct mt_sb_call *call, const struct mt_sb_listed *listed)
{
    char channel[2 * MT_SB_ID_MAX + 64];
    struct mt_jsonw *json = &call->json;
    (void)snprintf(channel, sizeof channel, "%s_%s@%s", MT_SB_APPKEY, listed->view->id,
                   mt_sb_view_domain(listed->view));
    mt_jsonw_object(json);
    mt_jsonw_key(json, "channel_id");
    mt_jsonw_str(json, channel);
    write_meta(call, listed);
    mt_jsonw_key(json, "unread_num");
    mt_jsonw_u64(json, mt_sb_view_unread(listed->view));
    mt_jsonw_object_end(json);
}

static void write_new(struct mt_sb_call *call, const struct mt_sb_listed *listed, bool need_mark)
{
    const struct mt_sb_view *view = listed->view;
    struct mt_jsonw *json = &call->json;
    mt_jsonw_object(json);
    mt_jsonw_key(json, "session_to");
    mt_jsonw_str(json, view->id);
    mt_jsonw_key(json, "session_type");
    mt_jsonw_str(json, view->thread->chat == MT_SB_SINGLE ? "chat" : "groupChat");
    mt_jsonw_key(json, "is_top");
    mt_jsonw_bool(json, view->pinned_ms != 0);
    mt_jsonw_key(json, "update_top_status_time");
    mt_jsonw_i64(json, view->pinned_ms);
    mt_jsonw_key(json, "unread_num");
    mt_jsonw_u64(json, mt_sb_view_unread(view));
    if (need_mark && view->marks != 0) {
        mt_jsonw_key(json, "marks");
        mt_jsonw_array(json);
        for (unsigned i = 0; i < MT_SB_MARKS; i++) {
            char mark[16];
            (void)snprintf(mark, sizeof mark, "mark_%u", i);
            if ((view->marks >> i & 1) != 0)
                mt_jsonw_str(json, mark);
        }
        mt_jsonw_array_end(json);
    }
    write_meta(call, listed);
    mt_jsonw_object_end(json);
}

/* Stops at a few conversations of the last days, without a word: that is the trap. */
void mt_sb_rest_list_old(struct mt_sb_call *call)
{
    const struct mt_sb_faults *faults = &call->sandbox->faults;
    struct mt_sb_listed *list = NULL;
    size_t n = 0;
    if (!fetch(call, false, &list, &n))
        return;
    open_infos(call);
    for (size_t i = 0; i < n && i < faults->old_list_limit; i++) {
        if (list[i].last->ts_ms >= call->now_ms - faults->old_list_age_ms)
            write_old(call, &list[i]);
    }
    mt_jsonw_array_end(&call->json);
    close_data(call);
    mt_mem_free(list);
}

void mt_sb_rest_list_page(struct mt_sb_call *call)
{
    struct mt_sb_listed *list = NULL;
    size_t n = 0;
    if (call->sandbox->faults.no_list_page_form) {
        mt_sb_reply_error(call, 404, "not_found", "there is no paged conversation list");
        return;
    }
    uint64_t number = mt_sb_query_u64(call, "pageNum", 1);
    uint64_t size = mt_sb_query_u64(call, "pageSize", LIST_DEFAULT);
    if (number < 1 || number > UINT32_MAX || size < 1) {
        mt_sb_reply_error(call, 400, "illegal_argument", "pageNum and pageSize begin at 1");
        return;
    }
    if (size > PAGE_FORM_MAX)
        size = PAGE_FORM_MAX;
    if (!fetch(call, false, &list, &n))
        return;
    open_infos(call);
    for (uint64_t i = (number - 1) * size; i < number * size && i < n; i++)
        write_old(call, &list[i]);
    mt_jsonw_array_end(&call->json);
    close_data(call);
    mt_mem_free(list);
}

static int newest_pin(const struct mt_sb_listed *a, const struct mt_sb_listed *b)
{
    return a->view->pinned_ms > b->view->pinned_ms ? -1 : 1;
}

/* Keeps the pinned ones, latest pin first. There are few: insertion will do. */
static size_t keep_pinned(struct mt_sb_listed *list, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (list[i].view->pinned_ms == 0)
            continue;
        struct mt_sb_listed one = list[i];
        size_t at = kept++;
        for (; at > 0 && newest_pin(&one, &list[at - 1]) < 0; at--)
            list[at] = list[at - 1];
        list[at] = one;
    }
    return kept;
}

static size_t keep_marked(struct mt_sb_listed *list, size_t n, unsigned mark)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if ((list[i].view->marks >> mark & 1) != 0)
            list[kept++] = list[i];
    }
    return kept;
}

/* The cursor holds the sort key of the last entry given: what follows is whatever sorts behind it.
 */
static uint64_t sort_key(const struct mt_sb_listed *listed, bool pinned)
{
    if (pinned)
        return (uint64_t)listed->view->pinned_ms;
    return listed->last == NULL ? 0 : listed->last->id;
}

static bool read_cursor(struct mt_sb_call *call, uint64_t *key, uint64_t *thread)
{
    char text[64];
    *key = UINT64_MAX;
    *thread = 0;
    if (!mt_sb_query(call, "cursor", text, sizeof text) || text[0] == '\0')
        return true;
    char *dash = strchr(text, '-');
    if (text[0] != 'c' || dash == NULL)
        return false;
    *dash = '\0';
    return mt_str_u64(text + 1, key) && mt_str_u64(dash + 1, thread);
}

/* The troubles of the list: on a page that was asked for with a cursor. */
static bool spoilt(struct mt_sb_call *call, bool further)
{
    char text[64];
    bool stale = call->pick.trouble == MT_SB_TROUBLE_LIST_STALE;
    if (!further || (!stale && call->pick.trouble != MT_SB_TROUBLE_LIST_NULL))
        return false;
    mt_sb_reply_begin(call);
    mt_jsonw_key(&call->json, "data");
    mt_jsonw_object(&call->json);
    mt_jsonw_key(&call->json, "channel_infos");
    if (stale) {
        mt_jsonw_array(&call->json);
        mt_jsonw_array_end(&call->json);
        mt_jsonw_key(&call->json, "cursor");
        mt_jsonw_str(&call->json, mt_sb_query(call, "cursor", text, sizeof text) ? text : "");
    } else {
        mt_jsonw_null(&call->json);
    }
    close_data(call);
    return true;
}

static void write_cursor_page(struct mt_sb_call *call, const struct mt_sb_listed *list, size_t n,
                              bool pinned)
{
    char text[64];
    bool need_mark = mt_sb_query(call, "need_mark", text, sizeof text) && strcmp(text, "true") == 0;
    uint64_t limit = mt_sb_query_u64(call, "limit", LIST_DEFAULT);
    uint64_t key = 0;
    uint64_t thread = 0;
    if (limit < 1)
        limit = 1;
    if (limit > CURSOR_FORM_MAX)
        limit = CURSOR_FORM_MAX;
    if (!read_cursor(call, &key, &thread)) {
        mt_sb_reply_error(call, 400, "illegal_argument", "invalid cursor");
        return;
    }
    size_t at = 0;
    while (key != UINT64_MAX && at < n &&
           (sort_key(&list[at], pinned) > key ||
            (sort_key(&list[at], pinned) == key && list[at].view->thread->index <= thread)))
        at++;
    if (spoilt(call, key != UINT64_MAX))
        return;
    open_infos(call);
    text[0] = '\0';
    for (uint64_t i = 0; i < limit && at < n; i++, at++) {
        write_new(call, &list[at], need_mark);
        (void)snprintf(text, sizeof text, "c%" PRIu64 "-%" PRIu32, sort_key(&list[at], pinned),
                       list[at].view->thread->index);
    }
    mt_jsonw_array_end(&call->json);
    mt_jsonw_key(&call->json, "cursor");
    mt_jsonw_str(&call->json, at < n ? text : "");
    close_data(call);
}

static bool cursor_form_is_off(struct mt_sb_call *call)
{
    if (!call->sandbox->faults.no_list_cursor_form)
        return false;
    mt_sb_reply_error(call, 404, "not_found", "there is no conversation list with a cursor");
    return true;
}

void mt_sb_rest_list_cursor(struct mt_sb_call *call)
{
    char text[16];
    struct mt_sb_listed *list = NULL;
    size_t n = 0;
    if (cursor_form_is_off(call))
        return;
    bool empty =
        mt_sb_query(call, "needEmptySession", text, sizeof text) && strcmp(text, "true") == 0;
    bool pinned = mt_sb_query(call, "is_top", text, sizeof text) && strcmp(text, "true") == 0;
    if (!fetch(call, empty, &list, &n))
        return;
    if (pinned)
        n = keep_pinned(list, n);
    write_cursor_page(call, list, n, pinned);
    mt_mem_free(list);
}

void mt_sb_rest_list_search(struct mt_sb_call *call)
{
    char text[16];
    struct mt_sb_listed *list = NULL;
    size_t n = 0;
    unsigned mark = 0;
    if (cursor_form_is_off(call))
        return;
    if (!mt_sb_query(call, "mark", text, sizeof text) || !mt_sb_mark_parse(text, &mark)) {
        mt_sb_reply_error(call, 400, "illegal_argument", "param mark is illegal");
        return;
    }
    if (!fetch(call, false, &list, &n))
        return;
    n = keep_marked(list, n, mark);
    write_cursor_page(call, list, n, false);
    mt_mem_free(list);
}

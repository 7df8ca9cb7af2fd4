/* Paging through history: POST users/U/messageroaming (easemob.md §4.3, §4.4). */
#include "sandbox/rest_int.h"

#include "base/str.h"

#include <string.h>

struct request {
    struct mt_sb_view *view; /* NULL: nothing is seen there */
    struct mt_sb_page_query query;
};

/* "bob@easemob.com", "93734273351681@conference.easemob.com": no app key, no resource. */
static struct mt_sb_view *view_of_queue(struct mt_sb_call *call, const char *queue)
{
    char id[MT_SB_ID_MAX];
    const char *at = strrchr(queue, '@');
    if (at == NULL || at == queue || (size_t)(at - queue) >= sizeof id)
        return NULL;
    memcpy(id, queue, (size_t)(at - queue));
    id[at - queue] = '\0';
    if (strcmp(at + 1, MT_SB_DOMAIN_USER) == 0) /* not folded: capitals see nothing */
        return mt_sb_view_find(&call->sandbox->store, call->user, id, false);
    if (strcmp(at + 1, MT_SB_DOMAIN_GROUP) == 0)
        return mt_sb_view_find(&call->sandbox->store, call->user, id, true);
    return NULL;
}

/* -1, "", null and absent begin at the end; else the id of a message, as text or number. */
static bool read_start(const struct mt_json *node, uint64_t *start)
{
    const char *text = mt_json_str(node);
    *start = 0;
    if (node == NULL || mt_json_type(node) == MT_JSON_NULL)
        return true;
    if (text != NULL && (text[0] == '\0' || strcmp(text, "-1") == 0))
        return true;
    return mt_json_i64(node, 0) == -1 || mt_json_u64(node, start);
}

static int64_t read_time(const struct mt_json *node)
{
    int64_t ms = mt_json_i64(node, 0);
    return ms < 0 || ms > (int64_t)1 << 52 ? 0 : ms;
}

static size_t page_size(const struct mt_sb_call *call, const struct mt_json *node)
{
    int64_t size = mt_json_i64(node, (int64_t)call->sandbox->faults.page_default);
    if (size < 1)
        size = 1;
    return size > MT_SB_PAGE_MAX ? MT_SB_PAGE_MAX : (size_t)size;
}

static bool read_request(struct mt_sb_call *call, const struct mt_json *body,
                         struct request *request)
{
    const char *queue = mt_json_str(mt_json_get(body, "queue"));
    const char *sender = mt_json_str(mt_json_get(body, "userId"));
    const char *kinds = mt_json_str(mt_json_get(body, "msgType"));
    struct mt_sb_page_query *query = &request->query;
    *request = (struct request){0};
    if (queue == NULL || !read_start(mt_json_get(body, "start"), &query->start)) {
        mt_sb_reply_error(call, 400, "illegal_argument", "queue or start is not legal");
        return false;
    }
    query->limit = page_size(call, mt_json_get(body, "pull_number"));
    query->oldest_first = mt_json_bool(mt_json_get(body, "is_positive"), false);
    query->since_ms = read_time(mt_json_get(body, "startTime"));
    query->until_ms = read_time(mt_json_get(body, "endTime"));
    if (kinds != NULL && kinds[0] != '\0') {
        query->kinds = mt_sb_kinds_parse(kinds);
        if (query->kinds == 0) /* only names that nobody knows: nothing can match */
            query->kinds = 1U << MT_SB_KINDS;
    }
    if (!call->foreign_case)
        request->view = view_of_queue(call, queue);
    if (sender != NULL && sender[0] != '\0') {
        const struct mt_sb_user *user = mt_sb_user_get(&call->sandbox->store, sender);
        query->by_sender = true;
        query->sender = user == NULL ? UINT32_MAX : user->index;
    }
    return true;
}

/* The page before the one that was asked for: what stands between it and the start, as the client
 * saw it. */
static void read_previous(const struct request *request, struct mt_sb_page *page)
{
    struct mt_sb_page_query back = request->query;
    back.oldest_first = !back.oldest_first;
    back.start = back.oldest_first ? back.start - 1 : back.start + 1; /* with the start itself */
    mt_sb_page_read(request->view, &back, page);
    for (size_t i = 0; i < page->n / 2; i++) {
        const struct mt_sb_message *swap = page->items[i];
        page->items[i] = page->items[page->n - 1 - i];
        page->items[page->n - 1 - i] = swap;
    }
}

/* Spoils a page that is otherwise right; *next is what the cursor will say. */
static void spoil(const struct mt_sb_call *call, const struct request *request,
                  struct mt_sb_page *page, uint64_t *next)
{
    struct mt_sb_page other;
    switch (call->pick.trouble) {
    case MT_SB_TROUBLE_STALE_CURSOR:
        if (request->query.start != 0) {
            *next = request->query.start;
            page->last = false;
        }
        break;
    case MT_SB_TROUBLE_REPEAT_PAGE:
        if (request->query.start != 0) {
            bool last = page->last;
            read_previous(request, page);
            page->last = last;
        }
        break;
    case MT_SB_TROUBLE_OUT_OF_ORDER:
        if (page->n > 1) {
            const struct mt_sb_message *swap = page->items[0];
            page->items[0] = page->items[page->n - 1];
            page->items[page->n - 1] = swap;
        }
        break;
    case MT_SB_TROUBLE_DROP_MESSAGE:
        if (page->n > 2) {
            size_t at = page->n / 2;
            memmove(&page->items[at], &page->items[at + 1],
                    (page->n - at - 1) * sizeof(const struct mt_sb_message *));
            page->n--;
        }
        break;
    case MT_SB_TROUBLE_DUPLICATE: /* the last one of the page before comes again */
        if (request->query.start != 0 && page->n > 0) {
            struct request one = *request;
            one.query.limit = 1;
            read_previous(&one, &other);
            size_t n = page->n < MT_SB_PAGE_MAX ? page->n : MT_SB_PAGE_MAX - 1;
            if (other.n == 1) {
                memmove(&page->items[1], &page->items[0], n * sizeof(const struct mt_sb_message *));
                page->items[0] = other.items[0];
                page->n = n + 1;
            }
        }
        break;
    default:
        break;
    }
}

/* The hot path: copied together, not written through the JSON writer. */
static void write_page(struct mt_sb_call *call, const struct request *request,
                       struct mt_sb_page *page)
{
    struct mt_buf *out = &call->sandbox->answer;
    uint64_t next = page->n == 0 ? request->query.start : page->items[page->n - 1]->id;
    if (request->view != NULL)
        spoil(call, request, page, &next);
    size_t size = 128;
    for (size_t i = 0; i < page->n; i++)
        size += page->items[i]->b64_len + 64;
    mt_sb_reply_begin(call);
    (void)mt_buf_reserve(out, size);
    (void)mt_buf_append_str(out, ",\"data\":{\"msgs\":");
    if (call->pick.trouble == MT_SB_TROUBLE_NULL_PAGE) {
        (void)mt_buf_append_str(out, "null");
        page->last = false;
    } else {
        (void)mt_buf_append_char(out, '[');
        for (size_t i = 0; i < page->n; i++) {
            const struct mt_sb_message *message = page->items[i];
            (void)mt_buf_append_str(out, i == 0 ? "{\"msg\":\"" : ",{\"msg\":\"");
            (void)mt_buf_append(out, message->b64, message->b64_len);
            (void)mt_buf_append_str(out, "\",\"msg_id\":\"");
            (void)mt_buf_append_u64(out, message->id);
            (void)mt_buf_append_str(out, "\"}");
        }
        (void)mt_buf_append_char(out, ']');
    }
    if (!page->last) { /* the last page has no next_key, as the official client expects */
        (void)mt_buf_append_str(out, ",\"next_key\":\"");
        (void)mt_buf_append_u64(out, next);
        (void)mt_buf_append_char(out, '"');
    }
    (void)mt_buf_append_str(out, page->last ? ",\"is_last\":true}" : ",\"is_last\":false}");
    mt_sb_reply_end(call);
}

void mt_sb_rest_history(struct mt_sb_call *call)
{
    struct request request;
    struct mt_sb_page page = {.last = true};
    if (call->sandbox->faults.no_roaming) {
        mt_sb_reply_error(call, 400, "service open exception",
                          "this appKey not open message roaming");
        return;
    }
    struct mt_json *body = mt_sb_body(call);
    if (body == NULL)
        return;
    if (read_request(call, body, &request)) {
        if (request.view != NULL)
            mt_sb_page_read(request.view, &request.query, &page);
        call->sandbox->page_n++;
        write_page(call, &request, &page);
    }
    mt_json_free(body);
}

/* The answer of the history call: base64 of a Meta per entry, next_key, is_last (easemob.md §4.3).
 * What the query did not ask for is taken out here, whatever the cloud understood of it. */
#include "provider/easemob/roaming_int.h"

#include "base/arena.h"
#include "codec/base64.h"
#include "codec/json.h"
#include "provider/query.h"

#include <string.h>
#include <strings.h>

#define ANSWER_MAX ((size_t)32 * 1024 * 1024)

struct reading {
    const struct mt_em_decoder *decoder;
    const struct mt_history_query *query;
    struct mt_arena *arena;
    struct mt_message *items;
    size_t n;
    size_t skipped;
    size_t dropped;
    bool bounds_ignored;
    bool past_end; /* an entry lies behind the far bound: nothing wanted can follow */
};

static enum mt_rc read_entry(struct reading *r, const struct mt_json *entry)
{
    const char *text = mt_json_str(mt_json_get(entry, "msg"));
    size_t len = text == NULL ? 0 : strlen(text);
    struct mt_message *m = &r->items[r->n];
    uint8_t *raw = NULL;
    size_t raw_len = 0;
    uint64_t id = 0;
    enum mt_rc rc = MT_ERR_PROTOCOL;

    (void)mt_json_u64(mt_json_get(entry, "msg_id"), &id);
    raw = mt_arena_alloc(r->arena, MT_BASE64_DECODED_MAX(len));
    if (raw == NULL)
        return MT_ERR_LIMIT;
    if (text != NULL)
        rc = mt_base64_decode(text, len, raw, &raw_len);
    if (rc == MT_OK) {
        rc = mt_em_decode_meta(r->decoder, raw, raw_len, r->arena, m);
    } else { /* no base64: the text itself is what the cloud gave */
        raw = (uint8_t *)mt_arena_strndup(r->arena, text == NULL ? "" : text, len);
        if (raw == NULL)
            return MT_ERR_LIMIT;
        raw_len = len;
    }
    if (rc == MT_ERR_UNSUPPORTED) {
        r->skipped++;
        return MT_OK;
    }
    if (rc == MT_ERR_PROTOCOL) {
        mt_em_decode_none(mt_id_of_u64(r->arena, id), raw, raw_len, m);
        rc = MT_OK;
    }
    if (rc != MT_OK)
        return rc;
    if (!mt_id_is(m->id))
        m->id = mt_id_of_u64(r->arena, id);
    if (m->id == NULL)
        return MT_ERR_LIMIT;
    if (m->conversation.target[0] == '\0')
        m->conversation = r->query->conversation;
    r->n++;
    return MT_OK;
}

/* An entry that tells no time stands where its neighbours stand. */
static void fill_times(struct reading *r)
{
    int64_t last = 0;

    for (size_t i = 0; i < r->n; i++) {
        if (r->items[i].time_ms == 0)
            r->items[i].time_ms = last;
        last = r->items[i].time_ms;
    }
    for (size_t i = r->n; i-- > 0;) {
        if (r->items[i].time_ms == 0)
            r->items[i].time_ms = last;
        last = r->items[i].time_ms;
    }
}

static bool wanted(struct reading *r, const struct mt_message *m)
{
    const struct mt_history_query *q = r->query;

    if (q->since_ms > 0 && m->time_ms < q->since_ms) {
        r->bounds_ignored |= m->time_ms < q->since_ms - 1;
        r->past_end |= !q->oldest_first;
        return false;
    }
    if (q->until_ms > 0 && m->time_ms >= q->until_ms) {
        r->bounds_ignored |= m->time_ms > q->until_ms;
        r->past_end |= q->oldest_first;
        return false;
    }
    if (q->from != NULL && strcasecmp(q->from, m->from) != 0)
        return false;
    return mt_history_query_kind(q, m);
}

static void filter(struct reading *r, struct mt_em_bounds *bounds, int64_t sent_start)
{
    size_t kept = 0;

    for (size_t i = 0; i < r->n; i++) {
        if (sent_start > 0 && r->items[i].time_ms == sent_start)
            bounds->start_inclusive = true;
        if (!wanted(r, &r->items[i])) {
            r->dropped++;
            continue;
        }
        if (kept != i)
            r->items[kept] = r->items[i];
        kept++;
    }
    r->n = kept;
    if (r->bounds_ignored) /* then a hit at the bound proves nothing */
        bounds->start_inclusive = false;
}

static enum mt_rc read_end(const struct mt_json *data, struct reading *r,
                           struct mt_history_page *page, struct mt_fault *fault)
{
    const struct mt_json *key = mt_json_get(data, "next_key");
    const char *cursor = mt_json_str(key);
    uint64_t number = 0;
    char digits[24];

    page->is_last = mt_json_bool(mt_json_get(data, "is_last"), false) || r->past_end;
    if (page->is_last)
        return MT_OK;
    if (cursor == NULL && mt_json_u64(key, &number)) { /* a short number instead of a string */
        size_t at = sizeof digits - 1;

        digits[at] = '\0';
        do {
            digits[--at] = (char)('0' + number % 10);
            number /= 10;
        } while (number > 0);
        cursor = digits + at;
    }
    if (cursor == NULL || cursor[0] == '\0')
        return mt_fault_set(
            fault, MT_ERR_PROTOCOL, "history.stuck",
            "the cloud says that more history follows, but gives no cursor to go on from");
    page->cursor = mt_arena_strdup(r->arena, cursor);
    return page->cursor == NULL ? MT_ERR_LIMIT : MT_OK;
}

static enum mt_rc read_page(struct reading *r, const struct mt_json *root,
                            struct mt_em_bounds *bounds, int64_t sent_start,
                            struct mt_history_page *page, struct mt_fault *fault)
{
    const struct mt_json *data = mt_json_get(root, "data");
    const struct mt_json *msgs = mt_json_get(data, "msgs");
    size_t n = 0;
    enum mt_rc rc = MT_OK;

    if (mt_json_type(msgs) != MT_JSON_ARRAY)
        return mt_fault_set(fault, MT_ERR_PROTOCOL, "history.null_page",
                            "the cloud answered a history request without a list of messages");
    n = mt_json_count(msgs);
    if (n > MT_EM_ENTRIES_MAX)
        return MT_ERR_LIMIT;
    r->items = mt_arena_alloc(r->arena, (n == 0 ? 1 : n) * sizeof *r->items);
    if (r->items == NULL)
        return MT_ERR_LIMIT;
    for (const struct mt_json *e = mt_json_child(msgs); e != NULL; e = mt_json_next(e)) {
        rc = read_entry(r, e);
        if (rc != MT_OK)
            return rc;
    }
    fill_times(r);
    filter(r, bounds, sent_start);
    return read_end(data, r, page, fault);
}

enum mt_rc mt_em_roaming_parse(const struct mt_em_decoder *decoder,
                               const struct mt_history_query *query, const char *text, size_t len,
                               struct mt_em_bounds *bounds, int64_t sent_start,
                               struct mt_arena *arena, struct mt_history_page *page,
                               struct mt_fault *fault)
{
    struct reading r = {.decoder = decoder, .query = query, .arena = arena};
    struct mt_json *root = NULL;
    enum mt_rc rc = mt_json_parse(text, len, ANSWER_MAX, &root, fault);

    *page = (struct mt_history_page){.items = NULL};
    if (rc == MT_ERR_PROTOCOL)
        return mt_fault_set(fault, MT_ERR_PROTOCOL, "history.not_json",
                            "the cloud answered a history request with something that is no JSON");
    if (rc == MT_OK)
        rc = read_page(&r, root, bounds, sent_start, page, fault);
    mt_json_free(root);
    if (rc == MT_ERR_LIMIT)
        return mt_fault_set(
            fault, rc, "history.page_too_large",
            "a page of history is larger than any page can be; ask for fewer messages a page");
    if (rc == MT_ERR_NOMEM)
        return mt_fault_set(fault, rc, "memory", "out of memory while reading a page of history");
    page->items = r.items;
    page->n = rc == MT_OK ? r.n : 0;
    page->skipped = r.skipped;
    page->dropped = r.dropped;
    page->bounds_ignored = r.bounds_ignored;
    return rc;
}

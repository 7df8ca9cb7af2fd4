/* Pages of history: see history_int.h. */
#include "provider/rongcloud/history_int.h"

#include "base/arena.h"
#include "base/str.h"
#include "provider/query.h"

#include <stdio.h>
#include <string.h>

#define QUERY_MAX  ((size_t)4096)
#define AHEAD_MS   60000 /* from now, where the newest end is asked for (5.3) */
#define PAGE_COUNT 50    /* of a query that says none */

/* ---------------------------------------------------------------- cursors */

bool mt_rong_cursor_of(const struct mt_message *m, char out[MT_CURSOR_MAX])
{
    if (!mt_id_is(m->id) || m->time_ms <= 0 || strlen(m->id) >= MT_ID_MAX)
        return false;
    snprintf(out, MT_CURSOR_MAX, "%lld:%s", (long long)m->time_ms, m->id);
    return true;
}

static bool read_cursor(const char *cursor, struct mt_rong_history_ask *out)
{
    const char *colon = strchr(cursor, ':');
    char digits[24];

    if (colon == NULL || (size_t)(colon - cursor) >= sizeof digits ||
        strlen(colon + 1) >= sizeof out->last)
        return false;
    memcpy(digits, cursor, (size_t)(colon - cursor));
    digits[colon - cursor] = '\0';
    if (!mt_str_i64(digits, &out->reached_ms) || out->reached_ms <= 0)
        return false;
    memcpy(out->last, colon + 1, strlen(colon + 1) + 1);
    return true;
}

enum mt_rc mt_rong_history_check(const struct mt_history_query *query, struct mt_fault *fault)
{
    struct mt_rong_history_ask ask;

    if (query->limit < 0 || query->limit > MT_RONG_PAGE_MAX)
        return mt_fault_set(fault, MT_ERR_INVALID, "history.limit",
                            "a page of history holds 1 to %d messages, not %d", MT_RONG_PAGE_MAX,
                            query->limit);
    if (query->since_ms < 0 || query->until_ms < 0 ||
        (query->until_ms > 0 && query->since_ms >= query->until_ms))
        return mt_fault_set(fault, MT_ERR_INVALID, "history.bounds",
                            "the time range is empty: since must be earlier than until");
    if (query->cursor != NULL && query->cursor[0] != '\0' && !read_cursor(query->cursor, &ask))
        return mt_fault_set(fault, MT_ERR_INVALID, "history.cursor",
                            "this is no cursor of this cloud's history (TIME:ID)");
    return MT_OK;
}

static int64_t latest(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* The cloud gives what is newer, or older, than the time. */
static int64_t time_of(const struct mt_history_query *query, const struct mt_rong_history_ask *ask,
                       int64_t now_ms)
{
    bool within = ask->last[0] != '\0'; /* others of that time may follow */

    if (query->oldest_first) {
        int64_t from = ask->reached_ms > 0 ? ask->reached_ms - within : query->since_ms - 1;

        return latest(from, 1); /* 0 would mean the newest end */
    }
    if (ask->reached_ms > 0)
        return latest(ask->reached_ms + within, 2);
    return query->until_ms > 0 ? query->until_ms : now_ms + AHEAD_MS;
}

void mt_rong_history_ask(const struct mt_history_query *query, int64_t now_ms,
                         struct mt_rong_history_ask *out)
{
    int limit = query->limit > 0 ? query->limit : PAGE_COUNT;

    memset(out, 0, sizeof *out);
    if (query->cursor != NULL && query->cursor[0] != '\0')
        (void)read_cursor(query->cursor, out);
    out->time_ms = time_of(query, out, now_ms);
    /* the last message of the page before comes again */
    out->count = limit < MT_RONG_PAGE_MAX ? limit + (out->last[0] != '\0') : MT_RONG_PAGE_MAX;
}

/* ---------------------------------------------------------------- the request */

static const char *topic_of(int type)
{
    static const struct {
        int type;
        const char *topic;
    } topics[] = {{RONGCLOUD__CHANNEL_TYPE__CT_PERSON, "qryPMsg"},
                  {RONGCLOUD__CHANNEL_TYPE__CT_GROUP, "qryGMsg"},
                  {RONGCLOUD__CHANNEL_TYPE__CT_TEMPGROUP, "qryCHMsg"},
                  {RONGCLOUD__CHANNEL_TYPE__CT_CUSTOMERSERVICE, "qryCMsg"},
                  {RONGCLOUD__CHANNEL_TYPE__CT_NOTIFY, "qrySMsg"},
                  {RONGCLOUD__CHANNEL_TYPE__CT_MC, "qryMCMsg"},
                  {RONGCLOUD__CHANNEL_TYPE__CT_MP, "qryMPMsg"},
                  {RONGCLOUD__CHANNEL_TYPE__CT_ULTRAGROUP, "qryUgMsg"}};

    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++)
        if (topics[i].type == type)
            return topics[i].topic;
    return topics[0].topic;
}

enum mt_rc mt_rong_history_pack(const struct mt_rong_navi *navi,
                                const struct mt_history_query *query,
                                const struct mt_rong_history_ask *ask, struct mt_rong_packet *out,
                                struct mt_fault *fault)
{
    Rongcloud__HistoryMsgInput m = RONGCLOUD__HISTORY_MSG_INPUT__INIT;
    const char *target = NULL;
    int type = mt_rong_ref_type(&query->conversation, &target);

    memset(out, 0, sizeof *out);
    mt_buf_init(&out->payload, QUERY_MAX);
    out->request.reads = true;
    mt_rong_packet_begin(out, topic_of(type),
                         type == RONGCLOUD__CHANNEL_TYPE__CT_TEMPGROUP ? target : NULL);
    m.targetid = (char *)(uintptr_t)target;
    m.has_time = true;
    m.time = ask->time_ms;
    m.has_count = true;
    m.count = ask->count;
    m.has_order = true;
    m.order = query->oldest_first;
    m.buschannel = (char *)(uintptr_t)mt_rong_channel(navi, &query->conversation);
    m.has_compressioenabled = true;
    m.compressioenabled = true;
    m.has_ignorecmd = true;
    m.ignorecmd = true;
    return mt_rong_packet_end(out, &m.base, fault);
}

/* ---------------------------------------------------------------- the answer */

/* In the order that was asked for. The SDK takes it for granted that the newest comes first where
 * older ones were asked for, and the oldest where newer ones were; a list that runs the other way
 * is turned. */
static void orient(struct mt_rong_messages *m, bool oldest_first)
{
    int64_t first = m->n > 0 ? m->items[0].time_ms : 0;
    int64_t last = m->n > 0 ? m->items[m->n - 1].time_ms : 0;

    if (m->n < 2 || first == last || (first < last) == oldest_first)
        return;
    for (size_t i = 0, k = m->n - 1; i < k; i++, k--) {
        struct mt_message swap = m->items[i];

        m->items[i] = m->items[k];
        m->items[k] = swap;
    }
}

/* What tells no time stands where its neighbours stand. */
static void fill_times(struct mt_rong_messages *m, int64_t otherwise)
{
    int64_t last = 0;

    for (size_t i = 0; i < m->n; i++) {
        if (m->items[i].time_ms == 0)
            m->items[i].time_ms = last;
        last = m->items[i].time_ms;
    }
    last = last != 0 ? last : otherwise;
    for (size_t i = m->n; i-- > 0;) {
        if (m->items[i].time_ms == 0)
            m->items[i].time_ms = last;
        last = m->items[i].time_ms;
    }
}

/* How many of the first items the pages before have given. When the last of them is not there any
 * more (deleted meanwhile), those of its time are given again rather than lost. *unseen: it is not
 * there, and may stand behind the end of what the cloud gave. */
static size_t given(const struct mt_history_query *query, const struct mt_rong_history_ask *ask,
                    const struct mt_rong_history_out *out, bool *unseen)
{
    const struct mt_rong_messages *m = &out->messages;
    size_t n = 0;

    *unseen = false;
    if (ask->reached_ms == 0)
        return 0;
    while (n < m->n && (query->oldest_first ? m->items[n].time_ms < ask->reached_ms
                                            : m->items[n].time_ms > ask->reached_ms))
        n++;
    *unseen = ask->last[0] != '\0' && out->more &&
              (n == m->n || m->items[m->n - 1].time_ms == ask->reached_ms);
    for (size_t i = n; i < m->n && m->items[i].time_ms == ask->reached_ms; i++) {
        if (ask->last[0] != '\0' && !mt_id_same(m->items[i].id, ask->last))
            continue;
        n = i + 1;
        *unseen = false;
    }
    return n;
}

static bool wanted(const struct mt_history_query *q, const struct mt_message *m, bool *past_end)
{
    if (q->since_ms > 0 && m->time_ms < q->since_ms) {
        *past_end |= !q->oldest_first;
        return false;
    }
    if (q->until_ms > 0 && m->time_ms >= q->until_ms) {
        *past_end |= q->oldest_first;
        return false;
    }
    return (q->from == NULL || strcmp(q->from, m->from) == 0) && mt_history_query_kind(q, m);
}

static size_t filter(const struct mt_history_query *query, struct mt_message *items, size_t n,
                     bool *past_end)
{
    size_t kept = 0;

    for (size_t i = 0; i < n; i++) {
        if (!wanted(query, &items[i], past_end))
            continue;
        if (kept != i)
            items[kept] = items[i];
        kept++;
    }
    return kept;
}

static enum mt_rc set_cursor(const struct mt_message *last, struct mt_arena *arena,
                             struct mt_history_page *page, struct mt_fault *fault)
{
    char cursor[MT_CURSOR_MAX];

    if (!mt_rong_cursor_of(last, cursor))
        snprintf(cursor, sizeof cursor, "%lld:", (long long)last->time_ms);
    page->cursor = mt_arena_strdup(arena, cursor);
    return page->cursor != NULL ? MT_OK
                                : mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
}

static enum mt_rc go_on_from(int64_t time_ms, struct mt_arena *arena, struct mt_history_page *page,
                             struct mt_fault *fault)
{
    struct mt_message place = {.time_ms = time_ms};

    page->is_last = false;
    return set_cursor(&place, arena, page, fault);
}

/* The cloud counts the time itself in that it is asked from. */
static bool is_inclusive(const struct mt_rong_history_ask *ask, const struct mt_rong_messages *m)
{
    for (size_t i = 0; i < m->n; i++)
        if (m->items[i].time_ms == ask->time_ms)
            return true;
    return false;
}

/* What lies on the other side of the time that the cloud was asked from was given before, or was
 * never asked for: a page like that says nothing of what follows. */
static const struct mt_message *astray(const struct mt_history_query *query,
                                       const struct mt_rong_history_ask *ask,
                                       const struct mt_rong_messages *m)
{
    for (size_t i = 0; i < m->n; i++)
        if (query->oldest_first ? m->items[i].time_ms < ask->time_ms
                                : m->items[i].time_ms > ask->time_ms)
            return &m->items[i];
    return NULL;
}

/* The cloud says that more follows, and gave nothing new. Where it left out what a client does not
 * show, its own time says how far it got. Where a crowd shares the time, all of it is asked for. */
static enum mt_rc nothing_new(const struct mt_history_query *query, struct mt_rong_history_ask *ask,
                              const struct mt_rong_history_out *out, struct mt_arena *arena,
                              struct mt_history_page *page, bool *again, struct mt_fault *fault)
{
    size_t n = out->messages.n;

    if (n == 0 && out->sync_ms > 0 &&
        (query->oldest_first ? out->sync_ms > ask->time_ms : out->sync_ms < ask->time_ms))
        return go_on_from(out->sync_ms, arena, page, fault);
    if (n == 0)
        return mt_fault_set(fault, MT_ERR_PROTOCOL, "history.stuck",
                            "an empty page of history, and the cloud says that more follows");
    if (ask->reached_ms > 0 && ask->time_ms != ask->reached_ms &&
        is_inclusive(ask, &out->messages)) {
        ask->time_ms = ask->reached_ms;
        *again = true;
    }
    if (ask->count < MT_RONG_PAGE_MAX) {
        ask->count = MT_RONG_PAGE_MAX;
        *again = true;
    }
    return *again ? MT_OK
                  : mt_fault_set(fault, MT_ERR_PROTOCOL, "history.crowded",
                                 "more messages than the %d that the cloud lists at once were sent "
                                 "in the same millisecond (%lld)",
                                 MT_RONG_PAGE_MAX, (long long)ask->reached_ms);
}

enum mt_rc mt_rong_history_page(const struct mt_history_query *query,
                                struct mt_rong_history_ask *ask, struct mt_rong_history_out *out,
                                struct mt_arena *arena, struct mt_history_page *page, bool *again,
                                struct mt_fault *fault)
{
    size_t limit = query->limit > 0 ? (size_t)query->limit : PAGE_COUNT;
    struct mt_rong_messages *m = &out->messages;
    bool past_end = false;
    struct mt_message *items = NULL;
    const struct mt_message *stray = NULL;
    size_t skip = 0, n = 0;
    bool more = out->more, unseen = false;

    *page = (struct mt_history_page){.is_last = true};
    *again = false;
    orient(m, query->oldest_first);
    fill_times(m, ask->reached_ms > 0 ? ask->reached_ms : ask->time_ms);
    stray = astray(query, ask, m);
    if (stray != NULL)
        return mt_fault_set(fault, MT_ERR_PROTOCOL, "history.repeats",
                            "the cloud was asked from %lld on, and gives message %s of %lld",
                            (long long)ask->time_ms, mt_id_is(stray->id) ? stray->id : "without id",
                            (long long)stray->time_ms);
    skip = given(query, ask, out, &unseen);
    n = m->n - skip;
    if ((n == 0 && more) || unseen)
        return nothing_new(query, ask, out, arena, page, again, fault);
    if (n > limit) {
        n = limit;
        more = true;
    }
    if (n == 0)
        return MT_OK;
    items = m->items + skip;
    if (more && set_cursor(&items[n - 1], arena, page, fault) != MT_OK)
        return MT_ERR_NOMEM;
    page->items = items;
    page->n = filter(query, items, n, &past_end);
    page->dropped = n - page->n;
    page->is_last = !more || past_end;
    if (page->is_last)
        page->cursor = NULL;
    return MT_OK;
}

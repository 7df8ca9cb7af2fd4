/* Pages of the conversation list: see listing_int.h. */
#include "provider/rongcloud/listing_int.h"

#include "base/arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUERY_MAX  ((size_t)4096)
#define CURSOR_MAX ((size_t)MT_RONG_LIST_MAX * 20)

/* FNV-1a: equal conversations have equal ones, and a thousand different ones hardly ever. */
static uint64_t hash_of(const struct mt_conversation_ref *ref)
{
    char key[MT_CONVERSATION_ID_MAX];
    uint64_t hash = 14695981039346656037u;

    mt_conversation_ref_format(ref, key);
    for (const char *s = key; *s != '\0'; s++)
        hash = (hash ^ (unsigned char)*s) * 1099511628211u;
    return hash;
}

/* ---------------------------------------------------------------- cursors */

static bool read_number(const char **s, int base, uint64_t *out)
{
    size_t n = strcspn(*s, ".");
    char digits[24];
    char *end = NULL;

    if (n == 0 || n >= sizeof digits || **s == '-' || **s == '+' || **s == ' ')
        return false;
    memcpy(digits, *s, n);
    digits[n] = '\0';
    *out = strtoull(digits, &end, base);
    *s += n + ((*s)[n] == '.');
    return *end == '\0';
}

enum mt_rc mt_rong_list_read_cursor(const char *cursor, struct mt_arena *arena,
                                    struct mt_rong_list_ask *out, struct mt_fault *fault)
{
    const char *s = cursor ? cursor : "";
    size_t len = strlen(s);
    uint64_t *hashes = NULL;
    uint64_t time_ms = 0;

    if (len == 0)
        return MT_OK;
    if (*s == 'o') {
        out->oldest_first = true;
        s++;
    }
    if (len < CURSOR_MAX)
        hashes = mt_arena_calloc(arena, len / 2 + 1, sizeof *hashes);
    if (hashes == NULL || !read_number(&s, 10, &time_ms) || time_ms == 0 || time_ms > INT64_MAX ||
        !read_number(&s, 10, &out->given))
        return mt_fault_set(fault, MT_ERR_INVALID, "conversations.cursor",
                            "this is no cursor of this cloud's conversation list");
    while (*s != '\0' && read_number(&s, 16, &hashes[out->hashes_n]))
        out->hashes_n++;
    out->reached_ms = (int64_t)time_ms;
    out->hashes = hashes;
    return *s == '\0' ? MT_OK
                      : mt_fault_set(fault, MT_ERR_INVALID, "conversations.cursor",
                                     "this is no cursor of this cloud's conversation list");
}

static enum mt_rc write_cursor(const struct mt_rong_list_ask *ask,
                               const struct mt_rong_relations_out *out, struct mt_arena *arena,
                               const char **cursor, struct mt_fault *fault)
{
    int64_t time_ms = out->items[out->n - 1].version_ms;
    struct mt_buf text;

    if (time_ms <= 0)
        return mt_fault_set(fault, MT_ERR_PROTOCOL, "conversations.stuck",
                            "the cloud says that more conversations follow, but not from when on");
    mt_buf_init(&text, CURSOR_MAX);
    (void)mt_buf_appendf(&text, "%s%lld.%llu", ask->oldest_first ? "o" : "", (long long)time_ms,
                         (unsigned long long)(ask->given + out->n));
    for (size_t i = 0; time_ms == ask->reached_ms && i < ask->hashes_n; i++)
        (void)mt_buf_appendf(&text, ".%llx", (unsigned long long)ask->hashes[i]);
    for (size_t i = 0; i < out->n; i++)
        if (out->items[i].version_ms == time_ms)
            (void)mt_buf_appendf(&text, ".%llx", (unsigned long long)hash_of(&out->items[i].ref));
    *cursor = text.failed == MT_OK ? mt_arena_strdup(arena, text.data) : NULL;
    mt_buf_deinit(&text);
    return *cursor != NULL ? MT_OK : mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
}

/* ---------------------------------------------------------------- the request */

enum mt_rc mt_rong_list_pack(const struct mt_rong_list_ask *ask, struct mt_rong_packet *out,
                             struct mt_fault *fault)
{
    Rongcloud__RelationQryInput m = RONGCLOUD__RELATION_QRY_INPUT__INIT;

    memset(out, 0, sizeof *out);
    mt_buf_init(&out->payload, QUERY_MAX);
    out->request.reads = true;
    mt_rong_packet_begin(out, "qryRelationR", NULL);
    m.has_count = true;
    m.count = ask->count;
    m.has_starttime = true;
    if (ask->reached_ms > 0) /* others of that time may follow */
        m.starttime = ask->oldest_first ? ask->reached_ms - 1 : ask->reached_ms + 1;
    m.has_order = true;
    m.order = ask->oldest_first;
    m.has_compressioenabled = true;
    m.compressioenabled = true;
    return mt_rong_packet_end(out, &m.base, fault);
}

/* ---------------------------------------------------------------- the answer */

static bool was_given(const struct mt_rong_list_ask *ask, const struct mt_rong_relation *item)
{
    uint64_t hash = 0;

    if (ask->reached_ms == 0)
        return false;
    if (item->version_ms != ask->reached_ms)
        return ask->oldest_first ? item->version_ms < ask->reached_ms
                                 : item->version_ms > ask->reached_ms;
    hash = hash_of(&item->ref);
    for (size_t i = 0; i < ask->hashes_n; i++)
        if (ask->hashes[i] == hash)
            return true;
    return false;
}

static size_t take_new(const struct mt_rong_list_ask *ask, struct mt_rong_relations_out *out)
{
    size_t kept = 0;

    for (size_t i = 0; i < out->n; i++) {
        bool twice = was_given(ask, &out->items[i]);

        for (size_t k = 0; !twice && k < kept; k++)
            twice = out->items[k].ref.kind == out->items[i].ref.kind &&
                    strcmp(out->items[k].ref.target, out->items[i].ref.target) == 0 &&
                    strcmp(out->items[k].ref.channel, out->items[i].ref.channel) == 0;
        if (twice)
            continue;
        if (kept != i)
            out->items[kept] = out->items[i];
        kept++;
    }
    return kept;
}

enum mt_rc mt_rong_list_page(const struct mt_rong_list_ask *ask, size_t limit,
                             struct mt_rong_relations_out *out, struct mt_arena *arena,
                             const char **cursor, bool *again, struct mt_fault *fault)
{
    bool finished = out->has_finished ? out->finished : out->seen < (size_t)ask->count;

    *cursor = NULL;
    *again = false;
    out->n = take_new(ask, out);
    if (out->n > limit) {
        out->n = limit;
        finished = false;
    }
    if (finished)
        return MT_OK;
    if (out->n > 0)
        return write_cursor(ask, out, arena, cursor, fault);
    if (out->seen > 0 && ask->count < MT_RONG_LIST_MAX) {
        *again = true;
        return MT_OK;
    }
    return mt_fault_set(fault, MT_ERR_PROTOCOL, "conversations.stuck",
                        "a page of the conversation list brought nothing new, and the cloud says "
                        "that more follows");
}

void mt_rong_list_item(const struct mt_rong_relation *relation, const struct mt_rong_marks *marks,
                       struct mt_conversation *out)
{
    const struct mt_rong_mark *mark = mt_rong_marks_get(marks, &relation->ref);
    bool ultra = relation->ref.kind == MT_CONVERSATION_ULTRA;

    *out = (struct mt_conversation){.ref = relation->ref, .unread = -1};
    if (relation->has_last)
        out->last = &relation->last;
    if (ultra &&
        relation->unread >= 0) /* the cloud's own: what it says of others is not meant so */
        out->unread = relation->unread;
    else if (marks->unread)
        out->unread = mark != NULL && mark->has_unread ? mark->unread : 0;
    if (mark != NULL && mark->top) {
        out->pinned = true;
        out->pinned_ms = mark->top_ms;
    }
}

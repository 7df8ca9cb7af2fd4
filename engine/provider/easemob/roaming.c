/* The request of the history call: see roaming_int.h. */
#include "provider/easemob/roaming_int.h"

#include "base/buf.h"
#include "base/str.h"
#include "codec/json.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *ours;
    const char *theirs;
} kinds[] = {
    {"text", "txt"},    {"image", "img"},     {"voice", "audio"},
    {"video", "video"}, {"file", "file"},     {"location", "loc"},
    {"command", "cmd"}, {"custom", "custom"}, {"combine", "combine"},
};

static const char *their_kind(const char *ours)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].ours, ours) == 0)
            return kinds[i].theirs;
    return NULL;
}

enum mt_rc mt_em_roaming_check(const struct mt_history_query *query, struct mt_fault *fault)
{
    uint64_t id = 0;

    if (query->limit < 0 || query->limit > MT_EM_PAGE_MAX)
        return mt_fault_set(fault, MT_ERR_INVALID, "history.limit",
                            "a page of history holds 1 to %d messages, not %d", MT_EM_PAGE_MAX,
                            query->limit);
    if (query->since_ms < 0 || query->until_ms < 0 ||
        (query->until_ms > 0 && query->since_ms >= query->until_ms))
        return mt_fault_set(fault, MT_ERR_INVALID, "history.bounds",
                            "the time range is empty: since must be earlier than until");
    for (const char *const *kind = query->kinds; kind != NULL && *kind != NULL; kind++)
        if (their_kind(*kind) == NULL)
            return mt_fault_set(
                fault, MT_ERR_INVALID, "history.kind",
                "history cannot be asked for the kind '%s'; known are text, image, voice, "
                "video, file, location, command, custom, combine",
                *kind);
    if (query->cursor != NULL && query->cursor[0] != '\0' && !mt_str_u64(query->cursor, &id))
        return mt_fault_set(fault, MT_ERR_INVALID, "history.cursor",
                            "a history cursor is the id of a message (decimal digits)");
    return MT_OK;
}

int64_t mt_em_roaming_start(const struct mt_history_query *query, const struct mt_em_bounds *bounds)
{
    if (query->since_ms <= 0)
        return 0;
    return query->since_ms == 1 || bounds->start_inclusive ? query->since_ms : query->since_ms - 1;
}

static void write_kinds(struct mt_jsonw *w, const char *const *list)
{
    struct mt_buf text;

    mt_buf_init(&text, 4096);
    for (; list != NULL && *list != NULL; list++) {
        if (text.len > 0)
            (void)mt_buf_append_char(&text, ',');
        (void)mt_buf_append_str(&text, their_kind(*list));
    }
    mt_jsonw_strn(w, text.len > 0 ? text.data : "", text.len);
    mt_buf_deinit(&text);
}

void mt_em_roaming_body(const struct mt_history_query *query, const struct mt_em_bounds *bounds,
                        struct mt_buf *out)
{
    bool single = query->conversation.kind == MT_CONVERSATION_SINGLE;
    int64_t start = mt_em_roaming_start(query, bounds);
    char queue[sizeof query->conversation.target + 32];
    struct mt_jsonw w;

    snprintf(queue, sizeof queue, "%s%s", query->conversation.target,
             single ? "@easemob.com" : "@conference.easemob.com");
    mt_jsonw_init(&w, out);
    mt_jsonw_object(&w);
    mt_jsonw_key(&w, "queue");
    mt_jsonw_str(&w, queue);
    mt_jsonw_key(&w, "start");
    if (query->cursor != NULL && query->cursor[0] != '\0')
        mt_jsonw_str(&w, query->cursor);
    else
        mt_jsonw_i64(&w, -1);
    mt_jsonw_key(&w, "pull_number");
    mt_jsonw_i64(&w, query->limit == 0 ? MT_EM_PAGE_MAX : query->limit);
    mt_jsonw_key(&w, "is_positive");
    mt_jsonw_bool(&w, query->oldest_first);
    mt_jsonw_key(&w, "msgType");
    write_kinds(&w, query->kinds);
    mt_jsonw_key(&w, "end");
    mt_jsonw_i64(&w, -1);
    mt_jsonw_key(&w, "startTime");
    if (start > 0)
        mt_jsonw_i64(&w, start);
    else
        mt_jsonw_null(&w);
    mt_jsonw_key(&w, "endTime");
    if (query->until_ms > 0)
        mt_jsonw_i64(&w, query->until_ms);
    else
        mt_jsonw_null(&w);
    mt_jsonw_key(&w, "userId");
    mt_jsonw_str(&w, single ? NULL : query->from);
    mt_jsonw_object_end(&w);
}

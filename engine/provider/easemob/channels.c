/* Reads the answers of the conversation list: see conversations_int.h. */
#include "provider/easemob/conversations_int.h"

#include "base/arena.h"
#include "base/str.h"
#include "codec/json.h"

#include <string.h>
#include <strings.h>

#define ANSWER_MAX ((size_t)32 * 1024 * 1024)
#define MARKS_MAX  64

/* Old and paged form: channel_id is a JID; the cursor form: session_to and session_type. */
static bool read_ref(const struct mt_em_decoder *decoder, const struct mt_json *info,
                     struct mt_conversation_ref *ref)
{
    const char *to = mt_json_str(mt_json_get(info, "session_to"));
    const char *type = mt_json_str(mt_json_get(info, "session_type"));
    char name[sizeof ref->target];
    bool conference = false;
    enum mt_conversation_kind kind = MT_CONVERSATION_SINGLE;

    if (to == NULL)
        to = mt_json_str(mt_json_get(info, "channel_id"));
    if (!mt_em_jid_parse(to, decoder->appkey, name, sizeof name, &conference))
        return false;
    if (type != NULL && strcasecmp(type, "chatroom") == 0)
        kind = MT_CONVERSATION_ROOM;
    else if (conference || (type != NULL && strcasecmp(type, "chat") != 0))
        kind = MT_CONVERSATION_GROUP;
    return mt_em_ref_set(ref, kind, name);
}

/* ["mark_1", …] → [1, …] */
static enum mt_rc read_marks(const struct mt_json *list, struct mt_arena *arena,
                             struct mt_conversation *out)
{
    int marks[MARKS_MAX];
    int *copy = NULL;
    size_t n = 0;

    for (const struct mt_json *m = mt_json_child(list); m != NULL && n < MARKS_MAX;
         m = mt_json_next(m)) {
        const char *s = mt_json_str(m);
        uint64_t mark = 0;

        if (s != NULL && mt_str_starts(s, "mark_") && mt_str_u64(s + 5, &mark) && mark < 1000)
            marks[n++] = (int)mark;
    }
    if (n == 0)
        return MT_OK;
    copy = mt_arena_alloc(arena, n * sizeof *copy);
    if (copy == NULL)
        return MT_ERR_LIMIT;
    memcpy(copy, marks, n * sizeof *copy);
    out->marks = copy;
    out->marks_n = n;
    return MT_OK;
}

static enum mt_rc read_last(const struct mt_em_decoder *decoder, const struct mt_json *info,
                            struct mt_arena *arena, struct mt_conversation *out)
{
    const struct mt_json *meta = mt_json_get(info, "meta");
    struct mt_message *last = mt_arena_alloc(arena, sizeof *last);
    enum mt_rc rc = MT_OK;

    if (last == NULL)
        return MT_ERR_LIMIT;
    rc = mt_em_decode_payload(decoder, meta, arena, last);
    if (rc == MT_ERR_NOT_FOUND)
        return MT_OK;
    if (rc != MT_OK)
        return rc;
    if (last->conversation.kind != out->ref.kind || last->conversation.target[0] == '\0')
        last->conversation =
            out->ref; /* rooms and threads: the entry knows, the message does not say */
    out->last = last;
    return MT_OK;
}

static enum mt_rc read_info(const struct mt_em_decoder *decoder, const struct mt_json *info,
                            struct mt_arena *arena, struct mt_em_channels *out)
{
    struct mt_conversation *c = &out->items[out->n];
    enum mt_rc rc = MT_OK;

    *c = (struct mt_conversation){.unread = -1};
    if (!read_ref(decoder, info, &c->ref))
        return MT_OK; /* an entry without a name cannot be addressed */
    c->unread = mt_json_i64(mt_json_get(info, "unread_num"), -1);
    c->pinned = mt_json_bool(mt_json_get(info, "is_top"), false);
    if (c->pinned)
        c->pinned_ms = mt_json_i64(mt_json_get(info, "update_top_status_time"), 0);
    rc = read_marks(mt_json_get(info, "marks"), arena, c);
    if (rc == MT_OK)
        rc = read_last(decoder, info, arena, c);
    if (rc == MT_OK)
        out->n++;
    return rc;
}

static enum mt_rc read_cursor(enum mt_em_form form, const struct mt_json *data,
                              struct mt_arena *arena, struct mt_em_channels *out)
{
    const char *cursor = form == MT_EM_FORM_LIST ? mt_json_str(mt_json_get(data, "cursor")) : NULL;

    if (cursor == NULL || cursor[0] == '\0')
        return MT_OK;
    out->cursor = mt_arena_strdup(arena, cursor);
    return out->cursor == NULL ? MT_ERR_LIMIT : MT_OK;
}

static enum mt_rc read_list(const struct mt_em_decoder *decoder, enum mt_em_form form,
                            const struct mt_json *root, struct mt_arena *arena,
                            struct mt_em_channels *out, struct mt_fault *fault)
{
    const struct mt_json *data = mt_json_get(root, "data");
    const struct mt_json *infos = mt_json_get(data, "channel_infos");
    size_t n = mt_json_count(infos);
    enum mt_rc rc = MT_OK;

    /* An account that never talked has no list at all in the old form: an object without the member
     * is empty. */
    if (mt_json_type(data) != MT_JSON_OBJECT ||
        (infos != NULL && mt_json_type(infos) != MT_JSON_ARRAY &&
         mt_json_type(infos) != MT_JSON_NULL))
        return mt_fault_set(
            fault, MT_ERR_PROTOCOL, "conversations.no_list",
            "the cloud answered the conversation list without a list: check that rest "
            "names an Easemob REST host, and try again");
    out->listed = mt_json_type(infos) == MT_JSON_ARRAY;
    if (n > MT_EM_CHANNELS_MAX)
        return MT_ERR_LIMIT;
    out->items = mt_arena_alloc(arena, (n == 0 ? 1 : n) * sizeof *out->items);
    if (out->items == NULL)
        return MT_ERR_LIMIT;
    if (mt_json_type(infos) == MT_JSON_ARRAY) {
        for (const struct mt_json *i = mt_json_child(infos); i != NULL; i = mt_json_next(i)) {
            rc = read_info(decoder, i, arena, out);
            if (rc != MT_OK)
                return rc;
        }
    }
    return read_cursor(form, data, arena, out);
}

enum mt_rc mt_em_channels_parse(const struct mt_em_decoder *decoder, enum mt_em_form form,
                                const char *text, size_t len, struct mt_arena *arena,
                                struct mt_em_channels *out, struct mt_fault *fault)
{
    struct mt_json *root = NULL;
    enum mt_rc rc = mt_json_parse(text, len, ANSWER_MAX, &root, fault);

    *out = (struct mt_em_channels){.items = NULL};
    if (rc == MT_ERR_PROTOCOL)
        return mt_fault_set(
            fault, rc, "conversations.not_json",
            "the cloud answered the conversation list with something that is no JSON: check that "
            "rest names an Easemob REST host, and that no proxy or sign-in page answers for it");
    if (rc == MT_OK)
        rc = read_list(decoder, form, root, arena, out, fault);
    mt_json_free(root);
    if (rc == MT_ERR_LIMIT)
        return mt_fault_set(fault, rc, "conversations.too_large",
                            "a page of the conversation list is larger than any can be");
    if (rc == MT_ERR_NOMEM)
        return mt_fault_set(fault, rc, "memory",
                            "out of memory while reading the conversation list");
    return rc;
}

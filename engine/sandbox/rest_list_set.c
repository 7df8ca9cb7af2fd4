/* Pins and marks of conversations; pins of messages. */
#include "sandbox/rest_int.h"

#include "base/str.h"

#include <string.h>

#define PINS_MAX         50
#define MARK_TARGETS_MAX 20

/* "groupChat" in pins and deletions, "groupchat" in marks: both spellings are real. */
static struct mt_sb_view *view_of(struct mt_sb_call *call, const char *to, const char *type)
{
    if (to == NULL || type == NULL)
        return NULL;
    bool group = strcmp(type, "groupChat") == 0 || strcmp(type, "groupchat") == 0;
    return mt_sb_view_find(&call->sandbox->store, call->user, to, group);
}

static void write_top(struct mt_sb_call *call, const struct mt_sb_view *view)
{
    struct mt_jsonw *json = &call->json;
    mt_sb_reply_begin(call);
    mt_jsonw_key(json, "data");
    mt_jsonw_object(json);
    mt_jsonw_key(json, "is_top");
    mt_jsonw_bool(json, view->pinned_ms != 0);
    mt_jsonw_key(json, "update_top_status_time");
    mt_jsonw_i64(json, view->pinned_ms);
    mt_jsonw_object_end(json);
    mt_sb_reply_end(call);
}

static void not_there(struct mt_sb_call *call)
{
    mt_sb_reply_error(call, 404, "resource_not_found", "conversation does not exist");
}

void mt_sb_rest_pin(struct mt_sb_call *call)
{
    struct mt_json *body = mt_sb_body(call);
    if (body == NULL)
        return;
    struct mt_sb_view *view =
        view_of(call, mt_json_str(mt_json_get(body, "to")), mt_json_str(mt_json_get(body, "type")));
    mt_json_free(body);
    if (view == NULL || !mt_sb_view_listed(view)) {
        not_there(call);
        return;
    }
    size_t pins = 0;
    int64_t newest = 0;
    for (size_t i = 0; i < call->user->view_n; i++) {
        const struct mt_sb_view *other = call->user->views[i];
        pins += other->pinned_ms != 0 ? 1 : 0;
        newest = other->pinned_ms > newest ? other->pinned_ms : newest;
    }
    if (view->pinned_ms == 0 && pins >= PINS_MAX) {
        mt_sb_reply_error(call, 400, "exceed_limit", "The quantity has exceeded the limit!");
        return;
    }
    /* each pin has its own time, so that a cursor can stand between any two */
    view->pinned_ms = call->now_ms > newest ? call->now_ms : newest + 1;
    mt_sb_notice_changed(call, view, "top", NULL);
    write_top(call, view);
}

void mt_sb_rest_unpin(struct mt_sb_call *call)
{
    char to[MT_SB_ID_MAX];
    char type[16];
    struct mt_sb_view *view = NULL;
    if (mt_sb_query(call, "to", to, sizeof to) && mt_sb_query(call, "type", type, sizeof type))
        view = view_of(call, to, type);
    if (view == NULL) {
        not_there(call);
        return;
    }
    view->pinned_ms = 0;
    mt_sb_notice_changed(call, view, "not_top", NULL);
    write_top(call, view);
}

static void set_marks(struct mt_sb_call *call, bool on)
{
    struct mt_json *body = mt_sb_body(call);
    unsigned mark = 0;
    if (body == NULL)
        return;
    const struct mt_json *targets = mt_json_get(body, "targets");
    if (!mt_sb_mark_parse(mt_json_str(mt_json_get(body, "mark")), &mark)) {
        mt_sb_reply_error(call, 400, "illegal_argument", "param mark is illegal");
        goto out;
    }
    if (mt_json_count(targets) > MARK_TARGETS_MAX) {
        mt_sb_reply_error(call, 400, "exceed_limit", "The quantity has exceeded the limit!");
        goto out;
    }
    for (const struct mt_json *at = mt_json_child(targets); at != NULL; at = mt_json_next(at)) {
        struct mt_sb_view *view =
            view_of(call, mt_json_str(mt_json_get(at, "to")), mt_json_str(mt_json_get(at, "type")));
        if (view == NULL || !mt_sb_view_listed(view))
            continue;
        view->marks = on ? view->marks | 1U << mark : view->marks & ~(1U << mark);
        mt_sb_notice_changed(call, view, on ? "mark" : "mark_delete",
                             mt_json_str(mt_json_get(body, "mark")));
    }
    mt_sb_reply_result(call, "ok");
out:
    mt_json_free(body);
}

void mt_sb_rest_mark(struct mt_sb_call *call)
{
    set_marks(call, true);
}

void mt_sb_rest_unmark(struct mt_sb_call *call)
{
    set_marks(call, false);
}

/* Only told of: nobody asks for the list of them. */
static void pin_message(struct mt_sb_call *call, bool pinned)
{
    struct mt_json *body = mt_sb_body(call);
    uint64_t id = 0;
    if (body == NULL)
        return;
    const char *text = mt_json_str(mt_json_get(body, "pin_msg_id"));
    struct mt_sb_view *view =
        view_of(call, mt_json_str(mt_json_get(body, "to")), mt_json_str(mt_json_get(body, "type")));
    if (view == NULL || text == NULL || !mt_str_u64(text, &id) ||
        mt_sb_message_find(view->thread, id) == NULL) {
        mt_sb_reply_error(call, 400, "illegal_argument", "param pin_msg_id illegal");
    } else {
        mt_sb_notice_pinned(call, view, pinned, text);
        mt_sb_reply_result(call, "ok");
    }
    mt_json_free(body);
}

void mt_sb_rest_pin_message(struct mt_sb_call *call)
{
    pin_message(call, true);
}

void mt_sb_rest_unpin_message(struct mt_sb_call *call)
{
    pin_message(call, false);
}

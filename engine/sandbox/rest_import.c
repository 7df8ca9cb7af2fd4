/* The server's import of messages that were sent before (easemob-service.md 2.7, as of 2026): one a
 * call, with the app's token, later than the one that was imported before it in its conversation.
 * It makes no entry in a conversation list: clients see it when they pull history. */
#include "sandbox/rest_int.h"

#include "base/mem.h"
#include "sandbox/fill_int.h"
#include "sandbox/tokens_int.h"
#include "sandbox/wire_int.h"

#include <string.h>

#define CONTENT_MAX ((size_t)16 * 1024)
#define PAIR_MAX    ((size_t)8 * 1024)
#define TIME_MIN_MS 1000

/* KeyValue.ValueType */
enum { VALUE_BOOL = 1, VALUE_LLINT = 4, VALUE_DOUBLE = 6, VALUE_STRING = 7, VALUE_JSON = 8 };

static void put_str(struct mt_sb_wire *w, uint32_t field, const struct mt_json *body,
                    const char *key)
{
    const char *text = mt_json_str(mt_json_get(body, key));
    if (text != NULL)
        mt_sb_wire_str(w, field, text);
}

static void put_number(struct mt_sb_wire *w, uint32_t field, const struct mt_json *body,
                       const char *key)
{
    const struct mt_json *node = mt_json_get(body, key);
    if (mt_json_type(node) == MT_JSON_NUMBER)
        mt_sb_wire_varint(w, field, (uint64_t)mt_json_i64(node, 0));
}

static bool is_whole(const struct mt_json *number)
{
    return mt_json_is_long(number) || (double)mt_json_i64(number, 0) == mt_json_double(number, 0);
}

/* One KeyValue as field `field`. */
static enum mt_rc put_pair(struct mt_sb_wire *w, uint32_t field, const struct mt_json *member)
{
    uint8_t room[PAIR_MAX];
    struct mt_sb_wire kv = {.p = room, .cap = sizeof room};
    enum mt_rc rc = MT_OK;
    mt_sb_wire_str(&kv, 1, mt_json_key(member));
    switch (mt_json_type(member)) {
    case MT_JSON_BOOL:
        mt_sb_wire_varint(&kv, 2, VALUE_BOOL);
        mt_sb_wire_varint(&kv, 3, mt_json_bool(member, false));
        break;
    case MT_JSON_NUMBER:
        if (is_whole(member)) {
            mt_sb_wire_varint(&kv, 2, VALUE_LLINT);
            mt_sb_wire_varint(&kv, 3, (uint64_t)mt_json_i64(member, 0));
        } else {
            mt_sb_wire_varint(&kv, 2, VALUE_DOUBLE);
            mt_sb_wire_double(&kv, 5, mt_json_double(member, 0));
        }
        break;
    case MT_JSON_STRING:
        mt_sb_wire_varint(&kv, 2, VALUE_STRING);
        mt_sb_wire_str(&kv, 6, mt_json_str(member));
        break;
    default: {
        struct mt_buf text;
        mt_buf_init(&text, PAIR_MAX);
        rc = mt_json_print(member, &text);
        mt_sb_wire_varint(&kv, 2, VALUE_JSON);
        mt_sb_wire_bytes(&kv, 6, text.data, rc == MT_OK ? text.len : 0);
        mt_buf_deinit(&text);
        break;
    }
    }
    if (kv.full)
        return MT_ERR_LIMIT;
    mt_sb_wire_bytes(w, field, kv.p, kv.len);
    return rc;
}

static enum mt_rc put_pairs(struct mt_sb_wire *w, uint32_t field, const struct mt_json *object)
{
    enum mt_rc rc = MT_OK;
    if (mt_json_type(object) != MT_JSON_OBJECT)
        return MT_OK;
    for (const struct mt_json *m = mt_json_child(object); m != NULL && rc == MT_OK;
         m = mt_json_next(m))
        rc = put_pair(w, field, m);
    return rc;
}

static void put_size(struct mt_sb_wire *w, const struct mt_json *size)
{
    uint8_t room[32];
    struct mt_sb_wire out = {.p = room, .cap = sizeof room};
    if (mt_json_type(size) != MT_JSON_OBJECT)
        return;
    mt_sb_wire_double(&out, 1, mt_json_double(mt_json_get(size, "width"), 0));
    mt_sb_wire_double(&out, 2, mt_json_double(mt_json_get(size, "height"), 0));
    mt_sb_wire_bytes(w, 13, out.p, out.len);
}

/* MessageBody.Content of a body in the REST form; LIMIT: it does not fit. */
static enum mt_rc put_content(struct mt_sb_wire *w, enum mt_sb_kind kind,
                              const struct mt_json *body)
{
    mt_sb_wire_varint(w, 1, (uint64_t)kind);
    put_str(w, 2, body, "msg");
    if (kind == MT_SB_LOCATION) {
        mt_sb_wire_double(w, 3, mt_json_double(mt_json_get(body, "lat"), 0));
        mt_sb_wire_double(w, 4, mt_json_double(mt_json_get(body, "lng"), 0));
    }
    put_str(w, 5, body, "addr");
    put_str(w, 6, body, "filename");
    put_str(w, 7, body, "url");
    put_str(w, 8, body, "secret");
    put_number(w, 9, body, "file_length");
    put_str(w, 10, body, "action");
    put_number(w, 12, body, "length");
    put_size(w, mt_json_get(body, "size"));
    put_str(w, 14, body, "thumb");
    put_str(w, 15, body, "thumb_secret");
    put_str(w, 19, body, "customEvent");
    enum mt_rc rc = put_pairs(w, 20, mt_json_get(body, "customExts"));
    put_str(w, 21, body, "buildingName");
    return rc != MT_OK ? rc : w->full ? MT_ERR_LIMIT : MT_OK;
}

/* The kinds that it takes; false: none of them. */
static bool kind_of(const char *type, enum mt_sb_kind *kind)
{
    for (unsigned i = 0; type != NULL && i < MT_SB_COMBINE; i++) {
        if (strcmp(mt_sb_kind_name((enum mt_sb_kind)i), type) == 0) {
            *kind = (enum mt_sb_kind)i;
            return true;
        }
    }
    return false;
}

static struct mt_sb_user *user_of(struct mt_sb_store *store, const struct mt_json *node)
{
    const char *name = mt_json_str(node);
    return name != NULL && name[0] != '\0' && strlen(name) < MT_SB_ID_MAX
               ? mt_sb_user_make(store, name)
               : NULL;
}

/* A view that did not show its conversation does not show it afterwards. */
static void append(struct mt_sb_call *call, struct mt_sb_past past, struct mt_sb_view *views[2])
{
    char id[MT_SB_PAST_ID_MAX];
    bool shown[2] = {mt_sb_view_listed(views[0]), views[1] != NULL && mt_sb_view_listed(views[1])};
    struct mt_sb_fill fill = {.store = &call->sandbox->store};
    past.id = id;
    if (mt_sb_fill_append(&fill, &past) != MT_OK) {
        mt_sb_reply_nomem(call);
        return;
    }
    past.thread->imported_ms = past.ts_ms;
    for (int i = 0; i < 2; i++) {
        if (views[i] != NULL && !shown[i])
            mt_sb_view_hide(views[i]);
    }
    mt_sb_reply_begin(call);
    mt_jsonw_key(&call->json, "data");
    mt_jsonw_object(&call->json);
    mt_jsonw_key(&call->json, "msg_id");
    mt_jsonw_str(&call->json, id);
    mt_jsonw_object_end(&call->json);
    mt_sb_reply_end(call);
}

static void take(struct mt_sb_call *call, const struct mt_json *root, struct mt_sb_past past,
                 const struct mt_json *ext, bool group)
{
    struct mt_sb_store *store = &call->sandbox->store;
    uint8_t more[CONTENT_MAX];
    struct mt_sb_wire fields = {.p = more, .cap = sizeof more};
    struct mt_sb_view *views[2] = {NULL, NULL};
    const struct mt_json *target = mt_json_get(root, "target");
    struct mt_sb_user *peer = group ? NULL : user_of(store, target);

    past.from = user_of(store, mt_json_get(root, "from"));
    if (past.from != NULL && group && mt_json_str(target) != NULL) {
        past.thread = mt_sb_thread_group(store, mt_json_str(target));
        if (past.thread == NULL)
            past.thread =
                mt_sb_thread_group_make(store, mt_json_str(target), MT_SB_GROUP, past.from);
    } else if (past.from != NULL && peer != NULL) {
        past.thread = mt_sb_thread_single(store, past.from, peer, true);
    }
    if (past.thread == NULL) {
        mt_sb_reply_error(call, 400, "illegal_argument", "from or target not allow empty");
        return;
    }
    if (past.ts_ms < TIME_MIN_MS || past.ts_ms <= past.thread->imported_ms) {
        mt_sb_reply_error(call, 400, "illegal_argument",
                          "msg_timestamp must be greater than that of the last import");
        return;
    }
    if (put_pairs(&fields, 5, ext) != MT_OK || fields.full) {
        mt_sb_reply_error(call, 400, "illegal_argument", "message is too large");
        return;
    }
    past.ext = fields.p;
    past.ext_len = fields.len;
    views[0] = mt_sb_view_make(store, past.from, past.thread);
    if (peer != NULL)
        views[1] = mt_sb_view_make(store, peer, past.thread);
    if (views[0] == NULL || (peer != NULL && views[1] == NULL))
        mt_sb_reply_nomem(call);
    else
        append(call, past, views);
}

static void import(struct mt_sb_call *call, bool group)
{
    uint8_t room[CONTENT_MAX];
    struct mt_sb_wire content = {.p = room, .cap = sizeof room};
    struct mt_sb_past past = {.thread = NULL};
    if (!mt_sb_by_app(call))
        return;
    struct mt_json *root = mt_sb_body(call);
    if (root == NULL)
        return;
    const struct mt_json *body = mt_json_get(root, "body");
    const struct mt_json *ext = mt_json_get(root, "ext");
    past.ts_ms = mt_json_i64(mt_json_get(root, "msg_timestamp"), call->now_ms);
    if (mt_json_type(body) != MT_JSON_OBJECT) {
        mt_sb_reply_error(call, 400, "illegal_argument", "message body not allow empty");
    } else if (!kind_of(mt_json_str(mt_json_get(root, "type")), &past.kind)) {
        mt_sb_reply_error(call, 400, "illegal_argument", "type not allow empty");
    } else if (ext != NULL && mt_json_type(ext) != MT_JSON_OBJECT) {
        mt_sb_reply_error(call, 400, "illegal_argument", "param ext must be JSONObject");
    } else if (call->request->body_len > call->sandbox->faults.max_message + 1024 ||
               put_content(&content, past.kind, body) != MT_OK) {
        mt_sb_reply_error(call, 400, "illegal_argument", "message is too large");
    } else {
        past.content = content.p;
        past.content_len = content.len;
        take(call, root, past, ext, group);
    }
    mt_json_free(root);
}

void mt_sb_rest_import_single(struct mt_sb_call *call)
{
    import(call, false);
}

void mt_sb_rest_import_group(struct mt_sb_call *call)
{
    import(call, true);
}

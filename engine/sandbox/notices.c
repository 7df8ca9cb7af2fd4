/* What a user does on one device, told to the user's other devices (easemob.md §3.6). */
#include "sandbox/msync_int.h"
#include "sandbox/rest_int.h"

#include "base/mem.h"
#include "codec/base64.h"

#include <string.h>

#define JSON_MAX ((size_t)16 * 1024)

/* Writes the Meta into the store's scratch memory and copies it; false: memory is short. */
static bool write_meta(struct mt_sb_call *call, struct mt_sb_entry *entry,
                       const struct mt_sb_user *from, uint32_t ns, const void *payload, size_t len)
{
    struct mt_sb_store *store = &call->sandbox->store;
    struct mt_sb_wire w = {.p = store->scratch, .cap = MT_SB_SCRATCH};

    entry->id = mt_sb_store_next_id(store, call->now_ms);
    mt_sb_wire_varint(&w, 1, entry->id);
    mt_sb_wire_jid(&w, 2, store->appkey, from->name, MT_SB_DOMAIN_USER, NULL);
    mt_sb_wire_jid(&w, 3, store->appkey, from->name, MT_SB_DOMAIN_USER, NULL);
    mt_sb_wire_varint(&w, 4, (uint64_t)call->now_ms);
    mt_sb_wire_varint(&w, 5, ns);
    mt_sb_wire_bytes(&w, 6, payload, len);
    entry->meta = w.full ? NULL : mt_mem_alloc(w.len);
    if (entry->meta == NULL)
        return false;
    memcpy(entry->meta, w.p, w.len);
    entry->meta_len = (uint32_t)w.len;
    return true;
}

/* Queues a Meta from the user, for all devices of the user or of everybody in the conversation, but
 * not the one with that resource. */
static void tell(struct mt_sb_call *call, struct mt_sb_view *view, const struct mt_buf *json,
                 bool everybody)
{
    struct mt_sb_entry entry = {.only_user = everybody ? 0 : call->user->index + 1};
    char resource[MT_SB_RESOURCE_MAX];
    const struct mt_sb_device *author = NULL;

    if (mt_sb_query(call, "resource", resource, sizeof resource))
        author = mt_sb_device_find(call->user, resource);
    if (json->failed || !write_meta(call, &entry, call->user, EASEMOB__PB__META__NAME_SPACE__NOTIFY,
                                    json->data, json->len))
        return; /* what was asked for is done all the same */
    if (mt_sb_publish(call->sandbox, view->thread, author, &entry) != MT_OK)
        call->reply->status = 500; /* memory is short */
}

static const char *type_of(const struct mt_sb_view *view)
{
    return view->thread->chat == MT_SB_SINGLE  ? "chat"
           : view->thread->chat == MT_SB_GROUP ? "groupchat"
                                               : "chatroom";
}

static void member(struct mt_jsonw *json, const char *key, const char *value)
{
    mt_jsonw_key(json, key);
    mt_jsonw_str(json, value);
}

static void open_notice(struct mt_jsonw *json, struct mt_buf *out, const char *type)
{
    mt_buf_init(out, JSON_MAX);
    mt_jsonw_init(json, out);
    mt_jsonw_object(json);
    member(json, "type", type);
    mt_jsonw_key(json, "data");
    mt_jsonw_object(json);
}

static void resource_member(struct mt_sb_call *call, struct mt_jsonw *json, const char *key)
{
    char resource[MT_SB_RESOURCE_MAX];

    member(json, key, mt_sb_query(call, "resource", resource, sizeof resource) ? resource : "");
}

void mt_sb_notice_deleted(struct mt_sb_call *call, struct mt_sb_view *view, const uint64_t *ids,
                          size_t n, int64_t until_ms)
{
    struct mt_jsonw json;
    struct mt_buf out;

    open_notice(&json, &out, "roaming_delete");
    member(&json, "to", view->id);
    member(&json, "chatType", type_of(view));
    resource_member(call, &json, "resource");
    if (n > 0) {
        mt_jsonw_key(&json, "msgIdList");
        mt_jsonw_array(&json);
        for (size_t i = 0; i < n; i++)
            mt_jsonw_u64_str(&json, ids[i]);
        mt_jsonw_array_end(&json);
    } else {
        mt_jsonw_key(&json, "deleteTime");
        mt_jsonw_i64(&json, until_ms);
    }
    mt_jsonw_object_end(&json);
    mt_jsonw_object_end(&json);
    tell(call, view, &out, false);
    mt_buf_deinit(&out);
}

static void changed(struct mt_sb_call *call, struct mt_sb_view *view, const char *op,
                    const char *ext, bool everybody)
{
    struct mt_jsonw json;
    struct mt_buf out;

    open_notice(&json, &out, "conv");
    member(&json, "op", op);
    member(&json, "id", view->id);
    member(&json, "type", type_of(view));
    mt_jsonw_key(&json, "ts");
    mt_jsonw_i64(&json, call->now_ms);
    resource_member(call, &json, "res");
    member(&json, "from", call->user->name);
    if (ext != NULL)
        member(&json, "ext", ext);
    mt_jsonw_object_end(&json);
    mt_jsonw_object_end(&json);
    tell(call, view, &out, everybody);
    mt_buf_deinit(&out);
}

void mt_sb_notice_changed(struct mt_sb_call *call, struct mt_sb_view *view, const char *op,
                          const char *ext)
{
    changed(call, view, op, ext, false);
}

void mt_sb_notice_pinned(struct mt_sb_call *call, struct mt_sb_view *view, bool pinned,
                         const char *id)
{
    changed(call, view, pinned ? "pin" : "pin_delete", id, true);
}

/* The body is {"user", "ns", "payload"}: a Meta of that name space for the user, whose payload is
 * given in base64. */
void mt_sb_rest_tell(struct mt_sb_call *call)
{
    struct mt_sb_store *store = &call->sandbox->store;
    struct mt_json *body = mt_sb_body(call);
    uint8_t *payload = NULL;
    size_t len = 0;
    if (body == NULL)
        return;
    const char *name = mt_json_str(mt_json_get(body, "user"));
    const char *text = mt_json_str(mt_json_get(body, "payload"));
    int64_t ns = mt_json_i64(mt_json_get(body, "ns"), -1);
    struct mt_sb_user *user = name == NULL ? NULL : mt_sb_user_get(store, name);
    struct mt_sb_thread *thread =
        user == NULL ? NULL : mt_sb_thread_single(store, user, user, true);
    if (thread == NULL || text == NULL || ns < 0 || ns > 100) {
        mt_sb_reply_error(call, 400, "illegal_argument",
                          "the body is {user, ns, payload}; the user must be there");
        goto out;
    }
    payload = mt_mem_alloc(MT_BASE64_DECODED_MAX(strlen(text)));
    struct mt_sb_entry entry = {.only_user = user->index + 1};
    if (payload == NULL || mt_base64_decode(text, strlen(text), payload, &len) != MT_OK)
        mt_sb_reply_error(call, 400, "illegal_argument", "the payload is no base64");
    else if (!write_meta(call, &entry, user, (uint32_t)ns, payload, len) ||
             mt_sb_publish(call->sandbox, thread, NULL, &entry) != MT_OK)
        mt_sb_reply_nomem(call);
    else
        mt_sb_reply_result(call, "ok");
out:
    mt_mem_free(payload);
    mt_json_free(body);
}

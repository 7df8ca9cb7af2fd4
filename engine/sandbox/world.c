/* What a test looks at and changes, at either cloud: everybody's own view, messages that come at a
 * time of their own, edits, recalls and pins; at once, or when a certain request comes. */
#include "sandbox/fill_int.h"
#include "sandbox/msync_int.h"
#include "sandbox/rest_int.h"
#include "sandbox/rongcloud/rongcloud.h"
#include "sandbox/wire_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "codec/hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define VIEW_BYTES ((size_t)1 << 20) /* of one answer; what is left is asked for again */
#define TEXT_MAX   ((size_t)16 * 1024)
#define WHENS_MAX  1000

/* ---------------------------------------------------------------- looking */

static void view_line(const struct mt_sandbox *sandbox, const struct mt_sb_view *view,
                      const struct mt_sb_message *message, struct mt_buf *out)
{
    static const char *const KINDS[] = {"single", "group", "room"};
    char conversation[MT_SB_ID_MAX + 16];
    char hex[MT_SHA256_HEX];
    uint8_t digest[MT_SHA256_LEN];
    struct mt_jsonw json;
    (void)snprintf(conversation, sizeof conversation, "%s:%s", KINDS[view->thread->chat], view->id);
    mt_sha256_of(message->b64, message->b64_len, digest);
    mt_hex(digest, 8, hex);
    mt_jsonw_init(&json, out);
    mt_jsonw_object(&json);
    mt_jsonw_key(&json, "user");
    mt_jsonw_str(&json, view->user->name);
    mt_jsonw_key(&json, "conversation");
    mt_jsonw_str(&json, conversation);
    mt_jsonw_key(&json, "id");
    mt_jsonw_u64_str(&json, message->id);
    mt_jsonw_key(&json, "time");
    mt_jsonw_i64(&json, message->ts_ms);
    mt_jsonw_key(&json, "from");
    mt_jsonw_str(&json, sandbox->store.user_list[message->from]->name);
    mt_jsonw_key(&json, "content");
    mt_jsonw_str(&json, hex);
    mt_jsonw_object_end(&json);
    (void)mt_buf_append_char(out, '\n');
}

static bool view_lines(const struct mt_sandbox *sandbox, const struct mt_sb_view *view,
                       struct mt_sr_cursor *cursor, struct mt_buf *out)
{
    const struct mt_sb_thread *thread = view->thread;
    for (; cursor->message < thread->n; cursor->message++) {
        const struct mt_sb_message *message = &thread->messages[cursor->message];
        if (!mt_sb_view_sees(view, message->id))
            continue;
        if (out->len >= VIEW_BYTES)
            return false;
        view_line(sandbox, view, message, out);
    }
    cursor->message = 0;
    return true;
}

static bool easemob_view(struct mt_sandbox *sandbox, const char *user, struct mt_sr_cursor *cursor,
                         struct mt_buf *out)
{
    const struct mt_sb_store *store = &sandbox->store;
    mt_sb_postponed_settle(sandbox, true);
    for (; cursor->user < store->user_n; cursor->user++, cursor->view = 0) {
        const struct mt_sb_user *one = store->user_list[cursor->user];
        if (user != NULL && strcmp(one->name, user) != 0)
            continue;
        for (; cursor->view < one->view_n; cursor->view++) {
            if (!view_lines(sandbox, one->views[cursor->view], cursor, out))
                return false;
        }
    }
    return true;
}

/* GET /sandbox/view?cloud=…&user=…: lines of JSON; the last is {"end":true}, or {"next":"u=…"},
 * which is to be added to the same request. */
void mt_sb_rest_view(struct mt_sb_call *call)
{
    char cloud[16];
    char user[MT_SB_ID_MAX];
    struct mt_sr_cursor cursor = {
        .user = mt_sb_query_u64(call, "u", 0),
        .view = mt_sb_query_u64(call, "v", 0),
        .message = mt_sb_query_u64(call, "m", 0),
    };
    struct mt_buf *out = &call->sandbox->answer;
    bool one = mt_sb_query(call, "user", user, sizeof user);
    bool rongcloud =
        mt_sb_query(call, "cloud", cloud, sizeof cloud) && strcmp(cloud, "rongcloud") == 0;
    call->reply->content_type = "application/x-ndjson";
    bool all = rongcloud ? mt_sr_cloud_view(call->sandbox->rongcloud, one ? user : NULL, &cursor,
                                            VIEW_BYTES, out)
                         : easemob_view(call->sandbox, one ? user : NULL, &cursor, out);
    if (all)
        (void)mt_buf_append_str(out, "{\"end\":true}\n");
    else
        (void)mt_buf_appendf(out, "{\"next\":\"u=%" PRIu64 "&v=%" PRIu64 "&m=%" PRIu64 "\"}\n",
                             cursor.user, cursor.view, cursor.message);
    if (out->failed != MT_OK)
        mt_sb_reply_nomem(call);
}

/* ---------------------------------------------------------------- changing */

static const char *text_of(const struct mt_json *order, const char *key, const char *absent)
{
    const char *text = mt_json_str(mt_json_get(order, key));
    return text == NULL ? absent : text;
}

/* MessageBody.Content of the kinds that policies tell apart. */
static enum mt_sb_kind make_content(const struct mt_json *order, struct mt_sb_wire *w)
{
    const char *name = text_of(order, "kind", "text");
    const char *text = text_of(order, "text", "");
    enum mt_sb_kind kind = strcmp(name, "image") == 0    ? MT_SB_IMAGE
                           : strcmp(name, "file") == 0   ? MT_SB_FILE
                           : strcmp(name, "custom") == 0 ? MT_SB_CUSTOM
                                                         : MT_SB_TEXT;
    mt_sb_wire_varint(w, 1, (uint64_t)kind);
    if (kind == MT_SB_TEXT) {
        mt_sb_wire_str(w, 2, text);
    } else if (kind == MT_SB_CUSTOM) {
        mt_sb_wire_str(w, 19, text);
    } else {
        int64_t size = mt_json_i64(mt_json_get(order, "size"), 1000);
        mt_sb_wire_str(w, 6, text);
        mt_sb_wire_str(w, 7, "http://127.0.0.1/none");
        mt_sb_wire_varint(w, 9, (uint64_t)(size < 0 ? 0 : size));
    }
    return kind;
}

/* {"op":"put","chat","conversation","owner","from","time","text","kind","size"} */
static bool put(struct mt_sandbox *sandbox, bool rongcloud, const struct mt_json *order,
                char id[MT_SB_PAST_ID_MAX])
{
    uint8_t room[TEXT_MAX + 256];
    struct mt_sb_wire content = {.p = room, .cap = sizeof room};
    struct mt_sb_store *store = &sandbox->store;
    bool group = strcmp(text_of(order, "chat", "single"), "group") == 0;
    const char *conversation = text_of(order, "conversation", "");
    struct mt_sb_user *owner =
        mt_sb_user_make(store, text_of(order, "owner", sandbox->owner->name));
    struct mt_sb_user *from = mt_sb_user_make(store, text_of(order, "from", ""));
    struct mt_sb_user *peer = group ? owner : mt_sb_user_make(store, conversation);
    struct mt_sb_thread *thread = NULL;
    if (owner == NULL || from == NULL || peer == NULL)
        return false;
    thread = group ? mt_sb_thread_group_make(store, conversation, MT_SB_GROUP, owner)
                   : mt_sb_thread_single(store, owner, peer, true);
    if (thread == NULL || mt_sb_view_make(store, from, thread) == NULL ||
        mt_sb_view_make(store, owner, thread) == NULL)
        return false;
    owner->registered = true;
    from->registered = true;
    struct mt_sb_past past = {
        .thread = thread,
        .from = from,
        .ts_ms = mt_json_i64(mt_json_get(order, "time"), mt_clock_wall_ms()),
        .kind = make_content(order, &content),
        .content = content.p,
        .content_len = content.len,
        .id = id,
    };
    struct mt_sb_fill fill = {
        .store = store,
        .rongcloud = rongcloud ? sandbox->rongcloud : NULL,
        .elsewhere = rongcloud,
        .owner = owner,
    };
    if (content.full || past.ts_ms < 1)
        return false;
    if (rongcloud && group &&
        mt_sr_fill_member(sandbox->rongcloud, conversation, owner->name) != MT_OK)
        return false;
    return mt_sb_fill_append(&fill, &past) == MT_OK;
}

static struct mt_sb_message *find(struct mt_sandbox *sandbox, const char *id,
                                  struct mt_sb_thread **thread)
{
    uint64_t number = 0;
    if (id == NULL || !mt_str_u64(id, &number))
        return NULL;
    for (size_t i = 0; i < sandbox->store.thread_n; i++) {
        struct mt_sb_message *message = mt_sb_message_find(sandbox->store.thread_list[i], number);
        *thread = sandbox->store.thread_list[i];
        if (message != NULL)
            return message;
    }
    return NULL;
}

/* {"op":"edit","id","text"} */
static bool edit(struct mt_sandbox *sandbox, const char *id, const char *text)
{
    static const char *const CHATS[] = {"chat:user", "chat:group", "chat:room"};
    struct mt_sb_thread *thread = NULL;
    struct mt_sb_message *message = find(sandbox, id, &thread);
    Easemob__Pb__MessageBody body = EASEMOB__PB__MESSAGE_BODY__INIT;
    Easemob__Pb__MessageBody__Content content = EASEMOB__PB__MESSAGE_BODY__CONTENT__INIT;
    Easemob__Pb__MessageBody__Content *contents[] = {&content};
    char copy[1024];
    char note[768];
    if (message == NULL || strlen(text) >= sizeof copy)
        return false;
    const char *from = sandbox->store.user_list[message->from]->name;
    (void)snprintf(note, sizeof note,
                   "{\"edit_msg\":{\"count\":%u,\"operator\":\"%s\",\"edit_time\":%" PRId64
                   ",\"sender\":\"%s\",\"send_time\":%" PRId64 ",\"chat_type\":\"%s\"}}",
                   message->edits + 1U, from, mt_clock_wall_ms(), from, message->ts_ms,
                   CHATS[thread->chat]);
    memcpy(copy, text, strlen(text) + 1);
    content.has_type = 1;
    content.type = EASEMOB__PB__MESSAGE_BODY__CONTENT__TYPE__TEXT;
    content.has_text = 1;
    content.text = (ProtobufCBinaryData){.len = strlen(copy), .data = (uint8_t *)copy};
    body.contents = contents;
    body.n_contents = 1;
    return mt_sb_message_rewrite(&sandbox->store, message, &body, note) == MT_OK;
}

static bool recall(struct mt_sandbox *sandbox, const char *id)
{
    struct mt_sb_thread *thread = NULL;
    const struct mt_sb_message *message = find(sandbox, id, &thread);
    if (message == NULL)
        return false;
    mt_sb_message_remove(&sandbox->store, thread, message->id);
    return true;
}

/* {"op":"pin","chat","conversation","owner","on"} */
static bool pin(struct mt_sandbox *sandbox, bool rongcloud, const struct mt_json *order)
{
    bool group = strcmp(text_of(order, "chat", "single"), "group") == 0;
    bool on = mt_json_bool(mt_json_get(order, "on"), true);
    const char *name = text_of(order, "owner", sandbox->owner->name);
    const char *conversation = text_of(order, "conversation", "");
    int64_t newest = mt_clock_wall_ms();
    if (rongcloud)
        return mt_sr_cloud_pin(sandbox->rongcloud, name, group, conversation, on);
    struct mt_sb_user *owner = mt_sb_user_make(&sandbox->store, name);
    struct mt_sb_view *view =
        owner == NULL ? NULL : mt_sb_view_find(&sandbox->store, owner, conversation, group);
    if (view == NULL)
        return false;
    /* each pin has its own time, as when it is asked for by the wire */
    for (size_t i = 0; i < owner->view_n; i++) {
        if (owner->views[i]->pinned_ms >= newest)
            newest = owner->views[i]->pinned_ms + 1;
    }
    view->pinned_ms = on ? newest : 0;
    return true;
}

/* No message anywhere, no orders, no faults' counts: another small world may begin. */
static void empty(struct mt_sandbox *sandbox)
{
    mt_sb_when_drop(sandbox);
    mt_sb_postponed_drop(sandbox);
    mt_sb_store_empty(&sandbox->store);
    mt_sr_cloud_empty(sandbox->rongcloud);
}

static bool carry_out(struct mt_sandbox *sandbox, bool rongcloud, const struct mt_json *order,
                      char id[MT_SB_PAST_ID_MAX])
{
    const char *op = text_of(order, "op", "");
    const char *named = mt_json_str(mt_json_get(order, "id"));
    id[0] = '\0';
    if (strcmp(op, "put") == 0)
        return put(sandbox, rongcloud, order, id);
    if (strcmp(op, "edit") == 0)
        return rongcloud ? mt_sr_cloud_edit(sandbox->rongcloud, named, text_of(order, "text", ""))
                         : edit(sandbox, named, text_of(order, "text", ""));
    if (strcmp(op, "recall") == 0)
        return rongcloud ? mt_sr_cloud_recall(sandbox->rongcloud, named) : recall(sandbox, named);
    if (strcmp(op, "pin") == 0)
        return pin(sandbox, rongcloud, order);
    return false;
}

static bool for_rongcloud(const struct mt_json *body)
{
    return strcmp(text_of(body, "cloud", "easemob"), "rongcloud") == 0;
}

/* POST /sandbox/change {"cloud","empty":true,"do":[…]}: {"ids":[…]}, null where an order could not
 * be carried out. */
void mt_sb_rest_change(struct mt_sb_call *call)
{
    struct mt_json *body = mt_sb_body(call);
    if (body == NULL)
        return;
    if (mt_json_bool(mt_json_get(body, "empty"), false))
        empty(call->sandbox);
    mt_jsonw_init(&call->json, &call->sandbox->answer);
    mt_jsonw_object(&call->json);
    mt_jsonw_key(&call->json, "ids");
    mt_jsonw_array(&call->json);
    for (const struct mt_json *order = mt_json_child(mt_json_get(body, "do")); order != NULL;
         order = mt_json_next(order)) {
        char id[MT_SB_PAST_ID_MAX];
        bool done = carry_out(call->sandbox, for_rongcloud(body), order, id);
        mt_jsonw_str(&call->json, done ? id : NULL);
    }
    mt_jsonw_array_end(&call->json);
    mt_jsonw_object_end(&call->json);
    mt_json_free(body);
}

/* ---------------------------------------------------------------- when a request comes */

struct mt_sb_when {
    struct mt_sb_when *next;
    struct mt_json *body; /* {"cloud","path","n","do"} */
    const char *path;     /* into body */
    int64_t left;
};

void mt_sb_when_drop(struct mt_sandbox *sandbox)
{
    while (sandbox->whens != NULL) {
        struct mt_sb_when *next = sandbox->whens->next;
        mt_json_free(sandbox->whens->body);
        mt_mem_free(sandbox->whens);
        sandbox->whens = next;
    }
}

void mt_sb_when_asked(struct mt_sandbox *sandbox, const char *path)
{
    char id[MT_SB_PAST_ID_MAX];
    for (struct mt_sb_when **at = &sandbox->whens; *at != NULL;) {
        struct mt_sb_when *when = *at;
        if (strstr(path, when->path) == NULL || --when->left > 0) {
            at = &when->next;
            continue;
        }
        *at = when->next;
        for (const struct mt_json *order = mt_json_child(mt_json_get(when->body, "do"));
             order != NULL; order = mt_json_next(order))
            (void)carry_out(sandbox, for_rongcloud(when->body), order, id);
        mt_json_free(when->body);
        mt_mem_free(when);
    }
}

/* POST /sandbox/when {"cloud","path","n","do":[…]}: before the n-th request whose path contains
 * that text is looked at. */
void mt_sb_rest_when(struct mt_sb_call *call)
{
    struct mt_sandbox *sandbox = call->sandbox;
    struct mt_json *body = mt_sb_body(call);
    struct mt_sb_when *when = body == NULL ? NULL : mt_mem_calloc(1, sizeof *when);
    size_t n = 0;
    if (body == NULL)
        return;
    for (const struct mt_sb_when *one = sandbox->whens; one != NULL; one = one->next)
        n++;
    int64_t left = mt_json_i64(mt_json_get(body, "n"), 1);
    if (when == NULL || n >= WHENS_MAX || left < 1) {
        mt_sb_reply_error(call, 400, "illegal_argument", "the body is {cloud, path, n, do}");
        mt_json_free(body);
        mt_mem_free(when);
        return;
    }
    *when = (struct mt_sb_when){
        .next = sandbox->whens, .body = body, .path = text_of(body, "path", ""), .left = left};
    sandbox->whens = when;
    mt_sb_reply_result(call, "ok");
}

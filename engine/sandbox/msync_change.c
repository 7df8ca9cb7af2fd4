/* Recall and edit: they change what everybody's history holds. */
#include "sandbox/msync_int.h"

#include "base/mem.h"
#include "codec/json.h"

#include <stdio.h>
#include <string.h>

#define EDITS_MAX 10

void mt_sb_uplink_recall(struct mt_sb_uplink *uplink)
{
    struct mt_sandbox *sandbox = uplink->session->sandbox;
    struct mt_sb_entry entry = {0};
    struct mt_sb_view *view = NULL;
    int64_t ts_ms = 0;
    const struct mt_sb_message *message =
        mt_sb_uplink_message(uplink, uplink->body->ackmessageid, &view);
    if (message == NULL) {
        mt_sb_uplink_refuse(uplink, 1, "Sorry, message does not exist");
        return;
    }
    if (message->from != uplink->session->device->user->index) {
        mt_sb_uplink_refuse(uplink, 1, "Sorry, You do not have permission");
        return;
    }
    if (uplink->now_ms - message->ts_ms > sandbox->faults.recall_limit_ms) {
        mt_sb_uplink_refuse(uplink, 1, "exceed recall time limit");
        return;
    }
    uplink->view = view;
    mt_sb_message_remove(&sandbox->store, view->thread, message->id);
    if (mt_sb_uplink_event(uplink, uplink->body, &entry, &ts_ms) != MT_OK)
        mt_sb_uplink_refuse(uplink, 1, "memory is short");
    else
        mt_sb_uplink_answer(uplink, NULL, entry.id, ts_ms, NULL);
}

/* {"edit_msg":{count, operator, edit_time, sender, send_time, chat_type}} */
static bool write_note(const struct mt_sb_uplink *uplink, const struct mt_sb_message *message,
                       struct mt_buf *out)
{
    static const char *const CHATS[] = {"chat:user", "chat:group", "chat:room"};
    const struct mt_sb_store *store = &uplink->session->sandbox->store;
    struct mt_jsonw json;
    mt_jsonw_init(&json, out);
    mt_jsonw_object(&json);
    mt_jsonw_key(&json, "edit_msg");
    mt_jsonw_object(&json);
    mt_jsonw_key(&json, "count");
    mt_jsonw_u64(&json, message->edits + 1U);
    mt_jsonw_key(&json, "operator");
    mt_jsonw_str(&json, uplink->session->device->user->name);
    mt_jsonw_key(&json, "edit_time");
    mt_jsonw_i64(&json, uplink->now_ms);
    mt_jsonw_key(&json, "sender");
    mt_jsonw_str(&json, store->user_list[message->from]->name);
    mt_jsonw_key(&json, "send_time");
    mt_jsonw_i64(&json, message->ts_ms);
    mt_jsonw_key(&json, "chat_type");
    mt_jsonw_str(&json, CHATS[uplink->view->thread->chat]);
    mt_jsonw_object_end(&json);
    mt_jsonw_object_end(&json);
    return out->failed == MT_OK;
}

enum mt_rc mt_sb_message_rewrite(struct mt_sb_store *store, struct mt_sb_message *message,
                                 const Easemob__Pb__MessageBody *edit, char *note)
{
    enum mt_rc rc = MT_ERR_NOMEM;
    Easemob__Pb__Meta *meta = NULL;
    Easemob__Pb__MessageBody *body = NULL;
    uint8_t *payload = NULL;
    uint8_t *packed = NULL;
    size_t len = 0;
    uint8_t *stored = mt_sb_message_meta(message, &len);
    if (stored != NULL)
        meta = easemob__pb__meta__unpack(NULL, len, stored);
    if (meta != NULL)
        body = easemob__pb__message_body__unpack(NULL, meta->payload.len, meta->payload.data);
    if (body == NULL)
        goto out;
    Easemob__Pb__MessageBody changed = *body;
    changed.contents = edit->contents;
    changed.n_contents = edit->n_contents;
    if (edit->editscope == EASEMOB__PB__MESSAGE_BODY__EDIT_SCOPE__BODY_AND_EXT) {
        changed.ext = edit->ext;
        changed.n_ext = edit->n_ext;
    }
    changed.meta = note;
    size_t payload_len = easemob__pb__message_body__get_packed_size(&changed);
    payload = mt_mem_alloc(payload_len);
    if (payload == NULL)
        goto out;
    (void)easemob__pb__message_body__pack(&changed, payload);
    Easemob__Pb__Meta whole = *meta;
    whole.payload = (ProtobufCBinaryData){.len = payload_len, .data = payload};
    packed = mt_mem_alloc(easemob__pb__meta__get_packed_size(&whole));
    if (packed == NULL)
        goto out;
    len = easemob__pb__meta__pack(&whole, packed);
    rc = mt_sb_message_replace(store, message, packed, len);
    if (rc == MT_OK) {
        message->edits++;
        message->kind = (uint8_t)mt_sb_body_kind(edit);
    }
out:
    if (body != NULL)
        easemob__pb__message_body__free_unpacked(body, NULL);
    if (meta != NULL)
        easemob__pb__meta__free_unpacked(meta, NULL);
    mt_mem_free(stored);
    mt_mem_free(payload);
    mt_mem_free(packed);
    return rc;
}

static const char *edit_obstacle(const struct mt_sb_uplink *uplink,
                                 const struct mt_sb_message *message)
{
    if (message == NULL)
        return "Sorry, message does not exist";
    if (message->from != uplink->session->device->user->index)
        return "Sorry, You do not have permission";
    if (uplink->body->n_contents == 0 || message->kind == MT_SB_COMMAND)
        return "Sorry, format is incorrect";
    return message->edits >= EDITS_MAX ? "Sorry, edit limit reached" : NULL;
}

void mt_sb_uplink_edit(struct mt_sb_uplink *uplink)
{
    struct mt_sb_entry entry = {0};
    struct mt_sb_view *view = NULL;
    struct mt_buf note;
    int64_t ts_ms = 0;
    struct mt_sb_message *message =
        mt_sb_uplink_message(uplink, uplink->body->editmessageid, &view);
    const char *obstacle = edit_obstacle(uplink, message);
    if (obstacle != NULL) {
        mt_sb_uplink_refuse(uplink, 1, obstacle);
        return;
    }
    uplink->view = view;
    mt_buf_init(&note, 2048);
    if (!write_note(uplink, message, &note) ||
        mt_sb_message_rewrite(&uplink->session->sandbox->store, message, uplink->body, note.data) !=
            MT_OK) {
        mt_sb_uplink_refuse(uplink, 1, "Sorry, edit fail");
        goto out;
    }
    Easemob__Pb__MessageBody body = *uplink->body;
    body.meta = note.data;
    if (mt_sb_uplink_event(uplink, &body, &entry, &ts_ms) != MT_OK)
        mt_sb_uplink_refuse(uplink, 1, "Sorry, edit fail");
    else
        mt_sb_uplink_answer(uplink, NULL, entry.id, ts_ms, note.data);
out:
    mt_buf_deinit(&note);
}

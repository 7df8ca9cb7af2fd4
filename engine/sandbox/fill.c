/* Merges the loaded and the generated messages into the store. */
#include "sandbox/fill_int.h"

#include "sandbox/wire_int.h"

#include <inttypes.h>
#include <stdio.h>

static enum mt_rc append(struct mt_sb_store *store, const struct mt_sb_past *past)
{
    uint8_t room[32 * 1024];
    struct mt_sb_wire body = {.p = room, .cap = sizeof room};
    struct mt_sb_thread *thread = past->thread;
    struct mt_sb_view *own = mt_sb_view_make(store, past->from, thread);
    if (own == NULL)
        return MT_ERR_NOMEM;
    mt_sb_wire_varint(&body, 1,
                      thread->chat == MT_SB_SINGLE  ? 1
                      : thread->chat == MT_SB_GROUP ? 2
                                                    : 3);
    mt_sb_wire_jid(&body, 2, NULL, past->from->name, NULL, NULL);
    mt_sb_wire_jid(&body, 3, NULL, own->id, NULL, NULL);
    mt_sb_wire_bytes(&body, 4, past->content, past->content_len);
    mt_sb_wire_raw(&body, past->ext, past->ext_len);
    if (past->wants_ack)
        mt_sb_wire_bytes(&body, 7, "\x08\x01", 2); /* msgConfig{allowGroupAck} */
    if (body.full)
        return MT_ERR_LIMIT;
    struct mt_sb_draft draft = {
        .thread = thread,
        .from = past->from,
        .resource = "android_1",
        .ts_ms = past->ts_ms,
        .late = past->id != NULL,
        .kind = past->kind,
        .wants_ack = past->wants_ack,
        .payload = body.p,
        .payload_len = body.len,
    };
    struct mt_sb_message *message = NULL;
    enum mt_rc rc = mt_sb_message_append(store, &draft, &message);
    if (rc == MT_OK)
        mt_sb_view_read(own);
    if (rc == MT_OK && past->id != NULL)
        (void)snprintf(past->id, MT_SB_PAST_ID_MAX, "%" PRIu64, message->id);
    return rc;
}

enum mt_rc mt_sb_fill_append(const struct mt_sb_fill *fill, const struct mt_sb_past *past)
{
    enum mt_rc rc = fill->elsewhere ? MT_OK : append(fill->store, past);
    if (rc == MT_OK && fill->rongcloud != NULL)
        rc = mt_sb_fill_mirror(fill, past);
    return rc;
}

static enum mt_rc merge(struct mt_sb_load *load, struct mt_sb_generate *generate)
{
    for (;;) {
        int64_t load_ms = mt_sb_load_next_ms(load);
        int64_t generate_ms = mt_sb_generate_next_ms(generate);
        if (load_ms == INT64_MAX && generate_ms == INT64_MAX)
            return MT_OK;
        enum mt_rc rc =
            load_ms <= generate_ms ? mt_sb_load_emit(load) : mt_sb_generate_emit(generate);
        if (rc != MT_OK)
            return rc;
    }
}

enum mt_rc mt_sb_fill_run(const struct mt_sb_fill *fill, struct mt_fault *fault)
{
    struct mt_sb_load *load = NULL;
    struct mt_sb_generate *generate = NULL;
    enum mt_rc rc = mt_sb_load_new(fill, &load, fault);
    if (rc != MT_OK)
        goto out;
    rc = mt_sb_generate_new(fill, &generate);
    if (rc == MT_OK)
        rc = merge(load, generate);
    if (rc == MT_OK && fill->rongcloud != NULL)
        rc = mt_sb_fill_mirror_groups(fill);
    if (rc == MT_ERR_LIMIT)
        (void)mt_fault_set(fault, rc, "sandbox.too_much",
                           "the data is more than the sandbox can hold");
    else if (rc != MT_OK)
        (void)mt_fault_set(fault, rc, "memory", "memory is short for the sandbox's data");
out:
    mt_sb_load_free(load);
    mt_sb_generate_free(generate);
    return rc;
}

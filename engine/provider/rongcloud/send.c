/* What goes out and waits for its answer (rongcloud.md 4.4, 4.6, 4.7). What was sent and got no
 * answer may have arrived: it is never sent again by itself. How it is written depends on what
 * navigation says, so it is kept until the connection is there, and written then. */
#include "provider/rongcloud/send_int.h"

#include "base/arena.h"
#include "base/log.h"
#include "base/mem.h"
#include "provider/rongcloud/keys_int.h"
#include "provider/rongcloud/live_int.h"
#include "provider/rongcloud/map_int.h"
#include "provider/rongcloud/model_int.h"

#include <stdio.h>
#include <string.h>

#define ARENA_MAX ((size_t)8 * 1024 * 1024)

#define NOT_ASKED 26321 /* SERVICE_RRSV5_MESSAGE_RECEIPT_NEEDLESS */

struct send_call {
    struct mt_rong_call base; /* first */
    mt_sent_fn *done;
    void *ud;
    struct mt_arena *arena; /* of what goes out */
    bool refers;
    struct mt_outgoing message;    /* or what an edit makes of one */
    struct mt_reference reference; /* if it refers */
    uint64_t unique;
    bool unasked; /* the message that was read had not asked for receipts */
    bool asking;  /* the message is there, and the group is being asked for receipts */
    struct mt_sent result;
    char id[MT_ID_MAX];
    struct mt_field fields[1]; /* of the result's data */
};

/* ---------------------------------------------------------------- what is kept of it */

static enum mt_rc copy_str(const char **s, struct mt_arena *arena)
{
    if (*s != NULL)
        *s = mt_arena_strdup(arena, *s);
    return *s != NULL ? MT_OK : MT_ERR_NOMEM;
}

static enum mt_rc copy_only(struct mt_outgoing *m, struct mt_arena *arena)
{
    const char **list = NULL;
    size_t n = 0;
    enum mt_rc rc = MT_OK;

    while (m->only != NULL && m->only[n] != NULL)
        n++;
    list = mt_arena_calloc(arena, n + 1, sizeof *list);
    if (list == NULL)
        return MT_ERR_NOMEM;
    for (size_t i = 0; rc == MT_OK && i < n; i++) {
        list[i] = m->only[i];
        rc = copy_str(&list[i], arena);
    }
    m->only = n > 0 ? list : NULL;
    return rc;
}

static enum mt_rc copy_message(struct mt_outgoing *m, struct mt_arena *arena)
{
    struct mt_value body = m->body, ext = m->ext;
    enum mt_rc rc = mt_value_copy(&body, arena, &m->body);

    if (rc == MT_OK)
        rc = mt_value_copy(&ext, arena, &m->ext);
    if (rc == MT_OK)
        rc = copy_only(m, arena);
    if (rc == MT_OK && m->device != NULL)
        rc = copy_str(&m->device, arena);
    if (rc == MT_OK && m->text != NULL) {
        m->text = mt_arena_strndup(arena, m->text, m->text_len);
        rc = m->text != NULL ? MT_OK : MT_ERR_NOMEM;
    }
    return rc;
}

static enum mt_rc copy_reference(struct send_call *call)
{
    struct mt_reference *r = &call->reference;
    enum mt_rc rc = MT_OK;

    if (r->message.id != NULL)
        rc = copy_str(&r->message.id, call->arena);
    if (rc == MT_OK && r->message.from != NULL)
        rc = copy_str(&r->message.from, call->arena);
    if (rc == MT_OK && r->content != NULL)
        rc = copy_str(&r->content, call->arena);
    if (rc == MT_OK && r->edit != NULL) {
        call->message = *r->edit;
        r->edit = &call->message;
        rc = copy_message(&call->message, call->arena);
    }
    return rc;
}

/* ---------------------------------------------------------------- sending */

/* The cloud's time, which we know no better than the way to it is long: a message that came from
 * there is not later than now. */
static int64_t cloud_ms(const struct send_call *call)
{
    const struct mt_provider_account *account = call->base.life.account;
    const struct mt_rong_entry *entry =
        call->refers && account->model != NULL
            ? mt_rong_model_find(account->model, &call->reference.conversation)
            : NULL;
    int64_t now_ms = mt_rong_cloud_ms(account);

    return entry != NULL && entry->version_ms > now_ms ? entry->version_ms : now_ms;
}

static enum mt_rc pack(const struct send_call *call, struct mt_rong_packet *packet,
                       struct mt_fault *fault)
{
    const struct mt_provider_account *account = call->base.life.account;
    struct mt_rong_sender sender = {.user = account->user,
                                    .navi = &account->navi,
                                    .now_ms = cloud_ms(call),
                                    .unique = call->unique,
                                    .unasked = call->unasked};

    if (call->asking)
        return mt_rong_receipt_request_pack(&sender, &call->message.to, call->id, packet, fault);
    return call->refers ? mt_rong_reference_pack(&sender, &call->reference, packet, fault)
                        : mt_rong_outgoing_pack(&sender, &call->message, packet, fault);
}

static void step(struct mt_provider_call *life)
{
    struct send_call *call = (struct send_call *)life;
    struct mt_rong_packet packet;
    struct mt_fault fault = {.kind = MT_OK};
    enum mt_rc rc = pack(call, &packet, &fault);

    if (rc == MT_OK)
        mt_rong_ask(life, &packet.request);
    else
        mt_call_end_soon(life, rc, &fault);
    mt_rong_packet_deinit(&packet);
}

/* ---------------------------------------------------------------- answers */

/* The session hears of what its own user sends from other devices alone (4.2). */
static void remember(const struct send_call *call, const char *id)
{
    const struct mt_reference *r = call->refers ? &call->reference : NULL;
    struct mt_rong_live *live = call->base.life.account->live;
    char recalled[sizeof MT_RONG_RECALLED + MT_ID_MAX];

    if (live == NULL)
        return;
    mt_rong_live_see(live, id);
    if (r == NULL || r->type != MT_REFER_RECALL)
        return;
    snprintf(recalled, sizeof recalled, MT_RONG_RECALLED "%s", r->message.id);
    mt_rong_live_see(live, recalled);
}

/* When the cloud took an edit, if its answer says so. */
static int64_t modified_ms(const struct send_call *call, const struct mt_rong_answer *answer)
{
    ProtobufCAllocator allocator = mt_rong_allocator(call->arena);
    const Rongcloud__ModifyMsgResp *resp =
        rongcloud__modify_msg_resp__unpack(&allocator, answer->len, answer->payload);

    return resp != NULL && resp->has_modifytime ? resp->modifytime : answer->time_ms;
}

/* In which rooms the session is. */
static void moved(const struct send_call *call, const struct mt_rong_answer *answer)
{
    const struct mt_reference *r = &call->reference;
    struct mt_provider_account *account = call->base.life.account;
    ProtobufCAllocator allocator = mt_rong_allocator(call->arena);
    const Rongcloud__ChrmOutput *out = NULL;
    int64_t joined_ms = 0;

    if (account->live == NULL || !call->refers)
        return;
    if (r->type == MT_REFER_JOIN) {
        out = rongcloud__chrm_output__unpack(&allocator, answer->len, answer->payload);
        joined_ms = out != NULL && out->has_jointime ? out->jointime : mt_rong_cloud_ms(account);
        /* What is said in the same millisecond is heard. */
        mt_rong_room_entered(account->live, r->conversation.target, joined_ms - 1);
    } else if (r->type == MT_REFER_LEAVE) {
        mt_rong_room_left(account->live, r->conversation.target);
    }
}

static void take(struct send_call *call, const struct mt_rong_answer *answer)
{
    bool edit = call->refers && call->reference.type == MT_REFER_EDIT;

    call->result.time_ms = edit ? modified_ms(call, answer) : answer->time_ms;
    snprintf(call->id, sizeof call->id, "%s", edit ? call->reference.message.id : answer->uid);
    call->result.id = call->id;
    call->result.data = (struct mt_value){.type = MT_VALUE_MAP};
}

/* Receipts of the first version are asked for by a message of their own (4.7). */
static bool wants_to_ask(const struct send_call *call)
{
    return !call->refers && !call->asking && call->message.wants_receipts &&
           !call->message.online_only && call->message.to.kind == MT_CONVERSATION_GROUP &&
           call->base.life.account->navi.receipts == 0 && mt_id_is(call->id);
}

/* What it changes in the counts and the list that are kept here. */
static void tell_model(const struct send_call *call)
{
    struct mt_provider_account *account = call->base.life.account;
    const struct mt_reference *r = &call->reference;
    struct mt_rong_packet packet;

    if (call->refers && r->type == MT_REFER_CONVERSATION) {
        mt_rong_model_take_read(account, &r->conversation,
                                call->result.time_ms > 0 ? call->result.time_ms
                                                         : mt_rong_cloud_ms(account));
        return;
    }
    if (call->refers || call->message.online_only || !mt_id_is(call->id))
        return;
    mt_rong_note_heard(account, &(struct mt_message){
                                    .id = call->id, .time_ms = call->result.time_ms, .sent = true});
    if (account->model == NULL || !account->model->keeps_last)
        return;
    if (pack(call, &packet, NULL) == MT_OK)
        mt_rong_model_take_sent(account, packet.request.topic, packet.request.target,
                                packet.request.payload, packet.request.len, call->id,
                                call->result.time_ms);
    mt_rong_packet_deinit(&packet);
}

static void answered(struct mt_provider_call *life, const struct mt_rong_answer *answer,
                     const struct mt_fault *fault)
{
    struct send_call *call = (struct send_call *)life;

    /* Version 5 knows receipts of those alone that asked for them; in a single chat a receipt of
     * the oldest form says it all the same. */
    if (fault != NULL && fault->provider_code == NOT_ASKED && !call->unasked && call->refers &&
        call->reference.type == MT_REFER_READ &&
        call->reference.conversation.kind == MT_CONVERSATION_SINGLE) {
        call->unasked = true;
        step(life);
        return;
    }
    if (fault != NULL) {
        mt_call_end(life, fault->kind, fault);
        return;
    }
    remember(call, answer->uid);
    if (!call->asking) {
        take(call, answer);
        tell_model(call);
        moved(call, answer);
    }
    if (wants_to_ask(call)) {
        call->asking = true;
        step(life);
        return;
    }
    mt_call_end(life, MT_OK, NULL);
}

/* A message that was sent is sent, even if its receipts could not be asked for. */
static void finish(struct mt_provider_call *life, enum mt_rc rc, const struct mt_fault *fault)
{
    struct send_call *call = (struct send_call *)life;

    if (rc != MT_OK && rc != MT_ERR_CANCELLED && call->asking) {
        mt_log(MT_LOG_WARN, "rongcloud", "%s: message %s was sent, but not asked receipts for: %s",
               life->account->name, call->id, fault != NULL ? fault->message : "");
        call->fields[0].key = "receipts";
        call->fields[0].value = (struct mt_value){.type = MT_VALUE_BOOL, .b = false};
        call->result.data.fields = call->fields;
        call->result.data.fields_n = 1;
        rc = MT_OK;
    }
    call->done(call->ud, rc, rc == MT_OK ? &call->result : NULL, rc == MT_OK ? NULL : fault);
}

static void release(struct mt_provider_call *life)
{
    mt_arena_free(((struct send_call *)life)->arena);
}

/* ---------------------------------------------------------------- starting */

static struct send_call *call_new(struct mt_provider_account *account, mt_sent_fn *done, void *ud)
{
    struct send_call *call = mt_mem_calloc(1, sizeof *call);

    if (call == NULL)
        return NULL;
    call->arena = mt_arena_new(ARENA_MAX);
    if (call->arena == NULL) {
        mt_mem_free(call);
        return NULL;
    }
    call->base.life.step = step;
    call->base.life.finish = finish;
    call->base.life.release = release;
    call->base.answer = answered;
    call->base.verb = "send";
    call->base.hasty = true;
    call->done = done;
    call->ud = ud;
    call->unique = mt_rong_unique_id(mt_rong_cloud_ms(account), account->sends_n++);
    return call;
}

static enum mt_rc start(struct mt_provider_account *account, struct send_call *call, enum mt_rc rc,
                        struct mt_provider_call **out)
{
    struct mt_fault fault;

    if (rc != MT_OK)
        rc = mt_fault_set(&fault, rc, "send.too_long", "the message is too long");
    rc = rc != MT_OK ? mt_call_fail(&account->calls, &call->base.life, rc, &fault)
                     : mt_call_start(&account->calls, &call->base.life);
    if (out != NULL)
        *out = rc == MT_OK ? &call->base.life : NULL;
    return rc;
}

enum mt_rc mt_rong_send(struct mt_provider_account *account, const struct mt_outgoing *message,
                        mt_sent_fn *done, void *ud, struct mt_provider_call **out)
{
    struct send_call *call = call_new(account, done, ud);

    if (call == NULL)
        return MT_ERR_NOMEM;
    call->message = *message;
    return start(account, call, copy_message(&call->message, call->arena), out);
}

enum mt_rc mt_rong_refer(struct mt_provider_account *account, const struct mt_reference *reference,
                         mt_sent_fn *done, void *ud, struct mt_provider_call **out)
{
    struct send_call *call = call_new(account, done, ud);

    if (call == NULL)
        return MT_ERR_NOMEM;
    call->refers = true;
    call->reference = *reference;
    return start(account, call, copy_reference(call), out);
}

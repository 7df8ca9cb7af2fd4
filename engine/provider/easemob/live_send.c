/* What goes out over the live session and waits for its answer (easemob.md §3.4, §3.5). What was
 * sent and got no answer may have arrived: it is never sent again by itself. */
#include "provider/easemob/live_int.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "provider/easemob/outgoing_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ANSWER_MS   15000 /* as the SDK waits (§3.5) */
#define ONLINE_MS   30000 /* what cannot be sent for so long fails */
#define PAYLOAD_MAX ((size_t)1024 * 1024)

struct mt_em_send {
    struct mt_provider_call call; /* first */
    struct mt_em_send *next;
    mt_sent_fn *done; /* NULL: nobody asks */
    void *ud;
    uint64_t meta_id;
    struct mt_buf payload;
    bool listed, sent;
    enum mt_reference_type room_type; /* JOIN or LEAVE of room */
    char *room;                       /* NULL: it is of no room */
    int64_t deadline_ms;
    struct mt_sent result;
    char id[24]; /* the result's */
};

static void unlist(struct mt_em_send *send)
{
    struct mt_em_live *live = send->call.account->live;

    if (!send->listed || !live)
        return;
    send->listed = false;
    struct mt_em_send **at = &live->sends;
    while (*at && *at != send)
        at = &(*at)->next;
    if (*at)
        *at = send->next;
}

static void fail(struct mt_em_send *send, enum mt_rc rc, const char *code, const char *text)
{
    struct mt_fault fault;

    (void)mt_fault_set(&fault, rc, code, "%s: %s", send->call.account->name, text);
    mt_call_end(&send->call, rc, &fault);
}

static void put_on_wire(struct mt_em_live *live, struct mt_em_send *send)
{
    if (mt_em_live_send_sync(live, send->payload.data, send->payload.len))
        return; /* not online: it waits */
    send->sent = true;
    send->deadline_ms = mt_clock_mono_ms() + ANSWER_MS;
}

/* The session's token is there: the call is put behind the others. */
static void step(struct mt_provider_call *call)
{
    struct mt_em_send *send = (struct mt_em_send *)call;
    struct mt_em_live *live = call->account->live;

    if (!live || live->stage == MT_EM_LIVE_ENDED) {
        fail(send, MT_ERR_STATE, "live.off", "the account is not live: nothing can be sent");
        return;
    }
    struct mt_em_send **at = &live->sends;
    while (*at)
        at = &(*at)->next;
    *at = send;
    send->listed = true;
    send->deadline_ms = mt_clock_mono_ms() + ONLINE_MS;
    put_on_wire(live, send);
}

static void finish(struct mt_provider_call *call, enum mt_rc rc, const struct mt_fault *fault)
{
    struct mt_em_send *send = (struct mt_em_send *)call;

    unlist(send);
    if (send->done)
        send->done(send->ud, rc, rc == MT_OK ? &send->result : NULL, fault);
}

static void release(struct mt_provider_call *call)
{
    struct mt_em_send *send = (struct mt_em_send *)call;

    unlist(send);
    mt_mem_free(send->room);
    mt_buf_deinit(&send->payload);
}

static struct mt_em_send *send_new(struct mt_provider_account *account, mt_sent_fn *done, void *ud)
{
    struct mt_em_send *send = mt_mem_calloc(1, sizeof *send);

    if (!send)
        return NULL;
    send->done = done;
    send->ud = ud;
    send->call.step = step;
    send->call.finish = finish;
    send->call.release = release;
    mt_buf_init(&send->payload, PAYLOAD_MAX);
    uint64_t counter = account->live ? account->live->counter++ : 0;
    send->meta_id = mt_em_meta_id(mt_clock_wall_ms(), counter);
    return send;
}

static enum mt_rc start(struct mt_provider_account *account, struct mt_em_send *send, enum mt_rc rc,
                        const struct mt_fault *fault, struct mt_provider_call **out)
{
    if (out)
        *out = &send->call;
    return rc ? mt_call_fail(&account->calls, &send->call, rc, fault)
              : mt_call_start(&account->calls, &send->call);
}

enum mt_rc mt_em_live_send(struct mt_provider_account *account, const struct mt_outgoing *message,
                           mt_sent_fn *done, void *ud, struct mt_provider_call **out)
{
    struct mt_em_send *send = send_new(account, done, ud);
    struct mt_fault fault = {.kind = MT_OK};

    if (!send)
        return MT_ERR_NOMEM;
    enum mt_rc rc = mt_em_outgoing_pack(account, message, send->meta_id, &send->payload, &fault);
    if (!rc && account->live)
        mt_em_live_room_note(account->live, &message->to);
    return start(account, send, rc, &fault, out);
}

enum mt_rc mt_em_live_refer(struct mt_provider_account *account,
                            const struct mt_reference *reference, mt_sent_fn *done, void *ud,
                            struct mt_provider_call **out)
{
    struct mt_em_send *send = send_new(account, done, ud);
    struct mt_fault fault = {.kind = MT_OK};

    if (!send)
        return MT_ERR_NOMEM;
    bool room = reference->type == MT_REFER_JOIN || reference->type == MT_REFER_LEAVE;
    enum mt_rc rc =
        room ? mt_em_room_pack(account, reference, send->meta_id, &send->payload, &fault)
             : mt_em_reference_pack(account, reference, send->meta_id, &send->payload, &fault);
    if (room && !rc) {
        send->room_type = reference->type;
        send->room = mt_mem_strdup(reference->conversation.target);
        if (!send->room)
            rc = mt_fault_set(&fault, MT_ERR_NOMEM, "memory", "out of memory");
    }
    return start(account, send, rc, &fault, out);
}

/* ---------------------------------------------------------------- answers */

void mt_em_live_answer(struct mt_em_live *live, const Easemob__Pb__CommSyncDL *dl)
{
    struct mt_em_send *send = live->sends;
    const Easemob__Pb__Status *status = dl->status;
    int code = status && status->has_errorcode ? (int)status->errorcode : 0;
    struct mt_fault fault = {.kind = MT_OK};

    while (send && send->meta_id != dl->metaid)
        send = send->next;
    if (!send)
        return; /* late: it was told as unknown */
    if (code) {
        enum mt_rc rc = mt_em_answer_fault(code, status->reason, &fault);
        mt_call_end(&send->call, rc, &fault);
        return;
    }
    snprintf(send->id, sizeof send->id, "%" PRIu64, dl->has_serverid ? dl->serverid : 0);
    send->result.id = send->id;
    send->result.time_ms =
        dl->has_timestamp && dl->timestamp <= INT64_MAX ? (int64_t)dl->timestamp : 0;
    send->result.data = (struct mt_value){.type = MT_VALUE_MAP};
    if (send->room && send->room_type == MT_REFER_JOIN)
        mt_em_room_entered(live, send->room);
    else if (send->room)
        mt_em_room_left(live, send->room);
    mt_call_end(&send->call, MT_OK, NULL);
}

void mt_em_live_flush(struct mt_em_live *live)
{
    for (struct mt_em_send *send = live->sends; send; send = send->next) {
        if (!send->sent)
            put_on_wire(live, send);
    }
}

/* Ends the first call that matches, until there is none: each may end others or stop the session.
 */
static void end_all(struct mt_em_live *live,
                    bool (*ends)(const struct mt_em_send *send, int64_t now))
{
    int64_t now = mt_clock_mono_ms();
    bool again = true;

    while (again && live->account->live == live) {
        struct mt_em_send *send = live->sends;
        while (send && !ends(send, now))
            send = send->next;
        again = send != NULL;
        if (send && send->sent)
            fail(send, MT_ERR_NETWORK, "send.unknown",
                 "no answer came: it may have been sent or not, and is not sent again by itself");
        else if (send)
            fail(send, MT_ERR_NETWORK, "send.offline", "it was not sent: there is no connection");
    }
}

static bool on_the_way(const struct mt_em_send *send, int64_t now)
{
    (void)now;
    return send->sent;
}

static bool is_overdue(const struct mt_em_send *send, int64_t now)
{
    return now >= send->deadline_ms;
}

static bool every_one(const struct mt_em_send *send, int64_t now)
{
    (void)send;
    (void)now;
    return true;
}

void mt_em_live_unsure(struct mt_em_live *live)
{
    end_all(live, on_the_way);
}

void mt_em_live_overdue(struct mt_em_live *live)
{
    end_all(live, live->stage == MT_EM_LIVE_ENDED ? every_one : is_overdue);
}

/* Requests, their answers, and what else comes over the connection (rongcloud.md 2.2 to 2.6). */
#include "provider/rongcloud/account_int.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "provider/rongcloud/faults_int.h"
#include "provider/rongcloud/frame_int.h"
#include "provider/rongcloud/live_int.h"
#include "provider/session.h"
#include "ws/client.h"

#include <stdio.h>
#include <string.h>

#define PING_MS       15000 /* between pings, and until one is missed (2.3) */
#define ANSWER_MS     30000 /* for the answer to a request (2.3) */
#define WAIT_MS       120000
#define WAIT_HASTY_MS 30000
#define LOOK_MS       1000
#define PATIENCE      5
#define IDS_MAX       65535
#define ECHOES_MAX    64
#define ECHO_BYTES    ((size_t)512 * 1024) /* the content alone may have 128 KiB */
#define FRAME_EXTRA   ((size_t)1024)
#define UID_MAX       64

#define REFUSALS_MAX 6 /* of a busy cloud, one after the other: half a minute or so */

#define CODE_TIMEOUT     (-1)
#define STATUS_TOO_OFTEN 20604
#define STATUS_TROUBLE   25104 /* RC_SERVER_UNKOWN_ERROR */

static struct mt_rong_call *of(struct mt_provider_call *life)
{
    return (struct mt_rong_call *)life;
}

/* ---------------------------------------------------------------- what is on its way */

static void put_on_wire(struct mt_rong_link *link, struct mt_rong_call *call)
{
    struct mt_rong_call **at = &link->wire;

    while (*at != NULL)
        at = &(*at)->next_on_wire;
    *at = call;
    call->next_on_wire = NULL;
    call->on_wire = true;
    call->life.held++;
}

static void unlist(struct mt_rong_link *link, struct mt_rong_call *call)
{
    struct mt_rong_call **at = &link->wire;

    while (*at != NULL && *at != call)
        at = &(*at)->next_on_wire;
    if (*at != NULL)
        *at = call->next_on_wire;
    call->on_wire = false;
    call->deadline_ms = 0;
}

/* False: the call has ended meanwhile, and is gone. */
static bool take_off(struct mt_rong_link *link, struct mt_rong_call *call)
{
    unlist(link, call);
    return !mt_call_drop(&call->life);
}

/* Nothing of a request can be taken back: the call ends at the next turn. */
static bool stop(struct mt_provider_call *life)
{
    struct mt_rong_call *call = of(life);

    if (call->on_wire) {
        unlist(&life->account->link, call);
        (void)mt_call_drop(life);
    }
    return false;
}

static bool id_is_used(const struct mt_rong_link *link, uint16_t id)
{
    for (const struct mt_rong_call *c = link->wire; c != NULL; c = c->next_on_wire)
        if (c->id == id)
            return true;
    for (const struct mt_rong_echo *e = link->echoes; e != NULL; e = e->next)
        if (e->id == id) /* its PUBACK is known by the id alone (2.5) */
            return true;
    return false;
}

/* 1 to 65535, then 1 again. 0: all of them are in use. */
static uint16_t next_id(struct mt_rong_link *link)
{
    for (unsigned i = 0; i < IDS_MAX; i++) {
        link->last_id = link->last_id == IDS_MAX ? 1 : (uint16_t)(link->last_id + 1);
        if (!id_is_used(link, link->last_id))
            return link->last_id;
    }
    return 0;
}

/* ---------------------------------------------------------------- sending */

static enum mt_rc send(struct mt_provider_account *account, const struct mt_rong_frame *frame)
{
    struct mt_buf out;
    enum mt_rc rc = MT_OK;

    if (account->link.conn == NULL)
        return MT_ERR_STATE;
    mt_buf_init(&out, MT_RONG_FRAME_MAX);
    rc = mt_rong_frame_pack(frame, MT_RONG_UP, account->navi.version, &out);
    if (rc == MT_OK)
        rc = mt_ws_conn_send(account->link.conn, true, out.data, out.len);
    mt_buf_deinit(&out);
    return rc;
}

void mt_rong_send_frame(struct mt_provider_account *account, const struct mt_rong_frame *frame)
{
    if (send(account, frame) != MT_OK)
        mt_log(MT_LOG_DEBUG, "rongcloud", "%s: a frame could not be sent", account->name);
}

void mt_rong_ping(struct mt_provider_account *account)
{
    mt_rong_send_frame(account, &(struct mt_rong_frame){.type = MT_RONG_PINGREQ});
    account->link.pings_n++;
    account->link.ping_due_ms = mt_clock_mono_ms() + PING_MS;
    mt_rong_beat_in(account, PING_MS);
}

static void end_with(struct mt_rong_call *call, enum mt_rc rc, const char *code, const char *text)
{
    struct mt_fault fault;
    char whole[MT_FAULT_CODE_MAX];

    snprintf(whole, sizeof whole, "%s%s", call->verb, code);
    (void)mt_fault_set(&fault, rc, whole, "%s: %s", call->life.account->name, text);
    mt_call_end_soon(&call->life, rc, &fault);
}

/* The answer of what gets none (2.6), at the next turn. */
static void on_silent(void *ud)
{
    struct mt_rong_call *call = ud;
    struct mt_rong_answer answer = {.uid = "", .time_ms = mt_rong_cloud_ms(call->life.account)};

    if (mt_call_drop(&call->life) || call->life.cancelled)
        return;
    call->answer(&call->life, &answer, NULL);
}

static void sent(struct mt_rong_call *call, const struct mt_rong_request *request)
{
    struct mt_provider_account *account = call->life.account;

    if (!request->silent) {
        call->deadline_ms = mt_clock_mono_ms() + ANSWER_MS;
        put_on_wire(&account->link, call);
        mt_rong_beat_in(account, LOOK_MS);
        return;
    }
    call->life.held++;
    if (mt_loop_post(account->loop, on_silent, call) != MT_OK) {
        call->life.held--;
        end_with(call, MT_ERR_NOMEM, ".unknown", "out of memory: it was sent");
    }
}

void mt_rong_ask(struct mt_provider_call *life, const struct mt_rong_request *request)
{
    struct mt_rong_call *call = of(life);
    struct mt_provider_account *account = life->account;
    const char *target = request->target != NULL ? request->target : account->user;
    struct mt_rong_frame frame = {
        .type = request->publish ? MT_RONG_PUBLISH : MT_RONG_QUERY,
        .qos = request->publish && !request->qos0 ? 1 : 0,
        .topic = {.s = request->topic, .len = strlen(request->topic)},
        .target = {.s = target, .len = strlen(target)},
        .payload = request->payload,
        .payload_len = request->len,
    };

    if (account->link.stage != MT_RONG_ONLINE) {
        mt_rong_again(life);
        return;
    }
    life->stop = stop;
    call->publish = request->publish;
    call->reads = request->reads;
    frame.id = call->id = next_id(&account->link);
    enum mt_rc rc = frame.id == 0 ? MT_ERR_LIMIT : send(account, &frame);
    if (rc == MT_OK)
        sent(call, request);
    else if (rc == MT_ERR_STATE) /* it is being closed: what ended it comes at the next turn */
        mt_call_wait(life);
    else if (rc == MT_ERR_LIMIT)
        end_with(call, MT_ERR_RATE, ".busy", "more is on its way than the connection takes");
    else if (rc == MT_ERR_INVALID)
        end_with(call, rc, ".target", "the id is too long");
    else
        end_with(call, rc, ".memory", "out of memory");
}

void mt_rong_again(struct mt_provider_call *life)
{
    struct mt_provider_account *account = life->account;
    struct mt_rong_link *link = &account->link;
    struct mt_fault fault;

    if (link->stage == MT_RONG_ONLINE) {
        life->step(life);
    } else if (mt_rong_refused(account, &fault)) {
        mt_call_end_soon(life, fault.kind, &fault);
    } else {
        mt_call_wait(life);
        mt_rong_want(account);
    }
}

/* ---------------------------------------------------------------- losing answers */

/* The answer does not come any more. */
static void missed(struct mt_rong_call *call, bool lost)
{
    struct mt_provider_call *life = &call->life;
    unsigned most = call->patience > 0 ? call->patience : PATIENCE;
    struct mt_fault fault;
    char code[MT_FAULT_CODE_MAX];

    if (call->reads && ++call->tries < most) {
        if (lost)
            mt_call_wait(life);
        else
            mt_rong_again(life);
        return;
    }
    if (call->reads) {
        (void)mt_rong_fault(&fault, CODE_TIMEOUT, call->verb);
        mt_fault_prefix(&fault, "%s", life->account->name);
    } else {
        snprintf(code, sizeof code, "%s.unknown", call->verb);
        (void)mt_fault_set(&fault, MT_ERR_NETWORK, code,
                           "%s: no answer came: it may have been done or not, and is not done "
                           "again by itself",
                           life->account->name);
        fault.provider_code = CODE_TIMEOUT;
    }
    if (life->cancelled)
        mt_call_end(life, MT_ERR_CANCELLED, NULL);
    else
        call->answer(life, NULL, &fault);
}

void mt_rong_wire_lost(struct mt_provider_account *account)
{
    struct mt_rong_link *link = &account->link;

    while (link->wire != NULL) {
        struct mt_rong_call *call = link->wire;

        if (take_off(link, call))
            missed(call, true);
    }
}

static void never_online(struct mt_rong_call *call)
{
    struct mt_fault fault;
    char code[MT_FAULT_CODE_MAX];

    snprintf(code, sizeof code, "%s.offline", call->verb);
    (void)mt_fault_set(&fault, MT_ERR_NETWORK, code, "%s: there is no connection to the cloud",
                       call->life.account->name);
    mt_call_end(&call->life, MT_ERR_NETWORK, &fault);
}

/* One whose rest is over, or NULL. */
static struct mt_rong_call *rested(const struct mt_provider_account *account, int64_t now)
{
    for (struct mt_provider_call *c = account->calls.first; c != NULL; c = c->next)
        if (of(c)->rest_ms != 0 && now >= of(c)->rest_ms && !c->cancelled)
            return of(c);
    return NULL;
}

/* One that is overdue, or NULL. Each that ends may end others. */
static struct mt_rong_call *overdue(struct mt_provider_account *account, int64_t now)
{
    for (struct mt_provider_call *c = account->calls.first; c != NULL; c = c->next) {
        struct mt_rong_call *call = of(c);

        if (!c->waiting && !call->on_wire)
            continue;
        if (call->deadline_ms == 0)
            call->deadline_ms = now + (call->hasty ? WAIT_HASTY_MS : WAIT_MS);
        if (now >= call->deadline_ms)
            return call;
    }
    return NULL;
}

void mt_rong_wire_overdue(struct mt_provider_account *account, int64_t now)
{
    struct mt_rong_call *call = NULL;

    while ((call = rested(account, now)) != NULL) {
        call->rest_ms = 0;
        mt_rong_again(&call->life);
    }
    while ((call = overdue(account, now)) != NULL) {
        if (!call->on_wire)
            never_online(call);
        else if (take_off(&account->link, call))
            missed(call, false);
    }
}

/* ---------------------------------------------------------------- answers */

static struct mt_rong_call *find(const struct mt_rong_link *link, uint16_t id, bool publish)
{
    struct mt_rong_call *call = link->wire;

    while (call != NULL && (call->id != id || call->publish != publish))
        call = call->next_on_wire;
    return call;
}

/* A cloud that is asked too often, or is in trouble of its own, is asked again after a rest that
 * grows, with full jitter, so that many do not come back at once. What changes something is not:
 * whoever asked for it knows what else depends on it. */
static bool rest(struct mt_provider_account *account, struct mt_rong_call *call, int status)
{
    bool busy = status == STATUS_TOO_OFTEN || status == STATUS_TROUBLE;

    if (!busy || !call->reads || call->refusals >= REFUSALS_MAX)
        return false;
    int64_t ms = mt_session_rest_ms(call->refusals++);

    call->rest_ms = mt_clock_mono_ms() + ms;
    mt_rong_beat_in(account, ms);
    return true;
}

static void answered(struct mt_provider_account *account, struct mt_rong_call *call, int status,
                     const struct mt_rong_answer *answer)
{
    struct mt_fault fault;

    if (!take_off(&account->link, call) || call->life.cancelled)
        return;
    call->tries = 0;
    if (status == 0) {
        call->refusals = 0;
        call->answer(&call->life, answer, NULL);
        return;
    }
    if (rest(account, call, status))
        return;
    (void)mt_rong_fault(&fault, status, call->verb);
    call->answer(&call->life, answer, &fault);
}

static void on_queryack(struct mt_provider_account *account, const struct mt_rong_frame *frame)
{
    struct mt_rong_call *call = find(&account->link, frame->id, false);
    struct mt_rong_answer answer = {.payload = frame->payload,
                                    .len = frame->payload_len,
                                    .time_ms = (int64_t)frame->seconds * 1000,
                                    .uid = ""};

    if (call == NULL)
        return; /* late */
    if (frame->qos > 0)
        mt_rong_send_frame(account,
                           &(struct mt_rong_frame){.type = MT_RONG_QUERYCON, .id = frame->id});
    answered(account, call, frame->status, &answer);
}

static struct mt_rong_echo *take_echo(struct mt_rong_link *link, uint16_t id)
{
    struct mt_rong_echo **at = &link->echoes;
    struct mt_rong_echo *echo = NULL;

    while (*at != NULL && (*at)->id != id)
        at = &(*at)->next;
    echo = *at;
    if (echo != NULL) {
        *at = echo->next;
        link->echoes_n--;
    }
    return echo;
}

static void on_puback(struct mt_provider_account *account, const struct mt_rong_frame *frame)
{
    struct mt_rong_link *link = &account->link;
    struct mt_rong_echo *echo = take_echo(link, frame->id);
    struct mt_rong_call *call = echo == NULL ? find(link, frame->id, true) : NULL;
    char uid[UID_MAX];
    struct mt_rong_answer answer = {.time_ms = (int64_t)frame->seconds * 1000 + frame->millis,
                                    .uid = uid};

    snprintf(uid, sizeof uid, "%.*s", frame->uid.len < sizeof uid ? (int)frame->uid.len : 0,
             frame->uid.s);
    if (echo != NULL && frame->status == 0)
        mt_rong_live_echo(account, echo, answer.time_ms, uid);
    mt_mem_free(echo);
    if (call != NULL)
        answered(account, call, frame->status, &answer);
}

/* ---------------------------------------------------------------- pushes */

static bool is_status(const struct mt_rong_text *topic)
{
    static const char *const topics[] = {"ppMsgS", "pgMsgS", "chatMsgS", "prMsgS"};

    for (size_t i = 0; i < sizeof topics / sizeof topics[0]; i++)
        if (topic->len == strlen(topics[i]) && memcmp(topic->s, topics[i], topic->len) == 0)
            return true;
    return false;
}

/* What another device of this user sent: a PUBACK with the same id tells its time and id (2.5). */
static void keep_echo(struct mt_provider_account *account, const struct mt_rong_frame *frame)
{
    struct mt_rong_link *link = &account->link;
    struct mt_rong_echo *echo = NULL;

    if (is_status(&frame->topic) || !mt_rong_live_wants(account) ||
        frame->topic.len >= MT_RONG_TOPIC_MAX || frame->target.len >= MT_RONG_TARGET_MAX ||
        frame->payload_len > ECHO_BYTES)
        return;
    mt_mem_free(take_echo(link, frame->id));
    if (link->echoes_n >= ECHOES_MAX) /* the oldest, which nobody has asked about for long */
        mt_mem_free(take_echo(link, link->echoes->id));
    echo = mt_mem_calloc(1, sizeof *echo + frame->payload_len);
    if (echo == NULL)
        return; /* it stands in the outbox, and is pulled later */
    echo->id = frame->id;
    memcpy(echo->topic, frame->topic.s, frame->topic.len);
    memcpy(echo->target, frame->target.s, frame->target.len);
    echo->len = frame->payload_len;
    memcpy(echo->payload, frame->payload, frame->payload_len);
    struct mt_rong_echo **at = &link->echoes;
    while (*at != NULL)
        at = &(*at)->next;
    *at = echo;
    link->echoes_n++;
}

void mt_rong_echoes_free(struct mt_rong_link *link)
{
    while (link->echoes != NULL)
        mt_mem_free(take_echo(link, link->echoes->id));
}

static void on_publish(struct mt_provider_account *account, const struct mt_rong_frame *frame)
{
    if (frame->dup) {
        keep_echo(account, frame);
        return;
    }
    if (frame->qos > 0)
        mt_rong_send_frame(account,
                           &(struct mt_rong_frame){.type = MT_RONG_PUBACK, .id = frame->id});
    mt_rong_live_push(account, frame);
}

/* ---------------------------------------------------------------- frames */

static void on_disconnect(struct mt_provider_account *account, unsigned status)
{
    int code = mt_rong_disconnect_code(status);
    struct mt_fault fault;

    if (code == mt_rong_connack_code(6)) {
        mt_rong_redirect(account);
        return;
    }
    if (code == 0) {
        (void)mt_fault_set(&fault, MT_ERR_NETWORK, "live.closed",
                           "%s: the cloud ended the connection (%u)", account->name, status);
        mt_rong_lose(account, &fault);
        return;
    }
    (void)mt_rong_fault(&fault, code, "login");
    mt_fault_prefix(&fault, "%s", account->name);
    mt_rong_refuse(
        account, strncmp(fault.code, "kicked.", 7) == 0 ? MT_EVENT_KICKED : MT_EVENT_ERROR, &fault);
}

static void garbled(struct mt_provider_account *account)
{
    struct mt_fault fault;

    (void)mt_fault_set(&fault, MT_ERR_PROTOCOL, "live.garbled",
                       "%s: the cloud sent a frame that cannot be read", account->name);
    mt_rong_lose(account, &fault);
}

void mt_rong_frame_in(struct mt_provider_account *account, const void *p, size_t len)
{
    struct mt_rong_link *link = &account->link;
    struct mt_rong_frame frame;

    if (mt_rong_frame_parse(p, len, MT_RONG_DOWN, account->navi.version, &frame) != MT_OK) {
        garbled(account);
        return;
    }
    mt_rong_account_retain(account);
    if (frame.type == MT_RONG_CONNACK)
        mt_rong_greeted(account, &frame);
    else if (frame.type == MT_RONG_DISCONNECT)
        on_disconnect(account, frame.status);
    else if (link->stage != MT_RONG_ONLINE)
        ; /* nothing else may come before the greeting: not told to anybody */
    else if (frame.type == MT_RONG_PUBLISH)
        on_publish(account, &frame);
    else if (frame.type == MT_RONG_PUBACK)
        on_puback(account, &frame);
    else if (frame.type == MT_RONG_QUERYACK)
        on_queryack(account, &frame);
    else if (frame.type == MT_RONG_PINGRESP) {
        link->pings_n = 0;
        link->ping_due_ms = mt_clock_mono_ms() + PING_MS;
    }
    mt_rong_account_release(account);
}

/* The life of a live session: token, connection, provisioning, rest after a loss, end. */
#include "provider/easemob/live_int.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "codec/json.h"
#include "loop/loop.h"
#include "model/fields.h"
#include "provider/session.h"
#include "ws/client.h"

#include <stdio.h>
#include <string.h>

#define STAGE_MS 10000 /* connecting, and the answer to a provision (§1.4) */
#define BEAT_MS  5000  /* how often the clock is looked at */
#define IDLE_MS  30000 /* a heartbeat when nothing was heard for so long (§1.7) */
#define PONG_MS  20000

static void enter(struct mt_em_live *live);

/* ---------------------------------------------------------------- telling */

bool mt_em_live_tell(struct mt_em_live *live, enum mt_event_type type, const struct mt_value *data,
                     const struct mt_fault *fault)
{
    struct mt_em_batch *batch = mt_mem_calloc(1, sizeof *batch);

    if (!batch || mt_session_event(type, data, fault, &batch->pub, &batch->arena)) {
        mt_mem_free(batch);
        return false;
    }
    mt_em_live_hand_out(live, batch);
    return true;
}

/* ---------------------------------------------------------------- losing and ending */

static void drop_connection(struct mt_em_live *live)
{
    struct mt_ws_conn *conn = live->conn;

    live->conn = NULL;
    live->generation++;
    if (conn)
        mt_ws_conn_cut(conn); /* closed comes, and finds that it is not ours any more */
    mt_timer_stop(live->timer);
    mt_em_live_queues_reset(live);
    mt_em_live_unsure(live);
}

void mt_em_live_lose(struct mt_em_live *live, const struct mt_fault *fault)
{
    bool was_online = live->stage == MT_EM_LIVE_ONLINE && live->announced;

    if (live->stage == MT_EM_LIVE_ENDED || live->stage == MT_EM_LIVE_RESTING)
        return;
    live->stage = MT_EM_LIVE_RESTING;
    mt_em_live_forget_redirect(live);
    drop_connection(live);
    mt_timer_start(live->timer, mt_session_rest_ms(live->attempts++), 0);
    if (!was_online) {
        mt_log(MT_LOG_DEBUG, "easemob", "%s: no session yet: %s", live->account->name,
               fault->message);
        return;
    }
    live->lost_ms = live->heard_wall_ms; /* who slept meanwhile notices the loss late */
    (void)mt_em_live_tell(live, MT_EVENT_DISCONNECTED, NULL, fault);
}

void mt_em_live_end(struct mt_em_live *live, enum mt_event_type type, const struct mt_fault *fault)
{
    struct mt_field ended = {.key = "ended", .value = {.type = MT_VALUE_BOOL, .b = true}};
    struct mt_value data = {.type = MT_VALUE_MAP, .fields = &ended, .fields_n = 1};
    struct mt_fault copy = *fault;

    if (live->stage == MT_EM_LIVE_ENDED)
        return;
    live->stage = MT_EM_LIVE_ENDED;
    drop_connection(live);
    mt_timer_stop(live->beat);
    mt_em_live_overdue(live);
    (void)mt_em_live_tell(live, type, &data, &copy);
    if (live->account->live == live && live->handlers.ended)
        live->handlers.ended(live->ud, &copy);
}

/* ---------------------------------------------------------------- the connection */

static void on_open(void *ud, struct mt_ws_conn *conn)
{
    struct mt_em_live *live = ud;

    if (live->conn != conn)
        return;
    live->stage = MT_EM_LIVE_PROVISIONING;
    mt_timer_start(live->timer, STAGE_MS, 0);
    mt_em_live_send_provision(live);
}

static void on_message(void *ud, struct mt_ws_conn *conn, bool binary, const void *p, size_t len)
{
    struct mt_em_live *live = ud;

    if (live->conn != conn || !binary)
        return;
    live->heard_ms = mt_clock_mono_ms();
    live->heard_wall_ms = mt_clock_wall_ms();
    mt_em_live_frame(live, p, len);
}

static void live_free(void *ud)
{
    struct mt_em_live *live = ud;
    struct mt_provider_account *account = live->account;

    mt_timer_free(live->timer);
    mt_timer_free(live->beat);
    mt_em_token_release(live->token);
    mt_mem_free(live->redirect);
    mt_mem_free(live->seen);
    mt_mem_free(live->rooms);
    mt_em_rooms_free(live);
    mt_mem_free(live);
    if (account)
        mt_em_account_release(account);
}

static void on_closed(void *ud, struct mt_ws_conn *conn, uint16_t code,
                      const struct mt_fault *fault)
{
    struct mt_em_live *live = ud;
    struct mt_fault why;

    live->conns_n--;
    if (live->stopped && !live->conns_n) {
        live_free(live);
        return;
    }
    if (live->conn != conn)
        return;
    live->conn = NULL;
    if (fault)
        why = *fault;
    else
        (void)mt_fault_set(&why, MT_ERR_NETWORK, "live.closed", "the cloud closed the session (%u)",
                           (unsigned)code);
    mt_em_live_lose(live, &why);
}

static void connect_now(struct mt_em_live *live)
{
    static const struct mt_ws_conn_handlers handlers = {
        .open = on_open, .message = on_message, .closed = on_closed};
    struct mt_provider_account *account = live->account;
    struct mt_ws_conn_options options = {.url = live->redirect ? live->redirect
                                                               : mt_em_live_address(live),
                                         .connect_timeout_ms = STAGE_MS,
                                         .max_message_bytes = MT_EM_FRAME_MAX};
    struct mt_fault fault = {.kind = MT_OK};
    enum mt_rc rc = MT_OK;

    live->stage = MT_EM_LIVE_CONNECTING;
    if (!*options.url) {
        (void)mt_fault_set(&fault, MT_ERR_INVALID, "live.no_websocket",
                           "%s: no WebSocket address is known: set websocket = \"wss://…\" for the "
                           "account",
                           account->name);
        mt_em_live_end(live, MT_EVENT_ERROR, &fault);
        return;
    }
    mt_em_token_release(live->token);
    live->token = account->session.token;
    live->token->refs++;
    rc = mt_ws_conn_open(live->ws, &options, &handlers, live, &live->conn, &fault);
    if (!rc)
        live->conns_n++;
    else if (rc == MT_ERR_INVALID)
        mt_em_live_end(live, MT_EVENT_ERROR, &fault);
    else
        mt_em_live_lose(live, &fault);
}

/* ---------------------------------------------------------------- the token */

struct entering {
    struct mt_provider_call call; /* first */
    struct mt_em_live *live;      /* NULL: stopped meanwhile */
};

static void enter_step(struct mt_provider_call *call)
{
    mt_call_end(call, MT_OK, NULL);
}

static void entered(struct mt_provider_call *call, enum mt_rc rc, const struct mt_fault *fault)
{
    struct mt_em_live *live = ((struct entering *)call)->live;

    if (!live)
        return;
    live->entering = NULL;
    if (rc == MT_OK)
        connect_now(live);
    else if (rc == MT_ERR_NETWORK || rc == MT_ERR_TIMEOUT || rc == MT_ERR_RATE ||
             rc == MT_ERR_REMOTE || rc == MT_ERR_NOMEM)
        mt_em_live_lose(live, fault);
    else
        mt_em_live_end(live, MT_EVENT_ERROR, fault);
}

static void enter(struct mt_em_live *live)
{
    struct entering *entering = mt_mem_calloc(1, sizeof *entering);
    struct mt_fault fault;

    live->stage = MT_EM_LIVE_ENTERING;
    if (entering) {
        entering->live = live;
        entering->call.step = enter_step;
        entering->call.finish = entered;
        live->entering = &entering->call;
        if (!mt_call_start(&live->account->calls, &entering->call))
            return;
        live->entering = NULL;
    }
    (void)mt_fault_set(&fault, MT_ERR_NOMEM, "memory", "out of memory");
    mt_em_live_lose(live, &fault);
}

/* ---------------------------------------------------------------- provisioned */

/* §1.3: authToken of the answer is JSON with an absolute time, despite its name. */
static int64_t expiry_of(const Easemob__Pb__Provision *answer)
{
    struct mt_json *root = NULL;
    int64_t ms = 0;

    if (!answer->authtoken ||
        mt_json_parse(answer->authtoken, strlen(answer->authtoken), (size_t)64 * 1024, &root, NULL))
        return 0;
    ms = mt_json_i64(mt_json_get(root, "expires_in"), 0);
    mt_json_free(root);
    return ms > mt_clock_wall_ms() ? ms : 0;
}

/* §1.5: what was refused. True: it is of no use to try again. */
static bool refused(struct mt_em_live *live, const Easemob__Pb__Status *status,
                    struct mt_fault *fault)
{
    static const struct {
        int code;
        enum mt_rc kind;
        int provider_code;
        const char *reason, *name, *text;
    } refusals[] = {
        {1, MT_ERR_AUTH, 56, "token expired", "auth.token_expired",
         "the token has expired: give a new one, or a password or app"},
        {1, MT_ERR_AUTH, 28, "does not match", "auth.token_rejected",
         "the token is not of this user: check user and token"},
        {1, MT_ERR_NOT_FOUND, 204, "user not found", "user.unknown",
         "the cloud does not know this user: check user and appkey"},
        {1, MT_ERR_DENIED, 50, "register", "auth.limit", "the app has reached its limit of users"},
        {7, MT_ERR_DENIED, 50, "limit", "auth.limit",
         "the app has reached its limit of active or connected users"},
        {12, MT_ERR_DENIED, 57, "", "auth.forbidden", "the cloud has blocked this user or app"},
        {13, MT_ERR_DENIED, 214, "", "auth.too_many_devices",
         "the user is online on too many devices"},
        {20, MT_ERR_DENIED, 220, "", "auth.device_changed",
         "the cloud gave this device's place to another one"},
        {6, MT_ERR_AUTH, 2, "", "auth.token_expired",
         "the token has expired: give a new one, or a password or app"},
        {4, MT_ERR_PROTOCOL, -3, "", "live.refused", "the cloud found the login frame wrong"},
    };
    int code = status->has_errorcode ? (int)status->errorcode : 0;
    const char *reason = status->reason ? status->reason : "";

    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        if (refusals[i].code != code || !strstr(reason, refusals[i].reason))
            continue;
        (void)mt_fault_set(fault, refusals[i].kind, refusals[i].name, "%s: %s", live->account->name,
                           refusals[i].text);
        fault->provider_code = refusals[i].provider_code;
        return true;
    }
    (void)mt_fault_set(fault, MT_ERR_AUTH, "auth.refused", "%s: the cloud refused the session: %s",
                       live->account->name, *reason ? reason : "no reason given");
    fault->provider_code = 2;
    return true;
}

void mt_em_live_provisioned(struct mt_em_live *live, const Easemob__Pb__Provision *answer)
{
    static const Easemob__Pb__Status none = EASEMOB__PB__STATUS__INIT;
    const Easemob__Pb__Status *status = answer->status ? answer->status : &none;
    struct mt_fault fault;

    if (live->stage != MT_EM_LIVE_PROVISIONING)
        return;
    if (status->has_errorcode && status->errorcode == EASEMOB__PB__STATUS__ERROR_CODE__REDIRECT) {
        if (mt_em_live_redirected(live, status, &fault)) {
            mt_em_live_lose(live, &fault);
            return;
        }
        drop_connection(live);
        connect_now(live);
        return;
    }
    if (status->has_errorcode && status->errorcode != 0) {
        bool auth = refused(live, status, &fault) && fault.kind == MT_ERR_AUTH;
        if (auth && mt_em_session_renew(live->account, live->token))
            mt_em_live_lose(live, &fault); /* once more, with a new token */
        else
            mt_em_live_end(live, MT_EVENT_ERROR, &fault);
        return;
    }
    if (answer->resource && *answer->resource && strlen(answer->resource) < sizeof live->device)
        snprintf(live->device, sizeof live->device, "%s", answer->resource);
    live->token->proven = true;
    live->expires_ms = expiry_of(answer);
    live->warn_ms = mt_clock_wall_ms();
    live->warn_ms +=
        (live->expires_ms - live->warn_ms) / 5 * 4; /* at 80 % of what is left (§1.3) */
    live->stage = MT_EM_LIVE_ONLINE;
    live->attempts = 0;
    live->announced = false;
    mt_timer_stop(live->timer);
    mt_em_rooms_again(live);
    mt_em_live_flush(live);
    live->beat_ms = mt_clock_mono_ms(); /* its answer is waited for like a heartbeat's */
    mt_em_live_send_unread(live);
}

/* The offline queue keeps so much of a user for so long, and drops the oldest (easemob-service.md
 * §3.2). A queue at its bound, or an absence as long, may have lost messages. */
#define QUEUE_SINGLE  500
#define QUEUE_GROUP   200
#define QUEUE_KEPT_MS ((int64_t)6 * 24 * 3600 * 1000) /* 7 days, and one to spare */

static bool overflowed(const Easemob__Pb__CommUnreadDL *dl, int64_t away_ms)
{
    uint64_t singles = 0;
    uint64_t groups = 0;

    for (size_t i = 0; i < dl->n_unread; i++) {
        const Easemob__Pb__JID *queue = dl->unread[i]->queue;
        uint64_t n = dl->unread[i]->has_n ? dl->unread[i]->n : 0;

        if (queue && queue->domain && !strncmp(queue->domain, "conference.", 11))
            groups += n;
        else
            singles += n;
    }
    return away_ms >= QUEUE_KEPT_MS || singles >= QUEUE_SINGLE || groups >= QUEUE_GROUP;
}

void mt_em_live_announce(struct mt_em_live *live, const Easemob__Pb__CommUnreadDL *dl)
{
    struct mt_field fields[2] = {{.key = "away_ms", .value = {.type = MT_VALUE_INT}},
                                 {.key = "since", .value = {.type = MT_VALUE_INT}}};
    struct mt_value data = {.type = MT_VALUE_MAP, .fields = fields, .fields_n = 1};

    if (live->announced)
        return;
    live->announced = true;
    if (live->lost_ms) {
        fields[0].value.i = mt_clock_wall_ms() - live->lost_ms;
        fields[1].value.i = live->lost_ms;
        if (dl->has_timestamp && dl->timestamp < INT64_MAX) /* in the cloud's time */
            fields[1].value.i += (int64_t)dl->timestamp - mt_clock_wall_ms();
        data.fields_n = overflowed(dl, fields[0].value.i) ? 2 : 1;
    }
    (void)mt_em_live_tell(live, MT_EVENT_CONNECTED, &data, NULL);
}

/* ---------------------------------------------------------------- clocks */

static void on_timer(void *ud)
{
    struct mt_em_live *live = ud;
    struct mt_fault fault;

    if (live->stage == MT_EM_LIVE_RESTING) {
        enter(live);
        return;
    }
    (void)mt_fault_set(&fault, MT_ERR_TIMEOUT, "live.timeout",
                       "%s: the cloud did not answer the login in %d s", live->account->name,
                       STAGE_MS / 1000);
    mt_em_live_lose(live, &fault);
}

static void look_at_expiry(struct mt_em_live *live)
{
    int64_t now = mt_clock_wall_ms();
    struct mt_field field = {.key = "expires", .value = {.type = MT_VALUE_INT}};
    struct mt_value data = {.type = MT_VALUE_MAP, .fields = &field, .fields_n = 1};
    struct mt_fault fault;

    if (!live->expires_ms || live->stage != MT_EM_LIVE_ONLINE)
        return;
    if (now >= live->expires_ms) {
        (void)mt_fault_set(&fault, MT_ERR_AUTH, "auth.token_expired",
                           "%s: the token has expired: give a new one, or a password or app",
                           live->account->name);
        if (live->account->session.token != live->token ||
            mt_em_session_renew(live->account, live->token))
            mt_em_live_lose(live, &fault); /* a new one is there, or on its way */
        else
            mt_em_live_end(live, MT_EVENT_ERROR, &fault);
    } else if (now >= live->warn_ms) {
        live->warn_ms = INT64_MAX;
        field.value.i = live->expires_ms;
        (void)mt_em_session_renew(live->account, live->token);
        (void)mt_em_live_tell(live, MT_EVENT_TOKEN_EXPIRING, &data, NULL);
    }
}

static void on_beat(void *ud)
{
    struct mt_em_live *live = ud;
    int64_t now = mt_clock_mono_ms();
    struct mt_fault fault;

    mt_em_live_overdue(live);
    look_at_expiry(live);
    if (live->stage != MT_EM_LIVE_ONLINE)
        return;
    if (live->beat_ms && live->heard_ms >= live->beat_ms)
        live->beat_ms = 0;
    if (live->beat_ms && now - live->beat_ms >= PONG_MS) {
        (void)mt_fault_set(&fault, MT_ERR_TIMEOUT, "live.silent",
                           "%s: the cloud does not answer any more", live->account->name);
        mt_em_live_lose(live, &fault);
    } else if (!live->beat_ms && now - live->heard_ms >= IDLE_MS) {
        live->beat_ms = now;
        mt_em_live_send_unread(live);
    }
}

/* ---------------------------------------------------------------- start and stop */

enum mt_rc mt_em_live_start(struct mt_provider_account *account,
                            const struct mt_live_options *options,
                            const struct mt_live_handlers *handlers, void *ud,
                            struct mt_fault *fault)
{
    struct mt_em_live *live = NULL;

    if (account->live)
        return mt_fault_set(fault, MT_ERR_STATE, "live.started", "%s: the account is live already",
                            account->name);
    live = mt_mem_calloc(1, sizeof *live);
    if (!live || mt_timer_new(account->loop, on_timer, live, &live->timer) ||
        mt_timer_new(account->loop, on_beat, live, &live->beat)) {
        if (live)
            live_free(live);
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    }
    live->account = account;
    mt_em_account_retain(account);
    live->handlers = *handlers;
    live->ud = ud;
    live->ws = options->ws;
    live->lost_ms = options->last_ms;
    snprintf(live->device, sizeof live->device, "%s", account->device);
    account->live = live;
    mt_timer_start(live->beat, BEAT_MS, BEAT_MS);
    enter(live);
    return MT_OK;
}

void mt_em_live_stop(struct mt_provider_account *account)
{
    struct mt_em_live *live = account->live;

    if (!live)
        return;
    if (live->stage == MT_EM_LIVE_ONLINE)
        mt_em_live_send_logout(live);
    live->stage = MT_EM_LIVE_ENDED;
    mt_em_live_overdue(live);
    if (account->live != live)
        return; /* who was told of the end has stopped it */
    account->live = NULL;
    if (live->entering) {
        ((struct entering *)live->entering)->live = NULL;
        mt_call_cancel(live->entering);
    }
    for (struct mt_em_batch *batch = live->batches; batch; batch = batch->next)
        batch->live = NULL;
    live->batches = NULL;
    mt_em_live_queues_free(live);
    mt_timer_stop(live->timer);
    mt_timer_stop(live->beat);
    live->stopped = true;
    if (live->conn)
        mt_ws_conn_close(live->conn, 1000);
    live->conn = NULL;
    /* not at once: a handler of ours may be what called this */
    if (!live->conns_n && mt_loop_post(account->loop, live_free, live))
        mt_log(MT_LOG_WARN, "easemob", "%s: out of memory at the end of a session", account->name);
}

void mt_em_live_done(struct mt_provider_account *account, struct mt_event_batch *batch)
{
    struct mt_em_batch *whole = (struct mt_em_batch *)batch;
    struct mt_em_live *live = whole->live;

    (void)account;
    if (live)
        mt_em_live_batch_done(live, whole);
    else
        mt_em_live_batch_free(whole);
}

/* The life of the connection: navigation, WebSocket, greeting, rest after a loss (rongcloud.md 2.3
 * to 2.5). It is there while a live session wants it or a call needs it. */
#include "provider/rongcloud/account_int.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"
#include "http/http.h"
#include "loop/loop.h"
#include "provider/rongcloud/faults_int.h"
#include "provider/rongcloud/frame_int.h"
#include "provider/rongcloud/live_int.h"
#include "provider/session.h"
#include "ws/client.h"

#include <stdio.h>
#include <string.h>

#define DIAL_MS     5000  /* to reach open (2.3) */
#define GREETING_MS 10000 /* from there to the CONNACK; the SDK has no bound */
#define IDLE_MS     15000 /* without a live session it is closed when not needed for so long */
#define REFUSED_MS                                                                                 \
    60000 /* so long nobody is asked again who refused for another reason than the                 \
           * token, which stays as it is */
#define CALLS_MS      1000 /* how often the deadlines of calls are looked at */
#define URL_MAX       ((size_t)2048)
#define PATIENCE      5
#define REDIRECTS_MAX 5
#define SETTLED_MS    10000 /* who was online for so long may be redirected anew */

#define CODE_NO_SERVER  35008
#define CODE_NO_CONNACK 31000
#define CODE_LOST       30011
#define CODE_SILENT     30012

static void enter(struct mt_provider_account *account);
static void dial(struct mt_provider_account *account);

/* ---------------------------------------------------------------- who needs it */

static struct mt_rong_call *call_of(struct mt_provider_call *life)
{
    return (struct mt_rong_call *)life;
}

static bool needed(const struct mt_provider_account *account)
{
    const struct mt_provider_call *call = account->calls.first;

    while (call != NULL && call->cancelled)
        call = call->next;
    return !account->closed && (mt_rong_live_wants(account) || call != NULL);
}

bool mt_rong_ready(const struct mt_provider_account *account)
{
    return account->link.stage == MT_RONG_ONLINE;
}

bool mt_rong_refused(const struct mt_provider_account *account, struct mt_fault *fault)
{
    *fault = account->link.refused;
    return fault->kind != MT_OK && mt_clock_mono_ms() < account->link.refused_until_ms;
}

void mt_rong_want(struct mt_provider_account *account)
{
    struct mt_rong_link *link = &account->link;
    struct mt_fault fault;

    link->needed_ms = mt_clock_mono_ms();
    if (mt_rong_refused(account, &fault)) {
        mt_call_wake(&account->calls, fault.kind, &fault);
        return;
    }
    if (link->stage == MT_RONG_OFF) { /* at the next turn: nothing is called back from here */
        link->stage = MT_RONG_RESTING;
        mt_timer_start(link->timer, 0, 0);
    }
    mt_rong_beat_in(account, CALLS_MS);
}

/* ---------------------------------------------------------------- losing it */

static void drop(struct mt_provider_account *account)
{
    struct mt_rong_link *link = &account->link;
    struct mt_ws_conn *conn = link->conn;

    link->conn = NULL;
    mt_timer_stop(link->timer);
    mt_rong_navi_stop(account);
    mt_rong_token_stop(account);
    if (conn != NULL)
        mt_ws_conn_cut(conn); /* closed comes, and finds that it is not ours any more */
}

void mt_rong_off(struct mt_provider_account *account)
{
    struct mt_rong_link *link = &account->link;
    struct mt_ws_conn *conn = link->conn;

    link->stage = MT_RONG_OFF;
    link->attempts = 0;
    link->conn = NULL;
    mt_timer_stop(link->timer);
    mt_timer_stop(link->beat);
    link->beat_due_ms = 0;
    mt_rong_navi_stop(account);
    mt_rong_token_stop(account);
    if (conn != NULL)
        mt_ws_conn_close(conn, 1000);
    mt_rong_echoes_free(link);
}

void mt_rong_off_live(struct mt_provider_account *account)
{
    if (!needed(account))
        mt_rong_off(account);
    else
        account->link.needed_ms = mt_clock_mono_ms();
}

bool mt_rong_passing(const struct mt_fault *fault)
{
    return fault->kind == MT_ERR_NETWORK || fault->kind == MT_ERR_TIMEOUT ||
           fault->kind == MT_ERR_RATE || fault->kind == MT_ERR_REMOTE ||
           fault->kind == MT_ERR_NOMEM;
}

/* Calls that wait have seen one more attempt fail; those that endure no more are told. */
static void try_patience(struct mt_provider_account *account, const struct mt_fault *fault)
{
    struct mt_provider_call *call = account->calls.first;

    for (; call != NULL; call = call->next)
        if (call->waiting)
            call_of(call)->tries++;
    do {
        for (call = account->calls.first; call != NULL; call = call->next) {
            unsigned most = call_of(call)->patience;

            if (call->waiting && call_of(call)->tries >= (most > 0 ? most : PATIENCE))
                break;
        }
        if (call != NULL)
            mt_call_resume(call, fault->kind, fault);
    } while (call != NULL);
}

/* Until the next attempt, if anybody still needs one. */
static void rest(struct mt_provider_account *account, const struct mt_fault *fault)
{
    struct mt_rong_link *link = &account->link;

    link->stage = MT_RONG_RESTING;
    mt_timer_start(link->timer, mt_session_rest_ms(link->attempts++), 0);
    try_patience(account, fault);
    if (!needed(account) && link->stage == MT_RONG_RESTING)
        mt_rong_off(account);
}

void mt_rong_lose(struct mt_provider_account *account, const struct mt_fault *fault)
{
    struct mt_rong_link *link = &account->link;
    bool was_online = link->stage == MT_RONG_ONLINE;
    struct mt_fault copy = *fault;

    if (link->stage == MT_RONG_OFF || link->stage == MT_RONG_RESTING)
        return;
    mt_rong_account_retain(account);
    link->failed_in = link->stage;
    drop(account);
    mt_rong_echoes_free(link);
    mt_log(MT_LOG_DEBUG, "rongcloud", "%s: no connection: %s", account->name, copy.message);
    link->stage = MT_RONG_RESTING;
    if (was_online) {
        mt_rong_live_offline(account, &copy);
        mt_rong_wire_lost(account);
    }
    if (link->stage == MT_RONG_RESTING) /* nobody who was told has closed the account */
        rest(account, &copy);
    mt_rong_account_release(account);
}

void mt_rong_refuse(struct mt_provider_account *account, enum mt_event_type type,
                    const struct mt_fault *fault)
{
    struct mt_rong_link *link = &account->link;
    struct mt_fault copy = *fault;

    mt_rong_account_retain(account);
    link->failed_in = link->stage;
    drop(account);
    mt_rong_off(account);
    if (type != MT_EVENT_KICKED) { /* to ask again and again gets an account blocked */
        link->refused = copy;
        link->refused_until_ms =
            copy.kind == MT_ERR_AUTH ? INT64_MAX : mt_clock_mono_ms() + REFUSED_MS;
    }
    mt_rong_live_refused(account, type, &copy);
    mt_rong_wire_lost(account);
    mt_call_wake(&account->calls, copy.kind, &copy);
    if (link->stage == MT_RONG_OFF && needed(account)) /* one that was told has begun another */
        mt_rong_want(account);
    mt_rong_account_release(account);
}

static void failed(struct mt_provider_account *account, const struct mt_fault *fault)
{
    if (mt_rong_token_renew(account, fault)) { /* once more, with a new token */
        drop(account);
        enter(account);
    } else if (mt_rong_passing(fault))
        mt_rong_lose(account, fault);
    else
        mt_rong_refuse(account, MT_EVENT_ERROR, fault);
}

static void failed_with(struct mt_provider_account *account, int code)
{
    struct mt_fault fault;

    (void)mt_rong_fault(&fault, code, "login");
    mt_fault_prefix(&fault, "%s", account->name);
    failed(account, &fault);
}

void mt_rong_redirect(struct mt_provider_account *account)
{
    struct mt_rong_link *link = &account->link;
    bool was_online = link->stage == MT_RONG_ONLINE;
    struct mt_fault fault;

    if (was_online && mt_clock_mono_ms() - link->online_ms >= SETTLED_MS)
        link->redirects = 0;
    link->navigate = true;
    if (was_online || ++link->redirects > REDIRECTS_MAX) {
        (void)mt_rong_fault(&fault, mt_rong_disconnect_code(6), "login");
        mt_fault_prefix(&fault, "%s", account->name);
        link->redirects = 0;
        mt_rong_lose(account, &fault);
        return;
    }
    drop(account);
    enter(account);
}

/* ---------------------------------------------------------------- making it */

/* In the SDK's order (2.1). */
static enum mt_rc make_url(const struct mt_provider_account *account, struct mt_buf *out)
{
    const struct mt_rong_navi *navi = &account->navi;

    (void)mt_buf_appendf(out, "%s/websocket?appId=", navi->addresses[account->link.address_at]);
    (void)mt_http_escape(out, account->appkey);
    (void)mt_buf_append_str(out, "&token=");
    (void)mt_http_escape(out, mt_secret_bytes(account->opaque));
    (void)mt_buf_appendf(out,
                         "&sdkVer=" MT_RONG_SDK_VERSION "&pid=&deviceId=%s"
                         "&apiVer=browser%%7CChrome%%7C120.0.0.0&protocolVer=%u",
                         account->live != NULL ? account->device_id : account->visitor_id,
                         navi->version);
    return out->failed;
}

static void on_open(void *ud, struct mt_ws_conn *conn)
{
    struct mt_provider_account *account = ud;

    if (account->link.conn != conn)
        return;
    account->link.stage = MT_RONG_GREETING;
    mt_timer_start(account->link.timer, GREETING_MS, 0);
}

static void on_message(void *ud, struct mt_ws_conn *conn, bool binary, const void *p, size_t len)
{
    struct mt_provider_account *account = ud;

    if (account->link.conn != conn || !binary)
        return;
    account->link.heard_wall_ms = mt_clock_wall_ms();
    mt_rong_frame_in(account, p, len);
}

/* This address is of no use now: the next one, as the SDK does (2.3). */
static void next_address(struct mt_provider_account *account, const struct mt_fault *why)
{
    account->link.reason = *why;
    account->link.address_at++;
    dial(account);
}

static void on_closed(void *ud, struct mt_ws_conn *conn, uint16_t code,
                      const struct mt_fault *fault)
{
    struct mt_provider_account *account = ud;
    struct mt_rong_link *link = &account->link;
    struct mt_fault why;

    link->conns_n--;
    if (link->conn != conn)
        goto out;
    link->conn = NULL;
    mt_timer_stop(link->timer);
    if (fault != NULL)
        why = *fault;
    else
        (void)mt_fault_set(&why, MT_ERR_NETWORK, "live.closed",
                           "%s: the cloud closed the connection (%u)", account->name,
                           (unsigned)code);
    if (link->stage == MT_RONG_ONLINE) {
        why.provider_code = CODE_LOST;
        mt_rong_lose(account, &why);
    } else {
        next_address(account, &why);
    }
out:
    mt_rong_account_release(account);
}

static enum mt_rc have_client(struct mt_provider_account *account, struct mt_fault *fault)
{
    if (account->ws != NULL)
        return MT_OK;
    if (account->websockets == NULL)
        return mt_fault_set(fault, MT_ERR_STATE, "live.off",
                            "%s: the account is not live, and there is nothing to connect with",
                            account->name);
    return account->websockets(account->websockets_ud, &account->ws, fault);
}

static void no_server(struct mt_provider_account *account)
{
    struct mt_rong_link *link = &account->link;
    struct mt_fault fault;

    link->navigate = true; /* they may have moved */
    (void)mt_fault_set(&fault, MT_ERR_NETWORK, "live.no_server",
                       "%s: none of the cloud's servers can be reached (last: %.140s)",
                       account->name, link->reason.message);
    fault.provider_code = CODE_NO_SERVER;
    mt_rong_lose(account, &fault);
}

static void dial(struct mt_provider_account *account)
{
    static const struct mt_ws_conn_handlers handlers = {
        .open = on_open, .message = on_message, .closed = on_closed};
    struct mt_rong_link *link = &account->link;
    struct mt_fault fault = {.kind = MT_OK};
    struct mt_buf url;
    enum mt_rc rc = MT_OK;

    link->stage = MT_RONG_DIALING;
    if (link->address_at >= account->navi.addresses_n) {
        no_server(account);
        return;
    }
    mt_buf_init(&url, URL_MAX);
    rc = have_client(account, &fault);
    if (rc == MT_OK && make_url(account, &url) != MT_OK)
        rc = mt_fault_set(&fault, url.failed == MT_ERR_NOMEM ? MT_ERR_NOMEM : MT_ERR_INVALID,
                          "config.token", "%s: the token is longer than an address can hold",
                          account->name);
    if (rc == MT_OK)
        rc = mt_ws_conn_open(account->ws,
                             &(struct mt_ws_conn_options){.url = url.data,
                                                          .connect_timeout_ms = DIAL_MS,
                                                          .ping_ms = -1,
                                                          .max_message_bytes = MT_RONG_FRAME_MAX},
                             &handlers, account, &link->conn, &fault);
    if (url.data != NULL)
        explicit_bzero(url.data, url.len);
    mt_buf_deinit(&url);
    if (rc == MT_OK) {
        link->conns_n++;
        mt_rong_account_retain(account);
        return;
    }
    link->conn = NULL;
    if (rc == MT_ERR_INVALID && strcmp(fault.code, "config.token") != 0)
        next_address(account, &fault); /* ws:// to another machine, or no address at all */
    else
        failed(account, &fault);
}

void mt_rong_navigated(struct mt_provider_account *account, enum mt_rc rc,
                       const struct mt_fault *fault)
{
    if (rc != MT_OK) {
        failed(account, fault);
        return;
    }
    account->link.address_at = 0;
    dial(account);
}

void mt_rong_tokened(struct mt_provider_account *account, enum mt_rc rc,
                     const struct mt_fault *fault)
{
    if (rc != MT_OK) {
        failed(account, fault);
        return;
    }
    account->link.stage = MT_RONG_NAVIGATING;
    mt_rong_navigate(account);
}

static void enter(struct mt_provider_account *account)
{
    if (account->token == NULL) {
        account->link.stage = MT_RONG_TOKEN;
        mt_rong_token_ask(account);
        return;
    }
    mt_rong_tokened(account, MT_OK, NULL);
}

/* ---------------------------------------------------------------- the greeting */

static bool same_user(const struct mt_provider_account *account, const struct mt_rong_frame *frame)
{
    return !(frame->has & MT_RONG_HAS_USER) || frame->user.len == 0 ||
           (frame->user.len == strlen(account->user) &&
            memcmp(frame->user.s, account->user, frame->user.len) == 0);
}

static void online(struct mt_provider_account *account, const struct mt_rong_frame *frame)
{
    struct mt_rong_link *link = &account->link;

    link->stage = MT_RONG_ONLINE;
    link->attempts = 0;
    link->renewed = false;
    link->last_id = frame->has & MT_RONG_HAS_FIRST_ID ? frame->first_id : 0;
    link->online_ms = link->needed_ms = mt_clock_mono_ms();
    mt_cloud_clock_heard(&link->clock, frame->time_ms);
    mt_timer_stop(link->timer);
    link->pings_n = 0;
    mt_rong_ping(account); /* at once, before anything else (2.3) */
    mt_rong_account_retain(account);
    mt_rong_live_online(account);
    if (link->stage == MT_RONG_ONLINE)
        mt_call_wake(&account->calls, MT_OK, NULL);
    mt_rong_account_release(account);
}

void mt_rong_greeted(struct mt_provider_account *account, const struct mt_rong_frame *frame)
{
    int code = mt_rong_connack_code(frame->status);
    struct mt_fault fault;

    if (account->link.stage != MT_RONG_GREETING)
        return;
    if (frame->status == 6) {
        mt_rong_redirect(account);
    } else if (code != 0) {
        failed_with(account, code);
    } else if (!same_user(account, frame)) {
        (void)mt_fault_set(&fault, MT_ERR_AUTH, "auth.token_rejected",
                           "%s: the token is of user '%.*s': check user and token", account->name,
                           frame->user.len < MT_RONG_USER_MAX ? (int)frame->user.len : 0,
                           frame->user.s);
        fault.provider_code = mt_rong_connack_code(4);
        failed(account, &fault);
    } else {
        online(account, frame);
    }
}

int64_t mt_rong_cloud_ms(const struct mt_provider_account *account)
{
    return mt_cloud_clock_now_ms(&account->link.clock);
}

/* ---------------------------------------------------------------- clocks */

static void on_timer(void *ud)
{
    struct mt_provider_account *account = ud;
    struct mt_fault fault;

    switch (account->link.stage) {
    case MT_RONG_RESTING:
        if (needed(account))
            enter(account);
        else
            mt_rong_off(account);
        break;
    case MT_RONG_GREETING:
        (void)mt_rong_fault(&fault, CODE_NO_CONNACK, "login");
        drop(account);
        next_address(account, &fault);
        break;
    default:
        break;
    }
}

void mt_rong_beat_in(struct mt_provider_account *account, int64_t ms)
{
    struct mt_rong_link *link = &account->link;
    int64_t due = mt_clock_mono_ms() + (ms > 0 ? ms : 1);

    if (link->beat_due_ms != 0 && link->beat_due_ms <= due)
        return;
    link->beat_due_ms = due;
    mt_timer_start(link->beat, ms > 0 ? ms : 1, 0);
}

static void on_beat(void *ud)
{
    struct mt_provider_account *account = ud;
    struct mt_rong_link *link = &account->link;
    int64_t now = mt_clock_mono_ms();

    link->beat_due_ms = 0;
    mt_rong_account_retain(account);
    mt_rong_wire_overdue(account, now);
    if (link->stage == MT_RONG_ONLINE && now >= link->ping_due_ms) {
        if (link->pings_n >= 2)
            failed_with(account, CODE_SILENT);
        else
            mt_rong_ping(account);
    }
    if (needed(account))
        link->needed_ms = now;
    else if (link->stage == MT_RONG_ONLINE && now - link->needed_ms >= IDLE_MS)
        mt_rong_off(account);
    if (account->calls.first != NULL && link->stage != MT_RONG_OFF)
        mt_rong_beat_in(account, CALLS_MS);
    if (link->stage == MT_RONG_ONLINE) {
        int64_t left = link->ping_due_ms - now;

        mt_rong_beat_in(account, needed(account) || left < IDLE_MS / 3 ? left : IDLE_MS / 3);
    }
    mt_rong_account_release(account);
}

enum mt_rc mt_rong_link_init(struct mt_provider_account *account)
{
    enum mt_rc rc = mt_timer_new(account->loop, on_timer, account, &account->link.timer);

    return rc == MT_OK ? mt_timer_new(account->loop, on_beat, account, &account->link.beat) : rc;
}

void mt_rong_link_deinit(struct mt_provider_account *account)
{
    mt_timer_free(account->link.timer);
    mt_timer_free(account->link.beat);
    mt_rong_echoes_free(&account->link);
    mt_rong_navi_free(&account->navi);
}

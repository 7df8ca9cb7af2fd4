/* See cloud.h. */
#include "cloud.h"

#include "../ids.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "codec/json.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

extern const struct mt_provider mt_provider_easemob;

/* One server's side of a connection. */
struct visit {
    struct cloud *cloud;
    size_t open;
};

static void copy(char *out, size_t size, const char *text)
{
    snprintf(out, size, "%s", text ? text : "");
}

/* ---------------------------------------------------------------- what comes */

static void note_provision(struct cloud_open *open, const Easemob__Pb__MSync *frame)
{
    Easemob__Pb__Provision *provision =
        easemob__pb__provision__unpack(NULL, frame->payload.len, frame->payload.data);
    struct mt_json *root = NULL;

    assert_non_null(provision);
    assert_int_equal(
        mt_json_parse(provision->authtoken, strlen(provision->authtoken), 4096, &root, NULL),
        MT_OK);
    copy(open->token, sizeof open->token, mt_json_str(mt_json_get(root, "token")) + 3);
    copy(open->resource, sizeof open->resource, provision->resource);
    mt_json_free(root);
    easemob__pb__provision__free_unpacked(provision, NULL);
}

static void on_message(void *ud, struct mt_ws_peer *peer, void *peer_ud, bool binary, const void *p,
                       size_t len)
{
    struct visit *visit = peer_ud;
    struct cloud *cloud = visit->cloud;
    Easemob__Pb__MSync *frame = easemob__pb__msync__unpack(NULL, len, p);

    (void)ud;
    assert_true(binary && frame != NULL);
    switch ((int)frame->command) {
    case EASEMOB__PB__MSYNC__COMMAND__PROVISION:
        note_provision(&cloud->opens[visit->open], frame);
        break;
    case EASEMOB__PB__MSYNC__COMMAND__UNREAD:
        cloud->unreads_n++;
        break;
    case EASEMOB__PB__MSYNC__COMMAND__SYNC:
        cloud->pulls_n++;
        break;
    case EASEMOB__PB__MSYNC__COMMAND__LOGOUT:
        cloud->logouts_n++;
        copy(cloud->logout_resource, sizeof cloud->logout_resource, frame->guid->clientresource);
        break;
    default:
        break;
    }
    (cloud->answer ? cloud->answer : cloud_agree)(cloud, peer, frame);
    easemob__pb__msync__free_unpacked(frame, NULL);
}

static bool on_open(void *ud, struct mt_ws_peer *peer, const char *path, const char *query,
                    void **peer_ud)
{
    struct cloud *cloud = ud;
    struct visit *visit = malloc(sizeof *visit);

    (void)query;
    assert_string_equal(path, "/some/websocket");
    assert_true(visit != NULL && cloud->opens_n < CLOUD_OPENS);
    *visit = (struct visit){cloud, cloud->opens_n};
    cloud->opens[cloud->opens_n++] = (struct cloud_open){.at_ms = mt_clock_mono_ms()};
    cloud->open_now_n++;
    cloud->peer = peer;
    *peer_ud = visit;
    return true;
}

static bool on_open_there(void *ud, struct mt_ws_peer *peer, const char *path, const char *query,
                          void **peer_ud)
{
    struct cloud *cloud = ud;
    bool taken = on_open(ud, peer, path, query, peer_ud);

    cloud->opens[cloud->opens_n - 1].server = 1;
    return taken;
}

static void on_closed(void *ud, struct mt_ws_peer *peer, void *peer_ud)
{
    struct cloud *cloud = ud;
    struct visit *visit = peer_ud;

    cloud->opens[visit->open].closed_ms = mt_clock_mono_ms();
    cloud->open_now_n--;
    if (cloud->peer == peer)
        cloud->peer = NULL;
    free(visit);
}

static void on_request(void *ud, struct mt_ws_exchange *exchange,
                       const struct mt_ws_request *request)
{
    struct cloud *cloud = ud;
    char body[128];
    struct mt_ws_answer answer = {.status = cloud->token_status ? cloud->token_status : 200};

    assert_string_equal(request->path, "/org/app/token");
    snprintf(body, sizeof body, "{\"access_token\":\"token-%zu\",\"expires_in\":5184000}",
             ++cloud->logins_n);
    answer.body = answer.status == 200 ? body : "{}";
    answer.body_len = strlen(answer.body);
    mt_ws_answer(exchange, &answer);
}

/* ---------------------------------------------------------------- what is said */

void cloud_send(struct mt_ws_peer *peer, int command, const void *payload, size_t len)
{
    Easemob__Pb__MSync frame = EASEMOB__PB__MSYNC__INIT;

    frame.has_command = true;
    frame.command = (Easemob__Pb__MSync__Command)command;
    frame.has_payload = true;
    frame.payload.data = (uint8_t *)(uintptr_t)payload;
    frame.payload.len = len;
    uint8_t *bytes = malloc(easemob__pb__msync__get_packed_size(&frame));
    assert_non_null(bytes);
    (void)mt_ws_peer_send(peer, true, bytes, easemob__pb__msync__pack(&frame, bytes));
    free(bytes);
}

void cloud_provision(struct cloud *cloud, struct mt_ws_peer *peer, int code, const char *reason,
                     const char *host, unsigned port)
{
    Easemob__Pb__Provision answer = EASEMOB__PB__PROVISION__INIT;
    Easemob__Pb__Status status = EASEMOB__PB__STATUS__INIT;
    Easemob__Pb__RedirectInfo info = EASEMOB__PB__REDIRECT_INFO__INIT;
    Easemob__Pb__RedirectInfo *infos[1] = {&info};
    uint8_t bytes[1024];
    char text[64];

    status.has_errorcode = true;
    status.errorcode = (Easemob__Pb__Status__ErrorCode)code;
    status.reason = (char *)(uintptr_t)reason;
    info.host = (char *)(uintptr_t)host;
    info.has_port = port > 0;
    info.port = port;
    status.redirectinfo = infos;
    status.n_redirectinfo = host ? 1 : 0;
    answer.status = &status;
    answer.resource = (char *)(uintptr_t)cloud->resource;
    snprintf(text, sizeof text, "{\"expires_in\":%" PRId64 "}",
             mt_clock_wall_ms() + cloud->expires_in_ms);
    answer.authtoken = cloud->expires_in_ms ? text : NULL;
    cloud_send(peer, EASEMOB__PB__MSYNC__COMMAND__PROVISION, bytes,
               easemob__pb__provision__pack(&answer, bytes));
}

static void jid_of(Easemob__Pb__JID *jid, const char *name)
{
    static const char key[] = "org#app", domain[] = "easemob.com";

    easemob__pb__jid__init(jid);
    jid->appkey = (char *)(uintptr_t)key;
    jid->domain = (char *)(uintptr_t)domain;
    jid->name = (char *)(uintptr_t)name;
}

void cloud_unread(struct mt_ws_peer *peer, const char *const *queues, size_t n)
{
    Easemob__Pb__CommUnreadDL answer = EASEMOB__PB__COMM_UNREAD_DL__INIT;
    Easemob__Pb__MetaQueue *items = calloc(n + 1, sizeof *items);
    Easemob__Pb__MetaQueue **list = calloc(n + 1, sizeof(Easemob__Pb__MetaQueue *));
    Easemob__Pb__JID *jids = calloc(n + 1, sizeof *jids);

    assert_true(items != NULL && list != NULL && jids != NULL);
    for (size_t i = 0; i < n; i++) {
        easemob__pb__meta_queue__init(&items[i]);
        jid_of(&jids[i], queues[i]);
        items[i].queue = &jids[i];
        list[i] = &items[i];
    }
    answer.unread = list;
    answer.n_unread = n;
    uint8_t *bytes = malloc(easemob__pb__comm_unread_dl__get_packed_size(&answer) + 1);
    assert_non_null(bytes);
    cloud_send(peer, EASEMOB__PB__MSYNC__COMMAND__UNREAD, bytes,
               easemob__pb__comm_unread_dl__pack(&answer, bytes));
    free(bytes);
    free(items);
    free(list);
    free(jids);
}

void cloud_notice(struct mt_ws_peer *peer, const char *queue, const char *resource)
{
    Easemob__Pb__CommNotice notice = EASEMOB__PB__COMM_NOTICE__INIT;
    Easemob__Pb__JID jid;
    uint8_t bytes[512];

    jid_of(&jid, queue);
    jid.clientresource = (char *)(uintptr_t)resource;
    notice.queue = &jid;
    cloud_send(peer, EASEMOB__PB__MSYNC__COMMAND__NOTICE, bytes,
               easemob__pb__comm_notice__pack(&notice, bytes));
}

static void send_dl(struct mt_ws_peer *peer, const Easemob__Pb__CommSyncDL *dl)
{
    uint8_t *bytes = malloc(easemob__pb__comm_sync_dl__get_packed_size(dl) + 1);

    assert_non_null(bytes);
    cloud_send(peer, EASEMOB__PB__MSYNC__COMMAND__SYNC, bytes,
               easemob__pb__comm_sync_dl__pack(dl, bytes));
    free(bytes);
}

/* Fills one meta of a text message; the caller frees its payload. */
static void meta_of(Easemob__Pb__Meta *meta, Easemob__Pb__JID *from, uint64_t id)
{
    Easemob__Pb__MessageBody body = EASEMOB__PB__MESSAGE_BODY__INIT;
    Easemob__Pb__MessageBody__Content content = EASEMOB__PB__MESSAGE_BODY__CONTENT__INIT;
    Easemob__Pb__MessageBody__Content *contents[1] = {&content};
    Easemob__Pb__JID to;
    char text[] = "hello";

    easemob__pb__meta__init(meta);
    jid_of(&to, "alice");
    content.has_type = true;
    content.has_text = true;
    content.text = (ProtobufCBinaryData){sizeof text - 1, (uint8_t *)text};
    body.has_type = true;
    body.type = EASEMOB__PB__MESSAGE_BODY__TYPE__CHAT;
    body.from = from;
    body.to = &to;
    body.contents = contents;
    body.n_contents = 1;
    meta->has_id = true;
    meta->id = id;
    meta->from = from;
    meta->has_ns = true;
    meta->ns = EASEMOB__PB__META__NAME_SPACE__CHAT;
    meta->has_timestamp = true;
    meta->timestamp = 1700000000000;
    meta->has_payload = true;
    meta->payload.data = malloc(easemob__pb__message_body__get_packed_size(&body));
    assert_non_null(meta->payload.data);
    meta->payload.len = easemob__pb__message_body__pack(&body, meta->payload.data);
}

void cloud_batch(struct mt_ws_peer *peer, const char *queue, const uint64_t *ids, size_t n,
                 uint64_t next_key)
{
    Easemob__Pb__CommSyncDL dl = EASEMOB__PB__COMM_SYNC_DL__INIT;
    Easemob__Pb__Meta metas[16];
    Easemob__Pb__Meta *list[16];
    Easemob__Pb__JID jid;

    assert_true(n <= 16);
    jid_of(&jid, queue);
    for (size_t i = 0; i < n; i++) {
        meta_of(&metas[i], &jid, ids[i]);
        list[i] = &metas[i];
    }
    dl.metas = list;
    dl.n_metas = n;
    dl.queue = &jid;
    dl.has_nextkey = next_key != 0;
    dl.nextkey = next_key;
    dl.has_islast = true;
    dl.islast = n == 0;
    send_dl(peer, &dl);
    for (size_t i = 0; i < n; i++)
        free(metas[i].payload.data);
}

void cloud_statistic(struct mt_ws_peer *peer, int operation, const char *reason)
{
    Easemob__Pb__CommSyncDL dl = EASEMOB__PB__COMM_SYNC_DL__INIT;
    Easemob__Pb__StatisticsBody body = EASEMOB__PB__STATISTICS_BODY__INIT;
    Easemob__Pb__Meta meta = EASEMOB__PB__META__INIT;
    Easemob__Pb__Meta *list[1] = {&meta};
    uint8_t bytes[256];

    body.has_operation = true;
    body.operation = (Easemob__Pb__StatisticsBody__Operation)operation;
    body.reason = (char *)(uintptr_t)reason;
    meta.has_id = true;
    meta.id = 77;
    meta.has_ns = true;
    meta.has_payload = true;
    meta.payload.data = bytes;
    meta.payload.len = easemob__pb__statistics_body__pack(&body, bytes);
    dl.metas = list;
    dl.n_metas = 1;
    send_dl(peer, &dl);
}

void cloud_agree(struct cloud *cloud, struct mt_ws_peer *peer, const Easemob__Pb__MSync *frame)
{
    if (frame->command == EASEMOB__PB__MSYNC__COMMAND__PROVISION)
        cloud_provision(cloud, peer, 0, NULL, NULL, 0);
    else if (frame->command == EASEMOB__PB__MSYNC__COMMAND__UNREAD)
        cloud_unread(peer, NULL, 0);
}

/* ---------------------------------------------------------------- the account */

static void on_batch(void *ud, struct mt_event_batch *batch)
{
    struct cloud *cloud = ud;

    for (size_t i = 0; i < batch->n; i++) {
        const struct mt_event *event = &batch->events[i];
        struct cloud_event *out = &cloud->events[cloud->events_n++];
        assert_true(cloud->events_n < CLOUD_EVENTS);
        *out = (struct cloud_event){.type = event->type,
                                    .provider_code = event->fault.provider_code,
                                    .id = id_number(event->message.id),
                                    .at_ms = mt_clock_mono_ms()};
        copy(out->code, sizeof out->code, event->fault.code);
    }
    mt_provider_easemob.live->done(cloud->account, batch);
}

static void on_ended(void *ud, const struct mt_fault *fault)
{
    (void)fault;
    ((struct cloud *)ud)->ended_n++;
}

static void silent(void *ud, enum mt_log_level level, const char *line)
{
    (void)ud;
    (void)level;
    (void)line;
}

uint16_t cloud_port(const struct cloud *cloud, int server)
{
    return mt_ws_server_port(cloud->servers[server]);
}

static void on_step(void *ud)
{
    struct cloud *cloud = ud;

    if (cloud->done && cloud->done(cloud))
        mt_loop_stop(cloud->loop);
}

static void on_until(void *ud)
{
    mt_loop_stop(((struct cloud *)ud)->loop);
}

void cloud_begin(struct cloud *cloud, const char *token, const char *password)
{
    struct mt_ws_server_options server = {.host = "127.0.0.1"};
    struct mt_ws_server_handlers handlers = {
        .request = on_request, .open = on_open, .message = on_message, .closed = on_closed};
    struct mt_ws_client_options client = {.https_proxy = "", .connects_per_second = 1000};
    struct mt_secret *token_secret = token ? mt_secret_new(token, strlen(token)) : NULL;
    struct mt_secret *password_secret = password ? mt_secret_new(password, strlen(password)) : NULL;
    char rest[64], websocket[64];
    struct mt_fault fault;

    memset(cloud, 0, sizeof *cloud);
    mt_log_sink_set(silent, NULL);
    mt_clock_seam_speed(CLOUD_SPEED);
    assert_int_equal(mt_loop_new(&cloud->loop), MT_OK);
    assert_int_equal(mt_http_new(cloud->loop, NULL, &cloud->http, &fault), MT_OK);
    assert_int_equal(mt_ws_client_new(cloud->loop, &client, &cloud->ws, &fault), MT_OK);
    assert_int_equal(
        mt_ws_server_new(cloud->loop, &server, &handlers, cloud, &cloud->servers[0], &fault),
        MT_OK);
    handlers.open = on_open_there;
    assert_int_equal(
        mt_ws_server_new(cloud->loop, &server, &handlers, cloud, &cloud->servers[1], &fault),
        MT_OK);
    assert_int_equal(mt_timer_new(cloud->loop, on_until, cloud, &cloud->until), MT_OK);
    assert_int_equal(mt_timer_new(cloud->loop, on_step, cloud, &cloud->step), MT_OK);
    snprintf(rest, sizeof rest, "http://127.0.0.1:%u", (unsigned)cloud_port(cloud, 0));
    snprintf(websocket, sizeof websocket, "ws://127.0.0.1:%u/some/websocket",
             (unsigned)cloud_port(cloud, 0));
    struct mt_account_config config = {.name = "test",
                                       .appkey = "org#app",
                                       .user = "alice",
                                       .token = token_secret,
                                       .password = password_secret,
                                       .rest = rest,
                                       .websocket = websocket,
                                       .rate_per_s = -1};
    assert_int_equal(
        mt_provider_easemob.open(cloud->loop, cloud->http, &config, &cloud->account, &fault),
        MT_OK);
    mt_secret_free(token_secret);
    mt_secret_free(password_secret);
}

void cloud_live(struct cloud *cloud)
{
    static const struct mt_live_handlers handlers = {on_batch, on_ended};
    struct mt_live_options options = {.ws = cloud->ws};
    struct mt_fault fault;

    assert_int_equal(
        mt_provider_easemob.live->start(cloud->account, &options, &handlers, cloud, &fault), MT_OK);
}

void cloud_end(struct cloud *cloud)
{
    mt_provider_easemob.close(cloud->account);
    mt_timer_free(cloud->until);
    mt_timer_free(cloud->step);
    mt_ws_client_free(cloud->ws);
    mt_http_free(cloud->http);
    mt_ws_server_free(cloud->servers[0]);
    mt_ws_server_free(cloud->servers[1]);
    assert_int_equal(mt_loop_free(cloud->loop), MT_OK);
    mt_clock_seam_speed(1);
    mt_log_sink_set(NULL, NULL);
}

void cloud_run(struct cloud *cloud, bool (*done)(struct cloud *cloud), int64_t ms)
{
    cloud->done = done;
    mt_timer_start(cloud->until, ms, 0);
    mt_timer_start(cloud->step, 100, 100);
    mt_loop_run(cloud->loop);
    mt_timer_stop(cloud->step);
    mt_timer_stop(cloud->until);
    if (done && !done(cloud))
        fail_msg("it did not come to pass within %" PRId64 " ms of the cloud's time", ms);
}

size_t cloud_count(const struct cloud *cloud, enum mt_event_type type)
{
    size_t n = 0;

    for (size_t i = 0; i < cloud->events_n; i++)
        n += cloud->events[i].type == type;
    return n;
}

const struct cloud_event *cloud_last(const struct cloud *cloud, enum mt_event_type type)
{
    for (size_t i = cloud->events_n; i > 0; i--)
        if (cloud->events[i - 1].type == type)
            return &cloud->events[i - 1];
    return NULL;
}

/* See cloud.h. */
#include "cloud.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"

#include "rongcloud.pb-c.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TEXTS_MAX 64

struct visit {
    struct cloud *cloud;
    size_t open;
};

static char *unconst(const char *s)
{
    return (char *)(uintptr_t)s;
}

static struct mt_rong_text text_of(const char *s)
{
    return (struct mt_rong_text){.s = s, .len = strlen(s)};
}

static unsigned version(const struct cloud *cloud)
{
    return cloud->flags != NULL && strstr(cloud->flags, "\"openAnti\":1") != NULL ? 4 : 3;
}

/* ---------------------------------------------------------------- what is said */

void cloud_send(struct cloud *cloud, struct mt_ws_peer *peer, const struct mt_rong_frame *frame)
{
    struct mt_buf out;

    mt_buf_init(&out, (size_t)1 << 20);
    assert_int_equal(mt_rong_frame_pack(frame, MT_RONG_DOWN, version(cloud), &out), MT_OK);
    (void)mt_ws_peer_send(peer, true, out.data, out.len);
    mt_buf_deinit(&out);
}

void cloud_queryack(struct cloud *cloud, struct mt_ws_peer *peer, uint16_t id, unsigned status,
                    const void *payload, size_t len)
{
    cloud_send(cloud, peer,
               &(struct mt_rong_frame){.type = MT_RONG_QUERYACK,
                                       .qos = 1,
                                       .id = id,
                                       .seconds = (uint32_t)(mt_clock_wall_ms() / 1000),
                                       .status = (uint16_t)status,
                                       .payload = payload,
                                       .payload_len = len});
}

void cloud_puback(struct cloud *cloud, struct mt_ws_peer *peer, uint16_t id, unsigned status,
                  const char *uid)
{
    cloud_send(cloud, peer,
               &(struct mt_rong_frame){.type = MT_RONG_PUBACK,
                                       .id = id,
                                       .seconds = 1800000000,
                                       .millis = 191,
                                       .status = (uint16_t)status,
                                       .uid = text_of(uid)});
}

void cloud_push(struct cloud *cloud, struct mt_ws_peer *peer, const char *topic,
                const void *payload, size_t len)
{
    cloud_send(cloud, peer,
               &(struct mt_rong_frame){.type = MT_RONG_PUBLISH,
                                       .qos = 1,
                                       .id = (uint16_t)(900 + ++cloud->step_n),
                                       .topic = text_of(topic),
                                       .target = text_of("alice"),
                                       .payload = payload,
                                       .payload_len = len});
}

void cloud_notify(struct cloud *cloud, struct mt_ws_peer *peer, const char *topic, int type,
                  int64_t time_ms)
{
    Rongcloud__NotifyMsg notice = RONGCLOUD__NOTIFY_MSG__INIT;
    uint8_t bytes[64];

    notice.type = type;
    notice.has_time = time_ms != 0;
    notice.time = time_ms;
    cloud_push(cloud, peer, topic, bytes, rongcloud__notify_msg__pack(&notice, bytes));
}

void cloud_disconnect(struct cloud *cloud, struct mt_ws_peer *peer, unsigned status)
{
    cloud_send(cloud, peer,
               &(struct mt_rong_frame){.type = MT_RONG_DISCONNECT, .status = (uint16_t)status});
}

static void fill(const struct cloud_text *text, Rongcloud__DownStreamMessage *out, char *content,
                 size_t cap)
{
    static const char bob[] = "bob", name[] = "RC:TxtMsg";

    rongcloud__down_stream_message__init(out);
    snprintf(content, cap, "{\"content\":\"%s\"}", text->text);
    out->fromuserid = unconst(bob);
    out->type = RONGCLOUD__CHANNEL_TYPE__CT_PERSON;
    out->classname = unconst(name);
    out->content = (ProtobufCBinaryData){strlen(content), (uint8_t *)content};
    out->datatime = text->time_ms;
    out->status = 48;
    out->msgid = unconst(text->id);
    out->has_direction = text->sent;
    out->direction = 1;
}

size_t cloud_text_pack(const struct cloud_text *text, uint8_t *out, size_t cap)
{
    Rongcloud__DownStreamMessage message;
    char content[256];

    fill(text, &message, content, sizeof content);
    assert_true(rongcloud__down_stream_message__get_packed_size(&message) <= cap);
    return rongcloud__down_stream_message__pack(&message, out);
}

void cloud_pulled(struct cloud *cloud, struct mt_ws_peer *peer, uint16_t id,
                  const struct cloud_text *texts, size_t n, int64_t sync_ms, bool finished)
{
    Rongcloud__DownStreamMessages pull = RONGCLOUD__DOWN_STREAM_MESSAGES__INIT;
    Rongcloud__DownStreamMessage messages[TEXTS_MAX];
    Rongcloud__DownStreamMessage *list[TEXTS_MAX];
    char contents[TEXTS_MAX][128];

    assert_true(n <= TEXTS_MAX);
    for (size_t i = 0; i < n; i++) {
        fill(&texts[i], &messages[i], contents[i], sizeof contents[i]);
        list[i] = &messages[i];
    }
    pull.list = list;
    pull.n_list = n;
    pull.synctime = sync_ms;
    pull.has_finished = true;
    pull.finished = finished;
    uint8_t *bytes = malloc(rongcloud__down_stream_messages__get_packed_size(&pull) + 1);
    assert_non_null(bytes);
    cloud_queryack(cloud, peer, id, 0, bytes, rongcloud__down_stream_messages__pack(&pull, bytes));
    free(bytes);
}

static bool is_topic(const struct mt_rong_frame *frame, const char *topic)
{
    return frame->topic.len == strlen(topic) &&
           memcmp(frame->topic.s, topic, frame->topic.len) == 0;
}

/* What every cloud answers when nothing has happened. */
static void agree(struct cloud *cloud, struct mt_ws_peer *peer, const struct mt_rong_frame *frame)
{
    Rongcloud__SessionStates states = RONGCLOUD__SESSION_STATES__INIT;
    Rongcloud__EventChangeList changes = RONGCLOUD__EVENT_CHANGE_LIST__INIT;
    uint8_t bytes[64];
    size_t len = 0;

    if (frame->type == MT_RONG_PUBLISH) {
        cloud_puback(cloud, peer, frame->id, 0, "AAAA-BBBB-CCCC-DDDD");
        return;
    }
    if (is_topic(frame, "pullMsg") || is_topic(frame, "pullUgMsg")) {
        cloud_pulled(cloud, peer, frame->id, NULL, 0, 1000, true);
        return;
    }
    states.version = 500;
    changes.synctime = 600;
    if (is_topic(frame, "pullSeAtts"))
        len = rongcloud__session_states__pack(&states, bytes);
    else if (is_topic(frame, "pullEventChange") || is_topic(frame, "qryMsgChange"))
        len = rongcloud__event_change_list__pack(&changes, bytes);
    cloud_queryack(cloud, peer, frame->id, 0, bytes, len);
}

/* ---------------------------------------------------------------- what comes */

static void note(struct cloud *cloud, const struct visit *visit, const struct mt_rong_frame *frame)
{
    struct cloud_frame *out = &cloud->frames[cloud->frames_n++];

    assert_true(cloud->frames_n < CLOUD_FRAMES);
    *out = (struct cloud_frame){.type = frame->type,
                                .qos = frame->qos,
                                .id = frame->id,
                                .payload_len = frame->payload_len,
                                .open = visit->open,
                                .at_ms = mt_clock_mono_ms()};
    snprintf(out->topic, sizeof out->topic, "%.*s", (int)frame->topic.len, frame->topic.s);
    snprintf(out->target, sizeof out->target, "%.*s", (int)frame->target.len, frame->target.s);
}

static void on_message(void *ud, struct mt_ws_peer *peer, void *peer_ud, bool binary, const void *p,
                       size_t len)
{
    struct visit *visit = peer_ud;
    struct cloud *cloud = visit->cloud;
    struct mt_rong_frame frame;

    (void)ud;
    assert_true(binary);
    assert_int_equal(mt_rong_frame_parse(p, len, MT_RONG_UP, version(cloud), &frame), MT_OK);
    note(cloud, visit, &frame);
    if (frame.type == MT_RONG_PINGREQ && !cloud->mute)
        cloud_send(cloud, peer, &(struct mt_rong_frame){.type = MT_RONG_PINGRESP});
    if ((frame.type == MT_RONG_QUERY || frame.type == MT_RONG_PUBLISH) &&
        (cloud->answer == NULL || !cloud->answer(cloud, peer, &frame)))
        agree(cloud, peer, &frame);
}

static void greet(struct cloud *cloud, struct mt_ws_peer *peer)
{
    struct mt_rong_frame frame = {.type = MT_RONG_CONNACK,
                                  .status = (uint16_t)cloud->connack,
                                  .greets = cloud->connack == 0,
                                  .has = MT_RONG_HAS_USER | MT_RONG_HAS_SESSION | MT_RONG_HAS_TIME,
                                  .user = text_of(cloud->user),
                                  .session = text_of("session-1"),
                                  .time_ms = mt_clock_wall_ms()};

    if (cloud->connack == 255)
        return;
    if (cloud->first_id != 0) {
        frame.has |= MT_RONG_HAS_FIRST_ID;
        frame.first_id = cloud->first_id;
    }
    cloud_send(cloud, peer, &frame);
    if (cloud->greeted != NULL)
        cloud->greeted(cloud, peer);
}

static bool on_open(void *ud, struct mt_ws_peer *peer, const char *path, const char *query,
                    void **peer_ud)
{
    struct cloud *cloud = ud;
    struct visit *visit = malloc(sizeof *visit);
    struct cloud_open *open = &cloud->opens[cloud->opens_n];

    assert_string_equal(path, "/websocket");
    assert_true(visit != NULL && cloud->opens_n < CLOUD_OPENS);
    *visit = (struct visit){cloud, cloud->opens_n++};
    open->at_ms = mt_clock_mono_ms();
    snprintf(open->query, sizeof open->query, "%s", query);
    cloud->open_now_n++;
    cloud->peer = peer;
    *peer_ud = visit;
    greet(cloud, peer);
    return true;
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
    char body[1024];
    struct mt_ws_answer answer = {.status = cloud->navi_status != 0 ? cloud->navi_status : 200};

    assert_string_equal(request->method, "POST");
    assert_string_equal(request->path, "/v2/navi.json");
    assert_string_equal(request->query, "cloud=0");
    cloud->navis_n++;
    snprintf(cloud->navi_request, sizeof cloud->navi_request, "%.*s", (int)request->body_len,
             (const char *)request->body);
    snprintf(cloud->navi_headers, sizeof cloud->navi_headers, "%s|%s|%s",
             mt_ws_request_header(request, "RC-Appkey"),
             mt_ws_request_header(request, "RC-Negotiate"), request->content_type);
    snprintf(body, sizeof body,
             "{\"code\":200,\"userId\":\"alice\",\"serverAddr\":[{\"protocol\":5,"
             "\"addr\":\"127.0.0.1:%u\",\"weight\":1}],\"type\":0%s%s}",
             (unsigned)mt_ws_server_port(cloud->server), cloud->flags != NULL ? "," : "",
             cloud->flags != NULL ? cloud->flags : "");
    answer.body = cloud->navi_body != NULL ? cloud->navi_body : body;
    answer.body_len = strlen(answer.body);
    mt_ws_answer(exchange, &answer);
}

/* ---------------------------------------------------------------- the account */

static int64_t int_of(const struct mt_value *data, const char *key)
{
    const struct mt_value *v = mt_value_get(data, key);
    return v != NULL && v->type == MT_VALUE_INT ? v->i : 0;
}

static void on_batch(void *ud, struct mt_event_batch *batch)
{
    struct cloud *cloud = ud;

    for (size_t i = 0; i < batch->n; i++) {
        const struct mt_event *event = &batch->events[i];
        struct cloud_event *out = &cloud->events[cloud->events_n++];
        const struct mt_value *ended = mt_value_get(&event->data, "ended");

        assert_true(cloud->events_n < CLOUD_EVENTS);
        *out = (struct cloud_event){.type = event->type,
                                    .provider_code = event->fault.provider_code,
                                    .ended = ended != NULL && ended->b,
                                    .away_ms = int_of(&event->data, "away_ms")};
        snprintf(out->code, sizeof out->code, "%s", event->fault.code);
        snprintf(out->id, sizeof out->id, "%s", event->message.id ? event->message.id : "");
        snprintf(out->text, sizeof out->text, "%s", event->message.text ? event->message.text : "");
        if (event->has_conversation)
            mt_conversation_ref_format(&event->conversation, out->conversation);
    }
    if (cloud->hold) {
        assert_true(cloud->held_n < sizeof cloud->held / sizeof cloud->held[0]);
        cloud->held[cloud->held_n++] = batch;
    } else {
        mt_provider_rongcloud.live->done(cloud->account, batch);
    }
}

static void on_ended(void *ud, const struct mt_fault *fault)
{
    struct cloud *cloud = ud;

    (void)fault;
    cloud->ended_n++;
    if (cloud->stop_at_end)
        mt_provider_rongcloud.live->stop(cloud->account);
}

static void silent(void *ud, enum mt_log_level level, const char *line)
{
    (void)ud;
    (void)level;
    assert_null(strstr(line, "opaque")); /* the token: never in a log */
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

static enum mt_rc websockets(void *ud, struct mt_ws_client **out, struct mt_fault *fault)
{
    (void)fault;
    *out = ((struct cloud *)ud)->ws;
    return MT_OK;
}

void cloud_begin_at(struct cloud *cloud, const char *token, const char *const *navigators)
{
    static const struct mt_ws_server_handlers handlers = {
        .request = on_request, .open = on_open, .message = on_message, .closed = on_closed};
    struct mt_ws_server_options server = {.host = "127.0.0.1"};
    struct mt_ws_client_options client = {.https_proxy = "", .connects_per_second = 1000};
    struct mt_secret *secret =
        token != NULL ? mt_secret_new(token, strlen(token)) : mt_secret_new("opaque@", 7);
    char navigator[64];
    const char *own[] = {navigator, NULL};
    struct mt_fault fault;

    memset(cloud, 0, sizeof *cloud);
    cloud->user = "alice";
    mt_log_sink_set(silent, NULL);
    mt_clock_seam_speed(CLOUD_SPEED);
    assert_int_equal(mt_loop_new(&cloud->loop), MT_OK);
    assert_int_equal(mt_http_new(cloud->loop, NULL, &cloud->http, &fault), MT_OK);
    assert_int_equal(mt_ws_client_new(cloud->loop, &client, &cloud->ws, &fault), MT_OK);
    assert_int_equal(
        mt_ws_server_new(cloud->loop, &server, &handlers, cloud, &cloud->server, &fault), MT_OK);
    assert_int_equal(mt_timer_new(cloud->loop, on_until, cloud, &cloud->until), MT_OK);
    assert_int_equal(mt_timer_new(cloud->loop, on_step, cloud, &cloud->step), MT_OK);
    snprintf(navigator, sizeof navigator, "http://127.0.0.1:%u",
             (unsigned)mt_ws_server_port(cloud->server));
    struct mt_account_config config = {.name = "test",
                                       .appkey = "app key",
                                       .user = "alice",
                                       .token = secret,
                                       .navigators = navigators != NULL ? navigators : own,
                                       .rate_per_s = -1,
                                       .websockets = websockets,
                                       .websockets_ud = cloud};
    config.appkey = "appkey";
    assert_int_equal(
        mt_provider_rongcloud.open(cloud->loop, cloud->http, &config, &cloud->account, &fault),
        MT_OK);
    mt_secret_free(secret);
}

void cloud_begin(struct cloud *cloud, const char *token)
{
    cloud_begin_at(cloud, token, NULL);
}

void cloud_live_from(struct cloud *cloud, int64_t last_ms, const char *position)
{
    static const struct mt_live_handlers handlers = {on_batch, on_ended};
    struct mt_live_options options = {.ws = cloud->ws, .last_ms = last_ms, .position = position};
    struct mt_fault fault;

    assert_int_equal(
        mt_provider_rongcloud.live->start(cloud->account, &options, &handlers, cloud, &fault),
        MT_OK);
}

void cloud_live(struct cloud *cloud)
{
    cloud_live_from(cloud, 0, NULL);
}

void cloud_end(struct cloud *cloud)
{
    mt_provider_rongcloud.close(cloud->account);
    for (size_t i = 0; i < cloud->held_n; i++)
        if (cloud->held[i] != NULL)
            mt_provider_rongcloud.live->done(NULL, cloud->held[i]);
    mt_timer_free(cloud->until);
    mt_timer_free(cloud->step);
    mt_ws_client_free(cloud->ws);
    mt_http_free(cloud->http);
    mt_ws_server_free(cloud->server);
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

size_t cloud_asked(const struct cloud *cloud, const char *topic)
{
    size_t n = 0;

    for (size_t i = 0; i < cloud->frames_n; i++)
        n += strcmp(cloud->frames[i].topic, topic) == 0;
    return n;
}

size_t cloud_frames(const struct cloud *cloud, enum mt_rong_frame_type type)
{
    size_t n = 0;

    for (size_t i = 0; i < cloud->frames_n; i++)
        n += cloud->frames[i].type == type;
    return n;
}

/* ---------------------------------------------------------------- requests */

struct asking {
    struct mt_rong_call call; /* first */
    struct cloud *cloud;
    struct mt_rong_request request;
};

static void ask_step(struct mt_provider_call *call)
{
    mt_rong_ask(call, &((struct asking *)call)->request);
}

static void ask_answer(struct mt_provider_call *call, const struct mt_rong_answer *answer,
                       const struct mt_fault *fault)
{
    struct cloud *cloud = ((struct asking *)call)->cloud;

    if (fault != NULL) {
        mt_call_end(call, fault->kind, fault);
        return;
    }
    cloud->answers_n++;
    cloud->answer_ms = answer->time_ms;
    snprintf(cloud->answer_uid, sizeof cloud->answer_uid, "%s", answer->uid);
    mt_call_end(call, MT_OK, NULL);
}

static void ended(void *ud, enum mt_rc rc, const struct mt_fault *fault)
{
    struct cloud *cloud = ud;

    cloud->waiting--;
    cloud->rc = rc;
    cloud->fault = (struct mt_fault){.kind = MT_OK};
    if (rc != MT_OK)
        cloud->fault = *fault;
}

static void ask_finish(struct mt_provider_call *call, enum mt_rc rc, const struct mt_fault *fault)
{
    ended(((struct asking *)call)->cloud, rc, fault);
}

struct mt_provider_call *cloud_ask(struct cloud *cloud, const struct mt_rong_request *request,
                                   const char *verb, unsigned patience)
{
    struct asking *asking = mt_mem_calloc(1, sizeof *asking);

    assert_non_null(asking);
    asking->cloud = cloud;
    asking->request = *request;
    asking->call.verb = verb;
    asking->call.patience = patience;
    asking->call.hasty = !request->reads;
    asking->call.answer = ask_answer;
    asking->call.life.step = ask_step;
    asking->call.life.finish = ask_finish;
    cloud->waiting++;
    assert_int_equal(mt_call_start(&cloud->account->calls, &asking->call.life), MT_OK);
    return &asking->call.life;
}

void cloud_login(struct cloud *cloud)
{
    cloud->waiting++;
    assert_int_equal(mt_provider_rongcloud.login(cloud->account, ended, cloud, NULL), MT_OK);
}

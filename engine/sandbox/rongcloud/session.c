/* Sessions: who is let in, frames in and out, how a session ends (rongcloud.md 2). */
#include "sandbox/rongcloud/cloud_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "loop/loop.h"
#include "sandbox/rongcloud/query_int.h"

#include <stdio.h>
#include <string.h>

enum {
    CONNACK = 0x20,
    PUBACK = 0x40,
    QUERYACK = 0x62,
    PINGRESP = 0xd0,
    DISCONNECT = 0xe0,
};

#define LATE_MAX 4096 /* frames that wait for their time, a session */

/* A frame that is sent later. */
struct mt_sr_late {
    struct mt_sr_session *session;
    struct mt_timer *timer;
    struct mt_sr_late *next;
    size_t len;
    uint8_t bytes[];
};

static void record(struct mt_sr_session *session, bool up, const void *p, size_t len)
{
    const struct mt_sr_hooks *hooks = &session->cloud->hooks;
    hooks->record(hooks->ud, up, session->user == NULL ? "" : session->user->name, p, len);
}

static void write_now(struct mt_sr_session *session, const void *p, size_t len)
{
    record(session, false, p, len);
    const struct mt_sr_hooks *hooks = &session->cloud->hooks;
    hooks->write(hooks->ud, session->peer, p, len);
}

/* code 0: at once, and without a goodbye. */
static void end(struct mt_sr_session *session, uint16_t code)
{
    const struct mt_sr_hooks *hooks = &session->cloud->hooks;
    session->leaving = true;
    hooks->end(hooks->ud, session->peer, code);
}

static void unlink_late(struct mt_sr_late *late)
{
    struct mt_sr_late **at = &late->session->late;
    while (*at != NULL && *at != late)
        at = &(*at)->next;
    if (*at != NULL)
        *at = late->next;
    mt_timer_free(late->timer);
    mt_mem_free(late);
}

static void on_late(void *ud)
{
    struct mt_sr_late *late = ud;
    if (!late->session->leaving)
        write_now(late->session, late->bytes, late->len);
    unlink_late(late);
}

static void write_later(struct mt_sr_session *session, const void *p, size_t len, int64_t delay_ms)
{
    size_t n = 0;
    for (const struct mt_sr_late *late = session->late; late != NULL; late = late->next)
        n++;
    struct mt_sr_late *late = n >= LATE_MAX ? NULL : mt_mem_alloc(sizeof *late + len);
    if (late == NULL)
        return;
    *late = (struct mt_sr_late){.session = session, .next = session->late, .len = len};
    memcpy(late->bytes, p, len);
    if (mt_timer_new(session->cloud->loop, on_late, late, &late->timer) != MT_OK) {
        mt_mem_free(late);
        return;
    }
    session->late = late;
    mt_timer_start(late->timer, delay_ms, 0);
}

static void put_u16(struct mt_buf *out, uint16_t v)
{
    uint8_t bytes[2] = {(uint8_t)(v >> 8), (uint8_t)v};
    (void)mt_buf_append(out, bytes, sizeof bytes);
}

static void put_u32(struct mt_buf *out, uint32_t v)
{
    put_u16(out, (uint16_t)(v >> 16));
    put_u16(out, (uint16_t)v);
}

static void put_text(struct mt_buf *out, const char *text)
{
    size_t len = strlen(text);
    put_u16(out, (uint16_t)len);
    (void)mt_buf_append(out, text, len);
}

static uint32_t seconds(int64_t ms)
{
    return (uint32_t)(ms / 1000);
}

void mt_sr_session_puback(struct mt_sr_session *session, uint16_t id, uint16_t status,
                          int64_t ts_ms, const char *uid)
{
    struct mt_buf *frame = &session->cloud->frame;
    mt_buf_reset(frame);
    (void)mt_buf_append_char(frame, PUBACK);
    put_u16(frame, id);
    put_u32(frame, seconds(ts_ms));
    put_u16(frame, status);
    put_u16(frame, (uint16_t)(ts_ms % 1000));
    put_text(frame, uid);
    if (frame->failed == MT_OK)
        write_now(session, frame->data, frame->len);
}

void mt_sr_session_publish(struct mt_sr_session *session, uint8_t head, const char *topic,
                           const char *target, uint16_t id, const void *p, size_t len)
{
    struct mt_buf *frame = &session->cloud->frame;
    mt_buf_reset(frame);
    (void)mt_buf_append_char(frame, (char)head);
    put_u32(frame, seconds(mt_clock_wall_ms()));
    put_text(frame, topic);
    put_text(frame, target);
    put_u16(frame, id);
    (void)mt_buf_append(frame, p, len);
    if (frame->failed == MT_OK)
        write_now(session, frame->data, frame->len);
}

/* An SDK matches the PUBACK of an echo by its id alone, also against its own requests: half the
 * range away from those they cannot meet (rongcloud.md 2.5). */
uint16_t mt_sr_session_push_id(struct mt_sr_session *session)
{
    uint32_t id = session->client_id + 32768U + session->push_n++ % 16384U;
    return (uint16_t)((id - 1) % 65535 + 1);
}

void mt_sr_session_kick(struct mt_sr_session *session, int status)
{
    uint8_t frame[3] = {DISCONNECT, 0, (uint8_t)status};
    write_now(session, frame, sizeof frame);
    end(session, 1000);
}

static void refuse(struct mt_sr_session *session, int status)
{
    uint8_t frame[3] = {CONNACK, 0, (uint8_t)status};
    write_now(session, frame, sizeof frame);
    session->leaving = true;
}

/* The layout of version 4 says with bits which members follow (rongcloud.md 2.2). */
static void welcome(struct mt_sr_session *session, bool version4)
{
    struct mt_buf *frame = &session->cloud->frame;
    char name[48];
    const struct mt_sr_hooks *hooks = &session->cloud->hooks;
    int64_t now_ms = hooks->clock_ms(hooks->ud);
    (void)snprintf(name, sizeof name, "sandbox-session-%llu",
                   (unsigned long long)++session->cloud->session_n);
    mt_buf_reset(frame);
    (void)mt_buf_append_char(frame, CONNACK);
    put_u16(frame, 0);
    if (version4)
        (void)mt_buf_append_char(frame, 15);
    put_text(frame, session->user->name);
    put_text(frame, name);
    put_u32(frame, (uint32_t)((uint64_t)now_ms >> 32));
    put_u32(frame, (uint32_t)now_ms);
    if (version4)
        put_u16(frame, 7);
    if (frame->failed == MT_OK)
        write_now(session, frame->data, frame->len);
}

/* A device that comes again has lost its old connection; with single_device each new one ends all
 * others of that user. */
static void end_older(struct mt_sr_session *session)
{
    bool single = session->cloud->options.single_device != 0;
    for (struct mt_sr_session *s = session->user->sessions; s != NULL; s = s->next_of_user) {
        bool same = session->device[0] != '\0' && strcmp(s->device, session->device) == 0;
        if (s != session && !s->leaving && (single || same))
            mt_sr_session_kick(s, 1);
    }
}

static void log_in(struct mt_sr_session *session, const char *query)
{
    char token[1024];
    char appkey[64];
    char version[8];
    struct mt_sr_user *user = NULL;
    struct mt_sr_options *options = &session->cloud->options;
    if (options->no_connack > 0)
        return;
    if (options->connack > 0) {
        int status = (int)options->connack;
        if (options->connack_times > 0 && --options->connack_times == 0)
            options->connack = 0;
        refuse(session, status);
        return;
    }
    if (!mt_sr_query_get(query, "appId", appkey, sizeof appkey) ||
        strcmp(appkey, MT_SR_APPKEY) != 0) {
        refuse(session, 2);
        return;
    }
    if (!mt_sr_query_get(query, "token", token, sizeof token)) {
        refuse(session, MT_SR_REFUSED_TOKEN);
        return;
    }
    enum mt_sr_admission admission = mt_sr_token_check(session->cloud, token, &user);
    if (admission != MT_SR_ADMITTED) {
        refuse(session, (int)admission);
        return;
    }
    (void)mt_sr_query_get(query, "deviceId", session->device, sizeof session->device);
    session->user = user;
    end_older(session);
    session->next_of_user = user->sessions;
    user->sessions = session;
    bool version4 =
        mt_sr_query_get(query, "protocolVer", version, sizeof version) && version[0] == '4';
    session->client_id = version4 ? 7 : 0;
    welcome(session, version4);
}

struct mt_sr_session *mt_sr_session_new(struct mt_sr_cloud *cloud, struct mt_ws_peer *peer,
                                        const char *path, const char *query)
{
    struct mt_sr_session *session = mt_mem_calloc(1, sizeof *session);
    if (session == NULL)
        return NULL;
    cloud->hooks.record_open(cloud->hooks.ud, path, query);
    session->cloud = cloud;
    session->peer = peer;
    session->next = cloud->sessions;
    if (session->next != NULL)
        session->next->prev = session;
    cloud->sessions = session;
    log_in(session, query);
    return session;
}

void mt_sr_session_free(struct mt_sr_session *session)
{
    if (session == NULL)
        return;
    while (session->late != NULL)
        unlink_late(session->late);
    for (struct mt_sr_session **at = session->user == NULL ? NULL : &session->user->sessions;
         at != NULL && *at != NULL; at = &(*at)->next_of_user) {
        if (*at == session) {
            *at = session->next_of_user;
            break;
        }
    }
    if (session->prev != NULL)
        session->prev->next = session->next;
    else
        session->cloud->sessions = session->next;
    if (session->next != NULL)
        session->next->prev = session->prev;
    mt_mem_free(session);
}

struct reader {
    const uint8_t *p;
    size_t len;
    bool broken;
};

static uint16_t take_u16(struct reader *reader)
{
    if (reader->len < 2) {
        reader->broken = true;
        return 0;
    }
    uint16_t v = (uint16_t)(reader->p[0] << 8 | reader->p[1]);
    reader->p += 2;
    reader->len -= 2;
    return v;
}

static void take_text(struct reader *reader, char *out, size_t cap)
{
    size_t len = take_u16(reader);
    if (len > reader->len || len >= cap || memchr(reader->p, 0, len) != NULL) {
        reader->broken = true;
        out[0] = '\0';
        return;
    }
    if (len != 0)
        memcpy(out, reader->p, len);
    out[len] = '\0';
    reader->p += len;
    reader->len -= len;
}

/* The answer, and what befalls it. */
static void answer(struct mt_sr_ask *ask)
{
    struct mt_sr_session *session = ask->session;
    struct mt_buf *frame = &ask->cloud->frame;
    enum mt_sr_trouble trouble = ask->pick.trouble;
    if (ask->silent || ask->out->failed != MT_OK)
        return;
    if (ask->ts_ms == 0)
        ask->ts_ms = mt_clock_wall_ms();
    mt_buf_reset(frame);
    (void)mt_buf_append_char(frame, ask->publish ? PUBACK : QUERYACK);
    put_u16(frame, ask->id);
    put_u32(frame, seconds(ask->ts_ms));
    put_u16(frame, ask->status);
    if (ask->publish) {
        put_u16(frame, (uint16_t)(ask->ts_ms % 1000));
        put_text(frame, ask->uid);
    } else if (ask->status == 0) {
        (void)mt_buf_append(frame, ask->out->data, ask->out->len);
    }
    if (frame->failed != MT_OK)
        return;
    size_t len = trouble == MT_SR_TROUBLE_TRUNCATE ? frame->len / 2 : frame->len;
    if (trouble == MT_SR_TROUBLE_GARBLE) {
        for (size_t i = ask->publish ? 1 : 9; i < len; i++)
            frame->data[i] = (char)(frame->data[i] ^ 0xa5);
    }
    if (ask->pick.delay_ms > 0)
        write_later(session, frame->data, len, ask->pick.delay_ms);
    else
        write_now(session, frame->data, len);
}

static void on_ask(struct mt_sr_session *session, bool publish, uint8_t head, struct reader *reader)
{
    char topic[MT_SR_TOPIC_MAX];
    char target[MT_SR_ID_MAX];
    char path[MT_SR_TOPIC_MAX + 16];
    struct mt_sr_cloud *cloud = session->cloud;
    take_text(reader, topic, sizeof topic);
    take_text(reader, target, sizeof target);
    uint16_t id = take_u16(reader);
    if (reader->broken || (head & 8) != 0) {
        end(session, 1007);
        return;
    }
    session->client_id = id;
    mt_buf_reset(&cloud->answer);
    struct mt_sr_ask ask = {
        .cloud = cloud,
        .session = session,
        .user = session->user,
        .topic = topic,
        .target = target,
        .id = id,
        .publish = publish,
        .p = reader->p,
        .len = reader->len,
        .out = &cloud->answer,
    };
    (void)snprintf(path, sizeof path, "/rongcloud/%s", topic);
    mt_sr_postponed_tick(cloud);
    cloud->hooks.pick(cloud->hooks.ud, path, &ask.pick);
    if (ask.pick.trouble == MT_SR_TROUBLE_CUT) {
        end(session, 0);
        return;
    }
    ask.status = mt_sr_options_refusal(&cloud->options, topic);
    if (ask.pick.trouble == MT_SR_TROUBLE_SILENT)
        return;
    if (ask.pick.trouble == MT_SR_TROUBLE_BUSY)
        ask.status = MT_SR_TOO_FREQUENT;
    else if (ask.pick.trouble == MT_SR_TROUBLE_FAIL)
        ask.status = MT_SR_SERVER;
    if (ask.status == 0)
        mt_sr_topic_run(&ask);
    if (ask.pick.trouble == MT_SR_TROUBLE_LOST)
        end(session, 0);
    else
        answer(&ask);
}

void mt_sr_session_message(struct mt_sr_session *session, bool binary, const void *p, size_t len)
{
    static const uint8_t pong[] = {PINGRESP};
    struct reader reader = {.p = p, .len = len};
    if (session->leaving)
        return;
    if (!binary || len == 0 || len > MT_SR_FRAME_MAX) {
        end(session, binary ? 1007 : 1003);
        return;
    }
    record(session, true, p, len);
    session->cloud->frame_n++;
    uint8_t head = reader.p[0];
    reader.p++;
    reader.len--;
    if (session->user == NULL) {
        end(session, 1008);
        return;
    }
    switch (head >> 4) {
    case 3:
        on_ask(session, true, head, &reader);
        break;
    case 5:
        on_ask(session, false, head, &reader);
        break;
    case 4: /* PUBACK and QUERYCON: nothing waits for them */
    case 7:
        break;
    case 12:
        if (session->cloud->options.no_pong == 0)
            write_now(session, pong, sizeof pong);
        break;
    case 14:
        end(session, 1000);
        break;
    default:
        end(session, 1007);
    }
}

/* Frames to bytes and back (rongcloud.md 2.2). All numbers are big-endian; no length stands in
 * front, for the WebSocket keeps the bounds. */
#include "provider/rongcloud/frame_int.h"

#include "base/buf.h"

/* ---------------------------------------------------------------- reading */

struct reader {
    const uint8_t *p;
    size_t left;
    bool failed; /* there were fewer bytes than were asked for */
};

static uint64_t take(struct reader *r, size_t n)
{
    uint64_t v = 0;

    if (r->left < n) {
        r->failed = true;
        r->left = 0;
        return 0;
    }
    for (size_t i = 0; i < n; i++)
        v = v << 8 | r->p[i];
    r->p += n;
    r->left -= n;
    return v;
}

static struct mt_rong_text take_text(struct reader *r)
{
    struct mt_rong_text text = {.s = "", .len = (size_t)take(r, 2)};

    if (r->left < text.len) {
        r->failed = true;
        text.len = 0;
        return text;
    }
    if (text.len > 0)
        text.s = (const char *)r->p;
    r->p += text.len;
    r->left -= text.len;
    return text;
}

static int64_t take_time(struct reader *r)
{
    uint64_t ms = take(r, 8);

    if (ms > INT64_MAX)
        r->failed = true;
    return r->failed ? 0 : (int64_t)ms;
}

static void take_rest(struct reader *r, struct mt_rong_frame *out)
{
    out->payload = r->p;
    out->payload_len = r->left;
    r->left = 0;
}

static void read_connack(struct reader *r, unsigned version, struct mt_rong_frame *out)
{
    (void)take(r, 1);
    out->status = (uint16_t)take(r, 1);
    out->greets = r->left > 0;
    if (!out->greets)
        return;
    out->has = version >= 4 ? (unsigned)take(r, 1)
                            : MT_RONG_HAS_USER | MT_RONG_HAS_SESSION | MT_RONG_HAS_TIME;
    if (out->has & MT_RONG_HAS_USER)
        out->user = take_text(r);
    if (out->has & MT_RONG_HAS_SESSION)
        out->session = take_text(r);
    if (out->has & MT_RONG_HAS_TIME)
        out->time_ms = take_time(r);
    if (out->has & MT_RONG_HAS_FIRST_ID)
        out->first_id = (uint16_t)take(r, 2);
}

static void read_request(struct reader *r, struct mt_rong_frame *out)
{
    out->topic = take_text(r);
    out->target = take_text(r);
    out->id = (uint16_t)take(r, 2);
    take_rest(r, out);
}

static void read_puback(struct reader *r, enum mt_rong_side side, struct mt_rong_frame *out)
{
    out->id = (uint16_t)take(r, 2);
    if (side == MT_RONG_UP)
        return;
    out->seconds = (uint32_t)take(r, 4);
    out->status = (uint16_t)take(r, 2);
    out->millis = (uint16_t)take(r, 2);
    out->uid = take_text(r);
}

static void read_queryack(struct reader *r, struct mt_rong_frame *out)
{
    out->id = (uint16_t)take(r, 2);
    out->seconds = (uint32_t)take(r, 4);
    out->status = (uint16_t)take(r, 2);
    take_rest(r, out);
}

enum mt_rc mt_rong_frame_parse(const void *p, size_t len, enum mt_rong_side side, unsigned version,
                               struct mt_rong_frame *out)
{
    static const struct mt_rong_text none = {.s = "", .len = 0};
    struct reader r = {.p = p, .left = len};
    unsigned head = (unsigned)take(&r, 1);

    *out = (struct mt_rong_frame){.type = (enum mt_rong_frame_type)(head >> 4),
                                  .dup = head & 8,
                                  .qos = head >> 1 & 3,
                                  .retain = head & 1,
                                  .topic = none,
                                  .target = none,
                                  .uid = none,
                                  .user = none,
                                  .session = none};
    switch (out->type) {
    case MT_RONG_CONNACK:
        read_connack(&r, version, out);
        break;
    case MT_RONG_PUBLISH:
        if (side == MT_RONG_DOWN)
            out->seconds = (uint32_t)take(&r, 4);
        read_request(&r, out);
        break;
    case MT_RONG_PUBACK:
        read_puback(&r, side, out);
        break;
    case MT_RONG_QUERY:
        read_request(&r, out);
        break;
    case MT_RONG_QUERYACK:
        read_queryack(&r, out);
        break;
    case MT_RONG_QUERYCON:
        out->id = (uint16_t)take(&r, 2);
        break;
    case MT_RONG_PINGREQ:
    case MT_RONG_PINGRESP:
        break;
    case MT_RONG_DISCONNECT:
        (void)take(&r, 1);
        out->status = (uint16_t)take(&r, 1);
        take_rest(&r, out);
        break;
    default:
        return MT_ERR_PROTOCOL;
    }
    return r.failed ? MT_ERR_PROTOCOL : MT_OK;
}

/* ---------------------------------------------------------------- writing */

static void put(struct mt_buf *out, uint64_t v, size_t n)
{
    for (size_t i = n; i > 0; i--)
        (void)mt_buf_append_char(out, (char)(v >> (8 * (i - 1)) & 0xff));
}

static void put_text(struct mt_buf *out, const struct mt_rong_text *text)
{
    put(out, text->len, 2);
    (void)mt_buf_append(out, text->s, text->len);
}

static void put_connack(const struct mt_rong_frame *frame, unsigned version, struct mt_buf *out)
{
    unsigned has =
        version >= 4 ? frame->has : MT_RONG_HAS_USER | MT_RONG_HAS_SESSION | MT_RONG_HAS_TIME;

    put(out, frame->status, 2);
    if (!frame->greets)
        return;
    if (version >= 4)
        put(out, has, 1);
    if (has & MT_RONG_HAS_USER)
        put_text(out, &frame->user);
    if (has & MT_RONG_HAS_SESSION)
        put_text(out, &frame->session);
    if (has & MT_RONG_HAS_TIME)
        put(out, (uint64_t)frame->time_ms, 8);
    if (has & MT_RONG_HAS_FIRST_ID)
        put(out, frame->first_id, 2);
}

static void put_request(const struct mt_rong_frame *frame, struct mt_buf *out)
{
    put_text(out, &frame->topic);
    put_text(out, &frame->target);
    put(out, frame->id, 2);
    (void)mt_buf_append(out, frame->payload, frame->payload_len);
}

static void put_body(const struct mt_rong_frame *frame, enum mt_rong_side side, unsigned version,
                     struct mt_buf *out)
{
    switch (frame->type) {
    case MT_RONG_CONNACK:
        put_connack(frame, version, out);
        break;
    case MT_RONG_PUBLISH:
        if (side == MT_RONG_DOWN)
            put(out, frame->seconds, 4);
        put_request(frame, out);
        break;
    case MT_RONG_QUERY:
        put_request(frame, out);
        break;
    case MT_RONG_PUBACK:
        put(out, frame->id, 2);
        if (side == MT_RONG_UP)
            break;
        put(out, frame->seconds, 4);
        put(out, frame->status, 2);
        put(out, frame->millis, 2);
        put_text(out, &frame->uid);
        break;
    case MT_RONG_QUERYACK:
        put(out, frame->id, 2);
        put(out, frame->seconds, 4);
        put(out, frame->status, 2);
        (void)mt_buf_append(out, frame->payload, frame->payload_len);
        break;
    case MT_RONG_QUERYCON:
        put(out, frame->id, 2);
        break;
    case MT_RONG_DISCONNECT:
        put(out, frame->status, 2);
        (void)mt_buf_append(out, frame->payload, frame->payload_len);
        break;
    case MT_RONG_PINGREQ:
    case MT_RONG_PINGRESP:
        break;
    }
}

enum mt_rc mt_rong_frame_pack(const struct mt_rong_frame *frame, enum mt_rong_side side,
                              unsigned version, struct mt_buf *out)
{
    const struct mt_rong_text *texts[] = {&frame->topic, &frame->target, &frame->uid, &frame->user,
                                          &frame->session};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (texts[i]->len > MT_RONG_TEXT_MAX)
            return MT_ERR_INVALID;
    put(out,
        (uint64_t)frame->type << 4 | (frame->dup ? 8U : 0U) | (frame->qos & 3U) << 1 |
            (frame->retain ? 1U : 0U),
        1);
    put_body(frame, side, version, out);
    return out->failed;
}

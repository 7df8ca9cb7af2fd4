/* Frames of the WebSocket connection (rongcloud.md 2.2): each message is one frame. Parsing copies
 * nothing: texts and payload point into the bytes that were given. */
#ifndef MT_RONGCLOUD_FRAME_INT_H
#define MT_RONGCLOUD_FRAME_INT_H

#include "base/rc.h"

#include <stddef.h>
#include <stdint.h>

struct mt_buf;

enum mt_rong_frame_type {
    MT_RONG_CONNACK = 2,
    MT_RONG_PUBLISH = 3,
    MT_RONG_PUBACK = 4,
    MT_RONG_QUERY = 5,
    MT_RONG_QUERYACK = 6,
    MT_RONG_QUERYCON = 7,
    MT_RONG_PINGREQ = 12,
    MT_RONG_PINGRESP = 13,
    MT_RONG_DISCONNECT = 14,
};

/* Who sends it: PUBLISH and PUBACK differ. */
enum mt_rong_side { MT_RONG_UP, MT_RONG_DOWN };

/* What a CONNACK of version 4 says that it holds; one of version 3 always holds the first three. */
enum {
    MT_RONG_HAS_USER = 1,
    MT_RONG_HAS_SESSION = 2,
    MT_RONG_HAS_TIME = 4,
    MT_RONG_HAS_FIRST_ID = 8,
};

#define MT_RONG_TEXT_MAX 65535

struct mt_rong_text { /* not NUL-terminated */
    const char *s;
    size_t len;
};

struct mt_rong_frame {
    enum mt_rong_frame_type type;
    bool dup, retain;
    unsigned qos;                      /* 0 to 3 */
    uint16_t id;                       /* PUBLISH, PUBACK, QUERY, QUERYACK, QUERYCON */
    uint16_t status;                   /* CONNACK, DISCONNECT (one byte each), PUBACK, QUERYACK */
    uint32_t seconds;                  /* downwards: PUBLISH, PUBACK, QUERYACK */
    uint16_t millis;                   /* downwards: PUBACK */
    struct mt_rong_text topic, target; /* PUBLISH, QUERY */
    struct mt_rong_text uid;           /* downwards: PUBACK */
    const uint8_t *payload;            /* PUBLISH, QUERY, QUERYACK; what follows a DISCONNECT */
    size_t payload_len;
    bool greets;  /* CONNACK: it is longer than its status */
    unsigned has; /* CONNACK: MT_RONG_HAS_… */
    struct mt_rong_text user, session;
    int64_t time_ms;
    uint16_t first_id; /* what the client's counter of ids starts after */
};

/* MT_ERR_PROTOCOL: it is none. version: 3 or 4, as the connection asked for (2.1). Bytes behind a
 * PUBACK, QUERYCON, PING or CONNACK are ignored, as the SDK does. */
enum mt_rc mt_rong_frame_parse(const void *p, size_t len, enum mt_rong_side side, unsigned version,
                               struct mt_rong_frame *out) MT_CHECKED;
/* Appends the frame. MT_ERR_INVALID: a text is too long. */
enum mt_rc mt_rong_frame_pack(const struct mt_rong_frame *frame, enum mt_rong_side side,
                              unsigned version, struct mt_buf *out) MT_CHECKED;

#endif

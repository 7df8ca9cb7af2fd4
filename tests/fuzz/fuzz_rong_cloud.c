/* The sandbox's second cloud: whatever clients send, each frame ends, and what is answered can be
 * read. The input is a row of requests: who asks, which topic, how long, and the bytes of the body;
 * or a whole frame. */
#include "rongcloud.pb-c.h"
#include "sandbox/rongcloud/rongcloud.h"

#include "base/clock.h"
#include "base/rand.h"
#include "loop/loop.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const TOPICS[] = {
    "ppMsgP",        "pgMsgP",
    "pbMsgP",        "ugMsg",
    "ppMsgS",        "recallMsg",
    "pullMsg",       "qryPMsg",
    "qryGMsg",       "qryUgMsg",
    "qryMsg",        "delMsg",
    "cleanPMsg",     "cleanGMsg",
    "cleanMsgBatch", "qryRelationR",
    "qryRLBatch",    "delRelationBatch",
    "pullSeAtts",    "setSeAtt",
    "setTypeUnpush", "pullUS",
    "pullSe",        "updRTime",
    "updUgRTime",    "pullEventChange",
    "pullModifyMsg", "modifyMsg",
    "upMsgEx",       "rrMsg",
    "rrList",        "sendMsgRead",
    "qryMsgRead",    "qryMsgReadCntBatch",
    "readReceipt",   "qryReceiptBatch",
    "qryReceipt",    "pullUgSes",
    "pullUgMsg",     "qryMsgChange",
    "qnTkn",         "qnUrl",
    "addUnpush",     "qryUnpush",
    "joinChrm",      "exitChrm",
    "chatMsg",       "chrmPull",
    "qryCHMsg",
};
static const char *const TARGETS[] = {"ann", "bob", "crowd", "hall"};

#define TOPIC_N (sizeof TOPICS / sizeof TOPICS[0])

struct state {
    const char *topic; /* of what is being asked */
};

static void check(int holds)
{
    if (!holds)
        abort();
}

static bool admit(void *ud, const char *user)
{
    (void)ud;
    (void)user;
    return true;
}

static void pick(void *ud, const char *path, struct mt_sr_pick *out)
{
    (void)ud;
    (void)path;
    *out = (struct mt_sr_pick){0};
}

static void record(void *ud, bool up, const char *user, const void *p, size_t len)
{
    (void)ud;
    (void)up;
    (void)user;
    (void)p;
    (void)len;
}

static void record_open(void *ud, const char *path, const char *query)
{
    (void)ud;
    (void)path;
    (void)query;
}

static void end(void *ud, struct mt_ws_peer *peer, uint16_t code)
{
    (void)ud;
    (void)peer;
    (void)code;
}

static void readable(const ProtobufCMessageDescriptor *kind, const uint8_t *p, size_t len)
{
    ProtobufCMessage *message = protobuf_c_message_unpack(kind, NULL, len, p);
    check(message != NULL);
    protobuf_c_message_free_unpacked(message, NULL);
}

static void written(void *ud, struct mt_ws_peer *peer, const void *bytes, size_t len)
{
    const struct state *state = ud;
    const uint8_t *p = bytes;
    (void)peer;
    check(len > 0);
    if (p[0] != 0x62) {
        check(p[0] == 0x20 || p[0] == 0x40 || p[0] == 0xd0 || p[0] == 0xe0 || p[0] >> 4 == 3);
        return;
    }
    check(len >= 9);
    if ((p[7] | p[8]) != 0)
        return; /* refused */
    if (strcmp(state->topic, "pullMsg") == 0 || strcmp(state->topic, "pullUgMsg") == 0)
        readable(&rongcloud__down_stream_messages__descriptor, p + 9, len - 9);
    else if (strncmp(state->topic, "qry", 3) == 0 && strlen(state->topic) == 7)
        readable(&rongcloud__history_msg_ouput__descriptor, p + 9, len - 9);
    else if (strcmp(state->topic, "qryRelationR") == 0 || strcmp(state->topic, "qryRLBatch") == 0)
        readable(&rongcloud__relations_output__descriptor, p + 9, len - 9);
    else if (strcmp(state->topic, "pullSeAtts") == 0)
        readable(&rongcloud__session_states__descriptor, p + 9, len - 9);
    else if (strcmp(state->topic, "pullSe") == 0)
        readable(&rongcloud__sessions_output__descriptor, p + 9, len - 9);
}

static size_t put_text(uint8_t *at, const char *text)
{
    size_t len = strlen(text);
    at[0] = 0;
    at[1] = (uint8_t)len;
    memcpy(at + 2, text, len);
    return len + 2;
}

static void request(struct state *state, struct mt_sr_session *session, uint8_t choice,
                    uint8_t target, const uint8_t *p, size_t len)
{
    uint8_t frame[512];
    state->topic = TOPICS[choice % TOPIC_N];
    bool publish = strstr(state->topic, "Msg") != NULL && strncmp(state->topic, "qry", 3) != 0 &&
                   strncmp(state->topic, "pull", 4) != 0;
    size_t n = 1;
    frame[0] = publish ? 0x32 : 0x50;
    n += put_text(frame + n, state->topic);
    n += put_text(frame + n, TARGETS[target % 4]);
    frame[n++] = 0;
    frame[n++] = 9;
    memcpy(frame + n, p, len);
    mt_sr_session_message(session, true, frame, n + len);
}

/* Something to read, to change and to delete, so that a few bytes lead somewhere. */
static void begin(struct mt_sr_cloud *cloud)
{
    static const char text[] = "{\"content\":\"hello\"}";
    struct mt_sr_past past = {
        .target = "bob",
        .from = "ann",
        .name = "RC:TxtMsg",
        .content = text,
        .content_len = sizeof text - 1,
        .persist = true,
        .count = true,
        .receipt = true,
    };
    for (int i = 0; i < 6; i++) {
        past.group = i % 2 == 1;
        past.target = past.group ? "crowd" : "bob";
        past.ts_ms = 1000 + i / 2;
        check(mt_sr_fill(cloud, &past) == MT_OK);
    }
    check(mt_sr_fill_member(cloud, "crowd", "bob") == MT_OK);
}

static struct mt_sr_session *login(struct mt_sr_cloud *cloud, const char *query)
{
    struct mt_sr_session *session = mt_sr_session_new(cloud, NULL, "/websocket", query);
    check(session != NULL);
    return session;
}

static int64_t fixed_ms(void *ud)
{
    (void)ud;
    return 5000;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const SPECS[] = {"", "openHistoryMsg=0,serverSaveUnread=1",
                                        "ugMsg=1,sessionCfg=1,ugDriven=2,gzip=2",
                                        "supportRecallRefactor=1,page=2,offline=3,list_cap=1"};
    struct mt_clock_seam clock = {.wall_ms = fixed_ms};
    struct state state = {.topic = ""};
    struct mt_sr_hooks hooks = {
        .ud = &state,
        .admit = admit,
        .pick = pick,
        .record = record,
        .record_open = record_open,
        .write = written,
        .end = end,
        .clock_ms = fixed_ms,
    };
    struct mt_sr_cloud *cloud = NULL;
    if (size < 1)
        return 0;
    mt_rand_seed(1);
    mt_clock_seam_set(&clock);
    check(mt_sr_cloud_new(NULL, SPECS[data[0] % 4], &hooks, &cloud, NULL) == MT_OK);
    check(mt_sr_cloud_address(cloud, "127.0.0.1:1") == MT_OK);
    begin(cloud);
    struct mt_sr_session *sessions[] = {
        login(cloud, "appId=sandbox&token=sandbox-ann%40&deviceId=1&protocolVer=3"),
        login(cloud, "appId=sandbox&token=sandbox-ann%40&deviceId=2&protocolVer=4"),
        login(cloud, "appId=sandbox&token=sandbox-bob%40&deviceId=1&protocolVer=3"),
    };
    for (size_t at = 1; at + 4 <= size;) {
        size_t len = data[at + 3];
        if (len > size - at - 4)
            len = size - at - 4;
        const uint8_t *p = data + at + 4;
        struct mt_sr_session *session = sessions[data[at] % 3];
        state.topic = "";
        if (data[at] >= 0xf0)
            mt_sr_session_message(session, true, p, len);
        else
            request(&state, session, data[at + 1], data[at + 2], p, len);
        at += 4 + len;
    }
    for (size_t i = 0; i < 3; i++)
        mt_sr_session_free(sessions[i]);
    mt_sr_cloud_free(cloud);
    mt_clock_seam_set(NULL);
    mt_rand_seed(0);
    return 0;
}

/* Frames of the live session: every message of the WebSocket is one MSync (easemob.md §1.4, §1.5,
 * §1.7, §1.10). */
#include "provider/easemob/live_int.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"
#include "codec/json.h"
#include "ws/client.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SDK_VERSION    "4.21.1"
#define TOKEN_MAX      ((size_t)16 * 1024)
#define ARENA_EXTRA    ((size_t)48 * 1024 * 1024)
#define ACTION_VERSION "v5.2"

static void send_frame(struct mt_em_live *live, Easemob__Pb__MSync *frame, bool secret)
{
    Easemob__Pb__EncryptType none = EASEMOB__PB__ENCRYPT_TYPE__ENCRYPT_NONE;
    size_t len = 0;
    uint8_t *bytes = NULL;

    if (!live->conn)
        return;
    frame->has_version = true;
    frame->encrypttype = &none;
    frame->n_encrypttype = 1;
    len = easemob__pb__msync__get_packed_size(frame);
    bytes = mt_mem_alloc(len);
    if (bytes) {
        easemob__pb__msync__pack(frame, bytes);
        if (mt_ws_conn_send(live->conn, true, bytes, len))
            mt_log(MT_LOG_DEBUG, "easemob", "%s: a frame could not be sent", live->account->name);
        if (secret)
            explicit_bzero(bytes, len);
    }
    mt_mem_free(bytes);
    frame->encrypttype = NULL;
    frame->n_encrypttype = 0;
}

/* "$t$TOKEN", and the same as the JSON that the newer field wants. */
static enum mt_rc token_texts(const struct mt_em_live *live, struct mt_buf *auth,
                              struct mt_buf *json)
{
    const struct mt_secret *secret = live->token->secret;
    struct mt_jsonw w;

    mt_buf_init(auth, TOKEN_MAX);
    mt_buf_init(json, TOKEN_MAX * 2);
    mt_buf_append_str(auth, "$t$");
    mt_buf_append(auth, mt_secret_bytes(secret), mt_secret_len(secret));
    mt_buf_append_char(auth, '\0');
    if (auth->failed)
        return auth->failed;
    mt_jsonw_init(&w, json);
    mt_jsonw_object(&w);
    mt_jsonw_key(&w, "token");
    mt_jsonw_strn(&w, auth->data, auth->len - 1);
    mt_jsonw_object_end(&w);
    mt_buf_append_char(json, '\0');
    return json->failed;
}

static void wipe(struct mt_buf *buf)
{
    if (buf->data)
        explicit_bzero(buf->data, buf->len);
    mt_buf_deinit(buf);
}

static void guid_of(struct mt_em_live *live, Easemob__Pb__JID *guid)
{
    static const char domain[] = "easemob.com";

    easemob__pb__jid__init(guid);
    guid->appkey = live->account->appkey;
    guid->name = live->account->user;
    guid->domain = (char *)(uintptr_t)domain;
    guid->clientresource = live->device;
}

static void send_command(struct mt_em_live *live, Easemob__Pb__MSync__Command command,
                         const struct mt_buf *auth, uint8_t *payload, size_t len)
{
    Easemob__Pb__MSync frame = EASEMOB__PB__MSYNC__INIT;
    Easemob__Pb__JID guid;

    guid_of(live, &guid);
    frame.guid = &guid;
    frame.auth = auth->data;
    frame.has_command = true;
    frame.command = command;
    frame.has_deviceid = true;
    frame.has_payload = true;
    frame.payload.data = payload;
    frame.payload.len = len;
    send_frame(live, &frame, true);
}

void mt_em_live_send_provision(struct mt_em_live *live)
{
    Easemob__Pb__Provision provision = EASEMOB__PB__PROVISION__INIT;
    Easemob__Pb__Provision__CompressType plain =
        EASEMOB__PB__PROVISION__COMPRESS_TYPE__COMPRESS_NONE;
    Easemob__Pb__EncryptType none = EASEMOB__PB__ENCRYPT_TYPE__ENCRYPT_NONE;
    char version[] = SDK_VERSION, action[] = ACTION_VERSION, name[] = "moontide";
    struct mt_buf auth, json;
    uint8_t *payload = NULL;
    size_t len = 0;

    snprintf(live->session_id, sizeof live->session_id, "%" PRId64 ":", mt_clock_wall_ms());
    if (!token_texts(live, &auth, &json)) {
        provision.has_ostype = true;
        provision.ostype = EASEMOB__PB__PROVISION__OS_TYPE__OS_CUSTOM;
        provision.has_oscustomvalue = true;
        provision.oscustomvalue = (uint32_t)live->account->platform;
        provision.version = version;
        provision.compresstype = &plain;
        provision.n_compresstype = 1;
        provision.encrypttype = &none;
        provision.n_encrypttype = 1;
        provision.deviceuuid = live->device;
        provision.devicename = name;
        provision.resource = live->device;
        provision.actionversion = action;
        provision.authtoken = json.data;
        provision.sessionid = live->session_id;
        len = easemob__pb__provision__get_packed_size(&provision);
        payload = mt_mem_alloc(len);
    }
    if (payload) {
        easemob__pb__provision__pack(&provision, payload);
        send_command(live, EASEMOB__PB__MSYNC__COMMAND__PROVISION, &auth, payload, len);
        explicit_bzero(payload, len);
    }
    mt_mem_free(payload);
    wipe(&auth);
    wipe(&json);
}

void mt_em_live_send_logout(struct mt_em_live *live)
{
    Easemob__Pb__Logout logout = EASEMOB__PB__LOGOUT__INIT;
    char reason[] = "inner:logout";
    uint8_t payload[128];
    struct mt_buf auth, json;

    logout.sessionid = live->session_id;
    logout.reason = reason;
    if (!token_texts(live, &auth, &json) &&
        easemob__pb__logout__get_packed_size(&logout) <= sizeof payload)
        send_command(live, EASEMOB__PB__MSYNC__COMMAND__LOGOUT, &auth, payload,
                     easemob__pb__logout__pack(&logout, payload));
    wipe(&auth);
    wipe(&json);
}

void mt_em_live_send_unread(struct mt_em_live *live)
{
    Easemob__Pb__MSync frame = EASEMOB__PB__MSYNC__INIT;

    frame.has_command = true;
    frame.command = EASEMOB__PB__MSYNC__COMMAND__UNREAD;
    send_frame(live, &frame, false);
}

enum mt_rc mt_em_live_send_sync(struct mt_em_live *live, const void *payload, size_t len)
{
    Easemob__Pb__MSync frame = EASEMOB__PB__MSYNC__INIT;

    if (!live->conn || live->stage != MT_EM_LIVE_ONLINE)
        return MT_ERR_STATE;
    frame.has_command = true;
    frame.command = EASEMOB__PB__MSYNC__COMMAND__SYNC;
    frame.has_payload = true;
    frame.payload.data = (uint8_t *)(uintptr_t)payload;
    frame.payload.len = len;
    send_frame(live, &frame, false);
    return MT_OK;
}

/* ---------------------------------------------------------------- what comes */

static void *arena_alloc(void *ud, size_t size)
{
    return mt_arena_alloc(ud, size);
}

static void arena_free(void *ud, void *p)
{
    (void)ud;
    (void)p;
}

static void garbled(struct mt_em_live *live, const char *what)
{
    struct mt_fault fault;

    (void)mt_fault_set(&fault, MT_ERR_PROTOCOL, "live.garbled", "%s: the cloud sent %s",
                       live->account->name, what);
    mt_em_live_lose(live, &fault);
}

static void on_unread(struct mt_em_live *live, ProtobufCAllocator *allocator,
                      const ProtobufCBinaryData *payload)
{
    Easemob__Pb__CommUnreadDL *dl =
        easemob__pb__comm_unread_dl__unpack(allocator, payload->len, payload->data);

    if (!dl) {
        garbled(live, "a list of queues that cannot be read");
        return;
    }
    live->beat_ms = 0;
    mt_em_live_announce(live, dl);
    for (size_t i = 0; i < dl->n_unread && live->stage == MT_EM_LIVE_ONLINE; i++) {
        if (dl->unread[i]->queue)
            mt_em_live_notice(live, dl->unread[i]->queue);
    }
}

static void on_notice(struct mt_em_live *live, ProtobufCAllocator *allocator,
                      const ProtobufCBinaryData *payload)
{
    Easemob__Pb__CommNotice *notice =
        easemob__pb__comm_notice__unpack(allocator, payload->len, payload->data);
    const Easemob__Pb__JID *jid = notice ? notice->queue : NULL;

    if (!jid) {
        garbled(live, "a notice that cannot be read");
        return;
    }
    /* §3.2: one of our own device's is of no meaning */
    if (jid->name && jid->clientresource && !strcmp(jid->name, live->account->user) &&
        !strcmp(jid->clientresource, live->device))
        return;
    mt_em_live_notice(live, jid);
}

/* True: the arena belongs to a batch now. */
static bool on_sync(struct mt_em_live *live, ProtobufCAllocator *allocator,
                    const ProtobufCBinaryData *payload, struct mt_arena *arena)
{
    Easemob__Pb__CommSyncDL *dl =
        easemob__pb__comm_sync_dl__unpack(allocator, payload->len, payload->data);

    if (!dl) {
        garbled(live, "a batch that cannot be read");
        return false;
    }
    if (dl->has_metaid && dl->metaid) {
        mt_em_live_answer(live, dl);
        return false;
    }
    mt_em_live_batch(live, dl, arena);
    return true;
}

static void on_provision(struct mt_em_live *live, ProtobufCAllocator *allocator,
                         const ProtobufCBinaryData *payload)
{
    Easemob__Pb__Provision *answer =
        easemob__pb__provision__unpack(allocator, payload->len, payload->data);

    if (answer)
        mt_em_live_provisioned(live, answer);
    else
        garbled(live, "an answer to the login that cannot be read");
}

void mt_em_live_frame(struct mt_em_live *live, const void *p, size_t len)
{
    struct mt_arena *arena = mt_arena_new(len * 16 + ARENA_EXTRA);
    ProtobufCAllocator allocator = {arena_alloc, arena_free, arena};
    Easemob__Pb__MSync *frame = arena ? easemob__pb__msync__unpack(&allocator, len, p) : NULL;
    bool taken = false;

    if (!frame) {
        mt_arena_free(arena);
        garbled(live, "a frame that cannot be read");
        return;
    }
    switch (frame->has_command ? (int)frame->command : 0) {
    case EASEMOB__PB__MSYNC__COMMAND__PROVISION:
        on_provision(live, &allocator, &frame->payload);
        break;
    case EASEMOB__PB__MSYNC__COMMAND__UNREAD:
        on_unread(live, &allocator, &frame->payload);
        break;
    case EASEMOB__PB__MSYNC__COMMAND__NOTICE:
        on_notice(live, &allocator, &frame->payload);
        break;
    case EASEMOB__PB__MSYNC__COMMAND__SYNC:
        taken = on_sync(live, &allocator, &frame->payload, arena);
        break;
    default: /* the answer to a goodbye; what a later version knows */
        break;
    }
    if (!taken)
        mt_arena_free(arena);
}

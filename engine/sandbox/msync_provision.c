/* PROVISION: login on a connection, and LOGOUT (easemob.md §1.5, §1.10). */
#include "sandbox/msync_int.h"

#include "base/clock.h"
#include "base/str.h"
#include "codec/json.h"
#include "ws/server.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PER_PLATFORM_MAX 4
#define CUSTOM_PLATFORM  256
#define FAIL             1

struct verdict {
    uint32_t code;
    const char *reason;
    struct mt_sb_user *user;
    int64_t expires_ms;
};

/* The token, from whichever of the three places it came in: authToken JSON (4.21), auth of the
 * Provision (up to 4.1), auth of the frame. */
static bool read_token(const Easemob__Pb__MSync *frame, const Easemob__Pb__Provision *provision,
                       char *out, size_t cap)
{
    struct mt_json *root = NULL;
    const char *text = NULL;
    if (provision->authtoken != NULL &&
        mt_json_parse(provision->authtoken, strlen(provision->authtoken), 8192, &root, NULL) ==
            MT_OK)
        text = mt_json_str(mt_json_get(root, "token"));
    if (text == NULL)
        text = provision->auth;
    if (text == NULL)
        text = frame->auth;
    bool ok = text != NULL && mt_str_starts(text, "$t$") && strlen(text) < cap;
    if (ok)
        (void)snprintf(out, cap, "%s", text + 3);
    mt_json_free(root);
    return ok;
}

static struct verdict judge(struct mt_sandbox *sandbox, const Easemob__Pb__MSync *frame,
                            const Easemob__Pb__Provision *provision)
{
    char token[1024];
    struct verdict verdict = {0};
    const Easemob__Pb__JID *guid = frame->guid;
    if (guid == NULL || guid->name == NULL || guid->appkey == NULL ||
        strcmp(guid->appkey, MT_SB_APPKEY) != 0)
        return (struct verdict){.code = EASEMOB__PB__STATUS__ERROR_CODE__WRONG_PARAMETER,
                                .reason = "Sorry, the app key is not known here"};
    if (!read_token(frame, provision, token, sizeof token))
        return (struct verdict){.code = FAIL,
                                .reason = "Sorry, token or password does not match login info"};
    switch (mt_sb_authorise(sandbox, token, &verdict.user, &verdict.expires_ms)) {
    case MT_SB_AUTH_GOOD:
        break;
    case MT_SB_AUTH_EXPIRED:
        return (struct verdict){.code = FAIL, .reason = "Sorry, token expired"};
    case MT_SB_AUTH_NO_USER:
        return (struct verdict){.code = FAIL, .reason = "Sorry, user not found"};
    case MT_SB_AUTH_BAD:
        return (struct verdict){.code = FAIL,
                                .reason = "Sorry, token or password does not match login info"};
    }
    if (mt_sb_user_get(&sandbox->store, guid->name) != verdict.user)
        return (struct verdict){.code = FAIL,
                                .reason = "Sorry, token or password does not match login info"};
    return verdict;
}

/* The member order is that of the tags, as in the recorded answers. */
static void answer(struct mt_sb_session *session, const Easemob__Pb__Provision *provision,
                   const struct verdict *verdict, const char *resource)
{
    uint8_t room[2048];
    uint8_t status_room[512];
    char text[64];
    struct mt_sb_wire w = {.p = room, .cap = sizeof room};
    struct mt_sb_wire status = {.p = status_room, .cap = sizeof status_room};
    const char *version = provision->version == NULL ? "" : provision->version;
    mt_sb_wire_varint(&w, 1, (uint64_t)provision->ostype);
    if (strlen(version) < 64)
        mt_sb_wire_str(&w, 2, version);
    mt_sb_wire_varint(&w, 5, 0);
    mt_sb_wire_varint(&w, 6, 0);
    mt_sb_wire_varint(&status, 1, verdict->code);
    if (verdict->reason != NULL)
        mt_sb_wire_str(&status, 2, verdict->reason);
    mt_sb_wire_bytes(&w, 8, status.p, status.len);
    if (verdict->code == 0) {
        mt_sb_wire_str(&w, 13, resource);
        (void)snprintf(text, sizeof text, "{\"expires_in\":%" PRId64 "}", verdict->expires_ms);
        mt_sb_wire_str(&w, 18, text);
    }
    mt_sb_session_send(session, EASEMOB__PB__MSYNC__COMMAND__PROVISION, w.p, w.len);
}

static void choose_resource(struct mt_sandbox *sandbox, const Easemob__Pb__MSync *frame,
                            const Easemob__Pb__Provision *provision, char out[MT_SB_RESOURCE_MAX])
{
    const char *wanted = provision->resource;
    if (wanted == NULL || wanted[0] == '\0')
        wanted = frame->guid->clientresource;
    if (wanted == NULL || wanted[0] == '\0' || strlen(wanted) > MT_SB_RESOURCE_MAX - 8)
        (void)snprintf(out, MT_SB_RESOURCE_MAX, "webim_%016" PRIx64,
                       mt_sb_random(&sandbox->faults.random));
    else
        (void)snprintf(out, MT_SB_RESOURCE_MAX, "%s%s",
                       sandbox->faults.assign_resource ? "srv_" : "", wanted);
}

/* The same resource replaces its old connection; beyond four devices of a platform the oldest has
 * to go. */
static void make_place(struct mt_sb_user *user, const struct mt_sb_device *device,
                       struct mt_sb_session *old, const char *reason)
{
    struct mt_sb_device *oldest = NULL;
    size_t n = 0;
    if (old != NULL) {
        old->device = NULL; /* it belongs to the new connection now */
        mt_sb_session_kick(old, EASEMOB__PB__STATISTICS_BODY__OPERATION__USER_LOGIN_ANOTHER_DEVICE,
                           reason);
    }
    for (size_t i = 0; i < user->device_n; i++) {
        struct mt_sb_device *other = user->devices[i];
        if (other->session == NULL || other->platform != device->platform)
            continue;
        n++;
        if (other != device && (oldest == NULL || other->since_id < oldest->since_id))
            oldest = other;
    }
    if (n > PER_PLATFORM_MAX && oldest != NULL)
        mt_sb_session_kick(oldest->session,
                           EASEMOB__PB__STATISTICS_BODY__OPERATION__USER_LOGIN_ANOTHER_DEVICE,
                           reason);
}

static enum mt_rc enter(struct mt_sb_session *session, const Easemob__Pb__Provision *provision,
                        struct mt_sb_user *user, const char *resource)
{
    struct mt_sandbox *sandbox = session->sandbox;
    struct mt_sb_device *known = mt_sb_device_find(user, resource);
    struct mt_sb_session *old = known == NULL ? NULL : known->session;
    struct mt_sb_device *device = mt_sb_device_online(&sandbox->store, user, resource, session);
    if (device == NULL)
        return MT_ERR_NOMEM;
    device->platform = provision->ostype == EASEMOB__PB__PROVISION__OS_TYPE__OS_CUSTOM
                           ? CUSTOM_PLATFORM + provision->oscustomvalue
                           : (uint32_t)provision->ostype;
    session->device = device;
    make_place(user, device, old == session ? NULL : old, provision->reason);
    return mt_sb_feed_cap(user, device, (size_t)sandbox->faults.queue_single,
                          (size_t)sandbox->faults.queue_group);
}

void mt_sb_msync_provision(struct mt_sb_session *session, const Easemob__Pb__MSync *frame)
{
    char resource[MT_SB_RESOURCE_MAX] = "";
    Easemob__Pb__Provision *provision =
        easemob__pb__provision__unpack(NULL, frame->payload.len, frame->payload.data);
    if (provision == NULL || session->device != NULL) {
        if (provision != NULL)
            easemob__pb__provision__free_unpacked(provision, NULL);
        mt_ws_peer_close(session->peer, 1007);
        return;
    }
    struct verdict verdict = judge(session->sandbox, frame, provision);
    if (verdict.code == 0) {
        choose_resource(session->sandbox, frame, provision, resource);
        if (enter(session, provision, verdict.user, resource) != MT_OK)
            verdict = (struct verdict){.code = FAIL, .reason = "memory is short"};
    }
    answer(session, provision, &verdict,
           resource); /* a refused connection stays open, as it does there */
    easemob__pb__provision__free_unpacked(provision, NULL);
}

void mt_sb_msync_logout(struct mt_sb_session *session, const Easemob__Pb__MSync *frame)
{
    uint8_t room[512];
    struct mt_sb_wire w = {.p = room, .cap = sizeof room};
    Easemob__Pb__Logout *logout =
        easemob__pb__logout__unpack(NULL, frame->payload.len, frame->payload.data);
    if (logout != NULL && logout->sessionid != NULL && strlen(logout->sessionid) < 256)
        mt_sb_wire_str(&w, 1, logout->sessionid);
    mt_sb_wire_bytes(&w, 3, "\x08\x00", 2); /* status OK */
    mt_sb_session_send(session, EASEMOB__PB__MSYNC__COMMAND__LOGOUT, w.p, w.len);
    mt_sb_device_offline(&session->sandbox->store, session->device);
    session->device = NULL;
    session->leaving = true;
    mt_ws_peer_close(session->peer, 1000);
    if (logout != NULL)
        easemob__pb__logout__free_unpacked(logout, NULL);
}

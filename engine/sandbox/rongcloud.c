/* The sandbox as RongCloud's side knows it: who may log in, what goes wrong, the log; and what
 * tests may do to it. */
#include "sandbox/rongcloud/rongcloud.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "sandbox/record_int.h"
#include "sandbox/rest_int.h"
#include "sandbox/sandbox_int.h"
#include "ws/server.h"

#include <string.h>

bool mt_sb_clouds(const char *clouds, bool *easemob, bool *rongcloud)
{
    *easemob = clouds == NULL || strcmp(clouds, "easemob") == 0;
    *rongcloud = clouds == NULL || strcmp(clouds, "rongcloud") == 0;
    return *easemob || *rongcloud;
}

static bool admit(void *ud, const char *user)
{
    return mt_sb_admit(ud, user) != NULL;
}

/* The same words mean the same on both sides; what the other cloud has no word for is none. */
static void pick(void *ud, const char *path, struct mt_sr_pick *out)
{
    static const enum mt_sr_trouble MEANING[MT_SB_TROUBLES] = {
        [MT_SB_TROUBLE_429] = MT_SR_TROUBLE_BUSY,
        [MT_SB_TROUBLE_5XX] = MT_SR_TROUBLE_FAIL,
        [MT_SB_TROUBLE_CUT] = MT_SR_TROUBLE_CUT,
        [MT_SB_TROUBLE_TRUNCATE] = MT_SR_TROUBLE_TRUNCATE,
        [MT_SB_TROUBLE_LENGTH] = MT_SR_TROUBLE_TRUNCATE,
        [MT_SB_TROUBLE_SLOW] = MT_SR_TROUBLE_SLOW,
        [MT_SB_TROUBLE_HALF_OPEN] = MT_SR_TROUBLE_SILENT,
        [MT_SB_TROUBLE_HTML] = MT_SR_TROUBLE_HTML,
        [MT_SB_TROUBLE_ERROR_JSON] = MT_SR_TROUBLE_GARBLE,
        [MT_SB_TROUBLE_STALE_CURSOR] = MT_SR_TROUBLE_STUCK,
        [MT_SB_TROUBLE_REPEAT_PAGE] = MT_SR_TROUBLE_REPEAT,
        [MT_SB_TROUBLE_NULL_PAGE] = MT_SR_TROUBLE_EMPTY,
        [MT_SB_TROUBLE_OUT_OF_ORDER] = MT_SR_TROUBLE_DISORDER,
        [MT_SB_TROUBLE_DROP_MESSAGE] = MT_SR_TROUBLE_DROP,
        [MT_SB_TROUBLE_DUPLICATE] = MT_SR_TROUBLE_DUPLICATE,
        [MT_SB_TROUBLE_LIST_STALE] = MT_SR_TROUBLE_STUCK,
        [MT_SB_TROUBLE_LIST_NULL] = MT_SR_TROUBLE_EMPTY,
        [MT_SB_TROUBLE_DELETE_LIE] = MT_SR_TROUBLE_LIE,
        [MT_SB_TROUBLE_DELETE_HALF] = MT_SR_TROUBLE_HALF,
        [MT_SB_TROUBLE_DELETE_LATE] = MT_SR_TROUBLE_LATE,
        [MT_SB_TROUBLE_DELETE_LOST] = MT_SR_TROUBLE_LOST,
    };
    struct mt_sandbox *sandbox = ud;
    struct mt_sb_pick chosen;
    mt_sb_when_asked(sandbox, path);
    mt_sb_faults_pick(&sandbox->faults, path, mt_clock_mono_us(), &chosen);
    *out = (struct mt_sr_pick){.delay_ms = chosen.delay_ms,
                               .late = sandbox->faults.late,
                               .trouble = MEANING[chosen.trouble]};
}

static void record(void *ud, bool up, const char *user, const void *p, size_t len)
{
    struct mt_sandbox *sandbox = ud;
    sandbox->frame_n += up;
    if (sandbox->faults.log)
        mt_sb_record_frame(sandbox->record, up, "rongcloud", user, p, len, mt_clock_wall_ms());
}

static void record_open(void *ud, const char *path, const char *query)
{
    struct mt_sandbox *sandbox = ud;
    if (sandbox->faults.log)
        mt_sb_record_open(sandbox->record, "rongcloud", path, query, mt_clock_wall_ms());
}

static void write_peer(void *ud, struct mt_ws_peer *peer, const void *p, size_t len)
{
    (void)ud;
    (void)mt_ws_peer_send(peer, true, p, len); /* a full queue closes the peer itself */
}

static void end_peer(void *ud, struct mt_ws_peer *peer, uint16_t code)
{
    (void)ud;
    if (code == 0)
        mt_ws_peer_cut(peer);
    else
        mt_ws_peer_close(peer, code);
}

static int64_t clock_ms(void *ud)
{
    const struct mt_sandbox *sandbox = ud;
    return mt_sb_faults_clock_ms(&sandbox->faults);
}

void mt_sb_rongcloud_hooks(struct mt_sandbox *sandbox, struct mt_sr_hooks *hooks)
{
    *hooks = (struct mt_sr_hooks){
        .ud = sandbox,
        .strict = sandbox->strict,
        .admit = admit,
        .pick = pick,
        .record = record,
        .record_open = record_open,
        .write = write_peer,
        .end = end_peer,
        .clock_ms = clock_ms,
    };
}

static void answer_number(struct mt_sb_call *call, const char *key, uint64_t n)
{
    mt_jsonw_init(&call->json, &call->sandbox->answer);
    mt_jsonw_object(&call->json);
    mt_jsonw_key(&call->json, key);
    mt_jsonw_u64(&call->json, n);
    mt_jsonw_object_end(&call->json);
}

/* The body is the new text as it would follow --rongcloud; empty: as usual. */
void mt_sb_rest_rongcloud(struct mt_sb_call *call)
{
    struct mt_fault fault = {0};
    const struct mt_ws_request *request = call->request;
    char *text = mt_mem_strndup(request->body_len == 0 ? "" : request->body, request->body_len);
    if (text == NULL)
        mt_sb_reply_nomem(call);
    else if (mt_sr_cloud_configure(call->sandbox->rongcloud, text, &fault) != MT_OK)
        mt_sb_reply_error(call, 400, "illegal_argument", fault.message);
    else
        answer_number(call, "ok", 1);
    mt_mem_free(text);
}

/* The body is "USER STATUS": DISCONNECT with that status for the sessions of the user; "*" is
 * everybody. */
void mt_sb_rest_rongcloud_kick(struct mt_sb_call *call)
{
    const struct mt_ws_request *request = call->request;
    uint64_t status = 0;
    char *user = mt_mem_strndup(request->body_len == 0 ? "" : request->body, request->body_len);
    char *space = user == NULL ? NULL : strchr(user, ' ');
    if (space == NULL || !mt_str_u64(space + 1, &status) || status > 255) {
        mt_sb_reply_error(call, 400, "illegal_argument", "the body is USER and a status");
    } else {
        *space = '\0';
        answer_number(call, "kicked",
                      mt_sr_cloud_kick(call->sandbox->rongcloud,
                                       strcmp(user, "*") == 0 ? NULL : user, (int)status));
    }
    mt_mem_free(user);
}

/* The body is "VERB A B", as mt_sr_cloud_arrange takes them. */
void mt_sb_rest_rongcloud_arrange(struct mt_sb_call *call)
{
    const struct mt_ws_request *request = call->request;
    char *verb = mt_mem_strndup(request->body_len == 0 ? "" : request->body, request->body_len);
    char *a = verb == NULL ? NULL : strchr(verb, ' ');
    char *b = a == NULL ? NULL : strchr(a + 1, ' ');
    if (b != NULL) {
        *a++ = '\0';
        *b++ = '\0';
    }
    if (b == NULL || !mt_sr_cloud_arrange(call->sandbox->rongcloud, verb, a, b))
        mt_sb_reply_error(call, 400, "illegal_argument",
                          "the body is block, unblock, mute, unmute, join or leave, and two ids");
    else
        answer_number(call, "ok", 1);
    mt_mem_free(verb);
}

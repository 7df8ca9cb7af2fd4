/* What only a sandbox has: faults changed at run time, the log, counters. Loopback, no token. */
#include "sandbox/rest_int.h"

#include "base/mem.h"
#include "sandbox/msync_int.h"
#include "sandbox/record_int.h"
#include "sandbox/rongcloud/rongcloud.h"
#include "ws/server.h"

#include <string.h>

static void answer_text(struct mt_sb_call *call, const char *key, const char *value)
{
    struct mt_jsonw *json = &call->json;
    mt_buf_reset(&call->sandbox->answer);
    mt_jsonw_init(json, &call->sandbox->answer);
    mt_jsonw_object(json);
    mt_jsonw_key(json, key);
    mt_jsonw_str(json, value);
    mt_jsonw_object_end(json);
}

/* The body is the new fault text as it would follow --faults; empty: none. */
static void set_faults(struct mt_sb_call *call)
{
    struct mt_fault fault = {0};
    const struct mt_ws_request *request = call->request;
    char *text = mt_mem_strndup(request->body_len == 0 ? "" : request->body, request->body_len);
    if (text == NULL) {
        mt_sb_reply_nomem(call);
        return;
    }
    if (mt_sb_faults_parse(&call->sandbox->faults, text, &fault) != MT_OK)
        mt_sb_reply_error(call, 400, "illegal_argument", fault.message);
    else
        answer_text(call, "faults", text);
    mt_mem_free(text);
}

static void number(struct mt_jsonw *json, const char *key, uint64_t n)
{
    mt_jsonw_key(json, key);
    mt_jsonw_u64(json, n);
}

static void rongcloud_stats(const struct mt_sandbox *sandbox, struct mt_jsonw *json)
{
    struct mt_sr_stats own;
    mt_sr_cloud_stats(sandbox->rongcloud, &own);
    mt_jsonw_object(json);
    number(json, "users", own.users);
    number(json, "conversations", own.conversations);
    number(json, "messages", own.messages);
    number(json, "online", own.online);
    number(json, "bytes", own.bytes);
    number(json, "frames", own.frames);
    mt_jsonw_object_end(json);
}

static void stats(struct mt_sb_call *call)
{
    const struct mt_sandbox *sandbox = call->sandbox;
    const struct mt_sb_store *store = &sandbox->store;
    struct mt_jsonw *json = &call->json;
    mt_jsonw_init(json, &call->sandbox->answer);
    mt_jsonw_object(json);
    number(json, "requests", sandbox->request_n);
    number(json, "pages", sandbox->page_n);
    number(json, "frames", sandbox->frame_n);
    number(json, "users", store->user_n);
    number(json, "threads", store->thread_n);
    number(json, "messages", store->message_n);
    number(json, "online", store->online_n);
    number(json, "bytes", store->slab_bytes);
    number(json, "faults_hit", sandbox->faults.hits);
    mt_jsonw_key(json, "rongcloud");
    rongcloud_stats(sandbox, json);
    mt_jsonw_object_end(json);
}

/* Every WebSocket at once, without a goodbye: what a failing network does. */
static void cut(struct mt_sb_call *call)
{
    struct mt_jsonw *json = &call->json;
    uint64_t n = 0;

    for (struct mt_sb_session *s = call->sandbox->sessions; s != NULL; s = s->next, n++)
        mt_ws_peer_cut(s->peer);
    n += mt_sr_cloud_cut(call->sandbox->rongcloud);
    mt_jsonw_init(json, &call->sandbox->answer);
    mt_jsonw_object(json);
    number(json, "cut", n);
    mt_jsonw_object_end(json);
}

/* The body is "USER OPERATION": the sessions of the user end as easemob.md §1.9 says. */
static void kick(struct mt_sb_call *call)
{
    const struct mt_ws_request *request = call->request;
    char *user = mt_mem_strndup(request->body_len == 0 ? "" : request->body, request->body_len);
    char *space = user == NULL ? NULL : strchr(user, ' ');
    uint64_t n = 0;

    if (space == NULL || space[1] < '1' || space[1] > '4' || space[2] != '\0') {
        mt_sb_reply_error(call, 400, "illegal_argument", "the body is USER and 1 to 4");
        mt_mem_free(user);
        return;
    }
    *space = '\0';
    for (struct mt_sb_session *s = call->sandbox->sessions; s != NULL; s = s->next)
        if (s->device != NULL && strcmp(s->device->user->name, user) == 0) {
            mt_sb_session_kick(s, (uint32_t)(space[1] - '0'), "the sandbox was told to");
            n++;
        }
    mt_jsonw_init(&call->json, &call->sandbox->answer);
    mt_jsonw_object(&call->json);
    number(&call->json, "kicked", n);
    mt_jsonw_object_end(&call->json);
    mt_mem_free(user);
}

static void get_faults(struct mt_sb_call *call)
{
    answer_text(call, "faults", call->sandbox->faults.spec);
}

static void get_log(struct mt_sb_call *call)
{
    mt_sb_record_print(call->sandbox->record, &call->sandbox->answer);
}

static void reset_log(struct mt_sb_call *call)
{
    mt_sb_record_reset(call->sandbox->record);
    answer_text(call, "log", "empty");
}

void mt_sb_rest_control(struct mt_sb_call *call)
{
    static const struct {
        const char *method, *name;
        void (*handle)(struct mt_sb_call *call);
    } controls[] = {
        {"POST", "faults", set_faults},
        {"GET", "faults", get_faults},
        {"GET", "log", get_log},
        {"POST", "reset-log", reset_log},
        {"POST", "cut", cut},
        {"POST", "kick", kick},
        {"POST", "rongcloud", mt_sb_rest_rongcloud},
        {"POST", "rongcloud-kick", mt_sb_rest_rongcloud_kick},
        {"POST", "rongcloud-arrange", mt_sb_rest_rongcloud_arrange},
        {"POST", "expire-files", mt_sb_rest_files_expire},
        {"POST", "refuse", mt_sb_rest_refuse},
        {"POST", "tell", mt_sb_rest_tell},
        {"GET", "view", mt_sb_rest_view},
        {"POST", "change", mt_sb_rest_change},
        {"POST", "when", mt_sb_rest_when},
        {"GET", "stats", stats},
    };

    for (size_t i = 0; i < sizeof controls / sizeof controls[0]; i++) {
        if (strcmp(controls[i].name, call->segment[1]) == 0 &&
            strcmp(controls[i].method, call->request->method) == 0) {
            controls[i].handle(call);
            return;
        }
    }
    mt_sb_reply_error(call, 404, "organization_application_not_found",
                      "the sandbox has the app " MT_SB_APPKEY ", and below /sandbox what "
                      "docs/sandbox.md lists");
}

#include "sandbox/sandbox.h"

#include "base/clock.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "sandbox/files_int.h"
#include "sandbox/fill_int.h"
#include "sandbox/msync_int.h"
#include "sandbox/record_int.h"
#include "sandbox/rest_int.h"
#include "sandbox/rongcloud/rongcloud.h"
#include "ws/server.h"

#include <stdio.h>
#include <string.h>

#define BEAT_MS 25000 /* SockJS servers say "h" this often */

/* One WebSocket: of the one cloud or of the other. */
struct peer {
    struct mt_sb_session *easemob;
    struct mt_sr_session *rongcloud;
};

static bool for_rongcloud(struct mt_sandbox *sandbox, struct mt_ws_exchange *exchange,
                          const struct mt_ws_request *request)
{
    struct mt_ws_answer answer = {0};
    if (!mt_sr_request(sandbox->rongcloud, request, &answer))
        return false;
    sandbox->request_n++;
    if (sandbox->faults.log)
        mt_sb_record_http(sandbox->record, request, mt_clock_wall_ms());
    mt_ws_answer(exchange, &answer);
    return true;
}

static void on_request(void *ud, struct mt_ws_exchange *exchange,
                       const struct mt_ws_request *request)
{
    struct mt_sb_reply reply;
    if (for_rongcloud(ud, exchange, request))
        return;
    mt_sb_rest_handle(ud, request, &reply);
    const struct mt_sandbox *sandbox = ud;
    char date[MT_SB_DATE_LEN];
    mt_sb_date(mt_sb_faults_clock_ms(&sandbox->faults), date);
    const char *headers[3] = {0};
    size_t headers_n = 0;
    if (date[0] != '\0')
        headers[headers_n++] = date;
    headers[headers_n] = reply.header;
    struct mt_ws_answer answer = {
        .status = reply.status,
        .content_type = reply.content_type,
        .headers = headers,
        .body = reply.body,
        .body_len = reply.body_len,
        .delay_ms = reply.delay_ms,
        .fault = reply.fault,
    };
    mt_ws_answer(exchange, &answer);
}

/* Answers are given at once, and a delayed one is the server's: nothing here holds the exchange. */
static void on_abandoned(void *ud, struct mt_ws_exchange *exchange)
{
    (void)ud;
    (void)exchange;
}

static bool open_easemob(struct mt_sandbox *sandbox, struct peer *own, struct mt_ws_peer *peer,
                         const char *path)
{
    bool sockjs = mt_sb_sockjs_path(path);
    if (!sockjs && strcmp(path, "/websocket") != 0)
        return false;
    own->easemob = mt_sb_session_new(sandbox, peer, sockjs);
    if (own->easemob != NULL && sockjs)
        (void)mt_ws_peer_send(peer, false, "o", 1);
    return own->easemob != NULL;
}

static bool on_open(void *ud, struct mt_ws_peer *peer, const char *path, const char *query,
                    void **peer_ud)
{
    struct mt_sandbox *sandbox = ud;
    struct peer *own = mt_mem_calloc(1, sizeof *own);
    bool opened = false;
    if (own == NULL)
        return false;
    if (mt_sr_is_ours(path, query)) {
        own->rongcloud = mt_sr_session_new(sandbox->rongcloud, peer, path, query);
        opened = own->rongcloud != NULL;
    } else {
        opened = open_easemob(sandbox, own, peer, path);
    }
    if (!opened)
        mt_mem_free(own);
    else
        *peer_ud = own;
    return opened;
}

static void on_message(void *ud, struct mt_ws_peer *peer, void *peer_ud, bool binary, const void *p,
                       size_t len)
{
    (void)ud;
    const struct peer *own = peer_ud;
    struct mt_sb_session *session = own->easemob;
    if (own->rongcloud != NULL)
        mt_sr_session_message(own->rongcloud, binary, p, len);
    else if (session->sockjs == binary)
        mt_ws_peer_close(peer, 1003);
    else if (binary)
        mt_sb_session_frame(session, p, len);
    else
        mt_sb_sockjs_message(session, p, len);
}

static void on_closed(void *ud, struct mt_ws_peer *peer, void *peer_ud)
{
    (void)ud;
    (void)peer;
    struct peer *own = peer_ud;
    mt_sb_session_free(own->easemob);
    mt_sr_session_free(own->rongcloud);
    mt_mem_free(own);
}

static void on_beat(void *ud)
{
    struct mt_sandbox *sandbox = ud;
    for (struct mt_sb_session *session = sandbox->sessions; session != NULL;
         session = session->next) {
        if (session->sockjs && !session->leaving)
            (void)mt_ws_peer_send(session->peer, false, "h", 1);
    }
}

static char *format(const char *pattern, const char *host, uint16_t port, const char *owner)
{
    size_t cap = strlen(pattern) + 3 * strlen(host) + strlen(owner) + 48;
    char *out = mt_mem_alloc(cap);
    if (out != NULL)
        (void)snprintf(out, cap, pattern, host, port, host, port, host, port, owner);
    return out;
}

/* The object storage knows no tokens: whoever brings one has shown it to a stranger. */
static void on_storage_request(void *ud, struct mt_ws_exchange *exchange,
                               const struct mt_ws_request *request)
{
    struct mt_sandbox *sandbox = ud;
    struct mt_ws_answer answer = {.status = 404, .body = "", .content_type = "text/plain"};
    if (sandbox->faults.log)
        mt_sb_record_http(sandbox->record, request, mt_clock_wall_ms());
    if (request->authorization[0] != '\0')
        answer.status = 400; /* as object storages say to two kinds of credentials */
    else
        mt_sb_files_stored(sandbox->files, request->path, request->query, &answer);
    mt_ws_answer(exchange, &answer);
}

static enum mt_rc listen_storage(struct mt_sandbox *sandbox, const char *host,
                                 struct mt_fault *fault)
{
    struct mt_ws_server_options options = {.host = host, .max_body_bytes = 1024};
    struct mt_ws_server_handlers handlers = {
        .request = on_storage_request,
        .abandoned = on_abandoned,
    };
    enum mt_rc rc =
        mt_ws_server_new(sandbox->loop, &options, &handlers, sandbox, &sandbox->storage, fault);
    if (rc != MT_OK)
        return rc;
    sandbox->storage_base =
        format("http://%s:%u/bucket/", host, mt_ws_server_port(sandbox->storage), "");
    return sandbox->storage_base != NULL
               ? MT_OK
               : mt_fault_set(fault, MT_ERR_NOMEM, "memory", "memory is short");
}

static enum mt_rc listen_on(struct mt_sandbox *sandbox, const struct mt_sandbox_options *options,
                            struct mt_fault *fault)
{
    const char *host = options->host == NULL ? "127.0.0.1" : options->host;
    struct mt_ws_server_options server = {
        .host = host,
        .port = options->port,
        .max_body_bytes = MT_SB_REQUEST_MAX,
        .max_message_bytes = 2 * MT_SB_FRAME_MAX,
    };
    struct mt_ws_server_handlers handlers = {
        .request = on_request,
        .abandoned = on_abandoned,
        .open = on_open,
        .message = on_message,
        .closed = on_closed,
    };
    enum mt_rc rc =
        mt_ws_server_new(sandbox->loop, &server, &handlers, sandbox, &sandbox->server, fault);
    if (rc != MT_OK)
        return rc;
    sandbox->port = mt_ws_server_port(sandbox->server);
    sandbox->host = mt_mem_strdup(host);
    sandbox->base = format("http://%s:%u", host, sandbox->port, "");
    sandbox->ready = format("{\"ready\":true,\"easemob\":{\"appkey\":\"" MT_SB_APPKEY
                            "\",\"rest\":\"http://%s:%u\",\"websocket\":\"ws://%s:%u/websocket\"},"
                            "\"rongcloud\":{\"appkey\":\"" MT_SR_APPKEY
                            "\",\"navigator\":\"http://%s:%u\"},\"owner\":\"%s\"}",
                            host, sandbox->port, sandbox->owner->name);
    if (sandbox->host == NULL || sandbox->base == NULL || sandbox->ready == NULL ||
        mt_sr_cloud_address(sandbox->rongcloud, sandbox->base + strlen("http://")) != MT_OK)
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "memory is short");
    return listen_storage(sandbox, host, fault);
}

static enum mt_rc prepare(struct mt_sandbox *sandbox, const struct mt_sandbox_options *options,
                          struct mt_fault *fault)
{
    const char *owner = options->owner == NULL ? "agent" : options->owner;
    struct mt_sr_hooks hooks;
    enum mt_rc rc = mt_sb_store_init(&sandbox->store, MT_SB_APPKEY);
    if (rc == MT_OK)
        rc = mt_sb_tokens_init(&sandbox->tokens);
    sandbox->record = mt_sb_record_new();
    sandbox->files = mt_sb_files_new();
    if (rc != MT_OK || sandbox->record == NULL || sandbox->files == NULL)
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "memory is short");
    rc =
        mt_sb_faults_parse(&sandbox->faults, options->faults == NULL ? "" : options->faults, fault);
    if (rc != MT_OK)
        return rc;
    if (strpbrk(owner, "\"\\/@# \t\r\n") == NULL)
        sandbox->owner = mt_sb_user_make(&sandbox->store, owner);
    if (sandbox->owner == NULL)
        return mt_fault_set(fault, MT_ERR_INVALID, "sandbox.owner",
                            "\"%.60s\" is no user id: use letters, digits, '.', '_' and '-'",
                            owner);
    sandbox->owner->registered = true;
    mt_sb_rongcloud_hooks(sandbox, &hooks);
    return mt_sr_cloud_new(sandbox->loop, options->second, &hooks, &sandbox->rongcloud, fault);
}

static enum mt_rc fill(struct mt_sandbox *sandbox, const struct mt_sandbox_options *options,
                       struct mt_fault *fault)
{
    char files[256];
    bool easemob = true;
    bool rongcloud = true;
    if (!mt_sb_clouds(options->clouds, &easemob, &rongcloud))
        return mt_fault_set(fault, MT_ERR_INVALID, "sandbox.clouds",
                            "--clouds takes easemob or rongcloud, not \"%.40s\"", options->clouds);
    (void)snprintf(files, sizeof files, "%s/" MT_SB_ORG "/" MT_SB_APP "/chatfiles/", sandbox->base);
    struct mt_sb_fill fill = {
        .store = &sandbox->store,
        .owner = sandbox->owner,
        .load = options->load,
        .generate_n = options->generate_n,
        .seed = sandbox->faults.seed,
        .rongcloud = rongcloud ? sandbox->rongcloud : NULL,
        .elsewhere = !easemob,
        .now_ms = mt_clock_wall_ms(),
        .span_ms = sandbox->faults.span_ms,
        .files_base = files,
    };
    return mt_sb_fill_run(&fill, fault);
}

static enum mt_rc start_beat(struct mt_sandbox *sandbox, struct mt_fault *fault)
{
    if (mt_timer_new(sandbox->loop, on_beat, sandbox, &sandbox->beat) != MT_OK)
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "memory is short");
    mt_timer_start(sandbox->beat, BEAT_MS, BEAT_MS);
    mt_timer_unref(sandbox->beat);
    return MT_OK;
}

enum mt_rc mt_sandbox_new(struct mt_loop *loop, const struct mt_sandbox_options *options,
                          struct mt_sandbox **out, struct mt_fault *fault)
{
    struct mt_sandbox *sandbox = mt_mem_calloc(1, sizeof *sandbox);
    if (sandbox == NULL)
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "memory is short");
    sandbox->loop = loop;
    sandbox->strict = options->strict_users;
    mt_buf_init(&sandbox->answer, MT_SB_ANSWER_MAX);
    enum mt_rc rc = prepare(sandbox, options, fault);
    if (rc == MT_OK)
        rc = listen_on(sandbox, options, fault);
    if (rc == MT_OK)
        rc = fill(sandbox, options, fault);
    if (rc == MT_OK)
        rc = start_beat(sandbox, fault);
    if (rc != MT_OK) {
        mt_sandbox_free(sandbox);
        return rc;
    }
    *out = sandbox;
    return MT_OK;
}

void mt_sandbox_free(struct mt_sandbox *sandbox)
{
    if (sandbox == NULL)
        return;
    mt_timer_free(sandbox->beat);
    if (sandbox->server != NULL)
        mt_ws_server_free(sandbox->server);
    mt_ws_server_free(sandbox->storage);
    while (sandbox->sessions !=
           NULL) /* all were closed with the server; this is for a failed start */
        mt_sb_session_free(sandbox->sessions);
    mt_sr_cloud_free(sandbox->rongcloud);
    mt_sb_when_drop(sandbox);
    mt_sb_postponed_drop(sandbox);
    mt_sb_store_deinit(&sandbox->store);
    mt_sb_tokens_deinit(&sandbox->tokens);
    mt_sb_faults_deinit(&sandbox->faults);
    mt_sb_record_free(sandbox->record);
    mt_mem_free(sandbox->orders);
    mt_sb_files_free(sandbox->files);
    mt_buf_deinit(&sandbox->answer);
    mt_mem_free(sandbox->host);
    mt_mem_free(sandbox->base);
    mt_mem_free(sandbox->storage_base);
    mt_mem_free(sandbox->ready);
    mt_mem_free(sandbox);
}

const char *mt_sandbox_ready(const struct mt_sandbox *sandbox)
{
    return sandbox->ready;
}

uint16_t mt_sandbox_port(const struct mt_sandbox *sandbox)
{
    return sandbox->port;
}

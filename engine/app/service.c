/* The listener: one request, one answer, made at once; only what the process takes is looked up on
 * the work pool first. */
#include "app/service_int.h"

#include "app/serve_int.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"
#include "codec/base64.h"
#include "codec/hash.h"
#include "codec/json.h"
#include "loop/loop.h"
#include "script/config.h"
#include "ws/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define CONNECTIONS_MAX 32
#define REQUEST_S       10
#define REQUEST_BYTES   1024 /* of a body, that nobody looks at */
#define BODY_MAX        ((size_t)32 << 20)
#define REFRESH_S       10

struct mt_service {
    struct mt_serve *serve;
    struct mt_ws_server *server;
    struct asking *askings;
    char host[MT_LISTEN_HOST_MAX];
    uint16_t port;
    char policy[320];
};

/* A request for the figures, while they are looked up. */
struct asking {
    struct asking *next;
    struct mt_service *service;      /* NULL: gone */
    struct mt_ws_exchange *exchange; /* NULL: nobody waits any more */
    struct mt_process_figures process;
    struct mt_service_rows *rows;
    struct mt_buf accounts; /* their text */
    char state[4096];       /* the folder of what is durable */
};

/* ---------------------------------------------------------------- what is remembered */

void mt_serve_figures_init(struct mt_serve_figures *figures)
{
    static const double bounds[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                    0.1,   0.25,   0.5,   1,    2.5,   10};

    memset(figures, 0, sizeof *figures);
    figures->started_ms = mt_clock_wall_ms();
    figures->started_mono_ms = mt_clock_mono_ms();
    mt_histogram_init(&figures->lag, bounds, sizeof bounds / sizeof *bounds);
}

void mt_serve_note(struct mt_serve *serve, const char *job, const struct mt_fault *fault)
{
    struct mt_serve_figures *figures = &serve->figures;
    struct mt_service_fault *at = &figures->faults[figures->faults_n++ % MT_SERVICE_FAULTS];

    at->at_ms = mt_clock_wall_ms();
    at->of = "job";
    snprintf(at->name, sizeof at->name, "%s", job);
    at->fault = *fault;
    mt_secret_redact(at->fault.message, strlen(at->fault.message));
}

void mt_process_look(const char *state, struct mt_process_figures *out)
{
    char head[4096 + 16];
    struct mt_fs_stat st;
    struct rlimit limit;
    char *text = NULL;
    char **names = NULL;
    size_t n = 0;

    memset(out, 0, sizeof *out);
    if (!mt_fs_read_all("/proc/self/statm", 4096, &text, &n) && strchr(text, ' ')) /* the second */
        out->resident_bytes =
            strtoull(strchr(text, ' '), NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
    mt_mem_free(text);
    if (!mt_fs_list("/proc/self/fd", &names, &n)) {
        out->open_fds = n ? n - 1 : 0; /* one was for looking */
        mt_mem_free(names);
    }
    if (!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur != RLIM_INFINITY)
        out->max_fds = limit.rlim_cur;
    snprintf(head, sizeof head, "%s/audit/HEAD", state);
    if (!mt_fs_stat(head, &st) && st.mtime_ms > 0)
        out->audit_head_s = (uint64_t)st.mtime_ms / 1000;
}

/* ---------------------------------------------------------------- answers */

static void answer(const struct mt_service *service, struct mt_ws_exchange *exchange, int status,
                   const char *type, const struct mt_buf *body)
{
    static const char sorry[] = "out of memory\n";
    const char *headers[] = {service->policy,
                             "Cache-Control: no-store",
                             "X-Content-Type-Options: nosniff",
                             "Referrer-Policy: no-referrer",
                             "X-Frame-Options: DENY",
                             "Cross-Origin-Resource-Policy: same-origin",
                             status == 405 ? "Allow: GET, HEAD" : NULL,
                             NULL};
    struct mt_ws_answer out;

    memset(&out, 0, sizeof out);
    out.status = body->failed ? 500 : status;
    out.content_type = body->failed ? "text/plain; charset=utf-8" : type;
    out.headers = headers;
    out.body = body->failed ? sorry : body->data ? body->data : "";
    out.body_len = body->failed ? sizeof sorry - 1 : body->len;
    mt_ws_answer(exchange, &out);
}

static void refuse(const struct mt_service *service, struct mt_ws_exchange *exchange, int status)
{
    struct mt_buf text;

    mt_buf_init(&text, 256);
    mt_buf_append_str(&text, status == 404   ? "There is /, /status.json, /metrics, /health and "
                                               "/ready.\n"
                             : status == 405 ? "Only GET and HEAD.\n"
                                             : "This is not the host that was asked for.\n");
    answer(service, exchange, status, "text/plain; charset=utf-8", &text);
    mt_buf_deinit(&text);
}

static void health(const struct mt_service *service, struct mt_buf *out)
{
    int64_t up_ms = mt_clock_mono_ms() - service->serve->figures.started_mono_ms;

    mt_buf_appendf(out, "{\"status\":\"alive\",\"uptime_seconds\":%lld}\n",
                   (long long)(up_ms / 1000));
}

static void page(const struct mt_service *service, const char *query, struct mt_buf *out)
{
    struct mt_json *state = NULL;
    struct mt_buf text;

    mt_buf_init(&text, BODY_MAX);
    mt_service_state(service->serve, &text);
    if (text.failed || mt_json_parse(text.data, text.len, BODY_MAX, &state, NULL))
        out->failed = MT_ERR_NOMEM;
    else
        mt_service_page(state, strcmp(query, "refresh=off") ? REFRESH_S : 0, out);
    mt_json_free(state);
    mt_buf_deinit(&text);
}

/* ---------------------------------------------------------------- figures */

static void look_up(void *ud)
{
    struct asking *asking = ud;

    mt_process_look(asking->state, &asking->process);
    mt_service_rows_write(asking->rows, &asking->accounts);
}

static void asking_free(struct asking *asking)
{
    mt_service_rows_free(asking->rows);
    mt_buf_deinit(&asking->accounts);
    mt_mem_free(asking);
}

static void looked_up(void *ud, bool cancelled)
{
    struct asking *asking = ud;
    struct mt_service *service = asking->service;
    struct asking **at = service ? &service->askings : NULL;
    struct mt_buf out;

    while (at && *at != asking)
        at = &(*at)->next;
    if (at)
        *at = asking->next;
    if (service && asking->exchange) {
        mt_buf_init(&out, BODY_MAX);
        mt_service_metrics(service->serve, &asking->process, &out);
        if (asking->accounts.failed || cancelled)
            out.failed = MT_ERR_NOMEM;
        else
            mt_buf_append(&out, asking->accounts.data, asking->accounts.len);
        answer(service, asking->exchange, 200, "text/plain; version=0.0.4; charset=utf-8", &out);
        mt_buf_deinit(&out);
    }
    asking_free(asking);
}

static void figures(struct mt_service *service, struct mt_ws_exchange *exchange)
{
    struct asking *asking = mt_mem_calloc(1, sizeof *asking);
    struct mt_buf none;

    if (asking) {
        mt_buf_init(&asking->accounts, BODY_MAX);
        asking->rows = mt_service_rows_take(service->serve);
        mt_accounts_state(service->serve->accounts, asking->state, sizeof asking->state);
        asking->service = service;
        asking->exchange = exchange;
        asking->next = service->askings;
        service->askings = asking;
        if (asking->rows && !mt_work_start(service->serve->loop, look_up, looked_up, asking, NULL))
            return;
        service->askings = asking->next;
        asking_free(asking);
    }
    mt_buf_init(&none, 0);
    none.failed = MT_ERR_NOMEM;
    answer(service, exchange, 500, "text/plain", &none);
}

static void abandoned(void *ud, struct mt_ws_exchange *exchange)
{
    const struct mt_service *service = ud;

    for (struct asking *asking = service->askings; asking; asking = asking->next) {
        if (asking->exchange == exchange)
            asking->exchange = NULL;
    }
}

static void request(void *ud, struct mt_ws_exchange *exchange, const struct mt_ws_request *asked)
{
    struct mt_service *service = ud;
    const char *type = "application/json";
    int status = 0;
    enum mt_service_page which =
        mt_service_route(asked->method, asked->path, mt_ws_request_header(asked, "Host"),
                         service->host, service->port, &status);
    struct mt_buf out;

    if (which == MT_SERVICE_NOTHING) {
        refuse(service, exchange, status);
        return;
    }
    if (which == MT_SERVICE_METRICS) {
        figures(service, exchange);
        return;
    }
    mt_buf_init(&out, BODY_MAX);
    if (which == MT_SERVICE_HEALTH) {
        health(service, &out);
    } else if (which == MT_SERVICE_READY) {
        status = mt_service_ready(service->serve, &out) ? 200 : 503;
    } else if (which == MT_SERVICE_STATUS_JSON) {
        mt_service_state(service->serve, &out);
    } else {
        type = "text/html; charset=utf-8";
        page(service, asked->query, &out);
    }
    answer(service, exchange, status, type, &out);
    mt_buf_deinit(&out);
}

/* ---------------------------------------------------------------- life */

/* Nothing is loaded, nothing is run, and of styles only the one that stands in the page. */
static void write_policy(struct mt_service *service)
{
    const char *style = mt_service_style();
    uint8_t digest[MT_SHA256_LEN];
    struct mt_buf hash;

    mt_sha256_of(style, strlen(style), digest);
    mt_buf_init(&hash, 128);
    mt_base64_encode(&hash, digest, sizeof digest);
    snprintf(service->policy, sizeof service->policy,
             "Content-Security-Policy: default-src 'none'; style-src 'sha256-%s'; img-src data:; "
             "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
             hash.failed ? "" : hash.data);
    mt_buf_deinit(&hash);
}

enum mt_rc mt_service_new(struct mt_serve *serve, const char *listen, struct mt_service **out,
                          struct mt_fault *fault)
{
    static const struct mt_ws_server_handlers handlers = {.request = request,
                                                          .abandoned = abandoned};
    struct mt_ws_server_options options;
    struct mt_service *service = mt_mem_calloc(1, sizeof *service);
    enum mt_rc rc = MT_OK;

    *out = NULL;
    if (!service)
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    service->serve = serve;
    write_policy(service);
    memset(&options, 0, sizeof options);
    options.host = service->host;
    options.max_connections = CONNECTIONS_MAX;
    options.request_s = REQUEST_S;
    options.max_body_bytes = REQUEST_BYTES;
    rc = mt_config_listen_parse(listen, service->host, &options.port, fault);
    if (!rc)
        rc = mt_ws_server_new(serve->loop, &options, &handlers, service, &service->server, fault);
    if (rc) {
        mt_mem_free(service);
        return rc;
    }
    service->port = mt_ws_server_port(service->server);
    mt_log(MT_LOG_INFO, "serve", "the status is at http://%s:%u/", service->host,
           (unsigned)service->port);
    *out = service;
    return MT_OK;
}

void mt_service_free(struct mt_service *service)
{
    if (!service)
        return;
    mt_ws_server_free(service->server);
    for (struct asking *asking = service->askings; asking; asking = asking->next)
        asking->service = NULL; /* freed when it comes back */
    mt_mem_free(service);
}

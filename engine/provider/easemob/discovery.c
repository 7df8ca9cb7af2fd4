/* Service discovery (easemob.md §1.2): GET {base}/easemob/server.json?app_key=… names the REST
 * hosts of an app. The bases are asked one after the other; any failure moves on to the next. */
#include "provider/easemob/account_int.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "codec/json.h"

#include <stdio.h>
#include <string.h>

#define ANSWER_MAX ((size_t)256 * 1024)

static const char *const default_bases[] = {"https://rs.easemob.com", "https://rs.chat.agora.io"};

static const char *base_at(const struct mt_provider_account *account, size_t i)
{
    size_t n = account->discovery_n > 0 ? account->discovery_n
                                        : sizeof default_bases / sizeof default_bases[0];

    if (i >= n)
        return NULL;
    return account->discovery_n > 0 ? account->discovery[i] : default_bases[i];
}

bool mt_em_loopback(const char *url)
{
    static const char *const hosts[] = {"127.", "localhost", "[::1]"};
    const char *host = strstr(url, "://");

    host = host == NULL ? url : host + 3;
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        size_t len = strlen(hosts[i]);

        if (strncmp(host, hosts[i], len) == 0 &&
            (i == 0 || host[len] == '\0' || host[len] == ':' || host[len] == '/'))
            return true;
    }
    return false;
}

/* Letters, digits, '.', '-', ':' and brackets: nothing that could change what an URL means. */
static bool host_ok(const char *host)
{
    return host != NULL && host[0] != '\0' && strlen(host) < 254 &&
           strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]") ==
               strlen(host);
}

/* Ports come as strings or numbers (§1.2). */
static int64_t port_of(const struct mt_json *host)
{
    const struct mt_json *node = mt_json_get(host, "port");
    int64_t port = mt_json_i64(node, 0);

    return port > 0 && port < 65536 ? port : 0;
}

static bool read_host(const struct mt_json *host, bool plain, char *out, size_t out_size)
{
    const char *scheme = plain ? "http" : "https";
    const char *protocol = mt_json_str(mt_json_get(host, "protocol"));
    const char *domain = mt_json_str(mt_json_get(host, "domain"));
    const char *ip = mt_json_str(mt_json_get(host, "ip"));
    int64_t port = port_of(host);

    if (protocol == NULL || strcmp(protocol, scheme) != 0)
        return false;
    if (plain && host_ok(ip))
        domain = ip;
    if (!host_ok(domain))
        return false;
    if (port == 0 || port == 80 || port == 443)
        snprintf(out, out_size, "%s://%s", scheme, domain);
    else
        snprintf(out, out_size, "%s://%s:%d", scheme, domain, (int)port);
    return true;
}

/* The raw WebSocket is msync-wx; msync-ws is the SockJS of old clients (§1.2). */
static void read_websocket(const struct mt_json *root, bool plain, char out[300])
{
    const struct mt_json *list = mt_json_get(mt_json_get(root, "msync-wx"), "hosts");
    char host[280];

    for (const struct mt_json *h = mt_json_child(list); h != NULL; h = mt_json_next(h)) {
        if (!read_host(h, plain, host, sizeof host))
            continue;
        snprintf(out, 300, "%s%s/websocket", plain ? "ws" : "wss",
                 host + strlen(plain ? "http" : "https"));
        return;
    }
}

size_t mt_em_discovery_parse(const char *text, size_t len, bool plain, char hosts[][300],
                             size_t max, char websocket[300])
{
    struct mt_json *root = NULL;
    const struct mt_json *list = NULL;
    size_t n = 0;

    if (mt_json_parse(text, len, ANSWER_MAX, &root, NULL) != MT_OK)
        return 0;
    list = mt_json_get(mt_json_get(root, "rest"), "hosts");
    for (const struct mt_json *h = mt_json_child(list); h != NULL && n < max; h = mt_json_next(h))
        if (read_host(h, plain, hosts[n], sizeof hosts[n]))
            n++;
    read_websocket(root, plain, websocket);
    mt_json_free(root);
    return n;
}

static void ask(struct mt_provider_account *account);

/* Keeps the hosts that the answer names; false: it names none that can be used. */
static bool take_hosts(struct mt_em_session *session, const struct mt_http_response *response,
                       bool plain)
{
    char hosts[MT_EM_HOSTS_MAX][300];
    size_t n = mt_em_discovery_parse(response->body, response->body_len, plain, hosts,
                                     MT_EM_HOSTS_MAX, session->websocket);
    char(*kept)[300] = n > 0 ? mt_mem_realloc(session->hosts, n * sizeof *hosts) : NULL;

    if (kept == NULL)
        return false;
    memcpy(kept, hosts, n * sizeof *hosts);
    session->hosts = kept;
    session->hosts_n = n;
    session->host_at = 0;
    return true;
}

static void on_answer(void *ud, enum mt_rc rc, const struct mt_http_response *response,
                      const struct mt_fault *cause)
{
    struct mt_provider_account *account = ud;
    struct mt_em_session *session = &account->session;
    const char *base = base_at(account, session->discovery_at);
    struct mt_fault *why = &session->last_base;

    session->http = NULL;
    if (account->closed)
        goto out;
    if (rc == MT_OK && response->status == 200) {
        bool plain = mt_str_starts(base, "http://") && mt_em_loopback(base);

        if (take_hosts(session, response, plain)) {
            mt_em_account_set_api(account, session->hosts[0]);
            mt_em_session_discovered(account, MT_OK, NULL);
            goto out;
        }
        (void)mt_fault_set(why, MT_ERR_PROTOCOL, "discovery.no_host",
                           "its answer names no usable REST host");
    } else {
        (void)mt_em_fault_http(why, MT_EM_FEATURE_LOGIN, rc, response, cause);
    }
    mt_log(MT_LOG_WARN, "easemob", "%s: service discovery at %s failed: %s", account->name, base,
           why->message);
    session->discovery_at++;
    ask(account);
out:
    mt_em_account_release(account);
}

static enum mt_rc send_one(struct mt_provider_account *account, const char *base,
                           struct mt_fault *fault)
{
    struct mt_buf url;
    enum mt_rc rc = MT_OK;

    mt_buf_init(&url, MT_EM_URL_MAX);
    (void)mt_buf_appendf(&url, "%s/easemob/server.json?app_key=", base);
    (void)mt_http_escape(&url, account->appkey);
    (void)mt_buf_appendf(&url, "&_v=%lld", (long long)mt_clock_wall_ms());
    if (url.failed != MT_OK)
        rc = mt_fault_set(fault, url.failed, "memory", "the request could not be built");
    else
        rc = mt_http_start(account->http,
                           &(struct mt_http_request){.method = "GET",
                                                     .url = url.data,
                                                     .max_attempts = 2,
                                                     .deadline_ms = 20000,
                                                     .attempt_ms = 15000,
                                                     .retry = MT_HTTP_RETRY_SAFE},
                           on_answer, account, &account->session.http, fault);
    mt_buf_deinit(&url);
    return rc;
}

static void ask(struct mt_provider_account *account)
{
    struct mt_em_session *session = &account->session;
    struct mt_fault fault = {.kind = MT_OK};
    const char *base = NULL;
    enum mt_rc kind = MT_ERR_NETWORK;

    while ((base = base_at(account, session->discovery_at)) != NULL) {
        if (send_one(account, base, &session->last_base) == MT_OK) {
            mt_em_account_retain(account);
            return;
        }
        session->http = NULL;
        session->discovery_at++;
    }
    if (session->last_base.kind != MT_OK)
        kind = session->last_base.kind;
    (void)mt_fault_set(
        &fault, kind, "discovery.failed",
        "service discovery failed for appkey %s (last: %s); set rest = \"https://…\" in the "
        "account, the console shows the REST host of the app",
        account->appkey, session->last_base.message);
    fault.provider_code = 304;
    fault.http_status = session->last_base.http_status;
    mt_em_session_discovered(account, kind, &fault);
}

void mt_em_discovery_start(struct mt_provider_account *account)
{
    account->session.discovery_at = 0;
    account->session.last_base = (struct mt_fault){.kind = MT_OK};
    ask(account);
}

/* Navigation: which servers an account connects to (rongcloud.md 1). The candidates are asked one
 * after the other; a refusal of the token ends it at once. */
#include "provider/rongcloud/account_int.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "codec/json.h"
#include "http/http.h"
#include "provider/rongcloud/faults_int.h"
#include "provider/rongcloud/files_int.h"

#include <stdio.h>
#include <string.h>

#define ANSWER_MAX     ((size_t)256 * 1024)
#define TOKEN_BODY_MAX ((size_t)64 * 1024)
#define ASK_MS         10000 /* each of them (1.1) */
#define KEPT_MS        ((int64_t)2 * 3600 * 1000)
#define CANDIDATES_MAX 16

#define CODE_NAVI    30007
#define CODE_TOKEN   31004
#define CODE_LICENCE 31030

/* Of the area Beijing, which is the SDK's own default (1.1). */
static const char *const default_navigators[] = {"https://dualstack-nav.rong-edge.com",
                                                 "https://nav-b.rong-edge.com"};

/* ---------------------------------------------------------------- candidates */

struct candidates {
    char at[CANDIDATES_MAX][MT_RONG_ADDRESS_MAX];
    size_t n;
};

/* A bare host means https (1.1). Nothing that could change what the address means is taken. */
static void add(struct candidates *list, const char *s, size_t len)
{
    char *at = list->at[list->n < CANDIDATES_MAX ? list->n : 0];

    while (len > 0 && s[len - 1] == '/')
        len--;
    if (list->n >= CANDIDATES_MAX || len == 0 || len + 9 > MT_RONG_ADDRESS_MAX)
        return;
    snprintf(at, MT_RONG_ADDRESS_MAX, "%s%.*s",
             len > 7 && (strncmp(s, "http://", 7) == 0 || strncmp(s, "https://", 8) == 0)
                 ? ""
                 : "https://",
             (int)len, s);
    if (strpbrk(at, " \t\r\n\"\\?#@") != NULL)
        return;
    for (size_t i = 0; i < list->n; i++)
        if (strcmp(list->at[i], at) == 0)
            return;
    list->n++;
}

/* The hosts in the token, then those of the configuration, or the area's (1.1). */
static void collect(const struct mt_provider_account *account, struct candidates *out)
{
    const char *hosts = strchr(mt_secret_bytes(account->token), '@');

    out->n = 0;
    for (const char *p = hosts; p != NULL && *p != '\0'; p = strchr(p, ';')) {
        size_t len = strcspn(++p, ";");
        add(out, p, len);
    }
    for (size_t i = 0; i < account->navigators_n; i++)
        add(out, account->navigators[i], strlen(account->navigators[i]));
    if (account->navigators_n > 0)
        return;
    for (size_t i = 0; i < sizeof default_navigators / sizeof default_navigators[0]; i++)
        add(out, default_navigators[i], strlen(default_navigators[i]));
}

/* ---------------------------------------------------------------- the answer */

/* Letters, digits, '.', '-', ':' and brackets: nothing that could change what an URL means. */
static bool host_ok(const char *host, size_t len)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]";

    if (len == 0 || len >= MT_RONG_ADDRESS_MAX - 8)
        return false;
    for (size_t i = 0; i < len; i++)
        if (host[i] == '\0' || strchr(plain, host[i]) == NULL)
            return false;
    return true;
}

struct server {
    int64_t weight;
    char address[MT_RONG_ADDRESS_MAX];
};

struct servers {
    struct server at[MT_RONG_ADDRESSES_MAX];
    size_t n;
};

/* Those of equal weight keep their order. */
static void add_server(struct servers *list, const char *scheme, const char *host, size_t len,
                       int64_t weight)
{
    size_t i = list->n;

    if (!host_ok(host, len) || list->n >= MT_RONG_ADDRESSES_MAX)
        return;
    for (; i > 0 && list->at[i - 1].weight < weight; i--)
        list->at[i] = list->at[i - 1];
    list->at[i].weight = weight;
    snprintf(list->at[i].address, sizeof list->at[i].address, "%s://%.*s", scheme, (int)len, host);
    list->n++;
}

/* protocol 5 is ws, which goes with a navigator over http, 6 is wss (1.1, 1.2). */
static void read_servers(const struct mt_json *root, bool plain, struct servers *out)
{
    const struct mt_json *list = mt_json_get(root, "serverAddr");

    for (const struct mt_json *s = mt_json_child(list); s != NULL; s = mt_json_next(s)) {
        const char *host = mt_json_str(mt_json_get(s, "addr"));
        int64_t protocol = mt_json_i64(mt_json_get(s, "protocol"), 0);
        int64_t weight = mt_json_i64(mt_json_get(s, "weight"), 0);

        if (host != NULL && (protocol == 6 || (protocol == 5 && plain)))
            add_server(out, protocol == 6 ? "wss" : "ws", host, strlen(host), weight);
    }
}

/* The form of version 1, which counts only where the other is absent (1.2). */
static void read_old_servers(const struct mt_json *root, bool plain, struct servers *out)
{
    static const char *const keys[] = {"server", "backupServer", "bs"};

    if (mt_json_get(root, "serverAddr") != NULL)
        return;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const char *p = mt_json_str(mt_json_get(root, keys[i]));

        while (p != NULL && *p != '\0') {
            size_t len = strcspn(p, ",");

            add_server(out, plain ? "ws" : "wss", p, len, -(int64_t)i);
            p += len + (p[len] == ',');
        }
    }
}

static bool bit(const struct mt_json *root, const char *key, unsigned n)
{
    return mt_json_i64(mt_json_get(root, key), 0) >> n & 1;
}

static bool is_one(const struct mt_json *root, const char *key)
{
    const struct mt_json *node = mt_json_get(root, key);
    return mt_json_i64(node, 0) == 1 || mt_json_bool(node, false);
}

static void read_flags(const struct mt_json *root, struct mt_rong_navi *out)
{
    int64_t receipts = mt_json_i64(mt_json_get(root, "grpRRVer"), 0);
    int64_t minutes = mt_json_i64(mt_json_get(root, "msgModifyMinute"), 0);
    int64_t ip_type = mt_json_i64(mt_json_get(root, "ipType"), 0);

    out->version = is_one(root, "openAnti") ? 4 : 3;
    out->direct = mt_json_i64(mt_json_get(root, "openHistoryMsg"), -1) == 0;
    out->session_driven = is_one(root, "sesDriven");
    out->server_unread = is_one(root, "serverSaveUnread");
    out->recall_refactor = is_one(root, "supportRecallRefactor");
    out->ultra = bit(root, "ugMsg", 0);
    out->ultra_in_list = bit(root, "sessionCfg", 0);
    out->default_channel = bit(root, "ugDriven", 1);
    out->realtime = bit(root, "sessionMode", 0);
    out->receipts = receipts >= 0 && receipts <= 4 ? (int)receipts : 0;
    out->modify_minutes = minutes > 0 && minutes < 1000000 ? minutes : 0;
    out->ip_type = ip_type > 0 && ip_type < 100 ? (int)ip_type : 0;
}

/* Where files go; an app that uploads nothing does not miss it. */
static enum mt_rc read_storages(const struct mt_json *root, struct mt_rong_navi *out)
{
    const char *server = mt_json_str(mt_json_get(root, "uploadServer"));
    struct mt_rong_storages *list = mt_mem_calloc(1, sizeof *list);

    if (list == NULL)
        return MT_ERR_NOMEM;
    mt_rong_storages_read(mt_json_str(mt_json_get(root, "ossConfig")), list);
    if (list->n == 0 && server != NULL)
        mt_rong_storages_add(list, MT_RONG_QINIU, server, 1);
    if (list->n > 0)
        out->storages = list;
    else
        mt_mem_free(list);
    return MT_OK;
}

enum mt_rc mt_rong_navi_parse(const char *text, size_t len, bool plain, struct mt_rong_navi *out,
                              int *code)
{
    struct mt_json *root = NULL;
    struct servers *servers = NULL;
    int64_t said = 0;
    enum mt_rc rc = mt_json_parse(text, len, ANSWER_MAX, &root, NULL);

    memset(out, 0, sizeof *out);
    *code = CODE_NAVI;
    if (rc != MT_OK)
        return rc == MT_ERR_NOMEM ? rc : MT_ERR_PROTOCOL;
    said = mt_json_i64(mt_json_get(root, "code"), 0);
    *code = said > 0 && said < 100000 ? (int)said : CODE_NAVI;
    servers = mt_mem_calloc(1, sizeof *servers);
    if (servers != NULL) {
        read_servers(root, plain, servers);
        read_old_servers(root, plain, servers);
        read_flags(root, out);
        if (servers->n > 0)
            out->addresses = mt_mem_calloc(servers->n, sizeof *out->addresses);
    }
    rc = servers == NULL || (servers->n > 0 && out->addresses == NULL) ? MT_ERR_NOMEM
                                                                       : read_storages(root, out);
    for (size_t i = 0; rc == MT_OK && i < servers->n; i++)
        memcpy(out->addresses[out->addresses_n++], servers->at[i].address,
               sizeof out->addresses[0]);
    if (rc == MT_OK && (*code != 200 || out->addresses_n == 0))
        rc = MT_ERR_PROTOCOL;
    mt_mem_free(servers);
    mt_json_free(root);
    if (rc != MT_OK)
        mt_rong_navi_free(out);
    return rc;
}

void mt_rong_navi_free(struct mt_rong_navi *navi)
{
    mt_mem_free(navi->addresses);
    mt_mem_free(navi->storages);
    memset(navi, 0, sizeof *navi);
}

/* ---------------------------------------------------------------- asking */

static void ask(struct mt_provider_account *account);

/* True: it is of no use to ask another one. */
static bool refused(struct mt_provider_account *account, int status, struct mt_fault *fault)
{
    int code = status == 401 || status == 403 ? CODE_TOKEN : status == 416 ? CODE_LICENCE : 0;

    if (code == 0)
        return false;
    (void)mt_rong_fault(fault, code, "login");
    mt_fault_prefix(fault, "%s", account->name);
    fault->http_status = status;
    return true;
}

/* Why this one is of no use, into link.reason. True: none is. */
static bool take(struct mt_provider_account *account, const char *base, enum mt_rc rc,
                 const struct mt_http_response *response, const struct mt_fault *cause)
{
    struct mt_fault *why = &account->link.reason;
    struct mt_rong_navi navi;
    int code = 200;

    if (response != NULL && response->status > 0 && refused(account, response->status, why))
        return true;
    if (rc != MT_OK || response == NULL) {
        *why = *cause;
    } else if (response->status != 200) {
        (void)mt_fault_set(why, response->status >= 500 ? MT_ERR_REMOTE : MT_ERR_PROTOCOL,
                           "navigation.status", "it answered with HTTP %d", response->status);
        why->http_status = response->status;
    } else {
        rc = mt_rong_navi_parse(response->body, response->body_len, mt_str_starts(base, "http://"),
                                &navi, &code);
        if (rc == MT_OK) {
            mt_rong_navi_free(&account->navi);
            account->navi = navi;
            account->navi.fetched_ms = mt_clock_mono_ms();
            account->link.navigate = false;
            why->kind = MT_OK;
            return true;
        }
        if (code != 200 && refused(account, code, why))
            return true;
        (void)mt_fault_set(why, rc, "navigation.answer",
                           code == 200 ? "its answer names no server that can be used"
                                       : "it gave an answer that its protocol does not know");
    }
    return false;
}

static void on_answer(void *ud, enum mt_rc rc, const struct mt_http_response *response,
                      const struct mt_fault *cause)
{
    struct mt_provider_account *account = ud;
    struct mt_rong_link *link = &account->link;
    struct candidates list;

    if (rc == MT_ERR_CANCELLED)
        goto out; /* by mt_rong_navi_stop */
    link->http = NULL;
    if (account->closed || link->stage != MT_RONG_NAVIGATING)
        goto out;
    collect(account, &list);
    const char *base = link->navigator_at < list.n ? list.at[link->navigator_at] : "";
    if (take(account, base, rc, response, cause)) {
        struct mt_fault fault = link->reason;

        mt_rong_navigated(account, fault.kind, &fault);
        goto out;
    }
    mt_log(MT_LOG_WARN, "rongcloud", "%s: navigation at %s failed: %s", account->name, base,
           link->reason.message);
    link->navigator_at++;
    ask(account);
out:
    mt_rong_account_release(account);
}

/* The token as the form wants it: whole, with the hosts behind its '@' (1.4). */
static enum mt_rc form(const struct mt_provider_account *account, struct mt_buf *out)
{
    (void)mt_buf_append_str(out, "token=");
    (void)mt_http_escape(out, mt_secret_bytes(account->token));
    (void)mt_buf_append_str(out, "&v=" MT_RONG_SDK_VERSION "&platfrom=browser"); /* sic */
    return out->failed;
}

static enum mt_rc send_one(struct mt_provider_account *account, const char *base,
                           struct mt_fault *fault)
{
    char url[MT_RONG_ADDRESS_MAX + 32], key[256], negotiate[64];
    const char *headers[] = {key, "Content-Type: Application/x-www-form-urlencoded", negotiate,
                             NULL};
    struct mt_buf body;
    enum mt_rc rc = MT_OK;

    snprintf(url, sizeof url, "%s/v2/navi.json?cloud=0", base);
    snprintf(key, sizeof key, "RC-Appkey: %s", account->appkey);
    snprintf(negotiate, sizeof negotiate, "RC-Negotiate: conn=%d;rtc=4;log=2;iptype=v4,v6",
             mt_str_starts(base, "http://") ? 5 : 6);
    mt_buf_init(&body, TOKEN_BODY_MAX);
    if (form(account, &body) != MT_OK)
        rc = mt_fault_set(fault, body.failed, "memory", "the request could not be built");
    else
        rc = mt_http_start(account->http,
                           &(struct mt_http_request){.method = "POST",
                                                     .url = url,
                                                     .headers = headers,
                                                     .body = body.data,
                                                     .body_len = body.len,
                                                     .max_response_bytes = ANSWER_MAX,
                                                     .max_attempts = 1,
                                                     .deadline_ms = ASK_MS,
                                                     .attempt_ms = ASK_MS,
                                                     .retry = MT_HTTP_RETRY_SAFE},
                           on_answer, account, &account->link.http, fault);
    if (body.data != NULL)
        explicit_bzero(body.data, body.len);
    mt_buf_deinit(&body);
    return rc;
}

static void ask(struct mt_provider_account *account)
{
    struct mt_rong_link *link = &account->link;
    struct mt_fault fault = {.kind = MT_OK};
    struct candidates list;
    enum mt_rc kind = MT_ERR_NETWORK;

    collect(account, &list);
    while (link->navigator_at < list.n) {
        if (send_one(account, list.at[link->navigator_at], &link->reason) == MT_OK) {
            mt_rong_account_retain(account);
            return;
        }
        link->http = NULL;
        link->navigator_at++;
    }
    if (link->reason.kind != MT_OK) /* a garbled answer may be another one next time */
        kind = link->reason.kind == MT_ERR_PROTOCOL ? MT_ERR_REMOTE : link->reason.kind;
    (void)mt_fault_set(&fault, kind, "navigation.failed",
                       "%s: no navigator names a server for appkey %s (last: %.100s); set "
                       "navigators = { \"https://…\" } in the account if the app has its own",
                       account->name, account->appkey, link->reason.message);
    fault.provider_code = CODE_NAVI;
    fault.http_status = link->reason.http_status;
    mt_rong_navigated(account, kind, &fault);
}

void mt_rong_navigate(struct mt_provider_account *account)
{
    struct mt_rong_link *link = &account->link;

    if (!link->navigate && account->navi.addresses_n > 0 &&
        mt_clock_mono_ms() - account->navi.fetched_ms < KEPT_MS) {
        mt_rong_navigated(account, MT_OK, NULL);
        return;
    }
    link->navigator_at = 0;
    link->reason = (struct mt_fault){.kind = MT_OK};
    ask(account);
}

void mt_rong_navi_stop(struct mt_provider_account *account)
{
    if (account->link.http != NULL)
        mt_http_cancel(account->link.http);
    account->link.http = NULL;
}

/* Opening and closing an account, and the table of this provider. */
#include "provider/easemob/account_int.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "provider/easemob/app_int.h"
#include "provider/easemob/conversations_int.h"
#include "provider/easemob/files_int.h"
#include "provider/easemob/live_int.h"
#include "provider/easemob/manage_int.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* The documented limit is 100 requests a second for an app, shared with its live users
 * (easemob-service.md §3.3). */
#define DEFAULT_PLATFORM   77
#define DEFAULT_RATE_PER_S 80.0
#define WARNED_MAX         256

extern const struct mt_provider mt_provider_easemob;

static char *escaped(const char *s, size_t len)
{
    char *copy = mt_mem_strndup(s, len);
    struct mt_buf out;
    char *text = NULL;

    mt_buf_init(&out, 1024);
    if (copy != NULL && mt_http_escape(&out, copy) == MT_OK)
        text = mt_buf_steal(&out, NULL);
    mt_buf_deinit(&out);
    mt_mem_free(copy);
    return text;
}

static enum mt_rc set_appkey(struct mt_provider_account *account, const char *appkey,
                             struct mt_fault *fault)
{
    const char *hash = appkey == NULL ? NULL : strchr(appkey, '#');
    char *org = NULL;
    char *app = NULL;
    size_t size = 0;

    if (hash == NULL || hash == appkey || hash[1] == '\0' || strchr(hash + 1, '#') != NULL ||
        strlen(appkey) > 200)
        return mt_fault_set(fault, MT_ERR_INVALID, "config.appkey",
                            "appkey must be written ORG#APP, as the Easemob console shows it");
    org = escaped(appkey, (size_t)(hash - appkey));
    app = escaped(hash + 1, strlen(hash + 1));
    size = org != NULL && app != NULL ? strlen(org) + strlen(app) + 2 : 0;
    account->org_app = size > 0 ? mt_mem_alloc(size) : NULL;
    account->appkey = mt_mem_strdup(appkey);
    if (account->org_app != NULL)
        snprintf(account->org_app, size, "%s/%s", org, app);
    mt_mem_free(org);
    mt_mem_free(app);
    return account->org_app == NULL || account->appkey == NULL ? MT_ERR_NOMEM : MT_OK;
}

/* Ids are stored in lower case; a login id in capitals gives an empty conversation list without an
 * error (§1.1). */
static enum mt_rc set_user(struct mt_provider_account *account, const char *user,
                           struct mt_fault *fault)
{
    if (user == NULL || user[0] == '\0' || strlen(user) > 64)
        return mt_fault_set(fault, MT_ERR_INVALID, "config.user",
                            "user must be the id of an Easemob user: 1 to 64 bytes");
    for (const char *c = user; *c != '\0'; c++)
        if ((unsigned char)*c <= ' ' || *c == '/' || *c == '@' || *c == 127)
            return mt_fault_set(
                fault, MT_ERR_INVALID, "config.user",
                "user holds a character that no Easemob id has (space, '/', '@' or a control)");
    account->user = mt_mem_strdup(user);
    if (account->user == NULL)
        return MT_ERR_NOMEM;
    if (mt_str_fold(account->user))
        mt_log(MT_LOG_WARN, "easemob",
               "%s: user '%s' is used as '%s': Easemob ids are lower case, capitals would give "
               "empty lists",
               account->name, user, account->user);
    account->user_escaped = escaped(account->user, strlen(account->user));
    return account->user_escaped == NULL ? MT_ERR_NOMEM : MT_OK;
}

static char *without_slash(const char *url)
{
    size_t len = strlen(url);

    while (len > 0 && url[len - 1] == '/')
        len--;
    return mt_mem_strndup(url, len);
}

static bool url_ok(const char *url)
{
    return (mt_str_starts(url, "https://") || mt_str_starts(url, "http://")) && strlen(url) < 280 &&
           strpbrk(url, "?# \t\r\n\"\\") == NULL;
}

static bool websocket_ok(const char *url)
{
    return (mt_str_starts(url, "wss://") || (mt_str_starts(url, "ws://") && mt_em_loopback(url))) &&
           strlen(url) < 280 && strpbrk(url, "?# \t\r\n\"\\") == NULL;
}

static enum mt_rc set_hosts(struct mt_provider_account *account,
                            const struct mt_account_config *config, struct mt_fault *fault)
{
    size_t n = 0;

    if (config->websocket != NULL) {
        if (!websocket_ok(config->websocket))
            return mt_fault_set(
                fault, MT_ERR_INVALID, "config.websocket",
                "websocket must be an address such as "
                "\"wss://im-api-wechat.easemob.com/websocket\" (ws:// on loopback)");
        account->websocket = mt_mem_strdup(config->websocket);
        if (account->websocket == NULL)
            return MT_ERR_NOMEM;
    }

    if (config->rest != NULL) {
        if (!url_ok(config->rest))
            return mt_fault_set(
                fault, MT_ERR_INVALID, "config.rest",
                "rest must be the address of a REST host, such as \"https://a1.easemob.com\"");
        account->rest = without_slash(config->rest);
        return account->rest == NULL ? MT_ERR_NOMEM : MT_OK;
    }
    while (config->discovery != NULL && config->discovery[n] != NULL)
        n++;
    if (n == 0)
        return MT_OK;
    account->discovery = mt_mem_calloc(n, sizeof *account->discovery);
    if (account->discovery == NULL)
        return MT_ERR_NOMEM;
    for (size_t i = 0; i < n; i++) {
        if (!url_ok(config->discovery[i]))
            return mt_fault_set(fault, MT_ERR_INVALID, "config.discovery",
                                "discovery must list addresses such as \"https://rs.easemob.com\"");
        account->discovery[i] = without_slash(config->discovery[i]);
        if (account->discovery[i] == NULL)
            return MT_ERR_NOMEM;
        account->discovery_n = i + 1;
    }
    return MT_OK;
}

static enum mt_rc copy_secret(const struct mt_secret *from, struct mt_secret **to)
{
    if (from == NULL)
        return MT_OK;
    *to = mt_secret_new(mt_secret_bytes(from), mt_secret_len(from));
    return *to == NULL ? MT_ERR_NOMEM : MT_OK;
}

static enum mt_rc set_secrets(struct mt_provider_account *account,
                              const struct mt_account_config *config, struct mt_fault *fault)
{
    enum mt_rc rc = MT_OK;

    if (config->token == NULL && config->password == NULL && config->app == NULL)
        return mt_fault_set(fault, MT_ERR_INVALID, "config.no_credentials",
                            "the account needs a token, a password or an app: token = env "
                            "\"NAME\"");
    if (config->app != NULL) {
        account->app = config->app;
        mt_app_retain(mt_em_app_core(account->app));
    }
    rc = copy_secret(config->token, &account->configured_token);
    return rc == MT_OK ? copy_secret(config->password, &account->password) : rc;
}

void mt_em_account_retain(struct mt_provider_account *account)
{
    account->refs++;
}

void mt_em_account_release(struct mt_provider_account *account)
{
    if (--account->refs > 0)
        return;
    mt_em_token_release(account->session.token);
    mt_em_listings_free(account);
    mt_map_free(account->warned, NULL);
    mt_secret_free(account->configured_token);
    mt_secret_free(account->password);
    if (account->app != NULL)
        mt_app_release(mt_em_app_core(account->app));
    mt_arena_free(account->decoder.scratch);
    for (size_t i = 0; i < account->discovery_n; i++)
        mt_mem_free(account->discovery[i]);
    mt_mem_free(account->discovery);
    mt_mem_free(account->session.hosts);
    mt_mem_free(account->rest);
    mt_mem_free(account->websocket);
    mt_mem_free(account->user_escaped);
    mt_mem_free(account->user);
    mt_mem_free(account->org_app);
    mt_mem_free(account->appkey);
    mt_mem_free(account->device);
    mt_mem_free(account->name);
    mt_mem_free(account);
}

void mt_em_account_set_api(struct mt_provider_account *account, const char *api)
{
    double rate = account->rate_per_s;

    snprintf(account->api, sizeof account->api, "%s", api);
    if (rate < 0)
        rate = mt_em_loopback(api) ? 0 : DEFAULT_RATE_PER_S;
    account->bucket = mt_http_bucket_shared(account->http, account->appkey, rate, rate);
}

/* The name is part of addresses (easemob.md §1.1): it keeps to what needs no escape there. */
static enum mt_rc set_device(struct mt_provider_account *account,
                             const struct mt_account_config *config, struct mt_fault *fault)
{
    const char *device = config->device == NULL ? "moontide" : config->device;
    size_t len = strlen(device);

    if (len == 0 || len >= MT_EM_DEVICE_MAX || config->platform < 0 || config->platform > 100 ||
        strspn(device, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") != len)
        return mt_fault_set(fault, MT_ERR_INVALID, "config.device",
                            "account '%s': device is a name of up to %d letters, digits, '_', '-' "
                            "and '.', platform a number from 1 to 100",
                            account->name, MT_EM_DEVICE_MAX - 1);
    account->device = mt_mem_strdup(device);
    account->platform = config->platform == 0 ? DEFAULT_PLATFORM : config->platform;
    account->delivery_receipts = config->delivery_receipts;
    return account->device == NULL ? MT_ERR_NOMEM : MT_OK;
}

static enum mt_rc account_open(struct mt_loop *loop, struct mt_http *http,
                               const struct mt_account_config *config,
                               struct mt_provider_account **out, struct mt_fault *fault)
{
    struct mt_provider_account *account = mt_mem_calloc(1, sizeof *account);
    enum mt_rc rc = MT_ERR_NOMEM;

    *out = NULL;
    if (account == NULL)
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    account->refs = 1;
    account->form = -1;
    account->loop = loop;
    account->http = http;
    account->calls = (struct mt_call_list){.loop = loop,
                                           .account = account,
                                           .retain = mt_em_account_retain,
                                           .release = mt_em_account_release,
                                           .ready = mt_em_session_ready,
                                           .want = mt_em_session_want};
    account->rate_per_s = config->rate_per_s;
    account->timeout_ms = config->timeout_ms;
    account->name = mt_mem_strdup(config->name == NULL ? "" : config->name);
    account->decoder.scratch = mt_arena_new(MT_EM_SCRATCH_MAX);
    account->warned = mt_map_new();
    if (account->name != NULL && account->decoder.scratch != NULL && account->warned != NULL)
        rc = set_appkey(account, config->appkey, fault);
    if (rc == MT_OK)
        rc = set_user(account, config->user, fault);
    if (rc == MT_OK)
        rc = set_hosts(account, config, fault);
    if (rc == MT_OK)
        rc = set_secrets(account, config, fault);
    if (rc == MT_OK)
        rc = set_device(account, config, fault);
    if (rc != MT_OK) {
        if (rc == MT_ERR_NOMEM)
            (void)mt_fault_set(fault, rc, "memory", "out of memory");
        mt_em_account_release(account);
        return rc;
    }
    account->decoder.user = account->user;
    account->decoder.appkey = account->appkey;
    account->decoder.api = account->api;
    if (account->rest != NULL) {
        mt_em_account_set_api(account, account->rest);
        account->session.discovered = true;
    }
    *out = account;
    return MT_OK;
}

static void account_close(struct mt_provider_account *account)
{
    if (account == NULL || account->closed)
        return;
    account->closed = true;
    mt_em_live_stop(account);
    mt_em_session_stop(account);
    mt_call_cancel_all(&account->calls);
    mt_em_account_release(account);
}

static const char *account_user(const struct mt_provider_account *account)
{
    return account->user;
}

static const char *account_appkey(const struct mt_provider_account *account)
{
    return account->appkey;
}

/* Whether to warn of this id: once an account, not once a page. */
static bool first_time(const struct mt_provider_account *account, const char *id)
{
    if (mt_map_get(account->warned, id) != NULL || mt_map_count(account->warned) >= WARNED_MAX)
        return false;
    return mt_map_put(account->warned, id, account->warned) == MT_OK;
}

enum mt_rc mt_em_normalise(const struct mt_provider_account *account,
                           struct mt_conversation_ref *ref, bool *changed, struct mt_fault *fault)
{
    if (changed != NULL)
        *changed = false;
    if (ref->kind == MT_CONVERSATION_SYSTEM || ref->kind == MT_CONVERSATION_ULTRA)
        return mt_fault_set(fault, MT_ERR_UNSUPPORTED, "conversation.kind",
                            "Easemob has no %s conversations: write single:ID, group:ID or room:ID",
                            mt_conversation_kind_name(ref->kind));
    if (ref->target[0] == '\0' || strpbrk(ref->target, "@/ \"\\") != NULL)
        return mt_fault_set(fault, MT_ERR_INVALID, "conversation.id",
                            "'%s' is no id of an Easemob user, group or room", ref->target);
    if (ref->kind == MT_CONVERSATION_SINGLE) {
        char given[sizeof ref->target];

        memcpy(given, ref->target, sizeof given);
        if (mt_str_fold(ref->target)) {
            if (changed != NULL)
                *changed = true;
            if (!first_time(account, given))
                return MT_OK;
            mt_log(
                MT_LOG_WARN, "easemob",
                "%s: conversation 'single:%s' is used as 'single:%s': Easemob ids are lower case, "
                "capitals would give an empty history",
                account->name, given, ref->target);
        }
    }
    return MT_OK;
}

static enum mt_rc account_decode(const struct mt_provider_account *account, const void *raw,
                                 size_t len, struct mt_arena *arena, struct mt_message *out)
{
    /* Called from the work pool while the loop thread decodes with the account's own scratch. */
    struct mt_em_decoder decoder = account->decoder;
    void *copy = mt_arena_alloc(arena, len == 0 ? 1 : len);
    enum mt_rc rc = MT_ERR_NOMEM;

    if (copy == NULL)
        return MT_ERR_NOMEM;
    if (len > 0)
        memcpy(copy, raw, len);
    decoder.scratch = mt_arena_new(MT_EM_SCRATCH_MAX);
    if (decoder.scratch != NULL)
        rc = mt_em_decode_meta(&decoder, copy, len, arena, out);
    mt_arena_free(decoder.scratch);
    return rc;
}

/* The cloud's cursor is the id of a message, in either direction (§4.3). */
static bool cursor_after(const struct mt_provider_account *account, const struct mt_message *m,
                         char out[MT_CURSOR_MAX])
{
    size_t len = mt_id_is(m->id) ? strlen(m->id) : 0;

    (void)account;
    if (!len || len >= MT_CURSOR_MAX)
        return false;
    memcpy(out, m->id, len + 1);
    return true;
}

static const char *account_device(const struct mt_provider_account *account)
{
    return account->device;
}

static int64_t account_clock_off_ms(const struct mt_provider_account *account, bool *known)
{
    return mt_cloud_clock_off_ms(&account->session.clock, known);
}

static const struct mt_provider_live live_verbs = {
    .device = account_device,
    .start = mt_em_live_start,
    .stop = mt_em_live_stop,
    .done = mt_em_live_done,
    .send = mt_em_live_send,
    .refer = mt_em_live_refer,
    .delete_max = MT_EM_DELETE_MAX,
    .delete_ids = mt_em_delete_ids,
    .delete_before = mt_em_delete_before,
    .delete_conversation = mt_em_delete_conversation,
    .delete_all = mt_em_delete_all,
    .pin = mt_em_pin,
    .mark = mt_em_mark,
    .readers = mt_em_readers,
    .upload = mt_em_upload,
    .download = mt_em_download,
    .combine = mt_em_combine,
};

const struct mt_provider mt_provider_easemob = {
    .name = "easemob",
    .live = &live_verbs,
    .app_open = mt_em_app_open,
    .app_close = mt_em_app_close,
    .open = account_open,
    .close = account_close,
    .login = mt_em_login,
    .conversations = mt_em_conversations,
    .history = mt_em_history,
    .doctor = mt_em_doctor,
    .cursor_after = cursor_after,
    .cancel = mt_call_cancel,
    .user = account_user,
    .appkey = account_appkey,
    .normalise = mt_em_normalise,
    .can = mt_em_can,
    .decode = account_decode,
    .clock_off_ms = account_clock_off_ms,
};

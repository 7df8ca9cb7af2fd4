/* Opening and closing an account, and the table of this provider. */
#include "provider/rongcloud/account_int.h"

#include "base/mem.h"
#include "base/rand.h"
#include "base/secret.h"
#include "base/str.h"
#include "codec/hash.h"
#include "provider/rongcloud/app_int.h"
#include "provider/rongcloud/files_int.h"
#include "provider/rongcloud/keys_int.h"
#include "provider/rongcloud/list_int.h"
#include "provider/rongcloud/live_int.h"
#include "provider/rongcloud/manage_int.h"
#include "provider/rongcloud/model_int.h"
#include "provider/rongcloud/send_int.h"

#include <stdio.h>
#include <string.h>

extern const struct mt_provider mt_provider_rongcloud;

/* Control characters, and what the words of an address are kept apart by. */
static bool id_ok(const char *id, size_t max)
{
    size_t len = strlen(id);

    if (len == 0 || len > max || !mt_str_utf8_valid(id, len))
        return false;
    for (const char *c = id; *c != '\0'; c++)
        if ((unsigned char)*c <= ' ' || *c == 127 || strchr("/\"\\", *c) != NULL)
            return false;
    return true;
}

static enum mt_rc set_names(struct mt_provider_account *account,
                            const struct mt_account_config *config, struct mt_fault *fault)
{
    const char *device = config->device == NULL ? "moontide" : config->device;

    if (config->appkey == NULL || !id_ok(config->appkey, 64) ||
        strpbrk(config->appkey, ":?&#") != NULL)
        return mt_fault_set(fault, MT_ERR_INVALID, "config.appkey",
                            "account '%s': appkey must be written as the RongCloud console shows "
                            "it",
                            account->name);
    if (config->user == NULL || !id_ok(config->user, MT_RONG_USER_MAX - 1))
        return mt_fault_set(fault, MT_ERR_INVALID, "config.user",
                            "account '%s': user must be the id of a RongCloud user: 1 to 64 bytes "
                            "without spaces, '/' and quotes",
                            account->name);
    if (strlen(device) >= MT_RONG_DEVICE_MAX || !id_ok(device, MT_RONG_DEVICE_MAX))
        return mt_fault_set(fault, MT_ERR_INVALID, "config.device",
                            "account '%s': device is a name of up to %d letters, digits, '_', '-' "
                            "and '.'",
                            account->name, MT_RONG_DEVICE_MAX - 1);
    account->appkey = mt_mem_strdup(config->appkey);
    account->user = mt_mem_strdup(config->user);
    account->device = mt_mem_strdup(device);
    return account->appkey == NULL || account->user == NULL || account->device == NULL
               ? MT_ERR_NOMEM
               : MT_OK;
}

/* 22 lower-case letters and digits, as the SDK's random ones (2.1), but the same each time: the
 * cloud tells the devices of a user apart by it. */
static void set_device_id(struct mt_provider_account *account)
{
    static const char digits[] = "abcdefghijklmnopqrstuvwxyz012345";
    const char *parts[] = {account->appkey, account->user, account->device};
    char all[512];
    uint8_t hash[MT_SHA256_LEN];
    uint8_t chance[sizeof account->visitor_id];
    size_t at = 0;

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        at += (size_t)snprintf(all + at, sizeof all - at, "%s\n", parts[i]);
    mt_sha256_of(all, at, hash);
    for (size_t i = 0; i + 1 < sizeof account->device_id; i++)
        account->device_id[i] = digits[hash[i] % 32];
    mt_rand_bytes(chance, sizeof chance);
    for (size_t i = 0; i + 1 < sizeof account->visitor_id; i++)
        account->visitor_id[i] = digits[chance[i] % 32];
}

static bool navigator_ok(const char *url)
{
    return url[0] != '\0' && strlen(url) < 280 && strpbrk(url, "?#@ \t\r\n\"\\") == NULL;
}

static enum mt_rc set_navigators(struct mt_provider_account *account,
                                 const struct mt_account_config *config, struct mt_fault *fault)
{
    size_t n = 0;

    while (config->navigators != NULL && config->navigators[n] != NULL)
        n++;
    if (n == 0)
        return MT_OK;
    account->navigators = mt_mem_calloc(n, sizeof *account->navigators);
    if (account->navigators == NULL)
        return MT_ERR_NOMEM;
    for (size_t i = 0; i < n; i++) {
        if (!navigator_ok(config->navigators[i]))
            return mt_fault_set(fault, MT_ERR_INVALID, "config.navigators",
                                "account '%s': navigators must list addresses such as "
                                "\"https://nav-b.rong-edge.com\"",
                                account->name);
        account->navigators[i] = mt_mem_strdup(config->navigators[i]);
        if (account->navigators[i] == NULL)
            return MT_ERR_NOMEM;
        account->navigators_n = i + 1;
    }
    return MT_OK;
}

static enum mt_rc set_token(struct mt_provider_account *account,
                            const struct mt_account_config *config, struct mt_fault *fault)
{
    if (config->app != NULL) {
        account->app = config->app;
        mt_app_retain(mt_rong_app_core(config->app));
    }
    if (config->token != NULL)
        return mt_rong_set_token(account, mt_secret_bytes(config->token),
                                 mt_secret_len(config->token));
    if (config->app != NULL)
        return MT_OK;
    return mt_fault_set(fault, MT_ERR_INVALID, "config.no_credentials",
                        "account '%s' needs a token (RongCloud has no passwords): token = env "
                        "\"NAME\"",
                        account->name);
}

void mt_rong_account_retain(struct mt_provider_account *account)
{
    account->refs++;
}

void mt_rong_account_release(struct mt_provider_account *account)
{
    if (--account->refs > 0)
        return;
    mt_rong_link_deinit(account);
    mt_rong_models_free(account);
    mt_rong_keys_free(account->keys_read);
    mt_rong_keys_free(account->keys_heard);
    mt_secret_free(account->token);
    mt_secret_free(account->opaque);
    if (account->app != NULL)
        mt_app_release(mt_rong_app_core(account->app));
    for (size_t i = 0; i < account->navigators_n; i++)
        mt_mem_free(account->navigators[i]);
    mt_mem_free(account->navigators);
    mt_rong_media_hosts_free(account);
    mt_mem_free(account->device);
    mt_mem_free(account->user);
    mt_mem_free(account->appkey);
    mt_mem_free(account->name);
    mt_mem_free(account);
}

static enum mt_rc account_open(struct mt_loop *loop, struct mt_http *http,
                               const struct mt_account_config *config,
                               struct mt_provider_account **out, struct mt_fault *fault)
{
    struct mt_provider_account *account = mt_mem_calloc(1, sizeof *account);
    enum mt_rc rc = MT_OK;

    *out = NULL;
    if (account == NULL)
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    account->refs = 1;
    account->loop = loop;
    account->http = http;
    account->websockets = config->websockets;
    account->websockets_ud = config->websockets_ud;
    account->timeout_ms = config->timeout_ms;
    account->calls = (struct mt_call_list){.loop = loop,
                                           .account = account,
                                           .retain = mt_rong_account_retain,
                                           .release = mt_rong_account_release,
                                           .ready = mt_rong_ready,
                                           .want = mt_rong_want};
    account->name = mt_mem_strdup(config->name == NULL ? "" : config->name);
    rc = account->name == NULL ? MT_ERR_NOMEM : mt_rong_link_init(account);
    if (rc == MT_OK)
        rc = set_names(account, config, fault);
    if (rc == MT_OK)
        rc = set_navigators(account, config, fault);
    if (rc == MT_OK)
        rc = mt_rong_media_hosts_set(account, config->media_hosts, fault);
    if (rc == MT_OK)
        rc = set_token(account, config, fault);
    if (rc != MT_OK) {
        if (rc == MT_ERR_NOMEM)
            (void)mt_fault_set(fault, rc, "memory", "out of memory");
        mt_rong_account_release(account);
        return rc;
    }
    set_device_id(account);
    *out = account;
    return MT_OK;
}

static void account_close(struct mt_provider_account *account)
{
    if (account == NULL || account->closed)
        return;
    account->closed = true;
    mt_rong_live_stop(account);
    mt_call_cancel_all(&account->calls);
    mt_rong_off(account);
    mt_rong_account_release(account);
}

static const char *account_user(const struct mt_provider_account *account)
{
    return account->user;
}

static const char *account_appkey(const struct mt_provider_account *account)
{
    return account->appkey;
}

/* Ids are case-sensitive here: nothing is folded. */
enum mt_rc mt_rong_normalise(const struct mt_provider_account *account,
                             struct mt_conversation_ref *ref, bool *changed, struct mt_fault *fault)
{
    (void)account;
    if (changed != NULL)
        *changed = false;
    if (ref->kind != MT_CONVERSATION_SYSTEM && !id_ok(ref->target, sizeof ref->target))
        return mt_fault_set(fault, MT_ERR_INVALID, "conversation.id",
                            "'%s' is no id of a RongCloud user, group or room", ref->target);
    return MT_OK;
}

static const char *account_device(const struct mt_provider_account *account)
{
    return account->device;
}

static int64_t account_clock_off_ms(const struct mt_provider_account *account, bool *known)
{
    return mt_cloud_clock_off_ms(&account->link.clock, known);
}

static const struct mt_provider_live live_verbs = {
    .device = account_device,
    .start = mt_rong_live_start,
    .stop = mt_rong_live_stop,
    .done = mt_rong_live_done,
    .position = mt_rong_live_position,
    .send = mt_rong_send,
    .refer = mt_rong_refer,
    .readers = mt_rong_readers,
    .upload = mt_rong_upload,
    .download = mt_rong_download,
    .combine = mt_rong_combine,
    .delete_max = MT_RONG_DELETE_MAX,
    .delete_ids = mt_rong_delete_ids,
    .locate = mt_rong_locate,
    .delete_before = mt_rong_delete_before,
    .delete_conversation = mt_rong_delete_conversation,
    .delete_all = mt_rong_delete_all,
    .pin = mt_rong_pin,
    .mark = mt_rong_mark,
    .set_notification = mt_rong_set_notification,
};

const struct mt_provider mt_provider_rongcloud = {
    .name = "rongcloud",
    .live = &live_verbs,
    .app_open = mt_rong_app_open,
    .app_close = mt_rong_app_close,
    .open = account_open,
    .close = account_close,
    .login = mt_rong_login,
    .doctor = mt_rong_doctor,
    .conversations = mt_rong_conversations,
    .history = mt_rong_history,
    .cursor_after = mt_rong_cursor_after,
    .cancel = mt_call_cancel,
    .user = account_user,
    .appkey = account_appkey,
    .normalise = mt_rong_normalise,
    .can = mt_rong_can,
    .decode = mt_rong_decode_raw,
    .clock_off_ms = account_clock_off_ms,
};

/* The user's token: as configured, or made with the app's credentials, and made anew once when the
 * cloud refuses it. */
#include "provider/rongcloud/account_int.h"

#include "base/mem.h"
#include "base/secret.h"
#include "provider/rongcloud/app_int.h"

#include <string.h>

enum mt_rc mt_rong_set_token(struct mt_provider_account *account, const char *bytes, size_t len)
{
    const char *hosts = memchr(bytes, '@', len);
    struct mt_secret *token = mt_secret_new(bytes, len);
    struct mt_secret *opaque =
        mt_secret_new(bytes, hosts != NULL ? (size_t)(hosts - bytes) + 1 : len);

    if (token == NULL || opaque == NULL) {
        mt_secret_free(token);
        mt_secret_free(opaque);
        return MT_ERR_NOMEM;
    }
    mt_secret_free(account->token);
    mt_secret_free(account->opaque);
    account->token = token;
    account->opaque = opaque;
    account->link.navigate = true; /* it may belong to other servers */
    return MT_OK;
}

static void on_token(void *ud, enum mt_rc rc, const char *token, const struct mt_fault *fault)
{
    struct mt_provider_account *account = ud;
    struct mt_fault own = {.kind = MT_OK};

    if (rc == MT_ERR_CANCELLED)
        goto out; /* by mt_rong_token_stop */
    account->link.asking = NULL;
    if (account->closed || account->link.stage != MT_RONG_TOKEN)
        goto out;
    if (rc == MT_OK)
        rc = mt_rong_set_token(account, token, strlen(token));
    else
        own = *fault;
    if (rc == MT_ERR_NOMEM)
        (void)mt_fault_set(&own, rc, "memory", "out of memory");
    account->link.renewed = true;
    mt_rong_tokened(account, rc, &own);
out:
    mt_rong_account_release(account);
}

void mt_rong_token_ask(struct mt_provider_account *account)
{
    struct mt_fault fault = {.kind = MT_OK};
    enum mt_rc rc =
        mt_rong_app_token(account->app, account->user, on_token, account, &account->link.asking);

    if (rc == MT_OK) {
        mt_rong_account_retain(account);
        return;
    }
    account->link.asking = NULL;
    (void)mt_fault_set(&fault, rc, "memory", "out of memory");
    mt_rong_tokened(account, rc, &fault);
}

/* One that was just made and did not work is not made again: the cloud refuses something else. */
bool mt_rong_token_renew(struct mt_provider_account *account, const struct mt_fault *fault)
{
    if (account->app == NULL || fault->kind != MT_ERR_AUTH || account->token == NULL ||
        account->link.renewed)
        return false;
    mt_secret_free(account->token);
    mt_secret_free(account->opaque);
    account->token = NULL;
    account->opaque = NULL;
    return true;
}

void mt_rong_token_stop(struct mt_provider_account *account)
{
    if (account->link.asking != NULL)
        mt_app_ask_cancel(account->link.asking);
    account->link.asking = NULL;
}
